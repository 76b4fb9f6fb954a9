"""Hundreds of bots in C# play over bad networks in virtual time.

`python -m tests.dotnet.world.swarm FOLDER BOTS SEED...` prints what came of each, in JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import dotnet_bridge.fixtures
from harness import csharp
from harness.world import World
from transport import Frame, Publication

A_MACHINE = 20
"""Bots of one machine, behind one network."""
SECONDS = 5
RATE = 30.0
NETWORKS = ("home-broadband", "wifi-microwave", "cross-pacific", "conference-hotel")


async def echo(machine: Any) -> None:
    """The game: what a player writes comes back to it."""
    async with (
        machine.connect() as link,
        link.subscribe("games/room1/up", capability="netcode.v1") as feed,
    ):
        answers: dict[str, Publication] = {}
        async for frame in feed:
            player = frame.track.namespace.rpartition("/")[2]
            if player not in answers:
                down = f"games/room1/down/{player}"
                answers[player] = await link.publish(
                    Frame(down, "state", capability="netcode.v1", datagram=True)
                )
            answers[player].send(frame.payload)


def play(game: csharp.Game, count: int, seed: int) -> dict[str, Any]:
    """All join, and then play for some seconds."""
    swarms: list[Any] = []
    with World(seed) as world, csharp.Play(game, world) as stage:
        relay = world.relay()
        world.machine(echo, name="server", network="perfect", to=relay)

        async def program(machine: Any) -> None:
            options = game.tests.SwarmOptions()
            options.Url, options.Count = relay.url, A_MACHINE
            options.TrustSha256 = world.identity.sha256
            with stage.made(machine, game.tests.Swarm, options) as swarm:
                swarms.append(swarm)
                await stage.frames(machine, swarm.Tick, rate=RATE)

        for number in range(count // A_MACHINE):
            network = NETWORKS[number % len(NETWORKS)]
            world.machine(program, name=f"machine-{number + 1}", network=network)
        world.run_until(lambda: sum(int(swarm.Ready) for swarm in swarms) == count)
        joined = world.now
        world.run(SECONDS)
        return {
            "seed": seed,
            "digest": world.digest,
            "records": world.records,
            "joined": joined,
            "sent": [int(swarm.Sent) for swarm in swarms],
            "echoed": [int(swarm.Echoed) for swarm in swarms],
            "damaged": sum(int(swarm.Damaged) for swarm in swarms),
            "told": [str(line) for swarm in swarms for line in swarm.Told()],
        }


def main(folder: str, bots: str, *seeds: str) -> None:
    """Loads C# once, and plays."""
    sources = dotnet_bridge.fixtures.BOTS.glob("*.cs")
    game = csharp.load(Path(folder), sources, namespace="ClutchCall.Bots")
    for seed in seeds:
        print(json.dumps(play(game, int(bots), int(seed))), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
