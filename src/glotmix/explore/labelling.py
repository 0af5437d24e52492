"""A speaker's session on the local page of `glotmix label`: one document at a time, each label written at once."""

from pathlib import Path
from threading import Lock
from typing import Any

from glotmix.core.context import RunContext
from glotmix.core.errors import RequestError
from glotmix.core.language import parse
from glotmix.core.local_page import Handler
from glotmix.quality.anchors import PROPERTIES
from glotmix.report.excerpt import cut, tag, visible
from glotmix.select import to_label

PAGE = Path(__file__).parent / "label_page"
SHOWN, LINES = 4_000, 200
"""Characters and lines of a document that are shown."""
ANSWERS = ("natural", "unnatural", "save", "skip")


class Session:
    """What is left to judge, and what was.

    Args:
        context: the recipe at work.
        lang: the language.
        path: the file of labels.
        count: documents to judge.
        recipe: the recipe's path, as it was typed.
    """

    def __init__(self, context: RunContext, lang: str, path: Path, count: int, recipe: str) -> None:
        self._lang, self._path, self._recipe = parse(lang), path, recipe
        self._left, self._before = to_label.left(context, lang, path, count)
        self._judged: list[dict[str, Any]] = []
        self._lock = Lock()

    @property
    def calls(self) -> dict[str, Handler]:
        """What the page may call, by name."""
        return {"state": lambda given: self.state(), "judge": self.judge, "undo": lambda given: self.undo()}

    def state(self) -> dict[str, Any]:
        """Return the document to judge (null at the end), and how far it is."""
        document = None
        if self._left:
            one = self._left[0]
            text, rest = cut(one["text"], SHOWN, LINES)
            document = {"id": one["id"], "source": one["source"], "text": visible(text), "rest": rest}
        lang = self._lang
        return {
            "lang": lang.code,
            "name": lang.name,
            "tag": tag(lang.code),
            "dir": lang.direction,
            "done": self._before + len(self._judged),
            "left": len(self._left),
            "file": str(self._path),
            "next": f"quality.anchors=[builtin,{self._path}], then glotmix quality audit {self._recipe}",
            "document": document,
        }

    def judge(self, given: dict[str, Any]) -> dict[str, Any]:
        """Take an answer on the document that is shown.

        Raises:
            RequestError: for another document or no answer; or if nothing is said.
        """
        with self._lock:
            if not self._left or given["id"] != self._left[0]["id"]:
                raise RequestError("this document was judged elsewhere", "load the page again")
            if given["answer"] not in ANSWERS:
                raise RequestError(f"{given['answer']!r} is no answer", f"one of {', '.join(ANSWERS)}")
            held = {name: given.get(name) is True for name in PROPERTIES}
            if given["answer"] == "save" and not any(held.values()):
                raise RequestError("nothing is ticked", "tick a property, or answer natural or unnatural")
            document = self._left.pop(0)
            if given["answer"] != "skip":
                natural = {"natural": True, "unnatural": False}.get(given["answer"])
                to_label.note(self._path, document, natural, held)
                self._judged.append(document)
            return self.state()

    def undo(self) -> dict[str, Any]:
        """Take the last label of this session back, out of the file too.

        Raises:
            RequestError: if there is none.
        """
        with self._lock:
            if not self._judged:
                raise RequestError("nothing was judged since the page was opened", "answer first")
            document = self._judged.pop()
            to_label.take_back(self._path, document["id"])
            self._left.insert(0, document)
            return self.state()
