"""What records warn of."""

from glotmix.core.warning import WarningSpec

WARNINGS = (
    WarningSpec(
        "changed-by-hand",
        "was not as glotmix wrote it, and is kept",
        "You changed a file of an output that was made again. Your file stands aside, under the name in the warning.",
        "Take what you need from it, and delete it.",
    ),
    WarningSpec(
        "other-bytes",
        "was made again with other bytes than before",
        "A damaged output came out different. Another version of a library was used, or a step does not repeat itself.",
        "Run `glotmix check`. If versions are the same, report it.",
    ),
)
