"""Scenario files: those in the box can be played, and what is wrong with one is said with file and field."""

from __future__ import annotations

import random
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import _scenario
from harness._behaviour import CONNECTED, Behaviour, State, seeded
from harness._scenario import ScenarioError, load

GOOD = """
description = "A match."
clients = 8
duration = "2m"
[networks]
lan = 0.5
3g = 0.5
[behaviour.play]
idle = 2
[behaviour.idle]
play = 6
[[step]]
at = "30s"
do = "outage"
clients = 0.25
seconds = 5
[expect]
starved = 0.1
p99_ms = { state = 150 }
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text)
    return path


def test_every_scenario_in_the_box_is_one() -> None:
    found = dict(_scenario.names())
    assert {"two-minutes", "steady", "rush-hour", "commute"} <= found.keys()
    for name, description in found.items():
        scenario = load(name)
        assert scenario.description == description and "cannot be read" not in description
        assert scenario.duration <= 180 < scenario.nightly
        assert sum(scenario.networks.values()) == pytest.approx(1)
        assert all(step.at < scenario.duration for step in scenario.steps)


def test_what_it_says_is_taken(tmp_path: Path) -> None:
    found = load(write(tmp_path, GOOD))
    assert (found.name, found.clients, found.duration, found.nightly) == ("mine", 8, 120, 7200)
    assert found.networks == {"lan": 0.5, "3g": 0.5}
    assert found.behaviour.rates == {State.PLAY: {State.IDLE: 2}, State.IDLE: {State.PLAY: 6}}
    assert found.expected.p99_ms == {"state": 150} and found.expected.disconnects == 0
    [step] = found.timetable(600)
    assert (step.at, step.touched(8), step.text(8)) == (30, 2, "2 of 8 clients: for 5 s")
    assert Counter(found.network_of(number, 8) for number in range(8)) == {"lan": 4, "3g": 4}


def test_steps_come_again(tmp_path: Path) -> None:
    found = load(write(tmp_path, 'every = "1m"\n' + GOOD))
    assert [step.at for step in found.timetable(160)] == [30, 90, 150]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('duration = "2m"', "", "duration: it is missing"),
        ('duration = "2m"', 'duration = "2 minutes"', "duration: '2 minutes': use a time such as 90"),
        ('duration = "2m"', "duration = nan", "duration: nan: use a time"),
        ("clients = 8", "clients = 0", "clients: 0: use a whole number from 1 to 1000"),
        ("clients = 8", "clients = true", "clients: True: use a whole number"),
        ("clients = 8", "client = 8\nclients = 8", "client: there is no such field: did you mean clients?"),
        ("clients = 8", 'clients = 8\ngame = "arena"', "game: 'arena': use MODULE:CLASS"),
        ("lan = 0.5", "lan = 0.7", "networks: the shares sum up to 1.2, not to 1"),
        ("lan = 0.5", "moon = 0.5", "networks.moon: there is no profile 'moon': use 3g, "),
        ("lan = 0.5", "lan = 2", "networks.lan: 2: use the clients' share"),
        ("idle = 2", "sleep = 2", "behaviour.play.sleep: 'sleep' is no state: use away, play"),
        ("idle = 2", 'idle = "often"', "behaviour.play.idle: 'often': use how often a minute"),
        ("idle = 2", "idle = -1", "behaviour.play.idle: -1 times a minute: use 0 to 600"),
        ("idle = 2", "play = 1", "behaviour.play.play: a bot is in that state already"),
        ("idle = 2", "load = 2", "behaviour.load: no way leads out of it"),
        (
            "[behaviour.idle]",
            "[behaviour.away]\nidle = 1\n[behaviour.idle]",
            "behaviour.away.idle: who is away",
        ),
        ('do = "outage"', 'do = "explode"', "step[0].do: 'explode': use outage, profile"),
        ('do = "outage"', 'do = "profile"', "step[0].seconds: profile does not take it"),
        ("seconds = 5", "", "step[0].seconds: outage needs it"),
        ("seconds = 5", "seconds = -5", "step[0].seconds: -5: use a time"),
        ("clients = 0.25", "clients = 25", "step[0].clients: 25: use a number from 0.0001 to 1"),
        ("clients = 0.25", "client = 0.25", "step[0].client: there is no such field: did you mean clients?"),
        ("starved = 0.1", "starved = 10", "expect.starved: 10: use a number from 0 to 1"),
        ("{ state = 150 }", "{ snapshot = 150 }", "expect.p99_ms.snapshot: there is no such field"),
        ("[expect]", "[expect", "no TOML: "),
        ("[[step]]", "[step]", "step: write [[step]] for each"),
        ("[networks]\nlan = 0.5\n3g = 0.5", "networks = 3", "networks: 3 is no table"),
        ('duration = "2m"', 'duration = "2m"\nevery = "10s"', "every: 10 s: a step comes later"),
        ('duration = "2m"', "duration = 10", "step[0].at: 30 s: the scenario is over after 10 s"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_field(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in GOOD
    path = write(tmp_path, GOOD.replace(old, new))
    with pytest.raises(ScenarioError) as wrong:
        load(path)
    text = str(wrong.value)
    assert text.startswith(f"{path}: {said}") and "\n" not in text


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("tow-minutes", "tow-minutes: there is no such scenario: use commute, rush-hour"),
        ("nowhere/at-all.toml", "nowhere/at-all.toml: cannot be read: No such file"),
    ],
)
def test_a_scenario_that_is_not_there(what: str, said: str) -> None:
    with pytest.raises(ScenarioError) as wrong:
        load(what)
    assert str(wrong.value).startswith(said)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(b"description = '\xff'")
    with pytest.raises(ScenarioError, match="byte 15 is no UTF-8"):
        load(path)


def test_walks_follow_the_rates() -> None:
    behaviour = load("two-minutes").behaviour
    spent: Counter[State] = Counter()
    entered: Counter[State] = Counter()
    for bot in range(50):
        for state, seconds in islice(behaviour.walk(seeded(1, f"bot-{bot}")), 200):
            spent[state] += round(seconds * 1e3)
            entered[state] += 1
    assert spent.keys() == set(State)
    # 1.7 exits a minute from play; 10 from load.
    assert spent[State.PLAY] / entered[State.PLAY] / 1e3 == pytest.approx(60 / 1.7, rel=0.1)
    assert spent[State.LOAD] / entered[State.LOAD] / 1e3 == pytest.approx(6, rel=0.15)
    share = entered[State.IDLE] / sum(entered[state] for state in State if state != State.PLAY)
    assert share == pytest.approx(0.6 / 1.7, rel=0.15)
    assert State.AWAY not in CONNECTED


def test_a_walk_repeats_and_one_bot_more_changes_no_other() -> None:
    behaviour = load("rush-hour").behaviour

    def steps(seed: int, name: str) -> list[tuple[State, float]]:
        return list(islice(behaviour.walk(seeded(seed, name)), 20))

    assert steps(1, "bot-1") == steps(1, "bot-1")
    assert len({tuple(steps(seed, name)) for seed in (1, 2) for name in ("bot-1", "bot-2")}) == 4


@given(st.integers(0, 2**64), st.dictionaries(st.sampled_from(list(State)), st.just({State.PLAY: 1.0})))
def test_no_table_of_a_loop_gets_stuck(seed: int, rates: dict[State, dict[State, float]]) -> None:
    rates.pop(State.PLAY, None)
    rates[State.PLAY] = dict.fromkeys(rates, 2.0)
    walk = Behaviour(rates).walk(random.Random(seed))
    visited = [state for state, seconds in islice(walk, 30) if seconds >= 0]
    assert len(visited) == 30 or visited == [State.PLAY]


def test_without_a_table_a_bot_plays_on() -> None:
    assert list(Behaviour({}).walk(random.Random(1))) == [(State.PLAY, float("inf"))]
