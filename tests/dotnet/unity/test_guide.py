"""The package's five-minute guide, as far as it goes without an editor: its words, and what they lead to.

Its part over a relay is `test_editor.py`'s: the window starts one, and fills in the component.
"""

from __future__ import annotations

import json
import re

import pytest

from dotnet_bridge import meta

from .conftest import Unity
from .test_ngo import Stage, logged

pytestmark = pytest.mark.timeout(300)

GUIDE = (meta.PACKAGE / "Documentation~" / "index.md").read_text("utf-8")
STEPS, SETTINGS = GUIDE.split("## Two players in five minutes")[1].split(
    "## Settings of the ClutchCall component"
)
FIELD = re.compile(r"\[SerializeField\] private [\w<>]+ (\w+)")


@pytest.fixture
def unity(inline: Unity) -> Unity:
    """No thread of a job has a part in it."""
    return inline


def source(name: str) -> str:
    (path,) = meta.PACKAGE.rglob(name)
    return path.read_text("utf-8")


def test_what_it_has_one_press_is_there() -> None:
    """Menus, samples and buttons have the names that the guide gives them."""
    steps = re.findall(r"^(\d)\. \*\*(.+?)\.?\*\*", STEPS, re.MULTILINE)
    assert [int(number) for number, _ in steps] == [1, 2, 3, 4, 5]
    assert "Add Component > Netcode > ClutchCall." in STEPS
    assert '[AddComponentMenu("Netcode/ClutchCall")]' in source("ClutchCallComponent.cs")
    assert "Window > ClutchCall > Local host" in STEPS
    window = source("LocalHostWindow.cs")
    assert '[MenuItem("Window/ClutchCall/Local host")]' in window
    manifest = json.loads((meta.PACKAGE / "package.json").read_text("utf-8"))
    assert f"Package Manager > {manifest['displayName']} > Samples > Netcode for GameObjects" in STEPS
    assert "Netcode for GameObjects" in [sample["displayName"] for sample in manifest["samples"]]
    assert f"`{manifest['name']}-<version>.tgz`" in STEPS
    menu = source("ClutchCallMenu.cs")
    for word, text in (("Host", menu), ("Join", menu), ("New code", menu), ("Start a relay", window)):
        assert word in STEPS
        assert f'Button("{word}")' in text
    assert "Fill in the selected ClutchCall component" in STEPS
    assert 'Button("Fill in the selected ClutchCall component")' in window


def test_each_setting_of_the_component_is_told() -> None:
    table = re.split(r"^## ", SETTINGS, flags=re.MULTILINE)[0]
    told = " ".join(row.split("|")[1] for row in table.splitlines() if row.startswith("| ")).lower()
    fields = FIELD.findall(source("ClutchCallComponent.cs"))
    assert len(fields) > 15
    for name in fields:
        words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).lower()
        if words.startswith("on "):
            assert words.title() in table, name
        else:
            assert ("priorities" if words.endswith("priority") else words) in told, name


def test_two_players_without_another_program(unity: Unity) -> None:
    """Steps 2 to 5: nothing is set on the component, and Host and Join are pressed."""
    scene, runs, view = Stage(unity), unity.tests.SampleRuns, unity.tests.EditorView
    view.Load()
    unity.tests.Semantics.EnterPlayMode()
    logged(unity)
    try:
        host = runs.Guide(0)
        scene.tick()
        runs.Draw(host, "Host")
        assert runs.Manager(host).IsHost
        client = runs.Guide(runs.Port(host))
        scene.tick()
        runs.Draw(client, "Join")
        scene.until(lambda: runs.Manager(client).IsConnectedClient, "the client to be let in")
        assert [int(one) for one in runs.Manager(host).ConnectedClientsIds] == [0, 1]
        for _ in range(5):
            scene.tick()
        shown = dict(line.split(": ", 1) for line in view.Inspect(runs.Component(client)) if ": " in line)
        assert {"Round trip", "Loss", "Frames dropped", "Queue"} <= set(shown)
        assert shown["Session"] == "Up"
        assert logged(unity) == []
    finally:
        unity.engine.Scene.Clear()
