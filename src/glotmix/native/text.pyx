"""One pass over each text: counts of characters, words and lines, and the streams that repetition is found in.

What each count means stands in `glotmix.signals.heuristics`; what a character is, in `glotmix.native.codepoints`.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from glotmix.native.hashing cimport absorb, finish
from glotmix.native.matching cimport ascii_letter, follows, is_address
from glotmix.native.utf8 cimport next_char

FIELDS = (
    "chars", "spaces", "visible", "letters", "marks", "upper", "lower", "numbers", "punctuation", "symbols", "broken",
    "foreign", "gopher_symbols", "longest_run", "units", "unit_chars", "longest_unit", "stop_words",
    "short_units", "capital_units", "joined_case", "tokens", "letter_tokens", "separators", "lines", "line_chars",
    "short_lines", "terminal_lines", "bullet_lines", "ellipsis_lines", "breaks", "sentences", "longest_sentence",
    "links", "curly_brackets", "placeholders", "list_chars", "capital_runs", "opens_small",
)  # fmt: skip

cdef enum:
    CHARS, SPACES, VISIBLE, LETTERS, MARKS, UPPERS, LOWERS, NUMBERS, PUNCTUATIONS, SYMBOLS, BROKENS, FOREIGN
    GOPHER_SYMBOLS, LONGEST_RUN, UNITS, UNIT_CHARS, LONGEST_UNIT, STOP_WORDS
    SHORT_UNITS, CAPITAL_UNITS, JOINED_CASE, TOKENS, LETTER_TOKENS, SEPARATORS, LINES, LINE_CHARS
    SHORT_LINES, TERMINAL_LINES, BULLET_LINES, ELLIPSIS_LINES, BREAKS, SENTENCES, LONGEST_SENTENCE
    LINKS, CURLY_BRACKETS, PLACEHOLDERS, LIST_CHARS, CAPITAL_RUNS, OPENS_SMALL
    COUNTS

# The kinds and flags of glotmix.native.codepoints (a test compares them).
cdef enum:
    BROKEN, SPACE, BREAK, LETTER, UPPER, LOWER, MARK, NUMBER, PUNCTUATION, SYMBOL, FORMAT
cdef enum:
    KIND = 0x0F
    UNSPACED = 0x10
    TERMINAL = 0x20
    CLOSER = 0x40
    BULLET = 0x80
    JOINS_LETTERS = 0x100
    JOINS_NUMBERS = 0x200
    BYTE_TAIL = 0x400
    BYTE_SECOND = 0x800
    BYTE_HEAD_2 = 0x1000
    BYTE_HEAD_3 = 0x2000
KINDS = (BROKEN, SPACE, BREAK, LETTER, UPPER, LOWER, MARK, NUMBER, PUNCTUATION, SYMBOL, FORMAT)
FLAGS = (
    UNSPACED, TERMINAL, CLOSER, BULLET, JOINS_LETTERS, JOINS_NUMBERS, BYTE_TAIL, BYTE_SECOND, BYTE_HEAD_2, BYTE_HEAD_3
)  # fmt: skip

# How a language writes the end of a sentence with a character that means something else elsewhere.
cdef enum:
    SEMICOLON = 1
    COLON = 2
    DOUBLED = 3

# What the last character of a line was that is no closing quotation mark or bracket.
cdef enum:
    PLAIN = 0
    TERMINATED = 1
    TRAILING_OFF = 2

cdef struct Stream:
    # One kind of pieces of all texts, end to end: hash and length in characters of each.
    uint64_t* hashes
    int32_t* chars
    int64_t size


cdef inline void put(Stream* stream, uint64_t h, int64_t chars) noexcept nogil:
    stream.hashes[stream.size] = h
    stream.chars[stream.size] = <int32_t>chars
    stream.size += 1


cdef struct Unit:
    bint open
    bint alone          # of an unspaced script
    bint capital        # begins with an upper case letter
    int last            # kind of its last letter or digit
    uint32_t joiner     # an apostrophe or decimal point that waits for what follows; 0 for none
    uint64_t h
    int64_t chars


cdef struct Line:
    uint64_t h, kept_h       # so far, and up to its last visible character
    int64_t chars, kept_chars
    int64_t units
    bint bullet
    int end


cdef struct Token:
    bint open, letter, unit     # it holds a letter; a letter or number


cdef enum:
    ITEM = 25           # visible characters of a list's item at most
    ITEMS = 5           # items of a list at least
    RUN_OF_CAPITALS = 3

cdef struct Listing:
    # Short items with commas between them, one after the other.
    int64_t items, chars, item


cdef struct Capitals:
    # Capitalised units, one space between each and the next.
    int64_t run
    int64_t gap         # characters since the last unit; 1 for a single space, more for anything else


cdef inline void end_list(Listing* listing, int64_t* row) noexcept nogil:
    if listing.items >= ITEMS:
        row[LIST_CHARS] += listing.chars
    listing.items = 0
    listing.chars = 0


cdef inline void end_item(Listing* listing, int64_t* row) noexcept nogil:
    """A comma: what stood before it is an item; the first of a list may be the end of something longer."""
    if listing.item:
        listing.items += 1
        listing.chars += min(listing.item, ITEM) + 1
    else:
        end_list(listing, row)
    listing.item = 0


cdef inline void next_unit(Capitals* capitals, int kind, int64_t* row) noexcept nogil:
    if kind == UPPER:
        capitals.run = capitals.run + 1 if capitals.gap == 1 else 1
        row[CAPITAL_RUNS] += capitals.run == RUN_OF_CAPITALS
    else:
        capitals.run = 0
    capitals.gap = 0


cdef inline bint is_comma(uint32_t c) noexcept nogil:
    return c == 44 or c == 0x060C or c == 0x3001 or c == 0xFF0C or c == 0x1363


cdef struct Paragraph:
    uint64_t h
    int64_t chars


cdef struct Stops:
    const uint64_t* table
    uint64_t mask, salt


cdef inline bint is_stop(Stops* stops, uint64_t h) noexcept nogil:
    cdef uint64_t slot
    h ^= stops.salt
    slot = h & stops.mask
    while stops.table[slot]:
        if stops.table[slot] == h:
            return True
        slot = (slot + 1) & stops.mask
    return False


cdef inline void end_unit(Unit* unit, Line* line, Stream* units, Stops* stops, int64_t* row) noexcept nogil:
    if not unit.open:
        return
    cdef uint64_t h = finish(unit.h)
    put(units, h, unit.chars)
    row[UNITS] += 1
    row[UNIT_CHARS] += unit.chars
    row[LONGEST_UNIT] = max(row[LONGEST_UNIT], unit.chars)
    row[SHORT_UNITS] += unit.chars <= 3
    row[CAPITAL_UNITS] += unit.capital
    if stops.salt and is_stop(stops, h):
        row[STOP_WORDS] += 1
    line.units += 1
    unit.open = False
    unit.joiner = 0


cdef inline void end_token(Token* token, int64_t* row) noexcept nogil:
    row[TOKENS] += token.open
    row[LETTER_TOKENS] += token.letter
    row[SEPARATORS] += token.open and not token.unit
    token.open = False
    token.letter = False
    token.unit = False


cdef inline void end_sentence(int64_t* since, int64_t* row) noexcept nogil:
    """End a sentence that began with the unit `since`."""
    row[SENTENCES] += 1
    row[LONGEST_SENTENCE] = max(row[LONGEST_SENTENCE], row[UNITS] - since[0])
    since[0] = row[UNITS]


cdef inline void begin_unit(Unit* unit, uint32_t c, int kind, bint alone) noexcept nogil:
    unit.open = True
    unit.alone = alone
    unit.capital = kind == UPPER
    unit.last = kind
    unit.joiner = 0
    unit.h = absorb(0, c)
    unit.chars = 1


cdef inline void end_paragraph(Paragraph* paragraph, Stream* paragraphs) noexcept nogil:
    if paragraph.chars:
        put(paragraphs, finish(paragraph.h), paragraph.chars)
        paragraph.h = 0
        paragraph.chars = 0


cdef inline void end_line(
    Line* line, Paragraph* paragraph, Stream* lines, Stream* paragraphs, int64_t short_units, int64_t* row
) noexcept nogil:
    if line.kept_chars:
        put(lines, finish(line.kept_h), line.kept_chars)
        row[LINES] += 1
        row[LINE_CHARS] += line.kept_chars
        row[SHORT_LINES] += line.units < short_units
        row[TERMINAL_LINES] += line.end == TERMINATED
        row[ELLIPSIS_LINES] += line.end == TRAILING_OFF
        row[BULLET_LINES] += line.bullet
        paragraph.h = absorb(paragraph.h, finish(line.kept_h))
        paragraph.chars += line.kept_chars
    else:
        end_paragraph(paragraph, paragraphs)
    line.h = 0
    line.kept_h = 0
    line.chars = 0
    line.kept_chars = 0
    line.units = 0
    line.bullet = False
    line.end = PLAIN


cdef inline bint is_letter(int kind) noexcept nogil:
    return kind == LETTER or kind == UPPER or kind == LOWER


def scan(
    const int64_t[::1] offsets, const uint8_t[::1] data, const uint16_t[::1] kinds, const uint8_t[::1] scripts,
    const int32_t[::1] profile, const uint8_t[:, ::1] native, const int32_t[::1] short_units, const int32_t[::1] ends,
    const uint64_t[::1] salts, const uint64_t[::1] stop_table, int64_t[:, ::1] out,
    units, lines, paragraphs,
):  # fmt: skip
    """Count, and write the streams of units, lines and paragraphs.

    Args:
        offsets, data: the texts, as `glotmix.native.arrays.buffers` gives them; n texts.
        kinds, scripts: of `glotmix.native.codepoints.Codepoints`.
        profile: (n,) the language of each text, a position in the next four.
        native: (languages, 256) 1 for each script (by its number) that the language is written in.
        short_units: (languages,) a line with fewer units is short.
        ends: (languages,) 1, 2 or 3: ``;``, ``:``, or doubled ``፡`` and ``:`` end sentences too; 0 for none.
        salts: (languages,) what the hashes of its stop words were xor-ed with; 0 for a language without a list.
        stop_table: open-addressed hash set, its length a power of two, 0 for an empty slot.
        out: (n, len(FIELDS)) int64, zeroes.
        units, lines, paragraphs: each three arrays: (n + 1,) int64 where the pieces of each text begin; (capacity,)
            uint64 hashes; (capacity,) int32 lengths in characters. A text of b bytes has at most (b + 1) // 2 of each.
    """
    cdef int64_t[::1] unit_starts = units[0], line_starts = lines[0], paragraph_starts = paragraphs[0]
    cdef uint64_t[::1] unit_hashes = units[1], line_hashes = lines[1], paragraph_hashes = paragraphs[1]
    cdef int32_t[::1] unit_chars = units[2], line_chars = lines[2], paragraph_chars = paragraphs[2]
    cdef Stream unit_stream = Stream(&unit_hashes[0], &unit_chars[0], 0)
    cdef Stream line_stream = Stream(&line_hashes[0], &line_chars[0], 0)
    cdef Stream paragraph_stream = Stream(&paragraph_hashes[0], &paragraph_chars[0], 0)
    cdef const uint8_t* text = &data[0]
    # Counted beside the streams, which the compiler cannot tell from the rows of `out`.
    cdef int64_t tally[COUNTS]
    cdef int64_t* row = tally
    cdef int64_t doc, at, end, run, heads, wanted, since, ahead
    cdef uint32_t c, before
    cdef int flags, kind, sentence, language_end
    cdef const uint8_t* own
    cdef bint terminal
    cdef Unit unit
    cdef Line line
    cdef Token token
    cdef Paragraph paragraph
    cdef Listing listing
    cdef Capitals capitals
    cdef Stops stops
    cdef int language
    cdef int64_t n = profile.shape[0]

    with nogil:
        unit_starts[0] = 0
        line_starts[0] = 0
        paragraph_starts[0] = 0
        for doc in range(n):
            at = offsets[doc]
            end = offsets[doc + 1]
            memset(tally, 0, sizeof(tally))
            language = profile[doc]
            own = &native[language, 0]
            language_end = ends[language]
            stops.table = &stop_table[0]
            stops.mask = stop_table.shape[0] - 1
            stops.salt = salts[language]
            unit = Unit(False, False, False, 0, 0, 0, 0)
            line = Line(0, 0, 0, 0, 0, False, PLAIN)
            paragraph = Paragraph(0, 0)
            before = 0xFFFFFFFF
            run = 0
            sentence = 0
            heads = 0
            wanted = 0
            token = Token(False, False, False)
            listing = Listing(0, 0, 0)
            capitals = Capitals(0, 2)
            since = 0
            while at < end:
                c = next_char(text, &at)
                flags = kinds[c]
                kind = flags & KIND
                row[CHARS] += 1
                # UTF-8 that was read as Windows-1252: a head and as many tails as it announces.
                if heads:
                    if flags & (BYTE_SECOND if heads == wanted else BYTE_TAIL):
                        heads -= 1
                        row[BROKENS] += heads == 0
                    else:
                        heads = 0
                if heads == 0 and flags & (BYTE_HEAD_2 | BYTE_HEAD_3):
                    wanted = 1 if flags & BYTE_HEAD_2 else 2
                    heads = wanted
                if kind == FORMAT:
                    continue
                run = run + 1 if c == before else 1

                if kind == SPACE or kind == BREAK:
                    row[SPACES] += 1
                    capitals.gap += unit.open and unit.joiner != 0
                    end_unit(&unit, &line, &unit_stream, &stops, row)
                    end_token(&token, row)
                    if sentence:
                        end_sentence(&since, row)
                        sentence = 0
                    capitals.gap += 1 if kind == SPACE else 2
                    if kind == BREAK and not (c == 13 and at < end and text[at] == 10):
                        row[BREAKS] += 1
                        end_list(&listing, row)
                        listing.item = 0
                        end_line(&line, &paragraph, &line_stream, &paragraph_stream, short_units[language], row)
                        if c == 0x2029:
                            end_paragraph(&paragraph, &paragraph_stream)
                    elif line.chars:
                        line.h = absorb(line.h, c)
                        line.chars += 1
                    before = c
                    continue

                # Visible: the line.
                if line.chars == 0:
                    line.bullet = flags & BULLET or (
                        (c == 45 or c == 42 or c == 43) and at < end and (text[at] == 32 or text[at] == 9)
                    )
                token.open = True
                if row[VISIBLE] == 0:
                    row[OPENS_SMALL] = kind == LOWER
                row[VISIBLE] += 1
                row[LONGEST_RUN] = max(row[LONGEST_RUN], run)
                line.h = absorb(line.h, c)
                line.chars += 1
                line.kept_h = line.h
                line.kept_chars = line.chars
                terminal = flags & TERMINAL
                if language_end:
                    terminal = terminal or (
                        (language_end == SEMICOLON and c == 59) or (language_end == COLON and c == 58)
                        or (language_end == DOUBLED and run >= 2 and (c == 0x1361 or c == 58))
                    )
                if not flags & CLOSER:
                    line.end = TERMINATED if terminal else PLAIN
                    if c == 0x2026 or (c == 46 and run >= 3):
                        line.end = TRAILING_OFF
                if is_comma(c):
                    end_item(&listing, row)
                elif terminal or c == 59:
                    end_list(&listing, row)
                    listing.item = 0
                else:
                    listing.item += 1
                    if listing.items and listing.item > ITEM:
                        end_list(&listing, row)
                # A sentence ends at . ! ? only before a space; at 。 or ። or । anywhere.
                if terminal:
                    sentence = 2 if c >= 128 or sentence == 2 else 1
                elif sentence and not flags & CLOSER:
                    if sentence == 2:
                        end_sentence(&since, row)
                    sentence = 0

                # The unit.
                if is_letter(kind) or kind == NUMBER:
                    token.unit = True
                    if flags & UNSPACED:
                        end_unit(&unit, &line, &unit_stream, &stops, row)
                        begin_unit(&unit, c, kind, True)
                        next_unit(&capitals, kind, row)
                    elif not unit.open or unit.alone:
                        end_unit(&unit, &line, &unit_stream, &stops, row)
                        begin_unit(&unit, c, kind, False)
                        next_unit(&capitals, kind, row)
                    elif unit.joiner and (kind == NUMBER) != (unit.last == NUMBER):
                        end_unit(&unit, &line, &unit_stream, &stops, row)
                        begin_unit(&unit, c, kind, False)
                        capitals.gap = 2
                        next_unit(&capitals, kind, row)
                    else:
                        row[JOINED_CASE] += kind == UPPER and unit.last == LOWER and not unit.joiner
                        if unit.joiner:
                            unit.h = absorb(unit.h, unit.joiner)
                            unit.chars += 1
                            unit.joiner = 0
                        unit.h = absorb(unit.h, c)
                        unit.chars += 1
                        unit.last = kind
                elif kind == MARK and unit.open and not unit.joiner:
                    unit.h = absorb(unit.h, c)
                    unit.chars += 1
                elif (
                    unit.open and not unit.alone and not unit.joiner
                    and flags & (JOINS_NUMBERS if unit.last == NUMBER else JOINS_LETTERS)
                ):
                    unit.joiner = c
                else:
                    end_unit(&unit, &line, &unit_stream, &stops, row)
                    capitals.gap += 2

                # The character.
                if is_letter(kind):
                    row[LETTERS] += 1
                    row[UPPERS] += kind == UPPER
                    row[LOWERS] += kind == LOWER
                    row[FOREIGN] += not own[scripts[c]]
                    token.letter = True
                    if c == 108 or c == 76:
                        row[PLACEHOLDERS] += follows(text, at, end, b"orem ipsum", 10)
                    elif c == 106 or c == 74:
                        row[PLACEHOLDERS] += follows(text, at, end, b"avascript", 9)
                    elif (c == 119 or c == 87) and before != 47 and not ascii_letter(before):
                        row[LINKS] += follows(text, at, end, b"ww.", 3)
                elif kind == MARK:
                    row[MARKS] += 1
                elif kind == NUMBER:
                    row[NUMBERS] += 1
                elif kind == PUNCTUATION:
                    row[PUNCTUATIONS] += 1
                    if c == 58:
                        row[LINKS] += ascii_letter(before) and follows(text, at, end, b"//", 2)
                    elif c == 64:
                        row[LINKS] += is_address(text, at, end, before)
                    elif c == 123 or c == 125:
                        row[CURLY_BRACKETS] += 1
                    elif c == 35 or (c == 0x2026 and run == 1) or (c == 46 and run == 3):
                        row[GOPHER_SYMBOLS] += 1
                elif kind == SYMBOL:
                    row[SYMBOLS] += 1
                elif kind == BROKEN:
                    row[BROKENS] += 1
                before = c

                # The rest of a word, with nothing to look at but its letters and marks.
                if not unit.open or unit.alone or unit.joiner or heads:
                    continue
                while at < end:
                    ahead = at
                    c = next_char(text, &ahead)
                    kind = kinds[c]
                    if kind == LOWER or kind == LETTER:
                        if c == 106 or c == 108 or c == 119:
                            break
                        row[LETTERS] += 1
                        row[LOWERS] += kind == LOWER
                        row[FOREIGN] += not own[scripts[c]]
                        unit.last = kind
                        token.letter = True
                    elif kind == MARK:
                        row[MARKS] += 1
                    else:
                        break
                    at = ahead
                    run = run + 1 if c == before else 1
                    row[CHARS] += 1
                    row[VISIBLE] += 1
                    row[LONGEST_RUN] = max(row[LONGEST_RUN], run)
                    listing.item += 1
                    if listing.items and listing.item > ITEM:
                        end_list(&listing, row)
                    line.h = absorb(line.h, c)
                    line.chars += 1
                    unit.h = absorb(unit.h, c)
                    unit.chars += 1
                    before = c
                line.kept_h = line.h
                line.kept_chars = line.chars

            end_unit(&unit, &line, &unit_stream, &stops, row)
            end_token(&token, row)
            end_list(&listing, row)
            if sentence:
                end_sentence(&since, row)
            # What follows the last end is a sentence by length, though not by count.
            row[LONGEST_SENTENCE] = max(row[LONGEST_SENTENCE], row[UNITS] - since)
            end_line(&line, &paragraph, &line_stream, &paragraph_stream, short_units[language], row)
            end_paragraph(&paragraph, &paragraph_stream)
            memcpy(&out[doc, 0], tally, sizeof(tally))
            unit_starts[doc + 1] = unit_stream.size
            line_starts[doc + 1] = line_stream.size
            paragraph_starts[doc + 1] = paragraph_stream.size
