"""Signals of documents that are in memory, one call each: `glotmix.signals.identify`, `measure`, `find_duplicates`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from glotmix.core.errors import RequestError
from glotmix.core.section import checked
from glotmix.core.shown import Sheet, Shown
from glotmix.core.tabular import texts
from glotmix.signals import heuristics, identifiers, language_id

_WIDE = 8


@dataclass(frozen=True, eq=False, repr=False)
class Signal(Shown):
    """What was measured of documents: it says something of them and decides nothing.

    Args:
        name: the signal.
        table: a row for each document, in the order that they were given; ``id`` first, if they have one.
    """

    name: str
    table: pa.Table

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __getitem__(self, column: str) -> list[Any]:
        """Return the values of a column, one for each document."""
        if column not in self.table.column_names:
            raise KeyError(f"{self.name} has no column {column}: {', '.join(self.table.column_names)}")
        values: list[Any] = self.table[column].to_pylist()
        return values

    def to_pandas(self) -> Any:
        """Return the table as a frame of pandas."""
        return self.table.to_pandas()

    def sheet(self) -> Sheet:
        """See `Shown`."""
        names = self.table.column_names
        shown = self.table.select(names[:_WIDE])
        more = [f"and {len(names) - _WIDE} columns: {', '.join(names[_WIDE:])}"] if len(names) > _WIDE else []
        rows = [list(row.values()) for row in shown.to_pylist()]
        return Sheet(f"{self.name} of {len(self):,} documents", shown.column_names, rows, more, most=20)


def identify(documents: Any, langs: Sequence[str] | str | None = None, model: str = "py3langid") -> Signal:
    """Tell the language that each document reads as.

    Args:
        documents: texts, or a table with the column ``text``, maybe ``id`` and the declared ``lang``: Arrow, pandas,
            Polars, a dict of columns, a list of dicts.
        langs: declared languages of texts: one code for all, or one each.
        model: ``py3langid``, or the path of a fastText model (GlotLID, OpenLID).

    Returns:
        ``label``, ``script``, ``score`` (a probability), ``runner_up``, ``runner_up_score``; and ``agrees``, where the
        languages are declared. A label is null where the text is no language that the model can read.

    Raises:
        RequestError: if there is no text, a code is no language, or there is no such model.
        MissingExtraError: if the model's library is not installed.

    >>> identify(["Die Katze schläft auf dem Sofa.", "สวัสดีครับ ผมชื่อสมชาย"])["label"]
    ['deu_Latn', 'tha_Thai']
    """
    table = texts(documents, langs)
    declared = "lang" in table.column_names
    plain = _array(table, "text")
    # Without a declared language nothing agrees with it: any code will do, and the column is left out.
    codes = _array(table, "lang") if declared else pa.array(["eng_Latn"] * len(plain), pa.string())
    found = language_id.identify(plain, codes, identifiers.load(model))
    return _signal("identify", table, found, () if declared else ("agrees",))


def measure(documents: Any, langs: Sequence[str] | str | None = None) -> Signal:
    """Measure the heuristics of each document: sizes, shares of characters, repetition, by the units of its language.

    Args:
        documents: as of `identify`; languages are needed.
        langs: languages of texts: one code for all, or one each.

    Returns:
        the columns that docs/heuristics.md explains; null where a language does not have what one counts.

    Raises:
        RequestError: if there is no text or no language.

    >>> measure(["ฝนตกหนัก", "It rains. It rains."], ["th", "en"])["chars"]
    [8, 19]
    """
    table = texts(documents, langs)
    if "lang" not in table.column_names:
        raise RequestError("heuristics count in a language's units, and none is given", 'measure(texts, "fra_Latn")')
    return _signal("heuristics", table, heuristics.measure(_array(table, "text"), _array(table, "lang")), ())


def find_duplicates(documents: Any, **settings: Any) -> Signal:
    """Find documents that say nearly the same: the signal `duplicates` of a recipe, of what is in memory.

    Args:
        documents: texts, or a table with the column ``text``, maybe ``id`` (one each) and ``source``.
        settings: of the recipe's section `signals.duplicates`: ``threshold=0.7``.

    Returns:
        ``id`` (the row's number, where none is given), ``cluster`` (the smallest id of those that say the same),
        ``cluster_size``, ``content`` (equal where texts are), ``sources`` (how many the cluster stands in).

    Raises:
        RequestError: if there is no text, an id comes twice, or a setting is not one.

    >>> found = find_duplicates(["It has rained for three days in the north.", "Es regnet.", "Es regnet."])
    >>> found["cluster"]
    ['0', '1', '1']
    """
    import tempfile

    from glotmix.core import record
    from glotmix.core import table as tables
    from glotmix.signals import duplicates, signatures

    given = texts(documents)
    if not len(given):
        checked("signals.duplicates", duplicates.DuplicatesConfig, settings)
        return Signal("duplicates", duplicates.SCHEMA.empty_table())
    config = checked("signals.duplicates", duplicates.DuplicatesConfig, {"selftest": 0} | settings)
    ids = given["id"].cast(pa.string()) if "id" in given.column_names else pa.array(map(str, range(len(given))))
    if pc.count_distinct(ids).as_py() != len(given):
        raise RequestError("an id comes twice or is missing", "an id of its own for each document, or no column id")
    sources = given["source"].cast(pa.string()) if "source" in given.column_names else ["memory"] * len(given)
    columns = {"id": ids, "text": given["text"], "source": sources}
    with tempfile.TemporaryDirectory(prefix="glotmix-") as at:
        folder = Path(at)
        corpus, signed, found = (folder / name for name in ("corpus", "signatures", "duplicates"))
        tables.write(pa.table(columns), corpus / "part-00000.parquet")
        record.build(
            signed,
            record.Identity("signatures", 1),
            lambda out: signatures.make(out, corpus, config.signature),
        )
        record.build(
            found,
            record.Identity("duplicates", duplicates.VERSION),
            lambda out: duplicates.make(out, signed, corpus, config),
        )
        return Signal("duplicates", tables.read(tables.shards(found)))


def _array(table: pa.Table, name: str) -> pa.Array:
    found = table[name].combine_chunks()
    return found.chunk(0) if isinstance(found, pa.ChunkedArray) else found


def _signal(name: str, table: pa.Table, found: pa.StructArray, without: Sequence[str]) -> Signal:
    columns = {"id": table["id"]} if "id" in table.column_names else {}
    columns |= {field.name: found.field(at) for at, field in enumerate(found.type) if field.name not in without}
    return Signal(name, pa.table(columns))
