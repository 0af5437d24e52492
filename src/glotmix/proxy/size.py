"""How large a proxy is: one dial, the number of parameters."""

import math
from dataclasses import dataclass

from glotmix.core.errors import RequestError

SMALLEST, LARGEST = 100_000, 100_000_000


@dataclass(frozen=True)
class Shape:
    """The shape of a decoder: Llama's, with tied embeddings and without biases.

    Args:
        vocabulary: pieces V.
        width: numbers per token d.
        layers: decoder layers L.
        heads: attention heads H, dividing the width into parts of even size.
        hidden: width of the gated layer f.
        context: tokens that a window holds T.
    """

    vocabulary: int
    width: int
    layers: int
    heads: int
    hidden: int
    context: int

    @property
    def parameters(self) -> int:
        """All weights, the embedding counted once: `V d + L (4 d² + 3 d f)`.

        >>> shape(300_000, 1024, 64).parameters
        266240
        """
        return self.vocabulary * self.width + self.layers * (4 * self.width**2 + 3 * self.width * self.hidden)

    @property
    def flops(self) -> int:
        """Floating-point operations of one training token, forward and backward: six a weight, and attention's."""
        return 6 * self.parameters + 12 * self.layers * self.width * self.context


def vocabulary(parameters: float) -> int:
    """Return the pieces that a proxy of this size should have.

    In a tiny model the embedding and the softmax over it can be most of the weights and of the work: a power of two
    that keeps them near a quarter of it, within 512 and 32,768.

    >>> [vocabulary(n) for n in (3e5, 1e6, 4e6, 15e6, 50e6)]
    [1024, 2048, 4096, 8192, 16384]
    """
    return min(32_768, max(512, 1 << round(math.log2(1024 * (parameters / 3e5) ** 0.54))))


def shape(parameters: float, pieces: int | None = None, context: int = 128) -> Shape:
    """Return the shape whose parameters are nearest to a number: the one dial.

    Depth follows width (about one layer per 16 numbers of width, from 2 to 12), so that a family of sizes differs in
    one thing only.

    Args:
        parameters: wanted, the embedding included.
        pieces: of the tokenizer; by default `vocabulary` of the size.
        context: tokens per window.

    Raises:
        RequestError: for a size outside 0.1M to 100M, or one that the vocabulary alone exceeds.

    >>> [(s.width, s.layers, s.parameters) for s in map(shape, (3e5, 1e6, 15e6, 50e6))]
    [(64, 4, 266240), (96, 6, 860160), (288, 12, 14303232), (512, 12, 46039040)]
    """
    if not SMALLEST <= parameters <= LARGEST:
        raise RequestError(
            f"a proxy of {parameters:,.0f} parameters is outside what this room is made for",
            f"between {SMALLEST:,} and {LARGEST:,}: parameters=300000",
        )
    pieces = pieces or vocabulary(parameters)
    shapes = [_of_width(width, pieces, context) for width in range(32, 1025, 16) if width % _head(width) == 0]
    best = min(shapes, key=lambda s: abs(math.log(s.parameters / parameters)))
    if best.parameters > 1.5 * parameters:
        raise RequestError(
            f"{pieces:,} pieces leave no weights for anything else in a proxy of {parameters:,.0f} parameters: the "
            f"smallest such model has {best.parameters:,}",
            f"a vocabulary of {vocabulary(parameters):,}, or parameters={best.parameters}",
        )
    return best


def _of_width(width: int, pieces: int, context: int) -> Shape:
    hidden = 16 * round(width * 8 / 3 / 16)
    return Shape(pieces, width, min(12, max(2, round(width / 16))), width // _head(width), hidden, context)


def _head(width: int) -> int:
    """Numbers per attention head: at least four heads, at most 64 numbers."""
    return 16 if width < 128 else 32 if width < 512 else 64
