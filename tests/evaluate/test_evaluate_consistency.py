"""Consistency between languages: against brute force, scikit-learn and simulated models of known consistency."""

import doctest
from itertools import combinations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import cohen_kappa_score

from glotmix.core.errors import DataError, RequestError
from glotmix.evaluate import answers, comparison, consistency, flips, intervals, published, scores
from glotmix.evaluate.answers import Answers, align

LANGS = ["arb_Arab", "ben_Beng", "eng_Latn", "tha_Thai", "zho_Hans"]


def world(items=80, langs=LANGS, options=4, skill=0.5, seed=0, task="t"):
    """Answers that share what they get wrong: a latent answer per item, kept by each language now and then."""
    rng = np.random.default_rng(seed)
    gold = rng.integers(options, size=items)
    latent = np.where(rng.random(items) < skill, gold, rng.integers(options, size=items))
    rows = []
    for i in range(items):
        for lang in langs:
            choice = latent[i] if rng.random() < 0.6 else rng.integers(options)
            rows.append(
                {
                    "task": task,
                    "lang": lang,
                    "item": f"é{i}",
                    "options": options,
                    "gold": int(gold[i]),
                    "raw": int(choice),
                }
            )
    return rows


def made(rows, model="m"):
    columns = {key: [row[key] for row in rows] for key in rows[0]}
    return Answers(model, answers.table(columns))


def test_docstrings():
    for module in (intervals, consistency, published):
        result = doctest.testmod(module)
        assert result.failed == 0 and result.attempted > 0, module


def test_against_loops_and_scikit_learn():
    rows = world()
    found = scores.score(made(rows), pivot="en", draws=100)
    by = {(row["lang"], row["item"]): row for row in rows}
    items = sorted({row["item"] for row in rows})
    (task,) = found.tasks
    assert [(p.a, p.b) for p in task.pairs] == list(combinations(LANGS, 2))
    for pair in task.pairs:
        one, two = ([by[lang, i]["raw"] for i in items] for lang in (pair.a, pair.b))
        gold = [by[pair.a, i]["gold"] for i in items]
        agree = [x == y for x, y in zip(one, two, strict=True)]
        assert pair.mlc.value == pytest.approx(np.mean(agree))
        assert pair.kappa.value == pytest.approx(cohen_kappa_score(one, two))
        assert pair.chance == pytest.approx(sum(one.count(k) * two.count(k) for k in range(4)) / len(items) ** 2)
        accuracies = [np.mean([x == g for x, g in zip(side, gold, strict=True)]) for side in (one, two)]
        assert pair.rel.value == pytest.approx(np.mean(agree) / np.mean(accuracies))
        both = [x == y == g for x, y, g in zip(one, two, gold, strict=True)]
        assert pair.both_right.value == pytest.approx(np.mean(both))
        assert pair.same_wrong.value == pytest.approx(np.mean(agree) - np.mean(both))
        assert pair.both_right.value + pair.same_wrong.value + pair.different.value == pytest.approx(1)
    for name in ("mlc", "kappa", "rel"):
        every = [getattr(p, name).value for p in task.pairs]
        some = [getattr(p, name).value for p in task.pairs if "eng_Latn" in (p.a, p.b)]
        assert getattr(task.all, name).value == pytest.approx(np.mean(every))
        assert getattr(task.pivot, name).value == pytest.approx(np.mean(some))
    assert (task.all.pairs, task.pivot.pairs) == (10, 4)


def test_languages_against_loops():
    rows = world(seed=3)
    found = scores.score(made(rows), pivot="eng_Latn", draws=100).tasks[0]
    english = np.mean([r["raw"] == r["gold"] for r in rows if r["lang"] == "eng_Latn"])
    for each in found.languages:
        own = [r for r in rows if r["lang"] == each.lang]
        right = np.mean([r["raw"] == r["gold"] for r in own])
        given, gold = ([r[k] for r in own] for k in ("raw", "gold"))
        shuffled = sum(given.count(k) * gold.count(k) for k in range(4)) / len(own) ** 2
        assert each.accuracy.value == pytest.approx(right) == each.raw.value
        assert each.above_random.value == pytest.approx(right - 0.25)
        assert each.above_empirical.value == pytest.approx(right - shuffled)
        assert (each.gap is None) == (each.lang == "eng_Latn")
        assert each.gap is None or each.gap.value == pytest.approx(english - right)
        assert each.majority_share == max(given.count(k) for k in range(4)) / len(own)
        assert each.chars is None and each.bytes is None and each.logged is None


def test_wilson_is_scipys():
    for hits, n in ((0, 7), (3, 7), (7, 7), (411, 1000)):
        expected = stats.binomtest(hits, n).proportion_ci(method="wilson")
        assert [float(x) for x in intervals.wilson(hits, n)] == pytest.approx([expected.low, expected.high])


def test_draws_are_weighted_means_of_the_items():
    grid = align(made(world(items=50, seed=1)))[0]
    measured = consistency.measure(grid, draws=100, seed=5)
    ((block, drawn),) = intervals.weights(50, 100, 5)
    assert block == slice(0, 50)
    weights = drawn.astype(float) / drawn.sum(axis=1, keepdims=True, dtype=float)
    for p, (i, j) in enumerate(zip(measured.a, measured.b, strict=True)):
        agree = grid.choice[:, i] == grid.choice[:, j]
        assert measured.draws.agree[:, p] == pytest.approx(weights @ agree, abs=1e-5)
    chance = [sum((w @ (grid.choice[:, 0] == k)) * (w @ (grid.choice[:, 1] == k)) for k in range(4)) for w in weights]
    assert measured.draws.chance(measured.a, measured.b)[:, 0] == pytest.approx(chance, abs=1e-5)


def test_more_items_than_a_block_are_all_counted():
    rows = world(items=intervals._BLOCK + 100, langs=LANGS[:2], seed=2)
    grid = align(made(rows))[0]
    measured = consistency.measure(grid, draws=100)
    assert measured.point.agree[0] == pytest.approx(np.mean(grid.choice[:, 0] == grid.choice[:, 1]))


def test_order_of_rows_changes_nothing():
    rows = world(seed=4)
    shuffled = [rows[i] for i in np.random.default_rng(0).permutation(len(rows))]
    one, two = (scores.score(made(r), "eng_Latn", draws=100) for r in (rows, shuffled))
    assert one == two


def test_a_constant_model_is_flagged_and_its_kappa_is_nothing():
    rows = world(items=300, seed=5)
    rng = np.random.default_rng(1)
    for row in rows:
        row["raw"] = 2 if rng.random() < 0.93 else int(rng.integers(4))
    found = scores.score(made(rows))
    (task,) = found.tasks
    assert task.all.mlc.value > 0.85
    assert task.all.kappa.low < 0 < task.all.kappa.high and abs(task.all.kappa.value) < 0.05
    assert all(each.degenerate and each.majority == 2 for each in task.languages)
    assert "one answer to nearly everything" in found.warnings[0]
    for row in rows:
        row["raw"] = 2
    (task,) = scores.score(made(rows)).tasks
    assert task.all.kappa.value is None and all(p.kappa.value is None and p.mlc.value == 1 for p in task.pairs)


def test_a_good_model_is_not_flagged():
    found = scores.score(made(world(skill=1.0, seed=6)))
    assert not any(each.degenerate for each in found.tasks[0].languages) and not found.warnings


def test_perfect_agreement_keeps_an_interval():
    rows = world(items=40, seed=7)
    for row in rows:
        row["raw"] = row["gold"]
    task = scores.score(made(rows)).tasks[0]
    pair = task.pairs[0]
    assert task.all.kappa.value == 1 and task.all.kappa.low == pytest.approx(pair.kappa.low, abs=0.03)
    assert task.all.mlc == pair.mlc
    assert pair.kappa.value == 1 and 0.8 < pair.kappa.low < 0.95 and pair.mlc.low < 1


def test_items_are_aligned_by_id_and_what_cannot_be_is_named():
    rows = world(items=30, seed=8)
    rows = [r for r in rows if not (r["lang"] == "tha_Thai" and r["item"] in ("é3", "é4"))]
    next(r for r in rows if r["lang"] == "ben_Beng" and r["item"] == "é5")["gold"] += 1
    next(r for r in rows if r["lang"] == "eng_Latn" and r["item"] == "é6")["options"] = 5
    grid = align(made(rows))[0]
    assert len(grid.items) == 26 and grid.items == tuple(sorted(grid.items))
    assert [(o.reason, o.items, o.named) for o in grid.left_out] == [
        ("missing in tha_Thai", 2, ("é3", "é4")),
        ("with another number of options in different languages", 1, ("é6",)),
        ("with another right answer in different languages", 1, ("é5",)),
    ]
    told = scores.score(made(rows)).warnings
    assert any("2 items left out of every language, missing in tha_Thai: é3, é4" in text for text in told)
    # Each column of the grid is that language's answers, whatever the order of its rows.
    for column, lang in enumerate(grid.langs):
        own = {r["item"]: r["raw"] for r in rows if r["lang"] == lang}
        assert grid.choice[:, column].tolist() == [own[i] for i in grid.items]


def test_an_item_twice_is_an_error_that_names_both_rows():
    rows = world(items=5)
    with pytest.raises(DataError, match=r"'é2' comes twice in arb_Arab: row 10 and row 25"):
        align(made([*rows, rows[10]]))


def test_nothing_in_common_is_an_error():
    rows = [r for r in world(items=10) if (int(r["item"][1:]) % 2 == 0) == (r["lang"] < "c")]
    with pytest.raises(DataError, match="no item is answered in all"):
        align(made(rows))
    with pytest.raises(RequestError, match="fra_Latn"):
        align(made(world(items=5)), langs=["fra_Latn", "eng_Latn"])
    with pytest.raises(RequestError, match="the pivot deu_Latn"):
        scores.score(made(world(items=5)), pivot="de")


def test_an_unreadable_answer_agrees_with_none():
    rows = world(items=60, langs=LANGS[:2], seed=9)
    for row in rows[:40]:
        row["raw"] = None
    task = scores.score(made(rows)).tasks[0]
    readable = rows[40:]
    agree = sum(a["raw"] == b["raw"] for a, b in zip(readable[::2], readable[1::2], strict=True))
    assert task.pairs[0].mlc.value == pytest.approx(agree / 60)
    assert [each.unread for each in task.languages] == pytest.approx([1 / 3, 1 / 3])


def test_open_answers_agree_where_the_texts_do():
    texts = {"eng_Latn": ["18", "3", "7", "x"], "tha_Thai": ["18", "4", "7", None], "fra_Latn": ["17", "4", "7", "x"]}
    gold = ["18", "3", "8", "9"]
    rows = [
        {"task": "g", "lang": lang, "item": str(i), "answer": t, "gold_answer": gold[i], "correct": t == gold[i]}
        for lang, answers_ in texts.items()
        for i, t in enumerate(answers_)
    ]
    task = scores.score(made(rows)).tasks[0]
    pairs = {(p.a, p.b): p for p in task.pairs}
    assert pairs["eng_Latn", "fra_Latn"].mlc.value == 0.5 and pairs["eng_Latn", "tha_Thai"].mlc.value == 0.5
    assert pairs["eng_Latn", "tha_Thai"].both_right.value == 0.25
    assert pairs["eng_Latn", "tha_Thai"].same_wrong.value == 0.25
    assert {each.lang: each.accuracy.value for each in task.languages} == {
        "eng_Latn": 0.5, "fra_Latn": 0.0, "tha_Thai": 0.25
    }  # fmt: skip


def test_many_open_answers_have_the_chance_of_all_of_them():
    rng = np.random.default_rng(10)
    rows = [
        {"task": "g", "lang": lang, "item": str(i), "answer": str(min(199, rng.geometric(0.01))), "gold_answer": "5"}
        for lang in LANGS[:3]
        for i in range(600)
    ]
    grid = align(made(rows))[0]
    measured = consistency.measure(grid, draws=100)
    chance = measured.point.chance(measured.a, measured.b)
    for p, (i, j) in enumerate(zip(measured.a, measured.b, strict=True)):
        one, two = (np.bincount(grid.choice[:, k], minlength=200) / 600 for k in (i, j))
        assert chance[p] == pytest.approx(one @ two)


def test_flips_are_the_most_divided_items_with_who_says_what():
    rows = []
    given = {"a": [0, 0, 0, 0], "b": [0, 0, 0, 1], "c": [0, 1, 2, 3], "d": [0, 0, 1, 1], "e": [1, 2, 3, 1]}
    for item, choices in given.items():
        for lang, choice in zip(LANGS, choices, strict=False):
            rows.append({"task": "t", "lang": lang, "item": item, "options": 4, "gold": 0, "raw": choice})
    found = made(rows)
    listed = flips.flips(align(found)[0], found, 10)
    assert [flip.item for flip in listed] == ["c", "d", "b"]
    assert listed[2].right == tuple(LANGS[:3]) and listed[2].wrong == ((1, ("tha_Thai",)),)
    assert len(flips.flips(align(found)[0], found, 2)) == 2


def test_two_models_are_compared_on_the_items_of_both():
    one, two = world(items=400, seed=11), world(items=400, seed=11)
    rng = np.random.default_rng(2)
    for row in two:
        if rng.random() < 0.5:
            row["raw"] = row["gold"]
    two = [r for r in two if r["item"] != "é7"]
    found = comparison.compare(made(one, "a"), made(two, "b"), draws=300)
    task = found.tasks[0]
    assert task.items == 399 and task.left_out[0].named == ("é7",)
    for lang, each in task.accuracy.items():
        expected = [
            np.mean([r["raw"] == r["gold"] for r in rows if r["lang"] == lang and r["item"] != "é7"])
            for rows in (one, two)
        ]
        assert [each.first, each.second] == pytest.approx(expected)
        assert each.difference.value == pytest.approx(expected[1] - expected[0])
        assert each.difference.low > 0 and each.p == pytest.approx(1 / 300)
    gains = [each.difference.value for each in task.accuracy.values()]
    assert task.all["accuracy"].difference.value == pytest.approx(np.mean(gains)) and task.all["accuracy"].p < 0.01
    own = [scores.score(made([r for r in rows if r["item"] != "é7"])).tasks[0].all for rows in (one, two)]
    assert [task.all["kappa"].first, task.all["kappa"].second] == pytest.approx([each.kappa.value for each in own])
    same = comparison.compare(made(one, "a"), made(one, "b"), draws=100)
    assert same.mean["kappa"].difference == consistency.Figure(0.0, 0.0, 0.0) and same.mean["kappa"].p == 1


def test_the_pairing_narrows_the_interval():
    one = world(items=300, seed=12)
    two = [dict(r) for r in one]
    for row in two[::50]:
        row["raw"] = row["gold"]
    a, b = (scores.score(made(r), draws=300).tasks[0].all.mlc for r in (one, two))
    paired = comparison.compare(made(one), made(two), draws=300).tasks[0].all["mlc"].difference
    assert paired.high - paired.low < 0.5 * max(a.high - a.low, b.high - b.low)


def test_intervals_cover_the_truth_of_simulated_models():
    """A small version of `benchmarks.consistency`: 200 worlds of 150 items from a known joint law of two languages."""
    rng = np.random.default_rng(13)
    joint = np.array([[0.40, 0.05, 0.03], [0.05, 0.20, 0.04], [0.02, 0.06, 0.15]])
    chance = joint.sum(axis=1) @ joint.sum(axis=0)
    truth = {"mlc": np.trace(joint), "kappa": (np.trace(joint) - chance) / (1 - chance)}
    covered = {"mlc": 0, "kappa": 0}
    estimates = []
    for _ in range(200):
        cells = rng.choice(9, size=150, p=joint.ravel())
        choice = np.stack([cells // 3, cells % 3], axis=1).astype(np.int32)
        items = tuple(f"{i:03d}" for i in range(150))
        gold = np.zeros(150, np.int32)
        grid = answers.Grid(
            "t", ("a", "b"), items, choice, gold, choice == 0, True, 1 / 3, (), np.zeros((150, 2), np.int64)
        )
        (pair,) = consistency.pairs(consistency.measure(grid, draws=300))
        estimates.append(pair.kappa.value)
        for name, value in truth.items():
            figure = getattr(pair, name)
            covered[name] += figure.low <= value <= figure.high
    assert all(0.90 <= n / 200 <= 0.99 for n in covered.values()), covered
    assert np.mean(estimates) == pytest.approx(truth["kappa"], abs=0.015)


def test_what_a_published_table_says():
    gemma = published.relation(0.327, 0.862, 3)
    assert gemma.degenerate and gemma.rel == pytest.approx(2.636, abs=1e-3)
    assert gemma.majority**2 + (1 - gemma.majority) ** 2 / 2 == pytest.approx(0.862)
    for acc, mlc in ((0.700, 0.684), (0.700, 0.697), (0.936, 0.903), (0.936, 0.943)):
        assert not published.relation(acc, mlc, 4).degenerate
    with pytest.raises(RequestError, match="per cent"):
        published.relation(32.7, 86.2, 3)
