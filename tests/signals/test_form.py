"""How texts are put together, in every script."""

import doctest

import numpy as np
import pyarrow as pa
import pytest

from glotmix.core import sentences
from glotmix.core.record import Output, Silent
from glotmix.signals import layout

STORIES = {
    "eng_Latn": ["Mara finds a dog", "Mara walked to the river at noon.", "A brown dog sat by the river alone.",
                 "The brown dog had hurt its left leg.", "Its left leg was bound with a scarf.",
                 "The scarf was red as a poppy."],
    "rus_Cyrl": ["Мара нашла собаку", "Мара пошла к реке в полдень.", "У реки сидела одна рыжая собака.",
                 "Рыжая собака поранила левую лапу.", "Левую лапу перевязали шарфом.", "Шарф был красный как мак."],
    "zho_Hans": ["玛拉找到了一只狗", "中午玛拉走到河边去散步。", "河边坐着一只棕色的狗。", "棕色的狗左腿受伤了。",
                 "左腿用一条围巾包扎好。", "围巾是罂粟一样的红色。"],
    "amh_Ethi": ["ማራ ውሻ አገኘች", "ማራ በቀትር ወደ ወንዙ ሄደች።", "በወንዙ ዳር ቡናማ ውሻ ተቀምጧል።", "ቡናማ ውሻ ግራ እግሩ ተጎድቷል።",
                 "ግራ እግሩ በሻርፕ ታሰረ።", "ሻርፑ ቀይ ነበረ እንደ አበባ።"],
    "hin_Deva": ["मारा को कुत्ता मिला", "मारा दोपहर में नदी तक गई।", "नदी के किनारे भूरा कुत्ता बैठा था।",
                 "भूरे कुत्ते का बायाँ पैर घायल था।",
                 "बायाँ पैर दुपट्टे से बाँधा गया।", "दुपट्टा लाल रंग का था।"],
}  # fmt: skip


def columns(texts, langs):
    found = layout.measure(pa.array(texts), pa.array(langs))
    return {name: found.field(at).to_numpy(zero_copy_only=False) for at, name in enumerate(layout.COLUMNS)}


def laid(lines):
    return lines[0] + "\n" + " ".join(lines[1:])


def test_docstrings():
    assert doctest.testmod(sentences).failed == 0


@pytest.mark.parametrize("lang", sorted(STORIES))
def test_a_text_begins_and_ends_as_texts_do(lang):
    story = STORIES[lang]
    whole, cut = laid(story), laid(story)[:-4]
    moved = laid([story[2], story[0], *story[3:], story[1]])
    found = columns([whole, cut, moved], [lang] * 3)
    assert found["form_ends"].tolist() == [1, 0, 1]
    assert found["form_opens"].tolist() == [0, 0, 1]
    assert found["form_size"][0] == pytest.approx(np.log(len(whole)), rel=1e-6)


@pytest.mark.parametrize("lang", sorted(STORIES))
def test_a_text_keeps_to_its_matter_and_does_not_repeat_itself(lang):
    story = STORIES[lang]
    mixed = [story[at] for at in (5, 2, 0, 4, 1, 3)]
    twice = [line for line in story for _ in range(2)]
    found = columns([laid(story), laid(mixed), laid(twice)], [lang] * 3)
    assert found["form_order"][0] > found["form_order"][1]
    assert found["form_again"][0] == 0
    assert found["form_again"][2] > 0.3
    assert found["form_near"][2] > found["form_near"][0]


def test_news_falls_where_a_text_goes_on_about_what_it_began_with():
    lines = ["The harbour pilot met the ferry captain today.", "The captain and the pilot met today.",
             "The pilot met the captain today.", "The captain met the pilot."]  # fmt: skip
    found = columns([" ".join(lines), " ".join(lines[::-1])], ["eng_Latn"] * 2)
    assert found["form_news"][0] < found["form_news"][1] - 0.1


def test_what_does_not_apply_is_null():
    found = layout.measure(
        pa.array(["ตลาดเปิดแปดโมงเช้า ทุกวัน", "", " \n", "Short."]), pa.array(["tha_Thai"] + ["eng_Latn"] * 3)
    )
    rows = found.to_pylist()
    assert rows[0]["form_ends"] is None
    assert rows[0]["form_size"] is not None
    assert set(rows[1].values()) == set(rows[2].values()) == {None}
    assert rows[3]["form_ends"] == 1
    assert rows[3]["form_near"] is None
    assert layout.measure(pa.array([], pa.string()), pa.array([], pa.string())).to_pylist() == []


@pytest.mark.parametrize(
    ("line", "lang", "ended"),
    [
        ("Πού πας;", "ell_Grek", True), ("Ուր ես գնում:", "hye_Armn", True), ("ሰላም፡፡", "amh_Ethi", True),
        ("one; two;", "eng_Latn", False), ("He said: “Go.”", "eng_Latn", True), ("مرحبا؟", "arb_Arab", True),
        ("ဈေးကဖွင့်ပါတယ်။", "mya_Mymr", True), ("市場は八時に開きます。」", "jpn_Jpan", True), ("", "eng_Latn", False),
        ("ถนนปิดแล้ว", "tha_Thai", None),
    ],
)  # fmt: skip
def test_the_end_of_a_line(line, lang, ended):
    assert sentences.ends(line, lang) is ended


def test_a_text_is_measured_by_itself_and_the_signal_stands_in_order(tmp_path):
    texts, langs = [laid(s) for s in STORIES.values()], list(STORIES)
    both = layout.measure(pa.array(texts), pa.array(langs)).to_pylist()
    for text, lang, row in zip(texts, langs, both, strict=True):
        assert layout.measure(pa.array([text]), pa.array([lang])).to_pylist() == [row]
    import pyarrow.parquet as pq

    corpus = tmp_path / "corpus" / "mixed"
    corpus.mkdir(parents=True)
    ids = [f"d{n}" for n in range(len(texts))]
    pq.write_table(pa.table({"id": ids, "text": texts, "lang": langs}), corpus / "x-00000.parquet")
    output = Output(tmp_path / "form", "signals/form", Silent())
    assert layout.make(output, tmp_path / "corpus") == {"documents": len(texts)}
    rows = pq.read_table(sorted((tmp_path / "form").glob("*.parquet"))[0]).to_pylist()
    assert [r.pop("id") for r in rows] == ids
    assert rows == both


def test_order_and_first_length_by_hand():
    """Four sentences of one length, the odd alike and the even: neighbours share nothing."""
    one, two = "abcdefghijklmnopqr.", "stuvwxyz0123456789."
    headed = "Short headline here\n" + " ".join([one * 3, two * 3, one * 3])
    found = columns([" ".join([one, two, one, two]), headed], ["eng_Latn"] * 2)
    assert found["form_near"][0] == pytest.approx(0, abs=1e-3)
    assert found["form_order"][0] == pytest.approx(-2 / 3, abs=1e-3)
    assert found["form_first"][0] == pytest.approx(0, abs=1e-6)
    assert found["form_first"][1] < -0.5
