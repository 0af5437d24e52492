"""What goes out beside the data: the card, the blends for trainers, the resolved recipe."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from glotmix.core import record, table
from glotmix.core.context import RunContext
from glotmix.core.record import Output
from glotmix.core.section import Recipe
from glotmix.corpus import blend, card
from glotmix.corpus.sources import IDENTIFY, Column
from glotmix.mix import extra
from glotmix.mix.plan import read_languages, read_shares, read_verdict
from glotmix.select import enough

VERSION = 5


def describe(context: RunContext, output: Output, recipe: dict[str, Any]) -> None:
    """Write ``README.md``, ``recipe.yaml``, ``blend.megatron.txt`` and ``blend.nanotron.yaml`` into a data set."""
    told = _told(context)
    shares = read_shares(context.step_dir("mixture"))
    columns = output.notes.get("columns", [])
    whole = read_languages(context.step_dir("mixture"))
    langs = _languages(told, whole, "bytes" if context.recipe.signals.tokens.tokenizer is None else "tokens")
    text = card.render(
        context.recipe.name,
        langs,
        _sources(context, told),
        recipe,
        columns=[str(c) for c in columns] if isinstance(columns, list) else [],
        formats=context.recipe.export.formats,
        method=_method(context),
        few=_few(langs),
        files=[path.relative_to(output.path).as_posix() for path in output.path.glob("*_*/train-*")],
    )
    (output.path / "README.md").write_text(text, "utf-8")
    plain = yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True, width=100)
    (output.path / "recipe.yaml").write_text(plain, "utf-8")
    weights = {lang: float(row["share"]) for lang, row in shares.items()}
    phases = extra.weights(weights, extra.read(context.step_dir("mixture")))
    for number, one in enumerate(phases, 1):
        # Of a training in phases each has a blend of its own; mixture.json says how long each is.
        name = "blend" if len(phases) == 1 else f"blend.{number}"
        (output.path / f"{name}.megatron.txt").write_text(blend.megatron(one), "utf-8")
        (output.path / f"{name}.nanotron.yaml").write_text(blend.nanotron(one), "utf-8")


def _few(langs: list[dict[str, Any]]) -> str:
    """Name the languages with too few documents to judge, as the verdict does."""
    found = [f"`{row['lang']}` {row['read']}" for row in langs if enough.too_few(row["read"])]
    return f"Too few documents to judge (fewer than {enough.ENOUGH} were read): {', '.join(found)}." if found else ""


@dataclass
class _Told:
    """What the ledger tells of a language in a source: documents read and kept, bytes kept, documents dropped by rule,
    and those kept by licence."""

    read: int = 0
    kept: int = 0
    bytes: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    licenses: Counter[str] = field(default_factory=Counter)

    def __iadd__(self, other: "_Told") -> "_Told":
        self.read, self.kept, self.bytes = self.read + other.read, self.kept + other.kept, self.bytes + other.bytes
        self.dropped.update(other.dropped)
        self.licenses.update(other.licenses)
        return self


def _told(context: RunContext) -> dict[tuple[str, str], _Told]:
    """Return what the ledger tells by language and source, added up one part at a time."""
    found: dict[tuple[str, str], _Told] = {}
    for shard in table.shards(context.step_dir("ledger")):
        rows = table.read([shard], ["lang", "source", "license", "bytes", "kept", "rule"])
        groups = rows.group_by(["lang", "source", "kept", "rule", "license"], use_threads=False)
        for row in groups.aggregate([([], "count_all"), ("bytes", "sum")]).to_pylist():
            one, n = found.setdefault((row["lang"], row["source"]), _Told()), row["count_all"]
            one.read += n
            if row["rule"] is not None:
                one.dropped[row["rule"]] += n
            if row["kept"]:
                one.kept, one.bytes = one.kept + n, one.bytes + row["bytes_sum"]
                if row["license"] is not None:
                    one.licenses[row["license"]] += n
    return found


def _together(told: Mapping[tuple[str, str], _Told], side: int, name: str) -> _Told:
    """Return what is told of a language (side 0) or a source (1) as a whole."""
    found = _Told()
    for key, one in told.items():
        if key[side] == name:
            found += one
    return found


def _languages(told: Mapping[tuple[str, str], _Told], shares: dict[str, Any], unit: str) -> list[dict[str, Any]]:
    found = []
    for lang in sorted({lang for lang, _ in told}):
        mine, share = _together(told, 0, lang), shares.get(lang, {})
        found.append(
            {
                "lang": lang,
                "read": mine.read,
                "kept": mine.kept,
                "bytes": mine.bytes,
                "dropped": dict(mine.dropped),
                "tokens": share.get("tokens"),
                "unit": unit,
                "share": share.get("share"),
                "epochs": share.get("epochs"),
            }
        )
    return found


def _sources(context: RunContext, told: Mapping[tuple[str, str], _Told]) -> list[dict[str, Any]]:
    found = []
    for source in context.recipe.corpus.sources:
        mine = _together(told, 1, source.name)
        about: dict[str, Any] = {
            "name": source.name,
            "read": mine.read,
            "kept": mine.kept,
            "license": source.license,
            "derived_from": list(source.derived_from),
        }
        if isinstance(source.license, Column):
            about["license"] = {"column": source.license.column}
            about["licenses"] = [n for n, _ in sorted(mine.licenses.items(), key=lambda item: (-item[1], item[0]))]
        found.append(about)
    return found


def _identified(recipe: Recipe) -> list[str]:
    """Say how languages came about: a source declares them, or the identifier told them."""
    model = recipe.signals.identify.model
    guessed = [one.name for one in recipe.corpus.sources if one.language == IDENTIFY]
    told = [f"Language: told by {model} in the sources {', '.join(guessed)}."] if guessed else []
    if len(guessed) == len(recipe.corpus.sources):
        return told
    return [
        f"Language: {model} compared with what each source declares; a document that reads as another language is "
        "dropped where `settings` say so, and never relabelled.",
        *told,
    ]


def _method(context: RunContext) -> list[str]:
    """Say in sentences what was done, as far as it was."""
    recipe = context.recipe
    same = recipe.signals.duplicates
    sentences = _identified(recipe)
    sentences += [
        "Heuristics: the FineWeb-2, Gopher and C4 family, script-fair; thresholds are quantiles of each language's own "
        f"documents, where it has {recipe.select.min_documents} or more.",
        f"Near-duplicates: MinHash over {same.shingle}-letter shingles, {same.bands} bands of {same.rows}, "
        + (
            "unverified."
            if same.verify == "off"
            else f"{same.verify} Jaccard similarity of at least {same.threshold:g}; one of each cluster is kept."
        ),
    ]
    if (personal := recipe.signals.private) is not None:
        kinds = ", ".join(personal.kinds)
        sentences.append(
            f"Personal data ({kinds}) was counted"
            + (
                f" and replaced in the texts ({personal.mask}); the column `masked` says how much there was."
                if personal.mask is not None
                else " and left in the texts."
            )
        )
    if (lists := recipe.select.licenses) is not None:
        allowed = ", ".join(lists.allow) or "any"
        sentences.append(f"Licences: {allowed}" + (f", less {', '.join(lists.deny)}" if lists.deny else "") + ".")
    trained = record.read(context.step_dir("rater")) if recipe.quality is not None else None
    if trained is not None and recipe.select.retain != "all":
        documents = trained.counts.get("documents", 0)
        made = f"a rater trained on {documents:,} labelled documents" if context.has("audit") else "a finished rater"
        line = (
            "ranks the documents of each language among themselves"
            if recipe.select.score == "quantile"
            else f"draws one line for all languages ({recipe.select.score} scores)"
        )
        if recipe.select.retain == "lose":
            line = f"drops what it calls unnatural, at the cost of at most {100 * recipe.select.lose:.3g}% of good text"
        against = "what is usual in the language and at the length, in a reference that ships with glotmix"
        if recipe.quality.against == "corpus" or not context.has("audit"):
            against = "each language's own distribution"
        sentences.append(
            f"Quality: {made}, its features held against {against}, {line}"
            + ("; the report holds its audit." if context.has("audit") else ".")
        )
    unit = "bytes (UTF-8)" if recipe.signals.tokens.tokenizer is None else "tokens"
    verdict = read_verdict(context.step_dir("mixture")) if context.has("mixture") else None
    sentences.append(f"Mixture: {recipe.mix.how}; shares are of training {unit}." + (f" {verdict}" if verdict else ""))
    return sentences
