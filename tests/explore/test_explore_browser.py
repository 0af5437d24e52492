"""The explorer in a real Chromium: by keyboard, in every script, with hostile text, without a barrier."""

import json
import time
from urllib.parse import quote

import pytest
from benchmarks._payloads import PAYLOADS

import barriers
import browser
import explore_world
from glotmix.cli.explore import opened
from report_world import SENTENCES

pytestmark = pytest.mark.browser
RTL = {"arb_Arab", "heb_Hebr"}
SET = (
    "const box = document.getElementById(arguments[0]); box.value = arguments[1];"
    " for (const kind of ['input', 'change']) box.dispatchEvent(new Event(kind, {bubbles: true}));"
)
STRANGE = (
    "return document.querySelectorAll("
    "'script:not([src]), img, iframe, object, embed, video, style, math, #view x').length"
)
"""Elements that the page itself never has."""


@pytest.fixture(scope="module")
def page(recipe):
    made = opened(recipe, [], recipe.parent / "out")
    with made.running():
        yield made


@pytest.fixture(scope="module")
def desktop(page):
    with browser.chromium(1280, 900) as window:
        window.visit(page.address)
        yield window


def go(window, page, view, **given):
    query = "&".join(f"{k}={quote(str(v), safe='')}" for k, v in given.items())
    window.run("document.documentElement.removeAttribute('data-ready'); location.hash = '#' + arguments[0]", "none?x=1")
    window.visit(f"{page.address}#{view}{'?' + query if query else ''}")
    window.run("location.reload()")
    window.visit(f"{page.address}#{view}{'?' + query if query else ''}")
    until(window, f"return document.documentElement.dataset.ready === '{view}'")


def until(window, script, *given, seconds=20):
    """Wait until a script returns something true, and return that."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = window.run(script, *given)
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {script}")


def error(window):
    return window.run("const e = document.getElementById('error'); return e.hidden ? '' : e.innerText")


def test_documents_are_listed_with_their_texts(desktop, page):
    go(desktop, page, "documents", lang="mya_Mymr")
    until(desktop, "return document.querySelectorAll('.card').length === 18")
    until(desktop, "return !document.querySelector('[data-row]')")
    texts = desktop.run("return [...document.querySelectorAll('.card .text')].map(t => [t.textContent, t.lang, t.dir])")
    assert all(lang == "my" and direction == "auto" and len(text) > 20 for text, lang, direction in texts)
    assert error(desktop) == "" and desktop.log() == []


def test_filters_work_and_stand_in_the_address(desktop, page):
    go(desktop, page, "documents")
    desktop.run(SET, "lang", "heb_Hebr")
    desktop.run(SET, "source", "other")
    until(desktop, "return document.querySelectorAll('.card').length === 9")
    assert "lang=heb_Hebr" in desktop.run("return location.hash")
    desktop.run(SET, "column", "heuristics.chars")
    desktop.run(SET, "low", "200")
    until(desktop, "return document.querySelectorAll('.card').length < 9")
    assert error(desktop) == "" and desktop.log() == []


@pytest.mark.parametrize("lang", sorted(SENTENCES))
def test_every_script_runs_its_own_way(desktop, page, lang):
    go(desktop, page, "document", id=f"{lang}/07")
    until(desktop, "return document.querySelector('.text.whole')")
    x = desktop.run(
        "const t = document.querySelector('.text.whole'); const r = document.createRange(); r.selectNodeContents(t);"
        "r.setEnd(t.firstChild, 1); const a = r.getBoundingClientRect(), b = t.getBoundingClientRect();"
        "return (a.left + a.right) / 2 - (b.left + b.right) / 2"
    )
    # The first letter stands at the side where its script begins.
    assert x > 100 if lang in RTL else x < -100
    assert desktop.run("return document.documentElement.scrollWidth <= innerWidth")


def test_duplicates_stand_side_by_side_with_their_differences_marked(desktop, page):
    for lang in ("rus_Cyrl", "fra_Latn", "deu_Latn"):
        go(desktop, page, "document", id=f"{lang}/twin-0")
        if desktop.run("return [...document.querySelectorAll('h2')].some(h => h.textContent.startsWith('Near'))"):
            break
    desktop.run("[...document.querySelectorAll('button')].find(b => b.textContent === 'side by side').click()")
    until(desktop, "return document.querySelector('.sides')")
    left = desktop.run("return document.querySelectorAll('.side')[0].querySelector('.text').textContent")
    assert desktop.run("return [...document.querySelectorAll('del')].map(d => d.textContent.trim())") == ["9"]
    assert desktop.run("return [...document.querySelectorAll('ins')].map(d => d.textContent.trim())") == ["10"]
    rows = {row["id"]: row for half in explore_world.rows() for row in half}
    assert left == rows[f"{lang}/twin-0"]["text"]


def test_neighbours_by_meaning(desktop, page):
    go(desktop, page, "document", id="kor_Hang/07")
    desktop.run("[...document.querySelectorAll('button')].find(b => b.textContent.startsWith('in other')).click()")
    until(desktop, "return document.querySelectorAll('.cards .card').length === 12")
    assert "Nearest of all" in desktop.run("return document.getElementById('view').innerText")


def test_search_marks_what_it_found(desktop, page):
    go(desktop, page, "documents")
    desktop.run(SET, "words", "ελεύθεροι")
    desktop.run("document.querySelector('form.search button').click()")
    until(desktop, "return /found in all/.test(document.getElementById('found').textContent)")
    hits = desktop.run("return [...document.querySelectorAll('mark')].map(m => m.textContent)")
    assert len(hits) >= 18 and set(hits) == {"ελεύθεροι"}


def test_a_threshold_moves_by_keyboard_and_its_setting_can_be_copied(desktop, page):
    go(desktop, page, "thresholds", lang="tha_Thai", rule="heuristics.digit_share.high")
    until(desktop, "return document.getElementById('told').textContent.includes('would go')")
    assert desktop.run("return document.getElementById('told').textContent").startswith("0 documents")
    desktop.run(SET, "how", "number")
    desktop.run("document.getElementById('slider').focus()")
    keys(desktop, "\ue010", "\ue012")  # End, and one step back
    until(desktop, "return !document.getElementById('told').textContent.startsWith('0 documents')")
    said = desktop.run("return document.getElementById('slider').getAttribute('aria-valuetext')")
    assert "beyond" in said and not said.startswith("no line")
    desktop.run("[...document.querySelectorAll('button')].find(b => b.textContent === 'Take this setting').click()")
    yaml = until(desktop, "const y = document.getElementById('yaml'); return y && y.value")
    assert "tha_Thai" in yaml and "digit_share" in yaml
    assert "--what-if" in desktop.run("return document.getElementById('command').value")
    assert error(desktop) == "" and desktop.log() == []


def keys(window, *pressed):
    actions = [{"type": kind, "value": key} for key in pressed for kind in ("keyDown", "keyUp")]
    window._send("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})


def test_everything_is_reached_by_tab(desktop, page):
    go(desktop, page, "documents", lang="jpn_Jpan")
    until(desktop, "return document.querySelectorAll('.card').length === 18")
    desktop.run("document.activeElement.blur()")
    seen = []
    for _ in range(60):
        keys(desktop, "\ue004")
        seen.append(desktop.run("const a = document.activeElement; return a.id || a.textContent.slice(0, 30)"))
    assert "To the content" in seen and "Thresholds" in seen
    assert {"words", "lang", "source", "state", "column"} <= set(seen) and "jpn_Jpan/00" in seen


def test_the_mixture_is_dragged(desktop, page):
    go(desktop, page, "mixture")
    until(desktop, "return document.querySelectorAll('input[type=range]').length === 14")
    desktop.run(SET, "share-amh_Ethi", "0.12")
    until(desktop, "return document.getElementById('view').innerText.includes('12.00 %')")
    total = desktop.run(
        "return [...document.querySelectorAll('tbody tr td:nth-child(3)')]"
        ".reduce((s, c) => s + parseFloat(c.textContent), 0)"
    )
    assert abs(total - 100) < 0.1
    assert error(desktop) == "" and desktop.log() == []


def test_two_runs(desktop, page):
    go(desktop, page, "runs")
    until(desktop, "return document.getElementById('view').innerText.includes('No document moves')")
    assert error(desktop) == "" and desktop.log() == []


def test_an_error_is_shown_with_what_to_do(desktop, page):
    go(desktop, page, "document", id="nowhere")
    assert "nowhere" in until(desktop, "const e = document.getElementById('error'); return !e.hidden && e.innerText")
    desktop.log()


def test_no_text_of_a_document_runs(page):
    """Every payload in ids, texts, addresses and groups, in every view that shows one."""
    with browser.chromium() as window:
        window.visit(page.address)
        window.run("window.hits = []; window.hit = (n) => { window.hits.push(n); }")
        shown = 0
        for n, payload in enumerate(PAYLOADS):
            text, identity = quote(payload, safe=""), quote(f"{n:02d} {payload}", safe="")
            views = (f"documents?group={text}", f"document?id={identity}", f"documents?lang=fra_Latn&text={text}")
            for view in views:
                window.run("location.hash = '#' + arguments[0]", view)
                until(
                    window,
                    "return document.querySelector(arguments[0]) && !document.querySelector('[data-row]')"
                    " && document.getElementById('view').innerText.includes(arguments[1])",
                    ".text",
                    payload.replace("\u202e", "").replace("\u202c", "")[:8],
                )
                shown += 1
                assert window.run(STRANGE) == 0, payload
        time.sleep(0.5)
        assert window.run("return window.hits") == [] and shown == 3 * len(PAYLOADS) >= 90
        # The page was never left: what counted the hits is still there.
        assert window.run("return typeof window.hit") == "function"
        told = [line for line in window.log() if "favicon" not in line]
        assert told == []


def test_what_would_run_if_it_were_markup_does(page):
    """The test's own test: the payloads run in a page without a policy that takes them for markup."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder, browser.chromium() as window:
        hits = set()
        for payload in PAYLOADS[:8]:
            bad = Path(folder) / "bad.html"
            bad.write_text(
                "<!doctype html><meta charset=utf-8><script>window.hits = []; function hit(n) { hits.push(n); "
                f"parent.hits.push(n); }}</script><body>{payload}"
                "<script>setTimeout(() => { document.documentElement.dataset.ready = 1; }, 300)</script>",
                "utf-8",
            )
            window.open(bad)
            hits.update(window.run("return window.hits"))
        assert len(hits) >= 6


def test_the_policy_forbids_markup_from_strings_and_any_other_address(desktop, page):
    go(desktop, page, "documents")
    refused = desktop.run(
        "try { document.createElement('p').innerHTML = '<b>x</b>'; return 'allowed'; } catch (e) { return e.name; }"
    )
    assert refused == "TypeError"
    told = desktop.run_async(
        "const done = arguments[0]; fetch('http://127.0.0.1:9/').then(() => done('sent'), (e) => done(e.name));"
    )
    assert told == "TypeError"
    assert any("Content Security Policy" in line for line in desktop.log())


VIEWS = (
    ("documents", {"lang": "arb_Arab"}),
    ("documents", {"text": "人"}),
    ("document", {"id": "heb_Hebr/07"}),
    ("thresholds", {"lang": "hin_Deva", "rule": "heuristics.digit_share.high"}),
    ("mixture", {}),
    ("runs", {}),
)


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_no_serious_barrier_and_nothing_is_wider_than_the_window(page, width, dark):
    with browser.chromium(width, 844, dark=dark) as window:
        window.visit(page.address)
        for view, given in VIEWS:
            go(window, page, view, **given)
            until(window, "return document.querySelectorAll('#view h1 ~ div *').length > 1")
            time.sleep(0.5)
            assert barriers.serious(window) == [], json.dumps(given)
            assert window.run("return document.documentElement.scrollWidth <= innerWidth"), view
        assert window.log() == []
