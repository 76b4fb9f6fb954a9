"""`python -m transport.host` (docs/host.md). Exit codes: 0 done, 1 failed at its work, 2 wrong arguments."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from types import FrameType

import transport
from relay._log import Log

from ._agones import AgonesError
from ._exec import StartError
from ._game import Game
from ._host import Host, RoomFailed
from ._loader import LoadError, load_game
from ._options import Options, parse
from ._summary import summarise

_ENDING = tuple(
    number
    for name in ("SIGINT", "SIGTERM", "SIGHUP")
    # `nohup` has it ignored, and Windows has not got it.
    if (number := getattr(signal, name, None))
    and (name != "SIGHUP" or signal.getsignal(number) == signal.SIG_DFL)
)
_EXPECTED = (transport.Error, StartError, AgonesError, OSError)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a host; the exit code."""
    options = parse(sys.argv[1:] if arguments is None else arguments)
    log = Log(options.json_log, options.verbose)
    log.install()
    try:
        game = None if options.command else load_game(options.game)
    except LoadError as wrong:
        log.wrong(f"transport.host: {wrong}", wrong.detail)
        return 2
    try:
        return asyncio.run(_serve(options, game, log))
    except BrokenPipeError:
        # Whoever read the output has gone; the interpreter must not try to flush to it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt as stuck:
        text = f"interrupted at {_place(stuck)}, which kept everything else waiting"
        log.wrong(f"transport.host: {text}", traceback.format_exc())
    except RoomFailed:
        return 1  # said already, with its place
    except _EXPECTED as wrong:
        log.wrong(f"transport.host: {wrong}", traceback.format_exc())
    except Exception as wrong:
        what = f"{type(wrong).__name__}: {wrong} ({_place(wrong)})"
        text = f"transport.host: {what}: this is a fault of the host, -v shows more"
        log.wrong(text, traceback.format_exc())
    return 1


async def _serve(options: Options, game: type[Game] | None, log: Log) -> int:
    host = Host(options, game, log)
    with _Signals(host):
        started = False
        try:
            await host.start()
            started = True
            await host.run()
        finally:
            code = await host.stop()
        if started:
            text, fields = summarise(host)
            log.say("summary", text, **fields)
    return code


class _Signals:
    """SIGINT, SIGTERM, a closed terminal: the first asks the host to end, the second to make haste.

    Where the loop has not even taken the first by then, something in it does not return: that is interrupted.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._count = itertools.count()  # one handler may interrupt the other: a step must not be divisible

    def __enter__(self) -> None:
        loop = asyncio.get_running_loop()

        def ask(number: int, frame: FrameType | None) -> None:
            if next(self._count) == 0:
                loop.call_soon_threadsafe(self._host.end)
                return
            loop.call_soon_threadsafe(self._host.hurry)
            if not self._host.is_ending:
                self._host.hurry()
                raise KeyboardInterrupt

        # Windows' loop has no handlers of its own; the plain one works everywhere.
        for number in _ENDING:
            signal.signal(number, ask)

    def __exit__(self, *_: object) -> None:
        for number in _ENDING:
            signal.signal(number, signal.SIG_IGN)  # the process is about to end anyway


def _place(wrong: BaseException) -> str:
    """Where it was raised; for an interrupt, what was running."""
    frames = [frame for frame in traceback.extract_tb(wrong.__traceback__) if frame.filename != __file__]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "the start"


if __name__ == "__main__":
    sys.exit(main())
