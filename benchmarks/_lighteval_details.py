"""Runs in the environment of lighteval: its own classes write details of given rows, as they would after a run.

    python benchmarks/_lighteval_details.py ROWS.json FOLDER

ROWS is a JSON object: by task, rows of ``id, query, choices, gold, logprobs, text, acc``.
"""

import json
import sys
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from datasets import Dataset
from lighteval.logging.evaluation_tracker import EvaluationTracker
from lighteval.logging.info_loggers import DetailsLogger
from lighteval.models.model_output import ModelResponse
from lighteval.tasks.requests import Doc


def main(rows: Path, folder: Path) -> None:
    tracker = EvaluationTracker(output_dir=str(folder), save_details=True)
    tracker.general_config_logger.model_name = "tiny"
    made = {}
    for task, each in json.loads(rows.read_text("utf-8")).items():
        details = []
        for number, row in enumerate(each):
            doc = Doc(
                query=row["query"], choices=row["choices"], gold_index=row["gold"], task_name=task, id=str(number)
            )
            doc.specific = {"id": row["id"]}
            response = ModelResponse(input=row["query"], text=row["text"], logprobs=row["logprobs"])
            details.append(DetailsLogger.Detail(doc, response, {"acc": row["acc"]}))
        dataset = Dataset.from_list([asdict(detail) for detail in details])
        made[task] = dataset.select_columns(sorted(c for c in dataset.column_names if c != "id"))
    tracker.save_details(datetime.now().isoformat().replace(":", "-"), made)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
