"""What several files of tests need."""

import os

# Each process of pytest-xdist has a core: models this small only wait for threads beyond it. Before NumPy and torch.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

from glotmix.core import flight, record, warning

_closed, _line = record._warned, warning.line


def _named_record(made, warnings):
    """Refuse a record with a warning that has no name: docs/warnings.md could not explain it."""
    found = _closed(made, warnings)
    for text in found.notes.get("warnings", []):
        _named_line(text)
    return found


def _named_line(text):
    assert warning.name(text) is not None, f"declare it in WARNINGS of the room that says it: {text}"
    return _line(text)


record._warned, warning.line = _named_record, _named_line


@pytest.fixture
def one_part_at_a_time():
    """So that which parts were made, and when, does not depend on the machine."""
    flight.use(flight.Engine(workers=1))
    yield
    flight.use(flight.Engine())
