"""Progress of long work, drawn with rich on standard error: what, how far, how fast, how long still."""

import sys
import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from glotmix.cli import reasons

_STATES = {
    "new": "",
    "changed": "made again: ",
    "resumed": "taken up again",
    "reused": "reused",
    "damaged": "damaged: ",
}


class Bars:
    """A bar for each step on a terminal, a line for each step elsewhere.

    Args:
        live: draw bars; otherwise one line when a step begins and one when it ends.
    """

    def __init__(self, live: bool) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._live = live
        self._bars = Progress(
            TextColumn("{task.description:<20}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]:>14}"),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=self._console,
            disable=not live,
        )
        self._tasks: dict[str, tuple[TaskID, float]] = {}
        self._rows: dict[str, int] = {}
        self._begun: set[str] = set()

    def __enter__(self) -> "Bars":
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def begin(self, step: str, state: str, detail: str) -> None:
        """Announce a step and, where it is rebuilt, which fields changed."""
        why = reasons.line(detail, self._begun) if state == "changed" else detail
        note = _STATES[state] + why
        self._begun.add(step)
        if note or not self._live:
            self._console.print(f"{step:<20} {note or 'begins'}", soft_wrap=True)
        if state != "reused":
            self._tasks[step] = (self._bars.add_task(step, total=None, rate=""), time.monotonic())
            self._rows[step] = 0

    def advance(self, step: str, done: int, total: int, rows: int) -> None:
        """Move the bar and renew the rate."""
        task, began = self._tasks[step]
        self._rows[step] += rows
        rate = self._rows[step] / max(time.monotonic() - began, 1e-9)
        self._bars.update(task, completed=done, total=total, rate=f"{rate:,.0f} docs/s" if rate else "")

    def end(self, step: str, seconds: float) -> None:
        """Fill the bar."""
        if step in self._tasks:
            task, _ = self._tasks.pop(step)
            total = self._bars.tasks[task].total or 1
            self._bars.update(task, completed=total, total=total)
            if not self._live:
                print(f"{step:<20} done in {seconds:.1f} s", file=sys.stderr)


def lines() -> Callable[..., None]:
    """Return what writes one line of a part's progress, over and over on a terminal, now and then elsewhere.

    It is called with the name of the part, what is done of it, the total, and a note if there is one.
    """
    at, last = 0.0, ""

    def tell(part: str, done: int, total: int, note: str = "") -> None:
        nonlocal at, last
        live, now = sys.stderr.isatty(), time.monotonic()
        if now - at < (0.2 if live else 30) and done < total and part == last:
            return
        end = "\r" if live and done < total else "\n"
        print(f"{part:12} {done:>9,} of {total:,}  {note:40}".rstrip() if end == "\n" else
              f"{part:12} {done:>9,} of {total:,}  {note:40}", end=end, file=sys.stderr, flush=True)  # fmt: skip
        at, last = now, part

    return tell
