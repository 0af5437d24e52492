"""Translators: programs and endpoints, what they forget, and the command."""

import json
import re
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_ask import serve  # noqa: F401
from typer.testing import CliRunner

from glotmix.cli import app
from glotmix.core.errors import DataError, RequestError
from glotmix.quality import translators
from glotmix.quality.raters_config import AskConfig

LINES = "import sys\nfor line in sys.stdin: print(sys.argv[1] + ':' + line.strip())\n"
TEXTS = ["Le marché ouvre.\n\nIl ferme tard.", "ตลาดเปิดแปดโมงเช้า", "ገበያው ይከፈታል።"]


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "program.py"
    path.write_text(LINES, "utf-8")
    return f"{sys.executable} {path}"


def test_a_program_translates_line_by_line(program):
    made = translators.by_command(program + " {source_language}>{target}")(TEXTS, "fra_Latn", "eng_Latn")
    assert made[0] == "fra>eng_Latn:Le marché ouvre.\n\nfra>eng_Latn:Il ferme tard."
    assert made[1:] == ["fra>eng_Latn:" + text for text in TEXTS[1:]]
    assert translators.by_command(program + " x")([], "fra_Latn", "eng_Latn") == []


def test_a_program_that_fails_is_blamed(tmp_path):
    with pytest.raises(RequestError, match="cannot be started"):
        translators.by_command("/no/such/program")(TEXTS, "fra_Latn", "eng_Latn")
    with pytest.raises(RequestError, match="ended with 3: gone wrong"):
        code = "import sys; sys.stderr.write('gone wrong'); sys.exit(3)"
        translators.by_command(f'{sys.executable} -c "{code}"')(TEXTS, "fra_Latn", "eng_Latn")
    with pytest.raises(DataError, match="was given 4 lines and wrote 1"):
        translators.by_command(f"{sys.executable} -c \"print('one')\"")(TEXTS, "fra_Latn", "eng_Latn")
    with pytest.raises(RequestError, match="is empty"):
        translators.by_command(" ")


def shouting(number, prompt):
    if number == 1:
        return 429, {"Retry-After": "0"}, "slow down"
    return re.search(r"=== \w+\n(.*)\n=== \w+$", prompt, re.DOTALL)[1].upper()


def test_an_endpoint_translates_and_a_failure_is_waited_out(serve):  # noqa: F811
    server = serve(shouting)
    config = AskConfig(endpoint=server.url, model="m", at_once=2)
    made = translators.by_endpoint(config, "secret")(TEXTS, "fra_Latn", "eng_Latn")
    assert made == [text.upper() for text in TEXTS]
    assert len(server.seen) == 4
    assert {request["auth"] for request in server.seen} == {"Bearer secret"}
    assert all("from French (fra_Latn) to English (eng_Latn)" in r["messages"][0]["content"] for r in server.seen)
    assert server.seen[0]["max_tokens"] >= 4096


def test_the_reasoning_of_an_endpoint_is_no_translation(serve):  # noqa: F811
    server = serve(lambda number, prompt: "<think>A market, I think.</think>\n\nThe market")
    made = translators.by_endpoint(AskConfig(endpoint=server.url, model="m"))(TEXTS[:1], "fra_Latn", "eng_Latn")
    assert made == ["The market"]
    server = serve(lambda number, prompt: "<think>A market, I")
    with pytest.raises(RequestError, match="holds reasoning alone, no translation"):
        translators.by_endpoint(AskConfig(endpoint=server.url, model="m"))(TEXTS[:1], "fra_Latn", "eng_Latn")


def test_an_endpoint_that_refuses_is_named(serve):  # noqa: F811
    server = serve(lambda number, prompt: (401, {}, "no such key"))
    with pytest.raises(RequestError, match="refuses: HTTP 401: no such key"):
        translators.by_endpoint(AskConfig(endpoint=server.url, model="m"))(TEXTS, "fra_Latn", "eng_Latn")
    with pytest.raises(RequestError, match="no model was named"):
        translators.by_endpoint(AskConfig(endpoint=server.url))


def test_what_was_translated_is_remembered(tmp_path):
    calls = []

    def translator(texts, source, target):
        calls.append(list(texts))
        if "b" in texts and len(calls) < 3:
            raise RequestError("stopped")
        return [f"{target}:{text}" for text in texts]

    memory = tmp_path / "made.jsonl"
    with pytest.raises(RequestError):
        translators.remembered(translator, memory, batch=1)(["a", "b", "c"], "fra_Latn", "eng_Latn")
    with memory.open("a", encoding="utf-8") as file:
        file.write('{"text": "cut of')
    told = []
    again = translators.remembered(translator, memory, told.append, batch=2)
    assert again(["a", "b", "c", "b"], "fra_Latn", "eng_Latn") == [f"eng_Latn:{t}" for t in "abcb"]
    assert calls == [["a"], ["b"], ["b", "c"]]
    assert told == [2]
    assert again(["a"], "fra_Latn", "deu_Latn") == ["deu_Latn:a"]
    with pytest.raises(DataError, match="made 0 texts of 1"):
        translators.remembered(lambda texts, a, b: [], tmp_path / "other.jsonl")(["a"], "fra_Latn", "eng_Latn")
    with memory.open("a", encoding="utf-8") as file:
        file.write('{"text": "a", "source": "fra_Latn", "target": null, "translation": "b"}\n')
    with pytest.raises(DataError, match=r"made\.jsonl, line 5: text, source, target and translation are needed"):
        translators.remembered(translator, memory)


def test_the_command_carries_labels_back(program, tmp_path):
    """Variant M: originals in two languages, translated into the one that the raters read."""
    texts = [("fra", TEXTS[0]), ("tha", TEXTS[1]), ("eng", "The market opens.")]
    rows = [
        {"id": f"d{n}/{lang}", "group": f"d{n}", "lang": lang, "text": text} for n, (lang, text) in enumerate(texts)
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "originals.parquet")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        "name: m\ncorpus: {sources: [{name: web, path: raw, language: fra}]}\n"
        "raters: {documents: originals.parquet, reference: eng}\n",
        "utf-8",
    )

    def run(*more):
        base = ["raters", "translate", str(recipe), "-o", str(tmp_path / "m.parquet"), "--into", "eng", "--json", "-q"]
        found = CliRunner().invoke(app, [*base, *more], catch_exceptions=False)
        assert found.exit_code == 0, found.output
        return json.loads(found.stdout)

    assert run("--dry-run") == {"documents": 3, "to_translate": 2}
    assert not (tmp_path / "m.parquet").exists()
    told = run("--command", program + " {source}")
    assert (told["documents"], told["translations"], told["made_now"]) == (5, 2, 2)
    made = {r["id"]: r for r in pq.read_table(tmp_path / "m.parquet").to_pylist()}
    assert made["d1/eng_Latn"]["text"] == "tha_Thai:" + TEXTS[1]
    assert made["d1/eng_Latn"]["origin"] == "d1/tha"
    assert made["d2/eng"]["text"] == "The market opens."
    assert run("--command", program + " {source}")["made_now"] == 0
