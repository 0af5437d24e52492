"""What sites tell robots, where an archive holds their ``robots.txt``: for the pages behind it in the same file.

The rules are those of RFC 9309 as Python's own parser has them, asked for agents that gather training text; the lines
``Content-Signal: ai-train=no`` and ``Content-Usage: train-ai=n`` (IETF, aipref) are read as well.
"""

import re
from urllib.parse import urlsplit
from urllib.robotparser import RobotFileParser

AGENTS = ("CCBot", "Google-Extended")
"""Agents whose pages become training text; a group for all agents (``*``) counts for them too."""

REFUSED = "robots.txt: disallow"
NO_TRAINING = "robots.txt: train-ai=n"

_SIGNAL = re.compile(r"^\s*content-(?:signal|usage)\s*:\s*(/\S*)?(.*)$", re.IGNORECASE | re.MULTILINE)
_NO = re.compile(r"\b(?:ai-train\s*=\s*no|train-ai\s*=\s*n)\b", re.IGNORECASE)
_MOST = 512 * 1024
"""Bytes of a file that are read, as RFC 9309 asks for at least."""


class Robots:
    """The ``robots.txt`` that were met so far, by site."""

    def __init__(self) -> None:
        self._sites: dict[str, tuple[RobotFileParser, list[str]]] = {}

    def is_one(self, url: str) -> bool:
        """Say whether an address is that of a ``robots.txt``."""
        return url.endswith("/robots.txt") and urlsplit(url).path == "/robots.txt"

    def take(self, url: str, data: bytes) -> None:
        """Remember one."""
        text = data[:_MOST].decode("utf-8", "replace")
        rules = RobotFileParser()
        rules.parse(text.splitlines())
        refused = [place or "/" for place, said in _SIGNAL.findall(text) if _NO.search(said)]
        self._sites[_site(url)] = rules, refused

    def say(self, url: str) -> list[str]:
        """Return what the site of a page says of it: `REFUSED`, `NO_TRAINING`, both or nothing."""
        if (told := self._sites.get(_site(url))) is None:
            return []
        rules, places = told
        path = urlsplit(url).path or "/"
        found = [] if all(rules.can_fetch(agent, url) for agent in AGENTS) else [REFUSED]
        return found + ([NO_TRAINING] if any(path.startswith(place) for place in places) else [])


def _site(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()
