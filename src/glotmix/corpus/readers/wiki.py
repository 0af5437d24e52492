"""What Wikimedia gives away of its wikis: the XML dump (wikitext), and the CirrusSearch dump (JSON, plain text).

Pages of the main namespace are documents (`namespaces` names others); redirects are none. The wikitext of the XML dump
is made plain by mwparserfromhell (the extra ``raw``): templates, tables, references, files and categories are left out,
and what templates would have written is missing. CirrusSearch holds the text as the wiki itself extracted it: where
there is such a dump, prefer it.
"""

import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

from glotmix.core.errors import MissingExtraError
from glotmix.corpus import encoding, jsonl
from glotmix.corpus.extract import EMPTY
from glotmix.corpus.readers import markup
from glotmix.corpus.readers.spec import ReaderSpec, Record, columns, reading
from glotmix.corpus.rows import Reject, shown
from glotmix.corpus.sources import InputFile, Source

_DROPPED = {"table", "ref", "references", "gallery", "math", "timeline", "syntaxhighlight", "source", "score", "hiero"}
_BLANKS = re.compile(r"\n{3,}")
_PREFIXES = {"file", "image", "media", "category"}
_OTHER_WIKI = re.compile(r"[a-z]{2,3}(-[a-z]{2,8})*")
_FILE = re.compile(r"\.(jpe?g|png|svg|gif|tiff?|webp|og[gva]|webm|wav|mp3|midi?|pdf|djvu)\s*$", re.IGNORECASE)
_SWITCH = re.compile(r"__[A-Z]+__")


def _dump(source: Source, file: InputFile) -> Iterator[Record | Reject]:
    about: dict[str, Any] = {}
    base = ""
    prefixes: set[str] = set()
    at = 0
    told = encoding.Guess("utf-8", 1.0)
    with jsonl.opened(file) as stream:
        for whole, data in markup.elements(encoding.Transcoded(stream, told), "page|base|namespace", "mediawiki"):
            if not whole:
                lang = markup.attributes(data).get(markup.LANG)
                about = {"lang": lang} if lang else {}
                continue
            if data.startswith(b"<base"):
                base = re.sub(r"<[^>]*>", "", data.decode("utf-8", "replace")).rsplit("/", 1)[0] + "/"
                continue
            if data.startswith(b"<namespace"):
                if markup.attributes(data[: data.index(b">") + 1]).get("key") in ("6", "14"):
                    prefixes.add(re.sub(r"<[^>]*>", "", data.decode("utf-8", "replace")).strip().lower())
                continue
            at += 1
            try:
                page = markup.parse(data)
            except ElementTree.ParseError as error:
                yield Reject(at, "damaged record", str(error), shown(data[:1000]))
                continue
            found = _page(source, at, page, base, prefixes)
            if isinstance(found, Record):
                found = found._replace(fields=found.fields | about)
            if found is not None:
                yield found


def _page(source: Source, at: int, page: Any, base: str, prefixes: Collection[str]) -> Record | Reject | None:
    said = (page.findtext("ns") or "0").strip()
    if not re.fullmatch(r"-?[0-9]{1,9}", said):
        return Reject(at, "damaged record", f"a namespace that is no number: {said[:50]}", page.findtext("title") or "")
    if page.find("redirect") is not None or int(said) not in source.options.namespaces:
        return None
    title = page.findtext("title") or ""
    # The last revision is the page as it stands; a dump of the history holds all.
    revision = page.findall("revision")[-1:] or [page]
    wikitext = revision[0].findtext("text") or ""
    if not (text := plain(wikitext, prefixes)):
        # All of it is templates, or hidden by the wiki.
        return Reject(at, EMPTY, title, shown(wikitext))
    fields = {
        "text": text,
        "title": title,
        "page_id": page.findtext("id"),
        "date": revision[0].findtext("timestamp"),
        "url": base + quote(title.replace(" ", "_"), safe="/:,()'!*@&;=") if base else None,
    }
    return Record(at, {k: v for k, v in fields.items() if v is not None}, wikitext or title)


def plain(wikitext: str, prefixes: Collection[str] = ()) -> str:
    """Return wikitext as plain text: a line a paragraph or item, headings among them.

    Args:
        wikitext: of a page.
        prefixes: what the wiki calls files and categories, in small letters; the English names are known.

    >>> plain("'''Ulm''' ist eine [[Stadt|Großstadt]].{{Quelle}}\\n[[Datei:a.jpg|mini|Ulm]]\\n* An der [[Donau]]")
    'Ulm ist eine Großstadt.\\n\\nAn der Donau'
    """
    try:
        import mwparserfromhell
        from mwparserfromhell.nodes import Tag, Template, Wikilink
    except ImportError as error:
        raise MissingExtraError("reading wikitext", "raw") from error

    def gone(node: Any) -> bool:
        match node:
            case Template():
                return True
            case Tag():
                return str(node.tag).strip().lower() in _DROPPED
            case Wikilink():
                prefix, colon, name = str(node.title).partition(":")
                prefix = prefix.strip().lower()
                own = prefix in _PREFIXES or prefix in prefixes or _OTHER_WIKI.fullmatch(prefix) is not None
                return bool(colon and prefix) and (own or _FILE.search(name) is not None)
        return False

    code = mwparserfromhell.parse(wikitext)
    for node in code.filter(recursive=True, matches=gone):
        # What stood in one that went before went with it.
        with suppress(ValueError):
            code.remove(node)
    text = _SWITCH.sub("", str(code.strip_code(normalize=True, collapse=True, keep_template_params=False)))
    lines = "\n".join(line.strip() for line in text.split("\n"))
    return _BLANKS.sub("\n\n", lines).strip()


def _search(source: Source, file: InputFile) -> Iterator[Record | Reject]:
    line = 1
    for block, too_long in jsonl.blocks(file, 0, None):
        if too_long:
            yield Reject(line, "over-long line", f"more than {jsonl.LINE_BYTES:,} bytes", shown(block))
            line += 1
            continue
        at, raw, pages, rejects, count = jsonl.objects(block, line)
        jsonl.keep_encodable(at, raw, pages, rejects)
        yield from rejects
        for number, start, page in zip(at, raw, pages, strict=True):
            if "index" in page and "text" not in page:
                continue  # it announces the next line
            if page.get("namespace", 0) not in source.options.namespaces or page.get("redirect_to"):
                continue
            if "text" in page and not page["text"]:
                yield Reject(number, EMPTY, str(page.get("title") or ""), shown(start))
                continue
            fields = {
                "text": page.get("text"),
                "title": page.get("title"),
                "page_id": str(page["page_id"]) if "page_id" in page else None,
                "lang": page.get("language"),
                "date": page.get("timestamp"),
                "wiki": page.get("wiki"),
            }
            yield Record(number, {k: v for k, v in fields.items() if v is not None}, start)
        line += count


def _is_search(start: bytes) -> bool:
    return re.match(rb'\s*\{"index":\s*\{[^{}]*"_id"', start) is not None


READER = (
    ReaderSpec(
        name="mediawiki",
        endings=(".xml",),
        read=reading(_dump),
        peek=columns("text", "title", "page_id", "date", "url", "lang"),
        counts="page",
        sniff=lambda start: b"<mediawiki" in start,
        options=("namespaces",),
    ),
    ReaderSpec(
        name="cirrussearch",
        endings=(),
        read=reading(_search),
        peek=columns("text", "title", "page_id", "lang", "date", "wiki"),
        counts="line",
        sniff=_is_search,
        options=("namespaces",),
    ),
)
