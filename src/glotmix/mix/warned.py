"""What the mixture warns of."""

from glotmix.core.warning import WarningSpec

WARNINGS = (
    WarningSpec(
        "few-runs",
        "are a good number (Olmix)",
        "There are fewer proxy runs than three for each parameter of a law.",
        "Train more (`mix.proxies.runs`), or read the intervals with care.",
    ),
    WarningSpec(
        "beyond-the-runs",
        "the laws are beyond their runs",
        "A language is given a larger share than any run had: there the law is a guess.",
        "Train runs there (`glotmix mix design --after`), or set a ceiling.",
    ),
    WarningSpec(
        "no-run-drew-on",
        "no run drew on",
        "Languages stood in no proxy run. They keep their share of the prior.",
        "Include them in the runs, if the prior is not what you want.",
    ),
    WarningSpec(
        "many-epochs",
        "past about four epochs",
        "A language's text is repeated more than four times.",
        "Lower `mix.max_epochs`, or add text.",
    ),
    WarningSpec(
        "learned-nothing",
        "the proxies have learned nothing of",
        "The proxies' loss in a language is no better than guessing single bytes.",
        "Give proxies more tokens, or leave the language out (`mix.weights.LANG=0`).",
    ),
    WarningSpec(
        "rises-with-share",
        "rise with the language's own share",
        "The figures go up where a language gets more: they look like accuracies and not like losses.",
        "Give losses.",
    ),
    WarningSpec(
        "ranks-by-chance",
        "no law ranks unseen mixtures better than chance",
        "No law predicts this language's loss on held-out mixtures.",
        "Add runs or seeds, or leave it out.",
    ),
    WarningSpec(
        "no-held-out-loss",
        "no loss is of held-out text of",
        "Nothing measures what these languages gain. They keep UniMax's share.",
        "Add their losses, or set a floor.",
    ),
    WarningSpec(
        "parallel-text-short",
        "parallel text gets",
        "There is less parallel text than the recipe asks for, even when it is repeated.",
        "Add parallel text, lower `align.pack.share`, or raise `align.pack.max_epochs`.",
    ),
    WarningSpec(
        "mean-loss-as-good",
        "no law predicts unseen mixtures better than the mean loss does",
        "For this language the laws know no more than the mean of all runs.",
        "Add runs or seeds, or leave the language's loss out.",
    ),
)
