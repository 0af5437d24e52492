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
    """
    void prefetch "GLOTMIX_PREFETCH"(const void* p) noexcept nogil

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
        MemoryError: if there is no memory for one count per feature.
    """
    cdef int64_t doc, i, j, distinct
    cdef int64_t classes = weights.shape[1]
    cdef uint32_t state
    cdef int32_t feature
    cdef float weight
    cdef const float* row
    cdef float* score
    # Counts are per feature, and only those that a text touched are reset after it.
    cdef int32_t* counts = <int32_t*>calloc(weights.shape[0], sizeof(int32_t))
    cdef int32_t* touched = <int32_t*>malloc(weights.shape[0] * sizeof(int32_t))
    if counts == NULL or touched == NULL:
        free(counts)
        free(touched)
        raise MemoryError
    with nogil:
        for doc in range(scores.shape[0]):
            state = 0
            distinct = 0
            for i in range(offsets[doc], offsets[doc + 1]):
                state = moves[(<int64_t>rows[state] << 8) + data[i]]
                feature = features[state]
                if feature >= 0:
                    if counts[feature] == 0:
                        touched[distinct] = feature
                        distinct += 1
                    counts[feature] += 1
            score = &scores[doc, 0]
            for i in range(distinct):
                feature = touched[i]
                if i + 4 < distinct:
                    # The rows lie far apart, and each is fetched late without this.
                    for j in range(0, classes, 16):
                        prefetch(&weights[touched[i + 4], j])
                weight = log1pf(<float>counts[feature])
                counts[feature] = 0
                row = &weights[feature, 0]
                for j in range(classes):
                    score[j] += weight * row[j]
            found[doc] = distinct
        free(counts)
        free(touched)
