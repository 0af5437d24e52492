"""The signal `repeated_passages`: stretches of text that stand word for word somewhere before in the corpus.

After Lee et al. (Deduplicating Training Data Makes Language Models Better, ACL 2022): every stretch of 50 tokens and
more that repeats is found. Here a stretch is 200 letters' weight (50 units of four letters, as an English word has),
the same in every script, and hashes of windows take the place of the suffix array. What is found is the same: see
`glotmix.native.passages` and docs/decisions.md. Nothing is taken out by this step; `cut` says that the data set leaves
out what an earlier document of the data set holds, and a rule may drop documents by their share.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import Field

from glotmix.core import table
from glotmix.core.context import RunContext
from glotmix.core.record import Counts, Output
from glotmix.core.rules import LanguageSetting, LedgerView, Rule, RuleHits, Through
from glotmix.core.rules import share as is_share
from glotmix.core.section import RecipeKey, Section
from glotmix.core.step import Column, StepSpec
from glotmix.core.visible import is_blank
from glotmix.native import folding, overlap, passages
from glotmix.native.arrays import buffers
from glotmix.signals.annotate import parts

VERSION = 1

SPANS = "spans"
SPAN = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("begin", pa.int64()),
        pa.field("end", pa.int64()),
        pa.field("holder", pa.string()),
        pa.field("holder_begin", pa.int64()),
    ]
)
"""``spans/part-00000.parquet``: each repeated stretch: the document, the bytes of its text at which it begins and ends,
the document that holds it first (in the order of the corpus; it may be the same), and the byte of that one's text."""

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("passages", pa.int32()),
        pa.field("passage_bytes", pa.int64()),
        pa.field("passage_share", pa.float32()),
    ]
)

_STAGED = ".progress/passages"
_AT_ONCE = 8_000_000
"""Windows, or seeds, that are sorted together: what memory holds."""

_WINDOW = np.dtype([("hash", "<u8"), ("doc", "<i8"), ("begin", "<i8"), ("end", "<i8")])
_REPEAT = np.dtype([("doc", "<i8"), ("begin", "<i8"), ("end", "<i8"), ("holder", "<i8"), ("holder_begin", "<i8")])


class RepeatedPassagesSection(Section):
    """Stretches of text that repeat what stands before in the corpus: null for not looking."""

    letters: int = Field(200, ge=50, description="letters that a stretch must have: 4 for each of 50 words")
    cut: bool = Field(
        False, description="the data set leaves out what an earlier document of it holds; the spans stay on record"
    )


def make(output: Output, corpus: Path, letters: int) -> Counts:
    """Write the signal, in the order of the corpus, and ``spans/``.

    Seeds of windows are sorted, those that stand in one place only are forgotten; the windows around the others are
    sorted by their hashes, and each that is not the first of its hash is a repeat. Memory holds `_AT_ONCE` of them,
    and 16 to 32 bytes for each seed that repeats. A window that overlaps its first occurrence is no repeat.

    Returns:
        ``documents``, ``affected`` (documents with a repeated passage), ``passages``, ``passage_bytes``.
    """
    units = parts(corpus)
    names = list(units)
    sizes = [sum(pq.read_metadata(f).num_rows for f in files) for files in units.values()]
    firsts = np.cumsum([0, *sizes])
    staged = output.path / _STAGED
    stage = _Stage(staged, letters)

    output.each({f"seeds--{name}": files for name, files in units.items()}, stage.seeds)
    known = staged / "known.npy"
    if not known.is_file():
        found = [np.load(staged / "seeds" / f"{name}.npy", mmap_mode="r") for name in names]
        repeated = [_twice(one) for one in _sorted_slices(found, None)]
        _save(known, overlap.table_of(np.concatenate([np.zeros(0, np.uint64), *repeated])))
    starts = dict(zip((f"windows--{name}" for name in names), firsts[:-1].tolist(), strict=True))

    def windows(files: list[Path], folder: Path) -> Counts:
        return stage.windows(files, folder, starts[folder.name.removesuffix(".scratch")])

    output.each({f"windows--{name}": files for name, files in units.items()}, windows)
    repeats = staged / "repeats"
    if not (staged / "repeats.done").is_file():
        repeats.mkdir(exist_ok=True)
        found = [np.load(staged / "windows" / f"{name}.npy", mmap_mode="r") for name in names]
        for number, one in enumerate(_sorted_slices(found, "hash")):
            _save(repeats / f"{number:06d}.npy", _repeats(one))
        (staged / "repeats.done").touch()
    ids = [staged / "ids" / f"{name}.arrow" for name in names]

    def part(number: int, folder: Path) -> Counts:
        name = names[number]
        rows, spans, counts = _part(
            list(units.values())[number], repeats, int(firsts[number]), int(firsts[number + 1]), _Ids(ids, firsts)
        )
        table.write(rows, folder / f"{name}.parquet")
        table.write(spans, folder / SPANS / f"{name}.parquet")
        return counts

    return output.each({name: number for number, name in enumerate(names)}, part)


class _Stage:
    """The two passes over the texts, each into sorted arrays, a file a part."""

    def __init__(self, staged: Path, letters: int) -> None:
        self._place = staged.parts[-2:]
        self._staged = staged
        self._letters = letters

    def seeds(self, files: list[Path], folder: Path) -> Counts:
        """Write the sorted seeds of a part, and its ids."""
        documents = table.read(files, ["id", "text"])
        offsets, data = buffers(documents["text"].combine_chunks())
        found = passages.seeds(offsets, data, *folding.table(), self._letters)
        name = folder.name.removesuffix(".scratch").removeprefix("seeds--")
        inside = folder.joinpath(*self._place)
        _save(inside / "seeds" / f"{name}.npy", np.sort(found))
        (inside / "ids").mkdir(parents=True, exist_ok=True)
        ids = pa.table({"id": documents["id"].combine_chunks()})
        with pa.OSFile(str(inside / "ids" / f"{name}.arrow"), "wb") as sink, pa.ipc.new_file(sink, ids.schema) as made:
            made.write_table(ids)
        return {"seeds": len(found)}

    def windows(self, files: list[Path], folder: Path, first: int) -> Counts:
        """Write the windows of a part that hold a seed which stands elsewhere, sorted by hash."""
        known = np.load(self._staged / "known.npy")
        offsets, data = buffers(table.read(files, ["text"])["text"].combine_chunks())
        hashes, docs, begins, ends = passages.windows(offsets, data, *folding.table(), self._letters, known)
        found = np.empty(len(hashes), _WINDOW)
        found["hash"], found["doc"], found["begin"], found["end"] = hashes, docs + first, begins, ends
        name = folder.name.removesuffix(".scratch").removeprefix("windows--")
        _save(folder.joinpath(*self._place) / "windows" / f"{name}.npy", found[np.argsort(hashes, kind="stable")])
        return {"windows": len(found)}


class _Ids:
    """The ids of all documents, on disk."""

    def __init__(self, files: list[Path], firsts: NDArray[np.int64]) -> None:
        self._files, self._firsts = files, firsts

    def __call__(self, docs: NDArray[np.int64]) -> list[str]:
        """Return the ids of documents by their positions in the corpus, which increase."""
        of = np.searchsorted(self._firsts, docs, side="right") - 1
        found: list[str] = []
        for number in np.unique(of).tolist():
            with pa.memory_map(str(self._files[number])) as source:
                held = pa.ipc.open_file(source).read_all()["id"].combine_chunks()
                found += held.take(pa.array(docs[of == number] - self._firsts[number])).to_pylist()
        return found


def _save(path: Path, values: NDArray[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    waiting = path.with_name(f"{path.name}.waiting")
    with waiting.open("wb") as sink:
        np.save(sink, values)
    waiting.rename(path)


def _sorted_slices(found: list[NDArray[Any]], key: str | None) -> Iterator[NDArray[Any]]:
    """Yield sorted arrays joined and sorted, a range of hashes at a time: equal hashes come together."""
    many = max(-(-sum(map(len, found)) // _AT_ONCE), 1)
    edges = [i * 2**64 // many for i in range(many)]
    keys = [one if key is None else one[key] for one in found]
    cuts = [[*(int(np.searchsorted(k, np.uint64(edge))) for edge in edges), len(k)] for k in keys]
    for number in range(many):
        one = np.concatenate([f[c[number] : c[number + 1]] for f, c in zip(found, cuts, strict=True)])
        yield one[np.argsort(one if key is None else one[key], kind="stable")]


def _twice(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the values that stand more than once in a sorted array."""
    again = values[1:] == values[:-1]
    return np.unique(values[1:][again])


def _repeats(windows: NDArray[Any]) -> NDArray[Any]:
    """Return the windows that are not the first of their hash, with the first, by document and place.

    Windows come sorted by hash, and those of one hash in the order of the corpus.
    """
    if not len(windows):
        return np.empty(0, _REPEAT)
    starts = np.flatnonzero(np.concatenate([[True], windows["hash"][1:] != windows["hash"][:-1]]))
    first = np.repeat(starts, np.diff([*starts, len(windows)]))
    holder = windows[first]
    apart = (windows["doc"] != holder["doc"]) | (windows["begin"] >= holder["end"])
    chosen = apart & (first != np.arange(len(windows)))
    made = np.empty(int(chosen.sum()), _REPEAT)
    for name in ("doc", "begin", "end"):
        made[name] = windows[name][chosen]
    made["holder"], made["holder_begin"] = holder["doc"][chosen], holder["begin"][chosen]
    return made[np.lexsort((made["end"], made["begin"], made["doc"]))]


def _part(files: list[Path], repeats: Path, first: int, last: int, ids: _Ids) -> tuple[pa.Table, pa.Table, Counts]:
    """Return the signal's rows of a part of the corpus, its spans, and counts."""
    held = []
    for file in sorted(repeats.glob("*.npy")):
        one = np.load(file, mmap_mode="r")
        held.append(one[np.searchsorted(one["doc"], first) : np.searchsorted(one["doc"], last)])
    found = np.concatenate(held)
    found = found[np.lexsort((found["end"], found["begin"], found["doc"]))]
    documents = table.read(files, ["id", "text"])
    names, size = documents["id"].combine_chunks(), pc.binary_length(documents["text"]).to_numpy()
    doc, begin, end = found["doc"] - first, found["begin"], found["end"]
    # A span goes on while windows touch, lie as far from each other as their originals do, and have one holder.
    new = np.ones(len(found), bool)
    shift = begin - found["holder_begin"]
    new[1:] = (
        (doc[1:] != doc[:-1])
        | (found["holder"][1:] != found["holder"][:-1])
        | (shift[1:] != shift[:-1])
        | (begin[1:] > end[:-1])
    )
    starts = np.flatnonzero(new)
    stops = np.concatenate([starts[1:], [len(found)]]) - 1 if len(found) else starts
    order = np.argsort(found["holder"][starts], kind="stable")
    holders = np.empty(len(starts), object)
    holders[order] = ids(found["holder"][starts][order])
    spans = {
        "id": names.take(pa.array(doc[starts])),
        "begin": begin[starts],
        "end": end[stops] if len(found) else end,
        "holder": pa.array(holders.tolist(), pa.string()),
        "holder_begin": found["holder_begin"][starts],
    }
    # Bytes that several spans cover count once: ends of one width increase with beginnings.
    before = np.concatenate([[0], end[:-1]]) if len(found) else end
    same = np.concatenate([[False], doc[1:] == doc[:-1]]) if len(found) else np.zeros(0, bool)
    fresh = end - np.where(same, np.maximum(begin, before), begin)
    covered = np.bincount(doc, weights=fresh, minlength=len(names)).astype(np.int64)
    rows = {
        "id": names,
        "passages": np.bincount(doc[starts], minlength=len(names)).astype(np.int32),
        "passage_bytes": covered,
        "passage_share": (covered / np.maximum(size, 1)).astype(np.float32),
    }
    counts = {
        "documents": len(names),
        "affected": int((covered > 0).sum()),
        "passages": len(starts),
        "passage_bytes": int(covered.sum()),
    }
    return pa.table(rows, SCHEMA), pa.table(spans, SPAN), counts


def cut(spans: pa.Table, documents: pa.Table) -> pa.Table:
    """Return documents without the given spans, and a column ``passage_bytes_cut``.

    Where a cut falls within a line, a line break takes its place. A document of which nothing would be left stays.

    Args:
        spans: of the schema `SPAN`; those of other documents are passed over.
        documents: ``id, text`` and others; the texts that the spans were found in.
    """
    mine: dict[str, list[tuple[int, int]]] = {}
    for row in spans.filter(pc.is_in(spans["id"], documents["id"].combine_chunks())).to_pylist():
        mine.setdefault(row["id"], []).append((row["begin"], row["end"]))
    texts, gone = documents["text"].to_pylist(), np.zeros(documents.num_rows, np.int64)
    for at, id_ in enumerate(documents["id"].to_pylist()):
        if id_ in mine:
            short, bytes_ = _without(texts[at].encode(), sorted(mine[id_]))
            if not is_blank(short):
                texts[at], gone[at] = short, bytes_
    column = documents.column_names.index("text")
    name = "passage_bytes_cut"
    name = name if name not in documents.column_names else f"glotmix_{name}"
    return documents.set_column(column, "text", pa.array(texts, pa.string())).append_column(name, pa.array(gone))


def _without(text: bytes, spans: list[tuple[int, int]]) -> tuple[str, int]:
    kept, at, gone = b"", 0, 0
    for begin, end in spans:
        if end <= at:
            continue
        piece = text[at : max(begin, at)]
        kept += b"\n" if kept and piece and not kept.endswith(b"\n") and not piece.startswith(b"\n") else b""
        kept += piece
        gone += end - max(begin, at)
        at = end
    rest = text[at:]
    joint = b"\n" if kept and rest and not kept.endswith(b"\n") and not rest.startswith(b"\n") else b""
    return (kept + joint + rest).decode(), gone


def kept_spans(signal: Path, ledger: Path) -> pa.Table:
    """Return the spans whose holder is kept: what is taken out of one document stands in another of the data set."""
    spans = table.read(sorted((signal / SPANS).glob("*.parquet")))
    held = table.read(table.shards(ledger), ["id", "kept"])
    kept = held.filter(held["kept"])["id"].combine_chunks()
    return spans.filter(pc.is_in(spans["holder"], kept))


def _hits(view: LedgerView) -> list[RuleHits]:
    found = view.signal("signals/repeated_passages")["passage_share"].to_numpy()
    langs, sources = view.documents["lang"].to_pylist(), view.documents["source"].to_pylist()
    places = list(zip(langs, sources, strict=True))
    limits = {place: view.setting(*place, "repeated_passages.share") for place in set(places)}
    rows = [r for r, place in enumerate(places) if limits[place] is not None and found[r] > limits[place]]
    evidence = [f"{found[r]:.2f} of it stands earlier in the corpus > {limits[places[r]]}" for r in rows]
    return [RuleHits("repeated_passages", np.array(rows, np.int64), evidence)]


def _make(context: RunContext, output: Output) -> Counts:
    return make(output, context.corpus, context.recipe.signals.repeated_passages.letters)


RECIPE = RecipeKey(
    "signals.repeated_passages",
    RepeatedPassagesSection | None,
    None,
    "long stretches of text that stand before in the corpus; null for not looking",
    place=28,
)

STEPS = StepSpec(
    name="signals/repeated_passages",
    code=(__name__,),
    make=_make,
    wanted=lambda context: context.recipe.signals.repeated_passages is not None,
    config=lambda context: {"letters": context.recipe.signals.repeated_passages.letters},
    per_document=True,
    columns=(
        Column("passages", "int32", "stretches that stand before in the corpus", "passages"),
        Column("passage_bytes", "int64", "their bytes", "bytes"),
        Column("passage_share", "float32", "their share of the text's bytes", "share"),
    ),
    rules=(
        Rule(
            "repeated_passages",
            _hits,
            # Before the rules of duplicates: a copy is dropped once, and its original stays.
            place=59,
            settings=(
                LanguageSetting(
                    "repeated_passages.share",
                    ...,
                    "a share, or null",
                    lambda v: v is None or is_share(v),
                    Through(("repeated_passages.passage_share",)),
                ),
            ),
            meaning="more of it stands before in the corpus than its language allows",
        ),
    ),
    meaning="long stretches of text that stand before in the corpus",
    place=34,
)
