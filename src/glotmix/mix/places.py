"""Where the languages of an account stand among the domains of proxy runs: vectors of one as vectors of the other."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glotmix.core.errors import RequestError
from glotmix.mix.accounting import Array, Available
from glotmix.mix.groups import Group
from glotmix.mix.limits import Box
from glotmix.mix.runs import Runs


@dataclass(frozen=True)
class Places:
    """The place of each of k languages among m domains; None where no run drew on it."""

    of: tuple[int | None, ...]
    domains: int

    @classmethod
    def among(cls, available: Available, runs: Runs, within: Box, keep_others: bool) -> "Places":
        """Look for each language of the account among the domains of the runs.

        Raises:
            RequestError: for a language that may get tokens, that no run drew on, and that is not to keep its share.
        """
        places: list[int | None] = []
        for i, lang in enumerate(available.languages):
            known = lang in runs.domains and runs.shares[:, runs.domains.index(lang)].max() > 0
            if not known and within.high[i] > 0 and not keep_others:
                raise RequestError(
                    f"the runs say nothing of {lang}, of which there are {available.tokens[i]:,} tokens"
                    f"; they are over: {', '.join(runs.domains[:12])}",
                    f"add runs with {lang}, keep its share of the prior (mix.runs.others=prior), or leave it out: "
                    f"mix.ceilings.{lang}=0",
                )
            places.append(runs.domains.index(lang) if known else None)
        return cls(tuple(places), len(runs.domains))

    def spread(self, values: Array) -> Array:
        """Return values of the languages, shape (k,), at their domains, shape (m,); a domain without text gets 0."""
        spread = np.zeros(self.domains)
        for value, position in zip(values, self.of, strict=True):
            if position is not None:
                spread[position] = value
        return spread

    def mixture(self, shares: Array) -> Array:
        """Return a mixture as a law sees it, without the languages that the runs do not know: (k,) → (m,)."""
        spread = self.spread(shares)
        return np.asarray(spread / spread.sum())

    def gather(self, values: Array) -> Array:
        """Return values of the domains, shape (m,), by language, shape (k,); 0 for one that the runs do not know."""
        return np.array([0.0 if at is None else values[at] for at in self.of])

    def box(self, within: Box, part: float, outside: Array) -> Box:
        """Return the bounds on shares of the part of the budget that the runs are about.

        Args:
            within: the bounds on shares of the whole budget, by language.
            part: the share of the budget that the runs are about.
            outside: what the languages that the runs do not know hold of the whole, shape (k,).
        """
        groups = []
        for group in within.groups:
            members = [p for i in group.members if (p := self.of[int(i)]) is not None]
            held = float(outside[group.members].sum())
            ends = (max(group.low - held, 0.0) / part, max(group.high - held, 0.0) / part)
            if members:
                groups.append(Group(group.name, np.array(members, dtype=np.intp), *ends))
        high = np.minimum(self.spread(within.high) / part, 1.0)
        return Box(self.spread(within.low) / part, high, tuple(groups))


def hold(within: Box, prior: Array, names: Sequence[str], runs: Runs) -> Box:
    """Hold domains that nothing speaks for at their share of the prior, unless a floor was given for them."""
    low, high = within.low.copy(), within.high.copy()
    for name in names:
        i = runs.domains.index(name)
        if low[i] == 0:
            low[i] = high[i] = prior[i]
    return Box(low, high, within.groups)
