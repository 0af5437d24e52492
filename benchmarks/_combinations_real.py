"""Sets of cells of real text: Spanish, Russian and Hindi, of four and five sources each.

The text: web crawl, news (NTREX), health (TICO-19; none in Spanish), manual pages (tldr-pages) and essays (Open Source
Guides), at most 200,000 characters of a source. What counts is held-out text of every source, each with the same
weight. Nobody rated the documents: *quality* is how usual the warm start finds them (as CCNet).

`real.rank.{lang}` is over subsets that the law was not fitted to; `real.gain.over_{way}.{lang}` how many bits per byte
the law's choice saves on documents that nothing saw, against another way to choose; `real.gain.over_lengths` against
documents by chance that are as long. `carried.rank.{lang}` is what the selector says of a language that it did not
learn from. `helped.*` asks which cells of other languages to put beside Catalan with little text, `instructions.*` of
instructions in English (Alpaca) by the loss on held-out answers. Models of 0.12M parameters: what they do not show they
do not refute.
"""

import json
import resource
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from scipy.stats import spearmanr

from benchmarks import harness
from benchmarks.harness import Row
from glotmix.combine import carried, fitted, judge, stages
from glotmix.combine.config import CombinationsConfig
from glotmix.combine.training import Bench
from glotmix.combine.verdict import WORTH, Verdict
from glotmix.proxy.figures import Figure
from glotmix.proxy.texts import place

NAME = "combinations"
FOLDER = harness.BENCH / "combinations"
CODES = {
    "spa_Latn": ("spa_Latn", "spa", None, "es", "es"),
    "rus_Cyrl": ("rus_Cyrl", "rus", "ru", "ru", "ru"),
    "hin_Deva": ("hin_Deva", "hin", "hi", "hi", "hi"),
}
"""Codes in the crawl, in NTREX, in TICO-19, in tldr-pages and in the guides."""
MOST = 200_000
COMMON = {"parameters": 1.2e5, "batch": 4, "context": 64}

Documents = list[dict[str, object]]


def rows(name: str, lang: str) -> list[dict[str, object]]:
    return pq.read_table(harness.data(name), filters=[("lang", "=", lang)]).to_pylist()


def joined(parts: list[tuple[str, str]], most: int) -> Iterator[tuple[str, str]]:
    """Yield documents of so many characters, put together from parts that follow each other in one whole."""
    for whole in dict.fromkeys(name for name, _ in parts):
        held, count = "", 0
        for text in (text for name, text in parts if name == whole):
            held += ("\n" if held else "") + text
            if len(held) >= most:
                yield f"{whole}/{count}", held
                held, count = "", count + 1
        if held:
            yield f"{whole}/{count}", held


def documents(lang: str, most: int) -> Documents:
    crawl, news, health, pages, guides = CODES[lang]
    found: dict[str, list[tuple[str, str]]] = {}
    found["crawl"] = [(str(r["id"]), str(r["text"])) for r in rows("crawl.parquet", crawl)]
    found["news"] = list(joined([(str(r["doc"]), str(r["text"])) for r in rows("ntrex.parquet", news)], 800))
    if health is not None:
        held = sorted(rows("tico19.parquet", health), key=lambda r: int(str(r["i"])))
        found["health"] = list(joined([(f"{n // 40}", str(r["text"])) for n, r in enumerate(held)], 800))
    found["manuals"] = [(str(r["page"]), str(r["text"])) for r in rows("tldr.parquet", pages)]
    essays = [
        (str(r["article"]), part)
        for r in rows("opensource_guides.parquet", guides)
        for part in str(r["text"]).split("\n\n")
    ]
    found["essays"] = list(joined([(name, part) for name, part in essays if part.strip()], 800))
    out: Documents = []
    for source, texts in found.items():
        left = most
        for name, text in sorted(texts, key=lambda one: place(f"taken {one[0]}")):
            if left <= 0:
                break
            left -= len(text)
            out.append({"id": f"{lang}/{source}/{name}", "lang": lang, "source": source, "text": text})
    return out


def conducted(name: str, given: Documents, config: CombinationsConfig) -> tuple[Path, list[Verdict], float]:
    """Take documents through all stages; what was interrupted goes on."""
    folder, began = FOLDER / name, spent()
    stages.design(folder, given, config)
    stages.train(folder)
    stages.fit(folder)
    found = stages.choose(folder)
    return folder, found, spent() - began


def spent() -> float:
    """Return the CPU-seconds of this process and of those that it waited for."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def ranked(folder: Path) -> Iterator[tuple[str, str, float, float, float, int, dict[str, object]]]:
    """Yield per problem and law the rank on held-out subsets, with an interval over these."""
    bench = Bench.of(folder / stages.DESIGN)
    rng = np.random.default_rng(0)
    for problem in bench.plan.problems:
        one = fitted.measured(bench, folder / stages.LOSSES, problem)
        fold = np.random.default_rng([bench.config.seed, 32]).permutation(len(one.losses)) % judge.FOLDS
        for law in ("additive", "relational"):
            predicted = judge.held_out(law, one.cells, one.blocks, one.losses, fold)
            drawn = [rng.integers(0, len(fold), len(fold)) for _ in range(500)]
            each = [spearmanr(predicted[at], one.losses[at]).statistic for at in drawn]
            about = {"cells": len(one.cells), "blocks": problem.blocks, "spread": round(float(one.losses.std()), 5)}
            value = float(spearmanr(predicted, one.losses).statistic)
            low, high = (float(np.quantile(each, q)) for q in (0.025, 0.975))
            yield problem.name, law, value, low, high, len(fold), about


def gains(prefix: str, found: list[Verdict]) -> Iterator[Row]:
    for one in found:
        lang = one.problem.split(" ")[0]
        for way, gain in one.law_over.items():
            yield figure(f"{prefix}.gain.over_{way}.{lang}", gain, one, {"law": one.law, "use": one.use})
        told = [way for way in one.ways if way.way not in (one.law, "lengths")]
        best = min(told, key=lambda way: way.loss.value).way
        gain = one.law_over[best]
        shown = gain.value >= WORTH and gain.low > 0
        from glotmix.proxy.figures import power

        chance, least = power(gain, WORTH)
        said = {"best": best, "verdict": "gain shown" if shown else "no gain shown", "sentence": one.sentence}
        said |= {"power": round(chance, 3), "told_four_times_in_five": round(least, 4)}
        yield figure(f"{prefix}.gain.over_best.{lang}", gain, one, said)


def figure(metric: str, told: Figure, one: Verdict, said: dict[str, object]) -> Row:
    settings = {"seeds": one.seeds} | said
    return Row(NAME, metric, told.value, told.low, told.high, one.documents, "bits per byte", settings)


def artefacts(folder: Path, prefix: str) -> Iterator[Row]:
    """What chosen sets are in length and in bytes per token, as parts of what chance draws."""
    bench = Bench.of(folder / stages.DESIGN)
    laws = json.loads((folder / stages.LAWS / "laws.json").read_text("utf-8"))["problems"]
    for number, problem in enumerate(bench.plan.problems):
        sets: dict[str, list[tuple[str, int]]] = {}
        for row in pq.read_table(folder / stages.CHOICE / "chosen" / f"{number:03d}.parquet").to_pylist():
            sets.setdefault(row["set"].split("/")[0], []).append((row["id"], row["times"]))
        known = {one.id: one for name in problem.cells for one in bench.plan.documents("pool", name)}
        of: dict[str, dict[str, float]] = {}
        for way, each in sets.items():
            texts = [known[name].whole for name, _ in each]
            pieces = sum(map(len, bench.plan.pieces.encode(texts)))
            size = sum(len(text.encode()) for text in texts)
            letters = [char for text in texts for char in text if char.isalpha()]
            latin = sum(char.isascii() for char in letters) / len(letters)
            of[way] = {
                "bytes_per_document": size / len(texts),
                "bytes_per_token": size / pieces,
                "ascii_letters": latin,
            }
        law = laws[problem.name]["law"]
        for what, value in of[law].items():
            lang = problem.name.split(" ")[0]
            settings = {"law": law, "chance": round(of["random"][what], 4), "documents": len(sets[law])}
            yield Row(NAME, f"{prefix}.set.{what}.{lang}", value, n=len(sets[law]), settings=settings)


def told(prefix: str, folder: Path, found: list[Verdict], seconds: float) -> Iterable[Row]:
    lang = found[0].problem.split(" ")[0]
    config = Bench.of(folder / stages.DESIGN).config
    about = {"subsets": config.subsets, "tokens": config.tokens, "parameters": config.parameters}
    about |= {"start_tokens": config.start_tokens}
    for _, law, value, low, high, n, more in ranked(folder):
        yield Row(NAME, f"{prefix}.rank.{law}.{lang}", value, low, high, n, None, about | more)
    yield from gains(prefix, found)
    yield from artefacts(folder, prefix)
    yield Row(NAME, f"{prefix}.minutes.{lang}", seconds / 60, n=1, unit="CPU-minutes", settings=about)


def real(lang: str, small: bool) -> Iterable[Row]:
    size = {"subsets": 16, "tokens": 2048, "start_tokens": 8192, "seeds": 3, "cells": 8} if small else {
        "subsets": 72, "tokens": 12_288, "start_tokens": 100_000, "seeds": 5, "cells": 20}  # fmt: skip
    given = documents(lang, 30_000 if small else MOST)
    config = CombinationsConfig(**size, **COMMON)  # type: ignore[arg-type]
    yield from told("real", *conducted(f"real-{lang}{'-small' if small else ''}", given, config))


def carries(small: bool) -> Iterable[Row]:
    """What a selector says of a language that it did not learn from; the parts of all languages come before."""
    known: dict[str, carried.Measured] = {}
    for lang in CODES:
        folder = FOLDER / f"real-{lang}{'-small' if small else ''}"
        if not (folder / stages.CHOICE / "record.json").is_file():
            raise harness.BenchmarkError(f"the part real_{lang} comes before")
        bench = Bench.of(folder / stages.DESIGN)
        known[lang] = fitted.measured(bench, folder / stages.LOSSES, bench.plan.problems[0])
    weights = carried.learn(known)
    traits = dict(zip(weights.names, weights.weights.round(5).tolist(), strict=True))
    for lang, value in carried.left_out(known).items():
        low, high = _fisher(value, len(known[lang].losses))
        yield Row(NAME, f"carried.rank.{lang}", value, low, high, len(known[lang].losses), None, {"traits": traits})


def _fisher(rank: float, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a rank correlation of n pairs, by Fisher's z (Fieller's variance)."""
    half = 1.96 * (1.06 / (n - 3)) ** 0.5
    return float(np.tanh(np.arctanh(rank) - half)), float(np.tanh(np.arctanh(rank) + half))


def helped(small: bool) -> Iterable[Row]:
    """Catalan with 60,000 characters; Spanish, French, Italian and Basque around it."""
    size = {"subsets": 16, "tokens": 2048, "start_tokens": 8192, "seeds": 3, "cells": 4} if small else {
        "subsets": 64, "tokens": 12_288, "start_tokens": 100_000, "seeds": 5, "cells": 7}  # fmt: skip
    given: Documents = []
    for lang, most in (("cat_Latn", 60_000), ("spa_Latn", 100_000), ("fra_Latn", 100_000), ("ita_Latn", 100_000),
                       ("eus_Latn", 100_000)):  # fmt: skip
        left = most // 3 if small else most
        for row in sorted(rows("crawl.parquet", lang), key=lambda r: place(f"taken {r['id']}")):
            if left > 0:
                given.append({"id": str(row["id"]), "lang": lang, "source": "crawl", "text": str(row["text"])})
                left -= len(str(row["text"]))
    config = CombinationsConfig(helped="cat_Latn", held_out=0.2, test=0.2, start=0.2, **size, **COMMON)  # type: ignore[arg-type]
    yield from told("helped", *conducted("helped-small" if small else "helped", given, config))


def instructions(small: bool) -> Iterable[Row]:
    """Alpaca's instructions in English, 3,000 of them; loss is borne by answers alone."""
    size = {"subsets": 16, "tokens": 2048, "start_tokens": 8192, "seeds": 3, "cells": 6} if small else {
        "subsets": 64, "tokens": 12_288, "start_tokens": 100_000, "seeds": 5, "cells": 20}  # fmt: skip
    table = pq.read_table(harness.data("instructions/alpaca_en.parquet"))
    names = {"output": "response"}
    table = table.rename_columns([names.get(name, name) for name in table.column_names])
    every = [row for row in table.to_pylist() if row["response"] and len(row["response"]) > 40]
    every.sort(key=lambda row: place(f"taken {row['instruction']} {row.get('input')}"))
    given: Documents = [
        {"id": str(n), "lang": "eng_Latn", "source": "alpaca"}
        | {name: row.get(name) or "" for name in ("instruction", "input", "response")}
        for n, row in enumerate(every[: 800 if small else 3000])
    ]
    config = CombinationsConfig(**size, **COMMON)  # type: ignore[arg-type]
    yield from told("instructions", *conducted("instructions-small" if small else "instructions", given, config))


PARTS = {f"real_{lang}": partial(real, lang) for lang in CODES} | {
    "carried": carries,
    "helped": helped,
    "instructions": instructions,
}
