"""Object storage against a real S3 server: the same bytes as on disk, also where it breaks, and no secret anywhere."""

import gzip
import json
import shutil
from pathlib import Path

import pytest
import yaml
from benchmarks import _s3
from benchmarks._s3 import KEY, SECRET, error, gets, puts, times

from glotmix.core import remote
from glotmix.core.context import RunContext
from glotmix.core.errors import DataError, RequestError
from glotmix.core.record import digest_file
from glotmix.mix import steps
from glotmix.mix.config import RunsConfig
from glotmix.pipeline import recipe
from glotmix.pipeline.run import Job

TEXTS = {"fra_Latn": "Le chat dort sur la chaise.", "tha_Thai": "แมวนอนอยู่บนเก้าอี้", "amh_Ethi": "ድመቷ ወንበር ላይ ተኝታለች።"}


@pytest.fixture(scope="module")
def server():
    with _s3.served() as found:
        yield found


@pytest.fixture
def store(server, monkeypatch, tmp_path):
    """An empty bucket behind the proxy, and an empty cache."""
    made, environment = server
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GLOTMIX_CACHE", str(tmp_path / "cache"))
    made.fault, made.broken = None, 0
    made.client.create_bucket(Bucket="data")
    yield made
    made.fault = None
    for key in made.names("data"):
        made.client.delete_object(Bucket="data", Key=key)
    made.client.delete_bucket(Bucket="data")


def lines(n: int) -> bytes:
    langs = list(TEXTS)
    rows = (
        {"id": f"d{i}", "lang": langs[i % 3], "text": " ".join(f"{TEXTS[langs[i % 3]]} {i + k}" for k in range(5))}
        for i in range(n)
    )
    return "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows).encode()


def job(folder: Path, path: str, output: str) -> Job:
    source = {"name": "web", "path": path, "language": {"column": "lang"}}
    content = {"name": "far", "output": output, "corpus": {"sources": [source]}, "quality": None}
    folder.mkdir(exist_ok=True)
    (folder / "recipe.yaml").write_text(yaml.safe_dump(content | {"select": {"retain": "all"}}), "utf-8")
    return Job(recipe.load(folder / "recipe.yaml"), folder)


def tables(content: dict[str, bytes]) -> dict[str, bytes]:
    return {name: data for name, data in content.items() if name.endswith(".parquet")}


def of(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """What the same documents become on disk."""
    folder = tmp_path_factory.mktemp("here")
    (folder / "in").mkdir()
    (folder / "in" / "a.jsonl").write_bytes(lines(60))
    made = job(folder, "in", "out")
    made.run("ledger")
    return tables(of(made.folder))


def test_sources_and_outputs_in_a_store_are_the_bytes_of_a_disk(store, here, tmp_path):
    store.client.put_object(Bucket="data", Key="raw/a.jsonl", Body=lines(60))
    store.client.put_object(Bucket="data", Key="raw/notes.pdf", Body=b"no document")
    made = job(tmp_path, "s3://data/raw/*.jsonl", "s3://data/runs/one")
    made.run("ledger")
    far = {k.removeprefix("runs/one/"): v for k, v in store.content("data").items() if k.startswith("runs/one/")}
    assert len(here) > 5
    assert tables(far) == here
    records = [json.loads(v) for k, v in far.items() if k.endswith("record.json")]
    assert {r["identity"]["step"] for r in records} >= {"corpus", "ledger", "signals/identify"}
    # Another machine: nothing is made again.
    shutil.rmtree(tmp_path / "cache")
    before = {p["Key"]: p["LastModified"] for p in store.client.list_objects_v2(Bucket="data")["Contents"]}
    again = job(tmp_path, "s3://data/raw/*.jsonl", "s3://data/runs/one")
    assert not again.folder.exists()
    again.run("ledger")
    assert tables(of(again.folder)) == here
    assert {p["Key"]: p["LastModified"] for p in store.client.list_objects_v2(Bucket="data")["Contents"]} == before


@pytest.mark.parametrize("name", _s3.passing())
def test_a_fault_that_passes_ends_in_the_same_bytes(name, store, tmp_path):
    body = {
        "raw/a.jsonl": lines(60),
        "raw/deep/b.jsonl": lines(7),
        "raw/c.jsonl.gz": gzip.compress(lines(9)),
        "raw/empty.txt": b"",
    }
    for key, data in body.items():
        store.client.put_object(Bucket="data", Key=key, Body=data)
    store.fault = _s3.passing()[name]
    found = remote.fetched("s3://data/raw")
    assert {f"raw/{k}": v for k, v in of(found).items() if not k.endswith(".remote.json")} == body
    made = tmp_path / "made"
    shutil.copytree(found, made)
    for mark in made.rglob(".*"):
        mark.unlink()
    (made / "record.json").write_text('{"files": {}}')
    remote.push(made, "s3://data/out")
    assert store.broken
    store.fault = None
    far = {k: v for k, v in store.content("data").items() if k.startswith("out/")}
    assert far == {f"out/{k}": v for k, v in of(made).items()}


@pytest.mark.parametrize("name", _s3.refusing())
def test_what_is_refused_is_said_without_a_secret(name, store, tmp_path):
    store.client.put_object(Bucket="data", Key="raw/a.jsonl", Body=lines(60))
    made = tmp_path / "made"
    made.mkdir()
    (made / "record.json").write_text('{"files": {}}')
    store.fault = _s3.refusing()[name]
    with pytest.raises(
        DataError, match=r"s3://data/\w+ cannot be reached(?s:.*)credentials in the environment"
    ) as told:
        remote.fetched("s3://data/raw")
        remote.push(made, "s3://data/out")
    assert KEY not in str(told.value) and SECRET not in str(told.value)
    store.fault = None
    assert "out/record.json" not in store.names("data")


def test_half_an_upload_is_not_believed(store, tmp_path):
    made = tmp_path / "made"
    (made / "deep").mkdir(parents=True)
    for name in ("a.parquet", "deep/b.parquet", "record.json"):
        (made / name).write_bytes(json.dumps({"files": {}}).encode())
    store.fault = times(10**6, error(403, "ExpiredToken"), lambda r: puts(r) and "b.parquet" in r.path)
    with pytest.raises(DataError):
        remote.push(made, "s3://data/out")
    store.fault = None
    assert remote.record_of("s3://data/out") is None
    assert not remote.pull("s3://data/out", tmp_path / "back")
    remote.push(made, "s3://data/out")
    assert remote.pull("s3://data/out", tmp_path / "back")
    assert of(tmp_path / "back") == of(made)


def test_an_output_in_the_store_that_lacks_a_file_is_damaged(store, tmp_path):
    store.client.put_object(Bucket="data", Key="out/record.json", Body=b'{"files": {"a.parquet": [3, "x"]}}')
    with pytest.raises(DataError, match=r"a\.parquet is not as its record says"):
        remote.pull("s3://data/out", tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_what_is_not_there_and_keys_in_addresses_are_refused(store):
    with pytest.raises(DataError, match="there is nothing at s3://data/none"):
        remote.fetched("s3://data/none/*.jsonl")
    with pytest.raises(RequestError, match="holds a key") as told:
        remote.fetched(f"s3://{KEY}:{SECRET}@data/raw")
    assert SECRET not in str(told.value)


def test_what_was_fetched_is_not_fetched_again_until_it_changes(store):
    store.client.put_object(Bucket="data", Key="raw/a.jsonl", Body=lines(5))
    found = remote.fetched("s3://data/raw/a.jsonl")
    assert found.read_bytes() == lines(5)
    store.fault = times(10**6, error(403, "AccessDenied"), gets)
    assert remote.fetched("s3://data/raw/a.jsonl") == found
    store.fault = None
    store.client.put_object(Bucket="data", Key="raw/a.jsonl", Body=lines(6))
    assert remote.fetched("s3://data/raw/a.jsonl").read_bytes() == lines(6)


def test_tables_of_runs_may_lie_in_a_store(store, tmp_path):
    (tmp_path / "raw.jsonl").write_bytes(lines(3))
    far = {"mixtures": "s3://data/runs/ratios.csv", "losses": "s3://data/runs/metrics.csv"}
    for name, address in far.items():
        (tmp_path / f"{name}.csv").write_text(f"{name}\n1\n", "utf-8")
        store.client.put_object(Bucket="data", Key=address.removeprefix("s3://data/"), Body=f"{name}\n1\n".encode())
    work = job(tmp_path, "raw.jsonl", "out")
    told = work.recipe.mix.model_copy(update={"runs": RunsConfig(format="regmix", **far)})
    context = RunContext(work.recipe.model_copy(update={"mix": told}), tmp_path, tmp_path / "out")
    found = steps.config_of(context).runs
    assert [Path(getattr(found, name)).read_text("utf-8") for name in far] == ["mixtures\n1\n", "losses\n1\n"]
    beside = {name: digest_file(tmp_path / f"{name}.csv") for name in far}
    assert {name: str(digest) for name, digest in steps.runs(context).items()} == {n: str(d) for n, d in beside.items()}
