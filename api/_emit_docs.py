"""Markdown: the reference tables."""

from __future__ import annotations

from collections.abc import Sequence

from ._check import layout
from ._emit_common import SOURCE, flat, methods_enum, number
from ._model import Enum, Idl

ABI = "docs/reference/abi.md"
API = "docs/reference/api.md"


def emit(idl: Idl) -> dict[str, str]:
    """The outputs by path."""
    return {ABI: _abi(idl), API: _api(idl)}


def _table(head: str, rows: Sequence[tuple[str, ...]]) -> list[str]:
    columns = [part.strip() for part in head.split("|")]
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return [*lines, *("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows), ""]


def _enum(enum: Enum) -> list[str]:
    rows = [(f"`{enum.prefix}{one.name}`", str(one.value), one.doc) for one in enum.members]
    return [f"### {enum.name} ({enum.type})", "", enum.doc, "", *_table("name | value | meaning", rows)]


def _abi(idl: Idl) -> str:
    lines = [f"<!-- {SOURCE} -->", f"# The C ABI, version {idl.abi_version}", "", idl.abi_doc, ""]
    lines += ["Header: `core/ffi/include/clutchcall.h`. Sizes and offsets are those of 64-bit targets.", ""]
    lines += ["## Functions", ""]
    for one in idl.functions:
        args = ", ".join(f"{arg.type.text} {arg.name}" for arg in one.args)
        lines += [f"- `{one.name}({args})`: {one.doc}"]
    lines += ["", "## Numbers", ""]
    for enum in idl.enums:
        lines += _enum(enum)
    lines += ["## Structs", ""]
    places = layout(idl)
    for struct in idl.structs:
        rows = [
            (str(at), f"`{one.name}`", one.type.text, one.unit, one.doc)
            for one, (at, _) in zip(struct.fields, places[struct.name], strict=True)
        ]
        lines += [f"### {struct.name} ({struct.size} bytes)", "", struct.doc, ""]
        lines += _table("offset | field | type | unit | meaning", rows)
    return "\n".join(lines).rstrip() + "\n"


def _api(idl: Idl) -> str:
    lines = [f"<!-- {SOURCE} -->", "# The API: constants, modalities, capabilities, control stack", ""]
    lines += ["## Constants", ""]
    rows = [(f"`{one.name}`", f"`{number(one)}`", one.unit, one.doc) for one in flat(idl)]
    lines += _table("name | value | unit | meaning", rows)
    lines += ["## Modalities", ""]
    for modality in idl.modalities:
        lines += [f"### {modality.name}", "", modality.doc, "", f"Groups: {modality.group_rule}", ""]
        lines += _table(
            "kind | number | objects", [(k.name, str(k.value), k.objects) for k in modality.kinds]
        )
        for scope, names in (("Track", modality.track_properties), ("Object", modality.object_properties)):
            lines += [f"{scope} properties it may carry: {', '.join(names) or 'none of its own'}.", ""]
        lines += _table("payload | type | meaning", [(p.name, p.type, p.doc) for p in modality.payload])
    lines += ["## Properties", ""]
    properties = [
        (one.name, f"`{one.id:#x}`", one.scope, one.value, one.unit, one.source, one.doc)
        for one in idl.properties
    ]
    lines += _table("name | id | scope | value | unit | defined in | meaning", properties)
    lines += ["## Capabilities", ""]
    tags = [(f"`{one.tag}`", str(one.hash), one.modality, one.doc) for one in idl.capabilities]
    lines += _table("tag | hash | modality | meaning", tags)
    lines += ["The hash is the low 53 bits of FNV-1a 64 of the tag's UTF-8.", ""]
    lines += ["## Control stack: methods", "", idl.rpc.doc, ""]
    lines += _table("envelope | type | meaning", [(one.name, one.type, one.doc) for one in idl.rpc.fields])
    calls = [
        (str(one.id), f"`{one.name}`", f"`{one.verb} {one.route}`", one.auth, one.request, one.reply, one.doc)
        for one in idl.methods
    ]
    lines += _table("id | method | HTTP | authorisation | request | reply | meaning", calls)
    lines += [
        "Fields of a request that the path does not name go into a GET's query, or else into the body.",
        "",
    ]
    lines += ["## Control stack: DTOs", ""]
    lines += [
        "A MessagePack map or JSON object by field name. Integers stay within 2^53 - 1; optional fields (`?`)"
    ]
    lines += ["are left out when absent; unknown keys are ignored; bytes are base64 in JSON.", ""]
    for dto in idl.dtos:
        fields = [
            (
                f"`{one.name}`",
                one.type.text,
                one.unit,
                one.doc + (f" One of {', '.join(one.values)}." if one.values else ""),
            )
            for one in dto.fields
        ]
        lines += [
            f"### {dto.name}",
            "",
            dto.doc,
            "",
            *(_table("field | type | unit | meaning", fields) if fields else []),
        ]
    lines += [f"Method ids as code: `{methods_enum(idl).name}`."]
    return "\n".join(lines).rstrip() + "\n"
