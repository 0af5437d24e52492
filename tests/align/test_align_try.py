"""The trial of parallel text: the same text in every arm, masks at equal loss, resuming, and what is judged."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from align_world import sentences, texts, tokenizer
from glotmix.align import arms, asked, conduct, packing, verdict
from glotmix.align import trial as trials
from glotmix.align.arms import Places
from glotmix.align.encode import IGNORED
from glotmix.align.packing import Options, Unit
from glotmix.align.trial import Trial, World
from glotmix.cli import app, terminal
from glotmix.core.errors import DataError, RequestError
from glotmix.proxy import ensemble
from glotmix.proxy.tokenizer import Pieces

RUN = CliRunner()
A, B = "eng_Latn", "tha_Thai"
SMALL = Trial((A, B), ("format", "mapping"), tokens=6_000, parameters=1e5, pieces=400, context=96, pairs=1, batch=2)


@pytest.fixture(scope="module")
def pieces(tmp_path_factory: pytest.TempPathFactory) -> Pieces:
    return Pieces(tokenizer(tmp_path_factory.mktemp("pieces")))


def units(count: int = 120) -> list[Unit]:
    return conduct.units(texts(A, B, count=count), (A, B))


def world(pieces: Pieces) -> World:
    every = units()
    single = {lang: ["\n".join(sentences(lang).values())] * 2 for lang in (A, B)}
    return World(single, every[:80], every[80:], tokenizer=pieces._loaded.file)


def test_arms_hold_the_same_single_text_in_the_same_places(pieces: Pieces) -> None:
    stream = arms.streams(world(pieces).single, pieces)
    where = Places(60, 20, 0.5).parallel(3)
    assert where[:20].sum() == 0
    assert where.sum() == 20
    alone = arms.single(stream, 40, 48, 3)
    # However many are wanted, the first are the same: the start of a longer arm is the start of all.
    assert (arms.single(stream, 90, 48, 3)[:40] == alone).all()
    made = {
        kind: arms.woven(alone, arms.packed(kind, units(), Options(pairs=1), pieces, 20, 48, 3), where)
        for kind in ("format", "unpaired", "shuffled", "mapping")
    }
    for one in made.values():
        assert (one.ids[~where] == alone).all()
        assert (one.labels[~where] == alone).all()
    assert (made["format"].ids == made["mapping"].ids).all()
    assert (made["format"].ids != made["shuffled"].ids).any()
    assert made["format"].bearing == 1.0
    assert 0.6 < made["mapping"].bearing < 0.9


def test_no_window_begins_inside_of_a_source(pieces: Pieces) -> None:
    found = arms.packed("mapping", units(), Options(pairs=2), pieces, 50, 48, 0)
    names = tuple(packing.name_of(lang) for lang in (A, B))
    for row in found.ids:
        assert pieces.library.decode(row.tolist()).startswith(names)
    learned = found.labels[found.labels != IGNORED]
    assert set(learned) <= set(found.ids.ravel())


def test_a_wrong_source_stands_where_the_own_stood(pieces: Pieces) -> None:
    found = asked.questions(units(), (A, B), pieces, 96)
    way = f"{A}>{B}"
    own, wrong = found.own[way], found.wrong[way]
    assert found.pairs == 120
    targets = [row[row != IGNORED].tolist() for row in own.labels]
    assert targets == [row[row != IGNORED].tolist() for row in wrong.labels]
    decoded = [pieces.library.decode(t) for t in targets]
    assert decoded == [f" {u.versions[B]}\n" for u in units()]
    assert (own.size == [len(u.versions[B].encode()) for u in units()]).all()
    sources = [pieces.library.decode(row.tolist()) for row in wrong.ids]
    assert not any(u.versions[A] in text for u, text in zip(units(), sources, strict=True))
    at = [np.flatnonzero(x.labels[n] != IGNORED)[0] for x in (own, wrong) for n in range(120)]
    assert np.abs(np.diff(np.array(at).reshape(2, 120), axis=0)).mean() < 0.5
    assert (found.alone[B].labels != IGNORED).sum() > 0


def test_too_few_pairs_that_fit_are_said(pieces: Pieces) -> None:
    with pytest.raises(DataError, match="29 of 29 held-out pairs"):
        asked.questions(units(29), (A, B), pieces, 96)
    with pytest.raises(DataError, match="0 of 120"):
        asked.questions(units(), (A, B), pieces, 10)


def test_a_mask_trains_longer_for_as_many_tokens_that_bear_loss(pieces: Pieces, tmp_path: Path) -> None:
    found = conduct.conduct(tmp_path / "trial", SMALL, world(pieces))
    by = {arm.arm: arm for arm in found.arms}
    assert list(by) == ["unpaired", "shuffled", "format", "mapping"]
    assert abs(by["mapping"].tokens / by["format"].tokens - 1) < 0.04
    told = json.loads((tmp_path / "trial" / "verdict.json").read_text("utf-8"))
    assert told["sentence"] == found.sentence
    assert by["unpaired"].harm.value == 0.0
    assert by["unpaired"].verdict is None
    assert by["format"].power is not None


def test_killed_anywhere_it_goes_on_to_the_same_figures(
    pieces: Pieces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = replace(SMALL, arms=("format",), tokens=4_000)
    whole = conduct.conduct(tmp_path / "whole", given, world(pieces))
    monkeypatch.setattr(trials, "EVERY", 0.0)
    monkeypatch.setattr(ensemble, "ROUND", 0.0)
    for arm, step in (("start", 3), ("unpaired", 10), ("format", 12)):

        def kill(told: str, done: int, total: int, arm: str = arm, step: int = step) -> None:
            if told == arm and done >= step:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            conduct.conduct(tmp_path / "broken", given, world(pieces), kill)
    begun: dict[str, int] = {}
    again = conduct.conduct(
        tmp_path / "broken", given, world(pieces), lambda arm, done, total: begun.setdefault(arm, done)
    )
    assert again == whole
    assert list(begun) == ["format"]
    # The step that was told of last had no checkpoint yet: it is taken again, and none before it.
    assert begun["format"] == 12
    for arm in given.all_arms:
        one, two = (np.load(tmp_path / name / "arms" / f"{arm}.npz") for name in ("whole", "broken"))
        assert all((one[key] == two[key]).all() for key in one.files)


def planted(folder: Path, gain: float, harm: float, noise: float, seeds: int = 3, n: int = 400) -> verdict.Verdict:
    """Write what arms would leave, with a known gain and harm, and judge it."""
    rng = np.random.default_rng(0)
    given = replace(SMALL, arms=("format",), seeds=tuple(range(seeds)))
    (folder / "arms").mkdir(parents=True)
    for arm in given.all_arms:
        found: dict[str, np.ndarray] = {"tokens": np.array(3000)}
        luck = noise * rng.standard_normal(seeds)[:, None]
        for way in (f"{A}>{B}", f"{B}>{A}"):
            own = 200 + 20 * rng.standard_normal((1, n)) + np.zeros((seeds, n))
            more = gain if arm == "format" else 0.002 if arm == "shuffled" else 0.0
            spread = 0.05 * rng.standard_normal((seeds, n))
            found |= {f"own {way}": own, f"size own {way}": np.full(n, 100.0)}
            found[f"wrong {way}"] = own + 100 * (more + luck + spread)
        for lang in (A, B):
            found[f"alone {lang}"] = 200.0 + 100 * (harm if arm == "format" else 0.0) + np.zeros((seeds, n))
            found[f"size alone {lang}"] = np.full(n, 100.0)
        np.savez(folder / "arms" / f"{arm}.npz", **found)
    return verdict.judge(folder, given)


def test_a_planted_gain_is_found_beyond_the_better_control(tmp_path: Path) -> None:
    arm = planted(tmp_path, gain=0.03, harm=0.0, noise=0.0).arms[-1]
    assert arm.verdict == "pays"
    assert arm.beyond is not None
    assert arm.beyond.low < 0.028 < arm.beyond.high
    assert arm.gain[f"{A}>{B}"].value == pytest.approx(0.03, abs=0.01)


def test_what_is_not_there_is_not_shown_with_its_power(tmp_path: Path) -> None:
    found = planted(tmp_path, gain=0.002, harm=0.0, noise=0.06)
    arm = found.arms[-1]
    assert arm.verdict == "not shown at this size"
    assert arm.power is not None
    assert arm.shown is not None
    assert arm.power < 0.3
    assert arm.shown > verdict.WORTH
    assert found.sentence.startswith("not shown at this size: a gain of 0.01")


def test_harm_and_gain_at_once_is_harm(tmp_path: Path) -> None:
    assert planted(tmp_path, gain=0.05, harm=0.2, noise=0.0).arms[-1].verdict == "harms"


def test_an_interval_covers_what_is_true_in_95_of_100() -> None:
    """Seeds and sentences both drawn: the truth is in nearly all intervals, and they are not without end."""
    rng = np.random.default_rng(1)
    hits, width = 0, []
    for _ in range(400):
        drawn = (
            0.3 + 0.05 * rng.standard_normal((3, 1)) + rng.standard_normal(200) + 0.5 * rng.standard_normal((3, 200))
        )
        found = verdict._figure([drawn])
        hits += found.low < 0.3 < found.high
        width.append(found.high - found.low)
    assert 0.92 <= hits / 400 <= 1.0
    assert np.median(width) < 0.6


def test_held_out_sentences_stand_nowhere_in_training() -> None:
    every = units(100)
    doubled = [*every, *(replace(u, id=f"again {u.id}") for u in every)]
    train, test = conduct.divided(doubled, 0.3)
    seen = {text for u in train for text in u.versions.values()}
    assert not seen & {text for u in test for text in u.versions.values()}
    assert len(test) == len({u.versions[A] for u in test})
    assert train


def test_the_wrong_source_is_never_the_same_text() -> None:
    said = ["bb", "a", "bb", "ccc", "a", "ccc"]
    found = asked._next(said, [*map(len, said)])
    assert all(said[n] != said[m] for n, m in enumerate(found))
    assert [said[m] for m in found] == ["ccc", "bb", "ccc", "a", "bb", "a"]


@pytest.mark.parametrize(
    ("asked_for", "said"),
    [({"seeds": (0, 1)}, "2 seeds"), ({"share": 1.0}, "leaves nothing"), ({"start": 1.0}, "leaves nothing")],
)
def test_a_trial_that_could_show_nothing_is_refused(asked_for: dict[str, object], said: str) -> None:
    with pytest.raises(RequestError, match=said):
        replace(SMALL, **asked_for)


def test_the_command_plans_trains_and_reuses(tmp_path: Path) -> None:
    pairs, single, out = tmp_path / "pairs.parquet", tmp_path / "single.parquet", tmp_path / "trial"
    rows = [{"i": key, "lang": lang, "text": text} for lang in (A, B) for key, text in sentences(lang, 200).items()]
    pq.write_table(pa.Table.from_pylist(rows), pairs)
    pq.write_table(pa.Table.from_pylist([{"lang": r["lang"], "text": f"{r['text']}\n" * 9} for r in rows]), single)
    given = ["align", "try", str(pairs), "--languages", "th,en", "--text", str(single), "-o", str(out), "--key", "i"]
    given += ["--parameters", "100000", "--context", "96", "--arms", "format", "--held-out", "0.3", "--json", "--quiet"]
    planned = RUN.invoke(app, [*given, "--tokens", "4000", "--dry-run"])
    assert planned.exit_code == 0, planned.output
    plan = json.loads(planned.stdout)
    assert plan["arms"] == ["unpaired", "shuffled", "format"]
    assert not out.exists()
    done = RUN.invoke(app, [*given, "--minutes", "0.05"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["arms"][-1]["verdict"] in ("pays", "harms", "not shown at this size")
    before = (out / "record.json").stat().st_mtime_ns
    # What was begun with minutes is what is asked for again, however fast the machine is now.
    assert json.loads(RUN.invoke(app, [*given, "--minutes", "0.2"]).stdout) == found
    assert (out / "record.json").stat().st_mtime_ns == before
    wrong = RUN.invoke(app, [*given, "--arms", "formt"])
    assert wrong.exit_code != 0
    one = RUN.invoke(app, [*given[:4], "en", *given[5:]])
    assert isinstance(one.exception, RequestError)


def test_on_a_narrow_screen_every_row_keeps_its_name_and_every_figure(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    names = ("arm", "gain eng_Latn>rus_Cyrl", "gain rus_Cyrl>eng_Latn", "beyond controls", "harm", "verdict")
    table = terminal.table(*names)
    table.add_row("switch_word", *["+0.0034 [-0.0024 +0.0091]"] * 4, "not shown at this size")
    terminal.console().print(table)
    said = capsys.readouterr().out
    assert "switch_word" in said
    assert "…" not in said
    assert said.count("+0.0091]") == 4
