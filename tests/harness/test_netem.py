"""The proxy with the network model: real sockets, real programs, and everything that can be wrong with it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import transport
from harness import _netem_command, _netem_process
from harness._netem_figures import Histogram
from harness.netem import NetemError, Proxy
from tests.sdk.conftest import bounded, certificate, demanded, open_relay
from transport import Fate, Frame

__all__ = ["certificate"]

ROOT = Path(__file__).parents[2]
PATIENCE = 20.0
LOSSY = {"loss": {"independent": 20}, "duplicate": 10, "corrupt": {"share": 10}}
NAMES = [
    "perfect",
    "lan",
    "home-broadband",
    "wifi-microwave",
    "lte-train",
    "3g",
    "satellite",
    "conference-hotel",
    "cross-pacific",
]


@pytest.fixture
def echo() -> Iterator[str]:
    """A program that is not ours: a UDP echo. Its address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        host, port = server.getsockname()
        thread = threading.Thread(target=_serve, args=(server,))
        thread.start()
        yield f"{host}:{port}"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ender:
            ender.sendto(b"", (host, port))
        thread.join()


def _serve(server: socket.socket) -> None:
    while True:
        data, address = server.recvfrom(2048)
        if not data:
            return
        server.sendto(data, address)


def client(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.connect((host, int(port)))
    made.settimeout(PATIENCE)
    return made


def eventually(what: Callable[[], bool]) -> None:
    """Ask until it is so; each question goes to the proxy and back."""
    end = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < end


def at_rest(proxy: Proxy, packets: int) -> bool:
    """Whether so many packets have come from clients, and nothing is under way."""
    now = proxy.counters()
    return now.up.packets == packets and not now.up.inside and not now.down.inside


def fates(echo: str, seed: int) -> list[bytes]:
    """Send a fixed sequence up through a bad path; what came back, in any order."""
    proxy = Proxy(echo, {"up": LOSSY}, seed=seed)
    with proxy as address, client(address) as own:
        for number in range(200):
            own.send(number.to_bytes(2, "big") * 20)
        eventually(
            lambda: at_rest(proxy, 200) and proxy.counters().down.packets == proxy.counters().up.delivered
        )
        return sorted(own.recv(100) for _ in range(proxy.counters().down.delivered))


def test_one_seed_and_one_sequence_fare_the_same(echo: str) -> None:
    first, second = fates(echo, 7), fates(echo, 7)
    assert first == second
    assert fates(echo, 8) != first
    whole = {number.to_bytes(2, "big") * 20 for number in range(200)}
    assert 100 < len(set(first) & whole) < 180  # a fifth is lost, and a tenth of the rest damaged


def test_every_client_has_a_path_of_its_own(echo: str) -> None:
    profile = {"clients": {"client-2": {"up": {"loss": {"independent": 100}}}}}
    proxy = Proxy(echo, profile)
    with proxy as address, client(address) as one, client(address) as two:
        one.send(b"1")
        assert one.recv(10) == b"1"
        two.send(b"2")
        eventually(lambda: proxy.counters().up.lost["independent"] == 1)
        assert proxy.counters().clients == 2
    assert proxy.counters().up.delivered == 1


def test_a_profile_changes_in_flight(echo: str) -> None:
    proxy = Proxy(echo, "perfect", seed=3)
    with proxy as address, client(address) as own:

        def round_trip() -> float:
            began = time.monotonic()
            own.send(b"x")
            own.recv(10)
            return time.monotonic() - began

        round_trip()
        proxy.change({"up": {"delay_ms": 60}, "down": {"delay_ms": 40}})
        assert min(round_trip() for _ in range(3)) >= 0.1
        with pytest.raises(NetemError, match=r"up\.delay_ms"):
            proxy.change({"up": {"delay_ms": -1}})
        assert min(round_trip() for _ in range(2)) >= 0.1
        proxy.change("lan")
        assert min(round_trip() for _ in range(20)) < 0.1
        now = proxy.counters()
        assert now.profile == "lan"
        assert now.up.delay.longest == pytest.approx(0.06)
        assert now.up.delay.count == now.up.delivered == now.down.packets


def test_pause_pulls_the_plug(echo: str) -> None:
    proxy = Proxy(echo, "perfect")
    with proxy as address, client(address) as own:
        proxy.pause()
        own.send(b"lost")
        eventually(lambda: proxy.counters().outside["paused"] == 1)
        assert proxy.counters().paused
        proxy.resume()
        own.send(b"there")
        assert own.recv(10) == b"there"


def test_delays_are_kept(echo: str) -> None:
    proxy = Proxy(echo, {"up": {"delay_ms": 5}, "down": {"delay_ms": 5}})
    with proxy as address, client(address) as own:
        trips = []
        for _ in range(50):
            began = time.monotonic()
            own.send(b"x")
            own.recv(10)
            trips.append(time.monotonic() - began)
        assert min(trips) >= 0.01
        assert proxy.counters().up.delay.quantile(0.5) >= 0.0045


@pytest.mark.parametrize(("profile", "least"), [("wifi-microwave", 0.004), ("lte-train", 0.05)])
async def test_our_own_link_through_a_network(
    native: Path, certificate: transport.credentials.Certificate, profile: str, least: float
) -> None:
    relay = open_relay(certificate)
    proxy = Proxy(relay.node.address, profile, seed=11)
    async with relay.node, proxy as address:
        dialled = transport.connect(f"moqt://{address}", trust=relay.trust, timeout=PATIENCE)
        async with dialled as link, relay.node.subscribe("games/room1") as feed:
            moves = await bounded(link.publish(Frame("games/room1/up", "c7", datagram=True, ttl=1.0)))
            await demanded(moves)
            for _ in range(120):
                assert moves.send(bytes(100)) == Fate.QUEUED
                await asyncio.sleep(1 / 60)  # the rate of the load
            async with asyncio.timeout(PATIENCE):
                while feed.stats().frames < 100:
                    await asyncio.sleep(0.01)
            stats = link.stats()
        now = await asyncio.to_thread(proxy.counters)
    told = f"{stats} {now}"
    assert least <= stats.rtt_min <= stats.rtt, told
    assert stats.reconnects == 0, told
    assert now.up.packets >= 120 and now.down.packets > 0, told
    assert now.up.delay.mean + now.down.delay.mean >= least, told


def test_a_target_that_is_away_is_told_once(echo: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as away:
        away.bind(("127.0.0.1", 0))
        port = away.getsockname()[1]
    proxy = Proxy(f"127.0.0.1:{port}", "perfect")
    with proxy as address, client(address) as own:

        def refused() -> bool:
            own.send(b"x")
            return proxy.counters().outside["refused"] >= 5

        eventually(refused)
        assert [f"127.0.0.1:{port} refuses packets" in text for text in proxy.notices] == [True]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as back:
            back.bind(("127.0.0.1", port))
            back.settimeout(PATIENCE)
            own.send(b"hello")
            eventually(lambda: back.recv(10) == b"hello")


@pytest.mark.parametrize(
    ("target", "profile", "match"),
    [
        ("127.0.0.1", "lan", r"--to is \"127.0.0.1\", must be HOST:PORT"),
        ("127.0.0.1:0", "lan", "port 0"),
        ("no-such-host.invalid:1", "lan", "no such host"),
        ("127.0.0.1:9", "lann", 'no profile "lann": there are 3g, .*lte-train'),
        ("127.0.0.1:9", Path("missing.json"), r"missing\.json: there is no such file"),
        (
            "127.0.0.1:9",
            {"up": {"loss": {"independent": 140}}},
            r"profile-1\.json: up\.loss\.independent is 140",
        ),
        ("127.0.0.1:9", {"up": {"speed": 3}}, r"profile-1\.json: up\..*speed"),
        ("127.0.0.1:9", {"up": {"trace": "none.csv"}}, r"up\.trace names `none.csv`, which is not there"),
        ("127.0.0.1:9", {"up": {"delay_ms": float("nan")}}, "no JSON"),
    ],
)
def test_what_cannot_be_is_one_line(target: str, profile: str | Path | dict[str, object], match: str) -> None:
    with pytest.raises(NetemError, match=match) as caught, Proxy(target, profile):
        pass
    assert "\n" not in str(caught.value)
    assert caught.value.code == 2


def test_a_profile_and_a_trace_in_files(tmp_path: Path, echo: str) -> None:
    direction = {"trace": "train.csv"}
    whole = {"name": "mine", "description": "Mine.", "sources": ["Me."], "up": direction, "down": {}}
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(whole), "utf-8")
    (tmp_path / "train.csv").write_text("time_ms,delay_ms\n0,oops\n", "utf-8")
    with pytest.raises(NetemError, match=r"up\.trace names `train\.csv`, whose .*2"), Proxy(echo, path):
        pass
    (tmp_path / "train.csv").write_text("time_ms,delay_ms\n0,30\n", "utf-8")
    proxy = Proxy(echo, path)
    with proxy as address, client(address) as own:
        own.send(b"x")
        own.recv(10)
    assert proxy.counters().up.delay.longest == pytest.approx(0.03)


def test_a_port_in_use() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as held:
        held.bind(("127.0.0.1", 0))
        taken = f"127.0.0.1:{held.getsockname()[1]}"
        with (
            pytest.raises(NetemError, match="the port is in use") as caught,
            Proxy("127.0.0.1:9", "lan", listen=taken),
        ):
            pass
    assert caught.value.code == 1


def test_commands_that_are_none(echo: str) -> None:
    proxy = Proxy(echo, "lan")
    with pytest.raises(NetemError, match="does not run"):
        proxy.counters()
    with proxy:
        for wrong in ("lan\nquit", "x" * 9000, ""):
            with pytest.raises(NetemError):
                proxy.change(wrong)
        assert proxy.counters().profile == "lan"
    assert proxy.counters().up.packets == 0
    with pytest.raises(NetemError, match="has run already"), proxy:
        pass
    for late in ("lan", {"up": {"delay_ms": 1}}):
        with pytest.raises(NetemError, match="has ended"):
            proxy.change(late)


def test_a_program_that_dies_is_told(echo: str) -> None:
    proxy = Proxy(echo, "lan")
    with proxy:
        assert proxy._process is not None
        proxy._process._child.kill()
        with pytest.raises(NetemError, match="has ended"):
            proxy.counters()


def test_a_program_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLUTCHCALL_NETPROXY", str(tmp_path / "nothing"))
    with pytest.raises(NetemError, match="CLUTCHCALL_NETPROXY"), Proxy("127.0.0.1:9", "lan"):
        pass
    monkeypatch.delenv("CLUTCHCALL_NETPROXY")
    monkeypatch.setattr(_netem_process, "_TARGET", tmp_path)
    with pytest.raises(NetemError, match=r"dev\.py setup --dev"), Proxy("127.0.0.1:9", "lan"):
        pass


def test_quantiles_are_even_within_a_bucket() -> None:
    some = Histogram({(0.0, 0.01): 50, (0.01, 0.02): 50}, 1.0, 0.02)
    assert some.quantile(0.5) == pytest.approx(0.01)
    assert some.quantile(0.75) == pytest.approx(0.015)
    assert some.quantile(1) == pytest.approx(0.02)
    assert some.since(Histogram({(0.0, 0.01): 50}, 0.2, 0.01)).quantile(0) == pytest.approx(0.01)
    assert Histogram({}, 0, 0).quantile(0.99) == 0


class Command:
    """`python -m harness.netem`, with its output in lines."""

    def __init__(self, *arguments: str) -> None:
        pipe = subprocess.PIPE
        command = [sys.executable, "-m", "harness.netem", *arguments]
        self.child = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )

    def line(self, pattern: str) -> re.Match[str]:
        """The next line that holds this."""
        assert self.child.stdout is not None
        for line in self.child.stdout:
            if match := re.search(pattern, line):
                return match
        raise AssertionError(f"no {pattern!r}: {self.child.communicate()[1]}")

    def type(self, text: str) -> None:
        assert self.child.stdin is not None
        self.child.stdin.write(text + "\n")
        self.child.stdin.flush()

    def end(self) -> tuple[int, str, str]:
        out, err = self.child.communicate(timeout=PATIENCE)
        return self.child.returncode, out, err


def test_the_command_shows_and_obeys(echo: str) -> None:
    command = Command("--to", echo, "--profile", "perfect", "--seed", "5")
    address = command.line(r"^(\S+) -> ")[1]
    with client(address) as own:
        own.send(b"x")
        assert own.recv(10) == b"x"
        command.line(r"perfect, 1 clients \| up ")
        command.type("profile lann")
        command.line('no profile "lann"')
        command.type("profile satellite")
        command.line("satellite, 1 clients")
    if sys.platform == "win32":
        command.type("quit")
    else:
        command.child.send_signal(signal.SIGINT)
    code, out, err = command.end()
    assert (code, err) == (0, "")
    assert re.search(r"^up +1 packets, 1 bytes, delivered 1, lost 0", out, re.M)
    assert "at last satellite" in out


def test_the_command_in_json(echo: str) -> None:
    command = Command("--to", echo, "--profile", "lan", "--json")
    command.line('"type":"ready"')
    command.line('"type":"stats"')
    command.type("quit")
    code, out, err = command.end()
    assert (code, err) == (0, "")
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["last"] for line in lines if line["type"] == "stats"][-1]


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["--to", "127.0.0.1:9", "--profile", "lann"], 2, "no profile"),
        (["--to", "127.0.0.1:9"], 2, "--profile is missing"),
        (["--to", "127.0.0.1:9", "--profile", "lan", "--seed", "x"], 2, "--seed"),
        (
            ["--to", "127.0.0.1:9", "--profile", "lan", "--listen", "203.0.113.7:0"],
            1,
            "not one of this machine's",
        ),
    ],
)
def test_the_commands_errors(arguments: list[str], code: int, word: str) -> None:
    ended, out, err = Command(*arguments).end()
    assert (ended, out) == (code, "")
    assert word in err.splitlines()[-1]
    assert "Traceback" not in err


def test_the_list() -> None:
    code, out, err = Command("--list").end()
    assert (code, err) == (0, "")
    assert sorted(line.split()[0] for line in out.splitlines()) == sorted(NAMES)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_the_live_view_takes_keys(echo: str) -> None:
    import pty

    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "110", "LINES": "40"}
    words = [sys.executable, "-m", "harness.netem", "--to", echo, "--profile", "lan"]
    child = subprocess.Popen(words, cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    shown = ""

    def until(pattern: str) -> re.Match[str]:
        nonlocal shown
        while not (match := re.search(pattern, shown, re.S)):
            shown += os.read(ours, 65536).decode("utf-8", "replace")
        shown = shown[match.end() :]
        return match

    with client(until(r"(127\.0\.0\.1:\d+) -> ")[1]) as own:
        own.send(b"x")
        own.recv(10)
        until(r"1 clients of 1.*delay p99.*queue")
        number = [name for name, _ in _netem_command.profiles()].index("satellite") + 1
        os.write(ours, str(number).encode())
        until("profile satellite")
        os.write(ours, b"p")
        until("pause")
        os.write(ours, b"q")
        until("at last satellite")
    assert child.wait(PATIENCE) == 0
    os.close(ours)
