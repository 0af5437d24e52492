"""Wikis and parallel text: formats of marked-up pages and units."""

import bz2
import gzip
import json

import pytest
from test_formats import PACKED, put, read

from corpus_world import SCRIPTS, quarantined, source
from glotmix.core.errors import DataError, RequestError
from glotmix.corpus import zawgyi
from glotmix.corpus.readers import wiki

PAGES = "".join(
    f"<page><title>{lang} &amp; co</title><ns>0</ns><id>{i}</id><revision><timestamp>2024-01-0{i % 9 + 1}T00:00:00Z"
    f"</timestamp><text xml:space='preserve'>'''{text}''' [[a|b]] &lt;ref&gt;gone&lt;/ref&gt;{{{{gone|x}}}}\n"
    f"[[Фәйл:x.png|мини|gone]]\n== c ==\n{{| class=gone\n| gone\n|}}\n* d [[Star Trek: E]]\n[[Төркем:gone]]</text>"
    "</revision></page>\n"
    for i, (lang, text) in enumerate(SCRIPTS.items())
)
DUMP = f"""<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="tt">
<siteinfo><sitename>W</sitename><base>https://tt.wikipedia.org/wiki/Main_Page</base><namespaces>
<namespace key="0" case="first-letter" /><namespace key="6" case="first-letter">Фәйл</namespace>
<namespace key="14" case="first-letter">Төркем</namespace></namespaces></siteinfo>
{PAGES}<page><title>T:x</title><ns>1</ns><id>98</id><revision><text>talk</text></revision></page>
<page><title>R</title><ns>0</ns><id>99</id><redirect title="a" /><revision><text>#REDIRECT</text></revision></page>
</mediawiki>"""


@pytest.mark.parametrize("packed", PACKED)
def test_the_xml_dump_of_a_wiki(tmp_path, packed):
    put(tmp_path / f"ttwiki-pages-articles.xml{packed}", PACKED[packed](DUMP.encode()))
    found = read(tmp_path, f"ttwiki-pages-articles.xml{packed}", to="wiki")
    assert {d["title"] for d in found} == {f"{lang} & co" for lang in SCRIPTS}
    for document in found:
        text = SCRIPTS[document["title"].split()[0]]
        assert document["text"] == f"{text} b\n\nc\n\nd Star Trek: E"
        assert document["lang_original"] == "tt"
        assert document["url"] == f"https://tt.wikipedia.org/wiki/{document['title'].replace(' ', '_')}"
    talk = read(tmp_path, f"ttwiki-pages-articles.xml{packed}", to="talk", options={"namespaces": [1]})
    assert [d["text"] for d in talk] == ["talk"]


def test_a_damaged_page_of_a_dump_costs_itself_alone(tmp_path):
    damaged = DUMP.replace("<id>3</id>", "<id>3<id>").replace("</mediawiki>", "<page><title>cut</title><ns>0<")
    put(tmp_path / "a.xml", damaged.encode())
    assert len(read(tmp_path, "a.xml")) == len(SCRIPTS) - 1
    lost = quarantined(tmp_path / "corpus")
    assert [(e["page"], e["reason"]) for e in lost] == [(4, "damaged record"), (16, "damaged record")]


def test_a_damaged_end_does_not_take_the_next_page_along(tmp_path):
    put(tmp_path / "a.xml", DUMP.replace("</page>", "</pa\x01ge>", 1).encode())
    assert len(read(tmp_path, "a.xml")) == len(SCRIPTS) - 1
    assert [e["page"] for e in quarantined(tmp_path / "corpus")] == [1]


def test_links_to_other_wikis_go_and_links_with_a_colon_stay():
    assert wiki.plain("[[de:Ulm]][[zh-min-nan:Ulm]][[:Category:x|y]] [[Dune: Part Two]] [[Bild:u.JPG|thumb]]") == (
        "y Dune: Part Two"
    )


@pytest.mark.parametrize("packed", PACKED)
def test_the_search_dump_of_a_wiki(tmp_path, packed):
    lines = []
    for i, (lang, text) in enumerate(SCRIPTS.items()):
        lines.append({"index": {"_type": "_doc", "_id": str(i)}})
        page = {"title": lang, "text": text, "language": lang[:3], "namespace": 0, "page_id": i, "wiki": "ttwiki"}
        lines.append(page | {"incoming_links": 3, "template": ["a"]})
    lines += [{"index": {"_id": "98"}}, {"title": "x", "text": "talk", "namespace": 1, "language": "tt"}]
    data = "\n".join(json.dumps(line) for line in lines).encode() + b'\n{"index": {"_id": "99"}}\n{"title'
    put(tmp_path / f"ttwiki-20240101-cirrussearch-content.json{packed}", PACKED[packed](data))
    found = read(tmp_path, f"*.json{packed}", language={"column": "lang"})
    assert {d["title"]: d["text"] for d in found} == SCRIPTS
    assert [e["line"] for e in quarantined(tmp_path / "corpus")] == [len(lines) + 2]


def translations(found):
    groups: dict[str, dict[str, str]] = {}
    for document in found:
        groups.setdefault(document["group"], {})[document["lang"]] = document["text"]
    return groups


@pytest.mark.parametrize("packed", PACKED)
@pytest.mark.parametrize("code", ["utf-8", "utf-16"])
def test_translation_memories(tmp_path, packed, code):
    units = "".join(
        f'<tu tuid="{i}"><tuv xml:lang="{lang}"><seg>{text}<bpt i="1">&lt;b&gt;</bpt> x<ept>/b</ept></seg>'
        f'</tuv><tuv xml:lang="EN-us"><seg>sentence {i}</seg></tuv></tu>'
        for i, (lang, text) in enumerate(SCRIPTS.items())
        if lang != "eng_Latn"
    )
    data = f'<?xml version="1.0"?><tmx version="1.4"><header srclang="en"/><body>{units}<tu><tuv></tu></body></tmx>'
    put(tmp_path / f"a.tmx{packed}", PACKED[packed](data.encode(code)))
    found = read(tmp_path, f"a.tmx{packed}", language={"column": "lang"})
    pairs = translations(found)
    assert len(pairs) == 12
    for pair in pairs.values():
        (lang,) = pair.keys() - {"eng_Latn"}
        assert pair[lang] == f"{SCRIPTS[lang]} x"
        assert pair["eng_Latn"] == f"sentence {list(SCRIPTS).index(lang)}"
    assert [e["reason"] for e in quarantined(tmp_path / "corpus")] == ["damaged record"]
    with pytest.raises(RequestError, match="several languages"):
        read(tmp_path, f"a.tmx{packed}", to="one")


def test_exchange_files_of_both_versions(tmp_path):
    old = """<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2">
        <file original="a" source-language="en" target-language="fr"><body><trans-unit id="1">
        <source>One <x id="1"/>two</source><target>Un deux</target></trans-unit></body></file>
        <file source-language="en" target-language="my"><body><trans-unit id="1"><source>Three</source>
        <target>သုံး</target></trans-unit></body></file></xliff>"""
    new = """<xliff xmlns="urn:oasis:names:tc:xliff:document:2.0" version="2.0" srcLang="en" trgLang="th"><file id="f">
        <unit id="u"><segment><source>Four</source><target>สี่</target></segment><segment><source>Five</source>
        <target>ห้า</target></segment></unit></file></xliff>"""
    put(tmp_path / "raw/a.xlf", old.encode())
    put(tmp_path / "raw/b.xliff", new.encode())
    found = read(tmp_path, "raw", language={"column": "lang"})
    assert {(d["group"], d["lang"], d["text"]) for d in found} == {
        ("a.xlf:1", "eng_Latn", "One two"),
        ("a.xlf:1", "fra_Latn", "Un deux"),
        ("a.xlf:2", "eng_Latn", "Three"),
        ("a.xlf:2", "mya_Mymr", "သုံး"),
        ("b.xliff:1", "eng_Latn", "Four"),
        ("b.xliff:1", "tha_Thai", "สี่"),
        ("b.xliff:1", "eng_Latn", "Five"),
        ("b.xliff:1", "tha_Thai", "ห้า"),
    }


@pytest.mark.parametrize("packed", PACKED)
def test_moses_files_and_their_lines(tmp_path, packed):
    for lang in ("am", "ja"):
        text = "".join(f"{SCRIPTS['amh_Ethi' if lang == 'am' else 'jpn_Jpan']} {i}\n" for i in range(3))
        put(tmp_path / f"raw/c.am-ja.{lang}{packed}", PACKED[packed](text.encode()))
    found = read(tmp_path, "raw", format="moses", language={"column": "lang"})
    pairs = translations(found)
    assert pairs.keys() == {f"c.am-ja:{i}" for i in (1, 2, 3)}
    assert pairs["c.am-ja:2"] == {"amh_Ethi": f"{SCRIPTS['amh_Ethi']} 1", "jpn_Jpan": f"{SCRIPTS['jpn_Jpan']} 1"}
    put(tmp_path / f"raw/c.am-ja.ja{packed}", PACKED[packed](b"a\nb"))
    with pytest.raises(DataError, match=r"has 3 lines and c.am-ja.ja.* has 2"):
        read(tmp_path, "raw", to="no", format="moses", language={"column": "lang"})


ZAWGYI = "ျမန္မာ နိုင္ငံ ေျမာက္ပိုင္း ရွိ မိုးညွင္း ၊ မိုးေကာင္း ၊ ျမန္မာနိုင္ငံ အေရွ ့ပိုင္း ေရႊလီျမစ္ ၀ွမ္း ျပည္နယ္ မ်ား သည္"
UNICODE = "မြန်မာ နိုင်ငံ မြောက်ပိုင်း ရှိ မိုးညှင်း ၊ မိုးကောင်း ၊ မြန်မာနိုင်ငံ အရှေ့ပိုင်း ရွှေလီမြစ် ဝှမ်း ပြည်နယ် များ သည်"


@pytest.mark.parametrize("form", ["jsonl", "txt", "csv"])
def test_burmese_in_zawgyi_becomes_unicode_in_any_format(tmp_path, form):
    texts = [ZAWGYI, UNICODE, *SCRIPTS.values()]
    match form:
        case "jsonl":
            put(tmp_path / "a.jsonl", "".join(json.dumps({"text": t}) + "\n" for t in texts).encode())
        case "csv":
            put(tmp_path / "a.csv", "".join(f'"{t}"\n' for t in ["text", *texts]).encode())
        case "txt":
            put(tmp_path / "a.txt", "\n".join(texts).encode())
    options = {"split": "lines"} if form == "txt" else {}
    found = read(tmp_path, f"a.{form}", language="my", options=options)
    assert [d["text"] for d in found if d["encoding"] == "zawgyi"] == [UNICODE]
    assert sorted(d["text"] for d in found if d["encoding"] is None) == sorted([UNICODE, *SCRIPTS.values()])
    kept = read(tmp_path, f"a.{form}", to="kept", language="my", options=options | {"zawgyi": "keep"})
    assert ZAWGYI in {d["text"] for d in kept}
    # Shan has the same letters, and no Zawgyi.
    shan = read(tmp_path, f"a.{form}", to="shan", language="shn", options=options)
    assert ZAWGYI in {d["text"] for d in shan}


def test_a_text_of_zawgyi_is_told_by_more_than_a_letter():
    import pyarrow as pa

    texts, were = zawgyi.unicoded(pa.array([UNICODE, None, "a", "", ZAWGYI]))
    assert texts.to_pylist() == [UNICODE, None, "a", "", UNICODE]
    assert list(were) == [4] and were[4] > 0.95


def test_gzip_and_bzip2_of_many_members(tmp_path):
    put(
        tmp_path / "a.xml.gz",
        b"".join(gzip.compress(DUMP.encode()[i : i + 500]) for i in range(0, len(DUMP.encode()), 500)),
    )
    put(
        tmp_path / "b.xml.bz2",
        b"".join(bz2.compress(DUMP.encode()[i : i + 500]) for i in range(0, len(DUMP.encode()), 500)),
    )
    assert len(read(tmp_path, ["a.xml.gz", "b.xml.bz2"])) == 2 * len(SCRIPTS)
    assert source("a").options.namespaces == (0,)
