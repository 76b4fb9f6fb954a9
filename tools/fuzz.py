"""Fuzzing the core: builds core/fuzz, runs its targets for a while, and keeps what is worth keeping.

Coverage guides the inputs where libFuzzer builds: on Linux and macOS with a C++ compiler, by the same
stable Rust that builds the product. Elsewhere inputs are changed at random. Inputs gather below
`build/fuzz`, so that each run goes on where the last one ended; `--keep` puts the best into
`core/fuzz/corpus`, which `cargo test` runs.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tools import native, process
from tools.console import Stop, say

CORPUS = native.CORE / "fuzz" / "corpus"
WORK = process.ROOT / "build" / "fuzz"
BUDGET = 15_000
"""Characters that one target's file in the corpus may have; all of them stay below 200 kB."""
MOST = {"engine": 120, "abi": 100}
"""Inputs that a target's file may have where each takes milliseconds, as `cargo test` runs them all."""
USAGE = "fuzz [--seconds N] [--runs N] [--keep] [TARGET...]"

_COVERAGE = (
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
)
"""What makes rustc report to libFuzzer branches. No sanitizer: our crates in reach are safe Rust."""
_NUMBERS = {"--seconds": 86_400, "--runs": 1_000_000_000}
"""Options with a number, and the largest of each."""
_STUCK = 20  # seconds one input may take
_MEMORY = 2048  # MiB


@dataclass(frozen=True)
class Options:
    """What a run is to do."""

    seconds: int = 10
    """For each target."""
    runs: int = 0
    """For each target, whatever it takes up to a day; 0: as many as go into the seconds."""
    keep: bool = False
    targets: tuple[str, ...] = ()
    """None: all."""


@dataclass(frozen=True)
class Programs:
    """The two binaries of core/fuzz."""

    plain: Path
    guided: Path | None
    """None where libFuzzer does not build."""


def main(arguments: Sequence[str]) -> None:
    """Run the targets named in `arguments`, or all. Raises `Stop` if one of them finds something."""
    options = parse(arguments)
    programs = build()
    code, output = process.capture([programs.plain, "list"])
    if code != 0:
        raise Stop(f"{programs.plain} list fails: {output.strip()}")
    lengths = {name: int(length) for name, length in map(str.split, output.splitlines())}
    unknown = [name for name in options.targets if name not in lengths]
    if unknown:
        raise Stop(f"no target {', '.join(unknown)}: there is {', '.join(lengths)}", code=2)
    found = [name for name in options.targets or lengths if not _run(programs, name, lengths[name], options)]
    if found:
        raise Stop(f"{', '.join(found)}: an input breaks a promise, see above")


def parse(arguments: Sequence[str]) -> Options:
    """Read the command line. Raises `Stop` with code 2 for what is not one."""
    options, words = Options(), list(arguments)
    while words:
        word = words.pop(0)
        if word == "--keep":
            options = replace(options, keep=True)
        elif word in _NUMBERS:
            number, most = words.pop(0) if words else "", _NUMBERS[word]
            if not number.isascii() or not number.isdigit() or not 0 < int(number) <= most:
                raise Stop(f"{word} takes a number from 1 to {most}, for each target: {USAGE}", code=2)
            value = int(number)
            options = replace(options, runs=value) if word == "--runs" else replace(options, seconds=value)
        elif word.startswith("-"):
            raise Stop(f"no option {word}: {USAGE}", code=2)
        else:
            options = replace(options, targets=(*options.targets, word))
    return options


def build() -> Programs:
    """Build both binaries, or the plain one where libFuzzer does not build, which is said in one line."""
    cargo = native.cargo()
    common = [cargo, "build", "--locked", "--profile", "fuzz", "-p", "cc-fuzz"]
    common += ["--target-dir", str(native.TARGET)]
    suffix = ".exe" if sys.platform == "win32" else ""
    plain = native.TARGET / "fuzz" / f"cc-fuzz{suffix}"
    _build([*common, "--bin", "cc-fuzz"], {})
    missing = _unguided()
    if missing:
        say(f"fuzz: without coverage, changing inputs at random: {missing}")
        return Programs(plain, None)
    host = _host(cargo)
    # With --target the flags reach the core and not the programs that build it.
    guided = [*common, "--bin", "cc-fuzz-guided", "--features", "libfuzzer", "--target", host]
    _build(guided, {"CARGO_ENCODED_RUSTFLAGS": "\x1f".join(_COVERAGE)})
    return Programs(plain, native.TARGET / host / "fuzz" / "cc-fuzz-guided")


def _unguided() -> str:
    """Why libFuzzer can't be used here; empty if it can."""
    if os.name != "posix":
        return "libFuzzer is used on Linux and macOS"
    if not any(shutil.which(name) for name in ("c++", "g++", "clang++")):
        return "libFuzzer needs a C++ compiler"
    return ""


def _build(command: process.Command, env: dict[str, str]) -> None:
    code, output = process.capture(command, cwd=native.CORE, env=env, timeout=1800)
    if code != 0:
        say("\n".join(output.splitlines()[-60:]))
        raise Stop("core/fuzz does not build")


def _host(cargo: str) -> str:
    _, output = process.capture([cargo, "-vV"], cwd=native.CORE)
    match = re.search(r"^host: (\S+)$", output, re.MULTILINE)
    if match is None:
        raise Stop("`cargo -vV` does not say which machine this is")
    return match[1]


def _run(programs: Programs, name: str, length: int, options: Options) -> bool:
    """Run one target, report it in a line, and say whether it held."""
    folder, finds = WORK / name, WORK / "found"
    for path in (folder, finds):
        path.mkdir(parents=True, exist_ok=True)
    _must([programs.plain, "inputs", name, folder])
    began, before = time.monotonic(), set(finds.iterdir())
    seconds = 86_400 if options.runs else options.seconds
    if programs.guided is None:
        command: list[str | Path] = [
            programs.plain,
            "random",
            name,
            str(seconds),
            str(time.time_ns() % 2**32),
            *([str(options.runs)] if options.runs else []),
        ]
        code, output = process.capture(command, cwd=finds, timeout=seconds + 120)
    else:
        limits = [f"-max_len={length}", f"-timeout={_STUCK}", f"-rss_limit_mb={_MEMORY}"]
        report = ["-print_final_stats=1", f"-artifact_prefix={finds}{os.sep}{name}-"]
        command = [programs.guided, folder, f"-max_total_time={seconds}", *limits, *report]
        if options.runs:
            command.append(f"-runs={options.runs}")
        env = {"CC_FUZZ_TARGET": name}
        code, output = process.capture(command, cwd=finds, env=env, timeout=seconds + 120)
    took = time.monotonic() - began
    if code != 0:
        told = [line for line in output.splitlines() if not re.match(r"#\d+\s|\s+\d+: ", line)]
        say("\n".join(told[-25:]))
        for path in sorted(set(finds.iterdir()) - before):
            again = "cd core && cargo run --profile fuzz -p cc-fuzz --bin cc-fuzz -- run"
            say(f"  FOUND {name}; again: {again} {name} {path}")
        return False
    say(f"  ok   {name:<12} {summary(output)} in {took:.0f} s")
    if options.keep and programs.guided is not None:
        _keep(programs.guided, name, length)
    return True


def summary(output: str) -> str:
    """The runs, and the coverage if it is told, from what either program printed."""
    runs = re.search(r"number_of_executed_units: (\d+)", output) or re.search(r"(\d+) runs", output)
    coverage = re.findall(r"cov: (\d+)", output)
    text = f"{int(runs[1]) if runs else 0:>12,} runs"
    return f"{text}, {coverage[-1]} branches" if coverage else text


def _keep(guided: Path, name: str, length: int) -> None:
    """Write the fewest inputs that reach the same branches into the corpus, as far as the budget goes."""
    merged = WORK / "merged" / name
    shutil.rmtree(merged, ignore_errors=True)
    merged.mkdir(parents=True)
    _must([guided, "-merge=1", f"-max_len={length}", merged, WORK / name], {"CC_FUZZ_TARGET": name})
    inputs = [path.read_bytes() for path in merged.iterdir()]
    lines = chosen(inputs, BUDGET, MOST.get(name, len(inputs)))
    CORPUS.mkdir(exist_ok=True)
    path = CORPUS / f"{name}.hex"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="ascii", newline="\n")
    say(f"       {name:<12} {len(lines)} of {len(inputs)} inputs kept, {path.stat().st_size} bytes")


def chosen(inputs: Iterable[bytes], budget: int, most: int) -> list[str]:
    """Lines of hexadecimal digits: at most `most` inputs of all lengths, the shortest within `budget`.

    `budget` counts characters. The empty input is left out: its line would be empty, and every target is run
    with it anyway.
    """
    lines: list[str] = []
    ordered = sorted({data for data in inputs if data}, key=lambda data: (len(data), data))
    for data in ordered[:: max(1, -(-len(ordered) // max(1, most)))]:
        budget -= 2 * len(data) + 1
        if budget < 0:
            break
        lines.append(data.hex())
    return sorted(lines)


def _must(command: process.Command, env: dict[str, str] | None = None) -> None:
    code, output = process.capture(command, env=env, timeout=600)
    if code != 0:
        say("\n".join(output.splitlines()[-25:]))
        raise Stop(f"{Path(command[0]).name} fails")
