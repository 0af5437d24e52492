"""What a user may trust: nothing of theirs is lost, nothing wrong is reused, nothing half-done is vouched for."""

import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from benchmarks import _placements as world
from benchmarks import _power

from glotmix.core import files, lock, record, table
from glotmix.core.errors import BusyError, DataError, GlotmixError
from glotmix.pipeline import recipe, run


def job(folder: Path, *overrides: str) -> run.Job:
    return run.Job(recipe.load(folder / "recipe.yaml", overrides), folder)


def states(made: run.Job, until: str | None = None) -> dict[str, str]:
    return {row["step"]: row["state"] for row in made.plan(until)}


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a run but what says when it was made."""
    return {
        name: (folder / name).read_bytes()
        for name, _ in files.listing(folder)
        if not name.endswith("record.json") and not name.startswith(".glotmix/")
    }


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with raw files, a recipe, and everything that it makes."""
    folder = tmp_path_factory.mktemp("finished")
    world.source(folder / "raw" / "a.jsonl", 60)
    world.recipe(folder)
    job(folder).run()
    return folder


@pytest.fixture
def folder(finished, tmp_path):
    """A copy of it, of one's own; times are kept."""
    return Path(shutil.copytree(finished, tmp_path / "world", symlinks=True))


@pytest.mark.parametrize("placed", world.PLACEMENTS, ids=lambda placed: placed.name)
def test_nothing_of_the_users_is_lost(placed, finished, tmp_path):
    folder = tmp_path / "world"
    if placed.after:
        shutil.copytree(finished, folder)
    else:
        world.source(folder / "raw" / "a.jsonl", 20)
    mine = placed.put(folder)
    before = {path: path.read_bytes() for path in mine}
    world.recipe(folder, placed.path, placed.output)
    # Everything is to be made again.
    changed = ["corpus.max_chars=90000"] if placed.after else []
    told = ""
    try:
        job(folder, *changed).run()
    except GlotmixError as error:
        told = str(error)
    assert bool(told) == placed.refused, told
    if placed.refused:
        assert "\n  → " in told, "what to type"
        assert all(path.read_bytes() == held for path, held in before.items())
    there = {(folder / name).read_bytes() for name, _ in files.listing(folder) if (folder / name).is_file()}
    assert set(before.values()) <= there
    if not placed.after and placed.refused:
        assert not any(name.endswith(".parquet") for name, _ in files.listing(folder)), "some of the work was done"


def growing(monkeypatch, act):
    """Let `act` happen after the inputs were hashed and before they are read."""
    from glotmix.corpus import read

    make = read.make

    def late(*given, **named):
        act()
        return make(*given, **named)

    monkeypatch.setattr(read, "make", late)


@pytest.mark.parametrize("change", world.CHANGES)
def test_a_source_that_changes_while_it_is_read_is_named_and_not_recorded(change, tmp_path, monkeypatch):
    path = world.source(tmp_path / "raw" / "a.jsonl", 20)
    world.recipe(tmp_path)
    with monkeypatch.context() as patch:
        growing(patch, lambda: world.CHANGES[change](path))
        with pytest.raises(DataError, match="b.jsonl" if change == "another came" else "a.jsonl"):
            job(tmp_path).run("corpus")
    assert record.read(tmp_path / "out" / "corpus") is None
    if not path.exists():
        world.source(path, 20)
    held = [json.loads(line)["id"] for p in sorted((tmp_path / "raw").iterdir()) for line in p.open("rb")]
    job(tmp_path).run("corpus")
    read = [i for p in (tmp_path / "out" / "corpus").rglob("*.parquet") for i in pq.read_table(p)["id"].to_pylist()]
    assert sorted(read) == sorted(held), "what was read is what lies there now"


def test_parts_that_were_read_from_an_earlier_file_are_not_taken_up(tmp_path, monkeypatch):
    from glotmix.corpus import staged

    path = world.source(tmp_path / "raw" / "a.jsonl", 20)
    world.recipe(tmp_path)
    was = path.read_bytes()
    world.CHANGES["exchanged"](path)
    with monkeypatch.context() as patch:
        patch.setattr(staged.Staged, "settle_ids", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            job(tmp_path).run("corpus")
    assert states(job(tmp_path), "corpus") == {"corpus": "resumed"}
    path.write_bytes(was)
    assert states(job(tmp_path), "corpus") == {"corpus": "new"}
    # The same bytes again, but nobody knows what stood there in between.
    path.write_bytes(was)
    assert states(job(tmp_path), "corpus") == {"corpus": "new"}


STEPS = (
    "corpus",
    "signals/boilerplate",
    "signals/identify",
    "signals/heuristics",
    "signals/signatures",
    "signals/duplicates",
    "source_overlap",
    "thresholds",
    "ledger",
    "mixture",
    "dataset",
    "verdict",
    "report",
)


def largest(folder: Path) -> Path:
    return max((folder / n for n, _ in files.listing(folder) if n != record.RECORD), key=lambda p: p.stat().st_size)


@pytest.mark.parametrize("harm", ["truncated", "deleted", "written to"])
@pytest.mark.parametrize("step", STEPS)
def test_damage_is_noticed_without_reading_and_only_that_step_is_made_again(step, harm, finished, folder):
    path = largest(folder / "out" / step)
    if harm == "truncated":
        os.truncate(path, path.stat().st_size // 2)
    elif harm == "deleted":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[::-1])
    found = states(job(folder))
    assert found[step] == "damaged"
    assert {name for name, state in found.items() if state != "reused"} == {step}
    if harm == "deleted":
        job(folder).run()
        assert contents(folder) == contents(finished)


def test_what_was_damaged_is_kept_and_said(folder):
    card = folder / "out" / "dataset" / "README.md"
    card.write_text("A card by hand.", "utf-8")
    warnings = job(folder).run()["warnings"]
    assert card.read_text("utf-8") != "A card by hand."
    kept = folder / "out" / ".dataset.changed-1" / "README.md"
    assert kept.read_text("utf-8") == "A card by hand."
    assert any(str(kept) in told for told in warnings)


def test_a_flipped_bit_is_found_by_check_and_mended_by_the_next_run(finished, folder):
    for step in STEPS:
        world.flip(largest(folder / "out" / step))
    assert set(states(job(folder)).values()) == {"reused"}, "no disk is read for this"
    for step in STEPS:
        assert list(record.verify(folder / "out" / step).values()) == ["holds other bytes than were written"]
    assert states(job(folder)) == dict.fromkeys(STEPS, "damaged")
    job(folder).run()
    assert {n: b for n, b in contents(folder).items() if ".changed-" not in n} == contents(finished)
    assert not any(record.verify(folder / "out" / step) for step in STEPS)


def test_nothing_is_made_from_what_has_a_flipped_bit(finished, folder):
    world.flip(largest(folder / "out" / "signals" / "heuristics"))
    shutil.rmtree(folder / "out" / "thresholds")
    job(folder).run()
    assert {n: b for n, b in contents(folder).items() if ".changed-" not in n} == contents(finished)


def test_a_flipped_bit_of_a_parquet_page_is_an_error_where_it_is_read(tmp_path):
    rows = pa.table({"n": [n * n * 2654435761 % 2**40 for n in range(3000)]})
    path = tmp_path / "rows.parquet"
    table.write(rows, path)
    held = path.read_bytes()
    chunk = pq.read_metadata(path).row_group(0).column(0)
    # A page begins with statistics, which are no rows.
    start, size = chunk.dictionary_page_offset or chunk.data_page_offset, chunk.total_compressed_size
    noticed = 0
    for at in range(start + 100, start + size - 100, size // 50):
        world.flip(path, at)
        with pytest.raises(OSError, match="CRC"):
            table.read([path])
        path.write_bytes(held)
        noticed += 1
    assert noticed > 30
    assert table.read([path]).equals(rows)


def test_one_run_at_a_time_and_the_second_says_who(folder, capsys, monkeypatch):
    with lock.held(folder / "out"):
        with pytest.raises(BusyError, match=f"process {os.getpid()} on .*since 2"):
            job(folder).run()
        assert states(job(folder)), "looking is free"
        waiting = threading.Thread(target=lambda: job(folder).run(wait=True))
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive()
    waiting.join(60)
    assert not waiting.is_alive()
    job(folder).run()


def test_a_lock_of_a_process_that_is_gone_is_taken_over(folder):
    program = (
        "import os, pathlib, sys; from glotmix.core import lock; "
        "kept = lock.held(pathlib.Path(sys.argv[1])); kept.__enter__(); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", program, str(folder / "out")], check=False).returncode == 9
    assert (folder / "out" / ".glotmix" / "holder.json").is_file()
    job(folder).run()


def test_a_power_cut_leaves_no_marker_without_what_it_vouches_for(tmp_path, one_part_at_a_time):
    world.source(tmp_path / "raw" / "a.jsonl", 60)
    world.recipe(tmp_path)
    with _power.traced() as trace:
        job(tmp_path).run()
    assert trace.lost == []
    assert trace.markers > 30 and trace.vouched > 200


def test_the_trace_of_a_power_cut_sees_what_is_not_synced(tmp_path, monkeypatch, one_part_at_a_time):
    world.source(tmp_path / "raw" / "a.jsonl", 20)
    world.recipe(tmp_path)
    for name in ("sync_file", "sync_folder"):
        with monkeypatch.context() as patch, _power.traced() as trace:
            patch.setattr(files, name, lambda path: None)
            job(tmp_path, f"corpus.max_chars={len(name)}0000").run("corpus")
        assert trace.lost, name
