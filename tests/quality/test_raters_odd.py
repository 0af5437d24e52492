"""Raters that say little: ties alone, one side always, unknown ids, parts that nothing joins. Always an answer or a
sentence; never a number that is none, never half of a folder."""

import json
import math

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from glotmix.cli import app
from glotmix.core.errors import GlotmixError
from glotmix.quality import ask, replies
from glotmix.quality.raters_config import AskConfig

WORDS = {
    "ell": "το ψωμί ψήνεται στον φούρνο του χωριού",
    "tha": "ขนมปังอบในเตาของหมู่บ้าน",
    "swh": "mkate huokwa katika tanuri",
}


def world(folder, columns=(), verdicts=None, n=12):
    rows = [
        {"id": f"{lang}-{i}", "lang": lang, "group": f"g{i}", "text": f"{text} {i}"} for lang, text in WORDS.items()
        for i in range(n)
    ]  # fmt: skip
    (folder / "docs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    recipe = "name: r\ncorpus: {sources: [{name: w, path: docs.jsonl, language: ell}]}\nraters:\n"
    recipe += (
        "  documents: docs.jsonl\n  reference: ell\n  columns:\n"
        if columns
        else "  documents: docs.jsonl\n  reference: ell\n"
    )
    for name, values in columns:
        (folder / f"{name}.csv").write_text("id,v\n" + "".join(f"{i},{v}\n" for i, v in values.items()), "utf-8")
        recipe += f"  - {{name: {name}, path: {name}.csv, column: v}}\n"
    if verdicts is not None:
        recipe += "  verdicts: [verdicts.jsonl]\n"
        lines = [dict(zip(("a", "b", "answer", "judge"), each, strict=True)) for each in verdicts]
        (folder / "verdicts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    (folder / "recipe.yaml").write_text(recipe, "utf-8")
    return [row["id"] for row in rows]


def join(folder):
    """Return what is joined, or the error; numbers that are none are refused by the reader."""
    result = CliRunner().invoke(app, ["raters", "join", str(folder / "recipe.yaml"), "-o", str(folder / "out")])
    if result.exit_code:
        assert isinstance(result.exception, GlotmixError), result.exception
        assert not (folder / "out").exists()
        return str(result.exception)

    def refuse(text):
        raise AssertionError(text)

    told = json.loads((folder / "out" / "raters.json").read_text("utf-8"), parse_constant=refuse)
    scores = pq.read_table(folder / "out" / "scores.parquet")
    assert all(v is None or math.isfinite(v) for v in scores["score"].to_pylist())
    return told


def ring(ids, answer, judge="judge"):
    of_greek = [i for i in ids if i.startswith("ell")]
    return [(a, of_greek[(k + 1) % len(of_greek)], answer(k), judge) for k, a in enumerate(of_greek)]


def said(told, *words):
    return any(all(word in warning for word in words) for warning in told["warnings"])


def scale(ids):
    return {name: float(name.split("-")[1]) for name in ids}


@pytest.mark.parametrize("columns", [0, 1, 2])
def test_a_judge_of_ties_alone_beside_any_number_of_columns(tmp_path, columns):
    ids = world(tmp_path)
    world(tmp_path, [(f"c{k}", scale(ids)) for k in range(columns)], ring(ids, lambda k: "tie"))
    told = join(tmp_path)
    assert said(told, "judge calls every pair a tie")
    assert not said(told, "contradict") and not said(told, "no two raters")
    assert told["rated"] == (36 if columns else 12)


def test_a_column_that_is_the_same_everywhere(tmp_path):
    ids = world(tmp_path)
    world(tmp_path, [("flat", dict.fromkeys(ids, 3)), ("c", scale(ids))])
    told = join(tmp_path)
    assert said(told, "flat calls every pair a tie")
    assert told["agreement"]["ell_Grek"]["tau"]["flat × c"]["value"] is None


def test_a_judge_that_always_takes_the_first_place(tmp_path):
    ids = world(tmp_path)
    world(tmp_path, [("c", scale(ids))], ring(ids, lambda k: "a"))
    assert said(join(tmp_path), "judge gave 100% of its votes to the document shown first")


def test_most_ids_of_a_column_are_unknown(tmp_path):
    ids = world(tmp_path)
    odd = {(name.upper() if k > 5 else name): 1.0 * k for k, name in enumerate(ids)}
    world(tmp_path, [("c", scale(ids)), ("odd", odd)])
    told = join(tmp_path)
    assert said(told, "odd: 30 of its 36 ids are no document's, such as ELL-6; it speaks of 6 of 36 documents")
    assert not said(told, "contradict")
    # A table of more than the documents is no failed join.
    world(tmp_path, [("c", scale(ids)), ("more", scale(ids) | {f"x-{k}": 1.0 for k in range(99)})])
    assert not said(join(tmp_path), "are no document's")


def test_verdicts_on_documents_that_are_not_here(tmp_path):
    ids = world(tmp_path)
    strange = [("x-1", "x-2", "a", "judge")]
    world(tmp_path, [("c", scale(ids))], ring(ids, lambda k: "ab"[k % 2]) + strange)
    assert said(join(tmp_path), "1 verdicts are on documents that are not here, such as x-1")
    world(tmp_path, (), strange)
    (tmp_path / "out").rename(tmp_path / "before")
    assert "none of 1 verdicts is on documents of docs.jsonl: x-1 is none" in join(tmp_path)


def test_parts_that_no_pair_joins_and_raters_that_share_no_document(tmp_path):
    ids = world(tmp_path)
    apart = [("ell-0", "ell-1", "a", "one"), ("ell-2", "ell-3", "b", "two")]
    world(tmp_path, (), apart)
    told = join(tmp_path)
    assert said(told, "ell_Grek: no pair joins 2 parts of the documents")
    assert said(told, "no two raters speak of the same documents")
    assert told["majority"] is None and told["rated"] == 4
    world(tmp_path, [("c", scale(ids))], apart)
    assert not said(join(tmp_path), "no pair joins")  # the column's pairs join all


def test_three_judges_of_whom_no_two_have_judged_one_pair(tmp_path):
    ids = world(tmp_path)
    world(tmp_path, (), [(ids[k], ids[k + 1], "ab"[k % 2], f"judge{k}") for k in range(3)])
    told = join(tmp_path)
    assert [row["votes"] for row in told["raters"]] == [1, 1, 1]


@pytest.mark.parametrize("answer", ["A", "Tie", " b "])
def test_verdicts_in_capitals_are_verdicts(tmp_path, answer):
    ids = world(tmp_path)
    world(tmp_path, (), ring(ids, lambda k: answer))
    assert join(tmp_path)["verdicts"] == 12


# ------------------------------------------------------------------------------------------------------ replies

CLEAR = (
    "{}",
    '```json\n{{"verdict": "{}"}}\n```',
    '{{\n "answer" : "{}",\n "why": "prose"\n}}',
    "Here is my answer:\n```\n{}\n```",
    "The first is a menu, the second is not.\n{}",
    "<think>A is a menu. Or B?</think>\n**{}**",
    "So B it is, or A.\n</think>\n\n{}",
    "{}\n\nDocument A reads as prose; document B is a list.",
    "**Answer:** {}\n\n**Reasons:** prose",
    "[[{}]]",
    "\\boxed{{\\text{{{}}}}}",
    "Réponse : {}",
    "答案：{}",
    "Ответ: {}",
    "คำตอบ: {}",
    "الإجابة: {}",
    "<|channel|>analysis<|message|>A?<|end|><|start|>assistant<|channel|>final<|message|>{}",
    "<answer>{}</answer>",
    "Verdict: {}",
)


@pytest.mark.parametrize("form", CLEAR)
def test_clear_verdicts_are_understood_in_any_form(form):
    for answer in ("a", "b", "tie"):
        assert replies.understood(form.format(answer.upper())) == (answer, ""), answer


NONE = (
    "A or B", "Neither", "Both", "I'm sorry, I can't judge that.", "Not A", "Worse: A", "A\nis prose\nB\nis a menu\nso",
    '{"answer": "C"}', '{"answer": null}', "{}", "<think>It is A", "<think>A</think>", "", "A > B", "B vs. A",
)  # fmt: skip


@pytest.mark.parametrize("reply", NONE)
def test_what_is_no_clear_verdict_stays_none(reply):
    assert replies.understood(reply)[0] is None


def test_the_reason_names_reasoning_that_never_ended():
    assert "max_tokens" in replies.understood("<think>A is a menu, and")[1]


def test_the_last_of_several_verdicts_counts():
    assert replies.understood("Answer: A\nWait, that is wrong.\nAnswer: B")[0] == "b"
    assert replies.understood("A\nOn second thoughts:\nB")[0] == "b"


def test_the_quarantine_is_read_anew_and_what_is_understood_becomes_a_verdict(tmp_path):
    config = AskConfig(model="m")
    todo = [{"task": f"t{k}", "a": "x", "b": "y", "prompt": "?"} for k in range(3)]
    ask.write(todo, tmp_path / "tasks.jsonl")
    kept = {"reply": "who knows", "reason": "the reply is neither A, B nor TIE", "judge": "m"}
    rows = [todo[0] | {"reply": "<think>A?</think>\nB", "reason": "?", "judge": "m"}, todo[1] | kept]
    ask.write(rows, tmp_path / "v.quarantine.jsonl")
    found = ask.ask(tmp_path / "tasks.jsonl", tmp_path / "v.jsonl", config, dry=True)
    assert (found.before, found.recovered, found.left) == (2, 0, 1) and not (tmp_path / "v.jsonl").exists()
    ask.write(todo[:2], tmp_path / "two.jsonl")
    for recovered in (1, 0):
        found = ask.ask(tmp_path / "two.jsonl", tmp_path / "v.jsonl", config)
        assert (found.before, found.recovered, found.answered) == (2, recovered, 0)
    (verdict,) = [json.loads(line) for line in (tmp_path / "v.jsonl").read_text("utf-8").splitlines()]
    assert verdict == todo[0] | {"reply": "<think>A?</think>\nB", "judge": "m", "answer": "b"}
    (left,) = [json.loads(line) for line in (tmp_path / "v.quarantine.jsonl").read_text("utf-8").splitlines()]
    assert left == todo[1] | kept
    # A kill between the two files: the verdict is written, and the row stands in the quarantine as well.
    ask.write(rows, tmp_path / "v.quarantine.jsonl")
    ask.ask(tmp_path / "two.jsonl", tmp_path / "v.jsonl", config)
    assert len((tmp_path / "v.jsonl").read_text("utf-8").splitlines()) == 1
    assert len((tmp_path / "v.quarantine.jsonl").read_text("utf-8").splitlines()) == 1
