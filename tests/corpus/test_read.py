"""Reading: every row becomes a document or stands in quarantine, and where files and units end changes nothing."""

import gzip
import hashlib
import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpus_world import SCRIPTS, build, documents, lines, quarantined, source
from glotmix.core import record
from glotmix.core.errors import DataError, RequestError
from glotmix.core.visible import is_blank
from glotmix.corpus import formats, jsonl, read, shapes, stage, tabular
from glotmix.corpus.rows import screen
from glotmix.corpus.sources import Source


def everything(folder: Path) -> dict[str, str]:
    """The bytes of all files but the record, whose seconds differ."""
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p.name != record.RECORD
    }


def test_thirteen_scripts_survive_byte_for_byte_from_every_format(tmp_path):
    rows = [{"id": k, "text": v, "lang": k} for k, v in SCRIPTS.items()]
    plain = lines(tmp_path / "a.jsonl", rows).read_bytes()
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(plain))
    (tmp_path / "c.jsonl.zst").write_bytes(pa.compress(plain, codec="zstd", asbytes=True))
    (tmp_path / "d.jsonl").write_bytes(b"".join(json.dumps(r).encode() + b"\n" for r in rows))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "e.parquet")
    for number, name in enumerate(("a.jsonl", "b.jsonl.gz", "c.jsonl.zst", "d.jsonl", "e.parquet")):
        build(tmp_path, source(name, language={"column": "lang"}), to=f"out{number}")
        found = documents(tmp_path / f"out{number}")
        assert {d["lang"]: d["text"].encode() for d in found} == {k: v.encode() for k, v in SCRIPTS.items()}, name
        assert [d["id"] for d in found] == sorted(SCRIPTS)
        assert all(
            (tmp_path / f"out{number}" / lang / "web-00000.parquet").is_file()
            and set(d) == {"id", "text", "lang", "source"}
            for lang, d in zip(sorted(SCRIPTS), found, strict=True)
        )


BAD = [
    (b'{"text": "good", "lang": "fr"}', None),
    (b'{"text": "cut', "malformed JSON"),
    (b'[{"text": "x"}]', "not an object"),
    (b"", None),
    (b'{"text": "caf\xe9", "lang": "fr"}', "invalid UTF-8"),
    (b'{"lang": "fr"}', "missing text"),
    (b'{"text": null, "lang": "fr"}', "missing text"),
    (b'{"text": "", "lang": "fr"}', "empty text"),
    ('{"text": " \\t\\u3000\u00a0\\n", "lang": "fr"}'.encode(), "empty text"),
    (b'{"text": ["a"], "lang": "fr"}', "text is not a string"),
    (b'{"text": "' + b"x" * 1001 + b'", "lang": "fr"}', "over-long text"),
    (b'{"text": "a", "lang": "frr_Xxxx"}', "unknown language code"),
    (b'{"text": "a", "lang": null}', "no language"),
    (b'{"text": "a", "lang": 5}', "language is not text"),
    (b'{"text": "a \\ud800 b", "lang": "fr"}', "lone surrogate"),
    (b'{"text": "a", "lang": "fr", "n": {"k": ["\\udc00"]}}', "lone surrogate"),
    (b'{"text": "pair \\ud83d\\ude00", "lang": "fr"}', None),
    (b'{"text": "a", "lang": "fr", "id": true}', "id is not text or a number"),
    (b'{"text": "b", "lang": "fr"}{"text": "c"}', "malformed JSON"),
    (b'{"text": "' + b"y" * 1000 + b'", "lang": "fr"}', None),
    (b"[" * 3_000, "malformed JSON"),
    (b'{"text": "last", "lang": "FR"}', None),
]


@pytest.mark.parametrize("unit_bytes", [10**6, 700, 64])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_every_reason_for_quarantine_with_its_line(tmp_path, monkeypatch, unit_bytes, ending):
    monkeypatch.setattr(stage, "UNIT_BYTES", unit_bytes)
    lines(tmp_path / "a.jsonl", [b for b, _ in BAD], ending)
    made = build(tmp_path, source(language={"column": "lang"}))
    found = quarantined(tmp_path / "corpus")
    expected = [(n, reason) for n, (_, reason) in enumerate(BAD, 1) if reason]
    assert [(q["line"], q["reason"]) for q in found] == expected
    assert {q["file"] for q in found} == {"a.jsonl"}
    assert found[2]["start"].startswith('{"text": "caf\\xe9"')
    assert max(len(q["start"]) for q in found) == 200
    kept = [json.loads(b)["text"] for b, reason in BAD if b and reason is None]
    assert sorted(d["text"] for d in documents(tmp_path / "corpus")) == sorted(kept)
    assert made.counts["documents"] == len(kept)
    assert made.counts["quarantined"] == len(expected)
    by_reason = made.notes["sources"]["web"]["quarantined"]  # type: ignore[index,call-overload]
    assert by_reason["malformed JSON"] == 3


def test_quarantine_files_hold_nothing_that_a_terminal_would_obey(tmp_path):
    lines(tmp_path / "a.jsonl", [{"text": "ok"}, "\x1b[31m\u202eabc\u2028Ж".encode()])
    build(tmp_path, source())
    raw = (tmp_path / "corpus/quarantine/web.jsonl").read_text("utf-8")
    assert raw.rstrip("\n").isprintable()
    assert json.loads(raw)["start"] == "\x1b[31m\u202eabc\u2028Ж"


@pytest.mark.parametrize("group", [2, 7])
def test_parquet_rows_that_are_no_documents(tmp_path, group):
    texts = pa.array([b"good", None, b"  ", b"bad \xff", b"x" * 2000, "schön".encode(), b"fine"], pa.binary())
    notes = pa.array([b"a", b"b", b"c", b"d", b"e", b"f", b"\xc3("], pa.binary())
    # A Parquet string column may hold anything: Arrow writes these bytes unseen.
    cast = [pa.Array.from_buffers(pa.string(), 7, c.buffers()) for c in (texts, notes)]
    table = pa.table({"text": cast[0], "note": cast[1], "lang": ["fr", "fr", "fr", "fr", "fr", "qqq", "fr"]})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=group)
    build(tmp_path, source("a.parquet", language={"column": "lang"}))
    found = {q["row"]: q["reason"] for q in quarantined(tmp_path / "corpus")}
    assert found == {
        1: "missing text",
        2: "empty text",
        3: "invalid UTF-8",
        4: "over-long text",
        5: "unknown language code",
        6: "invalid UTF-8",
    }
    assert [d["text"] for d in documents(tmp_path / "corpus")] == ["good"]
    pq.write_table(pa.table({"text": texts}), tmp_path / "b.parquet", row_group_size=group)
    build(tmp_path, source("b.parquet"), to="binary")
    reasons = {1: "missing text", 2: "empty text", 3: "invalid UTF-8", 4: "over-long text"}
    assert {q["row"]: q["reason"] for q in quarantined(tmp_path / "binary")} == reasons
    assert {d["text"] for d in documents(tmp_path / "binary")} == {"good", "schön", "fine"}


ROW = st.one_of(
    st.text(max_size=12).map(
        lambda t: json.dumps({"text": t}, ensure_ascii=bool(len(t) % 2)).encode("utf-8", "ignore")
    ),
    st.sampled_from(
        [b"", b"\r", b" ", b'{"text": "same"}', b"{", b"[]", b"\xff", b'{"text":"\\ud800"}', b"\xef\xbb\xbf"]
    ),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(ROW, max_size=12), newline=st.booleans(), unit=st.integers(1, 60), block=st.integers(1, 40))
def test_any_cut_of_a_file_reads_as_python_does_line_by_line(tmp_path_factory, rows, newline, unit, block):
    base = tmp_path_factory.mktemp("cut")
    (base / "a.jsonl").write_bytes(b"\n".join(rows) + (b"\n" if newline else b""))
    texts, bad = [], []
    for number, row in enumerate(rows, 1):
        try:
            text = row.decode("utf-8").strip().lstrip("\ufeff")
            if text:
                value = json.loads(text)["text"]
                value.encode()
                (bad if is_blank(value) else texts).append(number if is_blank(value) else value)
        except (ValueError, TypeError):
            bad.append(number)
    given_input = stage.Input(source("a.jsonl"), tuple(read.files(source("a.jsonl"), base)))
    found, refused, line = [], [], 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage, "UNIT_BYTES", unit)
        patch.setattr(jsonl, "BLOCK_BYTES", block)
        for part in stage.units(given_input).values():
            for piece in part.pieces:
                before = line
                for held in stage._read(given_input, piece):
                    table, rejects = screen(held, given_input.source, None, 1_000)
                    found += table["text"].to_pylist()
                    # A piece counts its lines from 1 and leaves it to the whole to add what stands before.
                    refused += [before + reject.at for reject in rejects]
                    line += held.read
    assert found == texts
    assert refused == bad


def test_marks_blank_lines_and_files_without_a_last_newline(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b'\xef\xbb\xbf{"text": "a"}\r\n\r\n   \n{"text": "b"}')
    (tmp_path / "b.jsonl").write_bytes(b"")
    (tmp_path / "c.jsonl.zst").write_bytes(pa.compress(b"", codec="zstd", asbytes=True))
    made = build(tmp_path, source("*.jsonl*"))
    assert [d["text"] for d in documents(tmp_path / "corpus")] == ["a", "b"]
    assert made.counts["quarantined"] == 0


def test_streams_of_several_members_and_streams_that_end_early(tmp_path):
    first, second = b'{"text": "a"}\n{"te', b'xt": "b"}\n'
    zstd = [pa.compress(b, codec="zstd", asbytes=True) for b in (first, second)]
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(first) + gzip.compress(second))
    (tmp_path / "b.jsonl.zst").write_bytes(b"".join(zstd))
    for name in ("a.jsonl.gz", "b.jsonl.zst"):
        build(tmp_path, source(name), to=name[0])
        assert [d["text"] for d in documents(tmp_path / name[0])] == ["a", "b"]
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(first + second)[:-9])
    (tmp_path / "cut.jsonl.zst").write_bytes(pa.compress(first + second, codec="zstd", asbytes=True)[:-3])
    for name in ("cut.jsonl.gz", "cut.jsonl.zst"):
        with pytest.raises(DataError, match=rf"source 'web': {name} cannot be read"):
            build(tmp_path, source(name), to="cut")


def test_a_line_too_long_to_hold_is_named_and_the_rest_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(jsonl, "LINE_BYTES", 2_000)
    monkeypatch.setattr(jsonl, "BLOCK_BYTES", 300)
    rows = [{"text": "a"}, {"text": "x" * 5000}, {"text": "b"}, {"text": "z" * 2000}, {"text": "y" * 5000}]
    lines(tmp_path / "a.jsonl", rows)
    build(tmp_path, source())
    assert [(q["line"], q["reason"], len(q["start"])) for q in quarantined(tmp_path / "corpus")] == [
        (2, "over-long line", 200),
        (4, "over-long line", 200),
        (5, "over-long line", 200),
    ]
    assert [d["text"] for d in documents(tmp_path / "corpus")] == ["a", "b"]


def corpus_rows(n: int = 60) -> list[dict[str, Any]]:
    """Documents without ids, some texts up to four times, with columns that differ in type from row to row."""
    rng = random.Random(5)
    rows: list[dict[str, Any]] = []
    for i in range(n):
        row: dict[str, Any] = {"text": list(SCRIPTS.values())[i % 9] + str(i % 2), "n": i % 3 or i / 2}
        if i % 4 == 0:
            row["meta"] = {"url": f"u{i}"} if i % 8 else {"deep": [{"k": i}]}
        if i % 5 == 0:
            row["mixed"] = rng.choice([1, 1.5, "one", [1], {"a": None, "b": 1.0}, None])
        rows.append(row)
    return rows + [dict(r) for r in rows[:5]]


def content(folder: Path) -> dict[str, str]:
    return {d["id"]: json.dumps(d, sort_keys=True) for d in documents(folder)}


def test_one_file_or_eight_or_shuffled_or_cut_give_the_same_ids_and_content(tmp_path, monkeypatch):
    rows = corpus_rows()
    lines(tmp_path / "one/a.jsonl", rows)
    build(tmp_path, source("one"), to="a")
    expected = content(tmp_path / "a")
    assert len(expected) == len(rows)
    assert any(i.endswith("-3") for i in expected)
    for k in range(8):
        lines(tmp_path / f"eight/{k}.jsonl", rows[k::8])
    shuffled = random.Random(1).sample(rows, len(rows))
    for k in range(8):
        part = b"".join(json.dumps(r).encode() + b"\n" for r in shuffled[k::8])
        (tmp_path / "mixed").mkdir(exist_ok=True)
        (tmp_path / f"mixed/{7 - k}.jsonl.gz").write_bytes(gzip.compress(part))
    build(tmp_path, source("eight"), to="b")
    build(tmp_path, source("mixed"), to="c")
    assert content(tmp_path / "b") == expected
    assert content(tmp_path / "c") == expected
    monkeypatch.setattr(stage, "UNIT_BYTES", 300)
    monkeypatch.setattr(stage, "SHARD_DOCUMENTS", 4)
    build(tmp_path, source("one"), to="d")
    assert content(tmp_path / "d") == expected
    assert len(list((tmp_path / "d/fra_Latn").iterdir())) > 10
    assert [d["id"] for d in documents(tmp_path / "d")] == [d["id"] for d in documents(tmp_path / "a")]


def test_parquet_gives_the_same_ids_and_content_as_lines_of_json(tmp_path):
    rows = [{"text": t + str(i % 5), "n": i, "meta": {"a": [i]}} for i, t in enumerate(list(SCRIPTS.values()) * 3)]
    lines(tmp_path / "a.jsonl", rows)
    pq.write_table(pa.Table.from_pylist(rows[::-1]), tmp_path / "a.parquet", row_group_size=7)
    build(tmp_path, source("a.jsonl"), to="a")
    build(tmp_path, source("a.parquet"), to="b")
    assert content(tmp_path / "a") == content(tmp_path / "b")


class KilledError(Exception):
    pass


@pytest.fixture
def killer(monkeypatch):
    """Count the renames of an output's parts and markers, and fail at a chosen one."""
    state = {"done": 0, "fatal": -1}
    replace = Path.replace

    def failing(self: Path, target: Path) -> Path:
        if state["done"] == state["fatal"]:
            raise KilledError
        state["done"] += 1
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", failing)
    return state


def test_a_run_killed_at_any_moment_goes_on_to_the_same_bytes(tmp_path, monkeypatch, killer):
    monkeypatch.setattr(stage, "UNIT_BYTES", 2_500)
    monkeypatch.setattr(stage, "SHARD_DOCUMENTS", 30)
    lines(tmp_path / "a.jsonl", [*corpus_rows(), b"{broken", *corpus_rows(7)])
    build(tmp_path, source("a.jsonl"), to="whole")
    steps = killer["done"]
    assert steps > 15
    for fatal in range(1, steps, 2):
        killer.update(done=0, fatal=fatal)
        with pytest.raises(KilledError):
            build(tmp_path, source("a.jsonl"), to=f"torn{fatal}")
        assert record.read(tmp_path / f"torn{fatal}") is None
        killer["fatal"] = -1
        made = build(tmp_path, source("a.jsonl"), to=f"torn{fatal}")
        assert everything(tmp_path / f"torn{fatal}") == everything(tmp_path / "whole")
        whole = record.read(tmp_path / "whole")
        assert whole is not None
        assert (made.counts, made.notes) == (whole.counts, whole.notes)


def test_a_resumed_run_does_not_read_finished_units_again(tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "UNIT_BYTES", 500)
    lines(tmp_path / "a.jsonl", corpus_rows())
    calls = []
    original = read.stage

    def counting(*args: Any) -> Any:
        calls.append(args)
        if len(calls) == 4:
            raise KilledError
        return original(*args)

    monkeypatch.setattr(read, "stage", counting)
    with pytest.raises(KilledError):
        build(tmp_path, source("a.jsonl"))
    units = len(stage.units(stage.Input(source("a.jsonl"), tuple(read.files(source("a.jsonl"), tmp_path)))))
    build(tmp_path, source("a.jsonl"))
    assert len(calls) == units + 1


def test_columns_are_carried_and_clashing_names_kept(tmp_path):
    nested = {"urls": ["a", "b"], "scores": {"x": 1, "y": None}, "deep": [{"k": [1, 2]}, {"k": []}]}
    rows = [
        {"doc": 7, "content": "one", "meta": nested, "text": "other", "lang": "fr", "source": 5, "Ünï": True},
        {"doc": 8, "content": "two", "meta": {"new": 1.5}, "source_original": "s", "id": "x"},
    ]
    lines(tmp_path / "a.jsonl", rows[:1])
    lines(tmp_path / "b.jsonl", rows[1:])
    columns = {"text": "content", "id": "doc"}
    made = build(tmp_path, source(columns=columns))
    first, second = documents(tmp_path / "corpus")
    assert (first["id"], first["text"], first["lang"], first["source"]) == ("7", "one", "fra_Latn", "web")
    assert first["meta"] == nested | {"new": None}
    assert second["meta"] == {"urls": None, "scores": None, "deep": None, "new": 1.5}
    assert first["text_original"] == "other"
    assert first["lang_original"] == "fr"
    assert first["source_original_original"] == 5
    assert second["source_original"] == "s"
    assert second["id_original"] == "x"
    assert first["Ünï"] is True
    assert second["Ünï"] is None
    assert "doc" not in first
    assert "content" not in first
    assert list(made.notes["columns"]) == [n for n in first if n not in ("id", "text", "lang", "source")]  # type: ignore[arg-type]


def test_sources_with_columns_of_other_types_share_one_schema(tmp_path):
    lines(tmp_path / "a.jsonl", [{"text": "a", "date": 2020, "n": 1}])
    lines(tmp_path / "b.jsonl", [{"text": "b", "date": "May", "n": 0.5}])
    pq.write_table(pa.table({"text": ["c"], "n": pa.array([2**60])}), tmp_path / "c.parquet")
    sources = [source("a.jsonl", "a"), source("b.jsonl", "b", "deu_Latn"), source("c.parquet", "c")]
    build(tmp_path, *sources)
    found = {d["text"]: (d["date"], d["n"]) for d in documents(tmp_path / "corpus")}
    # No type holds 2**60 and 0.5 exactly, nor 2020 and "May": JSON text does.
    assert found == {"a": ("2020", "1"), "b": ('"May"', "0.5"), "c": (None, "1152921504606846976")}
    schemas = {str(pq.read_schema(f)) for f in (tmp_path / "corpus").rglob("*.parquet")}
    assert len(schemas) == 1


def test_given_ids_are_kept_and_two_that_clash_are_both_named(tmp_path, monkeypatch):
    lines(tmp_path / "a.jsonl", [{"id": i, "text": f"t{i}"} for i in range(40)])
    lines(
        tmp_path / "b.jsonl", [b"{", b"", {"id": "x", "text": "t"}, {"id": 1e3, "text": "u"}, {"id": "17", "text": "v"}]
    )
    build(tmp_path, source("a.jsonl"))
    assert [d["id"] for d in documents(tmp_path / "corpus")] == [str(i) for i in range(40)]
    for unit_bytes in (10**6, 200):
        monkeypatch.setattr(stage, "UNIT_BYTES", unit_bytes)
        with pytest.raises(DataError, match=r"the id '17': a\.jsonl:18 and b\.jsonl:5"):
            build(tmp_path, source("a.jsonl", "a"), source("b.jsonl", "b"), to=f"clash{unit_bytes}")
    made = build(tmp_path, source("a.jsonl", "a", columns={"id": None}), source("b.jsonl", "b"), to="fresh")
    assert made.counts["documents"] == 43
    assert "id_original" in documents(tmp_path / "fresh")[0]


def test_an_id_made_from_a_text_may_not_meet_a_given_one(tmp_path):
    rows = [{"text": "same"}, {"text": "same"}]
    lines(tmp_path / "a.jsonl", rows)
    build(tmp_path, source("a.jsonl"))
    made = [d["id"] for d in documents(tmp_path / "corpus")]
    assert made[1] == f"{made[0]}-1"
    for taken in made:
        lines(tmp_path / "b.jsonl", [{"text": "other", "id": taken}])
        with pytest.raises(DataError, match=f"the id '{taken}'"):
            build(tmp_path, source("a.jsonl"), source("b.jsonl", "b"), to="clash")


def test_a_made_id_is_the_hash_of_the_text(tmp_path):
    lines(tmp_path / "a.jsonl", [{"text": t} for t in SCRIPTS.values()])
    build(tmp_path, source("a.jsonl"))
    for d in documents(tmp_path / "corpus"):
        assert d["id"] == "web-" + hashlib.blake2b(d["text"].encode(), digest_size=16).hexdigest()


def test_an_id_column_of_another_name_must_be_filled(tmp_path):
    lines(tmp_path / "a.jsonl", [{"doc": "x", "text": "a"}, {"doc": None, "text": "b"}, {"text": "c"}])
    build(tmp_path, source("a.jsonl", columns={"id": "doc"}))
    assert [(q["line"], q["reason"]) for q in quarantined(tmp_path / "corpus")] == [
        (2, "missing id"),
        (3, "missing id"),
    ]


def test_columns_inside_objects(tmp_path):
    rows = [{"body": {"text": t, "info": {"lang": k}}, "id": k} for k, t in SCRIPTS.items()]
    lines(tmp_path / "a.jsonl", [*rows, {"body": 5, "id": "y"}])
    pq.write_table(pa.Table.from_pylist([*rows, {"body": None, "id": "y"}]), tmp_path / "a.parquet")
    for number, name in enumerate(("a.jsonl", "a.parquet")):
        build(
            tmp_path,
            source(name, language={"column": "body.info.lang"}, columns={"text": "body.text"}),
            to=f"out{number}",
        )
        found = documents(tmp_path / f"out{number}")
        assert {d["lang"]: d["text"] for d in found} == SCRIPTS
        assert [q["reason"] for q in quarantined(tmp_path / f"out{number}")] == ["missing text"]


def test_languages_are_canonical_and_identified_on_request(tmp_path):
    lines(tmp_path / "a.jsonl", [{"text": "a", "lang": "fr-FR"}, {"text": "b", "lang": "cmn_Hans"}])
    build(tmp_path, source("a.jsonl", language={"column": "lang"}))
    assert {d["text"]: d["lang"] for d in documents(tmp_path / "corpus")} == {"a": "fra_Latn", "b": "zho_Hans"}

    def label(texts: pa.Array) -> pa.Array:
        return pa.array([None if t == "b" else "deu_Latn" for t in texts.to_pylist()], pa.string())

    build(tmp_path, source("a.jsonl", language="identify"), to="identified", label=label)
    first, *none = documents(tmp_path / "identified")
    assert (first["lang"], first["lang_original"], none) == ("deu_Latn", "fr-FR", [])
    assert [(q["line"], q["reason"]) for q in quarantined(tmp_path / "identified")] == [(2, "language not identified")]
    with pytest.raises(RequestError, match="no identifier"):
        build(tmp_path, source("a.jsonl", language="identify"), to="x")


def test_too_much_quarantine_is_an_error_that_keeps_it_and_can_be_waived(tmp_path):
    lines(tmp_path / "a.jsonl", [*({"text": f"t{i}"} for i in range(97)), b"{", b"{", {"text": ""}])
    with pytest.raises(DataError) as caught:
        build(tmp_path, source("a.jsonl"), limit=0.02)
    told = str(caught.value)
    assert "3 of 100 rows (3.00%)" in told
    assert "2 × malformed JSON, such as a.jsonl:98 (Expecting property name" in told
    assert "1 × empty text, such as a.jsonl:100" in told
    kept = tmp_path / ".corpus.building/quarantine/web.jsonl"
    assert str(kept) in told
    assert len(kept.read_text().splitlines()) == 3
    made = build(tmp_path, source("a.jsonl"), limit=0.03)
    assert made.counts == {"documents": 97, "bytes": 3 * 97 - 10, "quarantined": 3, "shards": 1, "languages": 1}


def test_files_folders_globs_and_lists(tmp_path):
    for name in ("x/a.jsonl", "x/y/b.ndjson", "x/.hidden.jsonl", "x/_SUCCESS", "x/notes.txt", "z/c.jsonl"):
        lines(tmp_path / name, [{"text": name}])
    for number, (path, expected) in enumerate(
        [
            ("x", ["x/a.jsonl", "x/y/b.ndjson"]),
            ("**/*.jsonl", ["x/a.jsonl", "z/c.jsonl"]),
            (["z/c.jsonl", "x/*.jsonl", "z"], ["x/a.jsonl", "z/c.jsonl"]),
            (str(tmp_path / "z"), ["z/c.jsonl"]),
        ]
    ):
        build(tmp_path, source(path), to=f"out/{number}")
        assert [d["text"] for d in documents(tmp_path / f"out/{number}")] == expected


@pytest.mark.parametrize(
    ("given_source", "told"),
    [
        ({"path": "date/a.jsonl"}, "there is no folder"),
        ({"path": "data/b.jsonl"}, r"there is no data/b.jsonl \(did you mean 'a.jsonl'"),
        ({"path": "data/*.zip"}, r"nothing matches data/\*.zip; .*data holds a.jsonl, notes.doc"),
        ({"path": "ftp://host/x"}, "ftp://host/x is neither a path nor"),
        ({"path": "empty"}, "the folder empty holds no file of a format"),
        ({"path": "text"}, r"but 1 × .doc"),
        ({"path": "data/notes.doc"}, "neither ending nor content of notes.doc names a format"),
        ({"columns": {"text": "txt"}}, r"a.jsonl has no column 'txt' for the text \(did you mean 'text'"),
        ({"columns": {"id": "identity"}}, "no column 'identity' for the id; it has text, lng, meta, meta.language"),
        ({"language": {"column": "lang"}}, r"no column 'lang' for the language \(did you mean 'lng'"),
        ({"language": {"column": "language"}}, r"did you mean 'meta.language'"),
        ({"license": {"column": "licence"}}, "for the license"),
        ({"path": "p.parquet", "columns": {"text": "body"}}, r"p.parquet has no column 'body'.*it has text"),
        ({"path": "fake.parquet"}, "fake.parquet is no Parquet file"),
    ],
)
def test_errors_say_what_was_found_instead(tmp_path, given_source, told):
    lines(tmp_path / "data/a.jsonl", [{"text": "a", "lng": "fr", "meta": {"language": "fr"}}])
    lines(tmp_path / "data/notes.doc", [b"x"])
    lines(tmp_path / "text/notes.doc", [b"x"])
    lines(tmp_path / "fake.parquet", [b"x"])
    (tmp_path / "empty").mkdir()
    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "p.parquet")
    with pytest.raises(DataError, match=told) as caught:
        build(tmp_path, source(**{"path": "data/a.jsonl"} | given_source))
    assert "source 'web'" in str(caught.value)


def test_sources_are_checked_against_each_other():
    with pytest.raises(RequestError, match="two sources are named 'web'"):
        read.check([source(), source(name="Web")])
    with pytest.raises(RequestError, match=r"derived from 'wab'.*did you mean 'web'"):
        read.check([source(), source(name="b", derived_from=["wab"])])
    with pytest.raises(ValueError, match="'frensh' is not a language code"):
        source(language="frensh")
    assert source(language="fr").language == "fra_Latn"


def test_fingerprints_follow_content_and_not_place(tmp_path):
    for place in ("here", "there/deep"):
        lines(tmp_path / place / "x/a.jsonl", [{"text": "a"}])
        lines(tmp_path / place / "x/b.jsonl", [{"text": "b"}])
    here, there = (read.fingerprints([source("x")], tmp_path / p) for p in ("here", "there/deep"))
    assert here == there
    assert list(here) == ["web/a.jsonl", "web/b.jsonl"]
    assert here["web/a.jsonl"] == hashlib.sha256(b'{"text": "a"}\n').hexdigest()
    assert source("x").identity == source("/elsewhere", rank=3, license="MIT").identity
    lines(tmp_path / "here/x/a.jsonl", [{"text": "A"}])
    assert read.fingerprints([source("x")], tmp_path / "here") != here


def test_memory_does_not_follow_a_large_row_group(tmp_path, monkeypatch):
    monkeypatch.setattr(tabular, "BATCH_BYTES", 4_000)
    rows = [{"text": f"{i} " + "x" * 300} for i in range(200)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet", row_group_size=200)
    sizes = []
    original = tabular.rows

    def seen(source: Source, table: pa.Table, first: int, where: str) -> Any:
        sizes.append((first, table.num_rows))
        return original(source, table, first, where)

    monkeypatch.setattr(tabular, "rows", seen)
    build(tmp_path, source("a.parquet"))
    assert len(sizes) > 10
    assert [first for first, _ in sizes] == [sum(n for _, n in sizes[:k]) for k in range(len(sizes))]
    assert [d["text"] for d in documents(tmp_path / "corpus")] == [r["text"] for r in rows]


def test_what_is_read_otherwise_than_before_is_read_anew_and_nothing_else(tmp_path):
    """A format and the shapes of conversations have versions of their own: they stand behind the digest of a file."""
    lines(tmp_path / "a.jsonl", [{"text": "a", "messages": []}])
    (tmp_path / "a.html").write_text("<p>a", "utf-8")
    plain, page = (read.fingerprints([source(name)], tmp_path)[f"web/{name}"] for name in ("a.jsonl", "a.html"))
    assert " " not in plain
    assert page.split(" ")[1:] == ["html", str(formats.spec("html").version)]
    (talk,) = read.fingerprints([source("a.jsonl", shape="openai")], tmp_path).values()
    assert talk == f"{plain} shapes {shapes.VERSION}"
