"""The package's Core, compiled and loaded once, with the tests' own C# beside it."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import dotnet_bridge
import transport
from dotnet_bridge import assemblies, meta

CORE = meta.PACKAGE / "Runtime" / "Core"
CSHARP = Path(__file__).with_name("csharp")
PATIENCE = 60.0
"""How long anything may take on a busy machine, seconds."""
FETCH = 80.0
"""How long each of the three packages may take to come, seconds: their sum stays below a test's time."""


@dataclass(frozen=True)
class Dotnet:
    """Loaded assemblies as Python modules."""

    core: Any
    """ClutchCall.Core"""
    tests: Any
    """ClutchCall.Tests"""


@pytest.fixture(scope="session")
def tools() -> dotnet_bridge.Toolchain:
    """A runtime and compiler; skips where there is none and none can be fetched."""
    try:
        return dotnet_bridge.find(patience=FETCH)
    except dotnet_bridge.ToolMissing as missing:
        pytest.skip(f"no .NET: {missing}")


@pytest.fixture(scope="session")
def core_dll(tools: dotnet_bridge.Toolchain) -> Path:
    """The package's Core; the same file as in tests of the whole, as a process loads but one."""
    return assemblies.compile_all(assemblies.WHOLE, tools)["ClutchCall.Core"]


@pytest.fixture(scope="session")
def dotnet(tools: dotnet_bridge.Toolchain, core_dll: Path, native: Path) -> Dotnet:
    """The package and the tests' C#, in this process, over the release build of the native core."""
    tests_dll = dotnet_bridge.compile(
        CSHARP.glob("*.cs"), references=[core_dll], name="ClutchCall.Tests", unsafe=False, tools=tools
    )
    dotnet_bridge.load(core_dll, native, tools=tools)
    dotnet_bridge.load(tests_dll, native, tools=tools)
    modules = [importlib.import_module(name) for name in ("ClutchCall.Core", "ClutchCall.Tests")]
    return Dotnet(*modules)


@pytest.fixture(scope="session")
def certificate() -> transport.credentials.Certificate:
    return transport.credentials.make_certificate()
