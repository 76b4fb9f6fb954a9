"""Relays as they are run: grants by token, a kick, and this machine's development certificate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import transport

from .conftest import Table, Unity, seated

pytestmark = pytest.mark.timeout(300)

UP, DOWN = "games/room1/up", "games/room1/down"


class Door:
    """A relay's admission: a token is a peer's id, and grants what a server or a client needs, no more."""

    def __init__(self, node: transport.Node) -> None:
        self.sessions: dict[str, int] = {}
        self._node = node
        node.on_event(self._answer)

    def _answer(self, event: transport.Event) -> None:
        if not isinstance(event, transport.Auth):
            return
        name = event.token.decode()
        grants = {
            "server": ((DOWN,), (UP,)),
            "stranger": ((f"{UP}/other",), (f"{DOWN}/other",)),
        }.get(name, ((f"{UP}/{name}",), (f"{DOWN}/{name}",)))
        self.sessions[name] = event.session
        self._node.accept(event.session, transport.Stamp(name, publish=grants[0], subscribe=grants[1]))


@pytest.fixture
def door(
    unity: Unity, certificate: transport.credentials.Certificate
) -> Iterator[tuple[Table, Door, transport.Node]]:
    config = transport.RelayConfig(certificate.certificate, certificate.key)
    with (
        transport.Node(config) as node,
        seated(unity, f"moqt://127.0.0.1:{node.port}", certificate.sha256) as table,
        polled(table, node),
    ):
        yield table, Door(node), node


@contextmanager
def polled(table: Table, node: transport.Node) -> Iterator[None]:
    """While it lasts, a tick of the table is the relay's too."""
    table.also.append(node.poll)
    yield
    table.also.clear()


def test_tokens_grant_no_more_than_is_needed(door: tuple[Table, Door, transport.Node]) -> None:
    table, _, _ = door
    server, port = table.server(Token="server")
    clients = [table.client(port, Token=name) for name in ("alice", "bob")]
    for client in clients:
        client.Send(1, 1000, 1)
        client.Send(0, 1000, 1)
    table.until(lambda: not any(client.Outstanding for client in clients), "the echoes")
    assert [str(client.Session.PeerId) for client in clients] == ["alice", "bob"]
    # The endpoint of an id that the core did not make comes from its hash.
    assert len(set(server.Endpoints())) == 2
    assert all(one.startswith("[fdcc:") for one in server.Endpoints())
    stranger = table.peer(Token="stranger")
    stranger.Connect("127.0.0.1", port)
    ended = table.unity.package.ClutchCallState.Ended
    table.until(lambda: stranger.Session.State == ended, "the refusal")
    assert str(stranger.Session.Reason) == "Unauthorized"


def test_a_client_that_is_kicked_learns_why(door: tuple[Table, Door, transport.Node]) -> None:
    table, admitted, node = door
    server, port = table.server(Token="server")
    client = table.client(port, Token="alice")
    table.until(lambda: server.Connections == 1, "the server to accept")
    node.close_session(admitted.sessions["alice"], transport.Reason.KICKED, "cheating")
    table.until(lambda: "disconnect ClosedByRemote" in list(client.Events), "the client to hear")
    assert (str(client.Session.Reason), str(client.Session.Text)) == ("Kicked", "cheating")
    table.until(lambda: list(server.Events) == ["disconnect ClosedByRemote"], "the server to hear")


@pytest.mark.parametrize("when", ["at once", "later"])
def test_a_token_that_is_over_is_told_apart(
    unity: Unity, certificate: transport.credentials.Certificate, when: str
) -> None:
    """One that was over before, and one whose time ends while its owner plays."""
    config = transport.RelayConfig(certificate.certificate, certificate.key)
    with (
        transport.Node(config) as node,
        seated(unity, f"moqt://127.0.0.1:{node.port}", certificate.sha256) as table,
        polled(table, node),
    ):

        def answer(event: transport.Event) -> None:
            if not isinstance(event, transport.Auth):
                return
            if when == "at once":
                node.refuse(event.session, transport.Reason.EXPIRED_TOKEN, "the token is over")
            else:
                up, down = (f"{UP}/alice",), (f"{DOWN}/alice",)
                node.accept(event.session, transport.Stamp("alice", publish=up, subscribe=down, expires=0.3))

        node.on_event(answer)
        client = table.peer(Token="old")
        client.Connect("127.0.0.1", 7777)
        ended = table.unity.package.ClutchCallState.Ended
        table.until(lambda: client.Session.State == ended, "the end")
        assert str(client.Session.Reason) == "ExpiredToken"
        assert client.Session.Text
        lines = [line for line in unity.engine.Debug.Take() if "ExpiredToken" in line]
        assert len(lines) == 1, lines


def test_a_relay_on_this_machine_is_trusted(unity: Unity, state: Path) -> None:
    made = transport.credentials.development_certificate(folder=state)
    config = transport.RelayConfig(made.certificate, made.key, open_scope="")
    with transport.Node(config) as node, seated(unity, f"moqt://127.0.0.1:{node.port}") as table:
        _, port = table.server()
        table.client(port)
