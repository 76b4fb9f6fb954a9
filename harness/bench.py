"""`python -m harness.bench [CASE...] [--against PEER...] [--report DIR]`: how fast it is, beside raw UDP.

A CASE is a name (`--list` tells them), the start of some (`cost`), or a file with `CASES` (see
harness._bench_case). A PEER is a relay that runs, `NAME=URL[,sha256=HEX][,token=T][,pid=N]`, or the file of
another build of the native library. Other implementations that are built (harness._bench_peers) are measured
beside, or those that `--beside` names; what is not there is said. All subjects of a case take turns in one
run. Results are printed beside those of the last run and kept in pytest-benchmark's form, which
`pytest-benchmark compare` reads.

Exit codes: 0 done, 1 failed at its work, 2 wrong arguments.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from harness import _bench_cost, _bench_latency, _bench_peers, _bench_python, _bench_sessions, _bench_virtual
from harness._bench_awake import awake
from harness._bench_case import FLOOR, BenchError, Case, Result, Setting, peer
from harness._bench_program import ROOT
from harness._bench_publish import kept, publish
from harness._bench_reach import reach_table
from harness._bench_results import Stored, commit, describe, last, report, save, table

BUILT_IN: Final[Sequence[Case]] = (
    *_bench_latency.CASES,
    *_bench_cost.CASES,
    *_bench_python.CASES,
    *_bench_sessions.CASES,
    *_bench_virtual.CASES,
)
STORAGE: Final = Path(".benchmarks")
"""Where results are kept, as pytest-benchmark does."""


def main(arguments: Sequence[str] | None = None, say: Callable[[str], object] = print) -> int:
    """Run the benchmarks."""
    parser = argparse.ArgumentParser(
        "python -m harness.bench",
        description=__doc__,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("case", nargs="*", metavar="CASE", help="what to measure; all, if none is named")
    parser.add_argument(
        "--beside",
        action="append",
        metavar="NAME",
        choices=["none", *(other.name for other in _bench_peers.OTHERS)],
        help="only this other implementation, or none; may be repeated (all that are built)",
    )
    parser.add_argument("--against", action="append", default=[], metavar="PEER", help="measure this too")
    parser.add_argument("--report", metavar="DIR", help="leave a page, JSON and JUnit here")
    parser.add_argument("--publish", type=Path, metavar="DIR", help="leave tables, JSON and pictures here")
    parser.add_argument("--rounds", type=_rounds, metavar="N", help="turns of each subject")
    parser.add_argument(
        "--storage", type=Path, default=STORAGE, metavar="DIR", help=f"where results are kept ({STORAGE})"
    )
    parser.add_argument(
        "--awake", action="store_true", help="keep idle cores out of their sleep meanwhile (Linux)"
    )
    parser.add_argument("--list", action="store_true", help="list the cases and end")
    chosen = parser.parse_args(arguments)
    try:
        if chosen.list:
            for case in BUILT_IN:
                say(f"{case.name:<20} {case.about}, {case.unit}{', only when named' * case.extra}")
            return 0
        cases = [case for name in chosen.case or [""] for case in find(name)]
        peers = [peer(text) for text in chosen.against]
        there, missing = _bench_peers.others(chosen.beside)
        setting = Setting(peers, floor(), there)
        with awake() if chosen.awake else contextlib.nullcontext():
            return _run(cases, setting, missing, chosen, say)
    except BenchError as wrong:
        print(f"bench: {wrong}", file=sys.stderr)
        return wrong.code
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return 1


def _run(
    cases: Sequence[Case],
    setting: Setting,
    missing: Sequence[str],
    chosen: argparse.Namespace,
    say: Callable[[str], object],
) -> int:
    storage: Path = chosen.storage
    before = last(storage)
    if chosen.publish is not None:
        # A folder that can't be added to is told before minutes are spent.
        kept(chosen.publish)
    say(describe() + ", cores kept awake" * chosen.awake)
    if setting.floor is None and any(case.group in {"cost", "wake"} for case in cases):
        say("raw UDP is left out of the cost cases and `wake`: `python3 dev.py bench` builds its program")
    for one in missing:
        say(one)
    results: list[Result] = []
    try:
        for case in cases:
            results.append(measure(case, setting, chosen.rounds))
            say(table(results[-1], before))
    finally:
        # Interrupted or not: what was measured is kept.
        if results:
            if told := reach_table(results):
                say(told)
            say(
                f"kept in {save(storage, results)}"
                + (f", compared with {before.path.name}" if before else "")
            )
            if chosen.report is not None:
                folder = Path(chosen.report)
                report(folder, results, ["python", "-m", "harness.bench", *(case.name for case in cases)])
                say(f"{folder / 'report.html'}")
            if chosen.publish is not None:
                order = [case.name for case in (*BUILT_IN, *(one.case for one in results))]
                for path in publish(chosen.publish, results, commit()["id"], order, chosen.awake):
                    say(f"{path}")
    return 0


def measure(case: Case, setting: Setting, rounds: int | None = None) -> Result:
    """Run one case: its subjects take turns. What a turn raises is the case's failure."""
    found = Result(case)
    with case.open(setting) as subjects:
        count = rounds or case.rounds
        warm_up = min(case.warm_up, count)
        for number in range(warm_up + count):
            for name, turn in subjects.items():
                if name in found.failed:
                    continue
                try:
                    measured = turn()
                except BenchError as wrong:
                    if name not in setting.others:
                        raise
                    # Others are none of ours to mend: the rest of the table stands without them.
                    found.failed[name] = str(wrong)
                    continue
                if number >= warm_up:
                    found.add(name, measured)
    return found


def find(name: str) -> list[Case]:
    """The cases that a word on the command line means. `BenchError` if there are none."""
    if name.endswith(".py"):
        return _own(Path(name))
    if name == "all":
        return list(BUILT_IN)
    found = [case for case in BUILT_IN if case.name == name]
    found = found or [
        case for case in BUILT_IN if case.name.startswith(name) and not (case.extra and not name)
    ]
    if not found:
        raise BenchError(f"{name}: there is no such case: --list tells them, and a file ends in .py", 2)
    return found


def _own(path: Path) -> list[Case]:
    spec = importlib.util.spec_from_file_location(f"bench_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise BenchError(f"{path}: there is no such file", 2)
    module = importlib.util.module_from_spec(spec)
    # Dataclasses of the file look their module up.
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as wrong:
        raise BenchError(f"{path}: it raised {type(wrong).__name__}: {wrong}", 2) from None
    cases = getattr(module, "CASES", None)
    if not isinstance(cases, Sequence) or not cases or not all(isinstance(case, Case) for case in cases):
        raise BenchError(f"{path}: CASES is no list of harness._bench_case.Case", 2)
    return list(cases)


def floor() -> Path | None:
    """The program that sends raw UDP, if it was built."""
    name = "floor" + (".exe" if sys.platform == "win32" else "")
    path = ROOT / "core/target/release/examples" / name
    return path if path.is_file() else None


def _rounds(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text!r}: pass 1 to 1000000")
    return int(text)


__all__ = ["BUILT_IN", "FLOOR", "BenchError", "Case", "Stored", "find", "main", "measure"]

if __name__ == "__main__":
    sys.exit(main())
