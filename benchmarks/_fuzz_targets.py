"""What a user's files are, whole, and how each is read: what `_fuzz` damages."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import yaml

from benchmarks import _placements as world
from benchmarks._fuzz import Target
from glotmix.core import record
from glotmix.core.record import Identity, Output, Silent
from glotmix.pipeline import recipe
from glotmix.pipeline.run import Job

RECIPE: dict[str, Any] = {
    "name": "fuzzed", "output": "out", "seed": 3,
    "corpus": {"sources": [
        {"name": "web", "path": "raw.jsonl", "language": {"column": "lang"}, "license": "CC-BY-4.0", "rank": 1},
        {"name": "more", "path": ["other*.jsonl"], "language": "fra_Latn", "columns": {"text": "text", "id": None}},
    ], "max_chars": 1000, "max_quarantined": 0.5},
    "signals": {"duplicates": {"threshold": 0.8}, "identify": {"max_chars": 500}, "boilerplate": {"remove": True}},
    "quality": {"head": "logistic", "audits": 1, "strategy": "pooled"},
    "select": {"retain": "tokens", "tokens": {"fra_Latn": 1e6}, "sample": "gumbel", "temperature": 0.5,
               "rehydrate": 2.0, "min_documents": 10, "prefer": ["length"]},
    "mix": {"tokens": 1e6, "method": "unimax", "max_epochs": 4, "floors": {"fra_Latn": 0.1}},
    "export": {"formats": ["parquet", "jsonl.zst"], "shard_mb": 5, "dropped": True},
    "engine": {"workers": 1},
    "settings": {"default": {"quality": {"keep": 0.5}, "heuristics": {"mean_line_length": {"low": {"quantile": 0.02}}}},
                 "language": {"fra_Latn": {"identify": {"min_score": 0.6}}},
                 "source": {"web": {"quality": {"keep": 1}}}},
}  # fmt: skip


def _recipe(folder: Path) -> object:
    return Job(recipe.load(folder / "recipe.yaml"), folder).plan()


def _overrides(folder: Path) -> object:
    words = (folder / "overrides.txt").read_bytes().decode(errors="surrogateescape").split("\n")
    return Job(recipe.load(folder / "recipe.yaml", words), folder).upto(None)


def _made(make: Callable[[Path], object]) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as at:
        folder = Path(at)
        make(folder)
        return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def _mixture(folder: Path) -> None:
    from glotmix.mix import plan
    from glotmix.mix.accounting import Available
    from glotmix.mix.config import MixConfig

    there = Available.of({"fra_Latn": (10, 5000, 4000), "ell_Grek": (20, 9000, 7000), "tha_Thai": (5, 800, 800)})
    plan.write(plan.plan(there, MixConfig(tokens=10_000), folder), folder)


def _read_mixture(folder: Path) -> object:
    from glotmix.mix import files, plan
    from glotmix.report import mixing

    path = folder / "mixture.json"
    return [
        f(path)
        for f in (
            files.read_stock,
            files.read_mixture,
            files.read_unique,
            files.read_best,
            files.settled,
            mixing.render,
        )
    ] + [plan.read_shares(folder)]


def _rater(folder: Path) -> None:
    from glotmix.quality import anchors, train_rater
    from glotmix.quality.heads import Head
    from glotmix.quality.load import feature_extractor

    output = Output(folder, "rater", Silent())
    lesson = train_rater.TrainingSpec(files=[anchors.shipped()])
    train_rater.make(output, lesson, feature_extractor(("structure",), {}), Head(kind="logistic"), seed=0)


def _read_rater(folder: Path) -> object:
    from glotmix.quality.load import load

    return load(folder)(["She put the kettle on and waited.", "Home | Shop"], ["eng_Latn", "ell_Grek"])


def _read_record(folder: Path) -> object:
    identity = Identity("x", 1, {"a": 1}, {"b": "c"})
    found = record.read(folder)
    assert found is not None
    return record.state_of(folder, identity), record.verify(folder)


def _a_record(folder: Path) -> None:
    def make(output: Output) -> dict[str, int]:
        (output.path / "part.txt").write_text("text", "utf-8")
        output.notes["warnings"] = ["a.txt was not as glotmix wrote it, and is kept"]
        return {"documents": 1}

    record.build(folder / "x", Identity("x", 1, {"a": 1}, {"b": "c"}), make, Silent())
    for path in list((folder / "x").iterdir()):
        path.rename(folder / path.name)
    (folder / "x").rmdir()


RUNS = "run_id,web,books\n" + "".join(f"r{i},{i / 20:.2f},{1 - i / 20:.2f}\n" for i in range(20))
LOSSES = "run_id,eng,fra\n" + "".join(f"r{i},{3 - i / 20:.3f},{2 + i / 20:.3f}\n" for i in range(20))


def _runs(folder: Path) -> object:
    from glotmix.mix import run_tables

    return [run_tables.read(shape, folder / "ratios.csv", folder / "metrics.csv") for shape in ("olmix",)]


def _static(folder: Path) -> None:
    from glotmix.embed.quantise import CENTROIDS, Quantised
    from glotmix.embed.static import StaticEmbedder

    rng = np.random.default_rng(0)
    codes = rng.integers(0, CENTROIDS, (50, 4)).astype(np.uint8)
    held = Quantised(codes, np.ones(50, np.float32), rng.normal(size=(4, CENTROIDS, 8)).astype(np.float32))
    StaticEmbedder(np.arange(1, 51, dtype=np.uint32), held, {"name": "fuzzed"}).write(folder)


def _read_static(folder: Path) -> object:
    from glotmix.embed import static

    return static.read(folder).embed(["a river", "ποταμός"])


def _qsm(folder: Path) -> None:
    from glotmix.instruct.qsm import QsmConfig, Scorer

    Scorer(QsmConfig(), "e", np.zeros((1, 8), np.float32)).write(folder)


def _read_qsm(folder: Path) -> object:
    from glotmix.instruct.qsm import Scorer

    return Scorer.read(folder)


def _logs(folder: Path) -> object:
    from glotmix.evaluate import reading

    return reading.read([folder])


def _pieces(folder: Path) -> object:
    from glotmix.evaluate import pieces

    return pieces.load(folder)


def _tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    tokenizer.train_from_iterator(world.TEXTS.values(), trainers.BpeTrainer(vocab_size=150, special_tokens=["<unk>"]))
    tokenizer.save(str(folder / "tokenizer.json"))


def _count(folder: Path) -> object:
    from glotmix.signals import tokens

    return tokens.counter(folder / "tokenizer.json")(pa.array(["a river", "ποταμός"]))


def _corpus(folder: Path) -> object:
    corpus = {"sources": [{"name": "web", "path": "raw.jsonl", "language": {"column": "lang"}}], "max_quarantined": 1.0}
    job = Job(recipe.parse({"name": "fuzzed", "corpus": corpus}), folder)
    return job.run("corpus")


def targets(logs: Path | None = None) -> list[Target]:
    """Return them; `logs` is a folder of lm-evaluation-harness's logs."""
    plain = yaml.safe_dump(RECIPE, allow_unicode=True, sort_keys=False).encode()
    lines = "".join(json.dumps(d, ensure_ascii=False) + "\n" for d in world.documents(12)).encode()
    small = yaml.safe_dump({k: RECIPE[k] for k in ("name", "corpus")}).encode()
    overrides = b"seed=3\nmix.tokens=1e9\ncorpus.sources.0.rank=2\nselect.tokens={fra_Latn: 5}\n"
    overrides += b"settings.default.quality.keep=0.3"
    found = [
        Target(
            "recipes",
            {"recipe.yaml": plain},
            _recipe,
            {"recipe.yaml": "yaml"},
            {"raw.jsonl": lines, "other.jsonl": lines},
        ),
        Target("overrides", {"recipe.yaml": small, "overrides.txt": overrides}, _overrides, {}),
        Target("documents", {"raw.jsonl": lines}, _corpus, {"raw.jsonl": "jsonl"}),
        Target("mixtures", _made(_mixture), _read_mixture, {"mixture.json": "json"}),
        Target("run tables", {"ratios.csv": RUNS.encode(), "metrics.csv": LOSSES.encode()}, _runs, {}),
        Target("records", _made(_a_record), _read_record, {"record.json": "json"}),
        Target("raters", _made(_rater), _read_rater, {"rater.json": "json"}),
        Target("embedders", _made(_static), _read_static, {"glotmix.json": "json"}),
        Target("scoring models", _made(_qsm), _read_qsm, {"qsm.json": "json"}),
        Target("tokenizers", _made(_tokenizer), _count, {"tokenizer.json": "json"}),
        Target("audited tokenizers", _made(_tokenizer), _pieces, {"tokenizer.json": "json"}),
    ]
    if logs is not None:
        held = {
            p.name: p.read_bytes() for p in sorted(logs.iterdir()) if "mgsm_open_d" in p.name or "results" in p.name
        }
        kinds = {name: "jsonl" if name.endswith("l") else "json" for name in held}
        found.append(Target("evaluation logs", held, _logs, kinds))
    return found
