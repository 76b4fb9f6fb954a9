"""Which members of Unity the package uses, and whether a project's own assemblies have them.

`shim/contract.json` lists them by the Unity package that they come from and the oldest version that has
them, read off the package as it is compiled for each project of `assemblies`: the shim has to offer them, and
so has Unity. `python -m dotnet_bridge.contract FOLDER...` checks assemblies, such as a project's
Library/ScriptAssemblies and the editor's Managed/UnityEngine; without a folder it compiles the package over
the shim and checks that the list is right, `--write` writes it.

A member is named Type.Name/parameters, or Type.Name for a field; a type alone stands for itself. Types of
parameters are not compared.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from . import _clr, assemblies, toolchain
from .assemblies import N4E, NGO, PROJECTS, SHIM, SHIM_NAME, UTP
from .errors import BridgeError

CONTRACT = SHIM / "contract.json"
_SOURCES = {
    "Unity.Networking.Transport": f"{UTP} 2.0.0",
    "Unity.Burst": "com.unity.burst 1.8.0",
    "Unity.Netcode.": NGO,
    "Unity.NetCode.": f"{N4E} 1.0.0",
    "Unity.Entities.": "com.unity.entities 1.0.0",
}
"""What a member's name begins with, and where it comes from. NGO's oldest version is the oldest project's."""
_OPTIONAL = (NGO, N4E, "com.unity.entities")
"""Packages that a project need not have, or has in another version."""
_ENGINE = "Unity 2022.3"
_REFERENCE = 0x0100_0000
"""Tokens of the table of referred types (ECMA-335, II.22)."""
_GENERIC_INSTANCE = 0x15
"""What the signature of an instance of a generic type begins with (II.23.1.16)."""


def listed(tools: toolchain.Toolchain | None = None) -> dict[str, list[str]]:
    """The contract: members by the package and its version that they are asked of, over all projects."""
    tools = tools or toolchain.find()
    found: dict[str, str] = {}
    for project in PROJECTS:
        made = assemblies.compile_all(project, tools)
        for one in assemblies.asmdefs():
            if one.name in made and not one.is_extra:
                for name in used(made[one.name]):
                    source = next(
                        (told for start, told in _SOURCES.items() if name.startswith(start)), _ENGINE
                    )
                    if source == NGO:
                        source = f"{NGO} {project.packages[NGO]}"
                    # Projects come with their oldest versions first.
                    found.setdefault(name, source)
    groups: dict[str, list[str]] = {}
    for name in sorted(found):
        groups.setdefault(found[name], []).append(name)
    return dict(sorted(groups.items()))


def used(package: Path, of: str = SHIM_NAME) -> list[str]:
    """The types and members of the assembly `of`, or of `of.*`, that an assembly refers to, sorted."""
    with _Metadata(package) as data:
        reader, tokens = data.reader, _tokens()
        found: set[str] = set()
        types: dict[int, str] = {}
        for row in range(1, reader.TypeReferences.Count + 1):
            handle = tokens.TypeReferenceHandle(row)
            name = _referred(reader, handle, of)
            if name is not None:
                types[_REFERENCE | row] = name
                found.add(name)
        for handle in reader.MemberReferences:
            member = reader.GetMemberReference(handle)
            owner = types.get(_owner(reader, member.Parent))
            if owner is not None:
                found.add(f"{owner}.{_member(reader, member)}")
    return sorted(found)


def offered(assembly: Path) -> set[str]:
    """The types and members that an assembly defines, in the same words."""
    with _Metadata(assembly) as data:
        reader, found = data.reader, set[str]()
        for handle in reader.TypeDefinitions:
            definition = reader.GetTypeDefinition(handle)
            name = _defined(reader, definition)
            found.add(name)
            for method in definition.GetMethods():
                found.add(f"{name}.{_member(reader, reader.GetMethodDefinition(method))}")
            for field in definition.GetFields():
                found.add(f"{name}.{reader.GetString(reader.GetFieldDefinition(field).Name)}")
    return found


def missing(folders: Iterable[Path]) -> list[str]:
    """What of the contract the assemblies in these folders lack.

    A netcode package of which they have nothing is one that the project does not use, in that version.
    """
    groups: dict[str, list[str]] = json.loads(CONTRACT.read_text("utf-8"))
    there: set[str] = set()
    for folder in folders:
        for path in sorted(folder.rglob("*.dll")):
            try:
                there |= offered(path)
            except BridgeError:
                continue  # a native library
    lacking: list[str] = []
    for source, names in groups.items():
        absent = [name for name in names if name not in there]
        if not (source.startswith(_OPTIONAL) and absent == names):
            lacking += absent
    return lacking


class _Metadata:
    """An assembly's metadata, read without loading it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> _Metadata:
        _clr.refer("System.Reflection.Metadata")
        files: Any = importlib.import_module("System.IO").File
        portable: Any = importlib.import_module("System.Reflection.PortableExecutable")
        extensions: Any = importlib.import_module("System.Reflection.Metadata").PEReaderExtensions
        self._image = portable.PEReader(files.OpenRead(str(self._path)))
        try:
            if not self._image.HasMetadata:
                raise BridgeError(f"{self._path} is no .NET assembly")
            self.reader = extensions.GetMetadataReader(self._image)
        except BaseException:
            self._image.Dispose()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._image.Dispose()


def _tokens() -> Any:
    return importlib.import_module("System.Reflection.Metadata.Ecma335").MetadataTokens


def _owner(reader: Any, parent: Any) -> int:
    """The token of the type that a member is of; that of the generic type where it is an instance."""
    tokens = _tokens()
    kinds: Any = importlib.import_module("System.Reflection.Metadata").HandleKind
    if parent.Kind != kinds.TypeSpecification:
        return int(tokens.GetToken(parent))
    handle = tokens.TypeSpecificationHandle(tokens.GetRowNumber(parent))
    blob = reader.GetBlobReader(reader.GetTypeSpecification(handle).Signature)
    if blob.ReadByte() != _GENERIC_INSTANCE:
        return 0
    blob.ReadByte()  # class or value type
    return int(tokens.GetToken(blob.ReadTypeHandle()))


def _referred(reader: Any, handle: Any, of: str) -> str | None:
    """The full name of a type of the assembly `of`; None for another's."""
    tokens = _tokens()
    kinds: Any = importlib.import_module("System.Reflection.Metadata").HandleKind
    reference = reader.GetTypeReference(handle)
    name, scope = str(reader.GetString(reference.Name)), reference.ResolutionScope
    row = tokens.GetRowNumber(scope)
    if scope.Kind == kinds.TypeReference:
        outer = _referred(reader, tokens.TypeReferenceHandle(row), of)
        return f"{outer}.{name}" if outer else None
    if scope.Kind != kinds.AssemblyReference:
        return None
    assembly = reader.GetAssemblyReference(tokens.AssemblyReferenceHandle(row))
    if not f"{reader.GetString(assembly.Name)}.".startswith(f"{of}."):
        return None
    return f"{reader.GetString(reference.Namespace)}.{name}"


def _defined(reader: Any, definition: Any) -> str:
    outer = definition.GetDeclaringType()
    name = str(reader.GetString(definition.Name))
    if not outer.IsNil:
        return f"{_defined(reader, reader.GetTypeDefinition(outer))}.{name}"
    return f"{reader.GetString(definition.Namespace)}.{name}"


def _member(reader: Any, member: Any) -> str:
    """A method with the number of its parameters, or a field."""
    kinds: Any = importlib.import_module("System.Reflection.Metadata").SignatureKind
    name = str(reader.GetString(member.Name))
    blob = reader.GetBlobReader(member.Signature)
    header = blob.ReadSignatureHeader()
    if header.Kind != kinds.Method:
        return name
    if header.IsGeneric:
        blob.ReadCompressedInteger()
    return f"{name}/{blob.ReadCompressedInteger()}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Check, or write, the contract."""
    parser = argparse.ArgumentParser(
        prog="python -m dotnet_bridge.contract", description="the members of Unity that the package uses"
    )
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER", help="assemblies to check")
    parser.add_argument("--write", action="store_true", help="write the list anew")
    told = parser.parse_args(arguments)
    for folder in told.folders:
        if not folder.is_dir():
            parser.error(f"{folder} is no folder: name one that holds assemblies")
    try:
        tools = toolchain.find()
        _clr.start(tools)
        if told.folders:
            lacking = missing(told.folders)
            for name in lacking:
                print(f"dotnet_bridge: {name} is missing: the package does not fit", file=sys.stderr)
            return 1 if lacking else 0
        text = json.dumps(listed(tools), indent=2) + "\n"
    except BridgeError as error:
        print(f"dotnet_bridge: {error}", file=sys.stderr)
        return 1
    if told.write:
        CONTRACT.write_text(text, "utf-8", newline="\n")
    elif not CONTRACT.is_file() or CONTRACT.read_text("utf-8") != text:
        print(f"dotnet_bridge: {CONTRACT} is not what the package uses: pass --write", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
