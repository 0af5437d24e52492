"""Which languages a document is in, by its sentences: their shares, and how they stand to one another.

A sentence alone is short, and an identifier errs on short text. So neighbours in one script are put together up to
`LEAST` bytes; a passage in the document's script counts as another language only where the identifier is sure and the
two can be told apart; and a passage in another script is what it reads as.
"""

from collections import Counter
from collections.abc import Callable
from itertools import groupby
from typing import Any, TypeAlias

import pyarrow as pa

from glotmix.core import language
from glotmix.core.sentences import cut
from glotmix.signals import confusions, script
from glotmix.signals.identifiers import Identifier

VERSION = 1

Identify: TypeAlias = Callable[[pa.Array, pa.Array, Identifier], pa.StructArray]

FIELDS = pa.struct([pa.field("languages", pa.string()), pa.field("mixture", pa.string())])

MOST = 200
"""Sentences of a document that are looked at, from its beginning."""
LEAST = 100
"""Bytes of UTF-8 of a passage, where its neighbours are in its script."""
SURE = 0.9
"""Score from which a passage in the document's script is in another language."""
LITTLE = 0.02
"""Share of a document below which a language is not told of."""


def cut_up(texts: list[str], langs: list[str]) -> tuple[list[str], list[int]]:
    """Return the passages of all texts, and the text that each is of."""
    flat = [
        (row, piece) for row, (text, lang) in enumerate(zip(texts, langs, strict=True))
        for piece in cut(text, lang, MOST)
    ]  # fmt: skip
    scripts = script.count(pa.array([piece for _, piece in flat], pa.string())).dominant.to_pylist()
    passages: list[str] = []
    owners: list[int] = []
    last = None
    for (row, piece), own in zip(flat, scripts, strict=True):
        # Digits and signs belong to what they stand by.
        together = last is not None and last[0] == row and (own in (last[1], script.UNDETERMINED))
        if together and len(passages[-1].encode()) < LEAST:
            passages[-1] += f" {piece}"
        else:
            passages.append(piece)
            owners.append(row)
            last = (row, own)
    return passages, owners


def measure(texts: pa.Array, declared: pa.Array, identify: Identify, model: Identifier) -> pa.StructArray:
    """Return `FIELDS` of texts: ``fra_Latn:0.83,eng_Latn:0.17``, and ``mixture``.

    ``mixture`` is null for one language; ``quotation`` where one passage of another stands inside; ``switched`` where
    the text goes on in another; ``mixed`` for anything else. Both are null for a text without letters.

    Args:
        texts: n strings.
        declared: n canonical codes: what a passage that no one is sure of is in.
        identify: `language_id.identify`.
        model: see `identifiers.load`.
    """
    langs = declared.to_pylist()
    passages, owners = cut_up(texts.to_pylist(), langs)
    own = pa.array([langs[row] for row in owners], pa.string())
    said = identify(pa.array(passages, pa.string()), own, model).to_pylist()
    codes: list[list[tuple[str, int]]] = [[] for _ in langs]
    for passage, row, one in zip(passages, owners, said, strict=True):
        if (code := _code(one, langs[row])) is not None:
            codes[row].append((code, len(passage)))
    return pa.array([_told(found) for found in codes], FIELDS)


def _code(said: dict[str, Any], declared: str) -> str | None:
    """Return the language of a passage; None where it is no text."""
    label, written = said["label"], said["script"]
    if written is None or written == script.UNDETERMINED:
        return None
    fits = language.scripts_fit(str(written), language.parse(declared).script)
    if label is None or label == declared or said["agrees"] or not confusions.apart(declared, str(label)):
        return declared if fits else (None if label is None else str(label))
    # Of a language that the model does not know, another label says nothing.
    known = said["agrees"] is not None
    return str(label) if not fits or (known and said["score"] >= SURE) else declared


def _told(found: list[tuple[str, int]]) -> dict[str, str | None]:
    sizes: Counter[str] = Counter()
    for code, size in found:
        sizes[code] += size
    total = sum(sizes.values())
    if not total:
        return {"languages": None, "mixture": None}
    shares = {code: size / total for code, size in sizes.items() if size >= LITTLE * total}
    ranked = sorted(shares, key=lambda code: (-shares[code], code))
    told = ",".join(f"{code}:{shares[code]:.2f}" for code in ranked)
    runs = [code for code, _ in groupby(code for code, _ in found if code in shares)]
    if len(ranked) == 1:
        kind = None
    elif len(runs) == 2:
        kind = "switched"
    elif len(runs) == 3 and runs[0] == runs[2] == ranked[0]:
        kind = "quotation"
    else:
        kind = "mixed"
    return {"languages": told, "mixture": kind}
