"""One thread for sums, also in libraries that are loaded late."""

import subprocess
import sys

PROGRAM = """
import sys
from glotmix.native.threads import one_thread

@one_thread()
def threads():
    import scipy.linalg
    from threadpoolctl import threadpool_info
    return [(one["filepath"], one["num_threads"]) for one in threadpool_info() if one["user_api"] == "blas"]

assert "scipy.linalg" not in sys.modules
import numpy
found = threads()
assert any("scipy" in path for path, _ in found), found
assert [count for _, count in found] == [1] * len(found), found
with one_thread():
    assert threads() == found
"""


def test_the_limit_holds_for_a_library_that_nothing_had_loaded():
    given = {"OPENBLAS_NUM_THREADS": "4", "OMP_NUM_THREADS": "4", "PATH": "/usr/bin"}
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=given | {"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not ran.returncode, ran.stderr
