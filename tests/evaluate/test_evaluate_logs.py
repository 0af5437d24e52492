"""What logs say of themselves: whose they are, how and when they were asked, and what judges their answers."""

import json
import re
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import lighteval_world
from eval_world import chosen, generated, write
from glotmix.cli import eval as cli_eval
from glotmix.core.errors import DataError, RequestError
from glotmix.evaluate import judged, reading
from glotmix.evaluate.comparison import compare
from glotmix.evaluate.language_fidelity import fidelity
from glotmix.evaluate.reading import Ask
from glotmix.evaluate.scores import score

QUIZ = {
    f"quiz_{lang}": [chosen(n, n % 2, (n // shift) % 2) for n in range(8)] for lang, shift in (("el", 1), ("am", 2))
}
EARLY, LATE = "2026-02-03T10-00-00.000000", "2026-04-05T10-00-00.000000"


def scored(path, **ask):
    return score(reading.read([path], Ask(**ask)), draws=100)


def told(path, **ask):
    return "\n".join(scored(path, **ask).warnings)


def accuracies(task):
    return {each.lang: each.accuracy and each.accuracy.value for each in task.languages}


# ------------------------------------------------------------------------------------------- one model, one run


@pytest.mark.parametrize("dates", [(EARLY, LATE), (EARLY, EARLY)])
def test_two_models_below_one_path_are_refused_by_their_names(tmp_path, dates):
    for name, when in zip(("owl/small", "owl/large"), dates, strict=True):
        write(tmp_path / name.replace("/", "__"), QUIZ, when, model_name=name)
    with pytest.raises(DataError, match=r"2 models: owl/large in .*owl__large; owl/small in .*owl__small"):
        reading.read([tmp_path])
    assert reading.read([tmp_path / "owl__small"]).model == "owl/small"


def test_two_models_in_one_folder_and_two_revisions_are_two_models(tmp_path):
    write(tmp_path / "one", QUIZ, EARLY, model_name="owl")
    write(tmp_path / "one", QUIZ, LATE, model_name="lynx")
    with pytest.raises(DataError, match=r"2 models: lynx in .*; owl in "):
        reading.read([tmp_path / "one"])
    for revision, when in (("step10", EARLY), ("step20", LATE)):
        arguments = f"pretrained=owl,revision={revision},dtype=bfloat16"
        write(tmp_path / "two", QUIZ, when, model_name="owl", config={"model_args": arguments})
    with pytest.raises(DataError, match=r"owl revision=step10 in .*; owl revision=step20"):
        reading.read([tmp_path / "two"])


def test_folders_of_one_model_are_one_log_if_they_say_so(tmp_path):
    for lang, when in (("el", EARLY), ("am", LATE)):
        write(tmp_path / lang, {f"quiz_{lang}": QUIZ[f"quiz_{lang}"]}, when, model_name="owl")
    found = scored(tmp_path)
    assert [each.lang for each in found.tasks[0].languages] == ["amh_Ethi", "ell_Grek"]
    assert "run on different days (2026-02-03: ell_Grek; 2026-04-05: amh_Ethi)" in "\n".join(found.warnings)


def test_two_models_of_lighteval_are_refused_and_a_name_may_have_two_parts(tmp_path):
    row = {"id": "q", "query": "?", "choices": [" a", " b"], "gold": [0], "logprobs": [-1.0, -2.0]}
    for lang in ("fra", "hin"):
        made = lighteval_world.write(tmp_path, f"quiz_{lang}|0", [row])
        other = tmp_path / "details" / "owl" / "large" / made.parent.name / made.name
        other.parent.mkdir(parents=True, exist_ok=True)
        other.write_bytes(made.read_bytes())
    with pytest.raises(DataError, match=r"2 models: owl/large in .*; tiny in "):
        reading.read([tmp_path])
    assert reading.read([tmp_path / "details" / "owl"]).model == "owl/large"


def test_one_task_asked_in_two_ways_is_refused_and_a_plain_repetition_is_told(tmp_path):
    shots = [{"n-shot": dict.fromkeys(QUIZ, n)} for n in (0, 5)]
    for when, more in zip((EARLY, LATE), shots, strict=True):
        write(tmp_path / "shots", QUIZ, when, **more)
    with pytest.raises(DataError, match=r"asked in different ways: num_fewshot 0 in .*; num_fewshot 5 in ") as error:
        reading.read([tmp_path / "shots"])
    files = sorted((tmp_path / "shots").glob(re.search(r"samples_\*\S+", error.value.fix)[0]))
    assert [f.name for f in files] == [f"samples_quiz_{lang}_{LATE}.jsonl" for lang in ("am", "el")]
    assert not score(reading.read(files), draws=100).warnings  # what the advice names can be read
    for when, template in ((EARLY, "a"), (LATE, "b")):
        write(tmp_path / "template", QUIZ, when, chat_template_sha=template)
    with pytest.raises(DataError, match=r"chat_template a in .*; chat_template b in "):
        reading.read([tmp_path / "template"])
    for when, limit in ((EARLY, 5.0), (LATE, None)):
        write(tmp_path / "again", QUIZ, when, config={"limit": limit})
    assert f"run more than once: the newest counts ({LATE}), not {EARLY}" in told(tmp_path / "again")


def test_shots_of_lighteval_stand_in_names_and_are_told_apart(tmp_path):
    row = {"id": "q", "query": "?", "choices": [" a", " b"], "gold": [0], "logprobs": [-1.0, -2.0]}
    for task in ("quiz:fr|0", "quiz:th|3"):
        lighteval_world.write(tmp_path / "languages", task, [row])
    assert "quiz: the languages differ in num_fewshot: 0 in fra_Latn; 3 in tha_Thai" in told(tmp_path / "languages")
    for task in ("quiz:fr|0", "quiz:fr|3", "quiz:th|0"):
        lighteval_world.write(tmp_path / "twice", task, [row])
    with pytest.raises(DataError, match=r"quiz:fr was asked in different ways: num_fewshot 0 in .*; num_fewshot 3 in "):
        reading.read([tmp_path / "twice"])


@pytest.mark.parametrize(
    ("key", "values", "said"),
    [
        ("n-shot", ({"quiz_el": 5}, {"quiz_am": 0}), "num_fewshot: 0 in amh_Ethi; 5 in ell_Grek"),
        ("chat_template_sha", ("abc", None), "chat_template: not set in amh_Ethi; abc in ell_Grek"),
        ("config", ({"limit": 8.0, "x": 1}, {"x": 1}), "limit: not set in amh_Ethi; 8.0 in ell_Grek"),
    ],
)
def test_languages_asked_in_different_ways_are_shown_with_a_warning(tmp_path, key, values, said):
    for lang, value, when in zip(("el", "am"), values, (EARLY, LATE), strict=True):
        config = {f"quiz_{lang}": {"output_type": "multiple_choice"}}
        write(tmp_path, {f"quiz_{lang}": QUIZ[f"quiz_{lang}"]}, when, configs=config, **{key: value})
    assert f"quiz: the languages differ in {said}" in told(tmp_path)


def test_translated_prompts_are_no_difference(tmp_path):
    for lang, word, when in (("el", "Απάντηση", EARLY), ("am", "መልስ", EARLY)):
        rows = {f"quiz_{lang}": QUIZ[f"quiz_{lang}"]}
        write(tmp_path, rows, when, alone=True)
        configs = {f"quiz_{at}": {"doc_to_text": f"{{{{q}}}} {word} {at}", "num_fewshot": 0} for at in ("el", "am")}
    write(tmp_path, {}, EARLY, configs=configs)
    assert not scored(tmp_path).warnings


def test_a_comparison_says_where_the_models_were_asked_differently(tmp_path):
    one = reading.read([write(tmp_path / "a", QUIZ, model_name="a", **{"n-shot": dict.fromkeys(QUIZ, 0)})])
    two = reading.read([write(tmp_path / "b", QUIZ, model_name="b", **{"n-shot": dict.fromkeys(QUIZ, 5)})])
    found = compare(one, two, draws=100)
    assert found.warnings == (
        "the models were asked differently: num_fewshot (a: 0, b: 5): quiz in amh_Ethi, quiz in ell_Grek",
    )
    assert not compare(one, one, draws=100).warnings
    result = CliRunner().invoke(cli_eval.app, ["compare", str(tmp_path / "a"), str(tmp_path / "b"), "--draws", "100"])
    assert "warning: the models were asked differently: num_fewshot (a: 0, b: 5)" in result.stdout


def test_paths_of_two_formats_or_with_nothing_are_never_read_in_part(tmp_path):
    write(tmp_path / "logs", QUIZ)
    row = {"id": "q", "query": "?", "choices": [" a", " b"], "gold": [0], "logprobs": [-1.0, -2.0]}
    lighteval_world.write(tmp_path / "light", "quiz:fr|0", [row])
    (tmp_path / "empty").mkdir()
    with pytest.raises(RequestError, match="several formats"):
        reading.read([tmp_path])
    with pytest.raises(RequestError, match=r"logs holds lm-eval's samples; .*light holds lighteval's details"):
        reading.read([tmp_path / "logs", tmp_path / "light"])
    with pytest.raises(DataError, match="empty: no samples_"):
        reading.read([tmp_path / "logs", tmp_path / "empty"])


# ------------------------------------------------------------------------------------------- the log's judgement


@pytest.mark.parametrize("name", ["acc", "exact_match", "extractive_match", "math_verify", "pass@1", "is_correct"])
def test_the_logs_judgement_of_generated_answers_counts_whatever_its_name(tmp_path, name):
    more = {"metrics": [name], name: 1.0}
    rows = {f"sums_{lang}": [generated(n, str(n), f"{n}.0", **more) for n in range(6)] for lang in ("de", "ar")}
    task = scored(write(tmp_path, rows)).tasks[0]
    assert accuracies(task) == {"arb_Arab": 1.0, "deu_Latn": 1.0}


def test_true_and_false_are_numbers_too(tmp_path):
    rows = {
        f"sums_{lang}": [generated(n, "1", "x", metrics=["exact_match"], exact_match=n < 3) for n in range(6)]
        for lang in ("de", "ar")
    }
    assert accuracies(scored(write(tmp_path, rows)).tasks[0]) == {"arb_Arab": 0.5, "deu_Latn": 0.5}


@pytest.mark.parametrize("name", ["em", "extractive_match", "math_verify", "pass@k:k=1&n=1", "exact_match_{}_prefix"])
def test_the_judgement_of_lighteval_counts_whatever_its_name(tmp_path, name):
    for lang, reply in (("fra", "La réponse est 3"), ("swa", "Jibu ni 3")):
        rows = [{"id": n, "query": f"{n}?", "choices": ["3"], "gold": [0], "text": [reply]} for n in range(4)]
        path = lighteval_world.write(tmp_path, f"sums:{lang}|0", rows)
        table = pq.read_table(path)
        metric = pa.array([{name.format(lang): float(n < 3)} for n in range(4)])
        pq.write_table(table.set_column(table.column_names.index("metric"), "metric", metric), path)
    found = scored(tmp_path)
    assert accuracies(found.tasks[0]) == {"fra_Latn": 0.75, "swh_Latn": 0.75}
    assert not found.warnings


def test_shares_of_credit_are_the_accuracy_and_no_answer_is_right_or_wrong_by_them(tmp_path):
    values = [0.1, 0.9, 0.4, 0.6]
    rows = {
        f"truth_{lang}": [chosen(n, 0, n % 2, target="[0, 1]", acc=v) for n, v in enumerate(values)]
        for lang in ("fr", "ja")
    }
    task = scored(write(tmp_path, rows)).tasks[0]
    assert accuracies(task) == pytest.approx({"fra_Latn": 0.5, "jpn_Jpan": 0.5})
    low, high = task.languages[0].accuracy.low, task.languages[0].accuracy.high
    assert 0.1 < low < 0.5 < high < 0.9
    assert task.pairs[0].both_right is None and task.pairs[0].mlc.value == 1


def test_measured_texts_are_not_scored_and_have_a_language_all_the_same(tmp_path):
    replies = {"fr": "le chat dort dans la maison", "de": "die Katze schläft im Haus"}
    rows = {
        f"translate_{lang}": [
            generated(n, "the cat sleeps", reply, metrics=["bleu", "chrf"], bleu=31.5, chrf=50.1) for n in range(4)
        ]
        for lang, reply in replies.items()
    }
    write(tmp_path / "alone", rows)
    with pytest.raises(DataError, match=r"translate: its answers are measured \(bleu, chrf\)"):
        scored(tmp_path / "alone")
    found = scored(write(tmp_path / "both", rows | QUIZ))
    assert [t.task for t in found.tasks] == ["quiz"]
    assert any("translate: not scored: its answers are measured" in w for w in found.warnings)
    answers = reading.read([tmp_path / "alone"])
    labels = pa.array(["fra_Latn" if "chat" in r else "deu_Latn" for r in answers.table["response"].to_pylist()])
    assert fidelity(answers, lambda texts: labels).faithful.value == 1


def test_a_log_that_judges_nothing_has_no_accuracy(tmp_path):
    rows = {
        f"open_{lang}": [generated(n, "x", "x", metrics=["bypass"], exact_match=None, bypass=None) for n in range(4)]
        for lang in ("fr", "ko")
    }
    for samples in rows.values():
        for row in samples:
            del row["exact_match"], row["bypass"]
    with pytest.raises(DataError, match=r"measured \(bypass\)"):
        scored(write(tmp_path / "bypass", rows))
    for samples in rows.values():
        for row in samples:
            row["metrics"] = []
    found = scored(write(tmp_path / "none", rows))
    assert accuracies(found.tasks[0]) == {"fra_Latn": None, "kor_Hang": None}
    assert any("the log does not say which answers are right" in warning for warning in found.warnings)


def test_of_several_metrics_one_can_be_asked_for_and_an_unknown_one_is_refused(tmp_path):
    more = {"metrics": ["f1", "exact_match", "strict"], "f1": 0.3, "exact_match": 1.0, "strict": 0.0}
    rows = {f"qa_{lang}": [generated(n, "x", "x", **more) for n in range(4)] for lang in ("ru", "fa")}
    write(tmp_path, rows)
    assert set(accuracies(scored(tmp_path).tasks[0]).values()) == {1.0}
    assert set(accuracies(scored(tmp_path, metric="strict").tasks[0]).values()) == {0.0}
    with pytest.raises(RequestError, match=r"no metric 'exact_mach' \(did you mean 'exact_match'\?\)"):
        scored(tmp_path, metric="exact_mach")


def test_the_logs_acc_is_shown_where_it_is_not_the_choices_and_both_are_told(tmp_path):
    rows = {f"quiz_{lang}": [chosen(n, 0, n % 2, acc=1.0) for n in range(4)] for lang in ("he", "ta")}
    found = scored(write(tmp_path, rows))
    assert accuracies(found.tasks[0]) == {"heb_Hebr": 1.0, "tam_Taml": 1.0}
    assert {each.raw.value for each in found.tasks[0].languages} == {0.5}
    assert any("heb_Hebr 1.000 by acc, 0.500 by its choices" in warning for warning in found.warnings)


def test_means_that_are_not_those_of_the_results_or_of_all_items_are_told(tmp_path):
    rows = {f"quiz_{lang}": [chosen(n, 0, n % 2) for n in range(4)] for lang in ("he", "ta")}
    rows["quiz_he"].append(chosen(9, 0, 0))
    write(tmp_path, rows, results={"quiz_he": {"acc,none": 0.9}, "quiz_ta": {"acc,none": 0.5}})
    said = told(tmp_path)
    assert "quiz_he: the results state acc 0.9, the 5 samples have 0.6: the samples count" in said
    assert "quiz_ta: the results" not in said
    assert "accuracy is of the 4 items of all languages" in said and "heb_Hebr 0.600" in said


def test_languages_judged_by_different_metrics_are_told(tmp_path):
    rows = {
        "sums_fr": [generated(n, "x", "x", metrics=["acc"], acc=1.0) for n in range(4)],
        "sums_th": [generated(n, "x", "x", exact_match=1.0) for n in range(4)],
    }
    assert "judged by different metrics: fra_Latn by acc, tha_Thai by exact_match" in told(write(tmp_path, rows))


def test_a_filter_that_is_not_there_is_refused_with_those_that_are(tmp_path):
    names = ("strict-match", "flexible-extract")
    rows = {
        f"sums_{lang}": [generated(n, "3", "#### 3", name, filter=name) for name in names for n in range(4)]
        for lang in ("de", "bn")
    }
    write(tmp_path, rows)
    with pytest.raises(RequestError, match=r"no filter 'flexible_extract'.*did you mean 'flexible-extract'") as error:
        scored(tmp_path, filter="flexible_extract")
    assert "--filtered, one of flexible-extract, strict-match" in str(error.value)
    assert (
        "sums: the filter strict-match counts, of strict-match, flexible-extract; --filtered flexible-extract"
        in told(tmp_path)
    )


def test_the_filter_is_one_that_all_languages_of_a_task_have(tmp_path):
    def rows(names):
        return [
            generated(n, "3", "3", name, filter=name, exact_match=float(name == "b")) for name in names for n in (1, 2)
        ]

    write(tmp_path / "some", {"sums_de": rows("ab"), "sums_bn": rows("ba"), "sums_el": rows("b")})
    assert set(accuracies(scored(tmp_path / "some").tasks[0]).values()) == {1.0}
    with pytest.raises(RequestError, match="sums: ell_Grek has no filter 'a'"):
        scored(tmp_path / "some", filter="a")
    write(tmp_path / "none", {"sums_de": rows("a"), "sums_bn": rows("b")})
    with pytest.raises(DataError, match="no filter in common"):
        scored(tmp_path / "none")


def test_a_task_with_one_filter_is_read_beside_one_with_several(tmp_path):
    rows = {
        f"sums_{lang}": [generated(n, "3", "3", f, filter=f) for f in "ab" for n in (1, 2)] for lang in ("de", "bn")
    }
    found = scored(write(tmp_path, rows | QUIZ), filter="b")
    assert [task.task for task in found.tasks] == ["quiz", "sums"]
    assert "quiz: the filter none counts, its only one: there is no b" in found.warnings


# ---------------------------------------------------------------------------------- neither choices nor answers


def likelihood(number, **more):
    return {
        "doc_id": number, "doc": {"id": number}, "target": "text", "arguments": {"gen_args_0": {"arg_0": "text"}},
        "resps": [[f"-{number}.5"]], "filtered_resps": [f"-{number}.5"], "filter": "none",
        "metrics": ["word_perplexity"], "word_perplexity": [f"-{number}.5", 3],
    } | more  # fmt: skip


@pytest.mark.parametrize("config", [{}, {"output_type": "loglikelihood_rolling"}])
def test_perplexity_is_left_out_and_named(tmp_path, config):
    alone = scored(write(tmp_path / "alone", QUIZ))
    rows = {f"web_{lang}": [likelihood(n) for n in range(4)] for lang in ("el", "am")}
    found = scored(write(tmp_path / "both", QUIZ | rows, configs=dict.fromkeys(rows, config)))
    assert found.tasks == alone.tasks and found.mean == alone.mean
    assert any(w.startswith("web_am, web_el: likelihoods of whole texts") for w in found.warnings)
    with pytest.raises(DataError, match="perplexity alone"):
        scored(write(tmp_path / "none", rows))


def test_one_continuation_has_an_accuracy_and_no_consistency(tmp_path):
    rows = {
        f"lambada_{lang}": [chosen(n, 0, 0, options=1, acc=float(n % 3 == 0)) for n in range(6)]
        for lang in ("it", "es")
    }
    found = scored(write(tmp_path, rows | QUIZ))
    one, quiz = found.tasks
    assert accuracies(one) == pytest.approx({"ita_Latn": 1 / 3, "spa_Latn": 1 / 3})
    assert one.pairs == () and one.all.mlc.value is None and one.all.pairs == 0
    assert one.languages[0].above_random is None
    assert found.mean.mlc.value == quiz.all.mlc.value
    assert any("lambada: one choice in every item" in warning for warning in found.warnings)
    page = tmp_path / "page.html"
    result = CliRunner().invoke(cli_eval.app, ["scores", str(tmp_path), "--page", str(page), "--draws", "100"])
    assert result.exit_code == 0 and "lambada" in page.read_text("utf-8")
    result = CliRunner().invoke(cli_eval.app, ["scores", str(tmp_path), "--json", "--draws", "100", "--pivot", "it"])
    assert json.loads(result.stdout)["tasks"][0]["pairs"] == []


@pytest.mark.parametrize("missing", [[None, "False"], ["nan", "False"], None, []])
def test_a_likelihood_that_is_missing_is_an_answer_that_could_not_be_read(tmp_path, missing, recwarn):
    rows = {f"quiz_{lang}": [chosen(n, 0, 0) for n in range(4)] for lang in ("he", "ta")}
    rows["quiz_he"][1]["filtered_resps"] = missing if not missing else [missing, missing]
    found = scored(write(tmp_path, rows))
    hebrew, tamil = found.tasks[0].languages
    assert hebrew.lang == "heb_Hebr" and tamil.unread == 0
    assert hebrew.unread == 0.25 or found.tasks[0].left_out  # no options at all: another number of them
    assert not [w for w in recwarn if issubclass(w.category, RuntimeWarning)]


# -------------------------------------------------------------------------------------------- answers that are none


@pytest.mark.parametrize(
    "nothing",
    ["[invalid]", "", "  ", "[no answer]", "N/A", "I'm sorry, but I can't help with that.", "<think>So it is"],
)
def test_what_is_no_answer_agrees_with_nothing_and_counts_as_unread(tmp_path, nothing):
    rows = {
        f"sums_{lang}": [generated(n, "7", nothing if n < 3 else "7", exact_match=float(n >= 3)) for n in range(4)]
        for lang in ("de", "sw")
    }
    found = scored(write(tmp_path, rows))
    assert found.tasks[0].pairs[0].mlc.value == 0.25
    assert [each.unread for each in found.tasks[0].languages] == [0.75, 0.75]
    assert any("many answers could not be read in deu_Latn (75%), swh_Latn (75%)" in w for w in found.warnings)


def test_the_fallback_that_a_tasks_filter_names_is_no_answer(tmp_path):
    rows = {f"sums_{lang}": [generated(n, "7", "?", "nichts") for n in range(4)] for lang in ("de", "sw")}
    steps = [{"name": "none", "filter": [{"function": "regex", "fallback": "nichts"}]}]
    write(tmp_path, rows, configs={task: {"filter_list": steps} for task in rows})
    assert scored(tmp_path).tasks[0].pairs[0].mlc.value == 0
    assert "nichts" not in told(tmp_path)


REASONED = {
    "block": "<think>\nIt may be A or B.\n</think>\n\n{}",
    "no beginning": "It may be A or B.\n</think>\n{}",
    "brackets": "[THINK]It may be A or B.[/THINK]{}",
    "channels": "<|channel|>analysis<|message|>A or B<|end|><|start|>assistant<|channel|>final<|message|>{}<|return|>",
    "bare channels": "analysisMaybe A or B.assistantfinal{}",
    "answer tags": "<think>A or B</think><answer>{}</answer>",
    "fence": "```\n{}\n```",
}


@pytest.mark.parametrize("form", REASONED)
def test_letters_and_numbers_are_read_behind_reasoning(tmp_path, form):
    prompt = {"gen_args_0": {"arg_0": "Вопрос?\nA. раз\nB. два\nC. три\nОтвет:", "arg_1": {}}}
    letters = {
        f"quiz_{lang}": [generated(n, "B", REASONED[form].format("ABC"[n]), arguments=prompt) for n in range(3)]
        for lang in ("ru", "uk")
    }
    numbers = {f"sums_{lang}": [generated(n, "7", REASONED[form].format(n)) for n in range(3)] for lang in ("ru", "uk")}
    answers = reading.read([write(tmp_path, letters | numbers)])
    quiz = answers.table.filter(pa.compute.equal(answers.table["task"], "quiz"))
    assert quiz["raw"].to_pylist() == [0, 1, 2] * 2
    sums = answers.table.filter(pa.compute.equal(answers.table["task"], "sums"))
    assert sums["answer"].to_pylist() == ["0", "1", "2"] * 2
    if form != "fence":
        assert any("reasoning was taken away from 3 of 3 answers" in note for note in answers.notes)


@pytest.mark.parametrize("form", REASONED)
def test_fidelity_looks_at_the_answer_and_not_at_the_reasoning(tmp_path, form):
    whole = [generated(n, "x", REASONED[form].format("Η αγορά ανοίγει στις επτά το πρωί.")) for n in range(3)]
    whole.append(generated(3, "x", "<think>Let me see what they want to know of the market"))
    answers = reading.read([write(tmp_path, {"qa_el": whole})])
    seen = []

    def identify(texts):
        seen.extend(texts.to_pylist())
        return pa.array(["ell_Grek" if t else None for t in seen])

    found = fidelity(answers, identify).languages[0]
    assert seen == ["Η αγορά ανοίγει στις επτά το πρωί."] * 3 + [""]
    assert found.faithful.value == 1 and found.unidentified == 1


def test_a_mark_of_nothing_found_has_no_language(tmp_path):
    answers = reading.read([write(tmp_path, {"qa_el": [generated(n, "x", "[invalid]") for n in range(3)]})])
    found = fidelity(answers, lambda texts: pa.array(["est_Latn" if t else None for t in texts.to_pylist()]))
    assert found.languages[0].unidentified == 3 and found.faithful is None


@pytest.mark.parametrize("likelihood", ["nan", None])
def test_a_task_of_which_no_answer_can_be_read_stops_no_other(tmp_path, likelihood):
    empty = [[likelihood, "False"]] * 2
    rows = {f"odd_{lang}": [chosen(n, 0, 0, filtered_resps=empty) for n in range(3)] for lang in ("el", "am")}
    found = scored(write(tmp_path, QUIZ | rows))
    odd = next(task for task in found.tasks if task.task == "odd")
    assert odd.all.mlc.value == 0 and [each.unread for each in odd.languages] == [1.0, 1.0]
    assert any("odd: many answers could not be read" in warning for warning in found.warnings)


def test_lightevals_reasoning_is_taken_away_too(tmp_path):
    for lang, reply in (("fra", "<think>A? B?</think> B"), ("kor", "[THINK]A[/THINK]\n답: B")):
        rows = [{"id": "q", "query": "?\nA. x\nB. y\n", "choices": ["A", "B"], "gold": [1], "text": [reply]}]
        lighteval_world.write(tmp_path, f"quiz_{lang}|0", rows)
    found = reading.read([tmp_path])
    assert found.table["raw"].to_pylist() == [1, 1]
    assert found.table["response"].to_pylist() == ["B", "답: B"]


# -------------------------------------------------------------------------------------------------- names and ids


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({}, {"quiz_jp"}),
        ({"quiz_jp": "ja"}, {"quiz_jp"}),
        ({"quiz_jp": "jpn_Jpan"}, {"quiz_jp"}),
        ({"quiz_x9": "jpn_Jpan"}, {"quiz_x9"}),
    ],
)
def test_a_language_that_is_given_joins_its_task_to_the_others(tmp_path, given, named):
    rows = {f"quiz_{lang}": QUIZ["quiz_el"] for lang in ("en", "fr")} | dict.fromkeys(named, QUIZ["quiz_am"])
    found = scored(write(tmp_path, rows), languages=given)
    assert [task.task for task in found.tasks] == ["quiz"]
    assert [each.lang for each in found.tasks[0].languages] == ["eng_Latn", "fra_Latn", "jpn_Jpan"]


def test_the_advice_for_a_task_without_a_language_can_be_followed(tmp_path):
    write(tmp_path, {"quiz_en": QUIZ["quiz_el"], "quiz_klingon": QUIZ["quiz_am"]})
    with pytest.raises(RequestError, match="'quiz_klingon' has no language") as error:
        scored(tmp_path)
    task, code = error.value.fix.removeprefix("--language ").split("=")
    assert [t.task for t in scored(tmp_path, languages={task: code}).tasks] == ["quiz"]
    with pytest.raises(RequestError, match=r"no such task \(did you mean 'quiz_klingon'"):
        scored(tmp_path, languages={"quiz_klingn": "fr"})


def test_english_names_and_small_scripts_are_languages(tmp_path):
    rows = {
        f"exam_{name}": QUIZ["quiz_el"] for name in ("albanian", "north_macedonian", "eng_latn", "tha_thai", "zh_cn")
    }
    found = scored(write(tmp_path, rows))
    assert [each.lang for each in found.tasks[0].languages] == [
        "als_Latn", "eng_Latn", "mkd_Cyrl", "tha_Thai", "zho_Hans",
    ]  # fmt: skip
    assert [task.task for task in found.tasks] == ["exam"]


ASKED = [["link", "number"], ["link,number"], "link,number", "link, number", ["number", "link"]]


@pytest.mark.parametrize("fields", ASKED)
def test_an_item_may_be_named_by_several_fields(tmp_path, fields):
    def rows(order):
        return [chosen(at, n % 2, n % 2, doc={"link": f"l{n // 3}", "number": n % 3}) for at, n in enumerate(order)]

    write(tmp_path, {"read_en": rows(range(9)), "read_my": rows(reversed(range(9)))})
    with pytest.raises(RequestError, match="have no id; they have link, number") as error:
        scored(tmp_path)
    assert "--id FIELD,FIELD" in error.value.fix
    task = scored(tmp_path, id=fields).tasks[0]
    assert task.items == 9 and task.pairs[0].mlc.value == 1 and not task.left_out
    with pytest.raises(DataError, match="comes twice"):
        scored(tmp_path, id="link")
    with pytest.raises(RequestError, match=r"no field 'nummer' \(did you mean 'number'"):
        scored(tmp_path, id="link,nummer")


def test_fields_that_join_to_one_text_are_two_items(tmp_path):
    docs = [{"a": "x | y", "b": "z"}, {"a": "x", "b": "y | z"}, {"a": "x\\", "b": "| y"}]
    rows = [chosen(n, 0, 0, doc=doc) for n, doc in enumerate(docs)]
    assert scored(write(tmp_path, {"read_en": rows, "read_my": rows}), id="a,b").tasks[0].items == 3


def test_several_fields_on_the_command_line_of_every_format(tmp_path):
    write(tmp_path / "logs", {f"read_{c}": [chosen(n, 0, 0, doc={"a": n // 2, "b": n % 2}) for n in range(4)]
                              for c in ("en", "my")})  # fmt: skip
    rows = "".join(f"{n // 2},{n % 2},{lang},1,1\n{n // 2},{n % 2},{lang},0,1\n" for n in range(0) for lang in ("en",))
    rows += "".join(f"{n // 2},{n % 2},{lang},{n % 2},0\n" for n in range(4) for lang in ("en", "my"))
    (tmp_path / "t.csv").write_text(f"a,b,lang,choice,gold\n{rows}", "utf-8")
    for arguments in (
        [tmp_path / "logs", "--id", "a,b"], [tmp_path / "logs", "--id", "a", "--id", "b"],
        [tmp_path / "t.csv", "--id", "a,b"], [tmp_path / "t.csv", "--column", "item=a,b"],
    ):  # fmt: skip
        result = CliRunner().invoke(cli_eval.app, ["scores", *map(str, arguments), "--json", "--draws", "100"])
        assert result.exit_code == 0, result.exception
        assert json.loads(result.stdout)["tasks"][0]["items"] == 4


# --------------------------------------------------------------------------------------------------- plain tables


def table_of(tmp_path, lines, name="t.csv"):
    (tmp_path / name).write_text("item,language,choice,gold\n" + "\n".join(lines) + "\n", "utf-8")
    return tmp_path / name


LETTERS = {"A to D": "ABCD", "a to d": "abcd", "brackets": ["(A)", "(B)", "(C)", "(D)"], "Cyrillic": "АБВГ",
           "Arabic": "أبجد", "Hangul": "가나다라", "numbers": ["0", "1", "2", "3"]}  # fmt: skip


@pytest.mark.parametrize("letters", LETTERS.values(), ids=LETTERS)
def test_letters_are_positions(tmp_path, letters):
    lines = [f"{n},{lang},{letters[(n + shift) % 4]},{letters[n % 4]}" for lang, shift in (("fr", 0), ("th", 1))
             for n in range(8)]  # fmt: skip
    task = scored(table_of(tmp_path, lines)).tasks[0]
    assert accuracies(task) == {"fra_Latn": 1.0, "tha_Thai": 0.0} and task.languages[1].above_random.value == -0.25


def test_what_is_no_option_is_named_with_its_column_and_row(tmp_path):
    path = table_of(tmp_path, ["0,fr,A,A", "0,th,both,A"])
    with pytest.raises(DataError, match="row 2: 'both' in the column 'choice' is no option") as error:
        scored(path)
    assert "position from 0, or its letter" in str(error.value)
    with pytest.raises(DataError, match=r"row 1: 1.5 in the column 'gold' is no option"):
        scored(table_of(tmp_path, ["0,fr,1,1.5", "0,th,1,1"]))
    assert (
        scored(table_of(tmp_path, ["0,fr,-1,1", "0,th,,1", "1,fr,1,1", "1,th,0,1"])).tasks[0].languages[0].unread == 0.5
    )


def test_positions_that_begin_with_one_are_taken_so_and_told(tmp_path):
    lines = [f"{n},{lang},{1 + n % 4},{1 + n % 4}" for lang in ("fr", "th") for n in range(8)]
    found = scored(table_of(tmp_path, lines))
    assert found.tasks[0].languages[0].above_random.value == 0.75
    assert any("no option is ever 0, so positions are taken to begin with 1" in w for w in found.warnings)
    rows = [f"{line},5" for line in lines]
    path = tmp_path / "five.csv"
    path.write_text("item,language,choice,gold,options\n" + "\n".join(rows) + "\n", "utf-8")
    assert scored(path).tasks[0].languages[0].above_random.value == 0.8


def test_a_table_of_two_models_is_refused_and_one_names_its_model(tmp_path):
    lines = [f"{n},{lang},1,1,{model}" for n in range(4) for lang in ("fr", "th") for model in ("owl", "lynx")]
    path = tmp_path / "t.csv"
    path.write_text("item,language,choice,gold,model\n" + "\n".join(lines) + "\n", "utf-8")
    with pytest.raises(DataError, match="2 models: lynx, owl"):
        scored(path)
    path.write_text("item,language,choice,gold,model\n" + "\n".join(lines[::2]) + "\n", "utf-8")
    assert scored(path).model == "owl"


def test_what_is_said_in_vain_is_refused(tmp_path):
    path = table_of(tmp_path, ["0,fr,0,0", "0,th,0,0"])
    with pytest.raises(RequestError, match=r"--column chioce: there is no such role \(did you mean 'choice'"):
        reading.read([path], columns={"chioce": "x"})
    with pytest.raises(RequestError, match="--filtered is for logs"):
        scored(path, filter="x")
    with pytest.raises(RequestError, match="--column is for plain tables"):
        reading.read([write(tmp_path / "logs", QUIZ)], columns={"item": "x"})


PROGRAM = """
import pathlib, sys
from glotmix.evaluate import reading
reading.read([pathlib.Path(sys.argv[1])])
"""


@pytest.mark.parametrize(("listed", "said"), [(["exact_match"] * 2, None), (["exact_match", "target"], "is damaged")])
def test_two_fields_of_one_name_do_not_end_the_process(tmp_path, listed, said):
    rows = {f"sums_{lang}": [generated(n, "7", "7", exact_match=1.0) for n in range(20)] for lang in ("de", "sw")}
    for row in rows["sums_de"]:
        row.update({"metrics": listed} | ({"target": 1.0} if said else {}))
    folder = write(tmp_path, rows)
    # In a process of its own: Arrow ended it.
    command = [sys.executable, "-c", PROGRAM, str(folder)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == (0 if said is None else 1), ran.stderr[-800:]
    assert said is None or (said in ran.stderr and "DataError" in ran.stderr)


def test_samples_that_are_no_text_or_change_their_type(tmp_path):
    rows = {f"sums_{lang}": [generated(n, "7", "7", exact_match=1.0) for n in range(4)] for lang in ("de", "sw")}
    rows["sums_de"][2] |= {"filtered_resps": [7], "target": 7}
    assert scored(write(tmp_path, rows)).tasks[0].pairs[0].mlc.value == 1
    path = next(tmp_path.glob("samples_sums_de*"))
    path.write_bytes(path.read_bytes().replace(b'"filtered_resps": [7]', b'"filtered_resps": ["\xe9"]'))
    with pytest.raises(DataError, match=rf"{re.escape(path.name)}:3 is damaged"):
        scored(tmp_path)
    deep = json.dumps(rows["sums_de"][0]) + "\n" + '{"target": ' + "[" * 100_000 + "\n"
    path.write_text(deep, "utf-8")
    with pytest.raises(DataError, match=rf"{re.escape(path.name)}:2 is damaged: nested too deeply"):
        scored(tmp_path)
    path.write_bytes(b'{"doc": "\xe9"}\n')
    with pytest.raises(DataError, match="is no file of lm-eval's samples"):
        scored(tmp_path)


def test_names_of_metrics_that_judge():
    judging = ["acc", "acc_", "accuracy", "exact_match", "exact_match_fra", "em", "qem", "pass@1", "extractive_match"]
    assert [name for name in judging if not judged.judges(name)] == []
    other = [
        "acc_norm",
        "acc_norm_token",
        "bleu",
        "f1",
        "word_perplexity",
        "bits_per_byte",
        "acc_mutual_info",
        "rouge1",
    ]
    assert [name for name in other if judged.judges(name)] == []
