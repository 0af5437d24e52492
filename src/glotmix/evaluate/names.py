"""Which language a task is in, told by its name: ``xcopa_et``, ``belebele_fra_Latn``, ``include_base_44_albanian``."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from glotmix.core import language
from glotmix.core.errors import RequestError, did_you_mean

_WITH_SCRIPT = re.compile(r"[a-z]{2,3}[_-]([A-Z][a-z]{3}|[A-Z]{2}|[a-z]{4})")
_ALONE = re.compile(r"[a-z]{2,3}")
_WORD = re.compile(r"[A-Za-z]{4,}([_-][A-Za-z]{4,}){0,2}")
_PARTS = re.compile(r"[^_\-:|.]+|[_\-:|.]+")
_SEPARATORS = "_-:|."
_SMALL_SCRIPTS = frozenset({"latn", "cyrl", "arab", "deva", "beng", "hans", "hant", "hani", "jpan", "hang", "tfng"})
"""Scripts that are taken in small letters with any language; others only with the language that they are usual for."""
_WRITTEN_AS = {
    "zh_cn": "zho_Hans", "zh_tw": "zho_Hant", "zh_hk": "zho_Hant", "pt_br": "por_Latn", "pt_pt": "por_Latn",
    "jp": "jpn_Jpan", "cn": "zho_Hans", "cz": "ces_Latn", "dk": "dan_Latn", "ua": "ukr_Cyrl", "vn": "vie_Latn",
}  # fmt: skip
"""Countries that benchmarks write in the place of a language, and that are no code of one."""


def split(name: str) -> tuple[str, str]:
    """Return the task without its language, and the language's canonical code: the last part that is one.

    Raises:
        RequestError: if no part of the name is a language.

    >>> split("belebele_fra_Latn"), split("arc_challenge_af_mubench"), split("arc_swahili")
    (('belebele', 'fra_Latn'), ('arc_challenge_mubench', 'afr_Latn'), ('arc', 'swh_Latn'))
    """
    return assign([name])[name]


def assign(names: Sequence[str], given: Mapping[str, str] | None = None) -> dict[str, tuple[str, str]]:
    """Return for each task its name without the language, and the language's canonical code.

    Many short words are the code of some language (``mcf``, ``law``, ``arc``). So of a name's parts that could be one,
    the last is taken that leaves a name which another task has too; failing that, the last that is an English name of a
    language or a code with a script; failing that, the last code. A language that is given is held against the others
    likewise: the part of its task's name that stands for it is what makes the rest another task's name.

    Args:
        names: of all tasks of a log.
        given: languages by the name of the task, where names do not tell them.

    Raises:
        RequestError: if no part of a name is a language, or a language is given for a task that is not there.

    >>> assign(["xnli_fra_mcf", "xnli_deu_mcf"])
    {'xnli_fra_mcf': ('xnli_mcf', 'fra_Latn'), 'xnli_deu_mcf': ('xnli_mcf', 'deu_Latn')}
    >>> assign(["quiz_fr", "quiz_x1"], {"quiz_x1": "sw"})
    {'quiz_fr': ('quiz', 'fra_Latn'), 'quiz_x1': ('quiz', 'swh_Latn')}
    """
    given = given or {}
    for name in given:
        if name not in names:
            near = did_you_mean(name, names)
            raise RequestError(f"--language {name}: there is no such task{near}", f"one of {', '.join(sorted(names))}")
    possible = {name: _candidates(name) for name in names if name not in given}
    without = {name: _shortened(name) for name in names if name in given}
    rests = [{rest for rest, _, _ in found} for found in possible.values()] + [set(w) for w in without.values()]
    shared = Counter(rest for found in rests for rest in found)
    told: dict[str, tuple[str, str]] = {}
    for name in names:
        if name in given:
            told[name] = _of_given(name, given[name], without[name], shared)
            continue
        joined = [(rest, lang) for rest, lang, _ in possible[name] if shared[rest] > 1]
        chosen = joined or [(rest, lang) for rest, lang, needs in possible[name] if not needs]
        if not chosen:
            raise RequestError(f"the name of the task {name!r} has no language in it", f"--language {name}=fra_Latn")
        told[name] = chosen[0]
    return told


def _of_given(name: str, code: str, without: Sequence[str], shared: Mapping[str, int]) -> tuple[str, str]:
    lang = language.parse(code).code
    other = next((rest for rest in without if shared[rest] > 1), None)
    if other is None:
        # No other task tells: what is taken away is what says the language itself.
        other = next((rest for rest, found, _ in _candidates(name) if found == lang), None)
    return other or name.replace(code, "").strip(_SEPARATORS) or name, lang


def _shortened(name: str) -> list[str]:
    """Return a name without one, two or three parts that follow one another, the last parts first."""
    parts = _PARTS.findall(name)
    found = []
    for width in (1, 3, 5):
        found += [
            _without(parts, at, width)
            for at in reversed(range(len(parts) - width + 1))
            if parts[at][0] not in _SEPARATORS and parts[at + width - 1][0] not in _SEPARATORS
        ]
    return [rest for rest in dict.fromkeys(found) if rest]


def _without(parts: Sequence[str], at: int, width: int) -> str:
    return ("".join(parts[: max(0, at - 1)]) + "".join(parts[at + width :])).strip(_SEPARATORS)


def _candidates(name: str) -> list[tuple[str, str, bool]]:
    """Return every way to take a language out of a name: the rest, the code, whether another task must share the rest.

    English names of languages and codes with a script come first, then codes alone; of each, the last part first.
    """
    parts = _PARTS.findall(name)
    sure, alone = [], []
    for end in range(len(parts), 0, -1):
        for width in (5, 3, 1):
            if width <= end and (lang := _sure("".join(parts[end - width : end]))) is not None:
                sure.append((_without(parts, end - width, width) or name, lang, False))
                break
        else:
            text = parts[end - 1]
            if text in _WRITTEN_AS:
                alone.append((_without(parts, end - 1, 1) or name, _WRITTEN_AS[text], True))
            elif _ALONE.fullmatch(text) and (lang := _parsed(text)) is not None:
                alone.append((_without(parts, end - 1, 1) or name, lang, False))
    return sure + alone


def _sure(text: str) -> str | None:
    """Return the language of a code with a script or a region, or of an English name."""
    if len(text) == 5 and (country := _WRITTEN_AS.get(text.replace("-", "_"))) is not None:
        return country
    if _WITH_SCRIPT.fullmatch(text):
        head, _, script = text.replace("-", "_").partition("_")
        if script.islower() and script not in _SMALL_SCRIPTS:
            usual = _parsed(head)
            return usual if usual is not None and usual.endswith(f"_{script.title()}") else None
        return _parsed(text)
    return language.named(re.sub("[_-]", " ", text)) if _WORD.fullmatch(text) else None


def _parsed(code: str) -> str | None:
    try:
        return language.parse(code).code
    except RequestError:
        return None
