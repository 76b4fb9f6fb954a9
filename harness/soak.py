"""Bots play a game over bad networks: `python -m harness.soak SCENARIO [--seed N] [--live] ...`

A scenario says who plays how, and what came of it is written to a folder: a page, JSON and JUnit. Time is
virtual: two runs with one seed are the same run, and a minute takes seconds. `--live`: real sockets, real
time, the same scenario. A SCENARIO is a name (`--list` tells them) or a .toml file.

Exit codes: 0 all that was expected held, 1 not, or it could not run, 2 wrong arguments.
"""

from __future__ import annotations

import argparse
import contextlib
import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, Final

from harness import _scenario
from harness._scenario import MAX_CLIENTS, MAX_SECONDS, Scenario, ScenarioError
from harness.record import Meta, Recorder, RecordError, one_line
from transport.host import Game

_FOLDER: Final = Path("runs")
"""Where reports go that nobody named a place for."""


class SoakError(Exception):
    """It cannot run. One line."""

    def __init__(self, text: str, code: int = 1) -> None:
        super().__init__(text)
        self.code = code
        """A program's exit code: 1 failed at its work, 2 wrong arguments."""


def main(arguments: Sequence[str] | None = None, say: Callable[[str], object] = print) -> int:
    """Run a scenario."""
    chosen = _parser().parse_args(arguments)
    if chosen.list:
        for name, description in _scenario.names():
            say(f"{name:<14} {description}")
        return 0
    try:
        if chosen.scenario is None:
            raise SoakError("which scenario? --list tells their names, and a file ends in .toml", 2)
        return _run(chosen, say)
    except ScenarioError as wrong:
        print(f"soak: {wrong}", file=sys.stderr)
        return 2
    except SoakError as wrong:
        print(f"soak: {wrong}", file=sys.stderr)
        return wrong.code
    except RecordError as wrong:
        print(f"soak: --report: {wrong}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("soak: interrupted", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m harness.soak",
        description=__doc__,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("scenario", nargs="?", metavar="SCENARIO", help="what is played")
    add("--seed", type=_seed, default=1, metavar="N", help="what everything follows from, 0 .. 2^64 - 1 (1)")
    add("--duration", type=_seconds, metavar="S", help='how long: 90, "2m", "1h"; the scenario\'s own if not')
    add("--clients", type=_clients, metavar="N", help="how many bots; the scenario's own number if not said")
    add("--nightly", action="store_true", help="the scenario's nightly length")
    add("--live", action="store_true", help="real sockets and real time")
    add("--crypto", choices=("null", "tls"), default="null", help="virtual time: null repeats exactly (null)")
    add("--report", metavar="DIR", help="where the report goes (runs/SCENARIO-SEED)")
    add("--list", action="store_true", help="list the scenarios and end")
    return parser


def _run(chosen: argparse.Namespace, say: Callable[[str], object]) -> int:
    scenario = _scenario.load(chosen.scenario)
    if chosen.nightly and chosen.duration is not None:
        raise SoakError("--nightly and --duration: both say how long: leave one out", 2)
    seconds = chosen.duration or (scenario.nightly if chosen.nightly else scenario.duration)
    clients = chosen.clients or scenario.clients
    game = _game(scenario, chosen.scenario)
    folder = Path(chosen.report) if chosen.report else _FOLDER / f"{scenario.name}-{chosen.seed}"
    meta = Meta.here(
        scenario.name,
        seed=chosen.seed,
        profile=", ".join(f"{share:.0%} {name}" for name, share in scenario.networks.items()),
        clock="real" if chosen.live else "virtual",
        clients=clients,
        command=_command(chosen),
    )
    recorder: Recorder | None = None
    wrong = ""
    try:
        with _terminable(), Recorder(folder, meta) as recorder:
            _play(scenario, game, recorder, clients, seconds, chosen, say)
    except KeyboardInterrupt:
        wrong = "interrupted"
    except (RecordError, SoakError):
        raise
    except Exception as raised:
        # A bot, the game or a machine raised; the report is written, and the notes say who and when.
        wrong = " ".join([one_line(raised), *getattr(raised, "__notes__", ())])
    assert recorder is not None
    recording = recorder.recording
    for check in recording.checks:
        say(f"{'held  ' if check.ok else 'FAILED'} {check.name}: {check.detail}")
    if recording.notes.get("log"):
        say(f"log {recording.notes['log']}")
    say(f"report {folder / 'report.html'}")
    if wrong:
        print(f"soak: {wrong}", file=sys.stderr)
    if not recording.ok:
        print(f"repeat: {meta.command}", file=sys.stderr)
    return 0 if recording.ok else 1


def _play(
    scenario: Scenario,
    game: type[Game],
    recorder: Recorder,
    clients: int,
    seconds: float,
    chosen: argparse.Namespace,
    say: Callable[[str], object],
) -> None:
    from harness._soak_run import Soak
    from harness._soak_view import view

    how = "real time" if chosen.live else "virtual time"
    title = f"{scenario.name}, seed {chosen.seed}"
    say(f"{title}: {clients} clients for {seconds:g} s of {how}")
    with _stage(chosen) as stage, view(title, say) as watch:
        Soak(stage, scenario, game, recorder, clients, seconds, watch).play()


@contextlib.contextmanager
def _stage(chosen: argparse.Namespace) -> Iterator[Any]:
    """Virtual or real."""
    from harness.netem import NetemError
    from harness.world import World, WorldError

    try:
        if chosen.live:
            from harness.live import Live

            made: Any = Live(chosen.seed, log_bytes=0)
        else:
            made = World(chosen.seed, crypto=chosen.crypto, log_bytes=0)
        with made as stage:
            yield stage
    except (WorldError, NetemError) as wrong:
        raise SoakError(str(wrong)) from None


def _game(scenario: Scenario, told: str) -> type[Game]:
    from transport.host._loader import LoadError, load_game

    try:
        return load_game(scenario.game)
    except LoadError as wrong:
        raise SoakError(f"{told}: game: {str(wrong).removeprefix('--game ')}", 2) from None


def _command(chosen: argparse.Namespace) -> str:
    words = ["python", "-m", "harness.soak", chosen.scenario, "--seed", str(chosen.seed)]
    words += ["--duration", f"{chosen.duration:g}"] if chosen.duration is not None else []
    words += ["--clients", str(chosen.clients)] if chosen.clients is not None else []
    words += ["--nightly"] if chosen.nightly else []
    words += ["--live"] if chosen.live else []
    words += ["--crypto", chosen.crypto] if chosen.crypto != "null" else []
    return shlex.join(words)


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM is an interruption, so that the report is written."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _seed(text: str) -> int:
    if not text.isdecimal() or int(text) >= 1 << 64:
        raise argparse.ArgumentTypeError(f"{text!r}: pass 0 to 2^64 - 1")
    return int(text)


def _seconds(text: str) -> float:
    found = _scenario.seconds(text)
    if found is None or not 1 <= found <= MAX_SECONDS:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: pass seconds from 1, or 2m, 1h, 7d")
    return found


def _clients(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MAX_CLIENTS:
        raise argparse.ArgumentTypeError(f"{text!r}: pass a number from 1 to {MAX_CLIENTS}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
