"""The page of an evaluation: scores, fidelity and tokenizers, given as plain data by the roof.

It has the style, the scripts and the policy of the report (`glotmix.report.page`), and counts nothing itself.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from glotmix.report import plots, shell

Data = Mapping[str, Any]


def render(
    scores: Data | None = None, fidelity: Data | None = None, tokenizers: Sequence[Data] = (), title: str | None = None
) -> str:
    """Return the page as HTML; its bytes depend on what is given alone.

    Args:
        scores: ``Scores.as_dict()`` of `glotmix.evaluate.scores`.
        fidelity: ``Fidelity.as_dict()`` of `glotmix.evaluate.language_fidelity`.
        tokenizers: ``Audit.as_dict()`` of `glotmix.evaluate.tokenizers`, one for each.
        title: None for the model's name, or the tokenizers'.
    """
    langs = {each["lang"] for task in (scores or {}).get("tasks", ()) for each in task["languages"]}
    langs |= {each["lang"] for each in (fidelity or {}).get("languages", ())}
    langs |= {code for each in (fidelity or {}).get("languages", ()) for code in each["confusion"]}
    langs |= {each["lang"] for audit in tokenizers for each in audit["languages"]}
    names = shell.names(sorted(langs))
    drawn: dict[str, plots.Spec] = {}
    tasks = (
        [_task(number, task, scores["pivot"], names, drawn) for number, task in enumerate(scores["tasks"])]
        if (scores)
        else []
    )
    audits = _audits(tokenizers, names, drawn)
    models = [given["model"] for given in (scores, fidelity) if given]
    return shell.render(
        "evaluation.html",
        {
            "title": title or (models[0] if models else ", ".join(a["tokenizer"] for a in tokenizers)),
            "scores": scores,
            "tasks": tasks,
            "fidelity": None if fidelity is None else _fidelity(fidelity),
            "audits": audits,
            "names": names,
            "plots": drawn,
        },
    )


def _task(
    number: int, task: Data, pivot: str | None, names: Mapping[str, str], drawn: dict[str, plots.Spec]
) -> dict[str, Any]:
    langs = [each["lang"] for each in task["languages"]]
    cells = {}
    for pair in task["pairs"]:
        cells[pair["a"], pair["b"]] = pair
    paired = bool(cells)
    ranked = sorted(langs, key=lambda lang: (-_mean(cells, langs, lang, "mlc"), lang))
    rows = []
    for lang in ranked:
        pairs = [cells.get((lang, other)) or cells[other, lang] for other in ranked if other != lang and paired]
        rows.append({"lang": lang, "pairs": {p["b"] if p["a"] == lang else p["a"]: p for p in pairs}})
    ways = [("raw", "as it is"), ("chars", "by character"), ("bytes", "by byte")]
    points = [
        _point(names[each["lang"]], word, each[way], each["n"])
        for each in task["languages"]
        for way, word in ways
        if each[way] is not None
    ]
    points = points or [
        _point(names[each["lang"]], "right", each["accuracy"], each["n"])
        for each in task["languages"]
        if each["accuracy"] is not None
    ]
    if points:
        series = list(dict.fromkeys(point["series"] for point in points))
        order = [names[lang] for lang in ranked]
        drawn[f"accuracy-{number}"] = plots.intervals(points, order, series, "accuracy", ".0%")
    if pivot is not None and pivot in langs and paired:
        against = [pair for pair in task["pairs"] if pivot in (pair["a"], pair["b"])]
        drawn[f"pivot-{number}"] = plots.intervals(
            [
                _point(names[pair["a"] if pair["b"] == pivot else pair["b"]], word, pair[figure], task["items"])
                for pair in against
                for figure, word in (("mlc", "MLC"), ("kappa", "kappa"))
                if pair[figure]["value"] is not None
            ],
            [names[lang] for lang in ranked if lang != pivot],
            ["MLC", "kappa"],
            f"agreement with {names[pivot]}",
            ".2f",
        )
    return {"number": number, "of": task, "ranked": ranked, "rows": rows}


def _mean(cells: Mapping[tuple[str, str], Data], langs: Sequence[str], lang: str, figure: str) -> float:
    values = [pair[figure]["value"] for both, pair in cells.items() if lang in both]
    return float(sum(values) / len(values)) if values else 0.0


def _point(name: str, series: str, figure: Data, n: int) -> dict[str, Any]:
    return {"name": name, "series": series, **figure, "note": f"n = {n:,}"}


def _fidelity(given: Data) -> dict[str, Any]:
    found = {code for each in given["languages"] for code in each["confusion"]}
    asked = [each["lang"] for each in given["languages"]]
    return {"of": given, "found": [*(a for a in asked if a in found), *sorted(found - set(asked))]}


def _audits(given: Sequence[Data], names: Mapping[str, str], drawn: dict[str, plots.Spec]) -> list[dict[str, Any]]:
    points = [
        _point(names[each["lang"]], audit["tokenizer"], each["premium"], each["parallel"])
        for audit in given
        for each in audit["languages"]
        if each["premium"] is not None
    ]
    if points:
        dearest: dict[str, float] = {}
        for point in points:
            dearest[point["name"]] = max(dearest.get(point["name"], 0.0), point["value"])
        order = sorted(dearest, key=lambda name: (-dearest[name], name))
        title = f"tokens for each token of {names[given[0]['reference']]}"
        drawn["premium"] = plots.intervals(
            points, order, [audit["tokenizer"] for audit in given], title, ".2f", reference=1.0
        )
    audits = []
    for audit in given:
        overlap = {(a, b): value for a, b, value in audit["overlap"]}
        audits.append({"of": audit, "overlap": overlap | {(b, a): value for (a, b), value in overlap.items()}})
    return audits
