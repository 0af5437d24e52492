"""What a judge's reply says: A, B, a tie, or nothing that can be used.

A judge is asked for one word and writes what it is used to write: a letter in bold or in brackets, JSON in a fence,
reasons and then the verdict, the verdict and then its reasons, all of it after a block of reasoning. A verdict is one
that stands alone: as the whole reply, as its last or its first line, behind a word for "answer", or under a key of
JSON. Of several the last counts. A reply that only mentions a letter is none.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from glotmix.core import json_text, reasoning

_KEYS = ("answer", "verdict", "winner", "choice", "preference", "preferred", "better", "judgement", "judgment",
         "decision", "label", "result", "final_answer")  # fmt: skip
_LABELS = ("answer", "final answer", "my answer", "the answer", "verdict", "final verdict", "my verdict", "winner",
           "choice", "my choice", "judgement", "judgment", "decision", "preference", "preferred", "preferred document",
           "better", "better document", "the better document", "conclusion", "result")  # fmt: skip
_SAID = r"(?:document\s+|option\s+)?(A|B|TIE)"
_ALONE = re.compile(
    rf"\W*(?:it\s+is\s+|it's\s+)?(?:a\s+(?=tie))?(?:\\boxed\W*(?:\\text\W*)?)?{_SAID}\W*", re.IGNORECASE
)
_THE_ANSWER_IS = re.compile(rf".*\banswer\W+is\W+{_SAID}\W*", re.IGNORECASE)
_FENCED = re.compile(r"```[^\n`]*\n?(.*?)```", re.DOTALL)
_OBJECT = re.compile(r"\{[^{}]*\}", re.DOTALL)
_ALIKE = str.maketrans("АВ", "AB")
"""Cyrillic letters that a judge writes for the Latin ones."""


def understood(reply: str) -> tuple[str | None, str]:
    """Return ``a``, ``b`` or ``tie`` and an empty reason; or None and why the reply is no verdict.

    >>> [understood(r)[0] for r in ("A", "**B**.", "Both are bad.\\nAnswer: tie", '{"answer": "A"}', "A or B?")]
    ['a', 'b', 'tie', 'a', None]
    >>> [understood(r)[0] for r in ("<think>A?</think>\\nB", "A\\n\\nIt is prose.", "Réponse : B", "[[A]]", "Not A")]
    ['b', 'a', 'b', 'a', None]
    """
    thought, text = reasoning.split(unicodedata.normalize("NFKC", reply))
    if not text:
        told = "the reasoning never came to an answer (raters.ask.max_tokens?)" if thought else "the reply is empty"
        return None, told
    by_key = list(_of_json(text))
    if by_key:
        # A key under which stands neither is an answer, and none that can be used.
        return (by_key[-1], "") if by_key[-1] is not None else (None, "the reply's answer is neither A, B nor TIE")
    lines = [
        line.strip() for line in reasoning.unfenced(text).splitlines() if line.strip() and not line.startswith("```")
    ]
    labelled = [line for line in reversed(lines) if _behind_a_label(line) is not None]
    # A letter on a line in the midst is a heading, as a rule, and then the first line is one as well.
    headings = {_of_line(line) for line in lines} - {None}
    first = lines[:1] if len(headings) == 1 else []
    for line in (" ".join(lines), *lines[-1:], *labelled, *first):
        if (said := _of_line(line)) is not None:
            return said, ""
    return None, "the reply is neither A, B nor TIE"


def _behind_a_label(line: str) -> str | None:
    label, colon, rest = re.sub(r"[*_#>`]", "", line).partition(":")
    return rest if colon and _folded(label) in _answers() else None


def _of_line(line: str) -> str | None:
    behind = _behind_a_label(line)
    bare = (line if behind is None else behind).translate(_ALIKE)
    found = _ALONE.fullmatch(bare) or _THE_ANSWER_IS.fullmatch(bare)
    return found[1].lower() if found else None


def _of_json(text: str) -> Iterator[str | None]:
    """Yield what stands under each key that means an answer, in all objects of a text."""
    for part in (text, *_FENCED.findall(text), *_OBJECT.findall(text)):
        try:
            told = json_text.loads(part)
        except ValueError:
            continue
        values = list(_values(told))
        if values:
            yield from values
            return


def _values(told: Any) -> Iterator[str | None]:
    if not isinstance(told, dict):
        return
    for key, value in told.items():
        if str(key).strip().casefold().replace(" ", "_") in _KEYS:
            found = _ALONE.fullmatch(value.translate(_ALIKE)) if isinstance(value, str) else None
            yield found[1].lower() if found else None


def _folded(label: str) -> str:
    # Thai's sara am, for one, is two signs in this form.
    return unicodedata.normalize("NFKC", label).strip().casefold()


@cache
def _answers() -> frozenset[str]:
    """Return words for "answer": English ones, and those of the prompts of all languages."""
    rows = (files("glotmix") / "data" / "prompts.tsv").read_text("utf-8").splitlines()
    words = [_folded(row.split("\t")[3]) for row in rows if row and not row.startswith("#")]
    return frozenset((*_LABELS, *words))
