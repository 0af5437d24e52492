"""The one guard of the extra `train`."""

from importlib.util import find_spec

from glotmix.core.errors import MissingExtraError


def installed() -> bool:
    """Say whether proxies can be trained here: torch and tokenizers are installed."""
    return all(find_spec(name) is not None for name in ("torch", "tokenizers"))


def need(wanted: str) -> None:
    """Check that proxies can be trained here, before anything that imports torch is imported.

    Args:
        wanted: what needs it, as a user would name it.

    Raises:
        MissingExtraError: naming what to install.
    """
    if not installed():
        raise MissingExtraError(wanted, "train")
