"""Plays a scenario on a stage, virtual or real: pilots bots through their states, does the scenario's steps,
and records what it was like. Knows no clock but the stage's, except for its own speed.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from time import monotonic, process_time
from typing import Any, Final

import numpy as np

import transport
from harness._behaviour import CONNECTED, State, seeded
from harness._figures import Reading
from harness._scenario import Scenario, Step
from harness._soak_bots import Crew, Left, SoakPlayer
from harness.record import Recorder
from transport.host import Game, protocol

SETTLE: Final = 8.0
"""Seconds after the end in which nothing new is said and what is under way arrives."""
WHOLE_WITHIN: Final = 6.0
"""A message that was sent so long ago has to be there, seconds."""
BUFFER: Final = 0.1
"""How far in the past a player renders, seconds; less fresh is starved."""
_PATIENCE: Final = 40
"""Seconds that real sockets have beyond that."""
_REPLACED: Final = 30.0
"""How long after a crash a host may still hold the old session, seconds."""
_SAMPLES: Final = 7_200
"""Samples of a run, about; never more than one a second."""
_KINDS: Final = {
    protocol.INPUT_PRIORITY: "input",
    protocol.EVENT_PRIORITY: "event",
    protocol.STATE_PRIORITY: "state",
    protocol.CHAT_PRIORITY: "chat",
}
_MIB: Final = 1 << 20


@dataclass
class Pilot:
    """One bot's states, and where it is in them."""

    machine: Any
    walk: Iterator[tuple[State, float]]
    state: State = State.PLAY
    quiet: bool = False
    turn: int = 0
    """Counts changes, so that what was planned before one is forgotten."""
    player: SoakPlayer | None = None


@dataclass
class Live:
    """Figures of a moment, for whoever watches."""

    at: float = 0.0
    until: float = 0.0
    playing: int = 0
    clients: int = 0
    rtt: tuple[float, float] = (0.0, 0.0)
    """p50 and p99, ms."""
    loss: float = 0.0
    """%."""
    p99: dict[str, float] = field(default_factory=dict)
    """By kind, ms, of the last sample's time."""
    drops: float = 0.0
    """A second."""
    disconnects: int = 0
    speed: float = 0.0
    """Seconds of the run a second of real time."""
    newest: str = ""
    """What happened last."""


class Soak:
    """One run. `play` once."""

    def __init__(
        self,
        stage: Any,
        scenario: Scenario,
        game: type[Game],
        recorder: Recorder,
        clients: int,
        seconds: float,
        watch: Callable[[Live], object],
    ) -> None:
        self.stage = stage
        self.scenario = scenario
        self.recorder = recorder
        self.seconds = seconds
        self.live = Live(until=seconds, clients=clients)
        self._game = game
        self._clients = clients
        self._watch = watch
        self._crew = Crew(game, clients, stage.seed)
        self._pilots: list[Pilot] = []
        self._plan: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._host: Any = None
        self._began = 0.0
        self._last = _Reading()
        self._ages: Any = None
        self._returned: list[tuple[float, str]] = []
        """When who came back or joined again."""
        self._memory: list[tuple[float, float]] = []

    @property
    def now(self) -> float:
        """Seconds since the run began."""
        return float(self.stage.now) - self._began

    def play(self) -> None:
        """The whole run; expectations are checked at its end. Raises what a program raised."""
        self._host = self.stage.host(self._game)
        self._began = float(self.stage.now)
        try:
            self._enter()
            for step in self.scenario.timetable(self.seconds):
                self._at(step.at, partial(self._do, step))
            every = max(1.0, self.seconds / _SAMPLES)
            while self.now < self.seconds:
                self._run_to(min(self.seconds, self.now + every))
                self.sample()
            self._settle()
            self.sample()
        finally:
            self.totals()
        self.expect()

    def _enter(self) -> None:
        scenario = self.scenario
        for number in range(self._clients):
            name = f"bot-{number + 1:03}"
            walk = scenario.behaviour.walk(seeded(self.stage.seed, name))
            pilot = Pilot(None, walk)
            self._pilots.append(pilot)
            pilot.state, length = next(walk)
            network = scenario.network_of(number, self._clients)
            machine = self.stage.client(self._program(pilot, number), name=name, network=network)
            pilot.machine = machine
            self._next_after(pilot, length)

    def _program(self, pilot: Pilot, number: int) -> Callable[[Any], Any]:
        async def play(machine: Any) -> None:
            machine.number = number
            if pilot.state in CONNECTED:
                pilot.player = SoakPlayer(machine, self._crew, pilot)
                await self._until_left(pilot, pilot.player)

        return play

    async def _until_left(self, pilot: Pilot, player: SoakPlayer) -> None:
        """Play; dial anew where a first dialling fails, as a player would."""
        with contextlib.suppress(Left):
            while pilot.state in CONNECTED:
                try:
                    await player.play()
                except (transport.TimedOut, transport.Unreachable) as wrong:
                    self._say("bot.retry", f"{player.machine.name}: {wrong}")
                    await asyncio.sleep(1.0)

    # --- what happens ---

    def _at(self, at: float, do: Callable[[], None]) -> None:
        heapq.heappush(self._plan, (at, next(self._numbers), do))

    def _run_to(self, until: float) -> None:
        while self._plan and self._plan[0][0] <= until:
            at, _, do = heapq.heappop(self._plan)
            if at > self.now:
                self.stage.run(at - self.now)
            do()
        if until > self.now:
            self.stage.run(until - self.now)

    def _next_after(self, pilot: Pilot, seconds: float) -> None:
        """Its walk goes on after so long."""
        pilot.turn += 1
        turn = pilot.turn
        if math.isfinite(seconds):
            self._at(self.now + seconds, lambda: self._move(pilot) if pilot.turn == turn else None)

    def _move(self, pilot: Pilot) -> None:
        state, length = next(pilot.walk)
        self._change(pilot, state, length)
        self._next_after(pilot, length)

    def _change(self, pilot: Pilot, state: State, length: float) -> None:
        """Bring a bot into a state."""
        before, pilot.state = pilot.state, state
        stage, machine = self.stage, pilot.machine
        if state == State.CRASHED:
            stage.kill(machine)
            pilot.player = None
        elif state == State.AWAY:
            pilot.player = None  # it sees the state, and goes
        elif before not in CONNECTED:
            stage.restart(machine)
        if state == State.LOAD:
            stage.pause(machine, length)
        if before not in CONNECTED:
            self._returned.append((self.now, machine.name))
        word = "back" if before == State.CRASHED else "join" if before == State.AWAY else str(state)
        self._say(f"bot.{word}", machine.name)

    def _do(self, step: Step) -> None:
        stage = self.stage
        touched = self._pilots[: step.touched(self._clients)]
        self._say(step.do, step.text(self._clients))
        if step.do == "restart":
            stage.kill(self._host)
            self._at(self.now + step.seconds, lambda: stage.restart(self._host))
            return
        for pilot in touched:
            network = stage.network(pilot.machine)
            match step.do:
                case "outage":
                    network.outage(step.seconds)
                case "profile":
                    network.profile(step.profile)
                case "rebind":
                    network.rebind()
                case "pause":
                    stage.pause(pilot.machine, step.seconds)
                case "crash" if pilot.state in CONNECTED:
                    self._change(pilot, State.CRASHED, step.seconds)
                    self._come_back(pilot, step.seconds)

    def _come_back(self, pilot: Pilot, seconds: float) -> None:
        """After so long it plays again, and its walk goes on when it would have."""
        pilot.turn += 1
        turn = pilot.turn

        def back() -> None:
            if pilot.turn == turn:
                self._change(pilot, State.PLAY, math.inf)
                self._move_on(pilot)

        self._at(self.now + seconds, back)

    def _move_on(self, pilot: Pilot) -> None:
        # The walk is at a state that the crash cut short: from its next PLAY on it counts again.
        for state, length in pilot.walk:
            if state == State.PLAY or not math.isfinite(length):
                self._next_after(pilot, length)
                return

    def _say(self, kind: str, text: str) -> None:
        self.recorder.event(self.now, kind, text)
        if not kind.startswith("bot."):
            self.live.newest = f"{self.now:.0f} s {kind}: {text}"

    def _settle(self) -> None:
        """Nothing new is said, nobody changes; who was away stays away."""
        self._plan.clear()
        for pilot in self._pilots:
            pilot.turn += 1
            pilot.quiet = True
        self.stage.run(SETTLE)
        if self.stage.clock == "real":
            # A busy machine takes longer; what is lost or came twice is none the better for it.
            for _ in range(_PATIENCE):
                if not self.stage.incomplete(within=WHOLE_WITHIN):
                    break
                self.stage.run(1.0)

    # --- what it was like ---

    def disconnects(self) -> list[str]:
        """Sessions lost, a line each. One that a bot itself replaced when it was back is none."""
        lines = []
        for line in self.stage.disconnects():
            at = float(line.partition(" s: ")[0]) - self._began
            back = any(
                0 <= at - when <= _REPLACED and f"lost {name}: replaced" in line
                for when, name in self._returned
            )
            if not back:
                lines.append(line)
        return lines

    def sample(self) -> None:
        """A reading of this moment."""
        stage, now, last = self.stage, self.now, self._last
        reading = _Reading.take(now, stage, self._pilots)
        values: dict[str, dict[str, float]] = {}
        connected = [pilot for pilot in self._pilots if pilot.state in CONNECTED]
        playing = sum(pilot.state in (State.PLAY, State.BURST) for pilot in self._pilots)
        values["players"] = {"connected": len(connected), "playing": playing}
        stats = [found for pilot in connected if (found := _stats(pilot)) is not None]
        if stats:
            rtt = np.array([one.rtt for one in stats]) * 1e3
            values["rtt"] = {"p50": float(np.median(rtt)), "p99": float(np.quantile(rtt, 0.99))}
            values["jitter"] = {"p50": float(np.median([one.jitter for one in stats])) * 1e3}
            windows = np.array([one.congestion_window for one in stats]) / 1024
            values["window"] = {"p50": float(np.median(windows)), "least": float(windows.min())}
            values["estimate"] = {"p50": float(np.median([one.send_rate for one in stats])) * 8 / 1e3}
            queued = np.array([one.queued_bytes for one in stats]) / 1024
            values["queue"] = {"p50": float(np.median(queued)), "most": float(queued.max())}
            self.live.rtt = values["rtt"]["p50"], values["rtt"]["p99"]
        passed = max(1e-6, now - last.at)
        loss = reading.loss_since(last)
        if loss is not None:
            values["loss"] = {"injected": 100 * loss}
            self.live.loss = 100 * loss
        if connected:
            scale = 8 / 1e3 / passed / len(connected)
            values["bandwidth"] = {
                "up": max(0, reading.sent - last.sent) * scale,
                "down": max(0, reading.received - last.received) * scale,
            }
        drops = {name: (total - last.drops.get(name, 0)) / passed for name, total in reading.drops.items()}
        values["drops"] = drops or {"none": 0.0}
        starved = self._starvation_since_last()
        if starved is not None:
            values["starved"] = {"mean": 100 * starved}
        self._latencies(reading, last)
        real = max(1e-6, reading.real - last.real)
        if self.recorder.recording.meta.clock == "virtual":
            values["speed"] = {"x": passed / real}
        values["cpu"] = {"process": 100 * (reading.cpu - last.cpu) / real}
        if reading.memory:
            values["memory"] = {"process": reading.memory / _MIB}
            self._memory.append((now, reading.memory / _MIB))
        self.recorder.sample(now, values)
        live = self.live
        live.at, live.playing, live.speed = now, playing, passed / real
        live.drops, live.disconnects = sum(drops.values()), len(self.disconnects())
        self._last = reading
        self._watch(live)

    def _starvation_since_last(self) -> float | None:
        # One reading a sample: it is the end of this one's window, and the beginning of the next one's.
        last, self._ages = self._ages, self.stage.reading("ages")
        share = math.nan if last is None else self.stage.between(last, self._ages).starvation(buffer=BUFFER)
        return None if math.isnan(share) else float(share)

    def _latencies(self, reading: _Reading, last: _Reading) -> None:
        for priority, counts in reading.latency.items():
            before = last.latency.get(priority, Counter())
            new = {value: number - before.get(value, 0) for value, number in counts.items()}
            kind = _KINDS.get(priority, "other")
            self.recorder.latency_counts(kind, priority, new)
            found = _quantile({value: number for value, number in new.items() if number > 0}, 0.99)
            if found is not None:
                self.live.p99[kind] = found

    def totals(self) -> None:
        """What the whole run counts, as far as it came."""
        stage, recorder = self.stage, self.recorder
        whole = stage.between(Reading(), stage.reading())
        drops = whole.drops()
        up, down = [], []
        for pilot in self._pilots:
            if pilot.machine is not None:
                sent, received = whole.bandwidth(pilot.machine)
                up.append(sent / 1e3)
                down.append(received / 1e3)
        starved = whole.starvation(buffer=BUFFER)
        counts: dict[str, float] = {
            "disconnects": len(self.disconnects()),
            "reliable.sent": stage.messages,
            "frames.sent": whole.delivered() + sum(drops.values()),
            **{f"drops.{name}": total for name, total in drops.items()},
        }
        if up:
            counts |= {"bandwidth.up": float(np.mean(up)), "bandwidth.down": float(np.mean(down))}
        if not math.isnan(starved):
            counts["starved"] = starved
        recorder.counts(counts)
        if stage.clock == "virtual":
            recorder.note("log", f"digest {stage.digest}, {stage.records} records")

    def expect(self) -> None:
        """Check what the scenario expects."""
        stage, expected, check = self.stage, self.scenario.expected, self.recorder.check
        if expected.disconnects is not None:
            lost = self.disconnects()
            detail = f"{len(lost)} of at most {expected.disconnects}"
            check("nobody is thrown out", len(lost) <= expected.disconnects, _some(detail, lost))
        if expected.reliable:
            wrong = stage.incomplete(within=WHOLE_WITHIN)
            self.recorder.counts({"reliable.lost": len(wrong)})
            detail = f"{stage.messages:,} delivered, {len(wrong)} readers' tracks not whole"
            check("reliable messages once and in order", not wrong, _some(detail, wrong))
        if expected.starved is not None:
            share = stage.starvation(buffer=BUFFER)
            ok = not math.isnan(share) and share <= expected.starved
            check(f"starved at most {expected.starved:.1%}", ok, f"{share:.2%} of render ticks")
        found = {one.kind: one.histogram for one in self.recorder.recording.latencies}
        for kind, bound in expected.p99_ms.items():
            p99 = found[kind].percentile(99) if kind in found else math.nan
            check(f"{kind} p99 at most {bound:g} ms", p99 <= bound, f"{p99:.1f} ms")
        if expected.memory_mib is not None and self._memory:
            # The first tenth fills pools and caches.
            settled = [amount for at, amount in self._memory if at >= self.seconds / 10]
            grown = settled[-1] - settled[0] if settled else 0.0
            ok = grown <= expected.memory_mib
            check(f"memory grows by at most {expected.memory_mib:g} MiB", ok, f"{grown:+.1f} MiB")


@dataclass
class _Reading:
    """Totals at a moment."""

    at: float = 0.0
    real: float = field(default_factory=monotonic)
    cpu: float = field(default_factory=process_time)
    memory: float = 0.0
    sent: int = 0
    """Bytes, over all clients."""
    received: int = 0
    packets: int = 0
    lost: int = 0
    drops: dict[str, int] = field(default_factory=dict)
    latency: dict[int, Counter[int]] = field(default_factory=dict)
    """By priority: how many by microseconds."""

    @staticmethod
    def take(at: float, stage: Any, pilots: list[Pilot]) -> _Reading:
        """Now."""
        found = _Reading(at, memory=resident())
        for pilot in pilots:
            traffic = stage.network(pilot.machine).traffic()
            found.sent += traffic["beside"]["bytes_up"]
            found.received += traffic["beside"]["bytes_down"]
            for side in ("up", "down"):
                told = traffic[side]
                if told:
                    found.packets += told["packets"]
                    found.lost += sum(told["lost"].values())
        counted = stage.between(Reading(), stage.reading("latency", "drops"))
        found.drops = dict(counted.drops())
        for priority in _KINDS:
            counts = counted.histogram(priority=priority)
            if counts:
                found.latency[priority] = counts
        return found

    def loss_since(self, earlier: _Reading) -> float | None:
        """Share of packets that networks lost since then; none: no packets."""
        packets, lost = self.packets - earlier.packets, self.lost - earlier.lost
        return lost / packets if packets > 0 else None


def _stats(pilot: Pilot) -> transport.LinkStats | None:
    link = getattr(pilot.player, "link", None)
    if link is None or not link.is_up:
        return None
    try:
        found: transport.LinkStats = link.stats()
    except transport.Error:
        return None
    return found


def _quantile(counts: dict[int, int], share: float) -> float | None:
    """Milliseconds."""
    total, seen = sum(counts.values()), 0
    for value in sorted(counts):
        seen += counts[value]
        if seen >= total * share:
            return value / 1e3
    return None


def _some(detail: str, lines: list[str]) -> str:
    more = f", and {len(lines) - 3} more" if len(lines) > 3 else ""
    return f"{detail}: {'; '.join(lines[:3])}{more}" if lines else detail


def resident() -> int:
    """Bytes of this process in memory; 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * 4096
