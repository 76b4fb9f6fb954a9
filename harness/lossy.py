"""A path over loopback that delays, loses and limits UDP packets, the same way from one seed.

    path = LossyPath(relay.address, Profile(delay=0.040, jitter=0.020, loss=0.05), seed=7)
    async with path as address:
        async with transport.connect(f"moqt://{address}", ...) as link: ...
    print(path.up, path.down)

A thread with real sockets: each client address that sends to `address` gets a socket towards the target, so
that the target sees one peer a client. What befalls a packet is decided by the seed, the number of its client
in order of appearance, the direction and its own number there (see `Profile`).

What it is not: a network model. Delays are kept to about a millisecond, as the operating system wakes the
thread; ECN marks and the don't-fragment bit are not carried over; and as real senders react to real time, two
runs see the same decisions, not the same packets.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import selectors
import socket
import threading
import time
from dataclasses import dataclass
from types import TracebackType

from ._lines import Burst, Counts, Line, Profile

__all__ = ["Burst", "Counts", "LossyPath", "Profile"]

MAX_CLIENTS = 256
"""Client addresses that are carried; packets of further ones are dropped, counted in `strangers`."""
MAX_WAITING = 65_536
"""Packets on their way at most; a packet beyond that is dropped as by a full queue."""
_PACKET = 65_536
_BUFFER = 4 << 20
_AT_ONCE = 256
"""Packets read from a socket before others have their turn."""


@dataclass(eq=False, slots=True)
class _Client:
    """One client address and its socket towards the target."""

    address: tuple[str, int]
    out: socket.socket
    up: Line
    down: Line


class LossyPath:
    """The path. Use it in a `with` or `async with` block, which gives its address, "ip:port", to dial."""

    def __init__(
        self,
        target: str,
        up: Profile | None = None,
        down: Profile | None = None,
        *,
        seed: int = 1,
    ) -> None:
        """`target` is "ip:port", IPv4. `up` is towards it, `down` from it; none: as `up`. Raises
        `ValueError` for a target that is none.
        """
        host, _, port = target.rpartition(":")
        socket.inet_aton(host) if host else None
        if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
            raise ValueError(f"target {target!r}: pass ip:port, such as 127.0.0.1:7777")
        self.seed = seed
        self.strangers = 0
        """Packets of more clients than are carried."""
        self._target = (host, int(port))
        self._up = up or Profile()
        self._down = down or self._up
        self._clients: dict[tuple[str, int], _Client] = {}
        self._due: list[tuple[float, int, socket.socket, tuple[str, int] | None, bytes]] = []
        self._numbers = itertools.count()
        self._front: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._wrong: BaseException | None = None

    @property
    def address(self) -> str:
        """Where clients dial, "ip:port", while the path is open."""
        if self._front is None:
            raise RuntimeError("the path is not open: use it in a with block")
        host, port = self._front.getsockname()
        return f"{host}:{port}"

    @property
    def clients(self) -> int:
        """Client addresses so far."""
        return len(self._clients)

    @property
    def up(self) -> Counts:
        """What was done to packets towards the target, all clients together."""
        return self._sum("up")

    @property
    def down(self) -> Counts:
        """What was done to packets from the target, all clients together."""
        return self._sum("down")

    @property
    def round_trip(self) -> float:
        """Mean delay that both directions gave, together, seconds; 0 before packets passed both ways."""
        up, down = self.up, self.down
        return up.delay / up.passed + down.delay / down.passed if up.passed and down.passed else 0.0

    def open(self) -> str:
        """Start carrying packets; the address to dial."""
        if self._thread is not None:
            raise RuntimeError("the path was opened before: make another")
        self._front = _bound()
        self._ring, self._rung = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="lossy path", daemon=True)
        self._thread.start()
        return self.address

    def close(self) -> None:
        """Stop; what is on its way is lost. Raises what broke the thread, if something did."""
        if self._thread is None or self._front is None:
            return
        self._ring.close()
        self._thread.join()
        for client in self._clients.values():
            client.out.close()
        self._rung.close()
        self._front.close()
        self._front = None
        if self._wrong is not None:
            raise self._wrong

    def __enter__(self) -> str:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> str:
        return self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _sum(self, direction: str) -> Counts:
        total = Counts()
        for client in list(self._clients.values()):
            total.add(getattr(client, direction).counts)
        return total

    # --- in the thread ---

    def _run(self) -> None:
        try:
            with selectors.DefaultSelector() as selector:
                self._carry(selector)
        except BaseException as wrong:  # told by `close`: a path that broke must not look like a quiet one
            self._wrong = wrong

    def _carry(self, selector: selectors.BaseSelector) -> None:
        assert self._front is not None
        selector.register(self._front, selectors.EVENT_READ, None)
        selector.register(self._rung, selectors.EVENT_READ, self)
        while True:
            wait = max(0.0, self._due[0][0] - time.monotonic()) if self._due else None
            for key, _ in selector.select(wait):
                if key.data is self:
                    return
                if key.data is None:
                    self._read_front(self._front, selector)
                else:
                    self._read_target(key.data)
            self._send_due()

    def _read_front(self, front: socket.socket, selector: selectors.BaseSelector) -> None:
        for _ in range(_AT_ONCE):
            try:
                data, address = front.recvfrom(_PACKET)
            except BlockingIOError:
                return
            except OSError:
                continue  # an ICMP error about a client that is gone
            client = self._clients.get(address) or self._admit(address, selector)
            if client is None:
                self.strangers += 1
            else:
                self._take(client.up, client.out, None, data)

    def _read_target(self, client: _Client) -> None:
        assert self._front is not None
        for _ in range(_AT_ONCE):
            try:
                data = client.out.recv(_PACKET)
            except BlockingIOError:
                return
            except OSError:
                continue  # an ICMP error: nobody listens at the target right now
            self._take(client.down, self._front, client.address, data)

    def _admit(self, address: tuple[str, int], selector: selectors.BaseSelector) -> _Client | None:
        if len(self._clients) >= MAX_CLIENTS:
            return None
        out = _bound()
        out.connect(self._target)
        number = len(self._clients)
        client = _Client(
            address,
            out,
            Line(self._up, f"{self.seed}/{number}/up"),
            Line(self._down, f"{self.seed}/{number}/down"),
        )
        self._clients[address] = client
        selector.register(out, selectors.EVENT_READ, client)
        return client

    def _take(self, line: Line, out: socket.socket, to: tuple[str, int] | None, data: bytes) -> None:
        if len(self._due) >= MAX_WAITING:
            line.counts.full += 1
            return
        due = line.take(time.monotonic(), len(data))
        if due is not None:
            heapq.heappush(self._due, (due, next(self._numbers), out, to, data))

    def _send_due(self) -> None:
        now = time.monotonic()
        while self._due and self._due[0][0] <= now:
            _, _, out, to, data = heapq.heappop(self._due)
            # What the sockets don't take is lost, as on any path.
            with contextlib.suppress(OSError):
                out.send(data) if to is None else out.sendto(data, to)


def _bound() -> socket.socket:
    """A socket on a free port of loopback that never blocks."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setblocking(False)
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        made.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
    made.bind(("127.0.0.1", 0))
    return made
