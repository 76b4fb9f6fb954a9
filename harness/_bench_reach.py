"""What a result should be at, and what it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness._bench_case import FLOOR, Reach, Result


@dataclass(frozen=True, slots=True)
class Verdict:
    """A figure beside what it should be."""

    case: str
    what: str
    """What is compared, as "clutchcall, p50"."""
    reach: str
    measured: str
    short: float
    """By what share it falls short of it; 0 and less: it is there."""

    @property
    def word(self) -> str:
        """In the last column."""
        return "reached" if self.short <= 0 else f"short by {self.short:.0%}"


def verdicts(result: Result) -> list[Verdict]:
    """Of a case, in its order. A subject that was not measured has none."""
    return [found for reach in result.case.reach if (found := _verdict(result, reach)) is not None]


def _verdict(result: Result, reach: Reach) -> Verdict | None:
    values = result.values.get(reach.subject)
    if not values:
        return None
    at, unit = float(np.quantile(values, reach.quantile)), result.case.unit
    what = f"{reach.subject}, p{reach.quantile * 100:g}"
    if reach.added:
        under = reach.beside or FLOOR
        floor = result.values.get(under)
        if not floor:
            return None
        at -= float(np.quantile(floor, reach.quantile))
        what = f"{reach.subject}, added to {under}, p{reach.quantile * 100:g}"
    if reach.added or not reach.beside:
        short = at / reach.most - 1
        return Verdict(result.case.name, what, f"{short_number(reach.most)} {unit}", short_number(at), short)
    beside = result.values.get(reach.beside)
    if not beside:
        return None
    share = at / float(np.quantile(beside, reach.quantile))
    what = f"{reach.subject} / {reach.beside}"
    if reach.most < 1:
        times, wanted = 1 / share, 1 / reach.most
        return Verdict(result.case.name, what, f"{wanted:g}x less", f"{times:.1f}x less", 1 - times / wanted)
    over = f"{reach.most - 1:.0%} more"
    return Verdict(result.case.name, what, f"at most {over}", f"{share - 1:+.0%}", share / reach.most - 1)


def reach_table(results: Sequence[Result]) -> str:
    """All verdicts; empty if there are none."""
    found = [verdict for result in results for verdict in verdicts(result)]
    if not found:
        return ""
    rows = [("case", "what", "reach", "measured", "")]
    rows += [(one.case, one.what, one.reach, one.measured, one.word) for one in found]
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = ["\nwhat it should be at:"]
    lines += ["  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join(lines)


def short_number(value: float) -> str:
    """Three digits or so."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
