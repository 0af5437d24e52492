"""How many independent sources hold a document, where some sources were made from others."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

from glotmix.core.errors import RequestError

Ancestry = Mapping[str, Sequence[str]]
"""Source → the sources that it was made from."""


def origins(source: str, derived_from: Ancestry) -> frozenset[str]:
    """Return the sources at the far ends of `derived_from`: those that a source's text may have come from.

    >>> sorted(origins("web-clean", {"web-clean": ["web", "books"], "web": ["crawl"]}))
    ['books', 'crawl']

    Raises:
        RequestError: if a source is, through others, made from itself.
    """
    return _origins(source, derived_from, ())


def _origins(source: str, derived_from: Ancestry, path: tuple[str, ...]) -> frozenset[str]:
    if source in path:
        circle = " → ".join([*path[path.index(source) :], source])
        raise RequestError(f"derived_from goes in a circle: {circle}", "remove one of these")
    parents = derived_from.get(source, ())
    if not parents:
        return frozenset([source])
    return frozenset().union(*(_origins(p, derived_from, (*path, source)) for p in parents))


class Independence:
    """Counts independent sources: the fewest origins that all the given sources can have the text from.

    >>> count = Independence({"a-clean": ["a"], "mix": ["a", "b"]})
    >>> count(["a", "a-clean"]), count(["a", "b"]), count(["a-clean", "mix"]), count(["a", "b", "mix"])
    (1, 2, 1, 2)
    """

    def __init__(self, derived_from: Ancestry) -> None:
        self._derived_from = derived_from
        self._known: dict[frozenset[str], int] = {}

    def __call__(self, sources: Iterable[str]) -> int:
        """Return the number for one document's sources (at least one)."""
        held = frozenset(sources)
        if held not in self._known:
            self._known[held] = self._fewest(held)
        return self._known[held]

    def _fewest(self, sources: frozenset[str]) -> int:
        """Return the size of the smallest set of origins that meets the origins of every source."""
        each = [origins(s, self._derived_from) for s in sources]
        # A source of one origin forces it; what it does not explain is searched, and sources are few.
        forced = frozenset().union(*(e for e in each if len(e) == 1))
        left = [e for e in each if not e & forced]
        choices = sorted(frozenset().union(*left))
        extra = next(k for k in range(len(left) + 1) if any(_meets(left, c) for c in combinations(choices, k)))
        return len(forced) + extra


def _meets(sets: Sequence[frozenset[str]], chosen: Iterable[str]) -> bool:
    picked = frozenset(chosen)
    return all(s & picked for s in sets)
