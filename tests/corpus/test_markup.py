"""Tags that are looked for in the text of a page: the same that a pattern finds."""

import re

import pytest

from corpus_world import SCRIPTS
from glotmix.corpus import extract
from glotmix.native import markup

TAGS = re.compile(r"<(?:meta|link)\s[^>]*>", re.IGNORECASE)
WORDS = [b"canonical", b"og:title"]


@pytest.mark.parametrize("lang", SCRIPTS)
def test_tags_of_the_head_are_those_that_a_pattern_finds(lang):
    said = SCRIPTS[lang]
    found = [
        f'<META\nProperty="OG:Title" content="{said}">',
        f"<link rel='{said}' \thref=x data-x=Canonical>",
        f'<meta name="x" content="{said}{"y" * 1100}">',
    ]
    others = [
        f'<meta name="description" content="{said}">',
        f"<link rel=stylesheet href={said}>",
        f"<metal og:title {said}>",
        "<linkcanonical>",
        f"< meta og:title>{said}<meta>",
    ]
    page = said + said.join(part for pair in zip(found, others, strict=False) for part in pair) + "".join(others)
    assert markup.head_tags(page, WORDS) == found == [tag for tag in TAGS.findall(page) if tag in found]
    assert len(TAGS.findall(page)) > len(found)
    for cut in range(1, 12):
        assert markup.head_tags(page + "<link canonical>"[:-cut], WORDS) == found


def test_whether_a_text_holds_a_word():
    for said in SCRIPTS.values():
        assert markup.holds(f"{said}license", b"license") and markup.holds(said, said[3:9].encode())
        assert not markup.holds(f"{said}licens", b"license") and not markup.holds("", b"license")


@pytest.mark.parametrize("lang", SCRIPTS)
def test_parts_of_names_are_found_where_names_stand(lang):
    said = SCRIPTS[lang]
    parts = ["related", "late", "nav", "a-b", " hide"]
    names = markup.Names(parts, ["div", "section"])

    def found(page: str) -> list[str]:
        return [parts[number] for number in names.among(f"{said}{page}{said}")]

    assert found(f'<div title="{said}" class="x RELATED-posts">') == ["related", "late"]
    assert found(f"<DIV data-x='>' iD = 'Nav'>{said}<section/class=a-b>") == ["nav", "a-b"]
    assert found(f'<div class="{said} hide {said}">') == [" hide"]
    assert found("<div class=x\nid=nav>") == found("<div class id=nav>") == found("<div =x class=nav") == ["nav"]
    for other in (
        f"<p class=related>{said}</p>",
        f'<div data-class="nav" classes=nav title="class=nav">{said} class="nav"',
        "<!div class=nav><divx class=nav>< div class=nav>",
        "<div class=nah id=av class='a b'>",
        "<div class='nav",
        "<div class=",
        "<div class",
        "<section",
    ):
        assert found(other) == [], other
    assert names.among("") == names.among("<") == names.among("<div class=") == names.among("<div class='") == []


def test_more_parts_than_a_word_has_bits_are_told_apart():
    parts = [f"n{i}x" for i in range(150)]
    names = markup.Names(parts, ["div"])
    for i in (0, 63, 64, 127, 128, 149):
        assert names.among(f"<div class=n{i}x>") == [i]
    assert names.among(f"<div class='{' '.join(parts)}'>") == list(range(150))
    for bad in (([""], ["div"]), (["a"], ["blockquote"])):
        with pytest.raises(ValueError, match="empty"):
            markup.Names(*bad)


def test_what_a_page_says_is_read_in_either_case_and_behind_entities():
    from resiliparse.parse.html import HTMLTree

    page = """<HTML LANG=de><HEAD><LINK REL="stylesheet" HREF="a.css"><LINK REL="Canonical" HREF="https://example.org/a">
    <META PROPERTY="og&#x3A;title" CONTENT="Ulm"><meta name=DC.Date content=2020-02-03><meta name="TDM-Reservation"
    content="1"><meta itemprop="x" content="y"></HEAD><body><p>Text<a rel="license" href="https://example.org/l">l</a>"""
    told = {k: v for k, v in extract.about(HTMLTree.parse(page), page).items() if v}
    assert told == {
        "title": "Ulm",
        "lang": "de",
        "date": "2020-02-03",
        "license": "https://example.org/l",
        "url": "https://example.org/a",
        "robots": "tdm-reservation: 1",
    }
