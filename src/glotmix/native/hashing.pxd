# A running 64-bit hash: `absorb` one value after the other, then `finish`.
from libc.stdint cimport uint64_t


cdef inline uint64_t absorb(uint64_t h, uint64_t value) noexcept nogil:
    # Any odd multiplier serves; this is 2^64 divided by the golden ratio. The addend makes leading zeroes count.
    return ((h + <uint64_t>0x165667B19E3779F9) ^ value) * <uint64_t>0x9E3779B97F4A7C15


cdef inline uint64_t finish(uint64_t h) noexcept nogil:
    h ^= h >> 32
    h *= <uint64_t>0xD6E8FEB86659FD93
    return h ^ (h >> 32)


cdef inline bint holds(const uint64_t* table, uint64_t last, uint64_t h) noexcept nogil:
    """Say whether a hash stands in a table as `overlap.table_of` makes it: `last` is the number of its last cell."""
    cdef uint64_t cell = h & last
    while table[cell] != 0:
        if table[cell] == h:
            return True
        cell = (cell + 1) & last
    return False
