"""An asyncio event loop on a world's clock: nothing waits, and time passes only when nobody is ready to run.

Each turn runs what is ready; if nothing is, the world is let run to the next timer, or to the moment at which
a node has news. Timers are due at whole milliseconds, as an epoll's are on a real machine: so those of many
programs come together, and the world runs between them in fewer, longer steps. Callbacks belong to lives
(`harness._lives`).

What needs a real descriptor, thread or process is refused.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import math
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from harness._lives import LIFE, LivesLoop, make_task
from harness._world_native import WorldError, WorldLibrary, is_world_fd

_TURNS = 512
"""Turns in a row without time passing after which some passes, as it does on any machine."""
_STEP_US = 100
"""How much."""
_GRID_US = 1000
"""At multiples of this timers are due."""
_SWEEP = 4096
"""Cancelled timers that may wait for their time, if half of all are such."""


class VirtualLoop(LivesLoop):
    """The loop. `advance` is the only place where time passes."""

    if TYPE_CHECKING:  # the base class's own, which its stubs leave out
        _stopping: bool

    def __init__(self, library: WorldLibrary) -> None:
        super().__init__()
        self._library = library
        self._now_us = 0
        self._readers: dict[int, asyncio.Handle] = {}
        self._turns = 0
        self._due: list[int] = []
        """A heap of the times at which timers are due, microseconds."""
        self._timers: dict[int, list[asyncio.TimerHandle]] = {}
        """By time, in the order of making."""
        self._timer_count = 0
        self._cancelled = 0
        self.names: dict[str, str] = {}
        """Addresses of machines by name."""
        self.on_executor: Callable[[], None] = lambda: None
        """Asked before a call that would have been a thread's."""
        self._clock_resolution = 1e-6
        self.set_task_factory(make_task)

    def time(self) -> float:
        """Virtual time, seconds since the world's start."""
        return self._now_us / 1e6

    def call_at(  # type: ignore[override]
        self, when: float, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        """At whole milliseconds; however short a sleep is, some time passes in it."""
        due = max(math.ceil((when * 1e6 - 1e-3) / _GRID_US), self._now_us // _GRID_US + 1) * _GRID_US
        timer = asyncio.TimerHandle(due / 1e6, callback, args, self, context)
        known = self._timers.get(due)
        if known is None:
            heapq.heappush(self._due, due)
            self._timers[due] = [timer]
        else:
            known.append(timer)
        timer._scheduled = True  # type: ignore[attr-defined]
        self._timer_count += 1
        return timer

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It waits for its time like the others, unless too many do."""
        self._cancelled += 1
        if self._cancelled > _SWEEP and self._cancelled * 2 > self._timer_count:
            for due, timers in self._timers.items():
                self._timers[due] = [timer for timer in timers if not timer._cancelled]
            self._timer_count = sum(map(len, self._timers.values()))
            self._cancelled = 0

    @property
    def now_us(self) -> int:
        """The same in microseconds."""
        return self._now_us

    def _run_once(self) -> None:
        ready, times = self._ready, self._due
        if not ready and not self._stopping:
            self._turns = 0
            self._advance(times[0] if times else None)
        else:
            self._turns += 1
            if self._turns >= _TURNS:
                self._turns = 0
                self._advance(self._now_us + _STEP_US)
        while times and times[0] <= self._now_us:
            timers = self._timers.pop(heapq.heappop(times))
            self._timer_count -= len(timers)
            for timer in timers:
                timer._scheduled = False  # type: ignore[attr-defined]
                if timer._cancelled:
                    self._cancelled = max(0, self._cancelled - 1)
                else:
                    ready.append(timer)
        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle._cancelled:
                continue
            if self._marked and (life := handle._context.get(LIFE)) is not None:
                if life.dead:
                    continue
                if life.still:
                    life.held.append(handle)
                    continue
            handle._run()
        handle = None  # a cycle, where it holds an exception

    def _advance(self, until_us: int | None) -> None:
        if until_us is None:
            # Nobody waits for a time: the world runs until a node has news, or for ever.
            until_us = self._now_us + 3_600_000_000
        self._now_us, told = self._library.run(max(until_us, self._now_us))
        for fd in told:
            handle = self._readers.get(fd)
            if handle is not None and not handle._cancelled:
                self._ready.append(handle)

    # --- descriptors: those of nodes in the world only ---

    def add_reader(  # type: ignore[override]
        self, fd: Any, callback: Callable[..., Any], *args: Any
    ) -> None:
        """Call back when the node has news."""
        if not is_world_fd(fd):
            self._refuse("a real descriptor")
        self._readers[fd] = asyncio.Handle(callback, args, self, contextvars.copy_context())

    def remove_reader(self, fd: Any) -> bool:
        """Call back no more."""
        handle = self._readers.pop(fd, None)
        if handle is not None:
            handle.cancel()
        return handle is not None

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.Handle:
        """As `call_soon`: there is one thread."""
        return self.call_soon(callback, *args, context=context)

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Any, *args: Any
    ) -> Any:
        """The SDK's own calls are made at once, and take no time; anybody else's would be a thread."""
        self.on_executor()
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as wrong:
            future.set_exception(wrong)
        return future

    async def getaddrinfo(self, host: Any, port: Any, **_: Any) -> Any:
        """The name service of the world knows its machines."""
        name = host.decode() if isinstance(host, bytes) else str(host)
        address = self.names.get(name)
        if address is None:
            raise socket.gaierror(socket.EAI_NONAME, f"no machine is called {name!r}")
        return [(socket.AF_INET, socket.SOCK_DGRAM, 17, "", (address, port))]

    def _write_to_self(self) -> None:
        """Nobody waits who could be woken."""

    def _process_events(self, event_list: Any) -> None:
        """There are none."""

    def _refuse(self, what: str) -> NoReturn:
        raise WorldError(f"{what} has no place in a world in virtual time: use the SDK, or `harness.netem`")

    async def create_connection(self, *_: Any, **__: Any) -> Any:
        """Refused."""
        self._refuse("a TCP connection")

    async def create_server(self, *_: Any, **__: Any) -> Any:
        """Refused."""
        self._refuse("a TCP server")

    async def create_datagram_endpoint(self, *_: Any, **__: Any) -> Any:
        """Refused."""
        self._refuse("a UDP socket")

    async def subprocess_exec(self, *_: Any, **__: Any) -> Any:
        """Refused."""
        self._refuse("a process")

    async def subprocess_shell(self, *_: Any, **__: Any) -> Any:
        """Refused."""
        self._refuse("a process")
