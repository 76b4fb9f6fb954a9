"""Netcode for Entities: a server with IPC and ClutchCall in one MultiNetworkDriver, and clients of either."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import transport

from ..conftest import PATIENCE
from .conftest import TICK, Unity

pytestmark = pytest.mark.timeout(300)


class Worlds:
    """The worlds of a process, ticked by turns."""

    def __init__(self, unity: Unity) -> None:
        self.unity = unity
        self.made: list[Any] = []

    def server(self, port: int = 0) -> tuple[Any, int]:
        made = self.unity.tests.N4eServer()
        self.made.append(made)
        found = int(made.Listen(port))
        assert found > 0, found
        return made, found

    def client(self, port: int, alone: bool) -> Any:
        """A client world; alone: of a process that has no server's."""
        self.unity.tests.N4eHook.ClientOnly(alone)
        made = self.unity.tests.N4eClient()
        self.made.append(made)
        made.Connect(port)
        return made

    def until(self, done: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < end, f"waited for {what}"
            for one in self.made:
                one.Update()
            time.sleep(TICK)


@pytest.fixture
def worlds(unity: Unity) -> Iterator[Worlds]:
    unity.tests.Semantics.EnterPlayMode()
    made = Worlds(unity)
    yield made
    for one in made.made:
        one.Dispose()
    unity.tests.N4eHook.Reset()
    unity.tests.N4eHook.ClientOnly(False)
    unity.engine.Scene.Clear()


def options(unity: Unity, **settings: Any) -> Any:
    made = unity.package.ClutchCallOptions()
    for name, value in settings.items():
        setattr(made, name, value)
    return made


def played(worlds: Worlds, clients: list[Any], server: Any) -> None:
    worlds.until(lambda: all(one.Connected for one in clients), "the clients to connect")
    worlds.until(lambda: server.Connections == len(clients), "the server to accept")
    for one in clients:
        one.Send(900)
    worlds.until(lambda: all(one.Echoed == 3 for one in clients), "an echo of each pipeline")


def test_a_server_serves_ipc_and_remote_clients_by_one_driver(worlds: Worlds) -> None:
    hook = worlds.unity.tests.N4eHook.Set(options(worlds.unity))
    server, port = worlds.server()
    assert list(server.Kinds) == ["IPC", "Socket"]
    near, far = worlds.client(port, alone=False), worlds.client(port, alone=True)
    assert (near.Kind, far.Kind) == ("IPC", "Socket")
    played(worlds, [near, far], server)
    assert str(hook.ServerSession.State) == str(hook.ClientSession.State) == "Up"
    assert int(hook.ServerSession.Peers) == 1


def test_worlds_meet_over_a_relay(worlds: Worlds, certificate: transport.credentials.Certificate) -> None:
    config = transport.RelayConfig(certificate.certificate, certificate.key, open_scope="")
    with transport.Node(config) as node:
        worlds.unity.tests.N4eHook.Set(
            options(
                worlds.unity,
                Mode=worlds.unity.package.ClutchCallMode.Relay,
                Url=f"moqt://127.0.0.1:{node.port}",
                TrustSha256=certificate.sha256,
            )
        )
        server, port = worlds.server(7777)
        clients = [worlds.client(port, alone=True) for _ in range(2)]
        played(worlds, clients, server)
        for one in worlds.made:
            one.Dispose()
        worlds.made.clear()


def test_a_component_takes_the_hook_and_gives_it_back(worlds: Worlds) -> None:
    hook = worlds.unity.tests.N4eHook
    assert hook.Current == "Unity.NetCode.IPCAndSocketDriverConstructor"
    component = hook.Component("entities")
    assert hook.Current == "ClutchCall.N4E.ClutchCallDriverConstructor"
    server, port = worlds.server()
    far = worlds.client(port, alone=True)
    played(worlds, [far], server)
    heard: list[str] = []
    component.enabled = False
    assert hook.Current == "Unity.NetCode.IPCAndSocketDriverConstructor"
    plain, plain_port = worlds.server()
    other = worlds.client(plain_port, alone=True)
    played(worlds, [other], plain)
    assert heard == []


def test_settings_that_do_not_do_fail_the_start(worlds: Worlds) -> None:
    worlds.unity.tests.N4eHook.Component("no/room")
    worlds.unity.engine.Debug.Take()
    made = worlds.unity.tests.N4eServer()
    worlds.made.append(made)
    assert int(made.Listen(0)) == -2
    lines = [line for line in worlds.unity.engine.Debug.Take() if line.startswith("error")]
    assert len(lines) == 1
    assert "room's name" in lines[0]


def test_a_driver_of_drivers_has_its_bounds(worlds: Worlds) -> None:
    told = list(worlds.unity.tests.N4eHook.Refusals())
    assert told == [
        "Capacity of MultiNetworkDriver has been reached",
        "All drivers must have the same number of pipelines",
    ]
