"""What the front page shows runs as it stands, and no page points at nothing."""

from __future__ import annotations

import asyncio
import json
import os
import re
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import transport
from tests.soak.children import PATIENCE, child
from transport.host import protocol

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
CLIENT, SERVER = re.findall(r"^```python\n(.*?)^```", README, re.M | re.S)
PAGES = [
    ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")
] + sorted((ROOT / "docs").rglob("*.md"))
HOST = ("--drain", "0.5", "--port", "0", "--control-port", "0", "--admin-port", "0")
NAMES = ("CLUTCHCALL_URL", "CLUTCHCALL_TOKEN", "CLUTCHCALL_CERT_SHA256")


def test_they_are_as_short_as_their_headings_say() -> None:
    lines = [sum(bool(line.strip()) for line in code.splitlines()) for code in (CLIENT, SERVER)]
    assert lines[0] <= 10
    assert lines[1] <= 20


@asynccontextmanager
async def host(folder: Path, *arguments: str) -> AsyncIterator[dict[str, str]]:
    """A host; the environment that it prints for those who join."""
    state = {"CLUTCHCALL_STATE": str(folder / "state"), "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}"}
    async with child("-m", "transport.host", *HOST, *arguments, environment=state) as found:
        yield {name: await found.line(f"{name}=") for name in NAMES}
        assert await found.end() == 0


async def test_the_client_shown_joins_what_make_host_starts(native: Path, tmp_path: Path) -> None:
    (tmp_path / "client.py").write_text(CLIENT, "utf-8")
    async with (
        host(tmp_path, "--bots", "2") as environment,
        child(str(tmp_path / "client.py"), environment=environment) as client,
    ):
        for _ in range(10):
            size = await client.line("state priority 64 ")
            assert int(size.removesuffix(" bytes")) > 16
        assert all(re.fullmatch(r"(state|event) priority \d+ \d+ bytes", line) for line in client.said)
        await client.kill()


async def test_the_server_shown_moves_its_players(native: Path, tmp_path: Path) -> None:
    (tmp_path / "walk.py").write_text(SERVER, "utf-8")
    async with host(tmp_path, "--game", "walk:Walk") as environment:
        url, token, sha256 = (environment[name] for name in NAMES)
        async with (
            transport.connect(url, token=token, trust=transport.Pinned(sha256)) as link,
            link.subscribe(protocol.down("main", link.peer_id)) as feed,
            asyncio.timeout(PATIENCE),
        ):
            moves = await link.publish(protocol.input_track("main", link.peer_id))
            said = [frame async for frame in states(feed, moves, link.peer_id)]
    assert said == ["here"]


async def states(feed: transport.Feed, moves: transport.Publication, peer_id: str) -> AsyncIterator[str]:
    """Walk right and down until the states say that one did; the events on the way."""
    async for frame in feed:
        if frame.track.name == "event":
            _, event = protocol.parse_event(frame.payload)
            yield event.decode().removeprefix(f"{peer_id} is ")
            continue
        head, body = protocol.parse_state(frame.payload)
        world = json.loads(bytes(body))
        assert world["tick"] == head.tick
        x, y = world["where"][peer_id]
        assert -y == 2 * x
        if x > 5:
            return
        # A little early, so that the input is there when its tick comes.
        moves.send(protocol.pack_inputs(head.tick + 3, None, 0, [struct.pack("bb", 1, -2)]))


def test_links_lead_somewhere() -> None:
    broken = []
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
            if "://" not in target and not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)} -> {target}")
    assert broken == []


def test_files_that_the_map_names_exist() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    broken = []
    for row in re.findall(r"^\|.*\|$", text, re.M):
        folder = Path()
        for name in re.findall(r"`([\w./*-]+?\.(?:py|rs|json|md)|(?:[\w.-]+/)+)`", row):
            path = Path(name)
            # A bare name stands in the folder of the one before it.
            if len(path.parts) == 1:
                path = folder / path
            folder = path.parent if path.suffix else path
            if not (ROOT / path).exists():
                broken.append(str(path))
    assert broken == []
