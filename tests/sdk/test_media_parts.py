"""Marks, codecs and the ear of audio tracks, by themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transport import _codecs, _g711, _loc, _properties, _vad
from transport._media_values import AudioCodec

KINDS = json.loads((Path(__file__).parents[2] / "api/vectors/modalities.json").read_text("utf-8"))["kinds"]
CODECS: list[AudioCodec] = ["opus", "pcm", "mulaw", "alaw"]


def kind(name: str) -> dict[str, Any]:
    return next(one for one in KINDS if one["kind"] == name)


def test_marks_are_read_as_in_the_vectors() -> None:
    audio = _loc.decode(_properties.decode(bytes.fromhex(kind("AUDIO")["object"]["hex"])))
    assert audio == _loc.Marks(timestamp=1_790_000_000.123456, level=0x25, active=True)
    video = _loc.decode(_properties.decode(bytes.fromhex(kind("VIDEO")["object"]["hex"])), 48_000)
    assert video.timestamp == 1_790_000_000_123_456 / 48_000
    assert (video.keyframe, video.config) == (True, bytes([1, 0x42, 0xE0, 0x1E]))


def test_marks_are_written_as_in_the_vectors() -> None:
    marks = _loc.Marks(timestamp=1_790_000_000.123456, level=0x25, active=True)
    assert _loc.encode(marks).hex() == kind("AUDIO")["object"]["hex"]
    marks = _loc.Marks(timestamp=1_790_000_000.123456, keyframe=True, config=bytes([1, 0x42, 0xE0, 0x1E]))
    assert _loc.encode(marks).hex() == kind("VIDEO")["object"]["hex"]


def test_the_older_type_of_a_capture_time_is_read() -> None:
    assert _loc.decode({6: 2_000_000}).timestamp == 2.0
    assert _loc.decode({6: 1, 0x10: 2_000_000}).timestamp == 2.0
    assert _loc.decode({0x10: 96_000, 8: 48_000}).timestamp == 2.0


@given(
    st.dictionaries(
        st.sampled_from([6, 8, 9, 0x0C, 0x0D, 0x10]),
        st.one_of(st.integers(0, 2**64 - 1), st.binary(max_size=9)),
    )
)
def test_no_property_of_a_peer_is_an_error(properties: dict[int, int | bytes]) -> None:
    marks = _loc.decode(properties)
    assert marks.level is None or 0 <= marks.level <= 127


# ITU-T G.711, tables 1a, 1b, 2a and 2b: the values at the decoder's output of the first code of each segment,
# and of the greatest one; A-law's in 1/4096, mu-law's in 1/8192 of full scale.
A_LAW = {0xD5: 1, 0xC5: 33, 0xF5: 66, 0xE5: 132, 0x95: 264, 0x85: 528, 0xB5: 1056, 0xA5: 2112, 0xAA: 4032}
MU_LAW = {0xFF: 0, 0xEF: 33, 0xDF: 99, 0xCF: 231, 0xBF: 495, 0xAF: 1023, 0x9F: 2079, 0x8F: 4191, 0x80: 8031}


def test_g711_is_as_in_its_tables() -> None:
    for code, value in A_LAW.items():
        assert _g711.decode_a(bytes([code, code & 0x7F])).tolist() == [value << 3, -value << 3]
    for code, value in MU_LAW.items():
        assert _g711.decode_mu(bytes([code, code & 0x7F])).tolist() == [value << 2, -value << 2]


def test_g711_gives_each_sample_the_code_nearest_to_it() -> None:
    samples = np.arange(-32768, 32768).astype(np.int16)
    # Where a segment ends the steps double, and the border is not quite half-way between two values.
    border = np.maximum(8, abs(samples.astype(np.int64)) // 32)
    for encode, decode in [(_g711.encode_a, _g711.decode_a), (_g711.encode_mu, _g711.decode_mu)]:
        codes = bytes(range(256))
        values = np.sort(np.unique(decode(codes).astype(np.int64)))
        heard = decode(encode(samples)).astype(np.int64)
        at = np.clip(np.searchsorted(values, samples), 1, len(values) - 1)
        nearest = np.minimum(abs(values[at] - samples), abs(values[at - 1] - samples))
        assert np.all(abs(heard - samples) <= nearest + border)
        again = decode(encode(decode(codes)))
        assert np.array_equal(again, decode(codes))


def test_g711_agrees_with_another_implementation() -> None:
    av = pytest.importorskip("av")
    noise = np.random.default_rng(3).integers(-32768, 32767, 8000).astype(np.int16)
    for name, encode, decode in [
        ("pcm_alaw", _g711.encode_a, _g711.decode_a),
        ("pcm_mulaw", _g711.encode_mu, _g711.decode_mu),
    ]:
        context = av.CodecContext.create(name, "r")
        context.sample_rate, context.layout = 8000, "mono"
        (frame,) = context.decode(av.Packet(encode(noise)))
        assert np.array_equal(frame.to_ndarray().reshape(-1), decode(encode(noise)))


@pytest.mark.parametrize("codec", CODECS)
@settings(max_examples=200, deadline=None)
@given(packet=st.binary(max_size=400))
def test_no_packet_of_a_peer_is_more_than_a_bad_one(codec: AudioCodec, packet: bytes) -> None:
    if codec == "opus" and not _codecs.has_opus():
        pytest.skip("PyAV is not installed")
    decoder = _codecs.decoder(codec, 8000, 2)
    try:
        seconds = decoder.duration(packet)
        samples = decoder.decode(packet)
    except _codecs.BadPacket:
        return
    assert samples.dtype == np.int16
    assert samples.shape[1] == 2
    assert 0 < seconds <= 0.12
    assert len(samples) <= 0.13 * decoder.rate


@pytest.mark.parametrize("frame", [0.01, 0.02, 0.04, 0.06])
def test_an_opus_packet_says_how_long_it_is(frame: float) -> None:
    if not _codecs.has_opus():
        pytest.skip("PyAV is not installed")
    for rate in (8000, 48_000):
        encoder = _codecs.encoder("opus", rate, 1, 24_000, frame)
        decoder = _codecs.decoder("opus", rate, 1)
        packet = encoder.encode(np.zeros((round(rate * frame), 1), np.int16))
        assert decoder.duration(packet) == frame
        assert len(decoder.decode(packet)) == round(frame * 48_000)


def test_speech_is_heard_above_the_noise_and_for_a_while_after() -> None:
    draw = np.random.default_rng(1)
    voice = _vad.Voice(0.02)
    noise = [draw.normal(0, 60, 960).astype(np.int16) for _ in range(200)]
    speech = [draw.normal(0, 3000, 960).astype(np.int16) for _ in range(50)]
    before = [voice.hear(one) for one in noise]
    assert not any(one.send for one in before[100:])
    during = [voice.hear(one) for one in speech]
    assert all(one.active and one.send and not one.last for one in during)
    assert 18 <= during[0].level <= 24
    after = [voice.hear(one) for one in noise[:20]]
    assert [one.send for one in after] == [True] * 10 + [False] * 10
    assert [one.last for one in after].index(True) == 9
    assert not any(one.active for one in after)


def test_a_loud_tone_never_counts_as_noise() -> None:
    voice = _vad.Voice(0.02)
    tone = np.rint(np.sin(np.arange(960) / 10) * 8000).astype(np.int16)
    assert all(voice.hear(tone).active for _ in range(5000))


def test_digital_silence_is_the_quietest_level() -> None:
    heard = _vad.Voice(0.02).hear(np.zeros(960, np.int16))
    assert (heard.level, heard.send) == (127, False)
