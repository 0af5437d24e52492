"""Walks over all documents in steps of bounded time: search for a text, and the neighbours of a document by meaning.

No index is built and nothing is written. A step ends after `STEP` seconds and says how many documents it has looked
at, of how many; the page asks for the next step until all are seen, or the reader has seen enough. Groups of rows are
visited in an order drawn by a seed, so that what was looked at so far is a fair sample of what is asked for.
"""

import heapq
import re
import threading
import time
import unicodedata
from collections import OrderedDict
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from secrets import token_hex
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from glotmix.core import record
from glotmix.core.errors import RequestError, blame
from glotmix.explore import story
from glotmix.explore.documents import AGAIN, Documents, Pieces
from glotmix.explore.filters import brief, mask, number
from glotmix.report.excerpt import cut, visible
from glotmix.signals.embed import SIGNAL

STEP = 0.1
"""Seconds after which a step ends, with the piece that it has begun."""

FOUND = 40
"""Documents found in one step, at most."""

NEAREST = 12
"""Neighbours by meaning that are kept."""

AROUND = 120
"""Characters shown before and after what was found."""

_ROWS = 512
_OPEN = 4
"""Walks that can be gone on with: each holds a group of rows half read, some 50 MB of texts."""


class Walk(Protocol):
    """A walk under way."""

    def more(self) -> dict[str, Any]:
        """Take a step: ``looked``, ``of``, ``done``, ``rows``."""

    def close(self) -> None:
        """Let go of what is half read."""


class Walks:
    """The walks that the page has begun; the oldest are forgotten."""

    def __init__(self) -> None:
        self._open: OrderedDict[str, tuple[Walk, threading.Lock]] = OrderedDict()

    def begin(self, walk: Walk) -> dict[str, Any]:
        """Take the first step of a walk."""
        name = token_hex(8)
        self._open[name] = (walk, threading.Lock())
        while len(self._open) > _OPEN:
            self._forget(next(iter(self._open)))
        return self.go_on({"walk": name})

    def _forget(self, name: str) -> None:
        walk, lock = self._open.pop(name, (None, None))
        if walk is None or lock is None:
            return
        # A walk and its steps hold each other; what they hold goes back to the system, and not to Arrow's own store.
        with lock:
            walk.close()
        pa.default_memory_pool().release_unused()

    def go_on(self, given: dict[str, Any]) -> dict[str, Any]:
        """Take the next step of the walk that ``walk`` names.

        Raises:
            RequestError: if it was forgotten.
        """
        held = self._open.get(str(given.get("walk")))
        if held is None:
            raise RequestError("this search was begun too long ago", "search again")
        walk, lock = held
        with lock:
            found = walk.more() | {"walk": given["walk"]}
        if found["done"]:
            self._forget(str(given["walk"]))
        return found


class Search:
    """A search for a text: letters' case does not count, nor how accents are composed.

    Args:
        documents: the documents.
        given: ``text``, and filters as `filters.mask` takes.

    Raises:
        RequestError: if there is no text.
    """

    def __init__(self, documents: Documents, given: dict[str, Any]) -> None:
        self.text = str(given.get("text") or "").strip()
        if not self.text:
            raise RequestError("there is no text to search for")
        forms = {unicodedata.normalize(form, self.text) for form in ("NFC", "NFD")} | {self.text}
        # The longest first: what is marked is then the whole of it.
        ordered = sorted(forms, key=lambda f: (-len(f), f))
        self._pattern = "|".join(_escaped(form) for form in ordered)
        self._python = re.compile("|".join(re.escape(form) for form in ordered), re.IGNORECASE)
        self._documents = documents
        wanted = mask(documents, given)
        self._of, self._looked = int(wanted.sum()), 0
        self._steps = self._walk(wanted)
        self._done = False

    def more(self) -> dict[str, Any]:
        """See `Walk`; ``rows`` are those found in this step, each as `brief` with ``before``, ``hit``, ``after``."""
        until = time.monotonic() + STEP
        rows: list[dict[str, Any]] = []
        self._done = True
        for found in self._steps:
            rows += found
            if time.monotonic() > until or len(rows) >= FOUND:
                self._done = self._looked == self._of
                break
        return {"looked": self._looked, "of": self._of, "done": self._done, "rows": rows}

    def close(self) -> None:
        """See `Walk`."""
        self._steps.close()

    def _walk(self, wanted: NDArray[np.bool_]) -> Generator[list[dict[str, Any]], None, None]:
        """Look at a batch of documents at a time."""
        for batch, start in _batches(self._documents.shards, wanted, ["text"]):
            mine = np.flatnonzero(wanted[start : start + batch.num_rows])
            texts = batch.column("text").take(pa.array(mine))
            hits = pc.match_substring_regex(texts, self._pattern, ignore_case=True).to_numpy(zero_copy_only=False)
            self._looked += len(mine)
            at = np.flatnonzero(hits.astype(bool))
            told = brief(self._documents, start + mine[at])
            yield [row | self._shown(texts[int(i)].as_py()) for row, i in zip(told, at, strict=True)]

    def _shown(self, text: str) -> dict[str, str]:
        """Return what was found with what stands around it."""
        found = self._python.search(text)
        if found is None:  # RE2 folds a few letters that Python does not
            return {"before": "", "hit": "", "after": visible(cut(text, 2 * AROUND)[0])}
        start = max(found.start() - AROUND, 0)
        # Not within a grapheme: a mark is nothing without its letter.
        while start and start > found.start() - 2 * AROUND and unicodedata.combining(text[start]):
            start -= 1
        before = ("…" if start else "") + text[start : found.start()]
        after, more = cut(text[found.end() :], AROUND)
        return {
            "before": visible(before),
            "hit": visible(found.group()),
            "after": visible(after) + ("…" if more else ""),
        }


class Neighbours:
    """The documents whose vectors are nearest to one's.

    Args:
        documents: the documents.
        row: whose neighbours.
        embedder: the name of the step's embedder.
        other: only documents of other languages.

    Raises:
        RequestError: if there are no vectors of that name, or the embedder knew nothing of the document's text.
    """

    def __init__(self, documents: Documents, row: int, embedder: str, other: bool = False) -> None:
        if embedder not in embedders(documents):
            raise RequestError(f"there are no vectors {embedder!r}", "signals.embed=static in the recipe, and run it")
        folder: Path = documents.context.step_dir(f"{SIGNAL}/{embedder}")
        self._documents = documents
        self._files = Pieces(story.parts(folder))
        part, at = self._files.place(row)
        own = story.row(self._files.files[part], at, ["embedding"])["embedding"]
        self._own = np.asarray(own, np.float32)
        if not self._own.any():
            raise RequestError("the embedder knows nothing of this document's text: it has no neighbours")
        lang = documents.lang.codes
        wanted = lang != lang[row] if other else np.ones(len(documents), bool)
        wanted[row] = False
        self._of, self._looked = int(wanted.sum()), 0
        self._best: list[tuple[float, int]] = []
        self._steps = self._walk(wanted)

    def more(self) -> dict[str, Any]:
        """See `Walk`; ``rows`` are the nearest so far, each as `brief` with ``similarity``."""
        until = time.monotonic() + STEP
        for _ in self._steps:
            if time.monotonic() > until:
                break
        best = sorted(self._best, key=lambda pair: (-pair[0], -pair[1]))
        rows = brief(self._documents, np.array([-r for _, r in best], np.int64))
        told = [row | {"similarity": number(s)} for row, (s, _) in zip(rows, best, strict=True)]
        return {"looked": self._looked, "of": self._of, "done": self._looked == self._of, "rows": told}

    def close(self) -> None:
        """See `Walk`."""
        self._steps.close()

    def _walk(self, wanted: NDArray[np.bool_]) -> Generator[None, None, None]:
        for batch, start in _batches(self._files, wanted, ["embedding"], 4 * _ROWS):
            vectors = batch.column("embedding")
            held = vectors.flatten().to_numpy(zero_copy_only=False)
            matrix = held.reshape(len(vectors), -1).astype(np.float32)
            mine = np.flatnonzero(wanted[start : start + batch.num_rows])
            similar = matrix[mine] @ self._own
            self._looked += len(mine)
            for at in np.argsort(-similar, kind="stable")[:NEAREST].tolist():
                # Of equals the first in the corpus, whatever the order of the walk.
                entry = (float(similar[at]), -int(start + mine[at]))
                if len(self._best) < NEAREST:
                    heapq.heappush(self._best, entry)
                elif entry > self._best[0]:
                    heapq.heapreplace(self._best, entry)
            yield


def embedders(documents: Documents) -> list[str]:
    """Return the names of the vectors that are there."""
    context = documents.context
    names = [s.name for s in context.steps if s.name.startswith(f"{SIGNAL}/")]
    return [n.removeprefix(f"{SIGNAL}/") for n in names if record.read(context.step_dir(n)) is not None]


def _batches(
    pieces: Pieces, wanted: NDArray[np.bool_], columns: Sequence[str], rows: int = _ROWS
) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Yield batches that hold wanted rows, each with the number of its first row; groups of rows in a drawn order."""
    groups = [g for g in pieces.groups if wanted[g[2] : g[2] + g[3]].any()]
    for at in np.random.default_rng(0).permutation(len(groups)).tolist():
        path, group, start, _ = groups[at]
        with blame(path, AGAIN, "Parquet file"), story.mapped(path) as file:
            for batch in file.iter_batches(rows, [group], list(columns), use_threads=False):
                if wanted[start : start + batch.num_rows].any():
                    yield batch, start
                start += batch.num_rows


def _escaped(text: str) -> str:
    """Return a text as RE2 takes it word for word (its own rules: only ASCII punctuation is escaped)."""
    return "".join(f"\\{c}" if c.isascii() and not c.isalnum() else c for c in text)
