"""Aligned multiple-choice items in many languages: MuBench's columns, checked."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.json as pj
import pyarrow.parquet as pq

from glotmix.core import json_text, language, utf8
from glotmix.core.errors import DataError, RequestError

COLUMNS = ("_id", "prompt", "choices", "label")
"""MuBench's own columns: id, text, list of choices, position of the right one."""


@dataclass(frozen=True)
class Item:
    """One question in one language. `label` is the position of the right choice."""

    id: str
    prompt: str
    choices: tuple[str, ...]
    label: int


@dataclass(frozen=True)
class Aligned:
    """Items that every language has: by language (as its files name it), in one order of ids.

    `left_out` counts the ids that some language lacks, or that differ in label or number of choices.
    """

    languages: dict[str, tuple[Item, ...]]
    left_out: int


def load(path: Path) -> pa.Table:
    """Read a Parquet, JSON Lines or CSV file.

    Raises:
        DataError: if it cannot be read.
        RequestError: if it is none of these, or not there.
    """
    if not path.is_file():
        raise RequestError(f"there is no file {path}")
    readers = {".parquet": pq.read_table, ".jsonl": pj.read_json, ".json": pj.read_json, ".csv": pcsv.read_csv}
    if path.suffix not in readers:
        raise RequestError(f"{path}: a table is .parquet, .jsonl or .csv")
    try:
        table = readers[path.suffix](path)
        # Arrow takes JSON as it comes, and makes bytes of a CSV's columns that are not UTF-8.
        table.validate(full=True)
    except (pa.ArrowInvalid, pa.ArrowKeyError, OSError) as error:
        if path.suffix != ".parquet":
            utf8.check(path)
        raise DataError(f"{path} cannot be read: {error}", "write it again, or fetch it again") from error
    if path.suffix == ".csv" and any(pa.types.is_binary(f.type) for f in table.schema):
        utf8.check(path)
    return table


def read(path: Path) -> Aligned:
    """Read items: a folder with one file per language (``fr.jsonl``, ``zho_Hans.parquet``), or one file with ``lang``.

    An id may stand in ``_id`` or ``id``.

    Raises:
        DataError: if ids come twice, a label is no choice, or no item is in every language.
        RequestError: if a column or a language is missing.
    """
    of_language: dict[str, dict[str, Item]] = {}
    if path.is_dir():
        files = sorted(p for p in path.iterdir() if p.suffix in (".parquet", ".jsonl", ".csv"))
        for file in files:
            language.parse(file.stem)
            table = load(file)
            _add(of_language, file, table.add_column(0, "lang", [[file.stem] * len(table)]))
    else:
        _add(of_language, path, load(path))
    if len(of_language) < 2:
        raise DataError(f"{path}: {len(of_language)} languages; consistency needs two or more")
    every = set().union(*of_language.values())
    both = [i for i in every if all(i in items for items in of_language.values())]
    like = [i for i in both if len({(items[i].label, len(items[i].choices)) for items in of_language.values()}) == 1]
    if not like:
        raise DataError(f"{path}: no item has one id, one label and one number of choices in every language")
    order = sorted(like)
    return Aligned(
        {lang: tuple(of_language[lang][i] for i in order) for lang in sorted(of_language)}, len(every) - len(like)
    )


def _add(of_language: dict[str, dict[str, Item]], file: Path, table: pa.Table) -> None:
    identity = "_id" if "_id" in table.column_names else "id"
    for column in ("lang", identity, *COLUMNS[1:]):
        if column not in table.column_names:
            raise RequestError(
                f"{file}: there is no column {column!r}; it has {', '.join(table.column_names)}",
                "the columns _id, prompt, choices (a list), label and, in one file for all languages, lang",
            )
    for number, row in enumerate(table.select(["lang", identity, *COLUMNS[1:]]).to_pylist(), start=1):
        choices = json_text.loads(row["choices"]) if isinstance(row["choices"], str) else row["choices"]
        if not isinstance(row["label"], int) or not 0 <= row["label"] < len(choices):
            raise DataError(f"{file}: row {number}: the label {row['label']!r} is none of {len(choices)} choices")
        language.parse(row["lang"])
        items = of_language.setdefault(row["lang"], {})
        item = Item(str(row[identity]), row["prompt"], tuple(choices), row["label"])
        if item.id in items:
            raise DataError(f"{file}: row {number}: the id {item.id!r} comes twice in {row['lang']}")
        items[item.id] = item


def write(items: Sequence[Item], path: Path) -> None:
    """Write items as JSON Lines with MuBench's columns, which every version of every harness reads alike."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for i in items:
            row = {"_id": i.id, "prompt": i.prompt, "choices": list(i.choices), "label": i.label}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
