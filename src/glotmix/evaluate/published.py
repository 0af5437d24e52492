"""What can be said from a paper's table alone: accuracy and MLC, without the answers.

Kappa cannot be computed from them: it hangs on how often each option is taken. What follows by counting alone is said
as a bound; what needs a supposition names it. The suppositions are ours, not MuBench's.
"""

from dataclasses import dataclass

from glotmix.core.errors import RequestError

TOLERANCE = 0.02
"""How near to 1/options an accuracy is taken as chance (our default: about two standard errors of 2,500 items)."""


@dataclass(frozen=True)
class Relation:
    """What accuracy and MLC say together.

    Args:
        rel: MLC / accuracy, MuBench's Rel-MLC of the means.
        same_wrong: the least share of items on which two languages give one wrong answer: MLC - accuracy, or 0.
        at_chance: whether the accuracy is that of guessing.
        majority: the share of one answer that alone would explain this MLC, the other answers being equally rare:
            ``s^2 + (1 - s)^2 / (options - 1) = MLC``; None where independent answers could not agree so little.
        kappa_if_spread: kappa if every option were taken equally often: and 0 if answers say nothing of the item,
            as accuracy at chance suggests.
        degenerate: at chance, and agreement that needs a commonest answer on more than half of the items.
    """

    rel: float
    same_wrong: float
    at_chance: bool
    majority: float | None
    kappa_if_spread: float
    degenerate: bool


def relation(accuracy: float, mlc: float, options: int) -> Relation:
    """Relate an accuracy and an MLC, both shares in 0 to 1, averaged over the same languages and items.

    Raises:
        RequestError: if they are no shares, or there are fewer than two options.

    >>> found = relation(0.327, 0.862, 3)  # gemma-3-1b on MNLI, arXiv 2506.19468
    >>> found.degenerate, round(found.same_wrong, 3), round(found.majority, 3)
    (True, 0.535, 0.927)
    >>> relation(0.936, 0.903, 4).degenerate  # GPT-4o on ARC-easy
    False
    """
    if not (0 < accuracy <= 1 and 0 <= mlc <= 1) or options < 2:
        raise RequestError(
            f"accuracy {accuracy}, MLC {mlc} and {options} options were given",
            "shares between 0 and 1 (divide per cent by 100), and two options or more",
        )
    chance = 1 / options
    # s^2 + (1 - s)^2 / (k - 1) = MLC, solved for the larger s.
    under = (options - 1) * (options * mlc - 1)
    majority = None if under < 0 else (1 + under**0.5) / options
    at_chance = accuracy <= chance + TOLERANCE
    return Relation(
        rel=mlc / accuracy,
        same_wrong=max(0.0, mlc - accuracy),
        at_chance=at_chance,
        majority=majority,
        kappa_if_spread=(mlc - chance) / (1 - chance),
        degenerate=at_chance and majority is not None and majority > 0.5,
    )
