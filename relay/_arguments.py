"""What the command lines of relay and host share: a parser that errs in one line, and types of values."""

from __future__ import annotations

import argparse
import ipaddress
import os
import re
import sys
from typing import NoReturn

from transport import Bound

from ._bounds import Bounds, read

SHARDS_MAX = 256
"""Shards that one port can have."""
_ONE_PORT = sys.platform == "linux"

_UNITS = {"": 0, "k": 10, "m": 20, "g": 30}


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        """One line, and exit code 2."""
        name = self.prog.removeprefix("python -m ")
        print(f"{name}: {message} (--help lists the options)", file=sys.stderr)
        raise SystemExit(2)


def port(text: str) -> int:
    """A UDP or TCP port; 0 for any free one."""
    if not text.isdecimal() or len(text) > 5 or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: pass 0 to 65535")
    return int(text)


def address(text: str) -> str:
    """An IP address, with or without brackets."""
    try:
        return str(ipaddress.ip_address(text.strip("[]")))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no IP address: pass one of this machine's, such as 0.0.0.0"
        ) from None


def control_limits(text: str) -> Bounds:
    """Bounds of the control stack by name, `requests=16,body_bytes=8k`."""
    try:
        return read(text)
    except ValueError as wrong:
        raise argparse.ArgumentTypeError(str(wrong)) from None


def shards(text: str) -> int:
    """How many I/O threads: a number, or `auto` (or 0) for one a core."""
    if text in ("auto", "0"):
        return min(_cores(), SHARDS_MAX) if _ONE_PORT else 1
    number = int(text) if text.isdecimal() and len(text) < 4 else -1
    if not 1 <= number <= SHARDS_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of shards: pass auto or 1 to {SHARDS_MAX}")
    if number > 1 and not _ONE_PORT:
        raise argparse.ArgumentTypeError("several shards share one port on Linux only: leave --shards out")
    return number


def _cores() -> int:
    """Those that this process may run on."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def limits(text: str) -> dict[Bound, int]:
    """Bounds by name, `streams_max=256,past_bytes=64m`."""
    found: dict[Bound, int] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = (side.strip() for side in part.partition("="))
        if name.upper() not in Bound.__members__ or not name.islower():
            known = ", ".join(limit.name.lower() for limit in Bound)
            raise argparse.ArgumentTypeError(f"{name!r} is no limit: there are {known}")
        match = re.fullmatch(r"([0-9]{1,13})([kmg]?)", value)
        number = int(match[1]) << _UNITS[match[2]] if match else -1
        if not 0 <= number <= 1 << 40:
            raise argparse.ArgumentTypeError(
                f"{part!r}: pass {name}= and a whole number up to 2^40, or one with k, m or g"
            )
        found[Bound[name.upper()]] = number
    return found
