"""Does parallel text pay in training? Small models, from one start, each arm with the same text in another form.

The seeds of an arm are trained as one program. Killed at any moment, the same call goes on from the last checkpoint and
ends with the same figures.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from glotmix.align import arms
from glotmix.align.arms import Places, Windows
from glotmix.align.asked import Questions, bits, questions
from glotmix.align.packing import Options, Unit, pairing
from glotmix.core.errors import RequestError
from glotmix.core.record import Counts, Output
from glotmix.proxy import ensemble, model
from glotmix.proxy.size import Shape, shape, vocabulary
from glotmix.proxy.texts import Ids
from glotmix.proxy.tokenizer import Pieces, learn

CONTROLS = ("unpaired", "shuffled")
"""What every trial trains beside the arms that it asks about: the same sentences apart, and pairs that are none."""
EVERY = 60.0
"""Seconds between two checkpoints."""
_SAMPLED = 64
"""Windows by which it is known how much of an arm bears loss."""


@dataclass(frozen=True)
class Trial:
    """What is trained, and how.

    Args:
        languages: two canonical codes.
        arms: ways of packing, beside the controls.
        seeds: of the first weights, the order of the text, and the packing; three or more.
        tokens: that bear loss, of every model.
        parameters: of a model.
        pieces: of the tokenizer; by default what suits the size.
        context: tokens per window.
        batch: windows per step.
        share: of parallel windows, after the start.
        start: share of the tokens at the beginning that hold no parallel text: trained once for all arms.
        pairs: per sample.
        rate: greatest learning rate; by default what suits the width.
    """

    languages: tuple[str, str]
    arms: tuple[str, ...] = ("format", "mapping")
    seeds: tuple[int, ...] = (0, 1, 2)
    tokens: int = 2_000_000
    parameters: float = 2.5e5
    pieces: int | None = None
    context: int = 128
    batch: int = 4
    share: float = 0.5
    start: float = 0.25
    pairs: int = 1
    rate: float | None = None

    def __post_init__(self) -> None:
        if len(self.seeds) < 3:
            raise RequestError(f"{len(self.seeds)} seeds tell a gain from luck in no way", "--seeds 3")
        if not 0 < self.share < 1 or not 0 <= self.start < 1:
            raise RequestError(
                f"a share of {self.share:g} after a start of {self.start:g} leaves nothing to compare", "--share 0.5"
            )

    @property
    def all_arms(self) -> tuple[str, ...]:
        """Controls first."""
        return (*CONTROLS, *(arm for arm in dict.fromkeys(self.arms) if arm not in CONTROLS))

    @property
    def steps(self) -> int:
        """Optimiser steps of an arm whose every token bears loss."""
        return max(4, -(-self.tokens // (self.batch * self.context)))

    @property
    def started(self) -> int:
        """Steps that all arms have in common."""
        return int(self.start * self.steps)

    def plan(self) -> dict[str, Any]:
        """Say what will be trained, as plain data."""
        formed = self.shape(self.pieces or vocabulary(self.parameters))
        each = self.steps * self.batch * self.context
        common = self.started * self.batch * self.context
        return {
            "languages": list(self.languages),
            "arms": list(self.all_arms),
            "seeds": len(self.seeds),
            "parameters": formed.parameters,
            "tokens_each": each,
            "tokens_in_all": len(self.seeds) * (common + len(self.all_arms) * (each - common)),
        }

    def shape(self, pieces: int) -> Shape:
        """Return the shape of every model."""
        return shape(self.parameters, pieces, self.context)


@dataclass(frozen=True, eq=False)
class World:
    """What a trial is made of.

    Args:
        single: by language, documents of single text to train on.
        units: parallel text to train on.
        test: parallel text that is asked for; none of its sentences stands in the rest.
        options: of packing; pairs per sample are the trial's.
        tokenizer: a ``tokenizer.json``; None for one that is trained on the single text.
    """

    single: Mapping[str, Sequence[str]]
    units: Sequence[Unit]
    test: Sequence[Unit]
    options: Options = field(default_factory=Options)
    tokenizer: Path | None = None


Tell = Callable[[str, int, int], None]


def silent(arm: str, done: int, total: int) -> None:
    """Say nothing."""


def make(output: Output, trial: Trial, world: World, tell: Tell = silent) -> Counts:
    """Train the start and every arm, and leave ``tokenizer.json`` and, of each arm, ``arms/ARM.npz``.

    Args:
        output: where.
        trial: what.
        world: of what.
        tell: told of an arm's steps.

    Returns:
        ``{models, tokens, pairs}``: trained, bearing loss in all of them, and asked for.
    """
    output.each({"tokenizer": 0}, lambda _, scratch: _tokenizer(scratch, trial, world), here=True, one_by_one=True)
    pieces = Pieces(output.path / "tokenizer.json")
    pieces.check(world.single)
    formed = trial.shape(len(pieces))
    stream = arms.streams(world.single, pieces)
    asked = questions(world.test, trial.languages, pieces, trial.context)
    bench = _Bench(trial, world, pieces, formed, stream, asked, tell)
    output.each({"start": 0}, lambda _, scratch: bench.start(scratch), here=True, one_by_one=True)
    start = output.path / "start.safetensors"
    made = output.each(
        {f"arm-{arm}": arm for arm in trial.all_arms},
        lambda arm, scratch: bench.arm(arm, start, scratch),
        here=True,
        one_by_one=True,
    )
    return made | {"pairs": asked.pairs}


def _tokenizer(scratch: Path, trial: Trial, world: World) -> Counts:
    path = scratch / "tokenizer.json"
    if world.tokenizer is not None:
        path.write_bytes(world.tokenizer.read_bytes())
    else:
        learn(world.single, trial.pieces or vocabulary(trial.parameters), path)
    return {"tokenizers": 1}


@dataclass(frozen=True, eq=False)
class _Bench:
    trial: Trial
    world: World
    pieces: Pieces
    shape: Shape
    stream: Mapping[str, Ids]
    asked: Questions
    tell: Tell

    def training(self, steps: int) -> ensemble.Training:
        rate = self.trial.rate or round(0.007 * (64 / self.shape.width) ** 0.5, 4)
        return ensemble.Training(self.trial.batch, steps, rate)

    def start(self, scratch: Path) -> Counts:
        """Train what all arms have in common."""
        trial = self.trial
        state = ensemble.State.begin(model.begin(self.shape, trial.seeds), torch.device("cpu"))
        reading = _reading([self.windows(None, trial.steps, seed) for seed in trial.seeds])
        kept = ensemble.Checkpoint(scratch.with_suffix(".checkpoint"), repr((trial, "start")), EVERY)
        state = kept.read(torch.device("cpu")) or state
        ensemble.train(
            state, self.shape, self.training(trial.steps), reading, checkpoint=kept,
            tell=lambda step: self.tell("start", step, trial.started), until=trial.started,
        )  # fmt: skip
        ensemble.Checkpoint(scratch / "start.safetensors", repr(trial)).write(state)
        kept.path.unlink(missing_ok=True)
        return {"starts": len(trial.seeds)}

    def arm(self, arm: str, start: Path, scratch: Path) -> Counts:
        """Train the models of one arm from the start, and ask them everything."""
        trial, cpu = self.trial, torch.device("cpu")
        steps = self.steps(arm)
        kept = ensemble.Checkpoint(scratch.with_suffix(".checkpoint"), repr((trial, arm)), EVERY)
        state = kept.read(cpu) or ensemble.Checkpoint(start, repr(trial)).read(cpu)
        assert state is not None
        read = [self.windows(arm, steps, seed) for seed in trial.seeds]
        ensemble.train(
            state, self.shape, self.training(steps), _reading(read), checkpoint=kept,
            tell=lambda step: self.tell(arm, step, steps),
        )  # fmt: skip
        found: dict[str, NDArray[Any]] = {}
        for kind in ("own", "wrong", "alone"):
            for name, asked in getattr(self.asked, kind).items():
                found[f"{kind} {name}"] = bits(state.weights, self.shape, asked)
                found[f"size {kind} {name}"] = asked.size
        borne = sum(round(w.bearing * len(w) * trial.context) for w in read)
        (scratch / "arms").mkdir()
        found["tokens"] = np.array(borne)
        np.savez(scratch / "arms" / f"{arm}.npz", allow_pickle=False, **found)
        kept.path.unlink(missing_ok=True)
        return {"models": len(trial.seeds), "tokens": borne}

    def steps(self, arm: str) -> int:
        """Return the steps in which as many tokens of an arm bear loss as of one without a mask."""
        trial = self.trial
        if not pairing(arm).masks:
            return trial.steps
        some = self.packed(arm, _SAMPLED, trial.seeds[0])
        later = (trial.steps - trial.started) / (1 - trial.share + trial.share * some.bearing)
        return trial.started + round(later)

    def packed(self, arm: str, windows: int, seed: int) -> Windows:
        options = replace(self.world.options, pairs=self.trial.pairs)
        return arms.packed(arm, self.world.units, options, self.pieces, windows, self.trial.context, seed)

    def windows(self, arm: str | None, steps: int, seed: int) -> Windows:
        """Return all that a model of an arm reads; of none, single texts alone."""
        trial = self.trial
        places = Places(steps * trial.batch, trial.started * trial.batch, trial.share).parallel(seed)
        if arm is None:
            places = places[: trial.started * trial.batch]
        alone = arms.single(self.stream, int((~places).sum()), trial.context, seed)
        if arm is None:
            return Windows(alone, alone)
        return arms.woven(alone, self.packed(arm, int(places.sum()), seed), places)


def _reading(each: Sequence[Windows]) -> ensemble.Masked:
    return ensemble.Masked(np.stack([w.ids for w in each]), np.stack([w.labels for w in each]), torch.device("cpu"))


def rate_of(trial: Trial, pieces: int, seconds: float = 2.0) -> float:
    """Measure how many tokens of all seeds together are trained a second here."""
    formed = trial.shape(pieces)
    rng = np.random.default_rng(0)
    ids = rng.integers(0, pieces, (len(trial.seeds), 64 * trial.batch, trial.context + 1)).astype(np.int32)
    state = ensemble.State.begin(model.begin(formed, trial.seeds), torch.device("cpu"))
    reading, training = ensemble.Masked(ids, ids, torch.device("cpu")), ensemble.Training(trial.batch, 64, 1e-3)
    ensemble.train(state, formed, training, reading, until=2)
    began = time.monotonic()
    while time.monotonic() - began < seconds and state.step < training.steps:
        ensemble.train(state, formed, training, reading, until=state.step + 4)
    return (state.step - 2) * trial.batch * trial.context * len(trial.seeds) / (time.monotonic() - began)
