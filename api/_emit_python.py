"""Python: ctypes and numpy views of the ABI, constants, DTOs with checks."""

from __future__ import annotations

from pathlib import Path

from ._emit_common import SOURCE, flat, methods_enum, number, with_unit
from ._model import CType, Dto, DtoField, Enum, Idl, Struct, WireType

FOLDER = "transport/_generated"

_CTYPES = {
    "u8": "uint8",
    "u16": "uint16",
    "u32": "uint32",
    "u64": "uint64",
    "i16": "int16",
    "i32": "int32",
    "i64": "int64",
}
_NUMPY = {
    "u8": "u1",
    "u16": "<u2",
    "u32": "<u4",
    "u64": "<u8",
    "i16": "<i2",
    "i32": "<i4",
    "i64": "<i8",
}
_ALIAS = {"handle": "u64", "address": "u64"}


def emit(idl: Idl) -> dict[str, str]:
    """The outputs by path."""
    runtime = (Path(__file__).parent / "runtime" / "wire.py").read_text("utf-8")
    return {
        f"{FOLDER}/__init__.py": f'# {SOURCE}\n"""What the IDL makes: numbers, the ABI, DTOs."""\n',
        f"{FOLDER}/constants.py": _constants(idl),
        f"{FOLDER}/abi.py": _abi(idl),
        f"{FOLDER}/wire.py": f"# {SOURCE}\n{runtime}",
        f"{FOLDER}/dtos.py": _dtos(idl),
    }


def _enum(enum: Enum) -> list[str]:
    name = enum.name.removeprefix("Cc")
    lines = ["", "", f"class {name}({'IntFlag' if enum.flags else 'IntEnum'}):", f'    """{enum.doc}"""', ""]
    for one in enum.members:
        lines += [f"    {one.name} = {one.value}", f'    """{_quoted(one.doc)}"""']
    return lines


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"""', "'''") + (" " if text.endswith('"') else "")


def _constants(idl: Idl) -> str:
    lines = [f"# {SOURCE}", '"""Numbers that several languages share."""', ""]
    lines += ["from __future__ import annotations", "", "from enum import IntEnum, IntFlag", ""]
    for one in flat(idl):
        lines += [f"{one.name} = {number(one)}", f'"""{_quoted(with_unit(one.doc, one.unit))}"""']
    for tag in idl.capabilities:
        lines += [f'CAPABILITY_{tag.name} = "{tag.tag}"', f'"""{_quoted(tag.doc)}"""']
    for enum in (*idl.enums, methods_enum(idl)):
        lines += _enum(enum)
    return "\n".join(lines) + "\n"


def _ctype(kind: CType, owner: str) -> str:
    """A type as ctypes has it; pointers inside structs are plain addresses, which cost nothing to copy."""
    base = _ALIAS.get(kind.base, kind.base)
    name = f"ctypes.c_{_CTYPES[base]}" if base in _CTYPES else "CcStr" if base == "str" else base
    if kind.pointer:
        return "ctypes.c_void_p" if owner == "struct" or base in ("u8", "i16") else f"ctypes.POINTER({name})"
    return f"{name} * {kind.count}" if kind.count else name


def _annotation(kind: CType) -> str:
    if kind.pointer:
        return "int | None"
    if kind.count:
        return f"ctypes.Array[{_ctype(CType(kind.base), 'struct')}]"
    return "CcStr" if kind.base == "str" else "int"


def _struct(struct: Struct) -> list[str]:
    lines = ["", "", f"class {struct.name}(ctypes.Structure):", f'    """{_quoted(struct.doc)}"""', ""]
    for one in struct.fields:
        lines += [f"    {one.name}: {_annotation(one.type)}"]
        lines += [f'    """{_quoted(with_unit(one.doc, one.unit))}"""']
    lines += ["", "    _fields_ = ("]
    lines += [f'        ("{one.name}", {_ctype(one.type, "struct")}),' for one in struct.fields]
    return [*lines, "    )"]


def _dtype(struct: Struct, name: str) -> list[str]:
    lines = ["", f"{name}: np.dtype[np.void] = np.dtype(", "    ["]
    for one in struct.fields:
        lines.append(f'        ("{one.name}", "{_NUMPY[_ALIAS.get(one.type.base, one.type.base)]}"),')
    return [*lines, "    ]", ")", f'"""{struct.name} as numpy reads it: {struct.size} bytes an item."""']


def _sorting(name: str) -> tuple[int, str]:
    """Constants, then classes, then functions, each by name: the order that linters keep."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


def _abi(idl: Idl) -> str:
    lines = [
        f"# {SOURCE}",
        f'"""The C ABI of {idl.library}: structures, argument types, numpy dtypes."""',
        "",
    ]
    lines += ["from __future__ import annotations", "", "import ctypes", "from typing import Any", ""]
    names = sorted(
        ["ABI_VERSION", "PRIORITY_DEFAULT", *(one.name.removeprefix("Cc") for one in idl.enums)], key=_sorting
    )
    lines += [
        "import numpy as np",
        "",
        "from .constants import (",
        *(f"    {name}," for name in names),
        ")",
        "",
    ]
    own = [
        "ARGTYPES",
        "FRAME_DTYPE",
        "LIBRARY",
        "SEND_DTYPE",
        "SIZES",
        "bind",
        *(one.name for one in idl.structs),
    ]
    lines += ["__all__ = [", *(f'    "{name}",' for name in sorted([*names, *own], key=_sorting)), "]", ""]
    lines += [f'LIBRARY = "{idl.library}"']
    lines += ['"""Name of the shared library, without prefix and suffix."""']
    for struct in idl.structs:
        lines += _struct(struct)
    lines += ["", "", "SIZES: dict[type[ctypes.Structure], int] = {"]
    lines += [f"    {one.name}: {one.size}," for one in idl.structs]
    lines += ["}", '"""Size of each structure on a 64-bit target. In bytes."""', ""]
    lines += ["ARGTYPES: dict[str, tuple[Any, ...]] = {"]
    for function in idl.functions:
        args = [_ctype(one.type, "function") for one in function.args]
        line = f'    "{function.name}": ({", ".join(args)}{"," if len(args) == 1 else ""}),'
        if len(line) > 100:
            lines += [f'    "{function.name}": (', *(f"        {arg}," for arg in args), "    ),"]
        else:
            lines.append(line)
    lines += ["}", '"""Argument types of each function; all return a status as c_int32."""']
    by_name = {one.name: one for one in idl.structs}
    lines += _dtype(by_name["CcFrame"], "FRAME_DTYPE") + _dtype(by_name["CcSend"], "SEND_DTYPE")
    lines += ["", "", "def bind(library: ctypes.CDLL) -> None:"]
    lines += [
        '    """Gives every function of the loaded library its types; AttributeError if one is missing."""'
    ]
    lines += ["    for name, args in ARGTYPES.items():", "        function = getattr(library, name)"]
    lines += ["        function.argtypes = args", "        function.restype = ctypes.c_int32"]
    return "\n".join(lines) + "\n"


_READERS = {
    "int": "wire.integer",
    "float": "wire.number",
    "str": "wire.text",
    "bool": "wire.truth",
    "bytes": "wire.raw",
}


def _type(kind: WireType) -> str:
    inner = {"list": f"tuple[{kind.base}, ...]", "map": f"Mapping[str, {kind.base}]"}.get(
        kind.shape, kind.base
    )
    return inner + (" | None" if kind.optional else "")


def _read(one: DtoField, value: str, path: str, *, out: bool) -> str:
    """The expression that checks a value and makes it a field's, or with `out` a wire's."""
    base = one.type.base
    nested = base not in _READERS
    if one.type.shape != "one":
        reader = "wire.items" if one.type.shape == "list" else "wire.entries"
        each = ("_out" if out else f"{base}.from_wire") if nested else _READERS[base]
        made = f"{reader}({value}, {path}, {each})"
        return f"list({made})" if out and one.type.shape == "list" else made
    if nested:
        return f"_out({value}, {path})" if out else f"{base}.from_wire({value}, {path})"
    if one.values:
        words = ", ".join(f'"{word}"' for word in one.values)
        return f"wire.text({value}, {path}, ({words},))"
    return f"{_READERS[base]}({value}, {path})"


def _dto(dto: Dto) -> list[str]:
    lines = ["", "", "@dataclass(frozen=True, slots=True, kw_only=True)", f"class {dto.name}:"]
    lines += [f'    """{_quoted(dto.doc)}"""', ""]
    for one in dto.fields:
        default = " = None" if one.type.optional else ""
        lines += [f"    {one.name}: {_type(one.type)}{default}"]
        lines += [f'    """{_quoted(with_unit(one.doc, one.unit))}"""']
    lines += [""] if dto.fields else []
    lines += ['    def to_wire(self, path: str = "$") -> dict[str, object]:']
    lines += ['        """The DTO as a map by field name; WireError if a value has another type."""']
    lines += ["        out: dict[str, object] = {}"]
    for one in dto.fields:
        made = _read(one, f"self.{one.name}", f'f"{{path}}.{one.name}"', out=True)
        put = f'out["{one.name}"] = {made}'
        lines += (
            [f"        if self.{one.name} is not None:", f"            {put}"]
            if one.type.optional
            else [f"        {put}"]
        )
    lines += ["        return out", "", "    @classmethod"]
    lines += ['    def from_wire(cls, value: object, path: str = "$") -> Self:']
    lines += ['        """The DTO in a map; unknown keys are ignored, WireError names a field at fault."""']
    used = "of = " if dto.fields else ""
    lines += [f"        {used}wire.fields(value, path)"]
    if not dto.fields:
        return [*lines, "        return cls()"]
    lines += ["        return cls("]
    for one in dto.fields:
        path = f'f"{{path}}.{one.name}"'
        if one.type.optional:
            made = _read(one, f'of["{one.name}"]', path, out=False)
            lines += [f'            {one.name}={made} if of.get("{one.name}") is not None else None,']
        else:
            made = _read(one, f'wire.required(of, "{one.name}", path)', path, out=False)
            lines += [f"            {one.name}={made},"]
    return [*lines, "        )"]


_RPC = '''

@runtime_checkable
class Body(Protocol):
    """What every DTO is."""

    def to_wire(self, path: str = "$") -> dict[str, object]:
        """The DTO as a map."""
        ...

    @classmethod
    def from_wire(cls, value: object, path: str = "$") -> Self:
        """The DTO in a map."""
        ...


def _out(value: object, path: str) -> dict[str, object]:
    if not isinstance(value, Body):
        raise wire.WireError(path, f"must be a DTO, is {type(value).__name__}")
    return value.to_wire(path)


@dataclass(frozen=True, slots=True)
class Method:
    """A method of the control stack."""

    id: MethodId
    name: str
    request: type[Body]
    reply: type[Body]
    verb: str
    route: str
    auth: str


@dataclass(frozen=True, slots=True)
class Call:
    """A request or reply in its envelope; `method` is ERROR_METHOD for a failed reply."""

    method: int
    request: int
    body: object

    def pack(self) -> bytes:
        """The envelope as MessagePack."""
        return wire.pack([RPC_VERSION, self.method, self.request, self.body])

    @classmethod
    def unpack(cls, data: bytes | bytearray | memoryview) -> Self:
        """The envelope in `data`, its body unread; WireError if it is none."""
        value = wire.unpack(data)
        if not isinstance(value, list) or len(value) != 4:
            raise wire.WireError("$", "must be a list of version, method, request and body")
        version = wire.integer(value[0], "$[0]")
        if version != RPC_VERSION:
            raise wire.WireError("$[0]", f"version {version} is not {RPC_VERSION}")
        method, request = wire.integer(value[1], "$[1]"), wire.integer(value[2], "$[2]")
        if not 0 <= method <= 0xFFFF:
            raise wire.WireError("$[1]", f"{method} is no 16-bit method id")
        if not 0 <= request <= 0xFFFFFFFF:
            raise wire.WireError("$[2]", f"{request} is no 32-bit request id")
        return cls(method, request, value[3])
'''


def _dtos(idl: Idl) -> str:
    lines = [f"# {SOURCE}", '"""Bodies of the control stack, its methods and their envelope."""', ""]
    lines += ["from __future__ import annotations", "", "from collections.abc import Mapping"]
    lines += ["from dataclasses import dataclass", "from typing import Protocol, Self, runtime_checkable", ""]
    lines += ["from . import wire", "from .constants import RPC_VERSION, MethodId", ""]
    lines += [
        f"ERROR_METHOD = {idl.rpc.error_method}",
        '"""Method id of a failed reply; its body is an ErrorBody."""',
    ]
    lines += _RPC.rstrip("\n").split("\n")
    for dto in idl.dtos:
        lines += _dto(dto)
    lines += ["", "", "METHODS: Mapping[MethodId, Method] = {"]
    for one, member in zip(idl.methods, methods_enum(idl).members, strict=True):
        lines += [
            f"    MethodId.{member.name}: Method(",
            f"        MethodId.{member.name},",
            f'        "{one.name}",',
        ]
        lines += [f"        {one.request},", f"        {one.reply},"]
        lines += [f'        "{one.verb}",', f'        "{one.route}",', f'        "{one.auth}",', "    ),"]
    return "\n".join([*lines, "}", '"""Every method by its id."""']) + "\n"
