"""Packing: what stands beside what, and which token bears loss, whatever the tokenizer."""

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from corpus_world import SCRIPTS
from glotmix.align import encode, packing
from glotmix.align.packing import Options, Piece, Sample, Unit
from glotmix.core.errors import RequestError


@pytest.fixture(scope="module")
def units():
    langs = sorted(SCRIPTS)
    made = []
    for number in range(60):
        for a, b in zip(langs[::2], langs[1::2], strict=False):
            made.append(Unit(f"{number}-{a}", {a: f"{SCRIPTS[a][:40]} {number}", b: f"{SCRIPTS[b][:40]} {number}"}))
    return made


@pytest.fixture(scope="module", params=["bytes", "metaspace"])
def tokenizer(request):
    made = Tokenizer(models.BPE(unk_token="<unk>"))
    trainer = {"vocab_size": 700, "special_tokens": ["<unk>", "</s>"], "show_progress": False}
    if request.param == "bytes":
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        trainer["initial_alphabet"] = pre_tokenizers.ByteLevel.alphabet()
    else:
        made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.train_from_iterator(SCRIPTS.values(), trainers.BpeTrainer(**trainer))
    return made


def texts_of(samples, lang):
    return sorted(p.text.strip() for s in samples for p in s.pieces if p.lang == lang)


@pytest.mark.parametrize("kind", ["format", "mapping", "unpaired", "shuffled"])
def test_every_way_of_packing_holds_every_sentence_once(units, kind):
    samples = list(packing.pairing(kind).pack(units, Options(pairs=7), 3))
    for lang in SCRIPTS:
        mine = sorted(packing.line(u.versions[lang]) for u in units if lang in u.versions)
        if mine:
            assert texts_of(samples, lang) == mine
    assert samples == list(packing.pairing(kind).pack(units, Options(pairs=7), 3))
    assert samples != list(packing.pairing(kind).pack(units, Options(pairs=7), 4))


def test_format_puts_translations_beside_each_other_and_controls_never_do(units):
    beside = {
        (packing.line(a), packing.line(b)) for u in units for a in u.versions.values() for b in u.versions.values()
    }

    def neighbours(kind):
        for sample in packing.pairing(kind).pack(units, Options(pairs=7), 0):
            texts = [piece for piece in sample.pieces if piece.lang]
            for one, other in zip(texts[::2], texts[1::2], strict=False):
                if one.lang != other.lang:
                    yield (one.text.strip(), other.text.strip()) in beside

    assert len(list(neighbours("format"))) == len(list(neighbours("shuffled"))) == len(units)
    assert all(neighbours("format"))
    assert not any(neighbours("shuffled"))
    assert list(neighbours("unpaired")) == []


def test_both_directions_are_balanced(units):
    samples = list(packing.pairing("format").pack(units, Options(pairs=5), 1))
    counts = {}
    for s in samples:
        counts[s.direction] = counts.get(s.direction, 0) + 1
    for direction, n in counts.items():
        a, b = direction.split(">")
        assert abs(n - counts[f"{b}>{a}"]) <= 1
    one = packing.pairing("format").pack(units, Options(directions="forward"), 1)
    assert all(s.direction.split(">")[0] < s.direction.split(">")[1] for s in one)


def test_units_of_many_languages_give_each_version_once():
    unit = Unit("u", dict(SCRIPTS))
    found = [c for chunk in packing.couples([unit], "both", 0, 40) for c in chunk]
    used = [lang for c in found for lang in (c.source, c.target)]
    assert set(used) == set(SCRIPTS)
    assert len(used) == len(SCRIPTS) + len(SCRIPTS) % 2


def test_loss_stands_on_the_target_alone_its_first_token_counted(units, tokenizer):
    samples = list(packing.pairing("mapping").pack(units, Options(pairs=4), 0))
    for sample, found in zip(samples, encode.encode(samples, tokenizer, end=1), strict=True):
        whole = tokenizer.encode(sample.text, add_special_tokens=False)
        assert found.tokens.tolist() == [*whole.ids, 1]
        edges = np.cumsum([0, *(len(p.text) for p in sample.pieces)])
        for (start, stop), bears in zip(whole.offsets, found.loss, strict=False):
            inside = {n for n in range(len(sample.pieces)) if start < edges[n + 1] and stop > edges[n]}
            letters = {n for n in inside if sample.text[max(start, edges[n]) : min(stop, edges[n + 1])].strip()}
            if bears:
                # No letter of a source, nor of a name, is learned.
                assert all(sample.pieces[n].loss for n in letters)
            elif letters:
                assert not any(sample.pieces[n].loss for n in letters)
        assert np.array_equal(found.labels != encode.IGNORED, found.loss)
        assert np.array_equal(found.labels[found.loss], found.tokens[found.loss])
        for begin in found.begins.tolist():
            start = whole.offsets[begin][0]
            assert sample.text[start:].lstrip().startswith(tuple(packing.name_of(x) for x in SCRIPTS))


def test_a_label_of_its_own_takes_the_place_of_the_first_token(tokenizer):
    sample = Sample((Piece("the "), Piece("casa", "spa_Latn", label="house"), Piece(" stands")))
    (found,) = encode.encode([sample], tokenizer)
    whole = tokenizer.encode(sample.text, add_special_tokens=False)
    mine = [i for i, (a, b) in enumerate(whole.offsets) if a < 8 and b > 4]
    assert found.labels[mine[0]] == tokenizer.encode("house", add_special_tokens=False).ids[0]
    assert (found.labels[mine[1:]] == encode.IGNORED).all()
    assert not found.loss[mine].any()


def test_an_unknown_way_is_refused_with_those_there_are():
    with pytest.raises(RequestError, match="did you mean 'format'"):
        packing.pairing("formats")


def test_a_token_that_joins_what_stands_before_with_a_target_counts():
    whole = Tokenizer(models.WordLevel({"spanish:hola": 0, "<unk>": 1}, unk_token="<unk>"))
    joined, apart = Piece("spanish:", loss=False), Piece("hola", "spa_Latn")
    (found,) = encode.encode([Sample((joined, apart))], whole)
    assert found.loss.tolist() == [True]
    (found,) = encode.encode([Sample((Piece("spanish:"), Piece("hola", "spa_Latn", loss=False)))], whole)
    assert found.loss.tolist() == [False]
