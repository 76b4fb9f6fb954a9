"""A host in this process or one of its own, on free ports, with a state folder of its own."""

from __future__ import annotations

import asyncio
import io
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from relay._log import Log
from transport.host._game import Game
from transport.host._host import Host
from transport.host._options import parse

PATIENCE = 20.0
ROOT = Path(__file__).parents[2]
FREE_PORTS = ("--port", "0", "--control-port", "0", "--admin-port", "0")
StartHost = Callable[..., AbstractAsyncContextManager["Running"]]


class Running:
    """A host that runs in this loop, and what it said."""

    def __init__(self, host: Host, out: io.StringIO) -> None:
        self.host = host
        self._out = out

    @property
    def said(self) -> str:
        return self._out.getvalue()


async def until(true: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Give other things a turn until it is true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come true in time"
        await asyncio.sleep(0.005)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh state folder, for this process and those that it starts."""
    monkeypatch.setenv("CLUTCHCALL_STATE", str(tmp_path / "state"))
    monkeypatch.delenv("AGONES_SDK_HTTP_PORT", raising=False)
    return tmp_path


@pytest.fixture
def start_host(native: Path, state: Path) -> StartHost:
    """Starts a host in this process: `async with start_host(Game, "--bots", "2") as running`."""

    @asynccontextmanager
    async def start(game: type[Game] | None, *arguments: str) -> AsyncIterator[Running]:
        out = io.StringIO()
        options = parse(["--drain", "1", *FREE_PORTS, *arguments])
        host = Host(options, game, Log(False, False, out))
        serving: asyncio.Task[int] | None = None
        try:
            await host.start()
            serving = asyncio.create_task(host.run())
            yield Running(host, out)
        finally:
            host.end()
            if serving is not None:
                await serving
            await host.stop()

    return start


def command(*arguments: str) -> list[str]:
    """The command line of a host."""
    return [sys.executable, "-m", "transport.host", *arguments]
