"""The page of a model's alignment: every pair and layer beside the lexical floor, and who helps whom.

It has the style, the scripts and the policy of the report (`glotmix.report.page`), and counts nothing itself.
"""

from collections.abc import Mapping
from typing import Any

from glotmix.report import plots, shell

Data = Mapping[str, Any]

FIGURES = {"d_prime": "d′", "p1": "CSLS P@1", "mexa": "MEXA", "gap": "cosine gap"}


def render(given: Data, donors: Data | None = None) -> str:
    """Return the page as HTML; its bytes depend on what is given alone.

    Args:
        given: ``Alignment.as_dict()`` of `glotmix.align.alignment`.
        donors: ``Donors.as_dict()`` of `glotmix.align.donors`.
    """
    names = shell.names(list(given["languages"]))
    pairs = [_pair(pair, names) for pair in given["pairs"]]
    drawn = {
        name: plots.layers(
            [
                {
                    "name": pair["name"],
                    "layer": one["layer"],
                    "value": one["figures"][name]["value"],
                    "shown": one["shown"],
                }
                | {"floor": pair["of"]["floor"][name]["value"], "span": _span(one["figures"][name])}
                for pair in pairs
                for one in pair["of"]["layers"]
            ],
            [pair["name"] for pair in pairs],
            list(given["layers"]),
            title,
        )
        for name, title in FIGURES.items()
    }
    shown = sum(pair["best"] is not None for pair in pairs)
    return shell.render(
        "alignment.html",
        {"given": given, "pairs": pairs, "shown": shown, "names": names, "plots": drawn, "figures": FIGURES}
        | {"donors": donors},
    )


def _pair(pair: Data, names: Mapping[str, str]) -> dict[str, Any]:
    """Return a pair with its name and its best layer: the greatest d′ among those above the floor."""
    above = [one for one in pair["layers"] if one["shown"]]
    best = max(above, key=lambda one: float(one["figures"]["d_prime"]["value"]), default=None)
    return {"of": pair, "name": f"{names[pair['a']]} – {names[pair['b']]}", "best": best}


def _span(figure: Data) -> str:
    return f"{figure['low']:.2f} to {figure['high']:.2f}"
