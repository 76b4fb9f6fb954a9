"""The code in docs/python.md and docs/media.md runs as it stands."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

from .conftest import Relay

ROOT = Path(__file__).parents[2]
PAGES = {name: (ROOT / f"docs/{name}.md").read_text("utf-8") for name in ("python", "media")}
BLOCKS = [
    pytest.param(code, id=f"{name}-" + heading.lower().replace(" ", "-").replace("'", ""))
    for name, page in PAGES.items()
    for heading, code in re.findall(r"^## ([^\n]+)$(?:(?!^## ).)*?^```python\n(.*?)^```", page, re.M | re.S)
]


def test_every_block_is_found() -> None:
    assert len(BLOCKS) == sum(page.count("```python") for page in PAGES.values()) >= 12


@pytest.mark.parametrize("code", BLOCKS)
async def test_a_block_runs(relay: Relay, code: str, tmp_path: Path) -> None:
    script = tmp_path / "block.py"
    script.write_text(code, "utf-8")
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "CLUTCHCALL_URL": relay.url,
        "CLUTCHCALL_TOKEN": "",
        "CLUTCHCALL_CERT_SHA256": relay.trust.sha256,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-W",
        "error",
        str(script),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), 30)
    except TimeoutError:
        process.kill()
        output, _ = await process.communicate()
        pytest.fail(f"the block did not end; it said: {output.decode()}", pytrace=False)
    assert process.returncode == 0, output.decode()
