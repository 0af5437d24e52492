"""Retention: which of the documents that passed every other rule are kept, and the line that divides them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import overload

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
    ends: dict[int, str] = {}
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
        ends[code] = f"{how}: {reasons[lang]} ({cut:,} of {len(ranked):,} documents of {lang})"
    every = np.sort(np.concatenate(rows)) if rows else np.empty(0, np.int64)
    own_quantile, own_code = quantile[every], codes[every]

    def tell(at: int) -> str:
        return f"quality quantile {own_quantile[at]:.3f} {ends[int(own_code[at])]}"

    return RuleHits(rule, every, Told(tell, len(every))), lines


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
    rows: list[NDArray[np.int64]] = []
    evidence: list[str] = []
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
    rows: list[NDArray[np.int64]] = []
    evidence: list[str] = []
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
    langs, sources = (documents[name].combine_chunks().dictionary_encode() for name in ("lang", "source"))
    codes, names = langs.indices.to_numpy(), langs.dictionary.to_pylist()
    pairs = codes.astype(np.int64) * len(sources.dictionary) + sources.indices.to_numpy()
    found, pair = np.unique(pairs, return_inverse=True)
    told = [divmod(one, len(sources.dictionary)) for one in found.tolist()]
    drawn = [line[names[lang], sources.dictionary[source].as_py()] for lang, source in told]
    score = documents["quality"].to_numpy(zero_copy_only=False).astype(np.float64)
    quantile = documents["quantile"].to_numpy(zero_copy_only=False)
    at = np.array([where for where, _ in drawn], np.float64)[pair]
    below = alive & (score < at)
    near = below & (score >= at - HAIR)
    rows = np.flatnonzero(below & ~near)
    own_score, own_pair = score[rows], pair[rows]

    def tell(i: int) -> str:
        which = int(own_pair[i])
        where, cost = drawn[which]
        return (
            f"P(natural) {own_score[i]:.3f} below {where:.3f}: the line that costs {names[told[which][0]]} at most "
            f"{100 * cost:.3g}% of its good text"
        )

    lines = {}
    out = np.zeros(len(codes), bool)
    out[rows] = True
    for lang, code in sorted((names[code], code) for code in np.unique(codes[alive]).tolist()):
        mine = alive & (codes == code)
        kept = mine & ~out
        low = float(quantile[kept].min()) if kept.any() else 1.0
        reason = f"P(natural) of at least {at[mine].min():.3f}"
        lines[lang] = Cutoff(low, int(kept.sum()), int(mine.sum()), reason)
    hair = np.flatnonzero(near)
    hits = [RuleHits(rule, rows, Told(tell, len(rows)))]
    return [*hits, RuleHits(rule, hair, Told(lambda _: "", len(hair)), drops=False)], lines


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
