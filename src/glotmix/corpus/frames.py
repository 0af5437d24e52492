"""Where a page's main text stands: selectors of the elements that may hold it, and of what else these hold.

Sites name their elements in English, whatever language they are in: ``article-body``, ``related``. The names here are
those of Trafilatura's rules (Barbaresi, ACL 2021; Apache-2.0), without those of single sites. Its way through them is
kept too: kinds of frames from the surest to the least sure.
"""

from collections import defaultdict
from functools import cache
from typing import NamedTuple

from glotmix.native.markup import Names

_BLOCKS = ("div", "li", "ul", "ol", "dl", "p", "section", "span")
_SHARED = (
    "^shar,social,viral,newsletter,syndication,tags,sidebar,banner,breadcrumb,bread-crumb,button,author,cookie,footer,"
    "related,message-container,teaser,caption"
)
_BODIES = (
    "entry-content,article-content,art-content,article__content,articlecontent,article-body,article__body,articlebody,"
    "body-text"
)


class Kind(NamedTuple):
    """Elements that are told by parts of their names.

    Attributes:
        tags: which elements.
        classes: parts of their ``class`` in small letters; ``^part`` begins it, ``=part`` is all of it, ``~`` is a
            blank.
        ids: the same of their ``id``.
        always: other selectors that tell them.
        but: selectors of those that are not meant.
    """

    tags: tuple[str, ...]
    classes: str = ""
    ids: str = ""
    always: tuple[str, ...] = ()
    but: str = ""

    @property
    def names(self) -> list[tuple[str, str]]:
        """Return all names with the attribute in which they stand."""
        return [(attribute, name) for attribute, said in (("class", self.classes), ("id", self.ids))
                for name in said.split(",") if name]  # fmt: skip

    def selector(self, told: list[str]) -> str:
        """Return one selector of the elements that any of `told` tells, empty if there is none."""
        any_of = ",".join((*told, *self.always))
        return f":is({','.join(self.tags)}){self.but}:is({any_of})" if any_of else ""


_HOLDERS = ("article", "div", "main", "section")
FRAMES = (
    Kind(
        _HOLDERS,
        f"{_BODIES},page-content,text-content,post-text,post_text,post-body,post-entry,postentry,post-content,"
        "post_content,postcontent,post_inner_wrapper,article-text,articletext,article__container,=post,=entry",
        _BODIES,
        ("[itemprop=articleBody]",),
    ),
    Kind(("article",), always=("article",)),
    Kind(
        _HOLDERS,
        "fulltext,post-bodycopy,story-content,storycontent,theme-content,blog-content,section-content,single-content,"
        "single-post,main-column,wpb_text_column,story-body,field-body,^article~,=postarea,=art-postcontent,=text,=cell,"
        "=story",
        "story-body,^primary,=article,=story",
        ("[role=article]",),
    ),
    Kind(
        _HOLDERS,
        "content-main,content_main,content-body,content__body,contentbody,main-content,page-content,=content",
        "content-main,content-body,contentbody,main-content,=content",
    ),
    Kind(_HOLDERS, "^main", "^main", ("main", "[role^=main]")),
)
"""The elements that may hold the main text, the surest kind first."""

COMMENTS = Kind(
    ("div", "ul", "ol", "dl", "section", "details"),
    "^comment,article-comments,post-comments,infinite-scroll,infinitescroll",
    "^comment,comol,disqus_thread,dsq-comments,infinite-scroll,infinitescroll",
    but=":not([class^=commentary i],[id^=commentary i])",
)
"""What readers wrote below a text, and other texts that follow it without end."""

OTHERS = Kind(
    _BLOCKS,
    f"{_SHARED},^nav,post-nav,subnav,navigation,navbar,navbox,menu,bar,^ad-,-ad-,~ad~,~ad-,outbrain,taboola,criteo,"
    "paid-content,paidcontent,widget,byline,share-,sociable,embed,tag-list,consent,modal-content,permission,next-,"
    "-stories,most-popular,more-on,meta,rating,attachment,timestamp,user-info,user-profile,-icon,article-infos,slide,"
    "viewport,overlay,options,expand,obfuscated,blurred,comments-title,nocomments,-reply-,message,suggest-links,"
    "^hide-,-hide-,hide-print,~hide,~hidden,noprint,notloaded",
    f"{_SHARED},^jp-,^ad-,share,nav,menu,premium,hidden,reader-comments,akismet,^reply-",
)
"""What stands in a frame and is no main text: navigation, advertisements, teasers, notices, captions, who wrote it."""

READINGS = "rt,rp"
"""How a Japanese or Chinese word is read, small above it."""
NO_TEXT = f"aside,footer,form,nav,td[class*=gutter],:not(p)>time,{READINGS}"
"""Elements that hold no main text by what they are, and the numbers beside lines of code."""

_KINDS = (*FRAMES, COMMENTS, OTHERS)


class Selectors(NamedTuple):
    """The selectors that matter to one page.

    Attributes:
        frames: of each kind of `FRAMES`, empty for those that the page has none of.
        comments: of `COMMENTS`.
        others: of `OTHERS`.
    """

    frames: list[str]
    comments: str
    others: str


@cache
def _known() -> tuple[Names, list[list[tuple[int, str]]]]:
    """Return what finds the parts of names, and for each part the kinds that it tells and how."""
    rules: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for number, kind in enumerate(_KINDS):
        for attribute, name in kind.names:
            how = {"^": "^", "=": ""}.get(name[0], "*")
            part = name.lstrip("^=").replace("~", " ")
            rules[part].append((number, f'[{attribute}{how}="{part}" i]'))
    tags = sorted({tag for kind in _KINDS for tag in kind.tags})
    return Names(list(rules), tags), list(rules.values())


def selectors(html: str) -> Selectors:
    """Return the selectors of a page's frames and of what else these hold.

    The parser's selectors cost time for every name that they ask for, so only names that occur are asked for.

    >>> selectors('<div class="Page-Content"><p id="menu">').others
    ':is(div,li,ul,ol,dl,p,section,span):is([class*="menu" i],[id*="menu" i])'
    """
    names, rules = _known()
    told: list[list[str]] = [[] for _ in _KINDS]
    for part in names.among(html):
        for kind, selector in rules[part]:
            told[kind].append(selector)
    *frames, comments, others = (kind.selector(found) for kind, found in zip(_KINDS, told, strict=True))
    return Selectors(frames, comments, others)
