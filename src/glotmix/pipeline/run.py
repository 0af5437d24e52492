"""The order of the work: a recipe's steps, what each would reuse, and running them up to any one.

>>> from pathlib import Path
>>> from glotmix.pipeline import recipe, run
>>> path, overrides = run.demo_recipe(Path("demo"), small=True)
>>> job = run.Job(recipe.load(path, overrides), path.parent)
>>> job.steps[0].name
'corpus'
"""

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from glotmix.core import files, json_text, lock, record, registry, remote, settings, table
from glotmix.core.context import RunContext
from glotmix.core.errors import RequestError, did_you_mean, spoken
from glotmix.core.language import parse
from glotmix.core.record import Identity, Record, Silent, Watcher
from glotmix.core.section import Recipe
from glotmix.core.step import StepSpec
from glotmix.pipeline import costs, guard, kept
from glotmix.pipeline.making import Making
from glotmix.proxy.need import installed


class Job:
    """A recipe and the folder that it fills.

    Args:
        recipe: the checked recipe.
        base: the folder that the recipe's relative paths start from.
        watcher: told of the progress.
    """

    def __init__(self, recipe: Recipe, base: Path, watcher: Watcher | None = None) -> None:
        settings.check(recipe.settings, [s.name for s in recipe.corpus.sources])
        self.recipe = recipe
        self.watcher: Watcher = watcher or Silent()
        with spoken():
            far = recipe.output if remote.is_remote(recipe.output) else None
            folder = remote.mirror(far) if far else files.placed(base, recipe.output)
            self.context = RunContext(recipe, base, folder, far)
            self.steps = self.context.steps

    @classmethod
    def at(cls, where: Path, overrides: Sequence[str] = (), watcher: Watcher | None = None) -> "Job":
        """Return the job of a recipe's file, or of the folder that a run of it filled: see `kept.placed`."""
        recipe, base = kept.placed(where, overrides)
        return cls(recipe, base, watcher)

    @property
    def folder(self) -> Path:
        """Where everything of this job is written."""
        return self.context.folder

    def upto(self, until: str | None) -> list[StepSpec]:
        """Return the steps that `until` needs, in order: a step's name, or a folder of steps; None for all."""
        if until is None:
            return list(self.steps)
        wanted = {s.name for s in self.steps if s.name == until or s.name.startswith(f"{until}/")}
        if not wanted:
            names = [s.name for s in self.steps]
            raise RequestError(f"there is no step {until!r}{did_you_mean(until, names)}", f"one of {', '.join(names)}")
        for step in reversed(self.steps):
            if step.name in wanted:
                wanted.update(step.needs(self.context))
        return [s for s in self.steps if s.name in wanted]

    @spoken()
    def plan(self, until: str | None = None) -> list[dict[str, Any]]:
        """Return, for each step, what running it would mean: ``{step, state, changes, documents}``."""
        self._guard(until)
        rows = []
        for step, identity in self.identities(until):
            state, changes = record.state_of(self.folder / step.name, identity)
            if state != "reused":
                _equipped(step)
            found = record.read(self.folder / step.name)
            documents = found.counts.get("documents") if found and state == "reused" else None
            rows.append({"step": step.name, "state": state, "changes": changes, "documents": documents})
        return rows

    @spoken()
    def run(self, until: str | None = None, wait: bool = False) -> dict[str, Any]:
        """Make what is missing, reuse what is there, and return a summary (see `summary`).

        Args:
            until: the last step that is made; see `upto`.
            wait: wait while another run writes to the same output.

        Raises:
            MissingExtraError: before any work, if a step that is to be made needs an extra that is not installed.
            BusyError: if another run writes there.
            RequestError: if something stands where a step writes that is not glotmix's, or an input lies there.
            DataError: if an input changes while it is read, and whatever the steps raise.
        """
        self._guard(until)
        engine = self.recipe.engine
        table.start(engine.runner, engine.workers, memory=engine.memory)
        with spoken(self.folder), lock.held(self.folder, wait):
            kept.keep(self.recipe, self.context.base, self.folder)
            planned = self.identities(until)
            for step, identity in planned:
                if step.extras and record.state_of(self.folder / step.name, identity)[0] != "reused":
                    _equipped(step)
            Making(planned, self.context, self.watcher).all()
            if until in (None, "report"):
                guard.put_page(self.context)
        return self.summary()

    @spoken()
    def strangers(self) -> list[str]:
        """Return a sentence for each language that no identifier of the recipe knows, before anything is run.

        Of the languages that sources declare, and those of the corpus, where it was read already.
        """
        done = (self.folder / "signals/identify" / record.RECORD).is_file()
        if done or not self.context.has("signals/identify"):
            # Once it is made, its record has the warning.
            return []
        from glotmix.signals import confusions, identifiers, language_id

        declared = (s.language for s in self.recipe.corpus.sources)
        langs = {str(parse(one)) for one in declared if isinstance(one, str) and one != "identify"}
        if ((corpus := self.folder / "corpus") / record.RECORD).is_file():
            langs |= {path.name for path in corpus.iterdir() if path.is_dir() and "_" in path.name}
        labels = [identifiers.load(model).labels for model in language_id.models(self.context)]
        return confusions.unknown(langs, lambda one: any(language_id.knows(of, one) for of in labels))

    def _guard(self, until: str | None) -> None:
        guard.refuse(self.context, [step.name for step in self.upto(until)])
        if until in (None, "report"):
            guard.refuse_page(self.context)

    def summary(self) -> dict[str, Any]:
        """Return ``verdict, languages, mixture, combinations, parallel, warnings, files, folder, quarantined, stale,
        estimate``.

        What was made of another state of the recipe is no part of it: ``stale`` names the files that were.
        """
        made = self._standing()
        files = {
            "data set": ("dataset", "dataset"),
            "parallel text": ("align/dataset", "align/dataset"),
            "mixture": ("mixture", "mixture/mixture.csv"),
            "chosen sets": ("combine/choice", "combine/choice/chosen"),
            "report": ("report", "report.html"),
        }
        there = {what: step for what, (step, path) in files.items() if (self.folder / path).exists()}
        return {
            "verdict": self._json("verdict/verdict.json") if "verdict" in made else None,
            "languages": self._languages(made),
            "mixture": self._mixture() if "mixture" in made else None,
            "combinations": self._combinations() if "combine/choice" in made else [],
            "parallel": self._parallel() if "align/pairs" in made else None,
            "warnings": [w for one in made.values() for w in _warnings(one)],
            "files": {what: str(self.folder / files[what][1]) for what, step in there.items() if step in made},
            "folder": str(self.folder),
            "quarantined": _quarantined(made.get("corpus")),
            "stale": [what for what, step in there.items() if step not in made],
            "estimate": costs.compared(self.folder),
        }

    def _standing(self) -> dict[str, Record]:
        """Return the records of the steps that are of this recipe, in the order of the work.

        The inputs of a step are other steps, which are looked at, and files, which a run has looked at already.
        """
        found: dict[str, Record] = {}
        for step in self.steps:
            made = record.read(self.folder / step.name)
            needs = step.needs(self.context)
            if made is not None and found.keys() >= set(needs):
                held: Any = made.identity["inputs"]
                now = self._identity(step, held | {name: found[name].fingerprint for name in needs})
                if now.fingerprint == made.fingerprint:
                    found[step.name] = made
        return found

    def _json(self, name: str) -> Any:
        path = self.folder / name
        return json_text.loads(path.read_text("utf-8")) if path.is_file() else None

    def _combinations(self) -> list[str]:
        """Return a sentence for each choice among combinations: whether it beats a random one."""
        return [one["sentence"] for one in self._json("combine/choice/verdict.json") or ()]

    def _mixture(self) -> str | None:
        from glotmix.mix.plan import read_verdict

        return read_verdict(self.folder / "mixture")

    def _parallel(self) -> dict[str, Any] | None:
        from glotmix.align import told

        return told.told(self.folder)

    def identities(self, until: str | None) -> list[tuple[StepSpec, Identity]]:
        """Return the steps that `until` needs with everything that changes their results."""
        known: dict[str, str] = {}
        pairs = []
        for step in self.upto(until):
            inputs = dict(step.inputs(self.context)) | {name: known[name] for name in step.needs(self.context)}
            identity = self._identity(step, inputs)
            known[step.name] = identity.fingerprint
            pairs.append((step, identity))
        guard.refuse_inputs(self.context, [identity for _, identity in pairs])
        return pairs

    def _identity(self, step: StepSpec, inputs: Mapping[str, str]) -> Identity:
        own, *called = registry.versions(step, self.context).items()
        config = dict(step.config(self.context)) | ({"code": dict(called)} if called else {})
        return Identity(step.name, own[1], config, inputs)

    def _languages(self, made: Mapping[str, Record]) -> list[dict[str, Any]]:
        if "ledger" not in made:
            return []
        ledger = table.shards(self.folder / "ledger")
        read = table.sums(ledger, "lang", [])
        kept = table.sums(ledger, "lang", ["bytes"], where="kept")
        shares: dict[str, Mapping[str, Any]] = {}
        parts: dict[str, dict[str, float]] = {}
        if "mixture" in made:
            from glotmix.mix import cells
            from glotmix.mix.plan import read_languages, read_shares

            shares, each = (read(self.folder / "mixture") for read in (read_languages, read_shares))
            parts = cells.within({name: row["share"] for name, row in each.items()})
        rows = []
        for lang, (documents,) in read.items():
            left, size = kept.get(lang, (0, 0))
            share = shares.get(lang, {})
            rows.append(
                {
                    "lang": lang,
                    "read": documents,
                    "kept": left,
                    "bytes": size,
                    "share": share.get("share"),
                    "low": share.get("low"),
                    "high": share.get("high"),
                    "epochs": share.get("epochs"),
                    **({"cells": parts[lang]} if lang in parts else {}),
                }
            )
        return rows


PROXIES = (
    "method=law",
    "laws=[own_share,effective_data]",
    "bootstrap=30",
    "next_runs=0",
    # Four languages with a quarter of each proxy's tokens: all 33 would get too little to learn more than their bytes.
    "proxies.languages=[amh_Ethi,eng_Latn,hin_Deva,rus_Cyrl]",
    "proxies.runs=24",
    "proxies.parameters=1e5",
    "proxies.vocabulary=512",
    "proxies.tokens=60000",
    # All the text there is, and one size: a second one would be half of its minutes again.
    "proxies.target=null",
    "proxies.held_out=0.2",
    "proxies.held_bytes=8000",
    "proxies.held_each=200",
)
"""What the demo trains: 28 proxies of 0.1M parameters over four of its languages, 60,000 tokens each."""


def demo_recipe(output: Path, small: bool, proxies: bool | None = None) -> tuple[Path, list[str]]:
    """Return the recipe of the corpus that ships with glotmix, and the overrides that send its output to `output`.

    Args:
        output: where everything is written.
        small: a quarter of the documents.
        proxies: train a small ensemble and fit the mixture to it, instead of UniMax (needs the extra `train`); None for
            where it can be trained, and not for the small demo.
    """
    if proxies is None:
        proxies = installed() and not small
    recipe = Path(str(resources.files("glotmix") / "data" / "demo" / ("small.yaml" if small else "recipe.yaml")))
    return recipe, [f"output={output}", *(f"mix.{setting}" for setting in PROXIES if proxies)]


def _equipped(step: StepSpec) -> None:
    for extra in step.extras:
        extra.require()


def _quarantined(corpus: Record | None) -> dict[str, int]:
    """Return of each source how many rows could not be read, where there are any."""
    held: Any = {} if corpus is None else corpus.notes.get("sources", {})
    counts = {name: sum(one["quarantined"].values()) for name, one in held.items()}
    return {name: n for name, n in counts.items() if n}


def _warnings(found: Record) -> list[str]:
    warnings = found.notes.get("warnings", [])
    return [str(w) for w in warnings] if isinstance(warnings, list) else []
