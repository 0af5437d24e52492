"""The signature of a document: what is needed to find its near-duplicates without reading it again.

A signature holds a hash of the folded text, one key per band of its MinHash, and a sketch: the low byte of every
minimum, from which the Jaccard similarity of two documents is estimated. docs/duplicates.md says how the
shingles are made and why they mean the same in every script.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from glotmix.core.record import Counts, Output
from glotmix.core.step import StepSpec
from glotmix.native import folding, shingles
from glotmix.native.arrays import buffers
from glotmix.signals.annotate import Measure, Measured, measured

VERSION = 2


class SignatureConfig(BaseModel):
    """How a text is signed: everything that changes a signature."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bands: int = Field(16, ge=1, le=256, description="bands: documents that agree in one band are candidates")
    rows: int = Field(7, ge=1, le=64, description="minima per band: more make a candidate rarer")
    shingle: int = Field(20, ge=1, le=1000, description="letters per shingle; 20 letters touch five English words")


def band(number: int) -> str:
    """Return the name of a band's column.

    >>> band(3)
    'band_003'
    """
    return f"band_{number:03d}"


def fields(config: SignatureConfig) -> pa.StructType:
    """Return the type of a signature: ``content, shingles, sketch, band_000 …``.

    ``content`` (int64) is a hash of the folded text with its digits, ``shingles`` (int32) the number of shingles with
    repeats, ``sketch`` (bands × rows bytes) the low bytes of the minima, and each ``band_`` (int64) a band's key.
    """
    return pa.struct(
        [
            pa.field("content", pa.int64()),
            pa.field("shingles", pa.int32()),
            pa.field("sketch", pa.binary()),
            *(pa.field(band(b), pa.int64()) for b in range(config.bands)),
        ]
    )


def nodes(ids: pa.Array) -> NDArray[np.int64]:
    """Return a 64-bit hash of each id, (n,) int64: what the graph of duplicates calls a document."""
    starts, data = buffers(ids)
    out = np.empty(len(ids), np.int64)
    shingles.hash_strings(starts, data, 0, out)
    return out


def sign(config: SignatureConfig) -> Callable[[pa.Array], pa.StructArray]:
    """Return the function from texts, (n,) strings without nulls, to their (n,) signatures."""
    kind = fields(config)
    bins = config.bands * config.rows

    def call(texts: pa.Array) -> pa.StructArray:
        starts, data = buffers(texts)
        n = len(texts)
        content = np.empty(n, np.int64)
        count = np.empty(n, np.int32)
        keys = np.empty((n, config.bands), np.int64)
        sketch = np.empty((n, bins), np.uint8)
        shingles.sign(starts, data, *folding.table(), config.shingle, config.rows, content, count, keys, sketch)
        columns = [pa.array(content), pa.array(count), _rows(sketch)]
        columns += [pa.array(np.ascontiguousarray(keys[:, b])) for b in range(config.bands)]
        return pa.StructArray.from_arrays(columns, fields=list(kind))

    return call


def _rows(values: NDArray[np.uint8]) -> pa.Array:
    n, width = values.shape
    offsets = pa.py_buffer(np.arange(0, (n + 1) * width, width, dtype=np.int32)[: n + 1])
    return pa.BinaryArray.from_buffers(pa.binary(), n, [None, offsets, pa.py_buffer(values)])


def unpack(sketch: pa.Array) -> NDArray[np.uint8]:
    """Return the sketches of n > 0 signatures as (n, bins) uint8.

    >>> unpack(sign(SignatureConfig())(pa.array(["some text", "another text"])).field("sketch")).shape
    (2, 112)
    """
    wide = sketch.cast(pa.large_binary())
    _, starts, data = wide.buffers()
    offsets = np.frombuffer(starts, np.int64, count=len(wide) + 1, offset=wide.offset * 8)
    return np.frombuffer(data, np.uint8)[offsets[0] : offsets[-1]].reshape(len(wide), -1)


def make(output: Output, corpus: Path, config: SignatureConfig) -> Counts:
    """Write the signatures of a corpus: ``id`` and the columns of `fields`, in the order of the corpus."""
    return measured(corpus, [(output, _measure(config))])[0]


def _measure(config: SignatureConfig) -> Measure:
    return Measure(["text"], sign(config), fields(config))


def chance(config: SignatureConfig, similarity: float) -> float:
    """Return the probability that two documents of a Jaccard similarity become candidates.

    ``P = 1 − (1 − s^rows)^bands`` (Broder 1997; Leskovec, Rajaraman, Ullman, section 3.4).

    >>> round(chance(SignatureConfig(bands=14, rows=8), 0.8), 2)
    0.92
    """
    return float(1 - (1 - similarity**config.rows) ** config.bands)


def curve(config: SignatureConfig) -> dict[str, float]:
    """Return `chance` at the similarities worth printing.

    >>> curve(SignatureConfig())["0.8"]
    0.9769
    """
    return {f"{s:g}": round(chance(config, s), 4) for s in (0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)}


def middle(config: SignatureConfig) -> float:
    """Return the similarity at which two documents become candidates with probability one half.

    >>> round(middle(SignatureConfig(bands=14, rows=8)), 3)
    0.685
    """
    return float((1 - 0.5 ** (1 / config.bands)) ** (1 / config.rows))


STEPS = StepSpec(
    name="signals/signatures",
    code=(__name__,),
    make=Measured(lambda context: _measure(context.recipe.signals.duplicates.signature)),
    config=lambda context: context.recipe.signals.duplicates.signature.model_dump(mode="json"),
    meaning="MinHash signatures: what is needed to compare a document without reading it again",
    place=32,
)
