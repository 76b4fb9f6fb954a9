"""docs/host.md says what is: its game runs, and its options are those of the command."""

from __future__ import annotations

import argparse
import asyncio
import re
import sys

import numpy as np

from transport.host import Game, protocol
from transport.host._options import _parser

from .conftest import PATIENCE, ROOT, StartHost
from .home import MemoryHome

PAGE = (ROOT / "docs/host.md").read_text("utf-8")


def test_the_options_are_those_of_the_command() -> None:
    section = PAGE.partition("## Options")[2].partition("\n## ")[0]
    told = set(re.findall(r"--[a-z][a-z-]*", section))
    # What is there to be refused is not told of.
    actions = [action for action in _parser()._actions if action.help != argparse.SUPPRESS]
    real = {option for action in actions for option in action.option_strings if option[:2] == "--"}
    assert told == real - {"--help"}


def blocks() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)


async def test_a_lobby_gets_players_in(start_host: StartHost) -> None:
    async with start_host(Game) as running:
        host = running.host
        arguments = [f"https://{host.control_address}", host.access.certificate.sha256]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", blocks()[1], *arguments, host.access.player_token("main"),
            cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        async with asyncio.timeout(PATIENCE):
            out, err = await process.communicate()
        assert (process.returncode, err) == (0, b"") and out.startswith(b"playing as ann-")


def test_the_game_runs() -> None:
    from transport.host import Room

    code = blocks()[0]
    space: dict[str, type[Game]] = {}
    exec(code, space)
    home = MemoryHome()
    room = Room(home, space["Walk"](), "main", lambda line, detail: None)  # type: ignore[arg-type]
    assert room.admit("cheater", {}, "") is not None and room.admit("p", {}, "") is None
    room.session_up("p", 1, "")
    home.now = room.clock.next_at + 1e-6
    room.step(home.now)
    assert not room.failed and room.states_sent == 1
    assert (protocol.down("main", "p"), "event") in home.sent
    assert np.dtype(room.game.input_dtype).itemsize == 2
