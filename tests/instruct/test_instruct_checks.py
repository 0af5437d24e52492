"""Checks of answers, on instructions and answers in many scripts."""

import pyarrow as pa
import pytest

import instruct_world as world
from glotmix.core import conversation
from glotmix.core.conversation import MESSAGES, Turn
from glotmix.signals import answers
from glotmix.signals.asked import asked
from glotmix.signals.identifiers import load

REQUESTS = [
    ("Réponds en espagnol : qui est Gabriela Mistral ?", "fra_Latn", "spa_Latn"),
    ("Übersetze den Satz ins Französische: Guten Tag.", "deu_Latn", "fra_Latn"),
    ("Traduce al inglés la frase siguiente.", "spa_Latn", "eng_Latn"),
    ("Переведи на английский язык.", "rus_Cyrl", "eng_Latn"),
    ("Ответь по-французски.", "rus_Cyrl", "fra_Latn"),
    ("Переклади англійською мовою.", "ukr_Cyrl", "eng_Latn"),
    ("Przetłumacz na język niemiecki.", "pol_Latn", "deu_Latn"),
    ("Přelož do angličtiny.", "ces_Latn", "eng_Latn"),
    ("把这句话翻译成法语。", "zho_Hans", "fra_Latn"),
    ("次の文をフランス語に翻訳してください。", "jpn_Jpan", "fra_Latn"),
    ("다음 문장을 영어로 번역하세요.", "kor_Hang", "eng_Latn"),
    ("इस वाक्य का अंग्रेज़ी में अनुवाद करें।", "hin_Deva", "eng_Latn"),
    ("ওই বাক্যটি ইংরেজিতে অনুবাদ করো।", "ben_Beng", "eng_Latn"),
    ("اس جملے کا انگریزی میں ترجمہ کریں۔", "urd_Arab", "eng_Latn"),
    ("ترجم الجملة إلى الفرنسية.", "arb_Arab", "fra_Latn"),
    ("به فارسی پاسخ بده.", "pes_Arab", "pes_Arab"),
    ("תרגם לאנגלית.", "heb_Hebr", "eng_Latn"),
    ("แปลประโยคนี้เป็นภาษาอังกฤษ", "tha_Thai", "eng_Latn"),
    ("ဒီစာကို အင်္ဂလိပ်လို ဘာသာပြန်ပါ။", "mya_Mymr", "eng_Latn"),
    ("ይህን ወደ እንግሊዝኛ ተርጉም።", "amh_Ethi", "eng_Latn"),
    ("Μετάφρασε στα αγγλικά.", "ell_Grek", "eng_Latn"),
    ("Dịch câu này sang tiếng Pháp.", "vie_Latn", "fra_Latn"),
    ("Terjemahkan ke bahasa Inggris.", "ind_Latn", "eng_Latn"),
    ("Bu cümleyi Fransızcaya çevir.", "tur_Latn", "fra_Latn"),
    ("Käännä lause englanniksi.", "fin_Latn", "eng_Latn"),
    ("Fordítsd le angolra.", "hun_Latn", "eng_Latn"),
    ("Tafsiri kwa Kiingereza.", "swh_Latn", "eng_Latn"),
    ("Translate from German into Thai: Guten Tag.", "eng_Latn", "tha_Thai"),
    ("Answer in French, please.", "mya_Mymr", "fra_Latn"),
]

SUBJECTS = [
    ("Describe the role of tea in Chinese culture.", "eng_Latn"),
    ("What is spoken in Swiss German towns?", "eng_Latn"),
    ("Что такое русский язык?", "rus_Cyrl"),
    ("中文的历史是什么？", "zho_Hans"),
    ("Qu'est-ce que la cuisine espagnole ?", "fra_Latn"),
    ("日本語の起源は何ですか。", "jpn_Jpan"),
    ("ما هي اللغة العربية؟", "arb_Arab"),
]


@pytest.mark.parametrize(("text", "lang", "wanted"), REQUESTS)
def test_a_language_that_an_instruction_names_is_understood(text: str, lang: str, wanted: str) -> None:
    found = asked(text, lang)
    assert found is not None
    assert (found.languages, found.told) == ((wanted,), True)


@pytest.mark.parametrize(("text", "lang"), SUBJECTS)
def test_a_language_that_is_a_subject_is_not_asked_for(text: str, lang: str) -> None:
    assert asked(text, lang) is None


def test_several_languages_and_a_mere_mention() -> None:
    both = asked("Translate into French and into German: good morning", "eng_Latn")
    assert both is not None and both.languages == ("fra_Latn", "deu_Latn")
    mention = asked("How does one say cat in Welsh?", "eng_Latn")
    assert mention is not None and (mention.languages, mention.told) == (("cym_Latn",), False)


def _checked(rows: list[tuple[str, list[Turn]]]) -> list[dict[str, object]]:
    messages = pa.array([conversation.plain(said) for _, said in rows], MESSAGES)
    found: list[dict[str, object]] = answers.checks(
        messages, pa.array([lang for lang, _ in rows]), load("py3langid")
    ).to_pylist()
    return found


def test_every_script_is_faithful_to_itself_and_no_other_is_to_it() -> None:
    codes = list(world.SAID)
    said = [(c, [Turn("user", world.SAID[c][0]), Turn("assistant", world.SAID[c][1])]) for c in codes]
    swapped = [
        (c, [Turn("user", world.SAID[c][0]), Turn("assistant", world.SAID[codes[n - 1]][1])])
        for n, c in enumerate(codes)
    ]
    right, wrong = _checked(said), _checked(swapped)
    # A short Russian sentence reads as Macedonian, with a score of 0.35: that is no fault, and no proof either.
    assert [r["faithful"] for r in right] == [None if c == "rus_Cyrl" else True for c in codes]
    assert [r["faithful"] for r in wrong] == [False] * len(codes)
    signal = pa.Table.from_pylist(wrong, schema=pa.schema(list(answers.RETURNS)))
    assert answers.failures(signal, 0.8)["unfaithful"].to_pylist() == [True] * len(codes)


def test_a_named_language_and_one_told_by_the_source_come_before_the_declared_one() -> None:
    question, answer = world.SAID["tha_Thai"]
    rows = _checked(
        [
            ("eng_Latn", [Turn("user", "Translate into Thai: it lies on the coast."), Turn("assistant", answer)]),
            ("eng_Latn", [Turn("user", question, "tha_Thai"), Turn("assistant", answer)]),
            ("eng_Latn", [Turn("user", question * 3), Turn("assistant", answer)]),
            ("eng_Latn", [Turn("user", "Hm?"), Turn("assistant", answer)]),
        ]
    )
    assert [(r["asked"], r["asked_by"], r["faithful"]) for r in rows] == [
        (["tha_Thai"], "name", True),
        (["tha_Thai"], "turn", True),
        (["tha_Thai"], "text", True),
        (["eng_Latn"], "declared", False),
    ]


def test_the_last_answer_of_several_turns_is_judged_and_code_has_no_language() -> None:
    question, answer = world.SAID["ell_Grek"]
    code = "```python\nprint('the city of Lima, Peru')\n```"
    several = [Turn("user", question), Turn("assistant", "?"), Turn("user", question), Turn("assistant", answer)]
    rows = _checked([("ell_Grek", several), ("ell_Grek", [Turn("user", question), Turn("assistant", code)])])
    assert rows[0]["turns"] == 4 and rows[0]["faithful"] is True
    assert rows[0]["instruction_chars"] == 2 * len(question) + 2
    assert rows[1]["faithful"] is None and rows[1]["answered"] is None


def test_remnants_of_another_language_are_measured() -> None:
    english = "This paragraph was never translated by anyone, and it is still here for all to see. "
    german = "Die Stadt liegt an der Küste und hat einen großen alten Hafen mit vielen Schiffen. "
    (clean, half, whole) = answers.remnants([german, german + english, english], [["deu_Latn"]] * 3, load("py3langid"))
    assert clean == 0.0
    assert half is not None and 0.4 < half < 0.6
    assert whole == 1.0
    assert answers.remnants(["Ja."], [["deu_Latn"]], load("py3langid")) == [None]


@pytest.mark.parametrize(
    ("answer", "lang", "wanted"),
    [
        ("Als Sprachmodell kann ich das nicht.", "deu_Latn", True),
        ("I’m sorry, but I can't help with that.", "tha_Thai", True),
        ("ขออภัย แต่ฉันตอบไม่ได้", "tha_Thai", True),
        ("申し訳ありませんが、お答えできません。", "jpn_Jpan", True),
        ("抱歉，我无法回答这个问题。", "zho_Hans", True),
        ("عذرًا، لا يمكنني الإجابة.", "arb_Arab", True),
        ("मुझे खेद है, लेकिन मैं नहीं कर सकता।", "hin_Deva", True),
        ("죄송하지만 도와드릴 수 없습니다.", "kor_Hang", True),
        ("Lima ist die Hauptstadt.", "deu_Latn", False),
        ("You are as dull as an AI-generated joke.", "eng_Latn", False),
        ("No matter how much effort I expend, I am unable to finish the task.", "eng_Latn", False),
        ("ლიმა არის დედაქალაქი.", "kat_Geor", None),
    ],
)
def test_refusals(answer: str, lang: str, wanted: bool | None) -> None:
    assert answers.refusal(answer, lang) is wanted


@pytest.mark.parametrize(
    ("answer", "lang", "wanted"),
    [
        ("Lima is a city. It lies on the coast. Its port is called", "eng_Latn", True),
        ("Лима — это город. Он стоит на берегу. Его порт называется", "rus_Cyrl", True),
        ("利马是秘鲁的首都。它位于太平洋沿岸。它的港口叫做卡亚俄港那里有很多船", "zho_Hans", True),
        ("लीमा एक शहर है। यह समुद्र के किनारे है। इसका बंदरगाह बहुत पुराना और", "hin_Deva", True),
        ("ሊማ ከተማ ነው። በባሕር ዳርቻ ላይ ነው። ወደቡ በጣም ትልቅ", "amh_Ethi", True),
        ("```python\nprint(1)", "eng_Latn", True),
        ("The steps are: first,", "eng_Latn", True),
        ("1. Lima 2. Cusco 3. Arequipa 4. Trujillo 5. Iquitos 6. Puno", "eng_Latn", False),
        ("A great show tonight! Do not miss it! Come early! #lima #peru", "eng_Latn", False),
        ("Lima", "eng_Latn", False),
        ("ლიმა ქალაქია. ის ზღვაზეა.", "kat_Geor", False),
        ("ลิมาเป็นเมืองหลวงของเปรู ตั้งอยู่ริมทะเล มีท่าเรือชื่อ", "tha_Thai", None),
    ],
)
def test_answers_that_break_off(answer: str, lang: str, wanted: bool | None) -> None:
    assert answers.truncated(answer, lang) is wanted


def test_nothing_is_empty_and_a_drawing_is_something() -> None:
    assert all(answers.empty(a) for a in ("", " \n", "…", "<noinput>", "N/A", "---", "null"))
    assert not any(answers.empty(a) for a in ("No", "0", ":-)", "😆", "はい", ".. .-.. --- ...- . -.-- --- ..-"))


def test_checks_do_not_depend_on_neighbours() -> None:
    said = [(c, [Turn("user", q), Turn("assistant", a)]) for c, (q, a) in world.SAID.items()]
    assert _checked(said) == [_checked([one])[0] for one in said]
    assert _checked(said[::-1]) == _checked(said)[::-1]
