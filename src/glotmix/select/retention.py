"""Retention: which of the documents that passed every other rule are dropped by their score or their domain.

What a share or a budget keeps of each language is a ranking: see `select.ranking`.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from glotmix.core.rules import RuleHits
from glotmix.select.ranking import Cutoff, Held, Told, grouped, held


def crowded(documents: pa.Table, alive: NDArray[np.bool_], most: int, rule: str) -> RuleHits:
    """Return the documents of one domain in a language beyond the `most` best.

    The best are those of the highest quality, then the longest; ties are broken by id. A document without a domain
    is in no crowd.

    Args:
        documents: ``id, lang, domain, quality, bytes``.
        alive: (n,) booleans; only these compete.
        most: documents of one domain and language that stay.
        rule: name of the rule in the ledger.
    """
    rows: list[NDArray[np.int64]] = []
    evidence: list[str] = []
    for (lang, name), mine in grouped(documents, alive & documents["domain"].is_valid().to_numpy(), "domain"):
        if len(mine) <= most:
            continue
        own = documents.select(["quality", "bytes", "id"]).take(pa.array(mine))
        order = pc.sort_indices(
            own, sort_keys=[("quality", "descending"), ("bytes", "descending"), ("id", "ascending")]
        ).to_numpy()
        out = mine[order[most:]]
        rows.append(out)
        evidence += [f"{name} has {len(mine):,} documents in {lang}; the best {most:,} are kept"] * len(out)
    every = np.concatenate(rows) if rows else np.empty(0, np.int64)
    order = np.argsort(every, kind="stable")
    return RuleHits(rule, every[order], [evidence[i] for i in order.tolist()])


HAIR = 0.005
"""A score below a line by less is borderline, and the document kept."""


def lose(
    documents: pa.Table, alive: NDArray[np.bool_], line: Mapping[tuple[str, str], tuple[float, float]], rule: str
) -> tuple[list[RuleHits], dict[str, Held]]:
    """Drop the documents whose score lies below a line: the line is a probability, and what it costs was measured.

    Args:
        documents: ``id, lang, source, quality, quantile``.
        alive: (n,) booleans; only these compete.
        line: (language, source) → (the score below which a document falls, the share of good text that it costs).
        rule: name of the rule in the ledger.

    Returns:
        who fails, and who is within `HAIR` of its line and borderline; what is left of each language.
    """
    langs, sources = (documents[name].combine_chunks().dictionary_encode() for name in ("lang", "source"))
    codes, names = langs.indices.to_numpy(), langs.dictionary.to_pylist()
    pairs = codes.astype(np.int64) * len(sources.dictionary) + sources.indices.to_numpy()
    found, pair = np.unique(pairs, return_inverse=True)
    told = [divmod(one, len(sources.dictionary)) for one in found.tolist()]
    drawn = [line[names[lang], sources.dictionary[source].as_py()] for lang, source in told]
    score = documents["quality"].to_numpy(zero_copy_only=False).astype(np.float64)
    at = np.array([where for where, _ in drawn], np.float64)[pair]
    below = alive & (score < at)
    near = below & (score >= at - HAIR)
    rows = np.flatnonzero(below & ~near)
    own_score, own_pair = score[rows], pair[rows]

    def tell(i: int) -> str:
        which = int(own_pair[i])
        where, cost = drawn[which]
        return (
            f"P(natural) {own_score[i]:.3f} below {where:.3f}: the line that costs {names[told[which][0]]} at most "
            f"{100 * cost:.3g}% of its good text"
        )

    left = held(documents, alive, rows)
    lowest = {lang: float(at[mine].min()) for (lang, _), mine in grouped(documents, alive, None)}
    hair = np.flatnonzero(near)
    hits = [RuleHits(rule, rows, Told(tell, len(rows)))]
    return [*hits, RuleHits(rule, hair, Told(lambda _: "", len(hair)), drops=False)], {
        lang: replace(one, line=lowest[lang]) for lang, one in left.items()
    }


def lost(left: Mapping[str, Held]) -> dict[str, Cutoff]:
    """Return the lines of the record: per language its lowest line, as a quantile."""
    return {lang: one.cutoff(f"P(natural) of at least {one.line:.3f}") for lang, one in left.items()}
