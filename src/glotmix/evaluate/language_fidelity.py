"""Is the answer in the language of the question? Fidelity as in MultiQ (arXiv 2403.03814), with glotmix's identifier.

The identifier is handed in: it takes texts and returns canonical codes, null where a text has no language (a number, a
letter). Such answers are counted and stand in no share. A code counts as the question's language where the two are
compatible (`glotmix.core.language`): ``hrv_Latn`` is faithful to ``hbs_Latn``.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from glotmix.core import reasoning, unanswered, warning
from glotmix.core.errors import DataError
from glotmix.core.language import compatible, parse
from glotmix.core.shown import Sheet, Shown
from glotmix.evaluate.answers import Answers
from glotmix.evaluate.consistency import Figure, shares, told

Identifier: TypeAlias = Callable[[pa.Array], pa.Array]


@dataclass(frozen=True)
class Crossed:
    """Answers by correctness and fidelity: counts."""

    right_faithful: int
    right_other: int
    wrong_faithful: int
    wrong_other: int


@dataclass(frozen=True)
class OfLanguage:
    """The answers to questions in one language.

    Args:
        lang: of the questions.
        answers: how many.
        unidentified: answers that have no language.
        faithful: share of the identified ones in the question's language.
        english: share of the identified ones in English, where the question is not.
        confusion: how many answers are in each language, the most frequent first.
        crossed: with correctness; None where the log does not judge.
        accuracy_faithful: accuracy of the faithful answers.
        accuracy_other: and of the others.
    """

    lang: str
    answers: int
    unidentified: int
    faithful: Figure | None
    english: Figure | None
    confusion: dict[str, int]
    crossed: Crossed | None
    accuracy_faithful: Figure | None
    accuracy_other: Figure | None


@dataclass(frozen=True, repr=False)
class Fidelity(Shown):
    """One model: every language, and `faithful` of all answers together."""

    model: str
    languages: tuple[OfLanguage, ...]
    faithful: Figure | None
    warnings: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data, ready for JSON: missing is None."""
        return asdict(self)

    def sheet(self) -> Sheet:
        """See `Shown`."""
        rows = [
            (one.lang, one.answers, one.unidentified, told(one.faithful), next(iter(one.confusion), None))
            for one in self.languages
        ]
        notes = [f"all answers: {told(self.faithful)} faithful", *(warning.line(text) for text in self.warnings)]
        return Sheet(self.model, ("asked in", "answers", "none", "faithful", "most are in"), rows, notes)


def fidelity(answers: Answers, identify: Identifier, langs: Sequence[str] | None = None) -> Fidelity:
    """Say in which language answers are.

    Args:
        answers: a log of generated answers.
        identify: from texts, (n,) strings, to canonical codes, null for no language.
        langs: canonical codes of the questions' languages to look at; None for all.

    Raises:
        DataError: if the log has no generated answers.
    """
    table = answers.table.filter(pc.is_valid(answers.table["response"]))
    if not len(table):
        raise DataError(
            f"{answers.model}: the log has no generated answers, only choices",
            "tasks of lm-eval's output type generate_until, or a table with a column 'response'",
        )
    found = identify(_spoken(table["response"]))
    asked = table["lang"].to_pylist()
    right = _right(table)
    told = found.to_pylist()
    languages = []
    for lang in sorted(set(asked) if langs is None else set(langs) & set(asked)):
        rows = [i for i, a in enumerate(asked) if a == lang]
        languages.append(_of(lang, [told[i] for i in rows], None if right is None else [right[i] for i in rows]))
    faithful, known = 0, 0
    for each in languages:
        known += each.answers - each.unidentified
        faithful += sum(n for code, n in each.confusion.items() if _fits(each.lang, code))
    return Fidelity(answers.model, tuple(languages), _share(faithful, known), answers.notes)


def _spoken(responses: pa.ChunkedArray) -> pa.Array:
    """Return what is said in answers: a fence around the whole and blocks of code beside other words taken away."""
    found = []
    for text in responses.to_pylist():
        # A mark of nothing found is in no language.
        bare = "" if unanswered.mark(text) else reasoning.unfenced(text)
        rest = reasoning.FENCED.sub(" ", bare)
        found.append(rest if any(c.isalpha() for c in rest) else bare)
    return pa.array(found, pa.string())


def _right(table: pa.Table) -> list[bool] | None:
    """Return which answers are right, by the table or the log, else by their choices; None where nothing says it."""
    logged = pc.if_else(pc.is_in(table["logged"], pa.array([0.0, 1.0])), pc.equal(table["logged"], 1.0), None)
    chosen = pc.if_else(pc.is_valid(table["gold"]), pc.fill_null(pc.equal(table["raw"], table["gold"]), False), None)
    judged = pc.coalesce(table["correct"], logged, chosen)
    return None if judged.null_count else list(judged.to_pylist())


def _fits(asked: str, found: str) -> bool:
    return compatible(parse(asked), parse(found))


def _of(lang: str, found: list[str | None], right: list[bool] | None) -> OfLanguage:
    counts = Counter(code for code in found if code is not None)
    fits = {code: _fits(lang, code) for code in counts}
    known = counts.total()
    faithful = sum(n for code, n in counts.items() if fits[code])
    crossed = None
    if right is not None:
        cells = Counter((r, fits[c]) for c, r in zip(found, right, strict=True) if c is not None)
        crossed = Crossed(cells[True, True], cells[True, False], cells[False, True], cells[False, False])
    return OfLanguage(
        lang,
        len(found),
        len(found) - known,
        _share(faithful, known),
        None if lang.startswith("eng_") else _share(sum(n for c, n in counts.items() if c.startswith("eng_")), known),
        dict(sorted(counts.items(), key=lambda each: (-each[1], each[0]))),
        crossed,
        _share(crossed.right_faithful, crossed.right_faithful + crossed.wrong_faithful) if crossed else None,
        _share(crossed.right_other, crossed.right_other + crossed.wrong_other) if crossed else None,
    )


def _share(hits: int, n: int) -> Figure | None:
    return shares(np.array([hits]), n)[0] if n else None
