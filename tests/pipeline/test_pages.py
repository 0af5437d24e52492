"""The pages hang together: every link leads to a page that is there, and to a heading that it has."""

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(
    p.relative_to(ROOT).as_posix() for p in (*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md")
)


def prose(path: Path) -> str:
    """Return a page without its blocks of code."""
    return re.sub(r"^(`{3,}).*?^\1`*$", "", path.read_text("utf-8"), flags=re.S | re.M)


@cache
def anchors(path: Path) -> frozenset[str]:
    """Return the anchors of a page's headings, as Python-Markdown makes them, and those that it names itself."""
    found = set()
    for heading in re.findall(r"^#+ (.*)$", prose(path), re.M):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        plain = re.sub(r"[^\w\s-]", "", plain.encode("ascii", "ignore").decode()).strip().lower()
        found.add(re.sub(r"[-\s]+", "-", plain))
    return frozenset(found | set(re.findall(r'<a id="([^"]+)"', path.read_text("utf-8"))))


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    here = ROOT / page
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)", prose(here)):
        if target.startswith(("http://", "https://")):
            continue
        there = here.parent / target if target else here
        assert there.exists(), target
        assert not anchor or anchor in anchors(there.resolve()), f"{target}#{anchor}"
