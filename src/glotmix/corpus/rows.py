"""Documents as they are read, before they are screened, and what becomes of rows that cannot be documents."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from glotmix.core import language
from glotmix.core.errors import RequestError
from glotmix.core.visible import visible
from glotmix.corpus import zawgyi
from glotmix.corpus.sources import IDENTIFY, Source

SHOWN = 200
"""Characters of a quarantined row that are kept for the reader."""

Label = Callable[[pa.Array], pa.Array]


@dataclass(frozen=True)
class Reject:
    """A row that is no document.

    Args:
        at: its line (from 1) or its row (from 0) in the file.
        reason: one of a fixed set, to be counted.
        detail: what exactly is wrong, where there is more to say.
        start: its first characters.
    """

    at: int
    reason: str
    detail: str
    start: str


@dataclass(frozen=True)
class Rows:
    """Consecutive rows of one file.

    Args:
        at: (n,) line or row numbers.
        text: strings; null where there is none.
        ids: strings; null where there is none.
        lang: strings as the source spells them, or None if the source has one language or none declared.
        extras: all other columns.
        start: from a position among these rows to the first characters of the row as it was read.
        rejects: rows that never came so far.
        read: lines or rows that were gone through, empty ones and rejects included.
    """

    at: NDArray[np.int64]
    text: pa.Array
    ids: pa.Array
    lang: pa.Array | None
    extras: dict[str, pa.Array]
    start: Callable[[int], str]
    rejects: list[Reject] = field(default_factory=list)
    read: int = 0


def shown(raw: str | bytes) -> str:
    """Return the first 200 characters of a row; bytes that are not UTF-8 as ``\\xff``."""
    if isinstance(raw, bytes):
        raw = raw[: 4 * SHOWN].decode("utf-8", errors="backslashreplace")
    return raw[:SHOWN]


def as_line(entry: dict[str, Any]) -> str:
    """Return one line of a quarantine file: JSON in which nothing unprintable or reversing stands unescaped.

    >>> print(as_line({"start": "a\\u202eb\\x1b[31m Ж"}))
    {"start": "a\\u202eb\\u001b[31m Ж"}
    """
    text = json.dumps(entry, ensure_ascii=False)
    return text if text.isprintable() else "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def as_id(value: Any) -> str | None:
    """Return an id as text: numbers without a trailing ``.0``; None for what can be no id.

    >>> as_id(7), as_id(7.0), as_id("é"), as_id(True), as_id("")
    ('7', '7', 'é', None, None)
    """
    match value:
        case str():
            return value or None
        case bool():
            return None
        case int():
            return str(value)
        case float() if math.isfinite(value):
            return str(int(value)) if value.is_integer() else repr(value)
    return None


def screen(rows: Rows, source: Source, label: Label | None, max_chars: int) -> tuple[pa.Table, list[Reject]]:
    """Tell documents from rows that cannot be one.

    Returns:
        the documents, ``id`` (null where the source gave none), ``text, lang, at`` and the other columns under
        their names with a ``+`` before them; and the rejects.
    """
    bad: dict[int, tuple[str, str]] = {}
    if source.options.zawgyi == "convert" and not _other_myanmar(source):
        rows = _unicoded(rows)

    def refuse(mask: pa.Array, reason: str, detail: Callable[[int], str] = lambda _: "") -> None:
        for row in np.flatnonzero(np.asarray(mask)).tolist():
            bad.setdefault(row, (reason, detail(row)))

    refuse(rows.text.is_null(), "missing text")
    text = rows.text.fill_null("-")
    refuse(pc.invert(visible(text)), "empty text")
    chars = pc.utf8_length(text)
    refuse(pc.greater(chars, max_chars), "over-long text", lambda i: f"{chars[i].as_py():,} characters")
    if source.columns.id not in (None, "id"):
        refuse(rows.ids.is_null(), "missing id", lambda _: f"no text or number in column '{source.columns.id}'")
    lang = _languages(rows, source, label, refuse)

    rejects = [*rows.rejects, *(Reject(int(rows.at[i]), *bad[i], shown(rows.start(i))) for i in sorted(bad))]
    table = pa.table(
        {"id": rows.ids, "text": rows.text, "lang": lang, "at": pa.array(rows.at)}
        | {f"+{name}": column for name, column in rows.extras.items()}
    )
    if bad:
        good = np.ones(len(rows.at), dtype=bool)
        good[list(bad)] = False
        table = table.filter(pa.array(good))
    return table, sorted(rejects, key=lambda r: r.at)


def _other_myanmar(source: Source) -> bool:
    """Whether the source's one language shares Burmese's letters: nothing in it is Zawgyi."""
    return isinstance(source.language, str) and source.language.endswith("_Mymr") and source.language != "mya_Mymr"


def _unicoded(rows: Rows) -> Rows:
    texts = rows.text.combine_chunks() if isinstance(rows.text, pa.ChunkedArray) else rows.text
    texts, were = zawgyi.unicoded(texts)
    if not were:
        return rows
    named = {"encoding": "zawgyi"}
    extras = dict(rows.extras)
    for name, kind in (("encoding", pa.string()), ("encoding_score", pa.float64())):
        given = extras.get(name)
        if given is not None and given.type != kind:
            continue  # a column of the user's that happens to be called so
        values = [None] * len(rows.at) if given is None else given.to_pylist()
        for row, sure in were.items():
            values[row] = named.get(name, sure)
        extras[name] = pa.array(values, kind)
    return replace(rows, text=texts, extras=extras)


def _languages(rows: Rows, source: Source, label: Label | None, refuse: Callable[..., None]) -> pa.Array:
    """Return the canonical language of each row; refuse the rows without one."""
    if rows.lang is not None:
        # A table without types has no other way to say that there is none.
        given, absent = pc.if_else(pc.equal(pc.utf8_trim_whitespace(rows.lang), ""), None, rows.lang), "no language"
    elif source.language == IDENTIFY:
        assert label is not None
        given, absent = label(rows.text.fill_null("")), "language not identified"
    else:
        return pa.repeat(pa.scalar(source.language, pa.string()), len(rows.at))
    refuse(given.is_null(), absent)
    spelled = (given.combine_chunks() if isinstance(given, pa.ChunkedArray) else given).dictionary_encode()
    codes: list[str | None] = []
    problems: dict[int, str] = {}
    for position, code in enumerate(spelled.dictionary.to_pylist()):
        try:
            codes.append(language.parse(code).code)
        except RequestError as error:
            codes.append(None)
            problems[position] = error.message
    if problems:
        unknown = pc.is_in(spelled.indices, pa.array(list(problems), spelled.indices.type))
        refuse(unknown, "unknown language code", lambda i: problems[spelled.indices[i].as_py()])
    return pa.array(codes, pa.string()).take(spelled.indices)
