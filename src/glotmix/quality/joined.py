"""Many raters joined into one score of the documents that they rate, and into labelled pairs to carry elsewhere."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from glotmix.core import files, language, table
from glotmix.core.errors import DataError, RequestError
from glotmix.quality import bradley_terry, inter_rater, judgements
from glotmix.quality.bradley_terry import Comparisons, Fit
from glotmix.quality.judgements import Rated, Verdicts
from glotmix.quality.pairs import Labels
from glotmix.quality.raters_config import RatersConfig

UNSURE = 0.1
"""With a smaller majority, which way is up is no better than chance."""


def documents(path: Path) -> pa.Table:
    """Read parallel documents: ``id, lang, text, group, source``, sorted by id; languages become canonical.

    Raises:
        DataError: for a missing column, an empty text, an id twice, or a language that is none.
    """
    given = judgements.read(path, ("id", "lang", "text"), optional=("group", "source"))
    columns = {name: given[name].cast(pa.string()) for name in ("id", "lang", "text")}
    columns["group"] = given["group"].cast(pa.string()) if "group" in given.column_names else columns["id"]
    columns["source"] = given["source"].cast(pa.string()) if "source" in given.column_names else columns["group"]
    found = pa.table(columns).combine_chunks()
    for name in found.column_names:
        if found[name].null_count:
            raise DataError(f"{path}, column {name}: {found[name].null_count} values are missing")
    if pc.any(pc.equal(pc.utf8_trim_whitespace(found["text"]), "")).as_py():
        raise DataError(f"{path} has documents without text")
    if len(pc.unique(found["id"])) != found.num_rows:
        counts = pc.value_counts(found["id"])
        one = counts.filter(pc.greater(counts.field("counts"), 1))[0].as_py()
        told = f"{path}: the ids are not unique: {one['counts']} documents are called {one['values']!r}"
        raise DataError(told, "raters are joined by id: make ids unique")
    codes = {code: language.parse(code).code for code in pc.unique(found["lang"]).to_pylist()}
    langs = pa.array([codes[code] for code in found["lang"].to_pylist()])
    return found.set_column(1, "lang", langs).sort_by("id")


@dataclass(frozen=True)
class Joined:
    """What raters said together.

    Args:
        documents: ``id, lang, text, group, source``, sorted by id.
        names: k raters.
        comparisons: their votes; positions are rows of the documents.
        fit: scores and reliabilities.
        agreement: per language, of the rater columns; empty with fewer than two.
        about: what was read: values of unknown ids, verdicts, how judges favour the first place.
        warnings: what to look at before the score is used.
    """

    documents: pa.Table
    names: tuple[str, ...]
    comparisons: Comparisons
    fit: Fit
    agreement: Mapping[str, Any]
    about: Mapping[str, Any]
    warnings: tuple[str, ...]

    @property
    def rated(self) -> NDArray[np.bool_]:
        """(n,) whether anything was said of a document."""
        spoken = ~np.isnan(self.comparisons.preferred).all(axis=1)
        found = np.zeros(self.documents.num_rows, bool)
        found[self.comparisons.left[spoken]] = True
        found[self.comparisons.right[spoken]] = True
        return found

    def labels(self) -> Labels:
        """Return the pairs of groups with their soft labels: votes weighed by the raters' slopes."""
        groups = np.asarray(self.documents["group"].to_pylist(), object)
        p = bradley_terry.soft_labels(self.comparisons, self.fit.slopes)
        told = ~np.isnan(p)
        left, right = groups[self.comparisons.left[told]], groups[self.comparisons.right[told]]
        apart = left != right
        return Labels(left[apart], right[apart], p[told][apart])

    def raters(self) -> list[dict[str, Any]]:
        """Return reliabilities as plain data; NaN becomes None."""
        rows = [{"name": name} | asdict(r) for name, r in zip(self.names, self.fit.raters, strict=True)]
        return [{k: None if isinstance(v, float) and np.isnan(v) else v for k, v in row.items()} for row in rows]

    def as_dict(self) -> dict[str, Any]:
        """Return everything but documents and votes as plain data."""
        return {
            "documents": self.documents.num_rows,
            "rated": int(self.rated.sum()),
            "pairs": len(self.comparisons.left),
            "raters": self.raters(),
            "majority": self.fit.majority if np.isfinite(self.fit.majority) else None,
            "agreement": dict(self.agreement),
            **self.about,
            "warnings": list(self.warnings),
        }

    def scores(self) -> pa.Table:
        """Return ``id, lang, group, score, precision``; null where nothing was said of a document."""
        mask = ~self.rated
        columns = {"score": self.fit.scores, "precision": self.fit.precision}
        numbers = {name: pa.array(values, mask=mask) for name, values in columns.items()}
        return pa.table({name: self.documents[name] for name in ("id", "lang", "group")} | numbers)


def join(config: RatersConfig, base: Path, seed: int, draws: int = 1_000) -> Joined:
    """Read raters and join them.

    Args:
        config: which.
        base: the folder that its paths start from.
        seed: of the pairs that columns vote on.
        draws: of the bootstrap of agreement.

    Raises:
        RequestError: if there is no rater.
    """
    texts = documents(files.placed(base, config.documents))
    if not config.columns and not config.verdicts:
        raise RequestError("there is no rater to join", "raters.columns or raters.verdicts")
    ids = texts["id"].to_pylist()
    langs = np.asarray(texts["lang"].to_pylist(), object)
    found = judgements.rated(texts, config.columns, base)
    said = judgements.verdicts([files.placed(base, name) for name in config.verdicts], ids)
    if not config.columns and not said.names:
        raise DataError(
            f"none of {said.unknown:,} verdicts is on documents of {config.documents}"
            + (f": {said.stranger} is none" if said.stranger else ""),
            "raters.documents: the table that the verdicts are on, with the ids that they name",
        )
    # A language that no column speaks of needs no pairs.
    spoken = ~np.isnan(found.values).all(axis=1) if config.columns else np.zeros(len(ids), bool)
    rows = np.flatnonzero(spoken)
    a, b = judgements.draw_pairs(langs[rows], config.per_document, seed)
    votes, names = judgements.together(found.values, found.names, rows[a], rows[b], said)
    fit = bradley_terry.fit(votes, config.ridge)
    told = (
        inter_rater.by_language(found.values[rows], found.names, langs[rows], draws, seed)
        if len(found.names) > 1
        else {}
    )
    about = {
        "unknown_ids": dict(found.unknown),
        "verdicts": int(np.isfinite(said.preferred).sum()),
        "verdicts_on_unknown_ids": said.unknown,
        "first_place": dict(said.first),
    }
    return Joined(
        texts,
        names,
        votes,
        fit,
        told,
        about,
        tuple(_warnings(names, votes, fit, said) + _joins(found, said) + _parts(votes, langs)),
    )


def _warnings(names: Sequence[str], votes: Comparisons, fit: Fit, said: Verdicts) -> list[str]:
    found = []
    for at, (name, rater) in enumerate(zip(names, fit.raters, strict=True)):
        spoken = votes.preferred[:, at][~np.isnan(votes.preferred[:, at])]
        if len(spoken) and (spoken == 0.5).all():
            found.append(f"{name} calls every pair a tie: it says nothing of which document is better")
        elif rater.status == "inverted":
            found.append(f"{name} ranks in reverse of the others: it counts in reverse. Is its direction right?")
        elif rater.status == "no signal":
            found.append(f"{name} has no relation to the others: it has next to no weight")
    if len(names) == 2:
        found.append("two raters cannot be weighed against each other: both count alike")
    tied = any("calls every pair a tie" in told for told in found)
    if len(names) > 1 and np.isnan(fit.majority) and not tied:
        found.append("no two raters speak of the same documents: whether they agree cannot be told, all count alike")
    elif len(names) > 1 and fit.majority < UNSURE and not tied:
        found.append("the raters contradict one another: which way is up cannot be told from them")
    for judge, share in said.first.items():
        if abs(share - 0.5) > 0.1:
            found.append(f"{judge} gave {share:.0%} of its votes to the document shown first")
    return found


def _joins(found: Rated, said: Verdicts) -> list[str]:
    """Say of which raters many ids are no documents, while documents lack a number: a join that mostly fails."""
    told = []
    for name, count in found.unknown.items():
        spoken, scope = found.spoken[name]
        if count and spoken < scope:
            ids = count + spoken
            told.append(
                f"{name}: {count:,} of its {ids:,} ids are no document's, such as {found.strangers[name]}; it speaks "
                f"of {spoken:,} of {scope:,} documents"
            )
    if said.unknown:
        told.append(f"{said.unknown:,} verdicts are on documents that are not here, such as {said.stranger}")
    return told


def _parts(votes: Comparisons, langs: NDArray[np.object_]) -> list[str]:
    """Say in which languages no chain of pairs joins the documents: their scores stand beside one another."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    size = votes.size
    links = csr_array((np.ones(len(votes.left)), (votes.left, votes.right)), shape=(size, size))
    _, part = connected_components(links, directed=False)
    rated = np.zeros(size, bool)
    rated[votes.left] = rated[votes.right] = True
    told = []
    for lang in sorted(set(langs[rated].tolist())):
        several = len(set(part[rated & (langs == lang)].tolist()))
        if several > 1:
            told.append(
                f"{lang}: no pair joins {several:,} parts of the documents: scores of two parts cannot be compared"
            )
    return told


def write(joined: Joined, folder: Path) -> None:
    """Write ``scores.parquet`` and ``raters.json``: both, or neither."""
    text = json.dumps(joined.as_dict(), ensure_ascii=False, indent=1, allow_nan=False)
    scores = joined.scores()
    folder.mkdir(parents=True, exist_ok=True)
    table.write(scores, folder / "scores.parquet")
    (folder / "raters.json").write_text(text, "utf-8")
