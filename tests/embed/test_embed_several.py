"""Several embedders in one recipe: each stored once, put side by side, and the same ones asked for when applied."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import yaml
from typer.testing import CliRunner

from glotmix.cli import app
from glotmix.core import record, table
from glotmix.core.errors import DataError, RequestError
from glotmix.embed import features
from glotmix.embed.choose import load
from glotmix.embed.concatenated import Concatenated, side_by_side
from glotmix.embed.quantise import Quantised
from glotmix.embed.static import StaticEmbedder
from glotmix.pipeline import recipe as recipes
from glotmix.pipeline import run
from glotmix.quality.load import load as load_rater
from glotmix.quality.rater import Rater
from glotmix.signals import embed

SENTENCES = {
    "eng_Latn": "Children play in the water near the old bridge.",
    "rus_Cyrl": "Дети играют в воде у старого моста.",
    "ell_Grek": "Τα παιδιά παίζουν στο νερό κοντά στη γέφυρα.",
    "arb_Arab": "الأطفال يلعبون في الماء قرب الجسر القديم.",
    "heb_Hebr": "הילדים משחקים במים ליד הגשר הישן.",
    "hin_Deva": "बच्चे पुराने पुल के पास पानी में खेलते हैं।",
    "ben_Beng": "শিশুরা পুরানো সেতুর কাছে পানিতে খেলে।",
    "tha_Thai": "เด็กเล่นน้ำใกล้สะพานเก่า",
    "mya_Mymr": "ကလေးများ တံတားဟောင်းအနီး ရေထဲတွင် ကစားကြသည်။",
    "zho_Hans": "孩子们在旧桥附近的水里玩。",
    "jpn_Jpan": "子供たちは古い橋の近くの水の中で遊ぶ。",
    "kor_Hang": "아이들이 오래된 다리 근처 물에서 논다.",
    "amh_Ethi": "ልጆች በአሮጌው ድልድይ አቅራቢያ በውሃ ውስጥ ይጫወታሉ።",
}
LITTER = "| 12 » FAQ | 34 » Login "


def model(folder: Path, width: int, seed: int) -> None:
    """Write a small static embedder of random vectors for what the sentences hold."""
    rng = np.random.default_rng(seed)
    keys = np.unique(features.hashes([*SENTENCES.values(), LITTER])[1])
    codes = rng.integers(0, 256, (len(keys), width // 4), dtype=np.uint8)
    centroids = rng.standard_normal((width // 4, 256, 4)).astype(np.float16).astype(np.float32)
    StaticEmbedder(keys, Quantised(codes, np.ones(len(keys), np.float32), centroids), {}).write(folder)


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> run.Job:
    folder = tmp_path_factory.mktemp("several")
    model(folder / "models/one", 16, 1)
    model(folder / "models/two", 24, 2)
    rng = np.random.default_rng(0)
    corpus, labels = [], []
    for lang, sentence in SENTENCES.items():
        for i in range(14):
            dirty = i % 2
            text = "".join(LITTER if dirty and rng.random() < 0.5 else sentence + " " for _ in range(8)) + str(i)
            corpus.append({"id": f"{lang}{i}", "text": text, "lang": lang})
            labels.append({"text": f"{text} {i * 7}", "lang": lang, "label": 1 - dirty})
    for name, rows in (("web", corpus), ("labels", labels)):
        (folder / f"{name}.jsonl").write_text("\n".join(json.dumps(r, ensure_ascii=False) for r in rows), "utf-8")
    given = {
        "name": "several",
        "corpus": {"sources": [{"name": "web", "path": "web.jsonl", "language": {"column": "lang"}}]},
        "signals": {
            "embed": ["static", {"model": "models/one", "max_chars": 90}, {"model": "models/two", "name": "b"}]
        },
        "quality": {
            "anchors": ["labels.jsonl"],
            "features": ["one", "b", "structure"],
            "head": "logistic",
            "audits": 1,
        },
        "mix": {"tokens": 10_000},
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(given, allow_unicode=True), "utf-8")
    made = run.Job(recipes.load(folder / "recipe.yaml"), folder)
    made.run("signals")
    return made


def test_each_embedder_is_a_signal_of_its_own_in_half_precision(job: run.Job) -> None:
    documents = table.read(table.shards(job.context.corpus), ["id", "text"])
    texts = documents["text"].to_pylist()
    for name, spec, cut in (("static", "static", 2_000), ("one", "models/one", 90), ("b", "models/two", 2_000)):
        ids, vectors = embed.read(job.folder / "signals/embed" / name)
        assert ids.to_pylist() == documents["id"].to_pylist() and vectors.dtype == np.float16
        expected = load(spec, job.context.base).embed([t[:cut] for t in texts])
        assert np.array_equal(vectors, expected.astype(np.float16))
    found = record.require(job.folder / "signals/embed/b", "glotmix signals")
    assert found.identity["inputs"]["embedder"] == load("models/two", job.context.base).fingerprint


def test_vectors_are_read_side_by_side(job: run.Job, tmp_path: Path) -> None:
    at = job.folder / "signals/embed"
    ids, both = embed.together([at / "b", at / "one"])
    assert both.shape == (len(ids), 40)
    assert np.array_equal(both[:, :24], embed.read(at / "b")[1]) and np.array_equal(
        both[:, 24:], embed.read(at / "one")[1]
    )
    some, few = embed.together([at / "b", at / "one"], ["tha_Thai3", "amh_Ethi0"])
    assert some.to_pylist() == ["tha_Thai3", "amh_Ethi0"] and few.shape == (2, 40)
    rows = table.read(table.shards(at / "one"))
    table.write(rows.slice(1), tmp_path / "less" / "part-0.parquet")
    with pytest.raises(DataError, match="not of the same documents"):
        embed.together([at / "b", tmp_path / "less"])


def test_the_rater_says_what_it_reads_and_scores_the_same_elsewhere(job: run.Job) -> None:
    folder = job.folder / "signals/quality/rater"
    scorer = Rater.read(folder)
    one, two = (load(f"models/{n}", job.context.base) for n in ("one", "two"))
    assert [(p["name"], p["numbers"]) for p in scorer.reads[1:]] == [("one", 16), ("b", 24)]
    assert scorer.reads[1:] == [
        {"name": "one", "numbers": 16, "model": "models/one", "fingerprint": one.fingerprint, "max_chars": 90},
        {"name": "b", "numbers": 24, "model": "models/two", "fingerprint": two.fingerprint, "max_chars": 2_000},
    ]
    assert scorer.usual.names[-25:-23] == ("one.15", "b.0")
    documents = table.read(table.shards(job.context.corpus), ["text", "lang"])
    signal = table.read(sorted((job.folder / "signals/quality").glob("part-*")))["score"].to_numpy()
    # In any order: what stands where is the rater's to say.
    for given in ({"one": one, "b": two}, {"b": two, "one": one}):
        found = load_rater(folder, given)(documents["text"].to_pylist(), documents["lang"].to_pylist())
        assert np.array_equal(found.astype(np.float32), signal)


def test_other_embedders_are_refused(job: run.Job, tmp_path: Path) -> None:
    folder = job.folder / "signals/quality/rater"
    one, two = (load(f"models/{n}", job.context.base) for n in ("one", "two"))
    with pytest.raises(
        RequestError, match=r"reads structure \(\d+\) \+ one \(16\) \+ b \(24\); the embedders given are"
    ):
        load_rater(folder, {"one": one, "b": two, "static": load("static")})
    with pytest.raises(RequestError, match=r"one is static:[0-9a-f]+; the rater learned from static:"):
        load_rater(folder, {"one": two, "b": one})
    with pytest.raises(RequestError, match="reads vectors of one"):
        load_rater(folder)
    shutil.copytree(folder, tmp_path / "rater")
    about = json.loads((tmp_path / "rater/rater.json").read_text("utf-8"))
    for change in ({"numbers": 17}, {"name": "c"}):
        reads = [about["reads"][0], about["reads"][1] | change, about["reads"][2]]
        (tmp_path / "rater/rater.json").write_text(json.dumps(about | {"reads": reads}), "utf-8")
        with pytest.raises(DataError, match="do not belong to what it says it reads"):
            load_rater(tmp_path / "rater", {"one": one, "b": two})
    reads = [about["reads"][0], *about["reads"][:0:-1]]
    (tmp_path / "rater/rater.json").write_text(json.dumps(about | {"reads": reads}), "utf-8")
    with pytest.raises(DataError, match="do not belong to what it says it reads"):
        load_rater(tmp_path / "rater", {"one": one, "b": two})


def test_one_more_embedder_makes_no_other_again(job: run.Job) -> None:
    before = recipes.load(job.context.base / "recipe.yaml")
    assert {r["state"] for r in run.Job(before, job.context.base).plan("signals")} == {"reused"}
    listed = "static, {model: models/one, max_chars: 90}, {model: models/two, name: b}, {model: models/two, name: c}"
    more = recipes.load(job.context.base / "recipe.yaml", [f"signals.embed=[{listed}]"])
    states = {r["step"]: r["state"] for r in run.Job(more, job.context.base).plan("signals")}
    assert states.pop("signals/embed/c") == "new"
    assert set(states.values()) == {"reused"}
    turned = recipes.load(job.context.base / "recipe.yaml", ["quality.features=[b, one, structure]"])
    states = {r["step"]: r["state"] for r in run.Job(turned, job.context.base).plan("signals")}
    assert states["rater"] != "reused" and states["signals/quality"] != "reused"
    assert states["signals/embed/one"] == states["signals/embed/b"] == "reused"


def test_a_finished_rater_asks_for_the_same_vectors(job: run.Job) -> None:
    path, base = job.context.base / "recipe.yaml", job.context.base
    over = ["output=again", "quality=null", "quality.pretrained=out/rater"]
    again = run.Job(recipes.load(path, over), base)
    again.run("signals/quality")
    one, other = (
        table.read(sorted((where / "signals/quality").glob("part-*"))) for where in (job.folder, again.folder)
    )
    assert one.equals(other)
    applied = Rater.read(again.folder / "signals/quality/rater")
    assert applied.reads == Rater.read(job.folder / "signals/quality/rater").reads
    for listed, said in (
        (
            "[{model: models/one, max_chars: 91}, {model: models/two, name: b}]",
            "first 90 characters; signals.embed looks",
        ),
        ("[{model: models/one, max_chars: 90}]", "reads vectors of b"),
    ):
        with pytest.raises(RequestError, match=said):
            run.Job(recipes.load(path, [*over, f"signals.embed={listed}"]), base)
    swapped = "[{model: models/two, name: one, max_chars: 90}, {model: models/one, name: b}]"
    with pytest.raises(RequestError, match="the rater learned from static:"):
        run.Job(recipes.load(path, [*over, f"signals.embed={swapped}"]), base).run("signals/quality")


def test_the_dry_run_names_each(job: run.Job) -> None:
    found = CliRunner().invoke(app, ["run", str(job.context.base / "recipe.yaml"), "--dry-run"])
    assert found.exit_code == 0, found.output
    assert all(f"signals/embed/{name}" in found.output for name in ("static", "one", "b"))


def parse(embed_: object, **quality: object) -> recipes.Recipe:
    data = {"name": "x", "corpus": {"sources": [{"name": "a", "path": "a", "language": "fra_Latn"}]}}
    return recipes.parse(data | {"signals": {"embed": embed_}} | ({"quality": quality} if quality else {}))


def test_every_way_to_say_it() -> None:
    def told(given: object) -> list[tuple[str, str, int]]:
        return [(one.called, one.model, one.max_chars) for one in parse(given).signals.embed]

    assert told(None) == []
    assert told("use") == [("use", "use", 2_000)]
    assert told({"model": "static", "max_chars": 9}) == [("static", "static", 9)]
    hub = "BAAI/bge-m3@5617a9f61b028005a4858fdac845db406aefb181"
    expected = [("static", "static", 2_000), ("bge-m3", f"hub:{hub}", 2_000), ("use", "use", 2_000)]
    assert told(["static", {"hub": hub}, "use"]) == told(["static", f"hub:{hub}", {"model": "use"}]) == expected
    assert told({"hub": hub, "name": "bge", "max_chars": 7}) == [("bge", f"hub:{hub}", 7)]
    # A rater may name an embedder by its model, too.
    assert parse([{"hub": hub}], features=[f"hub:{hub}"]).quality is not None
    again = recipes.parse(parse(["static", {"hub": hub}]).model_dump(mode="json"))
    assert again == parse(["static", {"hub": hub}])


@pytest.mark.parametrize(
    ("given", "features_", "said"),
    [
        (["static", "static"], ["static"], "two embedders are called static"),
        (["static", "use"], ["hybrid"], r"embedder hybrid, which is no signal: signals.embed=\[static, use, hybrid\]"),
        (["static"], ["statik"], "did you mean.*static"),
        ([{"model": "models/x", "name": "y"}], ["y", "models/x"], "names the embedder y twice"),
        ([{"model": "static", "name": "units"}], ["units"], "units (names|is) a column of another kind"),
        ([{"model": "static", "name": "a b"}], ["a b"], "'a b' names no column"),
        ([{"modle": "static"}], ["static"], r"signals.embed.0.modle: no such key.*did you mean.*model"),
        ([7], ["static"], "signals.embed.0"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(given: object, features_: list[str], said: str) -> None:
    with pytest.raises(RequestError, match=said):
        parse(given, features=features_)


def test_side_by_side_is_one_embedder(job: run.Job) -> None:
    one, two = (load(f"models/{n}", job.context.base) for n in ("one", "two"))
    assert side_by_side([one]) is one
    both = Concatenated([one, two])
    texts = [*SENTENCES.values(), "", "zzz"]
    found = both.embed(texts)
    assert found.shape == (len(texts), both.width) == (15, 40) and not found[-2:].any()
    cosines = (one.embed(texts) @ one.embed(texts).T + two.embed(texts) @ two.embed(texts).T) / 2
    assert found[:13] @ found[:13].T == pytest.approx(cosines[:13, :13], abs=1e-5)
    assert both.fingerprint != Concatenated([two, one]).fingerprint
    with pytest.raises(RequestError, match="each once"):
        Concatenated([one, one])

    class Short:
        width = 1

        def __init__(self, most: int = 3) -> None:
            self.most, self.fingerprint = most, f"short-{most}"

        def embed(self, texts: list[str]) -> np.ndarray:
            return np.full((len(texts), 1), self.most, np.float32)

        def truncated(self, texts: list[str]) -> list[bool]:
            return [len(t) > self.most for t in texts]

    assert Concatenated([one, Short()]).truncated(["ab", "abcd"]) == [False, True]
    assert both.truncated(["ab"]) == [False]
    # One that sees less, and one whose vectors are longer: neither outweighs the other.
    assert Concatenated([Short(), Short(9)]).truncated(["ab", "abcd"]) == [False, True]
    assert Concatenated([Short(), Short(9)]).embed(["ab"])[0] == pytest.approx([0.5**0.5] * 2)
    assert embed.embed(pa.array(["ab", "abcd"]), Concatenated([one, Short()])).field("truncated").to_pylist() == [
        False,
        True,
    ]


def test_conversations_may_be_compared_by_several() -> None:
    data = {
        "name": "x",
        "kind": "instructions",
        "corpus": {"sources": [{"name": "a", "path": "a", "language": "fra_Latn"}]},
    }
    assert recipes.parse(data).instruct.embedder == ("static",)
    assert recipes.parse(data | {"instruct": {"embedder": "use"}}).instruct.embedder == ("use",)
    assert recipes.parse(data | {"instruct": {"embedder": ["static", "use"]}}).instruct.embedder == ("static", "use")
