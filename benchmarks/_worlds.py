"""Simulated models of known consistency: a joint law of the right answer and of every language's, with its figures."""

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import numpy.typing as npt

from glotmix.evaluate import answers
from glotmix.evaluate.answers import Answers

LANGS = ("arb_Arab", "eng_Latn", "tha_Thai", "zho_Hans")
OPTIONS = 4
Array = npt.NDArray[np.float64]


def law(rng: np.random.Generator) -> Array:
    """Draw a joint law: (gold, answer in each language), options in each of the 1 + L axes.

    A latent answer is the right one with some skill, else drawn from what the model is fond of; a language keeps it
    with some loyalty, else draws from a fondness of its own. Skill, loyalty and fondness differ by world.
    """
    gold = rng.dirichlet(np.full(OPTIONS, 20.0))
    skill = rng.uniform(0.0, 0.8)
    fond = rng.dirichlet(np.full(OPTIONS, rng.choice([0.4, 2.0, 20.0])))
    latent = skill * np.eye(OPTIONS) + (1 - skill) * fond  # given gold
    keeps = []
    for _ in LANGS:
        loyalty = rng.uniform(0.2, 0.95)
        own = rng.dirichlet(np.full(OPTIONS, rng.choice([0.8, 5.0])))
        keeps.append(loyalty * np.eye(OPTIONS) + (1 - loyalty) * own)  # given the latent answer
    joint = np.einsum("g,gl,la,lb,lc,ld->gabcd", gold, latent, *keeps)
    return np.asarray(joint)


def truth(joint: Array) -> dict[str, float]:
    """Return the exact value of each figure under a law."""
    gold = joint.sum(axis=(1, 2, 3, 4))
    right, marginal, told = [], [], {}
    for i in range(len(LANGS)):
        pair = joint.sum(axis=tuple(a for a in range(1, 5) if a != i + 1))
        right.append(float(np.trace(pair)))
        marginal.append(pair.sum(axis=0))
        told[f"accuracy.{i}"] = right[i]
        told[f"above_empirical.{i}"] = right[i] - float(marginal[i] @ gold)
    pivot = LANGS.index("eng_Latn")
    told |= {f"gap.{i}": right[pivot] - right[i] for i in range(len(LANGS)) if i != pivot}
    each: dict[str, list[float]] = {"mlc": [], "kappa": [], "rel": []}
    for i, j in combinations(range(len(LANGS)), 2):
        both = joint.sum(axis=tuple(a for a in range(5) if a not in (i + 1, j + 1)))
        agree, chance = float(np.trace(both)), float(marginal[i] @ marginal[j])
        each["mlc"].append(agree)
        each["kappa"].append((agree - chance) / (1 - chance))
        each["rel"].append(agree / ((right[i] + right[j]) / 2))
        triple = joint.sum(axis=tuple(a for a in range(1, 5) if a not in (i + 1, j + 1)))
        told[f"both_right.{i}{j}"] = float(sum(triple[k, k, k] for k in range(OPTIONS)))
        told[f"same_wrong.{i}{j}"] = agree - told[f"both_right.{i}{j}"]
    for name, values in each.items():
        told |= {f"{name}.{i}{j}": v for (i, j), v in zip(combinations(range(len(LANGS)), 2), values, strict=True)}
        told[f"mean_{name}"] = float(np.mean(values))
    return told


def sample(joint: Array, items: int, rng: np.random.Generator) -> Answers:
    """Draw items from a law."""
    cells = np.stack(np.unravel_index(rng.choice(joint.size, size=items, p=joint.ravel()), joint.shape), axis=1)
    names = [f"{i:05d}" for i in range(items)]
    columns = {
        "task": ["world"] * items * len(LANGS),
        "lang": [lang for lang in LANGS for _ in range(items)],
        "item": names * len(LANGS),
        "options": [OPTIONS] * items * len(LANGS),
        "gold": np.tile(cells[:, 0], len(LANGS)),
        "raw": cells[:, 1:].T.ravel(),
    }
    return Answers("world", answers.table(columns))


def kind(name: str) -> str:
    """Return what a figure is of: ``kappa.01`` is of ``kappa``."""
    return name.partition(".")[0]


def found(scored: Mapping[str, object]) -> dict[str, Mapping[str, float]]:
    """Return the estimated figures of `Scores.as_dict()` by the names of `truth`."""
    (task,) = scored["tasks"]  # type: ignore[misc]
    told = {}
    for i, each in enumerate(task["languages"]):
        told[f"accuracy.{i}"] = each["accuracy"]
        told[f"above_empirical.{i}"] = each["above_empirical"]
        if each["gap"] is not None:
            told[f"gap.{i}"] = each["gap"]
    for (i, j), pair in zip(combinations(range(len(LANGS)), 2), task["pairs"], strict=True):
        for name in ("mlc", "kappa", "rel", "both_right", "same_wrong"):
            told[f"{name}.{i}{j}"] = pair[name]
    for name in ("mlc", "kappa", "rel"):
        told[f"mean_{name}"] = task["all"][name]
    return told
