"""Counts of characters."""

from libc.stdint cimport int64_t, uint8_t


def count_chars(const int64_t[::1] offsets, const uint8_t[::1] data, int64_t[::1] out):
    """Write the number of code points of each text into `out`.

    Args:
        offsets: (n + 1,) int64, as in an Arrow large_string array.
        data: the UTF-8 bytes of all texts.
        out: (n,) int64.
    """
    cdef int64_t doc, i, total
    with nogil:
        for doc in range(out.shape[0]):
            total = 0
            for i in range(offsets[doc], offsets[doc + 1]):
                total += (data[i] & 0xC0) != 0x80
            out[doc] = total
