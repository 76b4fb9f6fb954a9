"""Programs of their own beside a test: started, read line by line, and ended whatever happens."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0
"""How long a line may take on a busy machine, seconds."""


class Child:
    """A Python program."""

    def __init__(self, process: asyncio.subprocess.Process, name: str) -> None:
        self.process = process
        self.name = name
        self.said: list[str] = []
        """Its output so far, errors too."""

    async def line(self, start: str = "", seconds: float = PATIENCE) -> str:
        """The next line that begins with `start`, without that."""
        assert self.process.stdout is not None
        async with asyncio.timeout(seconds):
            while raw := await self.process.stdout.readline():
                text = raw.decode().rstrip("\n")
                self.said.append(text)
                if text.startswith(start):
                    return text.removeprefix(start)
        raise AssertionError(f"{self.name} ended without {start!r}; it said:\n" + "\n".join(self.said))

    async def value(self, seconds: float = PATIENCE) -> Any:
        """The next line, which is JSON."""
        text = await self.line(seconds=seconds)
        try:
            return json.loads(text)
        except ValueError:
            rest = await self.rest()
            raise AssertionError(f"{self.name} said:\n{text}\n{rest}") from None

    def tell(self, text: str) -> None:
        """A line for its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode() + b"\n")

    async def rest(self, seconds: float = PATIENCE) -> str:
        """What it still says until it ends."""
        assert self.process.stdout is not None
        async with asyncio.timeout(seconds):
            text = (await self.process.stdout.read()).decode()
            await self.process.wait()
        self.said += text.splitlines()
        return text

    async def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self.process.returncode is None:
            self.process.kill()
        await self.rest()

    async def end(self, seconds: float = PATIENCE) -> int:
        """SIGTERM; its exit code."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        await self.rest(seconds)
        assert self.process.returncode is not None
        return self.process.returncode


@asynccontextmanager
async def child(*arguments: str, environment: Mapping[str, str] | None = None) -> AsyncIterator[Child]:
    """`python ARGUMENTS` with the checkout on its path; killed at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-W",
        "error",
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **(environment or {})},
        cwd=ROOT,
        limit=1 << 20,
    )
    found = Child(process, " ".join(arguments[:2]))
    try:
        yield found
    finally:
        await found.kill()
