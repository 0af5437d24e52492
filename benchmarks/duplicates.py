"""Near-duplicates: speed of signatures beside peers, the whole job up to a million documents, recall, invariance."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks import _corpus, _meaning, _pairs, _ray, _real, harness, pipeline
from benchmarks.harness import Row
from glotmix.core import record, table
from glotmix.core.record import Identity
from glotmix.native import folding, link, shingles
from glotmix.native.arrays import buffers
from glotmix.signals import duplicates, signatures
from glotmix.signals.duplicates import DuplicatesConfig
from glotmix.signals.selftest import wilson
from glotmix.signals.signatures import SignatureConfig, unpack

NAME = "duplicates"
FOLDER = harness.BENCH / "duplicates"
PEERS = {
    "datatrove": ["datatrove", pipeline.DATATROVE],
    "datasketch": ["sketches", ("datasketch==2.0.0", "rensa==0.5.0")],
    "rensa": ["sketches", ("datasketch==2.0.0", "rensa==0.5.0")],
    "text-dedup": ["text-dedup", ("text-dedup==0.4.0",)],
}
FIELD = SignatureConfig(bands=14, rows=8)
"""The field's 112 minima, as Daft's `minhash(112, 5)` and datatrove have them."""
CONFIG = DuplicatesConfig()
NEAR = 0.8
REAL, EDITED = 5_000, 1_500
"""Real documents of each script, and edited copies of some of them, whose pairs are all compared."""


def run(small: bool) -> Iterable[Row]:
    """Yield all rows."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    yield from speed(small)
    yield from meaning(small)
    yield from recall(small)
    yield from whole(small)
    yield from invariance(small)


# ------------------------------------------------------------------------------------------------ signatures


def speed(small: bool) -> Iterator[Row]:
    """Signatures per CPU-second, ours and the peers', on the same documents: two excerpts of one language joined."""
    texts: dict[str, list[str]] = {}
    for script in _pairs.SCRIPTS:
        held = _pairs.documents(script, 600)
        half = len(held) // 2
        texts[script] = [f"{a}\n{b}" for a, b in zip(held[:half], held[half : 2 * half], strict=True)]
    size = {script: sum(len(t.encode()) for t in held) for script, held in texts.items()}
    count = {script: len(held) for script, held in texts.items()}
    settings = {"documents": count, "mean_bytes": {s: round(size[s] / count[s]) for s in texts}, "hashes": 112}
    repeat = 5 if small else 30
    ours = {s: _cpu(_signing(held), repeat) for s, held in texts.items()}
    daft = {s: _cpu(_daft(held), repeat) for s, held in texts.items()}
    for script in texts:
        yield Row(
            NAME,
            f"signatures.bytes_per_second.{script}",
            size[script] / ours[script],
            n=count[script],
            unit="bytes/CPU-second",
        )
    slowest = min(texts, key=lambda s: size[s] / ours[s])
    fastest = max(texts, key=lambda s: size[s] / ours[s])
    ratio = size[slowest] / ours[slowest] / (size[fastest] / ours[fastest])
    between = {"slowest": slowest, "fastest": fastest}
    yield Row(NAME, "signatures.slowest_to_fastest_script", ratio, n=len(texts), unit="ratio", settings=between)
    yield from _rates("glotmix", ours, count, settings)
    yield from _rates("daft", daft, count, settings)
    yield from _ratios("daft", daft, ours, count)
    some = 20 if small else 150
    corpus = FOLDER / "speed.jsonl"
    rows = [{"script": s, "text": t} for s, held in texts.items() for t in held[:some]]
    corpus.write_text("\n".join(json.dumps(r, ensure_ascii=False) for r in rows), "utf-8")
    for tool in ("datatrove", "datasketch", "rensa") if small else PEERS:
        told = _peer(tool, corpus)
        cpu = {s: told["cpu"][s] / told["documents"][s] * count[s] for s in texts}
        yield from _rates(tool, cpu, count, {"documents_each": some, "versions": told["versions"]})
        yield from _ratios(tool.replace("-", "_"), cpu, ours, count)


def _signing(texts: list[str]) -> Callable[[], object]:
    array, sign = pa.array(texts), signatures.sign(FIELD)
    return lambda: sign(array)


def _daft(texts: list[str]) -> Callable[[], object]:
    import daft
    from daft import col

    frame = daft.from_arrow(pa.table({"text": texts})).collect()
    return lambda: frame.select(col("text").minhash(num_hashes=112, ngram_size=5)).collect()


def _cpu(work: Callable[[], object], repeat: int) -> float:
    """Return the CPU seconds of one call, all threads: the median of so many, after one to warm up."""
    work()
    spent = []
    for _ in range(repeat):
        began = time.process_time()
        work()
        spent.append(time.process_time() - began)
    return float(np.median(spent))


def _rates(tool: str, cpu: dict[str, float], count: dict[str, int], settings: dict[str, object]) -> Iterator[Row]:
    rate = sum(count.values()) / sum(cpu.values())
    name = f"signatures.docs_per_cpu_second.{tool}"
    yield Row(NAME, name, rate, n=sum(count.values()), unit="documents/CPU-second", settings=settings)
    for script, seconds in cpu.items():
        yield Row(NAME, f"{name}.{script}", count[script] / seconds, n=count[script], unit="documents/CPU-second")


def _ratios(tool: str, theirs: dict[str, float], ours: dict[str, float], count: dict[str, int]) -> Iterator[Row]:
    """Yield how many times our rate theirs is: over all documents, with an interval over scripts, and per script."""
    each = {s: theirs[s] / ours[s] for s in ours}
    low, high = harness.interval(list(each.values()), np.median)
    told = {"interval": "median of scripts, bootstrap", "worst": min(each, key=lambda s: each[s])}
    ratio = sum(theirs.values()) / sum(ours.values())
    n = sum(count.values())
    yield Row(NAME, f"signatures.ratio_to_{tool}", ratio, low, high, n=n, unit="times", settings=told)
    for script, value in each.items():
        yield Row(NAME, f"signatures.ratio_to_{tool}.{script}", value, n=count[script], unit="times")


def _peer(tool: str, texts: Path) -> dict:
    environment, requirements = PEERS[tool]
    python = harness.peer(environment, requirements)
    out = FOLDER / f"{tool}.json"
    script = harness.ROOT / "benchmarks" / "_minhash_peers.py"
    done = subprocess.run([python, script, tool, texts, out], capture_output=True, text=True, check=False)
    if done.returncode:
        raise harness.BenchmarkError(f"{tool} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    told = json.loads(out.read_text("utf-8"))
    told["versions"] = {p: v for p, v in harness.installed(python).items() if p == tool}
    out.unlink()
    return told


# ------------------------------------------------------------------------------------------------- similarity


def meaning(small: bool) -> Iterator[Row]:
    """The similarity that one edit of the same news leaves, in every script; letters by which shingles are made."""
    for script, letters, ours, words in _meaning.same_edit(CONFIG.shingle, 12 if small else 1):
        n = len(ours)
        told = {"sentences_of_a_document": _meaning.BLOCK, "exchanged": 1, "n": "languages", "lowest": min(ours)}
        low, high = harness.interval(ours)
        yield Row(NAME, f"same_edit.similarity.{script}", float(np.mean(ours)), low, high, n, "Jaccard", told)
        low, high = harness.interval(words)
        yield Row(NAME, f"same_edit.similarity_of_words.{script}", float(np.mean(words)), low, high, n, "Jaccard", told)
        yield Row(NAME, f"letters_to_english.{script}", float(np.median(letters)), n=n, unit="ratio")


# ------------------------------------------------------------------------------------------ recall and precision


def recall(small: bool, scripts: Sequence[str] = ()) -> Iterator[Row]:
    """Recall and precision against the exact similarity of all pairs, per script; the peers' candidates beside.

    Real documents hold few near-duplicates, so some edited copies stand among them; the pairs of two real documents
    alone, the natural ones, have rows of their own.
    """
    tools = ("datatrove",) if small else ("datatrove", "text-dedup")
    for script in scripts or (("Latn", "Thai") if small else tuple(_pairs.SCRIPTS)):
        real, facts = _real.documents(script, 500 if small else REAL)
        texts = real + _pairs.edited(real, 150 if small else EDITED)
        pairs, _ = _pairs.similar(texts, NEAR, CONFIG.shingle)
        known = Known(script, texts, len(real), pairs)
        settings = {"n_real": len(real), "n_edited": len(texts) - len(real), "near": NEAR, "seed": 0} | facts
        yield from _ours(known, settings)
        words, _ = _pairs.similar_words(texts, NEAR)
        corpus = FOLDER / "recall.jsonl"
        lines = (json.dumps({"script": script, "text": t}, ensure_ascii=False) for t in texts)
        corpus.write_text("\n".join(lines), "utf-8")
        for tool in tools:
            found = _pairs.candidates(_peer(tool, corpus)["keys"])
            yield from _recalls(f".{tool}", known, found, settings)
            yield _share(f"precision.{tool}.{script}", found, pairs, settings)
            # By what they compare themselves: 5-grams of white-space words.
            own = settings | {"similarity": "of 5-grams of white-space words"}
            yield _share(f"recall_by_words.{tool}.{script}", words, found, own)


class Known(NamedTuple):
    """Documents of a script, the first `real` of them real, and all pairs of them that are near-duplicates."""

    script: str
    texts: list[str]
    real: int
    near: NDArray[np.int64]


def _recalls(name: str, known: Known, found: NDArray[np.int64], settings: dict[str, object]) -> Iterator[Row]:
    """Yield the recall of all near pairs, and of those that nobody planted: both documents are real."""
    natural = known.near[(known.near < known.real).all(axis=1)]
    told = settings | {"pairs": len(known.near), "pairs_of_real": len(natural)}
    yield _share(f"recall{name}.{known.script}", known.near, found, told)
    yield _share(f"recall_natural{name}.{known.script}", natural, found, told)


def _ours(known: Known, settings: dict[str, object]) -> Iterator[Row]:
    script, near = known.script, known.near
    texts = pa.array(known.texts)
    signed = signatures.sign(CONFIG)(texts)
    keys = np.stack([signed.field(signatures.band(b)).to_numpy() for b in range(CONFIG.bands)], axis=1)
    found = _pairs.candidates(keys.tolist())
    settings = settings | {"bands": CONFIG.bands, "rows": CONFIG.rows, "shingle": CONFIG.shingle}
    yield from _recalls("", known, found, settings | {"of": "candidates"})
    yield _share(f"precision_unverified.{script}", found, near, settings)
    offsets, data = buffers(texts)
    sets = shingles.shingle_sets(offsets, data, *folding.table(), CONFIG.shingle)
    left, right = (np.ascontiguousarray(side) for side in found.T)
    exact, guess = np.empty(len(found)), np.empty(len(found))
    link.jaccard(*sets, left, right, exact)
    link.estimate(unpack(signed.field("sketch")), left, right, guess)
    for how, value in (("", exact), ("_estimated", guess)):
        kept = found[value >= NEAR]
        yield _share(f"precision{how}.{script}", kept, near, settings | {"verified": how.strip("_") or "exact"})
        yield _share(f"recall_verified{how}.{script}", near, kept, settings)
    together = _together(known.texts)
    yield _share(f"recall_clusters.{script}", near, together, settings | {"of": "the whole step"})
    # Chains: two documents of a cluster may be alike only through others between them.
    yield _share(f"precision_clusters.{script}", together, near, settings | {"of": "pairs within a cluster"})


def _together(texts: list[str]) -> NDArray[np.int64]:
    """Return the pairs of texts that the whole step puts into one cluster."""
    folder = FOLDER / "recall"
    shutil.rmtree(folder, ignore_errors=True)
    ids = [f"d{n:06d}" for n in range(len(texts))]
    rows = {"id": ids, "text": texts, "lang": ["x"] * len(ids), "source": ["x"] * len(ids)}
    table.write(pa.table(rows), folder / "corpus" / "x.parquet")
    config = CONFIG.model_copy(update={"selftest": 0})
    record.build(
        folder / "signatures", Identity("s", 1), lambda out: signatures.make(out, folder / "corpus", config.signature)
    )
    record.build(
        folder / "duplicates",
        Identity("d", 1),
        lambda out: duplicates.make(out, folder / "signatures", folder / "corpus", config),
    )
    clusters = table.read(table.shards(folder / "duplicates"), ["cluster"])["cluster"].to_pylist()
    shutil.rmtree(folder)
    return _pairs.candidates([[cluster] for cluster in clusters])


def _share(metric: str, wanted: NDArray[np.int64], found: NDArray[np.int64], settings: dict[str, object]) -> Row:
    """Return the share of wanted pairs that are among the found, with its Wilson interval."""
    code = np.int64(1) << 32
    hits = int(np.isin(wanted[:, 0] * code + wanted[:, 1], found[:, 0] * code + found[:, 1]).sum())
    low, high = wilson(hits, len(wanted)) or (None, None)
    return Row(NAME, metric, hits / len(wanted) if len(wanted) else None, low, high, len(wanted), "share", settings)


# ------------------------------------------------------------------------------------------------ the whole job


def whole(small: bool) -> Iterator[Row]:
    """Read, sign, cluster, write: CPU, wall time and peak memory by the number of documents; the growth."""
    sizes = (2_000, 6_000) if small else (100_000, 300_000, 1_000_000)
    cpu = []
    for n in sizes:
        raw, held = raw_corpus(n)
        told, cost = _whole(raw, [])
        cpu.append(cost.cpu_seconds)
        settings = {
            "bytes": held,
            "steps": told["steps"],
            "counts": told["counts"],
            "wall_seconds": round(cost.wall_seconds, 1),
            "made_of": {"exact_copies": _corpus.EXACT, "near_copies": _corpus.NEAR},
        }
        counts = told["counts"]
        if counts["documents"] != n or counts["kept"] + counts["dropped"] != n:
            raise harness.BenchmarkError(f"of {n:,} documents, {counts} came through: some are lost")
        rate = n / cost.cpu_seconds
        yield Row(NAME, f"dedup.documents.{n}", counts["documents"], n=n, unit="documents", settings=told["read"])
        yield Row(NAME, f"dedup.docs_per_cpu_second.{n}", rate, n=n, unit="documents/CPU-second", settings=settings)
        yield Row(NAME, f"dedup.peak_memory_mb.{n}", cost.peak_mb, n=n, unit="MB")
        if not small:
            shutil.rmtree(raw)
    growth = harness.growth(sizes, cpu)
    told = {"sizes": sizes, "cpu_seconds": [round(c, 1) for c in cpu]}
    yield Row(NAME, "dedup.growth_exponent", growth, n=len(sizes), unit="exponent", settings=told)


def raw_corpus(n: int) -> tuple[Path, int]:
    """Write so many documents of about 2 kB, as `_corpus.compose` makes them; return the folder and their bytes."""
    folder, held = FOLDER / f"raw-{n}", 0
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    source = pq.read_table(harness.data("crawl.parquet"), columns=["lang", "text"])
    for number, lang in enumerate(_corpus.LANGUAGES):
        texts = source.filter(pc.equal(source["lang"], lang))["text"].to_pylist()
        wanted = n // len(_corpus.LANGUAGES)
        made = _corpus.compose(_corpus.sentences(texts, lang), wanted, np.random.default_rng([0, number]))
        with pq.ParquetWriter(folder / f"{lang}.parquet", RAW, compression="zstd") as writer:
            written = 0
            while rows := list(islice(made, 10_000)):
                held += sum(len(t.encode()) for t in rows)
                ids = [f"{lang}-{written + i:07d}" for i in range(len(rows))]
                writer.write_table(pa.table([ids, rows, [lang] * len(rows)], schema=RAW))
                written += len(rows)
    return folder, held


RAW = pa.schema([("id", pa.string()), ("text", pa.string()), ("lang", pa.string())])


def _whole(
    raw: Path, options: Sequence[str], python: Path | None = None, env: dict[str, str] | None = None
) -> tuple[dict, harness.Cost]:
    out = FOLDER / "whole"
    shutil.rmtree(out, ignore_errors=True)
    cost = harness.measure([python or sys.executable, "-m", "benchmarks._dedup", raw, out, *options], env=env)
    shutil.rmtree(out, ignore_errors=True)
    if cost.exit:
        raise harness.BenchmarkError(f"deduplication {' '.join(options)} ended with {cost.exit}:\n{cost.output}")
    return json.loads(next(x for x in reversed(cost.output.splitlines()) if x.startswith("{"))), cost


# ------------------------------------------------------------------------------------------------ invariance


def invariance(small: bool) -> Iterator[Row]:
    """Whether workers, shards, order and engine change a cluster: 1 for the same clusters, 0 for others."""
    raw = FOLDER / "invariance"
    shutil.rmtree(raw, ignore_errors=True)
    rows = []
    for script in ("Latn", "Thai", "Hans", "Arab", "Deva", "Hang"):
        real = _pairs.documents(script, 160 if small else 1_600)
        texts = real + _pairs.edited(real, 40 if small else 400, seed=1)
        rows += [(f"{script}/{n}", text, f"x_{script}") for n, text in enumerate(texts)]
    ids, texts, langs = (list(column) for column in zip(*rows, strict=True))
    table.write(pa.table([ids, texts, langs], schema=RAW), raw / "all.parquet")
    quick = ["--selftest", "0"]
    base, _ = _whole(raw, ["--shards", "1", "--workers", "1", *quick])
    variants = {
        # More workers than cores take turns: the order in which things end is another all the same.
        **{f"workers_{n}": ["--shards", "4", "--workers", str(n)] for n in (1, 2, 4)},
        "shards_1": ["--shards", "1"],
        "shards_16": ["--shards", "16"],
        "queries": ["--shards", "4", "--engine", "queries"],
    }
    for name, options in variants.items():
        told, _ = _whole(raw, [*options, *quick])
        yield _same(name, base, told, len(rows))
    if not small:
        told, _ = _whole(raw, ["--shards", "4", "--runner", "ray", *quick], _ray.python(), _ray.ENVIRONMENT)
        yield _same("ray", base, told, len(rows))
        yield from _recipe_on_ray()


def _recipe_on_ray() -> Iterator[Row]:
    """A whole recipe with every signal, from raw files to the report: 1 if Ray leaves the local engine's bytes."""
    local, ray = _ray.both(FOLDER / "recipe")
    differing, files = _ray.different(local, ray)
    made = {step: record.require(ray / step, "run").counts for step in ("signals/duplicates", "ledger")}
    told = {"different_files": differing, "counts": made, "of": "every file of the output; records without seconds"}
    yield Row(NAME, "identical.recipe_on_ray", int(not differing), n=files, unit="yes", settings=told)


def _same(name: str, base: dict, told: dict, n: int) -> Row:
    counts = {key: told["counts"][key] for key in ("clusters", "duplicates", "pairs_linked")}
    return Row(NAME, f"identical.{name}", int(base["digest"] == told["digest"]), n=n, unit="yes", settings=counts)


if __name__ == "__main__":
    harness.main(NAME, run)
