"""A learned selector: what a cell brings beside what is in, from what can be said of it without training on it.

The relational law with influences that are a line in the cell's traits, ``a_j = β₀ + β·z_j`` (z within its language:
mean 0, standard deviation 1), fitted to the measured subsets of several languages at once. It speaks of cells that were
never tried, and of languages without a subset; `left_out` says how well. The idea of a model that picks combinations
after those whose loss was measured is Frame-Voyager's (arXiv 2410.03226), MATES's (arXiv 2406.06046) for single
documents; this form is ours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from glotmix.combine.cells import Cells
from glotmix.combine.laws import RIDGES, Fitted, Form, dosed, new_beside
from glotmix.core.errors import DataError
from glotmix.mix.accounting import Array
from glotmix.native.threads import one_thread


@dataclass(frozen=True, eq=False)
class Measured:
    """The subsets of one language: cells with traits, (n, J) blocks, (n,) losses."""

    cells: Cells
    blocks: Array
    losses: Array


@dataclass(frozen=True, eq=False)
class Selector:
    """What was learned.

    Args:
        form: of the law.
        names: of the traits, (F,).
        mean: β₀, in bits per byte a block.
        weights: (F,) β.
        languages: that it was learned from.
    """

    form: Form
    names: tuple[str, ...]
    mean: float
    weights: Array
    languages: tuple[str, ...]

    def law(self, cells: Cells) -> Fitted:
        """Return the law of cells, tried or not.

        Raises:
            DataError: if they do not have the traits that it was learned from.
        """
        if cells.trait_names != self.names:
            raise DataError(f"the cells have the traits {', '.join(cells.trait_names)}, not {', '.join(self.names)}")
        return Fitted("carried", cells, self.form, 0.0, self.mean + _standard(cells) @ self.weights)


@one_thread()
def learn(measured: Mapping[str, Measured]) -> Selector:
    """Learn a selector from the subsets of some languages.

    Every language counts the same: its losses are taken relative to their spread.

    Raises:
        DataError: if there is no language, or one without traits.
    """
    if not measured:
        raise DataError("a selector is learned from measured subsets, and there are none", "glotmix combine train")
    first = next(iter(measured.values())).cells
    spread = {lang: float(one.losses.std()) or 1.0 for lang, one in measured.items()}
    y = np.concatenate([-(one.losses - one.losses.mean()) / spread[lang] for lang, one in measured.items()])
    best: tuple[float, Form, Array] | None = None
    for crowding, power in product((0.0, 0.1, 0.3, 1.0, 3.0, 10.0), (1.0, 2.0, 4.0, 8.0)):
        form = Form(crowding, power)
        columns = np.concatenate([_columns(one, form) for one in measured.values()])
        scale = np.maximum(columns.std(axis=0), 1e-9)
        for ridge in RIDGES:
            errors, solved = _left_out(columns / scale, y, float(ridge))
            if best is None or errors < best[0] * (1 - 1e-9):
                best = errors, replace(form, ridge=float(ridge)), solved / scale
    assert best is not None
    _, form, weights = best
    unit = float(np.mean(list(spread.values())))
    return Selector(form, first.trait_names, float(weights[0]) * unit, weights[1:] * unit, tuple(measured))


def left_out(measured: Mapping[str, Measured]) -> dict[str, float]:
    """Return, per language, Spearman's correlation of its subsets' losses with what the other languages say of them."""
    from scipy.stats import spearmanr

    found = {}
    for lang, one in measured.items():
        others = {name: each for name, each in measured.items() if name != lang}
        predicted = -learn(others).law(one.cells).worth(one.blocks)
        found[lang] = 0.0 if np.ptp(predicted) == 0 else float(spearmanr(predicted, one.losses).statistic)
    return found


def _standard(cells: Cells) -> Array:
    if cells.traits is None:
        raise DataError("these cells have no traits: nothing is known of them but what was measured")
    spread = cells.traits.std(axis=0)
    found: Array = (cells.traits - cells.traits.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return found


def _columns(one: Measured, form: Form) -> Array:
    """Return what the weights of a language's subsets multiply, each relative to the language's mean, (n, 1 + F)."""
    new = new_beside(dosed(one.cells, one.blocks, form.repeats), np.clip(one.cells.alike, 0, 1) ** form.power, form)
    found = np.column_stack([new.sum(axis=1), new @ _standard(one.cells)])
    return np.asarray(found - found.mean(axis=0))


def _left_out(columns: Array, y: Array, ridge: float) -> tuple[float, Array]:
    inverse = np.linalg.inv(columns.T @ columns + ridge * np.eye(columns.shape[1]))
    solved = inverse @ (columns.T @ y)
    leverage = np.einsum("ij,jk,ik->i", columns, inverse, columns)
    return float((((y - columns @ solved) / np.maximum(1 - leverage, 0.01)) ** 2).mean()), solved


def traits_of(named: Sequence[tuple[str, Array]]) -> tuple[Array, tuple[str, ...]]:
    """Return traits as `Cells` takes them, from columns by name; one that is not known everywhere is left out."""
    known = [(name, values) for name, values in named if np.isfinite(values).all()]
    if not known:
        raise DataError("no trait is known of every cell")
    return np.column_stack([values for _, values in known]), tuple(name for name, _ in known)
