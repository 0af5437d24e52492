"""Details as lighteval 0.13 writes them: the dataclasses `Doc`, `ModelResponse` and a dict of metrics, as structs."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq


def write(folder: Path, task: str, rows: list[dict[str, Any]], when: str = "2025-11-20T18-20-56.778004") -> Path:
    """Write ``details/{model}/{when}/details_{task}_{when}.parquet``: rows of query, choices, gold, logprobs, text."""
    path = folder / "details" / "tiny" / when / f"details_{task}_{when}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    details = [
        {
            "doc": {
                "query": row["query"], "choices": row["choices"], "gold_index": row["gold"], "instruction": "",
                "specific": {"id": row["id"]}, "id": str(number), "task_name": task, "num_samples": 1,
            },
            "metric": {"acc": float(row.get("acc", 0.0))},
            "model_response": {
                "input": row["query"], "text": row.get("text", []), "logprobs": row.get("logprobs", []),
                "argmax_logits_eq_gold": [False] * len(row.get("logprobs", [])),
            },
        }
        for number, row in enumerate(rows)
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(details), path)
    return path
