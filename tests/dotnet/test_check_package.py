"""The checker of Unity's conventions: the package as it is passes, and each rule that is broken is told."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dotnet_bridge import check_package, meta

CORE = "Runtime/Core/ClutchCall.Core.asmdef"
UTP = "Runtime/UnityTransport/ClutchCall.UnityTransport.asmdef"
EDITOR = "Editor/ClutchCall.Editor.asmdef"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    at = tmp_path / meta.PACKAGE.name
    shutil.copytree(meta.PACKAGE, at)
    return at


def test_the_package_keeps_to_the_conventions(capsys: pytest.CaptureFixture[str]) -> None:
    assert check_package.problems() == []
    assert check_package.main([]) == 0
    assert capsys.readouterr().err == ""


def edit(path: Path, **changes: Any) -> None:
    told = json.loads(path.read_text("utf-8")) | changes
    kept = {name: value for name, value in told.items() if value is not None}
    path.write_text(json.dumps(kept), "utf-8")


MANIFEST: list[tuple[dict[str, Any], str]] = [
    ({"name": "Transport"}, "no reverse domain"),
    ({"version": "1.0"}, "no semantic version"),
    ({"version": "01.0.0"}, "no semantic version"),
    ({"version": "9.9.9"}, "CHANGELOG.md has no heading for version 9.9.9"),
    ({"unity": "2022"}, "no version of Unity"),
    ({"displayName": None}, "displayName is missing"),
    (
        {"dependencies": {"com.unity.burst": "^1.8"}},
        "com.unity.burst: ^1.8 is no package with an exact version",
    ),
    ({"samples": [{"path": "Samples~/Echo"}]}, "samples[0] lacks displayName, description"),
    (
        {"samples": [{"displayName": "a", "description": "b", "path": "Samples~/Gone"}]},
        "sample Samples~/Gone is listed, but not there",
    ),
    (
        {"samples": [{"displayName": "a", "description": "b", "path": "Runtime"}]},
        "sample Runtime is not in Samples~",
    ),
]


@pytest.mark.parametrize(("changes", "words"), MANIFEST)
def test_the_manifest_is_checked(package: Path, changes: dict[str, Any], words: str) -> None:
    edit(package / "package.json", **changes)
    assert any(words in line for line in check_package.problems(package))


ASMDEFS: list[tuple[str, dict[str, Any], str]] = [
    (CORE, {"name": "Other"}, "the file is not named as its assembly"),
    (
        CORE,
        {"references": ["ClutchCall.Gone"]},
        "reference ClutchCall.Gone is neither in the package nor Unity's",
    ),
    (CORE, {"references": ["ClutchCall.Core"]}, "it refers to itself"),
    (CORE, {"references": "x"}, "references is no list"),
    (CORE, {"precompiledReferences": ["a.dll"]}, "count only with overrideReferences"),
    (CORE, {"defineConstraints": ["A || !B"]}, "B is asked for by defineConstraints"),
    (UTP, {"versionDefines": []}, "CLUTCHCALL_UTP_2 is asked for by defineConstraints"),
    (UTP, {"versionDefines": [{"name": "a", "define": "b"}]}, "lacks name, expression or define"),
    (
        UTP,
        {"versionDefines": [{"name": "a", "expression": "2 or so", "define": "CLUTCHCALL_UTP_2"}]},
        "'2 or so' is no range of versions",
    ),
    (EDITOR, {"includePlatforms": []}, "not for the Editor alone"),
    (EDITOR, {"name": "ClutchCall.Core"}, "assembly ClutchCall.Core is defined 2 times"),
]


@pytest.mark.parametrize(("name", "changes", "words"), ASMDEFS)
def test_assembly_definitions_are_checked(
    package: Path, name: str, changes: dict[str, Any], words: str
) -> None:
    edit(package / name, **changes)
    assert any(words in line for line in check_package.problems(package))


def _no_manifest(package: Path) -> None:
    (package / "package.json").write_text("{", "utf-8")


def _no_license(package: Path) -> None:
    (package / "LICENSE.md").write_text(" ", "utf-8")


def _no_pages(package: Path) -> None:
    shutil.rmtree(package / "Documentation~")


def _unlisted(package: Path) -> None:
    (package / "Samples~" / "Unlisted").mkdir(parents=True)


def _imported(package: Path) -> None:
    (package / "Samples").mkdir()


def _homeless(package: Path) -> None:
    (package / "Runtime" / "Lost.cs").write_text("", "utf-8")


def _tests(package: Path) -> None:
    path = package / "Tests" / "ClutchCall.Tests.asmdef"
    path.parent.mkdir(exist_ok=True)
    path.write_text('{"name": "ClutchCall.Tests", "includePlatforms": ["Editor"]}', "utf-8")


def _no_meta(package: Path) -> None:
    (package / "README.md.meta").unlink()


def _twice(package: Path) -> None:
    shutil.copy(package / "README.md.meta", package / "LICENSE.md.meta")


BREAKS: list[tuple[Callable[[Path], None], str]] = [
    (_no_manifest, "package.json is no JSON"),
    (_no_license, "LICENSE.md is missing or empty"),
    (_no_pages, "Documentation~ holds no page"),
    (_unlisted, "Samples~/Unlisted is not listed among samples"),
    (_imported, "name it Samples~"),
    (_homeless, "Runtime/Lost.cs belongs to no assembly"),
    (_tests, "defineConstraints lacks UNITY_INCLUDE_TESTS"),
    (_no_meta, "README.md.meta is missing: run `python -m dotnet_bridge.meta`"),
    (_twice, "stands in LICENSE.md.meta, README.md.meta: each has to have its own"),
]


@pytest.mark.parametrize(("destroy", "words"), BREAKS)
def test_files_are_checked(
    package: Path, destroy: Callable[[Path], None], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    destroy(package)
    assert check_package.main([str(package)]) == 1
    assert words in capsys.readouterr().err
