"""The language check of `instructions`, on planted answers in another language than the one asked for."""

from collections.abc import Iterator, Sequence
from importlib.resources import files

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks import harness
from benchmarks._answered import NAME, SETS, mt_bench
from benchmarks.harness import Row
from glotmix.core import conversation
from glotmix.core.conversation import MESSAGES, Turn
from glotmix.core.language import parse
from glotmix.signals import answers
from glotmix.signals.identifiers import Identifier, load

MIN_SCORE = 0.8
"""`instructions.min_score` of the built-in settings."""
LANGUAGES = (
    "arb_Arab", "ben_Beng", "ces_Latn", "deu_Latn", "ell_Grek", "fin_Latn", "fra_Latn", "heb_Hebr", "hin_Deva",
    "hun_Latn", "ind_Latn", "ita_Latn", "jpn_Jpan", "kor_Hang", "mya_Mymr", "nld_Latn", "pes_Arab", "pol_Latn",
    "por_Latn", "rus_Cyrl", "spa_Latn", "swh_Latn", "tam_Taml", "tha_Thai", "tur_Latn", "ukr_Cyrl", "vie_Latn",
    "zho_Hans", "amh_Ethi", "kat_Geor",
)  # fmt: skip


def fidelity(small: bool) -> Iterator[Row]:
    """Yield precision, recall and F1 of the language check on planted mismatches."""
    langs = LANGUAGES[:3] if small else LANGUAGES
    texts = news([*langs, "eng_Latn"])
    model = load("py3langid")
    names = english_names()
    figures = []
    for lang in (code for code in langs if code in texts):
        rng = np.random.default_rng(int.from_bytes(lang.encode(), "little") % 2**32)
        said: list[list[Turn]] = []
        wrong: list[bool] = []
        for k in range(40 if small else 300):
            at = int(rng.integers(0, len(texts[lang]) - 3))
            other = "eng_Latn" if k % 4 < 2 else str(rng.choice([c for c in texts if c != lang]))
            spoken = texts[other if k % 2 else lang]
            answer = " ".join(spoken[at + 1 : at + 2 + int(rng.integers(0, 2))])
            name = names.get(lang)
            if k % 3 == 0 and name is not None:
                question = f"Translate into {name}: {' '.join(texts['eng_Latn'][at + 1 : at + 3])}"
            else:
                question = texts[lang][at]
            said.append([Turn("user", question), Turn("assistant", answer)])
            wrong.append(bool(k % 2))
        flagged, undecided = checked(said, lang, model)
        precision, recall, f1, interval = scored(flagged, np.array(wrong))
        about = {
            "planted": "half of the answers in English or a random other language of NTREX",
            "asked": "a third by name in English (translate into …), else by the instruction's own language",
            "undecided": undecided,
        }
        figures.append((f1, precision, recall))
        yield Row(NAME, f"fidelity.f1.{lang}", f1, *interval, len(said), "answers", about)
        yield Row(NAME, f"fidelity.precision.{lang}", precision, n=int(sum(flagged)), settings=about)
        yield Row(NAME, f"fidelity.recall.{lang}", recall, n=int(sum(wrong)), settings=about)
    for at, name in enumerate(("f1", "precision", "recall")):
        mean = float(np.mean([f[at] for f in figures]))
        yield Row(NAME, f"fidelity.{name}.mean", mean, n=len(figures), unit="languages")
    yield from real_answers(small, model)


def news(langs: Sequence[str]) -> dict[str, list[str]]:
    """Return NTREX's sentences, aligned, by language."""
    held = pq.read_table(harness.data("ntrex.parquet"))
    found: dict[str, dict[int, str]] = {}
    codes = {code: parse(code).code for code in held["lang"].unique().to_pylist()}
    for r in held.to_pylist():
        code = codes.get(r["lang"])
        if code in langs and r["i"] not in found.setdefault(code, {}):
            found[code][r["i"]] = r["text"]
    return {code: [texts[i] for i in sorted(texts)] for code, texts in found.items()}


def english_names() -> dict[str, str]:
    """Return the English names of languages, by canonical code."""
    text = (files("glotmix") / "data" / "language_names.tsv").read_text("utf-8")
    (cells,) = (line.split("\t")[1:] for line in text.splitlines() if line.startswith("eng_Latn\t"))
    return {parse(of).code: name for of, name in (cell.split("=", 1) for cell in cells)}


def real_answers(small: bool, model: Identifier) -> Iterator[Row]:
    """Yield the same on MT-Bench's questions in six languages, half of them with the answer of another language."""
    held = mt_bench()
    # Japanese MT-Bench has questions of its own: the answers that are planted are to any question.
    for lang_set, lang in list(SETS.items())[: 1 if small else None]:
        here, others = (sorted(k for k in held if (k[0] == lang_set) is own) for own in (True, False))
        said, wrong = [], []
        for number, key in enumerate(here):
            wrong.append(number % 2 == 1)
            answered = others[number * 997 % len(others)] if wrong[-1] else key
            said.append([Turn("user", held[key][0]), Turn("assistant", held[answered][1])])
        flagged, _ = checked(said, lang, model)
        precision, recall, f1, interval = scored(flagged, np.array(wrong))
        about = {"planted": "an answer in another language", "precision": precision, "recall": recall}
        about |= {"note": "some models do answer in another language: what is flagged and was not planted may be right"}
        yield Row(NAME, f"fidelity.mt_bench.f1.{lang}", f1, *interval, len(said), "answers", about)


def checked(said: Sequence[Sequence[Turn]], lang: str, model: Identifier) -> tuple[NDArray[np.bool_], int]:
    """Return which answers the check flags, and of how many it cannot tell."""
    messages = pa.array([conversation.plain(s) for s in said], MESSAGES)
    found = answers.checks(messages, pa.array([lang] * len(said)), model)
    signal = pa.table({f.name: found.field(i) for i, f in enumerate(found.type)})
    flagged = answers.failures(signal, MIN_SCORE)["unfaithful"].to_pylist()
    return np.array([bool(v) for v in flagged]), signal["faithful"].null_count


def scored(flagged: NDArray[np.bool_], wrong: NDArray[np.bool_]) -> tuple[float, float, float, tuple[float, float]]:
    """Return precision, recall, F1 and the bootstrap interval of F1."""
    rng = np.random.default_rng(0)

    def f1(rows: NDArray[np.int64]) -> float:
        hit = float((flagged[rows] & wrong[rows]).sum())
        return 2 * hit / max(flagged[rows].sum() + wrong[rows].sum(), 1)

    every = np.arange(len(wrong))
    drawn = [f1(rng.choice(every, len(every))) for _ in range(500)]
    hit = float((flagged & wrong).sum())
    low, high = np.quantile(drawn, [0.025, 0.975])
    return hit / max(flagged.sum(), 1), hit / max(wrong.sum(), 1), f1(every), (float(low), float(high))
