"""Runs in the environment of lm-eval: trains a byte-level BPE and a two-layer Llama on a text file, in half a minute.

python benchmarks/_tiny_lm.py TEXT FOLDER [STEPS]
"""

import sys
from pathlib import Path

import torch
from tokenizers import ByteLevelBPETokenizer
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

LENGTH, BATCH, PIECES = 64, 8, 2048


def main(text: Path, folder: Path, steps: int) -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    trained = ByteLevelBPETokenizer()
    trained.train([str(text)], vocab_size=PIECES, special_tokens=["<s>", "</s>"], show_progress=False)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=trained._tokenizer, bos_token="<s>", eos_token="</s>")
    tokenizer.save_pretrained(folder)
    ids = torch.tensor(tokenizer("\n".join(text.read_text("utf-8").splitlines()))["input_ids"])
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=1024, bos_token_id=0, eos_token_id=1,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for step in range(steps):
        starts = torch.randint(len(ids) - LENGTH, (BATCH,))
        batch = torch.stack([ids[s : s + LENGTH] for s in starts])
        loss = model(input_ids=batch, labels=batch).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if step % 20 == 0:
            print(step, round(loss.item(), 3), flush=True)
    model.save_pretrained(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 60)
