"""Ensembles as Ray tasks (`pytest -m ray`; minutes, in an environment of its own): the bytes of the local engine."""

import json

import pytest
from benchmarks import _ray

pytestmark = pytest.mark.ray


def test_ensembles_trained_as_ray_tasks_leave_the_same_bytes(tmp_path):
    local, made = _ray.proxies(tmp_path / "both")
    differing, files = _ray.different(local, made)
    assert not differing and files > 30
    trained = sorted((made / "proxies" / "losses").glob("*.json"))
    assert len(trained) == 3, "three ensembles, three tasks"
    losses = [loss for path in trained for row in json.loads(path.read_text()).values() for loss in row]
    assert len(losses) == 8 * len(_ray.LANGUAGES) and 0.5 < min(losses) < max(losses) < 15
