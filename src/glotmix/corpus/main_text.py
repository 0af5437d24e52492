"""The main text of a page: in the element whose name tells that it holds it, else by Resiliparse's rules.

The frames of `glotmix.corpus.frames` are tried, the surest kind first, and what its name tells to be something else is
left out of them (after Trafilatura, Barbaresi, ACL 2021, in this simpler form of ours). A page without a frame that
holds text goes by Resiliparse's own rules for main content. Then blocks are told apart (`main_blocks`).
"""

import re
from html import unescape
from typing import Any

from glotmix.corpus import frames
from glotmix.native import markup

_SURE = 1000
"""A text of this width is believed to be all of it; a shorter one is compared with Resiliparse's own main content."""
_SHARE = 0.3
"""A shorter text goes with less of Resiliparse's width; a first frame with less of all frames' text is one of many."""
_LEFT = 4
"""Names that would take all but a quarter of a text away mean something else (Trafilatura: all but a seventh)."""
_LEVELS = 2
_NEAR = 20
"""A heading near a frame stands before it, or before what holds it, with so many elements between at most."""
_OTHER_THINGS = [
    *(f"[class*={part}]" for part in ("related", "newsletter", "footer", "recommend", "disclaimer", "pagination")),
    "[class*=caption]",
    "td[class*=gutter]",
    frames.READINGS,
]
_LINKED = 0.8
"""The share of links from which a block is one (as in Trafilatura)."""
_LONG = 80
_LINK = re.compile(r"<a [^>]*>(.*?)</a>")
_TAG = re.compile(r"<[^>\n]*>")
_BLANKS = re.compile("  +")
SOFT_HYPHEN = "\u00ad"
"""Where a browser may break a word: no letter of it."""
_WIDE = re.compile("[\u1100-\u11ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\U00020000-\U0003ffff]")
_END = re.compile("[.!?…:。！？।॥؟۔።፧។။།။᙮꘎⳹][\"'”’»«)\\]」』]*$")
_ENDLESS = re.compile("[\u0e00-\u0eff\u1980-\u19df]")
"""Thai, Lao, New Tai Lue: no mark ends a sentence."""


def resiliparse(tree: Any, html: str) -> str:
    """Extract with Resiliparse from the frame of the main text."""
    from resiliparse.parse.html import HTMLTree

    _unfold(tree, html)
    asked = frames.selectors(html)
    for selector in asked.frames:
        if not selector or tree.body is None or (frame := _frame(tree, selector)) is None:
            continue
        blocks = _framed(tree, frame, asked)
        width = _width("".join(blocks))
        if width >= _SURE:
            return "\n".join(blocks)
        # What was not in the frame is gone from the tree.
        tree = HTMLTree.parse(html)
        _unfold(tree, html)
        if len(blocks) > 1:
            whole = _blocks(tree, _OTHER_THINGS, main=True)
            return "\n".join(blocks if width >= _SHARE * _width("".join(whole)) else whole)
    return "\n".join(_blocks(tree, _OTHER_THINGS, main=True))


def _unfold(tree: Any, html: str) -> None:
    """Take code and tables out of figures: Resiliparse leaves these out as pictures."""
    if markup.holds(html, b"<figure"):
        for figure in tree.document.query_selector_all("figure:has(pre,table)").values():
            figure.replace_with(*figure.child_nodes.values())


def _frame(tree: Any, selector: str) -> Any:
    """Return the first element of a kind, or what holds all of its kind where the first is one of many: of posts.

    None if there is none, or if only the whole page holds them all.
    """
    found: list[Any] = []
    # `values`: a list of elements asks anew for each that is taken from it.
    for element in tree.document.query_selector_all(selector).values():
        if not (found and found[-1].contains(element)):
            found.append(element)
    if len(found) < 2:
        return found[0] if found else None
    sizes = [len(element.text or "") for element in found]
    frame = found[0]
    if sizes[0] < _SHARE * sum(sizes):
        while not frame.contains(found[-1]):
            if (frame := frame.parent_element) is None or frame.tag in ("body", "html"):
                return None
    return frame


def _framed(tree: Any, frame: Any, asked: frames.Selectors) -> list[str]:
    """Return the blocks of a frame and of the lead before it.

    Args:
        tree: the page, of which only these are left.
        frame: the frame.
        asked: the page's selectors.
    """
    size = len(frame.text or "")
    # A frame is not left out by its own name.
    for name in ("class", "id"):
        if frame.hasattr(name):
            frame.delattr(name)
    tree.body.replace_children(*_lead(frame), frame)
    skip = [frames.NO_TEXT, *filter(None, (asked.comments,))]
    blocks = _blocks(tree, [*skip, asked.others] if asked.others else skip)
    if asked.others and _LEFT * (left := len("".join(blocks))) <= size:
        more = _blocks(tree, skip)
        if _LEFT * left <= len("".join(more)):
            return more
    return blocks


def _lead(frame: Any) -> list[Any]:
    """Return what stands between the page's heading and a frame: the lead. Nothing if the heading is not near it."""
    if frame.query_selector("h1") is not None:
        return []
    before: list[Any] = []
    node = frame
    for _ in range(_LEVELS):
        other = node
        while len(before) < _NEAR and (other := other.previous_element_sibling) is not None:
            before.append(other)
            if other.tag == "h1" or other.query_selector("h1") is not None:
                return before[::-1]
        node = node.parent_element
        if node is None or node.tag in ("body", "html"):
            break
    return []


def _blocks(tree: Any, skip: list[str], main: bool = False) -> list[str]:
    from resiliparse.extract.html2text import extract_plain_text

    found = extract_plain_text(
        tree,
        preserve_formatting="minimal_html",
        main_content=main,
        list_bullets=False,
        alt_texts=False,
        links=True,
        form_fields=False,
        noscript=False,
        comments=False,
        post_meta=False,
        skip_elements=skip,
    )
    return main_blocks(str(found))


def main_blocks(found: str) -> list[str]:
    """Return the blocks of main content as plain text, without those that are none.

    Links and length decide, after Kohlschütter et al. (Boilerplate Detection using Shallow Text Features, 2010), in
    this simpler form of ours. A block goes if more than four fifths of its characters are links, if it stands more
    than one block before the first long block, if it stands behind the last long one and is no sentence, or if it is
    short, ends with a colon, and the block behind it went. A block is long from 80 characters, of which a Chinese,
    Japanese or Korean one counts for 2.5. A page without a long one keeps all. Blocks are trimmed, but for code.

    >>> main_blocks('<h1>Ulm</h1>\\n<p>Am Fluss &amp; <a href="b">Blau</a></p>\\n<p><a href="c">Impressum</a></p>')
    ['Ulm', 'Am Fluss & Blau']
    """
    blocks: list[tuple[str, bool, bool]] = []
    # No-break spaces are layout on the web, unlike narrow ones (U+202F), with which Mongolian joins endings.
    found = found.replace(SOFT_HYPHEN, "").replace("\u00a0", " ")
    wide = _WIDE.search(found) is not None
    code = False
    for line, bare in zip(found.split("\n"), _TAG.sub("", found).split("\n"), strict=True):
        text = unescape(bare) if "&" in bare else bare
        if code or "<pre" in line:
            code, text = line.rfind("</pre>") <= line.rfind("<pre"), text.rstrip()
        elif "  " in (text := text.strip()):
            text = _BLANKS.sub(" ", text)
        if not text:
            continue
        links = len(unescape(_TAG.sub("", "".join(_LINK.findall(line))))) if "<a " in line else 0
        long = (_width(text) if wide else len(text)) >= _LONG
        blocks.append((text, long and links < 0.3 * len(text), links > _LINKED * len(text)))
    ends = [at for at, block in enumerate(blocks) if block[1]]
    first, last = (ends[0], ends[-1]) if ends else (0, len(blocks))
    kept: list[str] = []
    behind = False
    for at in range(len(blocks) - 1, -1, -1):
        text, long, linked = blocks[at]
        follows, behind = behind, not linked and at >= first - 1 and (at <= last or _is_sentence(text))
        # A colon announces what stands behind it: with that gone, nothing.
        if behind and not long and not follows and text.endswith((":", "：")):
            behind = False
        if behind:
            kept.append(text)
    return kept[::-1]


def _width(text: str) -> float:
    return len(text) + (0 if text.isascii() else 1.5 * len(_WIDE.findall(text)))


def _is_sentence(text: str) -> bool:
    """Whether a short block may be prose: it ends as a sentence does, or its script has no such end."""
    return _width(text) > 25 and (_END.search(text) is not None or _ENDLESS.search(text) is not None)
