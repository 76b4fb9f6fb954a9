"""Publisher and subscriber in two processes, the relay in a third: byte for byte, at both drafts."""

from __future__ import annotations

import pytest

from tests.sdk.conftest import DRAFTS, Relay

from . import talker
from .children import child


@pytest.mark.parametrize("draft", DRAFTS)
@pytest.mark.parametrize("kind", talker.SIZES)
async def test_frames_cross_processes_unchanged(relay: Relay, kind: str, draft: int) -> None:
    environment = {
        "CLUTCHCALL_URL": relay.url,
        "CLUTCHCALL_TOKEN": "",
        "CLUTCHCALL_CERT_SHA256": relay.trust.sha256,
    }
    arguments = (str(draft), kind)
    async with (
        child("-m", "tests.soak.talker", "subscribe", *arguments, environment=environment) as subscriber,
        child("-m", "tests.soak.talker", "publish", *arguments, environment=environment) as publisher,
    ):
        assert await subscriber.value() == "subscribed"
        assert await publisher.value() == "published"
        assert await publisher.value() == "sent"
        arrived = await subscriber.value()
        assert arrived == talker.expected(kind)
        assert await subscriber.value() == 0
        assert relay.node.stats().sessions == 2
        for process in (publisher, subscriber):
            assert process.process.stdin is not None
            process.process.stdin.close()
            assert await process.rest() == ""
            assert process.process.returncode == 0
