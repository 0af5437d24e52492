"""How long the subsets of a plan take, before they are trained: from a few steps of as many models, on this machine."""

from glotmix.combine.training import TOGETHER, Bench, cores_for
from glotmix.proxy.config import ProxiesConfig
from glotmix.proxy.cost import speed


def models(bench: Bench) -> int:
    """Return how many models are trained: the warm starts, and one for each subset of each problem."""
    return bench.config.seeds + len(bench.plan.problems) * bench.config.subsets


def seconds(bench: Bench) -> float:
    """Return about how long that takes here, at the machine's present load.

    A model is measured on held-out text in the end: forward alone, so a token of it counts a third.
    """
    config, plan = bench.config, bench.plan
    probed = ProxiesConfig(batch=config.batch, context=config.context, device="cpu")
    step = config.batch * config.context
    found = config.seeds * bench.steps_of(config.start_tokens) * step / speed(bench.shape, config.seeds, probed)
    for problem in plan.problems:
        together = -(-config.subsets // -(-config.subsets // TOGETHER))
        cores = cores_for(bench, together)
        measured = sum(len(row.ids) for one in bench.asked("held", problem).values() for row in one.documents) / 3
        tokens = config.subsets * (bench.steps * step + measured)
        found += tokens / (cores * speed(bench.shape, -(-together // cores), probed))
    return found
