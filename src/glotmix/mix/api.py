"""From runs in memory to laws and a mixture: `glotmix.mix.fit`, and what its result can do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glotmix.core import warning
from glotmix.core.errors import RequestError, did_you_mean
from glotmix.core.section import checked
from glotmix.core.shown import Sheet, Shown
from glotmix.core.tabular import as_columns
from glotmix.mix import plan as planning
from glotmix.mix.accounting import Available, Share
from glotmix.mix.config import MixConfig, under_laws
from glotmix.mix.law_fit import Choice, choose_each
from glotmix.mix.run_tables import of_tables, olmix, pair
from glotmix.mix.runs import Runs, code


@dataclass(frozen=True, eq=False, repr=False)
class Mixture(Shown):
    """How much of each language to train on.

    Args:
        plan: the mixture with its baselines, gains and evidence; see `glotmix.mix.plan.Plan`.
    """

    plan: planning.Plan

    @property
    def rows(self) -> tuple[Share, ...]:
        """A row for each language: share, interval, tokens, epochs."""
        return self.plan.mixture.rows

    @property
    def shares(self) -> dict[str, float]:
        """Share of the training tokens by language; they sum to one."""
        return {row.lang: row.share for row in self.rows}

    @property
    def verdict(self) -> str | None:
        """What the runs prove, in a sentence; None for a mixture without runs."""
        return None if self.plan.evidence is None else str(self.plan.evidence["verdict"]["said"])

    def save(self, folder: str | Path) -> Path:
        """Write ``mixture.json`` and ``mixture.csv`` into a folder, and return it."""
        planning.write(self.plan, Path(folder))
        return Path(folder)

    def sheet(self) -> Sheet:
        """See `Shown`."""
        rows = [(r.lang, f"{r.share:.2%}", _span(r), r.tokens_used, r.epochs) for r in self.rows]
        gains = [
            f"over {gain['over']}: {gain['gain']:+.4f} of loss ({gain['low']:+.4f} to {gain['high']:+.4f})"
            for gain in self.plan.gains
        ]
        notes = [*gains, *(warning.line(text) for text in self.plan.warnings), *filter(None, [self.verdict])]
        title = f"{self.plan.tokens:,} tokens by {self.plan.method}"
        return Sheet(title, ("language", "share", "as good", "tokens", "epochs"), rows, notes)


def _span(row: Share) -> str:
    return "" if row.low is None or row.high is None else f"{row.low:.1%} – {row.high:.1%}"


@dataclass(frozen=True, eq=False, repr=False)
class Fit(Shown):
    """Laws fitted to runs: for each target the one with the least error on mixtures that it had not seen.

    Args:
        runs: what they were fitted to.
        choices: a law for each target, with the scores of all that competed.
    """

    runs: Runs
    choices: tuple[Choice, ...]

    @property
    def laws(self) -> dict[str, str]:
        """Target → the name of its law."""
        return {choice.target: choice.law.name for choice in self.choices}

    def predict(self, mixture: Mapping[str, float]) -> dict[str, float]:
        """Return the loss of a mixture on each target, if nothing repeats.

        Args:
            mixture: share by language; those that it leaves out have none.

        Raises:
            RequestError: for a language that the runs do not have, or shares that do not sum to one.
        """
        import numpy as np

        shares = {code(lang): share for lang, share in mixture.items()}
        if unknown := [lang for lang in shares if lang not in self.runs.domains]:
            raise RequestError(f"the runs have no language {unknown[0]}{did_you_mean(unknown[0], self.runs.domains)}")
        if abs(sum(shares.values()) - 1) > 1e-6:
            raise RequestError(f"the shares sum to {sum(shares.values()):.4g}, not to one")
        row = np.array([[shares.get(lang, 0.0) for lang in self.runs.domains]])
        return {choice.target: float(choice.fitted.predict(row)[0]) for choice in self.choices}

    def solve(self, stock: Any, **settings: Any) -> Mixture:
        """Return the best mixture under the limits, with intervals, beside every baseline: `glotmix mix solve`.

        Args:
            stock: unique tokens by language, as a mapping; or a table with ``lang`` and ``tokens``, maybe
                ``documents`` and ``bytes``.
            settings: of the recipe's section `mix`: ``tokens=1e9``, ``floors={"khm": 0.01}``.

        Raises:
            RequestError: if no mixture keeps the limits, or a setting is not one.
            DataError: if the stock cannot be meant.
        """
        return Mixture(planning.plan(available(stock), section(under_laws(settings)), fitted=(self.runs, self.choices)))

    def sheet(self) -> Sheet:
        """See `Shown`."""
        rows = []
        for choice in self.choices:
            score = next(s for s in choice.scores if s.law == choice.law.name)
            rows.append((choice.target, choice.law.name, score.n, score.error, score.error_of_mean, score.rank))
        title = f"{len(self.runs)} runs over {len(self.runs.domains)} languages, {len(rows)} targets"
        notes = ["error: mean absolute error on n held-out runs; mean's: the same of predicting their mean"]
        notes += [warning.line(choice.warning) for choice in self.choices if choice.warning]
        return Sheet(title, ("target", "law", "n", "error", "mean's", "rank"), rows, notes)


def fit(mixtures: Any, losses: Any = None, laws: Sequence[str] | None = None, folds: int = 5, seed: int = 0) -> Fit:
    """Fit laws to runs; each target's law is chosen by its error on mixtures that it has not seen: `glotmix mix fit`.

    Args:
        mixtures: a table with ``run_id`` and a column per language, the shares of each run; maybe ``parameters``,
            ``tokens``, ``seed`` and ``unique.LANGUAGE``. Or a folder with ``ratios.csv`` and ``metrics.csv``; or
            `Runs`.
        losses: a table with ``run_id`` and a column per target, less is better.
        laws: those that compete; by default all that can.
        folds: of the cross-validation.
        seed: of the folds.

    Raises:
        DataError: if a run is in one table alone, shares do not sum to one, or there are too few runs.
        RequestError: if no law of `laws` fits a target, or there is none of that name.
    """
    from glotmix.native.threads import one_thread

    runs = _runs(mixtures, losses).canonical()
    # Sums in another order, on another number of threads, would be other bytes; and the matrices are small.
    with one_thread():
        return Fit(runs, tuple(choose_each(runs, laws, folds, seed)))


def _runs(mixtures: Any, losses: Any) -> Runs:
    if isinstance(mixtures, Runs):
        return mixtures
    if losses is not None:
        return of_tables(as_columns(mixtures, "the mixtures"), as_columns(losses, "the losses"))
    if isinstance(mixtures, str | Path):
        return olmix(*pair(Path(mixtures)))
    raise RequestError("there are no losses", "glotmix.mix.fit(mixtures, losses)")


def allocate(stock: Any, **settings: Any) -> Mixture:
    """Return a mixture from what there is of each language alone, without runs: UniMax by default.

    Args:
        stock: see `Fit.solve`.
        settings: of the recipe's section `mix`: ``method="temperature"``.

    >>> allocate({"fra_Latn": 300_000, "amh_Ethi": 20_000}).shares
    {'fra_Latn': 0.75, 'amh_Ethi': 0.25}
    """
    return Mixture(planning.plan(available(stock), section(settings)))


def section(settings: Mapping[str, Any]) -> MixConfig:
    """Return the section `mix` of a recipe from its keys.

    Raises:
        RequestError: naming the key, what was found and what is allowed.
    """
    return checked("mix", MixConfig, settings)


def available(stock: Any) -> Available:
    """Return what there is of each language: see `Fit.solve`."""
    if isinstance(stock, Available):
        return stock
    if isinstance(stock, Mapping) and not any(isinstance(value, list | tuple) for value in stock.values()):
        return _once([(str(lang), 1, tokens, tokens) for lang, tokens in stock.items()])
    columns = as_columns(stock, "the stock")
    if missing := [name for name in ("lang", "tokens") if name not in columns]:
        raise RequestError(f"the stock has no column {missing[0]}{did_you_mean(missing[0], columns)}")
    tokens = columns["tokens"]
    rows = zip(columns["lang"], columns.get("documents") or [1] * len(tokens), columns.get("bytes") or tokens, tokens,
               strict=True)  # fmt: skip
    return _once(list(rows))


def _once(rows: Sequence[tuple[Any, Any, Any, Any]]) -> Available:
    """Return what there is, of rows of a language, its documents, bytes and tokens: each language once."""
    found: dict[str, tuple[int, int, int]] = {}
    for lang, documents, size, tokens in rows:
        if (known := code(lang)) in found:
            raise RequestError(f"the stock names {known} twice", "one row a language, its tokens added up")
        found[known] = (int(documents), int(size), int(tokens))
    return Available.of(found)
