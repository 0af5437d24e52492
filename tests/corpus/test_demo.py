from collections import Counter
from pathlib import Path

import pytest

import glotmix
from glotmix.core import record, table
from glotmix.corpus import read
from glotmix.pipeline import recipe

DEMO = Path(glotmix.__file__).parent / "data" / "demo"


@pytest.fixture(scope="module", params=["recipe", "small"])
def corpus(request, tmp_path_factory):
    path = DEMO / f"{request.param}.yaml"
    given = recipe.load(path).corpus
    folder = tmp_path_factory.mktemp(request.param) / "corpus"
    identity = record.Identity("corpus", read.VERSION)
    made = record.build(
        folder,
        identity,
        lambda output: read.make(output, given.sources, DEMO, None, given.max_chars, given.max_quarantined),
    )
    return request.param, made, table.read(table.shards(folder), ["id", "text", "lang", "source"])


def test_it_has_the_languages_scripts_sources_and_size_that_it_promises(corpus):
    which, made, documents = corpus
    languages = Counter(documents["lang"].to_pylist())
    assert len(languages) == 33
    assert len({code[-4:] for code in languages}) == 17
    assert set(documents["source"].to_pylist()) == {"crawl-a", "crawl-b", "tico19", "guides", "tldr", "stories"}
    assert made.counts["documents"] == {"recipe": 7121, "small": 1783}[which]
    assert max(languages.values()) > 6 * min(languages.values()), "as unequal as the web"
    shipped = sum(f.stat().st_size for f in DEMO.rglob("*") if f.is_file())
    assert shipped < 5e6


def test_a_few_lines_are_broken_in_every_way_that_the_page_names_and_no_source_has_too_many(corpus):
    which, made, _ = corpus
    reasons = Counter()
    for source in made.notes["sources"].values():
        reasons.update(source["quarantined"])
    files = 4 if which == "recipe" else 1
    expected = {"malformed JSON": 3, "invalid UTF-8": 2, "empty text": 1, "missing text": 1}
    assert reasons == Counter(
        {k: v * files for k, v in expected.items()} | ({"over-long text": 1} if files == 4 else {})
    )
    for source in made.notes["sources"].values():
        assert sum(source["quarantined"].values()) < 0.01 * source["documents"]


def test_the_two_crawls_overlap_and_hold_near_duplicates_that_nobody_planted(corpus):
    _, _, documents = corpus
    texts = {"crawl-a": [], "crawl-b": []}
    for text, source in zip(documents["text"].to_pylist(), documents["source"].to_pylist(), strict=True):
        if source in texts:
            texts[source].append(text)
    both = set(texts["crawl-a"]) & set(texts["crawl-b"])
    assert len(both) > 0.02 * len(texts["crawl-a"])
    # By their beginnings alone, an undercount: pairs that begin alike and are not the same text.
    begins = Counter(text[:60] for text in {*texts["crawl-a"], *texts["crawl-b"]})
    assert sum(n for n in begins.values() if n > 1) > 0.01 * sum(map(len, texts.values()))


def test_every_folder_has_its_origin_and_licence_on_the_page():
    page = (DEMO / "README.md").read_text("utf-8")
    folders = [p.name for p in DEMO.iterdir() if p.is_dir()]
    assert len(folders) == 6
    for folder in folders:
        row = next(line for line in page.splitlines() if line.startswith(f"| `{folder}/`"))
        assert any(word in row for word in ("CC0", "CC BY", "MIT", "same"))
