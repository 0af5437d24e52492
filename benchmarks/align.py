"""Languages tied together: parallel text found among other text, sentences put side by side, masks of token files.

What each metric is stands in the helpers: `_align_pairs` (`pairs.*`, `writers.equal`), `_align_cost`
(`pairs.cpu_minutes.*`), `_align_report` (`coefficient.*`, `donors.*`), `_align_try` (`planted.*`, `real.*`).
"""

from benchmarks import _align_cost, _align_pairs, _align_report, _align_try, _parts

NAME = "align"
PARTS: dict[str, _parts.Part] = {**_align_pairs.PARTS, **_align_cost.PARTS, **_align_report.PARTS, **_align_try.PARTS}

if __name__ == "__main__":
    _parts.main(NAME, PARTS)
