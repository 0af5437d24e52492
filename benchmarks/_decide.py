"""Decide on the made-up signals of a folder: thresholds, ledger and mixture, in a process of its own.

python -m benchmarks._decide FOLDER memory|parts [share|lose]
"""

import hashlib
import json
import sys
from pathlib import Path
from types import SimpleNamespace

from benchmarks import _many
from glotmix.core import flight
from glotmix.core.context import RunContext
from glotmix.core.record import Identity, Output, build
from glotmix.mix.steps import _make as mixture
from glotmix.select import ledger_parts, rules
from glotmix.select.ledger_builder import LedgerBuilder
from glotmix.signals import annotate


def decide(context: RunContext, way: str, retain: str | None) -> str:
    """Make the three steps; return the digest of their tables."""

    def thresholds(output: Output) -> dict[str, int]:
        many = way == "parts"
        return ledger_parts.make_thresholds(context, output) if many else LedgerBuilder(context).make_thresholds(output)

    def ledger(output: Output) -> dict[str, int]:
        many = way == "parts"
        return ledger_parts.make_ledger(context, output) if many else LedgerBuilder(context).make_ledger(output)

    made = hashlib.sha256()
    steps = {"thresholds": thresholds, "ledger": ledger, "mixture": lambda output: mixture(context, output)}
    for name, make in steps.items():
        build(context.folder / name, Identity(name, 1, {"way": way, "retain": retain}), make)
        for path in sorted((context.folder / name).glob("*.*")):
            if path.name != "record.json":
                made.update(path.read_bytes())
    return made.hexdigest()


if __name__ == "__main__":
    annotate.GROUP_BYTES = _many.PART_BYTES
    flight.use(flight.Engine(workers=2))
    retain = sys.argv[3] if len(sys.argv) > 3 else None
    if retain == "lose":
        # Of a rater the ledger asks for its lines alone: here a share of the documents lies below each.
        line = SimpleNamespace(line=lambda lang, share: share)
        rater = SimpleNamespace(probability=line, usual=SimpleNamespace(structure=None))
        rules.Rater = SimpleNamespace(read=lambda path: rater)  # type: ignore[assignment, attr-defined, misc]
    rated = {"quality": {}, "select": {"retain": retain}} if retain else None
    print(json.dumps({"digest": decide(_many.context(Path(sys.argv[1]), rated), sys.argv[2], retain)}))
