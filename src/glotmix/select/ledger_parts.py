"""The ledger decided part by part, where there are more documents than memory should hold: the same bytes.

A map and a reduce over the parts of the signals. Rules that look at a document alone are applied to each part; members
of duplicate clusters are dealt by their cluster to buckets, and each bucket decides its clusters (so are addresses that
several documents have); then come the rules that ask who is left, retention over what is left of all parts (see
`select.retention_parts`), and the parts of the ledger. This process holds a few numbers per language.
"""

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
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
from glotmix.select import dealt, ledger, licenses, rehydrate, retention_parts, rules, thresholds
from glotmix.select.ledger_builder import RETENTION, LedgerBuilder, notes, nothing_left
from glotmix.select.min_sources import scarcity
from glotmix.select.retention_parts import Rest, load, save
from glotmix.signals import addresses
from glotmix.signals.annotate import parts

VERSION = 3

IN_MEMORY = 2_000_000
"""Documents up to which the ledger is decided in memory: about a kilobyte each."""

BUCKET = 2_000_000
"""Documents of the corpus for each bucket of clusters; some of them are in clusters."""

DUPLICATES = 60
"""The place of the rule that decides clusters: rules before it look at a document alone."""

SAME = "urls.same"
"""The rule that decides documents of one address; those before it look at a document alone, too."""

_SCRATCH = ".deciding"
_MEMBERS = ("id", "cluster", "content", "quality", "chars", "rank")


def documents(context: RunContext) -> int:
    """Return how many documents the corpus has."""
    return sum(pq.read_metadata(f).num_rows for f in table.shards(context.corpus))


def needed(context: RunContext) -> bool:
    """Say whether a recipe's ledger is decided in parts: there are many documents, and no rule needs all at once."""
    return documents(context) > IN_MEMORY and at_once(context) is None


def at_once(context: RunContext) -> str | None:
    """Return what of a recipe asks for all documents in memory, and what to do about it; None if nothing does."""
    if context.instructs:
        return (
            "the choice of conversations compares all of them: cut them into recipes of at most "
            f"{IN_MEMORY:,}, each with those before it in signals.cross_corpus_duplicates.signatures"
        )
    own = {rule.name for rule in rules.RULES}
    found = [r.name for step in context.steps for r in step.rules if r.place >= RETENTION and r.name not in own]
    return f"the rule {found[0]} of a plugin looks at all of them: leave the plugin out" if found else None


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
    files = parts(context.corpus)
    every = [run for here in files.values() for run in runs(here)]
    languages = list(dict.fromkeys(run.lang for run in every))
    pairs = list(dict.fromkeys((run.lang, run.source) for run in every))
    buckets = sum(run.rows for run in every) // BUCKET + 1
    # Without what the context keeps (models, say): it may travel to other processes and machines.
    context = RunContext(context.recipe, context.base, context.folder)
    work = _Work(context, scratch, files, languages, buckets)
    names = [str(number) for number in range(buckets)]
    judged = licenses.Judged.nothing()
    for _, (unknown, missing), _ in flight.fly(work.alone, list(files)):
        judged = judged.and_more(unknown, missing)
    if work.drops_same:
        for stage, of in ((work.same, names), (work.members, list(files))):
            for _ in flight.fly(stage, of):
                pass
    for _ in flight.fly(work.choose, names):
        pass
    left = _Left()
    for _, told, _ in flight.fly(work.after, list(files)):
        left.add(told)
    if not left.documents:
        raise nothing_left(left.rules)
    survivors = Available.of({lang: left.documents[lang] for lang in sorted(left.documents)})
    builder = LedgerBuilder(context)
    builder.decide(survivors)
    work.retain(builder, pairs)
    removals: rehydrate.Removals | None = None
    if context.recipe.select.rehydrate is not None:
        removals = {}
        for _, some, _ in flight.fly(work.removals, list(files)):
            removals = rehydrate.together(removals, some)

    cutoffs = builder.cutoffs

    def last(part: str, folder: Path) -> Counts:
        view = work.finished(part)
        view.cutoffs = cutoffs
        rows = view.assembled(removals)
        table.write(rows, folder / f"{part}.parquet")
        kept = pc.value_counts(rows["lang"].filter(rows["kept"])).to_pylist()
        total = sum(k["counts"] for k in kept)
        counts = {"documents": rows.num_rows, "kept": total, "dropped": rows.num_rows - total}
        return counts | {f"kept {k['values']}": k["counts"] for k in kept}

    counts = output.each({part: part for part in files}, last)
    shutil.rmtree(scratch)
    output.notes |= builder.notes
    kept = [name.removeprefix("kept ") for name in counts if name.startswith("kept ")]
    warnings = judged.warnings(context.recipe.select.licenses)
    warnings += [w for lang in languages if lang in left.asked for w in scarcity(lang, *left.asked[lang])]
    output.notes |= notes(survivors, kept, languages, context.recipe.settings, [*warnings, *builder.warnings])
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

    @property
    def drops_same(self) -> bool:
        """Whether of several documents with one address one stays."""
        urls = self.context.recipe.signals.urls
        return urls is not None and urls.same == "drop"

    @property
    def rest(self) -> Rest:
        """What is left for retention."""
        return Rest(self.scratch, list(self.files), self.buckets)

    def view(self, part: str) -> LedgerBuilder:
        """Return the ledger of a part, with nothing decided."""
        view = LedgerBuilder(self.context, (part, self.files[part]))
        view.languages = list(self.languages)
        view.decisions = ledger.Decisions(view.corpus.num_rows)
        return view

    def alone(self, part: str) -> tuple[Counter[str], int]:
        """Apply the rules that look at a document alone, and deal addresses and members of clusters to the buckets.

        Returns:
            documents by licence that SPDX does not know, and those without one.
        """
        view, stage, hits = self.view(part), "first", list[RuleHits]()
        for rule in (rule for rule in view.rules() if rule.place < DUPLICATES):
            if rule.name != SAME:
                hits += view.apply(rule)
            elif self.drops_same:
                self._deal_addresses(view, part)
                save(self.scratch / stage / part, hits)
                stage, hits = "alone", []
        save(self.scratch / stage / part, hits)
        if not self.drops_same:
            self._deal_members(view, part)
        return view.judged.unknown, view.judged.missing

    def same(self, bucket: str) -> None:
        """Decide the addresses of a bucket: the first document of each stays, in its language."""
        found, part = dealt.of_parts(self.scratch / "addresses", list(self.files), int(bucket))
        key = pc.binary_join_element_wise(found["lang"], found["page"], " ").combine_chunks()
        _, first, of = np.unique(key.dictionary_encode().indices.to_numpy(), return_index=True, return_inverse=True)
        out = np.flatnonzero(first[of] != np.arange(len(of)))
        told = zip(
            found["page"].take(pa.array(out)).to_pylist(),
            found["id"].take(pa.array(first[of][out])).to_pylist(),
            strict=True,
        )
        evidence = [addresses.told(page, other) for page, other in told]
        rows = pa.table({"row": found["row"].take(pa.array(out)), "evidence": pa.array(evidence, pa.string())})
        dealt.deal(self.scratch / "same" / bucket, rows, part[out], len(self.files))

    def members(self, part: str) -> None:
        """Deal members of clusters to the buckets, where addresses were decided before."""
        self._deal_members(self._singly(part), part)

    def choose(self, bucket: str) -> None:
        """Decide the clusters of a bucket, and write what is dropped, a batch for each part."""
        members, part = dealt.of_parts(self.scratch / "members", list(self.files), int(bucket))
        chosen = LedgerBuilder(self.context).representatives(members)
        out = np.flatnonzero(~chosen["kept"].to_numpy(zero_copy_only=False))
        partners = chosen["duplicate_of"].take(pa.array(out)).combine_chunks()
        position = pc.index_in(partners, members["id"]).to_numpy(zero_copy_only=False).astype(np.int64)
        content = members["content"].to_numpy()
        rows = members["row"].to_numpy()[out]
        found = pa.table({"row": rows, "partner": partners, "same": pa.array(content[out] == content[position])})
        dealt.deal(self.scratch / "chosen" / bucket, found, part[out], len(self.files))

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
        save(self.scratch / "after" / part, hits)
        section = self.context.recipe.select
        if section.per_domain is not None or (self.context.recipe.quality is not None and section.retain != "all"):
            rows = pa.array(np.flatnonzero(view.alive()))
            self.rest.write(part, view.documents.select(retention_parts.COLUMNS).take(rows).append_column("row", rows))
        left: dict[str, tuple[int, int, int]] = {}
        if view.alive().any():
            found = available(view.documents, view.alive())
            left = dict(zip(found.languages, zip(found.documents, found.bytes, found.tokens, strict=True), strict=True))
        return _Told(Counter(rule for rule, _ in view.decisions.first.values()), left, asked)

    def retain(self, builder: LedgerBuilder, pairs: Sequence[tuple[str, str]]) -> None:
        """Choose among the documents that are left, and note where each language was cut."""
        most = self.context.recipe.select.per_domain
        if most is not None:
            retention_parts.crowded(self.rest, most)
        choice = rules.choice(builder, pairs)
        if choice is not None:
            cutoffs, others = retention_parts.retain(self.rest, choice, self.languages)
            if others is not None:
                builder.notes["would_keep"] = others
            builder.cut(cutoffs)

    def removals(self, part: str) -> rehydrate.Removals:
        """Count what the rules drop of clusters of each size."""
        return self.finished(part).removals()

    def finished(self, part: str) -> LedgerBuilder:
        """Return the ledger of a part, with everything decided."""
        view = self._so_far(part)
        for stage in ("after", "crowded", "retained"):
            view.hit(load(self.scratch / stage / part))
        return view

    def _so_far(self, part: str) -> LedgerBuilder:
        """Return the ledger of a part with what stands in it alone, and its duplicates, decided."""
        view = self._singly(part)
        found = dealt.of_buckets(self.scratch / "chosen", self.buckets, list(self.files).index(part))
        rows, same = found["row"].to_numpy(), found["same"].to_numpy(zero_copy_only=False)
        hits, view.decisions.duplicate_of = ledger.duplicate_hits(rows, same, found["partner"].to_pylist())
        view.hit(hits)
        return view

    def _singly(self, part: str) -> LedgerBuilder:
        """Return the ledger of a part with all that is decided before its duplicates."""
        view = self.view(part)
        view.hit(load(self.scratch / "first" / part))
        if self.drops_same:
            found = dealt.of_buckets(self.scratch / "same", self.buckets, list(self.files).index(part))
            view.hit([RuleHits(SAME, found["row"].to_numpy(), found["evidence"].to_pylist())])
        view.hit(load(self.scratch / "alone" / part))
        return view

    def _deal_addresses(self, view: LedgerBuilder, part: str) -> None:
        pages = view.signal("signals/urls")["canonical"]
        rows = np.flatnonzero(view.alive() & pages.is_valid().to_numpy())
        found = view.documents.select(["id", "lang"]).append_column("page", pages).take(pa.array(rows))
        key = pc.binary_join_element_wise(found["lang"], found["page"], " ").combine_chunks()
        found = found.append_column("row", pa.array(rows))
        dealt.deal(self.scratch / "addresses" / part, found, dealt.bucket(key, self.buckets), self.buckets)

    def _deal_members(self, view: LedgerBuilder, part: str) -> None:
        rows = np.flatnonzero(view.alive() & (view.documents["cluster_size"].to_numpy() > 1))
        members = view.documents.select(_MEMBERS).take(pa.array(rows)).append_column("row", pa.array(rows))
        bucket = dealt.bucket(members["cluster"].combine_chunks(), self.buckets)
        dealt.deal(self.scratch / "members" / part, members, bucket, self.buckets)


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
