"""A whole recipe on Ray (`pytest -m ray`; minutes, in an environment of its own): the bytes of the local engine."""

import pyarrow.parquet as pq
import pytest
from benchmarks import _ray

from glotmix.core import record

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    return _ray.both(tmp_path_factory.mktemp("ray"))


def test_every_file_is_the_same_bytes(outputs):
    differing, files = _ray.different(*outputs)
    assert not differing
    assert files > 60


def test_every_signal_found_something(outputs):
    _, made = outputs
    counts = {path.parent.relative_to(made).as_posix(): record.read(path.parent).counts for path in
              made.rglob("record.json")}  # fmt: skip
    assert counts["signals/duplicates"]["clusters"] > 20
    assert counts["signals/contamination"]["contaminated"] >= 5
    assert counts["signals/cross_corpus_duplicates"]["earlier"] >= 20
    assert counts["signals/boilerplate"]["repeated_lines"] == 2 and counts["clean"]["lines"] > 150
    assert counts["signals/multiway_parallel"]["placed"] > 100
    assert counts["source_overlap"]["agreeing"] > 20
    assert 0 < counts["ledger"]["kept"] < counts["ledger"]["documents"] == counts["corpus"]["documents"]
    ledger = pq.read_table(sorted((made / "ledger").glob("*.parquet"))[0], columns=["rule"])
    assert {"duplicates.near", "cross_corpus_duplicates", "contamination"} <= set(ledger["rule"].to_pylist())
