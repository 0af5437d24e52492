"""One kind of error: whatever a file or a setting holds, the end is an answer or a sentence of glotmix's own.

A minute of what `benchmarks.reliability` does for as long as one likes.
"""

from pathlib import Path

import pytest
from benchmarks import _fuzz, _fuzz_targets

from glotmix.core.errors import GlotmixError, RequestError
from glotmix.pipeline import recipe
from glotmix.pipeline.run import Job

LOGS = Path(__file__).parents[1] / "data" / "lm_eval"
TRIES = {"documents": 5, "recipes": 60, "overrides": 60}


@pytest.fixture(scope="module")
def targets():
    return {target.name: target for target in _fuzz_targets.targets(LOGS)}


NAMES = (
    "recipes",
    "overrides",
    "documents",
    "mixtures",
    "run tables",
    "records",
    "raters",
    "embedders",
    "scoring models",
    "tokenizers",
    "audited tokenizers",
    "evaluation logs",
)


@pytest.mark.parametrize("name", NAMES)
def test_damaged_files_and_settings_end_in_an_answer_or_a_sentence(name, targets, tmp_path):
    target = targets[name]
    for file, held in (target.files | target.beside).items():
        path = tmp_path / "whole" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(held)
    target.read(tmp_path / "whole")
    # Each seed tries others; a seed that found something is fixed and kept below.
    found = _fuzz.run(target, tmp_path / "damaged", TRIES.get(name, 100), seed=1)
    assert not found.foreign
    assert found.refused or name == "documents"


def test_the_harness_counts_what_is_foreign(tmp_path):
    def read(folder: Path) -> object:
        return (folder / "a.txt").read_text("utf-8")[100]

    found = _fuzz.run(_fuzz.Target("x", {"a.txt": b"short"}, read, {}), tmp_path / "x", 20)
    assert found.foreign and sum(found.foreign.values()) == 20


BASE = "name: x\ncorpus:\n  sources:\n    - {name: web, path: raw.jsonl, language: eng_Latn}\n"
RECIPES = {
    "infinite": BASE + "select: {rehydrate: .inf}\n",
    "deep": "a: " + "[" * 3000 + "]" * 3000,
    "deep mappings": "a: " + "{a: " * 3000 + "1" + "}" * 3000,
    "within itself": BASE + "settings: &x {default: *x}\n",
    "no date": BASE + "seed: 2024-13-45\n",
    "5,000 digits": BASE + "seed: " + "9" * 5000 + "\n",
    "a long path": BASE.replace("raw.jsonl", "a" * 3000),
    "a long output": BASE + "output: " + "a" * 3000 + "\n",
    "the home folder": BASE.replace("raw.jsonl", '"~"'),
    "the root": BASE.replace("raw.jsonl", "/"),
    "nobody's home": BASE.replace("raw.jsonl", '"~nobody-of-that-name/x"'),
    "no character of a name": BASE.replace("raw.jsonl", '"a\\0b"'),
    "half a character": BASE + 'settings: {default: {"\\ud800": 1}}\n',
    "a tag of Python's": BASE + "seed: !!python/object:os.system x\n",
}


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_that_cannot_be_end_in_a_sentence(name, tmp_path):
    (tmp_path / "raw.jsonl").write_text('{"text": "some words"}\n', "utf-8")
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPES[name], "utf-8")
    with pytest.raises(GlotmixError):
        Job(recipe.load(path), tmp_path).plan()


@pytest.mark.parametrize("word", ["seed=1e400", "a=&x [*x]", "seed=2024-13-45", "corpus.sources.²=x", "=", "..=1"])
def test_overrides_that_cannot_be_end_in_a_sentence(word, tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(BASE, "utf-8")
    with pytest.raises(RequestError):
        recipe.load(path, [word])
