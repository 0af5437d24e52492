import json
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from glotmix.core.errors import DataError, RequestError
from glotmix.embed import features
from glotmix.embed.choose import load
from glotmix.embed.contrast import accuracy
from glotmix.embed.quantise import Quantised, axes, quantise
from glotmix.embed.static import StaticEmbedder, read, shipped

SCRIPTS = {
    "Latn": "Children play in the water.",
    "Cyrl": "Дети играют в воде.",
    "Grek": "Τα παιδιά παίζουν στο νερό.",
    "Arab": "الأطفال يلعبون في الماء.",
    "Hebr": "הילדים משחקים במים.",
    "Deva": "बच्चे पानी में खेलते हैं।",
    "Beng": "শিশুরা পানিতে খেলে।",
    "Thai": "เด็กเล่นน้ำ",
    "Mymr": "ကလေးများ ရေထဲတွင် ကစားကြသည်။",
    "Hans": "孩子们在水里玩。",
    "Jpan": "子供たちは水の中で遊ぶ。",
    "Kore": "아이들이 물에서 논다.",
    "Ethi": "ልጆች በውሃ ውስጥ ይጫወታሉ።",
    "Taml": "குழந்தைகள் தண்ணீரில் விளையாடுகிறார்கள்.",
    "Geor": "ბავშვები წყალში თამაშობენ.",
    "Armn": "Երեխաները խաղում են ջրում։",
    "Khmr": "កុមារលេងទឹក",
    "Laoo": "ເດັກນ້ອຍຫຼິ້ນນ້ຳ",
}


@pytest.fixture(scope="module")
def sentences() -> list[str]:
    rows = pq.read_table("tests/data/sentences.parquet")["text"].to_pylist()
    return rows[::9]


def decoded(model: StaticEmbedder, text: str) -> NDArray[np.float32]:
    """The sum of what the model holds for each feature of a text, in plain numpy."""
    keys = features.hashes([text])[1]
    rows = [i for k in keys.tolist() for i in np.flatnonzero(model.keys == k).tolist()]
    codes, scales = model.vectors.codes[rows], model.vectors.scales[rows]
    found = Quantised(codes, scales, model.vectors.centroids).vectors()
    total = np.sum(found, axis=0, dtype=np.float64) if rows else np.zeros(model.width)
    return (total / max(float(np.linalg.norm(total)), 1e-9)).astype(np.float32)


def test_every_script_has_vectors_and_its_translation_is_nearer_than_another_sentence() -> None:
    model = shipped()
    found = model.embed(list(SCRIPTS.values()))
    assert found.shape == (len(SCRIPTS), model.width) and found.dtype == np.float32
    assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-5)
    other = model.embed(["The parliament adopted the budget yesterday."])[0]
    for script, vector in zip(SCRIPTS, found, strict=True):
        assert vector @ found[0] > vector @ other, script


def test_texts_without_words_have_the_zero_vector() -> None:
    model = shipped()
    assert not model.embed(["", " \n", "…!?", "\u200b"]).any()
    assert model.embed([]).shape == (0, model.width)


def test_vectors_are_the_sums_that_the_description_says() -> None:
    model = shipped()
    for text in SCRIPTS.values():
        assert model.embed([text])[0] == pytest.approx(decoded(model, text), abs=1e-5)


@pytest.mark.parametrize("group", [8, 5])
def test_long_texts_are_the_same_sums(group: int) -> None:
    """Beyond some hundred features a text is summed by centroids: on either side of that, and several times it."""
    keys = features.hashes(list(SCRIPTS.values()))[1]
    keys = np.ascontiguousarray(np.unique(keys)[::2])
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 256, (len(keys), 3), dtype=np.uint8)
    centroids = rng.standard_normal((3, 256, group)).astype(np.float32)
    scales = rng.random(len(keys)).astype(np.float32)
    model = StaticEmbedder(keys, Quantised(codes, scales, centroids), {})
    whole = " ".join(SCRIPTS.values())
    assert len(features.hashes([whole])[1]) > 2 * 384
    texts = [whole[:n] for n in range(60, len(whole), 7)] + [whole * 40, *SCRIPTS.values()]
    counts = [len(features.hashes([t])[1]) for t in texts]
    assert {np.sign(n - 384) for n in counts} >= {-1, 1}
    for text, vector in zip(texts, model.embed(texts), strict=True):
        assert vector == pytest.approx(decoded(model, text), abs=1e-5)


def test_a_vector_depends_on_its_own_text_alone(sentences: list[str]) -> None:
    model = shipped()
    found = model.embed(sentences)
    order = np.random.default_rng(0).permutation(len(sentences))
    assert np.array_equal(model.embed([sentences[i] for i in order]), found[order])
    assert np.array_equal(np.concatenate([model.embed([t]) for t in sentences]), found)
    assert np.array_equal(model.embed(pa.array(sentences).slice(7)), found[7:])
    assert np.array_equal(model.embed(pa.chunked_array([sentences[:9], sentences[9:]])), found)


def test_threads_give_the_same_vectors(sentences: list[str]) -> None:
    model = shipped()
    alone, found = model.embed(sentences), {}

    def work(n: int) -> None:
        found[n] = model.embed(sentences)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(found[n], alone) for n in range(4))


def test_translations_are_found_among_a_hundred() -> None:
    rows, model = pq.read_table("tests/data/tatoeba.parquet"), shipped()
    shares = {}
    for lang in pc.unique(rows["lang"]).to_pylist():
        pairs = rows.filter(pc.equal(rows["lang"], lang))
        there, back = accuracy(model.embed(pairs["text"]), model.embed(pairs["eng"]))
        shares[lang] = (there + back) / 2 / pairs.num_rows
    # Chance is 0.01.
    assert min(shares.values()) > 0.2, shares
    assert np.mean(list(shares.values())) > 0.35, shares


def test_languages_scripts_and_size_that_are_promised() -> None:
    model = shipped()
    languages = model.about["languages"]
    assert len(languages) >= 60
    assert len({code.split("_")[1] for code in languages}) >= 12
    folder = Path("src/glotmix/data/embedder")
    assert sum(f.stat().st_size for f in folder.iterdir()) <= 25e6


def test_a_model_written_and_read_is_the_same(tmp_path: Path) -> None:
    model = shipped()
    model.write(tmp_path / "model")
    again = read(tmp_path / "model")
    assert again.fingerprint == model.fingerprint and again.about == model.about
    assert np.array_equal(again.embed(["water"]), model.embed(["water"]))
    assert load("model", tmp_path).fingerprint == model.fingerprint
    changed = StaticEmbedder(model.keys, model.vectors._replace(scales=model.vectors.scales * 2), {})
    assert changed.fingerprint != model.fingerprint


def test_the_fingerprint_is_the_same_in_another_process() -> None:
    code = "from glotmix.embed.choose import load; print(load('static').fingerprint)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == shipped().fingerprint


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="no embedder 'sttic'"):
        load("sttic")
    with pytest.raises(RequestError, match="no static embedder"):
        load(".", tmp_path)
    tiny = StaticEmbedder(
        np.array([3, 5], np.uint32), quantise(np.eye(2, 8, dtype=np.float32), np.ones(2), 8, 0), {"languages": []}
    )
    tiny.write(tmp_path)
    header = json.loads((tmp_path / "embedder.json").read_text("utf-8"))
    (tmp_path / "embedder.json").write_text(json.dumps(header | {"features": 0}), "utf-8")
    with pytest.raises(DataError, match=r"of format \(1, 0\)"):
        read(tmp_path)
    (tmp_path / "embedder.json").write_text(json.dumps(header), "utf-8")
    (tmp_path / "model.safetensors").write_bytes(b"not a model")
    with pytest.raises(DataError, match="cannot be read"):
        read(tmp_path)
    StaticEmbedder(tiny.keys, tiny.vectors._replace(scales=np.ones(3, np.float32)), {}).write(tmp_path)
    with pytest.raises(DataError, match="do not fit together"):
        read(tmp_path)


def test_quantised_sums_stay_near_the_exact_ones() -> None:
    generator = np.random.default_rng(0)
    vectors = generator.standard_normal((2_000, 64)).astype(np.float32)
    vectors *= generator.lognormal(size=(2_000, 1)).astype(np.float32)
    found = quantise(vectors, np.ones(2_000), 4, seed=1)
    near = found.vectors()
    cosines = (near * vectors).sum(1) / np.linalg.norm(near, axis=1) / np.linalg.norm(vectors, axis=1)
    assert cosines.mean() > 0.9
    picks = generator.integers(0, 2_000, (200, 40))
    one, other = vectors[picks].sum(1), near[picks].sum(1)
    sums = (one * other).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)
    assert sums.min() > 0.85
    again = quantise(vectors, np.ones(2_000), 4, seed=1)
    assert all(np.array_equal(a, b) for a, b in zip(found, again, strict=True))


def test_axes_are_the_leading_ones_and_spread_the_variance() -> None:
    generator = np.random.default_rng(5)
    spread = np.geomspace(1, 1e-3, 48)
    hidden = np.linalg.qr(generator.standard_normal((48, 48)))[0]
    vectors = (generator.standard_normal((5_000, 48)) * spread @ hidden).astype(np.float32)
    found = axes(vectors, np.ones(5_000), 16, seed=3)
    assert found.T @ found == pytest.approx(np.eye(16), abs=1e-5)
    kept = vectors @ found
    assert (kept**2).sum() / (vectors**2).sum() == pytest.approx((spread[:16] ** 2).sum() / (spread**2).sum(), rel=0.01)
    groups = (kept**2).sum(0).reshape(4, 4).sum(1)
    assert groups.max() < 3 * groups.min()


def test_few_rows_are_quantised_exactly() -> None:
    vectors = np.random.default_rng(2).standard_normal((40, 16)).astype(np.float32)
    found = quantise(vectors, np.ones(40), 4, seed=0)
    assert isinstance(found, Quantised)
    assert found.vectors() == pytest.approx(vectors, abs=3e-3)
