"""How long proxies take, before they are trained: measured on this machine, or carried to another by operations."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from glotmix.core.errors import RequestError
from glotmix.proxy.config import ProxiesConfig
from glotmix.proxy.design import Run
from glotmix.proxy.need import need
from glotmix.proxy.size import Shape, shape, vocabulary
from glotmix.proxy.texts import Texts, starts
from glotmix.proxy.train import Unit, cores_of

GPU_RATE = 5e13
"""Operations a second that a GPU is taken to reach on many small models (a twentieth of an H100's peak in bfloat16).

Carried over by operations, never measured here; what is printed of a GPU says so.
"""
_PROBE_SECONDS = 0.4


@dataclass(frozen=True)
class Cost:
    """Of training and measuring the runs of a design.

    Args:
        seconds: on this machine, at its present load; None where it was not measured.
        operations: floating-point, forward and backward.
        gpu_seconds: on a GPU at `GPU_RATE`: operations alone, not measured.
    """

    seconds: float | None
    operations: float
    gpu_seconds: float


def predict(units: Sequence[Unit], config: ProxiesConfig, held_tokens: int = 0, probe: bool = True) -> Cost:
    """Predict what ensembles cost, each shape from a few steps of it.

    Args:
        units: see `train.units`.
        config: how they are trained.
        held_tokens: tokens that every model is measured on in the end.
        probe: whether steps are taken; without, there are operations alone.
    """
    seconds, operations = 0.0, 0.0
    speeds: dict[tuple[Shape, int], float] = {}
    for unit in units:
        # Measuring is forward alone, a third of the work.
        tokens = len(unit.runs) * (unit.tokens(config) + held_tokens / 3)
        operations += tokens * unit.shape.flops
        if probe:
            cores = cores_of(unit, config)
            key = unit.shape, -(-len(unit.runs) // cores)
            if key not in speeds:
                speeds[key] = speed(*key, config)
            seconds += tokens / (speeds[key] * cores)
    return Cost(seconds if probe else None, operations, operations / GPU_RATE)


def tokens_in(minutes: float, sizes: Sequence[float], config: ProxiesConfig | None = None) -> int:
    """Return the training tokens of a proxy such that all of them take so many minutes here, by a probe of each size.

    A tenth of the time is left for measuring.

    Raises:
        MissingExtraError: if torch is not installed.
        RequestError: if not even a step of each fits in.
    """
    need("glotmix mix design --minutes")
    config = config or ProxiesConfig()
    pieces = vocabulary(min(sizes))
    a_token = 0.0
    for size in sorted(set(sizes)):
        models = sizes.count(size)
        formed = shape(size, pieces, config.context)
        unit = Unit("probe", formed, 10**6, (Run("probe", size, 1, 0, (1.0,), (math.inf,)),) * models)
        cores = cores_of(unit, config)
        together = min(config.together, -(-models // cores))
        a_token += models / (speed(formed, together, config) * cores)
    tokens = 0.9 * 60 * minutes / a_token
    if tokens < config.batch * config.context:
        raise RequestError(
            f"{minutes:g} minutes are too few for {len(sizes)} proxies here", "fewer --runs, or more time"
        )
    return int(float(f"{tokens:.2g}"))


def speed(formed: Shape, models: int, config: ProxiesConfig) -> float:
    """Return training tokens a second of so many models of a shape together, on one core (or the GPU): a probe."""
    import torch

    from glotmix.proxy import ensemble, model

    device = torch.device(config.device if config.device != "auto" else "cuda" if torch.cuda.is_available() else "cpu")
    threads = torch.get_num_threads()
    if device.type == "cpu":
        torch.set_num_threads(1)
    try:
        span, taken = 0.0, 0
        steps = 2
        while span < _PROBE_SECONDS:
            streams = _streams(formed, models, steps, config, device)
            state = ensemble.State.begin(model.begin(formed, [0] * models), device)
            began = time.perf_counter()
            ensemble.train(state, formed, ensemble.Training(config.batch, steps, config.rate_of(formed.width)), streams)
            span, taken = time.perf_counter() - began, steps
            steps *= 4
    finally:
        torch.set_num_threads(threads)
    return models * taken * config.batch * formed.context / span


def _streams(shape: Shape, models: int, steps: int, config: ProxiesConfig, device: Any) -> Any:
    from glotmix.proxy import ensemble

    ids = np.random.default_rng(0).integers(0, shape.vocabulary, 64 * shape.context + 1).astype(np.int32)
    text = Texts(("one",), shape.vocabulary, 0, {"one": ids}, {"one": [ids[:8]]}, {"one": 8})
    windows = [starts(text, [1.0], steps * config.batch, shape.context, k, [np.inf]) for k in range(models)]
    return ensemble.Streams(text, windows, shape.context, device)


def spoken(seconds: float) -> str:
    """Say a span in words.

    >>> spoken(42), spoken(1500), spoken(9000), spoken(1e6)
    ('42 seconds', '25 minutes', '2.5 hours', '12 days')
    """
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    if seconds < 48 * 3600:
        return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"
    return f"{seconds / 86400:.0f} days"
