"""The heuristics again, slowly and plainly, from Python's own tables: what tests/test_heuristics.py compares with.

Nothing here comes from glotmix but the constants that are a matter of taste (units per word, the stop words). Scripts
are read off the characters' Unicode names, words are cut by one regular expression, n-grams are tuples in a Counter.
"""

import re
import unicodedata
from collections import Counter
from itertools import groupby, pairwise
from math import log2

import pyarrow as pa

ALONE = ("CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "IDEOGRAPHIC", "THAI", "LAO", "KHMER", "MYANMAR")
NAMES = {
    "Latn": ("LATIN", "FULLWIDTH", "FEMININE", "MASCULINE"), "Cyrl": ("CYRILLIC",), "Grek": ("GREEK",),
    "Arab": ("ARABIC",), "Hebr": ("HEBREW",), "Deva": ("DEVANAGARI",), "Beng": ("BENGALI",), "Taml": ("TAMIL",),
    "Thai": ("THAI",), "Mymr": ("MYANMAR",), "Khmr": ("KHMER",), "Hans": ("CJK", "IDEOGRAPHIC"),
    "Jpan": ("CJK", "IDEOGRAPHIC", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"), "Hang": ("HANGUL", "CJK"),
    "Ethi": ("ETHIOPIC",), "Tibt": ("TIBETAN",), "Armn": ("ARMENIAN",),
}  # fmt: skip
COMMON = ("MODIFIER", "KATAKANA-HIRAGANA", "MICRO")
CASED = ("Latn", "Cyrl", "Grek", "Armn")
UNSPACED = {"Hans": 2, "Jpan": 2, "Thai": 4, "Khmr": 4, "Mymr": 3, "Tibt": 2}
KEPT = "".join(chr(c) for c in [*range(0x610, 0x61B), 0x653, 0x654, 0x655, *range(0x656, 0x660), *range(0x6D6, 0x6EE)])
"""Arabic marks that are no vowels: hamza and madda, signs of the Quran."""
TERMINALS = set(".!?؟۔।॥։።፧၊။។៕་"[:-1] + "།༎。！？．｡‼⁇⁈⁉")
BULLETS = set("•‣◦●○■□▪▫▶►◆◇★☆✓✔➤·・")
EXTRA = {"Grek": ";", "Armn": ":"}
SPACES = "\t" + "".join(chr(c) for c in range(0x110000) if unicodedata.category(chr(c)) == "Zs")
BREAKS = "\n\v\f\r\x85\u2028\u2029"
TAILS = bytes(range(0x80, 0xC0)).decode("cp1252", "ignore") + "".join(map(chr, range(0x80, 0xA0)))
SECONDS = "ƒ" + "".join(c for c in TAILS if not c.isalpha() and c not in "\xa0«»‘’‚“”„‹›–—…")
MISREAD = re.compile(f"[ÂÃÎÏÐÑØÙ][{re.escape(SECONDS)}]|[âãàáäåæçèéêëìíîï][{re.escape(SECONDS)}][{re.escape(TAILS)}]")


def name(c: str) -> str:
    return unicodedata.name(c, "?").replace("HALFWIDTH KATAKANA", "KATAKANA").split(" ")[0].split("-UNIFIED")[0]


def letter(c: str) -> bool:
    return unicodedata.category(c)[0] == "L"


def classes(text: str) -> str:
    """One sign per character: L letter, N number, A letter that stands alone, a its mark, j d b joiners, x other."""
    signs = ""
    for c in text:
        kind = unicodedata.category(c)[0]
        if kind == "M":
            signs += {"L": "L", "N": "N", "A": "a", "a": "a"}.get(signs[-1:], "x")
        elif kind == "L":
            signs += "A" if name(c) in ALONE else "L"
        else:
            signs += (
                "N" if kind == "N" else "b" if c in "'’" else "j" if c in "·‧՚՛՜՞׳״" else "d" if c in ".,٫٬" else "x"
            )
    return signs


def units_of(line: str) -> list[tuple[int, str]]:
    return [
        (m.start(), line[m.start() : m.end()])
        for m in re.finditer(r"Aa*|(?:L+(?:[jb](?=L))?|N+(?:[db](?=N))?)+", classes(line))
    ]


def sentence_ends(text: str, script: str) -> list[int]:
    """Positions just after the signs that end sentences."""
    signs = ""
    for i, c in enumerate(text):
        twice = script == "Ethi" and c in ":፡" and i > 0 and text[i - 1] == c
        if c in TERMINALS or c == EXTRA.get(script) or twice:
            signs += "t" if ord(c) < 128 else "T"
        elif unicodedata.category(c) in ("Pe", "Pf", "Pi") or c in "\"'":
            signs += "c"
        else:
            signs += "s" if c in SPACES + BREAKS else "x"
    runs = re.finditer(r"[tT][tTc]*", signs)
    return [m.end() for m in runs if "T" in m[0] or signs[m.end() : m.end() + 1] in ("", "s")]


def top_share(units: list[str], n: int) -> int:
    """Characters of the n-gram that holds most, by occurrences that do not overlap."""
    places: dict[tuple[str, ...], list[int]] = {}
    for i in range(len(units) - n + 1):
        places.setdefault(tuple(units[i : i + n]), []).append(i)
    best = 0
    for gram, where in places.items():
        if len(where) > 1:
            times, free = 0, 0
            for i in where:
                if i >= free:
                    times, free = times + 1, i + n
            best = max(best, times * sum(map(len, gram)))
    return best


def duplicate_share(units: list[str], n: int) -> int:
    """Characters of the units inside an n-gram that stood before."""
    seen, inside = set(), set()
    for i in range(len(units) - n + 1):
        gram = tuple(units[i : i + n])
        if gram in seen:
            inside |= set(range(i, i + n))
        seen.add(gram)
    return sum(len(units[i]) for i in inside)


def repeated(pieces: list[str] | list[tuple[str, ...]]) -> list[int]:
    return [i for i, p in enumerate(pieces) if p in pieces[:i]]


def in_lists(clean: str, script: str) -> int:
    """Visible characters of five and more short items with a comma after each, one after the other."""
    total, items, item = 0, [], 0
    for i, c in enumerate(clean + "\n"):
        if c in SPACES:
            continue
        twice = script == "Ethi" and c in ":፡" and i > 0 and clean[i - 1] == c
        comma = c in ",،、，፣"
        empty = comma and not item
        if comma and item:
            items.append(min(item, 25) + 1)
        ends = c in BREAKS or c == ";" or c in TERMINALS or c == EXTRA.get(script) or twice
        item = 0 if ends or comma else item + 1
        if ends or empty or (items and item > 25):
            total += sum(items) if len(items) >= 5 else 0
            items = []
    return total


def capital_runs(clean: str, placed: list[tuple[int, str]]) -> int:
    """Runs of at least three capitalised units, a single space between each and the next."""
    found, run, stop = 0, 0, None
    for at, unit in placed:
        near = stop is not None and at - stop == 1 and clean[stop] in SPACES
        run = (run + 1 if near else 1) if upper(unit[0]) else 0
        found += run == 3
        stop = at + len(unit)
    return found


def measure(text: str, script: str, stop_words: frozenset[str]) -> dict[str, float | None]:
    """Return every column of one text."""

    whole = text
    if script in ("Grek", "Hang") or any(unicodedata.category(c).startswith("M") for c in text):
        text = unicodedata.normalize("NFC", text)
    if script in ("Arab", "Hebr"):
        points = {
            c
            for c in text
            if unicodedata.category(c) == "Mn" and re.match("HEBREW (POINT|ACCENT|MARK)|ARABIC", name(c))
        }
        text = "".join(c for c in text if c not in points or c in KEPT)

    def per(part: float, whole: float) -> float | None:
        return part / whole if whole else None

    raw_lines = re.split("\r\n|[" + BREAKS + "]", text)
    raw_ends = [*re.findall("\r\n|[" + BREAKS + "]", text), ""]
    clean = "".join(c for c in text if unicodedata.category(c) != "Cf")
    category = Counter(unicodedata.category(c) for c in clean if c not in SPACES + BREAKS)
    broken = sum(category[k] for k in ("Cc", "Cn", "Co", "Cs")) + clean.count("\ufffd")
    kind: Counter[str] = Counter()
    for k, count in category.items():
        kind[k[0]] += count
    visible = sum(category.values())
    letters = [c for c in clean if letter(c)]
    foreign = [c for c in letters if name(c) not in NAMES[script] + COMMON]
    cased, grain = script in CASED, UNSPACED.get(script, 1)

    lines, blocks, short, ended, bullets, trailing = [], [], 0, 0, 0, 0
    block: list[str] = []
    for raw, end in zip(raw_lines, raw_ends, strict=True):
        line = "".join(c for c in raw if unicodedata.category(c) != "Cf").strip(SPACES)
        if line:
            lines.append(line)
            block.append(line)
            short += len(units_of(line)) < 5 * grain
            first = re.search(f"[^{SPACES}]", "".join(c for c in line)).group()
            at = raw.index(first)
            bullets += first in BULLETS or (first in "-*+" and raw[at + 1 : at + 2] in (" ", "\t"))
            core = line
            while core and (unicodedata.category(core[-1]) in ("Pe", "Pf", "Pi", "Zs") or core[-1] in "\"'\t"):
                core = core[:-1]
            if core.endswith(("…", "...")):
                trailing += 1
            else:
                twice = script == "Ethi" and core[-1:] in (":", "፡") and core[-2:-1] == core[-1:]
                ended += core[-1:] in TERMINALS or (core[-1:] == EXTRA.get(script) != "") or twice
        if block and (not line or end == "\u2029" or end == ""):
            blocks.append(tuple(block))
            block = []
    placed = units_of(clean)
    units = [u for _, u in placed]
    unit_chars = sum(map(len, units))
    tokens = [t for t in re.split(f"[{SPACES}{BREAKS}]+", clean) if t]
    ends = sentence_ends(clean, script)
    bounds = [0, *(sum(at < e for at, _ in placed) for e in ends), len(units)]
    joined = sum(
        unicodedata.category(b) in ("Lu", "Lt") and case_before(u, i) == "Ll"
        for u in units for i, b in enumerate(u) if i
    )  # fmt: skip
    counts = Counter(units)
    long = sorted((k for u, k in counts.items() if len(u) >= 4), reverse=True)
    first = next((c for c in clean if c not in SPACES + BREAKS), "")
    line_chars = sum(map(len, lines))
    again_lines, again_blocks = repeated(lines), repeated(blocks)
    spaced = script not in UNSPACED
    return {
        "chars": len(text),
        "bytes": len(whole.encode()),
        "units": len(units),
        "mean_word_length": per(unit_chars, len(units)) if spaced else None,
        "longest_word": max(map(len, units), default=0) if spaced else None,
        "alphabetic_word_share": per(sum(any(map(letter, t)) for t in tokens), len(tokens)) if spaced else None,
        "stop_word_share": per(sum(is_stop(u, stop_words) for u in units), len(units)) if stop_words else None,
        "short_word_share": per(sum(len(u) <= 3 for u in units), len(units)) if spaced else None,
        "capital_word_share": per(sum(upper(u[0]) for u in units), len(units)) if cased else None,
        "joined_case_ratio": per(joined, len(units)) if cased else None,
        "separator_ratio": per(sum(not any(unicodedata.category(c)[0] in "LN" for c in t) for t in tokens), len(units)),
        "letter_share": per(kind["L"] + kind["M"], visible),
        "digit_share": per(kind["N"], visible),
        "upper_share": per(
            sum(map(upper, letters)), sum(unicodedata.category(c) in ("Lu", "Lt", "Ll") for c in letters)
        )
        if cased
        else None,
        "punctuation_share": per(kind["P"], visible),
        "symbol_share": per(kind["S"] - clean.count("\ufffd"), visible),
        "white_space_share": per(sum(c in SPACES + BREAKS for c in text), len(text)),
        "foreign_script_share": per(len(foreign), len(letters)),
        "broken_share": per(broken + len(MISREAD.findall(text)), len(text)),
        "gopher_symbol_ratio": per(clean.count("#") + len(re.findall(r"…+|\.{3,}", clean)), len(units)),
        "longest_run": max((len(list(g)) for c, g in groupby(clean) if c not in SPACES + BREAKS), default=0),
        "lines": len(lines),
        "mean_line_length": per(line_chars, len(lines)),
        "short_line_share": per(short, len(lines)),
        "terminal_line_share": per(ended, len(lines)) if script != "Thai" else None,
        "bullet_line_share": per(bullets, len(lines)),
        "ellipsis_line_share": per(trailing, len(lines)),
        "line_break_ratio": per(len(raw_ends) - 1, len(units)),
        "mean_sentence_length": len(units) / max(1, len(ends)) if script != "Thai" else None,
        "longest_sentence": max(b - a for a, b in pairwise(bounds)) if script != "Thai" else None,
        "duplicate_line_share": per(len(again_lines), len(lines)),
        "duplicate_line_char_share": per(sum(len(lines[i]) for i in again_lines), line_chars),
        "duplicate_paragraph_share": per(len(again_blocks), len(blocks)),
        "duplicate_paragraph_char_share": per(sum(len(s) for i in again_blocks for s in blocks[i]), line_chars),
        **{f"top_{n}gram_share": per(top_share(units, n * grain), unit_chars) for n in (2, 3, 4)},
        **{f"duplicate_{n}gram_share": per(duplicate_share(units, n * grain), unit_chars) for n in range(5, 11)},
        "unique_unit_share": per(len(counts), len(units)),
        "unit_entropy": -sum(k / len(units) * log2(k / len(units)) for k in counts.values()) if units else None,
        "compression_ratio": per(len(pa.compress(text.encode(), "lz4_raw", asbytes=True)), len(text.encode())),
        "link_ratio": per(links(text), len(units)),
        "curly_brackets": clean.count("{") + clean.count("}"),
        "placeholders": len(re.findall("lorem ipsum|javascript", text, re.IGNORECASE | re.ASCII)),
        "list_share": per(in_lists(clean, script), visible),
        "capital_run_ratio": per(capital_runs(clean, placed), len(units)) if cased else None,
        "opens_small": int(first != "" and unicodedata.category(first) == "Ll") if cased else None,
        "top_word_share": per(sum(long[:1]), len(units)) if spaced else None,
        "top_words_share": per(sum(long[:5]), len(units)) if spaced else None,
    }


def upper(c: str) -> bool:
    return unicodedata.category(c) in ("Lu", "Lt")


def case_before(unit: str, i: int) -> str:
    """The category of the last letter or digit before position i, unless a joiner stands between."""
    for c in reversed(unit[:i]):
        if unicodedata.category(c)[0] != "M":
            return unicodedata.category(c)
    return ""


def is_stop(unit: str, stop_words: frozenset[str]) -> bool:
    return any(unit in (w, w.capitalize(), w.upper()) for w in stop_words)


def links(text: str) -> int:
    """Addresses, by what stands before (characters without appearance aside) and what follows."""
    found = 0
    for m in re.finditer(r"(?i:www\.)|://|@(?=[A-Za-z0-9\-]+\.[A-Za-z])", text):
        before = "".join(c for c in text[: m.start()] if unicodedata.category(c) != "Cf")[-1:]
        allowed = {":": "[A-Za-z]", "@": r"[A-Za-z0-9._%+\-]"}.get(m[0][0], "[^A-Za-z/]|$")
        found += bool(re.match(allowed, before))
    return found
