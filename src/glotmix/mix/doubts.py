"""What a table of runs cannot speak for, named: then no gain that is computed from it counts as told apart.

Proxies that learned nothing, targets that no law predicts, languages that nobody measured, a figure that is no loss:
each gives a mixture with shares to two decimals, and none of them is a finding.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glotmix.mix.accounting import Array
from glotmix.mix.law_fit import Choice, judged_on
from glotmix.mix.runs import Runs, is_language

_CHANCE = 1.645
"""A one-sided test at 5 %: Spearman's ρ of n unrelated pairs has the standard deviation 1/√(n−1)."""
_RISES = 0.5
"""Rank correlation of a loss with its own language's share from which on it looks like something to be maximised."""


@dataclass(frozen=True)
class Doubt:
    """A reason to believe no gain.

    Args:
        kind: ``unlearned``, ``unpredicted``, ``unmeasured`` or ``rising``.
        names: the targets or languages that it is about.
        said: a sentence that names them, and what to type.
    """

    kind: str
    names: tuple[str, ...]
    said: str


def doubts(
    runs: Runs, choices: Sequence[Choice] = (), weights: Array | None = None, floored: Sequence[str] = ()
) -> tuple[Doubt, ...]:
    """Say what these runs cannot speak for.

    Args:
        runs: the table.
        choices: the laws chosen for its targets; without them it is not asked what laws predict.
        weights: importance of each target, shape (t,): one without any is not asked about.
        floored: languages for which a floor was given: whether somebody measured them is not asked.
    """
    heard = [t for i, t in enumerate(runs.targets) if weights is None or weights[i] > 0]
    found = []
    if names := [t for t in heard if unlearned(runs, t)]:
        found.append(Doubt("unlearned", tuple(names), (
            f"the proxies have learned nothing of {_listed(names)}: their loss is no less than the entropy of single "
            "bytes of the held-out text; give them more tokens or more parameters, or leave the language's loss out "
            f"(mix.weights.{names[0]}=0)"
        )))  # fmt: skip
    if names := [t for t in heard if rises(runs, t)]:
        found.append(Doubt("rising", tuple(names), (
            f"the figures of {_listed(names)} rise with the language's own share, as an accuracy does and a loss does "
            "not; a target is a loss, and less of it is better"
        )))  # fmt: skip
    if names := [c.target for c in choices if c.target in heard and by_chance(c)]:
        found.append(Doubt("unpredicted", tuple(names), (
            f"no law ranks unseen mixtures better than chance on {_listed(names)}: these runs say nothing of it; add "
            f"runs or seeds, or leave it out (mix.weights.{names[0]}=0)"
        )))  # fmt: skip
    if names := [name for name in unmeasured(runs, weights) if name not in floored]:
        found.append(Doubt("unmeasured", tuple(names), (
            f"no loss is of held-out text of {_listed(names)}: nothing speaks for what they are given, and a"
            f" share of zero is no finding (UniMax's is kept); add a column {names[0]} to the losses, or give a "
            f"floor: mix.floors.{names[0]}=0.01"
        )))  # fmt: skip
    return tuple(found)


def unlearned(runs: Runs, target: str) -> bool:
    """Whether the runs that saw most of a language do not beat the entropy of its held-out bytes.

    Asked of the half of the mixtures with the larger share of it; False where the entropy is not known.
    """
    if runs.unigram is None or not np.isfinite(floor := runs.unigram[runs.targets.index(target)]):
        return False
    rows, own = judged_on(runs), runs.own(target)
    if own is not None:
        had = runs.shares[rows, own]
        rows = rows[had >= np.median(had)]
    return bool(np.median(runs.loss(target)[rows]) >= floor)


def rises(runs: Runs, target: str) -> bool:
    """Whether a figure clearly rises with its own language's share.

    Also among the half of the mixtures with most of it: where a donor serves a language better than its own text, the
    runs near the donor's end have the least loss and next to nothing of the language, and it is a loss all the same.
    """
    rows, own = judged_on(runs), runs.own(target)
    if own is None or len(rows) < 8:
        return False
    had, loss = runs.shares[rows, own], runs.loss(target)[rows]
    if np.ptp(had) == 0 or np.ptp(loss) == 0:
        return False
    from scipy.stats import spearmanr

    most = had >= np.median(had)
    rank, above = (float(spearmanr(had[some], loss[some]).statistic) for some in (slice(None), most))
    return bool(rank > max(_RISES, 2 * _CHANCE / np.sqrt(len(rows) - 1)) and above > _RISES)


def by_chance(chosen: Choice) -> bool:
    """Whether the law chosen ranks held-out mixtures no better than chance, or beats their mean no better."""
    score = next((s for s in chosen.scores if s.law == chosen.law.name), None)
    if score is None:
        return False
    return not score.beats_mean or score.rank is None or score.rank <= _CHANCE / np.sqrt(max(score.n - 1, 1))


def unmeasured(runs: Runs, weights: Array | None = None) -> list[str]:
    """Return the languages of the runs that no target speaks for, where targets speak for others.

    Domains that are no languages may be measured on whatever they are for, and are not asked about.
    """
    heard = {t for i, t in enumerate(runs.targets) if weights is None or weights[i] > 0}
    if not all(map(is_language, runs.domains)) or not heard & set(runs.domains):
        return []
    # A language whose loss is there and counts nothing was left out on purpose.
    return [domain for domain in runs.domains if domain not in runs.targets]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
