"""Instruction data: how good an answer is for its instruction."""

from typing import TYPE_CHECKING

from glotmix.core.lazy import lazily

if TYPE_CHECKING:
    from glotmix.instruct.api import AnswerRater, read, train

__all__ = ["AnswerRater", "read", "train"]
__getattr__, __dir__ = lazily(__name__, dict.fromkeys(__all__, "api"))
