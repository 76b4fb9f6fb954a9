"""The command line as one checked value."""

from __future__ import annotations

import argparse
import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from relay._arguments import Parser, address, control_limits, limits, port, shards
from relay._bounds import Bounds

from .._generated.constants import Bound
from . import protocol

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
DEFAULT_GAME = "samples.arena:Arena"
"""What is run when nothing is named and the checkout has it; else rooms without rules."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the host is to do. Times are seconds; port 0 is any free one."""

    port: int = 7777
    control_port: int = 4433
    admin_port: int = 9464
    bind: str = "127.0.0.1"
    admin_bind: str = "127.0.0.1"
    game: str | None = None
    """MODULE:CLASS; none: the default."""
    command: tuple[str, ...] = ()
    """The program of `--exec`; empty: this process runs the game."""
    room: str = "main"
    """The room that is open from the start."""
    bots: int = 0
    cert: Path | None = None
    key: Path | None = None
    jwks: str | None = None
    open_scope: str | None = None
    """None: a token is needed. Empty: everyone may do everything. Else a namespace prefix."""
    dev_lan: bool = False
    duration: float | None = None
    exit_when_empty: float | None = None
    drain: float = 5.0
    """How long sessions have to go after GOAWAY."""
    limits: Mapping[Bound, int] = field(default_factory=dict)
    """Bounds other than their defaults: docs/limits.md."""
    control_limits: Bounds = field(default_factory=Bounds)
    """Those of the control stack."""
    json_log: bool = False
    verbose: bool = False
    shards: int = 1
    """I/O threads that serve the port."""

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return ipaddress.ip_address(self.bind).is_loopback


def parse(arguments: Sequence[str]) -> Options:
    """The options. Ends the process with code 2 and one line if they are wrong."""
    parser = _parser()
    given = parser.parse_args(arguments)
    dev_lan = given.dev_lan
    bind = given.bind or ("0.0.0.0" if dev_lan else "127.0.0.1")
    options = Options(
        port=given.port,
        control_port=given.control_port,
        admin_port=given.admin_port,
        bind=bind,
        admin_bind=given.admin_bind,
        game=given.game,
        command=tuple(given.exec or ()),
        room=given.room,
        bots=given.bots,
        cert=given.cert,
        key=given.key,
        jwks=given.jwks,
        open_scope=given.open,
        dev_lan=dev_lan,
        duration=given.duration,
        exit_when_empty=given.exit_when_empty,
        drain=given.drain,
        limits=given.limits,
        control_limits=given.control_limits,
        json_log=given.log == "json",
        verbose=given.verbose,
        shards=given.shards,
    )
    wrong = _conflict(options, given)
    if wrong:
        parser.error(wrong)
    return options


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m transport.host",
        allow_abbrev=False,
        description="A game server host: relay, rooms, tick loop, health and metrics in one process.",
    )
    add = parser.add_argument
    add("--port", type=port, default=7777, help="UDP port for players (7777; 0: any free one)")
    add("--control-port", type=port, default=4433, help="port of the control stack (4433)")
    add("--admin-port", type=port, default=9464, help="port of the live page, metrics and health (9464)")
    add("--bind", type=address, metavar="ADDRESS", help="address to listen on (127.0.0.1)")
    add("--admin-bind", type=address, default="127.0.0.1", metavar="ADDRESS", help="and the live page's")
    add("--game", metavar="MODULE:CLASS", type=_game, help="the game to run")
    add("--room", default="main", type=_room, help="the room that is open from the start (main)")
    add("--bots", type=_count, default=0, metavar="N", help="players of the game's own, over real UDP")
    add("--shards", type=shards, default=1, metavar="N", help="I/O threads (1; auto: one a core)")
    add("--mesh", metavar="URL", help=argparse.SUPPRESS)
    add("--cert", type=Path, metavar="F", help="certificate chain, PEM")
    add("--key", type=Path, metavar="F", help="its private key, PEM")
    add("--jwks", metavar="F|URL", help="keys that tokens are checked with")
    add(
        "--open",
        nargs="?",
        const="",
        metavar="PREFIX",
        help="no tokens: everyone may publish and subscribe (below PREFIX)",
    )
    add("--dev-lan", action="store_true", help="development credentials for the local network, too")
    add("--duration", type=_seconds, metavar="S", help="stop after so long (90, 15m, 1h)")
    add("--exit-when-empty", type=_seconds, metavar="S", help="stop when nobody was there for so long")
    add("--drain", type=_seconds, default=5.0, metavar="S", help="how long players have to go at the end (5)")
    add(
        "--limits",
        type=limits,
        default={},
        metavar="NAME=N,...",
        help="bounds other than their defaults, such as streams_max=256,past_bytes=64m",
    )
    add(
        "--control-limits",
        type=control_limits,
        default=Bounds(),
        metavar="NAME=N,...",
        help="the same of the control stack, such as connections=64,body_bytes=8k",
    )
    add("--log", choices=("text", "json"), default="text", help="how to say what happens")
    add("-v", "--verbose", action="store_true", help="say more, with tracebacks of a game's errors")
    add("--exec", nargs=argparse.REMAINDER, metavar="CMD", help="run a game server program; comes last")
    return parser


def _conflict(options: Options, given: argparse.Namespace) -> str:
    if given.mesh is not None:
        return (
            "--mesh: relays do not find each other: name those to join with --upstream URL, "
            "an option of python -m relay"
        )
    if (options.cert is None) != (options.key is None):
        return "--cert and --key belong together: pass both files"
    if given.exec is not None and not options.command:
        return "--exec: name the program to run after it"
    if options.command and (options.game or options.bots):
        return "--exec runs a game server of its own: leave --game and --bots out"
    if not options.loopback and options.cert is None and not options.dev_lan:
        return (
            f"--bind {options.bind}: development credentials are for this machine: "
            "pass --cert and --key, or --dev-lan for the local network"
        )
    if options.dev_lan and options.cert is not None:
        return "--dev-lan is for development credentials: leave it out beside --cert"
    if options.open_scope == "" and not options.loopback:
        return "--open without tokens beyond this machine needs a namespace prefix: --open PREFIX"
    return ""


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) > 1_000:
        raise argparse.ArgumentTypeError(f"{text!r}: pass a number from 0 to 1000")
    return int(text)


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text)
    if not match or not 0 < float(match[1]) * _UNITS[match[2]] <= 1e7:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: pass seconds above 0, or 15m, 1h, 7d")
    return float(match[1]) * _UNITS[match[2]]


def _game(text: str) -> str:
    if not re.fullmatch(r"[\w.]+:\w+", text):
        raise argparse.ArgumentTypeError(f"{text!r}: pass MODULE:CLASS, such as samples.arena:Arena")
    return text


def _room(text: str) -> str:
    try:
        return protocol.room_name(text)
    except ValueError as wrong:
        raise argparse.ArgumentTypeError(str(wrong)) from None
