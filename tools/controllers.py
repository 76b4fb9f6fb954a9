"""`python -m tools.controllers CSV`: the congestion controllers' runs as a table and plots.

CSV is what `cargo run -p cc-sim --example controllers` prints. The table goes into docs/congestion.md,
between its two marks; the plots, one SVG each, into docs/images.
"""

from __future__ import annotations

import csv
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from statistics import fmean

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "congestion.md"
IMAGES = ROOT / "docs" / "images"
BEGIN, END = "<!-- runs -->\n", "<!-- end of runs -->\n"
COLUMNS = {"profile", "controller", "load", "p50_ms", "p99_ms", "arrived", "kbit", "rival_kbit", "whole_s"}
NAMES = {"realtime": "Realtime", "cubic": "Cubic", "bbr": "BBR"}
COLOURS = {"realtime": "#2563eb", "cubic": "#d97706", "bbr": "#6b7280"}
WIDTH, LEFT, BAR, GAP, TOP = 720, 150, 13, 12, 46


class Bad(Exception):
    """A file that is not what the example prints."""


@dataclass(frozen=True)
class Runs:
    """Rows of one file, means over seeds taken when asked for."""

    rows: Sequence[dict[str, str]]

    @classmethod
    def read(cls, file: Path) -> Runs:
        """The runs of one file; `Bad` if it is none."""
        try:
            with file.open(newline="") as lines:
                rows = list(csv.DictReader(lines))
        except OSError as error:
            raise Bad(f"{file}: {error.strerror}") from error
        missing = COLUMNS - set(rows[0] if rows else ())
        if missing:
            raise Bad(f"{file}: has no column {', '.join(sorted(missing))}; is it what the example printed?")
        return cls(rows)

    def names(self, column: str, load: str) -> list[str]:
        """Values of a column, in the file's order."""
        return list(dict.fromkeys(row[column] for row in self.rows if row["load"] == load))

    def mean(
        self, profile: str, controller: str, load: str, value: Callable[[dict[str, str]], float]
    ) -> float:
        """The mean over a case's seeds."""
        key = (profile, controller, load)
        found = [value(row) for row in self.rows if (row["profile"], row["controller"], row["load"]) == key]
        if not found:
            raise Bad(f"no run of {controller} on {profile} under {load}")
        return fmean(found)


def wait(row: dict[str, str]) -> float:
    """Of the most important frames, p99, ms."""
    return float(row["p99_ms"])


def rate(row: dict[str, str]) -> float:
    """What the least important frames carried, kbit/s."""
    return float(row["kbit"])


def share(row: dict[str, str]) -> float:
    """The player's part of what both carried, percent."""
    own, other = float(row["kbit"]), float(row["rival_kbit"])
    return 100 * own / (own + other) if own + other else 0.0


def column(name: str) -> Callable[[dict[str, str]], float]:
    """Reads one column as a number."""
    return lambda row: float(row[name])


def shown(value: float) -> str:
    """A figure to two digits, or to whole ones."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def table(runs: Runs) -> str:
    """Markdown: a row a profile, a column a controller and measure."""
    controllers = runs.names("controller", "full")
    head = ["alone: p99, ms", "alone: kbit/s", "beside Cubic: p99, ms", "beside Cubic: share, %"]
    order = " / ".join(NAMES[one] for one in controllers)
    lines = [
        "| | " + " | ".join(f"{what}<br>{order}" for what in head) + " |",
        "|---|" + "---|" * len(head),
    ]
    for profile in runs.names("profile", "full"):
        cells = []
        for load, value in (("full", wait), ("full", rate), ("cubic", wait), ("cubic", share)):
            cells.append(" / ".join(shown(runs.mean(profile, one, load, value)) for one in controllers))
        lines.append(f"| {profile} | " + " | ".join(cells) + " |")
    joins = runs.names("profile", "join")
    if joins:
        lines += ["", "| 3 MiB at 200 ms | p50, ms | p99, ms | all there after, s |", "|---|---|---|---|"]
        for profile in joins:
            for one in runs.names("controller", "join"):
                read = [column(name) for name in ("p50_ms", "p99_ms", "whole_s")]
                cells = [shown(runs.mean(profile, one, "join", value)) for value in read]
                rate_of = profile.removeprefix("join-")
                lines.append(f"| {rate_of} Mbit/s, {NAMES[one]} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def plot(runs: Runs, title: str, load: str, value: Callable[[dict[str, str]], float], log: bool) -> str:
    """Bars, a group a profile; `log`: each tenfold is as long."""
    profiles, controllers = runs.names("profile", load), runs.names("controller", load)
    values = {(p, c): runs.mean(p, c, load, value) for p in profiles for c in controllers}
    most = max([*values.values(), 1.0])
    room = WIDTH - LEFT - 60

    def length(x: float) -> float:
        return room * (math.log10(max(x, 1)) / math.log10(most) if log else x / most)

    group = BAR * len(controllers) + GAP
    height = TOP + group * len(profiles)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
        f'font-size="11"><rect width="100%" height="100%" fill="white"/>'
        f'<text x="8" y="16" font-size="13">{escape(title)}</text>'
    ]
    for at, one in enumerate(controllers):
        x = LEFT + at * 90
        out.append(f'<rect x="{x}" y="25" width="10" height="10" fill="{COLOURS[one]}"/>')
        out.append(f'<text x="{x + 14}" y="34">{NAMES[one]}</text>')
    for row, profile in enumerate(profiles):
        y = TOP + row * group
        out.append(f'<text x="8" y="{y + group / 2}">{escape(profile)}</text>')
        for at, one in enumerate(controllers):
            long, top = length(values[profile, one]), y + at * BAR
            out.append(
                f'<rect x="{LEFT}" y="{top}" width="{long:.1f}" height="{BAR - 2}" fill="{COLOURS[one]}"/>'
            )
            out.append(
                f'<text x="{LEFT + long + 4:.1f}" y="{top + BAR - 3}">{shown(values[profile, one])}</text>'
            )
    return "\n".join([*out, "</svg>", ""])


def write(runs: Runs) -> None:
    """The table into its page, the plots beside it."""
    page = PAGE.read_text()
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise Bad(f"{PAGE}: lacks its marks {BEGIN.strip()} and {END.strip()}")
    plots = {
        "wait": (
            "Alone on a full line: p99 of the most important frames, ms (logarithmic)",
            "full",
            wait,
            True,
        ),
        "rate": ("Alone on a full line: what the others carried, kbit/s (logarithmic)", "full", rate, True),
        "share": (
            "Beside a Cubic flow that fills the same line: share of what both carried, %",
            "cubic",
            share,
            False,
        ),
    }
    for name, (title, load, value, log) in plots.items():
        (IMAGES / f"controllers-{name}.svg").write_text(plot(runs, title, load, value, log))
    PAGE.write_text(before + begin + table(runs) + end + after)


def main(arguments: Sequence[str]) -> int:
    """The command."""
    if len(arguments) != 1:
        print("python -m tools.controllers CSV", file=sys.stderr)
        return 2
    try:
        write(Runs.read(Path(arguments[0])))
    except Bad as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
