"""The automaton and the naive Bayes sum of langid models: features counted byte by byte, then weighed per class."""

from libc.math cimport log1pf
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t
from libc.stdlib cimport calloc, free, malloc

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
    #define GLOTMIX_TILE 32
    #define GLOTMIX_AHEAD 4
    /* Wider registers where the processor has them. Without fused multiplication: the sums are the same bits. */
    #if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__gnu_linux__)
    __attribute__((target_clones("avx2", "default")))
    #endif
    static void glotmix_add(float* score, const float* weights, int64_t classes, const int32_t* features,
                            const float* factors, int64_t n) {
        float sums[GLOTMIX_TILE];
        int64_t at, i, k;
        for (at = 0; at < classes; at += GLOTMIX_TILE) {
            const float* column = weights + at;
            if (classes - at < GLOTMIX_TILE) {
                for (i = 0; i < n; i++) {
                    const float* row = column + features[i] * classes;
                    for (k = 0; k < classes - at; k++) score[at + k] += factors[i] * row[k];
                }
                return;
            }
            for (k = 0; k < GLOTMIX_TILE; k++) sums[k] = score[at + k];
            for (i = 0; i < n; i++) {
                const float* row = column + features[i] * classes;
                if (i + GLOTMIX_AHEAD < n) {
                    const float* later = column + features[i + GLOTMIX_AHEAD] * classes;
                    GLOTMIX_PREFETCH(later);
                    GLOTMIX_PREFETCH(later + GLOTMIX_TILE / 2);
                }
                for (k = 0; k < GLOTMIX_TILE; k++) sums[k] += factors[i] * row[k];
            }
            for (k = 0; k < GLOTMIX_TILE; k++) score[at + k] = sums[k];
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

cdef struct Lane:
    int64_t text
    int64_t at
    int64_t end
    int64_t emitted
    uint32_t state
    int32_t* features


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
    cdef int lane, active = 0
    cdef Lane[16] lanes
    cdef Lane* one
    for i in range(n):
        longest = max(longest, offsets[i + 1] - offsets[i])
    cdef int32_t* counts = <int32_t*>calloc(weights.shape[0] + 1, sizeof(int32_t))
    cdef int32_t* emitted = <int32_t*>malloc((LANES * longest + 1) * sizeof(int32_t))
    cdef float* factors = <float*>malloc((longest + 1) * sizeof(float))
    if counts == NULL or emitted == NULL or factors == NULL:
        free(counts)
        free(emitted)
        free(factors)
        raise MemoryError
    with nogil:
        # Each step waits for a load from a table far larger than the caches. Texts do not depend on each other, so
        # several are walked at once, a byte each in turn, and their loads overlap.
        while upcoming < n and active < LANES:
            lanes[active].features = &emitted[active * longest]
            begin(&lanes[active], upcoming, &offsets[0])
            upcoming += 1
            active += 1
        while active > 0:
            lane = 0
            while lane < active:
                one = &lanes[lane]
                if one.at < one.end:
                    one.state = moves[(<int64_t>rows[one.state] << 8) + data[one.at]]
                    one.at += 1
                    one.features[one.emitted] = one.state
                    one.emitted += 1
                    lane += 1
                    continue
                found[one.text] = weigh(one, counts, &features[0], weights, factors, &scores[one.text, 0])
                if upcoming < n:
                    begin(one, upcoming, &offsets[0])
                    upcoming += 1
                else:
                    active -= 1
                    lanes[lane] = lanes[active]
        free(counts)
        free(emitted)
        free(factors)


cdef inline void begin(Lane* lane, int64_t text, const int64_t* offsets) noexcept nogil:
    lane.text = text
    lane.at = offsets[text]
    lane.end = offsets[text + 1]
    lane.state = 0
    lane.emitted = 0


cdef int64_t weigh(Lane* lane, int32_t* counts, const int32_t* complete, const float[:, ::1] weights, float* factors, float* score) noexcept nogil:
    """Add the weights of a walked text's features to `score`; return how many different ones there are."""
    cdef int64_t i, distinct = 0
    cdef int32_t feature, count
    for i in range(lane.emitted):
        feature = complete[lane.features[i]]
        if feature < 0:
            continue
        if counts[feature] == 0:
            lane.features[distinct] = feature
            distinct += 1
        counts[feature] += 1
    for i in range(distinct):
        feature = lane.features[i]
        count = counts[feature]
        factors[i] = LOGS[count] if count < KNOWN else log1pf(<float>count)
        counts[feature] = 0
    if distinct:
        add(score, &weights[0, 0], weights.shape[1], lane.features, factors, distinct)
    return distinct


def careful(
    const int64_t[::1] offsets,
    const uint8_t[::1] data,
    const uint8_t[::1] classes,
    const uint8_t[::1] marks,
    uint8_t[::1] out,
):
    """Say which texts are all capitals, or perhaps not in NFC (the quick check of Unicode standard annex 15).

    Args:
        offsets: (n + 1,) int64, as in an Arrow large_string array.
        data: the UTF-8 bytes of all texts.
        classes: (0x110000,) bits of each code point: 1, may change or join what stands before; 2, a capital; 4, a small
            or a title letter.
        marks: (0x110000,) canonical combining classes.
        out: (n,) receives 1 for such a text, else 0.
    """
    cdef int64_t doc, at, end
    cdef uint32_t char
    cdef uint8_t seen, before, mark
    with nogil:
        for doc in range(out.shape[0]):
            at = offsets[doc]
            end = offsets[doc + 1]
            seen = 0
            before = 0
            while at < end:
                char = next_char(&data[0], &at)
                seen |= classes[char]
                mark = marks[char]
                if mark and before > mark:
                    seen |= 1
                before = mark
            out[doc] = (seen & 1) or (seen & 6) == 2
