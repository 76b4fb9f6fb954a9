"""The command line of `python -m relay`, checked, as one value."""

from __future__ import annotations

import argparse
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from transport import BadArgument, BadUrl, Bound, Pinned
from transport._generated.constants import PORT_ADMIN, PORT_CONTROL, PORT_RELAY
from transport._url import parse as parse_url

from ._arguments import Parser, address, control_limits, limits, port, shards
from ._bounds import Bounds
from ._upstream import Upstream
from .token import seconds


@dataclass(frozen=True, slots=True)
class Options:
    """What the relay is to do. Times are seconds; port 0 is any free one."""

    port: int = PORT_RELAY
    control_port: int = PORT_CONTROL
    admin_port: int = PORT_ADMIN
    bind: str = "127.0.0.1"
    """Address of the relay and the control stack."""
    admin_bind: str = "127.0.0.1"
    cert: Path | None = None
    """None: development credentials."""
    key: Path | None = None
    jwks: str | None = None
    """None with development credentials: their own key."""
    audience: str = "clutchcall"
    issuer: str | None = None
    auth: str | None = None
    """MODULE:CALLABLE in place of the verifier."""
    open_scope: str | None = None
    """None: everybody needs a token. Empty: nobody does. Else nobody does below this prefix."""
    dev_lan: bool = False
    duration: float | None = None
    drain: float = 5.0
    """How long sessions have to go after GOAWAY."""
    limits: Mapping[Bound, int] = field(default_factory=dict)
    """Bounds other than their defaults: docs/limits.md."""
    control_limits: Bounds = field(default_factory=Bounds)
    """Those of the control stack."""
    drain_to: str = ""
    """Where they are sent; empty: nowhere in particular."""
    upstreams: tuple[Upstream, ...] = ()
    """Relays that this one joins."""
    json_log: bool = False
    verbose: bool = False
    shards: int = 1
    """I/O threads that serve the port."""

    @property
    def development(self) -> bool:
        """Whether it runs with development credentials."""
        return self.cert is None

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return ipaddress.ip_address(self.bind).is_loopback


def parse(arguments: Sequence[str] | None = None) -> Options:
    """The options. Ends the process with code 2 and one line if they are wrong."""
    parser = _parser()
    given = parser.parse_args(arguments)
    development = given.cert is None
    options = Options(
        port=given.port,
        control_port=given.control_port,
        admin_port=given.admin_port,
        bind=given.bind or ("127.0.0.1" if development and not given.dev_lan else "0.0.0.0"),
        admin_bind=given.admin_bind,
        cert=given.cert,
        key=given.key,
        jwks=given.jwks,
        audience=given.audience,
        issuer=given.issuer,
        auth=given.auth,
        open_scope=given.open,
        dev_lan=given.dev_lan,
        duration=given.duration,
        drain=given.drain,
        limits=given.limits,
        control_limits=given.control_limits,
        drain_to=given.drain_to or "",
        upstreams=tuple(given.upstream),
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
        prog="python -m relay",
        description="A ClutchCall relay: routes tracks between sessions that hold tokens.",
    )
    add = parser.add_argument
    add("--port", type=port, default=PORT_RELAY, metavar="N", help="UDP port (443; 0: any free one)")
    add("--control-port", type=port, default=PORT_CONTROL, metavar="N", help="of the control stack (4433)")
    add("--admin-port", type=port, default=PORT_ADMIN, metavar="N", help="of metrics and health (9464)")
    add(
        "--bind",
        type=address,
        metavar="ADDRESS",
        help="127.0.0.1 with development credentials, else 0.0.0.0",
    )
    add("--admin-bind", type=address, default="127.0.0.1", metavar="ADDRESS", help="the same for metrics")
    add("--shards", type=shards, default="auto", metavar="N", help="I/O threads (auto: one a core)")
    add("--mesh", metavar="URL", help=argparse.SUPPRESS)
    add("--cert", type=Path, metavar="F", help="certificate chain, PEM")
    add("--key", type=Path, metavar="F", help="its private key, PEM")
    add("--jwks", metavar="F|URL", help="keys that tokens are checked with: a JWKS document or PEM")
    add(
        "--audience",
        default="clutchcall",
        metavar="A",
        help="the audience that tokens must name (clutchcall)",
    )
    add("--issuer", metavar="I", help="the issuer that tokens must name (any)")
    add("--auth", metavar="MODULE:CALLABLE", help="decides on sessions in place of --jwks")
    add(
        "--open",
        nargs="?",
        const="",
        metavar="PREFIX",
        help="without a token everyone may do all below PREFIX",
    )
    add("--dev-lan", action="store_true", help="development credentials beyond this machine, too")
    add("--duration", type=_seconds, metavar="S", help="stop after so long (90, 15m, 1h)")
    add(
        "--drain", type=_seconds, default=5.0, metavar="S", help="how long sessions have to go at the end (5)"
    )
    add("--drain-to", type=_url, metavar="URL", help="where sessions are sent at the end")
    add(
        "--upstream",
        action=_Upstream,
        default=[],
        metavar="URL",
        help="join the relay there: tracks of either are had on both (repeatable)",
    )
    add(
        "--upstream-token-file",
        action=_Upstream,
        metavar="F",
        help="of the --upstream before it: a file with the token to show; a newer one is taken as it comes",
    )
    add(
        "--upstream-cert-sha256",
        action=_Upstream,
        metavar="H",
        help="of the --upstream before it: trust the certificate with this hash (else the system's roots)",
    )
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
    add("-v", "--verbose", action="store_true", help="say more")
    return parser


def _conflict(options: Options, given: argparse.Namespace) -> str:
    if given.mesh is not None:
        return "--mesh: relays do not find each other: name those to join with --upstream URL"
    if (options.cert is None) != (options.key is None):
        return "--cert and --key belong together: pass both files"
    if options.development and not options.loopback and not options.dev_lan:
        return (
            f"--bind {options.bind}: development credentials are for this machine: "
            "pass --cert and --key, or --dev-lan for the local network"
        )
    if options.dev_lan and not options.development:
        return "--dev-lan is for development credentials: leave it out beside --cert"
    if options.open_scope == "" and not options.loopback:
        return "--open beyond this machine needs a namespace prefix: pass --open PREFIX"
    if options.open_scope and (options.open_scope == "*" or "" in options.open_scope.split("/")):
        return f"--open {options.open_scope}: pass a namespace prefix such as games/lobby"
    if options.auth is not None and options.jwks is not None:
        return "--auth takes the place of --jwks: pass one of them"
    if (
        not options.development
        and options.jwks is None
        and options.auth is None
        and options.open_scope is None
    ):
        return "no way to check tokens: pass --jwks FILE or URL, --auth MODULE:CALLABLE, or --open PREFIX"
    return ""


class _Upstream(argparse.Action):
    """`--upstream` begins one; the options that belong to it follow."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        value = str(values)
        named: list[Upstream] = list(namespace.upstream)
        if self.dest == "upstream":
            try:
                named.append(Upstream(parse_url(value).text))
            except BadUrl as wrong:
                parser.error(f"--upstream: {wrong}")
        elif not named:
            parser.error(f"{option_string}: it belongs to an --upstream: pass that before it")
        elif self.dest == "upstream_token_file":
            path = Path(value)
            if not path.is_file():
                parser.error(f"{option_string} {value}: there is no such file")
            named[-1] = replace(named[-1], token_file=path)
        else:
            try:
                named[-1] = replace(named[-1], cert_sha256=Pinned(value).sha256)
            except BadArgument as wrong:
                parser.error(f"{option_string}: {wrong}")
        namespace.upstream = named


def _url(text: str) -> str:
    try:
        return parse_url(text).text
    except BadUrl as wrong:
        raise argparse.ArgumentTypeError(str(wrong)) from None


def _seconds(text: str) -> float:
    try:
        return seconds(text)
    except ValueError as wrong:
        raise argparse.ArgumentTypeError(str(wrong)) from None
