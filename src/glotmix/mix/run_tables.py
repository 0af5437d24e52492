"""Tables of proxy runs in files: the mixture each run saw, and its loss on every target.

Two conventions are read, both a pair of CSV (or Parquet) files with one row per run:

- **RegMix** (arXiv 2407.01492, github.com/sail-sg/regmix): columns ``train_<domain>`` and ``metric/<target>_val_loss``,
  joined on ``index``;
- **Olmix** (github.com/allenai/olmix): ``ratios.csv`` and ``metrics.csv``, joined on ``run_id`` (or ``run``), a column
  per domain and per metric.

In the file of mixtures some columns are no domains: ``parameters`` (N), ``tokens`` (D, in training), ``seed``, and
``unique.<domain>``, the unique tokens of that domain that the run drew from (empty: so many that none repeated).

The two files must speak of the same runs. A run without a loss is an error here, not a row that vanishes.
"""

import csv
import io
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from glotmix.core import utf8
from glotmix.core.errors import DataError, RequestError, blame, did_you_mean
from glotmix.mix.accounting import Array
from glotmix.mix.runs import Runs, is_language

_UNIQUE = "unique."
_PLAIN = {"parameters": "parameters", "tokens": "tokens", "seed": "seeds"}
"""Columns that are no domains, and the field of `Runs` that each is."""
UNIGRAM = "unigram.csv"
_MAXIMISED = re.compile(
    r"(?:^|[^a-z0-9])(?:acc(?:uracy)?(?:_norm)?|exact_match|f1|bleu|chrf|rouge\w*|pass@\d+|mcc|win_?rate|scores?|comet|"
    r"au(?:ro)?c|mrr|recall|precision|rewards?)(?=$|[^a-z0-9])",
    re.IGNORECASE,
)
"""Names of figures of which more is better. (``mcc_Latn``, Bitur, is a language.)"""
_COMMA = re.compile(r"^(-?\d+),(\d+(?:[eE][-+]?\d+)?)$")
_OFF = 0.01  # published tables round to three digits: RegMix's rows sum to 0.996–1.003


def read(shape: str, mixtures: Path, losses: Path) -> Runs:
    """Read a table of runs.

    Args:
        shape: ``regmix`` or ``olmix``.
        mixtures: the file of mixtures (Olmix: ``ratios.csv``).
        losses: the file of losses (Olmix: ``metrics.csv``).

    Raises:
        RequestError: for another shape.
        DataError: if the files cannot be used; the message names file, run and column.
    """
    shapes: dict[str, Callable[[Path, Path], Runs]] = {"regmix": regmix, "olmix": olmix}
    if shape not in shapes:
        raise RequestError(
            f"runs come in the shape {' or '.join(shapes)}, not {shape!r}{did_you_mean(shape, shapes)}",
            "mix.runs.format=regmix",
        )
    return shapes[shape](mixtures, losses)


def regmix(mixtures: Path, losses: Path) -> Runs:
    """Read RegMix's pair of files: see `read`."""
    shares = _table(mixtures, ("index",), lambda c: re.sub(r"^train_(the_pile_)?", "", c))
    measured = _table(losses, ("index",), lambda c: re.sub(r"^metric/(the_pile_)?|_val_loss$", "", c), losses=True)
    return _join(shares, measured)


def olmix(ratios: Path, metrics: Path) -> Runs:
    """Read Olmix's pair of files: see `read`. A metric ``fra_Latn_bpb`` (or ``/bpb``) is the target ``fra_Latn``.

    Where a file ``unigram.csv`` (``target``, ``bits_per_byte``) stands beside the losses, as `glotmix mix train` leaves
    it, it says what a model reaches that has learned nothing.
    """
    shares = _table(ratios, _RUN, _as_it_is)
    measured = _table(metrics, _RUN, _metric, losses=True)
    return replace(_join(shares, measured), unigram=_unigram(metrics.with_name(UNIGRAM), measured.columns))


def of_tables(mixtures: Mapping[str, Sequence[object]], losses: Mapping[str, Sequence[object]]) -> Runs:
    """Return runs from two tables in memory, each a list of values by column; their columns are those of `olmix`.

    Raises:
        DataError: as `read`.
    """
    shares = _parsed("the mixtures", _of_columns(mixtures), _RUN, _as_it_is)
    return _join(shares, _parsed("the losses", _of_columns(losses), _RUN, _metric, losses=True))


_RUN = ("run_id", "run")
_LABELS = ("name", "index", "__index_level_0__", "")
"""Columns beside the key that are no numbers; the third is how pandas stores its index."""


def _as_it_is(column: str) -> str:
    return column


def _metric(column: str) -> str:
    return re.sub(r"(?<=.)[_/ ](bpb|loss|val_loss)$", "", column)


@dataclass(frozen=True)
class _Table:
    path: Path | str
    key: str
    columns: tuple[str, ...]
    rows: dict[str, list[float]]


def _table(path: Path, keys: tuple[str, ...], clean: Callable[[str], str], losses: bool = False) -> _Table:
    """Read a CSV of finite numbers with a key column; `name` and `index` beside the key are labels, not numbers.

    Of losses, a column whose name says that more of it is better is refused.
    """
    if not path.is_file():
        raise DataError(
            f"{path} is not there", "a folder with both files, or mix.runs.mixtures=FILE mix.runs.losses=FILE"
        )
    with blame(path):
        return _parsed(path, _lines(path), keys, clean, losses)


def pair(folder: Path) -> tuple[Path, Path]:
    """Return the two files of a folder of runs: ``ratios`` and ``metrics``, as CSV, else as Parquet."""
    kind = ".parquet" if (folder / "ratios.parquet").is_file() and not (folder / "ratios.csv").is_file() else ".csv"
    return folder / f"ratios{kind}", folder / f"metrics{kind}"


def _lines(path: Path) -> list[list[str]]:
    """Return the header and the rows of a file of Parquet, or of CSV with commas, semicolons or tabs."""
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        found = pq.read_table(path)
        return _of_columns({name: found[name].to_pylist() for name in found.column_names})
    text = utf8.text(path)
    head = text.partition("\n")[0]
    mark = max(",;\t", key=head.count)
    lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=mark))
    if mark == ";":
        # Where a semicolon parts the cells, a comma may begin the fraction.
        lines = [
            lines[0],
            *([re.sub(r"^(-?\d+),(\d+(?:[eE][-+]?\d+)?)$", r"\1.\2", c) for c in row] for row in lines[1:]),
        ]
    return lines


def _of_columns(table: Mapping[str, Sequence[object]]) -> list[list[str]]:
    rows = zip(*table.values(), strict=True)
    return [list(table), *(["" if cell is None else str(cell) for cell in row] for row in rows)]


def _parsed(
    path: Path | str, lines: list[list[str]], keys: tuple[str, ...], clean: Callable[[str], str], losses: bool = False
) -> _Table:
    """Return a table from its header and rows: see `_table`."""
    if len(lines) < 2:
        raise DataError(f"{path} holds no run: a header and one row per run are needed")
    header = [column.strip() for column in lines[0]]
    key = next((k for k in keys if k in header), None)
    if key is None:
        raise DataError(
            f"{path} has no column {' or '.join(keys)} to join on; it has: {', '.join(header[:8])}",
            f"call the column that names the runs {keys[0]}, in both files",
        )
    at = header.index(key)
    used = [i for i, column in enumerate(header) if i != at and column not in _LABELS]
    columns = tuple(clean(header[i]) for i in used)
    if twice := [c for c in columns if columns.count(c) > 1]:
        raise DataError(f"{path} has two columns for {twice[0]}")
    if not columns:
        raise DataError(f"{path} has no column beside {key}")
    if losses and (best := [c for c in columns if _MAXIMISED.search(c) and not is_language(c)]):
        raise DataError(
            f"{path}: {', '.join(best[:5])} by name {'is' if len(best) == 1 else 'are'} to be maximised; a target is a "
            "loss, and the mixture with least of it is sought",
            "leave the column out, or give bits per byte of the right answers",
        )
    rows: dict[str, list[float]] = {}
    words = [header[i] for i in used if not any(_is_number(line[i]) for line in lines[1:] if len(line) == len(header))]
    if words and len(lines) > 2:
        raise DataError(f"{path}: no run has a number in column {words[0]}", "leave the column out")
    for number, line in enumerate(lines[1:], start=2):
        if not line:
            continue
        if len(line) != len(header):
            raise DataError(f"{path}, line {number}: {len(line)} fields under {len(header)} columns")
        run = line[at].strip()
        if run in rows:
            raise DataError(f"{path}, line {number}: the run {run} comes twice")
        rows[run] = [_cell(line[i], path, run, header[i]) for i in used]
    return _Table(path, key, columns, rows)


def _cell(text: str, path: Path | str, run: str, column: str) -> float:
    """Read a number; where nothing repeats, a stock may be left empty."""
    return math.inf if column.startswith(_UNIQUE) and not text.strip() else _number(text, path, run, column)


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text or "0"))
    except ValueError:
        return False


def _number(text: str, path: Path | str, run: str, column: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        said = repr(text) if text.strip() else "nothing"
        raise DataError(
            f"{path}: run {run} has {said} in column {column}", "remove the run from both files, or rerun it"
        )
    return value


def _join(mixtures: _Table, losses: _Table) -> Runs:
    for here, there in ((mixtures, losses), (losses, mixtures)):
        if alone := [run for run in here.rows if run not in there.rows]:
            some = ", ".join(alone[:5]) + (f" and {len(alone) - 5} more" if len(alone) > 5 else "")
            raise DataError(
                f"{len(alone)} of {len(here.rows)} runs in {here.path} are not in {there.path}: {some}",
                f"the files are joined on {here.key}; remove those runs or add their rows",
            )
    names = tuple(mixtures.rows)
    mixtures, beside = _split(mixtures)
    losses, _ = _split(losses)
    shares = np.array([mixtures.rows[run] for run in names])
    measured = np.array([losses.rows[run] for run in names])
    for run, row in zip(names, shares, strict=True):
        if row.min() < 0:
            column = mixtures.columns[int(row.argmin())]
            raise DataError(f"{mixtures.path}: run {run} has a negative share of {column} ({row.min():g})")
        if abs(row.sum() - 1) > _OFF:
            raise DataError(
                f"{mixtures.path}: the shares of run {run} sum to {row.sum():.4g}, not to one",
                "shares are fractions of training tokens, a row per run",
            )
    for run, row in zip(names, measured, strict=True):
        if row.min() <= 0:
            column = losses.columns[int(row.argmin())]
            raise DataError(f"{losses.path}: run {run} has the loss {row.min():g} on {column}; a loss is above zero")
    shares = shares / shares.sum(axis=1, keepdims=True)
    return Runs(
        names,
        mixtures.columns,
        losses.columns,
        shares,
        measured,
        beside.get("parameters"),
        beside.get("tokens"),
        beside.get("unique"),
        beside.get("seeds"),
    )


def _split(table: _Table) -> tuple[_Table, dict[str, Array]]:
    """Take the columns that are no domains out of a table, as fields of `Runs`."""
    plain = [i for i, c in enumerate(table.columns) if c not in _PLAIN and not c.startswith(_UNIQUE)]
    domains = tuple(table.columns[i] for i in plain)
    if not domains:
        raise DataError(f"{table.path} has no column beside {', '.join((table.key, *table.columns))}")
    values = np.array(list(table.rows.values()))
    beside = {field: values[:, table.columns.index(c)] for c, field in _PLAIN.items() if c in table.columns}
    for field in ("parameters", "tokens"):
        if field in beside and beside[field].min() <= 0:
            raise DataError(f"{table.path}: a run has {beside[field].min():g} {field}; there is no such run")
    stocks = [c for c in table.columns if c.startswith(_UNIQUE)]
    if stocks:
        if unknown := [c for c in stocks if c.removeprefix(_UNIQUE) not in domains]:
            raise DataError(f"{table.path} has a column {unknown[0]}, but no domain {unknown[0].removeprefix(_UNIQUE)}")
        if "tokens" not in beside:
            raise DataError(
                f"{table.path} has {stocks[0]}, but no column tokens", "add the training tokens of each run"
            )
        unique = np.full((len(values), len(domains)), np.inf)
        for c in stocks:
            unique[:, domains.index(c.removeprefix(_UNIQUE))] = values[:, table.columns.index(c)]
        beside["unique"] = unique
    rows = {run: [row[i] for i in plain] for run, row in table.rows.items()}
    return _Table(table.path, table.key, domains, rows), beside


def write(runs: Runs, folder: Path) -> None:
    """Write Olmix's two files, ``ratios.csv`` and ``metrics.csv``, with what is known beside the shares."""
    write_mixtures(folder / "ratios.csv", runs)
    _write(folder / "metrics.csv", runs.targets, dict(zip(runs.names, runs.losses.tolist(), strict=True)))
    (folder / UNIGRAM).unlink(missing_ok=True)
    if runs.unigram is not None:
        known = [(t, f"{bits:.6f}") for t, bits in zip(runs.targets, runs.unigram, strict=True) if math.isfinite(bits)]
        with (folder / UNIGRAM).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([("target", "bits_per_byte"), *known])


def _unigram(path: Path, targets: Sequence[str]) -> Array | None:
    if not path.is_file():
        return None
    rows = list(csv.DictReader(io.StringIO(utf8.text(path), newline="")))
    try:
        known = {row["target"]: float(row["bits_per_byte"]) for row in rows}
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: {error}", "the columns target and bits_per_byte, or no such file") from error
    return np.array([known.get(target, math.nan) for target in targets])


def write_mixtures(path: Path, runs: Runs) -> None:
    """Write ``ratios.csv``: a row per run, before or after it was trained."""
    columns = [name for name, field in _PLAIN.items() if getattr(runs, field) is not None]
    plain = [np.array(getattr(runs, _PLAIN[name])) for name in columns]
    rows: dict[str, list[float]] = {}
    for i, name in enumerate(runs.names):
        # Infinite is left empty: no stock that a run could exhaust.
        rows[name] = [*(float(x[i]) for x in plain), *runs.shares[i].tolist()]
        if runs.unique is not None:
            rows[name] += runs.unique[i].tolist()
    stocks = () if runs.unique is None else tuple(_UNIQUE + domain for domain in runs.domains)
    _write(path, (*columns, *runs.domains, *stocks), rows)


def _write(path: Path, columns: Sequence[str], rows: Mapping[str, Sequence[float]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["run_id", *columns])
        for name, values in rows.items():
            out.writerow([name, *(_text(value) for value in values)])


def _text(value: float) -> str:
    if math.isinf(value):
        return ""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))
