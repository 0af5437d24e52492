"""Pairs: what was hidden is found and nothing else, every drop has its reason, and a kill changes no byte."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from glotmix.align import documents, embedded, filters, mine, mined_pairs, pairs, precision, sentences, sets, staged
from glotmix.align.packing import Unit
from glotmix.align.staged import LINKS, Chunk, Links, together
from glotmix.core import record, table
from glotmix.embed.static import shipped
from glotmix.native.monotone import cheapest

SENTENCES = pq.read_table(Path(__file__).parents[1] / "data" / "sentences.parquet")
EACH = 6
"""Sentences of a document."""


def texts_of(lang: str) -> list[str]:
    return SENTENCES.filter(pc.equal(SENTENCES["lang"], lang))["text"].to_pylist()


def world(folder: Path, shared: bool = True) -> Path:
    """A corpus of two languages, 26 documents each: 12 are translations of each other, in no order, or none is."""
    held = {"eng_Latn": range(26), "hin_Deva": [*range(11, -1, -1), *range(26, 40)] if shared else range(14, 40)}
    if not shared:
        held["eng_Latn"] = range(14)
    for lang, numbers in held.items():
        every = texts_of(lang)
        rows = [(f"{lang}-{n:02d}", "\n".join(every[n * EACH : (n + 1) * EACH])) for n in numbers]
        for part, some in enumerate((rows[: len(rows) // 2], rows[len(rows) // 2 :])):
            made = pa.table(
                {
                    "id": [r[0] for r in some],
                    "text": [r[1] for r in some],
                    "lang": [lang] * len(some),
                    "source": ["s"] * len(some),
                }
            )
            table.write(made, folder / lang / f"s-{part:05d}.parquet")
    return folder


def mined(corpus: Path, to: Path, **how) -> record.Record:
    def make(output: record.Output) -> record.Counts:
        found = mine.make(output, corpus, None, shipped(), staged.Mining(**how))
        return pairs.write(output, sets.mined(found, {}), None, None)

    return record.build(to, record.Identity("align/pairs", 1), make, may_be_empty=True)


def everything(folder: Path) -> dict[str, bytes]:
    files = (p for p in folder.rglob("*") if p.is_file() and p.name != record.RECORD)
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}


def test_translations_that_are_hidden_among_other_documents_are_found(tmp_path):
    made = mined(world(tmp_path / "corpus"), tmp_path / "pairs")
    rows = table.read(sorted((tmp_path / "pairs").glob("part-*.parquet")))
    found = set(rows["document"].to_pylist())
    right = {f"eng_Latn-{n:02d}|hin_Deva-{n:02d}" for n in range(12)}
    assert len(found & right) >= 10
    # One more at most: documents that are cut from one article are near, too.
    assert len(found - right) <= 1
    kept = rows.filter(rows["reason"].is_null())
    links = {}
    for row in kept.to_pylist():
        links.setdefault(row["group"], {})[row["lang"]] = row["text"]
    place = {lang: {text: n for n, text in enumerate(texts_of(lang))} for lang in ("eng_Latn", "hin_Deva")}
    exact = [(place["eng_Latn"].get(v["eng_Latn"]), place["hin_Deva"].get(v["hin_Deva"])) for v in links.values()]
    exact = [pair for pair in exact if None not in pair]
    assert len(exact) >= 35
    assert np.mean([a == b for a, b in exact]) >= 0.9
    assert set(rows["reason"].drop_null().to_pylist()) <= set(filters.REASONS)
    assert made.counts["kept"] == len(links) > 40


def test_where_nothing_is_a_translation_nothing_is_found(tmp_path):
    made = mined(world(tmp_path / "corpus", shared=False), tmp_path / "pairs")
    assert made.counts["units"] == 0
    assert made.notes["mined"]["pairs"] == 0


def test_a_run_that_is_killed_ends_as_the_same_bytes(tmp_path, monkeypatch):
    corpus = world(tmp_path / "corpus")
    mined(corpus, tmp_path / "whole")
    real, calls = sentences.align, []

    def breaking(*given):
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return real(*given)

    monkeypatch.setattr(sentences, "align", breaking)
    with pytest.raises(KeyboardInterrupt):
        mined(corpus, tmp_path / "killed")
    mined(corpus, tmp_path / "killed")
    assert everything(tmp_path / "whole") == everything(tmp_path / "killed")
    assert not (tmp_path / "killed" / ".progress").exists()


def test_the_nearest_do_not_depend_on_the_size_of_a_block(monkeypatch):
    rng = np.random.default_rng(0)
    one, other = (documents.unit(rng.standard_normal((n, 16)).astype(np.float32)) for n in (70, 55))
    whole = documents.nearest(one, other, 5)
    monkeypatch.setattr(documents, "BLOCK", 13)
    cut_up = documents.nearest(one, other, 5)
    cosines = one @ other.T
    assert np.array_equal(np.argsort(-cosines, axis=1)[:, :5], whole[0][0])
    assert np.array_equal(np.argsort(-cosines.T, axis=1)[:, :5], whole[1][0])
    for a, b in zip(whole, cut_up, strict=True):
        assert np.array_equal(a[0], b[0])


def test_of_equal_cosines_the_first_places_are_the_nearest():
    one = documents.unit(np.ones((3, 4), np.float32))
    other = documents.unit(np.ones((9, 4), np.float32))
    rows, columns = documents.nearest(one, other, 3)
    assert rows[0].tolist() == [[0, 1, 2]] * 3
    assert columns[0].tolist() == [[0, 1, 2]] * 9


class Counting:
    """The shipped embedder, which counts what it is given."""

    width = shipped().width

    def __init__(self) -> None:
        self.given: list[str] = []

    def embed(self, texts):
        self.given += texts
        return shipped().embed(texts)


def test_a_document_is_embedded_once_in_a_part_and_once_more_when_it_was_forgotten(tmp_path, monkeypatch):
    texts = texts_of("tha_Thai")[:4]
    monkeypatch.setattr(embedded, "read_texts", lambda staged, lang, places: [texts[n] for n in places])
    counting = Counting()
    held = embedded.Documents(tmp_path, counting)
    first = held.of("tha_Thai", np.array([2, 0, 2]))
    again = held.of("tha_Thai", np.array([0, 1]))
    assert [first[0], first[1]] == [first[2], again[0]]
    assert counting.given.count(texts[0]) == counting.given.count(texts[2]) == 1
    monkeypatch.setattr(embedded, "HELD_BYTES", 0)
    held.of("tha_Thai", np.array([0]))
    assert counting.given.count(texts[0]) == 2


def test_the_size_of_a_part_changes_no_byte(tmp_path, monkeypatch):
    corpus = world(tmp_path / "corpus")
    mined(corpus, tmp_path / "whole")
    monkeypatch.setattr(mine, "TOGETHER", 3)
    monkeypatch.setattr(embedded, "HELD_BYTES", 0)
    mined(corpus, tmp_path / "small")
    assert everything(tmp_path / "whole") == everything(tmp_path / "small")


def brute(one, other, drawn, skip):
    """Every monotone alignment, the slow way."""
    costs = sentences._costs(one, other, drawn)
    best = {(0, 0): 0.0}
    for i in range(len(one.texts) + 1):
        for j in range(len(other.texts) + 1):
            ways = [
                best[i - a, j - b] + (skip if 0 in (a, b) else costs[a, b][i - a, j - b])
                for a, b in sentences.MOVES
                if (i - a, j - b) in best
            ]
            if ways:
                best[i, j] = min(ways)
    return best[len(one.texts), len(other.texts)]


def test_an_alignment_costs_no_more_than_any_other():
    model, rng = shipped(), np.random.default_rng(1)
    english, hindi = texts_of("eng_Latn"), texts_of("hin_Deva")
    drawn = (model.embed(english[100:160]), model.embed(hindi[100:160]))
    for trial in range(4):
        mine_, theirs = english[trial * 9 : trial * 9 + 9], hindi[trial * 9 : trial * 9 + 9]
        del theirs[int(rng.integers(len(theirs)))]
        theirs[2:4] = [" ".join(theirs[2:4])]
        one, other = sentences.of([mine_, theirs], model)
        links = sentences.align(one, other, drawn)
        used = sum(link.one[1] - link.one[0] + link.other[1] - link.other[0] for link in links)
        cost = sum((1 - x.score) * (x.one[1] - x.one[0]) * (x.other[1] - x.other[0]) for x in links)
        cost += sentences.SKIP * (len(mine_) + len(theirs) - used)
        assert cost == pytest.approx(brute(one, other, drawn, sentences.SKIP), abs=1e-4)
        assert all(a.one[1] <= b.one[0] and a.other[1] <= b.other[0] for a, b in pairwise(links))


def test_of_ways_that_cost_the_same_the_first_move_is_taken():
    nothing = np.zeros((1, 1), np.float32)
    assert list(cheapest([(1, 1), (1, 0), (0, 1)], [nothing, None, None], 0.0, 1, 1)) == [0, 2, 1, 0]
    assert list(cheapest([(1, 0), (0, 1), (1, 1)], [None, None, nothing], 0.0, 1, 1)) == [0, 1, 0, 0]
    with pytest.raises(ValueError, match="value to unpack"):
        cheapest([(1,)], [None], 0.0, 1, 1)


def test_small_chunks_share_a_part_and_are_read_one_by_one(tmp_path):
    def chunk(lang, size):
        return Chunk(("eng_Latn", lang), *(np.arange(size),) * 2, np.zeros(size, np.float32), null=False)

    parts = list(together([chunk("a", 3), chunk("b", 1), chunk("c", 5), chunk("d", 2)], 4))
    assert [[c.langs[1] for c in part] for part in parts] == [["a", "b"], ["c"], ["d"]]
    # The first chunk of the first part has two links, its second none.
    for name, numbers in (("x", [0, 0]), ("y", [0]), ("z", [])):
        made = {c: pa.nulls(len(numbers), LINKS.field(c).type) for c in LINKS.names if c != "near"}
        near = pa.array(range(len(numbers)), pa.float32())
        pq.write_table(
            pa.table(made | {"near": near, "chunk": pa.array(numbers, pa.int32())}), tmp_path / f"{name}.parquet"
        )
    read = Links(tmp_path, dict(zip("xyz", parts, strict=True))).read(["near"])
    assert [(c.langs[1], rows["near"].to_pylist()) for c, rows in read] == [
        ("a", [0, 1]), ("b", []), ("c", [0]), ("d", []),
    ]  # fmt: skip


def test_a_merged_sentence_and_a_missing_one_are_seen():
    model = shipped()
    english, russian = texts_of("eng_Latn")[:8], texts_of("rus_Cyrl")[:8]
    drawn = (model.embed(texts_of("eng_Latn")[100:200]), model.embed(texts_of("rus_Cyrl")[100:200]))
    changed = [*russian[:2], " ".join(russian[2:4]), *russian[4:6], *russian[7:]]
    links = sentences.align(*sentences.of([english, changed], model), drawn)
    assert [(x.one, x.other) for x in links] == [
        ((0, 1), (0, 1)), ((1, 2), (1, 2)), ((2, 4), (2, 3)), ((4, 5), (3, 4)), ((5, 6), (4, 5)), ((7, 8), (5, 6)),
    ]  # fmt: skip


def test_a_list_owes_its_links_to_no_order_and_a_translation_does():
    model = shipped()
    dates = [f"Notícias publicadas em {day} de Março de 2014 às 1{day % 10}:28" for day in range(11, 23)]
    others = [f"{day} жовтня 2014, 0{day % 10}:15: новини" for day in range(11, 23)]
    english, hindi = texts_of("eng_Latn")[:12], texts_of("hin_Deva")[:12]
    drawn = model.embed(texts_of("eng_Latn")[100:160])
    found = {}
    for name, both in (("list", (dates, others)), ("text", (english, hindi)), ("short", (english[:1], hindi[:1]))):
        one, other = sentences.of(both, model)
        links = sentences.align(one, other, (drawn, drawn))
        whole = sentences.score(links, len(both[0]), len(both[1]))
        found[name] = sentences.in_order(links, one, other, (drawn, drawn)) / whole
    assert found["list"] < 0.5 < 0.7 < found["text"]
    # A single sentence has no order, and loses nothing for it.
    assert found["short"] == 1


def test_documents_whose_numbers_agree_are_preferred():
    columns = {"margin": [0.2, 0.2, -0.1], "score": [0.5] * 3, "numbers": [1.0, 0.25, 1.0]}
    assert mined_pairs.statistic(pa.table(columns)).tolist() == pytest.approx([0.1, 0.025, 0.0])


@pytest.mark.parametrize(
    ("one", "other", "reason"),
    [
        ("The market opens at eight in the morning.", "Der Markt öffnet um acht Uhr morgens.", None),
        ("The market opens at eight in the morning.", "The market opens at eight in the morning!", "copied"),
        ("The market opens at eight in the morning.", "Ja.", "length ratio"),
        ("It was built in 1912 and 1933.", "Es wurde 1856 und 1877 gebaut.", "numbers"),
        ("It was built in 1912 and cost 1,250.", "Es wurde 1912 gebaut und kostete 1.250.", None),
        ("سنة ٢٠١٩ كانت صعبة جدا علينا", "2019 war ein schweres Jahr für uns", None),
        ("See https://a.example/b for all of it.", "Siehe https://c.example/d für alles.", "addresses"),
        ("12 — 34", "Der Markt öffnet um acht Uhr.", "empty"),
    ],
)
def test_each_filter_drops_for_its_reason(one, other, reason):
    langs = ("arb_Arab" if one[0] == "س" else "eng_Latn", "deu_Latn")
    (found,) = filters.judge([Unit("u", dict(zip(langs, (one, other), strict=True)))], None)
    assert (next(iter(r for r in found.values() if r != "alone"), None)) == reason
    assert bool(found) == (reason is not None)


def test_a_version_in_another_language_is_dropped_and_others_of_its_unit_stay():
    from glotmix.signals.identifiers import load

    unit = Unit("u", {lang: texts_of(lang)[3] for lang in ("eng_Latn", "hin_Deva", "zho_Hans", "tha_Thai", "kor_Hang")})
    wrong = Unit("w", {**unit.versions, "rus_Cyrl": texts_of("jpn_Jpan")[3]})
    assert filters.judge([unit, wrong], load("py3langid")) == [{}, {"rus_Cyrl": "language"}]


def test_a_version_that_reads_as_a_language_that_nobody_tells_apart_stays():
    from glotmix.signals.identifiers import load

    # Hebrew with its vowels reads as its ancestor.
    pointed = "".join(c + "\u05b8\u05b7\u05b4"[n % 3] * c.isalpha() for n, c in enumerate(texts_of("heb_Hebr")[3]))
    label = load("py3langid").rank(pa.array([pointed])).field("label")[0].as_py()
    assert load("py3langid").labels[label].startswith("hbo")
    assert filters.judge(
        [Unit("u", {"eng_Latn": texts_of("eng_Latn")[3], "heb_Hebr": pointed})], load("py3langid")
    ) == [{}]


def test_a_line_keeps_its_precision_on_scores_whose_truth_is_known():
    rng = np.random.default_rng(2)
    for seed in range(5):
        rng = np.random.default_rng(seed)
        right, wrong, null = rng.normal(0.8, 0.1, 400), rng.normal(0.3, 0.1, 600), rng.normal(0.3, 0.1, 500)
        scores = np.concatenate([right, wrong])
        at = precision.line(scores, null, 0.95)
        assert (right >= at).sum() / (scores >= at).sum() >= 0.95
        assert (right >= at).mean() > 0.8
        assert (rng.normal(0.3, 0.1, 600) >= precision.line(wrong, null, 0.95)).mean() <= 0.01


def test_what_comes_second_to_a_true_translation_is_no_measure_of_chance():
    """Of several articles on one event the second best lies high: in the null it would lift the line above the true."""
    chance = np.random.default_rng(0)
    true, wrong = chance.normal(1.0, 0.02, 60), chance.normal(0.1, 0.02, 60)
    found = np.concatenate([true, wrong])
    second, by_chance = chance.normal(0.8, 0.15, 60), chance.normal(0.1, 0.02, 60)
    langs = ("eng_Latn", "hin_Deva")

    def ends(places):
        return [((langs, 0, i), (langs, 1, i)) for i in places]

    null = np.concatenate([second, by_chance])
    at = mined_pairs.settled(found, null, ends(range(120)), ends(range(120)), 0.98)
    assert wrong.max() < at <= true.min()
    # Those of documents that nothing pairs stay: they are what chance brings.
    strict = mined_pairs.settled(found, null, ends(range(120)), ends(range(200, 320)), 0.98)
    assert strict > true.min()
