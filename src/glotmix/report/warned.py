"""What the verdict warns of."""

from glotmix.core.warning import WarningSpec

WARNINGS = (
    WarningSpec(
        "source-loses",
        "to rules on the text, the other sources of",
        "A source loses at least twice the share of its documents that the other sources of its language lose.",
        "Read its examples in the report. If its form is unusual and good, set `settings.source.NAME`.",
    ),
    WarningSpec(
        "quarter-kept",
        "documents are kept; most are lost to",
        "Less than a quarter of a source's documents in a language is kept.",
        "Read what the named rule drops; correct the source, or the rule for it.",
    ),
    WarningSpec(
        "source-tells-score",
        "the source alone tells the score",
        "Nearly every document of a source scores below the others: the score may judge the form, not the text.",
        "Read its documents in the report. If they are good, type what the warning says: their line gets milder.",
    ),
    WarningSpec(
        "length-tells-score",
        "the score follows the length",
        "In a language, score and length go together.",
        "Lower `quality.lose` for it, and read borderline documents.",
    ),
    WarningSpec(
        "few-identified",
        "the identifier found few documents of",
        "Sources of `language: identify` gave fewer than 59 documents of a language, and no source declares it. They "
        "may be misread documents of a common language. Any number of documents gets a share of the mixture.",
        "Read them. If they are of another language, `mix.ceilings.LANG=0` trains on none of them.",
    ),
    WarningSpec(
        "domain-is-much",
        "of the text that is kept of",
        "One domain is more than a quarter of a language's kept text.",
        "Limit it: `select.per_domain`.",
    ),
    WarningSpec(
        "source-of-other-form",
        "holds text of another form",
        "A source's documents are much longer or shorter than the others, and are ranked against them.",
        "Select within each source: `select.within=source`, or `select.retain=lose`.",
    ),
)
