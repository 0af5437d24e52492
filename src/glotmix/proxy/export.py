"""A trained proxy as a Hugging Face Llama checkpoint, which `transformers` loads with the same logits."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from glotmix.proxy.model import EPSILON, THETA
from glotmix.proxy.size import Shape
from glotmix.proxy.tokenizer import Pieces

_NAMES = {
    "query": "self_attn.q_proj",
    "key": "self_attn.k_proj",
    "value": "self_attn.v_proj",
    "out": "self_attn.o_proj",
    "gate": "mlp.gate_proj",
    "up": "mlp.up_proj",
    "down": "mlp.down_proj",
}


def export(weights: Mapping[str, Tensor], which: int, shape: Shape, tokenizer: Path, folder: Path) -> None:
    """Write ``config.json``, ``model.safetensors`` and the tokenizer of one model.

    Llama turns the numbers j and j + d/2 of a head together where the proxy turns 2j and 2j + 1, so the columns of
    queries and keys change places; norms become ones.

    Args:
        weights: of K models, (K, …) each.
        which: of them.
        shape: of every model.
        tokenizer: the ``tokenizer.json`` that it was trained with.
        folder: to write to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    half = shape.width // shape.heads
    order = torch.cat([h * half + torch.cat([torch.arange(0, half, 2), torch.arange(1, half, 2)])
                       for h in range(shape.heads)])  # fmt: skip
    tensors = {"model.embed_tokens.weight": weights["embed"][which], "model.norm.weight": torch.ones(shape.width)}
    for i in range(shape.layers):
        for ours, theirs in _NAMES.items():
            w = weights[f"{i}.{ours}"][which].t()
            tensors[f"model.layers.{i}.{theirs}.weight"] = w[order] if ours in ("query", "key") else w
        for norm in ("input_layernorm", "post_attention_layernorm"):
            tensors[f"model.layers.{i}.{norm}.weight"] = torch.ones(shape.width)
    plain = {name: t.detach().cpu().float().contiguous().clone() for name, t in tensors.items()}
    (folder / "model.safetensors").write_bytes(save(plain, metadata={"format": "pt"}))
    end = Pieces(tokenizer).end
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.width,
        "intermediate_size": shape.hidden,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.heads,
        "hidden_act": "silu",
        "rms_norm_eps": EPSILON,
        "rope_theta": THETA,
        "max_position_embeddings": shape.context,
        "tie_word_embeddings": True,
        "attention_bias": False,
        "mlp_bias": False,
        "bos_token_id": end,
        "eos_token_id": end,
        "torch_dtype": "float32",
    }
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", "utf-8")
    shutil.copyfile(tokenizer, folder / "tokenizer.json")
