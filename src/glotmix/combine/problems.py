"""What is asked: over which cells a set is chosen, and for which held-out text."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glotmix.combine.config import CombinationsConfig
from glotmix.combine.gather import Cell
from glotmix.combine.subsets import blocks_for
from glotmix.core import language
from glotmix.core.errors import DataError, RequestError
from glotmix.mix.accounting import Array


@dataclass(frozen=True)
class Problem:
    """One choice.

    Args:
        name: a language; ``all`` where cells of all are chosen together; ``LANG helped`` for a language's helpers.
        cells: names of those to choose among.
        own: names of those that stand in every set, where another language is helped.
        share: of the tokens that `own` gets.
        blocks: that a set holds of `cells`.
        block: tokens of a block.
        langs: whose held-out text counts.
    """

    name: str
    cells: tuple[str, ...]
    own: tuple[str, ...]
    share: float
    blocks: int
    block: float
    langs: tuple[str, ...]


def problems(cells: Sequence[Cell], config: CombinationsConfig) -> list[Problem]:
    """Return what is asked of these cells.

    Raises:
        RequestError: if a language is to be helped, and there is no other.
        DataError: for fewer than four cells to choose among.
    """
    langs = sorted({cell.lang for cell in cells})
    asked: list[tuple[str, list[str], list[str], tuple[str, ...]]]
    if config.helped is not None:
        helped = language.parse(config.helped).code
        if langs == [helped]:
            raise RequestError(f"{helped} is the only language: nothing can help it", "documents of other languages")
        asked = [(f"{helped} helped", [lang for lang in langs if lang != helped], [helped], (helped,))]
    elif config.pooled:
        asked = [("all", langs, [], tuple(langs))]
    else:
        asked = [(lang, [lang], [], (lang,)) for lang in langs]
    found = []
    for name, of, own, aims in asked:
        mine = tuple(cell.name for cell in cells if cell.lang in of)
        if len(mine) < 4:
            raise DataError(f"{name}: {len(mine)} cells are no choice", "more text, or smaller cells (cells=24)")
        share = config.own if own else 0.0
        blocks = config.blocks or blocks_for(len(mine))
        if blocks > len(mine):
            raise RequestError(f"{name}: a subset of {blocks} blocks, of {len(mine)} cells", f"blocks={len(mine) // 3}")
        held = tuple(cell.name for cell in cells if cell.lang in own)
        found.append(Problem(name, mine, held, share, blocks, config.tokens * (1 - share) / blocks, aims))
    return found


def shares(problem: Problem, blocks: Array, own_tokens: Array) -> Array:
    """Return the shares of the training tokens of a problem's cells, then of its own: (n, J) → (n, J + own).

    Its own text is read as it is there.

    >>> one = Problem("a", ("b", "c"), ("d",), 0.5, 2, 10.0, ("a",))
    >>> shares(one, np.array([[1.0, 1.0]]), np.array([7.0])).tolist()
    [[0.25, 0.25, 0.5]]
    """
    chosen = blocks / blocks.sum(axis=1, keepdims=True) * (1 - problem.share)
    if not problem.own:
        return np.asarray(chosen)
    rest = np.broadcast_to(own_tokens / own_tokens.sum() * problem.share, (len(blocks), len(own_tokens)))
    return np.hstack([chosen, rest])
