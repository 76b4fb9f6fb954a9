"""What docs/relay.md and docs/auth.md say runs, and is all there is to say."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sys
from pathlib import Path

import jwt
import pytest

from relay._options import _parser
from relay.auth import Verifier
from relay.token import jwks, new_key
from transport import credentials

from .conftest import PATIENCE, Stand, everything
from .test_main import ROOT, running

RELAY = (ROOT / "docs/relay.md").read_text("utf-8")
AUTH = (ROOT / "docs/auth.md").read_text("utf-8")


def blocks(page: str, kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


async def run(folder: Path, *command: str) -> str:
    environment = os.environ | {
        "CLUTCHCALL_STATE": str(folder / "state"),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(folder)]),
    }
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(PATIENCE * 2):
        out, err = await process.communicate()
    assert (process.returncode, err.decode()) == (0, ""), command
    return out.decode()


def prepare(folder: Path) -> None:
    """What the pages take as given."""
    certificate = credentials.make_certificate()
    (folder / "fullchain.pem").write_bytes(certificate.certificate)
    (folder / "privkey.pem").write_bytes(certificate.key)
    (folder / "keys.json").write_text(json.dumps(jwks(new_key())))
    credentials.token_key(folder / "state")


@pytest.mark.skipif(shutil.which("sh") is None, reason="the commands are for a POSIX shell")
@pytest.mark.parametrize("page", [RELAY, AUTH], ids=["relay", "auth"])
async def test_the_commands_run(native: Path, tmp_path: Path, page: str) -> None:
    prepare(tmp_path)
    for code in blocks(AUTH, "python"):
        if "async def admit" in code:
            (tmp_path / "lobby.py").write_text(code)
    # Ports of this test's own, and an end.
    bounded = r"\g<0> --bind 127.0.0.1 --port 0 --control-port 0 --admin-port 0 --drain 1 --duration 1s"
    scripts = [
        re.sub(r"^python -m relay( .*)$", bounded, code, flags=re.MULTILINE) for code in blocks(page, "sh")
    ]
    assert len(scripts) >= 2
    for script in scripts:
        out = await run(tmp_path, "sh", "-e", "-c", script)
        assert out.strip()


async def test_the_python_of_auth_runs(tmp_path: Path) -> None:
    (tmp_path / "signing.pem").write_bytes(key := new_key())
    (code,) = [code for code in blocks(AUTH, "python") if "mint(" in code]
    out = await run(tmp_path, sys.executable, "-W", "error", "-c", code)
    assert Verifier(jwks(key)).verify(out.strip().encode(), "/", "p1").peer_id == "c7"


async def test_the_python_of_relay_runs(stand: Stand, tmp_path: Path) -> None:
    (code,) = blocks(RELAY, "python")
    async with stand.connect(everything("c7")):
        arguments = (f"https://{stand.control.address}", stand.trust.sha256, everything(admin=True))
        out = await run(tmp_path, sys.executable, "-W", "error", "-c", code, *arguments)
    assert "Health(status='ok'" in out
    assert "c7 127.0.0.1:" in out


def test_the_claims_are_taken_as_they_stand() -> None:
    (text,) = blocks(AUTH, "json")
    claims = json.loads(text)
    key = new_key()
    token = jwt.encode(claims, key, "ES256")
    stamp = Verifier(jwks(key), clock=lambda: claims["nbf"]).verify(token.encode(), "/", "p1")
    assert stamp.publish == ("games/room1/up/c7",)
    assert stamp.subscribe == ("games/room1/down/c7", "games/room1/chat")
    assert (stamp.peer_id, stamp.tenant, stamp.subject) == ("c7", "studio-blue", "account-4711")


def test_every_option_is_in_the_table() -> None:
    table = RELAY.partition("## Options")[2].partition("## ")[0]
    named = set(re.findall(r"--[a-z][a-z0-9-]*", table))
    known = {
        option for action in _parser()._actions for option in action.option_strings if option.startswith("--")
    }
    assert named == known - {"--help"}


async def test_every_metric_is_in_the_table(native: Path, tmp_path: Path) -> None:
    table = RELAY.partition("## Metrics and health")[2].partition("## The control")[0]
    (tmp_path / "keys.json").write_text(json.dumps(jwks(new_key())))
    async with running(tmp_path, "--jwks", str(tmp_path / "keys.json"), "--shards", "2") as relay:
        _, body = await relay.get("/metrics")
        assert (await relay.end())[0] == 0
    shown = set(re.findall(r"^# TYPE (\S+) ", body, re.MULTILINE))
    rows = "\n".join(line for line in table.splitlines() if line.startswith("| `"))
    assert set(re.findall(r"`(clutchcall_\w+)", rows)) == shown
