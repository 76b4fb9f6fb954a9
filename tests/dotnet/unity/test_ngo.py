"""Netcode for GameObjects over ClutchCall: the driver's hook, the component, hosts and clients."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import transport

from ..conftest import PATIENCE
from .conftest import TICK, Unity

pytestmark = pytest.mark.timeout(300)

UNRELIABLE, SEQUENCED, RELIABLE, ORDERED, FRAGMENTED = range(5)


class Stage:
    """Games of one process, whose tick is the scene's."""

    def __init__(self, unity: Unity, relay: str = "", sha256: str = "", native: bool = False) -> None:
        self.unity, self.relay, self.sha256, self.native = unity, relay, sha256, native
        self.games: list[Any] = []

    def game(self, name: str, port: int, plain: bool = False, **settings: Any) -> Any:
        """A game that is not started; its component has the settings."""
        made = self.unity.tests.NgoGame(name, plain, self.native)
        self.games.append(made)
        component = made.Component
        component.Room = "room1"
        if self.relay:
            component.Mode = self.unity.package.ClutchCallMode.Relay
            component.Url, component.TrustSha256 = self.relay, self.sha256
        for key, value in settings.items():
            setattr(component, key, value)
        self.aim(made, port)
        return made

    def aim(self, game: Any, port: int) -> None:
        """Has a game listen on, or connect to, a port of this machine."""
        if self.native:
            game.Native.Port = port
        else:
            game.Transport.SetConnectionData("127.0.0.1", port)

    def port(self, game: Any) -> int:
        """Where a game listens."""
        return int(game.Native.Port if self.native else game.Transport.Driver.GetLocalEndpoint().Port)

    def tick(self) -> None:
        self.unity.engine.Scene.Step()
        time.sleep(TICK)

    def until(self, done: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
        end = time.monotonic() + patience
        while not done():
            told = [(list(one.Events), str(one.Component.State), one.Component.Text) for one in self.games]
            assert time.monotonic() < end, f"waited for {what}: {told}"
            self.tick()

    def end(self, *games: Any) -> None:
        for one in games or tuple(self.games):
            one.Dispose()
            self.games.remove(one)


@contextmanager
def stage(unity: Unity, relay: str = "", sha256: str = "", native: bool = False) -> Iterator[Stage]:
    made = Stage(unity, relay, sha256, native)
    unity.tests.Semantics.EnterPlayMode()
    try:
        yield made
    finally:
        made.end()
        unity.engine.Scene.Clear()


@pytest.fixture(params=["direct", "relay", "direct tracks", "relay tracks"])
def scene(
    unity: Unity, request: pytest.FixtureRequest, certificate: transport.credentials.Certificate
) -> Iterator[Stage]:
    """UnityTransport over the driver, and the transport of tracks; each without a relay, and over one."""
    native = "tracks" in request.param
    if "direct" in request.param:
        with stage(unity, native=native) as made:
            yield made
        return
    config = transport.RelayConfig(certificate.certificate, certificate.key, open_scope="")
    with (
        transport.Node(config) as node,
        stage(unity, f"moqt://127.0.0.1:{node.port}", certificate.sha256, native) as made,
    ):
        yield made


@pytest.fixture
def direct(unity: Unity) -> Iterator[Stage]:
    with stage(unity) as made:
        yield made


def hosted(scene: Stage, **settings: Any) -> tuple[Any, int]:
    """A host that is started, and its port."""
    host = scene.game("host", 0 if not scene.relay else 7777, **settings)
    assert host.Manager.StartHost(), logged(scene.unity)
    return host, scene.port(host)


def joined(scene: Stage, port: int, **settings: Any) -> Any:
    client = scene.game("client", port, **settings)
    assert client.Manager.StartClient()
    scene.until(lambda: client.Manager.IsConnectedClient, "the client to be let in")
    return client


def logged(unity: Unity) -> list[str]:
    return [line for line in unity.engine.Debug.Take() if not line.startswith("info")]


def test_a_host_with_clients_and_every_delivery(scene: Stage) -> None:
    host, port = hosted(scene)
    assert list(host.Events) == ["connected 0"]
    clients = [joined(scene, port) for _ in range(2)]
    ids = [int(one) for one in host.Manager.ConnectedClientsIds]
    assert ids == [0, 1, 2]
    assert [int(client.Manager.LocalClientId) for client in clients] == [1, 2]
    for delivery in range(5):
        size = 6000 if delivery < RELIABLE else 60_000
        for client in clients:
            client.Send(0, size, delivery, delivery)
        for number in (1, 2):
            host.Send(number, size, delivery, delivery)
    scene.until(lambda: len(list(host.Marks)) == 10, "what the clients sent")
    scene.until(lambda: all(len(list(one.Marks)) == 5 for one in clients), "what the host sent")
    assert [one.Wrong for one in (host, *clients)] == ["", "", ""]
    clients[0].Manager.Shutdown()
    scene.until(lambda: "disconnected 1" in list(host.Events), "the host to hear")
    host.Manager.DisconnectClient(2)
    scene.until(lambda: not clients[1].Manager.IsListening, "the second to hear")
    assert scene.native or host.Transport.Defaults == 0


def test_the_hook_is_given_back_and_others_are_untouched(direct: Stage) -> None:
    utp: Any = importlib.import_module("Unity.Netcode.Transports.UTP").UnityTransport
    before = utp.s_DriverConstructor
    assert before is None
    ours, other = direct.game("ours", 0), direct.game("other", 0, plain=True)
    assert utp.s_DriverConstructor is not None
    assert other.Manager.StartServer()
    assert other.Transport.Defaults == 1
    client = direct.game("client", int(other.Transport.Driver.GetLocalEndpoint().Port), plain=True)
    assert client.Manager.StartClient()
    direct.until(lambda: client.Manager.IsConnectedClient, "a client of plain UDP")
    assert ours.Manager.StartServer()
    assert ours.Transport.Defaults == 0
    direct.end(ours)
    assert utp.s_DriverConstructor is None


def test_what_had_the_hook_before_has_it_again(direct: Stage) -> None:
    utp: Any = importlib.import_module("Unity.Netcode.Transports.UTP").UnityTransport
    spy = direct.unity.tests.SpyConstructor()
    utp.s_DriverConstructor = spy
    try:
        ours, other = direct.game("ours", 0), direct.game("other", 0, plain=True)
        assert other.Manager.StartServer()
        assert spy.Asked == 1
        ours.Component.enabled = False
        assert spy.IsSet
        ours.Component.enabled = True
        assert ours.Manager.StartServer()
        assert spy.Asked == 1
        assert not spy.IsSet
        direct.end(ours)
        assert spy.IsSet
    finally:
        utp.s_DriverConstructor = None


@pytest.mark.parametrize(
    ("setting", "words"),
    [("Relayed", "Unity Relay"), ("UseWebSockets", "Use WebSockets"), ("UseEncryption", "Use Encryption")],
)
def test_what_is_not_carried_is_refused_in_one_line(direct: Stage, setting: str, words: str) -> None:
    logged(direct.unity)
    for start in ("StartHost", "StartClient"):
        game = direct.game(start, 7777)
        setattr(game.Transport, setting, True)
        assert not getattr(game.Manager, start)()
        (line,) = logged(direct.unity)
        assert line.startswith("error: ClutchCall: ")
        assert words in line
        assert str(game.Component.Reason) == "Refused"
        assert words in game.Component.Text


def test_a_start_with_wrong_settings_fails_with_a_line_for_each(direct: Stage) -> None:
    game = direct.game("wrong", 7777, Room="a/b", TrustSha256="12", MaxPeers=0)
    direct.tick()
    assert len(logged(direct.unity)) == 3  # when it starts
    told = list(game.Component.Problems())
    assert [line.split(" ")[0] for line in told] == ["the", "MaxPeers", "TrustSha256"]
    assert not game.Manager.StartServer()
    assert len(logged(direct.unity)) == 3
    assert (str(game.Component.State), str(game.Component.Reason)) == ("Ended", "Refused")
    game.Component.Room, game.Component.TrustSha256, game.Component.MaxPeers = "good", "", 4
    assert list(game.Component.Problems()) == []
    game.Transport.SetConnectionData("127.0.0.1", 0)
    assert game.Manager.StartServer()


def test_a_key_that_cannot_be_read(direct: Stage) -> None:
    game = direct.game("keyless", 0, CertificatePem="x", KeyFile="/nowhere/key.pem")
    (line,) = game.Component.Problems()
    assert "check Key File" in line
    assert not game.Manager.StartServer()


def test_simulator_and_profiler_stages_are_kept(direct: Stage) -> None:
    host, server = direct.game("host", 0), direct.game("server", 0)
    for one in (host, server):
        one.Transport.Simulates = one.Transport.Measures = True
    assert server.Manager.StartServer()
    client = direct.game("client", int(server.Transport.Driver.GetLocalEndpoint().Port))
    client.Transport.Simulates = client.Transport.Measures = True
    assert client.Manager.StartClient()
    direct.until(lambda: client.Manager.IsConnectedClient, "the client to be let in")
    kept = "SimulatorPipelineStage NetworkMetricsPipelineStage"
    assert str(direct.unity.tests.NgoGame.Stages(server.Transport)).split("; ") == [
        f"FragmentationPipelineStage {kept}",
        f"FragmentationPipelineStage UnreliableSequencedPipelineStage {kept}",
        f"ReliableSequencedPipelineStage {kept}",
    ]


def test_priorities_follow_the_component(
    unity: Unity, certificate: transport.credentials.Certificate
) -> None:
    """Read off the tracks by another subscriber: control, then reliable, sequenced, unreliable."""
    config = transport.RelayConfig(certificate.certificate, certificate.key, open_scope="")
    with (
        transport.Node(config) as node,
        stage(unity, f"moqt://127.0.0.1:{node.port}", certificate.sha256) as scene,
        node.subscribe("games/room1/up", capability="netcode.v1") as feed,
    ):
        host, port = hosted(scene)
        client = joined(scene, port, ReliablePriority=40, SequencedPriority=41, UnreliablePriority=42)
        for delivery in (UNRELIABLE, SEQUENCED, ORDERED):
            client.Send(0, 100, delivery, delivery)
        scene.until(lambda: len(list(host.Marks)) == 3, "what the client sent")
        by_pipeline = {frame.payload[9]: frame.priority for frame in feed.drain() if frame.payload[0] == 1}
        assert by_pipeline == {1: 42, 2: 41, 3: 40}


def test_the_environment_overrides_the_fields(
    unity: Unity, certificate: transport.credentials.Certificate
) -> None:
    environment: Any = importlib.import_module("System").Environment
    config = transport.RelayConfig(certificate.certificate, certificate.key, open_scope="")
    with transport.Node(config) as node, stage(unity) as scene:
        told = {
            "URL": f"moqt://127.0.0.1:{node.port}",
            "ROOM": "told",
            "TOKEN": "t",
            "CERT_SHA256": certificate.sha256,
        }
        try:
            for name, value in told.items():
                environment.SetEnvironmentVariable(f"CLUTCHCALL_{name}", value)
            host, client = scene.game("host", 7777), scene.game("client", 7777)
            assert host.Manager.StartHost()
            assert client.Manager.StartClient()
            scene.until(lambda: client.Manager.IsConnectedClient, "the client to be let in")
            stats = client.Component.TryGetStats()
            assert stats[0]
            assert stats[1].RttUs > 0
            alone = scene.game("alone", 0)
            alone.Component.UseEnvironment = False
            assert alone.Manager.StartServer()
            assert str(alone.Component.Session.CertificateSha256) != ""
        finally:
            for name in told:
                environment.SetEnvironmentVariable(f"CLUTCHCALL_{name}", None)


def test_a_server_gone_is_told_with_its_reason(scene: Stage) -> None:
    host, port = hosted(scene)
    client = joined(scene, port)
    assert "Up" in list(client.Heard)
    host.Manager.Shutdown()
    scene.until(lambda: not client.Manager.IsListening, "the client to hear")
    assert list(client.Events) == ["connected 1", "disconnected 1"]
    # With the same objects, once more.
    assert host.Manager.StartHost()
    scene.aim(client, scene.port(host))
    assert client.Manager.StartClient()
    scene.until(lambda: client.Manager.IsConnectedClient, "the client to be let in again")


@pytest.mark.parametrize("tracks", [False, True], ids=["driver", "tracks"])
def test_host_migration_is_told_and_clients_meet_the_new_host(
    unity: Unity, certificate: transport.credentials.Certificate, tracks: bool
) -> None:
    config = transport.RelayConfig(certificate.certificate, certificate.key, open_scope="")
    with (
        transport.Node(config) as node,
        stage(unity, f"moqt://127.0.0.1:{node.port}", certificate.sha256, tracks) as scene,
    ):
        _, port = hosted(scene)
        clients = [joined(scene, port) for _ in range(2)]
        hook = unity.tests.NgoGame.Listen(clients[0].Component.OnHostMigrated)
        new, _ = hosted(scene)
        for client in clients:
            scene.until(lambda one=client: not one.Manager.IsListening, "a client to hear")  # type: ignore[misc]
            scene.until(lambda one=client: "HostMigrated" in list(one.Heard), "the event")  # type: ignore[misc]

        def moved() -> bool:
            # The old host is still there: one that is slow to hear of the new one moves once more.
            for client in clients:
                assert client.Manager.IsListening or client.Manager.StartClient()
            return len(list(new.Manager.ConnectedClientsIds)) == 3

        scene.until(moved, "both to come back")
        words = list(hook)
        assert words
        assert all("another server has taken the room over" in one for one in words)


@pytest.mark.parametrize("tracks", [False, True], ids=["driver", "tracks"])
def test_a_room_that_nobody_serves_is_said_once(
    unity: Unity, certificate: transport.credentials.Certificate, tracks: bool
) -> None:
    seconds: Any = importlib.import_module("System").TimeSpan.FromSeconds(1.0)
    config = transport.RelayConfig(certificate.certificate, certificate.key, open_scope="")
    with (
        transport.Node(config) as node,
        stage(unity, f"moqt://127.0.0.1:{node.port}", certificate.sha256, tracks) as scene,
    ):
        client = scene.game("client", 7777, ConnectTimeout=seconds)
        assert client.Manager.StartClient()
        scene.until(lambda: "NobodyServes" in list(client.Heard), "the word that nobody is there")
        (line,) = logged(unity)
        assert "nobody serves room room1" in line
        _, _ = hosted(scene)
        scene.until(lambda: client.Manager.IsConnectedClient, "the client to be let in")


def test_a_join_code_is_a_room(direct: Stage) -> None:
    component = direct.unity.package.ClutchCallComponent
    codes = {str(component.NewJoinCode()) for _ in range(50)}
    assert len(codes) > 45
    game = direct.game("coded", 0, Room=codes.pop())
    assert list(game.Component.Problems()) == []


def test_everything_closes_at_play_s_end_with_the_domain_kept(direct: Stage) -> None:
    """Without a domain reload the next play begins with the statics of the last."""
    host, port = hosted(direct)
    client = joined(direct, port)
    direct.unity.engine.Application.RaiseQuitting()
    assert str(client.Component.State) == str(host.Component.State) == "Ended"
    for _ in range(20):
        direct.tick()
    assert [line for line in logged(direct.unity) if line.startswith("exception")] == []
    direct.end()
    direct.unity.tests.Semantics.EnterPlayMode()
    host, port = hosted(direct)
    joined(direct, port)
