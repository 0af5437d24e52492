"""Whatever the README, the docs and the docstrings show is run."""

import doctest
import importlib
import json
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

import glotmix
from glotmix.core import language, settings
from glotmix.embed.recipe import Training
from glotmix.pipeline import recipe

ROOT = Path(__file__).parents[2]
MODULES = sorted(m.name for m in pkgutil.walk_packages(glotmix.__path__, "glotmix."))
PAGES = [*sorted(p.relative_to(ROOT).as_posix() for p in (ROOT / "docs").rglob("*.md")), "README.md"]


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name):
    module = importlib.import_module(name)
    failed, _ = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert failed == 0


@pytest.mark.parametrize("page", PAGES)
def test_examples_of_the_docs(page, tmp_path, monkeypatch):
    # Examples read the checkout's files by their paths in it, and write beside them: so the checkout is not where.
    for name in ("src", "tests", "docs"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    failed, _ = doctest.testfile(str(ROOT / page), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert failed == 0


SHOWN = [
    (page, number, block)
    for page in PAGES
    for number, block in enumerate(re.findall(r"```yaml\n(.*?)```", (ROOT / page).read_text("utf-8"), re.S))
]


@pytest.mark.parametrize(("page", "block"), [pytest.param(p, b, id=f"{p}-{n}") for p, n, b in SHOWN])
def test_recipes_that_are_shown_are_recipes(page, block):
    held = yaml.safe_load(block)
    if "teacher" in held:
        # The training of an embedder has a file of its own.
        assert Training.model_validate(held).pairs
        return
    # A block that shows some sections is read together with a small recipe.
    whole = {"name": "x", "corpus": {"sources": [{"name": "a", "path": "a", "language": "fra_Latn"}]}} | held
    assert recipe.parse(whole).corpus.sources


def test_settings_that_are_advised_exist():
    known = {row["key"] for row in settings.explain({}, language.parse("eng_Latn"), None)}
    files = [ROOT / page for page in PAGES] + [p for end in ("py", "html") for p in (ROOT / "src").rglob(f"*.{end}")]
    where = r"settings\.(?:source|language|default|script|family)(?:\.[A-Za-z_{}]+)?\.([a-z_]+\.[a-z_0-9.]+)"
    told = {(m[1].rstrip("."), file.name) for file in files for m in re.finditer(where, file.read_text("utf-8"))}
    assert len(told) > 3
    assert not {one for one in told if one[0] not in known}


def raw_data(folder: Path) -> None:
    """Make the files that the README's recipe names."""
    web = folder / "raw" / "web"
    web.mkdir(parents=True)
    words = {"fra_Latn": "le chat dort sur le canapé du salon", "tha_Thai": "แมวนอนหลับอยู่บนโซฟาในห้องนั่งเล่น"}
    rows = [
        {"id": f"{lang}-{n}", "lang": lang, "text": f"{text} {n}. {text[::-1] * (n % 5)}"}
        for lang, text in words.items()
        for n in range(30)
    ]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    with pa.CompressedOutputStream(str(web / "a.jsonl.zst"), "zstd") as out:
        out.write(lines.encode())
    books = pa.table({"body": [f"Paka amelala kwenye kochi sebuleni, na hadithi ya {n} inaanza." for n in range(30)]})
    pq.write_table(books, folder / "raw" / "books.parquet")


def test_the_readme_from_recipe_to_report(tmp_path):
    text = (ROOT / "README.md").read_text("utf-8")
    (tmp_path / "recipe.yaml").write_text(re.search(r"```yaml\n(.*?)```", text, re.S)[1], "utf-8")
    raw_data(tmp_path)
    # Training the rater takes time and is tested elsewhere; and this data is far from a billion tokens.
    block = re.search(r"```python\n(.*?)```", text, re.S)[1]
    code = block.replace('run("recipe.yaml")', 'run("recipe.yaml", "quality=null", "mix.tokens=null")')
    assert code != block
    made = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    assert made.stdout.strip().endswith("out/report.html")
    assert (tmp_path / "out" / "dataset" / "tha_Thai" / "train-00000-of-00001.parquet").is_file()
    # What docs/recipe.md says of the same recipe goes on from there.
    block = re.search(r"```python\n(.*?)```", (ROOT / "docs" / "recipe.md").read_text("utf-8"), re.S)[1]
    identity = pq.read_table(next((tmp_path / "out" / "ledger").glob("part-*.parquet")))["id"][0].as_py()
    code = block.replace('["mix.tokens=2e9"]', '["quality=null", "mix.tokens=null"]').replace("web-4f1c…", identity)
    assert "mix.tokens=null" in code
    assert identity in code
    made = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
