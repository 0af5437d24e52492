"""Parts on a Ray cluster of three node processes (`pytest -m ray`): all nodes work, and one may die in the middle."""

import hashlib
import time
from pathlib import Path

import pytest

from glotmix.core import flight, record
from glotmix.core.errors import DataError
from glotmix.core.record import Counts, Identity, Output

pytestmark = pytest.mark.ray

PARTS = [f"part-{n:02d}" for n in range(24)]


@pytest.fixture
def cluster():
    """Three nodes of one core; what a test kills is not brought back."""
    import ray
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": 10**8})
    nodes = [made.add_node(num_cpus=1, object_store_memory=10**8) for _ in range(2)]
    ray.init(address=made.address, log_to_driver=False)
    made.wait_for_nodes()
    flight.use(flight.Engine("ray", memory=2**30))
    yield made, nodes
    flight.use(flight.Engine())
    ray.shutdown()
    made.shutdown()


def step(output: Output, at: Path | None = None) -> Counts:
    """Twelve parts that take a moment each, and say in a file that they were begun."""

    def one(name: str, folder: Path) -> Counts:
        if at is not None:
            (at / name).touch()
            time.sleep(0.3)
        (folder / f"{name}.txt").write_text(hashlib.sha256(name.encode()).hexdigest())
        return {"documents": len(name)}

    return output.each({name: name for name in PARTS}, one)


def files(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.glob("*.txt")}


def test_parts_are_spread_over_all_nodes_and_the_record_says_where(cluster, tmp_path):
    begun = tmp_path / "begun"
    begun.mkdir()
    made = record.build(tmp_path / "x", Identity("signals/x", 1), lambda output: step(output, begun))
    flight.use(flight.Engine())
    alone = record.build(tmp_path / "alone", Identity("signals/x", 1), step)
    assert len(made.nodes) == 3
    assert sum(made.nodes.values()) == len(PARTS)
    assert not alone.nodes
    assert made.counts == alone.counts
    assert files(tmp_path / "x") == files(tmp_path / "alone")


def test_a_node_that_dies_in_the_middle_changes_nothing(cluster, tmp_path):
    made, nodes = cluster
    begun = tmp_path / "begun"
    begun.mkdir()
    killed = []

    class Watcher(record.Silent):
        def advance(self, name: str, done: int, total: int, rows: int) -> None:
            if done == 4:
                made.remove_node(nodes[0], allow_graceful=False)
                killed.append(done)

    record.build(tmp_path / "x", Identity("signals/x", 1), lambda output: step(output, begun), Watcher())
    assert killed
    flight.use(flight.Engine())
    record.build(tmp_path / "alone", Identity("signals/x", 1), step)
    assert files(tmp_path / "x") == files(tmp_path / "alone")


def test_an_error_in_a_part_is_that_of_the_part_and_the_finished_ones_stay(cluster, tmp_path):
    def fails(output: Output) -> Counts:
        def one(name: str, folder: Path) -> Counts:
            if name == PARTS[5]:
                raise DataError("this part cannot be made", "mend it")
            (folder / f"{name}.txt").write_text(name)
            return {"documents": 1}

        return output.each({name: name for name in PARTS}, one)

    with pytest.raises(DataError, match="this part cannot be made\n  → mend it"):
        record.build(tmp_path / "x", Identity("signals/x", 1), fails)
    assert record.state_of(tmp_path / "x", Identity("signals/x", 1))[0] == "resumed"
