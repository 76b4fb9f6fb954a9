"""Steps report themselves, failures say how to repeat them, and nothing outlives its time."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading

import pytest

from tools import check, native, process, steps
from tools.console import Stop
from tools.steps import Finding, Step


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_failed_step_shows_its_output_and_its_repeat_and_the_rest_go_on(
    capfd: pytest.CaptureFixture[str],
) -> None:
    bad = Step("bad", "a", command=python("print('why'); raise SystemExit(3)"))
    good = Step("good", "a", command=python("print('hidden')"))
    warned = Step("warned", "b", lint=lambda: [Finding("f.py:1", "odd", warning=True)])
    wrong = Step("wrong", "b", lint=lambda: [Finding("g.py:2", "worse")])
    gone = Step("gone", "b", absent="no such folder")
    assert sorted(steps.run([bad, good, warned, wrong, gone])) == ["bad", "wrong"]
    said = capfd.readouterr().err
    assert "FAIL bad" in said
    assert "why" in said
    assert f"again: {steps.repeat(bad)}" in said
    assert "ok   good" in said
    assert "hidden" not in said
    assert "f.py:1: warning: odd" in said
    assert "dev.py check wrong" in said
    assert "no such folder" in said


def test_lanes_run_side_by_side() -> None:
    meeting = threading.Barrier(2, timeout=30)

    def meet() -> list[Finding]:
        meeting.wait()
        return []

    assert steps.run([Step("one", "a", lint=meet), Step("two", "b", lint=meet)]) == []


def test_a_program_that_hangs_is_killed_with_its_children() -> None:
    hang = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(100)'])"
    code, output = process.capture(python(hang), timeout=1.0)
    assert code == -1
    assert "killed: not done after 1 s" in output


@pytest.mark.skipif(os.name != "posix", reason="orders a process to end by a signal")
def test_an_order_to_end_reaches_what_was_started() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        port = server.getsockname()[1]
        child = f"import socket, time; s = socket.create_connection(('127.0.0.1', {port})); time.sleep(100)"
        parent = (
            "import sys; from tools import process, steps\n"
            "process.heed_signals()\n"
            f"step = steps.Step('x', 'a', command=[sys.executable, '-c', {child!r}])\n"
            "try: steps.run([step])\n"
            "except KeyboardInterrupt: sys.exit(7)\n"
        )
        with subprocess.Popen(python(parent), cwd=process.ROOT, stderr=subprocess.PIPE) as started:
            connection, _ = server.accept()
            with connection:
                connection.settimeout(30)
                started.terminate()
                assert started.wait(30) == 7
                assert connection.recv(1) == b"", "the child is gone, so its end of the connection is too"


def test_a_program_that_is_not_there_is_one_line() -> None:
    with pytest.raises(Stop, match="no-such-program cannot be started"):
        process.capture(["no-such-program"])


def test_the_repeat_is_typed_at_the_top_of_the_checkout() -> None:
    step = Step("x", "rust", command=["/home/me/.cargo/bin/cargo", "test", "a b"], cwd=native.CORE)
    if os.name == "posix":
        assert steps.repeat(step) == "cd core && cargo test 'a b'"


def test_check_knows_its_steps() -> None:
    with pytest.raises(Stop, match="no step nonsense") as caught:
        check.main(["nonsense"])
    assert caught.value.code == 2
    assert len(set(check.NAMES)) == len(check.NAMES)
