"""Rules: what may drop a document, declared beside the signal that they read."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from glotmix.core.context import RunContext


@dataclass(frozen=True)
class RuleHits:
    """Documents that fail one rule.

    Args:
        rule: the rule's name in the ledger, such as ``heuristics.digit_share.high``.
        rows: (k,) positions of the documents, increasing.
        evidence: k texts, one for each.
        drops: whether they are dropped; if not, they are *borderline*: beyond the rule's line by a hair.
    """

    rule: str
    rows: "NDArray[np.int64]"
    evidence: Sequence[str]
    drops: bool = True


@dataclass(frozen=True)
class Through:
    """The line that a setting draws through numbers of documents: what the explorer moves.

    Args:
        columns: ``signal.column``; the sum of several.
        fails: which documents fail: those above the setting's value, those from it on, or those below it.
        rule: what the ledger calls it; the rule's own name if empty.
        whole: whether the value is a whole number.
    """

    columns: tuple[str, ...]
    fails: Literal["above", "from", "below"] = "above"
    rule: str = ""
    whole: bool = False


@dataclass(frozen=True)
class LanguageSetting:
    """A setting that may differ by language and source: see `glotmix.core.settings`.

    Args:
        key: its dotted name, such as ``identify.min_score``; one that ends in a dot says what all the built-in ones
            below it take.
        default: its value where no layer says otherwise; ``...`` where the built-in settings file has it.
        takes: what values it takes, in words.
        fits: says whether a value is one of them.
        through: the line that it draws, where it draws one; None as its value is no line.
    """

    key: str
    default: Any
    takes: str
    fits: Callable[[Any], bool]
    through: Through | None = None


def number(value: Any, low: float = float("-inf"), high: float = float("inf")) -> bool:
    """Whether a setting's value is a number within a range, both ends included."""
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def share(value: Any) -> bool:
    """Whether a setting's value is a share, from 0 to 1."""
    return number(value, 0, 1)


def bound(value: Any) -> bool:
    """Whether a setting's value is a line that `select` can draw: a number, ``{quantile: q}``, or None for no line."""
    if isinstance(value, Mapping):
        return set(value) == {"quantile"} and share(value["quantile"])
    return value is None or number(value)


def drop_or_keep(value: Any) -> bool:
    """Whether a setting's value says what becomes of a document."""
    return value in ("drop", "keep")


class LedgerView(Protocol):
    """What a rule sees of the ledger under construction."""

    @property
    def context(self) -> "RunContext":
        """The recipe at work."""

    @property
    def documents(self) -> "pa.Table":
        """The n documents, in the order of the corpus: ``id, lang, source, bytes, chars, tokens, …``."""

    def signal(self, step: str) -> "pa.Table":
        """Return the n rows of a signal, in the order of the corpus."""

    def setting(self, lang: str, source: str | None, key: str) -> Any:
        """Return the value of a setting of a language, as a source may have changed it."""

    def alive(self) -> "NDArray[np.bool_]":
        """Return (n,) booleans: the documents that no rule before this one has dropped."""

    def warn(self, text: str) -> None:
        """Add a warning to the ledger's record: it is shown on the terminal and in the report."""


@dataclass(frozen=True)
class Rule:
    """A reason to drop documents.

    Args:
        name: what the ledger calls it, or the beginning of what it calls its kinds (``heuristics``).
        apply: returns the documents that fail.
        place: its order among the rules; a document is dropped by the first rule that it fails.
        settings: the settings that it asks for, by language.
        meaning: one line for the reference.
    """

    name: str
    apply: Callable[[LedgerView], Iterable[RuleHits]]
    place: int = 500
    settings: tuple[LanguageSetting, ...] = ()
    meaning: str = ""
