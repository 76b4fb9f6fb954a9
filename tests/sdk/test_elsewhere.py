"""A relay that sends its clients elsewhere: all that is needed to go there is told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.asyncio.server import serve
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import HandshakeCompleted, QuicEvent, StreamDataReceived

import transport
from transport import Exact, Frame, Redirected

from .conftest import QUICK, Relay, bounded, collect, demanded, open_relay

SETUP = b"\xaf\x00\x00\x00"
"""Without options (draft -22, "SETUP")."""
REQUEST_ERROR, GOAWAY = b"\x05", b"\x10"
REDIRECT = b"\x34"


def text(value: str) -> bytes:
    data = value.encode()
    assert len(data) < 128
    return bytes([len(data)]) + data


def message(kind: bytes, *fields: bytes) -> bytes:
    payload = b"".join(fields)
    return kind + len(payload).to_bytes(2, "big") + payload


def refusal(url: str) -> bytes:
    """Every request is to be made at `url`, for the track `c9` of `games/there`."""
    names = b"\x02" + text("games") + text("there") + text("c9")
    return message(REQUEST_ERROR, REDIRECT, b"\x00", text("not here"), text(url), names)


def goaway(url: str) -> bytes:
    """Every request is to be made at `url`, under its own names."""
    return message(GOAWAY, text(url), b"\x00")


class Signpost(QuicConnectionProtocol):
    """A server of MoQT that answers each request with the same bytes."""

    answer = b""

    def quic_event_received(self, event: QuicEvent) -> None:
        if isinstance(event, HandshakeCompleted):
            control = self._quic.get_next_available_stream_id(is_unidirectional=True)
            self._quic.send_stream_data(control, SETUP)
            self._answered: set[int] = set()
        # A request's stream is the client's, and goes both ways.
        elif isinstance(event, StreamDataReceived) and event.stream_id % 4 == 0:
            answer = b"" if event.stream_id in self._answered else self.answer
            self._answered.add(event.stream_id)
            self._quic.send_stream_data(event.stream_id, answer)
        self.transmit()


@asynccontextmanager
async def signpost(
    certificate: transport.credentials.Certificate, folder: Path, answer: bytes
) -> AsyncIterator[str]:
    (folder / "chain.pem").write_bytes(certificate.certificate)
    (folder / "key.pem").write_bytes(certificate.key)
    configuration = QuicConfiguration(
        is_client=False, alpn_protocols=["moqt-22"], max_datagram_frame_size=65536
    )
    configuration.load_cert_chain(folder / "chain.pem", folder / "key.pem")
    protocol = type("Answering", (Signpost,), {"answer": answer})
    server = await serve("127.0.0.1", 0, configuration=configuration, create_protocol=protocol)
    try:
        assert server._transport is not None
        yield f"moqt://127.0.0.1:{server._transport.get_extra_info('sockname')[1]}"
    finally:
        server.close()


async def follow(to: Redirected, relay: Relay, here: Exact) -> None:
    """Reads there, with the token and the trust that only the application has."""
    track = Exact(to.namespace or here.namespace, to.track or here.name)
    async with (
        relay.connect() as writer,
        transport.connect(to.url, trust=relay.trust, options=QUICK) as reader,
    ):
        moves = await bounded(writer.publish(Frame(track.namespace, track.name)))
        feed = await bounded(reader.subscribe(track).ready())
        await demanded(moves)
        moves.send(b"there")
        (frame,) = await collect(feed, 1)
        assert frame.payload == b"there"


@pytest.mark.parametrize("how", (refusal, goaway), ids=("refused", "goaway"))
async def test_a_request_is_made_where_its_relay_sends_it(
    native: Path,
    certificate: transport.credentials.Certificate,
    tmp_path: Path,
    how: Callable[[str], bytes],
) -> None:
    relay = open_relay(certificate)
    there = "games/there", "c9"
    here = Exact("games/here", "c7")
    names = there if how is refusal else (here.namespace, here.name)
    async with relay.node, signpost(certificate, tmp_path, how(relay.url)) as url:
        async with transport.connect(url, trust=relay.trust, options=QUICK) as link:
            with pytest.raises(Redirected) as told:
                await bounded(link.subscribe(here).ready())
            assert (told.value.url, told.value.namespace, told.value.track) == (relay.url, *names)
            with pytest.raises(Redirected) as publishing:
                await bounded(link.publish(Frame(here.namespace, here.name)))
            assert (publishing.value.url, publishing.value.namespace, publishing.value.track) == (
                relay.url,
                *names,
            )
        await follow(told.value, relay, here)
