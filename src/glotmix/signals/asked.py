"""Which language an answer is wanted in, where the instruction names one: "translate into Thai", "réponds en espagnol".

A language's name counts where it stands as such requests have it in the instruction's language (``into Thai``,
``auf Deutsch``, ``英語で``, ``به فارسی``), not where it is part of something else (``Spanish cuisine``, ``from
German``). Names are Unicode CLDR's, requests are our own table (``data/asked.tsv``): a reconstruction of habit; in a
language that is not in it an instruction names none. English requests are understood in every instruction.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from glotmix.core.language import UNSPACED, parse

_ENGLISH = "eng_Latn"
_GOES_ON = ("language", "please", "and", "or", "using", "with", "only", "as", "for", "instead", "the", "this", "that",
            "without", "to", "so", "but", "rather", "exactly", "first")  # fmt: skip
"""English words that may follow a language's name; after any other it is an adjective."""

_MORE = {
    "zho_Hans": {"英文": "en", "法文": "fr", "德文": "de", "日文": "ja", "韩文": "ko", "俄文": "ru", "泰文": "th",
                 "西班牙文": "es", "汉语": "zh", "葡文": "pt"},
    "zho_Hant": {"英文": "en", "法文": "fr", "德文": "de", "日文": "ja", "韓文": "ko", "俄文": "ru", "泰文": "th",
                 "西班牙文": "es", "漢語": "zh", "越南文": "vi"},
    "hin_Deva": {"हिंदी": "hi", "अंग्रेजी": "en", "फ्रेंच": "fr", "फ़ारसी": "fa", "फारसी": "fa"},
    "ces_Latn": {"česky": "cs", "anglicky": "en", "německy": "de", "španělsky": "es", "francouzsky": "fr"},
    "eng_Latn": {"farsi": "fa", "mandarin": "zh", "tagalog": "fil", "bengali": "bn"},
    "pes_Arab": {"ترکی": "tr"},
    "hun_Latn": {"magyarul": "hu"},
}  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """What an instruction says of the language of its answer.

    Args:
        languages: canonical codes that it names, in their order.
        told: whether it also says to answer, write or translate; otherwise a language may be its subject.
    """

    languages: tuple[str, ...]
    told: bool


@dataclass(frozen=True)
class _Habit:
    """How one language asks."""

    names: tuple[tuple[str, str], ...]
    before: tuple[str, ...]
    after: tuple[str, ...]
    verbs: tuple[str, ...]
    spaced: bool
    english: bool


def asked(text: str, lang: str) -> Asked | None:
    """Return what an instruction says of the language of its answer, None where it names no language.

    Args:
        text: the last turn of the user.
        lang: the canonical code of the language that it is in.

    >>> asked("Translate this sentence from German into Thai: Guten Tag.", "eng_Latn")
    Asked(languages=('tha_Thai',), told=True)
    >>> asked("次の文を英語に翻訳してください。", "jpn_Jpan")
    Asked(languages=('eng_Latn',), told=True)
    >>> asked("What are popular dishes in French cuisine?", "eng_Latn")
    """
    folded = text.casefold()
    found: dict[int, str] = {}
    told = False
    for habit in _habits(lang):
        mine = dict(_named(folded, habit))
        if mine:
            found |= mine
            told = told or any(verb in folded for verb in habit.verbs)
    if not found:
        return None
    return Asked(tuple(dict.fromkeys(found[at] for at in sorted(found))), told)


def _named(text: str, habit: _Habit) -> list[tuple[int, str]]:
    hits: list[tuple[int, int, str]] = []
    for name, code in habit.names:
        at = text.find(name)
        while at >= 0:
            end = at + len(name)
            if _stands(text, at, end, habit):
                hits.append((at, end, code))
            at = text.find(name, end)
    # Of two names in one place the longer: "Chinese" and "traditional Chinese".
    return [
        (at, code)
        for at, end, code in hits
        if not any(a <= at and end <= e and (a, e) != (at, end) for a, e, _ in hits)
    ]


def _stands(text: str, at: int, end: int, habit: _Habit) -> bool:
    before = any(_precedes(text, at, cue, habit.spaced) for cue in habit.before)
    if not before and not (habit.after and text.startswith(habit.after, end)):
        return False
    if not habit.english:
        return True
    if text[end : end + 1].isalpha():
        return False
    rest = text[end:].lstrip(" ")
    word = rest.split(maxsplit=1)[0].rstrip(".,:;!?") if rest else ""
    return rest is text[end:] or not word[:1].isalpha() or word in _GOES_ON


def _precedes(text: str, at: int, cue: str, spaced: bool) -> bool:
    begin = at - len(cue)
    return text.startswith(cue, max(begin, 0)) and begin >= 0 and not (spaced and text[begin - 1 : begin].isalpha())


@cache
def _habits(lang: str) -> tuple[_Habit, ...]:
    table = _table()
    known = [code for code in (lang, _ENGLISH) if code in table]
    return tuple(table[code] for code in dict.fromkeys(known))


@cache
def _table() -> dict[str, _Habit]:
    names = {row[0]: row[1:] for row in _rows("language_names.tsv")}
    found = {}
    for lang, trim, before, after, verbs in (row for row in _rows("asked.tsv")):
        listed = {name: of for of, name in (pair.split("=", 1) for pair in names[lang])} | _MORE.get(lang, {})
        forms = {_stem(name.casefold(), int(trim)): parse(of).code for name, of in listed.items()}
        if lang == "vie_Latn":
            forms |= {name.removeprefix("tiếng "): code for name, code in forms.items()}
        found[lang] = _Habit(
            tuple(forms.items()),
            _split(before),
            _split(after),
            _split(verbs),
            parse(lang).script not in UNSPACED and lang not in ("heb_Hebr", "arb_Arab", "amh_Ethi"),
            lang == _ENGLISH,
        )
    return found


def _stem(name: str, trim: int) -> str:
    return name[:-trim] if trim and len(name) > 5 else name


def _split(cell: str) -> tuple[str, ...]:
    return tuple(part for part in cell.split("|") if part)


def _rows(name: str) -> list[list[str]]:
    text = (files("glotmix") / "data" / name).read_text("utf-8")
    return [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]
