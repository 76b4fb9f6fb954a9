"""`python -m harness.soak`: runs repeat, reports are left however a run ends, bad input is a line."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import soak
from harness.record import load

ROOT = Path(__file__).parents[2]
SHORT = """
description = "Everything at once, briefly."
clients = 4
duration = "12s"
[networks]
home-broadband = 0.5
lan = 0.5
[behaviour.play]
idle = 10
burst = 10
load = 10
away = 10
crashed = 10
[behaviour.idle]
play = 40
[behaviour.burst]
play = 40
[behaviour.load]
play = 40
[behaviour.away]
play = 40
[behaviour.crashed]
play = 40
[[step]]
at = 3
do = "outage"
clients = 0.5
seconds = 1
[[step]]
at = 5
do = "rebind"
[[step]]
at = 6
do = "profile"
profile = "3g"
clients = 0.25
[[step]]
at = 7
do = "pause"
seconds = 1
[[step]]
at = 8
do = "crash"
clients = 0.25
seconds = 1
[expect]
disconnects = 0
p99_ms = { input = 5000, state = 5000 }
"""
LIVE = """
description = "Real sockets."
clients = 2
duration = 7
[networks]
cross-pacific = 1.0
[[step]]
at = 1
do = "outage"
seconds = 0.5
[[step]]
at = 2
do = "rebind"
[[step]]
at = 2.5
do = "pause"
seconds = 1
[[step]]
at = 4
do = "profile"
profile = "home-broadband"
clients = 0.5
[[step]]
at = 5
do = "crash"
clients = 0.5
seconds = 0.5
[expect]
disconnects = -1
"""
FAILING = """
import numpy as np
from transport.host import Game

class Brain:
    def __init__(self, count, seed):
        self.count = count
    def state(self, bot, body):
        return None
    def event(self, bot, body):
        pass
    def think(self, tick):
        if tick > 100:
            raise ValueError("no idea")
        return np.zeros(self.count, "u1")

class Broken(Game):
    bot = Brain
    def tick(self, n, dt):
        self.room.send_state([b"state"])
"""
Run = Callable[..., tuple[int, list[str], str]]


@pytest.fixture
def run(
    native: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Runs the command in an empty folder: exit code, lines said, standard error."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "short.toml").write_text(SHORT)
    (tmp_path / "failing.py").write_text(FAILING)

    def start(*arguments: str) -> tuple[int, list[str], str]:
        said: list[str] = []
        code = soak.main(arguments, said.append)
        return code, said, capsys.readouterr().err

    return start


def test_a_run_repeats_and_tells_what_happened(run: Run, tmp_path: Path) -> None:
    digests = set()
    for folder in ("first", "second"):
        code, said, wrong = run("short.toml", "--seed", "7", "--report", folder)
        assert (code, wrong) == (0, ""), said
        digests.add(next(line for line in said if line.startswith("log digest ")))
    assert len(digests) == 1
    found = load(tmp_path / "first")
    assert found.ok and found.meta.clock == "virtual" and found.meta.clients == 4
    assert "soak short.toml --seed 7" in found.meta.command
    kinds = {event.kind for event in found.events}
    assert {"outage", "rebind", "profile", "pause", "crash", "bot.crashed", "bot.back"} <= kinds
    latencies = {one.kind: one.histogram for one in found.latencies}
    assert latencies.keys() >= {"input", "state", "event", "chat"}
    assert latencies["input"].count > 500 and 1 < latencies["input"].percentile(50) < 200
    charts = {chart for _, values in found.samples for chart in values}
    assert charts >= {"players", "rtt", "jitter", "window", "queue", "bandwidth", "drops", "starved", "cpu"}
    assert found.counts["disconnects"] == 0 and found.counts["reliable.sent"] > 10


def test_another_seed_is_another_run(run: Run) -> None:
    logs = []
    for seed in ("1", "2"):
        _, said, _ = run("short.toml", "--seed", seed, "--duration", "4", "--clients", "2")
        logs.append(next(line for line in said if line.startswith("log ")))
    assert logs[0] != logs[1]


def test_what_was_not_expected_is_said_and_how_to_repeat_it(run: Run, tmp_path: Path) -> None:
    (tmp_path / "strict.toml").write_text(SHORT.replace("input = 5000", "input = 0.01"))
    code, said, wrong = run("strict.toml", "--duration", "4", "--report", "out")
    assert code == 1
    assert any(line.startswith("FAILED input p99 at most 0.01 ms: ") for line in said)
    assert wrong == "repeat: python -m harness.soak strict.toml --seed 1 --duration 4\n"
    assert "Not good" in (tmp_path / "out" / "report.html").read_text()


def test_a_bot_that_raises_ends_the_run_in_a_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "broken.toml").write_text(
        'description = "x"\nclients = 2\nduration = 30\ngame = "failing:Broken"\n'
    )
    code, _, wrong = run("broken.toml", "--report", "out")
    assert code == 1
    first, repeat = wrong.splitlines()
    assert re.match(
        r"soak: ValueError: no idea \(.*failing\.py:14\) raised by the program of bot-00\d", first
    )
    assert repeat.startswith("repeat: ")
    found = load(tmp_path / "out")
    assert found.ended == "failed" and "no idea" in found.why and found.samples


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGTERM")
def test_a_run_that_is_ended_leaves_its_report(native: Path, tmp_path: Path) -> None:
    with subprocess.Popen(
        [
            sys.executable,
            "-m",
            "harness.soak",
            "steady",
            "--duration",
            "600",
            "--clients",
            "1",
            "--report",
            "out",
        ],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        lines = tmp_path / "out" / "recording.jsonl"
        while not (lines.exists() and '["sample"' in lines.read_text()):
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        _, wrong = process.communicate(timeout=60)
    assert process.returncode == 1 and wrong.startswith("soak: interrupted\n"), wrong
    found = load(tmp_path / "out")
    assert found.ended == "interrupted" and found.samples and found.latencies
    assert json.loads((tmp_path / "out" / "recording.json").read_text())["ok"] is False


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "which scenario? --list tells their names"),
        (("two-minute",), "two-minute: there is no such scenario: use commute"),
        (("nowhere.toml",), "nowhere.toml: cannot be read: No such file"),
        (("game.toml",), "game: nowhere:Nothing: there is no module nowhere"),
        (("short.toml", "--nightly", "--duration", "5"), "--nightly and --duration: both say how long"),
    ],
)
def test_what_cannot_be_played_is_a_line(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    (tmp_path / "game.toml").write_text(
        'description = "x"\nclients = 1\nduration = 5\ngame = "nowhere:Nothing"\n'
    )
    code, _, wrong = run(*arguments)
    [line] = wrong.splitlines()
    assert code == 2 and line.startswith("soak: ") and said in line


@pytest.mark.parametrize("option", ["--seed=-1", "--duration=soon", "--clients=0", "--crypto=rot13"])
def test_an_option_that_makes_no_sense_is_a_line(run: Run, option: str) -> None:
    with pytest.raises(SystemExit) as ended:
        run("short.toml", option)
    assert ended.value.code == 2


def test_a_report_that_cannot_be_written_is_a_line(run: Run, tmp_path: Path) -> None:
    code, _, wrong = run("short.toml", "--report", "short.toml/below")
    assert code == 1 and wrong.startswith("soak: --report: short.toml/below: cannot be written")


def test_the_list_names_what_there_is(run: Run) -> None:
    code, said, _ = run("--list")
    assert code == 0 and any(line.startswith("two-minutes ") for line in said)


def test_the_same_on_real_sockets(run: Run, tmp_path: Path) -> None:
    proxy = Path(ROOT / "core/target/release/clutchcall-netproxy")
    assert proxy.with_suffix(".exe").exists() or proxy.exists(), "build it: python3 dev.py setup --dev"
    (tmp_path / "live.toml").write_text(LIVE)
    code, said, wrong = run("live.toml", "--live", "--report", "out")
    found = load(tmp_path / "out")
    assert found.ended == "done" and found.meta.clock == "real", (said, wrong)
    # What a busy machine may break is not asserted; what it may not is.
    checks = {check.name: check for check in found.checks}
    assert checks["reliable messages once and in order"].ok, said
    kinds = {event.kind for event in found.events}
    assert {"outage", "pause", "profile", "rebind", "crash", "bot.crashed", "bot.back"} <= kinds
    latencies = {one.kind: one.histogram for one in found.latencies}
    assert latencies["state"].count > 50 and latencies["state"].percentile(50) >= 20
    assert latencies["event"].count >= 3 and found.counts["bandwidth.down"] > 0
    assert code == (0 if found.ok else 1)
