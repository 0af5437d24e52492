"""Option markers in generated answers: ``B``, ``(ب)``, ``选项Ｂ``, ``Ответ: Б``, ``답: 나``.

A parser keyed on English prefixes silently yields nothing in other languages. Here the marker may be a letter of Latin
in any width, or of a series that a script counts options with; what cannot be read is null, and is counted.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from glotmix.core import reasoning, unanswered

SERIES = {
    "Latn": "ABCDEFGHIJ",
    "Cyrl": "АБВГДЕЖЗ",
    "Grek": "ΑΒΓΔΕΖΗΘ",
    "Arab": "أبجدهوزح",
    "Hebr": "אבגדהוזח",
    "Deva": "कखगघङचछज",
    "Beng": "কখগঘঙচছজ",
    "Thai": "กขคงจฉชซ",
    "Hani": "甲乙丙丁戊己庚辛",
    "Hang": "가나다라마바사아",
    "Kana": "アイウエオカキク",
    "Ethi": "ሀለሐመሠረሰሸ",
}
"""What options are counted with, by script."""

_FOLDED = {"ا": "أ", "إ": "أ", "آ": "أ"}
_SHAPES = dict(zip("АВСЕНΑΒΕΗΙ", "ABCEHABEHI", strict=True))
_MARKS = (")", ":", ".", "：", "．", "）", "、", "]", "】")
_OPENS, _CLOSES = "([{（【「『〔《*", ")]}）】」』〕》.:,、。،।;：．*"


_REASONS = r"(?i)think|thought|reason|scratchpad|channel|analysis|solution|response|answer>"
"""What every mark of reasoning holds, to look more closely at these texts alone."""


def spoken(texts: Sequence[str | None]) -> tuple[pa.Array, int, int]:
    """Return generated texts without the reasoning before the answer, from how many it was taken, and how many of
    these hold no answer."""
    column = pa.array(texts, pa.string())
    marked = pc.fill_null(pc.match_substring_regex(column, _REASONS), False).to_numpy(zero_copy_only=False)
    found, taken, nothing = list(texts), 0, 0
    for at in marked.nonzero()[0].tolist():
        whole = texts[at] or ""
        rest = reasoning.answer(whole)
        if rest != whole:
            found[at] = rest
            taken += 1
            nothing += not rest
    return pa.array(found, pa.string()), taken, nothing


def plain(
    texts: pa.Array | pa.ChunkedArray, lang: str | None = None, nothing: frozenset[str] = frozenset()
) -> pa.Array | pa.ChunkedArray:
    """Return open answers as they are compared, without white space at their ends or a fence around them.

    Null is what is no answer: an empty text, a mark of nothing found (``[invalid]``), a refusal. What is right stays
    the log's decision; this says only when two languages' answers are one.

    Args:
        texts: what was answered.
        lang: of the questions, for refusals; None to look for none (right answers).
        nothing: further texts that mark that nothing was found.
    """
    known: dict[str | None, str | None] = {None: None}
    for text in texts.unique().to_pylist():
        if text is not None:
            bare = reasoning.unfenced(text).strip()
            declined = lang is not None and bool(unanswered.refusal(bare, lang))
            known[text] = None if not bare or bare in nothing or unanswered.mark(bare) or declined else bare
    return pa.array([known[text] for text in texts.to_pylist()], pa.string())


def position(text: str) -> int | None:
    """Return the position that a table's value means: a number, or a letter of a series; None for anything else.

    >>> [position(t) for t in ("0", "B", "c", "(D)", "ب", "В", "나", "maybe", "1.5")]
    [0, 1, 2, 3, 1, 2, 1, None, None]
    """
    bare = unicodedata.normalize("NFKC", text).strip(" ()[].:")
    if bare.isdecimal() or (bare[:1] == "-" and bare[1:].isdecimal()):
        return int(bare)
    if len(bare) != 1:
        return None
    letter = _FOLDED.get(bare, bare).upper()
    return next((series.find(letter) for series in SERIES.values() if letter in series), None)


def asked(prompt: str) -> tuple[str, int] | None:
    """Return the script that a prompt marks its options with and how many there are, None where it marks none.

    >>> asked("السؤال: ؟\\nالخيار A: نعم\\nالخيار B: لا\\nالإجابة:"), asked("А) да\\nБ) нет"), asked("1 + 1 =")
    (('Latn', 2), ('Cyrl', 2), None)
    """
    best: tuple[str, int] | None = None
    for script, letters in SERIES.items():
        number = 0
        for letter in letters:
            at = [m.start() for m in re.finditer(re.escape(letter), prompt)]
            if not any(_stands(prompt, i, script) and prompt[i + 1 : i + 2] in _MARKS for i in at):
                break
            number += 1
        if number > max(1, best[1] if best else 1):
            best = script, number
    return best


def marker(text: str, options: int, script: str = "Latn") -> int | None:
    """Return the position of the one option that an answer names, None where it names none or several.

    Options are looked for in the prompt's own series and in Latin letters. A letter counts alone, in brackets, before a
    closing sign, at the end, or where nothing else is written in its script; as a word among others it does not: ``A
    cat`` names no option. To a prompt with Latin markers, a Cyrillic or Greek letter of the same shape is meant as one.

    Args:
        text: the answer.
        options: how many there are.
        script: of the markers in the prompt, see `asked`.

    >>> [marker(t, 4) for t in ("B", "选项Ｃ", "Ответ: В", "A cat sat.", "A or B", "D. blue", "答案是C")]
    [1, 2, 1, None, None, 3, 2]
    >>> marker("الإجابة (ج)", 4, "Arab"), marker("Ответ: В", 4, "Cyrl"), marker("답: 라", 4, "Hang")
    (2, 2, 3)
    """
    folded = "".join(_FOLDED.get(c, c) for c in unicodedata.normalize("NFKC", text)).strip()
    if script == "Latn":
        folded = "".join(_alike(folded, i) for i in range(len(folded)))
    named: set[int] = set()
    others: set[int] = set()
    for series in dict.fromkeys((script, "Latn")):
        for at, character in enumerate(folded):
            position = SERIES[series][:options].find(character.upper() if len(folded) == 1 else character)
            if position < 0 or not _stands(folded, at, series):
                continue
            before, after = folded[at - 1 : at], folded[at + 1 : at + 2]
            marked = after in _CLOSES or (before and before in _OPENS) or not _has_more(folded, series, at)
            (named if marked else others).add(position)
    return named.pop() if len(named) == 1 and not others - named else None


def _alike(text: str, at: int) -> str:
    stands = text[at] in _SHAPES and not any(c.isalpha() for c in (text[at - 1 : at] + text[at + 1 : at + 2]))
    return _SHAPES[text[at]] if stands else text[at]


def _stands(text: str, at: int, script: str) -> bool:
    """Say whether a letter is no part of a word of its own script."""
    return not any(_joins(text[i : i + 1], script) for i in ((at - 1,) if at else ()) + (at + 1,))


def _joins(neighbour: str, script: str) -> bool:
    """Say whether a neighbouring character makes the letter part of a word of its own script."""
    return (
        bool(neighbour)
        and (neighbour.isalpha() or unicodedata.category(neighbour)[0] == "M")
        and (_script(neighbour) == script)
    )


def _has_more(text: str, script: str, at: int) -> bool:
    return any(c.isalpha() and _script(c) == script for i, c in enumerate(text) if i != at)


_NAMES = {
    "LATIN": "Latn", "CYRILLIC": "Cyrl", "GREEK": "Grek", "ARABIC": "Arab", "HEBREW": "Hebr", "DEVANAGARI": "Deva",
    "BENGALI": "Beng", "THAI": "Thai", "CJK": "Hani", "HANGUL": "Hang", "KATAKANA": "Kana", "ETHIOPIC": "Ethi",
}  # fmt: skip


def _script(character: str) -> str:
    return _NAMES.get(unicodedata.name(character, "?").split(" ", 1)[0], "Zzzz")


def choose(texts: Iterable[str | None], prompts: Iterable[str]) -> tuple[pa.Array, pa.Array]:
    """Return how many options each prompt has and the position of the one that each text names (null: unreadable)."""
    counts: list[int | None] = []
    found: list[int | None] = []
    for text, prompt in zip(texts, prompts, strict=True):
        there = asked(prompt)
        counts.append(there and there[1])
        found.append(None if text is None or there is None else marker(text, there[1], there[0]))
    return pa.array(counts, pa.int32()), pa.array(found, pa.int32())
