"""A game server host: rooms with a `Game` each at a fixed rate, on a relay in the same process.

`python -m transport.host --game MODULE:CLASS` runs one; docs/host.md tells the rest. `protocol` is what
players' programs and the host say to each other.
"""

from . import protocol
from ._clock import FollowClock, TickClock
from ._game import BotBrain, Game, Refuse
from ._inputs import Inputs
from ._peer import Peer
from ._room import Room, RoomState

__all__ = [
    "BotBrain",
    "FollowClock",
    "Game",
    "Inputs",
    "Peer",
    "Refuse",
    "Room",
    "RoomState",
    "TickClock",
    "protocol",
]
