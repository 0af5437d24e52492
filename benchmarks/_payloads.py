"""Texts that would run a script in a page which takes a string for markup, each with its number.

Every one calls `hit(NUMBER)` if it runs. Of the kinds in OWASP's cheat sheet on cross-site scripting filters, in forms
of our own: elements, attributes, addresses, ends of elements, comments, encodings, templates, and what text in other
scripts can hide (overrides of direction, joiners, full-width letters).
"""

_FORMS = (
    "<script>hit({n})</script>",
    "<img src=x onerror=hit({n})>",
    "<svg onload=hit({n})>",
    "<svg><script>hit({n})</script></svg>",
    "<svg><animate onbegin=hit({n}) attributeName=x dur=1s>",
    "<iframe srcdoc='<script>parent.hit({n})</script>'></iframe>",
    "<iframe src=javascript:parent.hit({n})></iframe>",
    "<a href=javascript:hit({n}) autofocus onfocus=hit({n})>x</a>",
    "<input autofocus onfocus=hit({n})>",
    "<details open ontoggle=hit({n})>",
    "<video src=x onerror=hit({n})></video>",
    "<body onload=hit({n})>",
    "<style>@import 'javascript:hit({n})';</style>",
    "<link rel=stylesheet href=javascript:hit({n})>",
    "<meta http-equiv=refresh content='0;url=javascript:hit({n})'>",
    "<object data=javascript:hit({n})></object>",
    "<embed src=javascript:hit({n})>",
    "<form action=javascript:hit({n})><button autofocus onfocus=hit({n})>x</button></form>",
    "<math><mtext><img src=x onerror=hit({n})></mtext></math>",
    "<template><script>hit({n})</script></template><script>hit({n})</script>",
    "\"><script>hit({n})</script>",
    "'><img src=x onerror=hit({n})>",
    "</title></textarea></script></style><script>hit({n})</script>",
    "--><script>hit({n})</script><!--",
    "]]><script>hit({n})</script>",
    "<noscript><p title='</noscript><img src=x onerror=hit({n})>'>",
    "&lt;script&gt;hit({n})&lt;/script&gt;",
    "\\u003cscript\\u003ehit({n})\\u003c/script\\u003e",
    "${{hit({n})}} {{{{hit({n})}}}} #{{hit({n})}}",
    "javascript:hit({n})",
    "data:text/html,<script>parent.hit({n})</script>",
    "\u202e<script>hit({n})</script>\u202c",
    "<scr\u200dipt>hit({n})</scr\u200dipt><script\u3000>hit({n})</script>",
    "\uff1cscript\uff1ehit({n})\uff1c/script\uff1e<script>hit({n})</script>",
    "\u05d0\u05d1<img src=x onerror=hit({n})>\u0627\u0644",
    "<IMG SRC=`x` ONERROR=`hit({n})`>",
    "<img src=x onerror&#61;hit({n})><img/src=x/onerror=hit({n})>",
    "<x contenteditable autofocus tabindex=1 onfocus=hit({n})>",
    "__proto__",
    "constructor",
)  # fmt: skip

PAYLOADS = tuple(form.format(n=n) for n, form in enumerate(_FORMS))
"""What stands in ids, texts, names of sources, addresses and evidence."""
