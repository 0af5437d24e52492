"""Packed text as it is written: switched words and sentences, windows, masks and labels, by readers of their own."""

import json
import struct

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from corpus_world import SCRIPTS
from glotmix.align import encode, lexicon, packed, packing, switching, windows
from glotmix.align.config import AlignSection, PackSection, WriteSection, refuse
from glotmix.align.packing import Options, Unit
from glotmix.core import record
from glotmix.core.errors import DataError, RequestError
from glotmix.export.token_files import NO_LOSS


@pytest.fixture(scope="module")
def units():
    langs = sorted(SCRIPTS)
    made = []
    for number in range(24):
        for a, b in zip(langs[::2], langs[1::2], strict=False):
            texts = {lang: f"{SCRIPTS[lang]} {number}" for lang in (a, b)}
            made.append(Unit(f"{number}-{a}", texts, f"{a}-{number // 8}"))
    return made


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=500, special_tokens=["</s>"], initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator(SCRIPTS.values(), trainer)
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    made.save(str(path))
    return path


def built(to, make):
    return record.build(to, record.Identity("align/tokens", 1), make)


def tokens(to, units, tokenizer, kind, formats, **more):
    pack = PackSection(kind=kind, pairs=5, **{k: more.pop(k) for k in ("labels", "lexicon") if k in more})
    given = pack.lexicon
    section = WriteSection(tokenizer=str(tokenizer), formats=formats, **more)
    made = packed.samples(pack, units, given)
    masked = packing.pairing(kind).masks or pack.labels == "input"
    return made, built(to, lambda o: packed.tokenise(o, made, section, str(tokenizer), masked))


def of_datatrove(path):
    flat, ends = np.fromfile(path, np.uint16), np.fromfile(f"{path}.index", np.uint64).astype(int)
    loss = np.fromfile(f"{path}.loss", np.uint8)
    assert len(loss) == len(flat)
    assert set(loss.tolist()) <= {0, 1}
    return [(flat[a:b].tolist(), loss[a:b].tolist()) for a, b in zip([0, *ends], ends, strict=False)]


def of_parquet(path):
    rows = pq.read_table(path).to_pylist()
    return [(r["input_ids"], [int(label != NO_LOSS) for label in r["labels"]]) for r in rows], rows


def test_files_of_every_form_hold_the_same_tokens_and_masks(tmp_path, units, tokenizer):
    made, told = tokens(tmp_path / "out", units, tokenizer, "mapping", ("datatrove", "parquet", "numpy"))
    library = Tokenizer.from_file(str(tokenizer))
    ours = of_datatrove(tmp_path / "out/train-00000.ds")
    found, _ = of_parquet(tmp_path / "out/train-00000.parquet")
    assert ours == found
    loss = np.load(tmp_path / "out/train-00000.loss.npy")
    assert loss.tolist() == [bool(x) for _, row in ours for x in row]
    assert len(ours) == len(made)
    for sample, (ids, mask) in zip(made, ours, strict=True):
        assert ids == [*library.encode(sample.text, add_special_tokens=False).ids, 0]
        spans = [library.decode([i for i, bears in zip(ids, mask, strict=True) if bears])]
        learned = "".join(p.text for p in sample.pieces if p.loss)
        assert spans[0] == learned
    assert told.counts["loss_tokens"] == sum(sum(mask) for _, mask in ours) < told.counts["tokens"]


@pytest.mark.parametrize("length", [90, 150])
def test_no_window_is_cut_within_a_pair_and_what_fills_it_bears_no_loss(tmp_path, units, tokenizer, length):
    made, told = tokens(tmp_path / "out", units, tokenizer, "mapping", ("datatrove", "parquet"), length=length)
    library = Tokenizer.from_file(str(tokenizer))
    _, rows = of_parquet(tmp_path / "out/train-00000.parquet")
    assert [ids for ids, _ in of_datatrove(tmp_path / "out/train-00000.ds")] == [r["input_ids"] for r in rows]
    names = tuple(packing.name_of(lang) for lang in SCRIPTS)
    lines = {"".join(p.text for p in s.pieces[b : b + 4]) for s in made for b in s.begins}
    seen = 0
    for row in rows:
        assert len(row["input_ids"]) == len(row["labels"]) == length
        used = [i for i, part in zip(row["input_ids"], row["document"], strict=True) if part >= 0]
        text = library.decode(used)
        assert text.startswith(names)
        seen += sum(line in text for line in lines)
        for label, part in zip(row["labels"], row["document"], strict=True):
            assert part >= 0 or label == NO_LOSS
        starts = [n for n, (a, b) in enumerate(zip([None, *row["document"]], row["document"], strict=False)) if a != b]
        assert all(row["position_ids"][n] == 0 for n in starts)
        assert max(row["position_ids"]) < length
    assert seen + told.counts["too_long"] >= len(lines)
    assert (told.counts["too_long"] > 0) == (length == 90)
    assert told.counts["filled"] == sum(part < 0 for r in rows for part in r["document"])
    said = told.notes.get("warnings", [])
    lost = f"{told.counts['too_long']:,} of {told.counts['pairs']:,} pairs are longer than a window of {length} tokens"
    assert bool(said) == (length == 90)
    assert all(one.startswith(lost) for one in said)


def test_windows_that_no_pair_fits_are_refused(tmp_path, units, tokenizer):
    with pytest.raises(DataError, match="pairs are longer than a window of 8 tokens"):
        tokens(tmp_path / "out", units, tokenizer, "format", ("parquet",), length=8)


def test_a_tokenizer_without_that_end_is_refused_with_the_section_that_asked(tmp_path, units, tokenizer):
    with pytest.raises(RequestError, match=r"align\.write: the tokenizer has no token") as caught:
        tokens(tmp_path / "out", units, tokenizer, "format", ("parquet",), end="<end>")
    assert caught.value.fix == "align.write.end=TOKEN, one of </s>"


def test_megatron_is_written_without_masks_and_refused_with_what_to_choose(tmp_path, units, tokenizer):
    tokens(tmp_path / "out", units, tokenizer, "format", ("megatron",))
    index = (tmp_path / "out/train-00000_text_document.idx").read_bytes()
    assert struct.unpack("<QBQQ", index[9:34])[2] == len(
        list(packing.pairing("format").pack(units, Options(pairs=5), 0))
    )
    with pytest.raises(
        ValueError, match="megatron cannot say which tokens bear loss, and mapping needs it; one of datat"
    ):
        refuse(PackSection(kind="mapping"), WriteSection(tokenizer="t", formats=("megatron",)))
    with pytest.raises(ValueError, match=r"align\.write\.length=null"):
        refuse(PackSection(), WriteSection(tokenizer="t", formats=("megatron",), length=128))
    with pytest.raises(ValueError, match=r"align\.pack\.labels=plain"):
        refuse(PackSection(kind="switch_word", labels="input"), WriteSection(tokenizer="t", formats=("datatrove",)))
    with pytest.raises(RequestError, match="cannot say which tokens bear loss"):
        tokens(tmp_path / "no", units, tokenizer, "mapping", ("megatron",))


def test_the_text_form_says_which_characters_bear_no_loss(tmp_path, units):
    made = packed.samples(PackSection(kind="mapping", pairs=40), units)
    built(tmp_path / "out", lambda o: packed.make(o, made))
    with pa.input_stream(str(tmp_path / "out/text/train-00000.jsonl.zst"), compression="zstd") as stream:
        rows = [json.loads(text) for text in stream.read().decode().split("\n")[:-1]]
    for row, sample in zip(rows, made, strict=True):
        kept = list(row["text"])
        for start, stop in reversed(row["no_loss_ranges"]):
            del kept[start:stop]
        assert "".join(kept) == "".join(p.text for p in sample.pieces if p.loss)


@pytest.fixture(scope="module")
def bilingual():
    words = {"house": "casa", "dog": "perro", "river": "río", "night": "noche", "bread": "pan", "tree": "árbol"}
    rng = np.random.default_rng(0)
    made = []
    for number in range(120):
        some = [list(words)[i] for i in rng.permutation(len(words))[:3]]
        made.append(
            Unit(
                f"{number}",
                {"eng_Latn": f"The {' the '.join(some)}.", "spa_Latn": f"El {' el '.join(words[w] for w in some)}."},
            )
        )
    return made, words


def test_a_lexicon_is_induced_from_the_pairs(bilingual):
    units, words = bilingual
    found = lexicon.induced(units)
    assert all(found["eng_Latn", one] == [("spa_Latn", other)] for one, other in words.items())
    assert all(found["spa_Latn", other] == [("eng_Latn", one)] for one, other in words.items())


def test_words_switch_at_the_rate_that_is_asked_for(bilingual):
    units, words = bilingual
    there = {("eng_Latn", a): [("spa_Latn", b)] for a, b in words.items()}
    for rate in (0.1, 0.4):
        made = list(switching.switch_word(units, Options(rate=rate, lexicon=there), 0))
        english = [s for s in made if s.direction.startswith("eng_Latn+")]
        switched = sum(p.lang == "spa_Latn" for s in english for p in s.pieces)
        assert switched / (6 * len(units)) == pytest.approx(rate, abs=0.03)
        back = {b: a for a, b in words.items()}
        texts = "".join(back.get(p.text, p.text) if p.lang == "spa_Latn" else p.text for s in english for p in s.pieces)
        assert texts.split("\n")[:-1] == [u.versions["eng_Latn"] for u in units]


def test_input_labels_teach_the_word_that_stood_there(tmp_path, bilingual, tokenizer):
    units, words = bilingual
    table = pa.table({"lang": ["es"] * len(words), "eng": list(words), "word": list(words.values())})
    pq.write_table(table, tmp_path / "words.parquet")
    given = lexicon.read(tmp_path / "words.parquet", {"eng_Latn", "spa_Latn"})
    made = list(switching.switch_word(units, Options(rate=0.5, labels="input", lexicon=given), 0))
    library = Tokenizer.from_file(str(tokenizer))
    back = {b: a for a, b in words.items()} | words
    for sample, found in zip(made, encode.encode(made, library), strict=True):
        odd = np.flatnonzero((found.labels != encode.IGNORED) & (found.labels != found.tokens))
        switched = [p for p in sample.pieces if p.label]
        firsts = {library.encode(back[p.text], add_special_tokens=False).ids[0] for p in switched}
        assert set(found.labels[odd].tolist()) <= firsts
        assert 0 < len(odd) <= len(switched)


@pytest.mark.parametrize("kind", ["multiway", "documents", "xlda", "switch_sentence"])
def test_whole_texts_stay_whole(kind):
    langs = ("eng_Latn", "tha_Thai", "zho_Hans", "mya_Mymr")
    units = [Unit(f"{n}", {lang: f"{SCRIPTS[lang][:20]} {n}." for lang in langs}, f"d{n // 6}") for n in range(30)]
    made = packed.samples(PackSection(kind=kind, pairs=40), units)
    assert made == packed.samples(PackSection(kind=kind, pairs=40), units)
    known = {packing.line(text) for u in units for text in u.versions.values()}
    texts = [packing.line(t) for s in made for p in s.pieces if p.lang for t in p.text.split(".") if t.strip()]
    assert {f"{t}." for t in texts} <= known | {f"{k}." for k in known}
    counts = {lang: sum(p.lang == lang for s in made for p in s.pieces) for lang in langs}
    if kind == "multiway":
        assert set(counts.values()) == {30}
    if kind == "xlda":
        # Each document in each language once, no two versions of one in a sample.
        assert set(counts.values()) == {5}
        for sample in made:
            numbers = [p.text.split(".")[0].rsplit(" ", 1)[1] for p in sample.pieces]
            assert len(set(numbers)) == len(numbers)
    if kind == "documents":
        assert len(made) == 5
        assert all(len({p.lang for p in s.pieces} - {""}) == 2 for s in made)
    if kind == "switch_sentence":
        assert sum(counts.values()) == 30
        assert min(counts.values()) > 0


def test_two_versions_are_too_few_for_multiway(units):
    with pytest.raises(DataError, match="multiway needs 3 versions"):
        packed.samples(PackSection(kind="multiway"), units)


def test_a_killed_run_of_tokens_ends_as_the_same_bytes(tmp_path, units, tokenizer, monkeypatch):
    tokens(tmp_path / "whole", units, tokenizer, "mapping", ("datatrove", "parquet"), shard_tokens=500)
    real, calls = windows.flat, []

    def breaking(given):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(given)

    monkeypatch.setattr(packed, "flat", breaking)
    with pytest.raises(KeyboardInterrupt):
        tokens(tmp_path / "killed", units, tokenizer, "mapping", ("datatrove", "parquet"), shard_tokens=500)
    tokens(tmp_path / "killed", units, tokenizer, "mapping", ("datatrove", "parquet"), shard_tokens=500)
    read = [
        {p.name: p.read_bytes() for p in (tmp_path / name).iterdir() if p.is_file() and p.name != record.RECORD}
        for name in ("whole", "killed")
    ]
    assert read[0] == read[1]
    assert len(read[0]) > 6


def test_the_section_says_what_is_wrong_with_it():
    with pytest.raises(ValueError, match="did you mean 'format'"):
        AlignSection.model_validate({"pack": {"kind": "fromat"}})
    with pytest.raises(ValueError, match="sum to 1"):
        PackSection(place=(0.5, 0.2))
