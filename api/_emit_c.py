"""C: the header."""

from __future__ import annotations

from ._emit_common import SOURCE, doc, flat, number, with_unit
from ._model import CType, Idl, Struct

HEADER = "core/ffi/include/clutchcall.h"

_NAMES = {
    f"{sign}{bits}": f"{'u' if sign == 'u' else ''}int{bits}_t" for sign in "ui" for bits in (8, 16, 32, 64)
}
_NAMES |= {"handle": "CcHandle", "address": "uint64_t", "str": "CcStr"}


def emit(idl: Idl) -> dict[str, str]:
    """The output by path."""
    lines = [f"/* {SOURCE} */", "/*"]
    lines += doc(idl.abi_doc, " * ")
    lines += [" */", "#ifndef CLUTCHCALL_H", "#define CLUTCHCALL_H", "", "#include <stdint.h>", ""]
    lines += [
        "#ifdef __cplusplus",
        'extern "C" {',
        "#define CC_ASSERT(what) static_assert(what, #what)",
        "#else",
    ]
    lines += ["#define CC_ASSERT(what) _Static_assert(what, #what)", "#endif", ""]
    lines += [
        "/* A node, link, session, publication or subscription; 0 is none. */",
        "typedef uint64_t CcHandle;",
        "",
    ]
    kinds = {f"KIND_{one.name}" for one in idl.enum("CcTrackKind").members}
    for one in flat(idl):
        if one.name in kinds:
            continue
        suffix = "ull" if one.type == "u64" else "u"
        lines += [*_comment(with_unit(one.doc, one.unit)), f"#define CC_{one.name} {number(one)}{suffix}"]
    lines.append("")
    for tag in idl.capabilities:
        lines += [*_comment(tag.doc), f'#define CC_CAPABILITY_{tag.name} "{tag.tag}"']
    lines.append("")
    for enum in idl.enums:
        lines += [*_comment(enum.doc), "enum {"]
        for member in enum.members:
            lines += [*_comment(member.doc, "    "), f"    {enum.prefix}{member.name} = {member.value},"]
        lines[-1] = lines[-1].removesuffix(",")
        lines += ["};", ""]
    for struct in idl.structs:
        lines += _struct(struct)
    lines += ["#if UINTPTR_MAX == UINT64_MAX"]
    lines += [f"CC_ASSERT(sizeof({one.name}) == {one.size});" for one in idl.structs]
    lines += ["#endif", ""]
    for function in idl.functions:
        args = ", ".join(_declared(one.type, one.name) for one in function.args) or "void"
        lines += [*_comment(function.doc), f"int32_t {function.name}({args});", ""]
    lines += ["#undef CC_ASSERT", "#ifdef __cplusplus", "}", "#endif", "#endif", ""]
    return {HEADER: "\n".join(lines)}


def _comment(text: str, indent: str = "") -> list[str]:
    lines = doc(text, "   ", indent, 97)
    lines[0] = f"{indent}/* {lines[0].lstrip()}"
    lines[-1] += " */"
    return lines


def _declared(kind: CType, name: str) -> str:
    base = ("const " if kind.const else "") + _NAMES.get(kind.base, kind.base)
    if kind.count:
        return f"{base} {name}[{kind.count}]"
    return f"{base} {'*' if kind.pointer else ''}{name}"


def _struct(struct: Struct) -> list[str]:
    lines = [*_comment(struct.doc), f"typedef struct {struct.name} {{"]
    for one in struct.fields:
        lines += [*_comment(with_unit(one.doc, one.unit), "    "), f"    {_declared(one.type, one.name)};"]
    return [*lines, f"}} {struct.name};", ""]
