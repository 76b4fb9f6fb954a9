"""The host: a relay node, its rooms, its sessions, and what stands around them, from start to drain.

Everything here runs in one event loop; the relay's own work is in the node's native thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import traceback
from collections import deque
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

import transport
from relay._log import Log
from relay._ports import option
from relay.auth import AuthError, Verdict
from relay.control import ControlStack
from relay.hook import ADMITTED_SECONDS, Admission, Request, attach
from transport import Event, NodeOptions, NodeStats, Reason, RelayConfig, SessionDown, SessionUp, Stamp

from ._access import Access, Entry, Identity
from ._admin import Admin
from ._agones import Agones
from ._bots import Bots
from ._exec import PEER, Child, StartError
from ._game import Game
from ._options import Options
from ._provider import HostProvider
from ._room import Room, RoomState, what_was_raised
from ._status import Histogram, Meter, Reading

MAX_ROOMS = 256
ROOM_IDLE = 30.0
"""How long a room other than the first stays open with nobody in it, seconds."""
_INPUT_PLAUSIBLE_US = 10_000_000


class RoomFailed(Exception):
    """A room can't be opened, as was said in the log."""


@dataclass(slots=True)
class Totals:
    """What outlives rooms."""

    late: int = 0
    skipped: int = 0
    ticks: int = 0
    most_players: int = 0


class Host:
    """One host. `start`, then `run` until something ends it, then `stop`."""

    def __init__(
        self, options: Options, game: type[Game] | None, log: Log, identity: Identity | None = None
    ) -> None:
        """`game` none: a program of its own runs it (`--exec`). With an `identity` it has the players' port
        only, neither admin nor control port.
        """
        self._identity = identity
        self.options = options
        self.log = log
        self.rooms: dict[str, Room] = {}
        self.status = "starting"
        """As in the IDL's Health."""
        self.meter = Meter()
        self.totals = Totals()
        self.tick_times = Histogram()
        self.input_times = Histogram()
        self.bots: Bots | None = None
        self.started_at = time.monotonic()
        self.started_cpu = time.process_time()
        self.last_stats: NodeStats | None = None
        """The relay's counters at the end."""
        self._game = game
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()
        self._exit_code = 0
        self._tasks: dict[asyncio.Task[None], None] = {}
        self._entries: dict[int, tuple[Entry, float]] = {}
        self._events: deque[Event] = deque()
        self._empty_since: float | None = time.monotonic()
        self._playing: asyncio.Task[None] | None = None
        self._child: Child | None = None
        self._agones: Agones | None = None
        self._control: ControlStack | None = None
        self._admin: Admin | None = None
        self.access: Access
        self.node: transport.Node
        self.admission: Admission

    @property
    def url(self) -> str:
        """What players dial, with the first room's path."""
        return self.url_of(self.options.room)

    def url_of(self, room: str) -> str:
        """What players of a room dial."""
        return f"moqt://{self.access.dial_host}:{self.node.port}/{room}"

    @property
    def tick_rate(self) -> float:
        """Of its rooms, Hz; 0 where a program of its own runs the game."""
        return 0.0 if self._game is None else float(self._game.rate)

    @property
    def is_ready(self) -> bool:
        """Whether it takes new sessions."""
        return self.status == "ok"

    @property
    def admin_url(self) -> str:
        """The live page."""
        return self._admin.url if self._admin is not None else ""

    @property
    def control_address(self) -> str:
        """Of the control stack, "ip:port"."""
        return self._control.address if self._control is not None else ""

    @property
    def late(self) -> int:
        """Ticks that began a period late, or never, in all rooms that ever were."""
        clocks = [room.clock for room in self.rooms.values()]
        return self.totals.late + self.totals.skipped + sum(clock.late + clock.skipped for clock in clocks)

    async def start(self) -> None:
        """Open everything. Raises `RoomFailed` or a `transport.Error`."""
        options = self.options
        self.access = Access(options, self._identity)
        certificate = self.access.certificate
        address = f"[{options.bind}]" if ":" in options.bind else options.bind
        role = RelayConfig(certificate.certificate, certificate.key)
        with option("--port", options.port, options.bind, 7777):
            state = NodeOptions(state_key=self.access.state_key, limits=options.limits, shards=options.shards)
            self.node = transport.Node(role, f"{address}:{options.port}", state)
        self.admission = attach(self.node, self.access, admit=self._admit)
        self.node.on_event(self._on_event)
        if self._game is not None:
            self._open_room(options.room)
        if self._identity is None:
            await self._open_doors()
        self._agones = Agones.from_environment(self.log.wrong)
        if self._game is not None:
            await self._become_ready()

    async def _open_doors(self) -> None:
        """The ports beside the players'."""
        options, certificate = self.options, self.access.certificate
        provider = HostProvider(self)
        self._admin = Admin(self, provider, options.admin_bind, options.admin_port)
        with option("--admin-port", options.admin_port, options.admin_bind, 9464):
            await self._admin.start()
        self._control = ControlStack(
            options.bind,
            options.control_port,
            certificate.certificate,
            certificate.key,
            provider,
            options.control_limits,
        )
        with option("--control-port", options.control_port, options.bind, 4433):
            await self._control.start()

    async def run(self) -> int:
        """Serve until something ends it; the exit code."""
        self._say_where()
        self._spawn(self._report())
        if self.options.command:
            self._spawn(self._supervise())
        if self.options.bots and self._game is not None:
            self._playing = self._spawn(self._play(self._game))
        if self.options.duration is not None:
            asyncio.get_running_loop().call_later(self.options.duration, self.end)
        await self._stopping.wait()
        return self._exit_code

    def end(self, code: int = 0) -> None:
        """End `run`."""
        self._exit_code = max(self._exit_code, code)
        self._stopping.set()

    @property
    def control_met(self) -> Mapping[str, int]:
        """How often each bound of the control stack was met."""
        return self._control.met() if self._control is not None else {}

    @property
    def is_ending(self) -> bool:
        """Whether it was told to."""
        return self._stopping.is_set()

    def hurry(self) -> None:
        """Wait for nobody when stopping."""
        self.end()
        self._hurry.set()

    async def stop(self) -> int:
        """Drain and close everything, as far as it was opened: not ready, GOAWAY, wait. The exit code.

        Takes at most the time that messages under way, a program and the sessions have to go, in turn.
        """
        if self.status == "draining":
            return self._exit_code
        self.status = "draining"
        if self._playing is not None:
            self._playing.cancel()
            await asyncio.wait({self._playing})
        if self.bots is not None:
            await self._unless_hurried(self.bots.settle())
        if self._child is not None:
            await self._unless_hurried(self._child.stop())
            self._exit_code = max(self._exit_code, await self._child.kill())
            self.kick(PEER, "its program has ended")
        if hasattr(self, "node"):
            await self._drain()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for room in list(self.rooms.values()):
            self._close_room(room)
        if self._agones is not None:
            await self._unless_hurried(self._agones.shutdown())
            await self._agones.close()
        if self._control is not None:
            await self._control.close()
        if self._admin is not None:
            await self._admin.close()
        if hasattr(self, "node"):
            if hasattr(self, "admission"):
                self.admission.detach()
            self.last_stats = self.node.stats()
            await self.node.aclose()
        return self._exit_code

    def kick(self, peer_id: str, text: str = "") -> bool:
        """End a peer's session; False if it has none."""
        try:
            self.admission.kick(peer_id, text)
        except KeyError:
            return False
        return True

    def room_of(self, session: int) -> str | None:
        """The room that a session is in."""
        known = self._entries.get(session)
        return None if known is None else known[0].room

    def bots_in(self, room: Room) -> int:
        """How many of a room's players are bots of this host."""
        if self.bots is None or self.bots.room != room.name:
            return 0
        return sum(peer.id in self.bots.names_set for peer in room.players)

    # --- sessions ---

    def _admit(self, request: Request, verdict: Verdict) -> Stamp:
        """What the host adds to a good token: a room, and the game's own word."""
        entry = self.access.entry(request.path, verdict)
        stamp = verdict.stamp
        if self.status == "draining":
            raise AuthError(Reason.GOING_AWAY, "this host is about to stop: try another")
        if request.renewal:
            return stamp
        if self._game is not None and entry.player:
            room = self.rooms.get(entry.room)
            if room is None or room.state != RoomState.OPEN:
                if len(self.rooms) >= MAX_ROOMS:
                    raise AuthError(Reason.LIMIT, f"this host has {MAX_ROOMS} rooms already")
                try:
                    room = self._open_room(entry.room)
                except RoomFailed:
                    raise AuthError(Reason.ROOM_CLOSED, f"room {entry.room} can't be opened") from None
            refusal = room.admit(stamp.peer_id, verdict.claims, request.address)
            if refusal is not None:
                raise AuthError(refusal.reason, refusal.text)
        self._note_entry(request.handle, entry)
        return stamp

    def _note_entry(self, session: int, entry: Entry) -> None:
        """Remember a session's room. No event tells of one that leaves before it is up: old are swept."""
        now = time.monotonic()
        up = self.admission.sessions
        if len(self._entries) > 2 * len(up) + 256:
            self._entries = {
                handle: known
                for handle, known in self._entries.items()
                if handle in up or now - known[1] < ADMITTED_SECONDS
            }
        self._entries[session] = entry, now

    def _on_event(self, event: Event) -> None:
        # A room may be in the midst of taking inputs, which asks the node for news: it is told afterwards.
        if isinstance(event, SessionUp | SessionDown):
            if not self._events:
                asyncio.get_running_loop().call_soon(self._take_events)
            self._events.append(event)
        elif isinstance(event, transport.NodeFailed):
            self.log.wrong(f"transport.host: the relay's I/O thread failed: {event.text}")
            self.end(1)
        elif isinstance(event, transport.Warned):
            self.log.say("warning", f"warning: {event.text}")

    def _take_events(self) -> None:
        while self._events:
            event = self._events.popleft()
            try:
                if isinstance(event, SessionUp):
                    self._session_up(event)
                elif isinstance(event, SessionDown):
                    self._session_down(event)
            except transport.Error as wrong:
                self.log.wrong(f"transport.host: {wrong}", traceback.format_exc())

    def _session_up(self, event: SessionUp) -> None:
        if event.peer_id != PEER or not self.options.command:
            self._empty_since = None
        entry, _ = self._entries.get(event.session, (None, 0.0))
        if self.options.verbose:
            self.log.say("session_up", f"{event.peer_id} is here from {event.address}", peer=event.peer_id)
        if entry is None or not entry.player or self._game is None:
            return
        room = self.rooms.get(entry.room)
        if room is None:
            with contextlib.suppress(transport.BadHandle, transport.Closed):
                self.node.close_session(event.session, Reason.ROOM_CLOSED, f"room {entry.room} closed")
            return
        room.session_up(event.peer_id, event.session, event.address)

    def _session_down(self, event: SessionDown) -> None:
        entry, _ = self._entries.pop(event.session, (None, 0.0))
        if self.options.verbose:
            why = event.reason.name.lower()
            self.log.say("session_down", f"{event.peer_id} is gone: {why}", peer=event.peer_id, reason=why)
        if entry is not None and entry.player and entry.room in self.rooms:
            self.rooms[entry.room].session_down(event.peer_id, event.session, event.reason)
        if not self._visitors():
            self._empty_since = time.monotonic()

    def _visitors(self) -> int:
        """Sessions, without that of the program under supervision."""
        own = bool(self.options.command) and PEER in self.admission.peers
        return len(self.admission.sessions) - own

    # --- rooms ---

    def _open_room(self, name: str) -> Room:
        assert self._game is not None
        old = self.rooms.get(name)
        if old is not None:
            self._close_room(old)
        try:
            room = Room(self.node, self._game(), name, self.log.wrong)
        except (Exception, SystemExit) as wrong:
            text = f"room {name}: its game raised {what_was_raised(wrong)}: the room can't be opened"
            self.log.wrong(text, "".join(traceback.format_exception(wrong)))
            raise RoomFailed(name) from None
        if room.failed:
            raise RoomFailed(name)
        room.on_duration = self.tick_times.add
        self.rooms[name] = room
        self._spawn(self._run_room(room))
        return room

    async def _run_room(self, room: Room) -> None:
        await room.run(self._beat)

    def _close_room(self, room: Room) -> None:
        room.close()
        if self.rooms.get(room.name) is room:
            del self.rooms[room.name]
        self.totals.late += room.clock.late
        self.totals.skipped += room.clock.skipped
        self.totals.ticks += room.clock.next - 1 - room.clock.skipped

    def _beat(self) -> None:
        if self._agones is not None:
            self._agones.beat(time.monotonic())

    # --- around them ---

    async def _become_ready(self) -> None:
        self.status = "ok"
        if self._agones is not None:
            await self._agones.ready()

    async def _play(self, game: type[Game]) -> None:
        """Bots join and play until this is cancelled."""
        room = self.options.room

        def events_sent(name: str) -> int | None:
            peer = self.rooms[room].peers.get(name) if room in self.rooms else None
            return None if peer is None else peer.events_sent

        def connect(name: str, node: transport.Node, options: transport.LinkOptions) -> transport.Connecting:
            trust = transport.Pinned(self.access.certificate.sha256)
            token = self.access.player_token(room, name)
            return transport.connect(self.local_url, token=token, trust=trust, node=node, options=options)

        try:
            self.bots = Bots(game, room, self.options.bots, connect, lambda: self.node.now, events_sent)
            self.rooms[room].on_inputs = self._measure_inputs
            await self.bots.start()
            voice, picture = self.bots.show.codecs
            if voice and voice != "opus":
                self.log.say(
                    "media", f"bots talk in {voice} and show {picture}: for Opus and VP8, pip install av"
                )
            await self.bots.run()
        except ExceptionGroup as wrong:
            self.log.wrong(f"transport.host: a bot could not join: {wrong.exceptions[0]}")
            self.end(1)
        except Exception as wrong:
            text = f"room {room}: the game's bots raised {what_was_raised(wrong)}: they leave"
            self.log.wrong(text, "".join(traceback.format_exception(wrong)))
            self._exit_code = 1
            bots, self.bots = self.bots, None
            if bots is not None:
                await bots.close()

    @property
    def local_url(self) -> str:
        """What programs on this machine dial."""
        bind = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.options.bind, self.options.bind)
        return f"moqt://{f'[{bind}]' if ':' in bind else bind}:{self.node.port}/{self.options.room}"

    def _measure_inputs(self, arrived: npt.NDArray[np.int64], sent: npt.NDArray[np.uint32]) -> None:
        waited = (arrived - sent.astype(arrived.dtype)) & 0xFFFF_FFFF
        # Players that are not this host's bots have clocks of their own.
        self.input_times.add(waited[waited < _INPUT_PLAUSIBLE_US] / 1e6)

    async def _supervise(self) -> None:
        room = self.options.room
        feed = self.node.subscribe(f"games/{room}", feed_bytes=1 << 16)
        environment = {
            "CLUTCHCALL_URL": self.local_url,
            "CLUTCHCALL_ROOM": room,
            "CLUTCHCALL_TOKEN": self.access.server_token(room, PEER),
            "CLUTCHCALL_CERT_SHA256": self.access.certificate.sha256,
        }
        self._child = child = Child(
            self.options.command, environment, lambda line: self.log.say("child", line)
        )
        await child.start()

        async def announce() -> None:
            await child.announced(feed)
            feed.close()
            await self._become_ready()
            self.log.say("ready", f"{self.options.command[0]} has announced room {room}")

        announcing = asyncio.create_task(announce())
        try:
            self.end(await child.ended())
        finally:
            announcing.cancel()

    async def _report(self) -> None:
        """A line a second, and what is to be looked at that often."""
        due = asyncio.get_running_loop().time()
        self.meter.begin(self.node.stats(), time.monotonic())
        while True:
            due += 1.0
            await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
            reading = self.read()
            self.log.say("status", reading.line(), **reading.fields())
            for room in list(self.rooms.values()):
                idle = None if room.empty_since is None else self.node.now - room.empty_since
                finished = room.state != RoomState.OPEN
                if finished or (room.name != self.options.room and idle is not None and idle > ROOM_IDLE):
                    self._close_room(room)
            patience = self.options.exit_when_empty
            empty = 0.0 if self._empty_since is None else time.monotonic() - self._empty_since
            if patience is not None and empty >= patience:
                self.log.say("empty", f"nobody was here for {patience:g} s")
                self.end()

    def read(self) -> Reading:
        """Take a reading."""
        rooms = list(self.rooms.values())
        players = sum(len(room.players) for room in rooms) if self._game else self._visitors()
        self.totals.most_players = max(self.totals.most_players, players)
        name = rooms[0].name if len(rooms) == 1 else f"{len(rooms)} rooms" if rooms else self.options.room
        rtts = [peer.stats.rtt for room in rooms for peer in room.players if peer.stats is not None]
        durations = [spent for room in rooms for spent in room.durations]
        return self.meter.read(self.node.stats(), time.monotonic(), name, players, rtts, durations, self.late)

    def _say_where(self) -> None:
        sha256 = self.access.certificate.sha256
        url = self.url
        token = self.access.player_token(self.options.room) if self.access.makes_tokens else ""
        control = self.control_address
        text = [f"join    {url}"]
        if token:
            text.append(f"token   {token}")
        text += [f"cert    {sha256}", f"page    {self.admin_url}", f"control https://{control}", ""]
        text += [f"CLUTCHCALL_URL={url}", f"CLUTCHCALL_TOKEN={token}", f"CLUTCHCALL_CERT_SHA256={sha256}", ""]
        if self.options.dev_lan:
            text.append(
                "warning: development credentials, visible to the local network: not for the internet"
            )
        fields = {
            "url": url,
            "token": token,
            "cert_sha256": sha256,
            "page": self.admin_url,
            "control": control,
        }
        self.log.say("started", "\n".join(text), **fields)

    async def _unless_hurried(self, work: Coroutine[Any, Any, None]) -> None:
        """Wait for the work to end, or drop it when haste is asked for."""
        working, hurried = asyncio.create_task(work), asyncio.create_task(self._hurry.wait())
        await asyncio.wait({working, hurried}, return_when=asyncio.FIRST_COMPLETED)
        hurried.cancel()
        if not working.done():
            working.cancel()
            await asyncio.wait({working})
        elif not working.cancelled():
            working.result()

    async def _drain(self) -> None:
        """Ask everyone to go, and wait for that as long as was allowed."""
        with contextlib.suppress(transport.Closed):
            self.node.goaway("", self.options.drain)
        if self.bots is not None:
            await self.bots.close()
        end = time.monotonic() + self.options.drain
        while self.node.stats().sessions and time.monotonic() < end and not self._hurry.is_set():
            await asyncio.sleep(0.02)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks[task] = None
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        if task.cancelled() or task.exception() is None:
            return
        wrong = task.exception()
        if not isinstance(wrong, Exception):
            return  # an interrupt, which ends the loop
        if isinstance(wrong, BrokenPipeError):
            self.end(1)  # whoever read the output has gone: there is nobody to tell
            return
        named = isinstance(wrong, transport.Error | StartError)
        what = str(wrong) if named else what_was_raised(wrong)
        self.log.wrong(f"transport.host: {what}", "".join(traceback.format_exception(wrong)))
        self.end(1)
