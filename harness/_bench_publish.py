"""Results for others to read: `--publish DIR` keeps a JSON file, a page with tables, and pictures.

A case that is measured again replaces its last figures; the others stay, each with its machine, date and
commit. Of the page only what stands between two marks is written; the rest is people's.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from harness import _bench_plots as plots
from harness._bench_case import FLOOR, BenchError, Result
from harness._bench_reach import short_number, verdicts
from harness.record import machine

RESULTS: Final = "results.json"
PAGE: Final = "README.md"
BEGIN: Final = "<!-- written by harness.bench --publish: -->"
END: Final = "<!-- the end of what is written -->"
_FEW: Final = 20
"""Turns from which on there is a histogram."""

Entry = dict[str, Any]


def publish(
    folder: Path, results: Sequence[Result], commit: str, order: Sequence[str], awake: bool = False
) -> list[Path]:
    """Write everything; the files. `awake`: whether cores were kept from sleeping. `BenchError`."""
    entries = {**kept(folder), **{one.case.name: entry(one, commit, awake) for one in results}}
    # Cases that have gone are dropped.
    entries = {name: entries[name] for name in order if name in entries}
    page = folder / PAGE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / RESULTS).write_text(_json(entries), "utf-8")
        text = page.read_text("utf-8") if page.is_file() else f"# Results\n\n{BEGIN}\n{END}\n"
        if BEGIN not in text or END not in text:
            raise BenchError(f"--publish {folder}: {PAGE} has no `{BEGIN}` ... `{END}` to write between", 2)
        drawn = plots.draw(folder, entries)
        head, _, rest = text.partition(BEGIN)
        tail = rest.partition(END)[2]
        page.write_text(f"{head}{BEGIN}\n{tables(entries, drawn)}\n{END}{tail}", "utf-8")
    except OSError as wrong:
        raise BenchError(f"--publish {folder}: cannot be written: {wrong.strerror or wrong}") from None
    return [page, folder / RESULTS, *drawn.values()]


def entry(result: Result, commit: str, awake: bool = False) -> Entry:
    """A case's figures, as they are kept."""
    told = machine()
    subjects = {}
    for name, values in result.values.items():
        quantiles = {"min": 0.0, "p50": 0.5, "p99": 0.99, "max": 1.0}
        figures: Entry = {key: _round(float(np.quantile(values, at))) for key, at in quantiles.items()}
        figures |= {"turns": len(values), "empty": result.empty.get(name, 0)}
        if len(values) >= _FEW:
            figures["histogram"] = histogram(values)
        subjects[name] = figures
    return {
        "about": result.case.about,
        "unit": result.case.unit,
        "group": result.case.group,
        "axis": result.case.axis,
        "machine": f"{told['processor']}, {told['cores']} cores{' kept awake' * awake}, {told['system']}",
        "load": told.get("load before", ""),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit,
        "failed": result.failed,
        "nothing": {name: turns for name, turns in result.empty.items() if name not in result.values},
        "subjects": subjects,
        "reach": [
            {"what": one.what, "reach": one.reach, "measured": one.measured, "word": one.word}
            for one in verdicts(result)
        ],
    }


def histogram(values: Sequence[float]) -> list[list[int]]:
    """Pairs of a bucket's number and its count, for those that have any. By `plots.PER_DECADE`."""
    numbers = np.floor(np.log10(np.maximum(values, 1.0)) * plots.PER_DECADE).astype(int)
    return [
        [int(number), int(count)]
        for number, count in zip(*np.unique(numbers, return_counts=True), strict=True)
    ]


def tables(entries: Mapping[str, Entry], drawn: Mapping[str, Path]) -> str:
    """What the page says of the figures."""
    lines = ["", "| case | figure | reach | measured | |", "|---|---|---:|---:|---|"]
    for name, one in entries.items():
        for row in one["reach"]:
            lines.append(f"| `{name}` | {row['what']} | {row['reach']} | {row['measured']} | {row['word']} |")
    for title, path in drawn.items():
        lines += ["", f"![{title}]({path.name})"]
    for name, one in entries.items():
        lines += ["", f"### {name}", "", f"{one['about'][0].upper()}{one['about'][1:]}, {one['unit']}."]
        when = f"{one['date']}, {one['commit'][:10]}"
        lines += [f"{one['machine']}, load {one['load'] or '-'} at the end of the run; {when}."]
        lines += ["", "| | turns | min | p50 | p99 | max | x floor |", "|---|---:|---:|---:|---:|---:|---:|"]
        floor = one["subjects"].get(FLOOR)
        for subject, figures in one["subjects"].items():
            cells = [short_number(figures[key]) for key in ("min", "p50", "p99", "max")]
            times = f"{figures['p50'] / floor['p50']:.1f}" if floor and subject != FLOOR else ""
            lines.append(f"| {subject} | {figures['turns']} | {' | '.join(cells)} | {times} |")
        lines += [
            f"\n{name}: none of {turns} turns delivered half of what was due."
            for name, turns in one["nothing"].items()
        ]
        lines += [f"\n{name} gave up: {text}." for name, text in one["failed"].items()]
    return "\n".join(lines) + "\n"


def kept(folder: Path) -> dict[str, Entry]:
    """What a folder has of earlier runs, by case. `BenchError`."""
    path = folder / RESULTS
    if not path.is_file():
        return {}
    try:
        told = json.loads(path.read_text("utf-8"))
        if not all({"subjects", "reach", "unit", "failed", "nothing"} <= set(one) for one in told.values()):
            raise ValueError("a case lacks its figures")
    except (OSError, ValueError, TypeError, AttributeError) as wrong:
        raise BenchError(f"{path}: no results of benchmarks ({wrong}): remove it", 2) from None
    return dict(told)


def _json(entries: Mapping[str, Entry]) -> str:
    """A line a case and a subject: what changed is seen."""
    cases = []
    for name, one in entries.items():
        rest = {key: value for key, value in one.items() if key != "subjects"}
        subjects = ",\n".join(
            f"   {json.dumps(key)}: {json.dumps(value)}" for key, value in one["subjects"].items()
        )
        cases.append(f' {json.dumps(name)}: {{{json.dumps(rest)[1:-1]},\n  "subjects": {{\n{subjects}}}}}')
    return "{\n" + ",\n".join(cases) + "\n}\n"


def _round(value: float) -> float:
    """Five digits."""
    return round(value, 4 - math.floor(math.log10(abs(value)))) if value else 0.0
