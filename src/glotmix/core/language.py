"""The checked language: ``fra_Latn``, ISO 639-3 and ISO 15924.

`parse` reads what the field writes (``fr``, ``fra``, ``fr-FR``, ``zho_Hans``, ``zh-Hant-TW``, ``ger``) and returns one
canonical form. Where a language has several codes (``zho``/``cmn``, ``ara``/``arb``, ``nor``/``nob`` …), the table
``data/canonical.tsv`` names the one that glotmix uses: FLORES-200's. A macro-language code that stands there means its
one member of the table; any other (``hbs``, ``lah``, ``kok`` …) stays itself, and is compatible with all its members.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Literal, NamedTuple

from glotmix.core.errors import RequestError

_RIGHT_TO_LEFT = """
Adlm Arab Aran Armi Avst Chrs Cprt Elym Gara Hatr Hebr Hung Khar Lydi Mand Mani Mend Merc Mero Narb Nbat Nkoo Orkh Ougr
Palm Phli Phlp Phnx Prti Rohg Samr Sarb Sidt Sogd Sogo Syrc Thaa Yezi
"""
RIGHT_TO_LEFT = frozenset(_RIGHT_TO_LEFT.split())
"""Scripts that run from right to left (``rtl`` of CLDR 48's script metadata)."""

_UNSPACED = """
Ahom Bopo Hanb Hani Hans Hant Hira Hrkt Jpan Kana Kawi Khmr Kits Lana Laoo Mymr Nshu Tale Talu Tang Tavt Tayo Thai Tibt
Yiii
"""
UNSPACED = frozenset(_UNSPACED.split())
"""Scripts that put no white space between words (``lbLetters`` of CLDR 48's script metadata: lines break between
letters; and Tibetan, which marks syllables)."""

_PLAIN = re.compile(r"([A-Za-z]{2,3})(?:[-_]([A-Za-z]{4}))?")

_HAN = frozenset({"Hani", "Hans", "Hant"})
_SCRIPT_OF_LANGUAGE = {
    "jpn": dict.fromkeys(("Hani", "Hans", "Hant", "Hira", "Kana", "Hrkt"), "Jpan"),
    "kor": {"Kore": "Hang"},
}
_ALSO_CALLED = {
    "brazilian portuguese": "por_Latn", "cantonese": "yue_Hant", "cebuano": "ceb_Latn",
    "chinese simplified": "zho_Hans", "chinese traditional": "zho_Hant",
    "farsi": "pes_Arab", "filipino": "fil_Latn", "mandarin": "zho_Hans",
    "modern standard arabic": "arb_Arab", "north macedonian": "mkd_Cyrl", "simplified chinese": "zho_Hans",
    "traditional chinese": "zho_Hant",
}  # fmt: skip
"""Names that the registry does not have, as benchmarks write them."""
_NOT_ONE = {
    "ber": "Berber languages: kab, rif, shi, tzm, zgh …",
    "bih": "Bihari languages: bho, mag, mai …",
    "cpf": "French creoles: hat, gcf, mfe …",
    "nah": "Nahuatl languages: nhe, nch, azz …",
    "mis": "an uncoded language",
    "mul": "several languages",
    "und": "an unknown language",
    "zxx": "text that is not language",
}


@dataclass(frozen=True, order=True)
class Language:
    """A language in a script. Made by `parse`; prints as its code.

    Args:
        iso: ISO 639-3 code, such as ``fra``.
        script: ISO 15924 code, such as ``Latn``.
        name: English name.
        family: the group it is set up with, such as ``Romance``; None where none is known.
        spaced: whether white space separates its words.
        direction: in which its lines run.
    """

    iso: str
    script: str
    name: str
    family: str | None
    spaced: bool
    direction: Literal["ltr", "rtl"]

    @property
    def code(self) -> str:
        """The canonical code, such as ``fra_Latn``."""
        return f"{self.iso}_{self.script}"

    def __str__(self) -> str:
        return self.code


class _Entry(NamedTuple):
    iso: str
    macro: str | None
    script: str | None
    regions: dict[str, str]
    family: str | None
    names: tuple[str, ...]


@cache
def parse(code: str) -> Language:
    """Return the language that `code` names.

    Takes ISO 639-1, 639-2 (both forms) and 639-3 codes and BCP 47 tags, joined by ``_`` or ``-``, in any case. A script
    that is not written is the language's likely one (in that region, if there is one); variants are ignored.

    Raises:
        RequestError: if there is no such language or script, with the nearest codes and names.

    >>> [str(parse(c)) for c in ("fr", "FRA", "fr-FR", "ger", "zh-Hant-TW", "zh_TW", "cmn_Hani", "sr-ME", "ja")]
    ['fra_Latn', 'fra_Latn', 'fra_Latn', 'deu_Latn', 'zho_Hant', 'zho_Hant', 'zho_Hani', 'srp_Latn', 'jpn_Jpan']
    """
    tags = _tags(code)
    entry = _entries()[tags["language"]]
    region, script = tags.get("territory"), tags.get("script")
    if script is None:
        script = entry.regions.get(region or "", entry.script)
    elif script not in _scripts():
        raise RequestError(f"{code!r}: there is no script {script!r}", f"write {entry.iso}_{entry.script or 'Latn'}")
    forms = _canonical()
    for key in (f"{entry.iso}-{region}", f"{entry.iso}_{script}", entry.iso):
        if key in forms:
            entry = _entries()[forms[key]]
            break
    script = script or entry.script
    if script is None:
        raise RequestError(
            f"{code!r} ({entry.names[0]}): its usual script is not known", f"write {entry.iso}_Latn, {entry.iso}_Arab …"
        )
    script = _SCRIPT_OF_LANGUAGE.get(entry.iso, {}).get(script, script)
    return Language(
        entry.iso,
        script,
        entry.names[0],
        entry.family,
        script not in UNSPACED,
        "rtl" if script in RIGHT_TO_LEFT else "ltr",
    )


def compatible(a: Language, b: Language) -> bool:
    """Say whether text in `a` can be text in `b`: one language, or a macro-language and its member, in one script.

    ``Hani`` (Chinese characters of which it is not known whether they are simplified) fits ``Hans`` and ``Hant``.
    The relation is symmetric, and not transitive: Croatian and Serbian are both compatible with Serbo-Croatian.

    >>> [compatible(parse(a), parse(b))
    ... for a, b in (("cmn_Hani", "zh_TW"), ("hr", "sh"), ("hr", "sr_Latn"), ("no", "nn"))]
    [True, True, False, False]
    """
    return scripts_fit(a.script, b.script) and (a.iso == b.iso or _contains(a.iso, b.iso) or _contains(b.iso, a.iso))


def _contains(whole: str, part: str) -> bool:
    # A macro-language's code that is the canonical code of one member (zho, est, grn) means that member.
    return macro(part) == whole and whole not in _canonical().values()


def scripts_fit(a: str, b: str) -> bool:
    """Say whether two ISO 15924 codes can stand for one script: ``Hani`` fits ``Hans`` and ``Hant``."""
    return a == b or ("Hani" in (a, b) and {a, b} <= _HAN)


def macro(iso: str) -> str | None:
    """Return the ISO 639-3 macro-language that a code belongs to, or None.

    >>> macro("prs"), macro("fra")
    ('fas', None)
    """
    entry = _entries().get(iso)
    return entry.macro if entry else None


@cache
def members(iso: str) -> frozenset[str]:
    """Return the ISO 639-3 codes of the languages of a macro-language; none if it is not one.

    >>> sorted(members("fas")), members("fra")
    (['pes', 'prs'], frozenset())
    """
    return frozenset(e.iso for e in _entries().values() if e.macro == iso)


def iso_of(code: str) -> str:
    """Return the ISO 639-3 code of a tag as it stands, before it is made canonical: a macro-language stays one.

    Raises:
        RequestError: if there is no such language.

    >>> iso_of("fa"), parse("fa").iso
    ('fas', 'pes')
    """
    return _entries()[_tags(code)["language"]].iso


def shortest(iso: str) -> str | None:
    """Return the shortest ISO 639 code of an ISO 639-3 code, None where BCP 47 writes it with a region or script.

    >>> shortest("fra"), shortest("heb"), shortest("kmr"), shortest("hbs")
    ('fr', 'he', 'kmr', None)
    """
    return None if iso in _WRITTEN_OTHERWISE else _two_letters().get(iso, iso)


@cache
def _two_letters() -> dict[str, str]:
    return {entry.iso: key for key, entry in _entries().items() if len(key) == 2 and key not in _OUT_OF_USE}


def named(name: str) -> str | None:
    """Return the canonical code of the language that has this English name in full, None where there is none.

    Only languages with a two-letter code, and the members of a macro-language with one, are known by name: names of
    small languages are often words of another meaning.

    >>> named("Albanian"), named("north macedonian"), named("Even"), named("german law")
    ('als_Latn', 'mkd_Cyrl', None, None)
    """
    return _by_name().get(name.lower())


_OUT_OF_USE = frozenset({"in", "iw", "ji", "jw", "mo"})
"""Two-letter codes that others took the place of."""

_WRITTEN_OTHERWISE = frozenset({"cnr", "hbs", "prs", "swc", "tgl"})
"""Such as ``sr-ME`` and ``fil``."""


@cache
def _by_name() -> dict[str, str]:
    short = {e.iso for key, e in _entries().items() if len(key) == 2}
    # Those with a code of their own last, so that a name which both have is theirs.
    known = sorted({e.iso: e for e in _entries().values()}.values(), key=lambda e: (e.iso in short, e.iso))
    chosen = [e for e in known if e.script and (e.iso in short or e.macro in short)]
    return {name.lower(): parse(e.iso).code for e in chosen for name in e.names} | _ALSO_CALLED


def families() -> frozenset[str]:
    """Return the names of all families."""
    return frozenset(e.family for e in _entries().values() if e.family)


def scripts() -> frozenset[str]:
    """Return the ISO 15924 codes of all scripts that a language may be written in."""
    return _scripts()


@cache
def _entries() -> dict[str, _Entry]:
    """All languages by each of their codes."""
    found: dict[str, _Entry] = {}
    rows = _table("languages.tsv")
    next(rows)
    for iso, also, macro_code, script, regions, family, names in rows:
        entry = _Entry(
            iso,
            macro_code or None,
            script or None,
            dict(r.split(":") for r in regions.split()) if regions else {},
            family or None,
            tuple(names.split("; ")),
        )
        for key in (iso, *also.split()):
            found[key] = entry
    return found


@cache
def _canonical() -> dict[str, str]:
    return {row[0]: row[1] for row in _table("canonical.tsv")}


@cache
def _scripts() -> frozenset[str]:
    used = {s for e in _entries().values() for s in (e.script, *e.regions.values()) if s}
    return frozenset(used | RIGHT_TO_LEFT | UNSPACED | {"Aran", "Kore", "Latf", "Latg", "Brai", "Dsrt", "Shaw"})


def _tags(code: str) -> dict[str, str]:
    """Return the parts of a tag: ``language``, which is known, and perhaps ``script`` and ``territory``."""
    tags = _plain_tag(code.strip()) or _any_tag(code)
    language = tags.get("extlang", tags.get("language", ""))
    if language not in _entries():
        raise _unknown(code)
    if "variant" in tags:
        # `srp_Latin` is a valid tag, with a variant "Latin": to ignore it would make the text Cyrillic.
        raise RequestError(
            f"{code!r}: {tags['variant']!r} is no script",
            f"write four letters, such as {_entries()[language].iso}_Latn",
        )
    return tags | {"language": language}


def _plain_tag(code: str) -> dict[str, str] | None:
    """Return the parts of ``fr``, ``fra`` or ``fra_Latn``, as nearly all codes are; None for what takes a parser."""
    found = _PLAIN.fullmatch(code)
    if found is None:
        return None
    language, script = found.groups()
    return {"language": language.lower()} | ({"script": script.title()} if script else {})


def _any_tag(code: str) -> dict[str, str]:
    # Here and not above: it loads tables of all the world's tags.
    from langcodes.tag_parser import LanguageTagError, parse_tag

    try:
        return dict(parse_tag(code.strip()))  # type: ignore[no-untyped-call]
    except LanguageTagError as error:
        raise _unknown(code) from error


def _table(name: str) -> Iterator[list[str]]:
    with (files("glotmix") / "data" / name).open(encoding="utf-8") as file:
        yield from csv.reader((line for line in file if not line.startswith("#")), delimiter="\t")


def _unknown(code: str) -> RequestError:
    """Say what `code` may have meant: by English name first, then by code among the languages that have a short one."""
    wanted = code.strip().lower()
    if not wanted:
        return RequestError("the language is empty", "write an ISO 639-3 code and a script, such as fra_Latn")
    head = wanted.replace("-", "_").split("_")[0]
    if head in _NOT_ONE:
        return RequestError(f"{code!r} is {_NOT_ONE[head]}", "name one language, such as fra_Latn")
    by_name: dict[str, str] = {}
    for entry in _entries().values():
        for name in entry.names:
            by_name.setdefault(name.lower(), entry.iso)
    near = [by_name[n] for n in by_name if wanted in n.split()][:3] if wanted not in by_name else [by_name[wanted]]
    if not near:
        near = [by_name[n] for n in get_close_matches(wanted, by_name, n=3, cutoff=0.8)]
    if not near:
        common = {e.iso for key, e in _entries().items() if len(key) == 2}
        near = get_close_matches(head, sorted(common), n=3, cutoff=0.6)
    hints = [f"{parse(iso)} ({parse(iso).name})" for iso in near if _entries()[iso].script]
    fix = f"did you mean {', '.join(dict.fromkeys(hints))}?" if hints else "write a code such as fra_Latn"
    return RequestError(f"{code!r} is not a language code", fix)
