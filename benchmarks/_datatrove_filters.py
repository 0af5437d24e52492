"""Datatrove's side of `benchmarks.heuristics`: run by the Python of datatrove's own environment, never by ours.

`python _datatrove_filters.py FILE`: FILE is a JSON object from datatrove's language code to a list of texts. Prints a
JSON object from that code to the CPU-seconds of Gopher's repetition and quality filters and FineWeb's over all of them,
or to null where datatrove has no word tokenizer for the language here. Each filter stops at its first failure.
"""

import json
import sys
import time
from pathlib import Path

from datatrove.data import Document
from datatrove.pipeline.filters import FineWebQualityFilter, GopherQualityFilter, GopherRepetitionFilter


def seconds(language: str, texts: list[str]) -> float | None:
    """Return the CPU-seconds of the three filters over the texts."""
    filters = [
        GopherRepetitionFilter(language=language),
        FineWebQualityFilter(language=language),
        GopherQualityFilter(language=language),
    ]
    documents = [Document(text=text, id=str(i)) for i, text in enumerate(texts)]
    try:
        for one in filters:
            one.filter(documents[0])
    except (ImportError, ValueError, OSError):
        return None
    began = time.process_time()
    for document in documents:
        for one in filters:
            one.filter(document)
    return time.process_time() - began


if __name__ == "__main__":
    wanted = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    print(json.dumps({language: seconds(language, texts) for language, texts in wanted.items()}))
