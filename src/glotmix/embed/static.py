"""The static embedder: a text is the sum of the vectors of its words and n-grams, at length one.

A model is a folder: ``model.safetensors`` (``keys`` of features, and their vectors as `quantise` leaves them) and
``embedder.json``, which says how it was made. Nothing in it is executable, and nothing but numpy is needed to apply it.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from glotmix.core import json_text
from glotmix.core.errors import DataError, RequestError
from glotmix.embed import features
from glotmix.embed.contrast import Projection, unit
from glotmix.embed.quantise import CENTROIDS, Quantised
from glotmix.native import arrays, ngrams

FORMAT = 1
MODEL, HEADER = "model.safetensors", "embedder.json"


class StaticEmbedder:
    """A static embedder in memory. It may be called from several threads at once; the work is done without the lock.

    Args:
        keys: (rows,) distinct keys of features, see `features.hashes`.
        vectors: their vectors.
        about: what is known of the model; kept in its header, no part of its fingerprint.
        projection: from the vectors of its teacher to its own space, if it had one.
    """

    def __init__(
        self,
        keys: NDArray[np.uint32],
        vectors: Quantised,
        about: Mapping[str, Any],
        projection: Projection | None = None,
    ) -> None:
        self.keys, self.vectors, self.about, self.projection = keys, vectors, dict(about), projection
        self._table = ngrams.table(keys)

    @cached_property
    def fingerprint(self) -> str:
        """What names this model: a digest of its arrays and of the rules of its features."""
        digest = hashlib.blake2b(digest_size=16)
        digest.update(f"static {FORMAT} {features.VERSION}".encode())
        for array in (self.keys, self.vectors.codes, self.vectors.scales, self.vectors.centroids):
            digest.update(np.ascontiguousarray(array).tobytes())
        for array in self.projection or ():
            digest.update(array.astype(np.float16).tobytes())
        return f"static:{digest.hexdigest()}"

    @property
    def width(self) -> int:
        """Numbers per vector."""
        groups, _, group = self.vectors.centroids.shape
        return int(groups * group)

    def embed(self, texts: Sequence[str] | pa.Array) -> NDArray[np.float32]:
        """Return one vector per text, (texts, width): at length one, or zero where no feature is known."""
        offsets, data = arrays.buffers(features.normal(texts))
        found = ngrams.sums(
            offsets, data, *features.tables(), *self._table, self.vectors.codes, self.vectors.scales,
            self.vectors.centroids,
        )  # fmt: skip
        return unit(found)[0]

    def write(self, folder: Path) -> None:
        """Write the model into a folder."""
        from safetensors.numpy import save

        folder.mkdir(parents=True, exist_ok=True)
        arrays = {"keys": self.keys, "codes": self.vectors.codes}
        arrays |= {"scales": self.vectors.scales.astype(np.float16)}
        arrays |= {"centroids": self.vectors.centroids.astype(np.float16)}
        if self.projection is not None:
            arrays |= {f"teacher_{k}": v.astype(np.float16) for k, v in self.projection._asdict().items()}
        (folder / MODEL).write_bytes(save({k: np.ascontiguousarray(v) for k, v in arrays.items()}))
        header = {"format": FORMAT, "features": features.VERSION, "width": self.width, "rows": len(self.keys)}
        text = json.dumps(header | self.about, indent=1, ensure_ascii=False, sort_keys=False)
        (folder / HEADER).write_text(text + "\n", "utf-8")


def read(folder: Path) -> StaticEmbedder:
    """Read a model that `StaticEmbedder.write` wrote.

    Raises:
        RequestError: if there is none in the folder.
        DataError: if it cannot be used by this version of glotmix.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    if not (folder / MODEL).is_file() or not (folder / HEADER).is_file():
        raise RequestError(f"there is no static embedder in {folder}", "glotmix embed train RECIPE makes one")
    try:
        header = json_text.loads((folder / HEADER).read_text("utf-8"))
        arrays = load_file(folder / MODEL)
        keys, codes = arrays["keys"], arrays["codes"]
        scales, centroids = arrays["scales"].astype(np.float32), arrays["centroids"].astype(np.float32)
    except (ValueError, KeyError, OSError, SafetensorError) as error:
        raise DataError(f"the embedder in {folder} cannot be read: {error}") from error
    if not isinstance(header, dict):
        raise DataError(f"the header of the embedder in {folder} is no object")
    made_for = (header.get("format"), header.get("features"))
    if made_for != (FORMAT, features.VERSION):
        raise DataError(f"the embedder in {folder} is of format {made_for}, not {(FORMAT, features.VERSION)}")
    rows, groups = codes.shape if codes.ndim == 2 else (-1, -1)
    sound = keys.shape == scales.shape == (rows,) and centroids.ndim == 3 and centroids.shape[:2] == (groups, CENTROIDS)
    if not (sound and keys.dtype == np.uint32 and codes.dtype == np.uint8 and rows > 0 and keys.all()):
        raise DataError(f"the arrays of the embedder in {folder} do not fit together")
    projection = None
    if "teacher_mean" in arrays:
        projection = Projection(*(arrays[f"teacher_{k}"].astype(np.float32) for k in Projection._fields))
    about = {k: v for k, v in header.items() if k not in ("format", "features", "width", "rows")}
    return StaticEmbedder(keys, Quantised(codes, scales, centroids), about, projection)


@cache
def shipped() -> StaticEmbedder:
    """Return the embedder that ships with glotmix; it is read once."""
    with as_file(files("glotmix") / "data/embedder") as folder:
        return read(folder)
