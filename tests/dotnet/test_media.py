"""Voice, video and text between C# and Python, checked by what is heard; G.711 and properties by vectors."""

from __future__ import annotations

import asyncio
import importlib
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import transport
from harness.lossy import LossyPath, Profile
from transport import Audio, AudioReader, Fate, Pinned, Video, VideoReader, _g711

from .conftest import PATIENCE, Dotnet
from .test_play import open_relay, player

pytestmark = pytest.mark.timeout(300)

VECTORS = Path(__file__).resolve().parents[2] / "api" / "vectors"
KINDS = json.loads((VECTORS / "modalities.json").read_text("utf-8"))
START_US = 1_790_000_000_000_000


@contextmanager
def talker(dotnet: Dotnet, url: str, sha256: str) -> Iterator[Any]:
    made = dotnet.tests.Talker(url, sha256, PATIENCE)
    try:
        yield made
    finally:
        made.Dispose()


@asynccontextmanager
async def two(
    dotnet: Dotnet,
    certificate: transport.credentials.Certificate,
    delay: float,
    ns: str = "games/room1/voice",
    path: Profile | None = None,
) -> AsyncIterator[tuple[str, Any, Any]]:
    """A relay's URL, one who listens with that jitter buffer, and another, who may talk over a bad path."""
    with ExitStack() as open_ones:
        _, url = open_ones.enter_context(open_relay(certificate))
        listener = open_ones.enter_context(talker(dotnet, url, certificate.sha256))
        at = url
        if path is not None:
            at = f"moqt://{open_ones.enter_context(LossyPath(url.removeprefix('moqt://'), path, seed=4))}"
        one = open_ones.enter_context(talker(dotnet, at, certificate.sha256))
        await asyncio.to_thread(listener.Listen, ns, delay)
        yield url, listener, one


def pitch(wave: npt.NDArray[Any], rate: int) -> float:
    """The loudest frequency, Hz."""
    spectrum = np.abs(np.fft.rfft(wave.astype(np.float64) * np.hanning(len(wave))))
    return float(spectrum.argmax()) * rate / len(wave)


def tone(hertz: float, seconds: float, rate: int) -> npt.NDArray[np.int16]:
    at = np.arange(round(seconds * rate)) / rate
    wave: npt.NDArray[np.int16] = np.rint(np.sin(2 * np.pi * hertz * at) * 12_000).astype(np.int16)
    return wave


@pytest.mark.parametrize(
    ("codec", "rate", "channels"),
    [("Pcm", 48_000, 2), ("MuLaw", 16_000, 1), ("ALaw", 8000, 1), ("Opus", 16_000, 1), ("Opus", 48_000, 2)],
)
async def test_a_voice_in_csharp_is_heard_in_python(
    dotnet: Dotnet, certificate: transport.credentials.Certificate, codec: str, rate: int, channels: int
) -> None:
    with open_relay(certificate) as (_, url), talker(dotnet, url, certificate.sha256) as one:
        async with (
            transport.connect(url, trust=Pinned(certificate.sha256), timeout=PATIENCE) as link,
            link.subscribe("games/room1/voice", capability="voice.v1") as feed,
        ):
            reader = AudioReader(feed)
            kind = getattr(dotnet.core.AudioCodec, codec)
            await asyncio.to_thread(one.Publish, "games/room1/voice", "c7", kind, rate, channels, False)
            for second in range(2):
                made = one.Say(440, 1.0, rate, channels, float(second), START_US + second * 1_000_000)
                assert made == 50
                async with asyncio.timeout(PATIENCE):
                    while feed.stats().frames < 50 * (second + 1):
                        await asyncio.sleep(0.001)
            blocks = [block for block in reader.read(link.node.now + 10) if not block.concealed]
        assert len(blocks) == 100
        assert [round(block.timestamp - START_US / 1e6, 3) for block in blocks[:3]] == [0.0, 0.02, 0.04]
        wave = np.concatenate([block.samples for block in blocks])
        # Opus is decoded by libopus here, to 48 kHz whatever was encoded.
        heard = 48_000 if codec == "Opus" else rate
        assert wave.shape == (2 * heard, channels)
        assert pitch(wave[heard // 5 :, -1], heard) == pytest.approx(440, abs=2)
        assert blocks[9].level == 11, "a sine of 0.4 has -11 dBov"
        assert reader.counts.unreadable == 0


@pytest.mark.parametrize("codec", ["pcm", "mulaw", "alaw", "opus"])
async def test_a_voice_in_python_is_heard_in_csharp(
    dotnet: Dotnet, certificate: transport.credentials.Certificate, codec: Any
) -> None:
    """At 16 kHz; played in two channels at 48 kHz."""
    with open_relay(certificate) as (_, url), talker(dotnet, url, certificate.sha256) as one:
        await asyncio.to_thread(one.Listen, "games/room1/voice", 0.1)
        async with transport.connect(url, trust=Pinned(certificate.sha256), timeout=PATIENCE) as link:
            track = await link.publish(
                Audio("games/room1/voice", "c8", codec=codec, rate=16_000, silence=False)
            )
            async with asyncio.timeout(PATIENCE):
                while track.stats().subscribers == 0:
                    await asyncio.sleep(0.001)
            assert track.write(tone(660, 1.0, 16_000)) == Fate.QUEUED
            heard = await asyncio.to_thread(one.Hear, 50, 48_000, 2, 0.9)
        wave = np.array(list(heard), np.float32).reshape(-1, 2)
        assert np.array_equal(wave[:, 0], wave[:, 1])
        assert pitch(wave[:, 0], 48_000) == pytest.approx(660, abs=3)
        assert 0.3 < float(np.abs(wave).max()) < 0.45
        assert one.Unreadable == 0


async def test_silence_is_not_sent_and_what_is_no_audio_is_counted(
    dotnet: Dotnet, certificate: transport.credentials.Certificate
) -> None:
    async with two(dotnet, certificate, 0.02, "games/room1") as (url, listener, one):
        mu = dotnet.core.AudioCodec.MuLaw
        await asyncio.to_thread(one.Publish, "games/room1", "c7", mu, 16_000, 1, True)
        assert one.Say(300, 0.4, 16_000, 1, 0.0, START_US) == 20
        # 0.2 s go on after the last word, and then nothing.
        assert one.Say(0, 1.0, 16_000, 1, 0.0, START_US + 400_000) == 10
        assert (one.Packets, one.Quiet, one.Level) == (30, 40, 127)
        await asyncio.to_thread(listener.Hear, 30, 16_000, 1, 0.1)
        system: Any = importlib.import_module("System")
        with pytest.raises(system.Exception):
            one.Publish("games/room1", "c9", dotnet.core.AudioCodec.Opus, 16_000, 3, True)
        async with transport.connect(url, trust=Pinned(certificate.sha256), timeout=PATIENCE) as link:
            raw = await link.publish(transport.Frame("games/room1", "raw", capability="voice.v1"))
            async with asyncio.timeout(PATIENCE):
                while raw.stats().subscribers == 0:
                    await asyncio.sleep(0.001)
            raw.send(b"no audio")
            await asyncio.to_thread(listener.HearNothing, 1)


async def test_opus_takes_the_bits_that_are_asked_for_and_leaves_no_garbage(
    dotnet: Dotnet, certificate: transport.credentials.Certificate
) -> None:
    async with two(dotnet, certificate, 0.1) as (_, listener, one):
        opus = dotnet.core.AudioCodec.Opus
        await asyncio.to_thread(one.Publish, "games/room1/voice", "c7", opus, 16_000, 1, True)
        sent = one.Bytes
        assert one.Say(330, 1.0, 16_000, 1, 0.0, START_US) == 50
        # A second is a group: sent together, the newer one may overtake the other, which is then late.
        await asyncio.to_thread(listener.Hear, 50, 48_000, 2, 0.1)
        garbage = one.Garbage(330, 1.0, 16_000, 1, START_US + 1_000_000)
        heard = await asyncio.to_thread(listener.Hear, 100, 48_000, 2, 0.9)
        assert garbage == 0
        # 32,000 bit/s, of a tone that wants less: far below G.711's 16,000 bytes a second.
        assert 2 * 1000 < one.Bytes - sent < 2 * 5000
        wave = np.array(list(heard), np.float32).reshape(-1, 2)
        assert pitch(wave[9600:, 0], 48_000) == pytest.approx(330, abs=3)
        assert (listener.Unreadable, listener.Concealed) == (0, 0)


async def test_a_voice_over_a_path_that_loses_packets_goes_on(
    dotnet: Dotnet, certificate: transport.credentials.Certificate
) -> None:
    """A fifth is lost on the talker's path, in datagrams: the reader knows of it, and makes up for them."""
    async with two(dotnet, certificate, 0.1, path=Profile(loss=0.2)) as (_, listener, one):
        opus = dotnet.core.AudioCodec.Opus
        await asyncio.to_thread(one.PublishDatagrams, "games/room1/voice", "c7", opus, 16_000)
        sent = 0
        async with asyncio.timeout(PATIENCE):
            while listener.Packets < 100 or not listener.Concealed:
                assert one.Say(300, 0.02, 16_000, 1, sent * 0.02, START_US + sent * 20_000) == 1
                sent += 1
                await asyncio.sleep(0.002)
                listener.Take()
        assert listener.Unreadable == 0
        assert listener.Packets + listener.Concealed <= sent


async def test_packets_that_overtook_each_other_are_played_in_order(
    dotnet: Dotnet, certificate: transport.credentials.Certificate
) -> None:
    """Half a second at once, as after a frame that took long: the newest leave first."""
    async with two(dotnet, certificate, 0.02) as (_, listener, one):
        pcm = dotnet.core.AudioCodec.Pcm
        await asyncio.to_thread(one.PublishDatagrams, "games/room1/voice", "c7", pcm, 16_000)
        assert one.Say(315, 0.5, 16_000, 1, 0.0, START_US) == 25
        heard = await asyncio.to_thread(listener.HearTogether, 25, 16_000, 0.49)
        at = np.arange(round(0.49 * 16_000)) / 16_000
        wave = np.array(list(heard))
        assert np.abs(wave - 0.4 * np.sin(2 * np.pi * 315 * at)).max() < 0.001
        assert (listener.Late, listener.Unreadable) == (0, 0)


def test_opus_that_was_lost_is_made_up_for(dotnet: Dotnet) -> None:
    """Packets left out one at a time are recovered from the next ones, and the tone goes on."""
    told = list(dotnet.tests.Talker.Lose(16_000, 300.0, 40, 5))
    decoded, replaced, wave = int(told[0]), int(told[1]), np.array(told[2:], np.float64)
    assert (decoded, replaced) == (32, 8)
    assert len(wave) == 40 * 320
    assert pitch(wave[3200:], 16_000) == pytest.approx(300, abs=3)
    quiet = np.abs(wave[3200:]).reshape(-1, 320).max(axis=1)
    # The copy is coarse, and of a bare tone coarser than of a voice; silence it is not.
    assert quiet.min() > 0.05 * quiet.max()
    assert np.median(quiet) > 0.8 * quiet.max()


def test_mistakes_with_opus_are_typed(dotnet: Dotnet) -> None:
    core: Any = dotnet.core
    system: Any = importlib.import_module("System")
    for name, value, words in (
        ("Rate", 44_100, "44100 Hz is no rate of Opus"),
        ("Channels", 3, "3 channels"),
        ("BitRate", 5000, "outside Opus's 6000 to 510000"),
        ("Complexity", -1, "is above 10"),
        ("Loss", 101, "above 100"),
    ):
        options = core.OpusOptions()
        setattr(options, name, value)
        with pytest.raises(system.Exception) as caught:
            core.OpusEncoder(options)
        assert isinstance(caught.value, core.ClutchCallException)
        assert caught.value.Status == core.CcStatus.BadArgument
        assert words in caught.value.Message
    with pytest.raises(system.Exception, match="11025 Hz"):
        core.OpusDecoder(11_025, 1)
    made = core.OpusEncoder(core.OpusOptions())
    core.NativeCore.CloseAll()
    made.Dispose()
    assert dotnet.tests.Talker.Junk() == 0


async def test_video_in_csharp_is_seen_in_python(
    dotnet: Dotnet, certificate: transport.credentials.Certificate
) -> None:
    with open_relay(certificate) as (_, url), talker(dotnet, url, certificate.sha256) as one:
        async with (
            transport.connect(url, trust=Pinned(certificate.sha256), timeout=PATIENCE) as link,
            link.subscribe("games/room1/video", capability="video.v1") as feed,
        ):
            await feed.ready()
            told = await asyncio.to_thread(one.Show, "games/room1/video", "c7")
            assert told.split()[1:] == ["Queued", "False", "Queued", "Queued"]
            reader, seen = VideoReader(feed), []
            async with asyncio.timeout(PATIENCE):
                async for frame in reader:
                    seen.append(frame)
                    if len(seen) == 3:
                        break
            assert [(one.payload, one.keyframe) for one in seen] == [
                (b"\1\2\3", True),
                (b"\2", False),
                (b"\3", False),
            ]
            assert (seen[0].config, seen[0].timestamp) == (b"\7", 0.001)
            assert isinstance(Video("a", "b"), Video)


async def test_text_in_csharp_is_read_in_python_and_the_other_way_round(
    dotnet: Dotnet, certificate: transport.credentials.Certificate
) -> None:
    """Words beyond ASCII, in order, both ways."""
    words = ["hello", "grüß Gott", "こんにちは", "👋🏽"]
    with (
        open_relay(certificate) as (_, url),
        player(dotnet, url, certificate.sha256) as one,
    ):
        assert await asyncio.to_thread(one.Connect)
        async with (
            transport.connect(url, trust=Pinned(certificate.sha256), timeout=PATIENCE) as link,
            link.subscribe("games/room1/up", capability="text.v1") as feed,
        ):
            await feed.ready()
            chat = await link.publish(transport.Text("games/room1/down", "chat"))
            for word in words:
                chat.send(word)
            answered = asyncio.create_task(asyncio.to_thread(one.Chat, "chat", len(words)))
            read = []
            async with asyncio.timeout(PATIENCE):
                async for frame in feed:
                    read.append(frame.payload.decode())
                    if len(read) == len(words):
                        break
            assert read == [f"{word}!" for word in words]
            assert list(await answered) == words


def test_g711_is_the_same_in_both_languages(dotnet: Dotnet) -> None:
    assert dotnet.tests.Talker.Laws() == "True True"
    samples = np.arange(-32768, 32768, dtype=np.int64).astype(np.int16)
    codes = bytes(range(256))
    for mu, encode, decode in (
        (True, _g711.encode_mu, _g711.decode_mu),
        (False, _g711.encode_a, _g711.decode_a),
    ):
        assert bytes(dotnet.tests.Talker.Encode(mu)) == encode(samples)
        assert list(dotnet.tests.Talker.Decode(mu)) == decode(codes).tolist()


@pytest.mark.parametrize("which", ["track", "object"])
@pytest.mark.parametrize("kind", KINDS["kinds"], ids=[one["kind"] for one in KINDS["kinds"]])
def test_the_golden_properties_are_read_and_written(dotnet: Dotnet, kind: dict[str, Any], which: str) -> None:
    system: Any = importlib.import_module("System")
    data = bytes.fromhex(kind[which]["hex"])
    encoded = system.Array[system.Byte](list(data))
    assert bytes(dotnet.tests.Talker.Again(encoded)) == data
    for name, value in kind[which]["values"].items():
        constant = "Property" + "".join(part.capitalize() for part in name.split("_"))
        told = dotnet.tests.Talker.Value(encoded, getattr(dotnet.core.Constants, constant))
        wanted = value if isinstance(value, int) else bytes.fromhex(value).hex("-").upper()
        assert told == str(wanted)


@pytest.mark.parametrize("one", KINDS["varints"], ids=[one["value"] for one in KINDS["varints"]])
def test_the_golden_numbers_are_read_and_written(dotnet: Dotnet, one: dict[str, str]) -> None:
    system: Any = importlib.import_module("System")
    data = b"\x02" + bytes.fromhex(one["hex"])
    encoded = system.Array[system.Byte](list(data))
    assert bytes(dotnet.tests.Talker.Again(encoded)) == data
    assert dotnet.tests.Talker.Value(encoded, 2) == one["value"]


@pytest.mark.parametrize("data", [b"\x02", b"\x02\x80", b"\x03\x02a", b"\xff", b"\x02\x00" + b"\xff" * 9])
def test_damaged_properties_are_told(dotnet: Dotnet, data: bytes) -> None:
    system: Any = importlib.import_module("System")
    began = time.monotonic()
    with pytest.raises(system.FormatException):
        dotnet.tests.Talker.Again(system.Array[system.Byte](list(data)))
    assert time.monotonic() - began < PATIENCE
