"""The signal `urls`: the domain of each document's address, and what lists say of it.

Domains are told by the Public Suffix List that tldextract carries (offline; the extra ``raw``). Lists are files of one
domain, address or pattern (``*``, ``?``) a line; categories are folders in the layout of UT1's blacklists
(https://dsi.ut-capitole.fr/blacklists/): ``<category>/domains`` and ``<category>/urls``. A domain in a list stands for
all hosts below it.
"""

import re
from collections.abc import Callable, Sequence
from fnmatch import translate
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, unquote_to_bytes, urlencode, urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BeforeValidator, Field

from glotmix.core import table, utf8
from glotmix.core.context import RunContext
from glotmix.core.errors import DataError, MissingExtraError, RequestError
from glotmix.core.record import Counts, Output, digest_file
from glotmix.core.rules import LedgerView, Rule, RuleHits
from glotmix.core.section import RecipeKey, Section, as_tuple
from glotmix.core.step import Column, Extra, StepSpec
from glotmix.signals.annotate import Measure, Measured

VERSION = 3

FIELDS = pa.struct(
    [
        pa.field("domain", pa.string()),
        pa.field("suffix", pa.string()),
        pa.field("listed", pa.string()),
        pa.field("robots", pa.string()),
        pa.field("canonical", pa.string()),
    ]
)
_TRACKING = re.compile(r"^(utm_\w+|fbclid|gclid|dclid|msclkid|mc_[ce]id|igshid|yclid|_ga|ref_src|spm)$")
_SCHEME = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*:)?//")
_PLAIN = re.compile(r"[a-z0-9._-]+")
_COMMENT = re.compile(r"(?:^|\s+)#.*")
_ESCAPED = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_REFUSING = re.compile(
    r"(?<!preview:)(?<!preview: )\b(noai|noimageai|notrain|none|noindex)\b|tdm-reservation[^,]*1|^1$"
    r"|robots\.txt: (?:disallow|train-ai=n)"
)


class UrlsSection(Section):
    """Documents' addresses: null for not looking."""

    column: str = Field("url", description="column of the address")
    robots: str | None = Field(None, description="column of what pages say to robots, such as robots; null for none")
    allow: Annotated[tuple[str, ...], BeforeValidator(as_tuple)] = Field(
        (), description="files of domains, addresses or patterns: what none of them holds is dropped"
    )
    deny: Annotated[tuple[str, ...], BeforeValidator(as_tuple)] = Field(
        (), description="files of domains, addresses or patterns: what one of them holds is dropped"
    )
    categories: str | None = Field(None, description="folder of <category>/domains and <category>/urls, as UT1's")
    deny_categories: Annotated[tuple[str, ...], BeforeValidator(as_tuple)] = Field(
        (), description="categories whose documents are dropped"
    )
    same: Literal["drop", "keep"] = Field(
        "drop", description="later documents of one canonical address in one language"
    )


def canonical(url: str) -> str:
    """Return an address without what says nothing of its page: scheme, ``www``, port, fragment, tracking, order.

    Letters stand for themselves, whether the address has them as such, as ``%D0%BC`` or as ``xn--``. A fragment that
    begins as a path does is a page of its own.

    >>> canonical("HTTP://www.Example.org:80/a/?utm_source=x&b=2&a=1#top")
    'example.org/a?a=1&b=2'
    >>> canonical("http://xn--e1afmkfd.xn--p1ai/%d0%b0%2Fb#!/c")
    'пример.рф/а%2Fb#!/c'
    """
    return _host_and_page(url)[1]


def _host_and_page(url: str) -> tuple[str, str]:
    """Return the host of an address, empty where it has none, and the canonical form; of what is no address itself."""
    url = url.strip()
    try:
        parts = urlsplit(url if _SCHEME.match(url) else f"http://{url}")
        host = _spelled((parts.hostname or "").removeprefix("www.").rstrip("."))
        port = f":{parts.port}" if parts.port not in (None, 80, 443) else ""
    except ValueError:
        return "", url
    shown = f"[{host}]" if ":" in host else host
    query = sorted((k, v) for k, v in parse_qsl(parts.query, keep_blank_values=True) if not _TRACKING.match(k.lower()))
    page = f"{shown}{port}{_letters(parts.path).rstrip('/')}" + (f"?{urlencode(query)}" if query else "")
    return host, page + (f"#{parts.fragment}" if parts.fragment.startswith(("!", "/")) else "")


def _spelled(host: str) -> str:
    """Return a host in its letters."""
    if "xn--" not in host:
        return host
    try:
        return host.encode("ascii").decode("idna")
    except UnicodeError:
        return host


def _letters(path: str) -> str:
    """Return a path in which letters, and what else needs no %, stand for themselves."""
    return _ESCAPED.sub(_unescaped, path)


def _unescaped(found: "re.Match[str]") -> str:
    data = unquote_to_bytes(found[0])
    try:
        return "".join(c if c.isalnum() or c in "-._~" or ord(c) > 0x7F else f"%{ord(c):02X}" for c in data.decode())
    except UnicodeDecodeError:
        return found[0].upper()


@cache
def _extract() -> Any:
    try:
        import tldextract
    except ImportError as error:
        raise MissingExtraError("signals.urls", "raw") from error
    # No list is fetched and nothing is written: the one that the package carries is used.
    return tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None, fallback_to_snapshot=True)


@cache
def domain(host: str) -> tuple[str | None, str | None]:
    """Return a host's registrable domain and public suffix; an IP address is its own domain.

    >>> domain("news.bbc.co.uk"), domain("пример.рф")
    (('bbc.co.uk', 'co.uk'), ('пример.рф', 'рф'))
    """
    found = _extract()(host)
    if found.ipv4 or found.ipv6:
        return host, None
    if not found.suffix:
        # The list's last rule: a top-level domain that it does not know is a suffix.
        labels = host.lower().split(".")
        return ".".join(labels[-2:]) or None, labels[-1] if len(labels) > 1 else None
    return found.top_domain_under_public_suffix.lower() or None, found.suffix.lower()


class Listing:
    """Domains, addresses and patterns of one list.

    Args:
        lines: of its files.
    """

    def __init__(self, lines: Sequence[str]) -> None:
        self.hosts: set[str] = set()
        self.pages: set[str] = set()
        patterns: list[str] = []
        for line in lines:
            entry = (_COMMENT.sub("", line) if "#" in line else line).strip()
            if not entry:
                continue
            if any(sign in entry for sign in "*?["):
                patterns.append(translate(entry.lower()))
            elif "/" in entry.split("://", 1)[-1].rstrip("/"):
                self.pages.add(canonical(entry))
            else:
                host = entry.lstrip(".").lower()
                # Lists have millions of domains, and nearly all are letters and dots.
                plain = _PLAIN.fullmatch(host) is not None and "xn--" not in host
                self.hosts.add(host.removeprefix("www.").rstrip(".") if plain else canonical(host))
        self.pattern = re.compile("|".join(patterns)) if patterns else None

    def holds(self, host: str, page: str) -> bool:
        """Say whether an address is in the list: its host, one above it, its page or a page above it."""
        labels = host.split(".")
        if any(".".join(labels[i:]) in self.hosts for i in range(len(labels))) or page.split("/", 1)[0] in self.hosts:
            return True
        if self.pages:
            path = page.split("?", 1)[0]
            while "/" in path:
                if path in self.pages:
                    return True
                path = path.rsplit("/", 1)[0]
            if page in self.pages:
                return True
        return self.pattern is not None and (
            self.pattern.match(host) is not None or self.pattern.match(page.lower()) is not None
        )


def measure(lists: dict[str, Listing], urls: pa.Array, robots: pa.Array | None = None) -> pa.StructArray:
    """Return `FIELDS` of addresses; all null where there is none.

    Args:
        lists: by name; a document's `listed` are the names of those that hold it, with commas.
        urls: n strings.
        robots: n strings of what pages say to robots.
    """
    rows: list[dict[str, str | None]] = []
    said = robots.to_pylist() if robots is not None else [None] * len(urls)
    for url, tags in zip(urls.to_pylist(), said, strict=True):
        if not url:
            rows.append({f.name: None for f in FIELDS} | {"robots": tags})
            continue
        host, page = _host_and_page(url)
        name, suffix = domain(host) if host else (None, None)
        held = [label for label, listing in lists.items() if listing.holds(host, page)]
        rows.append(
            {"domain": name, "suffix": suffix, "listed": ",".join(held) or None, "robots": tags, "canonical": page}
        )
    return pa.array(rows, FIELDS)


def _entries(name: str, path: Path) -> list[str]:
    """Return the lines of a list that somebody wrote.

    Raises:
        RequestError: naming one that is no domain, address or pattern: it would hold nothing, without a word.
    """
    lines = utf8.text(path).splitlines()
    for number, line in enumerate(lines, 1):
        if re.search(r"\S\s+\S|\|", _COMMENT.sub("", line)):
            raise RequestError(
                f"signals.urls.{name}: {path}:{number} is no domain, address or pattern: {line.strip()[:100]}",
                "write one a line, such as example.org, example.org/page or *.example.*",
            )
    return lines


def _lists(context: RunContext) -> dict[str, Listing]:
    section = context.recipe.signals.urls
    found: dict[str, Listing] = {}
    for name in ("allow", "deny"):
        if paths := getattr(section, name):
            found[name] = Listing([line for p in context.paths(paths) for line in _entries(name, p)])
    for name, files in _categories(context).items():
        found[name] = Listing([line for p in files for line in p.read_text("utf-8-sig", "replace").splitlines()])
    return found


def _categories(context: RunContext) -> dict[str, list[Path]]:
    section = context.recipe.signals.urls
    if section.categories is None:
        if section.deny_categories:
            raise RequestError(
                "signals.urls.deny_categories: there is no folder of categories", "signals.urls.categories"
            )
        return {}
    folder = context.path(section.categories)
    if not folder.is_dir():
        raise RequestError(f"signals.urls.categories: there is no folder {folder}", "a folder of <category>/domains")
    found = {
        path.name: files
        for path in sorted(folder.glob("*"))
        if (files := [path / n for n in ("domains", "urls") if (path / n).is_file()])
    }
    if unknown := [name for name in section.deny_categories if name not in found]:
        raise RequestError(
            f"signals.urls: {folder} has no category '{unknown[0]}'", f"one of {', '.join(found) or 'none'}"
        )
    return found


def _measure(context: RunContext) -> Measure:
    section = context.recipe.signals.urls
    wanted = [section.column, *([section.robots] if section.robots else [])]
    there = pq.read_schema(table.shards(context.corpus)[0])
    for column in wanted:
        if column not in there.names:
            raise DataError(
                f"signals.urls: no document has the column '{column}'; they have {', '.join(there.names)}",
                "signals.urls.column=NAME, or signals.urls=null"
                if column == section.column
                else "signals.urls.robots=NAME, or null: no page says anything to robots",
            )
        if (kind := there.field(column).type) not in (pa.string(), pa.null()):
            raise DataError(
                f"signals.urls: the column '{column}' is {kind}, and no text",
                "name a column of text: signals.urls.column=NAME, signals.urls.robots=NAME or null",
            )
    return Measure(wanted, partial(measure, _lists(context)), FIELDS, _domains)


def _domains(output: Output) -> Counts:
    found = table.read(sorted(output.path.glob("*.parquet")), ["domain"])["domain"]
    most = sorted(found.drop_null().value_counts().to_pylist(), key=lambda row: (-row["counts"], row["values"]))
    output.notes["domains"] = {row["values"]: row["counts"] for row in most[:50]}
    return {"domains": len(most)}


def _hits(view: LedgerView) -> list[RuleHits]:
    section = view.context.recipe.signals.urls
    found = view.signal("signals/urls")
    listed = [set((names or "").split(",")) - {""} for names in found["listed"].to_pylist()]
    there = found["domain"].is_valid().to_pylist()
    hits: list[RuleHits] = []

    def rule(name: str, rows: list[int], evidence: Callable[[int], str]) -> None:
        hits.append(RuleHits(f"urls.{name}", np.array(rows, np.int64), [evidence(row) for row in rows]))

    pages = found["canonical"].to_pylist()
    denied = {"deny", *section.deny_categories}
    rule(
        "denied",
        [row for row, names in enumerate(listed) if names & denied],
        lambda row: f"{pages[row]} is in {', '.join(sorted(listed[row] & denied))}",
    )
    if section.allow:
        rule(
            "not_allowed",
            [row for row, names in enumerate(listed) if there[row] and "allow" not in names],
            lambda row: f"{pages[row]} is in no list that is allowed",
        )
    if section.robots:
        tags = found["robots"].to_pylist()
        rule(
            "robots",
            [row for row, said in enumerate(tags) if said and _REFUSING.search(said.lower())],
            lambda row: f"the page says {tags[row]}",
        )
    return hits


def _same(view: LedgerView) -> list[RuleHits]:
    """One canonical address twice: the first of the living stays."""
    if view.context.recipe.signals.urls.same != "drop":
        return []
    pages = view.signal("signals/urls")["canonical"].to_pylist()
    langs = view.documents["lang"].to_pylist()
    seen: dict[tuple[str, str], int] = {}
    same: dict[int, str] = {}
    ids = view.documents["id"]
    for row in np.flatnonzero(view.alive()).tolist():
        if pages[row] is not None:
            first = seen.setdefault((langs[row], pages[row]), row)
            if first != row:
                same[row] = told(pages[row], ids[first].as_py())
    return [RuleHits("urls.same", np.array(list(same), np.int64), list(same.values()))]


def told(page: str, other: str) -> str:
    """Return why a document is dropped whose address another one has."""
    return f"{page} is the address of {other}"


def _inputs(context: RunContext) -> dict[str, str]:
    section = context.recipe.signals.urls
    files = {
        f"{name} {n}": path
        for name in ("allow", "deny")
        for n, path in enumerate(context.paths(getattr(section, name)))
    }
    files |= {f"{name}/{path.name}": path for name, paths in _categories(context).items() for path in paths}
    return {name: digest_file(path) for name, path in files.items()}


RECIPE = RecipeKey(
    "signals.urls",
    UrlsSection | None,
    None,
    "domains of documents' addresses, and lists of them; null for not looking",
    place=24,
)

STEPS = StepSpec(
    name="signals/urls",
    code=(__name__,),
    make=Measured(_measure),
    wanted=lambda context: context.recipe.signals.urls is not None,
    config=lambda context: {
        "column": context.recipe.signals.urls.column,
        "robots": context.recipe.signals.urls.robots,
        "lists": [bool(context.recipe.signals.urls.allow), bool(context.recipe.signals.urls.deny)],
    },
    inputs=_inputs,
    per_document=True,
    extras=(Extra("raw", "signals.urls", ("tldextract",)),),
    columns=(
        Column("domain", "string", "registrable domain of the address"),
        Column("suffix", "string", "its public suffix"),
        Column("listed", "string", "names of the lists that hold it"),
        Column("robots", "string", "what the page says to robots"),
        Column("canonical", "string", "the address without what says nothing of its page"),
    ),
    rules=(
        Rule("urls", _hits, place=25, meaning="a list, or the page itself, says that its address is not wanted"),
        Rule("urls.same", _same, place=26, meaning="another document has its address"),
    ),
    meaning="domains of documents' addresses, and what lists say of them",
    place=41,
)
