"""What a person types: lines, or single keys where the terminal gives them.

Descriptors are read without Python's buffered files: those hold a lock that a thread still reading would keep
from the interpreter's end.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

_STDIN = 0
_LONGEST = 8000


def possible() -> bool:
    """Whether single keys can be had."""
    with contextlib.suppress(OSError):
        return os.isatty(_STDIN)
    return False


def typed() -> Iterator[str]:
    """Lines of standard input, without empty ones, until its end."""
    rest = b""
    with contextlib.suppress(OSError):
        while data := os.read(_STDIN, 4096):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                if text := line.decode("utf-8", "replace").strip():
                    yield text
            if len(rest) > _LONGEST:
                rest = b""


if sys.platform == "win32":
    import msvcrt

    @contextlib.contextmanager
    def unbuffered() -> Iterator[None]:
        """Keys come one by one anyhow."""
        yield

    def pressed() -> Iterator[str]:
        """Keys as they are pressed."""
        while True:
            yield msvcrt.getwch()

else:
    import termios
    import tty

    @contextlib.contextmanager
    def unbuffered() -> Iterator[None]:
        """Within it the terminal hands over each key at once and shows none."""
        before = termios.tcgetattr(_STDIN)
        tty.setcbreak(_STDIN)
        try:
            yield
        finally:
            termios.tcsetattr(_STDIN, termios.TCSADRAIN, before)

    def pressed() -> Iterator[str]:
        """Keys as they are pressed."""
        with contextlib.suppress(OSError):
            while key := os.read(_STDIN, 1):
                yield key.decode("ascii", "replace")
