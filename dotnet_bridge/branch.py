"""`python -m dotnet_bridge.branch`: the commit of the Unity package's release branch, for git URLs.

The branch `upm` holds the package at its root, native libraries and their metas inside. The commit is made
by git's plumbing over an index of its own: neither the work tree nor the checkout's index is touched, and no
remote. The same sources and libraries give the same tree; if the branch has it already, nothing is written.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from . import meta, natives, pack
from .errors import BridgeError, ToolMissing
from .natives import NATIVES, ROOT, Native

BRANCH = "upm"
_PATIENCE = 120.0  # seconds for one call of git


class Repository:
    """A git repository, by its plumbing."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def run(self, *words: str, data: bytes = b"", env: Mapping[str, str] | None = None) -> str:
        """What git prints. `BridgeError` with its last line if it fails."""
        try:
            done = subprocess.run(
                ["git", *words],
                cwd=self.root,
                input=data,
                env={**os.environ, **(env or {})},
                capture_output=True,
                timeout=_PATIENCE,
                check=False,
            )
        except FileNotFoundError:
            raise ToolMissing("git is missing: install it") from None
        except subprocess.TimeoutExpired:
            raise BridgeError(f"git {words[0]} did not end within {_PATIENCE:.0f} s") from None
        if done.returncode != 0:
            told = done.stderr.decode(errors="replace").strip().splitlines()
            raise BridgeError(f"git {words[0]}: {told[-1] if told else 'failed without a word'}")
        return done.stdout.decode(errors="replace").strip()

    def commit_of(self, name: str) -> str:
        """The commit that a reference names, empty if there is none."""
        return self.run("for-each-ref", "--format=%(objectname)", name)

    def tree(self, files: Mapping[PurePosixPath, bytes]) -> str:
        """Writes a tree of these files; its name."""
        lines = []
        for path in sorted(files):
            blob = self.run("hash-object", "-w", "--stdin", data=files[path])
            lines.append(f"100644 {blob}\t{path}\n")
        with tempfile.TemporaryDirectory() as folder:
            env = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            self.run("update-index", "--add", "--index-info", data="".join(lines).encode(), env=env)
            return self.run("write-tree", env=env)


def write(
    package: Path,
    built: Mapping[Native, Path],
    *,
    root: Path = ROOT,
    branch: str = BRANCH,
    allow_missing: bool = False,
) -> tuple[str, bool]:
    """Commit the package to the branch; the commit, and whether it is new.

    `BridgeError` if a library is missing or older than the sources, the package has changes that are not
    committed, or the branch is checked out somewhere.
    """
    missing = [native.platform for native in NATIVES if native not in built]
    if missing and not allow_missing:
        raise ToolMissing(
            f"no native core for {', '.join(missing)}: run `python dev.py natives`, or pass --allow-missing"
        )
    behind = natives.behind(built)
    if behind:
        names = ", ".join(native.platform for native in behind)
        raise BridgeError(
            f"the native core for {names} is older than its sources: run `python dev.py natives`"
        )
    git = Repository(root)
    changed = git.run("status", "--porcelain", "--", str(package)).splitlines()
    if changed:
        raise BridgeError(
            f"the package has changes that are not committed ({changed[0].strip()}): commit them"
        )
    name = f"refs/heads/{branch}"
    if f"branch {name}" in git.run("worktree", "list", "--porcelain").splitlines():
        raise BridgeError(
            f"{branch} is checked out: check out another branch there, or name one with --branch"
        )
    tree = git.tree(pack.contents(package, built))
    before = git.commit_of(name)
    if before and git.run("rev-parse", f"{before}^{{tree}}") == tree:
        return before, False
    manifest = json.loads((package / "package.json").read_text("utf-8"))
    source, when = git.run("log", "-1", "--format=%H %cI").split()
    message = f"{manifest['name']} {manifest['version']}\n\nFrom {source}.\n"
    # Of the sources' moment, so that the same sources give the same commit.
    dates = {"GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when}
    parents = ["-p", before] if before else []
    commit = git.run("commit-tree", tree, *parents, data=message.encode(), env=dates)
    git.run("update-ref", "-m", f"package {manifest['version']}", name, commit, before or "0" * len(commit))
    return commit, True


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the commit, and say what is in it."""
    parser = argparse.ArgumentParser(
        prog="python -m dotnet_bridge.branch", description="commit the Unity package to its release branch"
    )
    parser.add_argument("--branch", default=BRANCH, help="the branch, upm unless named")
    parser.add_argument(
        "--allow-missing", action="store_true", help="without the libraries that are not built"
    )
    told = parser.parse_args(arguments)
    built = natives.built()
    try:
        commit, new = write(meta.PACKAGE, built, branch=told.branch, allow_missing=told.allow_missing)
    except (BridgeError, OSError) as error:
        print(f"dotnet_bridge: {error}", file=sys.stderr)
        return 1
    inside = ", ".join(native.platform for native in built) or "none"
    print(f"{told.branch}: {commit[:12]}{'' if new else ' as it was'}, natives: {inside}")
    print(f"publish it with: git push origin {told.branch}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
