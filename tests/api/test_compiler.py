"""The compiler's checks: each mistake in the IDL has its code and its place."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from api import rpc_compiler

IDL: Any = json.loads((rpc_compiler.ROOT / rpc_compiler.SOURCE).read_text("utf-8"))
Change = Callable[[Any], object]


def structs(idl: Any, name: str) -> Any:
    return next(one for one in idl["abi"]["structs"] if one["name"] == name)


def dto(idl: Any, name: str) -> Any:
    return next(one for one in idl["dtos"] if one["name"] == name)


def add_field(idl: Any, struct: str, at: int, **field: str) -> None:
    structs(idl, struct)["fields"].insert(at, {"doc": "More.", **field})


CASES: dict[str, tuple[str, str, Change]] = {
    "an unknown key": ("CC003", "methods[0].verb", lambda idl: idl["methods"][0].update(verb="GET")),
    "a missing key": ("CC003", "abi.structs[0]", lambda idl: idl["abi"]["structs"][0].pop("size")),
    "a wrong JSON type": ("CC003", "methods[0].id", lambda idl: idl["methods"][0].update(id="1")),
    "a truth value for a number": ("CC003", "methods[0].id", lambda idl: idl["methods"][0].update(id=True)),
    "a section that is no list": ("CC003", "$.dtos", lambda idl: idl.update(dtos={})),
    "a bad name": ("CC010", "dtos[0].name", lambda idl: idl["dtos"][0].update(name="empty")),
    "a reserved name": (
        "CC010",
        "dtos[1].fields[0].name",
        lambda idl: idl["dtos"][1]["fields"][0].update(name="class"),
    ),
    "a name twice": ("CC011", "dtos[1].name", lambda idl: idl["dtos"][1].update(name="Empty")),
    "a value twice": (
        "CC012",
        "abi.enums[0].members[1].value",
        lambda idl: idl["abi"]["enums"][0]["members"][1].update(value=0),
    ),
    "a method id twice": ("CC012", "methods[1].id", lambda idl: idl["methods"][1].update(id=1)),
    "a retired id again": ("CC013", "methods[0].id", lambda idl: idl["retired_methods"].append(1)),
    "no doc": ("CC020", "methods[0]", lambda idl: idl["methods"][0].pop("doc")),
    "an empty doc": ("CC020", "methods[0].doc", lambda idl: idl["methods"][0].update(doc=" ")),
    "no unit": (
        "CC021",
        "dtos[2].fields[4].unit",
        lambda idl: dto(idl, "Health")["fields"][4].pop("unit"),
    ),
    "a time without a unit": (
        "CC021",
        "dtos[2].fields[4].unit",
        lambda idl: dto(idl, "Health")["fields"][4].update(name="uptime", unit=""),
    ),
    "a time among arguments without its unit": (
        "CC021",
        "abi.functions[10].args[2]",
        lambda idl: idl["abi"]["functions"][10]["args"][2].__setitem__(0, "timeout"),
    ),
    "a unit that is not the name's": (
        "CC022",
        "dtos[2].fields[4].unit",
        lambda idl: dto(idl, "Health")["fields"][4].update(unit="us"),
    ),
    "an unknown type in a DTO": (
        "CC030",
        "dtos[2].fields[0].type",
        lambda idl: dto(idl, "Health")["fields"][1].update(type="text") or idl["dtos"][2]["fields"].pop(0),
    ),
    "an unknown type in a struct": (
        "CC030",
        "abi.structs[1].fields[1].type",
        lambda idl: structs(idl, "CcVersion")["fields"][1].update(type="f32"),
    ),
    "a type that is none": (
        "CC030",
        "abi.structs[1].fields[1].type",
        lambda idl: structs(idl, "CcVersion")["fields"][1].update(type="const u32"),
    ),
    "a struct by value": (
        "CC030",
        "abi.functions[0].args[0]",
        lambda idl: idl["abi"]["functions"][0]["args"][0].__setitem__(1, "CcVersion"),
    ),
    "an enum of another type": (
        "CC030",
        "abi.structs[1].fields[1].enum",
        lambda idl: structs(idl, "CcVersion")["fields"][1].update(enum="CcFate"),
    ),
    "hidden padding inside": (
        "CC031",
        "abi.structs[1].fields[2]",
        lambda idl: add_field(idl, "CcVersion", 1, name="small", type="u8"),
    ),
    "hidden padding at the end": (
        "CC031",
        "abi.structs[1]",
        lambda idl: add_field(idl, "CcVersion", 5, name="more", type="u32"),
    ),
    "another size": ("CC032", "abi.structs[1].size", lambda idl: structs(idl, "CcVersion").update(size=40)),
    "no size field": (
        "CC033",
        "abi.structs[1]",
        lambda idl: structs(idl, "CcVersion")["fields"][0].update(name="bytes"),
    ),
    "an argument behind an out-parameter": (
        "CC034",
        "abi.functions[4].args[1]",
        lambda idl: (
            idl["abi"]["functions"][3]["args"].reverse()
            or idl["abi"]["functions"][4]["args"].insert(0, ["x", "u64*"])
        ),
    ),
    "a DTO that holds itself": (
        "CC035",
        "dtos[2]",
        lambda idl: dto(idl, "Health")["fields"].append({"name": "inner", "type": "Health", "doc": "More."}),
    ),
    "a method without a DTO": ("CC040", "methods[0].reply", lambda idl: idl["methods"][0].pop("reply")),
    "a method with an unknown DTO": (
        "CC040",
        "methods[0].reply",
        lambda idl: idl["methods"][0].update(reply="Nope"),
    ),
    "a route twice": (
        "CC041",
        "methods[1].http",
        lambda idl: idl["methods"][1].update(http="GET /v1/health"),
    ),
    "a route's field that is none": (
        "CC041",
        "methods[2].http",
        lambda idl: idl["methods"][2].update(http="GET /v1/rooms/{name}"),
    ),
    "an unknown authorisation": (
        "CC042",
        "methods[0].auth",
        lambda idl: idl["methods"][0].update(auth="maybe"),
    ),
    "another envelope": ("CC043", "rpc.fields", lambda idl: idl["rpc"]["fields"].reverse()),
    "a value too large": ("CC050", "constants[2].value", lambda idl: idl["constants"][2].update(value=65536)),
    "a flag of two bits": (
        "CC050",
        "abi.enums[6].members[1].value",
        lambda idl: idl["abi"]["enums"][6]["members"][1].update(value=3),
    ),
    "a property of the wrong parity": (
        "CC060",
        "properties[0].id",
        lambda idl: idl["properties"][0].update(id=14340),
    ),
    "a grease property": (
        "CC060",
        "properties[0].id",
        lambda idl: idl["properties"][0].update(id=0x39AA + 0x7F),
    ),
    "an unknown property": (
        "CC061",
        "modalities[0].track_properties[0]",
        lambda idl: idl["modalities"][0]["track_properties"].__setitem__(0, "LOC_TIMESTAMP"),
    ),
    "another number for a kind": (
        "CC061",
        "abi.enums[10].members[0]",
        lambda idl: idl["modalities"][0]["kinds"][0].update(value=9),
    ),
    "a wrong hash": (
        "CC062",
        "capabilities[0].hash",
        lambda idl: idl["capabilities"][0].update(tag="netcode.v2"),
    ),
}


def compile_idl(idl: object, tmp_path: Path, *more: str) -> int:
    source = tmp_path / "idl.json"
    source.write_text(idl if isinstance(idl, str) else json.dumps(idl), "utf-8")
    return rpc_compiler.main(["--idl", str(source), "--root", str(tmp_path / "out"), *more])


@pytest.mark.parametrize("name", CASES)
def test_a_mistake_has_its_code_and_place(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, path, change = CASES[name]
    idl = copy.deepcopy(IDL)
    change(idl)
    assert compile_idl(idl, tmp_path) == 1
    lines = capsys.readouterr().err.splitlines()
    assert any(line.startswith(f"{code} {path}: ") for line in lines), lines
    assert not (tmp_path / "out").exists()


def test_all_mistakes_are_reported_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    idl = copy.deepcopy(IDL)
    idl["methods"][0]["auth"] = "maybe"
    idl["methods"][1]["id"] = 1
    idl["constants"][2]["value"] = 65536
    assert compile_idl(idl, tmp_path) == 1
    codes = [line.split()[0] for line in capsys.readouterr().err.splitlines()]
    assert codes == ["CC050", "CC012", "CC042"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("{", "CC001 idl.json: is not JSON"),
        ('{"name": 1, "name": 2}', "CC002 name: "),
        ("[]", "CC003 $: must be an object"),
    ],
)
def test_what_is_no_idl_is_refused(
    text: str, line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compile_idl(text, tmp_path) == 1
    assert any(one.startswith(line) for one in capsys.readouterr().err.splitlines())


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rpc_compiler.main(["--idl", str(tmp_path / "none.json")]) == 1
    assert capsys.readouterr().err.startswith("CC001 none.json: cannot be read")


def test_wrong_arguments_exit_with_2() -> None:
    with pytest.raises(SystemExit) as caught:
        rpc_compiler.main(["--nope"])
    assert caught.value.code == 2


def test_check_names_what_differs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compile_idl(IDL, tmp_path) == 0
    assert compile_idl(IDL, tmp_path, "--check") == 0
    capsys.readouterr()
    changed = tmp_path / "out" / "docs/reference/abi.md"
    changed.write_text(changed.read_text("utf-8") + "more\n", "utf-8")
    (tmp_path / "out" / "api/generated/clutchcall.ts").unlink()
    assert compile_idl(IDL, tmp_path, "--check") == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[0] for line in lines] == ["api/generated/clutchcall.ts", "docs/reference/abi.md"]


def test_only_what_differs_is_written_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compile_idl(IDL, tmp_path) == 0
    capsys.readouterr()
    idl = copy.deepcopy(IDL)
    idl["capabilities"][0]["doc"] = "Other words."
    assert compile_idl(idl, tmp_path) == 0
    written = capsys.readouterr().out.split()
    assert "transport/_generated/constants.py" in written
    assert "api/vectors/dtos.json" not in written


def test_bytes_and_maps_of_dtos_come_out_too(tmp_path: Path) -> None:
    """Types of the grammar that no DTO of the control stack uses at present."""
    idl = copy.deepcopy(IDL)
    fields = [
        {"name": "data", "type": "bytes", "doc": "Raw."},
        {"name": "more", "type": "list<bytes>?", "doc": "Raw."},
        {"name": "by_name", "type": "map<Room>", "doc": "Rooms."},
        {"name": "on", "type": "bool?", "doc": "A flag."},
        {"name": "ratio", "type": "list<float>", "doc": "Numbers."},
    ]
    idl["dtos"].append({"name": "Blob", "doc": "Everything.", "fields": fields})
    assert compile_idl(idl, tmp_path) == 0
    cases = json.loads((tmp_path / "out/api/vectors/dtos.json").read_text("utf-8"))["dtos"]
    folder = tmp_path / "out" / "transport"
    module = load_package(folder)
    blobs = [case for case in cases if case["dto"] == "Blob"]
    assert len(blobs) == 3
    for case in blobs:
        made = module.dtos.Blob.from_wire(case["json"])
        assert module.wire.pack(made.to_wire()).hex() == case["msgpack"]
        assert module.dtos.Blob.from_wire(module.wire.unpack(bytes.fromhex(case["msgpack"]))) == made
        assert json.loads(module.wire.to_json(made.to_wire())) == case["json"]


def load_package(folder: Path) -> Any:
    """The generated package in a folder, under a name of its own."""
    import importlib.util
    import sys

    name = "clutchcall_generated_for_a_test"
    spec = importlib.util.spec_from_file_location(name, folder / "_generated/__init__.py")
    assert spec is not None and spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules[name] = package
    try:
        spec.loader.exec_module(package)
        for part in ("wire", "constants", "dtos"):
            importlib.import_module(f"{name}.{part}")
    finally:
        for key in [key for key in sys.modules if key.startswith(name)]:
            del sys.modules[key]
    return package
