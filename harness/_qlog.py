"""qlog files of a world's connections, which qvis opens: JSON text sequences (RFC 7464), qlog 0.3.

The engine's QUIC writes packets sent, received and lost and the recovery's metrics. Here each file is told
which end it is of, its times are put on the world's clock, so that both ends of a connection line up, and
`connectivity:connection_started` says between whom it was. What the schema wants otherwise than QUIC writes
it is put right: round-trip times are milliseconds, a packet's size is `raw.length` (without it qvis draws
none), and a connection is one trace, by whatever id its packets went.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

RECORD: Final = "\x1e"
SUFFIX: Final = ".sqlog"
_REQUIRED: Final[Mapping[str, tuple[str, ...]]] = {
    "transport:packet_sent": ("header", "raw"),
    "transport:packet_received": ("header",),
    "recovery:packet_lost": ("header",),
    "recovery:metrics_updated": (),
    "connectivity:connection_started": ("src_ip", "dst_ip"),
}
_TIMES: Final = ("min_rtt", "smoothed_rtt", "latest_rtt", "rtt_variance")
"""Of metrics, in the schema milliseconds."""
_PACKETS: Final = frozenset({"initial", "handshake", "0RTT", "1RTT", "retry", "version_negotiation"})


class QlogError(ValueError):
    """Not qlog: which record, and what is wrong with it."""


def write(folder: Path, pages: Sequence[Mapping[str, Any]], names: Mapping[int, str]) -> list[Path]:
    """A file for each connection that anything happened on; `pages` as the world tells them."""
    made: list[Path] = []
    for number, page in enumerate(pages):
        records = list(parse(page["text"], cut=page["cut"]))
        if len(records) < 2:
            continue
        folder.mkdir(parents=True, exist_ok=True)
        side = "server" if page["server"] else "client"
        name = re.sub(r"[^\w.-]+", "-", names.get(page["place"], "unknown"))
        path = folder / f"{number:03}-{name}-{side}{SUFFIX}"
        text = "".join(
            RECORD + json.dumps(one, separators=(",", ":")) + "\n" for one in _told(page, records, name)
        )
        path.write_text(text, "utf-8")
        made.append(path)
    return made


def parse(text: str, *, cut: bool = False) -> Iterator[dict[str, Any]]:
    """The records of a JSON text sequence; the last of a `cut` one may be broken. `QlogError`."""
    parts = text.split(RECORD)
    if parts[0].strip():
        raise QlogError("record 0: it does not begin with RS (0x1e)")
    for number, part in enumerate(parts[1:]):
        try:
            found = json.loads(part)
        except ValueError:
            if cut and number == len(parts) - 2:
                return
            raise QlogError(f"record {number}: no JSON") from None
        if not isinstance(found, dict):
            raise QlogError(f"record {number}: no object")
        yield found


def check(text: str) -> int:
    """Look for what the main schema (0.3) and qvis require; the number of events. `QlogError`."""
    records = list(parse(text))
    if not records:
        raise QlogError("record 0: there is none")
    head = records[0]
    for field, value in (("qlog_version", "0.3"), ("qlog_format", "JSON-SEQ")):
        if head.get(field) != value:
            raise QlogError(f"record 0: {field} is {head.get(field)!r}, not {value!r}")
    point = head.get("trace", {}).get("vantage_point", {})
    if point.get("type") not in ("client", "server", "network"):
        raise QlogError(f"record 0: trace.vantage_point.type is {point.get('type')!r}")
    common = head["trace"].get("common_fields", {})
    if common.get("time_format") != "relative" or "reference_time" not in common:
        raise QlogError("record 0: trace.common_fields: time_format must be relative, with a reference_time")
    last = float("-inf")
    for number, record in enumerate(records[1:], 1):
        if "group_id" in record:
            raise QlogError(
                f"record {number}: group_id: a file has one connection, which common_fields names"
            )
        last = _check_event(number, record, last)
    return len(records) - 1


def _check_event(number: int, record: Mapping[str, Any], last: float) -> float:
    time, name, data = record.get("time"), record.get("name"), record.get("data")
    if not isinstance(time, int | float) or time < last:
        raise QlogError(f"record {number}: time {time!r} after {last}")
    if not isinstance(name, str) or name not in _REQUIRED or not isinstance(data, dict):
        raise QlogError(f"record {number}: name {name!r}, data {type(data).__name__}")
    for field in _REQUIRED[name]:
        if field not in data:
            raise QlogError(f"record {number}: {name} has no {field}")
    header = data.get("header")
    if header is not None and header.get("packet_type") not in _PACKETS:
        raise QlogError(f"record {number}: packet_type {header.get('packet_type')!r}")
    if header is not None and not isinstance(header.get("packet_number"), int):
        raise QlogError(f"record {number}: packet_number {header.get('packet_number')!r}")
    if "raw" in data and not data["raw"].get("length", 0) > 0:
        raise QlogError(f"record {number}: raw.length {data['raw'].get('length')!r}")
    return float(time)


def _told(
    page: Mapping[str, Any], records: Sequence[dict[str, Any]], name: str
) -> Iterator[Mapping[str, Any]]:
    began = page["began"] / 1e3
    head, *events = records
    trace = dict(head.get("trace", {}))
    side = "server" if page["server"] else "client"
    trace["vantage_point"] = {"name": name, "type": side}
    trace["title"] = f"{name} ({side})"
    common: dict[str, Any] = {"time_format": "relative", "reference_time": 0.0, "protocol_type": ["QUIC"]}
    common |= {"group_id": events[0]["group_id"]} if "group_id" in events[0] else {}
    trace["common_fields"] = common
    trace.pop("configuration", None)
    yield {**head, "title": f"{name} ({side})", "trace": trace}
    ends = {"src_ip": name, "dst_ip": "peer", "src_port" if side == "client" else "dst_port": page["port"]}
    if side == "server":
        ends |= {"src_ip": "peer", "dst_ip": name}
    yield {
        "time": events[0]["time"] + began,
        "name": "connectivity:connection_started",
        "data": {"protocol": "QUIC", **ends},
    }
    for event in events:
        yield {"time": event["time"] + began, "name": event["name"], "data": _put_right(event["data"])}


def _put_right(data: Mapping[str, Any]) -> dict[str, Any]:
    """An event's data as the schema has it."""
    right = {name: value * 1e3 if name in _TIMES else value for name, value in data.items()}
    length = data.get("header", {}).get("length")
    if length is not None:
        right["header"] = {name: value for name, value in data["header"].items() if name != "length"}
    if length:  # 0: a lost packet that held acknowledgements alone, whose size QUIC does not keep
        right["raw"] = {"length": length}
    return right
