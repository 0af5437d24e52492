"""What the corpus and the data set warn of."""

from glotmix.core.warning import WarningSpec

WARNINGS = (
    WarningSpec(
        "unknown-code",
        "rows have a language code that is none",
        "Ten rows or more of a source have a language code that does not exist. They stand in quarantine.",
        "Correct the code in the source. Above `corpus.max_unknown_language` it is an error.",
    ),
    WarningSpec(
        "nothing-kept",
        "no document is kept",
        "A language was read, and none of its documents is in the data set.",
        "Ask `glotmix why` of one of them, and loosen the rule that it names in `settings.language`.",
    ),
    WarningSpec(
        "link-in-a-circle",
        "leads back to a folder that it lies in",
        "A link in a source's folder leads back into that folder. It is not followed.",
        "Nothing, or remove the link.",
    ),
    WarningSpec(
        "read-once",
        "and once is enough",
        "Several paths of a source lead to one file. It is read once.",
        "Nothing, unless you meant another file.",
    ),
    WarningSpec(
        "passed-over",
        "were passed over",
        "A folder holds files that were not read: other endings, names that begin with `.` or `_`.",
        "Name them in `path`, or give their `format`, if they hold documents.",
    ),
)
