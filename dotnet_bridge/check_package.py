"""`python -m dotnet_bridge.check_package`: whether the Unity package keeps to Unity's conventions.

Reads files alone: the manifest, its samples, the assembly definitions and what they refer to, the metas and
their guids, the texts that a package comes with. Whether the C# compiles is for the compiler.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from . import meta

_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+){2,}")
_LONGEST = 214
_NUMBER = r"(0|[1-9]\d*)"
_VERSION = re.compile(rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?")
_UNITY = re.compile(r"\d{4}\.\d+|6000\.\d+")
_RANGE = re.compile(r"\d+(\.\d+){0,2}[\w.-]*|[\[(][\w.-]*(,\s*[\w.-]*)?[\])]")
_TEXTS = ("README.md", "CHANGELOG.md", "LICENSE.md", "Third Party Notices.md")
_MANIFEST = ("name", "version", "displayName", "description", "unity", "license")
_FOREIGN = ("Unity.", "UnityEngine.", "UnityEditor.", "GUID:")
"""What the names of Unity's own assemblies begin with."""
_FOREIGN_DEFINES = re.compile(r"UNITY_\w+|ENABLE_\w+|DEVELOPMENT_BUILD|DEBUG")
_LISTS = ("references", "includePlatforms", "excludePlatforms", "defineConstraints", "precompiledReferences")


def problems(package: Path = meta.PACKAGE) -> list[str]:
    """What is wrong with a package, a line each that says where and what to do; empty if nothing is."""
    manifest, wrong = _json(package / "package.json", package)
    found = [*wrong]
    if not wrong:
        found += _manifest(manifest)
        found += _samples(package, manifest)
        found += _texts(package, manifest)
    found += _assemblies(package)
    found += [f"{line}: run `python -m dotnet_bridge.meta`" for line in meta.problems(package)]
    found += _guids(package)
    return found


def _json(path: Path, package: Path) -> tuple[dict[str, Any], list[str]]:
    name = path.relative_to(package).as_posix()
    try:
        told = json.loads(path.read_text("utf-8"))
    except OSError as error:
        return {}, [f"{name} cannot be read: {error.strerror}"]
    except ValueError as error:
        return {}, [f"{name} is no JSON: {error}"]
    return (told, []) if isinstance(told, dict) else ({}, [f"{name} holds no object"])


def _manifest(told: Mapping[str, Any]) -> Iterator[str]:
    for field in _MANIFEST:
        if not isinstance(told.get(field), str) or not told[field]:
            yield f"package.json: {field} is missing"
    name, version, unity = (str(told.get(field, "")) for field in ("name", "version", "unity"))
    if name and (not _NAME.fullmatch(name) or len(name) > _LONGEST):
        yield f"package.json: name {name!r} is no reverse domain in small letters: com.company.package"
    if version and not _VERSION.fullmatch(version):
        yield f"package.json: version {version!r} is no semantic version, such as 1.2.3 or 1.2.3-pre.1"
    if unity and not _UNITY.fullmatch(unity):
        yield f"package.json: unity {unity!r} is no version of Unity, such as 2022.3 or 6000.0"
    dependencies = told.get("dependencies", {})
    if not isinstance(dependencies, dict):
        yield "package.json: dependencies is no object"
        return
    for other, wanted in dependencies.items():
        if not _NAME.fullmatch(other) or not _VERSION.fullmatch(str(wanted)):
            yield f"package.json: dependency {other}: {wanted} is no package with an exact version"


def _samples(package: Path, told: Mapping[str, Any]) -> Iterator[str]:
    listed = set()
    for at, sample in enumerate(told.get("samples", [])):
        lacking = [field for field in ("displayName", "description", "path") if not sample.get(field)]
        if lacking:
            yield f"package.json: samples[{at}] lacks {', '.join(lacking)}"
            continue
        listed.add(sample["path"])
        if not sample["path"].startswith("Samples~/"):
            yield f"package.json: sample {sample['path']} is not in Samples~, so that it would be imported"
        if not any(path.is_file() for path in (package / sample["path"]).rglob("*")):
            yield f"package.json: sample {sample['path']} is listed, but not there"
    for folder in sorted((package / "Samples~").glob("*/")):
        if f"Samples~/{folder.name}" not in listed:
            yield f"Samples~/{folder.name} is not listed among samples in package.json"
    if (package / "Samples").exists():
        yield "Samples would be imported with the package: name it Samples~"


def _texts(package: Path, told: Mapping[str, Any]) -> Iterator[str]:
    for name in _TEXTS:
        path = package / name
        if not path.is_file() or not path.read_text("utf-8").strip():
            yield f"{name} is missing or empty"
    changes = package / "CHANGELOG.md"
    heading = rf"^## \[?{re.escape(str(told.get('version')))}\]?(\s|$)"
    if changes.is_file() and not re.search(heading, changes.read_text("utf-8"), re.MULTILINE):
        yield f"CHANGELOG.md has no heading for version {told.get('version')}"
    if not any((package / "Documentation~").glob("*.md")):
        yield "Documentation~ holds no page: the Package Manager's documentation link leads to it"


def _assemblies(package: Path) -> Iterator[str]:
    paths = sorted(package.rglob("*.asmdef"))
    told: dict[Path, dict[str, Any]] = {}
    for path in paths:
        fields, wrong = _json(path, package)
        yield from wrong
        if not wrong:
            told[path] = fields
    names: defaultdict[str, list[Path]] = defaultdict(list)
    for path, fields in told.items():
        names[str(fields.get("name"))].append(path)
    for path, fields in told.items():
        where = path.relative_to(package).as_posix()
        for line in _assembly(path.relative_to(package), fields, set(names)):
            yield f"{where}: {line}"
    for name, holders in names.items():
        if len(holders) > 1:
            places = ", ".join(path.relative_to(package).as_posix() for path in holders)
            yield f"assembly {name} is defined {len(holders)} times: {places}"
    homes = {path.parent for path in paths}
    for source in sorted(package.rglob("*.cs")):
        inside = source.relative_to(package)
        # A sample that was imported belongs to its project's own assembly.
        if homes.isdisjoint(source.parents) and not any(part.endswith("~") for part in inside.parts):
            yield f"{inside.as_posix()} belongs to no assembly: Unity compiles it into none"


def _assembly(path: Path, told: Mapping[str, Any], known: set[str]) -> Iterator[str]:
    name = told.get("name")
    if not isinstance(name, str) or path.name != f"{name}.asmdef":
        yield f"the file is not named as its assembly, {name}"
    for field in _LISTS:
        if not isinstance(told.get(field, []), list):
            yield f"{field} is no list"
            return
    for reference in told.get("references", []):
        if reference not in known and not reference.startswith(_FOREIGN):
            yield f"reference {reference} is neither in the package nor Unity's"
        if reference == name:
            yield "it refers to itself"
    if told.get("precompiledReferences") and not told.get("overrideReferences"):
        yield "precompiledReferences count only with overrideReferences"
    made = set()
    for one in told.get("versionDefines", []):
        if any(not one.get(field) for field in ("name", "expression", "define")):
            yield f"a version define lacks name, expression or define: {one}"
            continue
        made.add(one["define"])
        if not _RANGE.fullmatch(one["expression"]):
            yield f"{one['expression']!r} is no range of versions, such as 2.0.0 or [1.12.0,2.0.0)"
    for constraint in told.get("defineConstraints", []):
        for word in re.split(r"\s*\|\|\s*", constraint):
            define = word.lstrip("!")
            if define not in made and not _FOREIGN_DEFINES.fullmatch(define):
                yield f"{define} is asked for by defineConstraints, and nothing in versionDefines sets it"
    editor, tests = "Editor" in path.parts, "Tests" in path.parts
    if editor and told.get("includePlatforms") != ["Editor"]:
        yield 'it is in an Editor folder, but not for the Editor alone: includePlatforms has to be ["Editor"]'
    if tests and "UNITY_INCLUDE_TESTS" not in told.get("defineConstraints", []):
        yield "it holds tests, but defineConstraints lacks UNITY_INCLUDE_TESTS"


def _guids(package: Path) -> Iterator[str]:
    holders: defaultdict[str, list[str]] = defaultdict(list)
    for path in sorted(package.rglob("*.meta")):
        match = re.search(r"^guid: (\w+)$", path.read_text("utf-8", "replace"), re.MULTILINE)
        if match:
            holders[match[1]].append(path.relative_to(package).as_posix())
    for guid, names in holders.items():
        if len(names) > 1:
            yield f"guid {guid} stands in {', '.join(names)}: each has to have its own"


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the package; 1 if something is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m dotnet_bridge.check_package", description="Unity's conventions for packages"
    )
    parser.add_argument("package", nargs="?", type=Path, default=meta.PACKAGE, help="the package's folder")
    told = parser.parse_args(arguments)
    if not told.package.is_dir():
        parser.error(f"{told.package} is no folder")
    found = problems(told.package)
    for line in found:
        print(f"dotnet_bridge: {line}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
