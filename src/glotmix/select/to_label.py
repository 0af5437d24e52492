"""Which documents a speaker should judge: those nearest to the line, of every source in turn.

Where a rater is sure, a label teaches it little (uncertainty sampling, Lewis & Gale 1994); each source has its turn, so
that one form of text does not take all the time.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from glotmix.core import json_text, record, table
from glotmix.core.context import RunContext
from glotmix.core.errors import DataError, RequestError
from glotmix.quality import anchors
from glotmix.quality.rater import Rater
from glotmix.quality.steps import APPLIED

HARD = 4
"""Every fourth document is any one of its source: what only the line's neighbours say would be of them alone."""


def choose(context: RunContext, lang: str, count: int) -> list[dict[str, Any]]:
    """Return up to `count` documents (``id, text, lang, source, score``) of a language, the most telling first.

    Raises:
        DataError: if the language has no document, or none with a score.
    """
    record.require(context.step_dir("ledger"), "select RECIPE")
    ledger = table.read(table.shards(context.step_dir("ledger")), ["id", "lang", "source", "quality"])
    own = ledger.filter(pc.equal(ledger["lang"], lang))
    if not own.num_rows:
        there = ", ".join(sorted(pc.unique(ledger["lang"]).to_pylist()))
        raise RequestError(f"the corpus holds no document of {lang}", f"one of {there}")
    mine = own.filter(pc.is_valid(own["quality"]))
    if not mine.num_rows:
        raise DataError(f"no document of {lang} has a score", "a recipe with quality: {}, run up to its ledger")
    chance = Rater.read(context.step_dir("signals/quality") / APPLIED).probability
    score = mine["quality"].to_numpy(zero_copy_only=False).astype(float)
    line = float(np.median(score)) if chance is None else chance.line(lang, context.recipe.select.lose)
    queues: dict[str, list[int]] = {}
    for row in np.argsort(np.abs(score - line), kind="stable").tolist():
        queues.setdefault(mine["source"][row].as_py(), []).append(row)
    chosen: list[int] = []
    while len(chosen) < count and any(queues.values()):
        for source in sorted(queues):
            if queues[source] and len(chosen) < count:
                # The last of a queue is the surest: now and then it is asked for, too.
                chosen.append(queues[source].pop(-1 if len(chosen) % HARD == HARD - 1 else 0))
    ids = mine["id"].take(pa.array(chosen)).to_pylist()
    texts = _texts(context, lang, ids)
    return [
        {"id": i, "text": texts[i], "lang": lang, "source": mine["source"][row].as_py(), "score": float(score[row])}
        for i, row in zip(ids, chosen, strict=True)
    ]


def _texts(context: RunContext, lang: str, ids: list[str]) -> dict[str, str]:
    wanted = pa.array(ids)
    found: dict[str, str] = {}
    for shard in table.shards(context.corpus / lang):
        rows = table.read([shard], ["id", "text"])
        own = rows.filter(pc.is_in(rows["id"], value_set=wanted))
        found |= dict(zip(own["id"].to_pylist(), own["text"].to_pylist(), strict=True))
    return found


def left(context: RunContext, lang: str, path: Path, count: int) -> tuple[list[dict[str, Any]], int]:
    """Return the documents to judge next, as `choose` does, and how many labels the file holds already.

    A row of the file is of a document by its ``id``; where somebody else wrote it, by its text.

    Raises:
        RequestError: if labels cannot be added to the file.
        DataError: naming the line of it that is no label.
    """
    if path.suffix != ".jsonl":
        raise RequestError(f"{path}: labels are added to JSON lines alone", "--file NAME.jsonl")
    rows = [row for _, row in anchors.rows(path)] if path.is_file() else []
    ids, texts = {str(row["id"]) for row in rows if row.get("id") is not None}, [row.get("text") for row in rows]
    chosen = choose(context, lang, count + len(rows))
    return [one for one in chosen if one["id"] not in ids and one["text"] not in texts][:count], len(rows)


def note(path: Path, document: dict[str, Any], good: bool | None, properties: Mapping[str, bool] | None = None) -> None:
    """Add a label to a file of anchors: one line, at once, so that nothing is lost when one stops.

    Args:
        path: the file.
        document: ``id, text, lang, source``.
        good: whether it is natural; None where only properties are said of it.
        properties: of `anchors.PROPERTIES`, whether it has each; None for not asked.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # A file that was written by hand may end within its last line.
    begun = path.is_file() and path.read_bytes()[-1:] not in (b"", b"\n")
    row = {name: document[name] for name in ("id", "text", "lang", "source")}
    row |= {"label": None if good is None else int(good)} | {name: int(has) for name, has in (properties or {}).items()}
    with path.open("a", encoding="utf-8") as file:
        file.write(("\n" if begun else "") + json.dumps(row, ensure_ascii=False) + "\n")


def take_back(path: Path, identity: str) -> None:
    """Take the last label of a document out of a file; the rest of the file stays as it is."""
    # Not by what Python calls a line: texts may hold U+2028.
    lines = path.read_bytes().splitlines(keepends=True)
    last = max(at for at, line in enumerate(lines) if line.strip() and json_text.loads(line).get("id") == identity)
    beside = path.with_name(path.name + ".new")
    beside.write_bytes(b"".join(lines[:last] + lines[last + 1 :]))
    beside.replace(path)
