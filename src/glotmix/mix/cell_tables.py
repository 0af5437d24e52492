"""Which cell each document is in, and how much there is of every cell: from the corpus and its ledger."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from glotmix.core import table
from glotmix.core.errors import RequestError, did_you_mean
from glotmix.mix.cells import SOURCE

VERSION = 1

MOST = 50
"""Cells of a language: of more no runs say anything, and the column is more likely one of ids."""

SKETCH = 128
"""Hashes that are kept of a cell's documents."""

QUALITY = "quality"
"""Not a column but what the rater said: thirds of the language's documents, by the ledger's quantile."""

_BANDS = ("low", "middle", "high")
_ODD = re.compile(r"[^\w.-]+")


def parts(shard: Path, ledger: pa.Table, column: str) -> pa.Array:
    """Return the part of its language that each document of a shard is in, such as ``web``; ``none`` for no value.

    White space and signs that would be more than one word in a path or a column's name become ``-``.

    Args:
        shard: a file of the corpus.
        ledger: the ledger's rows of the same documents.
        column: of the corpus, with few values; or ``quality``, for thirds by the rater's quantile.

    Raises:
        RequestError: if there is no such column, or its values are no names.
    """
    schema = pq.read_schema(shard)
    if column in schema.names:
        values = table.read([shard], [column])[column].combine_chunks()
        if pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)
                or pa.types.is_integer(values.type) or pa.types.is_boolean(values.type)):  # fmt: skip
            raise RequestError(
                f"mix.cells={column}: the column holds {values.type}, and a cell is named by a word",
                "a column of words, or quality",
            )
        names = [None if value is None else part_name(str(value)) for value in values.to_pylist()]
    elif column == QUALITY and "quantile" in ledger.column_names:
        quantiles = ledger["quantile"].to_pylist()
        names = [None if q is None else _BANDS[min(int(q * len(_BANDS)), len(_BANDS) - 1)] for q in quantiles]
    else:
        raise RequestError(
            f"mix.cells={column}: documents have no such column{did_you_mean(column, [*schema.names, QUALITY])}",
            "mix.cells=source",
        )
    return pa.array([name or "none" for name in names], pa.string())


def part_name(value: str) -> str:
    """Return a value as a part of a cell's name.

    >>> part_name("web"), part_name("News & blogs"), part_name("новости"), part_name(" / ")
    ('web', 'News-blogs', 'новости', 'none')
    """
    return _ODD.sub("-", value).strip("-.") or "none"


def documents(corpus: Path, ledger: Path, column: str) -> Iterator[tuple[Path, pa.Table]]:
    """Yield every shard of the corpus with ``cell``, ``lang``, ``bytes``, ``tokens`` and ``kept`` of its documents."""
    files = table.shards(corpus)
    rows = _rows(table.shards(ledger), [pq.read_metadata(file).num_rows for file in files])
    for file, told in zip(files, rows, strict=True):
        within = pc.binary_join_element_wise(told["lang"].cast(pa.string()), parts(file, told, column), SOURCE)
        yield file, told.append_column("cell", within)


def count(corpus: Path, ledger: Path, column: str) -> dict[str, tuple[int, int, int]]:
    """Count documents, bytes and tokens of what is kept, by cell; cells sorted.

    Raises:
        RequestError: see `parts`; and if the column cuts a language in too many.
    """
    found: dict[str, tuple[int, int, int]] = {}
    for _, rows in documents(corpus, ledger, column):
        held = rows.filter(rows["kept"]).group_by("cell")
        for row in held.aggregate([([], "count_all"), ("bytes", "sum"), ("tokens", "sum")]).to_pylist():
            before = found.get(row["cell"], (0, 0, 0))
            more = (row["count_all"], row["bytes_sum"] or 0, row["tokens_sum"] or 0)
            found[row["cell"]] = (before[0] + more[0], before[1] + more[1], before[2] + more[2])
    langs = [name.partition(SOURCE)[0] for name in found]
    for lang in dict.fromkeys(langs):
        if (many := langs.count(lang)) > MOST:
            raise RequestError(
                f"mix.cells={column} cuts {lang} in {many:,} cells, of which no runs say anything: {MOST} at most",
                "a column of fewer values, such as source",
            )
    return {name: found[name] for name in sorted(found)}


def sketches(corpus: Path, ledger: Path, column: str) -> dict[str, tuple[int, ...]]:
    """Return what tells how alike a cell's kept documents are to what they were: see `alike`.

    Of the hashes of every document's id and size the least `SKETCH` (Broder 1997: a sample of a set that depends on the
    set alone), by cell, ascending.
    """
    found: dict[str, list[int]] = {}
    for file, rows in documents(corpus, ledger, column):
        mine = rows.append_column("id", table.read([file], ["id"])["id"]).filter(rows["kept"])
        for row in mine.select(["cell", "id", "bytes"]).to_pylist():
            told = hashlib.blake2b(f"{row['id']} {row['bytes']}".encode(), digest_size=8).digest()
            found.setdefault(row["cell"], []).append(int.from_bytes(told))
        found = {name: sorted(held)[:SKETCH] for name, held in found.items()}
    return {name: tuple(found[name]) for name in sorted(found)}


def alike(one: Sequence[int], other: Sequence[int]) -> float:
    """Return the Jaccard similarity of two sets of documents, estimated from their sketches.

    >>> alike((1, 2, 3, 4), (2, 3, 4, 5))
    0.6
    """
    least = sorted({*one, *other})[:SKETCH]
    return len({*one} & {*other} & {*least}) / len(least) if least else 1.0


def _rows(files: list[Path], counts: list[int]) -> Iterator[pa.Table]:
    """Yield the ledger's rows, so many at a time: its parts are longer than the corpus's shards."""
    left = iter(files)
    held: pa.Table | None = None
    for rows in counts:
        while held is None or held.num_rows < rows:
            more = table.read([next(left)], ["lang", "bytes", "tokens", "kept", "quantile"])
            held = more if held is None else pa.concat_tables([held, more])
        yield held.slice(0, rows)
        held = held.slice(rows)
