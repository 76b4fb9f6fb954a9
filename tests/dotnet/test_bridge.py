"""Finding, fetching and compiling; the metas and the packed package."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path, PurePosixPath

import pytest

import dotnet_bridge
from dotnet_bridge import fetch, meta, natives, pack, toolchain

from .conftest import CORE

pytestmark = pytest.mark.timeout(300)

ROOT = Path(__file__).resolve().parents[2]


def source(folder: Path, text: str) -> Path:
    path = folder / "Source.cs"
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("class A { int F() { return x; } }", "CS0103"),
        ("class A { void F() { int unused = 1; } }", "CS0219"),
        ("#nullable enable\nclass A { string F() => null; }", "CS8603"),
        ("record A(int B);", "CS0518"),
        ("namespace A;\nclass B { }", "CS8773"),
    ],
    ids=["error", "warning", "nullable", "needs a newer runtime", "C# 10"],
)
def test_errors_and_warnings_name_their_place(
    tools: dotnet_bridge.Toolchain, tmp_path: Path, text: str, expected: str
) -> None:
    path = source(tmp_path, text)
    with pytest.raises(dotnet_bridge.CompileError, match=re.escape(f"{path}:")) as caught:
        dotnet_bridge.compile([path], name="Wrong", tools=tools)
    assert expected in {one.id for one in caught.value.diagnostics}
    assert all(one.path == str(path) and one.line > 0 for one in caught.value.diagnostics)


def test_defines_and_unsafe_code_are_asked_for(tools: dotnet_bridge.Toolchain, tmp_path: Path) -> None:
    path = source(
        tmp_path, "#if !WANTED\n#error not defined\n#endif\nunsafe class A { int F(int* at) => *at; }"
    )
    dll = dotnet_bridge.compile([path], defines=["WANTED"], name="Defined", tools=tools, langversion="9.0")
    again = dotnet_bridge.compile([path], defines=["WANTED"], name="Defined", tools=tools)
    assert (dll, dll.read_bytes()[:2]) == (again, b"MZ")
    with pytest.raises(dotnet_bridge.CompileError, match="CS1029: #error: 'not defined'"):
        dotnet_bridge.compile([path], name="Defined", tools=tools)
    with pytest.raises(dotnet_bridge.CompileError, match="CS0227"):
        dotnet_bridge.compile([path], defines=["WANTED"], name="Defined", unsafe=False, tools=tools)
    with pytest.raises(dotnet_bridge.BridgeError, match="no sources"):
        dotnet_bridge.compile([], tools=tools)


def test_an_installed_sdk_comes_first(tools: dotnet_bridge.Toolchain, tmp_path: Path) -> None:
    """An SDK's folders, made of links to what was found, take part in a process of their own."""
    root = tmp_path / "dotnet"
    compiler = root / "sdk" / "8.0.204" / "Roslyn" / "bincore"
    references = root / "packs" / "NETStandard.Library.Ref" / "2.1.0" / "ref" / "netstandard2.1"
    for folder, real in ((compiler, tools.compiler), (references, tools.references)):
        folder.parent.mkdir(parents=True)
        folder.symlink_to(real)
    for name in ("shared", "host", "dotnet"):
        (root / name).symlink_to(tools.runtime / name)
    (root / "sdk" / "99.0.100").mkdir()
    path = source(tmp_path, f"class A {{ }} // {tmp_path}")
    script = (
        "import dotnet_bridge, pathlib, sys; print(dotnet_bridge.find());"
        "dotnet_bridge.compile([pathlib.Path(sys.argv[1])], name='FromSdk')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        cwd=ROOT,
        env={**os.environ, "DOTNET_ROOT": str(root)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = dotnet_bridge.Toolchain(root, tools.version, compiler, references)
    assert done.stdout.strip() == str(found)


def test_old_runtimes_and_halves_of_sdks_are_passed_over(tmp_path: Path) -> None:
    for name in ("3.1.32", "7.0.20", "8.0.9", "8.0.10", "9.0.0-rc.1"):
        (tmp_path / "shared" / toolchain.FRAMEWORK / name).mkdir(parents=True)
    (tmp_path / "sdk" / "8.0.404").mkdir(parents=True)
    assert toolchain.runtimes(tmp_path) == ["8.0.9", "8.0.10"]
    assert toolchain.sdk_compiler(tmp_path) is None
    assert toolchain.sdk_references(tmp_path) is None
    assert next(toolchain.roots({"DOTNET_ROOT": str(tmp_path)})) == tmp_path


def tarball(folder: Path, files: dict[str, bytes]) -> tuple[fetch.Pin, Path]:
    """A package with these files, and its pin."""
    path = folder / "package.tgz"
    with tarfile.open(path, "w:gz") as out:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            out.addfile(entry, io.BytesIO(data))
    digest = "sha512:" + hashlib.sha512(path.read_bytes()).hexdigest()
    pin = dataclasses.replace(fetch.pins()["compiler"], file=path.name, digest=digest)
    return dataclasses.replace(pin, root="package/lib/", take=("package/lib/*",), leave=("*.pdb",)), path


def test_a_package_is_checked_before_it_is_read(tmp_path: Path) -> None:
    pin, path = tarball(tmp_path, {"package/lib/a.dll": b"one"})
    fetch.check(pin, path)
    with open(path, "ab") as file:
        file.write(b"more")
    with pytest.raises(dotnet_bridge.BadPackage, match="not the pinned package"):
        fetch.check(pin, path)
    path.unlink()
    with pytest.raises(dotnet_bridge.BadPackage, match="fetched no package"):
        fetch.check(pin, path)


def test_only_what_is_needed_is_unpacked(tmp_path: Path) -> None:
    files = {
        "package/lib/a.dll": b"one",
        "package/lib/sub/b.dll": b"two",
        "package/lib/a.pdb": b"3",
        "package/x": b"4",
    }
    pin, path = tarball(tmp_path, files)
    assert fetch.unpack(pin, path, tmp_path / "out") == 6
    assert sorted(one.name for one in (tmp_path / "out").rglob("*.*")) == ["a.dll", "b.dll"]
    pin, path = tarball(tmp_path, {"package/lib/../../evil.dll": b"out"})
    with pytest.raises(dotnet_bridge.BadPackage, match="leads out"):
        fetch.unpack(pin, path, tmp_path / "out")
    pin, path = tarball(tmp_path, {"elsewhere": b""})
    with pytest.raises(dotnet_bridge.BadPackage, match="holds nothing"):
        fetch.unpack(pin, path, tmp_path / "out")


def test_what_cannot_be_fetched_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(fetch, "cache", lambda: tmp_path)
    nowhere = dataclasses.replace(fetch.pins()["runtime"], package="./no-such-folder")
    monkeypatch.setattr(fetch, "pins", lambda: {"runtime": nowhere})
    with pytest.raises(dotnet_bridge.ToolMissing, match="pip cannot fetch") as caught:
        fetch.obtain("runtime", said.append)
    assert "\n" not in str(caught.value)
    # A busy machine takes its time, and is told so.
    assert said[0] == "fetching the .NET runtime: ./no-such-folder 1.0.0, 31 MB"
    assert all("is on its way" in line for line in said[1:])
    assert list(tmp_path.iterdir()) == []


def test_sources_enable_nullable_references() -> None:
    sources = [*CORE.rglob("*.cs"), *Path(__file__).parent.rglob("*.cs")]
    assert len(sources) > 8
    assert [path for path in sources if "\n#nullable enable\n" not in path.read_text("utf-8")] == []


def test_the_metas_are_right() -> None:
    assert meta.problems() == []
    guids = [meta.guid(path) for path, _ in meta.entries(meta.PACKAGE)]
    assert len(set(guids)) == len(guids)


def test_metas_are_written_and_what_is_wrong_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    package = tmp_path / meta.PACKAGE.name
    shutil.copytree(meta.PACKAGE, package)
    first, second = package / "README.md.meta", package / "Runtime/Core/Node.cs.meta"
    first.unlink()
    second.write_text(second.read_text().replace("guid: ", "guid: 0"), "utf-8")
    (package / "Gone.cs.meta").write_text("fileFormatVersion: 2\n", "utf-8")
    assert meta.main(["--check", str(package)]) == 1
    told = capsys.readouterr().err
    assert all(words in told for words in ("README.md.meta is missing", "Node.cs.meta has not", "no Gone.cs"))
    assert meta.main([str(package)]) == 0
    assert first.read_text("utf-8") == (meta.PACKAGE / "README.md.meta").read_text("utf-8")
    assert meta.problems(package) == []
    assert meta.main(["--check", str(tmp_path)]) == 2


def test_the_packed_package_is_whole(
    native: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    windows = tmp_path / "clutchcall_core_ffi.dll"
    windows.write_bytes(b"MZ library")
    linux = natives.NATIVES[0]
    assert pack.main(["--out", str(tmp_path), "--native", f"Windows/x86_64={windows}"]) == 0
    file = tmp_path / "com.clutchcall.transport-0.1.0.tgz"
    assert str(file) in capsys.readouterr().out
    with tarfile.open(file) as packed:
        files = {
            str(PurePosixPath(entry.name).relative_to("package")): read.read()
            for entry in packed
            if (read := packed.extractfile(entry)) is not None
        }
    assert json.loads(files["package.json"])["name"] == meta.PACKAGE.name
    assert files["Runtime/Plugins/Windows/x86_64/clutchcall_core_ffi.dll"] == b"MZ library"
    if sys.platform == "linux":
        path = natives.built()[linux]
        assert files[f"Runtime/Plugins/{linux.platform}/{linux.file}"] == path.read_bytes()
    for name in files:
        if not name.endswith(".meta") and "~/" not in name:
            beside = files[f"{name}.meta"].decode()
            assert f"guid: {meta.guid(PurePosixPath(name))}\n" in beside
            for folder in PurePosixPath(name).parents[:-1]:
                assert "folderAsset: yes" in files[f"{folder}.meta"].decode()
    plugin = files["Runtime/Plugins/Windows/x86_64/clutchcall_core_ffi.dll.meta"].decode()
    assert all(words in plugin for words in ("OS: Windows", "Standalone: Win64", "CPU: x86_64"))
    built = {natives.NATIVES[2]: windows}
    assert pack.archive(pack.contents(meta.PACKAGE, built)) == pack.archive(
        pack.contents(meta.PACKAGE, built)
    )


def test_nothing_is_packed_without_a_library(tmp_path: Path) -> None:
    with pytest.raises(dotnet_bridge.ToolMissing, match="no native core"):
        pack.pack(meta.PACKAGE, {}, tmp_path)
    wrong = tmp_path / "text.so"
    wrong.write_text("text")
    with pytest.raises(dotnet_bridge.BridgeError, match="is no library"):
        pack.pack(meta.PACKAGE, {natives.NATIVES[0]: wrong}, tmp_path)
    with pytest.raises(SystemExit) as caught:
        pack.main(["--native", "Amiga=x"])
    assert caught.value.code == 2
    assert list(tmp_path.glob("*.tgz")) == []


def test_the_package_says_what_it_is() -> None:
    manifest = json.loads((meta.PACKAGE / "package.json").read_text("utf-8"))
    with open(ROOT / "pyproject.toml", "rb") as file:
        assert manifest["version"] == tomllib.load(file)["project"]["version"]
    assert (manifest["unity"], manifest["dependencies"]) == ("2022.3", {})
    assert f"## {manifest['version']}\n" in (meta.PACKAGE / "CHANGELOG.md").read_text("utf-8")
    assert (meta.PACKAGE / "LICENSE.md").read_text("utf-8") == (ROOT / "LICENSE").read_text("utf-8")
    assembly = json.loads((CORE / "ClutchCall.Core.asmdef").read_text("utf-8"))
    assert (assembly["noEngineReferences"], assembly["allowUnsafeCode"], assembly["references"]) == (
        True,
        True,
        [],
    )
    assert not any("UnityEngine" in path.read_text("utf-8") for path in CORE.glob("*.cs"))


def test_the_notices_name_every_crate_that_is_linked() -> None:
    cargo = shutil.which("cargo")
    if cargo is None:
        pytest.fail("cargo is missing: the native core was built without it?")
    command = [cargo, "tree", "--offline", "--locked", "-p", "cc-ffi", "-e", "normal,no-proc-macro"]
    done = subprocess.run(
        [*command, "--prefix", "none", "--format", "{p}"],
        cwd=ROOT / "core",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    linked = {line.split()[0] for line in done.stdout.splitlines() if line}
    linked = {name for name in linked if not name.startswith("cc-")}
    text = (meta.PACKAGE / "Third Party Notices.md").read_text("utf-8")
    named = set(re.findall(r"^\| ([\w-]+) \| (?!licence)(?!-)", text, re.MULTILINE))
    if sys.platform == "linux":
        assert named == linked
