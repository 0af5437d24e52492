"""Design, train, fit, choose on tiny models: who stands where, what is read, resuming, what is judged."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from align_world import WORDS
from glotmix.combine import documents, gather, sets, stages, training, verdict
from glotmix.combine.config import CombinationsConfig
from glotmix.combine.plan import Plan
from glotmix.combine.problems import problems
from glotmix.combine.streams import Reading, Row, asked, encoded
from glotmix.combine.training import Bench
from glotmix.core import table
from glotmix.core.errors import DataError, GlotmixError, RequestError
from glotmix.proxy import bits, figures, model
from glotmix.proxy.texts import place

LANGS = ("rus_Cyrl", "tha_Thai")
SMALL = CombinationsConfig(
    cells=6, subsets=16, blocks=2, tokens=512, start_tokens=512, seeds=3, parameters=1e5, vocabulary=300, context=16,
    batch=2, held_out=0.15, test=0.15, start=0.2, held_bytes=2000,
)  # fmt: skip


def rows(langs: tuple[str, ...] = LANGS, count: int = 150) -> list[dict[str, object]]:
    """Return documents of two sources a language, each with words of its own."""
    found: list[dict[str, object]] = []
    for lang in langs:
        words = WORDS[lang]
        for number in range(count):
            rng = np.random.default_rng(number)
            source = ("web", "news")[number % 2]
            some = words[:5] if source == "web" else words[4:]
            text = " ".join(rng.choice(some, 12).tolist())
            found.append(
                {"id": f"{lang} {number}", "lang": lang, "source": source, "text": text, "quality": number / 9}
            )
    return found


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("combine")
    stages.design(folder, rows(), SMALL)
    stages.train(folder)
    stages.fit(folder)
    stages.choose(folder)
    return folder


def test_every_document_stands_on_one_side_and_in_one_cell_at_most(run: Path) -> None:
    plan = Plan(run / stages.DESIGN)
    sides = {side: {one.id for one in plan.documents(side)} for side in documents.SIDES}
    assert sum(map(len, sides.values())) == len(set.union(*sides.values()))
    assert all(sides.values())
    held = [{one.id for one in plan.documents("pool", name)} for name in plan.about]
    assert sum(map(len, held)) == len(set.union(*held))
    assert set.union(*held) <= sides["pool"]
    # A text that comes twice comes once; no text of the cells is measured.
    texts = {side: {one.text for one in plan.documents(side)} for side in documents.SIDES}
    assert not texts["pool"] & (texts["held"] | texts["test"])
    assert not texts["held"] & texts["test"]


def test_cells_are_of_one_language_and_one_source(run: Path) -> None:
    plan = Plan(run / stages.DESIGN)
    for name, about in plan.about.items():
        mine = plan.documents("pool", name)
        assert {(one.lang, one.group) for one in mine} == {(about["lang"], about["group"])}
        assert about["documents"] == len(mine)
        assert about["tokens"] == sum(len(row) + 1 for row in encoded(mine, plan.pieces))
    assert [p.name for p in plan.problems] == list(LANGS)
    cells = plan.cells(plan.problems[0])
    assert np.diag(cells.alike) == pytest.approx(1)
    assert set(cells.trait_names) == {"fit", "spread", "length", "pieces", "size", "quality"}


def test_what_the_stages_leave(run: Path) -> None:
    laws = json.loads((run / stages.LAWS / "laws.json").read_text("utf-8"))
    assert set(laws["problems"]) == set(LANGS)
    one = laws["problems"]["tha_Thai"]
    size = len(one["cells"])
    assert np.array(one["beside"]).shape == (size, size, 3)
    assert set(laws["selector"]["left_out_rank"]) == set(LANGS)
    told = json.loads((run / stages.CHOICE / "verdict.json").read_text("utf-8"))
    assert [one["problem"] for one in told] == list(LANGS)
    ways = {way["way"] for way in told[0]["ways"]}
    assert ways == {"random", "lengths", "quality", "m_daq", "facility", "dpp", "additive", "relational"}
    assert all("random" in one["sentence"] for one in told)


def test_a_loss_is_that_of_the_models_trained_one_by_one(run: Path) -> None:
    bench = Bench(run / stages.DESIGN, SMALL)
    problem = bench.plan.problems[1]
    alone = training.measured(
        bench.folder, SMALL, run / stages.LOSSES, problem, [5], run / "alone.checkpoint"
    )  # fmt: skip
    losses = training.losses(run / stages.LOSSES, bench, problem)
    held = bench.asked("held", problem)
    assert len(held) == 2
    mean = np.mean([alone[name].sum() / held[name].sizes.sum() for name in held])
    assert losses.shape == (16,)
    assert losses[5] == pytest.approx(mean, rel=1e-6)


def test_a_killed_run_ends_with_the_same_bytes(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(run / stages.DESIGN, tmp_path / stages.DESIGN)
    whole, done = Bench.begun, []

    def once(self: Bench, folder: Path, at: list[int]) -> object:
        done.append(at)
        if len(done) == 2:
            raise KeyboardInterrupt
        return whole(self, folder, at)

    monkeypatch.setattr(Bench, "begun", once)
    with pytest.raises(KeyboardInterrupt):
        stages.train(tmp_path)
    monkeypatch.setattr(Bench, "begun", whole)
    stages.train(tmp_path)
    for path in sorted((run / stages.LOSSES / "losses").iterdir()):
        assert path.read_bytes() == (tmp_path / stages.LOSSES / "losses" / path.name).read_bytes()


def test_a_selector_chooses_where_nothing_is_trained(run: Path, tmp_path: Path) -> None:
    new = stages.design(tmp_path, rows(("amh_Ethi",)), SMALL)
    told = stages.carry(tmp_path, run)
    assert told["learned_from"] == list(LANGS)
    assert set(told["left_out_rank"]) == set(LANGS)
    assert "surprise" not in told["traits"]
    (problem,) = new.problems
    blocks = table.read([tmp_path / stages.CARRIED / "choices.parquet"]).to_pylist()
    assert sum(row["blocks"] for row in blocks) == problem.blocks
    chosen = table.read([tmp_path / stages.CARRIED / "chosen.parquet"]).to_pylist()
    taken = {row["cell"] for row in blocks if row["blocks"]}
    members = {one.id for name in taken for one in new.documents("pool", name)}
    assert {row["id"] for row in chosen} <= members
    tokens = {one.id: len(row) + 1 for name in taken for one, row in zip(
        new.documents("pool", name), encoded(new.documents("pool", name), new.pieces), strict=True)}  # fmt: skip
    read = sum(row["times"] * tokens[row["id"]] for row in chosen)
    assert read == pytest.approx(SMALL.tokens, rel=0.2)


def test_a_stage_asks_for_the_one_before(tmp_path: Path) -> None:
    with pytest.raises(GlotmixError, match="design"):
        stages.train(tmp_path)


def test_what_was_asked_bears_no_loss_and_is_not_measured(run: Path) -> None:
    pieces = Plan(run / stages.DESIGN).pieces
    one = documents.read([{"lang": "rus_Cyrl", "instruction": "Назови дерево", "response": "кошка видит"}], SMALL)
    (row,) = encoded(one, pieces)
    said = len(pieces.encode(["кошка видит"])[0])
    assert row.bears.sum() == said
    assert row.bears[-said:].all()
    measured = asked(one, pieces, 1000, 1000)
    assert measured.sizes.tolist() == [len("кошка видит".encode())]
    # Bits of the answer alone, given what was asked.
    from glotmix.proxy.size import shape

    formed = shape(1e5, len(pieces), 16)
    weights = model.begin(formed, [0])
    whole = bits.by_document(weights, formed, [row.ids], pieces.end)
    before = bits.by_document(weights, formed, [row.ids], pieces.end, counted=[~row.bears])
    assert measured.bits(weights, formed, pieces.end) + before == pytest.approx(whole)


def test_a_reading_masks_targets_and_keeps_shares() -> None:
    rows = {
        "a": Row(np.arange(100, dtype=np.int32), np.arange(100) % 2 == 0),
        "b": Row(np.full(50, 7, np.int32), np.ones(50, bool)),
    }
    reading = Reading(rows, np.array([[0.75, 0.25], [0.0, 1.0]]), 8, 8, [0, 1])
    ids, targets, counts = reading.batch(0, 8)
    assert counts is not None
    assert ids.shape == (2, 8, 8)
    of_a = (ids[0] != 7).any(dim=1)
    assert int(of_a.sum()) == 6
    assert (counts[0][of_a] == (targets[0][of_a] % 2 == 0)).all()
    assert (ids[1] == 7).all()
    assert torch.equal(targets[0][of_a], ids[0][of_a] + 1)
    with pytest.raises(DataError, match="a window needs 65"):
        Reading(rows, np.array([[0.5, 0.5]]), 8, 64, [0])


def test_bits_by_document_are_those_by_language() -> None:
    from glotmix.proxy.size import shape
    from glotmix.proxy.texts import Texts

    formed = shape(1e5, 300, 16)
    weights = model.begin(formed, [0, 1])
    rng = np.random.default_rng(0)
    held = [rng.integers(1, 300, n).astype(np.int32) for n in (5, 16, 40)]
    texts = Texts(("ell_Grek",), 300, 0, {}, {"ell_Grek": held}, {"ell_Grek": 100})
    each = bits.by_document(weights, formed, held, 0)
    assert each.sum(axis=1) / 100 == pytest.approx(bits.per_byte(weights, formed, texts)[:, 0], rel=1e-6)


def test_a_helped_language_stands_in_every_set(tmp_path: Path) -> None:
    config = SMALL.model_copy(update={"helped": "tha_Thai", "own": 0.25})
    plan = stages.design(tmp_path, rows(), config)
    (problem,) = plan.problems
    assert problem.name == "tha_Thai helped"
    assert {plan.about[name]["lang"] for name in problem.cells} == {"rus_Cyrl"}
    assert {plan.about[name]["lang"] for name in problem.own} == {"tha_Thai"}
    assert problem.block == pytest.approx(512 * 0.75 / 2)
    assert list(Bench(plan.folder, config).asked("held", problem)) == ["tha_Thai news", "tha_Thai web"]
    few = [*rows(("rus_Cyrl",)), *rows(("tha_Thai",), 24)]
    little = stages.design(tmp_path / "little", few, config)
    assert len(little.problems[0].own) < gather.FEWEST
    with pytest.raises(DataError, match="tha_Thai has text for"):
        stages.design(tmp_path / "two", few, SMALL)
    only = rows(("tha_Thai",))
    with pytest.raises(RequestError, match="only language"):
        stages.design(tmp_path / "alone", only, config)


def test_all_languages_together_and_bands_of_quality_and_another_target(tmp_path: Path) -> None:
    config = SMALL.model_copy(update={"pooled": True, "by": "quality"})
    exam = [{"lang": "ell_Grek", "text": f"Πόσο κάνει {a} και {b};"} for a in range(4) for b in range(4)]
    plan = stages.design(tmp_path, rows(), config, targets={"exam": exam})
    assert [(p.name, p.langs) for p in plan.problems] == [("all", LANGS)]
    assert {about["group"] for about in plan.about.values()} == {"low", "middle", "high"}
    bench = Bench(plan.folder, config)
    held, test = (bench.asked(side, plan.problems[0]) for side in ("held", "test"))
    assert list(held) == list(test) == ["exam"]
    assert len(held["exam"].documents) == len(test["exam"].documents) == 8


def test_sources_of_few_documents_are_asked_together() -> None:
    def some(group: str, count: int) -> list[documents.Document]:
        return [documents.Document(f"{group}{n}", "amh_Ethi", group, "ሰላም") for n in range(count)]

    found = training.kinds([*some("web", 9), *some("news", 6), *some("blog", 1), *some("bible", 2)])
    assert {kind: len(mine) for kind, mine in found.items()} == {"news and bible and blog": 9, "web": 9}
    assert {kind: len(mine) for kind, mine in training.kinds(some("web", 1)).items()} == {"web": 1}


def test_one_document_to_ask_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    given = [row for row in rows(("tha_Thai",)) if place(str(row["text"])) >= SMALL.held_out + SMALL.test]
    tested = next(
        row for row in rows(("tha_Thai",)) if SMALL.held_out <= place(str(row["text"])) < SMALL.held_out + SMALL.test
    )
    held = [row for row in rows(("tha_Thai",)) if place(str(row["text"])) < SMALL.held_out]
    with pytest.raises(DataError, match=r"tha_Thai has .* documents, too few for: test"):
        stages.design(tmp_path, [*given, *held, tested], SMALL)
    with pytest.raises(DataError, match="no interval"):
        figures.over([np.ones((3, 1))])


def test_no_document_is_lost_by_its_id(tmp_path: Path) -> None:
    given = [row | {"id": None} for row in rows(("tha_Thai",), 20)]
    assert len(documents.read(given, SMALL)) == len({row["text"] for row in given}) > 1
    with pytest.raises(DataError, match="two documents have the id 'a'"):
        documents.read([row | {"id": "a"} for row in given], SMALL)


@pytest.mark.parametrize("name", ["none.parquet", "odd.jsonl", "odd.parquet", "empty.jsonl", "notes.txt"])
def test_files_that_cannot_be_read_are_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name != "none.parquet":
        path.write_bytes(b"" if name == "empty.jsonl" else b'{"text": "\xe1\x8c", \n[')
    with pytest.raises(GlotmixError, match=name):
        documents.read(path, SMALL)


def test_documents_without_a_language_or_a_column_are_refused() -> None:
    with pytest.raises(RequestError, match="no lang"):
        documents.read([{"text": "ሰላም"}], SMALL)
    with pytest.raises(RequestError, match="no column 'topic'"):
        documents.read(rows(), SMALL.model_copy(update={"by": "topic"}))
    with pytest.raises(DataError, match="ell_Grek"):
        documents.read(rows(), SMALL.model_copy(update={"languages": ("ell",)}))


def test_sets_keep_to_their_budget() -> None:
    tokens = np.array([10.0, 20.0, 30.0, 40.0])
    assert sets.filled(np.array([3, 0, 1, 2]), tokens, 52.0).tolist() == [3, 0]
    members = {"a": [0, 1], "b": [2, 3]}
    # One and a half times cell a, half of cell b.
    found = sets.of_cells(members, ["a", "b"], np.array([4.0, 3.0]), 10.0, tokens)
    assert found.tolist() == [0, 1, 0, 2]
    # Each document of the cell is larger than what is asked of it: the set is small, and not empty.
    assert sets.of_cells(members, ["a", "b"], np.array([0.0, 1.0]), 10.0, tokens).tolist() == [2]
    lengths = sets.of_lengths(np.arange(40, 60), np.arange(100.0), np.ones(100), 20, 3)
    assert len(lengths) == 20
    assert abs(lengths.mean() - 49.5) < 8


def trial(path: Path, gains: dict[str, float], noise: float = 0.001) -> Path:
    """Leave what a trial leaves, where each way is better than chance by so many bits per byte."""
    rng = np.random.default_rng(0)
    ease = rng.normal(2, 0.3, 60)
    found = {"size amh_Ethi": np.full(60, 50.0)}
    for way in ("random", "lengths", *sets.SIMPLE, "additive", "relational"):
        each = ease - gains.get(way, 0.0) + noise * rng.normal(size=(5, 60)) + noise * rng.normal(size=(5, 1))
        found[f"{way} amh_Ethi"] = 50 * each
    np.savez(path, **found)
    return path


def test_the_simplest_way_that_is_as_good_is_taken(tmp_path: Path) -> None:
    none = verdict.judge(trial(tmp_path / "a.npz", {}), "amh_Ethi", "relational")
    assert none.use == "random"
    assert "no way to choose beats a random choice" in none.sentence
    some = verdict.judge(trial(tmp_path / "b.npz", {"m_daq": 0.05, "relational": 0.055}), "amh_Ethi", "relational")
    assert some.use == "m_daq"
    best = verdict.judge(trial(tmp_path / "c.npz", {"m_daq": 0.05, "relational": 0.08}), "amh_Ethi", "relational")
    assert best.use == "relational"
    assert best.law_over["m_daq"].value == pytest.approx(0.03, abs=0.002)
    assert best.law_over["m_daq"].low > 0.01
    # A control is no way to choose, however good it looks.
    control = verdict.judge(trial(tmp_path / "d.npz", {"lengths": 0.05}), "amh_Ethi", "relational")
    assert control.use == "random"
    assert "lengths" not in control.sentence


def test_problems_need_cells_to_choose_among() -> None:
    with pytest.raises(DataError, match="0 cells"):
        problems([], SMALL.model_copy(update={"pooled": True}))
