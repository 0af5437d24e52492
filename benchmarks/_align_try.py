"""Parallel text in training, tried: a planted world where the answer is known, and three pairs of real languages.

**Planted**: English, and English whose pieces have other names (the clone of PreAlign, arXiv 2407.16222): a language
with the same grammar and no letter in common. `planted.gain.{arm}.{direction}` is the gain of an arm; ``wrong_lexicon``
is ``format`` with pairs whose clone was written with a permuted lexicon: what it learns of pairs holds for no target.

**Real**: English with Spanish, Russian and German: aligned paragraphs of LibreOffice's help (MPL-2.0, Debian 12) to
train on, web crawl and other pages of the help as single text, NTREX to ask for. `real.gain.{pair}.{arm}` is the excess
over the better control, mean of both directions; `real.harm.{pair}.{arm}` what single sentences lose.

A run that was interrupted goes on. The models are tiny, and what they do not show they do not refute: `settings` says
size, tokens, power and verdict.
"""

import html
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from benchmarks import harness
from benchmarks.harness import Row
from glotmix.align import conduct, packing
from glotmix.align import trial as trials
from glotmix.align.packing import Options, Pairing, Sample, Unit
from glotmix.align.trial import Trial, World
from glotmix.align.verdict import Verdict
from glotmix.proxy.texts import place
from glotmix.proxy.tokenizer import learn

NAME = "align"
FOLDER = harness.BENCH / "align"
ENGLISH, CLONE = "eng_Latn", "epo_Latn"
"""The clone needs a name that `Language: text` can write: it borrows that of a language that is not here."""
REAL = {"spa_Latn": ("es", "spa", "es-LA"), "rus_Cyrl": ("ru", "rus", "ru"), "deu_Latn": ("de", "deu", None)}
SHORT = (20, 110)
"""Characters of a unit: two of them fit into a window."""
PIECES = 512
_PARAGRAPH = re.compile(r"<(p|h[1-6])\b([^>]*)>(.*?)</\1>", re.DOTALL)
_ID = re.compile(r'id="([^"]+)"')


def help_pages(lang: str) -> dict[str, dict[str, str]]:
    """Return LibreOffice's help in a language: page → paragraph → text."""
    debs, root = FOLDER / "debs", FOLDER / "root"
    package = f"libreoffice-help-{lang.lower()}"
    kept = FOLDER / f"help-{lang}.json"
    if not kept.is_file():
        debs.mkdir(parents=True, exist_ok=True)
        if not list(debs.glob(f"{package}_*.deb")):
            done = subprocess.run(["apt-get", "download", "-q", package], cwd=debs, capture_output=True, check=False)
            if done.returncode:
                raise harness.BenchmarkError(f"apt-get download {package} failed: is this Debian 12, with a network?")
        subprocess.run(["dpkg-deb", "-x", next(debs.glob(f"{package}_*.deb")), root], check=True)
        base = root / "usr" / "share" / "libreoffice" / "help" / lang
        found = {str(p.relative_to(base)): _paragraphs(p) for p in sorted(base.rglob("*.html"))}
        kept.write_text(
            json.dumps({page: texts for page, texts in found.items() if texts}, ensure_ascii=False), "utf-8"
        )
    return json.loads(kept.read_text("utf-8"))


def _paragraphs(path: Path) -> dict[str, str]:
    text = path.read_text("utf-8", errors="replace")
    found: dict[str, str] = {}
    for match in _PARAGRAPH.finditer(text[max(0, text.find('id="DisplayArea"')) :]):
        name = _ID.search(match[2])
        plain = " ".join(html.unescape(re.sub(r"<[^>]+>", "", match[3])).split())
        if name and plain:
            found.setdefault(name[1], plain)
    return found


def table(name: str, lang: str) -> list[dict[str, object]]:
    return pq.read_table(harness.data(name), filters=[("lang", "=", lang)]).to_pylist()


def short(text: str) -> bool:
    return SHORT[0] < len(text) < SHORT[1]


def aligned(code: str) -> tuple[list[Unit], dict[str, list[str]]]:
    """Return units of short paragraphs of one half of the help's pages, and the other half as single text."""
    english, theirs = help_pages("en-US"), help_pages(REAL[code][0])
    units, seen = [], set()
    single: dict[str, list[str]] = {ENGLISH: [], code: []}
    for page in sorted(english.keys() & theirs.keys()):
        a, b = english[page], theirs[page]
        if place(page) < 0.6:
            for key in a.keys() & b.keys():
                pair = (a[key], b[key])
                if pair[0] != pair[1] and all(map(short, pair)) and pair not in seen:
                    seen.add(pair)
                    units.append(Unit(f"{page} {key}", {ENGLISH: pair[0], code: pair[1]}))
        else:
            # Of a page one language alone is read: no document has its translation among the single texts.
            side = ENGLISH if place(page) < 0.8 else code
            single[side].append("\n".join((a if side == ENGLISH else b).values()))
    units.sort(key=lambda u: u.id)
    for lang in single:
        single[lang] += [str(row["text"]) for row in table("crawl.parquet", lang)]
    return units, single


def news(code: str, most: int | None) -> list[Unit]:
    """Return NTREX's sentences, or some of them that a hash chooses."""
    english = {row["i"]: str(row["text"]) for row in table("ntrex.parquet", "eng")}
    theirs = {row["i"]: str(row["text"]) for row in table("ntrex.parquet", REAL[code][1])}
    found = [Unit(str(i), {ENGLISH: english[i], code: theirs[i]}) for i in sorted(english.keys() & theirs.keys())]
    return sorted(found, key=lambda u: place(u.versions[ENGLISH]))[:most]


def trained(name: str, trial: Trial, world: World) -> tuple[Path, Verdict]:
    """Train a trial, or go on with it; return where it is and what it showed."""
    last: dict[str, float] = {}

    def tell(arm: str, done: int, total: int) -> None:
        if time.monotonic() - last.get(arm, 0.0) > 30:
            last[arm] = time.monotonic()
            print(f"{name} {arm}: {done:,} of {total:,} steps", file=sys.stderr, flush=True)

    folder = FOLDER / name
    return folder, conduct.conduct(folder, trial, world, tell)


class Clone:
    """English with its pieces renamed: each a letter of Unicode's private area."""

    def __init__(self, texts: Sequence[str]) -> None:
        from tokenizers import AddedToken, Tokenizer

        folder = FOLDER / "clone"
        folder.mkdir(parents=True, exist_ok=True)
        learn({ENGLISH: texts}, PIECES, folder / "english.json")
        self._pieces = Tokenizer.from_file(str(folder / "english.json"))
        both = Tokenizer.from_file(str(folder / "english.json"))
        both.add_tokens([AddedToken(chr(0xE000 + n), normalized=False) for n in range(PIECES)])
        self.tokenizer = folder / "both.json"
        both.save(str(self.tokenizer))
        self._permuted = np.random.default_rng(0).permutation(PIECES)

    def of(self, text: str) -> str:
        """Return a text in the clone."""
        return "".join(chr(0xE000 + i) for i in self._pieces.encode(text, add_special_tokens=False).ids)

    def wrong(self, units: Sequence[Unit], options: Options, seed: int) -> Iterator[Sample]:
        """Pack as `packing.in_lines` does, the clone written with a permuted lexicon."""
        permuted = {0xE000 + n: 0xE000 + int(m) for n, m in enumerate(self._permuted)}
        others = [replace(u, versions={**u.versions, CLONE: u.versions[CLONE].translate(permuted)}) for u in units]
        yield from packing.in_lines(others, options, seed)


def planted(small: bool) -> Iterable[Row]:
    # In sentences this short a model of this size learns to look its source up within two million tokens; in sentences
    # of up to 110 characters it had not after four.
    _, single = aligned("spa_Latn")
    texts = [*single[ENGLISH], *_english("tico19.parquet", "en")]
    clone = Clone(texts)
    every = [text for page in help_pages("en-US").values() for text in page.values()] + _english("tico19.parquet", "en")
    for document in _english("crawl.parquet", "eng_Latn"):
        every += re.split(r"(?<=[.!?]) |\n", document)
    sentences = sorted({text for text in every if 12 < len(text) < 60})
    known = set(sentences)
    test = [t for t in _english("ntrex.parquet", "eng") if 20 < len(t) < 75 and t not in known]
    test = sorted(test, key=place)[: 100 if small else 500]
    packing.pairings()["wrong_lexicon"] = Pairing("wrong_lexicon", clone.wrong, "pairs of a permuted lexicon")
    trial = Trial(
        (ENGLISH, CLONE), ("format", "wrong_lexicon"), tokens=20_000 if small else 5_200_000, parameters=2.2e5, batch=4,
        share=0.9, start=0.3, pairs=1,
    )  # fmt: skip
    world = World(
        {ENGLISH: texts, CLONE: [clone.of(t) for t in texts]},
        [Unit(str(n), {ENGLISH: t, CLONE: clone.of(t)}) for n, t in enumerate(sentences)],
        [Unit(f"test {n}", {ENGLISH: t, CLONE: clone.of(t)}) for n, t in enumerate(test)],
        tokenizer=clone.tokenizer,
    )
    # A piece of the clone has three bytes whatever it stands for: bits are told by bytes of the English it stands for.
    scale = sum(len(u.versions[CLONE].encode()) for u in world.test) / sum(len(t.encode()) for t in test)
    folder, found = trained("planted-small" if small else "planted", trial, world)
    about = _about(trial, found, folder)
    controls: dict[str, float] = {}
    for arm in found.arms:
        for direction, way in (("to_clone", f"{ENGLISH}>{CLONE}"), ("from_clone", f"{CLONE}>{ENGLISH}")):
            by = scale if direction == "to_clone" else 1.0
            value, low, high = (by * x for x in (arm.gain[way].value, arm.gain[way].low, arm.gain[way].high))
            if arm.arm in trials.CONTROLS:
                controls[direction] = max(controls.get(direction, 0.0), abs(value))
            told = about | {"greatest_control": round(controls[direction], 5)}
            yield Row(NAME, f"planted.gain.{arm.arm}.{direction}", value, low, high, found.pairs, "bits per byte", told)


def _english(name: str, code: str) -> list[str]:
    return [str(row["text"]) for row in table(name, code)]


def real(code: str, small: bool) -> Iterable[Row]:
    units, single = aligned(code)
    trial = Trial(
        (ENGLISH, code), ("format", "mapping"), tokens=20_000 if small else 1_500_000, parameters=2.5e5, batch=4,
        share=0.5, start=0.4, pairs=1,
    )  # fmt: skip
    name = f"{code}-small" if small else code
    folder, found = trained(name, trial, World(single, units, news(code, 120 if small else 600)))
    pair = f"eng-{code[:3]}"
    for arm in found.arms:
        told = _about(trial, found, folder) | {"power_at_0.01": arm.power, "shown_at_80": arm.shown}
        told |= {"verdict": arm.verdict or "control", "arm_tokens": arm.tokens}
        told |= {way: [round(f.value, 4), round(f.low, 4), round(f.high, 4)] for way, f in arm.gain.items()}
        shown = arm.beyond
        if shown is None:
            # Of a control its gain itself, the mean of both directions.
            values = [f.value for f in arm.gain.values()]
            yield Row(NAME, f"real.gain.{pair}.{arm.arm}", float(np.mean(values)), None, None, found.pairs,
                      "bits per byte", told)  # fmt: skip
        else:
            yield Row(NAME, f"real.gain.{pair}.{arm.arm}", shown.value, shown.low, shown.high, found.pairs,
                      "bits per byte beyond the better control", told)  # fmt: skip
        harm = arm.harm
        yield Row(NAME, f"real.harm.{pair}.{arm.arm}", harm.value, harm.low, harm.high, found.pairs,
                  "bits per byte", told)  # fmt: skip


def _about(trial: Trial, found: Verdict, folder: Path) -> Mapping[str, object]:
    pieces = len(json.loads((folder / "tokenizer.json").read_text("utf-8"))["model"]["vocab"])
    return {
        "n": "held-out pairs", "seeds": found.seeds, "parameters": trial.shape(trial.pieces or pieces).parameters,
        "tokens": trial.tokens, "share": trial.share, "start": trial.start, "context": trial.context,
        "batch": trial.batch, "pairs_per_sample": trial.pairs, "positions": "rotary",
    }  # fmt: skip


PARTS = {"planted": planted, **{f"real.{code}": partial(real, code) for code in REAL}}
"""A pair of languages is a part: its rows are kept when it is done."""
