"""The targets of `dev.py`: a function each, from its arguments to an exit code."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence

from tools import check as checks
from tools import fuzz as fuzzing
from tools import interop as interops
from tools import lock as locks
from tools import native, peers, process, venv
from tools import wheel as wheels
from tools.console import Stop, Work, say, size
from tools.process import ROOT

Arguments = Sequence[str]
BOTS = "16"
"""Who play the sample game in `host`."""


def run(arguments: Arguments, usage: str) -> int:
    """Run the target that `arguments` begin with. Every failure is one line and a code."""
    name = arguments[0] if arguments else ""
    if name in ("-h", "--help", "help"):
        sys.stdout.write(usage.strip() + "\n")
        return 0
    if name not in TARGETS:
        known = " | ".join(TARGETS)
        say(f"dev.py: {'no target ' + repr(name) if name else 'which target?'}: {known} (--help says more)")
        return 2
    process.heed_signals()
    try:
        return TARGETS[name](arguments[1:])
    except Stop as stop:
        say(f"dev.py {name}: {stop}")
        return stop.code
    except KeyboardInterrupt:
        process.end_all()
        say(f"dev.py {name}: interrupted")
        return 1


def setup(arguments: Arguments) -> int:
    """`.venv` and the native core."""
    if set(arguments) - {"--dev"}:
        raise Stop("setup takes --dev and nothing else", code=2)
    began = time.monotonic()
    work = _set_up("dev" if "--dev" in arguments else "runtime")
    took = time.monotonic() - began
    what = f"{size(work.fetched)} fetched" if work else "nothing has changed"
    say(f"ready in {took:.1f} s, {what}; next: make host, make test")
    return 0


def host(arguments: Arguments) -> int:
    """A game server host, with what it needs and nothing more; somebody plays unless a game was named."""
    _set_up("runtime")
    named = {word.partition("=")[0] for word in arguments}
    bots = [] if named & {"--bots", "--game", "--exec"} else ["--bots", BOTS]
    return process.hand_over([venv.PYTHON, "-m", "transport.host", *bots, *arguments])


def check(arguments: Arguments) -> int:
    """Everything that can be said without running the product."""
    began = time.monotonic()
    checks.main(arguments)
    say(f"checked in {time.monotonic() - began:.1f} s")
    return 0


def test(arguments: Arguments) -> int:
    """Set-up, check, pytest; pytest's own last line is the last line."""
    passed = [word for word in arguments if word not in ("--fast", "--no-check")]
    _set_up("dev")
    if "--no-check" not in arguments:
        check([])
    chosen = ["-m", "not slow"] if "--fast" in arguments else []
    return _pytest(["-n", "2", "--benchmark-disable", *chosen, *passed])


def fuzz(arguments: Arguments) -> int:
    """Inputs made up for the core."""
    began = time.monotonic()
    fuzzing.main(arguments)
    say(f"held for {time.monotonic() - began:.1f} s")
    return 0


def interop(arguments: Arguments) -> int:
    """Other implementations of MoQT against the core."""
    began = time.monotonic()
    interops.main(arguments)
    say(f"tested in {time.monotonic() - began:.1f} s")
    return 0


def bench(arguments: Arguments) -> int:
    """The benchmarks, one after the other on an otherwise idle machine."""
    _set_up("dev")
    native.floor()
    if "--build-peers" in arguments:
        peers.build()
    os.chdir(ROOT)
    passed = [one for one in arguments if one != "--build-peers"]
    return process.hand_over([venv.PYTHON, "-m", "harness.bench", *passed])


def natives(arguments: Arguments) -> int:
    """The native core for other platforms."""
    from tools import natives as builds  # it wants the bridge, which not every checkout of the tools has

    native.cargo()
    builds.main(arguments)
    return 0


def unity(arguments: Arguments) -> int:
    """The Unity package, packed."""
    _set_up("dev")
    return process.hand_over([venv.PYTHON, "-m", "dotnet_bridge.pack", *arguments])


def unity_branch(arguments: Arguments) -> int:
    """The commit of the Unity package's release branch."""
    venv.ensure("dev")
    return process.hand_over([venv.PYTHON, "-m", "dotnet_bridge.branch", *arguments])


def unity_verify(arguments: Arguments) -> int:
    """Whether a Unity project has what the package uses."""
    venv.ensure("dev")
    return process.hand_over([venv.PYTHON, "-m", "dotnet_bridge.verify", *arguments])


def wheel(arguments: Arguments) -> int:
    """The wheel."""
    wheels.main(arguments)
    return 0


def lock(arguments: Arguments) -> int:
    """The locks."""
    locks.main(arguments)
    return 0


TARGETS: dict[str, Callable[[Arguments], int]] = {
    "setup": setup,
    "host": host,
    "check": check,
    "test": test,
    "fuzz": fuzz,
    "interop": interop,
    "bench": bench,
    "natives": natives,
    "unity": unity,
    "unity-branch": unity_branch,
    "unity-verify": unity_verify,
    "wheel": wheel,
    "lock": lock,
}


def _set_up(kind: venv.Kind) -> Work:
    native.cargo()  # what is missing is said before anything is fetched
    return venv.ensure(kind) + native.build(tests=kind == "dev")


def _pytest(arguments: Arguments) -> int:
    os.chdir(ROOT)
    return process.hand_over([venv.PYTHON, "-m", "pytest", *arguments])
