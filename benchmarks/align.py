"""Languages tied together: parallel text found among other text, sentences put side by side, masks of token files.

What each metric is stands in the helpers: `_align_pairs` (`pairs.*`, `writers.equal`).
"""

from benchmarks import _align_pairs, _parts

PARTS: dict[str, _parts.Part] = {**_align_pairs.PARTS}

if __name__ == "__main__":
    _parts.main(_align_pairs.NAME, PARTS)
