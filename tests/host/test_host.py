"""Hosts over real sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import transport
from relay.control_client import ControlClient
from relay.token import jwks, mint, new_key
from samples.arena import Arena
from samples.arena.bot import Bots
from transport import Reason
from transport._generated.constants import MethodId
from transport._generated.dtos import RoomQuery
from transport.host import Game, Peer, Refuse, protocol
from transport.host._bots import SilentBrain
from transport.host._summary import summarise

from .conftest import PATIENCE, Running, StartHost, until

QUICK = transport.LinkOptions(connect_timeout=2.0, backoff_min=0.02, backoff_max=0.2, reconnect=False)


class Echo(Game):
    """Says `hello` to who joins, and keeps who came and went."""

    rate = 100.0
    max_players = 8
    resume_grace = 5.0
    instances: list[Echo] = []  # noqa: RUF012

    def __init__(self) -> None:
        self.seen: list[tuple[object, ...]] = []
        self.claims: Mapping[str, Any] = {}
        self.explode = False
        self.instances.append(self)

    def admit(self, peer: Peer, claims: Mapping[str, Any]) -> Refuse | None:
        self.claims = claims
        return Refuse("no robots") if peer.id == "robot" else None

    def join(self, peer: Peer, resumed: bool) -> None:
        self.seen.append(("join", peer.id, resumed))
        peer.send("event", b"hello " + peer.id.encode())

    def leave(self, peer: Peer, reason: Reason) -> None:
        self.seen.append(("leave", peer.id, reason))

    def tick(self, n: int, dt: float) -> None:
        if self.explode:
            raise RuntimeError("boom")
        inputs = self.inputs(n)
        self.room.send_state([inputs.by_slot.tobytes()])


@pytest.fixture(autouse=True)
def fresh() -> None:
    Echo.instances.clear()


def connect(
    running: Running,
    peer: str = "p1",
    room: str = "main",
    path: str | None = None,
    options: transport.LinkOptions = QUICK,
) -> transport.Connecting:
    host = running.host
    url = host.local_url.rpartition("/")[0] + "/" + (room if path is None else path)
    trust = transport.Pinned(host.access.certificate.sha256)
    token = host.access.player_token(room, peer)
    return transport.connect(url, token=token, trust=trust, options=options, node=transport.Node())


async def next_event(feed: transport.Feed) -> bytes:
    async with asyncio.timeout(PATIENCE):
        async for frame in feed:
            if frame.track.name == "event":
                return protocol.parse_event(frame.payload)[1]
    raise AssertionError("the feed ended")


async def get(running: Running, path: str, method: str = "GET") -> tuple[int, str]:
    address = running.host.admin_url.removeprefix("http://").rstrip("/")
    name, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(name, int(port))
    writer.write(f"{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\n\r\n".encode())
    head, _, body = (await asyncio.wait_for(reader.read(), PATIENCE)).partition(b"\r\n\r\n")
    writer.close()
    return int(head.split()[1]), body.decode()


async def test_bots_play_and_nothing_reliable_is_lost(start_host: StartHost) -> None:
    async with start_host(Arena, "--bots", "8") as running:
        host = running.host
        await until(lambda: host.bots is not None and host.bots.connected == 8)
        bots, room = host.bots, host.rooms["main"]
        assert bots is not None and isinstance(room.game, Arena) and isinstance(bots.brain, Bots)
        brain, game = bots.brain, room.game
        equal: set[int] = set()

        def compare() -> bool:
            tick = brain.replica.newest
            if tick is not None and tick in game.history:
                assert brain.replica.exact(tick).tobytes() == game.history.exact(tick).tobytes()
                equal.add(tick)
            return len(equal) >= 60 and bots.chat.received >= 3 * 8 * 7

        await until(compare)
        assert brain.undecodable == brain.wrong == 0
        assert room.buffer.malformed == 0
        assert not bots.ended
    text, fields = summarise(host)
    assert fields["reliable"]["lost"] == fields["reliable"]["repeated"] == 0, text
    assert fields["reliable"]["received"] == fields["reliable"]["sent"] > 8
    assert 0 < fields["latency"]["state"]["p50_ms"] < 1000
    assert "8 players at most" in text


async def test_join_leave_resume_and_replace(start_host: StartHost) -> None:
    async with start_host(Echo) as running:
        secret = transport.LinkOptions(resume_secret=b"0123456789abcdef", reconnect=False)
        down = protocol.down("main", "p1")
        async with connect(running, options=secret) as link, link.subscribe(down) as feed:
            assert link.peer_id == "p1"
            assert await next_event(feed) == b"hello p1"
            game = Echo.instances[0]
            assert game.claims["peer"] == "p1"
            # The same peer again: the first session is replaced, the player stays.
            async with connect(running) as again, again.subscribe(down) as second:
                assert await next_event(second) == b"hello p1"
                assert game.seen == [("join", "p1", False), ("join", "p1", True)]
        await until(lambda: game.seen[-1][0] == "leave")
        assert game.seen[-1] == ("leave", "p1", Reason.PEER)


async def test_a_link_that_drops_comes_back_as_the_same_player(
    start_host: StartHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = transport.LinkOptions(backoff_min=0.02, backoff_max=0.2)
    async with start_host(Echo) as running:
        down = protocol.down("main", "p1")
        async with connect(running, options=again) as link, link.subscribe(down) as feed:
            assert await next_event(feed) == b"hello p1"
            room, game = running.host.rooms["main"], Echo.instances[0]
            peer = room.peers["p1"]
            down_now = room.session_down

            def session_down(peer_id: str, session: int, reason: Reason) -> None:
                # The link may be back before anybody else looks.
                down_now(peer_id, session, reason)
                assert not peer.connected
                peer.send("event", b"while you were away")

            monkeypatch.setattr(room, "session_down", session_down)
            running.host.node.close_session(peer.session, Reason.TIMEOUT, "a test")
            await until(lambda: len(game.seen) == 2)
            assert game.seen == [("join", "p1", False), ("join", "p1", True)]
            assert room.peers["p1"] is peer and peer.connected
            numbers: list[int] = []
            async with asyncio.timeout(PATIENCE):
                async for frame in feed:
                    if frame.track.name == "event":
                        head, body = protocol.parse_event(frame.payload)
                        numbers.append(head.number)
                        if body == b"hello p1":
                            break
            assert numbers == [2, 3], "nothing lost, nothing twice"


class Cable(asyncio.DatagramProtocol):
    """A client's way to the host, which can be cut."""

    def __init__(self, port: int) -> None:
        self.cut = False
        self.port = 0
        self._host = ("127.0.0.1", port)
        self._far: dict[object, asyncio.DatagramTransport] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._near = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        if self.cut:
            return
        far = self._far.get(address)
        if far is None:
            self._opening = asyncio.ensure_future(self._open(address, data))
        else:
            far.sendto(data)

    async def _open(self, address: tuple[str, int], data: bytes) -> None:
        cable = self

        class Back(asyncio.DatagramProtocol):
            def datagram_received(self, data: bytes, _: object) -> None:
                if not cable.cut:
                    cable._near.sendto(data, address)  # type: ignore[attr-defined]

        loop = asyncio.get_running_loop()
        self._far[address], _ = await loop.create_datagram_endpoint(Back, remote_addr=self._host)
        self._far[address].sendto(data)

    def close(self) -> None:
        for far in (self._near, *self._far.values()):
            far.close()


async def test_events_on_a_way_that_was_cut_arrive_after_it(start_host: StartHost) -> None:
    """What was sent to a session that no longer heard it is asked for by the link that comes back."""
    again = transport.LinkOptions(connect_timeout=1.0, backoff_min=0.02, backoff_max=0.1)
    async with start_host(Echo) as running:
        host, loop = running.host, asyncio.get_running_loop()
        _, cable = await loop.create_datagram_endpoint(
            lambda: Cable(host.node.port), local_addr=("127.0.0.1", 0)
        )
        url = f"moqt://127.0.0.1:{cable.port}/main"
        trust = transport.Pinned(host.access.certificate.sha256)
        token = host.access.player_token("main", "p1")
        down = protocol.down("main", "p1")
        async with (
            transport.connect(url, token=token, trust=trust, options=again, node=transport.Node()) as link,
            link.subscribe(down) as feed,
        ):
            heard: list[tuple[int, bytes]] = []

            async def listen() -> None:
                async for frame in feed:
                    if frame.track.name == "event":
                        head, body = protocol.parse_event(frame.payload)
                        heard.append((head.number, body))

            listening = asyncio.create_task(listen())
            await until(lambda: heard == [(1, b"hello p1")])
            room = host.rooms["main"]
            peer = room.peers["p1"]
            cable.cut = True
            for number in range(40):
                assert peer.send("event", b"lost %d" % number) == transport.Fate.QUEUED
                await asyncio.sleep(0)
            # The host gives the session up by its own timer; the test does not wait for that.
            host.node.close_session(peer.session, Reason.TIMEOUT, "a test")
            await until(lambda: not peer.connected)
            peer.send("event", b"held")
            cable.cut = False
            await until(lambda: len(heard) >= 43)
            assert [number for number, _ in heard] == list(range(1, 44)), "nothing lost, nothing twice"
            assert [body for _, body in heard[1:41]] == [b"lost %d" % number for number in range(40)]
            assert heard[41:] == [(42, b"held"), (43, b"hello p1")]
            assert room.peers["p1"] is peer and peer.events_lost == 0
            listening.cancel()
        cable.close()


async def test_a_room_where_nobody_is_closes(start_host: StartHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transport.host._host.ROOM_IDLE", 0.1)
    async with start_host(Echo) as running:
        async with connect(running, "p2", room="side"):
            await until(lambda: "side" in running.host.rooms)
            await until(lambda: "p2" in running.host.rooms["side"].peers)
        await until(lambda: "side" not in running.host.rooms)
        assert "main" in running.host.rooms


async def test_a_rooms_path_has_to_fit_the_token(start_host: StartHost) -> None:
    async with start_host(Echo) as running:
        with pytest.raises(transport.Unauthorized, match="the token is not for room other"):
            await connect(running, room="main", path="other")
        with pytest.raises(transport.Refused):
            await connect(running, room="main", path="no/such")
        with pytest.raises(transport.Refused, match="no robots"):
            await connect(running, "robot")
        async with connect(running, "p2", room="side"):
            await until(lambda: set(running.host.rooms) == {"main", "side"})
        async with connect(running, "p3", path=""):
            await until(lambda: "p3" in running.host.rooms["main"].peers)


async def test_a_room_that_raises_ends_alone(
    start_host: StartHost, capsys: pytest.CaptureFixture[str]
) -> None:
    async with start_host(Echo) as running:
        async with connect(running) as link, connect(running, "p2", room="side") as other:
            rooms = running.host.rooms
            await until(lambda: len(rooms) == 2 and "p1" in rooms["main"].peers)
            events = link.events()
            game = rooms["main"].game
            assert isinstance(game, Echo)
            game.explode = True
            closed = [event async for event in events][-1]
            assert isinstance(closed, transport.LinkClosed) and closed.reason == Reason.ROOM_CLOSED
            assert other.is_up and not rooms["side"].failed
            assert running.host.is_ready
        err = capsys.readouterr().err
        assert "room main: its game raised RuntimeError: boom" in err and "Traceback" not in err
        async with connect(running, "p4"):
            await until(lambda: "p4" in rooms["main"].peers)


async def test_a_room_that_can_not_be_made_is_refused_alone(
    start_host: StartHost, capsys: pytest.CaptureFixture[str]
) -> None:
    class Once(Echo):
        def __init__(self) -> None:
            super().__init__()
            if len(Echo.instances) > 1:
                raise RuntimeError("one\nis enough")

    async with start_host(Once) as running, connect(running) as link:
        with pytest.raises(transport.Refused, match="room side can't be opened") as refused:
            await connect(running, "p2", room="side")
        assert refused.value.reason == Reason.ROOM_CLOSED
        assert link.is_up and set(running.host.rooms) == {"main"}
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("room side: its game raised RuntimeError: one is enough (")
    assert line.endswith("): the room can't be opened")


async def test_an_admission_that_is_no_answer_ends_its_room(
    start_host: StartHost, capsys: pytest.CaptureFixture[str]
) -> None:
    class Unsure(Echo):
        def admit(self, peer: Peer, claims: Mapping[str, Any]) -> Refuse | None:
            return False  # type: ignore[return-value] # that is the point

    async with start_host(Unsure) as running:
        with pytest.raises(transport.Refused) as refused:
            await connect(running)
        assert refused.value.reason == Reason.ROOM_CLOSED and running.host.is_ready
    assert "admit returned False: return None, or a Refuse" in capsys.readouterr().err


async def test_bots_that_raise_leave_alone(start_host: StartHost, capsys: pytest.CaptureFixture[str]) -> None:
    class Broken(SilentBrain):
        def __init__(self, count: int, seed: int) -> None:
            super().__init__(count, "u1")

        def think(self, tick: int) -> Any:
            raise RuntimeError("no idea")

    class Botted(Echo):
        bot = Broken

    async with start_host(Botted, "--bots", "2") as running:
        host = running.host
        async with connect(running) as link:
            await until(lambda: "bot-001" in host.rooms["main"].peers)
            await until(lambda: set(host.rooms["main"].peers) == {"p1"})
            assert link.is_up and host.is_ready
        host.end()
        assert await host.stop() == 1, "its bots failed at their work"
    err = capsys.readouterr().err
    assert "room main: the game's bots raised RuntimeError: no idea (" in err and len(err.splitlines()) == 1


async def test_admin_pages_and_kick(start_host: StartHost) -> None:
    async with start_host(Echo) as running:
        assert (await get(running, "/readyz")) == (200, "ok\n")
        assert (await get(running, "/healthz"))[0] == 200
        async with connect(running) as link:
            await until(lambda: "p1" in running.host.rooms["main"].peers)
            await until(lambda: bool(running.host.meter.readings))
            status, page = await get(running, "/")
            assert status == 200 and "ClutchCall host" in page and " src=" not in page and "url(" not in page
            live = json.loads((await get(running, "/live.json"))[1])
            assert live["rooms"][0]["players"] == 1 and live["sessions"][0]["peer"] == "p1"
            assert json.loads((await get(running, "/rooms"))[1])["rooms"][0]["name"] == "main"
            assert json.loads((await get(running, "/sessions"))[1])["sessions"][0]["room"] == "main"
            text = (await get(running, "/metrics"))[1]
            assert 'clutchcall_room_players{room="main"} 1' in text and "clutchcall_sessions_up 1" in text
            assert (await get(running, "/kick?peer=p1"))[0] == 405
            assert (await get(running, "/kick", "POST"))[0] == 400
            assert (await get(running, "/kick?peer=nobody", "POST"))[0] == 404
            events = link.events()
            assert (await get(running, "/kick?peer=p1&text=bye", "POST"))[0] == 200
            closed = [event async for event in events][-1]
            assert isinstance(closed, transport.LinkClosed) and closed.reason == Reason.KICKED
            await until(lambda: Echo.instances[0].seen[-1] == ("leave", "p1", Reason.KICKED))


async def test_the_control_stack_knows_rooms(start_host: StartHost) -> None:
    async with start_host(Echo) as running:
        host = running.host
        control = host.control_address
        trust = transport.Pinned(host.access.certificate.sha256)
        token = host.access.player_token("main", "op", admin=True)
        async with connect(running), ControlClient(f"https://{control}", trust=trust, token=token) as client:
            await until(lambda: "p1" in host.rooms["main"].peers)
            health = await client.call(MethodId.HEALTH_GET)
            assert health.status == "ok" and health.rooms == 1 and health.node == "host"
            room = await client.call(MethodId.ROOMS_GET, RoomQuery(room="main"))
            assert room.players == 1 and room.tick_rate_hz == 100.0 and room.state == "open"


async def test_nobody_new_while_draining(start_host: StartHost) -> None:
    async with start_host(Echo) as running:
        async with connect(running) as link:
            events = link.events()
            stopping = asyncio.create_task(running.host.stop())
            await until(lambda: running.host.status == "draining")
            goaway = await asyncio.wait_for(anext(events), PATIENCE)
            while not isinstance(goaway, transport.Goaway):
                goaway = await asyncio.wait_for(anext(events), PATIENCE)
        await asyncio.wait_for(stopping, PATIENCE)


async def test_spectators_watch_and_do_not_play(start_host: StartHost) -> None:
    async with start_host(Echo, "--open") as running:
        host = running.host
        token = host.access._mint((), ("games/main",), "eye", False)
        trust = transport.Pinned(host.access.certificate.sha256)
        async with transport.connect(host.local_url, token=token, trust=trust, options=QUICK) as link:
            async with connect(running), link.subscribe("games/main/down/p1") as feed:
                async with asyncio.timeout(PATIENCE):
                    async for frame in feed:
                        if frame.track.name != "state":
                            continue
                        head, body = protocol.parse_state(frame.payload)
                        assert head.tick and len(body) == 8 * np.dtype(Echo.input_dtype).itemsize
                        break
            assert "eye" not in host.rooms["main"].peers
        async with transport.connect(host.local_url, trust=trust, options=QUICK) as anyone:
            await until(lambda: anyone.peer_id in host.rooms["main"].peers)


async def test_somebody_elses_certificate_and_keys(start_host: StartHost, tmp_path: Path) -> None:
    made, signing = transport.credentials.make_certificate(), new_key()
    (tmp_path / "cert.pem").write_bytes(made.certificate)
    (tmp_path / "key.pem").write_bytes(made.key)
    (tmp_path / "jwks.json").write_text(json.dumps(jwks(signing)))
    files = [
        argument for name in ("cert.pem", "key.pem") for argument in (f"--{name[:-4]}", str(tmp_path / name))
    ]
    async with start_host(Echo, *files, "--jwks", str(tmp_path / "jwks.json"), "--bots", "1") as running:
        host = running.host
        await until(lambda: "bot-001" in host.rooms["main"].peers)
        assert host.access.certificate.sha256 == made.sha256
        assert "CLUTCHCALL_TOKEN=\n" in running.said, "it signs no tokens itself"
        publish, subscribe = protocol.player_grants("main")
        token = mint(signing, publish, subscribe, peer="p9")
        trust = transport.Pinned(made.sha256)
        async with transport.connect(host.local_url, token=token, trust=trust, options=QUICK):
            await until(lambda: "p9" in host.rooms["main"].peers)
        own = mint(transport.credentials.token_key(), publish, subscribe, peer="p9")
        with pytest.raises(transport.Unauthorized):
            await transport.connect(host.local_url, token=own, trust=trust, options=QUICK)


async def test_the_local_network(start_host: StartHost) -> None:
    async with start_host(Echo, "--dev-lan") as running:
        await until(lambda: bool(running.said))
        assert "development credentials, visible to the local network" in running.said
        assert running.host.access.dial_host not in ("0.0.0.0", "127.0.0.1")
        async with connect(running):
            await until(lambda: "p1" in running.host.rooms["main"].peers)


async def test_development_credentials_are_kept(start_host: StartHost, state: Path) -> None:
    async with start_host(Echo) as first:
        sha256 = first.host.access.certificate.sha256
        await until(lambda: bool(first.said))
        assert f"CLUTCHCALL_CERT_SHA256={sha256}" in first.said
        assert f"CLUTCHCALL_URL=moqt://127.0.0.1:{first.host.node.port}/main" in first.said
    async with start_host(Echo) as second:
        assert second.host.access.certificate.sha256 == sha256
