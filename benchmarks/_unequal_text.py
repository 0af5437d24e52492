"""The text of `unequal`: twelve languages in four families, of the largest 500 times as much as of the smallest.

Paragraphs of GNOME's and LibreOffice's translated documentation (Debian 12, fetched as for the swarm) and of the crawl
in the shared data, each language cut to a stock that is set here. A document is held out by a hash of its text;
held-out text is cut in two: laws see the losses on the first half, results are on the second. None is published.
"""

import json
from collections.abc import Mapping
from functools import cache

import pyarrow.parquet as pq

from benchmarks import harness
from benchmarks._swarm_text import fetch, own, page
from glotmix.proxy.texts import passage, place

STOCK: Mapping[str, tuple[str, int]] = {
    # language: GNOME's folder (LibreOffice's of the same name is read, too, where there is one), bytes to train on
    "eng_Latn": ("C", 750_000), "deu_Latn": ("de", 200_000), "swe_Latn": ("sv", 10_000),
    "fra_Latn": ("fr", 150_000), "spa_Latn": ("es", 75_000), "cat_Latn": ("ca", 5_000),
    "rus_Cyrl": ("ru", 350_000), "ukr_Cyrl": ("uk", 30_000), "ces_Latn": ("cs", 20_000),
    "hin_Deva": ("hi", 60_000), "mar_Deva": ("mr", 3_000), "guj_Gujr": ("gu", 1_500),
}  # fmt: skip
HELD = 0.25
HELD_BYTES, HELD_EACH = 12_000, 400
"""Of each half and language, and of one of its documents."""
FOLDER = harness.BENCH / "unequal"


def documents(lang: str) -> list[str]:
    """Return the paragraphs of a language, some hundred bytes to some thousand each, in the order of their hash."""
    folder, _ = STOCK[lang]
    found = []
    office = fetch() / "libreoffice" / "help" / ("en-US" if folder == "C" else folder)
    for path in sorted([*(fetch() / "help" / folder).rglob("*.page"), *office.rglob("*.html")]):
        if path.is_file() and not path.is_symlink():
            text = own(page(path), lang)
            found += [text[at : at + 2000] for at in range(0, len(text), 2000)]
    rows = pq.read_table(harness.data("crawl.parquet"), filters=[("lang", "=", lang)])["text"].to_pylist()
    return sorted({text for text in (*found, *rows) if len(text) > 100}, key=place)


@cache
def texts() -> tuple[dict[str, list[str]], dict[str, list[str]], dict[str, list[str]]]:
    """Return, by language, the documents to train on and the passages of either half of what is held out."""
    kept = FOLDER / "text.json"
    if kept.is_file():
        train, first, second = json.loads(kept.read_text("utf-8"))
        return train, first, second
    train, halves = {}, ({}, {})
    for lang, (_, stock) in STOCK.items():
        all_ = documents(lang)
        held = [text for text in all_ if place(text) < HELD]
        rest = [text for text in all_ if place(text) >= HELD]
        train[lang] = _cut(rest, stock, stock)
        for i, half in enumerate(halves):
            half[lang] = _cut(held[i::2], HELD_BYTES, HELD_EACH)
    FOLDER.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps([train, *halves], ensure_ascii=False), "utf-8")
    return train, *halves


def _cut(documents: list[str], most: int, each: int) -> list[str]:
    """Take documents until there are so many bytes, of each a passage of at most so many."""
    taken, left = [], most
    for text in documents:
        if left <= 0:
            return taken
        taken.append(passage(text, min(each, max(left, 100))))
        left -= len(taken[-1].encode())
    raise harness.BenchmarkError(f"{most:,} bytes are wanted and {most - left:,} are there: {taken[0][:40]!r}")
