"""Texts to the hashes of their words and character n-grams, and to sums of the vectors that a model has for them.

What the features of a text are stands in `glotmix.embed.features`.
"""

from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

import numpy as np

from glotmix.native.hashing cimport absorb, finish
from glotmix.native.utf8 cimport next_char

cdef enum:
    # Of the property table: the low bits of a code point's entry.
    INSIDE = 1          # part of a word
    UNSPACED = 2        # of a script that is written without spaces
    INHERITS = 4        # a mark: goes with the run that it stands in
    SKIPPED = 8         # not there at all
    LEAST_SHIFT = 8     # shortest and longest n-gram that begins here
    MOST_SHIFT = 12
    LONGEST_WORD = 48   # longer runs (addresses, base64) are no words
    BEGIN = 1           # the marks at the two ends of a word
    END = 2

cdef extern from *:
    """
    #if defined(__GNUC__) || defined(__clang__)
    #define GLOTMIX_PREFETCH(address) __builtin_prefetch(address)
    #else
    #define GLOTMIX_PREFETCH(address)
    #endif
    """
    void prefetch "GLOTMIX_PREFETCH" (const void*) noexcept nogil

cdef enum:
    HELD = 384          # features that wait until they are looked up; a text with more is summed by centroids

cdef struct Sink:
    # Where features go: an array of hashes, or a sum of rows.
    uint64_t* hashes
    int64_t size
    const uint32_t* keys
    const int32_t* rows
    uint32_t mask
    const uint8_t* codes
    const float* scales
    const float* centroids
    int32_t groups
    int32_t group
    float* total
    float* weights      # (groups, 256): how much of each centroid the text has; all zero where `weighed` is False
    bint weighed
    int32_t held
    uint32_t[HELD] waiting


cdef inline uint32_t key_of(uint64_t h) noexcept nogil:
    """Return the 32 bits that a model knows a feature by; 0 is an empty slot."""
    cdef uint32_t key = <uint32_t>(h >> 32)
    return key if key else 1


cdef inline uint32_t slot_of(uint32_t key, uint32_t mask) noexcept nogil:
    return (key * <uint32_t>0x9E3779B1) & mask


cdef inline int32_t find(const uint32_t* keys, const int32_t* rows, uint32_t mask, uint32_t key) noexcept nogil:
    """Return the row of a key, -1 for one that is not known."""
    cdef uint32_t slot = slot_of(key, mask)
    while keys[slot]:
        if keys[slot] == key:
            return rows[slot]
        slot = (slot + 1) & mask
    return -1


cdef void look_up(Sink* sink) noexcept nogil:
    """Replace the waiting keys by their rows; those that are not known go."""
    cdef int32_t i, row, known = 0
    for i in range(sink.held):
        row = find(sink.keys, sink.rows, sink.mask, sink.waiting[i])
        if row >= 0:
            prefetch(sink.codes + <int64_t>row * sink.groups)
            prefetch(sink.scales + row)
            sink.waiting[known] = <uint32_t>row
            known += 1
    sink.held = known


cdef void weigh(Sink* sink) noexcept nogil:
    """Add the scales of the waiting rows to the weights of their centroids."""
    cdef int32_t i, j, groups = sink.groups
    cdef float scale
    cdef float* weights = sink.weights
    cdef const uint8_t* codes
    for i in range(sink.held):
        scale = sink.scales[sink.waiting[i]]
        codes = sink.codes + <int64_t>sink.waiting[i] * groups
        for j in range(groups):
            weights[(j << 8) + codes[j]] += scale
    sink.weighed = True
    sink.held = 0


cdef inline void add(float* total, const float* centre, float weight, int32_t group) noexcept nogil:
    cdef int32_t k
    if group == 8:
        for k in range(8):
            total[k] += weight * centre[k]
    else:
        for k in range(group):
            total[k] += weight * centre[k]


cdef void finish_sum(Sink* sink) noexcept nogil:
    """Sum what a text has: row by row where they are few, else each centroid once, times its weight."""
    cdef int32_t i, j, c, group = sink.group
    cdef int64_t row
    cdef float scale
    cdef const uint8_t* codes
    cdef const float* centre = sink.centroids
    look_up(sink)
    if not sink.weighed:
        for i in range(sink.held):
            row = sink.waiting[i]
            codes, scale = sink.codes + row * sink.groups, sink.scales[row]
            for j in range(sink.groups):
                add(sink.total + j * group, sink.centroids + ((j << 8) + codes[j]) * group, scale, group)
        sink.held = 0
        return
    weigh(sink)
    for j in range(sink.groups):
        for c in range(256):
            add(sink.total + j * group, centre, sink.weights[(j << 8) + c], group)
            centre += group
    memset(sink.weights, 0, sizeof(float) * 256 * sink.groups)
    sink.weighed = False


cdef inline void put(Sink* sink, uint64_t state) noexcept nogil:
    cdef uint64_t h = finish(state)
    cdef uint32_t key
    if sink.hashes != NULL:
        sink.hashes[sink.size] = h
        sink.size += 1
        return
    if sink.held == HELD:
        look_up(sink)
        weigh(sink)
    key = key_of(h)
    prefetch(sink.keys + slot_of(key, sink.mask))
    prefetch(sink.rows + slot_of(key, sink.mask))
    sink.waiting[sink.held] = key
    sink.held += 1


cdef inline void end_run(uint32_t* run, const uint32_t* marks, int64_t n, bint unspaced, Sink* sink) noexcept nogil:
    """Give the features of one run of characters: ``run[1]`` to ``run[n]``, room for an end mark on either side."""
    cdef int64_t i, j, first, last, least, most
    cdef uint64_t h
    if n == 0:
        return
    if unspaced:
        first, last = 1, n
    else:
        first, last = 0, n + 1
        run[0] = BEGIN
        run[n + 1] = END
    for i in range(first, last + 1):
        j = min(max(i, 1), n)
        least = (marks[j] >> LEAST_SHIFT) & 15
        most = min((marks[j] >> MOST_SHIFT) & 15, last + 1 - i)
        if most < least:
            continue
        h = 0
        for j in range(most):
            h = absorb(h, run[i + j])
            # The word as a whole is a feature of its own, below.
            if j + 1 >= least and not (i == first and i + j == last and not unspaced):
                put(sink, h)
    if not unspaced and n <= LONGEST_WORD:
        h = 0
        for i in range(n + 2):
            h = absorb(h, run[i])
        put(sink, h)


cdef void walk(const uint8_t* text, int64_t at, int64_t end, const uint32_t* folded, const uint16_t* marks,
               uint32_t* run, uint32_t* run_marks, Sink* sink) noexcept nogil:
    """Give the features of the text between two bytes."""
    cdef uint32_t c
    cdef uint32_t mark
    cdef int64_t n = 0
    cdef bint unspaced = False
    while at < end:
        c = next_char(text, &at)
        mark = marks[c]
        if mark & SKIPPED:
            continue
        if not mark & INSIDE:
            end_run(run, run_marks, n, unspaced, sink)
            n = 0
            continue
        if n and not mark & INHERITS and unspaced != ((mark & UNSPACED) != 0):
            end_run(run, run_marks, n, unspaced, sink)
            n = 0
        if n == 0:
            unspaced = (mark & UNSPACED) != 0
        n += 1
        run[n] = folded[c]
        run_marks[n] = mark
    end_run(run, run_marks, n, unspaced, sink)


def features(const int64_t[::1] offsets, const uint8_t[::1] data, const uint32_t[::1] folded,
             const uint16_t[::1] marks):
    """Return the features of n texts: starts (n + 1,) int64, and their hashes, uint64, one after the other.

    Args:
        offsets, data: the texts, as `glotmix.native.arrays.buffers` gives them.
        folded, marks: (0x110000,) what each code point is replaced by, and what it is.
    """
    cdef int64_t docs = offsets.shape[0] - 1, doc, longest = 0
    for doc in range(docs):
        longest = max(longest, offsets[doc + 1] - offsets[doc])
    cdef int64_t room = 16 * (longest + 3)
    starts = np.zeros(docs + 1, np.int64)
    cdef int64_t[::1] start = starts
    cdef uint64_t[::1] one = np.empty(room, np.uint64)
    cdef uint32_t* run = <uint32_t*>malloc(8 * (longest + 3))
    cdef Sink sink
    if run == NULL:
        raise MemoryError
    memset(&sink, 0, sizeof(Sink))
    sink.hashes = &one[0]
    found = []
    try:
        for doc in range(docs):
            sink.size = 0
            with nogil:
                walk(&data[0], offsets[doc], offsets[doc + 1], &folded[0], &marks[0], run, run + longest + 3, &sink)
            found.append(np.array(one[: sink.size]))
            start[doc + 1] = start[doc] + sink.size
    finally:
        free(run)
    return starts, np.concatenate(found) if found else np.empty(0, np.uint64)


def sums(const int64_t[::1] offsets, const uint8_t[::1] data, const uint32_t[::1] folded, const uint16_t[::1] marks,
         const uint32_t[::1] keys, const int32_t[::1] rows, const uint8_t[:, ::1] codes, const float[::1] scales,
         const float[:, :, ::1] centroids):
    """Return the sum of the vectors of each text's features, (n, width) float32; runs without the interpreter's lock.

    Args:
        offsets, data, folded, marks: as `features` takes them.
        keys, rows: the open-addressed table that `table` made.
        codes: (rows, groups) which centroid stands for each group of numbers of a vector.
        scales: (rows,) what a row is multiplied by.
        centroids: (groups, 256, numbers in a group).
    """
    cdef int64_t docs = offsets.shape[0] - 1, doc, longest = 0
    cdef int64_t width = centroids.shape[0] * centroids.shape[2]
    out = np.zeros((docs, width), np.float32)
    cdef float[:, ::1] totals = out
    cdef uint32_t* run
    cdef Sink sink
    if docs == 0 or codes.shape[0] == 0:
        return out
    for doc in range(docs):
        longest = max(longest, offsets[doc + 1] - offsets[doc])
    # The run, its marks, then the weights: words of four bytes, all.
    run = <uint32_t*>malloc(8 * (longest + 3) + sizeof(float) * 256 * centroids.shape[0])
    if run == NULL:
        raise MemoryError
    memset(&sink, 0, sizeof(Sink))
    sink.weights = <float*>(run + 2 * (longest + 3))
    memset(sink.weights, 0, sizeof(float) * 256 * centroids.shape[0])
    sink.keys, sink.rows, sink.mask = &keys[0], &rows[0], <uint32_t>(keys.shape[0] - 1)
    sink.codes, sink.scales, sink.centroids = &codes[0, 0], &scales[0], &centroids[0, 0, 0]
    sink.groups, sink.group = <int32_t>centroids.shape[0], <int32_t>centroids.shape[2]
    with nogil:
        for doc in range(docs):
            sink.total = &totals[doc, 0]
            walk(&data[0], offsets[doc], offsets[doc + 1], &folded[0], &marks[0], run, run + longest + 3, &sink)
            finish_sum(&sink)
    free(run)
    return out


def keys_of(const uint64_t[::1] hashes):
    """Return the keys, (n,) uint32, of features."""
    cdef int64_t i
    out = np.empty(hashes.shape[0], np.uint32)
    cdef uint32_t[::1] keys = out
    with nogil:
        for i in range(hashes.shape[0]):
            keys[i] = key_of(hashes[i])
    return out


def table(const uint32_t[::1] keys):
    """Return the open-addressed table of distinct keys: (slots,) uint32 keys and (slots,) int32 rows."""
    cdef int64_t n = keys.shape[0], i, slots = 2
    while slots < 2 * n:
        slots *= 2
    found, places = np.zeros(slots, np.uint32), np.zeros(slots, np.int32)
    cdef uint32_t[::1] slot_keys = found
    cdef int32_t[::1] slot_rows = places
    cdef uint32_t mask = <uint32_t>(slots - 1), slot
    with nogil:
        for i in range(n):
            slot = slot_of(keys[i], mask)
            while slot_keys[slot]:
                slot = (slot + 1) & mask
            slot_keys[slot] = keys[i]
            slot_rows[slot] = <int32_t>i
    return found, places


def rows_of(const uint32_t[::1] wanted, const uint32_t[::1] keys, const int32_t[::1] rows):
    """Return the row of each wanted key, (n,) int32, -1 for one that `keys` and `rows` (of `table`) do not hold."""
    cdef int64_t i
    out = np.empty(wanted.shape[0], np.int32)
    cdef int32_t[::1] found = out
    cdef uint32_t mask = <uint32_t>(keys.shape[0] - 1)
    with nogil:
        for i in range(wanted.shape[0]):
            found[i] = find(&keys[0], &rows[0], mask, wanted[i])
    return out
