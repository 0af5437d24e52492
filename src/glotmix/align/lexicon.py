"""Lexicons for switched words: read from a table such as GATITOS, or induced from the pairs themselves."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from glotmix.align.packing import Unit
from glotmix.align.switching import plain, words
from glotmix.core import language
from glotmix.core.errors import DataError, RequestError, blame

VERSION = 1

Lexicon = dict[tuple[str, str], list[tuple[str, str]]]

LEAST_COUNT = 3
"""Sentences that a word must stand in to get a translation."""

LEAST_DICE = 0.3
"""Dice coefficient from which on two words are translations."""

_NAMES = (("lang_one", "word_one", "lang_other", "word_other"), ("lang", "eng", "word"))


def read(path: Path, languages: set[str]) -> Lexicon:
    """Read a lexicon, both directions, of the languages that are wanted; words with a space in them are left out.

    Raises:
        RequestError: if the file is not there.
        DataError: if it has neither the columns ``lang, eng, word`` nor ``lang_one, word_one, lang_other, word_other``,
            or no word of the languages.
    """
    if not path.is_file():
        raise RequestError(f"there is no lexicon {path}", "align.pack.lexicon=null induces one from the pairs")
    with blame(path, what="lexicon"):
        rows = pq.read_table(path)
    if set(_NAMES[0]) <= set(rows.column_names):
        columns = [rows[name].to_pylist() for name in _NAMES[0]]
    elif set(_NAMES[1]) <= set(rows.column_names):
        columns = [["eng_Latn"] * rows.num_rows, *(rows[name].to_pylist() for name in ("eng", "lang", "word"))]
    else:
        raise DataError(f"{path} is no lexicon: it has {', '.join(rows.column_names)}", "lang, eng, word")
    codes: dict[str, str | None] = {}
    found: Lexicon = {}
    for a, x, b, y in zip(*columns, strict=True):
        for code in (a, b):
            if code not in codes:
                codes[code] = _code(code)
        one, other = codes[a], codes[b]
        if one in languages and other in languages and x and y and " " not in x.strip() and " " not in y.strip():
            _put(found, (one, plain(x)), (other, y.strip()))
            _put(found, (other, plain(y)), (one, x.strip()))
    if not found:
        raise DataError(f"{path} has no words of {', '.join(sorted(languages))}", "align.pack.lexicon=null induces one")
    return found


def _code(given: str) -> str | None:
    try:
        return language.parse(given).code
    except RequestError:
        return None


def _put(found: Lexicon, word: tuple[str, str], translation: tuple[str, str]) -> None:
    held = found.setdefault(word, [])
    if translation not in held:
        held.append(translation)


def induced(units: Sequence[Unit]) -> Lexicon:
    """Induce a lexicon: words that are each other's best by the Dice coefficient of the units that they stand in.

    Competitive linking in one round (Melamed 2000). Languages that do not part their words get none: give a lexicon.
    """
    from scipy import sparse

    by_pair: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for unit in units:
        langs = sorted(lang for lang in unit.versions if language.parse(lang).spaced)
        for at, a in enumerate(langs):
            for b in langs[at + 1 :]:
                by_pair.setdefault((a, b), []).append((unit.versions[a], unit.versions[b]))
    found: Lexicon = {}
    for (a, b), rows in sorted(by_pair.items()):
        sides = []
        for lang, side in ((a, 0), (b, 1)):
            sets = [{row[side][p:q].casefold() for p, q in words(row[side], lang)} for row in rows]
            counts = Counter(word for one in sets for word in one)
            known = {w: n for n, w in enumerate(sorted(w for w, c in counts.items() if c >= LEAST_COUNT))}
            ends = np.array([(n, known[w]) for n, one in enumerate(sets) for w in sorted(one) if w in known], np.int64)
            ends = ends.reshape(-1, 2)
            shape = (len(rows), len(known))
            matrix = sparse.csr_matrix((np.ones(len(ends), np.float32), (ends[:, 0], ends[:, 1])), shape=shape)
            sides.append((list(known), matrix))
        (ones, x), (others, y) = sides
        if not ones or not others:
            continue
        both = (x.T @ y).tocoo()
        dice = (
            2 * both.data / (np.asarray(x.sum(axis=0)).ravel()[both.row] + np.asarray(y.sum(axis=0)).ravel()[both.col])
        )
        keep = (dice >= LEAST_DICE) & (both.data >= LEAST_COUNT)
        rows_, columns, values = both.row[keep], both.col[keep], dice[keep]
        order = np.lexsort((columns, rows_, -values))
        taken_one, taken_other = set(), set()
        for place in order.tolist():
            i, j = int(rows_[place]), int(columns[place])
            if i in taken_one or j in taken_other:
                continue
            taken_one.add(i)
            taken_other.add(j)
            _put(found, (a, ones[i]), (b, others[j]))
            _put(found, (b, others[j]), (a, ones[i]))
    return found


def of(path: Path | None, units: Sequence[Unit]) -> Mapping[tuple[str, str], Sequence[tuple[str, str]]]:
    """Return the lexicon of a file, or one that is induced.

    Raises:
        DataError: if the pairs give none.
    """
    if path is not None:
        return read(path, {lang for unit in units for lang in unit.versions})
    found = induced(units)
    if not found:
        raise DataError(
            "no lexicon can be induced from the pairs: too few, or languages that do not part their words",
            "align.pack.lexicon=FILE.parquet with lang, eng, word",
        )
    return found
