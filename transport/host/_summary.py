"""What a host says about its whole run when it ends."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from . import protocol
from ._bots import Bots
from ._status import Histogram

if TYPE_CHECKING:
    from ._host import Host


def summarise(host: Host) -> tuple[str, dict[str, Any]]:
    """The lines for people and the fields for machines."""
    stats = host.last_stats
    elapsed = time.monotonic() - host.started_at
    totals = host.totals
    sent = stats.objects_out if stats is not None else 0
    io_cpu = stats.cpu if stats is not None else 0.0
    cpu = time.process_time() - host.started_cpu
    ticks = host.tick_times
    fields: dict[str, Any] = {
        "seconds": round(elapsed, 1),
        "most_players": totals.most_players,
        "ticks": totals.ticks,
        "ticks_late": totals.late,
        "ticks_skipped": totals.skipped,
        "tick_p50_ms": _ms(ticks, 0.5),
        "tick_p99_ms": _ms(ticks, 0.99),
        "cpu_share": round(cpu / elapsed, 3) if elapsed else 0.0,
        "relay_us_per_object": round(io_cpu / sent * 1e6, 2) if sent else 0.0,
        "drops": {drop.name.lower(): n for drop, n in stats.drops.items() if n} if stats is not None else {},
    }
    drops = ", ".join(f"{name} {count}" for name, count in fields["drops"].items()) or "none"
    lines = [
        f"summary: {elapsed:.1f} s, {totals.most_players} players at most, "
        f"{totals.ticks} ticks ({totals.late} late, {totals.skipped} skipped), "
        f"tick p50 {fields['tick_p50_ms']:g} p99 {fields['tick_p99_ms']:g} ms"
    ]
    if host.bots is not None:
        text, more = _of_bots(host.bots, host.input_times)
        lines += text
        fields |= more
        media = host.bots.show.summary()
        fields["media"] = media
        if media["voice_codec"]:
            lines.append(_of_media(media))
    lines.append(
        f"  CPU {fields['cpu_share']:.0%} of a core, relay {fields['relay_us_per_object']:g} us/object, "
        f"drops {drops}"
    )
    return "\n".join(lines), fields


def _of_bots(bots: Bots, inputs: Histogram) -> tuple[list[str], dict[str, Any]]:
    reliable = {
        "sent": bots.chat.sent + bots.events.sent,
        "received": bots.chat.received + bots.events.received,
        "lost": bots.lost,
        "repeated": bots.chat.repeated + bots.events.repeated,
    }
    latency = {
        name: {
            "priority": priority,
            "count": found.count,
            "p50_ms": _ms(found, 0.5),
            "p99_ms": _ms(found, 0.99),
        }
        for name, priority, found in (
            ("input", protocol.INPUT_PRIORITY, inputs),
            ("event", protocol.EVENT_PRIORITY, bots.latency["event"]),
            ("state", protocol.STATE_PRIORITY, bots.latency["state"]),
            ("chat", protocol.CHAT_PRIORITY, bots.latency["chat"]),
        )
    }
    lines = [
        "  reliable messages: {sent} sent, {received} received, {lost} lost, {repeated} repeated".format(
            **reliable
        )
    ]
    lines += [
        f"  latency of {name} (priority {of['priority']}): p50 {of['p50_ms']:g} p99 {of['p99_ms']:g} ms"
        for name, of in latency.items()
    ]
    if bots.ended:
        name, why = next(iter(bots.ended.items()))
        lines.append(f"  {len(bots.ended)} bots were lost on the way, the first {name}: {why}")
    return lines, {"reliable": reliable, "latency": latency, "bots_lost": len(bots.ended)}


def _of_media(media: Mapping[str, Any]) -> str:
    return (
        "  voice ({voice_codec}): {packets_heard} packets heard, {packets_concealed} concealed, "
        "{tones_right} tones right, {tones_wrong} wrong; picture ({picture_codec}): {pictures_seen} seen, "
        "{numbers_right} numbers right, {numbers_wrong} wrong"
    ).format(**media)


def _ms(found: Histogram, share: float) -> float:
    return float(f"{found.quantile(share) * 1e3:.3g}")
