"""Sources: what the recipe says of raw text, and the files that this means."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from glob import has_magic
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from glotmix.core import language, remote
from glotmix.core.errors import DataError, RequestError, did_you_mean
from glotmix.core.files import placed
from glotmix.core.section import as_tuple
from glotmix.corpus import formats, kinds
from glotmix.corpus.codec_names import known
from glotmix.corpus.folders import Look, hidden, instead, legible, once

IDENTIFY = "identify"
HUB = "hf://"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Column(_Part):
    """A value that stands in a column of the source: ``{column: lang}``.

    A name with dots reaches into objects (``metadata.lang``), where no column has the whole name.
    """

    column: str = Field(min_length=1, description="name of the column; dots reach into objects")


class Columns(_Part):
    """The names of the columns that every source needs."""

    text: str = Field(default="text", min_length=1, description="name of the column of the text")
    id: str | None = Field(
        default="id",
        min_length=1,
        description="name of the column of the id. 'id' is used where a document has it, any other name must be there; "
        "a document without, and with null every document, gets an id made of the source's name and its text",
    )


class Options(_Part):
    """How raw files are read. Each format heeds some of these; one that no file's format heeds is refused."""

    encoding: str = Field("auto", description="of the text: auto tells it with a score; or a name such as cp1251")
    min_encoding: float = Field(
        0.2, ge=0, le=1, description="a text that is not UTF-8 and whose encoding scores less stands in quarantine"
    )
    split: Literal["file", "lines", "blocks"] = Field(
        "file", description="of txt: a document is a file, a line, or a block between blank lines"
    )
    delimiter: str | None = Field(
        None, min_length=1, max_length=1, description="of csv and tsv: between two cells; null to tell by the rows"
    )
    quoted: bool | None = Field(None, description='of csv and tsv: whether " protects a cell; null to tell by the rows')
    names: Annotated[tuple[str, ...], BeforeValidator(as_tuple)] = Field(
        (), description="of csv and tsv without a first row of names: the names"
    )
    namespaces: tuple[int, ...] = Field((0,), description="of wikis: the namespaces whose pages are documents")
    zawgyi: Literal["convert", "keep"] = Field(
        "convert", description="of any format: Burmese in Zawgyi is made Unicode, or kept as it is"
    )
    extractor: str = Field("resiliparse", description="of pages: resiliparse, or trafilatura")

    @field_validator("encoding")
    @classmethod
    def _exists(cls, name: str) -> str:
        if name != "auto" and known(name) is None:
            raise ValueError(f"there is no encoding {name!r}: auto, or a name such as cp1251, gb18030")
        return name


def _as_format(value: Any) -> Any:
    if isinstance(value, str) and value != "auto":
        try:
            formats.spec(value)
        except RequestError as error:
            raise ValueError(f"{error.message}; {error.fix}") from error
    return value


def _as_language(value: Any) -> Any:
    if not isinstance(value, str) or value == IDENTIFY:
        return value
    try:
        return language.parse(value).code
    except RequestError as error:
        raise ValueError(f"{error.message}; {error.fix}") from error


class Source(_Part):
    """One source of raw text, as the recipe's ``corpus.sources`` lists it."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="names the source in every table")
    path: Annotated[tuple[str, ...], BeforeValidator(as_tuple)] = Field(
        min_length=1,
        description="file, folder, glob, or a list of them, relative to the recipe; or hf://owner/name[@revision]"
        "[?config=NAME&split=train]",
    )
    shape: Literal["auto", "alpaca", "sharegpt", "openai", "aya", "trl", "oasst"] | None = Field(
        default=None,
        description="shape of instruction data, auto to go by its keys; null for plain documents. In a recipe of kind "
        "instructions it is auto",
    )
    format: Annotated[str, BeforeValidator(_as_format)] = Field(
        default="auto", description="auto goes by the ending, then by the first bytes; or jsonl, parquet, txt, csv …"
    )
    options: Options = Options()
    columns: Columns = Columns()
    language: Annotated[str | Column, BeforeValidator(_as_language)] = Field(
        description="a code such as fra_Latn; {column: NAME}; or 'identify'"
    )
    license: str | Column | None = Field(default=None, description="SPDX id, such as CC-BY-4.0; or {column: NAME}")
    derived_from: Annotated[tuple[str, ...], BeforeValidator(as_tuple)] = Field(
        default=(), description="names of the sources that this one was made from"
    )
    rank: int = Field(
        default=0, description="of two sources with the same document, the one of lower rank is preferred"
    )

    @property
    def declared(self) -> list[tuple[str, str]]:
        """The columns that must be there, each with what it is for."""
        if self.shape is not None:
            return []  # each shape has names of its own, and a row without them is refused
        wanted = [(self.columns.text, "text")]
        if self.columns.id not in (None, "id"):
            wanted.append((self.columns.id, "id"))
        others = (("language", self.language), ("license", self.license))
        return wanted + [(v.column, purpose) for purpose, v in others if isinstance(v, Column)]

    @property
    def consumed(self) -> set[str]:
        """The columns that become ``id``, ``text`` and ``lang``: they are not carried beside them once more.

        A language column of another name than ``lang`` is carried, as it is spelled.
        """
        if self.shape is not None:
            return ({self.columns.id} if self.columns.id else set()) | (
                {"lang"} if self.language == Column(column="lang") else set()
            )
        gone = {self.columns.text} if self.columns.id is None else {self.columns.text, self.columns.id}
        return gone | ({"lang"} if self.language == Column(column="lang") else set())

    @property
    def identity(self) -> dict[str, Any]:
        """What of it changes the documents that are read: not where the files lie, nor what later steps make of it."""
        told = {"name", "format", "columns", "language"}
        if self.shape is not None:
            told = {*told, "shape"}
        return self.model_dump(mode="json", include=told) | (
            {"options": chosen} if (chosen := self.options.model_dump(mode="json", exclude_defaults=True)) else {}
        )

    @property
    def hub(self) -> str | None:
        """The Hugging Face data set that it names, or None."""
        return self.path[0] if self.path[0].startswith(HUB) else None


@dataclass(frozen=True)
class InputFile:
    """One file of a source.

    Args:
        path: where it is.
        name: its path below the deepest folder that holds all files of its source: no part of it depends on where
            the data lies.
        shown: its path for people, relative to the recipe if it lies below.
        kind: the name of its format (`glotmix.corpus.readers`); ``json``, one array, for instruction data.
        codec: ``gzip``, ``zstd``, ``bz2``, ``xz`` or None.
    """

    path: Path
    name: str
    shown: str
    kind: str
    codec: str | None

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return self.path.stat().st_size


def check(sources: Sequence[Source]) -> None:
    """Check what the sources say of each other: names that differ, and ancestors that are listed.

    Raises:
        RequestError: naming the source.
    """
    names = [s.name for s in sources]
    # On a file system that ignores case, two such sources would share their shards.
    twice = [n for n, k in Counter(n.casefold() for n in names).items() if k > 1]
    if twice:
        raise RequestError(f"two sources are named '{twice[0]}'", "give every source a name of its own")
    for source in sources:
        for ancestor in source.derived_from:
            if ancestor not in names or ancestor == source.name:
                raise RequestError(
                    f"source '{source.name}' is derived from '{ancestor}', which is no other source"
                    + did_you_mean(ancestor, names),
                    f"the sources are: {', '.join(names)}",
                )
        if source.hub and len(source.path) > 1:
            raise RequestError(f"source '{source.name}': a Hugging Face data set stands alone", "make it two sources")


def require(source: Source, found: Sequence[str], where: str) -> None:
    """Check that the declared columns are among those found in one file; dotted names stand for fields of objects.

    Raises:
        DataError: naming the source, the column and what was found instead.
    """
    for column, purpose in source.declared:
        if column not in found:
            hint = did_you_mean(column, found) or did_you_mean(column.rsplit(".", 1)[-1], found)
            raise DataError(
                f"source '{source.name}': {where} has no column '{column}' for the {purpose}{hint}; it has "
                + (", ".join(found) or "none"),
                f"set {'columns.' if purpose in ('text', 'id') else ''}{purpose} of source '{source.name}'",
            )


@dataclass(frozen=True)
class Found:
    """The files of a source, and what lay beside them.

    Args:
        files: each once, sorted by path.
        passed: how many files of its folders are not read, by ending; those that begin with a dot or underscore as
            ``hidden``, where they could be read.
        said: sentences on what was passed over, and on links that lead to what is read already.
    """

    files: list[InputFile]
    passed: dict[str, int]
    said: list[str]


def files(source: Source, base: Path) -> list[InputFile]:
    """Return the files of a source, each once, sorted by path; see `look`."""
    return look(source, base).files


def look(source: Source, base: Path) -> Found:
    """Return the files of a source, and what was met beside them.

    Args:
        source: a source of files.
        base: the folder that relative paths start from.

    Raises:
        DataError: if a path names nothing, or nothing that can be read, or a link leads nowhere; says what was found
            instead.
    """
    who = f"source '{source.name}'"
    way = Look(who)
    found: set[Path] = set()
    passed: set[Path] = set()
    for given in source.path:
        taken, left = _expand(source, base, given, way)
        found |= set(taken)
        passed |= set(left)
    if not found:
        raise DataError(f"{who}: no file at {', '.join(source.path)}")
    paths, again = once(found)
    top = Path(os.path.commonpath([p.parent for p in paths]))

    def shown(path: Path) -> str:
        here = base.absolute()
        return legible(path.relative_to(here) if path.is_relative_to(here) else path)

    if odd := next((p for p in paths if legible(p) != str(p)), None):
        raise DataError(
            f"{who}: the name of {shown(odd)} is not UTF-8",
            "rename it, or all of its folder: convmv -r -f latin1 -t utf8 --notest FOLDER",
        )

    def sort(path: Path) -> str:
        kind = None if kinds.unfinished(path) else kinds.kind(path, source.shape is not None)[0]
        return "hidden" if kind is not None and not kinds.loose(kind) else kinds.ending(Path(legible(path)))

    endings = Counter(map(sort, passed - found))
    said = [
        f"{who}: {shown(link)} leads back to a folder that it lies in, and is not followed" for link in sorted(way.cut)
    ]
    if endings:
        told = ", ".join(f"{n:,} × {e}" for e, n in sorted(endings.items(), key=lambda item: (-item[1], item[0])))
        first = shown(min(passed - found))
        said.append(f"{who}: {endings.total():,} files of its folders were passed over: {told}, such as {first}")
    if again:
        link, file = min(again.items())
        said.append(
            f"{who}: {len(again):,} of its paths lead to a file that is read already, and once is enough: "
            f"{shown(link)} is {shown(file)}"
        )
    read = [_input(source, p, p.relative_to(top).as_posix(), shown(p)) for p in paths]
    return Found(read, dict(sorted(endings.items())), said)


def _expand(source: Source, base: Path, given: str, way: Look) -> tuple[Iterable[Path], Iterable[Path]]:
    """Return the files that one path means, and those that lie in its folders and are not read."""
    if remote.is_remote(given):
        given = str(remote.fetched(given))
    if "://" in given:
        raise DataError(
            f"source '{source.name}': {given} is neither a path nor a data set of the Hub",
            f"copy or mount it, or write hf://owner/name, or one of {', '.join(f'{s}://' for s in remote.SCHEMES)}",
        )
    path = placed(base, given).absolute()
    if path.is_file():
        return [path], []
    if path.is_dir():
        readable, left = _folder(source, path, way)
        if not readable:
            held = ", ".join(f"{n} × {e}" for e, n in Counter(map(kinds.ending, left)).most_common(5)) or "nothing"
            raise DataError(
                f"source '{source.name}': the folder {given} holds no file of a format that is read, but {held}",
                kinds.advice(left),
            )
        return readable, left
    if has_magic(given):
        matches = way.matches(base, given)
        found = {p for p in matches if p.is_file()}
        passed: list[Path] = []
        for folder in matches - found:
            readable, left = _folder(source, folder, way)
            found |= set(readable)
            passed += left
        if not found:
            raise DataError(f"source '{source.name}': nothing matches {given}{instead(base, given)}")
        return found, passed
    if path.is_symlink():
        way.check(path)
    raise DataError(f"source '{source.name}': there is no {given}{instead(base, given)}")


def _folder(source: Source, folder: Path, way: Look) -> tuple[list[Path], list[Path]]:
    """Return the files of a folder that are read, and the others; of hidden ones those that could be."""
    readable, left = [], []
    for path in way.inside(folder):
        known = source.format != "auto" or kinds.kind(path, source.shape is not None)[0] is not None
        known = known and not kinds.unfinished(path)
        if hidden(path.relative_to(folder)):
            if known and source.format == "auto":
                left.append(path)
        elif known:
            readable.append(path)
        else:
            left.append(path)
    # Where some files hold many documents each, those that would be a document are their READMEs.
    if source.format == "auto" and not all(named := [kinds.loose(kinds.kind(p)[0] or "") for p in readable]):
        left += [p for p, alone in zip(readable, named, strict=True) if alone]
        readable = [p for p, alone in zip(readable, named, strict=True) if not alone]
    return readable, left


def _input(source: Source, path: Path, name: str, shown: str) -> InputFile:
    kind, codec = kinds.kind(path, source.shape is not None)
    if source.format != "auto":
        kind = source.format
    if kind is None:
        hint = kinds.advice([path])
        if re.search(r"\.json(\.|$)", path.name):
            hint = "one JSON array is not read: write one object a line, and set format: jsonl"
        raise DataError(
            f"source '{source.name}': neither ending nor content of {path.name} names a format that is read", hint
        )
    return InputFile(path, name, shown, kind, None if kind == "parquet" else codec)
