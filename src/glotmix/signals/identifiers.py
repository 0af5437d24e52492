"""Models that say which language a text is in, behind one method.

py3langid's own model is the default: it comes with the package, works offline, and was the most accurate of those
compared (docs/language.md). fastText models (GlotLID, OpenLID, lid.176) are read from a path of the user's.
"""

from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from glotmix.core import remote, unpacked
from glotmix.core.errors import MissingExtraError, RequestError
from glotmix.native.arrays import buffers
from glotmix.native.automaton import score_features
from glotmix.signals import letterforms

RANKED = pa.struct(
    [
        pa.field("label", pa.int32()),
        pa.field("score", pa.float32()),
        pa.field("runner_up", pa.int32()),
        pa.field("runner_up_score", pa.float32()),
    ]
)
"""The best and the second-best label of a text: positions in `Identifier.labels`, and their scores (0 to 1)."""


class Identifier(Protocol):
    """A model of languages."""

    @property
    def labels(self) -> Sequence[str]:
        """The model's own labels: language tags such as ``fr``, ``cmn_Hani``, or ``zxx`` for what is no language."""

    def rank(self, texts: pa.Array) -> pa.StructArray:
        """Return the two best labels of each text as `RANKED`; a label is null where the text says nothing.

        Called on several threads at once.
        """


class Py3Langid:
    """py3langid's model (multinomial naive Bayes over byte n-grams), run over whole batches without the GIL.

    The same label and, to float tolerance, the same probability as py3langid's own ``classify`` with
    ``norm_probs=True``, which walks one text at a time in Python. Made by `load`.
    """

    def __init__(self) -> None:
        held = _unpacked()
        self._weights, self._priors, self._moves, self._rows, self._features = (held[name] for name in _ARRAYS)
        classes: list[str] = held["classes"].tolist()
        self.labels: tuple[str, ...] = tuple(dict.fromkeys(classes))
        # Languages in two scripts (Serbian, Uzbek) have two classes of one label.
        self._first = np.array([classes.index(label) for label in self.labels])
        self._again = [(self.labels.index(c), i) for i, c in enumerate(classes) if classes.index(c) != i]

    def rank(self, texts: pa.Array) -> pa.StructArray:
        """Return the two best labels of each text as `RANKED`."""
        probabilities, found = self.probabilities(texts)
        n = len(probabilities)
        best = probabilities.argmax(axis=1) if n else np.zeros(0, np.int64)
        score = probabilities[np.arange(n), best]
        probabilities[np.arange(n), best] = -1
        second = probabilities.argmax(axis=1) if n else best
        nothing = found == 0
        return pa.StructArray.from_arrays(
            [
                pa.array(best.astype(np.int32), mask=nothing),
                pa.array(score, mask=nothing),
                pa.array(second.astype(np.int32), mask=nothing),
                pa.array(probabilities[np.arange(n), second], mask=nothing),
            ],
            fields=list(RANKED),
        )

    def probabilities(self, texts: pa.Array) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return (n, labels) probabilities and, for each text, how many different features it has (0: no evidence).

        py3langid's steps: a text in capitals is made lower case, all are brought to NFC; the log posteriors are
        divided by the square root of the number of bytes, so that long texts are not all certain; softmax.
        """
        offsets, data = buffers(letterforms.plain(texts))
        scores = np.repeat(self._priors[None], len(texts), axis=0)
        found = np.zeros(len(texts), np.int64)
        score_features(offsets, data, self._moves, self._rows, self._features, self._weights, scores, found)
        scores[found == 0] = 0
        scores /= np.sqrt(np.maximum(np.diff(offsets), 1), dtype=np.float64)[:, None].astype(np.float32)
        np.exp(scores - scores.max(axis=1, keepdims=True, initial=-np.inf), out=scores)
        scores /= scores.sum(axis=1, keepdims=True)
        merged = scores[:, self._first]
        for position, again in self._again:
            merged[:, position] += scores[:, again]
        return merged, found


_ARRAYS: dict[str, type[np.generic]] = {
    "weights": np.float32,
    "priors": np.float32,
    "moves": np.uint32,
    "rows": np.uint16,
    "features": np.int32,
}


def _unpacked() -> dict[str, NDArray[Any]]:
    """Return the arrays of py3langid's model: unpacked once per machine (half a second), then mapped from the cache.

    All processes of a machine share the pages: 100 MB once, and not for each core.
    """
    from py3langid.langid import MODEL_DIR, MODEL_FILE

    size = (MODEL_DIR / MODEL_FILE).stat().st_size
    folder = remote.cache() / "models" / f"py3langid-{version('py3langid')}-{size}"
    held = unpacked.mapped(folder, (*_ARRAYS, "classes"))
    if held is not None:
        return held
    from py3langid.modelio import load_model

    weights, priors, classes, *rest = load_model(MODEL_DIR / MODEL_FILE)
    made = {
        name: np.ascontiguousarray(array, kind)
        for (name, kind), array in zip(_ARRAYS.items(), (weights, priors, *rest), strict=True)
    }
    made["classes"] = np.array(classes)
    unpacked.keep(folder, made)
    return made


class FastText:
    """A fastText model file: GlotLID, OpenLID, lid.176 and their like.

    Args:
        path: the ``.bin`` or ``.ftz`` file.

    Raises:
        RequestError: if there is no such file or it is no fastText model.
        MissingExtraError: if no module ``fasttext`` is installed.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise RequestError(f"there is no language model at {path}", "py3langid, or the path of a fastText model")
        try:
            import fasttext
        except ImportError as error:
            raise MissingExtraError(f"the fastText model {path.name}", "fasttext") from error
        try:
            self._model = fasttext.load_model(str(path))
        except ValueError as error:
            raise RequestError(f"{path} is not a fastText model: {error}") from error
        # Not every wheel of fastText has get_labels; all answer with every label when asked for so many.
        own, _ = self._model.predict("a", k=-1, threshold=-1.0)
        self._positions = {label: i for i, label in enumerate(sorted(own))}
        self.labels = tuple(label.removeprefix("__label__") for label in self._positions)

    def rank(self, texts: pa.Array) -> pa.StructArray:
        """Return the two best labels of each text as `RANKED`."""
        # fastText reads one line at a time.
        lines = pc.replace_substring_regex(texts.cast(pa.string()), r"\s+", " ").to_pylist()
        rows = []
        for line in map(letterforms.unshaped, lines):
            labels, scores = self._model.predict(line, k=2) if line.strip() else ((), ())
            # fastText adds a small constant to its probabilities: 1.00001.
            found = [(self._positions[own], min(float(s), 1.0)) for own, s in zip(labels, scores, strict=True)]
            (first, first_score), (second, second_score) = (*found, (None, None), (None, None))[:2]
            rows.append({"label": first, "score": first_score, "runner_up": second, "runner_up_score": second_score})
        return pa.array(rows, RANKED)


@cache
def load(model: str = "py3langid") -> Identifier:
    """Return the model that a recipe names: ``py3langid``, or the path of a fastText model; loaded once.

    Raises:
        RequestError: if there is no such model.
        MissingExtraError: if its library is not installed.
    """
    return Py3Langid() if model == "py3langid" else FastText(Path(model))


def fingerprint(model: str = "py3langid") -> str:
    """Return what identifies a model in a record: py3langid's version, or the SHA-256 of the file."""
    if model == "py3langid":
        return f"py3langid {version('py3langid')}"
    import hashlib

    with Path(model).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
