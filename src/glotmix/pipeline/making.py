"""Making the steps of a plan: what is there and sound is reused, and nothing is made from what is damaged."""

from collections.abc import Sequence
from functools import partial

from glotmix.core import owned, record, remote
from glotmix.core.context import RunContext
from glotmix.core.record import Identity, Watcher
from glotmix.core.step import StepSpec


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

    def _make(self, name: str) -> None:
        if name in self._sound:
            return
        step, identity = self._plan[name]
        fresh = self._state(name) != "reused"
        if fresh:
            for need in step.needs(self._context):
                self._trust(need)
        record.build(
            self._context.step_dir(name), identity, partial(step.make, self._context), self._watcher, step.may_be_empty
        )
        if fresh:
            self._sound.add(name)
        if self._context.address is not None:
            remote.push(self._context.step_dir(name), f"{self._context.address.rstrip('/')}/{name}")

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
