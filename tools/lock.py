"""Makes `requirements/*.lock`: every package with its hashes, for all platforms and Python 3.11 and later.

The resolver is uv, installed for the occasion. `dev.lock` is resolved under `runtime.lock`, so that what is
tested is what runs. Without `--upgrade` versions stay as they are where the requirements let them.
"""

from __future__ import annotations

import os
import venv as stdlib_venv
from collections.abc import Sequence
from pathlib import Path

from tools.console import Stop, say
from tools.lints import lock_mark
from tools.process import ROOT, Command, capture

RESOLVER = "uv==0.13.9"
OPTIONS = ("--universal", "--python-version", "3.11", "--generate-hashes", "--no-header", "--no-annotate")


def main(arguments: Sequence[str]) -> None:
    """Make all locks again."""
    if set(arguments) - {"--upgrade"}:
        raise Stop("lock takes --upgrade and nothing else", code=2)
    folder = ROOT / ".cache" / "lock"
    scripts = folder / ("Scripts" if os.name == "nt" else "bin")
    stdlib_venv.create(folder, with_pip=True, symlinks=os.name != "nt")
    _must([scripts / "python", "-m", "pip", "install", "--quiet", RESOLVER])
    for kind, constraint in (("runtime", ()), ("dev", ("-c", "runtime.lock")), ("natives", ())):
        requirements = ROOT / "requirements"
        lock = requirements / f"{kind}.lock"
        options = ["--quiet", *OPTIONS, *arguments, *constraint]
        _must([scripts / "uv", "pip", "compile", *options, "-o", lock.name, f"{kind}.in"], cwd=requirements)
        text = lock.read_text(encoding="utf-8")
        head = f"{lock_mark(requirements / f'{kind}.in')}\n# Made by `python3 dev.py lock`.\n"
        lock.write_text(head + text, encoding="utf-8", newline="\n")
        packages = sum("==" in line for line in text.splitlines())
        say(f"requirements/{kind}.lock: {packages} packages")


def _must(command: Command, cwd: Path = ROOT) -> None:
    code, output = capture(command, cwd=cwd)
    if code != 0:
        say(output.rstrip())
        raise Stop(f"no new lock: {Path(command[0]).name} failed")
