"""The other side of `cores.processes`: one process that trains a part of a unit."""

import pickle
import sys
from typing import Any

from glotmix.core.errors import GlotmixError
from glotmix.proxy.train import train_part


def answer() -> None:
    """Read arguments from standard input, and write what comes of them to standard output."""
    arguments = pickle.load(sys.stdin.buffer)
    try:
        found: Any = train_part(*arguments)
    except GlotmixError as error:
        found = error
    pickle.dump(found, sys.stdout.buffer)
