"""A corpus of any size from real web text: new documents put together from its sentences, some near-duplicates.

The crawl holds 600 excerpts a language; a benchmark of throughput needs hundreds of thousands of documents. So each
document here is a run of sentences drawn from all excerpts of its language: real words in real sentences, with the
lines as they were, in a new order. Two documents share a sentence now and then and are no near-duplicates; a known
share is made of earlier documents: exact copies, and copies with one sentence exchanged.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import harness

LANGUAGES = (
    "eng_Latn", "fra_Latn", "rus_Cyrl", "ell_Grek", "ara_Arab", "heb_Hebr", "hin_Deva", "tha_Thai", "amh_Ethi",
    "zho_Hans",
)  # fmt: skip
"""Ten languages in nine scripts, the same number of documents of each."""
EXACT, NEAR = 0.02, 0.10
MEAN_BYTES = 2000
SHARDS = 2
"""Files a language."""

# Sentence ends of the scripts above; Thai has none and is cut at its (phrase-separating) spaces.
_ENDS = {"Thai": r"(?<=[ \n])"}
_END = r"(?<=[.!?;。！？；।॥؟؛።፡]\s)|(?<=[。！？；])|(?<=\n)"


def make(documents: int, seed: int = 0) -> Path:
    """Write (once) so many documents as ``<lang>-<n>.jsonl.zst`` with ``id, lang, text``; return the folder.

    Beside the files stands ``made.json``: documents, bytes of text, and the share of each kind of duplicate.
    """
    folder = harness.BENCH / "corpora" / f"{documents}-{seed}"
    if (folder / "made.json").is_file():
        return folder
    source = harness.data("crawl.parquet")
    folder.mkdir(parents=True, exist_ok=True)
    texts = defaultdict(list)
    for batch in pq.ParquetFile(source).iter_batches(columns=["lang", "text"]):
        for lang, text in zip(batch["lang"].to_pylist(), batch["text"].to_pylist(), strict=True):
            texts[lang].append(text)
    held = 0
    for number, lang in enumerate(LANGUAGES):
        wanted = documents // len(LANGUAGES) + (number < documents % len(LANGUAGES))
        made = compose(sentences(texts[lang], lang), wanted, np.random.default_rng([seed, number]))
        bounds = np.linspace(0, wanted, SHARDS + 1).astype(int)
        rows = list(made)
        for shard, (first, last) in enumerate(pairwise(bounds)):
            lines = []
            for at in range(first, last):
                lines.append(json.dumps({"id": f"{lang}-{at:07d}", "lang": lang, "text": rows[at]}, ensure_ascii=False))
                held += len(rows[at].encode())
            with pa.output_stream(folder / f"{lang}-{shard}.jsonl.zst", compression="zstd") as file:
                file.write(("\n".join(lines) + "\n").encode())
    facts = {"documents": documents, "bytes": held, "exact": EXACT, "near": NEAR, "seed": seed}
    (folder / "made.json").write_text(json.dumps(facts), "utf-8")
    return folder


def sentences(texts: list[str], lang: str) -> list[str]:
    """Cut texts into sentences with their ends (and line breaks) on them, none shorter than 40 bytes."""
    pieces = []
    for text in texts:
        run = ""
        for piece in re.split(_ENDS.get(lang[-4:], _END), text):
            run += piece
            if len(run.encode()) >= 40:
                pieces.append(run)
                run = ""
    return pieces


def compose(pieces: list[str], wanted: int, rng: np.random.Generator) -> Iterator[str]:
    """Yield documents of about `MEAN_BYTES` (log-normal, σ = 0.5), `EXACT` copies and `NEAR` near-copies among them."""
    sizes = np.array([len(p.encode()) for p in pieces])
    earlier: list[np.ndarray] = []
    for number in range(wanted):
        kind = rng.random()
        if number > 20 and kind < EXACT + NEAR:
            run = earlier[rng.integers(len(earlier))].copy()
            if kind >= EXACT:
                run[rng.integers(len(run))] = rng.integers(len(pieces))
        else:
            size = MEAN_BYTES * rng.lognormal(-0.125, 0.5)
            draw = rng.integers(len(pieces), size=max(4, int(3 * size / sizes.mean())))
            run = draw[: max(2, 1 + int(np.searchsorted(np.cumsum(sizes[draw]), size)))]
            earlier.append(run)
        yield "".join(pieces[i] for i in run).strip()
