"""`python -m dotnet_bridge.pack`: the Unity package as a .tgz that its Package Manager takes.

The package's folder, as it stands, and the native libraries that are built (`natives.built`), in
`Runtime/Plugins/<platform>` with the metas that tell Unity who loads them. The same inputs give the same
bytes.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import os
import sys
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from . import meta, natives
from .errors import BridgeError, ToolMissing
from .natives import NATIVES, ROOT, Native

PLUGINS = PurePosixPath("Runtime/Plugins")
_BYTES = b"\x7fELF", b"MZ", b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe"
"""What a library begins with: ELF, PE, Mach-O of several processors, and of one."""


def contents(package: Path, built: Mapping[Native, Path]) -> dict[PurePosixPath, bytes]:
    """The files of the archive by path in the package. `BridgeError` says what is wrong with one."""
    wrong = meta.problems(package)
    if wrong:
        raise BridgeError(f"{wrong[0]}: run `python -m dotnet_bridge.meta`")
    found: dict[PurePosixPath, bytes] = {}
    for path, is_folder in meta.entries(package):
        beside = path.with_name(f"{path.name}.meta")
        found[beside] = (package / beside).read_bytes()
        if not is_folder:
            found[path] = (package / path).read_bytes()
    for path in hidden(package):
        found[path] = (package / path).read_bytes()
    for native, file in built.items():
        data = file.read_bytes()
        if not data.startswith(_BYTES):
            raise BridgeError(f"{file} is no library")
        path = PLUGINS / native.platform / native.file
        found[path] = data
        found[path.with_name(f"{path.name}.meta")] = meta.for_native(path, native).encode()
        for folder in path.parents:
            if folder == PLUGINS or PLUGINS in folder.parents:
                found[folder.with_name(f"{folder.name}.meta")] = meta.for_folder(folder).encode()
    return found


def hidden(package: Path) -> Iterator[PurePosixPath]:
    """The files in folders that end in ~, samples and documentation: packed, but not imported."""
    for folder in sorted(package.glob("*~")):
        for path in sorted(folder.rglob("*")):
            inside = PurePosixPath(path.relative_to(package).as_posix())
            if path.is_file() and not any(
                part.startswith(".") or part == "__pycache__" for part in inside.parts
            ):
                yield inside


def archive(files: Mapping[PurePosixPath, bytes]) -> bytes:
    """A .tgz with everything below `package/`, sorted, without times and owners."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=6, mtime=0, filename="") as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.USTAR_FORMAT) as tarball,
    ):
        for path in sorted(files):
            entry = tarfile.TarInfo(f"package/{path}")
            entry.size = len(files[path])
            entry.mode = 0o644
            tarball.addfile(entry, io.BytesIO(files[path]))
    return packed.getvalue()


def pack(package: Path, built: Mapping[Native, Path], out: Path) -> Path:
    """Write the package's .tgz into the folder `out`; its file."""
    if not built:
        raise ToolMissing("no native core is built for any platform: run `python dev.py natives`")
    manifest = json.loads((package / "package.json").read_text("utf-8"))
    data = archive(contents(package, built))
    out.mkdir(parents=True, exist_ok=True)
    file = out / f"{manifest['name']}-{manifest['version']}.tgz"
    making = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    making.write_bytes(data)
    making.replace(file)
    return file


def main(arguments: Sequence[str] | None = None) -> int:
    """Pack, and say what is inside."""
    platforms = {native.platform: native for native in NATIVES}
    parser = argparse.ArgumentParser(
        prog="python -m dotnet_bridge.pack", description="pack the Unity package"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "build", help="folder of the .tgz")
    parser.add_argument(
        "--native",
        action="append",
        default=[],
        metavar="PLATFORM=FILE",
        help=f"a library built elsewhere; platforms: {', '.join(platforms)}",
    )
    told = parser.parse_args(arguments)
    built = natives.built()
    for one in told.native:
        platform, _, name = one.partition("=")
        if platform not in platforms or not Path(name).is_file():
            parser.error(f"--native {one}: names no known platform or no file")
        built[platforms[platform]] = Path(name)
    try:
        file = pack(meta.PACKAGE, built, told.out)
    except (BridgeError, OSError) as error:
        print(f"dotnet_bridge: {error}", file=sys.stderr)
        return 1
    missing = ", ".join(native.platform for native in NATIVES if native not in built)
    print(f"{file}: {file.stat().st_size / 1e6:.1f} MB, natives: {', '.join(one.platform for one in built)}")
    if missing:
        print(f"without natives for {missing}: run `python dev.py natives`, or pass --native")
    for native in natives.behind(built):
        print(f"the native core for {native.platform} is older than its sources: run `python dev.py natives`")
    local = natives.this_machine()
    if (
        local in built
        and not built[local].is_relative_to(natives.BUILT)
        and local.platform.startswith("Linux")
    ):
        print(
            f"{local.platform} is this machine's own build, for its glibc and newer: `python dev.py natives`"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
