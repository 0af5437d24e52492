"""The published swarm: what every law says of mixtures that it has not seen, and whether the chosen mixture wins.

`rank.{law}` and `mae.{law}`: leave-mixtures-out at the small size (five folds, seeds of a mixture together), Spearman
and mean absolute error in bits per byte, mean of the languages with the interval over languages; `….to_large` the same
of models of the second size whose mixtures were not among those fitted. `merged_experts` stands among the laws: weights
interpolated between one run a language, nothing fitted. `seeds` is what two seeds of one mixture say of each other: no
law can be better.

Then the test that matters (`_swarm_refit`): the rule of `glotmix mix`, in two rounds of small models, sees one half of
the held-out text; the mixture that it takes and the others are fixed, trained at twice the size with six seeds each,
and judged on the other half: `final.{mixture}.mean_bpb`, `.worst_bpb`, `.over_chosen` and `.over_found`, paired by
seed, with Student's interval over seeds. `found` is what the rule finds, `chosen` as much of the way to it as is
proven. A full run trains what is missing, and goes on where it was killed.
"""

from collections.abc import Iterable, Mapping

import numpy as np
from scipy.stats import spearmanr
from scipy.stats import t as student

from benchmarks import _parts, harness
from benchmarks import _swarm_refit as refit
from benchmarks._differences import covered, fitted
from benchmarks._halves import distinct
from benchmarks._swarm_runs import PRESETS, PUBLISHED, make
from benchmarks._swarm_text import FOLDER
from benchmarks.harness import Row
from glotmix.mix.law_fit import fit, held_out, judged_on, missing, predict
from glotmix.mix.laws import competing, law
from glotmix.mix.run_tables import read
from glotmix.mix.runs import Runs
from glotmix.native.threads import one_thread

NAME = "swarm"
PRESET = "two-cores"


def table(train: bool) -> Runs:
    """Return the published runs, or those that are trained here first.

    Raises:
        BenchmarkError: if none are published and none shall be trained.
    """
    folder = make(PRESET) if train else PUBLISHED
    if not (folder / "metrics.csv").is_file():
        raise harness.BenchmarkError("no swarm is published yet; python -m benchmarks._swarm_runs --publish trains one")
    return read("olmix", folder / "ratios.csv", folder / "metrics.csv").canonical()


def summed(name: str, ranks: list[float], errors: list[float], n: int, told: Mapping[str, object]) -> Iterable[Row]:
    for metric, values, unit in (("rank", ranks, "ρ × 100"), ("mae", errors, "bits per byte")):
        scaled = np.array(values) * (100 if metric == "rank" else 1)
        low, high = harness.interval(scaled)
        yield Row(NAME, f"{metric}.{name}", float(scaled.mean()), low, high, n, unit, told)


def unseen(runs: Runs, name: str, told: Mapping[str, object]) -> Iterable[Row]:
    """Judge a law on mixtures held out."""
    ranks, errors = [], []
    for target in runs.targets:
        if missing(runs, target, law(name)) is not None:
            return
        predicted, _ = held_out(runs, target, law(name))
        losses = runs.loss(target)[judged_on(runs)]
        ranks.append(float(spearmanr(predicted, losses).statistic))
        errors.append(float(np.abs(predicted - losses).mean()))
    yield from summed(name, ranks, errors, len(judged_on(runs)), told)


def larger(runs: Runs, name: str, told: Mapping[str, object]) -> Iterable[Row]:
    """Fit a law to the small models of some mixtures, and judge it on the large models of the others."""
    groups = runs.groups()
    test = np.flatnonzero(runs.parameters == runs.parameters.max())
    train = np.flatnonzero((runs.parameters == runs.parameters.min()) & ~np.isin(groups, groups[test]))
    few, large = runs.take(train), runs.take(test)
    ranks, errors = [], []
    for target in runs.targets:
        if missing(few, target, law(name)) is not None:
            return
        # A law that knows of sizes was fitted to one alone: what it says is of that one.
        predicted = predict(fit(few, target, law(name)), large, target)
        ranks.append(float(spearmanr(predicted, large.loss(target)).statistic))
        errors.append(float(np.abs(predicted - large.loss(target)).mean()))
    yield from summed(f"{name}.to_large", ranks, errors, len(test), told)


def seeds(runs: Runs, told: Mapping[str, object]) -> Iterable[Row]:
    """Say how well one seed of a mixture predicts the other."""
    at = judged_on(runs)
    groups = runs.groups()[at]
    pairs = [at[groups == g] for g in np.unique(groups) if (groups == g).sum() == 2]
    if len(pairs) < 3:
        return
    first, second = (np.array([pair[i] for pair in pairs]) for i in (0, 1))
    ranks = [float(spearmanr(runs.loss(t)[first], runs.loss(t)[second]).statistic) for t in runs.targets]
    errors = [float(np.abs(runs.loss(t)[first] - runs.loss(t)[second]).mean()) for t in runs.targets]
    yield from summed("seeds", ranks, errors, len(pairs), told)


def merged(runs: Runs, told: Mapping[str, object]) -> Iterable[Row]:
    """Compare merged experts with trained mixtures on the same table."""
    import torch

    from glotmix.proxy import ensemble, experts, model, texts
    from glotmix.proxy.size import shape
    from glotmix.proxy.tokenizer import Pieces

    preset = PRESETS[PRESET]
    folder = FOLDER / f"runs-{PRESET}"
    pieces = Pieces(folder / "tokenizer.json")
    corpus = texts.load(folder / "text", pieces).choose(runs.domains)
    formed = shape(preset.small, len(pieces), preset.context)
    rate, cpu, m = preset.config.rate_of(formed.width), torch.device("cpu"), len(runs.domains)

    def trained(weights, shares, steps: int, first: int):
        streams = [
            texts.starts(corpus, row, steps * preset.batch, preset.context, first + i, [np.inf] * m)
            for i, row in enumerate(shares)
        ]
        state = ensemble.State.begin(weights, cpu)
        ensemble.train(
            state,
            formed,
            ensemble.Training(preset.batch, steps, rate),
            ensemble.Streams(corpus, streams, preset.context, cpu),
        )
        return state.weights

    steps = -(-preset.tokens // (preset.batch * preset.context))
    start = trained(model.begin(formed, [0]), [np.full(m, 1 / m)], steps, 0)
    each = trained({n: w.detach().repeat_interleave(m, 0) for n, w in start.items()}, np.eye(m), steps, 100)
    at = judged_on(runs)
    at = at[[i for i, name in enumerate(np.array(runs.names)[at]) if "-s" not in name]]
    guessed = experts.estimate(start, each, runs.shares[at], formed, corpus)
    ranks = [float(spearmanr(guessed[:, j], runs.loss(t)[at]).statistic) for j, t in enumerate(runs.targets)]
    errors = [float(np.abs(guessed[:, j] - runs.loss(t)[at]).mean()) for j, t in enumerate(runs.targets)]
    yield from summed("merged_experts", ranks, errors, len(at), told)


def final(told: Mapping[str, object]) -> Iterable[Row]:
    """Train the chosen mixture and every other at the larger size; see `_swarm_refit`."""
    unit = "bits per byte"
    each, named, same = refit.finals(), refit.mixtures(), distinct(refit.mixtures())
    told = {**told, **refit.fixed()["told"], "seeds": refit.SEEDS, "parameters": refit.LARGE, "tokens": refit.TOKENS}
    for name, losses in each.items():
        shares = {lang: round(float(r), 4) for lang, r in zip(refit.LANGUAGES, named[name], strict=True)}
        about = {**told, "shares": shares, "same_as": same[name] if same[name] != name else None}
        for metric, values in (("mean_bpb", losses.mean(axis=1)), ("worst_bpb", losses.max(axis=1))):
            yield Row(
                NAME, f"final.{name}.{metric}", float(values.mean()), *over_seeds(values), len(losses), unit, about
            )
        for other in ("chosen", "found"):
            if name != other:
                over = losses.mean(axis=1) - each[other].mean(axis=1)
                about = {**told, "same": same[other] == same[name], "seeds above": int((over > 0).sum())}
                metric = f"final.{name}.over_{other}"
                yield Row(NAME, metric, float(over.mean()), *over_seeds(over), len(losses), unit, about)


def over_seeds(values: np.ndarray) -> tuple[float, float]:
    """Return the ends of Student's 95 % interval of a mean: draws of six seeds would be too sure."""
    low, high = student.interval(0.95, len(values) - 1, values.mean(), values.std(ddof=1) / np.sqrt(len(values)))
    return float(low), float(high)


def differences(runs: Runs, told: Mapping[str, object]) -> Iterable[Row]:
    """Ask the intervals of `glotmix mix`, from small models of some mixtures, about other mixtures at both sizes."""
    groups, mixed = runs.groups(), runs.shares.max(axis=1) < 1 - 1e-9
    large = np.flatnonzero((runs.parameters == runs.parameters.max()) & mixed)
    unseen = np.isin(groups, groups[large]) & mixed
    small = runs.parameters == runs.parameters.min()
    laws = ("effective_data", "fading_transfer", "saturating_transfer", "similarity_transfer", "own_share")
    drawn = fitted(runs.take(np.flatnonzero(small & ~unseen & mixed)), laws)
    for name, rows in (("small", np.flatnonzero(small & unseen)), ("large", large)):
        part, width, n = covered(drawn, runs.shares[rows], runs.losses[rows].mean(axis=1), 0, 300)
        about = {**told, "pairs": n, "mixtures": len(rows)}
        yield Row(NAME, f"coverage.difference.{name}", part, None, None, n, "part inside", about)
        yield Row(NAME, f"width.difference.{name}", width, None, None, n, "bits per byte", about)


def laws(small: bool) -> Iterable[Row]:
    """Rows of what laws say of unseen mixtures of the published swarm."""
    runs = table(train=not small)
    count = {int(p): int((runs.parameters == p).sum()) for p in np.unique(runs.parameters)}
    told = {"runs": count, "tokens": int(runs.tokens.max()), "languages": list(runs.domains)}
    one = runs.take(np.flatnonzero(runs.parameters == runs.parameters.min()))
    with one_thread():
        for name in ("own_share", "ridge") if small else competing():
            yield from unseen(one, name, told)
            yield from larger(runs, name, told)
        yield from seeds(one, told)
        yield from differences(runs, told)
        if not small:
            yield from merged(one, told)


def refitted(small: bool) -> Iterable[Row]:
    """Rows of the mixtures that the rule chooses on one half of the held-out text, judged on the other."""
    return () if small else final({"languages": list(refit.LANGUAGES)})


PARTS: dict[str, _parts.Part] = {"final": refitted, "laws": laws}

if __name__ == "__main__":
    _parts.main(NAME, PARTS)
