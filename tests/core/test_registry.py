"""Declarations: steps in the order of their needs, identities that hold every version, recipes refused at once."""

import re
from importlib import import_module
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import glotmix
from glotmix.core import registry
from glotmix.core.context import RunContext
from glotmix.core.errors import GlotmixError, RequestError
from glotmix.core.record import Identity
from glotmix.core.step import StepSpec
from glotmix.pipeline import recipe as recipes
from glotmix.pipeline.run import Job, demo_recipe

ROOT = Path(glotmix.__file__).parent
FORMATS = {
    # Of the models that it reads: an embedder made with another version is refused when it is loaded.
    "glotmix.embed.features",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    at = tmp_path_factory.mktemp("registry")
    pq.write_table(pa.table({"group": ["a"], "lang": ["fra_Latn"], "id": ["x"]}), at / "groups.parquet")
    (at / "set.jsonl").write_text('{"question": "who?"}\n', "utf-8")
    turns = '[{"role": "user", "content": "salut"}, {"role": "assistant", "content": "bonjour"}]'
    (at / "chat.jsonl").write_text(f'{{"id": "1", "messages": {turns}}}\n', "utf-8")
    (at / "docs.jsonl").write_text('{"id": "1", "text": "bonjour à tous"}\n', "utf-8")
    return at


def job(folder: Path, name: str, *overrides: str) -> Job:
    if name == "chat":
        given = {"name": "chat", "kind": "instructions", "instruct": {"select": {"size": 1, "method": "diversity"}}}
    else:
        given = {"name": "docs"}
    given["corpus"] = {"sources": [{"name": "a", "path": f"{name}.jsonl", "language": "fra_Latn"}]}
    data = given | {"output": "out"}
    for override in overrides:
        recipes._override(data, override)
    return Job(recipes.parse(data), folder)


def identities(folder: Path) -> dict[tuple[str, str], Identity]:
    """The identities of the steps of several recipes that together have every step which needs no training."""
    wanted = {
        "docs": [
            "signals.boilerplate.remove=true",
            "signals.contamination.sets=[{name: e, path: set.jsonl, columns: [question]}]",
            "signals.multiway_parallel.groups=groups.parquet",
            "signals.embed=static",
            "quality.features=[structure, static]",
        ],
        "budget": ["select.retain=budget", "mix.tokens=1e6"],
        "proxies": ["mix.proxies.tokens=1000"],
        "cells": ["mix.cells=source"],
        "tied": ["align.mine={}", "align.pack={}"],
        "chat": [],
    }
    found = {}
    for name, overrides in wanted.items():
        made = job(folder, "chat" if name == "chat" else "docs", *overrides)
        found |= {(name, step.name): identity for step, identity in made.identities(None)}
    return found


def versioned() -> list[str]:
    """The modules that have a version."""
    paths = (p for p in ROOT.rglob("*.py") if re.search(r"^VERSION\b", p.read_text("utf-8"), re.MULTILINE))
    names = (".".join(("glotmix", *p.relative_to(ROOT).with_suffix("").parts)) for p in paths)
    return sorted(name.removesuffix(".__init__") for name in names)


def test_raising_any_version_in_the_package_changes_the_identity_of_a_step(folder, monkeypatch):
    before = {key: one.fingerprint for key, one in identities(folder).items()}
    # What a finished rater reads, a model of conversations and signatures of another corpus need files of their own.
    called = {name for spec in registry.declared("STEPS") if isinstance(spec, StepSpec) and not callable(spec.code)
              for name in spec.code}  # fmt: skip
    for name in versioned():
        module = import_module(name)
        with monkeypatch.context() as patch:
            patch.setattr(module, "VERSION", module.VERSION + 1)
            after = {key: one.fingerprint for key, one in identities(folder).items()}
        assert after != before or name in called | FORMATS, f"no step's identity holds the version of {name}"


def test_a_ledger_that_keeps_by_budget_is_made_again_when_the_mixture_is(folder, monkeypatch):
    module = import_module("glotmix.mix")
    before = identities(folder)
    monkeypatch.setattr(module, "VERSION", module.VERSION + 1)
    after = identities(folder)
    ledger = {
        name: before[name, "ledger"].fingerprint != after[name, "ledger"].fingerprint for name in ("docs", "budget")
    }
    assert ledger == {"docs": False, "budget": True}


@pytest.mark.parametrize("name", ["glotmix.select.ledger_builder", "glotmix.select.rules", "glotmix.select.ledger"])
def test_the_code_of_the_ledger_is_part_of_its_identity(folder, monkeypatch, name):
    before = identities(folder)["docs", "ledger"].fingerprint
    monkeypatch.setattr(import_module(name), "VERSION", 1_000)
    assert identities(folder)["docs", "ledger"].fingerprint != before


def test_what_a_finished_rater_reads_has_the_versions_of_all_that_it_calls():
    spec = next(s for s in registry.declared("STEPS") if isinstance(s, StepSpec) and s.name == "signals/rater_features")
    assert {"glotmix.signals.layout", "glotmix.quality.word_order", "glotmix.quality.coherence"} <= set(spec.code)


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("mix.laws=[bogus]", "there is no law 'bogus'"),
        ("mix.floors={xxx: 0.1}", r"mix\.floors: 'xxx'"),
        ("mix.groups={g: {languages: [klingon]}}", r"mix\.groups\.g: 'klingon'"),
        ("select.tokens={nolang: 5}", r"select\.tokens: 'nolang'"),
        ("mix.method=law", r"mix\.method=law needs runs"),
    ],
)
def test_what_could_only_fail_after_all_the_work_is_refused_before_it(folder, override, told):
    with pytest.raises(RequestError, match=told):
        job(folder, "docs", override).plan()


def test_the_seed_of_a_recipe_is_that_of_its_sections(folder):
    made = job(folder, "docs", "seed=7", "mix.proxies.tokens=1000").recipe
    assert (made.mix.seed, made.mix.proxies.seed) == (7, 7)
    own = job(folder, "docs", "seed=7", "mix.seed=3").recipe
    assert (own.seed, own.mix.seed) == (7, 3)
    assert job(folder, "docs").recipe.mix.seed == 0


def test_old_names_of_keys_are_refused_with_the_new_ones():
    path, overrides = demo_recipe(Path("out"), small=True)
    renamed = [pair for key in registry.recipe_keys() for pair in key.renamed]
    assert ("mix.anchor", "mix.kl_strength") in renamed
    for old, new in renamed:
        more = [] if not old.startswith("raters") else ["raters.documents=d", "raters.reference=fra_Latn"]
        with pytest.raises(RequestError, match=f"{re.escape(old)} is called {re.escape(new)} now"):
            recipes.load(path, [*overrides, *more, f"{old}=1"])


def test_the_reference_page_is_what_the_code_declares(monkeypatch):
    root = Path(__file__).parents[2]
    monkeypatch.syspath_prepend(str(root / "scripts"))
    for name, page in import_module("reference").pages().items():
        assert (root / "docs" / name).read_text("utf-8") == page, "python scripts/reference.py"


def test_steps_stand_after_those_that_they_need(folder):
    for name in ("docs", "chat"):
        context = job(folder, name).context
        order = [step.name for step in context.steps]
        for step in context.steps:
            assert all(order.index(need) < order.index(step.name) for need in step.needs(context))
        assert order[0] == "corpus" and order[-1] == "report"


def spec(name: str, *needs: str) -> StepSpec:
    return StepSpec(name=name, code=("glotmix.mix",), make=lambda context, output: {}, needs=lambda context: needs)


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ((spec("a", "b"), spec("b", "a")), "in a circle: (a → b → a|b → a → b)"),
        ((spec("a", "nowhere"),), "the step a needs nowhere"),
        ((spec("a"), spec("a")), "two steps are called a"),
    ],
)
def test_circles_gaps_and_doubles_are_errors(folder, monkeypatch, steps, told):
    context = RunContext(job(folder, "docs").recipe, folder, folder / "out")
    monkeypatch.setattr(registry, "declared", lambda kind: steps)
    with pytest.raises(GlotmixError, match=told):
        registry.steps(context)


@pytest.mark.parametrize(
    ("kind", "called", "name"),
    [
        ("LAW", "laws", "law.name"),
        ("READER", "readers", "name"),
        ("PACKING", "packings", "name"),
        ("PAIRING", "ways", "name"),
    ],
)
def test_names_are_in_their_order_and_two_of_one_name_are_refused(kind, called, name, monkeypatch):
    found = registry.by_name(kind, called, name)
    assert len(found) == len(registry.declared(kind)) > 1
    places = [getattr(one, "place", 0) for one in found.values()]
    assert places == sorted(places)
    first = next(iter(found.values()))
    monkeypatch.setattr(registry, "declared", lambda kind: (first, first))
    with pytest.raises(GlotmixError, match=f"two {called} are called {next(iter(found))}(?s:.*)uninstall"):
        registry.by_name(kind, called, name)
