"""Where shingles of one text stand in others."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc

import numpy as np

from glotmix.native.folded cimport (
    CODE_BITS,
    Aside,
    Folding,
    Window,
    fold_text,
    folding,
    mix,
    powers_of,
    push,
    room,
    room_units,
    window,
)
from glotmix.native.hashing cimport holds


def table_of(const uint64_t[::1] hashes):
    """Return a hash table of distinct hashes for `find`: a power of two of cells, at most half full, 0 for empty."""
    cdef int64_t i, size = 16
    cdef uint64_t cell
    while size < 2 * hashes.shape[0]:
        size *= 2
    cells = np.zeros(size, np.uint64)
    cdef uint64_t[::1] table = cells
    with nogil:
        for i in range(hashes.shape[0]):
            cell = hashes[i] & (size - 1)
            while table[cell] != 0 and table[cell] != hashes[i]:
                cell = (cell + 1) & (size - 1)
            table[cell] = hashes[i]
    return cells


def find(const int64_t[::1] offsets, const uint8_t[::1] data, const uint16_t[::1] stage1, const uint32_t[::1] stage2,
         const uint32_t[::1] pool, int32_t width, const uint64_t[::1] wanted):
    """Find shingles in texts.

    Args:
        offsets, data: n texts, as `glotmix.native.arrays.buffers` gives them.
        stage1, stage2, pool: the folding table.
        width: letters per shingle.
        wanted: the shingles' hashes, as `table_of` arranges them.

    Returns:
        for each place, in order: the text (int64), the hash (uint64), and the bytes of the text at which the shingle
        begins and at which its last letter begins (int64). A text shorter than a shingle is not one here.
    """
    cdef Folding t = folding(stage1, stage2, pool)
    cdef uint32_t* units = room(offsets)
    cdef uint64_t* powers = powers_of(width)
    cdef int64_t* places = <int64_t*>malloc(room_units(offsets) * sizeof(int64_t))
    cdef int64_t doc, n, j, count = 0, held = 1024
    cdef Aside aside
    cdef uint64_t h, last = wanted.shape[0] - 1
    cdef Window w
    grown = [np.empty(held, np.int64), np.empty(held, np.uint64), np.empty(held, np.int64), np.empty(held, np.int64)]
    cdef int64_t[::1] texts = grown[0]
    cdef uint64_t[::1] hashes = grown[1]
    cdef int64_t[::1] begins = grown[2]
    cdef int64_t[::1] ends = grown[3]
    try:
        if places == NULL:
            raise MemoryError(f"a text of {room_units(offsets)} units")
        for doc in range(offsets.shape[0] - 1):
            with nogil:
                n = fold_text(&t, &data[0], offsets[doc], offsets[doc + 1], units, &aside, places)
            if count + n > held:
                held = 2 * (count + n)
                grown = [np.concatenate([a, np.empty(held - len(a), a.dtype)]) for a in grown]
                texts, hashes, begins, ends = grown
            with nogil:
                w = window(units, powers, width)
                for j in range(n):
                    if push(&w, j):
                        h = mix(w.hash)
                        if holds(&wanted[0], last, h):
                            texts[count] = doc
                            hashes[count] = h
                            begins[count] = places[w.begin] - offsets[doc]
                            ends[count] = places[j] - offsets[doc]
                            count += 1
    finally:
        free(units)
        free(powers)
        free(places)
    return tuple(a[:count].copy() for a in grown)


def weigh(const int64_t[::1] offsets, const uint8_t[::1] data, const uint16_t[::1] stage1, const uint32_t[::1] stage2,
          const uint32_t[::1] pool, int64_t[::1] out):
    """Write the weight of each text in letters, (n,) int64, into `out`."""
    cdef Folding t = folding(stage1, stage2, pool)
    cdef uint32_t* units = room(offsets)
    cdef int64_t doc, n, j
    cdef Aside aside
    with nogil:
        for doc in range(out.shape[0]):
            n = fold_text(&t, &data[0], offsets[doc], offsets[doc + 1], units, &aside, NULL)
            out[doc] = 0
            for j in range(n):
                out[doc] += units[j] >> CODE_BITS
    free(units)
