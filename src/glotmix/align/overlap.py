"""Items of evaluation sets in parallel text: a translation of a test item gives it away as the item itself does."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from glotmix.align.packing import Unit
from glotmix.signals import contamination

VERSION = 1

_MATCHES = pa.schema(
    [
        ("group", pa.string()),
        ("lang", pa.string()),
        ("set", pa.string()),
        ("item", pa.string()),
        ("share", pa.float32()),
    ]
)


class Evaluation:
    """Looks for items of evaluation sets in both sides of units, and counts on which it finds them."""

    def __init__(self, items: pa.Table, config: contamination.ContaminationConfig) -> None:
        _, _, indices = contamination.index(items["text"].combine_chunks(), config)
        self._search = contamination.searcher(indices, config.share)
        self._names = list(zip(items["set"].to_pylist(), items["item"].to_pylist(), strict=True))
        self.found: Counter[str] = Counter()
        self.matches: list[dict[str, Any]] = []

    def __call__(self, units: Sequence[Unit]) -> list[int]:
        """Return the numbers of the units that hold an item in any version."""
        places = [(n, lang) for n, unit in enumerate(units) for lang in unit.versions]
        if not places:
            return []
        hits = self._search(pa.array([units[n].versions[lang] for n, lang in places], pa.string())).to_pylist()
        sides: dict[int, set[str]] = {}
        for (n, lang), found in zip(places, hits, strict=True):
            for one in found:
                sides.setdefault(n, set()).add(lang)
                of, item = self._names[one["number"]]
                self.matches.append(
                    {"group": units[n].id, "lang": lang, "set": of, "item": item, "share": one["share"]}
                )
        for n, langs in sides.items():
            self.found["units"] += 1
            self.found["all_sides" if langs == set(units[n].versions) else "some_sides"] += 1
            for lang in langs:
                self.found[f"side {lang}"] += 1
            for lang in set(units[n].versions) - langs:
                # A translation of a test item that no search for the item itself would find.
                self.found[f"translation {lang}"] += 1
        return sorted(sides)

    def table(self) -> pa.Table:
        """Return a row for every version that an item was found in."""
        return pa.Table.from_pylist(self.matches, _MATCHES)
