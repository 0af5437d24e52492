"""One door to every format: a model's answers from lm-eval's log, lighteval's details, or a plain table."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from glotmix.core.errors import DataError, RequestError
from glotmix.evaluate import lighteval, lm_eval, plain
from glotmix.evaluate.answers import Answers

Ask = lm_eval.Ask
_WHAT = {"lm-eval": "lm-eval's samples", "lighteval": "lighteval's details", "table": "plain tables"}


def read(paths: Sequence[Path], ask: Ask | None = None, columns: Mapping[str, str] | None = None) -> Answers:
    """Read answers of whichever format the paths hold, told by the names of the files.

    Args:
        paths: folders with logs, or files; all of one format.
        ask: see `lm_eval.Ask`.
        columns: see `plain.read`.

    Raises:
        RequestError: if a path is not there, paths are of several formats, or something is missing that can be named.
        DataError: if nothing readable is found.
    """
    for path in paths:
        if not path.exists():
            raise RequestError(f"there is no {path}")
    kinds = {path: _kinds(path) for path in paths}
    for path, found in kinds.items():
        if not found:
            raise DataError(
                f"{path}: no samples_*.jsonl (lm-eval) and no details_*.parquet (lighteval)",
                "lm_eval --log_samples --output_path DIR, or the path of a plain table",
            )
    every = sorted({kind for found in kinds.values() for kind in found})
    if len(every) > 1:
        said = "; ".join(
            f"{path} holds {' and '.join(_WHAT[k] for k in sorted(found))}" for path, found in kinds.items()
        )
        raise RequestError(f"answers of several formats cannot be read as one: {said}", "name the paths of one format")
    if every == ["table"]:
        return plain.read(paths, columns, ask)
    if columns:
        raise RequestError(f"--column is for plain tables, and {paths[0]} is {_WHAT[every[0]]}", "--id FIELD for an id")
    return lm_eval.read(paths, ask) if every == ["lm-eval"] else lighteval.read(paths, ask)


def _kinds(path: Path) -> set[str]:
    if not path.is_dir():
        named = path.name.startswith("samples_"), path.name.startswith("details_")
        return {"lm-eval" if named[0] else "lighteval" if named[1] else "table"}
    patterns = {"lm-eval": "samples_*.jsonl", "lighteval": "details_*.parquet"}
    return {kind for kind, pattern in patterns.items() if next(path.rglob(pattern), None) is not None}
