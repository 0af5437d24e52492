"""The examples of docs/howto run: commands one after the other on a small finished run, recipes checked."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from glotmix.pipeline import recipe

PAGES = sorted((Path(__file__).parents[2] / "docs" / "howto").glob("*.md"))
STORIES = {
    "swh_Latn": "Asubuhi wavuvi {n} hutengeneza nyavu zao, kisha huenda baharini kabla jua halijachomoza.",
    "fra_Latn": "Le matin, les {n} pêcheurs préparent leurs filets, puis ils sortent du port avant le jour.",
}
RECIPE = """
name: how
corpus:
  sources:
    - {name: forum, path: forum.jsonl, language: {column: lang}}
    - {name: books, path: books.jsonl, language: {column: lang}}
quality: null
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a recipe that ran, and a command `glotmix`."""
    here = tmp_path_factory.mktemp("how")
    (here / "recipe.yaml").write_text(RECIPE, "utf-8")
    for source in ("forum", "books"):
        rows = [
            {
                "id": f"{source}-{k}",
                "lang": lang,
                "text": f"{text.format(n=k + 2)} {source} {k * k}. " + text[k : 40 + k],
            }
            for lang, text in STORIES.items()
            for k in range(12)
        ]
        rows = [row | {"id": f"{source}-{k}"} for k, row in enumerate(rows)]
        (here / f"{source}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    (here / "bin").mkdir()
    command = here / "bin" / "glotmix"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m glotmix "$@"\n')
    command.chmod(0o755)
    run(here, ["glotmix", "run", "recipe.yaml", "--quiet"])
    return here


def run(folder: Path, command: list[str]) -> str:
    surroundings = os.environ | {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
    made = subprocess.run(command, cwd=folder, env=surroundings, capture_output=True, text=True, check=False)
    assert made.returncode == 0, f"{command[-1]}\n{made.stdout}\n{made.stderr}"
    return made.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_the_examples_run(page, folder):
    # Examples of Python with prompts are run by test_docs.py.
    for language, block in re.findall(r"```(sh|yaml|python)\n(.*?)```", page.read_text("utf-8"), re.S):
        if language == "yaml":
            whole = yaml.safe_load(RECIPE) | yaml.safe_load(block)
            assert recipe.parse(whole).name == "how"
        elif language == "sh":
            run(folder, ["sh", "-e", "-c", block])
        elif not block.startswith(">>>"):
            assert run(folder, [sys.executable, "-c", block]) or "print" not in block


def test_what_if_changes_nothing_and_says_what_would_go(folder):
    before = (folder / "out" / "ledger" / "record.json").read_bytes()
    told = run(folder, ["glotmix", "select", "recipe.yaml", "select.lose=0.1", "--what-if"])
    assert "documents kept" in told and (folder / "out" / "ledger" / "record.json").read_bytes() == before
