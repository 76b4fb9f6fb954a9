"""Agones' sidecar, by its REST conventions: ready, health, shutdown and what it knows about this server.

It is there when AGONES_SDK_HTTP_PORT is set. A sidecar that does not answer is said once and never stops the
host: Agones restarts a server whose health does not come.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from typing import Any, Final

VARIABLE: Final = "AGONES_SDK_HTTP_PORT"
HEALTH_PERIOD: Final = 2.0
"""Seconds; Agones' default patience is 5."""
_PATIENCE: Final = 3.0
_MAX_REPLY: Final = 1 << 20


class AgonesError(Exception):
    """The sidecar did not do what it was asked; one line."""


class Agones:
    """A client of the sidecar on this machine."""

    def __init__(self, port: int, say: Callable[[str], None]) -> None:
        self.port = port
        self.failures = 0
        self._say = say
        self._beating: asyncio.Task[None] | None = None
        self._last_beat = -HEALTH_PERIOD

    @classmethod
    def from_environment(cls, say: Callable[[str], None]) -> Agones | None:
        """The sidecar, if there is one. `AgonesError` if its port can't be one."""
        text = os.environ.get(VARIABLE, "")
        if not text:
            return None
        if not text.isdecimal() or not 0 < int(text) <= 65_535:
            raise AgonesError(f"{VARIABLE} is {text!r}: set it to the sidecar's HTTP port")
        return cls(int(text), say)

    async def ready(self) -> None:
        """This server can take players."""
        await self._tell("/ready")

    async def shutdown(self) -> None:
        """This server is done and may be removed."""
        await self._tell("/shutdown")

    async def game_server(self) -> dict[str, Any]:
        """What Agones knows about this server. `AgonesError`."""
        found = json.loads(await self._request("GET", "/gameserver"))
        return found if isinstance(found, dict) else {}

    def beat(self, now: float) -> None:
        """Called from the tick loop and nowhere else, as a stuck loop is an unhealthy server: sends health
        every two seconds.
        """
        if now - self._last_beat < HEALTH_PERIOD or (self._beating is not None and not self._beating.done()):
            return
        self._last_beat = now
        self._beating = asyncio.ensure_future(self._tell("/health"))

    async def close(self) -> None:
        """Wait for what is on its way."""
        if self._beating is not None:
            await self._beating

    async def _tell(self, path: str) -> None:
        try:
            await self._request("POST", path)
        except AgonesError as wrong:
            self.failures += 1
            if self.failures == 1:
                self._say(f"{wrong}: Agones may take this server for dead")

    async def _request(self, verb: str, path: str) -> bytes:
        try:
            async with asyncio.timeout(_PATIENCE):
                return await self._exchange(verb, path)
        except TimeoutError:
            raise AgonesError(f"agones: {verb} {path} on port {self.port}: no answer in time") from None
        except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as wrong:
            raise AgonesError(f"agones: {verb} {path} on port {self.port}: {wrong}") from None

    async def _exchange(self, verb: str, path: str) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            body = b"{}" if verb == "POST" else b""
            writer.write(
                f"{verb} {path} HTTP/1.1\r\nHost: localhost:{self.port}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
                + body
            )
            await writer.drain()
            status = (await reader.readline()).split()
            if len(status) < 2 or not status[0].startswith(b"HTTP/1."):
                raise ValueError("the answer is no HTTP")
            while (await reader.readline()).strip():
                pass
            if status[1] != b"200":
                raise ValueError(f"it answered {status[1].decode('ascii', 'replace')}")
            return await reader.read(_MAX_REPLY)
        finally:
            writer.close()
