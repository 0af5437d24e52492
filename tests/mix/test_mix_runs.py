"""Tables of runs: both conventions, and everything that can be wrong with them."""

import csv
import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from glotmix.core.errors import DataError, RequestError
from glotmix.mix import run_tables
from glotmix.mix.run_tables import olmix, read, regmix
from glotmix.mix.runs import joined

DATA = Path(__file__).parents[1] / "data" / "regmix"

RATIOS = "run_id,name,fra_Latn,amh_Ethi\nr1,first,0.75,0.25\nr2,second,0.5,0.5\n"
METRICS = "run_id,name,fra_Latn_bpb,amh_Ethi/bpb,mmlu\nr2,second,1.1,1.2,0.9\nr1,first,1.0,1.5,0.8\n"


def pair(folder, mixtures=RATIOS, losses=METRICS):
    (folder / "ratios.csv").write_text(mixtures, "utf-8")
    (folder / "metrics.csv").write_text(losses, "utf-8")
    return folder / "ratios.csv", folder / "metrics.csv"


def test_regmix_files_are_read_joined_and_normalised():
    runs = regmix(DATA / "train_mixture_1m.csv", DATA / "train_pile_loss_1m.csv")
    assert len(runs) == 64 and len(runs.domains) == 17 and len(runs.targets) == 13
    assert runs.domains[0] == "arxiv" and "pile_cc" in runs.targets and runs.own("pile_cc") == 11
    np.testing.assert_allclose(runs.shares.sum(axis=1), 1, atol=1e-12)
    # The first line of the two files, by hand.
    assert runs.shares[0, [7, 10, 11]] == pytest.approx([0.004, 0.209, 0.787])
    assert runs.loss("pile_cc")[0] == 5.169477939605713


def test_olmix_files_are_joined_on_the_run_whatever_the_order(tmp_path):
    runs = olmix(*pair(tmp_path))
    assert runs.names == ("r1", "r2") and runs.targets == ("fra_Latn", "amh_Ethi", "mmlu")
    assert runs.loss("amh_Ethi").tolist() == [1.5, 1.2]
    assert (runs.own("amh_Ethi"), runs.own("mmlu")) == (1, None)
    assert runs.take([1, 1]).loss("mmlu").tolist() == [0.9, 0.9]
    with pytest.raises(RequestError, match=r"no target 'fra_Lat'.*fra_Latn"):
        runs.loss("fra_Lat")


@pytest.mark.parametrize(
    ("mixtures", "losses", "words"),
    [
        (RATIOS.replace("0.75", "0.95"), METRICS, "run r1 sum to 1.2"),
        (RATIOS.replace("0.75,0.25", "1.25,-0.25"), METRICS, "negative share of amh_Ethi"),
        (RATIOS, METRICS.replace("r2,", "r3,"), "1 of 2 runs in .*ratios.csv are not in .*metrics.csv: r2"),
        (RATIOS, METRICS + "r9,ninth,1,1,1\n", "1 of 3 runs in .*metrics.csv are not in .*ratios.csv: r9"),
        (RATIOS, METRICS.replace("1.5", "NaN"), "run r1 has 'NaN' in column amh_Ethi/bpb"),
        (RATIOS, METRICS.replace("1.5", ""), "run r1 has nothing in column amh_Ethi/bpb"),
        (RATIOS, METRICS.replace("1.5", "0"), "the loss 0 on amh_Ethi"),
        (RATIOS + "r1,again,0.5,0.5\n", METRICS, "line 4: the run r1 comes twice"),
        (RATIOS.replace("run_id", "id"), METRICS, "no column run_id or run"),
        (RATIOS.replace("0.75,0.25", "0.75"), METRICS, "line 2: 3 fields under 4 columns"),
        (RATIOS, METRICS.replace("mmlu", "fra_Latn"), "two columns for fra_Latn"),
        ("run_id,fra_Latn\n", METRICS, "holds no run"),
        (RATIOS, METRICS.replace("mmlu", "host").replace("0.9", "a7").replace("0.8", "b2"), "number in column host"),
        (RATIOS, METRICS.replace("mmlu", "score_fra"), "score_fra by name is to be maximised"),
        (RATIOS, METRICS.replace("mmlu", "qa/recall"), "qa/recall by name is to be maximised"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, mixtures, losses, words):
    with pytest.raises(DataError, match=words):
        olmix(*pair(tmp_path, mixtures, losses))


def test_tables_with_semicolons_tabs_and_of_parquet_are_the_same_runs(tmp_path):
    plain = olmix(*pair(tmp_path))
    runs = [olmix(*pair(tmp_path, *(text.replace(",", "\t") for text in (RATIOS, METRICS))))]
    runs.append(olmix(*pair(tmp_path, *(text.replace(",", ";").replace(".", ",") for text in (RATIOS, METRICS)))))
    for name, text in (("ratios", RATIOS), ("metrics", METRICS)):
        rows = list(csv.DictReader(io.StringIO(text)))
        table = {key: [row[key] if key in ("run_id", "name") else float(row[key]) for row in rows] for key in rows[0]}
        (tmp_path / f"{name}.csv").unlink()
        pq.write_table(pa.table(table | {"__index_level_0__": [3, 4]}), tmp_path / f"{name}.parquet")
    runs.append(olmix(*run_tables.pair(tmp_path)))
    for one in runs:
        assert (one.names, one.domains, one.targets) == (plain.names, plain.domains, plain.targets)
        assert one.shares.tolist() == plain.shares.tolist()
        assert one.losses.tolist() == plain.losses.tolist()


def test_the_shape_is_checked_and_a_missing_file_named(tmp_path):
    assert read("olmix", *pair(tmp_path)).names == ("r1", "r2")
    with pytest.raises(RequestError, match="regmix or olmix, not 'regmixx'"):
        read("regmixx", *pair(tmp_path))
    with pytest.raises(DataError, match=r"nowhere.csv is not there"):
        regmix(tmp_path / "nowhere.csv", tmp_path / "metrics.csv")


def test_repeats_of_a_mixture_are_one_group(tmp_path):
    runs = olmix(*pair(tmp_path)).take([0, 1, 0])
    groups = runs.groups()
    assert groups[0] == groups[2] != groups[1]


def test_languages_may_be_spelled_as_people_do(tmp_path):
    mixtures, losses = RATIOS.replace("fra_Latn", "fr"), METRICS.replace("fra_Latn_bpb", "fr_bpb")
    runs = olmix(*pair(tmp_path, mixtures, losses)).canonical()
    assert runs.domains == ("fra_Latn", "amh_Ethi") and runs.targets == ("fra_Latn", "amh_Ethi", "mmlu")
    with pytest.raises(DataError, match="fr and fra, which are one language, fra_Latn"):
        olmix(*pair(tmp_path, mixtures.replace("amh_Ethi", "fra"), losses)).canonical()
    # Domains that are no languages stay as they are.
    real = regmix(DATA / "train_mixture_1m.csv", DATA / "train_pile_loss_1m.csv")
    assert real.canonical() is real


def test_rounds_are_joined_in_the_order_of_the_first_and_none_comes_twice(tmp_path):
    one = olmix(*pair(tmp_path))
    mixtures = "run_id,amh_Ethi,fra_Latn\nr1,0.1,0.9\nr3,0.6,0.4\n"
    losses = "run_id,mmlu,amh_Ethi/bpb,fra_Latn_bpb\nr1,0.7,1.9,0.8\nr3,0.6,1.0,1.4\n"
    (tmp_path / "2").mkdir()
    both = joined([one, olmix(*pair(tmp_path / "2", mixtures, losses))])
    assert both.names == ("r1", "r2", "r1-2", "r3") and both.domains == one.domains and both.targets == one.targets
    assert both.shares[2].tolist() == [0.9, 0.1] and both.losses[3].tolist() == [1.4, 1.0, 0.6]
    assert joined([one]).names == one.names
    with pytest.raises(DataError, match="r1 is in two of the tables"):
        joined([one, one])
    with pytest.raises(DataError, match="the same targets, and arc, mmlu are not in all"):
        joined([one, olmix(*pair(tmp_path / "2", mixtures, losses.replace("mmlu", "arc_loss")))])
    more = (
        mixtures.replace("fra_Latn\n", "fra_Latn,tokens\n").replace("0.9\n", "0.9,100\n").replace("0.4\n", "0.4,100\n")
    )
    with pytest.raises(DataError, match="says nothing of tokens"):
        joined([one, olmix(*pair(tmp_path / "2", more, losses))])
