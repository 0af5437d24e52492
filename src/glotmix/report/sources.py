"""The table language × source, and what is unfair or telling in it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

LEAST = 30
"""Documents of a language in a source, and beside it, below which nothing is said of it."""
TWICE, SHARE, SURE = 2.0, 0.10, 3.0
"""A source is warned of that loses so many times what the others of its language lose, and at least that share of its
own documents, the difference being so many standard errors."""
QUARTER = 0.25
CROWD, MOST_DOMAINS = 0.25, 200
"""Share of a language's kept text from which one domain is told of; rows of the table by domain."""
TELLING, SURE_OF_SCORE = 0.7, 3.5
"""AUC with which the source alone tells two documents' scores apart, and by how many standard errors it must differ
from one half. Chosen on the development half of edited text: docs/log.md."""
FORM = 0.9
"""AUC with which the length alone tells a source's documents from the others' of its language."""
BY_LENGTH = 0.6
"""Rank correlation of score and length within a language."""


@dataclass(frozen=True)
class Cell:
    """A language's documents of one source.

    Args:
        lang: the language.
        source: the source.
        read: documents.
        kept: those that the ledger keeps.
        bytes: of the documents read.
        bytes_kept: of those kept.
        score: median score; None where nothing was rated.
        judged: documents that rules on the text and its quality dropped (no duplicates, no licences).
        rules: the three rules that dropped most, with how many.
    """

    lang: str
    source: str
    read: int
    kept: int
    bytes: int
    bytes_kept: int
    score: float | None
    judged: int
    rules: dict[str, int]

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


@dataclass(frozen=True)
class Warned:
    """Something to look at in the table.

    Args:
        kind: ``loses``, ``quarter``, ``source``, ``form``, ``length`` or ``domain``.
        lang: the language.
        source: the source; empty for a finding on the language.
        text: what was found, with its numbers.
        fix: what to type.
        bytes: of the text that it is about.
    """

    kind: str
    lang: str
    source: str
    text: str
    fix: str
    bytes: int


def cells(ledger: pa.Table, column: str = "source") -> list[Cell]:
    """Return the table of a ledger's rows, by language and source (or another column in its place)."""
    found = []
    keys = pc.binary_join_element_wise(ledger["lang"].cast(pa.string()), ledger[column].cast(pa.string()), "\t")
    codes = keys.combine_chunks().dictionary_encode()
    where = codes.indices.to_numpy()
    order = np.argsort(where, kind="stable")
    ends = np.cumsum(np.bincount(where, minlength=len(codes.dictionary)))
    kept = ledger["kept"].to_numpy(zero_copy_only=False)
    size = ledger["bytes"].to_numpy()
    score = ledger["quality"].to_numpy(zero_copy_only=False)
    rules = ledger["rule"].to_pylist()
    for key, begin, end in zip(codes.dictionary.to_pylist(), [0, *ends[:-1].tolist()], ends.tolist(), strict=True):
        rows = order[begin:end]
        lang, source = key.split("\t", 1)
        lost = Counter(_kind(rules[row]) for row in rows[~kept[rows]].tolist())
        judged = sum(n for rule, n in lost.items() if rule.startswith(("heuristics.", "quality", "budget")))
        own = score[rows][~np.isnan(score[rows].astype(float))] if len(rows) else score[rows]
        found.append(
            Cell(
                lang, source, len(rows), int(kept[rows].sum()), int(size[rows].sum()),
                int(size[rows][kept[rows]].sum()), float(np.median(own)) if len(own) else None, judged,
                dict(sorted(lost.items(), key=lambda item: (-item[1], item[0]))[:3]),
            )
        )  # fmt: skip
    return sorted(found, key=lambda cell: (cell.lang, cell.source))


def domains(ledger: pa.Table) -> tuple[list[Cell], list[Warned]]:
    """Return the table by language and domain, of the `MOST_DOMAINS` with most documents, and what to look at in it.

    Args:
        ledger: rows with a ``domain``, null for a document without an address.
    """
    rows = ledger.filter(pc.is_valid(ledger["domain"]))
    counted = rows.group_by(["lang", "domain"]).aggregate([("bytes", "count")])
    order = [("bytes_count", "descending"), ("lang", "ascending"), ("domain", "ascending")]
    most = counted.sort_by(order).slice(0, MOST_DOMAINS).select(["lang", "domain"])
    found = cells(rows.join(most, ["lang", "domain"], join_type="inner"), "domain") if most.num_rows else []
    found.sort(key=lambda cell: (-cell.read, cell.lang, cell.source))
    kept = ledger.filter(ledger["kept"]).group_by("lang").aggregate([("bytes", "sum"), ("bytes", "count")]).to_pylist()
    of = {row["lang"]: (row["bytes_sum"], row["bytes_count"]) for row in kept}
    warned = []
    for cell in found:
        size, documents = of.get(cell.lang, (0, 0))
        if documents >= LEAST and cell.bytes_kept > CROWD * size:
            text = (
                f"{cell.source} is {cell.bytes_kept / size:.0%} of the text that is kept of {cell.lang} "
                f"({cell.kept:,} of {documents:,} documents)"
            )
            fix = f"select.per_domain={max(documents // 20, 1)}"
            warned.append(Warned("domain", cell.lang, cell.source, text, fix, cell.bytes_kept))
    return found, warned


def _kind(rule: str | None) -> str:
    return rule or "none"


def warned(table: Sequence[Cell], ledger: pa.Table, fair: str | None = None) -> list[Warned]:
    """Return what is to be looked at, each with what to type.

    Args:
        table: the cells of the ledger.
        ledger: its rows.
        fair: where documents compete for a share or a budget, what to type so that sources do not; None where each is
            dropped or kept for what it is alone.
    """
    found: list[Warned] = []
    by_lang: dict[str, list[Cell]] = {}
    for cell in table:
        by_lang.setdefault(cell.lang, []).append(cell)
    for own in by_lang.values():
        for cell in own:
            others = [c for c in own if c is not cell]
            found += _against(cell, sum(c.judged for c in others), sum(c.read for c in others))
    return found + _predicted(by_lang, ledger, fair)


def _against(cell: Cell, lost: int, read: int) -> list[Warned]:
    """Return whether a source loses more than the others of its language, or most of its text."""
    if cell.read < LEAST:
        return []
    rule = next(iter(cell.rules), "none")
    fix = f"settings.source.{cell.source}.{_off(rule)}"
    share = cell.judged / cell.read
    if read >= LEAST:
        base = lost / read
        pooled = (cell.judged + lost) / (cell.read + read)
        error = np.sqrt(pooled * (1 - pooled) * (1 / cell.read + 1 / read))
        if share >= SHARE and share >= TWICE * base and share - base >= SURE * error:
            text = (
                f"{cell.source} loses {share:.0%} of its {cell.read:,} documents in {cell.lang} to rules on the text, "
                f"the other sources of the language {base:.0%}; most to {rule}"
            )
            return [Warned("loses", cell.lang, cell.source, text, fix, cell.bytes - cell.bytes_kept)]
    # Copies are told of as copies; here it is about what rules on the text take.
    if cell.kept < QUARTER * cell.read and cell.judged >= (cell.read - cell.kept) / 2:
        text = (
            f"of {cell.source} in {cell.lang} {cell.kept / cell.read:.0%} of {cell.read:,} documents are kept; "
            f"most are lost to {rule}"
        )
        return [Warned("quarter", cell.lang, cell.source, text, fix, cell.bytes - cell.bytes_kept)]
    return []


def _off(rule: str) -> str:
    """Return the setting that switches a rule off, or changes it."""
    if rule.startswith("heuristics."):
        return f"{rule}=null"
    if rule.startswith(("quality", "budget")):
        return "quality.lose=0.01"
    if rule == "identify":
        return "identify.on_mismatch=keep"
    return "quality.lose=0.01"


def _predicted(by_lang: dict[str, list[Cell]], ledger: pa.Table, fair: str | None) -> list[Warned]:
    """Return the languages whose score the source or the length alone predicts."""
    found = []
    score = ledger["quality"].to_numpy(zero_copy_only=False).astype(float)
    if np.isnan(score).all():
        return []
    langs = np.asarray(ledger["lang"].to_pylist(), object)
    sources = np.asarray(ledger["source"].to_pylist(), object)
    chars = ledger["chars"].to_numpy()
    for lang, own in by_lang.items():
        mine = (langs == lang) & ~np.isnan(score)
        size = sum(cell.bytes for cell in own)
        for cell in own:
            one = mine & (sources == cell.source)
            if min(one.sum(), (mine & ~one).sum()) < LEAST:
                continue
            n, others = int(one.sum()), int((mine & ~one).sum())
            auc = _auc(score[one], score[mine & ~one])
            error = np.sqrt((n + others + 1) / (12 * n * others))
            if auc <= 1 - TELLING and 0.5 - auc >= SURE_OF_SCORE * error:
                text = (
                    f"in {lang} the source alone tells the score: a document of {cell.source} scores below one of the "
                    f"others {1 - auc:.0%} of the time (median {cell.score:.2f}): worse text, or text of another form"
                )
                fix = fair or f"settings.source.{cell.source}.quality.lose=0.01"
                found.append(Warned("source", lang, cell.source, text, fix, cell.bytes))
            elif fair:
                found += _of_form(cell, own, chars[one], chars[mine & ~one], fair)
        if mine.sum() >= 2 * LEAST and len(np.unique(chars[mine])) > 2:
            from scipy.stats import spearmanr

            rho = float(spearmanr(score[mine], chars[mine])[0])
            if abs(rho) >= BY_LENGTH:
                text = f"in {lang} the score follows the length (rank correlation {rho:+.2f}, {mine.sum():,} documents)"
                found.append(Warned("length", lang, "", text, f"settings.language.{lang}.quality.lose=0.01", size))
    return found


def _of_form(
    cell: Cell, own: Sequence[Cell], mine: NDArray[np.int64], others: NDArray[np.int64], fair: str
) -> list[Warned]:
    """Return whether a source holds text of another form than the others, with which it is ranked, and loses by it."""
    auc = _auc(mine.astype(np.float64), others.astype(np.float64))
    rest = [one for one in own if one is not cell]
    kept, theirs = cell.kept / cell.read, sum(one.kept for one in rest) / sum(one.read for one in rest)
    if max(auc, 1 - auc) < FORM or kept >= theirs:
        return []
    text = (
        f"{cell.source} in {cell.lang} holds text of another form: {np.median(mine):,.0f} characters a document, the "
        f"other sources {np.median(others):,.0f}; ranked together, {kept:.0%} of it are kept and {theirs:.0%} of theirs"
    )
    return [Warned("form", cell.lang, cell.source, text, fair, cell.bytes - cell.bytes_kept)]


def _auc(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return the chance that a value of `one` exceeds one of `other`, ties half (Mann-Whitney)."""
    from scipy.stats import rankdata

    ranks = rankdata(np.concatenate([one, other]))
    return float((ranks[: len(one)].sum() - len(one) * (len(one) + 1) / 2) / (len(one) * len(other)))
