"""What pip and cargo print becomes a few readable lines with sizes."""

from __future__ import annotations

import pytest

from tools.console import parse_size, size
from tools.native import BuildLog
from tools.venv import FetchLog


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("16.6 MB", 16.6e6),
        ("62 kB", 62e3),
        ("5.2MiB", 5.2 * 1024**2),
        ("7 bytes", 7),
        ("", 0),
        ("big", 0),
        ("3 XB", 0),
    ],
)
def test_sizes_are_read(text: str, count: float) -> None:
    assert parse_size(text) == pytest.approx(count)


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (16.6e6, "16.6 MB"), (2.5e9, "2.5 GB")]
)
def test_sizes_are_written(count: float, text: str) -> None:
    assert size(count) == text


def test_pip_gives_a_line_a_package_and_no_address() -> None:
    log = FetchLog()
    lines = [
        log.feed(line)
        for line in (
            "Looking in indexes: https://mirror.test/simple",
            "Collecting numpy==2.4.6 (from -r dev.lock (line 3))",
            "  Downloading numpy-2.4.6.whl.metadata (62 kB)",
            "  Downloading https://mirror.test/p/numpy-2.4.6-cp311-cp311-win_amd64.whl (16.6 MB)",
            "  Using cached msgpack-1.2.4-cp311-cp311-win_amd64.whl (400 kB)",
        )
    ]
    printed = [line.split() for line in lines if line]
    assert printed == [
        ["numpy", "2.4.6", "16.6", "MB"],
        ["msgpack", "1.2.4", "400.0", "kB", "from", "pip's", "cache"],
    ]
    assert log.count == 2
    assert log.fetched == pytest.approx(16.6e6)


def test_cargo_is_heard_every_few_seconds() -> None:
    log = BuildLog(100.0, {"libc-0.2.1": 800_000, "ring-0.17.14": 4_200_000}.__getitem__)
    assert log.feed("    Updating crates.io index", 100.0) is None
    assert log.feed("  Downloaded libc v0.2.1", 100.1) is None
    assert log.feed("  Downloaded ring v0.17.14", 105.5) == "     6 s: fetched 2 crates, ring"
    assert log.feed("   Compiling libc v0.2.1", 106.0) == "  fetched 2 crates, 5.0 MB"
    assert log.feed("   Compiling ring v0.17.14 (/x)", 111.0) == "    11 s: compiling crate 2, ring"
    assert log.feed("   Compiling rustls v0.23.1", 112.0) is None
    assert (log.compiled, log.fetched) == (3, 5_000_000.0)
