"""Sentences in two languages that anybody can make many of, and small checkpoints of several kinds."""

from pathlib import Path

import torch

from glotmix.proxy import export, model
from glotmix.proxy.size import Shape
from glotmix.proxy.tokenizer import END, learn

WORDS = {
    "eng_Latn": (
        "the cat",
        "a dog",
        "my house",
        "one tree",
        "our river",
        "the wind",
        "sees",
        "likes",
        "finds",
        "hears",
    ),
    "rus_Cyrl": ("кошка", "собака", "мой дом", "дерево", "наша река", "ветер", "видит", "любит", "находит", "слышит"),
    "tha_Thai": ("แมว", "หมา", "บ้านของฉัน", "ต้นไม้", "แม่น้ำ", "ลม", "เห็น", "ชอบ", "พบ", "ได้ยิน"),
    "amh_Ethi": ("ድመት", "ውሻ", "ቤቴ", "ዛፍ", "ወንዛችን", "ነፋስ", "ያያል", "ይወዳል", "ያገኛል", "ይሰማል"),
}
SHAPE = Shape(vocabulary=400, width=32, layers=3, heads=2, hidden=48, context=64)


def sentences(lang: str, count: int = 120) -> dict[str, str]:
    """Subject, verb, object, and who it is told to: one key, one meaning."""
    words, said = WORDS[lang], {}
    for n in range(count):
        a, verb, b, again = n % 6, 6 + n // 6 % 4, (n // 24 + n + 1) % 6, (n * 7) % 6
        space = "" if lang == "tha_Thai" else " "
        said[f"s{n:03}"] = space.join((words[a], words[verb], words[b], words[6 + n % 4], words[again]))
    return said


def texts(*langs: str, count: int = 120) -> dict[str, dict[str, str]]:
    return {lang: sentences(lang, count) for lang in langs}


def tokenizer(folder: Path, pieces: int = SHAPE.vocabulary) -> Path:
    path = folder / "tokenizer.json"
    learn({lang: [*sentences(lang).values()] * 3 for lang in WORDS}, pieces, path)
    return path


def proxy(folder: Path, seed: int = 0) -> tuple[Path, model.Weights]:
    """A proxy as glotmix exports it, its weights away from their beginning."""
    source = torch.Generator().manual_seed(seed)
    begun = model.begin(SHAPE, [seed])
    weights = {name: w + 0.1 * torch.randn(w.shape, generator=source) for name, w in begun.items()}
    export.export(weights, 0, SHAPE, tokenizer(folder.parent), folder)
    return folder, weights


def checkpoint(folder: Path, kind: str) -> Path:
    """A tiny model of transformers with random weights, and its tokenizer."""
    from transformers import BertConfig, BertModel, GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    torch.manual_seed(0)
    if kind == "decoder":
        made = GPT2LMHeadModel(GPT2Config(vocab_size=400, n_positions=64, n_embd=32, n_layer=2, n_head=2))
    else:
        made = BertModel(
            BertConfig(vocab_size=400, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48)
        )
    made.save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_file=str(tokenizer(folder)), eos_token=END, pad_token=END, model_max_length=64
    ).save_pretrained(folder)
    return folder
