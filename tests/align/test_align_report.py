"""The report of a model's alignment: checkpoints of several kinds, embedders, the page, the commands."""

import json
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from typer.testing import CliRunner

from align_world import SHAPE, WORDS, checkpoint, proxy, sentences, texts
from glotmix.align import alignment, states
from glotmix.cli import app
from glotmix.core.errors import DataError, RequestError
from glotmix.proxy import model
from glotmix.proxy.tokenizer import Pieces
from glotmix.report import alignment as page

RUN = CliRunner()


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint(tmp_path_factory.mktemp("decoder"), "decoder")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "parallel.parquet"
    rows = [{"i": key, "lang": lang, "text": text} for lang in WORDS for key, text in sentences(lang).items()]
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def test_a_proxy_is_read_as_it_was_trained(tmp_path: Path) -> None:
    folder, weights = proxy(tmp_path / "proxy")
    loaded = states.load(str(folder))
    assert loaded.layers == ("embedding", "1", "2", "3")
    said = [*sentences("rus_Cyrl", 9).values(), *sentences("tha_Thai", 9).values()]
    found = np.zeros((len(said), 4, SHAPE.width), np.float32)
    for at, some in loaded.states(said):
        found[at] = some
    pieces = Pieces(folder / "tokenizer.json")
    for text, row in zip(said, found, strict=True):
        ids = torch.from_numpy(pieces.encode([text])[0].astype(np.int64))[None, None]
        last = model.hidden(weights, SHAPE, ids)[0].numpy()
        by = np.arange(1, len(last) + 1)
        # Of a decoder the mean is weighted by position.
        np.testing.assert_allclose(row[-1], by @ last / by.sum(), rtol=1e-3, atol=1e-4)
    assert [p.tolist() for p in loaded.pieces(said)] == [p.tolist() for p in pieces.encode(said)]


def test_an_encoder_is_not_weighted_and_a_decoder_is(tmp_path: Path, decoder: Path) -> None:
    encoder = states.load(str(checkpoint(tmp_path, "encoder")))
    causal = states.load(str(decoder))
    assert isinstance(encoder, states.OfCheckpoint)
    assert isinstance(causal, states.OfCheckpoint)
    assert (encoder.weighted, causal.weighted) == (False, True)


def test_a_sentence_has_one_state_whatever_stands_beside_it(decoder: Path) -> None:
    loaded = states.load(str(decoder))
    said = [*sentences("eng_Latn", 30).values(), "", "ω" * 400]
    whole = np.zeros((len(said), len(loaded.layers), 32), np.float32)
    for at, some in loaded.states(said):
        whole[at] = some
    for number in (0, 7, 30, 31):
        ((_, alone),) = loaded.states([said[number]])
        np.testing.assert_allclose(whole[number], alone[0], rtol=1e-4, atol=1e-5)


def test_random_states_are_not_shown_and_a_model_that_knows_is() -> None:
    class Knows:
        """Two layers: one that knows what a sentence says, one of noise; its pieces differ between languages."""

        name, layers = "knows", ("knows", "noise")

        def __init__(self) -> None:
            self.meaning = {text: n for lang in WORDS for n, text in enumerate(sentences(lang).values())}

        def states(self, said):
            rng = np.random.default_rng(len(said[0]))
            for n, text in enumerate(said):
                known = np.random.default_rng(self.meaning[text]).standard_normal(16)
                both = np.stack([known + 0.2 * rng.standard_normal(16), rng.standard_normal(16)])
                yield np.array([n]), both[None].astype(np.float32)

        def pieces(self, said):
            return [np.frombuffer(text.encode("utf-16-le"), np.uint16).astype(np.int64) for text in said]

    found = alignment.report(Knows(), texts("eng_Latn", "amh_Ethi"), most=100)
    (pair,) = found.pairs
    assert [one.shown for one in pair.layers] == [True, False]
    assert pair.best is pair.layers[0]
    assert pair.layers[0].figures["p1"].value > 0.9
    assert pair.n == 100
    assert found.table().num_rows == 8


def test_an_untrained_checkpoint_is_not_shown(decoder: Path) -> None:
    found = alignment.report(states.load(str(decoder)), texts("eng_Latn", "rus_Cyrl", "tha_Thai"), most=60, draws=100)
    assert [(p.a, p.b) for p in found.pairs] == [
        ("eng_Latn", "rus_Cyrl"), ("eng_Latn", "tha_Thai"), ("rus_Cyrl", "tha_Thai"),
    ]  # fmt: skip
    assert not any(one.shown for pair in found.pairs for one in pair.layers)


def test_order_of_the_text_changes_nothing() -> None:
    embedder = states.load("static")
    given = texts("eng_Latn", "rus_Cyrl")
    turned = {lang: dict(reversed(said.items())) for lang, said in reversed(given.items())}
    assert alignment.report(embedder, given, most=50) == alignment.report(embedder, turned, most=50)


def test_what_cannot_be_compared_is_said() -> None:
    embedder = states.load("static")
    with pytest.raises(RequestError, match="a pair needs two"):
        alignment.report(embedder, texts("eng_Latn"))
    with pytest.raises(RequestError, match="the pivot deu_Latn is not there"):
        alignment.report(embedder, texts("eng_Latn", "rus_Cyrl"), "deu_Latn")
    with pytest.raises(DataError, match="no two languages share 10"):
        alignment.report(embedder, texts("eng_Latn", "rus_Cyrl", count=9))
    some = texts("eng_Latn", "rus_Cyrl", count=30) | {"tha_Thai": {"other": "แมว"}}
    found = alignment.report(embedder, some)
    assert [(p.a, p.b) for p in found.pairs] == [("eng_Latn", "rus_Cyrl")]
    assert len([w for w in found.warnings if "share 0 sentences" in w]) == 2
    assert any("50 are stable" in w for w in found.warnings)


@pytest.mark.parametrize("wrong", ["nothing", "./nothing", "/nowhere/model"])
def test_a_model_that_is_not_there_is_an_error_with_what_to_type(wrong: str) -> None:
    with pytest.raises(RequestError, match="there is no folder"):
        states.load(wrong)


def test_a_folder_that_is_no_checkpoint_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"holds no config\.json"):
        states.load(str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(DataError, match="transformers cannot read"):
        states.load(str(tmp_path))


def test_the_command_writes_page_and_table(decoder: Path, table: Path, tmp_path: Path) -> None:
    html, rows = tmp_path / "out" / "page.html", tmp_path / "out" / "rows.parquet"
    told = RUN.invoke(
        app,
        [
            "align",
            "report",
            str(decoder),
            str(table),
            "--key",
            "i",
            "--sentences",
            "50",
            "--draws",
            "100",
            "--json",
            "--page",
            str(html),
            "--table",
            str(rows),
            "--pivot",
            "eng",
            "--only",
            "eng_Latn",
            "--only",
            "tha_Thai",
        ],
    )
    assert told.exit_code == 0, told.output
    found = json.loads(told.stdout)
    assert [(p["a"], p["b"], p["n"]) for p in found["pairs"]] == [("eng_Latn", "tha_Thai", 50)]
    written = pq.read_table(rows)
    assert written.num_rows == 3 * 4
    first = next(r for r in written.to_pylist() if r["figure"] == "p1" and r["layer"] == "2")
    assert first["value"] == found["pairs"][0]["layers"][2]["figures"]["p1"]["value"]
    text = html.read_text("utf-8")
    assert r"English \u2013 Thai" in text
    assert "not shown" in text
    assert not re.search(r"(?:src|href)=\"https?:", text)
    spoken = RUN.invoke(app, ["align", "report", "static", str(table), "--key", "i", "--sentences", "50", "--quiet"])
    assert spoken.exit_code == 0, spoken.output
    assert "floor" in spoken.output


def test_the_heat_map_holds_every_pair_and_layer(decoder: Path) -> None:
    found = alignment.report(states.load(str(decoder)), texts("eng_Latn", "rus_Cyrl", "tha_Thai"), most=30, draws=100)
    html = page.render(found.as_dict())
    specs = [json.loads(s) for s in re.findall(r'<script type="application/json">(.*?)</script>', html, re.DOTALL)]
    assert len(specs) == 4
    for spec in specs:
        assert len(spec["datasets"]["rows"]) == 3 * 3
        assert {row["layer"] for row in spec["datasets"]["rows"]} == {"embedding", "1", "2"}
