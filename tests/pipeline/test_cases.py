"""The benchmark of cases: a case is right only if its check ran in a copy and found nothing."""

import pytest
from benchmarks import cases
from benchmarks.harness import BenchmarkError

CHECKS = {
    "right": "def check(folder, run):\n    return None\n",
    "with-dashes": (
        "def check(folder, run):\n"
        "    done = run(['python', '-c', \"open('new','w').write(open('given').read() * 2)\"])\n"
        "    return None if (folder / 'new').read_text() == 'abab' and done.returncode == 0 else 'not doubled'\n"
    ),
    "wrong": "def check(folder, run):\n    return run(['sh', '-c', 'echo half; exit 3']).stdout.strip()\n",
    "crashes": "def check(folder, run):\n    return (folder / 'none').read_text()\n",
}


def test_every_case_is_tried_in_a_copy_and_one_without_a_check_is_wrong(tmp_path):
    for name in (*CHECKS, "unchecked"):
        (tmp_path / "cases" / "model" / name).mkdir(parents=True)
        (tmp_path / "cases" / "model" / name / "given").write_text("ab")
    (tmp_path / "checks" / "model").mkdir(parents=True)
    for name, code in CHECKS.items():
        (tmp_path / "checks" / "model" / f"{name}.py").write_text(code)
    told = {o.name: o.wrong for o in cases.tried(tmp_path / "cases", tmp_path / "checks")}
    assert {n: told[n] for n in ("right", "with-dashes", "wrong")} == {
        "right": None, "with-dashes": None, "wrong": "half",
    }  # fmt: skip
    assert told["unchecked"] == "it has no check"
    assert told["crashes"].startswith("the check failed: FileNotFoundError")
    assert sorted(p.name for p in (tmp_path / "cases").rglob("*") if p.is_file()) == ["given"] * 5


def test_the_share_of_all_and_of_each_side(tmp_path, monkeypatch):
    for side, name, wrong in (("model", "a", None), ("model", "b", "no"), ("data", "c", None)):
        (tmp_path / "cases" / side / name).mkdir(parents=True)
        (tmp_path / "checks" / side).mkdir(parents=True, exist_ok=True)
        (tmp_path / "checks" / side / f"{name}.py").write_text(f"def check(folder, run):\n    return {wrong!r}\n")
    monkeypatch.setattr(cases, "CASES", tmp_path / "cases")
    monkeypatch.setattr(cases, "CHECKS", tmp_path / "checks")
    rows = {row.metric: row for row in cases.run(small=False)}
    assert {m: r.value for m, r in rows.items()} == {
        "cases.right": pytest.approx(2 / 3), "cases.right.model": 0.5, "cases.right.data": 1,
        "case.model.a": 1, "case.model.b": 0, "case.data.c": 1,
    }  # fmt: skip
    assert rows["cases.right"].settings["wrong"] == {"b": "no"}


def test_without_the_cases_the_benchmark_says_what_is_missing(tmp_path):
    with pytest.raises(BenchmarkError, match="cases are missing"):
        list(cases.tried(tmp_path, tmp_path))
