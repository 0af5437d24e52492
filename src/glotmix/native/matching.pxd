# What is recognised by its ASCII bytes: addresses and fixed words.
from libc.stdint cimport int64_t, uint8_t, uint32_t


cdef inline bint ascii_letter(uint32_t c) noexcept nogil:
    return 97 <= (c | 32) <= 122


cdef inline bint follows(const uint8_t* data, int64_t at, int64_t end, const char* wanted, int64_t size) noexcept nogil:
    """Say whether `wanted` (lower case ASCII) stands at `at`, in any case."""
    cdef int64_t i
    cdef uint8_t b
    if at + size > end:
        return False
    for i in range(size):
        b = data[at + i]
        if 65 <= b <= 90:
            b |= 32
        if b != <uint8_t>wanted[i]:
            return False
    return True


cdef inline bint is_address(const uint8_t* data, int64_t at, int64_t end, uint32_t before) noexcept nogil:
    """Say whether an @ before `at` stands in an e-mail address: ``[A-Za-z0-9._%+-]@[A-Za-z0-9-]+\\.[A-Za-z]``."""
    if not (ascii_letter(before) or 48 <= before <= 57 or before in (46, 95, 37, 43, 45)):
        return False
    cdef int64_t i = at
    while i < end and (ascii_letter(data[i]) or 48 <= data[i] <= 57 or data[i] == 45):
        i += 1
    return i > at and i + 1 < end and data[i] == 46 and ascii_letter(data[i + 1])
