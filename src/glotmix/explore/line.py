"""The lines that move, each as the ledger applies its rule: a heuristic's, the identifier's, the rater's."""

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from glotmix.core.errors import RequestError
from glotmix.explore.scale import Scale, of_probability, of_values
from glotmix.quality.rater import Rater
from glotmix.quality.reference import shipped
from glotmix.select import retention, thresholds, unusual
from glotmix.signals import confusions
from glotmix.signals.heuristics import COLUMNS, GRAIN

if TYPE_CHECKING:
    from glotmix.explore.lines import Lines

Place = float | None
"""Where a line stands; None for no line."""


class Line(Protocol):
    """A rule's line in one language.

    Args of a concrete one: `rows`, the documents that it judges; `values`, (k,) what it judges them by; `late`, whether
    copies are gone before its rule, so that no copy stands in the place of one that it drops.
    """

    rule: str
    key: str
    lang: str
    side: thresholds.Side
    meaning: str
    rows: NDArray[np.int64]
    values: NDArray[np.float64]
    now: Place
    late: bool

    def falls(self, place: Place, how: str) -> NDArray[np.bool_]:
        """Return (k,) booleans: the documents that a line at a place would drop."""

    def at(self, given: float, how: str) -> Place:
        """Return where the line stands that a setting draws."""

    def written(self, given: Place, how: str) -> Any:
        """Return the setting's value."""

    def labelled(self, place: Place, how: str) -> Any:
        """Return what labels say of it, as `told` does; None where none speaks of it."""

    def scale(self) -> Scale:
        """Return the places that the slider has."""


class Heuristic:
    """A line through a heuristic: see `select.thresholds` and `select.unusual`."""

    late = False

    def __init__(self, lines: "Lines", lang: str, column: str, side: thresholds.Side) -> None:
        self.rule = self.key = f"heuristics.{column}.{side}"
        self._lines, self.lang, self.column, self.side = lines, lang, column, side
        self.meaning = COLUMNS[column].meaning if column in COLUMNS else column
        self.rows = lines.rows(lang, "heuristics.")
        self.values = lines.documents.numbers(f"heuristics.{column}")[self.rows].astype(np.float64)
        self.now = lines.drawn.get((lang, column, side), (None, ""))[0]

    def falls(self, place: Place, how: str) -> NDArray[np.bool_]:
        """See `Line`; a number holds as it is given, a quantile spares what is usual elsewhere."""
        sizes = [self._lines.documents.numbers(f"heuristics.{n}")[self.rows] for n in ("chars", "units")]
        return self._fall(self.values, sizes, place, how)

    def _fall(
        self, values: NDArray[np.float64], sizes: list[NDArray[np.float32]], place: Place, how: str
    ) -> NDArray[np.bool_]:
        if place is None:
            return np.zeros(len(values), bool)
        # As the ledger compares: in the type that the column is stored in.
        at = np.float64(np.float32(place)) if self._shares else place
        beyond = values > at if self.side == "high" else values < at
        if how == "number" or self.column not in shipped().columns or self._lines.documents.context.instructs:
            return np.asarray(beyond)
        if self.column in self._lines.rated or not place:
            return np.zeros(len(values), bool)
        found = np.flatnonzero(beyond)
        names = dict(zip(("chars", "units"), sizes, strict=True)) | {self.column: values}
        held = pa.table({name: column[found].astype(np.float64) for name, column in names.items()})
        every = np.arange(len(found))
        far = unusual.far(held, every, self.lang, self.column, self.side, place, shipped(), GRAIN)
        falls = np.zeros(len(values), bool)
        falls[found[far > unusual.HAIR]] = True
        return falls

    @property
    def _shares(self) -> bool:
        return self.column not in COLUMNS or not pa.types.is_integer(COLUMNS[self.column].dtype)

    def at(self, given: float, how: str) -> Place:
        """See `Line`."""
        if how == "number":
            return given
        present = np.sort(self.values[~np.isnan(self.values)])
        if len(present) < max(1, self._lines.least):
            raise RequestError(
                f"a quantile needs {self._lines.least:,} documents with this number, {self.lang} has {len(present):,}",
                "give a number",
            )
        return thresholds.quantile_line(present, self.side, given)

    def written(self, given: Place, how: str) -> Any:
        """See `Line`."""
        if given is None:
            return None
        if how == "quantile":
            return {"quantile": float(f"{given:.6g}")}
        return float(str(np.float32(given))) if self._shares else int(given)

    def labelled(self, place: Place, how: str) -> Any:
        """See `Line`."""
        held = self._lines.labels.of(self.lang)
        if held is None or self.column not in held.measured.column_names:
            return None
        values, *sizes = (
            held.measured[n].to_numpy(zero_copy_only=False).astype(np.float64) for n in (self.column, "chars", "units")
        )
        return told(self._fall(values, sizes, place, how), held.natural, held.origin)

    def scale(self) -> Scale:
        """See `Line`."""
        sizes = self._lines.documents.bytes[self.rows]
        return of_values(self.values, sizes, self.side, self.now, whole=not self._shares)


class Identify:
    """The least score at which a reading as another language counts."""

    side: thresholds.Side = "high"
    late = False
    rule, key = "identify", "identify.min_score"
    meaning = "score of a reading as another language than the declared one, from which it counts"

    def __init__(self, lines: "Lines", lang: str) -> None:
        self._lines, self.lang = lines, lang
        documents = lines.documents
        own = lines.rows(lang, "identify.")
        labels, agrees = lines.read_as
        # Judged are those that read as another language which can be told from the declared one.
        others = np.array([n[:3] != lang[:3] and confusions.apart(lang, n) for n in labels.names] + [False], bool)
        self.rows = own[others[labels.codes[own]] & ~agrees[own]]
        self.values = documents.numbers("identify.score")[self.rows].astype(np.float64)
        setting = lines.setting(lang, self.key).value
        dropped = lines.setting(lang, "identify.on_mismatch").value == "drop"
        model = documents.context.recipe.signals.identify.model
        least = confusions.least(lang, model) if setting is None else float(setting)  # type: ignore[arg-type]
        self.now: Place = least if dropped else None

    def falls(self, place: Place, how: str) -> NDArray[np.bool_]:
        """See `Line`."""
        return np.asarray(self.values >= place) if place is not None else np.zeros(len(self.values), bool)

    def at(self, given: float, how: str) -> Place:
        """See `Line`."""
        return min(max(given, 0.0), 1.0)

    def written(self, given: Place, how: str) -> Any:
        """See `Line`; no line is written as a score that none reaches."""
        return 1.0 if given is None else float(f"{given:.6g}")

    def labelled(self, place: Place, how: str) -> Any:
        """See `Line`: documents of this corpus of which a speaker said whether they are in the language."""
        return self._lines.of_corpus(self, place, how, "wrong_language")

    def scale(self) -> Scale:
        """See `Line`."""
        return of_probability(self.values, self._lines.documents.bytes[self.rows], self.now)


class Quality:
    """The line of the rater: the share of good text that may be lost."""

    side: thresholds.Side = "low"
    late = True
    rule, key = "quality", "quality.lose"
    meaning = "share of good text that the line of the rater may cost"

    def __init__(self, lines: "Lines", lang: str, rater: Rater) -> None:
        assert rater.probability is not None
        self._lines, self.lang, self._chance = lines, lang, rater.probability
        self.rows = lines.rows(lang, "quality.")
        self.values = lines.documents.quality[self.rows].astype(np.float64)
        given = lines.setting(lang, self.key).value
        share = lines.documents.context.recipe.select.lose if given is None else float(given)  # type: ignore[arg-type]
        self.now: Place = self._chance.line(lang, share)
        self._share = share

    def falls(self, place: Place, how: str) -> NDArray[np.bool_]:
        """See `Line`."""
        if place is None:
            return np.zeros(len(self.values), bool)
        return np.asarray(self.values < place - retention.HAIR)

    def at(self, given: float, how: str) -> Place:
        """See `Line`: from a share of good text to a score."""
        return self._chance.line(self.lang, min(max(given, 1e-6), 0.5))

    def written(self, given: Place, how: str) -> Any:
        """See `Line`."""
        return float(f"{min(max(given or 0.0, 1e-6), 0.5):.6g}")

    def labelled(self, place: Place, how: str) -> Any:
        """See `Line`: the documents of this corpus that a speaker judged."""
        return self._lines.of_corpus(self, place, how)

    def scale(self) -> Scale:
        """See `Line`."""
        shares = np.unique(np.concatenate([np.linspace(0.001, 0.1, 100), np.linspace(0.1, 0.5, 81)]).round(6))
        places = [self._chance.line(self.lang, share) for share in shares.tolist()]
        sizes = self._lines.documents.bytes[self.rows]
        drawn = Scale.at(self.values, sizes, np.array(places) - retention.HAIR, "low")
        return drawn.given(shares.tolist(), places, self._share)


def told(
    falls: NDArray[np.bool_], good: NDArray[np.bool_], origin: str, names: tuple[str, str] = ("natural", "unnatural")
) -> dict[str, Any]:
    """Return what labels say of a line: of good and bad ones, [beyond it, of], what they are called, and whence."""
    return {
        "good": [int((falls & good).sum()), int(good.sum())],
        "bad": [int((falls & ~good).sum()), int((~good).sum())],
        "names": names,
        "origin": origin,
    }
