"""Differences of two texts: nothing is lost, nothing is invented, no letter is torn."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glotmix.explore.differences import LEFT, LONGEST, RIGHT, SAME, differences
from glotmix.report.excerpt import graphemes

PAIRS = {
    "fra_Latn": ("Tous les êtres naissent libres.", "Tous les êtres meurent libres.", "naissent", "meurent"),
    "rus_Cyrl": ("Все люди рождаются свободными.", "Все люди живут свободными.", "рождаются", "живут"),
    "arb_Arab": ("يولد جميع الناس أحرارًا", "يعيش جميع الناس أحرارًا", "يولد", "يعيش"),
    "heb_Hebr": ("כל בני האדם נולדו", "כל בני האדם חיים", "נולדו", "חיים"),
    "hin_Deva": ("सभी मनुष्यों को गौरव", "सभी मनुष्यों को अधिकार", "गौरव", "अधिकार"),
    "zho_Hans": ("人人生而自由", "人人死而自由", "生", "死"),
    "jpn_Jpan": ("人間は自由である", "人間は平等である", "自由", "平等"),
    "tha_Thai": ("มนุษย์ทั้งหลายดี", "มนุษย์ทั้งหลายสูง", "ดี", "สูง"),
    "kor_Hang": ("모든 인간은 자유로우며", "모든 인간은 평등하며", "자유로우며", "평등하며"),
}  # fmt: skip


@pytest.mark.parametrize("lang", sorted(PAIRS))
def test_what_differs_is_marked_and_nothing_else(lang):
    left, right, mine, theirs = PAIRS[lang]
    found = differences(left, right, lang)
    changed = [(kind, text) for kind, text in found if kind != SAME]
    assert (
        "".join(t for k, t in changed if k == LEFT) in mine and "".join(t for k, t in changed if k == RIGHT) in theirs
    )
    assert "".join(t for k, t in found if k != RIGHT) == left and "".join(t for k, t in found if k != LEFT) == right
    assert len([k for k, _ in found if k == SAME]) >= 1


texts = st.text(st.sampled_from("ab กำ้ก็人é\u0301\n한\u1112\u1161"), max_size=60)


@settings(deadline=None, max_examples=150)
@given(texts, texts, st.sampled_from(["eng_Latn", "tha_Thai", "zho_Hans"]))
def test_both_texts_can_be_read_back(left, right, lang):
    found = differences(left, right, lang)
    assert "".join(t for k, t in found if k != RIGHT) == left
    assert "".join(t for k, t in found if k != LEFT) == right
    assert all(t for _, t in found)


def test_no_mark_is_torn_from_its_letter():
    for kind, text in differences("ก็ดี", "ก้ดี", "tha_Thai"):
        assert kind == SAME or text in ("ก็", "ก้")
    assert graphemes("ก็กำ") == ["ก็", "กำ"] and graphemes("") == []


def test_long_texts_are_compared_as_far_as_is_said_and_quickly():
    left, right = "字" * 30_000, "字" * 15_000 + "異" + "字" * 15_000
    found = differences(left, right, "zho_Hans")
    assert sum(len(t) for k, t in found if k != RIGHT) == LONGEST
    assert differences("same", "same", "eng_Latn") == [(SAME, "same")] and differences("", "", "eng_Latn") == []
