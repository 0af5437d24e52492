"""Sets of cells chosen for what they do together: planted worlds, real text, helping languages, instructions.

What each metric is stands in the helpers: `_combinations_planted` (`planted.*`), `_combinations_real` (`real.*`,
`carried.*`, `helped.*`, `instructions.*`).
"""

from benchmarks import _combinations_planted, _combinations_real, _parts

NAME = "combinations"
PARTS: dict[str, _parts.Part] = {**_combinations_planted.PARTS, **_combinations_real.PARTS}

if __name__ == "__main__":
    _parts.main(NAME, PARTS)
