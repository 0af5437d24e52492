import unicodedata
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glotmix.native import folding, link, shingles
from glotmix.native.arrays import buffers
from glotmix.signals.signatures import SignatureConfig, chance, middle, nodes, sign
from slow_shingles import slow_fold, slow_shingles

SENTENCES = pq.read_table(Path(__file__).parents[1] / "data" / "sentences.parquet")
LANGS = list(dict.fromkeys(SENTENCES["lang"].to_pylist()))
CONFIG = SignatureConfig()


@cache
def sentences(lang: str) -> list[str]:
    return [r["text"] for r in SENTENCES.to_pylist() if r["lang"] == lang]


@cache
def documents(lang: str, size: int = 8) -> list[str]:
    held = sentences(lang)
    return [" ".join(held[i : i + size]) for i in range(0, len(held), size)]


def native_fold(text: str) -> str:
    return "".join(map(chr, shingles.fold(*buffers(pa.array([text])), *folding.table(), 0)))


def exact(texts: list[str], pairs: list[tuple[int, int]], width: int = CONFIG.shingle) -> np.ndarray:
    sets = shingles.shingle_sets(*buffers(pa.array(texts)), *folding.table(), width)
    left, right = (np.array(side, np.int64) for side in zip(*pairs, strict=True))
    out = np.empty(len(pairs))
    link.jaccard(*sets, left, right, out)
    return out


def sketches(signed: pa.StructArray) -> np.ndarray:
    return np.frombuffer(b"".join(signed.field("sketch").to_pylist()), np.uint8).reshape(len(signed), -1)


def bands(signed: pa.StructArray, config: SignatureConfig = CONFIG) -> np.ndarray:
    return np.stack([signed.field(f"band_{b:03d}").to_numpy() for b in range(config.bands)], axis=1)


def test_the_shipped_table_is_what_unicode_says():
    shipped, built = folding.table(), folding.build()

    def values(table: folding.Table) -> np.ndarray:
        return table.stage2.reshape(-1, 256)[table.stage1].ravel()

    # A newer Python knows newer characters; those that the shipped table knows must not have changed.
    ours, theirs = values(shipped), values(built)
    simple = (ours != 0) & (ours < folding.POOL)
    assert np.array_equal(ours[simple], theirs[simple])
    assert (ours != 0).sum() > 130_000
    if unicodedata.unidata_version == "14.0.0":
        assert all(np.array_equal(a, b) for a, b in zip(shipped, built, strict=True))


def test_no_character_folds_to_more_units_than_there_is_room_for():
    shipped = folding.table()
    values = shipped.stage2.reshape(-1, 256)[shipped.stage1].ravel()
    for code in np.flatnonzero(values & folding.POOL):
        length = shipped.pool[values[code] ^ np.uint32(folding.POOL)]
        assert length <= 6 * len(chr(code).encode())


@pytest.mark.parametrize("lang", LANGS)
def test_folding_is_that_of_pythons_tables(lang: str):
    for text in documents(lang):
        assert native_fold(text) == slow_fold(text)


@given(st.text(st.characters(exclude_categories=("Cs", "Cn", "Co", "Cc")), max_size=40))
def test_folding_any_text(text: str):
    assert native_fold(text) == slow_fold(text)


@pytest.mark.parametrize("lang", LANGS)
def test_composed_and_decomposed_text_are_the_same(lang: str):
    for text in documents(lang):
        composed, decomposed = (unicodedata.normalize(form, text) for form in ("NFC", "NFD"))
        signed = sign(CONFIG)(pa.array([composed, decomposed]))
        assert signed[0] == signed[1]


SAME = [
    ("Straße in Ōsaka", "STRASSE in O\u0304SAKA"),
    ("ﬁne ﾃｷｽﾄ １２", "fine テキスト 12"),
    ("علي كريم", "علی کریم"),
    ("كتـــاب", "كتاب"),
    ("ไทย\u200bแลนด์", "ไทยแลนด์"),
    ("नमस्ते, दुनिया!", "नमस्ते दुनिया"),
    ("ክፍል፡አንድ።", "ክፍል አንድ"),
    ("ậ ṩ ǭ", "a\u0302\u0323 s\u0307\u0323 o\u0304\u0328"),
    ("שָׁלוֹם", unicodedata.normalize("NFC", "שָׁלוֹם")),
    ("İSTANBUL i̇", "istanbul i"),
    ("İZMİR", "I\u0307ZMI\u0307R"),
    ("ș ț Ș", "ş ţ Ş"),
    # One text in two code-point forms.
    ("മലയാളം: അവൻ, അവർ, വാതിൽ, അവൾ, കൺ, വാൿ", "മലയാളം: അവന്\u200d, അവര്\u200d, വാതില്\u200d, അവള്\u200d, കണ്\u200d, വാക്\u200d"),
    ("হঠাৎ", "হঠাত্\u200d"),
    ("oʻtirib ergasʼh", "o‘tirib ergas’h"),
    ("o'tirib ergas'h", "oʻtirib ergasʼh"),
    ("o`tirib ergas´h", "o\u02bftirib ergas\u2032h"),
    ("пʼять з'їзд", "п’ять зʼїзд"),
    ("آپ كہتے يہ", "آپ کہتے یہ"),
    ("гӀадамал", "гIадамал"),
    ("आम और ऑफिस", "अाम अाैर अॉफिस".replace("अाै", "अौ")),
    ("เเม่นํา", "แม่นำ"),
    ("ײדיש", "ייִדיש".replace("\u05b4", "")),
]
NEAR = [
    ("كتاب جديد", "كِتَابٌ جَدِيدٌ"),
    ("שָׁלוֹם", "שלום"),
    ("ёлка", "елка"),
    ("Con ma ở trong nhà", "Con má ở trong nha"),
    ("ọ̀wọ̀ ọwọ́", "ọwọ ọwọ"),
    ("على", "علي"),
    ("بھر", "بہر"),
    ("IŞIK ışık", "isik isik"),
    ("sık", "sik"),
    ("kaʻu", "kau"),
    ("don't", "dont"),
    ("がぎ", "かき"),
    ("ज़रा", "जरा"),
    ("5 € only", "5 $ only"),
    ("if x < y then", "if x > y then"),
    ("good 👍 day", "good 👎 day"),
    ("!oe ǃoe", "oe oe"),
    ("νόμος", "νομός"),
    ("ma˥ ma", "ma˩ ma"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_forms_of_one_text_make_no_difference(one: str, other: str):
    assert native_fold(one) == native_fold(other)
    signed = sign(CONFIG)(pa.array([one, other]))
    assert signed[0] == signed[1]


@pytest.mark.parametrize(("one", "other"), NEAR)
def test_what_tells_words_apart_is_left_out_for_nearness_and_counts_for_sameness(one: str, other: str):
    assert native_fold(one) == native_fold(other)
    signed = sign(CONFIG)(pa.array([one, other, one.upper() + " !", f"«{one}»."]))
    content, keys = signed.field("content").to_pylist(), bands(signed)
    assert (keys[0] == keys[1]).all() and content[0] != content[1]
    assert content[3] == content[0]
    if "ı" not in one and "ʻ" not in one:
        assert content[2] == content[0]


def test_a_mark_counts_where_it_stands():
    signed = sign(CONFIG)(
        pa.array(["má ma", "ma má", "ma ma", "a|b c", "a b|c", "o'zbek tili", "ozbek t'ili", "'ozbek tili'"])
    )
    content = signed.field("content").to_pylist()
    assert len(set(content)) == len(content)
    # Quotation marks around words are punctuation.
    assert sign(CONFIG)(pa.array(["ozbek tili"]))[0].as_py()["content"] == content[-1]


@pytest.mark.parametrize(("one", "other"), [("कि", "की"), ("กิน", "กัน"), ("မြို့", "မြေ"), ("か", "き"), ("산", "신")])
def test_vowel_signs_and_tones_are_letters(one: str, other: str):
    assert native_fold(one) != native_fold(other)


def test_numbers_are_one_class_for_nearness_and_themselves_for_sameness():
    signed = sign(CONFIG)(
        pa.array(["am 3. Mai 1999 um neun Uhr", "am 17. Mai 2024 um neun Uhr", "am 3 Mai 1999 um NEUN Uhr"])
    )
    content, keys = signed.field("content").to_pylist(), bands(signed)
    assert (keys[0] == keys[1]).all() and content[0] != content[1] and content[0] == content[2]
    moved = sign(CONFIG)(pa.array(["1 Apfel 23", "12 Apfel 3"])).field("content").to_pylist()
    assert moved[0] != moved[1]


FIGURES = ["1|2|300$\n4|5|600$", "9|8|100$\n6|5|400$", "12 + 7 = 19", "12 - 7 = 5", "3 < 5",
           "3 > 5", "1 2", "12", "１２३", "٤٥",
           "2024-05-01", "2024-05-02", "+49 30 1234", "½", "kg 12 13 14",
           "kg 15 16 17", "第1 23", "제4 56", "₿ 0.5"]  # fmt: skip


def test_texts_of_numbers_say_what_their_numbers_are():
    signed = sign(CONFIG)(pa.array(FIGURES))
    assert len(set(signed.field("content").to_pylist())) == len(FIGURES)
    assert len({tuple(row) for row in bands(signed).tolist()}) == len(FIGURES)
    starts, hashes = shingles.shingle_sets(*buffers(pa.array(FIGURES)), *folding.table(), CONFIG.shingle)
    sets = [frozenset(hashes[a:b].tolist()) for a, b in pairwise(starts.tolist())]
    assert len(set(sets)) == len(FIGURES)
    # The digits of every script are the same digits, and white space is no number.
    forms = ["٣ + ٤ = ٧", "3 + 4 =\u00a07\n", "３\u3000+ ４ = ７", "३ + ४\t= ७"]
    assert {native_fold(text).strip() for text in forms} == {"3 + 4 = 7"}
    # As many letters as digits, and numbers are one class again.
    assert native_fold("am 3.5.19 um") == "am0um"
    assert native_fold("am 3.5.199 um") == "am 3.5.199 um"


def test_passages_are_looked_for_with_numbers_as_one_class():
    texts = buffers(pa.array(["No 12 345 678", "No 98 765 432"]))
    for passages, alike in ((True, True), (False, False)):
        starts, hashes = shingles.shingle_sets(*texts, *folding.table(), 20, passages)
        assert (hashes[: starts[1]].tolist() == hashes[starts[1] :].tolist()) == alike


def test_texts_without_letters_are_alike_only_if_the_same():
    signed = sign(CONFIG)(pa.array(["***", "---", "***", "🙂🙂", ""]))
    content = signed.field("content").to_pylist()
    assert content[0] == content[2] and len(set(content)) == 4
    assert len({tuple(row) for row in bands(signed).tolist()}) == 4


@pytest.mark.parametrize("lang", LANGS)
def test_shingle_sets_are_those_of_the_definition(lang: str):
    texts = [*documents(lang)[:6], " ".join(sentences(lang)[4:10]), sentences(lang)[0]]
    slow = [slow_shingles(t) for t in texts]
    starts, _ = shingles.shingle_sets(*buffers(pa.array(texts)), *folding.table(), CONFIG.shingle)
    assert np.diff(starts).tolist() == [len(s) for s in slow]
    pairs = [(i, j) for i in range(len(texts)) for j in range(i)]
    expected = [len(slow[i] & slow[j]) / len(slow[i] | slow[j]) for i, j in pairs]
    assert exact(texts, pairs).tolist() == pytest.approx(expected)
    assert max(expected) > 0.1


def chain(lang: str) -> tuple[list[str], list[tuple[int, int]]]:
    """Texts that share all but one, two, … of their twelve sentences with the one before: many similarities."""
    held = sentences(lang)
    texts = [" ".join(held[i : i + 12]) for i in range(len(held) - 12)]
    return texts, [(i, i + k) for k in (1, 2, 3, 5) for i in range(len(texts) - k)]


@pytest.mark.parametrize("lang", LANGS)
def test_estimates_have_the_mean_and_the_spread_that_is_stated(lang: str):
    texts, pairs = chain(lang)
    truth = exact(texts, pairs)
    sketch = sketches(sign(CONFIG)(pa.array(texts)))
    left, right = (np.array(side, np.int64) for side in zip(*pairs, strict=True))
    guess = np.empty(len(pairs))
    link.estimate(sketch, left, right, guess)
    bins = CONFIG.bands * CONFIG.rows
    sigma = np.sqrt(truth * (1 - truth) / bins)
    z = (guess - truth) / sigma
    # Neighbouring pairs share sentences, so they count for fewer independent ones: a twelfth.
    assert abs(z.mean()) < 4 / np.sqrt(len(z) / 12)
    assert 0.5 < z.std() < 1.4
    assert 0.2 < truth.min() < 0.6 and truth.max() > 0.85


def test_a_band_agrees_as_often_as_the_curve_says():
    config = SignatureConfig(bands=40, rows=3)
    hits, expected = [], []
    for lang in LANGS:
        texts, pairs = chain(lang)
        keys = bands(sign(config)(pa.array(texts)), config)
        left, right = (list(side) for side in zip(*pairs, strict=True))
        hits.append((keys[left] == keys[right]).mean())
        expected.append((exact(texts, pairs) ** config.rows).mean())
    assert np.mean(hits) == pytest.approx(np.mean(expected), abs=0.015)
    assert 0.2 < np.mean(expected) < 0.8


def test_the_same_share_of_text_means_the_same_similarity_in_every_script():
    """One sentence in eight replaced by another: the exact similarity, by language."""
    mean = {}
    for lang in LANGS:
        held = sentences(lang)
        texts, pairs = [], []
        for i in range(0, 160, 8):
            texts += [" ".join(held[i : i + 8]), " ".join([*held[i : i + 7], held[200 + i // 8]])]
            pairs.append((len(texts) - 2, len(texts) - 1))
        mean[lang] = exact(texts, pairs).mean()
    assert max(mean.values()) - min(mean.values()) < 0.06, mean


def test_short_texts_are_one_shingle():
    signed = sign(CONFIG)(pa.array(["Guten Tag", "guten tag!", "Gute Nacht"]))
    assert signed.field("shingles").to_pylist() == [1, 1, 1]
    keys = bands(signed)
    assert (keys[0] == keys[1]).all() and not (keys[0] == keys[2]).any()


def test_signatures_do_not_depend_on_how_texts_are_cut_into_arrays():
    texts = pa.array([d for lang in LANGS for d in documents(lang)[:5]])
    whole = sign(CONFIG)(texts)
    parts = [sign(CONFIG)(texts.slice(i, 7)) for i in range(0, len(texts), 7)]
    assert pa.concat_arrays(parts).equals(whole)
    assert len(sign(CONFIG)(pa.array([], pa.string()))) == 0


def test_keys_of_different_bands_never_meet():
    keys = bands(sign(CONFIG)(pa.array(["x"])))[0]
    assert len(set(keys.tolist())) == CONFIG.bands


def test_the_curve():
    config = SignatureConfig(bands=14, rows=8)
    found = [round(chance(config, s), 2) for s in (0.6, 0.7, 0.75, 0.8)]
    assert found == [0.21, 0.56, 0.77, 0.92] and round(chance(config, 0.9), 4) == 0.9996
    assert chance(config, middle(config)) == pytest.approx(0.5)
    assert all(a < b for a, b in pairwise(chance(CONFIG, s / 20) for s in range(1, 16)))


def test_ids_get_hashes_that_differ():
    ids = pa.array([f"web/{i}" for i in range(100_000)] + ["", "a", "b"])
    assert len(np.unique(nodes(ids))) == len(ids)
