"""What one run tells: `Recording`, its JSON form, and `Recorder`, which writes it as the run goes.

    with Recorder(folder, Meta.here("two-minutes", seed=7)) as recorder:
        recorder.sample(12.0, {"rtt": {"p50": 41.2, "p99": 63.0}})
        recorder.latency("state", 64, milliseconds)
        recorder.event(13.5, "outage", "client-3: 20 s")
        recorder.check("no disconnects", True, "0 of 64")

The folder has `recording.jsonl` from the first moment: each line is one thing that happened, in order,
flushed some times a second. At the end, however it comes (an exception, Ctrl-C, SIGTERM turned into one), it
becomes `recording.json`, `report.html` and `junit.xml`; what is left of a run that was killed
outright is still read by `load`. Times are seconds since the run began, on the run's own clock, virtual or
real.

Needs `hdrhistogram` (`pip install clutchcall[harness]`). Records nothing by itself: it has no clock but for
flushing.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import IO, Any, Final

from harness._histogram import Histogram

FORMAT: Final = 1
"""Of recording.json and recording.jsonl."""
MAX_POINTS: Final = 100_000
"""Samples kept of a run; at one a second more than a day. Later ones are counted and dropped."""
MAX_EVENTS: Final = 10_000
"""Events kept of a run; later ones are counted and dropped."""
_FLUSH: Final = 0.2
"""Seconds of real time between flushes."""
_SAVE: Final = 10.0
"""Seconds of real time between copies of the histograms in recording.jsonl."""


class RecordError(Exception):
    """A recording cannot be read or written. One line: which file, what is wrong."""


@dataclass(frozen=True, slots=True)
class Meta:
    """Which run it was, and how it is repeated."""

    name: str
    """Of the scenario, test or case."""
    seed: int = 0
    profile: str = ""
    """Of the network."""
    clock: str = "real"
    """`virtual` or `real`."""
    clients: int = 0
    command: str = ""
    """The line that repeats it."""
    started: str = ""
    """UTC, ISO 8601."""
    machine: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def here(name: str, **rest: Any) -> Meta:
        """A run that starts on this machine now."""
        return Meta(
            name,
            **{
                "started": datetime.now(UTC).isoformat(timespec="seconds"),
                "machine": machine(),
                "versions": versions(),
                **rest,
            },
        )


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened."""

    at: float
    kind: str
    """A word: outage, crash, restart, profile ..."""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """Something that was expected of the run."""

    name: str
    ok: bool
    detail: str = ""
    """What was found, with unit and bound."""


@dataclass(frozen=True, slots=True)
class Latency:
    """How long frames of one kind and priority took, milliseconds."""

    kind: str
    priority: int
    """The publisher's, 0 (first) .. 255 (last)."""
    histogram: Histogram


@dataclass(slots=True)
class Recording:
    """One run."""

    meta: Meta
    duration: float = 0.0
    """Seconds on the run's clock, as far as it came."""
    wall: float = 0.0
    """Seconds of real time that it took."""
    ended: str = "running"
    """`done`, `interrupted`, `failed`, or `running` for a run that was killed outright."""
    why: str = ""
    """What ended it early."""
    latencies: list[Latency] = field(default_factory=list)
    samples: list[tuple[float, Mapping[str, Mapping[str, float]]]] = field(default_factory=list)
    """Time, and per chart (`CHARTS`) the value of each of its lines."""
    events: list[Event] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    counts: dict[str, float] = field(default_factory=dict)
    """Totals by name, such as `disconnects`, `frames.sent`, `drops.expired`."""
    notes: dict[str, str] = field(default_factory=dict)
    """What else is worth telling, by name."""
    beyond: int = 0
    """Samples and events that came when there were too many already."""

    @property
    def ok(self) -> bool:
        """Whether it came to its end and everything expected held."""
        return self.ended == "done" and all(check.ok for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        """As plain values. Histograms are HdrHistogram's V2 compressed form in base64, in microseconds."""
        return {
            "format": FORMAT,
            "meta": asdict(self.meta),
            "duration": self.duration,
            "wall": self.wall,
            "ended": self.ended,
            "why": self.why,
            "ok": self.ok,
            "latencies": [_latency_json(one) for one in self.latencies],
            "samples": [[at, values] for at, values in self.samples],
            "events": [asdict(event) for event in self.events],
            "checks": [asdict(check) for check in self.checks],
            "counts": self.counts,
            "notes": self.notes,
            "beyond": self.beyond,
        }

    @staticmethod
    def from_json(told: Mapping[str, Any]) -> Recording:
        """The other way round. `KeyError`, `TypeError` or `ValueError` for what is none."""
        if told["format"] != FORMAT:
            raise ValueError(f"format {told['format']}: this version reads {FORMAT}")
        return Recording(
            _meta(told["meta"]),
            float(told["duration"]),
            float(told["wall"]),
            str(told["ended"]),
            str(told["why"]),
            [_latency(one) for one in told["latencies"]],
            [_sample(one) for one in told["samples"]],
            [Event(float(one["at"]), str(one["kind"]), str(one["text"])) for one in told["events"]],
            [Check(str(one["name"]), bool(one["ok"]), str(one["detail"])) for one in told["checks"]],
            {str(name): float(value) for name, value in told["counts"].items()},
            {str(name): str(text) for name, text in told["notes"].items()},
            int(told["beyond"]),
        )


class Recorder:
    """Writes a recording as it goes. A `with` block; within, methods may be called in any order."""

    def __init__(self, folder: Path | str, meta: Meta) -> None:
        self.folder = Path(folder)
        self.recording = Recording(meta)
        self._latencies: dict[tuple[str, int], Histogram] = {}
        self._out: IO[str] | None = None
        self._began = self._flushed = self._saved = 0.0

    def __enter__(self) -> Recorder:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._out = (self.folder / "recording.jsonl").open("w", encoding="utf-8")
        except OSError as wrong:
            raise RecordError(f"{self.folder}: cannot be written: {wrong.strerror or wrong}") from None
        self._began = self._flushed = self._saved = monotonic()
        self._write("meta", {"format": FORMAT, **asdict(self.recording.meta)})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, wrong: BaseException | None, trace: TracebackType | None
    ) -> None:
        if wrong is None:
            self.end("done")
        elif isinstance(wrong, KeyboardInterrupt | SystemExit | GeneratorExit):
            self.end("interrupted", type(wrong).__name__)
        else:
            self.end("failed", one_line(wrong))

    def sample(self, at: float, values: Mapping[str, Mapping[str, float]]) -> None:
        """Readings of a moment: for each chart its lines' values."""
        self._move(at)
        if len(self.recording.samples) >= MAX_POINTS:
            self.recording.beyond += 1
            return
        plain = {
            chart: {name: round(float(value), 4) for name, value in lines.items()}
            for chart, lines in values.items()
        }
        self.recording.samples.append((at, plain))
        self._write("sample", [at, plain])

    def latency(self, kind: str, priority: int, milliseconds: Iterable[float]) -> None:
        """How long some frames took."""
        self._histogram(kind, priority).add(milliseconds)

    def latency_counts(self, kind: str, priority: int, counts: Mapping[int, int]) -> None:
        """As `latency`, counted already: by microseconds."""
        self._histogram(kind, priority).add_counts(counts)

    def event(self, at: float, kind: str, text: str = "") -> None:
        """Something happened."""
        self._move(at)
        if len(self.recording.events) >= MAX_EVENTS:
            self.recording.beyond += 1
            return
        event = Event(at, kind, text)
        self.recording.events.append(event)
        self._write("event", asdict(event))

    def check(self, name: str, ok: bool, detail: str = "") -> bool:
        """Something was expected, and held or not. A later word on the same name counts."""
        check = Check(name, ok, detail)
        self.recording.checks = [one for one in self.recording.checks if one.name != name] + [check]
        self._write("check", asdict(check))
        return ok

    def counts(self, totals: Mapping[str, float]) -> None:
        """Totals so far, which replace earlier ones of their name."""
        self.recording.counts.update(totals)
        self._write("counts", dict(totals))

    def note(self, name: str, text: str) -> None:
        """Something else that is worth telling."""
        self.recording.notes[name] = text
        self._write("note", [name, text])

    def end(self, ended: str, why: str = "") -> Recording:
        """Close the recording and write recording.json, report.html and junit.xml."""
        if self._out is None:
            return self.recording
        recording = self.recording
        recording.ended, recording.why = ended, why
        recording.wall = monotonic() - self._began
        self._save()
        self._write("end", {"ended": ended, "why": why, "wall": recording.wall})
        out, self._out = self._out, None
        out.close()
        write(self.folder, recording)
        # The whole is in recording.json now.
        (self.folder / "recording.jsonl").unlink(missing_ok=True)
        return recording

    def _histogram(self, kind: str, priority: int) -> Histogram:
        found = self._latencies.get((kind, priority))
        if found is None:
            found = self._latencies[kind, priority] = Histogram()
            self.recording.latencies.append(Latency(kind, priority, found))
            self.recording.latencies.sort(key=lambda one: (one.priority, one.kind))
        return found

    def _move(self, at: float) -> None:
        self.recording.duration = max(self.recording.duration, at)

    def _write(self, kind: str, value: object) -> None:
        if self._out is None:
            raise RecordError(f"{self.folder}: the recording is not open: use it in a with block")
        now = monotonic()
        if now - self._saved >= _SAVE:
            self._saved = now
            self._save()
        self._out.write(json.dumps([kind, value], separators=(",", ":")) + "\n")
        if now - self._flushed >= _FLUSH:
            self._flushed = now
            self._out.flush()

    def _save(self) -> None:
        if self._out is not None and self.recording.latencies:
            all_of_them = [_latency_json(one) for one in self.recording.latencies]
            self._out.write(json.dumps(["latencies", all_of_them], separators=(",", ":")) + "\n")


def write(folder: Path, recording: Recording) -> None:
    """The recording's files: recording.json, report.html, junit.xml."""
    from harness._junit import junit
    from harness.report import page

    try:
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(recording.to_json(), separators=(",", ":"), allow_nan=False)
        (folder / "recording.json").write_text(text + "\n", "utf-8")
        (folder / "junit.xml").write_text(junit(recording), "utf-8")
        (folder / "report.html").write_text(page(recording), "utf-8")
    except OSError as wrong:
        raise RecordError(f"{folder}: cannot be written: {wrong.strerror or wrong}") from None


def load(path: Path | str) -> Recording:
    """A recording from its file, or the folder that holds it. `RecordError` with file, line and field."""
    path = Path(path)
    if path.is_dir():
        whole = path / "recording.json"
        path = whole if whole.exists() else path / "recording.jsonl"
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as wrong:
        why = wrong.strerror if isinstance(wrong, OSError) else "it is no text"
        raise RecordError(f"{path}: cannot be read: {why}") from None
    try:
        return _replay(text) if path.suffix == ".jsonl" else Recording.from_json(json.loads(text))
    except json.JSONDecodeError as wrong:
        raise RecordError(f"{path}: line {wrong.lineno}: no JSON: {wrong.msg}") from None
    except KeyError as wrong:
        raise RecordError(f"{path}: no recording: the field {wrong} is missing") from None
    except (TypeError, ValueError, AttributeError, IndexError) as wrong:
        raise RecordError(f"{path}: no recording: {wrong}") from None


def _replay(text: str) -> Recording:
    """A recording from the lines of one that did not end. Its last line may be cut short."""
    lines = text.splitlines()
    found: Recording | None = None
    for number, line in enumerate(lines, 1):
        try:
            kind, value = json.loads(line)
        except ValueError:
            if number == len(lines):
                break
            raise ValueError(f"line {number} is no JSON array of two") from None
        if kind == "meta":
            if value.pop("format", None) != FORMAT:
                raise ValueError(f"this version reads format {FORMAT}")
            found = Recording(_meta(value), why="it did not end by itself")
        elif found is None:
            raise ValueError("it does not begin with `meta`")
        else:
            _take(found, kind, value)
    if found is None:
        raise ValueError("it is empty")
    return found


def _take(found: Recording, kind: str, value: Any) -> None:
    match kind:
        case "sample":
            found.samples.append(_sample(value))
            found.duration = max(found.duration, found.samples[-1][0])
        case "event":
            found.events.append(Event(float(value["at"]), str(value["kind"]), str(value["text"])))
            found.duration = max(found.duration, found.events[-1].at)
        case "check":
            check = Check(str(value["name"]), bool(value["ok"]), str(value["detail"]))
            found.checks = [one for one in found.checks if one.name != check.name] + [check]
        case "counts":
            found.counts.update({str(name): float(count) for name, count in value.items()})
        case "note":
            found.notes[str(value[0])] = str(value[1])
        case "latencies":
            found.latencies = [_latency(one) for one in value]
        case "end":
            found.ended, found.why, found.wall = value["ended"], value["why"], value["wall"]


def _latency_json(one: Latency) -> dict[str, Any]:
    return {"kind": one.kind, "priority": one.priority, "hdr": one.histogram.encode()}


def _latency(told: Mapping[str, Any]) -> Latency:
    return Latency(str(told["kind"]), int(told["priority"]), Histogram.decode(told["hdr"]))


def _sample(told: Any) -> tuple[float, Mapping[str, Mapping[str, float]]]:
    at, values = told
    return float(at), {
        str(chart): {str(name): float(value) for name, value in lines.items()}
        for chart, lines in values.items()
    }


def _meta(told: Mapping[str, Any]) -> Meta:
    known = {one.name for one in fields(Meta)}
    return Meta(**{name: value for name, value in told.items() if name in known})


def one_line(wrong: BaseException) -> str:
    """What was raised, and where, on one line."""
    trace = wrong.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" ({trace.tb_frame.f_code.co_filename}:{trace.tb_lineno})" if trace is not None else ""
    return " ".join(f"{type(wrong).__name__}: {wrong}".split()) + where


def machine() -> dict[str, str]:
    """What a run's figures depend on."""
    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as told:
            models = [line.partition(":")[2].strip() for line in told if line.startswith("model name")]
            name = models[0] if models else name
    except OSError:
        pass  # not Linux
    found = {"processor": name, "cores": str(os.cpu_count() or 1), "system": platform.platform(terse=True)}
    if hasattr(os, "getloadavg"):
        found["load before"] = f"{os.getloadavg()[0]:.1f}"
    return found


def versions() -> dict[str, str]:
    """What ran."""
    from importlib import metadata

    try:
        own = metadata.version("clutchcall")
    except metadata.PackageNotFoundError:
        own = "a checkout"
    return {"clutchcall": own, "python": platform.python_version(), "platform": sys.platform}
