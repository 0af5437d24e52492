"""The other side of `cores.processes`: one process that trains some of the models."""

import pickle
import sys
from typing import Any

from glotmix.core.errors import GlotmixError


def answer() -> None:
    """Read a function and arguments from standard input, and write what comes of them to standard output."""
    work, arguments = pickle.load(sys.stdin.buffer)
    try:
        found: Any = work(*arguments)
    except GlotmixError as error:
        found = error
    pickle.dump(found, sys.stdout.buffer)
