"""The `.venv` folder: made from a lock, never touched while its stamp says that it is right.

`runtime` is what a host or relay imports; `dev` adds everything that checks and tests; `natives`, in a folder
of its own, is what cross builds take. Packages come with
hashes and as wheels only, so that what runs is what was locked and nothing is compiled on the way. The
stamp is written last: whatever was interrupted is made again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import locale
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from tools.console import Stop, Work, parse_size, say, size
from tools.process import ROOT, Command, capture

Kind = Literal["runtime", "dev", "natives"]

VENV = ROOT / ".venv"
SCRIPTS = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = SCRIPTS / ("python.exe" if os.name == "nt" else "python")
STAMP = VENV / "clutchcall.json"
REQUIREMENTS = ROOT / "requirements"

_FETCH = re.compile(r"^\s*(Downloading|Using cached) (\S+\.whl)(?: \(([^)]*)\))?\s*$")


def ensure(kind: Kind) -> Work:
    """Bring `.venv` to the `kind` lock."""
    with exclusive("venv"):
        wanted = _wanted(kind)
        held = _held()
        if held.items() >= wanted.items():
            return Work()
        began = time.monotonic()
        # Only an untouched runtime environment may grow into a dev one: anything else could keep
        # packages that no lock names.
        if not held or any(held.get(key) != wanted[key] for key in wanted.keys() - {"dev"}) or "dev" in held:
            _create()
        fetched, count = _install(kind)
        _link_root()
        STAMP.write_text(json.dumps(wanted), encoding="utf-8")
        took = time.monotonic() - began
        say(f"python: {count} packages, {size(fetched)} fetched, {took:.1f} s")
        return Work(True, fetched)


def separate(kind: Kind) -> Path:
    """The folder of programs of an environment that holds one lock's packages and nothing else."""
    folder = ROOT / ".cache" / f"venv-{kind}"
    scripts = folder / SCRIPTS.name
    stamp = folder / STAMP.name
    wanted = json.dumps({"root": str(ROOT), kind: _digest(kind)})
    with exclusive(f"venv-{kind}"):
        if not stamp.is_file() or stamp.read_text("utf-8") != wanted or not (scripts / PYTHON.name).exists():
            _create(folder)
            fetched, count = _install(kind, scripts / PYTHON.name)
            stamp.write_text(wanted, encoding="utf-8")
            say(f"{kind}: {count} packages, {size(fetched)} fetched")
    return scripts


@contextlib.contextmanager
def exclusive(name: str) -> Iterator[None]:
    """Hold the machine-wide lock `name` of this checkout, waiting for whoever holds it."""
    folder = ROOT / ".cache"
    folder.mkdir(exist_ok=True)
    with open(folder / f"{name}.lock", "a+b") as file:
        if sys.platform == "win32":
            import msvcrt

            while True:
                try:
                    file.seek(0)
                    msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)  # gives up after 10 s by itself
                    break
                except OSError:
                    continue
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


class FetchLog:
    """Turns pip's output into a line a package, and adds up what was fetched."""

    def __init__(self) -> None:
        self.fetched = 0.0
        self.count = 0

    def feed(self, line: str) -> str | None:
        """The line to print for a line of pip's, if any."""
        match = _FETCH.match(line)
        if match is None:
            return None
        verb, file, amount = match.groups()
        name, version = file.rpartition("/")[2].split("-")[:2]
        weight = parse_size(amount or "")
        self.count += 1
        if verb == "Downloading":
            self.fetched += weight
        note = "" if verb == "Downloading" else "  from pip's cache"
        return f"  {name + ' ' + version:<28} {size(weight):>9}{note}"


def _wanted(kind: Kind) -> dict[str, str]:
    """The stamp of a right environment: it also changes when the checkout moves, since scripts hold paths."""
    wanted = {"root": str(ROOT), "runtime": _digest("runtime")}
    if kind == "dev":
        wanted["dev"] = _digest("dev")
    return wanted


def _digest(kind: Kind) -> str:
    try:
        text = (REQUIREMENTS / f"{kind}.lock").read_text(encoding="utf-8")
    except FileNotFoundError:
        raise Stop(f"requirements/{kind}.lock is missing: make it with `python3 dev.py lock`") from None
    return hashlib.sha256(text.encode()).hexdigest()


def _held() -> dict[str, str]:
    """The stamp of the environment that is there; empty if it is not whole or its Python is gone."""
    try:
        held = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(held, dict) or not PYTHON.exists():
        return {}
    return {str(key): str(value) for key, value in held.items()}


def _create(folder: Path = VENV) -> None:
    try:
        import ensurepip  # noqa: F401  (Debian ships venv without it)
        import venv
    except ImportError:
        raise Stop(
            "Python's venv module is missing: install it (Debian, Ubuntu: apt install python3-venv)"
        ) from None
    name = folder.relative_to(ROOT).as_posix()
    say(f"python: making {name} with Python {sys.version.split()[0]}")
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        try:
            shutil.rmtree(folder)
        except OSError as error:
            raise Stop(f"{name} is in use ({error.filename}): end the programs that run from it") from error
    venv.create(folder, with_pip=True, symlinks=os.name != "nt")


def _install(kind: Kind, python: Path = PYTHON) -> tuple[float, int]:
    log = FetchLog()

    def on_line(line: str) -> None:
        text = log.feed(line)
        if text is not None:
            say(text)

    options = ["--require-hashes", "--only-binary", ":all:", "--no-input", "--disable-pip-version-check"]
    lock = REQUIREMENTS / f"{kind}.lock"
    command: Command = [python, "-m", "pip", "install", *options, "--progress-bar", "off", "-r", lock]
    code, output = capture(command, on_line=on_line)
    if code != 0:
        errors = [line for line in output.splitlines() if line.startswith("ERROR")]
        say("\n".join(output.splitlines()[-30:]))
        raise Stop("pip could not install the locked packages: " + (errors or ["see above"])[-1])
    return log.fetched, log.count


def _link_root() -> None:
    """Put the checkout on the environment's path, so that `-m transport.host` works from any folder."""
    code, output = capture([PYTHON, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"])
    if code != 0:
        raise Stop(f".venv does not work: {output.strip()}")
    path = Path(output.strip()) / "clutchcall.pth"
    path.write_text(f"{ROOT}\n", encoding=locale.getencoding())
