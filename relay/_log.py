"""What a program says: lines for people, or JSON objects for machines. Errors go to standard error."""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from collections.abc import Mapping
from typing import Any, TextIO


class Log(logging.Handler):
    """Also takes what the modules and asyncio log, at WARNING and above, or all of it when verbose.

    An error is one line; with `verbose` its traceback follows, or is the JSON object's `detail`.
    """

    def __init__(self, json_lines: bool, verbose: bool, out: TextIO | None = None) -> None:
        super().__init__(logging.DEBUG if verbose else logging.WARNING)
        self.verbose = verbose
        self._json = json_lines
        self._out = out

    def install(self) -> None:
        """Take over the log of this process."""
        for name, level in (
            ("relay", logging.DEBUG if self.verbose else logging.WARNING),
            ("asyncio", logging.WARNING),
            # aioquic tells of every connection; only what it calls errors is of use.
            ("quic", logging.ERROR),
        ):
            logger = logging.getLogger(name)
            logger.handlers = [self]
            logger.propagate = False
            logger.setLevel(level)

    def say(self, event: str, text: str, **fields: object) -> None:
        """A line. `event` and `fields` are for machines."""
        self._write(self._out or sys.stdout, event, text, fields)

    def wrong(self, text: str, detail: str = "") -> None:
        """A line about what went wrong; `detail`, a traceback, is for -v."""
        self._fault("error", text, detail)

    def emit(self, record: logging.LogRecord) -> None:
        """From `logging`."""
        text = f"{record.name}: {record.getMessage()}"
        wrong = record.exc_info[1] if record.exc_info else None
        detail = ""
        if wrong is not None:
            detail = "".join(traceback.format_exception(wrong))
            if str(wrong) not in text:
                text += f": {type(wrong).__name__}: {wrong}"
        self._fault(record.levelname.lower(), text, detail)

    def _fault(self, event: str, text: str, detail: str) -> None:
        text = " ".join(text.split("\n"))
        shown = detail.rstrip() if self.verbose else ""
        self._write(sys.stderr, event, text, {"detail": shown} if shown and self._json else {})
        if shown and not self._json:
            print(shown, file=sys.stderr, flush=True)

    def _write(self, out: TextIO, event: str, text: str, fields: Mapping[str, Any]) -> None:
        line = text
        if self._json:
            line = json.dumps({"time": round(time.time(), 3), "event": event, "text": text, **fields})
        print(line, file=out, flush=True)
