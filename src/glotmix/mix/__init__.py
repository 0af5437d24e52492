"""How much of each language: numbers in, numbers out."""

from typing import TYPE_CHECKING

from glotmix.core.lazy import lazily

if TYPE_CHECKING:
    from glotmix.mix.api import Fit, Mixture, allocate, fit

VERSION = 6
"""Raised whenever a change in this room changes a mixture."""

__all__ = ["Fit", "Mixture", "allocate", "fit"]
__getattr__, __dir__ = lazily(__name__, dict.fromkeys(__all__, "api"))
