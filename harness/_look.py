"""A closer look at one world: qlog of its connections, and a page with its time lines."""

from __future__ import annotations

import asyncio
import contextlib
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from harness import _qlog
from harness.record import Meta, Recorder
from transport.host import protocol

if TYPE_CHECKING:
    from harness._stage import Stage

_EVERY: Final = 1.0
"""Seconds of the world's between samples."""
_KINDS: Final = {
    protocol.INPUT_PRIORITY: "input",
    protocol.EVENT_PRIORITY: "event",
    protocol.STATE_PRIORITY: "state",
    protocol.CHAT_PRIORITY: "chat",
}


class Look:
    """Samples a stage while its time passes; `write` leaves what was seen."""

    def __init__(self, stage: Stage, name: str, command: str) -> None:
        self._stage = stage
        self._name = name
        self._command = command
        self._samples: list[tuple[float, dict[str, dict[str, float]]]] = []
        self._window: Any = None
        self._later: asyncio.TimerHandle = stage.loop.call_later(_EVERY, self._sample)

    def _sample(self) -> None:
        stage = self._stage
        self._later = stage.loop.call_later(_EVERY, self._sample)
        values: dict[str, dict[str, float]] = {}
        window, self._window = self._window, stage.window()
        if window is not None:
            p99 = {kind: window.latency(0.99, priority=priority) * 1e3 for priority, kind in _KINDS.items()}
            values["p99"] = {kind: value for kind, value in p99.items() if not math.isnan(value)}
            values["drops"] = {name: float(count) for name, count in window.drops().items()} or {"none": 0.0}
            starved = window.starvation()
            if not math.isnan(starved):
                values["starved"] = {"mean": 100 * starved}
            up = [window.bandwidth(machine) for machine in stage.machines.values() if not machine.url]
            if up:
                values["bandwidth"] = {
                    "up": sum(one[0] for one in up) / len(up) / 1e3,
                    "down": sum(one[1] for one in up) / len(up) / 1e3,
                }
        values["players"] = {"running": sum(machine.running for machine in stage.machines.values())}
        self._samples.append((stage.now, values))

    def write(self, folder: Path, failure: str) -> None:
        """`report.html` with its like, and `qlog/`."""
        self._later.cancel()
        stage = self._stage
        meta = Meta.here(
            self._name, seed=stage.seed, clock="virtual", clients=len(stage.machines), command=self._command
        )
        with Recorder(folder, meta) as recorder:
            for at, values in self._samples:
                recorder.sample(at, values)
            for priority in sorted({group[3] for group in stage.reading("latency").latency}):
                counts = stage.histogram(priority=priority)
                recorder.latency_counts(_KINDS.get(priority, "frames"), priority, counts)
            for line in stage.disconnects():
                moment, _, text = line.partition(" s: ")
                with contextlib.suppress(ValueError):
                    recorder.event(float(moment), "disconnect", text)
            recorder.event(stage.now, "failed", failure)
            recorder.counts({f"drops.{name}": count for name, count in stage.drops().items()})
            recorder.counts({"disconnects": len(stage.disconnects()), "frames.sent": stage.delivered()})
            recorder.check("the test", False, failure)
        names = {machine.place: machine.name for machine in stage.machines.values()}
        _qlog.write(folder / "qlog", stage._library.ask("qlog"), names)
