"""A look at a page's markup without parsing it, on its UTF-8, which the parser has asked for as well."""

from cpython.unicode cimport PyUnicode_AsUTF8AndSize, PyUnicode_DecodeUTF8
from libc.stdint cimport uint8_t, uint16_t, uint64_t
from libc.string cimport memchr

import numpy as np

cdef enum:
    ROOM = 1024

# "class" and "id" as `packed` gives them.
cdef uint64_t CLASS = 0x636C617373
cdef uint64_t ID = 0x6964


cdef extern from "<string.h>":
    const void* memmem(const void* text, size_t size, const void* part, size_t length) nogil


cdef inline bint is_tag(const uint8_t* at, const char* name) noexcept:
    """Whether four letters are these small ones, in either case, and a blank follows."""
    cdef int i
    for i in range(4):
        if at[i] | 32 != <uint8_t>name[i]:
            return False
    return at[4] == 32 or 9 <= at[4] <= 13


cdef bint has_one(const uint8_t* at, Py_ssize_t size, list words):
    """Whether a stretch holds one of these words of small letters, in either case; a long one may."""
    cdef uint8_t low[ROOM]
    cdef Py_ssize_t i
    cdef bytes word
    if size > ROOM:
        return True
    for i in range(size):
        low[i] = at[i] | 32 if 65 <= at[i] <= 90 else at[i]
    for word in words:
        if memmem(low, size, <const char*>word, len(word)) != NULL:
            return True
    return False


def head_tags(str html, list words):
    """Return those of a page's ``<meta …>`` and ``<link …>`` that may matter, wherever they stand, in their order.

    Args:
        html: the page.
        words: small letters as UTF-8, of which a tag must hold one, in either case.
    """
    cdef Py_ssize_t size
    cdef const uint8_t* at = <const uint8_t*>PyUnicode_AsUTF8AndSize(html, &size)
    cdef const uint8_t* stop = at + size
    cdef const uint8_t* end
    tags = []
    # The text ends in a zero, so that no letter is looked for behind its end.
    while (at := <const uint8_t*>memchr(at, 60, stop - at)) != NULL:
        at += 1
        if not (is_tag(at, b"meta") or is_tag(at, b"link")):
            continue
        end = <const uint8_t*>memchr(at, 62, stop - at)
        if end == NULL:
            break
        if has_one(at, end - at, words):
            tags.append(PyUnicode_DecodeUTF8(<const char*>at - 1, end - at + 2, NULL))
        at = end
    return tags


def holds(str text, bytes part):
    """Whether a text holds a part, given as UTF-8: a third of the time that ``in`` takes."""
    cdef Py_ssize_t size
    cdef const char* data = PyUnicode_AsUTF8AndSize(text, &size)
    return memmem(data, size, <const char*>part, len(part)) != NULL


cdef inline bint is_blank(uint8_t c) noexcept:
    return c == 32 or 9 <= c <= 13


cdef inline uint8_t low(uint8_t c) noexcept:
    return c | 32 if 65 <= c <= 90 else c


cdef uint64_t packed(const uint8_t* at, Py_ssize_t size) noexcept:
    """Return a word of up to eight letters as a number, 0 for a longer one."""
    cdef uint64_t value = 0
    cdef Py_ssize_t i
    if size > 8:
        return 0
    for i in range(size):
        value = value << 8 | low(at[i])
    return value


cdef class Names:
    """Finds which parts of names occur in the classes and ids of a page's elements (Aho and Corasick, 1975)."""

    cdef uint16_t[:, ::1] moves
    cdef uint64_t[:, ::1] complete
    cdef uint64_t[::1] tags
    cdef uint8_t[256] letters
    cdef Py_ssize_t parts

    def __init__(self, list parts, list tags):
        """Build the automaton.

        Args:
            parts: small ASCII letters and signs.
            tags: the elements that are looked at, by their names in small letters.

        Raises:
            ValueError: if a part is empty or a tag is longer than eight letters.
        """
        cdef int state, move, letter
        if not all(parts) or any(len(tag) > 8 for tag in tags):
            raise ValueError("a part is empty, or a tag is longer than eight letters")
        alphabet = sorted({byte for part in parts for byte in part.encode()})
        letters = {byte: at + 1 for at, byte in enumerate(alphabet)}
        self.parts = len(parts)
        for letter in range(256):
            self.letters[letter] = letters.get(letter + 32 if 65 <= letter <= 90 else letter, 0)
        trie = [{}]
        ends = [0]
        for number, part in enumerate(parts):
            state = 0
            for byte in part.encode():
                if letters[byte] not in trie[state]:
                    trie[state][letters[byte]] = len(trie)
                    trie.append({})
                    ends.append(0)
                state = trie[state][letters[byte]]
            ends[state] |= 1 << number
        moves = np.zeros((len(trie), len(alphabet) + 1), np.uint16)
        behind = [0] * len(trie)
        waiting = [0]
        for state in waiting:
            # What is complete in the longest other suffix is complete here, and where that goes this goes as well.
            ends[state] |= ends[behind[state]]
            moves[state] = moves[behind[state]]
            for move, target in trie[state].items():
                behind[target] = int(moves[state, move]) if state else 0
                moves[state, move] = target
                waiting.append(target)
        words = (len(parts) + 63) // 64
        self.moves = moves
        self.complete = np.array(
            [[end >> 64 * word & (1 << 64) - 1 for word in range(words)] for end in ends], np.uint64
        ).reshape(len(ends), words)
        names = [tag.encode() for tag in tags]
        self.tags = np.array([int.from_bytes(name, "big") for name in names], np.uint64)

    def among(self, str html):
        """Return which parts occur in a class or an id of those elements in a page, in any case, by their numbers."""
        cdef Py_ssize_t size, number
        cdef const uint8_t* at = <const uint8_t*>PyUnicode_AsUTF8AndSize(html, &size)
        cdef const uint8_t* stop = at + size
        cdef const uint8_t* name
        cdef const uint8_t* value
        cdef const uint8_t* end
        cdef uint64_t said
        cdef uint64_t[::1] found = np.zeros(self.complete.shape[1], np.uint64)
        # The text ends in a zero, so that one letter behind its end may be looked at.
        while at < stop and (at := <const uint8_t*>memchr(at, 60, stop - at)) != NULL:
            at += 1
            name = at
            while 97 <= (at[0] | 32) <= 122 or 48 <= at[0] <= 57:
                at += 1
            said = packed(name, at - name)
            if said == 0 or not self.asked(said):
                continue
            while at < stop and at[0] != 62:
                if is_blank(at[0]) or at[0] == 47:
                    at += 1
                    continue
                name = at
                at += 1
                while at < stop and not (is_blank(at[0]) or at[0] == 61 or at[0] == 62 or at[0] == 47):
                    at += 1
                said = packed(name, at - name)
                while is_blank(at[0]):
                    at += 1
                if at[0] != 61:
                    continue
                at += 1
                while is_blank(at[0]):
                    at += 1
                if at >= stop:
                    break
                if at[0] == 34 or at[0] == 39:
                    value = at + 1
                    end = <const uint8_t*>memchr(value, at[0], stop - value)
                    if end == NULL:
                        at = stop
                        break
                    at = end + 1
                else:
                    value = at
                    while at < stop and not (is_blank(at[0]) or at[0] == 62):
                        at += 1
                    end = at
                if said == CLASS or said == ID:
                    self.read(value, end, found)
        return [number for number in range(self.parts) if found[number >> 6] >> (number & 63) & 1]

    cdef bint asked(self, uint64_t tag) noexcept:
        cdef Py_ssize_t i
        for i in range(self.tags.shape[0]):
            if self.tags[i] == tag:
                return True
        return False

    cdef void read(self, const uint8_t* at, const uint8_t* end, uint64_t[::1] found) noexcept:
        cdef uint16_t state = 0
        cdef Py_ssize_t i
        while at < end:
            state = self.moves[state, self.letters[at[0]]]
            for i in range(found.shape[0]):
                found[i] |= self.complete[state, i]
            at += 1
