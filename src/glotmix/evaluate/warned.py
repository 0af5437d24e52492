"""What evaluations and audits of tokenizers warn of."""

from glotmix.core.warning import WarningSpec

WARNINGS = (
    WarningSpec(
        "pivot-not-here",
        "is not among its languages",
        "The task has no answers in the pivot language.",
        "Name another one (`--pivot`).",
    ),
    WarningSpec(
        "one-language",
        "no consistency to measure",
        "A task has one language or one choice, so nothing can be compared across languages.",
        "Nothing, or give the task's other languages.",
    ),
    WarningSpec(
        "judged-otherwise",
        "is not that of the choices",
        "The log's judgement differs from the choice with the best likelihood.",
        "Read the metric that the warning names; `--metric` chooses another.",
    ),
    WarningSpec(
        "log-mean-differs",
        "of a language is another",
        "The log's mean is over all its items. Here only items that all languages have count.",
        "Nothing; compare with the log item by item if it matters.",
    ),
    WarningSpec(
        "one-answer",
        "one answer to nearly everything",
        "A model gives one answer nearly always. Its consistency is mostly chance.",
        "Read kappa instead.",
    ),
    WarningSpec(
        "answers-unread",
        "many answers could not be read",
        "In many answers no option was found.",
        "Read some of them; perhaps the prompt or a filter is at fault (`--filtered`).",
    ),
    WarningSpec(
        "items-left-out",
        "items left out of every language",
        "Items that some language lacks do not count in any.",
        "Nothing, if they are few.",
    ),
    WarningSpec(
        "not-scored",
        "not scored:",
        "A task's answers are neither right nor wrong by the log.",
        "Choose a metric that judges: `--metric`.",
    ),
    WarningSpec(
        "metrics-of-two-models",
        "is judged by",
        "The two models are judged by different metrics, so the difference is no finding.",
        "Choose one metric for both: `--metric`.",
    ),
    WarningSpec(
        "not-compared",
        "not compared, since it is not in both",
        "Tasks that one model lacks do not count.",
        "Nothing, or run them for both.",
    ),
    WarningSpec(
        "perplexity-left-out",
        "(perplexity)",
        "A task measures the likelihood of whole texts. Nothing in it is chosen or answered.",
        "Nothing.",
    ),
    WarningSpec(
        "no-filters",
        "lighteval has no filters",
        "`--filtered` is for logs of the lm-evaluation-harness.",
        "Leave it out.",
    ),
    WarningSpec(
        "unusual-metric",
        "says what is right; --metric chooses another",
        "No usual metric is in the log, so the one that is there counts.",
        "Check that it judges right and wrong.",
    ),
    WarningSpec(
        "right-unknown",
        "does not say which answers are right",
        "The log has no metric that judges, so accuracy is unknown.",
        "Log a metric that judges, or read consistency alone.",
    ),
    WarningSpec(
        "results-differ",
        "the results state",
        "The mean in the results is not that of the answers. Perhaps files are missing, or of another run.",
        "Check that all files are of one run.",
    ),
    WarningSpec(
        "reasoning-removed",
        "reasoning was taken away",
        "Answers held reasoning. Only what comes after it is judged.",
        "Nothing. If many never came to an answer, allow longer answers.",
    ),
    WarningSpec(
        "filter-chosen",
        ": the filter ",
        "The log has several filters, or not the one you named. The warning says which counts.",
        "Choose with `--filtered`.",
    ),
    WarningSpec(
        "different-metrics",
        "are judged by different metrics",
        "Languages of one task are judged in different ways, so they cannot be compared.",
        "Choose a metric that all have: `--metric`.",
    ),
    WarningSpec(
        "asked-differently",
        "the languages differ in",
        "Languages of one task were asked in different ways.",
        "Run them again in the same way, or do not compare them.",
    ),
    WarningSpec(
        "models-asked-differently",
        "the models were asked differently",
        "Two models were asked in different ways, so the difference may be of the asking.",
        "Run one of them again in the other's way.",
    ),
    WarningSpec(
        "different-days",
        "were run on different days",
        "Files of one task are of different days. They may be of different runs.",
        "Check that they belong together.",
    ),
    WarningSpec(
        "run-again",
        "were run more than once",
        "A task was run several times. The newest counts.",
        "Nothing, or name the files of one run.",
    ),
    WarningSpec(
        "letters-lost",
        "letters that no token holds",
        "The tokenizer loses letters of these languages. Their premium is not counted.",
        "Take a tokenizer that covers them.",
    ),
    WarningSpec(
        "reference-not-covered",
        "is not covered itself",
        "The tokenizer loses letters of the language that others are held against.",
        "Choose another reference.",
    ),
)
