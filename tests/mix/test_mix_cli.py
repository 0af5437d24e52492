"""`glotmix mix`: from a stock to a design, a fit, a mixture and a comparison, each from the files of the one before."""

import csv
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from glotmix.cli import app
from glotmix.core.errors import DataError, RequestError
from glotmix.mix import files
from glotmix.mix.accounting import Available
from glotmix.mix.design import Design, design
from glotmix.mix.laws import law
from glotmix.mix.laws.curve import Curve
from glotmix.mix.laws.effective_data import Formula
from glotmix.mix.repeats import Repeats

STOCK = {"eng_Latn": 10_000_000, "hin_Deva": 2_000_000, "amh_Ethi": 500_000, "khm_Khmr": 100_000}
LANGUAGES = list(STOCK)
TAU = np.array([[1, 0.05, 0.02, 0.02], [0.2, 1, 0.02, 0.02], [0.15, 0.03, 1, 0.02], [0.1, 0.05, 0.02, 1]])


def call(*words, code=0):
    done = CliRunner().invoke(app, [str(word) for word in words])
    if isinstance(done.exception, DataError | RequestError):
        assert code == done.exception.exit_code, done.exception
        return str(done.exception)
    assert done.exit_code == code, done.output + str(done.exception)
    return done.output


def train(folder, noise=0.003):
    """Write the losses that the designed runs have in a known world, as a trainer would."""
    with (folder / "ratios.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    shares = np.array([[float(row[lang]) for lang in LANGUAGES] for row in rows])
    tokens = np.array([float(row["tokens"]) for row in rows])
    unique = np.array([[float(row[f"unique.{lang}"]) for lang in LANGUAGES] for row in rows])
    worth = Repeats(unique / tokens[:, None]).worth(shares) * tokens[:, None] / 1e6
    theta = [
        np.concatenate([[0.8 + 0.1 * i, np.log(0.4), np.log(0.3), 0], np.log(np.delete(TAU[i], i))]) for i in range(4)
    ]
    losses = np.column_stack([Curve(Formula(i), theta[i]).predict(worth) for i in range(4)])
    losses *= np.exp(noise * np.random.default_rng(0).standard_normal(losses.shape))
    lines = ["run_id," + ",".join(f"{lang}_bpb" for lang in LANGUAGES)]
    lines += [",".join([row["run_id"], *map(str, values)]) for row, values in zip(rows, losses.tolist(), strict=True)]
    (folder / "metrics.csv").write_text("\n".join(lines) + "\n", "utf-8")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A design, trained, and a fit of it."""
    folder = tmp_path_factory.mktemp("mix")
    (folder / "stock.csv").write_text("lang,tokens\n" + "".join(f"{k},{v}\n" for k, v in STOCK.items()), "utf-8")
    words = ("--tokens", "1e6", "--target", "5e6", "--monolingual", 3, "--runs", 30, "--parameters", "3e5", "--near", 0)
    words = (*words, "--one-size")
    call("mix", "design", folder / "stock.csv", *words, "-o", folder / "design")
    train(folder / "design")
    laws = [w for name in ("effective_data", "own_share", "climb_linear", "ridge") for w in ("--law", name)]
    call("mix", "fit", folder / "design", "-o", folder / "fit", *laws)
    return folder


def test_a_design_matches_the_targets_repeats_and_says_what_it_was_made_from(made):
    with (made / "design" / "ratios.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    told = json.loads((made / "design" / "design.json").read_text())
    assert told["runs"] == len(rows) == 30 + 3 * 4
    assert told["made_from"]["stock.csv"] == files.digest(made / "stock.csv")
    for row in rows:
        assert [float(row[f"unique.{lang}"]) for lang in LANGUAGES] == [v / 5 for v in STOCK.values()]
        assert sum(float(row[lang]) for lang in LANGUAGES) == pytest.approx(1) and row["parameters"] == "300000"
    alone = [row for row in rows if row["run_id"].startswith("alone-khm")]
    # Its share of the text, four times, and halves of that: 20,000 unique tokens.
    assert [row["tokens"] for row in alone] == ["80000", "40000", "20000"]
    assert all(float(row["khm_Khmr"]) == 1 for row in alone)


def test_a_dry_run_says_what_would_be_made_and_makes_nothing(made, tmp_path):
    out = call("mix", "design", made / "stock.csv", "--tokens", "1e6", "-o", tmp_path / "d", "--dry-run", "--json")
    assert json.loads(out)["runs"] == 8 + 4 and not (tmp_path / "d").exists()
    said = call("mix", "design", made / "stock.csv", "--tokens", "1e6", "-o", tmp_path / "d", "--dry-run")
    assert "a second round" in said and "mix design --after" in said
    told = json.loads(call("mix", "fit", made / "design", "-o", tmp_path / "f", "--dry-run", "--json"))
    assert (
        "climb_decay" in told["competing"]
        and "effective_data" in told["competing"]
        and set(told["lacking"]) == {"pooled_cells"}
    )
    call("mix", "solve", made / "fit", made / "stock.csv", "tokens=5e6", "-o", tmp_path / "m", "--dry-run")
    assert list(tmp_path.iterdir()) == []


def test_a_fit_is_reused_only_with_the_runs_that_it_was_made_from(made, tmp_path):
    runs, choices, told = files.read_fit(made / "fit")
    assert [c.law.name for c in choices] == [t["law"] for t in told["targets"]]
    assert set(told["targets"][0]["scores"][0]) == {"law", "error", "rms", "error_of_mean", "rank", "n", "beats_mean"}
    again = files.read_fit(made / "fit")[1]
    np.testing.assert_array_equal(choices[0].fitted.predict(runs.shares), again[0].fitted.predict(runs.shares))
    for name in ("fit.json", "ratios.csv", "metrics.csv"):
        (tmp_path / name).write_bytes((made / "fit" / name).read_bytes())
    text = (tmp_path / "metrics.csv").read_text()
    (tmp_path / "metrics.csv").write_text(text.replace("mix-000,1.", "mix-000,2."), "utf-8")
    with pytest.raises(DataError, match=r"metrics\.csv is not the file that"):
        files.read_fit(tmp_path)


def test_where_languages_were_run_alone_their_laws_and_the_measured_ratios_are_written(made):
    told = json.loads((made / "fit" / "fit.json").read_text())
    assert list(told["monolingual"]) == LANGUAGES and 0.1 < told["monolingual"]["eng_Latn"]["beta"] < 0.9
    with (made / "fit" / "measured.csv").open(newline="") as file:
        measured = {row["run_id"]: row for row in csv.DictReader(file)}
    with (made / "fit" / "ratios.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    pairs = [
        (float(measured[row["run_id"]]["eng_Latn"]), float(row["eng_Latn"]))
        for row in rows
        if measured[row["run_id"]]["eng_Latn"] and 0.2 < float(row["eng_Latn"]) < 0.9
    ]
    # English is helped little by the others: what it would need alone is about what it had.
    assert len(pairs) > 8
    found, had = np.array(pairs).T
    assert np.corrcoef(np.log(found), np.log(had))[0, 1] > 0.9 and np.median(found / had) == pytest.approx(
        1.05, abs=0.15
    )


def test_solving_leaves_a_mixture_with_its_evidence_and_a_page(made, tmp_path):
    words = ("tokens=5e6", "bootstrap=12", "mix.groups.south={languages: [hin_Deva, amh_Ethi], ceiling: 0.3}")
    out = call(
        "mix", "solve", made / "fit", made / "stock.csv", *words, "-o", tmp_path / "m", "--page", tmp_path / "p.html"
    )
    assert "khm_Khmr" in out and "Climb's two steps" in out and "worth running next" in out
    told = json.loads((tmp_path / "m" / "mixture.json").read_text())
    shares = {row["lang"]: row["share"] for row in told["languages"]}
    assert shares["hin_Deva"] + shares["amh_Ethi"] <= 0.3 + 1e-6 and sum(shares.values()) == pytest.approx(1)
    evidence = told["evidence"]
    assert evidence["transfer"]["languages"] and len(evidence["next_runs"]) == 4 and evidence["widths"][1]["measured"]
    donors = dict(
        zip(evidence["transfer"]["languages"], (g["value"] for g in evidence["transfer"]["gives"]), strict=True)
    )
    assert max(donors, key=donors.get) == "eng_Latn"
    made_from = json.loads((tmp_path / "m" / "solve.json").read_text())["made_from"]
    assert made_from["fit.json"] == files.digest(made / "fit" / "fit.json")
    page = (tmp_path / "p.html").read_text("utf-8")
    for text in ("Who helps whom", "Climb's two steps", "worth most next", "Donors and receivers"):
        assert text in page.replace("&#39;", "'")
    with pytest.raises(json.JSONDecodeError):
        json.loads(out)
    # Comparing it with its baselines says what solving it said: the same laws, the same repeats, other draws.
    compared = json.loads(call("mix", "compare", made / "fit", tmp_path / "m", "--draws", 20, "--json"))
    gains = {gain["over"]: gain["gain"] for gain in told["gains"]}
    assert compared["first"] == "chosen" and {g["over"] for g in compared["gains"]} == set(gains)
    for gain in compared["gains"]:
        assert gain["gain"] == pytest.approx(gains[gain["over"]], abs=1e-9)
    # The mixture is a stock too, and what was found is the middle of the next round, which is fitted with the first.
    asked = ("--tokens", "1e6", "--target", "5e6", "--parameters", "3e5", "--one-size", "--runs", 4)
    call("mix", "design", tmp_path / "m", *asked, "--after", tmp_path / "m", "-o", tmp_path / "n")
    with (tmp_path / "n" / "ratios.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["run_id"] for row in rows[3:5]] == ["next-near-003", "next-centre-s0"] and len(rows) == 8
    assert float(rows[-1]["hin_Deva"]) == pytest.approx(evidence["verdict"]["best"]["hin_Deva"], abs=1e-4)
    train(tmp_path / "n")
    laws = ("--law", "effective_data", "--law", "own_share")
    call("mix", "fit", made / "design", tmp_path / "n", *laws, "-o", tmp_path / "f")
    assert len(files.read_fit(tmp_path / "f")[0]) == 30 + 3 * 4 + 8
    said = call("mix", "fit", made / "design", made / "design", *laws, "-o", tmp_path / "f2", code=3)
    assert "is in two of the tables" in said


def test_a_language_that_no_run_drew_on_keeps_its_share_as_the_error_says(made, tmp_path):
    stock = tmp_path / "stock.csv"
    stock.write_text((made / "stock.csv").read_text("utf-8") + "swh_Latn,400000\n", "utf-8")
    asked = ("mix", "solve", made / "fit", stock, "tokens=5e6", "bootstrap=4", "-o", tmp_path / "mixture")
    said = call(*asked, code=2)
    assert "did you mean" not in said
    fix = "mix.runs.others=prior"
    assert fix in said
    assert "swh_Latn" in call(*asked, fix, "weights.am=0", "floors.sw=0.01")
    assert "mix.method=unimax asks no law" in call(*asked, "method=unimax", code=2)


def test_what_is_counted_in_bytes_is_called_bytes(made, tmp_path):
    stocks = {"bytes": "lang,tokens,bytes\n", "tokens": "lang,tokens,bytes\n"}
    for unit, head in stocks.items():
        rows = "".join(f"{k},{v},{v if unit == 'bytes' else 3 * v}\n" for k, v in STOCK.items())
        path = tmp_path / f"{unit}.csv"
        path.write_text(head + rows, "utf-8")
        assert files.stock_unit(path) == unit
        page = tmp_path / f"{unit}.html"
        said = call("mix", "solve", made / "fit", path, "tokens=5e6", "-o", tmp_path / unit, "--page", page)
        assert (" tokens " in said) is (unit == "tokens")
        told = page.read_text("utf-8")
        assert f"training {unit}, repeats counted" in told
        assert ("training tokens" in told) is (unit == "tokens")


def test_mixtures_are_compared_with_intervals(made, tmp_path):
    (tmp_path / "even.csv").write_text("lang,share\n" + "".join(f"{k},0.25\n" for k in STOCK), "utf-8")
    (tmp_path / "again.csv").write_text("lang,share\n" + "".join(f"{k},0.25\n" for k in STOCK), "utf-8")
    (tmp_path / "english.csv").write_text("lang,share\nen,1\n", "utf-8")
    paths = [tmp_path / f"{name}.csv" for name in ("even", "again", "english")]
    told = json.loads(call("mix", "compare", made / "fit", *paths, "--draws", 20, "--json"))
    gains = {gain["over"]: gain for gain in told["gains"]}
    assert not gains["again"]["told_apart"] and gains["again"]["gain"] == 0
    assert gains["english"]["told_apart"] and gains["english"]["low"] > 0.03
    assert told["objective"]["even"]["low"] <= told["objective"]["even"]["value"] <= told["objective"]["even"]["high"]
    assert "english" in call("mix", "compare", made / "fit", *paths, "--draws", 20, "--weight", "amh_Ethi=3")
    assert "nothing to be compared" in call("mix", "compare", made / "fit", paths[0], code=2)
    (tmp_path / "thai.csv").write_text("lang,share\nth,1\n", "utf-8")
    assert "draws on tha_Thai" in call("mix", "compare", made / "fit", paths[0], tmp_path / "thai.csv", code=2)


def test_what_cannot_be_read_is_refused(made, tmp_path):
    (tmp_path / "bad.csv").write_text("language,tokens\nfr,1\n", "utf-8")
    assert "'lang'" in call("mix", "design", tmp_path / "bad.csv", "--tokens", 1e6, code=3)
    assert "there is no" in call("mix", "solve", tmp_path, made / "stock.csv", code=2)
    assert "objektive" in call("mix", "solve", made / "fit", made / "stock.csv", "objektive=worst", code=2)
    assert "no recipe at" in call("mix", tmp_path / "recipe.yaml", code=2)
    (tmp_path / "one.csv").write_text("lang,tokens\nfr,100\n", "utf-8")
    assert "a mixture needs two" in call("mix", "design", tmp_path / "one.csv", "--tokens", 1e6, code=2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"lang,tokens\neng,inf\nhin,3\n", "row 2: cannot convert float infinity"),
        (b"lang,tokens\neng\nhin,3\n", "row 2"),
        (b"lang,tokens\neng\xe9,4\nhin,3\n", "is not UTF-8"),
        (b"lang,tokens\neng,5\nhin,3\nen,4\n", "row 4: eng_Latn comes twice"),
        (b"lang,tokens\neng,5\n,3\n", "row 3: it names no language"),
    ],
)
def test_a_stock_that_says_nothing_or_twice_is_refused(text, said, tmp_path):
    (tmp_path / "stock.csv").write_bytes(text)
    assert said in call("mix", "design", tmp_path / "stock.csv", "--tokens", 1e6, "-o", tmp_path, code=3)


@pytest.mark.parametrize("given", ["eng,nan\nhin,0.2\n", "eng,0.5\nen,0.5\nhin,0.5\n", "eng\n"])
def test_a_mixture_of_no_shares_is_refused(given, tmp_path):
    (tmp_path / "mine.csv").write_text("lang,share\n" + given, "utf-8")
    with pytest.raises(DataError):
        files.read_mixture(tmp_path / "mine.csv")


@pytest.mark.parametrize(
    "words",
    [
        ("--tokens", 0), ("--tokens", "nan"), ("--tokens", "inf"), ("--temperature", 0), ("--target", -1),
        ("--parameters", -3), ("--parameters", "nan"), ("--max-epochs", "nan"), ("--seed", -1), ("--seeds", 3),
        ("--repeated", 3),
    ],
)  # fmt: skip
def test_a_design_of_no_numbers_is_refused_and_nothing_asked_for_is_left_out(words, made, tmp_path):
    said = call("mix", "design", made / "stock.csv", "--tokens", 1e6, *words, "-o", tmp_path / "d", code=2)
    assert words[0].removeprefix("--").replace("-", "_") in said and not (tmp_path / "d").exists()


def test_regmix_runs_come_in_as_they_are(tmp_path):
    from pathlib import Path

    data = Path(__file__).parents[1] / "data" / "regmix"
    words = [w for name in ("effective_data", "ridge") for w in ("--law", name)]
    out = call("mix", "fit", data / "train_mixture_1m.csv", data / "train_pile_loss_1m.csv", "--format", "regmix",
               "-o", tmp_path / "fit", *words)  # fmt: skip
    assert "pile_cc" in out and (tmp_path / "fit" / "ratios.csv").is_file()
    runs, choices, _ = files.read_fit(tmp_path / "fit")
    assert len(runs.domains) == 17 and len(choices) == 13 and runs.own("pile_cc") is not None


def test_designs_have_seeds_sizes_and_caps():
    there = Available.of({lang: (1, tokens, tokens) for lang, tokens in STOCK.items()})
    asked = Design(1e6, (3e5, 1e6), runs=10, near=0, seeds=3, repeated=4, target=5e6, max_epochs=4)
    planned = design(there, asked)
    # Half of the mixtures at the second size, the first four of those with three seeds, too.
    assert len(planned) == (10 + 2 * 4) + (5 + 2 * 4)
    names = list(planned.names)
    assert names[:4] == ["mix-000-300k", "mix-000-300k-s1", "mix-000-300k-s2", "mix-001-300k"]
    np.testing.assert_array_equal(planned.shares[0], planned.shares[2])
    assert set(planned.parameters) == {3e5, 1e6} and list(planned.seeds[:4]) == [0, 1, 2, 0]
    epochs = planned.shares * 1e6 / planned.unique
    assert epochs.max() <= 4 + 1e-6
    np.testing.assert_array_equal(planned.shares, design(there, asked).shares)


def test_minutes_become_tokens_by_a_probe_and_a_training_says_how_long_it_takes(made, tmp_path):
    words = ("--minutes", 1, "--runs", 6, "--parameters", "1e5", "--dry-run", "--json")
    one = json.loads(call("mix", "design", made / "stock.csv", *words))
    four = json.loads(call("mix", "design", made / "stock.csv", *words, "--minutes", 8))
    # Eight times the minutes are more tokens, however busy the machine is now and then.
    assert four["asked"]["tokens"] > 1.5 * one["asked"]["tokens"] > 1000
    assert "one of the two" in call("mix", "design", made / "stock.csv", code=2)
    call("mix", "design", made / "stock.csv", "--tokens", 2000, "--runs", 4, "--parameters", "1e5", "-o", tmp_path)
    (tmp_path / "text.parquet").write_bytes(b"")
    said = call("mix", "train", tmp_path, tmp_path / "text.parquet", "--dry-run")
    assert "(probed)" in said and "by operations alone" in said


def test_a_round_after_one_that_is_settled_is_refused(made, tmp_path):
    verdict = {"best": dict.fromkeys(STOCK, 0.25), "settled": True}
    told = {"languages": [], "evidence": {"verdict": verdict, "next_runs": [{"shares": {"eng_Latn": 1.0}, "gain": 0}]}}
    (tmp_path / "mixture.json").write_text(json.dumps(told), "utf-8")
    words = ("mix", "design", made / "stock.csv", "--tokens", 1e6, "--after", tmp_path, "-o", tmp_path / "n")
    assert "not expected to change" in call(*words, code=2)
    # Who says how many wants them.
    call(*words, "--runs", 5)
    with (tmp_path / "n" / "ratios.csv").open(newline="") as file:
        assert [row["run_id"] for row in csv.DictReader(file)][:5] == [f"next-near-00{i}" for i in range(5)]


def test_what_has_another_name_now_is_refused_with_it(tmp_path):
    (tmp_path / "stock.csv").write_text("lang,tokens\neng_Latn,900\nhin_Deva,90\n", "utf-8")
    said = call("mix", "design", tmp_path / "stock.csv", "--tokens", 100, "--alone", 3, "-o", tmp_path / "d", code=2)
    assert "--alone is called --monolingual now" in said and not (tmp_path / "d").exists()
    with pytest.raises(RequestError, match="the law kin_transfer is called similarity_transfer now"):
        law("kin_transfer")
