"""How a text hangs together, in every script."""

import doctest

import numpy as np
import pytest

from glotmix.core.sentences import cut
from glotmix.quality import coherence


class Marks:
    """An embedder that sees the letters of a text: sentences that share some are near."""

    fingerprint, width = "marks", 512

    def embed(self, texts):
        found = np.zeros((len(texts), self.width), np.float32)
        for at, text in enumerate(texts):
            for char in text:
                found[at, ord(char) % self.width] += 1
        return found


def test_docstrings():
    assert doctest.testmod(coherence).failed == 0


@pytest.mark.parametrize(
    ("text", "lang", "many"),
    [
        ("Le marché ouvre à huit heures. Est-ce loin d'ici ? Oui, très loin, hélas !", "fra_Latn", 3),
        ("Рынок открывается в восемь. Это далеко отсюда? Нет, совсем близко.", "rus_Cyrl", 3),
        ("Η αγορά ανοίγει στις οκτώ. Είναι πολύ μακριά από εδώ;", "ell_Grek", 2),
        ("يفتح السوق في الثامنة صباحا. هل هو بعيد من هنا؟ نعم، بعيد جدا۔", "arb_Arab", 3),
        ("השוק נפתח בשמונה בבוקר. האם זה רחוק מכאן?", "heb_Hebr", 2),
        ("बाज़ार आठ बजे खुलता है। क्या यह यहाँ से दूर है?", "hin_Deva", 2),
        ("বাজার আটটায় খোলে। এটা কি এখান থেকে দূরে?", "ben_Beng", 2),
        ("ตลาดเปิดแปดโมงเช้าทุกวัน มันอยู่ไกลจากที่นี่ไหม", "tha_Thai", 2),
        ("ဈေးကရှစ်နာရီမှာဖွင့်ပါတယ်။ဒီကနေဝေးသလားလို့မေးတယ်။", "mya_Mymr", 2),
        ("市场早上八点开门，大家都来。从这里走过去远不远呢？不远，十分钟就能走到了。", "zho_Hans", 3),
        ("市場は朝八時に開きます。ここから遠いですか、近いですか？", "jpn_Jpan", 2),
        ("시장은 여덟 시에 문을 엽니다. 여기서 많이 먼가요?", "kor_Hang", 2),
        ("ገበያው በሁለት ሰዓት ይከፈታል። ከዚህ በጣም ሩቅ ነው፧", "amh_Ethi", 2),
        ("one line without a sign\nanother line of it", "eng_Latn", 2),
        ("", "eng_Latn", 0),
    ],
)
def test_sentences_of_every_script(text, lang, many):
    found = cut(text, lang)
    assert len(found) == many
    assert "".join("".join(found).split()) == "".join(text.split())


def test_columns_see_what_they_are_named_after():
    one, two, three = "the market opens at eight. ", "rain falls on the hills. ", "QXZJ WVYK UPFG BBDD. "
    plain, repeated, foreign = (one + two) * 2 + one + two, one * 6, one + two + one + three + two + one
    table = dict(
        zip(
            coherence.COLUMNS,
            coherence.measure([plain, repeated, foreign, "short."], ["eng_Latn"] * 4, Marks()).T,
            strict=True,
        )
    )
    assert table["again"][1] == 1
    assert table["neighbours"][1] == pytest.approx(1)
    assert table["least_focus"][2] < table["least_focus"][0]
    assert table["spread"][2] > table["spread"][0]
    assert all(np.isnan(column[3]) for column in table.values())
    # In order, neighbours are nearer than others; shuffled, they are not.
    start = [f"{'abcdefghij'[i] * 6}{'abcdefghij'[i + 1] * 6} {'abcdefghij'[i] * 5}." for i in range(9)]
    mixed = [start[i] for i in (4, 0, 7, 2, 8, 5, 1, 6, 3)]
    ordered, shuffled = coherence.measure([" ".join(start), " ".join(mixed)], ["eng_Latn"] * 2, Marks())
    at = coherence.COLUMNS.index("order")
    assert ordered[at] > 0.2 > shuffled[at]
    assert ordered[coherence.COLUMNS.index("decay")] < shuffled[coherence.COLUMNS.index("decay")]


def test_a_text_is_measured_by_itself():
    texts = ["the market opens. rain falls on us. we go home.", "", "a b c. d e f. g h i. one two three four. five."]
    langs = ["eng_Latn"] * 3
    both = coherence.measure(texts, langs, Marks())
    for at in range(3):
        np.testing.assert_array_equal(coherence.measure(texts[at : at + 1], langs[:1], Marks())[0], both[at])
    assert coherence.measure([], [], Marks()).shape == (0, len(coherence.COLUMNS))
