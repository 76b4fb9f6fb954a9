"""C# in a world in virtual time: the Unity package's own code, on machines of a world, frame by frame.

    game = csharp.load(folder, sources)         # once a process, before anything else has C# in it
    with World(7) as world, csharp.Play(game, world) as play:
        relay = world.relay()

        async def player(machine):
            with play.made(machine, game.tests.MyGame, machine.to.url) as mine:
                await play.frames(machine, mine.Update)

        world.machine(player, name="player-1", network="lte-train")
        world.run(60)

The C# calls the library of tests in place of the shipped one, so its nodes have neither socket nor thread;
jobs run in place; its clock is the world's, told before each frame, and its random numbers follow from the
seed. Two runs with one seed are the same run. What a game in C# itself reads of the machine (`Stopwatch`,
`DateTime.Now`, `Guid`, threads) nobody sees: one that is to repeat leaves them alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import dotnet_bridge
from dotnet_bridge import assemblies
from harness._machines import Machine
from harness._world_native import WorldError, library_path
from harness.world import World

__all__ = ["FRAMES", "Game", "Play", "load"]

FRAMES = 60.0
"""Frames a second."""


@dataclass(frozen=True)
class Game:
    """Loaded namespaces as Python modules."""

    core: Any
    """ClutchCall.Core"""
    package: Any
    """ClutchCall.UnityTransport"""
    tests: Any
    """The namespace of the sources."""
    engine: Any
    """UnityEngine, as far as the shim has it."""
    jobs: Any
    """Unity.Jobs"""
    network: Any
    """Unity.Networking.Transport"""
    assemblies: tuple[Any, ...]
    """All of them, in the order of loading."""


_loaded: list[Game] = []


def load(folder: Path, sources: Iterable[Path], *, namespace: str) -> Game:
    """Compile the package, the shim in Unity's place and the sources, and load all into this process.

    `folder` is for the assemblies: each runs with the native library that lies beside it, so those of a world
    have a folder of their own. A process loads them once, and nothing else of the package.
    """
    if _loaded:
        raise WorldError("this process has C# loaded already: use what `load` gave then, or another process")
    tools = dotnet_bridge.find()
    made = assemblies.compile_all(assemblies.WHOLE, tools)
    tests = dotnet_bridge.compile(sources, made.values(), name=namespace, tools=tools)
    folder.mkdir(parents=True, exist_ok=True)
    loaded = tuple(
        dotnet_bridge.load(Path(shutil.copy2(dll, folder)), library_path(), tools=tools)
        for dll in (*made.values(), tests)
    )
    names = (
        "ClutchCall.Core",
        "ClutchCall.UnityTransport",
        namespace,
        "UnityEngine",
        "Unity.Jobs",
        "Unity.Networking.Transport",
    )
    core, package, own, engine, jobs, network = (importlib.import_module(name) for name in names)
    _loaded.append(Game(core, package, own, engine, jobs, network, loaded))
    return _loaded[0]


class Play:
    """C# goes by a world's time and numbers while the block lasts."""

    def __init__(self, game: Game, world: World) -> None:
        self._game = game
        self._world = world

    def __enter__(self) -> Play:
        seed = self._world.seed
        self._game.core.Surroundings.Tell(seed)
        self._game.network.Dice.Seed = seed & 0x3FFF_FFFF
        self._game.jobs.JobRunner.Threaded = False
        self._tell(self._world.now)
        engine = self._game.engine
        for one in self._game.assemblies:
            # As where play begins: what the package leaves from the last one is gone.
            start = engine.RuntimeInitializeLoadType.SubsystemRegistration
            engine.RuntimeInitializeOnLoadMethodAttribute.Run(one, start)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What programs made is disposed of in their own time.
        self._world.close()
        self._game.core.Surroundings.Forget()
        self._game.network.Dice.Seed = -1
        self._game.engine.Time.Told = -1.0

    @contextlib.contextmanager
    def made(self, machine: Machine, kind: Callable[..., Any], *args: Any) -> Iterator[Any]:
        """An object of C# on a machine, disposed of at the end."""
        with self._at(machine):
            thing = kind(*args)
        try:
            yield thing
        finally:
            with self._at(machine):
                thing.Dispose()

    async def frames(self, machine: Machine, update: Callable[[], object], *, rate: float = FRAMES) -> None:
        """Call `update` on a machine each frame, for ever: a step of time is as long as the one before."""
        began, frame = self._world.now, 0
        while True:
            with self._at(machine):
                update()
            frame += 1
            await asyncio.sleep(max(0.0, began + frame / rate - self._world.now))

    @contextlib.contextmanager
    def _at(self, machine: Machine) -> Iterator[None]:
        self._tell(self._world.now)
        with machine.ground():
            yield

    def _tell(self, now: float) -> None:
        self._game.core.Surroundings.Advance(round(now * 1e3))
        self._game.engine.Time.Told = now
