"""What the identifier cannot know of a language: measured confusions, groups that it cannot tell apart, thresholds.

``data/identification.tsv`` holds, for py3langid and the languages of edited text, how often a rightly declared document
reads as its language, with which others it is confused, and from which score on a reading as yet another language is a
false alarm in at most 0.5 % of documents. Two languages are in one group where either is confused with the other, or
where they are members of one macro-language that tells them apart by words alone.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from glotmix.core.errors import RequestError
from glotmix.core.language import Language, parse

VERSION = 2
FILE = Path(str(files("glotmix") / "data" / "identification.tsv"))
COLUMNS = ("lang", "known", "pieces", "right", "least", "together", "reads_as")

ELSEWHERE = 0.9
"""The least score that counts for a language that was not measured, and for other models."""

NAMED = 12
"""Languages that a sentence names; the record of the signal has all."""

_ALIKE = (
    ("bos", "hrv", "srp", "cnr", "hbs"),
    ("msa", "zsm", "ind", "zlm", "mly"),
    ("yue", "cmn", "zho", "wuu", "hak", "nan", "gan"),
    ("heb", "hbo"),
    ("ell", "grc"),
)
"""ISO 639-3 codes of languages that no identifier tells apart in one script at a document's length. Old Hebrew is known
by its vowels and old Greek by its accents; modern poems, prayers, and books from before 1982 have them, too."""


@dataclass(frozen=True)
class Measured:
    """What is known of a declared language.

    Args:
        least: the score from which a reading as another language counts.
        together: languages that its documents read as, and that cannot be told from it.
        reads_as: the other language that most read as; None for none.
        pieces: how many were looked at.
    """

    least: float
    together: frozenset[str]
    reads_as: str | None
    pieces: int


@cache
def measured() -> dict[str, Measured]:
    """Return what was measured, by language."""
    found = {}
    for line in FILE.read_text("utf-8").splitlines():
        if line.startswith(("#", "lang\t")):
            continue
        lang, _, pieces, _, least, together, reads_as = line.split("\t")
        group = frozenset(together.split(",")) if together else frozenset()
        found[lang] = Measured(float(least), group, reads_as or None, int(pieces))
    return found


def least(lang: str, model: str) -> float:
    """Return the score from which a reading as another language counts, for documents declared in a language."""
    known = measured().get(lang) if model == "py3langid" else None
    return ELSEWHERE if known is None else known.least


@cache
def apart(declared: str, label: str) -> bool:
    """Say whether two languages can be told apart: where they cannot, a label is never a reason to drop."""
    one, other = _iso(declared), _iso(label)
    if one == other or any(one in group and other in group for group in _ALIKE):
        return False
    held = measured()
    mine, theirs = held.get(declared), held.get(label)
    if mine is not None and label in mine.together:
        return False
    return not (theirs is not None and declared in theirs.together)


def unknown(langs: Iterable[str], knows: Callable[[Language], bool]) -> list[str]:
    """Return a sentence about the languages that a model does not know, and what they read as; none where it knows all.

    Args:
        langs: canonical codes.
        knows: says whether the model knows a language: see `language_id.knows`.
    """
    found = [lang for lang in sorted(set(langs)) if not knows(parse(lang))]
    if not found:
        return []
    reads = {lang: known.reads_as for lang in found if (known := measured().get(lang)) is not None and known.reads_as}
    fix = "signals.identify.model=PATH of a fastText model that knows"
    if len(found) == 1:
        (lang,) = found
        said = f"they mostly read as {reads[lang]}" if reads else "as what they read was not measured"
        return [
            f"the identifier does not know {lang}: a wrong language among its documents cannot be found; {said} "
            f"({fix} it)"
        ]
    named = [f"{lang} (mostly reads as {reads[lang]})" if lang in reads else lang for lang in found]
    if len(named) > NAMED:
        named[NAMED:] = [f"{len(named) - NAMED} more"]
    told = f"{', '.join(named[:-1])} and {named[-1]}"
    return [f"the identifier does not know {told}: a wrong language among their documents cannot be found ({fix} them)"]


def _iso(code: str) -> str:
    try:
        return parse(code).iso
    except RequestError:
        return code[:3]
