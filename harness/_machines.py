"""Machines of a stage: a name, an address, a program, and the lives that the program has had."""

from __future__ import annotations

import asyncio
import contextvars
import random
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import transport
from harness._lives import LIFE, Life
from transport import _node
from transport.host import Game, Room
from transport.host._access import Identity
from transport.host._host import Host
from transport.host._options import Options

if TYPE_CHECKING:
    from harness._stage import Stage
    from harness.netem import Proxy

Program = Callable[[Any], Awaitable[object]]


class Machine:
    """A computer and its program; see `harness.face.Machine`."""

    def __init__(
        self, stage: Stage, name: str, place: int, address: str, program: Program, number: int = 0
    ) -> None:
        self.name = name
        self.number = number
        """Its place among those made together, from 0."""
        self.address = address
        """What others reach it at, without a port."""
        self.random = random.Random(f"{stage.seed}/machine/{name}")
        """Random numbers of its own, from the seed and its name."""
        self.place = place
        self.port = 0
        self.url = ""
        self.listening = False
        """Whether it can be dialled."""
        self.to: Machine | None = None
        """The host or relay that it dials."""
        self.dials = ""
        """Where it dials, if that is not the other machine's own address."""
        self.proxy: Proxy | None = None
        """What stands in front of its sockets, if they are real."""
        self.life: Life | None = None
        self.lives = 0
        self.result: object = None
        """What the program returned."""
        self.bot: Any = None
        """The `harness.Bot` that plays here, of this life."""
        self._stage = stage
        self._program = program
        self._task: asyncio.Task[object] | None = None

    def __repr__(self) -> str:
        return f"<machine {self.name}>"

    @property
    def running(self) -> bool:
        """See `harness.face.Machine`."""
        return self._task is not None and not self._task.done() and self.life is not None

    @property
    def room(self) -> str:
        """The room of the host that it dials; empty: it dials a relay."""
        return self.to.room if isinstance(self.to, HostMachine) else ""

    @property
    def game(self) -> type[Game] | None:
        """The game of the host that it dials."""
        return self.to.game if isinstance(self.to, HostMachine) else None

    @property
    def trust(self) -> transport.Trust:
        """What makes a certificate of this stage good."""
        return transport.Pinned(self._stage.identity.sha256)

    def connect(self, **options: Any) -> transport.Connecting:
        """Dial the host or relay that this machine was told; options are `transport.connect`'s."""
        if self.to is None:
            raise transport.BadState(f"{self.name} was told no host or relay: pass `to`, or make one first")
        token = self.to.token_for(self.name)
        return transport.connect(
            self.dials or self.to.url, **{"token": token, "trust": self.trust, "timeout": 60.0, **options}
        )

    def ground(self) -> AbstractContextManager[None]:
        """Within it, code that calls the C ABI by itself, as C# does, opens its nodes on this machine."""
        return self._stage._library.standing(self.place)

    def token_for(self, peer: str) -> str | None:
        """What a client of this one shows; none: it needs nothing."""
        return None

    def start(self) -> None:
        """Start the program."""
        self.lives += 1
        life = self.life = Life(self.name, self.place, self.lives)
        context = contextvars.copy_context()
        context.run(LIFE.set, life)
        context.run(_node.HOME.set, life)
        loop = self._stage.loop
        self._task = loop.create_task(self._main(), name=self.name, context=context)
        self._task.add_done_callback(self._ended)

    async def _main(self) -> object:
        return await self._program(self)

    def _ended(self, task: asyncio.Task[object]) -> None:
        life = self.life
        if task is not self._task or task.cancelled():
            return
        wrong = task.exception()
        if wrong is None:
            self.result = task.result()
        elif life is not None and not life.dead:
            self._stage.failed(self, wrong)

    def forget_life(self) -> Life | None:
        """The life that ends now."""
        life, self.life = self.life, None
        self.listening = False
        return life


class RelayMachine(Machine):
    """A relay that admits everyone."""

    def __init__(self, stage: Stage, name: str, place: int, address: str) -> None:
        super().__init__(stage, name, place, address, self._serve)
        self.node: transport.Node | None = None
        """The relay's node while it runs."""

    async def _serve(self, _: object) -> None:
        identity = self._stage.identity
        role = transport.RelayConfig(identity.certificate, identity.key, open_scope="")
        bind = f"{self._stage.bind(self)}:{self.port}"
        async with transport.Node(role, bind, self._stage.node_options(self)) as self.node:
            self.listening = True
            await asyncio.Event().wait()


class HostMachine(Machine):
    """A game server host; `transport.host` itself, without its admin and control ports."""

    def __init__(
        self, stage: Stage, name: str, place: int, address: str, game: type[Game], room: str
    ) -> None:
        super().__init__(stage, name, place, address, self._serve)
        self.host: Host | None = None
        self._game = game
        self._room = room
        self._tokens: dict[bytes, transport.Stamp] = {}
        self.said: list[str] = []
        """Lines that the host said were wrong."""

    @property
    def game(self) -> type[Game]:
        """Its game."""
        return self._game

    @property
    def room(self) -> str:
        """The name of the room that is open from the start."""
        return self._room

    @property
    def rooms(self) -> dict[str, Room]:
        """Its rooms by name."""
        return {} if self.host is None else self.host.rooms

    def token_for(self, peer: str) -> str | None:
        """A player's."""
        if self.host is None or not hasattr(self.host, "access"):
            return None
        return self.host.access.player_token(self._room, peer)

    async def _serve(self, _: object) -> None:
        stage = self._stage
        identity = Identity(stage.identity, stage.state_key(self), self.address, self._tokens)
        options = Options(port=self.port, bind=stage.bind(self), room=self._room, open_scope="")
        self.host = host = Host(options, self._game, stage.log_for(self), identity)
        try:
            await host.start()
            self.listening = True
            code = await host.run()
            if code:
                raise RuntimeError(f"{self.name}: the host ended with code {code}: {'; '.join(self.said)}")
        finally:
            await host.stop()
