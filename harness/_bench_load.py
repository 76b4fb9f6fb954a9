"""Traffic beside a measurement, in a process of its own: `python -m harness._bench_load SUBSCRIBERS`.

The relay comes by CLUTCHCALL_URL and _CERT_SHA256. One publisher sends 200-byte datagram frames to
SUBSCRIBERS links. First it finds how many are delivered a second when the next ones are sent as soon as the
last are there, and prints that. Then, for each share (0 .. 1) read from standard input, it sends that part of
it evenly until the next share comes, and prints what was delivered a second. The end of input ends it.
"""

from __future__ import annotations

import asyncio
import sys
import time

import numpy as np

import transport

SIZE = 200
NAMESPACE = "bench/load"
TICK = 0.002
"""Between the batches of an even load, seconds."""
_BATCH = 16


class Load:
    """The publisher and its subscribers."""

    def __init__(self, publication: transport.Publication, feeds: list[transport.Feed]) -> None:
        self.publication = publication
        self.feeds = feeds
        self.delivered = 0

    def read(self) -> int:
        """Frames delivered since the last reading, over all subscribers."""
        found = sum(len(feed.drain()) for feed in self.feeds)
        self.delivered += found
        return found

    def send(self, count: int) -> None:
        self.publication.send_many(np.zeros((count, SIZE), np.uint8), ttl=0.1)

    async def most(self, seconds: float = 1.0) -> float:
        """Deliveries a second when each batch waits for the one before."""
        began, count = time.perf_counter(), 0
        while time.perf_counter() - began < seconds:
            self.send(_BATCH)
            due, patience = _BATCH * len(self.feeds), time.perf_counter() + 0.1
            while due > 0 and time.perf_counter() < patience:
                found = self.read()
                due, count = due - found, count + found
                await asyncio.sleep(0)
        return count / (time.perf_counter() - began)

    async def evenly(self, rate: float) -> None:
        """So many deliveries a second, until cancelled."""
        began, sent = time.perf_counter(), 0
        while True:
            due = int((time.perf_counter() - began) * rate / len(self.feeds)) - sent
            if due > 0:
                self.send(min(due, 256))
                sent += due
            self.read()
            await asyncio.sleep(TICK)


async def main(subscribers: int) -> None:
    async with transport.Node() as node, transport.Node() as others:
        link = await transport.connect(node=node)
        feeds = []
        for _ in range(subscribers):
            reader = await transport.connect(node=others)
            feeds.append(await reader.subscribe(NAMESPACE).ready())
        publication = await link.publish(
            transport.Frame(NAMESPACE, "c", datagram=True, fast=True, priority=200)
        )
        while not all(feed.tracks for feed in feeds):
            await asyncio.sleep(0.005)
        load = Load(publication, feeds)
        most = await load.most()
        print(f"{most:.0f}", flush=True)
        running: asyncio.Task[None] | None = None
        began = 0.0
        while line := await asyncio.to_thread(sys.stdin.readline):
            if running is not None:
                running.cancel()
                print(f"{load.delivered / (time.perf_counter() - began):.0f}", flush=True)
            load.delivered, began = 0, time.perf_counter()
            share = float(line)
            running = asyncio.create_task(load.evenly(most * share)) if share else None
        if running is not None:
            running.cancel()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
