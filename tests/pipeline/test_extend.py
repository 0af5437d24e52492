"""From outside: the packages under examples/ are installed as a user would, and take part in a recipe."""

import csv
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from glotmix.cli import app
from glotmix.core import registry, settings, table
from glotmix.core.errors import GlotmixError, RequestError
from glotmix.core.language import parse
from glotmix.corpus import formats
from glotmix.export import token_files
from glotmix.export.tokens import TokenFilesSection
from glotmix.mix import laws
from glotmix.mix.laws.base import Sample
from glotmix.mix.run_tables import olmix
from glotmix.pipeline import recipe
from glotmix.pipeline.run import Job

EXAMPLES = Path(__file__).parents[2] / "examples"
CACHES = (
    registry.modules, registry.recipe_keys, settings.declared, settings._rule, recipe.model, laws.specs, formats.specs,
    token_files.packings,
)  # fmt: skip
TEXTS = {
    "eng_Latn": "The river rose for three days before the bridge gave way, and nobody in the village slept.",
    "hin_Deva": "नदी तीन दिन तक चढ़ती रही और फिर पुल टूट गया, गाँव में कोई नहीं सोया।",
    "tha_Thai": "แม่น้ำสูงขึ้นสามวันก่อนที่สะพานจะพัง และไม่มีใครในหมู่บ้านได้นอน",
    "zho_Hans": "河水涨了三天，桥终于塌了，村里没有人睡觉。",
}
LOUD = {"eng_Latn": "!", "hin_Deva": "!", "tha_Thai": "!", "zho_Hans": "！"}


def forget() -> None:
    for known in CACHES:
        known.cache_clear()


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Both packages, in a folder of their own, on the path."""
    target = tmp_path_factory.mktemp("installed")
    source = tmp_path_factory.mktemp("source")
    packages = []
    for name in ("exclaims", "root_law"):
        # A copy: setuptools builds beside the source.
        (source / name).mkdir()
        packages.append(str(source / name))
        for file in (EXAMPLES / name).iterdir():
            if file.suffix in (".py", ".toml"):
                (source / name / file.name).write_bytes(file.read_bytes())
    command = ["-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index", "-t", str(target)]
    subprocess.run([sys.executable, *command, *packages], check=True, capture_output=True, text=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(target))
        forget()
        yield target
        patch.undo()
    for module in ("glotmix_exclaims", "glotmix_root_law"):
        sys.modules.pop(module, None)
    forget()


def write_runs(folder: Path) -> None:
    """Write 24 runs whose losses are roots of the shares, and a little noise."""
    draw = np.random.default_rng(0)
    shares = draw.dirichlet(np.ones(len(TEXTS)), 24)
    losses = 3 - np.sqrt(shares) * [0.9, 0.7, 0.5, 0.6] + draw.normal(0, 1e-3, shares.shape)
    for name, values in (("ratios.csv", shares), ("metrics.csv", losses)):
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            out = csv.writer(file)
            out.writerow(["run_id", *TEXTS])
            out.writerows([f"r{n}", *row] for n, row in enumerate(values.tolist()))


@pytest.fixture(scope="module")
def done(installed, tmp_path_factory) -> Path:
    """A recipe that asks for the signal, with a line of its own for Thai, and for the law."""
    folder = tmp_path_factory.mktemp("recipe")
    with (folder / "docs.jsonl").open("w", encoding="utf-8") as file:
        for lang, text in TEXTS.items():
            for number in range(3):
                row = {"id": f"{lang}-{number}", "lang": lang, "text": f"{text} {number}" + LOUD[lang] * (8 * number)}
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
    write_runs(folder)
    told = {
        "name": "outside",
        "corpus": {"sources": [{"name": "a", "path": "docs.jsonl", "language": {"column": "lang"}}]},
        "signals": {"exclaims": {}, "duplicates": {"threshold": 0.99}},
        "quality": None,
        "settings": {
            "default": {"identify": {"on_mismatch": "keep"}},
            "language": {"tha_Thai": {"exclaims": {"most": None}}},
        },
        "mix": {"runs": {"mixtures": "ratios.csv", "losses": "metrics.csv"}, "laws": ["root"], "bootstrap": 4,
                "next_runs": 0, "max_epochs": None, "tokens": 10_000},
    }  # fmt: skip
    (folder / "recipe.yaml").write_text(json.dumps(told), "utf-8")
    job = Job(recipe.load(folder / "recipe.yaml"), folder)
    job.run()
    return folder


def invoke(*arguments: str) -> str:
    found = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert found.exit_code == 0
    return found.stdout


def test_its_key_is_in_the_schema_and_its_step_in_the_plan(done):
    assert "ExclaimsSection" in recipe.schema()["$defs"]
    plan = json.loads(invoke("run", str(done / "recipe.yaml"), "--dry-run", "--json"))
    assert "signals/exclaims" in [step["step"] for step in plan]
    with pytest.raises(RequestError, match="did you mean 'exclaims'"):
        recipe.load(done / "recipe.yaml", ["signals.exclaim.per=5"])
    off = Job(recipe.load(done / "recipe.yaml", ["signals.exclaims=null"]), done)
    assert not off.context.has("signals/exclaims")


def test_its_rule_drops_documents_with_evidence_where_the_language_has_a_line(done):
    ledger = {row["id"]: row for row in table.read(table.shards(done / "out" / "ledger")).to_pylist()}
    dropped = {name for name, row in ledger.items() if row["rule"] == "exclaims"}
    assert dropped == {f"{lang}-{n}" for lang in TEXTS for n in (1, 2) if lang != "tha_Thai"}
    # 8 marks in 90 + 3 + 8 characters.
    chars = len(TEXTS["eng_Latn"]) + 2 + 8
    assert ledger["eng_Latn-1"]["evidence"] == f"{8_000 / chars:.1f} exclamation marks > 30"
    assert ledger["tha_Thai-2"]["kept"]
    story = json.loads(invoke("why", str(done / "recipe.yaml"), "zho_Hans-2", "--json"))
    assert story["rule"] == "exclaims"
    assert story["signals"]["exclaims"]["exclaims"] > 30


def test_explain_shows_its_setting_and_the_recipe_may_not_misspell_it(done):
    rows = json.loads(invoke("explain", "tha_Thai", "--recipe", str(done / "recipe.yaml"), "--json"))
    row = next(row for row in rows if row["key"] == "exclaims.most")
    assert (row["value"], row["origin"]) == (None, "recipe, language tha_Thai")
    assert row["instead_of"] == [{"value": 30, "origin": "glotmix_exclaims, default"}]
    assert rows[-1]["key"] == "exclaims.most"
    for layers, told in (
        ({"default": {"exclaims": {"most": -1}}}, "a number from 0, or null for no line is needed, not -1"),
        ({"default": {"exclaims": {"mots": 1}}}, "there is no such setting.*did you mean 'exclaims.most'"),
    ):
        with pytest.raises(RequestError, match=told):
            settings.resolve(layers, parse("tha_Thai"))


def test_its_default_is_part_of_what_the_ledger_is_made_from(done, monkeypatch):
    def ledger() -> str:
        job = Job(recipe.load(done / "recipe.yaml"), done)
        return next(one.fingerprint for step, one in job.identities(None) if step.name == "ledger")

    before = ledger()
    told = settings.declared()
    one = told["exclaims.most"]
    stricter = settings.Declared(
        settings.LanguageSetting("exclaims.most", 10, one.setting.takes, one.setting.fits), one.package
    )
    monkeypatch.setattr(settings, "declared", lambda: told | {"exclaims.most": stricter})
    assert ledger() != before


def test_the_report_has_its_histogram(done):
    page = (done / "out" / "report.html").read_text("utf-8")
    assert '"exclaims-exclaims"' in page


def test_its_law_is_fitted_and_chooses_the_mixture(done):
    told = json.loads((done / "out" / "mixture" / "mixture.json").read_text("utf-8"))
    assert told["method"] == "law"
    assert {(one["target"], one["law"]) for one in told["predictions"]} == {(lang, "root") for lang in TEXTS}
    runs = olmix(done / "ratios.csv", done / "metrics.csv")
    for at, weight in enumerate((0.9, 0.7, 0.5, 0.6)):
        found = laws.law("root").fit(Sample(runs.shares, runs.losses[:, at]))
        assert found.weights[at] == pytest.approx(weight, abs=0.01)
    here = np.full((1, 4), 0.25)
    step = np.eye(4)[:1] * 1e-6
    slope = (found.predict(here + step) - found.predict(here - step)) / 2e-6
    assert found.gradient(here)[0, 0] == pytest.approx(slope[0], abs=1e-6)
    with pytest.raises(RequestError, match="did you mean 'root'"):
        laws.law("rooot")


def test_its_law_takes_part_only_where_it_is_named(installed):
    assert "root" in laws.specs() and "root" not in laws.competing()
    assert "root" not in recipe.mix_section(()).laws


def test_the_version_of_its_law_is_part_of_the_mixture(done, monkeypatch):
    def mixture() -> str:
        job = Job(recipe.load(done / "recipe.yaml"), done)
        return next(one.fingerprint for step, one in job.identities(None) if step.name == "mixture")

    before = mixture()
    monkeypatch.setattr(sys.modules["glotmix_root_law"], "VERSION", 2)
    assert mixture() != before


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import nowhere_at_all", "cannot be imported: No module named 'nowhere_at_all'"),
        ("SPEC = 1", "declares no RECIPE or STEPS"),
    ],
)
def test_a_plugin_that_is_broken_is_named(tmp_path, monkeypatch, text, told):
    (tmp_path / "broken_one.py").write_text(text, "utf-8")
    info = tmp_path / "broken_one-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-one\nVersion: 1\n", "utf-8")
    (info / "entry_points.txt").write_text("[glotmix.signals]\nbroken = broken_one\n", "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    registry.modules.cache_clear()
    try:
        with pytest.raises(GlotmixError, match=told):
            registry.modules("STEPS")
    finally:
        monkeypatch.undo()
        registry.modules.cache_clear()
        sys.modules.pop("broken_one", None)


def test_a_form_of_token_files_is_declared_from_outside(installed, monkeypatch, tmp_path):
    def plain(path, shard):
        shard.tokens.astype("<u4").tofile(path.with_name(path.name + ".u32"))

    module = SimpleNamespace(__name__="plain_tokens", PACKING=token_files.Packing("plain", plain))
    point = SimpleNamespace(name="plain", value="plain_tokens", load=lambda: module)
    with pytest.raises(ValueError, match=r"there is no form 'plane'; one of datatrove, megatron, numpy, parquet"):
        TokenFilesSection(tokenizer="t.json", formats=("plane",))
    monkeypatch.setattr(registry, "points", lambda group: [point] if group == "glotmix.packings" else [])
    forget()
    try:
        assert TokenFilesSection(tokenizer="t.json", formats=("plain",)).formats == ("plain",)
        shard = token_files.Shard(np.arange(3, dtype=np.uint16), np.array([3]), 10)
        token_files.packings()["plain"].write(tmp_path / "train-00000", shard)
        assert np.fromfile(tmp_path / "train-00000.u32", "<u4").tolist() == [0, 1, 2]
        with pytest.raises(ValueError, match="did you mean 'plain'"):
            TokenFilesSection(tokenizer="t.json", formats=("plane",))
    finally:
        monkeypatch.undo()
        forget()
