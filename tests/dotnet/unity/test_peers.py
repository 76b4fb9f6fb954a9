"""Two C# peers over the shim's driver and the real native core: by themselves, and over a relay."""

from __future__ import annotations

import importlib
import mmap
import socket
import time
from pathlib import Path
from typing import Any

import pytest

import transport

from .conftest import Table, Unity, seated

pytestmark = pytest.mark.timeout(300)


def sizes(room: int) -> list[int]:
    """Each of the first, and of those around where a packet goes in two; the last; and some between."""
    edges = [*range(1, 33), *range(1070, 1105), room - 1, room]
    return sorted({*edges, *range(33, room, 61)})


LARGE = sorted({1, 65_535, *(edge + one for edge in (1 << at for at in range(10, 16)) for one in (-1, 0, 1))})
"""Around each power of two, in fragments; the largest, 65,536, by itself."""


def test_connect_echo_and_leave(table: Table) -> None:
    """Packets wait as long as they have to here: unreliable ones come too on a machine that is slow."""
    forever: Any = importlib.import_module("System").TimeSpan.Zero
    server, port = table.server(PacketLife=forever)
    client = table.client(port, PacketLife=forever)
    assert list(client.Events) == ["connect"]
    table.until(lambda: server.Connections == 1, "the server to accept")
    (endpoint,) = server.Endpoints()
    assert endpoint.startswith("[fdcc:")
    for pipeline in (0, 1):
        for mark, size in enumerate(sizes(client.Room(pipeline))):
            client.Send(pipeline, size, mark)
            if mark % 16 == 0:
                table.until(lambda: client.Outstanding == 0, f"the echoes of pipeline {pipeline}")
        table.until(lambda: client.Outstanding == 0, f"the echoes of pipeline {pipeline}")
    for pipeline in (2, 3):
        for mark, size in enumerate([*LARGE, 65_536]):
            client.Send(pipeline, size, mark)
            table.until(lambda: client.Outstanding == 0, f"the echo of {size} bytes in fragments")
    assert (client.Wrong, server.Wrong) == ("", "")
    assert list(server.Endpoints()) == [endpoint]
    client.Disconnect()
    table.until(lambda: server.Connections == 0, "the server to hear")
    assert list(server.Events) == ["disconnect ClosedByRemote"]


def test_the_server_sends_its_clients_away(table: Table) -> None:
    server, port = table.server()
    clients = [table.client(port) for _ in range(3)]
    table.until(lambda: server.Connections == 3, "the server to accept")
    assert len(set(server.Endpoints())) == 3
    server.DisconnectAll()
    table.until(lambda: not any(client.Connected for client in clients), "the clients to hear")
    for client in clients:
        assert list(client.Events) == ["connect", "disconnect ClosedByRemote"]


def test_pipelines_have_their_priorities(
    unity: Unity, certificate: transport.credentials.Certificate
) -> None:
    """Control first, then the pipelines as the options say; read off the tracks by another subscriber."""
    config = transport.RelayConfig(certificate.certificate, certificate.key, open_scope="")
    with (
        transport.Node(config) as node,
        seated(unity, f"moqt://127.0.0.1:{node.port}", certificate.sha256) as table,
        node.subscribe("games/room1/up", capability="netcode.v1") as feed,
    ):
        _, port = table.server()
        client = table.client(port)
        client.Send(0, 500, 1)
        client.Send(1, 600, 1)
        table.until(lambda: client.Outstanding == 0, "the echoes")
        seen: dict[int, set[int]] = {}
        for frame in feed.drain():
            kind = frame.payload[0]
            seen.setdefault(kind if kind != 1 else 10 + frame.payload[9], set()).add(frame.priority)
        assert seen.pop(6) == {16}
        assert seen.pop(3, {16}) == {16}
        assert seen == {11: {100}, 12: {50}}


def test_a_relay_by_name_and_environment(
    unity: Unity, certificate: transport.credentials.Certificate
) -> None:
    environment: Any = importlib.import_module("System").Environment
    config = transport.RelayConfig(certificate.certificate, certificate.key, open_scope="")
    with transport.Node(config) as node, seated(unity) as table:
        told = {"URL": f"moqt://localhost:{node.port}", "ROOM": "named", "CERT_SHA256": certificate.sha256}
        try:
            for name, value in told.items():
                environment.SetEnvironmentVariable(f"CLUTCHCALL_{name}", value)
            options = [table.options().WithEnvironment() for _ in range(2)]
        finally:
            for name in told:
                environment.SetEnvironmentVariable(f"CLUTCHCALL_{name}", None)
        server, client = (unity.tests.UtpPeer(one, 1400, 30_000, 512) for one in options)
        table.peers += [server, client]
        assert (str(options[0].Mode), options[0].Room) == ("Relay", "named")
        assert server.Listen("127.0.0.1", 7777) == 7777
        client.Connect("127.0.0.1", 7777)
        table.until(lambda: server.Connections == 1, "the client to connect")
        stats = client.Session.TryGetStats()
        assert stats[0]
        assert stats[1].RttUs > 0


def test_other_addresses(unity: Unity) -> None:
    with seated(unity) as table:
        if socket.has_dualstack_ipv6():
            _, port = table.server(address="::1")
            table.client(port, address="::1")
        unity.engine.Debug.Take()
        server, port = table.server(address="0.0.0.0")
        (line,) = unity.engine.Debug.Take()
        assert f"TrustSha256 {server.Session.CertificateSha256}" in line
        table.client(port, TrustSha256=server.Session.CertificateSha256)


def test_a_client_turns_to_another_server(unity: Unity) -> None:
    with seated(unity) as table:
        (one, first), (other, second) = table.server(), table.server()
        client = table.client(first)
        table.until(lambda: one.Connections == 1, "the first to accept")
        client.Disconnect()
        client.Connect("127.0.0.1", second)
        table.until(lambda: client.Connected, "the second")
        client.Send(1, 1000, 1)
        table.until(lambda: client.Outstanding == 0, "the echo")
        table.until(lambda: one.Connections == 0, "the first to hear")
        assert other.Connections == 1
        client.Disconnect()
        client.Connect("127.0.0.1", first)
        table.until(lambda: one.Connections == 1, "the first again")


@pytest.mark.slow
def test_many_bots_in_one_process(loaded: Unity, state: object) -> None:
    """200 bots, 30 messages a second each, for a minute: nobody is lost, nor any reliable message."""
    collector: Any = importlib.import_module("System").GC
    with seated(loaded) as table:
        server, port = table.server(size=1150)
        bots = [table.peer(size=1150) for _ in range(200)]
        for bot in bots:
            bot.Connect("127.0.0.1", port)
        table.until(lambda: all(bot.Connected for bot in bots), "all bots to connect")
        table.until(lambda: server.Connections == len(bots), "the server to accept")
        assert len(set(server.Endpoints())) == len(bots)

        def settled() -> int:
            """The memory held when nothing is under way any more."""
            for bot in bots:
                bot.Forget()
            table.until(lambda: all(bot.Outstanding == 0 for bot in bots), "the reliable echoes")
            collector.Collect()
            return resident()

        due, rounds, held = time.monotonic(), 60 * 30, []
        for mark in range(rounds):
            if mark == rounds // 6:
                # Queues grow by what waits in them: as much as in a stall longer than a busy machine makes.
                for burst in range(60):
                    for bot in bots:
                        bot.Send(burst % 2, 600, mark)
                        bot.Update()
                held.append(settled())
            for bot in bots:
                bot.Send(mark % 2, 100 + mark % 500, mark)
                bot.Update()
            server.Update()
            due = max(due + 1 / 30, time.monotonic())
            time.sleep(max(0.0, due - time.monotonic()))
        held.append(settled())
        assert [bot.Wrong for bot in bots if bot.Wrong] == []
        assert [list(bot.Events) for bot in bots] == [["connect"]] * len(bots)
        # The reliable half came whole; of the other some did, however busy the machine is.
        assert sum(bot.Echoed for bot in bots) > 0.5 * len(bots) * rounds
        print(f"{held[0] >> 20} MB after 10 s, {held[1] >> 20} MB after 60 s")
        assert held[1] - held[0] < 48 << 20


def resident() -> int:
    """This process's memory, bytes; 0 where the system does not tell."""
    told = Path("/proc/self/statm")
    return int(told.read_text().split()[1]) * mmap.PAGESIZE if told.exists() else 0
