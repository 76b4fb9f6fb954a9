"""What a node is opened with, and how the native core is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from . import _errors
from ._generated.constants import Bound, Congestion, NodeFlags
from ._values import RelayConfig, millis


@dataclass(frozen=True, slots=True)
class NodeOptions:
    """A node's bounds and habits. Zero, none and empty mean the native core's default."""

    alpns: tuple[str, ...] = ()
    """Drafts spoken, best first, such as ("moqt-22", "moqt-18")."""
    state_key: bytes = b""
    """32 bytes kept over restarts, so that clients of a killed process learn of it at once; empty: random."""
    idle_timeout: float | None = None
    """A session that hears nothing for so long is lost, seconds."""
    keep_alive: float | None = None
    """How often a silent session is kept alive, seconds."""
    congestion: Congestion = Congestion.REALTIME
    session_queue_bytes: int = 0
    """Bound of a session's sending queue."""
    track_queue_bytes: int = 0
    """Bound of one track in it."""
    feed_bytes: int = 0
    """Bound of a feed's waiting frames."""
    limits: Mapping[Bound, int] = field(default_factory=dict)
    """Bounds of what peers can make the node hold: docs/limits.md; those not named have their defaults."""
    linger: float | None = None
    """How long `close` goes on sending what is queued, seconds; it ends as soon as all of it has left."""
    seed: int = 0
    """Where randomness comes from; 0: the system."""
    recv_buffer: int = 0
    """Socket receive buffer asked for, bytes."""
    send_buffer: int = 0
    """Socket send buffer asked for, bytes."""
    portable_udp: bool = False
    """One datagram a system call, as on systems without batches."""
    threadless: bool = False
    """No native thread: the application calls `Node.drive`."""
    shards: int = 1
    """A relay's threads, 1 to 256, each with a socket and an engine of its own on the one port; more than one
    only on Linux, and not with `threadless`."""

    def __post_init__(self) -> None:
        if self.state_key and len(self.state_key) != 32:
            raise _errors.BadArgument(
                f"state_key has {len(self.state_key)} bytes: pass 32, or none for a random one"
            )
        for limit, value in self.limits.items():
            if not isinstance(value, int) or not 0 <= value <= 1 << 40:
                raise _errors.BadArgument(
                    f"limits[{limit!r}] is {value!r}: pass a whole number from 0 to 2^40"
                )
        if isinstance(self.alpns, str):
            raise _errors.BadArgument(f"alpns is {self.alpns!r}: pass a tuple of strings")


def fields_of(relay: RelayConfig | None, options: NodeOptions) -> dict[str, int | str | bytes]:
    """The fields of `CcNodeConfig`. `BadArgument` for a value out of its range."""
    flags = NodeFlags.PORTABLE_UDP * options.portable_udp | NodeFlags.THREADLESS * options.threadless
    fields: dict[str, int | str | bytes] = {
        "alpns": ",".join(options.alpns),
        "state_key": options.state_key,
        "idle_timeout_ms": millis(options.idle_timeout, "idle_timeout"),
        "keep_alive_ms": millis(options.keep_alive, "keep_alive"),
        "congestion": options.congestion,
        "session_queue_bytes": options.session_queue_bytes,
        "track_queue_bytes": options.track_queue_bytes,
        "feed_bytes": options.feed_bytes,
        "seed": options.seed,
        "linger_ms": millis(options.linger, "linger"),
        "limits": ",".join(f"{Bound(limit).name.lower()}={value}" for limit, value in options.limits.items()),
        "recv_buffer": options.recv_buffer,
        "send_buffer": options.send_buffer,
        "shards": options.shards,
    }
    if relay is not None:
        flags |= NodeFlags.RELAY | NodeFlags.OPEN * (relay.open_scope is not None)
        fields |= {
            "certificate_pem": relay.certificate,
            "key_pem": relay.key,
            "open_scope": relay.open_scope or "",
            "max_sessions": relay.max_sessions,
            "auth_timeout_ms": millis(relay.auth_timeout, "auth_timeout"),
        }
    return fields | {"flags": flags}
