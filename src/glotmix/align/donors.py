"""Which languages help which: what a model says of two languages, beside the transfer that runs measured.

Four guesses of how much a token of one language helps another: the similarity of the two in one model (mean cosine gap
of its layers; mPLM-Sim, arXiv 2305.13684, finds correlations of .4 to .6 with transfer within a model, and another sign
when models are pooled), the overlap of their pieces under its tokenizer, one script, one family. What they are worth is
measured on the transfer of the laws, target by target: Spearman's correlation over donors.

A guess is a prior where runs are few: `log τ_ij` of other languages is regressed on it, and `similarity_transfer` of
a language is drawn to what they say. Leave-one-language-out decides whether that is used: see `decide`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from glotmix.align.alignment import Alignment
from glotmix.align.states import Model
from glotmix.core.errors import DataError
from glotmix.core.language import parse
from glotmix.mix.law_fit import LEAST, fit, judged_on
from glotmix.mix.laws import law
from glotmix.mix.laws.base import Context, PowerLaw, Sample
from glotmix.mix.laws.similarity import SimilarityTransfer
from glotmix.mix.runs import Runs
from glotmix.mix.runs import similarity as related
from glotmix.signals.tokenizer import overlap_of

Array: TypeAlias = NDArray[np.float64]

GUESSES = ("similarity", "overlap", "script", "family")
SHOWN = 0.4
"""Spearman's correlation from which similarity is said to tell who helps (mPLM-Sim finds .4 to .6)."""
FEW, DRAWS = 16, 3
"""Mixtures that are few, and how often so many are drawn."""
_LEAST = 1e-4


@dataclass(frozen=True)
class Guess:
    """What a guess is worth: Spearman's correlation with the measured transfer, mean over targets, with its interval
    over targets; `value` None where the guess is the same for all donors of every target.
    """

    name: str
    value: float | None
    low: float | None
    high: float | None
    targets: int


@dataclass(frozen=True)
class Decision:
    """Whether the prior is used: `gain` is the error of `similarity_transfer` on unseen mixtures less its error with
    the prior, as a share of the former, mean over languages left out; used where its interval is above 0.
    """

    used: bool
    gain: float
    low: float
    high: float
    languages: int
    runs: int


@dataclass(frozen=True, eq=False)
class Donors:
    """Guesses for every two languages, and what is measured of them.

    Args:
        languages: in order.
        guesses: name → (m, m), row the target, column the donor.
        transfer: (m, m), what a token of the donor is worth in tokens of the target's own; None without runs.
        worth: of every guess; empty without runs.
        decision: None without runs, or with too few.
    """

    languages: tuple[str, ...]
    guesses: Mapping[str, Array]
    transfer: Array | None
    worth: tuple[Guess, ...]
    decision: Decision | None

    def table(self) -> pa.Table:
        """Return a row per target and donor; the schema's metadata has the sentence."""
        rows = []
        for i, target in enumerate(self.languages):
            for j, donor in enumerate(self.languages):
                if i != j:
                    told: dict[str, Any] = {name: float(self.guesses[name][i, j]) for name in GUESSES}
                    moved = None if self.transfer is None else float(self.transfer[i, j])
                    rows.append({"target": target, "donor": donor} | told | {"transfer": moved})
        return pa.Table.from_pylist(rows).replace_schema_metadata({"verdict": self.sentence})

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data, ready for JSON."""
        return {
            "sentence": self.sentence,
            "languages": list(self.languages),
            "pairs": self.table().to_pylist(),
            "worth": [asdict(one) for one in self.worth],
            "decision": None if self.decision is None else asdict(self.decision),
        }

    @property
    def sentence(self) -> str:
        """Say what was found in one sentence."""
        said = {one.name: one for one in self.worth}
        model = said.get("similarity")
        if model is None or model.value is None or model.low is None:
            return "not shown: no runs say whether a similar language helps here, and on the published swarm it did not"
        others = max((said[name].value or 0.0 for name in ("script", "family") if name in said), default=0.0)
        if model.low > 0 and model.value >= SHOWN and model.value > others:
            return f"similar languages help here: Spearman {model.value:.2f}, script and family at most {others:.2f}"
        said_of = f"{model.value:.2f} ({model.low:.2f} to {model.high:.2f})"
        return f"not shown: Spearman {said_of}, script or family {others:.2f}"


def guesses(model: Model, found: Alignment, texts: Mapping[str, Mapping[str, str]]) -> dict[str, Array]:
    """Return every guess for the languages of an alignment of which every two were compared, (m, m) each."""
    langs = list(found.languages)
    m = len(langs)
    made = {name: np.eye(m) for name in GUESSES}
    for pair in found.pairs:
        i, j = langs.index(pair.a), langs.index(pair.b)
        made["similarity"][i, j] = made["similarity"][j, i] = np.mean([one.figures["gap"].value for one in pair.layers])
    pieces = [np.concatenate(model.pieces(list(texts[lang].values()))) for lang in langs]
    names, at = np.unique(np.concatenate(pieces), return_inverse=True)
    counts = [
        np.bincount(part, minlength=len(names)) for part in np.split(at, np.cumsum([len(p) for p in pieces])[:-1])
    ]
    for i in range(m):
        for j in range(m):
            if i != j:
                made["overlap"][i, j] = overlap_of(counts[i], counts[j]) or 0.0
                one, other = parse(langs[i]), parse(langs[j])
                made["script"][i, j] = one.script == other.script
                made["family"][i, j] = one.family is not None and one.family == other.family
    return made


def measured(runs: Runs) -> Array:
    """Return what a token of each language is worth to each other, by `effective_data` at the mean mixture, (m, m).

    Row: the target, in the order of the runs' domains, which must all be targets.

    Raises:
        DataError: if a domain is no target.
    """
    lost = [lang for lang in runs.domains if lang not in runs.targets]
    if lost:
        raise DataError(f"the runs say no loss of {', '.join(lost)}", "metrics.csv with a column for each language")
    middle = runs.take(judged_on(runs)).worth().mean(axis=0, keepdims=True)
    rows = []
    for target in runs.domains:
        found = fit(runs, target, law("effective_data"))
        assert isinstance(found, PowerLaw) or hasattr(found, "ratio_slope")
        rows.append(found.ratio_slope(middle)[0])
    return np.array(rows)


def worth(made: Mapping[str, Array], transfer: Array) -> tuple[Guess, ...]:
    """Say what every guess is worth: Spearman over donors for each target, mean of targets with a t interval."""
    from scipy import stats

    m = len(transfer)
    told = []
    for name in GUESSES:
        ranks = []
        for i in range(m):
            others = np.arange(m) != i
            guess, truth = made[name][i, others], transfer[i, others]
            # A guess that sets no donor of a target apart says nothing of it: a correlation of 0.
            flat = np.ptp(guess) == 0 or np.ptp(truth) == 0
            ranks.append(0.0 if flat else float(stats.spearmanr(guess, truth).statistic))
        if not any(ranks) or m < 3:
            told.append(Guess(name, None, None, None, m))
            continue
        mean, half = float(np.mean(ranks)), float(stats.t.ppf(0.975, m - 1) * np.std(ranks, ddof=1) / m**0.5)
        told.append(Guess(name, mean, mean - half, mean + half, m))
    return tuple(told)


def prior(transfer: Array, features: Array, left_out: int) -> tuple[float, ...]:
    """Regress `log τ` of all other targets on how near their donors are; return the coefficients, (q,).

    Args:
        transfer: (m, m), row the target.
        features: (m, m, q), the first column 1.
        left_out: the target whose transfers are not read, as a target.
    """
    m = len(transfer)
    rows = [(i, j) for i in range(m) for j in range(m) if i not in (j, left_out)]
    x = np.array([features[i, j] for i, j in rows])
    y = np.log(np.maximum([transfer[i, j] for i, j in rows], _LEAST))
    pull = 1e-3 * len(rows) * np.eye(x.shape[1])
    pull[0, 0] = 0.0
    return tuple(float(c) for c in np.linalg.solve(x.T @ x + pull, x.T @ y))


def features(runs: Runs, similarity: Array) -> Array:
    """Return how near languages are, (m, m, 4): any, one script, one family, and the similarity, standardised."""
    m = len(runs.domains)
    off = ~np.eye(m, dtype=bool)
    scaled = (similarity - similarity[off].mean()) / max(float(similarity[off].std()), 1e-9)
    near = [related(runs.domains, i) for i in range(m)]
    if any(one is None for one in near):
        raise DataError("the domains of the runs are no languages", "runs over languages, such as fra_Latn")
    return np.concatenate([np.array(near), scaled[..., None]], axis=2)


def decide(runs: Runs, similarity: Array, few: int = FEW, draws: int = DRAWS, seed: int = 0) -> Decision | None:
    """Say whether the similarity is a prior worth having where runs are few.

    From few mixtures, `effective_data` is fitted to every language but one, their transfers are regressed on script,
    family and similarity, and `similarity_transfer` of the language left out is drawn to that. Its error on mixtures
    that were not drawn stands beside that of `similarity_transfer` as it is.

    Args:
        runs: over languages that are all targets.
        similarity: (m, m) in their order.
        few: mixtures to fit to.
        draws: of these.
        seed: of the draws.

    Returns:
        None where there are not `few` mixtures and as many as a law is judged on (`LEAST`) besides.
    """
    from scipy import stats

    rows = judged_on(runs)
    if len(rows) < few + LEAST:
        return None
    near = features(runs, similarity)
    gains = np.zeros((draws, len(runs.domains)))
    for draw in range(draws):
        order = np.random.default_rng([seed, draw]).permutation(rows)
        some, others = runs.take(order[:few]), runs.take(order[few:])
        transfer = measured(some)
        for own, target in enumerate(runs.domains):
            errors = []
            for by, kin in (
                (SimilarityTransfer(), near[own][:, :3]),
                (SimilarityTransfer(prior=prior(transfer, near, own)), near[own]),
            ):
                found = by.fit(Sample(some.worth(), some.loss(target), own, context=Context(similarity=kin)))
                errors.append(float(np.abs(found.predict(others.worth()) - others.loss(target)).mean()))
            gains[draw, own] = 1 - errors[1] / errors[0]
    each = gains.mean(axis=0)
    half = float(stats.t.ppf(0.975, len(each) - 1) * each.std(ddof=1) / len(each) ** 0.5)
    mean = float(each.mean())
    return Decision(mean - half > 0, mean, mean - half, mean + half, len(each), few)


def donors(
    model: Model, found: Alignment, texts: Mapping[str, Mapping[str, str]], runs: Runs | None = None, seed: int = 0
) -> Donors:
    """Guess which languages help which, and say what the guesses are worth where there are runs.

    Args:
        model: whose similarity is asked.
        found: its alignment, of every two languages (no pivot).
        texts: what the alignment was made of.
        runs: over languages; those that are not in the alignment are left out of the comparison.
        seed: of the draws of runs.

    Raises:
        DataError: if the runs and the texts have fewer than four languages in common.
    """
    made = guesses(model, found, texts)
    if runs is None:
        return Donors(found.languages, made, None, (), None)
    runs = runs.canonical()
    common = [lang for lang in runs.domains if lang in found.languages]
    if len(common) < 4:
        raise DataError(
            f"the runs and the text have {len(common)} languages in common: {', '.join(common) or 'none'}",
            "parallel text in at least four languages of the runs",
        )
    at = [found.languages.index(lang) for lang in common]
    here = {name: guess[np.ix_(at, at)] for name, guess in made.items()}
    rows = [runs.domains.index(lang) for lang in common]
    transfer = measured(runs)[np.ix_(rows, rows)]
    whole = len(common) == len(runs.domains)
    decision = decide(runs, here["similarity"], seed=seed) if whole else None
    return Donors(tuple(common), here, transfer, worth(here, transfer), decision)


def ranked(found: Donors, target: str, most: int = 3) -> Sequence[str]:
    """Return the languages that help a target most, by measured transfer; where nothing is measured, by similarity."""
    i = found.languages.index(target)
    by = found.transfer if found.transfer is not None else found.guesses["similarity"]
    order = [int(j) for j in np.argsort(-by[i], kind="stable") if j != i]
    return [found.languages[j] for j in order[:most]]
