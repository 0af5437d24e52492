"""The rater as a filter of the real datatrove (`pytest -m bench tests/test_datatrove.py`)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks import harness

from glotmix.core.record import Output, Silent
from glotmix.quality import anchors, load, train_rater
from glotmix.quality.heads import Head

pytestmark = pytest.mark.bench

PROSE = "She put the kettle on, and waited by the window until the rain had stopped. Nobody came that evening. "
MENU = "Home | Shop | Login » FAQ (12) » 3,99 | Cart | Home | Shop » "

PIPELINE = """
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter
from glotmix.quality.datatrove_filter import rater_filter

if __name__ == "__main__":
    writer = JsonlWriter({folder!r} + "/dropped", compression=None)
    steps = [
        JsonlReader({folder!r} + "/raw"),
        rater_filter({folder!r} + "/rater", keep=0.5, by="score", exclusion_writer=writer, batch_size=7),
        JsonlWriter({folder!r} + "/kept", compression=None),
    ]
    LocalPipelineExecutor(pipeline=steps, tasks=2, workers=2, logging_dir={folder!r} + "/logs").run()
"""


def test_a_rater_filters_in_datatrove_on_two_workers(tmp_path):
    eyes = load.feature_extractor(("structure",), {})
    (tmp_path / "rater").mkdir()
    output = Output(tmp_path / "rater", "rater", Silent())
    train_rater.make(output, train_rater.TrainingSpec(files=[anchors.shipped()]), eyes, Head(kind="logistic"), 0)
    rows = [
        {"id": f"d{i}", "text": (PROSE if i % 3 else MENU) + str(i), "metadata": {"language": "eng_Latn"}}
        for i in range(40)
    ]
    (tmp_path / "raw").mkdir()
    for half in (0, 1):
        lines = "\n".join(json.dumps(r) for r in rows[half::2])
        (tmp_path / "raw" / f"{half}.jsonl").write_text(lines, "utf-8")
    python = harness.peer("datatrove", ["datatrove[io,processing]==0.10.1"])
    site = next((python.parent.parent / "lib").glob("python*/site-packages"))
    script = tmp_path / "pipeline.py"
    script.write_text(PIPELINE.format(folder=str(tmp_path)), "utf-8")
    # Behind this environment's own packages, in every process that datatrove starts.
    (tmp_path / "sitecustomize.py").write_text(f"import sys\nsys.path.append({str(site)!r})\n", "utf-8")
    paths = os.pathsep.join([str(tmp_path), str(harness.ROOT / "src")])
    env = {**os.environ, "PYTHONPATH": paths}
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False, env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    kept, dropped = (_read(tmp_path / name) for name in ("kept", "dropped"))
    scores = load.load(tmp_path / "rater")([r["text"] for r in rows], "eng_Latn")
    wanted = {r["id"] for r, s in zip(rows, scores, strict=True) if s >= 0.5}
    assert kept.keys() == wanted
    assert kept.keys() | dropped.keys() == {r["id"] for r in rows}
    assert dropped
    for row, score in zip(rows, scores, strict=True):
        found = {**kept, **dropped}[row["id"]]["metadata"]
        assert found["glotmix_quality"] == pytest.approx(score, abs=1e-7)
        assert ("filter_reason" in found) == (row["id"] in dropped)


def _read(folder: Path) -> dict[str, dict]:
    return {r["id"]: r for p in folder.glob("*.jsonl") for r in map(json.loads, p.read_text("utf-8").splitlines())}
