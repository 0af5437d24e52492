"""The ledger decided part by part is, byte for byte, the ledger decided in memory."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from benchmarks import _many

from glotmix.core import flight, table
from glotmix.core.errors import DataError
from glotmix.core.record import Output, Silent
from glotmix.select import ledger_parts
from glotmix.select.ledger_builder import LedgerBuilder
from glotmix.signals import annotate

RECIPES = {
    "plain": ({}, False),
    "source overlap": ({"settings": {"language": {"tha_Thai": {"source_overlap": {"min_sources": 2}}}}}, False),
    "sources": (
        {
            "settings": {
                "source": {"books": {"heuristics": {"digit_share": {"high": {"quantile": 0.9}}}}},
                "language": {
                    "eng_Latn": {"heuristics": {"chars": {"low": 5, "high": {"quantile": 0.8}}}},
                    "amh_Ethi": {"heuristics": {"chars": {"high": 0}}},
                },
            },
            "select": {"retain": "all", "min_documents": 350},
        },
        False,
    ),
    "share": ({"quality": {}, "select": {"retain": "share", "prefer": ["quality", "length", "source"]}}, True),
    "one line": ({"quality": {}, "select": {"retain": "share", "score": "score"}}, True),
    "drawn": ({"quality": {}, "select": {"retain": "share", "sample": "gumbel"}}, True),
    "within sources": ({"quality": {}, "select": {"within": "source"}}, True),
    "tokens": ({"quality": {}, "select": {"retain": "tokens", "tokens": {"eng_Latn": 500, "heb_Hebr": 900}}}, True),
}


@pytest.fixture
def small(monkeypatch):
    """Many parts and buckets of few documents."""
    monkeypatch.setattr(annotate, "GROUP_BYTES", 12_000)
    monkeypatch.setattr(ledger_parts, "BUCKET", 700)


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*.parquet"))}


@pytest.mark.parametrize("name", RECIPES)
def test_the_same_bytes_both_ways(name, small, tmp_path):
    content, rated = RECIPES[name]
    _many.make(tmp_path / "out", 4000, rated, shard=130)
    context = _many.context(tmp_path / "out", content)
    assert len(list((tmp_path / "out" / "signals" / "heuristics").iterdir())) > 5
    lines = {way: Output(tmp_path / f"thresholds-{way}", "thresholds", Silent()) for way in ("memory", "parts")}
    counts = LedgerBuilder(context).make_thresholds(lines["memory"])
    assert ledger_parts.make_thresholds(context, lines["parts"]) == counts
    assert files(lines["parts"].path) == files(lines["memory"].path)
    (tmp_path / "thresholds-memory").rename(tmp_path / "out" / "thresholds")
    made = {way: Output(tmp_path / f"ledger-{way}", "ledger", Silent()) for way in ("memory", "parts")}
    counts = LedgerBuilder(context).make_ledger(made["memory"])
    assert 0 < counts["kept"] < counts["documents"] == 4000
    assert ledger_parts.make_ledger(context, made["parts"]) == counts
    assert made["parts"].notes == made["memory"].notes
    assert list(made["parts"].notes) == list(made["memory"].notes)
    assert files(made["parts"].path) == files(made["memory"].path)
    rules = table.read(sorted(made["parts"].path.glob("*.parquet")), ["rule"])["rule"].unique().to_pylist()
    assert {"duplicates.near", "duplicates.exact", "identify"} <= set(rules)
    wanted = {
        "share": "quality",
        "one line": "quality",
        "drawn": "quality",
        "within sources": "quality",
        "tokens": "budget",
    }
    assert wanted.get(name, "source_overlap" if name == "source overlap" else None) in rules


def test_where_everything_is_dropped_the_rules_are_named(small, tmp_path):
    _many.make(tmp_path / "out", 400, shard=50)
    context = _many.context(tmp_path / "out", {"settings": {"default": {"heuristics": {"chars": {"low": 1e9}}}}})
    ledger_parts.make_thresholds(context, Output(tmp_path / "out" / "thresholds", "thresholds", Silent()))
    with pytest.raises(DataError, match=r"no document of any language is kept.*heuristics\.chars\.low"):
        ledger_parts.make_ledger(context, Output(tmp_path / "ledger", "ledger", Silent()))


def test_few_documents_are_decided_in_memory_and_many_in_parts(small, tmp_path, monkeypatch):
    _many.make(tmp_path / "out", 400, shard=50)
    context = _many.context(tmp_path / "out")
    assert not ledger_parts.needed(context)
    monkeypatch.setattr(ledger_parts, "IN_MEMORY", 399)
    assert ledger_parts.needed(context)
    assert not ledger_parts.needed(_many.context(tmp_path / "out", {"select": {"retain": "all", "rehydrate": 3.0}}))


@pytest.mark.usefixtures("one_part_at_a_time")
def test_a_killed_ledger_is_taken_up_again(small, tmp_path, monkeypatch):
    _many.make(tmp_path / "out", 1000, shard=50)
    context = _many.context(tmp_path / "out")
    ledger_parts.make_thresholds(context, Output(tmp_path / "out" / "thresholds", "thresholds", Silent()))
    whole = Output(tmp_path / "whole", "ledger", Silent())
    ledger_parts.make_ledger(context, whole)
    write, written = table.write, []

    def dies(rows, path):
        written.append(path)
        if len(written) == 3:
            raise MemoryError("killed")
        write(rows, path)

    cut = Output(tmp_path / "cut", "ledger", Silent())
    with monkeypatch.context() as patched, pytest.raises(MemoryError):
        patched.setattr(ledger_parts.table, "write", dies)
        ledger_parts.make_ledger(context, cut)
    assert flight.engine().workers == 1
    before = {p.name: p.stat().st_mtime_ns for p in cut.path.glob("*.parquet")}
    assert len(before) == 2
    ledger_parts.make_ledger(context, cut)
    assert files(cut.path) == files(whole.path)
    assert {n: (cut.path / n).stat().st_mtime_ns for n in before} == before
    assert pq.read_table(next(cut.path.glob("*.parquet"))).num_rows
