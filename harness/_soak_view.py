"""What a person sees of a soak while it runs: figures on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any, Final

from harness._soak_run import Live

_LINE_EVERY: Final = 10.0
"""Seconds of real time between lines, where there is no terminal."""


def line(live: Live) -> str:
    """The figures in a line."""
    p99 = ", ".join(f"{kind} {value:.0f}" for kind, value in sorted(live.p99.items()))
    return (
        f"{live.at:6.0f} of {live.until:.0f} s, {live.speed:.1f}x | {live.playing} of {live.clients} play | "
        f"rtt {live.rtt[0]:.0f}/{live.rtt[1]:.0f} ms | p99 ms {p99 or '-'} | lost {live.loss:.1f}% | "
        f"drops {live.drops:.0f}/s | disconnects {live.disconnects}"
    )


@contextlib.contextmanager
def view(title: str, say: Callable[[str], object]) -> Iterator[Callable[[Live], object]]:
    """What to show each reading to."""
    if sys.stdout.isatty():
        with contextlib.suppress(ModuleNotFoundError):
            import rich  # noqa: F401

            with _Terminal(title) as shown:
                yield shown.show
            return
    yield _Lines(say).show


class _Lines:
    def __init__(self, say: Callable[[str], object]) -> None:
        self._say = say
        self._last = monotonic()

    def show(self, live: Live) -> None:
        if monotonic() - self._last >= _LINE_EVERY:
            self._last = monotonic()
            self._say(line(live))


class _Terminal:
    def __init__(self, title: str) -> None:
        from rich.console import Group
        from rich.live import Live as Screen
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self._bar = Progress(
            TextColumn(f"[bold]{title}"),
            BarColumn(None),
            TextColumn("{task.fields[at]}"),
            TimeElapsedColumn(),
        )
        self._task = self._bar.add_task("", total=1.0, at="")
        self._group = Group
        self._screen = Screen(self._bar, refresh_per_second=4, transient=True)

    def __enter__(self) -> _Terminal:
        self._screen.__enter__()
        return self

    def __exit__(self, *what: Any) -> None:
        self._screen.__exit__(*what)

    def show(self, live: Live) -> None:
        """Draw."""
        from rich.table import Table

        at = f"{live.at:.0f} of {live.until:.0f} s, {live.speed:.1f}x"
        self._bar.update(self._task, completed=live.at, total=live.until, at=at)
        table = Table.grid(padding=(0, 3))
        rows = [
            ("playing", f"{live.playing} of {live.clients}"),
            ("round trip p50 / p99", f"{live.rtt[0]:.1f} / {live.rtt[1]:.1f} ms"),
            *((f"{kind} p99", f"{value:.1f} ms") for kind, value in sorted(live.p99.items())),
            ("lost by networks", f"{live.loss:.2f}%"),
            ("drops", f"{live.drops:.1f}/s"),
            ("disconnects", str(live.disconnects)),
            ("last", live.newest or "-"),
        ]
        for name, value in rows:
            table.add_row(f"[dim]{name}", value)
        self._screen.update(self._group(self._bar, table))
