"""The one module that knows the C ABI: finds the library, checks its version, and turns calls into Python
values.

Every function here raises a typed error when the call fails. Handles are plain ints; bytes, not objects, go
in and out. Calls that copy and return are made with the interpreter's lock held: giving it up around a
microsecond's work would let another busy thread take five milliseconds of a tick. The native threads never
take that lock.
"""

from __future__ import annotations

import ctypes
import functools
import os
import struct
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

from . import _errors
from ._generated import abi, constants

Fields: TypeAlias = Mapping[str, int | str | bytes]
"""A structure's fields by name; what is left out is zero or empty, the core's default."""

_VARIABLE: Final = "CLUTCHCALL_NATIVE"
_BUILD: Final = (
    "run `python dev.py setup` (or `cargo build --release -p cc-ffi` in core/), or set " + _VARIABLE
)
_EVENTS_A_POLL: Final = 256
FRAME_DTYPE: Final = abi.FRAME_DTYPE
"""CcFrame as numpy reads it."""
SEND_DTYPE: Final = abi.SEND_DTYPE
"""CcSend as numpy reads it."""
PRIORITY_DEFAULT: Final = constants.PRIORITY_DEFAULT
"""CcSend.priority: the track's default."""


class RawEvent(NamedTuple):
    """A CcEvent, copied."""

    kind: int
    reason: int
    handle: int
    a: int
    b: int
    c: int
    code: int
    text: bytes
    text2: str
    text3: str
    text4: str


class RawBatch(NamedTuple):
    """What a drain gave: memory that stays good until the next drain or close of that subscription."""

    length: int
    frames: memoryview
    data: memoryview
    dropped: int


class _SendOne(ctypes.Structure):
    """CcSend with pointers that take and keep Python bytes."""

    _fields_ = [
        ("publication", ctypes.c_uint64),
        ("payload", ctypes.c_char_p),
        ("properties", ctypes.c_char_p),
        ("payload_len", ctypes.c_uint32),
        ("properties_len", ctypes.c_uint32),
        ("ttl_us", ctypes.c_uint32),
        ("priority", ctypes.c_uint16),
        ("flags", ctypes.c_uint16),
        ("tag", ctypes.c_uint64),
    ]


def library_names() -> tuple[str, ...]:
    """The library's file name on this system."""
    if sys.platform == "win32":
        return ("clutchcall_core_ffi.dll",)
    return ("libclutchcall_core_ffi.dylib",) if sys.platform == "darwin" else ("libclutchcall_core_ffi.so",)


def candidates() -> list[Path]:
    """Where the library may be, in the order it is looked for."""
    told = os.environ.get(_VARIABLE)
    if told:
        return [Path(told)]
    here = Path(__file__).resolve().parent
    folders = (here / "_lib", here.parent / "core/target/release", here.parent / "core/target/debug")
    return [folder / name for folder in folders for name in library_names()]


def find() -> Path:
    """The library's file. `NativeMissing` says where it was looked for and how to get it."""
    paths = candidates()
    for path in paths:
        if path.is_file():
            return path
    looked = ", ".join(str(path) for path in paths)
    raise _errors.NativeMissing(f"native library not found (looked at {looked}): {_BUILD}")


class Library:
    """The loaded library: one handle that gives up the interpreter's lock, and one that keeps it."""

    def __init__(self, path: Path) -> None:
        try:
            self.slow: Any = ctypes.CDLL(str(path))
            self.fast: Any = ctypes.PyDLL(str(path))
        except OSError as wrong:
            raise _errors.NativeMissing(
                f"native library {path} can't be loaded ({wrong}): {_BUILD}"
            ) from None
        for handle in (self.slow, self.fast):
            try:
                abi.bind(handle)
            except AttributeError as missing:
                raise _errors.VersionMismatch(
                    f"native library {path} is of another version ({missing}): {_BUILD}"
                ) from None
        self.path = path
        version = abi.CcVersion(size=ctypes.sizeof(abi.CcVersion))
        status = self.fast.cc_version(ctypes.byref(version))
        if status != 0 or version.abi != constants.ABI_VERSION:
            raise _errors.VersionMismatch(
                f"native library {path} has ABI {version.abi}, not {constants.ABI_VERSION}: {_BUILD}"
            )
        self.build = _bytes(version.build).decode("utf-8", "replace")
        self.drafts = tuple(draft for draft in range(32) if version.drafts >> draft & 1)


_loaded: Library | None = None
_loading = threading.Lock()


def library() -> Library:
    """The library, loaded on first use."""
    global _loaded  # noqa: PLW0603  # one library a process, as with any import
    if _loaded is None:
        with _loading:
            if _loaded is None:
                _loaded = Library(find())
    return _loaded


def use(other: Library | None) -> Library | None:
    """Let all calls go to `other` from now on, or to the ordinary library; what they went to before.

    For a harness whose library carries the core inside. What was opened in one library is unknown in another.
    """
    global _loaded
    before, _loaded = _loaded, other
    _local.__dict__.pop("sender", None)
    return before


def build() -> str:
    """The native library's own words about its build."""
    return library().build


def drafts() -> tuple[int, ...]:
    """MoQT drafts that the native library speaks."""
    return library().drafts


# --- nodes ---


def node_open(fields: Fields, what: str) -> int:
    """cc_node_open."""
    return _open(library().slow.cc_node_open, None, abi.CcNodeConfig, fields, what)


def node_close(node: int) -> None:
    """cc_node_close; waits for the I/O thread, up to a few hundred milliseconds."""
    library().slow.cc_node_close(node)


def node_closer(node: int) -> Callable[[], object]:
    """`node_close` for later, on the library that the node was opened in."""
    return functools.partial(library().slow.cc_node_close, node)


def node_address(node: int) -> str:
    """cc_node_address."""
    buffer = ctypes.create_string_buffer(128)
    length = ctypes.c_uint32()
    _check(library().fast.cc_node_address(node, buffer, len(buffer), ctypes.byref(length)), "node address")
    return buffer.raw[: length.value].decode()


def node_wake_fd(node: int) -> int:
    """cc_node_wake_fd."""
    fd = ctypes.c_int64()
    _check(library().fast.cc_node_wake_fd(node, ctypes.byref(fd)), "node wake-up descriptor")
    return fd.value


def node_wake_frames(node: int, on: bool) -> None:
    """cc_node_wake_frames."""
    _check(library().fast.cc_node_wake_frames(node, on), "node wake-ups")


def node_drive(node: int, now_us: int) -> int:
    """cc_node_drive."""
    following = ctypes.c_uint64()
    _check(library().slow.cc_node_drive(node, now_us, ctypes.byref(following)), "drive node")
    return following.value


def node_now(node: int) -> int:
    """cc_node_now."""
    try:
        now, at = _local.now
    except AttributeError:
        now = ctypes.c_uint64()
        at = ctypes.byref(now)
        _local.now = now, at
    status = library().fast.cc_node_now(node, at)
    if status:
        _check(status, "node clock")
    value: int = now.value
    return value


def node_goaway(node: int, uri: str, timeout_ms: int) -> None:
    """cc_node_goaway."""
    _check(library().fast.cc_node_goaway(node, _str(uri), timeout_ms), "goaway")


def node_poll(node: int) -> list[RawEvent]:
    """cc_node_poll, until there is nothing more or 16 full rounds were taken."""
    fast = library().fast
    found: list[RawEvent] = []
    events, view, count, count_at = _poll_buffer()
    for _ in range(16):
        status = fast.cc_node_poll(node, events, _EVENTS_A_POLL, count_at)
        if status:
            _check(status, "poll node")
        taken = count.value
        found += [_event(fields) for fields in _EVENT.iter_unpack(view[: taken * _EVENT.size])]
        if taken < _EVENTS_A_POLL:
            break
    return found


def node_stats(node: int) -> Any:
    """cc_node_stats."""
    return _stats(library().slow.cc_node_stats, node, abi.CcNodeStats(), "node statistics")


def node_shard_stats(node: int, shard: int) -> Any:
    """cc_node_shard_stats."""
    stats = abi.CcNodeStats()
    stats.size = ctypes.sizeof(stats)
    function = library().slow.cc_node_shard_stats
    _check(function(node, shard, ctypes.byref(stats)), "shard statistics")
    return stats


# --- links and sessions ---


def link_open(node: int, fields: Fields, what: str) -> int:
    """cc_link_open."""
    return _open(library().slow.cc_link_open, node, abi.CcLinkConfig, fields, what)


def link_close(link: int, reason: int, text: str) -> None:
    """cc_link_close."""
    library().fast.cc_link_close(link, reason, _str(text))


def link_token(link: int, token: bytes) -> None:
    """cc_link_token."""
    _check(library().fast.cc_link_token(link, _str(token)), "new token")


def link_addresses(link: int, addresses: str) -> None:
    """cc_link_addresses."""
    _check(library().fast.cc_link_addresses(link, _str(addresses)), "new addresses")


def link_move(link: int, url: str, addresses: str) -> None:
    """cc_link_move."""
    _check(library().fast.cc_link_move(link, _str(url), _str(addresses)), f"move to {url}")


def link_stats(link_or_session: int) -> Any:
    """cc_link_stats."""
    return _stats(library().slow.cc_link_stats, link_or_session, abi.CcLinkStats(), "link statistics")


def session_accept(session: int, fields: Fields) -> None:
    """cc_session_accept."""
    keep: list[object] = []
    status = library().fast.cc_session_accept(session, ctypes.byref(_fill(abi.CcStamp, fields, keep)))
    if status:
        _check(status, f"accept session {session:#x}")


def session_refuse(session: int, reason: int, text: str) -> None:
    """cc_session_refuse."""
    _check(library().fast.cc_session_refuse(session, reason, _str(text)), f"refuse session {session:#x}")


def session_accept_request(session: int, request: int, fields: Fields) -> None:
    """cc_session_accept_request."""
    keep: list[object] = []
    stamp = ctypes.byref(_fill(abi.CcStamp, fields, keep))
    status = library().fast.cc_session_accept_request(session, request, stamp)
    _check(status, f"accept request {request} of session {session:#x}")


def session_refuse_request(session: int, request: int, reason: int, text: str) -> None:
    """cc_session_refuse_request."""
    status = library().fast.cc_session_refuse_request(session, request, reason, _str(text))
    _check(status, f"refuse request {request} of session {session:#x}")


def session_close(session: int, reason: int, text: str) -> None:
    """cc_session_close."""
    _check(library().fast.cc_session_close(session, reason, _str(text)), f"close session {session:#x}")


# --- tracks ---


def publish(scope: int, fields: Fields, what: str) -> int:
    """cc_publish."""
    return _open(library().fast.cc_publish, scope, abi.CcTrackConfig, fields, what)


def publish_close(publication: int) -> None:
    """cc_publish_close."""
    library().fast.cc_publish_close(publication)


def publish_repeat(publication: int, fields: Fields, what: str) -> None:
    """cc_publish_repeat."""
    keep: list[object] = []
    repeat = _fill(abi.CcRepeat, fields, keep)
    _check(library().fast.cc_publish_repeat(publication, ctypes.byref(repeat)), what)


def track_stats(publication: int) -> Any:
    """cc_track_stats."""
    return _stats(library().slow.cc_track_stats, publication, abi.CcTrackStats(), "track statistics")


def subscribe(scope: int, fields: Fields, what: str) -> int:
    """cc_subscribe."""
    return _open(library().fast.cc_subscribe, scope, abi.CcSubscribeConfig, fields, what)


def subscribe_close(subscription: int) -> None:
    """cc_subscribe_close."""
    library().fast.cc_subscribe_close(subscription)


def subscription_stats(subscription: int) -> Any:
    """cc_subscription_stats."""
    stats = abi.CcSubscriptionStats()
    return _stats(library().slow.cc_subscription_stats, subscription, stats, "feed statistics")


def want_group(subscription: int, track: int) -> None:
    """cc_want_group."""
    _check(library().fast.cc_want_group(subscription, track), "ask for a new group")


def track_properties(subscription: int, track: int) -> bytes:
    """cc_track_properties; empty for a track that is over."""
    length = ctypes.c_uint32()
    size = 256
    while True:
        buffer = ctypes.create_string_buffer(size)
        status = library().slow.cc_track_properties(subscription, track, buffer, size, ctypes.byref(length))
        if length.value <= size or status != constants.Status.BUFFER_TOO_SMALL:
            _check(status, "track properties")
            return buffer.raw[: length.value]
        size = length.value


class Sender:
    """Sends single frames. One a thread: it reuses its structures."""

    def __init__(self) -> None:
        self._entry = _SendOne()
        self._fate = (ctypes.c_uint8 * 1)()
        self._entry_at = ctypes.cast(ctypes.byref(self._entry), ctypes.POINTER(abi.CcSend))
        self._fate_at = ctypes.addressof(self._fate)
        self._call = library().fast.cc_send

    def send(
        self, publication: int, payload: bytes, properties: bytes, ttl_us: int, priority: int, flags: int = 0
    ) -> int:
        """The frame's fate."""
        entry = self._entry
        entry.publication = publication
        entry.payload = payload
        entry.properties = properties
        entry.payload_len = len(payload)
        entry.properties_len = len(properties)
        entry.ttl_us = ttl_us
        entry.priority = priority
        entry.flags = flags
        status = self._call(self._entry_at, 1, self._fate_at)
        if status:
            _check(status, "send frame")
        return self._fate[0]


def send_array(entries: int, count: int, fates: int) -> None:
    """cc_send of `count` CcSend at address `entries`; their fates go to address `fates`."""
    at = ctypes.cast(entries, ctypes.POINTER(abi.CcSend))
    _check(library().fast.cc_send(at, count, fates), f"send {count} frames")


class Drainer:
    """Drains one subscription; reuses its structure."""

    def __init__(self, subscription: int) -> None:
        self._subscription = subscription
        self._batch = abi.CcBatch()
        self._size = ctypes.sizeof(abi.CcBatch)
        self._at = ctypes.byref(self._batch)
        self._call = library().fast.cc_drain

    def drain(self) -> RawBatch | None:
        """What waits; none if nothing does and nothing was dropped."""
        batch = self._batch
        batch.size = self._size
        status = self._call(self._subscription, self._at)
        if status:
            _check(status, "drain feed")
        count: int = batch.count
        dropped: int = batch.dropped
        if not count and not dropped:
            return None
        return RawBatch(
            count, _view(batch.frames, count * _FRAME_BYTES), _view(batch.data, batch.data_len), dropped
        )


# --- helpers ---

_FORMATS: Final = {ctypes.c_uint32: "I", ctypes.c_uint64: "Q", abi.CcStr: "PII"}
_EVENT: Final = struct.Struct("@" + "".join([_FORMATS[kind] for _, kind in abi.CcEvent._fields_]))
"""CcEvent in one read: ctypes makes an object for each field and one more for each text."""
_FRAME_BYTES: Final = ctypes.sizeof(abi.CcFrame)
_READ_ONLY: Final = 0x100
_from_memory = ctypes.pythonapi.PyMemoryView_FromMemory
_from_memory.argtypes = (ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_int)
_from_memory.restype = ctypes.py_object
_local = threading.local()


def sender() -> Sender:
    """This thread's sender."""
    try:
        found: Sender = _local.sender
    except AttributeError:
        found = _local.sender = Sender()
    return found


def _poll_buffer() -> Any:
    """This thread's room for events, its bytes, room for their count, and where that is."""
    try:
        return _local.events
    except AttributeError:
        count = ctypes.c_uint32()
        events = (abi.CcEvent * _EVENTS_A_POLL)()
        _local.events = events, memoryview(events).cast("B"), count, ctypes.byref(count)
        return _local.events


def _view(address: int | None, length: int) -> memoryview:
    """Read-only bytes at an address."""
    if not length:
        return memoryview(b"")
    view: memoryview = _from_memory(address, length, _READ_ONLY)
    return view


def _event(fields: tuple[int, ...]) -> RawEvent:
    kind, reason, handle, a, b, c, code, at, size, _, at2, size2, _, at3, size3, _, at4, size4, _ = fields
    return RawEvent(
        kind,
        reason,
        handle,
        a,
        b,
        c,
        code,
        ctypes.string_at(at, size) if size else b"",
        ctypes.string_at(at2, size2).decode("utf-8", "replace") if size2 else "",
        ctypes.string_at(at3, size3).decode("utf-8", "replace") if size3 else "",
        ctypes.string_at(at4, size4).decode("utf-8", "replace") if size4 else "",
    )


def _bytes(text: abi.CcStr) -> bytes:
    return ctypes.string_at(text.ptr, text.len) if text.ptr and text.len else b""


def _str(value: str | bytes) -> abi.CcStr:
    """A CcStr over the value's bytes, which live as long as it does."""
    data = value.encode() if isinstance(value, str) else value
    owner = ctypes.create_string_buffer(data, len(data)) if data else None
    text = abi.CcStr()
    if owner is not None:
        text.ptr = ctypes.addressof(owner)
        text.len = len(data)
    text.owner = owner
    return text


def _fill(kind: type[Any], fields: Fields, keep: list[object]) -> Any:
    """A struct of these values; its texts live in one buffer, for as long as `keep`."""
    struct = kind()
    struct.size = ctypes.sizeof(kind)
    texts: list[tuple[str, bytes]] = []
    for name, value in fields.items():
        if isinstance(value, int):
            setattr(struct, name, value)
        elif value:
            texts.append((name, value.encode() if isinstance(value, str) else value))
    owner = ctypes.create_string_buffer(b"".join([data for _, data in texts]))
    keep.append(owner)
    at = ctypes.addressof(owner)
    for name, data in texts:
        text = getattr(struct, name)
        text.ptr, text.len = at, len(data)
        at += len(data)
    return struct


def _open(function: Any, scope: int | None, kind: type[Any], fields: Fields, what: str) -> int:
    keep: list[object] = []
    config = _fill(kind, fields, keep)
    handle = ctypes.c_uint64()
    scopes = () if scope is None else (scope,)
    _check(function(*scopes, ctypes.byref(config), ctypes.byref(handle)), what)
    return handle.value


def _stats(function: Any, handle: int, stats: Any, what: str) -> Any:
    stats.size = ctypes.sizeof(stats)
    _check(function(handle, ctypes.byref(stats)), what)
    return stats


def _check(status: int, what: str) -> None:
    if status:
        raise _errors.from_status(status, what, _last_error())


def _last_error() -> str:
    buffer = ctypes.create_string_buffer(2048)
    length = ctypes.c_uint32()
    if library().fast.cc_last_error(buffer, len(buffer), ctypes.byref(length)):
        return ""
    return buffer.raw[: length.value].decode("utf-8", "replace")
