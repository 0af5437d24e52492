"""A recipe is read without the numerics, and an override's place in a list is a number that a list can have."""

import subprocess
import sys

import pytest

from glotmix.core.errors import RequestError
from glotmix.pipeline import recipe
from glotmix.pipeline.run import Job


def test_reading_a_recipe_and_its_steps_imports_no_numerics():
    code = (
        "import sys, glotmix.pipeline.run; from glotmix.core import registry; registry.declared('STEPS'); "
        "print([m for m in ('scipy', 'sklearn', 'lightgbm', 'torch', 'jinja2', 'daft') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("place", ["1", "x", "-1", "9" * 5000])
def test_a_place_that_a_list_does_not_have_is_refused(place):
    given = {"name": "a", "corpus": {"sources": [{"name": "web", "path": "a.jsonl", "language": "fra_Latn"}]}}
    with pytest.raises(RequestError, match="is not a position in a list of 1"):
        recipe.overridden(given, [f"corpus.sources.{place}.name=b"])
    assert recipe.overridden(given, ["corpus.sources.0.name=b"])["corpus"]["sources"][0]["name"] == "b"


def test_a_step_that_there_is_not_is_refused_with_those_that_there_are(tmp_path):
    given = {"name": "a", "corpus": {"sources": [{"name": "web", "path": "a.jsonl", "language": "fra_Latn"}]}}
    with pytest.raises(RequestError, match=r"no step 'ledgers'.*did you mean 'ledger'(?s:.*)one of corpus, .*report"):
        Job(recipe.parse(given), tmp_path).upto("ledgers")
