"""Main text out of web pages: glotmix's extraction beside the libraries alone, on pages that people marked.

`html_pages.parquet` is half of trafilatura's evaluation set: for each page segments that its text must hold and
segments that it must not. They are counted as the set's own evaluation counts them: a segment is there or it is not;
precision, recall and F1 are over all segments of all pages. The interval is a bootstrap over pages (1,000 draws).

The numbers of `glotmix.corpus.main_text` were chosen on the pages whose address hashes to an even number, the names of
`glotmix.corpus.frames` on none: they are Trafilatura's, which grew with this set's pages in view.
``f1.glotmix.chosen_on`` and ``f1.glotmix.other_half`` give the two halves apart. The scores of the other half were
printed while variants were compared, so it is not held out: optimistic.
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pyarrow.parquet as pq

from benchmarks import harness
from benchmarks.harness import Row
from glotmix.corpus import extract

DRAWS = 1_000


def run(small: bool) -> Iterable[Row]:
    try:
        import trafilatura
        from resiliparse.extract.html2text import extract_plain_text
        from resiliparse.parse.html import HTMLTree
    except ImportError as error:
        raise harness.BenchmarkError(f"{error.name} is missing: pip install 'glotmix[raw,trafilatura]'") from None
    pages = pq.read_table(harness.data("html_pages.parquet")).to_pylist()
    if small:
        pages = pages[::10]
    texts = [extract.decoded(page["html"])[0] for page in pages]
    own = extract.extractor("resiliparse")
    ways: dict[str, Callable[[str], str]] = {
        "glotmix": lambda html: extract.page(html, own)["text"],
        "resiliparse": lambda html: str(extract_plain_text(HTMLTree.parse(html), main_content=True)),
        "resiliparse_tuned": lambda html: str(
            extract_plain_text(
                HTMLTree.parse(html), main_content=True, alt_texts=False, comments=False, post_meta=False
            )
        ),
        "glotmix_trafilatura": lambda html: extract.page(html, extract.extractor("trafilatura"))["text"],
        "trafilatura": lambda html: trafilatura.extract(html, include_comments=False) or "",
    }
    even = np.array([hashlib.md5(p["url"].encode()).digest()[0] % 2 == 0 for p in pages])
    found: dict[str, list[str]] = {name: [] for name in ways}
    spent = dict.fromkeys(ways, 0.0)
    fast = [name for name in ways if "trafilatura" not in name]
    # The fast ones in turn on every 20 pages, so that a busy machine slows all alike: the median of three times.
    for names, rounds in ((fast, 3), ([name for name in ways if name not in fast], 1)):
        for first in range(0, len(texts), 20):
            times: dict[str, list[float]] = {name: [] for name in names}
            for turn in range(rounds):
                for name in names[turn:] + names[:turn]:
                    # A text keeps its UTF-8 once a parser has asked for it: each time a new one.
                    some = [html.encode().decode() for html in texts[first : first + 20]]
                    start = time.process_time()
                    told = [ways[name](html) for html in some]
                    times[name].append(time.process_time() - start)
                    if not turn:
                        found[name] += told
            for name in names:
                spent[name] += float(np.median(times[name]))
    for name in ways:
        counts = np.array([_counts(page, text) for page, text in zip(pages, found[name], strict=True)])
        yield from _scores(name, counts)
        if name == "glotmix":
            yield from _scores("glotmix.chosen_on", counts[even])
            yield from _scores("glotmix.other_half", counts[~even])
        speed = len(pages) / spent[name]
        yield Row("extract", f"pages_per_cpu_second.{name}", speed, n=len(pages), unit="pages per CPU-second")
    ratio = spent["resiliparse"] / spent["glotmix"]
    settings = {"both": "parsing and extraction of decoded pages; glotmix reads title, date, licence … as well"}
    yield Row("extract", "speed.glotmix_to_resiliparse", ratio, n=len(pages), unit="ratio", settings=settings)


def _counts(page: dict[str, list[str]], text: str) -> tuple[int, int, int]:
    """Return segments rightly there, wrongly missing, wrongly there."""
    there = sum(segment in text for segment in page["keep"])
    return there, len(page["keep"]) - there, sum(segment in text for segment in page["drop"])


def _scores(name: str, counts: np.ndarray) -> Iterator[Row]:
    def f1(rows: np.ndarray) -> float:
        right, missing, wrong = rows.sum(axis=0)
        return float(2 * right / (2 * right + missing + wrong))

    random = np.random.default_rng(0)
    draws = [f1(counts[random.integers(0, len(counts), len(counts))]) for _ in range(DRAWS)]
    low, high = np.quantile(draws, [0.025, 0.975])
    right, missing, wrong = counts.sum(axis=0)
    settings = {"pages": len(counts), "seed": 0}
    segments = int(right + missing + wrong)
    yield Row("extract", f"f1.{name}", f1(counts), float(low), float(high), segments, "F1 of segments", settings)
    yield Row("extract", f"precision.{name}", float(right / (right + wrong)), n=int(right + wrong), settings=settings)
    yield Row("extract", f"recall.{name}", float(right / (right + missing)), n=int(right + missing), settings=settings)


if __name__ == "__main__":
    harness.main("extract", run)
