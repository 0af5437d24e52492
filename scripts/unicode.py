"""Writes src/glotmix/data/unicode.tsv, the properties of characters that the native loops need.

    python scripts/unicode.py FOLDER

FOLDER holds UnicodeData.txt, Scripts.txt, PropList.txt and PropertyValueAliases.txt of the Unicode Character
Database (Debian: ``apt-get download unicode-data``; or unicode.org/Public/15.0.0/ucd). The table ships as a file so
that a text has the same signals on every Python, whatever Unicode version its `unicodedata` has.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

TABLE = Path(__file__).parents[1] / "src/glotmix/data/unicode.tsv"
HEAD = """\
# Unicode Character Database {version}, written by scripts/unicode.py. Copyright Unicode, Inc.; Unicode License V3,
# see unicode.LICENSE. Code points that are not listed are unassigned.
# first\tlast\tcategory\tscript (ISO 15924)\tT = ends a sentence (Sentence_Terminal)
"""


def properties(path: Path) -> Iterator[tuple[int, int, str]]:
    """Yield first, last and value of each line of a property file of the Unicode Character Database."""
    for line in path.read_text("utf-8").splitlines():
        points, _, value = (part.strip() for part in line.partition("#")[0].partition(";"))
        if value:
            first, _, last = points.partition("..")
            yield int(first, 16), int(last or first, 16), value


def categories(path: Path) -> dict[int, str]:
    """Return the general category of every assigned code point."""
    found: dict[int, str] = {}
    begin = 0
    for line in path.read_text("utf-8").splitlines():
        point, name, category, *_ = line.split(";")
        if name.endswith(", First>"):
            begin = int(point, 16)
        elif name.endswith(", Last>"):
            found |= dict.fromkeys(range(begin, int(point, 16) + 1), category)
        else:
            found[int(point, 16)] = category
    return found


def main(folder: Path) -> None:
    """Write the table."""
    version = (
        (folder / "Scripts.txt").read_text("utf-8").splitlines()[0].removeprefix("# Scripts-").removesuffix(".txt")
    )
    codes = {
        fields[2].strip(): fields[1].strip()
        for line in (folder / "PropertyValueAliases.txt").read_text("utf-8").splitlines()
        if len(fields := line.split(";")) > 2 and fields[0].strip() == "sc"
    }
    category = categories(folder / "UnicodeData.txt")
    script = {c: codes[v] for a, b, v in properties(folder / "Scripts.txt") for c in range(a, b + 1)}
    ends = {c for a, b, v in properties(folder / "PropList.txt") if v == "Sentence_Terminal" for c in range(a, b + 1)}
    rows: list[list[object]] = []
    for point in sorted(category):
        value = [category[point], script.get(point, "Zzzz"), "T" if point in ends else ""]
        if rows and rows[-1][1] == point - 1 and rows[-1][2:] == value:
            rows[-1][1] = point
        else:
            rows.append([point, point, *value])
    lines = ["\t".join([f"{a:X}", f"{b:X}", *map(str, rest)]).rstrip() for a, b, *rest in rows]
    TABLE.write_text(HEAD.format(version=version) + "\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
