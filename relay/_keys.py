"""Keys that tokens are checked with: from PEM, a JWKS document, a file or URL of either, or a secret.

A key knows the one algorithm that it is for, so a token cannot choose how it is checked. A file or URL is
read again when a token names a key that is not there (at most every 10 s) and when it is 10 minutes old;
while that fails the keys of before stay in use.
"""

from __future__ import annotations

import http.client
import json
import logging
import re
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NoReturn

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from transport import BadKey

ALGORITHMS = ("ES256", "EdDSA", "RS256")
"""What is accepted unless told otherwise. HS256 comes in with a `Secret`; "none" never does."""
MAX_DOCUMENT = 1 << 20
"""A JWKS or PEM document has at most so many bytes."""
MAX_KEYS = 100
REFETCH_SECONDS = 10.0
"""An unknown key id makes a source read again at most so often."""
MAX_AGE_SECONDS = 600.0
"""A source is read again when what it gave is older."""
FETCH_TIMEOUT = 5.0
"""How long one network step of a fetch may take, seconds."""
MIN_RSA_BITS = 2048
MIN_SECRET_BYTES = 32

_PEM_BLOCK = re.compile(rb"-----BEGIN ([A-Z ]+)-----.+?-----END \1-----", re.DOTALL)
_log = logging.getLogger("relay.keys")


@dataclass(frozen=True, slots=True)
class Secret:
    """A shared secret for HS256, at least 32 bytes. Whoever checks with it can also sign with it."""

    value: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.value) < MIN_SECRET_BYTES:
            raise BadKey(f"secret has {len(self.value)} bytes: pass at least {MIN_SECRET_BYTES} random ones")


@dataclass(frozen=True, slots=True)
class Key:
    """One key and its algorithm."""

    algorithm: str
    kid: str | None
    """None: it fits any key id, as a PEM file's does."""
    material: Any = field(repr=False)
    """What PyJWT takes."""


class Keys:
    """A fixed set of keys."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self._keys = tuple(keys)
        self.generation = 0
        """Changes whenever the keys do."""

    def find(self, kid: str | None, algorithm: str) -> tuple[Key, ...]:
        """Keys that a token with that header may have been signed with."""
        return tuple(
            key
            for key in self._keys
            if key.algorithm == algorithm and (kid is None or key.kid is None or key.kid == kid)
        )

    def due(self, missing: bool) -> bool:
        """Whether `refresh` should come first; `missing`: a token names a key that is not here."""
        return False

    def refresh(self) -> None:
        """Read the source again; blocks."""

    @property
    def algorithms(self) -> frozenset[str]:
        """Algorithms that some key is for."""
        return frozenset(key.algorithm for key in self._keys)


class SourceKeys(Keys):
    """Keys from a file or URL. Read once at the start: `BadKey` if that fails."""

    def __init__(self, source: str | Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(())
        self.source = str(source)
        self.fetches = 0
        self.failures = 0
        self._clock = clock
        self._lock = threading.Lock()
        self._document = b""
        self._warned = False
        self._tried = clock()
        self._take(_read(self.source))

    def due(self, missing: bool) -> bool:
        """As in `Keys`."""
        return self._clock() - self._tried >= (REFETCH_SECONDS if missing else MAX_AGE_SECONDS)

    def refresh(self) -> None:
        """Read the source again; keeps the keys of before if that fails, and says so once."""
        asked = self._clock()
        with self._lock:
            if self._tried > asked:
                return  # another thread has done it meanwhile
            self._tried = self._clock()
            try:
                self._take(_read(self.source))
            except BadKey as wrong:
                self.failures += 1
                if not self._warned:
                    _log.warning("%s; the keys of before stay in use", wrong)
                self._warned = True
            else:
                self._warned = False

    def _take(self, document: bytes) -> None:
        self.fetches += 1
        if document == self._document:
            return
        self._keys = parse(document, self.source)
        self._document = document
        self.generation += 1


def load(source: Keys | Secret | bytes | str | Path | Mapping[str, Any]) -> Keys:
    """Keys from whatever names them: PEM or JWKS bytes, a JWKS mapping, a path, an http(s) URL, a secret.

    `BadKey` says what is wrong.
    """
    if isinstance(source, Keys):
        return source
    if isinstance(source, Secret):
        return Keys([Key("HS256", None, source.value)])
    if isinstance(source, bytes):
        return Keys(parse(source, "keys"))
    if isinstance(source, Mapping):
        return Keys(_from_jwks(source, "keys"))
    return SourceKeys(source)


def parse(document: bytes, where: str) -> tuple[Key, ...]:
    """The keys in a PEM or JWKS document. `BadKey` if there are none that can be used."""
    if b"-----BEGIN " in document:
        return _from_pem(document, where)
    try:
        decoded = json.loads(document)
    except (ValueError, RecursionError):
        raise BadKey(f"{where}: neither PEM nor JSON: pass a public key or a JWKS document") from None
    return _from_jwks(decoded, where)


def algorithm_of(key: object, where: str) -> str:
    """The algorithm that a key of `cryptography` is for. `BadKey` if it is for none that is accepted."""
    if isinstance(key, ec.EllipticCurvePublicKey | ec.EllipticCurvePrivateKey):
        if isinstance(key.curve, ec.SECP256R1):
            return "ES256"
        raise BadKey(f"{where}: curve {key.curve.name}: pass a P-256 key")
    if isinstance(key, ed25519.Ed25519PublicKey | ed25519.Ed25519PrivateKey):
        return "EdDSA"
    if isinstance(key, rsa.RSAPublicKey | rsa.RSAPrivateKey):
        if key.key_size >= MIN_RSA_BITS:
            return "RS256"
        raise BadKey(f"{where}: an RSA key of {key.key_size} bits: pass one of at least {MIN_RSA_BITS}")
    raise BadKey(f"{where}: {type(key).__name__} signs no tokens: pass a P-256, Ed25519 or RSA key")


def _from_pem(document: bytes, where: str) -> tuple[Key, ...]:
    found: list[Key] = []
    for block in _PEM_BLOCK.finditer(document):
        kind, text = block[1], block[0] + b"\n"
        if kind.endswith(b"PARAMETERS"):
            continue
        try:
            if kind == b"CERTIFICATE":
                raise BadKey(f"{where}: a certificate: pass the public key by itself (BEGIN PUBLIC KEY)")
            if kind.endswith(b"PRIVATE KEY"):
                public: Any = serialization.load_pem_private_key(text, None).public_key()
            else:
                public = serialization.load_pem_public_key(text)
        except (ValueError, TypeError) as wrong:
            raise BadKey(f"{where}: {kind.decode()}: {wrong}: pass an unencrypted PEM key") from None
        found.append(Key(algorithm_of(public, where), None, public))
    return _bounded(found, where)


def _from_jwks(document: object, where: str) -> tuple[Key, ...]:
    listed = document.get("keys") if isinstance(document, Mapping) else None
    if not isinstance(listed, list):
        raise BadKey(f'{where}: no JWKS document: it is an object with a list "keys"')
    if len(listed) > MAX_KEYS:
        raise BadKey(f"{where}: {len(listed)} keys, more than {MAX_KEYS}")
    found = [key for entry in listed if (key := _from_jwk(entry)) is not None]
    return _bounded(found, where)


def _from_jwk(entry: object) -> Key | None:
    """A key of a JWKS; none if it is of a kind, or for a use, that tokens here do not have.

    A JWKS is public, so a shared secret in one is passed over too.
    """
    if not isinstance(entry, Mapping) or entry.get("use", "sig") != "sig":
        return None
    name = {"EC": "ES256", "OKP": "EdDSA", "RSA": "RS256"}.get(str(entry.get("kty")))
    kid = entry.get("kid")
    if name is None or entry.get("alg", name) != name or not isinstance(kid, str | None):
        return None
    public = {what: value for what, value in entry.items() if what not in {"d", "p", "q", "dp", "dq", "qi"}}
    try:
        material = jwt.PyJWK.from_dict(public, algorithm=name).key
        return Key(name, kid, material) if algorithm_of(material, "key") == name else None
    except (jwt.PyJWTError, BadKey, ValueError, TypeError):
        return None


def _bounded(found: list[Key], where: str) -> tuple[Key, ...]:
    if not found:
        raise BadKey(f"{where}: no key in it that checks ES256, EdDSA or RS256: pass one that has some")
    if len(found) > MAX_KEYS:
        raise BadKey(f"{where}: {len(found)} keys, more than {MAX_KEYS}")
    return tuple(found)


def is_url(source: str) -> bool:
    """Whether keys are to be fetched from it."""
    return source.startswith(("http://", "https://"))


def _read(source: str) -> bytes:
    if is_url(source):
        return _fetch(source)
    try:
        with Path(source).open("rb") as file:
            return _whole(file, source)
    except OSError as wrong:
        raise BadKey(f"key file {source}: {wrong.strerror}: pass a file that this user can read") from None


def _fetch(url: str) -> bytes:
    opener = urllib.request.build_opener(_NoRedirect)
    request = urllib.request.Request(url, headers={"Accept": "application/jwk-set+json, application/json"})
    try:
        with opener.open(request, timeout=FETCH_TIMEOUT) as reply:
            return _whole(reply, url)
    except urllib.error.HTTPError as wrong:
        wrong.close()
        raise BadKey(f"keys from {url}: HTTP status {wrong.code}: check the URL") from None
    except (OSError, http.client.HTTPException, ValueError) as wrong:
        why = getattr(wrong, "reason", None) or wrong
        raise BadKey(f"keys from {url}: {why}: check the URL and the network") from None


def _whole(reader: IO[bytes] | http.client.HTTPResponse, where: str) -> bytes:
    document = reader.read(MAX_DOCUMENT + 1)
    if len(document) > MAX_DOCUMENT:
        raise BadKey(f"{where}: more than {MAX_DOCUMENT} bytes: pass a key or a JWKS document")
    return document


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect could lead from https to plain http, or into a network that the operator did not name."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> NoReturn:
        fp.close()
        raise BadKey(f"keys from {req.full_url}: it redirects to {newurl}: pass the final URL")
