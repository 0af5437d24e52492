"""Token files: what readers of their own find in them is what the tokenizer says, document for document."""

import json
import struct
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from corpus_world import SCRIPTS
from glotmix.core import flight, record, warning
from glotmix.core.errors import DataError, RequestError
from glotmix.export import tokens as export
from glotmix.export.token_files import Shard, packings
from glotmix.export.tokenizer import load
from glotmix.export.tokens import TokenFilesSection

ALL = ("datatrove", "megatron", "numpy", "parquet")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    base = tmp_path_factory.mktemp("tokens")
    texts = {lang: [f"{text} {i}" * (i % 7) for i in range(60)] for lang, text in SCRIPTS.items()}
    for lang, documents in texts.items():
        for number, start in enumerate((0, 1, 40)):
            path = base / f"dataset/{lang}/train-{number:05d}-of-00003.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(pa.table({"text": documents[start : (1, 40, 60)[number]]}), path)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.train_from_iterator(
        [t for d in texts.values() for t in d],
        trainers.BpeTrainer(
            vocab_size=600, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=["<pad>", "</s>"]
        ),
    )
    tokenizer.save(str(base / "tokenizer.json"))
    end = tokenizer.token_to_id("</s>")
    ids = {k: [[*e.ids, end] for e in tokenizer.encode_batch(v, add_special_tokens=False)] for k, v in texts.items()}
    return base, ids


def make(base: Path, to: Path, **more) -> record.Record:
    section = TokenFilesSection(tokenizer=str(base / "tokenizer.json"), **more)
    identity = record.Identity("tokens", export.VERSION, section.model_dump(mode="json"), {})
    return record.build(to, identity, lambda o: export.make(o, base / "dataset", section, section.tokenizer))


def of_megatron(path: Path) -> list[list[int]]:
    """Read as `core/datasets/indexed_dataset.py` does."""
    index = path.with_suffix(".idx").read_bytes()
    assert index[:9] == b"MMIDIDX\x00\x00"
    version, code, sequences, documents = struct.unpack("<QBQQ", index[9:34])
    assert (version, documents) == (1, sequences + 1)
    kind = {4: np.int32, 8: np.uint16}[code]
    lengths = np.frombuffer(index, np.int32, sequences, 34)
    pointers = np.frombuffer(index, np.int64, sequences, 34 + 4 * sequences)
    assert np.frombuffer(index, np.int64, documents, 34 + 12 * sequences).tolist() == list(range(documents))
    assert len(index) == 34 + 12 * sequences + 8 * documents
    data = path.with_suffix(".bin").read_bytes()
    return [np.frombuffer(data, kind, n, p).tolist() for n, p in zip(lengths, pointers, strict=True)]


def of_datatrove(path: Path) -> list[list[int]]:
    flat = np.fromfile(path, np.uint16).tolist()
    ends = np.fromfile(f"{path}.index", np.uint64).tolist()
    return [flat[a:b] for a, b in zip([0, *ends], ends, strict=False)]


def of_numpy(path: Path) -> list[list[int]]:
    flat, ends = np.load(path).tolist(), np.load(path.with_suffix(".ends.npy")).tolist()
    return [flat[a:b] for a, b in zip([0, *ends], ends, strict=False)]


def everything(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in folder.rglob("*")
        if p.name != record.RECORD and p.is_file()
    }


@pytest.mark.parametrize("shard_tokens", [10**9, 500])
def test_every_format_holds_every_document_in_the_same_order(world, tmp_path, shard_tokens):
    base, ids = world
    made = make(base, tmp_path / "out", formats=ALL, shard_tokens=shard_tokens)
    for lang, documents in ids.items():
        folder = tmp_path / "out" / lang
        bins = sorted(folder.glob("*.bin"))
        found = [d for p in bins for d in of_megatron(p)]
        assert found == [d for p in sorted(folder.glob("*.ds")) for d in of_datatrove(p)]
        assert found == [d for p in sorted(folder.glob("train-?????.npy")) for d in of_numpy(p)]
        assert found == [d for p in sorted(folder.glob("*.parquet")) for d in pq.read_table(p)["input_ids"].to_pylist()]
        assert found != documents
        assert sorted(found) == sorted(documents)
        if shard_tokens == 500:
            assert len(bins) > 1
            assert all(sum(map(len, of_megatron(p))) <= max(500, len(of_megatron(p)[0])) for p in bins)
        assert made.notes["languages"][lang] == {"documents": 60, "tokens": sum(map(len, documents))}
    assert made.counts["tokens"] == sum(len(d) for docs in ids.values() for d in docs)


def test_without_shuffling_the_order_is_that_of_the_data_set(world, tmp_path):
    base, ids = world
    make(base, tmp_path / "out", shuffle=False)
    for lang, documents in ids.items():
        assert of_megatron(tmp_path / f"out/{lang}/train-00000_text_document.bin") == documents


def test_bytes_depend_on_the_seed_and_not_on_the_workers(world, tmp_path):
    base, _ = world
    made = {}
    for name, workers, seed in (("one", 1, 0), ("three", 3, 0), ("other", 1, 1)):
        flight.use(flight.Engine(workers=workers))
        try:
            make(base, tmp_path / name, formats=ALL, shard_tokens=700, seed=seed)
        finally:
            flight.use(flight.Engine())
        made[name] = everything(tmp_path / name)
    assert made["one"] == made["three"]
    assert made["one"] != made["other"]


def test_packed_sequences_hold_the_documents_one_behind_the_other(world, tmp_path):
    base, ids = world
    made = make(base, tmp_path / "out", formats=("numpy", "parquet"), length=32, shuffle=False)
    left = 0
    for lang, documents in ids.items():
        flat = [t for d in documents for t in d]
        whole = len(flat) // 32 * 32
        left += len(flat) - whole
        packed = np.load(tmp_path / f"out/{lang}/train-00000.npy")
        assert packed.shape == (whole // 32, 32)
        assert packed.reshape(-1).tolist() == flat[:whole]
        assert pq.read_table(tmp_path / f"out/{lang}/train-00000.parquet")["input_ids"].to_pylist() == packed.tolist()
    assert made.counts["left_over"] == left > 0


def test_a_language_that_fills_no_sequence_is_told_and_a_set_that_fills_none_is_refused(world, tmp_path):
    base, ids = world
    sizes = {lang: sum(map(len, documents)) for lang, documents in ids.items()}
    least = min(sizes, key=lambda lang: sizes[lang])
    length = sorted(sizes.values())[0] + 1
    made = make(base, tmp_path / "some", formats=("numpy",), length=length, shuffle=False)
    small = [lang for lang, size in sizes.items() if size < length]
    assert least in small and len(small) < len(sizes)
    told = [warning.named(text) for text in made.notes["warnings"]]
    assert [text.split(":")[0] for text in told] == sorted(small)
    assert all(text.endswith("[no-sequence]") for text in told)
    with pytest.raises(DataError, match="no shard has the 100,000 tokens of one sequence"):
        make(base, tmp_path / "none", formats=("numpy", "parquet"), length=100_000)
    with pytest.raises(ValueError, match="length says nothing to megatron"):
        make(base, tmp_path / "plain", formats=("megatron",), length=32)


def test_a_tokenizer_that_is_not_there_is_not_looked_for_on_the_hub(tmp_path):
    for name in (str(tmp_path / "none.json"), "none.json", "./none"):
        with pytest.raises(RequestError, match="is no tokenizer: there is no such file"):
            load(name)


def test_a_large_vocabulary_takes_four_bytes(tmp_path):
    tokens, ends = np.array([1, 70_000, 2, 69_999, 2], np.uint32), np.array([3, 5])
    for name, one in packings().items():
        one.write(tmp_path / name, Shard(tokens, ends, 100_000))
    assert of_megatron(tmp_path / "megatron_text_document.bin") == [[1, 70_000, 2], [69_999, 2]]
    assert np.fromfile(tmp_path / "datatrove.ds", np.uint32).tolist() == tokens.tolist()
    assert (tmp_path / "datatrove.ds.metadata").read_text().startswith("Unknown Tokenizer|4\n5\n")
    assert of_numpy(tmp_path / "numpy.npy") == [[1, 70_000, 2], [69_999, 2]]


def test_which_tokens_bear_loss_is_written_where_files_can_say_it(tmp_path):
    tokens, ends = np.array([5, 6, 7, 1, 8, 9, 1], np.uint16), np.array([4, 7])
    loss = np.array([0, 0, 1, 1, 0, 1, 1], bool)
    shard = Shard(tokens, ends, 600, None, loss)
    for name in ("datatrove", "numpy", "parquet"):
        packings()[name].write(tmp_path / name, shard)
    assert (tmp_path / "datatrove.ds.loss").read_bytes() == bytes([0, 0, 1, 1, 0, 1, 1])
    assert np.load(tmp_path / "numpy.loss.npy").tolist() == loss.tolist()
    rows = pq.read_table(tmp_path / "parquet.parquet").to_pylist()
    assert rows == [
        {"input_ids": [5, 6, 7, 1], "labels": [-100, -100, 7, 1]},
        {"input_ids": [8, 9, 1], "labels": [-100, 9, 1]},
    ]
    packings()["parquet"].write(tmp_path / "packed", Shard(tokens, ends, 600, 3, loss))
    assert pq.read_table(tmp_path / "packed.parquet")["labels"].to_pylist() == [[-100, -100, 7], [1, -100, 9]]
    packings()["numpy"].write(tmp_path / "packed", Shard(tokens, ends, 600, 3, loss))
    assert np.load(tmp_path / "packed.loss.npy").tolist() == [[False, False, True], [True, False, True]]
    with pytest.raises(
        RequestError, match=r"megatron cannot say which tokens bear loss(.|\n)*datatrove, numpy, parquet"
    ):
        packings()["megatron"].write(tmp_path / "megatron", shard)
    assert not list(tmp_path.glob("megatron*"))


def test_datatrove_reads_it_itself(world, tmp_path):
    from datatrove.utils.dataset import DatatroveFolderDataset

    base, ids = world
    make(base, tmp_path / "out", formats=("datatrove",), shuffle=False)
    for lang in ("tha_Thai", "amh_Ethi"):
        flat = [t for d in ids[lang] for t in d]
        read = DatatroveFolderDataset(str(tmp_path / "out" / lang), seq_len=16, filename_pattern="*.ds", token_size=2)
        assert [t for i in range(len(read)) for t in read[i]["input_ids"].tolist()] == flat[: len(read) * 17]


def test_which_token_ends_a_document_is_told_given_or_asked_for(world, tmp_path):
    base, _ = world
    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    path = tmp_path / "tokenizer.json"
    tokenizer.save(str(path))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"eos_token": {"content": "<pad>"}}))
    assert load(str(path)).end == 0
    assert load(str(path), "</s>").end == 1
    with pytest.raises(RequestError, match=r"no token '<eod>' to end a document with(.|\n)*one of <pad>, </s>"):
        load(str(path), "<eod>")
    bare = Tokenizer(models.WordLevel({"a": 0, "[UNK]": 1}, unk_token="[UNK]"))
    bare.save(str(tmp_path / "bare.json"))
    (tmp_path / "tokenizer_config.json").unlink()
    with pytest.raises(RequestError, match="does not say which token ends a document"):
        load(str(tmp_path / "bare.json"))


def test_the_fast_library_is_used_where_it_says_the_same_and_only_there(world, tmp_path, monkeypatch):
    import fastokens

    base, _ = world
    ready = load(str(base / "tokenizer.json"))
    texts = [
        *SCRIPTS.values(),
        "",
        "a</s> b <pad>",
        "  \n\n",
        *("".join(c) * 3 for c in zip(*SCRIPTS.values(), strict=False)),
    ]
    assert ready.fast is not None
    assert not ready.differ(texts)
    found, ends = ready(texts)
    kept = [d.tolist() for d in np.split(found, ends[:-1])]
    assert kept == [[*e.ids, 1] for e in ready.tokenizer.encode_batch(texts, add_special_tokens=False)]

    class Wrong:
        """Says something else of texts with a certain word, as a library with a mistake would."""

        def __init__(self, tokenizer, word):
            self.tokenizer, self.word = tokenizer, word

        def encode_batch_flat(self, texts, **more):
            return self.tokenizer.encode_batch_flat([t.replace(self.word, "x") for t in texts], **more)

    make(base, tmp_path / "right", formats=("datatrove",))
    wrong = replace(ready, fast=Wrong(ready.fast, SCRIPTS["tha_Thai"]))
    monkeypatch.setattr(export, "load", lambda *_: wrong)
    made = make(base, tmp_path / "out", formats=("datatrove",))
    assert made.notes["tokenizer"]["documents_by_tokenizers"] == 60 - 1  # the first file's one document is empty
    assert everything(tmp_path / "out") == everything(tmp_path / "right")

    class Probes:
        @staticmethod
        def from_json_str(text):
            return Wrong(fastokens.Tokenizer.from_json_str(text), "DON'T")

    monkeypatch.setitem(sys.modules, "fastokens", SimpleNamespace(Tokenizer=Probes))
    assert load.__wrapped__(str(base / "tokenizer.json")).fast is None
    monkeypatch.setitem(sys.modules, "fastokens", None)
    slow = load.__wrapped__(str(base / "tokenizer.json"))
    assert slow.fast is None
    assert [a.tolist() for a in slow(texts)] == [found.tolist(), ends.tolist()]


def test_blends_weigh_the_shards_of_a_language_by_their_tokens(world, tmp_path):
    base, ids = world
    made = make(base, tmp_path / "out", formats=("megatron", "datatrove"), shard_tokens=700)
    shares = {"tha_Thai": 3.0, "eng_Latn": 1.0, "zul_Latn": 5.0}
    export.blends(tmp_path / "out", dict(made.notes), ("megatron", "datatrove"), shares)
    weights = [line.split() for line in (tmp_path / "out/blend.megatron.txt").read_text().splitlines()]
    assert sum(float(w) for w, _ in weights) == pytest.approx(1)
    assert sum(float(w) for w, n in weights if n.startswith("tha_Thai/")) == pytest.approx(0.75)
    for weight, name in weights:
        lang = name.split("/")[0]
        mine = sum(map(len, of_megatron(tmp_path / "out" / f"{name}.bin")))
        share = {"tha_Thai": 0.75, "eng_Latn": 0.25}[lang]
        assert float(weight) == pytest.approx(share * mine / sum(map(len, ids[lang])))
    stage = yaml.safe_load((tmp_path / "out/blend.nanotron.yaml").read_text())["dataset"]
    assert stage == {"dataset_folder": ["tha_Thai", "eng_Latn"], "dataset_weights": [0.75, 0.25]}


def test_shares_of_bytes_become_shares_of_tokens():
    shares = {"a": {"share": 0.5}, "b": {"share": 0.5}, "c": {"share": 0.1}}
    languages = {"a": {"tokens": 100}, "b": {"tokens": 300}}
    assert export.token_shares(shares, languages, {"a": 1000, "b": 1000}) == {"a": 0.05, "b": 0.15}
    assert export.token_shares(shares, languages, None) == {"a": 0.5, "b": 0.5}
