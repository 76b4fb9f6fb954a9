"""The certificate of a stage's hosts and relays."""

from __future__ import annotations

import datetime
import functools
import hashlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from transport.credentials import Certificate

_NAMES = ("localhost",)


def null_identity() -> Certificate:
    """One for connections that nothing protects: nobody looks at it."""
    expires = datetime.datetime(2100, 1, 1, tzinfo=datetime.UTC)
    sha256 = hashlib.sha256(b"null").hexdigest()
    return Certificate(b"null", b"null", sha256, expires, _NAMES)


@functools.cache
def tls_identity() -> Certificate:
    """A real one, good in the world's time (2027) and in ours; made once a process."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ClutchCall harness")])
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    expires = datetime.datetime(2100, 1, 1, tzinfo=datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(expires)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in _NAMES]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    sha256 = certificate.fingerprint(hashes.SHA256()).hex()
    return Certificate(pem, private, sha256, expires, _NAMES)
