"""On WebGL, which has no native core, games run by Unity's own drivers, and a line says so."""

from __future__ import annotations

import subprocess
import sys

import pytest

import dotnet_bridge
from dotnet_bridge import assemblies
from dotnet_bridge.assemblies import PROJECTS
from tools.process import ROOT

from .conftest import CSHARP

pytestmark = pytest.mark.timeout(300)

SCRIPT = """
import importlib, pathlib, sys
import dotnet_bridge
from dotnet_bridge import _clr
_clr.start(dotnet_bridge.find())
for path in sys.argv[1:]:
    _clr.load(pathlib.Path(path))
tests, engine, n4e, netcode = map(
    importlib.import_module, ("ClutchCall.UnityTests", "UnityEngine", "ClutchCall.N4E", "Unity.NetCode")
)
tests.Semantics.EnterPlayMode()
options = importlib.import_module("ClutchCall.UnityTransport").ClutchCallOptions()
def told():
    return " / ".join(engine.Debug.Take())
driver, tracks = (tests.NgoGame("game", False, native) for native in (False, True))
driver.Transport.SetConnectionData("127.0.0.1", 0)
print(driver.Manager.StartHost(), driver.Transport.Defaults, told(), sep="|")
print(tracks.Manager.StartHost(), told(), sep="|")
netcode.NetworkStreamReceiveSystem.DriverConstructor = n4e.ClutchCallDriverConstructor(options)
server = tests.N4eServer()
print(*server.Kinds, told(), sep="|")
server.Dispose()
for game in (driver, tracks):
    game.Dispose()
print(told())
"""
"""With no native library anywhere: a call into it would be an exception."""


def test_unity_s_own_drivers_are_used(tools: dotnet_bridge.Toolchain) -> None:
    web = next(one for one in PROJECTS if "UNITY_WEBGL" in one.defines)
    made = assemblies.compile_all(web, tools)
    sources = [path for path in CSHARP.glob("*.cs") if path.name not in ("EditorView.cs", "Samples.cs")]
    games = dotnet_bridge.compile(sources, made.values(), name="ClutchCall.UnityTests", tools=tools)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *map(str, made.values()), str(games)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    driver, tracks, worlds, after = done.stdout.splitlines()
    own = "warning: ClutchCall: WebGL has no native core: Unity's own driver is used"
    assert driver == f"True|1|{own}"
    assert tracks == "False|error: ClutchCall: WebGL has no native core: use UnityTransport there"
    assert worlds == f"IPC|Socket|{own}"
    assert after == ""
