"""What a model answers in each language: consistency, fidelity, fair scores, the price of its tokenizer."""

from typing import TYPE_CHECKING

from glotmix.core.lazy import lazily

if TYPE_CHECKING:
    from glotmix.evaluate.api import Audit, Comparison, Fidelity, Scores, compare, fidelity, score, tokenizer

__all__ = ["Audit", "Comparison", "Fidelity", "Scores", "compare", "fidelity", "score", "tokenizer"]
__getattr__, __dir__ = lazily(__name__, dict.fromkeys(__all__, "api"))
