"""A trial from its texts to its verdict: what is held out, how long it may take, where it is kept."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from glotmix.align import trial, verdict
from glotmix.align.packing import Unit, pairing
from glotmix.align.trial import Tell, Trial, World
from glotmix.align.verdict import Verdict
from glotmix.core import json_text
from glotmix.core.errors import DataError
from glotmix.core.identity import IDENTITY, RECORD, building
from glotmix.core.record import Counts, Identity, Output, Watcher, build, digest
from glotmix.proxy import VERSION as PROXIES
from glotmix.proxy.size import vocabulary
from glotmix.proxy.texts import place

STEP = "align-try"
REVISION = 1
"""Raised where a trial of the same text would find something else."""
_ROUND = 1 << 14
"""Tokens of a model are a multiple of this where minutes say how many."""
_TRAINED = 0.8
"""The part of the time that goes into training; the rest packs, and asks."""


def units(texts: Mapping[str, Mapping[str, str]], languages: tuple[str, str]) -> list[Unit]:
    """Return the sentences that two languages share, in the order of their keys.

    Raises:
        DataError: if they share none.
    """
    a, b = languages
    keys = sorted(texts.get(a, {}).keys() & texts.get(b, {}).keys())
    if not keys:
        raise DataError(f"{a} and {b} share no sentence", "--key COLUMN, which translations share")
    return [Unit(key, {a: texts[a][key], b: texts[b][key]}) for key in keys]


def divided(every: Sequence[Unit], share: float) -> tuple[list[Unit], list[Unit]]:
    """Divide units into those to train on and those held out, by a hash of their first text.

    Equal texts fall on one side: a sentence that comes twice is not asked for after it was trained on. Of units with
    one text in one of the languages the first alone is held out; a unit whose other side stands among those held out
    is left out of the training.
    """
    held: dict[str, Unit] = {}
    train = []
    for unit in every:
        first = unit.versions[min(unit.versions)]
        if place(first) < share:
            held.setdefault(first, unit)
        else:
            train.append(unit)
    seen = {text for unit in held.values() for text in unit.versions.values()}
    return [unit for unit in train if not seen & set(unit.versions.values())], list(held.values())


def within(given: Trial, minutes: float) -> Trial:
    """Return the trial with as many tokens as can be trained here in some minutes: measured in two seconds."""
    speed = trial.rate_of(given, given.pieces or vocabulary(given.parameters))
    each = given.start + len(given.all_arms) * (1 - given.start)
    tokens = minutes * 60 * _TRAINED * speed / (len(given.seeds) * each)
    return replace(given, tokens=max(_ROUND, int(tokens) // _ROUND * _ROUND))


def again(folder: Path, given: Trial) -> Trial | None:
    """Return the trial that was begun, or finished, in a folder, if it differs from this one in its tokens at most."""
    for path in (building(folder) / IDENTITY, folder / RECORD):
        try:
            told = json_text.loads(path.read_text("utf-8"))["identity"]["config"]
        except (OSError, ValueError, KeyError):
            continue
        found = replace(given, tokens=int(told.get("tokens", 0)))
        if told.get("trial") == repr(found):
            return found
    return None


def conduct(
    folder: Path, given: Trial, world: World, tell: Tell = trial.silent, watcher: Watcher | None = None
) -> Verdict:
    """Train a trial, or go on with it, and judge it; what it showed stands in ``verdict.json`` as well.

    Raises:
        MissingExtraError: if torch is not installed.
        DataError: if there is too little text; see `trial.make`.
    """
    texts = {
        "single": {lang: list(some) for lang, some in sorted(world.single.items())},
        "units": [[u.id, dict(sorted(u.versions.items()))] for u in world.units],
        "test": [[u.id, dict(sorted(u.versions.items()))] for u in world.test],
        "tokenizer": None if world.tokenizer is None else world.tokenizer.read_text("utf-8"),
        "options": repr(world.options),
    }
    made_by = {arm: pairing(arm).version for arm in given.all_arms}
    config = {"trial": repr(given), "tokens": given.tokens, "proxy": PROXIES, "packings": made_by}
    identity = Identity(STEP, REVISION, config, {name: digest(text) for name, text in texts.items()})

    def make(output: Output) -> Counts:
        counts = trial.make(output, given, world, tell)
        found = verdict.judge(output.path, given)
        told = found.as_dict() | {"sentence": found.sentence, "trial": given.plan()}
        (output.path / "verdict.json").write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", "utf-8")
        return counts

    build(folder, identity, make, watcher)
    return verdict.judge(folder, given)
