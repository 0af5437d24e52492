"""Filters, lists, search and single documents, held against the tables themselves."""

import json
import re
import unicodedata

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import explore_world
from glotmix.core import table
from glotmix.core.errors import GlotmixError, RequestError
from glotmix.explore import filters, story, walk
from glotmix.explore.documents import Documents, coded
from report_world import SENTENCES


@pytest.fixture(scope="module")
def ledger(documents):
    return table.read(table.shards(documents.folder / "ledger")).to_pylist()


@pytest.fixture(scope="module")
def texts(documents):
    rows = table.read(table.shards(documents.context.corpus), ["id", "text", "group"]).to_pylist()
    return {r["id"]: r for r in rows}


def ids(answer):
    return [row["id"] for row in answer["rows"]]


def test_everything_is_listed_in_the_order_of_the_ledger(explorer, ledger):
    seen, start = [], 0
    while rows := ids(explorer.calls["filter"]({"from": start, "count": 77})):
        seen += rows
        start += 77
    assert seen == [row["id"] for row in ledger]
    found = explorer.calls["filter"]({})
    assert found["documents"] == found["of"] == len(ledger)
    assert found["bytes"] == sum(row["bytes"] for row in ledger)
    assert found["kept"] == sum(row["kept"] for row in ledger)


@pytest.mark.parametrize(
    ("given", "passes"),
    [
        ({"lang": "tha_Thai"}, lambda r, _: r["lang"] == "tha_Thai"),
        ({"source": "other", "state": "kept"}, lambda r, _: r["source"] == "other" and r["kept"]),
        ({"state": "dropped"}, lambda r, _: not r["kept"]),
        ({"state": "duplicates.near"}, lambda r, _: r["rule"] == "duplicates.near"),
        (
            {"fails": "urls.same", "lang": "heb_Hebr"},
            lambda r, _: "urls.same" in r["failed"] and r["lang"] == "heb_Hebr",
        ),
        ({"group": "article 3"}, lambda r, t: t["group"] == "article 3"),
        (
            {"lang": "amh_Ethi", "group": "article 3"},
            lambda r, t: r["lang"] == "amh_Ethi" and t["group"] == "article 3",
        ),
    ],
)
def test_filters_pass_what_the_tables_say(explorer, ledger, texts, given, passes):
    wanted = [row["id"] for row in ledger if passes(row, texts[row["id"]])]
    found = explorer.calls["filter"](given | {"count": 200})
    assert wanted and ids(found) == wanted[:200] and found["documents"] == len(wanted)


def test_a_range_of_a_measure_holds_both_ends_and_no_missing_number(explorer, documents):
    held = table.read(story.parts(documents.folder / "signals/heuristics"), ["id", "mean_word_length"]).to_pylist()
    values = sorted(r["mean_word_length"] for r in held if r["mean_word_length"] is not None)
    low, high = values[20], values[60]
    wanted = {r["id"] for r in held if r["mean_word_length"] is not None and low <= r["mean_word_length"] <= high}
    given = {"column": "heuristics.mean_word_length", "low": low, "high": str(high), "count": 200}
    assert set(ids(explorer.calls["filter"](given))) == wanted
    rows = explorer.calls["filter"](given | {"sort": "high"})["rows"]
    assert [r["value"] for r in rows] == sorted((r["value"] for r in rows), reverse=True)
    # Thai has no words: its documents come last, and none is lost.
    every = explorer.calls["filter"]({"column": "heuristics.mean_word_length", "sort": "low", "count": 3})
    assert every["documents"] == len(held) and [r["value"] for r in every["rows"]] == values[:3]


@pytest.mark.parametrize("seed", range(8))
def test_a_page_is_the_beginning_of_the_sorted_whole(seed):
    rng = np.random.default_rng(seed)
    key = rng.choice([0, 0, 0, 1, 2.5, np.nan, -3][seed % 4 :], 500).astype(np.float32)
    key[rng.random(500) < 0.3] = rng.random()
    whole = np.argsort(key, kind="stable")
    for count in (0, 1, 7, 50, 499, 500, 900):
        assert filters._least(key, count).tolist() == whole[:count].tolist()
    assert filters._least(np.full(9, np.nan, np.float32), 3).tolist() == [0, 1, 2]


def test_what_cells_count_is_what_is_there(explorer, documents):
    some = {"column": "heuristics.chars", "low": 0}  # all documents, counted one by one
    for given in ({}, {"lang": "fra_Latn"}, {"source": "other", "state": "dropped"}, {"state": "duplicates.near"}):
        quick, slow = (explorer.calls["filter"](given | more) for more in ({}, some))
        for name in ("documents", "bytes", "kept", "langs", "sources", "rules"):
            assert quick[name] == slow[name]
        assert filters.mask(documents, given).sum() == quick["documents"]


def test_clusters_and_domains(explorer, ledger):
    twins = ids(explorer.calls["filter"]({"domain": "twins.example", "count": 200}))
    assert sorted(twins) == sorted(r["id"] for r in ledger if "/twin-" in r["id"])
    row = (
        explorer.documents.row("tam_Taml/twin-0")
        if "tam_Taml" in SENTENCES
        else explorer.documents.row("rus_Cyrl/twin-0")
    )
    told = explorer.calls["document"]({"row": row})
    cluster = told["signals"]["duplicates"]["cluster"]
    assert set(ids(explorer.calls["filter"]({"cluster": cluster}))) == {told["id"], *(m["id"] for m in told["members"])}


@pytest.mark.parametrize(
    "given",
    [{"lang": "xxx"}, {"state": "nothing"}, {"column": "heuristics.digit_shar", "low": 1}, {"sort": "up"},
     {"column": "heuristics.digit_share", "low": "many"}, {"column": "heuristics.digit_share", "low": "nan"}],
)  # fmt: skip
def test_what_there_is_not_is_an_error(explorer, given):
    with pytest.raises(RequestError):
        explorer.calls["filter"](given)


def test_a_document_is_told_as_glotmix_why_tells_it(explorer, documents, ledger, texts):
    for row in range(0, len(ledger), 17):
        told = explorer.calls["document"]({"row": row})
        why = story.tell(documents.folder, ledger[row]["id"])
        assert told["id"] == why["id"] == ledger[row]["id"] and told["evidence"] == ledger[row]["evidence"]
        assert why["text"] == texts[why["id"]]["text"]
        assert json.loads(json.dumps(told, allow_nan=False)) == told
        why["signals"]["duplicates"].pop("content")
        assert told["signals"] == why["signals"] and set(told["signals"]) >= {"heuristics", "identify", "urls"}
        assert {m["id"] for m in told["members"]} >= set(why["twins"])


def test_every_text_is_its_own_documents(explorer, documents, texts):
    rows = np.random.default_rng(1).permutation(len(documents))[:60].tolist()
    found = dict(documents.texts(rows))
    assert sorted(found) == sorted(rows)
    for row, text in found.items():
        assert text == texts[documents.ids[row].as_py()]["text"]


def test_translations_of_a_document(explorer):
    told = explorer.calls["document"]({"id": "jpn_Jpan/05"})
    assert {m["lang"] for m in told["translations"]} == set(SENTENCES) - {"jpn_Jpan"}


def test_excerpts_come_at_least_one_at_a_time_and_all_in_the_end(explorer, monkeypatch):
    monkeypatch.setattr("glotmix.explore.calls._STEP", -1.0)
    waiting = [5, 100, 7, 250]
    while waiting:
        found = explorer.calls["excerpts"]({"rows": waiting})["excerpts"]
        assert len(found) == 1
        waiting = [row for row in waiting if str(row) not in found]


@pytest.mark.parametrize("lang", sorted(SENTENCES))
def test_search_finds_letters_in_every_script(explorer, texts, lang):
    word = SENTENCES[lang].split()[0] if SENTENCES[lang].count(" ") > 4 else SENTENCES[lang][:3]
    wanted = {i for i, row in texts.items() if unicodedata.normalize("NFC", word.lower()) in row["text"].lower()}
    found = walk_all(explorer, {"text": word})
    assert {r["id"] for r in found} == wanted and wanted
    assert all(r["hit"].lower() == word.lower() for r in found)


def walk_all(explorer, given, call="search"):
    answer = explorer.calls[call](given)
    rows = answer["rows"]
    steps = 1
    while not answer["done"]:
        before = answer["looked"]
        answer = explorer.calls["more"]({"walk": answer["walk"]})
        assert answer["looked"] > before
        rows += answer["rows"]
        steps += 1
    assert answer["looked"] == answer["of"]
    return rows


def test_search_says_what_it_has_looked_at_and_goes_on(explorer, monkeypatch, texts):
    monkeypatch.setattr(walk, "STEP", -1.0)
    monkeypatch.setattr(walk, "_ROWS", 16)
    answer = explorer.calls["search"]({"text": "e"})
    assert 0 < answer["looked"] < answer["of"] and not answer["done"]
    wanted = {i for i, row in texts.items() if "e" in row["text"].lower()}
    assert {r["id"] for r in walk_all(explorer, {"text": "E"})} == wanted


def test_search_is_word_for_word_and_knows_both_forms_of_accents(explorer, texts):
    assert walk_all(explorer, {"text": ".*"}) == []
    assert walk_all(explorer, {"text": "hit(3)"})
    decomposed = unicodedata.normalize("NFD", "êtres")
    assert {r["id"] for r in walk_all(explorer, {"text": decomposed})} == {
        i for i, row in texts.items() if "êtres" in row["text"].lower()
    }
    assert {r["lang"] for r in walk_all(explorer, {"text": "1", "lang": "kor_Hang"})} == {"kor_Hang"}
    # Looked at are those that pass, not all that lie beside them.
    assert all(r["kept"] for r in walk_all(explorer, {"text": "1", "state": "kept"}))
    composed = walk.Search(explorer.documents, {"text": "\u00e9"})
    assert composed._python.search("e\u0301") and re.search(composed._pattern, "e\u0301")
    with pytest.raises(RequestError, match="no text"):
        explorer.calls["search"]({"text": "  "})


def test_neighbours_by_meaning_are_the_nearest_vectors(explorer, documents):
    files = story.parts(documents.folder / "signals/embed/static")
    matrix = np.array(table.read(files, ["embedding"])["embedding"].to_pylist(), np.float32)
    row = documents.row("ell_Grek/07")
    for other in (False, True):
        found = walk_last(explorer, {"row": row, "embedder": "static", "other": other})
        similar = matrix @ matrix[row]
        similar[row] = -2
        if other:
            similar[documents.lang.codes == documents.lang.codes[row]] = -2
        wanted = np.sort(similar)[::-1][: walk.NEAREST]
        assert np.allclose([r["similarity"] for r in found], wanted, atol=2e-3)
        assert all((r["lang"] != "ell_Grek") or not other for r in found)
    with pytest.raises(RequestError, match="no vectors"):
        explorer.calls["neighbours"]({"row": row, "embedder": "none"})


def walk_last(explorer, given):
    answer = explorer.calls["neighbours"](given)
    while not answer["done"]:
        answer = explorer.calls["more"]({"walk": answer["walk"]})
    return answer["rows"]


def test_codes_put_the_most_frequent_name_first_and_keep_what_is_missing():
    found = coded(pa.chunked_array([["b", None, "a"], ["a", "b", "a"]]))
    assert found.names == ("a", "b") and found.codes.tolist() == [1, -1, 0, 0, 1, 0]
    assert coded(pa.chunked_array([], pa.string())).codes.tolist() == []


def test_an_unfinished_run_says_what_to_type(tmp_path):
    path = explore_world.write(tmp_path)
    with pytest.raises(GlotmixError) as told:
        Documents(explore_world.job(path).context)
    assert "not there or not finished" in told.value.message and "glotmix run RECIPE" in told.value.fix


@pytest.fixture
def copy(recipe, tmp_path):
    """The run, in a folder that may be damaged."""
    import shutil

    shutil.copytree(recipe.parent, tmp_path / "run", symlinks=True)
    return tmp_path / "run" / "recipe.yaml"


@pytest.mark.parametrize("step", ["ledger", "signals/heuristics", "signals/identify", "corpus"])
def test_a_damaged_table_is_named(copy, step):
    shard = table.shards(copy.parent / "out" / step)[0]
    shard.write_bytes(shard.read_bytes()[:-100])
    with pytest.raises(GlotmixError) as told:
        Documents(explore_world.job(copy).context)
    assert step.split("/")[-1] in told.value.message and "glotmix run" in told.value.fix


def test_a_table_whose_bytes_were_turned_is_an_error_that_names_it(copy):
    shard = table.shards(copy.parent / "out" / "ledger")[0]
    held = bytearray(shard.read_bytes())
    held[200:260] = bytes(60)
    shard.write_bytes(held)
    with pytest.raises(GlotmixError) as told:
        Documents(explore_world.job(copy).context)
    assert "ledger" in told.value.message


def test_a_ledger_of_other_documents_is_refused(copy, documents):
    shards = table.shards(copy.parent / "out" / "corpus")
    rows = pq.read_table(shards[0], partitioning=None)
    before = shards[0].stat()
    table.write(rows.slice(1), shards[0])
    import os

    assert before.st_size != shards[0].stat().st_size
    os.utime(shards[0], ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(GlotmixError, match="corpus"):
        Documents(explore_world.job(copy).context)
