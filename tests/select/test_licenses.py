"""Licences: expressions, lists, and what they do to a corpus."""

import itertools
import json

import pyarrow as pa
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from glotmix.core import table
from glotmix.core.errors import RequestError
from glotmix.pipeline import recipe, run
from glotmix.select.licenses import LicenseConfig, UnknownLicenseError, judge, parse

IDS = ["MIT", "Apache-2.0", "CC-BY-SA-4.0", "GPL-3.0-only"]


@st.composite
def expressions(draw, depth: int = 3) -> tuple[str, object]:
    """An expression as text, and as a function of the ids that are allowed."""
    if depth == 0 or draw(st.booleans()):
        one = draw(st.sampled_from(IDS))
        return one, lambda allowed: one in allowed
    how = draw(st.sampled_from(["AND", "OR"]))
    parts = [draw(expressions(depth=depth - 1)) for _ in range(draw(st.integers(2, 3)))]
    both = all if how == "AND" else any
    return f" {how} ".join(f"({text})" for text, _ in parts), lambda allowed: both(say(allowed) for _, say in parts)


@given(expressions())
@settings(max_examples=60, deadline=None)
def test_an_expression_is_satisfied_as_boolean_algebra_says(one):
    text, truth = one
    for size in range(1, 4):
        for allowed in itertools.combinations(IDS, size):
            assert LicenseConfig(allow=allowed).permits(parse(text)) == truth(allowed)
            rest = tuple(i for i in IDS if i not in allowed)
            assert LicenseConfig(deny=rest).permits(parse(text)) == truth(allowed)


def test_and_binds_closer_than_or_and_case_does_not_matter():
    assert parse("mit or apache-2.0 and gpl-3.0-only") == ("OR", ("MIT", ("AND", ("Apache-2.0", "GPL-3.0-only"))))
    assert parse("(MIT OR Apache-2.0) AND GPL-3.0-only") == ("AND", (("OR", ("MIT", "Apache-2.0")), "GPL-3.0-only"))
    with_one = parse("GPL-2.0-only WITH Classpath-exception-2.0")
    assert LicenseConfig(allow=("GPL-2.0-only",)).permits(with_one)
    assert not LicenseConfig(allow=("MIT",)).permits(with_one)


def test_an_id_that_spdx_does_not_know_is_refused_with_a_suggestion():
    with pytest.raises(UnknownLicenseError, match=r"did you mean.*'CC-BY-SA-4.0'"):
        parse("CC BY-SA 4.0")
    data = {"name": "x", "corpus": {"sources": [{"name": "a", "path": "a", "language": "fra_Latn"}]}}
    with pytest.raises(RequestError, match=r"select.licenses.allow.0: .*did you mean 'Apache-2.0'"):
        recipe.parse(data | {"select": {"licenses": {"allow": ["Apache 2.0"]}}})
    with pytest.raises(RequestError, match="list its licences one by one"):
        recipe.parse(data | {"select": {"licenses": {"deny": ["MIT OR ISC"]}}})
    assert recipe.parse(data | {"select": {"licenses": {"allow": ["mit"]}}}).select.licenses.allow == ("MIT",)


@pytest.mark.parametrize("missing", ["keep", "drop"])
@pytest.mark.parametrize("unknown", ["keep", "drop"])
def test_what_no_list_decides_goes_by_the_policies_and_is_counted(missing, unknown):
    texts = ["MIT", None, "", "cc0", "CC-BY-NC-4.0", "CC-BY-4.0", "cc0"]
    config = LicenseConfig(allow=("MIT", "CC-BY-*"), deny=("CC-BY-NC*",), missing=missing, unknown=unknown)
    found = judge(pa.array(texts), config)
    gone = {4} | ({1, 2} if missing == "drop" else set()) | ({3, 6} if unknown == "drop" else set())
    assert set(found.failures.rows.tolist()) == gone
    assert found.missing == 2
    assert dict(found.unknown) == {"cc0": 2}
    by_row = dict(zip(found.failures.rows.tolist(), found.failures.evidence, strict=True))
    assert by_row[4] == "CC-BY-NC-4.0 is denied"
    assert any("'cc0' is no SPDX licence" in w and "2 documents" in w for w in found.warnings(config))
    assert any("2 documents have no licence" in w for w in found.warnings(config))


SENTENCES = [
    "Le marché ouvre à huit heures et ferme à midi, sauf le dimanche.",
    "La rivière traverse la vieille ville avant de rejoindre la mer.",
    "Les enfants apprennent à lire dans une école près du port.",
    "On récolte les pommes en automne, quand les nuits sont fraîches.",
    "Cette maison fut bâtie par un menuisier venu de la montagne.",
    "Le train du soir arrive toujours avec quelques minutes de retard.",
]


@pytest.mark.parametrize("mixed", [False, True])
def test_a_list_of_licences_counts_as_all_of_them(tmp_path, mixed):
    given_ = [["MIT", "ISC"], ["CC-BY-NC-4.0"], ["MIT", "CC-BY-NC-4.0"], [], None, [""]]
    if mixed:
        given_[5] = "CC-BY-NC-4.0"  # so the column is JSON text
    lines = [
        {"id": f"w{i}", "text": text, "lic": license_}
        for i, (text, license_) in enumerate(zip(SENTENCES, given_, strict=True))
    ]
    (tmp_path / "web.jsonl").write_text("\n".join(json.dumps(line, ensure_ascii=False) for line in lines), "utf-8")
    data = {
        "name": "listed",
        "corpus": {
            "sources": [{"name": "w", "path": "web.jsonl", "language": "fra_Latn", "license": {"column": "lic"}}]
        },
        "quality": None,
        "select": {"licenses": {"deny": ["CC-BY-NC*"]}},
    }
    job = run.Job(recipe.parse(data), tmp_path)
    job.run("ledger")
    rows = {r["id"]: r["rule"] for r in table.read(table.shards(job.folder / "ledger")).to_pylist()}
    gone = {"w1", "w2", "w5"} if mixed else {"w1", "w2"}
    assert {i for i, rule in rows.items() if rule == "license"} == gone


def test_a_corpus_is_selected_by_licence_and_the_card_names_only_what_is_kept(tmp_path):
    given_ = ["MIT", "CC-BY-NC-4.0", "MIT OR GPL-3.0-only", None, "CC0-1.0", "nonsense"]
    lines = [
        {"id": f"w{i}", "text": text, "meta": {"license": license_}}
        for i, (text, license_) in enumerate(zip(SENTENCES, given_, strict=True))
    ]
    (tmp_path / "web.jsonl").write_text("\n".join(json.dumps(line, ensure_ascii=False) for line in lines), "utf-8")
    closed = {"id": "c0", "text": "Un vieux phare éclaire encore la côte pendant les nuits d'hiver."}
    (tmp_path / "closed.jsonl").write_text(json.dumps(closed, ensure_ascii=False), "utf-8")
    web = {"name": "web", "path": "web.jsonl", "language": "fra_Latn", "license": {"column": "meta.license"}}
    shut = {"name": "shut", "path": "closed.jsonl", "language": "fra_Latn", "license": "GPL-3.0-only"}
    data = {
        "name": "licensed",
        "corpus": {"sources": [web, shut]},
        "quality": None,
        "mix": {"tokens": 300},
        "select": {"licenses": {"allow": ["MIT", "CC0-1.0"], "missing": "drop"}},
    }
    job = run.Job(recipe.parse(data), tmp_path)
    summary = job.run("dataset")
    rows = {r["id"]: r for r in table.read(table.shards(job.folder / "ledger")).to_pylist()}
    assert {i: r["rule"] for i, r in rows.items()} == {
        "w0": None, "w1": "license", "w2": None, "w3": "license", "w4": None, "w5": "license", "c0": "license",
    }  # fmt: skip
    assert rows["w2"]["license"] == "MIT OR GPL-3.0-only"
    assert any("'nonsense' is no SPDX licence" in w for w in summary["warnings"])
    card = (job.folder / "dataset" / "README.md").read_text("utf-8")
    front = yaml.safe_load(card.split("---\n")[1])
    assert sorted(front["license"]) == ["cc0-1.0", "mit", "other"]  # an expression has no name on the Hub
    assert "`license`" in card
    assert "Licences: MIT, CC0-1.0." in card
    assert "by document, column `meta.license`: CC0-1.0, MIT, MIT OR GPL-3.0-only" in card
    # Another list decides again and measures nothing again.
    again = data | {"select": {"licenses": {"deny": ["MIT"], "unknown": "keep"}}}
    states = {r["step"]: r["state"] for r in run.Job(recipe.parse(again), tmp_path).plan("ledger")}
    assert states["signals/heuristics"] == "reused"
    assert states["ledger"] == "changed"
    # A source whose own licence is none that SPDX knows is an error, where licences matter.
    wrong = data | {"corpus": {"sources": [web, shut | {"license": "GPL3"}]}}
    with pytest.raises(RequestError, match="licence of 'shut'"):
        run.Job(recipe.parse(wrong), tmp_path).run("ledger")
