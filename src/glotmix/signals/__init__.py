"""Signals: tables that say something of each document, and decide nothing.

>>> import glotmix as gm
>>> gm.signals.identify(["Die Katze schläft auf dem Sofa."])["label"]
['deu_Latn']
"""

from typing import TYPE_CHECKING

from glotmix.core.lazy import lazily

if TYPE_CHECKING:
    from glotmix.signals.api import Signal, find_duplicates, identify, measure

__all__ = ["Signal", "find_duplicates", "identify", "measure"]
__getattr__, __dir__ = lazily(__name__, dict.fromkeys(__all__, "api"))
