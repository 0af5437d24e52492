"""The ledger decided part by part, where there are more documents than memory should hold: the same bytes.

A map and a reduce over the parts of the signals. Rules that look at a document alone are applied to each part; members
of duplicate clusters are dealt by their cluster to buckets, and each bucket decides its clusters; then come the rules
that ask who is left, retention over what is left of all parts, and the parts of the ledger. What stays in the memory of
this process: a few numbers per language, and, where a rater chooses, what retention ranks of the documents left.
"""

import pickle
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from glotmix.core import flight, table
from glotmix.core.context import RunContext
from glotmix.core.record import Counts, Output
from glotmix.core.rules import RuleHits
from glotmix.mix.accounting import Available
from glotmix.mix.steps import available
from glotmix.select import ledger, retention, thresholds
from glotmix.select.ledger_builder import RETENTION, LedgerBuilder, notes, nothing_left
from glotmix.select.min_sources import scarcity
from glotmix.signals.annotate import parts
from glotmix.signals.signatures import nodes

VERSION = 2

IN_MEMORY = 2_000_000
"""Documents up to which the ledger is decided in memory: about a kilobyte each."""

BUCKET = 2_000_000
"""Documents of the corpus for each bucket of clusters; some of them are in clusters."""

DUPLICATES = 60
"""The place of the rule that decides clusters: rules before it look at a document alone."""

_SCRATCH = ".deciding"
_MEMBERS = ("id", "cluster", "content", "quality", "chars", "rank")
_RANKED = ("id", "lang", "source", "bytes", "tokens", "quality", "quantile", "calibrated", "domain")


def needed(context: RunContext) -> bool:
    """Say whether a recipe's ledger is decided in parts: there are many documents, and no rule needs all at once.

    Rehydration, rules on licences (their warnings count over all documents), addresses that several documents have,
    and the choice of conversations do.
    """
    section, urls = context.recipe.select, context.recipe.signals.urls
    if context.instructs or section.rehydrate is not None or section.licenses is not None:
        return False
    if urls is not None and urls.same == "drop":
        return False
    documents: int = sum(pq.read_metadata(f).num_rows for f in table.shards(context.corpus))
    return documents > IN_MEMORY


@dataclass(frozen=True)
class Run:
    """The documents of one language and source that stand together in a part."""

    lang: str
    source: str
    rows: int


def runs(files: Sequence[Path]) -> list[Run]:
    """Return what stands in shards, one after the other: a shard holds documents of one language and source."""
    found = []
    for file in files:
        rows = pq.read_metadata(file).num_rows
        if rows:
            first = next(pq.ParquetFile(file).iter_batches(1, columns=["lang", "source"])).to_pylist()[0]
            found.append(Run(first["lang"], first["source"], rows))
    return found


def make_thresholds(context: RunContext, output: Output) -> Counts:
    """Write ``thresholds.parquet`` as `LedgerBuilder.make_thresholds` does, one column of one language at a time."""
    builder = LedgerBuilder(context)
    signal = context.step_dir("signals/heuristics")
    held = {part: runs(files) for part, files in parts(context.corpus).items()}
    every = [run for here in held.values() for run in here]
    least = context.recipe.select.min_documents
    own = builder.sources_with_rules(list(dict.fromkeys(run.lang for run in every)))
    drawn = []
    for source in (None, *own):
        mine = {run.lang for run in every if _of(run, source, own)}
        if not mine:
            continue
        last = {run.lang: part for part, here in held.items() for run in here if _of(run, source, own)}
        resolved = {lang: builder.resolve(lang, source) for lang in mine}

        def present(
            column: str, source: str | None = source, last: Mapping[str, str] = last, resolved: Any = resolved
        ) -> dict[str, thresholds.Ordered]:
            waiting: dict[str, list[NDArray[np.float64]]] = {}
            ordered: dict[str, thresholds.Ordered] = {}
            for part, here in held.items():
                values = thresholds.numbers(table.read([signal / f"{part}.parquet"], [column]), column)
                for run, (start, stop) in zip(here, pairwise(np.cumsum([0, *(r.rows for r in here)])), strict=True):
                    if _of(run, source, own):
                        waiting.setdefault(run.lang, []).append(values[start:stop])
                for lang in [lang for lang in waiting if last[lang] == part]:
                    found = np.concatenate(waiting.pop(lang))
                    found = np.sort(found[~np.isnan(found)])
                    ordered[lang] = thresholds.few(found, column, resolved[lang], least)
            return ordered

        lines = thresholds.drawn(sorted(mine), present, resolved, least)
        drawn.append(lines.append_column("source", pa.array([source] * lines.num_rows, pa.string())))
    limits = pa.concat_tables(drawn)
    table.write(limits, output.path / "thresholds.parquet")
    return {"documents": sum(run.rows for run in every), "thresholds": limits.num_rows}


def _of(run: Run, source: str | None, own: Sequence[str]) -> bool:
    return run.source == source if source is not None else run.source not in own


def make_ledger(context: RunContext, output: Output) -> Counts:
    """Write the parts of the ledger as `LedgerBuilder.make_ledger` does."""
    scratch = output.path / _SCRATCH
    shutil.rmtree(scratch, ignore_errors=True)
    for folder in ("alone", "members", "chosen", "after", "left", "retained"):
        (scratch / folder).mkdir(parents=True)
    files = parts(context.corpus)
    every = [run for here in files.values() for run in runs(here)]
    languages = list(dict.fromkeys(run.lang for run in every))
    buckets = sum(run.rows for run in every) // BUCKET + 1
    # Without what the context keeps (models, say): it may travel to other processes and machines.
    work = _Work(RunContext(context.recipe, context.base, context.folder), scratch, files, languages, buckets)
    for _ in flight.fly(work.alone, list(files)):
        pass
    for _ in flight.fly(work.choose, [str(number) for number in range(buckets)]):
        pass
    left = _Left()
    for _, told, _ in flight.fly(work.after, list(files)):
        left.add(told)
    if not left.documents:
        raise nothing_left(left.rules)
    warnings = [w for lang in languages if lang in left.asked for w in scarcity(lang, *left.asked[lang])]
    survivors = Available.of({lang: left.documents[lang] for lang in sorted(left.documents)})
    cutoffs, told_of = work.retain(survivors)

    def last(part: str, folder: Path) -> Counts:
        rows = work.decided(part, cutoffs)
        table.write(rows, folder / f"{part}.parquet")
        kept = pc.value_counts(rows.filter(rows["kept"])["lang"]).to_pylist()
        total = sum(k["counts"] for k in kept)
        counts = {"documents": rows.num_rows, "kept": total, "dropped": rows.num_rows - total}
        return counts | {f"kept {k['values']}": k["counts"] for k in kept}

    counts = output.each({part: part for part in files}, last)
    shutil.rmtree(scratch)
    output.notes |= told_of
    kept = [name.removeprefix("kept ") for name in counts if name.startswith("kept ")]
    output.notes |= notes(survivors, kept, languages, warnings)
    return {name: n for name, n in counts.items() if not name.startswith("kept ")}


class _Left:
    """What the rules before retention left of all parts, in a few numbers per language."""

    def __init__(self) -> None:
        self.rules: Counter[str] = Counter()
        self.documents: dict[str, tuple[int, int, int]] = {}
        self.asked: dict[str, list[int]] = {}

    def add(self, told: "_Told") -> None:
        self.rules.update(told.rules)
        for lang, sizes in told.documents.items():
            before = self.documents.get(lang, (0, 0, 0))
            self.documents[lang] = (before[0] + sizes[0], before[1] + sizes[1], before[2] + sizes[2])
        for lang, (wanted, held, left) in told.asked.items():
            _, b, n = self.asked.get(lang, [wanted, 0, 0])
            self.asked[lang] = [wanted, b + held, n + left]


@dataclass(frozen=True)
class _Told:
    """What a part tells: dropped documents by rule; by language what is left (documents, bytes, tokens), and of the
    rule on sources how many it asks for, and the bytes before it and after."""

    rules: Counter[str]
    documents: dict[str, tuple[int, int, int]]
    asked: dict[str, tuple[int, int, int]]


@dataclass(frozen=True)
class _Work:
    """The stages, each on a part or a bucket by its name."""

    context: RunContext
    scratch: Path
    files: Mapping[str, Sequence[Path]]
    languages: Sequence[str]
    buckets: int

    def view(self, part: str) -> LedgerBuilder:
        """Return the ledger of a part, with nothing decided."""
        view = LedgerBuilder(self.context, (part, self.files[part]))
        view.languages = list(self.languages)
        view.decisions = ledger.Decisions(view.corpus.num_rows)
        return view

    def alone(self, part: str) -> None:
        """Apply the rules that look at a document alone, and deal members of clusters to the buckets."""
        view = self.view(part)
        self._save("alone", part, [h for rule in view.rules() if rule.place < DUPLICATES for h in view.apply(rule)])
        documents = view.documents
        rows = np.flatnonzero(view.alive() & (documents["cluster_size"].to_numpy() > 1))
        members = documents.select(_MEMBERS).take(pa.array(rows)).append_column("row", pa.array(rows))
        bucket = nodes(members["cluster"].combine_chunks()) % self.buckets
        _batches(self.scratch / "members" / part, members, bucket, self.buckets)

    def choose(self, bucket: str) -> None:
        """Decide the clusters of a bucket, and write what is dropped, a batch for each part."""
        dealt = [_batch(self.scratch / "members" / part, int(bucket)) for part in self.files]
        members = pa.Table.from_batches(dealt).combine_chunks()
        part = np.repeat(np.arange(len(dealt)), [batch.num_rows for batch in dealt])
        chosen = LedgerBuilder(self.context).representatives(members)
        out = np.flatnonzero(~chosen["kept"].to_numpy(zero_copy_only=False))
        partners = chosen["duplicate_of"].take(pa.array(out)).combine_chunks()
        position = pc.index_in(partners, members["id"]).to_numpy(zero_copy_only=False).astype(np.int64)
        content = members["content"].to_numpy()
        rows = members["row"].to_numpy()[out]
        found = pa.table({"row": rows, "partner": partners, "same": pa.array(content[out] == content[position])})
        _batches(self.scratch / "chosen" / bucket, found, part[out], len(dealt))

    def after(self, part: str) -> _Told:
        """Apply the rules that ask who is left, up to retention, and tell what is left then."""
        view = self._so_far(part)
        hits: list[RuleHits] = []
        asked: dict[str, tuple[int, int, int]] = {}
        for rule in view.rules():
            if DUPLICATES < rule.place < RETENTION:
                if rule.name == "source_overlap":
                    asked = _asked(view)
                hits += view.apply(rule)
        self._save("after", part, hits)
        if self.ranks:
            rows = np.flatnonzero(view.alive())
            ranked = view.documents.select(_RANKED).take(pa.array(rows)).append_column("row", pa.array(rows))
            table.write(ranked, self.scratch / "left" / f"{part}.parquet")
        documents: dict[str, tuple[int, int, int]] = {}
        if view.alive().any():
            left = available(view.documents, view.alive())
            sizes = zip(left.documents, left.bytes, left.tokens, strict=True)
            documents = dict(zip(left.languages, sizes, strict=True))
        return _Told(Counter(rule for rule, _ in view.decisions.first.values()), documents, asked)

    @property
    def ranks(self) -> bool:
        """Whether retention chooses among the documents that are left."""
        section = self.context.recipe.select
        return section.per_domain is not None or (self.context.recipe.quality is not None and section.retain != "all")

    def retain(self, survivors: Available) -> tuple[dict[str, retention.Cutoff], dict[str, Any]]:
        """Choose among the documents that are left; return the cutoffs, and what the record says of them."""
        builder = LedgerBuilder(self.context)
        builder.decide(self._ranked(), survivors)
        hits = [h for rule in builder.rules() if rule.place >= RETENTION for h in builder.apply(rule)]
        files = self._ranked_files()
        starts = np.cumsum([0, *(pq.read_metadata(f).num_rows for f in files)]).tolist()
        for part, file, (start, stop) in zip(self.files, files, pairwise(starts), strict=False):
            rows = table.read([file], ["row"])["row"].to_numpy()
            mine = []
            for hit in hits:
                low, high = np.searchsorted(hit.rows, [start, stop])
                mine.append(RuleHits(hit.rule, rows[hit.rows[low:high] - start], hit.evidence[low:high], hit.drops))
            self._save("retained", part, mine)
        return builder.cutoffs, builder.notes

    def decided(self, part: str, cutoffs: Mapping[str, retention.Cutoff]) -> pa.Table:
        """Return the ledger's rows of a part."""
        view = self._so_far(part)
        for stage in ("after", "retained"):
            for hits in self._load(stage, part):
                view.decisions.apply(hits)
        view.cutoffs = dict(cutoffs)
        return view.assembled()

    def _so_far(self, part: str) -> LedgerBuilder:
        """Return the ledger of a part with what stands in it alone, and its duplicates, decided."""
        view = self.view(part)
        for hits in self._load("alone", part):
            view.decisions.apply(hits)
        number = list(self.files).index(part)
        dropped = [_batch(self.scratch / "chosen" / str(b), number) for b in range(self.buckets)]
        found = pa.Table.from_batches(dropped).sort_by("row")
        rows, same = found["row"].to_numpy(), found["same"].to_numpy(zero_copy_only=False)
        hit, view.decisions.duplicate_of = ledger.duplicate_hits(rows, same, found["partner"].to_pylist())
        for hits in hit:
            view.decisions.apply(hits)
        return view

    def _ranked_files(self) -> list[Path]:
        return [self.scratch / "left" / f"{part}.parquet" for part in self.files] if self.ranks else []

    def _ranked(self) -> pa.Table:
        files = self._ranked_files()
        return (
            table.read(files, list(_RANKED)).combine_chunks() if files else pa.table({"id": pa.array([], pa.string())})
        )

    def _save(self, stage: str, part: str, hits: list[RuleHits]) -> None:
        (self.scratch / stage / part).write_bytes(pickle.dumps(hits))

    def _load(self, stage: str, part: str) -> list[RuleHits]:
        path = self.scratch / stage / part
        found: list[RuleHits] = pickle.loads(path.read_bytes()) if path.is_file() else []
        return found


def _asked(view: LedgerBuilder) -> dict[str, tuple[int, int, int]]:
    """Return by language how many sources are asked for, where more than one, and the bytes before and after."""
    documents, alive, found = view.documents, view.alive(), {}
    sources, size = documents["sources"].to_numpy(), documents["bytes"].to_numpy()
    for lang in pc.unique(documents["lang"]).to_pylist():
        wanted = view.setting(lang, None, "source_overlap.min_sources") or 1
        if wanted > 1:
            mine = alive & pc.equal(documents["lang"], lang).to_numpy(zero_copy_only=False)
            found[lang] = (wanted, int(size[mine].sum()), int(size[mine & (sources >= wanted)].sum()))
    return found


def _batches(path: Path, rows: pa.Table, where: NDArray[np.int64], count: int) -> None:
    """Write a file of so many batches: those rows in each that belong there, in their order."""
    order = np.argsort(where, kind="stable")
    starts = np.searchsorted(where[order], np.arange(count + 1))
    ordered = rows.take(pa.array(order)).combine_chunks()
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, rows.schema) as writer:
        for batch in _cut(ordered, starts):
            writer.write_batch(batch)


def _cut(rows: pa.Table, starts: NDArray[np.int64]) -> Iterator[pa.RecordBatch]:
    none = pa.RecordBatch.from_pylist([], rows.schema)
    for start, stop in pairwise(starts.tolist()):
        found = rows.slice(start, stop - start).to_batches()
        yield found[0] if found else none


def _batch(path: Path, number: int) -> pa.RecordBatch:
    with pa.OSFile(str(path)) as opened:
        return pa.ipc.open_file(opened).get_batch(number)
