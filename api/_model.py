"""The IDL as typed values, and the reader that makes them.

The reader checks shape only: keys, JSON types, the grammar of types. Every
finding becomes a `Diagnostic` with the place in the JSON; reading goes on
after one, so that a single run reports them all. What the values mean is
checked in `_check`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding: a stable code, where in the JSON, and one line of words."""

    code: str
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.code} {self.path}: {self.message}"


@dataclass(frozen=True, slots=True)
class CType:
    """A type of the C ABI: `base`, perhaps an array of it, perhaps a pointer to it."""

    base: str
    pointer: bool = False
    const: bool = False
    count: int = 0

    @property
    def text(self) -> str:
        """The type as it is written in the IDL."""
        if self.count:
            return f"{self.base}[{self.count}]"
        return f"{'const ' if self.const else ''}{self.base}{'*' if self.pointer else ''}"


@dataclass(frozen=True, slots=True)
class WireType:
    """A type of a DTO's field: `base` is a scalar's or a DTO's name; `shape` says one, list or map."""

    base: str
    shape: str = "one"
    optional: bool = False

    @property
    def text(self) -> str:
        """The type as it is written in the IDL."""
        inner = self.base if self.shape == "one" else f"{self.shape}<{self.base}>"
        return inner + ("?" if self.optional else "")


@dataclass(frozen=True, slots=True)
class Member:
    """A named number of an enum."""

    name: str
    value: int
    doc: str
    path: str


@dataclass(frozen=True, slots=True)
class Enum:
    """A set of named numbers of the ABI; `flags` says that they are bits."""

    name: str
    type: str
    prefix: str
    module: str
    doc: str
    members: tuple[Member, ...]
    flags: bool
    path: str


@dataclass(frozen=True, slots=True)
class StructField:
    """A field of a struct; `enum` names the enum whose values it holds."""

    name: str
    type: CType
    doc: str
    unit: str
    enum: str
    path: str


@dataclass(frozen=True, slots=True)
class Struct:
    """A struct of the ABI; `element` says that it stands in arrays and has no size field."""

    name: str
    doc: str
    size: int
    element: bool
    fields: tuple[StructField, ...]
    path: str


@dataclass(frozen=True, slots=True)
class Arg:
    """An argument of a function."""

    name: str
    type: CType
    path: str


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the ABI; all return a status."""

    name: str
    doc: str
    args: tuple[Arg, ...]
    path: str


@dataclass(frozen=True, slots=True)
class Constant:
    """A number that more than one language needs."""

    name: str
    type: str
    value: int
    doc: str
    unit: str
    hex: bool
    path: str


@dataclass(frozen=True, slots=True)
class Property:
    """A MoQT track or object property."""

    name: str
    id: int
    scope: str
    value: str
    unit: str
    source: str
    doc: str
    path: str


@dataclass(frozen=True, slots=True)
class Kind:
    """A way in which a modality's track goes on the wire."""

    name: str
    value: int
    objects: str
    path: str


@dataclass(frozen=True, slots=True)
class PayloadField:
    """A part of an object's payload."""

    name: str
    type: str
    doc: str
    path: str


@dataclass(frozen=True, slots=True)
class Modality:
    """A modality's wire format."""

    name: str
    doc: str
    kinds: tuple[Kind, ...]
    group_rule: str
    track_properties: tuple[str, ...]
    object_properties: tuple[str, ...]
    payload: tuple[PayloadField, ...]
    path: str


@dataclass(frozen=True, slots=True)
class Capability:
    """A capability tag and its hash."""

    name: str
    tag: str
    hash: int
    modality: str
    doc: str
    path: str


@dataclass(frozen=True, slots=True)
class DtoField:
    """A field of a DTO; `values`, if any, are all that a string may be."""

    name: str
    type: WireType
    doc: str
    unit: str
    values: tuple[str, ...]
    path: str


@dataclass(frozen=True, slots=True)
class Dto:
    """A body of the control stack."""

    name: str
    doc: str
    fields: tuple[DtoField, ...]
    path: str


@dataclass(frozen=True, slots=True)
class Method:
    """A method of the control stack."""

    id: int
    name: str
    request: str
    reply: str
    verb: str
    route: str
    auth: str
    doc: str
    path: str


@dataclass(frozen=True, slots=True)
class Rpc:
    """The envelope around a method's body."""

    doc: str
    error_method: int
    fields: tuple[PayloadField, ...]
    path: str


@dataclass(frozen=True, slots=True)
class Idl:
    """The whole IDL."""

    name: str
    library: str
    abi_version: int
    abi_doc: str
    enums: tuple[Enum, ...]
    structs: tuple[Struct, ...]
    functions: tuple[Function, ...]
    constants: tuple[Constant, ...]
    properties: tuple[Property, ...]
    modalities: tuple[Modality, ...]
    capabilities: tuple[Capability, ...]
    dtos: tuple[Dto, ...]
    methods: tuple[Method, ...]
    retired_methods: tuple[int, ...]
    rpc: Rpc

    def constant(self, name: str) -> int:
        """The value of a constant; KeyError if there is none of that name."""
        for one in self.constants:
            if one.name == name:
                return one.value
        raise KeyError(name)

    def enum(self, name: str) -> Enum:
        """The enum of that name; KeyError if there is none."""
        for one in self.enums:
            if one.name == name:
                return one
        raise KeyError(name)


@dataclass(slots=True)
class _Reader:
    """Takes values out of JSON by key, collecting diagnostics; a default stands in for what is wrong."""

    found: list[Diagnostic] = field(default_factory=list)

    def report(self, code: str, path: str, message: str) -> None:
        self.found.append(Diagnostic(code, path, message))

    def obj(self, value: object, path: str, keys: str, optional: str = "") -> dict[str, object]:
        """`value` as an object with exactly these keys, separated by spaces."""
        if not isinstance(value, dict):
            self.report("CC003", path, f"must be an object, is {_kind(value)}")
            return {}
        known = keys.split()
        for key in known:
            if key not in value:
                code = "CC020" if key == "doc" else "CC003"
                self.report(code, path, f"'{key}' is missing")
        for key in value:
            if key not in known and key not in optional.split():
                self.report("CC003", f"{path}.{key}", "is no key of this object")
        return value

    def text(self, of: dict[str, object], key: str, path: str) -> str:
        value = of.get(key, "")
        if not isinstance(value, str):
            self.report("CC003", f"{path}.{key}", f"must be a string, is {_kind(value)}")
            return ""
        if key == "doc" and key in of and not value.strip():
            self.report("CC020", f"{path}.doc", "is empty")
        return value

    def whole(self, of: dict[str, object], key: str, path: str) -> int:
        value = of.get(key, 0)
        if isinstance(value, bool) or not isinstance(value, int):
            self.report("CC003", f"{path}.{key}", f"must be an integer, is {_kind(value)}")
            return 0
        return value

    def flag(self, of: dict[str, object], key: str, path: str) -> bool:
        value = of.get(key, False)
        if not isinstance(value, bool):
            self.report("CC003", f"{path}.{key}", f"must be true or false, is {_kind(value)}")
            return False
        return value

    def items(self, of: dict[str, object], key: str, path: str) -> Iterator[tuple[object, str]]:
        value = of.get(key, [])
        if not isinstance(value, list):
            self.report("CC003", f"{path}.{key}", f"must be a list, is {_kind(value)}")
            return
        for at, item in enumerate(value):
            yield item, f"{path}.{key}[{at}]"

    def each(
        self, of: dict[str, object], key: str, path: str, one: Callable[[object, str], T]
    ) -> tuple[T, ...]:
        return tuple(one(item, at) for item, at in self.items(of, key, path))

    def word(self, value: object, path: str) -> str:
        if not isinstance(value, str):
            self.report("CC003", path, f"must be a string, is {_kind(value)}")
            return ""
        return value

    def number(self, value: object, path: str) -> int:
        return self.whole({"": value}, "", path)

    # the sections

    def member(self, value: object, path: str) -> Member:
        of = self.obj(value, path, "name value doc")
        return Member(
            self.text(of, "name", path), self.whole(of, "value", path), self.text(of, "doc", path), path
        )

    def enum(self, value: object, path: str) -> Enum:
        of = self.obj(value, path, "name type prefix module doc members", "flags")
        name, kind, prefix, module, doc = (
            self.text(of, key, path) for key in ("name", "type", "prefix", "module", "doc")
        )
        members = self.each(of, "members", path, self.member)
        return Enum(name, kind, prefix, module, doc, members, self.flag(of, "flags", path), path)

    def c_type(self, text: str, path: str) -> CType:
        rest, const, pointer, count = text, False, False, 0
        if rest.startswith("const "):
            rest, const = rest[6:], True
        if rest.endswith("*"):
            rest, pointer = rest[:-1], True
        if rest.endswith("]") and "[" in rest:
            rest, _, number = rest[:-1].partition("[")
            count = int(number) if number.isdecimal() else 0
            if not 1 <= count <= 64:
                self.report("CC030", path, f"array length in '{text}' must be 1 to 64")
        if (const and not pointer) or (pointer and count) or not rest.isidentifier():
            self.report("CC030", path, f"'{text}' is no type: write T, T*, const T* or T[n]")
        return CType(rest, pointer, const, count)

    def struct_field(self, value: object, path: str) -> StructField:
        of = self.obj(value, path, "name type doc", "unit enum")
        kind = self.c_type(self.text(of, "type", path), f"{path}.type")
        name, doc, unit, enum = (self.text(of, key, path) for key in ("name", "doc", "unit", "enum"))
        return StructField(name, kind, doc, unit, enum, path)

    def struct(self, value: object, path: str) -> Struct:
        of = self.obj(value, path, "name size doc fields", "element")
        fields = self.each(of, "fields", path, self.struct_field)
        name, doc, size = (
            self.text(of, "name", path),
            self.text(of, "doc", path),
            self.whole(of, "size", path),
        )
        return Struct(name, doc, size, self.flag(of, "element", path), fields, path)

    def arg(self, value: object, path: str) -> Arg:
        if not isinstance(value, list) or len(value) != 2:
            self.report("CC003", path, "must be [name, type]")
            return Arg("", CType("u32"), path)
        name, kind = (self.word(part, f"{path}[{at}]") for at, part in enumerate(value))
        return Arg(name, self.c_type(kind, f"{path}[1]"), path)

    def function(self, value: object, path: str) -> Function:
        of = self.obj(value, path, "name doc args")
        args = self.each(of, "args", path, self.arg)
        return Function(self.text(of, "name", path), self.text(of, "doc", path), args, path)

    def constant(self, value: object, path: str) -> Constant:
        of = self.obj(value, path, "name type value doc", "unit hex")
        name, kind, doc, unit = (self.text(of, key, path) for key in ("name", "type", "doc", "unit"))
        return Constant(
            name, kind, self.whole(of, "value", path), doc, unit, self.flag(of, "hex", path), path
        )

    def property(self, value: object, path: str) -> Property:
        of = self.obj(value, path, "name id scope value doc", "unit source")
        name, scope, kind, unit, source, doc = (
            self.text(of, key, path) for key in ("name", "scope", "value", "unit", "source", "doc")
        )
        return Property(name, self.whole(of, "id", path), scope, kind, unit, source, doc, path)

    def kind(self, value: object, path: str) -> Kind:
        of = self.obj(value, path, "name value objects")
        return Kind(
            self.text(of, "name", path), self.whole(of, "value", path), self.text(of, "objects", path), path
        )

    def payload(self, value: object, path: str) -> PayloadField:
        of = self.obj(value, path, "name type doc")
        return PayloadField(
            self.text(of, "name", path), self.text(of, "type", path), self.text(of, "doc", path), path
        )

    def modality(self, value: object, path: str) -> Modality:
        of = self.obj(value, path, "name doc kinds group_rule track_properties object_properties payload")
        return Modality(
            self.text(of, "name", path),
            self.text(of, "doc", path),
            self.each(of, "kinds", path, self.kind),
            self.text(of, "group_rule", path),
            self.each(of, "track_properties", path, self.word),
            self.each(of, "object_properties", path, self.word),
            self.each(of, "payload", path, self.payload),
            path,
        )

    def capability(self, value: object, path: str) -> Capability:
        of = self.obj(value, path, "name tag hash modality doc")
        name, tag, modality, doc = (self.text(of, key, path) for key in ("name", "tag", "modality", "doc"))
        return Capability(name, tag, self.whole(of, "hash", path), modality, doc, path)

    def wire_type(self, text: str, path: str) -> WireType:
        inner = text.removesuffix("?")
        shape = "one"
        for container in ("list", "map"):
            if inner.startswith(container + "<") and inner.endswith(">"):
                shape, inner = container, inner[len(container) + 1 : -1]
        if not inner.isidentifier():
            self.report("CC030", path, f"'{text}' is no type: write T, list<T> or map<T>, with ? if optional")
        return WireType(inner, shape, text.endswith("?"))

    def dto_field(self, value: object, path: str) -> DtoField:
        of = self.obj(value, path, "name type doc", "unit values")
        kind = self.wire_type(self.text(of, "type", path), f"{path}.type")
        name, doc, unit = (self.text(of, key, path) for key in ("name", "doc", "unit"))
        return DtoField(name, kind, doc, unit, self.each(of, "values", path, self.word), path)

    def dto(self, value: object, path: str) -> Dto:
        of = self.obj(value, path, "name doc fields")
        fields = self.each(of, "fields", path, self.dto_field)
        return Dto(self.text(of, "name", path), self.text(of, "doc", path), fields, path)

    def method(self, value: object, path: str) -> Method:
        of = self.obj(value, path, "id name doc", "request reply http auth")
        name, request, reply, http, auth, doc = (
            self.text(of, key, path) for key in ("name", "request", "reply", "http", "auth", "doc")
        )
        verb, _, route = http.partition(" ")
        return Method(self.whole(of, "id", path), name, request, reply, verb, route, auth, doc, path)

    def idl(self, value: object) -> Idl:
        keys = "name abi constants properties modalities capabilities dtos methods retired_methods rpc"
        of = self.obj(value, "$", keys)
        abi = self.obj(of.get("abi", {}), "abi", "version library doc enums structs functions")
        rpc = self.obj(of.get("rpc", {}), "rpc", "doc error_method fields")

        def top(key: str, one: Callable[[object, str], T]) -> tuple[T, ...]:
            return tuple(one(item, at.removeprefix("$.")) for item, at in self.items(of, key, "$"))

        return Idl(
            self.text(of, "name", "$"),
            self.text(abi, "library", "abi"),
            self.whole(abi, "version", "abi"),
            self.text(abi, "doc", "abi"),
            self.each(abi, "enums", "abi", self.enum),
            self.each(abi, "structs", "abi", self.struct),
            self.each(abi, "functions", "abi", self.function),
            top("constants", self.constant),
            top("properties", self.property),
            top("modalities", self.modality),
            top("capabilities", self.capability),
            top("dtos", self.dto),
            top("methods", self.method),
            top("retired_methods", self.number),
            Rpc(
                self.text(rpc, "doc", "rpc"),
                self.whole(rpc, "error_method", "rpc"),
                self.each(rpc, "fields", "rpc", self.payload),
                "rpc",
            ),
        )


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a truth value", int: "an integer"}
    return names.get(type(value), "null" if value is None else "a number")


def read(path: Path) -> tuple[Idl | None, list[Diagnostic]]:
    """The IDL in a file and what is wrong with its shape; no IDL if it is not JSON at all."""
    reader = _Reader()

    def pairs(items: list[tuple[str, object]]) -> dict[str, object]:
        out: dict[str, object] = {}
        for key, value in items:
            if key in out:
                reader.report("CC002", key, "the key stands twice in one object")
            out[key] = value
        return out

    try:
        value = json.loads(path.read_text("utf-8"), object_pairs_hook=pairs)
    except OSError as error:
        return None, [Diagnostic("CC001", path.name, f"cannot be read: {error.strerror}")]
    except ValueError as error:
        return None, [Diagnostic("CC001", path.name, f"is not JSON: {error}")]
    idl = reader.idl(value)
    return idl, reader.found
