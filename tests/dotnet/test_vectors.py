"""The golden vectors through the generated C#."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

from .conftest import Dotnet

pytestmark = pytest.mark.timeout(300)

VECTORS = Path(__file__).resolve().parents[2] / "api" / "vectors"
DTOS = json.loads((VECTORS / "dtos.json").read_text("utf-8"))


def packed(data: str) -> Any:
    """Bytes as .NET has them."""
    system: Any = importlib.import_module("System")
    return system.Array[system.Byte](list(bytes.fromhex(data)))


def camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def same(value: Any, wanted: Any) -> bool:
    """Whether a .NET value is what the JSON says."""
    if isinstance(wanted, dict):
        if hasattr(value, "ContainsKey"):
            return value.Count == len(wanted) and all(same(value[key], one) for key, one in wanted.items())
        return all(same(getattr(value, camel(key)), one) for key, one in wanted.items())
    if isinstance(wanted, list):
        return value.Count == len(wanted) and all(same(value[at], one) for at, one in enumerate(wanted))
    return bool(value == wanted)


def test_dtos_are_read_and_written_as_in_the_vectors(dotnet: Dotnet) -> None:
    core = dotnet.core
    for case in DTOS["dtos"]:
        made = getattr(core, case["dto"]).Read(dotnet.tests.Bodies.Unpack(packed(case["msgpack"])))
        assert same(made, case["json"]), case["dto"]
        assert bytes(core.Wire.Pack(made)).hex() == case["msgpack"], case["dto"]


def test_calls_are_read_and_written_as_in_the_vectors(dotnet: Dotnet) -> None:
    core = dotnet.core
    for case in DTOS["calls"]:
        call = dotnet.tests.Bodies.ReadCall(packed(case["msgpack"]))
        assert (call.Method, call.Request) == (case["method"], case["request"])
        body = getattr(core, case["dto"]).Read(call.Body)
        assert same(body, case["json"]), case["dto"]
        assert bytes(core.Call.Pack(case["method"], case["request"], body)).hex() == case["msgpack"]


def test_bad_bodies_are_refused_naming_the_path(dotnet: Dotnet) -> None:
    core = dotnet.core
    for case in DTOS["refused"]:
        with pytest.raises(importlib.import_module("System").Exception) as caught:
            getattr(core, case["dto"]).Read(dotnet.tests.Bodies.Unpack(packed(case["msgpack"])))
        assert isinstance(caught.value, core.WireException), case["why"]
        assert caught.value.Path == case["path"], case["why"]
