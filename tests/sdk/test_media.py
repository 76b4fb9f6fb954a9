"""Audio and video over real sockets, checked by what is heard and seen."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import transport
from transport import Audio, AudioReader, AudioTrack, Fate, Video, VideoReader, VideoTrack
from transport._media_values import AudioCodec

from .conftest import DRAFTS, PATIENCE, Relay, until

START = 1_790_000_000.0
"""When the tests' media was captured."""


def tone(hertz: float, seconds: float, rate: int, channels: int = 1) -> npt.NDArray[np.int16]:
    at = np.arange(round(seconds * rate)) / rate
    wave = np.rint(np.sin(2 * np.pi * hertz * at) * 12_000).astype(np.int16)
    return np.repeat(wave[:, None], channels, axis=1)


def pitch(samples: npt.NDArray[Any], rate: int) -> float:
    """The loudest frequency, Hz."""
    wave = samples[:, 0].astype(np.float64)
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave))))
    return float(spectrum.argmax()) * rate / len(wave)


async def heard(feed: transport.Feed, packets: int) -> None:
    """Wait until so many frames have arrived on a feed."""
    await until(lambda: feed.stats().frames >= packets)


@pytest.mark.parametrize("draft", DRAFTS)
@pytest.mark.parametrize(
    ("codec", "rate", "channels"),
    [("opus", 48_000, 1), ("opus", 16_000, 2), ("pcm", 48_000, 2), ("mulaw", 8000, 1), ("alaw", 8000, 1)],
)
async def test_a_tone_is_heard_as_it_was_sent(
    relay: Relay, codec: AudioCodec, rate: int, channels: int, draft: int
) -> None:
    async with relay.connect(draft) as one, relay.connect(draft) as two:
        spec = Audio("games/r/voice", "a", codec=codec, rate=rate, channels=channels, silence=False)
        track = await one.publish(spec)
        assert isinstance(track, AudioTrack)
        async with two.subscribe("games/r", capability="voice.v1") as feed:
            reader = AudioReader(feed)
            await until(lambda: track.subscribers > 0)
            wave = tone(440, 1.5, rate, channels)
            # What is sent at once overtakes itself, the newest group first: so a group is waited for.
            assert track.write(wave[:rate], START) == Fate.QUEUED
            await heard(feed, 50)
            assert track.write(wave[rate:], START + 1) == Fate.QUEUED
            await heard(feed, 75)
            blocks = reader.read(two.node.now + 10)
        played = [block for block in blocks if not block.concealed]
        assert len(played) == 75
        assert [round(block.timestamp - START, 3) for block in played] == [
            round(n * 0.02, 3) for n in range(75)
        ]
        played_wave = np.concatenate([block.samples for block in played])
        assert played_wave.dtype == np.float32
        assert played_wave.shape[1] == channels
        assert pitch(played_wave[len(played_wave) // 10 :], played[0].rate) == pytest.approx(440, abs=2)
        assert 10 <= played[5].level <= 13, "the level of a sine of 12,000 is -11.7 dBov"
        assert played[0].first
        assert reader.counts.played == 75
        assert reader.counts.unreadable == 0


async def test_groups_are_seconds_and_talk_spurts_and_silence_is_not_sent(relay: Relay) -> None:
    async with relay.connect() as one, relay.connect() as two:
        track = await one.publish(Audio("games/r", "a", codec="pcm", rate=8000))
        async with two.subscribe("games") as feed:
            await until(lambda: track.subscribers > 0)
            quiet = np.zeros((8000, 1), np.int16)
            said = [tone(300, 2.5, 8000), quiet, tone(300, 0.5, 8000), quiet]
            # 2.5 s and 0.5 s of speech, and 0.2 s after each.
            wave = np.concatenate(said)
            for at, packets in [(0.0, 50), (1.0, 100), (2.0, 135), (3.0, 160), (4.0, 170)]:
                track.write(wave[round(at * 8000) : round(at * 8000) + 8000], START + at)
                await heard(feed, packets)
            frames = list(feed.frames())
            assert (track.packets, track.quiet) == (170, 80)
        groups: dict[int, list[int]] = {}
        for frame in frames:
            groups.setdefault(frame.group, []).append(frame.object)
        assert [len(objects) for objects in groups.values()] == [50, 50, 35, 35]
        assert all(objects == list(range(len(objects))) for objects in groups.values())
        assert not track.speaking


async def test_audio_in_datagrams_and_at_a_paced_reader(relay: Relay) -> None:
    async with relay.connect() as one, relay.connect() as two:
        track = await one.publish(
            Audio("games/r", "a", codec="mulaw", rate=8000, silence=False, datagram=True)
        )
        async with two.subscribe("games") as feed:
            await until(lambda: track.subscribers > 0)
            track.write(tone(440, 0.4, 8000), START)
            got = []
            async with asyncio.timeout(PATIENCE):
                async for block in (reader := AudioReader(feed, dtype="int16")):
                    got.append(block)
                    if sum(not one.concealed for one in got) == 10:
                        break
            reader.close()
            assert got[0].samples.dtype == np.int16
            assert [one.timestamp for one in got] == sorted(one.timestamp for one in got)


async def test_what_is_no_audio_is_told_once(relay: Relay) -> None:
    async with relay.connect() as one, relay.connect() as two:
        frames = await one.publish(transport.Frame("games/r", "f"))
        async with two.subscribe("games") as feed:
            reader = AudioReader(feed)
            await until(lambda: frames.subscribers > 0)
            for _ in range(3):
                frames.send(b"x")
            await heard(feed, 3)
            assert reader.read() == []
            assert reader.counts.unreadable == 3
            assert [*reader.unread.values()] == ["track games/r/f is no audio"]


@pytest.mark.parametrize("draft", DRAFTS)
async def test_video_is_seen_from_a_keyframe_on(relay: Relay, draft: int) -> None:
    async with relay.connect(draft) as one, relay.connect(draft) as two, relay.connect(draft) as three:
        track = await one.publish(Video("games/r/cam", "a", codec="vp8"))
        assert isinstance(track, VideoTrack)
        assert track.keyframe_wanted
        async with two.subscribe("games", capability="video.v1") as feed:
            await until(lambda: track.subscribers > 0)
            assert track.write(b"d", keyframe=False) == Fate.NO_GROUP
            assert track.write(b"k0", keyframe=True, timestamp=START, config=b"cfg") == Fate.QUEUED
            assert not track.keyframe_wanted
            for n in range(1, 5):
                track.write(b"d%d" % n, keyframe=False, timestamp=START + n / 30, discardable=n == 4)
            await heard(feed, 5)
            async with three.subscribe("games") as late:
                await until(lambda: len(late.tracks) == 1)
                late_reader = VideoReader(late)
                for n in range(5, 8):
                    track.write(b"d%d" % n, keyframe=False)
                track.write(b"k8", keyframe=True)
                track.write(b"d9", keyframe=False)
                seen: list[transport.VideoFrame] = []
                async with asyncio.timeout(PATIENCE):
                    async for frame in late_reader:
                        seen.append(frame)
                        if frame.payload == b"d9":
                            break
                late_reader.close()
                assert seen[0].keyframe
                assert seen[0].payload in (b"k0", b"k8")
                assert [f.payload for f in seen][-2:] == [b"k8", b"d9"]
            reader = VideoReader(feed)
            await heard(feed, 10)
            frames = reader.read()
        assert [f.payload for f in frames] == [b"k0", *(b"d%d" % n for n in range(1, 8)), b"k8", b"d9"]
        assert [f.keyframe for f in frames] == [True, *[False] * 7, True, False]
        assert (frames[0].timestamp, frames[0].config) == (START, b"cfg")
        assert frames[3].timestamp == pytest.approx(START + 0.1, abs=1e-5)
        assert (frames[4].discardable, frames[3].discardable) == (True, False)
        assert not any(f.after_gap for f in frames)
        assert reader.codec(frames[0].track) == "vp8"


async def test_a_new_viewer_makes_a_keyframe_wanted(relay: Relay) -> None:
    async with relay.connect() as one:
        track = await one.publish(Video("games/r", "a"))
        assert track.write(b"k", keyframe=True) == Fate.NO_SUBSCRIBER
        assert track.keyframe_wanted
        async with relay.connect() as two, two.subscribe("games"):
            await until(lambda: track.subscribers > 0)
            assert track.write(b"d", keyframe=False) == Fate.NO_GROUP
            track.write(b"k", keyframe=True)
            assert not track.keyframe_wanted
        await until(lambda: track.subscribers == 0)
        assert track.write(b"d", keyframe=False) == Fate.NO_SUBSCRIBER
        assert track.keyframe_wanted


async def test_a_viewer_asks_for_a_keyframe(relay: Relay) -> None:
    async with relay.connect() as one, relay.connect() as two:
        track = await one.publish(Video("games/r", "a"))
        async with two.subscribe("games") as feed:
            await until(lambda: track.subscribers > 0)
            track.write(b"k", keyframe=True)
            await heard(feed, 1)
            assert not track.keyframe_wanted
            (frame,) = feed.frames()
            feed.want_group(frame.track.id)
            await until(lambda: track.keyframe_wanted)
        feed.want_group(frame.track.id)


def test_bad_descriptions_are_refused_where_they_are_written() -> None:
    for bad in [
        {"codec": "mp3"},
        {"rate": 44_100},
        {"rate": 11_025, "codec": "pcm", "frame": 0.01},
        {"channels": 3},
        {"frame": 0.03},
        {"group": 0.001},
        {"bitrate": 5},
        {"priority": 256},
        {"timeout": -1.0},
    ]:
        with pytest.raises(transport.BadArgument):
            Audio("g", "a", **bad)  # type: ignore[arg-type]
    with pytest.raises(transport.BadArgument):
        Video("g", "v", codec="")


async def test_bad_samples_are_refused(relay: Relay) -> None:
    async with relay.connect() as link:
        track = link.publish(Audio("games/r", "a", codec="pcm", channels=2))
        wrong: list[npt.NDArray[Any]] = [
            np.zeros(10, np.int16),
            np.zeros((10, 1), np.int16),
            np.zeros((10, 2), np.uint8),
            np.full((10, 2), np.nan, np.float32),
        ]
        for bad in wrong:
            with pytest.raises(transport.BadArgument):
                track.write(bad)
        with pytest.raises(transport.BadArgument, match="one bit rate"):
            track.bitrate = 9000
        assert track.write(np.zeros((10, 2), np.int16)) is None


async def test_opus_follows_a_new_bit_rate(relay: Relay) -> None:
    async with relay.connect() as one, relay.connect() as two:
        track = await one.publish(Audio("games/r", "a", bitrate=64_000, silence=False))
        async with two.subscribe("games") as feed:
            await until(lambda: track.subscribers > 0)
            noise = np.random.default_rng(1).normal(0, 3000, 48_000).astype(np.int16)
            track.write(noise, START)
            await heard(feed, 50)
            track.bitrate = 12_000
            track.write(noise, START + 1)
            await heard(feed, 100)
            sizes = [len(frame.payload) for frame in feed.frames()]
        assert sum(sizes[:50]) > 2 * sum(sizes[50:])
        with pytest.raises(transport.BadArgument, match="bitrate"):
            track.bitrate = 1
