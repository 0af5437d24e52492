"""Which language a task is in, told by its name: ``xcopa_et``, ``belebele_fra_Latn``, ``arc_challenge_af_mubench``."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from glotmix.core import language
from glotmix.core.errors import RequestError

_WITH_SCRIPT = re.compile(r"[a-z]{2,3}[_-]([A-Z][a-z]{3}|[A-Z]{2})")
_ALONE = re.compile(r"[a-z]{2,3}")
_PARTS = re.compile(r"[^_\-:|.]+|[_\-:|.]+")


def split(name: str) -> tuple[str, str]:
    """Return the task without its language, and the language's canonical code: the last part that is one.

    Raises:
        RequestError: if no part of the name is a language.

    >>> split("belebele_fra_Latn"), split("arc_challenge_af_mubench")
    (('belebele', 'fra_Latn'), ('arc_challenge_mubench', 'afr_Latn'))
    """
    return assign([name])[name]


def assign(names: Sequence[str], given: Mapping[str, str] | None = None) -> dict[str, tuple[str, str]]:
    """Return for each task its name without the language, and the language's canonical code.

    Many short words are the code of some language (``mcf``, ``law``). So of a name's parts that could be one, the last
    is taken that leaves a name which another task has too, in another language; failing that, the last.

    Args:
        names: of all tasks of a log.
        given: languages by the name of the task, where names do not tell them.

    Raises:
        RequestError: if no part of a name is a language.

    >>> assign(["xnli_fra_mcf", "xnli_deu_mcf"])
    {'xnli_fra_mcf': ('xnli_mcf', 'fra_Latn'), 'xnli_deu_mcf': ('xnli_mcf', 'deu_Latn')}
    """
    given = given or {}
    possible = {name: _candidates(name) for name in names if name not in given}
    shared = Counter(rest for found in possible.values() for rest in {rest for rest, _ in found})
    told: dict[str, tuple[str, str]] = {}
    for name in names:
        if name in given:
            told[name] = name.replace(given[name], "").strip("_-:|.") or name, language.parse(given[name]).code
            continue
        if not possible[name]:
            raise RequestError(f"the name of the task {name!r} has no language in it", f"--language {name}=fra_Latn")
        told[name] = next((c for c in possible[name] if shared[c[0]] > 1), possible[name][0])
    return told


def _candidates(name: str) -> list[tuple[str, str]]:
    """Return every way to take a language out of a name, the last part first, with a script before without."""
    parts = _PARTS.findall(name)
    found = []
    for at in reversed(range(len(parts))):
        for width, form in ((3, _WITH_SCRIPT), (1, _ALONE)):
            code = "".join(parts[at : at + width])
            if not form.fullmatch(code):
                continue
            try:
                lang = language.parse(code).code
            except RequestError:
                continue
            rest = "".join(parts[: max(0, at - 1)]) + "".join(parts[at + width :])
            found.append((rest.strip("_-:|.") or name, lang))
            break
    return found
