"""Twenty lines of a game server: everyone has a number and adds to it.

python -m transport.host --game samples.tiny_game:Counting
"""

import json

import numpy as np

from transport.host import Game, Peer


class Counting(Game):
    rate = 20.0
    input_dtype = np.dtype("i1")

    def join(self, peer: Peer, resumed: bool) -> None:
        peer.data = peer.data if resumed else 0
        self.room.broadcast(f"{peer.id} is {'back' if resumed else 'here'}".encode())

    def tick(self, n: int, dt: float) -> None:
        for peer, step in self.inputs(n).items():
            assert isinstance(peer.data, int)
            peer.data += int(step)
        self.room.send_state([json.dumps({peer.id: peer.data for peer in self.room.players}).encode()])
