"""What sites tell robots, where an archive holds their ``robots.txt``: for their pages in the same file.

Of several the last before a page counts for it, and the first of all for pages before any.

The rules are those of RFC 9309 as Python's own parser has them, asked for agents that gather training text; the lines
``Content-Signal: ai-train=no`` and ``Content-Usage: train-ai=n`` (IETF, aipref) are read as well.
"""

import re
from urllib.parse import SplitResult, urlsplit
from urllib.robotparser import RobotFileParser

AGENTS = ("CCBot", "Google-Extended")
"""Agents whose pages become training text; a group for all agents (``*``) counts for them too."""

REFUSED = "robots.txt: disallow"
NO_TRAINING = "robots.txt: train-ai=n"

_SIGNAL = re.compile(r"^\s*content-(?:signal|usage)\s*:\s*(/\S*)?(.*)$", re.IGNORECASE | re.MULTILINE)
_NO = re.compile(r"\b(?:ai-train\s*=\s*no|train-ai\s*=\s*n)\b", re.IGNORECASE)
_MOST = 512 * 1024
"""Bytes of a file that are read, as RFC 9309 asks for at least."""


def is_one(url: str) -> bool:
    """Say whether an address is that of a ``robots.txt``."""
    return url.endswith("/robots.txt") and (parts := _parts(url)) is not None and parts.path == "/robots.txt"


class Robots:
    """The ``robots.txt`` that were met, by site."""

    def __init__(self) -> None:
        self._sites: dict[str, tuple[RobotFileParser, list[str]]] = {}

    def take(self, url: str, data: bytes, again: bool = False) -> None:
        """Remember one, the first of its site; the second time (`again`) each, for it is in force from there."""
        if (site := _site(url)) is None or (site in self._sites and not again):
            return
        text = data[:_MOST].decode("utf-8", "replace")
        rules = RobotFileParser()
        rules.parse(text.splitlines())
        refused = [place or "/" for place, said in _SIGNAL.findall(text) if _NO.search(said)]
        self._sites[site] = rules, refused

    def say(self, url: str) -> list[str]:
        """Return what the site of a page says of it: `REFUSED`, `NO_TRAINING`, both or nothing."""
        parts = _parts(url)
        if parts is None or (told := self._sites.get(_site(url) or "")) is None:
            return []
        rules, places = told
        path = parts.path or "/"
        found = [] if all(rules.can_fetch(agent, url) for agent in AGENTS) else [REFUSED]
        return found + ([NO_TRAINING] if any(path.startswith(place) for place in places) else [])


def _parts(url: str) -> SplitResult | None:
    """Return the parts of an address, None where it is none (``http://[page``)."""
    try:
        return urlsplit(url)
    except ValueError:
        return None


def _site(url: str) -> str | None:
    parts = _parts(url)
    return None if parts is None else f"{parts.scheme}://{parts.netloc}".lower()
