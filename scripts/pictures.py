"""Draw the pictures of docs/concepts from what ships with glotmix: `python scripts/pictures.py`.

Nothing in them is made up but the stock of languages that the picture of mixtures names: scores are a rater's, of
labels that it did not learn from; thresholds are of web excerpts; losses are RegMix's published runs.
"""

import json
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

import glotmix as gm
from glotmix.mix.law_fit import choose, predict
from glotmix.mix.run_tables import regmix
from glotmix.quality import anchors
from glotmix.signals.signatures import SignatureConfig

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 640, 300, 56, 44, 34
INK, MUTED, GOOD, BAD, LINE = "#22282d", "#5f6b73", "#1b7f79", "#c2571a", "#7a3ea1"


class Picture:
    """A chart on common ground: an axis below, an axis at the left, a line of words above."""

    def __init__(self, title: str, x: tuple[float, float], y: tuple[float, float]) -> None:
        self.x, self.y = x, y
        self.parts = [f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>']
        self.text(LEFT, 20, title, INK, size=14)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return the place of a value."""
        across = LEFT + (x - self.x[0]) / (self.x[1] - self.x[0]) * (WIDTH - LEFT - 16)
        up = HEIGHT - BOTTOM - (y - self.y[0]) / (self.y[1] - self.y[0]) * (HEIGHT - BOTTOM - TOP)
        return round(across, 1), round(up, 1)

    def text(self, x: float, y: float, words: str, colour: str = MUTED, anchor: str = "start", size: int = 12) -> None:
        """Write words."""
        self.parts.append(
            f'<text x="{x}" y="{y}" fill="{colour}" font-size="{size}" text-anchor="{anchor}">{escape(words)}</text>'
        )

    def axes(self, across: Sequence[tuple[float, str]], up: Sequence[tuple[float, str]], below: str) -> None:
        """Draw both axes with their ticks."""
        for value, word in up:
            x, y = self.at(self.x[0], value)
            self.parts.append(f'<line x1="{x}" y1="{y}" x2="{WIDTH - 16}" y2="{y}" stroke="#e3e7ea"/>')
            self.text(x - 6, y + 4, word, anchor="end")
        for value, word in across:
            x, y = self.at(value, self.y[0])
            self.text(x, y + 16, word, anchor="middle")
        self.text((LEFT + WIDTH) / 2, HEIGHT - 8, below, anchor="middle")

    def bar(self, x: float, x2: float, y: float, y2: float, colour: str, opacity: float = 1.0) -> None:
        """Draw a bar between two values of each axis."""
        (a, b), (c, d) = self.at(x, y2), self.at(x2, y)
        self.parts.append(
            f'<rect x="{a}" y="{b}" width="{round(c - a, 1)}" height="{round(d - b, 1)}" fill="{colour}" '
            f'fill-opacity="{opacity}"/>'
        )

    def curve(self, points: Iterable[tuple[float, float]], colour: str) -> None:
        """Draw a line through points."""
        path = " ".join(f"{x},{y}" for x, y in (self.at(*p) for p in points))
        self.parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.5"/>')

    def area(self, points: Iterable[tuple[float, float]], colour: str) -> None:
        """Fill what points enclose."""
        path = " ".join(f"{x},{y}" for x, y in (self.at(*p) for p in points))
        self.parts.append(f'<polygon points="{path}" fill="{colour}"/>')

    def dot(self, x: float, y: float, colour: str) -> None:
        """Draw a point."""
        a, b = self.at(x, y)
        self.parts.append(f'<circle cx="{a}" cy="{b}" r="3" fill="{colour}" fill-opacity="0.7"/>')

    def upright(self, x: float, words: str, below: float = 0) -> None:
        """Draw a threshold."""
        (a, b), (_, c) = self.at(x, self.y[0]), self.at(x, self.y[1])
        self.parts.append(f'<line x1="{a}" y1="{b}" x2="{a}" y2="{c}" stroke="{LINE}" stroke-width="2"/>')
        self.text(a - 6, c + 12 + below, words, LINE, anchor="end")

    def save(self, name: str, description: str) -> None:
        """Write the picture."""
        IMAGES.mkdir(exist_ok=True)
        (IMAGES / f"{name}.svg").write_text(
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
            f'font-family="system-ui, sans-serif"><title>{escape(description)}</title>\n'
            + "\n".join(self.parts)
            + "\n</svg>\n",
            "utf-8",
        )


def labels() -> pa.Table:
    """Return the labelled documents that ship."""
    return anchors.read([anchors.shipped()])


def score() -> None:
    """Scores of Spanish labels by a rater of the ten other languages."""
    table = labels()
    spanish = pc.equal(table["lang"], "spa_Latn")
    with tempfile.TemporaryDirectory() as folder:
        others = Path(folder) / "others.jsonl"
        rows = table.filter(pc.invert(spanish)).select(["text", "lang", "label"]).to_pylist()
        others.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        rater = gm.quality.train(str(others))
    held = table.filter(spanish)
    scores = np.asarray(rater.score(held["text"].to_pylist(), "spa"))
    good = held["label"].to_numpy().astype(bool)
    edges = np.linspace(0, 1, 21)
    parts = [np.histogram(scores[mask], edges)[0] / mask.sum() for mask in (good, ~good)]
    most = max(part.max() for part in parts)
    drawn = Picture("Scores of Spanish documents, by a rater that saw no Spanish label", (0, 1), (0, most * 1.05))
    drawn.axes(
        [(v, f"{v:.1f}") for v in (0, 0.2, 0.4, 0.6, 0.8, 1)],
        [(v, f"{v:.0%}") for v in np.arange(0, most, 0.2)],
        "score: the chance that a fluent reader calls it natural",
    )
    for part, colour in zip(parts, (GOOD, BAD), strict=True):
        for low, high, value in zip(edges[:-1], edges[1:], part, strict=True):
            if value:
                drawn.bar(low + 0.003, high - 0.003, 0, value, colour, 0.6)
    drawn.text(LEFT + 12, 52, f"■ natural (n = {good.sum()})", GOOD)
    drawn.text(LEFT + 12, 70, f"■ not natural (n = {(~good).sum()})", BAD)
    drawn.save("score", "Two histograms of scores")


def threshold() -> None:
    """The share of digits in the labelled documents of one language, sorted, with its line."""
    held = labels().filter(pc.equal(labels()["lang"], "rus_Cyrl"))
    found = gm.signals.measure(held["text"].to_pylist(), "rus")["top_3gram_share"]
    values = np.sort(np.asarray([v for v in found if v is not None]))
    n, quantile = len(values), 0.99
    place = int(np.ceil(quantile * n)) - 1
    drawn = Picture(
        f"{n} Russian documents, by how much one repeated phrase fills them", (0, n), (0, values[-1] * 1.05)
    )
    drawn.axes(
        [(v, str(v)) for v in range(0, n + 1, 100)],
        [(v, f"{v:.0%}") for v in np.arange(0, values[-1] + 0.05, 0.1)],
        "documents, sorted",
    )
    for first, last, colour in ((0, place, GOOD), (place, n - 1, BAD)):
        points = [(k, values[k]) for k in range(first, last + 1)]
        drawn.area([(first, 0), *points, (last, 0)], colour)
    drawn.upright(place + 1, f"line at the 0.99 quantile: {values[place]:.0%}")
    drawn.save("threshold", "Sorted values of a feature and the line through them")


def duplicates() -> None:
    """The chance to become candidates."""
    config = SignatureConfig()
    at = np.linspace(0, 1, 101)
    chance = 1 - (1 - at**config.rows) ** config.bands
    drawn = Picture(f"Chance that two documents are compared ({config.bands} bands of {config.rows})", (0, 1), (0, 1))
    drawn.axes(
        [(v, f"{v:.1f}") for v in (0, 0.2, 0.4, 0.6, 0.8, 1)],
        [(v, f"{v:.0%}") for v in (0, 0.25, 0.5, 0.75, 1)],
        "Jaccard similarity of two documents",
    )
    drawn.curve(zip(at, chance, strict=True), GOOD)
    drawn.upright(0.8, "near-duplicates from 0.8 on", 150)
    drawn.save("duplicates", "A curve that rises from nothing at 0.3 to nearly one at 0.8")


def mixture() -> None:
    """Shares of five languages under four methods."""
    stock = {"A": 800e6, "B": 120e6, "C": 30e6, "D": 6e6, "E": 1e6}
    budget, cap = 500e6, 4
    names = dict(zip(stock, ("eng_Latn", "deu_Latn", "hin_Deva", "amh_Ethi", "wol_Latn"), strict=True))
    amounts = np.array(list(stock.values()))
    flat = amounts ** (1 / 3.3)
    made = gm.mix.allocate({names[k]: int(v) for k, v in stock.items()}, tokens=int(budget), max_epochs=cap)
    methods = {
        "natural": amounts / amounts.sum(),
        "temperature 3.3": flat / flat.sum(),
        "UniMax": np.array([made.shares[name] for name in names.values()]),
        "uniform": np.full(5, 0.2),
    }
    drawn = Picture("Shares of five languages, 500 million tokens, at most 4 epochs", (0, 4), (0, 1))
    drawn.axes(
        [], [(v, f"{v:.0%}") for v in (0, 0.25, 0.5, 0.75, 1)], "hatched: repeats more often than the cap allows"
    )
    drawn.parts.insert(
        0,
        '<defs><pattern id="h" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        f'<rect width="6" height="6" fill="{BAD}" fill-opacity="0.25"/><line y2="6" stroke="{BAD}" stroke-width="3"/>'
        "</pattern></defs>",
    )
    for number, (method, shares) in enumerate(methods.items()):
        for k, share in enumerate(shares):
            left = number + 0.08 + k * 0.17
            over = share * budget > amounts[k] * cap * 1.001
            drawn.bar(left, left + 0.14, 0, max(share, 0.004), "url(#h)" if over else GOOD, 1 - 0.13 * k)
            x, y = drawn.at(left + 0.07, share)
            drawn.text(x, y - 3, "ABCDE"[k], anchor="middle", size=11)
        drawn.text(drawn.at(number + 0.47, 0)[0], HEIGHT - BOTTOM + 16, method, INK, "middle")
    drawn.save("mixture", "Bars of shares under natural, temperature, UniMax and uniform sampling")


def law() -> None:
    """Loss against the own share, and the fitted law of it."""
    data = ROOT / "tests" / "data" / "regmix"
    runs = regmix(data / "train_mixture_1m.csv", data / "train_pile_loss_1m.csv")
    target = "pile_cc"
    fitted = choose(runs, target, ("own_share",)).fitted
    own = runs.domains.index(target)
    shares, losses = runs.shares[:, own], runs.loss(target)
    grid = np.linspace(0, shares.max() * 1.02, 120)
    rest = runs.shares.mean(axis=0)
    rest[own] = 0
    asked = np.outer(1 - grid, rest / rest.sum())
    asked[:, own] = grid
    curve = predict(
        fitted,
        replace(
            runs, names=tuple(map(str, range(len(grid)))), shares=asked, losses=np.ones((len(grid), len(runs.targets)))
        ),
        target,
    )
    low, high = losses.min() - 0.05, losses.max() + 0.05
    drawn = Picture(
        f"Loss on Pile-CC in {len(losses)} runs, and the law of the own share", (0, shares.max() * 1.02), (low, high)
    )
    drawn.axes(
        [(v, f"{v:.0%}") for v in np.arange(0, shares.max(), 0.2)],
        [(v, f"{v:.1f}") for v in np.arange(np.ceil(low * 5) / 5, high, 0.2)],
        "share of Pile-CC in the mixture",
    )
    for x, y in zip(shares, losses, strict=True):
        drawn.dot(x, y, GOOD)
    drawn.curve([(x, y) for x, y in zip(grid, curve, strict=True) if y <= high], LINE)
    drawn.save("law", "Points of loss against share, and a falling curve through them")


if __name__ == "__main__":
    for draw in (duplicates, mixture, law, threshold, score):
        draw()
