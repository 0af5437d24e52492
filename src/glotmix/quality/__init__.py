"""Quality: raters trained on labelled documents, applied to all, and audited."""

from typing import TYPE_CHECKING

from glotmix.core.lazy import lazily

if TYPE_CHECKING:
    from glotmix.quality.api import TrainedRater, read, train

__all__ = ["TrainedRater", "read", "train"]
__getattr__, __dir__ = lazily(__name__, dict.fromkeys(__all__, "api"))
