"""What bots say and show: the parts by themselves, and all of it over a host."""

from __future__ import annotations

import asyncio
import io
import sys
from pathlib import Path

import numpy as np
import pytest

import transport
from relay._log import Log
from samples.arena import Arena
from tests.sdk.conftest import PATIENCE, open_relay, until
from transport import _codecs
from transport._codecs import has_opus
from transport.host import _picture, _show, protocol
from transport.host._host import Host
from transport.host._options import Options


@pytest.mark.parametrize("number", [0, 1, 0x5555, 0xAAAA, 0xFFFF, 12345])
def test_a_picture_says_its_number(number: int) -> None:
    assert _picture.number_of(_picture.paint(number)) == number


def test_numbers_survive_compression_at_the_least_bit_rate() -> None:
    encoder = _picture.encoder(60_000)
    decoder = _picture.decoder(encoder.codec)
    assert decoder is not None
    sizes = []
    for number in range(100, 160):
        encoded, keyframe = encoder.encode(_picture.paint(number), number in (100, 130))
        assert keyframe == (number in (100, 130)) or encoder.codec != "vp8"
        picture = decoder.decode(encoded)
        assert picture is not None
        assert _picture.number_of(picture) == number
        sizes.append(len(encoded))
    if encoder.codec == "vp8":
        assert sum(sizes) < 60 * 2000
        encoder.bitrate = 200_000
        assert encoder.encode(_picture.paint(7), False)[1], "a new bit rate begins with a keyframe"


async def test_what_was_kept_of_a_track_goes_with_it(native: Path) -> None:
    relay = open_relay(transport.credentials.make_certificate())
    encoder = _picture.encoder(60_000)
    async with relay.node, relay.connect() as sender, relay.connect() as reader:
        viewer = _show.Viewer(await reader.subscribe("games/r").ready(), _show.Kinds())
        for name in ("first", "second"):
            track = await sender.publish(transport.Video("games/r", name, codec=encoder.codec))
            await until(lambda track=track: track.subscribers > 0)  # type: ignore[misc]
            track.write(encoder.encode(_picture.paint(7), True)[0], keyframe=True, timestamp=7 / 15)

            def is_seen() -> bool:
                viewer.step()
                return bool(viewer._decoders)

            await until(is_seen)
            track.close()
            await until(lambda: not is_seen())
        assert viewer._kinds.pictures == 2


def test_what_is_no_picture_is_none() -> None:
    for codec in ("vp8", "gray8.160x96"):
        decoder = _picture.decoder(codec)
        if decoder is not None:
            assert decoder.decode(b"nothing of that kind") is None
    assert _picture.decoder("avc1.42E01E") is None


def test_without_pyav_bots_talk_and_show_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    assert not has_opus()
    assert protocol.voice_track("main", "p", opus=has_opus()).codec == "pcm"
    encoder = _picture.encoder(60_000)
    decoder = _picture.decoder(encoder.codec)
    assert decoder is not None
    picture = decoder.decode(encoder.encode(_picture.paint(4321), False)[0])
    assert picture is not None
    assert _picture.number_of(picture) == 4321
    assert _picture.decoder("vp8") is None
    with pytest.raises(transport.NativeMissing, match="pip install"):
        _codecs.encoder("opus", 48_000, 1, 24_000, 0.02)


def test_a_spurt_has_its_pitch() -> None:
    assert [_show.tone_at(2 * n + 0.5) for n in range(5)] == [440, 550, 660, 880, 440]
    assert _show.tone_at(1.5) is None
    wave = np.sin(np.arange(19_200)[:, np.newaxis] / 48_000 * 2 * np.pi * 660)
    assert _show.pitch(wave, 48_000) == pytest.approx(660, abs=2)


async def test_all_four_kinds_cross_a_host_and_are_what_they_were(
    native: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLUTCHCALL_STATE", str(tmp_path))
    options = Options(port=0, control_port=0, admin_port=0, bots=3)
    host = Host(options, Arena, Log(json_lines=False, verbose=False, out=(out := io.StringIO())))
    await host.start()
    running = asyncio.create_task(host.run())
    try:
        await until(lambda: host.bots is not None and host.bots.connected == 3)
        assert host.bots is not None
        kinds = host.bots.show.kinds

        def crossed() -> bool:
            assert host.bots is not None
            seen = kinds.tones >= 2 and kinds.pictures >= 20
            return seen and host.bots.chat.received > 0 and host.bots.latency["state"].count > 0

        await until(crossed, 2 * PATIENCE)
        reading = host.read()
        assert set(reading.kinds) == {"frame", "text", "audio", "video"}
        assert {"audio", "video"} <= set(reading.line().replace("|", "").split())
        assert all(
            count > 0 for kind, count in host.node.stats().kinds.items() if kind.name != "FRAME_STREAM"
        )
        assert (kinds.wrong_tones, kinds.wrong_pictures) == (0, 0), kinds.notes
    finally:
        host.end()
        assert await running == 0, out.getvalue()
        assert await host.stop() == 0
