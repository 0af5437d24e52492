"""The ledger: one row per document, kept or dropped, by which rule, on which evidence, in favour of which other.

The order of the rules is the order of the funnel: license, contamination, cross_corpus_duplicates, identify,
heuristics, duplicates, source_overlap, domain, quality. A document is dropped by the first that it fails; every rule
that it fails is listed beside, so that a report can say what a rule removes alone and what it removes together with
others. Duplicates are decided among the documents that passed the rules before (a cluster is not lost with a bad
member), and retention among what is then left.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from glotmix.core.rules import RuleHits

VERSION = 6

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("lang", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("license", pa.string()),
        pa.field("bytes", pa.int64(), nullable=False),
        pa.field("chars", pa.int64(), nullable=False),
        pa.field("tokens", pa.int64()),
        pa.field("kept", pa.bool_(), nullable=False),
        pa.field("rule", pa.string()),
        pa.field("evidence", pa.string()),
        pa.field("duplicate_of", pa.string()),
        pa.field("cluster_size", pa.int32(), nullable=False),
        pa.field("sources", pa.int32(), nullable=False),
        pa.field("failed", pa.list_(pa.string()), nullable=False),
        pa.field("borderline", pa.list_(pa.string()), nullable=False),
        pa.field("quality", pa.float32()),
        pa.field("quantile", pa.float32()),
        pa.field("calibrated", pa.float32()),
        pa.field("margin", pa.float32()),
        pa.field("weight", pa.float32(), nullable=False),
    ]
)
"""The columns of the ledger. ``cluster_size`` counts a document and its near-duplicates, whatever became of them,
``sources`` the independent sources that hold them; ``license`` is the document's own or its source's, as given;
``quality`` the rater's score, ``quantile`` its rank within the language (0 to 1), ``calibrated`` the score that
compares across languages, ``borderline`` the rules that it fails by a hair, for which it is not dropped; ``margin`` the
signed distance, in quantiles, to the line that retention drew (else null)."""


class Decisions:
    """The growing decision over n documents: rules are applied in the order of the funnel."""

    def __init__(self, size: int) -> None:
        self.failed: list[list[str]] = [[] for _ in range(size)]
        self.first: dict[int, tuple[str, str]] = {}
        self.duplicate_of: dict[int, str] = {}
        self.borderline: dict[int, list[str]] = {}

    def apply(self, failures: RuleHits) -> None:
        """Note that documents fail a rule; the first that a document fails is the one that drops it."""
        if not failures.drops:
            for row in failures.rows.tolist():
                self.borderline.setdefault(row, []).append(failures.rule)
            return
        for row, evidence in zip(failures.rows.tolist(), failures.evidence, strict=True):
            self.failed[row].append(failures.rule)
            self.first.setdefault(row, (failures.rule, evidence))

    def alive(self) -> NDArray[np.bool_]:
        """Return (n,) booleans: the documents that no rule has dropped so far."""
        alive = np.ones(len(self.failed), dtype=bool)
        alive[list(self.first)] = False
        return alive


def wrong_language(
    documents: pa.Table,
    policy: Callable[[str, str], tuple[str, float]],
    apart: Callable[[str, str], bool] = lambda declared, label: True,
) -> RuleHits:
    """Return the documents whose text is, by the identifier, not in the language that they are declared to be in.

    The same language in another script is none of them: a page of Korean about commands has more Latin letters than
    Korean ones. The heuristic ``foreign_script_share`` judges scripts, by what is usual in the language.

    Args:
        documents: ``lang, source, label, score, agrees``.
        policy: from language and source to (``drop`` or ``keep``, the lowest score that counts).
        apart: says whether a declared language can be told from a label: where it cannot, nothing is dropped.
    """
    # The first three letters of a canonical code are its ISO 639-3 code.
    seen, declared = (pc.utf8_slice_codeunits(documents[name], 0, 3) for name in ("label", "lang"))
    against = pc.and_kleene(pc.not_equal(seen, declared), pc.invert(documents["agrees"])).fill_null(False)
    rows = np.flatnonzero(against.to_numpy(zero_copy_only=False))
    found = documents.take(pa.array(rows)).to_pylist()
    chosen, evidence = [], []
    policies: dict[tuple[str, str], tuple[str, float]] = {}
    for row, document in zip(rows.tolist(), found, strict=True):
        key = (document["lang"], document["source"])
        if key not in policies:
            policies[key] = policy(*key)
        action, lowest = policies[key]
        if action == "drop" and document["score"] >= lowest and apart(document["lang"], document["label"]):
            chosen.append(row)
            evidence.append(
                f"declared {document['lang']}, reads as {document['label']} "
                f"(score {document['score']:.2f}, at least {lowest:g} counts)"
            )
    return RuleHits("identify", np.array(chosen, dtype=np.int64), evidence)


def duplicates(
    documents: pa.Table, alive: NDArray[np.bool_], representatives: Callable[[pa.Table], pa.Table]
) -> tuple[list[RuleHits], dict[int, str]]:
    """Return the documents that another of their cluster stands for, and which one.

    Args:
        documents: ``id, cluster, cluster_size, content`` and whatever `representatives` sorts by.
        alive: (n,) booleans; only these compete.
        representatives: from the competing members of clusters to ``id, kept, duplicate_of``, in the same order.

    Returns:
        failures of ``duplicates.exact`` and ``duplicates.near``, and the partner of each dropped row.
    """
    crowded = pc.greater(documents["cluster_size"], 1).to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(alive & crowded)
    chosen = representatives(documents.take(pa.array(rows)))
    out = ~chosen["kept"].to_numpy(zero_copy_only=False)
    partners: list[str] = chosen["duplicate_of"].filter(pa.array(out)).to_pylist()
    rows = rows[out]
    position = pc.index_in(pa.array(partners, pa.string()), documents["id"]).to_numpy(zero_copy_only=False)
    content = documents["content"].to_numpy()
    same = content[rows] == content[position.astype(np.int64)]
    return duplicate_hits(rows, same, partners)


def duplicate_hits(
    rows: NDArray[np.int64], same: NDArray[np.bool_], partners: Sequence[str]
) -> tuple[list[RuleHits], dict[int, str]]:
    """Return what `duplicates` does, of k documents that others stand for: (k,) positions, whether the text is the same
    as that of the one which stands for it, and the ids of these."""
    failures = []
    for rule, mask, what in (("duplicates.exact", same, "same text as"), ("duplicates.near", ~same, "nearly")):
        mine = np.flatnonzero(mask)
        failures.append(RuleHits(rule, rows[mine], [f"{what} {partners[i]}" for i in mine.tolist()]))
    return failures, dict(zip(rows.tolist(), partners, strict=True))


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


def assemble(documents: pa.Table, decisions: Decisions, lines: Mapping[str, Cutoff], weight: pa.Array) -> pa.Table:
    """Return the ledger in the order of `documents` (its columns less what is decided here)."""
    n = documents.num_rows
    alive = decisions.alive()
    rule: list[str | None] = [None] * n
    evidence: list[str | None] = [None] * n
    partner: list[str | None] = [None] * n
    for row, (name, why) in decisions.first.items():
        rule[row], evidence[row] = name, why
    for row, other in decisions.duplicate_of.items():
        partner[row] = other
    cut = pa.array(
        [lines[lang].quantile if lang in lines else None for lang in documents["lang"].to_pylist()], pa.float64()
    )
    columns = {
        "kept": pa.array(alive),
        "rule": pa.array(rule, pa.string()),
        "evidence": pa.array(evidence, pa.string()),
        "duplicate_of": pa.array(partner, pa.string()),
        "failed": pa.array(decisions.failed, pa.list_(pa.string())),
        "borderline": pa.array([decisions.borderline.get(row, []) for row in range(n)], pa.list_(pa.string())),
        "margin": pc.subtract(documents["quantile"].combine_chunks().cast(pa.float64()), cut),
        "weight": weight,
    }
    columns |= {f.name: documents[f.name] for f in SCHEMA if f.name not in columns}
    return pa.table({f.name: columns[f.name].cast(f.type) for f in SCHEMA}, schema=SCHEMA)
