"""The peers' side of `benchmarks.duplicates`: run by the Python of a peer's own environment, never by ours.

`python _minhash_peers.py TOOL TEXTS OUT`: TEXTS has one JSON a line, ``{"script", "text"}``. Writes one JSON: CPU
seconds and documents per script, and for each text its band keys (null where the tool yields none).

The settings are each tool's own: datatrove 14 × 8 on 5-grams of its word tokenizer (English: the others need extras of
gigabytes), text-dedup 256 permutations, 5-grams of ``\\W``-words, threshold 0.7; datasketch and rensa have no shingling
of their own and get the field's: 5-grams of white-space words, lower case, 112 permutations, 14 × 8.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

Keys = list[str]


def datatrove() -> Callable[[str], Keys]:
    """MinhashDedupSignature as its `run` uses it."""
    from datatrove.pipeline.dedup import MinhashDedupSignature
    from datatrove.pipeline.dedup.minhash import MinhashConfig
    from datatrove.utils.hashing import HashConfig

    config = MinhashConfig(hash_config=HashConfig(hash_fc="xxhash", precision=64), n_grams=5)
    step = MinhashDedupSignature("/tmp", config, language="eng_Latn")

    def sign(text: str) -> Keys:
        shingles = step.get_shingles(text)
        return [f"{n}:{b}" for n, b in enumerate(step.get_signature(shingles))] if shingles.size else []

    return sign


def text_dedup() -> Callable[[str], Keys]:
    """`embed_func` with the defaults of its command line."""
    import numpy as np
    from text_dedup.minhash import RNG, SIGNATURE_COLUMN, embed_func
    from text_dedup.utils import optimal_param, xxh3_32hash

    bands, rows = optimal_param(0.7, 256, 0.5, 0.5)
    prime = np.uint32((1 << 32) - 5)
    permutations = RNG.randint(1, prime, size=256, dtype=np.uint32), RNG.randint(0, prime, size=256, dtype=np.uint32)
    ranges = [(i * rows, (i + 1) * rows) for i in range(bands)]

    def sign(text: str) -> Keys:
        found = embed_func(
            text,
            0,
            num_perm=256,
            ngram_size=5,
            min_length=5,
            hashranges=ranges,
            permutations=permutations,
            hash_func=xxh3_32hash,
            dtype=np.uint32,
            max_hash=np.uint32((1 << 32) - 1),
            modulo_prime=prime,
        )
        return [f"{n}:{b.hex()}" for n, b in enumerate(found[SIGNATURE_COLUMN])]

    return sign


def datasketch() -> Callable[[str], Keys]:
    """MinHash of white-space 5-grams."""
    from datasketch import MinHash

    def sign(text: str) -> Keys:
        made = MinHash(num_perm=112)
        made.update_batch([g.encode() for g in grams(text)])
        return banded(made.hashvalues.tolist())

    return sign


def rensa() -> Callable[[str], Keys]:
    """RMinHash of white-space 5-grams."""
    from rensa import RMinHash

    def sign(text: str) -> Keys:
        made = RMinHash(num_perm=112, seed=42)
        made.update(grams(text))
        return banded(made.digest())

    return sign


def grams(text: str) -> list[str]:
    """Return the 5-grams of white-space words; all words where there are fewer."""
    words = text.lower().split()
    return [" ".join(words[i : i + 5]) for i in range(max(1, len(words) - 4))]


def banded(values: list[int]) -> Keys:
    """Return the keys of 14 bands of 8."""
    return [f"{b}:{values[8 * b : 8 * b + 8]}" for b in range(14)]


def main() -> None:
    """Sign all texts, script by script."""
    tool, texts, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    sign = {"datatrove": datatrove, "text-dedup": text_dedup, "datasketch": datasketch, "rensa": rensa}[tool]()
    rows = [json.loads(line) for line in texts.read_text("utf-8").splitlines()]
    sign(rows[0]["text"])
    keys: list[Keys | None] = []
    spent: dict[str, float] = {}
    count: dict[str, int] = {}
    for row in rows:
        began = time.process_time()
        try:
            keys.append(sign(row["text"]))
        except Exception as error:
            # Counted as a document without a signature, and said so once.
            keys.append(None)
            print(f"{row['script']}: {error!r}", file=sys.stderr)
        spent[row["script"]] = spent.get(row["script"], 0.0) + time.process_time() - began
        count[row["script"]] = count.get(row["script"], 0) + 1
    out.write_text(json.dumps({"cpu": spent, "documents": count, "keys": keys}), "utf-8")


if __name__ == "__main__":
    main()
