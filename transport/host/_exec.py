"""A game server program under supervision: started with what it needs to join, ended when the host ends.

It is ready when it publishes any track below `games/<room>/`. Its exit ends the host: code 0 as 0, any other
as 1.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from transport import Feed, TrackAdded

PEER: Final = "server"
"""The peer id of the program's token."""
_LINE: Final = 1 << 16
_TERMINATED, _KILLED = (1, 1) if os.name == "nt" else (-15, -9)
"""Codes of a program that was asked to end, and of one that was made to."""
_GRACE: Final = 10.0
"""How long it has to end after SIGTERM, seconds."""


class StartError(Exception):
    """The program can't be started; one line."""


class Child:
    """The program."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], say: Callable[[str], None]
    ) -> None:
        self.command = tuple(command)
        self._environment = {**os.environ, **environment}
        self._say = say
        self._process: asyncio.subprocess.Process | None = None
        self._allowed: set[int] = {0}
        """Codes of a good end."""
        self._code: int | None = None
        self._output: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Start it. `StartError`."""
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self.command,
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                limit=_LINE,
                # A terminal's Ctrl-C is for the host, which then asks the program to end.
                process_group=0 if os.name == "posix" else None,
            )
        except (OSError, ValueError) as wrong:
            why = wrong.strerror if isinstance(wrong, OSError) else str(wrong)
            raise StartError(f"--exec {self.command[0]}: {why}: pass a program that can be run") from None
        assert self._process.stdout is not None
        self._output.append(asyncio.create_task(self._pass_on(self._process.stdout)))

    async def announced(self, feed: Feed) -> None:
        """Wait until it publishes a track of the feed, which is the room's."""
        events = feed.events()
        try:
            if any(track.publisher in (PEER, "") for track in feed.tracks.values()):
                return
            async for event in events:
                if isinstance(event, TrackAdded) and event.track.publisher in (PEER, ""):
                    return
        finally:
            events.close()

    async def ended(self) -> int:
        """Wait for its end; the host's exit code."""
        assert self._process is not None
        code = await self._process.wait()
        await asyncio.wait(self._output)
        if self._code is None:
            self._code = 0 if code in self._allowed else 1
            if self._code:
                how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
                self._say(f"{self.command[0]} {how}")
        return self._code

    async def stop(self) -> None:
        """Ask it to end, insist after a while."""
        if self._process is None or self._process.returncode is not None:
            return
        self._allowed.add(_TERMINATED)
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), _GRACE)
        except TimeoutError:
            self._say(f"{self.command[0]} did not end within {_GRACE:g} s of SIGTERM: it is killed")
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def kill(self) -> int:
        """End it now, if it still runs; the host's exit code."""
        if self._process is None:
            return 0
        if self._process.returncode is None:
            self._allowed.add(_KILLED)
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        return await self.ended()

    async def _pass_on(self, stream: asyncio.StreamReader) -> None:
        name = os.path.basename(self.command[0])
        while True:
            try:
                line = await stream.readline()
            except ValueError:  # longer than the limit: the rest comes as lines of its own
                continue
            if not line:
                return
            self._say(f"{name}: {line.decode('utf-8', 'replace').rstrip()}")
