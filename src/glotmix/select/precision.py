"""What each rule finds of text that fluent readers judged: counts that ship, beside the rule wherever it is shown.

>>> judged("heuristics.stop_word_share.low").shown.split(" and ")[0].startswith("1")
True
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

FILE = Path(str(files("glotmix") / "data" / "rule_precision.tsv"))


@dataclass(frozen=True)
class Judged:
    """Judged documents that fail a rule, of all that were judged."""

    unnatural: int
    natural: int
    all_unnatural: int
    all_natural: int

    @property
    def shown(self) -> str:
        """In words."""
        return (
            f"{self.unnatural} of {self.all_unnatural} unnatural and "
            f"{self.natural} of {self.all_natural:,} natural documents"
        )


@cache
def _table() -> dict[str, Judged]:
    head, *lines = FILE.read_text("utf-8").splitlines()
    _, bad, _, good = head.split("\t")
    found = {}
    for line in lines:
        rule, unnatural, natural = line.split("\t")
        found[rule] = Judged(int(unnatural), int(natural), int(bad), int(good))
    return found


def judged(rule: str) -> Judged | None:
    """Return what a rule finds of judged text, by the reference's lines; None for a rule that was not measured."""
    return _table().get(rule)
