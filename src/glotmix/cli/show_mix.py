"""What `glotmix mix` prints on a terminal."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.text import Text

from glotmix.cli import terminal
from glotmix.mix import cells
from glotmix.mix.accounting import Share
from glotmix.mix.compare import Compared
from glotmix.mix.doubts import doubts
from glotmix.mix.law_fit import Choice
from glotmix.mix.plan import Plan, by_language
from glotmix.mix.runs import Runs


def show_design(planned: Runs, output: Path | None, first: bool = False) -> None:
    """Print how many runs of which kind, how each language's shares are spread, and of a first round what follows."""
    console = terminal.console()
    alone = planned.shares.max(axis=1) > 1 - 1e-9
    mixed = planned.shares[~alone] if (~alone).any() else planned.shares
    table = terminal.table("language", "least", "median", "most", title="shares of the mixtures")
    for i, lang in enumerate(planned.domains):
        low, middle, high = np.quantile(mixed[:, i], [0, 0.5, 1])
        table.add_row(lang, *(f"{v:.1%}" for v in (low, middle, high)))
    console.print(table)
    tokens = 0.0 if planned.tokens is None else float(planned.tokens.sum())
    console.print(
        f"{len(planned)} runs: {int((~alone).sum())} of mixtures, {int(alone.sum())} of one language; "
        f"{tokens:,.0f} tokens"
    )
    if first:
        console.print(
            f"a second round, of {len(planned.domains)} mixtures and seeds around what these say, follows: "
            "glotmix mix design --after",
            soft_wrap=True,
        )
    _where(console, output, "ratios.csv")


def show_fit(runs: Runs, choices: Sequence[Choice], lacking: Mapping[str, str], output: Path | None) -> None:
    """Print the law of each target, and how it did on unseen mixtures."""
    console = terminal.console()
    console.print(f"{len(runs)} runs over {len(runs.domains)} languages, {len(runs.targets)} targets")
    if choices:
        columns = ("law", "n", "error", "mean's", "rank", "next best")
        table = terminal.table("target", *columns)
        for c in choices:
            score = next(s for s in c.scores if s.law == c.law.name)
            other = next((f"{s.law} {s.error:.4f}" for s in c.scores if s.law != c.law.name), "–")
            rank = "–" if score.rank is None else f"{score.rank:.3f}"
            name = c.law.name + ("" if score.beats_mean else " (!)")
            table.add_row(c.target, name, f"{score.n}", f"{score.error:.4f}", f"{score.error_of_mean:.4f}", rank, other)
        console.print(table)
        console.print(
            "error: mean absolute error on n held-out runs; mean's: the same of predicting their mean", style="dim"
        )
    for name, why in lacking.items():
        console.print(Text(f"{name} takes no part: {why}"))
    for doubt in doubts(runs, choices):
        terminal.warn(doubt.said)
    _where(console, output, "fit.json")


def show_mixture(made: Plan, output: Path | None, page: Path | None, unit: str = "tokens") -> None:
    """Print the mixture with its intervals, its gains, who helps whom, and what to run next.

    Args:
        made: the mixture.
        output: where it was written; None for nowhere.
        page: its page; None for none.
        unit: what text is counted in.
    """
    console = terminal.console()
    if (whole := by_language(made.mixture)) is not None:
        _show_languages(console, whole, made.mixture.rows, unit)
    table = terminal.table("language" if whole is None else "cell", "share", "as good", unit, "epochs")
    baselines = terminal.table("language", *(m.name for m in made.baselines))
    for i, row in enumerate(made.mixture.rows):
        span = "" if row.low is None or row.high is None else f"{row.low:.1%} – {row.high:.1%}"
        epochs = "–" if row.epochs is None else f"{row.epochs:.2f}"
        table.add_row(row.lang, f"{row.share:.2%}", span, f"{row.tokens_used:,}", epochs)
        baselines.add_row(row.lang, *(f"{m.rows[i].share:.1%}" for m in made.baselines))
    console.print(table)
    console.print(baselines)
    gains = terminal.table("predicted gain over", "loss", "95 % interval", "told apart")
    for gain in made.gains:
        span = f"{gain['low']:+.4f} to {gain['high']:+.4f}"
        apart = "yes" if gain["told_apart"] else "no"
        if gain["runs_needed"]:
            apart += f" (about {gain['runs_needed']} mixtures might)"
        gains.add_row(gain["over"], f"{gain['gain']:+.4f}", span, apart)
    if made.gains:
        console.print(gains)
    if made.evidence is not None:
        _show_evidence(console, made)
    if made.phases is not None:
        console.print(Text(made.phases["said"], style="bold"))
    for warning in made.warnings:
        terminal.warn(warning)
    if made.evidence is not None:
        console.print(Text(made.evidence["verdict"]["said"], style="bold"))
        if made.evidence["verdict"]["settled"] is False:
            console.print(
                f"next round, around it: glotmix mix design STOCK --tokens N --after {output or 'MIXTURE'}; "
                "then fit both: glotmix mix fit RUNS NEXT",
                soft_wrap=True,
            )
    _where(console, output, "mixture.json")
    if page is not None and output is not None:
        console.print(f"page: {page}", soft_wrap=True)


def _show_languages(console: Console, whole: Sequence[Share], rows: Sequence[Share], unit: str) -> None:
    """Print each language of a mixture of cells, and what part of it each of its cells has."""
    table = terminal.table("language", "share", unit, "epochs", "cells")
    parts = cells.within({row.lang: row.share for row in rows})
    for row in whole:
        epochs = "–" if row.epochs is None else f"{row.epochs:.2f}"
        mine = ", ".join(f"{name} {part:.0%}" for name, part in parts[row.lang].items())
        table.add_row(row.lang, f"{row.share:.2%}", f"{row.tokens_used:,}", epochs, mine)
    console.print(table)


def _show_evidence(console: Console, made: Plan) -> None:
    evidence = made.evidence or {}
    if (steps := evidence["two_step"]) is not None:
        lost = "" if steps["of_gain"] is None else f", {steps['of_gain']:.1%} of the gain over natural"
        console.print(
            f"Climb's two steps: {steps['value'] - steps['direct']:+.4f} of loss against the direct solver{lost}"
        )
    if (bound := evidence["bound"]) is not None:
        console.print(f"no mixture within the limits is better by more than {bound['gap']:.2g} (linear programmes)")
    for one in evidence["repeats"]["measured"]:
        size = "" if one["parameters"] is None else f" at {one['parameters']:,.0f} parameters"
        console.print(
            f"worth of repeats{size}: R* {one['rate']:g}, {one['low']:g} to {one['high']:g} are not ruled out "
            f"({one['runs']} mixtures that repeat)"
        )
    if (transfer := evidence["transfer"]) is not None:
        table = terminal.table("language", "gives", "interval", "receives", "interval")
        for i, lang in enumerate(transfer["languages"]):
            gives, receives = transfer["gives"][i], transfer["receives"][i]
            table.add_row(lang, f"{gives['value']:.3f}", _ends(gives), f"{receives['value']:.3f}", _ends(receives))
        console.print(table)
    if evidence["widths"]:
        told = ", ".join(f"{w['mixtures']}: {w['width']:.4f}{'' if w['measured'] else '?'}" for w in evidence["widths"])
        console.print(f"width of the gain's interval by mixtures (? is carried on): {told}")
    for run in evidence["next_runs"]:
        most = sorted(run["shares"].items(), key=lambda pair: -pair[1])[:4]
        shares = ", ".join(f"{lang} {share:.0%}" for lang, share in most)
        console.print(f"worth running next (expected gain {run['gain']:.2g}): {shares}")


def _ends(figure: Mapping[str, float | None]) -> str:
    return "" if figure["low"] is None else f"{figure['low']:.3f} – {figure['high']:.3f}"


def show_comparison(made: Compared, output: Path | None) -> None:
    """Print the predicted loss of each mixture on each target, and which can be told apart."""
    console = terminal.console()
    names = list(made.losses)
    table = terminal.table("target", *names)
    for t, target in enumerate(made.targets):
        table.add_row(target, *(f"{made.losses[name][t].value:.3f}" for name in names))
    table.add_row("mean", *(f"{made.objective[name].value:.4f}" for name in names))
    console.print(table)
    gains = terminal.table(f"gain of {made.first} over", "loss", "95 % interval", "told apart")
    for gain in made.gains:
        gains.add_row(
            gain.over, f"{gain.gain:+.4f}", f"{gain.low:+.4f} to {gain.high:+.4f}", "yes" if gain.told_apart else "no"
        )
    console.print(gains)
    for said in made.doubts:
        terminal.warn(said)
    if output is not None:
        console.print(f"comparison: {output}", soft_wrap=True)


def _where(console: Console, output: Path | None, name: str) -> None:
    console.print("nothing was written" if output is None else f"{output / name}", soft_wrap=True)
