"""Files of labels, lists and groups that people give: damaged, in another encoding, written by hand."""

import json
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from glotmix.cli import app
from glotmix.core.errors import DataError, RequestError
from glotmix.core.record import Output, Silent
from glotmix.evaluate import items
from glotmix.pipeline import recipe
from glotmix.pipeline.run import Job
from glotmix.quality import anchors, judgements
from glotmix.select import to_label
from glotmix.signals import addresses, multiway_parallel, words


@pytest.fixture
def torn(tmp_path):
    """Parquet files that are none, cut, and torn in the middle."""
    rows = {"text": [f"{n} {n * 7919 % 10_007} text" for n in range(4_000)], "lang": ["eng_Latn"] * 4_000,
            "label": [n % 2 for n in range(4_000)], "group": [str(n) for n in range(4_000)],
            "id": ["a"] * 4_000}  # fmt: skip
    whole = tmp_path / "whole.parquet"
    pq.write_table(pa.table(rows), whole, compression="zstd")
    held = whole.read_bytes()
    files = {"none": b"x", "cut": held[: len(held) // 2], "torn": held[:900] + bytes(4_000) + held[4_900:]}
    for name, data in files.items():
        (tmp_path / f"{name}.parquet").write_bytes(data)
    return [tmp_path / f"{name}.parquet" for name in files]


def test_a_damaged_parquet_file_of_labels_or_groups_is_named(torn, tmp_path):
    group = partial(multiway_parallel.make, Output(tmp_path / "made", "s", Silent()), tmp_path)
    readers = [lambda p: anchors.read([p]), lambda p: list(anchors.rows(p)), lambda p: group([p]), items.load]
    for path in torn:
        for read in [*readers, lambda p: judgements.read(p, ["text", "lang"])]:
            with pytest.raises(DataError, match=path.name):
                read(path)


def test_lists_may_begin_with_a_mark_and_those_that_are_not_utf_8_are_named_with_the_line(tmp_path):
    for name in ("a.jsonl", "marked.txt", "latin.txt"):
        (tmp_path / name).write_text('{"text": "Un café noir et un pain."}\n', "utf-8")
    (tmp_path / "marked.txt").write_text("café\npain\n", "utf-8-sig")
    (tmp_path / "latin.txt").write_bytes("pain\ncafé\n".encode("latin-1"))
    text = "name: l\ncorpus: {sources: [{name: a, path: a.jsonl, language: fra_Latn}]}\nquality: null\n"
    (tmp_path / "r.yaml").write_text(text, "utf-8")

    def lists(what, name):
        given = {
            "words": f"signals.words.lists={{x: [{name}]}}",
            "urls": f"signals.urls={{column: url, deny: [{name}]}}",
        }
        job = Job(recipe.load(tmp_path / "r.yaml", [given[what]]), tmp_path)
        (tmp_path / "out" / "corpus" / "fra_Latn").mkdir(parents=True, exist_ok=True)
        return {"words": words._lists, "urls": addresses._lists}[what](job.context)

    assert lists("words", "marked.txt") == {"fra_Latn": {"x": ["café", "pain"]}}
    lists("urls", "marked.txt")
    for what in ("words", "urls"):
        with pytest.raises(DataError, match=r"latin\.txt:2 is not UTF-8"):
            lists(what, "latin.txt")


def test_labels_are_added_to_a_file_that_somebody_wrote_by_hand(tmp_path, monkeypatch):
    chosen = [{"id": f"d{n}", "text": f"mchana\u2028{n}", "lang": "swh_Latn", "source": "w"} for n in range(6)]
    monkeypatch.setattr(to_label, "choose", lambda context, lang, count: chosen[:count])
    path = tmp_path / "swh_Latn.jsonl"
    # No ids, and no end of the last line.
    path.write_text(
        '{"text": "Soko", "lang": "sw", "label": 1}\n'
        + json.dumps({"text": chosen[0]["text"], "lang": "sw", "label": 0})
    )
    left, done = to_label.left(None, "swh_Latn", path, 3)
    assert done == 2 and [one["id"] for one in left] == ["d1", "d2", "d3"]
    to_label.note(path, left[0], True)
    to_label.note(path, left[1], False)
    assert anchors.read([path])["label"].to_pylist() == [True, False, True, False]
    left, done = to_label.left(None, "swh_Latn", path, 3)
    assert done == 4 and [one["id"] for one in left] == ["d3", "d4", "d5"]
    to_label.take_back(path, "d2")
    assert anchors.read([path])["label"].to_pylist() == [True, False, True]
    path.write_text("x", "utf-8")
    with pytest.raises(DataError, match="line 1: this is not JSON"):
        to_label.left(None, "swh_Latn", path, 3)
    with pytest.raises(RequestError, match="JSON lines alone"):
        to_label.left(None, "swh_Latn", Path("labels.parquet"), 3)


def test_a_language_that_the_corpus_does_not_have_and_the_end_of_the_input(tmp_path):
    rows = "".join(
        json.dumps({"text": f"The river rose for {n} days before the bridge gave way."}) + "\n" for n in range(30)
    )
    (tmp_path / "a.jsonl").write_text(rows, "utf-8")
    text = "name: l\ncorpus: {sources: [{name: a, path: a.jsonl, language: eng_Latn}]}\nquality: {audit: brief}\n"
    (tmp_path / "r.yaml").write_text(text, "utf-8")
    run = CliRunner()
    where = str(tmp_path / "r.yaml")
    assert run.invoke(app, ["select", where, "-q"]).exit_code == 0
    told = run.invoke(app, ["label", where, "deu_Latn", "--terminal"])
    assert isinstance(told.exception, RequestError)
    assert str(told.exception) == "the corpus holds no document of deu_Latn\n  → one of eng_Latn"
    ended = run.invoke(app, ["label", where, "en", "--terminal"], input="n\n")
    assert ended.exit_code == 0 and "1 labels added" in ended.output
    assert f"glotmix quality audit {where}" in ended.output
