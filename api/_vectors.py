"""Golden vectors for every language's tests: DTO bodies, properties, fragments, hashes.

The encoders here are written apart from those in `runtime/`, from the formats'
own descriptions, so that an error in one does not hide in the other.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Mapping

from ._check import fnv53
from ._model import Idl, WireType

FOLDER = "api/vectors"


def emit(idl: Idl) -> dict[str, str]:
    """The outputs by path."""
    files = {
        "dtos.json": _dtos(idl),
        "modalities.json": _modalities(idl),
        "capability.json": _capabilities(idl),
    }
    return {
        f"{FOLDER}/{name}": json.dumps(value, indent=1, ensure_ascii=False) + "\n"
        for name, value in files.items()
    }


# MessagePack, by type of the IDL


def _head(count: int, fix: tuple[int, int] | None, codes: tuple[int | None, int, int]) -> bytes:
    if fix is not None and count < fix[1]:
        return bytes([fix[0] + count])
    for code, size in zip(codes, (1, 2, 4), strict=True):
        if code is not None and count < 1 << 8 * size:
            return bytes([code]) + count.to_bytes(size)
    raise ValueError(count)


def _scalar(idl: Idl, base: str, value: object) -> bytes:
    if base == "str":
        assert isinstance(value, str)
        data = value.encode()
        return _head(len(data), (0xA0, 32), (0xD9, 0xDA, 0xDB)) + data
    if base == "bytes":
        assert isinstance(value, bytes)
        return _head(len(value), None, (0xC4, 0xC5, 0xC6)) + value
    if base == "bool":
        return b"\xc3" if value else b"\xc2"
    if base == "float":
        return b"\xcb" + struct.pack(">d", value)
    if base == "int":
        assert isinstance(value, int)
        return _integer(value)
    assert isinstance(value, Mapping)
    return _body(idl, base, value)


def _integer(value: int) -> bytes:
    if -32 <= value < 128:
        return struct.pack("b", value)
    for bits, unsigned, signed in ((8, 0xCC, 0xD0), (16, 0xCD, 0xD1), (32, 0xCE, 0xD2), (64, 0xCF, 0xD3)):
        if 0 <= value < 1 << bits:
            return bytes([unsigned]) + value.to_bytes(bits // 8)
        if value < 0 and value >= -(1 << (bits - 1)):
            return bytes([signed]) + value.to_bytes(bits // 8, signed=True)
    raise ValueError(value)


def _value(idl: Idl, kind: WireType, value: object) -> bytes:
    if kind.shape == "list":
        assert isinstance(value, list)
        items = b"".join(_scalar(idl, kind.base, one) for one in value)
        return _head(len(value), (0x90, 16), (None, 0xDC, 0xDD)) + items
    if kind.shape == "map":
        assert isinstance(value, Mapping)
        entries = b"".join(
            _scalar(idl, "str", key) + _scalar(idl, kind.base, one) for key, one in value.items()
        )
        return _head(len(value), (0x80, 16), (None, 0xDE, 0xDF)) + entries
    return _scalar(idl, kind.base, value)


def _body(idl: Idl, name: str, value: Mapping[str, object]) -> bytes:
    fields = [one for dto in idl.dtos if dto.name == name for one in dto.fields if one.name in value]
    entries = b"".join(
        _scalar(idl, "str", one.name) + _value(idl, one.type, value[one.name]) for one in fields
    )
    return _head(len(fields), (0x80, 16), (None, 0xDE, 0xDF)) + entries


# DTOs

_TEXTS = ("", "room-1", "ünïcode 🎲", "a" * 31, "b" * 32, "c" * 256)
_INTS = (0, 127, 128, 255, 256, 65535, 65536, 4294967295, 4294967296, 9007199254740991)
_NEGATIVE = (-1, -32, -33, -128, -129, -32768, -32769, -2147483648, -2147483649, -9007199254740991)
_FLOATS = (0.0, 60.0, -1.5, 16.666666666666668, 1e-300, 9007199254740993.5)


class _Maker:
    """Values of each type, unlike from case to case and the same in every run."""

    def __init__(self, idl: Idl, case: int) -> None:
        self._idl, self._at, self._case = idl, case, case

    def _pick(self, values: tuple[object, ...]) -> object:
        self._at += 1
        return values[self._at % len(values)]

    def scalar(self, base: str, values: tuple[str, ...], depth: int) -> object:
        if values:
            return self._pick(values)
        if base == "int":
            return self._pick(_INTS + _NEGATIVE)
        if base == "float":
            return self._pick(_FLOATS)
        if base == "str":
            return self._pick(_TEXTS)
        if base == "bool":
            return self._pick((True, False))
        if base == "bytes":
            return self._pick((b"", b"\x00\xff", bytes(range(256))))
        return self.body(base, depth + 1)

    def body(self, name: str, depth: int = 0) -> dict[str, object]:
        out: dict[str, object] = {}
        for one in next(dto.fields for dto in self._idl.dtos if dto.name == name):
            self._at += 1
            if one.type.optional and (self._case + self._at) % 2:
                continue
            count = self._pick((0, 1, 3, 17 if depth == 0 else 2))
            assert isinstance(count, int)
            made = [self.scalar(one.type.base, one.values, depth) for _ in range(count)]
            if one.type.shape == "list":
                out[one.name] = made
            elif one.type.shape == "map":
                out[one.name] = {f"key{at}": value for at, value in enumerate(made)}
            else:
                out[one.name] = self.scalar(one.type.base, one.values, depth)
        return out


def _plain(value: object) -> object:
    """A value as JSON has it."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return value


def _dtos(idl: Idl) -> object:
    cases = []
    for dto in idl.dtos:
        for case in range(3 if dto.fields else 1):
            value = _Maker(idl, case).body(dto.name)
            cases.append(
                {"dto": dto.name, "json": _plain(value), "msgpack": _body(idl, dto.name, value).hex()}
            )
    version = idl.constant("RPC_VERSION")
    calls = []
    requests = (0, 1, 127, 128, 256, 65536, 4294967295)
    for at, method in enumerate(idl.methods):
        value = _Maker(idl, at).body(method.request)
        request = requests[at % len(requests)]
        data = (
            b"\x94"
            + _integer(version)
            + _integer(method.id)
            + _integer(request)
            + _body(idl, method.request, value)
        )
        call = {"method": method.id, "request": request, "dto": method.request, "json": _plain(value)}
        calls.append(call | {"msgpack": data.hex()})
    return {
        "about": "DTOs as JSON and MessagePack; calls in their envelope; bodies to refuse.",
        "dtos": cases,
        "calls": calls,
        "refused": _refused(idl),
    }


def _refused(idl: Idl) -> list[dict[str, str]]:
    """Bodies that every reader refuses, and the path that its error names."""
    key = _scalar(idl, "str", "room")
    return [
        {"why": "nothing at all", "dto": "RoomQuery", "msgpack": "", "path": "$"},
        {"why": "a required field is missing", "dto": "RoomQuery", "msgpack": "80", "path": "$.room"},
        {
            "why": "a field is nil",
            "dto": "RoomQuery",
            "msgpack": (b"\x81" + key + b"\xc0").hex(),
            "path": "$.room",
        },
        {
            "why": "a field has another type",
            "dto": "RoomQuery",
            "msgpack": (b"\x81" + key + b"\x01").hex(),
            "path": "$.room",
        },
        {"why": "no map", "dto": "RoomQuery", "msgpack": "90", "path": "$"},
        {"why": "bytes follow", "dto": "Empty", "msgpack": "8000", "path": "$"},
        {"why": "a map longer than the body", "dto": "Empty", "msgpack": "dfffffffff", "path": "$"},
        {
            "why": "a string longer than the body",
            "dto": "RoomQuery",
            "msgpack": (b"\x81" + key + b"\xdb\xff\xff\xff\xff").hex(),
            "path": "$",
        },
        {"why": "nested too deep", "dto": "Empty", "msgpack": "91" * 40 + "c0", "path": "$"},
        {"why": "an extension type", "dto": "Empty", "msgpack": "d40000", "path": "$"},
        {
            "why": "a key twice",
            "dto": "RoomQuery",
            "msgpack": (b"\x82" + (key + b"\xa1a") * 2).hex(),
            "path": "$",
        },
        {"why": "a key that is no string", "dto": "RoomQuery", "msgpack": "810101", "path": "$"},
        {
            "why": "a string that is not UTF-8",
            "dto": "RoomQuery",
            "msgpack": (b"\x81" + key + b"\xa1\xff").hex(),
            "path": "$",
        },
        {
            "why": "a word that is none of the field's",
            "dto": "Health",
            "msgpack": (b"\x81" + _scalar(idl, "str", "status") + b"\xa1x").hex(),
            "path": "$.status",
        },
        {
            "why": "an item deep inside has another type",
            "dto": "RoomList",
            "msgpack": (
                b"\x81" + _scalar(idl, "str", "rooms") + b"\x91\x81" + _scalar(idl, "str", "name") + b"\xc2"
            ).hex(),
            "path": "$.rooms[0].name",
        },
    ]


# Properties and fragments


def _varint(value: int) -> bytes:
    """A vi64: as many leading ones as bytes follow the first."""
    for more in range(8):
        if value < 1 << 7 * (more + 1):
            ones = (0xFF00 >> more) & 0xFF
            return ((ones << 8 * more) | value).to_bytes(more + 1)
    return b"\xff" + value.to_bytes(8)


def _pairs(values: list[tuple[int, int | bytes]]) -> bytes:
    """Key-value pairs, their types as deltas."""
    out, last = b"", 0
    for kind, value in sorted(values, key=lambda one: one[0]):
        out += _varint(kind - last)
        out += _varint(value) if isinstance(value, int) else _varint(len(value)) + value
        last = kind
    return out


_EXAMPLES: dict[str, int | bytes] = {
    "AUDIO_CODEC": 1,
    "VIDEO_CODEC": b"avc1.42E01E",
    "SAMPLE_RATE": 48000,
    "CHANNELS": 2,
    "LOC_TIMESTAMP": 1_790_000_000_123_456,
    "LOC_TIMESCALE": 48000,
    "LOC_VIDEO_FRAME_MARKING": b"\xe0",
    "LOC_AUDIO_LEVEL": 0xA5,
    "LOC_VIDEO_CONFIG": bytes([1, 0x42, 0xE0, 0x1E]),
}


def _encoded(idl: Idl, names: tuple[str, ...], tag: str, kind: int) -> dict[str, object]:
    ids = {one.name: one.id for one in idl.properties}
    examples = _EXAMPLES | {"CAPABILITY_TAG": tag.encode(), "CAPABILITY_HASH": fnv53(tag), "TRACK_KIND": kind}
    values = [(ids[name], examples[name]) for name in names]
    shown = {
        name: value.hex() if isinstance(value, bytes) else value
        for name, value in ((name, examples[name]) for name in names)
    }
    return {"values": shown, "hex": _pairs(values).hex()}


def _fragments(idl: Idl, payload: int, properties: int) -> dict[str, object]:
    room, most = idl.constant("FRAGMENT_BYTES"), idl.constant("MAX_FRAGMENTS")
    sizes = [min(payload, room - properties)] if properties <= room else []
    while sizes and sum(sizes) < payload:
        sizes.append(min(room, payload - sum(sizes)))
    fits = 0 < len(sizes) <= most
    return {"payload": payload, "properties": properties, "fragments": sizes if fits else None}


def _modalities(idl: Idl) -> object:
    kinds = []
    for modality in idl.modalities:
        tag = next(one.tag for one in idl.capabilities if one.modality == modality.name)
        for kind in modality.kinds:
            kinds.append(
                {
                    "modality": modality.name,
                    "kind": kind.name,
                    "number": kind.value,
                    "track": _encoded(idl, modality.track_properties, tag, kind.value),
                    "object": _encoded(idl, modality.object_properties, tag, kind.value),
                }
            )
    room, most = idl.constant("FRAGMENT_BYTES"), idl.constant("MAX_FRAGMENTS")
    full = room * most
    payloads = [(0, 0), (1, 0), (200, 0), (room, 0), (room + 1, 0), (2 * room, 0), (full, 0), (full + 1, 0)]
    mixed = [(0, 20), (room - 20, 20), (room - 19, 20), (full - 20, 20), (full - 19, 20)]
    edges = [(0, room), (1, room), (full - room, room), (full - room + 1, room), (0, room + 1), (5000, 300)]
    return {
        "about": "Properties as key-value pairs; payload lengths of each fragment (null: TOO_LARGE), "
        "the properties whole in the first.",
        "kinds": kinds,
        "varints": [{"value": str(one), "hex": _varint(one).hex()} for one in _vectors_of_varints()],
        "fragments": [_fragments(idl, *one) for one in payloads + mixed + edges],
    }


def _vectors_of_varints() -> list[int]:
    """Both sides of each length's limit; values as text, since JSON readers lose bits above 2^53."""
    edges = [edge for size in range(1, 9) for edge in ((1 << 7 * size) - 1, 1 << 7 * size)]
    return [0, 37, *edges, (1 << 64) - 1]


def _capabilities(idl: Idl) -> object:
    tags = [one.tag for one in idl.capabilities] + ["", "a", "foobar", "netcode.v2", "ünïcode", "x" * 64]
    return {
        "about": "Tag to hash: the low 53 bits of FNV-1a 64.",
        "tags": [{"tag": t, "hash": fnv53(t)} for t in tags],
    }
