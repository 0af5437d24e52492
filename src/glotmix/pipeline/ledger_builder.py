"""From signals to decisions: the ledger and the mixture, both in seconds and without measuring anything again."""

from collections import Counter
from collections.abc import Mapping
from functools import cache, partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from glotmix.core import settings, table
from glotmix.core.errors import DataError, RequestError
from glotmix.core.language import parse
from glotmix.core.record import Counts, Output
from glotmix.corpus.columns import text_for_bytes
from glotmix.corpus.sources import Column
from glotmix.mix import plan as mixing
from glotmix.mix.accounting import Available
from glotmix.mix.config import RunsConfig
from glotmix.pipeline import instruction_selection
from glotmix.pipeline.context import RunContext
from glotmix.select import ledger, licenses, thresholds
from glotmix.select.comparable import would_keep
from glotmix.select.min_sources import disagreement
from glotmix.select.rehydrate import weights
from glotmix.select.representatives import representatives
from glotmix.select.sample import gumbel_keys

VERSION = 1

_SORT: Mapping[str, tuple[str, str]] = {
    "quality": ("quality", "descending"),
    "length": ("chars", "descending"),
    "source": ("rank", "ascending"),
}


class Deciding:
    """One pass over the signals of a recipe, to its ledger."""

    def __init__(self, work: RunContext) -> None:
        self.work = work
        self.recipe = work.recipe
        self._resolve = cache(self._resolved)

    def _resolved(self, lang: str, source: str | None) -> Mapping[str, settings.Setting]:
        found = settings.resolve(self.recipe.settings, parse(lang), source)
        if not self.work.instructs:
            return found
        # The rules that ship were made for documents: of conversations, only what the recipe itself asks for holds.
        return {
            key: settings.Setting(None, "kind: instructions", one) if _of_documents(key, one) else one
            for key, one in found.items()
        }

    def setting(self, lang: str, source: str | None, key: str) -> Any:
        """Return the value of a setting of a language, as a source may have changed it."""
        return self._resolve(lang, source)[key].value

    def make_thresholds(self, output: Output) -> Counts:
        """Write ``thresholds.parquet``: the lines that the rules of the heuristics draw, per language.

        A source that sets heuristics of its own has lines of its own, derived from its own documents; ``source`` is
        null for the others.
        """
        _, measured = self.documents()
        drawn = []
        for source, rows in self._by_rules(measured):
            mine = measured.take(pa.array(rows))
            langs = pc.unique(mine["lang"]).to_pylist()
            resolved = {lang: self._resolve(lang, source) for lang in langs}
            lines = thresholds.derive(mine, resolved, self.recipe.select.min_documents)
            drawn.append(lines.append_column("source", pa.array([source] * lines.num_rows, pa.string())))
        limits = pa.concat_tables(drawn)
        table.write(limits, output.path / "thresholds.parquet")
        return {"documents": measured.num_rows, "thresholds": limits.num_rows}

    def make_ledger(self, output: Output) -> Counts:
        """Write the parts of the ledger."""
        documents, measured = self.documents()
        decisions = ledger.Decisions(documents.num_rows)
        corpus = documents.select(["id", "lang", "source"])
        warnings = self._by_license(documents, decisions)
        for failure in self._held_elsewhere(corpus):
            decisions.apply(failure)
        if self.work.instructs:
            for failure in instruction_selection.failures(
                corpus, self._signal("signals/answers", corpus), self.setting
            ):
                decisions.apply(failure)
        else:
            decisions.apply(ledger.wrong_language(documents, self._language_policy))
        limits = table.read(table.shards(self.work.step_dir("thresholds")))
        for source, rows in self._by_rules(measured):
            same = pc.equal(limits["source"], source) if source else pc.is_null(limits["source"])
            for failing in thresholds.failures(
                measured.take(pa.array(rows)), limits.filter(same).drop_columns("source")
            ):
                decisions.apply(ledger.RuleHits(failing.rule, rows[failing.rows], failing.evidence))
        found, partners = ledger.duplicates(documents, decisions.alive(), self._representatives)
        for failure in found:
            decisions.apply(failure)
        decisions.duplicate_of.update(partners)
        if self.work.instructs:
            self._repeated(documents, decisions)
        least = {
            lang: self.setting(lang, None, "agreement.sources") for lang in pc.unique(documents["lang"]).to_pylist()
        }
        failure, told = disagreement(documents, decisions.alive(), lambda lang: least[lang])
        decisions.apply(failure)
        warnings += told
        if not decisions.alive().any():
            blame = Counter(rule for rule, _ in decisions.first.values()).most_common(3)
            raise DataError(
                "no document of any language is kept; most were dropped by "
                + ", ".join(f"{rule} ({n:,})" for rule, n in blame),
                "loosen these rules in settings: glotmix explain LANGUAGE shows them",
            )
        survivors = available(documents, decisions.alive())
        lines = self._retain(documents, decisions, survivors, output)
        rows = ledger.assemble(documents, decisions, lines, self._weights(documents, decisions))
        self._note(output, rows, survivors, warnings)
        return self._write(output, rows)

    def make_mixture(self, output: Output) -> Counts:
        """Write ``mixture.json`` and ``mixture.csv`` for what the ledger keeps."""
        rows = table.read(table.shards(self.work.step_dir("ledger")), ["id", "lang", "bytes", "tokens", "kept"])
        config = self.recipe.mix
        if config.proxies is not None:
            trained = self.work.step_dir("proxies").resolve()
            tables = RunsConfig(mixtures=str(trained / "ratios.csv"), losses=str(trained / "metrics.csv"))
            config = config.model_copy(update={"runs": tables, "proxies": None})
        made = mixing.plan(available(rows, rows["kept"].combine_chunks()), config, self.work.base)
        mixing.write(made, output.path)
        output.notes["warnings"] = list(made.warnings)
        return {"languages": len(made.mixture.rows), "tokens": made.tokens}

    def documents(self) -> tuple[pa.Table, pa.Table]:
        """Return what is known of every document, in corpus order: the ledger's columns, and the heuristics.

        Raises:
            DataError: if a signal does not hold the same documents in the same order.
        """
        corpus = table.read(table.shards(self.work.corpus), ["id", "lang", "source"])
        heuristics = self._signal("signals/heuristics", corpus)
        columns = {name: corpus[name] for name in corpus.column_names} | {"license": self._licenses()}
        columns |= {"bytes": heuristics["bytes"].cast(pa.int64()), "chars": heuristics["chars"].cast(pa.int64())}
        tokenizer = self.recipe.signals.tokens.tokenizer
        columns["tokens"] = self._signal("signals/tokens", corpus)["tokens"] if tokenizer else columns["bytes"]
        identified = self._signal("signals/identify", corpus)
        columns |= {name: identified[name] for name in ("label", "score", "agrees")}
        clusters = self._signal("signals/duplicates", corpus)
        columns |= {name: clusters[name] for name in ("cluster", "cluster_size", "content", "sources")}
        nothing = pa.nulls(corpus.num_rows, pa.float32())
        columns |= {"quality": nothing, "quantile": nothing, "calibrated": nothing}
        if self.work.rated:
            rated = self._signal("signals/quality", corpus)
            columns |= {"quality": rated["score"], "quantile": rated["quantile"], "calibrated": rated["calibrated"]}
        ranks = {s.name: s.rank for s in self.recipe.corpus.sources}
        names = corpus["source"].combine_chunks().dictionary_encode()
        by_name = pa.array([ranks[n] for n in names.dictionary.to_pylist()], pa.int32())
        columns["rank"] = by_name.take(names.indices)
        measured = heuristics.append_column("lang", corpus["lang"]).append_column("source", corpus["source"])
        return pa.table(columns).combine_chunks(), measured

    def _signal(self, step: str, corpus: pa.Table) -> pa.Table:
        rows = table.read(sorted(self.work.step_dir(step).glob("part-*.parquet")))
        if not rows["id"].equals(corpus["id"]):
            raise DataError(f"{step} does not hold the corpus's documents in the corpus's order", f"delete {step}")
        return rows

    def _licenses(self) -> pa.ChunkedArray:
        """Return the licence of every document: its own, or its source's; null where there is none."""
        given = {s.name: s.license for s in self.recipe.corpus.sources}
        found = []
        for shard in table.shards(self.work.corpus):
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
                found.append(pa.array([None if v is None else str(v) for v in texts.to_pylist()], pa.string()))
            else:
                found.append(pa.array([license_] * len(sources), pa.string()))
        return pa.chunked_array(found, pa.string())

    def _by_license(self, documents: pa.Table, decisions: ledger.Decisions) -> list[str]:
        """Drop what its licence does not let one keep, and return what no list decided, in words."""
        config = self.recipe.select.licenses
        if config is None:
            return []
        for source in self.recipe.corpus.sources:
            if isinstance(source.license, str):
                try:
                    licenses.parse(source.license)
                except licenses.UnknownLicenseError as error:
                    if config.unknown == "drop":
                        raise RequestError(
                            f"corpus.sources: the licence of '{source.name}': {error}",
                            "write its SPDX id (or LicenseRef-NAME), or set select.licenses.unknown=keep",
                        ) from error
        judged = licenses.judge(documents["license"].combine_chunks(), config)
        decisions.apply(judged.failures)
        return judged.warnings(config)

    def _held_elsewhere(self, corpus: pa.Table) -> list[ledger.RuleHits]:
        """Return the documents that hold evaluation items, and those that earlier corpora hold already."""
        found = []
        if self.recipe.signals.contamination.sets:
            items = self._signal("signals/contamination", corpus)["items"].to_numpy()
            rows = np.flatnonzero(items)
            evidence = [f"holds {items[row]} evaluation items (signals/contamination/matches)" for row in rows]
            found.append(ledger.RuleHits("contamination", rows, evidence))
        if self.recipe.signals.earlier.signatures:
            before = self._signal("signals/earlier", corpus)
            rows = np.flatnonzero(before["earlier"].is_valid().to_numpy(zero_copy_only=False))
            evidence = [
                f"stands in {r['corpus']} as {r['earlier']} (similarity {r['similarity']:.2f}, same text: {r['same']})"
                for r in before.take(pa.array(rows)).to_pylist()
            ]
            found.append(ledger.RuleHits("earlier", rows, evidence))
        return found

    def _weights(self, documents: pa.Table, decisions: ledger.Decisions) -> pa.Array:
        most = self.recipe.select.rehydrate
        if most is None:
            return pa.array(np.ones(documents.num_rows, np.float32))
        size = documents["cluster_size"].to_numpy()
        removed = np.array([any(not rule.startswith("duplicates.") for rule in failed) for failed in decisions.failed])
        return pa.array(weights(documents["lang"].combine_chunks(), pa.array(size), removed, most))

    def _language_policy(self, lang: str, source: str) -> tuple[str, float]:
        return self.setting(lang, source, "identify.on_mismatch"), self.setting(lang, source, "identify.min_score")

    def _by_rules(self, measured: pa.Table) -> list[tuple[str | None, NDArray[np.int64]]]:
        """Return the sources that set heuristics of their own, and None for all others, with their documents."""
        langs = pc.unique(measured["lang"]).to_pylist()
        own = [
            s.name
            for s in self.recipe.corpus.sources
            if any(self._heuristics(lang, s.name) != self._heuristics(lang, None) for lang in langs)
        ]
        names = measured["source"].combine_chunks().dictionary_encode()
        position = {name: i for i, name in enumerate(names.dictionary.to_pylist())}
        codes = names.indices.to_numpy()
        others = np.flatnonzero(~np.isin(codes, [position[s] for s in own if s in position]))
        groups = [(None, others)] + [(s, np.flatnonzero(codes == position[s])) for s in own if s in position]
        return [(source, rows) for source, rows in groups if len(rows)]

    def _heuristics(self, lang: str, source: str | None) -> dict[str, Any]:
        return {k: s.value for k, s in self._resolve(lang, source).items() if k.startswith("heuristics.")}

    def _representatives(self, members: pa.Table) -> pa.Table:
        prefer = [p for p in self.recipe.select.prefer if p != "quality" or self.work.rated]
        return representatives(members, [_SORT[p] for p in prefer])  # type: ignore[misc]

    def _retain(
        self, documents: pa.Table, decisions: ledger.Decisions, survivors: Available, output: Output
    ) -> Mapping[str, ledger.Cutoff]:
        """Keep the best of each language, or a draw: a share, a number of tokens, or what the mixture needs."""
        if self.work.instructs:
            return self._choose(documents, decisions, output)
        section = self.recipe.select
        mode = section.retain
        if mode == "tokens" and not section.tokens:
            raise RequestError("select.retain is tokens, and no language has a number", "select.tokens={fra_Latn: 1e9}")
        if self.recipe.quality is None or mode == "all":
            return {}
        keys = partial(gumbel_keys, temperature=section.temperature, seed=self.recipe.seed)
        retain = partial(ledger.retain, documents, decisions.alive(), keys=keys if section.sample == "gumbel" else None)
        if mode == "share":
            wanted = {lang: float(self.setting(lang, None, "quality.keep")) for lang in survivors.languages}
            best = "the best" if section.sample == "top" else f"by quality at temperature {section.temperature:g},"
            reasons = {lang: f"{best} {share:.0%} are kept" for lang, share in wanted.items()}
            failure, lines = retain(wanted, None, reasons, "quality")
            if section.score != "quantile":
                total = sum(line.kept for line in lines.values())
                column = {"score": "quality"}.get(section.score, section.score)
                reason = f"one line for all languages, as many as the best of each would be ({total:,})"
                failure, lines = ledger.retain_across(documents, decisions.alive(), column, total, reason, "quality")
        elif mode == "tokens":
            wanted = {parse(code).code: float(number) for code, number in section.tokens.items()}
            reasons = {lang: f"select.tokens wants {number:,.0f}" for lang, number in wanted.items()}
            failure, lines = retain(wanted, "tokens", reasons, "budget")
        else:
            # The shares alone: their intervals are the mixture's business.
            config = self.recipe.mix.model_copy(update={"bootstrap": 0})
            mixture = mixing.plan(survivors, config, self.work.base).mixture
            most = self.recipe.mix.max_epochs or 1.0
            epochs = {lang: self.recipe.mix.max_epochs_of.get(lang, most) for lang in survivors.languages}
            wanted = {row.lang: row.tokens_used / epochs[row.lang] for row in mixture.rows}
            reasons = {
                row.lang: f"{row.tokens_used:,} tokens at {epochs[row.lang]:g} epochs need {wanted[row.lang]:,.0f}"
                for row in mixture.rows
            }
            failure, lines = retain(wanted, "tokens", reasons, "budget")
        alive = decisions.alive()
        decisions.apply(failure)
        output.notes["would_keep"] = would_keep(documents, alive, int(decisions.alive().sum()))
        output.notes["retention"] = {
            lang: {"quantile": line.quantile, "kept": line.kept, "of": line.of, "reason": line.reason}
            for lang, line in lines.items()
        }
        return lines

    def _repeated(self, documents: pa.Table, decisions: ledger.Decisions) -> None:
        """Keep the best of the conversations whose instructions are nearly the same."""
        clusters = self._signal("signals/prompts", documents.select(["id"]))
        names = ("cluster", "cluster_size", "content", "sources")
        seen = documents.drop_columns(list(names))
        for name in names:
            seen = seen.append_column(name, clusters[name])
        langs = documents["lang"].to_pylist()
        drop = {lang: self.setting(lang, None, "instructions.repeated") == "drop" for lang in dict.fromkeys(langs)}
        competing = decisions.alive() & np.array([drop[lang] for lang in langs], bool)
        found, partners = ledger.duplicates(seen.combine_chunks(), competing, self._representatives)
        for failure in found:
            # Their answers differ: neither stands for the other's text, so there is no `duplicate_of`.
            kind = failure.rule.removeprefix("duplicates.")
            what = "that" if kind == "exact" else "nearly that"
            told = [f"its instruction is {what} of {partners[row]}" for row in failure.rows.tolist()]
            decisions.apply(ledger.RuleHits(f"instructions.repeated.{kind}", failure.rows, told))

    def _choose(self, documents: pa.Table, decisions: ledger.Decisions, output: Output) -> Mapping[str, ledger.Cutoff]:
        failure, notes = instruction_selection.chosen(self.work, documents, decisions.alive())
        decisions.apply(failure)
        output.notes["selection"] = notes
        return {}

    def _note(self, output: Output, rows: pa.Table, survivors: Available, warnings: list[str]) -> None:
        output.notes["survivors"] = {
            lang: [survivors.documents[i], survivors.bytes[i], survivors.tokens[i]]
            for i, lang in enumerate(survivors.languages)
        }
        kept = set(pc.unique(rows.filter(rows["kept"])["lang"]).to_pylist())
        lost = sorted(set(pc.unique(rows["lang"]).to_pylist()) - kept)
        none = [f"{lang}: no document is kept (glotmix why ID tells of one)" for lang in lost]
        output.notes["warnings"] = [*warnings, *none]

    def _write(self, output: Output, rows: pa.Table) -> Counts:
        start = 0
        for part in table.shards(self.work.step_dir("signals/heuristics")):
            size = table.read([part], ["id"]).num_rows
            table.write(rows.slice(start, size), output.path / part.name)
            start += size
        kept = pc.sum(rows["kept"]).as_py()
        return {"documents": rows.num_rows, "kept": kept, "dropped": rows.num_rows - kept}


def _of_documents(key: str, setting: settings.Setting) -> bool:
    return key.startswith("heuristics.") and setting.origin.startswith(settings.BUILT_IN)


def available(documents: pa.Table, alive: Any) -> Available:
    """Count documents, bytes and tokens per language among the documents that are alive."""
    held = documents.filter(pa.array(alive)).group_by("lang")
    sums = held.aggregate([("id", "count"), ("bytes", "sum"), ("tokens", "sum")]).sort_by("lang")
    return Available.of({r["lang"]: (r["id_count"], r["bytes_sum"], r["tokens_sum"]) for r in sums.to_pylist()})
