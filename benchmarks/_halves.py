"""Models on mixtures, measured on either half of held-out text: one for laws to see, the other for results alone.

Trained in parts, a file a run, so that whatever was trained is never trained again. Every run is a mixture, a size and
a seed; all of a trainer have one tokenizer and one stock. Losses are bits per byte on the half that the run is for.
"""

import json
import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from glotmix.core.flight import cores
from glotmix.mix.optimum import Measured
from glotmix.proxy import bits, ensemble, model
from glotmix.proxy import texts as text
from glotmix.proxy.config import ProxiesConfig
from glotmix.proxy.size import shape
from glotmix.proxy.tokenizer import Pieces, learn

Split = tuple[dict[str, list[str]], dict[str, list[str]], dict[str, list[str]]]
"""By language: the documents to train on, and the passages of either half of what is held out."""


@dataclass(frozen=True)
class Wanted:
    """A run: shares in the order of the languages; `half` 0 is for laws, 1 is reported; `phases` of schedules."""

    name: str
    parameters: float
    seed: int
    shares: tuple[float, ...]
    half: int
    tokens: int
    phases: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True)
class Trainer:
    """What all runs have in common.

    Args:
        folder: of the tokenizer, the pieces and the losses.
        languages: in the order of the shares.
        split: returns the text.
        together: runs that are trained at once on a core.
    """

    folder: Path
    languages: tuple[str, ...]
    split: Callable[[], Split]
    together: int = 16
    pieces: int = 1024
    context: int = 64
    batch: int = 2

    def corpus(self) -> tuple[text.Texts, text.Texts]:
        """Return the tokenized text with either half of what is held out; made once."""
        train, *halves = self.split()
        if not (self.folder / "tokenizer.json").is_file():
            learn(train, self.pieces, self.folder / "tokenizer.json")
        pieces = Pieces(self.folder / "tokenizer.json")
        found = []
        for half, held in zip(("first", "second"), halves, strict=True):
            folder = self.folder / f"pieces-{half}"
            if not (folder / "done").is_file():
                text.encode(train, held, pieces, folder)
                (folder / "done").touch()
            found.append(text.load(folder, pieces).choose(self.languages))
        return found[0], found[1]

    def unigram(self) -> np.ndarray:
        """Return the entropy of single bytes of the first half, by language."""
        _, first, _ = self.split()
        return np.array([text.entropy(first[lang]) for lang in self.languages])

    def tokens(self) -> np.ndarray:
        """Return the unique tokens of each language, shape (m,)."""
        here, _ = self.corpus()
        return np.array([float(len(here.train[lang])) for lang in self.languages])

    def losses(self, name: str) -> list[float] | None:
        """Return a run's losses by language, or None if it was not trained."""
        path = self.folder / "losses" / f"{name}.json"
        return json.loads(path.read_text("utf-8")) if path.is_file() else None

    def train(self, wanted: Sequence[Wanted]) -> None:
        """Train what is missing, `together` of one size at a time."""
        (self.folder / "losses").mkdir(parents=True, exist_ok=True)
        missing = [run for run in wanted if self.losses(run.name) is None]
        if not missing:
            return
        self.corpus()
        groups = []
        for key in sorted({(run.parameters, run.half, run.tokens) for run in missing}):
            mine = [run for run in missing if (run.parameters, run.half, run.tokens) == key]
            groups += [mine[at : at + self.together] for at in range(0, len(mine), self.together)]
        with ProcessPoolExecutor(cores(), mp_context=multiprocessing.get_context("forkserver")) as pool:
            for some in pool.map(self.group, groups):
                print(f"{some[0].parameters:,.0f}: {len(some)} of {len(missing)} runs", flush=True)

    def group(self, some: Sequence[Wanted]) -> Sequence[Wanted]:
        """Train runs of one size, half and budget at once, on one core."""
        torch.set_num_threads(1)
        halves = self.corpus()
        here = halves[0]
        formed = shape(some[0].parameters, here.pieces, self.context)
        steps = some[0].tokens // (self.batch * self.context)
        rate = ProxiesConfig(context=self.context, batch=self.batch).rate_of(formed.width)
        no_end = [np.inf] * len(self.languages)
        windows = [
            text.starts(here, run.shares, steps * self.batch, self.context, run.seed, no_end, run.phases)
            for run in some
        ]
        state = ensemble.State.begin(model.begin(formed, [run.seed for run in some]), torch.device("cpu"))
        streams = ensemble.Streams(here, windows, self.context, torch.device("cpu"))
        ensemble.train(state, formed, ensemble.Training(self.batch, steps, rate), streams)
        found = bits.per_byte(state.weights, formed, halves[some[0].half]).round(6).tolist()
        for run, each in zip(some, found, strict=True):
            path = self.folder / "losses" / f"{run.name}.json"
            path.with_suffix(".part").write_text(json.dumps(each), "utf-8")
            path.with_suffix(".part").rename(path)
        return some


def distinct(named: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Say for each mixture which one it is the same as: itself, or an earlier one."""
    same: dict[str, str] = {}
    for name, shares in named.items():
        same[name] = next((o for o in same.values() if np.abs(named[o] - shares).max() < 1e-4), name)
    return same


def fixed(made: Measured, languages: Sequence[str], proxies: int, size: float) -> dict[str, dict]:
    """Return every mixture that is to be trained, and what the rule says of them, as plain data."""
    gain = made.verdict.gain
    named: dict[str, Sequence[float]] = {
        **made.others,
        "found": [made.verdict.best[lang] for lang in languages],
        "chosen": made.shares,
    }
    return {
        "mixtures": {name: [float(r) for r in shares] for name, shares in named.items()},
        "told": {
            "proxies": proxies, "proxy_parameters": size, "proven": made.verdict.proven, "way": made.verdict.way,
            f"predicted_over_{made.verdict.prior}": [gain.value, gain.low, gain.high], "noise": made.verdict.noise,
            "doubts": {doubt.kind: list(doubt.names) for doubt in made.doubts},
        },
    }  # fmt: skip
