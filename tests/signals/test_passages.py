"""Several identifiers and one verdict; a real fastText model; the share of each language in a document."""

import doctest
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from glotmix.cli import app
from glotmix.core.errors import RequestError
from glotmix.core.record import Identity, build
from glotmix.pipeline import recipe as recipes
from glotmix.pipeline.run import Job
from glotmix.signals import identifiers, language_id, passages, reconciled
from glotmix.signals.identifiers import load

DATA = Path(__file__).parents[1] / "data"
TINY = DATA / "tiny.bin"
SENTENCES = pq.read_table(DATA / "sentences.parquet")
LANGS = sorted(set(SENTENCES["lang"].to_pylist()))


def sentences(lang, start, stop):
    return SENTENCES.filter(pc.equal(SENTENCES["lang"], lang))["text"].to_pylist()[start:stop]


def joined(lang, start, stop):
    space = "" if lang.rpartition("_")[2] in ("Hans", "Jpan", "Mymr", "Khmr") else " "
    return space.join(sentences(lang, start, stop))


def test_docstrings():
    assert doctest.testmod(reconciled).failed == 0


def said(label, score, agrees, runner_up="zza_Latn"):
    return {"label": label, "script": "Latn", "score": score, "runner_up": runner_up, "runner_up_score": 0.0,
            "agrees": agrees}  # fmt: skip


def verdict(declared, *voices):
    held = {f"m{n}": pa.array([one], language_id.RETURNS) for n, one in enumerate(voices)}
    (row,) = reconciled.reconcile(held, pa.array([declared])).to_pylist()
    return row


def test_a_verdict_is_what_the_voices_agree_on_and_dissent_lowers_its_score():
    alike = verdict("fra_Latn", said("eng_Latn", 0.9, False), said("eng_Latn", 0.8, False))
    assert (alike["label"], alike["agrees"]) == ("eng_Latn", False)
    assert alike["score"] == pytest.approx(0.85)
    assert (alike["label_m0"], alike["score_m1"]) == ("eng_Latn", pytest.approx(0.8))
    split = verdict("fra_Latn", said("eng_Latn", 0.9, False), said("fra_Latn", 0.8, True))
    assert (split["label"], split["agrees"], split["runner_up"]) == ("eng_Latn", False, "fra_Latn")
    assert split["score"] == pytest.approx(0.45)
    two = verdict("fra_Latn", said("eng_Latn", 0.9, False), said("fra_Latn", 0.8, True), said("fra_Latn", 0.7, True))
    assert (two["label"], two["agrees"]) == ("fra_Latn", True)


def test_a_model_that_does_not_know_the_language_has_no_voice_where_another_does():
    found = verdict("tir_Ethi", said("amh_Ethi", 0.99, None), said("tir_Ethi", 0.6, True))
    assert (found["label"], found["agrees"]) == ("tir_Ethi", True)
    assert found["score"] == pytest.approx(0.6)
    nobody = verdict("tir_Ethi", said("amh_Ethi", 0.99, None), said("amh_Ethi", 0.9, None))
    assert (nobody["label"], nobody["agrees"]) == ("amh_Ethi", None)
    nothing = verdict("tir_Ethi", said(None, None, None), said(None, None, None))
    assert nothing["label"] is None


def test_languages_that_cannot_be_told_apart_are_one_voice():
    found = verdict("bos_Latn", said("hrv_Latn", 0.6, False), said("bos_Latn", 0.5, True), said("eng_Latn", 0.9, False))
    assert (found["label"], found["agrees"]) == ("bos_Latn", True)
    assert found["score"] == pytest.approx((0.6 + 0.5) / 3)


def test_two_models_of_one_name_are_refused():
    with pytest.raises(RequestError, match="names lid twice"):
        reconciled.names(["a/lid.bin", "b/lid.ftz"])


def test_a_trained_fasttext_model_is_read_and_ranks_every_script():
    load.cache_clear()
    model = load(str(TINY))
    assert len(model.labels) == len(LANGS) >= 13
    for lang in LANGS:
        texts = pa.array([joined(lang, n, n + 4) for n in range(0, 40, 4)])
        rows = language_id.identify(texts, pa.array([lang] * 10), model).to_pylist()
        assert sum(row["label"] == lang for row in rows) >= 9, lang
        assert all(0 < row["score"] <= 1 for row in rows)
        assert all(row["runner_up"] != row["label"] for row in rows)
    load.cache_clear()


def test_a_signal_of_two_models_has_both_and_one_verdict(tmp_path):
    (tmp_path / "corpus/x").mkdir(parents=True)
    rows = [{"id": f"{lang}-{n}", "text": joined(lang, n, n + 3), "lang": lang} for lang in LANGS for n in (0, 5, 9)]
    rows.append({"id": "wrong", "text": joined("rus_Cyrl", 0, 4), "lang": "eng_Latn"})
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "corpus/x/0.parquet")

    def make(output):
        return language_id.make(output, tmp_path / "corpus", also=(str(TINY),), by_sentence=True)

    build(tmp_path / "out", Identity("signals/identify", 1), make)
    found = pq.read_table(tmp_path / "out/part-00000.parquet").to_pylist()
    assert {"label_py3langid", "score_py3langid", "label_tiny", "score_tiny", "languages", "mixture"} <= set(found[0])
    assert found[-1]["label"] == found[-1]["label_tiny"] == "rus_Cyrl"
    assert found[-1]["agrees"] is False
    # Tigrinya is unknown to py3langid and known to the other, whose word counts.
    tigrinya = [row for row in found if row["id"].startswith("tir_Ethi")]
    assert [row["label_py3langid"] for row in tigrinya] != ["tir_Ethi"] * 3
    assert [(row["label"], row["agrees"]) for row in tigrinya] == [("tir_Ethi", True)] * 3


def shares(text, declared):
    (row,) = passages.measure(pa.array([text]), pa.array([declared]), language_id.identify, load()).to_pylist()
    parts = [] if row["languages"] is None else [p.split(":") for p in row["languages"].split(",")]
    return {code: float(share) for code, share in parts}, row["mixture"]


@pytest.mark.parametrize("lang", LANGS)
def test_a_document_in_one_language_is_in_one(lang):
    if lang == "tir_Ethi":
        # Unknown to the model: what it reads as says nothing.
        assert shares(joined(lang, 0, 12), lang) == ({"tir_Ethi": 1.0}, None)
        return
    for at in (0, 12, 24):
        found, kind = shares(joined(lang, at, at + 12), lang)
        assert found == {lang: 1.0}, (lang, at, found)
        assert kind is None


@pytest.mark.parametrize("lang", [one for one in LANGS if one != "eng_Latn"])
def test_a_quotation_a_switch_and_a_mixture_are_told_apart_in_every_script(lang):
    english = sentences("eng_Latn", 0, 30)
    own = [joined(lang, n, n + 4) for n in range(0, 16, 4)]
    found, kind = shares("\n".join([own[0], own[1], english[0], own[2], own[3]]), lang)
    assert kind == "quotation"
    assert set(found) == {lang, "eng_Latn"}
    assert found[lang] > 0.6
    found, kind = shares("\n".join([*own[:2], *english[:6]]), lang)
    assert kind == "switched"
    assert set(found) == {lang, "eng_Latn"}
    found, kind = shares("\n".join([own[0], *english[:3], own[1], *english[3:6], own[2]]), lang)
    assert kind == "mixed"
    assert 0.2 < found["eng_Latn"] < 0.8


def test_shares_are_of_characters_and_nothing_is_made_of_no_text():
    spanish = "La ciudad está junto a un río y sus habitantes están orgullosos de su historia. " * 6
    german = "Die Stadt liegt an einem Fluss, und ihre Bewohner sind stolz auf ihre Geschichte. " * 2
    found, kind = shares(spanish + german, "spa_Latn")
    assert found["deu_Latn"] == pytest.approx(len(german) / len(spanish + german), abs=0.06)
    assert kind == "switched"
    assert shares("12:30 — 13:45 🙂", "spa_Latn") == ({}, None)
    assert shares("", "tha_Thai") == ({}, None)
    # Croatian in a Bosnian document is no other language.
    croatian = "Grad leži na rijeci, a njegovi stanovnici ponosni su na svoju povijest i na stare mostove. " * 3
    assert shares(croatian, "bos_Latn") == ({"bos_Latn": 1.0}, None)


def test_the_fingerprint_of_a_model_is_its_bytes():
    assert len(identifiers.fingerprint(str(TINY))) == 64


def test_languages_that_no_model_knows_are_named_before_the_run(tmp_path):
    sources = "[{name: a, path: a.jsonl, language: ti}, {name: b, path: b.jsonl, language: fr}]"
    text = f"name: u\noutput: out\ncorpus: {{sources: {sources}}}\n"
    (tmp_path / "r.yaml").write_text(text, "utf-8")
    (told,) = Job(recipes.load(tmp_path / "r.yaml", ()), tmp_path).strangers()
    assert "does not know tir_Ethi" in told
    assert "read as amh_Ethi" in told
    known = recipes.load(tmp_path / "r.yaml", [f"signals.identify.also={TINY}"])
    assert Job(known, tmp_path).strangers() == []
    for name in "ab":
        (tmp_path / f"{name}.jsonl").write_text('{"text": "ሰላም bonjour"}\n', "utf-8")
    said = CliRunner().invoke(app, ["run", str(tmp_path / "r.yaml"), "--dry-run"])
    assert "does not know tir_Ethi" in said.stderr


def test_short_sentences_are_read_together_and_never_across_texts_or_scripts():
    short = "Short one here now. "
    found, owners = passages.cut_up([short * 12, short * 3 + "Короткое слово здесь. " * 3], ["eng_Latn"] * 2)
    assert owners == [0, 0, 1, 1]
    assert all(len(passage.encode()) >= passages.LEAST for passage in found[:2])
    assert found[2].isascii()
    assert not found[3].isascii()


@pytest.mark.parametrize(
    ("label", "agrees", "score", "expected"),
    [("spa_Latn", False, 0.95, "spa_Latn:1.00"), ("spa_Latn", False, 0.6, "ita_Latn:1.00"),
     ("spa_Latn", None, 0.99, "ita_Latn:1.00"), ("rus_Cyrl", False, 0.2, "rus_Cyrl:1.00")],
)  # fmt: skip
def test_in_the_documents_script_another_language_must_be_sure(label, agrees, score, expected):
    def identify(texts, declared, model):
        row = said(label, score, agrees) | {"script": label[-4:]}
        return pa.array([row] * len(texts), language_id.RETURNS)

    text = "Un testo di prova, lungo abbastanza per essere letto come una frase sola."
    (row,) = passages.measure(pa.array([text]), pa.array(["ita_Latn"]), identify, None).to_pylist()
    assert row["languages"] == expected
