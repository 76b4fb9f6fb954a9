"""The token tool, as a function and from the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jwt
import pytest

from relay.auth import Verifier
from relay.token import jwks, main, mint, new_key, seconds, thumbprint
from transport import BadKey

from .conftest import KEY, PUBLIC

ROOT = Path(__file__).parents[2]


def claims(token: str) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(token, PUBLIC, ["ES256"], audience="clutchcall")
    return found


def test_a_token_holds_what_was_asked_for() -> None:
    token = mint(
        KEY, ["a/{peer}"], ["b"], 90, ["netcode.v1"], "c7", "blue", subject="ann", issuer="me", admin=True
    )
    found = claims(token)
    assert found["exp"] - found["iat"] == 90
    assert found["cc"] == {
        "publish": ["a/{peer}"],
        "subscribe": ["b"],
        "capabilities": ["netcode.v1"],
        "admin": True,
    }
    assert (found["peer"], found["tenant"], found["sub"], found["iss"]) == ("c7", "blue", "ann", "me")
    assert jwt.get_unverified_header(token)["kid"] == thumbprint(KEY) == jwks(KEY)["keys"][0]["kid"]
    assert jwt.get_unverified_header(mint(KEY, ["a"], kid="k1"))["kid"] == "k1"


def test_the_thumbprint_is_rfc_7638s() -> None:
    """The RFC's own example has no private half, so its members are hashed here as `_thumbprint_of` does."""
    from relay.token import _thumbprint_of

    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRX"
        "jBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaS"
        "qzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksIN"
        "HaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    )
    entry = {"kty": "RSA", "n": modulus, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"}
    assert _thumbprint_of(entry) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_a_jwks_holds_no_private_half() -> None:
    assert set(jwks(KEY)["keys"][0]) == {"kty", "crv", "x", "y", "alg", "kid", "use"}


@pytest.mark.parametrize(
    "change",
    [
        {"ttl": 0},
        {"ttl": -1},
        {"ttl": float("nan")},
        {"ttl": 1e9},
        {"peer": "a/b"},
        {"publish": "games"},
        {"publish": ["x" * 5000]},
    ],
    ids=str,
)
def test_what_no_verifier_would_take_is_not_made(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"pass|fewer"):
        mint(KEY, **{"publish": ["a"], **change})


def test_a_key_that_can_not_sign(tmp_path: Path) -> None:
    for key in (PUBLIC, b"", tmp_path / "none.pem"):
        with pytest.raises(BadKey, match="--new-key"):
            mint(key, ["a"])


@pytest.mark.parametrize(
    ("text", "value"), [("90s", 90), ("15m", 900), ("1h", 3600), ("7d", 604800), ("5", 5)]
)
def test_times(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5h", "1w", "h", "1 h", "9999999999"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="1h"):
        seconds(text)


def test_the_command_line(tmp_path: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-W", "error", "-m", "relay.token", *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    key = tmp_path / "key.pem"
    assert run("--new-key", str(key)).returncode == 0
    if os.name == "posix":
        assert key.stat().st_mode & 0o777 == 0o600
    made = run(
        "--key", str(key), "--publish", "up/{peer}", "--publish", "x", "--subscribe", "down", "--peer", "c7"
    )
    assert (made.returncode, made.stderr, made.stdout.count("\n")) == (0, "", 1)
    shown = run("--key", str(key), "--jwks")
    stamp = Verifier(json.loads(shown.stdout)).verify(made.stdout.strip().encode(), "/", "p1")
    assert (stamp.peer_id, stamp.publish, stamp.subscribe) == ("c7", ("up/c7", "x"), ("down",))


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "--key is missing"),
        (["--key", "K"], 2, "allow nothing"),
        (["--key", "K", "--publish", "a", "--ttl", "soon"], 2, "1h"),
        (["--key", "K", "--publish", "a", "--peer", "a b"], 2, "A-Z"),
        (["--key", "none.pem", "--publish", "a"], 1, "none.pem"),
        (["--new-key", "K"], 1, "there already"),
        (["--new-key", "no/such/folder/key"], 1, "No such file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_wrong_arguments(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, words: str
) -> None:
    key = tmp_path / "key.pem"
    key.write_bytes(new_key())
    assert main([str(key) if argument == "K" else argument for argument in arguments]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert err.count("\n") == 1
