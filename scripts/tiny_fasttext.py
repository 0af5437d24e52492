"""Train the fastText model that tests read: `python scripts/tiny_fasttext.py` (needs the package fasttext-wheel).

On tests/data/sentences.parquet (news in many languages), small enough to ship: eight numbers a piece, 2,000 pieces. It
knows the languages of that file and is no identifier to use.
"""

import sys
import tempfile
from pathlib import Path

import fasttext
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Write tests/data/tiny.bin."""
    rows = pq.read_table(ROOT / "tests/data/sentences.parquet").to_pylist()
    with tempfile.TemporaryDirectory() as folder:
        lines = [f"__label__{row['lang']} {' '.join(row['text'].split())}" for row in rows]
        (Path(folder) / "train.txt").write_text("\n".join(lines), "utf-8")
        model = fasttext.train_supervised(
            str(Path(folder) / "train.txt"), dim=8, bucket=2_000, minn=1, maxn=3, minCount=10_000, epoch=12, lr=0.8,
            thread=1, seed=1, verbose=0,
        )  # fmt: skip
        model.save_model(sys.argv[1] if len(sys.argv) > 1 else str(ROOT / "tests/data/tiny.bin"))


if __name__ == "__main__":
    main()
