import sys
import types
import unicodedata
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from glotmix.core import record, table
from glotmix.core.errors import MissingExtraError, RequestError
from glotmix.core.language import parse
from glotmix.core.record import Identity
from glotmix.signals import identifiers, language_id, letterforms
from glotmix.signals.identifiers import RANKED, load

SENTENCES = pq.read_table(Path(__file__).parents[1] / "data" / "sentences.parquet")
LANGS = sorted(set(SENTENCES["lang"].to_pylist()))
MORE = [
    "",
    " ",
    "🙂🙃",
    "12:30",
    "A",
    "ⴰⵣⵓⵍ ⴼⵍⵍⴰⵡⵏ",
    "ᎣᏏᏲ ᎠᏥᎳ",
    "İSTANBUL'DA YAŞIYORUM VE ÇOK MUTLUYUM",
    "ΚΑΛΗΜΈΡΑ ΣΑΣ, ΤΙ ΚΆΝΕΤΕ ΣΉΜΕΡΑ; ΌΛΟΣ",
    "МОСКВА — СТОЛИЦА РОССИИ",
    "Ово је текст на српском језику.",
    "Ovo je tekst na srpskom jeziku i nije dug.",
    "Бу матн ўзбек тилида кирилл ёзувида.",
    "Bu matn oʻzbek tilida lotin yozuvida.",
    "ﬁnanzen und straße " * 200,
    "\u0000\u0001 control",
]


def sample(per_language: int) -> list[str]:
    """Sentences of every script, as they are, in capitals, and decomposed."""
    texts = []
    for lang in LANGS:
        mine = SENTENCES.filter(pc.equal(SENTENCES["lang"], lang))["text"].to_pylist()
        texts += [*mine[:per_language], " ".join(mine[:40])]
        texts += [t.upper() for t in mine[per_language : per_language + 4]]
        texts += [unicodedata.normalize("NFD", t) for t in mine[per_language : per_language + 4]]
    return texts


@pytest.fixture(scope="module")
def oracle() -> LanguageIdentifier:
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def test_labels_and_probabilities_are_py3langids_own(oracle):
    model = load()
    texts = sample(16) + MORE
    assert len({parse(lang).script for lang in LANGS}) >= 13
    probabilities, _ = model.probabilities(pa.array(texts))
    assert model.labels == tuple(oracle.labels)
    for text, ours in zip(texts, probabilities, strict=True):
        theirs = dict(oracle.rank(letterforms.unshaped(text)))
        np.testing.assert_allclose(ours, [theirs[label] for label in model.labels], atol=1e-3, err_msg=text)
        label, score = oracle.classify(text)
        best = int(ours.argmax())
        assert model.labels[best] == label or theirs[model.labels[best]] > score - 1e-3, text


def test_rank_is_the_first_two_of_py3langids_rank(oracle):
    texts = sample(4)
    for text, row in zip(texts, load().rank(pa.array(texts)).to_pylist(), strict=True):
        (first, score), (second, runner_up), *_ = oracle.rank(text)
        if score - runner_up > 1e-2:
            assert load().labels[row["label"]] == first
            assert row["score"] == pytest.approx(score, abs=1e-3)
            assert row["runner_up_score"] == pytest.approx(runner_up, abs=1e-3)
            if runner_up > 0.01:
                assert load().labels[row["runner_up"]] == second


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text(max_size=80), min_size=1, max_size=12))
def test_a_text_is_ranked_as_if_it_were_alone(texts):
    array = pa.array(texts)
    alone = pa.concat_arrays([load().rank(array.slice(i, 1)) for i in range(len(texts))])
    assert load().rank(array).equals(alone)


@settings(deadline=None, max_examples=60)
@given(text=st.text(alphabet=st.characters(codec="utf-8"), max_size=60))
def test_any_text_scores_as_py3langid_does(oracle, text):
    ours, _ = load().probabilities(pa.array([text]))
    theirs = dict(oracle.rank(letterforms.unshaped(text)))
    np.testing.assert_allclose(ours[0], [theirs[label] for label in load().labels], atol=1e-3)


def test_no_features_no_label():
    assert load().rank(pa.array(["", "Guten Morgen"])).field(0).is_null().to_pylist() == [True, False]
    assert load().rank(pa.array([], pa.string())).to_pylist() == []


def test_the_columns_are_those_promised():
    found = language_id.identify(pa.array(["Guten Morgen, wie geht es dir?"]), pa.array(["deu_Latn"]), load())
    assert found.type == language_id.RETURNS
    assert [f.name for f in found.type] == ["label", "script", "score", "runner_up", "runner_up_score", "agrees"]
    row = found[0].as_py()
    assert (row["label"], row["script"], row["agrees"]) == ("deu_Latn", "Latn", True)
    assert 0.5 < row["score"] <= 1
    assert row["runner_up_score"] < row["score"]
    assert parse(row["runner_up"]).code == row["runner_up"]


@pytest.mark.parametrize("lang", LANGS)
def test_real_paragraphs_agree_with_what_they_are(lang):
    texts = SENTENCES.filter(pc.equal(SENTENCES["lang"], lang))["text"].to_pylist()
    paragraphs = pa.array([" ".join(texts[i : i + 8]) for i in range(0, len(texts), 8)])
    found = language_id.identify(paragraphs, pa.array([parse(lang).code] * len(paragraphs)), load())
    if lang == "tir_Ethi":
        # py3langid knows one language in Ethiopic script. It does not know Tigrinya, and says nothing of it.
        assert set(found.field("agrees").to_pylist()) == {None}
    else:
        assert pc.sum(found.field("agrees")).as_py() >= 0.96 * len(paragraphs)


def shaped(text: str, first: int, last: int) -> str:
    """Write a text with the letters that Unicode has for another shape of them."""
    shapes = {unicodedata.normalize("NFKC", chr(c)): chr(c) for c in range(last - 1, first - 1, -1)}
    return "".join(shapes.get(char, char) for char in text)


@pytest.mark.parametrize(
    ("lang", "first", "last"),
    [
        ("arb_Arab", 0xFE80, 0xFEFD), ("eng_Latn", 0xFF21, 0xFF5B), ("jpn_Jpan", 0xFF66, 0xFFA0),
        ("heb_Hebr", 0xFB21, 0xFB29),
    ],
)  # fmt: skip
def test_letters_in_another_shape_are_read_as_their_language(lang, first, last):
    texts = SENTENCES.filter(pc.equal(SENTENCES["lang"], lang))["text"].to_pylist()
    plain = [" ".join(texts[i : i + 8]) for i in range(0, 40, 8)]
    found = [shaped(text, first, last) for text in plain]
    assert all(a != b for a, b in zip(plain, found, strict=True))
    both = [language_id.identify(pa.array(t), pa.array([lang] * len(t)), load()) for t in (plain, found)]
    assert both[0].field("label").equals(both[1].field("label")) and all(both[1].field("agrees").to_pylist())


def test_text_without_letters_has_no_language():
    rows = language_id.identify(pa.array(["", "12 + 30 = 42", "🙂"]), pa.array(["fra_Latn"] * 3), load()).to_pylist()
    assert (
        rows
        == [
            {"label": None, "script": "Zyyy", "score": None, "runner_up": None, "runner_up_score": None, "agrees": None}
        ]
        * 3
    )


class Fixed:
    """A model that answers each text with the labels that the text itself names: ``first second``."""

    labels = ("fa", "no", "nn", "zh", "yue", "ms", "id", "ku", "sr", "hr", "zxx", "et", "cmn_Hani")

    def rank(self, texts: pa.Array) -> pa.StructArray:
        rows = []
        for text in texts.to_pylist():
            first, second = text.split()[:2]
            rows.append(
                {
                    "label": self.labels.index(first),
                    "score": 0.75,
                    "runner_up": self.labels.index(second),
                    "runner_up_score": 0.25,
                }
            )
        return pa.array(rows, RANKED)


@pytest.mark.parametrize(
    ("says", "letters", "declared", "label", "agrees"),
    [
        ("fa", "فارسی زبان مردم ایران است", "pes_Arab", "pes_Arab", True),
        ("fa", "فارسی زبان مردم ایران است", "prs_Arab", "pes_Arab", True),  # a member without a label of its own
        ("no", "norsk", "nob_Latn", "nob_Latn", True),
        ("no", "norsk", "nno_Latn", "nob_Latn", False),  # which has one
        ("nn", "norsk", "nob_Latn", "nno_Latn", False),
        ("zh", "汉语汉语汉语", "zho_Hans", "zho_Hans", True),
        ("zh", "漢語漢語漢語", "zho_Hans", "zho_Hant", False),
        ("zh", "中文中文中文", "zho_Hant", "zho_Hani", True),
        ("yue", "漢語漢語漢語", "zho_Hant", "yue_Hant", False),
        ("ms", "bahasa", "zsm_Latn", "zsm_Latn", True),
        ("ms", "bahasa", "ind_Latn", "zsm_Latn", False),
        ("ms", "bahasa", "min_Latn", "zsm_Latn", True),
        ("id", "bahasa", "min_Latn", "ind_Latn", None),  # a member that the model does not know
        ("ku", "kurdî", "kmr_Latn", "kmr_Latn", True),
        ("ku", "کوردی زمانی کوردەکان", "ckb_Arab", "ckb_Arab", None),  # not in that script
        ("sr", "српски језик", "srp_Cyrl", "srp_Cyrl", True),
        ("sr", "srpski jezik", "srp_Latn", "srp_Latn", True),
        ("sr", "srpski jezik", "srp_Cyrl", "srp_Latn", False),
        ("hr", "hrvatski jezik", "hbs_Latn", "hrv_Latn", True),
        ("hr", "hrvatski jezik", "srp_Latn", "hrv_Latn", False),
        ("no", "norsk bokmål", "hbs_Latn", "nob_Latn", False),  # known by its members
        ("et", "eesti keel", "vro_Latn", "est_Latn", True),
        ("et", "eesti keel", "swh_Latn", "est_Latn", None),
        ("zxx", "lorem ipsum", "fra_Latn", None, None),
    ],
)
def test_label_and_agreement(says, letters, declared, label, agrees):
    text = pa.array([f"{says} hr {letters * 9}"])
    row = language_id.identify(text, pa.array([declared]), Fixed())[0].as_py()
    assert (row["label"], row["agrees"]) == (label, agrees)
    assert row["score"] == 0.75


def test_the_runner_up_is_a_canonical_code_too():
    row = language_id.identify(pa.array(["no sr norsk"]), pa.array(["nob_Latn"]), Fixed())[0].as_py()
    assert (row["runner_up"], row["runner_up_score"]) == ("srp_Latn", 0.25)


def test_what_py3langid_knows():
    known = [
        c
        for c in ("fra_Latn", "srp_Latn", "uzn_Cyrl", "zho_Hant", "crh_Latn")
        if language_id.knows(load().labels, parse(c))
    ]
    assert known == ["fra_Latn", "srp_Latn", "uzn_Cyrl", "zho_Hant", "crh_Latn"]
    for unknown in ("bam_Latn", "pan_Arab", "kaz_Latn", "prs_Arab", "tir_Ethi"):
        assert not language_id.knows(load().labels, parse(unknown))


def test_only_the_beginning_is_read():
    text = pa.array(["Das ist ein deutscher Satz über das Wetter. " + "This is English text about the weather. " * 50])
    declared = pa.array(["deu_Latn"])
    assert language_id.identify(text, declared, load(), max_chars=44)[0].as_py()["label"] == "deu_Latn"
    assert language_id.identify(text, declared, load(), max_chars=1_000)[0].as_py()["label"] == "eng_Latn"


def test_label_alone():
    texts = pa.chunked_array([["Bonjour tout le monde, comment ça va ?"], ["", "こんにちは、世界"]])
    assert language_id.label(texts).to_pylist() == ["fra_Latn", None, "jpn_Jpan"]


# ------------------------------------------------------------------------------------------------------ fastText


class FakeFastText:
    """What any of the fastText wheels answers; `predict` refuses line breaks as they do."""

    def predict(self, text, k=1, threshold=0.0):
        assert "\n" not in text
        labels = ("__label__als", "__label__en", "__label__de", "__label__bh")
        return (labels, (1.00001, 1e-5, 1e-5, 1e-5)) if k == -1 else (labels[:k], np.array([1.00001, 1e-5])[:k])


@pytest.fixture
def fasttext(monkeypatch, tmp_path):
    module = types.ModuleType("fasttext")

    def load_model(path):
        if Path(path).read_bytes() != b"model":
            raise ValueError(f"{path} has wrong file format!")
        return FakeFastText()

    module.load_model = load_model
    monkeypatch.setitem(sys.modules, "fasttext", module)
    load.cache_clear()
    (tmp_path / "lid.bin").write_bytes(b"model")
    yield tmp_path / "lid.bin"
    load.cache_clear()


def test_a_fasttext_model_is_read_from_its_path(fasttext):
    model = load(str(fasttext))
    assert model.labels == ("als", "bh", "de", "en")
    rows = language_id.identify(
        pa.array(["Grüezi\nmitenand", " \n "]), pa.array(["gsw_Latn", "gsw_Latn"]), model
    ).to_pylist()
    # Wikipedia's als is Alemannic; a probability of fastText may exceed 1.
    assert rows[0]["label"] == "gsw_Latn"
    assert rows[0]["score"] == 1
    assert rows[0]["runner_up"] == "eng_Latn"
    assert rows[0]["agrees"] is True
    assert rows[1]["label"] is None
    assert identifiers.fingerprint(str(fasttext)) == record.digest_file(fasttext)


def test_a_model_that_is_not_there_or_not_one(fasttext):
    with pytest.raises(RequestError, match="language model at nowhere"):
        load("nowhere.bin")
    fasttext.write_bytes(b"text")
    with pytest.raises(RequestError, match="not a fastText model"):
        load(str(fasttext))


def test_without_fasttext_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "fasttext", None)
    (tmp_path / "glotlid.bin").write_bytes(b"")
    with pytest.raises(MissingExtraError, match=r"glotlid\.bin.*\n.*glotmix\[fasttext\]"):
        load(str(tmp_path / "glotlid.bin"))


# --------------------------------------------------------------------------------------------------- the signal


def corpus(folder: Path, shards: int) -> Path:
    """Sentences of five languages as a corpus; German documents stand among the declared French."""
    langs = ["rus_Cyrl", "arb_Arab", "hin_Deva", "tir_Ethi", "ell_Grek"]
    rows = [
        {"id": f"{lang}-{i:04d}", "text": text, "lang": lang, "source": "test"}
        for lang in langs
        for i, text in enumerate(SENTENCES.filter(pc.equal(SENTENCES["lang"], lang))["text"].to_pylist()[:60])
    ]
    german = "Die Stadt liegt an einem Fluss, und ihre Bewohner sind stolz auf ihre Geschichte."
    french = "La ville se trouve au bord d'un fleuve et ses habitants sont fiers de leur histoire."
    rows += [
        {"id": f"fra-{i}", "text": text, "lang": "fra_Latn", "source": "test"}
        for i, text in enumerate([french, german, french, "— 12 —", french])
    ]
    for number in range(shards):
        part = rows[len(rows) * number // shards : len(rows) * (number + 1) // shards]
        table.write(pa.Table.from_pylist(part), folder / f"shard-{number:05d}.parquet")
    return folder


def signal(folder: Path, shards: int) -> tuple[pa.Table, record.Record]:
    documents = corpus(folder / "corpus", shards)
    made = record.build(
        folder / "identify", Identity("signals/identify", 1), lambda output: language_id.make(output, documents)
    )
    return table.read(table.shards(folder / "identify")), made


def test_the_signal_of_a_corpus_and_its_notes(tmp_path):
    rows, made = signal(tmp_path, 1)
    assert made.counts == {"documents": 305}
    assert rows.column_names == ["id", *(f.name for f in language_id.RETURNS)]
    assert rows.schema.field("score").type == pa.float32()
    by_id = {row["id"]: row for row in rows.to_pylist()}
    assert [by_id[f"fra-{i}"]["label"] for i in range(5)] == ["fra_Latn", "deu_Latn", "fra_Latn", None, "fra_Latn"]
    assert [by_id[f"fra-{i}"]["agrees"] for i in range(5)] == [True, False, True, None, True]
    notes = made.notes["languages"]
    assert notes["fra_Latn"] == {
        "documents": 5,
        "identified": 4,
        "known": True,
        "agree": 0.75,
        "others": {"deu_Latn": 1},
    }
    assert notes["tir_Ethi"]["known"] is False
    assert notes["tir_Ethi"]["agree"] is None
    assert notes["tir_Ethi"]["others"] == {"amh_Ethi": 60}
    for lang, note in notes.items():
        mine = [r for r, source in zip(rows.to_pylist(), _langs(tmp_path), strict=True) if source == lang]
        assert note["documents"] == len(mine)
        if note["known"]:
            assert note["agree"] == sum(r["agrees"] is True for r in mine) / sum(r["label"] is not None for r in mine)


def _langs(folder: Path) -> list[str]:
    return table.read(table.shards(folder / "corpus"), ["lang"])["lang"].to_pylist()


def test_one_shard_or_eight_give_the_same_signal(tmp_path):
    one, first = signal(tmp_path / "one", 1)
    eight, second = signal(tmp_path / "eight", 8)
    assert one.equals(eight)
    assert first.notes == second.notes


def test_which_texts_are_changed_before_they_are_read():
    """Python's own normalisation and lower case, of every code point by itself, after a capital, and before a mark."""
    points = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    marks = ["\u0301", "\u093c", "\u3099", "\u1161", "\u11a8", "\u0323\u0307", "\u0307\u0323", "\u09be"]
    some = [c for c in points if unicodedata.decomposition(c) or unicodedata.combining(c) or c.isalpha()][::7]
    texts = [*points, *("A" + c for c in points), *(a + m for a in some for m in marks), "", "ÀÉ Ω Ж", "ÀÉ Ω ж"]
    plain = map(letterforms.unshaped, texts)
    expected = [unicodedata.normalize("NFC", t.lower() if t.isupper() else t) for t in plain]
    assert letterforms.plain(pa.array(texts)).to_pylist() == expected


@given(
    st.text(
        st.sampled_from("aAe\u0301\u0302\u0323é़कडढ़ा\u09c7\u09beবাမ\u1025\u102e각\u1100\u1161\u11a8ﬁÅΐ "), max_size=12
    )
)
@settings(max_examples=300, deadline=None)
def test_what_passes_as_it_is_is_in_nfc(text):
    (found,) = letterforms.plain(pa.array([text])).to_pylist()
    text = letterforms.unshaped(text)
    assert found == unicodedata.normalize("NFC", text.lower() if text.isupper() else text)


def test_letters_that_only_might_join_are_not_normalised_again():
    change = np.zeros(4, np.uint8)
    texts = pa.array(["सड़क", "\u09ac\u09be\u0982\u09b2\u09be", "\u0995\u09c7\u09be", "u\u0308"], pa.large_string())
    letterforms.careful(*letterforms.buffers(texts), *letterforms._letters(), change)
    assert change.tolist() == [0, 0, 1, 1]


def test_the_model_is_unpacked_once_and_mapped_from_then_on(tmp_path, monkeypatch):
    texts = pa.array(SENTENCES["text"].to_pylist()[:200])
    monkeypatch.setenv("GLOTMIX_CACHE", str(tmp_path / "cache"))
    first = identifiers.Py3Langid().rank(texts)
    (folder,) = (tmp_path / "cache" / "models").iterdir()
    monkeypatch.setattr("py3langid.modelio.load_model", None)
    assert identifiers.Py3Langid().rank(texts).equals(first)
    # Half a file is no model: it is unpacked again, and nothing that cannot be written stops a run.
    monkeypatch.undo()
    monkeypatch.setenv("GLOTMIX_CACHE", str(tmp_path / "cache"))
    weights = folder / "weights.npy"
    weights.write_bytes(weights.read_bytes()[:1000])
    assert identifiers.Py3Langid().rank(texts).equals(first)
    (tmp_path / "file").touch()
    monkeypatch.setenv("GLOTMIX_CACHE", str(tmp_path / "file"))
    assert identifiers.Py3Langid().rank(texts).equals(first)


@pytest.mark.parametrize(
    "text",
    ["ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ", "ދިވެހި ބަސް", "ᱥᱟᱱᱛᱟᱲᱤ ᱯᱟᱹᱨᱥᱤ", "ߒߞߏ ߞߊ߲", "ᠮᠣᠩᠭᠣᠯ ᠬᠡᠯᠡ", "ꯃꯤꯇꯩꯂꯣꯟ ꯅꯠꯇ", "ᐃᓄᒃᑎᑐᑦ ᐅᖃᐅᓯᖅ", "ܣܘܪܝܬ ܠܫܢܐ"],
)
def test_a_script_that_the_model_never_saw_has_no_language(text):
    assert language_id.label(pa.array([text])).to_pylist() == [None]
    (row,) = language_id.identify(pa.array([text]), pa.array(["div_Thaa"]), language_id.load("py3langid")).to_pylist()
    assert (row["label"], row["score"], row["runner_up"], row["agrees"]) == (None,) * 4
    # A word of it among others changes nothing.
    mixed = pa.array([f"Die Katze schläft auf dem Sofa und träumt. {text[:3]}"])
    assert language_id.label(mixed).to_pylist() == ["deu_Latn"]
