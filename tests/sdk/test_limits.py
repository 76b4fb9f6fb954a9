"""Limits by name: set, met and counted."""

from __future__ import annotations

from pathlib import Path

import pytest

import transport
from relay._options import parse
from transport import Bound, NodeOptions, Text

from .conftest import QUICK, bounded, collect, demanded, open_relay


def test_every_limit_is_known_by_its_name(native: Path) -> None:
    with transport.Node(options=NodeOptions(limits=dict.fromkeys(Bound, 5000))) as node:
        assert set(node.stats().refused) == set(Bound)


@pytest.mark.parametrize("value", [-1, 1 << 41, "64k", 1.5])
def test_a_value_that_is_none_is_refused(value: object) -> None:
    with pytest.raises(transport.BadArgument, match="2\\^40"):
        NodeOptions(limits={Bound.TRACKS: value})  # type: ignore[dict-item]


def test_the_command_line_takes_them(capsys: pytest.CaptureFixture[str]) -> None:
    given = parse(["--limits", "tracks=7, past_bytes=64m,fetch_bytes=1k"])
    assert given.limits == {Bound.TRACKS: 7, Bound.PAST_BYTES: 64 << 20, Bound.FETCH_BYTES: 1024}
    for wrong in ("tracks", "tracks=-1", "tracks=1t", "track=1", "TRACKS=1", "tracks=9999999999999"):
        with pytest.raises(SystemExit, match="2"):
            parse(["--limits", wrong])
        assert capsys.readouterr().err.count("\n") == 1


async def test_what_is_over_a_limit_is_refused_and_counted(
    native: Path, certificate: transport.credentials.Certificate
) -> None:
    relay = open_relay(certificate, options=NodeOptions(limits={Bound.TRACKS_PER_SESSION: 2}))
    async with relay.node, relay.connect() as link:
        for name in ("a", "b"):
            await bounded(link.publish(Text("g", name)))
        with pytest.raises(transport.Error, match="too many tracks"):
            await bounded(link.publish(Text("g", "c")))
        assert relay.node.stats().refused[Bound.TRACKS_PER_SESSION] == 1


async def test_a_node_that_closes_lets_its_text_leave(
    native: Path, certificate: transport.credentials.Certificate
) -> None:
    relay = open_relay(certificate)
    async with relay.node, relay.connect() as reader:
        feed = reader.subscribe("g")
        node = transport.Node(options=NodeOptions(linger=15.0))
        link = await transport.connect(relay.url, trust=relay.trust, options=QUICK, node=node)
        publication = await bounded(link.publish(Text("g", "chat")))
        await demanded(publication)
        messages = [f"{number:4}" * 250 for number in range(500)]
        for message in messages:
            assert publication.send(message) == transport.Fate.QUEUED
        await bounded(node.aclose(), 30.0)
        frames = await collect(feed, len(messages))
        assert [frame.payload.decode() for frame in frames] == messages
