"""Which candidates are near-duplicates: pairs within a bucket, checked until the bucket's clusters are known.

A bucket holds the documents that share the key of one band. A pair that is already connected is not compared again,
so a bucket of n copies costs n comparisons; the clusters are the same as if every pair had been compared.
"""

from libc.stdint cimport int64_t, uint8_t, uint64_t


cdef int64_t find(int64_t* parent, int64_t x) noexcept nogil:
    while parent[x] != x:
        parent[x] = parent[parent[x]]
        x = parent[x]
    return x


cdef inline void join(int64_t* parent, int64_t a, int64_t b) noexcept nogil:
    # The smaller number becomes the root, so a label is the smallest member.
    if a < b:
        parent[b] = a
    else:
        parent[a] = b


cdef double similarity(const int64_t* starts, const uint64_t* hashes, int64_t a, int64_t b,
                       double threshold) noexcept nogil:
    """Return |A ∩ B| / |A ∪ B| of two sorted sets, or 0 as soon as their sizes alone keep it under `threshold`."""
    cdef int64_t i = starts[a], j = starts[b], iend = starts[a + 1], jend = starts[b + 1]
    cdef int64_t n = iend - i, m = jend - j, both = 0
    cdef uint64_t x, y
    if min(n, m) < threshold * max(n, m):
        return 0
    while i < iend and j < jend:
        x = hashes[i]
        y = hashes[j]
        both += x == y
        i += x <= y
        j += y <= x
    return <double>both / <double>(n + m - both)


cdef double guess(const uint8_t* a, const uint8_t* b, int64_t m) noexcept nogil:
    """Return the estimate of b-bit MinHash (Li and König 2010), here with b = 8: chance agreement taken out."""
    cdef int64_t k, same = 0
    for k in range(m):
        same += a[k] == b[k]
    return max(0.0, (<double>same / m - 1.0 / 256) / (1 - 1.0 / 256))


cdef struct Tally:
    int64_t compared
    int64_t linked
    int64_t skipped


cdef struct Evidence:
    const int64_t* starts
    const uint64_t* hashes
    const uint8_t* sketch
    int64_t bins
    double threshold


cdef void bucket(const int64_t* members, int64_t n, Evidence* e, int64_t cap, int64_t* parent,
                 Tally* t) noexcept nogil:
    cdef int64_t i, j, a, b
    cdef double s
    for i in range(1, n):
        for j in range(min(i, cap)):
            a = find(parent, members[i])
            b = find(parent, members[j])
            if a == b:
                continue
            t.compared += 1
            if e.sketch == NULL:
                s = similarity(e.starts, e.hashes, members[i], members[j], e.threshold)
            else:
                s = guess(e.sketch + members[i] * e.bins, e.sketch + members[j] * e.bins, e.bins)
            if s >= e.threshold:
                t.linked += 1
                join(parent, a, b)
        if i > cap and find(parent, members[i]) != find(parent, members[0]):
            t.skipped += i - cap


cdef Tally buckets(const int64_t[:, ::1] keys, const int64_t[:, ::1] order, Evidence* e, int64_t cap,
                   int64_t[::1] labels):
    cdef Tally t
    cdef int64_t band, begin, end, i, n = labels.shape[0]
    t.compared = t.linked = t.skipped = 0
    with nogil:
        for i in range(n):
            labels[i] = i
        for band in range(keys.shape[0]):
            begin = 0
            while begin < n:
                end = begin + 1
                while end < n and keys[band, order[band, end]] == keys[band, order[band, begin]]:
                    end += 1
                bucket(&order[band, begin], end - begin, e, cap, &labels[0], &t)
                begin = end
        for i in range(n):
            labels[i] = find(&labels[0], i)
    return t


def link_sets(const int64_t[:, ::1] keys, const int64_t[:, ::1] order, const int64_t[::1] starts,
              const uint64_t[::1] hashes, double threshold, int64_t cap, int64_t[::1] labels):
    """Cluster n documents by the exact Jaccard similarity of their shingle sets.

    Args:
        keys: (bands, n) the key of each band.
        order: (bands, n) the documents sorted by that key; equal keys in the order of the documents.
        starts, hashes: their sets, as `glotmix.native.shingles.shingle_sets` gives them.
        threshold: pairs of at least this similarity are linked.
        cap: in a bucket, only the first `cap` documents are compared with all others that they are not yet
            connected to.
        labels: (n,) the smallest member of each document's cluster, out.

    Returns:
        pairs compared, pairs linked, and how many pairs at most the cap left out.
    """
    cdef Evidence e
    e.starts, e.hashes, e.sketch, e.bins, e.threshold = &starts[0], &hashes[0], NULL, 0, threshold
    t = buckets(keys, order, &e, cap, labels)
    return t.compared, t.linked, t.skipped


def link_sketches(const int64_t[:, ::1] keys, const int64_t[:, ::1] order, const uint8_t[:, ::1] sketch,
                  double threshold, int64_t cap, int64_t[::1] labels):
    """Do as `link_sets` by the similarity that (n, bins) sketches estimate."""
    cdef Evidence e
    e.starts, e.hashes, e.sketch, e.bins, e.threshold = NULL, NULL, &sketch[0, 0], sketch.shape[1], threshold
    t = buckets(keys, order, &e, cap, labels)
    return t.compared, t.linked, t.skipped


def jaccard(const int64_t[::1] starts, const uint64_t[::1] hashes, const int64_t[::1] left,
            const int64_t[::1] right, double[::1] out):
    """Write the exact Jaccard similarity of pairs of sets into `out`."""
    cdef int64_t i
    with nogil:
        for i in range(out.shape[0]):
            out[i] = similarity(&starts[0], &hashes[0], left[i], right[i], 0)


def estimate(const uint8_t[:, ::1] sketch, const int64_t[::1] left, const int64_t[::1] right, double[::1] out):
    """Write the estimated Jaccard similarity of pairs of sketches into `out`."""
    cdef int64_t i
    with nogil:
        for i in range(out.shape[0]):
            out[i] = guess(&sketch[left[i], 0], &sketch[right[i], 0], sketch.shape[1])
