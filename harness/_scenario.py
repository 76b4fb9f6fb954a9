"""Scenarios: TOML files that say who plays over which networks, what happens to them, and what is expected.

`load` reads one by name (harness/scenarios) or path, and checks every field: `ScenarioError` names file,
field and what to write instead. docs/harness/soak.md describes the fields.
"""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from harness._behaviour import Behaviour, BehaviourError, State

FOLDER: Final = Path(__file__).parent / "scenarios"
PROFILES: Final = Path(__file__).parent / "profiles"
MAX_CLIENTS: Final = 1_000
MAX_SECONDS: Final = 7 * 86_400.0
KINDS: Final = ("input", "state", "event", "chat")
"""Tracks whose latency may be bounded."""
_UNITS: Final = {"": 1.0, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


class ScenarioError(Exception):
    """A scenario that cannot be played. One line: file, field, what to write."""


@dataclass(frozen=True, slots=True)
class Step:
    """Something that is done to the world."""

    at: float
    """Seconds from the start."""
    do: str
    """A key of `ACTIONS`."""
    clients: float = 1.0
    """Share of the clients it is done to, 0 .. 1, the first ones by number."""
    seconds: float = 0.0
    """How long it lasts."""
    profile: str = ""

    def text(self, count: int) -> str:
        """In words, for `count` clients."""
        parts = [self.profile] if self.profile else []
        parts += [f"for {self.seconds:g} s"] if self.seconds else []
        whom = "host" if self.do == "restart" else f"{self.touched(count)} of {count} clients"
        return ": ".join([whom, " ".join(parts)]) if parts else whom

    def touched(self, count: int) -> int:
        """How many of `count` clients."""
        return min(count, math.ceil(self.clients * count))


ACTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "outage": ("clients", "seconds"),
    "profile": ("clients", "profile"),
    "rebind": ("clients",),
    "pause": ("clients", "seconds"),
    "crash": ("clients", "seconds"),
    "restart": ("seconds",),
}
"""What may be done, and the fields that it takes beside `at` and `do`."""
_NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "outage": ("seconds",),
    "profile": ("profile",),
    "rebind": (),
    "pause": ("seconds",),
    "crash": ("seconds",),
    "restart": (),
}


@dataclass(frozen=True, slots=True)
class Expected:
    """What has to hold; none: not asked."""

    disconnects: int | None = 0
    """Sessions lost at most, beside those that the scenario itself ended."""
    reliable: bool = True
    """Whether each reliable message has to come once and in order."""
    starved: float | None = None
    """Share of render ticks without a fresh state, at most, 0 .. 1."""
    p99_ms: Mapping[str, float] = field(default_factory=dict)
    """By kind (`KINDS`), at most."""
    memory_mib: float | None = None
    """Growth of resident memory from the first tenth of the run to its end, at most."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario."""

    name: str
    description: str
    game: str
    """MODULE:CLASS, a `transport.host.Game`."""
    clients: int
    duration: float
    """Seconds."""
    nightly: float
    """Seconds, with `--nightly`."""
    networks: Mapping[str, float]
    """Share of the clients that sit behind each profile; they sum up to 1."""
    behaviour: Behaviour
    steps: Sequence[Step]
    expected: Expected
    every: float = 0.0
    """Seconds after which the steps are played again; 0: once."""

    def timetable(self, until: float) -> list[Step]:
        """All steps before `until`, repeated ones among them, in order."""
        found: list[Step] = []
        rounds = math.ceil(until / self.every) if self.every else 1
        for number in range(rounds):
            for step in self.steps:
                at = step.at + number * self.every
                if at < until:
                    found.append(Step(at, step.do, step.clients, step.seconds, step.profile))
        return sorted(found, key=lambda step: step.at)

    def network_of(self, number: int, count: int) -> str:
        """The profile of client `number` (from 0) of `count`: spread evenly, so that any few have all."""
        # The golden ratio's multiples fill an interval evenly from the first on.
        place = (number * 0.6180339887498949 + 0.5 / count) % 1.0
        for name, share in self.networks.items():
            if place < share:
                return name
            place -= share
        return list(self.networks)[-1]


def names() -> list[tuple[str, str]]:
    """The scenarios at hand, with what each is for."""
    found = []
    for path in sorted(FOLDER.glob("*.toml")):
        try:
            found.append((path.stem, load(path).description))
        except ScenarioError as wrong:
            found.append((path.stem, f"cannot be read: {wrong}"))
    return found


def load(what: str | Path) -> Scenario:
    """A scenario by name, or from a file (which ends in .toml or has a folder)."""
    path = Path(what)
    if isinstance(what, str) and path.suffix != ".toml" and path.name == what:
        path = FOLDER / f"{what}.toml"
        if not path.is_file():
            known = [one.stem for one in sorted(FOLDER.glob("*.toml"))]
            raise ScenarioError(f"{what}: there is no such scenario: use {', '.join(known)}, or a .toml file")
    try:
        raw = path.read_bytes()
    except OSError as wrong:
        raise ScenarioError(f"{path}: cannot be read: {wrong.strerror or wrong}") from None
    try:
        told = tomllib.loads(raw.decode("utf-8"))
    except UnicodeDecodeError as wrong:
        raise ScenarioError(f"{path}: byte {wrong.start} is no UTF-8") from None
    except tomllib.TOMLDecodeError as wrong:
        raise ScenarioError(f"{path}: no TOML: {wrong}") from None
    return _scenario(Table(path, "", told), path)


def seconds(text: object) -> float | None:
    """Seconds of `90`, `"90s"`, `"2m"`, `"1h"`, `"250ms"`; none of what is no time."""
    if isinstance(text, int | float) and not isinstance(text, bool):
        return float(text) if math.isfinite(text) else None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|)", text) if isinstance(text, str) else None
    return float(match[1]) * _UNITS[match[2]] if match else None


class Table:
    """A TOML table whose fields are taken one by one; what nobody took is unknown."""

    def __init__(self, path: Path, name: str, told: object) -> None:
        self.path, self.name = path, name
        if not isinstance(told, dict):
            raise ScenarioError(f"{path}: {name}: {told!r} is no table")
        self._told: dict[str, Any] = dict(told)
        self._taken: list[str] = []

    def wrong(self, field: str, text: str) -> ScenarioError:
        """What is wrong with a field of this table."""
        return ScenarioError(f"{self.path}: {self._full(field)}: {text}")

    def has(self, field: str) -> bool:
        """Whether it is there."""
        return field in self._told

    def raw(self, field: str) -> object:
        """A field as it stands, or none."""
        self._taken.append(field)
        return self._told.pop(field, None)

    def text(self, field: str, default: str | None = None) -> str:
        """A text."""
        value = self._or(field, default)
        if not isinstance(value, str) or not value.strip():
            raise self.wrong(field, f"{value!r} is no text")
        return value

    def number(self, field: str, low: float, high: float, default: float | None = None) -> float:
        """A number from `low` to `high`."""
        value = self._or(field, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise self.wrong(field, f"{value!r}: use a number from {low:g} to {high:g}")
        return float(value)

    def whole(self, field: str, low: int, high: int, default: int | None = None) -> int:
        """A whole number."""
        value = self._or(field, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self.wrong(field, f"{value!r}: use a whole number from {low} to {high}")
        return value

    def seconds(self, field: str, low: float, high: float, default: float | None = None) -> float:
        """A time."""
        value = self._or(field, default)
        found = seconds(value)
        if found is None or not low <= found <= high:
            raise self.wrong(field, f'{value!r}: use a time such as 90, "2m" or "1h", {low:g} to {high:g} s')
        return found

    def boolean(self, field: str, default: bool) -> bool:
        """True or false."""
        value = self._or(field, default)
        if not isinstance(value, bool):
            raise self.wrong(field, f"{value!r}: use true or false")
        return value

    def table(self, field: str) -> Table:
        """A table below; empty if it is not there."""
        value = self.raw(field)
        return Table(self.path, self._full(field), {} if value is None else value)

    def tables(self, field: str) -> list[Table]:
        """An array of tables below."""
        value = self.raw(field)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.wrong(field, f"write [[{field}]] for each")
        return [Table(self.path, f"{self._full(field)}[{at}]", one) for at, one in enumerate(value)]

    def rest(self) -> Mapping[str, object]:
        """All fields that are left; their names are the file's."""
        found, self._told = self._told, {}
        return found

    def end(self) -> None:
        """Nothing may be left."""
        for left in self._told:
            near = difflib.get_close_matches(left, self._taken, 1)
            hint = f": did you mean {near[0]}?" if near else f": it takes {', '.join(self._taken)}"
            raise self.wrong(left, f"there is no such field{hint}")

    def _or(self, field: str, default: object) -> object:
        value = self.raw(field)
        if value is not None:
            return value
        if default is None:
            raise self.wrong(field, "it is missing")
        return default

    def _full(self, field: str) -> str:
        return f"{self.name}.{field}" if self.name else field


def _scenario(top: Table, path: Path) -> Scenario:
    duration = top.seconds("duration", 1, MAX_SECONDS)
    has_nightly = top.has("nightly")
    found = Scenario(
        name=path.stem,
        description=" ".join(top.text("description").split()),
        game=_game(top),
        clients=top.whole("clients", 1, MAX_CLIENTS),
        duration=duration,
        nightly=top.seconds("nightly", 1, MAX_SECONDS, max(duration, 7200.0)),
        networks=_networks(top.table("networks")),
        behaviour=_behaviour(top.table("behaviour")),
        steps=[_step(table) for table in top.tables("step")],
        expected=_expected(top.table("expect")),
        every=top.seconds("every", 0, MAX_SECONDS, 0.0),
    )
    top.end()
    end = max(duration, found.nightly if has_nightly else 0.0)
    for number, step in enumerate(found.steps):
        if not found.every and step.at >= end:
            raise top.wrong(f"step[{number}].at", f"{step.at:g} s: the scenario is over after {end:g} s")
    if found.every and any(step.at >= found.every for step in found.steps):
        raise top.wrong("every", f"{found.every:g} s: a step comes later than that")
    return found


def _game(top: Table) -> str:
    name = top.text("game", "samples.arena:Arena")
    if not re.fullmatch(r"[\w.]+:\w+", name):
        raise top.wrong("game", f"{name!r}: use MODULE:CLASS, such as samples.arena:Arena")
    return name


def _networks(table: Table) -> dict[str, float]:
    found = {}
    for name, share in table.rest().items():
        _check_profile(table, name, name)
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1:
            raise table.wrong(name, f"{share!r}: use the clients' share, above 0 and up to 1")
        found[name] = float(share)
    if found and abs(sum(found.values()) - 1) > 0.005:
        raise ScenarioError(f"{table.path}: networks: the shares sum up to {sum(found.values()):g}, not to 1")
    return found or {"perfect": 1.0}


def _check_profile(table: Table, field: str, name: str) -> None:
    if not (PROFILES / f"{name}.json").is_file():
        known = ", ".join(sorted(path.stem for path in PROFILES.glob("*.json")))
        raise table.wrong(field, f"there is no profile {name!r}: use {known}")


def _behaviour(table: Table) -> Behaviour:
    start = State.PLAY
    if table.has("start"):
        start = _state(table, "start", table.text("start"))
    rates: dict[State, dict[State, float]] = {}
    for name, told in table.rest().items():
        state = _state(table, name, name)
        exits = Table(table.path, f"{table.name}.{name}", told)
        rates[state] = {}
        for to, rate in exits.rest().items():
            if isinstance(rate, bool) or not isinstance(rate, int | float):
                raise exits.wrong(to, f"{rate!r}: use how often a minute, 0 to 600")
            rates[state][_state(exits, to, to)] = float(rate)
    try:
        return Behaviour(rates, start)
    except BehaviourError as wrong:
        raise table.wrong(wrong.field, wrong.text) from None


def _state(table: Table, field: str, name: str) -> State:
    try:
        return State(name)
    except ValueError:
        raise table.wrong(field, f"{name!r} is no state: use {', '.join(State)}") from None


def _step(table: Table) -> Step:
    do = table.text("do")
    if do not in ACTIONS:
        raise table.wrong("do", f"{do!r}: use {', '.join(ACTIONS)}")
    at = table.seconds("at", 0, MAX_SECONDS)
    for name in ("clients", "seconds", "profile"):
        if table.has(name) and name not in ACTIONS[do]:
            raise table.wrong(name, f"{do} does not take it")
    for name in _NEEDED[do]:
        if not table.has(name):
            raise table.wrong(name, f"{do} needs it")
    step = Step(
        at,
        do,
        table.number("clients", 0.0001, 1, 1.0),
        table.seconds("seconds", 0, 86_400, 0.0),
        table.text("profile", "-"),
    )
    table.end()
    if step.profile == "-":
        return Step(step.at, do, step.clients, step.seconds)
    _check_profile(table, "profile", step.profile)
    return step


def _expected(table: Table) -> Expected:
    bounds = table.table("p99_ms")
    p99: dict[str, float] = {}
    for kind in KINDS:
        if bounds.has(kind):
            p99[kind] = bounds.number(kind, 0.001, 600_000)
        else:
            bounds.raw(kind)
    bounds.end()
    disconnects = table.whole("disconnects", -1, 1_000_000, 0)
    starved = table.number("starved", 0, 1, -1) if table.has("starved") else None
    memory = table.number("memory_mib", 0, 1_000_000) if table.has("memory_mib") else None
    for name in ("starved", "memory_mib"):
        table.raw(name)
    found = Expected(
        None if disconnects < 0 else disconnects, table.boolean("reliable", True), starved, p99, memory
    )
    table.end()
    return found
