import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from typer.testing import CliRunner

from glotmix.cli import app
from glotmix.core.errors import DataError, RequestError
from glotmix.embed import choose, make
from glotmix.embed import recipe as recipes
from glotmix.embed.contrast import accuracy, info_nce, project, through_unit, unit
from glotmix.embed.train import Bags, Settings
from glotmix.native import bags

SMALL = {"width": 32, "vocabulary": 4_000, "steps": 60, "batch": 64, "buckets": 2, "rate": 0.05}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """240 sentences of TICO-19 in nine languages, in twelve groups, as Parquet and a recipe."""
    rows = pq.read_table("tests/data/sentences.parquet")
    rows = rows.filter(pc.equal(rows["origin"], "tico19"))
    english = rows.filter(pc.equal(rows["lang"], "eng_Latn"))["text"].to_pylist()
    tables = []
    for lang in pc.unique(rows["lang"]).to_pylist():
        if lang != "eng_Latn":
            texts = rows.filter(pc.equal(rows["lang"], lang))["text"]
            groups = [f"block-{i // 20:02d}" for i in range(240)]
            both = {"source": ["tico19"] * 240, "lang": [lang] * 240, "group": groups, "eng": english, "text": texts}
            tables.append(pa.table(both))
    at = tmp_path_factory.mktemp("pairs")
    pq.write_table(pa.concat_tables(tables), at / "pairs.parquet")
    held = {"dev": {"tico19": ["block-03", "block-08"]}, "test": {"tico19": ["block-11"]}}
    (at / "recipe.yaml").write_text(yaml.safe_dump({"pairs": ["pairs.parquet"], "held_out": held, "settings": SMALL}))
    return at


class Losses(make.Watcher):
    """Keeps what it is told, and stops the run at one step like ^C would."""

    def __init__(self, stop: int | None = None) -> None:
        self.losses: list[float] = []
        self.stop = stop

    def advance(self, part: str, done: int, total: int, note: str = "") -> None:
        if part == "steps":
            self.losses.append(float(note.split()[1]))
            if done == self.stop:
                raise KeyboardInterrupt


def test_training_lowers_the_loss_and_finds_translations_of_held_out_sentences(folder: Path, tmp_path: Path) -> None:
    watcher = Losses()
    model = make.make(recipes.load(folder / "recipe.yaml"), folder, tmp_path / "model", choose.load, watcher)
    assert watcher.losses[-1] < 0.8 * watcher.losses[0]
    # 40 sentences: chance is 0.025.
    assert model.about["dev"]["tico19"] > 0.1
    again = choose.load(str(tmp_path / "model"))
    assert again.fingerprint == model.fingerprint and again.width == 32
    assert sorted(f.name for f in (tmp_path / "model").iterdir()) == ["embedder.json", "model.safetensors"]
    header = json.loads((tmp_path / "model" / "embedder.json").read_text("utf-8"))
    assert header["held_out"]["test"] == {"tico19": ["block-11"]} and len(header["languages"]) == 10
    assert header["sources"] == {"tico19": 9 * 180}


def test_a_run_that_was_stopped_goes_on_and_ends_as_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    recipe = recipes.load(folder / "recipe.yaml").model_copy(update={"settings": Settings(**SMALL, keep=0.5)})
    whole = make.make(recipe, folder, tmp_path / "whole", choose.load)
    with pytest.raises(KeyboardInterrupt):
        make.make(recipe, folder, tmp_path / "stopped", choose.load, Losses(stop=40), every=16)
    assert (tmp_path / "stopped" / make.CHECKPOINT).is_file()
    watcher = Losses()
    resumed = make.make(recipe, folder, tmp_path / "stopped", choose.load, watcher, every=16)
    assert len(watcher.losses) == 2
    assert resumed.fingerprint == whole.fingerprint
    first, second = ((tmp_path / n / "model.safetensors").read_bytes() for n in ("whole", "stopped"))
    assert first == second
    with pytest.raises(RequestError, match="holds a model already"):
        make.make(recipe, folder, tmp_path / "whole", choose.load)


def test_a_checkpoint_of_other_settings_is_refused(folder: Path, tmp_path: Path) -> None:
    recipe = recipes.load(folder / "recipe.yaml")
    with pytest.raises(KeyboardInterrupt):
        make.make(recipe, folder, tmp_path / "m", choose.load, Losses(stop=20), every=10)
    other = recipe.model_copy(update={"settings": Settings(**SMALL | {"rate": 0.01})})
    with pytest.raises(RequestError, match="other settings"):
        make.make(other, folder, tmp_path / "m", choose.load)


def test_held_out_sentences_are_in_no_pair_that_is_trained_on(folder: Path) -> None:
    recipe = recipes.load(folder / "recipe.yaml")
    pairs = recipes.read([folder / "pairs.parquet"])
    copied = pairs.slice(11 * 20, 1).set_column(0, "source", pa.array(["elsewhere"]))
    training, dev = recipes.split(pa.concat_tables([pairs, copied]).combine_chunks(), recipe)
    away = set(
        pairs.filter(pc.is_in(pairs["group"], pa.array(["block-03", "block-08", "block-11"])))["eng"].to_pylist()
    )
    assert not away & set(training["eng"].to_pylist())
    assert training.num_rows == 9 * 180 and dev.num_rows == 9 * 40
    few, _ = recipes.split(pairs, recipe.model_copy(update={"most": 50}))
    assert few.num_rows == 9 * 50 and len(set(few["text"].to_pylist())) > 400
    assert few["text"].to_pylist() == [t for t in training["text"].to_pylist() if t in set(few["text"].to_pylist())]
    wrong = recipe.model_copy(update={"held_out": recipes.HeldOut(test={"tico19": ("block-99",)})})
    with pytest.raises(DataError, match="has no group block-99"):
        recipes.split(pairs, wrong)


def test_a_thinned_bag_has_a_share_of_what_was_in_it() -> None:
    bag = Bags(np.array([0, 4_000, 4_000, 10_000]), np.arange(10_000, dtype=np.int32))
    found = bag.thinned(0.3, np.random.default_rng(0))
    sizes = np.diff(found.starts)
    assert sizes[1] == 0 and abs(sizes[0] - 1_200) < 150 and abs(sizes[2] - 1_800) < 180
    assert np.all(found.ids[: sizes[0]] < 4_000) and np.all(found.ids[sizes[0] :] >= 4_000)
    assert np.all(np.diff(found.ids) > 0) and len(found.ids) == found.starts[-1]
    assert bag.thinned(1.0, np.random.default_rng(0)) is bag


def test_a_model_may_keep_the_leading_axes_alone(folder: Path, tmp_path: Path) -> None:
    recipe = recipes.load(folder / "recipe.yaml").model_copy(update={"teacher": "static"})
    models = {
        kept: make.make(recipe.model_copy(update={"kept": kept}), folder, tmp_path / str(kept), choose.load)
        for kept in (None, 16)
    }
    texts = pc.unique(recipes.read([folder / "pairs.parquet"])["eng"]).to_pylist()
    whole, some = (models[k].embed(texts) for k in (None, 16))
    assert (whole.shape[1], some.shape[1]) == (32, 16)
    assert np.corrcoef((whole @ whole.T).ravel(), (some @ some.T).ravel())[0, 1] > 0.85
    # The teacher's vectors are brought to the axes that were kept.
    taught = models[16].projection.apply(choose.load("static").embed(texts))
    assert np.corrcoef((taught @ taught.T).ravel(), (some @ some.T).ravel())[0, 1] > 0.2
    mixed = models[None].projection.apply(choose.load("static").embed(texts))
    assert (taught * some).sum(1).mean() > 0.8 * (mixed * whole).sum(1).mean() > 0


def test_a_teacher_is_learned_from(folder: Path, tmp_path: Path) -> None:
    """The model's English comes nearer to the teacher's than it is without one."""
    pairs, recipe = recipes.read([folder / "pairs.parquet"]), recipes.load(folder / "recipe.yaml")
    texts = pc.unique(pairs["eng"])
    vectors = choose.load("static").embed(texts.to_pylist())
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel().astype(np.float16)), vectors.shape[1])
    pq.write_table(pa.table({"text": texts.slice(10), "vector": column.slice(10)}), folder / "teacher.parquet")
    found = {}
    for name in (None, "teacher.parquet", "static"):
        settings = Settings(**SMALL | {"teacher": 10.0, "steps": 120})
        wanted = recipe.model_copy(update={"teacher": name, "settings": settings})
        found[name] = make.make(wanted, folder, tmp_path / str(name), choose.load).embed(texts.to_pylist())
    target = vectors @ vectors.T
    agree = {k: np.corrcoef((v @ v.T).ravel(), target.ravel())[0, 1] for k, v in found.items()}
    assert min(agree["teacher.parquet"], agree["static"]) > agree[None] + 0.1, agree


def test_teachers_vectors_of_an_interrupted_run_are_kept(tmp_path: Path) -> None:
    texts = pa.array([f"text number {i}" for i in range(make._BLOCK + 5)])
    calls = []

    class Counting(make.Watcher):
        def advance(self, part: str, done: int, total: int, note: str = "") -> None:
            calls.append(done)

    teacher = choose.load("static")
    first = make.lessons(teacher, texts, tmp_path / "t", Counting())
    with (tmp_path / "t").open("r+b") as file:
        file.truncate(2 * teacher.width * make._BLOCK + 7)
    again = make.lessons(teacher, texts, tmp_path / "t", Counting())
    assert np.array_equal(first, again) and calls == [make._BLOCK, len(texts), len(texts)]


def test_gradients_are_those_of_torch() -> None:
    generator = np.random.default_rng(0)
    one, other = (generator.standard_normal((12, 8)).astype(np.float32) for _ in range(2))
    one[3] = 0
    same = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9])
    (a, a_length), (b, b_length) = unit(one), unit(other)
    loss, a_slope, b_slope = info_nce(a, b, same, 0.1)
    x, y = (torch.tensor(v.astype(np.float64), requires_grad=True) for v in (one, other))
    s = torch.nn.functional.normalize(x, dim=1, eps=1e-9) @ torch.nn.functional.normalize(y, dim=1, eps=1e-9).T / 0.1
    clash = torch.tensor((same[:, None] == same[None, :]) & ~np.eye(12, dtype=bool))
    s = s.masked_fill(clash, -1e4)
    target = torch.arange(12)
    expected = (torch.nn.functional.cross_entropy(s, target) + torch.nn.functional.cross_entropy(s.T, target)) / 2
    expected.backward()  # type: ignore[no-untyped-call]
    assert loss == pytest.approx(expected.item(), rel=1e-5)
    x_slope, y_slope = through_unit(a_slope, a, a_length), through_unit(b_slope, b, b_length)
    rows = np.arange(12) != 3
    assert x_slope[rows] == pytest.approx(x.grad.numpy()[rows], abs=1e-5)  # type: ignore[union-attr]
    assert y_slope == pytest.approx(y.grad.numpy(), abs=1e-5)  # type: ignore[union-attr]
    assert not x_slope[3].any()


def test_steps_are_adagrads() -> None:
    """Torch sums the same gradients by itself; its squares are then one per row."""
    generator = np.random.default_rng(1)
    table = generator.standard_normal((5, 4)).astype(np.float32)
    ours, squares, slots = table.copy(), np.zeros(5, np.float32), np.full(5, -1, np.int32)
    theirs, sums = torch.tensor(table.astype(np.float64)), torch.zeros(5, dtype=torch.float64)
    for _ in range(6):
        ids = generator.integers(0, 4, 9).astype(np.int32)
        starts, slope = np.array([0, 4, 4, 9]), generator.standard_normal((3, 4)).astype(np.float32)
        bags.step(starts, ids, slope, ours, squares, slots, 0.1)
        weight = torch.tensor(theirs.numpy(), requires_grad=True)
        summed = torch.nn.functional.embedding_bag(
            torch.tensor(ids.astype(np.int64)), weight, torch.tensor(starts[:-1]), mode="sum"
        )
        summed.backward(torch.tensor(slope.astype(np.float64)))  # type: ignore[no-untyped-call]
        g = weight.grad
        assert g is not None
        sums += (g**2).mean(1)
        theirs -= 0.1 * g / sums.sqrt().clamp(min=1e-30)[:, None]
    assert ours == pytest.approx(theirs.numpy(), abs=1e-5)
    assert (slots == -1).all() and np.array_equal(ours[4], table[4])


def test_bags() -> None:
    table = np.arange(12, dtype=np.float32).reshape(4, 3)
    some = Bags(np.array([0, 2, 2, 5]), np.array([0, 3, 1, 1, 2], np.int32))
    assert bags.add(some.starts, some.ids, table).tolist() == [[9, 11, 13], [0, 0, 0], [12, 15, 18]]
    taken = some.take(np.array([2, 0]))
    assert taken.starts.tolist() == [0, 3, 5] and taken.ids.tolist() == [1, 1, 2, 0, 3]
    into = np.zeros((4, 3), np.float32)
    bags.spread(some.starts, some.ids, np.eye(3, dtype=np.float32), into)
    assert into.tolist() == [[1, 0, 0], [0, 0, 2], [0, 0, 1], [1, 0, 0]]


def test_accuracy_counts_ties_as_wrong() -> None:
    eye = np.eye(3, dtype=np.float32)
    assert accuracy(eye, eye) == (3, 3)
    assert accuracy(np.zeros((3, 3), np.float32), eye) == (0, 0)
    assert accuracy(eye, eye[[0, 0, 2]]) == (1, 2)


def test_projection_keeps_cosines_where_the_width_is_enough() -> None:
    generator = np.random.default_rng(2)
    flat = (generator.standard_normal((50, 6)) @ generator.standard_normal((6, 40)) + 3).astype(np.float32)
    flat[7] = 0
    found = project(flat, 6).apply(flat)
    assert not found[7].any()
    rest = np.delete(flat, 7, 0)
    whole = unit(rest - rest.mean(0))[0]
    assert np.delete(found @ found.T, 7, 0)[:, np.arange(50) != 7] == pytest.approx(whole @ whole.T, abs=1e-4)


def test_command_line(folder: Path, tmp_path: Path) -> None:
    run = CliRunner().invoke
    (tmp_path / "pairs.tsv").write_text(
        "lang\teng\ttext\n"
        + "".join(f"fr\tthe {w} house\tla maison {m}\n" for w, m in zip("abcdef", "uvwxyz", strict=True))
    )
    (tmp_path / "small.yaml").write_text("pairs: [pairs.tsv]\nsettings: {width: 8, steps: 5, batch: 4, buckets: 1}\n")
    dry = run(app, ["embed", "train", str(tmp_path / "small.yaml"), "-o", str(tmp_path / "m"), "--dry-run", "--json"])
    assert json.loads(dry.stdout)["pairs"] == 6 and not (tmp_path / "m").exists()
    done = run(app, ["embed", "train", str(tmp_path / "small.yaml"), "-o", str(tmp_path / "m"), "--json", "-q"])
    assert done.exit_code == 0 and json.loads(done.stdout)["width"] == 8
    told = json.loads(run(app, ["embed", "info", str(tmp_path / "m"), "--json"]).stdout)
    assert told["fingerprint"] == json.loads(done.stdout)["fingerprint"] and told["settings"]["steps"] == 5
    (tmp_path / "texts.txt").write_text("le chat boit du lait\n\nder Zug ist pünktlich\n", "utf-8")
    assert run(app, ["embed", "texts", str(tmp_path / "texts.txt"), "-o", str(tmp_path / "v.npy")]).exit_code == 0
    vectors = np.load(tmp_path / "v.npy")
    assert vectors.shape == (3, choose.load("static").width) and not vectors[1].any() and vectors[0].any()
    near = run(app, ["embed", "near", str(tmp_path / "texts.txt"), "The cat drinks milk.", "--top", "1", "--json"])
    assert json.loads(near.stdout)[0]["line"] == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pairs: []", "at least 1"),
        ("pairs: [x.tsv]\nstep: 3", "step: Extra inputs"),
        ("pairs: [x.tsv]\nsettings: {batch: 10, buckets: 4}", "cannot be cut"),
        ("pairs: [x.tsv]\nsettings: {keep: 0}", "keep is a share"),
        ("pairs: [x.tsv]\nkept: 300", "300 numbers of 256 cannot be kept"),
        ("pairs: [x.tsv]\nkept: 100", "in groups of 8"),
        ("pairs: [nothing.tsv]", "there is no file"),
        ("pairs: [bad.tsv]", "has no column eng, text"),
        ("pairs: [recipe.yaml]", "neither .parquet nor .tsv"),
    ],
)
def test_what_is_wrong_with_a_recipe_is_said(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(text)
    (tmp_path / "bad.tsv").write_text("lang\tother\nfr\tx\n")
    with pytest.raises((RequestError, DataError), match=said):
        recipe = recipes.load(tmp_path / "recipe.yaml")
        recipes.read([tmp_path / p for p in recipe.pairs])
