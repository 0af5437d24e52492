"""The page: whole, closed to the network, escaped, honest about what is absent, and the same bytes every time."""

import base64
import dataclasses
import doctest
import hashlib
import html
import importlib.metadata
import json
import re
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import altair
import numpy as np
import pytest

import report_world
from glotmix.core.record import Output, Silent
from glotmix.mix import plan
from glotmix.mix.accounting import Available
from glotmix.mix.config import MixConfig
from glotmix.report import page, shell
from verdict_world import rows_of, said

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
LOADING = {"src", "srcset", "poster", "data", "action", "formaction", "background", "ping", "manifest"}


class Tree(HTMLParser):
    """Checks that tags are balanced and ids unique, and collects elements with their attributes and text."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.ids = [], [], []
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), f"<{tag}> has an attribute twice"
        element = {"tag": tag, "attrs": dict(attrs), "text": "", "path": [e["tag"] for e in self.open]}
        self.elements.append(element)
        if "id" in element["attrs"]:
            self.ids.append(element["attrs"]["id"])
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag):
        assert self.open and self.open[-1]["tag"] == tag, f"</{tag}> closes {[e['tag'] for e in self.open[-2:]]}"
        self.open.pop()

    def handle_data(self, data):
        for element in self.open:
            element["text"] += data

    def all(self, tag, **attrs):
        wanted = {name.rstrip("_"): value for name, value in attrs.items()}
        return [e for e in self.elements if e["tag"] == tag and wanted.items() <= e["attrs"].items()]

    def section(self, name):
        return self.all("section", id=name)[0]["text"]


def make(folder, inputs):
    folder.mkdir(exist_ok=True)
    counts = page.make(Output(folder, "report", Silent()), inputs)
    return counts, (folder / page.REPORT).read_text("utf-8")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return report_world.write(tmp_path_factory.mktemp("world"), report_world.documents(), parts=2)


@pytest.fixture(scope="module")
def made(world, tmp_path_factory):
    return make(tmp_path_factory.mktemp("report"), world.inputs)


@pytest.fixture(scope="module")
def tree(made):
    return Tree(made[1])


def test_the_page_is_valid_and_every_anchor_leads_somewhere(made, tree):
    assert made[1].startswith("<!DOCTYPE html>")
    assert len(set(tree.ids)) == len(tree.ids)
    targets = [a["attrs"]["href"] for a in tree.all("a")]
    assert len(targets) > 8 and all(t.startswith("#") and t[1:] in tree.ids for t in targets)
    assert len(tree.all("h1")) == 1
    for table in (e for e in tree.elements if e["tag"] == "table"):
        at = tree.elements.index(table)
        assert tree.elements[at + 1]["tag"] == "caption" and tree.elements[at + 1]["text"].strip()


def test_every_plot_is_there_with_a_description_and_a_caption(made, tree):
    plots = tree.all("figure", class_="plot")
    assert made[0]["plots"] == len(plots) >= 10
    assert len(tree.all("div", class_="chart", role="img")) == len(plots)
    assert all(e["attrs"]["aria-label"].strip() for e in tree.all("div", class_="chart"))
    for script in tree.all("script", type="application/json"):
        spec = json.loads(script["text"])
        assert "$schema" not in spec and ("mark" in spec or "layer" in spec)


def test_nothing_is_loaded(made, tree):
    for element in tree.elements:
        for name, value in element["attrs"].items():
            assert name not in LOADING, f"<{element['tag']} {name}>"
            assert not name.startswith("on"), f"<{element['tag']} {name}>"
            if name == "href":
                assert value.startswith("#") or value == "data:,"
    assert not re.search(r"@import|url\(", tree.all("style")[0]["text"])
    policy = tree.all("meta", **{"http-equiv": "Content-Security-Policy"})[0]["attrs"]["content"]
    assert policy.startswith("default-src 'none';") and "script-src 'sha256-" in policy


def test_the_policy_lets_the_page_s_own_scripts_run_and_no_others(tree):
    policy = tree.all("meta", **{"http-equiv": "Content-Security-Policy"})[0]["attrs"]["content"]
    allowed = set(re.findall(r"'sha256-([^']+)'", policy))
    scripts = [s["text"] for s in tree.all("script") if s["attrs"].get("type") != "application/json"]
    assert {base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts} == allowed
    assert "'unsafe-inline'" not in policy.split("script-src")[1].split(";")[0]


def test_the_bundles_are_those_that_were_published():
    vendor = files("glotmix") / "report" / "vendor"
    told = re.findall(r"`(\S+\.js)` \| (\S+) (\S+), .*`([0-9a-f]{64})`", (vendor / "README.md").read_text("utf-8"))
    assert len(told) == 3
    for name, _, _, digest in told:
        assert hashlib.sha256((vendor / name).read_bytes()).hexdigest() == digest
        assert "</script" not in (vendor / name).read_text("utf-8").lower()
    versions = {package: version for _, package, version, _ in told}
    assert versions["vega-lite"] == altair.VEGALITE_VERSION
    assert set(versions.values()) == set(shell.VENDORED.values())
    assert "University of Washington" in (vendor / "LICENSE").read_text("utf-8")


def test_what_documents_say_is_text_and_nothing_else(made, tree, world):
    assert (
        "<script>document.title" not in made[1] and "<b>word</b>" not in made[1] and "alert(2)</script>" not in made[1]
    )
    shown = next(e for e in tree.all("p", class_="text") if "owned" in e["text"])
    assert shown["text"].startswith("<script>document.title='owned'</script><img src=x onerror=alert(1)> & ␇")
    assert any(report_world.EVIDENCE in e["text"] for e in tree.all("footer"))
    assert "one <b>word</b>" in tree.all("details", class_="told")[0]["text"]
    assert '{"text": "<script>alert(3)</script>' in tree.section("quarantine")
    assert not tree.all("img") and not tree.all("b")


def test_names_of_sources_rules_and_recipes_are_escaped_too(world, tmp_path):
    evil = "</script><script>alert(9)</script>"
    documents = report_world.documents(size=6)
    for d in documents:
        if d["source"] == "news":
            d["source"] = evil
        d["failed"] = [evil if r == "quality" else r for r in d["failed"]]
        d["rule"] = evil if d["rule"] == "quality" else d["rule"]
    hostile = report_world.write(tmp_path / "world", documents)
    inputs = dataclasses.replace(hostile.inputs, name=evil, recipe={"name": evil})
    _, text = make(tmp_path / "report", inputs)
    assert "alert(9)</script>" not in text and html.escape(evil) in text
    assert evil in Tree(text).all("h1")[0]["text"]


def test_the_numbers_of_the_page_are_those_of_the_ledger(tree, world):
    kept = sum(d["rule"] is None for d in world.documents)
    lead = " ".join(tree.all("p", class_="lead")[0]["text"].split())
    assert lead == (
        f"{len(world.documents):,} documents in 14 languages were read from 3 sources; {kept} of them "
        f"({kept / len(world.documents):.1%}) were kept."
    )
    cells = [e["attrs"].get("data-v", e["text"]) for e in tree.elements if e["tag"] in ("th", "td")]
    for lang in report_world.SENTENCES:
        mine = [d for d in world.documents if d["lang"] == lang]
        rules = [d["rule"] and d["rule"].split(".")[0] for d in mine]
        at = next(i for i, cell in enumerate(cells) if cell.endswith(f" {lang}") and cells[i + 1] == str(len(mine)))
        stages = ["license", "identify", "heuristics", "duplicates", "quality"]
        assert cells[at + 1 : at + 8] == [str(n) for n in (len(mine), *map(rules.count, stages), rules.count(None))]


def test_the_audit_is_told_with_intervals_and_what_could_not_be_measured(tree, world):
    told = json.loads(world.inputs.audit.read_text("utf-8"))
    section = tree.section("quality")
    assert f"{told['mean']['rater']['value']:.3f}" in section and told["normalisation"] in section
    for judged in told["languages"]:
        if judged["auc"]:
            found = judged["auc"]
            assert f"{found['value']:.3f} {found['low']:.3f} to {found['high']:.3f}" in section
    assert "not measured" in section
    assert "11 of the 14 languages of this data set have no labels" in section


def test_the_self_test_of_duplicates_is_told_with_its_intervals(tree):
    told = report_world.SELFTEST.as_json()
    low, high = told["recall_interval"]
    assert f"98.3% {low:.1%} to {high:.1%}" in tree.section("duplicates")
    assert "In Arab, recall is under the floor of 99.0%" in tree.section("duplicates")


def test_the_curve_of_the_chosen_bands_is_told(tree):
    told = tree.section("duplicates")
    assert "14 bands of 8 minima" in told and "its exact Jaccard similarity is 0.8 and more" in told
    [table] = [t for t in tree.all("table") if "Chance that two documents" in t["text"]]
    assert "0.75" in table["text"] and "92.3%" in table["text"]


def test_a_mixture_from_runs_is_told_with_its_intervals_laws_and_gains(world, tmp_path):
    there = Available.of(
        {"fra_Latn": (40, 40_000, 9_000), "arb_Arab": (30, 30_000, 8_000), "jpn_Jpan": (9, 9_000, 700)}
    )
    rng = np.random.default_rng(1)
    shares = rng.dirichlet(np.ones(3), 24).round(6)
    losses = (2 - 0.3 * np.log(shares + 0.02) + 0.01 * rng.standard_normal(shares.shape)).round(6)
    for name, suffix, values in (("ratios.csv", "", shares), ("metrics.csv", "_bpb", losses)):
        rows = [",".join(["run_id", *(lang + suffix for lang in there.languages)])]
        rows += [",".join([f"r{i}", *map(str, row)]) for i, row in enumerate(values.tolist())]
        (tmp_path / name).write_text("\n".join(rows) + "\n", "utf-8")
    asked = MixConfig(
        runs={"mixtures": "ratios.csv", "losses": "metrics.csv"},
        laws=("own_share", "ridge"),
        bootstrap=8,
        max_epochs=None,
    )
    planned = plan.plan(there, asked, tmp_path)
    plan.write(planned, tmp_path)
    _, text = make(tmp_path / "report", dataclasses.replace(world.inputs, mixture=tmp_path / "mixture.json"))
    section = Tree(text).section("mixture")
    assert "has no interval" not in section
    for row in planned.mixture.rows:
        assert f"{row.low:.1%} – {row.high:.1%}" in section
    for gain in planned.gains:
        assert f"{gain['over']}{gain['gain']:+.4f}{gain['low']:+.4f} to {gain['high']:+.4f}" in section
    for prediction in planned.predictions:
        assert f"{prediction['target']}{prediction['law']}" in section
        assert f"{prediction['losses']['chosen']:.4f}" in section


def test_every_excerpt_is_tagged_with_its_language(tree):
    tags = {e["attrs"]["lang"] for e in tree.all("p", class_="text")}
    assert {"fr", "ar", "he", "zh-Hans", "ja", "ko", "th", "my", "am"} <= tags
    assert all(e["attrs"]["dir"] == "auto" for e in tree.all("p", class_="text"))


def test_equal_inputs_give_equal_bytes_whatever_the_order_of_rows_and_parts(made, tmp_path):
    again = report_world.write(tmp_path / "world", report_world.documents(), parts=5, seed=11)
    slow = {step: found | {"seconds": 99.0} for step, found in again.inputs.records.items()}
    _, text = make(tmp_path / "report", dataclasses.replace(again.inputs, records=slow))
    assert text == made[1]


def test_what_is_absent_is_said_to_be_absent(world, tmp_path):
    bare = page.ReportInputs(
        name="bare", recipe={"name": "bare"}, ledger=world.inputs.ledger, corpus=world.inputs.corpus
    )
    counts, text = make(tmp_path / "report", bare)
    tree = Tree(text)
    assert counts["plots"] == 2
    for section, why in (
        ("scores", "no signal with a score"),
        ("language", "No language identification"),
        ("duplicates", "No duplicates signal"),
        ("quality", "No audit"),
        ("mixture", "No mixture"),
        ("quarantine", "No quarantine"),
        ("provenance", "No records"),
    ):
        assert why in tree.section(section)


def test_a_job_in_which_nothing_was_dropped(tmp_path):
    documents = report_world.documents(size=3)
    for d in documents:
        d |= {"failed": [], "rule": None, "evidence": None, "duplicate_of": None, "margin": None}
        d |= {"cluster": d["id"], "cluster_size": 1}
    easy = report_world.write(tmp_path / "world", documents)
    (easy.inputs.quarantine / "crawl.jsonl").unlink()
    _, text = make(tmp_path / "report", easy.inputs)
    tree = Tree(text)
    assert "No document failed any rule" in tree.section("rules")
    assert "No line of retention" in tree.section("examples")
    assert "every cluster holds one document" in tree.section("duplicates")
    assert "98.3%" in tree.section("duplicates"), "whether it would have found any"
    assert "every row of every source could be read" in tree.section("quarantine")
    assert "has no interval" in tree.section("mixture")


def test_the_page_is_small_and_tells_its_versions(made, tree):
    assert len(made[1].encode()) < 2_000_000
    assert f"Altair {importlib.metadata.version('altair')}" in tree.section("provenance")
    assert "0" * 12 not in tree.section("provenance")


def test_the_examples_of_the_documentation_run():
    failed, tried = doctest.testfile(str(Path(__file__).parents[2] / "docs" / "report.md"), module_relative=False)
    assert tried == 3 and not failed


def test_what_the_verdict_warns_of_stands_once_with_its_name(world, tmp_path):
    lang, *others = sorted({document["lang"] for document in report_world.documents()})
    parts = [(lang, "news", 200, 100, "quality", 0.8), (lang, "web", 200, 190, "quality", 0.8)]
    held = said(rows_of([*parts, *((other, "web", 100, 100, "", 0.8) for other in others)]))
    (one,) = held["findings"]
    (tmp_path / "verdict.json").write_text(json.dumps(held), "utf-8")
    warned = world.inputs.records["ledger"] | {"notes": {"warnings": [f"{one['text']} ({one['do']})"]}}
    inputs = dataclasses.replace(
        world.inputs, verdict=tmp_path / "verdict.json", records={**world.inputs.records, "verdict": warned}
    )
    _, text = make(tmp_path / "report", inputs)
    told = Tree(text).section("verdict")
    assert told.count("[source-loses]") == 1
    assert "one <b>word</b>" in told, "what other steps warn of stays"
