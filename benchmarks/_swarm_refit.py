"""The swarm's question anew: mixtures chosen by the rule, in two rounds, on one half of the held-out text.

The published runs were designed wide and measured on all of the held-out text, so that what they choose cannot be told
apart from what it is judged on. Here small models are trained on mixtures as `glotmix mix design` plans them, measured
on the first half; what is chosen from them is fixed, trained at twice the size, and measured on the second.
"""

import json
from dataclasses import replace
from functools import cache

import numpy as np

from benchmarks import _swarm_text
from benchmarks._halves import Split, Trainer, Wanted, distinct
from benchmarks._halves import fixed as fixed_by
from benchmarks._swarm_runs import documents
from glotmix.mix import baselines, optimum
from glotmix.mix.accounting import Array, Available
from glotmix.mix.design import FIRST_NEAR, Design, design, first, further
from glotmix.mix.limits import Limits, box
from glotmix.mix.runs import Runs, code, joined
from glotmix.native.threads import one_thread
from glotmix.proxy.texts import passage, place

FOLDER = _swarm_text.FOLDER / "refit"
LANGUAGES = tuple(sorted(code(lang) for lang in _swarm_text.LANGUAGES))
SMALL, LARGE, TOKENS = 1.3e5, 2.7e5, 524_288
SEEDS = tuple(range(1001, 1007))
EPOCHS = 15
"""No mixture repeats a language more often."""
LAWS = ("effective_data", "fading_transfer", "saturating_transfer", "similarity_transfer", "own_share")
"""Laws that choose, and need runs of one size alone."""
_HELD, _HELD_BYTES, _HELD_EACH = 0.1, 20_000, 400


@cache
def split() -> Split:
    """Return the text: a document is held out by its hash, and every other of these is of the second half."""
    kept = FOLDER / "text.json"
    if not kept.is_file():
        _swarm_text.make()
        every: dict[str, list[str]] = {lang: [] for lang in LANGUAGES}
        for lang, text in documents():
            every[code(lang)].append(text)
        train: dict[str, list[str]] = {}
        halves: tuple[dict[str, list[str]], dict[str, list[str]]] = ({}, {})
        for lang, texts in every.items():
            ordered = sorted(set(texts), key=place)
            train[lang] = [text for text in ordered if place(text) >= _HELD]
            held = [text for text in ordered if place(text) < _HELD]
            for i, half in enumerate(halves):
                half[lang] = _passages(held[i::2])
        FOLDER.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps([train, *halves], ensure_ascii=False), "utf-8")
    train, one, other = json.loads(kept.read_text("utf-8"))
    return train, one, other


def _passages(texts: list[str]) -> list[str]:
    """Take a passage of each document until there are enough bytes."""
    taken: list[str] = []
    left = _HELD_BYTES
    for text in texts:
        if left <= 0:
            break
        taken.append(passage(text, min(_HELD_EACH, max(left, 100))))
        left -= len(taken[-1].encode())
    return taken


HERE = Trainer(FOLDER, LANGUAGES, split, together=14)


def stock() -> Available:
    """Return the unique tokens of each language."""
    return Available.of({lang: (1, int(n), int(n)) for lang, n in zip(LANGUAGES, HERE.tokens(), strict=True)})


def _trained(planned: Runs) -> Runs:
    """Train the runs of a round, and return them with their losses on the first half."""
    at = [planned.domains.index(lang) for lang in LANGUAGES]
    wanted = [
        Wanted(name, SMALL, int(seed), tuple(map(float, row[at])), 0, TOKENS)
        for name, seed, row in zip(planned.names, planned.seeds, planned.shares, strict=True)
    ]
    HERE.train(wanted)
    losses = np.array([HERE.losses(run.name) for run in wanted])
    return replace(planned, targets=LANGUAGES, losses=losses, unigram=HERE.unigram())


@cache
def fixed() -> dict:
    """Return every mixture that is trained at the end, and what the rule says of them; made once, before they are."""
    path = FOLDER / "fixed.json"
    if not path.is_file():
        there = stock()
        within = box(there, TOKENS, Limits(max_epochs=EPOCHS))
        others = {
            "unimax": baselines.unimax(there, within), "temperature": baselines.temperature(there, 3.3, within),
            "natural": baselines.natural(there), "uniform": baselines.uniform(there),
        }  # fmt: skip
        # Trees take part for RegMix's choice; they rank, and do not choose.
        ask = optimum.Ask((*LAWS, "lightgbm"), {}, None, draws=24, next_runs=0)
        asked = Design(
            TOKENS, (SMALL,), first(len(LANGUAGES)), FIRST_NEAR, target=TOKENS, one_size=True,
            max_epochs=EPOCHS, seed=17,
        )  # fmt: skip
        runs = _trained(design(there, asked))
        with one_thread():
            found = optimum.find(there, TOKENS, within, runs, others, replace(ask, draws=0)).verdict.best
        runs = joined([runs, _trained(further(there, replace(asked, runs=None), found))])
        with one_thread():
            made = optimum.find(there, TOKENS, within, runs, others, ask)
        told = fixed_by(made, LANGUAGES, len(runs), SMALL)
        path.write_text(json.dumps(told), "utf-8")
    return dict(json.loads(path.read_text("utf-8")))


def mixtures() -> dict[str, Array]:
    """Return the mixtures by name."""
    return {name: np.array(shares) for name, shares in fixed()["mixtures"].items()}


def finals() -> dict[str, np.ndarray]:
    """Train every mixture with every seed at the larger size; return losses on the second half, (seeds, languages)."""
    named = mixtures()
    same = distinct(named)
    wanted = [
        Wanted(f"final-{name}-{seed}", LARGE, seed, tuple(map(float, named[name])), 1, TOKENS)
        for seed in SEEDS
        for name in dict.fromkeys(same.values())
    ]
    HERE.train(wanted)
    return {name: np.array([HERE.losses(f"final-{other}-{seed}") for seed in SEEDS]) for name, other in same.items()}
