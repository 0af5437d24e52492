"""Several signals in one pass over a part: the same bytes as each alone, killed, changed and added later."""

import json
from collections import Counter
from pathlib import Path

import pytest
import yaml
from benchmarks import _runs

from glotmix.core import record, table
from glotmix.core.errors import GlotmixError
from glotmix.pipeline import recipe
from glotmix.pipeline.run import Job
from glotmix.signals import annotate, heuristics
from glotmix.signals import language_id as identify

TEXTS = {
    "eng_Latn": "The cat sleeps on the chair beside the door.",
    "rus_Cyrl": "Кот спит на стуле у двери.",
    "ell_Grek": "Η γάτα κοιμάται στην καρέκλα.",
    "arb_Arab": "تنام القطة على الكرسي بجانب الباب.",
    "heb_Hebr": "החתול ישן על הכיסא ליד הדלת.",
    "hin_Deva": "बिल्ली दरवाज़े के पास कुर्सी पर सोती है।",
    "ben_Beng": "বিড়ালটি চেয়ারে ঘুমাচ্ছে।",
    "tha_Thai": "แมวนอนอยู่บนเก้าอี้ใกล้ประตู",
    "mya_Mymr": "ကြောင်သည် ကုလားထိုင်ပေါ်တွင် အိပ်နေသည်။",
    "zho_Hans": "猫睡在门边的椅子上。",
    "jpn_Jpan": "猫は椅子の上で眠っている。",
    "kor_Hang": "고양이가 의자 위에서 잔다.",
    "amh_Ethi": "ድመቷ በወንበሩ ላይ ትተኛለች።",
}
SIGNALS = ("identify", "heuristics", "signatures")


class Killed(BaseException):
    """As a signal that ends the process, which no handler of exceptions sees."""


@pytest.fixture
def work(tmp_path: Path, monkeypatch, one_part_at_a_time):
    """A job on 130 documents in thirteen shards, one part each, and how often each shard's text was read."""
    monkeypatch.setattr(annotate, "GROUP_BYTES", 1)
    rows = [
        {"id": f"{lang}-{n}", "lang": lang, "text": f"{text} {n}\n" * 3}
        for lang, text in TEXTS.items()
        for n in range(10)
    ]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), "utf-8")
    source = {"name": "web", "path": "in.jsonl", "language": {"column": "lang"}}
    content = {
        "name": "pass",
        "corpus": {"sources": [source]},
        "quality": None,
        "select": {"retain": "all"},
        # Which would read texts, too.
        "signals": {"duplicates": {"selftest": 0}, "boilerplate": None},
    }
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(content), "utf-8")
    read: Counter[Path] = Counter()
    whole = table.read

    def counted(files, columns=None):
        if columns is not None and "text" in columns:
            read.update(files)
        return whole(files, columns)

    monkeypatch.setattr(annotate.table, "read", counted)

    def job(*overrides: str, output: str = "out") -> Job:
        given = recipe.load(tmp_path / "recipe.yaml", [f"output={output}", *overrides])
        return Job(given, tmp_path)

    return job, read, tmp_path


def signals(folder: Path) -> dict[str, str]:
    return {n: d for n, d in _runs.digests(folder / "signals").items() if n.startswith(SIGNALS)}


def test_the_text_of_a_part_is_read_once_and_the_bytes_are_those_of_each_signal_alone(work):
    job, read, folder = work
    alone = job(output="alone")
    alone.run("corpus")
    read.clear()
    for name in SIGNALS:
        alone.run(f"signals/{name}")
    assert set(read.values()) == {3}, "each by itself reads all"
    read.clear()
    job(output="pass").run("signals")
    assert len(read) == len(TEXTS)
    assert set(read.values()) == {1}
    assert signals(folder / "pass") == signals(folder / "alone")
    found = [record.read(folder / "pass" / "signals" / name) for name in SIGNALS]
    assert all(one is not None and one.cpu_seconds > 0 and one.counts == {"documents": 130} for one in found)


def test_a_pass_that_is_killed_goes_on_from_the_parts_that_each_signal_has(work, monkeypatch):
    job, _, folder = work
    job(output="whole").run("signals")
    calls: Counter[str] = Counter()
    measure, label = heuristics.measure, identify.identify

    def dies(texts, langs):
        calls["heuristics"] += 1
        if calls["heuristics"] == 6:
            raise Killed
        return measure(texts, langs)

    def counts(*given):
        calls["identify"] += 1
        return label(*given)

    monkeypatch.setattr(heuristics, "measure", dies)
    monkeypatch.setattr(identify, "identify", counts)
    with pytest.raises(Killed):
        job().run("signals")
    assert not any((folder / "out" / "signals" / name).exists() for name in SIGNALS)
    # One of them loses a part more than the others, as where it was killed between two markers.
    (folder / "out" / "signals" / ".identify.building" / ".progress" / "part-00002.json").unlink()
    calls.clear()
    monkeypatch.setattr(heuristics, "measure", lambda *given: calls.update(["heuristics"]) or measure(*given))
    job().run("signals")
    assert calls == {"heuristics": len(TEXTS) - 5, "identify": len(TEXTS) - 4}
    assert signals(folder / "out") == signals(folder / "whole")


def test_one_signal_changed_or_added_later_is_made_alone(work):
    job, read, folder = work
    job().run("signals")
    before = {n: (folder / "out" / "signals" / n / "record.json").stat().st_mtime_ns for n in SIGNALS}
    read.clear()
    job("signals.identify.max_chars=20", "signals.private={}").run("signals")
    after = {n: (folder / "out" / "signals" / n / "record.json").stat().st_mtime_ns for n in SIGNALS}
    assert [n for n in SIGNALS if after[n] != before[n]] == ["identify"]
    assert set(read.values()) == {1}, "what changed and what is new share a pass"
    assert (folder / "out" / "signals" / "private" / "record.json").is_file()
    job("signals.identify.max_chars=20", output="fresh").run("signals")
    assert signals(folder / "out") == signals(folder / "fresh")


def test_a_signal_that_refuses_its_settings_stops_the_pass_before_anything_is_read(work):
    job, read, folder = work
    job().run("corpus")
    read.clear()
    (folder / "tokenizer.json").write_text("{}", "utf-8")
    with pytest.raises(GlotmixError):
        job("signals.tokens.tokenizer=tokenizer.json").run("signals")
    assert not any(n.startswith(("part", "lang")) for n in map(str, (folder / "out" / "signals").glob("*/*")))
    job().run("signals")
    assert all((folder / "out" / "signals" / name / "record.json").is_file() for name in SIGNALS)
