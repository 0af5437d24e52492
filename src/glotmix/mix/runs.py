"""Proxy runs in memory: the mixture each run saw, and its loss on every target. Files of them: `run_tables`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

from glotmix.core.errors import DataError, RequestError, did_you_mean
from glotmix.core.language import parse
from glotmix.mix import cells
from glotmix.mix.accounting import Array
from glotmix.mix.laws.base import Context
from glotmix.mix.repeats import WORTH, Repeats


@dataclass(frozen=True, eq=False)
class Runs:
    """n proxy runs over m domains (languages) with t targets.

    Args:
        names: the runs' names, each once.
        domains: what the mixture is over.
        targets: what the loss was measured on; a target with a domain's name is that domain's held-out text.
        shares: shape (n, m), each row on the simplex.
        losses: shape (n, t), positive; bits per byte or nats per token, the same unit within a target.
        parameters: model size N of each run, shape (n,), where it is known.
        tokens: training tokens D of each run, shape (n,), where they are known.
        unique: unique tokens of each domain that each run drew from, shape (n, m), infinite where nothing repeats.
        seeds: shape (n,), where they are known.
        scale: the N and D of the larger table that these runs were taken from: see `main`.
        unigram: entropy of single bytes of each target's held-out text, in its loss's unit, shape (t,), NaN where it is
            not known: a model that does no better has learned nothing.
        repeats: R* by which laws that know nothing of repeats discount them: see `repeat_worth.estimate`.
    """

    names: tuple[str, ...]
    domains: tuple[str, ...]
    targets: tuple[str, ...]
    shares: Array
    losses: Array
    parameters: Array | None = None
    tokens: Array | None = None
    unique: Array | None = None
    seeds: Array | None = None
    scale: tuple[float, float] | None = None
    unigram: Array | None = None
    repeats: float = WORTH

    def __len__(self) -> int:
        return len(self.names)

    def loss(self, target: str) -> Array:
        """Loss of every run on one target, shape (n,)."""
        if target not in self.targets:
            raise RequestError(
                f"the runs have no target {target!r}{did_you_mean(target, self.targets)}",
                f"one of: {', '.join(self.targets)}",
            )
        return self.losses[:, self.targets.index(target)]

    def own(self, target: str) -> int | None:
        """Position of the domain that the target is held-out text of, or None."""
        return self.domains.index(target) if target in self.domains else None

    def take(self, rows: Sequence[int] | NDArray[np.int64]) -> "Runs":
        """Return some of the runs, in the given order; a run taken twice counts twice."""
        at = np.asarray(rows, dtype=np.int64)
        parameters, tokens, unique, seeds = (
            None if x is None else x[at] for x in (self.parameters, self.tokens, self.unique, self.seeds)
        )
        names, scale = tuple(self.names[i] for i in at), self._main
        shares, losses = self.shares[at], self.losses[at]
        return replace(
            self, names=names, shares=shares, losses=losses, parameters=parameters, tokens=tokens, unique=unique,
            seeds=seeds, scale=scale,
        )  # fmt: skip

    def canonical(self) -> "Runs":
        """Return the same runs with languages spelled canonically (``fr`` → ``fra_Latn``) where all domains are such.

        Targets that are no languages keep their names.

        Raises:
            DataError: if two domains are one language.
        """
        codes = {name: _code(name) for name in (*self.domains, *self.targets)}
        if any(codes[domain] is None for domain in self.domains):
            return self
        domains = tuple(codes[domain] or domain for domain in self.domains)
        if twice := [d for d in domains if domains.count(d) > 1]:
            same = [name for name in self.domains if codes[name] == twice[0]]
            raise DataError(f"the runs have {' and '.join(same)}, which are one language, {twice[0]}")
        targets = tuple(found if (found := codes[t]) in domains and found is not None else t for t in self.targets)
        return replace(self, domains=domains, targets=targets)

    def groups(self) -> NDArray[np.int64]:
        """Number the distinct mixtures, shape (n,): runs that repeat a mixture with another seed share a number."""
        return self._groups

    def context(self, target: str | None = None) -> Context:
        """Return what is known of the runs beside their shares (and how near the languages are to a target's)."""
        own = None if target is None else self.own(target)
        near = None if own is None else similarity(self.domains, own)
        return Context(self.parameters, self.tokens, self.unique, near, _cells(self.domains, target))

    def worth(self) -> Array:
        """Shares after repeats are discounted, shape (n, m): what laws see that know nothing of repeats."""
        if self.unique is None or self.tokens is None:
            return self.shares
        return Repeats(self.unique / self.tokens[:, None], self.repeats).worth(self.shares)

    def main(self) -> NDArray[np.int64]:
        """Return the rows of one size and budget: those with most mixtures, of equals the largest.

        Laws of the mixture alone are fitted to these, and every law is judged on them.
        """
        return np.flatnonzero(np.all(self._scales() == self._main, axis=1)).astype(np.int64)

    @cached_property
    def _groups(self) -> NDArray[np.int64]:
        return np.unique(self.shares.round(9), axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)

    @cached_property
    def _main(self) -> tuple[float, float]:
        return self._main_scale()

    def _scales(self) -> Array:
        """N and D of every run, shape (n, 2), 0 where they are not known."""
        return np.column_stack([np.zeros(len(self)) if x is None else x for x in (self.parameters, self.tokens)])

    def _main_scale(self) -> tuple[float, float]:
        scales = self._scales()
        if self.scale is not None and np.any(np.all(scales == self.scale, axis=1)):
            return self.scale
        if self.parameters is None and self.tokens is None:
            return 0.0, 0.0
        groups = self.groups()
        found = [(len(np.unique(groups[np.all(scales == s, axis=1)])), *s.tolist()) for s in np.unique(scales, axis=0)]
        _, size, budget = max(found)
        return size, budget


def joined(tables: Sequence[Runs]) -> Runs:
    """Return the runs of several rounds as one table; a name that another run has already gets its round's number.

    Raises:
        DataError: if the tables are of other languages or targets, one knows of sizes, budgets, stocks or seeds what
            another does not, or a run is in two of them.
    """
    first = tables[0]
    names, parts = dict(zip(first.names, first.shares, strict=True)), [first]
    for number, table in enumerate(tables[1:], 2):
        for what in ("domains", "targets"):
            if odd := {*getattr(first, what)} ^ {*getattr(table, what)}:
                raise DataError(f"rounds have the same {what}, and {', '.join(sorted(odd)[:8])} are not in all of them")
        if odd := {one for one in _COLUMNS if (getattr(first, one) is None) != (getattr(table, one) is None)}:
            told = f"one of the rounds says nothing of {', '.join(sorted(odd))}, and another does"
            raise DataError(told, "design both with the same options, or give these columns to the ratios.csv of each")
        at = [table.domains.index(domain) for domain in first.domains]
        to = [table.targets.index(target) for target in first.targets]
        stock = None if table.unique is None else table.unique[:, at]
        called = tuple(f"{name}-{number}" if name in names else name for name in table.names)
        like = replace(table, shares=table.shares[:, at], losses=table.losses[:, to], unique=stock)
        for name, shares in zip(table.names, like.shares, strict=True):
            if name in names and np.array_equal(names[name], shares):
                raise DataError(f"the run {name} is in two of the tables", "give every round once")
        names |= dict(zip(called, like.shares, strict=True))
        parts.append(like)

    def column(one: str) -> Array | None:
        return None if getattr(first, one) is None else np.concatenate([getattr(part, one) for part in parts])

    shares, losses = (np.concatenate([getattr(part, one) for part in parts]) for one in ("shares", "losses"))
    parameters, tokens, unique, seeds = map(column, _COLUMNS)
    return replace(
        first, names=tuple(names), shares=shares, losses=losses, parameters=parameters, tokens=tokens, unique=unique,
        seeds=seeds, scale=None,
    )  # fmt: skip


_COLUMNS = ("parameters", "tokens", "unique", "seeds")
"""What may be known of runs beside their shares and losses."""


def _cells(domains: Sequence[str], target: str | None) -> Array | None:
    """Say how near each cell's language is to the target's, zero for its own; None where they are no such cells."""
    langs, mine = cells.languages(domains), None if target is None else _code(target)
    if langs is None or mine is None or mine not in langs:
        return None
    near = similarity(langs, langs.index(mine))
    assert near is not None
    near[[lang == mine for lang in langs]] = 0.0
    return near


def similarity(domains: Sequence[str], own: int) -> Array | None:
    """Say how near each domain is to one of them: shape (m, 3), columns for any, same script, same family.

    None where a domain is no language.
    """
    if any(_code(name) is None for name in domains):
        return None
    all_ = [parse(name) for name in domains]
    mine = all_[own]
    return np.array([[1.0, o.script == mine.script, o.family is not None and o.family == mine.family] for o in all_])


def code(name: str) -> str:
    """Return the canonical code of a language, and a domain that is none as it is.

    >>> code("fr"), code("pile_cc")
    ('fra_Latn', 'pile_cc')
    """
    return _code(name) or name


def is_language(name: str) -> bool:
    """Whether a domain is a language.

    >>> is_language("fr"), is_language("pile_cc")
    (True, False)
    """
    return _code(name) is not None


@cache
def _code(name: str) -> str | None:
    try:
        return parse(name).code
    except RequestError:
        return None
