"""Pictures of published results, as SVG: bars to compare, lines for what grows, histograms of latency."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from harness._bench_case import FLOOR, OURS, BenchError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Entries = Mapping[str, Any]
"""Cases as `results.json` has them, by name."""

PER_DECADE: Final = 20
"""Buckets of a histogram: bucket n begins at 10^(n / PER_DECADE) us."""
_INK: Final = "#30363d"
_COLOURS: Final = {
    FLOOR: "#9aa4ae",
    "udp, sealed": "#6f7b86",
    OURS: "#1668c7",
    f"{OURS}, native": "#1668c7",
    f"{OURS}, python": "#7fb0e6",
    f"{OURS} by moq-net": "#7fb0e6",
    "moq-relay": "#d2622a",
}
_MORE: Final = ("#6b4fa3", "#2b8a57", "#b3892c", "#a33f6b", "#4f8fa3")
_STYLE: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",
    # The same picture for the same figures.
    "svg.hashsalt": "bench",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.edgecolor": "#c5ccd3",
    "axes.labelcolor": _INK,
    "axes.titlecolor": _INK,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "text.color": _INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6eaee",
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}


@dataclass(frozen=True, slots=True)
class Picture:
    """A file, and the cases that it shows."""

    file: str
    title: str
    shows: Callable[[str, Any], bool]
    """By a case's name and figures."""
    paint: Callable[[Figure, Entries], None]


def draw(folder: Path, entries: Entries) -> dict[str, Path]:
    """Every picture that there are figures for, by its title."""
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise BenchError("matplotlib is not installed: python3 dev.py setup --dev") from None
    drawn = {}
    with matplotlib.rc_context(_STYLE):
        for picture in PICTURES:
            shown = {name: one for name, one in entries.items() if picture.shows(name, one)}
            if not shown:
                continue
            figure = Figure(facecolor="white")
            picture.paint(figure, shown)
            path = folder / picture.file
            figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
            drawn[picture.title] = path
    return drawn


def _bars(figure: Figure, cases: Entries) -> None:
    """A panel a case, a bar a subject, its median beside it."""
    rows = (len(cases) + 1) // 2
    most = max(len(one["subjects"]) for one in cases.values())
    figure.set_size_inches(8.4, rows * (0.6 + 0.2 * most))
    panels = figure.subplots(rows, 2, squeeze=False).flat
    colours = _colours(cases)
    for (name, one), panel in zip(cases.items(), panels, strict=False):
        subjects = {key: figures["p50"] for key, figures in one["subjects"].items()}
        drawn = panel.barh(list(subjects), list(subjects.values()), color=[colours[key] for key in subjects])
        panel.bar_label(drawn, [f" {value:.3g}" for value in subjects.values()])
        panel.set_title(name)
        panel.set_xlim(0, 1.18 * max(subjects.values()))
        panel.set_xlabel(one["unit"])
        panel.grid(visible=False, axis="y")
        panel.tick_params(axis="y", length=0)
        panel.invert_yaxis()
    for panel in list(panels):
        panel.set_visible(False)


def _lines(figure: Figure, cases: Entries) -> None:
    """A line for ours, and one for each other name that subjects have before their number."""
    figure.set_size_inches(6.6, 3.2)
    panel: Axes = figure.subplots()
    [(_, one)] = cases.items()
    found: dict[str, list[tuple[float, Any]]] = {}
    for subject, figures in one["subjects"].items():
        name, _, number = subject.rpartition(" ")
        found.setdefault(name or OURS, []).append((float(number), figures))
    colours = _colours({"": {"subjects": found}})
    for name, points in found.items():
        across = [at for at, _ in points]
        middle = [figures["p50"] for _, figures in points]
        around = [
            [figures["p50"] - figures["min"] for _, figures in points],
            [figures["max"] - figures["p50"] for _, figures in points],
        ]
        panel.errorbar(across, middle, around, label=name, color=colours[name], marker="o", capsize=2)
    ticks = [at for at, _ in next(iter(found.values()))]
    panel.set_xscale("symlog" if min(ticks) == 0 else "log")
    panel.set_xticks(ticks, [f"{at:,.0f}" for at in ticks])
    panel.minorticks_off()
    panel.set_ylim(0, 1.12 * max(figures["max"] for points in found.values() for _, figures in points))
    panel.set_title(one["about"], wrap=True)
    panel.set_xlabel(one["axis"])
    panel.set_ylabel(one["unit"])
    if len(found) > 1:
        panel.legend()


def _histograms(figure: Figure, cases: Entries) -> None:
    """A panel a case, a line a subject: the share of its frames that took so long."""
    figure.set_size_inches(8.4, 2.9 * len(cases))
    panels = figure.subplots(len(cases), 1, squeeze=False, sharex=True).flat
    colours = _colours(cases)
    for panel, (name, one) in zip(panels, cases.items(), strict=True):
        for subject, figures in one["subjects"].items():
            counts = dict(figures.get("histogram", []))
            if not counts:
                continue
            numbers = range(min(counts) - 1, max(counts) + 2)
            edges = [10 ** (number / PER_DECADE) for number in (*numbers, numbers[-1] + 1)]
            shares = [100 * counts.get(number, 0) / sum(counts.values()) for number in numbers]
            panel.stairs(
                shares,
                edges,
                label=f"{subject}, p50 {figures['p50']:.0f}",
                color=colours[subject],
                linewidth=1.4,
            )
        panel.set_xscale("log")
        panel.set_title(name)
        panel.set_ylabel("% of frames")
        panel.legend()
    panel.set_xlabel("us")


def _colours(cases: Entries) -> dict[str, str]:
    """A subject has one colour in all panels."""
    names = list(dict.fromkeys(name for one in cases.values() for name in one["subjects"]))
    others = [name for name in names if name not in _COLOURS]
    return {**_COLOURS, **{name: _MORE[number % len(_MORE)] for number, name in enumerate(others)}}


def _named(wanted: str) -> Callable[[str, Any], bool]:
    return lambda name, one: name == wanted


PICTURES: Final = (
    Picture("cost.svg", "Relay CPU per delivered object", lambda name, one: one["group"] == "cost", _bars),
    Picture("latency.svg", "Latency of a frame", lambda name, one: one["group"] == "latency", _histograms),
    Picture(
        "subscribers.svg", "Cost against subscribers at constant objects/s", _named("subscribers"), _lines
    ),
    Picture("tracks.svg", "Cost against tracks", _named("tracks"), _lines),
    Picture("idle.svg", "Cost against idle sessions beside", _named("idle"), _lines),
    Picture("memory.svg", "Memory against sessions", _named("memory"), _lines),
)
