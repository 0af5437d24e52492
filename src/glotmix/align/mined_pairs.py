"""Which mined pairs are right: a line for documents and one for links, drawn from the null of the corpus itself."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from glotmix.align.precision import LEAST, line, wrongs
from glotmix.align.staged import LINKS, STAGED, Links, Mining, read_texts
from glotmix.core.record import Output

End: TypeAlias = tuple[tuple[str, str], int, int]
"""A document beside another language: the two languages, which of them is its own, its place there."""

JUDGED = ("margin", "score", "numbers")

LAX = 0.8
"""Precision of the first line: it only says whose second best is no measure of chance."""


DOUBT = 2.0
"""Wrong pairs for each that the null lets expect, rounded up from what development data showed (docs/log.md)."""


def statistic(rows: pa.Table) -> NDArray[np.float64]:
    """Return what pairs of documents are judged by, of rows of `LINKS`.

    It is the margin of the whole, times the score of their sentences in order, times the agreement of their numbers.
    """
    margin, score, numbers = (rows[c].to_numpy().astype(np.float64) for c in JUDGED)
    found: NDArray[np.float64] = np.maximum(margin, 0) * score * numbers
    return found


def settled(
    found: NDArray[np.float64],
    null: NDArray[np.float64],
    ends: Sequence[tuple[End, End]],
    null_ends: Sequence[tuple[End, End]],
    precision: float,
) -> float:
    """Return the line of documents.

    What comes second to a true translation was never a candidate: of several articles on one event it is nearer than
    anything that chance brings first. So the documents above a first, lax line leave the null, and the line that counts
    is drawn with the others.

    Args:
        found: (n,) statistics of the candidates.
        null: (m,) of the null.
        ends: the documents of each candidate.
        null_ends: those of each pair of the null.
        precision: what is promised of all that is above.
    """
    above = found >= line(found, null, LAX)
    paired = {end for both, inside in zip(ends, above.tolist(), strict=True) if inside for end in both}
    others = np.array([not (set(both) & paired) for both in null_ends], bool)
    precision = 1 - (1 - precision) / DOUBT
    if not above.any() or above.all() or others.sum() < LEAST:
        return line(found, null, precision)
    return line(found, null[others], precision)


def decided(output: Output, held: Mapping[str, pa.Array], staged: Links, how: Mining) -> Iterator[pa.Table]:
    """Draw both lines, from all languages together, and yield what is above that of documents."""
    whole: dict[bool, list[NDArray[np.float64]]] = {False: [], True: []}
    ends: dict[bool, list[tuple[End, End]]] = {False: [], True: []}
    for chunk, every in staged.read(["one", "other", "link", *JUDGED]):
        rows = every.filter(pc.equal(every["link"], 0))
        whole[chunk.null].append(statistic(rows))
        sides = zip(rows["one"].to_pylist(), rows["other"].to_pylist(), strict=True)
        ends[chunk.null] += [((chunk.langs, 0, i), (chunk.langs, 1, j)) for i, j in sides]
    found, null = (np.concatenate(whole[k]) if whole[k] else np.zeros(0) for k in (False, True))
    at = settled(found, null, ends[False], ends[True], how.precision)
    near: dict[bool, list[NDArray[np.float64]]] = {False: [], True: []}
    for chunk, rows in staged.read([*JUDGED, "near"]):
        taken = np.ones(rows.num_rows, bool) if chunk.null else _above(rows, at)
        near[chunk.null].append(rows.filter(pa.array(taken))["near"].drop_null().to_numpy().astype(np.float64))
    links, others = (np.concatenate(near[k]) if near[k] else np.zeros(0) for k in (False, True))
    wrong = wrongs(links, others)
    least = line(links, others, how.precision, wrong)
    output.notes["mined"] = {
        "precision": how.precision,
        "documents": {lang: len(ids) for lang, ids in held.items()},
        "candidates": len(found),
        "null": len(null),
        "line": None if np.isinf(at) else round(at, 4),
        "pairs": int((found >= at).sum()),
        "links": len(links),
        "links_null": len(others),
        "links_wrong_at_most": round(wrong, 4),
        "links_line": None if np.isinf(least) else round(least, 4),
        "too_few_for_a_line": len(null) < LEAST,
    }
    for chunk, every in staged.read(LINKS.names):
        if chunk.null:
            continue
        rows = every.filter(pa.array(_above(every, at)))
        if not how.split:
            rows = _whole(rows, output.path / STAGED, chunk.langs)
        if rows.num_rows:
            yield _named(rows, held, chunk.langs, least if how.split else -np.inf)


def _above(rows: pa.Table, at: float) -> NDArray[np.bool_]:
    return np.asarray(statistic(rows) >= at)


def _whole(rows: pa.Table, staged: Path, langs: tuple[str, str]) -> pa.Table:
    """Return a row for each pair of documents, with the whole of both, and their score in the place of a link's."""
    rows = rows.filter(pc.equal(rows["link"], 0))
    for lang, place, text in zip(langs, ("one", "other"), ("text_one", "text_other"), strict=True):
        texts = pa.array(read_texts(staged, lang, rows[place].to_numpy()), pa.string())
        rows = rows.set_column(rows.schema.get_field_index(text), text, texts)
    return rows.set_column(rows.schema.get_field_index("near"), "near", rows["score"])


def _named(rows: pa.Table, held: Mapping[str, pa.Array], langs: tuple[str, str], least: float) -> pa.Table:
    """Return the links of two languages with the ids of their documents."""
    ids = [held[lang].take(rows[side]) for lang, side in zip(langs, ("one", "other"), strict=True)]
    pair = pc.binary_join_element_wise(*(pc.cast(c, pa.string()) for c in ids), "|")
    there = rows["near"].is_valid()
    return pa.table(
        {
            "lang_one": pa.array([langs[0]] * rows.num_rows),
            "lang_other": pa.array([langs[1]] * rows.num_rows),
            "id_one": ids[0],
            "id_other": ids[1],
            "document": pair,
            "position": rows["link"],
            "text_one": rows["text_one"],
            "text_other": rows["text_other"],
            "score": rows["near"],
            "kept": pc.greater_equal(rows["near"], pa.scalar(least, pa.float32())),
        }
    ).filter(there)
