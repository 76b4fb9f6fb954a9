"""One end of a test in a process of its own: `python -m tests.soak.talker publish|subscribe DRAFT KIND`.

The relay comes by CLUTCHCALL_URL and _CERT_SHA256. The publisher sends what `payloads` gives once somebody
subscribes; the subscriber prints what arrives, a JSON array. The end of standard input ends both.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys

import transport
from transport import Fate, Frame, Text

NAMESPACE, NAME, CAPABILITY = "games/room1/up", "c7", "netcode.v1"
SIZES = {
    "datagram": (0, 1, 200, 1100),
    "fragmented": (1101, 3000, 8000),
    "stream": (0, 1, 200, 1101, 70_000),
    "text": (1, 200, 70_000),
}
"""Bytes of the payloads of each kind, sent in turn, several times."""
ROUNDS = 20


def spec(kind: str) -> Frame | Text:
    if kind == "text":
        return Text(NAMESPACE, NAME, CAPABILITY)
    datagram = kind in ("datagram", "fragmented")
    # Half a minute: nothing expires on a busy machine, as every frame has to arrive.
    return Frame(NAMESPACE, NAME, CAPABILITY, datagram=datagram, ttl=30.0, queue_bytes=8 << 20)


def payload(kind: str, number: int) -> bytes:
    size = SIZES[kind][number % len(SIZES[kind])]
    return bytes((number * 31 + index * 7 + (index >> 8)) % 256 for index in range(size))


def count(kind: str) -> int:
    return ROUNDS * len(SIZES[kind])


def priority(number: int) -> int:
    return (number * 13) % 256


def properties(number: int) -> dict[int, int | bytes]:
    if number % 3 == 0:
        return {}
    # Both forms, an empty value, and the largest that every peer takes.
    return {0x3810: number, 0x3811: b"\0mark %d\xff" % number, 0x3901: b"", 0x3A00: (1 << 53) - 1}


def told(data: bytes, priority: int, properties: dict[int, int | bytes]) -> list[object]:
    """A frame as JSON: its length, its hash, its priority and its properties."""
    pairs = sorted(
        (kind, value if isinstance(value, int) else value.hex()) for kind, value in properties.items()
    )
    return [len(data), hashlib.sha256(data).hexdigest(), priority, [list(pair) for pair in pairs]]


def expected(kind: str) -> list[list[object]]:
    """What has to arrive, in the order of sending. Messages have their track's priority."""
    default = spec(kind).priority
    return [
        told(payload(kind, number), default if kind == "text" else priority(number), properties(number))
        for number in range(count(kind))
    ]


def say(value: object) -> None:
    print(json.dumps(value), flush=True)


async def publish(link: transport.Link, kind: str) -> None:
    publication = await link.publish(spec(kind))
    say("published")
    while not publication.stats().subscribers:
        await asyncio.sleep(0.005)
    for number in range(count(kind)):
        own = None if kind == "text" else priority(number)
        data = payload(kind, number)
        fate = publication.send(data, priority=own, properties=properties(number))
        if fate is not Fate.QUEUED:
            raise SystemExit(f"frame {number}: {fate.name}")
        if number % 10 == 9:
            await asyncio.sleep(0.01)
    say("sent")


async def subscribe(link: transport.Link, kind: str) -> None:
    async with link.subscribe("games/room1", capability=CAPABILITY) as feed:
        say("subscribed")
        frames: list[transport.Received] = []
        async for frame in feed:
            frames.append(frame)
            if len(frames) == count(kind):
                break
        frames.sort(key=lambda frame: (frame.group, frame.object))
        say([told(frame.payload, frame.priority, dict(frame.properties)) for frame in frames])
        # What follows them would be a frame too many.
        await asyncio.sleep(0.2)
        say(len(feed.drain()))


async def main(role: str, draft: str, kind: str) -> None:
    options = transport.LinkOptions(alpns=(f"moqt-{draft}",))
    async with transport.connect(options=options) as link, asyncio.timeout(60):
        if link.draft != int(draft):
            raise SystemExit(f"draft {link.draft} is spoken, not {draft}")
        await (publish if role == "publish" else subscribe)(link, kind)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
