"""Pairs of an unrevised and a revised answer: what a quality scoring model learns from.

A row is one instruction. Columns: ``instruction``, ``response`` (unrevised), ``revised_response``; and where there are
such, ``input``, ``revised_instruction``, ``revised_input``, ``lang``, and ``translated``: which sides are
machine-translated (``none``, ``raw``, ``revised``, ``both``). CoachLM's names (``raw_instruction``, ``raw_input``,
``raw_response``) and those of preference data (``prompt``, ``rejected``, ``chosen``) mean the same.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from glotmix.core.conversation import BLANK
from glotmix.core.errors import DataError, RequestError
from glotmix.core.language import parse

NAMES: Mapping[str, tuple[str, ...]] = {
    "instruction": ("instruction", "raw_instruction", "prompt"),
    "input": ("input", "raw_input"),
    "response": ("response", "raw_response", "rejected", "output"),
    "revised_instruction": ("revised_instruction",),
    "revised_input": ("revised_input",),
    "revised_response": ("revised_response", "chosen", "revised_output"),
    "lang": ("lang", "language"),
    "translated": ("translated",),
}
TRANSLATED = ("none", "raw", "revised", "both")


@dataclass(frozen=True)
class Pairs:
    """n pairs. Side 0 is the unrevised one, side 1 the revised one.

    Args:
        instructions: n × 2 texts.
        responses: n × 2 texts.
        langs: (n,) codes.
        groups: (n,) numbers; pairs of one instruction share theirs, and are never split.
        translated: (n,) which sides are machine-translated, ``""`` where that is not known.
    """

    instructions: tuple[tuple[str, str], ...]
    responses: tuple[tuple[str, str], ...]
    langs: NDArray[np.str_]
    groups: NDArray[np.int64]
    translated: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.responses)

    def sides(self) -> tuple[list[str], list[str], list[str]]:
        """Return the 2n instructions, responses and languages: the two sides of the first pair, of the second, …"""
        langs = [str(lang) for lang in self.langs for _ in range(2)]
        return [t for two in self.instructions for t in two], [t for two in self.responses for t in two], langs

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(n, 2) characters of the responses."""
        return np.array([[len(a), len(b)] for a, b in self.responses], np.int64).reshape(-1, 2)


def read(files: Sequence[Path], lang: str | None = None) -> Pairs:
    """Read Parquet files or JSON lines.

    Args:
        files: where the pairs are.
        lang: the language of rows that have no column of it.

    Raises:
        RequestError: if the language is not known.
        DataError: for missing columns, rows that are no pairs, or no row at all.
    """
    rows = [row for path in files for row in _rows(path)]
    if not rows:
        raise DataError(f"there are no pairs in {', '.join(map(str, files))}")
    return of_rows(rows, lang)


def of_rows(rows: Sequence[Mapping[str, Any]], lang: str | None = None) -> Pairs:
    """Return pairs of rows with the columns of `NAMES`; see `read`."""
    names = {ours: next((n for n in theirs if n in rows[0]), None) for ours, theirs in NAMES.items()}
    for needed in ("instruction", "response", "revised_response"):
        if names[needed] is None:
            raise DataError(
                f"pairs need a column {' or '.join(NAMES[needed])}; there are {', '.join(rows[0])}",
                "see docs/instructions.md",
            )
    if names["lang"] is None and lang is None:
        raise RequestError(
            "the pairs have no column lang",
            "name it: instruct.pairs_language=eng_Latn in a recipe, --language eng_Latn on the command line",
        )

    def text(row: Mapping[str, Any], ours: str, other: str = "") -> str:
        value = row.get(names[ours] or "")
        if value is None:
            value = other
        if not isinstance(value, str):
            raise DataError(f"pairs: {names[ours]} is {type(value).__name__}, not text: {str(row)[:120]}")
        return value

    instructions, responses, langs, translated = [], [], [], []
    for row in rows:
        asked = (text(row, "instruction"), text(row, "revised_instruction", text(row, "instruction")))
        given = (text(row, "input"), text(row, "revised_input", text(row, "input")))
        instructions.append((_joined(asked[0], given[0]), _joined(asked[1], given[1])))
        responses.append((text(row, "response"), text(row, "revised_response")))
        langs.append(parse(text(row, "lang") or lang or "").code)
        told = text(row, "translated")
        if told and told not in TRANSLATED:
            raise DataError(f"pairs: translated is {told!r}", " | ".join(TRANSLATED))
        translated.append(told)
    known: dict[str, int] = {}
    groups = [known.setdefault(asked[0].casefold().strip(), len(known)) for asked in instructions]
    return Pairs(
        tuple(instructions), tuple(responses), np.array(langs), np.array(groups, np.int64), np.array(translated)
    )


def _joined(instruction: str, given: str) -> str:
    return instruction + BLANK + given if given else instruction


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    if not path.is_file():
        raise RequestError(f"there is no file {path}")
    if path.suffix == ".parquet":
        yield from pq.read_table(path, partitioning=None).to_pylist()
        return
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise DataError(f"{path}:{number}: {error}") from error
            if not isinstance(row, dict):
                raise DataError(f"{path}:{number} is not an object")
            yield row


def split(groups: NDArray[np.int64], seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return positions to train on (80 %), to stop on (10 %) and to test on (10 %), by instruction."""
    rng = np.random.default_rng(seed)
    known = rng.permutation(np.unique(groups))
    cuts = round(len(known) * 0.8), round(len(known) * 0.9)
    parts = np.split(known, cuts)
    train, stop, test = (np.flatnonzero(np.isin(groups, part)) for part in parts)
    return train, stop, test
