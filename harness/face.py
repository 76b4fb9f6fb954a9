"""What a test sees of a network full of machines: the face of `world`.

A **machine** is a computer with an address, an access network (a profile) and a program: a host, a relay, a
client. Programs are ordinary code of the SDK; each machine's has a node of its own. Times are seconds, rates
bits/s, sizes bytes, unless a name says otherwise. `machine` arguments take the machine or its name.

Figures count from the start. `window()` gives the same figures from a moment on, so that a test can compare a
bad stretch with a good one:

    world.run(minutes=1)
    outage = world.window()
    world.network(bots[0]).outage(20)
    world.run(30)
    assert outage.p99_latency(priority=0, machine=bots[1]) < 0.120
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias, runtime_checkable

Profile: TypeAlias = str | Path | Mapping[str, object]
"""A network: the name of one in harness/profiles, a file, or its fields; as `harness.netem.Profile`."""
Main: TypeAlias = Callable[[Any], Awaitable[object]]
"""A program: called with its machine, as often as the machine is started."""


@runtime_checkable
class Machine(Protocol):
    """A computer of the world, and the program on it."""

    @property
    def name(self) -> str:
        """Unique; randomness follows from it, so that one machine more changes no other's."""
        ...

    @property
    def url(self) -> str:
        """What others dial; empty on a machine that no one dials."""
        ...

    @property
    def running(self) -> bool:
        """Whether its program was started and has neither ended nor been killed."""
        ...


class Network(Protocol):
    """One machine's access network."""

    def profile(self, profile: Profile) -> None:
        """Another network from now on, its times counting from now; a NAT loses its binding."""
        ...

    def outage(self, seconds: float) -> None:
        """Nothing passes, either way, for so long from now; what is under way arrives."""
        ...

    def rebind(self) -> None:
        """The NAT gives the machine another port from its next packet on; packets to the old one are lost."""
        ...

    def lost(self) -> Mapping[str, int]:
        """Packets lost both ways so far, by the model's cause (`burst`, `queue_full`, `outage`, ...)."""
        ...


class Figures(Protocol):
    """What was measured since a moment. Latency: from the publisher's `send` to the subscriber's feed."""

    def latency(
        self, quantile: float, *, priority: int | None = None, kind: str | None = None, machine: Any = None
    ) -> float:
        """A quantile (0 .. 1) of the time that frames took to one machine or all; nan if none came.

        `kind`: "frame" or "text". Within 3% of the true value.
        """
        ...

    def p99_latency(
        self, *, priority: int | None = None, kind: str | None = None, machine: Any = None
    ) -> float:
        """`latency(0.99, ...)`."""
        ...

    def starvation(self, *, buffer: float = 0.1, machine: Any = None) -> float:
        """Share of render ticks, 0 .. 1, at which a client that shows the past by `buffer` seconds had no
        snapshot as new as that: over one machine, or the mean of all that get snapshots. A snapshot is a
        frame of a latest-wins track.
        """
        ...

    def bandwidth(self, machine: Any) -> tuple[float, float]:
        """Mean UDP payload a machine has sent and received, bits/s."""
        ...

    def drops(self, machine: Any = None) -> Mapping[str, int]:
        """Frames that senders did not deliver, by reason (`expired`, `superseded`, `no_room`, ...)."""
        ...

    def delivered(self, *, priority: int | None = None, kind: str | None = None, machine: Any = None) -> int:
        """Frames and messages that reached a feed."""
        ...


class Face(Figures, Protocol):
    """The whole face."""

    @property
    def seed(self) -> int:
        """What everything follows from."""
        ...

    @property
    def now(self) -> float:
        """Time since the start, seconds."""
        ...

    def relay(self, name: str = "relay", *, network: Profile = "perfect") -> Machine:
        """A relay that admits everyone."""
        ...

    def host(
        self,
        game: type[Any] | None = None,
        *,
        name: str = "host",
        room: str = "main",
        network: Profile = "perfect",
    ) -> Machine:
        """A game server host, with `game` (a `transport.host.Game`) in its room."""
        ...

    def client(
        self,
        bot: Main | type[Any] | None = None,
        *,
        network: Profile | None = None,
        to: Any = None,
        name: str | None = None,
    ) -> Machine:
        """One client; as `clients`."""
        ...

    def clients(
        self,
        count: int,
        bot: Main | type[Any] | None = None,
        *,
        network: Profile | None = None,
        to: Any = None,
        name: str = "bot",
    ) -> Sequence[Machine]:
        """Clients called `name-1`, `name-2`, ... of the host or relay `to` (the first that was made). No
        `network`: one without faults, or what `--cc-profile` names.

        `bot` is a subclass of `harness.Bot` or `harness.Player`, an async function of the machine, or a
        `BotBrain`; none: the game's own bots, or players who send zeros.
        """
        ...

    def network(self, machine: Any) -> Network:
        """A machine's network, to be changed or asked."""
        ...

    def run(self, seconds: float = 0.0, *, minutes: float = 0.0, hours: float = 0.0) -> None:
        """Let time pass. Raises what a program raised meanwhile."""
        ...

    def run_until(self, condition: Callable[[], bool], *, seconds: float = 60.0) -> None:
        """Let time pass until the condition holds; `AssertionError` if it does not within so long."""
        ...

    def pause(self, machine: Any, seconds: float) -> None:
        """The program's main thread stands still for so long, from now; its node goes on."""
        ...

    def kill(self, machine: Any) -> None:
        """The machine's program is gone without a word."""
        ...

    def restart(self, machine: Any) -> None:
        """Start its program anew, at the same address; after a kill if it runs."""
        ...

    def window(self) -> Figures:
        """Figures that count from now."""
        ...

    def assert_no_disconnect(self, machine: Any = None) -> None:
        """`AssertionError`, with who, when and why, if a link or session of a machine was lost since it was
        first up; those ended by the program itself, by `kill` and `restart` do not count.
        """
        ...

    def assert_reliable_complete(self, machine: Any = None, *, within: float = 5.0) -> None:
        """`AssertionError` if a Text message that was sent `within` seconds ago or earlier has not reached a
        subscriber of its track, reached it twice or out of order; counted from the first that it got.
        """
        ...
