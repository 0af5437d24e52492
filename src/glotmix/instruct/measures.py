"""What is measured of conversations, who rates them, how alike they are; their steps are in `instruct.steps`."""

import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from glotmix.core import conversation, table
from glotmix.core.context import RunContext
from glotmix.core.errors import DataError, RequestError
from glotmix.core.record import Counts, Output, digest_file
from glotmix.embed.concatenated import side_by_side
from glotmix.instruct import audit, pairs, qsm, structure
from glotmix.instruct.config import SelectionConfig
from glotmix.instruct.qsm import Scorer, Sides
from glotmix.select import diversify
from glotmix.signals import embed, heuristics
from glotmix.signals.annotate import annotate, parts

TOPICS = 24
"""Coarse clusters over all languages, where no column names topics."""

_VECTORS = pa.struct([pa.field("instruction", pa.binary()), pa.field("response", pa.binary())])


class Conversations:
    """The conversations of a recipe of kind ``instructions``."""

    def __init__(self, context: RunContext) -> None:
        self.context = context
        self.section = context.recipe.instruct

    @cached_property
    def embedder(self) -> Any:
        """The embedder that the recipe names, or all of them side by side."""
        return side_by_side([embed.embedder(self.context, name) for name in self.section.embedder])

    @property
    def model(self) -> Path:
        """The folder of the quality scoring model."""
        return self.context.step_dir("qsm") if self.section.pairs else self.context.path(self.section.model or "")

    def make_model(self, output: Output) -> Counts:
        """Train and audit the quality scoring model."""
        known = pairs.read(self.context.paths(self.section.pairs), self.section.pairs_language)
        section, seed = self.section, self.context.recipe.seed
        counts, found = trained(output.path, known, self.embedder, section.qsm, seed, section.audits)
        output.notes["warnings"] = [f"the quality scoring model: {told}" for told in found["warnings"]]
        return counts

    def make_prompts(self, output: Output) -> Counts:
        """Write the instructions as documents of their own: ``id, text, lang, source``, in the shards of the corpus."""

        def shard(file: Path, folder: Path) -> Counts:
            held = table.read([file], ["id", "messages", "lang", "source"])
            texts = [conversation.instruction(conversation.turns(m)) for m in held["messages"].to_pylist()]
            columns = {"id": held["id"], "text": pa.array(texts, pa.string()), "lang": held["lang"]}
            table.write(pa.table(columns | {"source": held["source"]}), folder / file.relative_to(self.context.corpus))
            return {"documents": held.num_rows}

        files = table.shards(self.context.corpus)
        return output.each({str(f.relative_to(self.context.corpus)).replace("/", "+"): f for f in files}, shard)

    def make_vectors(self, output: Output) -> Counts:
        """Write the embeddings of instruction and response, 16-bit floats as bytes."""
        embedder = self.embedder

        def vectors(messages: pa.Array) -> pa.StructArray:
            said = [conversation.turns(m) for m in messages.to_pylist()]
            texts = [conversation.instruction(s) for s in said], [conversation.response(s) for s in said]
            arrays = [pa.array([v.tobytes() for v in embedder.embed(t).astype(np.float16)], pa.binary()) for t in texts]
            return pa.StructArray.from_arrays(arrays, fields=list(_VECTORS))

        return annotate(output, self.context.corpus, ["messages"], vectors, _VECTORS)

    def vectors(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the embeddings of all instructions and responses, in the order of the corpus."""
        rows = table.read(_parts(self.context.step_dir("instructions/vectors")))
        return _unpacked(rows["instruction"]), _unpacked(rows["response"])

    def make_meaning(self, output: Output) -> Counts:
        """Write the cluster and the topic of every conversation: ``id, cluster, topic``."""
        chosen, seed = self.section.select, self.context.recipe.seed
        files = table.shards(self.context.corpus)
        corpus = table.read(files, ["id", "lang"])
        one, other = self.vectors()
        labels = clustered(corpus, meanings(one, other), chosen, seed)
        topic: list[str | None]
        if chosen.topics is not None:
            held = table.read(files)
            if chosen.topics not in held.column_names:
                raise RequestError(
                    f"instruct.select.topics: there is no column {chosen.topics!r}", ", ".join(held.column_names)
                )
            topic = [None if v is None else str(v) for v in held[chosen.topics].to_pylist()]
        else:
            order = _sorted(corpus["id"])
            coarse = np.empty(corpus.num_rows, np.int64)
            few = min(TOPICS, diversify.clusters_for(corpus.num_rows))
            coarse[order] = diversify.cluster(diversify.reduced(one[order], seed=seed), few, seed)
            topic = [f"topic {t:02d}" for t in coarse]
            output.notes["topics"] = self._described(corpus["id"], one, coarse)
        columns = {"cluster_of_meaning": pa.array(labels, pa.string()), "topic": pa.array(topic, pa.string())}
        rows = pa.table({"id": corpus["id"]} | columns)
        counts = _cut(rows, parts(self.context.corpus), output.path)
        return counts | {"clusters": len(set(labels.tolist()))}

    def _described(
        self, ids: pa.ChunkedArray, vectors: NDArray[np.float32], topics: NDArray[np.int64]
    ) -> dict[str, Any]:
        """Return by topic the instruction nearest to its middle."""
        told: dict[str, Any] = {}
        nearest: dict[str, int] = {}
        for topic in np.unique(topics).tolist():
            mine = np.flatnonzero(topics == topic)
            away = np.linalg.norm(vectors[mine] - vectors[mine].mean(axis=0), axis=1)
            nearest[f"topic {topic:02d}"] = int(mine[int(away.argmin())])
        wanted = pa.array([ids[row].as_py() for row in nearest.values()])
        texts: dict[str, str] = {}
        for file in table.shards(self.context.step_dir("instructions/prompts")):
            held = table.read([file], ["id", "text"])
            held = held.filter(pc.is_in(held["id"], wanted))
            texts |= dict(zip(held["id"].to_pylist(), held["text"].to_pylist(), strict=True))
        for topic, row in nearest.items():
            told[topic] = texts.get(ids[row].as_py(), "")[:160]
        return told

    def make_quality(self, output: Output) -> Counts:
        """Write the score of every answer, and its rank within the language."""

        from scipy.stats import rankdata

        scorer = Scorer.read(self.model)
        if scorer.embedder != self.embedder.fingerprint:
            raise DataError(
                f"the model in {self.model} was trained on another embedder than {' + '.join(self.section.embedder)}",
                "name that embedder (instruct.embedder), or train again: glotmix instruct train",
            )
        units = parts(self.context.corpus)
        form: list[NDArray[np.float64]] = []
        for shards in units.values():
            held = table.read(shards, ["messages", "lang"])
            said = [conversation.turns(m) for m in held["messages"].to_pylist()]
            asked, answer = ([f(s) for s in said] for f in (conversation.instruction, conversation.response))
            langs = held["lang"].combine_chunks()
            form.append(structure.columns(pa.array(asked), pa.array(answer), langs, heuristics.measure))
        corpus = table.read(table.shards(self.context.corpus), ["id", "lang"])
        values, known = np.concatenate(form), np.array(corpus["lang"].to_pylist())
        one, other = self.vectors()
        seen = Sides(qsm.unit(one), qsm.unit(other), structure.standard(values, known, structure.usual(values, known)))
        scores = scorer.score(seen).astype(np.float32)
        quantiles = np.empty(len(scores), np.float32)
        for lang in np.unique(known):
            mine = np.flatnonzero(known == lang)
            quantiles[mine] = (rankdata(scores[mine]) - 0.5) / len(mine)
        nothing = pa.nulls(len(scores), pa.float32())
        rows = pa.table({"id": corpus["id"], "score": scores, "quantile": quantiles, "calibrated": nothing})
        return _cut(rows, units, output.path)


def trained(
    folder: Path, known: pairs.Pairs, embedder: Any, config: qsm.QsmConfig, seed: int, audits: int
) -> tuple[Counts, dict[str, Any]]:
    """Train a quality scoring model on pairs, audit it, write both into a folder, return counts and the audit.

    Raises:
        DataError: before anything is written, if there are too few instructions to keep some for the audit.
    """
    pairs.enough(known)
    scorer, found = fitted(known, embedder, config, seed, audits)
    scorer.write(folder)
    (folder / "audit.json").write_text(json.dumps(found, indent=1, allow_nan=False), "utf-8")
    return {"pairs": len(known), "languages": len(np.unique(known.langs))}, found


def fitted(
    known: pairs.Pairs, embedder: Any, config: qsm.QsmConfig, seed: int, audits: int
) -> tuple[Scorer, dict[str, Any]]:
    """Return a quality scoring model that was trained on pairs, and its audit.

    The audit's models are trained on parts of the pairs; the one that is returned is trained on nine tenths of them,
    the last tenth says when to stop.
    """
    asked, answers_, _ = known.sides()
    seen = qsm.sides(known, (embedder.embed(asked), embedder.embed(answers_)), heuristics.measure)
    rows, stop, spare = pairs.split(known.groups, seed)
    scorer = qsm.train(seen, np.concatenate([rows, spare]), stop, config, embedder.fingerprint, seed)
    found = audit.audit(known, seen, config, range(seed, seed + audits))
    if known.left_out:
        found["warnings"].append(f"{known.left_out:,} rows lack their instruction or one of their answers: left out")
    return scorer, found


def meanings(instructions: NDArray[np.float32], responses: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what conversations are clustered by: the mean of both unit vectors, as of one text (CaR embeds both)."""
    return ((qsm.unit(instructions) + qsm.unit(responses)) / 2).astype(np.float32)


def clustered(corpus: pa.Table, vectors: NDArray[np.float32], chosen: SelectionConfig, seed: int) -> NDArray[np.str_]:
    """Return the cluster of each conversation: ``fra_Latn 017``, or ``0017`` where languages are clustered together."""
    order = _sorted(corpus["id"])
    labels = np.empty(corpus.num_rows, dtype="<U32")
    langs = np.array(corpus["lang"].to_pylist())
    joint = chosen.clustering == "joint"
    for lang in [""] if joint else np.unique(langs).tolist():
        mine = order if joint else order[langs[order] == lang]
        reduced = diversify.reduced(vectors[mine], chosen.variance, seed)
        numbers = diversify.cluster(reduced, chosen.clusters, seed)
        labels[mine] = [f"{n:04d}" if joint else f"{lang} {n:03d}" for n in numbers]
    return labels


def pools(
    ids: pa.ChunkedArray,
    langs: NDArray[np.str_],
    rows: NDArray[np.int64],
    about: Mapping[str, NDArray[Any]],
    vectors: NDArray[np.float32] | None,
) -> dict[str, tuple[NDArray[np.int64], diversify.Pool]]:
    """Return, by language, candidates in the order of their ids, with their positions.

    Args:
        ids: of all n conversations.
        langs: (n,) of all.
        rows: the candidates.
        about: ``scores``, ``labels`` and ``lengths`` of all.
        vectors: (n, w) of all, where the method looks at them.
    """
    order = _sorted(ids)
    inside = np.zeros(len(ids), bool)
    inside[rows] = True
    order = order[inside[order]]
    found = {}
    for lang in np.unique(langs[order]).tolist():
        mine = order[langs[order] == lang]
        _, labels = np.unique(about["labels"][mine], return_inverse=True)
        seen = np.zeros((len(mine), 1), np.float32) if vectors is None else vectors[mine]
        scores, lengths = (about[name][mine].astype(np.float64) for name in ("scores", "lengths"))
        found[lang] = (mine, diversify.Pool(seen, scores, labels.astype(np.int64), lengths))
    return found


def looks_at_vectors(method: str) -> bool:
    """Say whether a method looks at meanings themselves, and not at clusters alone."""
    return method in ("mmr", "dpp", "facility-location")


def _cut(rows: pa.Table, units: Mapping[str, list[Path]], folder: Path) -> Counts:
    """Write a table in the parts of the corpus."""
    start = 0
    for name, shards in units.items():
        size = table.read(shards, ["id"]).num_rows
        table.write(rows.slice(start, size), folder / f"{name}.parquet")
        start += size
    return {"documents": rows.num_rows}


def _sorted(ids: pa.ChunkedArray) -> NDArray[np.int64]:
    """Return positions in the order of ids: what is chosen does not depend on the order of the corpus."""
    order: NDArray[np.int64] = pc.sort_indices(ids).to_numpy().astype(np.int64)
    return order


def _unpacked(column: pa.ChunkedArray) -> NDArray[np.float32]:
    held = column.to_pylist()
    return np.frombuffer(b"".join(held), np.float16).reshape(len(held), -1).astype(np.float32)


def _parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("part-*.parquet"))


def digest_model(folder: Path) -> str:
    """Return the fingerprint of a quality scoring model.

    Raises:
        RequestError: if the folder holds none.
    """
    if not (folder / "qsm.safetensors").is_file():
        raise RequestError(f"instruct.model: there is no quality scoring model in {folder}", "glotmix instruct train")
    return digest_file(folder / "qsm.safetensors")
