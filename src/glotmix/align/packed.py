"""The steps `align/packed` and `align/tokens`: parallel text as samples of training text, and as files of tokens.

``text/train-00000.jsonl.zst`` … hold a sample a line: ``text``, ``direction``, and ``no_loss_ranges``, the characters
that bear no loss, as datatrove's tokenizer takes them. Lines of the kind `format` are the text form of OpenEuroLLM's
packer.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from glotmix.align import lexicon, pairs
from glotmix.align.config import AlignSection, PackSection, WriteSection
from glotmix.align.encode import IGNORED, encode
from glotmix.align.packing import Options, Sample, Unit, pairing, pairings
from glotmix.align.windows import flat, windows
from glotmix.core.context import RunContext
from glotmix.core.errors import DataError
from glotmix.core.record import Counts, Output, digest_file
from glotmix.core.step import StepSpec
from glotmix.export.token_files import Shard, packings, token_type
from glotmix.export.tokenizer import load
from glotmix.signals import tokens as counting

VERSION = 1

SHARD_CHARS = 50_000_000
"""Characters of text per shard."""

BATCH = 64
"""Samples that are encoded at once."""


def options(section: PackSection, units: Sequence[Unit], given: Path | None) -> Options:
    """Return what a way of packing is told, with the lexicon if it switches words."""
    words = lexicon.of(given, units) if section.kind == "switch_word" else {}
    return Options(section.directions, section.pairs, section.rate, section.labels, words)


def samples(section: PackSection, units: Sequence[Unit], given: Path | None = None) -> list[Sample]:
    """Pack units as a section says.

    Raises:
        DataError: if no unit has versions enough.
    """
    way = pairing(section.kind)
    usable = [unit for unit in units if len(unit.versions) >= way.versions]
    made = list(way.pack(usable, options(section, usable, given), section.seed)) if usable else []
    made = [sample for sample in made if sample.text.strip()]
    if not made:
        raise DataError(
            f"align.pack: {section.kind} needs {way.versions} versions of a text, and no text has so many",
            "align.pack.kind=format",
        )
    return made


def no_loss(sample: Sample) -> list[tuple[int, int]]:
    """Return the stretches of a sample's text that bear no loss, first character and the one behind the last.

    >>> from glotmix.align.packing import Piece
    >>> no_loss(Sample((Piece("English: ", loss=False), Piece("a", loss=False), Piece("b"))))
    [(0, 10)]
    """
    found: list[tuple[int, int]] = []
    at = 0
    for piece in sample.pieces:
        stop = at + len(piece.text)
        if not piece.loss and stop > at:
            if found and found[-1][1] == at:
                found[-1] = (found[-1][0], stop)
            else:
                found.append((at, stop))
        at = stop
    return found


def row(sample: Sample) -> dict[str, Any]:
    """Return a sample as a line of the text form."""
    told: dict[str, Any] = {"text": sample.text, "direction": sample.direction, "no_loss_ranges": no_loss(sample)}
    if any(piece.label is not None for piece in sample.pieces):
        told["pieces"] = [asdict(piece) for piece in sample.pieces]
    return told


def make(output: Output, made: Sequence[Sample], tokenizer: Path | None = None) -> Counts:
    """Write samples as text, and count them.

    Args:
        output: under construction.
        made: the samples.
        tokenizer: of the mixture's budget; None where it counts bytes.

    Returns:
        ``samples``, ``bytes``, ``tokens`` (0 where bytes are counted). Notes: ``directions``, with bytes and samples.
    """
    directions: dict[str, Counter[str]] = {}
    shards: list[list[Sample]] = [[]]
    held = 0
    for sample in made:
        text = sample.text
        directions.setdefault(sample.direction, Counter()).update(samples=1, bytes=len(text.encode()))
        if held > SHARD_CHARS:
            shards.append([])
            held = 0
        shards[-1].append(sample)
        held += len(text)

    def write(some: list[Sample], folder: Path) -> Counts:
        path = folder / "text" / f"{folder.name.removesuffix('.scratch')}.jsonl.zst"
        path.parent.mkdir(parents=True)
        with pa.OSFile(str(path), "wb") as raw, pa.CompressedOutputStream(raw, "zstd") as sink:
            for sample in some:
                sink.write((json.dumps(row(sample), ensure_ascii=False) + "\n").encode())
        texts = [sample.text for sample in some]
        tokens = 0
        if tokenizer is not None:
            count = counting.counter(tokenizer)
            tokens = sum(
                sum(count(pa.array(texts[at : at + BATCH])).field("tokens").to_pylist())
                for at in range(0, len(texts), BATCH)
            )
        return {"samples": len(some), "bytes": sum(len(text.encode()) for text in texts), "tokens": tokens}

    counts = output.each({f"train-{n:05d}": some for n, some in enumerate(shards)}, write, rows="samples", here=True)
    output.notes["directions"] = {name: dict(directions[name]) for name in sorted(directions)}
    return counts


def tokenise(output: Output, made: Sequence[Sample], section: WriteSection, tokenizer: str, masked: bool) -> Counts:
    """Write samples as files of tokens, with masks where there is anything to mask.

    Returns:
        ``samples``, ``tokens``, ``loss_tokens``, ``filled`` (tokens that only fill windows up), ``pairs`` (of windows)
        and ``too_long`` (those that no window has room for), and ``shards``.

    Raises:
        DataError: if no window has room for any.
    """
    shards: list[list[Sample]] = [[]]
    held = 0
    for sample in made:
        # A token has a byte at least, and four of most scripts.
        size = len(sample.text.encode()) // 4
        if shards[-1] and held + size > section.shard_tokens:
            shards.append([])
            held = 0
        shards[-1].append(sample)
        held += size

    def write(some: list[Sample], folder: Path) -> Counts:
        ready = load(tokenizer, section.end, "align.write")
        batches = (some[at : at + BATCH] for at in range(0, len(some), BATCH))
        encoded = (one for batch in batches for one in encode(batch, ready.tokenizer, ready.end))
        found = flat(encoded) if section.length is None else windows(encoded, section.length, ready.end)
        path = folder / folder.name.removesuffix(".scratch")
        mask = found.loss if masked or section.length is not None else None
        differ = bool((found.labels[found.labels != IGNORED] != found.tokens[found.labels != IGNORED]).any())
        shard = Shard(
            found.tokens.astype(token_type(ready.vocabulary)), found.ends, ready.vocabulary, None, mask,
            found.labels.astype(np.int32) if differ else None, None if section.length is None else found.parts,
        )  # fmt: skip
        for form in section.formats:
            packings()[form].write(path, shard)
        return {
            "samples": len(some),
            "tokens": len(found.tokens),
            "loss_tokens": int((found.labels != IGNORED).sum()),
            "filled": found.filled,
            "pairs": found.pairs,
            "too_long": found.too_long,
            "shards": 1,
        }

    units = {f"train-{n:05d}": some for n, some in enumerate(shards)}
    counts = dict(output.each(units, write, rows="samples", here=True))
    if lost := counts["too_long"]:
        said = f"{lost:,} of {counts['pairs']:,} pairs are longer than a window of {section.length} tokens"
        if lost == counts["pairs"]:
            raise DataError(f"all {said.partition(' of ')[2]}", "a larger align.write.length, or null for no windows")
        output.notes["warnings"] = [f"{said}, and are left out of the token files (align.write.length)"]
    return counts


def _lexicon(context: RunContext) -> Path | None:
    section: PackSection = context.recipe.align.pack
    return None if section.lexicon is None else context.path(section.lexicon)


def _samples(context: RunContext) -> list[Sample]:
    units = pairs.units(context.step_dir("align/pairs"))
    return samples(context.recipe.align.pack, units, _lexicon(context))


def _make(context: RunContext, output: Output) -> Counts:
    given = context.recipe.signals.tokens.tokenizer
    return make(output, _samples(context), None if given is None else context.path(given))


def _tokens(context: RunContext, output: Output) -> Counts:
    section: AlignSection = context.recipe.align
    assert section.write is not None and section.pack is not None
    masked = pairings()[section.pack.kind].masks or section.pack.labels == "input"
    return tokenise(output, _samples(context), section.write, _tokenizer(context), masked)


def _tokenizer(context: RunContext) -> str:
    given: str = context.recipe.align.write.tokenizer
    path = context.path(given)
    return str(path) if path.is_file() else given


def _digest(path: Path | None) -> dict[str, Any]:
    return {} if path is None else {"lexicon": digest_file(path)}


def _inputs(context: RunContext) -> dict[str, Any]:
    given = context.recipe.signals.tokens.tokenizer
    return _digest(_lexicon(context)) | ({} if given is None else {"tokenizer": digest_file(context.path(given))})


def _tokens_inputs(context: RunContext) -> dict[str, Any]:
    name = _tokenizer(context)
    return _digest(_lexicon(context)) | {"tokenizer": digest_file(Path(name)) if Path(name).is_file() else name}


def _wants(context: RunContext, part: str) -> bool:
    return context.recipe.align is not None and getattr(context.recipe.align, part) is not None


def _config(context: RunContext) -> dict[str, Any]:
    section: PackSection = context.recipe.align.pack
    way = pairings()[section.kind]
    told = section.model_dump(mode="json", exclude={"share", "max_epochs", "place", "lexicon"})
    return told | ({"pairing": way.version} if way.version > 1 else {})


def _write_config(context: RunContext) -> dict[str, Any]:
    section: WriteSection = context.recipe.align.write
    raised = {name: one.version for name in section.formats if (one := packings()[name]).version > 1}
    told = _config(context) | section.model_dump(mode="json", exclude={"tokenizer"})
    return told | ({"packings": raised} if raised else {})


_PACKING = ("glotmix.align.packing", "glotmix.align.switching", "glotmix.align.lexicon")

STEPS = (
    StepSpec(
        name="align/packed",
        code=(__name__, *_PACKING),
        make=_make,
        wanted=lambda context: _wants(context, "pack"),
        needs=lambda context: ("align/pairs",),
        config=_config,
        inputs=_inputs,
        reported=True,
        meaning="parallel text packed as samples of training text",
        place=84,
    ),
    StepSpec(
        name="align/tokens",
        code=(__name__, *_PACKING, "glotmix.align.encode", "glotmix.align.windows"),
        make=_tokens,
        wanted=lambda context: _wants(context, "write"),
        needs=lambda context: ("align/pairs",),
        config=_write_config,
        inputs=_tokens_inputs,
        meaning="packed parallel text as files of tokens, with what bears loss",
        place=85,
    ),
)
