"""A rater as a filter of datatrove (https://github.com/huggingface/datatrove): the one place that knows its interface.

```python
from glotmix.quality.datatrove_filter import rater_filter

pipeline = [JsonlReader("raw"), rater_filter("out/signals/quality/rater", keep=0.9, by="quantile"), JsonlWriter("kept")]
```
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from glotmix.core.errors import DataError, MissingExtraError
from glotmix.embed.protocol import Embedder
from glotmix.quality.load import load

BATCH = 256


def rater_filter(
    folder: str | Path,
    keep: float,
    by: Literal["score", "quantile", "calibrated"] = "quantile",
    lang: str = "language",
    embedders: Mapping[str, Embedder] | None = None,
    exclusion_writer: Any = None,
    batch_size: int = BATCH,
) -> Any:
    """Return a datatrove filter that keeps the documents at or above a line, and writes what it found into metadata.

    Each document gets ``glotmix_quality``; a dropped one the reason ``glotmix_quality_below_<keep>``.

    Args:
        folder: the rater, see `load.load`.
        keep: the line, 0 to 1: with ``quantile``, 0.9 keeps the best tenth of each language, as it was in the corpus
            that was rated.
        by: what is held against it.
        lang: the language's name in ``doc.metadata``.
        embedders: those that the rater reads.
        exclusion_writer: datatrove's writer of what is dropped.
        batch_size: documents that are rated at once.

    Raises:
        MissingExtraError: if datatrove is not installed.
    """
    try:
        from datatrove.pipeline.filters.base_filter import BaseFilter
    except ImportError as error:
        raise MissingExtraError("a datatrove filter", "datatrove") from error

    # Read now, so that what is wrong with it is said now; workers read it again, each once.
    load(Path(folder), embedders, by)

    class RaterFilter(BaseFilter):  # type: ignore[misc]
        name = "🌍 glotmix rater"

        def __init__(self) -> None:
            super().__init__(exclusion_writer, batch_size)
            self._rate: Any = None

        def filter(self, doc: Any) -> bool | tuple[bool, str]:
            return self.filter_batch([doc])[0]

        def filter_batch(self, batch: Sequence[Any]) -> list[bool | tuple[bool, str]]:
            missing = next((doc.id for doc in batch if lang not in doc.metadata), None)
            if missing is not None:
                raise DataError(f"document {missing} has no {lang} in its metadata", "rater_filter(…, lang=NAME)")
            if self._rate is None:
                self._rate = load(Path(folder), embedders, by)
            found = self._rate([doc.text for doc in batch], [str(doc.metadata[lang]) for doc in batch])
            for doc, one in zip(batch, found.tolist(), strict=True):
                doc.metadata["glotmix_quality"] = one
            reason = f"glotmix_quality_below_{keep:g}"
            return [True if good else (False, reason) for good in np.asarray(found >= keep).tolist()]

    return RaterFilter()
