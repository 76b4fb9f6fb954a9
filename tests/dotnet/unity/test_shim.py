"""The shim bites where Unity does, and the interface alone behaves within it."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

import dotnet_bridge
from dotnet_bridge import contract, meta
from dotnet_bridge.assemblies import SHIM, SHIM_NAME

from ..conftest import PATIENCE
from .conftest import SOURCES, Built, Unity, seated

pytestmark = pytest.mark.timeout(300)

INTERFACE = """
#nullable enable
using Unity.Jobs;
using Unity.Networking.Transport;
public unsafe KIND Own : INetworkInterface
{
    FIELD
    public NetworkEndpoint LocalEndpoint => default;
    public int Initialize(ref NetworkSettings settings, ref int packetPadding) => 0;
    public JobHandle ScheduleReceive(ref ReceiveJobArguments arguments, JobHandle dep) { BODY return dep; }
    public JobHandle ScheduleSend(ref SendJobArguments arguments, JobHandle dep) => dep;
    public int Bind(NetworkEndpoint endpoint) => 0;
    public int Listen() => 0;
    public void Dispose() { }
    public static NetworkDriver Make() => NetworkDriver.Create(new Own());
}
"""


@pytest.mark.parametrize(
    ("kind", "field", "body", "expected"),
    [
        ("class", "", "", "CS8377"),
        ("struct", "public string? Text;", "", "CS8377"),
        ("struct", "public int Number;", "arguments.ReceiveQueue[0].SetUnsafeMetadata(1);", "CS1061"),
    ],
    ids=["a class", "a reference", "internal metadata"],
)
def test_what_unity_does_not_compile(
    tools: dotnet_bridge.Toolchain,
    built: Built,
    tmp_path: Path,
    kind: str,
    field: str,
    body: str,
    expected: str,
) -> None:
    source = tmp_path / "Own.cs"
    text = INTERFACE.replace("KIND", kind).replace("FIELD", field).replace("BODY", body)
    source.write_text(text, "utf-8")
    with pytest.raises(dotnet_bridge.CompileError) as caught:
        dotnet_bridge.compile([source], [built.shim], name="Own", tools=tools)
    assert {one.id for one in caught.value.diagnostics} == {expected}


def test_jobs_with_pointers_are_refused_and_those_that_throw_logged(loaded: Unity) -> None:
    loaded.engine.Debug.Take()
    told = loaded.tests.Semantics.Jobs().split("; ")
    assert told[0].startswith("Bare.At uses unsafe Pointers")
    assert told[1].startswith("Nested.Inner.At uses unsafe Pointers")
    assert told[2].startswith("Reference.Text is not a value type")
    assert told[3:5] == ["ran", "ran"]
    (line,) = loaded.engine.Debug.Take()
    assert re.match("exception: .*in a job", line)


def test_the_editor_s_checks_may_be_off(loaded: Unity, state: Path) -> None:
    checks: Any = importlib.import_module("Unity.Collections").Checks
    loaded.engine.Debug.Take()
    checks.Enabled = False
    try:
        with seated(loaded) as table:
            _, port = table.server()
            client = table.client(port)
            for pipeline in range(4):
                client.Send(pipeline, 1000, pipeline)
            table.until(lambda: client.Outstanding == 0, "the echoes")
    finally:
        checks.Enabled = True
    assert [line for line in loaded.engine.Debug.Take() if not line.startswith("info")] == []


def test_the_contract_lists_what_the_package_uses(
    built: Built, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = json.loads(contract.CONTRACT.read_text("utf-8"))
    assert contract.main([]) == 0, "python -m dotnet_bridge.contract --write"
    shims = [dll for name, dll in built.all.items() if name.startswith(SHIM_NAME)]
    assert contract.main([str(dll.parent) for dll in shims]) == 0
    # Without a netcode package nothing is missing but the editor's part, which is another assembly.
    assert contract.main([str(built.shim.parent)]) == 1
    lacking = capsys.readouterr().err.splitlines()
    assert lacking
    assert all("UnityEditor." in line or "UnityEngine.GUI" in line for line in lacking)
    assert contract.main([str(tmp_path)]) == 1
    told = capsys.readouterr().err.splitlines()
    needed = [names for source, names in listed.items() if not source.startswith("com.unity.netcode")]
    assert len(told) == sum(len(names) for names in needed if "Unity.Entities.World" not in names)
    assert "Unity.Networking.Transport.PacketProcessor.AppendToPayload/2 is missing" in "\n".join(told)
    with pytest.raises(SystemExit) as caught:
        contract.main([str(tmp_path / "none")])
    assert caught.value.code == 2


def test_sources_and_the_assembly_are_as_unity_wants_them() -> None:
    sources = [*meta.PACKAGE.rglob("*.cs"), *SHIM.rglob("*.cs")]
    assert len(sources) > 12
    assert [path for path in sources if "\n#nullable enable\n" not in path.read_text("utf-8")] == []
    assembly = json.loads((SOURCES / "ClutchCall.UnityTransport.asmdef").read_text("utf-8"))
    (gate,) = assembly["versionDefines"]
    assert gate["name"] == "com.unity.transport"
    assert assembly["defineConstraints"] == [gate["define"]]
    assert "ClutchCall.Core" in assembly["references"]


def test_the_driver_works_on_a_copy(unity: Unity) -> None:
    assert unity.tests.Semantics.Copied() == "0 False 127.0.0.1:0 -3"


def test_a_packet_costs_no_garbage(loaded: Unity, state: Path) -> None:
    alone = loaded.tests.Direct(PATIENCE)
    try:
        alone.Run(3000)
        alone.Run(20_000)
        print(f"{alone.Nanoseconds:.0f} ns a packet through the send job")
        assert (alone.Received, alone.Bytes) == (20_000, 0)
    finally:
        alone.Dispose()


def test_a_queue_that_is_too_small_loses_nothing_but_what_is_too_large(loaded: Unity, state: Path) -> None:
    loaded.engine.Debug.Take()
    alone = loaded.tests.Direct(PATIENCE)
    try:
        assert alone.Cramped() == "4 10 1"
        assert alone.ToNobody() == 1
    finally:
        alone.Dispose()
    lines = list(loaded.engine.Debug.Take())
    assert lines.count("error: Receive error -10") in (1, 2), lines
