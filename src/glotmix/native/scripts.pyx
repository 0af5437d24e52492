"""How much of each script a text holds."""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from glotmix.native.utf8 cimport next_char


def count_scripts(
    const int64_t[::1] offsets,
    const uint8_t[::1] data,
    const uint8_t[::1] classes,
    const int64_t[::1] weights,
    int64_t max_chars,
    int64_t[:, ::1] out,
):
    """Add the weight of each character of a text to its class.

    Args:
        offsets: (n + 1,) int64, as in an Arrow large_string array.
        data: the UTF-8 bytes of all texts.
        classes: (0x110000,) the class of each code point, below k.
        weights: (k,) what one character of a class counts.
        max_chars: characters of a text that are looked at.
        out: (n, k), zeros.
    """
    cdef int64_t doc, at, end, seen
    cdef uint8_t kind
    with nogil:
        for doc in range(out.shape[0]):
            at = offsets[doc]
            end = offsets[doc + 1]
            seen = 0
            while at < end and seen < max_chars:
                kind = classes[next_char(&data[0], &at)]
                out[doc, kind] += weights[kind]
                seen += 1
