"""The pages hang together: every link leads to a page that is there, and to a heading that it has."""

import json
import re
from functools import cache
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(
    p.relative_to(ROOT).as_posix() for p in (*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md")
)


QUESTIONS = yaml.safe_load((DOCS / "questions.yaml").read_text("utf-8"))
VERBS = (
    *("Add", "Check", "Choose", "Decide", "Do", "Drop", "Find", "Get", "Give", "Go", "Join", "Know", "Look", "Make"),
    *("Plan", "Read", "Run", "Say", "See", "Teach", "Tie", "Train", "Write"),
)


def prose(path: Path) -> str:
    """Return a page without its blocks of code."""
    return re.sub(r"^(`{3,}).*?^\1`*$", "", path.read_text("utf-8"), flags=re.S | re.M)


@cache
def anchors(path: Path) -> frozenset[str]:
    """Return the anchors of a page's headings, as Python-Markdown makes them, and those that it names itself."""
    found = {slug(heading) for heading in re.findall(r"^#+ (.*)$", prose(path), re.M)}
    return frozenset(found | set(re.findall(r'<a id="([^"]+)"', path.read_text("utf-8"))))


def slug(heading: str) -> str:
    """Return the anchor of a heading."""
    plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
    plain = re.sub(r"[^\w\s-]", "", plain.encode("ascii", "ignore").decode()).strip().lower()
    return re.sub(r"[-\s]+", "-", plain)


def sections(path: Path) -> dict[str, str]:
    """Return what stands under each heading of a page, code and all, down to the next; the page's own is ``top``."""
    found, at, fence = {"top": ""}, "top", False
    for line in path.read_text("utf-8").split("\n"):
        fence ^= line.startswith("```")
        if not fence and (heading := re.match(r"#+ (.*)", line)):
            at = "top" if line.startswith("# ") else slug(heading[1])
            found.setdefault(at, "")
        found[at] += line + "\n"
    return found


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    here = ROOT / page
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)", prose(here)):
        if target.startswith(("http://", "https://")):
            continue
        there = here.parent / target if target else here
        assert there.exists(), target
        assert not anchor or anchor in anchors(there.resolve()), f"{target}#{anchor}"


def measured(benchmark: str) -> dict[str, float]:
    """Return the results of a benchmark by metric."""
    rows = json.loads((ROOT / "benchmarks" / "results" / f"{benchmark}.json").read_text("utf-8"))
    return {row["metric"]: row["value"] for row in rows if row["value"] is not None}


def test_the_five_results_of_the_readme_are_those_that_were_measured():
    shown = re.findall(r"^\| \*\*([\d.]+) (?:%|times)\*\* \|", (ROOT / "README.md").read_text("utf-8"), re.M)
    recall = [v for k, v in measured("duplicates").items() if re.fullmatch(r"recall\.[A-Z][a-z]{3}", k)]
    dropped = [v for k, v in measured("decisions").items() if k.startswith("clean.dropped.")]
    assert len(recall) == 14 and len(dropped) == 4
    assert shown == [
        f"{measured('identify')['accuracy.ntrex']:.0%}"[:-1],
        f"{min(recall):.0%}"[:-1],
        f"{measured('quality')['lolo_auc.structure']:.0%}"[:-1],
        f"{100 * max(dropped):.1f}",
        f"{measured('pipeline')['ratio_to_datatrove']:.0f}",
    ]


def test_start_and_how_to_are_short():
    pages = [DOCS / "index.md", DOCS / "start.md", DOCS / "tour.md", *(DOCS / "howto").glob("*.md")]
    assert sum(len(page.read_text("utf-8").split()) for page in pages) <= 8000


def test_every_page_is_in_the_site_and_the_site_has_no_other():
    # The file has tags of YAML of MkDocs's own nowhere.
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"]
    listed = re.findall(r"[\w/-]+\.md", json.dumps(nav))
    assert sorted(listed) == sorted(p.relative_to(DOCS).as_posix() for p in DOCS.rglob("*.md"))


@pytest.mark.parametrize("page", sorted(p.relative_to(DOCS).as_posix() for p in DOCS.rglob("*.md")))
def test_a_page_says_first_what_the_reader_can_do_with_it(page):
    lines = [line for line in (DOCS / page).read_text("utf-8").split("\n") if line.strip()]
    assert lines[0].startswith("# ")
    assert lines[1].split()[0] in VERBS, "what the reader can do with it comes first"


@pytest.mark.parametrize("page", sorted(QUESTIONS))
def test_a_page_answers_the_questions_that_stand_beside_it(page):
    held = sections(DOCS / page)
    for question, answer in QUESTIONS[page].items():
        assert question.endswith("?")
        there = held.get(answer["at"])
        assert there is not None, f"{question}: no heading #{answer['at']}"
        for words in answer["says"]:
            assert words in " ".join(there.split()), f"{question}: #{answer['at']} does not say {words!r}"


def test_every_page_of_start_and_how_to_has_questions():
    pages = {"index.md", "start.md", "tour.md", *(f"howto/{p.name}" for p in (DOCS / "howto").glob("*.md"))}
    assert set(QUESTIONS) == pages
    assert all(len(asked) >= 3 for asked in QUESTIONS.values())
