"""Ensembles as Ray tasks: larger proxies, several GPUs, several machines. A thin map over `train.train_unit`."""

from collections.abc import Callable, Sequence
from typing import Any

from glotmix.core.errors import MissingExtraError
from glotmix.proxy.config import ProxiesConfig
from glotmix.proxy.texts import Texts


def trained(
    units: Sequence[Any], corpus: Texts, config: ProxiesConfig, train_unit: Callable[..., list[list[float]]]
) -> Callable[[str], list[list[float]]]:
    """Hand ensembles to Ray, and return the function that waits for one of them by its name.

    Each asks for a GPU where the cluster has some, else for a core. A task that is lost with its machine is begun again
    by Ray; what was answered is kept by the caller, so a killed driver loses the ensembles under way.

    Args:
        units: the ensembles, each a `train.Unit`.
        corpus: what they are trained on.
        config: of the proxies.
        train_unit: trains one of them.

    Raises:
        MissingExtraError: if Ray is not installed.
    """
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError("engine.runner: ray", "ray") from error

    ray.init(ignore_reinit_error=True)
    gpus = 1 if ray.cluster_resources().get("GPU") else 0  # type: ignore[no-untyped-call,unused-ignore]
    task = ray.remote(num_gpus=gpus, num_cpus=1)(train_unit)
    there = ray.put(corpus)
    answers = {unit.name: task.remote(unit, there, config) for unit in units}

    def wait(name: str) -> list[list[float]]:
        found: list[list[float]] = ray.get(answers[name])
        return found

    return wait
