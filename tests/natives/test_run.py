"""The libraries at work: a C program over each, by itself and against a relay of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import transport
from tools.process import ROOT
from transport import Fate, Frame, Reason

from .conftest import HERE, System, stub

SMOKE = ROOT / "core" / "ffi" / "tests" / "smoke.c"
PATIENCE = 60.0
SIZES = (1, 200, 1101, 8000, 60_000)
DATAGRAM = 8000
"""The largest frame that goes in datagrams here."""

pytestmark = pytest.mark.timeout(400)
"""The first test with wine waits until wine has set itself up."""


def test_a_c_program_plays_through_the_whole_abi(
    system: System, tmp_path: Path, certificate: transport.credentials.Certificate
) -> None:
    program = system.build(SMOKE, tmp_path)
    stub(system, tmp_path)
    (tmp_path / "certificate.pem").write_bytes(certificate.certificate)
    (tmp_path / "key.pem").write_bytes(certificate.key)
    command = system.command(program, "certificate.pem", "key.pem", certificate.sha256)
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=system.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@contextlib.asynccontextmanager
async def playing(system: System, folder: Path, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    program = system.build(HERE / "echo.c", folder)
    stub(system, folder)
    child = await asyncio.create_subprocess_exec(
        *system.command(program, *arguments),
        cwd=folder,
        env=system.environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield child
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()


async def line(child: asyncio.subprocess.Process) -> str:
    assert child.stdout is not None
    return (await asyncio.wait_for(child.stdout.readline(), PATIENCE)).decode().strip()


async def test_it_plays_with_a_relay_of_this_machine(
    system: System, tmp_path: Path, certificate: transport.credentials.Certificate
) -> None:
    config = transport.RelayConfig(certificate.certificate, certificate.key, open_scope="")
    relay = transport.Node(config, "127.0.0.1:0")
    trust = transport.Pinned(certificate.sha256)
    async with playing(system, tmp_path, f"127.0.0.1:{relay.port}", certificate.sha256) as child:
        assert (await line(child)).startswith("abi ")
        assert await line(child) == "up"
        async with (
            transport.connect(f"moqt://127.0.0.1:{relay.port}", trust=trust, timeout=PATIENCE) as link,
            link.subscribe("natives/up") as feed,
        ):
            tracks = {
                datagram: await link.publish(Frame("natives/down", f"d{int(datagram)}", datagram=datagram))
                for datagram in (True, False)
            }
            heard: list[bytes] = []

            async def listen() -> None:
                async for frame in feed:
                    heard.append(bytes(frame.payload))

            listening = asyncio.create_task(listen())
            for mark, size in enumerate(SIZES):
                sent = bytes((mark * 31 + at * 7) % 256 for at in range(size))
                turned = bytes(255 - byte for byte in sent)
                for datagram, track in tracks.items():
                    if datagram and size > DATAGRAM:
                        continue
                    heard.clear()
                    # A datagram may be lost, and the first frames come before the other has its demand.
                    async with asyncio.timeout(PATIENCE):
                        while turned not in heard:
                            fate = track.send(sent)
                            assert fate in (Fate.QUEUED, Fate.NO_SUBSCRIBER)
                            with contextlib.suppress(TimeoutError):
                                async with asyncio.timeout(0.5):
                                    while turned not in heard:
                                        await asyncio.sleep(0.005)
            assert tracks[False].send(b"") == Fate.QUEUED
            assert await asyncio.wait_for(child.wait(), PATIENCE) == 0
            listening.cancel()
    await relay.aclose()


async def test_a_certificate_that_the_system_does_not_know_is_refused(
    system: System, tmp_path: Path, certificate: transport.credentials.Certificate
) -> None:
    config = transport.RelayConfig(certificate.certificate, certificate.key, open_scope="")
    relay = transport.Node(config, "127.0.0.1:0")
    async with playing(system, tmp_path, f"127.0.0.1:{relay.port}", "-") as child:
        assert (await line(child)).startswith("abi ")
        assert await line(child) == f"closed {int(Reason.CERTIFICATE)}"
        assert await asyncio.wait_for(child.wait(), PATIENCE) == 2
    await relay.aclose()
