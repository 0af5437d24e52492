"""What the signals warn of."""

from glotmix.core.warning import WarningSpec

WARNINGS = (
    WarningSpec(
        "unknown-to-identifier",
        "the identifier does not know",
        "The model that tells languages does not know these, so a wrong language among their documents is not found.",
        "Nothing is dropped for it. Give a model that knows it: `signals.identify.model=PATH`.",
    ),
    WarningSpec(
        "self-test-recall",
        "self-test of duplicates",
        "The search for duplicates found fewer of the known copies in a script than `recall_floor` asks.",
        "Give `signals.duplicates` more bands or fewer rows; `glotmix curve` shows what that does.",
    ),
)
