"""Documents that overlap more and more: what tests of duplicates and of workers share."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SENTENCES = pq.read_table(Path(__file__).parent / "data" / "sentences.parquet").to_pylist()
LANGS = list(dict.fromkeys(r["lang"] for r in SENTENCES))


def documents(langs: list[str] = LANGS) -> pa.Table:
    """Per language: documents that overlap more and more, copies, and others that share nothing; three sources."""
    rows = []
    for lang in langs:
        held = [r["text"] for r in SENTENCES if r["lang"] == lang]
        for k in range(8):
            block = held[k * 24 : k * 24 + 14]
            rows.append((lang, "web", " ".join(block)))
            # The same with k of 14 sentences replaced: from a copy to something else.
            rows.append((lang, "news", " ".join(block[: 14 - k] + held[215 : 215 + k])))
            if k % 3 == 0:
                rows.append((lang, "web", "  " + " ".join(block).upper() + " ***"))
                rows.append((lang, "clean", " ".join(block[1:])))
    rng = np.random.default_rng(0)
    order = rng.permutation(len(rows))
    return pa.table(
        {
            "id": [f"{rows[i][1]}/{rng.integers(1 << 40):x}" for i in order],
            "text": [rows[i][2] for i in order],
            "lang": [rows[i][0] for i in order],
            "source": [rows[i][1] for i in order],
        }
    )
