"""Lines that move: what another threshold of a rule would drop and bring back, in one language, counted at once.

Counted is the rule itself, as the ledger applies it, over all documents of the language; what the other rules say of
each document is taken as it stands. Duplicates are counted: of a cluster one stands, whichever that is. Retention is
where a score tells; a share that is ranked anew is not. `glotmix select --what-if` counts all of it.
"""

from collections.abc import Callable, Mapping
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glotmix.core import settings, table
from glotmix.core.errors import RequestError, did_you_mean
from glotmix.core.language import parse
from glotmix.core.rules import LanguageSetting, Rule
from glotmix.core.step import StepSpec
from glotmix.explore import story
from glotmix.explore.declared_line import Declared
from glotmix.explore.documents import Coded, Documents, coded
from glotmix.explore.filters import brief, end
from glotmix.explore.labels import Labels
from glotmix.explore.line import Heuristic, Identify, Line, Place, Quality, told
from glotmix.quality.rater import Rater
from glotmix.quality.reference import shipped
from glotmix.quality.steps import APPLIED
from glotmix.select.precision import judged

NEAR = 6
"""Documents shown on each side of a line."""


class Lines:
    """The lines that a recipe's rules draw, by language.

    Args:
        documents: the documents.
    """

    def __init__(self, documents: Documents) -> None:
        self.documents = documents
        self.labels = Labels(documents.context)
        self.least = documents.context.recipe.select.min_documents
        self._made: Callable[[str, str], Line] = cache(self._make)
        self.rows: Callable[[str, str], NDArray[np.int64]] = cache(self._rows)
        self._resolved: Callable[[str, str | None], Mapping[str, settings.Setting]] = cache(self._resolve)

    @cached_property
    def drawn(self) -> dict[tuple[str, str, str], tuple[float | None, str]]:
        """Where the ledger's lines of the heuristics stand: language, column, side → value, origin."""
        files = table.shards(self.documents.context.step_dir("thresholds"))
        held = table.read(files).to_pylist() if files else []
        return {(r["lang"], r["column"], r["side"]): (r["value"], r["origin"]) for r in held if r["source"] is None}

    @cached_property
    def read_as(self) -> tuple[Coded, NDArray[np.bool_]]:
        """What documents read as, and whether that agrees with what is declared (missing counts as agreement)."""
        files = story.parts(self.documents.context.step_dir("signals/identify"))
        held = table.read(files, ["label", "agrees"])
        agrees = held["agrees"].fill_null(True).to_numpy().astype(bool)
        return coded(held["label"]), agrees

    @cached_property
    def rater(self) -> Rater | None:
        """The rater whose probabilities draw the line of quality; None where nothing or something else does."""
        context = self.documents.context
        recipe = context.recipe
        if context.instructs or recipe.quality is None or recipe.select.retain != "lose":
            return None
        folder = context.step_dir("signals/quality") / APPLIED
        found = Rater.read(folder) if folder.is_dir() else None
        return found if found is not None and found.probability is not None else None

    @cached_property
    def rated(self) -> frozenset[str]:
        """Columns that the rater weighs: a derived line through them drops nothing by itself."""
        structure = self.rater.usual.structure if self.rater is not None else None
        return frozenset() if structure is None else frozenset(structure.columns)

    def setting(self, lang: str, key: str, source: str | None = None) -> settings.Setting:
        """Return the resolved setting of a language."""
        return self._resolved(lang, source)[key]

    def _resolve(self, lang: str, source: str | None) -> Mapping[str, settings.Setting]:
        return settings.resolve(self.documents.context.recipe.settings, parse(lang), source)

    def _rows(self, lang: str, prefix: str) -> NDArray[np.int64]:
        """Return the documents of a language, but those of sources that set something of their own there."""
        documents = self.documents
        wanted = documents.lang.codes == documents.lang.code(lang, "language")

        def own(source: str | None) -> dict[str, Any]:
            return {k: s.value for k, s in self._resolved(lang, source).items() if k.startswith(prefix)}

        for source in documents.context.recipe.corpus.sources:
            if source.name in documents.source.names and own(source.name) != own(None):
                wanted &= documents.source.codes != documents.source.names.index(source.name)
        return np.flatnonzero(wanted)

    def line(self, lang: str, rule: str) -> Line:
        """Return a rule's line in a language.

        Raises:
            RequestError: if there is none that moves.
        """
        self.documents.lang.code(lang, "language")
        return self._made(lang, rule)

    def _make(self, lang: str, rule: str) -> Line:
        if rule == "identify" and any(s.name == "signals/identify" for s in self.documents.steps):
            return Identify(self, lang)
        if rule == "quality" and self.rater is not None:
            return Quality(self, lang, self.rater)
        if rule in self.declared:
            return Declared(self, lang, *self.declared[rule])
        column, _, side = rule.removeprefix("heuristics.").rpartition(".")
        if (
            rule.startswith("heuristics.")
            and side in ("low", "high")
            and f"heuristics.{column}" in self.documents.numeric
        ):
            return Heuristic(self, lang, column, "low" if side == "low" else "high")
        raise RequestError(f"no line of {rule!r} can be moved{did_you_mean(rule, self.rules)}")

    @cached_property
    def declared(self) -> dict[str, tuple[StepSpec, Rule, LanguageSetting]]:
        """The lines that rules declare (`core.rules.Through`), by the rule's name in the ledger."""
        found = {}
        for step in self.documents.context.steps:
            for rule in step.rules:
                for setting in rule.settings:
                    if (line := setting.through) and all(name in self.documents.numeric for name in line.columns):
                        found[line.rule or rule.name] = (step, rule, setting)
        return found

    @cached_property
    def copies(self) -> int:
        """The place of the rule of duplicates: rules before it look at copies, too."""
        return next(r.place for s in self.documents.context.steps for r in s.rules if r.name == "duplicates")

    def without_copies(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return those of some documents that the rule of duplicates, or one before it, did not drop."""
        before = {r.name for s in self.documents.context.steps for r in s.rules if r.place <= self.copies}
        gone = [name.partition(".")[0] in before or name in before for name in self.documents.rule.names]
        there: NDArray[np.int64] = rows[~np.array([*gone, False], bool)[self.documents.rule.codes[rows]]]
        return there

    def of_corpus(self, line: Line, place: Place, how: str, what: str = "label") -> dict[str, Any] | None:
        """Return what the documents of this corpus that somebody judged say of a line; None where there are none.

        Args:
            line: the line.
            place: where it stands.
            how: how it is written.
            what: see `Labels.judged`.
        """
        judgements, documents = self.labels.judged(line.lang, what), self.documents
        rows = {documents.ids[int(r)].as_py(): i for i, r in enumerate(line.rows)} if judgements else {}
        there = [(rows[i], said) for i, said in judgements.items() if i in rows]
        if not there:
            return None
        seen = " (the rater was trained on them)" if self.labels.trained_on(line.lang) else ""
        falls = line.falls(place, how)[[i for i, _ in there]]
        said = np.array([said for _, said in there])
        # A label is praise, a property is a fault.
        good = said if what == "label" else ~said
        called = ("natural", "unnatural") if what == "label" else (f"not {_words(what)}", _words(what))
        return told(falls, good, f"labels/{line.lang}.jsonl{seen}", called)

    @property
    def rules(self) -> list[str]:
        """The rules whose lines move."""
        columns = [n.removeprefix("heuristics.") for n in self.documents.numeric if n.startswith("heuristics.")]
        found = ["quality"] if self.rater is not None else []
        found += ["identify", *self.declared]
        return [*found, *(f"heuristics.{c}.{side}" for c in columns for side in ("low", "high"))]

    def warm(self) -> None:
        """Read what every line needs, so that the first one that is moved does not wait for it."""
        self.labels.read()
        shipped()
        for _ in (self.drawn, self.rater):
            pass
        if any(s.name == "signals/identify" for s in self.documents.steps):
            _ = self.read_as

    def listed(self, given: dict[str, Any]) -> dict[str, Any]:
        """Return the lines of a language: ``lang`` in; for each rule what is set, and how many documents fail it."""
        lang = str(given.get("lang"))
        code = self.documents.lang.code(lang, "language")
        mine = np.flatnonzero(self.documents.lang.codes == code)
        failing = self.documents.failures(mine)
        found = []
        for rule in self.rules:
            key = self._key(rule)
            setting = self.setting(lang, key)
            column, _, side = rule.removeprefix("heuristics.").rpartition(".")
            tested = judged(rule)
            drawn = self.drawn.get((lang, column, side), (None, ""))[0]
            value, origin = setting.value, setting.origin
            if rule == "quality" and value is None:
                value, origin = self.documents.context.recipe.select.lose, "select.lose"
            if rule in ("quality", "identify", *self.declared):
                drawn = self.line(lang, rule).now
            found.append(
                {
                    "rule": rule,
                    "set": drawn if rule == "identify" and value is None else value,
                    "origin": origin,
                    "drawn": drawn,
                    "fails": failing.get(rule, 0),
                    "judged": None if tested is None else tested.shown,
                    "weighed": column in self.rated,
                }
            )
        quality = self.documents.context.recipe.quality is not None and self.rater is None
        return {"lines": found, "documents": len(mine), "retains": self._retains() if quality else None}

    def _key(self, rule: str) -> str:
        if rule in self.declared:
            return self.declared[rule][2].key
        return {"quality": Quality.key, "identify": Identify.key}.get(rule, rule)

    def _retains(self) -> str:
        mode = self.documents.context.recipe.select.retain
        return f"retention by {mode} ranks documents against each other: its line does not move by itself"

    def scale(self, given: dict[str, Any]) -> dict[str, Any]:
        """Return the places of a slider: ``lang`` and ``rule`` in; see `Scale`."""
        line = self.line(str(given.get("lang")), str(given.get("rule")))
        return {
            "rule": line.rule,
            "key": line.key,
            "side": line.side,
            "meaning": line.meaning,
            "set": self.setting(line.lang, line.key).value,
            "weighed": line.rule.removeprefix("heuristics.").rpartition(".")[0] in self.rated,
            "documents": len(line.rows),
            "enough": len(line.rows) >= self.least,
            "least": self.least,
            **line.scale().as_json(),
        }

    def moved(self, given: dict[str, Any]) -> dict[str, Any]:
        """Return what a line at another place changes.

        Args:
            given: ``lang``, ``rule``, ``value`` (null for no line), ``how`` (``number`` or ``quantile``).

        Returns:
            ``place``; ``falls``, ``already`` (by another rule), ``go``, ``back``, ``back_but`` (would come back, and
            fall to retention or as duplicates): documents and bytes; ``replaced``: how many of those that go have a
            duplicate that comes in their place; ``sources``: what goes and
            comes back, by source; ``labels``; ``near``: documents at the line; ``setting``: what to write.
        """
        lang, how = str(given.get("lang")), str(given.get("how") or "number")
        line, value = self.line(lang, str(given.get("rule"))), end(given.get("value"), "the line")
        place = None if value is None else line.at(value, how)
        documents, rows = self.documents, line.rows
        falls = line.falls(place, how)
        fails_now = documents.failing(line.rule)[rows]
        others = documents.fails[rows] > fails_now
        go = documents.kept[rows] & falls
        back = ~documents.kept[rows] & fails_now & ~others & ~falls
        later = back & (documents.margin[rows] < 0) if line.rule != "quality" else np.zeros(len(rows), bool)
        back &= ~later
        back, again = self._once(rows, back, go)
        later |= again
        return {
            "place": place,
            "falls": self._sum(rows[falls]),
            "already": self._sum(rows[falls & others]),
            "go": self._sum(rows[go]),
            "back": self._sum(rows[back]),
            "back_but": self._sum(rows[later]),
            "replaced": 0 if line.late else self._replaced(rows, falls, go),
            "sources": self._by_source(rows, go, back),
            "labels": line.labelled(place, how),
            "near": self._near(line, place),
            "setting": {"key": line.key, "value": line.written(value, how)},
        }

    @cached_property
    def _clusters(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Of each cluster, how many members are kept, and how many another one stands for."""
        documents = self.documents
        codes, size = documents.cluster.codes, len(documents.cluster.names)
        twins = np.array([n.startswith("duplicates.") for n in documents.rule.names] + [False], bool)
        dropped = twins[documents.rule.codes]
        kept, stood = (np.bincount(codes[(codes >= 0) & m], minlength=size) for m in (documents.kept, dropped))
        return kept, stood

    def _once(
        self, rows: NDArray[np.int64], back: NDArray[np.bool_], go: NDArray[np.bool_]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Part those that would come back: the one of each cluster of which none is kept, and all others."""
        codes = self.documents.cluster.codes[rows]
        crowded = np.flatnonzero(back & (codes >= 0))
        # Of those that come back alike, the longest stands.
        crowded = crowded[np.argsort(-self.documents.bytes[rows[crowded]], kind="stable")]
        gone = np.bincount(codes[go & (codes >= 0)], minlength=len(self.documents.cluster.names))
        stands = (self._clusters[0] - gone)[codes[crowded]] > 0
        first = np.zeros(len(crowded), bool)
        first[np.unique(codes[crowded], return_index=True)[1]] = True
        again = np.zeros(len(rows), bool)
        again[crowded[stands | ~first]] = True
        return back & ~again, again

    def _replaced(self, rows: NDArray[np.int64], falls: NDArray[np.bool_], go: NDArray[np.bool_]) -> int:
        """Return how many of those that go stand for a duplicate that does not."""
        documents = self.documents
        codes = documents.cluster.codes[rows]
        mine = np.unique(codes[go & (codes >= 0)])
        if not len(mine):
            return 0
        twins = np.array([n.startswith("duplicates.") for n in documents.rule.names] + [False], bool)
        lost = falls & (codes >= 0) & twins[documents.rule.codes[rows]]
        fallen = np.bincount(codes[lost], minlength=len(documents.cluster.names))
        return int(((self._clusters[1] - fallen)[mine] > 0).sum())

    def _sum(self, rows: NDArray[np.int64]) -> dict[str, int]:
        return {"documents": len(rows), "bytes": int(self.documents.bytes[rows].sum())}

    def _by_source(
        self, rows: NDArray[np.int64], go: NDArray[np.bool_], back: NDArray[np.bool_]
    ) -> list[dict[str, Any]]:
        codes, size = self.documents.source.codes[rows], self.documents.bytes[rows]
        names = self.documents.source.names
        of = np.bincount(codes, minlength=len(names))
        kept = np.bincount(codes[self.documents.kept[rows]], minlength=len(names))
        found: dict[str, Any] = {}
        for side, mask in (("go", go), ("back", back)):
            counts = np.bincount(codes[mask], minlength=len(names))
            sizes = np.bincount(codes[mask], weights=size[mask], minlength=len(names))
            for i in np.flatnonzero(of).tolist():
                one = found.setdefault(names[i], {"source": names[i], "of": int(of[i]), "kept": int(kept[i])})
                one |= {side: int(counts[i]), f"{side}_bytes": int(sizes[i])}
        return sorted(found.values(), key=lambda one: (-one["go"], -one["back"], one["source"]))

    def _near(self, line: Line, place: Place) -> dict[str, Any]:
        """Return the documents next to a line on both sides of it, each as `brief` with ``value``."""
        if place is None:
            return {"beyond": [], "within": []}
        signed = line.values - place if line.side == "high" else place - line.values
        found = {}
        for name, mask in (("beyond", signed > 0), ("within", signed <= 0)):
            at = np.flatnonzero(mask)
            distance = np.abs(signed[at])
            if len(at) > NEAR:
                at = at[np.argpartition(distance, NEAR)[:NEAR]]
            at = at[np.argsort(np.abs(signed[at]), kind="stable")]
            rows = brief(self.documents, line.rows[at])
            found[name] = [r | {"value": float(v)} for r, v in zip(rows, line.values[at].tolist(), strict=True)]
        return found


def _words(name: str) -> str:
    return name.replace("_", " ")
