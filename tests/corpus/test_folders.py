"""Folders, patterns and links: nothing is passed over without a word, and nothing is read twice."""

import gzip
import json
import lzma
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from glotmix.core import record, table
from glotmix.core.errors import DataError, RequestError
from glotmix.corpus import read
from glotmix.corpus.sources import Source, look


def source(path: Any = "raw", **more: Any) -> Source:
    return Source.model_validate({"name": "web", "path": path, "language": "nld_Latn"} | more)


def put(path: Path, *texts: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps({"text": t}) + "\n" for t in texts or [path.name]), "utf-8")
    return path


def junk(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x00\x01")
    return path


def names(base: Path, path: Any = "raw", **more: Any) -> list[str]:
    return [file.shown for file in look(source(path, **more), base).files]


def said(base: Path, path: Any = "raw") -> str:
    return "\n".join(look(source(path), base).said)


ODD = ["boeken [2019]", "wat?", "ster*", "{a,b}", "met spatie", "50%25", "a#b", "[!x]", "back\\slash", "uur:min"]


@pytest.mark.parametrize("name", ODD)
def test_the_folder_of_a_recipe_is_taken_as_it_is_called(tmp_path, monkeypatch, name):
    put(tmp_path / name / "raw/een.jsonl")
    put(tmp_path / name / "raw/diep/twee.jsonl")
    put(tmp_path / "ster en wat" / "raw/buur.jsonl")
    put(tmp_path / "sterren" / "raw/buur.jsonl")
    put(tmp_path / "wat!" / "raw/buur.jsonl")
    monkeypatch.chdir(tmp_path)
    for base in (Path(name), tmp_path / name):
        assert names(base, "raw/**/*.jsonl") == ["raw/diep/twee.jsonl", "raw/een.jsonl"]
        assert names(base, ["raw/[de]*.jsonl", "raw"]) == ["raw/diep/twee.jsonl", "raw/een.jsonl"]
        with pytest.raises(DataError, match=r"nothing matches raw/x\*; .* holds diep, een.jsonl"):
            look(source("raw/x*"), base)


@pytest.mark.parametrize("name", ODD)
def test_tables_are_written_and_scanned_in_any_folder(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    for folder in (name, "sterren", "wat!"):
        table.write(pa.table({"folder": [folder]}), Path(folder) / "a.parquet")
    for path in (Path(name) / "a.parquet", tmp_path / name / "a.parquet"):
        assert table.collect(table.scan([path]))["folder"].to_pylist() == [name]


def test_a_pattern_follows_its_own_signs_alone(tmp_path):
    for name in (
        "raw/a1.jsonl",
        "raw/a2.jsonl",
        "raw/.b1.jsonl",
        "raw/x/a1.jsonl",
        "raw/x/y/a3.jsonl",
        "raw/.x/a1.jsonl",
    ):
        put(tmp_path / name)
    given = {
        "raw/a?.jsonl": ["raw/a1.jsonl", "raw/a2.jsonl"],
        "raw/*/a1.jsonl": ["raw/x/a1.jsonl"],
        "raw/**/a1.jsonl": ["raw/a1.jsonl", "raw/x/a1.jsonl"],
        "raw/**/y/**/*": ["raw/x/y/a3.jsonl"],
        "raw/.x/*": ["raw/.x/a1.jsonl"],
        "raw/.b*": ["raw/.b1.jsonl"],
        "raw/../raw/[!a]/a*.jsonl": ["raw/../raw/x/a1.jsonl"],
        # A folder that a pattern matches is read as a folder.
        "r*": ["raw/a1.jsonl", "raw/a2.jsonl", "raw/x/a1.jsonl", "raw/x/y/a3.jsonl"],
        "raw/x/**": ["raw/x/a1.jsonl", "raw/x/y/a3.jsonl"],
        str(tmp_path / "raw/x/*.jsonl"): ["raw/x/a1.jsonl"],
    }
    for pattern, expected in given.items():
        assert names(tmp_path, pattern) == expected, pattern


def test_files_that_are_not_read_are_counted_by_ending(tmp_path):
    for name in (
        "een.jsonl",
        "twee.jsonl.lz4",
        "drie.JSONL.LZ4",
        "vier.v2.xls",
        "LEESMIJ",
        "_oud/vijf.jsonl",
        "_oud/x.log",
    ):
        (put if name.endswith(".jsonl") else junk)(tmp_path / "raw" / name)
    found = look(source(), tmp_path)
    assert [f.shown for f in found.files] == ["raw/een.jsonl"]
    assert found.passed == {".jsonl.lz4": 2, ".xls": 1, "LEESMIJ": 1, "hidden": 1}
    assert found.said == [
        "source 'web': 5 files of its folders were passed over: 2 × .jsonl.lz4, 1 × .xls, 1 × LEESMIJ, 1 × hidden, "
        "such as raw/LEESMIJ"
    ]
    # What another path of the source names is not passed over.
    assert look(source(["raw", "raw/_oud/*.jsonl"]), tmp_path).passed == {".jsonl.lz4": 2, ".xls": 1, "LEESMIJ": 1}


def test_what_was_passed_over_stands_in_the_record_and_among_the_warnings(tmp_path):
    put(tmp_path / "raw/een.jsonl")
    junk(tmp_path / "raw/twee.json.gz")
    given = source()
    identity = record.Identity("corpus", read.VERSION, given.identity, read.fingerprints([given], tmp_path))
    made = record.build(tmp_path / "corpus", identity, lambda o: read.make(o, [given], tmp_path, None, 1000))
    assert made.notes["sources"]["web"]["passed_over"] == {".json.gz": 1}
    assert ["1 × .json.gz" in w for w in made.notes["warnings"]] == [True]


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("a.jsonl.lz4", "unpack them"),
        ("a.zip", "unpack them"),
        ("a.xlsx", "write the tables"),
        ("a.log", "set format"),
        ("a.tar.gz", "unpack them"),
        ("a.tgz", "unpack them"),
        ("a.docx", "save them as .txt"),
        ("a.json", "as .jsonl"),
        ("a.json.gz", "as .jsonl"),
        ("a.xlsx.gz", "write the tables"),
    ],
)
def test_the_advice_for_a_folder_without_a_readable_file_can_be_followed(tmp_path, name, advice):
    junk(tmp_path / "raw" / name)
    with pytest.raises(DataError, match=f"but 1 × .{name[2:]}") as caught:
        look(source(), tmp_path)
    assert advice in str(caught.value)


@pytest.mark.parametrize("path", ["raw", "raw/**/*.jsonl", "raw/*/*.jsonl", "r*"])
def test_a_link_to_a_folder_is_followed_and_one_that_has_no_end_is_not(tmp_path, path):
    put(tmp_path / "raw/diep/een.jsonl")
    put(tmp_path / "schijf/twee.jsonl")
    (tmp_path / "raw/meer").symlink_to("../schijf")
    assert names(tmp_path, path) == ["raw/diep/een.jsonl", "raw/meer/twee.jsonl"]
    assert not look(source(path), tmp_path).said
    for loop, to in (("raw/diep/rond", ".."), ("raw/op", "../.."), ("schijf/terug", "../raw"), ("schijf/zelf", ".")):
        (tmp_path / loop).symlink_to(to)
    assert names(tmp_path, path) == ["raw/diep/een.jsonl", "raw/meer/twee.jsonl"]
    if path != "raw/*/*.jsonl":
        assert "raw/diep/rond leads back to a folder that it lies in" in said(tmp_path, path)


@pytest.mark.parametrize("path", ["raw", "raw/**/*.jsonl", ["raw/a.jsonl", "raw/z.jsonl", "raw/0/y.jsonl"], "raw*"])
def test_a_file_that_two_ways_lead_to_is_read_once_under_its_own_name(tmp_path, path):
    put(tmp_path / "raw/y/y.jsonl")
    put(tmp_path / "raw/z.jsonl")
    (tmp_path / "raw/a.jsonl").symlink_to("z.jsonl")
    (tmp_path / "raw/0").symlink_to("y")
    expected = ["raw/0/y.jsonl", "raw/z.jsonl"] if isinstance(path, list) else ["raw/y/y.jsonl", "raw/z.jsonl"]
    assert names(tmp_path, path) == expected
    assert "lead to a file that is read already" in said(tmp_path, path)
    assert "raw/a.jsonl is raw/z.jsonl" in said(tmp_path, path) or "raw/0/y.jsonl is raw/y/y.jsonl" in said(
        tmp_path, path
    )


@pytest.mark.parametrize(
    ("link", "paths"),
    [
        ("raw/b.jsonl", ["raw", "raw/*.jsonl", "raw/**/*.jsonl", "raw/b.jsonl", "r*"]),
        ("raw/map", ["raw", "raw/*/*.jsonl", "raw/**/*.jsonl", "raw/map", "raw/map/*.jsonl"]),
        ("raw/diep/c.parquet", ["raw", "raw/**/*.parquet", "raw/diep/c.parquet", "raw/d*"]),
    ],
)
def test_a_link_that_leads_nowhere_is_named_with_where_it_leads(tmp_path, link, paths):
    put(tmp_path / "raw/a.jsonl")
    put(tmp_path / "raw/diep/a.jsonl")
    (tmp_path / link).symlink_to("../weg")
    for path in paths:
        with pytest.raises(DataError, match=rf"{link} is a link to \.\./weg, and nothing is there"):
            look(source(path), tmp_path)
    (tmp_path / link).unlink()
    (tmp_path / link).symlink_to(Path(link).name)  # to itself
    with pytest.raises(DataError, match="nothing is there"):
        look(source(paths[0]), tmp_path)


def test_links_that_lead_nowhere_outside_what_was_asked_for_do_not_matter(tmp_path):
    put(tmp_path / "raw/a.jsonl")
    (tmp_path / "raw/b.lock").symlink_to("weg")
    (tmp_path / "raw/.#a.jsonl").symlink_to("iemand@ergens.1234")
    assert names(tmp_path, "raw/*.jsonl") == ["raw/a.jsonl"]
    (tmp_path / "raw/b.lock").unlink()
    assert names(tmp_path, "raw") == ["raw/a.jsonl"]


def test_a_folder_that_may_not_be_read_is_an_error(tmp_path, monkeypatch):
    put(tmp_path / "raw/a.jsonl")
    put(tmp_path / "raw/dicht/b.jsonl")

    def iterdir(folder: Path) -> Any:
        if folder.name == "dicht":
            raise PermissionError(13, "Permission denied", str(folder))
        return (folder / name for name in os.listdir(folder))  # noqa: PTH208

    monkeypatch.setattr(Path, "iterdir", iterdir)
    for path in ("raw", "raw/**/*.jsonl", "raw/*/*.jsonl"):
        with pytest.raises(DataError, match="dicht cannot be read: Permission denied"):
            look(source(path), tmp_path)


OBJECT = b'{"text": "Een molen."}\n'
DISGUISED = {
    "a.jsonl": [
        (gzip.compress(OBJECT), "a.jsonl is compressed with gzip", "call it a.jsonl.gz"),
        (lzma.compress(OBJECT), "is compressed with xz", "call it a.jsonl.xz"),
        (b"PK\x03\x04" + b"0" * 40, "is a zip archive", "unpack it"),
        (OBJECT.decode().encode("utf-16"), "is UTF-16, as Windows writes it", "iconv -f UTF-16 -t UTF-8"),
        (OBJECT.decode().encode("utf-16-be"), "is UTF-16", "iconv -f UTF-16BE -t UTF-8"),
        (b"PAR1" + b"0" * 40, "is Parquet", "call it a.jsonl.parquet, or set format: parquet"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "is a pointer of Git LFS", "git lfs pull"),
    ],
    "a.jsonl.gz": [
        (OBJECT, "is not compressed, as its name says", "call it a.jsonl"),
        (gzip.compress(gzip.compress(OBJECT)), "is compressed with gzip", "call it a.jsonl.gz.gz"),
        (gzip.compress(OBJECT.decode().encode("utf-16")), "is UTF-16", "iconv"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "is a pointer of Git LFS", "git lfs pull"),
    ],
    "a.parquet": [(b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "pointer of Git LFS", "git lfs pull")],
}


def build(base: Path, **more: Any) -> record.Record:
    given = source("raw", **more)
    identity = record.Identity("corpus", read.VERSION, given.identity, read.fingerprints([given], base))
    return record.build(base / "corpus", identity, lambda o: read.make(o, [given], base, None, 1000, 0.5))


@pytest.mark.parametrize(("name", "held"), [(n, h) for n, several in DISGUISED.items() for h in several])
def test_a_file_that_is_not_what_it_is_called_is_named_with_what_it_is(tmp_path, name, held):
    content, what, fix = held
    put(tmp_path / "raw" / name).write_bytes(content)
    with pytest.raises(DataError, match=what) as caught:
        build(tmp_path)
    assert fix in str(caught.value)


@pytest.mark.parametrize(
    ("row", "more", "advice"),
    [
        ({"text": 7}, {}, "set columns.text of source 'web' to a column of text"),
        ({"text": "a", "id": [1]}, {}, "set columns.id"),
        (
            {"text": "a", "lang": 3},
            {"language": {"column": "lang"}},
            "set language of source 'web' to a column of text",
        ),
        ({"text": "x" * 1001}, {}, "raise corpus.max_chars"),
        (b'{"text": "caf\xe9"}', {}, "iconv"),
        (b"text: a", {}, "write one JSON object a line"),
    ],
)
def test_where_nothing_would_be_left_the_advice_is_not_to_allow_it(tmp_path, row, more, advice):
    line = row if isinstance(row, bytes) else json.dumps(row).encode()
    put(tmp_path / "raw/a.jsonl").write_bytes(line + b"\n" + line)
    with pytest.raises(DataError, match="2 of 2 rows") as caught:
        build(tmp_path, **more)
    assert advice in str(caught.value) and "max_quarantined allows" in str(caught.value)
    assert "raise corpus.max_quarantined" not in str(caught.value)
    # Where some are left it is one.
    put(tmp_path / "raw/a.jsonl").write_bytes(b'{"text": "Goed.", "lang": "nl"}\n' + line + b"\n" + line)
    with pytest.raises(DataError, match=r"2 of 3 rows[^→]*→ mend the source, or raise corpus.max_quarantined"):
        build(tmp_path, **more)


def test_two_sources_that_read_one_column_of_one_file_are_refused(tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.csv").write_text("en,fr\nGood day,Bonjour\n", "utf-8")
    (tmp_path / "b.csv").symlink_to(tmp_path / "raw" / "a.csv")
    ways = ("raw", "raw/*.csv", "b.csv")
    columns = {"text": "en", "id": None}
    for path in ways:
        both = [source(ways[0], name="one", columns=columns), source(path, name="two", columns=columns)]
        with pytest.raises(RequestError, match=r"sources 'one' and 'two' both read .*\.csv: its documents"):
            read.fingerprints(both, tmp_path)
    sides = [source(name=text, columns={"text": text, "id": None}) for text in ("en", "fr")]
    assert len(read.fingerprints(sides, tmp_path)) == 2
