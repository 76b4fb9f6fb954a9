"""Play or watch the arena in a terminal: `python -m samples.arena.watch`.

Reads CLUTCHCALL_URL, CLUTCHCALL_TOKEN and CLUTCHCALL_CERT_SHA256, as the host prints them. W, A, S, D or the
arrow keys run, space shoots at the nearest, P plays by itself, Q leaves.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import math
import os
import shutil
import sys
import time
from collections import deque
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import numpy as np

import transport

from .client import Player
from .world import ALIVE, DOWN, FIRE, FULL_HEALTH, HALF, LEFT, PRESENT, RANGE, RIGHT, UNITS, UP

FRAMES_PER_SECOND = 30
HOLD = 0.25
"""How long a key counts as held after it was last heard, seconds: terminals do not tell of releases."""
KEYS = {
    "w": UP, "a": LEFT, "s": DOWN, "d": RIGHT, " ": FIRE,
    "\x1b[A": UP, "\x1b[B": DOWN, "\x1b[C": RIGHT, "\x1b[D": LEFT,
}  # fmt: skip
ARROWS = "→↗↑↖←↙↓↘"


class Hands:
    """What is pressed: by keys, or by itself."""

    def __init__(self, automatic: bool) -> None:
        self.automatic = automatic
        self.leaving = False
        self.aim = 0
        self._until: dict[int, float] = {}

    def key(self, text: str) -> None:
        """A key was pressed."""
        if text in ("q", "\x03"):
            self.leaving = True
        elif text == "p":
            self.automatic = not self.automatic
        elif text in KEYS:
            self.automatic = False
            self._until[KEYS[text]] = time.monotonic() + HOLD

    def buttons(self, player: Player) -> int:
        """What is down now; aims at the nearest player."""
        here = _mine(player)
        target = _nearest(player, here)
        if target is not None and here is not None:
            dx, dy = target[0] - here[0], target[1] - here[1]
            self.aim = round(math.atan2(dy, dx) * 256 / (2 * math.pi)) & 0xFF
            if self.automatic:
                far = math.hypot(dx, dy)
                run = (RIGHT if dx > 0 else LEFT) | (UP if dy > 0 else DOWN) if far > 15 else UP | LEFT
                return run | (FIRE if far < RANGE * 0.8 else 0)
        now = time.monotonic()
        return sum(button for button, until in self._until.items() if until > now)


class Screen:
    """Draws lines in place: with rich where it is installed, else with ANSI."""

    def __init__(self) -> None:
        self._live: Any = None
        if importlib.util.find_spec("rich") is not None:
            from rich.live import Live

            self._live = Live(auto_refresh=False, screen=sys.stdout.isatty(), transient=True)
            self._live.start()
        elif sys.stdout.isatty():
            sys.stdout.write("\x1b[?1049h\x1b[?25l")

    def show(self, lines: list[str]) -> None:
        """The next picture."""
        if self._live is not None:
            from rich.text import Text

            self._live.update(Text.from_ansi("\n".join(lines)), refresh=True)
        else:
            sys.stdout.write("\x1b[H" + "\x1b[K\r\n".join(lines) + "\x1b[J")
            sys.stdout.flush()

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._live is not None:
            self._live.stop()
        elif sys.stdout.isatty():
            sys.stdout.write("\x1b[?25h\x1b[?1049l")
            sys.stdout.flush()


def draw(player: Player, log: deque[str], width: int, height: int) -> list[str]:
    """The arena as text, the own player as a bright arrow; below it the link and the last events."""
    columns, rows = max(20, width - 2), max(6, height - 8)
    grid = [[" "] * columns for _ in range(rows)]
    state = player.state
    scores: list[tuple[int, str]] = []
    if state is not None:
        for slot in range(len(state)):
            of = state[slot]
            if not of["flags"] & PRESENT:
                continue
            name = player.names.get(slot, f"#{slot}")
            scores.append((int(of["score"]), name))
            column = round((int(of["x"]) / UNITS + HALF) / (2 * HALF) * (columns - 1))
            row = round((HALF - int(of["y"]) / UNITS) / (2 * HALF) * (rows - 1))
            mark = ARROWS[round(int(of["aim"]) / 32) % 8] if of["flags"] & ALIVE else "x"
            colour = "1;32" if slot == player.slot else "31" if not of["flags"] & ALIVE else "36"
            grid[row][column] = f"\x1b[{colour}m{mark}\x1b[0m"
    lines = [
        "+" + "-" * columns + "+",
        *("|" + "".join(row) + "|" for row in grid),
        "+" + "-" * columns + "+",
    ]
    stats = player.link.stats()
    mine = state[player.slot] if state is not None and player.slot >= 0 else None
    health = f"{int(mine['health'])}/{FULL_HEALTH}" if mine is not None else "-"
    lead = "-" if player.lead is None else f"{player.lead:.1f}"
    lines.append(
        f"{player.link.peer_id[:12]}  health {health}  "
        f"score {int(mine['score']) if mine is not None else 0}  tick {player.tick}  "
        f"rtt {stats.rtt * 1e3:.1f} ms  lead {lead}  "
        f"{'up' if player.link.is_up else 'reconnecting'}"
    )
    best = sorted(scores, reverse=True)[:5]
    lines.append("best: " + ", ".join(f"{name} {score}" for score, name in best))
    lines += list(log)[-3:]
    return lines


def tell(event: dict[str, Any], player: Player) -> str | None:
    """An event as a line; none for what need not be read."""

    def name(slot: int) -> str:
        return player.names.get(slot, f"#{slot}")

    match event["type"]:
        case "chat":
            return f"<{event['peer']}> {event['text'][:60]}"
        case "joined":
            return f"{event['peer']} joined"
        case "hit" if not event["health"]:
            return f"{name(event['by'])} shot {name(event['of'])}"
    return None


async def play(room: str, automatic: bool, seconds: float | None) -> int:
    """Until Q, the end of the time, or of the link; the number of snapshots had."""
    hands, log, snapshots = Hands(automatic), deque[str](maxlen=8), 0
    async with transport.connect() as link, Player(link, room) as player:
        with keys(hands), contextlib.closing(Screen()) as screen:
            end = None if seconds is None else time.monotonic() + seconds
            while not hands.leaving and (end is None or time.monotonic() < end):
                before = player.tick
                log.extend(line for event in player.receive() if (line := tell(event, player)))
                snapshots += player.tick != before
                player.send(hands.buttons(player), hands.aim)
                screen.show(draw(player, log, *shutil.get_terminal_size((80, 24))))
                await asyncio.sleep(1 / FRAMES_PER_SECOND)
    return snapshots


@contextlib.contextmanager
def keys(hands: Hands) -> Iterator[None]:
    """Tell `hands` of keys while this lasts, where standard input is a terminal that can."""
    try:
        import termios
        import tty
    except ImportError:  # Windows
        yield
        return
    if not sys.stdin.isatty():
        yield
        return
    number = sys.stdin.fileno()
    before = termios.tcgetattr(number)
    loop = asyncio.get_running_loop()

    def read() -> None:
        text = os.read(number, 64).decode("utf-8", "ignore")
        for known in ("\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D"):
            if known in text:
                hands.key(known)
                text = text.replace(known, "")
        for letter in text:
            hands.key(letter.lower())

    tty.setcbreak(number)
    loop.add_reader(number, read)
    try:
        yield
    finally:
        loop.remove_reader(number)
        termios.tcsetattr(number, termios.TCSADRAIN, before)


def _place(of: np.void) -> tuple[float, float]:
    """In metres."""
    return float(of["x"]) / UNITS, float(of["y"]) / UNITS


def _mine(player: Player) -> tuple[float, float] | None:
    state = player.state
    return None if state is None or player.slot < 0 else _place(state[player.slot])


def _nearest(player: Player, here: tuple[float, float] | None) -> tuple[float, float] | None:
    state = player.state
    if state is None or here is None:
        return None
    standing = np.flatnonzero(state["flags"] & ALIVE).tolist()
    others = [_place(state[slot]) for slot in standing if slot != player.slot]
    return min(others, key=lambda there: math.dist(here, there), default=None)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m samples.arena.watch", description=__doc__)
    parser.add_argument("--auto", action="store_true", help="play by itself from the start")
    parser.add_argument("--seconds", type=float, help="leave after so long")
    options = parser.parse_args(arguments)
    room = urlsplit(os.environ.get("CLUTCHCALL_URL", "")).path.strip("/") or "main"
    try:
        snapshots = asyncio.run(play(room, options.auto or not sys.stdin.isatty(), options.seconds))
    except (transport.Error, KeyboardInterrupt) as wrong:
        print(f"watch: {wrong}" if str(wrong) else "watch: interrupted", file=sys.stderr)
        return 1
    print(f"left after {snapshots} pictures with news")
    return 0 if snapshots else 1


if __name__ == "__main__":
    sys.exit(main())
