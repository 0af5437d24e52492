"""Addresses, words and personal data: told in every script, counted without a trace, dropped on request."""

import json
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

from corpus_world import SCRIPTS
from glotmix.cli import app
from glotmix.core import table
from glotmix.signals import addresses, personal, private, words

DIGITS = {
    "arb_Arab": "٠١٢٣٤٥٦٧٨٩",
    "hin_Deva": "०१२३४५६७८९",
    "ben_Beng": "০১২৩৪৫৬৭৮৯",
    "tha_Thai": "๐๑๒๓๔๕๖๗๘๙",
    "mya_Mymr": "၀၁၂၃၄၅၆၇၈၉",
    "zho_Hans": "０１２３４５６７８９",
}
PLANTED = {
    "email": ("a.b+c@mail.example.org", "müller@uni-köln.de", "юрий@почта.рф"),
    "phone": ("+33 1 42 68 53 00", "+91 98765 43210", "+81-3-3214-5678"),
    "ip": ("93.184.216.34", "2a00:1450:4001:82a::200e"),
    "iban": ("DE89 3704 0044 0532 0130 00", "GR1601101250000000012300695"),
    "card": ("4111 1111 1111 1111", "5500-0000-0000-0004", "340000000000009"),
}
INNOCENT = (
    "2021-03-04 12:34:56", "31.12.1999", "ISBN 978-3-16-148410-0", "v1.2.3.4", "версия 10.2.3.4", "192.168.1.1",
    "$1,234,567.00", "4111 1111 1111 1112", "icon@2x.png", "git@github.com:a/b.git", "@user", "1990-2000", "std::a::b",
    "DE89 3704 0044 0532 0130 01", "12:30 (1:2)", "1234567", "3.14159265358979",
)  # fmt: skip


@pytest.mark.parametrize("lang", SCRIPTS)
def test_personal_data_is_found_between_words_of_every_script(lang):
    for kind, values in PLANTED.items():
        for value in values:
            forms = [value]
            if lang in DIGITS and kind in ("phone", "card"):
                forms.append(value.translate(str.maketrans("0123456789", DIGITS[lang])))
            for form in forms:
                text = f"{SCRIPTS[lang]} {form} {SCRIPTS[lang]}"
                found = [(s.kind, text[s.start : s.end]) for s in personal.find(text, lang)]
                assert found == [(kind, form)]


@pytest.mark.parametrize("text", INNOCENT)
@pytest.mark.parametrize("lang", ["eng_Latn", "rus_Cyrl", "jpn_Jpan"])
def test_what_looks_like_it_is_left_alone(text, lang):
    assert personal.find(f"{SCRIPTS[lang]} {text} {SCRIPTS[lang]}", lang) == []


def test_numbers_of_people_need_their_check_digit_and_their_country():
    assert [s.kind for s in personal.find("PESEL 44051401359.", "pol_Latn")] == ["national_id"]
    assert personal.find("PESEL 44051401358.", "pol_Latn") == []
    assert personal.find("PESEL 44051401359.", "fra_Latn") == []
    assert [s.kind for s in personal.find("身份证 11010519491231002X。", "cmn_Hans")] == ["national_id"]


@pytest.mark.parametrize(
    ("lang", "text", "expected"),
    [
        ("zho_Hans", "邮箱user@example.cn请联系", ["user@example.cn"]),
        ("jpn_Jpan", "連絡先はuser@example.co.jpです。電話：03-3214-5678まで", ["user@example.co.jp", "03-3214-5678"]),
        ("zho_Hans", "手机13812345678或电话：010-62345678", ["13812345678", "010-62345678"]),
        ("zho_Hans", "身份证11010519491231002X", ["11010519491231002X"]),
        ("tha_Thai", "ติดต่อuser@example.co.thได้ โทร.081-234-5678ครับ", ["user@example.co.th", "081-234-5678"]),
        ("kor_Hang", "user@example.com으로 또는 010-1234-5678로", ["user@example.com", "010-1234-5678"]),
        ("amh_Ethi", "በuser@example.com ይላኩ", ["user@example.com"]),
        ("hun_Latn", "írj a user@example.com-ra", ["user@example.com"]),
        ("fin_Latn", "kirjoita user@example.com:iin", ["user@example.com"]),
        ("zho_Hans", "用户@例子.中国", ["用户@例子.中国"]),
        ("hin_Deva", "फ़ोन: ९८१०१२३४५६", ["९८१०१२३४५६"]),
        ("fra_Latn", "tel:+33142685300", ["+33142685300"]),
        ("kor_Hang", "판매 지원(080-330-8877)으로", ["080-330-8877"]),
        ("eng_Latn", "(415) 555-2671", ["(415) 555-2671"]),
        (
            "eng_Latn",
            "from IP 2.4.8.16, the host (5.6.7.8) and http://5.9.2.4:80/a",
            ["2.4.8.16", "5.6.7.8", "5.9.2.4"],
        ),
        ("rus_Cyrl", "с адреса 5.8.9.12 и 5.8.9.112", ["5.8.9.12", "5.8.9.112"]),
        ("zho_Hans", "IP地址：1.2.4.8，从61.135.4.5访问", ["1.2.4.8", "61.135.4.5"]),
        ("eng_Latn", "call 0044 20 7946 0958", ["0044 20 7946 0958"]),
    ],
)
def test_what_stands_beside_a_value_is_no_part_of_it(lang, text, expected):
    assert [text[s.start : s.end] for s in personal.find(text, lang)] == expected


@pytest.mark.parametrize(
    ("lang", "text"),
    [
        ("eng_Latn", "1.2.3.4 Scope\n## 8.4.2.1. Terms\nsee section 2.3.1.4 and table 1.1.1.2"),
        ("rus_Cyrl", "см. раздел 1.2.3.4"),
        ("eng_Latn", "LibreOffice 7.4.7.2 is out, and OpenSSL 1.2.3.4"),
        ("jpn_Jpan", "一太郎は9.0.1.4です。"),
        ("tha_Thai", "ติดตั้งโปรแกรม 4.10.2.1 แล้ว"),
        ("rus_Cyrl", "Фотошоп 12.0.4.1 вышел"),
        ("zho_Hans", "订单号20231231123456，第1.2.3.4节，东经116.407526北纬39.904030"),
        ("eng_Latn", "1 2 3 4 5 6 7 8 9 10"),
        ("zho_Hans", "128GB售39 - 2013-11-18·微软"),
        ("eng_Latn", "git@host.example:repo.git git@host.example:a/b"),
    ],
)
def test_numbers_of_sections_and_orders_are_no_ones(lang, text):
    assert personal.find(text, lang) == []


def test_a_long_text_of_escapes_takes_no_more_than_its_length():
    start = time.process_time()
    text = "%D0%9C" * 50_000 + " a@b.org " + "a'" * 50_000
    assert [s.kind for s in personal.find(text, "rus_Cyrl")] == ["email"]
    assert time.process_time() - start < 5, "a search from each sign took hours"


def test_masks_hide_every_value_and_tell_values_apart():
    text = "A@b.org und c@d.org, dann a@b.org und +49 30 901820"
    spans = personal.find(text, "deu_Latn")
    assert personal.masked(text, spans, "tag") == "<EMAIL> und <EMAIL>, dann <EMAIL> und <PHONE>"
    assert personal.masked(text, spans, "placeholder") == "<EMAIL-1> und <EMAIL-2>, dann <EMAIL-1> und <PHONE-1>"
    documents = pa.table({"text": [text, "nichts"], "lang": ["deu_Latn"] * 2, "id": ["1", "2"]})
    made = private.mask(personal.KINDS, "tag", documents)
    assert made["masked"].to_pylist() == ["email:3,phone:1", None]
    assert made["text"].to_pylist()[1] == "nichts"
    assert made.column_names == ["text", "lang", "id", "masked"]


def test_addresses_have_domains_and_canonical_forms():
    urls = [
        "https://www.bbc.co.uk/news/?utm_source=x&b=2&a=1#top", "HTTP://BBC.co.uk:80/news?a=1&b=2",
        "http://пример.рф/страница", "https://名がドメイン.com/日本", "http://93.184.216.34/x", None, "not an address",
    ]  # fmt: skip
    found = addresses.measure({}, pa.array(urls)).to_pylist()
    assert found[0]["canonical"] == found[1]["canonical"] == "bbc.co.uk/news?a=1&b=2"
    assert [f["domain"] for f in found[:6]] == [
        "bbc.co.uk",
        "bbc.co.uk",
        "пример.рф",
        "名がドメイン.com",
        "93.184.216.34",
        None,
    ]
    assert [f["suffix"] for f in found[:4]] == ["co.uk", "co.uk", "рф", "com"]


def test_lists_hold_hosts_below_pages_below_and_patterns():
    listing = addresses.Listing(["# a note", "bad.example", "https://good.example/shop/", "*.spam.*", "sub.ok.example"])
    held = {
        "bad.example/": True, "a.b.bad.example/x": True, "notbad.example/": False, "good.example/shop/1": True,
        "good.example/shopping": False, "x.spam.example/": True, "ok.example/": False, "sub.ok.example/x": True,
    }  # fmt: skip
    for url, expected in held.items():
        page = addresses.canonical(f"http://{url}")
        assert listing.holds(page.split("/")[0], page) is expected, url


def test_addresses_that_differ_in_their_spelling_alone_are_the_same():
    for alike in (
        ("https://ru.wikipedia.org/wiki/Москва", "https://ru.wikipedia.org/wiki/%D0%9C%D0%BE%d1%81%d0%ba%D0%B2%D0%B0"),
        ("http://пример.рф/стр", "http://xn--e1afmkfd.xn--p1ai/%D1%81%D1%82%D1%80/", "//пример.рф/стр"),
        ("https://example.org/a~b", "https://EXAMPLE.org./a%7Eb#top"),
    ):
        found = addresses.measure({}, pa.array(alike)).to_pylist()
        assert len({(f["canonical"], f["domain"]) for f in found}) == 1, found
    for different in (
        ("https://a.example/#!/1", "https://a.example/#!/2"), ("https://a.example/a%2Fb", "https://a.example/a/b"),
        ("https://a.example/%E9", "https://a.example/%E8"), ("https://a.example/a.com//b", "https://a.example/b"),
    ):  # fmt: skip
        assert len({f["canonical"] for f in addresses.measure({}, pa.array(different)).to_pylist()}) == 2
    odd = addresses.measure({}, pa.array(["http://[bad", "http://example.com:abc/", "http://[::1]/x"])).to_pylist()
    assert [f["domain"] for f in odd] == [None, None, "::1"]


def test_entries_of_lists_are_read_as_people_write_them():
    listing = addresses.Listing(
        ["Example.org  # a note", ".dotted.example", "https://www.foo.example/", "пример.рф", "host.example:8080",
         "https://ru.wikipedia.org/wiki/Москва"]
    )  # fmt: skip
    held = {
        "http://a.example.org/": True, "http://x.dotted.example/1": True, "http://foo.example/": True,
        "http://xn--e1afmkfd.xn--p1ai/": True, "http://host.example:8080/": True, "http://host.example/": False,
        "https://ru.wikipedia.org/wiki/%D0%9C%D0%BE%D1%81%D0%BA%D0%B2%D0%B0": True,
    }  # fmt: skip
    found = addresses.measure({"deny": listing}, pa.array(list(held))).to_pylist()
    assert {url: f["listed"] == "deny" for url, f in zip(held, found, strict=True)} == held


def test_words_are_whole_where_there_are_words():
    lists = {"mine": ["cat", "Straße", "cat food", "котик", "قط", "कुत्ता"], "other": ["猫", "แมว", "ကြောင်", "cat"]}
    counted = words.Words(lists)
    for text, expected in {
        "The cat, the CAT and a category; concat": {"mine": 2, "other": 2},
        "cat food": {"mine": 1},
        "STRASSE straßenbahn": {"mine": 1},
        "Котик! котики": {"mine": 1},
        "قط جميل والقطار": {"mine": 1},
        "कुत्ता कुत्ताा": {"mine": 1},
        "私の猫は猫です": {"other": 2},
        "ฉันมีแมวสองตัว": {"other": 1},
        "ကြောင်လေး": {"other": 1},
        "": {},
    }.items():
        assert counted.counts(text) == expected, text


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    base = tmp_path_factory.mktemp("lists")
    rows = [
        {"text": f"{list(SCRIPTS.values())[i]} a{i}@mail.example.org", "url": url, "robots": robots}
        for i, (url, robots) in enumerate([
            ("https://one.example/a", None), ("http://www.one.example/a/?utm_source=b", None),
            ("https://one.example/b", None),
            ("https://one.example/c", None), ("https://bad.example/", None),
            ("https://two.example/", "robots.txt: train-ai=n"),
            ("https://x.porn.example/", None), (None, None),
        ])
    ]  # fmt: skip
    rows.append({"text": f"{SCRIPTS['rus_Cyrl']} спам спам", "url": "https://three.example/", "robots": None})
    (base / "raw.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), "utf-8")
    (base / "deny.txt").write_text("bad.example\n")
    (base / "ut1/adult").mkdir(parents=True)
    (base / "ut1/adult/domains").write_text("porn.example\n")
    (base / "rus_Cyrl.words").write_text("спам\n", "utf-8")
    recipe = {
        "name": "lists",
        "output": "made",
        "corpus": {"sources": [{"name": "raw", "path": "raw.jsonl", "language": "rus_Cyrl"}]},
        "signals": {
            "boilerplate": None,
            "urls": {
                "deny": "deny.txt",
                "categories": "ut1",
                "deny_categories": "adult",
                "robots": "robots",
            },
            "words": {"lists": {"spam": "{lang}.words"}},
            "private": {"mask": "tag"},
            "duplicates": {"threshold": 1},
        },
        "settings": {
            "default": {"identify": {"on_mismatch": "keep"}, "heuristics": None, "words": {"max_per_1000_chars": 1}}
        },
        "select": {"retain": "all", "per_domain": 1},
    }
    (base / "recipe.yaml").write_text(yaml.safe_dump(recipe, allow_unicode=True), "utf-8")
    result = CliRunner().invoke(app, ["export", str(base / "recipe.yaml"), "--json", "-q"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return base / "made"


def test_rules_drop_what_lists_and_pages_say_and_leave_the_evidence(done):
    ledger = table.read(table.shards(done / "ledger")).to_pylist()
    corpus = table.read(table.shards(done / "corpus")).to_pylist()
    rules = {(d["url"] or "none"): row["rule"] for d, row in zip(corpus, ledger, strict=True)}
    assert rules == {
        "https://one.example/a": "domain",
        "http://www.one.example/a/?utm_source=b": "urls.same",
        "https://one.example/b": None,
        "https://one.example/c": "domain",
        "https://bad.example/": "urls.denied",
        "https://two.example/": "urls.robots",
        "https://x.porn.example/": "urls.denied",
        "none": None,
        "https://three.example/": "words",
    }
    # Without a rater the longest of a domain is the best.
    evidence = {(d["url"] or "none"): row["evidence"] for d, row in zip(corpus, ledger, strict=True)}
    assert evidence["https://bad.example/"] == "bad.example is in deny"
    assert evidence["https://x.porn.example/"] == "x.porn.example is in adult"
    assert evidence["https://one.example/c"] == "one.example has 3 documents in rus_Cyrl; the best 1 are kept"
    assert "spam:2" in evidence["https://three.example/"]


def test_the_data_set_holds_no_value_and_says_what_went(done):
    found = [r for p in done.glob("dataset/*_*/*.parquet") for r in pq.read_table(p, partitioning=None).to_pylist()]
    assert found
    for row in found:
        assert "example.org" not in row["text"]
        assert row["text"].endswith("<EMAIL>")
        assert row["masked"] == "email:1"
    assert "Personal data (email, phone" in (done / "dataset/README.md").read_text("utf-8")
    counted = table.read(table.shards(done / "signals/private")).to_pylist()
    assert sum(row["email"] for row in counted) == 8
    for path in (done / "signals/private").rglob("*.parquet"):
        assert b"example.org" not in path.read_bytes()


def _recipe(base, rows, **signals):
    (base / "raw.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), "utf-8")
    recipe = {
        "name": "lists", "output": "made",
        "corpus": {"sources": [{"name": "raw", "path": "raw.jsonl", "language": "rus_Cyrl"}]},
        "signals": {"boilerplate": None, "duplicates": {"threshold": 1}, **signals},
        "settings": {"default": {"identify": {"on_mismatch": "keep"}, "heuristics": None}},
        "select": {"retain": "all"},
    }  # fmt: skip
    (base / "recipe.yaml").write_text(yaml.safe_dump(recipe, allow_unicode=True), "utf-8")
    return lambda: CliRunner().invoke(app, ["signals", str(base / "recipe.yaml"), "-q"])


def test_lists_that_hold_nothing_and_columns_that_are_no_text_are_refused(tmp_path):
    rows = [{"text": "Съешь же ещё этих булок", "url": ["https://a.example/"], "page": "https://a.example/"}]
    found = _recipe(tmp_path, rows, urls={"robots": None})()
    assert "the column 'url' is list<" in str(found.exception)
    (tmp_path / "deny.txt").write_text("\ufeffa.example\n0.0.0.0 b.example\n", "utf-8")
    found = _recipe(tmp_path, rows, urls={"column": "page", "robots": None, "deny": "deny.txt"})()
    assert "deny.txt:2 is no domain, address or pattern" in str(found.exception)
    found = _recipe(tmp_path, rows, urls={"column": "page", "robots": None, "categories": "ut"})()
    assert "signals.urls.categories: there is no folder" in str(found.exception)
    (tmp_path / "deny.txt").write_text("\ufeffa.example\n", "utf-8")
    assert _recipe(tmp_path, rows, urls={"column": "page", "robots": None, "deny": "deny.txt"})().exit_code == 0
    assert table.read(table.shards(tmp_path / "made/signals/urls"))["listed"].to_pylist() == ["deny"]


@pytest.mark.parametrize("path", ["{lang}/bad.txt", "[v1]/{lang}.txt", "words.{lang}/{lang}.txt"])
def test_a_list_that_changes_is_read_again_wherever_its_language_is_named(tmp_path, path):
    rows = [{"text": "Съешь же ещё этих булок"}]
    run = _recipe(tmp_path, rows, words={"lists": {"mine": [path, "a/x.txt", "b/x.txt"]}})
    for listed, more, counted in (("булок", "", 1), ("булок\nещё", "", 2), ("булок\nещё", "этих", 3)):
        for place, text in ((path.replace("{lang}", "rus_Cyrl"), listed), ("a/x.txt", more), ("b/x.txt", "")):
            (tmp_path / place).parent.mkdir(exist_ok=True)
            (tmp_path / place).write_text(f"\ufeff{text}\n", "utf-8")
        assert run().exit_code == 0
        assert table.read(table.shards(tmp_path / "made/signals/words"))["words"].to_pylist() == [counted]
