import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import instruct_world as world
from glotmix.core import record, table
from glotmix.core.conversation import MESSAGES
from glotmix.core.errors import DataError, RequestError
from glotmix.corpus import read, reshape
from glotmix.corpus.shapes import SHAPES, NoConversationError, detect
from glotmix.corpus.shapes import read as conversations
from glotmix.corpus.sources import Source, files


def corpus(folder: Path, limit: float = 0.0, **source: Any) -> tuple[pa.Table, Path]:
    given = Source.model_validate({"name": "made", "shape": "auto", "language": {"column": "lang"}} | source)
    identity = record.Identity("corpus", 1, given.identity)
    record.build(folder / "corpus", identity, lambda o: read.make(o, [given], folder, None, 100_000, limit))
    return table.read(table.shards(folder / "corpus")), folder / "corpus"


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_detected_and_comes_back_as_it_was(tmp_path: Path, shape: str) -> None:
    rows = world.SHAPES[shape]
    world.lines(tmp_path / "in.jsonl", rows)
    limit = 1.0 if shape == "oasst" else 0.0
    found, _ = corpus(tmp_path, limit, path="in.jsonl", language={"column": world.LANG[shape]})
    assert found.schema.field("messages").type == MESSAGES
    assert set(found["shape"].to_pylist()) == {shape}
    back = [r for d in found.to_pylist() for r in reshape.shaped(shape, d)]  # type: ignore[arg-type]
    wanted = [r for r in rows if not r.get("deleted") and r.get("message_id") != "b11"]

    def core(row: dict[str, Any]) -> str:
        """A row without what glotmix adds (an id) and what is empty."""
        kept = {k: v for k, v in row.items() if v not in (None, "", False) and k not in ("id", "lang", "topic")}
        known = (
            kept if shape != "oasst" else {k: kept.get(k) for k in ("message_id", "parent_id", "text", "role", "rank")}
        )
        return json.dumps(known, ensure_ascii=False, sort_keys=True)

    if shape == "openai":  # a call of a tool without content: it comes back as null
        wanted[-1]["messages"][2]["content"] = None
    assert {core(r) for r in back} == {core(r) for r in wanted}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_pair_of_any_shape_can_be_written_in_any_other(tmp_path: Path, shape: str) -> None:
    question, answer = world.SAID["hin_Deva"]
    rows = [r for r in world.SHAPES[shape] if question in json.dumps(r, ensure_ascii=False)]
    if shape == "oasst":
        rows = [
            {"message_id": "x", "parent_id": None, "role": "prompter", "text": question, "lang": "hi"},
            {"message_id": "y", "parent_id": "x", "role": "assistant", "text": answer, "lang": "hi"},
        ]
    world.lines(tmp_path / "in.jsonl", rows)
    found, _ = corpus(tmp_path, path="in.jsonl", language={"column": world.LANG[shape]})
    document = found.to_pylist()[0]
    assert document["lang"] == "hin_Deva"
    assert document["text"] == f"{question}\n\n{answer}"
    for other in SHAPES:
        try:
            written = reshape.shaped(other, document)
        except NoConversationError:
            assert shape == "openai" and other in ("aya", "trl", "oasst")  # none of them has system prompts
            continue
        told = json.dumps(written, ensure_ascii=False)
        assert question in told and answer in told
        world.lines(tmp_path / "again.jsonl", written)
        (tmp_path / other).mkdir()
        (tmp_path / "again.jsonl").rename(tmp_path / other / "again.jsonl")
        again, _ = corpus(tmp_path / other, path="again.jsonl", language={"column": "lang"})
        assert again["text"].to_pylist() == [document["text"]]


def test_trees_and_single_messages_of_oasst_are_the_same_conversations(tmp_path: Path) -> None:
    for name, rows in (
        ("flat", world.oasst_flat()),
        ("tree", world.oasst_trees()),
        ("mixed", world.oasst_flat()[::-1]),
    ):
        (tmp_path / name).mkdir()
        world.lines(tmp_path / name / "in.jsonl", rows)
    told = {}
    for name in ("flat", "tree", "mixed"):
        found, folder = corpus(tmp_path / name, 1.0, path="in.jsonl")
        told[name] = sorted((d["id"], d["lang"], d["text"]) for d in found.to_pylist())
        quarantine = [json.loads(x) for x in (folder / "quarantine" / "made.jsonl").read_text("utf-8").splitlines()]
        assert sorted(q["reason"] for q in quarantine) == ["deleted message", "no response"]
    assert told["flat"] == told["tree"] == told["mixed"]
    assert [identity for identity, _, _ in told["flat"]] == ["a1", "a211", "b1"]
    assert told["flat"][1][2].endswith("Par qui ?\n\nPar Francisco Pizarro.")


def test_rows_that_are_no_conversation_are_quarantined_with_their_reason(tmp_path: Path) -> None:
    good = world.openai()[0]
    bad = [
        {"messages": [{"role": "narrator", "content": "…"}], "lang": "fr"},
        {"messages": [{"role": "user", "content": "Allô ?"}], "lang": "fr"},
        {"messages": [{"role": "assistant", "content": "Oui."}], "lang": "fr"},
        {
            "messages": [{"role": "user", "content": [{"type": "image_url"}]}, {"role": "assistant", "content": "."}],
            "lang": "fr",
        },
        {"messages": "not turns", "lang": "fr"},
        {
            "messages": [{"role": "user", "content": "a", "lang": "qqq"}, {"role": "assistant", "content": "b"}],
            "lang": "fr",
        },
        {"lang": "fr"},
        {"messages": [{"role": "user", "content": " "}, {"role": "assistant", "content": "Oui."}], "lang": "fr"},
    ]
    world.lines(tmp_path / "in.jsonl", [good, *bad])
    with pytest.raises(DataError, match=r"8 of 9 rows"):
        corpus(tmp_path, path="in.jsonl")
    found, folder = corpus(tmp_path, 1.0, path="in.jsonl")
    assert found.num_rows == 1
    quarantine = [json.loads(x) for x in (folder / "quarantine" / "made.jsonl").read_text("utf-8").splitlines()]
    assert [(q["line"], q["reason"]) for q in quarantine] == [
        (2, "unknown role"),
        (3, "no response"),
        (4, "no instruction"),
        (5, "a turn is not text"),
        (6, "no list of turns"),
        (7, "unknown language code"),
        (8, "no list of turns"),
        (9, "empty instruction"),
    ]


def test_system_prompts_and_tools_are_in_messages_and_not_in_the_text(tmp_path: Path) -> None:
    world.lines(tmp_path / "in.jsonl", world.openai())
    found, _ = corpus(tmp_path, path="in.jsonl")
    tools = next(d for d in found.to_pylist() if d["id"] == "o-tools")
    assert tools["text"] == "Wie warm ist es\nin Lima?\n\nIn Lima sind es 19 Grad."
    assert [m["role"] for m in tools["messages"]] == ["system", "user", "assistant", "tool", "assistant"]
    thai = next(d for d in found.to_pylist() if d["lang"] == "tha_Thai")
    assert [m["lang"] for m in thai["messages"]] == ["eng_Latn", "tha_Thai", "tha_Thai"]
    assert "geographer" not in thai["text"]
    assert thai["topic"] == "geography"


def test_a_json_array_parquet_and_lines_hold_the_same_documents(tmp_path: Path) -> None:
    rows = world.sharegpt()
    world.lines(tmp_path / "a.jsonl", rows)
    (tmp_path / "b.json").write_text(json.dumps(rows, ensure_ascii=False, indent=2), "utf-8")
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "c.parquet")
    told = []
    for name in ("a.jsonl", "b.json", "c.parquet"):
        folder = tmp_path / name.replace(".", "-")
        folder.mkdir()
        (tmp_path / name).rename(folder / name)
        found, _ = corpus(folder, path=name)
        told.append([{k: v for k, v in d.items() if k != "origin"} for d in found.to_pylist()])
    assert told[0] == told[1] == told[2]


@pytest.mark.parametrize("name", ["in.jsonl", "in.json", "in.parquet", "in.jsonl.gz"])
def test_the_original_comes_back_with_rows_removed(tmp_path: Path, name: str) -> None:
    rows = world.alpaca()
    texts = [json.dumps(r, ensure_ascii=False, separators=(" ,", " : ")) for r in rows]
    match name:
        case "in.parquet":
            pq.write_table(pa.Table.from_pylist(rows), tmp_path / name)
        case "in.json":
            (tmp_path / name).write_text("[" + ",".join(texts) + "]", "utf-8")
        case _:
            with (
                pa.CompressedOutputStream(str(tmp_path / name), "gzip")
                if name.endswith("gz")
                else (tmp_path / name).open("wb") as f
            ):
                f.write(("\n\n".join(texts) + "\n{broken\n").encode())
    found, _ = corpus(tmp_path, 0.1, path=name)
    kept = [d for d in found.to_pylist() if d["lang"] in ("tha_Thai", "rus_Cyrl")]
    source = Source(name="made", path=(name,), shape="alpaca", language="fra_Latn")
    (file,) = files(source, tmp_path)
    counts = reshape.original(source, file, reshape.rows_of(d["origin"] for d in kept)[name], tmp_path / "out" / name)
    broken = 1 if "jsonl" in name else 0
    assert counts == {"rows": 3, "removed": len(rows) - 3 + broken}
    wanted = [t for t, r in zip(texts, rows, strict=True) if r["lang"] in ("tha_Thai", "rus_Cyrl")]
    if name == "in.parquet":
        whole = pq.read_table(tmp_path / name)
        assert pq.read_table(tmp_path / "out" / name).equals(whole.filter(pa.array([t in wanted for t in texts])))
        return
    with pa.input_stream(str(tmp_path / "out" / name), compression="gzip" if name.endswith("gz") else None) as f:
        text = f.read().decode()
    assert text == ("[\n" + ",\n".join(wanted) + "\n]\n" if name == "in.json" else "\n".join(wanted) + "\n")


def test_what_a_shape_cannot_hold_is_listed_beside(tmp_path: Path) -> None:
    world.lines(tmp_path / "in.jsonl", world.openai())
    found, _ = corpus(tmp_path, path="in.jsonl")
    counts = reshape.write(found, "alpaca", tmp_path / "out.jsonl")
    assert counts == {"documents": found.num_rows - 1, "rows": found.num_rows - 1, "left_out": 1}
    lost = json.loads((tmp_path / "out.left-out.jsonl").read_text("utf-8"))
    assert lost["id"] == "o-tools"


def test_shapes_that_cannot_be_told_are_errors(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"alpaca or aya|aya or alpaca"):
        detect(["instruction", "output", "inputs", "targets"])
    with pytest.raises(RequestError, match="no shape"):
        detect(["question", "answer"])
    world.lines(tmp_path / "a.jsonl", world.aya())
    world.lines(tmp_path / "b.jsonl", world.alpaca())
    with pytest.raises(DataError, match="make it two sources"):
        corpus(tmp_path, path=["a.jsonl", "b.jsonl"])
    (tmp_path / "c.json").write_text('[{"instruction": "a", "output": "b", "lang": "fr"}, {"instr', "utf-8")
    with pytest.raises(DataError, match="no JSON array"):
        corpus(tmp_path, path="c.json")


def test_a_named_shape_is_not_guessed() -> None:
    found, refused = conversations("aya", {"inputs": "Hola", "targets": "", "instruction": 3, "output": None})
    assert [t.content for t in found[0].turns] == ["Hola", ""]
    assert refused == []
