"""What bots say and show: one talks in tones, one shows a moving picture, others listen and look.

What arrives is checked by its content. Each talk spurt is a tone that its time tells, so what is heard at a
time must have that pitch; each picture has its number painted into it, which the capture time tells too.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt

import transport
from transport import AudioReader, AudioTrack, Feed, Link, RateControl, VideoReader, VideoTrack
from transport._codecs import has_opus

from . import _picture, protocol

_T = TypeVar("_T")
_STEP: Final = 0.020
_PERIOD: Final = 2.0
"""A talk spurt and the silence after it, seconds."""
_SPOKEN: Final = 1.2
"""A talk spurt, seconds."""
_TONES: Final = (440.0, 550.0, 660.0, 880.0)
"""Of whole waves a second, so that packets join without a step."""
_HEARD: Final = 0.4
"""So much of one spurt is looked at at a time, seconds."""
_PICTURES: Final = 15
"""A second."""
_KEY_EVERY: Final = 2 * _PICTURES
_BITRATES: Final = (60_000, 250_000)


@dataclass(slots=True)
class Kinds:
    """What was heard and seen, by what it showed itself to be."""

    audio: int = 0
    """Packets heard."""
    concealed: int = 0
    """Packets that were missing when they were due."""
    video: int = 0
    """Pictures seen."""
    tones: int = 0
    """Stretches of speech that had the pitch they were to have."""
    wrong_tones: int = 0
    pictures: int = 0
    """Pictures that said the number they were to say."""
    wrong_pictures: int = 0
    undecodable: int = 0
    notes: list[str] = field(default_factory=list)
    """What the first wrong ones were."""

    def note(self, text: str) -> None:
        """Keep an example."""
        if len(self.notes) < 5:
            self.notes.append(text)


def tone_at(moment: float) -> float | None:
    """The pitch that is spoken at a moment, Hz; none: silence."""
    spurt, into = divmod(moment, _PERIOD)
    return _TONES[int(spurt) % len(_TONES)] if into < _SPOKEN else None


def pitch(samples: npt.NDArray[Any], rate: int) -> float:
    """The loudest frequency of samples of shape (samples, channels), Hz."""
    wave = samples[:, 0] * np.hanning(len(samples))
    return float(np.abs(np.fft.rfft(wave, 4 * len(wave))).argmax()) * rate / (4 * len(wave))


class Talker:
    """Speaks in tones, as time goes by."""

    def __init__(self, track: AudioTrack, rate: int) -> None:
        self._track = track
        self._rate = rate
        self._at: float | None = None

    def step(self, moment: float) -> None:
        """Say what is due by `moment`, seconds since 1970."""
        frame = round(self._rate * _STEP)
        if self._at is None or moment - self._at > 1.0:
            self._at = moment - moment % _STEP
        while self._at + _STEP <= moment:
            hertz = tone_at(self._at + _STEP / 2)
            phase = (self._at % 1.0 + np.arange(frame) / self._rate) * 2 * np.pi
            wave = np.sin(phase * (hertz or 0.0)) * 9000
            self._track.write(wave.astype(np.int16), self._at)
            self._at += _STEP


class Camera:
    """Shows pictures, as time goes by."""

    def __init__(self, track: VideoTrack, encoder: _picture.PictureEncoder) -> None:
        self._track = track
        self._encoder = encoder
        self._number: int | None = None
        self._since_key = 0
        self._rate = RateControl(*_BITRATES)
        self._looked = 0.0

    def step(self, moment: float, stats: transport.LinkStats | None = None) -> None:
        """Show what is due by `moment`; `stats` are the link's, from time to time."""
        if stats is not None and self._rate.update(moment, stats):
            self._encoder.bitrate = self._rate.bitrate
        number = int(moment * _PICTURES)
        if number == self._number:
            return
        self._number = number
        if not self._track.subscribers:
            return
        wanted = self._track.keyframe_wanted or self._since_key >= _KEY_EVERY
        encoded, keyframe = self._encoder.encode(_picture.paint(number & 0xFFFF), wanted)
        self._since_key = 0 if keyframe else self._since_key + 1
        self._track.write(encoded, keyframe=keyframe, timestamp=number / _PICTURES)


def _forget_ended(of_tracks: dict[int, _T], feed: Feed) -> None:
    """What is kept of tracks by id goes with them, a decoder's memory among it."""
    for track in of_tracks.keys() - feed.tracks.keys():
        del of_tracks[track]


class Listener:
    """Hears what is said, and checks its pitch."""

    def __init__(self, feed: Feed, kinds: Kinds) -> None:
        self._reader = AudioReader(feed)
        self._kinds = kinds
        self._blocks: dict[int, list[transport.AudioBlock]] = {}

    def step(self) -> None:
        """Take what is due."""
        for block in self._reader.read():
            self._kinds.audio += not block.concealed
            self._kinds.concealed += block.concealed
            self._take(block)
        _forget_ended(self._blocks, self._reader.feed)

    def _take(self, block: transport.AudioBlock) -> None:
        blocks = self._blocks.setdefault(block.track.id, [])
        spoken = tone_at(block.timestamp) is not None and tone_at(block.timestamp + _STEP) is not None
        follows = bool(blocks) and abs(block.timestamp - blocks[-1].timestamp - _STEP) < _STEP / 4
        if not spoken or block.concealed or not follows:
            blocks.clear()
        if not spoken or block.concealed:
            return
        blocks.append(block)
        if len(blocks) * _STEP < _HEARD:
            return
        heard = pitch(np.concatenate([one.samples for one in blocks]), block.rate)
        due = tone_at(blocks[0].timestamp) or 0.0
        right = abs(heard - due) < 5
        self._kinds.tones += right
        self._kinds.wrong_tones += not right
        if not right:
            self._kinds.note(f"heard {heard:.0f} Hz for {due:.0f} Hz")
        blocks.clear()


class Viewer:
    """Sees what is shown, and reads the number in it."""

    def __init__(self, feed: Feed, kinds: Kinds) -> None:
        self._reader = VideoReader(feed)
        self._kinds = kinds
        self._decoders: dict[int, _picture.PictureDecoder | None] = {}

    def step(self) -> None:
        """Take what is there."""
        for frame in self._reader.read():
            self._kinds.video += 1
            if frame.track.id not in self._decoders:
                self._decoders[frame.track.id] = _picture.decoder(self._reader.codec(frame.track))
            decoder = self._decoders[frame.track.id]
            picture = decoder.decode(frame.payload) if decoder is not None else None
            if picture is None:
                self._kinds.undecodable += 1
                continue
            due = round(frame.timestamp * _PICTURES) & 0xFFFF
            right = _picture.number_of(picture) == due
            self._kinds.pictures += right
            self._kinds.wrong_pictures += not right
            if not right:
                self._kinds.note(f"saw picture {_picture.number_of(picture)} for {due}")
        _forget_ended(self._decoders, self._reader.feed)


class Show:
    """The talker and the camera of one room, and up to `audience` bots that hear and see them."""

    def __init__(self, room: str, audience: int = 4) -> None:
        self.kinds = Kinds()
        self.codecs: tuple[str, str] = ("", "")
        """How voice and picture are encoded."""
        self._room = room
        self._audience = audience
        self._talker: Talker | None = None
        self._camera: Camera | None = None
        self._camera_link: Link | None = None
        self._listeners: list[Listener] = []
        self._viewers: list[Viewer] = []

    async def start(self, links: Sequence[tuple[str, Link]]) -> None:
        """Publish and subscribe on links of players; the first talks, the second shows."""
        if len(links) < 2:
            return
        (speaker, voice_link), (shower, camera_link) = links[:2]
        for name, link in links[: self._audience]:
            if name != speaker:
                feed = await link.subscribe(protocol.voice(self._room)).ready()
                self._listeners.append(Listener(feed, self.kinds))
            if name != shower:
                feed = await link.subscribe(protocol.video(self._room)).ready()
                self._viewers.append(Viewer(feed, self.kinds))
        voice = protocol.voice_track(self._room, speaker, opus=has_opus())
        pictures = _picture.encoder(_BITRATES[1])
        self.codecs = (voice.codec, pictures.codec)
        self._talker = Talker(await voice_link.publish(voice), voice.rate)
        self._camera_link = camera_link
        self._camera = Camera(
            await camera_link.publish(protocol.video_track(self._room, shower, pictures.codec)), pictures
        )

    async def run(self) -> None:
        """Talk, show, listen and look until cancelled."""
        began, at = time.time(), asyncio.get_running_loop().time()
        looked = 0.0
        while True:
            now = asyncio.get_running_loop().time() - at
            stats = None
            if now - looked > 0.25 and self._camera_link is not None and self._camera_link.is_up:
                looked, stats = now, self._camera_link.stats()
            self.step(began + now, stats)
            await asyncio.sleep(_STEP - now % _STEP)

    def step(self, moment: float, stats: transport.LinkStats | None = None) -> None:
        """What is due at `moment`, seconds since 1970."""
        if self._talker is not None and self._camera is not None:
            self._talker.step(moment)
            self._camera.step(moment, stats)
        for listener in self._listeners:
            listener.step()
        for viewer in self._viewers:
            viewer.step()

    def summary(self) -> Mapping[str, Any]:
        """For the host's last words."""
        kinds = self.kinds
        return {
            "voice_codec": self.codecs[0],
            "picture_codec": self.codecs[1],
            "packets_heard": kinds.audio,
            "packets_concealed": kinds.concealed,
            "tones_right": kinds.tones,
            "tones_wrong": kinds.wrong_tones,
            "pictures_seen": kinds.video,
            "numbers_right": kinds.pictures,
            "numbers_wrong": kinds.wrong_pictures + kinds.undecodable,
            "notes": list(kinds.notes),
        }
