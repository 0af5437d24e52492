"""JSON lines: `.jsonl`, `.ndjson`. The reading itself stands in `glotmix.corpus.jsonl`."""

from collections.abc import Iterator
from itertools import pairwise

from glotmix.core import json_text
from glotmix.corpus import jsonl
from glotmix.corpus.readers.spec import ReaderSpec
from glotmix.corpus.sources import InputFile, Source


def _pieces(source: Source, file: InputFile, unit: int) -> Iterator[tuple[int, int | None, int]]:
    if file.codec is not None:
        yield 0, None, file.size
    else:
        for start, stop in pairwise([*range(0, file.size, unit), file.size]):
            yield start, stop, stop - start


def _sniff(start: bytes) -> bool:
    line, newline, _ = start.removeprefix(b"\xef\xbb\xbf").partition(b"\n")
    try:
        return newline != b"" and isinstance(json_text.loads(line), dict)
    except ValueError:
        return False


READER = (
    ReaderSpec(
        name="jsonl",
        endings=(".jsonl", ".ndjson"),
        read=jsonl.read,
        peek=jsonl.peek,
        pieces=_pieces,
        counts="line",
        sniff=_sniff,
        place=900,
    ),
)
