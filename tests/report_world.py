"""A small, made-up output of a whole job, in 14 languages and 13 scripts: what the report is made of.

Every table is written from one list of plain dictionaries (`documents`), so that tests can count by hand what the
report says. The sentences are Article 1 of the Universal Declaration of Human Rights (public domain).
"""

import json
import random
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from glotmix.core import table
from glotmix.core.record import Identity, Output, Record, Silent
from glotmix.corpus.rows import as_line
from glotmix.mix import plan
from glotmix.mix.accounting import Available
from glotmix.mix.config import MixConfig
from glotmix.quality import audit as auditing
from glotmix.quality.heads import Head
from glotmix.quality.transfer import Labelled
from glotmix.report.page import ReportInputs
from glotmix.signals import source_overlap
from glotmix.signals.clusters import DuplicatesConfig
from glotmix.signals.selftest import Finding
from glotmix.signals.signatures import curve

SENTENCES = {
    "fra_Latn": "Tous les êtres humains naissent libres et égaux en dignité et en droits.",
    "deu_Latn": "Alle Menschen sind frei und gleich an Würde und Rechten geboren.",
    "rus_Cyrl": "Все люди рождаются свободными и равными в своем достоинстве и правах.",
    "ell_Grek": "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα.",
    "arb_Arab": "يولد جميع الناس أحرارًا متساوين في الكرامة والحقوق.",
    "heb_Hebr": "כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם.",
    "hin_Deva": "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है।",
    "ben_Beng": "সমস্ত মানুষ স্বাধীনভাবে সমান মর্যাদা এবং অধিকার নিয়ে জন্মগ্রহণ করে।",
    "tha_Thai": "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ",
    "mya_Mymr": "လူတိုင်းသည် တူညီ လွတ်လပ်သော ဂုဏ်သိက္ခာဖြင့် လည်းကောင်း၊ တူညီလွတ်လပ်သော အခွင့်အရေးများဖြင့် လည်းကောင်း၊ မွေးဖွားလာသူများ ဖြစ်သည်။",
    "zho_Hans": "人人生而自由，在尊严和权利上一律平等。",
    "jpn_Jpan": "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。",
    "kor_Hang": "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다.",
    "amh_Ethi": "የሰው ልጅ ሁሉ ሲወለድ ነጻና በክብርና በመብትም እኩልነት ያለው ነው።",
}
SOURCES = ("crawl", "encyclopedia", "news")
HOSTILE = "<script>document.title='owned'</script><img src=x onerror=alert(1)> & \x07 \u202eevil"
QUARANTINE = [
    {"file": "crawl.jsonl", "line": n, "reason": reason, "detail": "", "start": start}
    for n, reason, start in (
        (3, "malformed JSON", '{"text": "<script>alert(3)</script>'),
        (9, "empty text", '{"text": ""}'),
        (14, "malformed JSON", "נחש { text"),
    )
]
CHANCE = "chance of becoming candidates, by similarity"
SEARCH = DuplicatesConfig(bands=14, rows=8, recall_floor=0.99)
SELFTEST = Finding("Arab", 60, 240, 236, 236, 235, {"0.0": [60, 60, 60]})
EVIDENCE = "digit_share 0.<b>9</b> above 0.35 <script>alert(2)</script>"


@dataclass(frozen=True)
class World:
    """The folder, its documents as plain dictionaries, and the report's inputs."""

    folder: Path
    documents: list[dict]
    inputs: ReportInputs


def documents(seed: int = 7, size: int = 40) -> list[dict]:
    """Return made-up documents with their signals and the decision about each."""
    rng = random.Random(seed)
    made = []
    for number, (lang, sentence) in enumerate(SENTENCES.items()):
        for i in range(size + 6 * (len(SENTENCES) - number)):
            text = "\n".join(sentence * rng.randint(1, 4) for _ in range(rng.randint(1, 6))) + f" {i}"
            made.append(
                {
                    "id": f"{lang[:3]}-{i:04d}",
                    "lang": lang,
                    "source": rng.choice(SOURCES),
                    "text": text,
                    "label": lang if rng.random() < 0.93 else "eng_Latn",
                    "known": lang != "amh_Ethi",
                    "chars_": len(text),
                    "digit_share": round(rng.betavariate(1.2, 12), 4),
                    "repeated_lines": round(rng.betavariate(1, 6), 4),
                    "stop_words": None if lang in ("tha_Thai", "mya_Mymr") else round(rng.betavariate(4, 6), 4),
                    "score": rng.gauss(0, 1) + number / 10,
                }
            )
    made[3]["text"], made[3]["digit_share"], made[3]["label"] = HOSTILE, 0.9, made[3]["lang"]
    _cluster(made, rng)
    _rank(made)
    _decide(made)
    return made


def _cluster(made: list[dict], rng: random.Random) -> None:
    for d in made:
        d["cluster"], d["content"] = d["id"], rng.getrandbits(62)
    for lang in SENTENCES:
        mine = [d for d in made if d["lang"] == lang]
        for size in (2, 3, 5):
            members = rng.sample([d for d in mine if d["cluster"] == d["id"]], size)
            first = min(members, key=lambda d: d["id"])
            for d in members:
                d["cluster"] = first["id"]
                if rng.random() < 0.5:
                    d["content"], d["text"] = first["content"], first["text"]
    groups = defaultdict(list)
    for d in made:
        groups[d["cluster"]].append(d)
    for members in groups.values():
        smallest = min(d["id"] for d in members)
        for d in members:
            d["cluster"], d["cluster_size"] = smallest, len(members)
            d["sources"] = len({m["source"] for m in members})


def _rank(made: list[dict]) -> None:
    for lang in SENTENCES:
        mine = sorted((d for d in made if d["lang"] == lang), key=lambda d: d["score"])
        for rank, d in enumerate(mine):
            d["quantile"] = (rank + 0.5) / len(mine)


def thresholds(made: list[dict]) -> list[dict]:
    """Return the thresholds: a quantile of each column in each language, as `select` derives them."""
    rows = []
    for lang in SENTENCES:
        # Given by hand, and far below what any document has.
        rows.append({"lang": lang, "column": "chars", "side": "low", "value": 5.0, "origin": "given", "n": 0})
        mine = [d for d in made if d["lang"] == lang]
        for column, side, q in (
            ("digit_share", "high", 0.95),
            ("repeated_lines", "high", 0.93),
            ("stop_words", "low", 0.04),
        ):
            values = sorted(d[column] for d in mine if d[column] is not None)
            value = values[int(q * len(values))] if values else None
            origin = f"quantile {q} of {len(values)} documents of {lang}" if values else "no list of stop words"
            rows.append(
                {"lang": lang, "column": column, "side": side, "value": value, "origin": origin, "n": len(values)}
            )
    return rows


def _decide(made: list[dict]) -> None:
    lines = {(t["lang"], t["column"]): t for t in thresholds(made)}
    kept_of_cluster: dict[str, str] = {}
    for d in sorted(made, key=lambda d: d["id"]):
        failed = ["license"] if d["text"] == HOSTILE else []
        evidence = {"license": EVIDENCE}
        if d["known"] and d["label"] != d["lang"]:
            failed.append("identify")
            evidence["identify"] = f"declared {d['lang']}, reads as {d['label']}"
        for column, side in (("digit_share", "high"), ("repeated_lines", "high"), ("stop_words", "low")):
            line, value = lines[d["lang"], column]["value"], d[column]
            if value is None or line is None:
                continue
            if (value > line) if side == "high" else (value < line):
                failed.append(f"heuristics.{column}.{side}")
                evidence[failed[-1]] = f"{column} {value:.3f}, the line of {d['lang']} is {line:.3f}"
        d["duplicate_of"] = None
        if not failed and d["cluster_size"] > 1:
            if d["cluster"] in kept_of_cluster:
                other = kept_of_cluster[d["cluster"]]
                same = next(o for o in made if o["id"] == other)["content"] == d["content"]
                failed.append("duplicates.exact" if same else "duplicates.near")
                evidence[failed[-1]] = f"same text as {other}" if same else f"nearly {other}"
                d["duplicate_of"] = other
            else:
                kept_of_cluster[d["cluster"]] = d["id"]
        d["margin"] = d["quantile"] - 0.4
        if not failed and d["margin"] < 0:
            failed.append("quality")
            evidence["quality"] = f"quality quantile {d['quantile']:.3f} below 0.400"
        d["failed"], d["rule"] = failed, failed[0] if failed else None
        d["evidence"] = evidence.get(d["rule"])


def write(folder: Path, made: list[dict], parts: int = 1, seed: int | None = None) -> World:
    """Write every table in `parts` parts, the documents shuffled by `seed`, and return the report's inputs."""
    rows = list(made)
    if seed is not None:
        random.Random(seed).shuffle(rows)
    _tables(folder, rows, parts)
    table.write(pa.Table.from_pylist(thresholds(made)), folder / "thresholds" / "thresholds.parquet")
    quarantine = folder / "quarantine"
    quarantine.mkdir()
    (quarantine / "crawl.jsonl").write_text("".join(as_line(row) + "\n" for row in QUARANTINE), "utf-8")
    kept = [d for d in made if d["rule"] is None]
    there = Available.of(
        {
            lang: tuple(sum(f(d) for d in kept if d["lang"] == lang) for f in (_one, size_of, size_of))
            for lang in SENTENCES
        }
    )
    plan.write(plan.plan(there, MixConfig()), folder)
    (folder / "audit.json").write_text(json.dumps(audit()), "utf-8")
    (folder / "agreement").mkdir()
    source_overlap.make(
        Output(folder / "agreement", "agreement", Silent()), folder / "corpus", folder / "signals" / "duplicates"
    )
    return World(folder, made, inputs(folder))


def audit() -> dict:
    """Return the audit of a rater on labels that it can partly guess, in three languages and one more of few labels."""
    rng = np.random.default_rng(5)
    langs = ["fra_Latn"] * 80 + ["arb_Arab"] * 60 + ["eng_Latn"] * 70 + ["kor_Hang"] * 6
    labels = rng.random(len(langs)) < 0.6
    told = pa.array(rng.normal(labels * 1.5, 1.0))
    labelled = Labelled(pa.table({"lang": langs, "told": told}), labels, np.arange(len(langs)), ("told",))
    lengths = rng.integers(100, 3000, len(langs))
    return auditing.audit(labelled, lengths, Head("logistic"), [0, 1], draws=40)


def _one(document: dict) -> int:
    return 1


def size_of(document: dict) -> int:
    """Return the bytes of a document's text."""
    return len(document["text"].encode())


def inputs(folder: Path) -> ReportInputs:
    """Return the report's inputs for a folder that `write` filled."""
    records = {}
    for step, notes in (
        ("signals/duplicates", {"self-test": [SELFTEST.as_json()], CHANCE: dict(curve(SEARCH)), "warnings": []}),
        ("ledger", {"warnings": ["one <b>word</b>"]}),
    ):
        config = SEARCH.model_dump(mode="json") if step == "signals/duplicates" else {"keep": 0.6}
        identity = Identity(step, 1, config, {"corpus": "0" * 64})
        versions = {"python": "3.11.0", "daft": "0.7.26"}
        records[step] = asdict(
            Record(identity.as_json(), identity.fingerprint, {"documents": 7}, notes, {}, 1.5, versions)
        )
    return ReportInputs(
        name="world",
        recipe={"name": "world", "corpus": {"sources": [{"name": "crawl", "language": "fra_Latn"}]}},
        ledger=folder / "ledger",
        corpus=folder / "corpus",
        records=records,
        thresholds=folder / "thresholds" / "thresholds.parquet",
        signals={s: folder / "signals" / s for s in ("identify", "heuristics", "duplicates", "quality")},
        mixture=folder / "mixture.json",
        audit=folder / "audit.json",
        quarantine=folder / "quarantine",
        source_overlap=folder / "agreement",
    )


def _tables(folder: Path, rows: list[dict], parts: int) -> None:
    f32, text = pa.float32(), pa.string()
    layouts = {
        "signals/identify": {"id": text, "label": text, "score": f32, "agrees": pa.bool_()},
        "signals/heuristics": {
            "id": text,
            "chars": pa.int32(),
            "digit_share": f32,
            "repeated_lines": f32,
            "stop_words": f32,
            "unused": f32,
        },
        "signals/duplicates": {
            "id": text,
            "cluster": text,
            "cluster_size": pa.int32(),
            "content": pa.int64(),
            "sources": pa.int32(),
        },
        "signals/quality": {"id": text, "score": f32, "quantile": f32},
        "ledger": {
            "id": text,
            "lang": text,
            "source": text,
            "bytes": pa.int64(),
            "chars": pa.int64(),
            "kept": pa.bool_(),
            "rule": text,
            "evidence": text,
            "duplicate_of": text,
            "failed": pa.list_(text),
            "quality": f32,
            "quantile": f32,
            "margin": f32,
            "weight": f32,
        },
    }
    full = [
        d
        | {
            "bytes": len(d["text"].encode()),
            "chars": len(d["text"]),
            "kept": d["rule"] is None,
            "quality": d["score"],
            "weight": 1.0,
            "agrees": (d["label"] == d["lang"]) if d["known"] else None,
        }
        for d in rows
    ]
    for name, layout in layouts.items():
        schema = pa.schema(list(layout.items()))
        for part in range(parts):
            piece = [{k: d.get(k) for k in layout} for d in full[part::parts]]
            table.write(pa.Table.from_pylist(piece, schema), folder / name / f"part-{part:05d}.parquet")
    for lang in SENTENCES:
        mine = [{k: d[k] for k in ("id", "text", "lang", "source")} for d in rows if d["lang"] == lang]
        table.write(pa.Table.from_pylist(mine), folder / "corpus" / lang / "crawl-00000.parquet")
