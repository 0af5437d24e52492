"""What a set is made of: cells, each with its stock of text and how alike it is to the others."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glotmix.core.errors import DataError
from glotmix.mix.accounting import Array


@dataclass(frozen=True, eq=False)
class Cells:
    """J cells.

    Amounts of text are counted in *blocks*: a subset takes whole blocks of a cell, all of the same number of tokens.

    Args:
        names: each once.
        stock: (J,) blocks of unique text; what a set takes beyond it is repeated.
        alike: (J, J) similarity of the cells' texts, 1 on the diagonal; what is below 0 counts as 0.
        languages: of each cell; empty where they do not matter.
        traits: (J, F) what can be said of a cell without training on it, for `carried`; F may be 0.
        trait_names: (F,).
    """

    names: tuple[str, ...]
    stock: Array
    alike: Array
    languages: tuple[str, ...] = ()
    traits: Array | None = None
    trait_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        size = len(self.names)
        if len(set(self.names)) != size:
            raise DataError("two cells have one name")
        if self.stock.shape != (size,) or self.alike.shape != (size, size):
            raise DataError(f"{size} cells need {size} stocks and a square of similarities")
        if not (self.stock > 0).all():
            raise DataError(f"{self.names[int(self.stock.argmin())]} has no text", "leave empty cells out")

    def __len__(self) -> int:
        return len(self.names)

    def take(self, rows: Sequence[int]) -> "Cells":
        """Return some of the cells."""
        at = np.asarray(rows, np.int64)
        return Cells(
            tuple(self.names[i] for i in rows),
            self.stock[at],
            self.alike[np.ix_(at, at)],
            tuple(self.languages[i] for i in rows) if self.languages else (),
            None if self.traits is None else self.traits[at],
            self.trait_names,
        )
