"""TypeScript, and the same without types as an ES module for Node and plain pages."""

from __future__ import annotations

import re
from pathlib import Path

from ._emit_common import SOURCE, camel, flat, methods_enum, number, with_unit
from ._model import Dto, Idl, WireType

TYPED = "api/generated/clutchcall.ts"
PLAIN = "api/generated/clutchcall.mjs"

_TYPES = {"int": "number", "float": "number", "str": "string", "bool": "boolean", "bytes": "Uint8Array"}
_MARK = re.compile("«(.*?)»", re.DOTALL)


def emit(idl: Idl) -> dict[str, str]:
    """The outputs by path: one text, in which « » enclose what is TypeScript alone."""
    runtime = (Path(__file__).parent / "runtime" / "wire.ts.in").read_text("utf-8")
    text = "\n".join([f"// {SOURCE}", "", *_numbers(idl), *_dtos(idl), *_methods(idl), runtime])
    return {TYPED: _MARK.sub(r"\1", text), PLAIN: _MARK.sub("", text)}


def _comment(text: str, indent: str = "") -> str:
    return f"{indent}/** {text} */"


def _numbers(idl: Idl) -> list[str]:
    lines: list[str] = []
    for one in flat(idl):
        lines += [_comment(with_unit(one.doc, one.unit)), f"export const {one.name} = {number(one)};"]
    for tag in idl.capabilities:
        lines += [_comment(tag.doc), f'export const CAPABILITY_{tag.name} = "{tag.tag}";']
    lines.append("")
    for enum in (*idl.enums, methods_enum(idl)):
        name = enum.name.removeprefix("Cc")
        lines += [_comment(enum.doc), f"export const {name} = {{"]
        for member in enum.members:
            lines += [_comment(member.doc, "  "), f"  {camel(member.name)}: {member.value},"]
        lines += ["}« as const»;", f"«export type {name} = (typeof {name})[keyof typeof {name}];", "»"]
    return lines


def _type(kind: WireType) -> str:
    base = _TYPES.get(kind.base, kind.base)
    return {"list": f"{base}[]", "map": f"Record<string, {base}>"}.get(kind.shape, base)


def _interface(dto: Dto) -> list[str]:
    lines = [_comment(dto.doc), f"export interface {dto.name} {{"]
    for one in dto.fields:
        kind = " | ".join(f'"{word}"' for word in one.values) or _type(one.type)
        lines += [_comment(with_unit(one.doc, one.unit), "  ")]
        lines += [f"  {one.name}{'?' if one.type.optional else ''}: {kind};"]
    return (
        [*lines, "}", ""]
        if dto.fields
        else [lines[0], f"export type {dto.name} = Record<string, never>;", ""]
    )


def _dtos(idl: Idl) -> list[str]:
    lines = ["«"]
    for dto in idl.dtos:
        lines += _interface(dto)
    lines += [_comment("Every DTO by its name."), "export interface Dtos {"]
    lines += [f"  {dto.name}: {dto.name};" for dto in idl.dtos]
    lines += ["}", "export type DtoName = keyof Dtos;", "»"]
    lines += [
        _comment("Fields of every DTO, in the order in which they are written."),
        "export const SCHEMAS = {",
    ]
    for dto in idl.dtos:
        lines.append(f"  {dto.name}: [")
        for one in dto.fields:
            values = (
                f", values: [{', '.join(chr(34) + word + chr(34) for word in one.values)}]"
                if one.values
                else ""
            )
            optional = str(one.type.optional).lower()
            kind = f'base: "{one.type.base}", shape: "{one.type.shape}", optional: {optional}'
            lines.append(f'    {{ name: "{one.name}", {kind}{values} }},')
        lines.append("  ],")
    return [*lines, "}« as const»;", ""]


def _methods(idl: Idl) -> list[str]:
    lines = [_comment("Method id of a failed reply; its body is an ErrorBody.")]
    lines += [f"export const ERROR_METHOD = {idl.rpc.error_method};", ""]
    lines += [_comment("Every method by its name."), "export const METHODS = {"]
    for one in idl.methods:
        lines.append(f'  "{one.name}": {{')
        lines.append(f'    id: {one.id}, request: "{one.request}", reply: "{one.reply}",')
        lines.append(f'    verb: "{one.verb}", route: "{one.route}", auth: "{one.auth}",')
        lines.append("  },")
    return [*lines, "}« as const»;", ""]
