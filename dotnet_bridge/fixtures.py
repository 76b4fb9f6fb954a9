"""pytest fixtures: a game server in C#, and any number of players in C#, over real sockets.

    def test_two_hundred(dotnet_server, dotnet_client):
        bots = dotnet_client(dotnet_server.url, sha256=dotnet_server.sha256, count=200)
        assert bots.connect() == 200
        run = bots.run(ticks=60, hertz=30)
        assert run.garbage == 0

They run over the package's own `ClutchCall.Core`, in this process; a test is skipped where there is no .NET
and none can be fetched. They come with `pip install 'clutchcall[dotnet]'`: pytest finds them by itself.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

import dotnet_bridge
import transport
from dotnet_bridge import assemblies

BOTS = Path(__file__).with_name("bots")
FETCH = 80.0
"""How long each of the three packages of .NET may take to come, seconds."""


@dataclass(frozen=True)
class Run:
    """What a run of bots came to."""

    sent: int
    """Frames that were sent."""
    refused: int
    """Frames that were not taken for sending: no reader, no room, no link."""
    echoed: int
    """Frames that came back as they were, of this run or late ones of the one before."""
    damaged: int
    """Frames that came back otherwise."""
    garbage: int
    """Bytes that the bots' thread left for .NET's collector."""
    send_ns: float
    """Time of a frame in the calls that sent them, ns, the calls' median; a call has a frame of each bot."""


class DotnetServer:
    """A game server in C#: what clients write below `games/<room>/up/<id>` comes back below `down/<id>`."""

    def __init__(self, bots: Any, room: str = "room1", token: str = "", most: int = 4096) -> None:
        made = transport.credentials.make_certificate()
        self.sha256 = made.sha256
        """Its certificate's SHA-256, for clients to trust."""
        certificate, key = made.certificate.decode(), made.key.decode()
        self._server = bots.EchoServer("127.0.0.1:0", certificate, key, room, token, most)
        self.address = str(self._server.Address)
        """Where it listens, as ip:port."""
        self.url = f"moqt://{self.address}"
        self.room = room

    @property
    def peers(self) -> int:
        """Clients whose tracks are there."""
        return int(self._server.Peers)

    @property
    def received(self) -> int:
        """Frames that came since `measure`."""
        return int(self._server.Received)

    @property
    def sent(self) -> int:
        """Frames sent back since `measure`."""
        return int(self._server.Sent)

    @property
    def refused(self) -> int:
        """Frames that were not taken for sending since `measure`."""
        return int(self._server.Refused)

    @property
    def garbage(self) -> int:
        """Bytes that its thread left for .NET's collector since `measure`."""
        return int(self._server.Garbage)

    @property
    def told(self) -> list[str]:
        """Who went, and why: `<id>: <reason>`."""
        return [str(line) for line in self._server.Told()]

    def measure(self) -> None:
        """Count anew from here."""
        self._server.Measure()

    def kick(self, peer_id: str, why: str) -> bool:
        """Send a client away; whether it was there."""
        return bool(self._server.Kick(peer_id, why))

    def close(self) -> None:
        """End it; clients are told."""
        self._server.Dispose()


class DotnetBots:
    """Players in C#, each a link of its own. Calls block: an `async def` test has `asyncio.to_thread`."""

    def __init__(self, bots: Any, url: str, **options: Any) -> None:
        made = bots.SwarmOptions()
        made.Url = url
        for name, value in options.items():
            setattr(made, name, value)
        self._swarm = bots.Swarm(made)

    @property
    def ids(self) -> list[str]:
        """Their peer ids; empty for one that never was up."""
        return [str(one) for one in self._swarm.Ids()]

    @property
    def told(self) -> list[str]:
        """Links that were lost or refused: `<number>: <reason>: <words>`."""
        return [str(line) for line in self._swarm.Told()]

    @property
    def received(self) -> int:
        """Frames that came, whosever they were."""
        return int(self._swarm.Received)

    @property
    def echoed(self) -> int:
        """Frames that came back as they were."""
        return int(self._swarm.Echoed)

    def connect(self) -> int:
        """Wait until each has somebody who reads it, or is refused; how many have."""
        return int(self._swarm.Connect())

    def run(self, ticks: int, hertz: float = 30.0) -> Run:
        """So many ticks: a frame of each bot, and what came is taken."""
        swarm = self._swarm
        before = [int(one) for one in (swarm.Sent, swarm.Refused, swarm.Echoed, swarm.Damaged)]
        swarm.Run(ticks, hertz)
        after = [int(one) for one in (swarm.Sent, swarm.Refused, swarm.Echoed, swarm.Damaged)]
        sent, refused, echoed, damaged = (now - then for now, then in zip(after, before, strict=True))
        return Run(sent, refused, echoed, damaged, int(swarm.Garbage), float(swarm.SendNanoseconds))

    def until_echoed(self, count: int) -> bool:
        """Wait until so many frames have come back in all; whether they have."""
        return bool(self._swarm.Await(count))

    def close(self) -> None:
        """Close their links."""
        self._swarm.Dispose()

    def __enter__(self) -> DotnetBots:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


@pytest.fixture(scope="session")
def dotnet_bots() -> Any:
    """The namespace `ClutchCall.Bots`, compiled and loaded; skips where there is no .NET to be had."""
    try:
        tools = dotnet_bridge.find(patience=FETCH)
    except dotnet_bridge.ToolMissing as missing:
        pytest.skip(f"no .NET: {missing}")
    core = assemblies.compile_all(assemblies.WHOLE, tools)["ClutchCall.Core"]
    bots = dotnet_bridge.compile(BOTS.glob("*.cs"), references=[core], name="ClutchCall.Bots", tools=tools)
    for dll in (core, bots):
        dotnet_bridge.load(dll, tools=tools)
    return importlib.import_module("ClutchCall.Bots")


@pytest.fixture
def dotnet_server(dotnet_bots: Any) -> Iterator[DotnetServer]:
    """A game server in C# on a free port of 127.0.0.1, open to all who trust its certificate."""
    made = DotnetServer(dotnet_bots)
    yield made
    made.close()


@pytest.fixture
def dotnet_client(dotnet_bots: Any) -> Iterator[Callable[..., DotnetBots]]:
    """Makes bots in C#, which are closed when the test ends.

    `dotnet_client(url, count=1, sha256="", token="", size=200, up=..., down=...)`: `up` and `down` are the
    namespaces that each writes and reads, with `{id}` for its peer id; `size` is a frame's bytes, 8 at least.
    """
    made: list[DotnetBots] = []

    def make(
        url: str,
        *,
        count: int = 1,
        sha256: str = "",
        token: str = "",
        size: int = 200,
        up: str = "games/room1/up/{id}",
        down: str = "games/room1/down/{id}",
        patience: float = 60.0,
    ) -> DotnetBots:
        bots = DotnetBots(
            dotnet_bots,
            url,
            Count=count,
            TrustSha256=sha256,
            Token=token,
            Size=size,
            Up=up,
            Down=down,
            Patience=patience,
        )
        made.append(bots)
        return bots

    yield make
    for one in made:
        one.close()
