"""From a recipe to a model: read, train, quantise, write. What `glotmix embed train` does."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from glotmix.core import json_text
from glotmix.core.errors import RequestError
from glotmix.embed import recipe as recipes
from glotmix.embed import train
from glotmix.embed.contrast import Projection, accuracy, project, unit
from glotmix.embed.protocol import Embedder
from glotmix.embed.quantise import axes, quantise
from glotmix.embed.recipe import Training
from glotmix.embed.static import StaticEmbedder

CHECKPOINT = "checkpoint.safetensors"
TEACHER = "teacher.f16"
EVERY = 1_000
POOL = 500
_BLOCK = 2_048


class Watcher:
    """What training tells of its progress; the command line draws it. This one says nothing."""

    def advance(self, part: str, done: int, total: int, note: str = "") -> None:
        """Say that `done` of `total` units of a part (pairs, teacher, steps) are finished."""


def make(
    recipe: Training,
    base: Path,
    output: Path,
    load: Callable[[str, Path], Embedder],
    watcher: Watcher | None = None,
    every: int = EVERY,
) -> StaticEmbedder:
    """Train a model and write it; a run that was interrupted goes on from its last checkpoint.

    Args:
        recipe: what to make.
        base: the folder that the recipe's paths start from.
        output: the folder of the model; the checkpoint and the teacher's vectors stand in it until the end.
        load: gives the teacher by its name.
        watcher: is told of the progress.
        every: steps between checkpoints.

    Raises:
        RequestError: if `output` holds a finished model already.
        DataError: if the pairs cannot be used.
    """
    watcher = watcher or Watcher()
    if (output / "embedder.json").is_file():
        raise RequestError(f"{output} holds a model already", "choose another --output, or delete it")
    output.mkdir(parents=True, exist_ok=True)
    pairs = recipes.read([base / p for p in recipe.pairs])
    training, dev = recipes.split(pairs, recipe)
    watcher.advance("pairs", 0, 1, f"{training.num_rows:,} pairs")
    data = train.corpus(training, recipe.settings)
    watcher.advance("pairs", 1, 1, f"{len(data.keys):,} words and n-grams")
    teacher = projection = None
    if recipe.teacher is not None:
        english = training["eng"].combine_chunks().dictionary_encode().dictionary
        if recipe.teacher.endswith(".parquet"):
            found = recipes.vectors(base / recipe.teacher, english)
        else:
            found = lessons(load(recipe.teacher, base), english, output / TEACHER, watcher)
        projection = project(found, recipe.settings.width)
        teacher = projection.apply(found)
    path = output / CHECKPOINT
    state = train.load(path, data, recipe.settings) if path.is_file() else None
    losses: list[float] = []

    def each(state: train.State, loss: float) -> None:
        losses.append(loss)
        if state.step % 20 == 0 or state.step == recipe.settings.steps:
            watcher.advance("steps", state.step, recipe.settings.steps, f"loss {np.mean(losses[-100:]):.3f}")
        if state.step % every == 0 and state.step < recipe.settings.steps:
            train.save(path, state, data, recipe.settings)

    state = train.run(data, recipe.settings, teacher, state, each)
    # The root of what Adagrad summed up: a feature's part in the texts that were trained on.
    weights = np.sqrt(state.squares.astype(np.float64))
    seed, width = recipe.settings.seed, recipe.kept or recipe.settings.width
    turned = axes(state.vectors, weights, width, seed)
    quantised = quantise(state.vectors @ turned, weights, recipe.group, seed)
    if projection is not None:
        projection = Projection(projection.mean, projection.axes @ turned)
    model = StaticEmbedder(data.keys, quantised, {}, projection)
    model.about = about(recipe, training, model, dev)
    model.write(output)
    path.unlink(missing_ok=True)
    (output / TEACHER).unlink(missing_ok=True)
    return model


def lessons(teacher: Embedder, texts: pa.Array, path: Path, watcher: Watcher) -> NDArray[np.float32]:
    """Return the teacher's vectors of some texts; what a run before this one has made is read from `path`."""
    size = 2 * teacher.width
    done = min(len(texts), path.stat().st_size // size) if path.is_file() else 0
    with path.open("r+b" if path.is_file() else "wb") as file:
        file.truncate(done * size)
        file.seek(done * size)
        for at in range(done, len(texts), _BLOCK):
            file.write(teacher.embed(texts.slice(at, _BLOCK).to_pylist()).astype(np.float16).tobytes())
            watcher.advance("teacher", min(at + _BLOCK, len(texts)), len(texts), teacher.fingerprint)
    return np.fromfile(path, np.float16).reshape(len(texts), teacher.width).astype(np.float32)


def about(recipe: Training, training: pa.Table, model: Embedder, dev: pa.Table) -> dict[str, Any]:
    """Return what the header says of a model: what it was made from, and what was kept out."""
    languages = pc.unique(training["lang"]).to_pylist()
    counts = training.group_by("source").aggregate([("lang", "count")]).to_pylist()
    return {
        "license": recipe.license,
        "sources": {row["source"]: row["lang_count"] for row in sorted(counts, key=lambda r: str(r["source"]))},
        "languages": sorted({"eng_Latn", *languages}),
        "teacher": recipe.teacher,
        "settings": asdict(recipe.settings),
        "kept": recipe.kept or recipe.settings.width,
        "group": recipe.group,
        "held_out": json_text.loads(recipe.held_out.model_dump_json()),
        "dev": retrieval(model, dev),
    }


def retrieval(model: Embedder, pairs: pa.Table, pool: int = POOL) -> Mapping[str, float]:
    """Return per source how often a translation is found among `pool`, both ways: the mean over languages."""
    found: dict[str, list[float]] = {}
    for key in sorted(set(zip(pairs["source"].to_pylist(), pairs["lang"].to_pylist(), strict=True))):
        mine = pc.and_(pc.equal(pairs["source"], key[0]), pc.equal(pairs["lang"], key[1]))
        rows = pairs.filter(mine).slice(0, pool)
        one, other = (unit(model.embed(rows[side].to_pylist()))[0] for side in ("text", "eng"))
        there, back = accuracy(one, other)
        found.setdefault(key[0], []).append((there + back) / 2 / rows.num_rows)
    return {source: round(float(np.mean(shares)), 4) for source, shares in found.items()}
