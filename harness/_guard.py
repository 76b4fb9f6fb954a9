"""While a world runs: nobody reads the machine's clock, draws numbers that no seed gives, or starts a thread.

Code of the SDK, of the harness and of libraries gets the world's time and numbers from the world's seed. Code
of a test, a game or a bot that asks for them by itself would make the run another one each time: it gets
`Unrepeatable`, which names file and line, and the test fails with it even if that was caught.

| asked for | use instead |
|---|---|
| `time.time`, `monotonic`, `perf_counter`, `datetime.now`, `date.today` | `world.now`, `node.now` |
| `time.sleep` | `await asyncio.sleep` |
| `random.random()` and its like without `random.seed` before, `random.Random()` | `world.random` |
| the same of `numpy.random` | `default_rng(world.random.getrandbits(64))` |
| `os.urandom`, `secrets`, `uuid.uuid1`, `uuid4` | the same |
| threads, executors, processes of `asyncio` | none |
"""

from __future__ import annotations

import datetime
import functools
import os
import random
import secrets
import sys
import sysconfig
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from harness._stage import Stage

_ROOT: Final = str(Path(__file__).parents[1]) + os.sep
_OWN: Final = tuple(_ROOT + folder + os.sep for folder in ("transport", "relay", "harness", "api"))
_PATHS: Final = sysconfig.get_paths()
_STDLIB: Final = tuple({_PATHS["stdlib"] + os.sep, _PATHS["platstdlib"] + os.sep})
_LIBRARIES: Final = tuple({_PATHS["purelib"] + os.sep, _PATHS["platlib"] + os.sep})
_RUNNERS: Final = frozenset(
    {"_pytest", "pytest", "pluggy", "xdist", "execnet", "pytest_timeout", "pytest_asyncio", "hypothesis"}
    | {"coverage", "pytest_benchmark", "harness.plugin"}
)
"""Who runs tests: they live outside the world, and see the machine's own time."""
_PASSED_ON: Final = frozenset({"random", "secrets", "uuid", "datetime", "threading", "concurrent", "asyncio"})
"""Modules whose callers are meant."""
_NUMPY: Final = (
    *("rand", "randn", "randint", "random", "random_sample", "normal", "uniform", "choice", "shuffle"),
    *("permutation", "exponential", "poisson", "standard_normal", "bytes"),
)
_Random: Final = random.Random
_UNIX: Final = 1_800_000_000
"""Unix time at a world's start."""


class Unrepeatable(Exception):
    """Something was asked for that no two runs get alike. Says where, and what to use instead."""


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def _is_users(frame: FrameType) -> bool:
    file = frame.f_code.co_filename
    if file.startswith(_OWN) or file.startswith("<"):
        return False
    return not file.startswith(_LIBRARIES) and not file.startswith(_STDLIB)


class Guard:
    """In force within its `with` block."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._streams: dict[str, random.Random] = {}
        self._last = ""
        self._seeded = False
        self._numpy_seeded = False
        self._undo: list[Callable[[], None]] = []
        self.first: Unrepeatable | None = None
        """The first offence."""

    def __enter__(self) -> Guard:
        self._clocks()
        self._numbers()
        self._numpy()
        self._threads()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for undo in reversed(self._undo):
            undo()
        self._undo.clear()

    # --- who asks ---

    def _asker(self) -> FrameType | None:
        """The frame that asked, behind what only passes the question on; none: a test's runner."""
        frame: FrameType | None = sys._getframe(2)
        while frame is not None:
            name = _module(frame)
            root = name.partition(".")[0]
            if root in _RUNNERS or name in _RUNNERS:
                return None
            if name not in (__name__, "harness._virtual_loop") and root not in _PASSED_ON:
                return frame
            frame = frame.f_back
        return None

    @property
    def _random(self) -> random.Random:
        """The numbers of the package that asked last: what one draws in its import moves no other's."""
        if self._last not in self._streams:
            self._streams[self._last] = _Random(f"{self._stage.seed}/guard/{self._last}")
        return self._streams[self._last]

    def _judge(self, what: str, instead: str) -> bool:
        """Whether the world answers; False: the machine does. Raises if a user asks."""
        frame = self._asker()
        if frame is None:
            return False
        self._last = _module(frame).partition(".")[0]
        if _is_users(frame):
            self._refuse(frame, what, instead)
        return True

    def _refuse(self, frame: FrameType, what: str, instead: str) -> None:
        place = f"{frame.f_code.co_filename}:{frame.f_lineno}"
        wrong = Unrepeatable(f"{place}: {what}: no two runs get the same; use {instead}")
        if self.first is None:
            self.first = wrong
        raise wrong

    def _put(self, home: Any, name: str, new: object) -> None:
        old = getattr(home, name)
        setattr(home, name, new)
        self._undo.append(functools.partial(setattr, home, name, old))
        # `from time import monotonic` made copies; those of users' modules are exchanged too.
        for module in list(sys.modules.values()):
            file = getattr(module, "__file__", None)
            if not file or (file.startswith(_STDLIB) and not file.startswith(_ROOT)):
                continue
            if file.startswith(_LIBRARIES):
                continue
            names = module.__dict__
            for known, value in list(names.items()):
                if value is old and module is not home and not known.startswith("__") and known != "_real":
                    names[known] = new
                    self._undo.append(functools.partial(names.__setitem__, known, old))

    # --- time ---

    def _clocks(self) -> None:
        stage = self._stage

        def clock(name: str, unit: float, start: float) -> Callable[[], Any]:
            real = getattr(time, name)

            def read() -> Any:
                if not self._judge(
                    f"time.{name}() reads the machine's clock", "world.now or the loop's time()"
                ):
                    return real()
                now = start + stage.now
                return round(now * 1e9) if unit == 1e9 else now

            return read

        for name, start in (("time", _UNIX), ("monotonic", 0.0), ("perf_counter", 0.0)):
            self._put(time, name, clock(name, 1.0, start))
            self._put(time, name + "_ns", clock(name + "_ns", 1e9, start))
        sleep = time.sleep

        def no_sleep(seconds: float) -> None:
            if not self._judge("time.sleep() waits in real time", "await asyncio.sleep()"):
                sleep(seconds)

        self._put(time, "sleep", no_sleep)
        self._dates()

    def _dates(self) -> None:
        stage, judge = self._stage, self._judge
        instead = "world.now"
        real_datetime, real_date = datetime.datetime, datetime.date

        class Kind(type):
            def __instancecheck__(cls, value: object) -> bool:
                return isinstance(value, cls.__mro__[1])

            def __subclasscheck__(cls, value: type) -> bool:
                return issubclass(value, cls.__mro__[1])

        class Datetime(real_datetime, metaclass=Kind):  # type: ignore[valid-type, misc]
            @classmethod
            def now(cls, tz: datetime.tzinfo | None = None) -> Any:
                if not judge("datetime.now() reads the machine's clock", instead):
                    return real_datetime.now(tz)
                return real_datetime.fromtimestamp(_UNIX + stage.now, tz or datetime.UTC).replace(tzinfo=tz)

            @classmethod
            def utcnow(cls) -> Any:
                return cls.now()

            @classmethod
            def today(cls) -> Any:
                return cls.now()

        class Date(real_date, metaclass=Kind):  # type: ignore[valid-type, misc]
            @classmethod
            def today(cls) -> Any:
                if not judge("date.today() reads the machine's clock", instead):
                    return real_date.today()
                return real_datetime.fromtimestamp(_UNIX + stage.now, datetime.UTC).date()

        for name, new in (("datetime", Datetime), ("date", Date)):
            self._put(datetime, name, new)

    # --- numbers ---

    def _bytes(self, count: int) -> bytes:
        return self._random.randbytes(count)

    def _numbers(self) -> None:
        instead = "world.random or machine.random"
        real_urandom = os.urandom

        def urandom(size: int) -> bytes:
            if not self._judge("random bytes of the system's (os.urandom, secrets, uuid4)", instead):
                return real_urandom(size)
            return self._bytes(size)

        self._put(os, "urandom", urandom)
        if hasattr(random, "_urandom"):
            self._put(random, "_urandom", urandom)
        for home, names in (
            (secrets, ("token_bytes", "token_hex", "token_urlsafe", "randbits", "randbelow")),
        ):
            for name in names:
                self._put(home, name, self._told(getattr(home, name), f"secrets.{name}()", instead))
        self._put(secrets, "choice", self._told(secrets.choice, "secrets.choice()", instead))
        self._put(uuid, "uuid1", self._uuid("uuid1", instead))
        self._put(uuid, "uuid4", self._uuid("uuid4", instead))
        drawing = [
            name
            for name in random.__all__
            if isinstance(getattr(random, name), type(random.random))
            or hasattr(getattr(random, name), "__self__")
        ]
        shared = random.Random(f"{self._stage.seed}/shared")
        for name in drawing:
            if name not in ("seed", "getstate", "setstate") and callable(getattr(shared, name, None)):
                self._put(random, name, self._shared(name, getattr(random, name), shared, instead))
        real_seed = random.seed

        def seed(a: Any = None, version: int = 2) -> None:
            frame = self._asker()
            if frame is None:
                real_seed(a, version)
                return
            if a is None and _is_users(frame):
                self._refuse(frame, "random.seed() without a seed", instead)
            shared.seed(0 if a is None else a, version)
            self._seeded = True

        self._put(random, "seed", seed)
        self._random_class(instead)

    def _told(self, real: Callable[..., Any], what: str, instead: str) -> Callable[..., Any]:
        """Judged by its name; what it is made of comes from the world."""

        @functools.wraps(real)
        def draw(*args: Any, **options: Any) -> Any:
            self._judge(what, instead)
            return real(*args, **options)

        return draw

    def _shared(
        self, name: str, real: Callable[..., Any], shared: random.Random, instead: str
    ) -> Callable[..., Any]:
        world = getattr(shared, name)

        @functools.wraps(real)
        def draw(*args: Any, **options: Any) -> Any:
            frame = self._asker()
            if frame is None:
                return real(*args, **options)
            if not self._seeded and _is_users(frame):
                self._refuse(frame, f"random.{name}() without a seed", instead)
            return world(*args, **options)

        return draw

    def _uuid(self, name: str, instead: str) -> Callable[..., uuid.UUID]:
        def made(*_: Any, **__: Any) -> uuid.UUID:
            self._judge(f"uuid.{name}()", f"uuid.UUID(int={instead.split(maxsplit=1)[0]}.getrandbits(128))")
            return uuid.UUID(bytes=self._bytes(16), version=4)

        return made

    def _random_class(self, instead: str) -> None:
        guard, real = self, random.Random

        class Kind(type):
            def __instancecheck__(cls, value: object) -> bool:
                return isinstance(value, real)

        class Seeded(real, metaclass=Kind):  # type: ignore[valid-type, misc]
            def __init__(self, x: Any = None) -> None:
                if x is None and guard._judge("random.Random() without a seed", instead):
                    x = guard._random.random()
                super().__init__(x)

            def __new__(cls, x: Any = None) -> Any:
                return super().__new__(cls)

        self._put(random, "Random", Seeded)

    def _numpy(self) -> None:
        instead = "numpy.random.default_rng(world.random.getrandbits(64))"
        real_rng, real_seed = np.random.default_rng, np.random.seed

        def default_rng(seed: Any = None) -> Any:
            if seed is None and self._judge("numpy.random.default_rng() without a seed", instead):
                seed = self._random.getrandbits(64)
            return real_rng(seed)

        def seed(value: Any = None) -> None:
            if value is None:
                self._judge("numpy.random.seed() without a seed", instead)
                value = self._random.getrandbits(32)
            real_seed(value)
            self._numpy_seeded = True

        self._put(np.random, "default_rng", default_rng)
        self._put(np.random, "seed", seed)
        for name in _NUMPY:
            self._put(np.random, name, self._legacy(name, getattr(np.random, name), instead))

    def _legacy(self, name: str, real: Callable[..., Any], instead: str) -> Callable[..., Any]:
        def draw(*args: Any, **options: Any) -> Any:
            if not self._numpy_seeded and self._judge(f"numpy.random.{name}() without a seed", instead):
                np.random.seed(self._random.getrandbits(32))
            return real(*args, **options)

        return draw

    # --- threads ---

    def _threads(self) -> None:
        real = threading.Thread.start

        def start(thread: threading.Thread) -> None:
            frame = self._asker()
            if frame is not None and _is_users(frame):
                self._refuse(
                    frame, "a thread is started", "a task of asyncio: what runs beside is never alike"
                )
            real(thread)

        threading.Thread.start = start  # type: ignore[method-assign, assignment]
        self._undo.append(lambda: setattr(threading.Thread, "start", real))

    def executor(self) -> None:
        """Somebody asks the loop for a thread."""
        frame = self._asker()
        if frame is not None and _is_users(frame):
            self._refuse(frame, "a thread is used (run_in_executor, to_thread)", "a plain call")
