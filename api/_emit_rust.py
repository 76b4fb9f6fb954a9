"""Rust: the ABI's structs and constants, and the check that its functions have the IDL's signatures."""

from __future__ import annotations

from ._emit_common import SOURCE, doc, flat, methods_enum, number, with_unit
from ._model import CType, Enum, Idl, Struct

GENERATED = "core/ffi/src/generated.rs"
SIGNATURES = "core/ffi/src/generated_check.rs"

_NAMES = {"handle": "u64", "address": "u64", "str": "CcStr"}


def emit(idl: Idl) -> dict[str, str]:
    """The outputs by path."""
    return {GENERATED: _generated(idl), SIGNATURES: _signatures(idl)}


def _type(kind: CType) -> str:
    base = _NAMES.get(kind.base, kind.base)
    if kind.count:
        return f"[{base}; {kind.count}]"
    if kind.pointer:
        return f"*{'const' if kind.const else 'mut'} {base}"
    return base


def _zero(kind: CType, field: str, element: bool) -> str:
    if field == "size" and not element:
        return "std::mem::size_of::<Self>() as u32"
    if kind.pointer:
        return f"std::ptr::null{'' if kind.const else '_mut'}()"
    zero = "CcStr::EMPTY" if kind.base == "str" else "0"
    return f"[{zero}; {kind.count}]" if kind.count else zero


def _struct(struct: Struct) -> list[str]:
    lines = [
        *doc(struct.doc, "/// "),
        "#[repr(C)]",
        "#[derive(Clone, Copy, Debug)]",
        f"pub struct {struct.name} {{",
    ]
    for one in struct.fields:
        lines += doc(with_unit(one.doc, one.unit), "/// ", "    ")
        lines.append(f"    pub {one.name}: {_type(one.type)},")
    lines += ["}", "", f"impl {struct.name} {{"]
    said = "All zero and empty." if struct.element else "All zero and empty but for `size`."
    lines += [f"    /// {said}", "    #[rustfmt::skip]", "    pub const EMPTY: Self = Self {"]
    lines += [f"        {one.name}: {_zero(one.type, one.name, struct.element)}," for one in struct.fields]
    lines += ["    };", "}", "", '#[cfg(target_pointer_width = "64")]']
    lines += [f"const _: () = assert!(std::mem::size_of::<{struct.name}>() == {struct.size});", ""]
    return lines


def _module(enum: Enum) -> list[str]:
    lines = [*doc(enum.doc, "/// "), f"pub mod {enum.module} {{"]
    for one in enum.members:
        lines += doc(one.doc, "/// ", "    ")
        lines.append(f"    pub const {one.name}: {enum.type} = {one.value};")
    lines += ["", "    /// The name of a value, if it is one."]
    lines += [
        f"    pub const fn name(value: {enum.type}) -> Option<&'static str> {{",
        "        match value {",
    ]
    lines += [f'            {one.name} => Some("{one.name}"),' for one in enum.members]
    lines += ["            _ => None,", "        }", "    }", "}", ""]
    return lines


def _status_text(enum: Enum) -> list[str]:
    lines = ["/// A status in words, for `cc_status_text`.", "#[rustfmt::skip]"]
    lines += ["pub const fn status_text(value: i32) -> Option<&'static str> {", "    match value {"]
    lines += [f'        status::{one.name} => Some("{one.doc}"),' for one in enum.members]
    return [*lines, "        _ => None,", "    }", "}", ""]


def _generated(idl: Idl) -> str:
    lines = [f"// {SOURCE}", "//! The C ABI's structs, statuses and numbers, as the IDL has them.", ""]
    lines += [
        "// The whole IDL stands here, whether this crate reads a value or not.",
        "#![allow(dead_code)]",
        "",
    ]
    for one in flat(idl):
        lines += doc(with_unit(one.doc, one.unit), "/// ")
        lines.append(f"pub const {one.name}: {one.type} = {number(one)};")
    lines += ["", "/// Capability tags with a meaning of their own: (tag, hash)."]
    lines.append(f"pub const CAPABILITIES: [(&str, u64); {len(idl.capabilities)}] = [")
    for tag in idl.capabilities:
        lines.append(f'    ("{tag.tag}", CAPABILITY_HASH_{tag.name}),')
    lines += ["];", ""]
    for enum in (*idl.enums, methods_enum(idl)):
        lines += _module(enum)
    lines += _status_text(idl.enum("CcStatus"))
    for struct in idl.structs:
        lines += _struct(struct)
    return "\n".join(lines)


def _signatures(idl: Idl) -> str:
    lines = [f"// {SOURCE}"]
    lines += doc("Fails to compile when a function of the ABI is missing or has another signature.", "//! ")
    lines += ["", "#[rustfmt::skip]", "mod signatures {", "    use crate::generated::*;", ""]
    for function in idl.functions:
        args = ", ".join(_type(one.type) for one in function.args)
        lines.append(f'    const _: unsafe extern "C" fn({args}) -> i32 = crate::{function.name};')
    return "\n".join([*lines, "}"]) + "\n"
