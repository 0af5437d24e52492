"""A full encoder learns from pairs: a tiny one, made on the spot."""

import sys

import numpy as np
import pytest

from glotmix.core.errors import DataError, MissingExtraError
from glotmix.quality import encoder
from glotmix.quality.encoder import Encoder, EncoderConfig
from glotmix.quality.pairs import Labels, Pairs, draw

GOOD = {"eng_Latn": "calm river", "tha_Thai": "น้ำ ใส", "amh_Ethi": "ወንዝ ጸጥ"}
BAD = {"eng_Latn": "click login", "tha_Thai": "คลิก เข้า", "amh_Ethi": "ጠቅ ግባ"}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """An encoder of two layers with a tokenizer of white-space words (the texts here have nothing else)."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    words = sorted({w for side in (GOOD, BAD) for text in side.values() for w in text.split()})
    vocabulary = {w: i for i, w in enumerate(["[PAD]", "[UNK]", *words])}
    raw = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    folder = tmp_path_factory.mktemp("encoder")
    PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(folder)
    torch.manual_seed(0)
    size = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    BertModel(BertConfig(vocab_size=len(vocabulary), max_position_embeddings=32, **size)).save_pretrained(folder)
    return folder


def world(n=40, seed=0):
    """Groups in three languages: the more good words, the better."""
    rng = np.random.default_rng(seed)
    share = rng.random(n)
    texts, groups, langs = [], [], []
    for i in range(n):
        picks = rng.random(8) < share[i]
        for lang, text in GOOD.items():
            good, bad = text.split(), BAD[lang].split()
            texts.append(" ".join(good[k % 2] if pick else bad[k % 2] for k, pick in enumerate(picks)))
            groups.append(f"g{i:02d}")
            langs.append(lang)
    names = np.array(sorted(set(groups)), object)
    a, b = rng.integers(0, n, (2, 400))
    a, b = a[a != b], b[a != b]
    labels = Labels(names[a], names[b], (share[a] > share[b]).astype(float))
    found = draw(np.array(groups, object), np.array(langs, object), labels, 120, 0)
    return texts, np.repeat(share, 3), found


def test_an_encoder_learns_from_pairs_and_is_read_again(tiny, tmp_path):
    texts, share, found = world()
    config = EncoderConfig(model=str(tiny), epochs=8, step=2e-3, head_step=1e-2, max_tokens=16)
    before = np.corrcoef(Encoder(str(tiny)).score(texts), share)[0, 1]
    made = encoder.train(texts, found, config)
    scores = made.score(texts)
    assert np.corrcoef(scores, share)[0, 1] > max(0.85, before + 0.3)
    # Weights of the encoder itself have moved, not those of the head alone.
    moved = dict(made.model.named_parameters())
    assert any((moved[n] - p).abs().max() > 1e-3 for n, p in Encoder(str(tiny)).model.named_parameters())
    made.write(tmp_path)
    np.testing.assert_allclose(Encoder.read(tmp_path, 16).score(texts), scores, atol=1e-6)
    assert {p.suffix for p in tmp_path.iterdir()} <= {".json", ".safetensors"}
    again = encoder.train(texts, found, config).score(texts)
    np.testing.assert_allclose(again, scores, atol=1e-5)
    new, truth, _ = world(seed=5)
    assert np.corrcoef(made.score(new), truth)[0, 1] > 0.8


def test_without_pairs_or_without_torch_it_says_so(tiny, tmp_path, monkeypatch):
    nothing = Pairs(*(np.zeros(0, t) for t in (int, int, float, int)))
    with pytest.raises(DataError, match="nothing to learn from"):
        encoder.train(["x"], nothing, EncoderConfig(model=str(tiny)))
    with pytest.raises(DataError, match="there is no rater in"):
        Encoder.read(tmp_path)
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtraError, match="needs the extra 'hub'"):
        Encoder(str(tiny))
