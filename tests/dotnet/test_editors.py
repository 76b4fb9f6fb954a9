"""Editors of Unity in made-up folders: found, used as a toolchain, and projects checked against them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import dotnet_bridge
from dotnet_bridge import assemblies, editors, toolchain, verify
from tools.process import ROOT

VERSION = "6000.0.23f1"


def make(hub: Path, version: str, *inner: str) -> Path:
    data = hub.joinpath(version, *inner)
    (data / "Managed" / "UnityEngine").mkdir(parents=True)
    return data


def found(*arguments: object, **named: object) -> list[tuple[str, Path]]:
    return [(one.version, one.data) for one in editors.installed(*arguments, **named)]  # type: ignore[arg-type]


def test_the_hubs_editors_are_found_on_each_system(tmp_path: Path) -> None:
    home = tmp_path / "home"
    old = make(home / "Unity" / "Hub" / "Editor", "2022.3.9f1", "Editor", "Data")
    new = make(home / "Unity" / "Hub" / "Editor", "2022.3.10f1", "Editor", "Data")
    (home / "Unity" / "Hub" / "Editor" / "left").mkdir()
    environment = {"HOME": str(home)}
    assert found(environment, "linux") == [("2022.3.9f1", old), ("2022.3.10f1", new)]
    # The user's own folder, as Unity Hub notes it.
    settings = home / ".config" / "UnityHub"
    settings.mkdir(parents=True)
    (settings / "secondaryInstallPath.json").write_text(json.dumps(str(tmp_path / "big")), "utf-8")
    newest = make(tmp_path / "big", VERSION, "Editor", "Data")
    assert found(environment, "linux")[-1] == (VERSION, newest)
    (settings / "secondaryInstallPath.json").write_text("{", "utf-8")
    assert len(found(environment, "linux")) == 2
    # And one that is named.
    named = make(tmp_path / "elsewhere", "mine", "Editor", "Data")
    assert found({**environment, "CLUTCHCALL_UNITY": str(tmp_path / "elsewhere" / "mine")}, "linux")[-1] == (
        "",
        named,
    )

    windows = make(tmp_path / "Files" / "Unity" / "Hub" / "Editor", VERSION, "Editor", "Data")
    assert found({"ProgramFiles": str(tmp_path / "Files")}, "win32") == [(VERSION, windows)]
    mac = make(tmp_path / "Applications" / "Unity" / "Hub" / "Editor", VERSION, "Unity.app", "Contents")
    assert found({"HOME": str(tmp_path)}, "darwin", root=tmp_path) == [(VERSION, mac)]
    assert found({"HOME": str(tmp_path / "none")}, "linux") == []


@pytest.fixture
def editor(tmp_path: Path, tools: toolchain.Toolchain) -> Path:
    """A home with an editor that carries this machine's runtime, compiler and references."""
    data = make(tmp_path / "home" / "Unity" / "Hub" / "Editor", VERSION, "Editor", "Data")
    (data / "NetCoreRuntime").symlink_to(tools.runtime)
    (data / "DotNetSdkRoslyn").symlink_to(tools.compiler)
    (data / "NetStandard" / "ref").mkdir(parents=True)
    (data / "NetStandard" / "ref" / "2.1.0").symlink_to(tools.references)
    return data


@pytest.mark.skipif(sys.platform != "linux", reason="an editor in the place where it is on Linux")
def test_an_editor_compiles_and_runs_where_there_is_no_sdk(editor: Path, tmp_path: Path) -> None:
    assert next(iter(toolchain.roots({"PATH": ""})), None) is None or pytest.skip("a .NET is installed here")
    source = tmp_path / "Twice.cs"
    source.write_text(
        "namespace Made { public static class Twice { public static int Of(int x) => x * 2; } }", "utf-8"
    )
    code = (
        "import dotnet_bridge, pathlib, sys\n"
        "tools = dotnet_bridge.find()\n"
        f"dll = dotnet_bridge.compile([pathlib.Path({str(source)!r})], name='Twice')\n"
        "dotnet_bridge.load(dll)\n"
        "from Made import Twice\n"
        "print(tools.runtime, tools.compiler, Twice.Of(21))"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DOTNET")}
    environment |= {"HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(editor / "NetCoreRuntime"), str(editor / "DotNetSdkRoslyn"), "42"]


def test_half_an_editor_is_none(editor: Path) -> None:
    whole = editors.Editor(VERSION, editor)
    assert toolchain.of_editor(whole) is not None
    (editor / "DotNetSdkRoslyn").unlink()
    assert toolchain.of_editor(whole) is None


@pytest.fixture
def project(tmp_path: Path, editor: Path, tools: toolchain.Toolchain) -> Path:
    """A project whose assemblies are the shim's, under Unity's names."""
    at = tmp_path / "Game"
    (at / "ProjectSettings").mkdir(parents=True)
    (at / "ProjectSettings" / "ProjectVersion.txt").write_text(f"m_EditorVersion: {VERSION}\n", "utf-8")
    (at / "Packages").mkdir()
    packages = {name: {"version": version, "depth": 0} for name, version in assemblies.WHOLE.packages.items()}
    (at / "Packages" / "packages-lock.json").write_text(json.dumps({"dependencies": packages}), "utf-8")
    compiled = at / "Library" / "ScriptAssemblies"
    compiled.mkdir(parents=True)
    for name, path in assemblies.shims(assemblies.WHOLE, tools).items():
        shutil.copy(path, compiled / f"Unity.{name or 'Engine'}.dll")
    return at


def test_a_project_that_has_everything_fits(
    project: Path, editor: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify.main([str(project), "--editor", str(editor)]) == 0
    assert f"fits Unity {VERSION}" in capsys.readouterr().out


def test_what_a_project_lacks_is_told_in_lines(
    project: Path, editor: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def told(code: int, *words: str) -> None:
        assert verify.main([str(project), "--editor", str(editor)]) == code
        lines = capsys.readouterr().err.splitlines()
        assert any(all(word in line for word in words) for line in lines), lines
        assert all(line.startswith("dotnet_bridge: ") for line in lines)

    (project / "Library" / "ScriptAssemblies" / "Unity.n4e.dll").unlink()
    told(1, "does not fit")
    shutil.rmtree(project / "Library")
    told(2, "open the project in Unity once")
    (project / "Packages" / "packages-lock.json").write_text("[]", "utf-8")
    (project / "Library" / "ScriptAssemblies").mkdir(parents=True)
    (project / "Library" / "ScriptAssemblies" / "a.dll").write_bytes(b"")
    told(2, "packages-lock.json cannot be read")
    (project / "ProjectSettings" / "ProjectVersion.txt").unlink()
    told(2, "is no Unity project")


def test_an_editor_that_is_not_there_is_named(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(editors, "installed", list)
    with pytest.raises(dotnet_bridge.BridgeError, match=f"the editor {VERSION} was not found: pass --editor"):
        verify.check(project)
