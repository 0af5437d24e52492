"""The page of an evaluation in a real Chromium: drawn, silent, readable."""

from pathlib import Path

import pytest

from browser import chromium
from glotmix.evaluate.reading import read
from glotmix.evaluate.scores import score
from glotmix.report import evaluation

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_is_drawn_and_the_console_is_silent(tmp_path, width):
    found = score(read([Path(__file__).parents[1] / "data" / "lm_eval"]), "zh", draws=100)
    page = tmp_path / "page.html"
    page.write_text(evaluation.render(scores=found.as_dict()), "utf-8")
    with chromium(width, 900) as browser:
        browser.open(page)
        assert browser.log() == []
        drawn = "return [...document.querySelectorAll('.plot')].map(f => f.dataset.drawn)"
        assert browser.run(drawn) == ["yes"] * 5
        points = "return document.querySelectorAll('#plot-accuracy-0 .mark-symbol path').length"
        assert browser.run(points) == 15  # five languages, three ways to choose
        assert browser.run("return document.documentElement.scrollWidth") <= width
        # The heat of the matrix: 5 by 5 languages without the diagonal.
        cells = "return document.querySelector('#task-0 .matrix').querySelectorAll('td.heat').length"
        assert browser.run(cells) == 20
