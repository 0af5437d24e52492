"""Raw files: every format, plain and packed, in odd encodings and damaged; nothing is lost, and what reading costs.

The same documents (excerpts of `crawl.parquet` in twelve languages and scripts, with a number in front) are written in
every format and read. ``lost.FORMAT.CASE``: documents that went in, and neither came out nor stand in quarantine; how
many came out letter for letter stands in the settings. Cases: ``plain``, ``gz``, ``zst``, ``encoded`` (an encoding of
each language before Unicode, UTF-16 where it has none), ``damaged`` (five times three bytes that are no UTF-8).

``mb_per_cpu_second.FORMAT``: of the plain files, by `glotmix.corpus.read` as a whole (ids, checks, shards), beside the
library alone where there is one (``.alone``): Python's json, Arrow's csv, FastWARC with Resiliparse, mwparserfromhell.
"""

import gzip
import io
import json
import random
import re
import tempfile
import time
from collections.abc import Callable, Iterable
from html import escape
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from benchmarks import harness
from benchmarks.harness import Row
from glotmix.core import record, table
from glotmix.corpus import read
from glotmix.corpus.sources import Source

CODES = {
    "pol_Latn": "cp1250", "rus_Cyrl": "koi8-r", "ell_Grek": "cp1253", "heb_Hebr": "cp1255", "ara_Arab": "cp1256",
    "tha_Thai": "tis-620", "zho_Hans": "gb18030", "jpn_Jpan": "shift_jis", "kor_Hang": "euc-kr",
    "hin_Deva": "utf-16", "amh_Ethi": "utf-16", "ben_Beng": "utf-16",
}  # fmt: skip


def _jsonl(docs: list[str]) -> bytes:
    return "".join(json.dumps({"text": d}, ensure_ascii=False) + "\n" for d in docs).encode()


def _csv(docs: list[str], sign: str = ",") -> bytes:
    rows = (f'{n}{sign}"{d.replace(chr(34), chr(34) * 2)}"\n' for n, d in enumerate(docs))
    return (f"n{sign}text\n" + "".join(rows)).encode()


def _page(text: str) -> str:
    paragraphs = "".join(f"<p>{escape(p)}</p>" for p in text.split("\n") if p.strip())
    head = "<html><head><title>t</title></head><body><nav><a href='/'>x</a></nav>"
    return f"{head}<article>{paragraphs}</article></body></html>"


def _warc(docs: list[str]) -> bytes:
    made = []
    for n, d in enumerate(docs):
        body = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + _page(d).encode()
        made.append(
            b"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://e.org/%d\r\n"
            b"WARC-Date: 2020-01-01T00:00:00Z\r\n"
            b"Content-Type: application/http; msgtype=response\r\nContent-Length: %d\r\n\r\n%s\r\n\r\n"
            % (n, len(body), body)
        )
    return b"".join(made)


def _wiki(docs: list[str]) -> bytes:
    pages = (
        f"<page><title>{n}</title><ns>0</ns><id>{n}</id><revision><text>{escape(d)}</text></revision></page>\n"
        for n, d in enumerate(docs)
    )
    return f"<mediawiki xml:lang='x'>\n{''.join(pages)}</mediawiki>".encode()


def _search(docs: list[str]) -> bytes:
    lines = (
        json.dumps({"index": {"_id": str(n)}}) + "\n" + json.dumps({"title": str(n), "text": d, "namespace": 0}) + "\n"
        for n, d in enumerate(docs)
    )
    return "".join(lines).encode()


def _tmx(docs: list[str]) -> bytes:
    units = "".join(f'<tu><tuv xml:lang="fr"><seg>{escape(d)}</seg></tuv></tu>' for d in docs)
    return f'<tmx version="1.4"><body>{units}</body></tmx>'.encode()


def _xliff(docs: list[str]) -> bytes:
    units = "".join(f'<trans-unit id="{n}"><source>{escape(d)}</source></trans-unit>' for n, d in enumerate(docs))
    return f'<xliff version="1.2"><file source-language="fr"><body>{units}</body></file></xliff>'.encode()


FORMATS: dict[str, tuple[str, Callable[[list[str]], bytes], dict[str, Any]]] = {
    "jsonl": (".jsonl", _jsonl, {}),
    "txt": (
        ".txt",
        lambda docs: "".join(d.replace("\n", " ") + "\n" for d in docs).encode(),
        {"options": {"split": "lines"}},
    ),
    "csv": (".csv", _csv, {}),
    "tsv": (".tsv", lambda docs: _csv(docs, "\t"), {}),
    "warc": (".warc", _warc, {}),
    "mediawiki": (".xml", _wiki, {}),
    "cirrussearch": (".json", _search, {}),
    "tmx": (".tmx", _tmx, {"language": {"column": "lang"}}),
    "xliff": (".xlf", _xliff, {"language": {"column": "lang"}}),
}
ENCODED = ("txt", "csv", "tsv", "tmx", "xliff")


def run(small: bool) -> Iterable[Row]:
    crawl = pq.read_table(harness.data("crawl.parquet"))
    each = 30 if small else 300
    texts: dict[str, list[str]] = {}
    for lang in CODES:
        found = crawl.filter(pc.equal(crawl["lang"], lang))["text"].to_pylist()[:each]
        # Characters that no format may hold, or that each would fold, are none of this.
        texts[lang] = [
            f"{n} " + re.sub(r"[^\S\n]+|[\x00-\x08\x0b-\x1f\u2028\u2029\x85]", " ", t).strip()
            for n, t in enumerate(found)
        ]
    everything = [f"{lang[:3]} {t}" for lang, held in texts.items() for t in held]
    for name, (ending, write, more) in FORMATS.items():
        data = write(everything)
        cases = {
            "plain": (ending, data),
            "gz": (ending + ".gz", gzip.compress(data)),
            "zst": (ending + ".zst", pa.compress(data, "zstd", asbytes=True)),
        }
        for case, (suffix, packed) in cases.items():
            yield _lost(name, case, everything, {f"a{suffix}": packed}, more)
        broken = bytearray(data)
        rng = random.Random(name)
        for _ in range(5):
            at = rng.randrange(len(data) // 10, len(data) - 200)
            broken[at : at + 3] = b"\xff\xfe\xfd"
        yield _lost(name, "damaged", everything, {f"a{ending}": bytes(broken)}, more)
        if name in ENCODED:
            files = {}
            wanted = []
            for lang, code in CODES.items():
                kept = [t.encode(code, "ignore").decode(code).removeprefix("\ufeff") for t in texts[lang]]
                wanted += kept
                files[f"{lang}{ending}"] = write(kept).decode().encode(code, "ignore")
            yield _lost(name, "encoded", wanted, files, more)
        yield from _speed(name, ending, data, more)


def _read(base: Path, more: dict[str, Any]) -> tuple[record.Record, list[str]]:
    source = Source.model_validate({"name": "s", "path": "in", "language": "fra_Latn", **more})
    identity = record.Identity("corpus", read.VERSION, {}, {})
    made = record.build(base / "out", identity, lambda o: read.make(o, [source], base, None, 10**6, 1.0))
    return made, table.read(table.shards(base / "out"), ["text"])["text"].to_pylist()


def _put(base: Path, files: dict[str, bytes]) -> None:
    (base / "in").mkdir()
    for name, data in files.items():
        (base / "in" / name).write_bytes(data)


def _lost(name: str, case: str, docs: list[str], files: dict[str, bytes], more: dict[str, Any]) -> Row:
    with tempfile.TemporaryDirectory() as made:
        base = Path(made)
        _put(base, files)
        done, found = _read(base, more)
    quarantined = done.counts["quarantined"]
    exact = None
    if name not in ("warc", "mediawiki"):
        # Space at the ends of cells and lines is the format's; texts that stand twice are counted twice.
        plain = [d.replace("\n", " ") if name == "txt" else d for d in docs]
        left = {}
        for d in plain:
            left[d] = left.get(d, 0) + 1
        exact = 0
        for text in found:
            if left.get(text, 0):
                left[text] -= 1
                exact += 1
    settings = {"in": len(docs), "kept": len(found), "quarantined": quarantined, "letter for letter": exact}
    lost = len(docs) - len(found) - quarantined
    return Row("formats", f"lost.{name}.{case}", lost, n=len(docs), unit="documents", settings=settings)


def _speed(name: str, ending: str, data: bytes, more: dict[str, Any]) -> Iterable[Row]:
    spent = []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as made:
            base = Path(made)
            _put(base, {f"a{ending}": data})
            start = time.process_time()
            _read(base, more)
            spent.append(time.process_time() - start)
    mb = len(data) / 1e6
    unit = "MB per CPU-second"
    yield Row("formats", f"mb_per_cpu_second.{name}", mb / sorted(spent)[1], n=3, unit=unit, settings={"mb": mb})
    if (alone := ALONE.get(name)) is not None:
        used = []
        for _ in range(3):
            start = time.process_time()
            alone(data)
            used.append(time.process_time() - start)
        yield Row("formats", f"mb_per_cpu_second.{name}.alone", mb / sorted(used)[1], n=3, unit=unit)


def _alone_warc(data: bytes) -> None:
    from fastwarc.warc import ArchiveIterator, WarcRecordType
    from resiliparse.extract.html2text import extract_plain_text
    from resiliparse.parse.html import HTMLTree

    for found in ArchiveIterator(io.BytesIO(data), record_types=WarcRecordType.response):
        extract_plain_text(HTMLTree.parse_from_bytes(found.reader.read(), "utf-8"), main_content=True)


def _alone_wiki(data: bytes) -> None:
    import mwparserfromhell

    for text in re.findall(r"<text>(.*?)</text>", data.decode(), re.S):
        mwparserfromhell.parse(text).strip_code()


ALONE: dict[str, Callable[[bytes], Any]] = {
    "jsonl": lambda data: [json.loads(line) for line in data.split(b"\n") if line],
    "csv": lambda data: pyarrow.csv.read_csv(
        io.BytesIO(data), parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True)
    ),
    "warc": _alone_warc,
    "mediawiki": _alone_wiki,
}


if __name__ == "__main__":
    harness.main("formats", run)
