"""What a trial of chosen sets showed: bits per byte of unseen documents, way by way, and the way to take.

Figures are means over the kinds of held-out text, each with the same weight, of models from S warm starts, with
intervals over seeds and documents (`glotmix.proxy.figures`). The way to take is found from the simplest on: a way takes
the place of the one before only where it beats it by `WORTH` or more, beyond doubt: at 5 % for all comparisons together
(Bonferroni).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from glotmix.combine.trial import CONTROL, arms
from glotmix.mix.accounting import Array
from glotmix.proxy import figures
from glotmix.proxy.figures import Figure

WORTH = 0.01
"""Bits per byte: the least gain that is worth anything."""


@dataclass(frozen=True)
class Way:
    """One way to choose.

    Args:
        way: its name.
        loss: bits per byte of unseen documents.
        over_random: by how much less than a random choice; None for that.
        power: the chance that a gain of `WORTH` over it would have been told; None for a random choice.
        shown: the least gain that would be told four times in five; None for a random choice.
    """

    way: str
    loss: Figure
    over_random: Figure | None
    power: float | None
    shown: float | None


@dataclass(frozen=True)
class Verdict:
    """What was shown for one problem.

    Args:
        problem: its name.
        seeds: models of every way.
        documents: unseen ones that were asked.
        ways: from the simplest on.
        use: the way to take.
        law: the law that held-out subsets chose, and which chooses here.
        law_over: by how much less its loss is than that of every other way.
    """

    problem: str
    seeds: int
    documents: int
    ways: tuple[Way, ...]
    use: str
    law: str
    law_over: Mapping[str, Figure]

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data, ready for JSON."""
        return asdict(self) | {"sentence": self.sentence}

    @property
    def sentence(self) -> str:
        """Say it in one sentence."""
        found = next(one for one in self.ways if one.way == self.use)
        if found.over_random is None:
            told = [one for one in self.ways if one.over_random is not None and one.way != CONTROL]
            best = max(told, key=lambda one: one.over_random.value if one.over_random else 0.0)
            assert best.over_random is not None
            return (
                f"{self.problem}: no way to choose beats a random choice beyond doubt; the best, {best.way}, by "
                f"{best.over_random.value:.4f} bits per byte ({best.over_random.low:.4f} to "
                f"{best.over_random.high:.4f}); {WORTH:g} would have been told with a chance of {best.power:.0%}"
            )
        return (
            f"{self.problem}: choose by {self.use}: {found.over_random.value:.4f} bits per byte less than a random "
            f"choice ({found.over_random.low:.4f} to {found.over_random.high:.4f})"
        )


def judge(path: Path, problem: str, law: str) -> Verdict:
    """Judge a problem by what its trial left (`trial.tried`).

    Args:
        path: the file.
        problem: its name.
        law: the one that held-out subsets chose.
    """
    with np.load(path) as file:
        found: dict[str, Array] = {name: file[name] for name in file.files}
    targets = [name.removeprefix("size ") for name in found if name.startswith("size ")]
    names = arms({name.split(" ")[0]: 0 for name in found})
    each = {way: [found[f"{way} {target}"] / found[f"size {target}"].mean() for target in targets] for way in names}

    def over(way: str, other: str, level: float = figures.LEVEL) -> Figure:
        return figures.over([b - a for a, b in zip(each[way], each[other], strict=True)], level)

    ways = []
    for way in names:
        gain = None if way == "random" else over(way, "random")
        power = (None, None) if gain is None else figures.power(gain, WORTH)
        ways.append(Way(way, figures.over(each[way]), gain, *power))
    able = [way for way in names if way not in ("random", CONTROL)]
    use, doubt = "random", 1 - (1 - figures.LEVEL) / len(able)
    for way in able:
        told = over(way, use, doubt)
        if told.low > 0 and told.value >= WORTH:
            use = way
    seeds = len(each["random"][0])
    documents = sum(one.shape[1] for one in each["random"])
    return Verdict(
        problem, seeds, documents, tuple(ways), use, law, {way: over(law, way) for way in names if way != law}
    )
