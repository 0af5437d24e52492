import numpy as np
import pyarrow as pa
import pytest

from glotmix.core.rules import RuleHits
from glotmix.select.ledger import SCHEMA, Decisions, assemble, duplicates, wrong_language
from glotmix.select.ranking import Ranking


def rows(*positions: int) -> np.ndarray:
    return np.array(positions, dtype=np.int64)


def retain(documents, alive, wanted, size, reasons, rule):
    ranking = Ranking(wanted, reasons, rule, size)
    found, lines = ranking.retain(documents, alive)
    return found, ranking.cutoffs(lines)


def ranked(langs: list[str], quality: list[float], size: list[int] | None = None) -> pa.Table:
    n = len(langs)
    return pa.table(
        {
            "id": [f"d{i:02d}" for i in range(n)],
            "lang": langs,
            "quality": pa.array(quality, pa.float32()),
            "quantile": pa.array(quality, pa.float32()),
            "bytes": size or [10] * n,
        }
    )


def test_the_first_rule_drops_and_every_rule_is_listed():
    decisions = Decisions(3)
    decisions.apply(RuleHits("language", rows(1), ["reads as spa_Latn"]))
    decisions.apply(RuleHits("heuristics.chars.low", rows(1, 2), ["12 < 20", "3 < 20"]))
    assert decisions.failed == [[], ["language", "heuristics.chars.low"], ["heuristics.chars.low"]]
    assert decisions.first == {1: ("language", "reads as spa_Latn"), 2: ("heuristics.chars.low", "3 < 20")}
    assert decisions.alive().tolist() == [True, False, False]


def test_a_document_in_another_language_is_named_and_an_unknown_language_passes():
    documents = pa.table(
        {
            "lang": ["fra_Latn", "fra_Latn", "tha_Thai", "aym_Latn", "fra_Latn", "kor_Hang"],
            "source": ["web"] * 6,
            "label": ["spa_Latn", "spa_Latn", "tha_Thai", None, "eng_Latn", "kor_Latn"],
            "score": pa.array([0.99, 0.5, 0.9, 0.0, 0.95, 0.99], pa.float32()),
            "agrees": [False, False, True, None, False, False],
        }
    )
    asked = []

    def policy(lang: str, source: str) -> tuple[str, float]:
        asked.append((lang, source))
        return "drop", 0.9

    found = wrong_language(documents, policy)
    assert found.rows.tolist() == [0, 4]
    assert "declared fra_Latn, reads as spa_Latn" in found.evidence[0]
    assert asked == [("fra_Latn", "web")]  # one question per language and source, none for another script
    assert wrong_language(documents, lambda *_: ("keep", 0.0)).rows.tolist() == []


def first_by_id(members: pa.Table) -> pa.Table:
    best: dict[str, str] = {}
    for row in members.to_pylist():
        best[row["cluster"]] = min(row["id"], best.get(row["cluster"], row["id"]))
    stands = [best[c] for c in members["cluster"].to_pylist()]
    ids = members["id"].to_pylist()
    return pa.table(
        {
            "id": ids,
            "kept": [i == s for i, s in zip(ids, stands, strict=True)],
            "duplicate_of": pa.array([None if i == s else s for i, s in zip(ids, stands, strict=True)], pa.string()),
        }
    )


def test_duplicates_compete_only_among_the_living_and_name_their_partner():
    documents = pa.table(
        {
            "id": ["a", "b", "c", "d", "e"],
            "cluster": ["a", "a", "a", "a", "e"],
            "cluster_size": [4, 4, 4, 4, 1],
            "content": [1, 2, 2, 3, 4],
        }
    )
    alive = np.array([False, True, True, True, True])
    failures, partners = duplicates(documents, alive, first_by_id)
    assert {f.rule: f.rows.tolist() for f in failures} == {"duplicates.exact": [2], "duplicates.near": [3]}
    assert partners == {2: "b", 3: "b"}


def test_retention_keeps_the_best_share_of_each_language_and_leaves_others_whole():
    documents = ranked(["fra", "fra", "tha", "fra", "fra", "tha"], [0.9, 0.1, 0.2, 0.5, 0.7, 0.8])
    alive = np.array([True, True, True, True, False, True])
    found, lines = retain(documents, alive, {"fra": 0.5}, None, {"fra": "best 50 %"}, "quality")
    assert found.rows.tolist() == [1]
    assert "best 50 %" in found.evidence[0]
    assert (lines["fra"].kept, lines["fra"].of) == (2, 3)
    assert lines["fra"].quantile == pytest.approx(0.5)
    assert "tha" not in lines


def test_retention_to_an_amount_keeps_the_document_that_crosses_the_line():
    documents = ranked(["fra"] * 4, [0.9, 0.8, 0.7, 0.6], [10, 20, 30, 40])
    found, _ = retain(documents, np.ones(4, bool), {"fra": 30}, "bytes", {"fra": "budget"}, "budget")
    assert found.rows.tolist() == [2, 3]
    found, _ = retain(documents, np.ones(4, bool), {"fra": 31}, "bytes", {"fra": "budget"}, "budget")
    assert found.rows.tolist() == [3]
    found, _ = retain(documents, np.ones(4, bool), {"fra": 1e9}, "bytes", {"fra": "budget"}, "budget")
    assert found.rows.tolist() == []


def test_ties_are_broken_by_id_whatever_the_order():
    documents = ranked(["fra"] * 6, [0.5] * 6)
    shuffled = documents.take(pa.array([3, 0, 5, 1, 4, 2]))
    for table in (documents, shuffled):
        found, _ = retain(table, np.ones(6, bool), {"fra": 0.5}, None, {"fra": "half"}, "quality")
        assert sorted(table["id"].take(pa.array(found.rows)).to_pylist()) == ["d03", "d04", "d05"]


def test_the_assembled_ledger_explains_every_document():
    documents = pa.table(
        {
            "id": ["a", "b", "c"],
            "lang": ["fra_Latn"] * 3,
            "source": ["web"] * 3,
            "license": pa.array(["MIT", None, "CC0-1.0"]),
            "bytes": [5, 6, 7],
            "chars": [5, 6, 7],
            "tokens": pa.nulls(3, pa.int64()),
            "cluster_size": pa.array([1, 2, 2], pa.int32()),
            "sources": pa.array([1, 2, 2], pa.int32()),
            "quality": pa.array([0.1, 0.5, 0.9], pa.float32()),
            "quantile": pa.array([0.2, 0.5, 0.8], pa.float32()),
            "calibrated": pa.nulls(3, pa.float32()),
        }
    )
    decisions = Decisions(3)
    decisions.apply(RuleHits("duplicates.near", rows(2), ["nearly b"]))
    decisions.duplicate_of[2] = "b"
    found, lines = retain(documents, decisions.alive(), {"fra_Latn": 0.5}, None, {"fra_Latn": "half"}, "quality")
    decisions.apply(found)
    ledger = assemble(documents, decisions, lines, pa.array([1.0, 2.0, 1.0], pa.float32()))
    assert ledger.schema == SCHEMA
    assert ledger["kept"].to_pylist() == [False, True, False]
    assert ledger["rule"].to_pylist() == ["quality", None, "duplicates.near"]
    assert ledger["duplicate_of"].to_pylist() == [None, None, "b"]
    assert ledger["failed"].to_pylist() == [["quality"], [], ["duplicates.near"]]
    assert ledger["margin"].to_pylist() == pytest.approx([-0.3, 0.0, 0.3])
    assert ledger["weight"].to_pylist() == [1.0, 2.0, 1.0]
    assert ledger["cluster_size"].to_pylist() == ledger["sources"].to_pylist() == [1, 2, 2]
