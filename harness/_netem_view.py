"""What the proxy does to the traffic, for a person: a live table by `rich`, or a line a second."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from harness._netem_figures import Counters, Direction

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

_SAID = 4
"""How many notices the table shows, the newest."""


class Plain:
    """A line for each second, and for each thing that happens."""

    takes_keys = False

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._before: Counters | None = None

    def begin(self, title: str) -> None:
        """Say where it listens and where packets go."""
        self._write(title)

    def say(self, text: str) -> None:
        """Something happened."""
        self._write(f"  {text}")

    def figures(self, now: Counters) -> None:
        """New figures came."""
        spent, up, down = since(now, self._before)
        self._before = now
        state = f"{now.profile}{', paused' if now.paused else ''}, {now.clients} clients"
        self._write(f"{now.at:6.0f} s  {state} | up {brief(up, spent)} | down {brief(down, spent)}")


class Table:
    """The live table."""

    takes_keys = True

    def __init__(self, console: Console, names: Sequence[str]) -> None:
        from rich.live import Live

        self._names = names
        self._title = ""
        self._said: list[str] = []
        self._before: Counters | None = None
        self._now: Counters | None = None
        self.live: Live = Live(console=console, auto_refresh=False)

    def begin(self, title: str) -> None:
        """Say where it listens and where packets go."""
        self._title = title
        self._show()

    def say(self, text: str) -> None:
        """Something happened."""
        self._said = [*self._said, text][-_SAID:]
        self._show()

    def figures(self, now: Counters) -> None:
        """New figures came."""
        self._before, self._now = self._now, now
        self._show()

    def _show(self) -> None:
        self.live.update(self._render(), refresh=True)

    def _render(self) -> RenderableType:
        from rich.console import Group
        from rich.table import Table as Grid
        from rich.text import Text

        now = self._now
        head = Text(self._title, style="bold")
        keys = "  ".join(
            f"{number}\N{NO-BREAK SPACE}{name}" for number, name in enumerate(self._names[:9], 1)
        )
        foot = Text(f"{keys}  p pause  q quit", style="dim")
        said = [Text(text, style="yellow") for text in self._said]
        if now is None:
            return Group(head, *said, foot)
        head.append(f"   {now.profile}", style="bold cyan")
        head.append("   paused" if now.paused else "", style="bold red")
        head.append(f"   {now.clients} clients of {now.clients_ever}   {now.at:.0f} s", style="")
        grid = Grid(expand=False)
        for name, side in (
            ("", "left"),
            ("up", "right"),
            ("down", "right"),
            ("up, all", "right"),
            ("down, all", "right"),
        ):
            grid.add_column(name, justify="right" if side == "right" else "left", min_width=10)
        spent, up, down = since(now, self._before)
        recent, whole = (up, down), (now.up, now.down)
        grid.add_row(
            "packets", *(f"{d.packets / spent:,.0f} /s" for d in recent), *(f"{d.packets:,}" for d in whole)
        )
        rates = (f"{d.bytes * 8 / spent / 1000:,.0f} kbit/s" for d in recent)
        grid.add_row("bytes", *rates, *(f"{d.bytes:,}" for d in whole))
        grid.add_row(
            "delivered",
            *(f"{d.delivered / spent:,.0f} /s" for d in recent),
            *(f"{d.delivered:,}" for d in whole),
        )
        grid.add_row("lost", *(loss(d) for d in recent), *(loss(d) for d in whole))
        for cause in now.up.lost:
            if now.up.lost[cause] or now.down.lost[cause]:
                grid.add_row(f"  {cause}", *(f"{d.lost[cause]:,}" for d in (*recent, *whole)))
        for what in ("duplicated", "corrupted", "reordered"):
            if getattr(now.up, what) or getattr(now.down, what):
                grid.add_row(what, *(f"{getattr(d, what):,}" for d in (*recent, *whole)))
        grid.add_row("delay p50", *(late(d, 0.5) for d in (*recent, *whole)))
        grid.add_row("delay p99", *(late(d, 0.99) for d in (*recent, *whole)))
        queues = (f"{d.waiting_packets:,} / {d.waiting_bytes / 1000:,.1f} kB" for d in recent)
        grid.add_row("queue", *queues, *(f"peak {d.queue_peak_bytes / 1000:,.1f} kB" for d in whole))
        outside = ", ".join(f"{name} {count:,}" for name, count in now.outside.items() if count)
        more = [Text(f"outside the model: {outside}", style="red")] if outside else []
        return Group(head, grid, *more, *said, foot)


View = Plain | Table


@contextlib.contextmanager
def live(names: Sequence[str]) -> Iterator[View]:
    """The table on this terminal; lines, if `rich` is not installed."""
    try:
        from rich.console import Console
    except ImportError:
        yield Plain(print)
        return
    table = Table(Console(), names)
    with table.live:
        yield table


def since(now: Counters, before: Counters | None) -> tuple[float, Direction, Direction]:
    """How many seconds passed, and what each direction did in them."""
    if before is None or before.at >= now.at:
        return max(now.at, 1e-3), now.up, now.down
    return now.at - before.at, now.up.since(before.up), now.down.since(before.down)


def brief(direction: Direction, spent: float) -> str:
    """One direction of `spent` seconds in a few words."""
    rate = f"{direction.packets / spent:,.0f}/s {direction.bytes * 8 / spent / 1000:,.0f} kbit/s"
    middle, high = (direction.delay.quantile(share) for share in (0.5, 0.99))
    delay = f"{middle * 1000:.1f}/{high * 1000:.1f} ms"
    return f"{rate} lost {causes(direction)} delay {delay} queue {direction.waiting_packets}"


def loss(direction: Direction) -> str:
    """How many were lost, and which share."""
    share = direction.lost_in_all / direction.packets if direction.packets else 0.0
    return f"{direction.lost_in_all:,} ({share:.1%})"


def causes(direction: Direction) -> str:
    """How many were lost, by cause."""
    told = ", ".join(f"{cause} {count}" for cause, count in direction.lost.items() if count)
    return f"{direction.lost_in_all} ({told})" if told else "0"


def late(direction: Direction, share: float) -> str:
    """The delay that `share` of what was delivered stayed below."""
    return f"{direction.delay.quantile(share) * 1000:,.1f} ms" if direction.delay.count else "-"


def summary(last: Counters) -> str:
    """The whole run in three or four lines."""
    lines = [f"{last.at:.1f} s, {last.clients_ever} clients, at last {last.profile}"]
    for name, way in (("up", last.up), ("down", last.down)):
        times = f"{way.delay.quantile(0.5) * 1000:.1f}/{way.delay.quantile(0.99) * 1000:.1f} ms"
        changed = f"{way.duplicated} duplicated, {way.corrupted} corrupted, {way.reordered} reordered"
        lines.append(
            f"{name:<5} {way.packets:,} packets, {way.bytes:,} bytes, delivered {way.delivered:,}, "
            f"lost {causes(way)}, {changed}, delay p50/p99 {times}, longest {way.delay.longest * 1000:.1f} ms"
        )
    outside = ", ".join(f"{name} {count}" for name, count in last.outside.items() if count)
    return "\n".join([*lines, *([f"outside the model: {outside}"] if outside else [])])
