"""An ordinary asyncio event loop whose time counts from its making, and whose callbacks belong to lives."""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from harness._lives import LIFE, Life, LivesLoop, make_task


class _Ready(deque[Any]):
    """What is to run next; what its life holds back, or never runs, is passed over."""

    def __init__(self, loop: LiveLoop) -> None:
        super().__init__()
        self._loop = loop
        self._nothing = asyncio.Handle(lambda: None, (), loop)
        self._nothing.cancel()

    def popleft(self) -> Any:
        handle = super().popleft()
        if self._loop._marked and (life := handle._context.get(LIFE)) is not None:
            if life.dead:
                return self._nothing
            if life.still:
                life.held.append(handle)
                return self._nothing
        return handle


class LiveLoop(LivesLoop, asyncio.SelectorEventLoop):
    """The loop."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        super().__init__()
        self._ready = _Ready(self)
        self._watched: dict[int, tuple[contextvars.Context, Callable[..., Any], tuple[Any, ...]]] = {}
        """By descriptor: who watches it, and what is called."""
        self.set_task_factory(make_task)

    def time(self) -> float:
        """Seconds since it was made."""
        return time.monotonic() - self._began

    def add_reader(  # type: ignore[override]
        self, fd: Any, callback: Callable[..., Any], *args: Any
    ) -> None:
        """As ever; known by its life."""
        self._watched[fd] = contextvars.copy_context(), callback, args
        super().add_reader(fd, callback, *args)

    def remove_reader(self, fd: Any) -> bool:
        """As ever."""
        return self._watched.pop(fd, None) is not None and super().remove_reader(fd)

    def freeze(self, life: Life) -> None:
        """As ever; its descriptors are not looked at, or they would be ready again and again."""
        if not life.still:
            for fd in self._descriptors(life):
                super().remove_reader(fd)
        super().freeze(life)

    def thaw(self, life: Life) -> None:
        """As ever."""
        super().thaw(life)
        if not life.dead:
            for fd in self._descriptors(life):
                context, callback, args = self._watched[fd]
                context.run(super().add_reader, fd, callback, *args)

    def bury(self, life: Life) -> None:
        """As ever."""
        for fd in self._descriptors(life):
            self.remove_reader(fd)
        super().bury(life)

    def _descriptors(self, life: Life) -> list[int]:
        return [fd for fd, (context, _, _) in self._watched.items() if context.get(LIFE) is life]
