"""Where a page's main text stands, and what of it is text."""

import pytest
from resiliparse.parse.html import HTMLTree

from corpus_world import SCRIPTS
from glotmix.corpus import extract, frames, main_text

ELSE = "Something else, no part of it, and long enough to be taken for a paragraph of prose, were it not for its name."


def read(html: str) -> str:
    return str(extract.page(html, extract.extractor("resiliparse"))["text"])


def prose(lang: str) -> str:
    """Return a paragraph that is long in any script."""
    return f"{' '.join(SCRIPTS[lang].split())} " * 8


def paragraphs(lang: str, n: int = 4) -> str:
    return "".join(f"<p>{prose(lang)} {i}</p>" for i in range(n))


@pytest.mark.parametrize("lang", SCRIPTS)
@pytest.mark.parametrize(
    "frame",
    [
        '<div class="x Entry-Content y">',
        '<section itemprop="articleBody">',
        "<article>",
        "<div id='story'>",
        "<div class=content>",
        "<main>",
    ],
)
def test_the_text_of_a_frame_is_taken_in_every_script_and_what_is_beside_it_is_not(lang, frame):
    beside = f"<div class=column><p>{ELSE} {ELSE}</p></div>"
    found = read(
        f"<html lang={lang[:2]}><body>{beside}{frame}{paragraphs(lang, 12)}</{frame[1:].split()[0].strip('>')}>{beside}"
    )
    assert found.split("\n") == [f"{prose(lang)}{i}" for i in range(12)]


def test_the_surest_kind_of_frame_goes_first_wherever_it_stands():
    kinds = ["<main>", "<div class=content>", "<div class=single-post>", "<article>", "<div class=entry-content>"]
    for at, frame in enumerate(kinds):
        page = "<body>" + "".join(kinds[:at]) + f"<p>{ELSE}</p>{frame}{paragraphs('eng_Latn', 12)}"
        assert ELSE not in read(page), frame
        assert ELSE in read(page.replace(frame, "<div>")) or at == 0, frame


@pytest.mark.parametrize("lang", SCRIPTS)
def test_what_its_name_tells_to_be_something_else_goes(lang):
    names = [
        "class=Related-posts",
        "id=newsletter",
        "class='x ad-slot'",
        "class='is hidden'",
        "class=sharing",
        "id=Comments",
    ]
    others = "".join(f"<div {name}><p>{ELSE}</p></div>" for name in names)
    said = f"<div class=commentary><p>{prose(lang)} c</p></div>"
    page = f"<body><article>{paragraphs(lang)}{others}{said}{paragraphs(lang)}<aside>{ELSE}</aside></article>"
    found = read(page)
    assert "Something else" not in found
    assert f"{prose(lang)}c" in found.split("\n")
    for name in names:
        assert "Something else" in read(page.replace(name, "class=plain")), name


@pytest.mark.parametrize("lang", SCRIPTS)
def test_names_that_would_take_nearly_all_away_mean_something_else(lang):
    text = paragraphs(lang, 12)
    for rest in ("", f"<p>{prose(lang)} r</p>", f"<p>{prose(lang)} r</p><p>{prose(lang)} s</p>"):
        assert read(f"<body><article><div class=slider>{text}</div>{rest}</article>").count("\n") >= 11, rest
    many, four = paragraphs(lang, 24), paragraphs(lang, 4)
    assert read(f"<body><article><div class=slider>{many}</div>{four}</article>").count("\n") == 27
    # A quarter is enough to believe them.
    few = paragraphs(lang, 5)
    found = read(f"<body><article><div class=slider>{text}</div>{few}{few}</article>")
    assert found.split("\n") == [f"{prose(lang)}{i}" for i in (*range(5), *range(5))]
    # The frame's own name does not count.
    found = read(f"<body><div class='post-content with-sidebar'><div class=slider><p>{ELSE}</p></div>{text}</div>")
    assert "Something" not in found and found.count("\n") == 11


def test_a_first_frame_that_is_one_of_many_is_not_all_of_the_text():
    posts = "".join(
        f"<div class=post-body>{paragraphs('rus_Cyrl', 3)}<p>Ответ номер {i} на вопрос этой темы.</p></div>"
        for i in range(5)
    )
    found = read(f"<body><div id=thread><p>{ELSE}</p>{posts}</div><div>{ELSE}</div>")
    assert [line for line in found.split("\n") if line.startswith("Ответ")] == [
        f"Ответ номер {i} на вопрос этой темы." for i in range(5)
    ]
    # Nothing but the page holds them all: then it is no frame.
    apart = "".join(f"<div>{post}</div></div>" for post in posts.split("</div>")[:-1])
    assert all(f"Ответ номер {i} на вопрос этой темы." in read(f"<body>{apart}") for i in range(5))
    assert main_text._frame(HTMLTree.parse(f"<body>{apart}"), ".post-body") is None
    # What stands in two frames, one in the other, counts once.
    inner = f"<article><article><article>{paragraphs('tha_Thai', 18)}</article></article></article>"
    assert read(f"<body><main><article>{paragraphs('rus_Cyrl', 12)}</article>{inner}</main>").count("\n") == 11
    # A long first one is the text, and what follows are others.
    later = f"<article><p>{ELSE}</p></article>" * 3
    assert ELSE not in read(f"<body><article>{paragraphs('rus_Cyrl', 12)}</article>{later}")


def test_the_lead_between_heading_and_frame_belongs_to_the_text():
    body = f"<div class=article-body>{paragraphs('hin_Deva', 8)}</div>"
    lead = f"<p>{prose('hin_Deva')} lead</p>"
    for page in (f"<h1>T</h1>{lead}{body}", f"<header><h1>T</h1></header>{lead}<div>{body}</div>"):
        found = read(f"<body><p>{ELSE}</p><div>{page}</div>")
        assert found.startswith(f"T\n{prose('hin_Deva')}lead\n"), page
        assert ELSE not in found
    far = "<p>x</p>" * 30
    assert f"{prose('hin_Deva')}lead" not in read(f"<body><h1>T</h1>{lead}{far}{body}").split("\n")
    assert read(f"<body>{lead}{body}").count("lead") == 0
    # A frame with a heading of its own has its lead in it.
    titled = body.replace("<p>", "<h1>U</h1><p>", 1)
    assert read(f"<body><div><h1>T</h1>{lead}{titled}</div>").startswith("U\n")


def test_a_page_without_a_frame_or_with_a_small_one_goes_by_its_main_content():
    text = paragraphs("tha_Thai", 12)
    assert read(f"<body><div>{text}</div>").count("\n") == 11
    small = f"<p>{prose('eng_Latn')}</p><p>A short end of what was said.</p>"
    found = read(f"<body><div class=content>{small}</div><div>{text}{text}</div>")
    assert found.count("\n") >= 23
    # A short text is all of it where the page holds no more.
    assert read(f"<body><article>{small}</article>").count("\n") == 1
    # A long one is, whatever else there is.
    sure = paragraphs("eng_Latn", 4)
    assert (
        read(f"<body><div class=content>{sure}</div><div>{text * 4}</div>").split("\n")[-1] == f"{prose('eng_Latn')}3"
    )
    # One of a few words is no frame.
    tiny = "<article><p>A few words stand.</p><p>And some more words stand.</p></article>"
    assert prose("eng_Latn").strip() in read(f"<body><main>{tiny}<p>{prose('eng_Latn')}</p></main>")
    for nothing in ("", "<body>", "<frameset><frame>", "<article></article>", "<body><article><p></p></article>"):
        assert not read(nothing)


def test_a_time_goes_where_it_stands_alone():
    text = paragraphs("eng_Latn")
    found = read(f"<body><article>{text}<p>On <time>3 May</time> it rained.</p><div><time>4 May</time></div>{text}")
    assert "On 3 May it rained." in found and "4 May" not in found


def test_marks_of_layout_are_no_text():
    long = prose("eng_Latn")
    line = "<p>Donau&shy;dampf&nbsp;&nbsp;schiff <a href=x> fährt</a>.</p>"
    page = f"<body><article><p>{long}</p>{line}<p>{long}</p></article>"
    assert read(page).split("\n")[1] == "Donaudampf schiff fährt."
    # Mongolian joins its endings with a narrow no-break space; Khmer parts its words with a space of no width.
    kept = "ᠮᠣᠩᠭᠣᠯ\u202fᠤᠨ ភាសា\u200bខ្មែរ"
    assert kept in read(page.replace("Donau", kept))
    ruby = "<ruby>東京<rp>(</rp><rt>とうきょう</rt><rp>)</rp></ruby>に行く"
    for page in (
        f"<body><article>{paragraphs('jpn_Jpan')}<p>{ruby}</p>{paragraphs('jpn_Jpan')}",
        f"<body><p>{long}<p>{ruby}<p>{long}",
    ):
        assert "東京に行く" in read(page).split("\n")


def test_code_keeps_what_stands_before_its_lines():
    code = "def f(x):\n    if x &lt; 1:\n\n        return [1,  2]\n"
    found = read(f"<body><article>{paragraphs('eng_Latn')}<pre><code>{code}</code></pre>{paragraphs('eng_Latn')}")
    assert "def f(x):\n    if x < 1:\n        return [1,  2]\n" in found
    behind = f"<pre>{code}</pre><p>One <a href=x> and</a> two.</p>"
    assert "\nOne and two.\n" in read(f"<body><article>{paragraphs('eng_Latn')}{behind}{paragraphs('eng_Latn')}")


@pytest.mark.parametrize("frame", ["article", "div"])
def test_code_and_tables_in_figures_stay_and_pictures_go(frame):
    text = paragraphs("ell_Grek")
    code = "<pre>x = 1\n  y = 2</pre>"
    gutter = f"<table><tr><td class=gutter><pre>1\n2</pre></td><td class=code>{code}</td></tr></table>"
    for inner, wanted in (
        (code, "x = 1\n  y = 2"),
        (gutter, "x = 1\n  y = 2"),
        ("<table><tr><td>α<td>β</table><figcaption>Something else</figcaption>", "α\t\tβ"),
        (f"<table><tr><td>α<td>{code}</table>", "α\t\tx = 1\n  y = 2"),
        ("<img><figcaption>Something else</figcaption>", None),
        ("<img><p>Something else</p>", None),
    ):
        found = read(f"<body><{frame}>{text}<figure class=x>{inner}</figure>{text}</{frame}>").split("\n")
        assert found[4:-4] == (wanted.split("\n") if wanted else []), inner
    # Also where a small frame is not believed, and the page is read again.
    small = "<article><p>A few words stand.</p><p>And some more words stand.</p></article>"
    assert "x = 1\n  y = 2" in read(f"<body>{small}<div>{text}<figure>{code}</figure>{text}</div>")


@pytest.mark.parametrize("colon", [":", "："])
def test_what_a_colon_announces_goes_with_it(colon):
    long, links = f"<p>{prose('eng_Latn')}</p>", "<ul><li><a href=a>Eins und zwei</a></li></ul>"
    announced = f"<p>Read on{colon}</p>"
    assert "Read" not in read(f"<body><article>{long}{long}{announced}{links}")
    assert "Read" not in read(f"<body><article>{long}{announced}{links}{long}")
    assert "Read" in read(f"<body><article>{long}{announced}<ul><li>one</li></ul>{long}")
    assert f"on{colon}" in read(f"<body><article>{long}<p>{prose('eng_Latn')}Read on{colon}</p>{links}")


def test_only_selectors_of_names_that_occur_are_asked_for():
    found = frames.selectors('<div class="Page-Content"><p id=x>related</p>')
    assert found.frames[0] == ':is(article,div,main,section):is([class*="page-content" i],[itemprop=articleBody])'
    assert '[class*="page-content" i]' in found.frames[3] and "content-body" not in found.frames[3]
    assert not found.others and not found.comments
    every = "".join(
        f'<div class="{name.strip("^=").replace("~", " ")}">'
        for kind in (*frames.FRAMES, frames.OTHERS)
        for _, name in kind.names
    )
    tree = HTMLTree.parse(every)
    asked = frames.selectors(every)
    # Every name that is given finds its element, and the parser understands all selectors at once.
    for kind, selector in zip((*frames.FRAMES, frames.OTHERS), (*asked.frames, asked.others), strict=True):
        for attribute, name in kind.names:
            value = name.strip("^=").replace("~", " ")
            one = HTMLTree.parse(f'<{kind.tags[0]} {attribute}="{value}">').document
            assert one.query_selector(selector) is not None, (attribute, name)
        assert tree.document.query_selector(selector) is not None or not kind.classes


def test_blocks_of_wide_letters_are_long_earlier():
    text = "天地玄黄" * 8
    assert main_text.main_blocks(f"<p>a</p>\n<p>b</p>\n<p>{text}</p>") == ["b", text]
    assert main_text.main_blocks(f"<p>a</p>\n<p>b</p>\n<p>{text[1:]}</p>") == ["a", "b", text[1:]]
