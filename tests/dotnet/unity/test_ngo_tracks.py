"""ClutchCallNetworkTransport: deliveries as tracks with priorities, over bad paths, and what goes wrong."""

from __future__ import annotations

import importlib
import time
from typing import Any

import pytest

import transport
from harness.lossy import LossyPath, Profile

from .conftest import TICK, Unity
from .test_ngo import FRAGMENTED, ORDERED, RELIABLE, SEQUENCED, UNRELIABLE, hosted, joined, logged, stage

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def unity(inline: Unity) -> Unity:
    """No thread of a job has a part in it."""
    return inline


def relay_config(certificate: transport.credentials.Certificate) -> transport.RelayConfig:
    return transport.RelayConfig(certificate.certificate, certificate.key, open_scope="")


def test_each_delivery_has_a_track_and_a_priority(
    unity: Unity, certificate: transport.credentials.Certificate
) -> None:
    delivery: Any = importlib.import_module("Unity.Netcode").NetworkDelivery
    with (
        transport.Node(relay_config(certificate)) as node,
        stage(unity, f"moqt://127.0.0.1:{node.port}", certificate.sha256, native=True) as scene,
        node.subscribe("games/room1/up", capability="netcode.v1") as feed,
    ):
        _, port = hosted(scene)
        client = scene.game("client", port)
        for number in range(5):
            client.Native.SetPriority(delivery(number), 50 + number)
        assert client.Manager.StartClient()
        scene.until(lambda: client.Manager.IsConnectedClient, "the client to be let in")
        for number in range(5):
            client.Send(0, 100, number, number)
        seen: dict[int, tuple[int, bool]] = {}

        def drained() -> bool:
            for frame in feed.drain():
                if frame.payload[0] == 0 and len(frame.payload) == 106:
                    lane = int(frame.track.name.rpartition(".")[2])
                    seen[lane] = (frame.priority, bool(frame.flags & transport.FrameFlags.TEXT))
            return len(seen) == 5

        scene.until(drained, "a frame of each delivery")
        assert {lane: seen[lane][1] for lane in range(5)} == {
            UNRELIABLE: False,
            SEQUENCED: False,
            RELIABLE: True,
            ORDERED: True,
            FRAGMENTED: True,
        }
        assert [seen[lane][0] for lane in (UNRELIABLE, SEQUENCED)] == [50, 51]


def test_a_host_that_comes_after_another_reader_lets_in_who_waits(
    unity: Unity, certificate: transport.credentials.Certificate
) -> None:
    """A relay hands a text to those who read its track by then: the client has to say Hello again."""
    with (
        transport.Node(relay_config(certificate)) as node,
        stage(unity, f"moqt://127.0.0.1:{node.port}", certificate.sha256, native=True) as scene,
        node.subscribe("games/room1/up", capability="netcode.v1") as feed,
    ):
        client = scene.game("client", 7777)
        assert client.Manager.StartClient()
        scene.until(lambda: len(feed.drain()) > 0, "the client's Hello, which another reads")
        hosted(scene)
        scene.until(lambda: client.Manager.IsConnectedClient, "the client to be let in")


def test_reliable_messages_come_whole_and_in_order_over_a_bad_path(unity: Unity) -> None:
    with stage(unity, native=True) as scene:
        host, port = hosted(scene)
        profile = Profile(delay=0.005, jitter=0.005, loss=0.05)
        with LossyPath(f"127.0.0.1:{port}", profile, seed=11) as address:
            client = joined(scene, int(address.rpartition(":")[2]))
            count = 120
            for mark in range(count):
                client.Send(0, [10, 3000, 40_000][mark % 3], mark, FRAGMENTED)
                host.Send(1, 200, mark, ORDERED)
            client.Send(0, 2_000_000, count, FRAGMENTED)
            scene.until(lambda: len(list(host.Marks)) == count + 1, "what the client sent")
            scene.until(lambda: len(list(client.Marks)) == count, "what the host sent")
            assert list(host.Marks) == list(range(count + 1))
            assert list(client.Marks) == list(range(count))
            assert (host.Wrong, client.Wrong, int(host.Largest)) == ("", "", 2_000_004)
            before = len(list(host.Marks))
            for mark in range(200):
                client.Send(0, 100, 1000 + mark, SEQUENCED)
                scene.tick()
            scene.until(lambda: len(list(host.Marks)) > before + 10, "some of what may be lost")
            late = list(host.Marks)[before:]
            assert late == sorted(set(late))
            native: Any = client.Native
            assert 5 <= int(native.GetCurrentRtt(0)) < 20_000


def test_a_relay_that_comes_back_loses_nothing_reliable(
    unity: Unity, certificate: transport.credentials.Certificate
) -> None:
    options = transport.NodeOptions(state_key=bytes(range(32)))
    node = transport.Node(relay_config(certificate), options=options)
    address = node.address
    with stage(unity, f"moqt://{address}", certificate.sha256, native=True) as scene:
        host, port = hosted(scene)
        client = joined(scene, port)
        for mark in range(20):
            client.Send(0, 500, mark, ORDERED)
        scene.until(lambda: len(list(host.Marks)) == 20, "the first messages")
        node.close()
        for mark in range(20, 40):
            client.Send(0, 500, mark, ORDERED)
            scene.tick()
        with transport.Node(relay_config(certificate), address, options):
            scene.until(lambda: len(list(host.Marks)) == 40, "what was sent meanwhile")
            assert list(host.Marks) == list(range(40))
            assert list(client.Events) == ["connected 1"]
            assert list(host.Events) == ["connected 0", "connected 1"]
            scene.until(lambda: list(client.Heard).count("Up") == 2, "the client to hear that it is back")
            assert "Lost" in list(client.Heard)


def test_a_main_thread_that_sleeps_stays_connected(unity: Unity) -> None:
    """No heartbeats of anyone's are needed: the core's threads keep the link."""
    with stage(unity, native=True) as scene:
        host, port = hosted(scene)
        client = joined(scene, port)
        time.sleep(3.0)
        client.Send(0, 100, 7, ORDERED)
        scene.until(lambda: 7 in list(host.Marks), "the message after the sleep")
        assert list(client.Events) == ["connected 1"]


def asleep(games: list[Any], seconds: float) -> None:
    """These play, and nobody else's main thread does anything."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for game in games:
            game.Step()
        time.sleep(TICK)


def test_who_was_told_to_leave_a_host_does_not_meet_it_again(
    unity: Unity, certificate: transport.credentials.Certificate
) -> None:
    """Its client waits for the newer one, which is slow, and takes the older one when that has gone."""
    with (
        transport.Node(relay_config(certificate)) as node,
        stage(unity, f"moqt://127.0.0.1:{node.port}", certificate.sha256, native=True) as scene,
    ):
        older, port = hosted(scene)
        client = joined(scene, port)
        newer, _ = hosted(scene)
        scene.until(lambda: "HostMigrated" in list(client.Heard), "the client to hear")
        scene.until(lambda: not client.Manager.IsListening, "its end")
        assert client.Manager.StartClient()
        asleep([older, client], 1.0)
        assert not client.Manager.IsConnectedClient
        scene.end(newer)

        def back() -> bool:
            assert client.Manager.IsListening or client.Manager.StartClient()
            return bool(client.Manager.IsConnectedClient)

        scene.until(back, "the older one")
        assert list(older.Events)[-1].startswith("connected")


@pytest.mark.parametrize("sleeper", ["host", "client"])
@pytest.mark.parametrize("way", ["direct", "relay"])
def test_what_a_sleeper_has_no_room_for_waits_for_it(
    unity: Unity, certificate: transport.credentials.Certificate, way: str, sleeper: str
) -> None:
    """14 MB and 20,000 small messages, more than any queue between holds: all come when it wakes."""
    with (
        transport.Node(relay_config(certificate)) as node,
        stage(
            unity,
            f"moqt://127.0.0.1:{node.port}" if way == "relay" else "",
            certificate.sha256,
            native=True,
        ) as scene,
    ):
        host, port = hosted(scene)
        client = joined(scene, port)
        (awake, to), asleep_one = ((client, 0), host) if sleeper == "host" else ((host, 1), client)
        for mark in range(7):
            awake.Send(to, 2_000_000, mark, FRAGMENTED)
        for mark in range(7, 20_007):
            awake.Send(to, 10, mark, ORDERED)
        asleep([awake], 2.0)
        scene.until(lambda: len(list(asleep_one.Marks)) == 20_007, "all of it", 100)
        marks = list(asleep_one.Marks)
        assert [mark for mark in marks if mark < 7] == list(range(7))
        assert [mark for mark in marks if mark >= 7] == list(range(7, 20_007))
        assert asleep_one.Wrong == ""
        assert list(client.Events) == ["connected 1"]
        assert list(host.Events) == ["connected 0", "connected 1"]


def test_a_peer_that_is_too_far_behind_is_let_go(unity: Unity) -> None:
    """At the bound of what waits for it: one typed end at the server, and its client hears it."""
    with stage(unity, native=True) as scene:
        host = scene.game("host", 0)
        host.Native.MaxBacklog = 1
        assert host.Manager.StartHost()
        client = joined(scene, scene.port(host))
        logged(unity)
        for mark in range(3):
            host.Send(1, 900_000, mark, FRAGMENTED)
        asleep([host], 0.2)
        assert list(host.Events) == ["connected 0", "connected 1", "disconnected 1"]
        words = "more than 1 MiB wait for it: send less, or raise Max Backlog"
        (line,) = [line for line in unity.engine.Debug.Take() if "TooFarBehind" in line]
        assert words in line
        scene.until(lambda: "disconnected 1" in list(client.Events), "the client to hear")
        assert (str(client.Component.Reason), str(client.Component.Text)) == ("TooFarBehind", words)


def test_a_message_too_large_is_said_once_and_counted(unity: Unity) -> None:
    with stage(unity, native=True) as scene:
        _, port = hosted(scene)
        client = joined(scene, port)
        logged(unity)
        for _ in range(3):
            client.Send(0, 9000, 1, UNRELIABLE)
        (line,) = logged(unity)
        assert "send at most 8799, or reliably" in line
        assert int(client.Component.Drops.TooLarge) == 3


def test_what_keeps_it_from_starting_is_a_line(unity: Unity) -> None:
    with stage(unity, native=True) as scene:
        logged(unity)
        host, port = hosted(scene)
        for settings, words in (
            ({"Room": "a/b"}, "room's name"),
            ({"TrustSha256": "nothing"}, "TrustSha256 is not 64"),
        ):
            game = scene.game("wrong", port, False, **settings)
            assert not game.Manager.StartClient()
            (line,) = logged(unity)
            assert words in line
        taken = scene.game("taken", port)
        assert not taken.Manager.StartServer()
        (line,) = logged(unity)
        assert "Local" in line
        scene.tick()
        logged(unity)  # what the components themselves say
        named = scene.game("named", port)
        named.Native.Address = "host.example"
        assert not named.Manager.StartClient()
        assert "no IPv4 or IPv6 address" in logged(unity)[0]
        stranger = scene.game("stranger", port, TrustSha256="00" * 32)
        assert stranger.Manager.StartClient()
        scene.until(lambda: not stranger.Manager.IsListening, "the refusal")
        assert str(stranger.Component.Reason) == "Certificate"
        assert len(logged(unity)) == 1
        assert list(host.Events) == ["connected 0"]


def test_a_password_and_a_relay_that_refuses(
    unity: Unity, certificate: transport.credentials.Certificate
) -> None:
    with stage(unity, native=True) as scene:
        _, port = hosted(scene, Token="open sesame")
        wrong = scene.game("wrong", port, Token="open says me")
        assert wrong.Manager.StartClient()
        scene.until(lambda: not wrong.Manager.IsListening, "the refusal")
        assert str(wrong.Component.Reason) == "Unauthorized"
        joined(scene, port, Token="open sesame")
    config = transport.RelayConfig(certificate.certificate, certificate.key, open_scope="games/other")
    with (
        transport.Node(config) as node,
        stage(unity, f"moqt://127.0.0.1:{node.port}", certificate.sha256, native=True) as scene,
    ):
        client = scene.game("client", 7777)
        assert client.Manager.StartClient()
        scene.until(lambda: not client.Manager.IsListening, "the refusal")
        assert str(client.Component.Reason) == "Unauthorized"
        assert "room1" in client.Component.Text


def test_a_stranger_s_frames_do_no_harm(unity: Unity, certificate: transport.credentials.Certificate) -> None:
    """Names, marks and pieces that no game sends, from a peer that the relay lets in."""
    with (
        transport.Node(relay_config(certificate)) as node,
        stage(unity, f"moqt://127.0.0.1:{node.port}", certificate.sha256, native=True) as scene,
    ):
        host, port = hosted(scene)
        made = []
        for name in ("x-1.4", "x-1.0", "x-1.9", "x", "-.4", "x-.44", "x.4"):
            text = name.endswith("4")
            kind = transport.Text if text else transport.Frame
            made.append(node.publish(kind("games/room1/up/stranger", name, capability="netcode.v1")))
        scene.until(lambda: made[0].stats().subscribers > 0, "the server to look")
        for one in made:
            for payload in (b"", b"\0", b"\1" * 100, b"\3", b"\5" * 4, b"\6" * 9, b"\xff" * 1000, b"\0data"):
                one.send(payload)
        made[0].send(b"\2")
        made[0].send(b"\2")
        scene.until(lambda: int(host.Component.Peers) == 1, "the stranger as a peer")
        made[0].send(b"\4goodbye")
        scene.until(lambda: int(host.Component.Peers) == 0, "its goodbye")
        client = joined(scene, port)
        client.Send(0, 100, 3, ORDERED)
        scene.until(lambda: 3 in list(host.Marks), "a player's message")
        assert [line for line in logged(unity) if line.startswith(("exception", "error"))] == []


def test_everything_closes_with_the_editor(unity: Unity) -> None:
    with stage(unity, native=True) as scene:
        unity.tests.EditorView.Load()
        host, port = hosted(scene)
        client = joined(scene, port)
        logged(unity)
        unity.tests.EditorView.Reload()
        for _ in range(10):
            scene.tick()
        assert str(host.Component.State) == str(client.Component.State) == "Ended"
        assert logged(unity) == []
        scene.end()
        host, port = hosted(scene)
        joined(scene, port)


def test_messages_leave_little_garbage(unity: Unity) -> None:
    """What is sent and taken uses the same buffers over and over."""
    with stage(unity, native=True) as scene:
        _, port = hosted(scene)
        client = joined(scene, port)
        native: Any = client.Native
        meter = unity.tests.NgoGame
        meter.Measure(native, 500)
        assert int(meter.Measure(native, 2000)) == 0
