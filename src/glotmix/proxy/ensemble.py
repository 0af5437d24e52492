"""Training K models as one program: one stream of data a model, one optimiser step for all.

On a CPU the models are taken in groups whose weights and moments stay near the processor. How they are grouped changes
no bit of what a model becomes, so that cores may have models of their own (`train`).
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from glotmix.core.errors import DataError
from glotmix.proxy import cores, model
from glotmix.proxy.model import Weights
from glotmix.proxy.program import Program, suits
from glotmix.proxy.size import Shape
from glotmix.proxy.texts import Ids, Texts

ROUND = 0.5
"""Seconds of training, about, between two looks at the whole: whether to write a checkpoint, what to tell."""


@dataclass(frozen=True)
class Training:
    """How models are trained; the same for all of an ensemble.

    Args:
        batch: windows per step and model.
        steps: optimiser steps.
        rate: greatest learning rate of AdamW (Loshchilov & Hutter 2017, arXiv 1711.05101), reached after `warmup` of
            the steps, falling linearly to a tenth of itself at the end.
        warmup: share of the steps.
        decay: of the weights per step, times the rate.
        clip: greatest norm of a model's gradient; each model by itself.
    """

    batch: int
    steps: int
    rate: float
    warmup: float = 0.05
    decay: float = 0.1
    clip: float = 1.0

    def rate_at(self, step: int) -> float:
        """Return the learning rate of a step, from 0."""
        rising = max(1, round(self.warmup * self.steps))
        if step < rising:
            return self.rate * (step + 1) / rising
        return self.rate * (1 - 0.9 * (step - rising) / max(1, self.steps - rising))


@dataclass
class State:
    """K models in training: weights, AdamW's two moments, and the steps that are done."""

    weights: Weights
    first: Weights
    second: Weights
    step: int = 0

    @classmethod
    def begin(cls, weights: Weights, device: torch.device) -> "State":
        """Return models with given weights before their first step."""
        held = {name: w.to(device).contiguous() for name, w in weights.items()}
        first, second = ({name: torch.zeros_like(w) for name, w in held.items()} for _ in range(2))
        return cls(held, first, second)


@dataclass(frozen=True)
class Checkpoint:
    """Where the state of a training is kept, and which training that is.

    Args:
        path: the file.
        about: everything that the state depends on; a file that says another thing is left alone.
        every: seconds between two; when one is written changes no result.
    """

    path: Path
    about: str
    every: float = 60.0

    def write(self, state: State) -> None:
        """Write a state, whole or not at all."""
        tensors = {
            f"{part}/{name}": w.detach().contiguous()
            for part in ("weights", "first", "second")
            for name, w in getattr(state, part).items()
        }
        temporary = self.path.with_name(f".{self.path.name}.tmp")
        temporary.write_bytes(save(tensors, metadata={"step": str(state.step), "about": self.about}))
        temporary.replace(self.path)

    def read(self, device: torch.device) -> State | None:
        """Read the state; None where there is none of this training."""
        if not self.path.is_file():
            return None
        parts: dict[str, Weights] = {"weights": {}, "first": {}, "second": {}}
        with safe_open(self.path, framework="pt", device=str(device)) as file:
            told = file.metadata()
            if told["about"] != self.about:
                return None
            for key in file.keys():  # noqa: SIM118 (no mapping)
                part, _, name = key.partition("/")
                parts[part][name] = file.get_tensor(key)
        return State(**parts, step=int(told["step"]))


class Reading(Protocol):
    """What K models read."""

    def batch(self, step: int, size: int, models: slice = ...) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return inputs, targets, and which targets bear loss (None: all) of a step, shape (K, size, T) each."""


class Masked:
    """What K models read where not every token bears loss: windows that stand in memory, one row of them a model."""

    def __init__(self, ids: Ids, labels: Ids, device: torch.device) -> None:
        """Take windows.

        Args:
            ids: in the order in which they are read, shape (K, windows, T + 1).
            labels: what is to be guessed in the place of each token, of the same shape; below 0 where nothing is.
            device: where batches go.
        """
        self._ids, self._labels, self._device = ids, labels, device

    def batch(self, step: int, size: int, models: slice = slice(None)) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return inputs, targets and which of these bear loss, shape (K, size, T) each; see `Reading`."""
        at = slice(step * size, (step + 1) * size)
        ids, wanted = (
            torch.from_numpy(part.astype(np.int64)).to(self._device)
            for part in (self._ids[models, at, :-1], self._labels[models, at, 1:])
        )
        counts = wanted >= 0
        return ids, wanted.clamp(min=0), None if bool(counts.all()) else counts


class Streams:
    """What K models read: every window of every model, found again by the number of the step."""

    def __init__(self, texts: Texts, windows: Sequence[Ids], context: int, device: torch.device) -> None:
        """Join the training text of all languages.

        Args:
            texts: with m languages.
            windows: per model, language and first token of each of its windows, in order (`texts.starts`).
            context: tokens per window.
            device: where batches go.
        """
        rows = [texts.train[lang] for lang in texts.languages]
        offsets = np.cumsum([0, *map(len, rows[:-1])])
        self._ids = np.concatenate(rows)
        self._starts = np.stack([offsets[w[:, 0]] + w[:, 1] for w in windows])
        self._span = np.arange(context + 1)
        self._device = device

    def batch(self, step: int, size: int, models: slice = slice(None)) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return inputs and targets of a step, shape (K, size, T) each, of some or all models; see `Reading`."""
        at = self._starts[models, step * size : (step + 1) * size]
        found = torch.from_numpy(self._ids[at[..., None] + self._span].astype(np.int64)).to(self._device)
        return found[..., :-1], found[..., 1:], None


def train(
    state: State,
    shape: Shape,
    training: Training,
    streams: Reading,
    kind: torch.dtype = torch.float32,
    checkpoint: Checkpoint | None = None,
    tell: Callable[[int], None] | None = None,
    until: int | None = None,
) -> Tensor:
    """Train to the last step, in place.

    Args:
        state: at its beginning, or read from a checkpoint.
        shape: of every model.
        training: how.
        streams: what each model reads.
        kind: what products are made in; weights, moments and sums are float32.
        checkpoint: where the state is kept on the way.
        tell: told of the steps that are done, about twice a second.
        until: the step to stop before, by default the last: what several models have in common is trained once.

    Returns:
        the last training loss of each model, shape (K,).

    Raises:
        DataError: if a model's loss is no number any more.
    """
    models, saved, length = len(state.weights["embed"]), time.monotonic(), 1
    stop = training.steps if until is None else min(until, training.steps)
    last = torch.zeros(models)
    groups = [
        _Group(state, shape, training, streams, kind, part)
        for part in ([slice(0, models)] if state.weights["embed"].is_cuda else cores.near(models, shape.parameters))
    ]
    with cores.threads_for(shape.parameters):
        while state.step < stop:
            began, end = time.monotonic(), min(stop, state.step + length)
            last = torch.cat([group.advance(state.step, end) for group in groups]).cpu()
            if not bool(torch.isfinite(last).all()):
                lost = [i for i, loss in enumerate(last.tolist()) if not np.isfinite(loss)]
                raise DataError(
                    f"the loss of proxies {lost} is no number any more", "a smaller learning rate: rate=0.003"
                )
            state.step = end
            if tell is not None:
                tell(state.step)
            if checkpoint is not None and time.monotonic() - saved > checkpoint.every:
                checkpoint.write(state)
                saved = time.monotonic()
            # Steps take as long as they do: a round of about the same time, found by doubling.
            length = max(1, min(2 * length, round(length * ROUND / (time.monotonic() - began + 1e-9))))
    return last


class _Group:
    """Some of the models of a state, trained in place."""

    def __init__(
        self, state: State, shape: Shape, training: Training, streams: Reading, kind: torch.dtype, models: slice
    ) -> None:
        # One order, wherever the state comes from: norms are summed in it.
        names = list(model.names(shape))
        self._weights = {name: state.weights[name][models].detach() for name in names}
        self._first = [state.first[name][models] for name in names]
        self._second = [state.second[name][models] for name in names]
        self._shape, self._training, self._streams, self._kind, self._models = shape, training, streams, kind, models
        self._program = None
        if suits(shape, self._weights["embed"].device):
            self._program = Program(self._weights, shape, training.batch, kind)

    def advance(self, step: int, end: int) -> Tensor:
        """Take the steps from `step` to before `end`; return the losses of the last, (models,)."""
        for at in range(step, end):
            ids, targets, counts = self._streams.batch(at, self._training.batch, self._models)
            if self._program is not None:
                last, grads = self._program(ids, targets, counts), self._program.derivatives
            else:
                last, grads = self._derived(ids, targets, counts)
            self._update(list(grads.values()), at + 1)
        return last

    def _derived(self, ids: Tensor, targets: Tensor, counts: Tensor | None) -> tuple[Tensor, Weights]:
        """Return losses and derivatives, found by torch."""
        leaves = {name: w.requires_grad_() for name, w in self._weights.items()}
        losses = model.losses(leaves, self._shape, ids, targets, self._kind, counts)
        found = torch.autograd.grad(losses.sum(), list(leaves.values()))
        for w in leaves.values():
            w.requires_grad_(False)
        return losses.detach(), dict(zip(leaves, found, strict=True))

    @torch.no_grad()
    def _update(self, grads: list[Tensor], step: int) -> None:
        """Take one step of AdamW for all models, each model's gradient held to its own norm."""
        # A row a model: summed down columns, one model alone would be summed in another order than several.
        each = torch.stack([torch.linalg.vector_norm(g.flatten(1), dim=1) for g in grads], dim=1)
        norm = torch.linalg.vector_norm(each, dim=1)
        held = (self._training.clip / (norm + 1e-6)).clamp(max=1.0)
        # On a CPU it is worth to look: multiplying by one is a pass over all gradients that changes nothing.
        for g in grads if norm.is_cuda or bool((held < 1).any()) else []:
            g.mul_(held.view(-1, *[1] * (g.dim() - 1)))
        torch._fused_adamw_(
            list(self._weights.values()),
            grads,
            self._first,
            self._second,
            [],
            [torch.tensor(float(step), device=norm.device)] * len(grads),
            lr=self._training.rate_at(step - 1),
            beta1=0.9,
            beta2=0.95,
            weight_decay=self._training.decay,
            eps=1e-8,
            amsgrad=False,
            maximize=False,
        )
