"""Token files: read back by their own readers, and the writing beside datatrove's.

Excerpts of `crawl.parquet` in 35 languages and 23 scripts, 600 of each, become a data set in Parquet; a byte-level BPE
of 16,000 pieces is trained on a twentieth of them.

``equal.FORMAT``: the share of documents whose tokens, as the format's own reader finds them, are those of the
tokenizer: datatrove's `DatatroveFileDataset`, Megatron's `IndexedDataset` (megatron-core, beside), NumPy's and Arrow's.
A reader that cannot be had is null.
``tokens_per_cpu_second``: tokenising and writing ``.ds``, shuffled, from Parquet, start-up taken off by a run over one
document; datatrove's is its `DocumentTokenizer`, one task, in an environment of its own. ``speed.*``: medians of three
runs, taken in turn, so that what else the machine does meets both.
"""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks import harness
from benchmarks.harness import Row
from glotmix.core import record
from glotmix.export import tokens as export
from glotmix.export.tokens import TokenFilesSection

LANGS = (
    *(
        "deu_Latn",
        "eng_Latn",
        "fra_Latn",
        "vie_Latn",
        "tur_Latn",
        "fin_Latn",
        "swh_Latn",
        "yor_Latn",
        "rus_Cyrl",
        "ukr_Cyrl",
    ),
    *(
        "ell_Grek",
        "heb_Hebr",
        "ydd_Hebr",
        "ara_Arab",
        "pes_Arab",
        "urd_Arab",
        "hin_Deva",
        "mar_Deva",
        "ben_Beng",
        "guj_Gujr",
    ),
    *(
        "pan_Guru",
        "tam_Taml",
        "tel_Telu",
        "kan_Knda",
        "mal_Mlym",
        "sin_Sinh",
        "tha_Thai",
        "lao_Laoo",
        "khm_Khmr",
        "mya_Mymr",
    ),
    *("kat_Geor", "hye_Armn", "amh_Ethi", "zho_Hans", "jpn_Jpan"),
)
PEER = ("datatrove[io,processing]==0.10.1", "tokenizers==0.23.3")
RUNS = 3
MEGATRON = "0.16.1"
ALL = ("datatrove", "megatron", "numpy", "parquet")


def run(small: bool) -> Iterable[Row]:
    try:
        import fastokens  # noqa: F401
        from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    except ImportError as error:
        raise harness.BenchmarkError(f"{error.name} is missing: pip install 'glotmix[tokens]'") from None
    crawl = pq.read_table(harness.data("crawl.parquet"))
    languages = LANGS[::5] if small else LANGS
    with tempfile.TemporaryDirectory() as made:
        base = Path(made)
        texts: dict[str, list[str]] = {}
        for lang in languages:
            texts[lang] = crawl.filter(pc.equal(crawl["lang"], lang))["text"].to_pylist()[: 200 if small else 600]
            path = base / f"dataset/{lang}/train-00000-of-00001.parquet"
            path.parent.mkdir(parents=True)
            pq.write_table(pa.table({"text": texts[lang], "id": [str(i) for i in range(len(texts[lang]))]}), path)
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        tokenizer.train_from_iterator(
            [t for held in texts.values() for t in held[::20]],
            trainers.BpeTrainer(
                vocab_size=16_000, initial_alphabet=alphabet, special_tokens=["</s>"], show_progress=False
            ),
        )
        tokenizer.save(str(base / "tokenizer.json"))
        end = tokenizer.token_to_id("</s>")
        truth = {
            lang: [np.array([*e.ids, end]) for e in tokenizer.encode_batch(held, add_special_tokens=False)]
            for lang, held in texts.items()
        }
        total = sum(len(d) for held in truth.values() for d in held)
        yield from _equal(base, truth)
        yield from _speed(base, total, sum(map(len, truth.values())))


def _make(base: Path, to: Path, **more: object) -> record.Record:
    section = TokenFilesSection.model_validate({"tokenizer": str(base / "tokenizer.json"), **more})
    identity = record.Identity("tokens", export.VERSION, section.model_dump(mode="json"), {})
    return record.build(to, identity, lambda o: export.make(o, base / "dataset", section, section.tokenizer))


def _equal(base: Path, truth: dict[str, list[np.ndarray]]) -> Iterable[Row]:
    made = _make(base, base / "out", formats=ALL, shuffle=False)
    documents = sum(map(len, truth.values()))
    counted = sum(len(d) for held in truth.values() for d in held)
    yield Row("tokens", "counts.equal", float(made.counts["tokens"] == counted), n=documents, unit="0 or 1")
    readers = {"numpy": _numpy, "parquet": _parquet, "datatrove": _datatrove, "megatron": _megatron}
    for name, read in readers.items():
        right = 0
        try:
            for lang, held in truth.items():
                found = read(base / "out" / lang)
                right += sum(np.array_equal(a, b) for a, b in zip(found, held, strict=True))
        except harness.BenchmarkError as error:
            yield Row("tokens", f"equal.{name}", None, settings={"why": str(error)})
            continue
        yield Row("tokens", f"equal.{name}", right / documents, n=documents, unit="share of documents")


def _numpy(folder: Path) -> list[np.ndarray]:
    return np.split(np.load(folder / "train-00000.npy"), np.load(folder / "train-00000.ends.npy")[:-1])


def _parquet(folder: Path) -> list[np.ndarray]:
    return [np.array(d) for d in pq.read_table(folder / "train-00000.parquet")["input_ids"].to_pylist()]


def _datatrove(folder: Path) -> list[np.ndarray]:
    ends = np.fromfile(folder / "train-00000.ds.index", np.uint64).astype(int)
    # Its reader needs torch, which is here; the rest of it stands in its own environment.
    there = next((harness.peer("datatrove-tokens", PEER).parent.parent / "lib").glob("python*/site-packages"))
    code = f"""
import sys
sys.path.append({str(there)!r})
import numpy as np
from datatrove.utils.dataset import DatatroveFileDataset
# One window over all: the reader gives seq_len + 1 tokens.
read = DatatroveFileDataset({str(folder / "train-00000.ds")!r}, seq_len={int(ends[-1]) - 1}, token_size=2)
np.save(sys.argv[1], read[0]["input_ids"].numpy())
"""
    with tempfile.TemporaryDirectory() as here:
        done = subprocess.run(
            [sys.executable, "-c", code, f"{here}/x.npy"], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise harness.BenchmarkError(f"datatrove's reader failed: {done.stderr[-300:]}")
        return np.split(np.load(f"{here}/x.npy"), ends[:-1])


_READ = """
import sys, numpy as np
from megatron.core.datasets.indexed_dataset import IndexedDataset
data = IndexedDataset(sys.argv[1])
np.savez(sys.argv[2], *[data[i] for i in range(len(data))])
"""


def _megatron(folder: Path) -> list[np.ndarray]:
    there = _megatron_core()
    with tempfile.TemporaryDirectory() as here:
        prefix = str(folder / "train-00000_text_document")
        command = [sys.executable, "-c", _READ, prefix, f"{here}/x.npz"]
        surroundings = os.environ | {"PYTHONPATH": str(there)}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=surroundings)
        if done.returncode:
            raise harness.BenchmarkError(f"Megatron's reader failed: {done.stderr[-300:]}")
        with np.load(f"{here}/x.npz") as held:
            return [held[f"arr_{i}"] for i in range(len(held.files))]


def _megatron_core() -> Path:
    """Return the folder of megatron-core, installed once without what it would bring; it reads with our torch."""
    there = harness.BENCH / f"peers/megatron-core-{MEGATRON}"
    if not there.is_dir():
        wanted = f"megatron-core=={MEGATRON}"
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(there), wanted]
        done = subprocess.run(pip, capture_output=True, text=True, check=False)
        if done.returncode:
            raise harness.BenchmarkError(f"{wanted} cannot be installed: {done.stderr[-300:]}")
    return there


_OURS = """
import sys, os
from pathlib import Path
os.environ["TOKENIZERS_PARALLELISM"] = "false"
from benchmarks.tokens import _make
_make(Path(sys.argv[1]), Path(sys.argv[2]), formats=("datatrove",))
"""
_THEIRS = """
import sys, os
os.environ["TOKENIZERS_PARALLELISM"] = "false"
from datatrove.executor.local import LocalPipelineExecutor
from datatrove.pipeline.readers import ParquetReader
from datatrove.pipeline.tokens import DocumentTokenizer
base, out = sys.argv[1:]
LocalPipelineExecutor([
    ParquetReader(base + "/dataset", glob_pattern="*/*.parquet"),
    DocumentTokenizer(out, tokenizer_name_or_path=base + "/tokenizer.json", eos_token="</s>", shuffle_documents=True),
], tasks=1, workers=1, logging_dir=out + "/logs").run()
"""


def _speed(base: Path, total: int, documents: int) -> Iterable[Row]:
    one = base / "one"
    (one / "dataset/deu_Latn").mkdir(parents=True)
    pq.write_table(pa.table({"text": ["a"], "id": ["0"]}), one / "dataset/deu_Latn/train-00000-of-00001.parquet")
    shutil.copy(base / "tokenizer.json", one)
    pythons = {"glotmix": sys.executable, "datatrove": harness.peer("datatrove-tokens", PEER)}
    codes = {"glotmix": _OURS, "datatrove": _THEIRS}
    spent: dict[str, list[float | None]] = {name: [] for name in codes}
    for number, given in enumerate((one, *[base] * RUNS)):
        for name, code in codes.items():
            out = base / f"{name}-{number}"
            spent[name].append(_cpu([str(pythons[name]), "-c", code, str(given), str(out)]))
            shutil.rmtree(out, ignore_errors=True)
    speeds = {}
    for name, used in spent.items():
        if None in used:
            yield Row("tokens", f"tokens_per_cpu_second.{name}", None, settings={"why": "it did not run"})
            continue
        start, *runs = map(float, used)  # type: ignore[arg-type]
        speeds[name] = [total / max(run - start, 1e-9) for run in runs]
        low, high = harness.interval(speeds[name], np.median)
        settings = {"documents": documents, "tokens": total, "start": start, "runs": runs}
        middle = float(np.median(speeds[name]))
        yield Row("tokens", f"tokens_per_cpu_second.{name}", middle, low, high, RUNS, "tokens", settings)
    if len(speeds) == 2:
        ratios = [a / b for a, b in zip(speeds["glotmix"], speeds["datatrove"], strict=True)]
        low, high = harness.interval(ratios, np.median)
        settings = {"note": "runs in turn on a machine that may be busy", "load": os.getloadavg()[0]}
        yield Row("tokens", "speed.glotmix_to_datatrove", float(np.median(ratios)), low, high, RUNS, "ratio", settings)


def _cpu(command: list[str]) -> float | None:
    """Return the CPU-seconds of a command and its children, None where it failed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    if done.returncode:
        print(done.stderr[-800:], file=sys.stderr)
        return None
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    harness.main("tokens", run)
