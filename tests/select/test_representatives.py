import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glotmix.core.errors import RequestError
from glotmix.select.representatives import representatives

ROW = st.tuples(st.sampled_from("pqr"), st.sampled_from([0.1, 0.5, None]), st.integers(1, 3))


def table(rows: list[tuple[str, float | None, int]], order: list[int]) -> pa.Table:
    held = [(f"d{i}", *row) for i, row in enumerate(rows)]
    id_, cluster, quality, length = zip(*(held[i] for i in order), strict=True) if rows else ((), (), (), ())
    return pa.table(
        {
            "id": pa.array(id_, pa.string()),
            "cluster": pa.array(cluster, pa.string()),
            "quality": pa.array(quality, pa.float32()),
            "length": pa.array(length, pa.int64()),
        }
    )


@given(st.lists(ROW, max_size=12), st.randoms())
def test_the_best_member_is_kept_whatever_the_order(rows, random):
    order = list(range(len(rows)))
    random.shuffle(order)
    given_ = table(rows, order)
    chosen = representatives(given_, [("quality", "descending"), ("length", "ascending")])
    assert chosen["id"].equals(given_["id"])
    best: dict[str, tuple] = {}
    for i, (cluster, quality, length) in enumerate(rows):
        # Missing comes last; the id breaks ties.
        key = (quality is None, -(quality or 0), length, f"d{i}")
        best[cluster] = min(best.get(cluster, key), key)
    for row, cluster in zip(chosen.to_pylist(), given_["cluster"].to_pylist(), strict=True):
        keeper = best[cluster][-1]
        assert row["kept"] == (row["id"] == keeper)
        assert row["duplicate_of"] == (None if row["kept"] else keeper)


def test_an_unknown_column_is_named():
    with pytest.raises(RequestError, match="did you mean 'quality'"):
        representatives(table([("p", 0.1, 1)], [0]), [("qualty", "descending")])
