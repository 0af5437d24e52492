"""Shingles of folded letters, and MinHash signatures of them: one pass per text, one hash per shingle.

One-permutation hashing (Li, Owen, Zhang 2012) with optimal densification (Shrivastava 2017, ICML): a shingle's hash
chooses a bin and a value, a bin keeps its smallest value, an empty bin borrows from another that the bin's own fixed
random sequence finds. Each bin of two texts then agrees with probability equal to their Jaccard similarity.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

import numpy as np

from glotmix.native.folded cimport (
    Aside,
    BASE,
    CODE,
    CODE_BITS,
    MIX1,
    MIX2,
    Folding,
    Window,
    absorb,
    fold_document,
    fold_text,
    folding,
    mix,
    powers_of,
    push,
    room,
    room_units,
    window,
)

cdef enum:
    EMPTY = 0xFFFFFFFF


cdef inline void drop(uint64_t h, uint32_t* bins, uint32_t m) noexcept nogil:
    """Let a shingle choose its bin by the high half of its hash, and leave the smaller value there."""
    cdef uint32_t high, b, v, old
    h = (h ^ (h >> 32)) * MIX1
    high = h >> 32
    b = <uint32_t>((<uint64_t>high * m) >> 32)
    v = <uint32_t>h ^ high
    old = bins[b]
    bins[b] = v if v < old else old


cdef int32_t into_bins(const uint32_t* units, int64_t n, int32_t width, const uint64_t* powers, uint32_t* bins,
                       uint32_t m, uint64_t* whole) noexcept nogil:
    """Hash every window of at least `width` letters' weight into the bins, and all units into `whole`.

    Returns the number of windows: at least one, for a text shorter than a window is one itself.
    """
    cdef int64_t j
    cdef int32_t made = 0
    cdef Window w = window(units, powers, width)
    whole[0] = MIX2
    for j in range(n):
        whole[0] = (whole[0] ^ units[j]) * MIX1
        if push(&w, j):
            drop(w.hash, bins, m)
            made += 1
    if made == 0:
        drop(w.hash, bins, m)
        made = 1
    return made


cdef void densify(uint32_t* bins, uint32_t* filled, uint32_t m) noexcept nogil:
    """Give every empty bin the value of a filled one, found by the bin's own fixed random sequence."""
    cdef uint32_t b, at
    cdef uint64_t attempt
    for b in range(m):
        filled[b] = bins[b] != EMPTY
    for b in range(m):
        attempt = 0
        at = b
        while not filled[at]:
            attempt += 1
            at = <uint32_t>(((mix((<uint64_t>b << 32 | attempt) * BASE) >> 32) * m) >> 32)
        bins[b] = bins[at]


def fold(const int64_t[::1] offsets, const uint8_t[::1] data, const uint16_t[::1] stage1, const uint32_t[::1] stage2,
         const uint32_t[::1] pool, int64_t doc):
    """Return the folded units of one text as code points (for tests and for showing what is compared)."""
    cdef Folding t = folding(stage1, stage2, pool)
    cdef uint32_t* units = room(offsets)
    cdef Aside aside
    cdef int64_t i, n = fold_document(&t, &data[0], offsets[doc], offsets[doc + 1], units, &aside)
    found = [units[i] & CODE for i in range(n)]
    free(units)
    return found


def sign(const int64_t[::1] offsets, const uint8_t[::1] data, const uint16_t[::1] stage1, const uint32_t[::1] stage2,
         const uint32_t[::1] pool, int32_t width, int32_t rows, int64_t[::1] content, int32_t[::1] count,
         int64_t[:, ::1] keys, uint8_t[:, ::1] sketch):
    """Sign texts.

    Args:
        offsets, data: n texts, as `glotmix.native.arrays.buffers` gives them.
        stage1, stage2, pool: the folding table.
        width: letters per shingle.
        rows: bins per band.
        content: (n,) hash of each folded text with its numbers, marks and signs, out.
        count: (n,) shingles of each text (with repeats), out.
        keys: (n, bands) one key per band, out.
        sketch: (n, bands × rows) the low byte of every bin, out.
    """
    cdef Folding t = folding(stage1, stage2, pool)
    cdef uint32_t m = keys.shape[1] * rows, b
    cdef int32_t r, band
    cdef int64_t doc, n
    cdef uint64_t h, whole
    cdef Aside aside
    cdef uint32_t* units = room(offsets)
    cdef uint32_t* bins = <uint32_t*>malloc(2 * m * sizeof(uint32_t))
    cdef uint64_t* powers = powers_of(width)
    with nogil:
        for doc in range(content.shape[0]):
            n = fold_document(&t, &data[0], offsets[doc], offsets[doc + 1], units, &aside)
            for b in range(m):
                bins[b] = EMPTY
            count[doc] = into_bins(units, n, width, powers, bins, m, &whole)
            content[doc] = <int64_t>mix(absorb(whole, aside.hash))
            densify(bins, bins + m, m)
            for b in range(m):
                sketch[doc, b] = bins[b] & 0xFF
            for band in range(keys.shape[1]):
                # The band's number is part of its key, so that keys of different bands never meet.
                h = band + 1
                for r in range(rows):
                    h = absorb(h, bins[band * rows + r])
                keys[doc, band] = <int64_t>mix(h)
    free(units)
    free(bins)
    free(powers)


def shingle_sets(const int64_t[::1] offsets, const uint8_t[::1] data, const uint16_t[::1] stage1,
                 const uint32_t[::1] stage2, const uint32_t[::1] pool, int32_t width, bint passages=False):
    """Return the exact shingle sets of texts: offsets (n + 1,) int64 and sorted distinct hashes (total,) uint64.

    `passages`: the texts are looked for within others, so numbers are one class in all of them; otherwise a text in
    which numbers prevail over letters keeps them.
    """
    cdef Folding t = folding(stage1, stage2, pool)
    cdef int64_t docs = offsets.shape[0] - 1, doc, n, used = 0
    cdef Aside aside
    cdef uint32_t* units = room(offsets)
    cdef uint64_t* powers = powers_of(width)
    cdef int64_t most = room_units(offsets)
    cdef uint64_t[::1] spare = np.empty(most, np.uint64)
    cdef int64_t[::1] counts = np.empty(2 * most, np.int64)
    starts = np.zeros(docs + 1, np.int64)
    cdef int64_t[::1] start = starts
    hashes = np.empty(max(1024, 2 * (offsets[docs] - offsets[0])), np.uint64)
    cdef uint64_t[::1] pool_of_hashes = hashes
    try:
        for doc in range(docs):
            with nogil:
                if passages:
                    n = fold_text(&t, &data[0], offsets[doc], offsets[doc + 1], units, &aside, NULL)
                else:
                    n = fold_document(&t, &data[0], offsets[doc], offsets[doc + 1], units, &aside)
            if used + n + 1 > pool_of_hashes.shape[0]:
                hashes = np.concatenate([hashes[:used], np.empty(used + n + 1, np.uint64)])
                pool_of_hashes = hashes
            with nogil:
                used += into_set(units, n, width, powers, &pool_of_hashes[used], &spare[0], &counts[0])
            start[doc + 1] = used
    finally:
        free(units)
        free(powers)
    return starts, hashes[:used].copy()


cdef int64_t into_set(const uint32_t* units, int64_t n, int32_t width, const uint64_t* powers, uint64_t* out,
                      uint64_t* spare, int64_t* counts) noexcept nogil:
    cdef int64_t j, made = 0, kept = 0
    cdef Window w = window(units, powers, width)
    for j in range(n):
        if push(&w, j):
            out[made] = mix(w.hash)
            made += 1
    if made == 0:
        out[0] = mix(w.hash)
        made = 1
    sort_hashes(out, made, spare, counts)
    for j in range(made):
        if kept == 0 or out[j] != out[kept - 1]:
            out[kept] = out[j]
            kept += 1
    return kept


cdef void sort_hashes(uint64_t* values, int64_t n, uint64_t* spare, int64_t* counts) noexcept nogil:
    """Sort hashes in linear time: being evenly spread, their leading bits put each almost where it belongs."""
    cdef int64_t i, j, bins = 1, at, total = 0
    cdef int shift = 64
    cdef uint64_t v
    while bins < n and shift > 32:
        bins *= 2
        shift -= 1
    if bins > 1:
        for i in range(bins):
            counts[i] = 0
        for i in range(n):
            counts[values[i] >> shift] += 1
        for i in range(bins):
            at = counts[i]
            counts[i] = total
            total += at
        for i in range(n):
            spare[counts[values[i] >> shift]] = values[i]
            counts[values[i] >> shift] += 1
        memcpy(values, spare, n * sizeof(uint64_t))
    for i in range(1, n):
        v = values[i]
        j = i
        while j > 0 and values[j - 1] > v:
            values[j] = values[j - 1]
            j -= 1
        values[j] = v


def hash_strings(const int64_t[::1] offsets, const uint8_t[::1] data, uint64_t seed, int64_t[::1] out):
    """Write a 64-bit hash of each string's bytes into `out`, (n,)."""
    cdef int64_t doc, i
    cdef uint64_t h
    with nogil:
        for doc in range(out.shape[0]):
            h = seed * MIX1 + <uint64_t>(offsets[doc + 1] - offsets[doc])
            for i in range(offsets[doc], offsets[doc + 1]):
                h = absorb(h, data[i])
            out[doc] = <int64_t>mix(h)
