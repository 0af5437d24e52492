"""Windows over the characters of texts: which of them stand in more than one place.

A window is a stretch of characters of at least `width` letters' weight; white space does not count, everything else is
taken as it stands. Of each window the smallest hash of a window of half its width within it is its *seed* (winnowing:
Schleimer, Wilkerson, Aiken 2003): two equal windows have equal seeds, and there are some 50 times fewer of them.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc

import numpy as np

from glotmix.native.folded cimport (
    CODE_BITS,
    DIGIT,
    HANGUL,
    POOL,
    Folding,
    Window,
    folding,
    mix,
    powers_of,
    push,
    value_of,
    window,
)
from glotmix.native.hashing cimport holds
from glotmix.native.utf8 cimport next_char


cdef inline bint is_space(uint32_t c) noexcept nogil:
    return (c <= 0x20 or 0x7F <= c <= 0xA0 or 0x2000 <= c <= 0x200B or 0x2028 <= c <= 0x2029 or c == 0x202F
            or c == 0x205F or c == 0x3000 or c == 0x1680 or c == 0xFEFF)


cdef int64_t characters(Folding* t, const uint8_t* data, int64_t at, int64_t end, uint32_t* units, int64_t* begins,
                        int64_t* ends) noexcept nogil:
    """Write a text's characters with their weights, and the bytes at which each begins and ends."""
    cdef int64_t n = 0, here
    cdef uint32_t c, v, weight
    while at < end:
        here = at
        c = next_char(data, &at)
        if is_space(c):
            continue
        v = value_of(t, c)
        weight = 1
        if v & POOL:
            # A character that folds to several weighs as the first of them does: a kana with its voicing.
            v ^= POOL
            v = t.pool[v + 1] if t.pool[v] > 0 else 0
        elif v & HANGUL:
            v, weight = 0, 2
        if v != 0 and v < DIGIT:
            weight = v >> CODE_BITS
        units[n] = c | (max(weight, 1) << CODE_BITS)
        begins[n] = here
        ends[n] = at
        n += 1
    return n


cdef int64_t longest(const int64_t[::1] offsets) noexcept:
    cdef int64_t i, most = 1
    for i in range(offsets.shape[0] - 1):
        most = max(most, offsets[i + 1] - offsets[i])
    return most


def seeds(const int64_t[::1] offsets, const uint8_t[::1] data, const uint16_t[::1] stage1, const uint32_t[::1] stage2,
          const uint32_t[::1] pool, int32_t width):
    """Return the seeds of all windows of n texts, (m,) uint64: one for each place that is the seed of any window.

    Args:
        offsets, data: n texts, as `glotmix.native.arrays.buffers` gives them.
        stage1, stage2, pool: the folding table.
        width: letters per window.
    """
    cdef Folding t = folding(stage1, stage2, pool)
    cdef int64_t room = longest(offsets), doc, n, j, head, tail, last, count = 0, held = 1024
    cdef uint32_t* units = <uint32_t*>malloc(room * sizeof(uint32_t))
    cdef int64_t* places = <int64_t*>malloc(3 * room * sizeof(int64_t))
    cdef uint64_t* values = <uint64_t*>malloc(room * sizeof(uint64_t))
    cdef uint64_t* powers = powers_of(width)
    cdef int64_t* queue
    cdef Window whole, half
    cdef uint64_t h, before
    made = np.empty(held, np.uint64)
    cdef uint64_t[::1] out = made
    try:
        if units == NULL or places == NULL or values == NULL:
            raise MemoryError(f"a text of {room} bytes")
        queue = places + 2 * room
        for doc in range(offsets.shape[0] - 1):
            with nogil:
                n = characters(&t, &data[0], offsets[doc], offsets[doc + 1], units, places, places + room)
            if count + n > held:
                held = 2 * (count + n)
                made = np.concatenate([made[:count], np.empty(held - count, np.uint64)])
                out = made
            with nogil:
                whole, half = window(units, powers, width), window(units, powers, width // 2)
                head, tail, last, before = 0, 0, -1, 0
                for j in range(n):
                    if push(&half, j):
                        # A queue of beginnings whose hashes increase: its head is the smallest of those within reach.
                        h = mix(half.hash)
                        while tail > head and values[tail - 1] > h:
                            tail -= 1
                        queue[tail], values[tail] = half.begin, h
                        tail += 1
                    if push(&whole, j):
                        while queue[head] < whole.begin:
                            head += 1
                        # Of letters that weigh more than one, two windows may begin at one place.
                        if queue[head] != last or values[head] != before:
                            last, before = queue[head], values[head]
                            out[count] = values[head]
                            count += 1
    finally:
        free(units)
        free(places)
        free(values)
        free(powers)
    return made[:count].copy()


def windows(const int64_t[::1] offsets, const uint8_t[::1] data, const uint16_t[::1] stage1,
            const uint32_t[::1] stage2, const uint32_t[::1] pool, int32_t width, const uint64_t[::1] known):
    """Return the windows that hold a known seed.

    Args:
        offsets, data, stage1, stage2, pool, width: as `seeds` takes them.
        known: seeds, as `glotmix.native.overlap.table_of` arranges them.

    Returns:
        for each window, in order: its hash (uint64), the text, the bytes of it at which the window begins and ends.
    """
    cdef Folding t = folding(stage1, stage2, pool)
    cdef int64_t room = longest(offsets), doc, n, j, latest, count = 0, held = 1024
    cdef uint32_t* units = <uint32_t*>malloc(room * sizeof(uint32_t))
    cdef int64_t* places = <int64_t*>malloc(2 * room * sizeof(int64_t))
    cdef uint64_t* powers = powers_of(width)
    cdef Window whole, half
    grown = [np.empty(held, np.uint64), *(np.empty(held, np.int64) for _ in range(3))]
    cdef uint64_t[::1] hashes = grown[0]
    cdef int64_t[::1] texts = grown[1]
    cdef int64_t[::1] begins = grown[2]
    cdef int64_t[::1] ends = grown[3]
    cdef uint64_t last = known.shape[0] - 1
    try:
        if units == NULL or places == NULL:
            raise MemoryError(f"a text of {room} bytes")
        for doc in range(offsets.shape[0] - 1):
            with nogil:
                n = characters(&t, &data[0], offsets[doc], offsets[doc + 1], units, places, places + room)
            if count + n > held:
                held = 2 * (count + n)
                grown = [np.concatenate([a[:count], np.empty(held - count, a.dtype)]) for a in grown]
                hashes, texts, begins, ends = grown
            with nogil:
                whole, half = window(units, powers, width), window(units, powers, width // 2)
                latest = -1
                for j in range(n):
                    if push(&half, j) and holds(&known[0], last, mix(half.hash)):
                        latest = half.begin
                    if push(&whole, j) and latest >= whole.begin:
                        hashes[count] = mix(whole.hash)
                        texts[count] = doc
                        begins[count] = places[whole.begin] - offsets[doc]
                        ends[count] = places[room + j] - offsets[doc]
                        count += 1
    finally:
        free(units)
        free(places)
        free(powers)
    return tuple(a[:count].copy() for a in grown)
