"""Which mixtures to train proxies on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from glotmix.core.errors import RequestError
from glotmix.mix.accounting import Array, Available
from glotmix.mix.limits import Box, Limits, box, nearest_rows
from glotmix.mix.runs import Runs


def enough(languages: int) -> int:
    """Runs that fit a law over that many languages well: three per parameter, `3 (m + 1)` (Olmix)."""
    return 3 * (languages + 1)


def dirichlet(
    prior: Array, runs: int, seed: int, weakest: float = 0.1, strongest: float = 5.0, times: float = 15.0
) -> Array:
    """Draw mixtures around a prior as RegMix does (Liu et al. 2024, arXiv 2407.01492, section 3.1).

    Each is from a Dirichlet with parameters `strength · prior`, the strengths log-spaced over the runs, so that some
    mixtures are near the prior and most are near an edge of the simplex; one that gives a language more than `times`
    its prior is drawn again.

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
        RequestError: if the limit on a share can hardly be kept.
    """
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
            raise RequestError(
                f"no mixture of {len(prior)} languages keeps every share under {times:g} times its prior at strength "
                f"{strength:.3g}",
                "raise `times` or `weakest`, or flatten the prior",
            )
    return np.asarray(drawn / drawn.sum(axis=1, keepdims=True))


@dataclass(frozen=True)
class Design:
    """What proxies are wanted.

    Args:
        tokens: training tokens of a proxy.
        parameters: sizes of the proxies; every mixture is trained at each.
        runs: mixtures; None for Olmix's three per parameter, `enough`.
        alone: budgets at which each language is trained by itself, `tokens` and halves of it: Climb's isolated runs
            need three, 0 for none.
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
    alone: int = 0
    seeds: int = 1
    repeated: int = 0
    temperature: float = 2.0
    target: float | None = None
    max_epochs: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        given = {"tokens": self.tokens, "temperature": self.temperature, "target": self.target}
        given |= {"parameters": min(self.parameters, default=None), "max_epochs": self.max_epochs}
        for name, value in given.items():
            if value is not None and not 0 < value < np.inf:
                raise RequestError(f"the design's {name} is {value:g}; it must be a number above 0")
        if self.seed < 0:
            raise RequestError(f"the design's seed is {self.seed}; it must be 0 or more")


def design(available: Available, asked: Design) -> Runs:
    """Design runs over the languages that have text, without losses yet.

    Repetition is matched to the target's (arXiv 2606.07597): with U_i unique tokens, a budget of D at
    the target and D_p at the proxy, the proxy draws language i from `U_i D_p / D` unique tokens, so that a share means
    as many epochs in both.

    Raises:
        RequestError: if a cap leaves too few tokens for the target, fewer than two languages have text, or there are
            seeds and no mixture to repeat with them, or mixtures to repeat and one seed.

    >>> there = Available.of({"fra_Latn": (10, 9_000, 3_000), "amh_Ethi": (2, 800, 1_000)})
    >>> planned = design(there, Design(tokens=400, target=4_000, alone=3))
    >>> len(planned), planned.names[0], planned.names[-1], planned.unique[0].tolist()
    (15, 'mix-000', 'alone-amh_Ethi-2', [300.0, 100.0])
    """
    have = [i for i, size in enumerate(available.tokens) if size > 0]
    if len(have) < 2:
        raise RequestError(f"{len(have)} language has text: a mixture needs two")
    if (asked.seeds > 1) != (asked.repeated > 0):
        raise RequestError(
            f"{asked.repeated} mixtures are to be trained with each of {asked.seeds} seeds: give both, or neither",
            "--seeds 3 --repeated 8",
        )
    languages, sizes = tuple(available.languages[i] for i in have), available.sizes[have]
    m, count = len(have), asked.runs or enough(len(have))
    mixtures = dirichlet((sizes / sizes.max()) ** (1 / asked.temperature), count, asked.seed)
    # What is less than a token in a million is no text at all.
    mixtures = np.where(mixtures < 1e-6, 0.0, mixtures)
    mixtures = mixtures / mixtures.sum(axis=1, keepdims=True)
    if asked.max_epochs is not None:
        budget = int(asked.target or asked.tokens)
        within = box(available, budget, Limits(max_epochs=asked.max_epochs))
        mixtures = nearest_rows(np.maximum(mixtures, 1e-9), Box(within.low[have], within.high[have]))
    unique = sizes * asked.tokens / asked.target if asked.target is not None else np.full(m, np.inf)
    names, shares, tokens, parameters, seeds = [], [], [], [], []
    for size in asked.parameters or (np.nan,):
        mark = f"-{_short(size)}" if len(asked.parameters) > 1 else ""
        for k, mixture in enumerate(mixtures):
            for seed in range(asked.seeds if k < asked.repeated else 1):
                names.append(f"mix-{k:03d}{mark}" + (f"-s{seed}" if seed else ""))
                shares.append(mixture)
                tokens.append(asked.tokens)
                parameters.append(size)
                seeds.append(seed)
        for i, lang in enumerate(languages):
            # A language alone is not repeated beyond what says anything of new text.
            most = min(asked.tokens, 4 * unique[i])
            for k in range(asked.alone):
                names.append(f"alone-{lang}{mark}-{k}")
                shares.append(np.eye(m)[i])
                tokens.append(max(round(most / 2**k), 1))
                parameters.append(size)
                seeds.append(0)
    return Runs(
        tuple(names),
        languages,
        (),
        np.array(shares),
        np.empty((len(names), 0)),
        np.array(parameters) if asked.parameters else None,
        np.array(tokens, dtype=np.float64),
        None if asked.target is None else np.tile(unique, (len(names), 1)),
        np.array(seeds, dtype=np.float64),
    )


def _short(size: float) -> str:
    """Write a size for a name.

    >>> _short(300_000.0), _short(12e6)
    ('300k', '12M')
    """
    return f"{size / 1e6:g}M" if size >= 1e6 else f"{size / 1e3:g}k"


def further(available: Available, asked: Design, mixtures: Sequence[Mapping[str, float]]) -> Runs:
    """Design the runs of given mixtures (`optimum.NextRun`), with the budgets, sizes, seeds and stocks of `design`."""
    if not mixtures:
        raise RequestError("no further runs are proposed there", "glotmix mix solve … next_runs=4 bootstrap=100")
    repeated = len(mixtures) if asked.seeds > 1 else 0
    few = design(available, replace(asked, runs=len(mixtures), repeated=repeated, alone=0))
    every = [mixture for mixture in mixtures for _ in range(asked.seeds)] * max(len(asked.parameters), 1)
    rows = np.array([[mixture.get(lang, 0.0) for lang in few.domains] for mixture in every])
    names = tuple(f"next-{name.removeprefix('mix-')}" for name in few.names)
    return replace(few, names=names, shares=rows / rows.sum(axis=1, keepdims=True))
