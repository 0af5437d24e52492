"""Several embedders as one: their vectors side by side."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from glotmix.core.errors import RequestError
from glotmix.embed.contrast import unit
from glotmix.embed.protocol import Embedder


class Concatenated:
    """Embedders side by side, at length one: a cosine is the mean of their cosines where all of them know the texts.

    Args:
        parts: the embedders, in the order of their numbers.

    Raises:
        RequestError: if there is none, or one stands there twice.
    """

    def __init__(self, parts: Sequence[Embedder]) -> None:
        marks = [part.fingerprint for part in parts]
        if not parts or len(set(marks)) < len(marks):
            raise RequestError(f"embedders side by side are given each once: {', '.join(marks) or 'none was'}")
        self.parts = tuple(parts)
        self.width = sum(part.width for part in parts)

    @cached_property
    def fingerprint(self) -> str:
        """Those of the parts, in their order."""
        return "concatenated:" + "+".join(part.fingerprint for part in self.parts)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one vector per text, (texts, width); what one of them knows nothing of, the others say alone."""
        return unit(np.concatenate([unit(part.embed(texts))[0] for part in self.parts], axis=1))[0]

    def truncated(self, texts: Sequence[str]) -> list[bool]:
        """Return for each text whether one of them sees less than the whole of it."""
        told = [part.truncated(texts) for part in self.parts if hasattr(part, "truncated")]
        return [any(each) for each in zip(*told, strict=True)] if told else [False] * len(texts)


def side_by_side(parts: Sequence[Embedder]) -> Embedder:
    """Return the only embedder, or all of them side by side."""
    return parts[0] if len(parts) == 1 else Concatenated(parts)
