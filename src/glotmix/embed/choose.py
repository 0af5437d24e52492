"""An embedder by its name, as recipes and commands give it."""

from pathlib import Path

from glotmix.core import files
from glotmix.core.errors import RequestError, did_you_mean
from glotmix.embed.protocol import Embedder
from glotmix.embed.static import read, shipped

NAMES = ("static", "use", "hybrid")


def load(spec: str, base: Path = Path()) -> Embedder:
    """Return the embedder of a name.

    Args:
        spec: ``static`` (the one that ships), ``use`` (USE-multilingual v3), ``hybrid`` (both), ``hub:NAME@REVISION``
            (a model of the Hugging Face hub, or ``hub:./folder``), or the path of a folder with a static embedder.
        base: where relative paths start.

    Raises:
        RequestError: if there is none of that name.
        MissingExtraError: if what it needs is not installed.

    >>> load("static").width
    192
    """
    if spec == "static":
        return shipped()
    if spec in ("use", "hybrid"):
        from glotmix.embed.use import Hybrid, Use

        return Use() if spec == "use" else Hybrid(shipped(), Use())
    if spec.startswith("hub:"):
        from glotmix.embed.hub import HubEmbedder

        name, _, revision = spec.removeprefix("hub:").partition("@")
        path = files.placed(base, name)
        return HubEmbedder(str(path) if path.is_dir() else name, revision or None)
    if (path := files.placed(base, spec)).is_dir():
        return read(path)
    hint = did_you_mean(spec, NAMES)
    raise RequestError(f"there is no embedder '{spec}'{hint}", f"{', '.join(NAMES)}, hub:NAME@REVISION, or a folder")
