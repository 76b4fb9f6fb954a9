"""The project's workbench: `python3 dev.py TARGET [ARGS]`; `make TARGET ARGS="..."` is the same.

    setup [--dev]      .venv from a hash-checked lock, and the native core in release mode
    host [ARGS]        set up what a host needs, then `python -m transport.host ARGS`; with --bots 16 unless
                       ARGS name --bots, --game or --exec
    check [STEP...]    the one definition of "checked"; `check --list` names the steps
    test [ARGS]        set-up, check, then pytest with ARGS (-k NAME, a path); --fast leaves slow tests
                       out, --no-check goes straight to pytest
    fuzz [ARGS]        inputs made up for the core's decoders, session, queue and engine:
                       [--seconds N] for each target, [--keep] the best in the corpus, [TARGET...]
    interop [ARGS]     other implementations of MoQT, built from source, against the core; ARGS for cargo test
    bench [ARGS]       `python -m harness.bench ARGS`: latency and cost beside raw UDP and what else is built;
                       --build-peers builds moq-relay, quinn, renet and ENet first (some 300 crates)
    natives [ARGS]     the native core for other platforms, in build/natives: [--target NAME...]
    unity [ARGS]       pack the Unity package
    unity-branch [ARGS] writes the commit of its release branch `upm`: [--allow-missing]
    unity-verify PROJECT  whether a Unity project has what the package uses: [--editor FOLDER]
    wheel              dist/clutchcall-*.whl; --target NAME for another platform
    lock [--upgrade]   make requirements/*.lock again from requirements/*.in

Exit codes: 0 done, 1 failed at its work, 2 wrong arguments. Works on Linux, macOS and Windows with nothing
but Python, Rust and a C compiler installed. This file keeps to syntax that any Python 3 reads, so that an
old one gets a sentence and not a traceback.
"""

import sys

OLDEST = (3, 11)


def main(arguments):  # type: (list[str]) -> int
    """Run the target named first in `arguments` and return the process's exit code."""
    if sys.version_info < OLDEST:
        sys.stderr.write(
            "dev.py: Python %d.%d is too old: install Python %d.%d or newer and run dev.py with it\n"
            % (sys.version_info[:2] + OLDEST)
        )
        return 1
    from tools.targets import run

    return run(arguments, __doc__ or "")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
