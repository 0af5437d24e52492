"""Train models for `unequal`, in parts: a file a run, so that whatever was trained is never trained again.

Every run is a mixture, a size and a seed; all have one tokenizer, one budget and one stock. Losses are bits per byte on
the half of the held-out text that the run is for: the first where laws are fitted to them, the second where they are
what is reported.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from benchmarks._unequal_text import FOLDER, STOCK, texts
from glotmix.proxy import bits, ensemble, model
from glotmix.proxy import texts as text
from glotmix.proxy.config import ProxiesConfig
from glotmix.proxy.size import shape
from glotmix.proxy.tokenizer import Pieces, learn

LANGUAGES = tuple(sorted(STOCK))
TOKENS, PIECES, CONTEXT, BATCH, TOGETHER = 98_304, 1024, 64, 2, 16


@dataclass(frozen=True)
class Wanted:
    """A run: shares in the order of `LANGUAGES`; `half` 0 is for laws, 1 is reported; `phases` of schedules."""

    name: str
    parameters: float
    seed: int
    shares: tuple[float, ...]
    half: int
    phases: tuple[tuple[float, ...], ...] = ()
    tokens: int = TOKENS


def corpus() -> tuple[text.Texts, text.Texts]:
    """Return the tokenized text with either half of what is held out; made once."""
    train, first, second = texts()
    if not (FOLDER / "tokenizer.json").is_file():
        learn(train, PIECES, FOLDER / "tokenizer.json")
    pieces = Pieces(FOLDER / "tokenizer.json")
    found = []
    for half, held in (("first", first), ("second", second)):
        folder = FOLDER / f"pieces-{half}"
        if not (folder / "done").is_file():
            text.encode(train, held, pieces, folder)
            (folder / "done").touch()
        found.append(text.load(folder, pieces).choose(LANGUAGES))
    return found[0], found[1]


def unigram() -> np.ndarray:
    """Return the entropy of single bytes of the first half, by language."""
    _, first, _ = texts()
    return np.array([text.entropy(first[lang]) for lang in LANGUAGES])


def tokens() -> np.ndarray:
    """Return the unique tokens of each language, shape (m,)."""
    here, _ = corpus()
    return np.array([float(len(here.train[lang])) for lang in LANGUAGES])


def losses(name: str) -> list[float] | None:
    """Return a run's losses by language, or None if it was not trained."""
    path = FOLDER / "losses" / f"{name}.json"
    return json.loads(path.read_text("utf-8")) if path.is_file() else None


def train(wanted: Sequence[Wanted]) -> None:
    """Train what is missing, `TOGETHER` of one size at a time."""
    (FOLDER / "losses").mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    halves = corpus()
    here = halves[0]
    missing = [run for run in wanted if losses(run.name) is None]
    config = ProxiesConfig(context=CONTEXT, batch=BATCH)
    for size, half, tokens in sorted({(run.parameters, run.half, run.tokens) for run in missing}):
        mine = [run for run in missing if (run.parameters, run.half, run.tokens) == (size, half, tokens)]
        formed = shape(size, here.pieces, CONTEXT)
        steps = tokens // (BATCH * CONTEXT)
        training = ensemble.Training(BATCH, steps, config.rate_of(formed.width))
        for at in range(0, len(mine), TOGETHER):
            some = mine[at : at + TOGETHER]
            windows = [
                text.starts(here, run.shares, steps * BATCH, CONTEXT, run.seed, [np.inf] * len(LANGUAGES), run.phases)
                for run in some
            ]
            state = ensemble.State.begin(model.begin(formed, [run.seed for run in some]), torch.device("cpu"))
            ensemble.train(state, formed, training, ensemble.Streams(here, windows, CONTEXT, torch.device("cpu")))
            found = bits.per_byte(state.weights, formed, halves[half]).round(6).tolist()
            for run, each in zip(some, found, strict=True):
                path = FOLDER / "losses" / f"{run.name}.json"
                path.with_suffix(".part").write_text(json.dumps(each), "utf-8")
                path.with_suffix(".part").rename(path)
            print(f"{formed.parameters:,}: {at + len(some)} of {len(mine)}", flush=True)
