"""An output under construction: parts, each made once, many at once, and taken up again where a run was killed."""

import json
import shutil
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from glotmix.core import files, flight, json_text
from glotmix.core.identity import JSON, Counts

Unit = TypeVar("Unit")

PROGRESS = ".progress"
"""The folder of an output that says which of its parts are made; gone when the record is there."""


class Watcher(Protocol):
    """What a step tells of its progress; the command line draws it, a library user may ignore it."""

    def begin(self, step: str, state: str, detail: str) -> None:
        """A step begins; `state` is one of ``new``, ``changed``, ``damaged``, ``resumed``, ``reused``."""

    def advance(self, step: str, done: int, total: int, rows: int) -> None:
        """`done` of `total` parts are finished; `rows` more documents went through."""

    def end(self, step: str, seconds: float) -> None:
        """A step ended, its record is written."""


class Silent:
    """A watcher that says nothing."""

    def begin(self, step: str, state: str, detail: str) -> None:
        """Say nothing."""

    def advance(self, step: str, done: int, total: int, rows: int) -> None:
        """Say nothing."""

    def end(self, step: str, seconds: float) -> None:
        """Say nothing."""


class Output:
    """An output under construction: a folder beside the final one, filled part by part.

    A part is finished when its marker stands in ``.progress``; its files were moved into place before that, so
    a killed run loses at most the part it was in.

    Args:
        folder: where it is filled.
        step: whose it is.
        watcher: told of the progress.
        inputs: the names of the inputs that its identity holds; empty where nothing was hashed.
    """

    def __init__(self, folder: Path, step: str, watcher: Watcher, inputs: Collection[str] = ()) -> None:
        self.path = folder
        self.step = step
        self.inputs = inputs
        self.notes: dict[str, JSON] = {}
        self.nodes: Counts = {}
        self.cpu_seconds = 0.0
        """CPU time of parts that other processes than this one made."""
        self.weight = 0.0
        """CPU time of its parts, wherever they were made, where others are made in the same pass: see `together`."""
        self.watcher = watcher

    def missing(self, names: Iterable[str]) -> list[str]:
        """Return the names of the parts that are not made yet."""
        return [name for name in names if not (self.path / PROGRESS / f"{name}.json").is_file()]

    def each(
        self,
        units: Mapping[str, Unit],
        make: Callable[[Unit, Path], Counts],
        rows: str = "documents",
        here: bool = False,
        one_by_one: bool = False,
    ) -> Counts:
        """Make every part once, many at once, and return the sum of all their counts.

        Where a part fails, those that had begun are finished and stay, none is begun any more, and its error is raised.

        Args:
            units: what to make each part from, by the part's name (a plain file name).
            make: writes the part's files into the empty folder it is given, and returns its counts; called on several
                threads, in several processes or on several machines at once.
            rows: the count that the progress display follows.
            here: whether the parts share what this process holds, and must be made in it.
            one_by_one: whether a part uses the whole machine by itself.
        """

        def alone(unit: Unit, folders: Mapping[str, Path]) -> dict[str, tuple[Counts, float]]:
            return {step: (make(unit, folder), 0.0) for step, folder in folders.items()}

        return together([self], units, alone, rows, here, one_by_one)[0]


def together(
    outputs: Sequence[Output],
    units: Mapping[str, Unit],
    make: Callable[[Unit, Mapping[str, Path]], dict[str, tuple[Counts, float]]],
    rows: str = "documents",
    here: bool = False,
    one_by_one: bool = False,
) -> list[Counts]:
    """Make the parts of several outputs in one pass over what they are made from; see `Output.each`.

    Each output has its own folder, its own markers, and ends as the same bytes as if it was made alone: a part that
    one of them has already is not made for it again.

    Args:
        outputs: of different steps, with parts of the same names.
        make: given a unit and, by step, an empty folder for each output that lacks this part; returns for each of these
            steps its counts, and the CPU-seconds that are its own (0.0 where there is one step).

    Returns:
        the counts of each output, summed.
    """
    done = {output.step: 0 for output in outputs}
    counted: dict[str, dict[str, Counts]] = {output.step: {} for output in outputs}
    lacking: dict[str, list[str]] = {name: [] for name in units}

    def finished(output: Output, name: str, counts: Counts) -> None:
        done[output.step] += 1
        counted[output.step][name] = counts
        output.watcher.advance(output.step, done[output.step], len(units), counts.get(rows, 0))

    for output in outputs:
        (output.path / PROGRESS).mkdir(parents=True, exist_ok=True)
        missing = set(output.missing(units))
        for name in units:
            if name in missing:
                lacking[name].append(output.step)
            else:
                marker = output.path / PROGRESS / f"{name}.json"
                finished(output, name, json_text.loads(marker.read_text("utf-8")))
    wanted = {name: units[name] for name, steps in lacking.items() if steps}
    part = _Part({output.step: output.path for output in outputs}, wanted, {n: lacking[n] for n in wanted}, make)
    flown = flight.fly(part, list(wanted), here=here, one_by_one=one_by_one, then=part.settle)
    for name, made, place in flown:
        for output in outputs:
            if output.step in made:
                counts, weight = made[output.step]
                output.weight += weight
                output.cpu_seconds += place.cpu_seconds * share_of(weight, [w for _, w in made.values()])
                if place.node:
                    output.nodes[place.node] = output.nodes.get(place.node, 0) + 1
                finished(output, name, counts)
    return [_total([counted[output.step][name] for name in units]) for output in outputs]


def share_of(weight: float, weights: Sequence[float]) -> float:
    """Return the share of one weight in several; the same for each where all are zero."""
    return weight / sum(weights) if sum(weights) else 1 / len(weights)


def _total(counts: Iterable[Counts]) -> Counts:
    total: Counts = {}
    for one in counts:
        for key, value in one.items():
            total[key] = total.get(key, 0) + value
    return total


@dataclass(frozen=True)
class _Part(Generic[Unit]):
    """How a part of one or more outputs is made, wherever that is: its files first, its marker last."""

    folders: dict[str, Path]
    units: dict[str, Unit]
    lacking: dict[str, list[str]]
    make: Callable[[Unit, Mapping[str, Path]], dict[str, tuple[Counts, float]]]

    def __call__(self, name: str) -> dict[str, tuple[Counts, float]]:
        scratch = self._scratch(name)
        for folder in scratch.values():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        return self.make(self.units[name], scratch)

    def settle(self, name: str, made: dict[str, tuple[Counts, float]]) -> None:
        """Move the files of a part into place, then write its markers."""
        for step, folder in self._scratch(name).items():
            files.settle(folder, self.folders[step])
            shutil.rmtree(folder)
            files.write_text(self.folders[step] / PROGRESS / f"{name}.json", json.dumps(made[step][0]))

    def _scratch(self, name: str) -> dict[str, Path]:
        return {step: self.folders[step] / PROGRESS / f"{name}.scratch" for step in self.lacking[name]}
