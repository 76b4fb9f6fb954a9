"""Lives: the runs of programs on machines, of which several share an event loop.

Callbacks belong to the life in whose context they were made; one that stands still keeps its callbacks until
it goes on, and a dead one's never run.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from typing import TYPE_CHECKING, Any


class Life:
    """A program's run on a machine."""

    def __init__(self, machine: str, place: int, number: int) -> None:
        self.machine = machine
        self.place = place
        self.number = number
        self.dead = False
        self.still = False
        """Its main thread stands still."""
        self.held: list[asyncio.Handle] = []
        """What became ready meanwhile."""
        self.tasks: list[asyncio.Task[Any]] = []

    def __repr__(self) -> str:
        return f"<{self.machine}, life {self.number}>"


LIFE: contextvars.ContextVar[Life | None] = contextvars.ContextVar("clutchcall_life", default=None)
"""The life whose code is running; none: the test's own."""


class LivesLoop(asyncio.BaseEventLoop):
    """What an event loop of lives has; whoever runs callbacks asks `_marked`."""

    if TYPE_CHECKING:  # the base class's own, which its stubs leave out
        _ready: deque[Any]

    _marked = 0
    """Lives that are dead or stand still, while there are any."""

    def freeze(self, life: Life) -> None:
        """From now on nothing of this life runs."""
        if not life.still:
            life.still = True
            self._marked += 1

    def thaw(self, life: Life) -> None:
        """It goes on, with what became ready meanwhile."""
        if life.still:
            life.still = False
            self._marked -= 1
            held, life.held = life.held, []
            self._ready.extend(held)

    def bury(self, life: Life) -> None:
        """Nothing of this life runs ever again."""
        if not life.dead:
            life.dead = True
            self._marked += 1
            life.held.clear()
            for task in life.tasks:
                # It never ends, and nobody is to be told so.
                task._log_destroy_pending = False  # type: ignore[attr-defined]

    def revive(self, life: Life) -> None:
        """At the end: what is left of it may clean up behind itself."""
        if life.dead:
            life.dead = False
            self._marked -= 1


def make_task(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
    """A task that its life knows of."""
    task = asyncio.Task(coroutine, loop=loop, **options)
    context = options.get("context")
    life = context.get(LIFE) if context is not None else LIFE.get()
    if life is not None:
        life.tasks.append(task)
        if len(life.tasks) > 256 and len(life.tasks) & 255 == 0:
            life.tasks = [known for known in life.tasks if not known.done()]
    return task
