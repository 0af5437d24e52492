"""Writing: the data set holds exactly the kept documents, whole and in order, in files that do not depend on chance."""

import base64
import datetime
import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from glotmix.core import record, table
from glotmix.core.errors import DataError, RequestError
from glotmix.corpus import blend, write

NESTED = {"urls": ["a", "b"], "deep": [{"k": [1, None]}], "empty": []}


def world(base: Path, shards: int = 4, rows: int = 25, parts: int = 3, **columns: Any) -> list[dict[str, Any]]:
    """Write a corpus of two languages and its ledger; return the ledger's rows joined with the documents."""
    documents = []
    number = 0
    for lang in ("deu_Latn", "tha_Thai"):
        for shard in range(shards):
            held = []
            for _ in range(rows):
                text = ("Größe " if lang == "deu_Latn" else "ภาษาไทย ") * (number % 7 + 1) + str(number)
                held.append({"id": f"d{number:04d}", "text": text, "lang": lang, "source": "web", "meta": NESTED,
                             "n": number if number % 3 else None} | columns)  # fmt: skip
                number += 1
            table.write(pa.Table.from_pylist(held), base / f"corpus/{lang}/web-{shard:05d}.parquet")
            documents += held
    ledger = [
        {
            "id": d["id"], "lang": d["lang"], "source": "web", "bytes": len(d["text"].encode()), "chars": 1,
            "kept": i % 4 != 0, "rule": None if i % 4 else ("quality" if i % 8 else "heuristics.chars.low"),
            "evidence": None if i % 4 else f"because {i}", "duplicate_of": None,
            "failed": [] if i % 4 else ["quality"], "quality": i / 7, "quantile": 0.5, "margin": None,
            "weight": 1.0 if i % 5 else 0.5, "cluster_size": 1 + i % 3, "sources": 1,
        }
        for i, d in enumerate(documents)
    ]  # fmt: skip
    schema = pa.schema(
        [(n, pa.string()) for n in ("id", "lang", "source")]
        + [("bytes", pa.int64()), ("chars", pa.int64()), ("kept", pa.bool_())]
        + [(n, pa.string()) for n in ("rule", "evidence", "duplicate_of")]
        + [("failed", pa.list_(pa.string()))]
        + [(n, pa.float32()) for n in ("quality", "quantile", "margin", "weight")]
        + [(n, pa.int32()) for n in ("cluster_size", "sources")]
    )
    size = -(-len(ledger) // parts)
    for part in range(parts):
        found = pa.Table.from_pylist(ledger[part * size : (part + 1) * size], schema)
        table.write(found, base / f"ledger/part-{part:05d}.parquet")
    return [d | {"ledger": row} for d, row in zip(documents, ledger, strict=True)]


def export(base: Path, to: str = "dataset", **options: Any) -> record.Record:
    return record.build(
        base / to,
        record.Identity("dataset", write.VERSION),
        lambda output: write.make(output, base / "corpus", base / "ledger", **options),
    )


def found(folder: Path) -> dict[str, list[dict[str, Any]]]:
    return {
        p.relative_to(folder).as_posix(): pq.read_table(p, partitioning=None).to_pylist()
        for p in sorted(folder.rglob("*.parquet"))
    }


def everything(folder: Path) -> dict[str, str]:
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p.name != record.RECORD
    }


def test_kept_documents_are_written_whole_and_in_order(tmp_path):
    documents = world(tmp_path)
    made = export(tmp_path, shard_bytes=2_500)
    files = found(tmp_path / "dataset")
    for lang in ("deu_Latn", "tha_Thai"):
        names = [n for n in files if n.startswith(lang)]
        assert names == [f"{lang}/train-{i:05d}-of-{len(names):05d}.parquet" for i in range(len(names))]
        assert len(names) > 1
        rows = [row for n in names for row in files[n]]
        kept = [d for d in documents if d["lang"] == lang and d["ledger"]["kept"]]
        assert [r["id"] for r in rows] == [d["id"] for d in kept]
        for row, document in zip(rows, kept, strict=True):
            ours = {k: row.pop(k) for k in ("quality", "quantile", "cluster_size", "weight")}
            assert row == {k: v for k, v in document.items() if k != "ledger"}
            assert ours == {k: pytest.approx(document["ledger"][k]) for k in ours}
        assert made.notes["languages"][lang] == {  # type: ignore[index,call-overload]
            "documents": len(kept),
            "bytes": sum(len(d["text"].encode()) for d in kept),
        }
    assert made.counts["documents"] == sum(d["ledger"]["kept"] for d in documents)
    assert made.counts["files"] == len(files)
    assert made.counts["languages"] == 2


def test_files_hold_as_much_text_as_asked_in_whole_files_of_the_corpus(tmp_path):
    documents = world(tmp_path, shards=12)
    export(tmp_path, shard_bytes=5_000)
    for lang in ("deu_Latn", "tha_Thai"):
        mine = [d for d in documents if d["lang"] == lang]
        files: list[int] = []
        for start in range(0, len(mine), 25):
            more = sum(len(d["text"].encode()) for d in mine[start : start + 25] if d["ledger"]["kept"])
            if files and files[-1] + more <= 5_000:
                files[-1] += more
            else:
                files.append(more)
        held = [rows for name, rows in found(tmp_path / "dataset").items() if name.startswith(lang)]
        assert [sum(len(r["text"].encode()) for r in rows) for rows in held] == files
        assert len(files) > 1


def test_the_bytes_depend_on_neither_the_parts_of_the_ledger_nor_time(tmp_path):
    world(tmp_path / "a")
    world(tmp_path / "b", parts=7)
    for name in "ab":
        export(tmp_path / name, formats=("parquet", "jsonl.zst"), dropped=True, shard_bytes=3_000)
    assert everything(tmp_path / "a/dataset") == everything(tmp_path / "b/dataset")
    assert len(everything(tmp_path / "a/dataset")) > 8


def test_a_killed_export_goes_on_to_the_same_bytes(tmp_path, monkeypatch):
    world(tmp_path)
    export(tmp_path, to="whole", dropped=True, shard_bytes=3_000)
    documents = write._documents
    for fatal in range(1, 8):
        calls = 0

        def failing(*args: Any, fatal: int = fatal) -> Any:
            nonlocal calls
            for rows in documents(*args):
                calls += 1
                if calls == fatal:
                    raise KeyboardInterrupt
                yield rows

        with monkeypatch.context() as patch:
            patch.setattr(write, "_documents", failing)
            with pytest.raises(KeyboardInterrupt):
                export(tmp_path, to=f"torn{fatal}", dropped=True, shard_bytes=3_000)
        assert record.read(tmp_path / f"torn{fatal}") is None
        export(tmp_path, to=f"torn{fatal}", dropped=True, shard_bytes=3_000)
        assert everything(tmp_path / f"torn{fatal}") == everything(tmp_path / "whole")


def test_lines_of_json_say_the_same_as_parquet(tmp_path):
    moment = datetime.datetime(2024, 5, 1, 12, 30, tzinfo=datetime.UTC)
    world(tmp_path, raw=b"\xff\x00", when=moment)
    export(tmp_path, formats=("parquet", "jsonl.zst"))
    for name, rows in found(tmp_path / "dataset").items():
        path = tmp_path / "dataset" / name.replace(".parquet", ".jsonl.zst")
        lines = pa.input_stream(str(path), compression="zstd").read().decode().splitlines()
        read = [json.loads(line) for line in lines]
        for row in read:
            row["raw"] = base64.b64decode(row["raw"])
            row["when"] = datetime.datetime.fromisoformat(row["when"])
        assert read == rows
        assert "ภาษาไทย" in lines[0] or "Größe" in lines[0]


def test_dropped_documents_stand_beside_with_their_reason(tmp_path):
    documents = world(tmp_path)
    made = export(tmp_path, dropped=True)
    rows = [r for n, held in found(tmp_path / "dataset").items() if n.startswith("dropped/") for r in held]
    lost = [d for d in documents if not d["ledger"]["kept"]]
    assert [r["id"] for r in rows] == [d["id"] for d in lost]
    for row, document in zip(rows, lost, strict=True):
        assert {k: row[k] for k in ("rule", "evidence", "failed")} == {
            k: document["ledger"][k] for k in ("rule", "evidence", "failed")
        }
        assert row["meta"] == NESTED
    assert made.counts["dropped"] == len(lost)
    assert (tmp_path / "dataset/dropped/tha_Thai/dropped-00000-of-00001.parquet").is_file()
    kept = found(tmp_path / "dataset")["tha_Thai/train-00000-of-00001.parquet"]
    assert "rule" not in kept[0]


def test_columns_of_the_user_keep_their_names(tmp_path):
    world(tmp_path, quality="theirs", rule=7)
    export(tmp_path, dropped=True)
    files = found(tmp_path / "dataset")
    kept = files["deu_Latn/train-00000-of-00001.parquet"][0]
    assert (kept["quality"], kept["rule"]) == ("theirs", 7)
    assert isinstance(kept["glotmix_quality"], float)
    lost = files["dropped/deu_Latn/dropped-00000-of-00001.parquet"][0]
    assert (lost["quality"], lost["rule"], lost["glotmix_rule"]) == ("theirs", 7, "heuristics.chars.low")


def test_columns_of_an_earlier_export_keep_their_names_and_values(tmp_path):
    theirs = {"quality": 1, "glotmix_quality": 2, "rule": 3, "glotmix_rule": 4, "glotmix_glotmix_rule": 5}
    world(tmp_path, **theirs)
    made = export(tmp_path, dropped=True, formats=("parquet", "jsonl.zst"))
    for path in sorted((tmp_path / "dataset").rglob("*.parquet")):
        names = pq.read_schema(path).names
        assert len(set(names)) == len(names)
        lines = pa.input_stream(str(path.with_suffix(".jsonl.zst")), compression="zstd").read().decode().splitlines()
        for row in [*pq.read_table(path, partitioning=None).to_pylist(), *map(json.loads, lines)]:
            assert {k: row[k] for k in theirs} == theirs
            assert isinstance(row["glotmix_glotmix_quality"], float)
            assert ("glotmix_glotmix_glotmix_rule" in row) == ("dropped" in path.parts)
    assert made.notes["columns"].count("glotmix_glotmix_quality") == 1


def test_lines_of_json_are_json_and_parquet_keeps_what_is_no_number(tmp_path):
    world(tmp_path, odd=float("nan"), more={"p": [float("inf"), 1.0]})
    export(tmp_path, formats=("parquet", "jsonl.zst"))
    path = tmp_path / "dataset/deu_Latn/train-00000-of-00001.parquet"
    lines = pa.input_stream(str(path.with_suffix(".jsonl.zst")), compression="zstd").read().decode().splitlines()
    for line in lines:
        row = json.loads(line, parse_constant=pytest.fail)
        assert (row["odd"], row["more"]) == (None, {"p": [None, 1.0]})
    first = pq.read_table(path, partitioning=None).to_pylist()[0]
    assert first["odd"] != first["odd"] and first["more"] == {"p": [float("inf"), 1.0]}


def rewrite(base: Path, **changed: Any) -> None:
    for path in table.shards(base / "ledger"):
        found_rows = pq.read_table(path, partitioning=None)
        rows = [r | {k: v(r) for k, v in changed.items()} for r in found_rows.to_pylist()]
        table.write(pa.Table.from_pylist(rows, found_rows.schema), path)


def test_columns_that_say_nothing_are_left_out(tmp_path):
    world(tmp_path)
    rewrite(tmp_path, quality=lambda _: None, quantile=lambda _: None, weight=lambda _: 1.0, cluster_size=lambda _: 1)
    export(tmp_path)
    row = found(tmp_path / "dataset")["deu_Latn/train-00000-of-00001.parquet"][0]
    assert set(row) == {"id", "text", "lang", "source", "meta", "n"}


def test_a_language_that_ends_empty_is_counted_and_an_empty_data_set_an_error(tmp_path):
    world(tmp_path)
    rewrite(tmp_path, kept=lambda r: r["kept"] and r["lang"] != "tha_Thai")
    made = export(tmp_path, dropped=True)
    assert made.notes["languages"]["tha_Thai"] == {"documents": 0, "bytes": 0}
    assert (made.counts["languages"], made.counts["dropped"]) == (1, 125)
    names = {n.rsplit("/", 1)[0] for n in found(tmp_path / "dataset")}
    assert names == {"deu_Latn", "dropped/deu_Latn", "dropped/tha_Thai"}
    rewrite(tmp_path, kept=lambda _: False, rule=lambda r: "quality" if int(r["id"][1:]) % 3 else "language")
    with pytest.raises(DataError, match=r"all 200 were dropped\n  133 by quality\n  67 by language"):
        export(tmp_path, to="empty")


def test_a_ledger_of_another_corpus_is_refused(tmp_path):
    world(tmp_path)
    rewrite(tmp_path, id=lambda r: r["id"] if r["id"] != "d0100" else "other")
    with pytest.raises(DataError, match=r"rows are not those of .*tha_Thai/web-00000"):
        export(tmp_path)
    (tmp_path / "ledger/part-00002.parquet").unlink()
    with pytest.raises(DataError, match="speaks of 134 documents, and the corpus holds 200"):
        export(tmp_path, to="short")
    with pytest.raises(RequestError, match="csv is no format"):
        export(tmp_path, to="csv", formats=("csv",))


def test_small_portions_share_a_row_group_and_large_ones_are_cut(tmp_path, monkeypatch):
    world(tmp_path, shards=8)
    monkeypatch.setattr(write, "_ROW_GROUP", 50)
    export(tmp_path)
    about = pq.read_metadata(tmp_path / "dataset/deu_Latn/train-00000-of-00001.parquet")
    sizes = [about.row_group(i).num_rows for i in range(about.num_row_groups)]
    assert sum(sizes) == 150
    expected: list[int] = []
    for start in range(0, 200, 25):
        more = sum(i % 4 != 0 for i in range(start, start + 25))
        if expected and expected[-1] + more <= 50:
            expected[-1] += more
        else:
            expected.append(more)
    assert sizes == expected
    assert about.row_group(0).column(1).compression == "ZSTD"


def test_blends_read_back_as_trainers_read_them():
    shares = {"fra_Latn": 2 / 3, "amh_Ethi": 1, "nob_Latn": 1 / 3, "xho_Latn": 0.0}
    words = blend.megatron(shares, "/data/{lang}_text_document").split()
    weights, prefixes = [float(w) for w in words[0::2]], words[1::2]
    assert prefixes == [f"/data/{lang}_text_document" for lang in ("fra_Latn", "amh_Ethi", "nob_Latn")]
    assert weights == pytest.approx([1 / 3, 1 / 2, 1 / 6], abs=1e-15)
    told = yaml.safe_load(blend.nanotron(shares))["dataset"]
    assert told["dataset_folder"] == [f"tokenized/{lang}" for lang in ("fra_Latn", "amh_Ethi", "nob_Latn")]
    assert sum(told["dataset_weights"]) == pytest.approx(1)


@pytest.mark.parametrize(
    "name", ["fra Latn", "a\n1 /etc/passwd", "..", "", "../../x", "a\\b", "fra\u202e_Latn", "x\x1b[2J"]
)
def test_what_is_no_name_of_a_language_leads_nowhere(name):
    for make in (blend.megatron, blend.nanotron):
        with pytest.raises(DataError, match="no language code"):
            make({"fra_Latn": 1.0, name: 0.5})


@pytest.mark.parametrize("shares", [{}, {"fra_Latn": 0.0}, {"fra_Latn": -0.1, "deu_Latn": 1.1}, {"a": float("nan")}])
def test_shares_that_are_none_make_no_blend(shares):
    with pytest.raises(DataError, match="no blend"):
        blend.megatron(shares)


@pytest.mark.parametrize("pattern", ["data/all", "my data/{lang}"])
def test_a_pattern_that_megatron_would_cut_is_refused(pattern):
    with pytest.raises(RequestError, match="no pattern"):
        blend.megatron({"fra_Latn": 1.0}, pattern)
