import pyarrow as pa
import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from glotmix.core.errors import RequestError
from glotmix.signals.tokens import counter

TEXTS = ["le chat dort", "кот спит", "แมวนอนหลับ", "猫が眠る", "", "القط نائم"]


@pytest.fixture
def path(tmp_path):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        TEXTS, trainers.BpeTrainer(vocab_size=280, initial_alphabet=alphabet, special_tokens=["<s>"])
    )
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    return tmp_path / "tokenizer.json"


def test_counts_equal_the_tokenizer_without_its_special_tokens(path):
    tokenizer = Tokenizer.from_file(str(path))
    counted = counter(path)(pa.array(TEXTS)).field("tokens").to_pylist()
    assert counted == [len(tokenizer.encode(t, add_special_tokens=False).ids) for t in TEXTS]
    assert counted[4] == 0
    assert counted[0] < len(TEXTS[0].encode())


def test_what_is_no_tokenizer_is_named(tmp_path):
    with pytest.raises(RequestError, match="there is no file"):
        counter(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(RequestError, match=r"no tokenizer\.json"):
        counter(tmp_path / "bad.json")
