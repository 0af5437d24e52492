"""Files of lines that `glotmix embed` is given: empty, in another encoding, with marks and ends of Windows."""

import numpy as np
import pytest
from typer.testing import CliRunner

from glotmix.cli import app
from glotmix.core.errors import DataError


def texts(tmp_path, data):
    (tmp_path / "t.txt").write_bytes(data)
    return CliRunner().invoke(app, ["embed", "texts", str(tmp_path / "t.txt"), "-o", str(tmp_path / "v.npy")])


@pytest.mark.parametrize(
    ("data", "count"),
    [(b"", 0), (b"\n", 1), ("ψωμί".encode(), 1), ("ψωμί\nขนมปัง\n".encode(), 2), ("ψωμί\n\nขนมปัง".encode(), 3)],
)
def test_each_line_is_a_text_and_an_empty_file_has_none(tmp_path, data, count):
    result = texts(tmp_path, data)
    assert result.exit_code == 0 and result.stdout.startswith(f"{count} texts")
    assert len(np.load(tmp_path / "v.npy")) == count


def test_marks_of_an_encoding_and_ends_of_windows_are_no_text(tmp_path):
    texts(tmp_path, "ψωμί\nขนมปัง\n".encode())
    plain = np.load(tmp_path / "v.npy")
    texts(tmp_path, "\ufeffψωμί\r\nขนมปัง\r\n".encode())
    assert np.array_equal(np.load(tmp_path / "v.npy"), plain)


@pytest.mark.parametrize(
    ("data", "line"),
    [("ψωμί\nle pain à midi\n".encode("cp1253", "replace"), 1), ("ψωμί\n".encode() + b"\xff\xfe\n", 2)],
)
def test_a_line_that_is_not_utf_8_is_named(tmp_path, data, line):
    result = texts(tmp_path, data)
    assert isinstance(result.exception, DataError) and f"t.txt:{line} is not UTF-8" in str(result.exception)
    assert not (tmp_path / "v.npy").exists()
    near = CliRunner().invoke(app, ["embed", "near", str(tmp_path / "t.txt"), "bread"])
    assert isinstance(near.exception, DataError) and f"t.txt:{line}" in str(near.exception)


def test_nothing_is_searched_in_an_empty_file(tmp_path):
    (tmp_path / "t.txt").write_bytes(b"")
    near = CliRunner().invoke(app, ["embed", "near", str(tmp_path / "t.txt"), "bread"])
    assert isinstance(near.exception, DataError) and "nothing to search" in str(near.exception)
