"""A whole encoder on the triplet loss: a tiny one, trained for real."""

from pathlib import Path

import numpy as np
import pytest
from test_instruct_qsm import known

from glotmix.instruct import encoder, pairs


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random encoder of two small layers over letters, as sentence-transformers saves one."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules
    from transformers import BertConfig, BertModel, BertTokenizer

    folder = tmp_path_factory.mktemp("tiny")
    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters), *",.0123456789"]
    (folder / "vocab.txt").write_text("\n".join(words), "utf-8")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder / "bert")
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder / "bert")
    whole = modules.Transformer(str(folder / "bert"), max_seq_length=32)
    model = SentenceTransformer(modules=[whole, modules.Pooling(32)], device="cpu")
    model.save(str(folder / "model"))
    return folder / "model"


def test_a_tiny_encoder_learns_the_pairs_and_the_best_pass_is_kept(tiny: Path, tmp_path: Path) -> None:
    given = known(40)
    rows, stop, test = pairs.split(given.groups, 0)
    config = encoder.EncoderConfig(epochs=2, rate=3e-3, batch=8)
    told = encoder.train(tiny, given, rows, stop, config, 0, tmp_path / "trained")
    assert len(told["accuracy"]) == 3
    assert told["accuracy"][told["best"]] == max(told["accuracy"])
    scores = encoder.distances(tmp_path / "trained", given, test)
    assert scores.shape == (len(test), 2)
    assert np.mean(scores[:, 1] > scores[:, 0]) >= 0.75
