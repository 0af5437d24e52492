"""Choosing few of many: high quality and different meaning. Numbers in, positions out.

`m_daq` is the selection of M-DaQ (arXiv 2509.15549; what is public of it stands in docs/instructions.md): cluster all
candidates, take the best, then go on by falling score and take what falls into a cluster that nothing covers
yet, six of the first kind for one of the second. `facility_location`, `mmr`, `dpp` and the controls choose from the
same `Pool` with the same arguments, so that one can stand for another. All of it runs on one thread: sums in another
order would be other selections.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from glotmix.native.threads import one_thread

Vectors: TypeAlias = NDArray[np.float32]
Rows: TypeAlias = NDArray[np.int64]
Method = Literal["m-daq", "facility-location", "mmr", "dpp", "quality", "diversity", "random", "random-length"]

RATIO = 6
"""Samples by quality for each by diversity (M-DaQ)."""

VARIANCE = 0.95
"""Share of the variance that PCA keeps before clustering (CaR, arXiv 2402.18191)."""

_FITTED = 20_000
"""Vectors that the principal axes are found on, and above which k-means goes by batches."""

_GROUND = 4_096
_CANDIDATES = 0.05
_SPANNED = 0.05
"""Part of a sample's volume below which it is taken to lie in the span of those chosen."""


@dataclass(frozen=True)
class Pool:
    """The candidates of one language.

    Args:
        vectors: (n, w) meanings; see `reduced`.
        scores: (n,) qualities; higher is better.
        labels: (n,) clusters.
        lengths: (n,) characters of the responses.
    """

    vectors: Vectors
    scores: NDArray[np.float64]
    labels: Rows
    lengths: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.scores)

    def take(self, rows: Rows) -> "Pool":
        """Return some of the candidates."""
        return Pool(self.vectors[rows], self.scores[rows], self.labels[rows], self.lengths[rows])

    @property
    def falling(self) -> Rows:
        """All positions by falling score; of equal ones the earlier first."""
        return np.argsort(-self.scores, kind="stable").astype(np.int64)


def clusters_for(n: int) -> int:
    """Return k = ⌊√(n/2)⌋, at least 1 (CaR).

    >>> clusters_for(52_002)
    161
    """
    return max(1, int(np.sqrt(n / 2)))


@one_thread()
def reduced(vectors: Vectors, variance: float = VARIANCE, seed: int = 0) -> Vectors:
    """Return vectors on as many of their principal axes as hold `variance` of their variance."""
    rng = np.random.default_rng(seed)
    n = len(vectors)
    sample = vectors if n <= _FITTED else vectors[np.sort(rng.choice(n, _FITTED, replace=False))]
    mean = sample.mean(axis=0, dtype=np.float64)
    centred = (sample - mean).astype(np.float64)
    values, axes = np.linalg.eigh(centred.T @ centred / max(len(sample) - 1, 1))
    values, axes = np.maximum(values[::-1], 0), axes[:, ::-1]
    if values.sum() <= 0:
        return np.zeros((n, 1), np.float32)
    kept = int(np.searchsorted(np.cumsum(values) / values.sum(), variance - 1e-9)) + 1
    # The sign of an axis is a matter of the library: make it the data's.
    turned = axes[:, :kept] * np.where(axes[np.abs(axes[:, :kept]).argmax(axis=0), np.arange(kept)] < 0, -1, 1)
    out: Vectors = ((vectors - mean.astype(np.float32)) @ turned.astype(np.float32)).astype(np.float32)
    return out


@one_thread()
def cluster(vectors: Vectors, k: int | None = None, seed: int = 0) -> Rows:
    """Return (n,) cluster numbers by k-means; k is `clusters_for` n where it is None."""

    from sklearn.cluster import KMeans, MiniBatchKMeans

    n = len(vectors)
    k = min(clusters_for(n) if k is None else k, n)
    if k <= 1:
        return np.zeros(n, np.int64)
    if n > _FITTED:
        model = MiniBatchKMeans(k, random_state=seed, n_init=1, batch_size=4_096, max_iter=30)
    else:
        model = KMeans(k, random_state=seed, n_init=1)
    labels: Rows = model.fit_predict(np.ascontiguousarray(vectors)).astype(np.int64)
    return labels


def quotas(n: int, ratio: float = RATIO) -> tuple[int, int]:
    """Return how many of n are taken by quality and how many by diversity.

    >>> quotas(1_000)
    (857, 143)
    """
    by_quality = round(n * ratio / (ratio + 1))
    return by_quality, n - by_quality


def m_daq(pool: Pool, n: int, seed: int = 0, given: Sequence[int] = (), ratio: float = RATIO) -> Rows:
    """Return n positions: the best, then the best of clusters that none of those is in.

    Where fewer clusters are left than the quota asks for, the best of the rest fill it.

    Args:
        pool: the candidates.
        n: how many, at most all.
        seed: not used; all methods take one.
        given: positions that are in already, in the order in which they came (a smaller selection of the same kind).
        ratio: samples by quality for each by diversity.
    """
    n = min(n, len(pool))
    had = quotas(len(given), ratio) if given else (0, 0)
    wanted = tuple(w - h for w, h in zip(quotas(n, ratio), had, strict=True))
    chosen = list(given)
    inside = np.zeros(len(pool), bool)
    inside[chosen] = True
    order = pool.falling
    best = [int(i) for i in order if not inside[i]][: max(wanted[0], 0)]
    chosen += best
    inside[best] = True
    covered = set(pool.labels[chosen].tolist())
    for row in order.tolist():
        if len(chosen) >= n:
            break
        if not inside[row] and int(pool.labels[row]) not in covered:
            chosen.append(row)
            inside[row] = True
            covered.add(int(pool.labels[row]))
    rest = [int(i) for i in order if not inside[i]][: n - len(chosen)]
    return np.array(chosen + rest, np.int64)[:n]


def by_quality(pool: Pool, n: int, seed: int = 0, given: Sequence[int] = ()) -> Rows:
    """Return the n best: quality without diversity."""
    return _and_rest(given, pool.falling, n)


def by_diversity(pool: Pool, n: int, seed: int = 0, given: Sequence[int] = ()) -> Rows:
    """Return n positions spread over the clusters in turn, by chance within each: diversity without quality."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(pool))
    turn = np.zeros(len(pool), np.int64)
    seen: dict[int, int] = {}
    for row in order.tolist():
        label = int(pool.labels[row])
        turn[row] = seen.get(label, 0)
        seen[label] = seen.get(label, 0) + 1
    place = np.empty(len(pool), np.int64)
    place[order] = np.arange(len(pool))
    return _and_rest(given, np.lexsort((place, turn)), n)


def at_random(pool: Pool, n: int, seed: int = 0, given: Sequence[int] = ()) -> Rows:
    """Return n positions by chance."""
    return _and_rest(given, np.random.default_rng(seed).permutation(len(pool)), n)


def at_random_of_length(pool: Pool, n: int, seed: int = 0, given: Sequence[int] = ()) -> Rows:
    """Return n positions by chance, with the lengths that `m_daq` would choose: as many from each twentieth of them."""
    rng = np.random.default_rng(seed)
    target = pool.lengths[m_daq(pool, n)]
    edges = np.unique(np.quantile(target, np.linspace(0, 1, 21)[1:-1]))
    wanted = np.bincount(np.searchsorted(edges, target), minlength=len(edges) + 1)
    bins = np.searchsorted(edges, pool.lengths)
    chosen = list(given)
    inside = np.zeros(len(pool), bool)
    inside[chosen] = True
    wanted -= np.bincount(bins[chosen], minlength=len(wanted)) if chosen else 0
    order = rng.permutation(len(pool))
    for number, count in enumerate(np.maximum(wanted, 0).tolist()):
        mine = [int(i) for i in order if bins[i] == number and not inside[i]][:count]
        chosen += mine
        inside[mine] = True
    return _and_rest(chosen[:n], order, n)


@one_thread()
def mmr(pool: Pool, n: int, seed: int = 0, given: Sequence[int] = (), trade: float = 0.5) -> Rows:
    """Return n positions by maximal marginal relevance (Carbonell and Goldstein 1998).

    Each next one has the largest ``trade · q − (1 − trade) · max cos`` over those chosen; q is the rank of its score
    from 0 to 1.
    """
    unit = _unit(pool.vectors)
    quality = _ranks(pool.scores)
    nearest = np.full(len(pool), -1.0, np.float32)
    chosen = list(given)
    for row in chosen:
        nearest = np.maximum(nearest, unit @ unit[row])
    open_ = np.ones(len(pool), bool)
    open_[chosen] = False
    while len(chosen) < min(n, len(pool)):
        value = np.where(open_, trade * quality - (1 - trade) * nearest, -np.inf)
        row = int(value.argmax())
        chosen.append(row)
        open_[row] = False
        nearest = np.maximum(nearest, unit @ unit[row])
    return np.array(chosen, np.int64)


@one_thread()
def facility_location(pool: Pool, n: int, seed: int = 0, given: Sequence[int] = (), weight: float = 1.0) -> Rows:
    """Return n positions that stand near everything: greedy maximisation of facility location, and of quality.

    ``F(S) = mean over i of max over j in S of cos(i, j) + weight · mean rank of S's scores``, by stochastic greedy
    (Mirzasoleiman et al. 2015): each step looks at a sample of candidates, and the mean is over at most 4,096 of the
    pool.
    """
    rng = np.random.default_rng(seed)
    unit = _unit(pool.vectors)
    size = len(pool)
    n = min(n, size)
    ground = unit if size <= _GROUND else unit[np.sort(rng.choice(size, _GROUND, replace=False))]
    quality = _ranks(pool.scores)
    best = np.zeros(len(ground), np.float32)
    chosen = list(given)
    for row in chosen:
        best = np.maximum(best, ground @ unit[row])
    open_ = np.ones(size, bool)
    open_[chosen] = False
    count = max(1, int(np.ceil(size / max(n, 1) * np.log(1 / _CANDIDATES))))
    while len(chosen) < n:
        free = np.flatnonzero(open_)
        look = free if len(free) <= count else np.sort(rng.choice(free, count, replace=False))
        gain = np.maximum(ground @ unit[look].T - best[:, None], 0).mean(axis=0) + weight * quality[look] / n
        row = int(look[int(gain.argmax())])
        chosen.append(row)
        open_[row] = False
        best = np.maximum(best, ground @ unit[row])
    return np.array(chosen, np.int64)


@one_thread()
def dpp(pool: Pool, n: int, seed: int = 0, given: Sequence[int] = (), trade: float = 1.0) -> Rows:
    """Return n positions by the most likely set of a determinantal point process, found greedily.

    Each next one adds most to ``log det L_S`` with ``L_ij = q_i q_j cos(i, j)`` and ``q = exp(trade · rank / 2)`` (Chen
    et al. 2018, arXiv 1709.05135, algorithm 1). More samples than the vectors have dimensions span no more volume: from
    there on the directions that are in are forgotten, and it begins anew among the rest.
    """
    unit = _unit(pool.vectors)
    weight = np.exp(trade * _ranks(pool.scores) / 2).astype(np.float64)
    chosen = list(given)[:n]
    open_ = np.ones(len(pool), bool)
    open_[chosen] = False
    n = min(n, len(pool))
    left, rows = weight**2, np.zeros((0, len(pool)))
    for row in chosen:
        if left[row] <= _SPANNED * weight[row] ** 2:
            left, rows = weight**2, rows[:0]
        left, rows = _spanned(unit, weight, left, rows, row)
    while len(chosen) < n:
        row = int(np.where(open_, left, -np.inf).argmax())
        if left[row] <= _SPANNED * weight[row] ** 2 and len(rows):
            left, rows = weight**2, rows[:0]
            continue
        chosen.append(row)
        open_[row] = False
        left, rows = _spanned(unit, weight, left, rows, row)
    return np.array(chosen, np.int64)


def _spanned(
    unit: Vectors, weight: NDArray[np.float64], left: NDArray[np.float64], rows: NDArray[np.float64], row: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what is left of each candidate beside those chosen and `row`, and the rows of Cholesky's factor."""
    kernel = weight * weight[row] * (unit @ unit[row])
    more = (kernel - rows[:, row] @ rows) / np.sqrt(max(float(left[row]), 1e-12))
    return np.maximum(left - more**2, 0.0), np.vstack([rows, more])


METHODS: Mapping[Method, Callable[..., Rows]] = {
    "m-daq": m_daq,
    "facility-location": facility_location,
    "mmr": mmr,
    "dpp": dpp,
    "quality": by_quality,
    "diversity": by_diversity,
    "random": at_random,
    "random-length": at_random_of_length,
}
"""Every way to choose, by its name in a recipe: ``method(pool, n, seed, given) -> positions``, `given` first."""

CONTROLS: tuple[Method, ...] = ("random", "random-length", "quality", "diversity", "m-daq")
"""What a study of M-DaQ compares: the paper lacks all but the last."""


def nested(pool: Pool, sizes: Sequence[int], method: Method, seed: int = 0) -> dict[int, Rows]:
    """Return selections of growing sizes, each holding the one before. Sizes beyond the pool are left out."""
    found: dict[int, Rows] = {}
    given: list[int] = []
    for size in sorted(set(sizes)):
        if size <= len(pool):
            found[size] = METHODS[method](pool, size, seed, given)
            given = found[size].tolist()
    return found


def _and_rest(given: Sequence[int], order: NDArray[np.int64], n: int) -> Rows:
    taken = set(given)
    more = [int(i) for i in order if int(i) not in taken]
    return np.array([*given, *more][:n], np.int64)


def _unit(vectors: Vectors) -> Vectors:
    norm = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(norm > 0, norm, 1)).astype(np.float32)


def _ranks(scores: NDArray[np.float64]) -> NDArray[np.float32]:
    ranks = np.empty(len(scores), np.float32)
    ranks[np.argsort(scores, kind="stable")] = np.linspace(0, 1, len(scores), dtype=np.float32)
    return ranks
