"""The explorer on a million documents: how long its answers take, what memory it holds, what hostile text does to it.

A finished run is written table by table, as the steps write them: excerpts of `crawl.parquet` in its eleven languages
(0.9 kB each on average, their heuristics measured; a serial number is added to each, so that all differ), three
sources, scores, duplicate clusters, a ledger; shards and parts are cut as the corpus and signals cut them. The explorer
is started as its command starts it, in a process of its own, and asked over HTTP on the loopback address, one question
after the other, as its page asks.

``milliseconds.p95.KIND.DOCUMENTS``: the 95th percentile of the time from a question to its whole answer, bootstrap
interval: ``filter`` (a list of 50 under random filters, ranges and orders), ``threshold`` (a line moved to a random
place), ``search`` (the first answer, which says how many documents it has looked at), ``document`` (everything known of
a random one). ``milliseconds.first.KIND.DOCUMENTS``: the first question of its kind.
``milliseconds.cpu.KIND.DOCUMENTS``: what the explorer computed for one, mean: whatever else the machine does.
``search.looked.DOCUMENTS``: documents that the first answer has looked at, median; ``seconds.search_all.DOCUMENTS``:
until all were, by going on. ``seconds.open.DOCUMENTS``: until the page answers. ``memory_mb``: the most that the
process held.

In Chromium, on the small world of the tests: ``injection.executed``, payloads that ran of those shown in lists,
searches and single documents; ``axe.violations``, serious and critical ones that axe-core finds in the explorer's views
and in the report, wide and narrow.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks import harness
from benchmarks.harness import Row

NAME = "explore"
SOURCES = ("crawl-a", "crawl-b", "crawl-c")
SHARD = 100_000
"""Documents of a shard, at most; a row group has 16,384."""
RULES = ("heuristics.digit_share.high", "heuristics.stop_word_share.low", "heuristics.unit_entropy.low",
         "heuristics.chars.low", "identify")  # fmt: skip


def run(small: bool) -> Iterable[Row]:
    yield from _timed(20_000 if small else 1_000_000, 40 if small else 300)
    yield from _shown()


# ------------------------------------------------------------------------------------------------ a finished run


def _timed(size: int, questions: int) -> Iterable[Row]:
    base = harness.BENCH / "explore" / str(size)
    recipe = _world(base, size)
    with _served(recipe) as (ask, opened, held, cpu):
        settings = {"questions": questions, "seed": 0, "documents": size, "bytes": ask("run")["bytes"]}
        settings |= {"cores": os.cpu_count(), "nice": os.nice(0)}
        yield Row(NAME, f"seconds.open.{size}", opened, n=1, unit="s", settings=settings)
        rng = random.Random(0)
        words = _words(base, rng)
        made: dict[str, Callable[[dict[str, Any]], tuple[str, dict[str, Any]]]] = {
            "filter": lambda run: ("filter", _filter(rng, run)),
            "threshold": lambda run: ("moved", _moved(rng, run, ask)),
            "search": lambda run: ("search", {"text": rng.choice(words)} | _some(rng, run)),
            "document": lambda run: ("document", {"row": rng.randrange(run["documents"])}),
        }
        told = ask("run")
        for kind, make in made.items():
            taken, looked, spent = [], [], cpu()
            for _ in range(questions):
                call, given = make(told)
                began = time.perf_counter()
                answer = ask(call, **given)
                taken.append(1000 * (time.perf_counter() - began))
                if kind == "search" and answer["of"] == size:
                    looked.append(answer["looked"])
            spent = 1000 * (cpu() - spent) / questions
            low, high = harness.interval(taken, _p95)
            # What else the machine did meanwhile: processes that ran or waited for a core, mean of the last minute.
            row = {"n": len(taken), "unit": "ms", "settings": settings | {"load": round(os.getloadavg()[0], 1)}}
            yield Row(NAME, f"milliseconds.p95.{kind}.{size}", float(_p95(np.array(taken))), low, high, **row)
            yield Row(NAME, f"milliseconds.first.{kind}.{size}", taken[0], **row | {"n": 1})
            yield Row(NAME, f"milliseconds.cpu.{kind}.{size}", spent, **row)
            if looked:
                low, high = harness.interval(looked, np.median)
                yield Row(NAME, f"search.looked.{size}", float(np.median(looked)), low, high, len(looked), "documents",
                          settings)  # fmt: skip
        began = time.perf_counter()
        answer = ask("search", text="qqqqzzzz")
        while not answer["done"]:
            answer = ask("more", walk=answer["walk"])
        yield Row(NAME, f"seconds.search_all.{size}", time.perf_counter() - began, n=1, unit="s", settings=settings)
        yield Row(NAME, "memory_mb", held() / 1e6, n=1, unit="MB", settings=settings)
    shutil.rmtree(base)


def _p95(values: Any, axis: int = -1) -> Any:
    return np.quantile(values, 0.95, axis=axis)


def _some(rng: random.Random, run: dict[str, Any]) -> dict[str, Any]:
    """Return no filter, or a language, or a language and a source."""
    kind = rng.randrange(3)
    given = {"lang": rng.choice(run["langs"])["code"]} if kind else {}
    return given | ({"source": rng.choice(run["sources"])} if kind == 2 else {})


def _filter(rng: random.Random, run: dict[str, Any]) -> dict[str, Any]:
    given: dict[str, Any] = _some(rng, run)
    if rng.random() < 0.5:
        given["state"] = rng.choice(["kept", "dropped", *run["rules"]])
    if rng.random() < 0.5:
        given["column"] = rng.choice([c for c in run["columns"] if c.startswith("heuristics.")])
        given["low" if rng.random() < 0.5 else "high"] = rng.random()
        given["sort"] = rng.choice(["corpus", "low", "high"])
    given["from"] = rng.choice([0, 50, 5_000])
    return given


def _moved(rng: random.Random, run: dict[str, Any], ask: Callable[..., Any]) -> dict[str, Any]:
    given = {"lang": rng.choice(run["langs"])["code"], "rule": rng.choice(RULES)}
    scale = ask("scale", **given)
    how = "quantile" if scale["quantiles"] and rng.random() < 0.5 else "number"
    places = scale["quantiles"] if how == "quantile" else scale["places"]
    return given | {"value": rng.choice(places), "how": how}


def _words(base: Path, rng: random.Random) -> list[str]:
    """Return pieces of four to eight letters of the texts."""
    shard = sorted((base / "out" / "corpus").rglob("*.parquet"))
    found = []
    for path in shard:
        with pq.ParquetFile(path) as file:
            texts = next(file.iter_batches(200, columns=["text"]))["text"].to_pylist()
        for text in rng.sample(texts, min(20, len(texts))):
            at = rng.randrange(max(len(text) - 8, 1))
            piece = text[at : at + rng.randint(4, 8)].strip()
            found += [piece] if piece else []
    return found


@contextmanager
def _served(recipe: Path) -> Iterator[tuple[Callable[..., Any], float, Callable[[], int], Callable[[], float]]]:
    """Start the explorer as its command does.

    Yields how to ask, seconds until it answered, its peak memory, and the CPU-seconds that it has used.
    """
    command = [sys.executable, "-m", "glotmix", "explore", str(recipe), "--no-browser"]
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        address = next((line.split()[-1] for line in process.stdout if "http://" in line), None)
        if address is None:
            raise harness.BenchmarkError("the explorer did not start")

        def ask(name: str, **given: Any) -> Any:
            request = urllib.request.Request(f"{address}api/{name}", json.dumps(given).encode())
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)

        def held() -> int:
            status = Path(f"/proc/{process.pid}/status").read_text().splitlines()
            return int(next(line for line in status if line.startswith("VmHWM")).split()[1]) * 1024

        def cpu() -> float:
            # Behind the name, which may hold anything: fields 14 and 15 of proc(5), in ticks.
            told = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
            return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")

        ask("run")
        yield ask, time.perf_counter() - began, held, cpu
    finally:
        process.terminate()
        process.communicate(timeout=30)


def _world(base: Path, size: int) -> Path:
    """Write a finished run of `size` documents, and return its recipe."""
    from glotmix.core.record import Identity, build
    from glotmix.pipeline import recipe as recipes
    from glotmix.pipeline.run import Job

    shutil.rmtree(base, ignore_errors=True)
    base.mkdir(parents=True)
    for name in SOURCES:
        (base / f"{name}.jsonl").write_text("", "utf-8")
    held = {
        "name": "million", "output": "out", "quality": None, "mix": {"tokens": 1_000_000},
        "select": {"retain": "all"},
        "corpus": {"sources": [
            {"name": name, "path": f"{name}.jsonl", "language": {"column": "lang"}} for name in SOURCES
        ]},
    }  # fmt: skip
    path = base / "recipe.yaml"
    path.write_text(json.dumps(held), "utf-8")
    job = Job(recipes.load(path, ()), base)
    tables = _Tables(size)
    for step in ("corpus", "thresholds", "signals/heuristics", "signals/identify", "signals/duplicates", "ledger"):
        # Its identity is not that of a run: the explorer says that it would be made again, and shows what is there.
        build(job.folder / step, Identity(step, 0, {"benchmark": size}, {}), tables.writer(step))
    return path


class _Tables:
    """The tables of a run, made of measured excerpts by drawing them again and again."""

    def __init__(self, size: int) -> None:
        from glotmix.signals import heuristics

        crawl = pq.read_table(harness.data("crawl.parquet"), columns=["lang", "text"])
        langs = sorted(pc.unique(crawl["lang"]).to_pylist())[:11]
        self.size, self.rng = size, np.random.default_rng(0)
        each = [size // len(langs) + (i < size % len(langs)) for i in range(len(langs))]
        self.texts: dict[str, pa.Array] = {}
        self.measured: dict[str, pa.Table] = {}
        self.shards: list[tuple[str, str, int]] = []
        for lang, number in zip(langs, each, strict=True):
            mine = crawl.filter(pc.equal(crawl["lang"], lang)).slice(0, 800)
            self.texts[lang] = mine["text"].combine_chunks()
            structs = heuristics.measure(self.texts[lang], mine["lang"].combine_chunks())
            self.measured[lang] = pa.Table.from_struct_array(structs)
            for i, source in enumerate(SOURCES):
                left = number // len(SOURCES) + (i < number % len(SOURCES))
                while left > 0:
                    self.shards.append((lang, source, min(left, SHARD)))
                    left -= SHARD
        # In the order of the files of a corpus.
        self.shards.sort()
        self.drawn = [self.rng.integers(0, len(self.texts[lang]), n) for lang, _, n in self.shards]

    def writer(self, step: str) -> Callable[[Any], dict[str, int]]:
        """Return what fills a step's output."""
        return lambda output: self._write(step, output)

    def _write(self, step: str, output: Any) -> dict[str, int]:
        from glotmix.core import table

        if step == "thresholds":
            table.write(self._thresholds(), output.path / "thresholds.parquet")
            return {"documents": self.size}
        start = 0
        for number, ((lang, source, n), drawn) in enumerate(zip(self.shards, self.drawn, strict=True)):
            ids = pa.array([f"{lang}/{source}/{i:08d}" for i in range(start, start + n)])
            rows = getattr(self, "_" + step.rpartition("/")[2])(lang, source, drawn, ids)
            name = (
                Path(lang) / f"{source}-{number:05d}.parquet"
                if step == "corpus"
                else Path(f"part-{number:05d}.parquet")
            )
            table.write(rows, output.path / name)
            start += n
        return {"documents": self.size}

    def _corpus(self, lang: str, source: str, drawn: Any, ids: pa.Array) -> pa.Table:
        texts = pc.binary_join_element_wise(self.texts[lang].take(pa.array(drawn)), ids, "\n")
        same = {"lang": pa.array([lang] * len(ids)), "source": pa.array([source] * len(ids))}
        return pa.table({"id": ids, "text": texts} | same)

    def _heuristics(self, lang: str, source: str, drawn: Any, ids: pa.Array) -> pa.Table:
        rows = self.measured[lang].take(pa.array(drawn))
        return rows.add_column(0, "id", ids)

    def _identify(self, lang: str, source: str, drawn: Any, ids: pa.Array) -> pa.Table:
        n = len(ids)
        right = self.rng.random(n) < 0.97
        label = pa.array(np.where(right, lang, "epo_Latn"))
        score = pa.array(self.rng.random(n).astype(np.float32))
        script = pa.array([lang[-4:]] * n)
        return pa.table({"id": ids, "label": label, "script": script, "score": score, "agrees": pa.array(right)})

    def _duplicates(self, lang: str, source: str, drawn: Any, ids: pa.Array) -> pa.Table:
        n = len(ids)
        # A tenth stands in pairs: each with the one before it.
        pair = (np.arange(n) % 20) == 1
        first = np.roll(pair, -1)
        names = ids.take(pa.array(np.where(pair, np.arange(n) - 1, np.arange(n))))
        size = pa.array(np.where(pair | first, 2, 1).astype(np.int32))
        return pa.table({"id": ids, "cluster": names, "cluster_size": size,
                         "content": pa.array(self.rng.integers(0, 2**60, n)), "sources": size})  # fmt: skip

    def _ledger(self, lang: str, source: str, drawn: Any, ids: pa.Array) -> pa.Table:
        from glotmix.select import ledger

        n = len(ids)
        names = np.array([None, "duplicates.near", "identify", "heuristics.digit_share.high"], object)
        rule = np.where((np.arange(n) % 20) == 1, 1, np.where(self.rng.random(n) < 0.03, 3, 0))
        evidence = [None if r == 0 else f"digit share above a line, document {i}" for i, r in enumerate(rule.tolist())]
        score = self.rng.random(n).astype(np.float32)
        size = self.measured[lang].take(pa.array(drawn))
        dropped = [[] if r is None else [r] for r in names[rule].tolist()]
        columns = {
            "id": ids, "lang": pa.array([lang] * n), "source": pa.array([source] * n),
            "license": pa.nulls(n, pa.string()), "bytes": size["bytes"], "chars": size["chars"],
            "tokens": size["bytes"], "kept": pa.array(rule == 0), "rule": pa.array(names[rule].tolist(), pa.string()),
            "evidence": pa.array(evidence, pa.string()), "duplicate_of": pa.nulls(n, pa.string()),
            "cluster_size": pa.array(np.ones(n, np.int32)), "sources": pa.array(np.ones(n, np.int32)),
            "failed": pa.array(dropped, pa.list_(pa.string())),
            "borderline": pa.array([[]] * n, pa.list_(pa.string())), "quality": pa.array(score),
            "quantile": pa.array(score), "calibrated": pa.array(score), "margin": pa.array(score - 0.05),
            "weight": pa.array(np.ones(n, np.float32)),
        }  # fmt: skip
        return pa.table({f.name: columns[f.name].cast(f.type) for f in ledger.SCHEMA}, schema=ledger.SCHEMA)

    def _thresholds(self) -> pa.Table:
        from glotmix.select import thresholds

        rows = [{"lang": lang, "column": "digit_share", "side": "high", "n": 800, "origin": "quantile 0.998",
                 "value": float(np.nanquantile(held["digit_share"].to_numpy(), 0.998))}
                for lang, held in self.measured.items()]  # fmt: skip
        made = pa.Table.from_pylist(rows, schema=thresholds.SCHEMA)
        return made.append_column("source", pa.nulls(len(rows), pa.string()))


# ------------------------------------------------------------------------------------------------ in the browser


def _shown() -> Iterable[Row]:
    """Show hostile text, and look for barriers, in Chromium."""
    sys.path.insert(0, str(harness.ROOT / "tests"))
    import browser

    if shutil.which("chromium") is None or shutil.which("chromedriver") is None:
        yield Row(NAME, "injection.executed", None, unit="payloads", settings={"missing": "chromium"})
        yield Row(NAME, "axe.violations", None, unit="violations", settings={"missing": "chromium"})
        return
    import explore_world
    from glotmix.cli.explore import opened

    base = harness.BENCH / "explore" / "world"
    shutil.rmtree(base, ignore_errors=True)
    base.mkdir(parents=True)
    recipe = explore_world.run(base)
    explore_world.job(recipe).run("report")
    page = opened(recipe, [], base / "out")
    with page.running():
        with browser.chromium() as window:
            yield _injected(window, page.address)
        yield _barriers(browser, page.address, base / "out" / "report.html")
    shutil.rmtree(base)


def _injected(window: Any, address: str) -> Row:
    from urllib.parse import quote

    from benchmarks._payloads import PAYLOADS

    window.visit(address)
    window.run("window.hits = []; window.hit = (n) => { window.hits.push(n); }")
    views = 0
    for n, payload in enumerate(PAYLOADS):
        text, identity = quote(payload, safe=""), quote(f"{n:02d} {payload}", safe="")
        for view in (f"documents?group={text}", f"document?id={identity}", f"documents?lang=fra_Latn&text={text}"):
            window.run("location.hash = '#' + arguments[0]", view)
            _until(window, "return document.querySelector('.text') && !document.querySelector('[data-row]')")
            views += 1
    time.sleep(1)
    gone = window.run("return typeof window.hit") != "function"
    ran = len(PAYLOADS) if gone else len(set(window.run("return window.hits")))
    return Row(NAME, "injection.executed", ran, n=len(PAYLOADS), unit="payloads",
               settings={"views": views, "in": "ids, texts, addresses, groups"})  # fmt: skip


def _barriers(browser: Any, address: str, report: Path) -> Row:
    import barriers

    views = ("documents?lang=arb_Arab", "documents?text=人", "document?id=heb_Hebr/07",
             "thresholds?lang=hin_Deva&rule=heuristics.digit_share.high", "mixture", "runs")  # fmt: skip
    told: list[str] = []
    pages = 0
    for width in (1280, 390):
        with browser.chromium(width, 844) as window:
            window.open(report)
            told += [f"report, {width}: {one}" for one in barriers.serious(window)]
            window.visit(address)
            for view in views:
                window.run("location.hash = '#' + arguments[0]", view)
                _until(window, "return document.querySelectorAll('#view h1 ~ div *').length > 1")
                time.sleep(1)
                told += [f"{view}, {width}: {one}" for one in barriers.serious(window)]
            pages += len(views) + 1
    return Row(NAME, "axe.violations", len(told), n=pages, unit="violations",
               settings={"axe": "4.11.4", "impact": "serious and critical", "found": told[:20]})  # fmt: skip


def _until(window: Any, script: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not window.run(script):
        if time.monotonic() > deadline:
            raise harness.BenchmarkError(f"the page did not come to: {script}")
        time.sleep(0.05)


if __name__ == "__main__":
    harness.main(NAME, run)
