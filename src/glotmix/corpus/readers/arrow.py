"""Parquet. The reading itself stands in `glotmix.corpus.tabular`."""

from collections.abc import Iterator

from glotmix.corpus import tabular
from glotmix.corpus.readers.spec import ReaderSpec
from glotmix.corpus.rows import Rows
from glotmix.corpus.sources import InputFile, Source


def _read(source: Source, file: InputFile, start: int, stop: int | None) -> Iterator[Rows]:
    assert stop is not None
    return tabular.read(source, file, start, stop)


def _peek(source: Source, file: InputFile) -> list[str]:
    return tabular.names(tabular.metadata(source, file).schema.to_arrow_schema())


def _pieces(source: Source, file: InputFile, unit: int) -> Iterator[tuple[int, int | None, int]]:
    about = tabular.metadata(source, file)
    for group in range(about.num_row_groups):
        yield group, group + 1, about.row_group(group).total_byte_size


READER = (
    ReaderSpec(
        name="parquet",
        endings=(".parquet",),
        read=_read,
        peek=_peek,
        pieces=_pieces,
        counts="row",
        sniff=lambda start: start.startswith(b"PAR1"),
    ),
)
