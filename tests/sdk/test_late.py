"""Who joins late: a state's newest frame, a video's group in progress, or a new one where that is gone."""

from __future__ import annotations

import pytest

from transport import Fate, Frame, NewGroupWanted, Video, VideoTrack

from .conftest import DRAFTS, Relay, bounded, collect, demanded, until


@pytest.mark.parametrize("draft", DRAFTS)
@pytest.mark.parametrize("datagram", [True, False])
async def test_the_newest_frame_of_a_state_is_there_at_once(relay: Relay, draft: int, datagram: bool) -> None:
    async with relay.connect(draft) as sender, relay.connect(draft) as early, relay.connect(draft) as late:
        state = await bounded(
            sender.publish(Frame("games/r", "map", "state.v1", datagram=datagram, latest_wins=True))
        )
        async with early.subscribe("games/r", capability="state.v1") as first:
            await demanded(state)
            for payload in (b"old", b"new" * 1000):
                assert state.send(payload) == Fate.QUEUED
                assert [frame.payload for frame in await collect(first, 1)] == [payload]
            async with late.subscribe("games/r", capability="state.v1") as second:
                assert [frame.payload for frame in await collect(second, 1)] == [b"new" * 1000]


@pytest.mark.parametrize("draft", DRAFTS)
async def test_a_late_viewer_gets_the_group_in_progress_or_has_a_new_one_begun(
    relay: Relay, draft: int
) -> None:
    async with relay.connect(draft) as sender, relay.connect(draft) as early, relay.connect(draft) as late:
        track = await bounded(sender.publish(Video("games/r", "cam")))
        assert isinstance(track, VideoTrack)
        events = sender.events()
        async with early.subscribe("games/r") as first:
            await until(lambda: track.subscribers > 0)
            for keyframe, payload in [(True, b"k0"), (False, b"d1"), (False, b"d2")]:
                assert track.write(payload, keyframe=keyframe) == Fate.QUEUED
            assert [frame.payload for frame in await collect(first, 3)] == [b"k0", b"d1", b"d2"]
            async with late.subscribe("games/r") as second:
                assert [frame.payload for frame in await collect(second, 3)] == [b"k0", b"d1", b"d2"]
            # A keyframe that nobody keeps: larger than what relay and publisher remember of a track.
            large = bytes(3 << 20)
            assert track.write(large, keyframe=True) == Fate.QUEUED
            assert track.write(b"d4", keyframe=False) == Fate.QUEUED
            assert [len(frame.payload) for frame in await collect(first, 2)] == [len(large), 2]
            assert not track.keyframe_wanted
            async with late.subscribe("games/r") as second:
                await until(lambda: track.keyframe_wanted)
                async for event in events:
                    if isinstance(event, NewGroupWanted):
                        assert event.publication is track
                        break
                assert track.write(b"k5", keyframe=True) == Fate.QUEUED
                assert [frame.payload for frame in await collect(second, 1)] == [b"k5"]
