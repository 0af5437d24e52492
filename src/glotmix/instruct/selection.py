"""What the ledger decides about conversations: the checks that they fail, and which of the rest are chosen."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from glotmix.core import table
from glotmix.core.context import RunContext
from glotmix.core.record import JSON
from glotmix.core.rules import RuleHits
from glotmix.instruct.measures import Conversations, looks_at_vectors, meanings, pools
from glotmix.select import diversify
from glotmix.signals import answers

Setting = Callable[[str, str | None, str], Any]
Pools = dict[str, tuple[NDArray[np.int64], diversify.Pool]]


def failures(corpus: pa.Table, signal: pa.Table, setting: Setting) -> list[RuleHits]:
    """Return the conversations that fail a check which drops in their language and source.

    Args:
        corpus: ``id, lang, source``.
        signal: of `answers`, in the order of the corpus.
        setting: from language, source and key to the value of a setting.
    """
    places = list(zip(corpus["lang"].to_pylist(), corpus["source"].to_pylist(), strict=True))
    policies = {place: _policy(place, setting) for place in dict.fromkeys(places)}
    verdicts: dict[tuple[float, float], dict[str, list[bool | None]]] = {}
    for policy in policies.values():
        limits = (policy["min_score"], policy["remnant"])
        if limits not in verdicts:
            verdicts[limits] = {n: v.to_pylist() for n, v in answers.failures(signal, *limits).items()}
    found = []
    for check in answers.CHECKS:
        rows = [
            row
            for row, policy in enumerate(policies[place] for place in places)
            if policy[check] == "drop" and verdicts[policy["min_score"], policy["remnant"]][check][row]
        ]
        about = signal.take(pa.array(rows, pa.int64())).to_pylist()
        found.append(RuleHits(f"instructions.{check}", np.array(rows, np.int64), [_evidence(check, r) for r in about]))
    return found


def _policy(place: tuple[str, str], setting: Setting) -> Mapping[str, Any]:
    keys = (*answers.CHECKS, "min_score", "remnant")
    return {key: setting(*place, f"instructions.{key}") for key in keys}


def _evidence(check: str, row: Mapping[str, Any]) -> str:
    match check:
        case "unfaithful":
            how = {"name": "named in the instruction", "turn": "told by the source", "text": "the instruction's own"}
            by = how.get(row["asked_by"], "the document's")
            asked = " or ".join(row["asked"])
            return f"asked for {asked} ({by}), answered in {row['answered']} (score {row['answered_score']:.2f})"
        case "untranslated":
            return f"{row['remnant_share']:.0%} of the answer stands in sentences of another language"
        case "refusal":
            return "the answer declines"
        case "empty":
            return f"the answer holds nothing ({row['response_chars']} characters)"
    return "the answer breaks off"


def chosen(context: RunContext, documents: pa.Table, alive: NDArray[np.bool_]) -> tuple[RuleHits, dict[str, JSON]]:
    """Return the conversations that the selection leaves out, and what it did, per language.

    Args:
        context: the recipe at work.
        documents: `select.ledger_builder.LedgerBuilder.documents`: ``id, lang, quality, quantile`` among others.
        alive: (n,) those that passed the rules before.
    """
    section = context.recipe.instruct.select
    langs = np.array(documents["lang"].to_pylist())
    sizes = {lang: section.sizes.get(lang, section.size) for lang in np.unique(langs).tolist()}
    wanted = np.array([sizes[lang] is not None for lang in langs.tolist()], bool)
    if not (alive & wanted).any():
        return RuleHits("selection", np.zeros(0, np.int64), []), {}
    out: list[int] = []
    notes: dict[str, JSON] = {}
    reasons: dict[str, str] = {}
    for lang, (rows, pool) in candidates(context, documents, np.flatnonzero(alive & wanted)).items():
        picked = pick(context, pool, sizes[lang] or len(pool))
        out += rows[np.setdiff1d(np.arange(len(rows)), picked)].tolist()
        covered = len(np.unique(pool.labels[picked]))
        notes[lang] = {
            "method": section.method,
            "candidates": len(rows),
            "chosen": len(picked),
            "clusters": len(np.unique(pool.labels)),
            "clusters covered": covered,
        }
        reasons[lang] = f"not among the {len(picked):,} of {len(rows):,} that {section.method} chose of {lang}"
    out.sort()
    quantiles = documents["quantile"].take(pa.array(out, pa.int64())).to_pylist()
    evidence = [
        reasons[str(langs[row])] + ("" if q is None else f" (quality quantile {q:.3f})")
        for row, q in zip(out, quantiles, strict=True)
    ]
    return RuleHits("selection", np.array(out, np.int64), evidence), notes


def pick(context: RunContext, pool: diversify.Pool, size: int) -> NDArray[np.int64]:
    """Return the positions that the recipe's method chooses."""
    section = context.recipe.instruct.select
    if section.method == "m-daq":
        return diversify.m_daq(pool, size, context.recipe.seed, ratio=section.ratio)
    return diversify.METHODS[section.method](pool, size, context.recipe.seed)


def candidates(context: RunContext, documents: pa.Table, rows: NDArray[np.int64], method: str | None = None) -> Pools:
    """Return, by language, the candidates of a selection and their positions.

    Args:
        context: the recipe at work.
        documents: ``id, lang, quality`` of all conversations, in the order of the corpus.
        rows: the candidates.
        method: the recipe's where it is None; decides whether meanings are read.
    """
    meaning = table.read(sorted(context.step_dir("signals/meaning").glob("part-*.parquet")), ["cluster_of_meaning"])
    lengths = table.read(sorted(context.step_dir("signals/answers").glob("part-*.parquet")), ["response_chars"])
    scores = (
        documents["quality"].fill_null(0.0).to_numpy()
        if context.has("signals/quality")
        else np.zeros(documents.num_rows)
    )
    about = {
        "scores": np.asarray(scores, np.float64),
        "labels": np.array(meaning["cluster_of_meaning"].to_pylist()),
        "lengths": np.asarray(lengths["response_chars"].to_numpy(), np.float64),
    }
    needed = looks_at_vectors(method or context.recipe.instruct.select.method)
    vectors = meanings(*Conversations(context).vectors()) if needed else None
    return pools(documents["id"], np.array(documents["lang"].to_pylist()), rows, about, vectors)
