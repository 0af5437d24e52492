"""Rankings: documents compete in groups by falling key, ties are broken by id, and a line divides who is kept.

A line is the last document that is kept: whoever knows it decides any other document by itself, wherever that stands.
In memory lines are found by sorting (here), of documents on disk by search (`select.search`): the same lines.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol, TypeAlias, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from glotmix.core.rules import RuleHits
from glotmix.select.sample import Draw

Group: TypeAlias = tuple[str, str | None]
"""A language and, in it, a source or a domain: empty where a document has none, None for the whole language."""

ALL: Group = ("", None)
"""The one group where all languages compete."""

LAST = 2**64 - 1
"""The place of a document without a key."""

_MOST = 2**62


@dataclass(frozen=True)
class Cutoff:
    """Where retention cut one language: the lowest quantile that is kept (None where documents were drawn, and no
    quantile divides them), and how that came about."""

    quantile: float | None
    kept: int
    of: int
    reason: str


class Told(Sequence[str]):
    """n texts, each written when it is asked for: where many documents fall, their evidence would fill the memory.

    Args:
        tell: writes the text at a position.
        n: how many there are.
    """

    def __init__(self, tell: Callable[[int], str], n: int) -> None:
        self._tell = tell
        self._n = n

    def __len__(self) -> int:
        return self._n

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> list[str]: ...
    def __getitem__(self, at: int | slice) -> str | list[str]:
        if isinstance(at, slice):
            return [self._tell(i) for i in range(*at.indices(self._n))]
        return self._tell(range(self._n)[at])


@dataclass(frozen=True)
class Held:
    """What is left of a language, of all documents or of some: the lowest quantile, how many, and of how many."""

    quantile: float = np.inf
    kept: int = 0
    of: int = 0
    line: float = np.inf
    """The lowest score that was asked for, where one was."""

    def __add__(self, other: "Held") -> "Held":
        low, line = np.minimum(self.quantile, other.quantile), np.minimum(self.line, other.line)
        return Held(float(low), self.kept + other.kept, self.of + other.of, float(line))

    def cutoff(self, reason: str) -> Cutoff:
        """Return it as a line of the record."""
        return Cutoff(self.quantile if self.kept else 1.0, self.kept, self.of, reason)


@dataclass(frozen=True)
class Line:
    """The last document of a group that is kept, if any is: its place and id; and how many are kept, of how many."""

    kept: int
    of: int
    place: int = 0
    id: str = ""
    quantile: float = 1.0

    def passed(self, places: NDArray[np.uint64], ids: pa.ChunkedArray) -> NDArray[np.bool_]:
        """Return (n,) booleans: the documents that stand behind the line."""
        if not self.kept:
            return np.ones(len(places), bool)
        at = np.uint64(self.place)
        behind = places > at
        same = np.flatnonzero(places == at)
        behind[same] = pc.greater(ids.take(pa.array(same)), self.id).to_numpy(zero_copy_only=False)
        return behind


def places(key: NDArray[np.floating]) -> NDArray[np.uint64]:
    """Return (n,) numbers in the opposite order of (n,) keys: the largest key first, NaN (no key) last.

    >>> places(np.array([2.0, 0.0, -0.0, -1.0, np.nan])).argsort(kind="stable").tolist()
    [0, 1, 2, 3, 4]
    """
    # Adding 0 makes one zero of both. The bits of floats are in the order of their sizes.
    bits = (key.astype(np.float64) + 0.0).view(np.uint64)
    sign = np.uint64(1) << np.uint64(63)
    down = np.where(bits >= sign, bits, ~(bits | sign))
    down[np.isnan(key)] = LAST
    return down


def line(
    place: NDArray[np.uint64],
    ids: pa.ChunkedArray,
    quantile: NDArray[np.floating],
    enough: float,
    amounts: NDArray[np.integer] | None = None,
) -> Line:
    """Return where the ranking of n documents is cut.

    Args:
        place: (n,) from `places`.
        ids: n.
        quantile: (n,).
        enough: how many documents are kept or, with amounts, how much: the document that crosses the line is kept.
        amounts: (n,) what each adds up to.
    """
    n = len(place)
    order = pc.sort_indices(
        pa.table({"place": place, "id": ids}), sort_keys=[("place", "ascending"), ("id", "ascending")]
    ).to_numpy()
    cut = whole(enough) if amounts is None else int(np.searchsorted(np.cumsum(amounts[order]), whole(enough))) + 1
    cut = min(cut, n)
    if not cut:
        return Line(0, n)
    at = int(order[cut - 1])
    return Line(cut, n, int(place[at]), ids[at].as_py(), float(quantile[at]))


def whole(enough: float) -> int:
    """Return the whole number from which on there is enough."""
    return int(np.ceil(min(enough, _MOST)))


class Contest(Protocol):
    """Documents that compete, in groups."""

    @property
    def size(self) -> str | None:
        """The column that is added up until there is enough; None where documents are counted."""

    def groups(self, documents: pa.Table, alive: NDArray[np.bool_]) -> Iterator[tuple[Group, NDArray[np.int64]]]:
        """Yield each group that competes, with the positions of its living documents, increasing."""

    def key(self, group: Group, own: pa.Table) -> NDArray[np.floating]:
        """Return (n,) what the n documents of a group go by, the largest first."""

    def enough(self, group: Group, of: int) -> float:
        """Return how much of a group of so many documents is kept."""


def competing(
    contest: Contest, documents: pa.Table, alive: NDArray[np.bool_]
) -> Iterator[tuple[Group, NDArray[np.int64], pa.Table, NDArray[np.uint64]]]:
    """Yield each group of a contest: the positions of its documents, these, and their places."""
    found = list(contest.groups(documents, alive))
    ordered = documents.take(pa.array(np.concatenate([rows for _, rows in found]))) if found else documents
    ends = np.cumsum([0, *(len(rows) for _, rows in found)]).tolist()
    for (group, rows), (start, stop) in zip(found, pairwise(ends), strict=True):
        own = ordered.slice(start, stop - start)
        yield group, rows, own, places(contest.key(group, own))


def drawn(
    contest: Contest, documents: pa.Table, alive: NDArray[np.bool_], lines: Mapping[Group, Line] | None = None
) -> tuple[dict[Group, Line], dict[Group, NDArray[np.int64]]]:
    """Return the lines of all groups, and the positions of the documents behind them.

    Args:
        contest: who competes.
        documents: ``id, lang, quality, quantile`` and what the contest asks for.
        alive: (n,) booleans; only these compete.
        lines: as they were found among more documents than these; None to find them among these.
    """
    found, behind = {}, {}
    for group, rows, own, at in competing(contest, documents, alive):
        if lines is None:
            quantile = own["quantile"].to_numpy()
            found[group] = line(at, own["id"], quantile, contest.enough(group, len(rows)), amounts(contest, own))
        else:
            found[group] = lines[group]
        behind[group] = rows[found[group].passed(at, own["id"])]
    return found, behind


def amounts(contest: Contest, own: pa.Table) -> NDArray[np.int64] | None:
    """Return (n,) what each document adds up to, None where they are counted."""
    return None if contest.size is None else own[contest.size].fill_null(0).to_numpy()


def grouped(
    documents: pa.Table, alive: NDArray[np.bool_], column: str | None
) -> Iterator[tuple[Group, NDArray[np.int64]]]:
    """Yield each language, and each value of a column in it (empty for null), with the living documents of both."""
    langs = documents["lang"].combine_chunks().dictionary_encode()
    code, names = langs.indices.to_numpy().astype(np.int64), 1
    if column is not None:
        within = documents[column].combine_chunks().fill_null("").dictionary_encode()
        names = len(within.dictionary)
        code = code * names + within.indices.to_numpy()
    mine = np.flatnonzero(alive)
    mine = mine[np.argsort(code[mine], kind="stable")]
    for rows in np.split(mine, np.flatnonzero(np.diff(code[mine])) + 1):
        if len(rows):
            lang, name = divmod(int(code[rows[0]]), names)
            yield (langs.dictionary[lang].as_py(), None if column is None else within.dictionary[name].as_py()), rows


@dataclass(frozen=True)
class Ranking:
    """The best of each language are kept, by falling quality, until there is enough: a contest.

    Args:
        wanted: per language, how much is kept: a share of the documents where `size` is None, otherwise an amount in
            units of that column. The document that crosses the line is kept. Languages not named are kept whole.
        reasons: per language, why that much.
        rule: name of the rule in the ledger.
        size: the column that is added up, or None for a share of the documents.
        within: the column by whose values a language's documents compete each for themselves: source or domain.
        draw: by what they compete instead of quality (see `select.sample`).
    """

    wanted: Mapping[str, float]
    reasons: Mapping[str, str]
    rule: str
    size: str | None = None
    within: str | None = None
    draw: Draw | None = None

    def groups(self, documents: pa.Table, alive: NDArray[np.bool_]) -> Iterator[tuple[Group, NDArray[np.int64]]]:
        """Yield the groups that are not kept whole."""
        return ((group, rows) for group, rows in grouped(documents, alive, self.within) if group[0] in self.wanted)

    def key(self, group: Group, own: pa.Table) -> NDArray[np.floating]:
        """Return the quality, or what a draw makes of it."""
        quality = own["quality"].to_numpy()
        return quality if self.draw is None else self.draw.keys(group, own["id"], quality)

    def enough(self, group: Group, of: int) -> float:
        """Return how many documents, or how much, is kept."""
        wanted = self.wanted[group[0]]
        return wanted if self.size is not None else float(np.ceil(round(wanted * of, 9)))

    def retain(
        self, documents: pa.Table, alive: NDArray[np.bool_], lines: Mapping[Group, Line] | None = None
    ) -> tuple[RuleHits, dict[Group, Line]]:
        """Return who is dropped, and the lines; see `drawn`."""
        found, behind = drawn(self, documents, alive, lines)
        ends = [self._told(group, one) for group, one in found.items()]
        rows = np.concatenate([*behind.values(), np.empty(0, np.int64)])
        end = np.repeat(np.arange(len(ends)), [len(one) for one in behind.values()])
        order = np.argsort(rows, kind="stable")
        rows, end = rows[order], end[order]
        quantile = documents["quantile"].take(pa.array(rows)).to_numpy()
        tell = Told(lambda at: f"quality quantile {quantile[at]:.3f} {ends[int(end[at])]}", len(rows))
        return RuleHits(self.rule, rows, tell), found

    def cutoffs(self, lines: Mapping[Group, Line]) -> dict[str, Cutoff]:
        """Return where each language was cut; one whose parts have lines of their own has no quantile."""
        found: dict[str, Cutoff] = {}
        for (lang, _), one in lines.items():
            before = found.get(lang, Cutoff(None, 0, 0, ""))
            reason = self.reasons[lang] + (f", in each {self.within}" if self.within else "")
            quantile = None if self.within or self.draw else one.quantile
            found[lang] = Cutoff(quantile, before.kept + one.kept, before.of + one.of, reason)
        return found

    def _told(self, group: Group, one: Line) -> str:
        lang, name = group
        how = f"below {one.quantile:.3f}" if self.draw is None else "and not drawn"
        inside = f" of {name or f'documents without a {self.within}'}" if self.within else ""
        return f"{how}: {self.reasons[lang]}{inside} ({one.kept:,} of {one.of:,} documents of {lang})"


@dataclass(frozen=True)
class Across:
    """The `wanted` best documents of all languages together are kept, by a score that compares: a contest.

    Args:
        column: the score.
        wanted: how many documents are kept.
        reason: why so many.
        rule: name of the rule in the ledger.
    """

    column: str
    wanted: int
    reason: str = ""
    rule: str = ""
    size: None = None

    def groups(self, documents: pa.Table, alive: NDArray[np.bool_]) -> Iterator[tuple[Group, NDArray[np.int64]]]:
        """Yield all that live, as one group."""
        yield ALL, np.flatnonzero(alive)

    def key(self, group: Group, own: pa.Table) -> NDArray[np.floating]:
        """Return the score."""
        return np.asarray(own[self.column].to_numpy())

    def enough(self, group: Group, of: int) -> float:
        """Return how many are kept."""
        return self.wanted

    def retain(
        self, documents: pa.Table, alive: NDArray[np.bool_], lines: Mapping[Group, Line] | None = None
    ) -> tuple[RuleHits, dict[str, Held]]:
        """Return who is dropped, and what is left of each language; see `drawn`."""
        found, behind = drawn(self, documents, alive, lines)
        one, dropped = found[ALL], behind[ALL]
        # A score of 32 bits, exactly as it stands in the table.
        low = float(key_of(one.place)) if one.kept else 1.0
        score = documents[self.column].to_numpy()
        tell = Told(
            lambda at: (
                f"{self.column} {score[dropped[at]]:.3f} below {low:.3f}: {self.reason} "
                f"({one.kept:,} of {one.of:,} documents)"
            ),
            len(dropped),
        )
        return RuleHits(self.rule, dropped, tell), held(documents, alive, dropped)


def key_of(place: int) -> float:
    """Return the key of a place: what `places` undoes; NaN for the last."""
    if place == LAST:
        return float("nan")
    bits = place if place >> 63 else ~place & (2**63 - 1)
    return float(np.array([bits], np.uint64).view(np.float64)[0])


def held(documents: pa.Table, alive: NDArray[np.bool_], dropped: NDArray[np.int64]) -> dict[str, Held]:
    """Return what is left of each living language, sorted by its name.

    Args:
        documents: ``lang, quantile`` of n documents.
        alive: (n,) booleans.
        dropped: (k,) positions of the living that are dropped.
    """
    quantile, kept = documents["quantile"].to_numpy(), alive.copy()
    kept[dropped] = False
    found = {}
    for (lang, _), rows in grouped(documents, alive, None):
        own = quantile[rows][kept[rows]]
        found[lang] = Held(float(own.min()) if len(own) else np.inf, len(own), len(rows))
    return {lang: found[lang] for lang in sorted(found)}
