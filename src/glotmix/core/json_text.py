"""JSON that a file of the user's may hold: whatever is wrong with it is one kind of error."""

import json
from typing import Any


def loads(text: str | bytes | bytearray) -> Any:
    """Return what a JSON text says.

    Raises:
        ValueError: if it is no JSON, or nested more deeply than Python can follow.

    >>> loads("[" * 100_000)
    Traceback (most recent call last):
    ValueError: nested too deeply
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
