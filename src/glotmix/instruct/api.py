"""A rater of answers in two calls: `glotmix.instruct.train(pairs).score(conversations)`; `read` opens a saved one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from glotmix.core import warning
from glotmix.core.errors import RequestError, did_you_mean
from glotmix.core.shown import Sheet, Shown
from glotmix.core.tabular import as_table, texts
from glotmix.embed import choose
from glotmix.embed.concatenated import side_by_side
from glotmix.embed.protocol import Embedder
from glotmix.instruct import measures, pairs, qsm, structure
from glotmix.signals import heuristics


@dataclass(frozen=True, eq=False, repr=False)
class AnswerRater(Shown):
    """A quality scoring model: how good an answer is for its instruction (M-DaQ, or CaR's regression).

    Args:
        scorer: the model.
        embedder: whose vectors it reads.
        audit: what it knows of answers that it had not seen; empty for one that was read from a folder.
    """

    scorer: qsm.Scorer
    embedder: Embedder
    audit: Mapping[str, Any] = field(default_factory=dict)

    def score(self, conversations: Any) -> NDArray[np.float64]:
        """Return how good each answer is among those that are given, for its instruction.

        Args:
            conversations: a table with ``instruction``, ``response`` and ``lang``: Arrow, pandas, Polars, a dict of
                columns, a list of dicts.

        Returns:
            (n,) numbers in the order of the rows; higher is better, and only the order within a language means
            anything: the structure of an answer is held against that of the others of its language.

        Raises:
            RequestError: if a column is missing or a code is no language.
        """
        table = as_table(conversations, "the conversations")
        for name in ("instruction", "response", "lang"):
            if name not in table.column_names:
                hint = did_you_mean(name, table.column_names)
                raise RequestError(f"there is no column {name}{hint}", f"there are: {', '.join(table.column_names)}")
        asked, answered = (table[name].cast(pa.string()).combine_chunks() for name in ("instruction", "response"))
        langs = texts({"text": answered, "lang": table["lang"]})["lang"].to_pylist()
        values = structure.columns(asked, answered, pa.array(langs), heuristics.measure)
        known = np.array(langs)
        form = structure.standard(values, known, structure.usual(values, known))
        vectors = [qsm.unit(self.embedder.embed(texts_.to_pylist())) for texts_ in (asked, answered)]
        return self.scorer.score(qsm.Sides(vectors[0], vectors[1], form))

    def save(self, folder: str | Path) -> Path:
        """Write it into a folder, for `read` and a recipe's ``instruct.model``; return the folder."""
        self.scorer.write(Path(folder))
        return Path(folder)

    def sheet(self) -> Sheet:
        """See `Shown`."""
        told = {"all": self.audit["overall"], **self.audit["languages"]} if self.audit else {}
        rows = [
            (of, one["pairs"], *(one["accuracy"][name] for name in ("value", "low", "high")))
            for of, one in told.items()
        ]
        notes = [warning.line(text) for text in self.audit.get("warnings", ())]
        title = f"a rater of answers: {self.scorer.config.form}, looks at {self.scorer.config.looks}"
        return Sheet(title, ("language", "held-out pairs", "right", "low", "high"), rows, notes)


def train(
    rows: Any,
    language: str | None = None,
    embedders: Sequence[str] = ("static",),
    form: Literal["triplet", "regression"] = "triplet",
    looks: Literal["meaning", "both"] = "both",
    seeds: int = 3,
    audits: int = 3,
    seed: int = 0,
) -> AnswerRater:
    """Train and audit a quality scoring model: `glotmix instruct train`.

    Args:
        rows: pairs of an unrevised and a revised answer: a table with ``instruction``, ``response``,
            ``revised_response``, ``lang``, maybe ``input``, ``revised_instruction``, ``revised_input``.
        language: of rows without a ``lang``.
        embedders: names (``static``, ``use``) or folders; several stand side by side.
        form: M-DaQ's triplets, or CaR's regression.
        looks: at embeddings alone, or at the answer's structure, too.
        seeds: models that are trained and averaged.
        audits: splits that the audit judges.
        seed: the first of the seeds.

    Raises:
        RequestError: if there is no embedder of that name, or a row has no language.
        DataError: if the pairs are too few to keep some for the audit.
    """
    known = pairs.of_rows(as_table(rows, "the pairs").to_pylist(), language)
    pairs.enough(known)
    model = side_by_side([choose.load(name) for name in embedders])
    config = qsm.QsmConfig(form=form, looks=looks, seeds=seeds)
    scorer, found = measures.fitted(known, model, config, seed, audits)
    return AnswerRater(scorer, model, found)


def read(folder: str | Path, embedders: Sequence[str] = ("static",)) -> AnswerRater:
    """Open a model that was saved, by `AnswerRater.save` or ``glotmix instruct train``.

    Args:
        folder: the model's.
        embedders: those that it was trained with.

    Raises:
        DataError: if there is no model.
        RequestError: if it was trained with another embedder.
    """
    scorer = qsm.Scorer.read(Path(folder))
    model = side_by_side([choose.load(name) for name in embedders])
    if scorer.embedder != model.fingerprint:
        raise RequestError(f"{folder} was trained with another embedder", "embedders=[…], those of its training")
    return AnswerRater(scorer, model)
