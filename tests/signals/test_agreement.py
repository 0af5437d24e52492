from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glotmix.core import record, table
from glotmix.core.record import Identity
from glotmix.pipeline import recipe
from glotmix.select.min_sources import disagreement
from glotmix.select.rehydrate import weights
from glotmix.signals import source_overlap
from glotmix.signals.origins import Independence

SOURCES = ["web", "news", "clean", "books"]
DERIVED = {"clean": ["web"]}


@pytest.fixture
def world(tmp_path: Path) -> tuple[Path, list[dict]]:
    """A corpus and its signal `duplicates`, made by hand: clusters of one to five documents."""
    rng = np.random.default_rng(5)
    rows = []
    for cluster in range(120):
        lang = ["fra_Latn", "tha_Thai"][cluster % 2]
        held = rng.choice(SOURCES, size=rng.integers(1, 6))
        for i, source in enumerate(held.tolist()):
            # One cluster in ten reaches into the other language.
            own = "eng_Latn" if cluster % 10 == 0 and i == 1 else lang
            rows.append(
                {
                    "id": f"{cluster}/{i}",
                    "text": "ก" * int(rng.integers(1, 50)),
                    "lang": own,
                    "source": source,
                    "cluster": f"{cluster}/0",
                    "cluster_size": len(held),
                    "sources": Independence(DERIVED)(set(held.tolist())),
                }
            )
    whole = pa.Table.from_pylist(rows).take(rng.permutation(len(rows)))
    for n in range(3):
        part = whole.slice(n * 150, 150)
        table.write(part.select(["id", "text", "lang", "source"]), tmp_path / "corpus" / f"{n}.parquet")
        table.write(part.select(["id", "cluster", "cluster_size", "sources"]), tmp_path / "duplicates" / f"{n}.parquet")
    record.build(
        tmp_path / "agreement",
        Identity("agreement", 1),
        lambda out: source_overlap.make(out, tmp_path / "corpus", tmp_path / "duplicates", DERIVED),
    )
    return tmp_path, rows


def test_overlap_is_what_counting_gives(world: tuple[Path, list[dict]]):
    folder, rows = world
    found = table.read([folder / "agreement" / "overlap.parquet"])
    assert found.schema == source_overlap.OVERLAP
    grid = {(r["lang"], r["source"], r["other"]): r for r in found.to_pylist()}
    for lang in ("fra_Latn", "tha_Thai", "eng_Latn"):
        own = {r["source"] for r in rows if r["lang"] == lang}
        for source in own:
            mine = [r for r in rows if r["lang"] == lang and r["source"] == source]
            for other in own:
                shared = [
                    r
                    for r in mine
                    if any(o["cluster"] == r["cluster"] and o["source"] == other and o["id"] != r["id"] for o in rows)
                ]
                if not shared and source != other:
                    assert (lang, source, other) not in grid, "a pair that shares nothing says nothing"
                    continue
                row = grid[lang, source, other]
                assert (row["documents"], row["of_documents"]) == (len(shared), len(mine))
                assert row["bytes"] == sum(len(r["text"].encode()) for r in shared)
                assert row["of_bytes"] == sum(len(r["text"].encode()) for r in mine)
                assert row["independent"] == (source != other and {source, other} != {"web", "clean"})
    assert any(r["documents"] for r in grid.values() if r["source"] == r["other"])


def test_levels_are_what_counting_gives(world: tuple[Path, list[dict]]):
    folder, rows = world
    found = table.read([folder / "agreement" / "levels.parquet"])
    assert found.schema == source_overlap.LEVELS
    assert sum(found["documents"].to_pylist()) == len(rows)
    for level in found.to_pylist():
        mine = [r for r in rows if r["lang"] == level["lang"] and r["sources"] == level["sources"]]
        clusters: dict[str, int] = {}
        for r in mine:
            clusters[r["cluster"]] = max(clusters.get(r["cluster"], 0), len(r["text"].encode()))
        assert (level["documents"], level["clusters"]) == (len(mine), len(clusters))
        assert level["bytes"] == sum(len(r["text"].encode()) for r in mine)
        assert level["cluster_bytes"] == sum(clusters.values())
    counts = record.read(folder / "agreement").counts
    assert counts == {"documents": len(rows), "agreeing": sum(r["sources"] > 1 for r in rows)}


def test_the_rule_and_its_warning():
    documents = pa.table(
        {
            "lang": ["arb_Arab"] * 4 + ["hin_Deva"] * 4 + ["fra_Latn"] * 2,
            "sources": pa.array([1, 2, 3, 1, 1, 1, 1, 2, 1, 1], pa.int32()),
            "bytes": pa.array([10, 10, 10, 10, 50, 50, 50, 10, 10, 10], pa.int64()),
        }
    )
    alive = np.array([True, True, True, False] + [True] * 6)
    failures, warnings = disagreement(documents, alive, {"arb_Arab": 2, "hin_Deva": 2, "fra_Latn": None}.get)
    assert failures.rule == "source_overlap" and failures.rows.tolist() == [0, 4, 5, 6]
    assert failures.evidence[0] == "held by 1 independent source, 2 are asked for"
    assert len(warnings) == 1
    assert warnings[0].startswith("hin_Deva: agreement of 2 sources leaves 10 of 160 bytes (6.2%)")
    failures, _ = disagreement(documents, alive, {"arb_Arab": 3}.get)
    assert failures.rows.tolist() == [0, 1]
    assert failures.evidence[1] == "held by 2 independent sources, 3 are asked for"


def test_repeated_and_clean_counts_more():
    lang = pa.array(["a"] * 4000 + ["b"] * 50)
    size = np.array([1] * 2000 + [2] * 1000 + [6] * 900 + [40] * 100 + [1] * 25 + [9] * 25)
    removed = np.zeros(4050, bool)
    removed[:1000] = True  # half of the singles
    removed[2000:2250] = True  # a quarter of the pairs
    removed[3000:3090] = True  # a tenth of the sixes
    removed[3900:3990] = True  # nine tenths of the largest
    found = weights(lang, pa.array(size), removed)
    whole = 1430 / 4000
    assert set(found[:2000].tolist()) == {1.0} and set(found[3900:4000].tolist()) == {1.0}
    assert set(found[3000:3900].tolist()) == {10.0}
    assert found[2000] == pytest.approx(1 + 9 * (whole - 0.25) / (whole - 0.1))
    # Too few documents for rates of their own.
    assert set(found[4000:].tolist()) == {1.0}


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 70), st.booleans()), min_size=1, max_size=60),
    st.integers(1, 20),
)
def test_weights_lie_between_one_and_the_largest(rows, fewest):
    lang, size, removed = (list(x) for x in zip(*rows, strict=True))
    found = weights(pa.array(lang), pa.array(size), np.array(removed), 5.0, fewest)
    assert ((found >= 1) & (found <= 5)).all()
    order = np.random.default_rng(0).permutation(len(rows))
    mixed = weights(pa.array(lang).take(order), pa.array(size).take(order), np.array(removed)[order], 5.0, fewest)
    assert mixed.tolist() == found[order].tolist()


def test_one_name_where_a_list_is_asked_for():
    sources = [{"name": n, "path": f"{n}.jsonl", "language": "fra_Latn"} for n in "ab"]
    sources[1]["derived_from"] = "a"
    data = {"name": "x", "corpus": {"sources": sources}, "signals": {"multiway_parallel": {"groups": "groups.parquet"}}}
    found = recipe.parse(data)
    assert found.corpus.sources[1].derived_from == ("a",) and found.signals.multiway_parallel.groups == (
        "groups.parquet",
    )
