"""Conversations back into any shape, and originals with rows removed."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from glotmix.core import json_text, language
from glotmix.core.conversation import BLANK, Turn, calls, turns
from glotmix.core.errors import DataError
from glotmix.core.record import Counts
from glotmix.corpus import jsonl
from glotmix.corpus.instructions import OURS, array_text, elements
from glotmix.corpus.shapes import BESIDE_TEXT, NoConversationError, Shape
from glotmix.corpus.sources import InputFile, Source
from glotmix.corpus.values import plain, plain_value

_SHAREGPT = {"system": "system", "user": "human", "assistant": "gpt", "tool": "tool"}
_BLOCK = 2**20


def shaped(shape: Shape, document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a document as the rows of a shape: one, or for `oasst` one a message.

    A conversation that was read from the same shape comes back as it was: the system prompt, Alpaca's input, names of
    roles, parts of content, fields of turns. Beside the conversation stand ``id``, ``lang`` and whatever other fields
    the document has.

    Args:
        shape: what to write.
        document: a row of the corpus, with ``messages``.

    Raises:
        NoConversationError: if the shape cannot hold the conversation (tools in Alpaca, several turns in Aya).
    """
    said = turns(document["messages"])
    fields = {k: plain_value(v) for k, v in document.items() if k not in (*OURS, "text", "id") and v is not None}
    return _WRITERS[shape](str(document["id"]), said, {k: v for k, v in fields.items() if k != "source"})


def _alpaca(identity: str, said: Sequence[Turn], fields: dict[str, Any]) -> list[dict[str, Any]]:
    system, pairs = _pairs(said)
    (asked, answer), *before = pairs[-1], *pairs[:-1]
    given = _more(asked).get("input") or ""
    tail = BLANK + str(given)
    instruction = asked.content.removesuffix(tail) if given else asked.content
    row = {"id": identity, "instruction": instruction, "input": given, "output": answer.content}
    if system is not None:
        row["system"] = system
    if before:
        row["history"] = [[one.content, other.content] for one, other in before]
    return [_beside(row, fields)]


def _aya(identity: str, said: Sequence[Turn], fields: dict[str, Any]) -> list[dict[str, Any]]:
    asked, answer = _pair(said, "Aya")
    told = language.parse(fields["lang"])
    names = {"language": told.name, "language_code": told.iso}
    return [_beside({"id": identity, "inputs": asked.content, "targets": answer.content}, names | fields)]


def _trl(identity: str, said: Sequence[Turn], fields: dict[str, Any]) -> list[dict[str, Any]]:
    asked, answer = _pair(said, "TRL's prompt and completion")
    return [_beside({"id": identity, "prompt": asked.content, "completion": answer.content}, fields)]


def _pair(said: Sequence[Turn], shape: str) -> tuple[Turn, Turn]:
    """Return the one instruction and its answer."""
    system, pairs = _pairs(said)
    if system is not None or len(pairs) > 1:
        raise NoConversationError(f"{shape} holds one instruction and its answer", "a system prompt or several turns")
    return pairs[0]


def _sharegpt(identity: str, said: Sequence[Turn], fields: dict[str, Any]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for turn in said:
        more = _only(turn, {"input", "role", "content"})
        called = calls(turn) if "from" not in more else []
        if turn.content or not called:
            rows.append({"from": _SHAREGPT[turn.role], "value": turn.content} | _lang(turn) | ({} if called else more))
        if called:
            told = [{"name": c.name, "arguments": c.arguments} for c in called]
            value = json.dumps(told[0] if len(told) == 1 else told, ensure_ascii=False)
            # The field of the source stays beside: the ids of its calls have no other place.
            rows.append({"from": "function_call", "value": value} | more)
    return [_beside({"id": identity, "conversations": rows}, fields)]


def _openai(identity: str, said: Sequence[Turn], fields: dict[str, Any]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    waiting: list[str] = []
    for turn in said:
        more = _only(turn, {"input", "from"})
        row: dict[str, Any] = {"role": turn.role, "content": turn.content} | _lang(turn) | more
        if not row["content"] and "content" not in more and any(more.get(key) for key in BESIDE_TEXT):
            row["content"] = None
        if _more(turn).get("from") == "function_call":
            row["content"] = None
            if not more.keys() & {"tool_calls", "function_call"}:
                called = calls(turn)
                if not called or any(not c.name for c in called):
                    raise NoConversationError("a call of a function that is no JSON with a name", turn.content[:80])
                first = sum(len(r.get("tool_calls", ())) for r in rows)
                row["tool_calls"] = [
                    {
                        "id": f"call_{first + n}",
                        "type": "function",
                        "function": {"name": c.name, "arguments": json.dumps(c.arguments, ensure_ascii=False)},
                    }
                    for n, c in enumerate(called, start=1)
                ]
                waiting = [call["id"] for call in row["tool_calls"]]
        elif turn.role == "tool" and waiting and "tool_call_id" not in row and "name" not in row:
            row["tool_call_id"] = waiting.pop(0)
        rows.append(row)
    return [_beside({"id": identity, "messages": rows}, fields)]


def _oasst(identity: str, said: Sequence[Turn], fields: dict[str, Any]) -> list[dict[str, Any]]:
    if any(t.role not in ("user", "assistant") for t in said):
        raise NoConversationError("OASST has no such role", "system or tool")
    _no_calls(said)
    rows: list[dict[str, Any]] = []
    known = [_more(t) for t in said]
    tree = known[0].get("message_tree_id") or known[0].get("message_id") or f"{identity}-0"
    for number, (turn, more) in enumerate(zip(said, known, strict=True)):
        own = {"message_id": more.get("message_id", f"{identity}-{number}"), "message_tree_id": tree}
        own["parent_id"] = rows[-1]["message_id"] if rows else None
        role = "prompter" if turn.role == "user" else "assistant"
        rows.append({"text": turn.content, "role": role, "lang": fields["lang"]} | _lang(turn) | more | own)
    return rows


_WRITERS: dict[Shape, Callable[[str, Sequence[Turn], dict[str, Any]], list[dict[str, Any]]]] = {
    "alpaca": _alpaca,
    "sharegpt": _sharegpt,
    "openai": _openai,
    "aya": _aya,
    "trl": _trl,
    "oasst": _oasst,
}


def _beside(row: dict[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Add the other fields of a document to a row; one that is called like the row's own is ``<name>_original``."""
    for name, value in fields.items():
        free = name
        while free in row or (free != name and free in fields):
            free += "_original"
        row[free] = value
    return row


def _pairs(said: Sequence[Turn]) -> tuple[str | None, list[tuple[Turn, Turn]]]:
    """Return the system prompt and the pairs of user and assistant."""
    _no_calls(said)
    system = said[0].content if said[0].role == "system" else None
    rest = said[1:] if system is not None else said
    roles = [t.role for t in rest]
    if roles != ["user", "assistant"] * (len(rest) // 2):
        raise NoConversationError("turns do not alternate between user and assistant", ", ".join(roles))
    return system, list(zip(rest[::2], rest[1::2], strict=True))


def _no_calls(said: Sequence[Turn]) -> None:
    called = [c.name for t in said if t.role == "assistant" for c in calls(t)]
    if called:
        raise NoConversationError("a turn calls a tool, which the shape cannot hold", ", ".join(called))


def _more(turn: Turn) -> dict[str, Any]:
    more: dict[str, Any] = {} if turn.more is None else json_text.loads(turn.more)
    return more


def _only(turn: Turn, foreign: set[str]) -> dict[str, Any]:
    return {k: v for k, v in _more(turn).items() if k not in foreign}


def _lang(turn: Turn) -> dict[str, Any]:
    return {} if turn.lang is None else {"lang": turn.lang}


def write(documents: pa.Table, shape: Shape, path: Path) -> Counts:
    """Write documents as lines of JSON in a shape; those that it cannot hold go beside, into ``<name>.left-out.jsonl``.

    Messages that several conversations of a tree share are written once.

    Returns:
        ``documents``, ``rows`` and ``left_out``.
    """
    counts = {"documents": 0, "rows": 0, "left_out": 0}
    seen: set[str] = set()
    lost: list[str] = []
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for batch in documents.to_batches(1_000):
            for document in plain(batch.to_struct_array(), finite=True):
                try:
                    rows = shaped(shape, document)
                except NoConversationError as error:
                    why = {"id": document["id"], "reason": error.reason, "detail": error.detail}
                    lost.append(json.dumps(why, ensure_ascii=False))
                    continue
                counts["documents"] += 1
                for row in rows:
                    if shape == "oasst":
                        if row["message_id"] in seen:
                            continue
                        seen.add(row["message_id"])
                    file.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")
                    counts["rows"] += 1
    if lost:
        path.with_name(f"{path.stem}.left-out.jsonl").write_text("\n".join(lost) + "\n", "utf-8")
    return counts | {"left_out": len(lost)}


def original(source: Source, file: InputFile, kept: set[int], path: Path) -> Counts:
    """Write a file of a source again, byte by byte, without the rows that are not kept.

    Args:
        source: of the file.
        file: the original.
        kept: lines (from 1) of JSON lines, rows (from 0) of an array or of Parquet.
        path: where it goes; the compression stays.

    Returns:
        ``rows`` written and ``removed`` (those that were quarantined are among them).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if file.kind == "parquet":
        held = pq.read_table(file.path, partitioning=None)
        rows = sorted(kept)
        if rows and rows[-1] >= held.num_rows:
            raise DataError(f"source '{source.name}': {file.shown} is shorter than it was", "glotmix read")
        pq.write_table(held.take(pa.array(rows, pa.int64())), path.absolute(), compression="zstd")
        return {"rows": len(rows), "removed": held.num_rows - len(rows)}
    with _sink(path, file.codec) as sink:
        if file.kind == "json":
            return _array(source, file, kept, sink)
        written = removed = 0
        for number, line in enumerate(_lines(file), start=1):
            if number in kept:
                sink.write(line if line.endswith(b"\n") else line + b"\n")
                written += 1
            elif line.strip():
                removed += 1
    return {"rows": written, "removed": removed}


def _array(source: Source, file: InputFile, kept: set[int], sink: IO[bytes]) -> Counts:
    text = array_text(source, file)
    written = removed = 0
    for row, (begin, end, _) in enumerate(elements(text)):
        if row in kept:
            sink.write((b",\n" if written else b"[\n") + text[begin:end].encode())
            written += 1
        else:
            removed += 1
    sink.write(b"\n]\n" if written else b"[]\n")
    return {"rows": written, "removed": removed}


def _lines(file: InputFile) -> Iterator[bytes]:
    rest = b""
    with jsonl.opened(file) as stream:
        while data := stream.read(_BLOCK):
            *whole, rest = (rest + data).split(b"\n")
            yield from (line + b"\n" for line in whole)
    if rest:
        yield rest


@contextmanager
def _sink(path: Path, codec: str | None) -> Iterator[IO[bytes]]:
    if codec is None:
        with path.open("wb") as file:
            yield file
    else:
        with pa.CompressedOutputStream(str(path), codec) as stream:
            yield stream


def rows_of(origins: Iterable[Mapping[str, Any]]) -> dict[str, set[int]]:
    """Return, by file, the rows that documents came from.

    >>> rows_of([{"file": "a.jsonl", "rows": [3, 5]}, {"file": "a.jsonl", "rows": [5]}])
    {'a.jsonl': {3, 5}}
    """
    found: dict[str, set[int]] = {}
    for origin in origins:
        found.setdefault(origin["file"], set()).update(origin["rows"])
    return found
