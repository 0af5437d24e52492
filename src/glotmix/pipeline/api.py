"""What the command line does with a recipe, as functions: `glotmix.run`, `demo`, `plan`, `why`, `explain`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa

from glotmix.core import settings, table, warning
from glotmix.core.errors import GlotmixError
from glotmix.core.language import parse
from glotmix.core.record import Watcher
from glotmix.core.section import Recipe
from glotmix.core.shown import Sheet, Shown
from glotmix.explore import story
from glotmix.pipeline import recipe as recipes
from glotmix.pipeline.run import Job, demo_recipe

Given: TypeAlias = Recipe | Mapping[str, Any] | str | Path
"""A recipe: the path of a YAML file, YAML, plain data, or what `recipe` returned."""

Override: TypeAlias = str | Mapping[str, Any]
"""``"mix.tokens=1e9"``, as on the command line, or ``{"mix.tokens": 1e9}``."""


@dataclass(frozen=True)
class Language:
    """One language of a run.

    Args:
        lang: its code.
        read: documents that were read.
        kept: documents that are kept.
        bytes: UTF-8 bytes of these.
        share: of the training tokens; None where no mixture is made.
        low: the least share that is as good; None where nothing was measured.
        high: the greatest.
        epochs: how often its documents are seen.
        cells: the part of its share that each of its cells has; None where the mixture is of languages.
    """

    lang: str
    read: int
    kept: int
    bytes: int
    share: float | None = None
    low: float | None = None
    high: float | None = None
    epochs: float | None = None
    cells: Mapping[str, float] | None = None


@dataclass(frozen=True, repr=False)
class Run(Shown):
    """What a recipe has made so far.

    Args:
        folder: where it stands.
        languages: sorted by code; none before there is a ledger.
        warnings: what a reader must know.
        files: what there is → its path: ``data set``, ``mixture``, ``report``.
        mixture: what runs say of the mixture, a sentence; None where no runs led to it.
    """

    folder: Path
    languages: tuple[Language, ...]
    warnings: tuple[str, ...]
    files: Mapping[str, Path]
    mixture: str | None = None

    @property
    def ledger(self) -> pa.Table:
        """One row per document: kept or dropped, by which rule, on which evidence.

        Raises:
            GlotmixError: if it is not made yet.
        """
        return self.table("ledger")

    def table(self, step: str) -> pa.Table:
        """Return the rows of a step that has one for each document: ``ledger``, ``signals/identify``.

        Raises:
            GlotmixError: if the step has none, or is not made yet.
        """
        parts = sorted((self.folder / step).glob("part-*.parquet"))
        if not parts:
            raise GlotmixError(f"{self.folder / step} holds no table of documents", f'run(recipe, until="{step}")')
        return table.read(parts)

    def why(self, identity: str) -> "Story":
        """Tell the story of one document: see `glotmix.why`."""
        return why(self.folder, identity)

    def sheet(self) -> Sheet:
        """See `Shown`."""
        rows = [
            (
                one.lang, one.read, one.kept, round(one.bytes / 1e6, 2),
                None if one.share is None else f"{one.share:.2%}", one.epochs,
            )
            for one in self.languages
        ]  # fmt: skip
        notes = [*([self.mixture] if self.mixture else []), *(warning.line(text) for text in self.warnings)]
        notes += [f"{what}: {path}" for what, path in self.files.items()]
        columns = ("language", "read", "kept", "MB kept", "share", "epochs")
        return Sheet(f"{len(rows)} languages in {self.folder}", columns, rows, notes)


@dataclass(frozen=True)
class Step:
    """What running one step would mean.

    Args:
        step: its name.
        state: ``reused``, ``new``, ``resumed``, or why it is made again.
        changes: what changed since it was made.
        documents: how many it holds, where it is reused.
    """

    step: str
    state: str
    changes: tuple[str, ...]
    documents: int | None


@dataclass(frozen=True, repr=False)
class Plan(Shown):
    """The steps of a recipe, in the order of the work."""

    steps: tuple[Step, ...]

    def sheet(self) -> Sheet:
        """See `Shown`."""
        rows = [(one.step, one.state, one.documents, "; ".join(one.changes)) for one in self.steps]
        return Sheet(f"{len(rows)} steps", ("step", "state", "documents", "why"), rows)


@dataclass(frozen=True, repr=False)
class Story(Shown):
    """What became of one document.

    Args:
        id: its id.
        lang: its language.
        source: where it was read from.
        kept: whether the data set holds it.
        rule: the first rule that it failed; None where it is kept.
        evidence: what the rule saw.
        failed: every rule that it fails.
        twins: other documents of its duplicate cluster, at most 20.
        signals: by name, what was measured of it.
        text: the document.
    """

    id: str
    lang: str
    source: str
    kept: bool
    rule: str | None
    evidence: str | None
    failed: tuple[str, ...]
    twins: tuple[str, ...]
    signals: Mapping[str, Mapping[str, Any]]
    text: str

    def sheet(self) -> Sheet:
        """See `Shown`."""
        fate = "kept" if self.kept else f"dropped by {self.rule}: {self.evidence}"
        measured = [
            (signal, name, str(value)) for signal, found in self.signals.items() for name, value in found.items()
        ]
        return Sheet(f"{self.id} ({self.lang}, {self.source}): {fate}", ("signal", "column", "value"), measured)


@dataclass(frozen=True, repr=False)
class Settings(Shown):
    """The settings of a language, each with its origin.

    Args:
        lang: the language.
        values: by dotted key, in the order of the built-in file.
    """

    lang: str
    values: Mapping[str, settings.Setting]

    def __getitem__(self, key: str) -> settings.Value:
        """Return the value of a setting."""
        return self.values[key].value

    def sheet(self) -> Sheet:
        """See `Shown`."""
        rows = [(key, str(one.value), one.origin) for key, one in self.values.items()]
        return Sheet(f"settings of {self.lang}", ("setting", "value", "from"), rows)


def recipe(given: Given, *overrides: Override) -> Recipe:
    """Return a checked recipe.

    Args:
        given: see `Given`.
        overrides: see `Override`.

    Raises:
        RequestError: naming the key, what was found and what is allowed.

    >>> source = {"name": "a", "path": "a.jsonl", "language": "fra_Latn"}
    >>> given = {"name": "web", "corpus": {"sources": [source]}}
    >>> made = recipe(given, "mix.tokens=1e9", {"mix.max_epochs": 2})
    >>> made.mix.tokens, made.mix.max_epochs
    (1000000000, 2.0)
    """
    return recipes.parse(recipes.overridden(_data(given), overrides), _where(given))


def run(
    given: Given,
    *overrides: Override,
    until: str | None = None,
    base: str | Path | None = None,
    watcher: Watcher | None = None,
) -> Run:
    """Make what a recipe asks for, and reuse what is there: `glotmix run`.

    Args:
        given: see `Given`.
        overrides: see `Override`.
        until: the last step that is made, such as ``ledger``; all by default.
        base: the folder that relative paths start from; that of the recipe's file, else where one is.
        watcher: told of the progress.

    Raises:
        RequestError: if the recipe cannot be meant.
        DataError: for bad input, and whatever the steps raise.
    """
    return _run(Job(recipe(given, *overrides), _base(given, base), watcher), until)


def demo(
    folder: str | Path = "demo", small: bool = False, proxies: bool | None = None, watcher: Watcher | None = None
) -> Run:
    """Run the recipe of the corpus that ships with glotmix: `glotmix demo`.

    Args:
        folder: where everything is written.
        small: a quarter of the documents.
        proxies: train a small ensemble and fit the mixture to it (the extra `train`), or take UniMax; by default train
            where torch is installed, and not the small one.
        watcher: told of the progress.
    """
    at, overrides = demo_recipe(Path(folder).resolve(), small, proxies)
    return run(at, *overrides, watcher=watcher)


def _run(job: Job, until: str | None) -> Run:
    told = job.run(until)
    languages = tuple(Language(**row) for row in told["languages"])
    files = {what: Path(where) for what, where in told["files"].items()}
    return Run(job.folder, languages, tuple(told["warnings"]), files, told["mixture"])


def plan(given: Given, *overrides: Override, until: str | None = None, base: str | Path | None = None) -> Plan:
    """Return what `run` would make and reuse; make nothing: `glotmix run --dry-run`."""
    rows = Job(recipe(given, *overrides), _base(given, base)).plan(until)
    return Plan(tuple(Step(row["step"], row["state"], tuple(row["changes"]), row["documents"]) for row in rows))


def why(where: Given, identity: str, base: str | Path | None = None) -> Story:
    """Tell the story of one document: `glotmix why`.

    Args:
        where: the folder that a recipe filled, or the recipe.
        identity: the document's id.
        base: see `run`.

    Raises:
        GlotmixError: if there is no finished ledger.
        RequestError: if no document has that id, with the ids that look like it.
    """
    if isinstance(where, str | Path) and "\n" not in str(where) and Path(where).is_dir():
        folder = Path(where)
    else:
        folder = Job(recipe(where), _base(where, base)).folder
    told = story.tell(folder, identity)
    names = ("id", "lang", "source", "kept", "rule", "evidence", "signals", "text")
    return Story(**{name: told[name] for name in names}, failed=tuple(told["failed"]), twins=tuple(told["twins"]))


def explain(language: str, given: Given | None = None, *overrides: Override, source: str | None = None) -> Settings:
    """Return a language's settings, each with its origin: `glotmix explain`.

    Args:
        language: a code, such as ``fra_Latn``.
        given: a recipe whose settings apply.
        overrides: of that recipe.
        source: a source of the recipe.

    >>> explain("tr")["identify.on_mismatch"]
    'drop'
    """
    made = None if given is None else recipe(given, *overrides)
    settings.known_source(source, [one.name for one in made.corpus.sources] if made else [])
    own = made.settings if made else {}
    lang = parse(language)
    return Settings(lang.code, settings.resolve(own, lang, source))


def schema() -> dict[str, Any]:
    """Return the JSON schema of the recipe, with what installed packages add: `glotmix schema`."""
    return recipes.schema()


def _data(given: Given) -> dict[str, Any]:
    if isinstance(given, Recipe):
        return given.model_dump(mode="json", exclude_unset=True)
    if isinstance(given, Mapping):
        return dict(given)
    if isinstance(given, Path) or "\n" not in given:
        return recipes.read(Path(given))
    return recipes.from_text(given, "the recipe")


def _where(given: Given) -> str:
    return str(given) if isinstance(given, Path) or (isinstance(given, str) and "\n" not in given) else "recipe"


def _base(given: Given, base: str | Path | None) -> Path:
    if base is not None:
        return Path(base)
    return Path(given).parent if isinstance(given, Path) or (isinstance(given, str) and "\n" not in given) else Path()
