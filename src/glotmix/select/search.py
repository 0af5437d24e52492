"""The lines of rankings among documents on disk: those that sorting all of them would find, in memory that is bounded.

A line is encircled. A pass over the parts counts the documents of each group in 4,096 spans of places between the
first and the last; the line lies in one of these, which the next pass cuts again. Where more documents share a place
than memory should hold, their ids are cut in the same way, eight bytes at a time. What is then left around all lines
together is sorted.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from glotmix.core import flight
from glotmix.select import ranking
from glotmix.select.ranking import Contest, Group, Line, amounts, competing

AT_ONCE = 200_000
"""Documents around all lines together that are sorted in memory."""

BITS = 12

Read: TypeAlias = Callable[[str], tuple[pa.Table, NDArray[np.bool_]]]
"""From the name of a part to its documents, and which of them compete."""
Key: TypeAlias = tuple[str, Group]
"""A contest by its name, and one of its groups."""


@dataclass(frozen=True)
class Span:
    """Numbers from `low` to `high`: places or, of documents that share the place `at`, ids after their first bytes."""

    low: int
    high: int
    at: int | None = None
    prefix: bytes = b""

    def inside(self, places: NDArray[np.uint64], ids: pa.ChunkedArray) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
        """Return (k,) positions of the documents inside, and (k,) their numbers."""
        if self.at is None:
            rows, number = np.arange(len(places)), places
        else:
            rows = np.flatnonzero(places == np.uint64(self.at))
            own = ids.take(pa.array(rows)).combine_chunks().cast(pa.binary())
            same = pc.starts_with(own, self.prefix).to_numpy(zero_copy_only=False)
            rows, own = rows[same], own.filter(pa.array(same))
            skip = len(self.prefix)
            digits = pc.binary_slice(own, skip, skip + 8).to_pylist()
            number = np.array(digits, "S8").view(">u8").astype(np.uint64)
        mine = (number >= np.uint64(self.low)) & (number <= np.uint64(self.high))
        return rows[mine], number[mine]

    @property
    def shift(self) -> int:
        """By how many bits a number is shortened, to tell in which part of the span it lies."""
        return max(0, (self.high - self.low).bit_length() - BITS)

    def part(self, number: int) -> "Span":
        """Return one of the parts."""
        low = self.low + (number << self.shift)
        return replace(self, low=low, high=min(self.high, low + (1 << self.shift) - 1))

    def by_id(self, first: bytes, last: bytes) -> "Span":
        """Return the span of ids of the documents inside, which share a place: from the first to the last."""
        shared = next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
        prefix = first[:shared]
        low, high = (int.from_bytes(one[len(prefix) :][:8].ljust(8, b"\0"), "big") for one in (first, last))
        return Span(low, high, self.low if self.at is None else self.at, prefix)


@dataclass
class Hunt:
    """A line that is looked for: `inside` documents are around it, `before` of them are kept, `lacking` is still
    wanted (documents where `counts`, otherwise what they add up to)."""

    of: int
    counts: bool
    lacking: int
    span: Span
    inside: int
    before: int = 0

    def narrow(self, documents: NDArray[np.int64], added: NDArray[np.int64]) -> None:
        """Go on in that part of the span in which enough is reached, by what each of them holds."""
        through = np.cumsum(documents if self.counts else added)
        part = max(int(np.searchsorted(through, self.lacking)), int(np.flatnonzero(documents)[0]))
        self.lacking -= int(through[part - 1]) if part else 0
        self.before += int(documents[:part].sum())
        self.inside = int(documents[part])
        self.span = self.span.part(part)


def search(read: Read, parts: Sequence[str], contests: Mapping[str, Contest]) -> dict[str, dict[Group, Line]]:
    """Return the lines of contests: of each group that competes in any part.

    Args:
        read: gives a part's documents; called many times, on several threads, processes or machines at once.
        parts: their names.
        contests: by a name.
    """
    hunts: dict[Key, Hunt] = {}
    lines: dict[str, dict[Group, Line]] = {name: {} for name in contests}
    for (name, group), (of, amount, low, high) in _census(read, parts, contests).items():
        contest = contests[name]
        lacking = ranking.whole(contest.enough(group, of))
        counts = contest.size is None or amount < lacking
        lacking = min(lacking, of) if contest.size is None else of if counts else lacking
        if counts and not lacking:
            lines[name][group] = Line(0, of)
        else:
            hunts[name, group] = Hunt(of, counts, lacking, Span(low, high), of)
    # Ids that differ by zero bytes at their end, eight at most, are not told apart.
    room = max(8, AT_ONCE // max(1, len(hunts)))
    while wide := {key: hunt for key, hunt in hunts.items() if hunt.inside > room}:
        tied = {key: hunt.span for key, hunt in wide.items() if hunt.span.low == hunt.span.high}
        ends: dict[Key, tuple[bytes, bytes]] = {}
        for key, (first, last) in _passed(_ends, read, parts, contests, tied):
            before = ends.get(key, (first, last))
            ends[key] = min(before[0], first), max(before[1], last)
        for key, both in ends.items():
            hunts[key].span = tied[key].by_id(*both)
        held = {key: np.zeros((2, 1 << BITS), np.int64) for key in wide}
        spans = {key: hunt.span for key, hunt in wide.items()}
        for key, (where, documents, added) in _passed(_counted, read, parts, contests, spans):
            held[key][0, where] += documents
            held[key][1, where] += added
        for key, hunt in wide.items():
            hunt.narrow(*held[key])
    around: dict[Key, list[pa.Table]] = {key: [] for key in hunts}
    for key, rows in _passed(_around, read, parts, contests, {key: hunt.span for key, hunt in hunts.items()}):
        around[key].append(rows)
    for (name, group), hunt in hunts.items():
        rows = pa.concat_tables(around[name, group])
        quantile, added = rows["quantile"].to_numpy(), None if hunt.counts else rows["amount"].to_numpy()
        last = ranking.line(rows["place"].to_numpy(), rows["id"], quantile, hunt.lacking, added)
        lines[name][group] = replace(last, kept=hunt.before + last.kept, of=hunt.of)
    return lines


def _census(read: Read, parts: Sequence[str], contests: Mapping[str, Contest]) -> dict[Key, tuple[int, int, int, int]]:
    """Return how many documents a group has, what they add up to, and the first and the last of their places."""

    def look(part: str) -> dict[Key, tuple[int, int, int, int]]:
        documents, alive = read(part)
        found = {}
        for name, contest in contests.items():
            for group, rows, own, at in competing(contest, documents, alive):
                if len(rows):
                    added = amounts(contest, own)
                    found[name, group] = (
                        len(rows),
                        0 if added is None else int(added.sum()),
                        int(at.min()),
                        int(at.max()),
                    )
        return found

    census: dict[Key, tuple[int, int, int, int]] = {}
    for _, told, _ in flight.fly(look, parts):
        for key, (of, amount, low, high) in told.items():
            before = census.get(key, (0, 0, low, high))
            census[key] = before[0] + of, before[1] + amount, min(before[2], low), max(before[3], high)
    return census


def _passed(
    look: Callable[[Span, pa.Table, NDArray[np.uint64], NDArray[np.int64]], Any],
    read: Read,
    parts: Sequence[str],
    contests: Mapping[str, Contest],
    spans: Mapping[Key, Span],
) -> Iterator[tuple[Key, Any]]:
    """Yield what a look at each span tells, of every part in which documents of it are."""

    def each(part: str) -> dict[Key, Any]:
        documents, alive = read(part)
        found = {}
        for name, contest in contests.items():
            for group, _, own, at in competing(contest, documents, alive):
                if (name, group) in spans:
                    span, added = spans[name, group], amounts(contest, own)
                    told = look(span, own, at, np.zeros(len(at), np.int64) if added is None else added)
                    if told is not None:
                        found[name, group] = told
        return found

    for _, told, _ in flight.fly(each, parts) if spans else ():
        yield from told.items()


def _ends(span: Span, own: pa.Table, at: NDArray[np.uint64], added: NDArray[np.int64]) -> tuple[bytes, bytes] | None:
    rows, _ = span.inside(at, own["id"])
    if not len(rows):
        return None
    ends = pc.min_max(own["id"].take(pa.array(rows)).cast(pa.binary()))
    return ends["min"].as_py(), ends["max"].as_py()


def _counted(
    span: Span, own: pa.Table, at: NDArray[np.uint64], added: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]] | None:
    """Return the parts of a span that hold any document: their numbers, how many, and what these add up to."""
    rows, number = span.inside(at, own["id"])
    if not len(rows):
        return None
    where = ((number - np.uint64(span.low)) >> np.uint64(span.shift)).astype(np.int64)
    found, of, documents = np.unique(where, return_inverse=True, return_counts=True)
    sums = np.zeros(len(found), np.int64)
    np.add.at(sums, of, added[rows])
    return found, documents, sums


def _around(span: Span, own: pa.Table, at: NDArray[np.uint64], added: NDArray[np.int64]) -> pa.Table | None:
    rows, _ = span.inside(at, own["id"])
    if not len(rows):
        return None
    mine = own.select(["id", "quantile"]).take(pa.array(rows))
    return mine.append_column("place", pa.array(at[rows])).append_column("amount", pa.array(added[rows]))
