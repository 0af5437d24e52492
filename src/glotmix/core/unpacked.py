"""Arrays that a machine unpacks once: kept in the cache, and mapped from there by every process."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def mapped(folder: Path, names: Sequence[str]) -> dict[str, NDArray[Any]] | None:
    """Return arrays that `keep` has written, mapped and not read; None where they are not there."""
    try:
        return {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in names}
    except (OSError, ValueError):
        return None


def keep(folder: Path, made: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays into the machine's cache, if it can be written to."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            for name, array in made.items():
                np.save(Path(scratch) / f"{name}.npy", array)
            Path(scratch).chmod(0o755)
            Path(scratch).rename(folder)
    except OSError:
        # Nowhere to write, or another process was first: it is made again next time, or found.
        pass
