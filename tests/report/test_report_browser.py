"""The page in a real Chromium: plots are drawn, nothing complains, nothing overflows, every script runs its own way."""

import pytest

import browser
import report_world
from glotmix.core.record import Output, Silent
from glotmix.report import excerpt, page

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    world = report_world.write(tmp_path_factory.mktemp("world"), report_world.documents(), parts=2)
    page.make(Output(folder, "report", Silent()), world.inputs)
    return folder / page.REPORT


@pytest.fixture(scope="module")
def desktop(report):
    with browser.chromium(1280, 900) as opened:
        opened.open(report)
        yield opened


@pytest.fixture(scope="module")
def phone(report):
    with browser.chromium(390, 844, dark=True) as opened:
        opened.open(report)
        yield opened


def test_every_visible_plot_is_drawn_and_nothing_complains(desktop):
    drawn = desktop.run(
        "return [...document.querySelectorAll('.plot')].filter(f => f.offsetParent)"
        ".map(f => [f.id, f.querySelectorAll('svg path, svg text').length, f.querySelector('svg').clientWidth])"
    )
    assert len(drawn) >= 6
    for name, marks, width in drawn:
        assert marks >= 10 and width > 500, name
    assert desktop.log() == []


def test_every_score_can_be_chosen_and_is_then_drawn(desktop):
    keys = desktop.run("return [...document.querySelectorAll('#score option')].map(o => o.value)")
    assert len(keys) >= 6
    for key in keys:
        desktop.run("const s = document.getElementById('score'); s.value = arguments[0]; s.onchange()", key)
        desktop.run_async(
            "const done = arguments[0]; const look = () => [...document.querySelectorAll('.score:not([hidden]) .plot')]"
            ".every(f => f.dataset.drawn) ? done(true) : setTimeout(look, 20); look();"
        )
        shown = desktop.run(
            "return [...document.querySelectorAll('.score')].filter(s => s.offsetParent).map(s => s.dataset.score)"
        )
        assert shown == [key]
        assert desktop.run("return document.querySelectorAll('.score:not([hidden]) svg path').length") > 100
    assert desktop.log() == []


def test_bars_are_as_long_as_their_numbers(desktop, report):
    """What is drawn is measured on the screen and compared with the documents."""
    documents = report_world.documents()
    bars = desktop.run(
        "return [...document.querySelectorAll('#plot-funnel svg path[aria-roledescription=bar]')]"
        ".map(p => [p.getAttribute('aria-label'), p.getBoundingClientRect().width])"
    )
    whole = {}
    for label, width in bars:
        name = label.split("of: ")[1].split(";")[0]
        whole[name] = whole.get(name, 0) + width
    french = [w for label, w in bars if "French" in label and "part: kept" in label]
    mine = [d for d in documents if d["lang"] == "fra_Latn"]
    share = sum(d["rule"] is None for d in mine) / len(mine)
    assert len(french) == 1 and abs(french[0] / whole["French"] - share) < 0.005


def test_no_text_of_a_document_ran(desktop):
    assert desktop.run("return document.title") == "world · glotmix report"
    assert desktop.run("return [...document.querySelectorAll('main script')].every(s => s.type === 'application/json')")


def test_an_injected_script_is_refused_by_the_policy(report):
    with browser.chromium() as opened:
        opened.open(report)
        opened.run(
            "const s = document.createElement('script'); s.textContent = 'document.title = 1'; document.body.append(s)"
        )
        opened.run(
            "const i = document.createElement('img'); i.src = 'https://example.org/x.png'; document.body.append(i)"
        )
        assert opened.run("return document.title") == "world · glotmix report"
        complaints = opened.log()
        assert sum("Content Security Policy" in c for c in complaints) == 2


@pytest.mark.parametrize("window", ["desktop", "phone"])
def test_nothing_overflows_sideways(window, request):
    opened = request.getfixturevalue(window)
    assert opened.run("return [document.documentElement.scrollWidth, innerWidth]")[0] <= opened.run("return innerWidth")
    beyond = opened.run(
        "return [...document.querySelectorAll('main *')].filter(e => !e.closest('.scroll') && !e.closest('.code') "
        "&& e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 120))"
    )
    assert beyond == []


def test_the_phone_draws_too_and_is_dark(phone):
    assert phone.run("return innerWidth") == 390
    assert phone.run("return document.querySelectorAll('svg').length") >= 6
    assert phone.log() == []
    red, green, blue = phone.run("return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert red + green + blue < 150


def test_text_runs_the_way_of_its_script(desktop):
    directions = dict(
        desktop.run(
            "return [...document.querySelectorAll('.doc .text')].map(p => [p.lang, getComputedStyle(p).direction])"
        )
    )
    assert {lang: d for lang, d in directions.items() if d == "rtl"} == {"ar": "rtl", "he": "rtl"}
    assert {"zh-Hans", "ja", "ko", "th", "my", "am", "hi", "bn", "el", "ru", "fr"} <= directions.keys()
    # A right-to-left text starts at the right edge of its box: its first letter is measured.
    edges = desktop.run(
        """
        document.querySelectorAll('details').forEach(d => (d.open = true));
        const p = [...document.querySelectorAll('.doc:not([hidden]) .text[lang=ar]')].find(p => p.offsetParent);
        const range = document.createRange(); range.setStart(p.firstChild, 0); range.setEnd(p.firstChild, 1);
        return [range.getBoundingClientRect().right, p.getBoundingClientRect().right];
        """
    )
    assert abs(edges[0] - edges[1]) < 2


def test_every_script_has_a_font(desktop):
    """A missing glyph is drawn as a box as wide as any other missing glyph: letters of real fonts differ."""
    widths = desktop.run(
        """
        const canvas = document.createElement('canvas').getContext('2d');
        canvas.font = '40px ' + getComputedStyle(document.querySelector('.doc .text')).fontFamily;
        const missing = canvas.measureText('\\u{10FFFD}').width;
        const image = c => { canvas.clearRect(0, 0, 60, 60); canvas.fillText(c, 5, 45);
            return canvas.getImageData(0, 0, 60, 60).data.join(); };
        const box = image('\\u{10FFFD}');
        return arguments[0].map(c => [c, image(c) === box]);
        """,
        [sentence[0] for sentence in report_world.SENTENCES.values()],
    )
    assert [c for c, is_missing in widths if is_missing] == []


def test_filters_show_what_they_say(desktop):
    def choose(key, value):
        desktop.run(
            "const s = document.querySelector(`[data-filter='#border'][data-key=${arguments[0]}]`);"
            "s.value = arguments[1]; s.onchange()", key, value,
        )  # fmt: skip
        return desktop.run(
            "return [...document.querySelectorAll('#border .doc:not([hidden])')]"
            ".map(d => [d.dataset.lang, d.dataset.verdict])"
        )

    assert len(choose("lang", "")) == 12
    assert {lang for lang, _ in choose("lang", "heb_Hebr")} == {"heb_Hebr"}
    assert {tuple(pair) for pair in choose("verdict", "kept")} == {("heb_Hebr", "kept")}
    choose("lang", "")
    before = len(choose("verdict", ""))
    desktop.run("document.querySelector('#border + button.more').click()")
    assert (
        len(desktop.run("return [...document.querySelectorAll('#border .doc:not([hidden])')].map(d => 1)"))
        == 2 * before
    )


def test_tables_sort_by_number_and_by_name(desktop):
    def column(index, click):
        return desktop.run(
            """
            const table = document.querySelector('#funnel table'), [index, click] = arguments;
            if (click) table.querySelectorAll('thead button')[index].click();
            return [...table.tBodies[0].rows].map(r => r.children[index].dataset.v ?? r.children[index].textContent);
            """,
            index,
            click,
        )

    read = [int(v) for v in column(1, False)]
    assert [int(v) for v in column(1, True)] == sorted(read, reverse=True)
    assert [int(v) for v in column(1, True)] == sorted(read)
    names = column(0, True)
    assert names == sorted(names) and len(set(names)) == len(report_world.SENTENCES)


def test_excerpts_are_cut_where_the_browser_sees_graphemes(desktop):
    """An independent oracle: ICU's segmentation, by `Intl.Segmenter`."""
    texts = [
        *report_world.SENTENCES.values(),
        "🇫🇷🇩🇪 👩🏽‍🚀👨‍👩‍👧‍👦 e\u0301\u0323 \u1100\u1161\u11a8각 क्षत्रिय กำ ﾊﾞ \u0600\u0661 र्क ක්‍ෂ",
    ]
    cuts = [[len(excerpt.cut(text, n)[0]) for n in range(12, len(text))] for text in texts]
    wrong = desktop.run(
        """
        const segmenter = new Intl.Segmenter('en', {granularity: 'grapheme'});
        return arguments[0].flatMap((text, i) => {
            const points = [...text], starts = new Set([...segmenter.segment(text)].map(s => s.index));
            return arguments[1][i].filter(n => !starts.has(points.slice(0, n).join('').length))
                .map(n => points.slice(0, n).join(''));
        });
        """,
        texts,
        cuts,
    )
    assert wrong == []
