"""The workbench's side of fuzzing: arguments, what is kept, what is reported."""

from __future__ import annotations

import re

import pytest

from tools import fuzz
from tools.console import Stop
from tools.process import ROOT


def test_arguments_in_any_order() -> None:
    assert fuzz.parse([]) == fuzz.Options()
    given = fuzz.parse(["a", "--keep", "b", "--seconds", "7"])
    assert given == fuzz.Options(seconds=7, keep=True, targets=("a", "b"))
    assert fuzz.parse(["--runs", "1000000", "a"]) == fuzz.Options(runs=1_000_000, targets=("a",))


@pytest.mark.parametrize(
    "words", [["--seconds"], ["--seconds", "0"], ["--seconds", "x"], ["--runs", "-1"], ["--fast"]]
)
def test_wrong_arguments_are_code_2(words: list[str]) -> None:
    with pytest.raises(Stop) as stop:
        fuzz.parse(words)
    assert stop.value.code == 2


def test_the_shortest_inputs_are_kept_within_the_budget() -> None:
    inputs = [b"\x02\x03", b"\x01", b"", b"\xff" * 100, b"\x01"]
    assert fuzz.chosen(inputs, 8, 9) == ["01", "0203"]
    assert fuzz.chosen(inputs, 7, 9) == ["01"]
    assert fuzz.chosen(inputs, 999, 2) == ["01", "ff" * 100]


def test_either_program_s_report_is_read() -> None:
    guided = "#2 INITED cov: 5 ft: 6\n#9 DONE cov: 17 ft: 30\nstat::number_of_executed_units: 1234567\n"
    assert fuzz.summary(guided).split() == ["1,234,567", "runs,", "17", "branches"]
    assert fuzz.summary("names 42 runs in 1.0 s\n").split() == ["42", "runs"]


def test_the_corpus_is_lines_of_hex_below_its_bound() -> None:
    files = sorted((ROOT / "core" / "fuzz" / "corpus").iterdir())
    assert files
    assert all(
        re.fullmatch(r"([0-9a-f]{2})+", line) for file in files for line in file.read_text().splitlines()
    )
    assert sum(file.stat().st_size for file in files) < 200_000
