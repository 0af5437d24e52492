"""What measures of alignment warn of."""

from glotmix.core.warning import WarningSpec

WARNINGS = (
    WarningSpec(
        "few-shared-sentences",
        "sentences and are not compared",
        "Two languages share too few translated sentences. They are left out.",
        "Add sentences that both have, or another `--key`.",
    ),
    WarningSpec(
        "unstable-figures",
        "their figures move",
        "Below 50 sentences the figures of a pair change with the choice of sentences.",
        "Add sentences.",
    ),
)
