"""The pytest plugin as its user meets it: the page's first test, a failure that is repeated by its line, and
what a test may not do.
"""

from __future__ import annotations

import asyncio
import datetime
import os
import random
import re
import secrets
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from time import monotonic as copied_clock
from typing import Any

import numpy as np
import pytest

from harness.world import Unrepeatable, World

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/harness/README.md").read_text("utf-8")


def run_pytest(folder: Path, *arguments: str) -> tuple[int, str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(folder)])}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "harness.plugin", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.timeout(600)
def test_the_pages_first_test_passes_as_it_stands(tmp_path: Path) -> None:
    game, test = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)[:2]
    assert len([line for line in game.splitlines() if line.strip()]) <= 32
    (tmp_path / "tag.py").write_text(game, "utf-8")
    (tmp_path / "test_tag.py").write_text(test, "utf-8")
    code, said = run_pytest(tmp_path)
    assert code == 0, said
    assert "3 passed" in said


def test_the_pages_options_are_the_plugins() -> None:
    told = set(re.findall(r"--cc-[a-z]+", PAGE.partition("## Options")[2].partition("\n## ")[0]))
    source = (ROOT / "harness/plugin.py").read_text("utf-8")
    assert told == set(re.findall(r'"(--cc-[a-z]+)"', source))


FAILING = """
from harness import Player


def test_luck(world):
    world.relay()
    world.client(network="lte-train")
    world.run(2)
    print("digest", world.digest)
    assert world.seed != 3, "bad luck"
"""


@pytest.mark.timeout(600)
def test_a_failure_is_repeated_by_the_line_that_it_prints(tmp_path: Path) -> None:
    (tmp_path / "test_luck.py").write_text(FAILING, "utf-8")
    code, said = run_pytest(tmp_path, "--cc-seeds=4", "--cc-plain")
    assert code == 1 and "1 failed, 3 passed" in said, said
    again = re.search(r"seed 3 at 2\.000 s; again: pytest (.*)", said)
    left = re.search(r"what happened: (.*)", said)
    digest = re.search(r"digest (\w+)", said)
    assert again and left and digest, said
    log = (tmp_path / left[1] / "events.log").read_text("utf-8")
    assert "client-1 send relay" in log
    code, repeated = run_pytest(tmp_path, *again[1].split(), "--cc-report=again", "--cc-plain")
    assert code == 1 and f"digest {digest[1]}" in repeated, repeated
    left = re.search(r"what happened: (.*)", repeated)
    assert left and left[1].startswith("again"), repeated
    assert (tmp_path / left[1] / "events.log").read_text("utf-8") == log


# ruff: noqa: PLW0108  # the lambdas look the functions up when they are called, and find the world's
OFFENCES: dict[str, Callable[[], object]] = {
    "time.monotonic": lambda: time.monotonic(),
    "a copied clock": lambda: copied_clock(),
    "time.perf_counter_ns": lambda: time.perf_counter_ns(),
    "time.sleep": lambda: time.sleep(0),
    "datetime.now": lambda: datetime.datetime.now(),
    "date.today": lambda: datetime.date.today(),
    "random.random": lambda: random.random(),
    "random.Random": lambda: random.Random(),
    "os.urandom": lambda: os.urandom(4),
    "secrets": lambda: secrets.token_hex(4),
    "uuid4": lambda: uuid.uuid4(),
    "default_rng": lambda: np.random.default_rng(),
    "numpy.random.rand": lambda: np.random.rand(),
    "a thread": lambda: threading.Thread(target=print).start(),
}


@pytest.mark.parametrize("what", OFFENCES)
def test_what_no_two_runs_get_alike_is_refused_with_its_line(what: str) -> None:
    with World(1) as world:
        with pytest.raises(Unrepeatable, match=r"test_plugin\.py:\d+: .*use "):
            OFFENCES[what]()
        assert world.offence is not None, "caught or not, it is remembered"
    assert time.monotonic() > 0 and random.random() < 1, "afterwards all is as before"


def test_what_a_seed_gives_is_allowed() -> None:
    def draw() -> list[Any]:
        with World(1) as world:
            random.seed(5)
            return [
                random.random(),
                random.Random(4).random(),
                np.random.default_rng(3).random(),
                world.random.random(),
            ]

    assert draw() == draw()


def test_a_thread_by_asyncio_is_refused_too() -> None:
    async def ask(machine: Any) -> None:
        await asyncio.to_thread(print)

    with World(1) as world:
        world.machine(ask, name="threads")
        with pytest.raises(Unrepeatable, match=r"test_plugin\.py:\d+: a thread is used"):
            world.run(1)
