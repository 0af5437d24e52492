"""Reading logs: lm-eval's real ones of a tiny model, lighteval's details, plain tables; markers of every script."""

import doctest
import json
import math
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import lighteval_world
from glotmix.core.errors import DataError, RequestError
from glotmix.evaluate import items, lm_eval, names, options, reading
from glotmix.evaluate.answers import align, align_all
from glotmix.evaluate.reading import Ask
from glotmix.evaluate.scores import score

LOGS = Path(__file__).parents[1] / "data" / "lm_eval"


@pytest.fixture(scope="module")
def logged():
    return reading.read([LOGS])


@pytest.fixture(scope="module")
def told():
    return json.loads(next(LOGS.glob("results_*.json")).read_text("utf-8"))["results"]


def samples(task):
    (path,) = LOGS.glob(f"samples_{task}_2*.jsonl")
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_docstrings():
    for module in (names, options):
        result = doctest.testmod(module)
        assert result.failed == 0 and result.attempted > 0


def test_accuracy_is_lm_evals_to_the_last_digit(logged, told):
    found = {task.task: task for task in score(logged, draws=100).tasks}
    for name, metrics in told.items():
        task, lang = names.split(name)
        (each,) = (o for o in found[task].languages if o.lang == lang)
        if "acc,none" in metrics:
            assert each.logged == metrics["acc,none"] and each.raw.value == metrics["acc,none"]
        else:
            assert each.logged == metrics["exact_match,none"] and each.accuracy.value == metrics["exact_match,none"]
        if "acc_norm,none" in metrics:
            assert each.logged_norm == metrics["acc_norm,none"] and each.chars.value == metrics["acc_norm,none"]


def test_choices_are_those_of_the_samples_by_every_score(logged):
    of_task = logged.table.filter(pa.compute.equal(logged.table["task"], "XCOPADataset_lighteval")).to_pylist()
    rows = {(r["lang"], r["item"]): r for r in of_task}
    differ = 0
    for lang in ("et", "id", "ta", "th", "zh"):
        for sample in samples(f"XCOPADataset_lighteval_{lang}"):
            row = rows[names.split(f"x_{lang}")[1], sample["doc"]["_id"]]
            scores = [float(r[0]) for r in sample["filtered_resps"]]
            choices = sample["doc"]["choices"]
            best = {
                "raw": scores,
                "chars": [s / len(c) for s, c in zip(scores, choices, strict=True)],
                "bytes": [s / len(c.encode()) for s, c in zip(scores, choices, strict=True)],
            }
            for name, values in best.items():
                assert row[name] == values.index(max(values)), (lang, sample["doc_id"], name)
            assert row["gold"] == sample["doc"]["label"] and row["options"] == 2
            differ += row["chars"] != row["bytes"]
    assert differ > 0  # the two normalisations are not the same thing


def test_the_order_of_lines_changes_nothing_but_where_they_stand(tmp_path, logged):
    for path in LOGS.glob("samples_XCOPADataset_lighteval_*"):
        lines = path.read_text("utf-8").splitlines()
        (tmp_path / path.name).write_text("\n".join(reversed(lines)) + "\n", "utf-8")
    one = score(reading.read([tmp_path]), listed=0, draws=100).tasks[0]
    (two,) = (t for t in score(logged, listed=0, draws=100).tasks if t.task == one.task)
    assert one.pairs == two.pairs and [o.accuracy for o in one.languages] == [o.accuracy for o in two.languages]


def test_open_answers_are_read_with_what_was_generated(logged):
    german = logged.table.filter(
        pa.compute.and_(
            pa.compute.equal(logged.table["task"], "mgsm_open"), pa.compute.equal(logged.table["lang"], "deu_Latn")
        )
    )
    raw = samples("mgsm_open_de")
    assert german["response"].to_pylist() == [s["resps"][0][0] for s in raw]
    assert german["gold_answer"].to_pylist() == [s["target"] for s in raw]
    assert german["item"].to_pylist() == [str(s["doc"]["id"]) for s in raw]
    assert german["options"].null_count == len(raw)


def test_prompts_are_found_again(logged):
    for row in (0, 70, 200):
        file, line = (logged.table[name][row].as_py() for name in ("file", "line"))
        raw = json.loads(Path(logged.files[file]).read_text("utf-8").splitlines()[line])
        asked = raw["arguments"]["gen_args_0"]["arg_0"]
        choices = tuple(raw["doc"]["choices"]) if "XCOPADataset_lighteval" in logged.files[file] else ()
        assert lm_eval.prompts(logged, [row]) == [lm_eval.Prompt(asked, choices)]


def edited(tmp_path, task, change):
    path = tmp_path / f"samples_{task}_2025-01-01T00-00-00.jsonl"
    rows = samples("XCOPADataset_lighteval_et")
    path.write_text("".join(json.dumps(change(row), ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


def test_older_logs_and_targets_that_are_texts(tmp_path, logged):
    def older(row):
        arguments = [[a["arg_0"], a["arg_1"]] for a in row["arguments"].values()]
        return row | {"arguments": arguments, "target": row["doc"]["choices"][row["doc"]["label"]]}

    expected = logged.table.filter(pa.compute.equal(logged.table["lang"], "est_Latn")).slice(0, 60)
    found = reading.read([edited(tmp_path, "x_et", older)]).table
    for name in ("gold", "raw", "chars", "bytes", "options"):
        assert found[name].to_pylist() == expected[name].to_pylist(), name


def test_mutual_information_doubles_the_likelihoods_and_only_the_first_half_chooses(tmp_path, logged):
    def doubled(row):
        more = [["-1.0", "False"], ["-0.5", "False"]]
        arguments = row["arguments"] | {
            f"gen_args_{i + 2}": {"arg_0": "", "arg_1": a["arg_1"]} for i, a in enumerate(row["arguments"].values())
        }
        resps = row["filtered_resps"] + more
        return row | {"filtered_resps": resps, "arguments": arguments, "metrics": ["acc", "acc_mutual_info"]}

    expected = logged.table.filter(pa.compute.equal(logged.table["lang"], "est_Latn")).slice(0, 60)
    found = reading.read([edited(tmp_path, "x_et", doubled)]).table
    for name in ("raw", "chars", "bytes", "options"):
        assert found[name].to_pylist() == expected[name].to_pylist(), name


def test_items_of_several_sizes_and_scores_that_are_no_numbers(tmp_path):
    sizes = [2, 5, 3]
    lines = []
    for number, size in enumerate(sizes):
        arguments = {f"gen_args_{i}": {"arg_0": "?", "arg_1": " " + "ข" * (i + 1)} for i in range(size)}
        values = [-10.0 - i * 0.1 for i in range(size)]
        if number == 2:
            values[1] = math.nan
        lines.append(
            {
                "doc_id": number, "doc": {"id": f"q{number}"}, "target": str(size - 1), "arguments": arguments,
                "filtered_resps": [[str(v), "False"] for v in values], "filter": "none", "metrics": ["acc"], "acc": 0.0,
            }
        )  # fmt: skip
    path = tmp_path / "samples_x_th_2025-01-01T00-00-00.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    found = reading.read([path]).table
    assert found["options"].to_pylist() == sizes and found["gold"].to_pylist() == [1, 4, 2]
    assert found["raw"].to_pylist() == [0, 0, None] and found["chars"].to_pylist() == [1, 4, None]


def test_position_is_no_id_unless_asked_for(tmp_path):
    path = edited(tmp_path, "x_et", lambda row: row | {"doc": {"premise": "x"}})
    with pytest.raises(RequestError, match="the documents have no id; they have premise"):
        reading.read([path])
    with pytest.raises(RequestError, match="no field 'nr'"):
        reading.read([path], Ask(id="nr"))
    assert reading.read([path], Ask(id="doc_id")).table["item"].to_pylist()[:3] == ["0", "1", "2"]


def test_of_several_filters_one_counts_and_is_named(tmp_path):
    rows = samples("mgsm_open_de")
    path = tmp_path / "samples_g_de_2025-01-01T00-00-00.jsonl"
    both = [r | {"filter": f, "filtered_resps": [f]} for f in ("strict", "flexible") for r in rows]
    path.write_text("".join(json.dumps(r) + "\n" for r in both), "utf-8")
    found = reading.read([path])
    assert found.table["answer"].unique().to_pylist() == ["strict"] and len(found.table) == len(rows)
    assert "the filter strict counts, of strict, flexible" in found.notes[0]
    assert reading.read([path], Ask(filter="flexible")).table["answer"].unique().to_pylist() == ["flexible"]


def test_generated_letters_become_choices_in_every_script(tmp_path):
    prompts = {
        "ru": ("А) да\nБ) нет\nВ) может быть\nОтвет:", ["Б", "Ответ: В", "(А)", "не знаю"], "Б"),
        "ar": ("السؤال\nأ) نعم\nب) لا\nج) ربما\nالإجابة:", ["ب", "الإجابة: ج", "(أ)", "لا أعرف"], "ب"),
        "zh": ("选项A: 是\n选项B: 否\n选项C: 也许\n答案:", ["B", "答案是Ｃ。", "（A）", "不知道"], "B"),
        "ko": ("가) 예\n나) 아니요\n다) 아마\n답:", ["나", "답: 다", "(가)", "모릅니다"], "나"),
    }
    for lang, (prompt, replies, gold) in prompts.items():
        lines = [
            {
                "doc_id": n, "doc": {"id": n}, "target": gold,
                "arguments": {"gen_args_0": {"arg_0": prompt, "arg_1": {}}},
                "resps": [[reply]], "filtered_resps": [reply], "filter": "none", "exact_match": 0.0,
            }
            for n, reply in enumerate(replies)
        ]  # fmt: skip
        path = tmp_path / f"samples_quiz_{lang}_2025-01-01T00-00-00.jsonl"
        path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), "utf-8")
    found = reading.read([tmp_path])
    for lang in prompts:
        own = found.table.filter(pa.compute.equal(found.table["lang"], names.split(f"x_{lang}")[1]))
        assert own["raw"].to_pylist() == [1, 2, 0, None], lang
        assert own["gold"].to_pylist() == [1] * 4 and own["options"].to_pylist() == [3] * 4
    scores = score(found, draws=100)
    task = scores.tasks[0]
    # The log's exact_match says that nothing is right: that is shown, with what the choices say beside it.
    assert {each.accuracy.value for each in task.languages} == {0.0}
    assert {each.raw.value for each in task.languages} == {0.25}
    assert any("rus_Cyrl 0.000 by exact_match, 0.250 by its choices" in warning for warning in scores.warnings)
    assert all(pair.mlc.value == 0.75 for pair in task.pairs)


def test_damage_is_named(tmp_path):
    path = tmp_path / "samples_x_et_2025-01-01T00-00-00.jsonl"
    path.write_text("", "utf-8")
    with pytest.raises(DataError, match="is empty"):
        reading.read([path])
    path.write_text('{"doc": 1}\n', "utf-8")
    with pytest.raises(DataError, match="is no file of lm-eval's samples"):
        reading.read([path])
    good = (LOGS / next(LOGS.glob("samples_XCOPADataset_lighteval_et*")).name).read_text("utf-8")
    path.write_text(good + '{"broken\n', "utf-8")
    with pytest.raises(DataError, match="damaged"):
        reading.read([path])
    with pytest.raises(DataError, match="no samples_"):
        (tmp_path / "empty").mkdir()
        reading.read([tmp_path / "empty"])
    with pytest.raises(RequestError, match="there is no"):
        reading.read([tmp_path / "nothing"])


def test_the_newest_run_of_a_task_counts_and_two_models_are_an_error(tmp_path):
    line = json.dumps(samples("XCOPADataset_lighteval_et")[0])
    for when in ("2025-01-01T00-00-00", "2025-03-01T00-00-00"):
        (tmp_path / f"samples_x_et_{when}.jsonl").write_text(line + "\n", "utf-8")
    assert [s.when for s in lm_eval.find([tmp_path])] == ["2025-03-01T00-00-00"]
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "samples_y_et_2025-03-01T00-00-00.jsonl").write_text(line + "\n", "utf-8")
    with pytest.raises(DataError, match="2 folders, which are different models"):
        lm_eval.find([tmp_path])


def test_names_of_tasks():
    assert names.split("XCOPADataset_mix_lighteval_2_zh") == ("XCOPADataset_mix_lighteval_2", "zho_Hans")
    assert names.split("belebele_zho_Hant") == ("belebele", "zho_Hant")
    assert names.split("mgsm_direct_bn") == ("mgsm_direct", "ben_Beng")
    assert names.assign(["odd", "x_fr"], {"odd": "sw"}) == {"odd": ("odd", "swh_Latn"), "x_fr": ("x", "fra_Latn")}
    with pytest.raises(RequestError, match="--language hellaswag=fra_Latn"):
        names.split("hellaswag")


LETTERS = [("Latn", "B"), ("Cyrl", "Б"), ("Grek", "Β"), ("Arab", "ب"), ("Hebr", "ב"), ("Deva", "ख"), ("Beng", "খ"),
           ("Thai", "ข"), ("Hani", "乙"), ("Hang", "나"), ("Kana", "イ"), ("Ethi", "ለ")]  # fmt: skip


@pytest.mark.parametrize(("script", "letter"), LETTERS)
def test_markers_of_every_script(script, letter):
    first, third = options.SERIES[script][0], options.SERIES[script][2]
    prompt = f"?\n{first}) x\n{letter}) y\n{third}) z\n"
    assert options.asked(prompt) == (script, 3)
    for text in (letter, f"({letter})", f"{letter}.", f" {letter} \n", f"**{letter}**", f"{letter}: 42"):
        assert options.marker(text, 3, script) == 1, text
    for text in ("", "42", f"({letter}) ({first})", letter * 3):
        assert options.marker(text, 3, script) is None, text


def details(tmp_path):
    given = {"fra": ["chat", "éléphant"], "rus": ["кот", "слонёнок"], "tha": ["แมว", "ช้างตัวเล็ก"]}
    for lang, choices in given.items():
        rows = [
            {
                "id": f"q{n}", "query": f"? {n}", "choices": [f" {c}" for c in choices], "gold": [n % 2],
                "logprobs": [-4.0, -6.0 - n], "acc": n % 2 == 0,
            }
            for n in (range(4) if lang != "rus" else reversed(range(4)))
        ]  # fmt: skip
        lighteval_world.write(tmp_path, f"lighteval|xquiz_{lang}_mcf|0", rows)
    return tmp_path


def test_lightevals_details(tmp_path):
    found = reading.read([details(tmp_path)])
    assert found.model == "tiny"
    for lang, choices in (("fra_Latn", ("chat", "éléphant")), ("rus_Cyrl", ("кот", "слонёнок"))):
        own = found.table.filter(pa.compute.equal(found.table["lang"], lang)).to_pylist()
        assert {row["task"] for row in own} == {"lighteval|xquiz_mcf"}
        for row in own:
            n = int(row["item"][1:])
            scores = [-4.0, -6.0 - n]
            for name, size in (("raw", lambda c: 1), ("chars", len), ("bytes", lambda c: len(c.encode()))):
                values = [s / size(c) for s, c in zip(scores, choices, strict=True)]
                assert row[name] == values.index(max(values)), (lang, n, name)
            assert row["gold"] == n % 2 and row["logged"] == (n % 2 == 0)
    task = score(found, draws=100).tasks[0]
    assert task.items == 4 and all(pair.mlc.value == 1 for pair in task.pairs)
    assert all(each.logged == each.raw.value == 0.5 for each in task.languages)


def test_lightevals_generated_answers(tmp_path):
    for lang, reply in (("fra", "Réponse : B"), ("tha", "คำตอบคือ B"), ("ell", "Απάντηση: Β")):
        rows = [{"id": "q", "query": "?\nA. x\nB. y\n", "choices": ["A", "B"], "gold": [1], "text": [reply]}]
        lighteval_world.write(tmp_path, f"quiz_{lang}|0", rows)
    found = reading.read([tmp_path])
    assert found.table["raw"].to_pylist() == [1, 1, 1] and found.table["gold"].to_pylist() == [1, 1, 1]


def test_lightevals_own_id_is_a_position_and_used_only_if_asked_for(tmp_path):
    path = lighteval_world.write(
        tmp_path, "quiz_fra|0", [{"id": "q", "query": "?", "choices": ["a", "b"], "gold": [0]}]
    )
    table = pq.read_table(path)
    doc = table["doc"].combine_chunks()
    bare = [{k: v for k, v in row.items() if k != "specific"} for row in doc.to_pylist()]
    pq.write_table(table.set_column(table.column_names.index("doc"), "doc", pa.array(bare)), path)
    with pytest.raises(RequestError, match="--id id"):
        reading.read([tmp_path])
    assert reading.read([tmp_path], Ask(id="id")).table["item"].to_pylist() == ["0"]


def test_a_plain_table_of_options_and_one_of_answers(tmp_path):
    long = [
        {"item": i, "language": lang, "choice": c, "logprob": -abs(c - i % 3) - 1.0, "text": "é" * (3 - c), "gold": 1}
        for lang in ("fr", "th")
        for i in range(6)
        for c in range(3)
    ]
    pq.write_table(pa.Table.from_pylist(long[::-1]), tmp_path / "quiz.parquet")
    found = reading.read([tmp_path / "quiz.parquet"])
    grid = align(found)[0]
    assert grid.task == "quiz" and grid.langs == ("fra_Latn", "tha_Thai")
    assert grid.choice.tolist() == [[i % 3] * 2 for i in range(6)]
    chars = {(r["lang"], r["item"]): r["chars"] for r in found.table.to_pylist()}
    expected = [max(range(3), key=lambda c: (-abs(c - i % 3) - 1.0) / (3 - c)) for i in range(6)]
    assert [chars["fra_Latn", str(i)] for i in range(6)] == expected
    short = "qid,lang,choice,gold\n" + "".join(f"{i},{lang},{i % 3},1\n" for lang in ("fr", "th") for i in range(6))
    (tmp_path / "short.csv").write_text(short, "utf-8")
    again = align(reading.read([tmp_path / "short.csv"], columns={"item": "qid"}))[0]
    assert again.choice.tolist() == grid.choice.tolist() and again.chance == grid.chance
    with pytest.raises(RequestError, match="no column 'item'"):
        reading.read([tmp_path / "short.csv"])
    pq.write_table(pa.Table.from_pylist([*long, long[4]]), tmp_path / "twice.parquet")
    with pytest.raises(DataError, match="each once"):
        reading.read([tmp_path / "twice.parquet"])


def test_tables_without_an_answer_and_of_other_names_say_what_to_do(tmp_path):
    for name, rows in (("a", "1,fr,0,0\n1,de,1,0\n"), ("b", "1,fr,0,0\n1,de,1,0\n"), ("none", "")):
        (tmp_path / f"{name}.csv").write_text(f"item,language,choice,gold\n{rows}", "utf-8")
    one, other, none = (reading.read([tmp_path / f"{name}.csv"]) for name in ("a", "b", "none"))
    with pytest.raises(DataError, match=r"a \(a\) and b \(b\) have no task in common\n.*name both alike"):
        align_all([one, other])
    with pytest.raises(DataError, match="none: there is no answer in it"):
        align_all([none])


def test_probabilities_choose_as_their_logarithms(tmp_path):
    rows = [
        {"item": i, "language": "am", "choice": c, "probability": [0.2, 0.5, 0.3][(c + i) % 3]}
        for i in range(3)
        for c in range(3)
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "p.parquet")
    assert reading.read([tmp_path / "p.parquet"]).table["raw"].to_pylist() == [1, 0, 2]


def test_items_of_mubench(tmp_path):
    for lang, order in (("fr", [0, 1, 2]), ("ar", [2, 0, 1])):
        lines = [{"_id": f"i{n}", "prompt": f"{lang} {n}", "choices": ["x", "y"], "label": n % 2} for n in order]
        (tmp_path / f"{lang}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    found = items.read(tmp_path)
    assert [i.prompt for i in found.languages["ar"]] == ["ar 0", "ar 1", "ar 2"] and found.left_out == 0
    (tmp_path / "ar.jsonl").write_text(json.dumps(lines[0] | {"label": 7}) + "\n", "utf-8")
    with pytest.raises(DataError, match="the label 7 is none of 2 choices"):
        items.read(tmp_path)
