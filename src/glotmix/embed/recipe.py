"""What a static embedder is made from: the YAML that `glotmix embed train` takes."""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml
from numpy.typing import NDArray
from pyarrow import csv
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from glotmix.core import utf8
from glotmix.core.errors import DataError, RequestError
from glotmix.embed.train import Settings

Groups = dict[str, tuple[str, ...]]


class HeldOut(BaseModel):
    """Groups (documents, say) that no part of training sees, in any language: source → names of groups."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    test: Groups = Field(default_factory=dict, description="never looked at while training")
    dev: Groups = Field(default_factory=dict, description="retrieval on these is shown when training ends")


class Training(BaseModel):
    """A model to make.

    >>> Training(pairs=["pairs.tsv"], settings={"steps": 100}).settings.steps
    100
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    pairs: tuple[str, ...] = Field(
        min_length=1,
        description="Parquet or TSV with the columns lang, eng, text and, if they have them, source, group",
    )
    most: int | None = Field(None, gt=1, description="pairs of one language and source at most, drawn; null for all")
    drop: tuple[str, ...] = Field((), description="sources that are not used")
    held_out: HeldOut = HeldOut()
    teacher: str | None = Field(
        None, description="an embedder whose vectors of the English sides are learned too, or a Parquet of text, vector"
    )
    settings: Settings = Settings()
    kept: int | None = Field(
        None, ge=1, description="numbers of a vector that the model keeps, its leading axes; null for all of the width"
    )
    group: Annotated[int, Field(ge=1, le=16)] = Field(8, description="numbers of a vector that share a byte")
    license: str | None = Field(None, description="what the weights may be used under")

    @model_validator(mode="after")
    def _fitting(self) -> "Training":
        kept = self.kept or self.settings.width
        if kept > self.settings.width or kept % self.group:
            raise ValueError(f"{kept} numbers of {self.settings.width} cannot be kept in groups of {self.group}")
        return self


def load(path: Path) -> Training:
    """Read a recipe.

    Raises:
        RequestError: naming the key, what was found and what is allowed.
    """
    if not path.is_file():
        raise RequestError(f"there is no file {path}", "glotmix embed train RECIPE.yaml")
    try:
        return Training.model_validate(yaml.safe_load(utf8.text(path)))
    except yaml.YAMLError as error:
        raise RequestError(f"{path} is not YAML: {error}") from error
    except ValidationError as error:
        said = "\n".join(f"  {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise RequestError(f"{path}:\n{said}") from error


def read(paths: list[Path]) -> pa.Table:
    """Read pairs: columns ``source lang group eng text``, all text; where source or group is missing it is empty.

    Raises:
        RequestError: for a file that is not there or of no known kind.
        DataError: for a file without the columns, or with nothing in it.
    """
    tables = []
    for path in paths:
        if not path.is_file():
            raise RequestError(f"there is no file {path}", "paths in a recipe start from its own folder")
        if path.suffix == ".parquet":
            rows = pq.read_table(path)
        elif path.suffix in (".tsv", ".txt"):
            plain = csv.ParseOptions(delimiter="\t", quote_char=False)
            rows = csv.read_csv(
                path, parse_options=plain, convert_options=csv.ConvertOptions(strings_can_be_null=False)
            )
        else:
            raise RequestError(f"{path} is neither .parquet nor .tsv")
        missing = [c for c in ("lang", "eng", "text") if c not in rows.column_names]
        if missing:
            raise DataError(f"{path} has no column {', '.join(missing)}", "lang, eng and text are needed")
        columns: dict[str, Any] = {}
        for name in ("source", "lang", "group", "eng", "text"):
            values = rows[name].cast(pa.string()) if name in rows.column_names else pa.array([""] * rows.num_rows)
            columns[name] = pc.fill_null(values, "")
        tables.append(pa.table(columns))
    found = pa.concat_tables(tables)
    if not found.num_rows:
        raise DataError(f"no pairs in {', '.join(map(str, paths))}")
    return found.combine_chunks()


def vectors(path: Path, texts: pa.Array) -> NDArray[np.float32]:
    """Return a teacher's vectors of some texts from a Parquet of ``text vector``; zero where it has none.

    Raises:
        RequestError: if there is no such file.
        DataError: if it has none of the texts, or not the columns.
    """
    if not path.is_file():
        raise RequestError(f"teacher: there is no file {path}", "paths in a recipe start from its own folder")
    rows = pq.read_table(path)
    if not {"text", "vector"} <= set(rows.column_names):
        raise DataError(f"{path} has not the columns text and vector")
    lists = rows["vector"].combine_chunks()
    found = np.stack(lists.to_numpy(zero_copy_only=False)).astype(np.float32)
    at = pc.index_in(texts, rows["text"].combine_chunks().cast(texts.type))
    known = at.is_valid().to_numpy(zero_copy_only=False)
    if not known.any():
        raise DataError(f"{path} has a vector of none of the texts to train on")
    taught = np.zeros((len(texts), found.shape[1]), np.float32)
    taught[known] = found[at.drop_null().to_numpy()]
    return taught


def within(pairs: pa.Table, groups: Groups) -> pa.Array:
    """Return whether each pair belongs to one of the groups."""
    found = pa.array([False] * pairs.num_rows)
    for source, names in groups.items():
        here = pc.and_(pc.equal(pairs["source"], source), pc.is_in(pairs["group"], pa.array(names, pa.string())))
        found = pc.or_(found, here)
    return found


def split(pairs: pa.Table, recipe: Training) -> tuple[pa.Table, pa.Table]:
    """Return the pairs to train on and those of the dev groups.

    A pair whose English side stands in a held-out group too is not trained on, whatever its source.

    Raises:
        DataError: if a held-out group holds no pair: a name that is wrong would hold out nothing.
    """
    held = recipe.held_out
    for source, names in (*held.test.items(), *held.dev.items()):
        known = set(pc.unique(pairs.filter(pc.equal(pairs["source"], source))["group"]).to_pylist())
        if wrong := [n for n in names if n not in known]:
            raise DataError(f"held_out: '{source}' has no group {', '.join(wrong[:3])}")
    test, dev = within(pairs, held.test), within(pairs, held.dev)
    away = pc.or_(test, dev)
    seen = pc.is_in(pairs["eng"], pc.unique(pairs.filter(away)["eng"]))
    dropped = pc.is_in(pairs["source"], pa.array(recipe.drop, pa.string()))
    return _drawn(pairs.filter(pc.invert(pc.or_(seen, dropped))), recipe), pairs.filter(dev)


def _drawn(pairs: pa.Table, recipe: Training) -> pa.Table:
    """Return at most `most` pairs of each language and source, in the order that they came in."""
    if recipe.most is None or not pairs.num_rows:
        return pairs
    codes = [pairs[c].combine_chunks().dictionary_encode() for c in ("lang", "source")]
    bucket = codes[0].indices.to_numpy().astype(np.int64) * len(codes[1].dictionary) + codes[1].indices.to_numpy()
    order = np.random.default_rng(recipe.settings.seed).permutation(pairs.num_rows)
    order = order[np.argsort(bucket[order], kind="stable")]
    first = np.flatnonzero(np.diff(bucket[order], prepend=-1))
    rank = np.arange(len(order)) - np.repeat(first, np.diff(first, append=len(order)))
    return pairs.take(np.sort(order[rank < recipe.most]))
