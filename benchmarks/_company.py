"""The same web text alone, and beside a source of another kind, through a recipe's own steps."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from scipy.stats import spearmanr

from benchmarks import harness
from benchmarks.harness import Row
from glotmix.core import table
from glotmix.core.language import parse
from glotmix.pipeline import recipe as recipes
from glotmix.pipeline.run import Job

NAME = "decisions"
LANGUAGES = ("eng_Latn", "hau_Latn", "rus_Cyrl", "hin_Deva", "arb_Arab", "tha_Thai", "zho_Hans", "amh_Ethi")


def rows(small: bool) -> Iterator[Row]:
    """Yield the shift of the median score, the largest over languages, and the least rank correlation."""
    with tempfile.TemporaryDirectory() as made:
        base = Path(made)
        web, sentences = _web(100 if small else 400), _sentences(200 if small else 1_000)
        _write(base / "web.jsonl", web)
        _write(base / "sentences.jsonl", sentences)
        alone = _scored(base, "alone", ["web"])
        beside = _scored(base, "beside", ["web", "sentences"])
    shifts, ranks = {}, {}
    for lang in sorted({row["lang"] for row in web}):
        ids = [row["id"] for row in web if row["lang"] == lang and row["id"] in alone and row["id"] in beside]
        one, two = (np.array([held[i] for i in ids]) for held in (alone, beside))
        if len(ids) >= 30:
            shifts[lang], ranks[lang] = float(abs(np.median(one) - np.median(two))), float(spearmanr(one, two)[0])
    about = {"languages": sorted(shifts), "beside": "single sentences of news, the same languages"}
    yield Row(NAME, "stability.median_shift", max(shifts.values()), None, None, len(web), "score", about | shifts)
    yield Row(NAME, "stability.rank", min(ranks.values()), None, None, len(web), "rank correlation", about | ranks)


def _web(each: int) -> list[dict[str, str]]:
    found: dict[str, list[dict[str, str]]] = {lang: [] for lang in LANGUAGES}
    for row in pq.read_table(harness.data("crawl.parquet")).to_pylist():
        lang = parse(row["lang"]).code
        if lang in found and len(found[lang]) < each:
            found[lang].append({"id": row["id"], "text": row["text"], "lang": lang})
    return [row for own in found.values() for row in own]


def _sentences(each: int) -> list[dict[str, str]]:
    found: dict[str, list[dict[str, str]]] = {lang: [] for lang in LANGUAGES}
    codes: dict[str, str] = {}
    for row in pq.read_table(harness.data("ntrex.parquet")).to_pylist():
        if row["lang"] not in codes:
            try:
                codes[row["lang"]] = parse(row["lang"]).code
            except Exception:
                codes[row["lang"]] = ""
        lang = codes[row["lang"]]
        if lang in found and len(found[lang]) < each:
            found[lang].append({"id": f"s-{lang}-{row['i']}", "text": row["text"], "lang": lang})
    return [row for own in found.values() for row in own]


def _write(path: Path, held: list[dict[str, str]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in held), "utf-8")


def _scored(base: Path, name: str, sources: list[str]) -> dict[str, float]:
    listed = [{"name": s, "path": f"{s}.jsonl", "language": {"column": "lang"}} for s in sources]
    recipe = {
        "name": name,
        "output": name,
        "corpus": {"sources": listed, "max_quarantined": 1.0},
        "quality": {"audits": 1},
    }
    path = base / f"{name}.yaml"
    path.write_text(json.dumps(recipe), "utf-8")
    Job(recipes.load(path, ()), base).run("signals/quality")
    held = table.read(sorted((base / name / "signals" / "quality").glob("part-*.parquet")), ["id", "score"])
    return dict(zip(held["id"].to_pylist(), held["score"].to_pylist(), strict=True))
