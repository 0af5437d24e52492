"""The automaton and the naive Bayes sum of langid models: features counted byte by byte, then weighed per class."""

from libc.math cimport log1pf
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t
from libc.stdlib cimport calloc, free, malloc

cdef extern from *:
    """
    #if defined(__GNUC__)
    #define GLOTMIX_PREFETCH(p) __builtin_prefetch(p)
    #else
    #define GLOTMIX_PREFETCH(p)
    #endif
    #define GLOTMIX_LANES 8
    """
    void prefetch "GLOTMIX_PREFETCH"(const void* p) noexcept nogil
    int LANES "GLOTMIX_LANES"

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
    cdef Lane[8] lanes
    cdef Lane* one
    cdef int32_t feature
    for i in range(n):
        longest = max(longest, offsets[i + 1] - offsets[i])
    cdef int32_t* counts = <int32_t*>calloc(weights.shape[0] + 1, sizeof(int32_t))
    cdef int32_t* emitted = <int32_t*>malloc((LANES * longest + 1) * sizeof(int32_t))
    if counts == NULL or emitted == NULL:
        free(counts)
        free(emitted)
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
                    feature = features[one.state]
                    if feature >= 0:
                        one.features[one.emitted] = feature
                        one.emitted += 1
                    lane += 1
                    continue
                found[one.text] = weigh(one, counts, weights, &scores[one.text, 0])
                if upcoming < n:
                    begin(one, upcoming, &offsets[0])
                    upcoming += 1
                else:
                    active -= 1
                    lanes[lane] = lanes[active]
        free(counts)
        free(emitted)


cdef inline void begin(Lane* lane, int64_t text, const int64_t* offsets) noexcept nogil:
    lane.text = text
    lane.at = offsets[text]
    lane.end = offsets[text + 1]
    lane.state = 0
    lane.emitted = 0


cdef int64_t weigh(Lane* lane, int32_t* counts, const float[:, ::1] weights, float* score) noexcept nogil:
    """Add the weights of a walked text's features to `score`; return how many different ones there are."""
    cdef int64_t i, j, distinct = 0
    cdef int64_t classes = weights.shape[1]
    cdef int32_t feature
    cdef float weight
    cdef const float* row
    for i in range(lane.emitted):
        feature = lane.features[i]
        if counts[feature] == 0:
            lane.features[distinct] = feature
            distinct += 1
        counts[feature] += 1
    for i in range(distinct):
        if i + 4 < distinct:
            for j in range(0, classes, 16):
                prefetch(&weights[lane.features[i + 4], j])
        feature = lane.features[i]
        weight = log1pf(<float>counts[feature])
        counts[feature] = 0
        row = &weights[feature, 0]
        for j in range(classes):
            score[j] += weight * row[j]
    return distinct
