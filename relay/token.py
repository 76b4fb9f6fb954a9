"""Makes tokens and the keys that sign them.

    python -m relay.token --new-key signing.pem
    python -m relay.token --key signing.pem --peer c7 --publish games/room1/up/c7 --subscribe games/room1/down
    python -m relay.token --key signing.pem --jwks

Only the token (or the JWKS document) goes to standard output.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import jwt
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.utils import base64url_encode

from transport import BadKey

from ._keys import Secret, algorithm_of
from .auth import MAX_TOKEN, PEER_ID

SigningKey: TypeAlias = bytes | str | Path | Secret
"""A private key's PEM bytes, the path of its file, or a secret for HS256."""
AUDIENCE = "clutchcall"
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_MAX_TTL = 366 * 86400


def mint(
    key: SigningKey,
    publish: Iterable[str] = (),
    subscribe: Iterable[str] = (),
    ttl: float = 3600,
    capabilities: Iterable[str] = (),
    peer: str | None = None,
    tenant: str | None = None,
    kid: str | None = None,
    now: float | None = None,
    *,
    subject: str | None = None,
    audience: str = AUDIENCE,
    issuer: str | None = None,
    admin: bool = False,
    extra: dict[str, Any] | None = None,
) -> str:
    """A token that is valid for `ttl` seconds from `now`.

    In grants `{peer}` stands for the peer id. `kid` is the key's RFC 7638 thumbprint unless given. `admin`
    opens the control stack's session methods. `BadKey` if the key can't be used, `ValueError` for the rest.
    """
    for what, lines in (("publish", publish), ("subscribe", subscribe), ("capabilities", capabilities)):
        if isinstance(lines, str):
            raise ValueError(f"{what} is the text {lines!r}: pass a list")
    if not 0 < ttl <= _MAX_TTL:
        raise ValueError(f"ttl is {ttl}: pass seconds, more than 0 and at most a year")
    if peer is not None and not PEER_ID.fullmatch(peer):
        raise ValueError(f"peer is {peer!r}: pass 1 to 64 of A-Z a-z 0-9 _ . -")
    start = int(time.time() if now is None else now)
    own: dict[str, Any] = {"publish": list(publish), "subscribe": list(subscribe)}
    if capabilities := list(capabilities):
        own["capabilities"] = capabilities
    if admin:
        own["admin"] = True
    claims: dict[str, Any] = {
        **(extra or {}),
        "aud": audience,
        "iat": start,
        "exp": start + int(max(ttl, 1)),
        "cc": own,
    }
    named = {"peer": peer, "tenant": tenant, "sub": subject or peer, "iss": issuer}
    claims |= {name: value for name, value in named.items() if value is not None}
    if isinstance(key, Secret):
        token = jwt.encode(claims, key.value, "HS256", headers={"kid": kid} if kid else None)
    else:
        private = _private(key)
        header = {"kid": thumbprint(key) if kid is None else kid}
        token = jwt.encode(claims, private, algorithm_of(private, "signing key"), headers=header)
    if len(token) > MAX_TOKEN:
        raise ValueError(
            f"the token would have {len(token)} bytes, more than {MAX_TOKEN}: give it fewer grants"
        )
    return token


def jwks(key: SigningKey, kid: str | None = None) -> dict[str, Any]:
    """The JWKS document with the public half of a signing key: what `--jwks` of host and relay takes."""
    entry = _public_jwk(key)
    return {"keys": [{**entry, "kid": _thumbprint_of(entry) if kid is None else kid, "use": "sig"}]}


def thumbprint(key: SigningKey) -> str:
    """The key id that tokens carry unless given another: RFC 7638's SHA-256 thumbprint."""
    return _thumbprint_of(_public_jwk(key))


def new_key() -> bytes:
    """A new P-256 private key for ES256, PEM."""
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def seconds(text: str) -> float:
    """A time such as 90s, 15m, 1h or 7d; a bare number is seconds. `ValueError` otherwise."""
    match = re.fullmatch(r"(\d{1,9})([smhd]?)", text.strip())
    if match is None or int(match[1]) == 0:
        raise ValueError(f"{text!r} is no time: write 90s, 15m, 1h or 7d")
    return float(int(match[1]) * _UNITS[match[2] or "s"])


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit code: 0 done, 1 failed, 2 wrong arguments."""
    options = _parser().parse_args(arguments)
    try:
        if options.new_key:
            _write_new(Path(options.new_key))
            return 0
        if not options.key:
            raise ValueError("--key is missing: name the signing key's file, or make one with --new-key FILE")
        if options.jwks:
            print(json.dumps(jwks(Path(options.key), options.kid)))
            return 0
        if not (options.publish or options.subscribe or options.admin):
            raise ValueError("the token would allow nothing: pass --publish NS or --subscribe NS")
        print(
            mint(
                Path(options.key),
                publish=options.publish,
                subscribe=options.subscribe,
                ttl=seconds(options.ttl),
                capabilities=options.capability,
                peer=options.peer,
                tenant=options.tenant,
                kid=options.kid,
                subject=options.subject,
                audience=options.audience,
                issuer=options.issuer,
                admin=options.admin,
            )
        )
    except ValueError as wrong:
        # BadKey is one too, and a file that can't be used is no mistake in the arguments.
        print(f"relay.token: {wrong}", file=sys.stderr)
        return 1 if isinstance(wrong, BadKey) else 2
    except OSError as wrong:
        print(f"relay.token: {wrong.filename}: {wrong.strerror}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m relay.token", description="Print a token for a ClutchCall relay or host."
    )
    add = parser.add_argument
    add("--key", metavar="F", help="private key, PEM: P-256, Ed25519 or RSA")
    add("--new-key", metavar="F", help="make a P-256 key in the new file F, and nothing else")
    add("--jwks", action="store_true", help="print the key's public half as a JWKS document instead")
    add("--publish", metavar="NS", action="append", default=[], help='may publish below it; "*": anything')
    add("--subscribe", metavar="NS", action="append", default=[], help='may read below it; "*": anything')
    add("--capability", metavar="C", action="append", default=[], help="may use it; none named: any")
    add("--ttl", metavar="T", default="1h", help="how long it is valid: 90s, 15m, 1h, 7d (default 1h)")
    add("--peer", metavar="ID", help="the peer id that it is bound to")
    add("--tenant", metavar="T", help="whose it is")
    add("--subject", metavar="S", help="whom it is for (default: the peer id)")
    add("--admin", action="store_true", help="may list and kick sessions on the control stack")
    add("--audience", metavar="A", default=AUDIENCE, help=f"whom it is meant for (default {AUDIENCE})")
    add("--issuer", metavar="I", help="who issues it")
    add("--kid", metavar="K", help="key id (default: the key's thumbprint)")
    return parser


def _write_new(path: Path) -> None:
    """Private, and never over a key that is there."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise BadKey(f"{path} is there already: name a new file") from None
    with os.fdopen(handle, "wb") as file:
        file.write(new_key())


def _private(key: bytes | str | Path) -> Any:
    pem, where = (key, "signing key") if isinstance(key, bytes) else (_read(Path(key)), f"signing key {key}")
    try:
        return serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError):
        raise BadKey(f"{where}: no unencrypted PEM private key in it: make one with --new-key") from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as wrong:
        raise BadKey(f"signing key {path}: {wrong.strerror}: make one with --new-key") from None


def _public_jwk(key: SigningKey) -> dict[str, Any]:
    if isinstance(key, Secret):
        raise BadKey("a secret has no public half: give the secret itself to the relay")
    private = _private(key)
    name = algorithm_of(private, "signing key")
    found = jwt.get_algorithm_by_name(name).to_jwk(private.public_key(), as_dict=True)
    entry: dict[str, Any] = dict(found)
    entry.pop("key_ops", None)
    return {**entry, "alg": name}


def _thumbprint_of(entry: dict[str, Any]) -> str:
    required = {name: entry[name] for name in ("crv", "e", "kty", "n", "x", "y") if name in entry}
    text = json.dumps(required, sort_keys=True, separators=(",", ":"))
    digest = hashes.Hash(hashes.SHA256())
    digest.update(text.encode())
    return base64url_encode(digest.finalize()).decode()


if __name__ == "__main__":
    sys.exit(main())
