"""Ways of packing that mix languages within a sample: many versions, whole documents, switched sentences and words."""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import cache

import numpy as np

from glotmix.align.packing import Options, Pairing, Piece, Sample, Unit, line, name_of
from glotmix.core import language

VERSION = 1

NEIGHBOURS_DIFFER = 0.5
"""ρ of XLDA: the chance that the next document is in another language. The paper's (arXiv 2504.15431) is not public."""

BALANCE = 0.5
"""α of XLDA: how far languages are drawn by their size, the rest evenly. The paper's is not public."""

LONGEST = 12
"""Characters of a word of a language without spaces that is looked for in the lexicon, at most."""


def multiway(units: Sequence[Unit], options: Options, seed: int) -> Iterator[Sample]:
    """Pack all versions of a unit as lines, in an order drawn for each unit (TED2025); units of two are left out."""
    rng = np.random.default_rng([seed, 21])
    wide = [unit for unit in units if len(unit.versions) > 2]
    for at in range(0, len(wide), max(1, options.pairs // 2)):
        pieces: list[Piece] = []
        begins: list[int] = []
        langs: set[str] = set()
        for unit in wide[at : at + max(1, options.pairs // 2)]:
            begins.append(len(pieces))
            order = sorted(unit.versions)
            for place in rng.permutation(len(order)).tolist():
                lang = order[place]
                langs.add(lang)
                pieces += [Piece(f"{name_of(lang)}:"), Piece(f" {line(unit.versions[lang])}\n", lang)]
        yield Sample(tuple(pieces), tuple(begins), "+".join(sorted(langs)))


def _documents(units: Sequence[Unit], most: int) -> list[list[Unit]]:
    """Return the units of each document, and of each `most` that stand in none, or in one that is longer."""
    found: dict[tuple[str, tuple[str, ...], int], list[Unit]] = {}
    counted: dict[tuple[str, tuple[str, ...]], int] = {}
    for unit in units:
        key = (unit.document, tuple(sorted(unit.versions)))
        at = counted[key] = counted.get(key, -1) + 1
        found.setdefault((*key, at // most), []).append(unit)
    return list(found.values())


def documents(units: Sequence[Unit], options: Options, seed: int) -> Iterator[Sample]:
    """Pack a whole document and then the same document in another language, without a word between."""
    rng = np.random.default_rng([seed, 22])
    for number, some in enumerate(_documents(units, options.pairs)):
        order = sorted(some[0].versions)
        order = [order[place] for place in rng.permutation(len(order)).tolist()][:2]
        back = options.directions == "backward" or (options.directions == "both" and number % 2)
        first, second = sorted(order, reverse=bool(back))
        pieces = (
            *(Piece(f"{unit.versions[first].strip()}\n", first) for unit in some),
            Piece("\n"),
            *(Piece(f"{unit.versions[second].strip()}\n", second) for unit in some),
        )
        yield Sample(pieces, (0,), f"{first}>{second}")


def xlda(units: Sequence[Unit], options: Options, seed: int) -> Iterator[Sample]:
    """Pack documents of several languages one behind the other, whether translations or not (XLDA, arXiv 2504.15431).

    Languages are drawn by ``P(l) = α |D_l| / Σ|D| + (1 − α) β_l`` with β even, neighbours differ in language with the
    chance ρ; α, β and ρ are not public: a reconstruction. The versions of one document never stand in one sample.
    """
    rng = np.random.default_rng([seed, 23])
    waiting: dict[str, list[tuple[int, str]]] = {}
    for number, some in enumerate(_documents(units, options.pairs)):
        for lang in sorted(some[0].versions):
            waiting.setdefault(lang, []).append((number, "".join(f"{u.versions[lang].strip()}\n" for u in some)))
    for held in waiting.values():
        held[:] = [held[at] for at in rng.permutation(len(held))]
    while waiting:
        pieces: list[Piece] = []
        taken: set[int] = set()
        last = ""
        for _ in range(4):
            langs = [lang for lang in sorted(waiting) if any(n not in taken for n, _ in waiting[lang])]
            others = [lang for lang in langs if lang != last]
            if last in langs and rng.random() > NEIGHBOURS_DIFFER:
                others = [last]
            if not (others := others or langs):
                break
            sizes = np.array([sum(len(text) for _, text in waiting[lang]) for lang in others], np.float64)
            chance = BALANCE * sizes / sizes.sum() + (1 - BALANCE) / len(others)
            last = others[int(rng.choice(len(others), p=chance))]
            at = next(i for i, (n, _) in enumerate(waiting[last]) if n not in taken)
            number, text = waiting[last].pop(at)
            taken.add(number)
            pieces.append(Piece(f"{text}\n", last))
            if not waiting[last]:
                del waiting[last]
        yield Sample(tuple(pieces), tuple(range(len(pieces))), "+".join(sorted({p.lang for p in pieces})))


def switch_sentence(units: Sequence[Unit], options: Options, seed: int) -> Iterator[Sample]:
    """Pack a document in one language, part of its sentences in another's place (SynCS, arXiv 2504.01801)."""
    rng = np.random.default_rng([seed, 24])
    for number, some in enumerate(_documents(units, options.pairs)):
        langs = sorted(some[0].versions)
        base = (
            langs[number % len(langs)] if options.directions == "both" else langs[-(options.directions == "backward")]
        )
        others = [lang for lang in langs if lang != base]
        pieces = []
        for unit in some:
            lang = others[int(rng.integers(len(others)))] if rng.random() < options.rate else base
            pieces.append(Piece(f"{line(unit.versions[lang])}\n", lang))
        yield Sample(tuple(pieces), tuple(range(len(pieces))), f"{base}+{'+'.join(others)}")


def switch_word(units: Sequence[Unit], options: Options, seed: int) -> Iterator[Sample]:
    """Pack single sentences, part of their words replaced by translations from a lexicon.

    With ``labels: input`` the word is replaced in the input alone: what is learned in its place is the word that stood
    there (PreAlign, arXiv 2407.16222; how it treats words of several tokens is not told: here the first token of the
    word is learned, and no other of the place). A sentence of which no word is in the lexicon stays as it is.
    """
    rng = np.random.default_rng([seed, 25])
    for some in _documents(units, options.pairs):
        for base in sorted(some[0].versions):
            others = {lang for lang in some[0].versions if lang != base}
            pieces: list[Piece] = []
            begins = []
            for unit in some:
                begins.append(len(pieces))
                pieces += _switched(line(unit.versions[base]), base, others, options, rng)
                pieces.append(Piece("\n", base))
            yield Sample(tuple(pieces), tuple(begins), f"{base}+{'+'.join(sorted(others))}")


def _switched(text: str, base: str, others: set[str], options: Options, rng: np.random.Generator) -> list[Piece]:
    spans = words(text, base, options.lexicon)
    known = []
    for start, stop in spans:
        found = [t for t in options.lexicon.get((base, text[start:stop].casefold()), ()) if t[0] in others]
        if found:
            known.append((start, stop, found))
    # Of the words that can be switched, as many as make the rate of all.
    chance = min(1.0, options.rate * len(spans) / len(known)) if known else 0.0
    pieces: list[Piece] = []
    at = 0
    for start, stop, found in known:
        if rng.random() >= chance:
            continue
        if start > at:
            pieces.append(Piece(text[at:start], base))
        lang, word = found[int(rng.integers(len(found)))]
        pieces.append(Piece(word, lang, True, text[start:stop] if options.labels == "input" else None))
        at = stop
    return [*pieces, Piece(text[at:], base)] if at < len(text) else pieces


def words(text: str, lang: str, lexicon: Mapping[tuple[str, str], object] = {}) -> list[tuple[int, int]]:
    """Return where the words of a text begin and end: letters with their marks, between anything else.

    In a language without spaces these are the longest entries of a lexicon, and single letters between them.

    >>> [ "हम घर जा रहे हैं"[a:b] for a, b in words("हम घर जा रहे हैं", "hin_Deva")]
    ['हम', 'घर', 'जा', 'रहे', 'हैं']
    >>> [ "我喜欢猫"[a:b] for a, b in words("我喜欢猫", "zho_Hans", {("zho_Hans", "喜欢"): ()})]
    ['我', '喜欢', '猫']
    """
    runs: list[tuple[int, int]] = []
    start = None
    for at, char in enumerate(f"{text} "):
        inside = unicodedata.category(char)[0] in "LM" or (start is not None and char in "\u200c\u200d")
        if inside and start is None:
            start = at
        elif not inside and start is not None:
            runs.append((start, at))
            start = None
    if _spaced(lang):
        return runs
    found = []
    for start, stop in runs:
        at = start
        while at < stop:
            ends = range(min(stop, at + LONGEST), at, -1)
            end = next((e for e in ends if (lang, text[at:e].casefold()) in lexicon), None)
            if end is None:
                end = at + 1
                while end < stop and unicodedata.category(text[end])[0] == "M":
                    end += 1
            found.append((at, end))
            at = end
    return found


@cache
def _spaced(lang: str) -> bool:
    return language.parse(lang).spaced


def plain(word: str) -> str:
    """Return a word as lexicons are asked for it."""
    return re.sub(r"\s+", " ", word).strip().casefold()


PAIRING = (
    Pairing("multiway", multiway, "all versions of a text as lines, three languages and more", versions=3),
    Pairing("documents", documents, "a whole document, then the same in another language"),
    Pairing("xlda", xlda, "whole documents of several languages in one sample, translations or not"),
    Pairing("switch_sentence", switch_sentence, "a document, part of its sentences in another language"),
    Pairing(
        "switch_word", switch_word, "sentences, part of their words in another language, by a lexicon", masks=False
    ),
)
