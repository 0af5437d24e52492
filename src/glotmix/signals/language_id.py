"""The language of each document's text: label, score, runner-up, script, and whether that fits what was declared.

The declared language is a prior: it is compared and reported, and never overridden here. Models name languages in
their own ways; their labels become the canonical codes of `glotmix.core.language`, with the script that the text is in.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from glotmix.core import language as languages
from glotmix.core import table
from glotmix.core.context import RunContext
from glotmix.core.errors import RequestError
from glotmix.core.language import Language
from glotmix.core.record import JSON, Counts, Output
from glotmix.core.section import RecipeKey, Section, as_tuple
from glotmix.core.step import Column, StepSpec
from glotmix.signals import confusions, identifiers, passages, reconciled, script
from glotmix.signals.annotate import Measure, Measured, measured, parts
from glotmix.signals.identifiers import Identifier, load
from glotmix.signals.keyboards import respelled

VERSION = 4

MAX_CHARS = 1_000
"""Characters of a document that are looked at: all of it raised the accuracy by less than 0.001 (docs/language.md)."""

RETURNS = pa.struct(
    [
        pa.field("label", pa.string()),
        pa.field("script", pa.string()),
        pa.field("score", pa.float32()),
        pa.field("runner_up", pa.string()),
        pa.field("runner_up_score", pa.float32()),
        pa.field("agrees", pa.bool_()),
    ]
)
"""The columns of the signal. ``label`` is null where the text is no language that the model could read (then ``score``
is too, unless the model says that it is no language). ``agrees`` is null there, and where the model does not know the
declared language in its script and gives no label that stands for it."""

_MORE_SCRIPTS = {"crh": {"Latn"}, "sr": {"Latn"}, "uz": {"Cyrl"}, "yue": {"Hani"}, "zh": {"Hani"}}
"""What a label without a script stands for beside the likely script of its language (py3langid's training data)."""

_WIKIPEDIA = {"als": "gsw", "eml": "egl"}
"""lid.176 has Wikipedia's codes; two of them are other languages' in ISO 639-3 (``als`` is Tosk Albanian there)."""


def make(
    output: Output,
    corpus: Path,
    model: str | Path = "py3langid",
    max_chars: int = MAX_CHARS,
    also: Sequence[str] = (),
    by_sentence: bool = False,
) -> Counts:
    """Write the signal of a corpus: ``id`` and the columns of `RETURNS`, and a note on each declared language.

    ``output.notes["languages"]`` says for each declared language how many documents there are, how many were
    identified, whether the model knows it, the share that agrees (of those identified; null if it is not known), and
    the three other labels met most often.

    Args:
        output: the signal under construction.
        corpus: the corpus's folder.
        model: ``py3langid``, or the path of a fastText model.
        max_chars: characters of a document that are looked at.
        also: other models, asked beside it: see `reconciled.reconcile`.
        by_sentence: also write the columns of `passages.FIELDS`, by the first model.

    Raises:
        RequestError: if there is no such model.
        MissingExtraError: if its library is not installed.
    """
    return measured(corpus, [(output, _measure(corpus, [str(model), *also], max_chars, by_sentence))])[0]


def _measure(corpus: Path, paths: Sequence[str], max_chars: int, by_sentence: bool) -> Measure:
    short = reconciled.names(paths)
    models = [load(path) for path in paths]
    returns = reconciled.fields(RETURNS, short) if len(paths) > 1 else RETURNS
    if by_sentence:
        returns = pa.struct([*returns, *passages.FIELDS])

    def function(texts: pa.Array, declared: pa.Array) -> pa.StructArray:
        # By their names, loaded once in each process: on a cluster the function travels, with all that it holds.
        said = {name: identify(texts, declared, load(path), max_chars) for name, path in zip(short, paths, strict=True)}
        found = reconciled.reconcile(said, declared) if len(said) > 1 else said[short[0]]
        if not by_sentence:
            return found
        more = passages.measure(texts, declared, identify, load(paths[0]))
        return pa.StructArray.from_arrays([*found.flatten(), *more.flatten()], fields=list(returns))

    def known(one: Language) -> bool:
        return any(knows(each.labels, one) for each in models)

    def after(output: Output) -> Counts:
        held = _agreement(output.path, corpus, known)
        output.notes["languages"] = held
        output.notes["warnings"] = list(confusions.unknown(held, known))
        return {}

    return Measure(["text", "lang"], function, returns, after)


def identify(texts: pa.Array, declared: pa.Array, model: Identifier, max_chars: int = MAX_CHARS) -> pa.StructArray:
    """Return `RETURNS` for each text.

    Args:
        texts: n strings.
        declared: n canonical language codes.
        model: see `identifiers.load`.
        max_chars: characters of a text that are looked at.
    """
    texts, counted = _looked_at(texts, max_chars)
    ranked = model.rank(texts)
    best, second = (_labelled(ranked.field(i), counted) for i in (0, 2))
    scripts = _written(model.labels, best, counted)
    # Without letters there is no language, whatever the model makes of the digits.
    told = counted.written & _seen(model.labels, scripts, counted.names)
    best, second = (np.where(told, positions, -1) for positions in (best, second))
    score, second_score = (pc.if_else(pa.array(told), ranked.field(i), None) for i in (1, 3))
    return pa.StructArray.from_arrays(
        [
            _codes(model.labels, best, scripts, counted.names),
            counted.named(scripts),
            score,
            _codes(model.labels, second, _written(model.labels, second, counted), counted.names),
            second_score,
            _agrees(model.labels, best, scripts, counted.names, declared),
        ],
        fields=list(RETURNS),
    )


def label(texts: pa.Array, model: str | Path = "py3langid", max_chars: int = MAX_CHARS) -> pa.Array:
    """Return the canonical code of each text's language, null where it is no text: for sources without a language.

    >>> label(pa.array(["Die Katze schläft auf dem Sofa.", "สวัสดีครับ ผมชื่อสมชาย", "12:30 🙂"])).to_pylist()
    ['deu_Latn', 'tha_Thai', None]
    """
    texts, counted = _looked_at(texts, max_chars)
    found = load(str(model))
    best = _labelled(found.rank(texts).field(0), counted)
    scripts = _written(found.labels, best, counted)
    best = np.where(_seen(found.labels, scripts, counted.names), best, -1)
    return _codes(found.labels, best, scripts, counted.names)


def _looked_at(texts: pa.Array, max_chars: int) -> tuple[pa.Array, script.Counted]:
    """Return the beginnings of texts, respelled, and what they hold of each script."""
    texts = pc.utf8_slice_codeunits(texts, 0, max_chars)
    counted = script.count(texts)
    return respelled(texts, counted.has("Arab")), counted


def _labelled(positions: pa.Array, counted: script.Counted) -> NDArray[np.int64]:
    """Return the positions of labels, -1 for none: where a text holds no letter, and where the model knows none."""
    found = positions.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return np.where(counted.written, found, -1)


def knows(labels: Sequence[str], language: Language) -> bool:
    """Say whether a model with these labels has one for a language, in its script."""
    return any(mark is not None and mark.covers(language, own=True) for mark in _marks(tuple(labels)))


@dataclass(frozen=True)
class _Mark:
    """What a model's label stands for: ISO 639-3 codes that are its own, others that it may mean, and scripts."""

    tag: str
    own: frozenset[str]
    others: frozenset[str]
    scripts: frozenset[str]

    def covers(self, language: Language, own: bool = False) -> bool:
        """Say whether the label can be said of a language; `own`: whether it is that language's label."""
        isos = self.own if own else self.own | self.others
        return language.iso in isos and any(languages.scripts_fit(s, language.script) for s in self.scripts)

    def code(self, script: str) -> str:
        """Return the canonical code of the label for a text in `script`."""
        iso = languages.iso_of(self.tag)
        chinese = script == "Jpan" and languages.parse(self.tag).script != "Jpan"
        return languages.parse(f"{iso}_{'Hani' if chinese else script}").code


@cache
def _marks(labels: tuple[str, ...]) -> tuple[_Mark | None, ...]:
    """Return what each label stands for, None for those that name no language.

    A macro-language's label may mean each of its members that has no label of its own: `fa` may mean Dari, and `no` not
    Nynorsk where there is `nn`. A member's label is also that of a macro-language that has none.
    """
    named: dict[str, tuple[str, Language]] = {}
    for label in labels:
        tag = _WIKIPEDIA.get(label, label) if "en" in labels else label
        try:
            named[label] = (tag, languages.parse(tag))
        except RequestError:
            continue
    own = {label: frozenset({languages.iso_of(tag), language.iso}) for label, (tag, language) in named.items()}
    taken = frozenset[str]().union(*own.values())
    marks: dict[str, _Mark] = {}
    for label, (tag, language) in named.items():
        iso = languages.iso_of(tag)
        whole = {languages.macro(iso) or iso} - taken
        scripts = frozenset({language.script, *_MORE_SCRIPTS.get(tag, ())})
        marks[label] = _Mark(tag, own[label] | whole, languages.members(iso) - taken, scripts)
    return tuple(marks.get(label) for label in labels)


def _written(labels: Sequence[str], positions: NDArray[np.int64], counted: script.Counted) -> NDArray[np.int64]:
    """Return the script of each text, a position in `counted.names`, given that it is in the language of its label."""
    ways, way = _ways(tuple(labels))
    found, own = counted.best.copy(), way[positions]
    for one in np.unique(own[own >= 0]).tolist():
        rows = np.flatnonzero(own == one)
        found[rows] = counted.of_language(ways[one], rows)
    return found


def _seen(labels: Sequence[str], scripts: NDArray[np.int64], names: Sequence[str]) -> NDArray[np.bool_]:
    """Say of each text whether a label of the model is written in its script: of others it has seen nothing.

    What it calls Cherokee or Dhivehi is Korean today and Amharic tomorrow: a label that no language has.
    """
    own = {way for mark in _marks(tuple(labels)) if mark is not None for way in mark.scripts}
    unseen = [at for at, name in enumerate(names) if not any(languages.scripts_fit(name, one) for one in own)]
    return ~np.isin(scripts, unseen)


@cache
def _ways(labels: tuple[str, ...]) -> tuple[tuple[frozenset[str], ...], NDArray[np.int64]]:
    """Return the different sets of scripts that labels are written in, and for each label which it is.

    -1 stands for labels that name no language; one more at the end is that of no label.
    """
    marks = _marks(labels)
    ways = tuple(dict.fromkeys(mark.scripts for mark in marks if mark is not None))
    return ways, np.array([*(-1 if mark is None else ways.index(mark.scripts) for mark in marks), -1], np.int64)


def _codes(
    labels: Sequence[str], positions: NDArray[np.int64], scripts: NDArray[np.int64], names: Sequence[str]
) -> pa.Array:
    """Return canonical codes: the label's language in the script of the text; null for ``zxx`` and its like."""
    marks = (*_marks(tuple(labels)), None)

    def code(position: int, script: int) -> str | None:
        mark = marks[position]
        return None if mark is None else mark.code(names[script])

    return _of_few(code, pa.string(), positions, scripts)


def _agrees(
    labels: Sequence[str],
    positions: NDArray[np.int64],
    scripts: NDArray[np.int64],
    names: Sequence[str],
    declared: pa.Array,
) -> pa.Array:
    marks = (*_marks(tuple(labels)), None)
    encoded = declared.dictionary_encode()
    encoded = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
    codes = encoded.dictionary.to_pylist()

    def agrees(position: int, script: int, code: int) -> bool | None:
        language, mark = languages.parse(codes[code]), marks[position]
        if mark is None:
            return None
        if mark.covers(language) and languages.scripts_fit(names[script], language.script):
            return True
        return False if knows(labels, language) else None

    return _of_few(agrees, pa.bool_(), positions, scripts, encoded.indices.to_numpy().astype(np.int64))


def _of_few(function: Callable[..., object], returns: pa.DataType, *columns: NDArray[np.int64]) -> pa.Array:
    """Return `function` of each row of numbers from -1, called once for each of the few different rows."""
    keys = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        keys = keys * (column.max(initial=-1) + 2) + column + 1
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    rows = zip(*(c[first].tolist() for c in columns), strict=True)
    return pa.array([function(*row) for row in rows], returns).take(pa.array(inverse))


def _agreement(folder: Path, corpus: Path, knows_: Callable[[Language], bool]) -> dict[str, JSON]:
    """Return, by declared language, how the labels of a finished signal compare with it (see `make`)."""
    counted: Counter[tuple[str, str | None, bool | None]] = Counter()
    for name, files in parts(corpus).items():
        signal = table.read([folder / f"{name}.parquet"], ["label", "agrees"])
        rows = signal.append_column("lang", table.read(files, ["lang"])["lang"])
        for row in rows.group_by(["lang", "label", "agrees"]).aggregate([([], "count_all")]).to_pylist():
            counted[row["lang"], row["label"], row["agrees"]] += row["count_all"]
    notes: dict[str, JSON] = {}
    for lang in sorted({lang for lang, _, _ in counted}):
        mine = {key[1:]: n for key, n in counted.items() if key[0] == lang}
        identified = sum(n for (found, _), n in mine.items() if found is not None)
        known = knows_(languages.parse(lang))
        others = Counter({str(found): n for (found, agrees), n in mine.items() if found is not None and not agrees})
        ranked = sorted(others.items(), key=lambda item: (-item[1], item[0]))
        notes[lang] = {
            "documents": sum(mine.values()),
            "identified": identified,
            "known": known,
            "agree": sum(n for (_, agrees), n in mine.items() if agrees) / identified if known and identified else None,
            "others": dict(ranked[:3]),
        }
    return notes


class IdentifySection(Section):
    """Language identification."""

    model: str = Field("py3langid", description="py3langid, or the path of a fastText model (GlotLID, OpenLID)")
    also: Annotated[tuple[str, ...], BeforeValidator(as_tuple)] = Field(
        (),
        description="other models, asked beside it: py3langid, or paths. Each has columns label_NAME and score_NAME; "
        "label, score and agrees are then one verdict of all that know the declared language",
    )
    max_chars: int = Field(1_000, gt=0, description="characters of a document that are looked at")
    by_sentence: bool = Field(
        False, description="also the share of each language in a document, by its sentences: languages, mixture"
    )


def identifier(context: RunContext) -> str:
    """Return the model that a recipe identifies with: a name, or the path of a file."""
    model: str = context.recipe.signals.identify.model
    return model if model == "py3langid" else str(context.path(model))


def identity(context: RunContext) -> Mapping[str, JSON]:
    """Return what changes an identification."""
    section = context.recipe.signals.identify
    found: dict[str, JSON] = {
        "model": identifiers.fingerprint(identifier(context)),
        "max_chars": section.max_chars,
        "version": VERSION,
    }
    if section.also:
        found["also"] = [identifiers.fingerprint(path) for path in models(context)[1:]]
    return found | ({"by sentence": True} if section.by_sentence else {})


def models(context: RunContext) -> list[str]:
    """Return the models that a recipe identifies with, the first one first: names, or paths of files."""
    others = (m if m == "py3langid" else str(context.path(m)) for m in context.recipe.signals.identify.also)
    return [identifier(context), *others]


def _asked(context: RunContext) -> Measure:
    section = context.recipe.signals.identify
    return _measure(context.corpus, models(context), section.max_chars, section.by_sentence)


RECIPE = RecipeKey("signals.identify", IdentifySection, IdentifySection(), place=20)

STEPS = StepSpec(
    name="signals/identify",
    code=(__name__, "glotmix.signals.reconciled", "glotmix.signals.passages", "glotmix.signals.confusions"),
    make=Measured(_asked),
    config=identity,
    per_document=True,
    columns=(
        Column("label", "string", "the language that the text reads as; null where it is none that the model knows"),
        Column(
            "script", "string", "the script of most of its letters, or of a fair share of them if it is the label's own"
        ),
        Column("score", "float32", "how sure the model is", "probability"),
        Column("runner_up", "string", "the next language"),
        Column("runner_up_score", "float32", "how sure the model is of that", "probability"),
        Column("agrees", "bool", "whether label and declared language fit; null where the model cannot say"),
        Column("label_NAME", "string", "with signals.identify.also: what each model says; label is the verdict"),
        Column("score_NAME", "float32", "how sure each model is", "probability"),
        Column("languages", "string", "with by_sentence: fra_Latn:0.83,eng_Latn:0.17, by characters of its sentences"),
        Column("mixture", "string", "with by_sentence: quotation, switched or mixed; null for one language"),
    ),
    meaning="the language that each text reads as, beside the declared one",
    place=30,
)
