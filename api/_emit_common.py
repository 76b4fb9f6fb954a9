"""What the emitters share: the first line, case changes, widths of text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from ._check import fnv53
from ._model import Constant, Enum, Idl, Member

SOURCE = "generated from api/clutchcall.json by python -m api.rpc_compiler; do not edit"
"""The first line of every output, behind the language's comment mark."""


def camel(name: str) -> str:
    """`snake_case`, `UPPER_CASE` or `dotted.name` as `PascalCase`."""
    return "".join(part[:1].upper() + part[1:].lower() for part in name.replace(".", "_").split("_"))


def doc(text: str, mark: str, indent: str = "", width: int = 100) -> list[str]:
    """Text as comment lines of at most `width` columns."""
    head = indent + mark
    return [head + line for line in textwrap.wrap(text, width - len(head))]


def with_unit(text: str, unit: str) -> str:
    """A field's doc with its unit in front of the full stop's next sentence."""
    return f"{text} In {unit}." if unit else text


def number(one: Constant) -> str:
    """A constant's value as source."""
    return hex(one.value) if one.hex else str(one.value)


def flat(idl: Idl) -> Iterator[Constant]:
    """All constants of the IDL, those made from its other sections included."""
    yield from idl.constants
    for prop in idl.properties:
        where = f" ({prop.source})" if prop.source else ""
        said = f"{prop.scope.capitalize()} property{where}, {prop.value}. {prop.doc}"
        yield Constant(f"PROPERTY_{prop.name}", "u64", prop.id, said, prop.unit, True, prop.path)
    for modality in idl.modalities:
        for kind in modality.kinds:
            said = f"Track kind of modality {modality.name}: {kind.objects}."
            yield Constant(f"KIND_{kind.name}", "u32", kind.value, said, "", False, kind.path)
    for tag in idl.capabilities:
        said = f"Hash of the capability {tag.tag}."
        yield Constant(f"CAPABILITY_HASH_{tag.name}", "u64", fnv53(tag.tag), said, "", False, tag.path)


def methods_enum(idl: Idl) -> Enum:
    """The methods' ids as an enum, for languages that have them as one."""
    members = tuple(
        Member(
            one.name.replace(".", "_").upper(), one.id, f"{one.doc} {one.request} -> {one.reply}.", one.path
        )
        for one in idl.methods
    )
    return Enum(
        "MethodId",
        "u16",
        "CC_METHOD_",
        "method",
        "Method ids of the control stack.",
        members,
        False,
        "methods",
    )
