"""What goes wrong at once: settings, trust, rooms and passwords. Each is one line and a typed reason."""

from __future__ import annotations

import asyncio
import importlib
import time
from typing import Any

import pytest

import transport
from transport import Frame

from ..conftest import PATIENCE
from .conftest import Table, Unity, held, seated

pytestmark = pytest.mark.timeout(300)


def logged(unity: Unity) -> list[str]:
    return list(unity.engine.Debug.Take())


def trouble(unity: Unity) -> list[str]:
    """What was logged but for peers that have gone, which whoever closes later may still see."""
    return [line for line in logged(unity) if not line.startswith("info: ")]


def ended(table: Table, peer: Any) -> str:
    state = table.unity.package.ClutchCallState
    table.until(lambda: peer.Session.State == state.Ended, "the end")
    return str(peer.Session.Reason)


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("Room", "a/b", "room's name"),
        ("Token", "x" * 4097, "token exceeds 4096"),
        ("MaxPeers", 0, "MaxPeers"),
        ("ResumeSecret", b"short", "ResumeSecret"),
        ("KeyPem", "key", "CertificatePem and KeyPem"),
        ("TrustPem", "x" * 30_000, "texts of the options exceed"),
    ],
)
def test_options_out_of_range_are_refused(unity: Unity, option: str, value: Any, words: str) -> None:
    system: Any = importlib.import_module("System")
    with seated(unity) as table:
        with pytest.raises(system.ArgumentException):
            table.peer(**{option: value})
        (line,) = logged(unity)
        assert line.startswith("error: ClutchCall: ")
        assert words in line


@pytest.mark.parametrize("url", ["https://127.0.0.1", "moqt://", "moqt:", "nowhere"])
def test_a_relay_url_is_wanted_in_relay_mode(unity: Unity, url: str) -> None:
    system: Any = importlib.import_module("System")
    with seated(unity, url) as table, pytest.raises(system.ArgumentException):
        table.peer()
    assert "moqt://host:port" in logged(unity)[0]


def test_settings_without_the_parameter_are_refused(unity: Unity) -> None:
    assert unity.tests.Semantics.WithoutParameter() == -3
    assert "hold no ClutchCallParameter" in logged(unity)[0]


def test_a_port_that_is_taken(unity: Unity) -> None:
    with seated(unity) as table:
        _, port = table.server()
        other = table.peer()
        logged(unity)
        assert other.Listen("127.0.0.1", port) == -11
        (line,) = logged(unity)
        assert "another" in line or "use" in line
        assert ended(table, other) == "Local"


def test_a_wrong_pin(table: Table) -> None:
    _, port = table.server()
    client = table.peer(TrustSha256="00" * 32)
    client.Connect("127.0.0.1", port)
    assert ended(table, client) == "Certificate"
    table.until(lambda: list(client.Events) == ["disconnect ClosedByRemote"], "the game to hear")


def test_another_machine_wants_a_pin(unity: Unity) -> None:
    with seated(unity) as table:
        client = table.peer()
        client.Connect("192.0.2.1", 7777)
        assert ended(table, client) == "Certificate"
        assert "set TrustSha256" in client.Session.Text


@pytest.mark.parametrize("password", ["open sesame", "x" * 4096], ids=["short", "longest"])
def test_a_password(unity: Unity, password: str) -> None:
    with seated(unity) as table:
        server, port = table.server(Token=password)
        client = table.peer(Token="open says me")
        client.Connect("127.0.0.1", port)
        assert ended(table, client) == "Unauthorized"
        table.client(port, Token=password)
        table.until(lambda: server.Connections == 1, "the one who knows it")


def test_a_relay_that_refuses(unity: Unity, certificate: transport.credentials.Certificate) -> None:
    config = transport.RelayConfig(certificate.certificate, certificate.key, open_scope="games/other")
    with (
        transport.Node(config) as node,
        seated(unity, f"moqt://127.0.0.1:{node.port}", certificate.sha256) as table,
    ):
        client = table.peer()
        client.Connect("127.0.0.1", 7777)
        assert ended(table, client) == "Unauthorized"
        assert "room1" in client.Session.Text
        assert len([line for line in logged(unity) if line.startswith("error")]) == 1


def test_a_server_that_comes_later_is_found(table: Table) -> None:
    """UTP tries once a second; so does the link below it."""
    with seated(table.unity) as scout:
        _, port = scout.server()
    client = table.peer()
    client.Connect("127.0.0.1", port)
    table.tick(0.5)
    assert not client.Connected
    table.server(port)
    table.until(lambda: client.Connected, "the client to connect")


def test_a_host_name_that_leads_nowhere(unity: Unity) -> None:
    with seated(unity, "moqt://host.invalid:1") as table:
        client = table.peer()
        client.Connect("127.0.0.1", 7777)
        assert ended(table, client) == "Unreachable"


async def test_a_stranger_s_packets_and_tracks(unity: Unity) -> None:
    """A peer that speaks no UTP: odd packets are passed on or counted, and no id but its own is believed."""
    with seated(unity) as table:
        server, port = table.server()
        url = f"moqt://127.0.0.1:{port}"
        trust = transport.Pinned(str(server.Session.CertificateSha256))
        async with transport.connect(url, trust=trust) as link:
            path = f"games/room1/up/{link.peer_id}"

            async def track(ns: str) -> transport.Publication:
                made = await link.publish(Frame(ns, "name", capability="netcode.v1", datagram=True))
                end = time.monotonic() + PATIENCE
                while made.stats().subscribers == 0:
                    assert time.monotonic() < end
                    table.tick()
                    await asyncio.sleep(0.001)
                return made

            own = await track(path)
            for payload in (b"", b"\1", b"\2" * 9, b"\1" * 10, bytes(5000), b"\xff" * 1400):
                assert own.send(payload) == transport.Fate.QUEUED
            table.until(lambda: server.Session.Drops.TooLarge == 1, "the drop")
            deeper = await track(f"{path}/p{'0' * 20}")
            deeper.send(b"\3" * 9)
            table.tick(0.2)
            joined = []
            while (told := server.Session.TryGetEvent())[0]:
                joined.append(str(told[1].Kind))
            assert joined == ["PeerJoined"]
            with pytest.raises(transport.Error):
                await asyncio.wait_for(
                    link.publish(Frame(f"games/room1/up/p{'0' * 20}", "name", datagram=True)), PATIENCE
                )
    assert trouble(unity) == []


def test_a_packet_for_a_peer_that_left_is_one_line(loaded: Unity, state: object) -> None:
    """Each is counted; the first is said, with what to do."""
    loaded.engine.Debug.Take()
    alone = loaded.tests.Direct(PATIENCE)
    try:
        lines: list[str] = []
        dropped, end = 0, time.monotonic() + PATIENCE
        while not lines:
            assert time.monotonic() < end
            dropped = alone.ToNobody()
            lines = [line for line in logged(loaded) if "a peer that has left" in line]
        for more in range(1, 6):
            assert alone.ToNobody() == dropped + more
            alone.Run(100)
    finally:
        alone.Dispose()
    assert len(lines) == 1
    assert "stop sending when a peer disconnects" in lines[0]
    assert [line for line in logged(loaded) if "a peer that has left" in line] == []


def test_two_servers_in_one_room(unity: Unity, certificate: transport.credentials.Certificate) -> None:
    config = transport.RelayConfig(certificate.certificate, certificate.key, open_scope="")
    with (
        transport.Node(config) as node,
        seated(unity, f"moqt://127.0.0.1:{node.port}", certificate.sha256) as table,
    ):
        _, port = table.server()
        client = table.client(port)
        client.Send(1, 100, 1)
        table.until(lambda: client.Outstanding == 0, "the echo")
        table.server()
        table.until(lambda: "disconnect ClosedByRemote" in list(client.Events), "the client to hear")
        assert str(client.Session.Reason) == "Reset"
        assert "another server" in client.Session.Text


def test_who_was_told_to_leave_a_server_does_not_meet_it_again(
    inline: Unity, certificate: transport.credentials.Certificate
) -> None:
    """The older of two servers answers, the newer one does not yet: a client that comes back waits for it."""
    config = transport.RelayConfig(certificate.certificate, certificate.key, open_scope="")
    with (
        transport.Node(config) as node,
        seated(inline, f"moqt://127.0.0.1:{node.port}", certificate.sha256) as table,
    ):
        older, port = table.server()
        client = table.client(port)
        newer, _ = table.server()
        table.until(lambda: "disconnect ClosedByRemote" in list(client.Events), "the client to hear")
        table.close(client)
        with held(newer):
            table.asleep.append(newer)
            client = table.peer()
            client.Connect("127.0.0.1", port)
            table.until(lambda: older.Session.Peers == 1, "the older one to see it")
            table.tick(0.5)
            assert not client.Connected
        table.asleep.clear()
        table.until(lambda: client.Connected, "the newer one")
        assert (newer.Connections, list(client.Events)) == (1, ["connect"])
        # If the newer one goes too, and soon: the older one will do.
        table.close(client, newer)
        table.client(port)
        assert older.Connections == 1


def test_what_is_closed_by_the_engine_stays_quiet(unity: Unity) -> None:
    """At quit, and before scripts are reloaded, every handle closes; drivers may go on."""
    with seated(unity) as table:
        server, port = table.server()
        client = table.client(port)
        logged(unity)
        assert unity.tests.Semantics.EnterPlayMode() == unity.tests.Semantics.AtPlay
        for peer in (server, client):
            assert str(peer.Session.State) == "Ended"
        table.tick(0.2)
        assert trouble(unity) == []
        with seated(unity) as other:
            other.server(port)
            other.client(port)


def test_handles_close_while_jobs_are_under_way(unity: Unity) -> None:
    with seated(unity) as table:
        server, port = table.server()
        client = table.client(port)
        logged(unity)
        unity.tests.Semantics.EnterPlayModeWhile(client, server)
        table.tick(0.1)
        assert trouble(unity) == []
        assert str(client.Session.State) == "Ended"
