"""The inspector and the window, headless: what they show, what they start, and what the editor closes."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

from .conftest import Unity, seated
from .test_ngo import Stage, hosted, joined, logged, stage

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def unity(inline: Unity) -> Unity:
    """No thread of a job has a part in it."""
    return inline


ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def view(unity: Unity) -> Any:
    found = unity.tests.EditorView
    found.Load()
    return found


@pytest.fixture
def local(view: Any) -> Any:
    """The editor's local host, which ends with the test."""
    host: Any = importlib.import_module("ClutchCall.Editor").LocalHost.Current
    view.Set("ClutchCall.Python", sys.executable)
    view.Set("ClutchCall.Folder", str(ROOT))
    view.Set("ClutchCall.Arguments", "")
    yield host
    host.Stop()


def test_the_inspector_shows_the_running_session(unity: Unity, view: Any) -> None:
    with stage(unity) as scene:
        game = scene.game("wrong", 7777, Room="a b")
        told = list(view.Inspect(game.Component))
        assert told[0] == "field mode"
        assert "Error: the room's name is not 1 to 64 letters, digits, '_', '.', '-'" in told
        assert "Session: Idle" in told
        scene.end(game)
        host, port = hosted(scene)
        client = joined(scene, port)

        def inspected(game: Any) -> dict[str, str]:
            return dict(line.split(": ", 1) for line in view.Inspect(game.Component) if ": " in line)

        scene.until(lambda: inspected(client)["Queue"].startswith("0 bytes"), "the queue to empty")
        shown = inspected(client)
        assert (shown["Session"], shown["Peers"], shown["Reconnects"]) == ("Up", "1", "0")
        assert shown["Round trip"].endswith(tuple("0123456789"))
        assert (shown["Frames dropped"], shown["Packets dropped here"]) == ("none", "none")
        assert "% of " in shown["Loss"]
        assert inspected(host)["Certificate SHA-256"] == str(host.Component.Session.CertificateSha256)


def waited(scene: Stage, local: Any, view: Any) -> None:
    scene.until(lambda: local.IsReady or not local.IsRunning, "the program to say how to join")
    assert local.IsReady, list(local.Lines())


def test_the_window_starts_a_relay_and_fills_in_how_to_join(unity: Unity, view: Any, local: Any) -> None:
    with stage(unity) as scene:
        games = [scene.game(name, 7777) for name in ("host", "client")]
        before = list(view.Window(""))
        assert "[Start a relay]" in before
        assert "[(Stop)]" in before
        view.Window("Start a relay")
        waited(scene, local, view)
        shown = list(view.Window(""))
        assert f"URL: {local.Url}" in shown
        assert "[(Fill in the selected ClutchCall component)]" in shown
        for game in games:
            view.Select(game.Object)
            view.Window("Fill in the selected ClutchCall component")
            assert view.IsDirty(game.Component)
            assert (game.Component.Url, game.Component.Token) == (local.Url, local.Token)
        view.Select(None)
        host, client = games
        assert host.Manager.StartHost()
        assert client.Manager.StartClient()
        scene.until(lambda: client.Manager.IsConnectedClient, "the client to be let in over the relay")
        view.Window("Stop")
        assert not local.IsRunning
        assert local.Problem == ""
        view.CloseWindow()


def test_the_window_starts_a_host(unity: Unity, view: Any, local: Any) -> None:
    view.Set("ClutchCall.Arguments", "--bots 0")
    with stage(unity) as scene:
        view.Window("Start a host")
        waited(scene, local, view)
        assert str(local.Url).startswith("moqt://127.0.0.1:")
        assert len(str(local.CertificateSha256)) == 64
        # Scripts are about to be reloaded, and nobody would know of the process any more.
        view.Reload()
        assert not local.IsRunning


@pytest.mark.parametrize(
    ("python", "folder", "arguments", "words"),
    [
        ("no-such-python", str(ROOT), "", "name a Python"),
        (sys.executable, "/no/such/folder", "", "is no folder"),
        (sys.executable, str(ROOT), "--nonsense", "it ended with code 2"),
    ],
)
def test_a_program_that_does_not_start_is_said_in_a_line(
    unity: Unity, view: Any, local: Any, python: str, folder: str, arguments: str, words: str
) -> None:
    for key, value in (("Python", python), ("Folder", folder), ("Arguments", arguments)):
        view.Set(f"ClutchCall.{key}", value)
    with stage(unity) as scene:
        view.Window("Start a relay")
        scene.until(lambda: not local.IsRunning, "its end")
        (line,) = [one for one in view.Window("") if one.startswith("Error: ")]
        assert words in line


@pytest.mark.parametrize("how", ["Reload", "Quit", "StopPlaying"])
def test_the_editor_closes_every_handle(unity: Unity, view: Any, how: str) -> None:
    """Before a reload, at quit and at the end of play: sessions of UTP, and nodes of a program's own."""
    with seated(unity) as table:
        server, port = table.server()
        client = table.client(port)
        own = unity.core.Node()
        handle = own.Handle
        voice = unity.core.OpusDecoder(48_000, 1)
        logged(unity)
        getattr(view, how)()
        for peer in (server, client):
            assert str(peer.Session.State) == "Ended"
        system: Any = importlib.import_module("System")
        with pytest.raises(system.Exception):
            own.Stats()
        with pytest.raises(system.Exception, match="was closed"):
            unity.tests.EditorView.Decode(voice)
        voice.Dispose()
        own.Dispose()
        assert handle != 0
        for _ in range(20):
            table.tick()
        assert logged(unity) == []


@pytest.mark.parametrize("how", ["Reload", "Quit", "StopPlaying"])
def test_handles_close_while_jobs_are_under_way(unity: Unity, view: Any, how: str) -> None:
    with seated(unity) as table:
        server, port = table.server()
        client = table.client(port)
        logged(unity)
        view.While(how, client, server)
        for _ in range(20):
            table.tick()
        assert logged(unity) == []
        assert str(client.Session.State) == str(server.Session.State) == "Ended"
