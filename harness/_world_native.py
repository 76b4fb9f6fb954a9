"""The library of tests, `clutchcall_harness`: the core with a world in virtual time around it.

`WorldLibrary` stands in for the SDK's library (`transport._native.use`): a node that is opened through it
stands in the world, on the machine that `place()` names; every other call goes on as it is.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from transport import _native
from transport._generated import abi

_VARIABLE = "CLUTCHCALL_HARNESS"
_TARGET = Path(__file__).parents[1] / "core" / "target"
_FIRST_FD = 1 << 30
"""Descriptors of nodes in a world: no system gives such numbers."""
_NEWS = 4096
_NOWHERE = (1 << 32) - 1
_LATEST = (1 << 53) - 1


class WorldError(Exception):
    """A world cannot be made, or asked that. One line: what, where, what to do."""


def library_path() -> Path:
    """What `CLUTCHCALL_HARNESS` names, else the newest build of this checkout."""
    if chosen := os.environ.get(_VARIABLE):
        path = Path(chosen)
        if not path.is_file():
            raise WorldError(f"{_VARIABLE} is {chosen}: there is no such file")
        return path
    name = _native.library_names()[0].replace("clutchcall_core_ffi", "clutchcall_harness")
    built = [path for kind in ("release", "debug") if (path := _TARGET / kind / name).is_file()]
    if not built:
        raise WorldError(
            f"the library of tests is not built: `python3 dev.py setup --dev` does, or set {_VARIABLE}"
        )
    return max(built, key=lambda path: path.stat().st_mtime_ns)


_loaded: dict[Path, _native.Library] = {}


def _load(path: Path) -> _native.Library:
    if path not in _loaded:
        loaded = _native.Library(path)
        u64, u32 = ctypes.c_uint64, ctypes.c_uint32
        functions = {
            "cc_world_open": [abi.CcStr, ctypes.POINTER(u64)],
            "cc_world_close": [u64],
            "cc_world_ask": [u64, abi.CcStr, ctypes.POINTER(abi.CcStr)],
            "cc_world_place": [u64, u32],
            "cc_world_run": [u64, u64, ctypes.POINTER(u64), ctypes.c_void_p, u32, ctypes.POINTER(u32)],
        }
        for name, types in functions.items():
            try:
                function = getattr(loaded.fast, name)
            except AttributeError as missing:
                raise WorldError(f"{path} is no library of tests ({missing}): build it again") from None
            function.argtypes, function.restype = types, ctypes.c_int32
        _loaded[path] = loaded
    return _loaded[path]


class WorldLibrary(_native.Library):
    """The SDK's library for as long as a world runs."""

    def __init__(
        self,
        seed: int,
        tls: bool,
        log_bytes: int,
        place: Callable[[], int],
        qlog: bool = False,
        live: bool = False,
    ) -> None:
        """`place` names the machine of the program that is running."""
        inner = _load(library_path())
        self._asking = threading.Lock()
        self._close_native = inner.slow.cc_node_close if live else inner.fast.cc_node_close
        self._inner = inner.fast
        self._place = place
        self._fds: dict[int, int] = {}
        self._nodes: dict[int, int] = {}
        self._opened = 0
        self._standing = _NOWHERE
        self._secrets = 0
        self._seed = seed
        self.path, self.build, self.drafts = inner.path, inner.build, inner.drafts
        names = list(abi.ARGTYPES)
        own: dict[str, Any] = {
            "cc_node_open": self._node_open,
            "cc_node_close": self._node_close,
            "cc_link_open": self._link_open,
        }
        if not live:
            own["cc_node_wake_fd"] = self._node_wake_fd

        def face(handle: Any) -> SimpleNamespace:
            return SimpleNamespace(**{name: own.get(name) or getattr(handle, name) for name in names})

        # A world in virtual time has one thread: nothing is gained by giving up the interpreter's lock.
        self.fast = face(inner.fast)
        self.slow = face(inner.slow) if live else self.fast
        number = ctypes.c_uint64()
        options = json.dumps({"seed": seed, "tls": tls, "log_bytes": log_bytes, "qlog": qlog, "live": live})
        self._number = 0
        self._check(self._inner.cc_world_open(_native._str(options), ctypes.byref(number)))
        self._number = number.value
        self._now = ctypes.c_uint64()
        self._count = ctypes.c_uint32()
        self._told = (ctypes.c_uint64 * _NEWS)()
        self._run_arguments = (
            ctypes.byref(self._now),
            ctypes.addressof(self._told),
            _NEWS,
            ctypes.byref(self._count),
        )
        self._run = self._inner.cc_world_run

    def ask(self, op: str, **fields: object) -> Any:
        """A question's answer, parsed."""
        answer = abi.CcStr()
        question = json.dumps({"op": op, **fields})
        with self._asking:  # an answer stays until the next question only
            self._check(self._inner.cc_world_ask(self._number, _native._str(question), ctypes.byref(answer)))
            return json.loads(ctypes.string_at(answer.ptr or 0, answer.len))

    def run(self, until_us: int) -> tuple[int, list[int]]:
        """Let time pass until then, or until nodes have news: the time, and their descriptors."""
        self._check(self._run(self._number, min(until_us, _LATEST), *self._run_arguments))
        count = self._count.value
        if not count:
            return self._now.value, []
        return self._now.value, [self._fds.get(handle, -1) for handle in self._told[:count]]

    @contextlib.contextmanager
    def standing(self, place: int) -> Iterator[None]:
        """Within it, nodes that are opened by the C ABI, by whatever code, stand in that place."""
        before, self._standing = self._standing, place
        self._check(self._inner.cc_world_place(self._number, place))
        try:
            yield
        finally:
            self._standing = before
            self._check(self._inner.cc_world_place(self._number, before))

    def nodes_at(self, place: int) -> list[int]:
        """Handles of the nodes that were opened on a machine and not closed."""
        return [handle for handle, at in self._nodes.items() if at == place]

    def close(self) -> None:
        """Close the world."""
        if self._number:
            number, self._number = self._number, 0
            self._inner.cc_world_close(number)

    def _node_open(self, config: Any, node: Any) -> int:
        place = self._place()
        with self.standing(place):
            status: int = self._inner.cc_node_open(config, node)
        if status == 0:
            self._nodes[node._obj.value] = place
        return status

    def _node_close(self, node: int) -> int:
        self._nodes.pop(node, None)
        self._fds.pop(node, None)
        status: int = self._close_native(node)
        return status

    def _node_wake_fd(self, node: int, fd: Any) -> int:
        self._opened += 1
        self._fds[node] = fd._obj.value = _FIRST_FD + self._opened
        return 0

    def _link_open(self, node: int, config: Any, link: Any) -> int:
        given = config._obj
        keep = None
        if not given.resume_secret.len:
            # Where a peer id comes from when no token names one: drawn here, so that it repeats.
            self._secrets += 1
            secret = f"{self._seed}/{self._nodes.get(node, 0)}/{self._secrets}".encode().ljust(16, b".")
            keep = given.resume_secret = _native._str(secret[:64])
        status: int = self._inner.cc_link_open(node, config, link)
        del keep
        return status

    def _check(self, status: int) -> None:
        if status:
            buffer, length = ctypes.create_string_buffer(4096), ctypes.c_uint32()
            self._inner.cc_last_error(buffer, len(buffer), ctypes.byref(length))
            text = buffer.raw[: length.value].decode("utf-8", "replace")
            raise WorldError(text.partition(": ")[2] or text)


def is_world_fd(fd: object) -> bool:
    """Whether it is the descriptor of a node in a world."""
    return isinstance(fd, int) and fd >= _FIRST_FD
