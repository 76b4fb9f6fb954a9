"""A native library of another release, a damaged one, and none: a line that says what to do, and no crash."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Built

pytestmark = pytest.mark.timeout(300)

ROOT = Path(__file__).resolve().parents[3]
OTHER = """
#include <stdint.h>
#include <string.h>
typedef struct { uint32_t size, abi; } Version;
__attribute__((visibility("default"))) int32_t cc_version(Version *out) { out->abi = ABI; return 0; }
"""
SCRIPT = """
import importlib, pathlib, sys
import dotnet_bridge
from dotnet_bridge import _clr
tools = dotnet_bridge.find()
_clr.start(tools)
for path in sys.argv[1:]:
    _clr.load(pathlib.Path(path))
core, tests = map(importlib.import_module, ("ClutchCall.Core", "ClutchCall.UnityTests"))
engine = importlib.import_module("UnityEngine")
package = importlib.import_module("ClutchCall.UnityTransport")
try:
    core.Node()
except core.ClutchCallException as wrong:
    print(wrong.Status, wrong.Message, sep="|")
def state(peer):
    return f"{peer.Session.State}|{peer.Session.Reason}|{peer.Session.Text}"
server = tests.UtpPeer(package.ClutchCallOptions(), 1100, 30000, 512)
print(server.Listen("127.0.0.1", 0), state(server), sep="|")
options = package.ClutchCallOptions()
options.TrustSha256 = "00" * 32
client = tests.UtpPeer(options, 1100, 30000, 512)
client.Connect("127.0.0.1", 7777)
for _ in range(3):
    client.Update()
print(0, state(client), sep="|")
print(len([line for line in engine.Debug.Take() if line.startswith(("error", "exception"))]))
for peer in (server, client):
    peer.Dispose()
"""


def run(folder: Path, built: Built, library: Path | None) -> list[str]:
    """What a process tells whose assemblies stand beside that library alone."""
    folder.mkdir()
    for dll in built.all.values():
        shutil.copy2(dll, folder / dll.name)
    if library is not None:
        shutil.copy2(library, folder / "libclutchcall_core_ffi.so")
    names = [str(folder / dll.name) for dll in built.all.values()]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *names],
        cwd=ROOT,
        env={**os.environ, "CLUTCHCALL_STATE": str(folder / "state"), "LD_LIBRARY_PATH": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.skipif(sys.platform != "linux", reason="the libraries are made for Linux here")
@pytest.mark.parametrize("kind", ["another", "older", "damaged", "none"])
def test_a_library_that_does_not_fit(tmp_path: Path, built: Built, kind: str) -> None:
    library: Path | None = tmp_path / "library.so"
    assert library is not None
    if kind in ("another", "older"):
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            pytest.skip("no C compiler")
        source = tmp_path / "other.c"
        source.write_text(OTHER, "utf-8")
        abi = 99 if kind == "another" else 1  # and has nothing but cc_version
        command = [compiler, f"-DABI={abi}", "-shared", "-fPIC", "-o", str(library), str(source)]
        subprocess.run(command, check=True, timeout=60)
    elif kind == "damaged":
        library.write_bytes(b"\x7fELF but no library")
    else:
        library = None
    node, server, client, lines = run(tmp_path / "game", built, library)
    status, words = {
        "another": ("VersionMismatch", "speaks ABI 99, this package 1"),
        "older": ("VersionMismatch", "is of an older release than this package"),
        "damaged": ("Io", "is not there for this platform, or is damaged"),
        "none": ("Io", "is not there for this platform, or is damaged"),
    }[kind]
    mismatch = status == "VersionMismatch"
    assert node.split("|")[0] == status
    assert words in node
    reason = "Version" if mismatch else "Internal"
    assert server.split("|")[:3] == ["-11", "Ended", reason]
    assert client.split("|")[1:3] == ["Ended", reason]
    assert words in server
    assert words in client
    assert lines == "2"
    if mismatch:
        assert "restart the editor" in node
