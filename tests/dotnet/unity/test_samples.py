"""The samples, and the tests for the runner of Unity: compiled for the projects that have them, and run."""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

import dotnet_bridge
import transport
from dotnet_bridge import assemblies, meta

from ..conftest import PATIENCE
from .conftest import TICK, Unity

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def unity(inline: Unity) -> Unity:
    inline.tests.Semantics.EnterPlayMode()
    return inline


def until(unity: Unity, done: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < end, f"waited for {what}"
        unity.engine.Scene.Step()
        time.sleep(TICK)


def relay(certificate: transport.credentials.Certificate) -> transport.Node:
    config = transport.RelayConfig(certificate.certificate, certificate.key, open_scope="")
    return transport.Node(config)


def test_every_sample_is_listed_and_compiled(tools: dotnet_bridge.Toolchain) -> None:
    listed = json.loads((meta.PACKAGE / "package.json").read_text("utf-8"))["samples"]
    folders = {path.name for path in (meta.PACKAGE / "Samples~").iterdir()}
    assert {one["path"] for one in listed} == {f"Samples~/{name}" for name in folders}
    assert all(one["displayName"] and one["description"] for one in listed)
    made = assemblies.compile_all(assemblies.WHOLE, tools)
    assert {f"ClutchCall.Samples.{name}" for name in folders} <= set(made)
    bare = assemblies.compile_all(assemblies.PROJECTS[0], tools)
    assert {"ClutchCall.Samples.Echo", "ClutchCall.Samples.SoakBot", "ClutchCall.Samples.Voice"} <= set(bare)
    assert "ClutchCall.Samples.NGO" not in bare


def test_echo(unity: Unity, certificate: transport.credentials.Certificate) -> None:
    with relay(certificate) as node:
        url = f"moqt://127.0.0.1:{node.port}"
        assert unity.tests.SampleRuns.Echo(url, "", certificate.sha256, 5, PATIENCE) >= 5


def test_soak_bots(unity: Unity, certificate: transport.credentials.Certificate) -> None:
    sample: Any = importlib.import_module("ClutchCall.Samples.SoakBot")
    options = unity.core.LinkOptions()
    with relay(certificate) as node, node.subscribe("games/soak/up", capability="netcode.v1") as feed:
        options.Url, options.TrustSha256 = f"moqt://127.0.0.1:{node.port}", certificate.sha256
        bots = sample.Bots(options, "soak", 20, 32)
        try:
            end = time.monotonic() + PATIENCE
            seen: set[int] = set()
            while len(seen) < 20:
                assert time.monotonic() < end, str(bots.Report)
                bots.Tick()
                seen |= {frame.track.id for frame in feed.drain()}
                time.sleep(TICK)
            assert (bots.Report.Connected, bots.Report.Ended) == (20, 0)
            assert bots.Report.Sent >= 20
            assert str(bots.Report).startswith("20/20 bots, ")
        finally:
            bots.Dispose()


def test_the_menu_of_netcode_for_gameobjects(
    unity: Unity, certificate: transport.credentials.Certificate
) -> None:
    runs = unity.tests.SampleRuns
    with relay(certificate) as node:
        place = (f"moqt://127.0.0.1:{node.port}", "", certificate.sha256)
        host, client = (runs.Menu(*place) for _ in range(2))
        try:
            unity.engine.Scene.Step()
            assert "[Host]" in list(runs.Draw(host, "Host"))
            runs.Draw(client, "Join")
            until(unity, lambda: runs.Manager(client).IsConnectedClient, "the client to be let in")
            shown = list(runs.Draw(client, ""))
            assert shown[0] == "[Leave]"
            assert shown[1].startswith("Up")
            # Another host takes the room over, and the sample's client follows it.
            other = runs.Menu(*place)
            unity.engine.Scene.Step()
            runs.Draw(other, "Host")
            until(
                unity, lambda: len(list(runs.Manager(other).ConnectedClientsIds)) == 2, "the client to follow"
            )
            runs.Draw(client, "Leave")
            until(unity, lambda: not runs.Manager(client).IsListening, "the client to leave")
        finally:
            unity.engine.Scene.Clear()


def test_the_bootstrap_of_netcode_for_entities(unity: Unity) -> None:
    reflection: Any = importlib.import_module("System.Reflection")
    assembly = reflection.Assembly.Load("ClutchCall.Samples.N4E")
    early = unity.engine.RuntimeInitializeLoadType.AfterAssembliesLoaded
    assert unity.engine.RuntimeInitializeOnLoadMethodAttribute.Run(assembly, early) == 1
    hook = unity.tests.N4eHook
    try:
        assert hook.Current == "ClutchCall.N4E.ClutchCallDriverConstructor"
        server = unity.tests.N4eServer()
        assert list(server.Kinds) == ["IPC", "Socket"]
        server.Dispose()
    finally:
        hook.Reset()


def test_voice(unity: Unity, certificate: transport.credentials.Certificate) -> None:
    """There is one microphone, which both send; each hears the other."""
    runs = unity.tests.SampleRuns
    with relay(certificate) as node:
        place = (f"moqt://127.0.0.1:{node.port}", "", certificate.sha256)
        players = [runs.Voice(*place) for _ in range(2)]
        piece = 0

        def heard() -> bool:
            nonlocal piece
            runs.Hum(piece)
            piece += 1
            return all(float(runs.Loudest(one)) > 0.3 for one in players)

        try:
            until(unity, heard, "both to hear the tone")
            assert all(runs.IsSpeaking(one) for one in players)
        finally:
            unity.engine.Scene.Clear()


def test_the_tests_for_unity_s_runner_pass(unity: Unity) -> None:
    runner: Any = importlib.import_module("NUnit.Framework").Runner
    told = [*runner.Run("ClutchCall.Tests.Runtime"), *runner.Run("ClutchCall.Tests.Editor")]
    assert len(told) == 5
    assert [line for line in told if not line.endswith(" ok")] == []
