"""Ten lines of a player: join the room that CLUTCHCALL_URL names, and see the host's snapshots arrive."""

import asyncio

import transport
from transport.host import protocol


async def main() -> None:
    async with transport.connect() as link, link.subscribe(protocol.down("main", link.peer_id)) as feed:
        async for frame in feed:
            if frame.track.name == "state":
                head, body = protocol.parse_state(frame.payload)
                print(f"tick {head.tick}: {len(body)} bytes, priority {frame.priority}")


if __name__ == "__main__":
    asyncio.run(main())
