"""The shell of a page: one HTML file that holds its style, its scripts and its data, and loads nothing.

A policy admits the page's own scripts, by hash, and nothing else, whatever a document of the web says.
"""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from glotmix.core import language
from glotmix.core.warning import named
from glotmix.report import excerpt

if TYPE_CHECKING:
    import jinja2

VENDORED = {"vega": "6.4.0", "vegalite": "6.4.1", "embed": "7.3.0"}
"""The bundles that a page holds, and their versions."""

_SCRIPTS = ("vendor/vega.min.js", "vendor/vega-lite.min.js", "vendor/vega-embed.min.js", "page.js")


def names(order: Sequence[str]) -> dict[str, str]:
    """Return the English name of each language, with the script where a name comes twice."""
    plain = {code: language.parse(code).name for code in order}
    common = [name for name in plain.values() if list(plain.values()).count(name) > 1]
    return {code: f"{name} ({language.parse(code).script})" if name in common else name for code, name in plain.items()}


def render(template: str, context: Mapping[str, Any]) -> str:
    """Return the page that a template makes of its values; its bytes depend on them alone."""

    import altair

    scripts = [_resource(name) for name in _SCRIPTS]
    allowed = " ".join(f"'sha256-{_hash(script)}'" for script in scripts)
    # Vega compiles its expressions, which are this page's own, hence unsafe-eval; styles carry numbers for bars.
    policy = (
        f"default-src 'none'; script-src {allowed} 'unsafe-eval'; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        _environment()
        .get_template(template)
        .render(
            context,
            policy=policy,
            style=Markup(_resource("style.css")),
            scripts=[Markup(script) for script in scripts],
            drawn_with=VENDORED | {"altair": altair.__version__},
        )
    )


@cache
def _environment() -> "jinja2.Environment":
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("glotmix", "report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"num": num, "pct": pct, "short": _short, "size": size, "tag": excerpt.tag, "soft": _soft}
    environment.filters["named"] = named
    return environment


@cache
def _resource(name: str) -> str:
    text = (files("glotmix") / "report" / name).read_text("utf-8")
    # The bundles name source maps that nobody ships.
    return re.sub(r"\n//# sourceMappingURL=.*\n?$", "\n", text)


def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _soft(name: str) -> Markup:
    """Escape a rule's name, with places where its line may break."""
    return Markup(re.sub(r"([._])", r"\1<wbr>", str(escape(name))))


def num(value: int) -> str:
    """Write a count with commas."""
    return f"{value:,}"


def pct(share: float) -> str:
    """Write a share in percent; what is there is never 0."""
    return "<0.1%" if 0 < share < 0.0005 else f"{share:.1%}"


def _short(share: float) -> str:
    """Write a share for a cell of a matrix, in percent: a dot is none, and what is there is never 0."""
    if share == 0:
        return "·"
    return f"{100 * share:.0f}" if share >= 0.0095 else "<1"


def size(count: float) -> str:
    """Write bytes for people, in powers of ten."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} B" if unit == "B" else f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.3g} TB"
