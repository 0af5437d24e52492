"""Real documents in many languages and what damage does to them: quality that is known without anybody's judgement.

The documents are NTREX-128's 123 news stories, headline first, translated by people. Each stands in every language,
whole and damaged in the same way and to the same degree: so the damaged versions are parallel too. Nothing is cut at
white space where a language has none.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow.parquet as pq

from benchmarks import harness
from glotmix.core.language import Language, parse

KINDS = ("salad", "truncated", "boilerplate", "repeated", "encoding", "shuffled")
GRADES = (1 / 3, 2 / 3, 1.0)
"""A third, two thirds, and all of what a kind of damage does at most."""
SENTENCES = 14
"""Of a document at most, from its headline on."""


@dataclass(frozen=True)
class Document:
    """One version of one story in one language.

    Args:
        source: the story that it is a version of: splits never cut one.
        group: story, kind and grade: equal for all translations.
        lang: canonical code.
        kind: of damage; ``none`` for the story itself.
        grade: 0 for the story itself, up to 1.
        text: the text.
    """

    source: str
    group: str
    lang: str
    kind: str
    grade: float
    text: str


def sentences(codes: Sequence[str]) -> dict[str, dict[str, list[str]]]:
    """Return the sentences of NTREX: language → document → sentences. Codes are the file's own."""
    table = pq.read_table(harness.data("ntrex.parquet"), filters=[("lang", "in", list(codes))])
    found: dict[str, dict[str, list[str]]] = {parse(code).code: {} for code in codes}
    for row in table.sort_by([("lang", "ascending"), ("i", "ascending")]).to_pylist():
        found[parse(row["lang"]).code].setdefault(row["doc"], []).append(row["text"].strip())
    return found


def documents(
    texts: dict[str, dict[str, list[str]]], sources: Sequence[str], versions: int, seed: int
) -> list[Document]:
    """Return some news documents, each whole and in `versions` damaged ones, in all languages.

    Which versions is drawn per document, the same in all languages; the words of salad and the headlines of boilerplate
    are those of the language's own `sources`.
    """
    made = []
    plans = [(kind, grade) for kind in KINDS for grade in GRADES]
    spans = []
    for number, source in enumerate(sources):
        chosen = np.random.default_rng([seed, number]).permutation(len(plans))[:versions]
        spans.append((source, [plans[i] for i in sorted(chosen)]))
    for lang, own in texts.items():
        language = parse(lang)
        headlines = [own[s][0] for s in sources]
        stock = [piece for s in sources for line in own[s] for piece in pieces(line, language)]
        for number, (source, plan) in enumerate(spans):
            passage = own[source][:SENTENCES]
            for kind, grade in [("none", 0.0), *plan]:
                # One generator for all languages: the same sentences are moved, the same share of words is lost.
                rng = np.random.default_rng(
                    [seed, number, len(KINDS) if kind == "none" else KINDS.index(kind), int(grade * 100)]
                )
                text = damaged(passage, kind, grade, language, headlines, stock, rng)
                made.append(Document(source, f"{source}:{kind}:{grade:g}", lang, kind, grade, text))
    return made


def pieces(sentence: str, language: Language) -> list[str]:
    """Cut a sentence into words with their punctuation; where words are not separated, into runs of two characters."""
    if language.spaced:
        return sentence.split()
    return [sentence[at : at + 2] for at in range(0, len(sentence), 2)]


def damaged(
    passage: list[str],
    kind: str,
    grade: float,
    language: Language,
    headlines: Sequence[str],
    stock: Sequence[str],
    rng: np.random.Generator,
) -> str:
    """Return a passage as text, with one kind of damage to one degree."""
    gap = "" if language.script in ("Hans", "Hant", "Jpan") else " "
    match kind:
        case "none":
            return laid_out(passage, gap)
        case "salad":
            # Machine-like: the words are the language's own, as frequent as they are, and mean nothing together.
            lines = []
            within = " " if language.spaced else ""
            for sentence in passage:
                words = pieces(sentence, language)
                lost = rng.random(len(words)) < grade
                lines.append(
                    within.join(
                        stock[int(rng.integers(len(stock)))] if gone else w for w, gone in zip(words, lost, strict=True)
                    )
                )
            return laid_out(lines, gap)
        case "truncated":
            text = laid_out(passage, gap)
            kept = text[: int(len(text) * (1 - 0.8 * grade) * rng.uniform(0.9, 1.0))]
            return kept.rstrip().rstrip(ENDS)
        case "boilerplate":
            # Teasers of other articles between the paragraphs, as web pages have them.
            lines = laid_out(passage, gap).split("\n")
            for _ in range(max(1, round(grade * 1.5 * len(passage)))):
                teasers = [
                    _head(headlines[t], language, int(rng.integers(2, 7)))
                    for t in rng.choice(len(headlines), int(rng.integers(1, 4)))
                ]
                lines.insert(int(rng.integers(0, len(lines) + 1)), " | ".join(teasers))
            return "\n".join(lines)
        case "repeated":
            lines = list(passage)
            for _ in range(max(1, round(grade * 1.5 * len(passage)))):
                at = int(rng.integers(0, len(lines)))
                lines.insert(at, lines[at])
            return laid_out(lines, gap)
        case "encoding":
            return "".join(_broken(c, rng) if rng.random() < 0.12 * grade else c for c in laid_out(passage, gap))
        case "shuffled":
            order = np.arange(len(passage))
            moved = rng.permutation(len(passage))[: max(2, round(grade * len(passage)))]
            order[np.sort(moved)] = np.roll(moved, 1)
            return laid_out([passage[i] for i in order], gap)
    raise ValueError(kind)


ENDS = ".!?…\"'”’»)。！？」』．؟۔।॥።፧၊။៕ฯ։;:,"


def laid_out(lines: Sequence[str], gap: str) -> str:
    """Set the first sentence on a line of its own, as a headline, and join the others to paragraphs of three."""
    return "\n".join([lines[0], *(gap.join(lines[at : at + 3]) for at in range(1, len(lines), 3))])


def _head(sentence: str, language: Language, words: int) -> str:
    if language.spaced:
        return " ".join(sentence.split()[:words])
    return sentence[: 3 * words]


def _broken(char: str, rng: np.random.Generator) -> str:
    """Read one character's UTF-8 as Latin-1, as often happens; a character of ASCII, which survives that, is lost."""
    if char.isspace():
        return char
    if ord(char) < 128:
        return "\ufffd" if rng.random() < 0.7 else "â€™"
    return char.encode("utf-8").decode("cp1252", "replace")
