"""`rooms.join` over real HTTP/3: what a player gets lets it play, and no more than its caller might."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import jwt
import pytest

import transport
from relay._bodies import JSON, MSGPACK, ControlError
from relay.control_client import ControlClient
from relay.token import jwks, mint, new_key
from transport import Reason
from transport._generated.constants import MethodId
from transport._generated.dtos import JoinInfo, JoinRequest
from transport.host import Game, protocol

from .conftest import PATIENCE, Running, StartHost, until


class Still(Game):
    rate = 50.0


@asynccontextmanager
async def asking(running: Running, token: str, kind: str = JSON) -> AsyncIterator[ControlClient]:
    trust = transport.Pinned(running.host.access.certificate.sha256)
    url = f"https://{running.host.control_address}"
    async with ControlClient(url, trust=trust, token=token, content_type=kind) as client:
        yield client


async def refused(running: Running, token: str, request: JoinRequest) -> ControlError:
    async with asking(running, token) as client:
        with pytest.raises(ControlError) as wrong:
            await client.call(MethodId.ROOMS_JOIN, request)
    assert wrong.value.message and "\n" not in wrong.value.message
    return wrong.value


def own_token(room: str = "main", **more: object) -> str:
    publish, subscribe = protocol.player_grants(room)
    return mint(transport.credentials.token_key(), publish, subscribe, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [JSON, MSGPACK])
async def test_what_it_answers_lets_a_player_play(start_host: StartHost, kind: str) -> None:
    async with start_host(Still) as running:
        token = own_token(ttl=600.0, tenant="blue", subject="ann", capabilities=["netcode.v1"])
        async with asking(running, token, kind) as client:
            info: JoinInfo = await client.call(MethodId.ROOMS_JOIN, JoinRequest(room="main", player="ann"))
            other: JoinInfo = await client.call(MethodId.ROOMS_JOIN, JoinRequest(room="main", player="ann"))
        assert (info.room, info.namespace, info.tick_rate_hz, info.web_url) == (
            "main",
            "games/main",
            50.0,
            None,
        )
        assert info.peer_id.startswith("ann-") and info.peer_id != other.peer_id
        assert 500_000 < info.expires_ms <= 600_000
        assert info.certificate_sha256 is not None
        trust = transport.Pinned(info.certificate_sha256)
        async with transport.connect(info.url, token=info.token, trust=trust, timeout=PATIENCE) as link:
            assert link.peer_id == info.peer_id
            room = running.host.rooms["main"]
            await until(lambda: info.peer_id in room.peers)
            await link.publish(protocol.input_track("main", link.peer_id))
            with pytest.raises(transport.Unauthorized):
                await link.publish(protocol.input_track("main", other.peer_id))
            (session,) = running.host.admission.sessions.values()
            assert (session.stamp.tenant, session.stamp.subject) == ("blue", "ann")
            assert session.stamp.capabilities == ("netcode.v1",)


async def test_a_token_keeps_its_peer_and_its_own_claims_and_gains_no_time(start_host: StartHost) -> None:
    async with start_host(Still) as running:
        token = own_token(peer="c7", ttl=60.0, admin=True, extra={"team": "red"})
        ends = jwt.decode(token, options={"verify_signature": False})["exp"]
        for _ in range(3):
            async with asking(running, token) as client:
                info: JoinInfo = await client.call(MethodId.ROOMS_JOIN, JoinRequest(room="main", player="x"))
            token = info.token
            claims = jwt.decode(token, options={"verify_signature": False})
            assert (info.peer_id, claims["peer"], claims["team"]) == ("c7", "c7", "red")
            assert claims["exp"] <= ends and "admin" not in claims["cc"]
        # Within the leeway that clocks are given it still opens sessions, and makes no new tokens.
        late = own_token(peer="c7", ttl=10.0, now=time.time() - 12.0)
        wrong = await refused(running, late, JoinRequest(room="main"))
        assert (wrong.code, wrong.error) == (401, Reason.EXPIRED_TOKEN.name.lower())


async def test_who_may_not(start_host: StartHost) -> None:
    async with start_host(Still) as running:
        elsewhere = await refused(running, own_token("side"), JoinRequest(room="main"))
        assert (elsewhere.code, elsewhere.error) == (403, "forbidden")
        watcher = mint(transport.credentials.token_key(), [], ["games/main"])
        assert (await refused(running, watcher, JoinRequest(room="main"))).code == 403
        expired = own_token(ttl=1.0, now=time.time() - 60.0)
        assert (await refused(running, expired, JoinRequest(room="main"))).error == "expired_token"
        for request, field in (
            (JoinRequest(room="a b"), "$.room"),
            (JoinRequest(room="main", player="a/b"), "$.player"),
            (JoinRequest(room="main", player="x" * 41), "$.player"),
        ):
            wrong = await refused(running, own_token(), request)
            assert (wrong.code, wrong.error, wrong.field) == (400, "bad_field", field)


async def test_where_others_sign(start_host: StartHost, tmp_path: Path) -> None:
    signing = new_key()
    (tmp_path / "jwks.json").write_text(json.dumps(jwks(signing)))
    publish, subscribe = protocol.player_grants("main")
    async with start_host(Still, "--jwks", str(tmp_path / "jwks.json")) as running:
        named = mint(signing, publish, subscribe, peer="p9")
        async with asking(running, named) as client:
            info: JoinInfo = await client.call(MethodId.ROOMS_JOIN, JoinRequest(room="main"))
        assert (info.peer_id, info.token) == ("p9", named)
        nobody = mint(signing, publish, subscribe)
        wrong = await refused(running, nobody, JoinRequest(room="main"))
        assert (wrong.code, wrong.error) == (409, "ambiguous")


async def test_a_program_of_its_own(start_host: StartHost) -> None:
    """`--exec`: the host knows the room, not its rate."""
    async with start_host(None, "--exec", "sleep", "60") as running:
        starting = await refused(running, own_token(), JoinRequest(room="main"))
        assert (starting.code, starting.error) == (503, "starting")
        host = running.host
        trust = transport.Pinned(host.access.certificate.sha256)
        token = host.access.server_token("main", "server")
        async with transport.connect(host.local_url, token=token, trust=trust) as link:
            await link.publish(transport.Frame("games/main/down/all", "state"))
            await until(lambda: host.is_ready)
            async with asyncio.timeout(PATIENCE), asking(running, own_token()) as client:
                info: JoinInfo = await client.call(MethodId.ROOMS_JOIN, JoinRequest(room="main"))
        assert info.tick_rate_hz == 0.0 and info.peer_id.startswith("player-")
