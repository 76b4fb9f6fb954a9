"""Admission over real sessions: what a token allows is what the core lets through."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import transport
from relay.auth import Answer, AuthError, Hook, Verdict, Verifier
from relay.hook import Admission, NoTokens, Open, Request, attach
from relay.token import jwks, mint, new_key
from transport import Exact, Frame, Reason, Stamp, Text, credentials

from .conftest import KEY, LINK, PATIENCE, PUBLIC, JwksServer, Stand, everything, until

DRAFTS = pytest.mark.parametrize("draft", [18, 22])


@asynccontextmanager
async def guarded(
    certificate: credentials.Certificate, hook: Hook, **more: Any
) -> AsyncIterator[tuple[Stand, Admission]]:
    """A node with another hook; its stand has no control stack of its own."""
    role = transport.RelayConfig(certificate.certificate, certificate.key, auth_timeout=2.0)
    async with transport.Node(role, "127.0.0.1:0") as node:
        admission = attach(node, hook, **more)
        trust = transport.Pinned(certificate.sha256)
        yield Stand(node, admission, Verifier(PUBLIC), None, None, trust), admission  # type: ignore[arg-type] # unused here
        admission.detach()


async def within(waiting: Any) -> Any:
    async with asyncio.timeout(PATIENCE):
        return await waiting


def on(draft: int) -> transport.LinkOptions:
    return transport.LinkOptions(
        connect_timeout=2.0, backoff_min=0.02, backoff_max=0.2, alpns=(f"moqt-{draft}",)
    )


class Asked:
    """As much of a node as admission uses, with events that come together."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.callbacks: list[Any] = []
        self.after: list[Any] = []

    def on_event(self, callback: Any) -> Any:
        self.callbacks.append(callback)
        return self.callbacks.clear

    def after_events(self, callback: Any) -> None:
        self.after.append(callback)

    def accept(self, session: int, stamp: Stamp, request: int = 0) -> None:
        self.said.append(f"accept {session}")

    def refuse(self, session: int, reason: Reason, text: str = "", request: int = 0) -> None:
        self.said.append(f"refuse {session} {reason.name}")

    def ask(self, *sessions: int) -> None:
        for session in sessions:
            for callback in self.callbacks:
                callback(transport.Auth(session, b"", "/", "127.0.0.1:1", f"p{session}"))
        after, self.after = self.after, []
        for callback in after:
            callback()


def test_those_who_ask_together_are_judged_first_and_then_told() -> None:
    node = Asked()

    def hook(token: bytes, path: str, suggested: str) -> Stamp:
        node.said.append(f"judge {suggested}")
        if suggested == "p2":
            raise AuthError(Reason.REFUSED, "not today")
        return Stamp(suggested)

    admission = Admission(node, hook, None)  # type: ignore[arg-type] # as much of it as is used
    node.ask(1, 2, 3)
    assert node.said == ["judge p1", "judge p2", "refuse 2 REFUSED", "judge p3", "accept 1", "accept 3"]
    node.ask(4)
    assert node.said[6:] == ["judge p4", "accept 4"]
    admission.detach()
    node.ask(5)
    assert len(node.said) == 8


@DRAFTS
async def test_only_what_the_token_grants(stand: Stand, draft: int) -> None:
    token = mint(KEY, ["games/room1/up/{peer}"], ["games/room1/down/{peer}", "games/room1/chat"], peer="c7")
    server = mint(KEY, ["*"], ["*"], peer="server")
    async with (
        stand.connect(token, options=on(draft)) as link,
        stand.connect(server, options=on(draft)) as game,
    ):
        assert link.peer_id == "c7"
        up = await within(link.publish(Frame("games/room1/up", "c7", datagram=True)))
        for namespace, name in (
            ("games/room1/up", "c8"),
            ("games/room1/up", "c77"),
            ("games/room1", "up"),
            ("games/room2/up", "c7"),
            ("games/room1/down/c7", "state"),
        ):
            with pytest.raises(transport.Unauthorized):
                await within(link.publish(Frame(namespace, name, datagram=True)))
        for scope in ("games/room2", Exact("games/room1/down/c8", "state"), Exact("games/room1/up", "c8")):
            with pytest.raises(transport.Unauthorized):
                await within(link.subscribe(scope).ready())

        mine = await within(game.publish(Text("games/room1/down/c7", "event")))
        others = await within(game.publish(Text("games/room1/down/c8", "event")))
        chat = await within(game.publish(Text("games/room1/chat", "server")))
        # Wider than the grants: it gets what is granted, and nothing of the rest.
        async with link.subscribe("games/room1") as feed, game.subscribe("games/room1/up") as inputs:
            await until(
                lambda: (
                    {t.namespace for t in feed.tracks.values()} >= {"games/room1/down/c7", "games/room1/chat"}
                )
            )
            others.send(b"not for c7")
            mine.send(b"for c7")
            chat.send(b"for all")
            found = set()
            async with asyncio.timeout(PATIENCE):
                async for frame in feed:
                    found.add(frame.payload)
                    if len(found) == 2:
                        break
            assert found == {b"for c7", b"for all"}
            assert "games/room1/down/c8" not in {track.namespace for track in feed.tracks.values()}
            await until(lambda: up.subscribers > 0)
            up.send(b"left")
            async with asyncio.timeout(PATIENCE):
                frame = await anext(aiter(inputs))
            assert frame.payload == b"left"


async def test_capabilities_are_part_of_the_scope(stand: Stand) -> None:
    token = mint(KEY, ["games"], ["games"], capabilities=["netcode.v1"], peer="c7")
    async with stand.connect(token) as link:
        await within(link.publish(Frame("games/room1", "a", capability="netcode.v1")))
        with pytest.raises(transport.Unauthorized):
            await within(link.publish(Frame("games/room1", "b", capability="voice.v1")))


@pytest.mark.parametrize(
    ("token", "error"),
    [
        ("", transport.Unauthorized),
        ("nonsense", transport.MalformedToken),
        (mint(new_key(), ["*"]), transport.Unauthorized),
        (mint(KEY, ["*"], now=1000), transport.ExpiredToken),
        (mint(KEY, ["*"], audience="other"), transport.Unauthorized),
        (mint(KEY, ["100%"]), transport.MalformedToken),
    ],
    ids=["none", "nonsense", "key", "expired", "audience", "escape"],
)
async def test_a_refusal_is_typed_at_the_peer(
    stand: Stand, token: str, error: type[transport.Refused]
) -> None:
    with pytest.raises(error) as refused:
        await within(stand.connect(token))
    assert stand.admission.refusals == {refused.value.reason: 1}
    assert stand.node.stats().sessions_refused == 1
    assert not stand.admission.sessions


@DRAFTS
async def test_a_session_ends_with_its_token(stand: Stand, draft: int) -> None:
    stand.verifier.leeway = 0.0
    options = transport.LinkOptions(reconnect=False, alpns=(f"moqt-{draft}",))
    async with stand.connect(everything("c7", ttl=2), options=options) as link:
        events = link.events()
        async with asyncio.timeout(PATIENCE):
            closed = await anext(event async for event in events if isinstance(event, transport.LinkClosed))
        assert closed.reason == Reason.EXPIRED_TOKEN
    await until(lambda: not stand.admission.sessions)


@DRAFTS
async def test_a_token_is_refreshed_in_place(stand: Stand, draft: int) -> None:
    async with stand.connect(mint(KEY, ["a"], [], peer="c7", subject="ann"), options=on(draft)) as link:
        await within(link.publish(Frame("a", "x")))
        with pytest.raises(transport.Unauthorized):
            await within(link.publish(Frame("b", "x")))
        link.set_token(mint(KEY, ["a", "b"], [], peer="c7", subject="ann"))
        await until(lambda: stand.admission.renewals == 1)
        await within(link.publish(Frame("b", "y")))
        (session,) = stand.admission.sessions.values()
        assert session.stamp.publish == ("a", "b")
        assert stand.node.stats().sessions_total == 1


@DRAFTS
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"subject": "bob"}, Reason.UNAUTHORIZED),
        ({"tenant": "red"}, Reason.UNAUTHORIZED),
        ({"peer": "c8"}, Reason.UNAUTHORIZED),
        ({"now": 1000}, Reason.EXPIRED_TOKEN),
    ],
    ids=str,
)
async def test_a_bad_refresh_ends_the_session(
    stand: Stand, draft: int, change: dict[str, Any], reason: Reason
) -> None:
    good = {"peer": "c7", "subject": "ann", "tenant": "blue"}
    options = transport.LinkOptions(reconnect=False, alpns=(f"moqt-{draft}",))
    async with stand.connect(mint(KEY, ["a"], [], **good), options=options) as link:  # type: ignore[arg-type] # texts
        await within(link.publish(Frame("a", "x")))
        events = link.events()
        link.set_token(mint(KEY, ["a"], [], **{**good, **change}))
        async with asyncio.timeout(PATIENCE):
            closed = await anext(event async for event in events if isinstance(event, transport.LinkClosed))
        assert closed.reason == reason
        assert stand.admission.refusals == {reason: 1}
        await until(lambda: not stand.admission.sessions)


async def test_the_same_peer_replaces_itself(stand: Stand) -> None:
    options = transport.LinkOptions(reconnect=False)
    async with stand.connect(everything("c7"), options=options) as first:
        events = first.events()
        async with stand.connect(everything("c7")):
            async with asyncio.timeout(PATIENCE):
                closed = await anext(
                    event async for event in events if isinstance(event, transport.LinkClosed)
                )
            assert closed.reason == Reason.REPLACED
            await until(lambda: len(stand.admission.sessions) == 1)
            # What is known of the peer is the session that is up.
            (session,) = stand.admission.sessions.values()
            assert stand.admission.peers == {"c7": session}
            assert stand.admission.kick("c7") is session
    with pytest.raises(KeyError):
        stand.admission.kick("c8")


async def test_keys_are_fetched_while_the_session_waits(
    native: object, certificate: credentials.Certificate, jwks_server: JwksServer
) -> None:
    from relay._keys import SourceKeys

    now = [0.0]
    old, new = new_key(), new_key()
    jwks_server.show(jwks(old))
    hook = Verifier(SourceKeys(jwks_server.url, clock=lambda: now[0]))
    async with guarded(certificate, hook) as (stand, admission):
        with pytest.raises(transport.Unauthorized):
            await within(stand.connect(mint(new, ["*"], peer="c7")))
        jwks_server.show(jwks(new))
        now[0] += 10.0
        async with stand.connect(mint(new, ["*"], peer="c7")) as link:
            assert link.peer_id == "c7"
            await until(lambda: "c7" in admission.peers)


async def test_a_hook_of_ones_own(native: object, certificate: credentials.Certificate) -> None:
    async def hook(token: bytes, path: str, suggested_peer: str) -> Answer:
        await asyncio.sleep(0)
        if token == b"broken":
            raise RuntimeError("a secret detail")
        if token == b"nothing":
            return None  # type: ignore[return-value] # what a careless hook does
        if token != b"sesame":
            raise AuthError(Reason.REFUSED, "say the word")
        return Verdict(Stamp("ali" + path.replace("/", "-"), publish=("cave",)), {"thieves": 40})

    async with guarded(certificate, hook) as (stand, admission):
        url = f"moqt://127.0.0.1:{stand.node.port}/cave"
        connect = {"trust": stand.trust, "options": LINK}
        async with transport.connect(url, token="sesame", **connect) as link:  # type: ignore[arg-type] # by name
            assert link.peer_id == "ali-cave"
            await until(lambda: "ali-cave" in admission.peers)
            session = admission.peers["ali-cave"]
            assert (session.claims, session.path) == ({"thieves": 40}, "/cave")
        with pytest.raises(transport.Refused, match="say the word"):
            await within(stand.connect("open"))
        no = transport.LinkOptions(reconnect=False)
        for token in ("broken", "nothing"):
            with pytest.raises(transport.Ended) as wrong:
                await within(stand.connect(token, options=no))
            assert wrong.value.reason == Reason.INTERNAL
            assert "secret" not in str(wrong.value)
        assert admission.refusals == {Reason.REFUSED: 1, Reason.INTERNAL: 2}
        assert admission.waiting == 0


async def test_verdicts_awaited_are_bounded(
    native: object, certificate: credentials.Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.hook.MAX_WAITING", 1)
    gate = asyncio.Event()

    async def hook(token: bytes, path: str, suggested_peer: str) -> Answer:
        await gate.wait()
        return Stamp(suggested_peer)

    async with guarded(certificate, hook) as (stand, admission):
        first = asyncio.ensure_future(stand.connect("a")._dial())
        await until(lambda: admission.waiting == 1)
        with pytest.raises(transport.Refused) as refused:
            await within(stand.connect("b", options=transport.LinkOptions(reconnect=False)))
        assert refused.value.reason == Reason.EXCESSIVE_LOAD
        gate.set()
        link = await within(first)
        await link.aclose()


async def test_an_applications_own_rules(native: object, certificate: credentials.Certificate) -> None:
    asked: list[Request] = []

    def admit(request: Request, verdict: Verdict) -> Stamp:
        asked.append(request)
        if verdict.claims.get("banned"):
            raise AuthError(Reason.REFUSED, "you are banned")
        return Stamp(verdict.stamp.peer_id, publish=("lobby",))

    async with guarded(certificate, Verifier(PUBLIC), admit=admit) as (stand, _):
        async with stand.connect(everything("c7")) as link:
            await within(link.publish(Frame("lobby", "x")))
            with pytest.raises(transport.Unauthorized):
                await within(link.publish(Frame("arena", "x")))
        with pytest.raises(transport.Refused, match="you are banned"):
            await within(stand.connect(everything("c8", extra={"banned": True})))
        assert [request.renewal for request in asked] == [False, False]
        assert asked[0].address.startswith("127.0.0.1:")


async def test_open_below_a_prefix_beside_tokens(
    native: object, certificate: credentials.Certificate
) -> None:
    async with guarded(certificate, Open("games/lobby", Verifier(PUBLIC))) as (stand, _):
        async with stand.connect("") as guest, stand.connect(everything("c7")) as player:
            await within(guest.publish(Frame("games/lobby/a", "x")))
            with pytest.raises(transport.Unauthorized):
                await within(guest.publish(Frame("games/arena", "x")))
            await within(player.publish(Frame("games/arena", "x")))
        with pytest.raises(transport.MalformedToken):
            await within(stand.connect("x"))
    async with guarded(certificate, Open()) as (stand, _), stand.connect("anything") as guest:
        await within(guest.publish(Frame("games/arena", "x")))
    async with guarded(certificate, Open("a", NoTokens())) as (stand, _):
        with pytest.raises(transport.Unauthorized, match="--jwks"):
            await within(stand.connect(everything()))


async def test_a_session_that_left_before_its_verdict(
    native: object, certificate: credentials.Certificate
) -> None:
    gate = asyncio.Event()
    asked = asyncio.Event()

    async def hook(token: bytes, path: str, suggested_peer: str) -> Answer:
        asked.set()
        await gate.wait()
        return Stamp(suggested_peer)

    async with guarded(certificate, hook) as (stand, admission):
        dialling = asyncio.ensure_future(stand.connect("a")._dial())
        await within(asked.wait())
        dialling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await dialling
        gate.set()
        await until(lambda: admission.waiting == 0)
        assert not admission.sessions
        # The next one is served as usual.
        async with stand.connect("b"):
            await until(lambda: len(admission.sessions) == 1)
