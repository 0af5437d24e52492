"""Lines that rules declare (`core.rules.Through`): a number of each document, and a setting that it is held against."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from glotmix.core.rules import LanguageSetting, Rule, Through
from glotmix.core.step import StepSpec
from glotmix.explore.line import Place, told
from glotmix.explore.scale import Scale, of_values
from glotmix.quality.anchors import PROPERTIES
from glotmix.select import thresholds
from glotmix.signals import annotate

if TYPE_CHECKING:
    from glotmix.explore.lines import Lines


class Declared:
    """A line that a rule declares: see `explore.line.Line`.

    Args:
        lines: the lines of the run.
        lang: the language.
        step: the step that declares the rule.
        rule: the rule.
        setting: its setting, with the line that it draws.
    """

    def __init__(self, lines: "Lines", lang: str, step: StepSpec, rule: Rule, setting: LanguageSetting) -> None:
        assert setting.through is not None
        self._lines, self.lang, self._step = lines, lang, step
        self._through: Through = setting.through
        documents = lines.documents
        self.rule, self.key = self._through.rule or rule.name, setting.key
        self.side: thresholds.Side = "low" if self._through.fails == "below" else "high"
        one = documents.numeric[self._through.columns[0]] if len(self._through.columns) == 1 else ""
        self.meaning = one or rule.meaning
        self.late = rule.place > lines.copies
        self.rows = lines.rows(lang, self.key)
        if self.late:
            self.rows = lines.without_copies(self.rows)
        self.values: NDArray[np.float64] = np.sum(
            [documents.exact(name, self.rows) for name in self._through.columns], axis=0
        )
        value: Any = lines.setting(lang, self.key).value
        self.now: Place = None if value is None else float(value)

    def falls(self, place: Place, how: str) -> NDArray[np.bool_]:
        """See `Line`."""
        return self._fall(self.values, place)

    def _fall(self, values: NDArray[np.float64], place: Place) -> NDArray[np.bool_]:
        if place is None:
            return np.zeros(len(values), bool)
        compare = {"above": np.greater, "from": np.greater_equal, "below": np.less}[self._through.fails]
        return np.asarray(compare(values, place))

    def at(self, given: float, how: str) -> Place:
        """See `Line`."""
        return float(round(given)) if self._through.whole else given

    def written(self, given: Place, how: str) -> Any:
        """See `Line`."""
        if given is None:
            return None
        return round(given) if self._through.whole else float(f"{given:.6g}")

    def labelled(self, place: Place, how: str) -> Any:
        """See `Line`: judged texts, where the signal can measure them, else judged documents of this corpus."""
        if self._judged is not None:
            values, natural, origin = self._judged
            return told(self._fall(values, place), natural, origin)
        # What a head says of a property is held against that property, anything else against naturalness.
        what = next((name for name in PROPERTIES if self.key.endswith(f".{name}")), "label")
        return self._lines.of_corpus(self, place, how, what)

    @cached_property
    def _judged(self) -> tuple[NDArray[np.float64], NDArray[np.bool_], str] | None:
        """The values of judged texts, which of them are natural, and where they come from."""
        held = self._lines.labels.of(self.lang)
        if held is None or not isinstance(self._step.make, annotate.Measured):
            return None
        measure = self._step.make.measure(self._lines.documents.context)
        if not set(measure.columns) <= {"text", "lang"}:
            return None
        given = {"text": held.texts, "lang": pa.array([self.lang] * len(held.texts))}
        found = pa.Table.from_struct_array(measure.function(*(given[name] for name in measure.columns)))
        names = [name.rpartition(".")[2] for name in self._through.columns]
        values = [found[name].fill_null(0).to_numpy().astype(np.float64) for name in names]
        return np.sum(values, axis=0), held.natural, held.origin

    def scale(self) -> Scale:
        """See `Line`."""
        sizes = self._lines.documents.bytes[self.rows]
        drawn = of_values(self.values, sizes, self.side, self.now, whole=self._through.whole)
        touching = self._through.fails == "from"
        # No quantile draws it: what is written is the number.
        return Scale.at(self.values, sizes, np.array(drawn.places), self.side, self.now, touching)
