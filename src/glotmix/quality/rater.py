"""A rater with everything that is needed to apply it, saved as safetensors and JSON.

`Rater` holds the trained raters, what is usual in each language, and (once it has rated a corpus) the quantiles of its
scores per language and their calibration. Nothing in its files is executed when they are read, except that LightGBM
reads its own text format.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Strict, TypeAdapter

from glotmix.core import json_text
from glotmix.core.errors import DataError, RequestError, blame
from glotmix.quality import classifier_bank
from glotmix.quality.calibrate import Calibration
from glotmix.quality.classifier_bank import ClassifierBank
from glotmix.quality.features import POOLED, Statistics
from glotmix.quality.heads import Classifier, Head
from glotmix.quality.normalizer import LanguageMeans, LanguageNormalizer
from glotmix.quality.probability import Probability
from glotmix.quality.raters_config import STRUCTURE
from glotmix.quality.reference import Referenced
from glotmix.quality.word_order import Wording

FORMAT = 4
RATER, TENSORS = "rater.json", "rater.safetensors"

_NAMES = TypeAdapter(dict[str, str])
_COUNT = TypeAdapter(Annotated[int, Strict()])
_STATISTICS = ("n", "mean", "sd", "quantiles")


@dataclass(frozen=True)
class Rater:
    """A rater at work.

    Args:
        panel: the trained raters.
        usual: what is usual in each language.
        embedders: name → fingerprint of the embedders whose vectors it reads, side by side in the order of `usual`.
        quantiles: language → (k,) scores at equal steps of rank in the corpus that it rated; empty before.
        calibration: from a language's scores to comparable ones; None before, and where there was no parallel text.
        max_chars: how much of a text each embedder sees; all of it where nothing is said.
        models: what each embedder is loaded by, where that is not its name.
        wording: models of word order, of a rater that looks at it.
        probability: what makes its scores probabilities; None where its labels were too few, or it has none.
    """

    panel: ClassifierBank
    usual: LanguageNormalizer
    embedders: Mapping[str, str] = field(default_factory=dict)
    quantiles: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    calibration: Calibration | None = None
    max_chars: Mapping[str, int] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)
    wording: Wording | None = None
    probability: Probability | None = None

    @property
    def reads(self) -> list[dict[str, Any]]:
        """What stands side by side in a document's features, in that order: each part's name and numbers."""
        own = self.usual.structure
        parts: list[dict[str, Any]] = [] if own is None else [{"name": STRUCTURE, "numbers": len(own.columns)}]
        for name, centre in self.usual.centres.items():
            about: dict[str, Any] = {"name": name, "numbers": int(centre.mean.shape[1])}
            about |= {"model": self.models.get(name, name), "fingerprint": self.embedders.get(name)}
            parts.append(about | {"max_chars": self.max_chars.get(name)})
        return parts

    def check(self, given: Mapping[str, str], where: Path) -> None:
        """Refuse other embedders (name → fingerprint) than those whose vectors the rater learned from.

        Raises:
            RequestError: saying what the rater in `where` reads.
        """
        told = " + ".join(f"{part['name']} ({part['numbers']})" for part in self.reads)
        if set(given) != set(self.embedders):
            named = ", ".join(given) or "none"
            fix = f"give {', '.join(self.embedders) or 'none'}"
            raise RequestError(f"the rater in {where} reads {told}; the embedders given are {named}", fix)
        for name, mark in self.embedders.items():
            if given[name] != mark:
                raise RequestError(
                    f"{name} is {given[name]}; the rater learned from {mark}. {where} reads {told}",
                    f"the embedder {self.models.get(name, name)} at that revision, or train the rater again",
                )

    @property
    def head(self) -> Head:
        """How the raters learned."""
        return next(iter(self.panel.raters.values())).head

    def score(self, table: pa.Table) -> NDArray[np.float32]:
        """Return (rows,) scores from 0 (bad) to 1 (good) of a table of `lang` and the features.

        With a `probability`, the estimate that a fluent reader would call the document natural. A score belongs to
        its document, whatever else stands in the table.

        Raises:
            DataError: if a feature is missing.
        """
        if missing := [c for c in self.usual.columns if c not in table.column_names]:
            raise DataError(
                f"the rater was trained on {', '.join(missing)}, which these documents do not have",
                "train the rater again with the signals that you have now",
            )
        matrix = self.usual.apply(table, self.head.normalise)
        langs = np.asarray(table["lang"].to_pylist(), object)
        if self.probability is None:
            return self.panel.score(matrix, langs)
        return np.asarray(self.probability.apply(self.panel.log_odds(matrix, langs), langs), np.float32)

    def quantile(self, scores: NDArray[np.floating], lang: str) -> NDArray[np.float64]:
        """Return the rank (0 to 1) that each score has among the language's documents in the corpus that was rated.

        Raises:
            DataError: if that corpus had no documents of the language.
        """
        if lang not in self.quantiles:
            held = ", ".join(sorted(self.quantiles)) or "no corpus was rated"
            raise DataError(f"the quality of {lang} cannot be ranked: the rater has seen {held}")
        known = self.quantiles[lang]
        at = (np.arange(len(known)) + 0.5) / len(known)
        # Middle ranks where many documents share a score.
        low, high = np.searchsorted(known, scores, "left"), np.searchsorted(known, scores, "right")
        inside = np.interp(scores, known, at)
        return np.where(high > low, (low + high) / 2 / len(known), inside)

    def converted(self, scores: NDArray[np.floating], langs: NDArray[np.object_], into: str) -> NDArray[np.float64]:
        """Return (n,) scores as they are (``score``), as ranks (``quantile``), or ``calibrated``.

        Raises:
            DataError: if there is no calibration, or a language was not in the corpus that was rated.
        """
        found = np.asarray(scores, np.float64).copy()
        if into == "score":
            return found
        for lang in sorted(set(langs)):
            mine = langs == lang
            if into == "quantile":
                found[mine] = self.quantile(scores[mine], lang)
                continue
            if self.calibration is None:
                raise DataError("this rater's scores were never calibrated", "set quality.parallel in the recipe")
            same = self.calibration.apply(lang, scores[mine])
            if same is None:
                same = self.calibration.from_quantile(self.quantile(scores[mine], lang))
            if same is None:
                raise DataError(f"nothing is known of how scores of {lang} compare", "rate a corpus that holds it")
            found[mine] = same
        return found

    def write(self, folder: Path) -> None:
        """Write ``rater.json`` and ``rater.safetensors``."""
        from safetensors.numpy import save

        held: dict[str, NDArray[Any]] = {}
        raters = {}
        for name, rater in sorted(self.panel.raters.items()):
            raters[name], arrays = rater.tensors()
            held |= {f"raters.{name}.{k}": v for k, v in arrays.items()}
        about: dict[str, Any] = {
            "format": FORMAT,
            "strategy": self.panel.strategy,
            "of": dict(sorted(self.panel.of.items())),
            "raters": raters,
            "reads": self.reads,
            "structure": None,
            "centres": {},
            "calibration": None if self.calibration is None else self.calibration.as_json(),
            "wording": self.wording is not None,
            "probability": None if self.probability is None else self.probability.as_json(),
        }
        own = self.usual.structure
        if isinstance(own, Referenced):
            about["structure"] = {"columns": own.columns, "reference": True}
        elif own is not None:
            about["structure"] = {"columns": own.columns, "levels": own.levels, "min_documents": own.min_documents}
            held |= {f"structure.{k}": getattr(own, k) for k in _STATISTICS}
        for name, centre in self.usual.centres.items():
            about["centres"][name] = {"levels": centre.levels, "scale": centre.scale}
            held |= {f"centres.{name}.n": centre.n, f"centres.{name}.mean": centre.mean}
        if self.wording is not None:
            held |= {f"wording.{name}": value for name, value in self.wording.tensors().items()}
        if self.probability is not None:
            held |= {f"probability.{name}": value for name, value in self.probability.tensors().items()}
        held |= {f"quantiles.{lang}": values for lang, values in self.quantiles.items()}
        (folder / TENSORS).write_bytes(save({k: np.array(v, order="C") for k, v in sorted(held.items())}))
        (folder / RATER).write_text(json.dumps(about, indent=1, allow_nan=False), "utf-8")

    @classmethod
    def read(cls, folder: Path) -> "Rater":
        """Read what `write` wrote.

        Raises:
            DataError: if it is not there, or damaged.
        """
        from safetensors.numpy import load_file

        path = folder / RATER
        if not path.is_file():
            raise DataError(f"there is no rater in {folder}", "glotmix signals RECIPE")
        with blame(path, f"delete {folder} and run again"):
            about = json_text.loads(path.read_text("utf-8"))
            if about["format"] != FORMAT:
                raise DataError(f"{path} has format {about['format']}; this glotmix reads {FORMAT}")
            held = load_file(folder / TENSORS)
            raters = {
                name: Classifier.of(one, _below(held, f"raters.{name}.")) for name, one in about["raters"].items()
            }
            if not {*_NAMES.validate_python(about["of"]).values(), classifier_bank.POOLED} <= set(raters):
                raise ValueError("a language is rated by a rater that is not there")
            structure: Statistics | Referenced | None = None
            own = about["structure"]
            if own is not None and own.get("reference"):
                structure = Referenced(tuple(own["columns"]))
            elif own is not None:
                n, mean, sd, quantiles = (held[f"structure.{k}"] for k in _STATISTICS)
                columns, levels = tuple(own["columns"]), _levels(own["levels"], n)
                if POOLED not in levels:
                    raise ValueError("there are no statistics of all languages together")
                structure = Statistics(
                    columns, levels, n, mean, sd, quantiles, _COUNT.validate_python(own["min_documents"])
                )
            centres = {
                name: LanguageMeans(
                    _levels(one["levels"], held[f"centres.{name}.n"]),
                    held[f"centres.{name}.n"],
                    held[f"centres.{name}.mean"],
                    one["scale"],
                )
                for name, one in about["centres"].items()
            }
            calibration = about["calibration"]
            vectors = [part for part in about["reads"] if part["name"] in centres]
            found = cls(
                ClassifierBank(about["strategy"], raters, about["of"]),
                LanguageNormalizer(structure, centres),
                {part["name"]: part["fingerprint"] for part in vectors if part["fingerprint"] is not None},
                _below(held, "quantiles."),
                None if calibration is None else Calibration.of(calibration),
                {part["name"]: part["max_chars"] for part in vectors if part["max_chars"] is not None},
                {part["name"]: part["model"] for part in vectors if part["model"] != part["name"]},
                Wording.of(_below(held, "wording.")) if about["wording"] else None,
                None
                if about["probability"] is None
                else Probability.of(about["probability"], _below(held, "probability.")),
            )
            if found.reads != about["reads"] or any(r.columns != found.usual.names for r in raters.values()):
                told = " + ".join(f"{part['name']} ({part['numbers']})" for part in about["reads"])
                raise DataError(
                    f"{path}: its numbers do not belong to what it says it reads, {told}",
                    f"delete {folder} and run again",
                )
        return found


def _levels(names: Any, counts: NDArray[Any]) -> tuple[str, ...]:
    if not all(isinstance(name, str) for name in names) or len(names) != len(counts):
        raise ValueError(f"{len(names)} levels, numbers of {len(counts)}")
    return tuple(names)


def _below(held: Mapping[str, NDArray[Any]], start: str) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(start): value for name, value in held.items() if name.startswith(start)}
