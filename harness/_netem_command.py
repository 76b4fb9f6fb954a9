"""`python -m harness.netem`. Exit codes: 0 done, 1 failed at its work, 2 wrong arguments."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from harness import _netem_keys as keys
from harness._netem_figures import Counters
from harness._netem_process import PROFILES, NetemError, Process
from harness._netem_view import Plain, View, live, summary

_HELP = "typed while it runs: profile NAME|FILE, pause, resume, quit; Ctrl-C ends with a summary"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the proxy until it is told to stop."""
    parser = argparse.ArgumentParser(
        "python -m harness.netem", description=__doc__, epilog=_HELP, allow_abbrev=False
    )
    parser.add_argument(
        "--listen", default="127.0.0.1:0", metavar="HOST:PORT", help="where clients send to (any free port)"
    )
    parser.add_argument("--to", metavar="HOST:PORT", help="where their packets go")
    parser.add_argument("--profile", metavar="NAME|FILE", help="what befalls them; --list tells the names")
    parser.add_argument(
        "--seed", default="1", metavar="N", help="what every random decision follows from (1)"
    )
    parser.add_argument("--from", metavar="IP|client", help="the address that the target sees")
    parser.add_argument("--name", metavar="NAME", help="what the profile's clients call everyone")
    parser.add_argument("--reverse", action="store_true", help="the network is the target's")
    parser.add_argument("--clients", default="1024", metavar="N", help="the most clients at once (1024)")
    parser.add_argument(
        "--idle", default="300", metavar="S", help="forget a client after so many silent seconds (300)"
    )
    parser.add_argument("--list", action="store_true", help="list the profiles and end")
    parser.add_argument("--json", action="store_true", help="print the program's own lines of JSON")
    chosen = parser.parse_args(arguments)
    if chosen.list:
        for name, description in profiles():
            print(f"{name:<18} {description}")
        return 0
    for option in ("to", "profile"):
        if getattr(chosen, option) is None:
            parser.error(f"--{option} is missing")
    words = [
        f"--{name}={getattr(chosen, name)}" for name in ("listen", "to", "profile", "seed", "clients", "idle")
    ]
    words += [f"--{name}={value}" for name in ("from", "name") if (value := getattr(chosen, name))]
    words += ["--reverse"] if chosen.reverse else []
    try:
        _run(words, f"{chosen.to}, seed {chosen.seed}", as_json=chosen.json)
    except NetemError as wrong:
        print(f"netem: {wrong}", file=sys.stderr)
        return wrong.code
    except KeyboardInterrupt:
        return 0  # before anything had passed
    except BrokenPipeError:
        # Whoever read the output has gone; the interpreter must not try to flush to it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


def profiles() -> Iterator[tuple[str, str]]:
    """The profiles at hand by name, with what each stands for."""
    for path in sorted(PROFILES.glob("*.json")):
        try:
            told = str(json.loads(path.read_text("utf-8"))["description"])
        except (OSError, ValueError, KeyError, TypeError) as wrong:
            told = f"cannot be read: {wrong}"
        yield path.stem, " ".join(told.split())


Event = tuple[str, str, dict[str, Any] | None]
"""What happened: ("line", text, parsed), ("typed", command, None) or ("key", letter, None)."""


def _run(words: Sequence[str], about: str, *, as_json: bool) -> None:
    # The program's lines are bounded by what it says in the time that a slow terminal takes.
    events: queue.Queue[Event] = queue.Queue()
    process = Process(words, lambda text, line: events.put(("line", text, line)))
    names = [name for name, _ in profiles()]
    with contextlib.ExitStack() as stack:
        stack.callback(process.end)
        view: View = Plain(print)
        if not as_json and sys.stdout.isatty():
            view = stack.enter_context(live(names))
        typed = keys.pressed if view.takes_keys and keys.possible() else keys.typed
        kind = "key" if typed is keys.pressed else "typed"
        if typed is keys.pressed:
            stack.enter_context(keys.unbuffered())
        threading.Thread(
            target=_listen, args=(typed, lambda what: events.put((kind, what, None))), daemon=True
        ).start()
        stack.enter_context(_terminable())
        if not as_json:
            view.begin(f"{process.address} -> {about}")
        with contextlib.suppress(KeyboardInterrupt):
            while _handle(_next(events, process), process, view, names, as_json):
                pass
    last = process.latest
    if as_json:
        _drain(events)
    elif last is not None:
        print(summary(last))


def _next(events: queue.Queue[Event], process: Process) -> Event:
    """What happens next. Raises `NetemError` if the program has ended by itself."""
    while True:
        # A wait without end could not be interrupted on Windows.
        with contextlib.suppress(queue.Empty):
            return events.get(timeout=0.25)
        if not process.is_alive and events.empty():
            raise process.gone()


def _handle(event: Event, process: Process, view: View, names: Sequence[str], as_json: bool) -> bool:
    """Whether to go on."""
    kind, what, line = event
    if kind == "line" and as_json:
        print(what, end="", flush=True)
    elif kind == "line":
        assert line is not None
        if line["type"] == "stats" and not line["last"] and process.latest is not None:
            view.figures(process.latest)
        elif line["type"] == "notice":
            view.say(line["text"])
    else:
        command = what if kind == "typed" else _of_key(what, names, process.latest)
        if command == "quit":
            return False
        if command:
            try:
                process.ask(command)
            except NetemError as wrong:
                if not process.is_alive:
                    raise
                if not as_json:
                    view.say(str(wrong))
            else:
                if not as_json:
                    view.say(command)
    return True


def _of_key(key: str, names: Sequence[str], latest: Counters | None) -> str:
    """The command that a key stands for; empty: none."""
    if key in ("q", "Q", "\x03"):
        return "quit"
    if key in ("p", "P"):
        return "resume" if latest is not None and latest.paused else "pause"
    if key in ("r", "R"):
        return "rebind"
    if key.isascii() and key.isdigit() and 0 < int(key) <= len(names):
        return f"profile {names[int(key) - 1]}"
    return ""


def _listen(source: Callable[[], Iterator[str]], put: Callable[[str], None]) -> None:
    for what in source():
        put(what)


def _drain(events: queue.Queue[Event]) -> None:
    """Print the lines that came while the program was ending."""
    while not events.empty():
        kind, text, _ = events.get()
        if kind == "line":
            print(text, end="", flush=True)


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """Within it, a polite request to end is what Ctrl-C is."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
