"""One finished run for all tests of the explorer."""

import pytest

import explore_world
from glotmix.explore.calls import Explorer
from glotmix.explore.documents import Documents


@pytest.fixture(scope="session")
def recipe(tmp_path_factory):
    """The path of a recipe that was run up to its mixture; nothing may be changed in its folder."""
    return explore_world.run(tmp_path_factory.mktemp("explored"))


@pytest.fixture(scope="session")
def documents(recipe):
    return Documents(explore_world.job(recipe).context)


@pytest.fixture(scope="session")
def explorer(documents):
    return Explorer(documents, "recipe.yaml")
