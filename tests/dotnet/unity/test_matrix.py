"""The package compiles for every pair of versions that it names, and leaves out what is older."""

from __future__ import annotations

import re

import pytest

import dotnet_bridge
from dotnet_bridge import assemblies, meta
from dotnet_bridge.assemblies import N4E, NGO, PROJECTS, UTP, Project

from .conftest import Built

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize("project", PROJECTS, ids=[one.name for one in PROJECTS])
def test_a_project_compiles_what_it_should(tools: dotnet_bridge.Toolchain, project: Project) -> None:
    made = {
        name
        for name in assemblies.compile_all(project, tools)
        if not name.startswith((assemblies.SHIM_NAME, "ClutchCall.Samples", "ClutchCall.Tests"))
    }
    transport_2 = assemblies.matches(project.packages.get(UTP, "0.0.0"), "2.0.0")
    wanted = {"ClutchCall.Core"}
    if transport_2:
        wanted.add("ClutchCall.UnityTransport")
    if project.is_editor:
        wanted |= {"ClutchCall.Editor"} | ({"ClutchCall.UnityTransport.Editor"} if transport_2 else set())
    if transport_2 and NGO in project.packages:
        wanted.add("ClutchCall.NGO")
    if transport_2 and N4E in project.packages:
        wanted.add("ClutchCall.N4E")
    assert made == wanted


@pytest.mark.parametrize(
    ("packages", "absent"),
    [
        ({UTP: "1.5.0", NGO: "1.15.1"}, "ClutchCall.NGO"),
        ({UTP: "2.0.0", NGO: "1.11.0"}, "ClutchCall.NGO"),
        ({UTP: "2.3.0", NGO: "2.4.4"}, "ClutchCall.NGO"),
        ({UTP: "2.3.0", N4E: "2.0.0"}, "ClutchCall.N4E"),
        ({UTP: "2.0.0-pre.1"}, "nothing"),
    ],
)
def test_what_is_older_or_newer_is_left_out(packages: dict[str, str], absent: str) -> None:
    project = Project("other", packages)
    assert absent not in {one.name for one in assemblies.asmdefs() if one.compiles(project)}


@pytest.mark.parametrize(
    ("version", "within", "expected"),
    [
        ("2.0.0", "2.0.0", True),
        ("1.9.9", "2.0.0", False),
        ("2.10.0", "2.9.0", True),
        ("1.12.0", "[1.12.0,2.0.0)", True),
        ("2.0.0", "[1.12.0,2.0.0)", False),
        ("2.0.0", "(1.12.0,2.0.0]", True),
        ("1.12.0", "(1.12.0,2.0.0]", False),
    ],
)
def test_ranges_of_versions(version: str, within: str, expected: bool) -> None:
    assert assemblies.matches(version, within) is expected


def test_on_ios_the_core_is_linked_in(tools: dotnet_bridge.Toolchain, built: Built) -> None:
    """`__Internal` there, the library's name elsewhere: read off the compiled assemblies."""
    phone = next(one for one in PROJECTS if "UNITY_IOS" in one.defines)
    core = assemblies.compile_all(phone, tools)["ClutchCall.Core"].read_bytes()
    assert b"__Internal\0" in core
    assert b"clutchcall_core_ffi\0" not in core
    here = built.all["ClutchCall.Core"].read_bytes()
    assert b"__Internal\0" not in here
    assert b"clutchcall_core_ffi\0" in here


CALLBACKS = ("MonoPInvokeCallback", "UnmanagedFunctionPointer", "GetFunctionPointerForDelegate", "delegate*")
ARGUMENT = re.compile(r"(u?long|u?int|u?short|byte|Cc\w+)\*? \w+")


def test_il2cpp_and_burst_can_call_the_core() -> None:
    """No delegate goes across, and what does is numbers, pointers and a text's pointer and length."""
    imports = 0
    for path in (meta.PACKAGE / "Runtime").rglob("*.cs"):
        text = path.read_text("utf-8")
        assert not [word for word in CALLBACKS if word in text], path
        # What the system has, such as chmod, may take a string.
        found = re.findall(r"DllImport\(Library[^)]*\)\]\s+public static extern int \w+\(([^)]*)\);", text)
        assert text.count("DllImport(Library") == len(found), path
        for arguments in found:
            for one in filter(None, arguments.split(", ")):
                assert ARGUMENT.fullmatch(one), one
        imports += len(found)
    assert imports >= 40
