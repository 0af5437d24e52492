"""What is to be looked at: one sentence for each kind and source, however many languages it is of."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

NAMED = 12
"""Languages that a sentence names; all stand in ``verdict.json``."""


_HARM: Mapping[str, float] = {
    "misspelt": 4.0, "language": 3.0, "broken": 3.0, "junk": 2.0, "quarter": 2.0, "loses": 2.0, "repeated": 1.0,
    "lost": 4.0, "source": 0.7, "length": 0.5, "stray": 0.5, "domain": 0.5, "form": 0.3, "few": 0.3,
    "unknown": 0.3, "unmeasured": 0.1,
}  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """One thing to say.

    Args:
        kind: see `_HARM`.
        langs: the languages that it is about; empty for the whole corpus.
        text: the sentence, with its numbers.
        do: the command or setting that shows or mends it.
        share: of the corpus's bytes that it is about, 0 to 1.
    """

    kind: str
    langs: tuple[str, ...]
    text: str
    do: str
    share: float

    @property
    def harm(self) -> float:
        """Its place in the order."""
        return _HARM[self.kind] * self.share


_ALIKE = frozenset({"language", "broken", "junk", "repeated"})
"""Kinds of which a language's sentence differs from another's in its numbers alone."""


def likewise(found: Iterable[Finding]) -> list[Finding]:
    """Return findings with those that are alike as one: the gravest language in full, the others by name."""
    groups: dict[tuple[object, ...], list[Finding]] = {}
    for one in sorted(found, key=lambda one: (-one.harm, one.kind, one.langs)):
        groups.setdefault((one.kind,) if one.kind in _ALIKE else (one.kind, one.langs, one.text), []).append(one)
    made = []
    for first, *others in groups.values():
        langs = tuple(lang for one in (first, *others) for lang in one.langs)
        text = f"{first.text}; likewise {listed(langs[1:])}" if others else first.text
        made.append(replace(first, langs=langs, text=text, share=first.share + sum(one.share for one in others)))
    return made


@dataclass(frozen=True)
class Warned:
    """Something to look at in the table.

    Args:
        kind: ``loses``, ``quarter``, ``source``, ``form``, ``length`` or ``domain``.
        lang: the language.
        source: the source, or the domain; empty for a finding on the language.
        figures: the numbers of its sentence, by the names that `_FIGURES` has.
        fix: what to type.
        bytes: of the text that it is about.
        rule: the rule that it is about; empty for none.
    """

    kind: str
    lang: str
    source: str
    figures: Mapping[str, float]
    fix: str
    bytes: int
    rule: str = ""

    @property
    def text(self) -> str:
        """What was found, with its numbers."""
        return told([self])


_FIGURES: Mapping[str, Callable[[float], str]] = {
    "share": "{:.0%}".format, "base": "{:.0%}".format, "auc": "{:.0%}".format, "score": "{:.2f}".format,
    "rho": "{:+.2f}".format, "read": "{:,.0f}".format, "of": "{:,.0f}".format, "chars": "{:,.0f}".format,
    "others": "{:,.0f}".format,
}  # fmt: skip

_SAID: Mapping[str, tuple[str, str]] = {
    "loses": (
        "{source} loses {share} of its {read} documents in {langs} to rules on the text, the other sources of the "
        "language {base}; most to {rule}",
        "{source} loses {share} of its documents in {langs} to rules on the text, the other sources of these languages "
        "{base}; most to {rule}",
    ),
    "quarter": (
        "of {source} in {langs} {share} of {read} documents are kept; most are lost to {rule}",
        "of {source} in {langs} {share} of the documents are kept; most are lost to {rule}",
    ),
    "source": (
        "in {langs} the source alone tells the score: a document of {source} scores below one of the others {auc} of "
        "the time (median {score}): worse text, or text of another form",
    ) * 2,
    "length": (
        "in {langs} the score follows the length (rank correlation {rho}, {read} documents)",
        "in {langs} the score follows the length (rank correlation {rho})",
    ),
    "form": (
        "{source} in {langs} holds text of another form: {chars} characters a document, the other sources {others}; "
        "ranked together, {share} of it are kept and {base} of theirs",
    ) * 2,
    "domain": (
        "{source} is {share} of the text that is kept of {langs} ({read} of {of} documents)",
        "{source} is {share} of the text that is kept of {langs}",
    ),
}  # fmt: skip
"""What is said of one language, and of several, by kind."""


def told(group: Sequence[Warned]) -> str:
    """Return the sentence for findings of one kind, source and rule; their numbers as ranges.

    >>> one, two = (Warned("length", lang, "", {"rho": rho, "read": 80}, "", 1)
    ...             for lang, rho in (("hin_Deva", 0.65), ("tha_Thai", -0.7)))
    >>> told([one])
    'in hin_Deva the score follows the length (rank correlation +0.65, 80 documents)'
    >>> told([one, two])
    'in hin_Deva and tha_Thai the score follows the length (rank correlation -0.70 to +0.65)'
    """
    first = group[0]
    figures = {name: _range([one.figures[name] for one in group], _FIGURES[name]) for name in first.figures}
    text = _SAID[first.kind][len(group) > 1]
    return text.format(langs=listed([one.lang for one in group]), source=first.source, rule=first.rule, **figures)


def together(found: Iterable[Warned]) -> list[list[Warned]]:
    """Return the findings that are one thing to look at: of one kind, source and rule; the most text first."""
    groups: dict[tuple[str, str, str], list[Warned]] = {}
    for one in sorted(found, key=lambda one: (-one.bytes, one.lang)):
        groups.setdefault((one.kind, one.source, one.rule), []).append(one)
    return list(groups.values())


def fix(group: Sequence[Warned]) -> str:
    """Return what to type about findings that are one thing to look at."""
    first = group[0].fix
    return first if all(one.fix == first for one in group) else f"{first}, and likewise the others"


def listed(langs: Sequence[str]) -> str:
    """Name languages in a sentence.

    >>> listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])
    ('a', 'a and b', 'a, b and c')
    """
    *others, last = langs[:NAMED] if len(langs) <= NAMED else [*langs[:NAMED], f"{len(langs) - NAMED} more"]
    return f"{', '.join(others)} and {last}" if others else last


def _range(values: Sequence[float], written: Callable[[float], str]) -> str:
    low, high = written(min(values)), written(max(values))
    if low == high:
        return low
    return f"{low} to {high}" if low[0] in "+-" else f"{low.removesuffix('%')}–{high}"
