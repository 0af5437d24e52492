"""Tasks for lm-eval, fidelity, tokenizers, the page, and the commands that make them."""

import doctest
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import yaml
from scipy.spatial.distance import jensenshannon
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from typer.testing import CliRunner

from glotmix.cli import eval as cli_eval
from glotmix.core.errors import DataError, MissingExtraError, RequestError
from glotmix.evaluate import answers, consistency, items, language_fidelity, pieces, tasks, texts, tokenizers
from glotmix.evaluate.answers import Answers
from glotmix.report import evaluation
from glotmix.signals.language_id import label

LOGS = Path(__file__).parents[1] / "data" / "lm_eval"
SAID = {
    "en": ("The cat sleeps.", ["It was tired.", "It was hungry.", "It ran."]),
    "fr": ("Le chat dort.", ["Il était fatigué.", "Il avait faim.", "Il courait."]),
    "ar": ("القطة نائمة.", ["كانت متعبة.", "كانت جائعة.", "ركضت."]),
    "th": ("แมวหลับ", ["มันเหนื่อย", "มันหิว", "มันวิ่ง"]),
    "am": ("ድመቷ ተኝታለች።", ["ደክሟት ነበር።", "ርቧት ነበር።", "ሮጠች።"]),
}


@pytest.fixture
def aligned(tmp_path):
    path = tmp_path / "quiz.jsonl"
    rows = [
        {"lang": lang, "_id": f"q{n}", "prompt": f"{n} {prompt}", "choices": choices, "label": n % 3}
        for lang, (prompt, choices) in SAID.items()
        for n in range(20)
    ]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


def lines(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_docstrings():
    for module in (tasks, pieces, consistency):
        result = doctest.testmod(module)
        assert result.failed == 0 and result.attempted > 0


def test_the_examples_of_the_documentation_run(monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[2])
    for page, number in (("docs/evaluate.md", 13), ("docs/evidence/evaluate.md", 4)):
        failed, tried = doctest.testfile(str(Path(page).resolve()), module_relative=False)
        assert tried == number and not failed


def test_every_mode_has_mubenchs_names_and_its_own_prompt(tmp_path, aligned):
    found = items.read(aligned)
    out = tmp_path / "tasks"
    words = tasks.words() | {"amh_Ethi": ("ጥያቄ", "ምርጫ", "መልስ")}
    made = tasks.make(found, "QuizDataset", out, localised=words)
    assert len(made) == 20 and {"QuizDataset_en_template_th", "QuizDataset_mix_lighteval_2_am"} <= set(made)
    for name in made:
        task = yaml.safe_load((out / f"{name}.yaml").read_text("utf-8"))
        assert task["task"] == name
        rows = lines(Path(task["dataset_kwargs"]["data_files"]["test"]))
        assert [r["_id"] for r in rows] == sorted(f"q{n}" for n in range(20))
        assert all(list(r) == ["_id", "prompt", "choices", "label"] for r in rows)
    groups = [yaml.safe_load(p.read_text("utf-8")) for p in sorted(out.glob("_*.yaml"))]
    assert [g["group"] for g in groups] == [
        "QuizDataset_en_template", "QuizDataset_lighteval", "QuizDataset_local_template", "QuizDataset_mix_lighteval_2"
    ]  # fmt: skip
    assert sorted(t for g in groups for t in g["task"]) == sorted(made)
    first = {
        mode: lines(out / "items" / f"QuizDataset_{mode}_ar.jsonl")[0] for mode in ("en_template", "local_template")
    }
    assert first["en_template"]["prompt"] == (
        "Question: 0 القطة نائمة.\nOption A: كانت متعبة.\nOption B: كانت جائعة.\nOption C: ركضت.\nAnswer:"
    )
    assert first["local_template"]["prompt"] == (
        "السؤال: 0 القطة نائمة.\nالخيار A: كانت متعبة.\nالخيار B: كانت جائعة.\nالخيار C: ركضت.\nالإجابة:"
    )
    assert first["en_template"]["choices"] == ["A", "B", "C"]


def test_no_white_space_is_put_where_the_language_has_none(tmp_path, aligned):
    tasks.make(items.read(aligned), "Q", tmp_path / "t", ["cloze"])
    delimiters = {
        lang: yaml.safe_load((tmp_path / "t" / f"Q_lighteval_{lang}.yaml").read_text("utf-8"))["target_delimiter"]
        for lang in SAID
    }
    assert delimiters == {"en": " ", "fr": " ", "ar": " ", "th": "", "am": " "}


def test_mixed_items_keep_meaning_and_the_most_languages(tmp_path, aligned):
    found = items.read(aligned)
    tasks.make(found, "Q", tmp_path / "t", ["mixed"], others=2, seed=1)
    origin = {(n, c): lang for lang, (_, choices) in SAID.items() for n, c in enumerate(choices)}
    seen = set()
    for lang in SAID:
        for row in lines(tmp_path / "t" / "items" / f"Q_mix_lighteval_2_{lang}.jsonl"):
            assert SAID[lang][0] in row["prompt"]
            used = {origin[n, c] for n, c in enumerate(row["choices"])}  # a choice stays at its place
            assert len((used | {lang}) - {"en"}) <= 2
            seen |= {(lang, u) for u in used}
    assert {u for lang, u in seen if lang == "fr"} == set(SAID)
    again = tmp_path / "again"
    tasks.make(found, "Q", again, ["mixed"], others=2, seed=1)
    for path in (again / "items").iterdir():
        assert path.read_bytes() == (tmp_path / "t" / "items" / path.name).read_bytes()


def test_a_language_without_words_is_an_error_that_says_what_to_bring(tmp_path, aligned):
    with pytest.raises(RequestError, match="not known for amh_Ethi"):
        tasks.make(items.read(aligned), "Q", tmp_path / "t", ["local_template"])
    own = tmp_path / "words.tsv"
    own.write_text("lang\tquestion\toption\tanswer\nam\tጥያቄ\tምርጫ\tመልስ\n", "utf-8")
    assert tasks.words(own)["amh_Ethi"] == ("ጥያቄ", "ምርጫ", "መልስ") and "fra_Latn" in tasks.words(own)
    own.write_text("lang\tquestion\n", "utf-8")
    with pytest.raises(RequestError, match="no column 'option'"):
        tasks.words(own)


def generated(rows):
    columns = {k: [r.get(k) for r in rows] for k in ("task", "lang", "item", "response", "answer", "correct")}
    return Answers("m", answers.table(columns))


REPLIES = {
    "fra_Latn": [
        "Le chat dort sur le canapé depuis ce matin.",
        "Je ne sais pas du tout.",
        "The answer is that it rained.",
        "42",
    ],
    "rus_Cyrl": [
        "Кошка спит на диване с самого утра, потому что ночью она долго играла.",
        "The cat is sleeping on the sofa.",
        "I do not know the answer.",
        "…",
    ],
    "tha_Thai": ["แมวนอนหลับอยู่บนโซฟาตั้งแต่เช้า", "ฉันไม่รู้คำตอบ", "ไม่มีใครรู้", "18"],
}


def test_fidelity_is_counted_and_crossed_with_correctness():
    rows = [
        {"task": "g", "lang": lang, "item": str(n), "response": text, "answer": text, "correct": n % 2 == 0}
        for lang, replies in REPLIES.items()
        for n, text in enumerate(replies)
    ]
    found = {each.lang: each for each in language_fidelity.fidelity(generated(rows), label).languages}
    french, russian, thai = (found[lang] for lang in REPLIES)
    assert [each.unidentified for each in (french, russian, thai)] == [1, 1, 1]
    assert [each.faithful.value for each in (french, russian, thai)] == pytest.approx([2 / 3, 1 / 3, 1])
    assert [each.english.value for each in (french, russian, thai)] == pytest.approx([1 / 3, 2 / 3, 0])
    assert french.confusion == {"fra_Latn": 2, "eng_Latn": 1}
    assert french.crossed == language_fidelity.Crossed(1, 1, 1, 0)
    assert russian.accuracy_faithful.value == 1 and russian.accuracy_other.value == 0.5
    whole = language_fidelity.fidelity(generated(rows), label)
    assert whole.faithful.value == pytest.approx(6 / 9)
    assert language_fidelity.fidelity(generated(rows[::-1]), label) == whole


def test_fidelity_uses_the_identifier_that_it_is_given_and_compatible_codes():
    rows = [{"task": "g", "lang": "hbs_Latn", "item": str(n), "response": "x", "answer": "x"} for n in range(4)]
    said = pa.array(["hrv_Latn", "srp_Cyrl", None, "bos_Latn"])
    (each,) = language_fidelity.fidelity(generated(rows), lambda given: said).languages
    assert each.faithful.value == pytest.approx(2 / 3) and each.crossed is None
    with pytest.raises(DataError, match="no generated answers"):
        language_fidelity.fidelity(generated([{"task": "g", "lang": "fra_Latn", "item": "1"}]), label)


PARALLEL = {
    "eng_Latn": {"1": "The cat sleeps.", "2": "Water is cold today.", "3": "Only here."},
    "fra_Latn": {"1": "Le chat dort.", "2": "L'eau est froide aujourd'hui."},
    "tha_Thai": {"1": "แมวหลับ", "2": "วันนี้น้ำเย็น"},
}


@pytest.fixture(scope="module")
def byte_level(tmp_path_factory):
    """A byte-level BPE that has seen English alone."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, initial_alphabet=alphabet, show_progress=False, special_tokens=["<s>"]
    )
    tokenizer.train_from_iterator([*PARALLEL["eng_Latn"].values()] * 5, trainer)
    path = tmp_path_factory.mktemp("t") / "tokenizer.json"
    tokenizer.save(str(path))
    return path


def test_an_audit_counts_what_the_tokenizer_does(byte_level):
    loaded = pieces.load(byte_level)
    found = tokenizers.audit(loaded, PARALLEL, "eng_Latn", draws=200)
    plain = Tokenizer.from_file(str(byte_level))
    for each in found.languages:
        ids = [plain.encode(t, add_special_tokens=False).ids for t in PARALLEL[each.lang].values()]
        assert each.tokens == sum(map(len, ids)) and each.texts == len(ids)
        assert each.bytes_per_token == pytest.approx(
            sum(len(t.encode()) for t in PARALLEL[each.lang].values()) / each.tokens
        )
        english = sum(len(plain.encode(PARALLEL["eng_Latn"][k]).ids) for k in ("1", "2"))
        own = sum(len(plain.encode(PARALLEL[each.lang][k]).ids) for k in ("1", "2"))
        if each.lang != "eng_Latn":
            assert each.premium.value == pytest.approx(own / english) and each.parallel == 2
            assert each.premium.low <= each.premium.value <= each.premium.high
        flat = [i for one in ids for i in one]
        counts = sorted((flat.count(i) for i in set(flat)), reverse=True)
        assert each.pieces == len(counts)
        assert each.rank == pytest.approx(sum(r * c for r, c in enumerate(counts, 1)) / len(flat))
    english, french, thai = found.languages
    assert english.premium.value == 1 and english.below == 0 < french.fertility
    assert thai.fertility is None and thai.continued is None and thai.below == 1  # Thai is cut below characters
    words = [w for t in PARALLEL["fra_Latn"].values() for w in t.split()]
    sizes = [len(plain.encode(" " + w, add_special_tokens=False).ids) for w in words]
    assert french.fertility == pytest.approx(sum(sizes) / len(words))
    assert french.continued == pytest.approx(np.mean([s > 1 for s in sizes]))


def test_overlap_is_one_with_itself_and_symmetric(byte_level):
    loaded = pieces.load(byte_level)
    same = {"eng_Latn": PARALLEL["eng_Latn"], "sco_Latn": PARALLEL["eng_Latn"], "tha_Thai": PARALLEL["tha_Thai"]}
    found = {(a, b): value for a, b, value in tokenizers.audit(loaded, same, "eng_Latn", draws=100).overlap}
    assert found["eng_Latn", "sco_Latn"] == pytest.approx(1)
    assert found["eng_Latn", "tha_Thai"] == pytest.approx(found["sco_Latn", "tha_Thai"])
    plain = Tokenizer.from_file(str(byte_level))
    english, thai = (
        np.bincount([i for t in same[lang].values() for i in plain.encode(t).ids], minlength=loaded.size)
        for lang in ("eng_Latn", "tha_Thai")
    )
    assert found["eng_Latn", "tha_Thai"] == pytest.approx(1 - jensenshannon(english, thai, base=2) ** 2)


def test_byte_fallback_and_unknown_pieces(tmp_path):
    vocabulary = {"<unk>": 0, "a": 1, "▁a": 2, **{f"<0x{b:02X}>": b + 3 for b in range(256)}}
    fallback = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>", byte_fallback=True))
    fallback.save(str(tmp_path / "fallback.json"))
    lacking = Tokenizer(models.BPE({"<unk>": 0, "a": 1}, [], unk_token="<unk>", fuse_unk=False))
    lacking.save(str(tmp_path / "lacking.json"))
    given = {"eng_Latn": {"1": "aaa"}, "tha_Thai": {"1": "aกa"}}
    for name, below, unknown in (("fallback", 3 / 5, 0.0), ("lacking", 0.0, 1 / 3)):
        found = tokenizers.audit(pieces.load(tmp_path / f"{name}.json"), given, "eng_Latn", draws=100)
        thai = found.languages[1]
        assert (thai.below, thai.unknown) == pytest.approx((below, unknown)), name
        assert found.languages[0].below == found.languages[0].unknown == 0


def test_texts_and_tokenizers_that_are_not_there(tmp_path, byte_level, monkeypatch):
    with pytest.raises(RequestError, match="there is no"):
        pieces.load(tmp_path / "nothing.json")
    (tmp_path / "odd.json").write_text("{}", "utf-8")
    with pytest.raises(RequestError, match=r"is no tokenizer\.json"):
        pieces.load(tmp_path / "odd.json")
    with pytest.raises(RequestError, match="the reference deu_Latn"):
        tokenizers.audit(pieces.load(byte_level), PARALLEL, "deu_Latn")
    table = tmp_path / "texts.csv"
    table.write_text("lang,id,text\nfr,1,Bonjour\nfr,1,Salut\n", "utf-8")
    with pytest.raises(DataError, match="the key 1 comes twice in fr"):
        texts.read(table)
    table.write_text("lang,id,text\nen,1,Hello\nen-GB,1,Hullo\nth,1,สวัสดี\n", "utf-8")
    with pytest.raises(RequestError, match="en and en-GB are both eng_Latn"):
        texts.read(table)
    assert texts.read(table, only=["en-GB", "tha"]) == {"eng_Latn": {"1": "Hullo"}, "tha_Thai": {"1": "สวัสดี"}}
    with pytest.raises(RequestError, match="no text in deu_Latn"):
        texts.read(table, only=["de"])
    with pytest.raises(RequestError, match="no column 'line'; it has lang, id, text\n  → --key COLUMN"):
        texts.read(table, "line")
    table.write_text("lang,id,text\nth,1,สวัสดี\n,2,Who says this?\n", "utf-8")
    with pytest.raises(DataError, match="nothing stands in 'lang' of 1 of 2 rows"):
        texts.read(table)
    monkeypatch.setitem(__import__("sys").modules, "tokenizers", None)
    with pytest.raises(MissingExtraError, match="train"):
        pieces.load(byte_level)


class Tree(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.loads = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.loads += [
            value for name, value in attrs if name in ("src", "href") and not value.startswith(("#", "data:"))
        ]


def call(*arguments):
    return CliRunner().invoke(cli_eval.app, [str(a) for a in arguments], catch_exceptions=False)


def test_scores_and_a_page_by_one_command(tmp_path):
    page = tmp_path / "page.html"
    result = call("scores", LOGS, "--pivot", "zh", "--page", page, "--json", "--draws", 100)
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert [t["task"] for t in found["tasks"]] == ["XCOPADataset_lighteval", "XCOPADataset_local_template", "mgsm_open"]
    html = page.read_text("utf-8")
    tree = Tree()
    tree.feed(html)
    assert not tree.loads and tree.tags.count("figure") == 5
    pair = next(p for p in found["tasks"][0]["pairs"] if (p["a"], p["b"]) == ("est_Latn", "ind_Latn"))
    mlc, kappa = pair["mlc"]["value"], pair["kappa"]["value"]
    cells = re.findall(
        rf'title="Estonian and Indonesian: MLC {mlc:.3f}, by chance {pair["chance"]:.3f}, [^"]*">(-?\d+)<', html
    )
    # The matrix has MLC above its diagonal, and so first in the page, kappa below it.
    assert cells == [f"{100 * mlc:.0f}", f"{100 * kappa:.0f}"] and cells[0] != cells[1]
    for flip in found["tasks"][0]["flips"]:
        assert f"<code>{flip['item']}</code>" in html and flip["prompt"] in html
    assert "one answer to nearly everything" in html
    plain = call("scores", LOGS, "--draws", 100).stdout
    assert "XCOPADataset_lighteval: 60 items" in plain and "warning:" in plain


def test_one_degenerate_task_of_the_real_run_is_flagged():
    """The tiny model answers B to every letter question in Estonian and Chinese: a real case of MLC's defect."""
    found = json.loads(call("scores", LOGS, "--json", "--draws", 100).stdout)
    task = found["tasks"][1]
    pair = next(p for p in task["pairs"] if (p["a"], p["b"]) == ("est_Latn", "zho_Hans"))
    assert pair["mlc"]["value"] == 1 and pair["kappa"]["value"] is None
    assert all(each["degenerate"] for each in task["languages"])


def test_equal_logs_give_equal_pages():
    found = json.loads(call("scores", LOGS, "--json", "--draws", 100).stdout)
    assert evaluation.render(scores=found) == evaluation.render(scores=found)


def test_what_a_log_says_is_text_in_the_page():
    rows = [
        {"task": "<script>alert(1)</script>", "lang": lang, "item": "<b>1</b>", "options": 2, "gold": 0, "raw": n}
        for n, lang in enumerate(("eng_Latn", "fra_Latn"))
    ]
    from glotmix.evaluate.scores import score

    columns = {k: [r[k] for r in rows] for k in rows[0]}
    html = evaluation.render(scores=score(Answers("<i>m</i>", answers.table(columns)), draws=100).as_dict())
    assert "<script>alert(1)" not in html and "<b>1</b>" not in html and "<i>m</i>" not in html
    assert "&lt;b&gt;1&lt;/b&gt;" in html


def test_the_other_commands(tmp_path, aligned, byte_level):
    out = tmp_path / "made"
    made = call("tasks", aligned, "--output", out, "--name", "Q", "--mode", "cloze", "--json")
    assert json.loads(made.stdout)["tasks"] == [f"Q_lighteval_{lang}" for lang in sorted(SAID)]
    assert "lm_eval" in call("tasks", aligned, "--output", out, "--name", "Q", "--mode", "cloze").stdout
    both = call("compare", LOGS, LOGS, "--json", "--draws", 100)
    assert json.loads(both.stdout)["mean"]["mlc"]["difference"]["value"] == 0
    assert "mean mlc" in call("compare", LOGS, LOGS, "--draws", 100).stdout
    page = tmp_path / "fidelity.html"
    told = json.loads(call("fidelity", LOGS, "--json", "--page", page).stdout)
    assert [each["lang"] for each in told["languages"]] == ["deu_Latn", "eng_Latn", "jpn_Jpan", "tha_Thai"]
    assert sum(each["answers"] for each in told["languages"]) == 80 and "Confusion" in page.read_text("utf-8")
    assert "faithful" in call("fidelity", LOGS).stdout
    table = tmp_path / "texts.jsonl"
    rows = [{"lang": lang, "id": k, "text": t} for lang, own in PARALLEL.items() for k, t in own.items()]
    table.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), "utf-8")
    page = tmp_path / "tokenizers.html"
    audit = call("tokenizers", byte_level, "--texts", table, "--reference", "en", "--json", "--page", page)
    assert {each["lang"]: each["texts"] for each in json.loads(audit.stdout)[0]["languages"]} == {
        lang: len(own) for lang, own in PARALLEL.items()
    }
    assert "plot-premium" in page.read_text("utf-8")
    assert "against eng_Latn" in call("tokenizers", byte_level, "--texts", table, "--reference", "en").stdout


def test_wrong_requests_end_with_their_code(tmp_path):
    with pytest.raises(RequestError) as wrong:
        call("scores", tmp_path / "nothing")
    assert wrong.value.exit_code == 2
    with pytest.raises(RequestError, match="there is no ="):
        call("scores", LOGS, "--language", "x")
    with pytest.raises(DataError) as empty:
        call("scores", tmp_path)
    assert empty.value.exit_code == 3
