"""Lines of texts and the hashes of their folded letters."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free

import numpy as np

from glotmix.native.folded cimport CODE_BITS, MIX2, Aside, Folding, absorb, fold_text, folding, mix, room


def lines(const int64_t[::1] offsets, const uint8_t[::1] data, const uint16_t[::1] stage1, const uint32_t[::1] stage2,
          const uint32_t[::1] pool, int32_t least):
    """Find the lines of texts.

    Args:
        offsets, data: n texts, as `glotmix.native.arrays.buffers` gives them.
        stage1, stage2, pool: the folding table.
        least: letters that a line must have; shorter ones are left out.

    Returns:
        starts (n + 1,): the lines of text i stand from starts[i] to starts[i + 1]; for each line the hash of its
        folded letters (numbers are one class), and the bytes of the text at which it begins and ends (the line
        break not included). All int64.
    """
    cdef Folding t = folding(stage1, stage2, pool)
    cdef int64_t docs = offsets.shape[0] - 1, doc, at, end, stop, n, j, weight, count = 0, total = 0
    cdef Aside aside
    cdef uint64_t h
    cdef uint32_t* units = room(offsets)
    with nogil:
        for at in range(offsets[0], offsets[docs]):
            total += data[at] == 10
    total += docs
    starts, found = np.zeros(docs + 1, np.int64), np.empty((3, max(1, total)), np.int64)
    cdef int64_t[::1] start = starts
    cdef int64_t[:, ::1] out = found
    with nogil:
        for doc in range(docs):
            at, stop = offsets[doc], offsets[doc + 1]
            while at < stop:
                end = at
                while end < stop and data[end] != 10:
                    end += 1
                n = fold_text(&t, &data[0], at, end, units, &aside, NULL)
                weight, h = 0, MIX2
                for j in range(n):
                    weight += units[j] >> CODE_BITS
                    h = absorb(h, units[j])
                if weight >= least:
                    out[0, count] = <int64_t>mix(h)
                    out[1, count] = at - offsets[doc]
                    out[2, count] = end - offsets[doc]
                    count += 1
                at = end + 1
            start[doc + 1] = count
    free(units)
    return starts, found[0, :count].copy(), found[1, :count].copy(), found[2, :count].copy()
