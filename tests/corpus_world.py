"""Texts in thirteen scripts, and corpora read from files of them: what tests of several rooms share."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from glotmix.core import record
from glotmix.corpus import read
from glotmix.corpus.sources import Source

SCRIPTS = {
    "eng_Latn": "The sea was calm; naïve façade — “quotes”.",
    "rus_Cyrl": "Съешь же ещё этих мягких французских булок.",
    "ell_Grek": "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία.",
    "arb_Arab": "نصٌّ حكيمٌ لهُ سِرٌّ قاطِعٌ",
    "heb_Hebr": "דג סקרן שט בים מאוכזב",
    "hin_Deva": "ऋषियों को सताने वाले दुष्ट राक्षसों के राजा",
    "ben_Beng": "বর্ণমালা পরিচয় করিয়ে দেওয়া",
    "tha_Thai": "เป็นมนุษย์สุดประเสริฐเลิศคุณค่า",
    "mya_Mymr": "သီဟိုဠ်မှ ဉာဏ်ကြီးရှင်သည်",
    "zho_Hans": "天地玄黄，宇宙洪荒。𠮷野家\u2028新行",
    "jpn_Jpan": "いろはにほへと ちりぬるを ｶﾞ",
    "kor_Hang": "키스의 고유조건은 입술끼리 만나야 하고 각",
    "amh_Ethi": "ሰማይ አይታረስ ንጉሥ አይከሰስ።",
}


def lines(path: Path, records: Sequence[Any], end: str = "\n") -> Path:
    """Write objects (or raw bytes) one to a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [r if isinstance(r, bytes) else json.dumps(r, ensure_ascii=False).encode() for r in records]
    path.write_bytes(b"".join(r + end.encode() for r in rows))
    return path


def source(path: Any = "*.jsonl", name: str = "web", language: Any = "fra_Latn", **more: Any) -> Source:
    return Source.model_validate({"name": name, "path": path, "language": language} | more)


def build(base: Path, *sources: Source, to: str = "corpus", limit: float = 1.0, label=None, max_chars=1_000):
    identity = record.Identity(
        "corpus", read.VERSION, {"sources": [s.identity for s in sources]}, read.fingerprints(sources, base)
    )
    return record.build(
        base / to, identity, lambda o: read.make(o, sources, base, label, max_chars, limit), may_be_empty=True
    )


def documents(folder: Path) -> list[dict[str, Any]]:
    files = sorted(folder.rglob("*.parquet"))
    return [row for f in files for row in pq.read_table(f, partitioning=None).to_pylist()]


def quarantined(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for f in sorted(folder.glob("quarantine/*")) for line in f.read_text("utf-8").splitlines()]
