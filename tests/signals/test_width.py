from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata

from glotmix.core import record, table
from glotmix.core.errors import DataError
from glotmix.core.record import Identity
from glotmix.signals import multiway_parallel
from glotmix.signals.multiway_parallel import rows_of_pairs


def run(folder: Path, corpus: dict[str, str], groups: list[tuple[str, str, str | None]], shards: int = 2) -> pa.Table:
    ids = list(corpus)
    size = -(-len(ids) // shards)
    for n in range(shards):
        cut = ids[n * size : (n + 1) * size]
        rows = {"id": cut, "text": ["x"] * len(cut), "lang": [corpus[i] for i in cut]}
        table.write(pa.table(rows), folder / "corpus" / f"{n}.parquet")
    columns = zip(*groups, strict=True)
    table.write(
        pa.table(dict(zip(("group", "lang", "id"), map(list, columns), strict=True))), folder / "groups.parquet"
    )
    out = folder / "width"
    record.build(
        out, Identity("w", 1), lambda o: multiway_parallel.make(o, folder / "corpus", [folder / "groups.parquet"])
    )
    return table.read(sorted(out.glob("part-*.parquet")))


@pytest.fixture
def world() -> tuple[dict[str, str], list[tuple[str, str, str | None]]]:
    rng = np.random.default_rng(2)
    langs = ["eng_Latn", "fra_Latn", "tha_Thai", "swh_Latn", "hin_Deva", "zho_Hans", "arb_Arab", "amh_Ethi", "nld_Latn"]
    corpus = {f"{lang}/{k}": lang for lang in langs for k in range(12)}
    groups = []
    for group in range(300):
        for lang in rng.choice(langs, size=rng.integers(1, 9), replace=False).tolist():
            outside = rng.random() < 0.2
            groups.append((f"g{group}", lang, None if outside else f"{lang}/{rng.integers(10)}"))
    return corpus, groups


def test_widths_are_what_counting_gives(world, tmp_path: Path):
    corpus, groups = world
    found = run(tmp_path, corpus, groups)
    assert found.schema == multiway_parallel.SCHEMA and found["id"].to_pylist() == list(corpus)
    wide = {g: len({lang for h, lang, _ in groups if h == g}) for g in {g for g, _, _ in groups}}
    rows = {r["id"]: r for r in found.to_pylist()}
    means: dict[str, list[tuple[str, float]]] = {}
    for doc, lang in corpus.items():
        own = [wide[g] for g, _, d in groups if d == doc]
        row = rows[doc]
        assert row["sentences"] == len(own)
        if not own:
            assert row["width"] is row["widest"] is row["multiway"] is row["quantile"] is None
            continue
        assert row["width"] == pytest.approx(np.mean(own)) and row["widest"] == max(own)
        assert row["multiway"] == pytest.approx(np.mean([w >= 3 for w in own]))
        means.setdefault(lang, []).append((doc, np.mean(own)))
    for held in means.values():
        ranks = (rankdata([m for _, m in held]) - 0.5) / len(held)
        assert [rows[d]["quantile"] for d, _ in held] == pytest.approx(ranks.tolist(), abs=1e-6)


def test_order_and_shards_make_no_difference(world, tmp_path: Path):
    corpus, groups = world
    one = run(tmp_path / "one", corpus, groups, shards=1)
    mixed = dict(reversed(corpus.items()))
    other = run(tmp_path / "two", mixed, groups[::-1], shards=7)
    assert sorted(one.to_pylist(), key=str) == sorted(other.to_pylist(), key=str)


def test_groups_of_another_corpus_are_an_error(world, tmp_path: Path):
    corpus, groups = world
    with pytest.raises(DataError, match="are its ids those of"):
        run(tmp_path, corpus, [(g, lang, f"else/{d}") for g, lang, d in groups])


PAIR = st.tuples(st.sampled_from("abcd"), st.sampled_from("1234"), st.sampled_from("abcd"), st.sampled_from("1234"))


@given(st.lists(PAIR.filter(lambda p: p[0] != p[2]), max_size=30))
def test_rows_follow_the_three_cases(pairs):
    rows = rows_of_pairs(pairs)
    # The slow way: rows as sets of members, searched every time.
    slow: list[list[tuple[str, str]]] = []
    for a, x, b, y in pairs:
        holds = [[m in row for row in slow] for m in ((a, x), (b, y))]
        if any(holds[0]) and any(holds[1]):
            continue
        if any(holds[0]):
            slow[holds[0].index(True)].append((b, y))
        elif any(holds[1]):
            slow[holds[1].index(True)].append((a, x))
        else:
            slow.append([(a, x), (b, y)])
    assert [set(r) for r in rows] == [{lang for lang, _ in row} for row in slow]
    for row, members in zip(rows, slow, strict=True):
        for lang in row:
            assert row[lang] == next(s for la, s in members if la == lang)
