"""Two laws of what a set of cells is worth: bits per byte less on held-out text, up to a constant.

*Additive* (influence, as DsDm's datamodels, arXiv 2401.12926): ``worth(S) = c + Σ_j a_j d_j``, with d_j the blocks of
cell j, repeats counted at what they are worth (`glotmix.mix.repeats`).

*Relational*: what a block brings is shared among all blocks that are alike:

    worth(S) = c + Σ_j a_j d_j / (1 + θ Σ_i k_ij d_i) + Σ_(i,j)∈P b_ij √(s_i s_j),   k_ij = alike_ij^γ,  s = d / (1 + d)

The sum under the bar holds the cell itself (k_jj = 1), so that a cell saturates just as copies of it would; it is the
*ordinariness* of Leinster and Cobbold (2012) of an unnormalised set. Group-MATES (influence × what is new beside those
chosen) is its greedy relative. P are the pairs that bring more, or less, together than this says: found one by one,
by an F test over all pairs. θ = 0 and an empty P are the additive law. The form is ours.

The influences of both are a mean and deviations from it that are normal a priori (ridge); in the relational law those
of alike cells vary together, by κ. θ, γ, κ, R* of repeats and the ridge are those of the least leave-one-out error.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from glotmix.combine.cells import Cells
from glotmix.core.errors import DataError
from glotmix.mix.accounting import Array
from glotmix.mix.repeats import WORTH, Repeats
from glotmix.native.threads import one_thread

RIDGES = np.geomspace(0.003, 100.0, 10)
LEAST = 8
"""Subsets without which nothing is fitted."""
_FALSE = 0.3
"""Chance with which a step of the search takes a pair that is none, over all pairs."""
_SEEN = 3
"""Subsets that a pair must stand together in."""
_FLAT = 1e-6
"""Ridge of what is not shrunk: it only keeps the mean influence apart from the constant where all sets are as large."""


@dataclass(frozen=True)
class Form:
    """What is fixed before influences are estimated; see the module.

    Args:
        crowding: θ.
        power: γ.
        shared: κ, the part of the influences' variance that alike cells have in common.
        repeats: R*.
        ridge: in units of the spread of the features.
    """

    crowding: float = 0.0
    power: float = 1.0
    shared: float = 0.0
    repeats: float = WORTH
    ridge: float = 1.0


@dataclass(frozen=True, eq=False)
class Fitted:
    """A law with its numbers.

    Args:
        law: ``additive`` or ``relational``.
        cells: that it speaks of.
        form: see `Form`.
        constant: c.
        influence: (J,) a.
        together: b of each pair of cells, by their positions.
    """

    law: str
    cells: Cells
    form: Form
    constant: float
    influence: Array
    together: Mapping[tuple[int, int], float] = field(default_factory=dict)

    def worth(self, blocks: Array) -> Array:
        """Return the worth of sets: (n, J) → (n,); its constant says nothing of itself, its differences do."""
        doses = dosed(self.cells, blocks, self.form.repeats)
        found: Array = self.constant + new_beside(doses, _power(self.cells, self.form), self.form) @ self.influence
        for (i, j), by in self.together.items():
            found = found + by * pair_of(doses, i, j)
        return found


Fit = Callable[[Cells, Array, Array], Fitted]
"""From cells, subsets (n, J) and losses (n,) to a fitted law."""


def dosed(cells: Cells, blocks: Array, repeats: float) -> Array:
    """Return blocks with repeats counted at their worth, same shape as `blocks`."""
    return Repeats(cells.stock, repeats).worth(np.asarray(blocks, np.float64))


def new_beside(doses: Array, alike: Array, form: Form) -> Array:
    """Return what of each dose is new beside all that is in, (n, J): ``d_j / (1 + θ Σ_i k_ij d_i)``.

    >>> copies = np.ones((2, 2))
    >>> new_beside(np.array([[1.0, 0.0], [1.0, 1.0]]), copies, Form(crowding=1.0)).round(3).tolist()
    [[0.5, 0.0], [0.333, 0.333]]
    """
    if form.crowding == 0.0:
        return doses
    found: Array = doses / (1 + form.crowding * (doses @ alike))
    return found


def pair_of(doses: Array, i: int, j: int) -> Array:
    """Return by how much two cells are there together, (n,): the root of what each is there, 0 where one is not."""
    found: Array = np.sqrt(doses[:, i] / (1 + doses[:, i]) * doses[:, j] / (1 + doses[:, j]))
    return found


@one_thread()
def additive(cells: Cells, blocks: Array, losses: Array) -> Fitted:
    """Fit the additive law: (n, J) subsets, (n,) losses."""
    return _least("additive", cells, blocks, losses, [Form(repeats=r) for r in _rates(cells, blocks)])


@one_thread()
def relational(cells: Cells, blocks: Array, losses: Array) -> Fitted:
    """Fit the relational law: (n, J) subsets, (n,) losses."""
    grid = product((0.1, 0.3, 1.0, 3.0, 10.0), (1.0, 2.0, 4.0, 8.0), (0.0, 0.5, 0.9), _rates(cells, blocks))
    forms = [Form(*each) for each in grid]
    plain = [Form(shared=shared, repeats=rate) for shared in (0.0, 0.5, 0.9) for rate in _rates(cells, blocks)]
    return _least("relational", cells, blocks, losses, [*plain, *forms], paired=True)


LAWS: Mapping[str, Fit] = {"additive": additive, "relational": relational}


def again(found: Fitted, blocks: Array, losses: Array) -> Fitted:
    """Fit a law anew to other subsets, its form and its pairs as they were found."""
    doses = dosed(found.cells, blocks, found.form.repeats)
    extra = _columns(doses, list(found.together))
    return _solved(found.law, found.cells, found.form, doses, -np.asarray(losses), list(found.together), extra)


def _rates(cells: Cells, blocks: Array) -> tuple[float, ...]:
    """Return the R* to try: one where no subset repeats anything."""
    return (1.0, 4.0, WORTH, 60.0) if (blocks > 1.5 * cells.stock).any() else (WORTH,)


def _power(cells: Cells, form: Form) -> Array:
    found: Array = np.clip(cells.alike, 0.0, 1.0) ** form.power
    return found


def _root(cells: Cells, form: Form) -> Array:
    """Return L with L Lᵀ the covariance of the influences a priori, (J, J)."""
    if form.shared == 0.0:
        return np.eye(len(cells))
    common = _power(cells, form)
    values, axes = np.linalg.eigh((1 - form.shared) * np.eye(len(cells)) + form.shared * (common + common.T) / 2)
    found: Array = axes * np.sqrt(np.maximum(values, 1e-9))
    return found


@dataclass(frozen=True, eq=False)
class _Ridge:
    """A ridge regression of n numbers, some of its columns not shrunk, solved for many strengths at once."""

    basis: Array
    left: Array
    values: Array

    @classmethod
    def of(cls, plain: Array, shrunk: Array) -> "_Ridge":
        basis, _ = np.linalg.qr(plain)
        left, values, _ = np.linalg.svd(shrunk - basis @ (basis.T @ shrunk), full_matrices=False)
        return cls(basis, left, values)

    def hat(self, ridge: float) -> Array:
        """Return the matrix that turns measured into fitted numbers, (n, n)."""
        part = self.values**2 / (self.values**2 + ridge)
        found: Array = self.basis @ self.basis.T + (self.left * part) @ self.left.T
        return found

    def left_out(self, y: Array, ridges: Array) -> Array:
        """Return the mean squared error of leaving each of y out, for each ridge, (ridges,)."""
        part = self.values**2 / (self.values**2 + ridges[:, None])
        fitted = self.basis @ (self.basis.T @ y) + part * (self.left.T @ y) @ self.left.T
        leverage = (self.basis**2).sum(axis=1) + part @ (self.left**2).T
        found: Array = (((y - fitted) / np.maximum(1 - leverage, 0.01)) ** 2).mean(axis=1)
        return found


def _least(law: str, cells: Cells, blocks: Array, losses: Array, forms: Sequence[Form], paired: bool = False) -> Fitted:
    """Fit every form, and return the one with the least leave-one-out error."""
    if len(losses) < LEAST or not np.isfinite(losses).all():
        raise DataError(f"{len(losses)} subsets with a loss fit no law: {LEAST} at least", "more subsets")
    y = -np.asarray(losses, np.float64)
    best: tuple[float, Form] | None = None
    for form in forms:
        doses = dosed(cells, blocks, form.repeats)
        errors = _ridge(cells, form, doses).left_out(y, RIDGES)
        at = int(errors.argmin())
        # A more complex form has to be better, not as good.
        if best is None or errors[at] < best[0] * (1 - 1e-9):
            best = float(errors[at]), replace(form, ridge=float(RIDGES[at]))
    assert best is not None
    form = best[1]
    doses = dosed(cells, blocks, form.repeats)
    pairs = _pairs(cells, form, doses, y) if paired else []
    extra = _columns(doses, pairs)
    if pairs:
        errors = _ridge(cells, form, doses, extra).left_out(y, RIDGES)
        form = replace(form, ridge=float(RIDGES[int(errors.argmin())]))
    return _solved(law, cells, form, doses, y, pairs, extra)


def _design(cells: Cells, form: Form, doses: Array, extra: Array | None = None) -> tuple[Array, Array, float]:
    """Return the columns that are not shrunk, those that are, and what all were divided by."""
    new = new_beside(doses, _power(cells, form), form)
    scale = float(new.std()) or 1.0
    plain = [np.ones(len(doses)), new.sum(axis=1) / scale]
    if np.ptp(plain[1]) < _FLAT:
        plain = plain[:1]
    return np.column_stack([*plain, *(() if extra is None else extra.T)]), new @ _root(cells, form) / scale, scale


def _ridge(cells: Cells, form: Form, doses: Array, extra: Array | None = None) -> _Ridge:
    plain, shrunk, _ = _design(cells, form, doses, extra)
    return _Ridge.of(plain, shrunk)


def _columns(doses: Array, pairs: Sequence[tuple[int, int]]) -> Array:
    return np.array([pair_of(doses, i, j) for i, j in pairs]).reshape(len(pairs), len(doses)).T


def _pairs(cells: Cells, form: Form, doses: Array, y: Array) -> list[tuple[int, int]]:
    """Return the pairs that bring more or less together than the law without them says, at most one in 8 subsets."""
    from scipy import stats

    there = (doses > 0).astype(np.float64)
    rows, columns = np.nonzero(np.triu(there.T @ there, 1) >= _SEEN)
    able: list[tuple[int, int]] = [(int(i), int(j)) for i, j in zip(rows, columns, strict=True)]
    chosen: list[int] = []
    every, ridge = _columns(doses, able), form.ridge
    while len(chosen) < len(y) // 8:
        found = _ridge(cells, form, doses, every[:, chosen])
        left = np.eye(len(y)) - found.hat(ridge)
        free = float(np.trace(left)) - 1
        residual, other = left @ y, left @ every
        size = np.einsum("ij,ij->j", every, other)
        told: NDArray[np.float64] = np.where(size > 1e-6, (every.T @ residual) ** 2 / np.maximum(size, 1e-6), 0.0)
        told[chosen] = 0.0
        if free <= 1 or not len(told):
            break
        at = int(told.argmax())
        rest = float(y @ residual) - told[at]
        if rest <= 0 or stats.f.sf(told[at] / (rest / free), 1, free) * len(able) > _FALSE:
            break
        chosen.append(at)
        errors = _ridge(cells, form, doses, every[:, chosen]).left_out(y, RIDGES)
        ridge = float(RIDGES[int(errors.argmin())])
    return [able[at] for at in chosen]


def _solved(
    law: str,
    cells: Cells,
    form: Form,
    doses: Array,
    y: Array,
    pairs: Sequence[tuple[int, int]],
    extra: Array,
) -> Fitted:
    plain, shrunk, scale = _design(cells, form, doses, extra)
    both = np.column_stack([plain, shrunk])
    penalty = np.r_[np.full(plain.shape[1], _FLAT), np.full(shrunk.shape[1], form.ridge)]
    solved = np.linalg.solve(both.T @ both + np.diag(penalty), both.T @ y)
    first = plain.shape[1] - len(pairs)
    common = solved[1] if first == 2 else 0.0
    influence = (common + _root(cells, form) @ solved[plain.shape[1] :]) / scale
    return Fitted(
        law, cells, form, float(solved[0]), influence,
        {pair: float(b) for pair, b in zip(pairs, solved[first : plain.shape[1]], strict=True)},
    )  # fmt: skip
