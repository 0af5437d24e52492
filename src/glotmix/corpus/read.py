"""Reading: from the user's raw files to the corpus, with everything that is no document in quarantine.

The corpus is ``<lang>/<source>-00000.parquet`` …: ``id, text, lang, source``, and every other column of the sources.
All shards have the same columns of the same types. Documents stand, within a language and source, in the order of the
sorted files and of their lines.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from glotmix.core.errors import DataError, RequestError
from glotmix.core.record import Counts, Output, digest_file
from glotmix.corpus import columns, formats, huggingface, instructions, kinds, misspelt, shapes
from glotmix.corpus.extract import EMPTY
from glotmix.corpus.rows import Label
from glotmix.corpus.sources import IDENTIFY, InputFile, Source, check, files, look, require
from glotmix.corpus.stage import STAGED, Input, Unit, stage, units
from glotmix.corpus.staged import Shard, Staged, quarantine

VERSION = 5


def fingerprints(sources: Sequence[Source], base: Path) -> dict[str, str]:
    """Return the SHA-256 of every input file, by source and its path below the source's own folder.

    Neither `base` nor where the data lies is part of a name. A data set on the Hub stands with its commit.

    Raises:
        RequestError: if two sources read the same column of one file: two that agree would be one.
    """
    check(sources)
    found: dict[str, str] = {}
    taken: dict[tuple[Path, str], str] = {}
    with ThreadPoolExecutor() as pool:
        for source in sources:
            if source.hub:
                found[source.name] = str(huggingface.pinned(source))
            else:
                inputs = files(source, base)
                _alone(source, inputs, taken)
                digests = pool.map(digest_file, [f.path for f in inputs])
                found |= {
                    f"{source.name}/{f.name}": d + _version(source, f) for f, d in zip(inputs, digests, strict=True)
                }
    return found


def _alone(source: Source, inputs: Sequence[InputFile], taken: dict[tuple[Path, str], str]) -> None:
    """Refuse a source whose documents another one reads; `taken` has the source of each file and column."""
    for file in inputs:
        other = taken.setdefault((file.path.resolve(), source.columns.text), source.name)
        if other != source.name:
            raise RequestError(
                f"sources '{other}' and '{source.name}' both read {file.shown}: its documents would stand twice",
                "take it out of the path of one, or name another column of it: columns: {text: …}",
            )


def _version(source: Source, file: InputFile) -> str:
    """Return what is added to a file's digest where its format or shape is read otherwise than it was at first."""
    version = 1 if file.kind == "json" else formats.spec(file.kind).version
    said = "" if version == 1 else f" {file.kind} {version}"
    return said if source.shape is None else f"{said} shapes {shapes.VERSION}"


def make(
    output: Output,
    sources: Sequence[Source],
    base: Path,
    label: Label | None,
    max_chars: int,
    max_quarantined: float = 0.01,
    max_unknown_language: int = 1_000,
) -> Counts:
    """Read the sources into the corpus.

    Args:
        output: the corpus under construction.
        sources: what to read.
        base: the folder that relative paths start from.
        label: from texts to language codes (null: not identified), for sources whose language is ``identify``.
        max_chars: longer documents are quarantined.
        max_quarantined: a larger share of a source's rows in quarantine is an error. It changes no result, so it need
            not be part of the identity; after an error a new value takes up what was read.
        max_unknown_language: more rows with one language code that is none are an error; likewise.

    Returns:
        ``documents``, ``bytes`` (of text), ``quarantined``, ``shards`` and ``languages``. The notes of the output say
        it by source, reason, language and column.

    Raises:
        DataError: for files that are missing or damaged, columns that are missing, ids that clash, a source that comes
            out empty, and too much quarantine. Quarantined rows stand in ``quarantine/<source>.jsonl``.
        RequestError: if a source asks for identification and there is no `label`.
    """
    check(sources)
    for source in sources:
        if source.language == IDENTIFY and label is None:
            raise RequestError(
                f"source '{source.name}': its language is to be identified, and no identifier was given",
                "pass label, or name the language: fra_Latn, or {column: NAME}",
            )
    looked = {source.name: look(source, base) for source in sources if not source.hub}
    inputs = [_input(source, looked[source.name].files if source.name in looked else ()) for source in sources]
    _as_hashed(inputs, output.inputs)
    parts: dict[str, Unit] = {}
    for given in inputs:
        parts |= units(given)

    def first(unit: Unit, folder: Path) -> Counts:
        return stage(unit, folder / STAGED / folder.name.removesuffix(".scratch"), label, max_chars)

    counts = output.each(parts, first)
    staged = Staged(output.path / STAGED, parts)
    examples = quarantine(staged, output.path / "quarantine")
    documents: Counter[str] = Counter()
    for file, batches in enumerate(staged.batches):
        documents[staged.given[file].source.name] += sum(b.rows for _, b in batches)
    for given in inputs:
        _judge(given, documents, staged.reasons, examples, max_quarantined, output.path / "quarantine")
    unknown = misspelt.judge(misspelt.count(output.path / "quarantine"), max_unknown_language)
    rows, new = staged.settle_ids()
    types = staged.types

    def second(shard: Shard, folder: Path) -> Counts:
        name = folder.name.removesuffix(".scratch").removeprefix(f"{shard.lang}--")
        return staged.write(shard, folder / shard.lang / f"{name}.parquet", rows, new)

    shards = staged.shards()
    repeated = Counter(staged.source_of(int(row)) for row in rows)
    counts |= output.each(shards, second, rows="")
    output.notes["sources"] = {
        given.source.name: {
            "files": len(given.files) or 1,
            "documents": documents[given.source.name],
            "repeated_texts": repeated[given.source.name],
            "quarantined": dict(staged.reasons[given.source.name]),
            "passed_over": dict(looked[given.source.name].passed) if given.source.name in looked else {},
        }
        for given in inputs
    }
    output.notes["warnings"] = [*unknown, *(sentence for found in looked.values() for sentence in found.said)]
    languages: dict[str, Counter[str]] = {}
    for shard in shards.values():
        for batch in shard.batches:
            languages.setdefault(shard.lang, Counter()).update(documents=batch.rows, bytes=batch.bytes)
    output.notes["languages"] = {lang: dict(held) for lang, held in languages.items()}
    output.notes["columns"] = {name: "JSON text" if kind == columns.JSON else str(kind) for name, kind in types.items()}
    return counts | {"languages": len(languages)}


def _input(source: Source, found: Sequence[InputFile]) -> Input:
    if source.hub:
        return Input(instructions.resolved(source, ()), (), huggingface.pinned(source))
    for file in found:
        if (known := kinds.disguise(file.path, file.codec, file.kind)) is not None:
            what, fix = known
            raise DataError(f"source '{source.name}': {file.shown} {what}", fix.replace("NAME", file.path.name))
    if source.shape is not None:
        return Input(instructions.resolved(source, found), tuple(found))
    heeded = {o for file in found for o in formats.spec(file.kind).options}
    if idle := next(
        (name for name in sorted(source.options.model_fields_set - {"zawgyi"}) if name not in heeded), None
    ):
        named = ", ".join(dict.fromkeys(file.kind for file in found))
        raise RequestError(
            f"source '{source.name}': options.{idle} says nothing to {named}",
            f"it heeds {', '.join(sorted(heeded))}" if heeded else "take it out",
        )
    for file in found:
        with kinds.named(source.name, file.shown):
            names = formats.spec(file.kind).peek(source, file)
        if names is not None:
            require(source, names, file.shown)
    return Input(source, tuple(found))


def _as_hashed(inputs: Sequence[Input], hashed: Collection[str]) -> None:
    """Refuse files that came or went since the inputs were hashed: a download goes on, and no record may vouch for it.

    Raises:
        DataError: naming them.
    """
    found = {f"{given.source.name}/{file.name}": file.shown for given in inputs for file in given.files}
    known = {name for name in hashed if "/" in name}
    if hashed and found.keys() != known:
        moved = sorted(found.keys() ^ known)
        raise DataError(
            f"files came or went while the sources were being read: {', '.join(moved[:5])}; nothing was recorded",
            "wait until they are complete (a download, an export), then run the same command again",
        )


def _judge(
    given: Input,
    documents: Counter[str],
    reasons: dict[str, Counter[str]],
    examples: dict[str, dict[str, str]],
    limit: float,
    folder: Path,
) -> None:
    """Refuse a source of which too much is in quarantine, or nothing came."""
    name = given.source.name
    lost = reasons[name].total() - reasons[name][EMPTY]
    rows = documents[name] + lost
    told = "\n".join(
        f"  {n:,} × {reason}, such as {examples[name][reason]}"
        for reason, n in reasons[name].most_common()
        if reason != EMPTY or not documents[name]
    )
    if lost > limit * rows:
        raise DataError(
            f"source '{name}': {lost:,} of {rows:,} rows ({lost / rows:.2%}) cannot be read as documents, more than "
            f"corpus.max_quarantined allows ({limit:.2%}):\n{told}\n  all of them: {folder / f'{name}.jsonl'}",
            _mend(name, reasons[name], "mend the source, or raise corpus.max_quarantined" if documents[name] else None),
        )
    if not documents[name]:
        what = f"source '{name}': there is no document in {', '.join(given.source.path)}"
        if reasons[name]:
            total = reasons[name].total()
            raise DataError(f"{what}; {total:,} rows are in quarantine:\n{told}", _mend(name, reasons[name]))
        raise DataError(what, "name other files")


_MENDING = {
    "text is not a string": "set columns.text of source '{}' to a column of text",
    "missing text": "set columns.text of source '{}' to a column that is filled",
    "id is not text or a number": "set columns.id of source '{}' to a column of texts or numbers, or to null",
    "missing id": "set columns.id of source '{}' to a column that is filled, or to null",
    "language is not text": "set language of source '{}' to a column of text, a code such as fra_Latn, or identify",
    "no language": "set language of source '{}' to a column that is filled, a code such as fra_Latn, or identify",
    "invalid UTF-8": "write the files of source '{}' in UTF-8: iconv -f WINDOWS-1252 -t UTF-8, or whatever they are in",
    "over-long text": "cut the texts of source '{}' (of txt, epub and pdf: options: {{split: blocks}}), or raise "
    "corpus.max_chars",
    "malformed JSON": "write one JSON object a line in the files of source '{}'",
    "not an object": "write one JSON object a line in the files of source '{}'",
    "encoding not sure": "name the encoding of source '{}': options: {{encoding: cp1252}}, or whatever it is",
    "not in its encoding": "name the encoding of source '{}': options: {{encoding: cp1252}}, or whatever it is",
    "wrong number of cells": "say how source '{}' is written: options: {{delimiter: ';', quoted: false}}",
}


def _mend(name: str, reasons: Counter[str], otherwise: str | None = None) -> str:
    """Say what to do about most of what is in quarantine: to allow it is no advice where nothing would be left."""
    most = next(reason for reason, _ in reasons.most_common())
    return otherwise or _MENDING.get(most, "mend source '{}'").format(name)
