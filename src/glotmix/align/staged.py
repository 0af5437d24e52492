"""What mining leaves between its stages: candidates in chunks, their links, and texts that are mapped, not read.

All of it lies under `STAGED` of the output and is gone when it is finished.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from glotmix.align.documents import Floats, Ints
from glotmix.core import table
from glotmix.core.record import Counts, Output

STAGED = ".progress/mined"


@dataclass(frozen=True)
class Mining:
    """How parallel text is looked for.

    Args:
        precision: part of the pairs of documents, and then of sentences, that is to be right.
        anchors: languages of which one stands in every pair; empty for all pairs of languages.
        split: whether documents are taken apart into sentences.
    """

    precision: float = 0.98
    anchors: tuple[str, ...] = ()
    split: bool = True


@dataclass(frozen=True)
class Chunk:
    """Candidates of two languages, places of documents in each, in the order of their margins."""

    langs: tuple[str, str]
    one: Ints
    other: Ints
    margins: Floats
    null: bool


LINKS = pa.schema(
    [
        pa.field("one", pa.int64()),
        pa.field("other", pa.int64()),
        pa.field("margin", pa.float32()),
        pa.field("score", pa.float32()),
        pa.field("numbers", pa.float32()),
        pa.field("link", pa.int32()),
        pa.field("text_one", pa.string()),
        pa.field("text_other", pa.string()),
        pa.field("near", pa.float32()),
    ]
)
"""What is staged of an alignment: documents by place, margin, score in order and agreement of numbers of the two, and
each link with its texts."""


def together(chunks: Iterable[Chunk], enough: int) -> Iterator[list[Chunk]]:
    """Yield chunks that make one part of the work, in their order: pairs of languages are many, and may have few."""
    some: list[Chunk] = []
    for chunk in chunks:
        some.append(chunk)
        if sum(len(c.one) for c in some) >= enough:
            yield some
            some = []
    if some:
        yield some


@dataclass(frozen=True)
class Links:
    """The staged links: a file of each part of the work, whose column ``chunk`` counts the chunks of the part.

    Args:
        folder: where the files lie.
        work: the parts.
    """

    folder: Path
    work: Mapping[str, Sequence[Chunk]]

    def read(self, columns: Sequence[str]) -> Iterator[tuple[Chunk, pa.Table]]:
        """Yield each chunk with its links, in the order of the chunks."""
        for name, chunks in self.work.items():
            rows = table.read([self.folder / f"{name}.parquet"], ["chunk", *columns])
            at = np.searchsorted(rows["chunk"].to_numpy(), np.arange(len(chunks) + 1))
            for number, chunk in enumerate(chunks):
                yield chunk, rows.slice(at[number], at[number + 1] - at[number]).drop_columns("chunk")


def write_texts(output: Output, corpus: Path, held: Mapping[str, pa.Array], chunks: Iterable[Chunk]) -> None:
    """Leave the texts of all candidates, by language and in the order of their places, where they can be mapped."""
    places: dict[str, set[int]] = {}
    for chunk in chunks:
        for lang, given in zip(chunk.langs, (chunk.one, chunk.other), strict=True):
            places.setdefault(lang, set()).update(given.tolist())

    def one(lang: str, scratch: Path) -> Counts:
        at = np.array(sorted(places[lang]), np.int64)
        wanted = held[lang].take(pa.array(at))
        to = scratch / STAGED / "texts"
        to.mkdir(parents=True)
        found: list[pa.Table] = []
        for file in table.shards(corpus):
            if file.parent.name == lang:
                rows = table.read([file], ["id", "text"])
                found.append(rows.filter(pc.is_in(rows["id"], wanted)))
        rows = pa.concat_tables(found).combine_chunks()
        order = pc.index_in(wanted, rows["id"].combine_chunks())
        made = pa.table({"place": at, "text": rows["text"].take(order)}).combine_chunks()
        with pa.OSFile(str(to / f"{lang}.arrow"), "wb") as sink, pa.ipc.new_file(sink, made.schema) as file:
            file.write_table(made, 4_096)
        return {"documents": len(at)}

    if places:
        output.each({f"texts-{lang}": lang for lang in sorted(places)}, one)


def read_texts(staged: Path, lang: str, places: Ints) -> list[str]:
    """Return the texts of documents by their places, (n,), in their order; see `write_texts`."""
    with pa.memory_map(str(staged / "texts" / f"{lang}.arrow")) as source:
        rows = pa.ipc.open_file(source).read_all()
        at = np.searchsorted(rows["place"].to_numpy(), places)
        found: list[str] = rows["text"].take(pa.array(at)).to_pylist()
    return found
