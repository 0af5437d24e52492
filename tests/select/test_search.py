"""Lines found by search among documents of many parts are those that sorting all of them draws."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glotmix.select import search
from glotmix.select.ranking import ALL, LAST, Across, Line, Ranking, drawn, key_of, places
from glotmix.select.retention_parts import moments
from glotmix.select.sample import Draw, exactly

SCORES = st.sampled_from([0.0, -0.0, 0.25, 0.25 + 2**-24, 0.5, 1.0, -3.0, 1e-45, None])
DOCUMENT = st.tuples(
    st.sampled_from(["amh_Ethi", "eng_Latn", "tha_Thai"]),
    st.sampled_from(["books", "web"]),
    st.one_of(SCORES, st.floats(0, 1, width=32)),
    st.integers(0, 4),
    st.text(st.sampled_from("aéक中z\0\U0001f600"), max_size=12),
)
REASONS = dict.fromkeys(("amh_Ethi", "eng_Latn", "tha_Thai"), "why")


def table_of(rows):
    langs, sources, scores, tokens, texts = zip(*rows, strict=True)
    score = pa.array(scores, pa.float32())
    # Each id once; many share their first bytes, some all but the last.
    ids = [f"{'shared' * (n % 3)}{text}{n}" for n, text in enumerate(texts)]
    return pa.table(
        {"id": ids, "lang": langs, "source": sources, "tokens": tokens, "quality": score, "quantile": score}
    )


def in_parts(documents, count):
    parts = [str(n) for n in range(count)]

    def read(part):
        mine = documents.take(pa.array(range(int(part), documents.num_rows, count), pa.int64()))
        return mine, np.ones(mine.num_rows, bool)

    return read, parts


def same(one, other):
    """NaN, the quantile of a document without a score, is itself here."""
    return repr(one) == repr(other)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(DOCUMENT, min_size=1, max_size=70),
    st.integers(1, 4),
    st.integers(8, 20),
    st.sampled_from([1, 3, 12]),
    st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]),
    st.floats(-1, 90),
    st.integers(0, 80),
)
def test_search_finds_the_lines_that_sorting_draws(rows, count, at_once, bits, share, tokens, total):
    documents = table_of(rows)
    read, parts = in_parts(documents, count)
    wanted = {"amh_Ethi": share, "eng_Latn": 0.5}
    by_draw = Ranking(wanted, REASONS, "quality", draw=Draw(0.5, 3))
    contests = {
        "share": Ranking(wanted, REASONS, "quality"),
        "within": Ranking(wanted, REASONS, "quality", within="source"),
        "drawn": by_draw,
        "tokens": Ranking({"tha_Thai": tokens, "eng_Latn": 20.0}, REASONS, "budget", "tokens"),
        "across": Across("quality", total, "why", "quality"),
    }
    expected = {name: drawn(contest, documents, np.ones(len(rows), bool)) for name, contest in contests.items()}
    known = replace(by_draw, draw=replace(by_draw.draw, moments=moments(read, parts, by_draw)))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(search, "AT_ONCE", at_once)
        patched.setattr(search, "BITS", bits)
        found = search.search(read, parts, contests | {"drawn": known})
    for name, (lines, behind) in expected.items():
        assert same(dict(sorted(found[name].items())), dict(sorted(lines.items()))), name
        # Each part decides its own documents by the lines.
        dropped = set()
        for part in parts:
            contest = known if name == "drawn" else contests[name]
            for mine in drawn(contest, *read(part), found[name])[1].values():
                dropped |= {int(part) + count * row for row in mine.tolist()}
        assert dropped == {row for mine in behind.values() for row in mine.tolist()}, name


def test_ties_beyond_memory_are_broken_by_id(monkeypatch):
    monkeypatch.setattr(search, "AT_ONCE", 50)
    n = 5000
    ids = [f"https://a.example/page/{i * 7919 % n:06d}" for i in range(n)]
    score = pa.array([0.5] * n, pa.float32())
    documents = pa.table({"id": ids, "lang": ["khm_Khmr"] * n, "quality": score, "quantile": score})
    passes = []
    read, parts = in_parts(documents, 3)

    def counting(part):
        passes.append(part)
        return read(part)

    contest = Ranking({"khm_Khmr": 0.25}, {"khm_Khmr": "why"}, "quality")
    line = search.search(counting, parts, {"": contest})[""]["khm_Khmr", None]
    assert line == Line(1250, 5000, int(places(np.array([0.5]))[0]), "https://a.example/page/001249", 0.5)
    assert len(passes) / 3 < 12


@given(st.lists(st.one_of(st.floats(allow_nan=False), st.sampled_from([0.0, -0.0])), min_size=1))
def test_places_are_in_the_opposite_order_of_keys(keys):
    at = places(np.array(keys))
    for one, place in zip(keys, at.tolist(), strict=True):
        assert key_of(place) == one and place < LAST
        assert [(other > one) for other in keys] == [bool(p < place) for p in at.tolist()]
    assert places(np.array([np.nan])).tolist() == [LAST] and np.isnan(key_of(LAST))


@given(st.lists(st.lists(st.floats(-(2.0**90), 2.0**90, width=32))))
def test_sums_of_pieces_are_the_sum_of_the_whole(pieces):
    kept = [number for piece in pieces for number in exactly(piece)]
    assert sum(map(Fraction, kept)) == sum(Fraction(value) for piece in pieces for value in piece)
    assert all(len(exactly(piece)) <= 12 for piece in pieces)


def test_an_empty_contest_has_a_line_before_all():
    documents = pa.table({"id": ["a"], "lang": ["eng_Latn"], "quality": [0.5], "quantile": [0.5]})
    lines, behind = drawn(Across("quality", 0), documents, np.ones(1, bool))
    assert lines[ALL] == Line(0, 1) and behind[ALL].tolist() == [0]
