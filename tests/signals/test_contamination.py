import gzip
import json
from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from glotmix.core import record, table
from glotmix.core.errors import DataError, RequestError
from glotmix.core.record import Identity
from glotmix.signals import contamination
from glotmix.signals.contamination import ContaminationConfig
from glotmix.signals.evaluation_items import read_items
from slow_shingles import slow_fold, slow_shingles

SENTENCES = pq.read_table(Path(__file__).parents[1] / "data" / "sentences.parquet").to_pylist()
LANGS = list(dict.fromkeys(r["lang"] for r in SENTENCES))
CONFIG = ContaminationConfig()


def run(folder: Path, texts: dict[str, str], items: pa.Table, shards: int = 2) -> dict[str, list[dict]]:
    ids = list(texts)
    size = -(-len(ids) // shards)
    for n in range(shards):
        cut = ids[n * size : (n + 1) * size]
        table.write(pa.table({"id": cut, "text": [texts[i] for i in cut]}), folder / "corpus" / f"{n:05d}.parquet")
    out = folder / "contamination"
    record.build(out, Identity("c", 1), lambda o: contamination.make(o, folder / "corpus", items, CONFIG))
    return {
        "documents": table.read(sorted(out.glob("part-*.parquet"))).to_pylist(),
        "matches": table.read(table.shards(out / "matches")).to_pylist(),
        "items": table.read([out / "items.parquet"]).to_pylist(),
    }


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    held = {lang: [r["text"] for r in SENTENCES if r["lang"] == lang] for lang in LANGS}
    return {f"{lang}/{k}": " ".join(held[lang][k * 12 : k * 12 + 12]) for lang in LANGS for k in range(6)}


@pytest.fixture(scope="module")
def items() -> pa.Table:
    """Sentences that stand in a document, in other case; halves of such; sentences that stand in none; short ones."""
    rows = []
    for lang in LANGS:
        held = [r["text"] for r in SENTENCES if r["lang"] == lang]
        rows += [(f"{lang}/in/{k}", held[k * 9].upper()) for k in range(6)]
        rows += [(f"{lang}/half/{k}", held[k * 9][: len(held[k * 9]) // 2] + held[220 + k]) for k in range(6)]
        rows += [(f"{lang}/out/{k}", held[200 + k]) for k in range(6)]
        rows += [(f"{lang}/short/{k}", held[k * 9][: 14 if lang[-4:] in ("Hans", "Jpan") else 30]) for k in range(6)]
        rows.append((f"{lang}/tiny", held[0][:3]))
    return pa.table({"set": ["test"] * len(rows), "item": [r[0] for r in rows], "text": [r[1] for r in rows]})


def weight(text: str) -> int:
    from glotmix.native import folding

    return sum(folding.weight(ord(c)) for c in slow_fold(text))


def test_items_are_found_as_by_definition(texts: dict[str, str], items: pa.Table, tmp_path: Path):
    found = run(tmp_path, texts, items)
    share = {(m["id"], m["item"]): m["share"] for m in found["matches"]}
    expected = {}
    widths = {}
    for item in items.to_pylist():
        letters = weight(item["text"])
        widths[item["item"]] = 40 if letters >= 40 else 20 if letters >= 20 else None
    sets = {(d, w): slow_shingles(t, w) for (d, t), w in product(texts.items(), (20, 40))}
    for item in items.to_pylist():
        width = widths[item["item"]]
        if width is None:
            continue
        own = slow_shingles(item["text"], width)
        for doc in texts:
            held = len(own & sets[doc, width]) / len(own)
            if held >= CONFIG.share:
                expected[doc, item["item"]] = held
    assert share.keys() == expected.keys()
    assert all(share[k] == pytest.approx(v, abs=1e-6) for k, v in expected.items())
    kinds = {k: sum(f"/{k}/" in item for _, item in share) for k in ("in", "half", "out", "short")}
    assert kinds["in"] >= 80 and kinds["out"] == 0 and kinds["short"] > 20
    for listed in found["items"]:
        assert listed["searched"] == (widths[listed["item"]] is not None)
        assert listed["documents"] == sum(item == listed["item"] for _, item in share)
    for document in found["documents"]:
        assert document["items"] == sum(d == document["id"] for d, _ in share)
    counts = record.read(tmp_path / "contamination").counts
    assert counts["contaminated"] == len({d for d, _ in share}) and counts["held"] == len({i for _, i in share})
    assert counts["items"] == items.num_rows and counts["searched"] == sum(w is not None for w in widths.values())


def test_the_passage_is_shown(texts: dict[str, str], items: pa.Table, tmp_path: Path):
    wanted = dict(zip(items["item"].to_pylist(), items["text"].to_pylist(), strict=True))
    seen = 0
    for match in run(tmp_path, texts, items)["matches"]:
        passage = match["excerpt"].removesuffix("…")
        assert passage in texts[match["id"]]
        if "/in/" in match["item"] and match["share"] == 1.0 and not match["excerpt"].endswith("…"):
            # A run of digits at an end may be cut, as may letters lighter than the one that ends a shingle.
            shown, whole = (slow_fold(t).strip("0") for t in (passage, wanted[match["item"]]))
            assert whole.endswith(shown) and len(whole) - len(shown) <= 2
            seen += 1
    assert seen > 60


def test_order_and_shards_make_no_difference(texts, items, tmp_path: Path):
    one = run(tmp_path / "one", texts, items, shards=1)
    order = np.random.default_rng(0).permutation(len(texts))
    mixed = {list(texts)[i]: list(texts.values())[i] for i in order}
    other = run(tmp_path / "mixed", mixed, items, shards=5)
    for name in ("documents", "matches", "items"):
        assert sorted(one[name], key=str) == sorted(other[name], key=str)


def test_templates_are_not_searched(texts: dict[str, str], tmp_path: Path):
    first = texts["eng_Latn/0"][:200]
    rows = [first] * 60 + [f"{first} {texts[f'eng_Latn/{1 + k % 5}'][:400]}" for k in range(5)]
    items = pa.table({"set": ["t"] * 65, "item": [str(i) for i in range(65)], "text": rows})
    found = run(tmp_path, texts, items)
    assert [r["searched"] for r in found["items"]] == [False] * 60 + [True] * 5
    assert {m["item"] for m in found["matches"]} == {str(60 + k) for k in range(5)}
    assert not [m for m in found["matches"] if m["id"] == "eng_Latn/0"]


def test_a_clean_corpus(tmp_path: Path):
    items = pa.table({"set": ["t"], "item": ["a"], "text": [SENTENCES[0]["text"]]})
    found = run(tmp_path, {"x": "short", "y": "nothing of that kind stands in this document " * 3}, items)
    assert found["documents"] == [{"id": "x", "items": 0}, {"id": "y", "items": 0}] and found["matches"] == []


def test_sets_are_read(tmp_path: Path):
    rows = [{"key": 7, "q": "Question?", "a": "Answer"}, {"key": 9, "q": "Other?", "a": None}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "s.parquet")
    (tmp_path / "s.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    for name in ("s.parquet", "s.jsonl"):
        found = read_items("exam", [tmp_path / name], ["q", "a"], "key")
        assert found.to_pylist() == [
            {"set": "exam", "item": "7.q", "text": "Question?"},
            {"set": "exam", "item": "9.q", "text": "Other?"},
            {"set": "exam", "item": "7.a", "text": "Answer"},
        ]
    assert read_items("exam", [tmp_path / "s.parquet"], ["q"])["item"].to_pylist() == ["0", "1"]
    with pytest.raises(RequestError, match="has no column 'question'"):
        read_items("exam", [tmp_path / "s.parquet"], ["question"])


LEAVES = [
    ({"q": "Warum?", "c": ["Darum.", "Weil."]}, ["q", "c"], {"0.q": "Warum?", "0.c.0": "Darum.", "0.c.1": "Weil."}),
    ({"c": {"text": ["Ja.", "Nein."], "label": ["A", "B"]}}, ["c.text"], {"0.0": "Ja.", "0.1": "Nein."}),
    ({"q": {"stem": "Wer?", "choices": [{"text": "Er.", "label": "A"}]}}, ["q"],
     {"0.stem": "Wer?", "0.choices.0.text": "Er.", "0.choices.0.label": "A"}),
    ({"c": ["Ja.", 7, 1.5, None, True, ["tief"]]}, ["c"], {"0.0": "Ja.", "0.1": "7", "0.2": "1.5", "0.5.0": "tief"}),
]  # fmt: skip


KINDS = ("lines", "array", "gzip", "parquet")
# No column of Parquet holds what the last one does.
WRITTEN = [(*leaf, kind) for leaf in LEAVES for kind in KINDS if kind != "parquet" or leaf is not LEAVES[-1]]


@pytest.mark.parametrize(("row", "columns", "expected", "kind"), WRITTEN)
def test_every_text_of_a_column_is_an_item_in_whatever_shape_it_comes(tmp_path, row, columns, expected, kind):
    match kind:
        case "lines":
            path = tmp_path / "s.jsonl"
            path.write_text("\ufeff" + json.dumps(row) + "\n\n", "utf-8")
        case "array":
            path = tmp_path / "s.json"
            path.write_text(json.dumps([row], indent=1), "utf-8")
        case "gzip":
            path = tmp_path / "s.jsonl.gz"
            path.write_bytes(gzip.compress(json.dumps(row).encode()))
        case "parquet":
            path = tmp_path / "s.parquet"
            pq.write_table(pa.Table.from_pylist([row]), path)
    found = read_items("exam", [path], columns)
    assert dict(zip(found["item"].to_pylist(), found["text"].to_pylist(), strict=True)) == expected


def test_sets_whose_rows_differ_and_bytes_that_are_text(tmp_path):
    rows = [{"q": "Eins?", "c": ["a"]}, {"q": 2, "c": "b", "id": "x"}, {"q": None, "c": {"k": "d"}, "more": 1}]
    (tmp_path / "s.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    found = read_items("exam", [tmp_path / "s.jsonl"], ["q", "c"], "id")
    assert found["item"].to_pylist() == ["0.q", "x.q", "0.c.0", "x.c", "2.c.k"]
    assert found["text"].to_pylist() == ["Eins?", "2", "a", "b", "d"]
    pq.write_table(pa.table({"q": [b"Eins?"], "c": [[b"a", "ж".encode()]], "id": [b"y"]}), tmp_path / "s.parquet")
    found = read_items("exam", [tmp_path / "s.parquet"], ["q", "c"], "id")
    assert found.select(["item", "text"]).to_pylist() == [
        {"item": "y.q", "text": "Eins?"}, {"item": "y.c.0", "text": "a"}, {"item": "y.c.1", "text": "ж"}
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "columns", "error", "told"),
    [
        ('{"q": "a"}', ["question"], RequestError, "set 'exam' has no column 'question'"),
        ('{"q": true}', ["q"], RequestError, "'exam': column 'q' holds no text, but bool"),
        ('{"q": null}', ["q"], RequestError, "no column 'q', or nothing in it"),
        ('{"q": "a"}\n{"q": ', ["q"], DataError, "'exam': s.jsonl is neither JSON lines nor one JSON array: line 2"),
        ('{"q": "a"}\n["q"]', ["q"], DataError, "s.jsonl: row 1 is list, and no object"),
        ("\udcff", ["q"], DataError, "s.jsonl cannot be read"),
    ],
)
def test_sets_that_cannot_be_read_are_named(tmp_path, content, columns, error, told):
    (tmp_path / "s.jsonl").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(error, match=told):
        read_items("exam", [tmp_path / "s.jsonl"], columns)
