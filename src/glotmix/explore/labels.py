"""What labels say of a line: judged texts of a language, measured as documents are."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from glotmix.core.context import RunContext
from glotmix.quality import anchors
from glotmix.signals import heuristics


@dataclass(frozen=True, eq=False)
class Labelled:
    """Judged texts of a language.

    Args:
        measured: the heuristics of each, with ``lang``.
        texts: themselves.
        natural: (n,) booleans.
        origin: where they come from, in words.
    """

    measured: pa.Table
    texts: pa.Array
    natural: NDArray[np.bool_]
    origin: str


class Labels:
    """The labels that a recipe has of each language: those that ship, those it names, those of ``labels/``.

    Args:
        context: the recipe at work.
    """

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self.of = cache(self._of)
        self._read = cache(self._rows)

    @property
    def files(self) -> dict[str, Path]:
        """The files of labels, by what they are called."""
        found = {"the labels that ship with glotmix": anchors.shipped()}
        quality = self._context.recipe.quality
        for name in () if quality is None else quality.anchors:
            if name != "builtin" and (path := self._context.path(name)).is_file():
                found[name] = path
        return found

    def own(self, lang: str) -> Path:
        """The file that `glotmix label` writes for a language."""
        return self._context.base / "labels" / f"{lang}.jsonl"

    def judged(self, lang: str, what: str = "label") -> dict[str, bool]:
        """Return the documents of this corpus that somebody judged.

        Args:
            lang: the language.
            what: ``label`` (whether it is natural), or one of `anchors.PROPERTIES`.

        Returns:
            id → what was said of it.
        """
        path = self.own(lang)
        rows = [row for _, row in anchors.rows(path)] if path.is_file() else []
        return {str(row["id"]): bool(row[what]) for row in rows if "id" in row and row.get(what) is not None}

    def trained_on(self, lang: str) -> bool:
        """Whether the rater saw the labels of `own`."""
        return any(path.resolve() == self.own(lang).resolve() for path in self.files.values())

    def read(self) -> None:
        """Read the files of all languages, so that the first question does not wait for it."""
        for path in self.files.values():
            self._read(path)

    @staticmethod
    def _rows(path: Path) -> pa.Table:
        return anchors.read([path]).select(["text", "lang", "label"])

    def _of(self, lang: str) -> Labelled | None:
        files = self.files
        if self.own(lang).is_file() and not self.trained_on(lang):
            files |= {f"labels/{lang}.jsonl": self.own(lang)}
        tables, names = [], []
        for name, path in files.items():
            rows = self._read(path)
            mine = rows.filter(pc.equal(rows["lang"], lang))
            if mine.num_rows:
                tables.append(mine)
                names.append(name)
        if not tables:
            return None
        held = pa.concat_tables(tables).combine_chunks()
        texts = held["text"].combine_chunks()
        structs = heuristics.measure(texts, held["lang"].combine_chunks())
        measured = pa.Table.from_struct_array(structs).append_column("lang", held["lang"])
        natural = held["label"].to_numpy(zero_copy_only=False).astype(bool)
        return Labelled(measured, texts, natural, " and ".join(names))
