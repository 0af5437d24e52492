"""The first stage: documents divided, cells made, subsets drawn; everything in files that the next stage reads.

``documents.parquet`` (every document with its side and its cell), ``vectors.npy`` (their meanings, in its order),
``cells.parquet``, ``subsets.parquet`` (blocks of each cell in each subset), ``problems.json``, ``config.json`` and
``tokenizer.json``.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from glotmix.combine import gather, subsets
from glotmix.combine.cells import Cells
from glotmix.combine.config import CombinationsConfig
from glotmix.combine.documents import Document, read, side
from glotmix.combine.gather import Cell
from glotmix.combine.problems import Problem, problems
from glotmix.combine.streams import encoded
from glotmix.core import json_text, table
from glotmix.core.errors import DataError
from glotmix.core.record import Counts, Output
from glotmix.embed.protocol import Embedder
from glotmix.mix.accounting import Array
from glotmix.proxy.size import vocabulary
from glotmix.proxy.tokenizer import Pieces, learn

CONFIG = "config.json"
_SAMPLE = 200
"""Documents of a language from which its bytes per token are estimated."""
_LEAST = 0.75
"""Part of a block that a cell must hold: a smaller one is repeated at once."""

DOCUMENTS = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("lang", pa.string()),
        pa.field("group", pa.string()),
        pa.field("side", pa.string()),
        pa.field("cell", pa.string()),
        pa.field("target", pa.string()),
        pa.field("text", pa.large_string()),
        pa.field("asked", pa.large_string()),
        pa.field("quality", pa.float64()),
    ]
)
CELLS = pa.schema(
    [
        pa.field("name", pa.string()),
        pa.field("lang", pa.string()),
        pa.field("group", pa.string()),
        pa.field("cluster", pa.int32()),
        pa.field("documents", pa.int64()),
        pa.field("bytes", pa.int64()),
        pa.field("tokens", pa.int64()),
        pa.field("quality", pa.float64()),
        pa.field("fit", pa.float64()),
        pa.field("spread", pa.float64()),
        pa.field("length", pa.float64()),
        pa.field("pieces", pa.float64()),
        pa.field("size", pa.float64()),
        pa.field("centre", pa.list_(pa.float64())),
        pa.field("example", pa.string()),
    ]
)
"""``fit``: cosine of the cell's centre with that of the held-out text; ``spread``: mean cosine of its documents with
the centre; ``length``: log of the bytes of a document, mean; ``pieces``: bytes per token; ``size``: log of the bytes.
``example`` begins the document nearest to the centre."""
TRAITS = ("fit", "spread", "length", "pieces", "size", "quality")


def make(
    output: Output,
    every: Sequence[Document],
    config: CombinationsConfig,
    embedder: Embedder,
    targets: Mapping[str, Sequence[Document]],
    tokenizer: Path | None = None,
) -> Counts:
    """Make cells of documents and draw their subsets.

    Args:
        output: where.
        every: documents, as `documents.read` returns them.
        config: how.
        embedder: gives meanings.
        targets: other text to choose for, by name.
        tokenizer: a ``tokenizer.json``; by default one is trained on what the warm start reads.

    Returns:
        ``{documents, cells, subsets}``.
    """
    sides = [side(one, config) for one in every]
    langs = sorted({one.lang for one in every})
    sided = list(zip(every, sides, strict=True))
    starting = {lang: [o.whole for o, where in sided if o.lang == lang and where == "start"] for lang in langs}
    _check(every, sides, langs)
    path = output.path / "tokenizer.json"
    if tokenizer is None:
        learn(starting, config.vocabulary or vocabulary(config.parameters), path)
    else:
        path.write_bytes(tokenizer.read_bytes())
    pieces = Pieces(path)
    pieces.check(starting)
    meaning = gather.vectors(every, embedder)
    goals = {lang: _goal(meaning, every, sides, lang) for lang in langs}
    rows: list[dict[str, Any]] = []
    found: list[Cell] = []
    of: dict[str, str] = {}
    for lang in langs:
        at = [i for i, (one, where) in enumerate(sided) if one.lang == lang and where == "pool"]
        mine = [every[i] for i in at]
        some = mine[:_SAMPLE]
        per = sum(one.size for one in some) / max(1, sum(map(len, encoded(some, pieces))))
        least = int(_LEAST * per * _block(config))
        # Where cells of several languages are chosen among, or a helped one stands in every set, one may have few.
        fewest = 1 if config.pooled or config.helped is not None else gather.FEWEST
        for cell in gather.cells(mine, meaning[at], config.cells, least, config.seed, fewest):
            held = [mine[i] for i in cell.members]
            tokens = sum(len(row) + 1 for row in encoded(held, pieces))
            near = int((meaning[[at[i] for i in cell.members]] @ cell.centre).argmax())
            rows.append(_described(cell, held, tokens, float(cell.centre @ goals[lang]), held[near].whole))
            of |= {one.id: cell.name for one in held}
            found.append(cell)
    asked = problems(found, config)
    table.write(pa.Table.from_pylist(rows, CELLS), output.path / "cells.parquet")
    others = [(name, one) for name, some in sorted(targets.items()) for one in some]
    table.write(_documents(every, sides, of, others), output.path / "documents.parquet")
    (output.path / CONFIG).write_text(config.model_dump_json(indent=1) + "\n", "utf-8")
    np.save(output.path / "vectors.npy", meaning.astype(np.float16))
    (output.path / "problems.json").write_text(json.dumps([asdict(p) for p in asked], indent=1) + "\n", "utf-8")
    plan = Plan(output.path)
    drawn = []
    for number, problem in enumerate(asked):
        blocks = subsets.draw(plan.cells(problem), config.subsets, problem.blocks, config.seed + number)
        drawn += [
            {"problem": problem.name, "subset": row, "cell": problem.cells[j], "blocks": float(blocks[row, j])}
            for row, j in zip(*np.nonzero(blocks), strict=True)
        ]
    table.write(pa.Table.from_pylist(drawn), output.path / "subsets.parquet")
    return {"documents": len(every), "cells": len(found), "subsets": config.subsets * len(asked)}


@dataclass(frozen=True)
class Plan:
    """What the first stage left in a folder."""

    folder: Path

    @cached_property
    def problems(self) -> list[Problem]:
        """What is asked."""
        rows = json_text.loads((self.folder / "problems.json").read_text("utf-8"))
        names = ("cells", "own", "langs")
        return [Problem(**(row | {name: tuple(row[name]) for name in names})) for row in rows]

    @cached_property
    def about(self) -> dict[str, dict[str, Any]]:
        """By cell, what `CELLS` says of it."""
        return {row["name"]: row for row in table.read([self.folder / "cells.parquet"]).to_pylist()}

    @cached_property
    def _rows(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = table.read([self.folder / "documents.parquet"]).to_pylist()
        return found

    @cached_property
    def pieces(self) -> Pieces:
        """The tokenizer."""
        return Pieces(self.folder / "tokenizer.json")

    def documents(
        self, side: str, cell: str | None = None, lang: str | None = None, target: str = ""
    ) -> list[Document]:
        """Return documents of a side, in the order of their hash."""
        return [
            Document(row["id"], row["lang"], row["group"], row["text"], row["asked"], row["quality"])
            for row in self._rows
            if row["side"] == side
            and row["target"] == target
            and (cell is None or row["cell"] == cell)
            and (lang is None or row["lang"] == lang)
        ]

    def meaning(self, documents: Sequence[Document]) -> gather.Vectors:
        """Return the vectors of documents, (n, w)."""
        at = {row["id"]: number for number, row in enumerate(self._rows) if not row["target"]}
        found: gather.Vectors = np.load(self.folder / "vectors.npy")[[at[one.id] for one in documents]]
        return found.astype(np.float32)

    @cached_property
    def targets(self) -> list[str]:
        """Names of other text that the sets are chosen for."""
        return sorted({row["target"] for row in self._rows} - {""})

    def cells(self, problem: Problem, more: Mapping[str, Array] | None = None) -> Cells:
        """Return the cells of a problem.

        Args:
            problem: whose.
            more: further traits by name, (J,) each.
        """
        from glotmix.combine.carried import traits_of

        rows = [self.about[name] for name in problem.cells]
        centres = np.array([row["centre"] for row in rows])
        named = [(name, np.array([row[name] for row in rows], np.float64)) for name in TRAITS]
        traits, names = traits_of([*named, *(more or {}).items()])
        return Cells(
            problem.cells, np.array([row["tokens"] / problem.block for row in rows]), centres @ centres.T,
            tuple(row["lang"] for row in rows), traits, names,
        )  # fmt: skip

    def subsets(self, problem: Problem) -> Array:
        """Return the subsets of a problem, (n, J) blocks."""
        rows = [r for r in table.read([self.folder / "subsets.parquet"]).to_pylist() if r["problem"] == problem.name]
        found = np.zeros((max(r["subset"] for r in rows) + 1, len(problem.cells)))
        at = {name: j for j, name in enumerate(problem.cells)}
        for row in rows:
            found[row["subset"], at[row["cell"]]] = row["blocks"]
        return found


def _block(config: CombinationsConfig) -> float:
    """Return about how many tokens a block will hold."""
    return config.tokens / (config.blocks or max(2, round(config.cells / 3)))


def read_target(given: Any, config: CombinationsConfig) -> list[Document]:
    """Read other text to choose for: of any language, whatever cells are made of."""
    return read(given, config.model_copy(update={"by": "source", "languages": None, "helped": None}))


def _check(every: Sequence[Document], sides: Sequence[str], langs: Sequence[str]) -> None:
    for lang in langs:
        there = Counter(where for one, where in zip(every, sides, strict=True) if one.lang == lang)
        # Of one document nothing says how documents differ.
        least = {"held": 2, "test": 2, "start": 1, "pool": 1}
        if missing := sorted(where for where, count in least.items() if there[where] < count):
            raise DataError(
                f"{lang} has {there.total()} documents, too few for: {', '.join(missing)}",
                "more documents of it, or leave it out: languages=[…]",
            )


def _goal(meaning: gather.Vectors, every: Sequence[Document], sides: Sequence[str], lang: str) -> Array:
    at = [i for i, (one, where) in enumerate(zip(every, sides, strict=True)) if one.lang == lang and where == "held"]
    mean = meaning[at].astype(np.float64).mean(axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12))


def _described(cell: Cell, held: Sequence[Document], tokens: int, fit: float, example: str) -> dict[str, Any]:
    sizes = np.array([one.size for one in held])
    known = [one.quality for one in held if one.quality is not None]
    return {
        "name": cell.name, "lang": cell.lang, "group": cell.group, "cluster": cell.cluster, "documents": len(held),
        "bytes": int(sizes.sum()), "tokens": tokens, "quality": float(np.mean(known)) if known else None, "fit": fit,
        "spread": cell.spread, "length": float(np.log(sizes).mean()), "pieces": float(sizes.sum() / tokens),
        "size": float(np.log(sizes.sum())), "centre": cell.centre.tolist(), "example": example[:300],
    }  # fmt: skip


def _documents(
    every: Sequence[Document], sides: Sequence[str], of: Mapping[str, str], targets: Sequence[tuple[str, Document]]
) -> pa.Table:
    def row(one: Document, where: str, cell: str | None, target: str) -> dict[str, Any]:
        return {
            "id": one.id, "lang": one.lang, "group": one.group, "side": where, "cell": cell, "target": target,
            "text": one.text, "asked": one.asked, "quality": one.quality,
        }  # fmt: skip

    rows = [row(one, where, of.get(one.id), "") for one, where in zip(every, sides, strict=True)]
    # Of a target one half is fitted to, the other is for the verdict.
    rows += [row(one, ("held", "test")[at % 2], None, name) for at, (name, one) in enumerate(targets)]
    return pa.Table.from_pylist(rows, DOCUMENTS)
