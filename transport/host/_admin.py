"""The operator's side: live page, metrics, health, lists and kick, over plain HTTP on a port of its own."""

from __future__ import annotations

import time
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

from relay import metrics
from relay.admin import AdminServer, Request, Response, json_body, page, text
from relay.metrics import Sample

from ._status import quantiles

if TYPE_CHECKING:
    from ._host import Host
    from ._provider import HostProvider

_BARS = 24


class Admin:
    """The routes of one host."""

    def __init__(self, host: Host, provider: HostProvider, bind: str, port: int) -> None:
        self._host = host
        self._provider = provider
        html = resources.files(__package__).joinpath("_page.html").read_text("utf-8")
        self._server = AdminServer(
            bind,
            port,
            {
                "/": lambda _: page(html),
                "/live.json": lambda _: json_body(self.live()),
                "/metrics": lambda _: Response(200, self.metrics().encode(), metrics.CONTENT_TYPE),
                "/healthz": self._healthz,
                "/readyz": self._readyz,
                "/rooms": lambda _: json_body(provider.rooms().to_wire()),
                "/sessions": lambda _: json_body(provider.sessions().to_wire()),
                "POST /kick": self._kick,
            },
        )

    @property
    def url(self) -> str:
        """The live page's."""
        return f"http://{self._server.address}/"

    async def start(self) -> None:
        """Listen. `transport.AddressInUse` and the like."""
        await self._server.start()

    async def close(self) -> None:
        """Stop listening."""
        await self._server.close()

    def live(self) -> dict[str, Any]:
        """What the live page shows."""
        host = self._host
        stats = host.node.stats()
        peers = [peer for room in host.rooms.values() for peer in room.players if peer.stats is not None]
        sessions = [
            {
                "peer": info.peer_id,
                "room": info.room,
                "address": info.address,
                "draft": info.draft,
                "up_s": info.uptime_ms / 1e3,
                "rtt_ms": info.rtt_us / 1e3,
                "jitter_ms": info.jitter_us / 1e3,
                "loss": info.loss,
                "send_rate": info.send_rate,
                "queued_bytes": info.queued_bytes,
            }
            for info in self._provider.sessions().sessions
        ]
        rooms = [
            {
                "name": room.name,
                "state": room.state,
                "players": room.players,
                "max_players": room.max_players,
                "bots": room.bots,
                "tick": room.tick,
                "rate": room.tick_rate_hz,
                "tick_p99_ms": room.tick_p99_ms,
                "overruns": room.overruns,
            }
            for room in self._provider.rooms().rooms
        ]
        ticks = [spent for room in host.rooms.values() for spent in room.durations]
        return {
            "status": host.status,
            "ready": host.is_ready,
            "url": host.url,
            "uptime_s": time.monotonic() - host.started_at,
            "readings": [{"time": reading.time, **reading.fields()} for reading in host.meter.readings],
            "drops": {drop.name.lower(): count for drop, count in stats.drops.items() if count},
            "rtt_histogram": _bars([peer.stats.rtt for peer in peers if peer.stats is not None]),
            "tick_histogram": _bars(ticks),
            "rooms": rooms,
            "sessions": sessions,
        }

    def metrics(self) -> str:
        """Prometheus' text."""
        host = self._host
        samples = metrics.from_node(host.node) + metrics.from_control(host.control_met)
        samples.append(
            Sample("clutchcall_ready", float(host.is_ready), "gauge", "1 while new sessions are taken.")
        )
        samples += [
            Sample(
                "clutchcall_auth_refused_total",
                count,
                "counter",
                "Sessions and token refreshes refused, by reason.",
                {"reason": reason.name.lower()},
            )
            for reason, count in host.admission.refusals.items()
        ]
        for room in host.rooms.values():
            labels = {"room": room.name}
            p50, p99 = quantiles(room.durations, 0.5, 0.99)
            buffer = room.buffer
            for name, value, kind, words in (
                ("room_players", len(room.players), "gauge", "Players with a session."),
                ("room_tick", room.tick, "gauge", "The last tick run."),
                ("room_ticks_late_total", room.clock.late, "counter", "Ticks that began a period late."),
                ("room_ticks_skipped_total", room.clock.skipped, "counter", "Ticks never run."),
                ("room_tick_p50_seconds", p50, "gauge", "Median time of the last ticks."),
                ("room_tick_p99_seconds", p99, "gauge", "99th percentile of the last ticks' time."),
                ("room_states_total", room.states_sent, "counter", "States sent to players."),
                ("room_inputs_total", buffer.taken, "counter", "Input packets taken."),
                ("room_inputs_late_total", buffer.late, "counter", "Input packets after their tick."),
                ("room_inputs_missing_total", buffer.missing, "counter", "Inputs that had to be repeated."),
                ("room_inputs_malformed_total", buffer.malformed, "counter", "Input packets not understood."),
            ):
                samples.append(Sample(f"clutchcall_{name}", value, kind, words, labels))  # type: ignore[arg-type]
        return metrics.render(samples)

    def _healthz(self, _: Request) -> Response:
        """Healthy means that the loop that runs the ticks answers."""
        return text("ok")

    def _readyz(self, _: Request) -> Response:
        return text(self._host.status, 200 if self._host.is_ready else 503)

    def _kick(self, request: Request) -> Response:
        peer = request.query.get("peer", "")
        if not peer:
            return text("kick: pass ?peer=ID", 400)
        if not self._host.kick(peer, request.query.get("text", "")[:256]):
            return text(f"kick: no session of peer {peer[:64]}", 404)
        return text(f"kicked {peer[:64]}")


def _bars(seconds: list[float]) -> dict[str, Any]:
    """A histogram over logarithmic bins, as the page draws it."""
    values = np.maximum(np.array(seconds, np.float64), 1e-6)
    if not len(values):
        return {"counts": [], "low_ms": 0, "high_ms": 0}
    low, high = float(values.min()), max(float(values.max()), float(values.min()) * 1.5)
    counts, _ = np.histogram(np.log(values), _BARS, (np.log(low), np.log(high)))
    return {
        "counts": counts.tolist(),
        "low_ms": float(f"{low * 1e3:.2g}"),
        "high_ms": float(f"{high * 1e3:.2g}"),
    }
