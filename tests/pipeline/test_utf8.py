"""Files in another encoding: every command names the file and the line, and none stumbles."""

import json

import pytest
from typer.testing import CliRunner

from glotmix.cli import app
from glotmix.core import utf8
from glotmix.core.errors import DataError

LATIN = "Le bac part à midi"


def test_the_line_and_the_byte_are_named_and_a_mark_of_the_encoding_is_no_text(tmp_path):
    (tmp_path / "a").write_bytes("\ufeffψωμί\r\nขนมปัง\n".encode())
    assert utf8.text(tmp_path / "a") == "ψωμί\r\nขนมปัง\n"
    (tmp_path / "b").write_bytes("ψωμί\n".encode() + LATIN.encode("latin-1"))
    with pytest.raises(DataError, match=r"b:2 is not UTF-8: byte 13 of the line is 0xE0"):
        utf8.text(tmp_path / "b")


def latin(path, text):
    path.write_bytes(text.encode("latin-1"))


FILES = {
    "scores of a CSV": (
        ["eval", "scores", "t.csv"], {"t.csv": "item,language,choice,gold\n0,fr,0,0\n0,à,0,0\n"}, "t.csv:3",
    ),
    "scores of lines": (
        ["eval", "scores", "t.jsonl"],
        {"t.jsonl": '{"item": 0, "language": "fr", "answer": "à midi"}\n'}, "t.jsonl:1",
    ),
    "fidelity": (
        ["eval", "fidelity", "t.jsonl"],
        {"t.jsonl": '{"item": 0, "language": "fr", "answer": "x", "response": "à midi"}\n'}, "t.jsonl:1",
    ),
    "words of prompts": (
        ["eval", "tasks", "i.jsonl", "--name", "X", "-o", "out", "--words", "w.tsv"],
        {
            "i.jsonl": "".join(
                json.dumps({"_id": "1", "lang": lang, "prompt": "p", "choices": ["x", "y"], "label": 0}) + "\n"
                for lang in ("fr", "de")
            ),
            "w.tsv": "lang\tquestion\toption\tanswer\nfr\tQ\tà\tR\n",
        }, "w.tsv:2",
    ),
    "runs": (
        ["mix", "fit", ".", "-o", "out"],
        {"ratios.csv": "run_id,eng_Latn,fra_Latn\nà,0.5,0.5\n", "metrics.csv": "run_id,eng_Latn_bpb\nr0,1\n"},
        "ratios.csv:2",
    ),
    "pairs": (["instruct", "train", "p.jsonl", "-o", "out"], {"p.jsonl": '{"prompt": "à"}\n'}, "p.jsonl:1"),
    "a recipe of an embedder": (["embed", "train", "r.yaml", "-o", "out"], {"r.yaml": "pairs: [à]\n"}, "r.yaml:1"),
}  # fmt: skip


@pytest.mark.parametrize("case", FILES)
def test_a_file_in_another_encoding_is_named_with_its_line(tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    arguments, files, where = FILES[case]
    for name, text in files.items():
        latin(tmp_path / name, text)
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, DataError), result.exception
    assert where in str(result.exception)
    assert not (tmp_path / "out").exists()
