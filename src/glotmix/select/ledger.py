"""The ledger: one row per document, kept or dropped, by which rule, on which evidence, in favour of which other.

The order of the rules is the order of the funnel: license, contamination, cross_corpus_duplicates, identify,
heuristics, duplicates, source_overlap, domain, quality. A document is dropped by the first that it fails; every rule
that it fails is listed beside, so that a report can say what a rule removes alone and what it removes together with
others. Duplicates are decided among the documents that passed the rules before (a cluster is not lost with a bad
member), and retention among what is then left.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from glotmix.core.rules import RuleHits
from glotmix.select.ranking import Cutoff

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
