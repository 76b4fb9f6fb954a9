"""The pytest plugin: the fixtures `world` (virtual time) and `live` (real sockets), and the options `--cc-*`.

A test that takes it gets a new stage, with a seed. An `async def` test runs on its clock. A test
that fails prints the seed and the line that repeats it, and leaves a folder with what happened.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness._aftermath import PROPERTY, Failure, kind_of, look_into
from harness._minimise import IMPAIRMENTS, Limit, LimitError, parse

if TYPE_CHECKING:
    from harness._look import Look
    from harness._stage import Stage
    from harness.world import World

_STAGES = ("world", "live")
_TLS_SHARE = 4
"""With `--cc-crypto mixed` each fourth seed has real TLS."""
_KEY: pytest.StashKey[Stage] = pytest.StashKey()
_LOOK: pytest.StashKey[Look] = pytest.StashKey()
_FOLDER: pytest.StashKey[str] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options."""
    group = parser.getgroup("clutchcall", "ClutchCall: tests over bad networks")
    add = group.addoption
    add("--cc-seed", type=_seed, default=None, metavar="N", help="the seed of every world (1)")
    add("--cc-seeds", type=_count, default=None, metavar="N", help="run each such test with seeds 1 .. N")
    add("--cc-report", default=None, metavar="DIR", help="where failures leave what happened (cc-report)")
    add("--cc-profile", default=None, metavar="NAME|FILE", help="the network of clients that name none")
    add(
        "--cc-crypto",
        choices=("null", "tls", "mixed"),
        default="null",
        help="null repeats byte for byte, tls is real, mixed takes tls for each fourth seed (null)",
    )
    add("--cc-live", action="store_true", help="`world` is on real sockets, in real time")
    add("--cc-limit", type=_limit, default=None, metavar="LIMIT", help="a smaller world: clients=2,seconds=9")
    add("--cc-plain", action="store_true", help="failures are not run again for qlog, a page, a smaller run")
    add("--cc-look", default=None, metavar="DIR", help="leave qlog and a page of a failure here")
    add("--cc-verdict", default=None, metavar="FILE", help="say here as JSON how the test failed")
    add("--cc-full", action="store_true", help="tests of matches run at full length")
    add("--cc-mutations", action="store_true", help="build the core broken by one line, and have it caught")


def _seed(text: str) -> int:
    if not text.isdecimal() or int(text) >= 1 << 64:
        raise ValueError(f"{text!r}: pass 0 .. 2^64 - 1")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 100_000:
        raise ValueError(f"{text!r}: pass 1 .. 100000")
    return int(text)


def _limit(text: str) -> Limit:
    try:
        return parse(text)
    except LimitError as wrong:
        raise ValueError(str(wrong)) from None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test with a stage is run once a seed."""
    if "cc_seed" not in metafunc.fixturenames:
        return
    count = metafunc.config.getoption("cc_seeds")
    if count is not None:
        seeds = range(1, count + 1)
        metafunc.parametrize("cc_seed", seeds, ids=[f"seed-{seed}" for seed in seeds], indirect=True)


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector: Any, name: str, obj: object) -> None:
    """An asyncio test with a stage runs on its loop, not on another plugin's."""
    if not inspect.iscoroutinefunction(obj) or not collector.istestfunction(obj, name):
        return
    stages = [stage for stage in _STAGES if stage in inspect.signature(obj).parameters]
    if stages:
        setattr(collector.obj, name, _on_stage(obj, stages[0]))


def _on_stage(test: Callable[..., Any], stage: str) -> Callable[..., Any]:
    @functools.wraps(test)
    def run(*args: Any, **fixtures: Any) -> None:
        fixtures[stage].finish(test(*args, **fixtures))

    return run


@pytest.fixture
def cc_seed(request: pytest.FixtureRequest) -> int:
    """The seed of this test's stage."""
    given = getattr(request, "param", None)
    if given is None:
        given = request.config.getoption("cc_seed")
    return 1 if given is None else int(given)


@pytest.fixture
def cc_full(request: pytest.FixtureRequest) -> bool:
    """Whether matches are to be as long as they are promised to be (`--cc-full`)."""
    return bool(request.config.getoption("cc_full"))


@pytest.fixture
def world(request: pytest.FixtureRequest, cc_seed: int) -> Iterator[Stage]:
    """A world in virtual time."""
    from harness.world import World

    if request.config.getoption("cc_live"):
        with _on_sockets(request, cc_seed) as made:
            yield made
        return
    crypto = request.config.getoption("cc_crypto")
    if crypto == "mixed":
        crypto = "null" if cc_seed % _TLS_SHARE else "tls"
    look = request.config.getoption("cc_look")
    with World(cc_seed, crypto=crypto, qlog=look is not None) as virtual:
        _furnish(request, virtual)
        virtual.limit = request.config.getoption("cc_limit") or virtual.limit
        if look is not None:
            from harness._look import Look

            request.node.stash[_LOOK] = Look(virtual, request.node.name, _again(request.node, virtual))
        yield virtual
        _look_for_offences(virtual)


@pytest.fixture
def live(request: pytest.FixtureRequest, cc_seed: int) -> Iterator[Stage]:
    """The same on real sockets, in real time."""
    with _on_sockets(request, cc_seed) as made:
        yield made


@contextlib.contextmanager
def _on_sockets(request: pytest.FixtureRequest, seed: int) -> Iterator[Stage]:
    from harness.live import Live

    with Live(seed) as made:
        _furnish(request, made)
        yield made


def _furnish(request: pytest.FixtureRequest, stage: Stage) -> None:
    profile = request.config.getoption("cc_profile")
    if profile is not None:
        stage.default_network = profile
    request.node.stash[_KEY] = stage


def _look_for_offences(world: World) -> None:
    if world.offence is not None:
        pytest.fail(f"{world.offence}", pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """A failure tells its seed, how to repeat it, and where it left what happened."""
    report: pytest.TestReport = yield
    stage = item.stash.get(_KEY, None)
    if stage is None or not report.failed:
        return report
    told = [f"seed {stage.seed} at {stage.now:.3f} s; again: {_again(item, stage)}"]
    if _FOLDER not in item.stash and stage.is_open:
        folder = Path(item.config.getoption("cc_report") or "cc-report") / _file_name(item, stage.seed)
        try:
            stage.write(folder)
            item.stash[_FOLDER] = str(folder)
        except Exception as wrong:  # the test's own failure is what counts
            told.append(f"what happened could not be written to {folder}: {wrong}")
    if _FOLDER in item.stash:
        told.append(f"what happened: {item.stash[_FOLDER]}")
    report.sections.append(("clutchcall", "\n".join(told)))
    # What depends on the machine is not run again.
    if call.excinfo is not None and call.when == "call" and stage.is_open and stage.clock == "virtual":
        _for_later(item, stage, report, call.excinfo.value)
    return report


def _for_later(item: pytest.Item, stage: Stage, report: pytest.TestReport, wrong: BaseException) -> None:
    """What is needed to look into a failure, told to whoever reports or started this."""
    kind = kind_of(wrong)
    option = item.config.getoption
    if option("cc_look") is not None:
        item.stash[_LOOK].write(Path(option("cc_look")), f"{type(wrong).__name__}: {wrong}")
    if option("cc_verdict") is not None:
        Path(option("cc_verdict")).write_text(json.dumps({"kind": kind}), "utf-8")
    elif _FOLDER in item.stash and not option("cc_plain"):
        node, *again = _words(item, stage)
        failure = Failure(
            node,
            again,
            kind,
            stage.asked.clients,
            stage.now,
            tuple(name for name in IMPAIRMENTS if name in stage.asked.impairments),
            str(Path(item.stash[_FOLDER]).absolute()),
            str(item.config.invocation_params.dir),
        )
        report.user_properties.append((PROPERTY, failure.to_json()))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Failures in virtual time are looked into: qlog, a page, and with `--cc-seeds` the smallest run."""
    failed = terminalreporter.stats.get("failed", [])
    if not config.getoption("cc_plain") and config.getoption("cc_verdict") is None:
        look_into(failed, terminalreporter, smaller=config.getoption("cc_seeds") is not None)


def _again(item: pytest.Item, stage: Stage) -> str:
    node, *words = _words(item, stage)
    return " ".join(["pytest", f"'{node}'" if re.search(r"[\[\s]", node) else node, *words])


def _words(item: pytest.Item, stage: Stage) -> list[str]:
    """The test's id without a seed, and the options that repeat it."""
    node = re.sub(r"\[seed-\d+\]$", "", item.nodeid)
    node = re.sub(r"-seed-\d+\]$|(?<=\[)seed-\d+-", lambda found: "]" if found[0].endswith("]") else "", node)
    words = [node, f"--cc-seed={stage.seed}"]
    option = item.config.getoption
    if stage.crypto == "tls" and stage.clock == "virtual":
        words.append("--cc-crypto=tls")
    if option("cc_profile"):
        words.append(f"--cc-profile={option('cc_profile')}")
    words += [f"--cc-{name}" for name in ("full", "live") if option(f"cc_{name}")]
    return words


def _file_name(item: pytest.Item, seed: int) -> str:
    name = re.sub(r"[^\w.-]+", "-", re.sub(r"\[seed-\d+\]$", "", item.nodeid)).strip("-")
    return f"{name[-120:]}-seed-{seed}"
