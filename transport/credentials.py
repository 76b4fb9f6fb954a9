"""Development credentials, kept in the user's state folder: a certificate, a token signing key and a state
key.

The certificate is P-256 and valid for 13 days, so that browsers accept it by its hash; it is made anew when
less than 2 days are left. Files can be read by their owner only. Never for servers that others reach: anyone
on this machine who can read the folder can act as the relay.
"""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
import os
import secrets
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ._errors import BadCertificate, BadKey, PermissionDenied

VALID_DAYS = 13
"""A browser takes a certificate by its hash only if it is valid for less than 14 days."""
RENEW_DAYS = 2
STATE_KEY_BYTES = 32
_LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
_BACKDATED = datetime.timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate and its key."""

    certificate: bytes
    """Chain, PEM."""
    key: bytes = field(repr=False)
    """Private key, PEM."""
    sha256: str
    """Lower-case hex SHA-256 of the leaf's DER bytes: what a client pins."""
    expires: datetime.datetime
    """End of its validity, UTC."""
    names: tuple[str, ...]
    """Host names and addresses that it is for."""


def state_folder() -> Path:
    """Where credentials are kept: $CLUTCHCALL_STATE, or `clutchcall` in the user's state folder."""
    told = os.environ.get("CLUTCHCALL_STATE")
    if told:
        return Path(told)
    home = Path.home()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData/Local") / "clutchcall"
    if sys.platform == "darwin":
        return home / "Library/Application Support/clutchcall"
    return Path(os.environ.get("XDG_STATE_HOME") or home / ".local/state") / "clutchcall"


def development_certificate(extra_names: Iterable[str] = (), folder: Path | None = None) -> Certificate:
    """The kept certificate for this machine and `extra_names`, or a new one.

    `PermissionDenied` if the folder can't be written.
    """
    names = tuple(dict.fromkeys((*_LOCAL_NAMES, *extra_names)))
    home = folder or state_folder()
    kept = home / "development.pem"
    try:
        found = load_certificate(kept, kept)
        if found.expires - _now() > datetime.timedelta(days=RENEW_DAYS) and set(names) <= set(found.names):
            return found
    except (BadCertificate, BadKey):
        pass  # absent or damaged: a new one takes its place
    made = make_certificate(names)
    # One file, so that certificate and key always belong together.
    _write(kept, made.certificate + made.key)
    return made


def make_certificate(names: Iterable[str] = _LOCAL_NAMES) -> Certificate:
    """A new self-signed P-256 certificate, kept nowhere."""
    names = tuple(names)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ClutchCall development")])
    start = _now() - _BACKDATED
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return _describe(certificate, certificate.public_bytes(serialization.Encoding.PEM), _private_pem(key))


def load_certificate(certificate: Path, key: Path) -> Certificate:
    """A certificate and its key from PEM files, or from one. `BadCertificate`, `BadKey` say what is wrong."""
    chain = _read(certificate, BadCertificate, "certificate")
    private = _read(key, BadKey, "key")
    try:
        leaf = x509.load_pem_x509_certificate(chain)
    except ValueError as wrong:
        raise BadCertificate(
            f"certificate {certificate}: no PEM certificate in it ({wrong}): pass another file"
        ) from None
    try:
        loaded = serialization.load_pem_private_key(private, None)
    except (ValueError, TypeError) as wrong:
        raise BadKey(f"key {key}: no unencrypted PEM key in it ({wrong}): pass another file") from None
    if loaded.public_key() != leaf.public_key():
        raise BadKey(f"key {key}: it does not belong to the certificate {certificate}: pass the pair")
    return _describe(leaf, _blocks(chain, b"CERTIFICATE"), _blocks(private, b"PRIVATE KEY"))


def state_key(folder: Path | None = None) -> bytes:
    """The kept 32 bytes from which reset, connection-id and retry keys come, made on first use."""
    path = (folder or state_folder()) / "state.key"
    if path.is_file():
        found = _read(path, BadKey, "state key")
        if len(found) == STATE_KEY_BYTES:
            return found
        path.unlink(missing_ok=True)  # damaged
    return _create(path, secrets.token_bytes(STATE_KEY_BYTES))


def token_key(folder: Path | None = None) -> bytes:
    """The kept P-256 private key that signs development tokens (ES256), PEM, made on first use."""
    path = (folder or state_folder()) / "token.pem"
    if path.is_file():
        found = _read(path, BadKey, "token key")
        try:
            if isinstance(serialization.load_pem_private_key(found, None), ec.EllipticCurvePrivateKey):
                return found
        except (ValueError, TypeError):
            pass
        path.unlink(missing_ok=True)  # damaged: a new one takes its place, and its tokens with it
    return _create(path, _private_pem(ec.generate_private_key(ec.SECP256R1())))


def public_key(private_pem: bytes) -> bytes:
    """The public half of a PEM private key, PEM."""
    try:
        key = serialization.load_pem_private_key(private_pem, None)
    except (ValueError, TypeError) as wrong:
        raise BadKey(f"token key: no unencrypted PEM key ({wrong}): pass the file's bytes") from None
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _describe(leaf: x509.Certificate, chain: bytes, key: bytes) -> Certificate:
    digest = hashlib.sha256(leaf.public_bytes(serialization.Encoding.DER)).hexdigest()
    try:
        listed = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = tuple(str(name.value) for name in listed)
    except x509.ExtensionNotFound:
        names = ()
    return Certificate(chain, key, digest, leaf.not_valid_after_utc, names)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _blocks(pem: bytes, kind: bytes) -> bytes:
    """Those blocks of a PEM file whose label ends with `kind`."""
    kept: list[bytes] = []
    inside = False
    for line in pem.splitlines():
        if line.startswith(b"-----BEGIN "):
            inside = line.rstrip(b"- ").endswith(kind)
        if inside:
            kept.append(line)
        if line.startswith(b"-----END "):
            inside = False
    return b"\n".join(kept) + b"\n"


def _read(path: Path, kind: type[BadCertificate] | type[BadKey], what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as wrong:
        raise kind(f"{what} {path}: {wrong.strerror}: pass a file that this user can read") from None


def _write(path: Path, data: bytes) -> None:
    """Put the file in place whole, readable by its owner only."""
    _put(path, data, fresh=False)


def _create(path: Path, data: bytes) -> bytes:
    """Put the file in place; of programs that start at the same moment, all get what one of them wrote."""
    try:
        _put(path, data, fresh=True)
    except FileExistsError:
        return path.read_bytes()
    return data


def _put(path: Path, data: bytes, fresh: bool) -> None:
    """Write beside it, then link (`fresh`: `FileExistsError` if it is there) or replace."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # made with mode 0600
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            if fresh:
                os.link(name, path)
            else:
                os.replace(name, path)
        finally:
            Path(name).unlink(missing_ok=True)
    except FileExistsError:
        raise
    except OSError as wrong:
        raise PermissionDenied(
            f"state folder {path.parent}: {wrong.strerror}: make it writable, or set CLUTCHCALL_STATE"
        ) from None


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
