"""Train the swarm and publish its table: `python -m benchmarks._swarm_runs [--preset two-cores|gpu]`.

A designed set of small language models on the text of `_swarm_text`: mixtures around the natural one (RegMix's
Dirichlet), each language alone at three budgets, some mixtures with a second seed, some at a second size. Interrupted,
the same command goes on. `--publish` copies `ratios.csv`, `metrics.csv` (bits per byte) and `text.csv` to
benchmarks/data/swarm.
"""

import argparse
import csv
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from benchmarks import harness
from benchmarks._swarm_text import FOLDER
from benchmarks._swarm_text import make as make_text
from glotmix.core import record
from glotmix.mix.accounting import Available
from glotmix.mix.design import Design, design
from glotmix.mix.run_tables import read, write_mixtures
from glotmix.proxy import VERSION, train
from glotmix.proxy import design as designs
from glotmix.proxy.config import ProxiesConfig

PUBLISHED = Path(__file__).resolve().parent / "data" / "swarm"


@dataclass(frozen=True)
class Preset:
    """How large a swarm.

    Args:
        small: parameters of the proxies.
        large: parameters of the second size.
        tokens: training tokens of every run.
        pieces: vocabulary.
        context: tokens per window.
        batch: windows per step.
        held_bytes: measured per language.
        held_each: measured of a document, at most.
        mixtures: at the small size.
        again: how many of them at the large one.
    """

    small: float
    large: float
    tokens: int
    pieces: int
    context: int
    batch: int
    held_bytes: int
    held_each: int
    mixtures: int = 128
    again: int = 48

    @property
    def config(self) -> ProxiesConfig:
        """How its runs are trained."""
        return ProxiesConfig(
            vocabulary=self.pieces,
            context=self.context,
            batch=self.batch,
            held_bytes=self.held_bytes,
            held_each=self.held_each,
            together=32,
        )


PRESETS = {
    "two-cores": Preset(1.3e5, 3e5, 524_288, 1024, 64, 2, 40_000, 400),
    "gpu": Preset(1e6, 15e6, 20_000_000, 8192, 256, 16, 200_000, 2_000),
}


def sizes() -> Available:
    """Count the text of every language; a token is a byte here, since all runs share one tokenizer."""
    counts = {}
    for folder in sorted(p for p in (FOLDER / "out" / "dataset").iterdir() if "_" in p.name and p.is_dir()):
        rows = [pq.read_table(f, columns=["text"])["text"].to_pylist() for f in sorted(folder.glob("train-*.parquet"))]
        texts = [text for part in rows for text in part]
        size = sum(len(text.encode()) for text in texts)
        counts[folder.name] = (len(texts), size, size)
    return Available.of(counts)


def documents() -> Iterator[tuple[str, str]]:
    """Yield language and text of every document that glotmix kept."""
    for path in sorted((FOLDER / "out" / "dataset").glob("*_*/train-*.parquet")):
        for text in pq.read_table(path, columns=["text"])["text"].to_pylist():
            yield path.parent.name, text


def planned(preset: Preset) -> Path:
    """Write the design of a swarm and return its file."""
    asked = Design(
        tokens=preset.tokens,
        parameters=(preset.small, preset.large),
        runs=preset.mixtures,
        monolingual=3,
        seeds=2,
        repeated=16,
    )
    runs = design(sizes(), asked)
    wanted = [
        i
        for i, name in enumerate(runs.names)
        if runs.parameters[i] == preset.small
        or (name.startswith("mix-") and int(name[4:7]) < preset.again and "-s" not in name)
    ]
    # Mixtures first: what is there early can be fitted early.
    wanted.sort(key=lambda i: (runs.names[i].startswith("alone"), runs.seeds[i], runs.parameters[i]))
    path = FOLDER / "design.csv"
    write_mixtures(path, runs.take(np.array(wanted)))
    return path


def make(name: str, output: Path | None = None) -> Path:
    """Train a preset's runs and return their folder."""
    preset = PRESETS[name]
    make_text()
    asked = designs.read(planned(preset), preset.config)
    folder = output or FOLDER / f"runs-{name}"
    identity = record.Identity(
        "proxies",
        VERSION,
        preset.config.model_dump(mode="json"),
        {
            "design": record.digest_file(FOLDER / "design.csv"),
            "text": record.read(FOLDER / "out" / "dataset").fingerprint,
        },
    )
    record.build(folder, identity, lambda out: train.make(out, asked, documents, preset.config))
    return folder


def card(name: str, folder: Path) -> str:
    """Return the card of a published swarm, its numbers read from its tables."""
    preset = PRESETS[name]
    runs = read("olmix", folder / "ratios.csv", folder / "metrics.csv")
    sizes_of = sorted({int(p) for p in runs.parameters})
    at = {p: [n for n, q in zip(runs.names, runs.parameters, strict=True) if int(q) == p] for p in sizes_of}
    counted = "; ".join(
        f"{p:,} parameters: {sum(n.startswith('mix') and '-s' not in n for n in names)} mixtures, "
        f"{sum('-s' in n for n in names)} of them with a second seed, "
        f"{sum(n.startswith('alone') for n in names)} runs of a language alone"
        for p, names in at.items()
    )
    with (folder / "text.csv").open(encoding="utf-8") as file:
        documents_held = [int(row["held_out_documents"]) for row in csv.DictReader(file)]
    fewest, most = min(documents_held), max(documents_held)
    budgets = ", ".join(f"{int(d):,}" for d in sorted(set(runs.tokens)))
    return f"""# A multilingual swarm: {len(runs)} small language models on designed mixtures

{len(runs)} decoders over {len(runs.domains)} languages in {len({d[-4:] for d in runs.domains})} scripts. {counted}.
Training tokens of a run: {budgets} (languages alone at three budgets). **These are tiny runs** (preset `{name}`): they
show the method, and rank mixtures at their own scale. The larger swarm is
`python -m benchmarks._swarm_runs --preset gpu --publish`.

| file | what |
|---|---|
| `ratios.csv` | a row per run: `run_id`, `parameters`, `tokens`, `seed`, share of the training tokens per language |
| `metrics.csv` | `run_id` and bits per byte per language on held-out documents (lower is better) |
| `text.csv` | tokens to train on, and what is held out, per language |

Mixtures: RegMix's Dirichlet around the natural one at temperature 2. No run sees a token twice. Held out: documents
whose text hashes below 0.05, a passage of at most {preset.held_each:,} bytes of each, until {preset.held_bytes:,} bytes
per language are reached: {fewest} to {most} documents (`text.csv`). Windows of {preset.context} tokens,
{preset.batch} a step; one byte-level BPE of {preset.pieces:,} pieces over a balanced sample. Runs of one seed begin
with the same weights. Made by `python -m benchmarks._swarm_runs --preset {name} --publish`; read with
`glotmix mix fit benchmarks/data/swarm`.

Text: `benchmarks/_swarm_text.py` (web crawl, NTREX, documentation in Debian 12), cleaned and deduplicated by glotmix;
it is not published. The tables: CC0 1.0.
"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks._swarm_runs", description=__doc__)
    parser.add_argument("--preset", choices=PRESETS, default="two-cores")
    parser.add_argument("--publish", action="store_true", help="copy the tables into benchmarks/data/swarm")
    arguments = parser.parse_args()
    try:
        folder = make(arguments.preset)
    except harness.BenchmarkError as error:
        raise SystemExit(f"swarm: {error}") from None
    if arguments.publish:
        PUBLISHED.mkdir(parents=True, exist_ok=True)
        for table in ("ratios.csv", "metrics.csv", "text.csv"):
            shutil.copyfile(folder / table, PUBLISHED / table)
        (PUBLISHED / "README.md").write_text(card(arguments.preset, PUBLISHED), "utf-8")
    print(folder)


if __name__ == "__main__":
    main()
