"""A world in virtual time: hosts, relays, clients and bad networks between them, the same from the same
seed.

    def test_my_game(world):
        world.host(MyGame)
        bots = world.clients(16, network="lte-train")
        world.run(minutes=10)
        world.assert_no_disconnect()
        assert world.p99_latency(priority=64) < 0.5

Outside pytest: `with World(seed=7) as world: ...`. Programs are ordinary asyncio code of the SDK, each on a
machine of its own; the engines are the real ones, in the library of tests. Nothing waits: time passes as
fast as the work is done, in one thread. `harness.face.Face` tells what there is; docs/harness/README.md
begins with a first test.

One world a process at a time.
"""

from __future__ import annotations

import contextlib
from types import TracebackType
from typing import Any, Literal

from harness import _profile_files
from harness._guard import Guard, Unrepeatable
from harness._identity import null_identity, tls_identity
from harness._lives import Life
from harness._machines import HostMachine, Machine, RelayMachine
from harness._stage import M, Profile, Stage
from harness._virtual_loop import VirtualLoop
from harness._world_native import WorldError, WorldLibrary
from transport import _native

__all__ = ["Unrepeatable", "World", "WorldError"]

PORT = 7777
"""Of every host and relay; addresses differ."""
LOG_BYTES = 32 << 20
"""The newest lines of the event log that are kept."""


class World(Stage):
    """A world; see the module and `harness.face.Face`.

    `crypto`: "null" repeats byte for byte, "tls" is real and repeats in kind. `log_bytes`: how much of the
    event log's newest lines is kept, 0: its digest only. `guard`: what reads the machine's clock, draws
    unseeded random numbers or starts threads raises, with the line named. `qlog`: what each connection does
    is kept as qlog too.
    """

    clock = "virtual"

    def __init__(
        self,
        seed: int = 1,
        *,
        crypto: Literal["null", "tls"] = "null",
        log_bytes: int = LOG_BYTES,
        guard: bool = True,
        qlog: bool = False,
    ) -> None:
        if not 0 <= seed < 1 << 64:
            raise WorldError(f"seed {seed}: pass 0 .. 2^64 - 1")
        if crypto not in ("null", "tls"):
            raise WorldError(f'crypto {crypto!r}: pass "null" or "tls"')
        library = WorldLibrary(seed, crypto == "tls", log_bytes, self._current_place, qlog)
        self._virtual = VirtualLoop(library)
        super().__init__(seed, library, self._virtual)
        self.crypto = crypto
        self.identity = tls_identity() if crypto == "tls" else null_identity()
        self._before: _native.Library | None = None
        self._guarded = guard
        self._guarding = contextlib.ExitStack()
        self._offences: Guard | None = None

    def __enter__(self) -> World:
        self._before = _native.use(self._library)
        if self._guarded:
            guard = self._guarding.enter_context(Guard(self))
            self._virtual.on_executor = guard.executor
            self._offences = guard
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def offence(self) -> Unrepeatable | None:
        """The first thing asked for that no two runs get alike, even if the error was caught."""
        return None if self._offences is None else self._offences.first

    def close(self) -> None:
        """End every program, and the world. May be repeated."""
        if not self._open:
            return
        self._open = False
        try:
            with contextlib.suppress(WorldError):
                self._end_programs()
        finally:
            self._guarding.close()
            _native.use(self._before)
            self._library.close()
            self.loop.close()

    # --- in virtual time ---

    def _place(self, name: str, network: Profile | None, behind: Any = None) -> tuple[int, str]:
        place, address = super()._place(name, network, behind)
        self._virtual.names[name] = address
        return place, address

    def _begin(self, machine: M) -> M:
        if isinstance(machine, HostMachine | RelayMachine):
            # Known before it listens, so that an asyncio test can dial at once.
            room = f"/{machine.room}" if isinstance(machine, HostMachine) else ""
            machine.port = PORT
            machine.url = f"moqt://{machine.address}:{PORT}{room}"
        return super()._begin(machine)

    def bind(self, machine: Machine) -> str:
        """Any: machines have one address."""
        return "0.0.0.0"

    def _set_network(self, machine: Machine, profile: Profile) -> None:
        self._library.ask("network", place=machine.place, network=self._limited(_profile_files.read(profile)))

    def _outage(self, machine: Machine, seconds: float) -> None:
        self._library.ask("outage", place=machine.place, us=round(seconds * 1e6))

    def _rebind(self, machine: Machine) -> None:
        self._library.ask("rebind", place=machine.place)

    def _traffic(self, machine: Machine) -> dict[str, Any]:
        answer: dict[str, Any] = self._library.ask("traffic", place=machine.place)
        return answer

    def _freeze(self, life: Life) -> None:
        self._virtual.freeze(life)

    def _thaw(self, life: Life) -> None:
        if life.still:
            self._virtual.thaw(life)

    def _kill(self, machine: Machine, life: Life) -> None:
        self._virtual.bury(life)
        self._buried.append(life)
        self._library.ask("kill", place=machine.place)
        for node in self._library.nodes_at(machine.place):
            self._library.fast.cc_node_close(node)
