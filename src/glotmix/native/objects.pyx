"""Lines of JSON objects, taken apart where they stand: the values of each key as stretches of the bytes."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memchr, memcmp, memcpy

import numpy as np

cdef enum:
    # What a key has in a line.
    ABSENT, PLAIN, ESCAPED, OTHER
cdef enum:
    DEEP = 50       # brackets within brackets of a value

KINDS = (ABSENT, PLAIN, ESCAPED, OTHER)

cdef struct Key:
    const uint8_t* name
    int64_t size
    int64_t line        # the last one that had it


cdef inline bint is_blank(uint8_t c) noexcept nogil:
    return c == 32 or c == 9 or c == 13


cdef inline uint64_t is_zero(uint64_t x) noexcept nogil:
    """Return a bit in the place of every byte that is zero; bits above the first of them mean nothing."""
    return (x - <uint64_t>0x0101010101010101) & ~x & <uint64_t>0x8080808080808080


cdef inline const uint8_t* plain_end(const uint8_t* at, const uint8_t* end) noexcept nogil:
    """Return the first byte that is a quotation mark, a backslash or a control character."""
    cdef uint64_t x
    while end - at >= 8:
        memcpy(&x, at, 8)
        if (
            is_zero(x ^ <uint64_t>0x2222222222222222) | is_zero(x ^ <uint64_t>0x5C5C5C5C5C5C5C5C)
            | ((x - <uint64_t>0x2020202020202020) & ~x & <uint64_t>0x8080808080808080)
        ):
            break
        at += 8
    while at < end and at[0] != 34 and at[0] != 92 and at[0] >= 32:
        at += 1
    return at


cdef inline int32_t hex4(const uint8_t* at) noexcept nogil:
    """Return the number that four hexadecimal digits write, -1 where they are none."""
    cdef int32_t value = 0, digit
    cdef int i
    for i in range(4):
        digit = at[i]
        if 48 <= digit <= 57:
            digit -= 48
        elif 65 <= digit <= 70:
            digit -= 55
        elif 97 <= digit <= 102:
            digit -= 87
        else:
            return -1
        value = value * 16 + digit
    return value


cdef inline const uint8_t* escape(const uint8_t* at, const uint8_t* end, uint32_t* char) noexcept nogil:
    """Read what stands behind a backslash; NULL where it is nothing, or half a character."""
    cdef int32_t code, low
    cdef uint8_t c
    if at >= end:
        return NULL
    c = at[0]
    if c == 117:
        if end - at < 5:
            return NULL
        code = hex4(at + 1)
        at += 5
        if code < 0 or 0xDC00 <= code < 0xE000:
            return NULL
        if 0xD800 <= code < 0xDC00:
            if end - at < 6 or at[0] != 92 or at[1] != 117:
                return NULL
            low = hex4(at + 2)
            if not 0xDC00 <= low < 0xE000:
                return NULL
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
            at += 6
        char[0] = <uint32_t>code
        return at
    if c == 110:
        char[0] = 10
    elif c == 34 or c == 92 or c == 47:
        char[0] = c
    elif c == 116:
        char[0] = 9
    elif c == 114:
        char[0] = 13
    elif c == 98:
        char[0] = 8
    elif c == 102:
        char[0] = 12
    else:
        return NULL
    return at + 1


cdef inline int size_of(uint32_t char) noexcept nogil:
    return 1 if char < 0x80 else 2 if char < 0x800 else 3 if char < 0x10000 else 4


cdef inline uint8_t* put(uint8_t* out, uint32_t c) noexcept nogil:
    """Write a character in UTF-8; return where the next one goes."""
    if c < 0x80:
        out[0] = <uint8_t>c
        return out + 1
    if c < 0x800:
        out[0] = <uint8_t>(0xC0 | c >> 6)
        out[1] = <uint8_t>(0x80 | c & 0x3F)
        return out + 2
    if c < 0x10000:
        out[0] = <uint8_t>(0xE0 | c >> 12)
        out[1] = <uint8_t>(0x80 | c >> 6 & 0x3F)
        out[2] = <uint8_t>(0x80 | c & 0x3F)
        return out + 3
    out[0] = <uint8_t>(0xF0 | c >> 18)
    out[1] = <uint8_t>(0x80 | c >> 12 & 0x3F)
    out[2] = <uint8_t>(0x80 | c >> 6 & 0x3F)
    out[3] = <uint8_t>(0x80 | c & 0x3F)
    return out + 4


cdef const uint8_t* text_end(const uint8_t* at, const uint8_t* end, int64_t* size, bint* escaped) noexcept nogil:
    """Return where the quotation mark at the end of a text stands, and its size in UTF-8; NULL where it is damaged."""
    cdef const uint8_t* begin = at
    cdef const uint8_t* after
    cdef uint32_t char = 0
    cdef int64_t saved = 0
    escaped[0] = False
    while True:
        at = plain_end(at, end)
        if at >= end or at[0] < 32:
            return NULL
        if at[0] == 34:
            size[0] = at - begin - saved
            return at
        after = escape(at + 1, end, &char)
        if after == NULL:
            return NULL
        escaped[0] = True
        saved += after - at - size_of(char)
        at = after


cdef const uint8_t* other_end(const uint8_t* at, const uint8_t* end) noexcept nogil:
    """Return where a value that is no text ends (that it is one, somebody else must say); NULL where it does not."""
    cdef int64_t depth = 0, size = 0
    cdef bint escaped = False
    cdef uint8_t c
    while at < end:
        c = at[0]
        if c == 34:
            at = text_end(at + 1, end, &size, &escaped)
            if at == NULL:
                return NULL
        elif c == 123 or c == 91:
            depth += 1
            if depth > DEEP:
                return NULL
        elif c == 125 or c == 93:
            if depth == 0:
                return at
            depth -= 1
        elif c == 44 and depth == 0:
            return at
        at += 1
    return NULL


cdef struct Found:
    Key* keys
    int64_t known
    int64_t room        # keys that there is room for
    uint8_t* kinds
    int32_t* starts
    int32_t* ends
    int32_t* sizes


cdef inline int64_t key_at(Found* found, const uint8_t* name, int64_t size, int64_t guess) noexcept nogil:
    """Return the number of a key, a new one if need be; -1 where there are too many. Lines have them in one order."""
    cdef int64_t key
    cdef Key* one
    if guess < found.known:
        one = &found.keys[guess]
        if one.size == size and memcmp(one.name, name, size) == 0:
            return guess
    for key in range(found.known):
        one = &found.keys[key]
        if one.size == size and memcmp(one.name, name, size) == 0:
            return key
    if found.known == found.room:
        return -1
    one = &found.keys[found.known]
    one.name, one.size, one.line = name, size, -1
    found.known += 1
    return found.known - 1


cdef const uint8_t* skip(const uint8_t* at, const uint8_t* end) noexcept nogil:
    while at < end and is_blank(at[0]):
        at += 1
    return at


cdef bint take_line(
    Found* found, const uint8_t* block, const uint8_t* at, const uint8_t* end, int64_t row
) noexcept nogil:
    """Take one line apart: an object, and nothing else."""
    cdef const uint8_t* stop
    cdef int64_t size = 0, key, guess = 0, cell
    cdef bint escaped = False
    if at[0] != 123:
        return False
    at = skip(at + 1, end)
    if at < end and at[0] == 125:
        return skip(at + 1, end) == end
    while True:
        if at >= end or at[0] != 34:
            return False
        stop = text_end(at + 1, end, &size, &escaped)
        if stop == NULL or escaped:
            return False
        key = key_at(found, at + 1, size, guess)
        if key < 0 or found.keys[key].line == row:
            return False
        found.keys[key].line = row
        guess = key + 1
        at = skip(stop + 1, end)
        if at >= end or at[0] != 58:
            return False
        at = skip(at + 1, end)
        if at >= end:
            return False
        cell = row * found.room + key
        if at[0] == 34:
            stop = text_end(at + 1, end, &size, &escaped)
            if stop == NULL:
                return False
            found.kinds[cell] = ESCAPED if escaped else PLAIN
            found.starts[cell] = <int32_t>(at + 1 - block)
            found.ends[cell] = <int32_t>(stop - block)
            found.sizes[cell] = <int32_t>size
            at = stop + 1
        else:
            stop = other_end(at, end)
            if stop == NULL:
                return False
            found.kinds[cell] = OTHER
            found.starts[cell] = <int32_t>(at - block)
            found.ends[cell] = <int32_t>(stop - block)
            at = stop
        at = skip(at, end)
        if at >= end:
            return False
        if at[0] == 125:
            return skip(at + 1, end) == end
        if at[0] != 44:
            return False
        at = skip(at + 1, end)


def taken_apart(const uint8_t[::1] block, int64_t room):
    """Take lines of JSON objects apart.

    Args:
        block: b bytes (fewer than 2**31): lines, blank ones among them.
        room: keys that there is room for.

    Returns:
        names: the k keys, bytes, in the order in which they first stand; kinds (n, room) uint8: of each of the n
        objects and each key one of `KINDS`; starts, ends, sizes (n, room) int32: the bytes of the value in the block
        (of a text without its quotation marks), and of a text its bytes in UTF-8; lines, begins, stops (n,) int64: the
        number of each object's line, from 0, and its bytes. None where a line is no object, has a key twice, more than
        `room` keys or escapes in them, an escape that is half a character, or a value that does not end; values that
        are no text, and the UTF-8 of texts, are not looked into.
    """
    cdef int64_t size = block.shape[0], n = 0, row, number = 0, capacity = 1, i
    cdef const uint8_t* begin
    cdef const uint8_t* at
    cdef const uint8_t* end
    cdef const uint8_t* stop
    cdef Found found
    cdef bint sound = True
    if size == 0 or size >= 2**31 - 1:
        return None
    begin = &block[0]
    end = begin + size
    with nogil:
        at = begin
        while at < end:
            at = <const uint8_t*>memchr(at, 10, end - at)
            if at == NULL:
                break
            capacity += 1
            at += 1
    kinds = np.zeros((capacity, room), np.uint8)
    starts, ends, sizes = (np.empty((capacity, room), np.int32) for _ in range(3))
    lines, begins, stops = (np.empty(capacity, np.int64) for _ in range(3))
    cdef uint8_t[:, ::1] kind_cells = kinds
    cdef int32_t[:, ::1] start_cells = starts, end_cells = ends, size_cells = sizes
    cdef int64_t[::1] line_of = lines, begin_of = begins, stop_of = stops
    found.keys = <Key*>malloc(room * sizeof(Key))
    if found.keys == NULL:
        raise MemoryError
    found.known, found.room = 0, room
    found.kinds, found.starts, found.ends, found.sizes = (
        &kind_cells[0, 0], &start_cells[0, 0], &end_cells[0, 0], &size_cells[0, 0]
    )
    try:
        with nogil:
            at = begin
            while at < end:
                stop = <const uint8_t*>memchr(at, 10, end - at)
                if stop == NULL:
                    stop = end
                begin_of[n], stop_of[n], line_of[n] = at - begin, stop - begin, number
                at = skip(at, stop)
                if at < stop:
                    if not take_line(&found, begin, at, stop, n):
                        sound = False
                        break
                    n += 1
                number += 1
                at = stop + 1
        if not sound:
            return None
        names = [(<const char*>found.keys[i].name)[: found.keys[i].size] for i in range(found.known)]
    finally:
        free(found.keys)
    return names, kinds[:n], starts[:n], ends[:n], sizes[:n], lines[:n], begins[:n], stops[:n]


def texts(const uint8_t[::1] block, const uint8_t[:] kinds, const int32_t[:] starts, const int32_t[:] ends,
          const int32_t[:] sizes):
    """Return the texts of one key, as `taken_apart` found them: offsets (n + 1,) int32, and their bytes, uint8.

    What is no text has no bytes.
    """
    cdef int64_t n = kinds.shape[0], i
    cdef uint8_t* out
    cdef const uint8_t* at
    cdef const uint8_t* end
    cdef const uint8_t* stop
    cdef uint32_t char = 0
    offsets = np.zeros(n + 1, np.int32)
    cdef int32_t[::1] offset = offsets
    for i in range(n):
        offset[i + 1] = offset[i] + (sizes[i] if kinds[i] == PLAIN or kinds[i] == ESCAPED else 0)
    data = np.empty(max(1, offset[n]), np.uint8)
    cdef uint8_t[::1] held = data
    with nogil:
        for i in range(n):
            at = &block[0] + starts[i]
            if kinds[i] == PLAIN:
                memcpy(&held[0] + offset[i], at, sizes[i])
            elif kinds[i] == ESCAPED:
                out = &held[0] + offset[i]
                end = &block[0] + ends[i]
                while at < end:
                    stop = <const uint8_t*>memchr(at, 92, end - at)
                    if stop == NULL:
                        stop = end
                    memcpy(out, at, stop - at)
                    out += stop - at
                    at = stop
                    if at < end:
                        at = escape(at + 1, end, &char)
                        out = put(out, char)
    return offsets, data[: offset[n]]
