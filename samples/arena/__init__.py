"""Arena: a small shooter, authoritative at 60 Hz: `python -m transport.host --game samples.arena:Arena`.

`world` is the rules on arrays, `game` puts them into a room, `bot` plays, `client` is a player's side and
`watch` shows it in a terminal.
"""

from .game import Arena

__all__ = ["Arena"]
