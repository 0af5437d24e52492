"""Text that people wrote and edited, as whole documents of many lengths, dealt into two halves.

One half is development: `scripts/usual_text.py` builds what ships from it. The other is what `benchmarks.decisions`
reports on. A whole work (an article in all its languages, a story, a news item, a run of sentences) is in one half.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import pyarrow.parquet as pq

from benchmarks import harness
from glotmix.core.errors import RequestError
from glotmix.core.language import parse

Half = Literal["development", "reported"]

SIZES = (300, 700, 1_500, 4_000, 10_000, 20_000)
"""Characters at which pieces and joins of works aim."""


@dataclass(frozen=True)
class Text:
    """A document: its set, its work, its language and its text."""

    set: str
    work: str
    lang: str
    text: str


def half_of(work: str) -> Half:
    """Return the half that a work is in; of its name alone."""
    return "development" if hashlib.blake2b(work.encode(), digest_size=1).digest()[0] % 2 else "reported"


def texts(half: Half) -> Iterator[Text]:
    """Yield all documents of one half, set by set."""
    for one in (news, health, guides, stories):
        yield from one(half)


def news(half: Half) -> Iterator[Text]:
    """NTREX-128's news items, each sentence after the other, three to a line; and several of one language together."""
    yield from _aligned("news", "ntrex.parquet", lambda row: str(row["doc"]), half)


def health(half: Half) -> Iterator[Text]:
    """TICO-19's sentences in runs of 25 neighbours (its passages stand in order), three to a line."""
    yield from _aligned("health", "tico19.parquet", lambda row: f"{int(row['i']) // 25}", half)


def guides(half: Half) -> Iterator[Text]:
    """Essays on open source, whole and their first parts."""
    for row in pq.read_table(harness.data("opensource_guides.parquet")).to_pylist():
        work = f"guides {row['article']}"
        code = _code(row["lang"])
        if half_of(work) == half and code is not None:
            paragraphs = row["text"].split("\n\n")
            yield from _grown("guides", work, code, paragraphs, "\n\n")


def stories(half: Half) -> Iterator[Text]:
    """Children's stories without the lines on licence and authors, whole."""
    for row in pq.read_table(harness.data("african_storybook.parquet")).to_pylist():
        work = f"stories {row['story']}"
        code = _code(row["lang"])
        body = row["text"].split("\n* License")[0].rstrip("# \n").replace("##\n", "").replace("# ", "")
        if half_of(work) == half and code is not None and len(body) >= SIZES[0]:
            yield Text("stories", work, code, body)


def _aligned(name: str, file: str, work_of: Callable[[dict[str, object]], str], half: Half) -> Iterator[Text]:
    works: dict[str, dict[str, list[tuple[int, str]]]] = defaultdict(lambda: defaultdict(list))
    for row in pq.read_table(harness.data(file)).to_pylist():
        work = f"{name} {work_of(row)}"
        if half_of(work) == half and row["text"].strip():
            works[row["lang"]][work].append((row["i"], row["text"].strip()))
    for lang in sorted(works):
        code = _code(lang)
        if code is None:
            continue
        space = "" if parse(code).script in ("Hans", "Hant", "Jpan", "Thai", "Laoo", "Khmr", "Mymr") else " "
        lines: list[str] = []
        for work in sorted(works[lang]):
            own = [text for _, text in sorted(works[lang][work])]
            together = [space.join(own[at : at + 3]) for at in range(0, len(own), 3)]
            yield Text(name, work, code, "\n".join(together))
            lines += together
        yield from _grown(name, f"{name} joined", code, lines, "\n")


def _grown(name: str, work: str, lang: str, pieces: list[str], between: str) -> Iterator[Text]:
    """Yield pieces put together up to each size, one document of each size after the other, then the whole."""
    at, turn = 0, 0
    while at < len(pieces):
        wanted, text = SIZES[turn % len(SIZES)], pieces[at]
        at, turn = at + 1, turn + 1
        while len(text) < wanted * 0.8 and at < len(pieces):
            text += between + pieces[at]
            at += 1
        if len(text) >= SIZES[0] * 0.8:
            yield Text(name, work, lang, text)
    whole = between.join(pieces)
    if name == "guides" and len(whole) <= SIZES[-1] * 1.2:
        yield Text(name, work, lang, whole)


def _code(lang: str) -> str | None:
    try:
        return parse(lang.replace("_", "-") if len(lang) < 6 else lang).code
    except RequestError:
        return None
