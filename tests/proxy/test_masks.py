"""Losses that not every token bears, against torch's own cross-entropy; and a beginning that models have in common."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from glotmix.proxy import ensemble, model
from glotmix.proxy.program import Program
from glotmix.proxy.size import Shape

SHAPE = Shape(vocabulary=40, width=32, layers=2, heads=2, hidden=48, context=16)
CPU = torch.device("cpu")
MODELS, BATCH = 3, 2


def drawn(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    source = torch.Generator().manual_seed(seed)
    ids = torch.randint(40, (MODELS, BATCH, 17), generator=source)
    counts = torch.rand((MODELS, BATCH, 16), generator=source) < 0.4
    return ids[..., :-1], ids[..., 1:], counts


def trained() -> model.Weights:
    """Weights that have left their beginning: at it what is written into the residual stream is zero."""
    source = torch.Generator().manual_seed(7)
    return {n: w + 0.1 * torch.randn(w.shape, generator=source) for n, w in model.begin(SHAPE, range(MODELS)).items()}


def expected(weights: model.Weights, ids: torch.Tensor, targets: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    logits = torch.einsum("knd,kvd->knv", model.hidden(weights, SHAPE, ids), weights["embed"]).reshape(
        MODELS, -1, SHAPE.vocabulary
    )
    labels = torch.where(counts, targets, -100).reshape(MODELS, -1)
    return torch.stack([functional.cross_entropy(x, y) for x, y in zip(logits, labels, strict=True)])


def test_only_targets_that_bear_loss_are_in_the_mean_and_in_the_derivatives() -> None:
    ids, targets, counts = drawn()
    weights = {n: w.requires_grad_() for n, w in trained().items()}
    right = expected(weights, ids, targets, counts)
    gradients = torch.autograd.grad(right.sum(), list(weights.values()))

    found = model.losses(weights, SHAPE, ids, targets, counts=counts)
    torch.testing.assert_close(found, right)
    by_model = torch.autograd.grad(found.sum(), list(weights.values()))
    plain = {n: w.detach() for n, w in weights.items()}
    program = Program(plain, SHAPE, BATCH)
    torch.testing.assert_close(program(ids, targets, counts), right.detach())
    for name, one, two in zip(weights, gradients, by_model, strict=True):
        torch.testing.assert_close(two, one, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(program.derivatives[name], one, rtol=1e-4, atol=1e-6)


def test_a_mask_of_all_is_none() -> None:
    ids, targets, _ = drawn()
    weights = trained()
    program = Program(weights, SHAPE, BATCH)
    torch.testing.assert_close(program(ids, targets, torch.ones(ids.shape, dtype=torch.bool)), program(ids, targets))


def test_what_bears_no_loss_is_not_learned() -> None:
    """A token that is a label only where no loss is borne becomes less likely, not more."""
    rng = np.random.default_rng(0)
    ids = rng.integers(1, 20, (2, 400, 17)).astype(np.int32)
    ids[..., 1::2] = 30
    labels = ids.copy()
    labels[1][ids[1] == 30] = -100
    state = ensemble.State.begin(model.begin(SHAPE, [1, 1]), CPU)
    training = ensemble.Training(BATCH, 200, 0.005)
    ensemble.train(state, SHAPE, training, ensemble.Masked(ids, labels, CPU))
    wanted = torch.from_numpy(ids[:, :8].astype(np.int64))
    said = model.surprise(state.weights, SHAPE, wanted[..., :-1], wanted[..., 1:])
    at = wanted[..., 1:] == 30
    assert said[0][at[0]].mean() < 0.1
    assert said[1][at[1]].mean() > 5


@pytest.mark.parametrize("stop", [0, 1, 7])
def test_a_common_beginning_is_the_beginning_of_one_training(stop: int) -> None:
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 40, (2, 24, 17)).astype(np.int32)
    training = ensemble.Training(BATCH, 12, 0.005)
    reading = ensemble.Masked(ids, ids, CPU)
    whole = ensemble.State.begin(model.begin(SHAPE, [3, 4]), CPU)
    ensemble.train(whole, SHAPE, training, reading)
    part = ensemble.State.begin(model.begin(SHAPE, [3, 4]), CPU)
    ensemble.train(part, SHAPE, training, reading, until=stop)
    assert part.step == stop
    part = replace(part, weights={n: w.clone() for n, w in part.weights.items()})
    ensemble.train(part, SHAPE, training, reading)
    assert part.step == 12
    assert all(torch.equal(whole.weights[n], part.weights[n]) for n in whole.weights)
