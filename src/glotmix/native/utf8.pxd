# The one decoder of UTF-8 in the native loops. Arrow strings are valid UTF-8, so nothing is checked here.
from libc.stdint cimport int64_t, uint8_t, uint32_t


cdef inline uint32_t next_char(const uint8_t* data, int64_t* at) noexcept nogil:
    """Return the code point that begins at `at[0]`, and move `at[0]` past it."""
    cdef int64_t i = at[0]
    cdef uint32_t b = data[i]
    if b < 0x80:
        at[0] = i + 1
        return b
    if b < 0xE0:
        at[0] = i + 2
        return ((b & 0x1F) << 6) | (data[i + 1] & 0x3F)
    if b < 0xF0:
        at[0] = i + 3
        return ((b & 0x0F) << 12) | ((data[i + 1] & 0x3F) << 6) | (data[i + 2] & 0x3F)
    at[0] = i + 4
    return ((b & 0x07) << 18) | ((data[i + 1] & 0x3F) << 12) | ((data[i + 2] & 0x3F) << 6) | (data[i + 3] & 0x3F)
