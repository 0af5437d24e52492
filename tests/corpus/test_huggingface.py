"""Data sets of the Hub: what is asked of the library, pinned to a commit, read part by part."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from glotmix.core import record
from glotmix.core.errors import DataError, MissingExtraError, RequestError
from glotmix.corpus import huggingface, read
from glotmix.corpus.sources import Source

ROWS = [{"text": f"Dokument {i}", "lang": "de" if i % 2 else "sw", "meta": {"n": i}} for i in range(50)]


class Stream:
    """As much of a streamed data set as the real one has: shards, formats, batches."""

    num_shards = 4

    def __init__(self, rows: list[dict[str, Any]], arrow: bool = False) -> None:
        self.rows = rows
        self.arrow = arrow

    def shard(self, num_shards: int, index: int) -> "Stream":
        return Stream(self.rows[index::num_shards])

    def with_format(self, kind: str) -> "Stream":
        assert kind == "arrow"
        return Stream(self.rows, arrow=True)

    def iter(self, batch_size: int) -> Any:
        assert self.arrow
        for start in range(0, len(self.rows), batch_size):
            yield pa.Table.from_pylist(self.rows[start : start + batch_size])


@pytest.fixture
def hub(monkeypatch):
    """A Hub with one data set of two commits, and what was asked of it."""
    asked: dict[str, Any] = {"loads": [], "heads": {None: "c0ffee", "v1": "decaf"}}

    class HfApi:
        def dataset_info(self, name: str, revision: str | None = None) -> Any:
            if name != "owner/corpus":
                raise FileNotFoundError(f"404 for {name}")
            return SimpleNamespace(sha=asked["heads"][revision])

    def load_dataset(name: str, config: str | None, *, split: str, revision: str, streaming: bool) -> Stream:
        asked["loads"].append((name, config, split, revision, streaming))
        return Stream(ROWS)

    datasets, api = ModuleType("datasets"), ModuleType("huggingface_hub")
    datasets.load_dataset = load_dataset  # type: ignore[attr-defined]
    api.HfApi = HfApi  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "datasets", datasets)
    monkeypatch.setitem(sys.modules, "huggingface_hub", api)
    huggingface._commit.cache_clear()
    yield asked
    huggingface._commit.cache_clear()


def source(path: str) -> Source:
    return Source.model_validate({"name": "hub", "path": path, "language": {"column": "lang"}})


def build(base: Path, given: Source) -> record.Record:
    identity = record.Identity("corpus", 1, given.identity, read.fingerprints([given], base))
    return record.build(base / "corpus", identity, lambda o: read.make(o, [given], base, None, 1_000, 0.1))


def test_a_data_set_is_read_whole_at_the_commit_of_its_fingerprint(tmp_path, hub):
    made = build(tmp_path, source("hf://owner/corpus@v1?config=all&split=validation"))
    found = [r for f in sorted(tmp_path.rglob("*.parquet")) for r in pq.read_table(f, partitioning=None).to_pylist()]
    assert sorted(r["text"] for r in found) == sorted(r["text"] for r in ROWS)
    assert {r["lang"] for r in found} == {"deu_Latn", "swh_Latn"}
    assert {r["meta"]["n"] for r in found} == set(range(50))
    assert made.identity["inputs"] == {"hub": "hf://owner/corpus@decaf?config=all&split=validation"}
    assert set(hub["loads"]) == {("owner/corpus", "all", "validation", "decaf", True)}
    assert made.notes["sources"]["hub"]["documents"] == 50  # type: ignore[index,call-overload]


def test_a_new_commit_is_another_fingerprint_and_the_same_one_is_kept_within_a_run(hub, tmp_path):
    given = source("hf://owner/corpus")
    first = read.fingerprints([given], tmp_path)
    hub["heads"][None] = "newer"
    assert read.fingerprints([given], tmp_path) == first
    huggingface._commit.cache_clear()
    assert read.fingerprints([given], tmp_path) == {"hub": "hf://owner/corpus@newer?config=&split=train"}


def test_a_column_that_is_missing_is_named(hub, tmp_path):
    given = Source.model_validate(
        {"name": "hub", "path": "hf://owner/corpus", "language": "deu_Latn", "columns": {"text": "txt"}}
    )
    with pytest.raises(DataError, match=r"source 'hub': .* has no column 'txt' for the text \(did you mean 'text'"):
        build(tmp_path, given)


def test_errors_name_the_source(hub, tmp_path):
    with pytest.raises(DataError, match=r"source 'hub': the Hugging Face data set 'owner/nothing' .* 404"):
        build(tmp_path, source("hf://owner/nothing"))
    for path, told in (("hf://a/b/c", "'a/b/c' is no name"), ("hf://owner/corpus?spilt=x", "unknown option 'spilt'")):
        with pytest.raises(RequestError, match=told):
            build(tmp_path, source(path))
    with pytest.raises(RequestError, match="stands alone"):
        read.check([Source.model_validate({"name": "a", "path": ["hf://a/b", "x"], "language": "fr"})])


def test_without_the_extra_the_install_line_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    huggingface._commit.cache_clear()
    with pytest.raises(MissingExtraError, match=r"source 'hub'.*\n.*pip install 'glotmix\[hub\]'"):
        build(tmp_path, source("hf://owner/corpus"))
