"""The card: front matter that the Hub reads, and tables that add up."""

import doctest
import re
from fnmatch import fnmatch

import pytest
import yaml

from glotmix.core import language
from glotmix.corpus import blend, card, columns, ids, rows

LANGUAGES = [
    {
        "lang": "fra_Latn",
        "read": 1200,
        "kept": 900,
        "bytes": 2_500_000,
        "dropped": {"quality": 200, "heuristics.chars.low": 60, "heuristics.digit_share.high": 40},
        "tokens": 600_000,
        "share": 0.75,
        "epochs": 1.25,
    },
    {"lang": "nno_Latn", "read": 400, "kept": 300, "bytes": 90_000, "dropped": {"quality": 100}},
    {"lang": "zho_Hans", "read": 10, "kept": 2, "bytes": 900, "dropped": {"duplicates.near": 8}, "tokens": 300},
    {"lang": "amh_Ethi", "read": 5, "kept": 0, "bytes": 0, "dropped": {"language": 5}},
]
SOURCES = [
    {"name": "web", "read": 1000, "kept": 700, "license": "ODC-By-1.0"},
    {"name": "books", "read": 600, "kept": 500, "license": "CC-BY-SA-4.0", "derived_from": ["web"]},
    {"name": "guides", "license": {"column": "meta.license"}, "licenses": ["MIT", "a|b"]},
    {"name": "misc", "license": None},
]
RECIPE = {"name": "demo", "corpus": {"sources": [{"name": "web", "language": "nob_Latn", "path": ("a", "b")}]}}


def front(text: str) -> dict:
    assert text.startswith("---\n")
    return yaml.safe_load(text.split("---\n")[1])


def tables(text: str) -> list[list[list[str]]]:
    """All tables of a Markdown text: rows of cells, the rule left out."""
    found: list[list[list[str]]] = [[]]
    for line in text.splitlines():
        if line.startswith("|"):
            cells = [c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]]
            if not all(set(c) <= {"-", ":"} for c in cells):
                found[-1].append(cells)
        elif found[-1]:
            found.append([])
    return [t for t in found if t]


@pytest.fixture
def text() -> str:
    return card.render("demo", LANGUAGES, SOURCES, RECIPE, ["id", "text"], ("parquet", "jsonl.zst"), ["Read it."])


def test_languages_with_too_few_documents_to_judge_are_named():
    text = "Too few documents to judge (fewer than 59 were read): `mya_Mymr` 3."
    assert text in card.render("x", LANGUAGES, SOURCES, {}, few=text)


def test_the_front_matter_is_what_the_hub_reads(text):
    told = front(text)
    assert told["language"] == ["fr", "nn", "zh"]
    assert told["language_bcp47"] == ["fr-Latn", "nn-Latn", "zh-Hans"]
    assert told["license"] == ["cc-by-sa-4.0", "mit", "odc-by", "other", "unknown"]
    assert told["license_name"] == "see-sources"
    assert told["size_categories"] == ["1K<n<10K"]
    assert told["multilinguality"] == "multilingual"
    assert front(card.render("x", LANGUAGES[:1], SOURCES[:1], {}))["license"] == "odc-by"
    norwegian = card.render("x", [{"lang": "nno_Latn", "read": 1, "kept": 1, "bytes": 1}], SOURCES[:1], {})
    assert front(norwegian)["language"] == ["nn"]
    assert front(norwegian)["multilinguality"] == "monolingual"


def test_configurations_find_the_files_of_their_language_and_no_other(text):
    files = [f"{lang}/train-00000-of-00001.parquet" for lang in ("fra_Latn", "nno_Latn", "zho_Hans")]
    others = ["dropped/fra_Latn/dropped-00000-of-00001.parquet", "fra_Latn/train-00000-of-00001.jsonl.zst"]
    # What an earlier data set left there: other numbers of files, languages that have gone, other parts.
    earlier = [
        "fra_Latn/train-00000-of-00002.parquet", "fra_Latn/train-web-00000-of-00001.parquet",
        "deu_Latn/train-00000-of-00001.parquet",
    ]  # fmt: skip
    told = front(card.render("x", LANGUAGES, SOURCES, {}, files=[*files, *others]))["configs"]
    for configs in (front(text)["configs"], told):
        paths = {c["config_name"]: c["data_files"][0]["path"] for c in configs}
        assert list(paths) == ["default", "fra_Latn", "nno_Latn", "zho_Hans"]
        held = files + others + (earlier if configs is told else [])
        assert [f for f in held if any(fnmatch(f, path) for path in paths["default"])] == files
        for lang, file in zip(list(paths)[1:], files, strict=True):
            assert [f for f in held if any(fnmatch(f, path) for path in paths[lang])] == [file]
    lines_only = front(card.render("x", LANGUAGES, SOURCES, {}, formats=["jsonl.zst"]))["configs"]
    assert lines_only[1]["data_files"][0]["path"] == ["fra_Latn/train-*.jsonl.zst"]


def test_tables_show_every_language_and_a_dash_for_what_is_not_known(text):
    languages, by_language, by_rule, sources = tables(text)
    assert [row[0] for row in languages[1:]] == ["`fra_Latn`", "`nno_Latn`", "`zho_Hans`", "`amh_Ethi`"]
    assert languages[1][1:] == ["French", "1,200", "900", "75.00%", "2.5 MB", "600,000", "75.00%", "1.25"]
    assert languages[2][6:] == ["–", "–", "–"]
    assert by_language[0] == ["language", "quality", "heuristics", "duplicates", "language"]
    assert by_language[1] == ["`fra_Latn`", "200", "100", "0", "0"]
    for row, given in zip(languages[1:], LANGUAGES, strict=True):
        dropped = next(r for r in by_language[1:] if r[0] == row[0])
        assert sum(int(c) for c in dropped[1:]) == given["read"] - given["kept"]
    assert by_rule[1:] == [
        ["`quality`", "300"],
        ["`heuristics.chars.low`", "60"],
        ["`heuristics.digit_share.high`", "40"],
        ["`duplicates.near`", "8"],
        ["`language`", "5"],
    ]
    assert sources[2] == ["books", "600", "500", "CC-BY-SA-4.0", "web"]
    assert sources[3][3] == r"by document, column `meta.license`: MIT, `a\|b`"
    assert sources[4] == ["misc", "–", "–", "not declared", "–"]
    assert "1,202 documents (2.59 MB of text) in 3 languages, kept of 1,615 read from 4 sources." in text


def test_the_recipe_stands_in_it_and_reads_back(text):
    block = text.split("```yaml\n")[1].split("```")[0]
    assert yaml.safe_load(block) == {
        "name": "demo",
        "corpus": {"sources": [{"name": "web", "language": "nob_Latn", "path": ["a", "b"]}]},
    }
    assert "- Read it." in text
    assert "`.parquet` and in `.jsonl.zst`" in text


def test_sizes_meet_without_a_gap():
    names = [card.size_category(10**k) for k in range(14)]
    assert names[:4] == ["n<1K", "n<1K", "n<1K", "1K<n<10K"]
    assert names[11] == "100B<n<1T"
    assert names[12:] == ["n>1T", "n>1T"]
    assert all(card.size_category(10**k - 1) == card.size_category(10**k // 2) for k in range(3, 13))


@pytest.mark.parametrize("module", [blend, card, columns, ids, rows])
def test_examples_in_the_docstrings(module):
    result = doctest.testmod(module)
    assert result.attempted
    assert not result.failed


HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "[click](javascript:alert(1))",
    "javascript:alert(1)",
    "https://evil.example/x",
    "www.evil.example",
    "a@evil.example",
    "MIT\u202etxt.exe",
    "MIT\x1b[2J",
    "a | b\n\n# Heading\n```\n<b>",
    "``` <script>x</script>",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_licence_a_column_or_a_setting_says_is_shown_and_not_obeyed(text):
    from markdown_it import MarkdownIt

    sources = [
        {"name": "a", "read": 1, "kept": 1, "license": text, "derived_from": []},
        {"name": "b", "read": 1, "kept": 1, "license": {"column": text}, "licenses": [text], "derived_from": []},
    ]
    languages = [{"lang": "fra_Latn", "read": 1, "kept": 1, "bytes": 9, "dropped": {}}]
    made = card.render("x", languages, sources, {"note": text, "deep": [text]}, columns=["id", text])
    body = made.split("---\n", 2)[2]
    assert not set(body) & set("\u202e\x1b")
    page = MarkdownIt("commonmark", {"html": True}).enable("table").render(body)
    calm = card.render("x", languages, [s | {"license": "MIT"} for s in sources], {"note": "n"}, columns=["id"])
    plain = MarkdownIt("commonmark", {"html": True}).enable("table").render(calm.split("---\n", 2)[2])
    told = re.sub(r"(?s)<code.*?</code>", "", page)
    # What GitHub and the Hub make links of, outside code.
    assert not re.search(r"https?:|www\.|@|javascript:", told)
    for sign in ("<img", "<script", "<b>", "<a ", "<h1>", "<h2>", "<table>", "<pre>"):
        assert page.count(sign) == plain.count(sign), sign


def test_the_short_codes_of_languages_are_those_of_langcodes():
    import langcodes

    for iso in sorted({entry.iso for entry in language._entries().values()}):
        found = language.shortest(iso)
        assert found is None or found == langcodes.Language.get(iso).to_tag()
    assert [card.tag(code) for code in ("tgl_Latn", "hbs_Cyrl", "amh_Ethi", "cmn_Hans")] == [
        "fil", "sr-Latn", "am", "zh",
    ]  # fmt: skip
