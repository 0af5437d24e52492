"""Leave one language out: the recipe's heads, heads chosen anew, length alone, and documents that are cut."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.special import expit

from benchmarks import harness
from benchmarks._labelled import LINE, NAME, STATIC, Bench, World, documents, seeds, world
from benchmarks.harness import Row
from glotmix.quality.heads import Head
from glotmix.quality.names import Kind, Normalise
from glotmix.quality.train_rater import FeatureExtractor
from glotmix.quality.transfer import Labelled, leave_one_out, nested
from glotmix.signals import heuristics

NORMALISED: tuple[Normalise, ...] = ("z", "robust", "normal", "shared", "none")
PENALTIES = (10.0, 30.0, 100.0, 300.0)
CUT = 300


@cache
def seen(features: str) -> Labelled:
    """Return the judged documents as a rater of these features sees them: ``both``, ``structure`` or ``static``."""
    found = world()
    own = {"both": (*found.structure, STATIC), "static": (STATIC,), "structure": found.structure}
    return found.seen(own[features])


def lolo(small: bool) -> Iterator[Row]:
    """Yield the recipe's heads, each language left out in turn."""
    fixed = defaults(small)
    scores = {f"lolo_auc.{name}": leave_one_out(seen(name), head, seeds(small)) for name, head in fixed.items()}
    about: dict[str, dict[str, object]] = {
        f"lolo_auc.{name}": {"head": f"{head.kind} {head.normalise}"} for name, head in fixed.items()
    }
    yield from Bench(seen("both"), seeds(small)).rows(scores, about)


def defaults(small: bool) -> dict[str, Head]:
    """Return the heads of the recipe's defaults, by features."""
    if small:
        return dict.fromkeys(("both", "structure", "static"), LINE)
    return {"both": Head(), "structure": Head(), "static": LINE}


def candidates(small: bool) -> dict[str, list[Head]]:
    """Return the heads that may be chosen, by features."""
    if small:
        return {"static": [LINE, Head(kind="logistic", normalise="none")]}
    kinds: tuple[Kind, ...] = ("logistic", "boosting", "both")
    return {
        "both": [*(Head(vector_penalty=p) for p in PENALTIES[1:]), Head(kind="logistic")],
        "structure": [Head(kind=k, normalise=n) for k in kinds for n in NORMALISED],
        "static": [Head(kind="logistic", vector_penalty=p) for p in PENALTIES],
    }


def chosen_anew(small: bool) -> Iterator[Row]:
    """Yield the heads that were chosen without the language that they are judged in."""
    scores, settings = {}, {}
    for name, some in candidates(small).items():
        found, chosen = nested(seen(name), some, seeds(small))
        scores[f"lolo_auc.nested.{name}"] = found
        settings[f"lolo_auc.nested.{name}"] = {"candidates": len(some), "chosen": told(chosen)}
    yield from Bench(seen("both"), seeds(small)).rows(scores, settings)


def told(chosen: dict[str, Head]) -> dict[str, int]:
    """Count how often each head was chosen."""
    return dict(Counter(f"{h.kind} {h.normalise} p{h.vector_penalty:g}" for h in chosen.values()).most_common())


def length(small: bool) -> Iterator[Row]:
    """Yield the baseline that sees the length alone."""
    data, (judged, _) = seen("structure"), documents()
    chars = np.log1p(pc.utf8_length(judged["text"]).to_numpy())
    alone = Labelled(pa.table({"lang": data.features["lang"], "length": chars}), data.labels, data.group, ("length",))
    found = leave_one_out(alone, Head(kind="logistic", normalise="z"), seeds(small))
    yield from Bench(data, seeds(small)).rows({"lolo_auc.length": found}, {})


def shifted(small: bool) -> Iterator[Row]:
    """Yield what happens when documents are cut to `CUT` characters after training: nothing else changes.

    A rater meets documents that are not like its anchors. Normalised ones are held against the cut crawl.
    """
    whole, data, head = world(), seen("structure"), LINE if small else Head()
    eyes = FeatureExtractor(heuristics.measure)
    short = [eyes.see(t["text"].combine_chunks(), t["lang"].combine_chunks()) for t in map(shortened, documents())]
    cut = World(short[0], short[1], whole.labels, whole.group).seen(whole.structure)
    scores, moved = {}, {}
    for name, how in (("shifted_auc.structure", head), ("shifted_auc.structure_raw", replace(head, normalise="none"))):
        matrix, after = data.normalised(how.normalise), cut.normalised(how.normalise)
        found, shifts = np.full((len(seeds(small)), len(data.labels)), np.nan), []
        for held in sorted(set(data.langs)):
            test = np.flatnonzero(data.langs == held)
            rows = np.flatnonzero((data.langs != held) & ~np.isin(data.group, data.group[test]))
            moves = []
            for number, seed in enumerate(seeds(small)):
                made = data.rater(matrix, rows, how, seed)
                found[number, test] = made.log_odds(after[test])
                moves.append(np.mean(expit(found[number, test]) - expit(made.log_odds(matrix[test]))))
            shifts.append(float(np.mean(moves)))
        scores[name], moved[name] = found, shifts
    settings: dict[str, dict[str, object]] = {
        n: {"cut_to_characters": CUT, "head": f"{head.kind} {head.normalise}"} for n in scores
    }
    yield from Bench(data, seeds(small)).rows(scores, settings)
    for name, shifts in moved.items():
        metric = name.replace("shifted_auc", "shifted_score")
        about = {"meaning": "mean change of the score of the same documents, mean over languages"}
        yield Row(NAME, metric, float(np.mean(shifts)), *harness.interval(shifts), len(shifts), "score", about)


def shortened(given: pa.Table) -> pa.Table:
    """Return the documents cut to their first `CUT` characters."""
    at = given.column_names.index("text")
    return given.set_column(at, "text", pc.utf8_slice_codeunits(given["text"], 0, CUT))
