"""The last release's client against this relay, and the other way round; and the version of the wire.

`releases.toml` names the releases. Their wheels are looked for in the folder that CLUTCHCALL_RELEASES names
(.cache/releases). While there is none, the same is played with a copy of this checkout's packages in the
release's place, so that what plays it is known to work; and the wire is held to what the vectors pin.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tomllib
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.soak import talker
from tests.soak.children import Child, child

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
TOLD = tomllib.loads((HERE / "releases.toml").read_text("utf-8"))
RELEASES: list[dict[str, Any]] = TOLD.get("release", [])
WHEELS = Path(os.environ.get("CLUTCHCALL_RELEASES", ROOT / ".cache" / "releases"))
PINNED = json.loads((HERE / "wire.json").read_text("utf-8"))


def unpacked(release: dict[str, Any], folder: Path) -> Path:
    """The release's packages; skips where its wheel is not at hand."""
    wheel = WHEELS / release["wheel"]
    if not wheel.exists():
        pytest.skip(f"{wheel} is not here: put the released wheel there")
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert found == release["sha256"], f"{wheel} is not the wheel that was released"
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(folder)
    return folder


def copied(native: Path, folder: Path) -> Path:
    """This checkout's packages as a wheel would have them."""
    shutil.copytree(
        ROOT / "transport", folder / "transport", ignore=shutil.ignore_patterns("__pycache__", "_lib")
    )
    (folder / "transport" / "_lib").mkdir()
    shutil.copy(native, folder / "transport" / "_lib" / native.name)
    return folder


@asynccontextmanager
async def relay(packages: Path) -> AsyncIterator[dict[str, str]]:
    """A relay of those packages; the environment of those who dial it."""
    async with child(str(HERE / "open_relay.py"), environment=path(packages)) as running:
        url, sha256 = (await running.line()).split()
        yield {"CLUTCHCALL_URL": url, "CLUTCHCALL_TOKEN": "", "CLUTCHCALL_CERT_SHA256": sha256}
        assert running.process.stdin is not None
        running.process.stdin.close()
        assert await running.rest() == ""


def path(packages: Path) -> dict[str, str]:
    """Only these packages; what names another native library does not count."""
    return {"PYTHONPATH": str(packages), "CLUTCHCALL_NATIVE": ""}


@asynccontextmanager
async def talk(role: str, draft: int, kind: str, packages: Path, at: dict[str, str]) -> AsyncIterator[Child]:
    """A publisher or subscriber of those packages."""
    script = str(ROOT / "tests" / "soak" / "talker.py")
    async with child(script, role, str(draft), kind, environment={**at, **path(packages)}) as running:
        yield running


async def get_along(relays: Path, publishers: Path, subscribers: Path, draft: int, kind: str) -> None:
    """Frames cross unchanged."""
    async with (
        relay(relays) as at,
        talk("subscribe", draft, kind, subscribers, at) as subscriber,
        talk("publish", draft, kind, publishers, at) as publisher,
    ):
        assert await subscriber.value() == "subscribed"
        assert await publisher.value() == "published"
        assert await publisher.value() == "sent"
        assert await subscriber.value() == talker.expected(kind)


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: str(release["version"]))
@pytest.mark.parametrize("kind", ["datagram", "text"])
async def test_a_release_gets_along(native: Path, tmp_path: Path, release: dict[str, Any], kind: str) -> None:
    theirs = unpacked(release, tmp_path)
    for draft in release["drafts"]:
        await get_along(ROOT, theirs, theirs, draft, kind)
        await get_along(theirs, ROOT, ROOT, draft, kind)
        await get_along(theirs, theirs, ROOT, draft, kind)


@pytest.mark.parametrize("kind", ["datagram", "text"])
async def test_packages_of_their_own_get_along(native: Path, tmp_path: Path, kind: str) -> None:
    theirs = copied(native, tmp_path)
    await get_along(ROOT, theirs, ROOT, 22, kind)
    await get_along(theirs, ROOT, theirs, 18, kind)


def test_the_drafts_spoken_are_those_that_are_pinned(native: Path) -> None:
    from transport._native import drafts

    assert list(drafts()) == TOLD["wire"]["drafts"]


def test_the_wire_is_as_pinned() -> None:
    changed = [name for name, digest in PINNED.items() if digests().get(name) not in (None, digest)]
    gone = sorted(PINNED.keys() - digests().keys())
    hint = "a released peer would not understand it; before the first release: python -m tests.compat.pin"
    assert not changed and not gone, f"changed {changed}, gone {gone}: {hint}"


def digests() -> dict[str, str]:
    """A digest of what each golden vector of the wire pins."""
    found = {}
    for vector in json.loads((ROOT / "api/vectors/moqt.json").read_text("utf-8"))["vectors"]:
        name = f"{vector['kind']} {vector['name']} {vector['profile']}"
        found[name] = hashlib.sha256(json.dumps(vector, sort_keys=True).encode()).hexdigest()[:16]
    return found
