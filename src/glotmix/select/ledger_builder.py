"""From signals to the ledger: every rule of every step, in its place, without measuring anything again."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from glotmix.core import flight, settings, table
from glotmix.core.context import RunContext
from glotmix.core.errors import DataError, did_you_mean
from glotmix.core.language import parse
from glotmix.core.record import JSON, Counts, Output
from glotmix.core.rules import Rule, RuleHits
from glotmix.corpus.columns import text_for_bytes
from glotmix.corpus.sources import Column
from glotmix.mix.accounting import Available
from glotmix.mix.steps import available
from glotmix.select import ledger, licenses, rehydrate, thresholds
from glotmix.select.ranking import Cutoff
from glotmix.select.representatives import representatives

VERSION = 5

RETENTION = 900
"""Rules from this place on choose among the documents that all others let pass."""

_SORT: Mapping[str, tuple[str, str]] = {
    "quality": ("quality", "descending"),
    "length": ("chars", "descending"),
    "source": ("rank", "ascending"),
}


class LedgerBuilder:
    """One pass over the signals of a recipe, to its ledger.

    Args:
        context: the recipe at work.
        part: the name and the shards of one part of the corpus, where it is decided part by part.
    """

    def __init__(self, context: RunContext, part: tuple[str, Sequence[Path]] | None = None) -> None:
        self.context = context
        self._part = part
        self.recipe = context.recipe
        self.decisions = ledger.Decisions(0)
        self.cutoffs: dict[str, Cutoff] = {}
        self.judged = licenses.Judged.nothing()
        self.notes: dict[str, JSON] = {}
        self.warnings: list[str] = []
        self._survivors: Available | None = None
        self.resolve = cache(self._resolved)

    def _resolved(self, lang: str, source: str | None) -> Mapping[str, settings.Setting]:
        found = settings.resolve(self.recipe.settings, parse(lang), source)
        if not self.context.instructs:
            return found
        # The rules that ship were made for documents: of conversations, only what the recipe itself asks for holds.
        return {
            key: settings.Setting(None, "kind: instructions", one) if _of_documents(key, one) else one
            for key, one in found.items()
        }

    def setting(self, lang: str, source: str | None, key: str) -> Any:
        """Return the value of a setting of a language, as a source may have changed it."""
        return self.resolve(lang, source)[key].value

    def make_thresholds(self, output: Output) -> Counts:
        """Write ``thresholds.parquet``: the lines that the rules of the heuristics draw, per language.

        A source that sets heuristics of its own has lines of its own, derived from its own documents; ``source`` is
        null for the others.
        """
        measured = self.measured
        drawn = []
        for source, rows in self.rule_groups():
            mine = table.rows_of(measured, rows)
            langs = pc.unique(mine["lang"]).to_pylist()
            resolved = {lang: self.resolve(lang, source) for lang in langs}
            lines = thresholds.derive(mine, resolved, self.recipe.select.min_documents)
            drawn.append(lines.append_column("source", pa.array([source] * lines.num_rows, pa.string())))
        limits = pa.concat_tables(drawn)
        table.write(limits, output.path / "thresholds.parquet")
        return {"documents": measured.num_rows, "thresholds": limits.num_rows}

    def make_ledger(self, output: Output) -> Counts:
        """Write the parts of the ledger: every rule of every step in its place, then what retention leaves."""
        documents = self.documents
        self.decisions = ledger.Decisions(documents.num_rows)
        rules = self.rules()
        for rule in rules:
            if rule.place < RETENTION:
                self.apply(rule)
        if not self.alive().any():
            raise nothing_left(Counter(rule for rule, _ in self.decisions.first.values()))
        self._survivors = available(documents, self.alive())
        for rule in rules:
            if rule.place >= RETENTION:
                self.apply(rule)
        rows = self.assembled()
        output.notes |= self.notes
        kept = pc.unique(rows["lang"].filter(rows["kept"])).to_pylist()
        warnings = [*self.judged.warnings(self.recipe.select.licenses), *self.warnings]
        there = pc.unique(rows["lang"]).to_pylist()
        output.notes |= notes(self.survivors, kept, there, self.recipe.settings, warnings)
        return self._write(output, rows)

    def rules(self) -> list[Rule]:
        """Return the rules of all steps, in the order of the funnel."""
        return sorted((rule for step in self.context.steps for rule in step.rules), key=lambda r: (r.place, r.name))

    def decide(self, survivors: Available) -> None:
        """Begin where retention does: with what all other rules let pass."""
        self._survivors = survivors

    def hit(self, hits: Sequence[RuleHits]) -> None:
        """Note what was decided before, in the order of the funnel."""
        for one in hits:
            self.decisions.apply(one)

    def apply(self, rule: Rule) -> list[RuleHits]:
        """Apply a rule to the documents, and return what it hit."""
        found = list(rule.apply(self))
        self.hit(found)
        return found

    def cut(self, cutoffs: Mapping[str, Cutoff]) -> None:
        """Note where retention cut the languages."""
        self.cutoffs |= cutoffs
        self.notes["retention"] = {
            lang: {"quantile": one.quantile, "kept": one.kept, "of": one.of, "reason": one.reason}
            for lang, one in cutoffs.items()
        }

    def assembled(self, removals: rehydrate.Removals | None = None) -> pa.Table:
        """Return the ledger's rows, as it was decided.

        Args:
            removals: those of the whole corpus, where this is a part of it.
        """
        most, documents = self.recipe.select.rehydrate, self.documents
        weight = np.ones(documents.num_rows, np.float32)
        if most is not None:
            found = rehydrate.scale(self.removals() if removals is None else removals, most)
            weight = rehydrate.looked_up(documents["lang"], documents["cluster_size"], found)
        return ledger.assemble(documents, self.decisions, self.cutoffs, pa.array(weight))

    def removals(self) -> rehydrate.Removals:
        """Return how many documents of clusters of each size the rules drop, those of duplicates aside."""
        failed = self.decisions.failed
        removed = np.array([any(not rule.startswith("duplicates.") for rule in one) for one in failed], bool)
        return rehydrate.removals(self.documents["lang"], self.documents["cluster_size"], removed)

    @property
    def survivors(self) -> Available:
        """What passed all rules but retention, by language."""
        assert self._survivors is not None
        return self._survivors

    @cached_property
    def corpus(self) -> pa.Table:
        """``id, lang, source`` of all documents."""
        return table.read(self.files, ["id", "lang", "source"], at_once=True)

    @property
    def files(self) -> Sequence[Path]:
        """The shards of the corpus, or of its part."""
        return table.shards(self.context.corpus) if self._part is None else self._part[1]

    @cached_property
    def languages(self) -> list[str]:
        """The languages of the whole corpus."""
        return list(pc.unique(self.corpus["lang"]).to_pylist())

    @cached_property
    def measured(self) -> pa.Table:
        """The heuristics of all documents, with language and source."""
        heuristics = self.signal("signals/heuristics")
        return heuristics.append_column("lang", self.corpus["lang"]).append_column("source", self.corpus["source"])

    @cached_property
    def documents(self) -> pa.Table:
        """What is known of every document, in the order of the corpus: the ledger's columns.

        Raises:
            DataError: if a signal does not hold the same documents in the same order.
        """
        corpus, heuristics = self.corpus, self.signal("signals/heuristics")
        columns = {name: corpus[name] for name in corpus.column_names} | {"license": self._licenses()}
        columns |= {"bytes": heuristics["bytes"].cast(pa.int64()), "chars": heuristics["chars"].cast(pa.int64())}
        tokenizer = self.recipe.signals.tokens.tokenizer
        columns["tokens"] = self.signal("signals/tokens")["tokens"] if tokenizer else columns["bytes"]
        identified = self.signal("signals/identify")
        columns |= {name: identified[name] for name in ("label", "score", "agrees")}
        clusters = self.signal("signals/duplicates")
        columns |= {name: clusters[name] for name in ("cluster", "cluster_size", "content", "sources")}
        nothing = pa.nulls(corpus.num_rows, pa.float32())
        columns |= {"quality": nothing, "quantile": nothing, "calibrated": nothing}
        if self.context.has("signals/quality"):
            rated = self.signal("signals/quality")
            columns |= {"quality": rated["score"], "quantile": rated["quantile"], "calibrated": rated["calibrated"]}
        domain = pa.nulls(corpus.num_rows, pa.string())
        columns["domain"] = self.signal("signals/urls")["domain"] if self.context.has("signals/urls") else domain
        ranks = {s.name: s.rank for s in self.recipe.corpus.sources}
        names = corpus["source"].combine_chunks().dictionary_encode()
        by_name = pa.array([ranks[n] for n in names.dictionary.to_pylist()], pa.int32())
        columns["rank"] = by_name.take(names.indices)
        return pa.table(columns).combine_chunks()

    def signal(self, step: str) -> pa.Table:
        """Return the rows of a signal.

        Raises:
            DataError: if they are not of the corpus's documents in the corpus's order.
        """
        name = "part-*" if self._part is None else self._part[0]
        rows = table.read(sorted(self.context.step_dir(step).glob(f"{name}.parquet")), at_once=True)
        if not rows["id"].equals(self.corpus["id"]):
            raise DataError(f"{step} does not hold the corpus's documents in the corpus's order", f"delete {step}")
        return rows

    def alive(self) -> NDArray[np.bool_]:
        """Return (n,) booleans: the documents that no rule has dropped so far."""
        return self.decisions.alive()

    def warn(self, text: str) -> None:
        """Add a warning to the ledger's record."""
        self.warnings.append(text)

    def _licenses(self) -> pa.ChunkedArray:
        """Return the licence of every document: its own, or its source's; null where there is none."""
        given = {s.name: s.license for s in self.recipe.corpus.sources}
        found = []
        for shard in self.files:
            sources = table.read([shard], ["source"])["source"].combine_chunks()
            license_ = given[sources[0].as_py()] if len(sources) else None
            if isinstance(license_, Column):
                # A shard holds documents of one source; a dotted name reaches into its objects.
                held = pq.ParquetFile(shard).schema_arrow.names
                first, *inner = [license_.column] if license_.column in held else license_.column.split(".")
                values = table.read([shard], [first])[first].combine_chunks()
                for field in inner:
                    values = pc.struct_field(values, field)
                texts, _ = text_for_bytes(values)
                found.append(pa.array([licenses.written(value) for value in texts.to_pylist()], pa.string()))
            else:
                found.append(pa.array([license_] * len(sources), pa.string()))
        return pa.chunked_array(found, pa.string())

    def rule_groups(self) -> list[tuple[str | None, NDArray[np.int64]]]:
        """Return the sources that set heuristics of their own, and None for all others, with their documents."""
        measured = self.measured
        own = self.sources_with_rules(self.languages)
        names = measured["source"].combine_chunks().dictionary_encode()
        position = {name: i for i, name in enumerate(names.dictionary.to_pylist())}
        codes = names.indices.to_numpy()
        others = np.flatnonzero(~np.isin(codes, [position[s] for s in own if s in position]))
        groups = [(None, others)] + [(s, np.flatnonzero(codes == position[s])) for s in own if s in position]
        return [(source, rows) for source, rows in groups if len(rows)]

    def sources_with_rules(self, languages: Sequence[str]) -> list[str]:
        """Return the sources that set heuristics of their own, for any of these languages."""
        return [
            s.name
            for s in self.recipe.corpus.sources
            if any(self._heuristics(lang, s.name) != self._heuristics(lang, None) for lang in languages)
        ]

    def _heuristics(self, lang: str, source: str | None) -> dict[str, Any]:
        return {k: s.value for k, s in self.resolve(lang, source).items() if k.startswith("heuristics.")}

    def representatives(self, members: pa.Table) -> pa.Table:
        """Return the member of each cluster that is kept, as ``select.prefer`` says."""
        prefer = [p for p in self.recipe.select.prefer if p != "quality" or self.context.has("signals/quality")]
        return representatives(members, [_SORT[p] for p in prefer])  # type: ignore[misc]

    def _write(self, output: Output, rows: pa.Table) -> Counts:
        parts = table.shards(self.context.step_dir("signals/heuristics"))
        ends = np.cumsum([pq.read_metadata(part).num_rows for part in parts])

        def write(number: int) -> None:
            start = int(ends[number - 1]) if number else 0
            table.write(rows.slice(start, int(ends[number]) - start), output.path / parts[number].name)

        flight.spread(write, range(len(parts)))
        kept = pc.sum(rows["kept"]).as_py()
        return {"documents": rows.num_rows, "kept": kept, "dropped": rows.num_rows - kept}


def notes(
    survivors: Available,
    kept: Collection[str],
    languages: Collection[str],
    layers: Mapping[str, Any],
    warnings: Sequence[str],
) -> dict[str, JSON]:
    """Return what the ledger's record says of it: what passed all rules but retention, and warnings.

    Args:
        survivors: what passed.
        kept: the languages of which documents are kept.
        languages: all languages of the corpus.
        layers: the recipe's ``settings``.
        warnings: of the rules.
    """
    lost = sorted(set(languages) - set(kept))
    none = [f"{lang}: no document is kept (glotmix why RECIPE ID tells of one)" for lang in lost]
    absent = sorted({parse(str(given)).code for given in layers.get("language") or {}} - set(languages))
    none += [
        f"settings.language.{code} changes nothing: no document is in this language{did_you_mean(code, languages)}"
        for code in absent
    ]
    return {
        "survivors": {
            lang: [survivors.documents[i], survivors.bytes[i], survivors.tokens[i]]
            for i, lang in enumerate(survivors.languages)
        },
        "warnings": [*warnings, *none],
    }


def nothing_left(rules: Counter[str]) -> DataError:
    """Return the error that says which rules dropped everything."""
    return DataError(
        "no document of any language is kept; most were dropped by "
        + ", ".join(f"{rule} ({n:,})" for rule, n in rules.most_common(3)),
        "loosen these rules in settings: glotmix explain LANGUAGE shows them",
    )


def _of_documents(key: str, setting: settings.Setting) -> bool:
    return key.startswith("heuristics.") and setting.origin.startswith(settings.BUILT_IN)
