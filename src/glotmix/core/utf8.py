"""Text files that people give: UTF-8, or an error that names the line which is not."""

from pathlib import Path

from glotmix.core.errors import DataError


def text(path: Path) -> str:
    """Return the text of a file, without a mark of its encoding; ends of lines stay as they are.

    Raises:
        DataError: naming the first line that is not UTF-8.
    """
    data = path.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise broken(path, data) from None


def check(path: Path) -> None:
    """Check that a file is UTF-8, after a parser of another library could not make sense of it.

    Raises:
        DataError: naming the first line that is not.
    """
    text(path)


def broken(path: Path, data: bytes) -> DataError:
    """Return the error of a file that is not UTF-8."""
    for number, line in enumerate(data.split(b"\n"), start=1):
        try:
            line.decode()
        except UnicodeDecodeError as error:
            return DataError(
                f"{path}:{number} is not UTF-8: byte {error.start + 1} of the line is 0x{line[error.start]:02X}",
                "iconv -f LATIN1 -t UTF-8 FILE > NEW, if LATIN1 is what it is in",
            )
    return DataError(f"{path} is not UTF-8", "iconv -f LATIN1 -t UTF-8 FILE > NEW, if LATIN1 is what it is in")
