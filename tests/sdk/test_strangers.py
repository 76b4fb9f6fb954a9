"""A flood of first packets over real sockets, at a relay that has players."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from aioquic._buffer import Buffer
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.crypto import CryptoPair
from aioquic.quic.packet import QuicPacketType, QuicProtocolVersion, pull_quic_header

import transport
from transport import Bound, Frame, NodeOptions, Text

from .conftest import bounded, collect, demanded, open_relay, until

STRANGERS = 3000
UNPROVEN = 32
GROWTH = 48 << 20
"""What the whole process may grow by, bytes: the test's own things among it."""


def resident() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def first_packets(count: int) -> Iterator[bytes]:
    """Initials of so many clients: one ClientHello, under a connection id and keys of each one's own."""
    configuration = QuicConfiguration(is_client=True, alpn_protocols=["moqt-22"], server_name="localhost")
    quic = QuicConnection(configuration=configuration)
    quic.connect(("127.0.0.1", 1), now=0.0)
    packet = quic.datagrams_to_send(now=0.0)[0][0]
    buffer = Buffer(data=packet)
    header = pull_quic_header(buffer)
    assert header.packet_type == QuicPacketType.INITIAL
    version = QuicProtocolVersion.VERSION_1
    opener = CryptoPair()
    opener.setup_initial(cid=header.destination_cid, is_client=False, version=version)
    plain, payload, number = opener.decrypt_packet(packet[: header.packet_length], buffer.tell(), 0)
    for _ in range(count):
        identifier = os.urandom(len(header.destination_cid))
        sealer = CryptoPair()
        sealer.setup_initial(cid=identifier, is_client=True, version=version)
        own = plain[:6] + identifier + plain[6 + len(identifier) :]
        yield sealer.encrypt_packet(own, payload, number).ljust(len(packet), b"\0")


async def test_a_flood_of_first_packets_hurts_nobody(
    native: Path, certificate: transport.credentials.Certificate
) -> None:
    """Thousands begin and never go on: beyond a few they are sent Retry, and cost nothing that lasts."""
    relay = open_relay(certificate, options=NodeOptions(limits={Bound.HANDSHAKES_UNPROVEN: UNPROVEN}))
    async with relay.node, relay.connect() as writer, relay.connect() as reader:
        moves = await bounded(writer.publish(Frame("games/r", "moves", ttl=30.0)))
        talk = await bounded(writer.publish(Text("games/r", "talk")))
        feed = await reader.subscribe("games/r").ready()
        await demanded(moves)
        await demanded(talk)
        packets = list(first_packets(STRANGERS))
        before = resident()
        heard: list[bytes] = []
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            udp.setblocking(False)
            udp.connect(("127.0.0.1", relay.node.port))
            loop = asyncio.get_running_loop()
            retries = 0
            for at in range(0, STRANGERS, 100):
                for packet in packets[at : at + 100]:
                    await loop.sock_sendall(udp, packet)
                # Players go on meanwhile: a frame and a message for each hundred strangers.
                moves.send(b"m%d" % at)
                talk.send(b"t%d" % at)
                heard += [frame.payload for frame in await collect(feed, 2)]
                try:
                    while True:
                        # Retry is type 3 of long headers (RFC 9000, 17.2.5).
                        retries += udp.recv(2048)[0] & 0xF0 == 0xF0
                except BlockingIOError:
                    pass
        rounds = range(0, STRANGERS, 100)
        assert sorted(heard) == sorted([b"m%d" % at for at in rounds] + [b"t%d" % at for at in rounds])
        stats = relay.node.stats()
        assert stats.handshakes <= UNPROVEN
        # What the socket's buffer had no room for was never seen.
        assert retries > STRANGERS // 10
        assert stats.refused[Bound.HANDSHAKES_UNPROVEN] >= retries
        grown = resident() - before
        assert grown < GROWTH, f"the process grew by {grown >> 20} MiB"
        # And a newcomer is let in, by way of Retry.
        async with relay.connect() as late:
            second = await late.subscribe("games/r").ready()
            await until(lambda: len(second.tracks) == 2)
            moves.send(b"late")
            (frame,) = await collect(second, 1)
            assert frame.payload == b"late"
