"""The watch of memory: what is left, when no further part is begun, and how a command ends."""

import subprocess
import sys
import time

import pytest

from glotmix.core import flight, memory
from glotmix.core.errors import MemoryShortError

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the system does not say what is left")


@LINUX
def test_what_is_left_is_part_of_what_there_is():
    free = memory.left()
    assert free is not None and 0 < free < memory.total()


def test_a_control_group_bounds_what_is_left(tmp_path, monkeypatch):
    for name, held in {"max": "1000000", "current": "900000", "stat": "anon 5\ninactive_file 50000\n"}.items():
        (tmp_path / name).write_text(held)
    group = (str(tmp_path / "max"), str(tmp_path / "current"), str(tmp_path / "stat"), "inactive_file")
    monkeypatch.setattr(memory, "_GROUPS", (group,))
    memory.total.cache_clear()
    try:
        assert memory.total() == 1_000_000
        # What the group holds of files is taken back when it is needed.
        assert not sys.platform.startswith("linux") or memory.left() == 150_000
        (tmp_path / "max").write_text("max\n")
        memory.total.cache_clear()
        assert memory.total() > 1_000_000
    finally:
        monkeypatch.undo()
        memory.total.cache_clear()


def test_parts_go_one_by_one_while_memory_is_short(monkeypatch):
    flying, most = 0, []

    def make(name):
        nonlocal flying
        flying += 1
        most.append(flying)
        time.sleep(0.01)
        flying -= 1
        return name

    monkeypatch.setattr(memory, "left", lambda: 0)
    before = flight.engine()
    flight.use(flight.Engine(workers=4, memory=10**12))
    try:
        made = [name for name, _, _ in flight.fly(make, [str(n) for n in range(20)])]
    finally:
        flight.use(before)
    assert sorted(made, key=int) == [str(n) for n in range(20)]
    assert set(most) == {1}


PROGRAM = """
import sys
from glotmix import cli
from glotmix.core import memory
memory.END = float(sys.argv.pop(1))
@cli.app.command()
def slow() -> None:
    import time
    # A busy machine may let the watch wait; where it must not end anything, it is given five looks.
    for _ in range(600 if memory.END else 20):
        time.sleep(0.05)
    print("ended by itself")
cli.main()
"""


@LINUX
@pytest.mark.parametrize(("end", "code"), [("2", MemoryShortError.exit_code), ("0", 0)])
@pytest.mark.parametrize("shell", ["", "trap '' INT; "])
def test_a_command_ends_before_the_system_kills_it(end, code, shell):
    # In the background of a script SIGINT is ignored.
    words = ["sh", "-c", f'{shell}exec "$@"', "sh", sys.executable, "-c", PROGRAM, end, "slow"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == code
    assert ("ended by itself" in done.stdout) == (code == 0)
    assert ("engine.memory" in done.stderr) == (code != 0)
