"""Labelled documents: what a rater learns from.

An anchor is a text, its language, and whether it is good. Documents that belong together (translations of one
another, pages of one site) share a `group`; equal texts always do. A group never stands on both sides of a split.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from hashlib import blake2b
from importlib.resources import files as resources
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from glotmix.core import json_text, language
from glotmix.core.errors import DataError, RequestError, blame, did_you_mean
from glotmix.core.visible import is_blank

SCHEMA = pa.schema(
    [
        pa.field("text", pa.string(), nullable=False),
        pa.field("lang", pa.string(), nullable=False),
        pa.field("label", pa.bool_(), nullable=False),
        pa.field("group", pa.string()),
        pa.field("source", pa.string()),
    ]
)
"""An anchor set: `label` is true for a good document; `group` is null for a document that belongs with no other;
`source` (null where it is not known) lets the audit ask whether a rater knows more than where a text is from."""


PROPERTIES = ("adult", "machine_translated", "wrong_language")
"""What a label may say besides: 1 or true where it holds. A row with one of these and no label teaches its property
alone (see `glotmix.quality.properties`)."""


def shipped() -> Path:
    """Return the anchor set that comes with glotmix: web excerpts in 11 languages, judged by fluent readers."""
    return Path(str(resources("glotmix") / "data" / "anchors" / "unnatural.parquet"))


def read(paths: Sequence[Path], label: bool | None = None) -> pa.Table:
    """Read anchor sets (``.jsonl`` or ``.parquet``, columns `text, lang, label`, maybe `group` and `source`) into one
    table.

    Labels are true/false or 1/0 (1 = good); languages are any code that `glotmix.core.language` knows.

    Args:
        paths: the files.
        label: of all documents, in files that need not have labels.

    Returns:
        a table of `SCHEMA`, in the order of the files and their rows.

    Raises:
        DataError: naming file and row of the first anchor that cannot be used, or that says of a text the contrary of
            what was said of it before.
    """
    tables = []
    said: Said = {}
    for path in paths:
        if not path.is_file():
            raise DataError(f"there is no anchor file {path}", "name a .jsonl or .parquet file of text, lang, label")
        match path.suffix:
            case ".parquet":
                rows = _parquet_rows(path, label)
            case ".jsonl":
                rows = _json_rows(path, label)
            case _:
                raise RequestError(f"{path}: anchors are read from .jsonl and .parquet, not {path.suffix or 'this'}")
        tables.append(checked(rows, str(path), said))
    if not tables:
        raise RequestError("no anchor file was named", "quality.anchors=[builtin]")
    found = pa.concat_tables(tables)
    if not found.num_rows:
        raise DataError("no row of the anchors has a label", "quality.anchors=[builtin, ...]")
    return found


Said: TypeAlias = dict[tuple[str, str], tuple[bool, str]]
"""Language and text → the label that it has, and where that stands."""


def checked(
    rows: Iterable[tuple[str, Mapping[str, Any]]], where: str = "the table", said: Said | None = None
) -> pa.Table:
    """Return documents with labels as a table of `SCHEMA`.

    Args:
        rows: where each stands, for a message, and its columns.
        where: all of them stand.
        said: the labels that went before; those of the rows are added.

    Raises:
        DataError: for the first that cannot be used, or if there is none.
    """
    found, others = [], 0
    said = {} if said is None else said
    for at, row in rows:
        if row.get("label", 0) is None and any(row.get(name) is not None for name in PROPERTIES):
            others += 1
            continue
        if missing := {"text", "lang", "label"} - row.keys():
            raise DataError(f"{at}: there is no {', '.join(sorted(missing))} (only {', '.join(row)})")
        one = _checked(row, at)
        before, first = said.setdefault((one["lang"], one["text"]), (one["label"], at))
        if before != one["label"]:
            names = ("bad", "good")
            raise DataError(
                f"{at}: the text is called {names[one['label']]}, and {names[before]} in {first}",
                "keep one of the two labels, or neither: together they teach nothing",
            )
        found.append(one)
    if not found and not others:
        raise DataError(f"{where} holds no anchor", "one row per document: text, lang, label (1 = good)")
    return pa.Table.from_pylist(found, schema=SCHEMA)


def rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return the documents of a ``.jsonl`` or ``.parquet`` file, with all their columns and where they stand.

    Raises:
        DataError: if the file is not there, or not what its ending says.
    """
    if not path.is_file():
        raise DataError(f"there is no file {path}")
    if path.suffix == ".parquet":
        yield from _parquet(path)
    elif path.suffix == ".jsonl":
        yield from _lines(path)
    else:
        raise RequestError(f"{path}: documents are read from .jsonl and .parquet, not {path.suffix or 'this'}")


def _parquet_rows(path: Path, label: bool | None) -> Iterator[tuple[str, dict[str, Any]]]:
    with blame(path, what="Parquet file"):
        present = pq.read_schema(path).names
    names = [n for n in (*SCHEMA.names, *PROPERTIES) if n in present]
    given = {} if label is None else {"label": label}
    if missing := {"text", "lang", "label"} - set(names) - given.keys():
        hint = "".join(did_you_mean(m, present) for m in sorted(missing))
        raise DataError(f"{path} has no column {', '.join(sorted(missing))}: it has {', '.join(present)}{hint}")
    for where, row in _parquet(path, names):
        yield where, row | given


def _parquet(path: Path, columns: Sequence[str] | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
    with blame(path, what="Parquet file"):
        batches = pq.ParquetFile(path).iter_batches(columns=columns)
    at = 0
    while True:
        with blame(path, what="Parquet file"):
            batch = next(batches, None)
        if batch is None:
            return
        for row in batch.to_pylist():
            at += 1
            yield f"{path}, row {at}", row


def _json_rows(path: Path, label: bool | None) -> Iterator[tuple[str, dict[str, Any]]]:
    for where, row in _lines(path):
        if label is not None:
            row["label"] = label
        yield where, row


def _lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            where = f"{path}, line {number}"
            if not line.strip():
                continue
            try:
                row = json_text.loads(line)
            except ValueError as error:
                raise DataError(f"{where}: this is not JSON: {error}") from error
            if not isinstance(row, dict):
                raise DataError(f"{where}: an object with text, lang and label is needed, not {type(row).__name__}")
            yield where, row


def _checked(row: Mapping[str, Any], where: str) -> dict[str, Any]:
    text, label = row["text"], row["label"]
    if not isinstance(text, str) or is_blank(text):
        raise DataError(f"{where}: the text is missing or empty")
    # 1.0 is what a table library makes of 1 where a column has gaps; True == 1 in Python, so one test serves all.
    if not isinstance(label, bool | int | float) or label not in (0, 1):
        raise DataError(f"{where}: the label is {label!r}", "write 1 or true for a good document, 0 or false for a bad")
    names = {name: row.get(name) for name in ("group", "source")}
    for name, value in names.items():
        if value is not None and not isinstance(value, str | int):
            raise DataError(f"{where}: the {name} is {value!r}: a text or a whole number is needed")
    if not isinstance(row["lang"], str):
        raise DataError(f"{where}: the language is {row['lang']!r}", "write a code such as fra_Latn")
    try:
        lang = _canonical(row["lang"])
    except RequestError as error:
        raise DataError(f"{where}: {error.message}", error.fix) from error
    marks = {name: None if value is None else str(value) for name, value in names.items()}
    return {"text": text, "lang": lang, "label": bool(label), **marks}


@cache
def _canonical(code: str) -> str:
    return language.parse(code).code


def counts(anchors: pa.Table) -> dict[str, tuple[int, int]]:
    """Return (good, bad) documents of each language, sorted by language.

    >>> counts(pa.table({"lang": ["fra_Latn", "fra_Latn", "eng_Latn"], "label": [True, True, False]}))
    {'eng_Latn': (0, 1), 'fra_Latn': (2, 0)}
    """
    rows = anchors.group_by("lang").aggregate([("label", "sum"), ("label", "count")]).sort_by("lang").to_pylist()
    return {r["lang"]: (int(r["label_sum"]), int(r["label_count"] - r["label_sum"])) for r in rows}


def draw(anchors: pa.Table, per_class: int, seed: int) -> pa.Table:
    """Return at most `per_class` good and `per_class` bad documents of each language, in their given order.

    Which ones are drawn depends on their texts and the seed, not on the order of the rows.
    """
    keys = hashes(anchors["text"], seed)
    order = np.lexsort((keys, anchors["label"].to_numpy(zero_copy_only=False), _codes(anchors["lang"])))
    cells = _cells(anchors["lang"], anchors["label"].to_numpy(zero_copy_only=False))[order]
    first = np.flatnonzero(np.r_[True, cells[1:] != cells[:-1]])
    rank = np.arange(len(cells)) - np.repeat(first, np.diff(np.r_[first, len(cells)]))
    return anchors.take(pa.array(np.sort(order[rank < per_class])))


def ordered(anchors: pa.Table) -> pa.Table:
    """Return anchors in an order of their own, whatever order they were given in: of the hashes of all that they say.

    What is made of them one after the other (versions of other lengths, groups, sums) is then the same in any order.
    """
    columns = [anchors[name].to_pylist() for name in SCHEMA.names if name in anchors.column_names]
    keys = [
        blake2b(repr(row).encode("utf-8", "surrogatepass"), digest_size=16).digest()
        for row in zip(*columns, strict=True)
    ]
    return anchors.take(pa.array(sorted(range(anchors.num_rows), key=keys.__getitem__), pa.int64()))


def weights(
    langs: pa.Array | pa.ChunkedArray, labels: NDArray[np.bool_], per_class: int, upsample: float = 3.0
) -> NDArray[np.float64]:
    """Return one weight per document: scarce languages count for more, and both classes for the same in all.

    As in the cross-lingual quality classifiers (arXiv 2604.20549), where each language gives N good documents and
    as many bad ones, and a scarce one is repeated at most three times; here a weight stands for the repetition. Of
    the n documents of one language and class, each weighs min(N, upsample · n) / n. Then each class is scaled to
    half of the total, which is the number of documents.

    Args:
        langs: (n,) languages.
        labels: (n,) true = good.
        per_class: N; no more than the largest language and class has is used.
        upsample: how often a document of a scarce language may be repeated.

    >>> weights(pa.array(["fra_Latn"] * 4), np.array([True, True, True, False]), 100).round(2).tolist()
    [0.67, 0.67, 0.67, 2.0]
    """
    cells, row_cell, size = np.unique(_cells(langs, labels), return_inverse=True, return_counts=True)
    wanted = min(float(per_class), size.max(initial=1))
    total = np.minimum(wanted, upsample * size)
    good = cells % 2 == 1
    for side in (good, ~good):
        if side.any():
            total[side] *= len(labels) / 2 / total[side].sum()
    return np.asarray((total / size)[row_cell], np.float64)


def groups(anchors: pa.Table) -> NDArray[np.int64]:
    """Return the number of each document's group: rows with one `group`, or with equal texts, are together."""

    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    size = anchors.num_rows
    named = anchors["group"].to_pylist() if "group" in anchors.column_names else [None] * size
    marks: dict[tuple[str, str], int] = {}
    rows, columns = [], []
    for row, (text, group) in enumerate(zip(anchors["text"].to_pylist(), named, strict=True)):
        for mark in (("text", text), ("group", group)):
            if mark[1] is not None:
                rows.append(row)
                columns.append(marks.setdefault(mark, len(marks)))
    links = coo_array((np.ones(len(rows)), (rows, np.array(columns) + size)), shape=(size + len(marks),) * 2)
    return np.asarray(connected_components(links, directed=False)[1][:size], np.int64)


def folds(group: NDArray[np.int64], count: int, seed: int) -> NDArray[np.int64]:
    """Deal documents into `count` folds of about equal size; a group stands in one fold.

    Raises:
        DataError: if there are fewer groups than folds.
    """
    names, inverse, size = np.unique(group, return_inverse=True, return_counts=True)
    if len(names) < count:
        raise DataError(f"{count} folds were asked for, and there are {len(names)} groups of documents")
    order = np.random.default_rng(seed).permutation(len(names))
    held = np.zeros(count, np.int64)
    fold = np.empty(len(names), np.int64)
    for one in order[np.argsort(-size[order], kind="stable")]:
        fold[one] = held.argmin()
        held[fold[one]] += size[one]
    return fold[inverse]


def _codes(values: pa.Array | pa.ChunkedArray) -> NDArray[np.int64]:
    return np.unique(np.asarray(values.to_pylist(), object), return_inverse=True)[1].astype(np.int64)


def _cells(langs: pa.Array | pa.ChunkedArray, labels: NDArray[np.bool_]) -> NDArray[np.int64]:
    return _codes(langs) * 2 + labels


def hashes(texts: pa.ChunkedArray, seed: int) -> NDArray[np.uint64]:
    """Return (n,) numbers that depend on a text and the seed alone: a random order that no shuffle changes."""
    salt = seed.to_bytes(8, "little", signed=True)
    plain = pc.cast(texts, pa.binary()).to_pylist()
    return np.array([int.from_bytes(blake2b(t, digest_size=8, salt=salt).digest(), "little") for t in plain], np.uint64)
