"""The command as its users start it: exit codes, one-line errors, signals, `--exec` and Agones."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import socket
import sys
import urllib.parse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import transport
from transport import credentials

from .conftest import FREE_PORTS, PATIENCE, ROOT, command

pytestmark = pytest.mark.usefixtures("native", "state")


class Program:
    """A host in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []

    async def line(self, what: str) -> str:
        """The next line with this in it."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            while line := (await self.process.stdout.readline()).decode():
                self.lines.append(line.rstrip())
                if what in line:
                    return line.rstrip()
        raise AssertionError(f"no line with {what!r} in {self.lines}")

    async def end(self) -> tuple[int, str, str]:
        """Exit code, output and errors."""
        async with asyncio.timeout(PATIENCE):
            out, err = await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode, "\n".join(self.lines) + "\n" + out.decode(), err.decode()


@asynccontextmanager
async def run(*arguments: str, cwd: Path = ROOT) -> AsyncIterator[Program]:
    process = await asyncio.create_subprocess_exec(
        *command(*arguments),
        cwd=cwd,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=1 << 20,
        start_new_session=True,
    )
    try:
        yield Program(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def outcome(*arguments: str, cwd: Path = ROOT) -> tuple[int, str, str]:
    async with run(*arguments, cwd=cwd) as program:
        return await program.end()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--port", "70000"], "'70000' is no port"),
        (["--bots", "-1"], "--bots"),
        (["--duration", "soon"], "'soon' is no time"),
        (["--bind", "example"], "'example' is no IP address"),
        (["--bind", "0.0.0.0"], "--dev-lan"),
        (["--dev-lan", "--open"], "--open PREFIX"),
        (["--shards", "-1"], "is no number of shards"),
        (["--cert", "x.pem"], "--cert and --key belong together"),
        (["--game", "nocolon"], "pass MODULE:CLASS"),
        (["--room", "a/b"], "room 'a/b'"),
        (["--bots", "1", "--exec", "true"], "leave --game and --bots out"),
        (["--exec"], "name the program"),
        (["--wat"], "unrecognized arguments: --wat"),
        (["--mesh", "moqt://x"], "--mesh: relays do not find each other"),
        (["--game", "no.such:Game"], "there is no module no"),
        (["--game", "json:loads"], "no subclass of transport.host.Game"),
        (["--game", "json:Nothing"], "has no Nothing"),
    ],
)
async def test_wrong_arguments(arguments: list[str], words: str) -> None:
    code, out, err = await outcome(*arguments)
    assert code == 2 and words in err and len(err.splitlines()) == 1, err
    assert not out.strip()


async def test_a_game_that_can_not_be_imported_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("import os\n\nos.no_such_thing\n")
    (tmp_path / "syntax.py").write_text("def f(:\n")
    code, _, err = await outcome("--game", "broken:Game", cwd=tmp_path)
    assert code == 2 and f"{tmp_path}/broken.py:3" in err and len(err.splitlines()) == 1
    code, _, err = await outcome("--game", "syntax:Game", cwd=tmp_path)
    assert code == 2 and "syntax.py:1" in err and len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("def __init__(self):\n        1 / 0", "ZeroDivisionError: division by zero ({folder}/bad.py:5)"),
        ("def open(self, room):\n        1 / 0", "ZeroDivisionError: division by zero ({folder}/bad.py:5)"),
        ("def open(self, room):\n        exit(3)", "SystemExit: 3"),
        ("rate = 0", "Bad.rate is 0: pass 1 .. 1000"),
        ("input_dtype = 'V300'", "Bad.input_dtype has 300 bytes: pass 1 .. 255"),
    ],
)
async def test_a_game_that_can_not_be_opened(tmp_path: Path, body: str, words: str) -> None:
    (tmp_path / "bad.py").write_text(f"from transport.host import Game\n\nclass Bad(Game):\n    {body}\n")
    code, out, err = await outcome(*FREE_PORTS, "--game", "bad:Bad", cwd=tmp_path)
    assert (code, out.strip()) == (1, "") and len(err.splitlines()) == 1, err
    assert "room main: its game raised " in err and words.format(folder=tmp_path) in err
    code, _, err = await outcome(*FREE_PORTS, "--game", "bad:Bad", "-v", cwd=tmp_path)
    assert code == 1 and "Traceback" in err


async def test_a_module_that_ends_itself_is_no_game(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text("import sys\nsys.exit(0)\n")
    code, _, err = await outcome("--game", "script:Game", cwd=tmp_path)
    assert code == 2 and f"SystemExit: 0 ({tmp_path}/script.py:2)" in err and len(err.splitlines()) == 1


async def test_a_game_that_raises_in_a_tick_leaves_the_host(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(
        "from transport.host import Game\n\nclass Bad(Game):\n    def tick(self, n, dt):\n"
        "        if n == 5:\n            raise SystemExit(7)\n"
    )
    arguments = ["--game", "bad:Bad", "--duration", "1.5", "--log", "json"]
    code, out, err = await outcome(*FREE_PORTS, *arguments, cwd=tmp_path)
    (line,) = map(json.loads, err.splitlines())
    assert code == 0 and line["text"].endswith(f"SystemExit: 7 ({tmp_path}/bad.py:6): the room is closed")
    events = [json.loads(line)["event"] for line in out.splitlines() if line]
    assert events == ["started", "status", "summary"]


@pytest.mark.parametrize("which", ["--port", "--control-port", "--admin-port"])
async def test_a_port_that_is_taken(which: str) -> None:
    kind = socket.SOCK_STREAM if which == "--admin-port" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        port = taken.getsockname()[1]
        code, _, err = await outcome(*FREE_PORTS, which, str(port))
    assert code == 1 and err.startswith(f"transport.host: {which} {port}: another program has that port")
    assert len(err.splitlines()) == 1, err


async def test_certificates_that_can_not_be_used(tmp_path: Path) -> None:
    made, other = credentials.make_certificate(), credentials.make_certificate()
    (tmp_path / "cert.pem").write_bytes(made.certificate)
    (tmp_path / "key.pem").write_bytes(other.key)
    pair = ["--cert", str(tmp_path / "cert.pem"), "--key", str(tmp_path / "key.pem")]
    code, _, err = await outcome(*FREE_PORTS, *pair)
    assert code == 1 and "does not belong to the certificate" in err and len(err.splitlines()) == 1
    code, _, err = await outcome(*FREE_PORTS, "--cert", "/no/such.pem", "--key", "/no/such.pem")
    assert code == 1 and "/no/such.pem" in err and len(err.splitlines()) == 1


async def test_sigterm_drains_and_sums_up() -> None:
    async with run(*FREE_PORTS, "--bots", "2", "--drain", "2") as program:
        await program.line("CLUTCHCALL_CERT_SHA256=")
        line = await program.line(" 2 players | in ")
        assert "| drops " in line and "| rtt p50 " in line and "us/object" in line
        program.process.send_signal(signal.SIGTERM)
        code, out, err = await program.end()
    assert code == 0 and not err, err
    assert "reliable messages:" in out and " 0 lost, 0 repeated" in out
    assert "summary: " in out and "latency of state (priority 64)" in out


async def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    """Somebody who does not go, and a minute to do so."""
    arguments = ["--open", "--drain", "60"]
    async with run(*FREE_PORTS, *arguments) as program:
        url = (await program.line("CLUTCHCALL_URL=")).partition("=")[2]
        sha256 = (await program.line("CLUTCHCALL_CERT_SHA256=")).partition("=")[2]
        async with transport.connect(url, trust=transport.Pinned(sha256), token="") as link:
            events = link.events()
            program.process.send_signal(signal.SIGINT)
            async with asyncio.timeout(PATIENCE):
                await anext(event async for event in events if isinstance(event, transport.Goaway))
            program.process.send_signal(signal.SIGINT)
            code, out, err = await program.end()
    assert (code, err) == (0, "") and "summary:" in out


async def test_a_second_signal_interrupts_a_game_that_hangs(tmp_path: Path) -> None:
    """It sends the signals itself: from outside, nothing tells that the first one was taken."""
    (tmp_path / "bad.py").write_text(
        "import signal\nfrom transport.host import Game\n\nclass Bad(Game):\n    def tick(self, n, dt):\n"
        "        signal.raise_signal(signal.SIGINT)\n        signal.raise_signal(signal.SIGINT)\n"
        "        while True:\n            n\n"
    )
    code, _, err = await outcome(*FREE_PORTS, "--game", "bad:Bad", cwd=tmp_path)
    assert code == 1 and f"interrupted at {tmp_path}/bad.py:" in err and len(err.splitlines()) == 1, err


async def test_a_signal_while_bots_join() -> None:
    async with run(*FREE_PORTS, "--bots", "64") as program:
        await program.line("CLUTCHCALL_CERT_SHA256=")
        program.process.send_signal(signal.SIGTERM)
        code, out, err = await program.end()
    assert (code, err) == (0, "") and "summary:" in out and " 0 lost, 0 repeated" in out


async def test_garbage_from_the_network_ends_nothing() -> None:
    rng = random.Random(7)
    async with run(*FREE_PORTS, "--bots", "2") as program:
        url = urllib.parse.urlsplit((await program.line("CLUTCHCALL_URL=")).partition("=")[2])
        await program.line(" 2 players | in ")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.connect((url.hostname, url.port))
            for size in [0, 1, 5, 20, 21, 100, 1200, 1472, 9000] * 40:
                first = rng.choice([0x00, 0x40, 0x7F, 0xC0, 0xC3, 0xE0, 0xF0, 0xFF])
                version = rng.choice([b"\0\0\0\1", b"\0\0\0\0", b"\xff\0\0\x1d", rng.randbytes(4)])
                stranger.send((bytes([first]) + version + rng.randbytes(size))[:size])
        await program.line(" 2 players | in ")
        program.process.send_signal(signal.SIGTERM)
        code, out, err = await program.end()
    assert (code, err) == (0, "") and " 0 lost, 0 repeated" in out and "2 bots were lost" not in out


async def test_a_reader_that_has_gone_ends_it_without_a_word() -> None:
    async with run(*FREE_PORTS) as program:
        await program.line("CLUTCHCALL_CERT_SHA256=")
        assert program.process.stdout is not None
        program.process.stdout._transport.close()  # type: ignore[attr-defined] # as `| head` does
        async with asyncio.timeout(PATIENCE):
            assert await program.process.wait() == 1
        assert program.process.stderr is not None
        assert await program.process.stderr.read() == b""


async def test_duration_and_lines_for_machines() -> None:
    code, out, err = await outcome(*FREE_PORTS, "--duration", "1.5", "--log", "json")
    assert code == 0 and not err
    lines = [json.loads(line) for line in out.splitlines() if line]
    assert [line["event"] for line in lines] == ["started", "status", "summary"]
    assert lines[0]["url"].startswith("moqt://127.0.0.1:") and len(lines[0]["cert_sha256"]) == 64
    assert 80 <= lines[2]["ticks"] <= 120 and lines[1]["players"] == 0


async def test_it_ends_when_nobody_comes() -> None:
    code, out, _ = await outcome(*FREE_PORTS, "--exit-when-empty", "1")
    assert code == 0 and "nobody was here for 1 s" in out


CHILD = """
import asyncio, os, sys, transport

async def main():
    async with transport.connect() as link:
        room = os.environ["CLUTCHCALL_ROOM"]
        await link.publish(transport.Frame(f"games/{room}/down/all", "state"))
        print("published as", link.peer_id, flush=True)
        await asyncio.sleep(float(sys.argv[1]))
    sys.exit(int(sys.argv[2]))

asyncio.run(main())
"""


@pytest.mark.parametrize(("ends_with", "code"), [(0, 0), (3, 1)])
async def test_a_program_under_supervision(tmp_path: Path, ends_with: int, code: int) -> None:
    (tmp_path / "server.py").write_text(CHILD)
    program = ["--exec", sys.executable, str(tmp_path / "server.py"), "0.5", str(ends_with)]
    found, out, err = await outcome(*FREE_PORTS, *program)
    assert found == code, (out, err)
    assert "published as server" in out and "has announced room main" in out
    assert ("ended with code 3" in out) == (ends_with == 3)


async def test_a_supervised_program_is_told_to_stop(tmp_path: Path) -> None:
    (tmp_path / "server.py").write_text(CHILD)
    arguments = [*FREE_PORTS, "--exec", sys.executable, str(tmp_path / "server.py"), "60", "0"]
    async with run(*arguments) as program:
        await program.line("has announced room main")
        program.process.send_signal(signal.SIGTERM)
        code, out, err = await program.end()
    assert code == 0 and "summary:" in out and not err, (out, err)


async def test_a_terminals_ctrl_c_ends_host_and_program_in_order(tmp_path: Path) -> None:
    (tmp_path / "server.py").write_text(CHILD)
    arguments = [*FREE_PORTS, "--exec", sys.executable, str(tmp_path / "server.py"), "60", "0"]
    async with run(*arguments) as program:
        await program.line("has announced room main")
        os.killpg(program.process.pid, signal.SIGINT)
        code, out, err = await program.end()
    assert (code, err) == (0, "") and "summary:" in out, (out, err)


async def test_a_second_signal_ends_a_program_that_does_not_listen(tmp_path: Path) -> None:
    (tmp_path / "server.py").write_text(
        "import signal, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: print('never', flush=True))\n"
        "print('here', flush=True)\n"
        "while True:\n    time.sleep(1)\n"
    )
    async with run(*FREE_PORTS, "--exec", sys.executable, str(tmp_path / "server.py")) as program:
        await program.line("here")
        program.process.send_signal(signal.SIGINT)
        await program.line("never")
        program.process.send_signal(signal.SIGINT)
        code, out, err = await program.end()
    assert (code, err) == (0, "") and "summary:" in out, (out, err)


async def test_a_program_that_can_not_be_started() -> None:
    code, _, err = await outcome(*FREE_PORTS, "--exec", "/no/such/program")
    assert code == 1 and "/no/such/program" in err and "Traceback" not in err


class Sidecar:
    """Agones' REST conventions, as far as a server sees them."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.port = 0
        self.called = asyncio.Event()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(head.lower().partition("content-length: ")[2].split("\r\n")[0])
        body = await reader.readexactly(length)
        self.asked.append(" ".join(head.split()[:2]))
        assert body in (b"", b"{}")
        reply = b'{"status": {"state": "Ready"}}' if head.startswith("GET") else b"{}"
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(reply) + reply)
        await writer.drain()
        writer.close()
        self.called.set()


@pytest.fixture
async def sidecar(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Sidecar]:
    found = Sidecar()
    server = await asyncio.start_server(found.answer, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    monkeypatch.setenv("AGONES_SDK_HTTP_PORT", str(found.port))
    async with server:
        yield found


async def test_agones_is_told(sidecar: Sidecar) -> None:
    code, _, err = await outcome(*FREE_PORTS, "--duration", "2.6")
    assert code == 0 and not err
    assert sidecar.asked[0] == "POST /ready"
    assert sidecar.asked.count("POST /health") == 2
    assert sidecar.asked[-1] == "POST /shutdown"


async def test_agones_knows_this_server(sidecar: Sidecar) -> None:
    from transport.host._agones import Agones

    said: list[str] = []
    agones = Agones.from_environment(said.append)
    assert agones is not None
    assert (await agones.game_server())["status"]["state"] == "Ready"
    assert sidecar.asked == ["GET /gameserver"] and not said


async def test_an_absent_sidecar_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AGONES_SDK_HTTP_PORT", str(probe.getsockname()[1]))
        code, _, err = await outcome(*FREE_PORTS, "--duration", "0.5")
    assert code == 0 and len(err.splitlines()) == 1 and "agones: POST /ready" in err
