"""What came out of benchmarks: printed, kept in pytest-benchmark's form, compared, and made a page of."""

from __future__ import annotations

import json
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from harness._bench_case import FLOOR, BenchError, Case, Result
from harness._bench_reach import short_number
from harness.record import Meta, Recorder, machine, versions

_STATS: Final = ("min", "max", "mean", "stddev", "median", "iqr", "q1", "q3")
_FORM: Final = "5.2.0"
"""The version of pytest-benchmark whose form is written."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An earlier run's results."""

    path: Path
    medians: Mapping[str, float]
    """By `case[subject]`, in the case's unit."""


def describe() -> str:
    """The machine, in a line."""
    found = machine()
    load = f", load {found['load before']}" if "load before" in found else ""
    return f"{found['processor']}, {found['cores']} cores{load}, {found['system']}"


def table(result: Result, before: Stored | None) -> str:
    """One case's figures, a line a subject."""
    case = result.case
    lines = [f"\n{case.name}: {case.about}, {case.unit}"]
    floor = result.values.get(FLOOR)
    heads = ("", "turns", "min", "p50", "p99", "max", "x floor", "last p50", "change")
    rows: list[Sequence[str]] = [heads]
    for name, values in result.values.items():
        p0, p50, p99, p100 = (float(np.quantile(values, share)) for share in (0, 0.5, 0.99, 1))
        times = f"{p50 / float(np.median(floor)):.2f}" if floor and name != FLOOR else ""
        old = None if before is None else before.medians.get(f"{case.name}[{name}]")
        change = [short_number(old), f"{p50 / old - 1:+.0%}"] if old else ["", ""]
        rows.append((name, str(len(values)), *map(short_number, (p0, p50, p99, p100)), times, *change))
    widths = [max(len(row[at]) for row in rows) for at in range(len(heads))]
    for row in rows:
        cells = [row[0].ljust(widths[0])] + [
            cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)
        ]
        lines.append("  " + "  ".join(cells).rstrip())
    if floor:
        for name, values in result.values.items():
            if name == FLOOR or case.group != "latency":
                continue
            added = [float(np.quantile(values, share) - np.quantile(floor, share)) for share in (0.5, 0.99)]
            lines.append(
                f"  {name}: added to the floor p50 {short_number(added[0])}, p99 {short_number(added[1])}"
            )
    for name, count in result.empty.items():
        lines.append(f"  {name}: {count} turns measured nothing (lost, or the machine was too slow)")
    lines += [f"  {name} has no further turns: {text}" for name, text in result.failed.items()]
    return "\n".join(lines)


def save(storage: Path, results: Sequence[Result]) -> Path:
    """Keep results where pytest-benchmark would; the file."""
    folder = storage / _machine_id()
    told_commit = commit()
    numbers = [int(match[1]) for path in _kept(folder) if (match := re.match(r"(\d+)_", path.name))]
    stamp = datetime.now(UTC).strftime("%Y%m%d_%H%M%S")
    dirty = "_uncommitted-changes" if told_commit["dirty"] else ""
    path = folder / f"{max(numbers, default=0) + 1:04}_{told_commit['id']}_{stamp}{dirty}.json"
    told = {
        "machine_info": {"node": "", "machine": platform.machine(), **machine(), **versions()},
        "commit_info": told_commit,
        "benchmarks": [
            _entry(result.case, name, values) for result in results for name, values in result.values.items()
        ],
        "datetime": datetime.now(UTC).isoformat(),
        "version": _FORM,
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(told, indent=1), "utf-8")
    except OSError as wrong:
        raise BenchError(f"--storage {storage}: cannot be written: {wrong.strerror or wrong}") from None
    return path


def last(storage: Path) -> Stored | None:
    """The newest kept results of a machine like this one. `BenchError` for a file that is none."""
    kept = _kept(storage / _machine_id())
    if not kept:
        return None
    path = kept[-1]
    try:
        told = json.loads(path.read_text("utf-8"))
        medians = {str(one["fullname"]): float(one["stats"]["median"]) * 1e6 for one in told["benchmarks"]}
    except (OSError, ValueError, KeyError, TypeError) as wrong:
        raise BenchError(f"{path}: no results of benchmarks ({wrong!r}): remove it", 2) from None
    return Stored(path, medians)


def report(folder: Path, results: Sequence[Result], command: Sequence[str]) -> None:
    """A recording and its page: percentiles a subject, medians as counts."""
    with Recorder(folder, Meta.here("bench", command=" ".join(command))) as recorder:
        for number, result in enumerate(results):
            for name, values in result.values.items():
                median = float(np.median(values))
                recorder.counts({f"{result.case.name}, {name}: p50 {result.case.unit}": median})
                if result.case.unit == "us":
                    recorder.latency(f"{result.case.name}, {name}", number, np.array(values) / 1e3)


def _entry(case: Case, name: str, values: Sequence[float]) -> dict[str, Any]:
    """As pytest-benchmark writes it: seconds, whatever they are of."""
    seconds = np.array(values) / 1e6
    q1, median, q3 = (float(one) for one in np.quantile(seconds, [0.25, 0.5, 0.75]))
    deviation = float(np.std(seconds, ddof=1)) if len(seconds) > 1 else 0.0
    found: dict[str, Any] = dict(
        zip(
            _STATS,
            (
                float(seconds.min()),
                float(seconds.max()),
                float(seconds.mean()),
                deviation,
                median,
                q3 - q1,
                q1,
                q3,
            ),
            strict=True,
        )
    )
    mean = found["mean"]
    found |= {
        "rounds": len(values),
        "iterations": 1,
        "ops": 1 / mean if mean else 0.0,
        "total": float(seconds.sum()),
        "iqr_outliers": 0,
        "stddev_outliers": 0,
        "outliers": "0;0",
        "ld15iqr": float(seconds.min()),
        "hd15iqr": float(seconds.max()),
    }
    return {
        "group": case.name,
        "name": f"{case.name}[{name}]",
        "fullname": f"{case.name}[{name}]",
        "params": {"subject": name},
        "param": name,
        "extra_info": {"unit": case.unit, "about": case.about, "p99": float(np.quantile(values, 0.99))},
        "options": {"timer": "perf_counter", "warmup": case.warm_up},
        "stats": found,
    }


def _kept(folder: Path) -> list[Path]:
    return sorted(folder.glob("[0-9]*_*.json"))


def _machine_id() -> str:
    version = ".".join(platform.python_version_tuple()[:2])
    bits = platform.architecture()[0]
    return f"{platform.system()}-{platform.python_implementation()}-{version}-{bits}"


def commit() -> dict[str, Any]:
    """What is checked out, as pytest-benchmark tells it."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], capture_output=True, text=True, check=False, timeout=30)
        return done.stdout.strip()

    try:
        return {
            "id": git("rev-parse", "HEAD") or "unversioned",
            "time": git("show", "-s", "--format=%cI", "HEAD") or None,
            "dirty": bool(git("status", "--porcelain")),
            "branch": git("rev-parse", "--abbrev-ref", "HEAD") or "(unknown)",
        }
    except (OSError, subprocess.TimeoutExpired):
        return {"id": "unversioned", "time": None, "dirty": False, "branch": "(unknown)"}
