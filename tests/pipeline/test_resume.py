"""Laws of whole runs: killed and resumed, other workers, other shards, another order of files: the same result.

Small and fast here; benchmarks.pipeline holds the same laws on more documents.
"""

import gzip
import json
import random
from pathlib import Path

import pyarrow as pa
import pytest
from benchmarks import _runs

import glotmix
from glotmix.core import language

DEMO = Path(glotmix.__file__).parent / "data" / "demo"
# In six scripts; the crawls of the first four hold many near-duplicates.
LANGUAGES = ("wol_Latn", "ibo_Latn", "ltg_Latn", "dzo_Tibt", "rus_Cyrl", "arb_Arab", "tha_Thai", "zho_Hans")


@pytest.fixture(scope="module")
def documents():
    """Real web text from both crawls of the demo, under the languages' canonical codes."""
    rows = []
    for path in [*sorted((DEMO / "crawl-a").iterdir()), *sorted((DEMO / "crawl-b").iterdir())]:
        for line in pa.input_stream(path, compression={".zst": "zstd", ".gz": "gzip"}[path.suffix]).read().splitlines():
            try:
                row = json.loads(line)
            except ValueError:
                continue
            lang = language.parse(row.get("lang") or row["language"]).code
            text = row.get("text") or row.get("content")
            if lang in LANGUAGES and text:
                rows.append({"id": row.get("id") or row["doc_id"], "lang": lang, "text": text})
    assert len(rows) > 1000
    return rows


def write(folder, rows, files):
    folder.mkdir(parents=True)
    for number in range(files):
        lines = [json.dumps(r, ensure_ascii=False) + "\n" for r in rows[number::files]]
        (folder / f"{number}.jsonl.gz").write_bytes(gzip.compress("".join(lines).encode(), 1))
    return folder


@pytest.fixture(scope="module")
def alone(documents, tmp_path_factory):
    """A run that nothing disturbed: its folder, its seconds, and the files that it read."""
    folder = tmp_path_factory.mktemp("alone")
    source = write(folder / "in", documents, 3)
    seconds = _runs.finish(_runs.command(_runs.recipe(folder, [source])))
    return folder / "out", seconds, source


def test_killed_runs_resume_to_the_same_bytes(alone, tmp_path):
    expected, seconds, source = alone
    run = _runs.command(_runs.recipe(tmp_path, [source]))
    chance = random.Random(7)
    moments = [_runs.killed(run, seconds * later, chance) for later in (0.5, 0.8, 1.0)]
    assert any(moments), "no run was killed in the middle"
    _runs.finish(run)
    assert _runs.digests(tmp_path / "out") == _runs.digests(expected)


def test_one_worker_or_more_shards_or_another_order_of_files_and_rows_decide_the_same(alone, documents, tmp_path):
    expected = _runs.decisions(alone[0])
    assert len(expected) == len(documents)
    assert 0 < sum(not kept for kept, _, _ in expected.values()) < len(documents), "a result in which nothing happens"
    assert sum(rule in ("duplicates.near", "duplicates.exact") for _, rule, _ in expected.values()) > 50
    mixed = documents.copy()
    random.Random(3).shuffle(mixed)
    source = write(tmp_path / "in", mixed, 8)
    run = _runs.command(_runs.recipe(tmp_path, [source]), "engine.workers=1")
    _runs.finish(run)
    assert _runs.decisions(tmp_path / "out") == expected


def test_a_second_run_changes_no_byte(alone, tmp_path):
    folder, _, source = alone
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}
    _runs.finish(_runs.command(_runs.recipe(folder.parent, [source])))
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()} == before
