"""`python -m relay --upstream`: relays as their operators join them."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

import transport
from relay._options import parse
from relay._upstream import Upstream
from transport import Text

from .conftest import PATIENCE
from .test_main import running

HASH = "ab" * 32


def test_options_of_an_upstream_follow_it(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("t")
    options = parse(
        [
            "--upstream", "moqt://a:1", "--upstream-token-file", str(token),
            "--upstream", "moqt://b:2/x", "--upstream-cert-sha256", HASH,
        ]
    )  # fmt: skip
    assert options.upstreams == (Upstream("moqt://a:1", token), Upstream("moqt://b:2/x", None, HASH))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--upstream", "https://a"), "moqt://"),
        (("--upstream-cert-sha256", HASH), "pass that before it"),
        (("--upstream", "moqt://a:1", "--upstream-token-file", "/nowhere/at/all"), "no such file"),
        (("--upstream", "moqt://a:1", "--upstream-cert-sha256", "x"), "64 hex digits"),
        (("--drain-to", "a:1"), "moqt://"),
    ],
)
def test_what_makes_no_upstream_is_said(
    arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as wrong:
        parse(arguments)
    assert wrong.value.code == 2
    assert re.search(words, capsys.readouterr().err)


async def test_a_relay_joins_another_and_sends_its_sessions_there(tmp_path: Path) -> None:
    async with running(tmp_path / "above") as above:
        token = tmp_path / "token"
        token.write_text(above.told("CLUTCHCALL_TOKEN"))
        url, pin = above.told("CLUTCHCALL_URL"), above.told("CLUTCHCALL_CERT_SHA256")
        joins = ("--upstream", url, "--upstream-token-file", str(token), "--upstream-cert-sha256", pin)
        # The same state folder, so that whoever is sent from one to the other may trust and show the same.
        async with running(tmp_path / "above", *joins, "--drain-to", url, "--drain", "15") as below:
            up = await below.read_until("upstream")
            assert (up["url"], up["state"]) == (url, "up")
            async with asyncio.timeout(4 * PATIENCE):
                async with (
                    above.connect() as sender,
                    below.connect() as reader,
                    reader.subscribe("g") as feed,
                ):
                    publication = await sender.publish(Text("g", "chat"))
                    publication.send("one")
                    async for frame in feed:
                        assert frame.text == "one"
                        break
                    events = reader.events()
                    below.process.terminate()
                    async for event in events:
                        if isinstance(event, transport.Up):
                            break
                    assert reader.url == url
                    publication.send("two")
                    async for frame in feed:
                        assert frame.text == "two"
                        break
