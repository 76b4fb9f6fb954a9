"""What the compiler writes: the same in every language, and the same as what is committed."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from api import rpc_compiler
from api._check import layout
from api._model import Idl
from transport._generated import abi, constants

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def idl() -> Idl:
    made, found = rpc_compiler.load(rpc_compiler.ROOT / rpc_compiler.SOURCE)
    assert made is not None, found
    return made


def test_what_is_committed_is_what_the_compiler_writes() -> None:
    assert rpc_compiler.main(["--check"]) == 0


def test_every_output_says_where_it_comes_from(idl: Idl) -> None:
    for path, text in rpc_compiler.outputs(idl).items():
        if not path.endswith((".json", ".meta")):
            assert "generated from api/clutchcall.json" in text.splitlines()[0], path


def test_two_runs_write_the_same(idl: Idl) -> None:
    assert rpc_compiler.outputs(idl) == rpc_compiler.outputs(idl)


def test_python_has_the_layout_of_the_idl(idl: Idl) -> None:
    for struct in idl.structs:
        kind = getattr(abi, struct.name)
        assert ctypes.sizeof(kind) == struct.size == abi.SIZES[kind]
        places = [(getattr(kind, one.name).offset, getattr(kind, one.name).size) for one in struct.fields]
        assert places == layout(idl)[struct.name], struct.name


def test_numpy_has_the_layout_of_ctypes() -> None:
    for dtype, kind in ((abi.FRAME_DTYPE, abi.CcFrame), (abi.SEND_DTYPE, abi.CcSend)):
        assert dtype.itemsize == ctypes.sizeof(kind)
        for name in dtype.names or ():
            assert dtype.fields is not None
            assert dtype.fields[name][1] == getattr(kind, name).offset
    send = np.zeros(1, abi.SEND_DTYPE)
    send["priority"], send["tag"] = 7, 1 << 60
    one = abi.CcSend.from_buffer(send.data)
    assert (one.priority, one.tag) == (7, 1 << 60)


def compiler(*names: str) -> str:
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no {' or '.join(names)} here")
    return found


def compiled(source: Path, out: Path, *command: str) -> Path:
    strict = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", f"-I{ROOT / 'core/ffi/include'}"]
    done = subprocess.run(
        [*command, *strict, str(source), "-o", str(out)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return out


def test_c_has_the_layout_and_the_numbers_of_the_idl(idl: Idl, tmp_path: Path) -> None:
    rows = [
        f'printf("%zu\\n", offsetof({struct.name}, {one.name}));'
        for struct in idl.structs
        for one in struct.fields
    ]
    rows += [
        f'printf("%ld\\n", (long){enum.prefix}{one.name});' for enum in idl.enums for one in enum.members
    ]
    rows += [f'printf("%llu\\n", (unsigned long long)CC_{one.name});' for one in idl.constants]
    head = "#include <clutchcall.h>\n#include <stddef.h>\n#include <stdio.h>\n"
    source = tmp_path / "layout.c"
    source.write_text(head + "int main(void) {\n" + "\n".join(rows) + "\nreturn 0;\n}\n", "utf-8")
    program = compiled(source, tmp_path / "layout", compiler("cc", "gcc", "clang"), "-std=c11")
    lines = subprocess.run([program], capture_output=True, text=True, timeout=10, check=True).stdout.split()
    wanted = [at for struct in idl.structs for at, _ in layout(idl)[struct.name]]
    wanted += [one.value for enum in idl.enums for one in enum.members]
    wanted += [one.value for one in idl.constants]
    assert [int(line) for line in lines] == wanted


def test_the_header_is_cpp_too(tmp_path: Path) -> None:
    source = tmp_path / "header.cpp"
    source.write_text("#include <clutchcall.h>\nint main() { CcFrame one{}; return one.flags; }\n", "utf-8")
    compiled(source, tmp_path / "header", compiler("c++", "g++", "clang++"), "-std=c++17")


def test_python_has_the_numbers_of_the_idl(idl: Idl) -> None:
    for enum in idl.enums:
        made = getattr(constants, enum.name.removeprefix("Cc"))
        assert {one.name: one.value for one in made} == {one.name: one.value for one in enum.members}
    for one in idl.constants:
        assert getattr(constants, one.name) == one.value


def test_every_function_is_declared_everywhere(idl: Idl) -> None:
    outputs = rpc_compiler.outputs(idl)
    assert list(abi.ARGTYPES) == [one.name for one in idl.functions]
    for one in idl.functions:
        assert f"int32_t {one.name}(" in outputs["core/ffi/include/clutchcall.h"]
        assert f"crate::{one.name};" in outputs["core/ffi/src/generated_check.rs"]
        native = next(text for path, text in outputs.items() if path.endswith("/Native.cs"))
        assert f'EntryPoint = "{one.name}"' in native


def test_meta_files_have_guids_unlike_each_other(idl: Idl) -> None:
    metas = [text for path, text in rpc_compiler.outputs(idl).items() if path.endswith(".meta")]
    guids = {text.splitlines()[1] for text in metas}
    assert len(guids) == len(metas) > 0
