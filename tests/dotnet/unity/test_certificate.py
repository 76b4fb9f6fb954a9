"""The development certificate that C# makes, and Python's, which C# takes."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

import transport

from .conftest import Unity, seated

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def folder(unity: Unity, state: Path, tmp_path: Path) -> Iterator[Path]:
    environment: Any = importlib.import_module("System").Environment
    environment.SetEnvironmentVariable("CLUTCHCALL_STATE", str(tmp_path / "new"))
    yield tmp_path / "new"
    environment.SetEnvironmentVariable("CLUTCHCALL_STATE", str(state))


def test_python_takes_the_one_that_csharp_makes(unity: Unity, folder: Path) -> None:
    for _ in range(8):
        with seated(unity) as table:
            server, port = table.server()
            table.client(port)
            path = folder / "development.pem"
            assert str(unity.package.DevelopmentCertificate.Folder()) == str(folder)
            if os.name == "posix":
                assert path.stat().st_mode & 0o777 == 0o600
            found = transport.credentials.development_certificate(folder=folder)
            assert found.sha256 == server.Session.CertificateSha256
            leaf = x509.load_pem_x509_certificate(found.certificate)
            leaf.verify_directly_issued_by(leaf)
            key = serialization.load_pem_private_key(found.key, None)
            assert isinstance(key, ec.EllipticCurvePrivateKey)
            assert key.public_key() == leaf.public_key()
            assert set(found.names) == {"localhost", "127.0.0.1", "::1"}
        # Each has new random numbers, of all lengths.
        path.unlink()


def test_csharp_takes_the_one_that_python_made(unity: Unity, folder: Path) -> None:
    made = transport.credentials.development_certificate(folder=folder)
    with seated(unity) as table:
        server, port = table.server()
        table.client(port)
        assert server.Session.CertificateSha256 == made.sha256


def test_a_certificate_of_ones_own(unity: Unity, folder: Path) -> None:
    made = transport.credentials.make_certificate()
    pair: dict[str, Any] = {"CertificatePem": made.certificate.decode(), "KeyPem": made.key.decode()}
    with seated(unity) as table:
        server, port = table.server(**pair)
        assert server.Session.CertificateSha256 == made.sha256
        table.client(port, TrustSha256=made.sha256.upper())
        table.client(port, TrustPem=made.certificate.decode())
    assert not folder.exists()
