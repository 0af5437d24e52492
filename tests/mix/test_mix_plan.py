"""From counts and a request to files."""

import csv
import json

import pytest
from pydantic import ValidationError

from glotmix.core.errors import RequestError
from glotmix.mix.accounting import Available
from glotmix.mix.plan import MixConfig, plan, read_shares, write

STOCK = Available.of(
    {
        "eng_Latn": (9_000, 36_000_000, 9_000_000),
        "amh_Ethi": (300, 900_000, 300_000),
        "khm_Khmr": (20, 90_000, 10_000),
    }
)


def test_the_chosen_mixture_keeps_the_limits_and_the_baselines_say_what_they_break():
    made = plan(STOCK, MixConfig(tokens=6_000_000, method="temperature", max_epochs=2, floors={"khm_Khmr": 0.003}))
    _, amharic, khmer = made.mixture.rows
    assert amharic.epochs <= 2 and khmer.epochs <= 2 and khmer.share >= 0.003
    assert sum(row.tokens_used for row in made.mixture.rows) == 6_000_000
    by_name = {m.name: m for m in made.baselines}
    assert list(by_name) == ["natural", "uniform", "temperature", "unimax"]
    assert by_name["uniform"].rows[2].epochs == pytest.approx(200)
    assert any("khm_Khmr: 200 epochs, 2 allowed" in said for said in by_name["uniform"].breaks)
    assert by_name["unimax"].breaks == ()
    assert by_name["natural"].breaks == ("khm_Khmr: share 0.00107, at least 0.003 asked",)


def test_the_files_hold_the_account_and_are_the_same_bytes_each_time(tmp_path):
    for name in ("a", "b"):
        write(plan(STOCK, MixConfig(tokens=5_000_000)), tmp_path / name)
    for file in ("mixture.json", "mixture.csv"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    told = json.loads((tmp_path / "a" / "mixture.json").read_text("utf-8"))
    shares = read_shares(tmp_path / "a")
    assert list(shares) == list(STOCK.languages) and shares["khm_Khmr"]["epochs"] == 4.0
    assert shares["khm_Khmr"]["low"] is None and told["method"] == "unimax"
    with (tmp_path / "a" / "mixture.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 5 * 3
    for row in rows:
        table = told["languages"] if row["mixture"] == "chosen" else told["baselines"][row["mixture"]]
        same = next(r for r in table if r["lang"] == row["lang"])
        assert {k: "" if v is None else str(v) for k, v in same.items()} == {k: row[k] for k in same}


def test_without_a_budget_every_token_is_drawn_once_on_average():
    made = plan(STOCK, MixConfig(method="natural"))
    assert made.tokens == STOCK.total and all(row.epochs == 1 for row in made.mixture.rows)
    assert made.warnings == ()
    many = plan(STOCK, MixConfig(method="uniform", max_epochs=None))
    assert "khm_Khmr is repeated 310 times" in many.warnings[0]


def test_what_cannot_be_had_is_refused():
    with pytest.raises(RequestError, match="possible: 37,240,000 tokens under these limits, 2,760,000 too few"):
        plan(STOCK, MixConfig(tokens=40_000_000))
    for wrong in ({"temprature": 1}, {"temperature": 0}, {"tokens": 0}, {"method": "best"}):
        with pytest.raises(ValidationError):
            MixConfig(**wrong)
