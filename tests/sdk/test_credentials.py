"""Development credentials: kept, reused, renewed, and readable by their owner only."""

from __future__ import annotations

import datetime
import hashlib
import ssl
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

import transport
from transport import credentials


def test_a_certificate_is_what_browsers_take_by_its_hash(tmp_path: Path) -> None:
    made = credentials.development_certificate(["game.local", "192.0.2.7"], tmp_path)
    leaf = x509.load_pem_x509_certificate(made.certificate)
    key = leaf.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert key.curve.name == "secp256r1"
    valid = leaf.not_valid_after_utc - leaf.not_valid_before_utc
    assert datetime.timedelta(days=12) < valid < datetime.timedelta(days=14)
    assert set(made.names) == {"localhost", "127.0.0.1", "::1", "game.local", "192.0.2.7"}
    der = ssl.PEM_cert_to_DER_cert(made.certificate.decode())
    assert made.sha256 == hashlib.sha256(der).hexdigest()
    assert made.expires == leaf.not_valid_after_utc


def test_it_is_reused_until_it_lacks_a_name(tmp_path: Path) -> None:
    first = credentials.development_certificate(folder=tmp_path)
    assert credentials.development_certificate(folder=tmp_path) == first
    wider = credentials.development_certificate(["game.local"], tmp_path)
    assert wider.sha256 != first.sha256
    assert credentials.development_certificate(folder=tmp_path) == wider


def test_it_is_renewed_before_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = credentials.development_certificate(folder=tmp_path)
    later = first.expires - datetime.timedelta(days=1)
    monkeypatch.setattr(credentials, "_now", lambda: later)
    second = credentials.development_certificate(folder=tmp_path)
    assert second.sha256 != first.sha256
    assert second.expires > first.expires


def test_a_damaged_file_is_replaced(tmp_path: Path) -> None:
    credentials.development_certificate(folder=tmp_path)
    (tmp_path / "development.pem").write_bytes(b"damaged")
    (tmp_path / "token.pem").write_bytes(b"damaged")
    (tmp_path / "state.key").write_bytes(b"damaged")
    assert credentials.development_certificate(folder=tmp_path).certificate.startswith(b"-----BEGIN")
    assert credentials.token_key(tmp_path) == credentials.token_key(tmp_path) != b"damaged"
    assert len(credentials.state_key(tmp_path)) == 32


def test_keys_stay_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as threads:
        keys = set(threads.map(lambda _: credentials.state_key(tmp_path), range(8)))
    assert keys == {credentials.state_key(tmp_path)}
    private = credentials.token_key(tmp_path)
    assert private == credentials.token_key(tmp_path)
    assert credentials.public_key(private).startswith(b"-----BEGIN PUBLIC KEY-----")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows guards files by access lists, not by mode")
def test_files_are_their_owners_alone(tmp_path: Path) -> None:
    home = tmp_path / "state"
    credentials.development_certificate(folder=home)
    credentials.state_key(home)
    credentials.token_key(home)
    assert home.stat().st_mode & 0o777 == 0o700
    assert [path.stat().st_mode & 0o777 for path in home.iterdir()] == [0o600] * 3


def test_the_folder_is_the_one_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUTCHCALL_STATE", str(tmp_path / "told"))
    credentials.state_key()
    assert (tmp_path / "told/state.key").is_file()


def test_a_pair_that_does_not_belong_together_is_refused(tmp_path: Path) -> None:
    one, other = credentials.make_certificate(), credentials.make_certificate()
    (tmp_path / "cert.pem").write_bytes(one.certificate)
    (tmp_path / "key.pem").write_bytes(other.key)
    with pytest.raises(transport.BadKey, match=r"key\.pem"):
        credentials.load_certificate(tmp_path / "cert.pem", tmp_path / "key.pem")
    with pytest.raises(transport.BadCertificate, match="absent"):
        credentials.load_certificate(tmp_path / "absent", tmp_path / "key.pem")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_bytes(b"a file in its place")
    with pytest.raises(transport.PermissionDenied, match="CLUTCHCALL_STATE"):
        credentials.state_key(tmp_path / "taken/state")
