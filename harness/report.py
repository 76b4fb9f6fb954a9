"""One self-contained page for a recording, or for two beside each other.

`python -m harness.report RUN [OTHER] [-o FILE]`: each a recording.json, the recording.jsonl of a run that was
killed, or the folder that holds one. Without -o the page goes to report.html, or comparison.html, beside RUN.
Exit codes: 0 done, 1 not written, 2 wrong arguments. The page loads nothing from anywhere.
"""

from __future__ import annotations

import argparse
import html
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

from harness._pages import cards, checks_table, drops_table, latency_table, run_table, verdict
from harness.record import RecordError, Recording, load

_HERE: Final = Path(__file__).parent
_POINTS: Final = 500
"""Buckets that a longer time line is drawn in, each by its least and its greatest value."""


class Chart(NamedTuple):
    """A chart of the time lines."""

    title: str
    unit: str
    says: str


CHARTS: Final[Mapping[str, Chart]] = {
    "players": Chart("Players", "", "connected and playing"),
    "rtt": Chart("Round trip", "ms", "as the clients' links report it, beside what was injected"),
    "jitter": Chart("Jitter", "ms", "mean deviation of the round trip"),
    "loss": Chart("Loss", "%", "packets lost, as both ends see it, beside what was injected"),
    "starved": Chart("Starved", "%", "render ticks without a fresh snapshot"),
    "window": Chart("Congestion window", "KiB", "over the clients' links"),
    "estimate": Chart("Estimated rate", "kbit/s", "what the path is taken to carry"),
    "queue": Chart("Waiting to be sent", "KiB", "bytes queued before QUIC"),
    "bandwidth": Chart("Bandwidth a client", "kbit/s", "UDP payload, mean over those connected"),
    "drops": Chart("Drops by reason", "/s", "frames that were not delivered, all counted"),
    "tick": Chart("Tick time", "ms", "what a tick of the game took"),
    "speed": Chart("Speed", "x", "virtual seconds a real second"),
    "cpu": Chart("CPU", "%", "of one core"),
    "memory": Chart("Memory", "MiB", "resident, of the process"),
}
"""The charts that are known by name; others are drawn under their own name."""


def page(first: Recording, second: Recording | None = None) -> str:
    """The page."""
    runs = [first] if second is None else [first, second]
    names = [run.meta.name for run in runs]
    title = names[0] if len(runs) == 1 else f"{names[0]} A/B" if names[0] == names[1] else " / ".join(names)
    data = json.dumps([_data(run) for run in runs], separators=(",", ":"), allow_nan=False)
    catalogue = json.dumps({name: chart._asdict() for name, chart in CHARTS.items()})
    parts = {
        "TITLE": html.escape(title),
        "STYLE": (_HERE / "_report.css").read_text("utf-8"),
        "VERDICT": verdict(runs),
        "CARDS": cards(runs),
        "CHECKS": checks_table(runs),
        "SHAPE": "one" if second is None else "two",
        "LATENCY": latency_table(runs),
        "DROPS": drops_table(runs),
        "RUN": run_table(runs),
        # No markup may end the script element early.
        "DATA": data.replace("<", "\\u003c"),
        "CHARTS": catalogue.replace("<", "\\u003c"),
        "SCRIPT": (_HERE / "_report.js").read_text("utf-8"),
    }
    text = (_HERE / "_report.html").read_text("utf-8")
    head, *rest = text.split("{{")
    made = [head]
    for piece in rest:
        name, _, after = piece.partition("}}")
        made += [parts[name], after]
    return "".join(made)


def _data(run: Recording) -> dict[str, Any]:
    """What the page's script draws."""
    return {
        "duration": run.duration,
        "latency": [
            {"kind": one.kind, "priority": one.priority, "curve": one.histogram.curve()}
            for one in run.latencies
            if one.histogram.count
        ],
        "lines": {chart: _lines(run, chart) for chart in _charts(run)},
        "events": [[event.at, event.kind, event.text] for event in run.events],
    }


def _charts(run: Recording) -> list[str]:
    """Those that have anything in them, the known ones first."""
    found = dict.fromkeys(chart for _, values in run.samples for chart, lines in values.items() if lines)
    return sorted(found, key=lambda name: list(CHARTS).index(name) if name in CHARTS else len(CHARTS))


def _lines(run: Recording, chart: str) -> dict[str, Any]:
    """A chart's columns: `t`, and each line's values, with holes as none."""
    rows = [(at, values[chart]) for at, values in run.samples if chart in values]
    names = list(dict.fromkeys(name for _, row in rows for name in row))
    times = [at for at, _ in rows]
    columns = {name: [row.get(name) for _, row in rows] for name in names}
    if len(rows) > 2 * _POINTS:
        times, columns = _thin(times, columns)
    return {"t": times, "lines": columns}


def _thin(
    times: list[float], columns: Mapping[str, list[float | None]]
) -> tuple[list[float], dict[str, list[float | None]]]:
    """Two points a bucket, its least and its greatest value: no peak is lost."""
    bounds = [len(times) * number // _POINTS for number in range(_POINTS + 1)]
    buckets = list(pairwise(bounds))
    thin_times = [times[at] for begin, end in buckets for at in (begin, (begin + end) // 2)]

    def extremes(values: list[float | None]) -> Iterable[float | None]:
        for begin, end in buckets:
            there = [value for value in values[begin:end] if value is not None]
            yield from (min(there), max(there)) if there else (None, None)

    return thin_times, {name: list(extremes(values)) for name, values in columns.items()}


def main(arguments: Sequence[str] | None = None, say: Callable[[str], object] = print) -> int:
    """Write the page."""
    parser = argparse.ArgumentParser("python -m harness.report", description=__doc__, allow_abbrev=False)
    parser.add_argument("run", metavar="RUN", help="a recording, or its folder")
    parser.add_argument("other", metavar="OTHER", nargs="?", help="another, to compare with")
    parser.add_argument("-o", "--output", metavar="FILE", help="where the page goes")
    chosen = parser.parse_args(arguments)
    try:
        first = load(chosen.run)
        second = load(chosen.other) if chosen.other is not None else None
    except RecordError as wrong:
        print(f"report: {wrong}", file=sys.stderr)
        return 2
    place = Path(chosen.run)
    beside = place if place.is_dir() else place.parent
    name = "report.html" if second is None else "comparison.html"
    output = Path(chosen.output) if chosen.output else beside / name
    try:
        output.write_text(page(first, second), "utf-8")
    except OSError as wrong:
        print(f"report: {output}: cannot be written: {wrong.strerror or wrong}", file=sys.stderr)
        return 1
    say(str(output))
    return 0


if __name__ == "__main__":
    sys.exit(main())
