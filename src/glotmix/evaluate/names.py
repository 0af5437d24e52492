"""Which language a task is in, told by its name: ``xcopa_et``, ``belebele_fra_Latn``, ``arc_challenge_af_mubench``."""

import re
from collections.abc import Mapping

from glotmix import language
from glotmix.errors import RequestError

_PARTS = re.compile(r"[^_\-:|.]+|[_\-:|.]+")


def split(name: str, given: Mapping[str, str] | None = None) -> tuple[str, str]:
    """Return the task without its language, and the language's canonical code.

    The last part of the name that is a language code is taken; with a script if one follows it.

    Args:
        name: the task's name.
        given: languages by the name of the task, where names do not tell them.

    Raises:
        RequestError: if no part of the name is a language.

    >>> split("belebele_fra_Latn"), split("arc_challenge_af_mubench")
    (('belebele', 'fra_Latn'), ('arc_challenge_mubench', 'afr_Latn'))
    """
    if given and name in given:
        return name.removesuffix(given[name]).rstrip("_-") or name, language.parse(given[name]).code
    parts = _PARTS.findall(name)
    for at in reversed(range(len(parts))):
        for width in (3, 1):
            code = "".join(parts[at : at + width])
            if (width == 3 and not re.fullmatch(r"[a-z]{2,3}[_-]([A-Z][a-z]{3}|[A-Z]{2})", code)) or not (
                width == 3 or re.fullmatch(r"[a-z]{2,3}", code)
            ):
                continue
            try:
                found = language.parse(code).code
            except RequestError:
                continue
            rest = "".join(parts[: max(0, at - 1)]) + "".join(parts[at + width :])
            return rest.strip("_-:|.") or name, found
    raise RequestError(
        f"the name of the task {name!r} has no language in it",
        f"--language {name}=fra_Latn",
    )
