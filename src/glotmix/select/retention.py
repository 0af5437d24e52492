"""Retention: which of the documents that passed every other rule are kept, and the line that divides them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from glotmix.core.rules import RuleHits


@dataclass(frozen=True)
class Cutoff:
    """Where retention cut one language: the lowest quantile that is kept (None where documents were drawn, and no
    quantile divides them), and how that came about."""

    quantile: float | None
    kept: int
    of: int
    reason: str


def retain(
    documents: pa.Table,
    alive: NDArray[np.bool_],
    wanted: Mapping[str, float],
    size: str | None,
    reasons: Mapping[str, str],
    rule: str,
    keys: Callable[[pa.ChunkedArray, NDArray[np.floating]], NDArray[np.float64]] | None = None,
) -> tuple[RuleHits, dict[str, Cutoff]]:
    """Keep the best documents of each language, by falling quality, until enough is held.

    Ties are broken by id, so the result depends on no order.

    Args:
        documents: ``id, lang, quality, quantile`` and the column `size`.
        alive: (n,) booleans; only these compete.
        wanted: per language, how much to keep: a share of the documents where `size` is None, otherwise an amount
            in units of that column. The document that crosses the line is kept. Languages not named are kept whole.
        size: the column that is added up, or None for a share of the documents.
        reasons: per language, why that much.
        rule: name of the rule in the ledger.
        keys: from the ids and qualities of a language's documents to what is kept by instead of quality, the largest
            first (see `select.sample`).
    """
    langs = documents["lang"].combine_chunks().dictionary_encode()
    codes = langs.indices.to_numpy()
    quality = documents["quality"].to_numpy(zero_copy_only=False)
    quantile = documents["quantile"].to_numpy(zero_copy_only=False)
    ids = documents["id"]
    rows: list[NDArray[np.int64]] = []
    lines: dict[str, Cutoff] = {}
    evidence: list[str] = []
    for code, lang in enumerate(langs.dictionary.to_pylist()):
        if lang not in wanted:
            continue
        mine = np.flatnonzero(alive & (codes == code))
        own = ids.take(pa.array(mine))
        key = quality[mine] if keys is None else keys(own, quality[mine])
        order = pc.sort_indices(
            pa.table({"key": key, "id": own}), sort_keys=[("key", "descending"), ("id", "ascending")]
        ).to_numpy()
        ranked = mine[order]
        if size is None:
            cut = int(np.ceil(round(wanted[lang] * len(ranked), 9)))
        else:
            amounts = documents[size].take(pa.array(ranked)).to_numpy(zero_copy_only=False)
            cut = int(np.searchsorted(np.cumsum(amounts), wanted[lang], side="left")) + 1 if len(ranked) else 0
        cut = min(cut, len(ranked))
        dropped = ranked[cut:]
        low = float(quantile[ranked[cut - 1]]) if cut else 1.0
        lines[lang] = Cutoff(low if keys is None else None, cut, len(ranked), reasons[lang])
        rows.append(dropped)
        how = f"below {low:.3f}" if keys is None else "and not drawn"
        evidence += [
            f"quality quantile {quantile[row]:.3f} {how}: {reasons[lang]} "
            f"({cut:,} of {len(ranked):,} documents of {lang})"
            for row in dropped.tolist()
        ]
    every = np.concatenate(rows) if rows else np.empty(0, np.int64)
    order = np.argsort(every, kind="stable")
    return RuleHits(rule, every[order], [evidence[i] for i in order.tolist()]), lines


def retain_within(
    documents: pa.Table,
    alive: NDArray[np.bool_],
    wanted: Mapping[str, float],
    reasons: Mapping[str, str],
    rule: str,
    keys: Callable[[pa.ChunkedArray, NDArray[np.floating]], NDArray[np.float64]] | None = None,
    column: str = "source",
) -> tuple[RuleHits, dict[str, Cutoff]]:
    """Keep the best share of each language's documents in every source (or domain) alike: see `retain`.

    A language's cutoff has no quantile: each part has its own.
    """
    rows, evidence = [], []
    kept: dict[str, list[int]] = {}
    for lang, name, mine in _parts(documents, alive, column):
        if lang not in wanted:
            continue
        own = documents.take(pa.array(mine))
        told = f"{reasons[lang]} of {name or f'documents without a {column}'}"
        found, cutoffs = retain(own, np.ones(len(mine), bool), {lang: wanted[lang]}, None, {lang: told}, rule, keys)
        rows.append(mine[found.rows])
        evidence += found.evidence
        counts = kept.setdefault(lang, [0, 0])
        counts[0] += cutoffs[lang].kept
        counts[1] += cutoffs[lang].of
    every = np.concatenate(rows) if rows else np.empty(0, np.int64)
    order = np.argsort(every, kind="stable")
    together = {lang: Cutoff(None, held, of, f"{reasons[lang]}, in each {column}") for lang, (held, of) in kept.items()}
    return RuleHits(rule, every[order], [evidence[i] for i in order.tolist()]), together


def crowded(documents: pa.Table, alive: NDArray[np.bool_], most: int, rule: str) -> RuleHits:
    """Return the documents of one domain in a language beyond the `most` best.

    The best are those of the highest quality, then the longest; ties are broken by id. A document without a domain
    is in no crowd.

    Args:
        documents: ``id, lang, domain, quality, bytes``.
        alive: (n,) booleans; only these compete.
        most: documents of one domain and language that stay.
        rule: name of the rule in the ledger.
    """
    rows, evidence = [], []
    for lang, name, mine in _parts(documents, alive & documents["domain"].is_valid().to_numpy(), "domain"):
        if len(mine) <= most:
            continue
        own = documents.select(["quality", "bytes", "id"]).take(pa.array(mine))
        order = pc.sort_indices(
            own, sort_keys=[("quality", "descending"), ("bytes", "descending"), ("id", "ascending")]
        ).to_numpy()
        out = mine[order[most:]]
        rows.append(out)
        evidence += [f"{name} has {len(mine):,} documents in {lang}; the best {most:,} are kept"] * len(out)
    every = np.concatenate(rows) if rows else np.empty(0, np.int64)
    order = np.argsort(every, kind="stable")
    return RuleHits(rule, every[order], [evidence[i] for i in order.tolist()])


def _parts(documents: pa.Table, alive: NDArray[np.bool_], column: str) -> Iterator[tuple[str, str, NDArray[np.int64]]]:
    """Yield each language and each value of a column in it (empty for null), with the living documents of both."""
    langs, names = (documents[n].combine_chunks().fill_null("").dictionary_encode() for n in ("lang", column))
    code = langs.indices.to_numpy().astype(np.int64) * len(names.dictionary) + names.indices.to_numpy()
    mine = np.flatnonzero(alive)
    mine = mine[np.argsort(code[mine], kind="stable")]
    ends = np.flatnonzero(np.diff(code[mine])) + 1
    for rows in np.split(mine, ends):
        if len(rows):
            lang, name = divmod(int(code[rows[0]]), len(names.dictionary))
            yield langs.dictionary[lang].as_py(), names.dictionary[name].as_py(), rows


HAIR = 0.005
"""A score below a line by less is borderline, and the document kept."""


def lose(
    documents: pa.Table, alive: NDArray[np.bool_], line: Mapping[tuple[str, str], tuple[float, float]], rule: str
) -> tuple[list[RuleHits], dict[str, Cutoff]]:
    """Drop the documents whose score lies below a line: the line is a probability, and what it costs was measured.

    Args:
        documents: ``id, lang, source, quality, quantile``.
        alive: (n,) booleans; only these compete.
        line: (language, source) → (the score below which a document falls, the share of good text that it costs).
        rule: name of the rule in the ledger.

    Returns:
        who fails, and who is within `HAIR` of its line and borderline; per language its lowest line, as a quantile.
    """
    names = list(zip(documents["lang"].to_pylist(), documents["source"].to_pylist(), strict=True))
    score = documents["quality"].to_numpy(zero_copy_only=False).astype(np.float64)
    quantile = documents["quantile"].to_numpy(zero_copy_only=False)
    at = np.array([line[name][0] for name in names], np.float64)
    below = alive & (score < at)
    near = below & (score >= at - HAIR)
    rows = np.flatnonzero(below & ~near)
    evidence = [
        f"P(natural) {score[row]:.3f} below {at[row]:.3f}: the line that costs {names[row][0]} at most "
        f"{line[names[row]][1]:.0%} of its good text"
        for row in rows.tolist()
    ]
    lines = {}
    langs = np.asarray([lang for lang, _ in names], object)
    out = np.zeros(len(names), bool)
    out[rows] = True
    for lang in sorted(set(langs[alive])):
        mine = alive & (langs == lang)
        kept = mine & ~out
        low = float(quantile[kept].min()) if kept.any() else 1.0
        reason = f"P(natural) of at least {at[mine].min():.3f}"
        lines[lang] = Cutoff(low, int(kept.sum()), int(mine.sum()), reason)
    hair = np.flatnonzero(near)
    return [RuleHits(rule, rows, evidence), RuleHits(rule, hair, [""] * len(hair), drops=False)], lines


def retain_across(
    documents: pa.Table, alive: NDArray[np.bool_], column: str, wanted: int, reason: str, rule: str
) -> tuple[RuleHits, dict[str, Cutoff]]:
    """Keep the `wanted` best documents of all languages together: one line for all, by a score that compares.

    Ties are broken by id.

    Args:
        documents: ``id, lang, quantile`` and the score.
        alive: (n,) booleans; only these compete.
        column: the score.
        wanted: how many documents are kept.
        reason: why so many.
        rule: name of the rule in the ledger.
    """
    mine = np.flatnonzero(alive)
    ranked = mine[
        pc.sort_indices(
            documents.select(["id", column]).take(pa.array(mine)),
            sort_keys=[(column, "descending"), ("id", "ascending")],
        ).to_numpy()
    ]
    cut = min(wanted, len(ranked))
    score = documents[column].to_numpy(zero_copy_only=False)
    low = float(score[ranked[cut - 1]]) if cut else 1.0
    dropped = np.sort(ranked[cut:])
    evidence = [
        f"{column} {score[row]:.3f} below {low:.3f}: {reason} ({cut:,} of {len(ranked):,} documents)"
        for row in dropped.tolist()
    ]
    quantile = documents["quantile"].to_numpy(zero_copy_only=False)
    langs = np.asarray(documents["lang"].to_pylist(), object)
    kept = np.zeros(len(langs), bool)
    kept[ranked[:cut]] = True
    lines = {}
    for lang in sorted(set(langs[mine])):
        own = kept & (langs == lang)
        lowest = float(quantile[own].min()) if own.any() else 1.0
        lines[lang] = Cutoff(lowest, int(own.sum()), int((alive & (langs == lang)).sum()), reason)
    return RuleHits(rule, dropped, evidence), lines
