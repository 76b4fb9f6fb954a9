"""The package's transport, the shim and the tests' C#, compiled and loaded; what peers are made of."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import dotnet_bridge
import transport
from dotnet_bridge import assemblies, meta

from ..conftest import PATIENCE

SOURCES = meta.PACKAGE / "Runtime" / "UnityTransport"
CSHARP = Path(__file__).with_name("csharp")
TICK = 0.002
"""How long a tick rests, seconds."""


@dataclass(frozen=True)
class Unity:
    """Loaded namespaces as Python modules."""

    package: Any
    """ClutchCall.UnityTransport"""
    tests: Any
    """ClutchCall.UnityTests"""
    engine: Any
    """UnityEngine"""
    jobs: Any
    """Unity.Jobs"""
    core: Any
    """ClutchCall.Core"""


@dataclass(frozen=True)
class Built:
    """Compiled assemblies."""

    shim: Path
    package: Path
    tests: Path
    all: dict[str, Path]
    """Each by its name, in an order in which they can be loaded."""


@pytest.fixture(scope="session")
def built(tools: dotnet_bridge.Toolchain) -> Built:
    made = assemblies.compile_all(assemblies.WHOLE, tools)
    name = "ClutchCall.UnityTests"
    tests = dotnet_bridge.compile(CSHARP.glob("*.cs"), made.values(), name=name, tools=tools)
    return Built(made[assemblies.SHIM_NAME], made["ClutchCall.UnityTransport"], tests, {**made, name: tests})


@pytest.fixture(scope="session")
def loaded(tools: dotnet_bridge.Toolchain, built: Built, native: Path) -> Unity:
    for dll in built.all.values():
        dotnet_bridge.load(dll, native, tools=tools)
    names = (
        "ClutchCall.UnityTransport",
        "ClutchCall.UnityTests",
        "UnityEngine",
        "Unity.Jobs",
        "ClutchCall.Core",
    )
    return Unity(*(importlib.import_module(name) for name in names))


@pytest.fixture
def inline(loaded: Unity, state: Path) -> Iterator[Unity]:
    """The package, with jobs run in place; nothing may throw."""
    with running(loaded, threads=False):
        yield loaded


@pytest.fixture(params=["inline", "threads"])
def unity(loaded: Unity, request: pytest.FixtureRequest, state: Path) -> Iterator[Unity]:
    """The package, with jobs run in place or on any thread; no job may throw."""
    with running(loaded, threads=request.param == "threads"):
        yield loaded


@contextmanager
def running(loaded: Unity, threads: bool) -> Iterator[None]:
    loaded.jobs.JobRunner.Threaded = threads
    loaded.engine.Debug.Take()
    yield
    loaded.jobs.JobRunner.Threaded = False
    thrown = [line for line in loaded.engine.Debug.Take() if line.startswith("exception")]
    assert thrown == []


@pytest.fixture(scope="session")
def state(loaded: Unity, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state folder that C# keeps its development certificate in."""
    folder = tmp_path_factory.mktemp("state")
    environment: Any = importlib.import_module("System").Environment
    environment.SetEnvironmentVariable("CLUTCHCALL_STATE", str(folder))
    return folder


@dataclass
class Table:
    """Peers that play together, ticked by turns."""

    unity: Unity
    relay: str = ""
    """URL of the relay that they meet at; empty: they play without one."""
    sha256: str = ""

    def __post_init__(self) -> None:
        self.peers: list[Any] = []
        self.asleep: list[Any] = []
        self.also: list[Callable[[], object]] = []

    def options(self, **more: Any) -> Any:
        made = self.unity.package.ClutchCallOptions()
        made.Room = "room1"
        made.PipelinePriorities = bytes([128, 100, 50])
        if self.relay:
            made.Mode = self.unity.package.ClutchCallMode.Relay
            made.Url, made.TrustSha256 = self.relay, self.sha256
        for name, value in more.items():
            setattr(made, name, value)
        return made

    def peer(self, timeout: float = 30.0, size: int = 1400, queue: int = 512, **options: Any) -> Any:
        made = self.unity.tests.UtpPeer(self.options(**options), size, int(timeout * 1000), queue)
        self.peers.append(made)
        return made

    def server(self, port: int = 0, address: str = "127.0.0.1", **options: Any) -> tuple[Any, int]:
        """A server that listens, and its port."""
        made = self.peer(**options)
        # Through a relay the port is a placeholder, that nobody opens.
        found = made.Listen(address, port or (7777 if self.relay else 0))
        assert found > 0, (found, made.Session.Text)
        return made, found

    def client(self, port: int, address: str = "127.0.0.1", **options: Any) -> Any:
        """A client that is connected."""
        made = self.peer(**options)
        made.Connect(address, port)
        self.until(lambda: made.Connected, "the client to connect")
        return made

    def until(self, done: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
        end = time.monotonic() + patience
        while not done():
            told = [(list(peer.Events), str(peer.Session.State), peer.Session.Text) for peer in self.peers]
            assert time.monotonic() < end, f"waited for {what}: {told}"
            self.tick()

    def tick(self, seconds: float = 0.0) -> None:
        """One tick, or as many as fit."""
        end = time.monotonic() + seconds
        while True:
            for peer in self.peers:
                if peer not in self.asleep:
                    peer.Update()
            for other in self.also:
                other()
            time.sleep(TICK)
            if time.monotonic() >= end:
                return

    def close(self, *peers: Any) -> None:
        for peer in peers or tuple(self.peers):
            peer.Dispose()
            self.peers.remove(peer)


@contextmanager
def seated(unity: Unity, relay: str = "", sha256: str = "") -> Iterator[Table]:
    table = Table(unity, relay, sha256)
    try:
        yield table
    finally:
        table.close()


@contextmanager
def held(peer: Any) -> Iterator[None]:
    """No thread of .NET gets at a peer's session meanwhile."""
    threading: Any = importlib.import_module("System.Threading")
    reflection: Any = importlib.import_module("System.Reflection")
    private = reflection.BindingFlags.NonPublic | reflection.BindingFlags.Instance
    gate = peer.Session.GetType().GetField("_gate", private).GetValue(peer.Session)
    threading.Monitor.Enter(gate)
    try:
        yield
    finally:
        threading.Monitor.Exit(gate)


@pytest.fixture
def direct(unity: Unity) -> Iterator[Table]:
    with seated(unity) as made:
        yield made


@pytest.fixture(params=["direct", "relay"])
def table(
    unity: Unity, request: pytest.FixtureRequest, certificate: transport.credentials.Certificate
) -> Iterator[Table]:
    """Peers without a relay, and over one."""
    if request.param == "direct":
        with seated(unity) as made:
            yield made
        return
    config = transport.RelayConfig(certificate.certificate, certificate.key, open_scope="")
    with (
        transport.Node(config) as node,
        seated(unity, f"moqt://127.0.0.1:{node.port}", certificate.sha256) as made,
    ):
        yield made
