"""Personal data: values planted in real text of seventeen languages and fifteen scripts, among look-alikes.

Into excerpts of `crawl.parquet`, their digits and @ taken out, values of each kind are put between words, written as
people write them: with spaces and hyphens, every second one in the digits of the script where it has its own. E-mail
and IP addresses, IBANs and cards are drawn at random with right checksums; telephone numbers are libphonenumber's
examples of the country, their last five digits drawn anew until they are valid, in national and international form;
national ids are drawn until python-stdnum finds them valid. Look-alikes: dates and times, ISBNs, versions, prices,
years, sizes, code, handles, numbers with the length of a card's, private networks.

``recall.KIND``: planted values that were found as that kind, whole. ``precision.KIND``: what was found as that kind and
was planted as it. Wilson's interval. ``speed``: megabytes of the texts with what was planted, per CPU-second.
"""

import random
import re
import time
from collections import Counter
from collections.abc import Iterable

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks import harness
from benchmarks.harness import Row
from glotmix.signals.personal import KINDS, NATIONAL, find

LANGS = {
    "eng_Latn": "US", "fra_Latn": "FR", "pol_Latn": "PL", "rus_Cyrl": "RU", "ell_Grek": "GR", "ara_Arab": "EG",
    "heb_Hebr": "IL", "hin_Deva": "IN", "ben_Beng": "BD", "tam_Taml": "IN", "tha_Thai": "TH", "mya_Mymr": "MM",
    "khm_Khmr": "KH", "zho_Hans": "CN", "jpn_Jpan": "JP", "kor_Hang": "KR", "amh_Ethi": "ET",
}  # fmt: skip
DIGITS = {"Arab": 0x660, "Deva": 0x966, "Beng": 0x9E6, "Thai": 0xE50, "Mymr": 0x1040, "Khmr": 0x17E0, "Taml": 0xBE6}
WIDE = {"Hans", "Jpan"}


def run(small: bool) -> Iterable[Row]:
    try:
        import phonenumbers
        import stdnum  # noqa: F401
    except ImportError as error:
        raise harness.BenchmarkError(f"{error.name} is missing: pip install 'glotmix[private]'") from None
    each = 10 if small else 60
    crawl = pq.read_table(harness.data("crawl.parquet"))
    planted: Counter[str] = Counter()
    right: Counter[str] = Counter()
    found_: Counter[str] = Counter()
    misses: Counter[str] = Counter()
    documents = size = 0
    spent = 0.0
    for lang, region in LANGS.items():
        rng = random.Random(f"private {lang}")
        texts = crawl.filter(pc.equal(crawl["lang"], lang))["text"].to_pylist()
        texts = [re.sub(r"\d|@", "", "".join(c for c in t if not c.isdigit())) for t in texts if len(t) > 200]
        for text in texts[:each]:
            documents += 1
            values = [
                (kind, value) for kind in KINDS for value in [_value(kind, lang, region, rng, phonenumbers)] if value
            ]
            values += [("", value) for value in rng.sample(_lookalikes(rng), 6)]
            rng.shuffle(values)
            script = lang.split("_")[1]
            made, spans = _plant(text, values, script, rng)
            start = time.process_time()
            held = find(made, lang)
            spent += time.process_time() - start
            size += len(made.encode())
            there = {(s.start, s.end): s.kind for s in held}
            for kind, start, end in spans:
                if kind:
                    planted[kind] += 1
                    if there.get((start, end)) == kind:
                        right[kind] += 1
            found_.update(s.kind for s in held)
            wanted = {(a, b): k for k, a, b in spans if k}
            for s in held:
                if wanted.get((s.start, s.end)) != s.kind:
                    misses[f"{s.kind}: {made[s.start : s.end]}"] += 1
    settings = {
        "languages": len(LANGS),
        "documents": documents,
        "wrongly found": [m for m, _ in misses.most_common(12)],
    }
    for kind in KINDS:
        yield _rate(f"recall.{kind}", right[kind], planted[kind], settings)
        yield _rate(f"precision.{kind}", right[kind], found_[kind], settings)
    yield Row("private", "mb_per_cpu_second", size / 1e6 / spent, n=documents, unit="MB per CPU-second")


def _rate(metric: str, k: int, n: int, settings: dict[str, object]) -> Row:
    if not n:
        return Row("private", metric, None, settings=settings)
    z = 1.96
    middle, half = (k + z * z / 2) / (n + z * z), z * np.sqrt(k * (n - k) / n + z * z / 4) / (n + z * z)
    return Row("private", metric, k / n, float(middle - half), float(min(middle + half, 1)), n, "share", settings)


def _value(kind: str, lang: str, region: str, rng: random.Random, phonenumbers: object) -> str | None:
    match kind:
        case "email":
            name = rng.choice(["anna.k", "j-smith+news", "info", "wei_li88", "müller", "o'neil"])
            return (
                f"{name}@{rng.choice(['mail.example.org', 'uni-x.de', 'firma.co.jp', 'xn--e1afmkfd.ru', 'gmail.com'])}"
            )
        case "ip":
            if rng.random() < 0.3:
                return "2a00:1450:4001:" + ":".join(f"{rng.randrange(1, 65536):x}" for _ in range(5))
            first = rng.choice([8, 62, 93, 151, 185, 203])
            return f"{first}.{rng.randrange(1, 100)}.{rng.randrange(256)}.{rng.randrange(1, 255)}"
        case "iban":
            from stdnum import iban

            country, length = rng.choice([("DE", 18), ("PL", 24), ("SA", 20), ("GR", 23)])
            while True:
                body = "".join(rng.choice("0123456789") for _ in range(length))
                made = country + iban.calc_check_digits(f"{country}00{body}") + body
                if iban.is_valid(made):
                    return made if rng.random() < 0.5 else iban.format(made)
        case "card":
            from stdnum import luhn

            body = rng.choice(["4", "51", "55", "2300"])
            body += "".join(rng.choice("0123456789") for _ in range(15 - len(body)))
            made = body + luhn.calc_check_digit(body)
            sign = rng.choice(["", " ", "-"])
            return sign.join(made[i : i + 4] for i in range(0, 16, 4)) if sign else made
        case "phone":
            return _phone(region, rng, phonenumbers)
        case "national_id":
            return _national(lang, rng)
    return None


def _phone(region: str, rng: random.Random, phonenumbers: object) -> str | None:
    p = phonenumbers
    for _ in range(200):
        kind = rng.choice([p.PhoneNumberType.MOBILE, p.PhoneNumberType.FIXED_LINE])  # type: ignore[attr-defined]
        number = p.example_number_for_type(region, kind)  # type: ignore[attr-defined]
        text = str(number.national_number)
        number.national_number = int(text[:-5] + "".join(rng.choice("0123456789") for _ in range(5)))
        if p.is_valid_number(number):  # type: ignore[attr-defined]
            forms = (p.PhoneNumberFormat.INTERNATIONAL, p.PhoneNumberFormat.NATIONAL, p.PhoneNumberFormat.E164)  # type: ignore[attr-defined]
            return str(p.format_number(number, rng.choice(forms)))  # type: ignore[attr-defined]
    return None


def _national(lang: str, rng: random.Random) -> str | None:
    from importlib import import_module

    names = NATIONAL.get({"zho": "cmn"}.get(lang[:3], lang[:3]), ())
    if not names:
        return None
    name = rng.choice(names)
    module = import_module(f"stdnum.{name}")

    def d(n: int) -> str:
        return "".join(rng.choice("0123456789") for _ in range(n))

    date = f"{rng.randrange(50, 99)}{rng.randrange(1, 13):02d}{rng.randrange(1, 29):02d}"
    shapes = {
        "pl.pesel": lambda: date + d(5),
        "fr.nir": lambda: (
            f"{rng.choice('12')} {rng.randrange(50, 99)} {rng.randrange(1, 13):02d} 75 {d(3)} {d(3)} {d(2)}"
        ),
        "cn.ric": lambda: f"11010119{date}{d(4)}",
        "kr.rrn": lambda: f"{date}-{rng.choice('12')}{d(6)}",
        "th.pin": lambda: f"1-{d(4)}-{d(5)}-{d(2)}-{d(1)}",
        "in_.aadhaar": lambda: f"{rng.randrange(2, 10)}{d(3)} {d(4)} {d(4)}",
    }
    for _ in range(5_000):
        made = shapes[name]()
        if module.is_valid(made):
            return made
    return None


def _lookalikes(rng: random.Random) -> list[str]:
    r = rng.randrange
    card = "".join(rng.choice("0123456789") for _ in range(15))
    return [
        f"{r(1950, 2030)}-{r(1, 13):02d}-{r(1, 29):02d}", f"{r(1, 29)}.{r(1, 13)}.{r(1950, 2030)}",
        f"{r(1, 13)}/{r(1, 29)}/{r(1950, 2030)}", f"{r(24):02d}:{r(60):02d}:{r(60):02d}",
        f"{r(1950, 1999)}-{r(2000, 2030)}", f"ISBN 978-3-{r(10, 99)}-{r(100000, 999999)}-{r(10)}",
        f"978{r(10**9, 10**10)}", f"v{r(1, 9)}.{r(20)}.{r(20)}.{r(9)}", f"version {r(1, 20)}.{r(20)}.{r(9)}.{r(300)}",
        f"${r(1, 999)},{r(100, 999)},{r(100, 999)}.00", f"{r(1, 99)} {r(100, 999)} {r(100, 999)} €",
        f"192.168.{r(256)}.{r(256)}", "127.0.0.1", f"10.0.{r(256)}.1", f"{r(600, 4000)}x{r(400, 3000)}",
        f"@user{r(1000)}", f"icon@{r(2, 4)}x.png", "git@github.com:owner/repo.git", "std::vector", f"0x{r(10**8):08x}",
        f"{r(10**5)}.{r(10**5)}", f"{r(1, 99)}%", f"§ {r(1, 300)}.{r(9)}.{r(9)}.{r(9)}", f"#{r(10**6, 10**7)}",
        f"doi:10.{r(1000, 9999)}/{r(10**6)}", "9" + card, f"{r(10**10, 10**11)}", f"{r(2, 9)}:{r(10)} ({r(3)}:{r(3)})",
        f"{r(40, 60)}.{r(1000, 9999)}, {r(1, 30)}.{r(1000, 9999)}", f"ARTICLE {r(10)}{r(10)}{r(10)} {r(10**4)}",
    ]  # fmt: skip


def _plant(
    text: str, values: list[tuple[str, str]], script: str, rng: random.Random
) -> tuple[str, list[tuple[str, int, int]]]:
    """Put values between words, with a space on either side."""
    words = text.split(" ")
    if len(words) < 2 * len(values):
        size = max(len(text) // (2 * len(values)), 2)
        words = [text[i : i + size] for i in range(0, len(text), size)]
    at = sorted(rng.sample(range(1, len(words)), min(len(values), len(words) - 1)))
    made, spans, last = "", [], 0
    for place, (kind, given) in zip(at, values, strict=False):
        value = given
        made += " ".join(words[last:place]) + " "
        if rng.random() < 0.5 and kind != "iban":
            if script in DIGITS and kind != "email":
                value = "".join(chr(DIGITS[script] + int(c)) if c.isascii() and c.isdigit() else c for c in given)
            elif script in WIDE and kind in ("phone", "card"):
                value = "".join(chr(ord(c) + 0xFEE0) if c.isascii() and c != " " else c for c in given)
        spans.append((kind, len(made), len(made) + len(value)))
        made += value + " "
        last = place
    return made + " ".join(words[last:]), spans


if __name__ == "__main__":
    harness.main("private", run)
