"""Counters and gauges in Prometheus' text format (version 0.0.4), without a library for it.

Names begin with `clutchcall_` and carry their unit; counters end in `_total`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from transport import Node, NodeStats

from ._bounds import NAMES

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Kind = Literal["counter", "gauge", "histogram", "summary"]

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


@dataclass(frozen=True, slots=True)
class Sample:
    """One value. Samples of one name share `kind` and `help`."""

    name: str
    """As it is written, `_total` or `_bucket` included."""
    value: float
    kind: Kind
    help: str
    """One line."""
    labels: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or not all(_LABEL.fullmatch(label) for label in self.labels):
            raise ValueError(f"sample {self.name!r} with labels {sorted(self.labels)}: not Prometheus' names")

    @property
    def family(self) -> str:
        """The name in HELP and TYPE: a histogram's three kinds of lines are one family."""
        if self.kind in ("histogram", "summary"):
            return re.sub(r"_(bucket|sum|count)$", "", self.name)
        return self.name


def render(samples: Iterable[Sample]) -> str:
    """The samples as text; those of one family stand together, in the order of their first."""
    families: dict[str, list[Sample]] = {}
    for sample in samples:
        families.setdefault(sample.family, []).append(sample)
    lines: list[str] = []
    for name, members in families.items():
        lines.append(f"# HELP {name} {_escape(members[0].help, quotes=False)}")
        lines.append(f"# TYPE {name} {members[0].kind}")
        lines += [f"{sample.name}{_labels(sample.labels)} {_number(sample.value)}" for sample in members]
    return "\n".join(lines) + "\n" if lines else ""


def from_node(node: Node) -> list[Sample]:
    """A node's counters, and those of each of several shards, `clutchcall_shard_...` with the label shard."""
    stats = node.stats()
    found = from_node_stats(stats)
    if stats.shards < 2:
        return found
    for shard in range(stats.shards):
        own = node.shard_stats(shard)
        labels = {"shard": str(shard)}
        found += [
            Sample(name.replace("_", "_shard_", 1), read(own), kind, f"One shard's: {text}", labels)
            for name, kind, text, read in _NODE
            if name in _SHARD
        ]
    return found


def from_node_stats(stats: NodeStats, labels: Mapping[str, str] | None = None) -> list[Sample]:
    """A node's counters, drops by reason among them."""
    labels = labels or {}
    found = [Sample(name, read(stats), kind, text, labels) for name, kind, text, read in _NODE]
    found += [
        Sample(
            "clutchcall_drops_total",
            count,
            "counter",
            "Frames not delivered, by reason.",
            {**labels, "reason": drop.name.lower()},
        )
        for drop, count in stats.drops.items()
    ]
    found += [
        Sample(
            "clutchcall_kind_objects_total",
            count,
            "counter",
            "Objects received or published here, by kind of track.",
            {**labels, "kind": kind.name.lower()},
        )
        for kind, count in stats.kinds.items()
    ]
    found += [
        Sample(
            "clutchcall_limit_met_total",
            count,
            "counter",
            "Refused, dropped or put off, by the bound that was met.",
            {**labels, "limit": limit.name.lower()},
        )
        for limit, count in stats.refused.items()
    ]
    return found


def from_control(met: Mapping[str, int]) -> list[Sample]:
    """How often the bounds of the control stack were met."""
    text = "Refused, cut short or closed by the control stack, by the bound that was met."
    name = "clutchcall_control_limit_met_total"
    return [Sample(name, met.get(limit, 0), "counter", text, {"limit": limit}) for limit in NAMES]


_NODE: tuple[tuple[str, Kind, str, Callable[[NodeStats], float]], ...] = (
    ("clutchcall_sessions_up", "gauge", "Sessions up now.", lambda s: s.sessions),
    ("clutchcall_sessions_waiting", "gauge", "Sessions waiting to be admitted.", lambda s: s.auth_waiting),
    ("clutchcall_handshakes", "gauge", "Handshakes under way.", lambda s: s.handshakes),
    ("clutchcall_sessions_total", "counter", "Sessions that came up.", lambda s: s.sessions_total),
    ("clutchcall_sessions_refused_total", "counter", "Sessions refused.", lambda s: s.sessions_refused),
    ("clutchcall_tracks", "gauge", "Tracks known now.", lambda s: s.tracks),
    ("clutchcall_subscriptions", "gauge", "Subscriptions standing now.", lambda s: s.subscriptions),
    ("clutchcall_objects_in_total", "counter", "Objects received.", lambda s: s.objects_in),
    ("clutchcall_objects_out_total", "counter", "Objects sent.", lambda s: s.objects_out),
    ("clutchcall_received_bytes_total", "counter", "UDP payload received, bytes.", lambda s: s.bytes_in),
    ("clutchcall_sent_bytes_total", "counter", "UDP payload sent, bytes.", lambda s: s.bytes_out),
    ("clutchcall_packets_in_total", "counter", "UDP datagrams received.", lambda s: s.packets_in),
    ("clutchcall_packets_out_total", "counter", "UDP datagrams sent.", lambda s: s.packets_out),
    ("clutchcall_receive_calls_total", "counter", "System calls that receive.", lambda s: s.syscalls_recv),
    ("clutchcall_send_calls_total", "counter", "System calls that send.", lambda s: s.syscalls_send),
    (
        "clutchcall_send_errors_total",
        "counter",
        "Datagrams the system did not send.",
        lambda s: s.send_errors,
    ),
    (
        "clutchcall_malformed_total",
        "counter",
        "Sessions and packets that broke a rule.",
        lambda s: s.malformed,
    ),
    ("clutchcall_io_cpu_seconds_total", "counter", "CPU time of the I/O threads, seconds.", lambda s: s.cpu),
    ("clutchcall_shards", "gauge", "I/O threads that serve the port.", lambda s: s.shards),
    (
        "clutchcall_crossed_in_total",
        "counter",
        "Objects that came from another shard.",
        lambda s: s.crossed_in,
    ),
    (
        "clutchcall_crossed_out_total",
        "counter",
        "Objects that went to another shard.",
        lambda s: s.crossed_out,
    ),
    (
        "clutchcall_handed_over_total",
        "counter",
        "Packets handed over to the shard that their connection is on.",
        lambda s: s.handed_over,
    ),
    ("clutchcall_handed_lost_total", "counter", "The same that found no room.", lambda s: s.handed_lost),
    (
        "clutchcall_shard_restarts_total",
        "counter",
        "Shards that failed and were started again.",
        lambda s: s.restarts,
    ),
)

_SHARD = {
    "clutchcall_sessions_up",
    "clutchcall_objects_in_total",
    "clutchcall_objects_out_total",
    "clutchcall_packets_in_total",
    "clutchcall_packets_out_total",
    "clutchcall_io_cpu_seconds_total",
    "clutchcall_crossed_in_total",
    "clutchcall_crossed_out_total",
    "clutchcall_handed_over_total",
}
"""What each shard shows of itself, as `clutchcall_shard_...`."""


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escape(value)}"' for name, value in labels.items()) + "}"


def _escape(text: str, quotes: bool = True) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quotes else text


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) else repr(float(value))
