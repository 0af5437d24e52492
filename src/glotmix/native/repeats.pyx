"""What repeats in a text: its n-grams of units, its lines, its paragraphs.

An n-gram that repeats begins with an (n - 1)-gram that repeats at the same places. So n-grams are numbered length by
length, as pairs of the number of their beginning and that of their last unit, and only the places that still repeat
go on to the next length: no n-gram is ever hashed whole, equal numbers mean equal n-grams (as far as the units'
64-bit hashes are distinct), and ordinary prose has hardly a place left after four words.
"""

from libc.math cimport log2
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memset

import numpy as np

FIELDS = (
    "distinct", "top_2", "top_3", "top_4", "again_5", "again_6", "again_7", "again_8", "again_9", "again_10",
    "top_long", "five_long",
)  # fmt: skip

cdef enum:
    LONG = 4          # letters of a word that says what a text is about
    TOP_LONG = 10
    FIVE_LONG = 11
    KEPT = 64

cdef struct Table:
    # Open-addressed hash table from a key to its number in the order of first sight; a key is never 0.
    uint64_t* keys
    int32_t* numbers
    int bits
    int32_t size


cdef inline void clear(Table* table, int64_t entries) noexcept nogil:
    table.bits = 4
    while (<int64_t>1 << table.bits) < 2 * entries:
        table.bits += 1
    table.size = 0
    memset(table.keys, 0, sizeof(uint64_t) << table.bits)


cdef inline int32_t number_of(Table* table, uint64_t key) noexcept nogil:
    """Return the number of `key`; a new key gets the next one, so that ``table.size`` grows."""
    cdef uint64_t mask = (<uint64_t>1 << table.bits) - 1
    cdef uint64_t slot = (key * <uint64_t>0x9E3779B97F4A7C15) >> (64 - table.bits)
    while table.keys[slot]:
        if table.keys[slot] == key:
            return table.numbers[slot]
        slot = (slot + 1) & mask
    table.keys[slot] = key
    table.numbers[slot] = table.size
    table.size += 1
    return table.size - 1


def repeats(
    const int64_t[::1] starts, const uint64_t[::1] hashes, const int32_t[::1] chars, const int32_t[::1] grain,
    int64_t[:, ::1] out, double[::1] entropy,
):  # fmt: skip
    """Measure the repetition of units.

    Args:
        starts: (n + 1,) int64, where the units of each text begin.
        hashes, chars: 64-bit hash and length in characters of each unit.
        grain: (n,) int32 >= 1, units per word: a "k-gram" of a text is k * grain units.
        out: (n, len(FIELDS)) int64, zeroes: distinct units; ``top_k``, the most characters that one repeated k-gram
            holds (occurrences that do not overlap, from left to right); ``again_k``, characters inside a k-gram that
            stood before, each counted once; ``top_long``, how often the most frequent unit of at least four characters
            stands there, and ``five_long`` the five most frequent ones together.
        entropy: (n,) float64: Shannon entropy of the units, in bits; 0 for a text without units.
    """
    cdef int64_t n = grain.shape[0]
    cdef int64_t longest = int(np.diff(starts).max(initial=0))
    cdef int64_t[::1] prefix = np.zeros(longest + 1, np.int64)
    cdef int64_t[::1] mass = np.empty(longest + 1, np.int64)
    cdef int32_t[::1] unit = np.empty(longest + 1, np.int32)
    cdef int32_t[::1] gram = np.empty(longest + 1, np.int32)
    cdef int32_t[::1] place = np.empty(longest + 1, np.int32)
    cdef int32_t[::1] count = np.empty(longest + 1, np.int32)
    cdef int32_t[::1] free_at = np.empty(longest + 1, np.int32)
    cdef int32_t[::1] wide = np.empty(longest + 1, np.int32)
    cdef int32_t most[5]
    cdef int32_t here
    cdef int k
    cdef uint64_t[::1] keys = np.empty(max(16, 4 * longest), np.uint64)
    cdef int32_t[::1] numbers = np.empty(max(16, 4 * longest), np.int32)
    cdef Table table = Table(&keys[0], &numbers[0], 4, 0)
    cdef int64_t doc, i, first, size, places, left, p, covered, total, best
    cdef int32_t length, words, number
    cdef double share, bits
    # Most units stand once, twice, thrice: what that adds to the entropy of a text of so many units.
    cdef double kept[KEPT]
    cdef int64_t kept_of[KEPT]
    memset(kept_of, 0, sizeof(kept_of))
    with nogil:
        for doc in range(n):
            first = starts[doc]
            size = starts[doc + 1] - first
            clear(&table, size)
            memset(&count[0], 0, size * sizeof(int32_t))
            for i in range(size):
                prefix[i + 1] = prefix[i] + chars[first + i]
                # The lowest bit is given up so that no key is 0.
                number = number_of(&table, hashes[first + i] | 1)
                count[number] += 1
                wide[number] = chars[first + i]
                unit[i] = number
                gram[i] = number
                place[i] = <int32_t>i
            out[doc, 0] = table.size
            bits = 0
            for i in range(table.size):
                number = count[i]
                if number >= KEPT:
                    share = <double>number / size
                    bits -= share * log2(share)
                    continue
                if kept_of[number] != size:
                    share = <double>number / size
                    kept_of[number] = size
                    kept[number] = share * log2(share)
                bits -= kept[number]
            entropy[doc] = bits
            memset(most, 0, sizeof(most))
            for i in range(table.size):
                if wide[i] >= LONG and count[i] > most[4]:
                    here = count[i]
                    k = 4
                    while k > 0 and most[k - 1] < here:
                        most[k] = most[k - 1]
                        k -= 1
                    most[k] = here
            out[doc, TOP_LONG] = most[0]
            out[doc, FIVE_LONG] = most[0] + most[1] + most[2] + most[3] + most[4]

            places = size
            for length in range(2, 10 * grain[doc] + 1):
                left = 0
                for i in range(places):
                    if count[gram[i]] > 1 and place[i] + length <= size:
                        gram[left] = gram[i]
                        place[left] = place[i]
                        left += 1
                places = left
                if places < 2:
                    break
                # Nothing is measured between whole words, nor of one word alone.
                words = length // grain[doc] if length % grain[doc] == 0 and length > grain[doc] else 0
                clear(&table, places)
                memset(&count[0], 0, places * sizeof(int32_t))
                if 2 <= words <= 4:
                    memset(&mass[0], 0, places * sizeof(int64_t))
                    memset(&free_at[0], 0, places * sizeof(int32_t))
                covered = 0
                total = 0
                for i in range(places):
                    p = place[i]
                    number = number_of(&table, (<uint64_t>(gram[i] + 1) << 32) | <uint64_t>unit[p + length - 1])
                    gram[i] = number
                    if 2 <= words <= 4:
                        if p >= free_at[number]:
                            mass[number] += prefix[p + length] - prefix[p]
                            free_at[number] = <int32_t>(p + length)
                    elif words and count[number]:
                        total += prefix[p + length] - prefix[max(p, covered)]
                        covered = p + length
                    count[number] += 1
                if 2 <= words <= 4:
                    best = 0
                    for i in range(table.size):
                        if count[i] > 1:
                            best = max(best, mass[i])
                    out[doc, words - 1] = best
                elif words:
                    out[doc, words - 1] = total


def again(
    const int64_t[::1] starts, const uint64_t[::1] hashes, const int32_t[::1] chars, int64_t[:, ::1] out
):  # fmt: skip
    """Count the pieces (lines, paragraphs) of each text that stood in it before.

    Args:
        starts, hashes, chars: the pieces, as in `repeats`.
        out: (n, 2) int64: how many such pieces, and their characters.
    """
    cdef int64_t n = starts.shape[0] - 1
    cdef int64_t longest = int(np.diff(starts).max(initial=0))
    cdef uint64_t[::1] keys = np.empty(max(16, 4 * longest), np.uint64)
    cdef int32_t[::1] numbers = np.empty(max(16, 4 * longest), np.int32)
    cdef Table table = Table(&keys[0], &numbers[0], 4, 0)
    cdef int64_t doc, i, pieces, length
    cdef int32_t seen
    with nogil:
        for doc in range(n):
            pieces = 0
            length = 0
            if starts[doc + 1] - starts[doc] > 1:
                clear(&table, starts[doc + 1] - starts[doc])
                for i in range(starts[doc], starts[doc + 1]):
                    seen = table.size
                    number_of(&table, hashes[i] | 1)
                    if table.size == seen:
                        pieces += 1
                        length += chars[i]
            out[doc, 0] = pieces
            out[doc, 1] = length
