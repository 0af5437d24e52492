"""The way out: JSON lines, token files by the command, and the Hub, which here is a server of our own."""

import base64
import gzip
import hashlib
import json
import os
import subprocess
import sys
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from typer.testing import CliRunner

from corpus_world import SCRIPTS
from glotmix.cli import app
from glotmix.core.errors import DataError, RequestError
from glotmix.export.hub import push


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A data set in three formats, with its tokens, by one command."""
    base = tmp_path_factory.mktemp("export")
    rows = [{"text": f"{text} {i} {text}", "lang": lang} for lang, text in SCRIPTS.items() for i in range(4)]
    (base / "raw.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), "utf-8")
    recipe = {
        "name": "out",
        "output": "made",
        "corpus": {"sources": [{"name": "raw", "path": "raw.jsonl", "language": {"column": "lang"}}]},
        "signals": {"boilerplate": None},
        "settings": {"default": {"identify": {"on_mismatch": "keep"}, "heuristics": None}},
        "select": {"retain": "all"},
        "export": {"formats": ["parquet", "jsonl", "jsonl.gz"], "tokens": None},
    }
    (base / "recipe.yaml").write_text(yaml.safe_dump(recipe), "utf-8")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        SCRIPTS.values(), trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet, special_tokens=["</s>"])
    )
    tokenizer.save(str(base / "tok.json"))
    args = [
        "export",
        str(base / "recipe.yaml"),
        "--tokens",
        "tok.json",
        "--json",
        "-q",
        "signals.duplicates.threshold=1",
    ]
    result = CliRunner().invoke(app, args, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return base, json.loads(result.stdout)


def test_lines_plain_and_packed_hold_what_parquet_holds(done):
    base, _ = done
    dataset = base / "made/dataset"
    for lang in SCRIPTS:
        (path,) = (dataset / lang).glob("*.parquet")
        rows = pq.read_table(path, partitioning=None).to_pylist()
        assert rows
        plain = path.with_suffix(".jsonl").read_bytes()
        assert [json.loads(line) for line in plain.decode().split("\n")[:-1]] == rows
        packed = path.with_suffix(".jsonl.gz").read_bytes()
        assert gzip.decompress(packed) == plain
        assert packed[4:8] == bytes(4), "the time of writing is no part of the data"


def test_the_command_writes_tokens_and_blends_that_count_them(done):
    base, _ = done
    tokenizer = Tokenizer.from_file(str(base / "tok.json"))
    lines = (base / "made/tokens/blend.megatron.txt").read_text().splitlines()
    mixture = dict.fromkeys(SCRIPTS, 0.0)
    for line in lines:
        weight, name = line.split()
        mixture[name.split("/")[0]] += float(weight)
        assert (base / "made/tokens" / f"{name}.idx").is_file()
    assert sum(mixture.values()) == pytest.approx(1)
    # The mixture counts bytes here: a language's share is as many tokens as its bytes have.
    rates = {}
    for lang in SCRIPTS:
        (path,) = (base / "made/dataset" / lang).glob("*.parquet")
        texts = pq.read_table(path, partitioning=None)["text"].to_pylist()
        tokens = sum(len(tokenizer.encode(t).ids) + 1 for t in texts)
        rates[lang] = tokens / sum(len(t.encode()) for t in texts)
    from glotmix.mix.plan import read_shares

    shares = {lang: row["share"] * rates[lang] for lang, row in read_shares(base / "made/mixture").items()}
    for lang, weight in mixture.items():
        assert weight == pytest.approx(shares[lang] / sum(shares.values()))


class Hub(BaseHTTPRequestHandler):
    """As much of the Hub's interface as a push needs; it keeps what it is given in `files`."""

    files: dict[str, bytes]
    log: list[str]
    refuse: int

    def log_message(self, *args):
        pass

    def _answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        if self.headers["Authorization"] != "Bearer hf_test":
            self._answer(401, {"error": "no token"})
        elif "/resolve/" in self.path:
            self._file(self.path.split("?")[0].split("/resolve/")[1].split("/", 1)[1])
        elif "/tree/" in self.path:
            path, _, asked = urllib.parse.unquote(self.path).partition("?")
            self._answer(
                200, self._within(path.split("/tree/")[1].partition("/")[2], "recursive=true" in asked.lower())
            )
        else:
            siblings = [{"rfilename": name} for name in self.files]
            self._answer(200, {"id": "me/set", "private": True, "sha": "0" * 40, "siblings": siblings})

    do_HEAD = do_GET  # noqa: N815

    def _within(self, folder, recursive):
        inside = [name for name in self.files if not folder or name.startswith(f"{folder}/")]
        ends = {name: name.removeprefix(f"{folder}/").count("/") for name in inside}
        near = [name for name in inside if recursive or not ends[name]]
        far = {"/".join(name.split("/")[: -ends[name]]) for name in inside if ends[name]}
        return [self._entry(name) for name in near] + [self._folder(name) for name in sorted(far)]

    def _known(self, names):
        files = [self._entry(name) for name in names if name in self.files]
        folders = [name for name in names if any(path.startswith(f"{name}/") for path in self.files)]
        return files + [self._folder(name) for name in folders]

    def _folder(self, name):
        return {"type": "directory", "path": name, "size": 0, "oid": "2" * 40}

    def _entry(self, name):
        data = self.files[name]
        oid = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
        return {"type": "file", "path": name, "size": len(data), "oid": oid}

    def _file(self, name):
        data = self.files.get(name)
        if data is None:
            self._answer(404, {"error": name})
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("ETag", hashlib.sha1(data).hexdigest())
        self.send_header("X-Repo-Commit", "0" * 40)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def do_POST(self):
        body = b""
        if "chunked" in (self.headers["Transfer-Encoding"] or "").lower():
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.log.append(self.path.split("?")[0])
        if self.headers["Authorization"] != "Bearer hf_test":
            self._answer(401, {"error": "no token"})
        elif self.path.endswith("/repos/create"):
            told = json.loads(body)
            # Older versions of the library say `private`, newer ones `visibility`.
            self.log.append(f"private={told.get('private') or told.get('visibility') == 'private'}")
            self._answer(200, {"url": "https://huggingface.co/datasets/me/set"})
        elif "/paths-info/" in self.path:
            given = urllib.parse.parse_qs(body.decode())["paths"] if b"=" in body else json.loads(body)["paths"]
            self._answer(200, self._known(given))
        elif self.path.endswith("/validate-yaml"):
            self._answer(200, {"errors": [], "warnings": []})
        elif "/preupload/" in self.path:
            files = [
                {"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in json.loads(body)["files"]
            ]
            self._answer(200, {"files": files})
        elif "/commit/" in self.path:
            if self.refuse and len(self.files) >= self.refuse:
                self._answer(503, {"error": "later"})
                return
            for line in body.splitlines():
                entry = json.loads(line)
                if entry["key"] == "file":
                    self.files[entry["value"]["path"]] = base64.b64decode(entry["value"]["content"])
            self._answer(
                200, {"commitUrl": "https://huggingface.co/datasets/me/set/commit/" + "1" * 40, "commitOid": "1" * 40}
            )
        else:
            self._answer(404, {"error": self.path})


@pytest.fixture
def hub(monkeypatch):
    Hub.files, Hub.log, Hub.refuse = {}, [], 0
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_TOKEN", "hf_test")
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_a_push_sends_all_once_and_goes_on_where_it_was_stopped(done, hub, monkeypatch):
    from glotmix.export import hub as ours

    dataset = done[0] / "made/dataset"
    wanted = {
        p.relative_to(dataset).as_posix(): p.read_bytes()
        for p in dataset.rglob("*")
        if p.is_file() and p.name != "record.json" and not p.name.startswith(".")
    }
    monkeypatch.setattr(ours, "_FILES", 10)
    Hub.refuse = 20
    with pytest.raises(RequestError, match=r"the Hub refuses to take me/set(.|\n)*what was sent is not sent again"):
        push(dataset, "me/set", endpoint=hub)
    assert len(Hub.files) == 20 and "README.md" not in Hub.files
    Hub.refuse = 0
    told = push(dataset, "me/set", endpoint=hub)
    assert (told["there"], told["sent"]) == (20, len(wanted) - 20)
    assert Hub.files == wanted
    assert list(Hub.files)[-1] == "README.md"
    assert "private=True" in Hub.log
    assert push(dataset, "me/set", endpoint=hub)["sent"] == 0


def test_what_cannot_be_pushed_is_refused_before_anything_is_sent(done, hub, tmp_path, monkeypatch):
    with pytest.raises(RequestError, match="no name of a data set"):
        push(done[0] / "made/dataset", "set", endpoint=hub)
    with pytest.raises(DataError, match="no finished data set"):
        push(tmp_path, "me/set", endpoint=hub)
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(RequestError, match="set HF_TOKEN"):
        push(done[0] / "made/dataset", "me/set", endpoint=hub)
    assert not Hub.files


def test_the_data_set_loads_by_its_folder_and_its_configurations(done, tmp_path):
    import datasets

    dataset = done[0] / "made/dataset"
    assert set(datasets.get_dataset_config_names(str(dataset))) >= set(SCRIPTS)
    found = datasets.load_dataset(str(dataset), "tha_Thai", cache_dir=str(tmp_path), split="train")
    (path,) = (dataset / "tha_Thai").glob("*.parquet")
    assert found["text"][:] == pq.read_table(path, partitioning=None)["text"].to_pylist()
    assert Path(path).is_file()


def test_files_of_an_earlier_push_are_told_and_not_loaded(done, hub, tmp_path):
    dataset = done[0] / "made/dataset"
    (path,) = (dataset / "tha_Thai").glob("*.parquet")
    for name in ("tha_Thai/train-00000-of-00002.parquet", "deu_Latn/train-00000-of-00001.parquet"):
        Hub.files[name] = path.read_bytes()
    Hub.files["notes.txt"] = b"mine"
    assert push(dataset, "me/set", endpoint=hub)["earlier"] == 2
    assert "notes.txt" in Hub.files, "nothing is deleted"
    given = os.environ | {"HF_ENDPOINT": hub, "HF_HOME": str(tmp_path)}
    ran = subprocess.run([sys.executable, "-c", LOAD], env=given, capture_output=True, text=True, check=False)
    assert not ran.returncode, ran.stderr[-2000:]
    names, texts = json.loads(ran.stdout.splitlines()[-1])
    assert "deu_Latn" not in names
    assert texts == pq.read_table(path, partitioning=None)["text"].to_pylist()


def test_a_hub_that_is_not_there_is_named(done, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_test")
    with pytest.raises(RequestError, match="the Hub cannot be reached to take me/set"):
        push(done[0] / "made/dataset", "me/set", endpoint="http://127.0.0.1:9")


LOAD = """
import json, sys, datasets
names = datasets.get_dataset_config_names("me/set")
print(json.dumps([names, datasets.load_dataset("me/set", "tha_Thai", split="train")["text"][:]]))
"""


def test_what_was_pushed_loads_by_its_name(done, hub, tmp_path):
    dataset = done[0] / "made/dataset"
    push(dataset, "me/set", endpoint=hub)
    # A process of its own: the library reads the address of the Hub once, when it is imported.
    given = os.environ | {"HF_ENDPOINT": hub, "HF_HOME": str(tmp_path)}
    ran = subprocess.run([sys.executable, "-c", LOAD], env=given, capture_output=True, text=True, check=False)
    assert not ran.returncode, ran.stderr[-2000:]
    names, texts = json.loads(ran.stdout.splitlines()[-1])
    assert set(names) >= set(SCRIPTS)
    (path,) = (dataset / "tha_Thai").glob("*.parquet")
    assert texts == pq.read_table(path, partitioning=None)["text"].to_pylist()
