"""Tables that a caller has in memory: Arrow's, pandas's and Polars's, columns, rows."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from glotmix.core import language
from glotmix.core.errors import RequestError, did_you_mean


def as_table(given: Any, what: str = "the table") -> pa.Table:
    """Return what is given as an Arrow table.

    Args:
        given: an Arrow table; anything with Arrow's C stream (frames of pandas and Polars); columns by name; or rows,
            each a mapping.
        what: what a message calls it.

    Raises:
        RequestError: for anything else, and for columns of several lengths or kinds.

    >>> as_table([{"text": "a", "n": 1}, {"text": "b"}])["n"].to_pylist()
    [1, None]
    """
    try:
        if isinstance(given, pa.Table):
            return given
        if hasattr(given, "__arrow_c_stream__"):
            return pa.table(given)
        if isinstance(given, Mapping):
            return pa.table({str(name): pa.array(list(values)) for name, values in given.items()})
        if isinstance(given, Sequence) and not isinstance(given, str) and all(isinstance(r, Mapping) for r in given):
            names = list(dict.fromkeys(name for row in given for name in row))
            return pa.table({str(name): pa.array([row.get(name) for row in given]) for name in names})
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise RequestError(f"{what} is no table: {error}", "columns of one length, each of one kind") from error
    raise RequestError(
        f"{what} is a {type(given).__name__}", "an Arrow, pandas or Polars table, a dict of columns, or a list of dicts"
    )


def as_columns(given: Any, what: str = "the table") -> dict[str, list[Any]]:
    """Return what is given as lists by column: see `as_table`."""
    table = as_table(given, what)
    return {name: table[name].to_pylist() for name in table.column_names}


def texts(given: Any, langs: "Sequence[str] | str | None" = None) -> pa.Table:
    """Return documents as a table of ``text`` and, where it is known, ``lang`` (canonical), beside what else is given.

    Args:
        given: see `as_table`; or a list of texts.
        langs: languages of a list of texts: one code for all, or one each.

    Raises:
        RequestError: if there is no text, or a code is no language, naming the row.

    >>> texts(["bonjour"], "fr").to_pylist()
    [{'text': 'bonjour', 'lang': 'fra_Latn'}]
    """
    if isinstance(given, Sequence) and not isinstance(given, str) and all(isinstance(one, str) for one in given):
        columns: dict[str, Any] = {"text": pa.array(list(given), pa.string())}
        if langs is not None:
            codes = [langs] * len(given) if isinstance(langs, str) else list(langs)
            if len(codes) != len(given):
                raise RequestError(f"there are {len(given)} texts and {len(codes)} languages")
            columns["lang"] = pa.array(codes, pa.string())
        table = pa.table(columns)
    else:
        table = as_table(given, "documents")
    if "text" not in table.column_names:
        names = table.column_names
        raise RequestError(f"there is no column text{did_you_mean('text', names)}", f"there are: {', '.join(names)}")
    table = table.combine_chunks()
    table = table.set_column(table.column_names.index("text"), "text", table["text"].cast(pa.string()))
    for name in ("text", *(("lang",) if "lang" in table.column_names else ())):
        if table[name].null_count:
            raise RequestError(f"row {pc.index(pc.is_null(table[name]), True).as_py()} has no {name}")
    if "lang" not in table.column_names:
        return table
    known = {code: language.parse(str(code)).code for code in pc.unique(table["lang"]).to_pylist()}
    own = pa.array([known[code] for code in table["lang"].to_pylist()], pa.string())
    return table.set_column(table.column_names.index("lang"), "lang", own)
