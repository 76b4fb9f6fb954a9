"""The golden vectors through the generated Python and the generated JavaScript module."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from transport._generated import constants, dtos, wire

ROOT = Path(__file__).resolve().parents[2]


def vectors(name: str) -> Any:
    return json.loads((ROOT / "api" / "vectors" / name).read_text("utf-8"))


DTOS = vectors("dtos.json")


def dto(name: str) -> type[dtos.Body]:
    kind: type[dtos.Body] = getattr(dtos, name)
    return kind


@pytest.mark.parametrize("case", DTOS["dtos"], ids=lambda case: case["dto"])
def test_dtos_are_written_and_read_as_in_the_vectors(case: dict[str, Any]) -> None:
    made = dto(case["dto"]).from_wire(case["json"])
    packed = wire.pack(made.to_wire())
    assert packed.hex() == case["msgpack"]
    assert dto(case["dto"]).from_wire(wire.unpack(packed)) == made
    assert json.loads(wire.to_json(made.to_wire())) == case["json"]
    assert wire.from_json(wire.to_json(made.to_wire())) == case["json"]


@pytest.mark.parametrize("case", DTOS["calls"], ids=lambda case: case["method"])
def test_calls_are_written_and_read_as_in_the_vectors(case: dict[str, Any]) -> None:
    method = dtos.METHODS[constants.MethodId(case["method"])]
    assert method.request.__name__ == case["dto"]
    body = method.request.from_wire(case["json"])
    call = dtos.Call(method.id, case["request"], body.to_wire())
    assert call.pack().hex() == case["msgpack"]
    back = dtos.Call.unpack(bytes.fromhex(case["msgpack"]))
    assert (back.method, back.request) == (case["method"], case["request"])
    assert method.request.from_wire(back.body) == body


@pytest.mark.parametrize("case", DTOS["refused"], ids=lambda case: case["why"])
def test_bad_bodies_are_refused_naming_the_path(case: dict[str, Any]) -> None:
    with pytest.raises(wire.WireError) as caught:
        dto(case["dto"]).from_wire(wire.unpack(bytes.fromhex(case["msgpack"])))
    assert caught.value.path == case["path"]


def test_a_body_cut_anywhere_is_refused() -> None:
    whole = bytes.fromhex(next(case["msgpack"] for case in DTOS["dtos"] if case["dto"] == "SessionInfo"))
    for length in range(len(whole)):
        with pytest.raises(wire.WireError):
            wire.unpack(whole[:length])


def test_every_single_byte_is_read_or_refused() -> None:
    for code in range(256):
        for tail in (b"", b"\x00" * 16, b"\xff" * 16):
            try:
                wire.unpack(bytes([code]) + tail)
            except wire.WireError:
                continue


@pytest.mark.parametrize(
    "data",
    [
        "93010100",
        "9401010000c0",
        "94020100c0",
        "9401cd1000c0c0c0",
        "94017000",
        "9401ce00010000 00c0",
        "9401ffc0c0",
        "80",
    ],
)
def test_bad_envelopes_are_refused(data: str) -> None:
    with pytest.raises(wire.WireError):
        dtos.Call.unpack(bytes.fromhex(data))


def test_values_of_another_type_are_not_written() -> None:
    bad: Any = 5
    with pytest.raises(wire.WireError, match=r"\$\.room: must be a string, is an integer"):
        dtos.RoomQuery(room=bad).to_wire()
    with pytest.raises(wire.WireError, match=r"\$\.rooms\[0\]: must be a DTO"):
        dtos.RoomList(rooms=(bad,)).to_wire()
    with pytest.raises(wire.WireError, match=r"2\^53"):
        dtos.TokenRefreshReply(expires_ms=1 << 53, publish=(), subscribe=(), capabilities=()).to_wire()


def test_unknown_keys_are_ignored_and_optional_ones_may_be_nil() -> None:
    kick = dtos.Kick.from_wire({"peer_id": "c7", "reason": None, "later": [1]})
    assert kick == dtos.Kick(peer_id="c7")
    assert kick.to_wire() == {"peer_id": "c7"}


def test_capability_hashes() -> None:
    for case in vectors("capability.json")["tags"]:
        value = 0xCBF29CE484222325
        for byte in case["tag"].encode():
            value = ((value ^ byte) * 0x100000001B3) % (1 << 64)
        assert case["hash"] == value % (1 << 53)
    # FNV's own published value of "foobar" is 85944171f73967e8.
    foobar = next(case["hash"] for case in vectors("capability.json")["tags"] if case["tag"] == "foobar")
    assert foobar == 0x85944171F73967E8 & ((1 << 53) - 1)
    assert constants.CAPABILITY_HASH_NETCODE_V1 == 3492327798864020


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """A vi64, read bit by bit as the draft's table of forms says."""
    more = next((bit for bit in range(8) if not data[at] & (0x80 >> bit)), 8)
    first = data[at] & (0x7F >> more) if more < 8 else 0
    return int.from_bytes(bytes([first]) + data[at + 1 : at + 1 + more]), at + 1 + more


def test_varints_of_the_vectors() -> None:
    for case in vectors("modalities.json")["varints"]:
        data = bytes.fromhex(case["hex"])
        assert read_varint(data, 0) == (int(case["value"]), len(data))


@pytest.mark.parametrize("case", vectors("modalities.json")["kinds"], ids=lambda case: case["kind"])
def test_properties_of_the_vectors(case: dict[str, Any]) -> None:
    assert getattr(constants, f"KIND_{case['kind']}") == case["number"]
    ids = {
        getattr(constants, f"PROPERTY_{name}"): name
        for part in ("track", "object")
        for name in case[part]["values"]
    }
    for part in ("track", "object"):
        data, at, kind = bytes.fromhex(case[part]["hex"]), 0, 0
        found: dict[str, int | str] = {}
        while at < len(data):
            delta, at = read_varint(data, at)
            kind += delta
            value, at = read_varint(data, at)
            if kind % 2:
                found[ids[kind]] = data[at : at + value].hex()
                at += value
            else:
                found[ids[kind]] = value
        assert found == case[part]["values"]


@pytest.mark.parametrize("case", vectors("modalities.json")["fragments"], ids=str)
def test_fragments_of_the_vectors(case: dict[str, Any]) -> None:
    sizes = case["fragments"]
    room = constants.FRAGMENT_BYTES
    if sizes is None:
        whole = case["payload"] + case["properties"]
        assert case["properties"] > room or whole > room * constants.MAX_FRAGMENTS
        return
    assert sum(sizes) == case["payload"]
    assert 1 <= len(sizes) <= constants.MAX_FRAGMENTS
    used = [size + (case["properties"] if at == 0 else 0) for at, size in enumerate(sizes)]
    assert all(one <= room for one in used)
    assert all(one == room for one in used[:-1])


def test_the_javascript_module_agrees() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    script = Path(__file__).with_name("vectors.test.mjs")
    done = subprocess.run(
        [node, "--test", str(script)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
