"""What an IDL must obey beyond its shape: names, numbers, layouts, references.

Codes: CC01x names and numbers, CC02x words and units, CC03x types and layout,
CC04x methods, CC05x values, CC06x properties, capabilities and modalities.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ._model import CType, Diagnostic, Dto, Idl, Struct

SCALARS = {
    "u8": 1,
    "u16": 2,
    "u32": 4,
    "u64": 8,
    "i16": 2,
    "i32": 4,
    "i64": 8,
    "handle": 8,
    "address": 8,
}
"""Sizes of the ABI's scalar types in bytes; each is aligned to its size."""

POINTER = 8
"""Bytes of a pointer on the targets whose layout is pinned; narrower ones are not."""

WIRE_SCALARS = ("int", "float", "str", "bool", "bytes")

_BITS = {"u8": 8, "u16": 16, "u32": 32, "u64": 64, "i16": 15, "i32": 31, "i64": 63}
_SNAKE, _UPPER, _CAMEL = (
    re.compile(r"[a-z][a-z0-9_]*"),
    re.compile(r"[A-Z][A-Z0-9_]*"),
    re.compile(r"[A-Z][A-Za-z0-9]*"),
)
_UNITED = re.compile(r"(^|_)(rtt|jitter|timeout|ttl|uptime|expires|delay|age|gap|backoff|rate)($|_)")
_SUFFIX = {"_us": "us", "_ms": "ms", "_hz": "Hz", "bytes": "bytes"}
_ROUTE = re.compile(r"(/(v1|[a-z]+|\{[a-z_]+\}))+")

_WORDS = """
abstract as async await base bool break byte case catch char class const continue crate decimal def
default del delegate delete do double dyn elif else enum event except explicit extern false finally
fixed float fn for foreach from function global goto if impl implicit import in instanceof int
interface internal is lambda let lock long loop match mod move mut namespace new none nonlocal not
null object operator or out override params pass private protected public pub raise readonly ref
register return sbyte sealed self short sizeof stackalloc static str string struct super switch
template this throw trait true try type typedef typename typeof uint ulong unchecked undefined union
unsafe ushort use using var virtual void volatile where while with yield
"""
RESERVED = frozenset(_WORDS.split())
"""Words that one of the output languages reserves, so that they cannot be names everywhere."""

_ALLOWED_WORDS = frozenset({"namespace", "object"})
"""Names that the field has long used; every output writes them in a form that its language allows."""


def layout(idl: Idl) -> dict[str, list[tuple[int, int]]]:
    """(offset, size) of each field of each struct, as C lays them out on a 64-bit target."""
    sizes: dict[str, tuple[int, int]] = {name: (size, size) for name, size in SCALARS.items()}
    sizes["str"] = (16, POINTER)
    out: dict[str, list[tuple[int, int]]] = {}
    for struct in idl.structs:
        at, align, places = 0, 1, []
        for one in struct.fields:
            size, needs = (POINTER, POINTER) if one.type.pointer else sizes.get(one.type.base, (0, 1))
            at += -at % needs
            size *= one.type.count or 1
            places.append((at, size))
            at, align = at + size, max(align, needs)
        out[struct.name] = places
        sizes[struct.name] = (at + -at % align, align)
    return out


def fnv53(tag: str) -> int:
    """A capability's hash: the low 53 bits of FNV-1a 64 of its UTF-8."""
    value = 0xCBF29CE484222325
    for byte in tag.encode():
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value & ((1 << 53) - 1)


def check(idl: Idl) -> list[Diagnostic]:
    """Everything that is wrong, in the order of the IDL."""
    return [
        *_enums(idl),
        *_structs(idl),
        *_functions(idl),
        *_constants(idl),
        *_properties(idl),
        *_modalities(idl),
        *_capabilities(idl),
        *_dtos(idl),
        *_methods(idl),
        *_rpc(idl),
    ]


def _named(items: Iterable[tuple[str, str]], form: re.Pattern[str]) -> Iterator[Diagnostic]:
    """(name, path) pairs that must be unlike each other, of a form, and no reserved word."""
    seen: dict[str, str] = {}
    for name, path in items:
        if not form.fullmatch(name):
            yield Diagnostic("CC010", f"{path}.name", f"'{name}' must match {form.pattern}")
        elif name.lower() in RESERVED - _ALLOWED_WORDS and form is _SNAKE:
            yield Diagnostic("CC010", f"{path}.name", f"'{name}' is a reserved word of an output language")
        if name in seen:
            yield Diagnostic("CC011", f"{path}.name", f"'{name}' is taken by {seen[name]}")
        seen.setdefault(name, path)


def _unlike(items: Iterable[tuple[int, str]], what: str) -> Iterator[Diagnostic]:
    seen: dict[int, str] = {}
    for value, path in items:
        if value in seen:
            yield Diagnostic("CC012", path, f"{what} {value} is taken by {seen[value]}")
        seen.setdefault(value, path)


def _fits(value: int, kind: str, path: str) -> Iterator[Diagnostic]:
    if kind not in _BITS:
        yield Diagnostic("CC030", path, f"'{kind}' is no integer type")
    elif not 0 <= value < 1 << _BITS[kind]:
        yield Diagnostic("CC050", path, f"{value} does not fit {kind}")


def _unit(name: str, unit: str, path: str) -> Iterator[Diagnostic]:
    """A time, rate or size says its unit: the one that its name's ending says, if it says one."""
    lower = name.lower()
    says = next((says for suffix, says in _SUFFIX.items() if lower.endswith(suffix)), "")
    if not unit and (says or _UNITED.search(lower)):
        yield Diagnostic("CC021", path, f"'{name}' needs a unit" + (f": {says}" if says else ""))
    elif says and unit != says:
        yield Diagnostic("CC022", path, f"'{name}' says {says}, its unit says {unit}")


def _enums(idl: Idl) -> Iterator[Diagnostic]:
    yield from _named(((one.name, one.path) for one in idl.enums), _CAMEL)
    yield from _named(((one.module, one.path) for one in idl.enums), re.compile(r"[a-z_]+"))
    symbols: dict[str, str] = {}
    for enum in idl.enums:
        yield from _named(((one.name, one.path) for one in enum.members), _UPPER)
        yield from _unlike(((one.value, f"{one.path}.value") for one in enum.members), "value")
        for one in enum.members:
            yield from _fits(one.value, enum.type, f"{one.path}.value")
            if enum.flags and (one.value <= 0 or one.value & (one.value - 1)):
                yield Diagnostic("CC050", f"{one.path}.value", f"{one.value} is not one bit")
            symbol = enum.prefix + one.name
            if symbol in symbols:
                yield Diagnostic("CC011", one.path, f"C's {symbol} is taken by {symbols[symbol]}")
            symbols.setdefault(symbol, one.path)
    drops = next((one for one in idl.enums if one.name == "CcDrop"), None)
    if drops and [one.value for one in drops.members] != list(range(len(drops.members))):
        yield Diagnostic(
            "CC050", drops.path, "drop reasons index arrays: they must count from 0 without gaps"
        )


def _known(kind: CType, structs: set[str], path: str) -> Iterator[Diagnostic]:
    if kind.base not in SCALARS and kind.base != "str" and kind.base not in structs:
        yield Diagnostic("CC030", path, f"unknown type '{kind.text}'")


def _structs(idl: Idl) -> Iterator[Diagnostic]:
    names: set[str] = set()
    enums = {one.name: one for one in idl.enums}
    places = layout(idl)
    yield from _named(((one.name, one.path) for one in idl.structs), _CAMEL)
    for struct in idl.structs:
        yield from _named(((one.name, one.path) for one in struct.fields), _SNAKE)
        names.add(struct.name)
        for one in struct.fields:
            yield from _known(one.type, names, f"{one.path}.type")
            if one.type.base in _BITS and not one.type.pointer:
                yield from _unit(one.name, one.unit, f"{one.path}.unit")
            if one.enum and one.enum not in enums:
                yield Diagnostic("CC030", f"{one.path}.enum", f"unknown enum '{one.enum}'")
            elif one.enum and enums[one.enum].type != one.type.text:
                says = enums[one.enum].type
                yield Diagnostic(
                    "CC030", f"{one.path}.enum", f"{one.enum} is {says}, the field {one.type.text}"
                )
        yield from _packed(struct, places[struct.name])
        first = struct.fields[0] if struct.fields else None
        if not struct.element and (first is None or (first.name, first.type.text) != ("size", "u32")):
            yield Diagnostic(
                "CC033", struct.path, "its first field must be 'size', u32, or it must be an element"
            )


def _packed(struct: Struct, places: list[tuple[int, int]]) -> Iterator[Diagnostic]:
    end = 0
    for one, (at, size) in zip(struct.fields, places, strict=True):
        if at != end:
            yield Diagnostic(
                "CC031", one.path, f"'{one.name}' leaves {at - end} bytes of hidden padding before it"
            )
        end = at + size
    if end % POINTER:
        yield Diagnostic(
            "CC031", struct.path, f"ends at {end}, {-end % POINTER} bytes of hidden padding follow"
        )
    if end != struct.size:
        yield Diagnostic("CC032", f"{struct.path}.size", f"says {struct.size}, the fields make {end}")


def _functions(idl: Idl) -> Iterator[Diagnostic]:
    structs = {one.name for one in idl.structs}
    yield from _named(((one.name, one.path) for one in idl.functions), re.compile(r"cc_[a-z0-9_]+"))
    for function in idl.functions:
        yield from _named(((one.name, one.path) for one in function.args), _SNAKE)
        written = False
        for one in function.args:
            yield from _known(one.type, structs, one.path)
            if _UNITED.search(one.name) and not one.name.endswith(("_us", "_ms", "_hz")):
                yield Diagnostic(
                    "CC021", one.path, f"'{one.name}' is a time or rate: end its name in _us, _ms or _hz"
                )
            if one.type.count or (one.type.base in structs and not one.type.pointer):
                yield Diagnostic("CC030", one.path, f"'{one.type.text}' cannot be passed by value")
            out = one.type.pointer and not one.type.const
            if written and not out and one.name != "cap":
                yield Diagnostic("CC034", one.path, f"'{one.name}' stands behind an out-parameter")
            written = written or out


def _constants(idl: Idl) -> Iterator[Diagnostic]:
    yield from _named(((one.name, one.path) for one in idl.constants), _UPPER)
    for one in idl.constants:
        yield from _fits(one.value, one.type, f"{one.path}.value")
        yield from _unit(one.name, one.unit, f"{one.path}.unit")
    wanted = {"ABI_VERSION": idl.abi_version}
    for name, value in wanted.items():
        found = next((one for one in idl.constants if one.name == name), None)
        if found is None or found.value != value:
            yield Diagnostic("CC050", "constants", f"{name} must stand here and be {value}")


def _properties(idl: Idl) -> Iterator[Diagnostic]:
    yield from _named(((one.name, one.path) for one in idl.properties), _UPPER)
    yield from _unlike(((one.id, f"{one.path}.id") for one in idl.properties), "property id")
    for one in idl.properties:
        if one.value == "int":
            yield from _unit(one.name, one.unit, f"{one.path}.unit")
        if one.scope not in ("track", "object"):
            yield Diagnostic("CC060", f"{one.path}.scope", f"'{one.scope}' must be track or object")
        if one.value != ("bytes" if one.id % 2 else "int"):
            yield Diagnostic("CC060", f"{one.path}.id", "an even id holds an int, an odd one bytes")
        if not one.source and not 0x3800 <= one.id <= 0x3FFF:
            yield Diagnostic(
                "CC060", f"{one.path}.id", f"{one.id:#x} is outside the applications' 0x3800 to 0x3FFF"
            )
        if one.id >= 0x9D and (one.id - 0x9D) % 0x7F == 0:
            yield Diagnostic("CC060", f"{one.path}.id", f"{one.id:#x} is a grease value")


def _modalities(idl: Idl) -> Iterator[Diagnostic]:
    yield from _named(((one.name, one.path) for one in idl.modalities), _SNAKE)
    kinds = [kind for one in idl.modalities for kind in one.kinds]
    yield from _named(((one.name, one.path) for one in kinds), _UPPER)
    yield from _unlike(((one.value, f"{one.path}.value") for one in kinds), "kind")
    scopes = {one.name: one.scope for one in idl.properties}
    for one in idl.modalities:
        for scope, names in (("track", one.track_properties), ("object", one.object_properties)):
            for at, name in enumerate(names):
                if scopes.get(name) != scope:
                    path = f"{one.path}.{scope}_properties[{at}]"
                    yield Diagnostic("CC061", path, f"'{name}' is no {scope} property")
        for part in one.payload:
            if part.type not in ("bytes", "str"):
                yield Diagnostic("CC030", f"{part.path}.type", f"'{part.type}' must be bytes or str")
    numbers = {kind.name: kind.value for kind in kinds}
    for enum in idl.enums:
        for member in enum.members if enum.name == "CcTrackKind" else ():
            if numbers.get(member.name) != member.value:
                yield Diagnostic(
                    "CC061", member.path, f"the modalities number {member.name} differently, or not at all"
                )


def _capabilities(idl: Idl) -> Iterator[Diagnostic]:
    yield from _named(((one.name, one.path) for one in idl.capabilities), _UPPER)
    yield from _unlike(((one.hash, f"{one.path}.hash") for one in idl.capabilities), "hash")
    modalities = {one.name for one in idl.modalities}
    for one in idl.capabilities:
        if one.hash != fnv53(one.tag):
            yield Diagnostic(
                "CC062", f"{one.path}.hash", f"is {one.hash}, the hash of '{one.tag}' is {fnv53(one.tag)}"
            )
        if one.modality not in modalities:
            yield Diagnostic("CC061", f"{one.path}.modality", f"unknown modality '{one.modality}'")


def _dtos(idl: Idl) -> Iterator[Diagnostic]:
    names = {one.name for one in idl.dtos}
    yield from _named(((one.name, one.path) for one in idl.dtos), _CAMEL)
    for dto in idl.dtos:
        yield from _named(((one.name, one.path) for one in dto.fields), _SNAKE)
        for one in dto.fields:
            if one.type.base not in WIRE_SCALARS and one.type.base not in names:
                yield Diagnostic("CC030", f"{one.path}.type", f"unknown type '{one.type.text}'")
            if one.type.base in ("int", "float") and one.type.shape == "one":
                yield from _unit(one.name, one.unit, f"{one.path}.unit")
            if one.values and one.type.text.removesuffix("?") != "str":
                yield Diagnostic("CC050", f"{one.path}.values", "only a str can have them")
    yield from _cycles(idl.dtos)


def _cycles(dtos: tuple[Dto, ...]) -> Iterator[Diagnostic]:
    """A DTO that must hold itself can never be built."""
    needs = {
        dto.name: {one.type.base for one in dto.fields if one.type.shape == "one" and not one.type.optional}
        for dto in dtos
    }
    for dto in dtos:
        reached, todo = set[str](), set(needs[dto.name])
        while todo:
            name = todo.pop()
            if name not in reached:
                reached.add(name)
                todo |= needs.get(name, set())
        if dto.name in reached:
            yield Diagnostic("CC035", dto.path, f"'{dto.name}' holds itself without an end")


def _methods(idl: Idl) -> Iterator[Diagnostic]:
    dtos = {one.name: one for one in idl.dtos}
    yield from _named(((one.name, one.path) for one in idl.methods), re.compile(r"[a-z]+\.[a-z_]+"))
    yield from _unlike(((one.id, f"{one.path}.id") for one in idl.methods), "method id")
    routes: dict[str, str] = {}
    for one in idl.methods:
        if not 1 <= one.id <= 0xFFFF:
            yield Diagnostic("CC050", f"{one.path}.id", f"{one.id} must be 1 to 65535")
        if one.id in idl.retired_methods:
            yield Diagnostic("CC013", f"{one.path}.id", f"{one.id} is retired: an id never comes back")
        for key, name in (("request", one.request), ("reply", one.reply)):
            if name not in dtos:
                said = f"unknown DTO '{name}'" if name else f"a method needs a {key} DTO"
                yield Diagnostic("CC040", f"{one.path}.{key}", said)
        if one.auth not in ("none", "token", "admin"):
            yield Diagnostic("CC042", f"{one.path}.auth", f"'{one.auth}' must be none, token or admin")
        if one.verb not in ("GET", "POST", "DELETE") or not _ROUTE.fullmatch(one.route):
            yield Diagnostic("CC041", f"{one.path}.http", f"'{one.verb} {one.route}' is no 'METHOD /path'")
        shape = f"{one.verb} " + re.sub(r"\{[a-z_]+\}", "{}", one.route)
        if shape in routes:
            yield Diagnostic("CC041", f"{one.path}.http", f"is the same route as {routes[shape]}")
        routes.setdefault(shape, one.path)
        fields = {part.name for part in dtos[one.request].fields} if one.request in dtos else set[str]()
        for name in re.findall(r"\{([a-z_]+)\}", one.route):
            if name not in fields:
                yield Diagnostic("CC041", f"{one.path}.http", f"'{{{name}}}' is no field of '{one.request}'")


def _rpc(idl: Idl) -> Iterator[Diagnostic]:
    if [one.name for one in idl.rpc.fields] != ["version", "method", "request", "body"]:
        yield Diagnostic("CC043", "rpc.fields", "the envelope is version, method, request, body")
    if idl.rpc.error_method in {one.id for one in idl.methods}:
        yield Diagnostic("CC043", "rpc.error_method", f"{idl.rpc.error_method} is a method's id")
