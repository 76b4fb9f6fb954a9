"""Other implementations to be measured beside: what they are, whether they are there, and their turns.

Each runs as a server in a process of its own, which passes what one client sends on to all others, and a
**player** in another, which is the publisher and all subscribers (`benchmarks/peers`). moq-relay speaks MoQT,
and its player drives our relay as well, so that both are measured by one generator of load. `python3 dev.py
bench --build-peers` builds them.
"""

from __future__ import annotations

import importlib.util
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from harness._bench_case import BenchError, Peer, Turn
from harness._bench_program import PATIENCE, ROOT, Program, cpu_seconds, module, program
from transport import credentials

BUILT: Final = ROOT / "core/target/peers/release"
"""Where the programs are built."""
BUILD: Final = "python3 dev.py bench --build-peers"
MOQ: Final = "moq-relay"
DRAFT: Final = "22"
"""What moq-relay is held to: the draft that our links prefer."""
_HALF: Final = 0.5


@dataclass(frozen=True, slots=True)
class Load:
    """What a player sends."""

    subscribers: int
    tracks: int
    hz: float
    size: int = 200
    objects: int = 0
    """Of a subgroup stream; 0: datagrams."""

    def words(self, *, streams: bool = True) -> list[str]:
        """For a player's command line."""
        objects = [self.objects] if streams else []
        return [str(one) for one in (self.subscribers, self.tracks, self.hz, self.size, *objects)]


@dataclass(frozen=True, slots=True)
class Running:
    """A server that runs, and how its player is started."""

    pid: int
    player: Callable[[Load], Sequence[str]]
    url: str = ""
    """For links of ours, where it speaks MoQT."""
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Other:
    """Another implementation."""

    name: str
    about: str
    needs: Callable[[], str]
    """What is missing, as the command that brings it; empty: it is there."""
    serve: Callable[[ExitStack, Load], Running]
    streams: bool = False
    """Whether it carries subgroup streams."""


def _built(name: str) -> Path:
    return BUILT / (name + (".exe" if sys.platform == "win32" else ""))


def _certificate(stack: ExitStack) -> tuple[str, str, str]:
    """Files of a fresh certificate and its key, and its hash."""
    folder = Path(stack.enter_context(TemporaryDirectory(prefix="bench")))
    made = credentials.make_certificate()
    (folder / "cert.pem").write_bytes(made.certificate)
    (folder / "key.pem").write_bytes(made.key)
    return str(folder / "cert.pem"), str(folder / "key.pem"), made.sha256


def _player(*words: str) -> Callable[[Load], Sequence[str]]:
    return lambda load: [str(_built("bench-peers")), "play", *words, *load.words()]


def _quinn(stack: ExitStack, load: Load) -> Running:
    certificate, key, _ = _certificate(stack)
    server = stack.enter_context(
        program([str(_built("bench-peers")), "serve", "quinn", certificate, key], "quinn")
    )
    return Running(server.pid, _player("quinn", server.said(), certificate))


def _aioquic(stack: ExitStack, load: Load) -> Running:
    certificate, key, _ = _certificate(stack)
    server = stack.enter_context(program(module("harness._bench_aioquic", certificate, key), "aioquic"))
    return Running(server.pid, _player("quinn", server.said(), certificate))


def _renet(stack: ExitStack, load: Load) -> Running:
    server = stack.enter_context(
        program([str(_built("bench-peers")), "serve", "renet", str(load.hz)], "renet")
    )
    return Running(server.pid, _player("renet", server.said()))


def _enet(stack: ExitStack, load: Load) -> Running:
    server = stack.enter_context(program([str(_built("enet-peer")), "serve"], "ENet"))
    port = server.said()
    return Running(
        server.pid, lambda load: [str(_built("enet-peer")), "play", port, *load.words(streams=False)]
    )


def _moq(stack: ExitStack, load: Load) -> Running:
    certificate, key, sha256 = _certificate(stack)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ("--listen", f"127.0.0.1:{port}", "--listen-tls-cert", certificate, "--listen-tls-key", key)
    rest = ("--listen-version", f"moq-transport-{DRAFT}", "--auth-public", "**", "--log-level", "error")
    server = stack.enter_context(program([str(_built(MOQ)), *words, *rest], MOQ))
    _listening(port, server)
    url = f"moqt://127.0.0.1:{port}"
    return Running(server.pid, _player("moq", str(port), sha256, DRAFT), url, sha256)


def _listening(port: int, server: Program) -> None:
    """Until a socket has the port. The program says nothing on its output."""
    end = time.monotonic() + PATIENCE
    while not any(line.split()[1].endswith(f":{port:04X}") for line in _sockets()):
        if server.process.poll() is not None or time.monotonic() > end:
            raise BenchError(
                f"{server.name} does not listen at port {port} (exit code {server.process.poll()})"
            )
        time.sleep(0.02)


def _sockets() -> list[str]:
    try:
        return Path("/proc/net/udp").read_text("ascii").splitlines()[1:]
    except OSError:
        raise BenchError("whether a program listens is not to be had: is this Linux?") from None


def _unless(*files: str, but: str = BUILD) -> Callable[[], str]:
    return lambda: "" if all(_built(name).is_file() for name in files) else but


def _unless_aioquic() -> str:
    if importlib.util.find_spec("aioquic") is None:
        return "pip install aioquic"
    return _unless("bench-peers")()


OTHERS: Final = (
    Other(
        MOQ, "moq-relay 0.17.10, MoQT on noq, two threads", _unless(MOQ, "bench-peers"), _moq, streams=True
    ),
    Other("quinn", "quinn alone: datagrams passed on, no tracks", _unless("bench-peers"), _quinn),
    Other("aioquic", "aioquic alone: datagrams passed on, Python", _unless_aioquic, _aioquic),
    Other(
        "enet",
        "ENet: unreliable packets, not encrypted",
        _unless("enet-peer", but=f"apt install libenet-dev, then {BUILD}"),
        _enet,
    ),
    Other("renet", "renet over netcode: a loop at the tick rate", _unless("bench-peers"), _renet),
)


def others(wanted: Sequence[str] | None = None) -> tuple[list[str], list[str]]:
    """The names of those that are there, and a sentence for each that is not. `None` wants all."""
    there, told = [], []
    for other in OTHERS:
        if wanted is not None and other.name not in wanted:
            continue
        missing = other.needs()
        if missing:
            told.append(f"{other.name} ({other.about}) is left out, for it is not there: {missing}")
        else:
            there.append(other.name)
    return there, told


def find(name: str) -> Other:
    """By its name. `KeyError`."""
    return {other.name: other for other in OTHERS}[name]


@contextmanager
def player(running: Running, load: Load, name: str) -> Iterator[Program]:
    """A publisher and its subscribers, all of whom have heard it."""
    with program(list(running.player(load)), f"the player of {name}") as playing:
        playing.said()
        yield playing


def cost(pid: int, playing: Program, seconds: float) -> Turn:
    """Turns in CPU microseconds of a server per delivered object."""

    def turn() -> Mapping[str, float]:
        before = cpu_seconds(pid)
        playing.tell(f"send {seconds}")
        sent, arrived = map(int, playing.said().split())
        spent = cpu_seconds(pid) - before
        return {"": spent * 1e6 / arrived} if arrived >= sent * _HALF else {}

    return turn


def latency(playing: Program) -> Turn:
    """Turns of one frame, in microseconds."""

    def turn() -> Mapping[str, float]:
        playing.tell("frame")
        took = playing.said()
        return {} if took == "lost" else {"": float(took)}

    return turn


def ours(dialled: Peer) -> Running:
    """Our relay, as moq-relay's player finds it."""
    port = dialled.url.rpartition(":")[2].rstrip("/")
    return Running(dialled.pid, _player("moq", port, dialled.sha256, DRAFT), dialled.url, dialled.sha256)
