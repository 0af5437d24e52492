"""What the quality scoring model of conversations warns of."""

from glotmix.core.warning import WarningSpec

WARNINGS = (
    WarningSpec(
        "may-score-length",
        "it may score length",
        "On pairs of equal length the model is not clearly better than taking the longer answer.",
        "Add pairs whose revised answer is shorter.",
    ),
    WarningSpec(
        "may-score-translation",
        "it may score translation",
        "The model is right mostly where only one side is machine-translated.",
        "Add pairs whose both sides are of one kind.",
    ),
    WarningSpec(
        "translation-not-told",
        "do not say what is machine-translated",
        "Pairs have no column `translated`, so quality cannot be told apart from translation.",
        "Add the column.",
    ),
    WarningSpec(
        "rows-left-out",
        "rows lack their instruction or one of their answers",
        "Rows of the pairs are incomplete and teach nothing.",
        "Nothing, if they are few.",
    ),
)
