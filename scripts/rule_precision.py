"""What each rule finds of judged text: `python scripts/rule_precision.py`, into src/glotmix/data/rule_precision.tsv.

On the labelled web excerpts in the right language (`crawl_labels.parquet`, 11 languages): how many unnatural and
natural documents lie beyond the reference's 99th percentile (the 1st, on the low side) by more than a hair. Counts
alone are written.
"""

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import harness  # noqa: E402

from glotmix.core import settings  # noqa: E402
from glotmix.core.language import parse  # noqa: E402
from glotmix.quality.reference import shipped  # noqa: E402
from glotmix.select import precision, unusual  # noqa: E402
from glotmix.signals import heuristics  # noqa: E402


def main() -> None:
    """Write the file."""
    rows = [r for r in pq.read_table(harness.data("crawl_labels.parquet")).to_pylist() if r["lang_correct"]]
    langs = np.array([parse(r["lang"]).code for r in rows], object)
    bad = np.array([r["unnatural"] for r in rows], bool)
    seen = heuristics.measure(pa.array([r["text"] for r in rows]), pa.array(langs.tolist()))
    table = pa.table({f.name: seen.field(i) for i, f in enumerate(seen.type)})
    chars, held = table["chars"].to_numpy().astype(float), shipped()
    lines = [f"# {len(rows)} judged documents: unnatural\t{int(bad.sum())}\tnatural\t{int((~bad).sum())}"]
    for column in yaml.safe_load(settings.FILE.read_text("utf-8"))["default"]["heuristics"]:
        if column not in held.columns:
            continue
        values = table[column].to_numpy(zero_copy_only=False).astype(float)
        for side, q, sign in (("low", 0.01, -1), ("high", 0.99, 1)):
            fails = np.zeros(len(rows), bool)
            for lang in sorted(set(langs)):
                mine = langs == lang
                far = sign * (values[mine] - held.bounds(lang, chars[mine], column, q))
                fails[mine] = far > unusual.HAIR * held.spreads(lang, chars[mine], column)
            lines.append(f"heuristics.{column}.{side}\t{int(fails[bad].sum())}\t{int(fails[~bad].sum())}")
    precision.FILE.write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    main()
