"""The report's written parts, as HTML: verdict, cards and tables. One run, or two beside each other."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

from harness.record import Latency, Recording

_PERCENTILES: Final = (50, 90, 99, 99.9)
_REASONS: Final[Mapping[str, str]] = {
    "expired": "waited longer than their time to live",
    "superseded": "a newer state took their place",
    "no_room": "their queue was full of frames as important",
    "too_large": "did not fit the path's datagrams",
    "not_authorised": "the session may not publish or read them",
    "congested": "congestion control gave them no room in time",
    "stream_limit": "the peer allowed no further stream in time",
    "ring_full": "a ring between threads was full",
}
_LETTERS: Final = "AB"


def verdict(runs: Sequence[Recording]) -> str:
    """The answer to "is it good?"."""
    return "".join(_verdict(run, letter) for run, letter in zip(runs, _letters(runs), strict=True))


def _verdict(run: Recording, letter: str) -> str:
    failed = [check for check in run.checks if not check.ok]
    if run.ended != "done":
        kind, word = "bad", "Cut short" if run.ended in ("interrupted", "running") else "Failed"
        why = f"{word.lower()} after {_time(run.duration)}: {run.why or run.ended}"
    elif failed:
        kind, word = "bad", "Not good"
        names = "; ".join(
            f"{check.name} ({check.detail})" if check.detail else check.name for check in failed
        )
        why = f"{len(failed)} of {len(run.checks)} expectations did not hold: {names}"
    elif run.checks:
        kind, word = "good", "Good"
        why = f"all {len(run.checks)} expectations held" if len(run.checks) > 1 else "what was expected held"
    else:
        kind, word, why = "none", "Nothing expected", "this run checked nothing; look at its figures"
    return (
        f'<section class="verdict {kind}"><p class="word">{_letter(letter)}{word}</p>'
        f"<p class=why>{html.escape(why)}</p><p class=about>{html.escape(about(run))}</p></section>"
    )


def about(run: Recording) -> str:
    """A line that says what the run was."""
    meta = run.meta
    parts = [f"{meta.clients} clients"] if meta.clients else []
    parts += [meta.profile] if meta.profile else []
    if meta.clock == "virtual":
        speed = f", {run.duration / run.wall:.1f}x" if run.wall > 0.01 else ""
        parts.append(f"{_time(run.duration)} of virtual time in {_time(run.wall)}{speed}")
    else:
        parts.append(_time(run.duration))
    parts.append(f"seed {meta.seed}")
    return " · ".join(parts)


def cards(runs: Sequence[Recording]) -> str:
    """The figures one looks for first."""
    names = dict.fromkeys(name for run in runs for name, _ in _figures(run))
    known = [dict(_figures(run)) for run in runs]
    made = []
    for name in names:
        values = [figures.get(name, "-") for figures in known]
        shown = "".join(
            f"<span class=value>{_letter(letter)}{html.escape(value)}</span>"
            for value, letter in zip(values, _letters(runs), strict=True)
        )
        made.append(f"<div class=card><h3>{html.escape(name)}</h3>{shown}</div>")
    return "".join(made)


def _figures(run: Recording) -> list[tuple[str, str]]:
    counts = run.counts
    found: list[tuple[str, str]] = []
    if "disconnects" in counts:
        found.append(("Disconnects", _number(counts["disconnects"])))
    if "reliable.sent" in counts:
        lost = counts.get("reliable.lost", 0)
        wrong = lost + counts.get("reliable.repeated", 0)
        of = _number(counts["reliable.sent"])
        found.append(("Reliable messages", f"{_number(wrong)} of {of} wrong" if wrong else of))
    for one in run.latencies:
        if one.histogram.count:
            found.append((f"{one.kind} p99", f"{_ms(one.histogram.percentile(99))} ms"))
    if "starved" in counts:
        found.append(("Starved", f"{100 * counts['starved']:.2f}%"))
    drops = {name: count for name, count in counts.items() if name.startswith("drops.")}
    if drops:
        found.append(("Drops, counted", _number(sum(drops.values()))))
    for name, label in (("bandwidth.down", "Down a client"), ("bandwidth.up", "Up a client")):
        if name in counts:
            found.append((label, f"{counts[name]:,.0f} kbit/s"))
    return found


def checks_table(runs: Sequence[Recording]) -> str:
    """What was expected, and what was found."""
    names = dict.fromkeys(check.name for run in runs for check in run.checks)
    if not names:
        return ""
    rows = []
    for name in names:
        cells = ""
        for run in runs:
            check = next((check for check in run.checks if check.name == name), None)
            if check is None:
                cells += "<td>-</td>"
                continue
            mark = '<b class="mark good">held</b>' if check.ok else '<b class="mark bad">failed</b>'
            cells += f"<td>{mark} {html.escape(check.detail)}</td>"
        rows.append(f"<tr><th>{html.escape(name)}</th>{cells}</tr>")
    return _table("Expectations", ["", *_heads(runs, "found")], rows)


def latency_table(runs: Sequence[Recording]) -> str:
    """Percentiles by track kind and priority; for two runs with what changed."""
    keys = dict.fromkeys((one.priority, one.kind) for run in runs for one in run.latencies)
    rows = []
    for priority, kind in sorted(keys):
        found = [
            next((one for one in run.latencies if (one.priority, one.kind) == (priority, kind)), None)
            for run in runs
        ]
        cells = f"<th>{html.escape(kind)}</th><td class=n>{priority}</td>"
        cells += f"<td class=n>{_side_by_side([_count(one) for one in found])}</td>"
        for percent in (*_PERCENTILES, 100):
            values = [one.histogram.percentile(percent) if one is not None else None for one in found]
            cells += f"<td class=n>{_side_by_side([_ms(value) for value in values])}{_change(values)}</td>"
        rows.append(f"<tr>{cells}</tr>")
    heads = ["track", "priority", "frames", *(f"p{percent:g}" for percent in _PERCENTILES), "max"]
    return _table("", heads, rows, "milliseconds" + _which(runs)) if rows else "<p>Nothing was timed.</p>"


def drops_table(runs: Sequence[Recording]) -> str:
    """What was not delivered, by reason."""
    names = sorted({name for run in runs for name in run.counts if name.startswith("drops.")})
    rows = []
    for name in names:
        if not any(run.counts.get(name) for run in runs):
            continue
        reason = name.removeprefix("drops.")
        cells = f"<th>{html.escape(reason)}</th><td>{html.escape(_REASONS.get(reason, ''))}</td>"
        for run in runs:
            count, sent = run.counts.get(name, 0.0), run.counts.get("frames.sent", 0.0)
            cells += f"<td class=n>{_number(count)}</td>"
            cells += f"<td class=n>{100 * count / sent:.3f}%</td>" if sent else "<td class=n>-</td>"
        rows.append(f"<tr>{cells}</tr>")
    heads = [
        "reason",
        "",
        *(head for letter in _letters(runs) for head in (f"frames {letter}", "of all sent")),
    ]
    if rows:
        return _table("Drops", heads, rows)
    return "<h2>Drops</h2><p>No frame was dropped.</p>" if names else ""


def run_table(runs: Sequence[Recording]) -> str:
    """What ran, where, and how it is repeated."""
    described = [_described(run) for run in runs]
    names = dict.fromkeys(name for one in described for name in one)
    rows = []
    for name in names:
        cells = "".join(f"<td>{_code(name, one.get(name, '-'))}</td>" for one in described)
        rows.append(f"<tr><th>{html.escape(name)}</th>{cells}</tr>")
    others = [
        f"<tr><th>{html.escape(name)}</th>"
        + "".join(f"<td class=n>{_number(run.counts.get(name, 0.0))}</td>" for run in runs)
        + "</tr>"
        for name in sorted({name for run in runs for name in run.counts})
    ]
    counts = _table("All counts", ["", *_heads(runs, "")], others) if others else ""
    return _table("The run", ["", *_heads(runs, "")], rows) + counts


def _described(run: Recording) -> dict[str, str]:
    meta = run.meta
    found = {"repeat it": meta.command, "about": about(run), "started": meta.started, "clock": meta.clock}
    found |= dict(run.notes) | dict(meta.machine) | dict(meta.versions)
    if run.beyond:
        found["not kept"] = f"{run.beyond} samples and events beyond the bound"
    return {name: value for name, value in found.items() if value}


def _code(name: str, value: str) -> str:
    shown = html.escape(value)
    return f"<code>{shown}</code>" if name == "repeat it" else shown


def _table(title: str, heads: Sequence[str], rows: Sequence[str], under: str = "") -> str:
    top = f"<h2>{title}</h2>" if title else ""
    head = "".join(f"<th>{html.escape(one)}</th>" for one in heads) if any(heads) else ""
    head = f"<thead><tr>{head}</tr></thead>" if head else ""
    foot = f"<p class=under>{html.escape(under)}</p>" if under else ""
    return f"{top}<div class=scroll><table>{head}<tbody>{''.join(rows)}</tbody></table></div>{foot}"


def _heads(runs: Sequence[Recording], word: str) -> list[str]:
    return [f"{word} {letter}".strip() for letter in _letters(runs)]


def _letters(runs: Sequence[Recording]) -> Sequence[str]:
    return _LETTERS if len(runs) == 2 else [""]


def _letter(letter: str) -> str:
    return f"<i class=run>{letter}</i> " if letter else ""


def _which(runs: Sequence[Recording]) -> str:
    return ", A / B and the change from A to B" if len(runs) == 2 else ""


def _side_by_side(values: Sequence[str]) -> str:
    return " / ".join(values)


def _change(values: Sequence[float | None]) -> str:
    """How much the second is above the first."""
    for before, after in pairwise(values):
        if before and after is not None:
            share = after / before - 1
            kind = "worse" if share > 0.05 else "better" if share < -0.05 else "same"
            return f' <span class="change {kind}">{share:+.0%}</span>'
    return ""


def _count(one: Latency | None) -> str:
    return "-" if one is None else _number(one.histogram.count)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) or abs(value) >= 1000 else f"{value:,.3g}"


def _ms(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.3f}"


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"
