"""What the cells are made of: documents, each on one side for good."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from glotmix.combine.config import CombinationsConfig
from glotmix.core import conversation, language, table, tabular
from glotmix.core.errors import DataError, RequestError, blame
from glotmix.proxy.texts import place

Side = Literal["held", "test", "start", "pool"]
SIDES: tuple[Side, ...] = ("held", "test", "start", "pool")


@dataclass(frozen=True)
class Document:
    """A text to choose or to measure.

    Args:
        id: unique.
        lang: canonical code.
        group: what cells divide by, beside meaning: its source, mostly.
        text: that bears loss: a document, or the answer of an instruction.
        asked: what stands before it and bears none; empty for a document.
        quality: higher is better; None where it is not known.
    """

    id: str
    lang: str
    group: str
    text: str
    asked: str = ""
    quality: float | None = None

    @property
    def whole(self) -> str:
        """All of it, as it is embedded."""
        return f"{self.asked}{conversation.BLANK}{self.text}" if self.asked else self.text

    @property
    def size(self) -> int:
        """UTF-8 bytes of all of it."""
        return len(self.whole.encode())


def read(given: Any, config: CombinationsConfig) -> list[Document]:
    """Read documents: a table, rows, or the path of a file or of a folder of Parquet.

    Columns: ``lang`` and ``text``, and where there are such, ``id``, ``source``, ``quality``, the column of
    `config.by`; of conversations ``messages``, or ``instruction`` and ``response``, take the place of ``text``.

    Raises:
        RequestError: for a missing column.
        DataError: for two documents of one id, a file that cannot be read, and where nothing is left.
    """
    rows = _table(given)
    names = rows.column_names
    wanted = "source" if config.by == "quality" else config.by
    if wanted not in names and wanted != "source":
        raise RequestError(f"there is no column {wanted!r} to make cells of", f"by={', '.join(names)}")
    if config.by == "quality" and "quality" not in names:
        raise RequestError("there is no column 'quality' to make bands of", "by=source")
    found: dict[str, Document] = {}
    for number, row in enumerate(rows.to_pylist()):
        asked, text = _sides(row)
        lang = row.get("lang")
        if lang is None:
            raise RequestError(f"document {number} has no lang", f"a column lang; there are {', '.join(names)}")
        if text.strip():
            given_id = row.get("id")
            name = str(number if given_id is None else given_id)
            if name in found:
                raise DataError(f"two documents have the id {name!r}", "give each its own id, or leave the column out")
            group = row.get(wanted)
            found[name] = Document(name, lang, "" if group is None else str(group), text, asked, row.get("quality"))
    known = {code: language.parse(code).code for code in {one.lang for one in found.values()}}
    chosen = {language.parse(code).code for code in config.languages or known} | (
        {language.parse(config.helped).code} if config.helped else set()
    )
    out = [
        Document(one.id, known[one.lang], one.group, one.text, one.asked, one.quality)
        for one in sorted(found.values(), key=lambda one: (place(one.whole), one.id))
        if known[one.lang] in chosen
    ]
    if lost := sorted(chosen - {one.lang for one in out}):
        raise DataError(f"there is no document of {', '.join(lost)}", f"languages with text: {', '.join(known)}")
    return _banded(_distinct(out)) if config.by == "quality" else _distinct(out)


def side(document: Document, config: CombinationsConfig) -> Side:
    """Return the side of a document, by a hash of its text: equal texts stand on one side."""
    at = place(document.whole)
    for name, share in (("held", config.held_out), ("test", config.test), ("start", config.start)):
        if at < share:
            return name  # type: ignore[return-value]
        at -= share
    return "pool"


def _table(given: Any) -> pa.Table:
    if isinstance(given, Path):
        if not given.exists():
            raise RequestError(f"there is no {given}", "the folder of a data set, such as out/dataset")
        files = sorted(given.rglob("*.parquet")) if given.is_dir() else [given]
        if not files:
            raise RequestError(f"{given} holds no Parquet file")
        if given.is_dir() or given.suffix == ".parquet":
            with blame(given):
                return pa.concat_tables([table.read([file]) for file in files], promote_options="permissive")
        if given.suffix != ".jsonl":
            raise RequestError(f"{given}: documents are Parquet or JSON lines (.jsonl)")
        from pyarrow import json

        with blame(given):
            return json.read_json(given)
    return tabular.as_table(given, "documents")


def _sides(row: dict[str, Any]) -> tuple[str, str]:
    if row.get("messages"):
        said = conversation.turns(row["messages"])
        return conversation.instruction(said), conversation.response(said)
    if row.get("response") is not None and row.get("instruction") is not None:
        asked = conversation.BLANK.join(part for part in (row["instruction"], row.get("input")) if part)
        return asked, str(row["response"])
    if "text" not in row:
        raise RequestError("documents need a column text, messages, or instruction and response", ", ".join(row))
    return "", str(row["text"] or "")


def _distinct(documents: Sequence[Document]) -> list[Document]:
    """Leave out documents whose text came before: none is trained on and measured, or counted twice."""
    found: dict[tuple[str, str], Document] = {}
    for one in documents:
        found.setdefault((one.lang, one.whole), one)
    return list(found.values())


def _banded(documents: Iterable[Document]) -> list[Document]:
    """Put the band of quality into the group: thirds of the language."""
    given = list(documents)
    found = {}
    for lang in {one.lang for one in given}:
        mine = sorted((one for one in given if one.lang == lang), key=lambda one: (one.quality or 0.0, one.id))
        for number, one in enumerate(mine):
            found[one.id] = ("low", "middle", "high")[3 * number // len(mine)]
    return [Document(o.id, o.lang, found[o.id], o.text, o.asked, o.quality) for o in given]
