"""Real sockets, threads and time behind the face of `world`: the same test runs in either.

    def test_my_game(live):
        live.host(MyGame)
        live.clients(8, network="wifi-microwave")
        live.run(10)
        live.assert_reliable_complete()

Outside pytest: `with Live(seed=7) as live: ...`. Programs share one event loop in this process; each has a
node of its own, with its thread and its socket, and its network is a proxy of `harness.netem` in front of it.
Machine n is 127.1.0.n. The library is that of tests, which sees what passes between nodes and their
applications, all by one clock.

`harness.face.Face` tells what there is. Figures and losses hang on the machine and on its other work: a test
that is to pass everywhere asserts what no delay can break.
"""

from __future__ import annotations

import contextlib
import math
import socket
from types import TracebackType
from typing import Any

from harness import _profile_files
from harness._identity import tls_identity
from harness._live_loop import LiveLoop
from harness._lives import Life
from harness._machines import HostMachine, Machine, RelayMachine
from harness._stage import M, Profile, Stage
from harness._world_native import WorldError, WorldLibrary
from harness.netem import NetemError, Proxy
from transport import _native

__all__ = ["Live"]

LOG_BYTES = 32 << 20
"""The newest lines of the event log that are kept."""
_COUNTED_FOR = 0.1
"""How old a count of bytes may be, seconds: each machine's proxy is asked for its own."""


class Live(Stage):
    """See the module and `harness.face.Face`.

    `seed` decides what befalls packets and what bots draw; when things happen is the machine's matter.
    """

    clock = "real"

    def __init__(self, seed: int = 1, *, log_bytes: int = LOG_BYTES) -> None:
        if not 0 <= seed < 1 << 64:
            raise WorldError(f"seed {seed}: pass 0 .. 2^64 - 1")
        library = WorldLibrary(seed, True, log_bytes, self._current_place, live=True)
        self._live = LiveLoop()
        super().__init__(seed, library, self._live)
        self.identity = tls_identity()
        self._before: _native.Library | None = None
        self._networks: dict[str, Profile] = {}
        self._out_until: dict[str, float] = {}
        self._counted: dict[str, tuple[float, tuple[int, int]]] = {}
        """By machine: when its bytes were asked for, and what they were."""

    def __enter__(self) -> Live:
        self._before = _native.use(self._library)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every program, and the proxies. May be repeated."""
        if not self._open:
            return
        self._open = False
        try:
            self._end_programs()
        finally:
            _native.use(self._before)
            for machine in self.machines.values():
                if machine.proxy is not None:
                    with contextlib.suppress(NetemError):
                        machine.proxy.__exit__(None, None, None)
            self._library.close()
            self.loop.close()

    def _end_programs(self) -> None:
        super()._end_programs()
        self.loop.run_until_complete(self.loop.shutdown_default_executor())

    # --- with real sockets ---

    def bind(self, machine: Machine) -> str:
        """Its own."""
        return machine.address

    def _place(self, name: str, network: Profile | None, behind: Any = None) -> tuple[int, str]:
        if behind is not None:
            raise WorldError(f"machine {name}: behind: real sockets have no shared network: leave it out")
        profile = self.default_network if network is None else network
        _profile_files.read(profile)  # what is no profile is told before anything is made
        self._networks[name] = profile
        if not name or name in self.machines:
            raise WorldError(f"machine {name!r}: pass a name that no other has")
        placed = self._library.ask("place", name=name, network=None, behind=None)
        return int(placed["place"]), str(placed["address"])

    def _begin(self, machine: M) -> M:
        if isinstance(machine, HostMachine | RelayMachine):
            # Known before it listens, so that an asyncio test can dial at once.
            machine.port = _free_port(machine.address)
            own = f"{machine.address}:{machine.port}"
            door = self._open_proxy(
                machine, own, machine.place, listen=f"{machine.address}:0", source="client", reverse=True
            )
            room = f"/{machine.room}" if isinstance(machine, HostMachine) else ""
            machine.url = f"moqt://{door}{room}"
        return super()._begin(machine)

    def _before_start(self, machine: Machine) -> None:
        server = machine.to
        if server is None:
            return
        outside, slash, room = server.url.removeprefix("moqt://").partition("/")
        door = self._open_proxy(machine, outside, server.place, source=machine.address)
        machine.dials = f"moqt://{door}{slash}{room}"

    def _open_proxy(self, machine: Machine, target: str, place: int, **options: Any) -> str:
        seed = self.random.getrandbits(64)
        profile = self._networks[machine.name]
        machine.proxy = Proxy(target, profile, seed=seed, name=machine.name, **options)
        try:
            address = machine.proxy.__enter__()
        except NetemError as wrong:
            machine.proxy = None
            raise WorldError(f"machine {machine.name}: {wrong}") from None
        self._library.ask("learn", address=address, place=place)
        return address

    def _set_network(self, machine: Machine, profile: Profile) -> None:
        _profile_files.read(profile)
        try:
            self._proxy(machine).change(profile)
        except NetemError as wrong:
            raise WorldError(f"machine {machine.name}: {wrong}") from None
        self.note(f"network {profile if isinstance(profile, str) else 'fields'}", machine)

    def _outage(self, machine: Machine, seconds: float) -> None:
        proxy = self._proxy(machine)
        self._out_until[machine.name] = max(self.now + seconds, self._out_until.get(machine.name, 0.0))
        proxy.pause()
        self.note(f"outage {round(seconds * 1e6)}", machine)

        def over() -> None:
            # Not if another one has begun that lasts longer.
            if self.now + 1e-3 >= self._out_until[machine.name]:
                proxy.resume()

        self._later(seconds, over)

    def _rebind(self, machine: Machine) -> None:
        self._proxy(machine).rebind()
        self.note("rebind", machine)

    def _proxy(self, machine: Machine) -> Proxy:
        if machine.proxy is None:
            raise WorldError(f"machine {machine.name}: it was told no host or relay, so it has no network")
        return machine.proxy

    def _bytes(self, machine: Machine) -> tuple[int, int]:
        now = self.now
        at, counts = self._counted.get(machine.name, (-math.inf, (0, 0)))
        if now - at > _COUNTED_FOR:
            counts = super()._bytes(machine)
            self._counted[machine.name] = now, counts
        return counts

    def _traffic(self, machine: Machine) -> dict[str, Any]:
        if machine.proxy is None:
            nothing = {f"{what}_{way}": 0 for what in ("packets", "bytes") for way in ("up", "down")}
            return {"beside": {**nothing, "lost_up": {}, "lost_down": {}}, "up": None, "down": None}
        told = machine.proxy.counters()
        serves = isinstance(machine, HostMachine | RelayMachine)
        # A proxy's `up` is what comes to it, which of a server's is what the server receives.
        sent, received = (told.down, told.up) if serves else (told.up, told.down)
        beside = {
            "packets_up": sent.packets,
            "bytes_up": sent.bytes,
            "packets_down": received.delivered,
            "bytes_down": received.delivered_bytes,
            "lost_up": {cause: count for cause, count in told.outside.items() if count},
            "lost_down": {},
        }
        return {"beside": beside, "up": _side(sent), "down": _side(received)}

    def _freeze(self, life: Life) -> None:
        self._live.freeze(life)

    def _thaw(self, life: Life) -> None:
        if life.still:
            self._live.thaw(life)

    def _kill(self, machine: Machine, life: Life) -> None:
        self._live.bury(life)
        self._buried.append(life)
        self._library.ask("kill", place=machine.place)
        for node in self._library.nodes_at(machine.place):
            self._library.slow.cc_node_close(node)


def _side(told: Any) -> dict[str, Any]:
    return {
        "packets": told.packets,
        "bytes": told.bytes,
        "delivered": told.delivered,
        "delivered_bytes": told.delivered_bytes,
        "queue_peak_bytes": told.queue_peak_bytes,
        "duplicated": told.duplicated,
        "corrupted": told.corrupted,
        "reordered": told.reordered,
        "lost": {cause: count for cause, count in told.lost.items() if count},
        "delay_mean_us": round(told.delay.mean * 1e6),
    }


def _free_port(address: str) -> int:
    """A port of an address that only this stage uses; `WorldError` where the system has no such address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError as wrong:
            raise WorldError(
                f"{address} cannot be bound ({wrong.strerror}): real sockets need 127.1.0.1 and on; "
                f"macOS has them after `sudo ifconfig lo0 alias {address}`, one each"
            ) from None
        return int(probe.getsockname()[1])
