"""Conversations and pairs in unusual forms: calls of tools, several namings, too few rows, reasoning in the answer."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from glotmix.cli import app
from glotmix.core import conversation
from glotmix.core.conversation import Turn
from glotmix.core.errors import DataError, RequestError
from glotmix.corpus import reshape
from glotmix.corpus.shapes import NoConversationError
from glotmix.corpus.shapes import read as conversations
from glotmix.instruct import pairs
from glotmix.signals import answers
from glotmix.signals.identifiers import load

CALL = {"name": "tides", "arguments": {"port": "Αίγινα"}}
ASKED = {"role": "user", "content": "Πότε έχει παλίρροια στην Αίγινα;"}
AS_CALLS = {"tool_calls": [{"id": "c7", "type": "function", "function": {
    "name": "tides", "arguments": json.dumps(CALL["arguments"], ensure_ascii=False)}}]}  # fmt: skip
AS_FUNCTION = {"function_call": {"name": "tides", "arguments": json.dumps(CALL["arguments"], ensure_ascii=False)}}
SAID = {"role": "assistant", "content": "Η παλίρροια έρχεται στις έξι το απόγευμα, όπως κάθε μέρα."}


def openai(*turns: dict[str, Any]) -> dict[str, Any]:
    (found,), _ = conversations("openai", {"messages": list(turns)})
    return {"id": "x", "lang": "ell_Grek", "messages": conversation.plain(found.turns)}


def sharegpt(*turns: dict[str, Any]) -> dict[str, Any]:
    (found,), _ = conversations("sharegpt", {"conversations": list(turns)})
    return {"id": "x", "lang": "ell_Grek", "messages": conversation.plain(found.turns)}


def checked(*documents: dict[str, Any]) -> list[dict[str, Any]]:
    messages = pa.array([d["messages"] for d in documents], conversation.MESSAGES)
    langs = pa.array([d["lang"] for d in documents])
    return answers.checks(messages, langs, load("py3langid")).to_pylist()


ACTS = {
    "null beside tool_calls": openai(ASKED, {"role": "assistant", "content": None} | AS_CALLS),
    "nothing beside tool_calls": openai(ASKED, {"role": "assistant"} | AS_CALLS),
    "empty beside tool_calls": openai(ASKED, {"role": "assistant", "content": ""} | AS_CALLS),
    "null beside function_call": openai(ASKED, {"role": "assistant", "content": None} | AS_FUNCTION),
    "nothing beside function_call": openai(ASKED, {"role": "assistant"} | AS_FUNCTION),
    "ShareGPT's": sharegpt(
        {"from": "human", "value": ASKED["content"]}, {"from": "function_call", "value": json.dumps(CALL)}
    ),
}


@pytest.mark.parametrize("form", ACTS)
def test_a_call_is_an_answer_in_every_form(form: str) -> None:
    (found,) = checked(ACTS[form])
    assert not found["empty"] and not found["truncated"]
    assert found["faithful"] is None and not found["refusal"]  # nothing is said in any language
    last = conversation.turns(ACTS[form]["messages"])[-1]
    assert [(c.name, c.arguments) for c in conversation.calls(last)] == [("tides", CALL["arguments"])]


def test_an_answer_that_is_truly_empty_is_so_beside_calls_before_it() -> None:
    tool = {"role": "tool", "tool_call_id": "c7", "content": "18:00"}
    call = {"role": "assistant", "content": None} | AS_CALLS
    empty, whole = checked(
        openai(ASKED, call, tool, {"role": "assistant", "content": ""}), openai(ASKED, call, tool, SAID)
    )
    assert empty["empty"] and not whole["empty"] and whole["faithful"]
    with pytest.raises(NoConversationError, match="a turn is not text"):
        openai(ASKED, {"role": "assistant", "content": None})


@pytest.mark.parametrize("call", [AS_CALLS, AS_FUNCTION], ids=["tool_calls", "function_call"])
def test_calls_come_back_as_they_were_and_go_into_sharegpt_whole(call: dict[str, Any]) -> None:
    by = {"role": "function", "name": "tides"} if "function_call" in call else {"role": "tool", "tool_call_id": "c7"}
    turns = [ASKED, {"role": "assistant", "content": None} | call, by | {"content": "18:00"}, SAID]
    document = openai(*turns)
    assert reshape.shaped("openai", document)[0]["messages"] == turns
    rows = reshape.shaped("sharegpt", document)[0]["conversations"]
    assert [row["from"] for row in rows] == ["human", "function_call", "tool", "gpt"]
    assert json.loads(rows[1]["value"]) == CALL
    again = sharegpt(*rows)
    assert reshape.shaped("openai", again)[0]["messages"][1] == turns[1]
    for shape in ("alpaca", "aya", "trl", "oasst"):
        with pytest.raises(NoConversationError):
            reshape.shaped(shape, document)  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", ["alpaca", "aya", "trl", "oasst"])
def test_a_shape_without_tools_refuses_an_answer_that_is_a_call(shape: Any) -> None:
    for form, document in ACTS.items():
        with pytest.raises(NoConversationError, match="calls a tool") as error:
            reshape.shaped(shape, document)
        assert error.value.detail == "tides", form


def test_sharegpts_calls_become_openais_and_what_cannot_is_refused() -> None:
    said = [{"from": "human", "value": "?"}, {"from": "function_call", "value": json.dumps([CALL, CALL])}]
    answers_ = [{"from": "observation", "value": v} for v in ("18:00", "19:00")]
    rows = reshape.shaped("openai", sharegpt(*said, *answers_, {"from": "gpt", "value": "ναι"}))[0]["messages"]
    calls = rows[1]["tool_calls"]
    assert rows[1]["content"] is None and [c["id"] for c in calls] == ["call_1", "call_2"]
    assert [json.loads(c["function"]["arguments"]) for c in calls] == [CALL["arguments"]] * 2
    assert [row.get("tool_call_id") for row in rows[2:4]] == ["call_1", "call_2"]
    odd = sharegpt(said[0], {"from": "function_call", "value": "tides(Αίγινα)"})
    with pytest.raises(NoConversationError, match="no JSON with a name"):
        reshape.shaped("openai", odd)
    assert reshape.shaped("sharegpt", odd)[0]["conversations"][1]["value"] == "tides(Αίγινα)"


def test_turns_under_the_other_shapes_names() -> None:
    by_role = sharegpt({"role": "user", "content": "ጥያቄ?"}, {"role": "assistant", "content": "መልስ"})
    by_from = openai({"from": "human", "value": "ጥያቄ?"}, {"from": "gpt", "value": "መልስ"})
    for document in (by_role, by_from):
        assert [(t.role, t.content) for t in conversation.turns(document["messages"])] == [
            ("user", "ጥያቄ?"), ("assistant", "መልስ"),
        ]  # fmt: skip
    with pytest.raises(NoConversationError, match="unknown role"):
        sharegpt({"role": "narrator", "content": "x"}, {"from": "gpt", "value": "y"})


def test_trls_prompt_and_completion_may_be_turns() -> None:
    system = {"role": "system", "content": "Απάντα σύντομα."}
    act, by = (
        {"role": "assistant", "content": None} | AS_CALLS,
        {"role": "tool", "content": "18:00", "tool_call_id": "c7"},
    )
    for prompt, completion in (
        ([ASKED], [SAID]),
        ([system, ASKED, SAID, ASKED], [SAID]),
        ([system, ASKED], [act, by, SAID]),
    ):
        (found,), _ = conversations("trl", {"prompt": prompt, "completion": completion, "model": "m"})
        (same,), _ = conversations("openai", {"messages": [*prompt, *completion], "model": "m"})
        assert found == same
    for prompt, completion in (([ASKED], SAID["content"]), (ASKED["content"], [SAID])):
        (found,), _ = conversations("trl", {"prompt": prompt, "completion": completion})
        assert [(t.role, t.content) for t in found.turns] == [
            ("user", ASKED["content"]),
            ("assistant", SAID["content"]),
        ]
    for prompt, reason in (
        ([], "no instruction"),
        ([{"role": "narrator", "content": "x"}], "unknown role"),
        (["x"], "no list of turns"),
    ):
        with pytest.raises(NoConversationError, match=reason):
            conversations("trl", {"prompt": prompt, "completion": [SAID]})


def test_checks_look_at_the_answer_behind_its_reasoning() -> None:
    thought = "<think>The user asks about the tides, and I should answer in the language of the question.</think>"
    spoken, silent, cut = checked(
        openai(ASKED, {"role": "assistant", "content": f"{thought}\n\n{SAID['content']}"}),
        openai(ASKED, {"role": "assistant", "content": thought}),
        openai(ASKED, {"role": "assistant", "content": "<think>The user asks about the tides of"}),
    )
    assert spoken["faithful"] and spoken["answered"] == "ell_Grek" and not spoken["empty"]
    assert silent["empty"] and silent["truncated"] and cut["empty"] and cut["truncated"]
    assert spoken["response_chars"] == len(thought) + 2 + len(SAID["content"])


# ---------------------------------------------------------------------------------------------------------- pairs

COACH = {
    "raw_instruction": "Περί ψωμιού",
    "raw_response": "δεν ξέρω",
    "revised_response": "Ψήνεται.",
    "lang": "ell_Grek",
}
PREFERENCE = {"prompt": "เรื่องขนมปัง", "rejected": "ไม่รู้", "chosen": "อบในเตา", "language": "tha_Thai"}
OURS = {"instruction": "Mkate", "response": "sijui", "revised_response": "Huokwa.", "lang": "swh_Latn"}


def test_each_row_is_read_by_its_own_names(tmp_path: Path) -> None:
    found = pairs.of_rows([COACH, PREFERENCE, OURS])
    assert [one for one, _ in found.responses] == ["δεν ξέρω", "ไม่รู้", "sijui"]
    assert [two for _, two in found.responses] == ["Ψήνεται.", "อบในเตา", "Huokwa."]
    assert [one for one, _ in found.instructions] == ["Περί ψωμιού", "เรื่องขนมปัง", "Mkate"]
    assert found.langs.tolist() == ["ell_Grek", "tha_Thai", "swh_Latn"]
    # In one table every row has every column, and null where it has none of its own.
    table = pa.Table.from_pylist(
        [dict.fromkeys([*COACH, *PREFERENCE, *OURS]) | row for row in (COACH, PREFERENCE, OURS)]
    )
    assert pairs.of_rows(table.to_pylist()).responses == found.responses
    for name, rows in (("a", [COACH]), ("b", [PREFERENCE, OURS])):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), "utf-8")
    assert pairs.read([tmp_path / "a.jsonl", tmp_path / "b.jsonl"]).responses == found.responses


def test_a_row_of_unknown_names_is_refused_with_its_place(tmp_path: Path) -> None:
    odd = {"question": "x", "bad": "y", "good": "z", "lang": "ell_Grek"}
    (tmp_path / "a.jsonl").write_text(json.dumps(COACH) + "\n" + json.dumps(odd) + "\n", "utf-8")
    with pytest.raises(DataError, match=r"a\.jsonl:2: pairs need a column instruction or .* question, bad, good"):
        pairs.read([tmp_path / "a.jsonl"])
    with pytest.raises(RequestError, match="row 2: the pair has no column lang"):
        pairs.of_rows([COACH, {k: v for k, v in OURS.items() if k != "lang"}])
    (tmp_path / "b.jsonl").write_bytes(json.dumps(COACH).encode() + b'\n{"prompt": "\xe9"}\n')
    with pytest.raises(DataError, match=r"b\.jsonl:2"):
        pairs.read([tmp_path / "b.jsonl"])


@pytest.mark.parametrize(("name", "value"), [("revised_response", None), ("revised_response", " "), ("response", None)])
def test_a_missing_answer_teaches_nothing_and_is_counted(name: str, value: str | None) -> None:
    found = pairs.of_rows([OURS, OURS | {name: value}, OURS | {"instruction": None}])
    assert len(found) == 1 and found.left_out == 2
    with pytest.raises(DataError, match="none of 1 rows"):
        pairs.of_rows([OURS | {name: value}])


@pytest.mark.parametrize("which", ["few", "one"])
def test_too_few_instructions_are_refused_before_anything_is_written(tmp_path: Path, which: str) -> None:
    rows = [OURS | {"instruction": f"Mkate {n if which == 'few' else ''}"} for n in range(9 if which == "few" else 40)]
    (tmp_path / "p.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), "utf-8")
    result = CliRunner().invoke(app, ["instruct", "train", str(tmp_path / "p.jsonl"), "-o", str(tmp_path / "model")])
    count = 9 if which == "few" else 1
    assert isinstance(result.exception, DataError)
    assert f"are of {count} instructions, and 10 are needed" in str(result.exception)
    assert not (tmp_path / "model").exists()


def test_the_least_that_is_enough_is_enough(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    words = ["mkate", "moto", "kijiji", "samaki", "soko", "njia"]
    rows = [
        OURS | {"instruction": f"Swali {n}", "response": " ".join(rng.choice(words, 5)),
                "revised_response": " ".join(rng.choice(words, 9)) + "."}
        for n in range(pairs.LEAST)
    ]  # fmt: skip
    rows.append(OURS | {"revised_response": None})
    (tmp_path / "p.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), "utf-8")
    arguments = ["instruct", "train", str(tmp_path / "p.jsonl"), "-o", str(tmp_path / "model"), "--seeds", "1"]
    result = CliRunner().invoke(app, [*arguments, "--audits", "2"])
    assert result.exit_code == 0, result.exception
    assert "1 rows lack their instruction or one of their answers" in result.stdout
    assert json.loads((tmp_path / "model" / "audit.json").read_text("utf-8"))["overall"]["pairs"] == 2


def test_calls_of_a_turn_that_is_none() -> None:
    assert conversation.calls(Turn("assistant", "hello")) == []
    assert conversation.calls(Turn("assistant", "x", more='{"from":"function_call"}'))[0].name == ""
