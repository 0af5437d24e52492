"""Damaged and odd files of every format: what is wrong is named or stands in quarantine, and nothing ends the run."""

import bz2
import gzip
import io
import json
import lzma
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from corpus_world import SCRIPTS, build, documents, quarantined, source
from glotmix.core.errors import DataError
from glotmix.corpus import encoding
from glotmix.signals import addresses

TEXT = "Le matin, les pêcheurs préparent leurs filets, puis ils sortent du port et ils naviguent jusqu'au soir. " * 3
PAGE = f"<html lang=fr><head><meta charset=utf-8></head><body><article><p>{TEXT}</p></article></body></html>".encode()


def put(base: Path, name: "str | bytes", data: "str | bytes") -> None:
    path = base / os.fsdecode(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())


def read(base: Path, path: Any, **more: Any) -> list[dict[str, Any]]:
    build(base, source(path, **more), max_chars=100_000)
    return documents(base / "corpus")


def reasons(base: Path) -> list[tuple[Any, str]]:
    return [(next(v for k, v in q.items() if k not in ("file",)), q["reason"]) for q in quarantined(base / "corpus")]


def record(
    url: str, body: bytes, mime: str = "text/html", status: str = "200 OK", more: str = "", size: int = 0
) -> bytes:
    payload = f"HTTP/1.1 {status}\r\nContent-Type: {mime}\r\n{more}\r\n".encode() + body
    head = (
        f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {url}\r\nWARC-Date: 2020-01-01T00:00:00Z\r\n"
        f"Content-Type: application/http; msgtype=response\r\nContent-Length: {size or len(payload)}\r\n\r\n"
    )
    return head.encode() + payload + b"\r\n\r\n"


ROWS = {
    "jsonl": "".join(json.dumps({"text": os.urandom(30).hex()}) + "\n" for _ in range(300)),
    "csv": "text,b\n" + "".join(f"{os.urandom(30).hex()},1\n" for _ in range(300)),
    "txt": os.urandom(9_000).hex(),
    "xml": "<mediawiki>" + os.urandom(9_000).hex(),
}
CODECS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("form", ROWS)
@pytest.mark.parametrize("damage", ["cut", "plain"])
def test_a_stream_that_ends_early_or_is_none_is_named_whatever_it_holds(tmp_path, form, codec, damage):
    data = ROWS[form].encode()
    put(tmp_path, f"a.{form}.{codec}", CODECS[codec](data)[:-30] if damage == "cut" else data)
    if damage == "plain" and codec == "gz" and form == "jsonl":
        return  # told by its first byte: tests/corpus/test_read.py
    with pytest.raises(DataError, match=rf"source 'web': a\.{form}\.{codec} (cannot be read|is not compressed)"):
        read(tmp_path, f"a.{form}.{codec}")


def test_a_name_that_is_not_utf8_is_refused_where_it_is_read_and_told_where_it_is_passed_over(tmp_path):
    put(tmp_path, "raw/a.txt", "hello there")
    put(tmp_path, b"raw/\xe9.jpg", b"")
    put(tmp_path, b"raw/\xe9sum\xe9", b"")
    made = build(tmp_path, source("raw"))
    assert made.notes["sources"]["web"]["passed_over"] == {".jpg": 1, "\\xe9sum\\xe9": 1}
    put(tmp_path, b"raw/\xff.txt", "strange name")
    with pytest.raises(DataError, match=r"the name of raw/\\xff.txt is not UTF-8") as error:
        build(tmp_path, source("raw"))
    assert "convmv" in str(error.value)


def test_a_name_with_a_zero_byte_can_be_loaded(tmp_path):
    row = {"text": "eins", "k\0": 1, "k\ufffd": 2, "": 3}
    put(tmp_path, "a.jsonl", json.dumps(row) + "\n")
    (found,) = read(tmp_path, "a.jsonl")
    assert (found["k\ufffd_original"], found["k\ufffd"], found[""]) == (1, 2, 3)
    assert not any("\0" in name for name in found)


def test_a_reservation_is_told_by_its_name_beside_what_else_a_page_says(tmp_path):
    said = '<meta name="robots" content="index, follow"><meta name="tdm-reservation" content="1">'
    put(tmp_path, "raw/a.html", PAGE.replace(b"<head>", f"<head>{said}".encode()))
    (page,) = read(tmp_path, "raw")
    server = record("http://a.example/", PAGE, more="TDM-Reservation: 1\r\nX-Robots-Tag: Index\r\n")
    put(tmp_path, "a.warc", server)
    (answer,) = read(tmp_path, "a.warc")
    assert page["robots"] == "index, follow, tdm-reservation: 1"
    assert answer["robots"] == "index, tdm-reservation: 1"
    for text, refused in (
        (page["robots"], True),
        ("tdm-reservation: 0", False),
        ("index, follow", False),
        ("max-image-preview:none", False),
        ("max-image-preview: none, noai", True),
        ("none", True),
    ):
        assert bool(addresses._REFUSING.search(text)) is refused


@pytest.mark.parametrize(
    "name", ["hex", "base64", "rot13", "quopri", "zlib", "undefined", "unicode_escape", "a\0b", ""]
)
def test_a_page_may_declare_what_is_no_encoding_and_a_recipe_may_not(tmp_path, name):
    text = "Les élèves préparent l'été à la plage et mangent des crêpes. " * 20
    assert encoding.guess(text.encode("cp1252"), name) == encoding.guess(text.encode("cp1252"))
    with pytest.raises(ValueError, match="there is no encoding"):
        source("a.txt", options={"encoding": name})


@pytest.mark.parametrize("code", ["utf-8", "cp1251"])
def test_a_row_of_a_table_with_two_faults_is_not_lost(tmp_path, code, capfd):
    text = SCRIPTS["rus_Cyrl"]
    bad = b"\xff\xfe" if code == "utf-8" else b"\x98"  # the one byte that cp1251 has not
    rows = [f"{text} {n},{n}\n".encode(code) for n in range(30)]
    rows[3] = bad + rows[3].replace(b",", b",x,")
    rows[5] = bad + rows[5]
    rows[7] = rows[7].replace(b",", b";")
    put(tmp_path, "a.csv", b"text,b\n" + b"".join(rows))
    options = {} if code == "utf-8" else {"options": {"encoding": code}}
    assert [d["b"] for d in read(tmp_path, "a.csv", **options)] == [str(n) for n in range(30) if n not in (3, 5, 7)]
    lost = quarantined(tmp_path / "corpus")
    assert [(q["row"], q["reason"]) for q in lost] == [
        (3, "wrong number of cells"), (5, "invalid UTF-8"), (7, "wrong number of cells")
    ]  # fmt: skip
    assert lost[0]["start"].startswith("\\xff\\xfe" if code == "utf-8" else "\\x98")
    assert "Traceback" not in capfd.readouterr().err


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 12\n"


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.html", "a.csv", "a.xml", "a.tmx", "a.warc.gz", "a.epub"])
def test_a_file_that_is_a_pointer_of_git_is_no_document(tmp_path, name):
    put(tmp_path, f"raw/{name}", POINTER)
    with pytest.raises(DataError, match=rf"raw/{name} is a pointer of Git LFS"):
        read(tmp_path, "raw", format="mediawiki" if name == "a.xml" else "auto")


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.tmx"])
def test_a_table_that_is_compressed_and_not_called_so_is_named(tmp_path, name):
    put(tmp_path, name, gzip.compress(b"text,b\nhello,1\n" * 100))
    with pytest.raises(DataError, match=rf"{name} is compressed with gzip") as error:
        read(tmp_path, name, language={"column": "lang"})
    assert f"call it {name}.gz" in str(error.value)
    put(tmp_path, name, os.urandom(3_000) + b"\xff\x00\xfe")
    with pytest.raises(DataError, match=rf"the encoding of {name} is not sure|{name} cannot be read|no column"):
        read(tmp_path, name, language={"column": "lang"})


@pytest.mark.parametrize("name", ["b.txt", "b.md", "b.html"])
@pytest.mark.parametrize("split", ["file", "lines"])
def test_a_text_that_is_compressed_and_not_called_so_stands_in_quarantine(tmp_path, name, split):
    put(tmp_path, "raw/a.txt", TEXT)
    put(tmp_path, f"raw/{name}", gzip.compress(PAGE))
    assert [d["file"] for d in read(tmp_path, "raw", options={"split": split})] == ["a.txt"]
    (lost,) = quarantined(tmp_path / "corpus")
    assert (lost["reason"], lost["detail"]) == ("damaged record", "it is compressed with gzip: call it NAME.gz")


def test_downloads_that_are_not_complete_and_copies_of_editors_are_passed_over(tmp_path):
    row = '{"text": "eins"}\n'
    odd = ["b.jsonl.part", "c.jsonl.crdownload", "d.jsonl~", "#e.jsonl#", "f.jsonl.tmp", "g.jsonl.bak"]
    for name in ("a.jsonl", "part-00000", *odd):
        put(tmp_path, f"raw/{name}", row.replace("eins", name))
    assert {d["text"] for d in read(tmp_path, "raw")} == {"a.jsonl", "part-00000"}
    assert sum(build(tmp_path, source("raw")).notes["sources"]["web"]["passed_over"].values()) == len(odd)
    assert [d["text"] for d in read(tmp_path, "raw/g.jsonl.bak")] == ["g.jsonl.bak"], "named, it is read"


def test_the_head_of_a_page_is_text(tmp_path):
    put(
        tmp_path,
        "a.md",
        "---\nlang: no\ndate: 2024-13-45\nauthor: [Ola, Kari]\ntitle: ~\nlicense: {a: b}\n---\nHei på deg",
    )
    put(tmp_path, "b.md", "---\nlang: fr\ntitle: " + "[" * 3_000 + "\n---\nSalut")
    (found,) = read(tmp_path, "a.md", language={"column": "lang"})
    assert (found["lang"], found["date"], found["author"]) == ("nob_Latn", "2024-13-45", "Ola, Kari")
    assert found.get("title") is None and found.get("license") is None
    (whole,) = read(tmp_path, "b.md")
    assert whole["text"].startswith("---\nlang: fr")


@pytest.mark.parametrize(
    ("name", "data", "more"),
    [
        ("blank lines", "\n\r\n\ntext,b\n\neins,1\nzwei,2\ndrei,1,2\n", {}),
        ("a name over lines", 'text,"b\n\nc"\neins,1\nzwei,2\ndrei\n', {}),
        ("sep", "sep=;\r\ntext;b\r\neins;1\r\nzwei;2\r\ndrei;1;2\r\n", {}),
        ("sep, a tab", "\ufeffSEP=\t\ntext\tb,c\neins\t1,2\nzwei\t2\ndrei\t1\t2\n", {}),
        ("blank lines, no head", "\n\neins,1\nzwei,2\ndrei,1,2\n", {"options": {"names": ["text", "b"]}}),
        ("columns without names", "text,b,,\neins,1,,\nzwei,2,,\ndrei\n", {}),
        ("zeros", "text,b\nei\0ns,1\nzwei,2\ndrei,1,2\n", {}),
    ],
)
def test_heads_of_tables(tmp_path, name, data, more):
    put(tmp_path, "a.csv", data)
    found = read(tmp_path, "a.csv", **more)
    assert [d["text"].replace("\0", "") for d in found] == ["eins", "zwei"]
    assert reasons(tmp_path) == [(2, "wrong number of cells")]
    if name == "columns without names":
        assert [found[0]["column_3"], found[0]["column_4"]] == ["", ""]


def test_a_language_that_is_blank_is_none(tmp_path):
    put(tmp_path, "a.csv", "lang,text\n,eins\n  ,zwei\n fr ,drei\n")
    assert [d["lang"] for d in read(tmp_path, "a.csv", language={"column": "lang"})] == ["fra_Latn"]
    assert [reason for _, reason in reasons(tmp_path)] == ["no language"] * 2


@pytest.mark.parametrize("text", [*SCRIPTS.values(), "plain words in a line"])
def test_a_stray_zero_is_a_character_and_no_other_encoding(text):
    data = (f"{text}\n" * 40).encode()
    for at in (3, 500):
        cut = len(data[:at].decode("utf-8", "ignore").encode())
        assert encoding.guess(data[:cut] + b"\0" + data[cut:]) == encoding.Guess("utf-8", 1.0)


@pytest.mark.parametrize("code", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16_that_is_cut_short_costs_its_last_row(tmp_path, code):
    put(tmp_path, "a.txt", "eins, zwei und drei\nvier, fünf und sechs\nsieben und acht>".encode(code)[:-1])
    found = read(tmp_path, "a.txt", options={"split": "lines"})
    assert [d["text"] for d in found] == ["eins, zwei und drei", "vier, fünf und sechs"]
    assert reasons(tmp_path) == [(3, "not in its encoding")]
    put(tmp_path, "a.csv", "a,text\n1,eins zwei drei\n2,vier fünf sechs>".encode(code)[:-1])
    assert [d["text"] for d in read(tmp_path, "a.csv")] == ["eins zwei drei"]
    assert reasons(tmp_path) == [(1, "invalid UTF-8")]


@pytest.mark.parametrize("codec", ["", ".gz", ".bz2", ".xz"])
def test_odd_records_of_an_archive_cost_themselves_alone(tmp_path, codec):
    many = [
        record("http://[bad/page", PAGE),
        record("http://[bad/robots.txt", b"User-agent: *\nDisallow: /", mime="text/plain"),
        record("http://a.example/words", PAGE, more="Content-Length: many\r\n"),
        record("http://a.example/twice", PAGE, more="Content-Length: 5, 5\r\n"),
        record("<http://a.example/wget>", PAGE),
        record("http://a.example/status", PAGE, status="OK"),
        record("http://a.example/chunks", PAGE, more="Transfer-Encoding: chunked\r\n"),
        record("http://a.example/after", PAGE),
    ]
    pack = CODECS.get(codec[1:], lambda data: data)
    put(tmp_path, f"a.warc{codec}", b"".join(map(pack, many)) if codec != ".xz" else pack(b"".join(many)))
    pages = {d["url"].rsplit("/", 1)[-1] for d in read(tmp_path, f"a.warc{codec}")}
    assert pages == {"page", "robots.txt", "words", "twice", "wget", "chunks", "after"}
    assert reasons(tmp_path) == [(6, "damaged record")]


@pytest.mark.parametrize("packed", [False, True])
def test_a_record_that_says_it_is_longer_takes_no_other_along(tmp_path, packed):
    many = [record("http://a.example/1", PAGE, size=50_000), record("http://a.example/2", PAGE)]
    cut = record("http://a.example/3", PAGE)
    pack = gzip.compress if packed else (lambda data: data)
    put(tmp_path, f"a.warc{'.gz' * packed}", b"".join(map(pack, many)) + pack(cut)[: -60 if packed else -200])
    found = read(tmp_path, f"a.warc{'.gz' * packed}")
    assert [d["url"][-1] for d in found] == ["2"]
    assert [reason for _, reason in reasons(tmp_path)] == ["damaged record"] * 2


@pytest.mark.parametrize("form", ["warc", "warc.gz", "arc", "arc.gz"])
def test_a_robots_txt_governs_pages_before_it(tmp_path, form):
    rules = b"User-agent: *\nDisallow: /private/"
    places = [
        ("a.example/private/1", PAGE), ("a.example/robots.txt", rules), ("a.example/private/2", PAGE),
        ("b.example/private/3", PAGE), ("a.example/robots.txt", b"User-agent: *\nAllow: /"),
        ("a.example/private/4", PAGE),
    ]  # fmt: skip
    many = []
    for place, body in places:
        if form.startswith("warc"):
            many.append(record(f"http://{place}", body))
        else:
            body = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + body  # noqa: PLW2901
            many.append(f"http://{place} 1.2.3.4 20200101000000 text/html {len(body)}\n".encode() + body + b"\n")
    put(tmp_path, f"a.{form}", b"".join(map(gzip.compress if form.endswith("gz") else bytes, many)))
    found = {d["url"][-1]: d.get("robots") for d in read(tmp_path, f"a.{form}")}
    assert found == {"1": "robots.txt: disallow", "2": "robots.txt: disallow", "3": None, "4": None}


def test_a_record_of_arc_that_says_it_is_endless_is_damaged(tmp_path):
    body = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + PAGE
    line = "http://a.example/{} 1.2.3.4 20200101000000 text/html {}\n"
    data = line.format(1, len(body)).encode() + body + b"\n" + line.format(2, 10**15).encode() + body
    put(tmp_path, "a.arc", data)
    assert [d["url"][-1] for d in read(tmp_path, "a.arc")] == ["1"]
    assert reasons(tmp_path) == [(2, "damaged record")]


def test_pages_of_a_wiki_without_text_are_no_damage(tmp_path):
    pages = "".join(
        f"<page><title>{title}</title><ns>{space}</ns><revision><text>{text}</text></revision></page>"
        for title, space, text in (
            ("A", " 0 ", "Bonjour"),
            ("B", "0", "{{Infobox}}"),
            ("C", "0", ""),
            ("D", "many", "x"),
        )
    )
    put(tmp_path, "a.xml", f"<mediawiki>{pages}</mediawiki>")
    assert [d["title"] for d in read(tmp_path, "a.xml")] == ["A"]
    assert reasons(tmp_path) == [(2, "no main text"), (3, "no main text"), (4, "damaged record")]
    lines = ["Bonjour", "", None]
    rows = "".join(json.dumps({"index": {"_id": "1"}}) + "\n" + json.dumps({"text": t}) + "\n" for t in lines)
    put(tmp_path, "a.json", rows)
    assert [d["text"] for d in read(tmp_path, "a.json")] == ["Bonjour"]
    assert reasons(tmp_path) == [(4, "no main text"), (6, "no main text")]


def test_a_side_that_is_not_translated_is_no_damage(tmp_path):
    unit = "<trans-unit id='1'><source>{}</source><target>{}</target></trans-unit>"
    body = unit.format("Hello", "Bonjour") + unit.format("Two", "") + unit.format("Three", " ")
    put(
        tmp_path, "a.xlf", f'<xliff version="1.2"><file source-language="en" target-language="fr">{body}</file></xliff>'
    )
    side = '<tuv xml:lang="{}"><seg>{}</seg></tuv>'
    put(tmp_path, "a.tmx", f"<tmx><tu>{side.format('en', 'Four')}{side.format('fr', '')}</tu></tmx>")
    put(tmp_path, "m/a.en", "Five\nSix\n")
    put(tmp_path, "m/a.fr", "\nSix bis\n")
    for path, more, texts in (
        ("a.xlf", {}, ["Hello", "Two", "Three", "Bonjour"]),
        ("a.tmx", {}, ["Four"]),
        ("m", {"format": "moses"}, ["Five", "Six", "Six bis"]),
    ):
        assert [d["text"] for d in read(tmp_path, path, language={"column": "lang"}, **more)] == texts
        assert not quarantined(tmp_path / "corpus")


def test_whatever_is_damaged_within_a_book_is_quarantined(tmp_path):
    book = io.BytesIO()
    with zipfile.ZipFile(book, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/epub+zip")
        archive.writestr("META-INF/container.xml", '<c xmlns="x"><rootfile full-path="c.opf"/></c>')
        archive.writestr("c.opf", '<p xmlns="x"><item id="a" href="a.xhtml"/><itemref idref="a"/></p>')
        archive.writestr("a.xhtml", f"<html><body><p>{TEXT}</p></body></html>")
    data = bytearray(book.getvalue())
    put(tmp_path, "raw/whole.epub", bytes(data))
    within = data.index(b"a.xhtml", data.index(b"idref") if b"idref" in data else 0) + 12
    data[within : within + 20] = bytes(byte ^ 0x5A for byte in data[within : within + 20])
    put(tmp_path, "raw/broken.epub", bytes(data))
    parts = [
        "<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        "<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
            "<</Length 3/Filter/Mine>>\nstream\nabc\nendstream", "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]  # fmt: skip
    body = "".join(f"{n} 0 obj\n{part}\nendobj\n" for n, part in enumerate(parts, 1))
    put(tmp_path, "raw/filter.pdf", f"%PDF-1.4\n{body}trailer <</Root 1 0 R/Size 6>>\nstartxref\n0\n%%EOF")
    assert [d["file"] for d in read(tmp_path, "raw")] == ["whole.epub"]
    assert [reason for _, reason in reasons(tmp_path)] == ["damaged record", "damaged record"]
