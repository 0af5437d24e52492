"""Planted worlds: corpora with one fault, or none, through the recipe's own steps; and languages declared wrongly."""

import json
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks import _clean, harness
from benchmarks.harness import Row
from glotmix.core import record
from glotmix.core.language import parse
from glotmix.pipeline import recipe as recipes
from glotmix.pipeline.run import Job
from glotmix.select import ledger
from glotmix.signals import confusions, identifiers, language_id

NAME = "decisions"
FAULTS = ("language", "broken", "junk", "repeated", "misspelt", "none")
WORDS = {
    "language": "read as another language", "broken": "broken characters", "junk": "unnatural",
    "repeated": "repeat another", "misspelt": "language code that is none", "none": "are fit to train on",
}  # fmt: skip
WORLDS = ("swh_Latn", "rus_Cyrl", "hin_Deva", "arb_Arab")
SOURCES = (*WORLDS, "tha_Thai", "zho_Hans", "ell_Grek", "amh_Ethi")
TOLD = ("loses", "quarter", "source", "form")
Document = dict[str, str]


@cache
def good(lang: str) -> tuple[str, ...]:
    """News of the reported half, whole documents."""
    return tuple(one.text for one in _clean.news("reported") if one.lang == lang)


def rows(small: bool) -> Iterator[Row]:
    """Yield whether the verdict's first sentence names the planted fault, and warnings of sources."""
    right, told = [], {}
    for lang in WORLDS[: 1 if small else None]:
        for fault in FAULTS:
            first = _verdict(world(lang, fault))["first"]
            named = WORDS[fault] in first and (fault in ("none", "misspelt") or lang in first)
            if fault == "none":
                named = first.startswith("2 of 2")
            right.append(float(named))
            told[f"{lang} {fault}"] = first[:160]
    low, high = harness.interval(right)
    about = {
        "worlds": len(right),
        "faults": list(FAULTS),
        "wrong": [k for k, r in zip(told, right, strict=True) if not r],
    }
    yield Row(NAME, "verdict.right", float(np.mean(right)), low, high, len(right), "share", about)
    yield from _sources(small)


def _sources(small: bool) -> Iterator[Row]:
    """Yield how often good text of another form is warned of, and how often nothing is; ranked, and by the default."""
    for retain in ("share", "lose"):
        warned, false, told = [], [], {}
        for lang in SOURCES[: 1 if small else None]:
            found = _verdict(other_form(lang), [f"select.retain={retain}"])
            kinds = [one for one in found["findings"] if one["kind"] in TOLD]
            warned.append(
                float(any(one["do"] and ("sentences" in one["text"] or "news" in one["text"]) for one in kinds))
            )
            told[lang] = kinds[0]["kind"] if kinds else None
            found = _verdict(two_alike(lang), [f"select.retain={retain}"])
            false += [float(any(one["kind"] in TOLD for one in found["findings"]))]
        suffix = "" if retain == "share" else ".lose"
        about = {"form": "single sentences beside news of the same language", "retain": retain, "told": told}
        about["chosen on"] = "the other half of the news (docs/log.md)"
        for name, own in ((f"source.warned{suffix}", warned), (f"source.false_warnings{suffix}", false)):
            low, high = harness.interval(own)
            yield Row(NAME, name, float(np.mean(own)), low, high, len(own), "share", about)


def world(lang: str, fault: str) -> dict[str, list[Document]]:
    """Return sources of a language (and English beside it) with one fault planted in the source `bad`."""
    texts, english = good(lang), good("eng_Latn")
    half = len(texts) // 2
    found = {"fine": _as(texts[:half], lang), "english": _as(english[:half], "eng_Latn")}
    rest = list(texts[half:])
    if fault == "language":
        found["bad"] = _as(good("fra_Latn")[: len(rest)], lang)
    elif fault == "broken":
        found["bad"] = _as(["\ufffd".join(t[i : i + 40] for i in range(0, len(t), 41)) for t in rest], lang)
    elif fault == "junk":
        found["bad"] = _as([_menu(t, n) for t in rest for n in range(3)], lang)
    elif fault == "repeated":
        found["bad"] = _as([t for t in rest[:4] for _ in range(len(texts) // 2)], lang)
    elif fault == "misspelt":
        found["bad"] = _as(rest[::2], lang) + _as(rest[1::2], "jp")
    else:
        found["bad"] = _as(rest, lang)
    return found


def _menu(text: str, turn: int) -> str:
    """Return words of a text as a page of links and offers has them."""
    words = text.split() if " " in text else [text[i : i + 3] for i in range(0, len(text), 3)]
    words = words[turn * 40 : turn * 40 + 120]
    return " | ".join(f"{a.title()} {i}" for i, a in enumerate(words)) + " » " + " · ".join(words[:30]) * 2


def other_form(lang: str) -> dict[str, list[Document]]:
    """Return news, and sentences of other news: good text of another form."""
    texts = good(lang)
    lines = [line for text in texts[len(texts) // 2 :] for line in text.split("\n")]
    return {"news": _as(texts[: len(texts) // 2], lang), "sentences": _as(lines, lang)}


def two_alike(lang: str) -> dict[str, list[Document]]:
    """Return news dealt to two sources: nothing to warn of."""
    texts = good(lang)
    return {"one": _as(texts[::2], lang), "two": _as(texts[1::2], lang)}


def _as(texts: object, lang: str) -> list[Document]:
    return [{"text": text, "lang": lang} for text in texts]  # type: ignore[attr-defined]


def _verdict(sources: dict[str, list[Document]], overrides: list[str] | None = None) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as made:
        base = Path(made)
        for name, held in sources.items():
            path = base / f"{name}.jsonl"
            path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in held), "utf-8")
        listed = [{"name": s, "path": f"{s}.jsonl", "language": {"column": "lang"}} for s in sources]
        recipe = {
            "name": "planted",
            "output": "out",
            "corpus": {"sources": listed, "max_quarantined": 1.0},
            "quality": {},
        }
        recipe["mix"] = {"tokens": 1_000_000}
        (base / "r.yaml").write_text(json.dumps(recipe), "utf-8")
        job = Job(recipes.load(base / "r.yaml", overrides or ()), base)
        _lend(job)
        try:
            job.run("verdict")
        except Exception as error:
            # A whole source of a code that is none is an error: it names the fault, too.
            return {"first": str(error), "findings": []}
        _keep(job)
        found: dict[str, object] = json.loads((base / "out" / "verdict" / "verdict.json").read_text("utf-8"))
        return found


_RATER = Path(tempfile.gettempdir()) / "glotmix-benchmark-rater"


def _lend(job: Job) -> None:
    """Give a job the rater that another has trained: the same recipe trains the same."""
    import shutil

    if _RATER.is_dir() and record.read(_RATER) is not None:
        shutil.copytree(_RATER, job.folder / "rater")


def _keep(job: Job) -> None:
    import shutil

    if not _RATER.is_dir():
        shutil.copytree(job.folder / "rater", _RATER)


def identification(small: bool) -> Iterator[Row]:
    """Yield the share of wrongly declared documents that is found, per kind, with the built-in thresholds."""
    model = identifiers.load()
    held: dict[str, list[str]] = defaultdict(list)
    for one in _clean.news("reported"):
        if len(one.text) >= 300 and len(held[one.lang]) < (8 if small else 30):
            held[one.lang].append(one.text[:1_000])
    known = sorted(lang for lang, own in held.items() if len(own) >= 5 and language_id.knows(model.labels, parse(lang)))
    rng = np.random.default_rng(0)
    cells: dict[str, list[tuple[str, str, str]]] = {"right": [], "confusable": [], "related": [], "distant": []}
    for lang in known:
        mine = parse(lang)
        cells["right"] += [(text, lang, lang) for text in held[lang]]
        alike = [o for o in known if o != lang and not confusions.apart(lang, o)]
        same = [o for o in known if o[:3] != lang[:3] and parse(o).family == mine.family and confusions.apart(lang, o)]
        away = [o for o in known if parse(o).family != mine.family and confusions.apart(lang, o)]
        for kind, others in (("confusable", alike), ("related", same), ("distant", away)):
            if others:
                cells[kind] += [(text, lang, str(rng.choice(others))) for text in held[lang]]
    hits: dict[str, np.ndarray] = {}
    for kind, own in cells.items():
        texts, declared = pa.array([t for t, _, _ in own]), pa.array([d for _, _, d in own])
        seen = language_id.identify(texts, declared, model)
        table = pa.table(
            {"lang": declared, "source": ["s"] * len(own)} | {f.name: seen.field(i) for i, f in enumerate(seen.type)}
        )
        found = ledger.wrong_language(
            table, lambda lang, source: ("drop", confusions.least(lang, "py3langid")), confusions.apart
        )
        hits[kind] = np.isin(np.arange(len(own)), found.rows)
    alarms = float(hits["right"].mean())
    about = {
        "languages": len(known),
        "documents": "news of the reported half, the first 1,000 characters",
        "false_alarms": alarms,
    }
    wrong = np.concatenate([hits[k] for k in ("related", "distant")])
    precision = wrong.sum() / max(wrong.sum() + hits["right"].sum(), 1)
    about["precision_where_half_are_wrong"] = float(precision)
    for name, found_ones in (
        ("", wrong),
        (".confusable", hits["confusable"]),
        (".related", hits["related"]),
        (".distant", hits["distant"]),
    ):
        low, high = harness.interval(found_ones.astype(float).tolist())
        value = float(found_ones.mean()) if len(found_ones) else None
        yield Row(NAME, f"identify.wrong_found_at_99{name}", value, low, high, len(found_ones), "share", about)
    strangers = sorted(
        {one.lang for one in _clean.texts("reported")} - {o for o in held if language_id.knows(model.labels, parse(o))}
    )
    strangers = [lang for lang in strangers if not language_id.knows(model.labels, parse(lang))]
    named = confusions.unknown(strangers, lambda one: language_id.knows(model.labels, one))
    share = sum(any(f"does not know {lang}" in text for text in named) for lang in strangers) / len(strangers)
    yield Row(NAME, "identify.unknown_named", share, None, None, len(strangers), "share", {"languages": strangers})
