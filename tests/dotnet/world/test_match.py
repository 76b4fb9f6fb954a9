"""C# stands in the world: the package's own code, a bad network, and the same run from the same seed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import dotnet_bridge

from .match import CLIENTS

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.timeout(600)


def run(folder: Path, what: str, *seeds: str, program: str = "match") -> list[dict[str, Any]]:
    """In a process of its own: one has one native library for its C#, and here it is that of tests."""
    done = subprocess.run(
        [sys.executable, "-m", f"tests.dotnet.world.{program}", str(folder), what, *seeds],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("tracks", ["driver", "tracks"])
def test_games_in_csharp_play_in_virtual_time_and_repeat(
    tools: dotnet_bridge.Toolchain, native: Path, tmp_path: Path, tracks: str
) -> None:
    first, again, other = run(tmp_path / "a", tracks, "7", "7", "8")
    (elsewhere,) = run(tmp_path / "b", tracks, "7")
    assert first == again == elsewhere
    assert other["digest"] != first["digest"]
    for one in (first, other):
        assert one["wrong"] == []
        assert len(one["sent"]) == CLIENTS and all(sent > 100 for sent in one["sent"])
        # Reliable ones came back once and in order, over loss and an outage; of the others some did not.
        assert one["came"] == [list(range(sent)) for sent in one["sent"]]
        assert all(0 < came < sent for came, sent in zip(one["unreliable"], one["sent"], strict=True))
        assert not any("disconnected" in line for lines in one["events"] for line in lines)


def test_two_hundred_bots_in_csharp_play_in_virtual_time_and_repeat(
    tools: dotnet_bridge.Toolchain, native: Path, tmp_path: Path
) -> None:
    """Twenty behind each of ten networks; a frame of each thirty times a second, echoed by a game."""
    first, again, other = run(tmp_path, "200", "7", "7", "8", program="swarm")
    assert first == again
    assert other["digest"] != first["digest"]
    for one in (first, other):
        assert (one["damaged"], one["told"], len(one["sent"])) == (0, [], 10)
        assert all(sent > 20 * 30 * 5 for sent in one["sent"])
        # What is late there is overtaken by what is newer, and some is lost.
        assert 0.9 * sum(one["sent"]) < sum(one["echoed"]) < sum(one["sent"])
