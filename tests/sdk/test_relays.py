"""Relays that join relays, links that move, subscriptions that wait, tokens of single requests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

import transport
from transport import Auth, AuthRequest, Exact, Frame, Reason, Stamp, Text

from .conftest import QUICK, Relay, bounded, collect, demanded, first, open_relay, until


@pytest.fixture
async def pair(
    native: Path, certificate: transport.credentials.Certificate
) -> AsyncIterator[tuple[Relay, Relay]]:
    """Two open relays, the second joined to the first."""
    above, below = open_relay(certificate), open_relay(certificate)
    link = below.node.join(above.url, token="", trust=above.trust, options=QUICK)
    await bounded(link.ready())
    yield above, below
    await below.node.aclose()
    await above.node.aclose()


async def test_two_readers_through_a_second_relay_cost_one_subscription(pair: tuple[Relay, Relay]) -> None:
    above, below = pair
    async with AsyncExitStack() as stack:
        sender = await stack.enter_async_context(above.connect())
        links = [await stack.enter_async_context(below.connect()) for _ in range(2)]
        publication = await bounded(sender.publish(Text("g/up", "c1")))
        feeds = [await stack.enter_async_context(link.subscribe("g")) for link in links]
        await demanded(publication)
        await until(lambda: below.node.stats().subscriptions == 2)
        for n in range(20):
            publication.send(f"{n}")
        for feed in feeds:
            frames = await collect(feed, 20)
            assert [frame.text for frame in frames] == [str(n) for n in range(20)]
        assert above.node.stats().subscriptions == 1
        assert publication.stats().sent_frames == 20


async def test_a_relay_s_own_tracks_cross_too(pair: tuple[Relay, Relay]) -> None:
    above, below = pair
    spec = Text("g", "relay")
    publication = below.node.publish(spec)
    async with above.connect() as link, link.subscribe(Exact("g", "relay"), wait=10.0) as feed:
        await demanded(publication)
        publication.send("from below")
        assert (await collect(feed, 1))[0].text == "from below"
        events = feed.events()
        publication.close()
        async for event in events:
            if isinstance(event, transport.TrackEnded):
                assert event.reason == Reason.TRACK_ENDED
                break


async def test_only_a_relay_joins_a_relay(relay: Relay) -> None:
    async with transport.Node() as node:
        with pytest.raises(transport.BadArgument, match="only a relay"):
            node.join(relay.url, token="", trust=relay.trust)


async def test_a_link_follows_goaway_to_another_relay(pair: tuple[Relay, Relay]) -> None:
    above, below = pair
    async with above.connect() as sender, above.connect() as reader, reader.subscribe("g") as feed:
        publication = await bounded(sender.publish(Text("g", "chat")))
        await demanded(publication)
        publication.send("before")
        assert (await collect(feed, 1))[0].text == "before"
        peers = {sender.peer_id, reader.peer_id}
        events = reader.events()
        # The relay below is no session of those that are asked to go, for it has nowhere to go to.
        draining = asyncio.create_task(above.node.drain(below.url, 15.0))
        goaway = await bounded(first(events, transport.Goaway))
        assert (goaway.uri, goaway.timeout) == (below.url, 15.0)
        up = await bounded(first(events, transport.Up))
        assert (up.resumed, up.gap) == (True, 0.0)
        await until(lambda: below.node.stats().sessions == 2)
        publication.send("after")
        assert (await collect(feed, 1))[0].text == "after"
        assert peers == {sender.peer_id, reader.peer_id}
        assert reader.url == below.url
        draining.cancel()


async def test_a_relay_drains(relay: Relay, certificate: transport.credentials.Certificate) -> None:
    other = open_relay(certificate)
    async with relay.connect():
        assert await relay.node.drain(other.url, 15.0)
        assert other.node.stats().sessions == 1
    assert await other.node.drain(timeout=15.0)
    await other.node.aclose()


async def test_a_subscription_waits_for_its_publisher(relay: Relay) -> None:
    async with relay.connect() as link, relay.connect() as other:
        with pytest.raises(transport.Refused) as refused:
            await bounded(link.subscribe(Exact("g", "late")).ready())
        assert refused.value.reason == Reason.DOES_NOT_EXIST
        with pytest.raises(transport.TimedOut):
            await bounded(link.subscribe(Exact("g", "never"), wait=0.05).ready())
        feed = link.subscribe(Exact("g", "late"), wait=30.0)
        assert not feed.accepted
        publication = await bounded(other.publish(Text("g", "late")))
        await bounded(feed.ready())
        await demanded(publication)
        publication.send("at last")
        assert (await collect(feed, 1))[0].text == "at last"
        with pytest.raises(transport.BadArgument, match="one track"):
            link.subscribe("g", wait=1.0)


async def test_a_token_of_one_request_is_judged_alone(guarded: Relay) -> None:
    asked: list[tuple[bytes, str]] = []

    def answer(event: transport.Event) -> None:
        if isinstance(event, Auth):
            guarded.node.accept(event.session, Stamp("c7", subscribe=("hall",)))
        elif isinstance(event, AuthRequest):
            asked.append((event.token, event.what))
            if event.token == b"ticket":
                stamp = Stamp("c7", publish=("vip",), subscribe=("vip",))
                guarded.node.accept(event.session, stamp, event.request)
            else:
                guarded.node.refuse(event.session, Reason.EXPIRED_TOKEN, "yesterday's", event.request)

    guarded.node.on_event(answer)
    show = guarded.node.publish(Text("vip", "show"))
    async with guarded.connect(token="hall") as link:
        with pytest.raises(transport.Unauthorized):
            await bounded(link.subscribe(Exact("vip", "show")).ready())
        with pytest.raises(transport.ExpiredToken, match="yesterday's"):
            await bounded(link.subscribe(Exact("vip", "show"), token="old ticket").ready())
        async with link.subscribe(Exact("vip", "show"), token="ticket") as feed:
            await demanded(show)
            show.send("hello")
            assert (await collect(feed, 1))[0].text == "hello"
        await bounded(link.publish(Frame("vip", "mic", token="ticket")))
        assert link.is_up
    # The second time the same token is known.
    assert [what for token, what in asked if token == b"ticket"] == ["subscribe vip//show"]
    assert "ticket" not in repr(Frame("vip", "mic", token="ticket"))


async def test_a_publisher_that_is_lost_is_told_from_one_that_ended(
    native: Path, certificate: transport.credentials.Certificate
) -> None:
    relay = open_relay(certificate, options=transport.NodeOptions(idle_timeout=1.0, keep_alive=0.3))
    lost = transport.Node(options=transport.NodeOptions(threadless=True))
    async with relay.connect() as link, relay.connect() as closes, link.subscribe("g") as feed:
        events = feed.events()
        publication = await bounded(closes.publish(Text("g", "closes")))
        gone = transport.open(relay.url, token="", trust=relay.trust, options=QUICK, node=lost)
        gone.publish(Text("g", "dies"))

        def drive() -> bool:
            lost.drive(relay.node.now)
            return len(feed.tracks) == 2

        await until(drive)
        publication.close()
        ended = {}
        async with asyncio.timeout(30):
            async for event in events:
                if isinstance(event, transport.TrackEnded):
                    ended[event.track.name] = event.reason
                    if len(ended) == 2:
                        break
        # Nobody drives the node of the other any more: to the relay it is gone.
        assert ended == {"closes": Reason.TRACK_ENDED, "dies": Reason.PUBLISHER_LOST}
    lost.close()
    await relay.node.aclose()
