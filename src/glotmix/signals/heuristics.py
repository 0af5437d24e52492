"""The heuristics of FineWeb-2, Gopher and C4 as columns: counts and shares of each text, for every script.

A column says something of a text and decides nothing; `glotmix.select.thresholds` draws the lines. What a column means
stands in `COLUMNS`; what a unit is (a word, or a letter where words are not separated), in `glotmix.signals.pieces`.
Null means that a column does not apply: to the language (no upper case, no spaces, no list of stop words) or to the
text (a share of nothing). Texts are measured as they are read: in NFC, and in Hebrew and Arabic without the vowels that
most texts leave out. Their bytes are their own, and they stay as they are.

Papers: Gopher (Rae et al. 2021, arXiv 2112.11446, appendix A1.1), C4 (Raffel et al. 2020, JMLR 21:140, section 2.2),
ROOTS (Laurençon et al. 2022, arXiv 2303.03915), FineWeb (Penedo et al. 2024, arXiv 2406.17557), RedPajama-V2 (Weber et
al. 2024, arXiv 2411.12372); per language, as FineWeb-2 does it (Penedo et al. 2025, arXiv 2506.20920). The columns
follow the papers' wording, read anew for scripts without spaces or case: reconstructions, not their code.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from glotmix.core.language import Language, parse
from glotmix.core.record import Counts, Output
from glotmix.core.step import Column as StepColumn
from glotmix.core.step import StepSpec
from glotmix.native.repeats import FIELDS as REPEATS
from glotmix.native.repeats import again, repeats
from glotmix.signals.annotate import Measure, Measured, annotate
from glotmix.signals.letterforms import POINTED, as_read
from glotmix.signals.pieces import Profile, Profiles, Stream, hashes_of, scan

VERSION = 3

CASED = frozenset({"Adlm", "Armn", "Cher", "Copt", "Cyrl", "Dsrt", "Glag", "Grek", "Latf", "Latg", "Latn", "Osge"})
"""Scripts with upper case."""

WITHOUT_STOPS = frozenset({"Thai"})
"""Scripts whose sentences end without a sign, as a rule."""

GRAIN = {"Hani": 2, "Hans": 2, "Hant": 2, "Jpan": 2, "Khmr": 4, "Laoo": 4, "Mymr": 3, "Thai": 4, "Tibt": 2}
"""Units per word: in NTREX-128's translations of the same news a text has 1.6 to 1.7 (Chinese, Cantonese), 2.4
(Japanese), 3.7 (Khmer), 3.8 (Lao), 3.1 (Burmese), 3.9 (Thai), 1.5 to 1.7 (Tibetan, Dzongkha) times as many units as in
English, and 0.73 to 1.64 times in the languages of all other scripts. A three-word phrase is six Chinese units."""

_ENDS = {"Grek": ";", "Armn": ":", "Ethi": "፡፡"}
_WRITTEN_IN = {
    "Hans": {"Hani"},
    "Hant": {"Hani", "Bopo"},
    "Jpan": {"Hani", "Hira", "Kana"},
    "Hrkt": {"Hira", "Kana"},
    "Hang": {"Hang", "Hani"},
    "Kore": {"Hang", "Hani"},
    "Latf": {"Latn"},
    "Latg": {"Latn"},
    "Aran": {"Arab"},
}


class Column(NamedTuple):
    """What a column of the signal is.

    Args:
        dtype: its Arrow type.
        meaning: in one line.
        rule: the paper or rule that it comes from.
        suspicious: the side on which documents are suspect: ``low``, ``high``, ``both``, or None.
        needs: what a language must have for the column to apply: ``words`` separated by spaces, ``case``, signs that
            end ``sentences``, a list of ``stop words``; None for every language.
    """

    dtype: pa.DataType
    meaning: str
    rule: str
    suspicious: Literal["low", "high", "both"] | None
    needs: Literal["words", "case", "sentences", "stop words"] | None = None


_COUNT, _SHARE = pa.int32(), pa.float32()

COLUMNS: dict[str, Column] = {
    "chars": Column(_COUNT, "characters (code points)", "size", "both"),
    "bytes": Column(_COUNT, "bytes of UTF-8", "size", None),
    "units": Column(_COUNT, "units: words, or letters where words are not separated", "Gopher", "both"),
    "mean_word_length": Column(_SHARE, "characters per word", "Gopher", "both", "words"),
    "longest_word": Column(_COUNT, "characters of the longest word", "C4's code", "high", "words"),
    "alphabetic_word_share": Column(_SHARE, "share of space-separated tokens with a letter", "Gopher", "low", "words"),
    "stop_word_share": Column(_SHARE, "share of units that are frequent words", "Gopher, ROOTS", "low", "stop words"),
    "short_word_share": Column(
        _SHARE, "share of words of at most three characters, most of them function words", "glotmix", "low", "words"
    ),
    "capital_word_share": Column(_SHARE, "share of units that begin with a capital", "glotmix", "high", "case"),
    "joined_case_ratio": Column(
        _SHARE, "capitals right after a small letter, per unit: words that extraction glued", "glotmix", "high", "case"
    ),
    "separator_ratio": Column(
        _SHARE, "tokens without letter or digit (pipes, dashes, arrows) per unit", "glotmix", "high"
    ),
    "letter_share": Column(_SHARE, "share of visible characters that are letters or their marks", "ROOTS", "low"),
    "digit_share": Column(_SHARE, "share of visible characters that are digits or numbers", "RedPajama-V2", "high"),
    "upper_share": Column(_SHARE, "share of cased letters that are upper case", "RedPajama-V2", "high", "case"),
    "punctuation_share": Column(_SHARE, "share of visible characters that are punctuation", "ROOTS", "both"),
    "symbol_share": Column(_SHARE, "share of visible characters that are symbols or emoji", "ROOTS", "high"),
    "white_space_share": Column(_SHARE, "share of all characters that are white space", "glotmix", "both"),
    "foreign_script_share": Column(
        _SHARE, "share of letters of a script that the language is not in", "glotmix", "high"
    ),
    "broken_share": Column(
        _SHARE, "share of characters that are controls, unassigned, U+FFFD, or misread UTF-8", "glotmix", "high"
    ),
    "gopher_symbol_ratio": Column(_SHARE, "hash signs and ellipses per unit", "Gopher", "high"),
    "longest_run": Column(_COUNT, "longest run of one visible character", "glotmix", "high"),
    "lines": Column(_COUNT, "lines that are not blank", "size", None),
    "mean_line_length": Column(_SHARE, "characters per line, without space at its ends", "glotmix", "both"),
    "short_line_share": Column(_SHARE, "share of lines of fewer than five words (5 x grain units)", "FineWeb", "high"),
    "terminal_line_share": Column(
        _SHARE, "share of lines that end with a sentence's end, of any script", "C4, FineWeb", "low", "sentences"
    ),
    "bullet_line_share": Column(_SHARE, "share of lines that begin with a bullet", "Gopher", "high"),
    "ellipsis_line_share": Column(_SHARE, "share of lines that end with an ellipsis", "Gopher", "high"),
    "line_break_ratio": Column(_SHARE, "line breaks per unit", "FineWeb", "high"),
    "mean_sentence_length": Column(_SHARE, "units per end of a sentence", "C4", "both", "sentences"),
    "longest_sentence": Column(
        _COUNT, "units of the longest stretch without a sentence's end", "glotmix", "high", "sentences"
    ),
    "duplicate_line_share": Column(_SHARE, "share of lines that stood before", "Gopher", "high"),
    "duplicate_line_char_share": Column(_SHARE, "share of lines' characters in such lines", "Gopher", "high"),
    "duplicate_paragraph_share": Column(_SHARE, "share of paragraphs that stood before", "Gopher", "high"),
    "duplicate_paragraph_char_share": Column(_SHARE, "share of characters in such paragraphs", "Gopher", "high"),
    **{
        f"top_{n}gram_share": Column(
            _SHARE, f"largest share of units' characters that one repeated {n}-gram holds", "Gopher", "high"
        )
        for n in (2, 3, 4)
    },
    **{
        f"duplicate_{n}gram_share": Column(
            _SHARE, f"share of units' characters inside {n}-grams that stood before", "Gopher", "high"
        )
        for n in (5, 6, 7, 8, 9, 10)
    },
    "unique_unit_share": Column(_SHARE, "distinct units per unit", "RedPajama-V2", "both"),
    "unit_entropy": Column(_SHARE, "Shannon entropy of the units, in bits", "RedPajama-V2", "both"),
    "compression_ratio": Column(_SHARE, "bytes compressed with LZ4 per byte", "glotmix", "both"),
    "link_ratio": Column(_SHARE, "web and e-mail addresses per unit", "glotmix", "high"),
    "curly_brackets": Column(_COUNT, "curly brackets", "C4", "high"),
    "placeholders": Column(_COUNT, "'lorem ipsum' and 'javascript', in any case", "C4", "high"),
    "list_share": Column(
        _SHARE, "share of visible characters in lists: five and more short items with commas", "glotmix", "high"
    ),
    "capital_run_ratio": Column(
        _SHARE, "runs of three and more capitalised words, per unit: menus, titles, names", "glotmix", "high", "case"
    ),
    "opens_small": Column(_COUNT, "1 if the text begins with a small letter", "glotmix", "high", "case"),
    "top_word_share": Column(
        _SHARE, "share of units that are the most frequent word of four letters and more", "glotmix", "high", "words"
    ),
    "top_words_share": Column(_SHARE, "the same of the five most frequent ones", "glotmix", "high", "words"),
}
"""Every column of the signal, in order."""

RETURNS = pa.struct([pa.field(name, column.dtype) for name, column in COLUMNS.items()])


_MARKLESS = ("Grek", "Hang", "Kore")
"""Scripts whose letters have other forms that hold no mark: accents that Unicode has twice, parts of syllables."""


def make(output: Output, corpus: Path) -> Counts:
    """Write the signal of a corpus: ``id`` and `COLUMNS`.

    Returns:
        ``{"documents": n}``.
    """
    return annotate(output, corpus, ["text", "lang"], measure, RETURNS)


def measure(texts: pa.Array, langs: pa.Array) -> pa.StructArray:
    """Measure texts.

    Args:
        texts: n strings, without nulls.
        langs: n codes of languages, without nulls.

    Returns:
        n structs with the fields of `COLUMNS`.

    Raises:
        RequestError: for a code that is no language.
    """
    codes = langs.dictionary_encode()
    if isinstance(codes, pa.ChunkedArray):
        codes = codes.combine_chunks()
    languages = _languages(tuple(codes.dictionary.to_pylist()))
    which = codes.indices.to_numpy().astype(np.int32)
    columns, marks = _columns(texts, which, languages)
    # A letter that is written as two is one to whoever reads it, and a word with its vowels is the word.
    rows, read = as_read(texts, (marks > 0) | languages.has["other forms"][which], languages.has["points"][which])
    if len(rows):
        again, _ = _columns(read, which[rows], languages)
        for name, values in again.items():
            if name != "bytes":
                columns[name][rows] = values
    for name, column in COLUMNS.items():
        if column.needs is not None:
            columns[name][~languages.has[column.needs][which]] = np.nan
    return pa.StructArray.from_arrays([_array(columns[name], c.dtype) for name, c in COLUMNS.items()], fields=RETURNS)


def _columns(
    texts: pa.Array, which: NDArray[np.int32], languages: "_Languages"
) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.int64]]:
    """Return the columns, and how many marks each text has."""
    counts, units, lines, paragraphs = scan(texts, which, languages.profiles)
    columns = _counted(texts, counts) | _repeated(counts, units, lines, paragraphs, languages.grain[which])
    return columns, counts["marks"]


def _counted(texts: pa.Array, counts: dict[str, NDArray[np.int64]]) -> dict[str, NDArray[np.float64]]:
    """Return the columns that follow from counts alone."""
    bytes_, compressed = _sizes(texts)
    visible, letters, units, lines = counts["visible"], counts["letters"], counts["units"], counts["lines"]
    return {
        "chars": counts["chars"] / 1.0,
        "bytes": bytes_ / 1.0,
        "units": units / 1.0,
        "mean_word_length": _per(counts["unit_chars"], units),
        "longest_word": counts["longest_unit"] / 1.0,
        "alphabetic_word_share": _per(counts["letter_tokens"], counts["tokens"]),
        "stop_word_share": _per(counts["stop_words"], units),
        "short_word_share": _per(counts["short_units"], units),
        "capital_word_share": _per(counts["capital_units"], units),
        "joined_case_ratio": _per(counts["joined_case"], units),
        "separator_ratio": _per(counts["separators"], units),
        "letter_share": _per(letters + counts["marks"], visible),
        "digit_share": _per(counts["numbers"], visible),
        "upper_share": _per(counts["upper"], counts["upper"] + counts["lower"]),
        "punctuation_share": _per(counts["punctuation"], visible),
        "symbol_share": _per(counts["symbols"], visible),
        "white_space_share": _per(counts["spaces"], counts["chars"]),
        "foreign_script_share": _per(counts["foreign"], letters),
        "broken_share": _per(counts["broken"], counts["chars"]),
        "gopher_symbol_ratio": _per(counts["gopher_symbols"], units),
        "longest_run": counts["longest_run"] / 1.0,
        "lines": lines / 1.0,
        "mean_line_length": _per(counts["line_chars"], lines),
        "short_line_share": _per(counts["short_lines"], lines),
        "terminal_line_share": _per(counts["terminal_lines"], lines),
        "bullet_line_share": _per(counts["bullet_lines"], lines),
        "ellipsis_line_share": _per(counts["ellipsis_lines"], lines),
        "line_break_ratio": _per(counts["breaks"], units),
        "mean_sentence_length": _per(units, np.maximum(counts["sentences"], 1)),
        "longest_sentence": counts["longest_sentence"] / 1.0,
        "compression_ratio": _per(compressed, bytes_),
        "link_ratio": _per(counts["links"], units),
        "curly_brackets": counts["curly_brackets"] / 1.0,
        "placeholders": counts["placeholders"] / 1.0,
        "list_share": _per(counts["list_chars"], visible),
        "capital_run_ratio": _per(counts["capital_runs"], units),
        "opens_small": counts["opens_small"] / 1.0,
    }


def _repeated(
    counts: dict[str, NDArray[np.int64]], units: Stream, lines: Stream, paragraphs: Stream, grain: NDArray[np.int32]
) -> dict[str, NDArray[np.float64]]:
    """Return the columns of repetition."""
    n = len(grain)
    found = np.zeros((n, len(REPEATS)), np.int64)
    entropy = np.zeros(n)
    repeats(*units, grain, found, entropy)
    repeated = dict(zip(REPEATS, found.T, strict=True))
    again_lines, again_paragraphs = np.empty((n, 2), np.int64), np.empty((n, 2), np.int64)
    again(*lines, again_lines)
    again(*paragraphs, again_paragraphs)
    return {
        "duplicate_line_share": _per(again_lines[:, 0], counts["lines"]),
        "duplicate_line_char_share": _per(again_lines[:, 1], counts["line_chars"]),
        "duplicate_paragraph_share": _per(again_paragraphs[:, 0], np.diff(paragraphs.starts)),
        "duplicate_paragraph_char_share": _per(again_paragraphs[:, 1], counts["line_chars"]),
        **{f"top_{n}gram_share": _per(repeated[f"top_{n}"], counts["unit_chars"]) for n in (2, 3, 4)},
        **{f"duplicate_{n}gram_share": _per(repeated[f"again_{n}"], counts["unit_chars"]) for n in range(5, 11)},
        "unique_unit_share": _per(repeated["distinct"], counts["units"]),
        "top_word_share": _per(repeated["top_long"], counts["units"]),
        "top_words_share": _per(repeated["five_long"], counts["units"]),
        "unit_entropy": np.where(counts["units"] > 0, entropy, np.nan),
    }


def _per(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return part / whole, NaN where there is no whole."""
    ratio = np.full(len(part), np.nan)
    np.divide(part, whole, out=ratio, where=whole > 0)
    return ratio


def _array(values: NDArray[np.float64], dtype: pa.DataType) -> pa.Array:
    missing = np.isnan(values)
    kept = np.where(missing, 0, values).astype(np.int32 if dtype == _COUNT else np.float32)
    return pa.array(kept, mask=missing)


def _sizes(texts: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the bytes of each text, and those that LZ4 makes of it (why LZ4: docs/heuristics.md)."""
    codec = pa.Codec("lz4_raw")
    raw = [value.as_buffer() for value in texts.cast(pa.large_binary())]
    compressed = [codec.compress(b).size if b.size else 0 for b in raw]
    return np.array([b.size for b in raw], np.int64), np.array(compressed, np.int64)


@dataclass(frozen=True)
class _Languages:
    """Facts of some languages, by position."""

    profiles: Profiles
    grain: NDArray[np.int32]
    has: dict[str, NDArray[np.bool_]]


@lru_cache(maxsize=256)
def _languages(codes: Sequence[str]) -> _Languages:
    languages = [parse(code) for code in codes]
    profiles = [profile_of(language) for language in languages]
    return _Languages(
        Profiles(profiles),
        np.array([GRAIN.get(language.script, 1) for language in languages], np.int32),
        {
            "words": np.array([language.spaced for language in languages], bool),
            "case": np.array([language.script in CASED for language in languages], bool),
            "sentences": np.array([language.script not in WITHOUT_STOPS for language in languages], bool),
            "stop words": np.array([bool(profile.stop_words) for profile in profiles], bool),
            "points": np.array([language.script in POINTED for language in languages], bool),
            "other forms": np.array([language.script in _MARKLESS for language in languages], bool),
        },
    )


def profile_of(language: Language) -> Profile:
    """Return what the loops must know of a language."""
    variants = {
        form for word in stop_words().get(language.code, ()) for form in (word, word.capitalize(), word.upper())
    }
    return Profile(
        frozenset(_WRITTEN_IN.get(language.script, {language.script})),
        5 * GRAIN.get(language.script, 1),
        _ENDS.get(language.script),
        frozenset(hashes_of(sorted(variants))),
    )


@cache
def stop_words() -> dict[str, tuple[str, ...]]:
    """Return the frequent words of each language that has a list (``data/stopwords.tsv``), in lower case."""
    lines = (files("glotmix") / "data/stopwords.tsv").read_text("utf-8").splitlines()
    rows = (line.split("\t") for line in lines if not line.startswith("#"))
    return {code: tuple(words.split(" ")) for code, words in rows}


STEPS = StepSpec(
    name="signals/heuristics",
    code=(__name__,),
    make=Measured(lambda context: Measure(["text", "lang"], measure, RETURNS)),
    per_document=True,
    columns=tuple(StepColumn(name, str(column.dtype), column.meaning) for name, column in COLUMNS.items()),
    meaning="lengths, shares and repetitions of each text, fair to every script",
    place=31,
)
