"""C# for Unity: P/Invoke, blittable structs, numbers, DTOs. C# 9, netstandard2.1, no dependencies."""

from __future__ import annotations

import hashlib
from pathlib import Path
from xml.sax.saxutils import escape

from ._emit_common import SOURCE, camel, flat, methods_enum, number, with_unit
from ._model import CType, Dto, DtoField, Enum, Idl, Struct, WireType

FOLDER = "unity_package/com.clutchcall.transport/Runtime/Core/Generated"
NAMESPACE = "ClutchCall.Core"

_TYPES = {
    "u8": "byte",
    "u16": "ushort",
    "u32": "uint",
    "u64": "ulong",
    "i16": "short",
    "i32": "int",
    "i64": "long",
}
_TYPES |= {"handle": "ulong", "address": "ulong", "str": "CcStr"}
_WIRE = {"int": "long", "float": "double", "str": "string", "bool": "bool", "bytes": "byte[]"}
_CALLS = {"int": "Integer", "float": "Number", "str": "Text", "bool": "Truth", "bytes": "Raw"}


def emit(idl: Idl) -> dict[str, str]:
    """The outputs by path, each with the meta file that Unity wants beside it."""
    runtime = (Path(__file__).parent / "runtime" / "Wire.cs").read_text("utf-8")
    files = {
        "Native.cs": _native(idl),
        "Types.cs": _types(idl),
        "Constants.cs": _constants(idl),
        "Wire.cs": f"// {SOURCE}\n{runtime}",
        "Dtos.cs": _dtos(idl),
    }
    out = {f"{FOLDER}/{name}": text for name, text in files.items()}
    return out | {f"{FOLDER}/{name}.meta": _meta(name) for name in files} | {f"{FOLDER}.meta": _meta("")}


def _meta(name: str) -> str:
    """A meta file; its guid follows from the path alone, so that it never changes."""
    guid = hashlib.md5(f"{FOLDER}/{name}".rstrip("/").encode(), usedforsecurity=False).hexdigest()
    if name:
        return f"fileFormatVersion: 2\nguid: {guid}\n"
    return (
        f"fileFormatVersion: 2\nguid: {guid}\nfolderAsset: yes\nDefaultImporter:\n  externalObjects: {{}}\n"
    )


def _file(using: list[str], body: list[str], doc: str) -> str:
    """A file's frame around its types, which are given without indentation."""
    lines = [f"// {SOURCE}", f"// {doc}", "#nullable enable", ""]
    lines += [f"using {name};" for name in using] + ([""] if using else [])
    lines += [f"namespace {NAMESPACE}", "{"]
    lines += [line if not line or line.startswith("#") else f"    {line}" for line in body]
    return "\n".join([*lines, "}"]) + "\n"


def _summary(text: str, indent: str = "") -> str:
    return f"{indent}/// <summary>{escape(text)}</summary>"


def _type(kind: CType, enum: str = "") -> str:
    return enum or _TYPES.get(kind.base, kind.base) + ("*" if kind.pointer else "")


def _param(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def _native(idl: Idl) -> str:
    body = [_summary(idl.abi_doc), "public static unsafe class Native", "{"]
    body += ["#if UNITY_IOS && !UNITY_EDITOR", '    public const string Library = "__Internal";', "#else"]
    body += [f'    public const string Library = "{idl.library}";', "#endif", ""]
    for one in idl.functions:
        args = ", ".join(f"{_type(arg.type)} {_param(arg.name)}" for arg in one.args)
        by_value = any(arg.type.base == "str" for arg in one.args)
        where = " Not from Burst: a struct goes by value." if by_value else ""
        name = camel(one.name.removeprefix("cc_"))
        call = "CallingConvention = CallingConvention.Cdecl, ExactSpelling = true"
        body += [_summary(one.doc + where, "    ")]
        body += [f'    [DllImport(Library, EntryPoint = "{one.name}", {call})]']
        body += [f"    public static extern int {name}({args});", ""]
    body[-1] = "}"
    return _file(["System.Runtime.InteropServices"], body, "The functions of the C ABI.")


def _enum(enum: Enum, base: str) -> list[str]:
    body = [
        _summary(enum.doc),
        *(["[Flags]"] if enum.flags else []),
        f"public enum {enum.name} : {base}",
        "{",
    ]
    for one in enum.members:
        body += [_summary(one.doc, "    "), f"    {camel(one.name)} = {one.value},"]
    return [*body, "}", ""]


def _struct(struct: Struct) -> list[str]:
    body = [_summary(struct.doc), "[StructLayout(LayoutKind.Sequential)]"]
    body += [f"public unsafe struct {struct.name}", "{"]
    body += [_summary("Bytes of this struct on a 64-bit target.", "    ")]
    body += [f"    public const int Bytes64 = {struct.size};", ""]
    for one in struct.fields:
        body.append(_summary(with_unit(one.doc, one.unit), "    "))
        if one.type.count:
            body.append(f"    public fixed {_type(one.type)} {camel(one.name)}[{one.type.count}];")
        else:
            body.append(f"    public {_type(one.type, one.enum)} {camel(one.name)};")
    if not struct.element:
        made = f"new {struct.name} {{ Size = (uint)sizeof({struct.name}) }}"
        body += ["", _summary("All zero and empty but for Size.", "    ")]
        body += [f"    public static {struct.name} Create() => {made};"]
    return [*body, "}", ""]


def _types(idl: Idl) -> str:
    body: list[str] = []
    for enum in idl.enums:
        body += _enum(enum, _TYPES[enum.type])
    for struct in idl.structs:
        body += _struct(struct)
    return _file(["System", "System.Runtime.InteropServices"], body[:-1], "Numbers and structs of the C ABI.")


def _constants(idl: Idl) -> str:
    body = [_summary("Numbers that several languages share."), "public static class Constants", "{"]
    for one in flat(idl):
        body.append(_summary(with_unit(one.doc, one.unit), "    "))
        body.append(f"    public const {_TYPES[one.type]} {camel(one.name)} = {number(one)};")
    for tag in idl.capabilities:
        body += [
            _summary(tag.doc, "    "),
            f'    public const string Capability{camel(tag.name)} = "{tag.tag}";',
        ]
    return _file([], [*body, "}"], "Numbers that several languages share.")


def _wire_type(kind: WireType) -> str:
    base = _WIRE.get(kind.base, kind.base)
    inner = {"list": f"List<{base}>", "map": f"Dictionary<string, {base}>"}.get(kind.shape, base)
    return inner + ("?" if kind.optional else "")


def _default(one: DtoField) -> str:
    kind = one.type
    if kind.optional or (kind.shape == "one" and kind.base in ("int", "float", "bool")):
        return ""
    if kind.shape == "one" and kind.base == "str":
        return f' = "{one.values[0]}";' if one.values else ' = "";'
    if kind.shape == "one" and kind.base == "bytes":
        return " = Array.Empty<byte>();"
    return f" = new {_wire_type(kind)}();"


def _values(one: DtoField) -> str:
    return "".join(f', "{word}"' for word in one.values)


def _write(dto: Dto, one: DtoField) -> list[str]:
    """The statements that write a field's key and value."""
    place, value, name = f'"{dto.name}.{one.name}"', camel(one.name), f'to.Key("{one.name}");'
    if one.type.optional and one.type.shape == "one" and one.type.base in ("int", "float", "bool"):
        value += ".Value"
    if one.type.shape == "one":
        call = _write_one(one.type.base, value, place, _values(one))
        return [name, call]
    begin = "List" if one.type.shape == "list" else "Map"
    item = "item" if one.type.shape == "list" else "item.Value"
    key = [] if one.type.shape == "list" else ["    to.Key(item.Key);"]
    each = [
        "foreach (var item in " + value + ")",
        "{",
        *key,
        "    " + _write_one(one.type.base, item, place, ""),
        "}",
    ]
    return [name, f"to.{begin}({value}, {place});", *each]


def _write_one(base: str, value: str, place: str, values: str) -> str:
    if base in _CALLS:
        return f"to.{_CALLS[base]}({value}, {place}{values});"
    return f"to.Body({value}, {place});"


def _read(one: DtoField, value: str) -> str:
    path = f'path + ".{one.name}"'
    base = one.type.base
    reader = f"Wire.{_CALLS[base]}" if base in _CALLS else f"{base}.Read"
    if one.type.shape != "one":
        return f"Wire.{one.type.shape.capitalize()}({value}, {path}, (item, at) => {reader}(item, at))"
    return f"{reader}({value}, {path}{_values(one)})"


def _dto(dto: Dto) -> list[str]:
    body = [_summary(dto.doc), f"public sealed class {dto.name} : IWireBody", "{"]
    for one in dto.fields:
        body.append(_summary(with_unit(one.doc, one.unit), "    "))
        body.append(f"    public {_wire_type(one.type)} {camel(one.name)} {{ get; set; }}{_default(one)}")
    always = sum(not one.type.optional for one in dto.fields)
    count = "".join(f" + ({camel(one.name)} == null ? 0 : 1)" for one in dto.fields if one.type.optional)
    body += [""] if dto.fields else []
    body += [
        "    /// <inheritdoc/>",
        "    public void Write(WireWriter to)",
        "    {",
        f"        to.Map({always}{count});",
    ]
    for one in dto.fields:
        lines = _write(dto, one)
        if one.type.optional:
            lines = [f"if ({camel(one.name)} != null)", "{", *(f"    {line}" for line in lines), "}"]
        body += [f"        {line}" for line in lines]
    body += ["    }", ""]
    body += [
        _summary("The DTO in a map; unknown keys are ignored, WireException names a field at fault.", "    ")
    ]
    body += [f'    public static {dto.name} Read(object? value, string path = "$")', "    {"]
    body += [
        f"        {'var of = ' if dto.fields else ''}Wire.Fields(value, path);",
        f"        var made = new {dto.name}();",
    ]
    for one in dto.fields:
        if one.type.optional:
            local = _param(one.name) + "Value"
            body.append(f'        var {local} = Wire.Optional(of, "{one.name}");')
            body.append(f"        if ({local} != null) made.{camel(one.name)} = {_read(one, local)};")
        else:
            made = _read(one, f'Wire.Required(of, "{one.name}", path)')
            body.append(f"        made.{camel(one.name)} = {made};")
    return [*body, "        return made;", "    }", "}", ""]


_CALL = """
/// <summary>A request or reply in its envelope; Method is Methods.Error for a failed reply.</summary>
public readonly struct Call
{
    public readonly ushort Method;
    public readonly uint Request;
    public readonly object? Body;

    public Call(ushort method, uint request, object? body)
    {
        Method = method;
        Request = request;
        Body = body;
    }

    /// <summary>An envelope around a DTO, as MessagePack.</summary>
    public static byte[] Pack(ushort method, uint request, IWireBody body)
    {
        var to = new WireWriter();
        to.List(4);
        to.Integer(Constants.RpcVersion, "version");
        to.Integer(method, "method");
        to.Integer(request, "request");
        to.Body(body, "body");
        return to.ToArray();
    }

    /// <summary>The envelope in data, its body undecided; WireException if it is none.</summary>
    public static Call Unpack(ReadOnlySpan<byte> data)
    {
        if (!(Wire.Unpack(data) is List<object?> list) || list.Count != 4)
            throw new WireException("$", "must be a list of version, method, request and body");
        var version = Wire.Integer(list[0], "$[0]");
        if (version != Constants.RpcVersion)
            throw new WireException("$[0]", $"version {version} is not {Constants.RpcVersion}");
        long method = Wire.Integer(list[1], "$[1]"), request = Wire.Integer(list[2], "$[2]");
        if (method < 0 || method > ushort.MaxValue)
            throw new WireException("$[1]", $"{method} is no 16-bit method id");
        if (request < 0 || request > uint.MaxValue)
            throw new WireException("$[2]", $"{request} is no 32-bit request id");
        return new Call((ushort)method, (uint)request, list[3]);
    }
}
"""


def _dtos(idl: Idl) -> str:
    body: list[str] = []
    for dto in idl.dtos:
        body += _dto(dto)
    body += [_summary("Ids and routes of the control stack's methods."), "public static class Methods", "{"]
    body += [_summary("Method id of a failed reply; its body is an ErrorBody.", "    ")]
    body += [f"    public const ushort Error = {idl.rpc.error_method};"]
    for one, member in zip(idl.methods, methods_enum(idl).members, strict=True):
        said = f"{one.doc} {one.request} to {one.reply}, {one.verb} {one.route}, authorisation: {one.auth}."
        body += [_summary(said, "    "), f"    public const ushort {camel(member.name)} = {one.id};"]
    body += ["}", *_CALL.rstrip("\n").split("\n")]
    return _file(["System", "System.Collections.Generic"], body, "Bodies of the control stack.")
