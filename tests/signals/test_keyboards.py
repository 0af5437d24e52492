"""Letters of a neighbouring keyboard, and signs of another script among a language's own, change no label."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from glotmix.signals import language_id
from glotmix.signals.identifiers import RANKED, load
from glotmix.signals.keyboards import respelled
from glotmix.signals.script import count

SENTENCES = pq.read_table(Path(__file__).parents[1] / "data" / "sentences.parquet")
URDU = [
    "ہمارے گاؤں کے لوگ صبح سویرے کھیتوں میں کام کرنے جاتے ہیں اور شام کو تھک کر گھر لوٹتے ہیں۔",
    "اس سڑک پر بڑی گاڑیاں نہیں چل سکتیں کیونکہ پل کمزور ہے۔",
    "بچے اسکول سے واپس آ کر دادی سے پرانی کہانیاں سنتے ہیں۔",
]
PERSIAN = [
    "پنجره را باز کردیم و بوی گل‌های یاس از باغچه به اتاق آمد.",
    "پدربزرگ هر شب کنار چراغ می‌نشیند و برای بچه‌ها کتاب می‌خواند.",
    "جاده‌ای که از میان کوه می‌گذرد در زمستان پر از برف است و گاهی بسته می‌شود.",
]
ARABIC = [
    "تقع المدينة القديمة على تلة عالية تطل على البحر وتحيط بها أسوار كبيرة من الحجر.",
    "يخرج الصيادون إلى البحر قبل الفجر ويعودون في المساء محملين بالأسماك الكثيرة.",
]


def swap(text: str, of: str, to: str) -> str:
    return text.translate(str.maketrans(of, to))


@pytest.mark.parametrize(
    ("texts", "of", "to", "declared"),
    [
        (URDU, "یک", "يك", "urd_Arab"),
        (URDU, "یکہھ", "يكهه", "urd_Arab"),
        (URDU, "ہ", "ه", "urd_Arab"),
        (PERSIAN, "یک", "يك", "pes_Arab"),
        (PERSIAN, "ی", "ى", "pes_Arab"),
        (ARABIC, "يك", "یک", "arb_Arab"),
        (ARABIC, "يكه", "یکہ", "arb_Arab"),
    ],
)
def test_a_text_typed_on_a_neighbours_keyboard_reads_as_what_it_is(texts, of, to, declared):
    typed = pa.array([swap(t, of, to) for t in texts])
    assert typed.to_pylist() != texts
    rows = language_id.identify(typed, pa.array([declared] * len(texts)), load()).to_pylist()
    assert [row["agrees"] for row in rows] == [True] * len(texts), rows
    assert language_id.label(typed).to_pylist() == [declared] * len(texts)


def test_texts_on_their_own_keyboard_and_in_other_languages_stay_as_they_are():
    others = [
        "زه غواړم چې د خپل کلي ښوونځي ته لاړ شم او هلته نوي کتابونه ولولم.",  # Pashto
        "مان پنهنجي ڳوٺ جي اسڪول ۾ ٻارن کي پڙهائيندو آهيان.",  # Sindhi
        "بىز ھەر كۈنى ئەتىگەندە باغچىدا مېۋە ئۈزىمىز ۋە چاي ئىچىمىز.",  # Uyghur
        "ئێمە هەموو بەیانییەک لە باخچەکە چای دەخۆینەوە و گوێ لە باڵندەکان دەگرین.",  # Kurdish
        "Wir gehen nach Hause.",
        "",
    ]
    # Urdu with an Arabic quotation, Arabic with a Persian name.
    mixed = ["وصل السيد پژمان إلى المطار وزار المدينة القديمة ومكتبتها الكبيرة في اليوم الأول من رحلته"]
    texts = pa.array([*URDU, *PERSIAN, *ARABIC, *others, *mixed])
    assert as_they_are(texts)
    real = SENTENCES.filter(pc.is_in(SENTENCES["lang"], pa.array(["arb_Arab", "heb_Hebr", "eng_Latn"])))["text"]
    assert as_they_are(real.combine_chunks())


def as_they_are(texts):
    return respelled(texts, count(texts).has("Arab")).to_pylist() == texts.to_pylist()


def test_a_respelled_text_has_as_many_letters_of_each_script_as_before():
    texts = pa.array([swap(t, of, to) for t, of, to in ((URDU[0], "یکہھ", "يكهه"), (ARABIC[0], "يكه", "یکہ"))])
    changed = respelled(texts, np.ones(2, bool))
    assert changed.to_pylist() != texts.to_pylist()
    assert np.array_equal(count(changed).letters, count(texts).letters)


class Says:
    """A model that answers as it is told."""

    labels = ("ko", "zh", "ja", "ru", "hi", "sr", "en", "yue")

    def __init__(self, label: str) -> None:
        self.label = label

    def rank(self, texts: pa.Array) -> pa.StructArray:
        row = {"label": self.labels.index(self.label), "score": 0.9, "runner_up": 6, "runner_up_score": 0.1}
        return pa.array([row] * len(texts), RANKED)


@pytest.mark.parametrize(
    ("says", "text", "code"),
    [
        ("ko", "第一條 大韓民國은 民主共和國이다. 國家는 法律이 定하는 바에 依하여", "kor_Hang"),
        ("ko", "서울 市內 道路 工事 期間 中 交通 統制", "kor_Hang"),
        ("ko", "한국의 수도는 서울이다", "kor_Hang"),
        ("ko", "大韓民國憲法前文", "kor_Hant"),  # nothing of it is Hangul
        ("zh", "我們昨天在「カフェ」喝茶，老闆很親切，價錢也公道。", "zho_Hant"),
        ("zh", "我们昨天在“さくら”吃饭，服务员很热情，价钱也便宜。", "zho_Hans"),
        ("zh", "朋友の店，中文", "zho_Hani"),
        ("yue", "我哋琴日去咗「ドン・キホーテ」買嘢，啲價錢好平。", "yue_Hant"),
        ("ja", "東京都新宿区西新宿二丁目", "jpn_Jpan"),
        ("ja", "カメラ市場", "jpn_Jpan"),
        ("ru", "Установите Python и запустите pip install requests", "rus_Cyrl"),
        ("ru", "privet, kak dela? vsyo khorosho", "rus_Latn"),
        ("hi", "kal main bazaar जा raha hoon aur sabzi kharidunga", "hin_Latn"),
        ("hi", "आप Windows Update को Settings में खोलें", "hin_Deva"),
        ("sr", "Danas je lep dan у Београду", "srp_Latn"),
    ],
)
def test_the_script_of_a_label_is_one_that_its_language_has(says, text, code):
    row = language_id.identify(pa.array([text]), pa.array([code]), Says(says))[0].as_py()
    assert (row["label"], row["script"], row["agrees"]) == (code, code[-4:], True if code != "kor_Hant" else None) or (
        code in ("kor_Hant", "rus_Latn", "hin_Latn") and row["label"] == code
    )


def test_korean_in_mixed_script_does_not_contradict_korean_and_chinese_does():
    texts = pa.array(["第一條 大韓民國은 民主共和國이다. 主權은 國民에게 있다.", "今天天氣很好，我們去公園散步。"])
    counted = count(texts)
    assert counted.dominant.to_pylist() == ["Hant", "Hant"]
    for says, agrees in (("ko", [True, False]), ("zh", [False, False])):
        found = language_id.identify(texts, pa.array(["kor_Hang"] * 2), Says(says)).field("agrees").to_pylist()
        assert found == agrees, says
