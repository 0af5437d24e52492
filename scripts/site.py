"""What MkDocs calls while it builds the site: links that lead out of docs/ go to the repository."""

import posixpath
import re
from typing import Any

REPOSITORY = "https://github.com/glotmix/glotmix/blob/main/"


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Return a page whose links to files beside docs/ are addresses."""
    folder = posixpath.dirname(posixpath.join("docs", page.file.src_uri))

    def address(found: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(folder, found[1]))
        return found[0] if path.startswith("docs/") else f"]({REPOSITORY}{path}{found[2] or ''})"

    return re.sub(r"\]\((\.\./[^)#\s]*)(#[^)\s]*)?\)", address, markdown)
