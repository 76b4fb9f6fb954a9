"""Machines and their programs in one event loop, figures, assertions: a world but for its time."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import hashlib
import io
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import transport
from harness import _profile_files
from harness._figures import PARTS, Measured, Part, Reading
from harness._lives import LIFE, Life, LivesLoop
from harness._machines import HostMachine, Machine, RelayMachine
from harness._minimise import Asked, Limit, impairments_of
from harness._world_native import WorldError, WorldLibrary
from harness.bots import program_of
from relay._log import Log
from transport.credentials import Certificate

Profile = str | Path | Mapping[str, object]
_BAD_REASONS = {int(reason): reason.name.lower() for reason in transport.Reason}


PERFECT = "perfect"
M = TypeVar("M", bound=Machine)


class Network:
    """One machine's access network; see `harness.face.Network`."""

    def __init__(self, stage: Stage, machine: Machine) -> None:
        self._stage = stage
        self._machine = machine

    def profile(self, profile: Profile) -> None:
        """See `harness.face.Network`."""
        self._stage._set_network(self._machine, profile)

    def outage(self, seconds: float) -> None:
        """See `harness.face.Network`."""
        self._stage._outage(self._machine, _positive(seconds, "outage"))

    def rebind(self) -> None:
        """See `harness.face.Network`."""
        self._stage._rebind(self._machine)

    def lost(self) -> Mapping[str, int]:
        """See `harness.face.Network`."""
        total: Counter[str] = Counter()
        traffic = self.traffic()
        for side in ("up", "down"):
            total.update(traffic["beside"][f"lost_{side}"])
            total.update((traffic[side] or {}).get("lost", {}))
        return dict(total)

    def traffic(self) -> dict[str, Any]:
        """Packets and bytes each way: what the machine sent and got (`beside`), and what its network did with
        it (`up` and `down`, none where it impairs nothing).
        """
        return self._stage._traffic(self._machine)


class Stage:
    """Machines, time and figures; see `harness.face.Face`."""

    clock: ClassVar[str]
    """What time it is in: "virtual" or "real"."""

    def __init__(self, seed: int, library: WorldLibrary, loop: LivesLoop) -> None:
        self.seed = seed
        self.loop = loop
        self.random = random.Random(f"{seed}/stage")
        """Random numbers from the seed, for the test itself."""
        self.crypto = "tls"
        """What protects connections."""
        self.default_network: Profile = PERFECT
        """The network of clients that name none."""
        self.limit = Limit()
        """What it may have at most; bounds nothing but where a failure is made smaller."""
        self.asked = Asked()
        """What was asked of it."""
        self.machines: dict[str, Machine] = {}
        """Every machine by name."""
        self.identity: Certificate
        """The certificate of every host and relay."""
        self._library = library
        self._lives = loop
        self._buried: list[Life] = []
        """Lives that were killed."""
        self._test_place: int | None = None
        self._wrong: list[BaseException] = []
        self._failure: asyncio.Future[None] = loop.create_future()
        self._measured = Measured(self.reading, lambda machine: self._machine(machine).place)
        self._open = True
        loop.set_exception_handler(self._unhandled)

    # --- making machines ---

    def relay(self, name: str = "relay", *, network: Profile = PERFECT) -> RelayMachine:
        """See `harness.face.Face`."""
        place, address = self._place(name, network)
        return self._begin(RelayMachine(self, name, place, address))

    def host(
        self,
        game: type[Any] | None = None,
        *,
        name: str = "host",
        room: str = "main",
        network: Profile = PERFECT,
    ) -> HostMachine:
        """See `harness.face.Face`."""
        from transport.host import Game

        if game is not None and not (isinstance(game, type) and issubclass(game, Game)):
            raise TypeError(f"host: {game!r} is no transport.host.Game: pass a subclass of it")
        place, address = self._place(name, network)
        return self._begin(HostMachine(self, name, place, address, game or Game, room))

    def machine(
        self,
        program: Callable[[Any], Awaitable[object]],
        *,
        name: str,
        network: Profile | None = None,
        to: Any = None,
        number: int = 0,
    ) -> Machine:
        """A machine with a program of its own: an async function that is called with the machine."""
        place, address = self._place(name, network)
        machine = Machine(self, name, place, address, program, number)
        machine.to = self._server(to)
        self._before_start(machine)
        return self._begin(machine)

    def client(
        self,
        bot: Any = None,
        *,
        network: Profile | None = None,
        to: Any = None,
        name: str | None = None,
        behind: Any = None,
    ) -> Machine:
        """See `harness.face.Face`."""
        if name is None:
            number = 1
            while f"client-{number}" in self.machines:
                number += 1
            name = f"client-{number}"
        return self._client(bot, network, to, name, 0, behind)

    def clients(
        self,
        count: int,
        bot: Any = None,
        *,
        network: Profile | None = None,
        to: Any = None,
        name: str = "bot",
        behind: Any = None,
    ) -> Sequence[Machine]:
        """See `harness.face.Face`. `behind`: the machine whose network they share, as behind a router."""
        self.asked.clients = max(self.asked.clients, count)
        count = min(count, self.limit.clients or count)
        return [
            self._client(bot, network, to, f"{name}-{number + 1}", number, behind) for number in range(count)
        ]

    def _client(
        self, bot: Any, network: Profile | None, to: Any, name: str, number: int, behind: Any
    ) -> Machine:
        server = self._server(to)
        game = server.game if isinstance(server, HostMachine) else None
        program = program_of(bot, game, playing=game is not None)
        place, address = self._place(name, network, behind)
        machine = Machine(self, name, place, address, program, number)
        machine.to = server
        self._before_start(machine)
        return self._begin(machine)

    def _begin(self, machine: M) -> M:
        self.machines[machine.name] = machine
        machine.start()
        if isinstance(machine, HostMachine | RelayMachine) and not self.loop.is_running():
            self.run_until(lambda: machine.listening, seconds=30)
        return machine

    def _server(self, to: Any) -> Machine | None:
        if to is not None:
            return self._machine(to)
        found = (m for m in self.machines.values() if isinstance(m, HostMachine | RelayMachine))
        return next(found, None)

    def _machine(self, machine: Any) -> Machine:
        name = machine.name if isinstance(machine, Machine) else machine
        found = self.machines.get(name) if isinstance(name, str) else None
        if found is None:
            raise WorldError(f"there is no machine {name!r}: there are {', '.join(self.machines) or 'none'}")
        return found

    # --- time ---

    @property
    def is_open(self) -> bool:
        """Whether it was not closed yet."""
        return self._open

    @property
    def now(self) -> float:
        """See `harness.face.Face`."""
        return self.loop.time()

    def run(self, seconds: float = 0.0, *, minutes: float = 0.0, hours: float = 0.0) -> None:
        """See `harness.face.Face`."""
        wanted = _positive(seconds + 60 * minutes + 3600 * hours, "run")
        if self.limit.seconds is not None:
            wanted = max(0.0, min(wanted, self.limit.seconds - self.now))
        self.finish(asyncio.sleep(wanted))

    def run_until(self, condition: Callable[[], bool], *, seconds: float = 60.0) -> None:
        """See `harness.face.Face`."""
        self.finish(self.until(condition, seconds=seconds))

    async def until(self, condition: Callable[[], bool], *, seconds: float = 60.0) -> None:
        """As `run_until`, in an asyncio test."""
        end = self.loop.time() + seconds
        while not condition():
            if self.loop.time() >= end:
                raise AssertionError(f"it did not come true within {seconds:g} s")
            await asyncio.sleep(0.005)

    def finish(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run the loop until the work is done, or a program raises; then that is raised."""
        if self.loop.is_running():
            work.close()
            raise WorldError("time passes by itself in an asyncio test: `await asyncio.sleep(...)` instead")
        if not self._open:
            work.close()
            raise WorldError("this world is closed")
        self._raise_wrong()
        return self.loop.run_until_complete(self._unless_failed(work))

    async def _unless_failed(self, work: Coroutine[Any, Any, Any]) -> Any:
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait({task, self._failure}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not task.done():
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        if self._wrong and (task.cancelled() or task.exception() is None):
            self._raise_wrong()
        return task.result()

    def _raise_wrong(self) -> None:
        if self._wrong:
            wrong = self._wrong[:]
            self._wrong.clear()
            self._failure = self.loop.create_future()
            raise wrong[0]

    def failed(self, machine: Machine | None, wrong: BaseException) -> None:
        """A program raised: whoever lets time pass gets it."""
        if machine is not None:
            wrong.add_note(f"raised by the program of {machine.name} at {self.now:.3f} s, seed {self.seed}")
        self._wrong.append(wrong)
        if not self._failure.done():
            self._failure.set_result(None)

    def _unhandled(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        wrong = context.get("exception")
        life = LIFE.get()
        if life is not None and life.dead:
            return
        if wrong is None:
            wrong = RuntimeError(str(context.get("message")))
        else:
            wrong.add_note(str(context.get("message")))
        self.failed(self.machines.get(life.machine) if life is not None else None, wrong)

    # --- what happens to machines ---

    def network(self, machine: Any) -> Network:
        """See `harness.face.Face`."""
        return Network(self, self._machine(machine))

    def pause(self, machine: Any, seconds: float) -> None:
        """See `harness.face.Face`."""
        found = self._machine(machine)
        life = found.life
        _positive(seconds, "pause")
        if life is None or life.still:
            return
        self.note(f"paused {seconds:g} s", found)
        self._freeze(life)
        self._later(seconds, self._thaw, life)

    def kill(self, machine: Any) -> None:
        """See `harness.face.Face`."""
        found = self._machine(machine)
        life = found.forget_life()
        if life is not None:
            self._kill(found, life)

    def restart(self, machine: Any) -> None:
        """See `harness.face.Face`."""
        found = self._machine(machine)
        self.kill(found)
        self.note("restarted", found)
        found.start()

    # --- figures and assertions ---

    def window(self) -> Measured:
        """See `harness.face.Face`."""
        return Measured(self.reading, lambda machine: self._machine(machine).place, self.reading())

    def between(self, earlier: Reading, later: Reading) -> Measured:
        """What two readings of the same parts tell."""
        return Measured(lambda part: later, lambda machine: self._machine(machine).place, earlier)

    def latency(self, quantile: float, **which: Any) -> float:
        """See `harness.face.Figures`."""
        return self._measured.latency(quantile, **which)

    def p99_latency(self, **which: Any) -> float:
        """See `harness.face.Figures`."""
        return self._measured.p99_latency(**which)

    def delivered(self, **which: Any) -> int:
        """See `harness.face.Figures`."""
        return self._measured.delivered(**which)

    def starvation(self, *, buffer: float = 0.1, machine: Any = None) -> float:
        """See `harness.face.Figures`."""
        return self._measured.starvation(buffer=buffer, machine=machine)

    def bandwidth(self, machine: Any) -> tuple[float, float]:
        """See `harness.face.Figures`."""
        return self._measured.bandwidth(machine)

    def drops(self, machine: Any = None) -> Mapping[str, int]:
        """See `harness.face.Figures`."""
        return self._measured.drops(machine)

    def histogram(self, **which: Any) -> Counter[int]:
        """Frames by latency: the largest microseconds of a bucket of 3%, and how many it has."""
        return self._measured.histogram(**which)

    def disconnects(self, machine: Any = None) -> list[str]:
        """Links and sessions that were lost, a line each; see `assert_no_disconnect`."""
        place = None if machine is None else self._machine(machine).place
        names = {machine.place: name for name, machine in self.machines.items()}
        lines = []
        for lost in self._library.ask("lost"):
            if lost["excused"] or (place is not None and place not in (lost["place"], lost["other"])):
                continue
            who = f"{names.get(lost['place'], '?')} lost {names.get(lost['other'], 'somebody')}"
            why = _BAD_REASONS.get(lost["reason"], str(lost["reason"]))
            lines.append(
                f"{lost['at'] / 1e6:.3f} s: {who}: {why}" + (f" ({lost['text']})" * bool(lost["text"]))
            )
        return lines

    def assert_no_disconnect(self, machine: Any = None) -> None:
        """See `harness.face.Face`."""
        lines = self.disconnects(machine)
        assert not lines, f"{len(lines)} disconnects: " + "; ".join(lines[:10])

    def incomplete(self, machine: Any = None, *, within: float = 5.0) -> list[str]:
        """Text tracks that did not arrive whole, a line each; see `assert_reliable_complete`."""
        place = None if machine is None else self._machine(machine).place
        names = {machine.place: name for name, machine in self.machines.items()}
        lines = []
        for found in self._library.ask("incomplete", within_us=round(within * 1e6)):
            if place is not None and found["place"] != place:
                continue
            counts = (f"{found[key]} {key}" for key in ("missed", "repeated", "late") if found[key])
            who = names.get(found["place"], "?")
            lines.append(f"{who}: {found['track']}: {', '.join(counts)}, {found['received']} received")
        return lines

    def assert_reliable_complete(self, machine: Any = None, *, within: float = 5.0) -> None:
        """See `harness.face.Face`."""
        lines = self.incomplete(machine, within=within)
        assert not lines, f"{len(lines)} tracks of messages are not complete: " + "; ".join(lines[:10])

    @property
    def messages(self) -> int:
        """Messages that reached their readers, each once a reader."""
        return sum(count for _, count in self._library.ask("messages"))

    @property
    def digest(self) -> str:
        """A digest of everything that happened: two runs of a world that agree in it went alike."""
        return str(self._library.ask("digest")["digest"])

    @property
    def records(self) -> int:
        """How many things happened: datagrams, frames, events, notes."""
        return int(self._library.ask("digest")["records"])

    @property
    def log(self) -> str:
        """The newest lines of the event log: microseconds, machine, what."""
        return str(self._library.ask("log"))

    def write(self, folder: Path) -> None:
        """Leave what happened in a folder: `events.log`, and `world.txt` with the seed and the figures."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "events.log").write_text(self.log, "utf-8")
        lines = [
            f"seed {self.seed}, {self.crypto}, {self.now:.6f} s, {self.records} records, {self.digest}",
            *(f"disconnect: {line}" for line in self.disconnects()),
            *(f"incomplete: {line}" for line in self.incomplete()),
            *(f"drops: {reason} {count}" for reason, count in self.drops().items()),
            *(f"machine {m.name} {m.address} {m.url}" for m in self.machines.values()),
        ]
        (folder / "world.txt").write_text("\n".join(lines) + "\n", "utf-8")

    def note(self, text: str, machine: Any = None) -> None:
        """A line in the event log."""
        place = None if machine is None else self._machine(machine).place
        self._library.ask("note", place=place, text=text)

    def reading(self, *parts: Part) -> Reading:
        """A reading of these parts; of all, if none is named."""
        reading = Reading(now=self.now)
        for part in parts or PARTS:
            if part == "latency":
                for group in self._library.ask("latencies")["groups"]:
                    key = (group["place"], group["kind"], group["latest_wins"], group["priority"])
                    reading.latency[key] = Counter(dict(group["buckets"]))
            elif part == "ages":
                for age in self._library.ask("ages"):
                    reading.ages[age["place"], age["track"]] = Counter(dict(age["bins"]))
            elif part == "traffic":
                for machine in self.machines.values():
                    reading.sent[machine.place], reading.received[machine.place] = self._bytes(machine)
            else:
                reading.drops = dict(enumerate(self._library.ask("drops")))
        return reading

    # --- for machines ---

    def state_key(self, machine: Machine) -> bytes:
        """32 bytes that a machine keeps over its lives."""
        return hashlib.sha256(f"{self.seed}/state/{machine.name}".encode()).digest()

    def node_options(self, machine: Machine) -> transport.NodeOptions:
        """Of a relay's node."""
        return transport.NodeOptions(state_key=self.state_key(machine))

    def log_for(self, machine: HostMachine) -> Log:
        """Where a host says what happens: its faults into `said`, everything into the event log."""
        return _StageLog(self, machine)

    def bind(self, machine: Machine) -> str:
        """The address that a machine's listener binds."""
        raise NotImplementedError

    def _before_start(self, machine: Machine) -> None:
        """A client is about to start for the first time."""

    def _later(self, seconds: float, do: Callable[..., object], *args: Any) -> None:
        """After so long, whatever has become of the machine whose program asks."""
        self.loop.call_later(seconds, do, *args, context=contextvars.Context())

    # --- what depends on how time passes ---

    def _place(self, name: str, network: Profile | None, behind: Any = None) -> tuple[int, str]:
        if not name or name in self.machines:
            raise WorldError(f"machine {name!r}: pass a name that no other has")
        at = None if behind is None else self._machine(behind).place
        placed = self._library.ask("place", name=name, network=self._network_of(network), behind=at)
        return int(placed["place"]), str(placed["address"])

    def _network_of(self, profile: Profile | None) -> dict[str, Any] | None:
        profile = self.default_network if profile is None else profile
        return None if profile == PERFECT else self._limited(_profile_files.read(profile))

    def _limited(self, network: dict[str, Any]) -> dict[str, Any]:
        """A network as it was read, without what the limit leaves out."""
        with contextlib.suppress(ValueError, AttributeError):  # what is no profile is said where it is used
            told = json.loads(network["text"])
            self.asked.impairments |= set(impairments_of(told))
            if self.limit.without:
                return {**network, "text": json.dumps(self.limit.profile(told))}
        return network

    def _set_network(self, machine: Machine, profile: Profile) -> None:
        raise NotImplementedError

    def _outage(self, machine: Machine, seconds: float) -> None:
        raise NotImplementedError

    def _rebind(self, machine: Machine) -> None:
        raise NotImplementedError

    def _traffic(self, machine: Machine) -> dict[str, Any]:
        raise NotImplementedError

    def _bytes(self, machine: Machine) -> tuple[int, int]:
        beside = self._traffic(machine)["beside"]
        return beside["bytes_up"], beside["bytes_down"]

    def _freeze(self, life: Life) -> None:
        raise NotImplementedError

    def _thaw(self, life: Life) -> None:
        raise NotImplementedError

    def _kill(self, machine: Machine, life: Life) -> None:
        raise NotImplementedError

    def _current_place(self) -> int:
        """The place of the machine whose program runs."""
        life = LIFE.get()
        if life is not None:
            return life.place
        if self._test_place is None:
            # The test's own code has a machine too, on a network without faults.
            placed = self._library.ask("place", name="test", network=None, behind=None)
            self._test_place = int(placed["place"])
        return self._test_place

    def _end_programs(self) -> None:
        self.loop.set_exception_handler(lambda _, __: None)
        for machine in self.machines.values():
            if machine.life is not None:
                self._lives.thaw(machine.life)
        # What was killed may now clean up behind itself: its nodes are gone, so nobody hears of it.
        for life in self._buried:
            self._lives.revive(life)
        self._finish_tasks()
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())

    def _finish_tasks(self) -> None:
        """Let every program end: cancelled, and given a few turns to clean up."""
        pending = [task for task in asyncio.all_tasks(self.loop) if not task.done()]
        for task in sorted(pending, key=lambda task: task.get_name()):
            task.cancel()
        if pending:
            self.loop.run_until_complete(asyncio.wait(pending, timeout=30))


class _StageLog(Log):
    def __init__(self, stage: Stage, machine: HostMachine) -> None:
        super().__init__(False, True, io.StringIO())
        self._stage = stage
        self._machine = machine

    def say(self, event: str, text: str, **fields: object) -> None:
        """Into the event log."""
        self._stage.note(f"{event}: {text.splitlines()[0] if text else ''}", self._machine)

    def wrong(self, text: str, detail: str = "") -> None:
        """Remembered too."""
        self._machine.said.append(text)
        self._stage.note(f"wrong: {text}", self._machine)


def _positive(seconds: float, what: str) -> float:
    if not 0 <= seconds < 1e8:
        raise ValueError(f"{what}: {seconds} s cannot be: pass seconds, 0 or more")
    return float(seconds)
