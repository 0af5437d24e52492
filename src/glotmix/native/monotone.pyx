"""The cheapest way through two sequences in order: blocks of the one put beside blocks of the other, or skipped."""

from libc.math cimport INFINITY
from libc.stdint cimport int64_t, uint8_t
from libc.stdlib cimport free, malloc


def cheapest(moves, tables, float skip, int64_t n, int64_t m):
    """Fill the table of the monotone alignment (dynamic programming, as in Gale & Church 1993, section 3).

    Of moves that cost the same, the first is taken.

    Args:
        moves: (a, b), items of the one sequence and of the other that a move takes.
        tables: for each move its costs, (n − a + 1, m − b + 1) float32 without gaps, by the place where it begins;
            None for a move that costs `skip` everywhere.
        skip: that cost.
        n: items of the one sequence, at least one.
        m: items of the other, at least one.

    Returns:
        uint8 of (n + 1) · (m + 1): the number of the move that ends at each place, row after row.
    """
    cdef int64_t count = len(moves), width = m + 1, k, i, j, a, b
    cdef float best, here
    cdef uint8_t move
    cdef const float[:, ::1] view
    came = bytearray((n + 1) * width)
    cdef uint8_t[::1] back = came
    cdef float* total = <float*>malloc((n + 1) * width * sizeof(float))
    cdef const float** costs = <const float**>malloc(count * sizeof(void*))
    cdef int64_t* taken = <int64_t*>malloc(2 * count * sizeof(int64_t))
    try:
        if total is NULL or costs is NULL or taken is NULL:
            raise MemoryError
        for k in range(count):
            taken[2 * k], taken[2 * k + 1] = moves[k]
            costs[k] = NULL
            table = tables[k]
            if table is not None and table.size:
                view = table
                costs[k] = &view[0, 0]
        with nogil:
            for i in range(n + 1):
                for j in range(width):
                    best = 0 if i == 0 and j == 0 else INFINITY
                    move = 0
                    for k in range(count):
                        a = taken[2 * k]
                        b = taken[2 * k + 1]
                        if a > i or b > j:
                            continue
                        here = total[(i - a) * width + j - b]
                        here += skip if costs[k] is NULL else costs[k][(i - a) * (m - b + 1) + j - b]
                        if here < best:
                            best = here
                            move = <uint8_t>k
                    total[i * width + j] = best
                    back[i * width + j] = move
    finally:
        free(total)
        free(costs)
        free(taken)
    return came
