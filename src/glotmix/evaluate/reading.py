"""One door to every format: a model's answers from lm-eval's log, lighteval's details, or a plain table."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from glotmix.core.errors import DataError, RequestError
from glotmix.evaluate import lighteval, lm_eval, plain
from glotmix.evaluate.answers import Answers

Ask = lm_eval.Ask


def read(paths: Sequence[Path], ask: Ask | None = None, columns: Mapping[str, str] | None = None) -> Answers:
    """Read answers of whichever format the paths hold, told by the names of the files.

    Args:
        paths: folders with logs, or files.
        ask: see `lm_eval.Ask`.
        columns: see `plain.read`.

    Raises:
        RequestError: if a path is not there, or something is missing that can be named.
        DataError: if nothing readable is found.
    """
    for path in paths:
        if not path.exists():
            raise RequestError(f"there is no {path}")
    if any(p.is_dir() for p in paths):
        if any(next(p.rglob("samples_*.jsonl"), None) for p in paths if p.is_dir()):
            return lm_eval.read(paths, ask)
        if lighteval.find(paths):
            return lighteval.read(paths, ask)
        raise DataError(
            f"{', '.join(map(str, paths))}: no samples_*.jsonl (lm-eval) and no details_*.parquet (lighteval)",
            "lm_eval --log_samples --output_path DIR, or the path of a plain table",
        )
    if all(p.name.startswith("samples_") for p in paths):
        return lm_eval.read(paths, ask)
    if all(p.name.startswith("details_") for p in paths):
        return lighteval.read(paths, ask)
    return plain.read(paths, columns)
