"""The runner of benchmarks: turns, results that pytest-benchmark reads, and real relays, briefly."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path

import pytest

from harness import _bench_cost, _bench_latency, _bench_peers, _bench_python, _bench_sessions, bench
from harness._bench_case import FLOOR, OURS, BenchError, Case, Peer, Reach, Result, Setting, Turn, peer
from harness._bench_program import cpu_seconds, relay
from harness._bench_publish import BEGIN, END
from harness._bench_reach import verdicts
from harness._bench_results import table
from tests.sdk.conftest import quiet_port

__all__ = ["quiet_port"]

OWN = """
from contextlib import contextmanager
from harness._bench_case import Case

@contextmanager
def subjects(setting):
    values = iter(range(1, 1_000))
    yield {"udp": lambda: {"": 10.0}, "mine": lambda: {"a": float(next(values))}, "never": dict}

CASES = [Case("mine", "counts up", "us", 20, subjects, warm_up=5)]
"""
AWAKE = """
import os
from contextlib import contextmanager
from pathlib import Path
from harness._bench_case import Case

def idle():
    children = map(int, Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())
    return {"": float(sum(os.sched_getscheduler(one) == os.SCHED_IDLE for one in children))}

@contextmanager
def subjects(setting):
    yield {"idle": idle}

CASES = [Case("awake", "processes that idle", "number", 1, subjects)]
"""
LINE = """
from contextlib import contextmanager
from harness._bench_case import Case, Reach

@contextmanager
def subjects(setting):
    yield {"10": lambda: {"": 4.0}, "100": lambda: {"": 5.0}, "moq-relay 10": lambda: {"": 9.0}}

REACH = [Reach(3, "10"), Reach(1.5, "100", "10")]
CASES = [Case("memory", "grows", "KB/session", 2, subjects, reach=REACH, axis="sessions")]
"""


def test_subjects_take_turns() -> None:
    order: list[str] = []
    numbers = count()

    def turn(name: str) -> Turn:
        def take() -> Mapping[str, float]:
            order.append(name)
            return {"": float(next(numbers))}

        return take

    @contextlib.contextmanager
    def subjects(setting: Setting) -> Iterator[Mapping[str, Turn]]:
        yield {FLOOR: turn("floor"), OURS: turn("ours")}
        order.append("closed")

    result = bench.measure(Case("x", "x", "us", 3, subjects, warm_up=2), Setting())
    assert order == ["floor", "ours"] * 5 + ["closed"]
    assert result.values == {FLOOR: [4, 6, 8], OURS: [5, 7, 9]}  # what warmed up does not count


def test_a_case_of_ones_own_is_kept_and_compared(tmp_path: Path) -> None:
    own = tmp_path / "mine.py"
    own.write_text(OWN)
    said: list[str] = []
    arguments = [str(own), "--storage", str(tmp_path / "kept")]
    assert bench.main(arguments, said.append) == 0
    assert bench.main([*arguments, "--rounds", "10", "--report", str(tmp_path / "out")], said.append) == 0
    first, second = sorted((tmp_path / "kept").rglob("*.json"))
    assert (first.name[:5], second.name[:5]) == ("0001_", "0002_")
    kept = {one["name"]: one for one in json.loads(first.read_text())["benchmarks"]}
    # Five turns of warming up, then 6 .. 25.
    assert kept["mine[mine, a]"]["stats"]["median"] == pytest.approx(15.5e-6)
    assert kept["mine[mine, a]"]["stats"]["rounds"] == 20 and kept["mine[mine, a]"]["group"] == "mine"
    again = next(text for text in reversed(said) if "mine: counts up" in text)
    assert "15.5" in again and "-32%" in again  # 10.5 after 15.5
    assert "never: 10 turns measured nothing" in again
    assert "mine, mine, a" in (tmp_path / "out" / "report.html").read_text()

    done = subprocess.run(
        [sys.executable, "-m", "pytest_benchmark", "compare", str(first), str(second), "--sort=name"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        cwd=tmp_path,
    )
    assert "mine[mine, a]" in done.stdout


def test_another_implementation_that_gives_up_leaves_the_rest() -> None:
    turns = count()

    def broken() -> Mapping[str, float]:
        if next(turns) == 2:
            raise BenchError("quinn has ended (exit code 1)")
        return {"": 2.0}

    @contextlib.contextmanager
    def subjects(setting: Setting) -> Iterator[Mapping[str, Turn]]:
        yield {"quinn": broken, OURS: lambda: {"": 1.0}}

    case = Case("x", "x", "us", 5, subjects)
    result = bench.measure(case, Setting(others=["quinn"]))
    assert result.failed == {"quinn": "quinn has ended (exit code 1)"}
    assert (len(result.values["quinn"]), len(result.values[OURS])) == (2, 5)
    assert "quinn has no further turns: quinn has ended (exit code 1)" in table(result, None)
    turns = count()
    with pytest.raises(BenchError):  # what is no other implementation has to work
        bench.measure(case, Setting())


def test_a_figure_is_held_against_what_it_should_be() -> None:
    reach = [
        Reach(2.0),
        Reach(1 / 8, OURS, "slow"),
        Reach(1 / 8, OURS, "slower"),
        Reach(1.1, "slow", "slower"),
        Reach(1.0, added=True),
        Reach(5.0, "slower", "slow", added=True),
        Reach(1.0, "absent"),
        Reach(0.5, OURS, "absent"),
    ]
    case = Case("x", "x", "us", 1, lambda setting: contextlib.nullcontext({}), reach=reach)
    values = {FLOOR: [0.5], OURS: [1.0, 3.0, 1.0], "slow": [4.0], "slower": [10.0]}
    told = [(one.what, one.reach, one.measured, one.word) for one in verdicts(Result(case, values))]
    assert told == [
        ("clutchcall, p50", "2.00 us", "1.00", "reached"),
        ("clutchcall / slow", "8x less", "4.0x less", "short by 50%"),
        ("clutchcall / slower", "8x less", "10.0x less", "reached"),
        ("slow / slower", "at most 10% more", "-60%", "reached"),
        ("clutchcall, added to udp, p50", "1.00 us", "0.50", "reached"),
        ("slower, added to slow, p50", "5.00 us", "6.00", "short by 20%"),
    ]


def test_what_is_published_is_kept_with_what_was_there(tmp_path: Path) -> None:
    files = {"own": OWN, "latency": OWN.replace('"mine",', '"latency-idle",'), "line": LINE}
    page = tmp_path / "out" / "README.md"
    page.parent.mkdir()
    page.write_text(f"# Ours\n\n{BEGIN}\nold\n{END}\n\nWhy.\n")
    said: list[str] = []
    for name, text in files.items():
        own = tmp_path / f"{name}.py"
        own.write_text(text)
        arguments = [str(own), "--beside", "none", "--storage", str(tmp_path / "kept")]
        assert bench.main([*arguments, "--publish", str(page.parent)], said.append) == 0
    told = json.loads((page.parent / "results.json").read_text())
    assert list(told) == ["latency-idle", "memory"]  # what is no built-in case stays for its own run only
    assert told["latency-idle"]["subjects"]["mine, a"]["histogram"][0] == [15, 1]  # 6: from 10^(15/20) on
    figures = told["memory"]["subjects"]["100"]
    assert (figures["p50"], figures["turns"], figures["empty"]) == (5.0, 2, 0)
    assert told["latency-idle"]["nothing"] == {"never": 20}
    text = page.read_text()
    assert text.startswith("# Ours\n") and text.endswith("\n\nWhy.\n") and "old" not in text
    assert "never: none of 20 turns delivered half of what was due." in text
    assert "| `memory` | 10, p50 | 3.00 KB/session | 4.00 | short by 33% |" in text
    assert "| `memory` | 100 / 10 | at most 50% more | +25% | reached |" in text
    assert "![Memory against sessions](memory.svg)" in text
    assert "sessions" in (page.parent / "memory.svg").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="Linux has a class of processes for it")
def test_cores_are_kept_awake_while_it_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "own.py"
    own.write_text(AWAKE)
    published = tmp_path / "published"
    arguments = [
        str(own),
        "--beside",
        "none",
        "--storage",
        str(tmp_path / "kept"),
        "--publish",
        str(published),
    ]
    assert bench.main([*arguments, "--awake"], print) == 0
    told = capsys.readouterr().out
    assert "cores kept awake" in told.splitlines()[0]
    # Turns see a process on each core, of a class that makes way for all others.
    assert json.loads((published / "results.json").read_text())["awake"]["subjects"]["idle"]["p50"] == len(
        os.sched_getaffinity(0)
    )
    assert "kept awake" in (published / "README.md").read_text()
    assert not _children_that_idle()


def _children_that_idle() -> list[int]:
    everyone = Path(f"/proc/self/task/{threading.main_thread().native_id}/children").read_text().split()
    return [one for one in map(int, everyone) if os.sched_getscheduler(one) == os.SCHED_IDLE]


def test_a_page_without_marks_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "line.py").write_text(LINE)
    (tmp_path / "README.md").write_text("mine")
    arguments = [str(tmp_path / "line.py"), "--storage", str(tmp_path / "kept"), "--publish", str(tmp_path)]
    assert bench.main(arguments, lambda text: None) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert f"--publish {tmp_path}: README.md has no" in line
    assert (tmp_path / "README.md").read_text() == "mine"


def test_results_that_are_none_are_told_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "line.py").write_text(LINE)
    (tmp_path / "results.json").write_text('{"line": {}}')
    said: list[str] = []
    arguments = [str(tmp_path / "line.py"), "--storage", str(tmp_path / "kept"), "--publish", str(tmp_path)]
    assert bench.main(arguments, said.append) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "results.json: no results of benchmarks" in line and "remove it" in line
    assert said == [] and not (tmp_path / "kept").exists()


def test_others_that_are_not_built_are_named_with_what_brings_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_bench_peers, "BUILT", tmp_path)
    own = tmp_path / "mine.py"
    own.write_text(OWN)
    said: list[str] = []
    assert bench.main([str(own), "--storage", str(tmp_path / "kept")], said.append) == 0
    left = [text for text in said if "is left out" in text]
    assert [text.split()[0] for text in left] == ["moq-relay", "quinn", "aioquic", "enet", "renet"]
    assert all("dev.py bench --build-peers" in text for text in left)
    assert "apt install libenet-dev" in left[3]
    said.clear()
    arguments = [str(own), "--beside", "none", "--storage", str(tmp_path / "kept")]
    assert bench.main(arguments, said.append) == 0
    assert not any("is left out" in text for text in said)


BUILT = sorted({*_bench_peers.others()[0]} or {"none"})


@pytest.mark.skipif(BUILT == ["none"], reason="python3 dev.py bench --build-peers builds them")
@pytest.mark.parametrize("name", BUILT)
def test_others_that_are_built_take_turns(name: str) -> None:
    load = _bench_peers.Load(2, 3, 60)
    with contextlib.ExitStack() as stack:
        other = _bench_peers.find(name)
        running = other.serve(stack, load)
        playing = stack.enter_context(_bench_peers.player(running, load, name))
        end = time.monotonic() + 15
        while not (told := _bench_peers.cost(running.pid, playing, 0.3)()):
            assert time.monotonic() < end
        assert 0 < told[""] < 1e6
        while not (told := _bench_peers.latency(playing)()):
            assert time.monotonic() < end
        assert told[""] > 0


def test_latency_of_this_build_and_of_a_relay_that_runs(native: Path) -> None:
    [idle, _] = _bench_latency.CASES
    with relay(Peer("other")) as other:
        told = peer(f"other={other.url},sha256={other.sha256},pid={other.pid}")
        assert told == other
        result = bench.measure(idle, Setting([told]), rounds=20)
    assert set(result.values) == {
        FLOOR,
        *(f"{name}, {series}" for name in (OURS, "other") for series in ("native", "python")),
    }
    for values in result.values.values():
        assert len(values) + sum(result.empty.values()) >= 20 and min(values) > 0


@pytest.mark.skipif(sys.platform != "linux", reason="CPU time of other processes is read from /proc")
@pytest.mark.parametrize("objects", [0, 1, 4], ids=["datagrams", "stream-a-frame", "streams"])
def test_cost_of_this_build(native: Path, objects: int) -> None:
    play = _bench_cost.Play(3, 60, 2, objects)
    with relay(Peer(OURS)) as ours, _bench_cost.crowd(ours, play) as crowd:
        # Nothing is told of a turn in which a busy machine delivered less than half.
        end = time.monotonic() + 15
        while not (told := crowd.turn(0.3)):
            assert time.monotonic() < end
        assert 0 < told[""] < 1e6


@pytest.mark.skipif(sys.platform != "linux", reason="CPU time of other processes is read from /proc")
def test_cost_of_a_second_shard(native: Path) -> None:
    with _bench_cost.by_shards(_bench_cost.Play(3, 60, 2, seconds=0.3), Setting()) as subjects:
        assert list(subjects) == [_bench_cost.ONE_SHARD, _bench_cost.TWO_SHARDS]
        for turn in subjects.values():
            end = time.monotonic() + 15
            while not (told := turn()):
                assert time.monotonic() < end
            assert 0 < told[""] < 1e6


@pytest.mark.skipif(sys.platform != "linux", reason="memory of other processes is read from /proc")
def test_sessions_of_this_build(native: Path) -> None:
    with relay(Peer(OURS)) as ours, contextlib.ExitStack() as stack:
        sessions = _bench_sessions.Sessions(ours, stack)
        sessions.grow(30)
        assert sessions.count == 30
        [size] = sessions.turn(40).values()
        assert 0 < size < 10_000
    with _bench_sessions.accepted(Setting()) as subjects:
        for name in (OURS, _bench_sessions.GUARDED, _bench_sessions.RESUMED):
            assert 0 < subjects[name]()[""] < 1e6


@pytest.mark.parametrize("case", _bench_python.CASES, ids=lambda case: str(case.name))
def test_cost_of_a_frame_in_python(native: Path, case: Case) -> None:
    with case.open(Setting()) as subjects:
        end = time.monotonic() + 60
        while not (told := subjects[OURS]()):
            assert time.monotonic() < end
    assert told.keys() == {"python", "native"}
    assert told["python"] > 0


def test_another_build_has_a_relay_of_its_own(native: Path) -> None:
    with relay(peer(str(native))) as other:
        assert other.pid and other.url.startswith("moqt://127.0.0.1:")
        if sys.platform == "linux":
            assert cpu_seconds(other.pid) > 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["lateness"], "lateness: there is no such case: --list tells them"),
        (["none.py"], "none.py: there is no such file"),
        (["broken.py"], "broken.py: it raised ZeroDivisionError: division by zero"),
        (["empty.py"], "empty.py: CASES is no list of harness._bench_case.Case"),
        (["--against", "moq-relay"], "--against moq-relay: there is no such file: pass a build"),
        (["--against", "a=http://x"], "'http://x' is no URL: it begins with moqt://"),
        (["--against", "a b=moqt://x"], "'a b' is no name for a peer"),
        (["--against", "udp=moqt://x"], "'udp' is no name for a peer"),
        (["--against", "a=moqt://x,port=3"], "'port=3': use sha256, token, pid"),
        (["--against", "a=moqt://x,pid=x"], "pid 'x' is no process id"),
    ],
)
def test_what_cannot_be_measured_is_said_in_a_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.py").write_text("1 / 0")
    (tmp_path / "empty.py").write_text("CASES = []")
    assert bench.main(arguments) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("bench: ") and said in line


def test_a_peer_that_is_not_there_is_said_in_a_line(
    native: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], quiet_port: int
) -> None:
    arguments = ["latency-idle", "--against", f"away=moqt://127.0.0.1:{quiet_port},sha256={'0' * 64}"]
    assert bench.main([*arguments, "--storage", str(tmp_path)], lambda text: None) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("bench: away: ") and str(quiet_port) in line
    assert not list(tmp_path.rglob("*.json"))


def test_a_program_that_ends_is_said() -> None:
    with (
        pytest.raises(BenchError, match="the relay of broken has ended"),
        relay(Peer("broken", library=Path(__file__))),
    ):
        pass


def test_the_case_that_the_page_shows_runs(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/harness/bench.md").read_text("utf-8")
    [shown] = re.findall(r"^```python\n(.*?)^```", page, re.M | re.S)
    own = tmp_path / "mine.py"
    own.write_text(shown)
    said: list[str] = []
    assert bench.main([str(own), "--rounds", "5", "--storage", str(tmp_path)], said.append) == 0
    assert any("what giving way costs" in text for text in said)
