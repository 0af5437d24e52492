"""The best set under a law: greedy with lazy evaluation (Minoux 1978), then swaps, under a budget of blocks."""

import heapq
from collections.abc import Sequence

import numpy as np

from glotmix.combine.laws import Fitted
from glotmix.core.errors import RequestError
from glotmix.mix.accounting import Array
from glotmix.native.threads import one_thread

EPOCHS = 4.0
"""How often a cell's text may be read at most; see `glotmix.mix.repeat_worth.cap`."""
_ROUNDS = 200
_NOTHING = 1e-12


@one_thread()
def best(law: Fitted, budget: int, epochs: float = EPOCHS, given: Array | None = None) -> Array:
    """Return the set of the greatest worth that is found.

    Greedy takes one block at a time, or one of each cell of a pair that helps together; a stale gain is looked at anew
    only where it is the largest. Swaps of a block for another then go on while they gain. With diminishing returns
    greedy alone is within 1 − 1/e of the best (Nemhauser et al. 1978). Pairs break that: it is done without them, too,
    and from each of them, and the best of all is taken.

    Args:
        law: says what sets are worth.
        budget: blocks in all.
        epochs: times that a cell's stock may be taken at most.
        given: (J,) blocks that are in already, and stay.

    Returns:
        (J,) blocks.

    Raises:
        RequestError: if there is less text than that.
    """
    most = np.maximum(np.floor(law.cells.stock * epochs + 1e-9), 1.0)
    base = np.zeros(len(law.cells)) if given is None else np.asarray(given, np.float64)
    most = np.maximum(most, base)
    if budget > most.sum():
        raise RequestError(
            f"{budget} blocks are asked for, and the cells hold {int(most.sum())} at {epochs:g} epochs",
            "fewer tokens, or more epochs",
        )
    pairs = [pair for pair, by in law.together.items() if by > 0]
    begun = [(base, pairs), *([(base, [])] if pairs else [])]
    for pair in pairs:
        one = base.copy()
        one[list(pair)] += 1
        if one.sum() <= budget and (one <= most).all():
            begun.append((one, []))
    tried = [_swapped(law, _greedy(law, budget, most, one, some), most, base) for one, some in begun]
    return tried[int(law.worth(np.array(tried)).argmax())]


def _greedy(law: Fitted, budget: int, most: Array, base: Array, pairs: Sequence[tuple[int, int]]) -> Array:
    size = len(law.cells)
    units = [*((j,) for j in range(size)), *pairs]
    steps = np.zeros((len(units), size))
    for row, unit in enumerate(units):
        steps[row, list(unit)] = 1.0
    cost = steps.sum(axis=1)
    partners: dict[int, list[int]] = {j: [] for j in range(size)}
    for row, unit in enumerate(units):
        for i, j in law.together:
            for mine, theirs in ((i, j), (j, i)):
                if mine in unit:
                    partners[theirs].append(row)
    now, found = float(law.worth(base[None])[0]), base.copy()
    gains = (law.worth(base + steps) - now) / cost
    # Largest first; of equal ones the earlier.
    heap = [(-float(gain), row, 0) for row, gain in enumerate(gains)]
    heapq.heapify(heap)
    time = 0
    while found.sum() < budget and heap:
        gain, row, seen = heapq.heappop(heap)
        if cost[row] > budget - found.sum() or (found + steps[row] > most).any():
            # Cells that are used up stay so; a pair that is too large now stays too large.
            continue
        if seen < time:
            fresh = float(law.worth((found + steps[row])[None])[0] - now) / cost[row]
            heapq.heappush(heap, (-fresh, row, time))
            continue
        found = found + steps[row]
        now = float(law.worth(found[None])[0])
        time += 1
        heapq.heappush(heap, (gain, row, time - 1))
        # What a cell that came in makes better is looked at now: its stale gain is no upper bound.
        for other in dict.fromkeys(p for j in units[row] for p in partners[j]):
            fresh = float(law.worth((found + steps[other])[None])[0] - now) / cost[other]
            heapq.heappush(heap, (-fresh, other, time))
    return found


def _swapped(law: Fitted, found: Array, most: Array, base: Array) -> Array:
    now = float(law.worth(found[None])[0])
    for _ in range(_ROUNDS):
        out, into = np.flatnonzero(found > base), np.flatnonzero(found < most)
        a, b = (part.ravel() for part in np.meshgrid(out, into, indexing="ij"))
        a, b = a[a != b], b[a != b]
        if not len(a):
            break
        tried = np.repeat(found[None], len(a), axis=0)
        tried[np.arange(len(a)), a] -= 1
        tried[np.arange(len(a)), b] += 1
        worth = law.worth(tried)
        at = int(worth.argmax())
        if worth[at] <= now + _NOTHING:
            break
        found, now = tried[at], float(worth[at])
    return found
