"""Aids for tests that play through a bad network.

`harness.world` is a whole match in virtual time, from a seed; `harness.plugin` brings it to pytest as the
fixture `world`. `harness.netem` is the network model in front of any program, `harness.lossy` a path that
delays, loses and limits. Bots for tests derive from `harness.Bot` and `harness.Player`.

It imports the SDK and the host, and nothing imports it: what is shipped never runs through it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.bots import Bot as Bot
    from harness.bots import Player as Player
    from harness.world import World as World

_HOMES = {"Bot": "harness.bots", "Player": "harness.bots", "World": "harness.world"}


def __getattr__(name: str) -> Any:
    """Loaded when asked for: the plugin is part of every pytest run, also of those without a world."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(home), name)
