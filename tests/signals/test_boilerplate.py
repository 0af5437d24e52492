import unicodedata
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from glotmix.core import record, table
from glotmix.core.record import Identity
from glotmix.corpus import strip
from glotmix.signals import boilerplate
from glotmix.signals.boilerplate import BoilerplateConfig
from slow_shingles import slow_fold

SENTENCES = pq.read_table(Path(__file__).parents[1] / "data" / "sentences.parquet").to_pylist()
LANGS = list(dict.fromkeys(r["lang"] for r in SENTENCES))
CONFIG = BoilerplateConfig(documents=5, share=0.05)
MENUS = [
    "Startseite | Kontakt | Impressum",
    "หน้าแรก | ติดต่อเรา | เกี่ยวกับเรา",
    "首页 联系我们 关于我们 隐私政策",
    "الرئيسية | اتصل بنا | من نحن",
]


@pytest.fixture(scope="module")
def corpus() -> pa.Table:
    rng = np.random.default_rng(4)
    rows = []
    for n in range(240):
        lang = LANGS[n % len(LANGS)]
        held = [r["text"] for r in SENTENCES if r["lang"] == lang]
        body = [held[int(i)] for i in rng.integers(0, 240, size=4)]
        source = "web" if n % 3 else "books"
        if source == "web" and n % 2:
            body.insert(0, MENUS[n // 2 % 4].upper() if n % 5 == 0 else MENUS[n // 2 % 4])
            body.append(f"Seite {n} von {n + 3} – gelesen am {n}.1.2024")
        if n in (3, 6, 9, 12, 15):
            body.insert(2, "Aus dem Archiv des Verlages")
        if n in (3, 6, 9, 12):
            body.insert(2, "Nachdruck nur mit Genehmigung")
        if n % 40 == 1:
            body = [MENUS[0], MENUS[0], ""]
        rows.append({"id": f"{source}/{n}", "text": "\n".join(body), "lang": lang, "source": source, "extra": [n]})
    return pa.Table.from_pylist(rows)


def run(folder: Path, documents: pa.Table, shards: int = 2) -> Path:
    size = -(-documents.num_rows // shards)
    for n in range(shards):
        table.write(documents.slice(n * size, size), folder / "corpus" / "x" / f"{n:05d}.parquet")
    out = folder / "boilerplate"
    record.build(out, Identity("b", 1), lambda o: boilerplate.make(o, folder / "corpus", CONFIG))
    return out


def key(line: str) -> str | None:
    """What two lines share that repeat each other; None for a line with too few letters."""
    folded = slow_fold(line)
    from glotmix.native import folding

    letters = sum(folding.weight(ord(c)) for c in folded)
    return folded if letters >= CONFIG.letters and any(unicodedata.category(c)[0] in "LMN" for c in folded) else None


def oracle(documents: pa.Table) -> dict[tuple[str, str], set[str]]:
    holders: dict[tuple[str, str], set[str]] = {}
    for row in documents.to_pylist():
        for line in row["text"].split("\n"):
            if key(line) is not None:
                holders.setdefault((row["source"], key(line)), set()).add(row["id"])
    of = {s: sum(x == s for x in documents["source"].to_pylist()) for s in ("web", "books")}
    return {k: v for k, v in holders.items() if len(v) >= max(CONFIG.documents, CONFIG.share * of[k[0]])}


def test_lines_are_found_as_by_counting(corpus: pa.Table, tmp_path: Path):
    out = run(tmp_path, corpus)
    listed = table.read([out / "lines.parquet"])
    assert listed.schema == boilerplate.LINES
    expected = oracle(corpus)
    found = {(r["source"], key(r["line"])): r for r in listed.to_pylist()}
    assert found.keys() == expected.keys() and len(found) >= 4
    texts = {r["id"]: r for r in corpus.to_pylist()}
    for (source, folded), row in found.items():
        holders = expected[source, folded]
        assert row["documents"] == len(holders)
        assert row["of_documents"] == sum(r["source"] == source for r in texts.values())
        every = [x for i in holders for x in texts[i]["text"].split("\n") if key(x) == folded]
        assert row["bytes"] == sum(len(x.encode()) for x in every)
        first = texts[min(holders)]["text"].split("\n")
        assert row["line"] == next(x for x in first if key(x) == folded)
    shown = [r["line"] for r in found.values() if r["source"] == "books"]
    # Five documents are enough, four are not; what another source repeats is not looked at.
    assert "Aus dem Archiv des Verlages" in shown and not [x for x in shown if "Nachdruck" in x or "Seite" in x]


def test_documents_are_marked(corpus: pa.Table, tmp_path: Path):
    out = run(tmp_path, corpus)
    found = table.read(sorted(out.glob("part-*.parquet")))
    assert found.schema == boilerplate.SCHEMA and found["id"].equals(corpus["id"])
    repeated = oracle(corpus)
    for row, document in zip(found.to_pylist(), corpus.to_pylist(), strict=True):
        own = [x for x in document["text"].split("\n") if key(x) is not None]
        hits = [x for x in own if (document["source"], key(x)) in repeated]
        size = sum(len(x.encode()) for x in hits)
        assert (row["lines"], row["repeated"], row["repeated_bytes"]) == (len(own), len(hits), size)
        assert row["repeated_share"] == pytest.approx(size / len(document["text"].encode()))
    counts = record.read(out).counts
    assert counts["affected"] == sum(r > 0 for r in found["repeated"].to_pylist())
    assert counts["repeated_bytes"] == sum(found["repeated_bytes"].to_pylist())


def test_order_shards_and_partitions_make_no_difference(corpus: pa.Table, tmp_path: Path, monkeypatch):
    one = run(tmp_path / "one", corpus, shards=1)
    monkeypatch.setattr(boilerplate, "_PER_PARTITION", 500)
    mixed = run(tmp_path / "two", corpus.take(np.random.default_rng(0).permutation(corpus.num_rows)), shards=6)
    assert (one / "lines.parquet").read_bytes() == (mixed / "lines.parquet").read_bytes()
    rows = [sorted(table.read(sorted(o.glob("part-*.parquet"))).to_pylist(), key=str) for o in (one, mixed)]
    assert rows[0] == rows[1]
    assert {f.name for f in mixed.iterdir()} == {"lines.parquet", "part-00000.parquet", "record.json"}


def test_lines_are_taken_out_and_can_be_put_back(corpus: pa.Table, tmp_path: Path):
    out = run(tmp_path, corpus)
    clean = tmp_path / "clean"
    made = record.build(clean, Identity("s", 1), lambda o: strip.make(o, tmp_path / "corpus", out, CONFIG.letters))
    new = table.read(table.shards(clean / "documents"))
    removed = table.read(table.shards(clean / "removed"))
    assert removed.schema == strip.REMOVED
    repeated = oracle(corpus)
    gone: dict[str, list[dict]] = {}
    for row in removed.to_pylist():
        gone.setdefault(row["id"], []).append(row)
    for old, row in zip(corpus.to_pylist(), new.to_pylist(), strict=True):
        assert {k: v for k, v in row.items() if k != "text"} == {k: v for k, v in old.items() if k != "text"}
        # Lines go with their breaks, the others stay as they were.
        lines = [f"{x}\n" for x in old["text"].split("\n")]
        lines[-1] = lines[-1].removesuffix("\n")
        kept = [x for x in lines if (old["source"], key(x.removesuffix("\n"))) not in repeated]
        if any(x.strip() for x in kept):
            assert row["text"] == "".join(kept)
        else:
            assert row["text"] == old["text"] and old["id"] not in gone
        text = row["text"].encode()
        for line in sorted(gone.get(old["id"], []), key=lambda r: r["begin"]):
            text = text[: line["begin"]] + line["line"].encode() + text[line["begin"] :]
        assert text.decode() == old["text"]
    assert (
        made.counts["spared"] >= 3 and made.counts["changed"] == len(gone) and made.counts["lines"] == removed.num_rows
    )
    assert made.counts["bytes"] == sum(len(x.encode()) for x in removed["line"].to_pylist())


def test_nothing_is_repeated(tmp_path: Path):
    texts = [r["text"] for r in SENTENCES[:240:4]]
    rows = {
        "id": [str(i) for i in range(len(texts))],
        "text": texts,
        "lang": ["x"] * len(texts),
        "source": ["s"] * len(texts),
    }
    out = run(tmp_path, pa.table(rows))
    assert table.read([out / "lines.parquet"]).num_rows == 0
    clean = tmp_path / "clean"
    record.build(clean, Identity("s", 1), lambda o: strip.make(o, tmp_path / "corpus", out, CONFIG.letters))
    assert table.read(table.shards(clean / "documents"))["text"].to_pylist() == texts


class KilledError(Exception):
    pass


@pytest.mark.parametrize("gone", [1, None])
def test_a_run_that_was_killed_while_it_cleaned_up_ends_in_the_same_bytes(corpus, tmp_path, monkeypatch, gone):
    whole = run(tmp_path / "whole", corpus)
    real = boilerplate.shutil.rmtree

    def killed(path: Path, ignore_errors: bool = False) -> None:
        if Path(path).name != boilerplate._EXAMPLES:
            return real(path, ignore_errors=ignore_errors)
        for file in sorted(Path(path).glob("*.parquet"))[:gone]:
            file.unlink()
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(boilerplate.shutil, "rmtree", killed)
        with pytest.raises(KilledError):
            run(tmp_path / "killed", corpus)
    again = run(tmp_path / "killed", corpus)
    for file in sorted(whole.glob("*.parquet")):
        assert (again / file.name).read_bytes() == file.read_bytes()
    assert not (again / boilerplate._EXAMPLES).exists()
