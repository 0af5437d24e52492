"""Repeated passages: every window of so many letters that stands before in the corpus, as a slow search finds them."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from glotmix.core import flight, record, table
from glotmix.core.record import Identity
from glotmix.native import folding
from glotmix.signals import annotate, repeated_passages

SENTENCES = pq.read_table(Path(__file__).parents[1] / "data" / "sentences.parquet").to_pylist()
LANGS = list(dict.fromkeys(r["lang"] for r in SENTENCES))
LETTERS = 60


@pytest.fixture(scope="module")
def documents() -> pa.Table:
    rng = np.random.default_rng(7)
    rows = []
    for n in range(150):
        lang = LANGS[n % len(LANGS)]
        held = [r["text"] for r in SENTENCES if r["lang"] == lang]
        body = [held[int(i)] for i in rng.integers(0, len(held), size=3)]
        if n >= 40 and n % 3 == 0:
            # A stretch of another document, cut anywhere, spaced otherwise.
            other = rows[int(rng.integers(0, len(rows)))]["text"]
            begin = int(rng.integers(0, max(len(other) - 150, 1)))
            body.insert(1, other[begin : begin + int(rng.integers(40, 150))].replace(" ", "  "))
        if n == 77:
            body.append("=" * 300)
        if n == 78:
            body += [body[0], body[0]]
        rows.append({"id": f"d{n:03d}", "text": "\n".join(body), "lang": lang, "source": "web"})
    rows.append({"id": "empty", "text": "", "lang": LANGS[0], "source": "web"})
    return pa.Table.from_pylist(rows)


def run(folder: Path, documents: pa.Table, shards: int = 3, workers: int = 1) -> Path:
    size = -(-documents.num_rows // shards)
    for n in range(shards):
        table.write(documents.slice(n * size, size), folder / "corpus" / "x" / f"{n:05d}.parquet")
    out = folder / "out"
    flight.use(flight.Engine(workers=workers))
    try:
        record.build(out, Identity("p", 1), lambda o: repeated_passages.make(o, folder / "corpus", LETTERS))
    finally:
        flight.use(flight.Engine())
    return out


def _weight(c: str) -> int:
    if "\uac00" <= c <= "\ud7a3":
        return 2
    folded = folding.fold(c)
    return folding.weight(ord(folded[0])) if folded else 1


def slow(texts: list[str]) -> list[list[bool]]:
    """Say of each byte of each text whether a window that stands before covers it."""
    first: dict[str, tuple[int, int, int]] = {}
    found = []
    for number, text in enumerate(texts):
        places, at = [], 0
        for c in text:
            size = len(c.encode())
            if not c.isspace():
                places.append((c, at, at + size, _weight(c)))
            at += size
        marked = [False] * at
        for j in range(len(places)):
            held, b = 0, j + 1
            while held < LETTERS and b > 0:
                b -= 1
                held += places[b][3]
            if held < LETTERS:
                continue
            window = "".join(p[0] for p in places[b : j + 1])
            begin, end = places[b][1], places[j][2]
            before = first.setdefault(window, (number, begin, end))
            if before[:2] != (number, begin) and (before[0] != number or begin >= before[2]):
                marked[begin:end] = [True] * (end - begin)
        found.append(marked)
    return found


def test_every_repeated_window_is_found_as_a_slow_search_finds_it(documents, tmp_path, monkeypatch):
    texts = documents["text"].to_pylist()
    monkeypatch.setattr(annotate, "GROUP_BYTES", 1)
    monkeypatch.setattr(repeated_passages, "_AT_ONCE", 500)
    out = run(tmp_path, documents)
    assert len(list(out.glob("part-*.parquet"))) == 3
    spans = pa.concat_tables([pq.read_table(f) for f in sorted((out / "spans").glob("*"))]).to_pylist()
    found = {id_: [False] * len(text.encode()) for id_, text in zip(documents["id"].to_pylist(), texts, strict=True)}
    held = dict(zip(documents["id"].to_pylist(), texts, strict=True))
    order = {id_: n for n, id_ in enumerate(held)}
    for span in spans:
        begin, end = span["begin"], span["end"]
        found[span["id"]][begin:end] = [True] * (end - begin)
        there = held[span["holder"]].encode()[span["holder_begin"] :].decode()
        mine = held[span["id"]].encode()[begin:end].decode()
        assert "".join(there.split()).startswith("".join(mine.split()))
        assert (order[span["holder"]], span["holder_begin"]) < (order[span["id"]], begin)
    expected = slow(texts)
    assert list(found.values()) == expected
    assert 20 < sum(map(any, expected)) < 100
    rows = table.read(sorted(out.glob("part-*.parquet"))).to_pylist()
    assert [r["id"] for r in rows] == documents["id"].to_pylist()
    assert [r["passage_bytes"] for r in rows] == [sum(e) for e in expected]
    # A ruler: a window that overlaps the first of its kind is none.
    assert not any(found["d077"][-300:-240])
    assert any(found["d078"])


def test_neither_parts_nor_workers_nor_slices_change_a_byte(documents, tmp_path, monkeypatch):
    one = run(tmp_path / "one", documents, workers=1)
    monkeypatch.setattr(repeated_passages, "_AT_ONCE", 77)
    two = run(tmp_path / "two", documents, workers=3)
    files = [p.relative_to(one) for p in sorted(one.rglob("*.parquet"))]
    assert files
    assert all((one / f).read_bytes() == (two / f).read_bytes() for f in files)


def test_what_is_cut_stands_elsewhere_and_the_rest_is_as_it_was(documents, tmp_path):
    out = run(tmp_path, documents)
    spans = table.read(sorted((out / "spans").glob("*.parquet")))
    short = repeated_passages.cut(spans, documents)
    signal = table.read(sorted(out.glob("part-*.parquet")))
    gone = short["passage_bytes_cut"].to_pylist()
    assert [g for g in gone if g] == [
        b for b, g in zip(signal["passage_bytes"].to_pylist(), gone, strict=True) if b and g
    ]
    whole = documents["text"].to_pylist()
    for before, after, bytes_ in zip(whole, short["text"].to_pylist(), gone, strict=True):
        assert after == before if not bytes_ else len("".join(after.split())) < len("".join(before.split()))
        assert len(before.encode()) - bytes_ <= len(after.encode()) <= len(before.encode()) - bytes_ + before.count("")
    # Once cut, nothing of this length repeats but what stays because its document would be empty.
    out = run(tmp_path / "again", short.drop_columns("passage_bytes_cut"))
    again = table.read(sorted(out.glob("part-*.parquet")))
    assert sum(again["passage_bytes"].to_pylist()) < 0.2 * sum(signal["passage_bytes"].to_pylist())


def test_a_cut_within_a_line_leaves_a_break_and_a_whole_text_stays():
    text = "ab มาก cd\nef"
    documents = pa.table({"id": ["x", "y"], "text": [text, "gone"]})
    spans = pa.table(
        {
            "id": ["x", "x", "y"],
            "begin": [3, 6, 0],
            "end": [9, 13, 4],
            "holder": ["h", "h", "h"],
            "holder_begin": [0, 0, 0],
        },
        repeated_passages.SPAN,
    )
    made = repeated_passages.cut(spans, documents).to_pylist()
    assert made == [
        {"id": "x", "text": "ab \ncd\nef", "passage_bytes_cut": 10},
        {"id": "y", "text": "gone", "passage_bytes_cut": 0},
    ]
