"""Parallel text mined from what a run kept: vectors, candidates of documents, alignments, two lines, links.

Everything between lies under ``.progress`` of the output and is gone when it is finished: vectors and texts by
language as files that are mapped, not read, so that memory does not grow with the corpus. Each stage is made of parts
that resume, and a part depends on no other.
"""

from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from glotmix.align import documents, filters, sentences
from glotmix.align.documents import Floats
from glotmix.align.embedded import Documents
from glotmix.align.mined_pairs import decided
from glotmix.align.precision import line
from glotmix.align.staged import LINKS, STAGED, Chunk, Links, Mining, together, write_texts
from glotmix.core import table
from glotmix.core.errors import DataError
from glotmix.core.record import Counts, Output
from glotmix.core.sentences import cut
from glotmix.embed.protocol import Embedder
from glotmix.signals.annotate import parts

VERSION = 3

HOPE = 0.1
"""Part of the candidates of two languages that must be hoped to be right for their sentences to be looked at."""

DRAWN = 200
"""Sentences of a language that others are measured against."""

TOGETHER, MOST, PARTS = 400, 4_000, 32
"""Pairs of documents that a part has before no more are put to it: two languages have few, or many. Of many pairs a
part has more, up to the second number, while there are so many parts: a document is embedded once in each."""

FEW = 30
"""Pairs of the null of two languages from which on it says which candidates are not worth a look."""

NULLS = 40
"""Pairs of the null per two languages, at least, whose sentences are aligned; as many as there are candidates."""

NULLS_OF_ALL = 20_000
"""Pairs of the null of all languages that are enough for a line: of many languages every so many-th two give theirs."""


def make(output: Output, corpus: Path, ledger: Path | None, embedder: Embedder, how: Mining) -> Iterator[pa.Table]:
    """Mine, and yield the pairs of each two languages: what is above the line of documents, with every link.

    Args:
        output: under construction; its notes get ``mined``.
        corpus: the corpus.
        ledger: says what is kept; None for all of it.
        embedder: of sentences.
        how: see `Mining`.

    Yields:
        ``lang_one, lang_other, id_one, id_other, document, position, text_one, text_other, score, kept``.
    """
    held = _vectors(output, corpus, ledger, embedder)
    chunks = _candidates(output, held, how)
    write_texts(output, corpus, held, chunks)
    drawn = {
        lang: _drawn(output.path / STAGED, lang, embedder) for lang in sorted({x for c in chunks for x in c.langs})
    }
    folder = output.path / STAGED / "links"
    enough = min(MOST, max(TOGETHER, sum(len(chunk.one) for chunk in chunks) // PARTS))
    work = {f"links-{number:06d}": some for number, some in enumerate(together(chunks, enough))}

    def one(some: list[Chunk], scratch: Path) -> Counts:
        name = scratch.name.removesuffix(".scratch")
        held = Documents(output.path / STAGED, embedder)
        made = [_aligned(held, chunk, drawn) for chunk in some]
        numbers = np.repeat(np.arange(len(made), dtype=np.int32), [rows.num_rows for rows in made])
        rows = pa.concat_tables(made).append_column("chunk", pa.array(numbers))
        table.write(rows, scratch / STAGED / "links" / f"{name}.parquet")
        return {"pairs": sum(len(chunk.one) for chunk in some)}

    if work:
        output.each(work, one, rows="pairs")
    yield from decided(output, held, Links(folder, work), how)


def _vectors(output: Output, corpus: Path, ledger: Path | None, embedder: Embedder) -> dict[str, pa.Array]:
    """Embed what is kept, and leave the centred vectors of each language in a file; return the ids in its order."""
    staged = output.path / STAGED

    def part(files: list[Path], scratch: Path) -> Counts:
        name = scratch.name.removesuffix(".scratch").removeprefix("vectors-")
        rows = table.read(files, ["id", "lang", "text"])
        if ledger is not None:
            judged = table.read([ledger / f"{name}.parquet"], ["id", "kept"])
            if not judged["id"].equals(rows["id"]):
                raise DataError(f"{ledger} is not of this corpus", f"delete {ledger} and run again")
            rows = rows.filter(judged["kept"])
        for lang in sorted(pc.unique(rows["lang"]).to_pylist()):
            mine = rows.filter(pc.equal(rows["lang"], lang))
            to = scratch / STAGED / "parts" / name
            to.mkdir(parents=True, exist_ok=True)
            texts = mine["text"].to_pylist()
            found = np.concatenate(
                [documents.vectors(texts[at : at + 256], lang, embedder) for at in range(0, len(texts), 256)]
            )
            np.save(to / f"{lang}.npy", found)
            pq.write_table(mine.select(["id"]), to / f"{lang}.parquet")
        return {"documents": rows.num_rows}

    output.each({f"vectors-{name}": files for name, files in parts(corpus).items()}, part)
    langs = sorted({path.stem for path in (staged / "parts").glob("*/*.npy")})

    def settle(lang: str, scratch: Path) -> Counts:
        found = [np.load(path, mmap_mode="r") for path in sorted((staged / "parts").glob(f"*/{lang}.npy"))]
        to = scratch / STAGED / "vectors"
        to.mkdir(parents=True)
        size = sum(map(len, found))
        total = np.zeros(embedder.width, np.float64)
        there = 0
        for block in found:
            filled = np.abs(block).sum(axis=1) > 0
            total += np.asarray(block[filled], np.float64).sum(axis=0)
            there += int(filled.sum())
        mean = (total / max(1, there)).astype(np.float32)
        made = np.lib.format.open_memmap(to / f"{lang}.npy", "w+", np.float32, (size, embedder.width))
        at = 0
        for block in found:
            given = np.asarray(block)
            filled = np.abs(given).sum(axis=1, keepdims=True) > 0
            made[at : at + len(given)] = documents.unit(np.where(filled, given - mean, 0).astype(np.float32))
            at += len(given)
        made.flush()
        return {"languages": 1}

    output.each({f"settled-{lang}": lang for lang in langs}, settle, rows="")
    return {
        lang: pa.concat_arrays(
            [pq.read_table(p)["id"].combine_chunks() for p in sorted((staged / "parts").glob(f"*/{lang}.parquet"))]
        )
        for lang in langs
    }


def _candidates(output: Output, held: Mapping[str, pa.Array], how: Mining) -> list[Chunk]:
    """Return the candidates of all languages that stand together, and as much of their null, cut into chunks."""
    staged = output.path / STAGED
    wanted: dict[str, list[str]] = {}
    for a, b in combinations(sorted(held), 2):
        if not how.anchors or {a, b} & set(how.anchors):
            wanted.setdefault(a, []).append(b)

    every = -(-NULLS * sum(map(len, wanted.values())) // NULLS_OF_ALL)
    places = {(a, b): n for n, (a, b) in enumerate((a, b) for a, others in wanted.items() for b in others)}

    def one(langs: tuple[str, list[str]], scratch: Path) -> Counts:
        a, others = langs
        to = scratch / STAGED / "candidates"
        to.mkdir(parents=True)
        mine = np.load(staged / "vectors" / f"{a}.npy", mmap_mode="r")
        found: dict[str, Any] = {}
        for b in others:
            first, null = documents.candidates(mine, np.load(staged / "vectors" / f"{b}.npy", mmap_mode="r"))
            # Of few documents all candidates are looked at: they cost little, and say little of one another.
            at = line(first.margins, null.margins, HOPE) if len(null.margins) >= FEW else -np.inf
            keep = int((first.margins >= at).sum())
            if not keep:
                continue
            nulls = max(keep, NULLS) if places[a, b] % every == 0 else 0
            for name, rows, most in (("first", first, keep), ("null", null, nulls)):
                found[f"{b} {name} one"], found[f"{b} {name} other"] = rows.one[:most], rows.other[:most]
                found[f"{b} {name} margins"] = rows.margins[:most]
        np.savez(to / f"{a}.npz", **found)
        return {"pairs": len(others)}

    if wanted:
        output.each({f"candidates-{a}": (a, others) for a, others in wanted.items()}, one, rows="pairs")
    chunks: list[Chunk] = []
    for a, others in wanted.items():
        with np.load(staged / "candidates" / f"{a}.npz") as found:
            for b in others:
                for name in ("first", "null"):
                    if f"{b} {name} one" not in found:
                        continue
                    rows = [found[f"{b} {name} {what}"] for what in ("one", "other", "margins")]
                    for at in range(0, len(rows[0]), TOGETHER):
                        some = slice(at, at + TOGETHER)
                        chunks.append(Chunk((a, b), rows[0][some], rows[1][some], rows[2][some], name == "null"))
    output.notes["candidates"] = sum(len(c.one) for c in chunks if not c.null)
    return chunks


def _drawn(staged: Path, lang: str, embedder: Embedder) -> Floats:
    """Return the mean of the vectors of sentences drawn from the candidates of a language, (1, w); (0, w) of none.

    `sentences.align` asks for nothing of them but their mean, for every pair of documents anew.
    """
    with pa.memory_map(str(staged / "texts" / f"{lang}.arrow")) as source:
        texts = pa.ipc.open_file(source).read_all()["text"]
        at = np.unique(np.linspace(0, len(texts) - 1, min(DRAWN, len(texts))).astype(np.int64))
        some = texts.take(pa.array(at)).to_pylist()
    flat = [s for text in some for s in cut(text, lang, sentences.MOST)]
    chosen = np.unique(np.linspace(0, max(0, len(flat) - 1), min(DRAWN, len(flat))).astype(np.int64))
    if not flat:
        return np.zeros((0, embedder.width), np.float32)
    mean: Floats = embedder.embed([flat[i] for i in chosen]).mean(axis=0, keepdims=True)
    return mean


def _aligned(held: Documents, chunk: Chunk, drawn: Mapping[str, Floats]) -> pa.Table:
    """Align the documents of a chunk: a row for every link; a pair without one has a row without texts."""
    a, b = chunk.langs
    found: list[tuple[object, ...]] = []
    for at in range(0, len(chunk.one), 64):
        some = slice(at, at + 64)
        ones, others = held.of(a, chunk.one[some]), held.of(b, chunk.other[some])
        places = [side[some].tolist() for side in (chunk.one, chunk.other, chunk.margins)]
        for i, j, margin, mine, theirs in zip(*places, ones, others, strict=True):
            x, y = mine.sentences, theirs.sentences
            links = sentences.align(x, y, (drawn[a], drawn[b]))
            same = filters.agreement(mine.numbers, theirs.numbers)
            about = i, j, margin, sentences.in_order(links, x, y, (drawn[a], drawn[b])), same
            if not links:
                found.append((*about, 0, None, None, None))
            for number, link in enumerate(links):
                one, other = (" ".join(t[p:q]) for t, (p, q) in ((x.texts, link.one), (y.texts, link.other)))
                found.append((*about, number, one, other, link.score))
    return pa.Table.from_pylist([dict(zip(LINKS.names, row, strict=True)) for row in found], LINKS)
