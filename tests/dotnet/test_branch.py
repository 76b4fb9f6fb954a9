"""The release branch of the Unity package, written into a repository of the test's own."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path, PurePosixPath

import pytest

import dotnet_bridge
from dotnet_bridge import branch, meta, natives, pack
from dotnet_bridge.natives import NATIVES, Native

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is missing")
WHO = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "test"), ("EMAIL", "test@localhost"))
}


def git(root: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-c", "init.defaultBranch=main", *words],
        cwd=root,
        env={**os.environ, **WHO},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.strip()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with the package in it, committed."""
    for name, value in WHO.items():
        monkeypatch.setenv(name, value)
    at = tmp_path / "checkout"
    shutil.copytree(meta.PACKAGE, package(at))
    sample = package(at) / "Samples~" / "Echo" / "Echo.cs"
    sample.parent.mkdir(parents=True, exist_ok=True)
    sample.write_text("// a sample\n", "utf-8")
    git(at, "init", "--quiet")
    git(at, "add", "-A")
    git(at, "commit", "--quiet", "-m", "sources")
    return at


def package(root: Path) -> Path:
    return root / "unity_package" / meta.PACKAGE.name


@pytest.fixture
def built(tmp_path: Path) -> dict[Native, Path]:
    found = {}
    for at, native in enumerate(NATIVES):
        path = tmp_path / f"library{at}"
        path.write_bytes(b"\x7fELF" + bytes([at]) * 100)
        found[native] = path
    return found


def test_the_branch_holds_the_package_at_its_root(root: Path, built: dict[Native, Path]) -> None:
    before = git(root, "rev-parse", "HEAD")
    (root / "left.txt").write_text("not committed", "utf-8")
    git(root, "add", "left.txt")
    commit, new = branch.write(package(root), built, root=root)
    assert new
    assert git(root, "rev-parse", "upm") == commit
    assert git(root, "log", "-1", "--format=%s|%P|%ae", "upm") == f"{meta.PACKAGE.name} 0.1.0||test@localhost"
    assert before in git(root, "log", "-1", "--format=%b", "upm")
    files = git(root, "ls-tree", "-r", "--name-only", "upm").splitlines()
    assert {"package.json", "package.json.meta", "Samples~/Echo/Echo.cs"} <= set(files)
    for native in NATIVES:
        path = PurePosixPath("Runtime/Plugins") / native.platform / native.file
        assert {str(path), f"{path}.meta"} <= set(files)
    assert set(map(PurePosixPath, files)) == set(pack.contents(package(root), built))
    # Neither the work tree nor the index knows of it.
    assert git(root, "status", "--porcelain") == "A  left.txt"
    assert git(root, "rev-parse", "HEAD") == before


def test_the_same_sources_are_the_same_commit(root: Path, built: dict[Native, Path]) -> None:
    first, _ = branch.write(package(root), built, root=root)
    assert branch.write(package(root), built, root=root) == (first, False)
    git(root, "update-ref", "-d", "refs/heads/upm")
    assert branch.write(package(root), built, root=root) == (first, True)
    built[NATIVES[0]].write_bytes(b"\x7fELF another")
    second, new = branch.write(package(root), built, root=root)
    assert new
    assert git(root, "log", "-1", "--format=%P", "upm") == first
    assert second != first


def test_what_is_missing_or_unfinished_is_refused_in_one_line(
    root: Path, built: dict[Native, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    some = {NATIVES[0]: built[NATIVES[0]]}

    def refused(built: dict[Native, Path], words: str) -> None:
        with pytest.raises(dotnet_bridge.BridgeError, match=words) as caught:
            branch.write(package(root), built, root=root)
        assert len(str(caught.value).splitlines()) == 1
        assert git(root, "branch", "--list", "upm") == ""

    refused(some, r"no native core for Linux/arm64, Windows/x86_64, macOS: .*--allow-missing")
    with monkeypatch.context() as patch:
        patch.setattr(natives, "behind", lambda found: [NATIVES[2]])
        refused(built, "Windows/x86_64 is older than its sources")
    (package(root) / "package.json").write_text("{}", "utf-8")
    refused(built, "changes that are not committed")
    git(root, "checkout", "--", ".")
    assert branch.write(package(root), some, root=root, allow_missing=True)[1]
    git(root, "worktree", "add", "--quiet", str(root.parent / "release"), "upm")
    with pytest.raises(dotnet_bridge.BridgeError, match="upm is checked out"):
        branch.write(package(root), built, root=root)


def test_libraries_of_other_sources_are_told(tmp_path: Path) -> None:
    for name in ("core/Cargo.toml", "core/Cargo.lock", "core/ffi/Cargo.toml", "core/ffi/src/lib.rs"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, "utf-8")
    linux = NATIVES[0]
    library = tmp_path / "build" / "natives" / linux.platform / linux.file
    library.parent.mkdir(parents=True)
    library.write_bytes(b"\x7fELF")
    found = natives.built(tmp_path)
    assert found == {linux: library}
    assert natives.behind(found, tmp_path) == [linux]
    note = f'{{"{linux.platform}": {{"sources": "{natives.sources(tmp_path)}"}}}}'
    (tmp_path / "build" / "natives" / "natives.json").write_text(note, "utf-8")
    assert natives.behind(found, tmp_path) == []
    (tmp_path / "core" / "ffi" / "src" / "lib.rs").write_text("changed", "utf-8")
    assert natives.behind(found, tmp_path) == [linux]
