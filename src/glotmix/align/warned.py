"""What measures of alignment warn of."""

from glotmix.core.warning import WarningSpec

WARNINGS = (
    WarningSpec(
        "no-pair-kept",
        "no pair is kept of",
        "Every pair of this set of parallel text is dropped. The numbers behind say for what.",
        "Read some in `align/pairs/part-*.parquet`. If most are *alone*, the key does not join the languages.",
    ),
    WarningSpec(
        "nothing-mined",
        "no parallel text was mined",
        "No two documents surely translate each other: there may be none, or too few documents to tell chance by.",
        "Give more text of these languages, or declare pairs (`align.parallel`). A lower `align.mine.precision` finds "
        "more, and more that is wrong.",
    ),
    WarningSpec(
        "longer-than-a-window",
        "are left out of the token files",
        "A pair is never cut: one that is longer than a window is not in the token files. Whole documents often are.",
        "Set a larger `align.write.length`, or null; or `align.pack.kind: format` for sentences.",
    ),
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
