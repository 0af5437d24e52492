import numpy as np
import torch
import transformers

from glotmix.proxy import model, size
from glotmix.proxy.export import export
from glotmix.proxy.tokenizer import Pieces, learn


def test_transformers_loads_an_exported_proxy_with_the_same_logits(tmp_path):
    shape = size.Shape(300, 48, 3, 3, 80, 24)
    rng = torch.Generator().manual_seed(1)
    weights = {n: torch.randn(2, *s, generator=rng) * 0.3 for n, s in model.names(shape).items()}
    learn({"eng_Latn": ["some words to learn pieces from"], "tha_Thai": ["โรงสีริมแม่น้ำ"]}, 300, tmp_path / "t.json")
    export(weights, 1, shape, tmp_path / "t.json", tmp_path / "llama")
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "llama")
    ids = torch.from_numpy(np.random.default_rng(0).integers(0, 300, (2, 24)))
    with torch.no_grad():
        expected = theirs(input_ids=ids).logits
    ours = model.logits(weights, shape, ids.expand(2, -1, -1))[1]
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-4)
    assert theirs.num_parameters() == shape.parameters + shape.width * (2 * shape.layers + 1), "and the norms' ones"
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=str(tmp_path / "llama" / "tokenizer.json"))
    assert tokenizer("โรงสี")["input_ids"] == Pieces(tmp_path / "t.json").encode(["โรงสี"])[0].tolist()
