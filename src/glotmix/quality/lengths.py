"""Documents at other lengths: cut shorter, and joined to longer ones.

What is usual in a text depends on its length (a long one repeats more words, holds more of everything, and compresses
better), so both the reference and a rater's anchors are seen at several lengths.
"""

import re
from collections.abc import Sequence

KNOTS = (150, 400, 1_000, 2_500, 6_300, 16_000)
"""Characters at which the reference holds what is usual: equal steps of the logarithm, 0.4 decades apart."""

_END = re.compile(r"(?<=[.!?;:।۔؟。！？።\n])\s*|\s+")


def cut(text: str, chars: int) -> str:
    """Return the beginning of a text: at most `chars` characters, ended at a sentence or a space where one is near.

    >>> cut("One day. Another day came.", 12)
    'One day.'
    """
    if len(text) <= chars:
        return text
    head = text[:chars]
    ends = [found.start() for found in _END.finditer(head, chars // 2)]
    return head[: ends[-1]].rstrip() if ends else head


def versions(texts: Sequence[str], langs: Sequence[str], labels: Sequence[bool]) -> list[tuple[str, tuple[int, ...]]]:
    """Return labelled texts at other lengths, and the positions of the texts that each is made of.

    Every fourth one is cut (to each of the lengths below its own in turn), and those of one language and label are
    joined to each of the greater lengths.
    """
    shorter, longer = KNOTS[:2], KNOTS[3:]
    found: list[tuple[str, tuple[int, ...]]] = []
    cells: dict[tuple[str, bool], list[int]] = {}
    for at, text in enumerate(texts):
        cells.setdefault((langs[at], labels[at]), []).append(at)
        size = shorter[at // 4 % len(shorter)]
        if at % 4 == 0 and len(text) > 1.5 * size:
            found.append((cut(text, size), (at,)))
    for _, rows in sorted(cells.items()):
        for size in longer:
            runs = joined([texts[at] for at in rows], size)
            found += [("\n\n".join(texts[rows[i]] for i in run), tuple(rows[i] for i in run)) for run in runs]
    return found


def joined(texts: Sequence[str], chars: int, between: str = "\n\n") -> list[list[int]]:
    """Deal texts, in their order, into runs of about `chars` characters; return the positions of each run.

    A last run that is shorter than four fifths is left out; so is a run of one text alone.

    >>> joined(["a" * 50, "b" * 60, "c" * 30], 100)
    [[0, 1]]
    """
    runs: list[list[int]] = []
    run: list[int] = []
    size = 0
    for at, text in enumerate(texts):
        run.append(at)
        size += len(text) + len(between)
        if size >= 0.8 * chars:
            if len(run) > 1:
                runs.append(run)
            run, size = [], 0
    return runs
