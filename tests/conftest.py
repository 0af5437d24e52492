"""What several files of tests need."""

import pytest

from glotmix.core import flight


@pytest.fixture
def one_part_at_a_time():
    """So that which parts were made, and when, does not depend on the machine."""
    flight.use(flight.Engine(workers=1))
    yield
    flight.use(flight.Engine())
