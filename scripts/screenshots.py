"""Take the pictures of the report and the explorer: `python scripts/screenshots.py demo forty=OUT many=OUT`.

The first is the output of `glotmix demo`, the others are outputs of runs over forty and over some four hundred
languages. Needs Debian's chromium, chromium-driver, fonts-noto-core and fonts-noto-cjk. The browser itself writes WebP:
a page of text takes some 30 kB.
"""

import base64
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
WIDE, PHONE = (1280, 900), (390, 844)
QUALITY = 60
REPORT = {"report": "", "report-rules": "#rules", "report-scores": "#scores"}
EXPLORER = {
    "explore-search": "documents?lang=eng_Latn&text=water",
    "explore-thresholds": "thresholds?lang=tur_Latn&rule=heuristics.digit_share.high",
}


def save(window: Any, name: str) -> None:
    """Write what the window shows."""
    asked = {"cmd": "Page.captureScreenshot", "params": {"format": "webp", "quality": QUALITY}}
    told = window._send("POST", "/goog/cdp/execute", asked)
    (IMAGES / f"{name}.webp").write_bytes(base64.b64decode(told["data"]))


def shown(window: Any, place: str) -> None:
    """Bring a part of a report to the top of the window, unfolded."""
    if place:
        window.run(
            "const at = document.querySelector(arguments[0]); for (let e = at; e; e = e.parentElement) "
            "if (e.tagName === 'DETAILS') e.open = true; const inside = at.querySelector(':scope > details'); "
            "if (inside && at.id === 'scores') inside.open = true; at.scrollIntoView({behavior: 'instant'})",
            place,
        )
        time.sleep(1)


def reports(browser: Any, demo: Path, others: Sequence[tuple[str, Path]]) -> None:
    """Take the pictures of reports: the demo's by parts, every one's first screen and table, wide and on a phone."""
    with browser.chromium(*WIDE) as window:
        for name, place in REPORT.items():
            window.open(demo / "report.html")
            shown(window, place)
            save(window, name)
        for name, output in others:
            window.open(output / "report.html")
            shown(window, "#kept")
            save(window, f"report-{name}")
    with browser.chromium(*PHONE) as window:
        window.open(demo / "report.html")
        save(window, "report-phone")
        shown(window, "#kept")
        save(window, "report-phone-kept")


def explorer(browser: Any, demo: Path) -> None:
    """Take the pictures of the explorer."""
    from glotmix.cli.explore import opened

    page = opened(demo, [])
    with page.running() as address, browser.chromium(*WIDE) as window:
        window.visit(address)
        for name, view in EXPLORER.items():
            window.run("location.hash = '#' + arguments[0]", view)
            time.sleep(4)
            save(window, name)


def main(demo: str, *others: str) -> None:
    """Take all of them."""
    sys.path.insert(0, str(ROOT / "tests"))
    import browser

    pairs = [(name, Path(output)) for name, _, output in (one.partition("=") for one in others)]
    reports(browser, Path(demo), pairs)
    explorer(browser, Path(demo))


if __name__ == "__main__":
    main(*sys.argv[1:])
