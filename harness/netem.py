"""The network model in front of real sockets, for any program that speaks UDP.

    with netem.Proxy("127.0.0.1:7777", "lte-train", seed=7) as address:
        ...                                # clients talk to `address`, and meet the train's network

`python -m harness.netem --listen A --to B --profile P [--seed N]` does the same for programs that are started
by hand, and shows what it does to the traffic. docs/harness/netem.md tells both.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from harness._netem_figures import Counters, Direction, Histogram
from harness._netem_process import NetemError, Process

__all__ = ["Counters", "Direction", "Histogram", "NetemError", "Profile", "Proxy"]

Profile = str | Path | Mapping[str, object]
"""A profile: the name of one in harness/profiles, a file, or its fields. In fields, `name`, `description`,
`sources` and a direction that impairs nothing may be left out.
"""


class Proxy:
    """A proxy to `target` (HOST:PORT) that runs while the block does; `async with` does the same.

    Each address that sends to it is a client with a path of its own: `client-1`, `client-2` ... in order of
    appearance. `seed` (0 .. 2^64 - 1) decides all that befalls packets; `clients` bounds how many there are
    at once, and after `idle` seconds without packets one is forgotten. `source`: the address that the target
    sees, one of this machine's, or "client": each client's own. `name`: what the profile's `clients` call all
    who come. `reverse`: it is the target's network, whose `up` is what the target sends. Methods may be
    called by any thread. Everything raises `NetemError`, in one line, for what cannot be.
    """

    def __init__(
        self,
        target: str,
        profile: Profile,
        *,
        seed: int = 1,
        listen: str = "127.0.0.1:0",
        clients: int = 1024,
        idle: int = 300,
        source: str = "",
        name: str = "",
        reverse: bool = False,
    ) -> None:
        self.seed = seed
        self._profile = profile
        self._options = [
            *(f"--to={target}", f"--listen={listen}", f"--seed={seed}", f"--clients={clients}"),
            f"--idle={idle}",
            *([f"--from={source}"] if source else []),
            *([f"--name={name}"] if name else []),
            *(["--reverse"] if reverse else []),
        ]
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._written = 0
        self._process: Process | None = None

    def __enter__(self) -> str:
        if self._process is not None:
            raise NetemError("this proxy has run already: make another one", 2)
        self._folder = tempfile.TemporaryDirectory(prefix="netem-")
        try:
            self._process = Process([*self._options, f"--profile={self._named(self._profile)}"])
        except BaseException:
            self._folder.cleanup()
            raise
        return self._process.address

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.end()
        if self._folder is not None:
            self._folder.cleanup()

    async def __aenter__(self) -> str:
        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.__exit__, kind, value, trace)

    @property
    def address(self) -> str:
        """Where clients send to, HOST:PORT."""
        return self._running.address

    @property
    def notices(self) -> tuple[str, ...]:
        """What it had to say so far, such as that the target refuses packets."""
        return tuple(self._running.notices)

    def change(self, profile: Profile) -> None:
        """Another profile from now on, its times counting from now; what is on the way stays as it is.

        A profile that cannot be leaves the one in force.
        """
        self._running.ask(f"profile {self._named(profile)}")

    def pause(self) -> None:
        """Drop whatever arrives, at both ends; what is on the way still gets there."""
        self._running.ask("pause")

    def resume(self) -> None:
        """Let packets pass again."""
        self._running.ask("resume")

    def rebind(self) -> None:
        """Every client's NAT gives it another port from its next packet on; what comes to the old is lost."""
        self._running.ask("rebind")

    def counters(self) -> Counters:
        """What it did until now; after the block, until its end."""
        return self._running.figures()

    @property
    def _running(self) -> Process:
        if self._process is None:
            raise NetemError("the proxy does not run: use it as `with proxy as address:`", 2)
        return self._process

    def _named(self, profile: Profile) -> str:
        """What the program calls it: fields are written to a file first."""
        if isinstance(profile, str):
            return profile
        if isinstance(profile, Path):
            # A bare file name would be looked up among the names.
            return str(profile.absolute() if profile.suffix != ".json" else profile)
        if self._folder is None:
            raise NetemError("the proxy does not run: use it as `with proxy as address:`", 2)
        self._written += 1
        path = Path(self._folder.name) / f"profile-{self._written}.json"
        described = {"name": path.stem, "description": "Given as fields.", "sources": ["The caller."]}
        whole = {**described, "up": {}, "down": {}, **profile}
        try:
            path.write_text(json.dumps(whole, allow_nan=False), "utf-8")
        except (TypeError, ValueError) as wrong:
            raise NetemError(f"the profile's fields are no JSON: {wrong}", 2) from None
        except OSError as wrong:
            raise NetemError(f"the profile cannot be written, or the proxy has ended: {wrong}") from None
        return str(path)


if __name__ == "__main__":
    from harness._netem_command import main

    sys.exit(main())
