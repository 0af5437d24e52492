"""Reasoning that stands in the text of an answer, and what is left when it is taken away.

Models that reason write it before the answer, between marks of their family (``<think> … </think>``, ``[THINK]``,
channels of gpt-oss …), often in English whatever the question is in. Whoever looks at the answer (its language, the
option that it names, the verdict of a judge) looks at `answer`, not at the whole.

A block that never ends leaves no answer: the model did not come to one. An end without a beginning closes a block that
the prompt had opened.
"""

import re

_BLOCKS = (
    (r"<(think|thinking|thought|thoughts|reasoning|scratchpad|seed:think)>", r"</{}>"),
    (r"\[(THINK|REASONING)\]", r"\[/{}\]"),
    (r"◁(think)▷", r"◁/{}▷"),
    (r"<\|begin_of_(thought)\|>", r"<\|end_of_{}\|>"),
    (r"<\|START_(THINKING)\|>", r"<\|END_{}\|>"),
)
_CLOSES = re.compile(
    r"</(?:think|thinking|thought|thoughts|reasoning|scratchpad|seed:think)>|\[/(?:THINK|REASONING)\]|◁/think▷"
    r"|<\|end_of_thought\|>|<\|END_THINKING\|>",
    re.IGNORECASE,
)
_FINALS = (
    (r"<(answer|response|final_answer)>", r"</{}>"),
    (r"<\|begin_of_(solution)\|>", r"<\|end_of_{}\|>"),
    (r"<\|START_(RESPONSE)\|>", r"<\|END_{}\|>"),
)
_CHANNEL = re.compile(
    r"<\|channel\|>\s*(\w+)[^<]*<\|message\|>(.*?)(?=<\|(?:end|start|return|call|channel)\|>|\Z)", re.DOTALL
)
_BARE_CHANNEL = re.compile(r"\s*analysis(?=[^a-z\s])(.*?)(?:assistantfinal(.*))?", re.DOTALL)
"""gpt-oss after its special tokens were dropped: ``analysisThe user asks …assistantfinalParis.``"""
FENCED = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
"""Code in a fence, one that never ends included."""
_FENCE = re.compile(r"\s*(```+|~~~+)[^\n`]*\n(.*?)(?:\n\s*\1\s*|\Z)", re.DOTALL)


def split(text: str) -> tuple[str, str]:
    """Return the reasoning of a text and its answer, both without white space at their ends.

    >>> split("<think>It is the capital.</think>\\n\\nLima."), split("So it is B.\\n</think>\\nB"), split("Lima.")
    (('It is the capital.', 'Lima.'), ('So it is B.', 'B'), ('', 'Lima.'))
    >>> split("<think>Let me see"), split("<|channel|>analysis<|message|>Hm<|end|><|channel|>final<|message|>Да")
    (('Let me see', ''), ('Hm', 'Да'))
    """
    told = _channels(text)
    thoughts, rest = told if told is not None else _blocks(text)
    rest = _final(rest)
    return "\n\n".join(t for t in (each.strip() for each in thoughts) if t), rest.strip()


def answer(text: str) -> str:
    """Return a text without its reasoning; a text that has none comes back as it is."""
    thought, rest = split(text)
    return rest if thought or rest != text.strip() else text


def unfenced(text: str) -> str:
    """Return what stands in a code fence that is the whole of a text; any other text as it is.

    >>> unfenced("```json\\n{}\\n```"), unfenced("See:\\n```\\nx\\n```")
    ('{}', 'See:\\n```\\nx\\n```')
    """
    whole = _FENCE.fullmatch(text.rstrip())
    return text if whole is None else whole[2]


def _channels(text: str) -> tuple[list[str], str] | None:
    found = _CHANNEL.findall(text)
    if found:
        final = [said for name, said in found if name.lower() == "final"]
        return [said for name, said in found if name.lower() != "final"], "\n\n".join(final)
    bare = _BARE_CHANNEL.fullmatch(text)
    return None if bare is None else ([bare[1]], bare[2] or "")


def _blocks(text: str) -> tuple[list[str], str]:
    thoughts: list[str] = []
    for opens, closes in _BLOCKS:
        while (begin := _at_a_beginning(opens, text)) is not None:
            end = re.compile(closes.format(re.escape(begin[1])), re.IGNORECASE).search(text, begin.end())
            thoughts.append(text[begin.end() : end.start() if end else len(text)])
            text = text[: begin.start()] + (text[end.end() :] if end else "")
    last = None
    for end in _CLOSES.finditer(text):
        # As with a beginning: "close it with </think> and go on" speaks of the mark.
        line = text[end.end() :].partition("\n")[0]
        if not line.strip() or not text[: end.start()] or not text[end.start() - 1].isspace() or _begins(text, end):
            last = end
    if last is not None:
        thoughts.append(text[: last.start()])
        text = text[last.end() :]
    return thoughts, text


def _begins(text: str, mark: re.Match[str]) -> bool:
    return not text[text.rfind("\n", 0, mark.start()) + 1 : mark.start()].strip()


def _at_a_beginning(opens: str, text: str) -> re.Match[str] | None:
    """Return the first mark that begins the text or a line: one in the midst of a sentence is spoken of, not used."""
    return re.compile(r"(?:\A|(?<=\n))[^\S\n]*" + opens, re.IGNORECASE).search(text)


def _final(text: str) -> str:
    """Return what the answer's own marks hold, where they end the text; else the text."""
    for opens, closes in _FINALS:
        marks = list(re.finditer(opens, text, re.IGNORECASE))
        if not marks:
            continue
        rest = text[marks[-1].end() :]
        end = re.search(closes.format(re.escape(marks[-1][1])), rest, re.IGNORECASE)
        if end is None or not rest[end.end() :].strip():
            return rest[: end.start()] if end else rest
    return text
