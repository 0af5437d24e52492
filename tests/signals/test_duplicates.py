import json
from itertools import combinations, pairwise
from pathlib import Path

import daft
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from duplicates_world import SENTENCES, documents
from glotmix import cli
from glotmix.core import record, table
from glotmix.core.errors import DataError, RequestError
from glotmix.core.record import Identity
from glotmix.native import folding, link, shingles
from glotmix.native.arrays import buffers
from glotmix.signals import candidates, duplicates, refine, signatures
from glotmix.signals.components import components
from glotmix.signals.duplicates import DuplicatesConfig
from glotmix.signals.origins import Independence, origins

CONFIG = DuplicatesConfig(selftest=0)


def run(folder: Path, corpus: pa.Table, config: DuplicatesConfig = CONFIG, shards: int = 3, **options) -> pa.Table:
    size = -(-corpus.num_rows // shards)
    for n in range(shards):
        table.write(corpus.slice(n * size, size), folder / "corpus" / f"part-{n:05d}.parquet")
    record.build(
        folder / "signatures",
        Identity("signatures", 1),
        lambda out: signatures.make(out, folder / "corpus", config.signature),
    )
    record.build(
        folder / "duplicates",
        Identity("duplicates", 1),
        lambda out: duplicates.make(out, folder / "signatures", folder / "corpus", config, **options),
    )
    return table.read(table.shards(folder / "duplicates"))


def group(ids: list[str], linked: list[tuple[int, int]]) -> dict[str, str]:
    """Connected components the slow way: the smallest id of each."""
    label = list(range(len(ids)))
    for a, b in linked:
        old, new = label[a], label[b]
        label = [new if x == old else x for x in label]
    smallest = {x: min(i for i, y in zip(ids, label, strict=True) if y == x) for x in set(label)}
    return {i: smallest[x] for i, x in zip(ids, label, strict=True)}


def sets_of(texts: pa.Array) -> list[set[int]]:
    starts, hashes = shingles.shingle_sets(*buffers(texts), *folding.table(), CONFIG.shingle)
    return [set(hashes[a:b].tolist()) for a, b in pairwise(starts)]


def oracle(corpus: pa.Table, threshold: float) -> dict[str, str]:
    """Clusters by the exact similarity of all pairs that share the key of a band."""
    texts = corpus["text"].combine_chunks()
    sets = sets_of(texts)
    signed = signatures.sign(CONFIG.signature)(texts)
    keys = np.stack([signed.field(f"band_{b:03d}").to_numpy() for b in range(CONFIG.bands)], axis=1)
    linked = [
        (i, j)
        for i, j in combinations(range(len(sets)), 2)
        if (keys[i] == keys[j]).any() and len(sets[i] & sets[j]) / len(sets[i] | sets[j]) >= threshold
    ]
    return group(corpus["id"].to_pylist(), linked)


def clusters(found: pa.Table) -> dict[str, str]:
    return dict(zip(found["id"].to_pylist(), found["cluster"].to_pylist(), strict=True))


@pytest.fixture(scope="module")
def corpus() -> pa.Table:
    return documents()


@pytest.fixture(scope="module")
def found(corpus: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    return run(tmp_path_factory.mktemp("whole"), corpus)


def test_clusters_are_those_of_all_pairs(corpus: pa.Table, found: pa.Table):
    assert found.schema == duplicates.SCHEMA
    assert found["id"].equals(corpus["id"])
    expected = oracle(corpus, CONFIG.threshold)
    assert clusters(found) == expected
    assert len(set(expected.values())) < 0.75 * len(expected)


@pytest.mark.parametrize("threshold", [0.3, 0.95, 1.0])
def test_the_threshold_means_what_it_says(corpus: pa.Table, tmp_path: Path, threshold: float):
    some = corpus.slice(0, 120)
    config = DuplicatesConfig(bands=60, rows=2, threshold=threshold, selftest=0)
    sets = sets_of(some["text"].combine_chunks())
    # With sixty bands of two, every pair at 0.3 and more is a candidate.
    linked = [
        (i, j)
        for i, j in combinations(range(len(sets)), 2)
        if len(sets[i] & sets[j]) / len(sets[i] | sets[j]) >= threshold
    ]
    assert clusters(run(tmp_path, some, config)) == group(some["id"].to_pylist(), linked)


def test_sizes_sources_and_contents_are_counted(corpus: pa.Table, found: pa.Table):
    rows = {r["id"]: r | {"source": s} for r, s in zip(found.to_pylist(), corpus["source"].to_pylist(), strict=True)}
    members: dict[str, list[dict]] = {}
    for row in rows.values():
        members.setdefault(row["cluster"], []).append(row)
    for cluster, held in members.items():
        assert cluster == min(r["id"] for r in held)
        for row in held:
            assert row["cluster_size"] == len(held)
            assert row["sources"] == len({r["source"] for r in held})
    assert {r["sources"] for r in rows.values()} == {1, 2, 3}
    upper = [r["id"] for r in corpus.to_pylist() if r["text"].startswith("  ")]
    for i in upper:
        same = [r for r in rows.values() if r["content"] == rows[i]["content"]]
        assert len(same) >= 2 and {r["cluster"] for r in same} == {rows[i]["cluster"]}


def test_a_derived_source_does_not_count(corpus: pa.Table, found: pa.Table, tmp_path: Path):
    derived = run(tmp_path, corpus, derived_from={"clean": ["web"]})
    both = list(zip(found["sources"].to_pylist(), derived["sources"].to_pylist(), strict=True))
    assert (3, 2) in both and (3, 3) not in both and clusters(derived) == clusters(found)


@pytest.mark.parametrize("verify", ["off", "estimated", "exact"])
def test_order_shards_and_engine_make_no_difference(corpus: pa.Table, tmp_path: Path, verify):
    config = DuplicatesConfig(verify=verify, selftest=0)
    one = clusters(run(tmp_path / "one", corpus, config, shards=1))
    mixed = corpus.take(np.random.default_rng(1).permutation(corpus.num_rows))
    assert clusters(run(tmp_path / "mixed", mixed, config, shards=16)) == one
    queried = run(tmp_path / "queries", corpus, config, shards=1, engine="queries")
    assert clusters(queried) == one
    for name in ("one", "queries"):
        assert not list((tmp_path / name / "duplicates").glob(".*"))
    bytes_of = [[f.read_bytes() for f in table.shards(tmp_path / n / "duplicates")] for n in ("one", "queries")]
    assert bytes_of[0] == bytes_of[1]


def test_partitions_of_the_check_make_no_difference(corpus, found, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(refine, "PARTITION_SHINGLES", 20_000)
    assert run(tmp_path, corpus).equals(found)


def test_estimates_differ_from_the_exact_check_only_near_the_threshold(corpus: pa.Table, tmp_path: Path):
    """Pairs that the estimate links lie above the threshold less five standard errors, and the reverse."""
    found = clusters(run(tmp_path, corpus, DuplicatesConfig(verify="estimated", selftest=0)))
    sigma = np.sqrt(0.8 * 0.2 / (CONFIG.bands * CONFIG.rows))
    notes = record.read(tmp_path / "duplicates").notes
    assert notes["standard error of an estimate at the threshold"] == pytest.approx(sigma)
    generous, strict = oracle(corpus, 0.8 - 5 * sigma), oracle(corpus, 0.8 + 5 * sigma)
    for name, cluster in found.items():
        assert generous[name] == generous[cluster]
    for name, cluster in strict.items():
        assert found[name] == found[cluster]


def test_without_verification_every_candidate_is_a_duplicate(corpus: pa.Table, tmp_path: Path):
    assert clusters(run(tmp_path, corpus, DuplicatesConfig(verify="off", selftest=0))) == oracle(corpus, 0.0)


@pytest.mark.parametrize("engine", ["memory", "queries"])
def test_a_corpus_without_duplicates(tmp_path: Path, engine):
    texts = [r["text"] for r in SENTENCES[::24]]
    n = len(texts)
    corpus = pa.table({"id": [f"a/{i}" for i in range(n)], "text": texts, "lang": ["x"] * n, "source": ["a"] * n})
    found = run(tmp_path, corpus, engine=engine)
    assert found["cluster"].equals(found["id"])
    assert set(found["cluster_size"].to_pylist()) == set(found["sources"].to_pylist()) == {1}


def test_many_copies_and_a_cap(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(refine, "CAP", 2)
    copies = [SENTENCES[5]["text"]] * 50
    corpus = pa.table(
        {"id": [f"a/{i}" for i in range(50)], "text": copies, "lang": ["eng_Latn"] * 50, "source": ["a"] * 50}
    )
    found = run(tmp_path, corpus)
    assert set(found["cluster"].to_pylist()) == {"a/0"} and set(found["cluster_size"].to_pylist()) == {50}
    counts = record.read(tmp_path / "duplicates").counts
    assert (counts["pairs_linked"], counts["pairs_skipped"], counts["duplicates"], counts["exact"]) == (49, 0, 49, 49)


@given(
    st.lists(
        st.tuples(st.frozensets(st.integers(0, 7), min_size=1), st.integers(0, 2), st.integers(0, 2)),
        min_size=2,
        max_size=9,
    ),
    st.sampled_from([0.3, 0.5, 0.8, 1.0]),
)
# On a busy machine the first example alone can take longer than Hypothesis likes.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_linking_skips_nothing_that_matters(documents, threshold: float):
    """Sets and keys of two bands, made up: the components of all pairs that share a key and are near."""
    n = len(documents)
    sets = [sorted(d[0]) for d in documents]
    starts = np.cumsum([0] + [len(s) for s in sets]).astype(np.int64)
    hashes = np.array([x for s in sets for x in s], np.uint64)
    keys = np.array([[d[1] for d in documents], [d[2] for d in documents]], np.int64)
    labels = np.empty(n, np.int64)
    order = np.argsort(keys, axis=1, kind="stable")
    link.link_sets(keys, order, starts, hashes, threshold, 256, labels)
    linked = [
        (i, j)
        for i, j in combinations(range(n), 2)
        if (keys[:, i] == keys[:, j]).any() and len({*sets[i]} & {*sets[j]}) / len({*sets[i]} | {*sets[j]}) >= threshold
    ]
    names = [f"{i:02d}" for i in range(n)]
    assert {names[i]: names[label] for i, label in enumerate(labels)} == group(names, linked)


def test_what_the_cap_leaves_out_depends_on_no_order(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(refine, "CAP", 1)
    held = [r["text"] for r in SENTENCES if r["lang"] == "eng_Latn"]
    texts = [" ".join([*held[:10], held[20 + k]]) for k in range(40)]
    texts += [f"{t} {held[100 + k]}" for k, t in enumerate(texts)]
    ids = [f"a/{i}" for i in range(len(texts))]
    corpus = pa.table({"id": ids, "text": texts, "lang": ["x"] * len(ids), "source": ["a"] * len(ids)})
    config = DuplicatesConfig(threshold=0.9, selftest=0)
    one = clusters(run(tmp_path / "0", corpus, config, shards=1))
    assert record.read(tmp_path / "0" / "duplicates").counts["pairs_skipped"] > 0
    assert 1 < len(set(one.values())) < len(ids)
    for seed in (1, 2):
        mixed = corpus.take(np.random.default_rng(seed).permutation(len(ids)))
        assert clusters(run(tmp_path / str(seed), mixed, config, shards=4)) == one


def test_counts_and_notes_of_the_record(corpus: pa.Table, found: pa.Table, tmp_path: Path):
    run(tmp_path, corpus)
    kept = record.read(tmp_path / "duplicates")
    names = clusters(found)
    assert kept.counts["documents"] == corpus.num_rows
    assert kept.counts["duplicates"] == len(names) - len(set(names.values()))
    sizes = found.filter(np.array(found["cluster_size"]) > 1)
    assert kept.counts["clusters"] == len(set(sizes["cluster"].to_pylist()))
    texts = set(zip(sizes["cluster"].to_pylist(), sizes["content"].to_pylist(), strict=True))
    assert kept.counts["exact"] == sizes.num_rows - len(texts)
    assert kept.notes["chance of becoming candidates, by similarity"]["0.8"] == 0.9769


def test_off_without_quotes_is_what_yaml_makes_of_it():
    assert DuplicatesConfig(verify=False).verify == "off"
    with pytest.raises(ValueError, match="verify"):
        DuplicatesConfig(verify=True)


def test_the_curve_on_the_command_line(tmp_path: Path):
    told = json.loads(call("curve", "--bands", 14, "--rows", 8, "--json"))
    assert told["chance"]["0.8"] == 0.9235 and told["even"] == 0.6847 and told["verify"] == "exact"
    path = tmp_path / "recipe.yaml"
    path.write_text("name: x\ncorpus: {sources: [{name: a, path: a.jsonl, language: fra_Latn}]}")
    shown = call("curve", path, "signals.duplicates.verify=off", "signals.duplicates.bands=20")
    assert "standard error 0.038" in call("curve", path, "signals.duplicates.verify=estimated")
    assert "20 bands × 7 rows = 140 minima" in shown and "99.10%" in shown and "is not checked" in shown


def call(*arguments: object) -> str:
    result = CliRunner().invoke(cli.app, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_what_does_not_belong_together_is_an_error(corpus: pa.Table, tmp_path: Path):
    run(tmp_path, corpus)
    folder, out = tmp_path / "signatures", record.Output(tmp_path / "x", "x", record.Silent())
    with pytest.raises(DataError, match="has 16 bands, and 8 are asked for"):
        duplicates.make(out, folder, tmp_path / "corpus", DuplicatesConfig(bands=8))
    table.write(corpus.slice(0, 1), tmp_path / "corpus" / "part-00009.parquet")
    with pytest.raises(DataError, match="documents"):
        duplicates.make(out, folder, tmp_path / "corpus", CONFIG)
    with pytest.raises(DataError, match="holds no signatures"):
        duplicates.make(out, tmp_path / "nothing", tmp_path / "corpus", CONFIG)


def test_the_same_id_twice_is_an_error(tmp_path: Path):
    text = SENTENCES[0]["text"]
    corpus = pa.table({"id": ["a", "a"], "text": [text, text], "lang": ["eng_Latn"] * 2, "source": ["a"] * 2})
    with pytest.raises(DataError, match="ids are the same"):
        run(tmp_path, corpus)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)).filter(lambda e: e[0] != e[1]), max_size=40))
@settings(deadline=None, max_examples=25)
def test_components_as_queries_and_in_memory(edges: list[tuple[int, int]]):
    values = np.random.default_rng(7).permutation(31).astype(np.int64) - 15
    left, right = (np.array([e[side] for e in edges], np.int64) for side in (0, 1))
    labels = candidates.merge(np.arange(31), left, right)
    least = {int(v): int(values[labels == labels[i]].min()) for i, v in enumerate(values)}
    frame = daft.from_arrow(pa.table({"node": values[left], "hub": values[right]}))
    found = table.collect(components(frame)).to_pylist()
    assert {r["node"]: r["label"] for r in found} == {n: least[n] for n in values[np.union1d(left, right)].tolist()}
    assert len(found) == len(set(left.tolist()) | set(right.tolist()))


def test_a_long_chain_settles():
    nodes = np.random.default_rng(3).permutation(2_000).astype(np.int64)
    frame = daft.from_arrow(pa.table({"node": nodes[:-1], "hub": nodes[1:]}))
    found = table.collect(components(frame))
    assert set(found["label"].to_pylist()) == {0} and found.num_rows == 2_000


def test_origins():
    derived = {"clean": ["web"], "cleaner": ["clean"], "mix": ["web", "books"]}
    assert origins("cleaner", derived) == {"web"} and origins("mix", derived) == {"web", "books"}
    count = Independence(derived)
    assert count(["clean", "cleaner"]) == 1
    assert count(["mix"]) == 1 and count(["mix", "books"]) == 1 and count(["mix", "books", "web"]) == 2
    assert Independence({})(["a", "b", "c"]) == 3
    with pytest.raises(RequestError, match="a → b → a"):
        origins("a", {"a": ["b"], "b": ["a"]})
