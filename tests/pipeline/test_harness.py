import doctest
import json
import os
import re
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from benchmarks import __main__ as all_of_them
from benchmarks import _parts, harness
from benchmarks.harness import BenchmarkError, Row

BURN = "import time\nwhile time.process_time() < {}: pass\n"


def test_doctests_of_the_harness():
    failed, tried = doctest.testmod(harness)
    assert tried >= 2
    assert failed == 0


def test_a_row_refuses_what_is_no_number_and_what_is_no_name():
    with pytest.raises(ValueError, match="missing value is None"):
        Row("b", "m", float("nan"))
    with pytest.raises(ValueError, match="missing value is None"):
        Row("b", "m", 1.0, low=float("-inf"))
    with pytest.raises(ValueError, match="no metric name"):
        Row("b", "docs per second", 1.0)


def test_rows_come_back_as_they_were_written_and_missing_is_null(tmp_path):
    rows = [Row("b", "environment", None, settings={"commit": "é"}), Row("b", "a.b.20000", 0.0, 1, 2.5, 3, "s")]
    harness.write(tmp_path / "deep" / "rows.json", rows)
    assert harness.read(tmp_path / "deep" / "rows.json") == rows
    plain = json.loads((tmp_path / "deep" / "rows.json").read_text("utf-8"))
    assert plain[0]["value"] is None
    assert set(plain[0]) == {"benchmark", "metric", "value", "low", "high", "n", "unit", "settings"}
    assert plain[1]["value"] == 0


def test_the_command_prints_a_table_and_writes_rows_with_the_environment_first(tmp_path):
    script = tmp_path / "one.py"
    script.write_text(
        "from benchmarks.harness import Row, main\n"
        "def run(small):\n    yield Row('one', 'speed.fast', 2.5 if small else 1.0, n=7, unit='docs/s')\n"
        "main('one', run)\n"
    )
    done = subprocess.run(
        [sys.executable, script, "--small", "--json", tmp_path / "one.json"],
        env={**os.environ, "PYTHONPATH": str(harness.ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.search(r"speed\.fast.*2\.5.*7.*docs/s", done.stdout)
    facts, row = harness.read(tmp_path / "one.json")
    assert facts.metric == "environment"
    assert facts.settings["small"] is True
    assert facts.settings["cores"] == len(os.sched_getaffinity(0))
    assert facts.settings["versions"]["numpy"] == np.__version__
    assert row == Row("one", "speed.fast", 2.5, n=7, unit="docs/s")


def test_a_missing_data_file_is_named_and_exits_with_3(tmp_path):
    with pytest.raises(BenchmarkError, match=r"no-such-file\.parquet is missing"):
        harness.data("no-such-file.parquet")
    code = (
        "from benchmarks.harness import data, main\n"
        "def run(small):\n    data('no-such-file.parquet')\n    yield\n"
        "main('one', run)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=harness.ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "no-such-file.parquet" in done.stderr
    assert "Traceback" not in done.stderr


def test_time_of_children_and_grandchildren_counts_even_of_orphans():
    grandchild = f"[sys.executable, '-c', {BURN.format(0.4)!r}]"
    command = "import subprocess, sys\n" + BURN.format(0.3)
    alone = harness.measure([sys.executable, "-c", command])
    waited = harness.measure([sys.executable, "-c", command + f"subprocess.run({grandchild})"])
    orphan = harness.measure([sys.executable, "-c", command + f"subprocess.Popen({grandchild})"])
    # Each burns its CPU time; what starting a process adds depends on the machine and its load.
    assert alone.cpu_seconds >= 0.3
    assert waited.cpu_seconds >= 0.7
    assert orphan.cpu_seconds >= 0.7


def test_peak_memory_is_that_of_the_whole_tree():
    hold = "import time, sys; held = bytearray(80_000_000); held[::4096] = b'x' * len(held[::4096]); time.sleep(0.6)"
    two = (
        "import subprocess, sys\n"
        f"[p.wait() for p in [subprocess.Popen([sys.executable, '-c', {hold!r}]) for _ in range(2)]]"
    )
    assert 80 <= harness.measure([sys.executable, "-c", hold]).peak_mb < 130
    assert 160 <= harness.measure([sys.executable, "-c", two]).peak_mb < 240


def test_exit_code_output_and_environment_of_a_measured_command(tmp_path):
    code = "import os, sys; print(os.environ['COLOUR'], os.getcwd()); sys.exit(7)"
    cost = harness.measure([sys.executable, "-c", code], cwd=tmp_path, env={"COLOUR": "blue"})
    assert cost.exit == 7
    assert cost.output.split() == ["blue", str(tmp_path)]


def test_a_peer_is_installed_once_and_a_missing_one_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(harness, "BENCH", tmp_path)
    package = tmp_path / "tiny"
    package.mkdir()
    with pytest.raises(BenchmarkError, match="cannot be installed"):
        harness.peer("broken", ["--no-index", "no-such-package-of-glotmix"])
    wheel = package / "tiny-1.5-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("tiny.py", "")
        file.writestr("tiny-1.5.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.5\n")
        file.writestr("tiny-1.5.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr("tiny-1.5.dist-info/RECORD", "")
    python = harness.peer("tiny", ["--no-index", str(wheel)])
    made = (python.parent.parent / "ready").stat().st_mtime_ns
    assert harness.installed(python) == {"tiny": "1.5"}
    assert harness.peer("tiny", ["--no-index", str(wheel)]) == python
    assert (python.parent.parent / "ready").stat().st_mtime_ns == made


def test_the_interval_covers_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(5)
    covered = 0
    for seed in range(200):
        low, high = harness.interval(rng.normal(3.0, 1.0, 60), seed=seed, draws=500)
        covered += low <= 3.0 <= high
    assert 175 <= covered <= 199
    assert harness.interval([1.0]) == (None, None)
    assert harness.interval([1.0, 2.0, 4.0], seed=3) == harness.interval([1.0, 2.0, 4.0], seed=3)


@pytest.mark.parametrize("exponent", [0.5, 1.0, 2.0])
def test_growth_finds_the_exponent(exponent):
    sizes = np.array([20_000, 60_000, 200_000])
    assert harness.growth(sizes, 3.5 * sizes**exponent) == pytest.approx(exponent)


def test_every_benchmark_is_a_command_and_the_page_shows_the_committed_results():
    for name in all_of_them.names():
        source = (harness.ROOT / "benchmarks" / f"{name}.py").read_text("utf-8")
        assert re.search(rf'(harness\.main\(("{name}"|NAME), run\)|_parts\.main\(("{name}"|NAME), PARTS\))', source), (
            name
        )
    page = all_of_them.README.read_text("utf-8")
    assert all_of_them.BEGIN in page
    for path in harness.RESULTS.glob("*.json"):
        assert harness.read(path)[0].metric == "environment"
        if f"### {path.stem}\n" in page:
            assert all_of_them.section(path) in page, "run: python -m benchmarks --readme"


def test_parts_run_alone_and_go_on_only_at_the_same_commit(tmp_path, monkeypatch, capsys):
    ran, broken = [], ["no data"]

    def part(name):
        def measure(small):
            ran.append(name)
            if name == "two" and broken:
                raise BenchmarkError(broken.pop())
            yield Row("some", f"{name}.value", 1.0 if small else 2.0)

        return measure

    facts = {"commit": "a", "uncommitted": False, "small": False}

    def run(*arguments):
        ran.clear()
        monkeypatch.setattr(sys, "argv", ["some", "--json", str(tmp_path / "rows.json"), *arguments])
        _parts.main("some", {name: part(name) for name in ("one", "two")})
        first, *rows = harness.read(tmp_path / "rows.json")
        return list(ran), first.settings, [row.metric for row in rows]

    monkeypatch.setattr(harness, "BENCH", tmp_path)
    monkeypatch.setattr(harness, "environment", lambda name, small: Row(name, "environment", None, settings={**facts}))
    with pytest.raises(SystemExit) as stopped:
        run()
    assert stopped.value.code == 3
    assert "no data" in capsys.readouterr().err
    # What was finished is taken up again; what was not is measured.
    done, told, metrics = run("--resume")
    assert (done, metrics) == (["two"], ["one.value", "two.value"])
    assert set(told["cpu_seconds"]) == {"one", "two"} and "parts_not_run" not in told
    assert run("--only", "two")[0] == ["two"]
    assert run()[0] == ["one", "two"]
    facts["commit"] = "b"
    done, told, metrics = run("--only", "one")
    assert (done, metrics, told["parts_not_run"]) == (["one"], ["one.value"], ["two"])
    facts["uncommitted"] = True
    assert run("--only", "one", "--resume")[0] == ["one"]
