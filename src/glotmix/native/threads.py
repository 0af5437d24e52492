"""One thread for what adds up numbers: a sum in another order is another number, and another choice."""

from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread, whatever BLAS and OpenMP would do: ``with one_thread():``, or ``@one_thread()``."""
    # A limit holds for the libraries that are loaded, and SciPy brings a BLAS beside NumPy's.
    import scipy.linalg  # noqa: F401

    with threadpool_limits(1):
        yield
