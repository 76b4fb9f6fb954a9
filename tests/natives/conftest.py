"""C programs over the core's libraries: this machine's own, and the cross-built ones that can be run here."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import transport
from dotnet_bridge import natives as places
from tools import venv
from tools.process import ROOT

INCLUDE = ROOT / "core" / "ffi" / "include"
HERE = Path(__file__).parent
FLAGS = ("-std=c11", "-Wall", "-Wextra", "-Werror", "-O1", f"-I{INCLUDE}")


@dataclass(frozen=True)
class System:
    """What runs a program of another system, or of this one."""

    name: str
    compiler: str
    library: Path
    run: tuple[str, ...] = ()
    link: tuple[str, ...] = ()
    suffix: str = ""
    env: Mapping[str, str] = field(default_factory=dict)

    def build(self, source: Path, folder: Path) -> Path:
        """The program of a source, with the library beside it."""
        shutil.copy(self.library, folder)
        program = folder / f"{source.stem}{self.suffix}"
        command = [self.compiler, *FLAGS, str(source), str(folder / self.library.name), *self.link]
        done = subprocess.run(
            [*command, "-o", str(program)], capture_output=True, text=True, check=False, timeout=100
        )
        assert done.returncode == 0, done.stderr
        return program

    def command(self, program: Path, *arguments: str) -> list[str]:
        return [*self.run, str(program), *arguments]

    def environment(self) -> dict[str, str]:
        return {**os.environ, **self.env}


SYSTEMS = ("here", "windows", "arm64")


@pytest.fixture(params=SYSTEMS)
def system(request: pytest.FixtureRequest, native: Path) -> System:
    """This machine, Windows by wine, and Linux on arm64 by qemu; what is not there is skipped."""
    origin = ("-Wl,-rpath,$ORIGIN",)
    if request.param == "here":
        compiler = shutil.which("cc") or pytest.skip("no C compiler: apt install gcc")
        return System("here", compiler, native, link=origin)
    if request.param == "windows":
        return windows()
    library = _built("Linux/arm64", "linux-arm64")
    compiler = _there("aarch64-linux-gnu-gcc", "apt install gcc-aarch64-linux-gnu")
    qemu = _there("qemu-aarch64", "apt install qemu-user")
    return System("arm64", compiler, library, (qemu, "-L", "/usr/aarch64-linux-gnu"), origin)


def windows() -> System:
    library = _built("Windows/x86_64", "windows-x86_64")
    compiler = _there("x86_64-w64-mingw32-gcc", "apt install mingw-w64")
    wine = _there("wine", "apt install wine")
    prefix = ROOT / ".cache" / "wine"
    env = {
        "WINEPREFIX": str(prefix),
        "WINEARCH": "win64",
        "WINEDEBUG": "-all",
        "WINEDLLOVERRIDES": "mscoree,mshtml,winemenubuilder.exe=",
    }
    with venv.exclusive("wine"):
        if not (prefix / "system.reg").is_file():
            boot = [_there("wineboot", "apt install wine"), "--init"]
            done = subprocess.run(
                boot, env={**os.environ, **env}, capture_output=True, text=True, check=False, timeout=250
            )
            if done.returncode != 0:
                pytest.skip(
                    f"wine does not start here: {(done.stderr or 'no word').strip().splitlines()[-1]}"
                )
    return System("windows", compiler, library, (wine,), ("-lws2_32",), ".exe", env)


def stub(system: System, folder: Path) -> None:
    """Gives wine the one library of Windows that older ones lack; a newer one's own comes first."""
    if system.name == "windows":
        source = str(HERE / "bcryptprimitives.c")
        out = str(folder / "bcryptprimitives.dll")
        subprocess.run([system.compiler, "-shared", source, "-ladvapi32", "-o", out], check=True, timeout=100)


def _built(platform: str, target: str) -> Path:
    native = next(one for one in places.NATIVES if one.platform == platform)
    library = places.BUILT / platform / native.file
    if not library.is_file() or places.behind({native: library}):
        pytest.skip(f"not built from these sources: python dev.py natives --target {target}")
    return library


def _there(program: str, get: str) -> str:
    return shutil.which(program) or pytest.skip(f"{program} is missing: {get}")


@pytest.fixture(scope="session")
def certificate() -> transport.credentials.Certificate:
    return transport.credentials.make_certificate()
