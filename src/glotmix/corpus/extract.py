"""From a web page to its main text, and to what the page says of itself.

Two extractors stand behind one Protocol: Resiliparse (Bevendorff et al., ECIR 2018), the default, and Trafilatura
(Barbaresi, ACL 2021), slower by an order of magnitude. Both need the extra ``raw``, Trafilatura ``trafilatura``.
"""

import re
from functools import cache
from html import unescape
from typing import Any, Protocol

from glotmix.core.errors import MissingExtraError, RequestError
from glotmix.corpus import encoding
from glotmix.corpus.main_text import resiliparse
from glotmix.native import markup

EXTRACTORS = ("resiliparse", "trafilatura")
EMPTY = "no main text"
"""The reason in quarantine of a page without one: such pages are no damage, and not counted as such."""

_CC = re.compile(r"creativecommons\.org/(licenses|publicdomain)/([a-z+-]+)/(\d\.\d)", re.IGNORECASE)
_PUBLIC = {"zero": "CC0-1.0", "mark": "CC-PDDC"}
_DATES = ("article:published_time", "datepublished", "dc.date", "dcterms.date", "date", "dc.date.issued", "pubdate")
_SAID = [b"canonical", b"license", b"og:title", b"og:url", b"og:locale", b"og&", b"date", b"published_time"]
_SAID += [b"rights", b"robots", b"tdm-reservation", b"content-language"]
"""What stands in every tag that `about` reads, the colon perhaps as an entity; four in five tags have none of it."""
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[T ][\d:.]+(?:Z|[+-]\d\d:?\d\d)?)?")
_ATTRIBUTE = re.compile(r"""([\w:-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""")
_LANG = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*")


class Extractor(Protocol):
    """Anything that takes the main text out of a page: no navigation, no notices, no comments; a paragraph a line."""

    def __call__(self, tree: Any, html: str) -> str:
        """Return the main text of a page in trimmed lines, empty where there is none.

        Args:
            tree: the parsed page (`resiliparse.parse.html.HTMLTree`); it may be changed.
            html: the page as text.
        """


def trafilatura(tree: Any, html: str) -> str:
    """Extract with Trafilatura, without comments."""
    try:
        from trafilatura import extract
    except ImportError as error:
        raise MissingExtraError("extractor: trafilatura", "trafilatura") from error
    return "\n".join(lines(extract(html, include_comments=False) or ""))


@cache
def extractor(name: str) -> Extractor:
    """Return an extractor by its name.

    Raises:
        RequestError: if there is none.
        MissingExtraError: if its library is not installed.
    """
    found: dict[str, Extractor] = {"resiliparse": resiliparse, "trafilatura": trafilatura}
    if name not in found:
        raise RequestError(f"there is no extractor '{name}'", f"one of {', '.join(found)}")
    return found[name]


def page(html: str, extract: Extractor) -> dict[str, Any]:
    """Return a page's ``text``, and ``title, lang, date, license, url, robots`` where it says them.

    Args:
        html: the page.
        extract: takes the text out.
    """
    try:
        from resiliparse.parse.html import HTMLTree
    except ImportError as error:
        raise MissingExtraError("reading web pages", "raw") from error
    tree = HTMLTree.parse(html)
    told = about(tree, html)
    return {"text": extract(tree, html)} | {k: v for k, v in told.items() if v}


def lines(text: str) -> list[str]:
    """Return the lines of an extracted text: trimmed, one blank line at most between two, none at the ends."""
    found: list[str] = []
    for line in text.split("\n"):
        line = line.strip()  # noqa: PLW2901
        if line or (found and found[-1]):
            found.append(line)
    while found and not found[-1]:
        found.pop()
    return found


def about(tree: Any, html: str) -> dict[str, str | None]:
    """Return what a page says of itself: title, language tag, date, licence, canonical address, rules for robots."""
    root = tree.document
    if root is None:
        return {}
    metas: dict[str, str] = {}
    links: dict[str, str] = {}
    # By their text: walking a list of the parsed tree's elements costs ten times as much as all else that is done here.
    for tag in markup.head_tags(html, _SAID):
        said = {k.lower(): unescape(a or b or c).strip() for k, a, b, c in _ATTRIBUTE.findall(tag)}
        if (name := said.get("property") or said.get("name") or said.get("itemprop")) and said.get("content"):
            metas.setdefault(name.lower(), said["content"])
        if (href := said.get("href")) and tag[:5].lower() == "<link":
            for rel in said.get("rel", "").lower().split():
                links.setdefault(rel, href)
    # A look at the text first: the selector walks the whole tree.
    marked = "license" not in links and markup.holds(html, b"license")
    if marked and (link := root.query_selector("a[rel~=license]")) is not None:
        links["license"] = (link.getattr("href") or "").strip()
    top = root.document_element
    tag = (top.getattr("lang") or top.getattr("xml:lang") or "") if top is not None else ""
    lang = _LANG.match(tag.strip() or metas.get("og:locale", "") or metas.get("content-language", ""))
    date = next((m[0] for n in _DATES if (m := _DATE.match(metas.get(n, "")))), None)
    licence = links.get("license") or metas.get("dc.rights") or metas.get("dcterms.license")
    url = links.get("canonical") or metas.get("og:url")
    return {
        "title": (metas.get("og:title") or tree.title or "").strip() or None,
        "lang": lang[0].replace("_", "-") if lang else None,
        "date": date,
        "license": spdx(licence) if licence else None,
        "url": url if url and url.startswith(("http://", "https://")) else None,
        "robots": ", ".join(v.lower() for v in (metas.get("robots"), reserved(metas.get("tdm-reservation"))) if v)
        or None,
    }


def reserved(said: str | None) -> str | None:
    """Return what a page or its server says under ``tdm-reservation`` (TDMRep), with its name: alone it is a digit."""
    return f"tdm-reservation: {said.strip()}" if said and said.strip() else None


def spdx(licence: str) -> str:
    """Return the SPDX id of a Creative Commons address, anything else as it is.

    >>> spdx("https://creativecommons.org/licenses/by-sa/3.0/deed.de")
    'CC-BY-SA-3.0'
    """
    if not (found := _CC.search(licence)):
        return licence
    kind, terms, version = found[1].lower(), found[2].lower(), found[3]
    return _PUBLIC.get(terms, licence) if kind == "publicdomain" else f"CC-{terms.upper()}-{version}"


_META = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]+)", re.IGNORECASE)


def decoded(data: bytes, said: str | None = None) -> tuple[str, encoding.Guess]:
    """Decode a page by its mark, by UTF-8, by what the server (`said`) or the page declares, or by its bytes.

    A byte that is not in that encoding becomes U+FFFD, as in browsers.
    """
    declared = said or (m[1].decode() if (m := _META.search(data[:4096])) else None)
    told = encoding.guess(data, declared, markup=True)
    name = "utf-8" if told.name == "unknown" else told.name
    return data.decode(name, "replace").removeprefix("\ufeff"), told
