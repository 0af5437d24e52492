"""What becomes of chosen conversations: what they cover, every shape, originals with rows removed, sweeps of sizes."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from glotmix.core import record, table
from glotmix.core.context import RunContext
from glotmix.core.errors import DataError, RequestError
from glotmix.core.record import Counts, Output, digest_file
from glotmix.corpus import reshape, sources
from glotmix.corpus.shapes import Shape
from glotmix.instruct.selection import candidates
from glotmix.select import diversify
from glotmix.select.coverage import coverage

VERSION = 1

MANIFEST = "manifest.json"


def make_coverage(context: RunContext, output: Output) -> Counts:
    """Write ``coverage.json``: what of clusters, topics, sources and shapes the selection covers, per language."""
    rows = table.read(_parts(context.step_dir("ledger")), ["id", "lang", "source", "kept", "rule"])
    meaning = table.read(_parts(context.step_dir("signals/meaning")))
    kept = rows["kept"].to_numpy(zero_copy_only=False)
    langs = np.array(rows["lang"].to_pylist())
    groups = {"clusters": meaning["cluster_of_meaning"], "topics": meaning["topic"], "sources": rows["source"]}
    found: dict[str, Any] = {}
    for lang in ["", *np.unique(langs).tolist()]:
        mine = np.ones(len(langs), bool) if not lang else langs == lang
        told: dict[str, Any] = {"candidates": int(mine.sum()), "kept": int(kept[mine].sum())}
        for name, labels in groups.items():
            spread = coverage(labels.filter(pa.array(mine)), kept[mine])
            told[name] = None if spread is None else spread.as_dict()
        found[lang or "all"] = told
    topics = record.require(context.step_dir("signals/meaning"), "run RECIPE").notes.get("topics", {})
    text = json.dumps({"coverage": found, "topics": topics}, ensure_ascii=False, indent=1, allow_nan=False)
    (output.path / "coverage.json").write_text(text, "utf-8")
    return {"documents": rows.num_rows, "kept": int(kept.sum()), "languages": len(found) - 1}


def make_shapes(context: RunContext, shapes: Sequence[str], folder: Path) -> Counts:
    """Write what the ledger keeps in shapes: ``<shape>/<lang>.jsonl``, ``original/<source>/…``."""
    rows = table.read(_parts(context.step_dir("ledger")), ["id", "kept"])
    kept = rows.filter(rows["kept"])["id"]
    counts: Counts = {"documents": len(kept)}
    for shape in shapes:
        to = folder / shape
        done = originals(context, kept, to) if shape == "original" else shaped(context, kept, shape, to)
        counts |= {f"{shape} {name}": n for name, n in done.items()}
    return counts


def shaped(
    context: RunContext, kept: pa.Array | pa.ChunkedArray, shape: Any, folder: Path, only: str | None = None
) -> Counts:
    """Write the conversations with the given ids in a shape: ``<lang>.jsonl``."""
    counts: Counts = {}
    files: dict[str, list[Path]] = {}
    for file in table.shards(context.corpus if only is None else context.corpus / only):
        files.setdefault(file.parent.name, []).append(file)
    for lang, shards in files.items():
        held = table.read(shards)
        held = held.filter(pc.is_in(held["id"], kept))
        if held.num_rows:
            for name, n in reshape.write(held, shape, folder / f"{lang}.jsonl").items():
                counts[name] = counts.get(name, 0) + n
    return counts


def originals(context: RunContext, kept: pa.Array | pa.ChunkedArray, folder: Path) -> Counts:
    """Write every file of every source again without the rows of which nothing is kept.

    Raises:
        RequestError: for a source on the Hub: there is no file to write again.
    """
    counts: Counts = {}
    corpus = table.read(table.shards(context.step_dir("corpus")), ["id", "source", "origin"])
    corpus = corpus.filter(pc.is_in(corpus["id"], kept))
    for source in context.recipe.corpus.sources:
        if source.hub:
            raise RequestError(f"source '{source.name}': a data set of the Hub has no files to write again", "openai")
        mine = corpus.filter(pc.equal(corpus["source"], source.name))
        rows = reshape.rows_of(mine["origin"].to_pylist())
        for file in sources.files(source, context.base):
            done = reshape.original(source, file, rows.get(file.name, set()), folder / source.name / file.name)
            for name, n in done.items():
                counts[name] = counts.get(name, 0) + n
    return counts


def sweep(
    context: RunContext,
    sizes: Sequence[int],
    methods: Sequence[diversify.Method],
    shape: Shape,
    seed: int,
    folder: Path,
) -> dict[str, Any]:
    """Write nested selections of several sizes by several methods, ready to train on, with a manifest.

    The candidates are the conversations that pass all rules of the ledger. Of one method and language, each selection
    holds the smaller ones. A language with fewer candidates than a size is left out of it, and the manifest says so.

    Args:
        context: a recipe whose ledger is made.
        sizes: conversations per language.
        methods: ways to choose, such as `diversify.CONTROLS`.
        shape: of the files.
        seed: of the methods that draw.
        folder: gets ``<method>/<size>/<lang>.jsonl`` and ``manifest.json``.

    Returns:
        the manifest: ``selections`` (method, size, lang, file, sha256, documents, mean quality and length, coverage)
        and ``short`` (languages without enough candidates).

    Raises:
        RequestError: if the folder holds other files.
        DataError: if no language has enough candidates for any size.
    """
    if folder.exists() and any(p.name != MANIFEST and p.name not in diversify.METHODS for p in folder.iterdir()):
        raise RequestError(f"{folder} holds other files", "name a new folder")
    rows = table.read(_parts(context.step_dir("ledger")), ["id", "lang", "kept", "rule", "quality"])
    passed = pc.or_(rows["kept"], pc.equal(rows["rule"], "selection").fill_null(False))
    open_ = np.flatnonzero(passed.to_numpy(zero_copy_only=False))
    files: dict[str, Path] = {}
    selections: list[dict[str, Any]] = []
    short: dict[str, int] = {}
    for method in methods:
        for lang, (mine, pool) in candidates(context, rows, open_, method).items():
            if len(pool) < max(sizes):
                short[lang] = len(pool)
            before: set[int] = set()
            for size, picked in diversify.nested(pool, sizes, method, seed).items():
                ids = rows["id"].take(pa.array(np.sort(mine[picked])))
                place = Path(method) / str(size)
                counts = shaped(context, ids, shape, folder / place, lang)
                path = folder / place / f"{lang}.jsonl"
                files[str(place / path.name)] = path
                inside = np.zeros(len(pool), bool)
                inside[picked] = True
                spread = coverage(pool.labels.tolist(), inside)
                selections.append(
                    {
                        "method": method,
                        "size": size,
                        "lang": lang,
                        "file": str(place / path.name),
                        "sha256": digest_file(path),
                        "documents": counts["documents"],
                        "left_out": counts["left_out"],
                        "holds the smaller ones": before <= set(picked.tolist()),
                        "mean_quality": float(pool.scores[picked].mean()) if context.has("signals/quality") else None,
                        "mean_response_chars": float(pool.lengths[picked].mean()),
                        "clusters": None if spread is None else {"of": spread.groups, "covered": spread.covered},
                    }
                )
                before = set(picked.tolist())
    if not selections:
        held = ", ".join(f"{lang}: {n:,}" for lang, n in sorted(short.items()))
        raise DataError(f"no language has {min(sizes):,} conversations that pass the rules ({held})", "smaller sizes")
    ledger = record.require(context.step_dir("ledger"), "run RECIPE")
    manifest = {
        "recipe": context.recipe.name,
        "ledger": ledger.fingerprint,
        "shape": shape,
        "seed": seed,
        "sizes": sorted(set(sizes)),
        "methods": list(methods),
        "selections": selections,
        "short": short,
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, ensure_ascii=False, indent=1, allow_nan=False), "utf-8")
    return manifest


def _parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("part-*.parquet"))
