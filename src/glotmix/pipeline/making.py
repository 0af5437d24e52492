"""Making the steps of a plan: what is there and sound is reused, and nothing is made from what is damaged."""

from collections.abc import Sequence
from functools import partial

from glotmix.core import owned, record, remote
from glotmix.core.context import RunContext
from glotmix.core.record import Counts, Identity, Output, Watcher
from glotmix.core.step import StepSpec
from glotmix.signals.annotate import Measured, measured


class Making:
    """The steps of a plan, each made at most once.

    A step that is reused is looked at in milliseconds (names, sizes, what was written to since). Before another step is
    made from it, the content of its files is compared with its record; what is damaged is made again, and only that.

    Args:
        plan: the steps in the order of the work, with their identities.
        context: the recipe at work.
        watcher: told of the progress.
    """

    def __init__(self, plan: Sequence[tuple[StepSpec, Identity]], context: RunContext, watcher: Watcher) -> None:
        self._plan = {step.name: (step, identity) for step, identity in plan}
        self._context = context
        self._watcher = watcher
        self._sound: set[str] = set()
        self._passed: set[str] = set()

    def all(self) -> None:
        """Make them.

        Raises:
            RequestError: before anything is made, if what must be made again holds files that glotmix did not make.
        """
        stale = [self._context.step_dir(name) for name in self._plan if self._state(name) != "reused"]
        owned.refuse_strangers(stale)
        if self._context.address is not None:
            self._pull(self._context.address)
        for name in self._plan:
            self._make(name)
            self._passed.add(name)

    def _make(self, name: str) -> None:
        if name in self._sound:
            return
        fresh = self._state(name) != "reused"
        names = [name, *(self._beside(name) if fresh else ())]
        if fresh:
            for need in (need for one in names for need in self._plan[one][0].needs(self._context)):
                self._trust(need)
        record.build_together([self._wanted(one) for one in names], partial(self._filled, names), self._watcher)
        if fresh:
            self._sound.update(names)
        if self._context.address is not None:
            for one in names:
                remote.push(self._context.step_dir(one), f"{self._context.address.rstrip('/')}/{one}")

    def _wanted(self, name: str) -> record.Wanted:
        step, identity = self._plan[name]
        return record.Wanted(self._context.step_dir(name), identity, step.may_be_empty)

    def _beside(self, name: str) -> list[str]:
        """Return the steps that are made in one pass with this one: they, too, measure each text by itself."""
        if not isinstance(self._plan[name][0].make, Measured):
            return []
        return [
            other
            for other, (step, _) in self._plan.items()
            if other != name
            and isinstance(step.make, Measured)
            and self._passed.issuperset(step.needs(self._context))
            and self._state(other) != "reused"
        ]

    def _filled(self, names: Sequence[str], outputs: list[Output]) -> list[Counts]:
        """Fill the outputs of steps that are made in one go."""
        makes = [self._plan[output.step][0].make for output in outputs]
        if len(names) == 1:
            return [make(self._context, output) for make, output in zip(makes, outputs, strict=True)]
        wanted = [
            (output, make.measure(self._context))
            for make, output in zip(makes, outputs, strict=True)
            if isinstance(make, Measured)
        ]
        return measured(self._context.corpus, wanted)

    def _pull(self, address: str) -> None:
        """Fetch the outputs that stand in the store as this plan has them, and are not here."""
        for name, (_, identity) in self._plan.items():
            folder = self._context.step_dir(name)
            if not folder.exists():
                far = remote.record_of(f"{address.rstrip('/')}/{name}")
                if far is not None and far["fingerprint"] == identity.fingerprint:
                    remote.pull(f"{address.rstrip('/')}/{name}", folder)

    def _trust(self, name: str) -> None:
        """Make sure that what stands in a step's folder is what was written there."""
        if name not in self._sound:
            record.verify(self._context.step_dir(name))
            self._make(name)
            self._sound.add(name)

    def _state(self, name: str) -> str:
        return record.state_of(self._context.step_dir(name), self._plan[name][1])[0]
