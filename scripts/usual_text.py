"""Make the reference that ships: `python scripts/usual_text.py`, into src/glotmix/data/reference.parquet.

Web excerpts (`crawl.parquet`) as they are, cut, and joined; the development half of edited text
(`benchmarks/_clean.py`) and the same cut. Numbers alone are written, no text. Deterministic. See
src/glotmix/data/README.md for the licences.
"""

import sys
from collections import defaultdict
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import _clean, harness  # noqa: E402

from glotmix.core.language import parse  # noqa: E402
from glotmix.quality import lengths, reference  # noqa: E402
from glotmix.signals import heuristics  # noqa: E402

WEB = 240
"""Web excerpts of a language, so that edited text has its say."""


SAMPLE = 100
"""Of these, whole, their features ship one by one."""
EDITED = 300
"""And those of so many edited documents of each set."""
WEB_LANGUAGES: set[str] = set()
"""Filled by `documents`: the languages of the web excerpts."""


def documents() -> dict[str, list[str]]:
    """Return the texts of each language at all lengths."""
    web: dict[str, list[str]] = defaultdict(list)
    rows = pq.read_table(harness.data("crawl.parquet")).to_pylist()
    rows.sort(key=lambda row: blake2b(row["id"].encode()).digest())
    codes = {code: parse(code).code for code in {row["lang"] for row in rows}}
    for row in rows:
        own = web[codes[row["lang"]]]
        if len(own) < WEB:
            own.append(row["text"])
    found: dict[str, list[str]] = defaultdict(list)
    WEB_LANGUAGES.update(web)
    for lang, texts in web.items():
        found[lang] += texts
        for size in lengths.KNOTS:
            if size < 1_000:
                found[lang] += [lengths.cut(text, size) for text in texts[: WEB // 2]]
            elif size > 1_000:
                found[lang] += ["\n\n".join(texts[i] for i in run) for run in lengths.joined(texts, size)]
    for one in _clean.texts("development"):
        found[one.lang].append(one.text)
        if len(one.text) > 400:
            found[one.lang].append(lengths.cut(one.text, lengths.KNOTS[len(found[one.lang]) % 2]))
    return found


def edited() -> pa.Table:
    """Return edited documents as they are measured: as many of each set, dealt over its languages in turn."""
    chosen: list[_clean.Text] = []
    by_set: dict[str, dict[str, list[_clean.Text]]] = defaultdict(lambda: defaultdict(list))
    for one in _clean.texts("development"):
        by_set[one.set][one.lang].append(one)
    for own in by_set.values():
        for texts in own.values():
            texts.sort(key=lambda one: blake2b(one.text.encode()).digest())
        turns = [texts[turn] for turn in range(EDITED) for _, texts in sorted(own.items()) if turn < len(texts)]
        chosen += turns[:EDITED]
    langs = pa.array([one.lang for one in chosen], pa.string())
    seen = heuristics.measure(pa.array([one.text for one in chosen], pa.string()), langs)
    return pa.table({"lang": langs} | {f.name: seen.field(i) for i, f in enumerate(seen.type)})


def one_by_one(made: reference.Reference, documents: pa.Table, path: Path) -> None:
    """Write the features of documents, held against the reference."""
    names = [name for name in made.columns if name != reference.SIZE]
    held = made.apply(documents, names).astype(np.float16)
    columns = {name: pa.array(held[:, at], mask=np.isnan(held[:, at])) for at, name in enumerate(names)}
    pq.write_table(pa.table({"lang": documents["lang"]} | columns), path, compression="zstd", compression_level=19)
    print(f"{path.name}: {documents.num_rows} documents, {path.stat().st_size:,} bytes")


def main() -> None:
    """Write the file."""
    held = documents()
    langs = [lang for lang in sorted(held) for _ in held[lang]]
    texts = [text for lang in sorted(held) for text in held[lang]]
    codes = pa.array(langs, pa.string())
    seen = heuristics.measure(pa.array(texts, pa.string()), codes)
    # A language's first documents are web excerpts, whole.
    starts = {lang: langs.index(lang) for lang in held if lang in WEB_LANGUAGES}
    first = [
        at for start in sorted(starts.values()) for at in range(start, start + SAMPLE) if langs[at] == langs[start]
    ]
    table = pa.table(
        {"id": range(len(langs)), "lang": codes} | {f.name: seen.field(i) for i, f in enumerate(seen.type)}
    )
    made = reference.fit(table, [name for name in heuristics.COLUMNS if name not in ("bytes", "units", "lines")])
    made.write(reference.FILE)
    one_by_one(made, table.filter(pc.is_in(table["id"], pa.array(first))), reference.SAMPLE)
    one_by_one(made, edited(), reference.EDITED)
    print(f"{len(texts)} documents, {len(made.levels)} levels, {reference.FILE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
