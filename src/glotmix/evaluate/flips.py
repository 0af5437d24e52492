"""Which items flip between languages: a list to read, the most divided first."""

from dataclasses import dataclass

import numpy as np

from glotmix.evaluate.answers import MISSING, Answers, Grid


@dataclass(frozen=True)
class Flip:
    """An item that is right in some languages and wrong in others (or, where nothing is judged, answered differently).

    Args:
        task: of the item.
        item: its id.
        gold: the right answer's position or text, None where unknown.
        right: the languages that answer it rightly.
        wrong: by each wrong answer, the languages that give it; None is an answer that could not be read.
        prompt: what was asked in the language named beside it, where the log can be read again.
        choices: the choices in that language; none for generated answers.
        prompt_lang: that language.
    """

    task: str
    item: str
    gold: int | str | None
    right: tuple[str, ...]
    wrong: tuple[tuple[int | str | None, tuple[str, ...]], ...]
    prompt: str | None
    choices: tuple[str, ...]
    prompt_lang: str


def order(grid: Grid) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Return the positions of the items that flip: those whose languages are most evenly divided first, then by id.

    Division is the entropy of the languages' answers, in the base e.
    """
    items, langs = grid.choice.shape
    ordered = np.sort(grid.choice, axis=1)
    starts = np.ones((items, langs), bool)
    starts[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    run = np.cumsum(starts, axis=1) - 1 + langs * np.arange(items)[:, None]
    share = np.bincount(run.ravel(), minlength=items * langs).reshape(items, langs) / langs
    entropy = -np.sum(np.where(share > 0, share * np.log(np.where(share > 0, share, 1.0)), 0.0), axis=1)
    differ = starts.sum(axis=1) > 1
    if grid.judged:
        differ &= grid.correct.any(axis=1) & ~grid.correct.all(axis=1)
    found = np.flatnonzero(differ)
    # Rounded, so that equal divisions are equal whatever the order of the sum.
    return found[np.argsort(-np.round(entropy[found], 9), kind="stable")]


def flips(grid: Grid, answers: Answers, limit: int, shown_in: str | None = None) -> list[Flip]:
    """Return the first `limit` items that flip.

    Args:
        grid: the aligned answers.
        answers: that it was made of.
        limit: how many.
        shown_in: the language whose prompt is shown; None for the first.
    """
    from glotmix.evaluate.lm_eval import prompts

    lang = grid.langs.index(shown_in) if shown_in is not None else 0
    chosen = order(grid)[:limit]
    whole = np.flatnonzero(np.asarray(answers.table["task"].to_numpy(zero_copy_only=False)) == grid.task)
    texts = prompts(answers, [int(whole[r]) for r in grid.rows[chosen, lang]])
    task = answers.table.take(whole)
    told = []
    for place, asked in zip(chosen, texts, strict=True):
        row = task.take(grid.rows[place]).select(["answer", "gold_answer"]).to_pylist()
        wrong: dict[int | str | None, list[str]] = {}
        right = []
        for i, name in enumerate(grid.langs):
            code = int(grid.choice[place, i])
            if grid.judged and grid.correct[place, i]:
                right.append(name)
                continue
            said = None if code == MISSING else code if grid.chance is not None else row[i]["answer"]
            wrong.setdefault(said, []).append(name)
        gold = row[0]["gold_answer"] if grid.chance is None else int(grid.gold[place])
        told.append(
            Flip(
                task=grid.task,
                item=grid.items[place],
                gold=None if gold == MISSING else gold,
                right=tuple(right),
                wrong=tuple((said, tuple(names)) for said, names in wrong.items()),
                prompt=None if asked is None else asked.text,
                choices=() if asked is None else asked.choices,
                prompt_lang=grid.langs[lang],
            )
        )
    return told
