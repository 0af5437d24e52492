"""A recipe's data set on a Ray cluster of several node processes of this machine; a node or the driver may be killed.

python -m benchmarks._ray_nodes RECIPE NODES [node|driver], in an environment with Ray; prints the parts of each node.
"""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path


def main(recipe: Path, nodes: int, kill: str | None) -> None:
    """Start the cluster, run the recipe on it as a user would, and perhaps kill something when the first signal began.

    Args:
        recipe: what is run.
        nodes: of the cluster.
        kill: ``node``: the run must go on without it; ``driver``: it is started again.
    """
    from ray.cluster_utils import Cluster

    told = {"num_cpus": 1, "object_store_memory": 2 * 10**8}
    cluster = Cluster(initialize_head=True, head_node_args=told)
    others = [cluster.add_node(**told) for _ in range(nodes - 1)]
    cluster.wait_for_nodes()
    command = [sys.executable, "-m", "glotmix", "export", str(recipe), "engine.runner=ray", "output=ray", "--quiet"]
    environment = os.environ | {"RAY_ADDRESS": cluster.address, "RAY_USAGE_STATS_ENABLED": "0"}
    log = recipe.parent / "ray.log"
    killed = False
    with log.open("w") as out:

        def started() -> subprocess.Popen[bytes]:
            return subprocess.Popen(command, env=environment, stdout=out, stderr=subprocess.STDOUT)

        run = started()
        while run.poll() is None:
            begun = list((recipe.parent / "ray" / "signals").glob(".*/.progress/*.scratch"))
            if begun and not killed and kill == "node":
                cluster.remove_node(others[0], allow_graceful=False)
                killed = True
            elif begun and not killed and kill == "driver":
                run.kill()
                run.wait()
                killed, run = True, started()
            time.sleep(0.02)
    made: Counter[str] = Counter()
    for path in (recipe.parent / "ray").rglob("record.json"):
        made.update(json.loads(path.read_text("utf-8")).get("nodes", {}))
    print(json.dumps({"exit": run.returncode, "parts": list(made.values()), "killed": killed}))
    if run.returncode:
        print(log.read_text("utf-8")[-3000:], file=sys.stderr)
    cluster.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), int(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else None)
