"""Bradley–Terry with many raters: one score per document, one reliability per rater.

Rater r prefers document A to document B with probability

    P_r(A > B) = σ(α_r (s_A − s_B))

(Bradley & Terry 1952 for α = 1; one slope per rater as in Crowd-BT, Chen et al. 2013, whose η it replaces). A rater
that answers at random has α = 0 and no weight; one that answers in reverse has α < 0 and counts in reverse.

Scores given slopes are the maximum of a concave function (likelihood and ridge), found by Newton's method. A slope
is *not* fitted to scores that the rater itself has made: a column of numbers agrees with itself in every pair, and
whatever raters there are, the likelihood would rather believe one of them wholly. So each slope is fitted to the
scores of all *other* raters, in units of their standard deviation, and both are repeated until they hold still. This
is our own way; slopes start from the one factor that the raters' agreement has (Parisi et al. 2014, PNAS 111:1253).

All slopes and scores may change sign together. The sign is that of the majority of the votes: raters are believed,
on the whole, to point the way that was declared.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from glotmix.core.errors import RequestError
from glotmix.quality.raters_config import RIDGE

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Status: TypeAlias = Literal["used", "no signal", "inverted"]

WEAK = 0.1
"""A slope below this share of the largest has no signal, however surely it differs from 0."""

LOOSE = 0.01
"""How exact scores are that slopes are fitted to: a hundredth of a standard deviation, about."""


@dataclass(frozen=True)
class Comparisons:
    """What raters said of m pairs among n documents.

    Args:
        left: (m,) documents, as positions from 0.
        right: (m,) documents, each another than its left one.
        preferred: (m, k) share of rater k's votes that the left one got: 1, 0, ½ for a tie; NaN where it was silent.
        size: n.
    """

    left: Ints
    right: Ints
    preferred: NDArray[np.float32]
    size: int

    def __post_init__(self) -> None:
        ends = (self.left, self.right)
        if self.preferred.shape[:1] != self.left.shape or self.left.shape != self.right.shape:
            raise RequestError("a comparison needs a left and a right document and one row of votes")
        if len(self.left) and (min(e.min() for e in ends) < 0 or max(e.max() for e in ends) >= self.size):
            raise RequestError(f"a comparison names a document beyond the {self.size} that there are")
        if (self.left == self.right).any():
            raise RequestError("a document was compared with itself")
        with np.errstate(invalid="ignore"):
            if ((self.preferred < 0) | (self.preferred > 1)).any():
                raise RequestError("a vote is a share from 0 to 1")

    def of(self, raters: NDArray[np.bool_]) -> "Comparisons":
        """Return the votes of some raters, without the pairs on which all of them were silent."""
        votes = self.preferred[:, raters]
        spoken = ~np.isnan(votes).all(axis=1)
        return Comparisons(self.left[spoken], self.right[spoken], votes[spoken], self.size)


@dataclass(frozen=True)
class Reliability:
    """What the fit found of one rater.

    Args:
        votes: pairs that it judged.
        slope: α, in units in which the root mean square over raters is 1.
        low: lower end of its 95 % interval (documents are the units, not pairs), NaN for a single rater.
        high: upper end.
        agreement: share of its votes that the scores of the *other* raters agree with (½ for ties), NaN for one rater.
        status: ``used``; ``no signal`` where the interval covers 0 or the slope is below a tenth of the largest;
            ``inverted`` where it lies below 0.
    """

    votes: int
    slope: float
    low: float
    high: float
    agreement: float
    status: Status


@dataclass(frozen=True)
class Fit:
    """Scores and reliabilities.

    Args:
        scores: (n,) of mean 0 in every connected part; log odds of a rater of slope 1.
        precision: (n,) curvature of each score with the others held; ridge alone where nothing was said.
        raters: k reliabilities.
        majority: share of the weight of votes that points the declared way, less the share against it: near 0, which
            way is up cannot be told. NaN where two raters have judged no pair that would show it.
        rounds: how often slopes were fitted.
    """

    scores: Floats
    precision: Floats
    raters: tuple[Reliability, ...]
    majority: float
    rounds: int

    @property
    def slopes(self) -> Floats:
        """(k,) slopes."""
        return np.array([r.slope for r in self.raters])


def soft_labels(comparisons: Comparisons, slopes: Floats | None = None) -> Floats:
    """Return (m,) P(A > B): the mean of the raters' votes, ties ½ (MuRating, arXiv 2507.01785); NaN without a vote.

    Args:
        comparisons: the votes.
        slopes: (k,) weigh the votes, a negative one reverses them (ours); None for the paper's equal weights.

    >>> votes = np.array([[1, 1, 0], [0.5, 1, np.nan]], np.float32)
    >>> soft_labels(Comparisons(np.array([0, 1]), np.array([1, 2]), votes, 3)).round(2).tolist()
    [0.67, 0.75]
    """
    given = np.ones(comparisons.preferred.shape[1]) if slopes is None else slopes
    total, weight = np.zeros(len(comparisons.left)), np.zeros(len(comparisons.left))
    for votes, slope in zip(comparisons.preferred.T, given, strict=True):
        spoken = ~np.isnan(votes)
        turned = votes if slope >= 0 else 1 - votes
        total += np.where(spoken, turned, 0.0) * abs(slope)
        weight += spoken * abs(slope)
    shares: Floats = np.divide(total, weight, out=np.full(len(total), np.nan), where=weight > 0)
    return shares


def scores(
    comparisons: Comparisons,
    slopes: Floats | None = None,
    ridge: float = RIDGE,
    start: Floats | None = None,
    tolerance: float = 1e-7,
) -> tuple[Floats, Floats]:
    """Return the scores that make the votes most likely, given slopes, and their precisions.

    Maximises Σ p log σ(α d) + (1 − p) log σ(−α d) − ridge/2 · Σ s² over the votes, with d = s_left − s_right.

    Args:
        comparisons: the votes.
        slopes: (k,) α; None for ones: the Bradley–Terry of all votes together.
        ridge: more than 0.
        start: (n,) where to begin.
        tolerance: the largest step of a single score at which it ends.

    Returns:
        (n,) scores and (n,) precisions (the diagonal of the Hessian).
    """
    if not ridge > 0:
        raise RequestError(f"the ridge is {ridge}: without one, documents that always win have no score", "ridge: 0.1")
    alpha = np.ones(comparisons.preferred.shape[1]) if slopes is None else np.asarray(slopes, float)
    incidence = _incidence(comparisons)
    across = incidence.T.tocsr()
    squared = abs(across)
    kept: Votes = []
    for a, votes in zip(alpha, comparisons.preferred.T, strict=True):
        spoken = ~np.isnan(votes)
        if a != 0:
            p = np.nan_to_num(votes.astype(float), nan=0.0)
            kept.append((float(a), None if spoken.all() else spoken.astype(float), p))
    found = np.zeros(comparisons.size) if start is None else start.copy()
    value, pull, curve = _objective(incidence @ found, kept)
    value += ridge / 2 * float(found @ found)
    for _ in range(100):
        gradient = across @ pull + ridge * found
        diagonal = squared @ curve + ridge
        if np.abs(gradient / diagonal).max(initial=0.0) < tolerance:
            break
        step = _newton(gradient, diagonal, curve, incidence, across, ridge)
        slope = float(gradient @ step)
        size = 1.0
        while True:
            trial = found - size * step
            trial_value, pull, curve = _objective(incidence @ trial, kept)
            trial_value += ridge / 2 * float(trial @ trial)
            if trial_value <= value - 1e-4 * size * slope or size < 1e-6:
                break
            size /= 2
        found, value = trial, trial_value
    return found, squared @ curve + ridge


def fit(comparisons: Comparisons, ridge: float = RIDGE, rounds: int = 6) -> Fit:
    """Estimate scores and reliabilities together (see the module).

    Args:
        comparisons: the votes.
        ridge: of the scores.
        rounds: slopes are fitted at most so often. Those of one or two raters stay at 1: each has at most one other
            to be held against, and which of two is the better one cannot be seen.

    Raises:
        RequestError: if there is no vote.
    """
    count = comparisons.preferred.shape[1]
    votes = (~np.isnan(comparisons.preferred)).sum(axis=0)
    if not votes.any():
        raise RequestError("no rater has judged a pair", "name raters that have values for the documents")
    others = [comparisons.of(np.arange(count) != k) for k in range(count)] if count > 1 else []
    alpha = _factor(comparisons.preferred) if count > 2 else np.ones(count)
    found = [Reliability(int(n), 1.0, np.nan, np.nan, np.nan, "used") for n in votes]
    starts: list[Floats | None] = [None] * count
    used = 0
    while others and used < (rounds if count > 2 else 1):
        used += 1
        for k, rest in enumerate(others):
            starts[k], _ = scores(
                rest, alpha[np.arange(count) != k], ridge, starts[k] if used > 1 else starts[k - 1], LOOSE
            )
            found[k] = _against(comparisons, k, np.asarray(starts[k]))
        if count == 2:
            found = [replace(r, slope=1.0, low=np.nan, high=np.nan) for r in found]
            break
        fitted = np.array([r.slope for r in found])
        unit = float(np.sqrt((fitted**2).mean())) * (-1 if fitted @ votes < 0 else 1)
        if unit == 0:
            break
        if unit < 0:
            starts = [None if s is None else -s for s in starts]
        change = np.abs(fitted / unit - alpha).max()
        alpha = fitted / unit
        found = [_in_units(r, unit) for r in found]
        if change < 0.01:
            break
    strongest = float(np.abs(alpha).max())
    raters = tuple(replace(r, status=_status(r, strongest)) for r in found)
    value, precision = scores(comparisons, alpha, ridge)
    weight = float(np.abs(alpha) @ votes)
    majority = float(alpha @ votes) / weight if weight else np.nan
    if count == 2:
        majority = 2 * _seen(comparisons, others[1], np.asarray(starts[0])) - 1
    return Fit(value, precision, raters, majority, used)


def _in_units(rater: Reliability, unit: float) -> Reliability:
    ends = sorted((rater.low / unit, rater.high / unit))
    agreement = rater.agreement if unit > 0 else 1 - rater.agreement
    return replace(rater, slope=rater.slope / unit, low=ends[0], high=ends[1], agreement=agreement)


def _status(rater: Reliability, strongest: float) -> Status:
    if rater.votes == 0 or rater.low <= 0 <= rater.high or abs(rater.slope) < WEAK * strongest:
        return "no signal"
    return "inverted" if rater.slope < 0 else "used"


def _against(comparisons: Comparisons, rater: int, given: Floats) -> Reliability:
    """Fit one rater's slope to given scores, in units of their standard deviation.

    The interval is dyadic-robust (Fafchamps & Gubert 2007): pairs that share a document are not independent.
    """

    from scipy.special import expit

    spoken = ~np.isnan(comparisons.preferred[:, rater])
    p = comparisons.preferred[spoken, rater].astype(float)
    left, right = comparisons.left[spoken], comparisons.right[spoken]
    difference = given[left] - given[right]
    spread = float(np.sqrt((difference**2).mean())) if len(p) else 0.0
    if not spread > 0:
        return Reliability(len(p), 0.0, np.nan, np.nan, np.nan, "no signal")
    # Differences of two documents have √2 times the standard deviation of one.
    difference *= np.sqrt(2) / spread
    slope = 0.0
    for _ in range(50):
        sure = expit(slope * difference)
        # A slope that is not held by anything runs away where votes follow the scores without exception.
        gradient = float(difference @ (sure - p)) + 1e-3 * slope
        curve = float(difference**2 @ (sure * (1 - sure))) + 1e-3
        step = float(np.clip(gradient / curve, -1.0, 1.0))
        slope -= step
        if abs(step) < 1e-6:
            break
    pull = difference * (expit(slope * difference) - p)
    of_document = np.bincount(left, pull, comparisons.size) + np.bincount(right, pull, comparisons.size)
    variance = max(float(of_document @ of_document) - float(pull @ pull), float(pull @ pull)) / curve**2
    reach = 1.96 * float(np.sqrt(variance))
    agreement = float(np.where(difference > 0, p, np.where(difference < 0, 1 - p, 0.5)).mean())
    return Reliability(len(p), slope, slope - reach, slope + reach, agreement, "used")


def _seen(comparisons: Comparisons, rest: Comparisons, given: Floats) -> float:
    """Return how far the first of two raters agrees with scores of the other, on the documents that both speak of.

    NaN where there is no such pair, or the scores are equal in all of them.
    """
    spoken = ~np.isnan(comparisons.preferred[:, 0])
    there = np.zeros(comparisons.size, bool)
    there[rest.left] = there[rest.right] = True
    left, right = comparisons.left[spoken], comparisons.right[spoken]
    difference = given[left] - given[right]
    both = there[left] & there[right] & (difference != 0)
    p = comparisons.preferred[spoken, 0].astype(float)[both]
    return float(np.where(difference[both] > 0, p, 1 - p).mean()) if both.any() else float("nan")


def _factor(preferred: NDArray[np.float32]) -> Floats:
    """Return the loadings of the one factor in the raters' agreement, as first slopes; their squares' mean is 1.

    The off-diagonal entries of the matrix of mean products of votes are those of v vᵀ where raters err independently
    (Parisi et al. 2014); the diagonal is filled in by v itself (principal factors).
    """
    count = preferred.shape[1]
    votes = np.nan_to_num(preferred * 2 - 1)
    spoken = (~np.isnan(preferred)).astype(np.float32)
    shared = (spoken.T @ spoken).astype(float)
    agreement = np.divide((votes.T @ votes).astype(float), shared, out=np.zeros((count, count)), where=shared > 0)
    loading = np.zeros(count)
    for _ in range(100):
        np.fill_diagonal(agreement, loading**2)
        values, vectors = np.linalg.eigh(agreement)
        renewed = vectors[:, -1] * np.sqrt(max(values[-1], 0.0))
        renewed *= -1.0 if renewed.sum() < 0 else 1.0
        if np.abs(renewed - loading).max() < 1e-6:
            break
        loading = np.clip(renewed, -1, 1)
    unit = np.sqrt((loading**2).mean())
    return np.ones(count) if not unit > 0 else np.asarray(loading / unit, float)


def _incidence(comparisons: Comparisons) -> "csr_array":
    """Return the (m, n) matrix that makes differences of scores: +1 for the left document, −1 for the right."""

    from scipy.sparse import csr_array

    m = len(comparisons.left)
    columns = np.stack([comparisons.left, comparisons.right], axis=1).ravel().astype(np.int32)
    signs = np.tile(np.array([1.0, -1.0]), m)
    return csr_array((signs, columns, np.arange(0, 2 * m + 1, 2, dtype=np.int32)), shape=(m, comparisons.size))


Votes: TypeAlias = list[tuple[float, Floats | None, Floats]]
"""Per rater its slope, (m,) 1 where it spoke (None: everywhere), and (m,) its votes, 0 where it did not."""

_BLOCK = 2**13
"""Pairs that are looked at together: what is computed of them stays near the processor."""

_FACTORS = 64
"""Raters whose logarithms are taken as one of a product, each factor of which is at most 2."""


def _objective(difference: Floats, votes: Votes) -> tuple[float, Floats, Floats]:
    """Return the negative log likelihood, and its first and second derivatives in the differences of scores."""
    value = 0.0
    pull, curve = np.zeros_like(difference), np.zeros_like(difference)
    for start in range(0, len(difference), _BLOCK):
        rows = slice(start, start + _BLOCK)
        d, first, second = difference[rows], pull[rows], curve[rows]
        for begin in range(0, len(votes), _FACTORS):
            product = np.ones_like(d)
            for alpha, spoken, p in votes[begin : begin + _FACTORS]:
                z = alpha * d
                # log(1 + e^z) = max(z, 0) + log(1 + e^−|z|), and σ(z), from one exponential that cannot overflow.
                small = np.exp(-np.abs(z))
                sure = np.where(z >= 0, 1.0, small) / (1.0 + small)
                bend = sure * (1 - sure)
                least = np.maximum(z, 0)
                if spoken is not None:
                    said = spoken[rows]
                    small, sure, bend, least = small * said, sure * said, bend * said, least * said
                product *= 1.0 + small
                value += float(least.sum() - p[rows] @ z)
                first += alpha * (sure - p[rows])
                second += alpha**2 * bend
            value += float(np.log(product).sum())
    return value, pull, curve


def _newton(
    gradient: Floats, diagonal: Floats, curve: Floats, incidence: "csr_array", across: "csr_array", ridge: float
) -> Floats:
    """Return the Newton step: conjugate gradients on the Laplacian of the pairs, as exact as the gradient deserves."""

    from scipy.sparse.linalg import LinearOperator, cg

    n = len(gradient)
    hessian = LinearOperator((n, n), matvec=lambda v: across @ (curve * (incidence @ v)) + ridge * v, dtype=float)
    jacobi = LinearOperator((n, n), matvec=lambda v: v / diagonal, dtype=float)
    worst = float(np.abs(gradient / diagonal).max())
    step, _ = cg(hessian, gradient, rtol=min(0.1, max(worst, 1e-9)), maxiter=500, M=jacobi)
    return np.asarray(step, float)
