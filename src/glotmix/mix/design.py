"""Which mixtures to train proxies on."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from glotmix.core.errors import RequestError
from glotmix.mix import cells
from glotmix.mix.accounting import Array, Available
from glotmix.mix.config import CAP
from glotmix.mix.law_fit import LEAST
from glotmix.mix.limits import Box, Limits, box, nearest, nearest_rows
from glotmix.mix.runs import Runs

_FRESH = 4.0
"""Times the target's text that some runs draw from."""
FIRST_NEAR = 0.4
"""Part of a first round near UniMax: where the best mixture lies is not known yet, and a second round is near it."""
_NEARER = 0.35
"""Spread of a further round around what was found: half of the first one's."""


def enough(languages: int) -> int:
    """Runs that fit a law over that many languages well: three per parameter, `3 (m + 1)` (Olmix)."""
    return 3 * (languages + 1)


def first(languages: int) -> int:
    """Mixtures of a first round that a second follows: two a language, and no fewer than laws can be judged on."""
    return max(2 * languages, LEAST)


def dirichlet(
    prior: Array, runs: int, seed: int, weakest: float = 0.1, strongest: float = 5.0, times: float = 15.0
) -> Array:
    """Draw mixtures around a prior as RegMix does (Liu et al. 2024, arXiv 2407.01492, section 3.1).

    Each is from a Dirichlet with parameters `strength · prior`, the strengths log-spaced over the runs, so that some
    mixtures are near the prior and most are near an edge of the simplex; one that gives a language more than `times`
    its prior is drawn again, and if that is in vain moved to the nearest that does not.

    Args:
        prior: shares around which to draw, shape (m,), positive; RegMix takes the natural ones at temperature 2.
        runs: mixtures to draw.
        seed: of the draws.
        weakest: least strength.
        strongest: greatest strength.
        times: how many times its prior a language may get.

    Returns:
        shape (runs, m), each row on the simplex, in random order of strength.

    Raises:
        RequestError: if no mixture keeps the limit.
    """
    if times < 1:
        raise RequestError(f"no mixture keeps every share under {times:g} times its prior", "times=15")
    rng = np.random.default_rng(seed)
    prior = prior / prior.sum()
    limit = np.minimum(times * prior, 1.0)
    drawn = np.empty((runs, len(prior)))
    for row, strength in zip(rng.permutation(runs), np.geomspace(weakest, strongest, runs), strict=True):
        for _ in range(1000):
            tried = rng.dirichlet(np.maximum(strength * prior, 1e-6), 64)
            kept = tried[np.all((tried <= limit) & np.isfinite(tried), axis=1)]
            if len(kept):
                drawn[row] = kept[0]
                break
        else:
            # Of many languages hardly any draw keeps them all under the limit: the nearest mixture that does.
            drawn[row] = nearest(np.maximum(np.nan_to_num(tried[0]), 1e-12), Box(np.zeros(len(prior)), limit))
    return np.asarray(drawn / drawn.sum(axis=1, keepdims=True))


def local(prior: Array, runs: int, seed: int, spread: float = 0.7) -> Array:
    """Draw mixtures near a prior, in pairs: `r ∝ q · exp(±σ z)`, z standard normal in each language.

    The mixtures that one chooses between lie near UniMax and the like; those of `dirichlet` nearly all starve some
    language. The two of a pair lie on either side of the prior (antithetic), so that their mean says what is at it, and
    their difference which way is down.

    Args:
        prior: q, shape (m,), positive.
        runs: mixtures to draw; of an odd number the last has no other side.
        seed: of the draws.
        spread: σ: a share is moved by a factor of exp(σ), twice, in two of three cases.

    Returns:
        shape (runs, m), each row on the simplex, the two of a pair one after another.
    """
    z = np.random.default_rng(seed).standard_normal((-(-runs // 2), len(prior)))
    both = np.stack([prior * np.exp(spread * z), prior * np.exp(-spread * z)], axis=1).reshape(-1, len(prior))[:runs]
    return np.asarray(both / both.sum(axis=1, keepdims=True))


@dataclass(frozen=True)
class Design:
    """What proxies are wanted.

    By default, where a target is given: two thirds of the mixtures near UniMax, in pairs on either side of it, the
    others wide around natural, four seeds of UniMax itself; half of the mixtures again at twice the size, and some with
    four times the text, so that they repeat less: what repeats are worth is then measured, not assumed.

    Args:
        tokens: training tokens of a proxy.
        parameters: sizes of the proxies; at the second and further ones every other pair, and half of the wide ones,
            are trained. One alone, with a target, gets another of twice it.
        runs: mixtures; None for Olmix's three per parameter, `enough`.
        near: part of the mixtures that lie near UniMax; 0 for RegMix's design.
        centre: seeds of UniMax itself, where any mixtures lie near it.
        one_size: whether a single size stays alone, and repeats are those of the target throughout.
        monolingual: budgets at which each language is trained by itself, `tokens` and halves of it: Climb's laws need
            three, 0 for none.
        seeds: seeds of the repeated mixtures.
        repeated: how many mixtures are trained with every seed; the others with the first alone.
        temperature: the prior is natural at this temperature; RegMix takes 2.
        target: training tokens of the model that all this is for: a proxy then draws from so much less text that it
            repeats it as often as the target would. None lets proxies draw from all there is.
        max_epochs: no mixture repeats a language more often at the target; None for no cap.
        seed: of the draws.

    Raises:
        RequestError: for a number that is not above zero, or not finite.
    """

    tokens: float
    parameters: tuple[float, ...] = ()
    runs: int | None = None
    near: float = 2 / 3
    centre: int = 4
    one_size: bool = False
    monolingual: int = 0
    seeds: int = 1
    repeated: int = 0
    temperature: float = 2.0
    target: float | None = None
    max_epochs: float | None = None
    seed: int = 0

    @property
    def sizes(self) -> tuple[float, ...]:
        """Sizes of the proxies; NaN where none is known."""
        if self.target is not None and len(self.parameters) == 1 and not self.one_size:
            return (self.parameters[0], 2 * self.parameters[0])
        return self.parameters or (np.nan,)

    def __post_init__(self) -> None:
        given = {"tokens": self.tokens, "temperature": self.temperature, "target": self.target}
        given |= {"parameters": min(self.parameters, default=None), "max_epochs": self.max_epochs}
        for name, value in given.items():
            if value is not None and not 0 < value < np.inf:
                raise RequestError(f"the design's {name} is {value:g}; it must be a number above 0")
        if not 0 <= self.near <= 1:
            raise RequestError(f"the design's near is {self.near:g}; it is a part of the mixtures, 0 to 1")
        if self.seed < 0:
            raise RequestError(f"the design's seed is {self.seed}; it must be 0 or more")


@dataclass(frozen=True)
class _Planned:
    """A run of a design, before it is a row: `stock` is how many times the target's text it draws from."""

    name: str
    shares: Array
    tokens: float
    parameters: float
    seed: int
    stock: float = 1.0


def design(available: Available, asked: Design) -> Runs:
    """Design runs over the languages that have text, without losses yet.

    Repetition is matched to the target's (arXiv 2606.07597): with U_i unique tokens, a budget of D at
    the target and D_p at the proxy, the proxy draws language i from `U_i D_p / D` unique tokens, so that a share means
    as many epochs in both.

    Raises:
        RequestError: if a cap leaves too few tokens for the target, fewer than two languages have text, or there are
            seeds and no mixture to repeat with them, or mixtures to repeat and one seed.

    >>> there = Available.of({"fra_Latn": (10, 9_000, 3_000), "amh_Ethi": (2, 800, 1_000)})
    >>> planned = design(there, Design(tokens=400, target=4_000, runs=9, monolingual=3))
    >>> len(planned), planned.names[0], planned.names[-1], planned.unique[0].tolist()
    (20, 'near-000', 'alone-amh_Ethi-2', [300.0, 100.0])
    """
    have = _have(available)
    return _designed(available, asked, have, _mixtures(available, asked, have))


def _have(available: Available) -> list[int]:
    have = [i for i, size in enumerate(available.tokens) if size > 0]
    if len(have) < 2:
        raise RequestError(f"{len(have)} language has text: a mixture needs two")
    return have


def _designed(available: Available, asked: Design, have: list[int], mixtures: tuple[Array, Array, Array]) -> Runs:
    """Plan the runs of mixtures that are drawn: the centre, near it, and wide."""
    if (asked.seeds > 1) != (asked.repeated > 0):
        raise RequestError(
            f"{asked.repeated} mixtures are to be trained with each of {asked.seeds} seeds: give both, or neither",
            "--seeds 3 --repeated 8",
        )
    languages, sizes = tuple(available.languages[i] for i in have), available.sizes[have]
    unique = sizes * asked.tokens / asked.target if asked.target is not None else np.full(len(have), np.inf)
    planned: list[_Planned] = []
    for k, size in enumerate(asked.sizes):
        mark = f"-{_short(size)}" if len(asked.sizes) > 1 else ""
        planned += _at_size(asked, size, mark, mixtures, further=k > 0)
        for i, lang in enumerate(languages):
            # A language alone is not repeated beyond what says anything of new text.
            most = min(asked.tokens, 4 * unique[i])
            for step in range(asked.monolingual):
                tokens = max(round(most / 2**step), 1)
                planned.append(_Planned(f"alone-{lang}{mark}-{step}", np.eye(len(have))[i], tokens, size, 0))
    n = len(planned)
    return Runs(
        tuple(run.name for run in planned),
        languages,
        (),
        np.array([run.shares for run in planned]),
        np.empty((n, 0)),
        np.array([run.parameters for run in planned]) if asked.parameters else None,
        np.array([float(run.tokens) for run in planned]),
        None if asked.target is None else np.array([run.stock * unique for run in planned]),
        np.array([float(run.seed) for run in planned]),
    )


def _at_size(
    asked: Design, size: float, mark: str, mixtures: tuple[Array, Array, Array], further: bool
) -> list[_Planned]:
    """Plan the mixtures at one size: every other pair and half of the wide ones at a further size."""
    centre, near, wide = mixtures
    rows = [(f"near-{i:03d}", near[i]) for i in range(len(near)) if not further or i % 4 < 2]
    rows += [(f"mix-{i:03d}", wide[i]) for i in range(len(wide)) if not further or i % 2 == 0]
    made = [
        _Planned(name + mark + (f"-s{seed}" if seed else ""), shares, asked.tokens, size, seed)
        for i, (name, shares) in enumerate(rows)
        for seed in range(asked.seeds if i < asked.repeated else 1)
    ]
    if len(near):
        made += [_Planned(f"centre{mark}-s{k}", centre, asked.tokens, size, k) for k in range(asked.centre)]
        if asked.target is not None and not asked.one_size:
            fresh = [("centre", centre), *rows[: 2 * (len(near) // 8)]]
            made += [_Planned(f"{name}{mark}-fresh", r, asked.tokens, size, 0, _FRESH) for name, r in fresh]
    return made


def _mixtures(available: Available, asked: Design, have: list[int]) -> tuple[Array, Array, Array]:
    """Return UniMax, the mixtures near it and the wide ones over the languages with text: (m,), (k, m) and (l, m).

    What is less than a token in a million is no text at all.
    """
    sizes = available.sizes[have]
    count = asked.runs or enough(len(have))
    close = round(asked.near * count)
    budget = int(asked.target or asked.tokens)
    caps = np.minimum((asked.max_epochs or CAP) * sizes / budget, 1.0)
    parts = cells.weights(available)
    even = None if parts is None else parts[have]
    # UniMax; where the text does not fill the budget under its cap, all of it is repeated alike.
    centre = nearest(
        even if even is not None else np.ones(len(have)), Box(np.zeros(len(have)), caps / min(float(caps.sum()), 1.0))
    )
    near = local(centre, close, asked.seed)
    wide = np.zeros((0, len(have)))
    if count > close:
        wide = dirichlet((sizes / sizes.max()) ** (1 / asked.temperature), count - close, asked.seed)
        wide = np.where(wide < 1e-6, 0.0, wide)
        wide = wide / wide.sum(axis=1, keepdims=True)
    return centre, _capped(available, asked, have, near), _capped(available, asked, have, wide)


def _capped(available: Available, asked: Design, have: list[int], rows: Array) -> Array:
    """Move mixtures to the nearest that repeat no language more often than is asked for."""
    if asked.max_epochs is None or not len(rows):
        return rows
    within = box(available, int(asked.target or asked.tokens), Limits(max_epochs=asked.max_epochs))
    return nearest_rows(np.maximum(rows, 1e-9), Box(within.low[have], within.high[have]))


def _short(size: float) -> str:
    """Write a size for a name.

    >>> _short(300_000.0), _short(12e6)
    ('300k', '12M')
    """
    return f"{size / 1e6:g}M" if size >= 1e6 else f"{size / 1e3:g}k"


def further(available: Available, asked: Design, best: Mapping[str, float]) -> Runs:
    """Design a further round: seeds of what was found, and pairs on either side of it, nearer than before.

    Where the mixture found lies far from UniMax, hardly a run of the first round is near it; and its gain is proven by
    seeds of it, as of UniMax.

    Args:
        available: what there is.
        asked: budgets, sizes, seeds and stocks, as of `design`; `runs` is how many mixtures lie near what was found, by
            default one a language.
        best: what the rule found, by language, whether it was taken or not.

    Raises:
        RequestError: see `design`.
    """
    have = _have(available)
    centre = np.array([max(best.get(available.languages[i], 0.0), 1e-6) for i in have])
    centre = _capped(available, asked, have, centre[None] / centre.sum())[0]
    near = _capped(available, asked, have, local(centre, asked.runs or len(have), asked.seed + 1, _NEARER))
    # What repeats are worth was for the first round to say.
    plain = replace(asked, parameters=asked.sizes if asked.parameters else (), one_size=True, monolingual=0)
    made = _designed(available, plain, have, (centre, near, near[:0]))
    return replace(made, names=tuple(f"next-{name}" for name in made.names))
