"""Measure py3langid per language: `python scripts/identification.py`, into src/glotmix/data/identification.tsv.

On pieces of the development half of edited text (news in 122 languages, health, stories; `benchmarks/_clean.py`)
of some 300 to 900 characters, whose language people wrote down. Counts alone are written, no text.
"""

import sys
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import _clean  # noqa: E402

from glotmix.core.language import parse  # noqa: E402
from glotmix.signals import confusions, identifiers, language_id  # noqa: E402

SIZES = (300, 900)
TOGETHER = 0.03
"""A language of whose documents so many read as another cannot be told from it."""
ALARMS = 0.005
"""The share of rightly declared documents that a threshold may call wrong."""
LOWEST, HIGHEST = 0.5, 0.95
"""Of a threshold: what reads as another language with more mostly is; stories hold pages of English."""
LEAST = 40


def pieces() -> tuple[list[str], list[str]]:
    """Return pieces of edited text and their languages."""
    texts, langs = [], []
    for one in _clean.texts("development"):
        # The essays quote English and code, untranslated: their language is not one.
        if one.set == "guides":
            continue
        for at, start in enumerate(range(0, min(len(one.text), 6_000), SIZES[1])):
            piece = one.text[start : start + SIZES[at % 2]]
            if len(piece) >= SIZES[0] * 0.9:
                texts.append(piece)
                langs.append(one.lang)
    return texts, langs


def main() -> None:
    """Write the file."""
    texts, langs = pieces()
    model = identifiers.load()
    seen = language_id.identify(pa.array(texts, pa.string()), pa.array(langs, pa.string()), model)
    label, score = seen.field("label").to_pylist(), seen.field("score").to_pylist()
    by_lang: dict[str, list[int]] = defaultdict(list)
    for at, lang in enumerate(langs):
        by_lang[lang].append(at)
    links: dict[str, set[str]] = defaultdict(set)
    rows = {}
    for lang, mine in sorted(by_lang.items()):
        if len(mine) < LEAST:
            continue
        known = language_id.knows(model.labels, parse(lang))
        read = Counter(label[at] for at in mine)
        others = {o: n for o, n in read.items() if o is not None and o[:3] != lang[:3]}
        for other, n in others.items():
            if n >= TOGETHER * len(mine):
                links[lang].add(other)
        alarms = [score[at] for at in mine if label[at] in others and label[at] not in links[lang]]
        wrong = sorted(alarms, reverse=True)
        allowed = int(ALARMS * len(mine))
        least = wrong[allowed] + 0.02 if len(wrong) > allowed else LOWEST
        most = max(others, key=lambda o: others[o]) if others else ""
        bounded = min(max(float(np.ceil(least * 100) / 100), LOWEST), HIGHEST)
        rows[lang] = (known, len(mine), read[lang] / len(mine), bounded, most)
    lines = ["\t".join(confusions.COLUMNS)]
    for lang, (known, n, right, least, most) in rows.items():
        together = ",".join(sorted(links[lang]))
        lines.append(f"{lang}\t{int(known)}\t{n}\t{right:.3f}\t{least:.2f}\t{together}\t{most}")
    head = "# py3langid on edited text, by declared language; written by scripts/identification.py\n"
    confusions.FILE.write_text(head + "\n".join(lines) + "\n", "utf-8")
    print(f"{len(texts)} pieces, {len(rows)} languages, {sum(bool(v) for v in links.values())} that read as another")


if __name__ == "__main__":
    main()
