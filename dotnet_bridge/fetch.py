"""The pinned packages: fetched by pip and npm as they are set up on this machine, checked, and kept small.

`pins.json` names each package with its version, size and digest. A package's file is taken into a temporary
folder, compared with its digest before anything is read from it, and unpacked only as far as it is needed;
the folder in the cache appears whole or not at all.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Literal

from .errors import BadPackage, ToolMissing

Part = Literal["runtime", "compiler", "references"]
Say = Callable[[str], None]

PATIENCE = 900.0
"""How long one package may take to come, seconds."""
_PACE = 5.0  # seconds between two lines of progress
_WHOLE = ".whole"  # written last: whatever lacks it was interrupted


@dataclass(frozen=True, slots=True)
class Pin:
    """A package that is fetched in this one version."""

    about: str
    """What it is for, in words."""
    client: str
    """pip or npm."""
    package: str
    version: str
    file: str
    """The name that the client gives the file."""
    bytes: int
    """The file's size."""
    digest: str
    """The file's digest, as algorithm:hex."""
    root: str
    """The folder in the package that becomes the folder in the cache."""
    take: tuple[str, ...]
    """Patterns of the names to unpack; `*` stands for slashes too."""
    leave: tuple[str, ...]
    """Patterns of names to leave out again."""
    programs: tuple[str, ...]
    """Unpacked files to mark as executable."""


def pins(path: Path | None = None) -> dict[str, Pin]:
    """The pins by part, from `pins.json` or another file of its form."""
    text = (path or Path(__file__).with_name("pins.json")).read_text("utf-8")
    found: dict[str, Pin] = {}
    for part, fields in json.loads(text).items():
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}
        found[part] = Pin(**values)
    return found


def cache() -> Path:
    """Where packages and assemblies are kept: `.cache/dotnet` of a checkout, else the user's cache."""
    root = Path(__file__).resolve().parent.parent
    if (root / "pyproject.toml").is_file():
        return root / ".cache" / "dotnet"
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "clutchcall" / "dotnet"


def say(text: str) -> None:
    """A line of progress, on standard error."""
    print(f"dotnet: {text}", file=sys.stderr, flush=True)


def obtain(part: Part, say: Say = say, patience: float = PATIENCE) -> Path:
    """The unpacked folder of a pinned package, fetched unless it is in the cache.

    Raises `ToolMissing` if it cannot be fetched, `BadPackage` if what came is not what is pinned.
    """
    pin = pins()[part]
    home = cache() / f"{part}-{pin.version}-{pin.digest.partition(':')[2][:12]}"
    if (home / _WHOLE).is_file():
        return home
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=home.parent) as temporary:
        folder = Path(temporary)
        began = time.monotonic()
        say(f"fetching {pin.about}: {pin.package} {pin.version}, {pin.bytes / 1e6:.0f} MB")
        _run(pin, folder, say, patience)
        archive = folder / pin.file
        check(pin, archive)
        made = folder / "unpacked"
        kept = unpack(pin, archive, made)
        (made / _WHOLE).touch()
        _settle(made, home)
        say(f"{pin.about}: {kept / 1e6:.0f} MB kept, {time.monotonic() - began:.0f} s")
    _forget_others(home, part)
    return home


def check(pin: Pin, archive: Path) -> None:
    """Compare a file with its pin; `BadPackage` if it is another one."""
    if not archive.is_file():
        raise BadPackage(f"{pin.client} fetched no {pin.file}: is {pin.package} {pin.version} still there?")
    algorithm, _, wanted = pin.digest.partition(":")
    with open(archive, "rb") as file:
        found = hashlib.file_digest(file, algorithm).hexdigest()
    if found != wanted:
        raise BadPackage(
            f"{pin.file} is not the pinned package: its digest begins with {found[:16]}, not {wanted[:16]}"
        )


def unpack(pin: Pin, archive: Path, to: Path) -> int:
    """Unpack what the pin takes below `to`; the bytes written. `BadPackage` if that is nothing."""
    total = 0
    for name, file in _members(archive):
        if not _wanted(pin, name):
            continue
        inside = PurePosixPath(name[len(pin.root) :])
        if inside.is_absolute() or ".." in inside.parts:
            raise BadPackage(f"{pin.file} holds the name {name!r}, which leads out of its folder")
        path = to / inside
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "wb") as out:
            shutil.copyfileobj(file, out)
        total += path.stat().st_size
        if str(inside) in pin.programs:
            path.chmod(0o755)
    if total == 0:
        raise BadPackage(f"{pin.file} holds nothing below {pin.root}")
    return total


def _wanted(pin: Pin, name: str) -> bool:
    def any_of(patterns: tuple[str, ...]) -> bool:
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)

    return name.startswith(pin.root) and any_of(pin.take) and not any_of(pin.leave)


def _members(archive: Path) -> Iterator[tuple[str, BinaryIO]]:
    """Names and contents of the plain files in a wheel or tarball."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as wheel:
            for entry in wheel.infolist():
                if not entry.is_dir():
                    with wheel.open(entry) as inside:
                        yield entry.filename, inside  # type: ignore[misc]  # typed as IO[bytes]
        return
    with tarfile.open(archive, "r:gz") as tarball:
        for member in tarball:
            file = tarball.extractfile(member) if member.isfile() else None
            if file is not None:
                yield member.name, file  # type: ignore[misc]  # typed as IO[bytes]


def _run(pin: Pin, folder: Path, say: Say, patience: float) -> None:
    """Let the client fetch the package's file into `folder`."""
    if pin.client == "pip":
        command = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-deps"]
        command += ["--only-binary=:all:", "--dest", str(folder), f"{pin.package}=={pin.version}"]
    else:
        npm = shutil.which("npm")
        if npm is None:
            raise ToolMissing("npm is missing: install Node.js, or a .NET SDK, which needs none of this")
        command = [npm, "pack", "--ignore-scripts", "--loglevel=error", "--pack-destination", str(folder)]
        command += [f"{pin.package}@{pin.version}"]
    log = folder / "log"
    with open(log, "wb") as out:
        child = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        try:
            code = _wait(child, say, pin, patience)
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
    if code is None:
        raise ToolMissing(
            f"{pin.package} did not come within {patience:.0f} s: try again on a better network"
        )
    if code != 0:
        lines = log.read_text("utf-8", "replace").strip().splitlines() or ["it says nothing"]
        told = next((line for line in lines if "error" in line.lower()), lines[-1])
        raise ToolMissing(f"{pin.client} cannot fetch {pin.package} {pin.version}: {told.strip()}")


def _wait(child: subprocess.Popen[bytes], say: Say, pin: Pin, patience: float) -> int | None:
    """The child's exit code, or none if it takes longer than `patience`."""
    began = time.monotonic()
    while (left := began + patience - time.monotonic()) > 0:
        try:
            return child.wait(timeout=min(_PACE, left))
        except subprocess.TimeoutExpired:
            say(f"  {time.monotonic() - began:.0f} s: {pin.package} is on its way")
    return None


def _settle(made: Path, home: Path) -> None:
    """Put a folder in its place, unless somebody else has been faster."""
    if home.exists() and not (home / _WHOLE).is_file():
        shutil.rmtree(home)
    try:
        made.rename(home)
    except OSError:
        if not (home / _WHOLE).is_file():
            raise


def _forget_others(home: Path, part: str) -> None:
    """Drop what an earlier pin of this part has left in the cache."""
    for old in home.parent.glob(f"{part}-*"):
        if old != home:
            shutil.rmtree(old, ignore_errors=True)
