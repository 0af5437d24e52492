"""What the page says of conversations: the checks per language, the model that rates them, what was chosen."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from glotmix.core import json_text
from glotmix.core.record import JSON
from glotmix.report.provenance import notes

CHECKS = ("unfaithful", "untranslated", "refusal", "empty", "truncated")
"""The checks of `signals.answers`, in the order of the table."""


def conversations(
    records: Mapping[str, Mapping[str, JSON]], coverage: Path | None, audit: Path | None
) -> dict[str, Any] | None:
    """Return the rows of the section; None where the documents are no conversations.

    Args:
        records: of all steps.
        coverage: ``coverage.json``.
        audit: ``audit.json`` of the quality scoring model.
    """
    noted = notes(records, "signals/answers").get("languages")
    if not isinstance(noted, dict):
        return None
    checks = []
    for lang, counts in noted.items():
        assert isinstance(counts, dict)
        judged = {c: (counts.get(c, 0), counts.get(f"{c} of", 0)) for c in CHECKS}
        checks.append({"lang": lang, "documents": counts["documents"], "judged": judged})
    selection = notes(records, "ledger").get("selection") or {}
    assert isinstance(selection, dict)
    spread = _read(coverage)
    model = _read(audit)
    return {
        "names": CHECKS,
        "checks": checks,
        "selection": selection,
        "coverage": {} if spread is None else spread["coverage"],
        "topics": {} if spread is None else spread["topics"],
        "model": model,
        "judges": [] if model is None else [("all", model["overall"]), *model["languages"].items()],
        "repeated": _counts(records, "signals/prompts"),
    }


def _read(path: Path | None) -> dict[str, Any] | None:
    if path is None or not path.is_file():
        return None
    found: dict[str, Any] = json_text.loads(path.read_text("utf-8"))
    return found


def _counts(records: Mapping[str, Mapping[str, JSON]], step: str) -> dict[str, JSON]:
    counts = records[step]["counts"] if step in records else None
    return counts if isinstance(counts, dict) else {}
