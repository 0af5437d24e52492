"""What the explorer's page may ask: each call takes a JSON object and returns one."""

import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from glotmix.core.errors import RequestError
from glotmix.core.language import parse
from glotmix.core.local_page import Handler
from glotmix.explore import copied, differences, filters, walk
from glotmix.explore.documents import Documents
from glotmix.explore.filters import brief
from glotmix.explore.lines import Lines
from glotmix.explore.mixture import Shares
from glotmix.report.excerpt import cut, tag, visible

PAGE = Path(__file__).parent / "page"
"""The page's files."""

LONGEST = 100_000
"""Characters of a document that are shown."""

EXCERPT = 320
MEMBERS = 200
"""Members of a cluster, or translations of a document, that are listed."""

_STEP = 0.1
"""Seconds after which a list of excerpts is sent as far as it is read."""

Compare = Callable[[], dict[str, Any]]


class Explorer:
    """A finished run, as the page asks of it.

    Args:
        documents: its documents.
        recipe: the recipe's path, as it was typed: it stands in the commands to copy.
        beside: what is shown of another run; None for none.
        stale: steps that would be made again: the recipe or its data changed since.
        other: the name of the other run.
    """

    def __init__(
        self,
        documents: Documents,
        recipe: str,
        beside: Compare | None = None,
        stale: tuple[str, ...] = (),
        other: str = "",
    ) -> None:
        self.documents, self._recipe, self._beside, self._stale, self._other = documents, recipe, beside, stale, other
        self.lines = Lines(documents)
        self.shares = Shares(documents.context)
        self._walks = walk.Walks()

    def warm(self) -> None:
        """Read what the first questions need, while the page is opened."""
        self.lines.warm()
        self.documents.warm()

    @property
    def calls(self) -> dict[str, Handler]:
        """What the page may call, by name."""
        return {
            "run": lambda given: self.run,
            "filter": lambda given: filters.listed(self.documents, given),
            "excerpts": self.excerpts,
            "document": self.document,
            "differences": self.differences,
            "search": lambda given: self._walks.begin(walk.Search(self.documents, given)),
            "neighbours": self.neighbours,
            "more": self._walks.go_on,
            "lines": self.lines.listed,
            "scale": self.lines.scale,
            "moved": self.lines.moved,
            "written": self.written,
            "compare": lambda given: self.compared,
            "mixture": lambda given: self.shares.shown,
            "predict": self.shares.predict,
        }

    @cached_property
    def run(self) -> dict[str, Any]:
        """What stands on the page before anything is asked."""
        documents = self.documents
        langs = [
            {"code": code, "name": parse(code).name, "script": parse(code).script, "tag": tag(code),
             "dir": parse(code).direction}
            for code in sorted(documents.lang.names)
        ]  # fmt: skip
        return {
            "name": documents.context.recipe.name,
            "recipe": self._recipe,
            "documents": len(documents),
            "bytes": int(documents.bytes.sum()),
            "kept": int(documents.kept.sum()),
            "kept_bytes": int(documents.bytes[documents.kept].sum()),
            "langs": langs,
            "sources": sorted(documents.source.names),
            "rules": sorted(documents.rule.names),
            "failed": sorted(documents.failed.names),
            "columns": documents.numeric,
            "domains": documents.domain.names[:500],
            "grouped": bool(documents.group.names),
            "clustered": bool(documents.cluster.names),
            "embedders": walk.embedders(documents),
            "beside": self._other if self._beside else None,
            "stale": list(self._stale),
        }

    def excerpts(self, given: dict[str, Any]) -> dict[str, Any]:
        """Return the beginnings of the texts of ``rows``, as many as can be read in a moment; at least one."""
        rows = [self._row(r) for r in given["rows"][: filters.PAGE]]
        until = time.monotonic() + _STEP
        found = {}
        for row, text in self.documents.texts(rows, lambda: time.monotonic() < until):
            shown, more = cut(text, EXCERPT, lines=4)
            found[str(row)] = visible(shown).strip() + ("…" if more else "")
        return {"excerpts": found}

    def document(self, given: dict[str, Any]) -> dict[str, Any]:
        """Return everything that is known of a document: ``row`` or ``id`` in.

        Returns:
            its story (`story.at`), ``row``, ``text``, ``more`` characters that are not shown, ``tag`` and ``dir`` of
            its language; ``cluster``: the other members, each as `brief`; ``group``: its translations.
        """
        documents = self.documents
        row = documents.row(str(given["id"])) if given.get("id") else self._row(given["row"])
        told = documents.told(row)
        shown, more = cut(told["text"], LONGEST, lines=LONGEST)
        told["signals"].get("duplicates", {}).pop("content", None)  # a hash
        lang = told["lang"]
        plain: dict[str, Any] = _plain(told)
        return plain | {
            "row": row,
            "text": visible(shown),
            "more": more,
            "tag": tag(lang),
            "dir": parse(lang).direction,
            "members": self._others(row, "cluster"),
            "translations": self._others(row, "group"),
        }

    def _others(self, row: int, column: str) -> list[dict[str, Any]]:
        codes = getattr(self.documents, column).codes
        if codes[row] < 0:
            return []
        same = np.flatnonzero(codes == codes[row])
        return brief(self.documents, same[same != row][:MEMBERS])

    def differences(self, given: dict[str, Any]) -> dict[str, Any]:
        """Return the ``segments`` of two documents, ``left`` and ``right`` (rows): see `differences`."""
        left, right = (self._row(given[side]) for side in ("left", "right"))
        if left == right:
            raise RequestError("a document does not differ from itself")
        texts = dict(self.documents.texts([left, right]))
        one, other = brief(self.documents, np.array([left, right]))
        return {
            "left": one | {"tag": tag(one["lang"])},
            "right": other | {"tag": tag(other["lang"])},
            "segments": differences.differences(texts[left], texts[right], one["lang"]),
            "cut": max(len(t) for t in texts.values()) > differences.LONGEST,
        }

    def neighbours(self, given: dict[str, Any]) -> dict[str, Any]:
        """Begin a walk to the neighbours of a ``row`` by the vectors of an ``embedder``."""
        found = walk.Neighbours(
            self.documents, self._row(given["row"]), str(given["embedder"]), bool(given.get("other"))
        )
        return self._walks.begin(found)

    def written(self, given: dict[str, Any]) -> dict[str, str]:
        """Return the settings to copy for the lines of ``moved``."""
        sources = [source.name for source in self.documents.context.recipe.corpus.sources]
        return copied.written(given["moved"], sources, self._recipe)

    @cached_property
    def compared(self) -> dict[str, Any]:
        """What differs between the two runs."""
        if self._beside is None:
            raise RequestError(
                "no other run was named", f"glotmix explore {self._recipe} --beside OTHER (a recipe or its output)"
            )
        return self._beside() | {"other": self._other}

    def _row(self, given: Any) -> int:
        row = int(given)
        if not 0 <= row < len(self.documents):
            raise RequestError(f"there is no row {row}")
        return row


def _plain(value: Any) -> Any:
    """Return what Parquet held as JSON can say it."""
    if isinstance(value, dict):
        return {key: _plain(held) for key, held in value.items()}
    if isinstance(value, list):
        return [_plain(held) for held in value]
    if isinstance(value, float):
        return filters.number(value)
    if isinstance(value, bytes):
        return value.hex()
    return value if value is None or isinstance(value, str | int | bool) else str(value)
