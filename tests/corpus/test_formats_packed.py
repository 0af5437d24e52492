"""Answers of servers in web archives, packed for the way: read however they are packed, refused where they are cut."""

import gzip
import zlib
from typing import Any

import pyarrow as pa
import pytest
from test_formats_damaged import PAGE, put, read, reasons, record

from corpus_world import quarantined
from glotmix.corpus.readers import body

GZIP, FLATE = gzip.compress(PAGE), zlib.compress(PAGE)
BROTLI, ZSTD = pa.compress(PAGE, codec="brotli", asbytes=True), pa.compress(PAGE, codec="zstd", asbytes=True)


def chunked(data: bytes, more: bytes = b"", end: bytes = b"0\r\n\r\n") -> bytes:
    half = len(data) // 2
    return b"".join(b"%x%s\r\n%s\r\n" % (len(part), more, part) for part in (data[:half], data[half:])) + end


def coded(content: str = "", transfer: str = "") -> str:
    said = {"Content-Encoding": content, "Transfer-Encoding": transfer}
    return "".join(f"{name}: {value}\r\n" for name, value in said.items() if value)


WHOLE: dict[str, tuple[bytes, str]] = {
    "gzip": (GZIP, coded("gzip")),
    "x-gzip": (GZIP, coded("X-GZip")),
    "members": (gzip.compress(PAGE[:100]) + gzip.compress(PAGE[100:]), coded("gzip")),
    "twice": (gzip.compress(GZIP), coded("gzip, gzip")),
    "behind": (GZIP + b"\0\0", coded("gzip")),
    "deflate": (FLATE, coded("deflate")),
    "deflate-alone": (FLATE[2:-4], coded("deflate")),
    "brotli": (BROTLI, coded("br")),
    "zstd": (ZSTD, coded("zstd")),
    "chunks": (chunked(PAGE), coded("", "chunked")),
    "chunks-said-more": (chunked(PAGE, b";a=b", b"0\r\nX-Time: 1\r\n\r\n"), coded("", "chunked")),
    "chunks-of-gzip": (chunked(GZIP), coded("gzip", "chunked")),
    "one-head": (chunked(GZIP), coded("", "gzip, chunked")),
    **{f"stored-unpacked-{name}": (PAGE, coded(name)) for name in ("gzip", "deflate", "br", "zstd", "none", "utf-8")},
    "stored-unchunked": (PAGE, coded("gzip", "chunked")),
}
CUT: dict[str, tuple[bytes, str]] = {
    "gzip": (GZIP[: len(GZIP) // 2], coded("gzip")),
    "gzip-sum": (GZIP[:-8] + b"12345678", coded("gzip")),
    "deflate": (FLATE[: len(FLATE) // 2], coded("deflate")),
    "brotli": (BROTLI[: len(BROTLI) // 2], coded("br")),
    "zstd": (ZSTD[: len(ZSTD) // 2], coded("zstd")),
    "chunk": (chunked(PAGE)[:-50], coded("", "chunked")),
    "chunks": (chunked(PAGE, end=b""), coded("", "chunked")),
    "chunks-of-gzip": (chunked(GZIP[:-40]), coded("gzip", "chunked")),
}


def archive(answers: dict[str, tuple[bytes, str]], of: Any = bytes) -> bytes:
    return b"".join(of(record(f"http://a.example/{name}", body, more=more)) for name, (body, more) in answers.items())


@pytest.mark.parametrize("packed", ["", ".gz"])
def test_an_answer_is_read_however_it_was_packed_or_stored(tmp_path, packed):
    put(tmp_path, f"a.warc{packed}", archive(WHOLE, gzip.compress if packed else bytes))
    found = read(tmp_path, f"a.warc{packed}")
    assert {d["url"].rsplit("/", 1)[-1] for d in found} == WHOLE.keys()
    assert len({d["text"] for d in found}) == 1
    assert reasons(tmp_path) == []


def test_an_answer_that_its_packing_cuts_short_costs_itself_alone(tmp_path):
    put(tmp_path, "a.warc", archive(CUT | {"after": (PAGE, "")}))
    assert [d["url"] for d in read(tmp_path, "a.warc")] == ["http://a.example/after"]
    lost = quarantined(tmp_path / "corpus")
    assert [(q["record"], q["reason"]) for q in lost] == [(n, "damaged record") for n in range(1, len(CUT) + 1)]
    assert all(name in q["detail"] for name, q in zip(CUT, lost, strict=True))


def test_what_a_crawler_cut_and_says_so_is_read_to_there(tmp_path):
    said = archive({"cut": CUT["chunk"]}).replace(b"WARC-Date", b"WARC-Truncated: length\r\nWARC-Date")
    put(tmp_path, "a.warc", said)
    assert [d["text"].startswith("Le matin, les pêcheurs") for d in read(tmp_path, "a.warc")] == [True]
    assert reasons(tmp_path) == []


def test_a_small_answer_that_unpacks_to_a_great_one_is_over_long(tmp_path):
    great = gzip.compress(bytes(70 * 2**20))
    put(tmp_path, "a.warc", archive({"bomb": (gzip.compress(great), coded("gzip, gzip")), "after": (PAGE, "")}))
    assert [d["url"] for d in read(tmp_path, "a.warc")] == ["http://a.example/after"]
    assert reasons(tmp_path) == [(1, "over-long text")]


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "chunked, gzip"])
def test_no_more_is_unpacked_than_is_wanted(coding):
    great = bytes(2**20)
    packed = {
        "gzip": gzip.compress(great),
        "deflate": zlib.compress(great),
        "br": pa.compress(great, codec="brotli", asbytes=True),
        "zstd": pa.compress(great, codec="zstd", asbytes=True),
        "chunked, gzip": gzip.compress(chunked(great)),
    }
    found, _ = body.unpacked(packed[coding], coding, 1_000)
    assert 0 < len(found) <= 1_000
