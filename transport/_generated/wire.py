# generated from api/clutchcall.json by python -m api.rpc_compiler; do not edit
"""MessagePack for the control stack's bodies, and checks of values by type.

Only what the IDL's types need: integers, floats, strings, bytes, truth values,
nil, lists, maps by string. Every length is checked against what is left before
anything is built; nesting is bounded. Errors are `WireError`, with the path of
the value at fault.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import struct
from collections.abc import Callable, Mapping
from typing import TypeVar

T = TypeVar("T")

MAX_INT = (1 << 53) - 1
"""Largest magnitude of an integer: what JSON and JavaScript hold exactly."""

MAX_DEPTH = 16
"""Lists and maps within each other at most."""


class WireError(ValueError):
    """A body that is not what the IDL says: the sender's fault, or the caller's when packing."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path
        self.message = message


def pack(value: object) -> bytes:
    """A value as MessagePack, in the shortest form; floats always take 64 bits."""
    out = bytearray()
    _pack(value, out, "$", 0)
    return bytes(out)


def unpack(data: bytes | bytearray | memoryview) -> object:
    """The one value in `data`; bytes behind it are an error."""
    view = memoryview(data).cast("B")
    value, at = _unpack(view, 0, 0)
    if at != len(view):
        raise WireError("$", f"{len(view) - at} bytes follow the value")
    return value


def to_json(value: object) -> str:
    """A value as JSON; bytes become base64."""
    return json.dumps(value, default=_base64, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def from_json(text: str | bytes) -> object:
    """The value in a JSON text."""
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WireError("$", f"is not JSON: {error}") from None
    return value


def text(value: object, path: str, values: tuple[str, ...] = ()) -> str:
    """`value` as a string, one of `values` if there are any."""
    if not isinstance(value, str):
        raise WireError(path, f"must be a string, is {_kind(value)}")
    if values and value not in values:
        raise WireError(path, f"must be one of {', '.join(values)}, is {value[:40]!r}")
    return value


def integer(value: object, path: str) -> int:
    """`value` as an integer within MAX_INT."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise WireError(path, f"must be an integer, is {_kind(value)}")
    if abs(value) > MAX_INT:
        raise WireError(path, f"{value} is beyond 2^53 - 1")
    return value


def number(value: object, path: str) -> float:
    """`value` as a finite float; an integer is one too."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise WireError(path, f"must be a number, is {_kind(value)}")
    if isinstance(value, int):
        value = integer(value, path)
    if not math.isfinite(value):
        raise WireError(path, "must be finite")
    return float(value)


def truth(value: object, path: str) -> bool:
    """`value` as a truth value."""
    if not isinstance(value, bool):
        raise WireError(path, f"must be true or false, is {_kind(value)}")
    return value


def raw(value: object, path: str) -> bytes:
    """`value` as bytes; a string is base64, as in JSON."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            raise WireError(path, "is not base64") from None
    raise WireError(path, f"must be bytes, is {_kind(value)}")


def items(value: object, path: str, one: Callable[[object, str], T]) -> tuple[T, ...]:
    """`value` as a list, each item read by `one`."""
    if not isinstance(value, list | tuple):
        raise WireError(path, f"must be a list, is {_kind(value)}")
    return tuple(one(item, f"{path}[{at}]") for at, item in enumerate(value))


def entries(value: object, path: str, one: Callable[[object, str], T]) -> dict[str, T]:
    """`value` as a map by string, each value read by `one`."""
    return {key: one(item, f"{path}.{key}") for key, item in fields(value, path).items()}


def fields(value: object, path: str) -> Mapping[str, object]:
    """`value` as a map by string."""
    if not isinstance(value, Mapping):
        raise WireError(path, f"must be a map, is {_kind(value)}")
    for key in value:
        if not isinstance(key, str):
            raise WireError(path, f"has a key that is {_kind(key)}")
    return value


def required(of: Mapping[str, object], key: str, path: str) -> object:
    """A field's value; it must be there."""
    if key not in of:
        raise WireError(f"{path}.{key}", "is missing")
    return of[key]


def _kind(value: object) -> str:
    names = {bool: "a truth value", int: "an integer", float: "a number", str: "a string", bytes: "bytes"}
    more = {dict: "a map", list: "a list", tuple: "a list", type(None): "nil"}
    return (names | more).get(type(value), type(value).__name__)


def _base64(value: object) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    raise WireError("$", f"cannot be written: {_kind(value)}")


def _length(out: bytearray, count: int, forms: tuple[tuple[int, int, str], ...], path: str) -> None:
    """Writes the first form (code, limit, struct) that holds the count."""
    for code, limit, form in forms:
        if count <= limit:
            out.append(code | count if not form else code)
            out += struct.pack(form, count) if form else b""
            return
    raise WireError(path, f"{count} is too long")


_STR = ((0xA0, 31, ""), (0xD9, 0xFF, ">B"), (0xDA, 0xFFFF, ">H"), (0xDB, 0xFFFFFFFF, ">I"))
_BIN = ((0xC4, 0xFF, ">B"), (0xC5, 0xFFFF, ">H"), (0xC6, 0xFFFFFFFF, ">I"))
_LIST = ((0x90, 15, ""), (0xDC, 0xFFFF, ">H"), (0xDD, 0xFFFFFFFF, ">I"))
_MAP = ((0x80, 15, ""), (0xDE, 0xFFFF, ">H"), (0xDF, 0xFFFFFFFF, ">I"))
_UINT = ((0x00, 0x7F, ""), (0xCC, 0xFF, ">B"), (0xCD, 0xFFFF, ">H"), (0xCE, 0xFFFFFFFF, ">I"))
_INT = ((0xD0, ">b", 7), (0xD1, ">h", 15), (0xD2, ">i", 31), (0xD3, ">q", 63))


def _pack(value: object, out: bytearray, path: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise WireError(path, f"is nested deeper than {MAX_DEPTH}")
    if value is None:
        out.append(0xC0)
    elif isinstance(value, bool):
        out.append(0xC3 if value else 0xC2)
    elif isinstance(value, int):
        _pack_int(integer(value, path), out)
    elif isinstance(value, float):
        out.append(0xCB)
        out += struct.pack(">d", number(value, path))
    elif isinstance(value, str):
        try:
            data = value.encode()
        except UnicodeEncodeError:
            raise WireError(path, "is no valid Unicode") from None
        _length(out, len(data), _STR, path)
        out += data
    elif isinstance(value, bytes):
        _length(out, len(value), _BIN, path)
        out += value
    elif isinstance(value, list | tuple):
        _length(out, len(value), _LIST, path)
        for at, item in enumerate(value):
            _pack(item, out, f"{path}[{at}]", depth + 1)
    elif isinstance(value, Mapping):
        _length(out, len(value), _MAP, path)
        for key, item in fields(value, path).items():
            _pack(key, out, path, depth + 1)
            _pack(item, out, f"{path}.{key}", depth + 1)
    else:
        raise WireError(path, f"cannot be written: {_kind(value)}")


def _pack_int(value: int, out: bytearray) -> None:
    if value >= 0:
        if value <= 0xFFFFFFFF:
            _length(out, value, _UINT, "$")
        else:
            out.append(0xCF)
            out += struct.pack(">Q", value)
    elif value >= -32:
        out.append(value & 0xFF)
    else:
        code, form = next((code, form) for code, form, bits in _INT if value >= -(1 << bits))
        out.append(code)
        out += struct.pack(form, value)


_SCALARS = {
    0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q",
    0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q",
}  # fmt: skip
_SIZED = {
    0xC4: ("bin", ">B"), 0xC5: ("bin", ">H"), 0xC6: ("bin", ">I"),
    0xD9: ("str", ">B"), 0xDA: ("str", ">H"), 0xDB: ("str", ">I"),
    0xDC: ("list", ">H"), 0xDD: ("list", ">I"), 0xDE: ("map", ">H"), 0xDF: ("map", ">I"),
}  # fmt: skip


def _take(view: memoryview, at: int, form: str) -> tuple[int | float, int]:
    size = struct.calcsize(form)
    if len(view) - at < size:
        raise WireError("$", f"ends within the value at byte {at}")
    value: int | float = struct.unpack_from(form, view, at)[0]
    return value, at + size


def _unpack(view: memoryview, at: int, depth: int) -> tuple[object, int]:
    if depth > MAX_DEPTH:
        raise WireError("$", f"is nested deeper than {MAX_DEPTH}")
    code, at = _take(view, at, ">B")
    assert isinstance(code, int)
    if code <= 0x7F:
        return code, at
    if code >= 0xE0:
        return code - 0x100, at
    if code in (0xC0, 0xC2, 0xC3):
        return {0xC0: None, 0xC2: False, 0xC3: True}[code], at
    if code in _SCALARS:
        return _take(view, at, _SCALARS[code])
    if code <= 0x8F:
        return _container(view, at, "map", code & 0x0F, depth)
    if code <= 0x9F:
        return _container(view, at, "list", code & 0x0F, depth)
    if code <= 0xBF:
        return _container(view, at, "str", code & 0x1F, depth)
    if code not in _SIZED:
        raise WireError("$", f"byte {at - 1} is {code:#x}, which no type of the IDL uses")
    kind, form = _SIZED[code]
    count, at = _take(view, at, form)
    return _container(view, at, kind, int(count), depth)


def _container(view: memoryview, at: int, kind: str, count: int, depth: int) -> tuple[object, int]:
    least = count * 2 if kind == "map" else count
    if least > len(view) - at:
        raise WireError("$", f"a {kind} of {count} at byte {at} is longer than the body")
    if kind == "list":
        values: list[object] = []
        for _ in range(count):
            value, at = _unpack(view, at, depth + 1)
            values.append(value)
        return values, at
    if kind == "map":
        out: dict[str, object] = {}
        for _ in range(count):
            key, at = _unpack(view, at, depth + 1)
            if not isinstance(key, str):
                raise WireError("$", f"a map's key before byte {at} is {_kind(key)}")
            if key in out:
                raise WireError("$", f"the key {key[:40]!r} stands twice in one map")
            out[key], at = _unpack(view, at, depth + 1)
        return out, at
    data = bytes(view[at : at + count])
    if kind == "bin":
        return data, at + count
    try:
        return data.decode(), at + count
    except UnicodeDecodeError:
        raise WireError("$", f"the string at byte {at} is not UTF-8") from None
