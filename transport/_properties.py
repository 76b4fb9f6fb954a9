"""Object and track properties: a delta-coded list of key-value pairs (MoQT, Key-Value-Pair Structure).

An even type carries an integer of up to 64 bits, an odd one up to 65,535 bytes. The list is written in
ascending order of type, so a mapping has one encoding; a list from the wire may repeat a type, and then the
last one stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from ._errors import BadArgument

Value: TypeAlias = int | bytes
"""An integer for an even type, bytes for an odd one."""

MAX_INT = (1 << 64) - 1
MAX_BYTES = 65_535
_NINE_BYTES = 0xFF


def put_varint(out: bytearray, value: int) -> None:
    """Append `value` (0 .. 2**64-1) in its shortest form: the first byte's leading ones count the bytes after
    it.
    """
    if not 0 <= value <= MAX_INT:
        raise BadArgument(f"property number {value} is outside 0 .. 2**64-1: use a smaller one")
    if value < 0x80:
        out.append(value)
        return
    extra = min((value.bit_length() - 1) // 7, 8)
    if extra == 8:
        out.append(_NINE_BYTES)
    else:
        value |= (_NINE_BYTES << (8 - extra) & _NINE_BYTES) << (8 * extra)
        extra += 1
    out += value.to_bytes(extra, "big")


def get_varint(data: bytes | memoryview, at: int) -> tuple[int, int]:
    """The integer that starts at `at`, and where the next thing starts. `BadArgument` if it is cut off."""
    if at >= len(data):
        raise BadArgument(
            f"properties end at byte {at} where a number was expected: hand over the whole list"
        )
    first = data[at]
    if first < 0x80:
        return first, at + 1
    extra = 8 - (~first & 0xFF).bit_length()
    end = at + 1 + extra
    if end > len(data):
        raise BadArgument(f"properties end inside the number at byte {at}: hand over the whole list")
    top = first & (0x7F >> extra)
    return int.from_bytes(bytes((top,)) + bytes(data[at + 1 : end]), "big"), end


def encode(properties: Mapping[int, Value]) -> bytes:
    """The list's bytes; empty for an empty mapping. `BadArgument` for a value that its type cannot carry."""
    out = bytearray()
    previous = 0
    for key in properties:
        if not isinstance(key, int):
            raise BadArgument(f"property {key!r} is {type(key).__name__}: name it by its number")
    for key in sorted(properties):
        value = properties[key]
        put_varint(out, key - previous)
        previous = key
        if key % 2 == 0:
            if not isinstance(value, int):
                raise BadArgument(
                    f"property {key:#x} is even, so its value is an int, not {type(value).__name__}"
                )
            put_varint(out, value)
            continue
        if not isinstance(value, bytes | bytearray | memoryview):
            raise BadArgument(f"property {key:#x} is odd, so its value is bytes, not {type(value).__name__}")
        if len(value) > MAX_BYTES:
            raise BadArgument(f"property {key:#x} has {len(value)} bytes: at most {MAX_BYTES} fit")
        put_varint(out, len(value))
        out += value
    return bytes(out)


def decode(data: bytes | memoryview) -> dict[int, Value]:
    """The list as a dict, in the order of its types. `BadArgument` for bytes that are no such list."""
    found: dict[int, Value] = {}
    at = 0
    key = 0
    while at < len(data):
        delta, at = get_varint(data, at)
        key += delta
        if key > MAX_INT:
            raise BadArgument(f"property type {key:#x} is above 2**64-1: the list is damaged")
        number, at = get_varint(data, at)
        if key % 2 == 0:
            found[key] = number
            continue
        if number > MAX_BYTES or at + number > len(data):
            raise BadArgument(
                f"property {key:#x} claims {number} bytes of {len(data) - at}: the list is damaged"
            )
        found[key] = bytes(data[at : at + number])
        at += number
    return found
