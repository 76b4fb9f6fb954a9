"""The smallest run that still fails: fewer clients, less time, fewer impairments. Greedy, and bounded.

A failing test of a `world` is run again in processes of its own, each with a **limit** on what its world may
have: how many clients (`clients` makes fewer), how much time (beyond it `run` returns at once, and the test
asserts what it asserts), and which impairments its networks keep. What fails under a smaller limit is the new
smallest. `minimise` knows nothing of pytest: it is given the trial.

A test that trips over a limit by itself, for it names a client that is no longer there, fails in another way:
only the failure that began it counts, by its kind and line.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

IMPAIRMENTS: Final = (
    "outages",
    "nat",
    "script",
    "corrupt",
    "duplicate",
    "reorder",
    "loss",
    "jitter",
    "rate_kbit",
    "trace",
    "mtu",
)
"""Fields of a profile's direction that can be left out, those that explain most on their own last."""
TRIALS: Final = 24
"""Runs that are tried at most."""


class LimitError(ValueError):
    """No limit. One line."""


@dataclass(frozen=True, slots=True)
class Limit:
    """What a world may have; the default bounds nothing."""

    clients: int | None = None
    """Of each call of `clients`, at most."""
    seconds: float | None = None
    """Of the world's time."""
    without: tuple[str, ...] = ()
    """Impairments that networks lose."""

    def text(self) -> str:
        """As `--cc-limit` takes it: `clients=4,seconds=12.5,without=loss+jitter`."""
        parts = [f"clients={self.clients}"] if self.clients is not None else []
        parts += [f"seconds={self.seconds:g}"] if self.seconds is not None else []
        parts += [f"without={'+'.join(self.without)}"] if self.without else []
        return ",".join(parts)

    def profile(self, told: Mapping[str, Any]) -> dict[str, Any]:
        """A profile's fields without the impairments that are left out."""
        found: dict[str, Any] = copy.deepcopy(dict(told))
        for place in (found, *found.get("clients", {}).values()):
            for side in ("up", "down"):
                if isinstance(place.get(side), dict):
                    place[side] = {name: one for name, one in place[side].items() if name not in self.without}
                    if "loss" not in place[side] and "rate_kbit" not in place[side]:
                        place[side].pop("queue", None)
            for name in self.without:
                place.pop(name, None)
        return found


def parse(text: str) -> Limit:
    """The other way round. `LimitError`."""
    found = Limit()
    for part in filter(None, text.split(",")):
        name, _, value = part.partition("=")
        try:
            if name == "clients" and int(value) >= 1:
                found = replace(found, clients=int(value))
            elif name == "seconds" and 0 < float(value) < 1e8:
                found = replace(found, seconds=float(value))
            elif name == "without" and set(value.split("+")) <= set(IMPAIRMENTS):
                found = replace(found, without=tuple(value.split("+")))
            else:
                raise ValueError
        except ValueError:
            raise LimitError(
                f"{part!r}: use clients=N, seconds=S and without=A+B of {', '.join(IMPAIRMENTS)}"
            ) from None
    return found


@dataclass(slots=True)
class Asked:
    """What a test asked of its world: where making it smaller begins."""

    clients: int = 1
    """The most that one call of `clients` asked for."""
    impairments: set[str] = field(default_factory=set)
    """Of all its networks."""


@dataclass(frozen=True, slots=True)
class Found:
    """What minimising came to."""

    limit: Limit
    trials: int
    exhausted: bool
    """Whether it stopped because of its bound."""


def minimise(
    clients: int,
    seconds: float,
    impairments: tuple[str, ...],
    fails: Callable[[Limit], bool],
    trials: int = TRIALS,
) -> Found:
    """The smallest limit found under which it still fails, from a failure at `seconds` with `clients`."""
    best, used, tried = Limit(), 0, set()
    improved = True
    while improved:
        improved = False
        for candidate in _smaller(best, clients, seconds, impairments):
            if candidate in tried:
                continue
            if used >= trials:
                return Found(best, used, True)
            tried.add(candidate)
            used += 1
            if fails(candidate):
                best, improved = candidate, True
                break
    return Found(best, used, False)


def _smaller(best: Limit, clients: int, seconds: float, impairments: tuple[str, ...]) -> Iterator[Limit]:
    """Candidates, the boldest first."""
    now = best.clients if best.clients is not None else clients
    for count in dict.fromkeys((1, 2, now // 2, now - 1)):
        if 1 <= count < now:
            yield replace(best, clients=count)
    for name in impairments:
        if name not in best.without:
            yield replace(best, without=tuple(sorted({*best.without, name})))
    length = best.seconds if best.seconds is not None else seconds
    # A failure is noticed when the test looks: a quarter less is as bold as helps.
    for share in (0.25, 0.5, 0.75):
        shorter = round(length * share, 1)
        if shorter >= 1 and length - shorter >= 1:
            yield replace(best, seconds=shorter)


def impairments_of(told: Mapping[str, Any]) -> tuple[str, ...]:
    """Which of a profile's impairments can be left out."""
    found = set()
    for place in (told, *told.get("clients", {}).values()):
        for side in (place, place.get("up") or {}, place.get("down") or {}):
            found |= {name for name in IMPAIRMENTS if side.get(name)}
    return tuple(name for name in IMPAIRMENTS if name in found)


def described(limit: Limit) -> str:
    """For a person."""
    return limit.text() or "nothing could be left out"
