"""Features of documents in six scripts, with or without a planted signal."""

import numpy as np
import pyarrow as pa

from glotmix.quality.transfer import Labelled

LANGS = ["fra_Latn", "ell_Grek", "arb_Arab", "tha_Thai", "jpn_Jpan", "amh_Ethi"]
COLUMNS = ("bell", "zeros", "gaps", "count")
FAST = {"trees": 20, "seeds": 1}


def measured(n: int = 90, seed: int = 0, langs: list[str] = LANGS) -> pa.Table:
    """Features of n documents a language: one bell-shaped, one full of zeros, one with gaps, one whole number."""
    rng = np.random.default_rng(seed)
    size = n * len(langs)
    zeros = np.where(rng.random(size) < 0.6, 0.0, rng.gamma(2, size=size))
    return pa.table(
        {
            "id": [f"d{i}" for i in range(size)],
            "lang": np.repeat(langs, n).tolist(),
            "bell": rng.normal(size=size),
            "zeros": zeros,
            "gaps": pa.array(rng.normal(size=size), mask=rng.random(size) < 0.3),
            "count": pa.array(rng.integers(0, 40, size), pa.int32()),
        }
    )


def planted(n: int = 120, seed: int = 0, langs: list[str] = LANGS, strength: float = 2.0) -> Labelled:
    """Documents whose `bell` and `zeros` differ by label, at another place and width in every language."""
    rng = np.random.default_rng([seed, 1])
    table = measured(n, seed, langs)
    labels = rng.random(table.num_rows) < 0.7
    for number, lang in enumerate(langs):
        mine = np.array(table["lang"].to_pylist()) == lang
        place, width = rng.normal(scale=20), 10.0 ** (number % 3)
        for name in ("bell", "zeros"):
            values = table[name].to_numpy() + strength * labels
            merged = np.where(mine, values * width + place, table[name].to_numpy())
            table = table.set_column(table.column_names.index(name), name, pa.array(merged))
    return Labelled(table, labels, np.arange(table.num_rows), COLUMNS)


def everyone(data: Labelled) -> np.ndarray:
    return np.arange(len(data.labels))


def replace_labels(data: Labelled, labels: np.ndarray) -> Labelled:
    return Labelled(data.features, labels, data.group, data.columns, data.reference, data.per_class)
