"""A server and clients in C# play over a bad network in virtual time.

`python -m tests.dotnet.world.match FOLDER driver|tracks SEED...` prints what came of each, in JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from harness import csharp
from harness.world import World

CLIENTS = 3
NETWORK: Any = {
    "up": {"delay_ms": 30, "jitter": {"uniform": {"ms": 20}}, "loss": {"independent": 5}},
    "down": {"delay_ms": 30, "jitter": {"uniform": {"ms": 20}}, "loss": {"independent": 5}},
}


def play(game: csharp.Game, seed: int, tracks: bool) -> dict[str, Any]:
    """Ten seconds of it, with an outage in the middle."""
    seats: dict[str, Any] = {}
    game.engine.Debug.Take()
    with World(seed) as world, csharp.Play(game, world) as stage:
        relay = world.relay()

        async def program(machine: Any) -> None:
            serves = machine.name == "server"
            args = (machine.name, relay.url, world.identity.sha256, serves, tracks)
            with stage.made(machine, game.tests.Seat, *args) as seat:
                seats[machine.name] = seat
                await stage.frames(machine, seat.Update)

        world.machine(program, name="server", network="home-broadband")
        world.run(1)
        clients = [world.machine(program, name=f"player-{n}", network=NETWORK) for n in range(1, CLIENTS + 1)]
        world.run_until(lambda: all(seats[one.name].Connected for one in clients if one.name in seats))
        world.run(4)
        world.network(clients[0]).outage(1.5)
        world.run(5)
        for one in clients:
            seats[one.name].Quiet = True
        world.run(5)
        return {
            "seed": seed,
            "digest": world.digest,
            "records": world.records,
            "now": world.now,
            "sent": [int(seats[one.name].Sent) for one in clients],
            "came": [list(map(int, seats[one.name].Reliable)) for one in clients],
            "unreliable": [int(seats[one.name].Unreliable) for one in clients],
            "events": [list(map(str, seat.Events)) for seat in seats.values()],
            "wrong": [line for line in game.engine.Debug.Take() if line.startswith(("error", "exception"))],
        }


def main(folder: str, tracks: str, *seeds: str) -> None:
    """Loads C# once, and plays."""
    sources = Path(__file__).with_name("csharp").glob("*.cs")
    game = csharp.load(Path(folder), sources, namespace="ClutchCall.WorldTests")
    for seed in seeds:
        print(json.dumps(play(game, int(seed), tracks == "tracks")), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
