"""Answers that are none: marks of nothing found, and refusals."""

import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

_MARK = re.compile(
    r"[\[<(]\s*(?:invalid|no[ _-]?(?:answer|match|output|response)|none|null|nan|n/?a|empty|error|failed|unpars[e]?able"
    r"|(?:extraction|parsing)[ _-](?:failed|error))\s*[\])>]|n/a|nan|null",
    re.IGNORECASE,
)
_WITHIN = 24
"""Characters before a refusal: an answer that comes to one later says more than that."""


def mark(answer: str) -> bool:
    """Say whether a text is what a program writes where it found no answer; ``invalid`` alone may be one.

    >>> mark("[invalid]"), mark(" [No answer] "), mark("N/A"), mark("invalid"), mark("[3]")
    (True, True, True, False, False)
    """
    return _MARK.fullmatch(answer.strip()) is not None


def refusal(answer: str, lang: str, wanted: Sequence[str] = ()) -> bool | None:
    """Say whether an answer begins by declining; None where no phrases of its language are known.

    >>> refusal("Es tut mir leid, aber ich kann das nicht beantworten.", "deu_Latn")
    True
    """
    table = _refusals()
    known = [code for code in dict.fromkeys((lang, *wanted)) if code in table]
    start = answer.lstrip()[:160].casefold().replace("’", "'")
    phrases = (phrase for code in dict.fromkeys((*known, "eng_Latn")) for phrase in table[code])
    if any(_declines(start, phrase) for phrase in phrases):
        return True
    return False if known else None


def _declines(start: str, phrase: str) -> bool:
    """Say whether a phrase stands at the beginning, and is no part of a longer word (``as an AI-generated``)."""
    at = start.find(phrase, 0, _WITHIN + len(phrase))
    return at >= 0 and not re.match(r"[a-z]|-[a-z]", start[at + len(phrase) :])


@cache
def _refusals() -> dict[str, tuple[str, ...]]:
    text = (files("glotmix") / "data" / "refusals.tsv").read_text("utf-8")
    rows = (line.split("\t") for line in text.splitlines() if line and not line.startswith("#"))
    return {lang: tuple(p.replace("’", "'") for p in phrases.split("|")) for lang, phrases in rows}
