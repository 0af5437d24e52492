"""The step `tokens`: the data set as files of tokens, in the order that a trainer reads them.

First every file of the data set is tokenised on its own; then, language by language, the documents are put in an order
drawn from a seed (or left in that of the data set), cut into shards and written. So neither the number of workers nor
the size of the data set's files changes a byte.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
import pyarrow.parquet as pq
import yaml
from numpy.typing import NDArray
from pydantic import AfterValidator, Field, model_validator

from glotmix.core.context import RunContext
from glotmix.core.errors import DataError, did_you_mean
from glotmix.core.record import Counts, Output, digest_file
from glotmix.core.section import Section
from glotmix.core.step import Extra, StepSpec
from glotmix.export.token_files import MEGATRON, Shard, packings, token_type
from glotmix.export.tokenizer import Tokens, load
from glotmix.mix.plan import read_shares

VERSION = 3

_STAGED = ".progress/tokenised"
_BATCH_CHARACTERS = 2**20
_BATCH_ROWS = 4_096
_CHECKED = 3
_CHECKED_CHARACTERS = 2_048


def _form(name: str) -> str:
    if name not in packings():
        raise ValueError(f"there is no form {name!r}{did_you_mean(name, packings())}; one of {', '.join(packings())}")
    return name


class TokenFilesSection(Section):
    """The data set as files of tokens."""

    tokenizer: str = Field(description="path of a tokenizer.json, or a name on the Hub, owner/name[@revision]")
    formats: tuple[Annotated[str, AfterValidator(_form)], ...] = Field(
        ("megatron",), min_length=1, description="datatrove (nanotron reads it), megatron, numpy, parquet"
    )
    end: str | None = Field(None, description="the token behind every document; null for the tokenizer's own")
    shuffle: bool = Field(True, description="documents of a language in an order drawn from seed, across all its files")
    seed: int = Field(0, description="of the order")
    length: int | None = Field(
        None, ge=2, description="numpy and parquet: sequences of so many tokens, documents one behind the other"
    )
    shard_tokens: int = Field(500_000_000, ge=1, description="tokens per shard; a longer document stands alone")

    @model_validator(mode="after")
    def _heeded(self) -> Self:
        if self.length is not None and not any(packings()[form].packs for form in self.formats):
            able = ", ".join(name for name, one in packings().items() if one.packs)
            raise ValueError(f"length says nothing to {', '.join(self.formats)}: formats of {able}, or no length")
        return self


@dataclass(frozen=True)
class Part:
    """One shard to be written: documents `first` to `last` of a language's order, or of a cell's."""

    lang: str
    number: int
    first: int
    last: int


_PART = re.compile(r"train-(.+)-\d{5,}-of-\d{5,}")
"""The name of a file of a data set that holds a part of a language: see `corpus.write.make`."""


def _share(path: Path) -> str:
    """Return what a file of the data set is a part of and a share is of: a language, or a cell of one."""
    named = _PART.fullmatch(path.stem)
    return path.parent.name + (f"/{named[1]}" if named else "")


def make(output: Output, dataset: Path, section: TokenFilesSection, tokenizer: str) -> Counts:
    """Write the token files of a data set.

    Args:
        output: under construction; gets ``<lang>/train-00000.ds`` and so on, of cells ``<lang>/<part>/train-…``.
        dataset: a folder of ``<lang>/train-*.parquet``.
        section: what is asked for.
        tokenizer: path or name of the tokenizer.

    Returns:
        ``documents``, ``tokens`` (with the ends of documents), ``left_over`` (they fill no sequence) and ``shards``.
        The notes say them by language.

    Raises:
        DataError: if there is no Parquet in the data set, or no sequence that its tokens fill.
    """
    found = sorted(dataset.glob("*/train-*.parquet"))
    files = {p.relative_to(dataset).as_posix().replace("/", "--"): p for p in found}
    if not files:
        raise DataError("tokens are made from the Parquet files of the data set, and there is none", "export.formats")
    ready = load(tokenizer, section.end)
    staged = output.path / _STAGED

    def tokenise(path: Path, folder: Path) -> Counts:
        return _tokenise(path, folder / _STAGED / folder.name.removesuffix(".scratch"), load(tokenizer, section.end))

    by_reference = output.each(files, tokenise)["by_reference"]
    parts: dict[str, Part] = {}
    notes: dict[str, dict[str, int]] = {}
    filled: dict[str, int] = {}
    for lang in dict.fromkeys(map(_share, files.values())):
        lengths = np.concatenate([_lengths(staged / name) for name, p in files.items() if _share(p) == lang])
        order = np.arange(len(lengths))
        if section.shuffle:
            order = np.random.default_rng([section.seed, *lang.encode()]).permutation(len(lengths))
        np.save(staged / f"{_file(lang)}.order.npy", order)
        for part in _cut(lang, lengths[order], section.shard_tokens):
            parts[f"{_file(lang)}--train-{part.number:05d}"] = part
            if section.length is not None:
                whole = int(lengths[order[part.first : part.last]].sum()) // section.length
                filled[lang] = filled.get(lang, 0) + whole
        notes[lang] = {"documents": len(lengths), "tokens": int(lengths.sum())}
    empty = sorted(lang for lang, sequences in filled.items() if not sequences)
    if empty and len(empty) == len(notes) and all(packings()[form].packs for form in section.formats):
        raise DataError(
            f"no shard has the {section.length:,} tokens of one sequence",
            "a smaller export.tokens.length, or a larger export.tokens.shard_tokens",
        )
    if empty:
        output.notes["warnings"] = [
            f"{lang}: none of its {notes[lang]['tokens']:,} tokens stands in a packed file, for no shard has the "
            f"{section.length:,} of one sequence"
            for lang in empty
        ]
    names = {lang: [n for n, p in files.items() if _share(p) == lang] for lang in notes}

    def write(part: Part, folder: Path) -> Counts:
        tokens, ends = _gather(staged, names[part.lang], part, token_type(ready.vocabulary))
        path = folder / part.lang / f"train-{part.number:05d}"
        path.parent.mkdir(parents=True)
        shard = Shard(tokens, ends, ready.vocabulary, section.length)
        for form in section.formats:
            packings()[form].write(path, shard)
        left = len(tokens) % section.length if section.length else 0
        return {"documents": len(ends), "tokens": len(tokens), "left_over": left, "shards": 1}

    counts = output.each(parts, write)
    output.notes["languages"] = {lang: {**told} for lang, told in notes.items()}
    output.notes["tokenizer"] = {
        "vocabulary": ready.vocabulary,
        "end": ready.end,
        "library": "tokenizers" if ready.fast is None else "fastokens",
        "documents_by_tokenizers": by_reference,
    }
    output.notes["shards"] = {f"{p.lang}/train-{p.number:05d}": p.last - p.first for p in parts.values()}
    return counts


def _file(lang: str) -> str:
    return lang.replace("/", "--")


def _tokenise(path: Path, folder: Path, tokens: Tokens) -> Counts:
    folder.mkdir(parents=True, exist_ok=True)
    ends = [np.zeros(0, np.int64)]
    done = 0
    with (folder / "tokens").open("wb") as sink:
        for texts in _batches(path):
            sample = texts[:: -(-len(texts) // _CHECKED)]
            if tokens.fast is not None and tokens.differ([t[:_CHECKED_CHARACTERS] for t in sample]):
                return _tokenise(path, folder, tokens.reference())
            found, there = tokens(texts)
            found.tofile(sink)
            ends.append(there + done)
            done += len(found)
    np.save(folder / "ends.npy", np.concatenate(ends))
    documents = sum(map(len, ends))
    return {"documents": documents, "by_reference": documents if tokens.fast is None else 0}


def _batches(path: Path) -> Iterator[list[str]]:
    """Yield texts, about a megabyte at a time: tokens take the library 30 times the room of their text."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(_BATCH_ROWS, columns=["text"]):
            held: list[str] = []
            size = 0
            for text in batch["text"].to_pylist():
                held.append(text)
                size += len(text)
                if size >= _BATCH_CHARACTERS:
                    yield held
                    held, size = [], 0
            if held:
                yield held


def _lengths(folder: Path) -> NDArray[np.int64]:
    lengths: NDArray[np.int64] = np.diff(np.load(folder / "ends.npy"), prepend=0)
    return lengths


def _cut(lang: str, lengths: NDArray[np.int64], most: int) -> Iterator[Part]:
    """Cut a language's documents, in their order, into shards of at most so many tokens."""
    ends = np.cumsum(lengths)
    first = number = 0
    while first < len(ends):
        before = int(ends[first - 1]) if first else 0
        last = max(int(np.searchsorted(ends, before + most, side="right")), first + 1)
        yield Part(lang, number, first, last)
        first, number = last, number + 1


def _gather(
    staged: Path, names: list[str], part: Part, kind: np.dtype[Any]
) -> tuple[NDArray[np.unsignedinteger[Any]], NDArray[np.int64]]:
    """Return the tokens of a shard's documents in its order, and where each ends."""
    order = np.load(staged / f"{_file(part.lang)}.order.npy", mmap_mode="r")[part.first : part.last]
    ends = [np.load(staged / name / "ends.npy", mmap_mode="r") for name in names]
    flat = [_mapped(staged / name / "tokens", kind) for name in names]
    firsts = np.cumsum([0, *map(len, ends)])
    of = np.searchsorted(firsts, order, side="right") - 1
    inside = order - firsts[of]
    starts = np.zeros(len(order), np.int64)
    stops = np.zeros(len(order), np.int64)
    for number, there in enumerate(ends):
        mine = of == number
        at = inside[mine]
        stops[mine] = there[at]
        starts[mine] = np.where(at > 0, there[at - 1], 0)
    made = np.cumsum(stops - starts)
    tokens = np.empty(int(made[-1]), kind)
    begin = 0
    for file, start, stop, end in zip(of.tolist(), starts.tolist(), stops.tolist(), made.tolist(), strict=True):
        tokens[begin:end] = flat[file][start:stop]
        begin = end
    return tokens, made


def _mapped(path: Path, kind: np.dtype[Any]) -> NDArray[np.unsignedinteger[Any]]:
    # An empty file cannot be mapped.
    return np.memmap(path, kind, "r") if path.stat().st_size else np.zeros(0, kind)


def blends(folder: Path, notes: dict[str, Any], formats: tuple[str, ...], shares: dict[str, float]) -> None:
    """Write ``blend.megatron.txt`` and ``blend.nanotron.yaml``, their paths as seen from the folder of the tokens.

    Args:
        folder: of the token files.
        notes: `languages` and `shards` of them.
        formats: those that were written.
        shares: of training tokens by language; they are made to sum to 1.
    """
    there = {lang: share for lang, share in shares.items() if share > 0 and lang in notes["languages"]}
    total = sum(there.values())
    if "megatron" in formats and total > 0:
        lines = []
        for lang, share in there.items():
            mine = [name for name in notes["shards"] if name.startswith(f"{lang}/")]
            whole = sum(sizes := [_size(folder / (name + MEGATRON + ".bin")) for name in mine])
            lines += [f"{share / total * s / whole!r} {n}{MEGATRON}\n" for n, s in zip(mine, sizes, strict=True)]
        (folder / "blend.megatron.txt").write_text("".join(lines), "utf-8")
    if "datatrove" in formats and total > 0:
        stage = {"dataset_folder": list(there), "dataset_weights": [s / total for s in there.values()]}
        text = yaml.safe_dump({"dataset": stage}, sort_keys=False, allow_unicode=True)
        (folder / "blend.nanotron.yaml").write_text(text, "utf-8")


def _size(path: Path) -> int:
    return path.stat().st_size


def token_shares(
    shares: dict[str, Any], languages: dict[str, dict[str, int]], sizes: dict[str, int] | None
) -> dict[str, float]:
    """Return shares of training tokens of this tokenizer.

    Args:
        shares: the mixture, ``share`` by language.
        languages: ``tokens`` by language, exact.
        sizes: UTF-8 bytes of each language where the mixture counts bytes; None where it counts tokens.
    """
    found = {lang: float(row["share"]) for lang, row in shares.items() if lang in languages}
    if sizes is None:
        return found
    # A share of bytes is as many tokens as the language's own bytes have.
    return {lang: share * languages[lang]["tokens"] / sizes[lang] for lang, share in found.items() if sizes.get(lang)}


def _path(context: RunContext, section: TokenFilesSection) -> str:
    path = context.path(section.tokenizer)
    return str(path) if path.is_file() else section.tokenizer


def _make(context: RunContext, output: Output) -> Counts:
    from glotmix.core import record

    section = context.recipe.export.tokens
    dataset = context.step_dir("dataset")
    counts = make(output, dataset, section, _path(context, section))
    about = record.read(dataset)
    assert about is not None
    sizes = None
    if context.recipe.signals.tokens.tokenizer is None:
        held: Any = about.notes.get("cells") or about.notes["languages"]
        sizes = {lang: int(told["bytes"]) for lang, told in held.items()}
    notes: Any = output.notes
    shares = token_shares(read_shares(context.step_dir("mixture")), notes["languages"], sizes)
    notes["shares"] = shares and {lang: share / sum(shares.values()) for lang, share in shares.items()}
    blends(output.path, notes, section.formats, shares)
    return counts


def _fingerprint(context: RunContext) -> dict[str, Any]:
    section = context.recipe.export.tokens
    path = context.path(section.tokenizer)
    return {"tokenizer": digest_file(path) if path.is_file() else section.tokenizer}


def _config(context: RunContext) -> dict[str, Any]:
    section: TokenFilesSection = context.recipe.export.tokens
    raised = {name: one.version for name in section.formats if (one := packings()[name]).version > 1}
    return section.model_dump(mode="json", exclude={"tokenizer"}) | ({"packings": raised} if raised else {})


STEPS = StepSpec(
    name="tokens",
    extras=(Extra("tokens", "export.tokens", ("tokenizers",)),),
    code=(__name__, "glotmix.export.tokenizer"),
    make=_make,
    wanted=lambda context: context.recipe.export.tokens is not None,
    needs=lambda context: ("dataset", "mixture"),
    config=_config,
    inputs=_fingerprint,
    meaning="the data set as token files, with blends that name them",
    place=95,
)
