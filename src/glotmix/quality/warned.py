"""What raters warn of."""

from glotmix.core.warning import WarningSpec

WARNINGS = (
    WarningSpec(
        "no-parallel-text",
        "no parallel text in",
        "The calibrated scores of these languages are ranks, read as if their documents were as good as the others'.",
        "Add parallel text (`quality.parallel`), or do not compare these languages by score.",
    ),
    WarningSpec(
        "rater-ties",
        "calls every pair a tie",
        "A rater gives the same value to both documents of every pair.",
        "Look at its column; leave it out.",
    ),
    WarningSpec(
        "rater-inverted",
        "ranks in reverse of the others",
        "A rater prefers what all others reject. It counts in reverse.",
        "Set `better: low` if that is its direction.",
    ),
    WarningSpec(
        "rater-no-signal",
        "has no relation to the others",
        "A rater agrees with the others no more than chance. It has next to no weight.",
        "Leave it out, or find out what it measures.",
    ),
    WarningSpec(
        "two-raters",
        "two raters cannot be weighed",
        "With two raters nothing says which is right: both count alike.",
        "Add a third rater, or judge pairs.",
    ),
    WarningSpec(
        "raters-apart",
        "no two raters speak of the same documents",
        "No document has two ratings, so nothing says whether raters agree.",
        "Rate some documents by several raters.",
    ),
    WarningSpec(
        "raters-contradict",
        "the raters contradict one another",
        "Raters disagree so much that which way is up cannot be told.",
        "Judge pairs yourself (`glotmix raters next`), or leave raters out.",
    ),
    WarningSpec(
        "first-place",
        "of its votes to the document shown first",
        "A judge prefers what it sees first. Both orders are averaged, but its votes say less.",
        "Use another judge, or a clearer criterion.",
    ),
    WarningSpec(
        "ids-of-no-document",
        "ids are no document's",
        "Most ids of a rater's column are not among the documents.",
        "Compare the ids; the warning names one.",
    ),
    WarningSpec(
        "no-translations",
        "no document has a translation among the others",
        "Documents share no `group`, so nothing is learned across languages.",
        "Give translations a common `group`.",
    ),
    WarningSpec(
        "score-follows-length",
        "the score follows length",
        "In this language long documents score higher, or lower.",
        "Do not select by it there until labels of equal length say that it is right.",
    ),
    WarningSpec(
        "not-better-than-chance",
        "not ordered better than by chance",
        "In this language the rater's order of held-out pairs cannot be told from a coin.",
        "Add labels or translations in it, or do not use the rater there.",
    ),
    WarningSpec(
        "verdicts-on-others",
        "verdicts are on documents that are not here",
        "Verdicts name ids that none of the documents has.",
        "Compare the ids; the warning names one.",
    ),
    WarningSpec(
        "parts-apart",
        "no pair joins",
        "In a language, groups of documents were never compared with each other, so their scores cannot be.",
        "Judge pairs across the groups (`glotmix raters next` proposes some).",
    ),
    WarningSpec(
        "property-without-labels",
        "without: no head",
        "Too few labels say whether documents have this property, so nothing predicts it.",
        "Judge more documents (`glotmix label`), or set `quality.properties=false`.",
    ),
)
