# Texts folded to units, and the windows that roll over them: shared by the native loops that compare texts.
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport malloc

from glotmix.native.utf8 cimport next_char

cdef enum:
    CODE_BITS = 21

cdef extern from *:
    """
    #define CODE 0x1FFFFFu
    #define DIGIT (1u << 24)
    #define HANGUL (1u << 30)
    #define POOL (1u << 31)
    // Any odd multiplier serves a polynomial modulo 2^64; these are the primes of xxHash (public domain).
    #define BASE 0x9E3779B185EBCA87ull
    #define MIX1 0xC2B2AE3D27D4EB4Full
    #define MIX2 0x165667B19E3779F9ull
    """
    const uint32_t CODE
    const uint32_t DIGIT
    const uint32_t HANGUL
    const uint32_t POOL
    const uint64_t BASE
    const uint64_t MIX1
    const uint64_t MIX2


cdef struct Folding:
    const uint16_t* stage1
    const uint32_t* stage2
    const uint32_t* pool


cdef struct Window:
    # A stretch of units of at least `width` letters' weight, and its hash: a polynomial in BASE.
    const uint32_t* units
    const uint64_t* powers
    int64_t begin
    int32_t width
    int32_t weight
    uint64_t hash


cdef inline Folding folding(const uint16_t[::1] stage1, const uint32_t[::1] stage2, const uint32_t[::1] pool):
    cdef Folding t
    t.stage1, t.stage2, t.pool = &stage1[0], &stage2[0], &pool[0]
    return t


cdef inline uint64_t mix(uint64_t h) noexcept nogil:
    h ^= h >> 32
    h *= MIX1
    h ^= h >> 29
    h *= MIX2
    h ^= h >> 32
    return h


cdef inline uint64_t absorb(uint64_t h, uint64_t value) noexcept nogil:
    h = (h ^ value) * BASE
    return h ^ (h >> 32)


cdef inline int64_t put(uint32_t* units, int64_t n, uint32_t value, uint64_t* digits, bint* digit) noexcept nogil:
    """Append one folded unit: a run of digits becomes a single ``0``, and what it was goes into `digits`."""
    if value & DIGIT:
        digits[0] = absorb(digits[0], <uint64_t>n << CODE_BITS | (value & CODE))
        if digit[0]:
            return n
        digit[0] = True
        value = 48 | (1 << CODE_BITS)
    else:
        digit[0] = False
    units[n] = value
    return n + 1


cdef inline int64_t fold_text(Folding* t, const uint8_t* data, int64_t at, int64_t end, uint32_t* units,
                              uint64_t* digits, int64_t* places) noexcept nogil:
    """Write the units of one text, and return how many there are; `digits` becomes a hash of its digits.

    `places`, if not NULL, becomes the byte at which the character of each unit begins. A text in which nothing is a letter or a number (signs, pictures, rulers) is taken as it stands instead: two
    such texts are alike only if they are the same.
    """
    cdef int64_t n = 0, begin = at, here, before, k
    cdef uint32_t c, v, s
    cdef bint digit = False
    cdef const uint32_t* ascii = t.stage2 + (<uint32_t>t.stage1[0] << 8)
    digits[0] = MIX2
    while at < end:
        here, before = at, n
        c = data[at]
        if c < 0x80:
            at += 1
            v = ascii[c]
        else:
            c = next_char(data, &at)
            v = t.stage2[(<uint32_t>t.stage1[c >> 8] << 8) | (c & 0xFF)]
        if v < DIGIT:
            # Without a branch: spaces come too irregularly to be predicted.
            units[n] = v
            n += v != 0
            digit &= v == 0
        elif v & POOL:
            v ^= POOL
            for k in range(t.pool[v]):
                n = put(units, n, t.pool[v + 1 + k], digits, &digit)
        elif v & HANGUL:
            # The arithmetic of the Unicode standard, section 3.12.
            s = c - 0xAC00
            units[n] = (0x1100 + s // 588) | (1 << CODE_BITS)
            units[n + 1] = (0x1161 + s % 588 // 28) | (1 << CODE_BITS)
            units[n + 2] = (0x11A7 + s % 28) | (1 << CODE_BITS)
            n += 2 + (s % 28 != 0)
            digit = False
        else:
            n = put(units, n, v, digits, &digit)
        if places != NULL:
            for k in range(before, n):
                places[k] = here
    if n == 0:
        at = begin
        while at < end:
            if places != NULL:
                places[n] = at
            units[n] = next_char(data, &at) | (1 << CODE_BITS)
            n += 1
    return n


cdef inline bint push(Window* w, int64_t end) noexcept nogil:
    """Let the window reach to the unit `end`, its begin following; say whether it has its full weight."""
    cdef uint32_t unit = w.units[end]
    w.hash = w.hash * BASE + (unit & CODE)
    w.weight += unit >> CODE_BITS
    unit = w.units[w.begin]
    while w.weight - <int32_t>(unit >> CODE_BITS) >= w.width:
        w.weight -= unit >> CODE_BITS
        w.hash -= (unit & CODE) * w.powers[end - w.begin]
        w.begin += 1
        unit = w.units[w.begin]
    return w.weight >= w.width


cdef inline Window window(const uint32_t* units, const uint64_t* powers, int32_t width) noexcept nogil:
    cdef Window w
    w.units, w.powers, w.width = units, powers, width
    w.begin, w.weight, w.hash = 0, 0, 0
    return w


cdef inline int64_t room_units(const int64_t[::1] offsets) noexcept:
    """Return how many units the longest text can have: no character folds to more than six per byte."""
    cdef int64_t i, longest = 1
    for i in range(offsets.shape[0] - 1):
        longest = max(longest, offsets[i + 1] - offsets[i])
    return 6 * longest


cdef inline uint32_t* room(const int64_t[::1] offsets) except NULL:
    """Return space for the units of the longest text."""
    cdef uint32_t* units = <uint32_t*>malloc(room_units(offsets) * sizeof(uint32_t))
    if units == NULL:
        raise MemoryError(f"a text of {room_units(offsets)} units")
    return units


cdef inline uint64_t* powers_of(int32_t width) except NULL:
    """Return BASE to the powers from 0 to `width`: a window never holds more units than its width."""
    cdef int32_t i
    cdef uint64_t* powers = <uint64_t*>malloc((width + 1) * sizeof(uint64_t))
    if powers == NULL:
        raise MemoryError(f"windows of {width} letters")
    powers[0] = 1
    for i in range(width):
        powers[i + 1] = powers[i] * BASE
    return powers
