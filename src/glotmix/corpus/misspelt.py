"""Codes of languages that are none: one typo in a column can take a whole language out of a corpus."""

from collections import Counter
from pathlib import Path

from glotmix.core import json_text
from glotmix.core.errors import DataError

REASON = "unknown language code"
MANY = 10
"""So many rows with one such code are no accident of a single row."""


def count(folder: Path) -> dict[str, Counter[str]]:
    """Return, by source, how many rows each code (with what is near it) sent to quarantine.

    Args:
        folder: the quarantine: ``<source>.jsonl``.
    """
    found: dict[str, Counter[str]] = {}
    for path in sorted(folder.glob("*.jsonl")):
        details: Counter[str] = Counter()
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                # Few rows are of this kind: the others are not parsed.
                if REASON in line:
                    row = json_text.loads(line)
                    if row["reason"] == REASON:
                        details[row["detail"]] += 1
        if details:
            found[path.stem] = details
    return found


def judge(found: dict[str, Counter[str]], most: int) -> list[str]:
    """Return warnings of codes that many rows have.

    Raises:
        DataError: if more than `most` rows have one.
    """
    told = []
    for source, details in sorted(found.items()):
        for detail, rows in details.most_common():
            if rows > most:
                raise DataError(
                    f"source '{source}': {rows:,} rows have a language code that is none: {detail}; "
                    f"corpus.max_unknown_language allows {most:,}",
                    "mend the code in the source, or raise corpus.max_unknown_language",
                )
            if rows >= MANY:
                told.append(
                    f"source '{source}': {rows:,} rows have a language code that is none: {detail}; all of them are in "
                    f"quarantine and in no language (mend the code: corpus/quarantine/{source}.jsonl)"
                )
    return told
