"""docs/start.md: its commands, typed one after the other in an empty folder, make what it says."""

import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1].parent / "docs" / "start.md"


def test_the_first_quarter_of_an_hour(tmp_path):
    here = tmp_path / "bin"
    here.mkdir()
    command = here / "glotmix"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m glotmix "$@"\n')
    command.chmod(0o755)
    surroundings = os.environ | {"PATH": f"{here}:{os.environ['PATH']}"}
    outputs = []
    for language, block in re.findall(r"```(sh|yaml|python)\n(.*?)```", PAGE.read_text("utf-8"), re.S):
        if language == "yaml":
            (tmp_path / "recipe.yaml").write_text(block, "utf-8")
            continue
        run = ["sh", "-e", "-c", block] if language == "sh" else [sys.executable, "-c", block]
        made = subprocess.run(run, cwd=tmp_path, env=surroundings, capture_output=True, text=True, check=False)
        assert made.returncode == 0, f"{block}\n{made.stdout}\n{made.stderr}"
        outputs.append(made.stdout)
    dataset = tmp_path / "out" / "dataset"
    documents: dict[str, list[dict]] = {}
    for path in sorted(dataset.glob("*_*/*.gz")):
        lines = gzip.decompress(path.read_bytes()).decode().split("\n")
        documents.setdefault(path.parent.name, []).extend(json.loads(line) for line in lines if line)
    assert {lang: len(found) for lang, found in documents.items()} == {"swh_Latn": 3, "fra_Latn": 2, "tha_Thai": 1}
    (page,) = documents["tha_Thai"]
    assert page["url"] == "https://example.org/cats"
    assert page["text"].startswith("แมวบ้าน\nแมวเป็น")
    assert "owner@" not in page["text"] and "หน้าแรก" not in page["text"]
    assert list(dataset.glob("dropped/fra_Latn/*.parquet"))
    assert (tmp_path / "out/report.html").is_file()
    weights = [float(line.split()[0]) for line in outputs[-1].splitlines() if "_text_document" in line]
    assert len(weights) == 3
    assert abs(sum(weights) - 1) < 1e-9
