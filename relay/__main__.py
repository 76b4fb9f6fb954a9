"""`python -m relay`. Exit codes: 0 done, 1 failed at its work, 2 wrong arguments. Errors are one line."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import traceback
from collections.abc import Sequence

import transport

from ._log import Log
from ._options import parse
from ._relay import BadHook, Relay


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a relay until it is told to stop."""
    options = parse(arguments)
    log = Log(options.json_log, options.verbose)
    log.install()
    # The modules stay for as long as the relay does: a full collection need not look at them each time, which
    # takes 15 ms of the loop.
    gc.collect()
    gc.freeze()
    try:
        return asyncio.run(Relay(options, log).run())
    except BadHook as wrong:
        log.wrong(f"relay: {wrong}", traceback.format_exc())
        return 2
    except transport.Error as wrong:
        log.wrong(f"relay: {wrong}", traceback.format_exc())
    except BrokenPipeError:
        # Whoever read the output has gone; the interpreter must not try to flush to it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        return 0
    except Exception as wrong:
        text = f"relay: {type(wrong).__name__}: {wrong}: this is a fault of the relay, -v shows more"
        log.wrong(text, traceback.format_exc())
    return 1


if __name__ == "__main__":
    sys.exit(main())
