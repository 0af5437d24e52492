"""A conversation: the turns of an instruction and of its answer, and what of them the other parts look at.

At rest a conversation is the column ``messages`` of a document (`MESSAGES`). Its **canonical text**, the document's
``text``, is what people and models wrote to each other: the turns of user and assistant, in order, a blank line between
them, without markers of roles (they would be English, and the same in every document). System prompts and the turns of
tools stand in ``messages`` alone: repeated in thousands of documents, and often in another language, they would decide
about duplicates and languages.

The **response** is the last turn of the assistant; the **instruction** all turns of the user before it.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from glotmix.core import json_text

ROLES = ("system", "user", "assistant", "tool")

TURN = pa.struct(
    [
        pa.field("role", pa.string()),
        pa.field("content", pa.string()),
        pa.field("lang", pa.string()),
        pa.field("more", pa.string()),
    ]
)
"""A turn: ``role`` is one of `ROLES`; ``lang`` its canonical language code where the source says so; ``more`` is what
else the source says of the turn, as JSON text."""

MESSAGES = pa.list_(TURN)
"""The type of the column ``messages``."""

BLANK = "\n\n"


@dataclass(frozen=True)
class Turn:
    """One turn; see `TURN`."""

    role: str
    content: str
    lang: str | None = None
    more: str | None = None


@dataclass(frozen=True)
class Call:
    """A call of a tool: its name (empty where the source has none that can be read) and its arguments."""

    name: str
    arguments: Any


def turns(messages: Sequence[dict[str, str | None]]) -> list[Turn]:
    """Return the turns of one value of the column ``messages``."""
    return [Turn(m["role"] or "", m["content"] or "", m["lang"], m["more"]) for m in messages]


def plain(conversation: Sequence[Turn]) -> list[dict[str, str | None]]:
    """Return turns as one value of the column ``messages``."""
    return [{"role": t.role, "content": t.content, "lang": t.lang, "more": t.more} for t in conversation]


def text(conversation: Sequence[Turn]) -> str:
    """Return the canonical text.

    >>> text([Turn("system", "Be brief."), Turn("user", "¿Capital de Perú?"), Turn("assistant", "Lima.")])
    '¿Capital de Perú?\\n\\nLima.'
    """
    return BLANK.join(t.content for t in conversation if t.role in ("user", "assistant") and t.content.strip())


def last(conversation: Sequence[Turn]) -> int | None:
    """Return the position of the response: the last turn of the assistant; None where there is none."""
    return next((i for i in range(len(conversation) - 1, -1, -1) if conversation[i].role == "assistant"), None)


def response(conversation: Sequence[Turn]) -> str:
    """Return the last turn of the assistant; empty where there is none."""
    at = last(conversation)
    return "" if at is None else conversation[at].content


def calls(turn: Turn) -> list[Call]:
    """Return the tools that a turn of the assistant calls, whichever way its source writes it.

    That is under ``tool_calls`` or the older ``function_call`` beside the text, or as text that is JSON in a turn
    ``from: function_call``; such text that is none names no tool.

    >>> calls(Turn("assistant", "", more='{"function_call": {"name": "wells", "arguments": "{}"}}'))
    [Call(name='wells', arguments={})]
    """
    more: dict[str, Any] = {} if turn.more is None else json_text.loads(turn.more)
    given = more.get("tool_calls") or more.get("function_call")
    if given is None and more.get("from") == "function_call":
        try:
            given = json_text.loads(turn.content)
        except ValueError:
            return [Call("", turn.content)]
    found = []
    for each in given if isinstance(given, list) else [given]:
        told = each.get("function", each) if isinstance(each, dict) else None
        if isinstance(told, dict):
            arguments = told.get("arguments", told.get("parameters", {}))
            with suppress(ValueError):
                arguments = json_text.loads(arguments) if isinstance(arguments, str) else arguments
            found.append(Call(str(told.get("name", "")), arguments))
    return found


def instruction(conversation: Sequence[Turn]) -> str:
    """Return what the user said before the response, a blank line between the turns.

    >>> instruction([Turn("user", "Hi"), Turn("assistant", "Hi!"), Turn("user", "Bye"), Turn("assistant", "Bye!")])
    'Hi\\n\\nBye'
    """
    at = last(conversation)
    return BLANK.join(t.content for t in conversation[:at] if t.role == "user")


def asking(conversation: Sequence[Turn]) -> str:
    """Return the last turn of the user before the response; empty where there is none."""
    at = last(conversation)
    return next((t.content for t in reversed(conversation[:at]) if t.role == "user"), "")
