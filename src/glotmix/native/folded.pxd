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
    #define MARK (1u << 25)
    #define INNER (1u << 26)
    #define SIGN (1u << 27)
    #define HANGUL (1u << 30)
    #define POOL (1u << 31)
    // Any odd multiplier serves a polynomial modulo 2^64; these are the primes of xxHash (public domain).
    #define BASE 0x9E3779B185EBCA87ull
    #define MIX1 0xC2B2AE3D27D4EB4Full
    #define MIX2 0x165667B19E3779F9ull
    """
    const uint32_t CODE
    const uint32_t DIGIT
    const uint32_t MARK
    const uint32_t INNER
    const uint32_t SIGN
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


cdef struct Aside:
    # What a text has beside its units: a hash of its numbers, marks and signs, each with its place among the units;
    # and how many digits it has.
    uint64_t hash
    int64_t numbers


cdef inline void set_aside(Aside* aside, int64_t n, uint32_t value) noexcept nogil:
    """Note a mark before unit `n`. Marks on one letter may stand in any order (Unicode standard, section 3.11)."""
    aside.hash += mix(<uint64_t>n << CODE_BITS | (value & CODE))


cdef inline int64_t put(uint32_t* units, int64_t n, uint32_t value, Aside* aside, bint* digit) noexcept nogil:
    """Append one folded unit: a run of digits becomes a single ``0``, and what it was goes aside, as marks and signs do."""
    if value & MARK:
        # The dot of an i is no mark: `i` with a dot above is what lower case makes of a capital that has one.
        if (value & CODE) != 0x307 or n == 0 or (units[n - 1] & CODE) != 105:
            set_aside(aside, n, value)
        return n
    if value & SIGN:
        aside.hash = absorb(aside.hash, <uint64_t>n << CODE_BITS | (value & CODE))
        return n
    if value & DIGIT:
        aside.hash = absorb(aside.hash, <uint64_t>n << CODE_BITS | (value & CODE))
        aside.numbers += 1
        if digit[0]:
            return n
        digit[0] = True
        value = 48 | (1 << CODE_BITS)
    else:
        digit[0] = False
    units[n] = value
    return n + 1


cdef inline uint32_t value_of(Folding* t, uint32_t c) noexcept nogil:
    return t.stage2[(<uint32_t>t.stage1[c >> 8] << 8) | (c & 0xFF)]


cdef inline bint wordly(uint32_t value) noexcept nogil:
    """Say whether a character stands in words: a letter, or a mark on one."""
    return value != 0 and (value & (POOL | HANGUL) or not value & (DIGIT | SIGN | INNER))


cdef inline bint within_word(Folding* t, const uint8_t* data, int64_t begin, int64_t here, int64_t at,
                             int64_t end) noexcept nogil:
    """Say whether the character from `here` to `at` has letters on both sides."""
    cdef int64_t before = here
    if here == begin or at == end:
        return False
    before -= 1
    while before > begin and (data[before] & 0xC0) == 0x80:
        before -= 1
    return wordly(value_of(t, next_char(data, &before))) and wordly(value_of(t, next_char(data, &at)))


cdef inline int64_t put_hangul(uint32_t* units, int64_t n, uint32_t c) noexcept nogil:
    """Append the two or three jamo of a syllable: the arithmetic of the Unicode standard, section 3.12."""
    cdef uint32_t s = c - 0xAC00
    units[n] = (0x1100 + s // 588) | (1 << CODE_BITS)
    units[n + 1] = (0x1161 + s % 588 // 28) | (1 << CODE_BITS)
    units[n + 2] = (0x11A7 + s % 28) | (1 << CODE_BITS)
    return n + 2 + (s % 28 != 0)


cdef inline int64_t fold_text(Folding* t, const uint8_t* data, int64_t at, int64_t end, uint32_t* units,
                              Aside* aside, int64_t* places) noexcept nogil:
    """Write the units of one text, and return how many there are.

    `aside` becomes what the units leave out of it. `places`, if not NULL, becomes the byte at which the character of
    each unit begins. A text in which nothing is a letter or a number (signs, pictures, rulers) is taken as it stands
    instead: two such texts are alike only if they are the same.
    """
    cdef int64_t n = 0, begin = at, here, before, k
    cdef uint32_t c, v
    cdef bint digit = False
    cdef const uint32_t* ascii = t.stage2 + (<uint32_t>t.stage1[0] << 8)
    aside.hash, aside.numbers = MIX2, 0
    while at < end:
        here, before = at, n
        c = data[at]
        if c < 0x80:
            at += 1
            v = ascii[c]
        else:
            c = next_char(data, &at)
            v = value_of(t, c)
        if v < DIGIT:
            # Without a branch: spaces come too irregularly to be predicted.
            units[n] = v
            n += v != 0
            digit &= v == 0
        elif v & POOL:
            v ^= POOL
            for k in range(t.pool[v]):
                n = put(units, n, t.pool[v + 1 + k], aside, &digit)
        elif v & HANGUL:
            n = put_hangul(units, n, c)
            digit = False
        elif v & INNER:
            if within_word(t, data, begin, here, at, end):
                set_aside(aside, n, v)
        else:
            n = put(units, n, v, aside, &digit)
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


cdef inline bint numbers_prevail(const uint32_t* units, int64_t n, int64_t numbers) noexcept nogil:
    """Say whether a text has more digits than letters (each character with its weight)."""
    cdef int64_t j, letters = 0
    # A letter weighs one at least, and a run of digits is one unit: no text of words goes further.
    if 2 * numbers <= n:
        return False
    for j in range(n):
        if units[j] != (48 | (1 << CODE_BITS)):
            letters += units[j] >> CODE_BITS
    return numbers > letters


cdef inline int64_t put_figure(uint32_t* units, int64_t n, uint32_t value, uint32_t c) noexcept nogil:
    """Append a character of a text of numbers: a digit as itself, a sign as it stands, white space as one space."""
    if value & (SIGN | INNER):
        units[n] = (value & CODE) | (1 << CODE_BITS)
        return n + 1
    if value == 0:
        if c <= 0x20 or c == 0x85 or c == 0xA0 or 0x2000 <= c <= 0x200A or c == 0x202F or c == 0x3000:
            if n == 0 or (units[n - 1] & CODE) == 32:
                return n
            c = 32
        elif c == 0xAD or 0x200B <= c <= 0x200F or 0x2028 <= c <= 0x202E or 0x2060 <= c <= 0x206F or c == 0xFEFF:
            return n
        units[n] = c | (1 << CODE_BITS)
        return n + 1
    if value & MARK:
        return n
    units[n] = (value & CODE) | (1 << CODE_BITS) if value & DIGIT else value
    return n + 1


cdef inline int64_t fold_document(Folding* t, const uint8_t* data, int64_t at, int64_t end, uint32_t* units,
                                  Aside* aside) noexcept nogil:
    """Do as `fold_text`, but where numbers prevail over letters keep each digit and sign: they are what the text says."""
    cdef int64_t begin = at, k, n = fold_text(t, data, at, end, units, aside, NULL)
    cdef uint32_t c, v
    if not numbers_prevail(units, n, aside.numbers):
        return n
    n, at = 0, begin
    while at < end:
        c = next_char(data, &at)
        v = value_of(t, c)
        if v & POOL:
            v ^= POOL
            for k in range(t.pool[v]):
                n = put_figure(units, n, t.pool[v + 1 + k], c)
        elif v & HANGUL:
            n = put_hangul(units, n, c)
        else:
            n = put_figure(units, n, v, c)
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
