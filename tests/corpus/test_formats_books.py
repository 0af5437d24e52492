"""EPUB, and the text layer of PDF."""

import io
import zipfile

import pytest
from test_formats import put, read

from corpus_world import SCRIPTS, quarantined
from glotmix.core.errors import DataError
from glotmix.corpus import extract


def epub(chapters: list[str], lang: str) -> bytes:
    names = [f"text/c%20{n}.xhtml" for n in range(len(chapters))]
    items = "".join(f'<item id="c{n}" href="{name}"/>' for n, name in enumerate(names))
    spine = "".join(f'<itemref idref="c{n}"/>' for n in reversed(range(len(chapters))))
    opf = (
        '<package xmlns="http://www.idpf.org/2007/opf"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<dc:title>T</dc:title><dc:language>{lang}</dc:language></metadata><manifest>{items}</manifest>"
        f"<spine>{spine}</spine></package>"
    )
    container = (
        '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        '<rootfile full-path="OEBPS/a.opf"/></rootfiles></container>'
    )
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as book:
        book.writestr("mimetype", "application/epub+zip")
        book.writestr("META-INF/container.xml", container)
        book.writestr("OEBPS/a.opf", opf)
        for n, text in enumerate(chapters):
            page = f"<html><body><h1>{n}</h1><p>{text}</p></body></html>"
            book.writestr(f"OEBPS/text/c {n}.xhtml", page)
    return made.getvalue()


def test_books_come_in_the_order_of_their_spine_whole_or_by_chapter(tmp_path):
    for lang, text in SCRIPTS.items():
        put(tmp_path / f"raw/{lang}.epub", epub([text, "second"], lang[:2]))
    put(tmp_path / "raw/saved", epub(["x"], "en"))
    found = {d["file"].removesuffix(".epub"): d for d in read(tmp_path, "raw")}
    assert found.keys() == {*SCRIPTS, "saved"}
    for lang, text in SCRIPTS.items():
        second, first = found[lang]["text"].split("\n\n0\n", 1) if "\n\n0\n" in found[lang]["text"] else ("", "")
        assert second.split() == ["1", "second"]
        assert " ".join(first.split()) == " ".join(text.split())
        assert (found[lang]["title"], found[lang]["lang_original"]) == ("T", lang[:2])
    put(
        tmp_path / "ruby.epub",
        epub(["Donau&#173;dampf", "<ruby>東京<rp>(</rp><rt>とうきょう</rt><rp>)</rp></ruby>"], "ja"),
    )
    (book,) = read(tmp_path, "ruby.epub", to="corpus-3")
    assert book["text"].split() == ["1", "東京", "0", "Donaudampf"] or book["text"].split() == [
        "0",
        "Donaudampf",
        "1",
        "東京",
    ]
    chapters = read(tmp_path, "raw/eng_Latn.epub", to="corpus-2", options={"split": "blocks"})
    assert len(chapters) == 2


def pdf(text: str) -> bytes:
    """Make the smallest PDF that shows a line of Latin letters."""
    stream = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    data, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return data + b"xref\n0 6\n0000000000 65535 f \n%strailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (
        table,
        len(data),
    )


def test_the_text_layer_of_a_pdf(tmp_path):
    put(tmp_path / "raw/a.pdf", pdf("La mer etait calme."))
    put(tmp_path / "raw/b.pdf", pdf(""))
    put(tmp_path / "raw/c.pdf", b"%PDF-1.4 and nothing else")
    found = read(tmp_path, "raw")
    assert [(d["file"], d["text"]) for d in found] == [("a.pdf", "La mer etait calme.")]
    lost = {e["file"]: e["reason"] for e in quarantined(tmp_path / "corpus")}
    assert lost == {"raw/b.pdf": extract.EMPTY, "raw/c.pdf": "damaged record"}


def test_a_damaged_book_is_named(tmp_path):
    put(tmp_path / "a.epub", epub(["x"], "en")[:-30])
    with pytest.raises(DataError, match=r"1 × damaged record, such as a.epub"):
        read(tmp_path, "a.epub")
