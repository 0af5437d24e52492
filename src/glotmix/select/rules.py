"""The rules of the ledger itself, in the order of the funnel; a signal's own rules stand in the signal's file."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from glotmix.core import table
from glotmix.core.errors import RequestError, did_you_mean
from glotmix.core.language import parse
from glotmix.core.rules import LanguageSetting, LedgerView, Rule, RuleHits, Through, bound, drop_or_keep, number, share
from glotmix.mix import plan as mixing
from glotmix.quality.rater import Rater
from glotmix.quality.reference import shipped
from glotmix.quality.steps import APPLIED
from glotmix.select import ledger, licenses, retention, thresholds, unusual
from glotmix.select.comparable import would_keep
from glotmix.select.ledger_builder import RETENTION, LedgerBuilder
from glotmix.select.min_sources import disagreement
from glotmix.select.ranking import Across, Ranking
from glotmix.select.sample import Draw
from glotmix.signals import confusions
from glotmix.signals.heuristics import GRAIN

VERSION = 4


def _builder(view: LedgerView) -> LedgerBuilder:
    assert isinstance(view, LedgerBuilder)
    return view


def _license(view: LedgerView) -> list[RuleHits]:
    """Return what its licence does not let one keep, and note what no list decided."""
    config = view.context.recipe.select.licenses
    if config is None:
        return []
    for source in view.context.recipe.corpus.sources:
        if isinstance(source.license, str):
            try:
                licenses.parse(source.license)
            except licenses.UnknownLicenseError as error:
                if config.unknown == "drop":
                    raise RequestError(
                        f"corpus.sources: the licence of '{source.name}': {error}",
                        "write its SPDX id (or LicenseRef-NAME), or set select.licenses.unknown=keep",
                    ) from error
    judged = _builder(view).judged = licenses.judge(view.documents["license"].combine_chunks(), config)
    return [judged.failures]


def _language(view: LedgerView) -> list[RuleHits]:
    if view.context.instructs:
        return []

    section = view.context.recipe.signals.identify
    # The thresholds were measured of py3langid alone.
    model = "several" if section.also else section.model

    def policy(lang: str, source: str) -> tuple[str, float]:
        given = view.setting(lang, source, "identify.min_score")
        least = confusions.least(lang, model) if given is None else given
        return view.setting(lang, source, "identify.on_mismatch"), least

    return [ledger.wrong_language(view.documents, policy, confusions.apart)]


def _heuristics(view: LedgerView) -> list[RuleHits]:
    builder, rater = _builder(view), _rater(view)
    # What a rater weighs all together spends its budget of good text; single lines do not spend it again.
    rated = () if rater is None or rater.usual.structure is None else rater.usual.structure.columns
    limits = table.read(table.shards(view.context.step_dir("thresholds")))
    found = []
    for source, rows in builder.rule_groups():
        same = pc.equal(limits["source"], source) if source else pc.is_null(limits["source"])
        mine = table.rows_of(builder.measured, rows)
        lines = limits.filter(same).drop_columns("source")
        failures = thresholds.failures(mine, lines)
        if not view.context.instructs:
            failures = unusual.judge(failures, mine, lines, shipped(), GRAIN, rated)
        found += [RuleHits(one.rule, rows[one.rows], one.evidence, one.drops) for one in failures]
    return found


def _rater(view: LedgerView) -> Rater | None:
    """Return the recipe's rater, where its scores are probabilities and a budget of good text is spent by them."""
    context = view.context
    if context.instructs or context.recipe.quality is None or context.recipe.select.retain != "lose":
        return None
    rater = context.once("rater of the ledger", lambda: Rater.read(context.step_dir("signals/quality") / APPLIED))
    return rater if rater.probability is not None else None


def _duplicates(view: LedgerView) -> list[RuleHits]:
    builder = _builder(view)
    found, partners = ledger.duplicates(view.documents, view.alive(), builder.representatives)
    builder.decisions.duplicate_of.update(partners)
    return found


def _min_sources(view: LedgerView) -> list[RuleHits]:
    languages = pc.unique(view.documents["lang"]).to_pylist()
    least = {lang: view.setting(lang, None, "source_overlap.min_sources") for lang in languages}
    failure, told = disagreement(view.documents, view.alive(), lambda lang: least[lang])
    for text in told:
        view.warn(text)
    return [failure]


def _per_domain(view: LedgerView) -> list[RuleHits]:
    most = view.context.recipe.select.per_domain
    return [] if most is None else [retention.crowded(view.documents, view.alive(), most, "domain")]


@dataclass(frozen=True)
class Choice:
    """How retention chooses among the documents that all other rules let pass.

    Args:
        lose: (language, source) → (the score below which a document falls, the share of good text that it costs);
            None where documents compete.
        ranking: who competes, and how much is kept.
        across: the score by which as many documents as the ranking keeps are chosen of all languages together.
    """

    lose: Mapping[tuple[str, str], tuple[float, float]] | None = None
    ranking: Ranking | None = None
    across: str | None = None

    def best(self, total: int) -> Across | None:
        """Return the contest of all languages together, for so many documents, where that is asked for."""
        reason = f"one line for all languages, as many as the best of each would be ({total:,})"
        return None if self.across is None else Across(self.across, total, reason, "quality")


def choice(view: LedgerView, pairs: Iterable[tuple[str, str]]) -> Choice | None:
    """Return how retention chooses; None where it keeps all.

    Args:
        view: the ledger, with what the other rules left.
        pairs: the languages and sources of its documents.
    """
    context, recipe = view.context, view.context.recipe
    if context.instructs:
        return None
    section, mode = recipe.select, recipe.select.retain
    if mode == "tokens" and not section.tokens:
        raise RequestError("select.retain is tokens, and no language has a number", "select.tokens={fra_Latn: 1e9}")
    if recipe.quality is None or mode == "all":
        return None
    if (rater := _rater(view)) is not None:
        lines = {}
        for lang, source in pairs:
            own = view.setting(lang, source, "quality.lose")
            share = section.lose if own is None else float(own)
            assert rater.probability is not None
            lines[lang, source] = (rater.probability.line(lang, share), share)
        return Choice(lines)
    if mode == "lose":
        view.warn(
            "the rater gives no probabilities, so no budget of good text can be kept: the best quality.keep of each "
            "language are kept instead (select.retain=share says so, select.retain=all keeps every one)"
        )
        mode = "share"
    survivors = _builder(view).survivors
    draw = Draw(section.temperature, recipe.seed) if section.sample == "gumbel" else None
    if mode == "share":
        wanted = {lang: float(view.setting(lang, None, "quality.keep")) for lang in survivors.languages}
        best = "the best" if section.sample == "top" else f"by quality at temperature {section.temperature:g},"
        reasons = {lang: f"{best} {100 * share:.3g}% are kept" for lang, share in wanted.items()}
        within = None if section.within == "language" else section.within
        across = None if section.score == "quantile" else {"score": "quality"}.get(section.score, section.score)
        return Choice(ranking=Ranking(wanted, reasons, "quality", within=within, draw=draw), across=across)
    if mode == "tokens":
        wanted = {parse(code).code: float(number) for code, number in section.tokens.items()}
        there = sorted({lang for lang, _ in pairs})
        for lang in sorted(wanted.keys() - set(there)):
            raise RequestError(
                f"select.tokens names {lang}, of which there is no document{did_you_mean(lang, there)}",
                f"remove it, or use one of: {', '.join(there)}",
            )
        reasons = {lang: f"select.tokens wants {number:,.0f}" for lang, number in wanted.items()}
    else:
        # The whole rule, not the shares alone: what is chosen hangs on its doubt.
        mixture = mixing.plan(survivors, recipe.mix, context.base).mixture
        most = recipe.mix.cap or 1.0
        epochs = {lang: recipe.mix.max_epochs_of.get(lang, most) for lang in survivors.languages}
        wanted = {row.lang: row.tokens_used / epochs[row.lang] for row in mixture.rows}
        reasons = {
            row.lang: f"{row.tokens_used:,} tokens at {epochs[row.lang]:g} epochs need {wanted[row.lang]:,.0f}"
            for row in mixture.rows
        }
    return Choice(ranking=Ranking(wanted, reasons, "budget", "tokens", draw=draw))


def _retain(view: LedgerView) -> list[RuleHits]:
    """Drop what the rater calls unnatural; or keep the best of each language, or a draw: a share, tokens, a budget."""
    builder, documents, alive = _builder(view), view.documents, view.alive()
    pairs = documents.group_by(["lang", "source"]).aggregate([]).to_pylist()
    chosen = choice(view, ((row["lang"], row["source"]) for row in pairs))
    if chosen is None:
        return []
    if chosen.lose is not None:
        hits, left = retention.lose(documents, alive, chosen.lose, "quality")
        builder.cut(retention.lost(left))
        return hits
    assert chosen.ranking is not None
    failure, lines = chosen.ranking.retain(documents, alive)
    cutoffs = chosen.ranking.cutoffs(lines)
    best = chosen.best(sum(one.kept for one in lines.values()))
    if best is not None:
        failure, held = best.retain(documents, alive)
        cutoffs = {lang: one.cutoff(best.reason) for lang, one in held.items()}
    builder.notes["would_keep"] = would_keep(documents, alive, int(np.count_nonzero(alive)) - len(failure.rows))
    builder.cut(cutoffs)
    return [failure]


RULES = (
    Rule("license", _license, 10, meaning="its licence is not among those that are kept"),
    Rule(
        "identify",
        _language,
        40,
        (
            LanguageSetting("identify.on_mismatch", ..., "'drop' or 'keep'", drop_or_keep),
            LanguageSetting(
                "identify.min_score", ..., "a number from 0 to 1, or null", lambda v: v is None or share(v)
            ),
        ),
        "its text reads as another language than the declared one",
    ),
    Rule(
        "heuristics",
        _heuristics,
        50,
        (LanguageSetting("heuristics.", ..., "a number, {quantile: q} with q from 0 to 1, or null", bound),),
        "it lies beyond a line of a heuristic, in its language",
    ),
    Rule("duplicates", _duplicates, 60, meaning="another member of its duplicate cluster is kept"),
    Rule(
        "source_overlap",
        _min_sources,
        70,
        (
            LanguageSetting(
                "source_overlap.min_sources",
                ...,
                "a whole number from 1, or null",
                lambda v: v is None or (number(v, 1) and v == int(v)),
                Through(("duplicates.sources",), "below", whole=True),
            ),
        ),
        "fewer independent sources hold it than its language asks for",
    ),
    Rule("domain", _per_domain, RETENTION, meaning="its domain has as many better documents as are kept of one"),
    Rule(
        "quality",
        _retain,
        RETENTION,
        (
            LanguageSetting("quality.keep", ..., "a share from 0 to 1", share),
            LanguageSetting(
                "quality.lose",
                ...,
                "a share above 0 to 0.5, or null",
                lambda v: v is None or (share(v) and 0 < v <= 0.5),
            ),
        ),
        "the rater calls it unnatural, or better documents of its language fill the share or the budget",
    ),
)
