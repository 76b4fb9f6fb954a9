"""The IDL's compiler: parse, check, emit.

`python -m api.rpc_compiler` writes everything that is made from
`api/clutchcall.json`; `--check` compares instead and names what differs.
Exit codes: 0 done, 1 the IDL is wrong or an output differs, 2 wrong arguments.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import _emit_c, _emit_csharp, _emit_docs, _emit_python, _emit_rust, _emit_typescript, _vectors
from ._check import check
from ._model import Diagnostic, Idl, read

ROOT = Path(__file__).resolve().parent.parent
SOURCE = "api/clutchcall.json"

EMITTERS = (_emit_rust, _emit_c, _emit_python, _emit_csharp, _emit_typescript, _emit_docs, _vectors)


def load(path: Path) -> tuple[Idl | None, list[Diagnostic]]:
    """The checked IDL, or none and what is wrong with it."""
    idl, found = read(path)
    if idl is not None and not found:
        found = check(idl)
    return (None if found else idl), found


def outputs(idl: Idl) -> dict[str, str]:
    """Text of every output by its path from the repository's root."""
    out: dict[str, str] = {}
    for emitter in EMITTERS:
        out |= emitter.emit(idl)
    return out


def differing(root: Path, wanted: dict[str, str]) -> list[str]:
    """Outputs that are missing or not what the IDL makes, in path order."""
    return [path for path in sorted(wanted) if _text(root / path) != wanted[path]]


def write(root: Path, wanted: dict[str, str]) -> list[str]:
    """Writes what differs, and only that, so that builds see no needless change; names it."""
    changed = differing(root, wanted)
    for path in changed:
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(wanted[path], encoding="utf-8", newline="\n")
    return changed


def _text(path: Path) -> str | None:
    """A file's text, or none; line ends as a checkout on Windows may have them are the same text."""
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        return None


def main(argv: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m api.rpc_compiler", description="Compiles the IDL.")
    parser.add_argument(
        "--check", action="store_true", help="compare with what is committed instead of writing"
    )
    parser.add_argument("--idl", type=Path, default=ROOT / SOURCE, help="the IDL (default: %(default)s)")
    parser.add_argument("--root", type=Path, default=ROOT, help="where outputs go (default: %(default)s)")
    args = parser.parse_args(argv)
    idl, found = load(args.idl)
    if idl is None:
        for one in found:
            print(one, file=sys.stderr)
        return 1
    wanted = outputs(idl)
    if args.check:
        wrong = differing(args.root, wanted)
        for path in wrong:
            print(f"{path} differs from the IDL: run python -m api.rpc_compiler", file=sys.stderr)
        return 1 if wrong else 0
    for path in write(args.root, wanted):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
