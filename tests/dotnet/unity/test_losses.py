"""Peers that leave without a word, servers and relays that come back, bad paths, main threads that sleep."""

from __future__ import annotations

import importlib
import time
from typing import Any

import pytest

import transport
from harness.lossy import LossyPath, Profile

from .conftest import Table, Unity, held, seated

pytestmark = pytest.mark.timeout(300)

KEY = bytes(range(32))
PROMPT = 15.0
"""What "at once" may be on a busy machine, seconds: half of UTP's own 30."""


def echo(table: Table, client: Any, count: int = 20, size: int = 300) -> None:
    """Messages through the reliable pipeline, there and back."""
    for mark in range(count):
        client.Send(1, size, mark)
    table.until(lambda: client.Outstanding == 0, "the echoes")
    assert client.Wrong == ""


def test_a_client_that_is_gone_is_missed_at_once(table: Table) -> None:
    server, port = table.server()
    client = table.client(port)
    echo(table, client)
    (endpoint,) = server.Endpoints()
    table.close(client)
    table.until(lambda: list(server.Events) == ["disconnect ClosedByRemote"], "the server to hear", PROMPT)
    again = table.client(port)
    echo(table, again)
    assert server.Endpoints()[0] != endpoint


def test_a_client_that_comes_back_has_its_endpoint(table: Table) -> None:
    server, port = table.server()
    secret = bytes(range(16))
    client = table.client(port, ResumeSecret=secret)
    echo(table, client)
    (endpoint,) = server.Endpoints()
    table.close(client)
    again = table.client(port, ResumeSecret=secret)
    echo(table, again)
    assert list(server.Endpoints()) == [endpoint]
    assert list(server.Events) == ["disconnect ClosedByRemote"]


def test_a_server_that_is_gone_is_missed_and_found_again(table: Table) -> None:
    server, port = table.server()
    client = table.client(port)
    echo(table, client)
    table.close(server)
    table.until(lambda: "disconnect ClosedByRemote" in list(client.Events), "the client to hear", PROMPT)
    server, _ = table.server(port)
    client.Connect("127.0.0.1", port)
    table.until(lambda: client.Connected, "the client to connect again")
    echo(table, client)
    assert list(client.Events) == ["connect", "disconnect ClosedByRemote", "connect"]


def test_a_link_that_is_given_up_may_be_dialled_again(direct: Table) -> None:
    table = direct
    seconds: Any = importlib.import_module("System").TimeSpan.FromSeconds(0.5)
    server, port = table.server()
    client = table.client(port, ReconnectLimit=seconds)
    echo(table, client)
    table.close(server)
    ended = table.unity.package.ClutchCallState.Ended
    table.until(lambda: client.Session.State == ended, "the link to be given up")
    table.server(port)
    client.Connect("127.0.0.1", port)
    table.until(lambda: client.Connected, "the new server")
    echo(table, client)
    assert list(client.Events) == ["connect", "disconnect ClosedByRemote", "connect"]


@pytest.mark.parametrize("both", [False, True], ids=["its clients do", "all do"])
def test_a_relay_that_dies_and_comes_back(
    unity: Unity, certificate: transport.credentials.Certificate, both: bool
) -> None:
    """The game goes on: the same endpoints, the same connections, and what was reliable arrives."""
    config = transport.RelayConfig(certificate.certificate, certificate.key, open_scope="")
    options = transport.NodeOptions(state_key=KEY)
    node = transport.Node(config, options=options)
    address = node.address
    with seated(unity, f"moqt://{address}", certificate.sha256) as table:
        server, port = table.server()
        clients = [table.client(port) for _ in range(2)]
        echo(table, clients[0])
        before = sorted(server.Endpoints())
        node.close()
        table.tick(0.5 if both else 0.1)
        for mark in range(8):
            clients[0].Send(1, 100, mark)
        with transport.Node(config, address, options):
            table.until(lambda: clients[0].Outstanding == 0, "what was sent meanwhile")
            for client in clients:
                echo(table, client)
                assert list(client.Events) == ["connect"]
            assert sorted(server.Endpoints()) == before
            assert list(server.Events) == []
            kinds = []
            while (told := clients[0].Session.TryGetEvent())[0]:
                kinds.append(str(told[1].Kind))
            assert kinds == ["Up", "PeerJoined", "Lost", "Up"]


def test_a_path_that_loses_packets(unity: Unity) -> None:
    with seated(unity) as table:
        server, port = table.server()
        profile = Profile(delay=0.010, jitter=0.005, loss=0.05)
        with LossyPath(f"127.0.0.1:{port}", profile, seed=6) as address:
            client = table.client(int(address.rpartition(":")[2]))
            for mark, size in enumerate([1, 200, 1100, client.Room(1)] * 25):
                client.Send(1, size, mark)
            table.until(lambda: client.Outstanding == 0, "100 reliable echoes over 5% of loss")
            assert client.Wrong == ""
            before = client.Echoed
            for _ in range(200):
                client.Send(0, 200, 1)
                table.tick()
            # A message of two losses of 5% each, at least.
            table.until(lambda: client.Echoed - before > 100, "most of the unreliable ones")
            table.tick(0.5)
            assert client.Echoed - before < 200
            assert list(client.Events) == ["connect"]
            client.Forget()
        assert list(server.Events) == []


@pytest.mark.parametrize("who", ["the client", "the server"])
def test_a_main_thread_that_sleeps_stays_connected(table: Table, who: str) -> None:
    """UTP's time-out is 2 s here, the sleep 6 s: three times of it."""
    timeout = 2.0
    server, port = table.server(timeout=timeout)
    client = table.client(port, timeout=timeout)
    echo(table, client)
    table.tick(1.0)
    sleeper = client if who == "the client" else server
    table.asleep.append(sleeper)
    table.tick(6.0)
    table.asleep.clear()
    echo(table, client)
    assert (list(client.Events), list(server.Events)) == (["connect"], [])


def test_the_sleepers_heartbeats_want_nothing_of_dotnet(unity: Unity) -> None:
    """No thread of .NET may touch the session meanwhile, as in a debugger: the heartbeats are the core's."""
    with seated(unity) as table:
        server, port = table.server(timeout=2.0)
        client = table.client(port, timeout=2.0)
        echo(table, client)
        table.asleep.append(client)
        with held(client):
            table.tick(4.0)
        table.asleep.clear()
        echo(table, client)
        assert (list(client.Events), list(server.Events)) == (["connect"], [])


def test_a_server_admits_while_its_main_thread_sleeps(unity: Unity) -> None:
    with seated(unity) as table:
        server, port = table.server()
        table.asleep.append(server)
        client = table.peer()
        client.Connect("127.0.0.1", port)
        table.until(lambda: client.Session.PeerId != "", "the session")
        table.tick(1.0)
        assert not client.Connected
        table.asleep.clear()
        table.until(lambda: client.Connected, "what was sent meanwhile")


def test_the_sleeper_is_held_no_longer_than_its_limit(unity: Unity) -> None:
    seconds: Any = importlib.import_module("System").TimeSpan.FromSeconds(2.0)
    with seated(unity) as table:
        server, port = table.server(timeout=2.0)
        client = table.client(port, timeout=2.0, SleepLimit=seconds)
        echo(table, client)
        table.asleep.append(client)
        slept = time.monotonic()
        table.until(lambda: list(server.Events) == ["disconnect Timeout"], "the server to give up")
        # The limit, and then the server's patience; but for what the clocks are apart.
        assert time.monotonic() - slept > 3.0
        table.asleep.clear()
        table.until(lambda: "disconnect ClosedByRemote" in list(client.Events), "the client to wake and hear")


@pytest.mark.slow
def test_a_minutes_sleep_under_utps_own_time_out(loaded: Unity, state: object) -> None:
    """The real numbers: 30 s of UTP's patience, 60 s of sleep."""
    with seated(loaded) as table:
        server, port = table.server()
        client = table.client(port)
        echo(table, client)
        table.asleep.append(client)
        table.tick(60.0)
        table.asleep.clear()
        echo(table, client)
        assert (list(client.Events), list(server.Events)) == (["connect"], [])
