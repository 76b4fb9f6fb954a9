"""What a shared library says of itself: its format, processor, exported names, and what it wants of a system.

A small reader of ELF, PE and Mach-O, for 64-bit little-endian libraries, so that a cross build is checked
where it was made, without the tools of its platform. `read` raises `BadImage` for what is none of them.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Format = Literal["elf", "pe", "macho"]

FAT = 0xCAFEBABE
MACHO = 0xFEEDFACF
CPU_TYPES = {0x0100_0007: "x86_64", 0x0100_000C: "arm64"}
"""Mach-O's names of processors (mach/machine.h)."""
_ELF_MACHINES = {62: "x86_64", 183: "arm64"}
_PE_MACHINES = {0x8664: "x86_64", 0xAA64: "arm64"}
_LOADS = (0x0C, 0x8000_0018, 0x8000_001F)  # LC_LOAD_DYLIB, LC_LOAD_WEAK_DYLIB, LC_REEXPORT_DYLIB
_TRIE, _INFO, _SIGNATURE = 0x8000_0033, (0x22, 0x8000_0022), 0x1D
_VERSION = re.compile(r"^([A-Z]+)_(\d+(?:\.\d+)*)$")


class BadImage(Exception):
    """The file is no library that is read here."""


@dataclass
class Image:
    """One processor's library."""

    format: Format
    cpu: str
    exports: set[str] = field(default_factory=set)
    """Names as C writes them."""
    needed: set[str] = field(default_factory=set)
    """Libraries that have to be there."""
    versions: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """ELF: the newest version wanted of each family of symbols, such as GLIBC: (2, 17)."""
    alignment: int = 0
    """ELF: the smallest alignment of a loaded segment, bytes."""
    signed: bool = False
    """Mach-O: it carries a signature, as an arm64 Mac asks of everything that it loads."""
    dated: bool = False
    """PE: the file carries the moment of its making."""


def read(path: Path) -> list[Image]:
    """The images in a file: one, or one a processor for a universal Mach-O."""
    data = path.read_bytes()
    try:
        if data[:4] == b"\x7fELF":
            return [_elf(data)]
        if data[:2] == b"MZ":
            return [_pe(data)]
        if data[:4] == struct.pack(">I", FAT):
            return [_macho(part) for _, part in slices(data)]
        if data[:4] == struct.pack("<I", MACHO):
            return [_macho(data)]
    except (struct.error, LookupError, ValueError) as error:
        raise BadImage(f"{path} is damaged: {error}") from error
    raise BadImage(f"{path} is neither ELF nor PE nor Mach-O")


def slices(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Processor and contents of each part of a universal Mach-O."""
    for at in range(struct.unpack_from(">I", data, 4)[0]):
        cpu, _, offset, size, _ = struct.unpack_from(">5I", data, 8 + 20 * at)
        if offset + size > len(data):
            raise BadImage("a part of the universal library lies outside it")
        yield CPU_TYPES.get(cpu, hex(cpu)), data[offset : offset + size]


def _text(data: bytes, at: int) -> str:
    return data[at : data.index(b"\0", at)].decode()


def _elf(data: bytes) -> Image:
    if data[4:6] != b"\x02\x01":
        raise BadImage("the ELF file is not 64-bit little-endian")
    machine = struct.unpack_from("<H", data, 18)[0]
    image = Image("elf", _ELF_MACHINES.get(machine, str(machine)))
    segments_at, sections_at = struct.unpack_from("<QQ", data, 32)
    segment_size, segments, section_size, count = struct.unpack_from("<4H", data, 54)
    loads = []
    for at in range(segments):
        where = segments_at + at * segment_size
        if struct.unpack_from("<I", data, where)[0] == 1:  # PT_LOAD
            loads.append(struct.unpack_from("<Q", data, where + 48)[0])
    image.alignment = min(loads, default=0)
    sections = [
        struct.unpack_from("<IIQQQQIIQQ", data, sections_at + at * section_size) for at in range(count)
    ]
    for _, kind, _, _, offset, size, link, info, _, _ in sections:
        names = sections[link][4] if link < count else 0
        if kind == 11:  # SHT_DYNSYM
            for at in range(offset, offset + size, 24):
                name, bind, other, section = struct.unpack_from("<IBBH", data, at)
                if section != 0 and bind >> 4 in (1, 2) and other & 3 in (0, 3):
                    image.exports.add(_text(data, names + name))
        elif kind == 6:  # SHT_DYNAMIC
            for at in range(offset, offset + size, 16):
                tag, value = struct.unpack_from("<QQ", data, at)
                if tag == 1:  # DT_NEEDED
                    image.needed.add(_text(data, names + value))
        elif kind == 0x6FFF_FFFE:  # SHT_GNU_verneed
            _versions(data, offset, info, names, image.versions)
    return image


def _versions(data: bytes, at: int, count: int, names: int, into: dict[str, tuple[int, ...]]) -> None:
    for _ in range(count):
        _, uses, _, use, step = struct.unpack_from("<HHIII", data, at)
        one = at + use
        for _ in range(uses):
            _, _, _, name, following = struct.unpack_from("<IHHII", data, one)
            if match := _VERSION.match(_text(data, names + name)):
                version = tuple(int(part) for part in match[2].split("."))
                into[match[1]] = max(into.get(match[1], ()), version)
            if not following:
                break
            one += following
        if not step:
            break
        at += step


def _pe(data: bytes) -> Image:
    head = struct.unpack_from("<I", data, 60)[0]
    if data[head : head + 4] != b"PE\0\0":
        raise BadImage("the DOS program is no PE file")
    machine, count, stamp = struct.unpack_from("<HHI", data, head + 4)
    optional_size = struct.unpack_from("<H", data, head + 20)[0]
    optional = head + 24
    if struct.unpack_from("<H", data, optional)[0] != 0x20B:
        raise BadImage("the PE file is not 64-bit")
    sections = [
        struct.unpack_from("<IIII", data, optional + optional_size + at * 40 + 8) for at in range(count)
    ]

    def place(address: int) -> int:
        for _, start, size, offset in sections:
            if start <= address < start + size:
                return int(address - start + offset)
        raise BadImage("an address of the PE file lies outside its sections")

    image = Image("pe", _PE_MACHINES.get(machine, hex(machine)), dated=stamp != 0)
    exports, _, imports = struct.unpack_from("<III", data, optional + 112)
    if exports:
        at = place(exports)
        named, _, names = struct.unpack_from("<III", data, at + 24)
        table = place(names) if named else 0
        for one in range(named):
            image.exports.add(_text(data, place(struct.unpack_from("<I", data, table + 4 * one)[0])))
    at = place(imports) if imports else 0
    while at and (name := struct.unpack_from("<I", data, at + 12)[0]):
        image.needed.add(_text(data, place(name)).lower())
        at += 20
    return image


def _macho(data: bytes) -> Image:
    magic, cpu = struct.unpack_from("<II", data)
    if magic != MACHO:
        raise BadImage("a part of the universal library is no 64-bit Mach-O")
    image = Image("macho", CPU_TYPES.get(cpu, hex(cpu)))
    at = 32
    for _ in range(struct.unpack_from("<I", data, 16)[0]):
        command, size = struct.unpack_from("<II", data, at)
        if size < 8:
            raise BadImage("a load command of the Mach-O file has no length")
        if command in _LOADS:
            image.needed.add(_text(data, at + struct.unpack_from("<I", data, at + 8)[0]))
        elif command == _SIGNATURE:
            image.signed = True
        elif command == _TRIE or command in _INFO:
            offset, length = struct.unpack_from("<II", data, at + (8 if command == _TRIE else 40))
            if length:
                image.exports |= {name.removeprefix("_") for name in _trie(data[offset : offset + length])}
        at += size
    return image


def _trie(data: bytes) -> set[str]:
    """The names in a trie of exports (mach-o/loader.h)."""

    def number(at: int) -> tuple[int, int]:
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value, at

    found: set[str] = set()
    seen: set[int] = set()
    todo = [(0, b"")]
    while todo:
        at, name = todo.pop()
        if at in seen:
            raise BadImage("the trie of exports leads back into itself")
        seen.add(at)
        size, at = number(at)
        if size:
            found.add(name.decode())
        at += size
        children = data[at]
        at += 1
        for _ in range(children):
            end = data.index(b"\0", at)
            piece = data[at:end]
            child, at = number(end + 1)
            todo.append((child, name + piece))
    return found
