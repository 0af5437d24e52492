"""Labelled pairs carried across languages by parallel text: the three kinds of pair of MuRating (arXiv 2507.01785).

A *group* is a document in all its languages. Labels belong to pairs of groups, whatever language they were made in:
made on English originals and carried out (the paper's E), or on English translations and carried back (M).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from glotmix.core import language
from glotmix.core.errors import DataError, RequestError
from glotmix.quality.bradley_terry import Floats, Ints

MONOLINGUAL, CROSSLINGUAL, PARALLEL = 0, 1, 2
KINDS = ("monolingual", "crosslingual", "parallel")

Translator: TypeAlias = Callable[[Sequence[str], str, str], Sequence[str]]
"""From texts, their language and the wanted one (canonical codes) to as many texts."""


@dataclass(frozen=True)
class Pairs:
    """m pairs of documents, as rows of a table.

    Args:
        left: (m,) rows.
        right: (m,) rows.
        p: (m,) P(left is better): inherited from the pair of groups; ½ for a parallel pair.
        kind: (m,) `MONOLINGUAL`, `CROSSLINGUAL` or `PARALLEL`.
    """

    left: Ints
    right: Ints
    p: Floats
    kind: Ints

    def only(self, kinds: Sequence[int]) -> "Pairs":
        """Return the pairs of some kinds."""
        kept = np.isin(self.kind, kinds)
        return Pairs(self.left[kept], self.right[kept], self.p[kept], self.kind[kept])


@dataclass(frozen=True)
class Labels:
    """Labelled pairs of groups: ``left``, ``right`` (m,) names of groups, ``p`` (m,) P(left is better)."""

    left: NDArray[np.object_]
    right: NDArray[np.object_]
    p: Floats

    def among(self, groups: set[str]) -> "Labels":
        """Return the labels whose groups are both among some."""
        kept = np.array([a in groups and b in groups for a, b in zip(self.left, self.right, strict=True)], bool)
        return Labels(self.left[kept], self.right[kept], self.p[kept])


def draw(
    groups: NDArray[np.object_],
    langs: NDArray[np.object_],
    labels: Labels,
    count: int,
    seed: int,
    linked: Sequence[str] = (),
) -> Pairs:
    """Draw pairs of the three kinds, 2 : 2 : 1.

    A monolingual or cross-lingual pair is a labelled pair of groups, drawn at random, and a language for both or two
    for either; a parallel pair a group that is labelled and two of its languages. What cannot be had in the languages
    that there are (a pair of groups without a common one, a single language) is drawn again, and given up where there
    is no such pair at all.

    Args:
        groups: (n,) the group of each document.
        langs: (n,) its language; a group has a language once.
        labels: pairs of groups; those of groups that are not here are left out.
        count: of monolingual pairs; as many cross-lingual ones and half as many parallel ones.
        seed: of the draws.
        linked: languages in which nothing inherits a label: their documents are in parallel pairs alone.

    Raises:
        DataError: if a group has two documents in one language, or no labelled pair is left.
    """
    if count < 2:
        raise RequestError(f"{count} pairs of each kind are too few to learn from")
    row = _rows(groups, langs)
    labels = labels.among({group for group, _ in row})
    if not len(labels.p):
        raise DataError("none of the labelled pairs has both its documents here", "look at the column of groups")
    names, every = sorted(set(langs.tolist())), sorted(set(groups.tolist()))
    at = {group: number for number, group in enumerate(every)}
    column = {name: number for number, name in enumerate(names)}
    position = np.full((len(every), len(names)), -1)
    for (group, name), found in row.items():
        position[at[group], column[name]] = found
    has = position >= 0
    inherits = has & ~np.isin(names, list(linked))
    ends = np.array([[at[a], at[b]] for a, b in zip(labels.left, labels.right, strict=True)])
    rng = np.random.default_rng(seed)
    parts = []
    for kind, wanted in ((MONOLINGUAL, count), (CROSSLINGUAL, count), (PARALLEL, count // 2)):
        made = 0
        for _ in range(20):
            many = 2 * wanted
            which = rng.integers(0, len(ends), many)
            a, b = ends[which].T
            m, other = rng.integers(0, len(names), (2, many))
            p = labels.p[which]
            if kind == MONOLINGUAL:
                other = m
            if kind == PARALLEL:
                # That a translation is as good as its original needs nobody's judgement.
                a = b = rng.integers(0, len(every), many)
                p = np.full(many, 0.5)
            able = has if kind == PARALLEL else inherits
            good = able[a, m] & able[b, other] & ((m == other) == (kind == MONOLINGUAL))
            chosen = np.flatnonzero(good)[: wanted - made]
            left, right = position[a, m][chosen], position[b, other][chosen]
            parts.append((left, right, p[chosen], np.full(len(chosen), kind)))
            made += len(chosen)
            if made == wanted or (made == 0 and not _possible(has if kind == PARALLEL else inherits, ends, kind)):
                break
    left, right, p, of = (np.concatenate(each) for each in zip(*parts, strict=True))
    return Pairs(left, right, p, of)


def _possible(has: NDArray[np.bool_], ends: NDArray[np.int64], kind: int) -> bool:
    """Say whether there is any pair of a kind."""
    one, two = has[ends[:, 0]], has[ends[:, 1]]
    if kind == MONOLINGUAL:
        return bool((one & two).any())
    if kind == PARALLEL:
        return bool((has.sum(axis=1) > 1).any())
    return bool(((one.sum(axis=1) * two.sum(axis=1) - (one & two).sum(axis=1)) > 0).any())


def _rows(groups: NDArray[np.object_], langs: NDArray[np.object_]) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for row, key in enumerate(zip(groups.tolist(), langs.tolist(), strict=True)):
        if key in found:
            raise DataError(
                f"the group {key[0]} has two documents in {key[1]}", "a group is one document's translations"
            )
        found[key] = row
    return found


def hold_out(sources: NDArray[np.object_], share: float, seed: int) -> NDArray[np.bool_]:
    """Return (n,) whether a document is held out: whole sources, in all their languages, whatever their order.

    Args:
        sources: (n,) what must not be divided: the original document of each passage and of each translation.
        share: of the sources, at least one and not all.
        seed: of the draw.

    Raises:
        DataError: if there are fewer than two sources.
    """
    names = sorted(set(sources.tolist()))
    if len(names) < 2:
        raise DataError(f"there is one source document, {names[0] if names else 'none'}: nothing can be held out")
    count = min(max(1, round(share * len(names))), len(names) - 1)
    chosen = np.random.default_rng(seed).permutation(len(names))[:count]
    return np.isin(sources, [names[i] for i in chosen])


def translated(documents: pa.Table, translator: Translator, into: Sequence[str]) -> pa.Table:
    """Add translations: every group gets a document in each wanted language that it has none in.

    With originals in one language and `into` the others, this carries labels out (the paper's variant E). With
    originals in many languages and `into` the one that the raters read, raters can judge the translations, and their
    labels belong to the originals' groups (variant M).

    Args:
        documents: ``id, group, lang, text``, maybe more; the first document of a group is what is translated.
        translator: makes texts.
        into: languages.

    Returns:
        the documents, then the translations by language: ids are ``GROUP/LANG``; ``origin`` holds the id of the
        document that each was made from, null for originals.

    Raises:
        DataError: if the translator returns another number of texts, or an empty one.
    """
    rows = documents.to_pylist()
    have = {(row["group"], row["lang"]) for row in rows}
    firsts: dict[str, dict[str, Any]] = {}
    for row in rows:
        firsts.setdefault(row["group"], row)
    made = []
    for target in (language.parse(code).code for code in into):
        missing = [row for group, row in firsts.items() if (group, target) not in have]
        for source in sorted({row["lang"] for row in missing}):
            mine = [row for row in missing if row["lang"] == source]
            texts = list(translator([row["text"] for row in mine], source, target))
            if len(texts) != len(mine) or not all(text.strip() for text in texts):
                raise DataError(
                    f"the translator made {len(texts)} texts of {len(mine)} from {source} to {target}, or empty ones"
                )
            made += [
                row | {"id": f"{row['group']}/{target}", "lang": target, "text": text, "origin": row["id"]}
                for row, text in zip(mine, texts, strict=True)
            ]
    schema = (
        documents.schema
        if "origin" in documents.column_names
        else documents.schema.append(pa.field("origin", pa.string()))
    )
    return pa.Table.from_pylist([{"origin": None} | row for row in rows] + made, schema=schema)
