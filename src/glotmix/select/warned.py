"""What the decisions warn of."""

from glotmix.core.warning import WarningSpec

WARNINGS = (
    WarningSpec(
        "unknown-licence",
        "(select.licenses.unknown)",
        "Documents have a licence that SPDX does not list.",
        "Set `select.licenses.unknown`, or correct the licence in the source.",
    ),
    WarningSpec(
        "no-licence",
        "documents have no licence",
        "Documents have no licence at all.",
        "Declare one in the source (`license:`), or set `select.licenses.missing`.",
    ),
    WarningSpec(
        "agreement-leaves-little",
        "where data is scarce, use agreement as a score",
        "A rule of agreement between sources leaves less than a fifth of a language's text.",
        "Switch it off for this language: `settings.language.LANG.source_overlap.min_sources=null`.",
    ),
    WarningSpec(
        "settings-of-no-language",
        "changes nothing: no document is in this language",
        "`settings.language` names a language that no document of the corpus is in.",
        "Correct the code (`hau_Latn`, not `hau_Arab`), or leave it: it waits for such documents.",
    ),
    WarningSpec(
        "no-probabilities",
        "the rater gives no probabilities",
        "`select.retain: lose` needs probabilities, and this rater has none. A share of each language is kept instead.",
        "Train a rater on labels of both kinds, or say `select.retain: share` or `all`.",
    ),
    WarningSpec(
        "decided-in-memory",
        "documents are decided in memory, in about",
        "The corpus has more than two million documents, and something in the recipe asks for all of them at once.",
        "Do what the warning says, or run it on a machine with that much memory.",
    ),
)
