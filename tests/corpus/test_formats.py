"""Raw files of every format: what they hold becomes documents or stands in quarantine, in whatever compression."""

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from corpus_world import SCRIPTS, build, documents, quarantined, source
from glotmix.core import registry
from glotmix.core.errors import DataError, RequestError
from glotmix.corpus import encoding, extract, formats, main_text
from glotmix.corpus.readers.spec import ReaderSpec, Record, columns, reading

PACKED: dict[str, Callable[[bytes], bytes]] = {
    "": lambda data: data,
    ".gz": lambda data: gzip.compress(data[: len(data) // 2]) + gzip.compress(data[len(data) // 2 :]),
    ".zst": lambda data: pa.compress(data, "zstd", asbytes=True),
    ".bz2": lambda data: bz2.compress(data[: len(data) // 2]) + bz2.compress(data[len(data) // 2 :]),
    ".xz": lzma.compress,
}
PAGE = """<!doctype html><html lang="{lang}"><head><meta charset="{charset}"><title>{title}</title>
<meta property="article:published_time" content="2021-03-04T05:06:07+01:00"><meta name="robots" content="NoAI">
<link rel="canonical" href="https://example.org/{lang}"></head><body><nav><a href="/">NAVIGATION</a></nav>
<div class="cookie-banner">COOKIES</div><article><h1>{title}</h1><p>{one}</p><p>{two}</p></article>
<div id="comments"><p>COMMENTARY</p></div><footer>FOOTER <a rel="license"
href="https://creativecommons.org/licenses/by-sa/4.0/deed.de">CC</a></footer></body></html>"""


def put(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def read(base: Path, path: Any, to: str = "corpus", **more: Any) -> list[dict[str, Any]]:
    build(base, source(path, **more), to=to, max_chars=100_000)
    return documents(base / to)


def page(lang: str, charset: str = "utf-8") -> str:
    text = SCRIPTS[lang]
    return PAGE.format(lang=lang[:2], charset=charset, title=text[:12], one=f"{text} {text}", two=f"{text} " * 4)


@pytest.mark.parametrize("packed", PACKED)
def test_text_by_file_line_and_block_in_thirteen_scripts(tmp_path, packed):
    for lang, text in SCRIPTS.items():
        # U+2028 is a character of a line, and no end of one.
        put(tmp_path / f"raw/{lang}.txt{packed}", PACKED[packed](f"\r\n{text}\r\nb\r\n \r\n{text} 2\n".encode()))
    whole = read(tmp_path, "raw", to="whole")
    assert {d["file"]: d["text"].strip("\n") for d in whole} == {
        f"{lang}.txt{packed}": f"{text}\nb\n \n{text} 2" for lang, text in SCRIPTS.items()
    }
    lines = read(tmp_path, "raw", to="lines", options={"split": "lines"})
    assert sorted(d["text"] for d in lines) == sorted(
        line for text in SCRIPTS.values() for line in (text, "b", f"{text} 2")
    )
    blocks = read(tmp_path, "raw", to="blocks", options={"split": "blocks"})
    assert sorted(d["text"] for d in blocks) == sorted(
        block for text in SCRIPTS.values() for block in (f"{text}\nb", f"{text} 2")
    )


def test_quarantine_names_the_line_of_a_text(tmp_path):
    put(tmp_path / "a.txt", "eins\n\nzwei é\n".encode() + b"dr\xffei\n" + "vier ü\n".encode())
    found = read(tmp_path, "a.txt", options={"split": "lines"})
    assert [d["text"] for d in found] == ["eins", "zwei é", "vier ü"]
    (lost,) = quarantined(tmp_path / "corpus")
    assert (lost["line"], lost["reason"], lost["start"]) == (4, "invalid UTF-8", "dr\\xffei")


# fmt: off
LEGACY = {
    "rus_Cyrl": ("cp1251", "koi8-r", "iso8859-5", "cp866"), "ell_Grek": ("cp1253",), "heb_Hebr": ("cp1255",),
    "arb_Arab": ("cp1256",), "tha_Thai": ("tis-620",), "zho_Hans": ("gb18030",), "jpn_Jpan": ("shift_jis", "euc-jp"),
    "kor_Hang": ("euc-kr",), "hin_Deva": ("utf-16", "utf-16-le", "utf-8-sig"), "amh_Ethi": ("utf-32", "utf-16-be"),
}
# fmt: on
MORE = {
    "rus_Cyrl": "Все люди рождаются свободными и равными в своем достоинстве и правах. Они наделены разумом.",
    "ell_Grek": "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα.",
    "heb_Hebr": "כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם. כולם חוננו בתבונה ובמצפון.",
    "arb_Arab": "يولد جميع الناس أحراراً متساوين في الكرامة والحقوق. وقد وهبوا عقلاً وضميراً.",
    "tha_Thai": "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ ต่างมีเหตุผลและมโนธรรม",
    "zho_Hans": "人人生而自由,在尊严和权利上一律平等。他们赋有理性和良心,并应以兄弟关系的精神相对待。",
    "jpn_Jpan": "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。",
    "kor_Hang": "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다.",
}


@pytest.mark.parametrize(("lang", "code"), [(lang, code) for lang, codes in LEGACY.items() for code in codes])
@pytest.mark.parametrize("form", ["txt", "csv", "html"])
def test_legacy_encodings_are_told_and_named(tmp_path, lang, code, form):
    text = f"{MORE.get(lang, SCRIPTS[lang])} {MORE.get(lang, SCRIPTS[lang])}"
    match form:
        case "txt":
            raw = text
        case "csv":
            raw = f'url,text\na,"{text}"\n'
        case "html":
            raw = f"<html><body><article><p>{text}</p><p>{text}</p></article></body></html>"
    put(tmp_path / f"a.{form}", raw.encode(code))
    (found,) = read(tmp_path, f"a.{form}")
    assert found["text"] == (text if form != "html" else f"{text}\n{text}")
    if not code.startswith("utf-8"):
        assert raw.encode(code).decode(found["encoding"]).removeprefix("\ufeff") == raw
        assert 0.2 <= found["encoding_score"] <= 1


def test_an_encoding_that_is_not_sure_is_quarantined_and_one_that_is_given_is_taken(tmp_path):
    put(tmp_path / "a.txt", "Ça va?".encode("cp1252"))
    with pytest.raises(DataError, match="encoding not sure"):
        build(tmp_path, source("a.txt"), limit=0.5)
    (lost,) = quarantined(tmp_path / ".corpus.building")
    assert "below 0.2" in lost["detail"]
    (found,) = read(tmp_path, "a.txt", to="given", options={"encoding": "windows-1252"})
    assert (found["text"], found["encoding"], found["encoding_score"]) == ("Ça va?", "cp1252", 1.0)
    with pytest.raises(ValueError, match="no encoding 'cp12522'"):
        source("a.txt", options={"encoding": "cp12522"})


def test_bytes_that_are_not_in_the_encoding_cost_their_row_alone(tmp_path):
    rows = [f"{i};{MORE['jpn_Jpan']}" for i in range(20)]
    data = "\n".join(["n;text", *rows]).encode("shift_jis").replace(b"\n7;", b"\n7;\xfc\xfc")
    put(tmp_path / "a.csv", data)
    found = read(tmp_path, "a.csv")
    assert [d["n"] for d in found] == [str(i) for i in range(20) if i != 7]
    (lost,) = quarantined(tmp_path / "corpus")
    assert (lost["row"], lost["reason"]) == (7, "invalid UTF-8")


@pytest.mark.parametrize("packed", PACKED)
@pytest.mark.parametrize(("delimiter", "ending"), [(",", ".csv"), (";", ".csv"), ("|", ".csv"), ("\t", ".tsv")])
def test_tables_of_any_dialect(tmp_path, packed, delimiter, ending):
    rows = [f'007{delimiter}"{text}, ""x""; \n|\t{delimiter}"{delimiter}NA' for text in SCRIPTS.values()]
    data = "\r\n".join([f"no{delimiter}text{delimiter}note", *rows])
    put(tmp_path / f"a{ending}{packed}", PACKED[packed](f"\ufeff{data}".encode()))
    found = read(tmp_path, f"a{ending}{packed}")
    assert {(d["text"], d["no"], d["note"]) for d in found} == {
        (f'{text}, "x"; \n|\t{delimiter}', "007", "NA") for text in SCRIPTS.values()
    }


def test_quotes_that_protect_nothing_and_tables_without_a_head(tmp_path):
    put(tmp_path / "a.tsv", b'text\tn\n"Ach, sagte er\t1\nsie "rief" laut"\t2\n')
    assert [d["text"] for d in read(tmp_path, "a.tsv", to="a")] == ['"Ach, sagte er', 'sie "rief" laut"']
    put(tmp_path / "b.csv", b"x,1\ny,2\n")
    found = read(tmp_path, "b.csv", to="b", options={"names": ["text", "n"]})
    assert [(d["text"], d["n"]) for d in found] == [("x", "1"), ("y", "2")]
    put(tmp_path / "c.csv", b"text,text\nx,1\n")
    with pytest.raises(DataError, match="two columns 'text'"):
        read(tmp_path, "c.csv", to="c")
    put(tmp_path / "d.csv", b"txt,n\nx,1\n")
    with pytest.raises(DataError, match=r"no column 'text' for the text \(did you mean 'txt'"):
        read(tmp_path, "d.csv", to="d")


def test_rows_with_too_few_or_too_many_cells_are_quarantined_by_number(tmp_path):
    rows = [f"t{i},{i}" for i in range(200)]
    rows[3], rows[150] = "t3", "t150,1,2"
    put(tmp_path / "a.csv", "\n".join(["text,n", *rows]).encode())
    assert len(read(tmp_path, "a.csv")) == 198
    lost = quarantined(tmp_path / "corpus")
    assert [(e["row"], e["reason"], e["start"]) for e in lost] == [
        (3, "wrong number of cells", "t3"),
        (150, "wrong number of cells", "t150,1,2"),
    ]


@pytest.mark.parametrize("extractor", extract.EXTRACTORS)
def test_pages_give_their_text_and_what_they_say_of_themselves(tmp_path, extractor):
    for lang in SCRIPTS:
        put(tmp_path / f"raw/{lang}.html", page(lang).encode())
    found = {d["file"].removesuffix(".html"): d for d in read(tmp_path, "raw", options={"extractor": extractor})}
    assert found.keys() == SCRIPTS.keys()
    for lang, document in found.items():
        text = " ".join(SCRIPTS[lang].split())
        squeezed = " ".join(document["text"].split())
        assert squeezed.count(text) >= 5, lang
        assert not any(word in squeezed for word in ("NAVIGATION", "COOKIES", "COMMENTARY", "FOOTER")), lang
        # Paragraphs are lines.
        assert f"{text}" in document["text"].split("\n")[-1].replace("\u2028", " ")
        assert document["lang_original"] == lang[:2]
        assert document["date"] == "2021-03-04T05:06:07+01:00"
        assert document["license"] == "CC-BY-SA-4.0"
        assert document["url"] == f"https://example.org/{lang[:2]}"
        assert document["robots"] == "noai"


def test_what_is_no_main_content_goes_and_short_texts_of_every_script_stay():
    """A page of short lines alone keeps them; around long blocks links, leads and tails go, sentences stay."""
    for text in SCRIPTS.values():
        short = "".join(f"<p>{word}</p>\n" for word in text.split("\u2028")[0].split())
        assert main_text.main_blocks(short) == text.split("\u2028")[0].split()
        long = f"<p>{text * 8}</p>"
        link = '<p><a href="x">weiter lesen</a></p>'
        page = f"<p>12.3.2020</p>\n<p>Start</p>\n<h1>Titel</h1>\n{long}\n{link}\n<h2>kurz</h2>\n{long}\n<p>Teilen</p>"
        assert main_text.main_blocks(page) == ["Titel", *([text * 8, "kurz", text * 8])]
    thai = SCRIPTS["tha_Thai"]
    for last in ("Das war ein letzter kurzer Satz.", "これは最後の短い文です。これは最後の短い文です。", thai):
        assert main_text.main_blocks(f"<p>{thai * 8}</p>\n<p>{last}</p>\n<p>Teilen</p>")[1:] == [last]
    assert main_text.main_blocks("<p>1 &lt; 2 &amp;amp; 3</p>") == ["1 < 2 &amp; 3"]


def test_pages_without_main_text_stand_apart_and_count_as_no_damage(tmp_path):
    put(tmp_path / "a.html", page("fra_Latn" if "fra_Latn" in SCRIPTS else "eng_Latn").encode())
    put(tmp_path / "b.html", b"<html><body><img src=x></body></html>")
    build(tmp_path, source("*.html"), limit=0, max_chars=10_000)
    assert [e["reason"] for e in quarantined(tmp_path / "corpus")] == [extract.EMPTY]


def record(url: str, body: bytes, kind: bytes = b"response", mime: bytes = b"text/html", status: int = 200) -> bytes:
    if kind == b"response":
        head = b"HTTP/1.1 %d OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n" % (status, mime, len(body))
        body, mime = head + body, b"application/http; msgtype=response"
    return (
        b"WARC/1.0\r\nWARC-Type: %s\r\nWARC-Target-URI: %s\r\nWARC-Date: 2020-01-02T03:04:05Z\r\nContent-Type: %s\r\n"
        b"Content-Length: %d\r\n\r\n%s\r\n\r\n" % (kind, url.encode(), mime, len(body), body)
    )


def archive() -> list[bytes]:
    pages = [record(f"https://a.example/{lang}", page(lang).encode()) for lang in SCRIPTS]
    return [
        record("urn:info", b"software: x", b"warcinfo", b"application/warc-fields"),
        *pages,
        record("https://a.example/moved", b"<p>moved</p>", status=301),
        record("https://a.example/image", b"\x89PNG", mime=b"image/png"),
        record("https://a.example/koi8", page("rus_Cyrl").encode("koi8-r"), mime=b"text/html; charset=koi8-r"),
    ]


@pytest.mark.parametrize("packed", ["", ".gz", ".zst"])
def test_archives_give_the_pages_that_servers_answered_with(tmp_path, packed):
    records = archive()
    match packed:
        case ".gz":
            data = b"".join(map(gzip.compress, records))
        case ".zst":
            data = b"".join(pa.compress(r, "zstd", asbytes=True) for r in records)
        case _:
            data = b"".join(records)
    put(tmp_path / f"a.warc{packed}", data)
    found = {d["url"].rsplit("/", 1)[-1]: d for d in read(tmp_path, f"a.warc{packed}")}
    assert found.keys() == {*SCRIPTS, "koi8"}
    assert found["koi8"]["text"] == found["rus_Cyrl"]["text"]
    assert found["koi8"]["encoding"] == "koi8-r"
    assert found["tha_Thai"]["crawled"] == "2020-01-02T03:04:05Z"
    assert found["tha_Thai"]["canonical"] == "https://example.org/th"
    assert not quarantined(tmp_path / "corpus")


def test_what_a_robots_txt_says_stands_with_the_pages_behind_it_and_is_no_document(tmp_path):
    def told(site: str, text: str) -> bytes:
        return record(f"https://{site}.example/robots.txt", text.encode(), mime=b"text/plain")

    data = [
        record("https://a.example/before", page("eng_Latn").encode()),
        told("a", "User-agent: *\nDisallow: /private/\n"),
        told("b", "User-agent: CCBot\nDisallow: /\n\nUser-agent: *\nAllow: /\n"),
        told("c", "User-Agent: *\nContent-Signal: search=yes, ai-train=no\nAllow: /\n"),
        told("d", "Content-Usage: /archive train-ai=n\n\ufffd\x00 not a rule\n"),
        record("https://e.example/robots.txt", b"gone", mime=b"text/plain", status=404),
    ]
    places = ["a/page", "a/private/x", "b/page", "c/page", "d/page", "d/archive/1", "e/page", "A/private/y"]
    pages = [place.replace("/", ".example/", 1) for place in places]
    data += [record(f"https://{place}", page("tha_Thai").encode()) for place in pages]
    put(tmp_path / "a.warc.gz", b"".join(map(gzip.compress, data)))
    found = {d["url"].removeprefix("https://"): d["robots"].removeprefix("noai") for d in read(tmp_path, "a.warc.gz")}
    refused, training = ", robots.txt: disallow", ", robots.txt: train-ai=n"
    expected = ["", refused, refused, training, "", training, "", refused]
    assert found == {"a.example/before": "", **dict(zip(pages, expected, strict=True))}
    assert not quarantined(tmp_path / "corpus")


@pytest.mark.parametrize("packed", ["", ".gz"])
@pytest.mark.parametrize("damage", ["cut", "middle"])
def test_a_damaged_record_stands_in_quarantine_and_the_rest_is_read(tmp_path, packed, damage):
    records = [gzip.compress(r) if packed else r for r in archive()]
    if damage == "cut":
        records[-1] = records[-1][: len(records[-1]) // 2]
        gone = {"koi8"}
    else:
        broken = bytearray(records[4])
        if packed:
            broken[30:40] = b"\xff" * 10
        else:
            broken[:8] = b"WORK/1.0"
        records[4] = bytes(broken)
        gone = {list(SCRIPTS)[3]}
    put(tmp_path / f"a.warc{packed}", b"".join(records))
    found = {d["url"].rsplit("/", 1)[-1] for d in read(tmp_path, f"a.warc{packed}")}
    assert found == {*SCRIPTS, "koi8"} - gone
    assert [e["reason"] for e in quarantined(tmp_path / "corpus")] == ["damaged record"]


@pytest.mark.parametrize("packed", PACKED)
def test_arc_and_wet(tmp_path, packed):
    body = b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n" + page("ell_Grek").encode()
    arc = b"filedesc://x.arc 0.0.0.0 20040101000000 text/plain 20\n1 0 InternetArchive\n\n"
    arc += b"http://b.example/ 1.2.3.4 20040102030405 text/html %d\n%s\n" % (len(body), body)
    put(tmp_path / f"a.arc{packed}", PACKED[packed](arc))
    (found,) = read(tmp_path, f"a.arc{packed}", to="arc")
    assert (found["url"], found["crawled"]) == ("http://b.example/", "2004-01-02T03:04:05Z")
    assert SCRIPTS["ell_Grek"] in found["text"]
    if packed in ("", ".gz", ".zst"):
        texts = [record(f"https://c/{k}", v.encode(), b"conversion", b"text/plain") for k, v in SCRIPTS.items()]
        put(tmp_path / f"a.warc.wet{packed}", b"".join(map(PACKED[packed], texts)))
        assert sorted(d["text"] for d in read(tmp_path, f"a.warc.wet{packed}", to="wet")) == sorted(SCRIPTS.values())


def test_markdown_leaves_its_head_behind(tmp_path):
    put(
        tmp_path / "raw/a.md",
        "---\ntitle: Sätze\nlicense: CC-BY-4.0\ndate: 2020-01-01\n---\n\n# Sätze\n\nEin Satz.".encode(),
    )
    (found,) = read(tmp_path, "raw")
    assert (found["text"], found["title"], found["date"]) == ("# Sätze\n\nEin Satz.", "Sätze", "2020-01-01")


def test_what_stands_beside_data_is_passed_over_and_content_tells_where_the_ending_does_not(tmp_path):
    put(tmp_path / "raw/README.md", b"# About")
    put(tmp_path / "raw/part-0001", b'{"text": "a"}\n{"text": "b"}\n')
    put(tmp_path / "raw/LICENSE", b"All rights reserved")
    assert [d["text"] for d in read(tmp_path, "raw")] == ["a", "b"]
    put(tmp_path / "more/saved", page("deu_Latn" if "deu_Latn" in SCRIPTS else "eng_Latn").encode())
    assert len(read(tmp_path, "more", to="corpus-2")) == 1


def test_options_that_say_nothing_are_refused(tmp_path):
    put(tmp_path / "a.jsonl", b'{"text": "a"}\n')
    with pytest.raises(RequestError, match=r"options.split says nothing to jsonl"):
        read(tmp_path, "a.jsonl", options={"split": "lines"})
    with pytest.raises(ValueError, match=r"no format .parket. .did you mean 'parquet'"):
        source("a", format="parket")


def test_another_package_adds_a_format_by_one_declaration(tmp_path, monkeypatch):
    def verses(given, file):
        for at, line in enumerate(file.path.read_text("utf-8").split(";"), 1):
            yield Record(at, {"text": line, "verse": at}, line)

    spec = ReaderSpec("verse", (".verse",), reading(verses), columns("text", "verse"), counts="verse", version=3)

    point = SimpleNamespace(name="verse", load=lambda: SimpleNamespace(__name__="verses", READER=spec))
    monkeypatch.setattr(registry, "points", lambda group: [point] if group == "glotmix.readers" else [])
    for known in (registry.modules, formats.specs):
        known.cache_clear()
    try:
        put(tmp_path / "a.verse", b"Arma;; cano")
        found = read(tmp_path, "a.verse")
        assert [(d["text"], d["verse"]) for d in found] == [("Arma", 1), (" cano", 3)]
        assert [e["verse"] for e in quarantined(tmp_path / "corpus")] == [2]
    finally:
        monkeypatch.undo()
        for known in (registry.modules, formats.specs):
            known.cache_clear()


def test_declared_encodings_are_believed_unless_they_are_what_servers_always_say():
    data = (MORE["rus_Cyrl"] * 2).encode("cp1251")
    assert encoding.guess(data, "iso-8859-1").name == "cp1251"
    assert encoding.guess(data, "koi8-r").name == "koi8-r"
    assert encoding.guess("ж".encode(), "koi8-r").name == "utf-8"


@pytest.mark.parametrize("code", ["utf-8", "utf-16", "mac-roman"])
def test_lines_that_end_as_on_old_macs_are_lines(tmp_path, code):
    rows = ["Le matin, les pêcheurs préparent.", "Le soir, ils rentrent très tard.", "L'été, la mer est calme."] * 20
    put(tmp_path / "a.txt", "\r".join(rows).encode(code))
    how = {"encoding": code} if code == "mac-roman" else {}
    texts = [d["text"] for d in read(tmp_path, "a.txt", options={"split": "lines"} | how)]
    assert sorted(texts) == sorted(rows)
    assert [d["text"] for d in read(tmp_path, "a.txt", to="whole", options=how)] == ["\n".join(rows)]
    put(tmp_path / "b.txt", "\r\r".join(rows[:3]).encode(code))
    blocks = read(tmp_path, "b.txt", to="blocks", options={"split": "blocks"} | how)
    assert {d["text"] for d in blocks} == set(rows)
    # Where lines end otherwise, a stray one is a character of its line.
    put(tmp_path / "c.txt", "eins\rzwei\ndrei".encode(code))
    stray = read(tmp_path, "c.txt", to="c", options={"split": "lines"} | how)
    assert {d["text"] for d in stray} == {"eins\rzwei", "drei"}
