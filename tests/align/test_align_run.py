"""A recipe with parallel text: declared in five forms, judged, packed, a share of the mixture, and a data set."""

import json
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

from glotmix.cli import app
from glotmix.core import record
from glotmix.core.errors import RequestError
from glotmix.mix import extra
from glotmix.pipeline import recipe as recipes
from glotmix.pipeline.run import Job
from glotmix.report import page, steps

SENTENCES = pq.read_table(Path(__file__).parents[1] / "data" / "sentences.parquet")
LANGS = ("eng_Latn", "tir_Ethi", "hin_Deva")


def texts_of(lang: str) -> list[str]:
    return [r["text"] for r in SENTENCES.to_pylist() if r["lang"] == lang]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    at = tmp_path_factory.mktemp("align")
    rows = [(n, lang, texts_of(lang)[n]) for n in range(40) for lang in LANGS]
    columns = {"i": [r[0] for r in rows], "lang": [r[1] for r in rows], "text": [r[2] for r in rows]}
    pq.write_table(pa.table(columns), at / "tico.parquet")
    for lang in ("en", "hi"):
        lines = texts_of({"en": "eng_Latn", "hi": "hin_Deva"}[lang])[60:80]
        (at / f"corpus.en-hi.{lang}").write_text("".join(f"{t}\n" for t in lines), "utf-8")
    (at / "small.tmx").write_text(
        '<tmx version="1.4"><body><tu><tuv xml:lang="en"><seg>Good morning &amp; welcome to all of you</seg></tuv>'
        '<tuv xml:lang="ti"><seg>ከመይ ሓዲርኩም፣ እንቋዕ ብደሓን መጻእኩም ኩልኹም</seg></tuv></tu></body></tmx>', "utf-8",
    )  # fmt: skip
    (at / "help.xlf").write_text(
        '<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2"><file source-language="en" '
        'target-language="hi"><body><trans-unit id="1"><source>Please close the door of the old house</source>'
        "<target>कृपया पुराने घर का दरवाज़ा बंद कर दें</target></trans-unit></body></file></xliff>", "utf-8",
    )  # fmt: skip
    for lang, name in (("eng_Latn", "en"), ("hin_Deva", "hi")):
        for n in range(3):
            path = at / "guide" / name / f"page{n}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join(texts_of(lang)[90 + 5 * n : 95 + 5 * n]), "utf-8")
    docs = [
        {"id": f"{lang}{n}", "text": text, "lang": lang}
        for lang in LANGS
        for n, text in enumerate(texts_of(lang)[120:200])
    ]
    (at / "web.jsonl").write_text("".join(json.dumps(d) + "\n" for d in docs), "utf-8")
    (at / "test.jsonl").write_text(json.dumps({"question": texts_of("hin_Deva")[3]}) + "\n", "utf-8")
    given = {
        "name": "tied",
        "corpus": {
            "sources": [{"name": "web", "path": "web.jsonl", "language": {"column": "lang"}, "license": "CC0-1.0"}]
        },
        "quality": None,
        "signals": {"contamination": {"sets": [{"name": "exam", "path": "test.jsonl", "columns": ["question"]}]}},
        "mix": {"tokens": 40_000},
        "align": {
            "parallel": [
                {
                    "name": "tico",
                    "path": "tico.parquet",
                    "language": {"column": "lang"},
                    "key": "i",
                    "license": "CC0-1.0",
                },
                {"name": "moses", "path": "corpus.en-hi.*", "format": "moses", "language": {"column": "lang"}},
                {"name": "memory", "path": "small.tmx", "language": {"column": "lang"}, "license": "MIT"},
                {"name": "help", "path": "help.xlf", "language": {"column": "lang"}},
                {"name": "guide-en", "path": "guide/en", "language": "eng_Latn", "key": "file", "of": "guide"},
                {"name": "guide-hi", "path": "guide/hi", "language": "hin_Deva", "key": "file", "of": "guide"},
            ],
            "moses": True,
            "pack": {"share": 0.1, "place": "last", "pairs": 5},
        },
    }
    (at / "recipe.yaml").write_text(yaml.safe_dump(given, allow_unicode=True), "utf-8")
    done = CliRunner().invoke(app, ["export", str(at / "recipe.yaml"), "--quiet"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return at


def pairs_of(folder: Path) -> list[dict]:
    return [
        r for p in sorted((folder / "out/align/pairs").glob("part-*.parquet")) for r in pq.read_table(p).to_pylist()
    ]


def test_every_declared_form_is_read(folder):
    told = record.read(folder / "out/align/pairs").notes["sets"]
    assert {name: s["units"] for name, s in told.items()} == {
        "tico": 40, "moses": 20, "memory": 1, "help": 1, "guide": 3,
    }  # fmt: skip
    memory = {r["lang"]: r for r in pairs_of(folder) if r["source"] == "memory"}
    assert set(memory) == {"eng_Latn", "tir_Ethi"}
    assert memory["eng_Latn"]["license"] == "MIT"
    xliff = {r["lang"]: (r["text"][:6], r["reason"]) for r in pairs_of(folder) if r["source"] == "help"}
    assert xliff == {"eng_Latn": ("Please", None), "hin_Deva": ("कृपया ", None)}


def test_a_translation_of_a_test_item_goes_with_it(folder):
    rows = [r for r in pairs_of(folder) if r["group"] == "tico:3"]
    assert {r["reason"] for r in rows} == {"evaluation"}
    assert len(rows) == 3
    found = record.read(folder / "out/align/pairs").notes["evaluation"]
    assert found == {
        "units": 1, "some_sides": 1, "side hin_Deva": 1, "translation eng_Latn": 1, "translation tir_Ethi": 1,
    }  # fmt: skip
    card = (folder / "out/align/dataset/README.md").read_text("utf-8")
    assert "in 1 the other side is a translation of a test item" in card


def test_the_share_stands_in_the_mixture_with_tokens_and_epochs_of_its_own(folder):
    told = json.loads((folder / "out/mixture/mixture.json").read_text("utf-8"))
    (one,) = told["sources"]
    packed = record.read(folder / "out/align/packed").counts["bytes"]
    assert one["tokens"] == packed
    assert one["tokens_used"] == 4_000
    assert one["epochs"] == pytest.approx(4_000 / packed)
    assert sum(r["tokens_used"] for r in told["languages"]) + one["tokens_used"] == 40_000
    assert one["phases"] == [[0.9, 0.0], [0.1, 1.0]]
    first, second = ((folder / f"out/dataset/blend.{n}.megatron.txt").read_text("utf-8") for n in (1, 2))
    assert "align" not in first
    assert second == "1.0 tokenized/align_text_document\n"


def test_the_data_set_holds_pairs_both_licences_directions_and_what_is_packed(folder):
    out = folder / "out/align/dataset"
    card = (out / "README.md").read_text("utf-8")
    front = yaml.safe_load(card.split("---")[1])
    assert front["configs"][0] == {"config_name": "eng_Latn-hin_Deva", "data_files": "pairs/eng_Latn-hin_Deva.parquet"}
    assert front["license"] == "other"
    assert "| CC0-1.0 | CC0-1.0 |" in card
    assert "| not declared | not declared |" in card
    directions = record.read(folder / "out/align/packed").notes["directions"]
    for name in ("eng_Latn>hin_Deva", "hin_Deva>eng_Latn"):
        assert f"| {name} | {directions[name]['samples']}" in card
    rows = pq.read_table(out / "pairs/eng_Latn-tir_Ethi.parquet").to_pylist()
    tree = ElementTree.parse(out / "pairs/eng_Latn-tir_Ethi.tmx")
    units = [[s.text for s in unit.iter("seg")] for unit in tree.iter("tu")]
    assert units == [[r["text_one"], r["text_other"]] for r in rows]
    moses = [(out / f"pairs/eng_Latn-tir_Ethi.{c}").read_text("utf-8").splitlines() for c in ("eng_Latn", "tir_Ethi")]
    assert len(moses[0]) == len(moses[1]) == len(rows)
    assert sum(p.stat().st_size for p in out.glob("packed/*")) > 0


def test_groups_are_what_the_signal_of_widths_reads(folder):
    rows = pq.read_table(folder / "out/align/pairs/groups.parquet")
    assert rows.column_names == ["group", "lang", "id"]
    parallel = pq.read_table(folder / "out/align/pairs/parallel.parquet")
    assert parallel.column_names == ["id", "lang", "text", "group", "source"]
    assert len(set(parallel["id"].to_pylist())) == parallel.num_rows == rows.num_rows


def test_pairs_of_an_earlier_run_feed_widths_and_calibration(tmp_path):
    """Mining needs the ledger, which needs the signals: what it found is for another run, by one setting."""
    docs = []
    for lang in ("eng_Latn", "hin_Deva"):
        numbers, texts = [*range(12), *(range(12, 26) if lang == "eng_Latn" else range(26, 40))], texts_of(lang)
        docs += [{"id": f"{lang}-{n}", "text": "\n".join(texts[n * 6 : n * 6 + 6]), "lang": lang} for n in numbers]
    (tmp_path / "web.jsonl").write_text("".join(json.dumps(d) + "\n" for d in docs), "utf-8")
    sources = [{"name": "web", "path": "web.jsonl", "language": {"column": "lang"}}]
    first = {"name": "one", "output": "first", "corpus": {"sources": sources}, "quality": None, "align": {"mine": {}}}
    (tmp_path / "first.yaml").write_text(yaml.safe_dump(first), "utf-8")
    Job(recipes.load(tmp_path / "first.yaml"), tmp_path).run("align/pairs")
    second = {"name": "two", "corpus": {"sources": sources}, "align": {"earlier": "first"}}
    (tmp_path / "second.yaml").write_text(yaml.safe_dump(second), "utf-8")
    job = Job(recipes.load(tmp_path / "second.yaml"), tmp_path)
    assert job.context.recipe.quality.parallel.path == ("first/align/pairs/parallel.parquet",)
    assert not job.context.has("align/pairs")
    job.run("signals/multiway_parallel")
    rows = [
        r for p in (tmp_path / "out/signals/multiway_parallel").glob("*.parquet") for r in pq.read_table(p).to_pylist()
    ]
    widths = {r["id"]: r["width"] for r in rows}
    assert sum(w == 2 for w in widths.values()) >= 18
    # What the recipe says itself stands.
    own = recipes.parse({**second, "quality": None, "signals": {"multiway_parallel": {"groups": "mine.parquet"}}}, "r")
    assert (own.quality, own.signals.multiway_parallel.groups) == (None, ("mine.parquet",))
    with pytest.raises(RequestError, match="the output of this run itself"):
        recipes.load(tmp_path / "second.yaml", ["output=first"])


def test_the_report_shows_pairs_side_by_side_and_an_alignment_by_layer(folder, tmp_path):
    row = {"model": "m", "a": "eng_Latn", "b": "tir_Ethi", "n": 60, "figure": "d_prime", "floor": 0.3}
    layers = [
        row | {"layer": f"layer {n}", "value": n / 2, "low": n / 2 - 0.1, "high": n / 2 + 0.1, "shown": n > 1}
        for n in range(3)
    ]
    pq.write_table(pa.Table.from_pylist(layers), folder / "alignment.parquet")
    job = Job(recipes.load(folder / "recipe.yaml", ["align.measured=alignment.parquet"]), folder)
    step_dir = job.context.step_dir
    inputs = page.ReportInputs(
        "tied", {}, step_dir("ledger"), job.context.corpus,
        {name: vars(record.read(step_dir(name))) for name in ("align/pairs", "align/packed")},
        pairs=step_dir("align/pairs"), alignment=steps._alignment(job.context),
    )  # fmt: skip
    page.make(SimpleNamespace(path=tmp_path), inputs)
    html = (tmp_path / "report.html").read_text("utf-8")
    section = html[html.index('<section id="parallel"') : html.index('<section id="quarantine"')]
    assert '<th scope="row">English – Hindi</th>' in section
    assert "English → Tigrinya" in section
    assert "<td>CC0-1.0</td>" in section
    assert "dropped: evaluation" in section
    assert 'lang="ti" dir="auto"' in section
    assert "in 1 the other side is a translation of a test item" in section
    assert section.count("<td>not shown</td>") == 2


def test_another_share_packs_nothing_again(folder):
    job = Job(recipes.load(folder / "recipe.yaml", ["align.pack.share=0.2"]), folder)
    states = {row["step"]: row["state"] for row in job.plan("dataset")}
    assert states["align/pairs"] == states["align/packed"] == "reused"
    assert states["mixture"] == "changed"


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("align.pack.kind=maping", "did you mean 'mapping'"),
        ("align.parallel=[]", "there is no parallel text"),
        ("align.write={tokenizer: t.json, formats: [megatron], length: 64}", "align.write.length=null"),
        ("align.mine={languages: [klingon]}", "align.mine.languages"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_made(folder, override, told):
    with pytest.raises(RequestError, match=told):
        recipes.load(folder / "recipe.yaml", [override])


def test_a_share_shrinks_where_there_is_too_little_text():
    found = extra.extra("align", 0.5, 100, 900, 1_000, 2.0, "spread")
    assert (found.tokens_used, found.share, found.epochs) == (200, 0.2, 2.0)
    assert extra.extra("align", 0.1, 10_000, 900, None, 2.0, "spread").tokens_used == 100
    with pytest.raises(RequestError, match="has no room"):
        extra.extra("align", 0.5, 10_000, 900, 1_000, 2.0, (0.0, 0.0, 1.0))


def test_what_the_recipe_does_not_ask_for_is_refused(folder):
    done = CliRunner().invoke(app, ["align", "pack", str(folder / "recipe.yaml"), "align.pack=null"])
    assert isinstance(done.exception, RequestError)
    assert "does not ask for align/packed" in str(done.exception)
