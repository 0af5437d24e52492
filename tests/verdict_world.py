"""Ledgers of a few lines, and what is said of them."""

import numpy as np
import pyarrow as pa

from glotmix.report import verdict


def rows_of(parts):
    """A ledger of ``(lang, source, n, kept, rule of the others, score)``."""
    found = []
    for lang, source, n, kept, rule, score in parts:
        found += [
            {
                "id": f"{lang}-{source}-{i}", "lang": lang, "source": source, "bytes": 1_000 + i, "chars": 900 + i % 7,
                "kept": i < kept, "rule": None if i < kept else rule,
                "quality": None if score is None else score + 0.05 * ((i * 37) % 11 - 5) / 5,
            }
            for i in range(n)
        ]  # fmt: skip
    return pa.Table.from_pylist(
        found,
        schema=pa.schema(
            [("id", pa.string()), ("lang", pa.string()), ("source", pa.string()), ("bytes", pa.int64()),
             ("chars", pa.int64()), ("kept", pa.bool_()), ("rule", pa.string()), ("quality", pa.float32())]
        ),
    )  # fmt: skip


def said(table, labels=None, broken=None, lines=None, notes=None, domains=None, **more):
    n = table.num_rows
    langs = table["lang"].to_pylist()
    labels = labels or langs
    identified = pa.table(
        {
            "label": labels,
            "score": pa.array([0.99] * n, pa.float32()),
            "agrees": [a == b for a, b in zip(labels, langs, strict=True)],
        }
    )
    held = np.zeros(n) if broken is None else broken
    total = sum(table["bytes"].to_pylist())
    return verdict.verdict(
        [verdict.Block(table, identified, held, domains)], total, notes or {}, lines or {}, [], **more
    )
