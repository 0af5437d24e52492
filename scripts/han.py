"""Write src/glotmix/data/han.tsv: the Chinese characters that only simplified, or only traditional, text holds.

    python scripts/han.py FOLDER

FOLDER holds Unihan_Variants.txt of the Unicode Character Database (Debian: ``apt-get download unicode-data``). A
character is simplified-only if it has a traditional variant, and it is not itself one of its traditional variants nor
the traditional form of another character (后 is both, so it says nothing); traditional-only likewise.
"""

import sys
from pathlib import Path

TABLE = Path(__file__).parents[1] / "src/glotmix/data/han.tsv"
HEAD = """\
# Characters of simplified-only and traditional-only Chinese, written by scripts/han.py from Unihan_Variants.txt of the
# Unicode Character Database {version}. Copyright Unicode, Inc.; Unicode License V3, see unicode.LICENSE.
"""


def main(folder: Path) -> None:
    """Write the table."""
    lines = (folder / "Unihan_Variants.txt").read_text("utf-8").splitlines()
    variants: dict[str, dict[int, set[int]]] = {"kSimplifiedVariant": {}, "kTraditionalVariant": {}}
    for line in lines:
        point, _, rest = line.partition("\t")
        name, _, values = rest.partition("\t")
        if point.startswith("U+") and name in variants:
            variants[name][int(point[2:], 16)] = {int(v[2:].partition("<")[0], 16) for v in values.split()}
    simplified, traditional = variants["kTraditionalVariant"], variants["kSimplifiedVariant"]
    only = {
        "Hans": {c for c, forms in simplified.items() if c not in forms and c not in traditional},
        "Hant": {c for c, forms in traditional.items() if c not in forms and c not in simplified},
    }
    version = next(line.rpartition(" ")[2] for line in lines if "Unicode version" in line or "Unicode Version" in line)
    rows = [f"{script}\t{''.join(map(chr, sorted(points)))}\n" for script, points in only.items()]
    TABLE.write_text(HEAD.format(version=version) + "".join(rows), "utf-8")
    print({script: len(points) for script, points in only.items()})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
