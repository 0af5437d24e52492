"""Elements of XML out of a stream, one by one: a damaged one costs itself and no other, and memory stays flat."""

import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

from glotmix.corpus import encoding

MAX_BYTES = 64 * 2**20
_CHUNK = 2**20
LANG = "{http://www.w3.org/XML/1998/namespace}lang"
ElementTree.register_namespace("xml", LANG[1:-5])


def elements(stream: encoding.Transcoded, name: str, heads: str) -> Iterator[tuple[bool, bytes]]:
    """Yield every element of a name, and the opening tags of others, in order.

    Args:
        stream: of UTF-8.
        name: of elements that hold none of their own name; a pattern.
        heads: names of elements whose opening tags are wanted; a pattern.

    Yields:
        whether it is an element of that name, and its bytes; one that the end of the file cuts off, or that is larger
        than 64 MiB, as far as it goes.
    """
    opening = re.compile(rf"<(?:({name})|(?:{heads}))(?=[\s/>])[^>]*>".encode(), re.DOTALL)
    closing = re.compile(rf"</(?:{name})\s*>".encode())
    data = b""
    more = True
    while True:
        found = opening.search(data)
        end = found.end() if found is not None else 0
        if found is not None and found[1] is not None and not found[0].endswith(b"/>"):
            close = closing.search(data, end)
            # None holds another of its kind: where one begins, the end of this one is damaged.
            again = next((m for m in opening.finditer(data, end, close.start()) if m[1]), None) if close else None
            end = again.start() if again is not None else close.end() if close is not None else 0
            if close is None and (not more or len(data) > MAX_BYTES):
                # What follows may be whole: go on behind the tag that nothing closes.
                following = opening.search(data, found.end())
                end = following.start() if following is not None else len(data)
        if found is not None and end:
            yield found[1] is not None, data[found.start() : end]
            data = data[end:]
            continue
        if not more:
            return
        keep = found.start() if found is not None else max(data.rfind(b"<"), 0)
        data = data[keep:]
        fresh = stream.read(_CHUNK + len(data))
        more = bool(fresh)
        data += fresh


def parse(data: bytes) -> Any:
    """Return an element that stands alone.

    Raises:
        ElementTree.ParseError: if it is not well-formed.
    """
    return ElementTree.fromstring(data)


def attributes(tag: bytes) -> dict[str, str]:
    """Return the attributes of an opening tag, prefixes as they are written; none where it is not well-formed."""
    text = tag.decode("utf-8", "replace")
    text = re.sub(r"\sxmlns(:\w+)?\s*=\s*(\"[^\"]*\"|'[^']*')", "", text)
    text = re.sub(r"\s(?!xml:)[\w.-]+:([\w.-]+\s*=)", r" \1", text)
    text = re.sub(r"^<[\w:.-]+", "<x", text).removesuffix("/>").removesuffix(">") + "/>"
    try:
        return dict(ElementTree.fromstring(text).attrib)
    except ElementTree.ParseError:
        return {}
