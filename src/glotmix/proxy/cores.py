"""Models over memory and cores: groups of models that stay near a core, and processes that share the models of a unit.

Models have nothing to tell each other, so each core trains models of its own. Threads would do it badly: those of torch
wait for each other at every one of hundreds of small products a step, those of Python for the interpreter's lock.
"""

import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

NEAR = 40_000_000
"""Bytes of weights, derivatives and moments of a group: of more, the first have left the cache when they come again."""


def parts(models: int, count: int) -> list[slice]:
    """Cut models into so many parts of nearly the same size, none of them empty.

    >>> [(p.start, p.stop) for p in parts(5, 2)], len(parts(1, 4))
    ([(0, 2), (2, 5)], 1)
    """
    count = max(1, min(models, count))
    return [slice(a, b) for a, b in pairwise([models * i // count for i in range(count + 1)])]


def near(models: int, parameters: int) -> list[slice]:
    """Cut models into groups that stay near a core together.

    >>> [(p.start, p.stop) for p in near(32, 266_240)]
    [(0, 8), (8, 16), (16, 24), (24, 32)]
    """
    return parts(models, -(-models // max(1, NEAR // (16 * parameters))))


@contextmanager
def threads_for(parameters: int) -> Iterator[None]:
    """Give torch one thread for models so small that several would wait for each other; afterwards what it had."""
    import torch

    before = torch.get_num_threads()
    if parameters * 16 <= NEAR:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def processes(work: Callable[..., Any], calls: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Do a function of a module with each of the arguments, in a process of its own each, at the same time.

    Raises:
        Exception: what the first of them that failed raised.
        RuntimeError: if one ended without an answer, with its last words.
    """
    path = os.pathsep.join(p for p in sys.path if p)
    command = [sys.executable, "-c", "from glotmix.proxy.worker import answer; answer()"]
    running = [
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        )
        for _ in calls
    ]  # fmt: skip
    try:
        for process, arguments in zip(running, calls, strict=True):
            assert process.stdin is not None
            pickle.dump((work, arguments), process.stdin)
            process.stdin.close()
            process.stdin = None
        answers = []
        for process in running:
            said, words = process.communicate()
            if process.returncode:
                raise RuntimeError(f"a process that trained proxies ended with {process.returncode}:\n{words.decode()}")
            answers.append(pickle.loads(said))
    finally:
        for process in running:
            process.kill()
            process.wait()
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return answers
