"""Which of a log's metrics says whether an answer is right.

Harnesses log a number for each item under a name of the task's choosing. Some say right or wrong (``acc``,
``exact_match``, ``extractive_match``, ``math_verify`` …), perhaps as a share (the mass that lies on right choices, the
mean of several tries); others measure a text (``bleu``, ``chrf``, ``f1``) or a likelihood (``word_perplexity``) and
judge nothing. Accuracy is the mean of the first kind alone.
"""

import re
from collections.abc import Mapping, Sequence

from glotmix.core.errors import RequestError, did_you_mean

_RIGHT = (
    re.compile(r"(?:quasi_|prefix_|prefix_quasi_)?exact_match(?:$|[_,:@].*)|(?:q|p|pq)?em(?:$|[_:@].*)"),
    re.compile(r"(?:.*_)?acc(?:uracy)?_?|loglikelihood_acc|mcq_acc.*"),
    re.compile(r"extractive_match.*|math_verify.*|math_equal.*|.*pass(?:@|_at_)\d*k?.*|maj@.*|avg@.*"),
    re.compile(r"(?:is_)?correct|right|match|string_match|contains.*"),
)
"""Names that judge, the first kind first; an ``acc`` of anything but choices as they are (``acc_norm``) is not here."""
_NORMALISED = ("acc_norm",)
_NOT = re.compile(
    r"(?:.*[_.])?(?:norm|pmi|mutual_info|bytes|stderr|brier|f1|bleu|chrf|rouge\w*|ter|mcc|meteor|comet|bertscore"
    r"|\w*perplexity|bits_per_byte|bpb)(?:[_.,+].*)?"
)


def names(row: Mapping[str, object]) -> list[str]:
    """Return the metrics of a sample, each once: those that it lists, or whatever is known to judge."""
    listed = row.get("metrics")
    if isinstance(listed, list):
        return list(dict.fromkeys(str(name) for name in listed))
    return [name for name in row if any(p.fullmatch(name) for p in _RIGHT) or name in _NORMALISED]


def pick(there: Sequence[str], wanted: str | None, where: str) -> str | None:
    """Return the metric that says what is right: the wanted one, else the first kind of name that judges.

    Args:
        there: the metrics of a file that are numbers.
        wanted: by the user; None to choose.
        where: names the file in an error.

    Raises:
        RequestError: if the wanted one is not there.

    >>> pick(["f1", "exact_match"], None, "x"), pick(["bleu"], None, "x"), pick(["exact_match_swa_prefix"], None, "x")
    ('exact_match', None, 'exact_match_swa_prefix')
    """
    if wanted is not None:
        if wanted not in there:
            raise RequestError(
                f"{where}: there is no metric {wanted!r}{did_you_mean(wanted, there)}",
                f"--metric, one of {', '.join(there) or 'none: the log has no number for an item'}",
            )
        return wanted
    for pattern in _RIGHT:
        for name in there:
            if pattern.fullmatch(name) and not _NOT.fullmatch(name):
                return name
    return None


def judges(name: str) -> bool:
    """Say whether a name is known to judge."""
    return pick([name], None, name) is not None


def measures(name: str) -> bool:
    """Say whether a name is known to measure something else than right and wrong."""
    return _NOT.fullmatch(name) is not None


def kind(name: str) -> str:
    """Return what languages of one task may differ in without being judged differently: ``exact_match_fra`` is like
    ``exact_match_swa``.

    >>> kind("exact_match_fra_prefix") == kind("exact_match_swa_prefix"), kind("acc") == kind("exact_match")
    (True, False)
    """
    return next((p.pattern for p in _RIGHT if p.fullmatch(name)), name)


def differences(metrics: Mapping[tuple[str, str], str]) -> list[str]:
    """Return a sentence for each task whose languages are judged in different ways, by the metrics' names."""
    found = []
    for task in sorted({task for task, _ in metrics}):
        own = {lang: metric for (t, lang), metric in metrics.items() if t == task}
        if len({kind(metric) for metric in own.values()}) > 1:
            said = ", ".join(f"{lang} by {metric}" for lang, metric in sorted(own.items()))
            found.append(f"{task}: the languages are judged by different metrics: {said}")
    return found
