"""Where sentences end, in any script: a rule for features of documents, no segmenter of its own for each language."""

import re

# The terminal signs of Unicode's sentence breaking (ATerm and STerm) that are in use, with closing quotes and brackets.
ENDS = ".!?…。！？｡．؟۔।॥။៕។։།᱾።፧"
CLOSERS = "\"'”’»)]」』）›"
OWN = {"Grek": ";", "Armn": ":", "Ethi": "፡"}
"""Signs that end sentences in one script and stand inside them in others: Greek's question mark, the colon of Armenian
as it is typed, Ethiopic's full stop typed as two word separators."""

UNMARKED = frozenset({"Thai", "Laoo"})
"""Scripts whose sentences end without a sign, as a rule: a space is what divides them."""

LEAST = 16
"""Bytes of UTF-8 of a sentence; a shorter one is joined to the next."""

_CUT = re.compile(rf"(?:(?<=[{ENDS}])|(?<=፡፡))[\"'”’»)\]」』）]*(?=\s)|(?<=[。！？｡])(?=\S)|\n+|(?<=[၊။])")
_GAP = re.compile(r"\s+")


def cut(text: str, lang: str, most: int = 40) -> list[str]:
    """Cut a text at the signs that end sentences in any script, and at line breaks; Thai and Lao at spaces.

    Args:
        text: the text.
        lang: its language, a canonical code.
        most: sentences that are returned, from the beginning.

    >>> cut("The market opens. Is it far? No!", "eng_Latn")
    ['The market opens.', 'Is it far? No!']
    >>> cut("市场八点开门，人们来买菜和水果。路远不远，要走多长时间？从这里走过去不远，不到十分钟。", "zho_Hans")
    ['市场八点开门，人们来买菜和水果。', '路远不远，要走多长时间？', '从这里走过去不远，不到十分钟。']
    """
    pieces = _CUT.split(text)
    if lang.rpartition("_")[2] in UNMARKED:
        pieces = [part for piece in pieces for part in _GAP.split(piece)]
    found: list[str] = []
    held = ""
    for piece in pieces:
        held = f"{held} {piece.strip()}".strip()
        if len(held.encode()) >= LEAST:
            found.append(held)
            held = ""
    if held:
        found.append(held)
    return found[:most]


def ends(line: str, lang: str) -> bool | None:
    """Say whether a line ends with a sign that ends sentences, maybe inside quotes; None where there are no such signs.

    >>> ends("She said: “It is late.”", "eng_Latn"), ends("Wales to vote", "eng_Latn"), ends("ถนนปิด", "tha_Thai")
    (True, False, None)
    """
    script = lang.rpartition("_")[2]
    if script in UNMARKED:
        return None
    last = line.rstrip().rstrip(CLOSERS).rstrip()[-1:]
    return last != "" and (last in ENDS or last in OWN.get(script, ""))
