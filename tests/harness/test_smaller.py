"""A failure in virtual time is made smaller, and leaves qlog that its schema allows and a page."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import _qlog
from harness._minimise import IMPAIRMENTS, Limit, LimitError, impairments_of, minimise, parse
from harness._qlog import QlogError
from harness.record import load
from harness.world import World

ROOT = Path(__file__).parents[2]
FAILING = """
import transport

NETWORK = {side: {"delay_ms": 10, "loss": {"independent": 20}, "duplicate": 3} for side in ("up", "down")}

async def talk(machine):
    async with machine.connect() as link:
        import asyncio
        while True:
            link.publish(transport.Text("talk", machine.name)).send("hello")
            await asyncio.sleep(5)

def test_nothing_is_lost(world):
    world.relay()
    bots = world.clients(2, talk, network=NETWORK)
    world.run(3)
    assert all("independent" not in world.network(bot).lost() for bot in bots)

def test_another_thing(world):
    world.relay()
"""


@given(st.integers(1, 64), st.integers(1, 64), st.floats(1, 600), st.sets(st.sampled_from(IMPAIRMENTS)))
def test_the_smallest_is_found(clients: int, needed: int, length: float, guilty: set[str]) -> None:
    needed = min(needed, clients)
    tried: list[Limit] = []

    def fails(limit: Limit) -> bool:
        tried.append(limit)
        enough = limit.clients is None or limit.clients >= needed
        return enough and not guilty & set(limit.without) and (limit.seconds or length) >= length / 3

    found = minimise(clients, length, IMPAIRMENTS, fails, trials=1_000)
    assert not found.exhausted and fails(found.limit)
    assert (found.limit.clients or clients) == needed
    assert set(found.limit.without) == set(IMPAIRMENTS) - guilty
    assert len(tried) == len(set(tried[:-1])) + 1, "nothing is tried twice"


def test_it_is_bounded_and_what_never_fails_again_stays_as_it_was() -> None:
    tried: list[Limit] = []

    def never(limit: Limit) -> bool:
        tried.append(limit)
        return False

    found = minimise(64, 100, IMPAIRMENTS, never, trials=5)
    assert (found.limit, found.trials, found.exhausted, len(tried)) == (Limit(), 5, True, 5)


@pytest.mark.parametrize("text", ["clients=2", "seconds=1.5", "without=loss+jitter", "clients=1,without=nat"])
def test_a_limit_is_its_text(text: str) -> None:
    assert parse(text).text() == text


@pytest.mark.parametrize(
    "text", ["clients=0", "clients", "seconds=-1", "without=gravity", "bots=2", "seconds=nan"]
)
def test_what_is_no_limit_is_said(text: str) -> None:
    with pytest.raises(LimitError, match="use clients=N, seconds=S and without=A"):
        parse(text)


def test_impairments_are_taken_out() -> None:
    side = {"delay_ms": 5, "loss": {"independent": 1}, "jitter": {"uniform": {"ms": 2}}}
    told = {"up": side, "down": {}, "nat": {"idle_ms": 5}, "clients": {"far": {"up": side}}}
    assert impairments_of(told) == ("nat", "loss", "jitter")
    left = Limit(without=("loss", "nat")).profile(told)
    assert "nat" not in left and "loss" not in left["up"] and "loss" not in left["clients"]["far"]["up"]
    assert left["up"]["jitter"] and told["nat"], "what was given is not changed"


def test_qlog_of_a_world_is_what_its_schema_says(tmp_path: Path) -> None:
    with World(5, qlog=True) as world:
        world.relay()
        world.clients(
            2, network={"up": {"delay_ms": 30}, "down": {"delay_ms": 30, "loss": {"independent": 5}}}
        )
        world.run(20)
        names = {machine.place: machine.name for machine in world.machines.values()}
        pages = world._library.ask("qlog")
    files = _qlog.write(tmp_path, pages, names)
    assert sorted(re.sub(r"^\d+-", "", path.name) for path in files) == [
        "bot-1-client.sqlog",
        "bot-2-client.sqlog",
        "relay-server.sqlog",
        "relay-server.sqlog",
    ]
    for path in files:
        text = path.read_text()
        assert _qlog.check(text) > 20
        head, started, *events = _qlog.parse(text)
        assert head["trace"]["vantage_point"]["type"] == path.stem.rpartition("-")[2]
        assert started["name"] == "connectivity:connection_started"
        seen = {event["name"] for event in events}
        assert seen >= {"transport:packet_sent", "transport:packet_received", "recovery:metrics_updated"}
        assert events[-1]["time"] > 10_000, "milliseconds of the world's time"
        metrics = [event["data"] for event in events if event["name"] == "recovery:metrics_updated"]
        assert 60 <= [one["smoothed_rtt"] for one in metrics if "smoothed_rtt" in one][-1] < 100


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text[1:], "record 0: it does not begin with RS"),
        (lambda text: text.replace('"qlog_version":"0.3"', '"qlog_version":"9"'), "qlog_version is '9'"),
        (lambda text: text.replace('"type":"client"', '"type":"unknown"'), "vantage_point.type is 'unknown'"),
        (lambda text: text.replace("packet_sent", "packet_invented"), "name 'transport:packet_invented'"),
        (lambda text: text.replace('"header":', '"head":'), "transport:packet_sent has no header"),
        (lambda text: text.replace("1RTT", "2RTT"), "packet_type '2RTT'"),
        (lambda text: text.replace('"packet_number":4', '"number":4'), "packet_number None"),
        (lambda text: text.replace('"raw":', '"row":'), "transport:packet_sent has no raw"),
        (lambda text: text.replace('"length":70', '"length":0'), "raw.length 0"),
        (lambda text: text.replace('"relative"', '"absolute"'), "time_format must be relative"),
        (lambda text: text.replace('"time":3', '"group_id":"x","time":3'), "a file has one connection"),
        (lambda text: text.replace('"time":3', '"time":1'), "record 3: time 1.0 after 2.0"),
        (lambda text: text[:-4], "record 3: no JSON"),
    ],
)
def test_what_is_no_qlog_is_said(change: object, said: str) -> None:
    page: dict[str, object] = {"place": 0, "port": 1, "server": False, "began": 0, "cut": False}
    head = '{"qlog_version":"0.3","qlog_format":"JSON-SEQ","trace":{}}'
    header = '{"packet_type":"1RTT","packet_number":4,"length":70}'
    sent = f'{{"time":%d,"name":"transport:packet_sent","data":{{"header":{header}}},"group_id":"ab"}}'
    page["text"] = "".join(f"\x1e{one}\n" for one in (head, sent % 2, sent % 3))
    records = list(_qlog._told(page, list(_qlog.parse(str(page["text"]))), "me"))
    text = "".join(f"\x1e{json.dumps(one, separators=(',', ':'))}\n" for one in records)
    assert _qlog.check(text) == 3
    assert callable(change)
    with pytest.raises(QlogError, match=re.escape(said)):
        _qlog.check(change(text))


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_failing_test_is_made_smaller_and_looked_into(native: Path, tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(FAILING)
    words = [
        "-m",
        "pytest",
        "-p",
        "harness.plugin",
        "-q",
        "-p",
        "no:cacheprovider",
        "--cc-seeds=1",
        "test_mine.py",
    ]
    done = subprocess.run(
        [sys.executable, *words], cwd=tmp_path, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed, 1 passed" in done.stdout
    [smallest] = re.findall(r"smallest that fails, of \d+ runs(?:, its bound)?: (\S+)", done.stdout)
    assert smallest.startswith("clients=1,") and "without=duplicate" in smallest, done.stdout
    again = f"again: pytest test_mine.py::test_nothing_is_lost --cc-seed=1 --cc-limit={smallest}"
    assert again in done.stdout
    [folder] = (tmp_path / "cc-report").iterdir()
    assert load(folder).checks[0].ok is False and (folder / "report.html").exists()
    files = sorted(folder.glob("qlog/*.sqlog"))
    assert len(files) == 2, "one client and the relay's end"
    assert all(_qlog.check(path.read_text()) for path in files)
