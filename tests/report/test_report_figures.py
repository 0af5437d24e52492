"""The report's counts, histograms and examples, each against counting by hand over the same documents."""

import doctest
import math
import unicodedata
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import report_world
from glotmix.core import table
from glotmix.report import evidence, examples, excerpt, figures, scores


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return report_world.write(tmp_path_factory.mktemp("world"), report_world.documents(), parts=3)


@pytest.fixture(scope="module")
def shuffled(tmp_path_factory):
    return report_world.write(tmp_path_factory.mktemp("shuffled"), report_world.documents(), parts=5, seed=3)


@pytest.mark.parametrize("module", [excerpt, figures, scores])
def test_docstrings(module):
    failed, tried = doctest.testmod(module)
    assert tried and not failed


def test_funnels_count_every_document_once(world):
    ways = figures.ways(world.inputs.ledger)
    for key, name in ((lambda w: w.lang, "lang"), (lambda w: w.source, "source")):
        for funnel in figures.funnels(ways, key):
            mine = [d for d in world.documents if d[name] == funnel.key]
            dropped = Counter(d["rule"].split(".")[0] for d in mine if d["rule"])
            assert (funnel.read, funnel.kept) == (len(mine), sum(d["rule"] is None for d in mine))
            assert funnel.dropped == dropped
            assert funnel.read_bytes == sum(len(d["text"].encode()) for d in mine)
            assert funnel.kept_bytes == sum(len(d["text"].encode()) for d in mine if d["rule"] is None)
            assert funnel.read == funnel.kept + sum(funnel.dropped.values())


def test_rules_alone_and_together(world):
    ways = figures.ways(world.inputs.ledger)
    found = {r.name: r for r in figures.rules(ways)}
    assert set(found) == {rule for d in world.documents for rule in d["failed"]}
    for name, rule in found.items():
        failing = [d for d in world.documents if name in d["failed"]]
        assert rule.alone == sum(d["failed"] == [name] for d in failing)
        assert rule.together == sum(len(d["failed"]) > 1 for d in failing)
        assert rule.credited == sum(d["rule"] == name for d in world.documents)
        assert rule.languages == Counter(d["lang"] for d in failing)
    pairs = figures.overlaps(ways)
    names = sorted(found)
    for a in names:
        for b in names:
            both = sum(a in d["failed"] and b in d["failed"] for d in world.documents)
            assert pairs.get((a, b), 0) == (0 if a == b else both)


def test_stages_come_in_the_order_of_the_funnel():
    assert figures.in_order(["quality", "mine", "duplicates", "identify"]) == [
        "identify",
        "duplicates",
        "quality",
        "mine",
    ]


def test_identified_languages(world):
    for row in figures.identified(world.inputs.ledger, world.inputs.signals["identify"]):
        mine = [d for d in world.documents if d["lang"] == row.lang]
        known = [d for d in mine if d["known"]]
        assert row.agree == sum(d["label"] == d["lang"] for d in known)
        assert row.differ == sum(d["label"] != d["lang"] for d in known)
        assert row.unknown == len(mine) - len(known)
        assert dict(row.seen) == Counter(d["label"] for d in mine if not d["known"] or d["label"] != d["lang"])


def test_duplicates(world):
    folder = world.inputs.signals["duplicates"]
    clusters = Counter(d["cluster"] for d in world.documents)
    assert figures.cluster_sizes(folder) == sorted(Counter(n for n in clusters.values() if n > 1).items())
    for row in figures.clustered(world.inputs.ledger, folder):
        mine = [d for d in world.documents if d["lang"] == row.lang]
        assert row.clustered == sum(d["cluster_size"] > 1 for d in mine)
        assert row.exact == sum(d["rule"] == "duplicates.exact" for d in mine)
        assert row.near == sum(d["rule"] == "duplicates.near" for d in mine)


def test_agreement_between_sources(world):
    told = evidence.agreement(world.inputs.source_overlap)
    for a in report_world.SOURCES:
        of = [d for d in world.documents if d["source"] == a]
        for b in report_world.SOURCES:
            there = {d["cluster"] for d in world.documents if d["source"] == b}
            mine = [d for d in of if d["cluster"] in there]
            if a != b:
                found = told["shared"][a, b]
                assert (found["documents"], found["bytes"]) == (len(mine), sum(map(report_world.size_of, mine)))
                assert (found["of_documents"], found["of_bytes"]) == (len(of), sum(map(report_world.size_of, of)))
    for level in told["levels"]:
        agreeing = [d for d in world.documents if d["sources"] >= level["sources"]]
        assert level["documents"] == len(agreeing)
        assert level["clusters"] == len({(d["lang"], d["cluster"]) for d in agreeing})
    assert evidence.agreement(None) is None


def test_repeated_lines_take_most_room_first(tmp_path):
    rows = [
        {"source": s, "hash": n, "documents": 10, "of_documents": 20, "bytes": size, "line": f"\x07{'z' * 900}{n}"}
        for n, (s, size) in enumerate([("web", 5), ("web", 50), ("news", 50)])
    ]
    table.write(pa.Table.from_pylist(rows), tmp_path / "lines.parquet")
    told = evidence.boilerplate(tmp_path)
    assert [(r["source"], r["bytes"]) for r in told["rows"]] == [("news", 50), ("web", 50), ("web", 5)]
    assert (told["lines"], told["bytes"]) == (3, 105)
    assert all(len(r["line"]) <= 200 and "\x07" not in r["line"] for r in told["rows"])


def test_evaluation_items_are_counted_by_set(tmp_path):
    items = [{"set": "a", "item": str(n), "letters": 50, "searched": n > 0, "documents": int(n == 2)} for n in range(4)]
    match = {"id": "d", "set": "a", "item": "2", "share": 0.75, "excerpt": "ไทย\x07"}
    table.write(pa.Table.from_pylist(items), tmp_path / "items.parquet")
    table.write(pa.Table.from_pylist([match]), tmp_path / "matches" / "part-00000.parquet")
    told = evidence.contamination(tmp_path)
    assert told["sets"] == [{"name": "a", "items": 4, "searched": 3, "held": 1}]
    assert told["total"] == 1
    assert told["matches"][0]["excerpt"].startswith("ไทย")
    assert "\x07" not in told["matches"][0]["excerpt"]


def _histograms(world):
    lines = scores.lines_of(world.inputs.thresholds)
    for signal in ("heuristics", "quality"):
        yield from scores.histograms(world.inputs.ledger, signal, world.inputs.signals[signal], lines)


def _part(document, column):
    if document["rule"] is None:
        return 0
    return 1 if any(r.startswith(f"heuristics.{column}.") for r in document["failed"]) else 2


def test_histograms_against_numpy(world):
    found = {(h.signal, h.column): h for h in _histograms(world)}
    assert ("heuristics", "unused") not in found
    for column in ("chars", "digit_share", "repeated_lines", "stop_words"):
        shown = found["heuristics", column]
        edges = np.array([shown.scale.edge(i) for i in range(shown.scale.bins + 1)])
        where = np.log10 if shown.scale.log else np.asarray
        assert shown.scale.log == (column == "chars")
        for lang in report_world.SENTENCES:
            for part in range(3):
                values = [
                    np.float32(len(d["text"]) if column == "chars" else d[column])
                    for d in world.documents
                    if d["lang"] == lang and _part(d, column) == part and d.get(column, 0) is not None
                ]
                nudged = where(np.array(values, float)) + 1e-6 * shown.scale.step
                wanted = np.histogram(
                    np.clip(nudged, where(edges[0]), np.nextafter(where(edges[-1]), 0)), where(edges)
                )[0]
                counted = [shown.cells.get((lang, b), (0, 0, 0))[part] for b in range(shown.scale.bins)]
                assert counted == wanted.tolist()


@given(
    st.lists(st.floats(-1e30, 1e30).filter(lambda x: x == 0 or abs(x) > 1e-8), min_size=1),
    st.integers(1, 4),
    st.sampled_from([0.01, 0.5, 0.99]),
)
def test_percentiles_of_parts_are_those_of_all_values_to_one_per_cent(values, count, share):
    sketch = scores._Sketch()
    for n in range(count):
        if mine := values[n::count]:
            sketch.add(np.array(mine))
    exact = sorted(values)[int(share * (len(values) - 1))]
    assert math.isclose(sketch.quantile(share), exact, rel_tol=0.0101)


def test_a_score_that_does_not_apply_is_not_measured(world):
    shown = next(h for h in _histograms(world) if h.column == "stop_words")
    assert "tha_Thai" not in shown.measured() and "fra_Latn" in shown.measured()
    assert {line.value for line in shown.lines if line.lang == "tha_Thai"} == {None}


def test_every_threshold_is_on_its_scale(world):
    for shown in _histograms(world):
        for line in shown.lines:
            if line.value is not None:
                assert shown.scale.edge(0) <= line.value <= shown.scale.edge(shown.scale.bins)


@given(st.integers(-(10**6), 10**6), st.integers(0, 10**6), st.booleans())
def test_scales_hold_both_ends_in_few_round_bins(low, width, whole):
    low, high = low / 1000, (low + width) / 1000
    scale = scores.scale_of(low, high, whole)
    assert 1 <= scale.bins <= 3 * scores.BINS
    slack = 1e-6 * (abs(low) + abs(high))
    assert scale.edge(0) <= low + slack and scale.edge(scale.bins) >= high - slack
    assert math.isfinite(scale.step) and scale.step > 0


def test_examples_are_drawn_from_what_the_rule_dropped(world):
    rows = {d["id"]: d for d in world.documents}
    drawn = examples.dropped(world.inputs.ledger)
    assert set(drawn) == {d["rule"] for d in world.documents if d["rule"]}
    for rule, chosen in drawn.items():
        assert len(chosen) == min(examples.PER_RULE, sum(d["rule"] == rule for d in world.documents))
        assert all(rows[c["id"]]["rule"] == rule for c in chosen)
        there = {d["lang"] for d in world.documents if d["rule"] == rule}
        assert len({c["lang"] for c in chosen}) == min(len(chosen), len(there))


def test_borderline_documents_are_the_nearest_of_each_language_on_both_sides(world):
    order = list(report_world.SENTENCES)
    shown = examples.borderline(world.inputs.ledger, order)
    wanted = []
    for turn in range(4):
        for lang in order:
            for rule in (None, "quality"):
                mine = [d for d in world.documents if d["lang"] == lang and d["rule"] == rule]
                wanted += [d["id"] for d in sorted(mine, key=lambda d: (np.abs(np.float32(d["margin"])), d["id"]))][
                    turn : turn + 1
                ]
    assert [r["id"] for r in shown] == wanted
    assert all(r["rule"] in (None, "quality") for r in shown)


def test_largest_clusters_show_the_kept_one_and_another(world):
    sizes = Counter(d["cluster"] for d in world.documents)
    found = examples.largest_clusters(world.inputs.ledger, world.inputs.signals["duplicates"])
    assert [about["size"] for about, _ in found] == sorted(sizes.values(), reverse=True)[: examples.CLUSTERS]
    for about, members in found:
        mine = [d for d in world.documents if d["cluster"] == about["name"]]
        assert dict(about["sources"]) == Counter(d["source"] for d in mine)
        assert len(members) == 2 and {m["id"] for m in members} <= {d["id"] for d in mine}
        shown = [m["rule"] for m in members]
        stands = [d["id"] for d in mine if d["rule"] in (None, "quality")]
        assert not stands or stands == [members[0]["id"]]
        assert ("duplicates.near" in shown) == any(d["rule"] == "duplicates.near" for d in mine)


def test_texts_are_those_of_the_corpus(world):
    wanted = {d["id"]: d["text"] for d in world.documents[::17]}
    assert examples.texts(world.inputs.corpus, wanted) == wanted
    assert examples.texts(world.inputs.corpus, []) == {}


def test_nothing_depends_on_the_order_of_rows_or_files(world, shuffled):
    for make in (
        lambda w: figures.ways(w.inputs.ledger),
        lambda w: figures.identified(w.inputs.ledger, w.inputs.signals["identify"]),
        lambda w: evidence.agreement(w.inputs.source_overlap),
        lambda w: list(_histograms(w)),
        lambda w: examples.dropped(w.inputs.ledger),
        lambda w: examples.borderline(w.inputs.ledger, list(report_world.SENTENCES)),
        lambda w: examples.largest_clusters(w.inputs.ledger, w.inputs.signals["duplicates"]),
    ):
        assert make(world) == make(shuffled)


def test_quarantine_is_counted_and_sampled(world, tmp_path):
    told = evidence.quarantine(world.inputs.quarantine)
    assert told["total"] == len(report_world.QUARANTINE)
    assert told["rows"][0] == {"source": "crawl", "reason": "malformed JSON", "rows": 2}
    assert evidence.quarantine(tmp_path / "absent")["rows"] == []
    assert evidence.quarantine(None) is None


SCRIPTS = list(report_world.SENTENCES.values())


@pytest.mark.parametrize("text", SCRIPTS)
def test_no_cut_before_a_mark(text):
    for limit in range(8, len(text)):
        head, left = excerpt.cut(text, limit)
        assert head + text[len(head) :] == text and left == len(text) - len(head) > 0
        assert limit - 8 <= len(head) <= limit
        assert unicodedata.category(text[len(head)]) not in ("Mn", "Me", "Mc")


@pytest.mark.parametrize(
    ("text", "limit", "head"),
    [
        ("🇫🇷🇩🇪🇬🇷", 3, "🇫🇷"),
        ("a👩🏽‍🚀b", 4, "a"),
        ("\u1100\u1161\u11a8\u1100\u1161\u11a8", 5, "\u1100\u1161\u11a8"),
        ("क्षत्रिय", 5, "क्ष"),
        ("กำกำ", 3, "กำ"),
        ("a\r\nb", 2, "a"),
        ("ﾊﾞﾊﾞ", 3, "ﾊﾞ"),
        ("a" + 50 * "\u0301", 10, "a" + 9 * "\u0301"),
    ],
)
def test_cuts_between_graphemes(text, limit, head):
    assert excerpt.cut(text, limit)[0] == head


@given(st.text(st.characters(codec=None, exclude_categories=()), max_size=40))
def test_visible_text_can_stand_in_html(text):
    shown = excerpt.visible(text)
    shown.encode("utf-8")
    assert all(c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs") for c in shown)
    assert len(shown) == len(text.replace("\r\n", "\n"))
