"""The table language × source, and what is unfair or telling in it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from glotmix.report.findings import Warned

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
READ = "read the documents in the report"
"""What to do where no setting would mend it."""
_ASKED = ("quality", "budget")
"""Rules that drop what a share, a budget or a line of the rater leaves out."""


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
        most: the one of these rules that dropped most; empty for none.
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
    most: str
    rules: dict[str, int]

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


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
    for key, begin, end in zip(codes.dictionary.to_pylist(), [0, *ends[:-1].tolist()], ends.tolist(), strict=True):
        rows = order[begin:end]
        lang, source = key.split("\t", 1)
        gone = pc.value_counts(ledger["rule"].take(pa.array(rows[~kept[rows]]))).to_pylist()
        lost = {_kind(one["values"]): one["counts"] for one in gone}
        judged = {rule: n for rule, n in lost.items() if rule.startswith(("heuristics.", *_ASKED))}
        own = score[rows][~np.isnan(score[rows].astype(float))] if len(rows) else score[rows]
        found.append(
            Cell(
                lang, source, len(rows), int(kept[rows].sum()), int(size[rows].sum()),
                int(size[rows][kept[rows]].sum()), float(np.median(own)) if len(own) else None,
                sum(judged.values()), max(sorted(judged), key=lambda rule: judged[rule], default=""),
                dict(sorted(lost.items(), key=lambda item: (-item[1], item[0]))[:3]),
            )
        )  # fmt: skip
    return sorted(found, key=lambda cell: (cell.lang, cell.source))


def domains(ledger: pa.Table) -> list[Cell]:
    """Return the table by language and domain, of the `MOST_DOMAINS` with most documents.

    Args:
        ledger: rows with a ``domain``, null for a document without an address.
    """
    rows = ledger.filter(pc.is_valid(ledger["domain"]))
    counted = rows.group_by(["lang", "domain"]).aggregate([("bytes", "count")])
    order = [("bytes_count", "descending"), ("lang", "ascending"), ("domain", "ascending")]
    most = counted.sort_by(order).slice(0, MOST_DOMAINS).select(["lang", "domain"])
    found = cells(rows.join(most, ["lang", "domain"], join_type="inner"), "domain") if most.num_rows else []
    return most_read(found)


def most_read(found: Sequence[Cell]) -> list[Cell]:
    """Return the `MOST_DOMAINS` cells with most documents, these first."""
    return sorted(found, key=lambda cell: (-cell.read, cell.lang, cell.source))[:MOST_DOMAINS]


def crowds(by_domain: Sequence[Cell], by_source: Sequence[Cell]) -> list[Warned]:
    """Return the domains that are much of a language's kept text."""
    of: dict[str, tuple[int, int]] = {}
    for cell in by_source:
        size, documents = of.get(cell.lang, (0, 0))
        of[cell.lang] = size + cell.bytes_kept, documents + cell.kept
    warned = []
    for cell in by_domain:
        size, documents = of.get(cell.lang, (0, 0))
        if documents >= LEAST and cell.bytes_kept > CROWD * size:
            figures = {"share": cell.bytes_kept / size, "read": cell.kept, "of": documents}
            fix = f"select.per_domain={max(documents // 20, 1)}"
            warned.append(Warned("domain", cell.lang, cell.source, figures, fix, cell.bytes_kept))
    return warned


def _kind(rule: str | None) -> str:
    return rule or "none"


def warned(table: Sequence[Cell], ledger: pa.Table, fair: str | None = None, lose: bool = True) -> list[Warned]:
    """Return what is to be looked at, each with what to type.

    Args:
        table: the cells of the ledger.
        ledger: its rows.
        fair: where documents compete for a share or a budget, what to type so that sources do not; None where each is
            dropped or kept for what it is alone.
        lose: whether a line of the rater decides (`select.retain: lose`).
    """
    return [*unfair(table, fair, lose), *predicted(table, ledger, fair, lose)]


def unfair(table: Sequence[Cell], fair: str | None, lose: bool) -> list[Warned]:
    """Return the sources that lose more than the others of their language, or most of their text; see `warned`."""
    found: list[Warned] = []
    for own in _by_lang(table).values():
        if not any(cell.kept for cell in own):
            # Told of as a language of which nothing is kept.
            continue
        for cell in own:
            others = [c for c in own if c is not cell]
            found += _against(cell, sum(c.judged for c in others), sum(c.read for c in others), fair, lose)
    return found


def _by_lang(table: Sequence[Cell]) -> dict[str, list[Cell]]:
    found: dict[str, list[Cell]] = {}
    for cell in table:
        found.setdefault(cell.lang, []).append(cell)
    return found


def _against(cell: Cell, lost: int, read: int, fair: str | None, lose: bool) -> list[Warned]:
    """Return whether a source loses more than the others of its language, or most of its text."""
    if cell.read < LEAST:
        return []
    asked = not lose and cell.most.startswith(_ASKED)
    fix = off(cell.most, f"source.{cell.source}") if not asked else fair or READ
    share, gone = cell.judged / cell.read, cell.bytes - cell.bytes_kept
    if read >= LEAST:
        base = lost / read
        pooled = (cell.judged + lost) / (cell.read + read)
        error = np.sqrt(pooled * (1 - pooled) * (1 / cell.read + 1 / read))
        if share >= SHARE and share >= TWICE * base and share - base >= SURE * error:
            figures = {"share": share, "read": cell.read, "base": base}
            return [Warned("loses", cell.lang, cell.source, figures, fix, gone, cell.most)]
    # Copies are told of as copies, and what a share or a budget leaves out was asked for.
    if cell.kept < QUARTER * cell.read and cell.judged >= (cell.read - cell.kept) / 2 and not asked:
        figures = {"share": cell.kept / cell.read, "read": cell.read}
        return [Warned("quarter", cell.lang, cell.source, figures, fix, gone, cell.most)]
    return []


def off(rule: str, where: str) -> str:
    """Return the setting that switches a rule off for a language or a source, or makes it milder."""
    if rule.startswith("heuristics."):
        return f"settings.{where}.{rule}=null"
    if rule == "identify":
        return f"settings.{where}.identify.on_mismatch=keep"
    return f"settings.{where}.quality.lose=0.01" if rule == "quality" else READ


def predicted(table: Sequence[Cell], ledger: pa.Table, fair: str | None, lose: bool) -> list[Warned]:
    """Return the languages whose score the source or the length alone predicts; see `warned`."""
    found = []
    score = ledger["quality"].to_numpy(zero_copy_only=False).astype(float)
    if np.isnan(score).all():
        return []
    chars = ledger["chars"].to_numpy()
    for lang, own in _by_lang(table).items():
        mine = pc.equal(ledger["lang"], lang).to_numpy() & ~np.isnan(score)
        size = sum(cell.bytes for cell in own)
        for cell in own:
            one = mine & pc.equal(ledger["source"], cell.source).to_numpy()
            if min(one.sum(), (mine & ~one).sum()) < LEAST:
                continue
            n, others = int(one.sum()), int((mine & ~one).sum())
            auc = _auc(score[one], score[mine & ~one])
            error = np.sqrt((n + others + 1) / (12 * n * others))
            if auc <= 1 - TELLING and 0.5 - auc >= SURE_OF_SCORE * error:
                figures = {"auc": 1 - auc, "score": cell.score or 0.0}
                fix = fair or (off("quality", f"source.{cell.source}") if lose else READ)
                found.append(Warned("source", lang, cell.source, figures, fix, cell.bytes))
            elif fair:
                found += _of_form(cell, own, chars[one], chars[mine & ~one], fair)
        if mine.sum() >= 2 * LEAST and len(np.unique(chars[mine])) > 2:
            from scipy.stats import spearmanr

            rho = float(spearmanr(score[mine], chars[mine])[0])
            if abs(rho) >= BY_LENGTH:
                figures = {"rho": rho, "read": int(mine.sum())}
                fix = "select.retain=lose" if fair else off("quality", f"language.{lang}") if lose else READ
                found.append(Warned("length", lang, "", figures, fix, size))
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
    figures = {"chars": float(np.median(mine)), "others": float(np.median(others)), "share": kept, "base": theirs}
    return [Warned("form", cell.lang, cell.source, figures, fair, cell.bytes - cell.bytes_kept)]


def _auc(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return the chance that a value of `one` exceeds one of `other`, ties half (Mann-Whitney)."""
    from scipy.stats import rankdata

    ranks = rankdata(np.concatenate([one, other]))
    return float((ranks[: len(one)].sum() - len(one) * (len(one) + 1) / 2) / (len(one) * len(other)))
