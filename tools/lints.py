"""The project's own rules, each a function from a checkout's root to what breaks them.

They read text only, take the root as an argument, and say file and line.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from tools import rust_text
from tools.steps import Finding

PURE = ("wire", "session", "fanout", "engine", "media", "netem")
"""The crates that take time and datagrams as arguments and touch nothing outside themselves."""

LONG = 600
"""Written lines in a file beyond which it is to be split by the state it owns."""

_OUTSIDE = {
    r"\bInstant\s*::\s*now\b": "reads the clock: take `now` as an argument",
    r"\bSystemTime\s*::\s*now\b": "reads the clock: take the time as an argument",
    r"\b(?:UdpSocket|TcpStream|TcpListener)\b": "opens a socket: return the datagram instead",
    r"\bstd\s*::\s*thread\b|\bthread\s*::\s*(?:spawn|sleep|scope|Builder)\b": "threads belong to `shard`",
    r"\bthread_rng\b": "draws unseeded randomness: take the generator as an argument",
}
_POLICY = re.compile(r"jwt|jsonwebtoken", re.IGNORECASE)
_POLICY_CRATES = {"jsonwebtoken", "jwt-simple", "toml", "serde_yaml", "config", "figment", "dotenvy"}
_SKIPPED = {"target", "build", "dist", "node_modules", "__pycache__"}
_SOURCES = {".py", ".rs", ".cs", ".ts", ".js", ".mjs", ".h", ".c"}
_GENERATED = re.compile(r"@generated|\bgenerated\b.*\bdo not edit", re.IGNORECASE)
_DECLARED = re.compile(r"\b(cc_\w+)\s*\(([^)]*)\)\s*;")
_DEFINED = re.compile(r"\bfn\s+(cc_\w+)\s*\(([^)]*)\)")
_STANDARD_SOURCE = 'source = "registry+https://github.com/rust-lang/crates.io-index"'
_HOSTS = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("index", "crates", "io"),
        ("static", "crates", "io"),
        ("registry", "npmjs", "org"),
        ("registry", "yarnpkg", "com"),
        ("nuget", "org"),
        ("proxy", "golang", "org"),
    )
)
_HOST_VARIABLES = (
    *("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "NPM_CONFIG_REGISTRY"),
    *("npm_config_registry", "GOPROXY"),
)


def files(root: Path) -> Iterator[Path]:
    """Every written file. What git and tools leave behind is skipped; other hidden folders are not."""
    for folder, folders, names in os.walk(root):
        top = Path(folder)
        folders[:] = sorted(
            name
            for name in folders
            if name not in _SKIPPED
            and not name.endswith(("_cache", ".egg-info"))
            and name not in {".git", ".venv", ".cache", ".benchmarks", ".hypothesis"}
            and not (top == root / "transport" and name == "_lib")
        )
        for name in sorted(names):
            path = top / name
            if path.is_file() and not path.is_symlink():
                yield path


def sans_io(root: Path) -> list[Finding]:
    """No clock, socket, thread or unseeded randomness in the pure crates' product code."""
    found: list[Finding] = []
    for crate in PURE:
        source = root / "core" / crate / "src"
        texts = {path: path.read_text("utf-8", "replace") for path in sorted(source.rglob("*.rs"))}
        tests: set[Path] = set()
        codes: dict[Path, str] = {}
        for path, text in texts.items():
            codes[path], modules = rust_text.product_code(text)
            home = path.parent if path.stem in {"lib", "mod", "main"} else path.with_suffix("")
            for module in modules:
                tests |= {home / f"{module}.rs", home / module}
        for path, code in codes.items():
            if tests.isdisjoint({path, *path.parents}):
                for pattern, what in _OUTSIDE.items():
                    found += [
                        _at(root, path, code, match.start(), f"`{match[0]}` {what}")
                        for match in re.finditer(pattern, code)
                    ]
    return found


def policy(root: Path) -> list[Finding]:
    """The core holds no policy: it neither reads tokens nor configuration files."""
    found: list[Finding] = []
    core = root / "core"
    for path in files(core):
        if path.suffix == ".rs" and not _is_generated(path):
            code = rust_text.without_comments(path.read_text("utf-8", "replace"))
            found += [
                _at(root, path, code, match.start(), "token formats belong to the Python hook, not the core")
                for match in _POLICY.finditer(code)
            ]
        elif path.name == "Cargo.toml":
            manifest = tomllib.loads(path.read_text("utf-8"))
            tables = [manifest, manifest.get("workspace", {})]
            crates = {name for table in tables for name in table.get("dependencies", {})}
            found += [
                Finding(_name(root, path), f"crate `{name}`: tokens and configuration are Python's")
                for name in sorted(crates & _POLICY_CRATES)
            ]
    return found


def hosts(root: Path, environment: Mapping[str, str] | None = None) -> list[Finding]:
    """No package registry's host name anywhere: whoever builds chooses where packages come from.

    Hosts named by the usual variables of pip, uv and npm on this machine count too.
    """
    names = {*_HOSTS, *_configured(os.environ if environment is None else environment)}
    pattern = re.compile("|".join(rf"(?<![\w-]){re.escape(name)}(?![\w-])" for name in sorted(names)))
    found: list[Finding] = []
    for path in files(root):
        data = path.read_bytes()
        if b"\0" in data[:8192]:
            continue
        locked = path.suffix == ".lock"
        for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
            where = f"{_name(root, path)}:{number}"
            if pattern.search(line):
                found.append(
                    Finding(where, "names a package registry's host: leave it to the machine's settings")
                )
            elif locked and "://" in line and line.strip() != _STANDARD_SOURCE:
                found.append(Finding(where, "a lock file names a source other than the standard one"))
    return found


def long_files(root: Path) -> list[Finding]:
    """Warns of files past `LONG` lines, unless they are generated."""
    found: list[Finding] = []
    for path in files(root):
        if path.suffix in _SOURCES and not _is_generated(path):
            count = len(path.read_text("utf-8", "replace").splitlines())
            if count > LONG:
                what = f"{count} lines, more than {LONG}: split it by the state it owns"
                found.append(Finding(_name(root, path), what, warning=True))
    return found


def header(root: Path) -> list[Finding]:
    """The C header declares exactly the functions that the core exports, with as many parameters."""
    path = root / "core" / "ffi" / "include" / "clutchcall.h"
    where = _name(root, path)
    text = re.sub(r"/\*.*?\*/|//[^\n]*", " ", path.read_text("utf-8"), flags=re.DOTALL)
    declared = {name: _arity(parameters) for name, parameters in _DECLARED.findall(text)}
    defined: dict[str, int] = {}
    for source in sorted((root / "core" / "ffi" / "src").rglob("*.rs")):
        code, _ = rust_text.product_code(source.read_text("utf-8", "replace"))
        defined |= {name: _arity(parameters) for name, parameters in _DEFINED.findall(code)}
    told = dict.fromkeys(declared.keys() - defined.keys(), "declared, but core/ffi/src does not define it")
    told |= dict.fromkeys(defined.keys() - declared.keys(), "defined in core/ffi/src, but not declared")
    for name in declared.keys() & defined.keys():
        if declared[name] != defined[name]:
            told[name] = f"declared with {declared[name]} parameters and defined with {defined[name]}"
    return [Finding(where, f"`{name}` is {what}") for name, what in sorted(told.items())]


def versions(root: Path) -> list[Finding]:
    """One version everywhere: the wheel's, the core's and the Unity package's."""
    with open(root / "pyproject.toml", "rb") as file:
        wanted = tomllib.load(file)["project"]["version"]
    held: dict[Path, str] = {}
    core = root / "core" / "Cargo.toml"
    if core.exists():
        held[core] = tomllib.loads(core.read_text("utf-8"))["workspace"]["package"]["version"]
    for package in sorted(root.glob("unity_package/*/package.json")):
        held[package] = str(json.loads(package.read_text("utf-8")).get("version"))
    return [
        Finding(_name(root, path), f"version {version}, but pyproject.toml says {wanted}")
        for path, version in held.items()
        if version != wanted
    ]


def locks(root: Path) -> list[Finding]:
    """Each lock was made from the requirements as they stand."""
    found: list[Finding] = []
    folder = root / "requirements"
    for source in sorted(folder.glob("*.in")):
        lock = source.with_suffix(".lock")
        if not lock.exists() or lock_mark(source) not in lock.read_text("utf-8").splitlines()[:2]:
            what = f"does not match {source.name}: run `python3 dev.py lock`"
            found.append(Finding(_name(root, lock), what))
    return found


def lock_mark(source: Path) -> str:
    """The line of a lock that ties it to the text of its `source`."""
    digest = hashlib.sha256(source.read_text("utf-8").encode()).hexdigest()
    return f"# {source.name} sha256 {digest}"


def _arity(parameters: str) -> int:
    return len([part for part in parameters.split(",") if part.strip() not in ("", "void")])


def _is_generated(path: Path) -> bool:
    with open(path, encoding="utf-8", errors="replace") as file:
        return any(_GENERATED.search(line) for line in itertools.islice(file, 10))


def _configured(environment: Mapping[str, str]) -> Iterator[str]:
    for variable in _HOST_VARIABLES:
        for url in re.split(r"[\s,|]+", environment.get(variable, "")):
            host = urlsplit(url).hostname if "://" in url else None
            if host and "." in host and not re.fullmatch(r"[\d.]+|.*:.*", host):
                yield host


def _at(root: Path, path: Path, text: str, offset: int, what: str) -> Finding:
    return Finding(f"{_name(root, path)}:{text.count(chr(10), 0, offset) + 1}", what)


def _name(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()
