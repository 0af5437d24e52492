"""Shingles of folded letters, and MinHash signatures of them: one pass per text, one hash per shingle.

One-permutation hashing (Li, Owen, Zhang 2012) with optimal densification (Shrivastava 2017, ICML): a shingle's hash
chooses a bin and a value, a bin keeps its smallest value, an empty bin borrows from another that the bin's own fixed
random sequence finds. Each bin of two texts then agrees with probability equal to their Jaccard similarity.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, qsort

import numpy as np

from glotmix.native.utf8 cimport next_char

cdef enum:
    CODE_BITS = 21
    EMPTY = 0xFFFFFFFF

cdef uint32_t CODE = (1 << 21) - 1
cdef uint32_t DIGIT = 1 << 24
cdef uint32_t HANGUL = 1 << 30
cdef uint32_t POOL = <uint32_t>1 << 31
# Any odd multiplier serves a polynomial modulo 2^64; these are the primes of xxHash (public domain).
cdef uint64_t BASE = 0x9E3779B185EBCA87
cdef uint64_t MIX1 = 0xC2B2AE3D27D4EB4F
cdef uint64_t MIX2 = 0x165667B19E3779F9

cdef struct Folding:
    const uint16_t* stage1
    const uint32_t* stage2
    const uint32_t* pool


cdef inline uint64_t mix(uint64_t h) noexcept nogil:
    h ^= h >> 32
    h *= MIX1
    h ^= h >> 29
    h *= MIX2
    h ^= h >> 32
    return h


cdef inline uint64_t absorb(uint64_t h, uint64_t value) noexcept nogil:
    h = (h ^ value) * BASE
    return h ^ (h >> 32)


cdef inline int64_t put(uint32_t* units, int64_t n, uint32_t value, uint64_t* digits, bint* digit) noexcept nogil:
    """Append one folded unit: a run of digits becomes a single ``0``, and what it was goes into `digits`."""
    if value & DIGIT:
        digits[0] = absorb(digits[0], <uint64_t>n << CODE_BITS | (value & CODE))
        if digit[0]:
            return n
        digit[0] = True
        value = 48 | (1 << CODE_BITS)
    else:
        digit[0] = False
    units[n] = value
    return n + 1


cdef int64_t fold_text(Folding* t, const uint8_t* data, int64_t at, int64_t end, uint32_t* units,
                       uint64_t* digits) noexcept nogil:
    """Write the units of one text, and return how many there are; `digits` becomes a hash of its digits.

    A text in which nothing is a letter or a number (signs, pictures, rulers) is taken as it stands instead: two
    such texts are alike only if they are the same.
    """
    cdef int64_t n = 0, begin = at, k
    cdef uint32_t c, v, s
    cdef bint digit = False
    cdef const uint32_t* ascii = t.stage2 + (<uint32_t>t.stage1[0] << 8)
    digits[0] = MIX2
    while at < end:
        c = data[at]
        if c < 0x80:
            at += 1
            v = ascii[c]
        else:
            c = next_char(data, &at)
            v = t.stage2[(<uint32_t>t.stage1[c >> 8] << 8) | (c & 0xFF)]
        if v < DIGIT:
            # Without a branch: spaces come too irregularly to be predicted.
            units[n] = v
            n += v != 0
            digit &= v == 0
        elif v & POOL:
            v ^= POOL
            for k in range(t.pool[v]):
                n = put(units, n, t.pool[v + 1 + k], digits, &digit)
        elif v & HANGUL:
            # The arithmetic of the Unicode standard, section 3.12.
            s = c - 0xAC00
            units[n] = (0x1100 + s // 588) | (1 << CODE_BITS)
            units[n + 1] = (0x1161 + s % 588 // 28) | (1 << CODE_BITS)
            units[n + 2] = (0x11A7 + s % 28) | (1 << CODE_BITS)
            n += 2 + (s % 28 != 0)
            digit = False
        else:
            n = put(units, n, v, digits, &digit)
    if n == 0:
        at = begin
        while at < end:
            units[n] = next_char(data, &at) | (1 << CODE_BITS)
            n += 1
    return n


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
    cdef int64_t i = 0, j
    cdef int32_t total = 0, made = 0
    cdef uint32_t unit
    cdef uint64_t h = 0
    whole[0] = MIX2
    for j in range(n):
        unit = units[j]
        whole[0] = (whole[0] ^ unit) * MIX1
        h = h * BASE + (unit & CODE)
        total += unit >> CODE_BITS
        unit = units[i]
        while total - <int32_t>(unit >> CODE_BITS) >= width:
            total -= unit >> CODE_BITS
            h -= (unit & CODE) * powers[j - i]
            i += 1
            unit = units[i]
        if total >= width:
            drop(h, bins, m)
            made += 1
    if made == 0:
        drop(h, bins, m)
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


cdef Folding folding(const uint16_t[::1] stage1, const uint32_t[::1] stage2, const uint32_t[::1] pool):
    cdef Folding t
    t.stage1, t.stage2, t.pool = &stage1[0], &stage2[0], &pool[0]
    return t


cdef uint32_t* room(const int64_t[::1] offsets) except NULL:
    """Return space for the units of the longest text: no character folds to more than six units per byte."""
    cdef int64_t i, longest = 1
    cdef uint32_t* units
    for i in range(offsets.shape[0] - 1):
        longest = max(longest, offsets[i + 1] - offsets[i])
    units = <uint32_t*>malloc(longest * 6 * sizeof(uint32_t))
    if units == NULL:
        raise MemoryError(f"a text of {longest} bytes")
    return units


def fold(const int64_t[::1] offsets, const uint8_t[::1] data, const uint16_t[::1] stage1, const uint32_t[::1] stage2,
         const uint32_t[::1] pool, int64_t doc):
    """Return the folded units of one text as code points (for tests and for showing what is compared)."""
    cdef Folding t = folding(stage1, stage2, pool)
    cdef uint32_t* units = room(offsets)
    cdef uint64_t digits
    cdef int64_t i, n = fold_text(&t, &data[0], offsets[doc], offsets[doc + 1], units, &digits)
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
        content: (n,) hash of each folded text, out.
        count: (n,) shingles of each text (with repeats), out.
        keys: (n, bands) one key per band, out.
        sketch: (n, bands × rows) the low byte of every bin, out.
    """
    cdef Folding t = folding(stage1, stage2, pool)
    cdef uint32_t m = keys.shape[1] * rows, b
    cdef int32_t r, band
    cdef int64_t doc, n
    cdef uint64_t h, whole, digits
    cdef uint32_t* units = room(offsets)
    cdef uint32_t* bins = <uint32_t*>malloc(2 * m * sizeof(uint32_t))
    cdef uint64_t[::1] powers = _powers(width)
    with nogil:
        for doc in range(content.shape[0]):
            n = fold_text(&t, &data[0], offsets[doc], offsets[doc + 1], units, &digits)
            for b in range(m):
                bins[b] = EMPTY
            count[doc] = into_bins(units, n, width, &powers[0], bins, m, &whole)
            content[doc] = <int64_t>mix(absorb(whole, digits))
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


def shingle_sets(const int64_t[::1] offsets, const uint8_t[::1] data, const uint16_t[::1] stage1,
                 const uint32_t[::1] stage2, const uint32_t[::1] pool, int32_t width):
    """Return the exact shingle sets of texts: offsets (n + 1,) int64 and sorted distinct hashes (total,) uint64."""
    cdef Folding t = folding(stage1, stage2, pool)
    cdef int64_t docs = offsets.shape[0] - 1, doc, n, used = 0
    cdef uint64_t digits
    cdef uint32_t* units = room(offsets)
    cdef uint64_t[::1] powers = _powers(width)
    starts = np.zeros(docs + 1, np.int64)
    cdef int64_t[::1] start = starts
    hashes = np.empty(max(1024, 2 * (offsets[docs] - offsets[0])), np.uint64)
    cdef uint64_t[::1] pool_of_hashes = hashes
    try:
        for doc in range(docs):
            with nogil:
                n = fold_text(&t, &data[0], offsets[doc], offsets[doc + 1], units, &digits)
            if used + n + 1 > pool_of_hashes.shape[0]:
                hashes = np.concatenate([hashes[:used], np.empty(used + n + 1, np.uint64)])
                pool_of_hashes = hashes
            with nogil:
                used += into_set(units, n, width, &powers[0], &pool_of_hashes[used])
            start[doc + 1] = used
    finally:
        free(units)
    return starts, hashes[:used].copy()


cdef int64_t into_set(const uint32_t* units, int64_t n, int32_t width, const uint64_t* powers,
                      uint64_t* out) noexcept nogil:
    cdef int64_t i = 0, j, made = 0, kept = 0
    cdef int32_t total = 0
    cdef uint64_t h = 0
    for j in range(n):
        h = h * BASE + (units[j] & CODE)
        total += units[j] >> CODE_BITS
        while total - <int32_t>(units[i] >> CODE_BITS) >= width:
            total -= units[i] >> CODE_BITS
            h -= (units[i] & CODE) * powers[j - i]
            i += 1
        if total >= width:
            out[made] = mix(h)
            made += 1
    if made == 0:
        out[0] = mix(h)
        made = 1
    qsort(out, made, sizeof(uint64_t), &ascending)
    for j in range(made):
        if kept == 0 or out[j] != out[kept - 1]:
            out[kept] = out[j]
            kept += 1
    return kept


cdef int ascending(const void* a, const void* b) noexcept nogil:
    cdef uint64_t x = (<const uint64_t*>a)[0], y = (<const uint64_t*>b)[0]
    return (x > y) - (x < y)


cdef uint64_t[::1] _powers(int32_t width):
    powers = np.ones(width + 1, np.uint64)
    cdef uint64_t[::1] p = powers
    cdef int32_t i
    for i in range(1, width + 1):
        p[i] = p[i - 1] * BASE
    return p


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
