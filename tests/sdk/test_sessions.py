"""A relay's side: admission, scopes, refresh, and the reason of an end, typed on both sides."""

from __future__ import annotations

import asyncio

import pytest

import transport
from transport import Auth, AuthRefresh, Frame, Reason, SessionDown, SessionUp, Stamp

from .conftest import DRAFTS, Relay, bounded, collect, demanded, first, until

ALL = Stamp("c7", publish=("*",), subscribe=("*",), subject="c7")


def admit(
    relay: Relay, stamps: dict[bytes, Stamp], refusal: Reason = Reason.UNAUTHORIZED
) -> list[transport.Event]:
    """Answer each session by its token; what happened, in order."""
    seen: list[transport.Event] = []

    def answer(event: transport.Event) -> None:
        seen.append(event)
        if isinstance(event, Auth | AuthRefresh):
            stamp = stamps.get(event.token)
            if stamp is None:
                relay.node.refuse(event.session, refusal, "this token is not on the list")
            else:
                relay.node.accept(event.session, stamp)

    relay.node.on_event(answer)
    return seen


@pytest.mark.parametrize("draft", DRAFTS)
async def test_a_session_is_what_its_stamp_says(guarded: Relay, draft: int) -> None:
    stamp = Stamp("c7", publish=("games/room1/up/c7",), subscribe=("games/room1/down",), tenant="blue")
    seen = admit(guarded, {b"good": stamp})
    async with guarded.connect(draft, token="good") as link:
        assert link.peer_id == "c7"
        auth = next(event for event in seen if isinstance(event, Auth))
        assert auth.token == b"good"
        assert auth.address.startswith("127.0.0.1:")
        assert "good" not in repr(auth)
        await until(lambda: any(isinstance(event, SessionUp) for event in seen))
        up = next(event for event in seen if isinstance(event, SessionUp))
        assert (up.peer_id, up.tenant, up.draft, up.resumed) == ("c7", "blue", draft, False)
        assert guarded.node.session_stats(up.session).draft == draft
        await bounded(link.publish(Frame("games/room1/up/c7", "moves")))
        with pytest.raises(transport.Unauthorized):
            await bounded(link.publish(Frame("games/room1/up/c8", "moves")))
        with pytest.raises(transport.Unauthorized):
            await bounded(link.subscribe("games/room2").ready())
        await bounded(link.subscribe("games/room1/down").ready())


@pytest.mark.parametrize(
    ("reason", "error"),
    [
        (Reason.UNAUTHORIZED, transport.Unauthorized),
        (Reason.EXPIRED_TOKEN, transport.ExpiredToken),
        (Reason.MALFORMED_TOKEN, transport.MalformedToken),
        (Reason.REFUSED, transport.Refused),
        (Reason.ROOM_CLOSED, transport.Refused),
    ],
)
async def test_a_refusal_reaches_the_one_who_asked(
    guarded: Relay, reason: Reason, error: type[transport.Refused]
) -> None:
    admit(guarded, {}, reason)
    with pytest.raises(error) as refused:
        await bounded(guarded.connect(token="bad"))
    assert refused.value.reason == reason
    assert "this token is not on the list" in str(refused.value)


async def test_a_kick_tells_both_sides_why(guarded: Relay) -> None:
    seen = admit(guarded, {b"good": ALL})
    options = transport.LinkOptions(reconnect=False)
    async with guarded.connect(token="good", options=options) as link:
        events = link.events()
        await until(lambda: any(isinstance(event, SessionUp) for event in seen))
        up = next(event for event in seen if isinstance(event, SessionUp))
        guarded.node.close_session(up.session, Reason.KICKED, "be kind")
        ended = await bounded(first(events, transport.LinkClosed))
        assert ended.reason == Reason.KICKED
        assert ended.text == "be kind"
        await until(lambda: any(isinstance(event, SessionDown) for event in seen))
        down = next(event for event in seen if isinstance(event, SessionDown))
        assert (down.reason, down.peer_id) == (Reason.KICKED, "c7")


async def test_the_same_peer_again_replaces_itself(guarded: Relay) -> None:
    seen = admit(guarded, {b"good": ALL})
    options = transport.LinkOptions(reconnect=False)
    async with guarded.connect(token="good", options=options) as one:
        events = one.events()
        async with guarded.connect(token="good") as second:
            assert second.peer_id == "c7"
            ended = await bounded(first(events, transport.LinkClosed))
            assert ended.reason == Reason.REPLACED
    assert len([event for event in seen if isinstance(event, SessionUp)]) == 2


@pytest.mark.parametrize("draft", DRAFTS)
async def test_a_token_is_refreshed_in_place(guarded: Relay, draft: int) -> None:
    short = Stamp("c7", publish=("*",), subscribe=("*",), subject="c7", expires=4.0)
    seen = admit(guarded, {b"short": short, b"long": ALL})
    async with guarded.connect(draft, token="short") as link:
        publication = await bounded(link.publish(Frame("games/room1", "c7", datagram=True)))
        link.set_token("long")
        await until(lambda: any(isinstance(event, AuthRefresh) for event in seen))
        # Outlive the first token, then see that the session still carries frames.
        await asyncio.sleep(4.2)
        async with guarded.node.subscribe("games/room1") as feed:
            await demanded(publication)
            publication.send(b"still here")
            assert [frame.payload for frame in await collect(feed, 1)] == [b"still here"]
        assert not any(isinstance(event, SessionDown) for event in seen)


async def test_a_token_that_runs_out_ends_the_session(guarded: Relay) -> None:
    admit(guarded, {b"short": Stamp("c7", publish=("*",), subscribe=("*",), expires=0.3)})
    async with guarded.connect(token="short", options=transport.LinkOptions(reconnect=False)) as link:
        ended = await bounded(first(link.events(), transport.LinkClosed))
        assert ended.reason == Reason.EXPIRED_TOKEN


async def test_a_callback_that_fails_is_told_of_and_stops_nothing(relay: Relay) -> None:
    told: list[BaseException | None] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context.get("exception")))
    relay.node.on_event(lambda _: 1 // 0)
    events = relay.node.events()
    async with relay.connect():
        seen: list[transport.Event] = []
        await until(lambda: any(isinstance(event, SessionUp) for event in seen + events.take()))
    await until(lambda: bool(told))
    assert isinstance(told[0], ZeroDivisionError)


async def test_goaway_reaches_the_links(relay: Relay) -> None:
    async with relay.connect() as link:
        events = link.events()
        relay.node.goaway("", 5.0)
        goaway = await bounded(first(events, transport.Goaway))
        assert goaway.uri == ""


async def test_a_relay_counts_what_it_does(relay: Relay) -> None:
    async with relay.connect() as sender, relay.connect() as receiver, receiver.subscribe("games") as feed:
        publication = await bounded(sender.publish(Frame("games/room1", "c7", datagram=True)))
        await demanded(publication)
        publication.send_many([bytes(200)] * 50)
        await collect(feed, 50)
        stats = relay.node.stats()
        assert stats.sessions == 2
        assert stats.objects_in >= 50
        assert stats.objects_out >= 50
        assert stats.bytes_in > 50 * 200
        assert stats.cpu > 0
        assert set(stats.drops) == set(transport.Drop)
        link = sender.stats()
        assert link.state == transport.LinkState.UP
        assert 0 < link.rtt < 5
        assert link.frames_sent >= 50
        assert receiver.stats().frames_received >= 50
        assert publication.stats().frames == 50
        assert publication.stats().bytes == 50 * 200
