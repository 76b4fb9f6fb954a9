"""A build that is broken by one line is caught by the netcode tests, with a seed, and the line that they
print repeats it. Each takes a build of the core: run by `--cc-mutations`.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tools import native

ROOT = Path(__file__).parents[2]

NETCODE = "tests/harness/netcode"


@dataclass(frozen=True)
class Mutation:
    """One line, broken."""

    file: str
    line: str
    broken: str
    caught_by: str
    package: str = ""
    """The dependency that has the file; empty: the core itself."""


MUTATIONS = {
    "priorities are swapped": Mutation(
        "fanout/src/queue/mod.rs",
        "u16::from(subscriber) << 8 | u16::from(publisher)",
        "u16::from(subscriber) << 8 | u16::from(255 - publisher)",
        f"{NETCODE}/test_link.py::test_the_most_important_frames_at_twice_the_links_rate",
    ),
    "a retransmission is lost": Mutation(
        "src/connection/mod.rs",
        "                    self.streams.retransmit(frame);",
        "                    drop(frame);",
        f"{NETCODE}/test_match.py::test_10_minutes_at_5_percent_loss_and_50_ms_jitter",
        package="quinn-proto",
    ),
}
CHEAP = {"LTO": "off", "OPT_LEVEL": "1", "CODEGEN_UNITS": "16"}
"""The release profile's settings that cost the compiler most, and the core least."""


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where builds are made: what both need is compiled once."""
    return tmp_path_factory.mktemp("target")


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("what", MUTATIONS)
def test_a_build_broken_by_one_line_is_caught(
    what: str, tmp_path: Path, target: Path, request: pytest.FixtureRequest
) -> None:
    if not request.config.getoption("cc_mutations"):
        pytest.skip("builds the core anew: --cc-mutations runs it")
    mutation = MUTATIONS[what]
    library = _build(tmp_path, target, mutation)
    report = f"--cc-report={tmp_path / 'report'}"
    code, said = _pytest(library, mutation.caught_by, "--cc-seeds=2", "--cc-plain", report)
    assert code == 1, said
    again = re.search(r"seed \d+ at .*; again: pytest (.*)", said)
    assert again, said
    print(f"{what}: {again[0]}")
    code, said = _pytest(library, *shlex.split(again[1]), "--cc-plain", f"--cc-report={tmp_path / 'again'}")
    assert code == 1 and "1 failed" in said, said


def _build(folder: Path, target: Path, mutation: Mutation) -> Path:
    core = folder / "core"
    shutil.copytree(native.CORE, core, ignore=shutil.ignore_patterns("target", "corpus"))
    shutil.copytree(ROOT / "api", folder / "api")
    home = core
    if mutation.package:
        home = folder / mutation.package
        shutil.copytree(_source_of(mutation.package), home)
        with (core / "Cargo.toml").open("a", encoding="utf-8") as manifest:
            manifest.write(f'\n[patch.crates-io]\n{mutation.package} = {{ path = "../{home.name}" }}\n')
    source = (home / mutation.file).read_text("utf-8")
    assert source.count(mutation.line) == 1, f"{mutation.file} has no such line any more: {mutation.line}"
    (home / mutation.file).write_text(source.replace(mutation.line, mutation.broken), "utf-8")
    command = [native.cargo(), "build", "--release", "--offline", "-q", "-p", "cc-harness"]
    environment = {f"CARGO_PROFILE_RELEASE_{name}": value for name, value in CHEAP.items()}
    subprocess.run(
        [*command, "--target-dir", str(target)],
        cwd=core,
        env={**os.environ, **environment},
        check=True,
        timeout=6000,
    )
    name = native.library().name.replace("clutchcall_core_ffi", "clutchcall_harness")
    library = folder / name
    shutil.copy2(target / "release" / name, library)
    return library


def _source_of(package: str) -> Path:
    """Where cargo keeps the source of a dependency."""
    command = [native.cargo(), "metadata", "--format-version", "1", "--offline", "--locked"]
    told = json.loads(subprocess.run(command, cwd=native.CORE, capture_output=True, check=True).stdout)
    (manifest,) = (one["manifest_path"] for one in told["packages"] if one["name"] == package)
    return Path(manifest).parent


def _pytest(library: Path, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=ROOT,
        env={**os.environ, "CLUTCHCALL_HARNESS": str(library)},
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr
