"""The Python API where there is nothing, or too much."""

import pytest

import glotmix as gm
from glotmix.core.errors import DataError, RequestError


def test_nothing_is_an_empty_result_and_a_language_named_twice_is_refused():
    assert len(gm.signals.find_duplicates([]).table) == 0
    assert gm.signals.find_duplicates([]).table.column_names == gm.signals.find_duplicates(["a"]).table.column_names
    with pytest.raises(RequestError, match="threshold"):
        gm.signals.find_duplicates([], threshold=7)
    assert gm.quality.train("builtin", head="logistic").score([], "sw").shape == (0,)
    with pytest.raises(RequestError, match="names fra_Latn twice"):
        gm.mix.allocate({"fra": 10, "fr": 5})
    with pytest.raises(DataError, match="all labels are good"):
        gm.quality.train([{"text": "Mto ulipanda kwa siku tatu.", "lang": "sw", "label": 1}])
