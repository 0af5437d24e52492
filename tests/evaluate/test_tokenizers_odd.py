"""Tokenizers that drop text: found by decoding again, told in the audit, refused where counts are to be a budget."""

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from typer.testing import CliRunner

from glotmix.cli import app
from glotmix.core.errors import DataError, RequestError
from glotmix.evaluate import pieces, tokenizers
from glotmix.proxy.tokenizer import Pieces
from glotmix.signals.tokenizer import LOST
from glotmix.signals.tokenizer import Tokenizer as Loaded

TEXTS = {
    "eng_Latn": {"0": "The miller sells bread in the village.", "1": "A boat waits in the harbour."},
    "ell_Grek": {"0": "Ο μυλωνάς πουλά ψωμί στο χωριό.", "1": "Ένα καράβι περιμένει στο λιμάνι."},
    "tha_Thai": {"0": "คนสีข้าว sells ขนมปังในหมู่บ้าน", "1": "เรือ waits รออยู่ที่ท่า"},
    "mya_Mymr": {"0": "စက်ပိုင်ရှင်သည် ပေါင်မုန့်ရောင်းသည်", "1": "လှေတစ်စင်းစောင့်နေသည်"},
}
LATIN = ["eng_Latn", "ell_Grek"]


def made(folder: Path, kind: str) -> Path:
    """Train a tokenizer on English and Greek: it lacks Thai and Burmese, unless it has bytes."""
    path = folder / f"{kind}.json"
    corpus = [text for lang in LATIN for text in TEXTS[lang].values()] * 5
    # Some bytes are not in the alphabet of "byte level without all bytes": those of the first 40 signs.
    if kind == "unigram without unknown":
        signs = sorted(set("".join(corpus)) - {" "})
        vocab = [("<unk>", 0.0), ("▁", -2.0), *((sign, -3.0) for sign in signs)]
        loaded = Tokenizer(models.Unigram(vocab, unk_id=None, byte_fallback=False))
        loaded.pre_tokenizer = pre_tokenizers.Metaspace()
        loaded.save(str(path))
        return path
    bytes_ = kind.startswith("byte")
    unknown = "[UNK]" if "unknown" in kind or "wordpiece" in kind else None
    model = models.WordPiece(unk_token="[UNK]") if "wordpiece" in kind else models.BPE(unk_token=unknown)
    loaded = Tokenizer(model)
    special = ["[UNK]"] if unknown else []
    if kind == "fallback without bytes":
        loaded = Tokenizer(models.BPE(byte_fallback=True))
    if kind == "accents":
        loaded.normalizer = normalizers.Sequence(
            [normalizers.NFD(), normalizers.Lowercase(), normalizers.StripAccents()]
        )
    loaded.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False) if bytes_ else pre_tokenizers.Whitespace()
    alphabet = pre_tokenizers.ByteLevel.alphabet() if kind in ("byte level", "byte level without a decoder") else []
    if kind == "byte level":
        loaded.decoder = decoders.ByteLevel()
    maker = trainers.WordPieceTrainer if "wordpiece" in kind else trainers.BpeTrainer
    loaded.train_from_iterator(corpus, maker(vocab_size=400, special_tokens=special, initial_alphabet=alphabet))
    loaded.save(str(path))
    return path


DROPS = ["nothing", "unknown", "wordpiece", "fallback without bytes", "byte level without all bytes", "accents"]
HOLDS = ["byte level", "byte level without a decoder"]


@pytest.mark.parametrize("kind", DROPS)
def test_what_no_token_holds_is_told_and_makes_no_language_cheap(tmp_path, kind):
    found = tokenizers.audit(pieces.load(made(tmp_path, kind)), TEXTS, "eng_Latn", draws=100)
    by = {each.lang: each for each in found.languages}
    for lang in LATIN:
        assert by[lang].lost == 0 and by[lang].premium is not None, lang
    for lang in ("tha_Thai", "mya_Mymr"):
        assert by[lang].lost > 0.4 and by[lang].premium is None, lang
    assert any("letters that no token holds" in w and "tha_Thai" in w and "mya_Mymr" in w for w in found.warnings)
    assert not any("eng_Latn" in warning for warning in found.warnings)


@pytest.mark.parametrize("kind", HOLDS)
def test_what_comes_back_whole_has_lost_nothing(tmp_path, kind):
    found = tokenizers.audit(pieces.load(made(tmp_path, kind)), TEXTS, "eng_Latn", draws=100)
    assert [each.lost for each in found.languages] == [0.0] * 4 and not found.warnings
    assert all(each.premium is not None for each in found.languages)


def test_a_language_of_which_nothing_is_left_has_no_figures_and_the_others_have(tmp_path):
    path = made(tmp_path, "nothing")
    loaded = pieces.load(path)
    found = tokenizers.audit(loaded, TEXTS, "eng_Latn", draws=100)
    burmese = next(each for each in found.languages if each.lang == "mya_Mymr")
    assert burmese.tokens == 0 and burmese.lost == 1
    assert (burmese.bytes_per_token, burmese.rank, burmese.unknown, burmese.premium) == (None, None, None, None)
    assert {(a, b): v for a, b, v in found.overlap}["eng_Latn", "mya_Mymr"] is None
    assert json.loads(json.dumps(found.as_dict(), allow_nan=False))
    against = tokenizers.audit(loaded, TEXTS, "mya_Mymr", draws=100)
    assert all(each.premium is None for each in against.languages)
    assert any("the reference mya_Mymr is not covered itself" in warning for warning in against.warnings)
    table = tmp_path / "t.jsonl"
    rows = [{"lang": lang, "id": k, "text": t} for lang, of in TEXTS.items() for k, t in of.items()]
    table.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    page = tmp_path / "page.html"
    arguments = ["eval", "tokenizers", str(path), "--texts", str(table), "--reference", "en", "--page", str(page)]
    result = CliRunner().invoke(app, [*arguments, "--draws", "100"])
    assert result.exit_code == 0, result.exception
    assert "not covered" in result.stdout and "not covered" in page.read_text("utf-8")


def test_text_that_cannot_be_encoded_is_named_with_its_language(tmp_path):
    path = made(tmp_path, "unigram without unknown")
    with pytest.raises(DataError, match=r"cannot encode the text of mya_Mymr, tha_Thai.*no unknown token"):
        tokenizers.audit(pieces.load(path), TEXTS, "eng_Latn", draws=100)
    some = {lang: TEXTS[lang] for lang in LATIN}
    assert not tokenizers.audit(pieces.load(path), some, "eng_Latn", draws=100).warnings


@pytest.mark.parametrize("kind", [*DROPS, "unigram without unknown"])
def test_such_a_tokenizer_is_refused_for_budgets_before_anything_is_counted(tmp_path, kind):
    made(tmp_path, kind)
    for lang, texts in TEXTS.items():
        rows = [json.dumps({"text": f"{text} " * (4 + n)}) for n, text in enumerate([*texts.values()] * 2)]
        (tmp_path / f"{lang}.jsonl").write_text("\n".join(rows) + "\n", "utf-8")
    sources = "".join(f"  - {{name: {lang}, path: {lang}.jsonl, language: {lang}}}\n" for lang in TEXTS)
    tokens = f"signals: {{tokens: {{tokenizer: {kind}.json}}}}\n"
    recipe = tmp_path / "r.yaml"
    recipe.write_text(f"name: r\nquality: null\ncorpus:\n  sources:\n{sources}{tokens}", "utf-8")
    result = CliRunner().invoke(app, ["run", str(recipe), "-q"])
    assert isinstance(result.exception, DataError if kind.startswith("unigram") else RequestError), result.exception
    said = str(result.exception)
    assert "signals.tokens.tokenizer" in said and "mya_Mymr" in said and "eng_Latn" not in said
    with pytest.raises((DataError, RequestError), match=r"mya_Mymr"):
        Loaded(tmp_path / f"{kind}.json", "x").refuse({k: [*v.values()] for k, v in TEXTS.items()}, "budget")


def test_proxies_refuse_what_drops_their_text(tmp_path):
    path = made(tmp_path, "nothing")
    told = json.loads(path.read_text("utf-8"))
    told["model"]["vocab"]["</s>"] = len(told["model"]["vocab"])
    path.write_text(json.dumps(told), "utf-8")
    with pytest.raises(RequestError, match=r"loses letters of mya_Mymr \(100%\), tha_Thai"):
        Pieces(path).check({lang: [*texts.values()] for lang, texts in TEXTS.items()})
    Pieces(path).check({lang: [*TEXTS[lang].values()] for lang in LATIN})


def test_case_width_and_accents_are_no_loss_and_vowel_signs_are(tmp_path):
    loaded = Loaded(made(tmp_path, "accents"), "x")
    assert loaded.lost([*TEXTS["ell_Grek"].values()]) == 0  # ά is α, Ο is ο
    hindi = "किताब की दुकान"
    full = Loaded(made(tmp_path, "byte level"), "x")
    assert full.lost([hindi]) == 0 and full.lost(["", "  ", "ＡＢＣ　ﬁ"]) == 0
    stripped = Tokenizer.from_file(str(tmp_path / "byte level.json"))
    stripped.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents()])
    stripped.save(str(tmp_path / "s.json"))
    assert Loaded(tmp_path / "s.json", "x").lost([hindi]) > LOST


@pytest.mark.parametrize("name", ["tokenizer.json", "mine.json"])
def test_a_tokenizer_has_a_name_wherever_it_lies(tmp_path, monkeypatch, name):
    folder = tmp_path / "house"
    folder.mkdir()
    made(tmp_path, "byte level").rename(folder / name)
    monkeypatch.chdir(folder)
    wanted = "house" if name == "tokenizer.json" else "mine"
    assert pieces.load(Path(name)).name == wanted == pieces.load(folder / name).name
    if name == "tokenizer.json":
        assert pieces.load(Path()).name == pieces.load(folder).name == "house"


@pytest.mark.parametrize("merge", [["ab", "xĢ"], "ab xĢ", ["ab", ""]])
def test_merges_at_which_the_library_ends_the_process_are_refused(tmp_path, merge):
    import glotmix.export.tokenizer as to_export

    model = {"type": "BPE", "continuing_subword_prefix": "##", "vocab": {"ab": 0, "xĢ": 1}, "merges": [merge]}
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps({"version": "1.0", "added_tokens": [], "model": model}), "utf-8")
    with pytest.raises(RequestError, match="no tokenizer"):
        Loaded(path, "tokens")
    with pytest.raises(RequestError, match="no tokenizer"):
        to_export.load(str(path))


def test_what_is_nested_too_deep_is_no_tokenizer(tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_text("[" * 100_000 + "]" * 100_000, "utf-8")
    with pytest.raises(RequestError, match=r"no tokenizer\.json: nested too deeply"):
        Loaded(path, "tokens")


def test_a_word_that_goes_on_by_its_prefix_is_merged(tmp_path):
    model = {"type": "BPE", "continuing_subword_prefix": "##", "vocab": {"a": 0, "##Ģ": 1, "aĢ": 2}}
    path = tmp_path / "tokenizer.json"
    told = {"version": "1.0", "added_tokens": [], "model": model | {"merges": [["a", "##Ģ"]]}}
    path.write_text(json.dumps(told), "utf-8")
    assert Loaded(path, "tokens").encode(["aĢ"])[0].ids == [2]
