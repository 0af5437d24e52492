"""A small run for the explorer: 14 languages in 13 scripts, translations, near-duplicates, vectors, hostile text.

The recipe is run for real up to its mixture, so what the explorer says can be held against what the run says. Sentences
are those of `report_world`.
"""

import json
import random
import re
from pathlib import Path

from benchmarks._payloads import PAYLOADS

from glotmix.pipeline import recipe as recipes
from glotmix.pipeline.run import Job
from report_world import SENTENCES

EACH = 16
NAMES = ("plain", "other")
"""Of the sources."""


def rows() -> list[list[dict]]:
    """Return the documents of both sources."""
    made: list[list[dict]] = [[], []]
    rng = random.Random(3)
    for lang, sentence in SENTENCES.items():
        for i in range(EACH):
            # Digits differ from document to document, so that every line of digits parts them otherwise.
            text = "\n".join(_turned(sentence, rng) for _ in range(2 + i % 5)) + f" {i}" * i
            made[i % 2].append(
                {"id": f"{lang}/{i:02d}", "text": text, "lang": lang, "group": f"article {i}",
                 "url": f"https://site{i % 3}.example/{lang}/{i}"}
            )  # fmt: skip
        base = "\n".join(_turned(sentence, rng) for _ in range(12))
        for i, last in enumerate(("9", "10")):
            made[i].append(
                {"id": f"{lang}/twin-{i}", "text": f"{base}\n{last}", "lang": lang, "group": None,
                 "url": f"https://twins.example/{lang}"}
            )  # fmt: skip
    for n, payload in enumerate(PAYLOADS):
        made[n % 2].append(
            {"id": f"{n:02d} {payload}", "text": f"{payload}\nTous les êtres humains naissent libres. {payload}",
             "lang": "fra_Latn", "group": payload, "url": f"https://{n}.example/{payload}"}
        )  # fmt: skip
    return made


def _turned(sentence: str, rng: random.Random) -> str:
    """Return a sentence's words, or runs of its letters where it has no words, in another order."""
    pieces = sentence.split() if sentence.count(" ") > 4 else re.findall(r".{1,3}", sentence)
    return (" " if sentence.count(" ") > 4 else "").join(rng.sample(pieces, len(pieces)))


def write(base: Path, **changed: object) -> Path:
    """Write the sources and the recipe, and return its path; nothing is run."""
    for name, documents in zip(NAMES, rows(), strict=True):
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in documents)
        (base / f"{name}.jsonl").write_text(lines, "utf-8")
    recipe = {
        "name": "world", "output": "out", "quality": None, "select": {"retain": "all", "min_documents": 10},
        "mix": {"tokens": 100_000},
        "corpus": {"sources": [
            {"name": name, "path": f"{name}.jsonl", "language": {"column": "lang"}} for name in NAMES
        ]},
        "signals": {"embed": "static", "urls": {}, "duplicates": {"selftest": False, "threshold": 0.9}},
        **changed,
    }  # fmt: skip
    path = base / "recipe.yaml"
    path.write_text(json.dumps(recipe, ensure_ascii=False), "utf-8")
    return path


def job(path: Path, *overrides: str) -> Job:
    """Return the recipe's job."""
    return Job(recipes.load(path, overrides), path.parent)


def run(base: Path) -> Path:
    """Write it, run it up to its mixture, and return the recipe's path."""
    path = write(base)
    job(path).run("signals")
    job(path).run("mixture")
    return path
