import json
from pathlib import Path

import pytest

from glotmix.core import record
from glotmix.core.errors import DataError, GlotmixError
from glotmix.core.record import Counts, Identity, Output, build, canonical, changed_fields, digest, read, state_of

UNITS = {f"part-{n}": n for n in range(4)}


def writer(calls: list[int], fail_at: int | None = None):
    """A step of four parts that notes which it made, and may die in the middle of one."""

    def make(output: Output) -> Counts:
        def one(n: int, folder: Path) -> Counts:
            calls.append(n)
            (folder / "deep").mkdir()
            (folder / "deep" / f"{n}.txt").write_text(f"text {n}")
            if n == fail_at:
                raise KeyboardInterrupt
            return {"documents": n + 1}

        return output.each(UNITS, one)

    return make


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p.name != record.RECORD
    }


IDENTITY = Identity("signals/x", 1, {"bands": 14}, {"corpus": "a" * 64})

# tests/test_flight.py has several in flight.
pytestmark = pytest.mark.usefixtures("one_part_at_a_time")


def test_a_finished_output_is_reused_and_holds_only_its_files(tmp_path):
    calls: list[int] = []
    made = build(tmp_path / "x", IDENTITY, writer(calls))
    again = build(tmp_path / "x", IDENTITY, writer(calls))
    assert calls == [0, 1, 2, 3]
    assert made == again
    assert made.counts == {"documents": 10}
    assert sorted(tree(tmp_path / "x")) == [f"deep/{n}.txt" for n in range(4)]
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize("fail_at", [0, 1, 3])
def test_an_interrupted_output_is_taken_up_again_to_the_same_bytes(tmp_path, fail_at):
    build(tmp_path / "whole", IDENTITY, writer([]))
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "x", IDENTITY, writer([], fail_at))
    assert read(tmp_path / "x") is None
    assert state_of(tmp_path / "x", IDENTITY) == ("resumed", [])
    calls: list[int] = []
    made = build(tmp_path / "x", IDENTITY, writer(calls))
    assert calls == list(range(fail_at, 4))
    assert made.counts == {"documents": 10}
    assert tree(tmp_path / "x") == tree(tmp_path / "whole")


def test_another_identity_does_not_resume_what_was_left_unfinished(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "x", IDENTITY, writer([], 2))
    calls: list[int] = []
    build(tmp_path / "x", Identity("signals/x", 2, {"bands": 14}, {"corpus": "a" * 64}), writer(calls))
    assert calls == [0, 1, 2, 3]


def test_a_changed_setting_rebuilds_and_is_named(tmp_path):
    build(tmp_path / "x", IDENTITY, writer([]))
    changed = Identity("signals/x", 1, {"bands": 20}, {"corpus": "b" * 64})
    state, fields = state_of(tmp_path / "x", changed)
    assert state == "changed"
    assert fields == ["config.bands: 14 → 20", "inputs.corpus: aaaaaaaa → bbbbbbbb"]
    calls: list[int] = []
    build(tmp_path / "x", changed, writer(calls))
    assert calls == [0, 1, 2, 3]
    assert state_of(tmp_path / "x", changed) == ("reused", [])


def test_the_old_result_stands_until_the_new_one_is_finished(tmp_path):
    build(tmp_path / "x", IDENTITY, writer([]))
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "x", Identity("signals/x", 1, {"bands": 20}), writer([], 1))
    assert state_of(tmp_path / "x", IDENTITY) == ("reused", [])


def test_an_empty_result_is_an_error(tmp_path):
    with pytest.raises(DataError, match="came out empty"):
        build(tmp_path / "x", IDENTITY, lambda _: {"documents": 0})
    assert read(tmp_path / "x") is None
    assert build(tmp_path / "x", IDENTITY, lambda _: {"documents": 0}, may_be_empty=True).counts == {"documents": 0}


def test_a_damaged_record_says_what_to_delete(tmp_path):
    build(tmp_path / "x", IDENTITY, writer([]))
    (tmp_path / "x" / record.RECORD).write_text('{"half":')
    with pytest.raises(DataError, match="take out what is yours, then: rm -r "):
        read(tmp_path / "x")


def test_an_output_that_is_missing_names_the_command(tmp_path):
    with pytest.raises(GlotmixError, match="glotmix read"):
        record.require(tmp_path / "corpus", "read recipe.yaml")


def test_the_fingerprint_depends_on_content_alone():
    assert digest({"b": 1, "a": [1, 2.5, None, "ไทย"]}) == digest({"a": (1, 2.5, None, "ไทย"), "b": 1})
    assert digest({"a": 1}) != digest({"a": 1.0})
    assert digest({"a": "1"}) != digest({"a": 1})
    assert json.loads(json.dumps(canonical({"k": {"z": 1, "a": True}}))) == {"k": {"a": True, "z": 1}}


@pytest.mark.parametrize("value", [Path("x"), {1, 2}, float("nan"), float("inf"), {1: 2}, object(), b"x"])
def test_what_has_no_canonical_form_is_refused(value):
    with pytest.raises(TypeError):
        canonical({"a": value})


def test_changed_fields_name_what_came_and_went():
    assert changed_fields({"config": {"a": 1}}, {"config": {"b": [1]}}) == [
        "config.a: 1 → (absent)",
        "config.b: (absent) → [1]",
    ]


class Killed(BaseException):
    pass


def moments(monkeypatch, at: int) -> None:
    """Kill at the n-th call that changes what stands in a folder."""
    import os
    import shutil

    calls = [0]

    def counted(function):
        def call(*given, **named):
            calls[0] += 1
            if calls[0] == at:
                raise Killed
            return function(*given, **named)

        return call

    for name in ("replace", "rename", "unlink", "rmdir", "mkdir", "fsync"):
        monkeypatch.setattr(os, name, counted(getattr(os, name)))
    monkeypatch.setattr(shutil, "rmtree", counted(shutil.rmtree))


@pytest.mark.usefixtures("one_part_at_a_time")
def test_a_kill_between_any_two_steps_of_the_bookkeeping_is_taken_up_to_the_same_files(tmp_path, monkeypatch):
    build(tmp_path / "whole", IDENTITY, writer([]))
    older = Identity("signals/x", 1, {"bands": 20}, {"corpus": "a" * 64})
    at, killed = 0, True
    while killed:
        at += 1
        folder = tmp_path / f"{at}" / "x"
        build(folder, older, writer([]))
        with monkeypatch.context() as patch:
            # Also what an earlier run of another identity left unfinished is in the way.
            with pytest.raises(KeyboardInterrupt):
                build(folder, Identity("signals/x", 3), writer([], 1))
            moments(patch, at)
            try:
                build(folder, IDENTITY, writer([]))
                killed = False
            except Killed:
                pass
        build(folder, IDENTITY, writer([]))
        assert tree(folder) == tree(tmp_path / "whole"), at
        assert [p.name for p in folder.parent.iterdir()] == ["x"], at
    assert at > 40
