"""The automaton and the naive Bayes sum of langid models: features counted byte by byte, then weighed per class."""

from libc.math cimport log1pf
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc

import numpy as np

from glotmix.native.hashing cimport finish, holds
from glotmix.native.utf8 cimport next_char

cdef extern from *:
    """
    #include <stdint.h>
    #if defined(__GNUC__)
    #define GLOTMIX_PREFETCH(p) __builtin_prefetch(p)
    #else
    #define GLOTMIX_PREFETCH(p)
    #endif
    #define GLOTMIX_LANES 16
    #define GLOTMIX_TILE 72
    #define GLOTMIX_AHEAD 4
    /* Wider registers where the processor has them, nine of them for as many columns as they hold. Where the last
       columns are fewer, those before them are summed once more, and not kept. Without fused multiplication: the sums
       are the same bits. */
    #if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__gnu_linux__)
    __attribute__((target_clones("avx2", "default")))
    #endif
    static void glotmix_add(float* score, const float* weights, int64_t classes, const int32_t* features,
                            const float* factors, int64_t n) {
        float sums[GLOTMIX_TILE];
        int64_t at, first, i, k;
        if (classes < GLOTMIX_TILE) {
            for (i = 0; i < n; i++) {
                const float* row = weights + features[i] * classes;
                for (k = 0; k < classes; k++) score[k] += factors[i] * row[k];
            }
            return;
        }
        for (at = 0; at < classes; at += GLOTMIX_TILE) {
            first = at + GLOTMIX_TILE <= classes ? at : classes - GLOTMIX_TILE;
            const float* column = weights + first;
            for (k = 0; k < GLOTMIX_TILE; k++) sums[k] = score[first + k];
            for (i = 0; i < n; i++) {
                const float* row = column + features[i] * classes;
                if (i + GLOTMIX_AHEAD < n) {
                    const float* later = column + features[i + GLOTMIX_AHEAD] * classes;
                    for (k = 0; k < GLOTMIX_TILE; k += 16) GLOTMIX_PREFETCH(later + k);
                }
                for (k = 0; k < GLOTMIX_TILE; k++) sums[k] += factors[i] * row[k];
            }
            for (k = at - first; k < GLOTMIX_TILE; k++) score[first + k] = sums[k];
        }
    }
    """
    void add "glotmix_add"(
        float* score, const float* weights, int64_t classes, const int32_t* features, const float* factors, int64_t n
    ) noexcept nogil
    int LANES "GLOTMIX_LANES"

cdef enum:
    KNOWN = 256

# The logarithms that nearly every text asks for: log(1 + count).
cdef float[KNOWN] LOGS
cdef int _count
for _count in range(KNOWN):
    LOGS[_count] = log1pf(<float>_count)

cdef struct Lanes:
    # Texts that are walked at once: where each is, its end, its state, where its states go, and where these began.
    const uint8_t* at[16]
    const uint8_t* end[16]
    uint32_t state[16]
    int32_t* out[16]
    int32_t* states[16]
    int64_t text[16]
    int active


def score_features(
    const int64_t[::1] offsets,
    const uint8_t[::1] data,
    const uint32_t[::1] moves,
    const uint16_t[::1] rows,
    const int32_t[::1] features,
    const float[:, ::1] weights,
    float[:, ::1] scores,
    int64_t[::1] found,
):
    """Add to each text's class scores the sum over its features f of log(1 + count of f) × weights[f].

    Args:
        offsets: (n + 1,) int64, as in an Arrow large_string array.
        data: the UTF-8 bytes of all texts.
        moves: next states: that of state s on byte b stands at 256 × rows[s] + b; the walk begins in state 0.
        rows: (states,) which row of `moves` a state uses.
        features: (states,) the feature that is complete in a state, -1 for none.
        weights: (features, classes) log probabilities.
        scores: (n, classes), the log priors.
        found: (n,) receives the number of different features of each text.

    Raises:
        MemoryError: if there is no memory for the counts.
    """
    cdef int64_t n = scores.shape[0]
    cdef int64_t longest = 0, i, upcoming = 0
    cdef int lane
    cdef Lanes lanes
    for i in range(n):
        longest = max(longest, offsets[i + 1] - offsets[i])
    # One more before the counts: that of states without a feature.
    cdef int32_t* counts = <int32_t*>calloc(weights.shape[0] + 1, sizeof(int32_t))
    cdef int32_t* emitted = <int32_t*>malloc((LANES * (longest + 1)) * sizeof(int32_t))
    cdef float* factors = <float*>malloc((longest + 1) * sizeof(float))
    if counts == NULL or emitted == NULL or factors == NULL:
        free(counts)
        free(emitted)
        free(factors)
        raise MemoryError
    with nogil:
        # Each step waits for a load from a table far larger than the caches. Texts do not depend on each other, so
        # several are walked at once, a byte each in turn, and their loads overlap.
        lanes.active = 0
        while upcoming < n and lanes.active < LANES:
            lanes.states[lanes.active] = emitted + lanes.active * (longest + 1)
            begin(&lanes, lanes.active, upcoming, &offsets[0], &data[0])
            upcoming += 1
            lanes.active += 1
        while lanes.active > 0:
            walk(&lanes, &moves[0], &rows[0])
            lane = 0
            while lane < lanes.active:
                if lanes.at[lane] < lanes.end[lane]:
                    lane += 1
                    continue
                i = lanes.text[lane]
                found[i] = weigh(
                    lanes.states[lane], lanes.out[lane] - lanes.states[lane], counts + 1, &features[0], weights,
                    factors, &scores[i, 0],
                )
                if upcoming < n:
                    begin(&lanes, lane, upcoming, &offsets[0], &data[0])
                    upcoming += 1
                else:
                    lanes.active -= 1
                    exchange(&lanes, lane, lanes.active)
        free(counts)
        free(emitted)
        free(factors)


cdef inline void begin(Lanes* lanes, int lane, int64_t text, const int64_t* offsets, const uint8_t* data) noexcept nogil:
    lanes.text[lane] = text
    lanes.at[lane] = data + offsets[text]
    lanes.end[lane] = data + offsets[text + 1]
    lanes.state[lane] = 0
    lanes.out[lane] = lanes.states[lane]


cdef inline void exchange(Lanes* lanes, int lane, int other) noexcept nogil:
    """Put another lane in the place of one that is done; the memory of that one is free."""
    lanes.text[lane] = lanes.text[other]
    lanes.at[lane] = lanes.at[other]
    lanes.end[lane] = lanes.end[other]
    lanes.state[lane] = lanes.state[other]
    lanes.out[lane] = lanes.out[other]
    lanes.states[lane], lanes.states[other] = lanes.states[other], lanes.states[lane]


cdef void walk(Lanes* lanes, const uint32_t* moves, const uint16_t* rows) noexcept nogil:
    """Go on with all lanes until the first of them is at its end."""
    cdef int64_t steps = lanes.end[0] - lanes.at[0], step
    cdef int lane
    # Copies that nothing else points to: the compiler keeps them in registers.
    cdef const uint8_t* at[16]
    cdef int32_t* out[16]
    cdef uint32_t state[16]
    for lane in range(lanes.active):
        steps = min(steps, lanes.end[lane] - lanes.at[lane])
        at[lane] = lanes.at[lane]
        out[lane] = lanes.out[lane]
        state[lane] = lanes.state[lane]
    if lanes.active == LANES:
        # As nearly always: a loop of a fixed number of turns is none.
        for step in range(steps):
            for lane in range(LANES):
                state[lane] = moves[(<int64_t>rows[state[lane]] << 8) + at[lane][step]]
                out[lane][step] = state[lane]
    else:
        for step in range(steps):
            for lane in range(lanes.active):
                state[lane] = moves[(<int64_t>rows[state[lane]] << 8) + at[lane][step]]
                out[lane][step] = state[lane]
    for lane in range(lanes.active):
        lanes.at[lane] += steps
        lanes.out[lane] += steps
        lanes.state[lane] = state[lane]


cdef int64_t weigh(
    int32_t* states, int64_t size, int32_t* counts, const int32_t* complete, const float[:, ::1] weights,
    float* factors, float* score,
) noexcept nogil:
    """Add the weights of a walked text's features to `score`; return how many different ones there are."""
    cdef int64_t i, distinct = 0
    cdef int32_t feature, count
    for i in range(size):
        feature = complete[states[i]]
        count = counts[feature]
        # Every feature is written behind the last different one, and stays there if it is one: without a branch, for
        # whether a feature is new cannot be foretold.
        states[distinct] = feature
        distinct += (count == 0) & (feature >= 0)
        counts[feature] = count + 1
    counts[-1] = 0
    for i in range(distinct):
        feature = states[i]
        count = counts[feature]
        factors[i] = LOGS[count] if count < KNOWN else log1pf(<float>count)
        counts[feature] = 0
    if distinct:
        add(score, &weights[0, 0], weights.shape[1], states, factors, distinct)
    return distinct


cdef enum:
    # What `careful` is told of a code point.
    CHANGES = 1
    CAPITAL = 2
    SMALL = 4
    JOINS = 8
    MARK = 16
    DECOMPOSES = 32


cdef inline uint64_t pair_of(uint64_t first, uint64_t second) noexcept nogil:
    return finish(first << 21 | second)


def careful(
    const int64_t[::1] offsets,
    const uint8_t[::1] data,
    const uint8_t[::1] classes,
    const uint8_t[::1] marks,
    const uint64_t[::1] pairs,
    uint8_t[::1] out,
):
    """Say which texts are all capitals, or perhaps not in NFC.

    The quick check of Unicode standard annex 15, but for what it leaves open: whether a character joins the one that it
    stands behind. Here it is looked up whether there is a character that is made of the two.

    Args:
        offsets: (n + 1,) int64, as in an Arrow large_string array.
        data: the UTF-8 bytes of all texts.
        classes: (0x110000,) bits of each code point: 1, not in NFC by itself, or a letter of Hangul that joins; 2, a
            capital; 4, a small or a title letter; 8, joins some character before it; 16, of a combining class not 0;
            32, made of others, which a mark behind it may come between.
        marks: (0x110000,) canonical combining classes.
        pairs: the hashes of the pairs that are joined (`pairs_of`), as `overlap.table_of` arranges them.
        out: (n,) receives 1 for such a text, else 0.
    """
    cdef int64_t doc, at, end
    cdef uint32_t char, starter
    cdef uint8_t seen, before, mark, kind
    with nogil:
        for doc in range(out.shape[0]):
            at = offsets[doc]
            end = offsets[doc + 1]
            seen = 0
            before = 0
            starter = 0
            while at < end:
                char = next_char(&data[0], &at)
                kind = classes[char]
                seen |= kind
                if kind & JOINS and (
                    classes[starter] & DECOMPOSES or holds(&pairs[0], pairs.shape[0] - 1, pair_of(starter, char))
                ):
                    seen |= CHANGES
                if kind & MARK:
                    mark = marks[char]
                    if before > mark:
                        seen |= CHANGES
                    before = mark
                else:
                    before = 0
                    starter = char
            out[doc] = (seen & CHANGES) or (seen & (CAPITAL | SMALL)) == CAPITAL


def pairs_of(const uint32_t[::1] first, const uint32_t[::1] second):
    """Return the hashes of pairs of code points, (n,) uint64, as `careful` looks them up."""
    cdef int64_t i
    out = np.empty(first.shape[0], np.uint64)
    cdef uint64_t[::1] hashes = out
    for i in range(first.shape[0]):
        hashes[i] = pair_of(first[i], second[i])
    return out
