"""How the native core is built for each platform: by which compiler, linker and standard library.

A recipe asks for nothing before it is used, and takes what this machine has: a standard library that
rustup installed, else its source (rustup's `rust-src`, or Debian's `rust-web-src` with the `rustc-web` of
the same version), from which cargo builds one. What is missing is one line with the command that gets it.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools import native, venv
from tools.console import Stop
from tools.process import ROOT, capture

TARGET = native.TARGET / "natives"
"""Cargo's folder for these builds: their flags are not those of the builds that tests use."""
STUBS = Path(__file__).with_name("stubs")
MACOS = "11.0"
"""The oldest macOS: the first for both processors."""
_DEBIAN = "apt install rustc-web cargo-web rust-web-src libstd-rust-web-dev rust-web-llvm"
_MINGW = "x86_64-w64-mingw32-gcc"


@dataclass(frozen=True)
class Recipe:
    """What makes one platform's library."""

    name: str
    """What `--target` calls it."""
    platform: str
    """Its folder below build/natives, as in the Unity package."""
    triples: tuple[str, ...]
    """The Rust targets: more than one are joined to a universal library."""
    file: str
    """The library, as cargo and the package name it."""
    wheel: str
    """The platform tag of a wheel that holds it."""
    glibc: str = ""
    """The oldest glibc that it runs on."""
    system: frozenset[str] = frozenset()
    """Libraries that every such system has, all that it may need."""


_GLIBC = {"libc.so.6", "libdl.so.2", "libm.so.6", "libpthread.so.0", "librt.so.1"}
RECIPES = (
    Recipe(
        "linux-x86_64",
        "Linux/x86_64",
        ("x86_64-unknown-linux-gnu",),
        "libclutchcall_core_ffi.so",
        "manylinux2014_x86_64",
        "2.17",
        frozenset(_GLIBC | {"ld-linux-x86-64.so.2"}),
    ),
    Recipe(
        "linux-arm64",
        "Linux/arm64",
        ("aarch64-unknown-linux-gnu",),
        "libclutchcall_core_ffi.so",
        "manylinux2014_aarch64",
        "2.17",
        frozenset(_GLIBC | {"ld-linux-aarch64.so.1"}),
    ),
    Recipe(
        "windows-x86_64",
        "Windows/x86_64",
        ("x86_64-pc-windows-gnu",),
        "clutchcall_core_ffi.dll",
        "win_amd64",
        system=frozenset(
            {"kernel32.dll", "ntdll.dll", "msvcrt.dll", "ws2_32.dll", "advapi32.dll", "bcrypt.dll"}
            | {"bcryptprimitives.dll", "crypt32.dll", "userenv.dll", "synchronization.dll"}
            | {"api-ms-win-core-synch-l1-2-0.dll"}
        ),
    ),
    Recipe(
        "macos",
        "macOS",
        ("aarch64-apple-darwin", "x86_64-apple-darwin"),
        "libclutchcall_core_ffi.dylib",
        "macosx_11_0_universal2",
        system=frozenset(
            {
                "/usr/lib/libSystem.B.dylib",
                "/usr/lib/libiconv.2.dylib",
                "/System/Library/Frameworks/CoreFoundation.framework/Versions/A/CoreFoundation",
                "/System/Library/Frameworks/Security.framework/Versions/A/Security",
            }
        ),
    ),
)


@dataclass(frozen=True)
class Compiler:
    """A Rust compiler that can build for a target."""

    cargo: str
    rustc: str
    source: Path | None
    """Where the standard library is compiled from; none where it is installed."""


def command(recipe: Recipe, triple: str) -> tuple[list[str | Path], dict[str, str]]:
    """The command that builds one target's library, and what it wants in its environment."""
    compiler = _compiler(triple)
    env = {"RUSTC": compiler.rustc, "CARGO": compiler.cargo, "SOURCE_DATE_EPOCH": "0"}
    flags = ["-Cstrip=symbols"] if "apple" not in triple else []
    program: list[str | Path] = [compiler.cargo]
    at_home = sys.platform == "darwin" and "apple" in triple
    if at_home:
        env["MACOSX_DEPLOYMENT_TARGET"] = MACOS
    elif "windows" not in triple:
        scripts = venv.separate("natives")
        program = [scripts / "cargo-zigbuild"]
        env["PATH"] = os.pathsep.join([str(scripts), os.environ.get("PATH", "")])
    else:
        _need(_MINGW, "the Windows linker", "apt install mingw-w64; macOS: brew install mingw-w64")
        env["CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER"] = env["CC_x86_64_pc_windows_gnu"] = _MINGW
        flags.append("-Clink-arg=-Wl,--no-insert-timestamp")
    if "apple" in triple and not at_home:
        # Zig compiles; LLVM's linker links, which zig's does not replace: it exports what is asked for alone.
        # macOS's system library is among zig's files, and of the frameworks `stubs` names what the core uses.
        flags += [f"-Clinker={_lld(compiler)}", "-Clinker-flavor=ld64.lld"]
        words = [
            f"-F{STUBS}",
            f"-L{_system()}",
            f"-L{STUBS}",
            "-install_name",
            f"@rpath/{recipe.file}",
            "-x",
            "-S",
        ]
        flags += [f"-Clink-arg={word}" for word in words]
        env["MACOSX_DEPLOYMENT_TARGET"] = MACOS
    flags += [f"--remap-path-prefix={path}={name}" for path, name in _paths(compiler).items()]
    env["CARGO_ENCODED_RUSTFLAGS"] = "\x1f".join(flags)
    maps = " ".join(f"-ffile-prefix-map={path}={name}" for path, name in _paths(compiler).items())
    env[f"CFLAGS_{triple.replace('-', '_')}"] = maps
    options = ["-p", "cc-ffi", "--lib", "--crate-type", "cdylib", "--release", "--locked"]
    if compiler.source is not None:
        env["RUSTC_BOOTSTRAP"] = "1"
        options += ["-Z", "build-std=std,panic_unwind"]
    suffix = f".{recipe.glibc}" if recipe.glibc else ""
    options += ["--target", triple + suffix, "--target-dir", str(TARGET)]
    return [*program, "rustc", *options], env


def artefact(recipe: Recipe, triple: str) -> Path:
    """Where cargo leaves one target's library."""
    return TARGET / triple / "release" / recipe.file


def _paths(compiler: Compiler) -> dict[Path, str]:
    """Folders of this machine, and what stands for them in a library."""
    home = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo")
    found = {ROOT: "/clutchcall", home: "/cargo"}
    if compiler.source is not None:
        found[compiler.source] = "/rustc"
    return found


def _compiler(triple: str) -> Compiler:
    """What builds for a target; raises `Stop` with the command that brings it."""
    cargo = native.cargo()
    if found := _standard(cargo, rustc(cargo), triple):
        return found
    debian = Path("/usr/bin/rustc")
    if sys.platform == "linux" and debian.exists() and Path("/usr/bin/cargo").exists():
        if found := _standard("/usr/bin/cargo", str(debian), triple):
            return found
    rustup = shutil.which("rustup") is not None
    get = f"rustup target add {triple}" if rustup else _DEBIAN
    also = f" (where rustup has none, Debian's: {_DEBIAN})" if rustup and sys.platform == "linux" else ""
    raise Stop(f"Rust's standard library for {triple} is missing: {get}{also}")


def rustc(cargo: str) -> str:
    """The compiler that belongs to a cargo."""
    beside = Path(cargo).with_name("rustc" + Path(cargo).suffix)
    return str(beside) if beside.exists() else "rustc"


def installed(rustc: str, triple: str) -> bool:
    """Whether a compiler has the standard library of a target."""
    root = _rustlib(rustc)
    return root is not None and any((root / triple / "lib").glob("libstd-*.rlib"))


def _rustlib(rustc: str) -> Path | None:
    code, output = capture([rustc, "--print", "sysroot"], cwd=native.CORE, timeout=60)
    return Path(output.strip().splitlines()[-1]) / "lib" / "rustlib" if code == 0 else None


def _standard(cargo: str, rustc: str, triple: str) -> Compiler | None:
    if installed(rustc, triple):
        return Compiler(cargo, rustc, None)
    root = _rustlib(rustc)
    if root is None:
        return None
    source = root / "src" / "rust"
    if (source / "library" / "std").is_dir():
        return Compiler(cargo, rustc, (source / "library").resolve())
    return None


def _lld(compiler: Compiler) -> str:
    """LLVM's linker: rustup's Rust has one, and Debian's lld is one."""
    code, output = capture([shutil.which("rustc") or compiler.rustc, "--print", "sysroot"], cwd=native.CORE)
    root = Path(output.strip().splitlines()[-1]) if code == 0 and output.strip() else Path("/usr")
    for path in sorted(root.glob("lib/rustlib/*/bin/rust-lld*")):
        return str(path)
    for name in (*(f"lld-{version}" for version in range(30, 15, -1)), "lld"):
        if found := shutil.which(name):
            return found
    raise Stop("LLVM's linker is missing (lld): apt install lld")


def _system() -> Path:
    """The folder of macOS's system library as zig describes it, for a linker that believes what it says.

    The description is of arm64e, which Apple's own linker takes for arm64.
    """
    source = next((ROOT / ".cache").glob("venv-natives/**/ziglang/lib/libc/darwin/libSystem.tbd"))
    folder = TARGET / "stubs"
    folder.mkdir(parents=True, exist_ok=True)
    text = re.sub(r"\barm64e?(\.\w+)?-", "arm64-", source.read_text("utf-8"))
    (folder / "libSystem.tbd").write_text(text, "utf-8")
    return folder


def _need(program: str, what: str, get: str) -> None:
    if shutil.which(program) is None:
        raise Stop(f"{what} is missing ({program}): {get}")


def chosen(names: Sequence[str]) -> tuple[Recipe, ...]:
    """The recipes of these names; of all, if none is named. `Stop` for one that is not known."""
    known = {recipe.name: recipe for recipe in RECIPES}
    for name in names:
        if name not in known:
            raise Stop(f"natives has no target {name}: it has {', '.join(known)}", code=2)
    return tuple(known[name] for name in dict.fromkeys(names)) or RECIPES
