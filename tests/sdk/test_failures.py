"""What goes wrong, and the typed error that says so in one line."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import transport
from transport import Frame, Reason

from .conftest import PATIENCE, QUICK, Relay, bounded, open_relay


def one_line(error: Exception) -> str:
    text = str(error)
    assert "\n" not in text
    return text


async def test_a_url_that_cannot_be_dialled(native: Path) -> None:
    with pytest.raises(transport.BadUrl, match="browsers"):
        await transport.connect("https://127.0.0.1:7777")


async def test_a_host_that_has_no_address(native: Path) -> None:
    with pytest.raises(transport.Unreachable, match=r"nosuch\.invalid"):
        await transport.connect("moqt://nosuch.invalid:7777")


async def test_the_wrong_pin(relay: Relay) -> None:
    with pytest.raises(transport.CertificateMismatch) as refused:
        await bounded(transport.connect(relay.url, trust=transport.Pinned("00" * 32), timeout=PATIENCE))
    assert refused.value.reason == Reason.CERTIFICATE
    assert relay.url in one_line(refused.value)
    assert "is not the one whose SHA-256 was pinned" in str(refused.value)
    assert "pass the hash that the relay prints now" in str(refused.value)


async def test_a_development_certificate_without_trust_names_the_remedy(relay: Relay) -> None:
    with pytest.raises(transport.CertificateMismatch, match="Pinned") as refused:
        await bounded(transport.connect(relay.url, timeout=PATIENCE))
    assert "CLUTCHCALL_CERT_SHA256" in one_line(refused.value)


async def test_a_pem_file_is_trusted(relay: Relay, certificate: transport.credentials.Certificate) -> None:
    async with transport.connect(
        relay.url, trust=transport.Pem(certificate.certificate), timeout=PATIENCE
    ) as link:
        assert link.is_up


async def test_nobody_there(native: Path, quiet_port: int) -> None:
    pin = transport.Pinned("00" * 32)
    options = transport.LinkOptions(connect_timeout=0.2)
    with pytest.raises((transport.Unreachable, transport.TimedOut)) as gone:
        await bounded(
            transport.connect(f"moqt://127.0.0.1:{quiet_port}", trust=pin, options=options, timeout=0.5)
        )
    assert str(quiet_port) in one_line(gone.value)


async def test_a_port_in_use(relay: Relay, certificate: transport.credentials.Certificate) -> None:
    with pytest.raises(transport.AddressInUse) as taken:
        open_relay(certificate, bind=relay.node.address)
    assert relay.node.address in one_line(taken.value)
    assert "cc_" not in str(taken.value), "C's name of the call is no news"


async def test_an_address_that_is_not_ours(
    native: Path, certificate: transport.credentials.Certificate
) -> None:
    with pytest.raises(transport.AddressNotAvailable):
        open_relay(certificate, bind="192.0.2.1:0")


async def test_a_certificate_that_is_none(native: Path) -> None:
    with pytest.raises((transport.BadCertificate, transport.BadKey)):
        transport.Node(transport.RelayConfig(b"no certificate", b"no key"))


async def test_names_that_cannot_be(relay: Relay) -> None:
    async with relay.connect() as link:
        with pytest.raises(transport.BadName):
            link.publish(Frame("/".join("abcdefgh" * 5), "too-deep"))
        with pytest.raises((transport.BadName, transport.TooLarge)) as refused:
            link.publish(Frame("games", "n" * 5000))
        assert len(one_line(refused.value)) < 400


async def test_values_that_cannot_be_sent(relay: Relay) -> None:
    async with relay.connect() as link:
        moves = await bounded(link.publish(Frame("games/room1", "c7")))
        wrong: tuple[Any, ...] = (5, None, [1, 2], "\ud800")
        for payload in wrong:
            with pytest.raises(transport.BadArgument, match=r"payload is .*: pass bytes"):
                moves.send(payload)
        with pytest.raises(transport.BadArgument, match="property 'a' is str"):
            moves.send(b"", properties={"a": 5})  # type: ignore[dict-item] # that is the point
        right: tuple[Any, ...] = (bytearray(b"x"), memoryview(b"x"), np.zeros((2, 2), np.uint16)[:, 1], "x")
        for payload in right:
            assert moves.send(payload) == transport.Fate.NO_SUBSCRIBER


async def test_ones_own_track_by_its_exact_name(relay: Relay) -> None:
    async with relay.connect() as link:
        await bounded(link.publish(Frame("games/room1", "c7")))
        with pytest.raises(transport.Refused, match="subscribe to it over another link") as refused:
            await bounded(link.subscribe(transport.Exact("games/room1", "c7")).ready())
        assert refused.value.reason == Reason.DUPLICATE
        assert "\n" not in one_line(refused.value)


async def test_the_same_track_twice(relay: Relay) -> None:
    async with relay.connect() as link:
        await bounded(link.publish(Frame("games/room1", "c7")))
        with pytest.raises(transport.Exists):
            link.publish(Frame("games/room1", "c7"))


async def test_a_link_that_was_closed(relay: Relay) -> None:
    async with relay.connect() as link:
        publication = await bounded(link.publish(Frame("games/room1", "c7")))
        feed = link.subscribe("games")
        await bounded(feed.ready())
    for use in (
        lambda: link.publish(publication.spec),
        lambda: link.subscribe("games"),
        link.stats,
        feed.drain,
    ):
        with pytest.raises(transport.Closed) as closed:
            use()
        assert closed.value.reason == Reason.LOCAL
    assert [frame async for frame in feed] == []
    link.close()
    feed.close()
    publication.close()


async def test_a_link_stays_in_its_thread(relay: Relay) -> None:
    async with relay.connect() as link:
        with pytest.raises(transport.WrongThread):
            await asyncio.to_thread(link.subscribe, "games")


async def test_a_connect_that_is_cancelled_leaves_nothing(native: Path, quiet_port: int) -> None:
    pin = transport.Pinned("00" * 32)

    async def dial() -> None:
        await transport.connect(f"moqt://127.0.0.1:{quiet_port}", trust=pin, options=QUICK)

    dialling = asyncio.create_task(dial())
    await asyncio.sleep(0)
    dialling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await bounded(dialling)


def test_a_library_that_is_missing_names_its_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from transport import _native

    monkeypatch.setenv("CLUTCHCALL_NATIVE", str(tmp_path / "absent.so"))
    with pytest.raises(transport.NativeMissing, match=r"dev\.py setup"):
        _native.find()


def test_a_library_that_is_none_names_its_remedy(tmp_path: Path) -> None:
    from transport import _native

    broken = tmp_path / "broken.so"
    broken.write_bytes(b"not a library")
    with pytest.raises(transport.NativeMissing, match=r"dev\.py setup"):
        _native.Library(broken)
