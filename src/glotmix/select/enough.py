"""How many documents a language needs before a share of them says anything of it.

Where none of n documents is bad, up to 1 − D^(1/n) of all such documents may be, but for a doubt D (the exact binomial
bound of Clopper and Pearson, doi:10.1093/biomet/26.4.404, one-sided, at no success). The strictest checks of the
verdict ask whether one document in twenty is bad. Below 59 documents none of them can answer no.

>>> ENOUGH
59
"""

from math import ceil, log

WATCHED = 0.05
"""The smallest share of bad documents that a check looks for."""
DOUBT = 0.05
ENOUGH = ceil(log(DOUBT) / log(1 - WATCHED))
"""Documents of a language from which a check that finds nothing says something."""


def too_few(documents: int) -> str | None:
    """Return the verdict on a language with too few documents to have another one; None if they are enough.

    >>> too_few(12)
    'too few documents to judge: 12'
    >>> too_few(59)
    """
    return f"too few documents to judge: {documents:,}" if documents < ENOUGH else None


def above(bad: int, documents: int, share: float) -> bool:
    """Whether more than a share of a language's documents is bad; of few documents, so many more that it is no chance.

    >>> above(6, 100, 0.05), above(1, 10, 0.05), above(3, 10, 0.05)
    (True, False, True)
    """
    if bad <= share * documents:
        return False
    if documents >= ENOUGH:
        return True
    from scipy.special import bdtrc

    return bool(bdtrc(bad - 1, documents, share) < DOUBT)
