"""A room's voices: who speaks is printed, what is heard can be kept, and a recording can be said.

python -m samples.voice [--room main] [--say in.wav] [--record out.wav] [--seconds S]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import wave

import numpy as np
import numpy.typing as npt

import transport
from transport.host import protocol

PIECE = 0.1
"""How much is said at a time, seconds."""


async def say(link: transport.Link, room: str, path: str) -> None:
    """Publish a WAV file of 16-bit samples as this player's voice, as fast as it would be spoken."""
    with wave.open(path) as file:
        rate, channels = file.getframerate(), file.getnchannels()
        if file.getsampwidth() != 2:
            raise transport.BadArgument(f"{path}: pass a WAV file of 16-bit samples")
        said = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, channels)
    spec = transport.Audio(
        protocol.voice(room),
        link.peer_id,
        codec="opus" if rate == 48_000 else "pcm",
        rate=rate,
        channels=channels,
    )
    track = await link.publish(spec)
    size = round(rate * PIECE)
    began = asyncio.get_running_loop().time()
    for at in range(0, len(said), size):
        track.write(said[at : at + size])
        await asyncio.sleep(began + (at + size) / rate - asyncio.get_running_loop().time())


async def hear(link: transport.Link, room: str, path: str | None) -> None:
    """Print who speaks; keep the first talker's samples."""
    kept: list[npt.NDArray[np.int16]] = []
    rate = 0
    try:
        async with link.subscribe(protocol.voice(room)) as feed:
            async for block in transport.AudioReader(feed, dtype="int16"):
                if block.first:
                    print(f"{block.track.name} speaks, {block.level} dB below full scale", flush=True)
                if not kept or block.rate == rate:
                    rate = block.rate
                    kept.append(block.samples[:, :1])
    finally:
        if path is not None and kept:
            with wave.open(path, "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(rate)
                file.writeframes(np.concatenate(kept).astype("<i2").tobytes())


async def main(arguments: argparse.Namespace) -> None:
    async with transport.connect() as link:
        print(f"here as {link.peer_id}", flush=True)
        work = [hear(link, arguments.room, arguments.record)]
        if arguments.say:
            work.append(say(link, arguments.room, arguments.say))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*work), arguments.seconds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="samples.voice", description="A room's voices.")
    parser.add_argument("--room", default="main", help="the room to be in")
    parser.add_argument("--say", metavar="WAV", help="a recording to say")
    parser.add_argument("--record", metavar="WAV", help="where to keep what the first talkers said")
    parser.add_argument("--seconds", type=float, help="how long to listen; else until Ctrl-C")
    try:
        asyncio.run(main(parser.parse_args()))
    except KeyboardInterrupt:
        sys.exit(0)
    except (transport.Error, OSError, wave.Error) as wrong:
        sys.exit(f"samples.voice: {wrong}")
