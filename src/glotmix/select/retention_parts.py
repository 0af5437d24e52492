"""Retention among documents on disk, part by part: the same choice as in memory, in memory that is bounded.

Who is kept is a matter of lines (`select.ranking`). Lines of languages and sources are searched for (`select.search`);
domains, of which there are many, are dealt to buckets, and each bucket decides its own. What a pass holds is a part, a
bucket, or the documents around the lines.
"""

import pickle
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from math import fsum, sqrt
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from glotmix.core import flight
from glotmix.core.rules import RuleHits
from glotmix.select import comparable, dealt, retention
from glotmix.select.ranking import ALL, Cutoff, Group, Held, Line, Ranking
from glotmix.select.rules import Choice
from glotmix.select.sample import Moments, deviations, exactly, known
from glotmix.select.search import Read, search

Told = TypeVar("Told")
Made = TypeVar("Made")

_EVERY = "*"
"""The name under which all domains of a language are counted together."""

COLUMNS = ("id", "lang", "source", "bytes", "tokens", "quality", "quantile", "calibrated", "domain")


@dataclass(frozen=True)
class Rest:
    """The documents that the rules before retention left, a file for each part.

    Args:
        folder: of scratch files.
        parts: their names.
        buckets: to which domains are dealt.
    """

    folder: Path
    parts: list[str]
    buckets: int

    def write(self, part: str, documents: pa.Table) -> None:
        """Write what is left of a part: `COLUMNS`, and ``row``, a document's position in its part."""
        dealt.deal(self.folder / "left" / part, documents, np.zeros(documents.num_rows, np.int64), 1)

    def read(self, part: str) -> pa.Table:
        """Return it."""
        return pa.Table.from_batches([dealt.batch(self.folder / "left" / part, 0)])

    def whole(self, part: str) -> tuple[pa.Table, NDArray[np.bool_]]:
        """Return it, and that all of it competes."""
        documents = self.read(part)
        return documents, np.ones(documents.num_rows, bool)

    def homeless(self, part: str) -> tuple[pa.Table, NDArray[np.bool_]]:
        """Return it, and that those without a domain compete."""
        documents = self.read(part)
        return documents, documents["domain"].is_null().to_numpy()

    def save(self, stage: str, part: str, documents: pa.Table, hits: Sequence[RuleHits]) -> None:
        """Save what hit documents of a part, in terms of its rows."""
        rows = documents["row"].to_numpy()
        save(self.folder / stage / part, [replace(h, rows=rows[h.rows], evidence=list(h.evidence)) for h in hits])


def save(path: Path, hits: list[RuleHits]) -> None:
    """Write what hit documents of a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(hits))


def load(path: Path) -> list[RuleHits]:
    """Return what `save` wrote; nothing where it wrote nothing."""
    found: list[RuleHits] = pickle.loads(path.read_bytes()) if path.is_file() else []
    return found


def crowded(rest: Rest, most: int) -> None:
    """Drop the documents of one domain in a language beyond the best, and take them away from what is left."""

    def decide(documents: pa.Table) -> tuple[RuleHits, None]:
        return retention.crowded(documents, np.ones(documents.num_rows, bool), most, "domain"), None

    _by_domain(rest, decide)

    def drop(part: str) -> None:
        documents, hits = rest.read(part), _of_domains(rest, part, "domain")
        rest.save("crowded", part, documents, [hits])
        alive = np.ones(documents.num_rows, bool)
        alive[hits.rows] = False
        rest.write(part, documents.filter(pa.array(alive)))

    for _ in _each(drop, rest.parts):
        pass


def retain(rest: Rest, choice: Choice, languages: Sequence[str]) -> tuple[dict[str, Cutoff], dict[str, Any] | None]:
    """Choose among the documents that are left.

    Args:
        rest: these.
        choice: how.
        languages: of the corpus, in its order.

    Returns:
        where each language was cut, and what other scores would keep (None where nothing competes).
    """
    if choice.lose is not None:
        lines = choice.lose

        def lose(part: str) -> dict[str, Held]:
            documents, alive = rest.whole(part)
            hits, left = retention.lose(documents, alive, lines, "quality")
            rest.save("retained", part, documents, hits)
            return left

        left = reduce(_added, _each(lose, rest.parts), dict[str, Held]())
        return retention.lost({lang: left[lang] for lang in sorted(left)}), None
    assert choice.ranking is not None
    ranking, read = choice.ranking, rest.whole
    counts: dict[Group, Line] = {}
    if ranking.within == "domain":
        read = rest.homeless
        for told in _by_domain(rest, partial(_within, ranking)):
            for group, one in told.items():
                before = counts.get(group, Line(0, 0))
                counts[group] = Line(before.kept + one.kept, before.of + one.of)
    if ranking.draw is not None:
        ranking = replace(ranking, draw=replace(ranking.draw, moments=moments(read, rest.parts, ranking)))
    lines_of = search(read, rest.parts, {"ranking": ranking})["ranking"]
    cut = [*lines_of.values(), *counts.values()]
    cutoffs = ranking.cutoffs(lines_of | counts)
    best, line = choice.best(sum(one.kept for one in cut)), dict[Group, Line]()
    if best is not None:
        line = search(rest.whole, rest.parts, {"best": best})["best"]
        cut = [*line.values()]
    total, unknown = sum(one.kept - one.of for one in cut), set[str]()
    for of, some in _each(partial(_looked, rest), rest.parts):
        total, unknown = total + of, unknown | some
    ways = comparable.contests(total, unknown)
    found = search(rest.whole, rest.parts, ways)
    others = {way: lines[ALL] for way, lines in found.items()}

    def drop(part: str) -> tuple[dict[str, Held], comparable.Kept]:
        documents, alive = rest.whole(part)
        left: dict[str, Held] = {}
        if best is not None:
            hits, left = best.retain(documents, alive, line)
        else:
            hits, _ = ranking.retain(*read(part), lines_of)
            if ranking.within == "domain":
                hits = _merged(hits, _of_domains(rest, part, ranking.rule))
        rest.save("retained", part, documents, [hits])
        return left, comparable.counted(documents, alive, ways, others)

    kept: comparable.Kept = {}
    held: dict[str, Held] = {}
    for left, counted in _each(drop, rest.parts):
        held = _added(held, left)
        for name, some_counts in counted.items():
            kept.setdefault(name, Counter()).update(some_counts)
    if best is not None:
        cutoffs = {lang: one.cutoff(best.reason) for lang, one in held.items()}
    in_order = sorted(held) if best is not None else languages
    return {lang: cutoffs[lang] for lang in in_order if lang in cutoffs}, comparable.shown(kept, ways)


def _within(ranking: Ranking, documents: pa.Table) -> tuple[RuleHits, dict[Group, Line]]:
    """Return who is dropped of some domains, and how many are kept of all of them together, by language."""
    hits, lines = ranking.retain(documents, np.ones(documents.num_rows, bool))
    found: dict[Group, Line] = {}
    for (lang, _), one in lines.items():
        before = found.get((lang, _EVERY), Line(0, 0))
        found[lang, _EVERY] = Line(before.kept + one.kept, before.of + one.of)
    return hits, found


def _by_domain(rest: Rest, decide: Callable[[pa.Table], tuple[RuleHits, Told]]) -> list[Told]:
    """Decide all documents of a domain and language at once, and return what was told of it, by bucket."""
    members, decided = rest.folder / "domains", rest.folder / "of domains"

    def deal(part: str) -> None:
        documents = rest.read(part)
        documents = documents.set_column(
            documents.column_names.index("row"), "row", pa.array(range(documents.num_rows))
        )
        documents = documents.filter(documents["domain"].is_valid())
        names = pc.binary_join_element_wise(documents["lang"], documents["domain"], " ").combine_chunks()
        dealt.deal(members / part, documents, dealt.bucket(names, rest.buckets), rest.buckets)

    def choose(bucket: str) -> Told:
        documents, part = dealt.of_parts(members, rest.parts, int(bucket))
        hits, told = decide(documents)
        rows = documents["row"].take(pa.array(hits.rows))
        found = pa.table({"row": rows, "evidence": pa.array(list(hits.evidence), pa.string())})
        dealt.deal(decided / bucket, found, part[hits.rows], len(rest.parts))
        return told

    for _ in _each(deal, rest.parts):
        pass
    return list(_each(choose, [str(number) for number in range(rest.buckets)]))


def _of_domains(rest: Rest, part: str, rule: str) -> RuleHits:
    """Return what `_by_domain` dropped of a part."""
    found = dealt.of_buckets(rest.folder / "of domains", rest.buckets, rest.parts.index(part))
    return RuleHits(rule, found["row"].to_numpy(), found["evidence"].to_pylist())


def moments(read: Read, parts: Sequence[str], ranking: Ranking) -> dict[Group, Moments]:
    """Return mean and deviation of the quality in each group: exactly those of all its documents in one place."""

    def added(values: Callable[[Group, NDArray[np.floating]], NDArray[np.float64]]) -> dict[Group, tuple[int, float]]:
        def look(part: str) -> dict[Group, tuple[int, list[float]]]:
            documents, alive = read(part)
            found = {}
            for group, rows in ranking.groups(documents, alive):
                mine = values(group, documents["quality"].take(pa.array(rows)).to_numpy())
                found[group] = len(mine), exactly(mine.tolist())
            return found

        pieces: dict[Group, list[tuple[int, list[float]]]] = {}
        for told in _each(look, parts):
            for group, one in told.items():
                pieces.setdefault(group, []).append(one)
        return {
            group: (sum(n for n, _ in of), fsum(number for _, numbers in of for number in numbers))
            for group, of in pieces.items()
        }

    sums = added(lambda group, quality: known(quality))
    centres = {group: total / n if n else 0.0 for group, (n, total) in sums.items()}
    squares = added(lambda group, quality: deviations(quality, centres[group]))
    return {group: (centres[group], sqrt(total / n) if n else 0.0) for group, (n, total) in squares.items()}


def _looked(rest: Rest, part: str) -> tuple[int, set[str]]:
    """Return how many documents compete, and the kinds of score that some of them have not."""
    documents, alive = rest.whole(part)
    return documents.num_rows, comparable.unknown(documents, alive)


def _merged(one: RuleHits, other: RuleHits) -> RuleHits:
    """Return what one rule hit of different documents, in their order."""
    rows, evidence = np.concatenate([one.rows, other.rows]), [*one.evidence, *other.evidence]
    order = np.argsort(rows)
    return RuleHits(one.rule, rows[order], [evidence[at] for at in order.tolist()])


def _added(held: Mapping[str, Held], more: Mapping[str, Held]) -> dict[str, Held]:
    """Return what is left of each language in some parts and in another."""
    return {**held, **{lang: held.get(lang, Held()) + one for lang, one in more.items()}}


def _each(make: Callable[[str], Made], names: Sequence[str]) -> Iterator[Made]:
    return (told for _, told, _ in flight.fly(make, names))
