"""`glotmix check`, `glotmix clean`, how a run is stopped, and what is shown of others' text."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from benchmarks import _placements as world

from glotmix import cli
from glotmix.core import files, identity, plain, record
from glotmix.core.errors import BusyError, DataError, MissingExtraError, RequestError


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    world.source(folder / "raw" / "a.jsonl", 40)
    world.recipe(folder)
    code, _, error = command("run", folder / "recipe.yaml", "-q")
    assert code == 0, error
    return folder


@pytest.fixture
def folder(finished, tmp_path):
    return Path(shutil.copytree(finished, tmp_path / "world"))


def command(*words: object) -> tuple[int, str, str]:
    """Run the command line in this process; return its exit code, output and errors."""
    import contextlib
    import io

    out, err = io.StringIO(), io.StringIO()
    before, handler = sys.argv, signal.getsignal(signal.SIGTERM)
    sys.argv = ["glotmix", *map(str, words)]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            cli.main()
    except SystemExit as left:
        return int(left.code or 0), out.getvalue(), err.getvalue()
    finally:
        sys.argv = before
        signal.signal(signal.SIGTERM, handler)
    return 0, out.getvalue(), err.getvalue()


def names(folder: Path) -> set[str]:
    return {name for name, _ in files.listing(folder)}


def test_check_names_what_is_damaged_and_the_next_run_mends_it(folder):
    assert command("check", folder / "recipe.yaml", "-q")[0] == 0
    path = next((folder / "out" / "dataset").rglob("*.parquet"))
    was, held = path.stat(), path.read_bytes()
    path.write_bytes(held[:100] + bytes([held[100] ^ 1]) + held[101:])
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
    code, out, err = command("check", folder / "recipe.yaml", "-q", "--json")
    assert code == DataError.exit_code
    assert f"dataset/{path.relative_to(folder / 'out' / 'dataset')}" in err and "glotmix run" in err
    rows = {row["step"]: row for row in json.loads(out)}
    assert {step for step, row in rows.items() if row["damaged"]} == {"dataset"}
    assert command("run", folder / "recipe.yaml", "-q")[0] == 0
    assert path.read_bytes() == held
    assert command("check", folder / "recipe.yaml", "-q")[0] == 0


def test_check_looks_at_what_cannot_be_written_to(folder, monkeypatch):
    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "unlink", refused)
    monkeypatch.setattr(files, "write_text", refused)
    assert command("check", folder / "out", "-q")[0] == 0
    (folder / "out" / "dataset" / "README.md").write_bytes(b"another")
    code, _, err = command("check", folder / "out", "-q")
    assert code == DataError.exit_code and "README.md" in err


def test_a_disk_that_is_full_is_named_by_the_folder_and_the_next_run_goes_on(folder, monkeypatch):
    shutil.rmtree(folder / "out" / "dataset")

    def full(*_: object, **__: object) -> None:
        # As the system says it of a write: without a name.
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as there:
        there.setattr(files, "write_text", full)
        code, _, err = command("run", folder / "recipe.yaml", "-q")
    assert code == DataError.exit_code
    assert f"{folder / 'out'}: No space left on device" in err and "free space there, and run again" in err

    def broken(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as there:
        there.setattr(files, "write_text", broken)
        _, _, err = command("run", folder / "recipe.yaml", "-q")
    assert "the system: Input/output error" in err, "whose file it was is not known"
    assert command("run", folder / "recipe.yaml", "-q")[0] == 0


def test_clean_removes_what_glotmix_made_and_nothing_else(folder):
    out = folder / "out"
    mine = ("out/notes.txt", "out/dataset/notes.txt", "out/mine/corpus/x.txt", "out/signals/mine.txt")
    for name in mine:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("mine", "utf-8")
    (out / "dataset" / "README.md").write_text("a card by hand", "utf-8")
    raw = {"recipe.yaml", "raw/a.jsonl"}
    before = names(folder)
    size = sum((folder / n).stat().st_size for n in before - raw - set(mine) - {"out/dataset/README.md"})
    size -= sum(p.stat().st_size for p in (out / ".glotmix").iterdir())
    told = json.loads(command("clean", folder / "recipe.yaml", "--dry-run", "--json")[1])
    assert names(folder) == before, "a dry run"
    assert told["bytes"] == size
    done = json.loads(command("clean", folder / "recipe.yaml", "--json")[1])
    assert done == told
    assert names(folder) == raw | set(mine) | {"out/dataset/README.md"}
    assert {Path(p).name for p in done["kept"]} == {"notes.txt", "README.md"}


def test_clean_of_one_step_makes_only_that_again(folder):
    code, out, err = command("clean", folder / "recipe.yaml", "signals/identify")
    assert code == 0 and "removed: 1 step, " in out
    plan = json.loads(command("run", folder / "recipe.yaml", "--dry-run", "--json")[1])
    assert {row["step"] for row in plan if row["state"] != "reused"} == {"signals/identify"}
    code, _, err = command("clean", folder / "recipe.yaml", "signals/identfy")
    assert code == RequestError.exit_code and "signals/" in err
    assert command("clean", folder / "recipe.yaml")[0] == 0
    assert names(folder) == {"recipe.yaml", "raw/a.jsonl"}
    assert command("clean", folder / "recipe.yaml")[0] == 0, "twice is no error"


def test_outputs_of_another_version_are_named_with_what_to_type_and_the_rest_is_removed(folder):
    old, other = folder / "out" / "corpus", folder / "out" / "signals" / "identify"
    for place, gone in ((old, "seal"), (other, "versions")):
        held = json.loads((place / record.RECORD).read_text("utf-8"))
        del held[gone]
        if gone != "seal":
            held["seal"] = identity._seal({name: one for name, one in held.items() if name != "seal"})
        (place / record.RECORD).write_text(json.dumps(held), "utf-8")
    kept = {n for n in names(folder / "out") if n.startswith(("corpus/", "signals/identify/"))}
    way = f"take out what is yours, then: rm -r {old} {other}"
    for words in (["run"], ["run", "--dry-run"], ["check", "-q"]):
        code, _, err = command(words[0], folder / "recipe.yaml", *words[1:])
        assert code == DataError.exit_code and way in err and "argument" not in err, err
        assert "corpus" in err and "signals/identify" in err, "both at once"
    done = json.loads(command("clean", folder / "recipe.yaml", "--json", "--dry-run")[1])
    assert done["unread"] == [str(old), str(other)] and "dataset" in done["steps"]
    code, out, _ = command("clean", folder / "recipe.yaml")
    assert code == 0 and way in out
    assert {n for n in names(folder / "out") if not n.startswith(".glotmix/")} == kept
    code, out, _ = command("clean", folder / "recipe.yaml", "corpus")
    assert code == 0 and f"rm -r {old}\n" in out
    shutil.rmtree(old)
    shutil.rmtree(other)
    assert command("run", folder / "recipe.yaml", "-q")[0] == 0


def test_clean_removes_unfinished_work_and_steps_that_the_recipe_has_no_more(folder):
    half = folder / "out" / ".thresholds.building"
    shutil.copytree(folder / "out" / "thresholds", half)
    (half / record.RECORD).rename(half / "identity.json")
    (folder / "out" / "corpus").rename(folder / "out" / "elsewhere")
    assert command("clean", folder / "recipe.yaml")[0] == 0
    left = names(folder / "out")
    assert left and all(name.startswith("elsewhere/") for name in left), "a folder that somebody renamed is theirs"


def test_sigterm_stops_as_ctrl_c_does_and_the_run_goes_on_to_the_same_bytes(finished, tmp_path):
    folder = tmp_path / "world"
    world.source(folder / "raw" / "a.jsonl", 40)
    world.recipe(folder)
    words = [sys.executable, "-m", "glotmix", "run", str(folder / "recipe.yaml"), "-q"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None and not list(folder.glob("out/*/record.json")):
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        told = process.communicate()[1]
    assert process.returncode == cli.TERMINATED, told
    assert "takes it up again" in told and "Traceback" not in told
    assert not (folder / "out" / "report").exists()
    assert command("run", folder / "recipe.yaml", "-q")[0] == 0

    def made(at: Path) -> dict[str, bytes]:
        skipped = (".glotmix/", "record.json", ".damaged.json")
        return {n: (at / n).read_bytes() for n in names(at) if not any(s in n for s in skipped)}

    assert made(folder / "out").keys() == made(finished / "out").keys()
    differing = {n for n, held in made(folder / "out").items() if held != made(finished / "out")[n]}
    assert not differing


def test_every_kind_of_end_has_a_code_of_its_own(monkeypatch, tmp_path):
    def ending(error: BaseException) -> tuple[int, str]:
        def fail() -> None:
            raise error

        monkeypatch.setattr(cli, "app", fail)
        code, _, told = command("run")
        return code, told

    ends = [RequestError("r"), DataError("d"), MissingExtraError("m", "x"), BusyError("b"), MemoryError(),
            KeyboardInterrupt()]  # fmt: skip
    codes = [ending(error)[0] for error in ends]
    assert codes == [2, 3, 4, 5, 6, 130]
    assert "engine.memory" in ending(MemoryError())[1]
    assert ending(DataError("a\x1b[2J\u202eb"))[1] == "glotmix: a\\x1b[2J\\u202eb\n"


def test_what_a_terminal_would_obey_is_spelled_out():
    assert plain.shown("a\tb\nc é 日 \u200dA") == "a\tb\nc é 日 \u200dA", "joiners are letters' business"
    for obeyed in "\x00\x07\x1b\r\x7f\x9b\u200e\u200f\u202a\u202e\u2066\u2069\u061c\u2028":
        assert obeyed not in plain.shown(f"x{obeyed}y")
    assert plain.line("a\nb") == "a\\nb"
    plain.shown("\ud800").encode()


HOSTILE = "a\x1b[2Jb\u202ec[bold]d[/]\x07"


def test_a_terminal_shows_what_documents_and_columns_say(capsys):
    from rich.table import Table
    from rich.text import Text

    from glotmix.cli import show, terminal

    where = terminal.console()
    table = Table()
    table.add_column(HOSTILE)
    table.add_row(HOSTILE)
    where.print(table)
    where.print(Text(HOSTILE))
    where.print(HOSTILE)
    story = {"id": HOSTILE, "lang": "fra_Latn", "source": "s", "kept": False, "rule": "r", "evidence": HOSTILE,
             "duplicate_of": None, "twins": [HOSTILE], "failed": [], "signals": {"x": {HOSTILE: HOSTILE}},
             "text": HOSTILE, "quality": None}  # fmt: skip
    show.show_story(story)
    out = capsys.readouterr().out
    assert not set(out) & set("\x1b\u202e\x07")
    assert out.count("\\u202e") >= 7 and "[bold]d[/]" in out
