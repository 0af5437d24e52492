"""Pairs of an unrevised and a revised answer: what a quality scoring model learns from.

A row is one instruction. Columns: ``instruction``, ``response`` (unrevised), ``revised_response``; and where there are
such, ``input``, ``revised_instruction``, ``revised_input``, ``lang``, and ``translated``: which sides are
machine-translated (``none``, ``raw``, ``revised``, ``both``). CoachLM's names (``raw_instruction``, ``raw_input``,
``raw_response``) and those of preference data (``prompt``, ``rejected``, ``chosen``) mean the same, row by row: files
of different names may be read together. A row without one of its two answers teaches nothing and is left out, counted.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from glotmix.core import json_text
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
_NEEDED = ("instruction", "response", "revised_response")

LEAST = 10
"""Instructions without which there is none to train on, to stop by and to judge by (`split`)."""


@dataclass(frozen=True)
class Pairs:
    """n pairs. Side 0 is the unrevised one, side 1 the revised one.

    Args:
        instructions: n × 2 texts.
        responses: n × 2 texts.
        langs: (n,) codes.
        groups: (n,) numbers; pairs of one instruction share theirs, and are never split.
        translated: (n,) which sides are machine-translated, ``""`` where that is not known.
        left_out: rows that lack one of their answers.
    """

    instructions: tuple[tuple[str, str], ...]
    responses: tuple[tuple[str, str], ...]
    langs: NDArray[np.str_]
    groups: NDArray[np.int64]
    translated: NDArray[np.str_]
    left_out: int = 0

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
    return of_rows([row for _, row in rows], lang, [where for where, _ in rows])


def of_rows(rows: Sequence[Mapping[str, Any]], lang: str | None = None, where: Sequence[str] | None = None) -> Pairs:
    """Return pairs of rows with the columns of `NAMES`; see `read`.

    Args:
        rows: each by its own names.
        lang: the language of rows that have none.
        where: names each row in errors.
    """
    instructions, responses, langs, translated = [], [], [], []
    left_out = 0
    for number, row in enumerate(rows):
        at = f"pairs: row {number + 1}" if where is None else where[number]
        found = {ours: _named(row, ours, at) for ours in NAMES}
        for needed in _NEEDED:
            if not any(name in row for name in NAMES[needed]):
                raise DataError(
                    f"{at}: pairs need a column {' or '.join(NAMES[needed])}; there are {', '.join(row)}",
                    "docs/instructions.md, Pairs",
                )
        revised, unrevised = found["revised_response"], found["response"]
        if found["instruction"] is None or unrevised is None or revised is None or not revised.strip():
            left_out += 1
            continue
        asked = found["instruction"], found["revised_instruction"] or found["instruction"]
        given = (
            found["input"] or "",
            (found["input"] if found["revised_input"] is None else found["revised_input"]) or "",
        )
        instructions.append((_joined(asked[0], given[0]), _joined(asked[1], given[1])))
        responses.append((unrevised, revised))
        if (code := found["lang"] or lang) is None:
            raise RequestError(
                f"{at}: the pair has no column lang",
                "name it: instruct.pairs_language=eng_Latn in a recipe, --language eng_Latn on the command line",
            )
        langs.append(parse(code).code)
        told = found["translated"] or ""
        if told and told not in TRANSLATED:
            raise DataError(f"{at}: translated is {told!r}", " | ".join(TRANSLATED))
        translated.append(told)
    if not responses:
        raise DataError(f"none of {len(rows):,} rows has an instruction and both of its answers")
    known: dict[str, int] = {}
    groups = [known.setdefault(asked[0].casefold().strip(), len(known)) for asked in instructions]
    return Pairs(
        tuple(instructions), tuple(responses), np.array(langs), np.array(groups, np.int64), np.array(translated),
        left_out,
    )  # fmt: skip


def _named(row: Mapping[str, Any], ours: str, at: str) -> str | None:
    """Return the text that a row has under the first of a role's names that holds one; None where none does."""
    for name in NAMES[ours]:
        value = row.get(name)
        if value is None:
            continue
        if not isinstance(value, str):
            raise DataError(f"{at}: {name} is {type(value).__name__}, not text: {str(row)[:120]}")
        return value
    return None


def enough(pairs: Pairs) -> None:
    """Check that pairs can be divided into those to train on, to stop by and to judge by.

    Raises:
        DataError: if they are of fewer than `LEAST` instructions.
    """
    count = len(np.unique(pairs.groups))
    if count < LEAST:
        raise DataError(
            f"the {len(pairs):,} pairs are of {count} instructions, and {LEAST} are needed: pairs of one instruction "
            "are never divided, and some are kept to judge the model by",
            "more pairs; hundreds of instructions in each language are a beginning",
        )


def _joined(instruction: str, given: str) -> str:
    return instruction + BLANK + given if given else instruction


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each row of a file with where it stands."""
    if not path.is_file():
        raise RequestError(f"there is no file {path}")
    if path.suffix == ".parquet":
        try:
            rows = pq.read_table(path, partitioning=None).to_pylist()
        except (pa.ArrowInvalid, OSError) as error:
            raise DataError(f"{path} cannot be read: {error}", "fetch it again") from error
        yield from ((f"{path}: row {number}", row) for number, row in enumerate(rows))
        return
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                row = json_text.loads(line)
            except ValueError as error:
                raise DataError(f"{path}:{number}: {error}", "one JSON object a line, in UTF-8") from error
            if not isinstance(row, dict):
                raise DataError(f"{path}:{number} is not an object")
            yield f"{path}:{number}", row


def split(groups: NDArray[np.int64], seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return positions to train on (80 %), to stop on (10 %) and to test on (10 %), by instruction."""
    rng = np.random.default_rng(seed)
    known = rng.permutation(np.unique(groups))
    cuts = round(len(known) * 0.8), round(len(known) * 0.9)
    parts = np.split(known, cuts)
    train, stop, test = (np.flatnonzero(np.isin(groups, part)) for part in parts)
    return train, stop, test
