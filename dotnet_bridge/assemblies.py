"""The package's assemblies as Unity compiles them, over the shim: for which versions, with which defines.

Read from the package's own .asmdef files, so that what they gate is what is compiled. A `Project` names the
Unity packages that it has with their versions; `compile_all` compiles every assembly whose constraints hold.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import compiler, meta
from .errors import BridgeError
from .toolchain import Toolchain, find

SHIM = Path(__file__).with_name("shim")
SHIM_NAME = "ClutchCall.UnityShim"
NGO, N4E, UTP = "com.unity.netcode.gameobjects", "com.unity.netcode", "com.unity.transport"


@dataclass(frozen=True)
class Project:
    """A Unity project, as far as asmdefs ask."""

    name: str
    packages: Mapping[str, str] = field(default_factory=dict)
    """Installed packages and their versions."""
    defines: tuple[str, ...] = ()
    """Such as UNITY_EDITOR or UNITY_WEBGL."""

    @property
    def is_editor(self) -> bool:
        """Whether it is compiled for the editor, and not for a player."""
        return "UNITY_EDITOR" in self.defines


EDITOR = ("UNITY_EDITOR", "UNITY_INCLUDE_TESTS")
PROJECTS = (
    Project("no transport"),
    Project("Transport 1", {UTP: "1.5.0"}, EDITOR),
    Project("2022.3, bare Transport 2", {UTP: "2.0.2"}, EDITOR),
    Project("2022.3, NGO 1.12", {UTP: "2.3.0", NGO: "1.12.0"}, EDITOR),
    Project("2022.3, NGO 1.15, a player", {UTP: "2.4.0", NGO: "1.15.1"}),
    Project("2022.3, N4E 1.0", {UTP: "2.0.2", N4E: "1.0.17"}, EDITOR),
    Project("6, NGO 2.5", {UTP: "2.5.3", NGO: "2.5.0"}, EDITOR),
    Project("6, NGO 2.12 and N4E 1.12", {UTP: "2.7.2", NGO: "2.12.0", N4E: "1.12.0"}, EDITOR),
    Project("6, WebGL", {UTP: "2.7.2", NGO: "2.12.0", N4E: "1.12.0"}, ("UNITY_WEBGL",)),
    Project("6, iOS", {UTP: "2.7.2", NGO: "2.12.0", N4E: "1.12.0"}, ("UNITY_IOS",)),
)
"""What the tests compile the package for: each pair of versions that it names, and what it leaves out."""
WHOLE = PROJECTS[7]
"""The project that tests run in."""


@dataclass(frozen=True)
class Asmdef:
    """An assembly definition of the package."""

    name: str
    folder: Path
    references: tuple[str, ...]
    editor: bool
    unsafe: bool
    engine: bool
    """Whether it refers to the engine."""
    constraints: tuple[str, ...]
    version_defines: tuple[tuple[str, str, str], ...]
    """Package, range of versions, define."""

    @property
    def is_extra(self) -> bool:
        """Whether it is a sample or a test, which a game does not have."""
        return "Samples~" in self.folder.parts or "Tests" in self.folder.parts

    def defines(self, project: Project) -> frozenset[str]:
        """The defines that it is compiled with in a project."""
        held = {
            define
            for package, within, define in self.version_defines
            if package in project.packages and matches(project.packages[package], within)
        }
        return frozenset(held | set(project.defines))

    def compiles(self, project: Project) -> bool:
        """Whether Unity compiles it in a project."""
        if self.editor and not project.is_editor:
            return False
        held = self.defines(project)
        return all(
            any(
                (word[1:] not in held) if word.startswith("!") else (word in held)
                for word in one.split(" || ")
            )
            for one in self.constraints
        )

    @property
    def sources(self) -> list[Path]:
        """Its files: those below its folder that are not another's."""
        others = [path.parent for path in self.folder.rglob("*.asmdef") if path.parent != self.folder]
        return [
            path
            for path in sorted(self.folder.rglob("*.cs"))
            if not any(other in path.parents for other in others)
        ]


def read(path: Path) -> Asmdef:
    """An .asmdef file."""
    told = json.loads(path.read_text("utf-8"))
    return Asmdef(
        name=told["name"],
        folder=path.parent,
        references=tuple(told["references"]),
        editor=told["includePlatforms"] == ["Editor"],
        unsafe=told["allowUnsafeCode"],
        engine=not told["noEngineReferences"],
        constraints=tuple(told["defineConstraints"]),
        version_defines=tuple(
            (one["name"], one["expression"], one["define"]) for one in told["versionDefines"]
        ),
    )


def asmdefs(package: Path = meta.PACKAGE) -> list[Asmdef]:
    """The package's assemblies, each after those that it refers to. Samples are among them."""
    left = {one.name: one for one in map(read, sorted(package.rglob("*.asmdef")))}
    ordered: list[Asmdef] = []
    while left:
        ready = [one for one in left.values() if not set(one.references) & set(left)]
        if not ready:
            raise BridgeError(f"the assemblies {', '.join(left)} refer to each other in a circle")
        ordered += ready
        for one in ready:
            del left[one.name]
    return ordered


def matches(version: str, within: str) -> bool:
    """Whether a version is in a range as .asmdef files write it: "2.0.0" and newer, or "[1.12.0,2.0.0)"."""
    given = _numbers(version)
    interval = re.fullmatch(r"([\[(])([^,]+),([^,]+)([\])])", within.replace(" ", ""))
    if interval is None:
        return given >= _numbers(within)
    low, high = _numbers(interval[2]), _numbers(interval[3])
    above = given >= low if interval[1] == "[" else given > low
    below = given <= high if interval[4] == "]" else given < high
    return above and below


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.partition("-")[0].split("."))


def shims(project: Project, tools: Toolchain) -> dict[str, Path]:
    """The shim's assemblies by folder, "" for the engine and Unity Transport, as the project has them."""
    made = {"": compiler.compile(SHIM.glob("*.cs"), name=SHIM_NAME, tools=tools)}

    def add(folder: str, defines: Iterable[str] = ()) -> None:
        made[folder] = compiler.compile(
            (SHIM / folder).glob("*.cs"),
            [made[""]],
            defines,
            name=f"{SHIM_NAME}.{folder.capitalize()}",
            tools=tools,
        )

    add("editor")
    add("nunit")
    ngo = project.packages.get(NGO)
    if ngo is not None:
        gates = {"NGO_2": "2.0.0", "NGO_2_12": "2.12.0"}
        add("ngo", [define for define, oldest in gates.items() if matches(ngo, oldest)])
    if N4E in project.packages:
        add("n4e")
    return made


def compile_all(
    project: Project, tools: Toolchain | None = None, *, over: Sequence[Path] | None = None
) -> dict[str, Path]:
    """Every assembly that Unity would compile in a project, by its name, the shim's among them.

    `over` are a project's own assemblies in place of the shim. Raises `CompileError` with the compiler's
    words.
    """
    tools = tools or find()
    there = shims(project, tools) if over is None else {path.stem: path for path in over}
    made: dict[str, Path] = {}
    for one in asmdefs():
        if not one.compiles(project):
            continue
        references = [made[name] for name in one.references if name in made]
        if one.engine:
            held = {"editor"} - ({"editor"} if one.editor else set())
            held |= set() if one.is_extra else {"nunit"}
            references += [path for name, path in there.items() if name not in held]
        made[one.name] = compiler.compile(
            one.sources,
            references,
            sorted(one.defines(project)),
            name=one.name,
            unsafe=one.unsafe,
            tools=tools,
        )
    return {**{path.stem: path for path in there.values()}, **made}
