"""Sets of cells chosen for what they do together: random subsets trained on, a law of a set's worth, the best set.

A *cell* is a cluster of meaning within a source of a language. Numbers live in `cells`, `subsets`, `laws`, `judge`,
`choice` and `carried`; text and models in `gather`, `streams`, `training` and `trial`; `stages` ties them.
"""

from typing import TYPE_CHECKING

from glotmix.core.lazy import lazily

if TYPE_CHECKING:
    from glotmix.combine.api import Combinations, design, read

VERSION = 1
"""Raised where a combination of the same documents would be measured, fitted or chosen in another way."""

__all__ = ["Combinations", "design", "read"]
__getattr__, __dir__ = lazily(__name__, dict.fromkeys(__all__, "api"))
