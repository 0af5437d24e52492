"""Personal data in texts of any script: where it stands, by kind. The signal and the masking both start here.

Digits of all scripts and full-width signs are read as ASCII, one character for one, so that positions stay. What has a
check digit is checked (`python-stdnum`), telephone numbers are those that libphonenumber calls valid (`phonenumbers`);
both come with the extra ``private``. A kind that nothing makes sure (names, street addresses) is not looked for.
"""

import ipaddress
import re
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

from glotmix.core.errors import MissingExtraError

KINDS = ("email", "phone", "ip", "iban", "card", "national_id")

_EMAIL = re.compile(
    r"(?<![\w.+-])[\w+%'-]+(?:\.[\w+%'-]+)*@(?:[^\W_](?:[\w-]*[^\W_])?\.)+([^\W\d_]{2,24}|xn--[a-z0-9-]+)"
    r"(?![\w@]|:(?:[/~]|[\w.-]*(?:/|\.git\b)))"
)
_BEFORE_SIGN, _BEHIND_SIGN = 64, 256
_NO_TOP = {"png", "jpg", "jpeg", "gif", "svg", "webp", "css", "js", "html", "php", "py", "ts", "json", "xml", "pdf"}
_IPV4 = re.compile(r"(?<![\w.,-])(?:\d{1,3}\.){3}\d{1,3}(?![\w]|[.,-]\d)")
_IPV6 = re.compile(r"(?<![\w:.])(?=[0-9a-fA-F]{0,4}:[0-9a-fA-F:]*:)[0-9a-fA-F:]{6,39}(?![\w:])")
_UNSPACED = re.compile(
    "[\u0e00-\u0fff\u1000-\u11ff\u1780-\u17ff\u3005-\u3007\u3040-\u318f\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
    "\U00020000-\U0003ffff]"
)
"""Letters beside which a number or an address stands without a space: Thai to Khmer, Han, kana, Hangul."""
_NOT_LATIN = re.compile(r"[^\W\d_a-zA-Z\u00aa-\u024f\u1e00-\u1eff]")
_APART = "\x1f"
_VERSION = re.compile(
    r"(?:\bv|\bver|version|release|firmware|build|bản|版本|バージョン|верси\w*|έκδοση|إصدار|גרסה|संस्करण|เวอร์ชัน|버전|[§]"
    r"|section|chapter|clause|table|figure|\bfig|appendix|kapitel|abschnitt|tabelle|chapitre|tableau|sección|capítulo|tabla"
    r"|\b(?:раздел|пункт)[аеу]?|\b(?:глав|таблиц)[аеыу]|第|表|図|图|धारा|ข้อ)[\s:.#v]*$",
    re.IGNORECASE,
)
"""What stands before the number of a version, a section or a table, which may look like an address of the internet."""
_SMALL = 30
"""Four numbers below this are a version or a section (LibreOffice 7.4.7.2), where nothing calls them an address: so are
those of one address in five thousand."""
_HOST = re.compile(
    r"(?:\bipv?4?|://|@|\bdns|\bhost|\bserver|address|adress?e?|dirección|endereço|indirizzo|địa chỉ|адрес\w*|διεύθυνση"
    r"|عنوان|כתובת|पता|ঠিকানা|முகவரி|ที่อยู่|လိပ်စာ|អាសយដ្ឋាន|አድራሻ|地址|アドレス|주소)[\s:=([]*(?:ip)?[\s:=([]*$",
    re.IGNORECASE,
)
"""What stands before an address of the internet that is called one."""
_CALLED = re.compile(
    r"(?:\btel|phone|\bmob|\bcell|\bcall|\bfax|whatsapp|тел|моб|звон\w*|τηλ|κιν|ስልክ|هاتف|جوال|تلفن|موبایل|טלפון|נייד|फ़ोन|फोन|मोबाइल"
    r"|ফোন|মোবাইল|தொலைபேசி|โทร|ဖုန်း|ទូរស័ព្ទ|điện thoại|\bđt|手机|手機|电话|電話|携帯|전화|휴대폰|연락처)[^\d\n]{0,8}$",
    re.IGNORECASE,
)
"""What stands before the number of a telephone, so that digits alone are one."""
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,3})?(?!\w)")
_CARD = re.compile(r"(?<![\w.,-])\d(?:[ -]?\d){11,18}(?![\w]|[.,-]\d)")
_CARDS = re.compile(
    r"4\d{12}(?:\d{3}){0,2}|(?:5[1-5]|2[2-7])\d{14}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}"
    r"|6(?:011|5\d\d|4[4-9]\d)\d{12}|35\d{14}|62\d{14,17}"
)
_PHONE = re.compile(r"[+(]?\d[\d ()./\u00a0\u2010-\u2015-]{5,22}\d")
_ISBN = re.compile(r"97[89][\d -]{10,14}|\d{1,5}-\d{1,7}-\d{1,7}-[\dXx]")
_DATE = re.compile(
    r"(?:\d{4}[-./ ]\d{1,2}[-./ ]\d{1,2}|\d{1,2}[-./ ]\d{1,2}[-./ ]\d{4})(?:[ T]\d{1,2}(?:[:.]\d\d)?)?"
    r"|\d{4}\s?[-–]\s?\d{4}"
)
_DAY = re.compile(
    r"(?<!\d)(?:19|20)\d\d[-./](?:0?[1-9]|1[0-2])[-./](?:[012]?\d|3[01])(?!\d)"
    r"|(?<!\d)(?:[012]?\d|3[01])[-./](?:0?[1-9]|1[0-2])[-./](?:19|20)\d\d(?!\d)"
)
_MONEY = re.compile(
    r"[$€£¥₹₽₩฿₪₫₺₴]\s*$|(?:USD|EUR|Rs\.?|Kč|zł|ISBN|ISSN|DOI|SKU|ID|No|Nr|№|#)[-.: ]*(?:1[03])?[-.: ]*$", re.IGNORECASE
)

# fmt: off
NATIONAL = {
    "pol": ("pl.pesel",), "spa": ("es.dni", "es.nie"), "cat": ("es.dni", "es.nie"), "glg": ("es.dni", "es.nie"),
    "eus": ("es.dni", "es.nie"), "fra": ("fr.nir",), "ita": ("it.codicefiscale",), "por": ("br.cpf",),
    "cmn": ("cn.ric",), "zho": ("cn.ric",), "fin": ("fi.hetu",), "ron": ("ro.cnp",), "bul": ("bg.egn",),
    "kor": ("kr.rrn",), "tha": ("th.pin",), "tur": ("tr.tckimlik",), "swe": ("se.personnummer",),
    "hin": ("in_.aadhaar",), "ben": ("in_.aadhaar",), "tam": ("in_.aadhaar",), "tel": ("in_.aadhaar",),
    "mar": ("in_.aadhaar",), "guj": ("in_.aadhaar",), "kan": ("in_.aadhaar",), "mal": ("in_.aadhaar",),
    "pan": ("in_.aadhaar",), "afr": ("za.idnr",), "zul": ("za.idnr",), "xho": ("za.idnr",), "sot": ("za.idnr",),
    "est": ("ee.ik",), "lit": ("lt.asmens",), "ces": ("cz.rc",), "slk": ("cz.rc",),
}
"""Language (ISO 639-3) → numbers of people whose check digits, with a date or letters in them, make them sure."""
# fmt: on
_SHAPES = {
    "pl.pesel": r"\d{11}",
    "es.dni": r"\d{8}-?[A-Z]",
    "es.nie": r"[XYZ]-?\d{7}-?[A-Z]",
    "fr.nir": r"[12] ?\d\d ?(?:0[1-9]|1[0-2]|[2-9]\d) ?\d[\dAB] ?\d{3} ?\d{3} ?\d\d",
    "it.codicefiscale": r"[A-Z]{6}\d\d[A-Z]\d\d[A-Z]\d{3}[A-Z]",
    "br.cpf": r"\d{3}\.\d{3}\.\d{3}-\d\d",
    "cn.ric": r"\d{17}[\dX]",
    "fi.hetu": r"\d{6}[-+A-FU-Y]\d{3}[0-9A-Y]",
    "ro.cnp": r"[1-8]\d{12}",
    "bg.egn": r"\d{10}",
    "kr.rrn": r"\d{6}-\d{7}",
    "th.pin": r"\d-\d{4}-\d{5}-\d{2}-\d|\d{13}",
    "tr.tckimlik": r"[1-9]\d{10}",
    "se.personnummer": r"(?:19|20)?\d{6}[-+]\d{4}",
    "in_.aadhaar": r"[2-9]\d{3} \d{4} \d{4}",
    "za.idnr": r"\d{13}",
    "ee.ik": r"[1-6]\d{10}",
    "lt.asmens": r"[1-6]\d{10}",
    "cz.rc": r"\d{6}/\d{3,4}",
}  # fmt: skip


@dataclass(frozen=True)
class Span:
    """Something personal in a text: characters `start` to `end`, of one of `KINDS`."""

    start: int
    end: int
    kind: str


@cache
def _ascii() -> dict[int, str]:
    """Return digits of every script, full-width letters and signs → ASCII, one for one."""
    found = {
        code: str(unicodedata.decimal(chr(code)))
        for code in range(128, sys.maxunicode)
        if unicodedata.category(chr(code)) == "Nd"
    }
    wide = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
    return wide | found | {0x2011: "-", 0x2010: "-", 0x2012: "-", 0x2013: "-", 0x00A0: " ", 0x202F: " ", 0x3002: "."}


def find(text: str, lang: str, kinds: tuple[str, ...] = KINDS) -> list[Span]:
    """Return what is personal in a text, in its order, nothing twice.

    Args:
        text: any.
        lang: its code, ``fra_Latn``: national telephone numbers and identities are those of its country.
        kinds: which to look for.

    Raises:
        MissingExtraError: if the extra ``private`` is not installed.

    >>> text = "Ecrivez à a.b@exemple.fr, +33 1 42 68 53 00"
    >>> [(s.kind, text[s.start : s.end]) for s in find(text, "fra_Latn")]
    [('email', 'a.b@exemple.fr'), ('phone', '+33 1 42 68 53 00')]
    """
    plain = text if text.isascii() else text.translate(_ascii())
    has_digits = any(c.isdigit() for c in plain)
    apart = plain if plain.isascii() or not has_digits else _UNSPACED.sub(_APART, plain)
    found: list[Span] = []
    # What is surest first: what it holds is nothing else.
    for kind, spans in (
        ("email", _emails), ("iban", _ibans), ("national_id", _national), ("card", _cards), ("ip", _addresses),
        ("phone", _phones),
    ):  # fmt: skip
        if kind in kinds and ("@" in plain if kind == "email" else has_digits):
            for start, end in spans(apart, plain, lang):
                if not any(s.start < end and start < s.end for s in found):
                    found.append(Span(start, end, kind))
    return sorted(found, key=lambda s: s.start)


def _emails(apart: str, plain: str, lang: str) -> Iterator[tuple[int, int]]:
    # Those in Latin letters among others first, which a text in another script puts right beside them.
    for text in (_NOT_LATIN.sub(_APART, plain), plain):
        last = 0
        for sign in re.finditer("@", text):
            # Within what an address can be long (RFC 5321): in a long text of %D0%9C a search from each % has no end.
            near = max(sign.start() - _BEFORE_SIGN, last), sign.end() + _BEHIND_SIGN
            for m in _EMAIL.finditer(text, *near):
                if m.start() < sign.start() < m.end() and m[1].lower() not in _NO_TOP:
                    yield m.span()
                    last = m.end()


def _ibans(text: str, plain: str, lang: str) -> Iterator[tuple[int, int]]:
    for m in _IBAN.finditer(text):
        # The groups behind it may be words: shorten until the checksum is right.
        end = m.end()
        while end - m.start() >= 15:
            if _stdnum("iban").is_valid(text[m.start() : end]):
                yield m.start(), end
                break
            cut = max(text.rfind(" ", m.start(), end), text.rfind("-", m.start(), end))
            if cut < 0:
                break
            end = cut


def _cards(text: str, plain: str, lang: str) -> Iterator[tuple[int, int]]:
    for m in _CARD.finditer(text):
        digits = re.sub(r"\D", "", m[0])
        groups = [len(g) for g in re.split(r"[ -]", m[0])]
        shaped = len(groups) == 1 or groups in ([4, 4, 4, 4], [4, 6, 5], [4, 6, 4], [4, 4, 4, 4, 3])
        if shaped and _CARDS.fullmatch(digits) and len(set(digits)) > 1 and _stdnum("luhn").is_valid(digits):
            yield m.span()


def _addresses(text: str, plain: str, lang: str) -> Iterator[tuple[int, int]]:
    for pattern in (_IPV4, _IPV6):
        for m in pattern.finditer(text):
            try:
                address = ipaddress.ip_address(m[0])
            except ValueError:
                continue
            # Addresses of no one's own (private networks, examples, loopback) say nothing of a person.
            before = plain[max(m.start() - 16, 0) : m.start()]
            small = all(part.isdecimal() and int(part) < _SMALL for part in m[0].split("."))
            if address.is_global and not _VERSION.search(before) and (not small or _HOST.search(before)):
                yield m.span()


def _phones(text: str, plain: str, lang: str) -> Iterator[tuple[int, int]]:
    try:
        import phonenumbers
    except ImportError as error:
        raise MissingExtraError("personal data", "private") from error
    region = _region(lang)
    for m in _PHONE.finditer(text):
        groups = re.findall(r"\d+", m[0])
        if (
            not 7 <= sum(map(len, groups)) <= 15
            or sum(len(group) == 1 for group in groups) > 2
            or _sticks(text, m.start())
        ):
            continue
        before = plain[max(m.start() - 20, 0) : m.start()]
        if (
            _ISBN.fullmatch(m[0].strip())
            or _DATE.fullmatch(m[0].strip())
            or _DAY.search(m[0])
            or _MONEY.search(before[-12:])
        ):
            continue
        if m[0].isdigit() and not m[0].startswith("0") and not _CALLED.search(before):
            continue  # any number
        leniency = phonenumbers.Leniency.VALID
        if m.end() < len(text) and (text[m.end()].isalpha() and text[m.end()].isascii()):
            continue
        # 00 stands for + in most countries, and not in all that a language is spoken in.
        ways = [(m[0], 0)] + ([("+" + m[0][2:], 1)] if m[0].startswith("00") else [])
        for number, more in ways:
            matches = list(phonenumbers.PhoneNumberMatcher(number, region, leniency))
            for found in matches:
                # A bracket that closes behind the number is the sentence's.
                start = found.start + (found.raw_string[0] == "(" and ")" not in found.raw_string)
                yield m.start() + (start and start + more), m.start() + found.end + more
            if matches:
                break


def _sticks(text: str, start: int) -> bool:
    """Say whether digits go on what stands before them: a word, a decimal, a path, and not `tel:` or `โทร.`."""
    if not start:
        return False
    left, before = text[start - 1], text[start - 2 : start - 1]
    if left in ".:":
        return not (before == _APART or unicodedata.category(before or " ")[0] in "LM")
    return left.isalnum() or left in "_/=-"


@cache
def _region(lang: str) -> str | None:
    import langcodes

    return langcodes.Language.get(lang.replace("_", "-")).maximize().territory


def _national(text: str, plain: str, lang: str) -> Iterator[tuple[int, int]]:
    for name in NATIONAL.get(lang.split("_", maxsplit=1)[0], ()):
        module = _stdnum(name)
        for m in re.finditer(rf"(?<![\w.,/-])(?:{_SHAPES[name]})(?![\w/]|[.,-]\d)", text):
            if module.is_valid(m[0]):
                yield m.span()


@cache
def _stdnum(name: str) -> Any:
    try:
        return import_module(f"stdnum.{name}")
    except ImportError as error:
        raise MissingExtraError("personal data", "private") from error


def masked(text: str, spans: list[Span], how: str) -> str:
    """Return a text with something else where spans stand.

    Args:
        text: any.
        spans: of `find`.
        how: ``tag`` (``<EMAIL>``) or ``placeholder``: the same value is the same number within this text,
            ``<EMAIL-2>``; nothing of the value is in it.

    >>> masked("a@b.org, c@d.org, a@b.org", find("a@b.org, c@d.org, a@b.org", "eng_Latn"), "placeholder")
    '<EMAIL-1>, <EMAIL-2>, <EMAIL-1>'
    """
    numbers: dict[tuple[str, str], int] = {}
    parts: list[str] = []
    last = 0
    for span in spans:
        value = (span.kind, text[span.start : span.end].casefold())
        of_kind = sum(1 for kind, _ in numbers if kind == span.kind)
        number = numbers.setdefault(value, of_kind + 1)
        name = span.kind.upper()
        parts += [text[last : span.start], f"<{name}>" if how == "tag" else f"<{name}-{number}>"]
        last = span.end
    return "".join([*parts, text[last:]])
