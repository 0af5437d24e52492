"""Word order against the language's own texts."""

import doctest
from itertools import pairwise
from zlib import crc32

import numpy as np
import pytest

from glotmix.quality import word_order
from glotmix.quality.word_order import Wording

PARTS = {
    "eng_Latn": (["The farmer", "A teacher", "My sister", "The old man"], ["opens", "watches", "paints", "forgets"],
                 ["the blue door", "a small boat", "her first letter", "the long road"], " ", "."),
    "rus_Cyrl": (["Старый фермер", "Моя сестра", "Учитель школы", "Наш сосед"],
                 ["открывает", "смотрит", "рисует", "забывает"],
                 ["синюю дверь", "маленькую лодку", "первое письмо", "длинную дорогу"], " ", "."),
    "ell_Grek": (["Ο γεωργός", "Η αδελφή μου", "Ο δάσκαλος", "Ο γείτονας"],
                 ["ανοίγει", "βλέπει", "ζωγραφίζει", "ξεχνάει"],
                 ["την μπλε πόρτα", "το μικρό καράβι", "το πρώτο γράμμα", "τον μακρύ δρόμο"], " ", "."),
    "zho_Hans": (["老农夫", "我姐姐", "那老师", "邻居们"], ["打开了", "看见了", "画出了", "忘记了"],
                 ["蓝色门", "小木船", "第一信", "漫长路"], "", "。"),
}  # fmt: skip


def text(lang, rng, lines=12):
    one, two, three, gap, end = PARTS[lang]
    return gap.join(
        gap.join([one[rng.integers(4)], two[rng.integers(4)], three[rng.integers(4)]]) + end for _ in range(lines)
    )


def salad(text, lang, rng):
    words = word_order.words(text, lang)
    rng.shuffle(words)
    return ("" if lang == "zho_Hans" else " ").join(words)


@pytest.fixture(scope="module")
def made():
    rng = np.random.default_rng(0)
    rows = [(text(lang, rng), lang) for lang in PARTS for _ in range(120)]
    return Wording.fit(*zip(*rows, strict=True))


def test_docstrings():
    assert doctest.testmod(word_order).failed == 0


@pytest.mark.parametrize("lang", ["eng_Latn", "rus_Cyrl", "ell_Grek"])
def test_salad_has_no_order(made, lang):
    rng = np.random.default_rng(1)
    good = [text(lang, rng) for _ in range(30)]
    bad = [salad(one, lang, rng) for one in good]
    links, order = word_order.COLUMNS.index("links"), word_order.COLUMNS.index("order")
    told, spoilt = made.measure(good, [lang] * 30), made.measure(bad, [lang] * 30)
    assert told[:, order].min() > 1
    assert abs(spoilt[:, order].mean()) < 0.2
    assert (told[:, links] > spoilt[:, links]).all()


def test_where_words_are_not_separated_runs_of_letters_are_words(made):
    rng = np.random.default_rng(2)
    # The parts are three letters long and a line ends with a sign: runs fall as they may.
    good = text("zho_Hans", rng)
    assert made.measure([good], ["zho_Hans"])[0, 1] > made.measure([salad(good, "zho_Hans", rng)], ["zho_Hans"])[0, 1]


def test_the_same_whatever_the_order_and_after_saving(made):
    rng = np.random.default_rng(3)
    texts = [text("eng_Latn", rng) for _ in range(60)]
    one, other = word_order.learn(texts, "eng_Latn"), word_order.learn(texts[::-1], "eng_Latn")
    for name, value in vars(one).items():
        np.testing.assert_array_equal(value, getattr(other, name))
    again = Wording.of(made.tensors())
    langs = ["eng_Latn"] * len(texts)
    np.testing.assert_array_equal(again.measure(texts, langs), made.measure(texts, langs))
    np.testing.assert_array_equal(made.measure(texts[7:8], ["eng_Latn"])[0], made.measure(texts, langs)[7])


def test_what_cannot_be_said_is_missing(made):
    found = made.measure(
        ["A short one.", "Die Bäuerin öffnet die blaue Tür und schaut hinaus auf den Hof."], ["eng_Latn", "deu_Latn"]
    )
    assert np.isnan(found).all()
    assert word_order.learn(["too few words"], "eng_Latn") is None
    assert Wording.fit([], []).orders == {}


def test_the_probabilities_are_those_of_the_formula():
    """A bigram model with a Dirichlet prior, by hand on a language of two words."""
    words = ["ab cd " * 1050]
    made = word_order.learn(words, "eng_Latn")
    found = made.measure(["ab", "cd", "ab", "cd", "ab", "cd", "ab", "cd"])
    total, n_ab, n_cd, pairs = 2100, 1050, 1050, {("ab", "cd"): 1050, ("cd", "ab"): 1049}
    alone = {"ab": (n_ab + 0.5) / (total + 1), "cd": (n_cd + 0.5) / (total + 1)}
    sequence = ["ab", "cd", "ab", "cd", "ab", "cd", "ab", "cd"]
    each = [
        np.log2(
            (pairs[a, b] + word_order.PRIOR * alone[b]) / ((n_ab if a == "ab" else n_cd) + word_order.PRIOR) / alone[b]
        )
        for a, b in pairwise(sequence)
    ]
    assert found[0] == pytest.approx(np.mean(each))


def test_the_most_frequent_words_are_classes_of_their_own(monkeypatch):
    monkeypatch.setattr(word_order, "FREQUENT", 2)
    made = word_order.learn(["often here " * 600 + "seldom often " * 500 + "once"], "eng_Latn")
    assert sorted(made.frequent.tolist()) == sorted(crc32(word) for word in (b"often", b"here"))


def test_rare_words_are_classes_by_their_endings_and_their_case():
    """A language whose nouns end in -one and verbs in -tum: rare ones are known by that."""
    rng = np.random.default_rng(4)
    stems = ["".join(rng.choice(list("bcdfgklmnprsv"), 5)) for _ in range(4_000)]
    nouns, verbs = [s + "one" for s in stems[:2000]], [s + "tum" for s in stems[2000:]]
    made = word_order.learn(
        [" ".join(x for pair in zip(nouns[:1500], verbs[:1500], strict=True) for x in pair)], "lat_Latn"
    )
    fresh = [x for pair in zip(nouns[1500:1560], verbs[1500:1560], strict=True) for x in pair]
    order = word_order.COLUMNS.index("order")
    assert made.measure(fresh)[order] > 0.5
    assert made.measure([x.capitalize() for x in fresh])[0] < made.measure(fresh)[0] / 2
