"""The admin server, over a plain socket."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

import transport
from relay import admin
from relay.admin import AdminServer, Request, Response, json_body, page, text

from .conftest import PATIENCE


def echo(request: Request) -> Response:
    return json_body({"method": request.method, "query": dict(request.query), "body": request.body.decode()})


def broken(_: Request) -> Response:
    raise RuntimeError("it is broken")


async def slow(_: Request) -> Response:
    await asyncio.Event().wait()
    raise AssertionError


@pytest.fixture
async def server() -> AsyncIterator[AdminServer]:
    routes: dict[str, admin.Handler] = {
        "/": lambda _: page("<p>hello"),
        "/echo": echo,
        "POST /echo": echo,
        "POST /kick": echo,
        "/broken": broken,
        "/slow": slow,
    }
    found = AdminServer("127.0.0.1", 0, routes)
    await found.start()
    yield found
    await found.close()


async def talk(server: AdminServer, raw: bytes) -> tuple[int, dict[str, str], str]:
    host, _, port = server.address.rpartition(":")
    async with asyncio.timeout(PATIENCE):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(raw)
        reply = await reader.read()
        writer.close()
        await writer.wait_closed()
    head, _, body = reply.decode().partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    return int(first.split()[1]), dict(line.split(": ", 1) for line in lines), body


async def ask(
    server: AdminServer, line: str, *headers: str, body: str = ""
) -> tuple[int, dict[str, str], str]:
    lines = [f"{line} HTTP/1.1", "Host: localhost:9464", *headers, "", body]
    return await talk(server, "\r\n".join(lines).encode())


async def test_pages(server: AdminServer) -> None:
    status, headers, body = await ask(server, "GET /")
    assert (status, body) == (200, "<p>hello")
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    status, _, body = await ask(server, "GET /echo?a=1&b=%20x")
    assert (status, body) == (200, '{"method":"GET","query":{"a":"1","b":" x"},"body":""}')
    status, headers, body = await ask(server, "HEAD /")
    assert (status, headers["Content-Length"], body) == (200, "8", "")


async def test_a_post_has_its_body(server: AdminServer) -> None:
    status, _, body = await ask(server, "POST /echo?x=1", "Content-Length: 5", body="hello")
    assert (status, body) == (200, '{"method":"POST","query":{"x":"1"},"body":"hello"}')


@pytest.mark.parametrize(
    ("line", "headers", "status"),
    [
        ("GET /none", (), 404),
        ("GET /kick", (), 405),
        ("POST /", (), 405),
        ("DELETE /echo", (), 405),
        ("GET echo", (), 400),
        ("GET", (), 400),
        ("GET /echo", ("no colon",), 400),
        ("GET /echo", ("A : b",), 400),
        ("GET /echo", ("X: " + "x" * 9000,), 431),
        ("POST /echo", ("Content-Length: 65537",), 413),
        ("POST /echo", ("Content-Length: 99999999999999999999",), 413),
        ("POST /echo", ("Content-Length: -1",), 400),
        ("POST /echo", ("Transfer-Encoding: chunked",), 411),
        ("GET /echo?" + "&".join(f"k{n}=1" for n in range(40)), (), 400),
        ("GET /broken", (), 500),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_bad_requests(server: AdminServer, line: str, headers: tuple[str, ...], status: int) -> None:
    found, _, body = await ask(server, line, *headers)
    assert found == status
    assert body.strip()
    assert "Traceback" not in body
    assert (await ask(server, "GET /"))[0] == 200


@pytest.mark.parametrize(
    ("line", "headers", "status"),
    [
        ("POST /kick", ("Origin: https://evil.example",), 403),
        ("POST /kick", ("Origin: null",), 403),
        ("POST /kick", ("Sec-Fetch-Site: cross-site",), 403),
        ("POST /kick", ("Origin: http://localhost:9464",), 200),
        ("POST /kick", (), 200),
        ("GET /", ("Host: evil.example",), 403),
        ("GET /", ("Host: [::1]:9464",), 200),
        ("GET /", ("Host: [",), 403),
    ],
)
async def test_other_sites_get_nothing(
    server: AdminServer, line: str, headers: tuple[str, ...], status: int
) -> None:
    # A later Host replaces the usual one.
    assert (await ask(server, line, *headers))[0] == status


async def test_a_slow_client_and_a_slow_page_are_given_up(
    server: AdminServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin, "REQUEST_SECONDS", 0.1)
    assert (await talk(server, b"GET / HTTP/1.1\r\n"))[0] == 408
    assert (await ask(server, "GET /slow"))[0] == 503


async def test_garbage_does_no_harm(server: AdminServer) -> None:
    assert (await talk(server, bytes(range(256)) + b"\r\n\r\n"))[0] == 400
    assert (await ask(server, "GET /"))[0] == 200


async def test_a_port_in_use_and_an_address_of_others(server: AdminServer) -> None:
    port = int(server.address.rpartition(":")[2])
    with pytest.raises(transport.AddressInUse, match=str(port)):
        await AdminServer("127.0.0.1", port, {}).start()
    with pytest.raises(transport.AddressNotAvailable, match=r"192\.0\.2\.7"):
        await AdminServer("192.0.2.7", 0, {}).start()


async def test_closing_cuts_what_is_under_way(server: AdminServer) -> None:
    host, _, port = server.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await writer.drain()
    await asyncio.sleep(0)
    await server.close()
    async with asyncio.timeout(PATIENCE):
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
    writer.close()


def test_text_is_a_line() -> None:
    assert text("ok\n").body == text("ok").body == b"ok\n"
