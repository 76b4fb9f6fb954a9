"""Keys, a server of JWKS documents, and a guarded relay with its control stack: all real, on free ports."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import transport
from relay.auth import Verifier
from relay.control import ControlStack
from relay.control_client import ControlClient
from relay.hook import Admission, attach
from relay.provider import NodeProvider
from relay.token import mint, new_key
from transport import credentials

PATIENCE = 15.0
"""How long anything may take on a busy machine, seconds."""
KEY = new_key()
PUBLIC = credentials.public_key(KEY)
LINK = transport.LinkOptions(connect_timeout=2.0, backoff_min=0.02, backoff_max=0.2)


@dataclass
class Clock:
    """A clock that a test moves."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class JwksServer:
    """Serves one document, and counts."""

    url: str
    document: bytes = b"{}"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    asked: int = 0

    def show(self, *documents: dict[str, Any]) -> None:
        keys = [key for document in documents for key in document["keys"]]
        self.document = json.dumps({"keys": keys}).encode()


@pytest.fixture
def jwks_server() -> Iterator[JwksServer]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked += 1
            self.send_response(served.status)
            for name, value in served.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(served.document)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served = JwksServer(f"http://127.0.0.1:{server.server_port}/jwks.json")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield served
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def certificate() -> credentials.Certificate:
    return credentials.make_certificate()


@dataclass
class Stand:
    """A guarded relay node with its control stack."""

    node: transport.Node
    admission: Admission
    verifier: Verifier
    control: ControlStack
    provider: NodeProvider
    trust: transport.Pinned

    def connect(self, token: str, **options: Any) -> transport.Connecting:
        url = f"moqt://127.0.0.1:{self.node.port}"
        chosen: dict[str, Any] = {"options": LINK, "timeout": PATIENCE, **options}
        return transport.connect(url, token=token, trust=self.trust, **chosen)

    def client(self, token: str | None = None, **options: Any) -> ControlClient:
        return ControlClient(f"https://{self.control.address}", trust=self.trust, token=token, **options)


@pytest.fixture
async def stand(native: Path, certificate: credentials.Certificate) -> AsyncIterator[Stand]:
    role = transport.RelayConfig(certificate.certificate, certificate.key)
    options = transport.NodeOptions(shards=2)
    async with transport.Node(role, "127.0.0.1:0", options) as node:
        verifier = Verifier(PUBLIC)
        admission = attach(node, verifier)
        provider = NodeProvider(node, admission, lambda: "ok")
        control = ControlStack("127.0.0.1", 0, certificate.certificate, certificate.key, provider)
        await control.start()
        yield Stand(node, admission, verifier, control, provider, transport.Pinned(certificate.sha256))
        admission.detach()
        await control.close()


def everything(peer: str | None = None, **more: Any) -> str:
    """A token for everything."""
    return mint(KEY, ["*"], ["*"], peer=peer, **more)


async def until(true: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Give other things a turn until it is true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come true in time"
        await asyncio.sleep(0.001)
