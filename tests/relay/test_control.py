"""The control stack over aioquic, with a real relay behind it."""

from __future__ import annotations

import asyncio
import json
import urllib.parse
from typing import Any

import pytest
from aioquic._buffer import Buffer
from aioquic.h3.connection import ErrorCode, FrameType
from aioquic.quic.events import StreamDataReceived

import transport
from relay._bodies import JSON, MSGPACK, ControlError, accepted
from relay.control import _CALLS, ControlStack
from relay.control_client import ControlClient
from transport import Reason, credentials
from transport._generated import wire
from transport._generated.constants import MethodId
from transport._generated.dtos import (
    METHODS,
    Health,
    JoinRequest,
    Kick,
    RoomList,
    RoomQuery,
    SessionInfo,
    SessionList,
    SessionListRequest,
    SessionQuery,
    Statistics,
    TokenRefreshReply,
    TokenRefreshRequest,
)

from .conftest import KEY, PATIENCE, Stand, everything, until

BOTH = pytest.mark.parametrize("kind", [JSON, MSGPACK])


async def up(stand: Stand, count: int = 1) -> None:
    await until(lambda: len(stand.admission.sessions) == count)


async def failed(client: ControlClient, method: MethodId, request: Any = None) -> ControlError:
    with pytest.raises(ControlError) as wrong:
        await client.call(method, request)
    assert wrong.value.message
    assert "\n" not in wrong.value.message
    return wrong.value


def test_every_method_of_the_idl_is_served() -> None:
    assert set(_CALLS) == set(METHODS)


@BOTH
async def test_each_route(stand: Stand, kind: str) -> None:
    token = everything("c7", subject="ann", tenant="blue", ttl=600)
    async with stand.connect(token), stand.client(everything(admin=True), content_type=kind) as client:
        await up(stand)
        health: Health = await client.call(MethodId.HEALTH_GET)
        assert (health.status, health.ready, health.sessions, health.rooms) == ("ok", True, 1, 0)
        assert await client.call(MethodId.ROOMS_LIST) == RoomList(rooms=())
        assert (await failed(client, MethodId.ROOMS_GET, RoomQuery(room="main"))).code == 404
        assert (await failed(client, MethodId.ROOMS_JOIN, JoinRequest(room="main"))).code == 404

        listed: SessionList = await client.call(MethodId.SESSIONS_LIST, SessionListRequest(limit=10))
        (info,) = listed.sessions
        assert (info.peer_id, info.subject, info.tenant, info.transport) == ("c7", "ann", "blue", "quic")
        assert (info.publish, info.subscribe, info.room) == (("*",), ("*",), None)
        assert info.draft in (18, 22)
        assert info.expires_ms is not None
        assert 590_000 < info.expires_ms <= 610_000
        assert info.bytes_received > 0
        one: SessionInfo = await client.call(MethodId.SESSIONS_GET, SessionQuery(peer_id="c7"))
        assert one.address == info.address
        assert (await failed(client, MethodId.SESSIONS_GET, SessionQuery(peer_id="c8"))).error == "not_found"

        stats: Statistics = await client.call(MethodId.STATS_GET)
        assert (stats.sessions, stats.sessions_total, len(stats.shards)) == (1, 1, 2)
        assert sum(shard.sessions for shard in stats.shards) == 1
        assert sum(shard.packets_in for shard in stats.shards) > 0

        again = everything("c7", subject="ann", tenant="blue", ttl=3600)
        reply: TokenRefreshReply = await client.call(MethodId.TOKEN_REFRESH, TokenRefreshRequest(token=again))
        assert 3_590_000 < reply.expires_ms <= 3_610_000
        assert (reply.publish, reply.capabilities) == (("*",), ())


async def test_a_kick_ends_the_session(stand: Stand) -> None:
    options = transport.LinkOptions(reconnect=False)
    async with stand.connect(everything("c7"), options=options) as link, stand.client() as client:
        await up(stand)
        client.token = everything(admin=True)
        ended = link.events()
        last: SessionInfo = await client.call(MethodId.SESSIONS_KICK, Kick(peer_id="c7", reason="be kind"))
        assert last.peer_id == "c7"
        async with asyncio.timeout(PATIENCE):
            closed = await anext(event async for event in ended if isinstance(event, transport.LinkClosed))
        assert (closed.reason, closed.text) == (Reason.KICKED, "be kind")
        await up(stand, 0)
        assert (await failed(client, MethodId.SESSIONS_KICK, Kick(peer_id="c7"))).code == 404
        wrong = await failed(client, MethodId.SESSIONS_KICK, Kick(peer_id="c7", reason="a\nb"))
        assert (wrong.code, wrong.field) == (400, "$.reason")


async def test_who_may_call(stand: Stand) -> None:
    async with stand.client() as client:
        assert (await client.call(MethodId.HEALTH_GET)).status == "ok"
        for method in METHODS.values():
            if method.auth == "none":
                continue
            path = method.route.replace("{room}", "r").replace("{peer_id}", "p")
            for header in ("", "Basic abc", "Bearer"):
                headers = [("authorization", header)] if header else []
                reply = await client.request(method.verb, path, headers=headers)
                assert reply.status == 401, (method.name, header)
                assert reply.headers["www-authenticate"] == "Bearer"
            client.token = everything()
            reply = await client.request(method.verb, path)
            assert (reply.status == 403) == (method.auth == "admin"), method.name
            client.token = None
        for token, word in (("x", "malformed_token"), (everything(now=1000), "expired_token")):
            client.token = token
            wrong = await failed(client, MethodId.ROOMS_LIST)
            assert (wrong.code, wrong.error) == (401, word)


async def test_pages_of_sessions(stand: Stand) -> None:
    async with stand.connect(everything("a")), stand.connect(everything("b")), stand.connect(everything("c")):
        await up(stand, 3)
        async with stand.client(everything(admin=True)) as client:
            first = await client.call(MethodId.SESSIONS_LIST, SessionListRequest(limit=2))
            assert ([s.peer_id for s in first.sessions], first.next) == (["a", "b"], "b")
            rest = await client.call(MethodId.SESSIONS_LIST, SessionListRequest(limit=2, after="b"))
            assert ([s.peer_id for s in rest.sessions], rest.next) == (["c"], None)
            none = await client.call(MethodId.SESSIONS_LIST, SessionListRequest(room="main"))
            assert none.sessions == ()
            for limit in (0, 1001):
                wrong = await failed(client, MethodId.SESSIONS_LIST, SessionListRequest(limit=limit))
                assert (wrong.code, wrong.field) == (400, "$.limit")


@pytest.mark.parametrize(
    ("verb", "path", "headers", "body", "status", "word"),
    [
        ("GET", "/", {}, b"", 404, "not_found"),
        ("GET", "/v1/health/", {}, b"", 404, "not_found"),
        ("GET", "/v2/health", {}, b"", 404, "not_found"),
        ("GET", "/v1/sessions/", {}, b"", 404, "not_found"),
        ("GET", "/v1/rooms/%ff", {}, b"", 400, "bad_path"),
        ("POST", "/v1/health", {}, b"", 405, "method_not_allowed"),
        ("CONNECT", "/v1/health", {}, b"", 405, "method_not_allowed"),
        ("GET", "/v1/health", {"accept": "text/html"}, b"", 406, "not_acceptable"),
        ("GET", "/v1/sessions?limit=x", {}, b"", 400, "bad_field"),
        ("GET", "/v1/sessions?limit=-1", {}, b"", 400, "bad_field"),
        ("GET", "/v1/sessions?" + "a=1&" * 40, {}, b"", 400, "bad_query"),
        ("GET", "/v1/" + "x" * 3000, {}, b"", 414, "too_long"),
        ("POST", "/v1/token", {}, b"{", 400, "bad_body"),
        ("POST", "/v1/token", {}, b"[]", 400, "bad_body"),
        ("POST", "/v1/token", {}, b"\xff", 400, "bad_body"),
        ("POST", "/v1/token", {}, b"{}", 400, "bad_field"),
        ("POST", "/v1/token", {}, b'{"token":7}', 400, "bad_field"),
        ("POST", "/v1/token", {}, b"[" * 60000, 400, "bad_body"),
        ("POST", "/v1/token", {"content-type": MSGPACK}, b"\xc1", 400, "bad_body"),
        ("POST", "/v1/token", {"content-type": MSGPACK}, b"\x91" * 60000, 400, "bad_body"),
        ("POST", "/v1/token", {"content-type": "text/plain"}, b"x", 415, "unsupported_media_type"),
        ("POST", "/v1/sessions/c7/kick", {}, b'{"peer_id":"c8"}', 400, "bad_field"),
        ("POST", "/v1/token", {}, b"x" * 65537, 413, "too_large"),
        ("GET", "/v1/health", {"x": "y" * 17000}, b"", 431, "headers_too_large"),
        ("GET", "/v1/health", {f"x{n}": "" for n in range(70)}, b"", 431, "headers_too_large"),
    ],
    ids=lambda value: str(value)[:24],
)
async def test_bad_requests(
    stand: Stand, verb: str, path: str, headers: dict[str, str], body: bytes, status: int, word: str
) -> None:
    async with stand.client(everything(admin=True)) as client:
        reply = await client.request(verb, path, body, headers.items())
        assert reply.status == status
        told = json.loads(reply.body) if reply.headers["content-type"] == JSON else wire.unpack(reply.body)
        assert isinstance(told, dict)
        assert (told["code"], told["error"]) == (status, word)
        if status == 405:
            assert reply.headers["allow"] == "GET"
        # The connection is as good as before.
        assert (await client.call(MethodId.HEALTH_GET)).status == "ok"


@pytest.mark.parametrize(
    ("header", "answer"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("text/html, */*;q=0.8", JSON),
        ("application/x-msgpack", MSGPACK),
        ("application/vnd.msgpack; q=0.5, application/json", MSGPACK),
        ("application/msgpack;q=0, application/json", JSON),
        ("text/html", None),
    ],
)
def test_accept(header: str, answer: str | None) -> None:
    assert accepted(header, JSON) == answer


async def test_the_answer_comes_as_asked(stand: Stand) -> None:
    async with stand.client(everything()) as client:
        reply = await client.request("GET", "/v1/rooms", headers=[("accept", MSGPACK)])
        assert (reply.headers["content-type"], wire.unpack(reply.body)) == (MSGPACK, {"rooms": []})
        body = wire.pack({"token": "x"})
        reply = await client.request(
            "POST", "/v1/token", body, [("accept", "*/*"), ("content-type", MSGPACK)]
        )
        assert (reply.status, reply.headers["content-type"]) == (401, MSGPACK)


@pytest.mark.parametrize("wrong", [transport.BadHandle, transport.Closed])
async def test_a_session_that_ends_while_it_is_looked_at(
    stand: Stand, monkeypatch: pytest.MonkeyPatch, wrong: type[transport.Error]
) -> None:
    def gone(_: int) -> transport.LinkStats:
        raise wrong("gone", Reason.LOCAL) if issubclass(wrong, transport.Ended) else wrong("gone")

    token = everything("c7")
    async with stand.connect(token), stand.client(everything(admin=True)) as client:
        await up(stand)
        monkeypatch.setattr(stand.node, "session_stats", gone)
        assert (await client.call(MethodId.SESSIONS_LIST)).sessions == ()
        missing = await failed(client, MethodId.SESSIONS_KICK, Kick(peer_id="c7"))
        assert (missing.code, missing.error) == (404, "not_found")


async def test_a_refresh_through_the_control_stack(stand: Stand) -> None:
    token = everything("c7", subject="ann")
    async with stand.connect(token) as link, stand.client(token) as client:
        await up(stand)
        for other in (everything("c7", subject="bob"), everything("c7", subject="ann", tenant="red")):
            wrong = await failed(client, MethodId.TOKEN_REFRESH, TokenRefreshRequest(token=other))
            assert (wrong.code, wrong.error) == (401, "unauthorized")
        gone = await failed(client, MethodId.TOKEN_REFRESH, TokenRefreshRequest(token=everything("c8")))
        assert gone.code == 404
        narrow = transport_token(peer="c7", subject="ann")
        reply = await client.call(MethodId.TOKEN_REFRESH, TokenRefreshRequest(token=narrow))
        assert reply.publish == ("games/room1/up/c7",)
        with pytest.raises(transport.Unauthorized):
            await link.publish(transport.Frame("games/room2/up/c7", "moves"))
        await link.publish(transport.Frame("games/room1/up/c7", "moves"))


async def test_a_refresh_without_a_peer_claim_goes_by_the_subject(stand: Stand) -> None:
    token = everything(subject="ann")
    async with stand.client(token) as client, stand.connect(token):
        await up(stand)
        reply = await client.call(
            MethodId.TOKEN_REFRESH, TokenRefreshRequest(token=transport_token(subject="ann"))
        )
        (session,) = stand.admission.sessions.values()
        assert reply.publish == (f"games/room1/up/{session.peer_id}",)
        async with stand.connect(token):
            await up(stand, 2)
            wrong = await failed(client, MethodId.TOKEN_REFRESH, TokenRefreshRequest(token=token))
            assert (wrong.code, wrong.error) == (409, "ambiguous")


def transport_token(**more: Any) -> str:
    from relay.token import mint

    return mint(KEY, ["games/room1/up/{peer}"], [], **more)


# --- the connection ---


async def test_goaway_on_close(stand: Stand, certificate: credentials.Certificate) -> None:
    stack = ControlStack("127.0.0.1", 0, certificate.certificate, certificate.key, stand.provider)
    await stack.start()
    seen = bytearray()
    async with ControlClient(f"https://{stack.address}", trust=stand.trust) as client:
        connection = client._connection
        assert connection is not None
        before = connection.quic_event_received

        def watch(event: Any) -> None:
            if isinstance(event, StreamDataReceived) and event.stream_id == 3:
                seen.extend(event.data)
            before(event)

        connection.quic_event_received = watch  # type: ignore[method-assign]
        await client.call(MethodId.HEALTH_GET)
        await client.call(MethodId.HEALTH_GET)
        await stack.close()
        async with asyncio.timeout(PATIENCE):
            await connection.wait_closed()
        assert connection.ended == f"closed with code {ErrorCode.H3_NO_ERROR:#x}"
        with pytest.raises(transport.Closed):
            await client.call(MethodId.HEALTH_GET)
    # The control stream ends with GOAWAY: nothing from stream 8 on is served.
    frames = Buffer(data=bytes(seen[-3:]))
    assert (frames.pull_uint_var(), frames.pull_uint_var(), frames.pull_uint_var()) == (
        FrameType.GOAWAY,
        1,
        8,
    )
    await stack.close()


async def test_a_certificate_that_is_not_the_pinned_one(stand: Stand) -> None:
    with pytest.raises(transport.CertificateMismatch, match="pass the hash"):
        async with ControlClient(f"https://{stand.control.address}", trust=transport.Pinned("0" * 64)):
            raise AssertionError
    with pytest.raises(transport.CertificateMismatch):
        async with ControlClient(f"https://{stand.control.address}"):
            raise AssertionError


async def test_a_certificate_from_a_pem(stand: Stand, certificate: credentials.Certificate) -> None:
    trust = transport.Pem(certificate.certificate)
    async with ControlClient(f"https://{stand.control.address}", trust=trust) as client:
        assert (await client.call(MethodId.HEALTH_GET)).ready


async def test_nobody_there(stand: Stand) -> None:
    stack = stand.control.address
    await stand.control.close()
    with pytest.raises(transport.TimedOut):
        async with ControlClient(f"https://{stack}", trust=stand.trust, timeout=0.3):
            raise AssertionError
    for url in ("http://x", "https://", "moqt://x"):
        with pytest.raises(transport.BadUrl):
            ControlClient(url)


async def test_a_port_in_use(stand: Stand, certificate: credentials.Certificate) -> None:
    port = urllib.parse.urlsplit(f"//{stand.control.address}").port
    assert port
    stack = ControlStack("127.0.0.1", port, certificate.certificate, certificate.key, stand.provider)
    with pytest.raises(transport.AddressInUse, match=str(port)):
        await stack.start()


async def test_garbage_datagrams_do_no_harm(stand: Stand) -> None:
    host, _, port = stand.control.address.rpartition(":")
    loop = asyncio.get_running_loop()
    endpoint, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=(host, int(port)))
    for size in (0, 1, 20, 1200):
        for first in (0x00, 0x40, 0xC0, 0xFF):
            endpoint.sendto(bytes([first]) + b"\x00\x00\x00\x01" + b"\xff" * size)
    async with stand.client() as client:
        assert (await client.call(MethodId.HEALTH_GET)).status == "ok"
    endpoint.close()


async def test_a_provider_that_fails_or_hangs(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang() -> Statistics:
        await asyncio.Event().wait()
        raise AssertionError

    def fail() -> RoomList:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("relay.control.HANDLE_SECONDS", 0.1)
    monkeypatch.setattr(stand.provider, "statistics", hang)
    monkeypatch.setattr(stand.provider, "rooms", fail)
    async with stand.client(everything(admin=True)) as client:
        wrong = await failed(client, MethodId.STATS_GET)
        assert (wrong.code, wrong.error, wrong.retry_ms) == (503, "timeout", 1000)
        wrong = await failed(client, MethodId.ROOMS_LIST)
        assert (wrong.code, wrong.error) == (500, "internal")
        assert "secret" not in wrong.message
