"""What raters say: columns of numbers from any tool, and verdicts on pairs; read, turned the same way, and compared.

A *rater column* is a number per document: another tool's score, one of glotmix's signals, a human's label. It has a
direction and may be meant for some languages only. A *verdict* is what a judge (a person or a model) said of a pair.
Both become votes on pairs (`bradley_terry.Comparisons`). Missing is missing: a rater without a number for either
document of a pair is silent on it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from glotmix.core import files, json_text, language
from glotmix.core.errors import DataError, RequestError, did_you_mean
from glotmix.quality.bradley_terry import Comparisons, Ints
from glotmix.quality.raters_config import RaterColumn

SUFFIXES = (".parquet", ".jsonl", ".csv")


@dataclass(frozen=True)
class Rated:
    """Documents and what each rater column says of them.

    Args:
        ids: n ids, sorted.
        langs: (n,) languages.
        names: k raters.
        values: (n, k), higher is better; NaN is missing or out of the rater's scope.
        unknown: per rater, values of ids that are no documents here.
        strangers: per rater, one of these ids, where there are any.
        spoken: per rater, the documents that it has a number for, and those that it is meant for.
    """

    ids: tuple[str, ...]
    langs: NDArray[np.object_]
    names: tuple[str, ...]
    values: NDArray[np.float64]
    unknown: Mapping[str, int]
    strangers: Mapping[str, str]
    spoken: Mapping[str, tuple[int, int]]


def rated(documents: pa.Table, raters: Sequence[RaterColumn], base: Path) -> Rated:
    """Read rater columns for documents.

    Args:
        documents: ``id, lang``; in any order.
        raters: the columns.
        base: the folder that paths start from.

    Raises:
        RequestError: for two raters of one name, or a language that is none.
        DataError: naming file and column: not there, no numbers, an id twice, or no document's id.
    """
    twice = sorted({r.name for r in raters if [o.name for o in raters].count(r.name) > 1})
    if twice:
        raise RequestError(f"two raters are called {twice[0]}", "give each a name of its own")
    documents = documents.select(["id", "lang"]).sort_by("id")
    ids = documents["id"].combine_chunks().cast(pa.string())
    if len(pc.unique(ids)) != len(ids):
        raise DataError("the documents' ids are not unique", "raters are joined by id: make ids unique")
    langs = np.asarray(documents["lang"].to_pylist(), object)
    values = np.full((len(ids), len(raters)), np.nan)
    unknown, strangers, spoken = {}, {}, {}
    for at, rater in enumerate(raters):
        found, numbers = _column(rater, base)
        position = pc.index_in(found, ids)
        here = position.is_valid().to_numpy(zero_copy_only=False)
        if not here.any():
            example = found[0].as_py() if len(found) else "nothing"
            raise DataError(
                f"{rater.name}: none of its {len(found)} ids is a document's (its first is {example})",
                f"name the column of ids: id: {rater.id} is what was read from {rater.path}",
            )
        unknown[rater.name] = int((~here).sum())
        if unknown[rater.name]:
            strangers[rater.name] = str(found[int(np.flatnonzero(~here)[0])].as_py())
        values[position.drop_null().to_numpy().astype(np.int64), at] = numbers[here]
        if rater.better == "low":
            values[:, at] *= -1
        if rater.languages is not None:
            meant = {language.parse(code).code for code in rater.languages}
            values[~np.isin(langs, sorted(meant)), at] = np.nan
        known = ~np.isnan(values[:, at])
        scope = len(ids) if rater.languages is None else int(np.isin(langs, sorted(meant)).sum())
        spoken[rater.name] = int(known.sum()), scope
        if np.isnan(values[:, at]).all():
            raise DataError(f"{rater.name} has no number for any document in its languages")
    return Rated(tuple(ids.to_pylist()), langs, tuple(r.name for r in raters), values, unknown, strangers, spoken)


def _column(rater: RaterColumn, base: Path) -> tuple[pa.Array, NDArray[np.float64]]:
    """Return the ids and numbers of a rater; rows without a number are left out."""
    table = read(files.placed(base, rater.path), (rater.id,), numbers=(rater.column,))
    where = f"{rater.path}, column {rater.column}"
    kind = table[rater.column].type
    if pa.types.is_null(kind):
        raise DataError(f"{where}: there is no value in it")
    if rater.order is not None:
        numbers = _ranks(table[rater.column], rater.order, where)
    elif pa.types.is_boolean(kind):
        numbers = table[rater.column].cast(pa.int8()).cast(pa.float64())
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        numbers = table[rater.column].cast(pa.float64())
    else:
        raise DataError(
            f"{where}: it holds {kind}, and a rater is a number per document",
            "order: [poor, fair, good], its words from the worst to the best",
        )
    plain = numbers.to_numpy()
    if np.isinf(plain).any():
        raise DataError(f"{where}: {int(np.isinf(plain).sum())} values are infinite")
    known = ~np.isnan(plain)
    ids = table[rater.id].cast(pa.string()).combine_chunks().filter(pa.array(known))
    if ids.null_count:
        raise DataError(f"{rater.path}, column {rater.id}: {ids.null_count} rows have a value and no id")
    if len(pc.unique(ids)) != len(ids):
        counted = pc.value_counts(ids)
        first = counted.field("values")[pc.index(pc.greater(counted.field("counts"), 1), True)]
        raise DataError(f"{rater.path}: the id {first.as_py()} has more than one value of {rater.column}")
    return ids, plain[known]


def _ranks(words: pa.ChunkedArray, order: Sequence[str], where: str) -> pa.ChunkedArray:
    """Return the place of each word in an order; what has no word has no place."""
    if len(set(order)) != len(order):
        raise RequestError(f"{where}: order names a word twice: {', '.join(order)}")
    if not (pa.types.is_string(words.type) or pa.types.is_large_string(words.type)):
        raise DataError(f"{where}: it holds {words.type}, and order is of words", "leave order out: numbers have one")
    plain = words.cast(pa.string())
    places = pc.index_in(plain, pa.array(order, pa.string()))
    strange = pc.unique(plain.filter(pc.and_(pc.is_null(places), pc.is_valid(plain)))).to_pylist()
    if strange:
        raise DataError(f"{where}: {strange[0]!r} is not in its order: {', '.join(order)}", "name every word once")
    return places.cast(pa.float64())


def read(path: Path, texts: Sequence[str], numbers: Sequence[str] = (), optional: Sequence[str] = ()) -> pa.Table:
    """Read a table of Parquet, JSON lines or CSV, or a folder of such files.

    Args:
        path: the file or folder.
        texts: columns of text. An id such as 0012 must not lose its zeros, so a CSV's are read as they are written.
        numbers: columns of values.
        optional: columns of text that are read where they are there.

    Raises:
        DataError: if there is none, it cannot be read, or a column is not in it.
    """
    files = sorted(p for p in path.rglob("*") if p.suffix in SUFFIXES) if path.is_dir() else [path]
    if not files or not files[0].is_file():
        raise DataError(f"there is no table at {path}", f"a file or a folder of files: {', '.join(SUFFIXES)}")
    tables = []
    for file in files:
        try:
            tables.append(_file(file, texts, numbers, optional))
        except (pa.ArrowInvalid, pa.ArrowTypeError, OSError) as error:
            raise DataError(f"{file} cannot be read: {error}") from error
    return pa.concat_tables(tables, promote_options="permissive")


def _file(file: Path, texts: Sequence[str], numbers: Sequence[str], optional: Sequence[str]) -> pa.Table:
    wanted = list(dict.fromkeys((*texts, *numbers)))
    match file.suffix:
        case ".parquet":
            table = pq.read_table(file, partitioning=None)
        case ".jsonl":
            rows = [row for _, row in json_rows(file)]
            # A row need not have what another has: the columns are those of all rows.
            known = list(dict.fromkeys(name for row in rows for name in row))
            kept = [name for name in known if name in (*wanted, *optional)] or known
            table = pa.table({name: [row.get(name) for row in rows] for name in kept})
        case ".csv":
            kinds = dict.fromkeys((*texts, *optional), pa.string())
            convert = pcsv.ConvertOptions(strings_can_be_null=True, column_types=kinds)
            lines = pcsv.ParseOptions(newlines_in_values=True)
            table = pcsv.read_csv(file, convert_options=convert, parse_options=lines)
        case _:
            raise RequestError(f"{file}: tables are read from {', '.join(SUFFIXES)}")
    for name in wanted:
        if name not in table.column_names:
            raise DataError(
                f"{file} has no column {name}{did_you_mean(name, table.column_names)}: "
                f"it has {', '.join(table.column_names) or 'none'}"
            )
    return table.select([*wanted, *(name for name in optional if name in table.column_names)])


def json_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each row of a JSONL file with where it stands.

    Raises:
        DataError: for a line that is no JSON object.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                where = f"{path}, line {number}"
                try:
                    row = json_text.loads(line)
                except ValueError as error:
                    raise DataError(f"{where}: this is not JSON: {error}") from error
                if not isinstance(row, dict):
                    raise DataError(f"{where}: an object is needed, not {type(row).__name__}")
                yield where, row


def draw_pairs(groups: NDArray[np.object_], per_document: int, seed: int) -> tuple[Ints, Ints]:
    """Draw pairs of documents within each group (a language): rings of random order.

    A ring puts every document into two pairs and joins all of a group by a chain of pairs, so that all scores of a
    group can be told against one another. No pair is drawn twice, in either order.

    Args:
        groups: (n,) what must be equal within a pair.
        per_document: pairs per document, about; a ring gives two.
        seed: of the orders.

    Returns:
        left and right positions; groups of a single document have no pair.
    """
    left, right = [], []
    for number, group in enumerate(sorted(set(groups.tolist()))):
        rows = np.flatnonzero(groups == group)
        rng = np.random.default_rng([seed, number])
        if len(rows) < 2:
            continue
        for _ in range(max(1, per_document // 2)):
            order = rng.permutation(rows)
            left.append(order)
            right.append(np.roll(order, -1))
    if not left:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    a, b = np.concatenate(left), np.concatenate(right)
    keys = np.minimum(a, b) * len(groups) + np.maximum(a, b)
    first = np.sort(np.unique(keys, return_index=True)[1])
    return a[first].astype(np.int64), b[first].astype(np.int64)


def compare(values: NDArray[np.float64], left: Ints, right: Ints) -> NDArray[np.float32]:
    """Return the (m, k) votes that columns of numbers cast on pairs: 1, 0, ½ for equal ones, NaN where one is missing.

    >>> compare(np.array([[1.0], [2.0], [2.0], [np.nan]]), np.array([1, 1, 1]), np.array([0, 2, 3])).ravel().tolist()
    [1.0, 0.5, nan]
    """
    difference = values[left] - values[right]
    return np.where(np.isnan(difference), np.nan, (np.sign(difference) + 1) / 2).astype(np.float32)


@dataclass(frozen=True)
class Verdicts:
    """What judges said of pairs.

    Args:
        names: k judges, sorted.
        left: (m,) documents, the smaller id's position first.
        right: (m,).
        preferred: (m, k) mean of each judge's votes for the left one, over both orders and all repetitions.
        first: per judge, the share of its votes that went to the document shown first, ties ½: 0.5 has no such bias.
        unknown: verdicts on documents that are not here.
        stranger: one of these documents.
    """

    names: tuple[str, ...]
    left: Ints
    right: Ints
    preferred: NDArray[np.float32]
    first: Mapping[str, float]
    unknown: int
    stranger: str | None = None


def verdicts(files: Sequence[Path], ids: Sequence[str]) -> Verdicts:
    """Read verdicts: JSON lines of ``a``, ``b`` (ids, in the order shown), ``answer`` (``a``, ``b`` or ``tie``) and
    ``judge``, whatever else they hold (`ask` writes such files).

    Raises:
        DataError: naming file and line of a verdict that cannot be read.
    """
    position = {name: at for at, name in enumerate(ids)}
    votes: dict[tuple[int, int], dict[str, list[float]]] = {}
    shown: dict[str, list[float]] = {}
    unknown, stranger = 0, None
    for file in files:
        if not file.is_file():
            raise DataError(f"there is no file of verdicts {file}", "glotmix raters ask RECIPE writes one")
        for where, row in json_rows(file):
            if missing := [n for n in ("a", "b", "answer", "judge") if n not in row]:
                raise DataError(f"{where}: a verdict has a, b, answer and judge; {', '.join(missing)} is missing")
            if odd := [n for n in ("a", "b", "answer", "judge") if not isinstance(row[n], str)]:
                raise DataError(f"{where}: {odd[0]} is {row[odd[0]]!r}, which is no text")
            share = {"a": 1.0, "b": 0.0, "tie": 0.5}.get(row["answer"].strip().casefold())
            if share is None or row["a"] == row["b"]:
                raise DataError(f"{where}: the answer {row['answer']!r} on {row['a']} and {row['b']} is no verdict")
            a, b = position.get(row["a"]), position.get(row["b"])
            if a is None or b is None:
                unknown += 1
                stranger = stranger or (row["a"] if a is None else row["b"])
                continue
            shown.setdefault(row["judge"], []).append(share)
            pair, vote = ((a, b), share) if a < b else ((b, a), 1 - share)
            votes.setdefault(pair, {}).setdefault(row["judge"], []).append(vote)
    names = tuple(sorted(shown))
    pairs = sorted(votes)
    preferred = np.full((len(pairs), len(names)), np.nan, np.float32)
    for at, pair in enumerate(pairs):
        for judge, given in votes[pair].items():
            preferred[at, names.index(judge)] = np.mean(given)
    ends = np.array(pairs, np.int64).reshape(-1, 2)
    first = {name: float(np.mean(shown[name])) for name in names}
    return Verdicts(names, ends[:, 0], ends[:, 1], preferred, first, unknown, stranger)


def together(
    values: NDArray[np.float64], names: Sequence[str], left: Ints, right: Ints, judged: Verdicts
) -> tuple[Comparisons, tuple[str, ...]]:
    """Return the votes of columns on drawn pairs, and of columns and judges on the pairs that were judged.

    Columns vote on judged pairs too, so that their agreement with the judges can be seen.

    Args:
        values: (n, k) of the columns; k may be 0.
        names: of the columns.
        left: drawn pairs.
        right: their other ends.
        judged: verdicts.
    """
    if shared := sorted(set(names) & set(judged.names)):
        raise RequestError(f"{shared[0]} is the name of a rater column and of a judge", "rename the column")
    n = len(values)
    taken = judged.left * n + judged.right
    fresh = ~np.isin(np.minimum(left, right) * n + np.maximum(left, right), taken)
    left, right = np.concatenate([left[fresh], judged.left]), np.concatenate([right[fresh], judged.right])
    silent = np.full((int(fresh.sum()), len(judged.names)), np.nan, np.float32)
    spoken = np.concatenate([silent, judged.preferred])
    votes = np.concatenate([compare(values, left, right), spoken], axis=1)
    return Comparisons(left, right, votes.astype(np.float32), n), (*names, *judged.names)
