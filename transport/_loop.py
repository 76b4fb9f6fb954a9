"""The glue between a node's wake-up descriptor and the application's loop: asyncio, or a plain tick loop.

asyncio loops watch the descriptor. A loop that can't (Windows' proactor) gets one helper thread that does
nothing but wait for it; a node without one is looked at once a millisecond. A plain loop calls `Glue.wait`.
`Outcome` is something that is settled once, awaited or polled for.
"""

from __future__ import annotations

import asyncio
import select
import socket
import threading
import time
from collections.abc import Callable

from ._errors import BadState, Error, WrongThread

_NO_DESCRIPTOR_PERIOD = 0.001
"""How often a node without a descriptor is looked at, seconds."""


class Glue:
    """Calls `dispatch` in the loop whenever `fd` is readable. Belongs to the thread that made it."""

    def __init__(self, fd: int, dispatch: Callable[[], object]) -> None:
        self._fd = fd
        self._dispatch = dispatch
        self._thread_id = threading.get_ident()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watcher: _Watcher | _Timer | None = None

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The event loop it is attached to, if there is one that still lives."""
        return None if self._loop is None or self._loop.is_closed() else self._loop

    def check(self) -> None:
        """`WrongThread` unless the caller is the owner's thread."""
        if threading.get_ident() != self._thread_id:
            raise WrongThread("this node belongs to another thread: use it there, or open one node a thread")

    def attach(self) -> asyncio.AbstractEventLoop:
        """Attach to the running event loop. `WrongThread` if it is attached to another that still lives."""
        self.check()
        loop = asyncio.get_running_loop()
        if self._loop is loop:
            return loop
        if self.loop is not None:
            raise WrongThread("this node belongs to another event loop: open one node an event loop")
        self.detach()
        self._loop = loop
        if self._fd < 0:
            self._watcher = _Timer(loop, self._dispatch)
            return loop
        try:
            loop.add_reader(self._fd, self._dispatch)
        except NotImplementedError:
            self._watcher = _Watcher(loop, self._fd, self._dispatch)
        return loop

    def detach(self) -> None:
        """Stop watching; to be called before the descriptor is closed."""
        loop, self._loop = self._loop, None
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.stop()
        elif loop is not None and not loop.is_closed():
            loop.remove_reader(self._fd)

    def wait(self, seconds: float) -> None:
        """Block until the descriptor is readable, at most so long. `BadState` in a running event loop."""
        if seconds <= 0:
            return
        if asyncio._get_running_loop() is not None:
            raise BadState(
                "waiting here would stop the running event loop: await instead, or poll with timeout 0"
            )
        if self._fd < 0:
            time.sleep(min(seconds, _NO_DESCRIPTOR_PERIOD))
        else:
            _wait_readable([self._fd], seconds)


class _Timer:
    """Looks at a node that has no descriptor, once a millisecond."""

    def __init__(self, loop: asyncio.AbstractEventLoop, dispatch: Callable[[], object]) -> None:
        self._loop = loop
        self._dispatch = dispatch
        self._next = loop.call_later(_NO_DESCRIPTOR_PERIOD, self._run)

    def _run(self) -> None:
        self._next = self._loop.call_later(_NO_DESCRIPTOR_PERIOD, self._run)
        self._dispatch()

    def stop(self) -> None:
        self._next.cancel()


class _Watcher:
    """A thread that waits for a descriptor and asks the loop to dispatch, once a readiness."""

    def __init__(self, loop: asyncio.AbstractEventLoop, fd: int, dispatch: Callable[[], object]) -> None:
        self._loop = loop
        self._fd = fd
        self._dispatch = dispatch
        self._taken = threading.Event()
        self._stopping = False
        self._stop_in, self._stop_out = socket.socketpair()
        self._thread = threading.Thread(target=self._watch, name="clutchcall-wake", daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stopping:
            _wait_readable([self._fd, self._stop_out.fileno()], None)
            # Cleared before the check: a stop() that comes later sets it again, so the wait below ends.
            self._taken.clear()
            if self._stopping:
                return
            try:
                self._loop.call_soon_threadsafe(self._run)
            except RuntimeError:  # the loop was closed without closing the node
                return
            self._taken.wait()

    def _run(self) -> None:
        try:
            if not self._stopping:
                self._dispatch()
        finally:
            self._taken.set()

    def stop(self) -> None:
        self._stopping = True
        self._stop_in.send(b"\0")
        self._taken.set()
        self._thread.join()
        self._stop_in.close()
        self._stop_out.close()


class Outcome:
    """Settled once: done, or failed with an error."""

    def __init__(self) -> None:
        self.settled = False
        self.error: Error | None = None
        self._waiters: list[asyncio.Future[None]] = []

    def settle(self, error: Error | None = None) -> None:
        """The first call counts."""
        if self.settled:
            return
        self.settled = True
        self.error = error
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    def check(self) -> bool:
        """Whether it is settled; raises its error."""
        if self.error is not None:
            raise self.error
        return self.settled

    async def wait(self) -> None:
        """Wait until it is settled; raises its error."""
        if not self.settled:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            finally:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)
        self.check()


def _wait_readable(fds: list[int], seconds: float | None) -> None:
    if hasattr(select, "poll"):
        # select() can't watch descriptors above 1023, which a busy server reaches.
        poller = select.poll()
        for fd in fds:
            poller.register(fd, select.POLLIN)
        poller.poll(None if seconds is None else max(1, round(seconds * 1000)))
    else:
        select.select(fds, [], [], seconds)
