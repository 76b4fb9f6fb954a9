"""Properties as bytes: the draft's own examples, the shared vectors, and bytes that are none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import transport
from transport._generated import constants
from transport._properties import get_varint, put_varint

VECTORS = Path(__file__).parents[2] / "api/vectors"
EXAMPLES = [
    ("25", 37),
    ("8025", 37),
    ("bbbd", 15_293),
    ("ed7f3e7d", 226_442_877),
    ("faa1a0e403d8", 2_893_212_287_960),
    ("fc8998abc66bc0", 151_288_809_941_952),
    ("fefa318fa8e3ca11", 70_423_237_261_249_041),
    ("ffffffffffffffffff", 18_446_744_073_709_551_615),
]
integers = st.integers(0, (1 << 64) - 1)
even = st.integers(0, 1 << 62).map(lambda key: key * 2)
mappings = st.dictionaries(even, integers, max_size=8).flatmap(
    lambda ints: st.dictionaries(even.map(lambda key: key + 1), st.binary(max_size=300), max_size=8).map(
        lambda texts: {**ints, **texts}
    )
)


@pytest.mark.parametrize(("encoded", "value"), EXAMPLES)
def test_the_drafts_examples_are_read(encoded: str, value: int) -> None:
    data = bytes.fromhex(encoded)
    assert get_varint(data, 0) == (value, len(data))


@given(integers)
def test_a_number_comes_back_from_its_shortest_form(value: int) -> None:
    out = bytearray()
    put_varint(out, value)
    assert get_varint(bytes(out), 0) == (value, len(out))
    assert len(out) == 9 or value < 1 << (7 * len(out))
    assert len(out) in (1, 9) or value >= 1 << (7 * (len(out) - 1))


@given(mappings)
def test_a_mapping_comes_back(properties: dict[int, int | bytes]) -> None:
    assert transport.decode_properties(transport.encode_properties(properties)) == properties


@given(st.binary(max_size=64))
def test_any_bytes_are_read_or_refused_by_a_typed_error(data: bytes) -> None:
    try:
        found = transport.decode_properties(data)
    except transport.BadArgument:
        return
    assert transport.decode_properties(transport.encode_properties(found)) == found


@pytest.mark.parametrize(
    ("properties", "words"),
    [
        ({0x3810: b"text"}, "even"),
        ({0x3811: 5}, "odd"),
        ({0x3810: -1}, "outside"),
        ({0x3810: 1 << 64}, "outside"),
        ({-2: 1}, "outside"),
        ({0x3811: bytes(65_536)}, "65536 bytes"),
    ],
)
def test_what_a_type_cannot_carry_is_refused(properties: dict[int, int | bytes], words: str) -> None:
    with pytest.raises(transport.BadArgument, match=words):
        transport.encode_properties(properties)


@pytest.mark.parametrize("kind", json.loads((VECTORS / "modalities.json").read_text("utf-8"))["kinds"])
def test_the_shared_vectors_hold_both_ways(kind: dict[str, dict[str, object]]) -> None:
    for what in ("track", "object"):
        listed, encoded = kind[what]["values"], kind[what]["hex"]
        assert isinstance(listed, dict)
        assert isinstance(encoded, str)
        values: dict[int, int | bytes] = {}
        for name, value in listed.items():
            key = getattr(constants, f"PROPERTY_{name}")
            values[key] = value if isinstance(value, int) else bytes.fromhex(value)
        assert transport.encode_properties(values).hex() == encoded
        assert transport.decode_properties(bytes.fromhex(encoded)) == values
