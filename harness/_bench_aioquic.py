"""A relay of datagrams on aioquic alone, to be measured: `python -m harness._bench_aioquic CERT KEY`.

Each datagram of a client goes to all others as it came, as in `bench-peers serve quinn`. Prints its port. The
end of standard input ends it.
"""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from typing import ClassVar

from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.asyncio.server import QuicServer
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, DatagramFrameReceived, HandshakeCompleted, QuicEvent


class Client(QuicConnectionProtocol):
    """One connection."""

    everyone: ClassVar[set[Client]] = set()
    waiting: ClassVar[set[Client]] = set()

    def quic_event_received(self, event: QuicEvent) -> None:
        if isinstance(event, HandshakeCompleted):
            self.everyone.add(self)
        elif isinstance(event, ConnectionTerminated):
            self.everyone.discard(self)
        elif isinstance(event, DatagramFrameReceived):
            if not self.waiting:
                asyncio.get_running_loop().call_soon(self._flush)
            for other in self.everyone:
                if other is not self:
                    other._quic.send_datagram_frame(event.data)
                    self.waiting.add(other)

    def _flush(self) -> None:
        """What one pass of the loop brought leaves in as few packets as it takes."""
        for other in self.waiting:
            other.transmit()
        self.waiting.clear()


async def main(certificate: str, key: str) -> None:
    """Run until standard input ends."""
    configuration = QuicConfiguration(
        is_client=False, alpn_protocols=["bench"], max_datagram_frame_size=65536
    )
    configuration.load_cert_chain(certificate, key)
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        partial(QuicServer, configuration=configuration, create_protocol=Client), ("127.0.0.1", 0)
    )
    print(transport.get_extra_info("sockname")[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    transport.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
