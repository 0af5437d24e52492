"""The report of alignment, measured: is d′ stable at 50 pairs, is it unmoved by what must not move it, who helps whom.

`coefficient.rank_50_500`: English with every other language of NTREX under the shipped embedder: Spearman's correlation
over languages of d′ from 50 sentences with d′ from 500 others, mean of draws, the interval that of 95 % of the draws.
`coefficient.sd_50`: standard deviation of d′ over draws of 50 sentences, as a share of d′, mean of languages.
`coefficient.moved.{what}`: the most that any figure of any language moves. The embedder was trained on most of these
sentences: how high its d′ is, is no evidence; how much it moves, is.

`donors.spearman`: the similarity of two languages in the shipped embedder against the transfer that the published
swarm's laws measured; `donors.prior.gain`: what it is worth as a prior of the laws where 16 mixtures are known.
"""

from collections.abc import Iterable

import numpy as np
import pyarrow.parquet as pq
from scipy.stats import spearmanr

from benchmarks import harness
from benchmarks.harness import Row
from glotmix.align import alignment, measures, states
from glotmix.align.donors import donors
from glotmix.core.errors import RequestError
from glotmix.core.language import parse
from glotmix.mix.run_tables import read

NAME = "align"
SWARM = harness.ROOT / "benchmarks" / "data" / "swarm"


def news() -> dict[str, dict[str, str]]:
    """Return NTREX by canonical language; of two codes that are one language, the first."""
    found: dict[str, dict[str, str]] = {}
    taken: dict[str, str] = {}
    for row in pq.read_table(harness.data("ntrex.parquet")).to_pylist():
        try:
            lang = parse(row["lang"]).code
        except RequestError:
            continue
        if taken.setdefault(lang, row["lang"]) == row["lang"]:
            found.setdefault(lang, {})[str(row["i"])] = row["text"]
    return found


def d_prime(one: np.ndarray, other: np.ndarray) -> float:
    return float(measures.d_prime(measures.cosines(one, other)).mean())


def coefficient(small: bool) -> Iterable[Row]:
    texts = news()
    langs = sorted(texts)[:: 8 if small else 1]
    langs = sorted({*langs, "eng_Latn"})
    keys = sorted(texts["eng_Latn"], key=int)
    loaded = states.load("static")
    held = {}
    for lang in langs:
        ((_, found),) = loaded.states([texts[lang][key] for key in keys])
        held[lang] = found[:, 0]
    english = held.pop("eng_Latn")
    draws = 10 if small else 40
    few, many = np.zeros((2, draws, len(held)))
    for draw in range(draws):
        order = np.random.default_rng([7, draw]).permutation(len(keys))
        for n, vectors in enumerate(held.values()):
            few[draw, n], many[draw, n] = (d_prime(english[at], vectors[at]) for at in (order[:50], order[50:550]))
    ranks = [float(spearmanr(a, b).statistic) for a, b in zip(few, many, strict=True)]
    told = {"model": "static", "text": "NTREX", "draws": draws, "n": "languages with English"}
    low, high = np.quantile(ranks, [0.025, 0.975])
    yield Row(NAME, "coefficient.rank_50_500", float(np.mean(ranks)), low, high, len(held), "Spearman", told)
    spread = few.std(axis=0, ddof=1) / few.mean(axis=0)
    low, high = harness.interval(spread)
    told |= {"absolute": round(float(few.std(axis=0, ddof=1).mean()), 3), "mean_d_prime": round(float(few.mean()), 3)}
    yield Row(NAME, "coefficient.sd_50", float(spread.mean()), low, high, len(held), "share of d′", told)
    bias = few.mean(axis=0) / many.mean(axis=0) - 1
    yield Row(NAME, "coefficient.bias_50_500", float(bias.mean()), *harness.interval(bias), len(held), "share", told)
    yield from unmoved(english[:200], {lang: vectors[:200] for lang, vectors in held.items()})


def unmoved(english: np.ndarray, held: dict[str, np.ndarray]) -> Iterable[Row]:
    rng = np.random.default_rng(0)
    width = english.shape[1]
    turn = np.linalg.qr(rng.standard_normal((width, width)))[0]
    order = rng.permutation(len(english))
    # In double precision, as the report computes; states are single.
    one = english.astype(float)
    most = dict.fromkeys(("rotation", "scale", "translation", "permutation"), 0.0)
    for vectors in held.values():
        other = vectors.astype(float)
        before = figures(one, other)
        moved = {
            "rotation": (one @ turn, other @ turn),
            "scale": (2.5 * one, 0.3 * other),
            "translation": (one + rng.standard_normal(width), other - 3 * rng.standard_normal(width)),
            "permutation": (one[order], other[order]),
        }
        for name, (a, b) in moved.items():
            most[name] = max(most[name], float(np.abs(figures(a, b) - before).max()))
    for name, value in most.items():
        yield Row(NAME, f"coefficient.moved.{name}", round(value, 9), None, None, len(held), "d′, share or cosine",
                  {"n": "languages with English", "figures": list(measures.NAMES)})  # fmt: skip


def figures(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    c = measures.cosines(one, other)
    return np.array([f(c).mean() for f in (measures.d_prime, measures.hits, measures.mutual, measures.gaps)])


def helpers(small: bool) -> Iterable[Row]:
    runs = read("olmix", SWARM / "ratios.csv", SWARM / "metrics.csv").canonical()
    every = news()
    # Of codes that the swarm and NTREX spell alike; Arabic's and Chinese's are canonical.
    texts = {lang: every[lang] for lang in runs.domains if lang in every}
    loaded = states.load("static")
    pairs = alignment.every_two(texts)
    found = alignment.report(loaded, texts, most=100 if small else 500, draws=100, pairs=pairs)
    told = donors(loaded, found, texts, runs)
    about = {
        "n": "targets",
        "model": "static",
        "text": "NTREX",
        "runs": "benchmarks/data/swarm",
        "verdict": told.sentence,
    }
    for one in told.worth:
        name = "donors.spearman" if one.name == "similarity" else f"donors.spearman.{one.name}"
        yield Row(NAME, name, one.value, one.low, one.high, one.targets, "Spearman", about)
    if told.decision is not None:
        d = told.decision
        yield Row(NAME, "donors.prior.gain", d.gain, d.low, d.high, d.languages, "share of the error",
                  {"n": "languages left out", "mixtures": d.runs, "used": d.used})  # fmt: skip


PARTS = {"coefficient": coefficient, "donors": helpers}
