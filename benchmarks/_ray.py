"""Ray, in an environment of its own, and one recipe with every signal, to be run there and here and compared.

The environment has glotmix's dependencies at the versions that run here, and Ray beside them; glotmix itself is found
where it stands. Ray runs as its users have it by default: a cluster of this machine, made for the run.
"""

import gzip
import json
import os
import re
import shutil
import subprocess
import tomllib
from importlib.metadata import version
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from benchmarks import _runs, harness
from glotmix.core import language

RAY = "ray==2.60.0"

ENVIRONMENT = {
    "PYTHONPATH": os.pathsep.join(
        [str(harness.ROOT), str(harness.ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
    ),
    "RAY_USAGE_STATS_ENABLED": "0",
}
"""Variables under which the environment's Python finds glotmix and the benchmarks, and Ray reports to nobody."""

DEMO = harness.ROOT / "src" / "glotmix" / "data" / "demo"
LANGUAGES = ("wol_Latn", "ibo_Latn", "dzo_Tibt", "rus_Cyrl", "arb_Arab", "tha_Thai", "zho_Hans")


def python(train: bool = False) -> Path:
    """Return the environment's Python, made once.

    Args:
        train: another one, with the extra `train`.

    Raises:
        BenchmarkError: if it cannot be installed.
    """
    project = tomllib.loads((harness.ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = project["dependencies"] + (project["optional-dependencies"]["train"] if train else [])
    names = [re.match(r"[\w.-]+", requirement) for requirement in wanted]
    # Which build of torch (+cpu) is the index's matter.
    pinned = (f"{name[0]}=={version(name[0]).partition('+')[0]}" for name in names if name)
    return harness.peer("ray-train" if train else "ray", (RAY, *pinned))


def both(folder: Path) -> tuple[Path, Path]:
    """Run one recipe with every signal on the local engine and on Ray; return the two outputs.

    Raises:
        BenchmarkError: with the last words of a run that failed.
    """
    return _both(_recipe(folder), python())


def proxies(folder: Path) -> tuple[Path, Path]:
    """Train the proxies of one recipe, three ensembles of two sizes of task, here and as Ray tasks; return the outputs.

    Raises:
        BenchmarkError: with the last words of a run that failed.
    """
    shutil.rmtree(folder, ignore_errors=True)
    rows = [row for file in sorted((DEMO / "crawl-a").iterdir()) for row in _rows(file)]
    _write(folder / "in" / "crawl-a.jsonl.gz", rows)
    trained = {"runs": 8, "parameters": 1e5, "vocabulary": 512, "tokens": 4096, "together": 3, "held_out": 0.2}
    content = {
        "name": "proxies",
        "corpus": {"sources": [_source("crawl-a", "crawl-a")]},
        "quality": None,
        "select": {"retain": "all"},
        "mix": {"laws": ["own_share", "ridge"], "bootstrap": 10, "proxies": trained},
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), "utf-8")
    return _both(path, python(train=True), "mix")


def _both(recipe: Path, python: Path, *to: str) -> tuple[Path, Path]:
    """Run a recipe (to a step) on both engines."""
    folder = recipe.parent
    for runner in ("local", "ray"):
        shutil.rmtree(folder / runner, ignore_errors=True)
        run = [python, "-m", "glotmix", *(to or ("run",)), recipe, f"output={runner}", f"engine.runner={runner}"]
        done = subprocess.run(
            [*run, "--quiet"], env=os.environ | ENVIRONMENT, capture_output=True, text=True, check=False
        )
        if done.returncode:
            words = (done.stderr + done.stdout)[-3000:]
            raise harness.BenchmarkError(f"the recipe on {runner} ended with {done.returncode}:\n{words}")
    return folder / "local", folder / "ray"


def different(one: Path, other: Path) -> tuple[list[str], int]:
    """Return the files of two outputs that are not the same bytes (records without their seconds), and of how many."""
    left, right = _runs.digests(one), _runs.digests(other)
    files = left.keys() | right.keys()
    return sorted(file for file in files if left.get(file) != right.get(file)), len(files)


def _recipe(folder: Path) -> Path:
    """Write the inputs and the recipe: two crawls, an earlier corpus, an evaluation set, groups of sentences.

    A line under every fifth document is planted: the crawls' excerpts repeat none.
    """
    shutil.rmtree(folder, ignore_errors=True)
    for crawl in ("crawl-a", "crawl-b"):
        rows = [row for file in sorted((DEMO / crawl).iterdir()) for row in _rows(file)]
        for number, row in enumerate(rows[::5]):
            row["text"] += f"\nSubscribe to our letter: issue {number} is free"
        half = rows[: len(rows) // 2]
        _write(folder / "in" / f"{crawl}.jsonl.gz", rows)
        _write(folder / "in" / f"{crawl}-before.jsonl.gz", half[::5])
        # A question of an evaluation: the begin of a document that stands in the crawl, and one that stands nowhere.
        items = [{"question": row["text"][:150]} for row in half[3::50]] + [{"question": "seen nowhere " * 9}]
        _write(folder / "in" / f"{crawl}-items.jsonl", items)
        groups = {
            "group": [f"{n // 3}" for n in range(len(half))],
            "lang": [row["lang"] for row in half],
            "id": [row["id"] for row in half],
        }
        pq.write_table(pa.table(groups), folder / "in" / f"{crawl}-groups.parquet")
    before = {
        "name": "before",
        "output": "before",
        "corpus": {"sources": [_source("crawl-a", "crawl-a-before")]},
        "quality": None,
    }
    (folder / "before.yaml").write_text(yaml.safe_dump(before), "utf-8")
    signing = [python(), "-m", "glotmix", "signals", folder / "before.yaml", "--quiet"]
    subprocess.run(signing, env=os.environ | ENVIRONMENT, check=True, capture_output=True)
    content = {
        "name": "everywhere",
        "corpus": {"sources": [_source("crawl-a", "crawl-a"), _source("crawl-b", "crawl-b") | {"rank": 1}]},
        "signals": {
            "boilerplate": {"documents": 3, "remove": True},
            "contamination": {
                "sets": [{"name": c, "path": f"in/{c}-items.jsonl", "columns": ["question"]} for c in ("crawl-a",)]
            },
            "cross_corpus_duplicates": {"signatures": {"before": "before/signals/signatures"}},
            "multiway_parallel": {"groups": ["in/crawl-a-groups.parquet", "in/crawl-b-groups.parquet"]},
            "duplicates": {"selftest": 10},
        },
        "quality": {"seeds": 1, "audits": 1},
        "select": {"rehydrate": 3, "min_documents": 25},
        "export": {"formats": ["parquet", "jsonl.zst"], "dropped": True},
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), "utf-8")
    return path


def _source(name: str, file: str) -> dict[str, object]:
    return {"name": name, "path": f"in/{file}.jsonl.gz", "language": {"column": "lang"}}


def _rows(file: Path) -> list[dict[str, str]]:
    lines = pa.input_stream(file, compression={".zst": "zstd", ".gz": "gzip"}[file.suffix]).read().splitlines()
    found = []
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:
            continue
        lang, text = row.get("lang") or row.get("language"), row.get("text") or row.get("content")
        if text and (code := language.parse(lang).code) in LANGUAGES:
            found.append({"id": row.get("id") or row["doc_id"], "lang": code, "text": text})
    return found


def _write(path: Path, rows: list[dict[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(lines, 1) if path.suffix == ".gz" else lines)
