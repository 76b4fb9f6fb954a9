"""`python -m relay` as its users run it."""

from __future__ import annotations

import asyncio
import ctypes
import json
import logging
import os
import re
import signal
import socket
import sys
import traceback
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

import transport
from relay._log import Log
from relay._options import parse
from relay._ports import option
from relay._relay import BadHook, load_hook
from relay.control_client import ControlClient
from relay.token import jwks, mint, new_key
from transport import credentials
from transport._generated.constants import MethodId
from transport._generated.dtos import Kick

from .conftest import LINK, PATIENCE, JwksServer

ROOT = Path(__file__).parents[2]
FREE = ("--port", "0", "--control-port", "0", "--admin-port", "0")


class Running:
    """A relay that has said that it started."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.events: list[dict[str, Any]] = []

    async def read_until(self, event: str, name: str | None = None) -> dict[str, Any]:
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            while line := await self.process.stdout.readline():
                self.events.append(json.loads(line))
                if self.events[-1]["event"] == event and name in (None, self.events[-1].get("name")):
                    return self.events[-1]
        assert self.process.stderr is not None
        raise AssertionError(f"it ended: {self.events}, {(await self.process.stderr.read()).decode()}")

    def told(self, name: str) -> str:
        return next(str(event["value"]) for event in self.events if event.get("name") == name)

    @property
    def url(self) -> str:
        return self.told("CLUTCHCALL_URL")

    @property
    def trust(self) -> transport.Pinned:
        return transport.Pinned(self.told("CLUTCHCALL_CERT_SHA256"))

    def started(self, field: str) -> str:
        return next(str(event[field]) for event in self.events if event["event"] == "started")

    def connect(self, token: str | None = None, **more: Any) -> transport.Connecting:
        token = self.told("CLUTCHCALL_TOKEN") if token is None else token
        chosen: dict[str, Any] = {"options": LINK, "timeout": PATIENCE, **more}
        return transport.connect(self.url, token=token, trust=self.trust, **chosen)

    async def get(self, path: str) -> tuple[int, str]:
        def fetch() -> tuple[int, str]:
            try:
                with urllib.request.urlopen(
                    f"http://{self.started('admin')}{path}", timeout=PATIENCE
                ) as reply:
                    return reply.status, reply.read().decode()
            except urllib.error.HTTPError as wrong:
                with wrong:
                    return wrong.code, wrong.read().decode()

        return await asyncio.to_thread(fetch)

    async def end(self, number: int = signal.SIGTERM) -> tuple[int | None, str]:
        """The exit code and what it said to standard error."""
        self.process.send_signal(number)
        async with asyncio.timeout(PATIENCE):
            out, err = await self.process.communicate()
        self.events += [json.loads(line) for line in out.splitlines()]
        return self.process.returncode, err.decode()


async def start(
    state: Path, *arguments: str, before: Callable[[], object] | None = None, **environment: str
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-W",
        "error",
        "-m",
        "relay",
        *arguments,
        cwd=ROOT,
        env={**os.environ, "CLUTCHCALL_STATE": str(state), "PYTHONPATH": str(ROOT), **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        preexec_fn=before,
    )


@asynccontextmanager
async def running(
    state: Path, *arguments: str, last: str = "CLUTCHCALL_CERT_SHA256"
) -> AsyncIterator[Running]:
    process = await start(state, *FREE, "--log", "json", *arguments)
    try:
        found = Running(process)
        await found.read_until("join", last)
        yield found
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def ended(state: Path, *arguments: str, **environment: str) -> tuple[int | None, str, str]:
    """Exit code, standard output and error of a relay that ends by itself."""
    process = await start(state, *arguments, before=None, **environment)
    try:
        async with asyncio.timeout(PATIENCE):
            out, err = await process.communicate()
    finally:
        with suppress(ProcessLookupError):
            process.kill()
    return process.returncode, out.decode(), err.decode()


async def test_it_says_all_that_a_player_needs(native: Path, tmp_path: Path) -> None:
    async with running(tmp_path, "--drain", "1") as relay:
        async with relay.connect() as link:
            async with relay.connect() as other:
                feed = link.subscribe("games/room1")
                await feed.ready()
                chat = await other.publish(transport.Text("games/room1/chat", "c8"))
                chat.send(b"hello")
                async with asyncio.timeout(PATIENCE):
                    assert (await anext(aiter(feed))).payload == b"hello"

            reading = await relay.read_until("status")
            while reading["sessions"] != 1:
                reading = await relay.read_until("status")
            live = json.loads((await relay.get("/live.json"))[1])
            assert (live["status"], live["readings"][-1]["sessions"]) == ("ok", 1)

            assert await relay.get("/healthz") == (200, "ok\n")
            assert await relay.get("/readyz") == (200, "ok\n")
            status, body = await relay.get("/metrics")
            families = {family.name: family for family in text_string_to_metric_families(body)}
            assert status == 200
            assert families["clutchcall_sessions_up"].samples[0].value == 1
            assert families["clutchcall_ready"].samples[0].value == 1
            assert {"clutchcall_auth_refusals", "clutchcall_drops", "clutchcall_auth_verdicts"} <= set(
                families
            )
            assert "<title>ClutchCall relay" in (await relay.get("/"))[1]

            admin = mint((tmp_path / "token.pem").read_bytes(), admin=True)
            url = f"https://{relay.started('control')}"
            async with ControlClient(url, trust=relay.trust, token=admin) as control:
                health = await control.call(MethodId.HEALTH_GET)
                assert (health.status, health.sessions) == ("ok", 1)
                (session,) = (await control.call(MethodId.SESSIONS_LIST)).sessions
                assert session.peer_id == link.peer_id
                await control.call(MethodId.SESSIONS_KICK, Kick(peer_id=link.peer_id))
            with pytest.raises(transport.Unauthorized):
                async with asyncio.timeout(PATIENCE):
                    await relay.connect("")
        assert await relay.end() == (0, "")
        assert [event["event"] for event in relay.events][-2:] == ["draining", "stopped"]


async def test_a_drain_gives_sessions_their_time(native: Path, tmp_path: Path) -> None:
    async with running(tmp_path, "--drain", "60") as relay, relay.connect() as link:
        events = link.events()
        relay.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE):
            goaway = await anext(event async for event in events if isinstance(event, transport.Goaway))
        assert goaway.timeout == 60.0
        assert await relay.get("/readyz") == (503, "draining\n")
        assert await relay.get("/healthz") == (200, "ok\n")
        await link.aclose()
        # Nobody is left: it does not wait for the rest of the minute.
        async with asyncio.timeout(PATIENCE):
            _, err = await relay.process.communicate()
        assert (relay.process.returncode, err) == (0, b"")


async def test_a_second_signal_ends_the_drain(native: Path, tmp_path: Path) -> None:
    async with running(tmp_path, "--drain", "60") as relay, relay.connect():
        relay.process.send_signal(signal.SIGINT)
        await relay.read_until("draining")
        assert await relay.end(signal.SIGINT) == (0, "")


async def test_it_stops_after_its_duration(native: Path, tmp_path: Path) -> None:
    code, out, err = await ended(tmp_path, *FREE, "--duration", "1s")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert re.fullmatch(r"CLUTCHCALL_URL=moqt://127\.0\.0\.1:\d+", lines[1])
    assert re.fullmatch(r"CLUTCHCALL_TOKEN=[\w.-]+", lines[2])
    assert re.fullmatch(r"CLUTCHCALL_CERT_SHA256=[0-9a-f]{64}", lines[3])


async def test_a_killed_relay_comes_back_on_its_port(native: Path, tmp_path: Path) -> None:
    """Its clients learn of it by the stateless reset, and are the same peers afterwards."""
    async with running(tmp_path) as relay, relay.connect() as link:
        events = link.events()
        peer = link.peer_id
        port = relay.url.rpartition(":")[2]
        relay.process.kill()
        await relay.process.wait()
        process = await start(tmp_path, "--port", port, *FREE[2:], "--log", "json")
        again = Running(process)
        await again.read_until("join", "CLUTCHCALL_CERT_SHA256")
        async with asyncio.timeout(PATIENCE):
            came = await anext(event async for event in events if isinstance(event, transport.Up))
        assert (came.resumed, link.peer_id) == (True, peer)
        await link.aclose()
        assert (await again.end())[0] == 0


@pytest.mark.parametrize("which", ["--port", "--control-port", "--admin-port"])
async def test_a_port_in_use(native: Path, tmp_path: Path, which: str) -> None:
    kind = socket.SOCK_STREAM if which == "--admin-port" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        port = str(taken.getsockname()[1])
        code, out, err = await ended(tmp_path, *FREE, which, port)
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert port in err
    assert which in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--shards", "257"), "1 to 256"),
        (("--shards", "many"), "auto"),
        (("--mesh", "moqt://other"), "--mesh"),
        (("--port", "70000"), "65535"),
        (("--port", "x"), "65535"),
        (("--cert", "a.pem"), "--cert and --key"),
        (("--bind", "0.0.0.0"), "--dev-lan"),
        (("--bind", "192.168.7.7"), "--dev-lan"),
        (("--bind", "game.example"), "IP address"),
        (("--cert", "a", "--key", "b"), "--jwks"),
        (("--cert", "a", "--key", "b", "--open"), "--open PREFIX"),
        (("--cert", "a", "--key", "b", "--dev-lan", "--jwks", "k"), "--dev-lan"),
        (("--dev-lan", "--open"), "--open PREFIX"),
        (("--open", "a//b"), "prefix"),
        (("--auth", "a:b", "--jwks", "k"), "--auth"),
        (("--duration", "soon"), "1h"),
        (("--log", "xml"), "xml"),
        (("--unknown",), "--unknown"),
    ],
    ids=" ".join,
)
def test_wrong_arguments(arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as wrong:
        parse(arguments)
    assert wrong.value.code == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert words in err


def test_where_it_listens() -> None:
    assert parse([]).bind == "127.0.0.1"
    assert parse(["--dev-lan"]).bind == "0.0.0.0"
    assert parse(["--cert", "a", "--key", "b", "--jwks", "k"]).bind == "0.0.0.0"
    assert parse(["--bind", "[::1]"]).bind == "::1"
    assert parse(["--open"]).open_scope == ""


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--mesh", "moqt://x"), 2, "--mesh"),
        (("--auth", "no_such_module:hook"), 2, "no_such_module"),
        (("--auth", "hooks:broken"), 2, "hooks has no broken"),
        (("--auth", "bad_hooks:hook"), 2, "bad_hooks.py:2"),
        (("--jwks", "none.json"), 1, "none.json"),
        (("--jwks", "http://127.0.0.1:1/jwks"), 1, "http://127.0.0.1:1/jwks"),
        (("--cert", "none.pem", "--key", "none.pem", "--jwks", "k"), 1, "none.pem"),
        (("--bind", "192.0.2.7", "--dev-lan"), 1, "192.0.2.7"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value)[:16],
)
async def test_what_it_can_not_start_with(
    native: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    (tmp_path / "hooks.py").write_text("def hook(token, path, suggested): ...\n")
    (tmp_path / "bad_hooks.py").write_text("x = 1\nx.nothing\n")
    path = f"{tmp_path}{os.pathsep}{ROOT}"
    found, out, err = await ended(tmp_path, *FREE, *arguments, PYTHONPATH=path)
    assert (found, out) == (code, "")
    assert err.count("\n") == 1, err
    assert words in err


async def test_the_native_library_is_missing(tmp_path: Path) -> None:
    code, _, err = await ended(tmp_path, *FREE, CLUTCHCALL_NATIVE=str(tmp_path / "none.so"))
    assert (code, err.count("\n")) == (1, 1)
    assert "none.so" in err


@pytest.mark.parametrize(
    ("wrong", "port", "words"),
    [
        (transport.PermissionDenied, 443, "--port 443 needs privilege: run with sudo/setcap or --port 4443"),
        (transport.PermissionDenied, 5000, "--port 5000: the system does not allow it on 127.0.0.1: pass"),
        (transport.AddressInUse, 4443, "--port 4443: another program has that port on 127.0.0.1: stop it"),
        (transport.AddressNotAvailable, 4443, "--bind 127.0.0.1: this machine has no such address: pass"),
    ],
)
def test_a_port_that_can_not_be_had_says_what_helps(
    wrong: type[transport.Error], port: int, words: str
) -> None:
    with pytest.raises(wrong) as told, option("--port", port, "127.0.0.1", 4443):
        raise wrong("whatever the system said")
    assert str(told.value).startswith(words)


@pytest.mark.skipif(sys.platform != "linux", reason="takes root's privilege away by Linux' own means")
async def test_a_port_that_needs_privilege(native: Path, tmp_path: Path) -> None:
    if int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) <= 443:
        pytest.skip("this machine lets everybody bind port 443")
    drop, bind_service = 24, 10  # PR_CAPBSET_DROP, CAP_NET_BIND_SERVICE: does nothing to who is not root
    prctl = ctypes.CDLL(None).prctl
    process = await start(tmp_path, *FREE[2:], before=lambda: prctl(drop, bind_service, 0, 0, 0))
    async with asyncio.timeout(PATIENCE):
        out, err = await process.communicate()
    assert (process.returncode, out) == (1, b"")
    assert err.decode() == "relay: --port 443 needs privilege: run with sudo/setcap or --port 4443\n"


@pytest.mark.parametrize("verbose", [False, True])
def test_lines_for_machines_are_one_object_each(verbose: bool, capsys: pytest.CaptureFixture[str]) -> None:
    log = Log(True, verbose)
    log.say("started", "two\nlines", url="moqt://x")
    try:
        raise ValueError("a\nb")
    except ValueError as wrong:
        log.wrong("it went\nwrong", traceback.format_exc())
        record = logging.LogRecord("asyncio", logging.ERROR, "", 0, "task\nfailed", (), None)
        record.exc_info = (ValueError, wrong, wrong.__traceback__)
        log.handle(record)
    out, err = capsys.readouterr()
    (started,) = map(json.loads, out.splitlines())
    assert (started["event"], started["text"], started["url"]) == ("started", "two\nlines", "moqt://x")
    wrong_line, logged = map(json.loads, err.splitlines())
    assert wrong_line["text"] == "it went wrong"
    assert logged["text"] == "asyncio: task failed: ValueError: a b"
    for line in (wrong_line, logged):
        assert ("detail" in line) == verbose
        assert not verbose or "Traceback" in line["detail"]


def test_tracebacks_are_for_who_asks(capsys: pytest.CaptureFixture[str]) -> None:
    Log(False, False).wrong("it went\nwrong", "Traceback ...\n  here\n")
    assert capsys.readouterr().err == "it went wrong\n"
    Log(False, True).wrong("it went wrong", "Traceback ...\n  here\n")
    assert capsys.readouterr().err == "it went wrong\nTraceback ...\n  here\n"


async def test_a_certificate_and_keys_of_ones_own(
    native: Path, tmp_path: Path, jwks_server: JwksServer
) -> None:
    certificate = credentials.make_certificate(["localhost", "127.0.0.1"])
    (tmp_path / "cert.pem").write_bytes(certificate.certificate)
    (tmp_path / "key.pem").write_bytes(certificate.key)
    key = new_key()
    jwks_server.show(jwks(key))
    own = ("--cert", str(tmp_path / "cert.pem"), "--key", str(tmp_path / "key.pem"), "--bind", "127.0.0.1")
    arguments = (*own, "--jwks", jwks_server.url, "--issuer", "accounts", "--audience", "arena")
    async with running(tmp_path, *arguments, last="CLUTCHCALL_URL") as relay:
        assert not any(event.get("name") == "CLUTCHCALL_TOKEN" for event in relay.events)
        token = mint(key, ["*"], peer="c7", issuer="accounts", audience="arena")
        trust = transport.Pem(certificate.certificate)
        async with transport.connect(relay.url, token=token, trust=trust, options=LINK) as link:
            assert link.peer_id == "c7"
        with pytest.raises(transport.Unauthorized):
            await transport.connect(relay.url, token=mint(key, ["*"]), trust=trust, options=LINK)
        assert await relay.end() == (0, "")


async def test_open_and_a_hook_from_the_command_line(native: Path, tmp_path: Path) -> None:
    async with running(tmp_path, "--open", "games/lobby") as relay:
        async with relay.connect("") as guest, relay.connect() as player:
            await guest.publish(transport.Frame("games/lobby", "x"))
            with pytest.raises(transport.Unauthorized):
                await guest.publish(transport.Frame("games/arena", "x"))
            await player.publish(transport.Frame("games/arena", "x"))
        assert await relay.end() == (0, "")


def test_hooks_are_found_by_name() -> None:
    assert load_hook("relay.token:mint") is mint  # type: ignore[comparison-overlap] # no hook, but a function
    for spec in ("relay.hook", "relay.hook:", ":x", "relay.hook:NoTokens", "relay.hook:MAX_WAITING"):
        with pytest.raises(BadHook, match="--auth"):
            load_hook(spec)
