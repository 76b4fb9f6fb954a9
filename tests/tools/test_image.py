"""The reader of libraries, on this machine's own, on made-up ones, and on damage."""

from __future__ import annotations

import dataclasses
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dotnet_bridge import natives as places
from tools import image, natives, recipes
from tools.console import Stop
from tools.process import ROOT

HEADER = ROOT / "core" / "ffi" / "include" / "clutchcall.h"


def fat(*names: str) -> bytes:
    """A universal library of Mach-O headers without commands."""
    cpus = {name: number for number, name in image.CPU_TYPES.items()}
    heads = [struct.pack("<8I", image.MACHO, cpus[name], 0, 6, 0, 0, 0, 0) for name in names]
    return natives.universal(heads)


@pytest.mark.skipif(sys.platform != "linux", reason="compares with nm of an ELF file")
def test_what_nm_says_is_what_is_read(native: Path) -> None:
    (found,) = image.read(native)
    listing = subprocess.run(
        ["nm", "-D", "--defined-only", str(native)], capture_output=True, text=True, check=True, timeout=60
    )
    assert found.exports == {line.split()[-1] for line in listing.stdout.splitlines()}
    assert found.exports == set(re.findall(r"^int32_t (cc_\w+)\(", HEADER.read_text("utf-8"), re.MULTILINE))
    assert found.format == "elf"
    assert "libc.so.6" in found.needed
    assert found.versions["GLIBC"] >= (2, 17)


@pytest.mark.parametrize("recipe", recipes.RECIPES, ids=lambda recipe: str(recipe.name))
def test_what_was_built_may_be_shipped(recipe: recipes.Recipe) -> None:
    path = places.BUILT / recipe.platform / recipe.file
    native = next(one for one in places.NATIVES if one.platform == recipe.platform)
    if not path.is_file() or places.behind({native: path}):
        pytest.skip(f"not built from these sources: python dev.py natives --target {recipe.name}")
    assert natives.problems(path, recipe) == []


@pytest.mark.skipif(sys.platform != "linux", reason="checks this machine's build, which is for its own glibc")
def test_each_rule_is_told(native: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = next(one for one in recipes.RECIPES if one.platform == places.this_machine().platform)
    (found,) = image.read(native)
    whole = dataclasses.replace(recipe, glibc="9.99", system=frozenset(found.needed))

    def told(recipe: recipes.Recipe, path: Path = native) -> str:
        return "\n".join(natives.problems(path, recipe))

    monkeypatch.setattr(natives, "_folders", list)
    assert told(whole) == ""
    assert "it needs glibc" in told(dataclasses.replace(whole, glibc="2.0"))
    assert "which not every system has" in told(dataclasses.replace(whole, system=frozenset()))
    assert "it is for" in told(dataclasses.replace(whole, triples=("aarch64-x", "x86_64-x")))
    monkeypatch.setattr(natives, "_abi", lambda: {"cc_version", "cc_fly"})
    assert "it also exports" in told(whole)
    assert "it does not export cc_fly" in told(whole)
    text = tmp_path / "text"
    text.write_text("no library")
    assert "neither ELF nor PE nor Mach-O" in told(whole, text)
    monkeypatch.undo()
    monkeypatch.setattr(natives, "_folders", lambda: ["cc_version"])
    assert "it names the folder cc_version" in told(whole)


def test_a_universal_library_holds_its_parts() -> None:
    data = fat("arm64", "x86_64")
    parts = dict(image.slices(data))
    assert list(parts) == ["arm64", "x86_64"]
    for at, (name, alignment) in enumerate((("arm64", 14), ("x86_64", 12))):
        offset, _, power = struct.unpack_from(">3I", data, 8 + 20 * at + 8)
        assert (offset % (1 << alignment), power) == (0, alignment)
        assert len(parts[name]) == 32
    with pytest.raises(Stop, match="no 64-bit Mach-O"):
        natives.universal([b"\x7fELF" + bytes(60)])


def trie(names: list[str]) -> bytes:
    """Exports as one flat trie: a root with a child a name."""
    head = bytes([0, len(names)])
    size = len(head) + sum(len(name) + 1 + 2 for name in names)
    body, nodes = b"", b""
    for name in names:
        at = size + len(nodes)
        body += name.encode() + b"\0" + bytes([at & 0x7F | 0x80, at >> 7])
        nodes += bytes([2, 0, 0, 0])
    return head + body + nodes


def test_a_mach_o_library_is_read(tmp_path: Path) -> None:
    names = trie(["_cc_version", "_cc_send"])
    system = b"/usr/lib/libSystem.B.dylib\0\0\0\0\0\0"
    load = struct.pack("<6I", 0x0C, 24 + len(system), 24, 0, 0, 0) + system
    exports = struct.pack("<4I", 0x8000_0033, 16, 32 + len(load) + 16, len(names))
    head = struct.pack("<8I", image.MACHO, 0x0100_000C, 0, 6, 2, len(load) + len(exports), 0, 0)
    path = tmp_path / "a.dylib"
    path.write_bytes(head + load + exports + names)
    (found,) = image.read(path)
    assert (found.format, found.cpu, found.exports) == ("macho", "arm64", {"cc_version", "cc_send"})
    assert found.needed == {"/usr/lib/libSystem.B.dylib"}


@given(
    st.sampled_from([b"\x7fELF\x02\x01", b"MZ", struct.pack(">I", image.FAT), fat("arm64")[:40]]),
    st.binary(max_size=400),
)
def test_damage_is_a_bad_image(tmp_path_factory: pytest.TempPathFactory, head: bytes, rest: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(head + rest)
    try:
        image.read(path)
    except image.BadImage as error:
        assert str(error)


def test_damage_of_a_real_library_is_a_bad_image(native: Path, tmp_path: Path) -> None:
    data = native.read_bytes()
    path = tmp_path / "cut"
    for cut in (5, 20, 63, 64, 200, 5000, len(data) // 2, len(data) - 100):
        path.write_bytes(data[:cut])
        with pytest.raises(image.BadImage):
            image.read(path)


def test_an_unknown_target_names_the_known_ones() -> None:
    with pytest.raises(Stop, match="linux-x86_64, linux-arm64, windows-x86_64, macos") as caught:
        recipes.chosen(["amiga"])
    assert caught.value.code == 2
    assert recipes.chosen([]) == recipes.RECIPES
    assert [one.name for one in recipes.chosen(["macos", "macos"])] == ["macos"]


def test_every_platform_of_the_package_has_a_recipe() -> None:
    assert [(one.platform, one.file) for one in recipes.RECIPES] == [
        (one.platform, one.file) for one in places.NATIVES
    ]
