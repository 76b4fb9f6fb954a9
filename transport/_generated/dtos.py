# generated from api/clutchcall.json by python -m api.rpc_compiler; do not edit
"""Bodies of the control stack, its methods and their envelope."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, Self, runtime_checkable

from . import wire
from .constants import RPC_VERSION, MethodId

ERROR_METHOD = 0
"""Method id of a failed reply; its body is an ErrorBody."""


@runtime_checkable
class Body(Protocol):
    """What every DTO is."""

    def to_wire(self, path: str = "$") -> dict[str, object]:
        """The DTO as a map."""
        ...

    @classmethod
    def from_wire(cls, value: object, path: str = "$") -> Self:
        """The DTO in a map."""
        ...


def _out(value: object, path: str) -> dict[str, object]:
    if not isinstance(value, Body):
        raise wire.WireError(path, f"must be a DTO, is {type(value).__name__}")
    return value.to_wire(path)


@dataclass(frozen=True, slots=True)
class Method:
    """A method of the control stack."""

    id: MethodId
    name: str
    request: type[Body]
    reply: type[Body]
    verb: str
    route: str
    auth: str


@dataclass(frozen=True, slots=True)
class Call:
    """A request or reply in its envelope; `method` is ERROR_METHOD for a failed reply."""

    method: int
    request: int
    body: object

    def pack(self) -> bytes:
        """The envelope as MessagePack."""
        return wire.pack([RPC_VERSION, self.method, self.request, self.body])

    @classmethod
    def unpack(cls, data: bytes | bytearray | memoryview) -> Self:
        """The envelope in `data`, its body unread; WireError if it is none."""
        value = wire.unpack(data)
        if not isinstance(value, list) or len(value) != 4:
            raise wire.WireError("$", "must be a list of version, method, request and body")
        version = wire.integer(value[0], "$[0]")
        if version != RPC_VERSION:
            raise wire.WireError("$[0]", f"version {version} is not {RPC_VERSION}")
        method, request = wire.integer(value[1], "$[1]"), wire.integer(value[2], "$[2]")
        if not 0 <= method <= 0xFFFF:
            raise wire.WireError("$[1]", f"{method} is no 16-bit method id")
        if not 0 <= request <= 0xFFFFFFFF:
            raise wire.WireError("$[2]", f"{request} is no 32-bit request id")
        return cls(method, request, value[3])


@dataclass(frozen=True, slots=True, kw_only=True)
class Empty:
    """A request without arguments."""

    def to_wire(self, path: str = "$") -> dict[str, object]:
        """The DTO as a map by field name; WireError if a value has another type."""
        out: dict[str, object] = {}
        return out

    @classmethod
    def from_wire(cls, value: object, path: str = "$") -> Self:
        """The DTO in a map; unknown keys are ignored, WireError names a field at fault."""
        wire.fields(value, path)
        return cls()


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorBody:
    """Why a call failed; the body of every reply with method id 0 and of every HTTP status from 400."""

    code: int
    """HTTP status of the failure."""
    error: str
    """The failure as a stable word, such as not_found or bad_field."""
    message: str
    """One line: what, where, what to do."""
    field: str | None = None
    """Path of the request's field at fault."""
    retry_ms: int | None = None
    """When to try again, if that can help. In ms."""

    def to_wire(self, path: str = "$") -> dict[str, object]:
        """The DTO as a map by field name; WireError if a value has another type."""
        out: dict[str, object] = {}
        out["code"] = wire.integer(self.code, f"{path}.code")
        out["error"] = wire.text(self.error, f"{path}.error")
        out["message"] = wire.text(self.message, f"{path}.message")
        if self.field is not None:
            out["field"] = wire.text(self.field, f"{path}.field")
        if self.retry_ms is not None:
            out["retry_ms"] = wire.integer(self.retry_ms, f"{path}.retry_ms")
        return out

    @classmethod
    def from_wire(cls, value: object, path: str = "$") -> Self:
        """The DTO in a map; unknown keys are ignored, WireError names a field at fault."""
        of = wire.fields(value, path)
        return cls(
            code=wire.integer(wire.required(of, "code", path), f"{path}.code"),
            error=wire.text(wire.required(of, "error", path), f"{path}.error"),
            message=wire.text(wire.required(of, "message", path), f"{path}.message"),
            field=wire.text(of["field"], f"{path}.field") if of.get("field") is not None else None,
            retry_ms=wire.integer(of["retry_ms"], f"{path}.retry_ms") if of.get("retry_ms") is not None else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How a host or relay is."""

    status: str
    """Where the process stands."""
    ready: bool
    """It takes new sessions."""
    version: str
    """Version of the package."""
    node: str
    """Name of this node."""
    uptime_ms: int
    """Time since the start. In ms."""
    sessions: int
    """Sessions up now."""
    rooms: int
    """Rooms open now."""

    def to_wire(self, path: str = "$") -> dict[str, object]:
        """The DTO as a map by field name; WireError if a value has another type."""
        out: dict[str, object] = {}
        out["status"] = wire.text(self.status, f"{path}.status", ("starting", "ok", "draining", "failed",))
        out["ready"] = wire.truth(self.ready, f"{path}.ready")
        out["version"] = wire.text(self.version, f"{path}.version")
        out["node"] = wire.text(self.node, f"{path}.node")
        out["uptime_ms"] = wire.integer(self.uptime_ms, f"{path}.uptime_ms")
        out["sessions"] = wire.integer(self.sessions, f"{path}.sessions")
        out["rooms"] = wire.integer(self.rooms, f"{path}.rooms")
        return out

    @classmethod
    def from_wire(cls, value: object, path: str = "$") -> Self:
        """The DTO in a map; unknown keys are ignored, WireError names a field at fault."""
        of = wire.fields(value, path)
        return cls(
            status=wire.text(wire.required(of, "status", path), f"{path}.status", ("starting", "ok", "draining", "failed",)),
            ready=wire.truth(wire.required(of, "ready", path), f"{path}.ready"),
            version=wire.text(wire.required(of, "version", path), f"{path}.version"),
            node=wire.text(wire.required(of, "node", path), f"{path}.node"),
            uptime_ms=wire.integer(wire.required(of, "uptime_ms", path), f"{path}.uptime_ms"),
            sessions=wire.integer(wire.required(of, "sessions", path), f"{path}.sessions"),
            rooms=wire.integer(wire.required(of, "rooms", path), f"{path}.rooms"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """A room of a host."""

    name: str
    """Its name, one namespace field."""
    namespace: str
    """Namespace prefix of its tracks."""
    state: str
    """Where the room stands."""
    players: int
    """Peers in it now."""
    max_players: int
    """Peers admitted at most; 0: no bound of its own."""
    bots: int
    """Bots in it now."""
    tick: int
    """Ticks done."""
    tick_rate_hz: float
    """Ticks a second it aims at. In Hz."""
    tick_p99_ms: float
    """99th percentile of a tick's own time over the last minute. In ms."""
    overruns: int
    """Ticks that took longer than their period."""
    uptime_ms: int
    """Time since it opened. In ms."""
    metadata: Mapping[str, str]
    """The game's own words about it."""

    def to_wire(self, path: str = "$") -> dict[str, object]:
        """The DTO as a map by field name; WireError if a value has another type."""
        out: dict[str, object] = {}
        out["name"] = wire.text(self.name, f"{path}.name")
        out["namespace"] = wire.text(self.namespace, f"{path}.namespace")
        out["state"] = wire.text(self.state, f"{path}.state", ("opening", "open", "closing", "failed",))
        out["players"] = wire.integer(self.players, f"{path}.players")
        out["max_players"] = wire.integer(self.max_players, f"{path}.max_players")
        out["bots"] = wire.integer(self.bots, f"{path}.bots")
        out["tick"] = wire.integer(self.tick, f"{path}.tick")
        out["tick_rate_hz"] = wire.number(self.tick_rate_hz, f"{path}.tick_rate_hz")
        out["tick_p99_ms"] = wire.number(self.tick_p99_ms, f"{path}.tick_p99_ms")
        out["overruns"] = wire.integer(self.overruns, f"{path}.overruns")
        out["uptime_ms"] = wire.integer(self.uptime_ms, f"{path}.uptime_ms")
        out["metadata"] = wire.entries(self.metadata, f"{path}.metadata", wire.text)
        return out

    @classmethod
    def from_wire(cls, value: object, path: str = "$") -> Self:
        """The DTO in a map; unknown keys are ignored, WireError names a field at fault."""
        of = wire.fields(value, path)
        return cls(
            name=wire.text(wire.required(of, "name", path), f"{path}.name"),
            namespace=wire.text(wire.required(of, "namespace", path), f"{path}.namespace"),
            state=wire.text(wire.required(of, "state", path), f"{path}.state", ("opening", "open", "closing", "failed",)),
            players=wire.integer(wire.required(of, "players", path), f"{path}.players"),
            max_players=wire.integer(wire.required(of, "max_players", path), f"{path}.max_players"),
            bots=wire.integer(wire.required(of, "bots", path), f"{path}.bots"),
            tick=wire.integer(wire.required(of, "tick", path), f"{path}.tick"),
            tick_rate_hz=wire.number(wire.required(of, "tick_rate_hz", path), f"{path}.tick_rate_hz"),
            tick_p99_ms=wire.number(wire.required(of, "tick_p99_ms", path), f"{path}.tick_p99_ms"),
            overruns=wire.integer(wire.required(of, "overruns", path), f"{path}.overruns"),
            uptime_ms=wire.integer(wire.required(of, "uptime_ms", path), f"{path}.uptime_ms"),
            metadata=wire.entries(wire.required(of, "metadata", path), f"{path}.metadata", wire.text),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomList:
    """All rooms, in name order."""

    rooms: tuple[Room, ...]
    """The rooms."""

    def to_wire(self, path: str = "$") -> dict[str, object]:
        """The DTO as a map by field name; WireError if a value has another type."""
        out: dict[str, object] = {}
        out["rooms"] = list(wire.items(self.rooms, f"{path}.rooms", _out))
        return out

    @classmethod
    def from_wire(cls, value: object, path: str = "$") -> Self:
        """The DTO in a map; unknown keys are ignored, WireError names a field at fault."""
        of = wire.fields(value, path)
        return cls(
            rooms=wire.items(wire.required(of, "rooms", path), f"{path}.rooms", Room.from_wire),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomQuery:
    """Names a room."""

    room: str
    """The room's name."""

    def to_wire(self, path: str = "$") -> dict[str, object]:
        """The DTO as a map by field name; WireError if a value has another type."""
        out: dict[str, object] = {}
        out["room"] = wire.text(self.room, f"{path}.room")
        return out

    @classmethod
    def from_wire(cls, value: object, path: str = "$") -> Self:
        """The DTO in a map; unknown keys are ignored, WireError names a field at fault."""
        of = wire.fields(value, path)
        return cls(
            room=wire.text(wire.required(of, "room", path), f"{path}.room"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinRequest:
    """Asks for what a player needs to join a room."""

    room: str
    """The room's name."""
    player: str | None = None
    """What a new peer id is to begin with, where the caller's token names no peer."""

    def to_wire(self, path: str = "$") -> dict[str, object]:
        """The DTO as a map by field name; WireError if a value has another type."""
        out: dict[str, object] = {}
        out["room"] = wire.text(self.room, f"{path}.room")
        if self.player is not None:
            out["player"] = wire.text(self.player, f"{path}.player")
        return out

    @classmethod
    def from_wire(cls, value: object, path: str = "$") -> Self:
        """The DTO in a map; unknown keys are ignored, WireError names a field at fault."""
        of = wire.fields(value, path)
        return cls(
            room=wire.text(wire.required(of, "room", path), f"{path}.room"),
            player=wire.text(of["player"], f"{path}.player") if of.get("player") is not None else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinInfo:
    """What a player needs to join a room."""

    room: str
    """The room's name."""
    url: str
    """moqt:// URL to connect to."""
    web_url: str | None = None
    """https:// URL for browsers, where WebTransport is served."""
    namespace: str
    """Namespace prefix of the room's tracks."""
    peer_id: str
    """The peer id the token is bound to."""
    token: str
    """Token to present."""
    expires_ms: int
    """Time from now when the token ends; 0: never. In ms."""
    certificate_sha256: str | None = None
    """Lower-case hex of the certificate to pin, with development credentials."""
    tick_rate_hz: float
    """Ticks a second of the room; 0: not known here. In Hz."""

    def to_wire(self, path: str = "$") -> dict[str, object]:
        """The DTO as a map by field name; WireError if a value has another type."""
        out: dict[str, object] = {}
        out["room"] = wire.text(self.room, f"{path}.room")
        out["url"] = wire.text(self.url, f"{path}.url")
        if self.web_url is not None:
            out["web_url"] = wire.text(self.web_url, f"{path}.web_url")
        out["namespace"] = wire.text(self.namespace, f"{path}.namespace")
        out["peer_id"] = wire.text(self.peer_id, f"{path}.peer_id")
        out["token"] = wire.text(self.token, f"{path}.token")
        out["expires_ms"] = wire.integer(self.expires_ms, f"{path}.expires_ms")
        if self.certificate_sha256 is not None:
            out["certificate_sha256"] = wire.text(self.certificate_sha256, f"{path}.certificate_sha256")
        out["tick_rate_hz"] = wire.number(self.tick_rate_hz, f"{path}.tick_rate_hz")
        return out

    @classmethod
    def from_wire(cls, value: object, path: str = "$") -> Self:
        """The DTO in a map; unknown keys are ignored, WireError names a field at fault."""
        of = wire.fields(value, path)
        return cls(
            room=wire.text(wire.required(of, "room", path), f"{path}.room"),
            url=wire.text(wire.required(of, "url", path), f"{path}.url"),
            web_url=wire.text(of["web_url"], f"{path}.web_url") if of.get("web_url") is not None else None,
            namespace=wire.text(wire.required(of, "namespace", path), f"{path}.namespace"),
            peer_id=wire.text(wire.required(of, "peer_id", path), f"{path}.peer_id"),
            token=wire.text(wire.required(of, "token", path), f"{path}.token"),
            expires_ms=wire.integer(wire.required(of, "expires_ms", path), f"{path}.expires_ms"),
            certificate_sha256=wire.text(of["certificate_sha256"], f"{path}.certificate_sha256") if of.get("certificate_sha256") is not None else None,
            tick_rate_hz=wire.number(wire.required(of, "tick_rate_hz", path), f"{path}.tick_rate_hz"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionInfo:
    """A session of a relay."""

    peer_id: str
    """Its peer id."""
    subject: str
    """The token's subject."""
    tenant: str
    """The token's tenant, or empty."""
    room: str | None = None
    """The room it plays in."""
    address: str
    """Its ip:port."""
    transport: str
    """What carries it."""
    draft: int
    """MoQT draft in use."""
    uptime_ms: int
    """Time since it came up. In ms."""
    expires_ms: int | None = None
    """Time from now when its token ends. In ms."""
    publish: tuple[str, ...]
    """Path prefixes it may publish under."""
    subscribe: tuple[str, ...]
    """Path prefixes it may read."""
    capabilities: tuple[str, ...]
    """Capability tags it may use; empty: any."""
    rtt_us: int
    """Smoothed round-trip time. In us."""
    jitter_us: int
    """Mean deviation of the round-trip time. In us."""
    loss: float
    """Packets lost of those sent, 0 to 1. In ratio."""
    send_rate: int
    """What its path is estimated to take. In bytes/s."""
    queued_bytes: int
    """Waiting in its sending queue. In bytes."""
    bytes_sent: int
    """UDP payload sent to it. In bytes."""
    bytes_received: int
    """UDP payload received from it. In bytes."""
    frames_sent: int
    """Frames sent to it."""
    frames_received: int
    """Frames received from it."""
    drops: Mapping[str, int]
    """Frames not delivered to it, by CcDrop name in lower case."""

    def to_wire(self, path: str = "$") -> dict[str, object]:
        """The DTO as a map by field name; WireError if a value has another type."""
        out: dict[str, object] = {}
        out["peer_id"] = wire.text(self.peer_id, f"{path}.peer_id")
        out["subject"] = wire.text(self.subject, f"{path}.subject")
        out["tenant"] = wire.text(self.tenant, f"{path}.tenant")
        if self.room is not None:
            out["room"] = wire.text(self.room, f"{path}.room")
        out["address"] = wire.text(self.address, f"{path}.address")
        out["transport"] = wire.text(self.transport, f"{path}.transport", ("quic", "webtransport",))
        out["draft"] = wire.integer(self.draft, f"{path}.draft")
        out["uptime_ms"] = wire.integer(self.uptime_ms, f"{path}.uptime_ms")
        if self.expires_ms is not None:
            out["expires_ms"] = wire.integer(self.expires_ms, f"{path}.expires_ms")
        out["publish"] = list(wire.items(self.publish, f"{path}.publish", wire.text))
        out["subscribe"] = list(wire.items(self.subscribe, f"{path}.subscribe", wire.text))
        out["capabilities"] = list(wire.items(self.capabilities, f"{path}.capabilities", wire.text))
        out["rtt_us"] = wire.integer(self.rtt_us, f"{path}.rtt_us")
        out["jitter_us"] = wire.integer(self.jitter_us, f"{path}.jitter_us")
        out["loss"] = wire.number(self.loss, f"{path}.loss")
        out["send_rate"] = wire.integer(self.send_rate, f"{path}.send_rate")
        out["queued_bytes"] = wire.integer(self.queued_bytes, f"{path}.queued_bytes")
        out["bytes_sent"] = wire.integer(self.bytes_sent, f"{path}.bytes_sent")
        out["bytes_received"] = wire.integer(self.bytes_received, f"{path}.bytes_received")
        out["frames_sent"] = wire.integer(self.frames_sent, f"{path}.frames_sent")
        out["frames_received"] = wire.integer(self.frames_received, f"{path}.frames_received")
        out["drops"] = wire.entries(self.drops, f"{path}.drops", wire.integer)
        return out

    @classmethod
    def from_wire(cls, value: object, path: str = "$") -> Self:
        """The DTO in a map; unknown keys are ignored, WireError names a field at fault."""
        of = wire.fields(value, path)
        return cls(
            peer_id=wire.text(wire.required(of, "peer_id", path), f"{path}.peer_id"),
            subject=wire.text(wire.required(of, "subject", path), f"{path}.subject"),
            tenant=wire.text(wire.required(of, "tenant", path), f"{path}.tenant"),
            room=wire.text(of["room"], f"{path}.room") if of.get("room") is not None else None,
            address=wire.text(wire.required(of, "address", path), f"{path}.address"),
            transport=wire.text(wire.required(of, "transport", path), f"{path}.transport", ("quic", "webtransport",)),
            draft=wire.integer(wire.required(of, "draft", path), f"{path}.draft"),
            uptime_ms=wire.integer(wire.required(of, "uptime_ms", path), f"{path}.uptime_ms"),
            expires_ms=wire.integer(of["expires_ms"], f"{path}.expires_ms") if of.get("expires_ms") is not None else None,
            publish=wire.items(wire.required(of, "publish", path), f"{path}.publish", wire.text),
            subscribe=wire.items(wire.required(of, "subscribe", path), f"{path}.subscribe", wire.text),
            capabilities=wire.items(wire.required(of, "capabilities", path), f"{path}.capabilities", wire.text),
            rtt_us=wire.integer(wire.required(of, "rtt_us", path), f"{path}.rtt_us"),
            jitter_us=wire.integer(wire.required(of, "jitter_us", path), f"{path}.jitter_us"),
            loss=wire.number(wire.required(of, "loss", path), f"{path}.loss"),
            send_rate=wire.integer(wire.required(of, "send_rate", path), f"{path}.send_rate"),
            queued_bytes=wire.integer(wire.required(of, "queued_bytes", path), f"{path}.queued_bytes"),
            bytes_sent=wire.integer(wire.required(of, "bytes_sent", path), f"{path}.bytes_sent"),
            bytes_received=wire.integer(wire.required(of, "bytes_received", path), f"{path}.bytes_received"),
            frames_sent=wire.integer(wire.required(of, "frames_sent", path), f"{path}.frames_sent"),
            frames_received=wire.integer(wire.required(of, "frames_received", path), f"{path}.frames_received"),
            drops=wire.entries(wire.required(of, "drops", path), f"{path}.drops", wire.integer),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionListRequest:
    """Which sessions to list."""

    room: str | None = None
    """Only those of this room."""
    after: str | None = None
    """Only those whose peer id sorts after this one."""
    limit: int | None = None
    """At most so many, 1 to 1000; 100 when absent."""

    def to_wire(self, path: str = "$") -> dict[str, object]:
        """The DTO as a map by field name; WireError if a value has another type."""
        out: dict[str, object] = {}
        if self.room is not None:
            out["room"] = wire.text(self.room, f"{path}.room")
        if self.after is not None:
            out["after"] = wire.text(self.after, f"{path}.after")
        if self.limit is not None:
            out["limit"] = wire.integer(self.limit, f"{path}.limit")
        return out

    @classmethod
    def from_wire(cls, value: object, path: str = "$") -> Self:
        """The DTO in a map; unknown keys are ignored, WireError names a field at fault."""
        of = wire.fields(value, path)
        return cls(
            room=wire.text(of["room"], f"{path}.room") if of.get("room") is not None else None,
            after=wire.text(of["after"], f"{path}.after") if of.get("after") is not None else None,
            limit=wire.integer(of["limit"], f"{path}.limit") if of.get("limit") is not None else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionList:
    """Sessions in order of peer id."""

    sessions: tuple[SessionInfo, ...]
    """The sessions."""
    next: str | None = None
    """Give this as after to go on; absent at the end."""

    def to_wire(self, path: str = "$") -> dict[str, object]:
        """The DTO as a map by field name; WireError if a value has another type."""
        out: dict[str, object] = {}
        out["sessions"] = list(wire.items(self.sessions, f"{path}.sessions", _out))
        if self.next is not None:
            out["next"] = wire.text(self.next, f"{path}.next")
        return out

    @classmethod
    def from_wire(cls, value: object, path: str = "$") -> Self:
        """The DTO in a map; unknown keys are ignored, WireError names a field at fault."""
        of = wire.fields(value, path)
        return cls(
            sessions=wire.items(wire.required(of, "sessions", path), f"{path}.sessions", SessionInfo.from_wire),
            next=wire.text(of["next"], f"{path}.next") if of.get("next") is not None else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionQuery:
    """Names a session."""

    peer_id: str
    """Its peer id."""

    def to_wire(self, path: str = "$") -> dict[str, object]:
        """The DTO as a map by field name; WireError if a value has another type."""
        out: dict[str, object] = {}
        out["peer_id"] = wire.text(self.peer_id, f"{path}.peer_id")
        return out

    @classmethod
    def from_wire(cls, value: object, path: str = "$") -> Self:
        """The DTO in a map; unknown keys are ignored, WireError names a field at fault."""
        of = wire.fields(value, path)
        return cls(
            peer_id=wire.text(wire.required(of, "peer_id", path), f"{path}.peer_id"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Kick:
    """Ends a session with KICKED."""

    peer_id: str
    """Whose session."""
    reason: str | None = None
    """Words for the player."""

    def to_wire(self, path: str = "$") -> dict[str, object]:
        """The DTO as a map by field name; WireError if a value has another type."""
        out: dict[str, object] = {}
        out["peer_id"] = wire.text(self.peer_id, f"{path}.peer_id")
        if self.reason is not None:
            out["reason"] = wire.text(self.reason, f"{path}.reason")
        return out

    @classmethod
    def from_wire(cls, value: object, path: str = "$") -> Self:
        """The DTO in a map; unknown keys are ignored, WireError names a field at fault."""
        of = wire.fields(value, path)
        return cls(
            peer_id=wire.text(wire.required(of, "peer_id", path), f"{path}.peer_id"),
            reason=wire.text(of["reason"], f"{path}.reason") if of.get("reason") is not None else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardStatistics:
    """Counters of one shard since it started."""

    shard: int
    """Its number, from 0."""
    sessions: int
    """Sessions up now."""
    cpu_us: int
    """CPU time of its thread. In us."""
    objects_in: int
    """Objects received."""
    objects_out: int
    """Objects sent."""
    packets_in: int
    """UDP datagrams received."""
    packets_out: int
    """UDP datagrams sent."""
    bytes_in: int
    """UDP payload received. In bytes."""
    bytes_out: int
    """UDP payload sent. In bytes."""
    drops: Mapping[str, int]
    """Frames not delivered, by CcDrop name in lower case."""

    def to_wire(self, path: str = "$") -> dict[str, object]:
        """The DTO as a map by field name; WireError if a value has another type."""
        out: dict[str, object] = {}
        out["shard"] = wire.integer(self.shard, f"{path}.shard")
        out["sessions"] = wire.integer(self.sessions, f"{path}.sessions")
        out["cpu_us"] = wire.integer(self.cpu_us, f"{path}.cpu_us")
        out["objects_in"] = wire.integer(self.objects_in, f"{path}.objects_in")
        out["objects_out"] = wire.integer(self.objects_out, f"{path}.objects_out")
        out["packets_in"] = wire.integer(self.packets_in, f"{path}.packets_in")
        out["packets_out"] = wire.integer(self.packets_out, f"{path}.packets_out")
        out["bytes_in"] = wire.integer(self.bytes_in, f"{path}.bytes_in")
        out["bytes_out"] = wire.integer(self.bytes_out, f"{path}.bytes_out")
        out["drops"] = wire.entries(self.drops, f"{path}.drops", wire.integer)
        return out

    @classmethod
    def from_wire(cls, value: object, path: str = "$") -> Self:
        """The DTO in a map; unknown keys are ignored, WireError names a field at fault."""
        of = wire.fields(value, path)
        return cls(
            shard=wire.integer(wire.required(of, "shard", path), f"{path}.shard"),
            sessions=wire.integer(wire.required(of, "sessions", path), f"{path}.sessions"),
            cpu_us=wire.integer(wire.required(of, "cpu_us", path), f"{path}.cpu_us"),
            objects_in=wire.integer(wire.required(of, "objects_in", path), f"{path}.objects_in"),
            objects_out=wire.integer(wire.required(of, "objects_out", path), f"{path}.objects_out"),
            packets_in=wire.integer(wire.required(of, "packets_in", path), f"{path}.packets_in"),
            packets_out=wire.integer(wire.required(of, "packets_out", path), f"{path}.packets_out"),
            bytes_in=wire.integer(wire.required(of, "bytes_in", path), f"{path}.bytes_in"),
            bytes_out=wire.integer(wire.required(of, "bytes_out", path), f"{path}.bytes_out"),
            drops=wire.entries(wire.required(of, "drops", path), f"{path}.drops", wire.integer),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Counters of a host or relay since it started."""

    uptime_ms: int
    """Time since the start. In ms."""
    sessions: int
    """Sessions up now."""
    sessions_total: int
    """Sessions that came up."""
    sessions_refused: int
    """Sessions refused."""
    tracks: int
    """Tracks known now."""
    subscriptions: int
    """Subscriptions standing now."""
    malformed: int
    """Datagrams and messages that broke a rule."""
    shards: tuple[ShardStatistics, ...]
    """Each shard's own."""

    def to_wire(self, path: str = "$") -> dict[str, object]:
        """The DTO as a map by field name; WireError if a value has another type."""
        out: dict[str, object] = {}
        out["uptime_ms"] = wire.integer(self.uptime_ms, f"{path}.uptime_ms")
        out["sessions"] = wire.integer(self.sessions, f"{path}.sessions")
        out["sessions_total"] = wire.integer(self.sessions_total, f"{path}.sessions_total")
        out["sessions_refused"] = wire.integer(self.sessions_refused, f"{path}.sessions_refused")
        out["tracks"] = wire.integer(self.tracks, f"{path}.tracks")
        out["subscriptions"] = wire.integer(self.subscriptions, f"{path}.subscriptions")
        out["malformed"] = wire.integer(self.malformed, f"{path}.malformed")
        out["shards"] = list(wire.items(self.shards, f"{path}.shards", _out))
        return out

    @classmethod
    def from_wire(cls, value: object, path: str = "$") -> Self:
        """The DTO in a map; unknown keys are ignored, WireError names a field at fault."""
        of = wire.fields(value, path)
        return cls(
            uptime_ms=wire.integer(wire.required(of, "uptime_ms", path), f"{path}.uptime_ms"),
            sessions=wire.integer(wire.required(of, "sessions", path), f"{path}.sessions"),
            sessions_total=wire.integer(wire.required(of, "sessions_total", path), f"{path}.sessions_total"),
            sessions_refused=wire.integer(wire.required(of, "sessions_refused", path), f"{path}.sessions_refused"),
            tracks=wire.integer(wire.required(of, "tracks", path), f"{path}.tracks"),
            subscriptions=wire.integer(wire.required(of, "subscriptions", path), f"{path}.subscriptions"),
            malformed=wire.integer(wire.required(of, "malformed", path), f"{path}.malformed"),
            shards=wire.items(wire.required(of, "shards", path), f"{path}.shards", ShardStatistics.from_wire),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRefreshRequest:
    """Replaces the token of the caller's session; subject and tenant must stay."""

    token: str
    """The new token."""

    def to_wire(self, path: str = "$") -> dict[str, object]:
        """The DTO as a map by field name; WireError if a value has another type."""
        out: dict[str, object] = {}
        out["token"] = wire.text(self.token, f"{path}.token")
        return out

    @classmethod
    def from_wire(cls, value: object, path: str = "$") -> Self:
        """The DTO in a map; unknown keys are ignored, WireError names a field at fault."""
        of = wire.fields(value, path)
        return cls(
            token=wire.text(wire.required(of, "token", path), f"{path}.token"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRefreshReply:
    """What the session may do from now on."""

    expires_ms: int
    """Time from now when the new token ends; 0: never. In ms."""
    publish: tuple[str, ...]
    """Path prefixes it may publish under."""
    subscribe: tuple[str, ...]
    """Path prefixes it may read."""
    capabilities: tuple[str, ...]
    """Capability tags it may use; empty: any."""

    def to_wire(self, path: str = "$") -> dict[str, object]:
        """The DTO as a map by field name; WireError if a value has another type."""
        out: dict[str, object] = {}
        out["expires_ms"] = wire.integer(self.expires_ms, f"{path}.expires_ms")
        out["publish"] = list(wire.items(self.publish, f"{path}.publish", wire.text))
        out["subscribe"] = list(wire.items(self.subscribe, f"{path}.subscribe", wire.text))
        out["capabilities"] = list(wire.items(self.capabilities, f"{path}.capabilities", wire.text))
        return out

    @classmethod
    def from_wire(cls, value: object, path: str = "$") -> Self:
        """The DTO in a map; unknown keys are ignored, WireError names a field at fault."""
        of = wire.fields(value, path)
        return cls(
            expires_ms=wire.integer(wire.required(of, "expires_ms", path), f"{path}.expires_ms"),
            publish=wire.items(wire.required(of, "publish", path), f"{path}.publish", wire.text),
            subscribe=wire.items(wire.required(of, "subscribe", path), f"{path}.subscribe", wire.text),
            capabilities=wire.items(wire.required(of, "capabilities", path), f"{path}.capabilities", wire.text),
        )


METHODS: Mapping[MethodId, Method] = {
    MethodId.HEALTH_GET: Method(
        MethodId.HEALTH_GET,
        "health.get",
        Empty,
        Health,
        "GET",
        "/v1/health",
        "none",
    ),
    MethodId.ROOMS_LIST: Method(
        MethodId.ROOMS_LIST,
        "rooms.list",
        Empty,
        RoomList,
        "GET",
        "/v1/rooms",
        "token",
    ),
    MethodId.ROOMS_GET: Method(
        MethodId.ROOMS_GET,
        "rooms.get",
        RoomQuery,
        Room,
        "GET",
        "/v1/rooms/{room}",
        "token",
    ),
    MethodId.ROOMS_JOIN: Method(
        MethodId.ROOMS_JOIN,
        "rooms.join",
        JoinRequest,
        JoinInfo,
        "POST",
        "/v1/rooms/{room}/join",
        "token",
    ),
    MethodId.SESSIONS_LIST: Method(
        MethodId.SESSIONS_LIST,
        "sessions.list",
        SessionListRequest,
        SessionList,
        "GET",
        "/v1/sessions",
        "admin",
    ),
    MethodId.SESSIONS_GET: Method(
        MethodId.SESSIONS_GET,
        "sessions.get",
        SessionQuery,
        SessionInfo,
        "GET",
        "/v1/sessions/{peer_id}",
        "admin",
    ),
    MethodId.SESSIONS_KICK: Method(
        MethodId.SESSIONS_KICK,
        "sessions.kick",
        Kick,
        SessionInfo,
        "POST",
        "/v1/sessions/{peer_id}/kick",
        "admin",
    ),
    MethodId.STATS_GET: Method(
        MethodId.STATS_GET,
        "stats.get",
        Empty,
        Statistics,
        "GET",
        "/v1/stats",
        "admin",
    ),
    MethodId.TOKEN_REFRESH: Method(
        MethodId.TOKEN_REFRESH,
        "token.refresh",
        TokenRefreshRequest,
        TokenRefreshReply,
        "POST",
        "/v1/token",
        "token",
    ),
}
"""Every method by its id."""
