"""The page of `glotmix label`: what it shows and writes, and what no document can make it do."""

import doctest
import http.client
import json
from urllib.parse import urlsplit

import pytest

from glotmix.cli import label
from glotmix.core.errors import RequestError
from glotmix.core.local_page import LocalPage
from glotmix.explore import labelling
from glotmix.explore.labelling import PAGE, Session
from glotmix.quality import anchors
from glotmix.select import to_label

TEXTS = {
    "arb_Arab": "<script>alert(1)</script> افتتح رئيس البلدية المكتبة الجديدة يوم الثلاثاء\u202e.\x07",
    "heb_Hebr": "ראש העיר פתח את הספרייה החדשה ביום שלישי.",
    "tha_Thai": "นายกเทศมนตรีเปิดห้องสมุดแห่งใหม่เมื่อวันอังคาร",
    "zho_Hans": "市长周二为新图书馆揭幕。",
    "amh_Ethi": "ከንቲባው ማክሰኞ ዕለት አዲሱን ቤተ መጻሕፍት ከፈቱ።",
    "rus_Cyrl": "Мэр открыл новую библиотеку во вторник.",
}


@pytest.fixture
def begun(monkeypatch, tmp_path):
    def choose(context, lang, count):
        return [
            {"id": f"d{n}", "text": f"{TEXTS[lang]} {n}", "lang": lang, "source": "web", "score": 0.5}
            for n in range(min(count, 9))
        ]

    monkeypatch.setattr(to_label, "choose", choose)
    return lambda lang, count=4: Session(None, lang, tmp_path / "labels" / f"{lang}.jsonl", count, "r.yaml")


def rows(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_docstrings():
    assert doctest.testmod(label).failed == 0


@pytest.mark.parametrize("lang", TEXTS)
def test_a_document_is_shown_with_its_language_and_direction(begun, lang):
    state = begun(lang).state()
    assert state["dir"] == ("rtl" if lang in ("arb_Arab", "heb_Hebr") else "ltr")
    assert state["tag"].startswith({"arb_Arab": "ar", "zho_Hans": "zh"}.get(lang, state["tag"]))
    # Markup stays text, and controls are made visible.
    assert state["document"]["text"].startswith(TEXTS[lang][:20])
    assert "\x07" not in state["document"]["text"]


def test_labels_are_written_at_once_taken_back_and_gone_on_with(begun, tmp_path):
    session = begun("heb_Hebr")
    path = tmp_path / "labels/heb_Hebr.jsonl"
    session.judge({"id": "d0", "answer": "natural"})
    session.judge({"id": "d1", "answer": "unnatural", "adult": True, "machine_translated": False})
    state = session.judge({"id": "d2", "answer": "save", "wrong_language": True})
    assert (state["done"], state["left"]) == (3, 1)
    assert [(row["id"], row["label"], row["adult"], row["wrong_language"]) for row in rows(path)] == [
        ("d0", 1, 0, 0), ("d1", 0, 1, 0), ("d2", None, 0, 1)
    ]  # fmt: skip
    # What says only a property is no anchor of naturalness.
    assert anchors.read([path])["label"].to_pylist() == [True, False]
    state = session.undo()
    assert state["document"]["id"] == "d2"
    assert [row["id"] for row in rows(path)] == ["d0", "d1"]
    session.judge({"id": "d2", "answer": "skip"})
    assert session.judge({"id": "d3", "answer": "natural"})["document"] is None
    again = begun("heb_Hebr", 2)
    assert again.state()["document"]["id"] == "d2"
    assert (again.state()["done"], again.state()["left"]) == (3, 2)


def test_what_cannot_be_an_answer_is_refused_and_writes_nothing(begun, tmp_path):
    session = begun("tha_Thai")
    for given, match in (
        ({"id": "d7", "answer": "natural"}, "judged elsewhere"),
        ({"id": "d0", "answer": "good"}, "no answer"),
        ({"id": "d0", "answer": "save"}, "nothing is ticked"),
    ):
        with pytest.raises(RequestError, match=match):
            session.judge(given)
    with pytest.raises(RequestError, match="nothing was judged"):
        session.undo()
    assert not (tmp_path / "labels").exists()
    assert session.state()["document"]["id"] == "d0"


def test_a_double_click_judges_once(begun, tmp_path):
    session = begun("zho_Hans")
    session.judge({"id": "d0", "answer": "natural"})
    with pytest.raises(RequestError, match="elsewhere"):
        session.judge({"id": "d0", "answer": "natural"})
    assert len(rows(tmp_path / "labels/zho_Hans.jsonl")) == 1


def test_the_page_answers_behind_its_token_alone(begun):
    page = LocalPage(PAGE, begun("arb_Arab").calls)

    def ask(path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=10)
        connection.request("GET" if body is None else "POST", path, body)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    with page.running():
        own = urlsplit(page.address).path
        for name in ("", "label.js", "style.css"):
            assert ask(own + name)[0] == 200
        status, told = ask(f"{own}api/judge", json.dumps({"id": "d0", "answer": "natural"}))
        assert (status, json.loads(told)["document"]["id"]) == (200, "d1")
        assert ask(f"{own}api/judge", json.dumps({"id": "d0", "answer": "natural"}))[0] == 400
        assert ask("/wrong/api/state", "{}")[0] == 404


def test_no_string_of_the_page_becomes_markup():
    script = (PAGE / "label.js").read_text("utf-8")
    for way in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "http"):
        assert way not in script.replace("text/html", "")
    keys = {"n", "u", "s", "z", "a", "m", "w"}
    assert all(f'"{key}"' in script for key in keys)
    assert labelling.ANSWERS == ("natural", "unnatural", "save", "skip")
