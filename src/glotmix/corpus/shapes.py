"""The shapes that instruction data comes in, and how each becomes conversations.

=========== ================================================== =========================================
shape       a row                                              known by its keys
=========== ================================================== =========================================
`alpaca`    instruction, input, output; system, history        ``instruction`` and ``output``
`sharegpt`  turns with ``from`` and ``value``                  ``conversations``
`openai`    turns with ``role`` and ``content``                ``messages``
`aya`       one instruction and its answer                     ``inputs`` and ``targets``
`trl`       a prompt and its completion, as text or as turns   ``prompt`` and ``completion``
`oasst`     a tree of messages, or one message of a tree       ``prompt.replies``, or ``message_id``,
                                                               ``parent_id``, ``role`` and ``text``
=========== ================================================== =========================================

What a shape does not know of stays: other fields of a row become columns of its document, other fields of a turn its
``more``. A row that is no conversation is refused with the reason, and never bent into one.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from glotmix.core import json_text, language
from glotmix.core.conversation import BLANK, Turn
from glotmix.core.errors import RequestError
from glotmix.corpus.columns import canonical_text

Shape = Literal["alpaca", "sharegpt", "openai", "aya", "trl", "oasst"]
SHAPES: tuple[Shape, ...] = get_args(Shape)
VERSION = 2
"""Raised when a row would be read otherwise."""

_KEYS: dict[Shape, tuple[frozenset[str], ...]] = {
    "alpaca": (frozenset({"instruction", "output"}),),
    "sharegpt": (frozenset({"conversations"}),),
    "openai": (frozenset({"messages"}),),
    "aya": (frozenset({"inputs", "targets"}),),
    "trl": (frozenset({"prompt", "completion"}),),
    "oasst": (frozenset({"prompt.replies"}), frozenset({"message_id", "parent_id", "role", "text"})),
}
SPOKEN = frozenset(
    {"instruction", "input", "output", "system", "history", "conversations", "messages", "inputs", "targets", "prompt"}
    | {"completion", "message_id", "parent_id", "role", "text"}
)
"""The fields that shapes read text from."""

_SHAREGPT = {
    "human": "user", "user": "user", "gpt": "assistant", "chatgpt": "assistant", "bing": "assistant",
    "bard": "assistant", "assistant": "assistant", "system": "system", "tool": "tool", "observation": "tool",
    "function_response": "tool", "function_call": "assistant",
}  # fmt: skip
_OPENAI = {
    "system": "system", "developer": "system", "user": "user", "assistant": "assistant", "tool": "tool",
    "function": "tool",
}  # fmt: skip
BESIDE_TEXT = ("tool_calls", "function_call", "refusal", "audio")
"""What a turn may hold in the place of text."""
_OASST = {"prompter": "user", "assistant": "assistant"}


class NoConversationError(Exception):
    """A row that cannot be read as a conversation: `reason` is one of few, to be counted; `detail` says more."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True)
class Conversation:
    """The turns of a conversation, and the row's other fields."""

    turns: tuple[Turn, ...]
    fields: Mapping[str, Any] = field(default_factory=dict)
    rows: tuple[int, ...] = ()


def detect(keys: Iterable[str]) -> Shape:
    """Return the shape whose keys are among those of the first rows (fields of objects with a dot).

    Raises:
        RequestError: if there is none, or more than one.

    >>> detect(["id", "conversations", "model"])
    'sharegpt'
    """
    known = set(keys)
    found = [shape for shape, ways in _KEYS.items() if any(way <= known for way in ways)]
    if len(found) == 1:
        return found[0]
    what = f"could be {' or '.join(found)}" if found else "are of no shape of instruction data that is known"
    wanted = "; ".join(f"{s}: {' or '.join(', '.join(sorted(w)) for w in ways)}" for s, ways in _KEYS.items())
    raise RequestError(
        f"the keys {', '.join(sorted(known)) or '(none)'} {what} ({wanted})", f"set shape: {' | '.join(SHAPES)}"
    )


Found = tuple[list[Conversation], list[NoConversationError]]


def read(shape: Shape, record: Mapping[str, Any]) -> Found:
    """Return the conversations of one row (one, or those of a tree), and why parts of a tree are in none.

    Args:
        shape: any but the flat form of `oasst`, whose rows only `Grove` can put together.
        record: a JSON object.

    Raises:
        NoConversationError: if the row is none.
    """
    return _READERS[shape](record)


def _alpaca(record: Mapping[str, Any]) -> Found:
    asked, given = _text(record, "instruction"), record.get("input")
    if given is not None and not isinstance(given, str):
        raise NoConversationError("a turn is not text", "input")
    turns = _system(record)
    history = record.get("history")
    for pair in history if isinstance(history, list) else []:
        if not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(p, str) for p in pair)):
            raise NoConversationError("history is no list of pairs")
        turns += [Turn("user", pair[0]), Turn("assistant", pair[1])]
    more = canonical_text({"input": given}) if given else None
    turns.append(Turn("user", asked + BLANK + given if given else asked, None, more))
    turns.append(Turn("assistant", _text(record, "output")))
    return [_whole(turns, record, {"instruction", "input", "output", "history", "system"})], []


def _aya(record: Mapping[str, Any]) -> Found:
    turns = [Turn("user", _text(record, "inputs")), Turn("assistant", _text(record, "targets"))]
    return [_whole(turns, record, {"inputs", "targets"})], []


def _trl(record: Mapping[str, Any]) -> Found:
    turns: list[Turn] = []
    for key, role in (("prompt", "user"), ("completion", "assistant")):
        if isinstance(record.get(key), list):
            turns += _messages(record, key)
        else:
            turns.append(Turn(role, _text(record, key)))
    return [_whole(turns, record, {"prompt", "completion"})], []


def _sharegpt(record: Mapping[str, Any]) -> Found:
    turns = _system(record)
    for turn in _turns(record, "conversations"):
        # Some data sets name the parts of a turn as OpenAI does.
        by, said = ("from", "value") if "from" in turn else ("role", "content")
        who = turn.get(by)
        role = _SHAREGPT.get(who) if isinstance(who, str) else None
        if role is None:
            raise NoConversationError("unknown role", f"from: {turn.get('from', who)!r}")
        more = _rest(turn, {by, said, "lang", "language"})
        if who not in ("human", "gpt", "system", "tool") and not (by == "role" and who in ("user", "assistant")):
            more["from"] = who
        turns.append(Turn(role, _text(turn, said), _lang(turn), canonical_text(more) if more else None))
    return [_whole(turns, record, {"conversations", "system"})], []


def _openai(record: Mapping[str, Any]) -> Found:
    return [_whole(_messages(record, "messages"), record, {"messages"})], []


def _messages(record: Mapping[str, Any], key: str) -> list[Turn]:
    turns = []
    for given in _turns(record, key):
        turn = _as_openai(given)
        said = turn.get("role")
        role = _OPENAI.get(said) if isinstance(said, str) else None
        if role is None:
            raise NoConversationError("unknown role", f"role: {said!r}")
        more = _rest(turn, {"role", "content", "lang", "language"})
        if said not in ("system", "user", "assistant", "tool"):
            more["role"] = said
        content = turn.get("content")
        if isinstance(content, list):
            if not all(isinstance(p, dict) and isinstance(p.get("text"), str) for p in content):
                raise NoConversationError("a turn is not text", "content has parts that are no text")
            more["content"] = content
            content = "\n".join(p["text"] for p in content)
        elif any(turn.get(key) for key in BESIDE_TEXT):
            # What is said stands beside the text, which is null as a rule; where it is empty text, it comes back so.
            if content == "":
                more["content"] = ""
            content = content or ""
        if not isinstance(content, str):
            raise NoConversationError("a turn is not text", f"content: {type(content).__name__}")
        turns.append(Turn(role, content, _lang(turn), canonical_text(more) if more else None))
    return turns


def _as_openai(turn: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a turn by OpenAI's names, which some data sets give by ShareGPT's."""
    if "role" in turn or "from" not in turn:
        return turn
    names = {"from": "role", "value": "content"}
    said = {names.get(key, key): value for key, value in turn.items()}
    role = said["role"]
    return said | {"role": _SHAREGPT.get(role, role) if isinstance(role, str) else role}


def _oasst(record: Mapping[str, Any]) -> Found:
    if not isinstance(record.get("prompt"), dict):
        raise NoConversationError("no tree of messages", "'prompt' is not an object")
    grove = Grove()
    tree = record.get("message_tree_id")
    refused: list[NoConversationError] = []
    count = 0

    def visit(message: Mapping[str, Any], parent: Any) -> None:
        nonlocal count
        replies = message.get("replies") or []
        if not isinstance(replies, list) or not all(isinstance(r, dict) for r in replies):
            raise NoConversationError("no tree of messages", "'replies' is not a list of objects")
        own = message.get("message_id")
        identity = own if isinstance(own, str) else f"{tree}-{count}"
        count += 1
        given = {k: v for k, v in message.items() if k != "replies"}
        try:
            grove.add(given | {"message_id": identity, "parent_id": parent, "message_tree_id": tree}, 0)
        except NoConversationError as error:
            refused.append(error)
            return
        for reply in replies:
            visit(reply, identity)

    visit(record["prompt"], None)
    found, lost = grove.conversations()
    refused += [error for _, error in lost]
    if not found:
        raise refused[0]
    rest = _rest(record, {"prompt", "message_tree_id"})
    return [Conversation(c.turns, rest | dict(c.fields)) for c in found], refused


_READERS: dict[Shape, Callable[[Mapping[str, Any]], Found]] = {
    "alpaca": _alpaca,
    "sharegpt": _sharegpt,
    "openai": _openai,
    "aya": _aya,
    "trl": _trl,
    "oasst": _oasst,
}


class Grove:
    """The messages of OASST's trees, in any order, until all of them are there.

    Every path from a root to an answer that no further answer follows is a conversation; it ends with that answer.
    Deleted messages, and all that hangs from them, are refused.
    """

    def __init__(self) -> None:
        self._messages: dict[str, tuple[int, Turn, Mapping[str, Any]]] = {}
        self._replies: dict[str | None, list[str]] = {}

    def add(self, record: Mapping[str, Any], row: int) -> None:
        """Take one message, which stands in row `row`.

        Raises:
            NoConversationError: if it is none.
        """
        own, parent, said = record.get("message_id"), record.get("parent_id"), record.get("role")
        if not isinstance(own, str) or not own:
            raise NoConversationError("no message_id")
        if own in self._messages:
            raise NoConversationError("message_id stands twice", own)
        if parent is not None and not isinstance(parent, str):
            raise NoConversationError("parent_id is no text")
        role = _OASST.get(said) if isinstance(said, str) else None
        if role is None:
            raise NoConversationError("unknown role", f"role: {said!r}")
        if record.get("deleted") is True:
            raise NoConversationError("deleted message")
        content = _text(record, "text")
        more = canonical_text(_rest(record, {"text", "role", "lang"}))
        self._messages[own] = (row, Turn(role, content, _lang(record), more), record)
        self._replies.setdefault(parent or None, []).append(own)

    def conversations(self) -> tuple[list[Conversation], list[tuple[int, NoConversationError]]]:
        """Return the conversations in the order of their trees, and the rows that are in none, with the reason."""
        found: list[Conversation] = []
        used: set[str] = set()
        stack: list[tuple[str, tuple[str, ...]]] = [(root, (root,)) for root in reversed(self._replies.get(None, []))]
        while stack:
            own, path = stack.pop()
            replies = self._replies.get(own, [])
            stack += [(reply, (*path, reply)) for reply in reversed(replies)]
            if self._messages[own][1].role == "assistant" and not self._answered(own):
                found.append(self._conversation(path))
                used.update(path)
        lost = [(row, self._why(own)) for own, (row, _, _) in self._messages.items() if own not in used]
        return found, sorted(lost, key=lambda each: each[0])

    def _answered(self, own: str) -> bool:
        """Say whether an answer follows somewhere below."""
        below = list(self._replies.get(own, []))
        while below:
            one = below.pop()
            if self._messages[one][1].role == "assistant":
                return True
            below += self._replies.get(one, [])
        return False

    def _conversation(self, path: tuple[str, ...]) -> Conversation:
        parts = [self._messages[own] for own in path]
        leaf = parts[-1][2]
        fields = {k: leaf[k] for k in ("message_id", "message_tree_id", "lang", "rank") if leaf.get(k) is not None}
        return Conversation(tuple(p[1] for p in parts), {"id": path[-1]} | fields, tuple(p[0] for p in parts))

    def _why(self, own: str) -> NoConversationError:
        at: str | None = own
        while at is not None:
            if at not in self._messages:
                return NoConversationError("its parent is missing", at)
            parent = self._messages[at][2].get("parent_id")
            at = parent or None
        return NoConversationError("no response", "no answer follows")


def _turns(record: Mapping[str, Any], key: str) -> Iterator[Mapping[str, Any]]:
    turns = record.get(key)
    if isinstance(turns, str):
        # JSON text, as some Parquet exports have it.
        try:
            turns = json_text.loads(turns)
        except ValueError:
            turns = None
    if not isinstance(turns, list) or not all(isinstance(t, dict) for t in turns):
        raise NoConversationError("no list of turns", f"'{key}'")
    # Arrow's structs have every field in every turn: a missing one is null.
    yield from ({k: v for k, v in turn.items() if v is not None} for turn in turns)


def _text(record: Mapping[str, Any], key: str) -> str:
    value = record.get(key)
    if not isinstance(value, str):
        reason = "a turn is missing" if value is None else "a turn is not text"
        raise NoConversationError(reason, f"'{key}'" + ("" if value is None else f": {type(value).__name__}"))
    return value


def _system(record: Mapping[str, Any]) -> list[Turn]:
    prompt = record.get("system")
    if prompt is not None and not isinstance(prompt, str):
        raise NoConversationError("a turn is not text", "system")
    return [Turn("system", prompt)] if prompt else []


def _lang(turn: Mapping[str, Any]) -> str | None:
    given = turn.get("lang") or turn.get("language")
    if given is None:
        return None
    try:
        return language.parse(str(given)).code
    except RequestError as error:
        raise NoConversationError("unknown language code", error.message) from error


def _rest(record: Mapping[str, Any], known: set[str]) -> dict[str, Any]:
    return {k: v for k, v in record.items() if k not in known and v is not None}


def _whole(turns: list[Turn], record: Mapping[str, Any], known: set[str]) -> Conversation:
    roles = [t.role for t in turns]
    if "user" not in roles:
        raise NoConversationError("no instruction")
    if "assistant" not in roles[roles.index("user") :]:
        raise NoConversationError("no response")
    return Conversation(tuple(turns), {k: v for k, v in record.items() if k not in known})
