"""The ledger decided part by part is, byte for byte, the ledger decided in memory."""

import json
from pathlib import Path
from types import SimpleNamespace

import cloudpickle
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from benchmarks import _many

from glotmix.core import flight, table
from glotmix.core.context import RunContext
from glotmix.core.errors import DataError
from glotmix.core.record import Output, Silent
from glotmix.core.rules import Rule
from glotmix.report import verdict
from glotmix.select import ledger_parts, rules, search, steps, warned
from glotmix.select.ledger_builder import LedgerBuilder
from glotmix.signals import annotate

RECIPES = {
    "plain": ({}, False),
    "source overlap": (
        {
            "settings": {
                "language": {"tha_Thai": {"source_overlap": {"min_sources": 2}}, "hau_Arab": {"quality": {"lose": 0.1}}}
            }
        },
        False,
    ),
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
    """Many parts and buckets of few documents, few around a line that are sorted at once, and stages that travel."""
    fly = flight.fly

    def travels(make, names, *args, **kwargs):
        return fly(cloudpickle.loads(cloudpickle.dumps(make)), names, *args, **kwargs)

    monkeypatch.setattr(flight, "fly", travels)
    monkeypatch.setattr(annotate, "GROUP_BYTES", 12_000)
    monkeypatch.setattr(ledger_parts, "BUCKET", 700)
    monkeypatch.setattr(search, "AT_ONCE", 40)


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
    assert ledger_parts.needed(_many.context(tmp_path / "out", {"select": {"retain": "all", "rehydrate": 3.0}}))


def test_what_asks_for_all_documents_at_once_is_decided_in_memory_and_says_so(small, tmp_path, monkeypatch):
    _many.make(tmp_path / "out", 400, shard=50)
    monkeypatch.setattr(ledger_parts, "IN_MEMORY", 399)
    talks = _many.context(tmp_path / "out", {"kind": "instructions"})
    assert not ledger_parts.needed(talks)
    monkeypatch.setattr(LedgerBuilder, "make_ledger", lambda self, output: {"warnings": self.warnings})
    (told,) = steps._ledger(talks, Output(tmp_path / "ledger", "ledger", Silent()))["warnings"]
    assert told.startswith("400 documents are decided in memory") and "signals.cross_corpus_duplicates" in told
    assert [one.name for one in warned.WARNINGS if one.says in told] == ["decided-in-memory"]
    plugin = SimpleNamespace(rules=(Rule("rarest", lambda view: [], 950),))
    monkeypatch.setattr(RunContext, "steps", property(lambda self: (plugin,)))
    assert "the rule rarest of a plugin" in ledger_parts.at_once(_many.context(tmp_path / "out"))


DOMAINS = ("a.example", "b.example", "c.example", "d.example", None)
WORLDS = {
    "per domain": {"select": {"retain": "share", "per_domain": 20}},
    "per domain, all else": {"quality": None, "select": {"retain": "all", "per_domain": 9}},
    "within domains": {"select": {"within": "domain"}},
    "drawn within domains": {"select": {"within": "domain", "sample": "gumbel", "temperature": 0.5}},
    "drawn within sources": {"select": {"within": "source", "sample": "gumbel"}},
    "one line of sources": {"select": {"within": "source", "score": "score"}},
    "one line of domains": {"select": {"within": "domain", "score": "score", "per_domain": 30}},
    "nothing": {"settings": {"default": {"quality": {"keep": 0}}}, "select": {"retain": "share"}},
    "everything": {"settings": {"default": {"quality": {"keep": 1}}}, "select": {"retain": "share"}},
    "tokens": {
        "settings": {"language": {"amh_Ethi": {"heuristics": {"chars": {"low": 1e9}}}}},
        "select": {"retain": "tokens", "tokens": {"eng_Latn": 1500, "heb_Hebr": 1e12, "amh_Ethi": 10, "tha_Thai": 0}},
    },
    "drawn tokens": {"select": {"retain": "tokens", "sample": "gumbel", "tokens": {"eng_Latn": 1500}}},
    "budget": {"select": {"retain": "budget"}, "mix": {"tokens": 9000, "max_epochs": 2}},
    "lose": {
        "select": {"retain": "lose", "per_domain": 25},
        "settings": {"source": {"web": {"quality": {"lose": 0.2}}}},
    },
    "lose without probabilities": {"select": {"retain": "lose"}},
    "rehydrated": {"select": {"retain": "share", "rehydrate": 3.0, "licenses": {"allow": ["MIT"], "missing": "drop"}}},
    "licences and addresses": {
        "select": {"retain": "share", "licenses": {"deny": ["MIT"], "unknown": "keep"}},
        "signals": {"urls": {"same": "drop"}},
    },
}
RULES = {
    "lose": {"quality", "domain"},
    "per domain": {"quality", "domain"},
    "per domain, all else": {"domain"},
    "everything": set(),
    "tokens": {"budget"},
    "drawn tokens": {"budget"},
    "budget": {"budget"},
    "rehydrated": {"quality", "license"},
    "licences and addresses": {"urls.same", "license"},
}


def world(folder: Path, seed: int) -> None:
    """Make many signals, with a score of few values that some documents lack, domains, addresses and licences."""
    _many.make(folder, 4000, True, shard=130, seed=seed)
    rng = np.random.default_rng(seed)
    for path in sorted((folder / "corpus").rglob("*.parquet")):
        rows = table.read([path])
        names = ["MIT", "Apache-2.0", "our own", "free for all", None]
        rights = pa.array(rng.choice(names, rows.num_rows).tolist(), pa.string())
        table.write(rows.append_column("rights", rights), path)
    for path in sorted((folder / "signals" / "quality").glob("*.parquet")):
        rows = table.read([path])
        n = rows.num_rows
        score = np.round(rng.random(n), int(rng.integers(1, 3))).astype(np.float32)
        score = pa.array(score, mask=rng.random(n) < 0.02)
        columns = {"id": rows["id"], "score": score, "quantile": score, "calibrated": rows["calibrated"]}
        table.write(pa.table(columns), path)
        pages = [f"https://a.example/{p}" if p < 900 else None for p in rng.integers(0, 1000, n).tolist()]
        columns = {
            "domain": pa.array(rng.choice(DOMAINS, n, p=[0.5, 0.2, 0.1, 0.01, 0.19]).tolist(), pa.string()),
            "suffix": pa.nulls(n, pa.string()),
            "listed": pa.nulls(n, pa.string()),
            "robots": pa.nulls(n, pa.string()),
            "canonical": pa.array(pages, pa.string()),
        }
        table.write(pa.table({"id": rows["id"], **columns}), folder / "signals" / "urls" / path.name)
        clusters = table.read([folder / "signals" / "duplicates" / path.name])
        size = pa.array(np.where(rng.random(n) < 0.5, 5, clusters["cluster_size"].to_numpy()), pa.int32())
        at = clusters.column_names.index("cluster_size")
        table.write(clusters.set_column(at, "cluster_size", size), folder / "signals" / "duplicates" / path.name)


@pytest.mark.parametrize("name", WORLDS)
def test_the_same_bytes_whatever_the_recipe(name, small, tmp_path, monkeypatch):
    world(tmp_path / "out", seed=len(name))
    content = {"quality": {}, **WORLDS[name]}
    urls = {"column": "url", **content.get("signals", {}).get("urls", {})}
    sources = [_many._source("web"), {**_many._source("books"), "license": {"column": "rights"}}]
    content |= {"signals": {"urls": urls}, "corpus": {"sources": sources}}
    context = _many.context(tmp_path / "out", content)
    chance = SimpleNamespace(line=lambda lang, share: 0.3 + share) if name == "lose" else None
    rater = SimpleNamespace(probability=chance, usual=SimpleNamespace(structure=None))
    monkeypatch.setattr(rules, "Rater", SimpleNamespace(read=lambda path: rater))
    LedgerBuilder(context).make_thresholds(Output(tmp_path / "out" / "thresholds", "thresholds", Silent()))
    made = {way: Output(tmp_path / f"ledger-{way}", "ledger", Silent()) for way in ("memory", "parts")}
    counts = LedgerBuilder(context).make_ledger(made["memory"])
    assert ledger_parts.make_ledger(context, made["parts"]) == counts
    assert json.dumps(made["parts"].notes) == json.dumps(made["memory"].notes)
    assert files(made["parts"].path) == files(made["memory"].path)
    found = table.read(sorted(made["parts"].path.glob("*.parquet")))
    assert RULES.get(name, {"quality"}) <= set(found["rule"].unique().to_pylist())
    told = " ".join(made["parts"].notes["warnings"])
    assert ("no budget of good text" in told) == (name == "lose without probabilities")
    assert ("free for all" in told) == ("licenses" in content["select"])
    assert (pc.max(found["weight"]).as_py() > 1) == (name == "rehydrated")


def test_a_verdict_is_the_same_on_one_language_at_a_time(small, tmp_path, monkeypatch):
    world(tmp_path / "out", seed=7)
    for path in sorted((tmp_path / "out" / "signals" / "heuristics").glob("*.parquet")):
        rows = table.read([path])
        at, n = rows.column_names.index("broken_share"), rows.num_rows
        table.write(rows.set_column(at, "broken_share", pa.array(np.arange(n) % 9 / 900, pa.float32())), path)
    content = {"quality": {}, "select": {"retain": "share"}, "signals": {"urls": {"column": "url"}}}
    context = _many.context(tmp_path / "out", content)
    LedgerBuilder(context).make_thresholds(Output(tmp_path / "out" / "thresholds", "thresholds", Silent()))
    (tmp_path / "out" / "ledger").mkdir()
    LedgerBuilder(context).make_ledger(Output(tmp_path / "out" / "ledger", "ledger", Silent()))
    told = []
    for at_once in (verdict.AT_ONCE, 900, 1):
        monkeypatch.setattr(verdict, "AT_ONCE", at_once)
        blocks = list(verdict._blocks(context, dict.fromkeys(_many.LANGUAGES, 400)))
        assert len(blocks) == {900: 5, 1: 10}.get(at_once, 1)
        assert sum(block.ledger.num_rows for block in blocks) == 4000
        made = Output(tmp_path / f"verdict-{at_once}", "verdict", Silent())
        made.path.mkdir()
        counts = verdict._make(context, made)
        told.append(((made.path / verdict.FILE).read_text("utf-8"), made.notes, counts))
    assert told[1] == told[0] and told[2] == told[0]
    kinds = {one["kind"] for one in json.loads(told[0][0])["findings"]}
    assert {"broken", "domain"} <= kinds


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
