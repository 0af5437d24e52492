"""Checks of instruction data: is the answer in the language that was asked for, whole, and an answer at all?

A row says something of a document's last answer (`RETURNS`) and decides nothing. Null means that it cannot be said: an
answer too short to have a language, a language whose refusals nobody listed, a script without signs that end sentences.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from glotmix.core import conversation, reasoning, table
from glotmix.core import language as languages
from glotmix.core.record import JSON, Counts, Output
from glotmix.core.unanswered import refusal
from glotmix.core.visible import is_blank
from glotmix.signals import language_id
from glotmix.signals.annotate import annotate, parts
from glotmix.signals.asked import asked
from glotmix.signals.identifiers import Identifier, load

VERSION = 3

MIN_BYTES = 24
"""An answer whose letters take fewer bytes is too short to be held against a language."""

SURE = 0.9
"""The score from which the identified language of an instruction counts against the declared one, and that of a
sentence against the answer's."""

LIKELY = 0.5
"""The score under which a language that was not asked for is not believed."""

SENTENCE_BYTES = 40
"""A shorter sentence is no remnant."""

_SHORT = 10
"""Signs of an answer without letters that may be nothing; more are Morse code or a drawing."""

CHECKS = ("unfaithful", "untranslated", "refusal", "empty", "truncated")
"""What can be wrong; the roof makes a rule of each."""

RETURNS = pa.struct(
    [
        pa.field("turns", pa.int32()),
        pa.field("instruction_chars", pa.int32()),
        pa.field("response_chars", pa.int32()),
        pa.field("asked", pa.list_(pa.string())),
        pa.field("asked_by", pa.string()),
        pa.field("answered", pa.string()),
        pa.field("answered_score", pa.float32()),
        pa.field("faithful", pa.bool_()),
        pa.field("foreign_script", pa.bool_()),
        pa.field("remnant_share", pa.float32()),
        pa.field("refusal", pa.bool_()),
        pa.field("empty", pa.bool_()),
        pa.field("truncated", pa.bool_()),
    ]
)
"""``asked``: the languages that would do; ``asked_by``: ``name`` (the instruction names them), ``turn`` (the source
says so), ``text`` (the instruction is in it) or ``declared`` (the document is). ``answered``: what the identifier
reads, with its score. ``faithful``: whether that is one of those asked for; null where the identifier is in doubt.
``foreign_script``: whether the answer is in a script that none of them has, Latin aside (code and names are in Latin
everywhere). ``remnant_share``: the share of the answer's letters in sentences that clearly are in another language.
``truncated``: whether the answer breaks off."""

_SENTENCES = re.compile(r"[^\n.!?。！？｡।။።؟։…]+")
_LETTERS = re.compile(r"[^\W\d_]+")
_PLACEHOLDERS = frozenset({"noinput", "no input", "nooutput", "no output", "null", "nan", "n/a", "undefined", "todo"})
_ENDS = frozenset(".!?。！？｡।॥။።፧؟۔։…⋯‽」』”’\"')）]】》>}»*`_~|:;-—–%°$€£¥+=/\\^#")
_UNENDED = frozenset({"Thai", "Laoo", "Khmr"})
_OPEN = frozenset(",、，،;:(（[【{«“「『-–—/=+&")


def checks(messages: pa.Array, declared: pa.Array, model: Identifier) -> pa.StructArray:
    """Return `RETURNS` for each conversation.

    Args:
        messages: n values of the column ``messages``.
        declared: n canonical language codes of the documents.
        model: see `identifiers.load`.
    """
    said = [conversation.turns(m) for m in messages.to_pylist()]
    langs = declared.to_pylist()
    prompts = [conversation.asking(s) for s in said]
    last = [s[at] if (at := conversation.last(s)) is not None else conversation.Turn("assistant", "") for s in said]
    acts = [bool(conversation.calls(turn)) for turn in last]
    # A turn that is nothing but a call says nothing in any language; reasoning before an answer is none of it.
    answers = [
        "" if a and '"from":"function_call"' in (turn.more or "") else reasoning.answer(turn.content)
        for turn, a in zip(last, acts, strict=True)
    ]
    spoken = [prose(a) for a in answers]
    of_prompt = _identified([prose(p) for p in prompts], langs, model)
    wanted = [_wanted(s, p, lang, *seen) for s, p, lang, seen in zip(said, prompts, langs, of_prompt, strict=True)]
    of_answer = _identified(spoken, langs, model)
    foreign = [_foreign(w, label) for (w, _), (label, _) in zip(wanted, of_answer, strict=True)]
    faithful = [
        # A label that the identifier is not sure of, in a script that fits, says nothing against the answer.
        None if fits is False and not away and (score or 0) < LIKELY else fits
        for fits, away, (_, score) in zip(
            [_faithful(w, label) for (w, _), (label, _) in zip(wanted, of_answer, strict=True)],
            foreign,
            of_answer,
            strict=True,
        )
    ]
    columns: list[list[object]] = [
        [len(s) for s in said],
        [len(conversation.instruction(s)) for s in said],
        [len(turn.content) for turn in last],
        [list(w) for w, _ in wanted],
        [by for _, by in wanted],
        [label for label, _ in of_answer],
        [score for _, score in of_answer],
        list(faithful),
        list(foreign),
        list(remnants(spoken, [w for w, _ in wanted], model)),
        [refusal(a, lang, [*w]) for a, lang, (w, _) in zip(answers, langs, wanted, strict=True)],
        [empty(a) and not act for a, act in zip(answers, acts, strict=True)],
        [
            truncated(a, w[0]) or (not a and not act and bool(turn.content.strip()))
            for a, (w, _), act, turn in zip(answers, wanted, acts, last, strict=True)
        ],
    ]
    arrays = [pa.array(values, kind.type) for values, kind in zip(columns, RETURNS, strict=True)]
    return pa.StructArray.from_arrays(arrays, fields=list(RETURNS))


def make(output: Output, corpus: Path, model: str | Path = "py3langid") -> Counts:
    """Write the signal of a corpus of conversations: ``id`` and `RETURNS`; notes say by language what was found.

    ``output.notes["languages"]`` holds for each declared language the documents, and of each check how many failed and
    how many could be judged.
    """
    found = load(str(model))
    counts = annotate(output, corpus, ["messages", "lang"], lambda m, d: checks(m, d, found), RETURNS)
    output.notes["languages"] = _summary(output.path, corpus)
    return counts


def prose(text: str) -> str:
    """Return a text without fenced code."""
    return reasoning.FENCED.sub(" ", text)


def _size(text: str) -> int:
    """Return the bytes of a text's letters: a Chinese character says as much as three Latin letters."""
    return sum(len(word.encode()) for word in _LETTERS.findall(text))


def _identified(texts: Sequence[str], langs: Sequence[str], model: Identifier) -> list[tuple[str | None, float | None]]:
    if not texts:
        return []
    found = language_id.identify(pa.array(texts, pa.string()), pa.array(langs, pa.string()), model)
    labels, scores = found.field("label").to_pylist(), found.field("score").to_pylist()
    enough = [_size(t[: language_id.MAX_CHARS]) >= MIN_BYTES for t in texts]
    return [(la, sc) if ok else (None, None) for la, sc, ok in zip(labels, scores, enough, strict=True)]


def _wanted(
    said: Sequence[conversation.Turn], prompt: str, declared: str, label: str | None, score: float | None
) -> tuple[tuple[str, ...], str]:
    """Return the languages that would do, and how that is known."""
    turn = next((t.lang for t in reversed(said) if t.role == "user" and t.lang), None)
    own, by = declared, "declared"
    if turn is not None:
        own, by = turn, "turn"
    elif label is not None and score is not None and score >= SURE and not _fits(declared, label):
        own, by = label, "text"
    named = asked(prompt, own)
    if named is None:
        return (own,), by
    return (named.languages, "name") if named.told else (tuple(dict.fromkeys((*named.languages, own))), "name")


@cache
def _fits(asked_for: str, found: str) -> bool:
    one, other = languages.parse(asked_for), languages.parse(found)
    if languages.compatible(one, other):
        return True
    # Serbian in either script is Serbian: a script is no other language.
    return one.iso == other.iso


def _faithful(wanted: Sequence[str], label: str | None) -> bool | None:
    return None if label is None else any(_fits(w, label) for w in wanted)


def _foreign(wanted: Sequence[str], label: str | None) -> bool | None:
    if label is None:
        return None
    script = languages.parse(label).script
    scripts = (languages.parse(w).script for w in wanted)
    return (
        script != "Latn" and not _faithful(wanted, label) and not any(languages.scripts_fit(script, s) for s in scripts)
    )


def remnants(texts: Sequence[str], wanted: Sequence[Sequence[str]], model: Identifier) -> list[float | None]:
    """Return for each answer the share of its letters in sentences of another language; None without sentences."""
    rows: list[int] = []
    pieces: list[str] = []
    sizes: list[int] = []
    for row, text in enumerate(texts):
        for piece in _SENTENCES.findall(text):
            size = _size(piece)
            if size >= SENTENCE_BYTES:
                rows.append(row)
                pieces.append(piece)
                sizes.append(size)
    whole = np.zeros(len(texts))
    other = np.zeros(len(texts))
    if pieces:
        langs = [wanted[row][0] for row in rows]
        found = language_id.identify(pa.array(pieces), pa.array(langs), model)
        labels, scores = found.field("label").to_pylist(), found.field("score").to_pylist()
        for row, size, label, score in zip(rows, sizes, labels, scores, strict=True):
            whole[row] += size
            if label is not None and score >= SURE and not _faithful(wanted[row], label):
                other[row] += size
    return [float(o / w) if w else None for o, w in zip(other, whole, strict=True)]


def empty(answer: str) -> bool:
    """Say whether an answer holds nothing, dots or dashes alone, or a placeholder such as ``<noinput>``.

    >>> empty(" … "), empty("<nooutput>"), empty("42"), empty("はい"), empty(":-)")
    (True, True, False, False, False)
    """
    if is_blank(answer):
        return True
    bare = answer.strip().strip("<>[](){}.…-–—_* ")
    return (not bare and ")" not in answer and len(answer.strip()) <= _SHORT) or bare.casefold() in _PLACEHOLDERS


def truncated(answer: str, lang: str) -> bool | None:
    """Say whether an answer breaks off; None for scripts whose sentences end without a sign, unless code does.

    It does where a code fence stays open, where its last sign opens or joins, or where the last line of several
    sentences of prose ends in a letter. Lists, verses and single phrases end as they like.

    >>> truncated("Lima is a city. It lies on the coast. Its port is called", "eng_Latn"), truncated("Lima", "eng_Latn")
    (True, False)
    """
    text = answer.rstrip()
    if not text:
        return False
    if text.count("```") % 2:
        return True
    script = languages.parse(lang).script
    if text[-1] in _OPEN and text[-1] not in _ENDS:
        return True
    if script in _UNENDED:
        return None
    last = text.rsplit("\n", 1)[-1].strip()
    if last.split()[-1].startswith(("#", "@", "http", "www.")) or unicodedata.category(last[-1])[0] not in "LM":
        return False
    # The points of "7. Lima 8. Cusco" and of "A. Peru B. Chile" end no sentence.
    prose_ends = len(re.findall(r"(?<!\d)(?<!\s\w)(?<!^\w)[.!?。！？।။።؟۔։](?=\s|$|[^\s\d.a-zA-Z])", last))
    return prose_ends >= 2 and len(last.encode()) >= 40


def _summary(folder: Path, corpus: Path) -> JSON:
    judged: dict[str, Counter[str]] = {}
    for name, shards in parts(corpus).items():
        signal = table.read([folder / f"{name}.parquet"])
        langs = table.read(shards, ["lang"])["lang"].to_pylist()
        failing = failures(signal)
        for check, values in failing.items():
            for lang, value in zip(langs, values.to_pylist(), strict=True):
                count = judged.setdefault(lang, Counter())
                if value is not None:
                    count[f"{check} of"] += 1
                    count[check] += bool(value)
        for lang in langs:
            judged.setdefault(lang, Counter())["documents"] += 1
    return {lang: dict(sorted(count.items())) for lang, count in sorted(judged.items())}


def failures(signal: pa.Table, min_score: float = 0.0, remnant: float = 0.2) -> dict[str, pa.Array]:
    """Return for each of `CHECKS` booleans, null where it cannot be said.

    Args:
        signal: rows of the signal.
        min_score: the score that an identification needs to count against an answer; a script needs none.
        remnant: the share of an answer's letters in another language that counts.
    """
    certain = pc.or_kleene(pc.greater_equal(signal["answered_score"], min_score), signal["foreign_script"])
    against = pc.and_kleene(pc.invert(signal["faithful"]), certain)
    share = pc.greater(signal["remnant_share"], remnant)
    return {
        "unfaithful": against.combine_chunks(),
        "untranslated": pc.and_kleene(share, pc.or_kleene(signal["faithful"], pa.scalar(False))).combine_chunks(),
        **{name: signal[name].combine_chunks() for name in ("refusal", "empty", "truncated")},
    }
