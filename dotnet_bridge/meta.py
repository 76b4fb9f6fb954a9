"""The `.meta` files that Unity wants beside every file and folder of a package.

A guid follows from the path alone, so that it never changes and needs no Unity to be made; it is how scenes
and assemblies refer to a file. `Runtime/Core/Generated` gets its metas, by the same rule, from
`api.rpc_compiler`, and only their guids are checked here. `python -m dotnet_bridge.meta` writes the metas,
with `--check` it says what differs and exits 1.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from .natives import ROOT, Native

PACKAGE = ROOT / "unity_package" / "com.clutchcall.transport"
GENERATED = PurePosixPath("Runtime/Core/Generated")
_GUID = re.compile(r"^guid: ([0-9a-f]{32})$", re.MULTILINE)

_TAIL = "  userData: \n  assetBundleName: \n  assetBundleVariant: \n"
_DEFAULT = "DefaultImporter:\n  externalObjects: {}\n"
_IMPORTERS = {
    ".asmdef": "AssemblyDefinitionImporter:\n  externalObjects: {}\n",
    ".cs": (
        "MonoImporter:\n  externalObjects: {}\n  serializedVersion: 2\n  defaultReferences: []\n"
        "  executionOrder: 0\n  icon: {instanceID: 0}\n"
    ),
    "package.json": "PackageManifestImporter:\n  externalObjects: {}\n",
    ".md": "TextScriptImporter:\n  externalObjects: {}\n",
}


def guid(path: PurePosixPath, package: str = PACKAGE.name) -> str:
    """The guid of a file or folder, by its path in the package."""
    full = f"unity_package/{package}/{path}"
    return hashlib.md5(full.encode(), usedforsecurity=False).hexdigest()


def for_folder(path: PurePosixPath) -> str:
    """A folder's meta."""
    return f"fileFormatVersion: 2\nguid: {guid(path)}\nfolderAsset: yes\n{_DEFAULT}{_TAIL}"


def for_file(path: PurePosixPath) -> str:
    """A file's meta."""
    importer = _IMPORTERS.get(path.name) or _IMPORTERS.get(path.suffix, _DEFAULT)
    return f"fileFormatVersion: 2\nguid: {guid(path)}\n{importer}{_TAIL}"


def for_native(path: PurePosixPath, native: Native) -> str:
    """A native library's meta: loaded by the editor and the player of its system and processor alone."""
    group, player = native.players
    editor = f"CPU: {native.cpu}\n        DefaultValueInitialized: true\n        OS: {native.editor}"
    if not native.editor:
        editor = "DefaultValueInitialized: true"
    return f"""fileFormatVersion: 2
guid: {guid(path)}
PluginImporter:
  externalObjects: {{}}
  serializedVersion: 2
  iconMap: {{}}
  executionOrder: {{}}
  defineConstraints: []
  isPreloaded: 0
  isOverridable: 0
  isExplicitlyReferenced: 0
  validateReferences: 1
  platformData:
  - first:
      Any:
    second:
      enabled: 0
      settings: {{}}
  - first:
      Editor: Editor
    second:
      enabled: {int(bool(native.editor))}
      settings:
        {editor}
  - first:
      {group}: {player}
    second:
      enabled: 1
      settings:
        CPU: {native.cpu}
{_TAIL}"""


def entries(package: Path) -> Iterator[tuple[PurePosixPath, bool]]:
    """What Unity imports of a package (not what ends in ~ or begins with a dot); whether it is a folder."""

    def walk(folder: Path) -> Iterator[tuple[PurePosixPath, bool]]:
        for path in sorted(folder.iterdir()):
            if path.name.endswith(("~", ".meta")) or path.name.startswith("."):
                continue
            yield PurePosixPath(path.relative_to(package).as_posix()), path.is_dir()
            if path.is_dir():
                yield from walk(path)

    yield from walk(package)


def wanted(package: Path) -> dict[PurePosixPath, str]:
    """The metas that a package should have, by path, without the generated folder's."""
    found: dict[PurePosixPath, str] = {}
    for path, is_folder in entries(package):
        if path != GENERATED and GENERATED not in path.parents:
            found[path.with_name(f"{path.name}.meta")] = for_folder(path) if is_folder else for_file(path)
    return found


def problems(package: Path = PACKAGE) -> list[str]:
    """What is wrong with a package's metas, a line each; empty if nothing is."""
    texts = wanted(package)
    found: list[str] = []
    here = dict(entries(package))
    for path in here:
        meta = path.with_name(f"{path.name}.meta")
        file = package / Path(meta)
        if not file.is_file():
            found.append(f"{meta} is missing")
            continue
        text = file.read_text("utf-8")
        held = _GUID.search(text)
        if held is None or held[1] != guid(path):
            found.append(f"{meta} has not the guid {guid(path)} that follows from its path")
        elif meta in texts and text != texts[meta]:
            found.append(f"{meta} differs from what its kind of file has")
    for orphan in sorted(package.rglob("*.meta")):
        path = PurePosixPath(orphan.relative_to(package).as_posix()).with_suffix("")
        if path not in here:
            found.append(f"{path}.meta stands beside no {path.name}")
    return found


def write(package: Path = PACKAGE) -> list[PurePosixPath]:
    """Write the metas that are missing or differ, and remove those of nothing; what was touched."""
    touched: list[PurePosixPath] = []
    texts = wanted(package)
    for path, text in texts.items():
        file = package / Path(path)
        if not file.is_file() or file.read_text("utf-8") != text:
            file.write_text(text, "utf-8", newline="\n")
            touched.append(path)
    here = {path for path, _ in entries(package)}
    for orphan in sorted(package.rglob("*.meta")):
        path = PurePosixPath(orphan.relative_to(package).as_posix())
        if path.with_suffix("") not in here:
            orphan.unlink()
            touched.append(path)
    return touched


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the metas of the package."""
    parser = argparse.ArgumentParser(prog="python -m dotnet_bridge.meta", description="Unity's .meta files")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if something differs")
    parser.add_argument("package", nargs="?", type=Path, default=PACKAGE, help="the package's folder")
    told = parser.parse_args(arguments)
    if not (told.package / "package.json").is_file():
        print(
            f"dotnet_bridge: {told.package} holds no package.json: name a package's folder", file=sys.stderr
        )
        return 2
    if not told.check:
        print("\n".join(f"wrote {path}" for path in write(told.package)) or "the metas are right")
    left = problems(told.package)
    for line in left:
        print(f"dotnet_bridge: {line}", file=sys.stderr)
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
