"""The quality scoring model: its loss and gradient, what it learns and what its audit finds out."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import instruct_world as world
from glotmix.core.errors import DataError, RequestError
from glotmix.instruct import audit, pairs, qsm, structure
from glotmix.instruct.pairs import Pairs
from glotmix.instruct.qsm import QsmConfig, Scorer, Sides
from glotmix.signals.heuristics import measure

TOPICS = ("the port of a city", "how bread is made", "rivers in spring", "old clocks", "a game of chess", "the moon")


def known(n: int = 240, longer: float = 0.8, langs: tuple[str, ...] = ("eng_Latn",)) -> Pairs:
    """Pairs whose revised answer keeps to the instruction and ends with a full stop; `longer` of them are longer."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(n):
        topic = f"{TOPICS[i % 6]} {i}"
        good = f"Here is what I know about {topic}.\n\nIt is worth a closer look, and it has a long story."
        bad = f"something else entirely, {TOPICS[(i + 1) % 6]}, not that"
        if rng.random() > longer:
            bad += ", and more of it, and more of it again, and then some more of the very same thing, without an end"
        rows.append({"instruction": f"Tell me about {topic}", "response": bad, "revised_response": good})
        rows[-1] |= {"lang": langs[i % len(langs)], "translated": ("none", "raw")[i % 2]}
    return pairs.of_rows(rows)


def seen_of(given: Pairs) -> Sides:
    asked, answers, _ = given.sides()
    embedder = world.Hashed()
    return qsm.sides(given, (embedder.embed(asked), embedder.embed(answers)), measure)


@pytest.mark.parametrize("form", ["triplet", "regression"])
@pytest.mark.parametrize("looks", ["meaning", "both"])
def test_each_form_learns_and_comes_back_from_its_folder(tmp_path: Path, form: Any, looks: Any) -> None:
    given = known()
    seen = seen_of(given)
    rows, stop, test = pairs.split(given.groups, 0)
    config = QsmConfig(form=form, looks=looks, seeds=2, ridge=1.0)
    model = qsm.train(seen, rows, stop, config, "hashed-64", 0)
    held = seen.take(audit.both(test))
    scores = model.score(held)
    assert qsm.wins(audit.scores_of(scores)).mean() > 0.85
    assert model.by_seed(held).shape == (2, 2 * len(test))
    assert not np.array_equal(model.by_seed(held)[0], model.by_seed(held)[1])
    model.write(tmp_path)
    again = Scorer.read(tmp_path)
    assert np.array_equal(again.score(held), scores)
    assert again.config == config
    about = json.loads((tmp_path / "qsm.json").read_text("utf-8"))
    (tmp_path / "qsm.json").write_text(json.dumps(about | {"columns": []}), "utf-8")
    with pytest.raises(DataError, match="other columns"):
        Scorer.read(tmp_path)


def test_the_score_is_the_distance_of_projections() -> None:
    given = known(40)
    seen = seen_of(given)
    config = QsmConfig(looks="meaning", width=5, seeds=1)
    model = qsm.train(seen, np.arange(30), np.arange(30, 40), config, "", 0)
    projection = model.weights[0]
    wanted = -np.linalg.norm(seen.instructions @ projection - seen.responses @ projection, axis=1)
    assert model.score(seen) == pytest.approx(wanted, abs=1e-5)


def test_the_triplet_loss_falls_and_its_slope_is_the_numerical_one() -> None:
    rng = np.random.default_rng(0)
    found = rng.normal(size=(32, 2, 6)).astype(np.float32)

    def loss(weights: np.ndarray[Any, Any]) -> float:
        near, far = (np.linalg.norm(found[:, side].astype(float) @ weights, axis=1) for side in (1, 0))
        return float(np.maximum(near - far + 0.3, 0).mean())

    config = QsmConfig(width=4, epochs=1, decay=0.0, rate=1e-6, looks="meaning")
    start = (np.random.default_rng(7).normal(size=(6, 4)) / np.sqrt(6)).astype(np.float32)
    moved = qsm._triplet(found, np.arange(32), np.zeros(0, np.int64), config, 7)
    # Adam's first step goes by the rate along the sign of each slope.
    slope = np.zeros_like(start)
    for at in np.ndindex(*start.shape):
        step = np.zeros(start.shape)
        step[at] = 1e-5
        slope[at] = (loss(start + step) - loss(start - step)) / 2e-5
    clear = np.abs(slope) > 1e-3
    assert clear.sum() > 12
    assert np.array_equal(np.sign(start - moved)[clear], np.sign(slope)[clear])
    trained = qsm._triplet(
        found, np.arange(32), np.zeros(0, np.int64), config.model_copy(update={"rate": 1e-2, "epochs": 60}), 7
    )
    assert loss(trained) < 0.5 * loss(start)


def test_the_regression_is_ridge_regression() -> None:
    from sklearn.linear_model import Ridge

    rng = np.random.default_rng(0)
    found = rng.normal(size=(50, 2, 5)).astype(np.float32)
    found[..., -1] = 1.0
    config = QsmConfig(form="regression", ridge=3.0)
    mine = qsm._regression(found, np.arange(50), np.zeros(0, np.int64), config, 1)
    drawn = np.random.default_rng(1).choice(np.arange(50), 50)
    x, y = found[drawn].reshape(-1, 5)[:, :4], np.tile([0, 1], 50)
    theirs = Ridge(alpha=3.0).fit(x.astype(float), y)
    assert mine[:4] == pytest.approx(theirs.coef_, abs=1e-4)
    assert mine[4] == pytest.approx(theirs.intercept_, abs=1e-4)


def test_splits_keep_pairs_of_one_instruction_together() -> None:
    groups = np.repeat(np.arange(50), 3)
    parts = pairs.split(groups, 3)
    assert sorted(np.concatenate(parts).tolist()) == list(range(150))
    held = [set(groups[p].tolist()) for p in parts]
    assert not held[0] & held[1] and not held[0] & held[2] and not held[1] & held[2]
    assert [len(h) for h in held] == [40, 5, 5]


def test_the_audit_tells_length_from_quality() -> None:
    given = known(240, longer=0.8, langs=("eng_Latn", "deu_Latn"))
    seen = seen_of(given)
    found = audit.audit(given, seen, QsmConfig(seeds=1), [0, 1])
    assert found["overall"]["accuracy"]["value"] > 0.9
    assert set(found["languages"]) == set(found["zero_shot"]) == {"eng_Latn", "deu_Latn"}
    assert found["zero_shot"]["deu_Latn"]["pairs"] == 2 * 120
    by_length = audit.held_out(given, seen, QsmConfig(seeds=1), [0])
    told = audit.summary(audit.rescored(by_length, by_length.lengths.astype(float)))
    assert told["correlation_with_length"] == 1.0
    assert told["accuracy"]["value"] == told["longer_is_better"]["value"]
    shorter = told["revised_is_shorter"]
    assert shorter is not None and shorter["value"] == 0.0
    base = told["longer_is_better"]
    overall = told | {"length_matched": base, "longer_is_better_length_matched": base}
    figures: dict[str, Any] = {"overall": overall, "languages": {}}
    assert any("may score length" in w for w in audit.warnings(figures))


def test_the_audit_says_when_translation_tells_the_sides_apart() -> None:
    given = known(200)
    judged = audit.held_out(given, seen_of(given), QsmConfig(seeds=1), [0])
    by_chance = np.where(judged.translated == "raw", 1.0, np.tile([0.0, 1.0], len(judged.right))[: len(judged.right)])
    from dataclasses import replace

    told = audit.summary(replace(judged, right=by_chance))
    assert told["by_translation"]["raw"]["value"] == 1.0
    found = {"overall": told, "languages": {"eng_Latn": told}}
    assert any("may score translation" in w for w in audit.warnings(found))
    silent = audit.summary(replace(judged, translated=np.full(len(judged.right), "")))
    assert any("cannot be told apart" in w for w in audit.warnings({"overall": silent, "languages": {"x": silent}}))


def test_intervals_hold_the_mean_and_draw_instructions() -> None:
    values = np.r_[np.ones(60), np.zeros(40)]
    alone = audit.figure(values, np.arange(100))
    paired = audit.figure(np.repeat(values, 5), np.repeat(np.arange(100), 5))
    assert alone is not None and paired is not None
    assert alone.low < alone.value == 0.6 < alone.high
    assert (paired.low, paired.high, paired.n) == (alone.low, alone.high, 100)


def test_structure_is_held_against_its_own_language() -> None:
    import pyarrow as pa

    rng = np.random.default_rng(0)
    langs = np.array(["deu_Latn"] * 60 + ["tha_Thai"] * 60 + ["lao_Laoo"] * 3)
    asked = ["Was ist das?"] * 60 + ["นี่คืออะไร"] * 60 + ["ນີ້ແມ່ນຫຍັງ"] * 3
    said = ["Das ist ein Haus. " * int(k) for k in rng.integers(1, 9, 60)]
    said += ["นี่คือบ้านหลังหนึ่ง " * int(k) for k in rng.integers(1, 9, 60)] + ["ນີ້ແມ່ນເຮືອນ"] * 3
    values = structure.columns(pa.array(asked), pa.array(said), pa.array(langs.tolist()), measure)
    assert values.shape == (123, len(structure.COLUMNS))
    usual = structure.usual(values, langs)
    assert set(usual) == {"", "deu_Latn", "tha_Thai"}
    seen = structure.standard(values, langs, usual)
    assert np.isfinite(seen).all()
    for lang in ("deu_Latn", "tha_Thai"):
        assert np.abs(seen[langs == lang].mean(axis=0)).max() < 0.1
    at = structure.COLUMNS.index("shared_of_instruction")
    same = pa.array(["Was ist das für ein Haus?"])
    (copied,) = structure.columns(same, same, pa.array(["deu_Latn"]), measure)
    assert copied[at] == 1.0


def test_pairs_are_read_under_every_name(tmp_path: Path) -> None:
    coach = {"raw_instruction": "a", "raw_input": "b", "raw_response": "c"}
    coach |= {"revised_instruction": "A", "revised_input": "", "revised_response": "d"}
    preference = {"prompt": "a", "rejected": "c", "chosen": "d", "lang": "fr"}
    one = pairs.of_rows([coach], "eng_Latn")
    assert (one.instructions, one.responses) == ((("a\n\nb", "A"),), (("c", "d"),))
    two = pairs.read([world.lines(tmp_path / "p.jsonl", [preference])])
    assert (two.instructions, two.responses, two.langs.tolist()) == ((("a", "a"),), (("c", "d"),), ["fra_Latn"])
    with pytest.raises(RequestError, match="no column lang"):
        pairs.of_rows([coach])
    with pytest.raises(DataError, match="revised_response"):
        pairs.of_rows([{"instruction": "a", "response": "b"}])
    with pytest.raises(DataError, match="translated"):
        pairs.of_rows([preference | {"translated": "maybe"}])


def test_real_pairs_teach() -> None:
    from glotmix.embed import choose

    given = pairs.read([Path(__file__).parents[1] / "data" / "coachlm.parquet"], "eng_Latn")
    asked, said, _ = given.sides()
    embedder = choose.load("static")
    seen = qsm.sides(given, (embedder.embed(asked), embedder.embed(said)), measure)
    told = audit.summary(audit.held_out(given, seen, QsmConfig(), range(6)))
    # Two hundred pairs: the benchmark has them all, and those whose lengths are alike (28 here).
    assert told["accuracy"]["low"] > 0.65
